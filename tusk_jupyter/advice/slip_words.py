"""A place in a statement, and the slips that are about its words: misspelt, missing, or reserved.

The other half of :mod:`tusk_jupyter.advice.slips`, which says what the rules have to keep.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from tusk_jupyter.advice.tokens import Token, tokens
from tusk_jupyter.errors import Correction

if TYPE_CHECKING:
    from collections.abc import Sequence

LONGEST = 8_000  # characters of a statement that are looked at
MOST = 1_000  # tokens of it: what a look costs goes by them
# Words that cannot name a table or a column without quotes
# (https://www.postgresql.org/docs/current/sql-keywords-appendix.html).
_RESERVED = (
    "all analyse analyze and any array as asc asymmetric both case cast check collate column constraint create "
    "current_catalog current_date current_role current_time current_timestamp current_user default deferrable desc "
    "distinct do else end except false fetch for foreign from grant group having in initially intersect into lateral "
    "leading limit localtime localtimestamp not null offset on only or order placing primary references returning "
    "select session_user some symmetric system_user table then to trailing true union unique user using variadic when "
    "where window with"
)
RESERVED = frozenset(_RESERVED.split())
# which nobody takes for a name
_CONNECTING_WORDS = (
    "select from where table on union except intersect window having into and or not in as when then else using with "
    "to returning for"
)
_CONNECTING = frozenset(_CONNECTING_WORDS.split())
STATEMENTS = frozenset({"select", "insert", "update", "delete", "create", "alter", "drop", "truncate", "with"})
_FIRST = STATEMENTS | {"explain", "grant", "revoke", "vacuum", "analyze", "begin", "values"}
_NAMED = frozenset({"from", "join", "into", "update", "table"})
LITERALS = frozenset({"number", "string", "dollar"})
_BEFORE_BY = frozenset({"order", "group", "partition"})
_OBJECTS = frozenset({"table", "index", "view", "schema", "function", "procedure", "sequence", "trigger", "extension"})


@dataclass(frozen=True, slots=True)
class Slip:
    """What is said of a slip, and the one edit that corrects it, if there is one."""

    advice: str
    correction: Correction | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """The token at the caret (None at the end), all before it, and all after it."""

    at: Token | None
    before: Sequence[Token]
    after: Sequence[Token]
    opens_line: bool
    statement: str
    words: list[str]  # what is before, in lower case
    vocabulary: frozenset[str]

    def word(self, back: int = 0) -> str:
        """Return the word ``back`` tokens before the caret (0: at it) in lower case, or ''."""
        token = self.at if back == 0 else self.before[-back] if back <= len(self.before) else None
        return token.lower if token else ""

    def next(self) -> str:
        """Return the token behind the one at the caret in lower case, or ''."""
        return self.after[0].lower if self.after else ""


def place_of(statement: str, position: int) -> Place | None:
    """Return what stands around a 1-based position, or None if that cannot be known."""
    if len(statement) > LONGEST or position < 1:
        return None
    found = list(islice(tokens(statement), MOST + 1))
    if len(found) > MOST:
        return None
    before = [t for t in found if t.start < position - 1]
    rest = found[len(before) :]
    if before and before[-1].end > position - 1:
        return None
    opens_line = "\n" in statement[before[-1].end if before else 0 : position - 1]
    words = [token.lower for token in before]
    return Place(rest[0] if rest else None, before, rest[1:], opens_line, statement, words, frozenset(words))


def replaced(advice: str, first: Token, last: Token, by: str) -> Slip:
    """Return a slip that is corrected by other words in the place of those from ``first`` to ``last``."""
    return Slip(advice, Correction(first.start, last.end, by))


def inserted(advice: str, at: int, text: str) -> Slip:
    """Return a slip that is corrected by a text at an offset of the statement."""
    return Slip(advice, Correction(at, at, text))


def like(word: str, model: str) -> str:
    """Return a keyword in capitals if the model is in capitals, else in small letters."""
    return word.upper() if model.isupper() else word.lower()


def misspelt_start(place: Place) -> Slip | None:
    """Advise on the words that a statement begins with."""
    if place.at is None or (len(place.before) > 1 and place.before[0].lower != "insert"):
        return None
    if not place.before:
        return near(place.at, _FIRST)
    if place.before[0].lower in {"create", "drop", "alter"}:
        return near(place.at, _OBJECTS)
    words = place.vocabulary
    return near(place.at, {"values"}) if "insert" in words and not words & {"values", "select"} else None


def missing_word(place: Place) -> Slip | str | None:
    """Advise on INTO, FROM, SET and BY left out."""
    if place.at is None or not place.before:
        return None
    first, name = place.before[0].lower, place.at.kind in {"word", "quoted"}
    words = place.vocabulary
    if len(place.before) == 1 and name and first == "insert":
        return _word_before(place, "`INSERT` needs `INTO` before the table.", "into")
    if len(place.before) == 1 and name and first == "delete" and place.next() != "from":
        return _word_before(place, "`DELETE` needs `FROM` before the table.", "from")
    if first == "update" and place.word() == "where" and "set" not in words:
        return "`UPDATE` needs `SET column = value` before `WHERE`."
    behind = "by" in {place.next(), *(token.lower for token in place.after[1:2])}
    if place.word(1) in {"order", "group"} and "from" in words and not behind and (name or place.at.kind == "number"):
        return _word_before(place, f"`{place.word(1).upper()}` needs `BY`.", "by")
    return None


def _word_before(place: Place, said: str, word: str) -> Slip | None:
    if place.at is None:
        return None
    return inserted(said, place.at.start, f"{like(word, place.before[-1].text)} ")


def misspelt(place: Place) -> Slip | None:
    """Advise on a misspelt keyword: it is read as an alias, so that the caret is at the word behind it."""
    if place.at is None or len(place.before) < 2:  # noqa: PLR2004 a statement's first word and the misspelt one
        return None
    last = place.before[-1]
    if last.text == "*" or place.next() == "by":
        return near(place.at, {"from"} if last.text == "*" else _BEFORE_BY)
    if last.kind != "word" or last.lower in RESERVED:
        return None
    if place.word() == "by":
        return near(last, _BEFORE_BY)
    words = place.vocabulary
    if "select" in words and place.at.kind in {"word", "quoted", "parameter", *LITERALS}:
        return near(last, {"from"} if "from" not in words else {"where", "having", "limit", "join"})
    return None


def near(token: Token, words: set[str] | frozenset[str]) -> Slip | None:
    """Advise on a word that one of the keywords, and only one, is a slip of the finger away from."""
    typed = token.lower
    close = sorted(word for word in words if word != typed and _one_edit(typed, word))
    if len(close) != 1:
        return None
    said = f"{code(token.text)} looks like a misspelt `{close[0].upper()}`."
    return replaced(said, token, token, like(close[0], token.text))


def _one_edit(a: str, b: str) -> bool:
    """Return whether one letter is missing, added, wrong, or two neighbours are swapped."""
    if abs(len(a) - len(b)) > 1 or min(len(a), len(b)) < 3:  # noqa: PLR2004 shorter words are near to too much
        return False
    i = next((k for k, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
    swapped = a[i + 2 :] == b[i + 2 :] and a[i : i + 2] == b[i : i + 2][::-1]
    return swapped or a[i + 1 :] == b[i + 1 :] or a[i:] == b[i + 1 :] or a[i + 1 :] == b[i:]


def reserved_name(place: Place) -> Slip | None:
    """Advise to quote a reserved word where a name is wanted."""
    at, following = place.word(), place.next()
    if place.at is None or at not in RESERVED or at in _CONNECTING:
        return None
    after_name = place.word(1) in _NAMED and following not in {"by", "("} | RESERVED - {
        "where",
        "order",
        "group",
        "limit",
    }
    if place.word(1) == "table" and place.before[0].lower == "create":
        after_name = following == "("
    listed = place.word(1) in {"(", ","} and place.before[0].lower in {"create", "insert"} and _is_name(place)
    if after_name or listed:
        said = f'{code(place.at.text)} is a reserved word: as a name it needs quotes, `"{at}"`.'
        return replaced(said, place.at, place.at, f'"{at}"')
    return None


def _is_name(place: Place) -> bool:
    """Return whether what follows shows that a name was meant: the next column, or a column's type."""
    following = place.after[0] if place.after else None
    if place.before[0].lower == "insert":
        return following is not None and following.text in {",", ")"} and "values" not in place.vocabulary
    return following is not None and following.kind == "word" and following.lower not in RESERVED | {"key"}


def depth(before: Sequence[Token]) -> int:
    """Return how many parentheses are open."""
    return sum((t.text == "(") - (t.text == ")") for t in before)


def code(text: str) -> str:
    """Return text marked as code, unless the mark is in it."""
    return text if "`" in text or "\n" in text else f"`{text}`"
