"""What is wanted in the statements that are no queries: DDL, GRANT, SET, COPY and the like, by a table of patterns.

``statements.txt`` has a line for each place: the words so far, a colon, what may come next. The words so far are one
text, with ``()`` for a closed group. In a pattern ``~`` is a name and ``<`` the one of the relation, type or setting
that is meant later; ``^`` is a list of names that ends with a comma, or nothing; ``?X?`` may be left out; ``..`` is
anything; the rest is a regular expression. What is wanted is kinds divided by ``;``, keywords by commas. The first line
that fits counts. A table, because 60 statements in code would be a parser of 3,000 lines that nobody checks against
the manual; compiled by first word when it is asked for, 4 ms for CREATE once.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from tusk_jupyter.lexer import Kind
from tusk_jupyter.schema import followers
from tusk_jupyter.schema.wants import Want, keywords

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tusk_jupyter.schema.nesting import Item

_KINDS = (
    "relations", "names", "schemas", "functions", "own functions", "procedures", "types", "settings", "setting values",
    "table columns", "table constraints", "type labels", "trigger functions", "columns of tables", "defined columns",
    "statements",
)  # fmt: skip
_CONSTRAINTS = {"CONSTRAINT", "PRIMARY", "FOREIGN", "UNIQUE", "CHECK"}
_NAME = r"[^ (),;]+"
_LIST = rf"(?: {_NAME}(?: \(\))? ,)*"
_FIRST = re.compile(r"(?:\(\?:)?([A-Z|]+)\)?(?: |$)")


def statement_wants(levels: Sequence[Sequence[Item]]) -> list[Want] | None:
    """Return what is wanted at the end of a statement that is no query; None where it is no such statement."""
    units = _units(levels)
    rules = _rules().get(units[0][0]) if units else None
    if rules is None:
        return None
    shape = "".join(f" {word}" for word, _ in units)
    for pattern, wants in rules:
        matched = _compiled(pattern).fullmatch(shape)
        if matched is not None:
            meant = matched.groupdict().get("meant")
            names = units[shape.count(" ", 0, matched.start("meant")) - 1][1] if meant else ()
            return _wants(wants, names, levels)
    return []


def _units(levels: Sequence[Sequence[Item]]) -> list[tuple[str, tuple[str, ...]]]:
    """Return the words so far with what they name; a name with dots in it is one."""
    units: list[tuple[str, tuple[str, ...]]] = []
    dotted = False
    for item in (item for level in levels for item in level):
        if item.word == "." and units:
            dotted = True
            continue
        word = item.word or ('"' if item.name else "'" if item.kind is Kind.STRING else "0")
        if dotted and item.name:
            units[-1] = (f"{units[-1][0]}.{word}", (*units[-1][1], item.name))
        else:
            units.append((word, (item.name,) if item.name else ()))
        dotted = False
    return units


def _wants(text: str, names: tuple[str, ...], levels: Sequence[Sequence[Item]]) -> list[Want]:
    found = []
    for part in text.split("; "):
        kind = next((kind for kind in sorted(_KINDS, key=len, reverse=True) if f"{part} ".startswith(f"{kind} ")), None)
        if kind is None:
            found.append(keywords(*followers.listed(part)))
        elif kind == "statements":
            found.append(keywords(*followers.STATEMENTS))
        elif kind == "defined columns":
            found.append(Want("given", _defined(levels[-2])))
        else:
            found.append(Want(kind, tuple(part[len(kind) :].split()) or names))
    return found


def _defined(items: Sequence[Item]) -> tuple[str, ...]:
    """Return the columns that a CREATE TABLE defines so far."""
    begins = (item for n, item in enumerate(items) if item.name and (n == 0 or items[n - 1].word == ","))
    return tuple(item.name for item in begins if item.word not in _CONSTRAINTS)


@cache
def _rules() -> dict[str, list[tuple[str, str]]]:
    """Return the lines of the table by the first word of a statement."""
    lines = Path(__file__).with_name("statements.txt").read_text("utf-8").splitlines()
    pairs = [line.split(" : ", 1) for line in lines if line and not line.startswith("#")]
    firsts = {word for pattern, _ in pairs for word in _first(pattern)}
    return {
        word: [(pattern, wants) for pattern, wants in pairs if word in _first(pattern) or pattern.startswith("..")]
        for word in firsts
    }


def _first(pattern: str) -> list[str]:
    matched = _FIRST.match(pattern)
    return matched[1].split("|") if matched else []


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(_translated(pattern))


def _translated(pattern: str) -> str:
    """Return a pattern as a regular expression: each element takes the space before it."""
    return "".join(map(_element, _elements(pattern)))


def _elements(pattern: str) -> list[str]:
    """Return the parts of a pattern between spaces, but for those within parentheses or question marks."""
    found, depth, optional = [""], 0, False
    for n, character in enumerate(pattern):
        if character == "?" and depth == 0 and (not found[-1] or (optional and pattern[n + 1 : n + 2] in {"", " "})):
            optional = not optional
        depth += (character == "(") - (character == ")") if pattern[n - 1 : n + 2] != "[(]" else 0
        if character == " " and not depth and not optional:
            found.append("")
        else:
            found[-1] += character
    return found


def _element(element: str) -> str:
    if len(element) > 1 and element[0] == element[-1] == "?":
        return f"(?:{_translated(element[1:-1])})?"
    fixed = {"..": "(?: .*)?", "^": _LIST, "<": rf" (?P<meant>{_NAME})"}
    return fixed.get(element) or " " + element.replace("()", r"\(\)").replace("~", _NAME).replace("[(]", r"\(")
