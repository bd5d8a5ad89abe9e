"""A name that is not there (42703, 42P01, 42883, 42704), from the statement alone: quotes, capitals, foreign words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tusk_jupyter.advice.foreign_words import FUNCTIONS, RENAMED, SHOWN, TYPES, UNITS, VALUES
from tusk_jupyter.advice.quoting import literal
from tusk_jupyter.advice.slip_others import typographic
from tusk_jupyter.advice.slip_words import Place, Slip, code, place_of, replaced
from tusk_jupyter.advice.sources import sources_at

if TYPE_CHECKING:
    from tusk_jupyter.advice.tokens import Token
    from tusk_jupyter.errors import Diagnostic

_BEFORE_TABLE = {"from", "join", "into", "update", "table", "only", "truncate", "on", "using", "references", "view"}
_COMPARED = {"=", "==", "<>", "!=", "<", ">", "<=", ">=", "~", "~*", "!~", "!~*", "~~", "like", "ilike", "between"}
_QUOTED_VALUE = {*_COMPARED, "(", ",", "in", "values", "||", "then", "else"}


def place_in(diag: Diagnostic, statement: str) -> Place | None:
    """Return the place of the error: in the query of the function that failed, if one did."""
    if diag.internal_query and diag.internal_position:
        return place_of(diag.internal_query, diag.internal_position)
    return place_of(statement, diag.statement_position) if diag.statement_position else None


def column(diag: Diagnostic, statement: str) -> Slip | str | None:
    """Advise on an unknown column."""
    place = place_in(diag, statement)
    if place is None or place.at is None:
        return None
    at = place.at
    if at.text[0] in "‘’“”":
        return typographic(place)
    if place.word(1) == "(" and place.word(2) in {"convert", "try_convert"}:
        return "PostgreSQL writes `cast(value as integer)`, or `value::integer`."
    if at.lower in UNITS and place.word(1) == "(" and place.word(2) in FUNCTIONS:
        return f"PostgreSQL has no {code(place.before[-2].text)}: write `{FUNCTIONS[place.word(2)]}`."
    if place.word(1).startswith("#"):
        return "A comment begins with `--`, or stands in `/* … */`."
    if at.kind == "quoted" and place.next() != "." and place.word(1) in _QUOTED_VALUE:
        return _text(place, at)
    if at.lower in VALUES and place.next() not in {".", "("}:
        return replaced(f"PostgreSQL writes `{VALUES[at.lower]}` for {code(at.text)}.", at, at, VALUES[at.lower])
    if at.kind == "quoted" and at.text != at.lower:
        return f"A quoted name keeps its capitals. If it was created without quotes, write {code(at.lower[1:-1])}."
    return _folded(place, "`select * from the_table limit 0` shows the columns.")


def _text(place: Place, at: Token) -> Slip | str:
    """Return that a name in double quotes is to be a text; behind ``==`` both are corrected at once."""
    meant = literal(at.text)
    said = f"Double quotes name a column. A text is written {code(meant)}."
    first = at
    if place.word(1) == "==":
        said += " PostgreSQL compares with a single `=`."
        between = place.statement[place.before[-1].end : at.start]
        if "\n" not in between:
            first, meant = place.before[-1], f"={between}{meant}"
    return replaced(said, first, at, meant) if len(meant) >= len(at.text) else said


def table(diag: Diagnostic, statement: str) -> Slip | str | None:
    """Advise on an unknown table, or one that is not in FROM."""
    place = place_in(diag, statement)
    if place is None or place.at is None:
        return None
    if place.word() == "dual":
        return "PostgreSQL needs no `dual`: leave out the FROM."
    before = place.vocabulary
    if place.next() == "." and place.word(1) not in _BEFORE_TABLE and ("from" not in before or place.word(1) != ","):
        return _not_in_from(place)
    return _folded(place, "`select schemaname, tablename from pg_tables` finds it.")


def _folded(place: Place, otherwise: str) -> str | None:
    """Return advice on a name typed with capitals: PostgreSQL has looked for it in lower case."""
    name = place.after[1] if place.next() == "." and len(place.after) > 1 else place.at
    if name is None or name.kind != "word" or name.text == name.lower:
        return None
    return (
        f"PostgreSQL reads it as {code(name.lower)}. If it was created with capitals it needs quotes, "
        f'`"{name.text}"`; {otherwise}'
    )


def function(diag: Diagnostic, statement: str) -> Slip | str | None:
    """Advise on an unknown function or operator."""
    place = place_in(diag, statement)
    if place is None or place.at is None:
        return None
    at = place.at
    if at.kind == "operator":
        if at.text in {"=", "<>", "!="} and [t.lower for t in place.after[:2]] == ["not", "null"]:
            return replaced("NULL is compared with `is null` and `is not null`.", at, place.after[1], "is not null")
        return _operator(at)
    if at.kind != "word" or place.next() != "(":
        return None
    if at.lower == "round":
        return "Rounding to places is for `numeric`: `round(value::numeric, 2)`."
    if at.lower == "top" and place.word(1) in {"select", "distinct"}:
        return f"PostgreSQL has no TOP: end the query with `LIMIT {place.after[1].text if place.after[1:] else 'n'}`."
    better = FUNCTIONS.get(at.lower)
    if better is None:
        return None
    said = f"PostgreSQL has no {code(at.text)}: write `{better}`."
    return replaced(said, at, at, RENAMED[at.lower]) if at.lower in RENAMED else said


def _not_in_from(place: Place) -> Slip | str:
    assert place.at is not None  # noqa: S101 - who calls has looked
    typed = place.at.lower if place.at.kind == "word" else place.at.text[1:-1]
    aliases = {alias for name, alias in sources_at(place) if name == typed and alias != typed}
    if len(aliases) == 1:
        (alias,) = aliases
        return replaced(
            f"FROM calls {code(place.at.text)} `{alias}` here: write `{alias}.`.", place.at, place.at, alias
        )
    return f"{code(place.at.text)} is not in this statement's FROM: add it there, or use the alias it has there."


def _operator(at: Token) -> Slip | str:
    if at.text == "==":
        return replaced("PostgreSQL compares with a single `=`.", at, at, "=")
    if at.text in {"=<", "=>"}:
        meant = f"{at.text[1]}="
        return replaced(f"PostgreSQL writes `{meant}` for `{at.text}`.", at, at, meant if meant != "<=" else "<=")
    if at.text == "**":
        return replaced("PostgreSQL writes `^` for a power.", at, at, "^")
    if at.text == "&&":
        return "`&&` is for arrays and ranges; conditions are joined with `and`."
    if at.text == "+":
        return "If this joins texts, PostgreSQL writes it `||`; otherwise cast one side, as in `value::integer`."
    if "`" in at.text:
        return 'PostgreSQL has no backticks: a name is quoted as in `"name"`, and most need no quotes.'
    return "Cast one side to the other's type, as in `value::integer` or `value::text`."


def type_or_setting(diag: Diagnostic, statement: str) -> Slip | str | None:
    """Advise on a type, or a SHOW, of another database."""
    words = statement[:200].lower().split()
    if words[:1] == ["show"] and words[1:] and words[1].rstrip(";") in SHOWN:
        return f"PostgreSQL shows settings with SHOW: `{SHOWN[words[1].rstrip(';')]}` lists them."
    place = place_in(diag, statement)
    if place is None or place.at is None or place.at.lower not in TYPES or place.next() == ".":
        return None
    meant = TYPES[place.at.lower]
    return replaced(f"PostgreSQL's type is `{meant}`.", place.at, place.at, meant)
