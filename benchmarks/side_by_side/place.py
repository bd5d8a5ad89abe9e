"""Where a run takes place: interpreters, a scratch directory, an own PostgreSQL, and the environment of children.

The server is the package's embedded one, in a cluster of this run that is dropped at its end: default settings, a Unix
socket, SCRAM. Children get homes and data directories in the scratch directory and nothing of the caller's ``PG*`` and
``PYTHON*`` variables: bytecode is cached, as it is for users.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import sql

from side_by_side import environments
from tusk_jupyter.connections import embedded

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from side_by_side.subjects import Reader, Subject

DATABASE = "bench"


@dataclass(frozen=True, slots=True)
class Place:
    """Everything a measurement needs to know of the machine."""

    scratch: Path
    pythons: Mapping[str, Path]
    server: embedded.EmbeddedServer
    # where profiles of what is measured of ours go; None: nothing is profiled
    profiles: Path | None = None

    def python(self, subject: Subject | Reader) -> str:
        """Return the interpreter that a subject lives in."""
        return str(self.pythons[subject.environment])

    def environment(self, **more: str) -> dict[str, str]:
        """Return the variables of a child."""
        ours = ("PG", "PYTHON", "TUSK", "JUPYTER", "IPYTHON", "JPY")
        kept = {k: v for k, v in os.environ.items() if not k.startswith(ours) and k != "DATABASE_URL"}
        return {
            **kept,
            "HOME": str(self.scratch),
            "IPYTHONDIR": str(self.scratch / "ipython"),
            "JUPYTER_RUNTIME_DIR": str(self.scratch / "jupyter"),
            "TUSK_DATA_DIR": str(self.scratch / "tusk"),
            "PLOOMBER_STATS_ENABLED": "False",
            "PGHOST": self.server.host,
            "PGPORT": str(self.server.port),
            "PGUSER": self.server.user,
            "PGPASSWORD": self.server.password.reveal(),
            "PGDATABASE": DATABASE,
            **more,
        }

    def fresh_directory(self) -> str:
        """Return a path that does not exist yet."""
        return str(Path(tempfile.mkdtemp(dir=self.scratch)) / "new")

    def connect(self, dbname: str = DATABASE) -> psycopg.Connection[Any]:
        """Return a connection of the parent's own."""
        return psycopg.connect(
            host=self.server.host,
            port=self.server.port,
            user=self.server.user,
            password=self.server.password.reveal(),
            dbname=dbname,
            autocommit=True,
        )


@contextlib.contextmanager
def prepared(cache: Path | None, profiles: Path | None = None) -> Iterator[Place]:
    """Set everything up; stop and remove it at the end, except for the peers' environment."""
    pythons = environments.interpreters(cache)
    with tempfile.TemporaryDirectory(prefix="tusk-bench-") as folder:
        scratch = Path(folder)
        clusters = scratch / "embedded"
        server = embedded.start("benchmarks", clusters)
        try:
            place = Place(scratch, pythons, server, profiles)
            with place.connect(server.dbname) as conn:
                conn.execute(sql.SQL("create database {}").format(sql.Identifier(DATABASE)))
            yield place
        finally:
            embedded.drop("benchmarks", clusters)
