"""What a constraint wants (23xxx), from the server's fields and the statement's first word."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tusk_jupyter.advice.quoting import identifier, verb_of
from tusk_jupyter.advice.slip_words import code

if TYPE_CHECKING:
    from tusk_jupyter.errors import Diagnostic


def not_null(diag: Diagnostic, statement: str) -> str | None:
    if not diag.column_name or not diag.table_name:
        return None
    column = code(identifier(diag.column_name))
    if verb_of(statement) == "alter":
        return f"Some rows have no {column} yet: fill them first, with `UPDATE … WHERE … IS NULL`."
    return f"Give {column} a value: it takes no NULL."


def foreign_key(diag: Diagnostic, statement: str) -> str | None:
    verb = verb_of(statement)
    if not diag.table_name or not diag.constraint_name:
        return None
    table = code(identifier(diag.table_name, diag.schema_name))
    if verb == "delete":
        return f"Rows of {table} still refer to it: delete or change those first (`ON DELETE CASCADE` would do it)."
    if verb in {"insert", "copy"}:
        return f"The row that {table} refers to is not there (DETAIL): insert that one first, or correct the value."
    return None


def unique(diag: Diagnostic, statement: str) -> str | None:
    verb = verb_of(statement)
    if verb in {"create", "alter"}:
        return "There are duplicates already, and DETAIL names one: remove them first."
    if verb == "insert" and diag.constraint_name:
        clause = f"ON CONFLICT ON CONSTRAINT {identifier(diag.constraint_name)} DO NOTHING"
        return f"A row with this key is there already (DETAIL). {code(clause)} skips it, `DO UPDATE SET …` changes it."
    return None


def check(diag: Diagnostic, statement: str) -> str | None:
    del statement
    if not diag.constraint_name:
        return None
    name = diag.constraint_name.replace("'", "''")
    query = f"select pg_get_constraintdef(oid) from pg_constraint where conname = '{name}'"
    return f"Correct the value. What the check demands: {code(query)}."
