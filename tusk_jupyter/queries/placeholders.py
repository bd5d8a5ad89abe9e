"""Where the parameters stand in a statement: ``:name``, ``:'name'``, ``:"name"``, ``{{ name }}``.

PostgreSQL's grammar has a ``:`` of its own in two places only, slices and SQL/JSON constructors (``::`` and ``:=`` are
tokens of their own, strings, comments and quoted names are one token each), so a stack of brackets is all it takes:
directly inside a subscript every colon belongs to the slice; in ``json_object`` and ``json_objectagg`` the first one
after a key does. ``{{`` begins nothing in SQL.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field
from enum import IntEnum

from tusk_jupyter.lexer import Kind, Token, token_at, upper

_NAME = r"[^\W\d]\w*"
# [1], ['id'], ["id"]: what a lookup can take; any other bracket is PostgreSQL's subscript of the parameter
_STEP = rf"\.{_NAME}|\[(?:-?[0-9]+|'[^'\\\n]*'|\"[^\"\\\n]*\")\]"
_EXPRESSION = rf"({_NAME})((?:{_STEP})*)"
_BIND = re.compile(f":{_EXPRESSION}")
_LITERAL = re.compile(f":'{_EXPRESSION}'")
_IDENTIFIER = re.compile(f':"{_EXPRESSION}"')
_BRACES = re.compile(rf"\{{\{{\s*{_EXPRESSION}\s*\}}\}}")
_ANY_STEP = re.compile(_STEP)
_ANY_BRACES = re.compile(r"\{\{.*?\}\}", re.DOTALL)
# after these an operand follows, so a colon begins one; after any other word it parts a JSON key from its value
_BEFORE_OPERAND = frozenset(
    {"ALL", "AND", "ANY", "BETWEEN", "CASE", "DISTINCT", "ELSE", "ESCAPE", "FROM", "ILIKE", "IN", "LIKE", "NOT", "OR"}
    | {"OVERLAPS", "SIMILAR", "SOME", "SYMMETRIC", "THEN", "TO", "VALUE", "WHEN", "ZONE"}
)
_STANDS_FOR = {"bind": Kind.PARAMETER, "literal": Kind.STRING, "identifier": Kind.QUOTED_IDENTIFIER}
_JSON_CONSTRUCTORS = frozenset({"JSON_OBJECT", "JSON_OBJECTAGG"})


class _Bracket(IntEnum):
    PARENTHESIS = 1
    SUBSCRIPT = 2
    ARRAY = 3  # ARRAY[…] and the brackets directly in it
    JSON_KEY = 4
    JSON_VALUE = 5


@dataclass(frozen=True, slots=True)
class Step:
    """``.limit`` (an attribute, or the item of a mapping), ``[1]`` or ``['id']``."""

    key: str | int
    attribute: bool

    def __str__(self) -> str:
        return f".{self.key}" if self.attribute else f"[{self.key!r}]"


@dataclass(frozen=True, slots=True)
class Placeholder:
    """``text[start:end]`` names a parameter; ``style`` is bind, literal or identifier.

    ``expression`` is the one spelling of what is looked up (``row['id']``): first ``name``, then the ``steps``.
    """

    style: str
    expression: str
    name: str
    start: int
    end: int
    steps: tuple[Step, ...] = ()


@dataclass(frozen=True, slots=True)
class Membership:
    """``in`` before a placeholder: ``text[start:end]`` is ``in`` or ``not in``."""

    start: int
    end: int
    negated: bool
    parenthesised: bool


@dataclass(slots=True)
class Scan:
    """Everything that binding has to know about a statement's text."""

    placeholders: list[Placeholder] = field(default_factory=list)
    memberships: dict[int, Membership] = field(default_factory=dict)  # by the placeholder's start
    touching: set[int] = field(default_factory=set)  # literals that PostgreSQL would join with the string beside them
    dollar: int | None = None  # where the first $1 stands
    malformed: tuple[int, str] | None = None  # the first {{ … }} without a name in it
    quoted: list[tuple[str, str]] = field(default_factory=list)  # names in {{ }} inside quotes, with the quote


def find_placeholders(text: str, *, standard_conforming_strings: bool = True) -> list[Placeholder]:
    """Return the placeholders of ``text`` in their order."""
    return scan(text, standard_conforming_strings=standard_conforming_strings).placeholders


def may_hold_placeholders(text: str) -> bool:
    """Return whether ``text`` has to be read at all."""
    return ":" in text or "{{" in text


def scan(text: str, *, standard_conforming_strings: bool = True) -> Scan:
    """Return everything that binding has to know about ``text``; no lexing where it can hold no placeholder."""
    if not may_hold_placeholders(text):
        return Scan()
    return _Scanner(text, standard_conforming_strings).run()


class _Scanner:
    __slots__ = ("brackets", "conforming", "found", "recent", "text")

    def __init__(self, text: str, conforming: bool) -> None:
        self.text = text
        self.conforming = conforming
        self.found = Scan()
        self.brackets: list[_Bracket] = []
        # the last significant tokens, the newest last; a placeholder counts as a parameter or a string
        self.recent: list[tuple[str, Token]] = []

    def run(self) -> Scan:
        position, length = 0, len(self.text)
        while position < length:
            token = token_at(self.text, position, standard_conforming_strings=self.conforming)
            position = token.end
            if token.kind <= Kind.COMMENT:
                continue
            placeholder = self._placeholder(token)
            if placeholder is not None:
                position = placeholder.end
                self._take(placeholder)
            else:
                self._step(token)
        return self.found

    def _placeholder(self, token: Token) -> Placeholder | None:
        first = self.text[token.start]
        if first == "{" and self.text.startswith("{{", token.start):
            return self._braces(token.start)
        if first != ":" or token.end != token.start + 1 or self._own_colon():
            return None
        for style, pattern in (("bind", _BIND), ("literal", _LITERAL), ("identifier", _IDENTIFIER)):
            if match := pattern.match(self.text, token.start):
                return _placeholder(style, match)
        return None

    def _braces(self, start: int) -> Placeholder | None:
        match = _BRACES.match(self.text, start)
        if match is not None:
            return _placeholder("bind", match)
        if self.found.malformed is None:
            rest = _ANY_BRACES.match(self.text, start)
            self.found.malformed = (start, rest[0] if rest else "{{")
        return None

    def _own_colon(self) -> bool:
        bracket = self.brackets[-1] if self.brackets else None
        return bracket is _Bracket.SUBSCRIPT or (bracket is _Bracket.JSON_KEY and self._after_operand())

    def _after_operand(self) -> bool:
        word, token = self.recent[-1]
        if token.kind is Kind.IDENTIFIER:
            return word not in _BEFORE_OPERAND
        return word in {")", "]"} or token.kind not in {Kind.PUNCTUATION, Kind.OPERATOR, Kind.OTHER}

    def _take(self, placeholder: Placeholder) -> None:
        self._no_list()
        self.found.placeholders.append(placeholder)
        if placeholder.style == "bind":
            self._membership(placeholder.start)
        self._remember("", Token(_STANDS_FOR[placeholder.style], placeholder.start, placeholder.end))

    def _membership(self, start: int) -> None:
        words = [word for word, _ in self.recent]
        parenthesised = words[-1:] == ["("]
        before = len(words) - parenthesised - 1
        if before >= 0 and words[before] == "IN":
            negated = before > 0 and words[before - 1] == "NOT"
            first, last = self.recent[before - negated][1], self.recent[before][1]
            self.found.memberships[start] = Membership(first.start, last.end, negated, parenthesised)

    def _step(self, token: Token) -> None:
        word = upper(self.text, token)
        if token.kind is Kind.PARAMETER and self.found.dollar is None:
            self.found.dollar = token.start
        elif token.kind in {Kind.STRING, Kind.QUOTED_IDENTIFIER}:
            self._quoted(token)
        elif word in {"(", "["}:
            self._open(word)
        elif word in {")", "]"}:
            del self.brackets[-1:]
        elif self.brackets and self.brackets[-1] >= _Bracket.JSON_KEY:
            self._json(word)
        if word != ")":
            self._no_list()
        self._remember(word, token)

    def _no_list(self) -> None:
        # «in (:a» is all of the list only when the parenthesis closes right after it
        last = self.recent[-1][1].start if self.recent else -1
        membership = self.found.memberships.get(last)
        if membership is not None and membership.parenthesised:
            del self.found.memberships[last]

    def _quoted(self, token: Token) -> None:
        part = self.text[token.start : token.end]
        if "{{" in part:
            quote = "'" if token.kind is Kind.STRING else '"'
            self.found.quoted.extend((match[1], quote) for match in _BRACES.finditer(part))

    def _open(self, word: str) -> None:
        previous = self.recent[-1][0] if self.recent else ""
        if word == "(":
            json = previous in _JSON_CONSTRUCTORS
            self.brackets.append(_Bracket.JSON_KEY if json else _Bracket.PARENTHESIS)
            return
        nested = previous in {"[", ","} and self.brackets and self.brackets[-1] is _Bracket.ARRAY
        self.brackets.append(_Bracket.ARRAY if previous == "ARRAY" or nested else _Bracket.SUBSCRIPT)

    def _json(self, word: str) -> None:
        if word == ",":
            self.brackets[-1] = _Bracket.JSON_KEY
        elif word == ":" or (word == "VALUE" and self._after_operand()):
            self.brackets[-1] = _Bracket.JSON_VALUE

    def _remember(self, word: str, token: Token) -> None:
        last = self.recent[-1][1] if self.recent else token
        if last is not token and last.kind is token.kind is Kind.STRING:
            # a literal of ours begins with a colon, no other string does
            self.found.touching.update(side.start for side in (last, token) if self.text[side.start] == ":")
        self.recent.append((word, token))
        del self.recent[:-4]


def _placeholder(style: str, match: re.Match[str]) -> Placeholder:
    # Python compares names in NFKC (https://docs.python.org/3/reference/lexical_analysis.html#identifiers)
    name = unicodedata.normalize("NFKC", match[1])
    steps = tuple(_step(step[0]) for step in _ANY_STEP.finditer(match[2]))
    return Placeholder(style, name + "".join(map(str, steps)), name, *match.span(), steps)


def _step(step: str) -> Step:
    if step.startswith("."):
        return Step(unicodedata.normalize("NFKC", step[1:]), attribute=True)
    inside = step[1:-1]
    return Step(inside[1:-1] if inside[0] in "'\"" else int(inside), attribute=False)
