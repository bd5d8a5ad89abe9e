r"""The statement that makes a relation, and those that its columns need beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tusk_jupyter.schema.ddl_records import Column, Constraint, Index, Pieces, Relation, Sequence

_STORAGE = {"p": "plain", "m": "main", "x": "extended", "e": "external"}
_LIMITS = {"smallint": 2**15, "integer": 2**31, "bigint": 2**63}


def made(pieces: Pieces) -> Iterator[str]:
    """Yield the statements that make a relation with its columns."""
    relation = pieces.relation
    if relation.kind in "rpf":
        yield from _table(pieces)
    elif relation.kind in "vm":
        yield _view(relation)
        yield from _of_columns(pieces)
    elif relation.kind == "c":
        columns = [f"    {c.name} {c.type}{_collated(c)}" for c in pieces.columns]
        yield f"create type {relation.name} as {_listed(columns)}"
    elif relation.kind == "S":
        [sequence] = pieces.sequences
        yield _sequence(sequence)
        if sequence.belongs == "a":
            yield f"alter sequence {sequence.name} owned by {sequence.table}.{sequence.column}"
    else:
        yield _index(relation, pieces.indexes[0])


def _index(relation: Relation, index: Index) -> str:
    """Return what makes an index; one of a partitioned table is made on its partitions as well, if it was valid."""
    alone = relation.kind == "i" or not index.valid
    if index.constraint is not None:
        return f"alter table {'only ' * alone}{index.table}\n    add constraint {index.constraint}"
    before, only, after = index.definition.partition(f" INDEX {index.bare_name} ON ONLY ")
    return index.definition if alone or not only else f"{before}{only.removesuffix('ONLY ')}{after}"


# -- tables -----------------------------------------------------------------------------------------------------------


def _table(pieces: Pieces) -> Iterator[str]:
    relation = pieces.relation
    owned = [sequence for sequence in pieces.sequences if sequence.belongs == "a"]
    for sequence in owned:
        yield _sequence(sequence)
    yield _create_table(pieces)
    for sequence in owned:
        yield f"alter sequence {sequence.name} owned by {sequence.table}.{sequence.column}"
    yield from _of_columns(pieces)
    inline = _inline(pieces)
    for c in pieces.constraints:
        is_late = c.kind in "pux" or (c.kind in "cn" and not c.validated and _is_own(pieces, local=c.local))
        if is_late and c not in inline:
            yield f"alter {relation.table}\n    add constraint {c.name} {c.definition}"
    if relation.bound is None and pieces.stands_alone:
        for parent in pieces.parents:
            yield f"alter {relation.table}\n    inherit {parent}"


def _create_table(pieces: Pieces) -> str:
    relation = pieces.relation
    temporary = {"t": "temporary ", "u": "unlogged "}.get(relation.persistence, "")
    sequences = {s.column: s for s in pieces.sequences if s.belongs == "i"}
    lines = [_column(pieces, c, sequences.get(c.name)) for c in pieces.columns if _is_written(pieces, c)]
    lines = [line for line in lines if line]
    lines += [f"    constraint {c.name} {c.definition}" for c in _inline(pieces)]
    parts = [f"create {temporary}{relation.keyword} {relation.name}"]
    if relation.of_type:
        parts[0] += f" of {relation.of_type}" + (f" {_listed(lines)}" if lines else "")
    else:
        parts[0] += f" {_listed(lines)}"
    if relation.parents and not pieces.stands_alone:
        parts.append(f"inherits ({relation.parents})")
    if relation.partition_key:
        parts.append(f"partition by {relation.partition_key}")
    if relation.server:
        parts.append(f"server {relation.server}")
        parts += [f"options ({relation.server_options})"] * bool(relation.server_options)
    return "\n".join([*parts, *_stored(relation)])


def _stored(relation: Relation) -> Iterator[str]:
    if relation.access_method:
        yield f"using {relation.access_method}"
    if relation.options:
        yield f"with ({relation.options})"
    if relation.tablespace:
        yield f"tablespace {relation.tablespace}"


def _inline(pieces: Pieces) -> list[Constraint]:
    """Return the constraints that stand in the statement itself: of two keys alike it would make one."""
    keys: set[str] = set()
    found = []
    for c in pieces.constraints:
        if c.kind in "pux" and c.definition.partition("(")[2] not in keys:
            found.append(c)
            keys.add(c.definition.partition("(")[2])
        elif c.kind == "c" and c.validated and _is_own(pieces, local=c.local):
            found.append(c)
    return found


def _is_own(pieces: Pieces, *, local: bool) -> bool:
    """Return whether a script has to say it: what is inherited comes by itself, where it is not made alone."""
    return local or pieces.stands_alone


def _is_written(pieces: Pieces, column: Column) -> bool:
    return bool(pieces.relation.of_type) or _is_own(pieces, local=column.local)


def _column(pieces: Pieces, column: Column, sequence: Sequence | None) -> str:
    typed = pieces.relation.of_type is not None
    said = "" if typed else f" {column.type}"
    if column.fdw_options:
        said += f" options ({column.fdw_options})"
    if column.compression and pieces.relation.kind in "rp":
        said += f" compression {column.compression}"
    if not typed:
        said += _collated(column)
    facts = _identity(column, sequence) if sequence is not None else _default(column)
    if column.not_null and sequence is None:
        facts += (f" constraint {column.not_null_name}" if column.not_null_name else "") + " not null"
        facts = _in_order(facts)
    if typed:
        return f"    {column.name} with options{facts}" if facts else ""
    return f"    {column.name}{said}{facts}"


def _in_order(facts: str) -> str:
    """Put what a named constraint does not inherit behind its words."""
    if facts.endswith(" no inherit not null"):
        return facts.removesuffix(" no inherit not null") + " not null no inherit"
    return facts


def _collated(column: Column) -> str:
    return f" collate {column.collation}" if column.collation else ""


def _default(column: Column) -> str:
    if column.generated:
        return f" generated always as ({column.default})" + (" stored" if column.generated == "s" else "")
    return f" default {column.default}" if column.default is not None else ""


def _of_columns(pieces: Pieces) -> Iterator[str]:
    """Yield what no statement that makes a column can say of it, and what differs from an inherited one."""
    relation = pieces.relation
    for column in pieces.columns:
        alter = f"alter {relation.table}\n    alter column {column.name}"
        if relation.kind in "vm":
            if column.default is not None:
                yield f"{alter} set default {column.default}"
        elif not _is_written(pieces, column):
            yield from (f"{alter} {change}" for change in _differing(column))
        if column.storage:
            yield f"{alter} set storage {_STORAGE[column.storage]}"
        if column.compression and relation.kind == "m":
            yield f"{alter} set compression {column.compression}"
        if column.target:
            yield f"{alter} set statistics {column.target}"
        if column.options:
            yield f"{alter} set ({column.options})"


def _differing(column: Column) -> Iterator[str]:
    if not column.generated and column.default != column.parents_default:
        yield f"set default {column.default}" if column.default is not None else "drop default"
    if column.not_null and not column.not_null_in_parent:
        yield "set not null"


# -- sequences --------------------------------------------------------------------------------------------------------


def _sequence(sequence: Sequence) -> str:
    kind = {"u": "unlogged ", "t": "temporary "}.get(sequence.persistence, "")
    options = [f"as {sequence.type}"] * (sequence.type != "bigint") + _numbers(sequence)
    return "\n    ".join([f"create {kind}sequence {sequence.name}", *options])


def _identity(column: Column, sequence: Sequence) -> str:
    how = "always" if column.identity == "a" else "by default"
    options = [f"sequence name {sequence.name}"] * (not sequence.usual_name) + _numbers(sequence)
    return f" generated {how} as identity" + (f" ({' '.join(options)})" if options else "")


def _numbers(sequence: Sequence) -> list[str]:
    """Return what is not as it would be without a word of it."""
    up, limit = sequence.increment > 0, _LIMITS.get(sequence.type, 2**63)
    least, most = (1, limit - 1) if up else (-limit, -1)
    options = [f"start with {sequence.start}"] * (sequence.start != (sequence.least if up else sequence.most))
    options += [f"increment by {sequence.increment}"] * (sequence.increment != 1)
    options += [f"minvalue {sequence.least}"] * (sequence.least != least)
    options += [f"maxvalue {sequence.most}"] * (sequence.most != most)
    return options + [f"cache {sequence.cache}"] * (sequence.cache != 1) + ["cycle"] * sequence.cycles


# -- views ------------------------------------------------------------------------------------------------------------


def _view(relation: Relation) -> str:
    definition = (relation.definition or "").strip().removesuffix(";")
    if relation.kind == "m":
        return "\n".join([
            f"create materialized view {relation.name}", *_stored(relation), f"as {definition}",
            f"with {'' if relation.populated else 'no '}data",
        ])  # fmt: skip
    temporary = "temporary " if relation.persistence == "t" else ""
    options = f" with ({relation.options})" if relation.options else ""
    return f"create {temporary}view {relation.name}{options} as\n{definition}"


def _listed(lines: list[str]) -> str:
    return "(\n" + ",\n".join(lines) + "\n)" if lines else "()"
