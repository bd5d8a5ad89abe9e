"""Statements that people get wrong, and what a suggestion would have to say: written before there were any.

``flights.txt`` is about the demo's tables, ``hostile.txt`` about those of ``hostile.sql``. A case is a statement of one
line and below it what is right:

- ``=> SQL``: this is the corrected statement; several lines are alternatives.
- ``says a | b``: no single edit corrects it, and the advice has to contain each of these.
- ``optional …``, before either: silence is as good, but what is shown has to be this.
- ``nothing``: whatever were suggested would be a guess.

Half of the cases are held out: they are measured, and looked at by nobody who makes the suggestions better. Which half is
decided by a checksum of the statement, not by hand.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

HERE = Path(__file__).parent
SCHEMAS = ("flights", "hostile")
CODES = {"42P01", "42703", "42883", "42704", "3F000", "42602"}


@dataclass(frozen=True)
class Mistake:
    """``corrected`` are the statements that are right, ``says`` the parts that an advice has to have."""

    schema: str
    sql: str
    corrected: tuple[str, ...] = ()
    says: tuple[str, ...] = ()
    optional: bool = False

    @property
    def held_out(self) -> bool:
        return crc32(self.sql.encode()) % 2 == 1

    @property
    def nothing_is_right(self) -> bool:
        return not self.corrected and not self.says


def mistakes(schema: str) -> list[Mistake]:
    """Return the cases of a schema."""
    text = (HERE / f"{schema}.txt").read_text(encoding="utf-8")
    blocks = [[line for line in block.splitlines() if not line.startswith("#")] for block in text.split("\n\n")]
    return [_mistake(schema, block) for block in blocks if block]


def _mistake(schema: str, block: list[str]) -> Mistake:
    sql, *right = block
    corrected, says, optional = [], [], False
    for line in right:
        plain = line.removeprefix("optional ")
        optional = optional or plain != line
        if plain.startswith("=> "):
            corrected.append(plain[3:])
        elif plain.startswith("says "):
            says += plain[5:].split(" | ")
        elif plain != "nothing":
            raise ValueError(f"{schema}: {line!r} under {sql!r}")
    if not right:
        raise ValueError(f"{schema}: {sql!r} says nothing of what is right")
    return Mistake(schema, sql, tuple(corrected), tuple(says), optional)


def set_up(conn, schema: str) -> None:
    """Create a schema's objects in an empty database; the tables stay empty."""
    if schema == "hostile":
        conn.execute((HERE / "hostile.sql").read_text(encoding="utf-8"))
        return
    from tusk_jupyter.demo import flights

    sections = flights._sections()
    conn.execute(sections["tables"])
    conn.execute(sections["keys"])


PATHS = {"flights": "public", "hostile": "app, public"}
