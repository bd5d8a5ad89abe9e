r"""A question about the database, asked on the user's session: ``%tusk describe``, ``\d`` and what else looks around.

On the session, as psql asks: there are its temporary tables, its ``search_path``, its role, and what an open
transaction has made. It runs as statements do, so that the progress line, an interrupt and the Stop button work, and
in an open transaction under a savepoint: a question that fails (a view whose table is being dropped) must not be what
fails the user's work.

The statements are ours: every name in them is qualified (``pg_catalog.format_type``, ``operator(pg_catalog.~)``), as
psql's are, because a ``search_path`` may lead anywhere.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tusk_jupyter.connections.wire import Command
from tusk_jupyter.queries.delivery import Delivery

if TYPE_CHECKING:
    from collections.abc import Callable

    from psycopg.pq.abc import PGresult

SAVEPOINT = "tusk_look"


class RefusedError(Exception):
    """The server refused a statement: the reply says why."""


@dataclass(slots=True, kw_only=True)
class Looking(Delivery):
    """A question under way; ``answers`` holds what it returned."""

    question: Callable[[Any], Any]  # see schema.asking.Ask: rooms on one floor do not know each other
    answers: list[Any] = field(default_factory=list)

    def run(self) -> None:
        """Ask; :raises UnicodeError: for a name that the session's encoding lacks."""
        inside = self.session.transaction_status == "INTRANS"
        if inside:
            self._internal(f"savepoint {SAVEPOINT}")
        failed = True
        try:
            self.answers.append(self.question(self.asked))
            failed = False
        except RefusedError:
            pass  # the reply has it, and becomes the error
        finally:
            if inside and self.session.lost is None:
                if failed:
                    self._internal(f"rollback to savepoint {SAVEPOINT}")
                self._internal(f"release savepoint {SAVEPOINT}")

    def asked(self, statement: str, *values: str | None) -> list[list[str | None]]:
        """Ask one statement; return its rows as PostgreSQL's text."""
        session, found = self.session, list[list[str | None]]()

        def take(chunk: PGresult) -> None:
            for row in range(chunk.ntuples):
                cells = (chunk.get_value(row, column) for column in range(chunk.nfields))
                found.append(
                    [None if cell is None else bytes(cell).decode(session.encoding, "replace") for cell in cells]
                )

        sent = [None if value is None else session.encode(value) for value in values]
        command = Command(session.encode(statement), sent, [0] * len(sent), [0] * len(sent))
        self.reply = session.run(self.token, command, on_rows=take, on_notice=self.notices.add, counts=False)
        if self.reply.error is not None:
            raise RefusedError
        return found
