"""What belongs to a relation: indexes, keys, triggers, rules, policies, statistics, comments, privileges."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tusk_jupyter.schema.ddl_records import Index, Pieces

_COMMANDS = {"r": "select", "a": "insert", "w": "update", "d": "delete"}
_STATES = {"O": "enable", "D": "disable", "A": "enable always", "R": "enable replica"}
_IDENTITIES = {"f": "full", "n": "nothing"}


def belongings(pieces: Pieces) -> Iterator[str]:
    """Yield the statements that a relation needs when it is there, in an order in which they can be run."""
    relation = pieces.relation
    if relation.kind in "iI":
        yield from _of_index(pieces.indexes[0])
    else:
        yield from _indexes(pieces)
        if relation.bound is not None:
            yield f"alter table only {relation.parents}\n    attach partition {relation.name} {relation.bound}"
        yield from _foreign_keys(pieces)
        if pieces.rows["disabled keys"]:
            yield f"alter table only {relation.name}\n    disable trigger all"
        yield from _statistics(pieces)
        yield from _rules(pieces)
        yield from _triggers(pieces)
        yield from _policies(pieces)
    yield from _comments(pieces)


def privileges_of(pieces: Pieces) -> Iterator[str]:
    """Yield whose it is, and who may do what: what everybody else may is taken back first."""
    relation = pieces.relation
    if relation.kind in "iIc":
        if relation.kind == "c":
            yield f"alter type {relation.name} owner to {relation.owner}"
        return
    yield f"alter {relation.keyword} {relation.name} owner to {relation.owner}"
    what = "sequence " if relation.kind == "S" else ""
    rows = pieces.rows["privileges"]
    if rows:
        yield f"revoke all on {what}{relation.name} from public, {relation.owner}"
    for role, privileges, grantable in [*rows, *pieces.rows["column privileges"]]:
        option = " with grant option" if grantable == "t" else ""
        yield f"grant {privileges} on {what}{relation.name} to {role}{option}"


# -- indexes and keys -------------------------------------------------------------------------------------------------


def _indexes(pieces: Pieces) -> Iterator[str]:
    relation = pieces.relation
    for index in pieces.indexes:
        if index.constraint is None:
            yield index.definition
        yield from _of_index(index)
    if relation.replica_identity in _IDENTITIES and relation.kind in "rpm":
        yield f"alter {relation.table}\n    replica identity {_IDENTITIES[relation.replica_identity]}"


def _of_index(index: Index) -> Iterator[str]:
    """Yield what the statement that makes an index, or its constraint, does not say of it."""
    if index.constraint is not None:
        if index.options:
            yield f"alter index {index.name}\n    set ({index.options})"
        if index.tablespace:
            yield f"alter index {index.name}\n    set tablespace {index.tablespace}"
    for target in (index.targets or "").split(","):
        place, _, amount = target.partition(" ")
        if amount:
            yield f"alter index {index.name}\n    alter column {place} set statistics {amount}"
    if index.clustered:
        yield f"alter table {index.table}\n    cluster on {index.bare_name}"
    if index.replica_identity:
        yield f"alter table only {index.table}\n    replica identity using index {index.bare_name}"
    if index.comment:
        yield f"comment on index {index.name} is {index.comment}"


def _foreign_keys(pieces: Pieces) -> Iterator[str]:
    for constraint in pieces.constraints:
        if constraint.kind == "f":
            yield (f"alter table {pieces.relation.name}\n    add constraint {constraint.name} {constraint.definition}")


def _statistics(pieces: Pieces) -> Iterator[str]:
    for name, definition, target, comment in pieces.rows["statistics"]:
        yield definition or ""
        if target:
            yield f"alter statistics {name} set statistics {target}"
        if comment:
            yield f"comment on statistics {name} is {comment}"


# -- what happens by itself -------------------------------------------------------------------------------------------


def _rules(pieces: Pieces) -> Iterator[str]:
    yield from _with_states(pieces, "rule")


def _triggers(pieces: Pieces) -> Iterator[str]:
    yield from _with_states(pieces, "trigger")
    for name, state in pieces.rows["changed copies"]:
        yield f"alter table only {pieces.relation.name}\n    {_STATES[state or '']} trigger {name}"


def _with_states(pieces: Pieces, what: str) -> Iterator[str]:
    relation = pieces.relation
    for name, definition, state, comment in pieces.rows[f"{what}s"]:
        yield (definition or "").removesuffix(";")
        if state in _STATES and state != "O":
            yield f"alter table only {relation.name}\n    {_STATES[state]} {what} {name}"
        if comment:
            yield f"comment on {what} {name} on {relation.name} is {comment}"


def _policies(pieces: Pieces) -> Iterator[str]:
    relation = pieces.relation
    for name, permissive, command, roles, condition, check, comment in pieces.rows["policies"]:
        yield "".join((
            f"create policy {name} on {relation.name}",
            " as restrictive" * (permissive != "t"),
            f" for {_COMMANDS[command]}" if command in _COMMANDS else "",
            f"\n    to {roles}" if roles else "",
            f"\n    using ({condition})" if condition else "",
            f"\n    with check ({check})" if check else "",
        ))  # fmt: skip
        if comment:
            yield f"comment on policy {name} on {relation.name} is {comment}"
    if relation.row_security:
        yield f"alter table {relation.name}\n    enable row level security"
    if relation.forced_row_security:
        yield f"alter table {relation.name}\n    force row level security"


def _comments(pieces: Pieces) -> Iterator[str]:
    relation = pieces.relation
    if relation.comment and relation.kind not in "iI":
        yield f"comment on {relation.keyword} {relation.name} is {relation.comment}"
    for sequence in pieces.sequences:
        if sequence.comment and sequence.oid != relation.oid:
            yield f"comment on sequence {sequence.name} is {sequence.comment}"
    if relation.kind in "rpfvmc":
        for column in pieces.columns:
            if column.comment:
                yield f"comment on column {relation.name}.{column.name} is {column.comment}"
    for constraint in pieces.constraints:
        if constraint.comment:
            yield f"comment on constraint {constraint.name} on {relation.name} is {constraint.comment}"
