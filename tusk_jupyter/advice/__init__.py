"""Advice per SQLSTATE: one or two sentences on what to do next, from what is at hand.

Pure and local: the code, the server's fields and the statement, no round trip and no catalog, so that a typed error
with its advice exists within 10 ms (1 µs from the table, 5 ms with the longest statement that is looked at). What needs
the catalog (did-you-mean) replaces this advice where it knows better: it is an error's ``advice`` argument, this is its
default.

Server messages are translated, so nothing is decided on them; what one code means is told apart by where in the
server it was raised. The one exception is 42501, where only the message names
the object: an English one gives the GRANT, any other the general advice. Names go into advice quoted as PostgreSQL
quotes them, so that what is shown can be run. Backticks mark what can be typed.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tusk_jupyter.advice.foreign_words import FUNCTIONS, VALUES
from tusk_jupyter.advice.origins import BY_ORIGIN
from tusk_jupyter.advice.slip_words import RESERVED, Place, place_of
from tusk_jupyter.advice.slips import slip
from tusk_jupyter.advice.sqlstates import condition_name
from tusk_jupyter.advice.texts import BY_CLASS, BY_CODE, OTHER

if TYPE_CHECKING:
    from collections.abc import Callable

    from tusk_jupyter.errors import Diagnostic

__all__ = ["advice_for", "condition_name", "identifier"]

_PLAIN = re.compile(r"[a-z_][a-z0-9_]*")
_VERB = re.compile(r"[\s(]*([A-Za-z]+)")
_LOCKING = re.compile(r"\bfor\s+(?:no\s+key\s+)?(?:key\s+)?(?:update|share)\b", re.IGNORECASE)
_RELATIONS = {"table", "view", "materialized view", "foreign table", "relation"}
_RIGHTS = {
    "sequence": "USAGE",
    "schema": "USAGE",
    "database": "CONNECT",
    "function": "EXECUTE",
    "procedure": "EXECUTE",
    "language": "USAGE",
    "type": "USAGE",
    "tablespace": "CREATE",
    "foreign server": "USAGE",
    "foreign-data wrapper": "USAGE",
}
_KIND = "|".join(sorted({*_RELATIONS, *_RIGHTS, "index", "event trigger"}, key=len, reverse=True))
_DENIED = re.compile(rf"permission denied for ({_KIND}) ([^\n]{{1,200}})")
_OWNER = re.compile(rf"must be owner of ({_KIND}) ([^\n]{{1,200}})")
_LOOKED_AT = 20_000
_BEFORE_TABLE = {"from", "join", "into", "update", "table", "only", "truncate", "on", "using", "references", "view"}
_QUOTED_VALUE = {"=", "<>", "!=", "<", ">", "<=", ">=", "(", ",", "like", "ilike", "in", "values", "||", "then", "else"}


def advice_for(sqlstate: str | None, diag: Diagnostic, *, statement: str | None = None) -> str | None:
    """Return what to do next, or None without a SQLSTATE.

    ``statement`` is the text that was sent: ``diag.statement_position`` counts in it. An error inside a function is
    looked for in ``diag.internal_query`` instead.
    """
    if not sqlstate:
        return None
    writer = _WRITERS.get(sqlstate)
    special = writer(diag, statement or "") if writer else None
    return special or _of_origin(sqlstate, diag) or BY_CODE.get(sqlstate) or BY_CLASS.get(sqlstate[:2], OTHER)


def _of_origin(sqlstate: str, diag: Diagnostic) -> str | None:
    return BY_ORIGIN.get((sqlstate, diag.source_function or "")) or BY_ORIGIN.get((sqlstate, diag.source_file or ""))


def _place(diag: Diagnostic, statement: str) -> Place | None:
    if diag.internal_query and diag.internal_position:
        return place_of(diag.internal_query, diag.internal_position)
    return place_of(statement, diag.statement_position) if diag.statement_position else None


def _syntax(diag: Diagnostic, statement: str) -> str | None:
    if diag.internal_query and diag.internal_position:
        return slip(diag.internal_query, diag.internal_position)
    return slip(statement, diag.statement_position) if diag.statement_position else None


def _column(diag: Diagnostic, statement: str) -> str | None:
    place = _place(diag, statement)
    if place is None or place.at is None:
        return None
    at = place.at
    if at.text[0] in "‘’“”":
        return "These are typographic quotes: write `'text'` with plain ones, and `\"name\"` for names."
    if at.kind == "quoted" and place.next() != "." and place.word(1) in _QUOTED_VALUE:
        return f"Double quotes name a column. A text is written {_code(_literal(at.text))}."
    if at.lower in VALUES and place.next() not in {".", "("}:
        return f"PostgreSQL writes `{VALUES[at.lower]}` for {_code(at.text)}."
    if at.kind == "quoted" and at.text != at.lower:
        return f"A quoted name keeps its capitals. If it was created without quotes, write {_code(at.lower[1:-1])}."
    return _folded(place, "`select * from the_table limit 0` shows the columns.")


def _table(diag: Diagnostic, statement: str) -> str | None:
    place = _place(diag, statement)
    if place is None or place.at is None:
        return None
    if place.word() == "dual":
        return "PostgreSQL needs no `dual`: leave out the FROM."
    before = {t.lower for t in place.before}
    if place.next() == "." and place.word(1) not in _BEFORE_TABLE and ("from" not in before or place.word(1) != ","):
        return f"{_code(place.at.text)} is not in this statement's FROM: add it there, or use the alias it has there."
    return _folded(place, "`select schemaname, tablename from pg_tables` finds it.")


def _folded(place: Place, otherwise: str) -> str | None:
    """Return advice on a name typed with capitals: PostgreSQL has looked for it in lower case."""
    name = place.after[1] if place.next() == "." and len(place.after) > 1 else place.at
    if name is None or name.kind != "word" or name.text == name.lower:
        return None
    return (
        f"PostgreSQL reads it as {_code(name.lower)}. If it was created with capitals it needs quotes, "
        f'`"{name.text}"`; {otherwise}'
    )


def _function(diag: Diagnostic, statement: str) -> str | None:
    place = _place(diag, statement)
    if place is None or place.at is None:
        return None
    at = place.at
    if at.kind == "operator":
        return _operator(at.text)
    if at.kind != "word" or place.next() != "(":
        return None
    if at.lower == "round":
        return "Rounding to places is for `numeric`: `round(value::numeric, 2)`."
    better = FUNCTIONS.get(at.lower)
    return f"PostgreSQL has no {_code(at.text)}: write `{better}`." if better else None


def _operator(text: str) -> str | None:
    if text == "==":
        return "PostgreSQL compares with a single `=`."
    if text == "&&":
        return "`&&` is for arrays and ranges; conditions are joined with `and`."
    if text == "+":
        return "If this joins texts, PostgreSQL writes it `||`; otherwise cast one side, as in `value::integer`."
    if "`" in text:
        return 'PostgreSQL has no backticks: a name is quoted as in `"name"`, and most need no quotes.'
    return "Cast one side to the other's type, as in `value::integer` or `value::text`."


def _denied(diag: Diagnostic, statement: str) -> str | None:
    message = (diag.message_primary or "")[:400]
    owner = _OWNER.fullmatch(message)
    if owner:
        return f"Only its owner may do that: ask them, or `SET ROLE` to the role that owns the {owner[1]} {owner[2]}."
    match = _DENIED.fullmatch(message)
    if match is None:
        return None
    kind, name = match[1], match[2]
    right = _table_right(statement) if kind in _RELATIONS else _RIGHTS.get(kind)
    if kind in {"schema", "database"} and _verb(statement) == "create":
        right = "CREATE"
    if right is None:
        return None
    kind = "table" if kind in _RELATIONS else kind
    grant = f"GRANT {right} ON {kind.upper().replace('-', ' ')} {identifier(name)} TO role"
    return f"Its owner or an administrator can allow it: {_code(grant)}, with the role from `select current_user`."


def _table_right(statement: str) -> str | None:
    verb = _verb(statement)
    text = statement[:_LOOKED_AT].lower()
    if verb in {"select", "table"}:
        return "SELECT, UPDATE" if _LOCKING.search(text) else "SELECT"
    if verb == "insert":
        return "INSERT, SELECT, UPDATE" if "conflict" in text else "INSERT, SELECT" if "returning" in text else "INSERT"
    return {"update": "SELECT, UPDATE", "delete": "SELECT, DELETE", "truncate": "TRUNCATE"}.get(verb)


def _not_null(diag: Diagnostic, statement: str) -> str | None:
    if not diag.column_name or not diag.table_name:
        return None
    column = _code(identifier(diag.column_name))
    if _verb(statement) == "alter":
        return f"Some rows have no {column} yet: fill them first, with `UPDATE … WHERE … IS NULL`."
    return f"Give {column} a value: it takes no NULL."


def _foreign_key(diag: Diagnostic, statement: str) -> str | None:
    verb = _verb(statement)
    if not diag.table_name or not diag.constraint_name:
        return None
    table = _code(identifier(diag.table_name, diag.schema_name))
    if verb == "delete":
        return f"Rows of {table} still refer to it: delete or change those first (`ON DELETE CASCADE` would do it)."
    if verb in {"insert", "copy"}:
        return f"The row that {table} refers to is not there (DETAIL): insert that one first, or correct the value."
    return None


def _unique(diag: Diagnostic, statement: str) -> str | None:
    verb = _verb(statement)
    if verb in {"create", "alter"}:
        return "There are duplicates already, and DETAIL names one: remove them first."
    if verb == "insert" and diag.constraint_name:
        clause = f"ON CONFLICT ON CONSTRAINT {identifier(diag.constraint_name)} DO NOTHING"
        return f"A row with this key is there already (DETAIL). {_code(clause)} skips it, `DO UPDATE SET …` changes it."
    return None


def _check(diag: Diagnostic, statement: str) -> str | None:
    del statement
    if not diag.constraint_name:
        return None
    name = diag.constraint_name.replace("'", "''")
    query = f"select pg_get_constraintdef(oid) from pg_constraint where conname = '{name}'"
    return f"Correct the value. What the check demands: {_code(query)}."


def _verb(statement: str) -> str:
    """Return the statement's first word in lower case, '' behind a comment or where there is none."""
    match = _VERB.match(statement)
    return match[1].lower() if match else ""


def identifier(name: str, schema: str | None = None) -> str:
    """Return a name as PostgreSQL reads it back, qualified if a schema is given."""
    plain = _PLAIN.fullmatch(name) and name not in RESERVED
    quoted = name if plain else '"{}"'.format(name.replace('"', '""'))
    return f"{identifier(schema)}.{quoted}" if schema else quoted


def _literal(quoted: str) -> str:
    text = quoted[1:-1].replace('""', '"').replace("'", "''")
    return f"'{text}'" if len(text) <= 60 else "'text'"  # noqa: PLR2004 a line of advice


def _code(text: str) -> str:
    return text if "`" in text or "\n" in text else f"`{text}`"


_WRITERS: dict[str, Callable[[Diagnostic, str], str | None]] = {
    "23502": _not_null,
    "23503": _foreign_key,
    "23505": _unique,
    "23514": _check,
    "42501": _denied,
    "42601": _syntax,
    "42703": _column,
    "42883": _function,
    "42P01": _table,
}
