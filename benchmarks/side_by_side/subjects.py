"""Who is measured: which environment it lives in, how it is loaded and connected.

Every subject reaches the same server by the same Unix socket through libpq's ``PG*`` variables, so that nobody's
connect line holds a password or a path. JupySQL's feedback lines are switched off (ours come after the cell, outside
the timed part) and its statistics too (they go to a network that is no part of the comparison); the rest is default.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Subject:
    """A way to run SQL from IPython; ``magic`` runs a line or a cell of it."""

    name: str
    environment: str
    extension: str
    connect: tuple[str, str]
    settings: tuple[str, ...] = ()
    magic: str = "sql"

    def load_code(self) -> str:
        """Return Python that loads the extension."""
        return f"get_ipython().run_line_magic('load_ext', {self.extension!r})\n"

    def connect_code(self) -> str:
        """Return Python that sets it up as its users do and connects."""
        settings = "".join(f"get_ipython().run_line_magic('config', {line!r})\n" for line in self.settings)
        return f"{settings}get_ipython().run_line_magic({self.connect[0]!r}, {self.connect[1]!r})\n"

    def line_code(self, sql: str) -> str:
        """Return Python that runs one line magic."""
        return f"get_ipython().run_line_magic({self.magic!r}, {sql!r})"

    def cell_code(self, sql: str) -> str:
        """Return Python that runs one cell magic."""
        return f"get_ipython().run_cell_magic({self.magic!r}, '', {sql!r})"


@dataclass(frozen=True, slots=True)
class ByHand(Subject):
    """psycopg in a cell, without a magic."""

    def load_code(self) -> str:
        """Return Python that imports it."""
        return f"import {self.extension}\n"

    def connect_code(self) -> str:
        """Return Python that connects."""
        return f"conn = {self.extension}.connect(autocommit=True)\n"

    def line_code(self, sql: str) -> str:
        """Return Python that runs a statement."""
        return f"conn.execute({sql!r}).statusmessage"

    cell_code = line_code


_JUPYSQL = ("SqlMagic.autopandas = True", "SqlMagic.feedback = 0", "SqlMagic.displaycon = False")

TUSK = Subject("tusk-jupyter", "own", "tusk_jupyter", ("tusk_connect", "dbname=bench"))
PSYCOPG = ByHand("psycopg", "peers", "psycopg", ("", ""))
JUPYSQL_PSYCOPG2 = Subject("jupysql, psycopg2", "peers", "sql", ("sql", "postgresql+psycopg2://"), _JUPYSQL)
JUPYSQL_PSYCOPG3 = Subject("jupysql, psycopg 3", "peers", "sql", ("sql", "postgresql+psycopg://"), _JUPYSQL)


@dataclass(frozen=True, slots=True)
class Reader:
    """A way to read a whole result into columns: code that prepares it, and code that reads ``{sql}``.

    :param read: sets ``df``; the same code with ten rows is the warm-up.
    :param rounds: see :class:`Case`.
    """

    name: str
    environment: str
    setup: str
    read: str
    returns: str
    rounds: int | None = None

    def read_code(self, sql: str) -> str:
        """Return Python that reads the result of a query."""
        return self.read.format(sql=sql)
