"""What a statement that has run may have changed of what is known: told from its first words, in doubt too much.

Reading again costs a few milliseconds in the background, a name that is missing costs the user's trust. What a function
does that a SELECT calls is not seen here; it is found when what is known has expired.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from tusk_jupyter.lexer import Kind, significant

RELATIONS: Final = frozenset({"relations"})
EVERYTHING: Final = frozenset({"schemas", "relations", "types", "functions", "names"})
MOST_NAMES: Final = 200


@dataclass(frozen=True, slots=True)
class Changes:
    """What may be another now: ``parts`` of the Catalog, ``relations`` standing for their columns and keys as well.

    ``names`` are those that a statement mentions: some of what it changes leaves no trace in their rows, a comment that
    was taken away for one. ``whole`` is when even the rows that nobody touched read differently. ``looks``: where the
    session looks for names may be another; ``temp``: it may have temporary tables from now on.
    """

    parts: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()
    whole: bool = False
    looks: bool = False
    temp: bool = False

    def __or__(self, other: Changes) -> Changes:
        return Changes(
            self.parts | other.parts,
            self.names | other.names,
            self.whole or other.whole,
            self.looks or other.looks,
            self.temp or other.temp,
        )


NOTHING: Final = Changes()
ALL: Final = Changes(EVERYTHING, whole=True)
BY_OTHERS: Final = Changes(EVERYTHING)

_OF_RELATIONS = (
    "TABLE",
    "VIEW",
    "INDEX",
    "SEQUENCE",
    "RULE",
    "TRIGGER",
    "POLICY",
    "STATISTICS",
    "COLUMN",
    "CONSTRAINT",
)
_NAMED_ALONE = ("DATABASE", "TABLESPACE", "LANGUAGE", "COLLATION", "PUBLICATION", "SUBSCRIPTION", "SERVER", "EVENT")
# fmt: off
_PARTS: Final[dict[str, frozenset[str]]] = {
    **dict.fromkeys(_OF_RELATIONS, RELATIONS),
    **dict.fromkeys(("FUNCTION", "PROCEDURE", "AGGREGATE", "ROUTINE"), frozenset({"functions"})),
    **dict.fromkeys(("TYPE", "DOMAIN"), frozenset({"types", "relations"})),
    **dict.fromkeys(("ROLE", "USER", "GROUP", *_NAMED_ALONE), frozenset({"names"})),
    "CAST": frozenset({"types"}),
    "SCHEMA": frozenset({"schemas", "relations"}),
}
# fmt: on
# other than rows of their own: the names of types, schemas and owners stand in every row
_NAMED_ELSEWHERE: Final = frozenset({"TYPE", "DOMAIN", "SCHEMA", "ROLE", "USER", "GROUP"})
_MADE: Final = frozenset({"CREATE", "ALTER", "DROP", "COMMENT"})
_TOUCHED: Final = frozenset({"TRUNCATE", "REFRESH", "ANALYZE", "ANALYSE", "VACUUM", "CLUSTER"})
_UNKNOWN: Final = frozenset({"DO", "CALL", "IMPORT", "REASSIGN", "SECURITY"})
_LOOKS: Final = frozenset({"SET", "RESET", "DISCARD"})
_INTO: Final = re.compile(r"\binto\b", re.IGNORECASE)


def of(words: tuple[str, ...], text: str, tag: str = "") -> Changes:
    """Return what a statement that has succeeded may have changed.

    :param words: its first words in upper case; ``tag`` is what the server said of it.
    """
    first = words[0] if words else ""
    looks = first in _LOOKS or "set_config" in text
    if first in _MADE:
        found = _made(words, text)
    elif first in {"GRANT", "REVOKE"}:
        on_something = any(word == "on" for word in _mentioned(text))
        found = Changes(frozenset({"schemas", "relations"}), whole=not on_something)
    elif first in _TOUCHED:
        found = Changes(RELATIONS, _mentioned(text))
    elif first in _UNKNOWN:
        found = BY_OTHERS
    elif first == "DISCARD" or (tag.startswith("SELECT") and _INTO.search(text)):
        found = Changes(RELATIONS)
    else:
        found = NOTHING
    temp = bool(found.parts) and "temp" in text.lower()
    return found | Changes(looks=looks, temp=temp) if looks or temp else found


def _made(words: tuple[str, ...], text: str) -> Changes:
    what = next((word for word in words[1:] if word in _PARTS or word == "EXTENSION"), "")
    if "EVENT" in words[1:2]:
        what = "EVENT"
    if words[1:3] == ("FOREIGN", "DATA") or words[1:2] in {("ACCESS",), ("TEXT",)}:
        return Changes(frozenset({"names"}))
    mentioned = _mentioned(text)
    whole = words[0] in {"ALTER", "DROP"} and what in _NAMED_ELSEWHERE and (words[0], what) != ("DROP", "SCHEMA")
    parts = _PARTS.get(what, EVERYTHING)
    if words[0] == "DROP" and ("cascade" in mentioned or what == "SCHEMA"):
        parts = EVERYTHING
    return Changes(parts, mentioned, whole=whole)


def _mentioned(text: str) -> frozenset[str]:
    """Return the words and quoted names of a statement as PostgreSQL would keep them, the first 200."""
    found: set[str] = set()
    for token in significant(text):
        word = text[token.start : token.end]
        if token.kind is Kind.QUOTED_IDENTIFIER and word.startswith('"'):
            found.add(word[1:-1].replace('""', '"'))
        elif token.kind is Kind.IDENTIFIER:
            found.add("".join(c.lower() if c.isascii() else c for c in word))
        if len(found) >= MOST_NAMES:
            break
    return frozenset(found)
