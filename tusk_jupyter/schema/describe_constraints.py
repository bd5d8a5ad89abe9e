r"""The footers of ``\d NAME`` about what holds of a table's rows: indexes, constraints, keys, policies."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tusk_jupyter.schema.describe import Facts, Relation, Row

V14, V16 = 140000, 160000
_COMMANDS = {"r": "SELECT", "a": "INSERT", "w": "UPDATE", "d": "DELETE"}


def indexes(relation: Relation, facts: Facts) -> Iterator[str]:
    """Yield the indexes, those that are constraints among them."""
    rows = facts.of(relation, "indexes")
    if rows:
        yield "Indexes:"
    for row in rows:
        yield _index(row)


def _index(row: Row) -> str:
    (name, primary, unique, clustered, valid, identity, definition, constraint, kind, deferrable, deferred, period,
     tablespace) = row  # fmt: skip
    said = [f'    "{name}"']
    if kind == "x" or period == "t":
        said.append(constraint or "")
    else:
        if primary == "t":
            said.append("PRIMARY KEY,")
        elif unique == "t":
            said.append("UNIQUE CONSTRAINT," if kind == "u" else "UNIQUE,")
        _, using, rest = (definition or "").partition(" USING ")
        said.append(rest if using else definition or "")
        said += ["DEFERRABLE"] * (deferrable == "t") + ["INITIALLY DEFERRED"] * (deferred == "t")
    said += ["CLUSTER"] * (clustered == "t") + ["INVALID"] * (valid != "t") + ["REPLICA IDENTITY"] * (identity == "t")
    return " ".join(said) + (f', tablespace "{tablespace}"' if tablespace else "")


def checks(relation: Relation, facts: Facts) -> Iterator[str]:
    """Yield the check constraints."""
    rows = facts.of(relation, "checks")
    if rows:
        yield "Check constraints:"
    for name, definition in rows:
        yield f'    "{name}" {definition}'


def foreign_keys(relation: Relation, facts: Facts) -> Iterator[str]:
    """Yield the foreign keys, those of the table that this is a partition of among them."""
    rows = facts.of(relation, "foreign keys")
    if rows:
        yield "Foreign-key constraints:"
    for name, definition, own, table in rows:
        where = "" if own == "t" else f'TABLE "{table}" CONSTRAINT '
        yield f'    {where}"{name}" {definition}'


def references(relation: Relation, facts: Facts) -> Iterator[str]:
    """Yield the foreign keys of other tables that lead here."""
    rows = facts.of(relation, "references")
    if rows:
        yield "Referenced by:"
    for name, definition, table in rows:
        yield f'    TABLE "{table}" CONSTRAINT "{name}" {definition}'


def policies(relation: Relation, facts: Facts) -> Iterator[str]:
    """Yield the row-level policies, and whether they are in force."""
    rows = facts.of(relation, "policies")
    if relation.row_security:
        state = "forced row security enabled" if relation.forced_row_security else "row security enabled"
        if not rows:
            yield f"Policies ({state}): (none)"
        else:
            yield f"Policies ({state}):" if relation.forced_row_security else "Policies:"
    elif rows:
        yield "Policies (row security disabled):"
    for name, permissive, roles, condition, check, command in rows:
        yield (
            f'    POLICY "{name}"'
            + " AS RESTRICTIVE" * (permissive != "t")
            + (f" FOR {_COMMANDS[command]}" if command in _COMMANDS else "")
            + (f"\n      TO {roles}" if roles else "")
            + (f"\n      USING ({condition})" if condition else "")
            + (f"\n      WITH CHECK ({check})" if check else "")
        )


def not_nulls(relation: Relation, facts: Facts) -> Iterator[str]:
    """Yield the constraints that columns are not null by: they have names since 18."""
    rows = facts.of(relation, "not nulls")
    if rows:
        yield "Not-null constraints:"
    for name, column, no_inherit, local, inherited, validated in rows:
        said = " NO INHERIT" if no_inherit == "t" else ""
        if inherited == "t":
            said = " (local, inherited)" if local == "t" else " (inherited)"
        yield f'    "{name}" NOT NULL "{column}"{said}{" NOT VALID" * (validated != "t")}'
