r"""What ``\d NAME`` says below the table, in psql's order and words, one line of its output or more for each footer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tusk_jupyter.schema import describe_constraints as constraints

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tusk_jupyter.schema.describe import Facts, Relation, Row

_TABLES = frozenset("rmfpIt")
_PARTITIONED = frozenset("pI")
_REPLICA_IDENTITY = {"f": "FULL", "n": "NOTHING"}


def footers_of(relation: Relation, facts: Facts) -> Iterator[str]:
    """Yield every footer of a relation."""
    for part in _PARTS:
        yield from part(relation, facts)


# -- what it is -------------------------------------------------------------------------------------------------------


def _owned_by(relation: Relation, facts: Facts) -> Iterator[str]:
    for how, column in facts.of(relation, "owned by"):
        yield f"Owned by: {column}" if how == "a" else f"Sequence for identity column: {column}"


def _partition_of(relation: Relation, facts: Facts) -> Iterator[str]:
    for parent, bound, detached, constraint in facts.of(relation, "partition of"):
        yield f"Partition of: {parent} {bound or ''}{' DETACH PENDING' if detached == 't' else ''}"
        if facts.verbose:
            yield f"Partition constraint: {constraint}" if constraint else "No partition constraint"


def _of_its_kind(relation: Relation, _facts: Facts) -> Iterator[str]:
    if relation.partition_key is not None:
        yield f"Partition key: {relation.partition_key}"
    if relation.owning_table is not None:
        yield f"Owning table: {relation.owning_table}"


def _index(relation: Relation, facts: Facts) -> Iterator[str]:
    for row in facts.of(relation, "index"):
        (unique, primary, not_distinct, clustered, valid, identity, deferrable, deferred, method, schema, table,
         predicate) = row  # fmt: skip
        kind = "primary key, " if primary == "t" else "unique, " if unique == "t" else ""
        if kind == "unique, " and not_distinct == "t":
            kind = "unique nulls not distinct, "
        said = [f'{kind}{method}, for table "{schema}.{table}"']
        said += [f"predicate ({predicate})"] * bool(predicate)
        said += ["clustered"] * (clustered == "t") + ["invalid"] * (valid != "t")
        said += ["deferrable"] * (deferrable == "t") + ["initially deferred"] * (deferred == "t")
        said += ["replica identity"] * (identity == "t")
        yield ", ".join(said)
    if relation.kind == "i":
        yield from _tablespace(relation)


# -- what it has ------------------------------------------------------------------------------------------------------


def _statistics(relation: Relation, facts: Facts) -> Iterator[str]:
    rows = facts.of(relation, "statistics")
    if rows:
        yield "Statistics objects:"
    for schema, name, columns, table, *kinds, target in rows:
        enabled = [word for word, kind in zip(("ndistinct", "dependencies", "mcv"), kinds, strict=True) if kind == "t"]
        some = 0 < len(enabled) < len(kinds)
        listed = f" ({', '.join(enabled)})" if some or facts.version < constraints.V14 else ""
        yield f'    "{schema}.{name}"{listed} ON {columns} FROM {table}' + (f"; STATISTICS {target}" if target else "")


def _rules(relation: Relation, facts: Facts) -> Iterator[str]:
    rows = facts.of(relation, "rules")
    if relation.kind != "v":
        headings = (("O", "Rules:"), ("D", "Disabled rules:"), ("A", "Rules firing always:"),
                    ("R", "Rules firing on replica only:"))  # fmt: skip
        for state, heading in headings:
            yield from _under(heading, [f"    {_after(row[0], 'CREATE RULE ')}" for row in rows if row[1] == state])


def _publications(relation: Relation, facts: Facts) -> Iterator[str]:
    lines = []
    for name, condition, columns in facts.of(relation, "publications"):
        lines.append(
            f'    "{name}"' + (f" ({columns})" if columns else "") + (f" WHERE {condition}" if condition else "")
        )
    yield from _under("Publications:", lines)


def _view(relation: Relation, facts: Facts) -> Iterator[str]:
    if relation.definition is None:
        return
    yield "View definition:"
    yield relation.definition
    if relation.kind == "v":
        rules = facts.of(relation, "rules")
        yield from _under("Rules:", [f" {_after(row[0], 'CREATE RULE ')}" for row in rules])


def _triggers(relation: Relation, facts: Facts) -> Iterator[str]:
    rows = facts.of(relation, "triggers")
    groups: tuple[tuple[str, Callable[[str | None, str | None], bool]], ...] = (
        ("Triggers:", lambda state, _: state == "O"),
        ("Disabled user triggers:", lambda state, internal: state == "D" and internal == "f"),
        ("Disabled internal triggers:", lambda state, internal: state == "D" and internal == "t"),
        ("Triggers firing always:", lambda state, _: state == "A"),
        ("Triggers firing on replica only:", lambda state, _: state == "R"),
    )
    for heading, belongs in groups:
        yield from _under(heading, [_trigger(row) for row in rows if belongs(row[1], row[2])])


def _trigger(row: Row) -> str:
    definition, _, _, parent = row
    return f"    {_after(definition, ' TRIGGER ')}" + (f", ON TABLE {parent}" if parent else "")


# -- where it belongs -------------------------------------------------------------------------------------------------


def _foreign(relation: Relation, facts: Facts) -> Iterator[str]:
    for server, options in facts.of(relation, "foreign"):
        yield f"Server: {server}"
        if options:
            yield f"FDW options: {options}"


def _family(relation: Relation, facts: Facts) -> Iterator[str]:
    yield from _aligned("Inherits", [row[0] or "" for row in facts.of(relation, "parents")])
    children = facts.of(relation, "children")
    partitioned = relation.kind in _PARTITIONED
    what = "partitions" if partitioned else "child tables"
    if partitioned and not children:
        yield "Number of partitions: 0"
    elif children and not facts.verbose:
        yield f"Number of {what}: {len(children)} (Use \\d+ to list them.)"
    else:
        yield from _aligned(what.capitalize(), [_child(row, facts.version) for row in children])


def _child(row: Row, version: int) -> str:
    name, kind, detached, bound = row
    more = ", PARTITIONED" if kind in _PARTITIONED else ""
    if kind == "f" and version >= constraints.V16:
        more = ", FOREIGN"
    return f"{name}" + (f" {bound}" if bound else "") + more + (" (DETACH PENDING)" if detached == "t" else "")


def _last(relation: Relation, facts: Facts) -> Iterator[str]:
    if relation.of_type:
        yield f"Typed table of type: {relation.of_type}"
    usual = "n" if relation.schema == "pg_catalog" else "d"
    if facts.verbose and relation.kind in "rm" and relation.replica_identity not in {"i", usual}:
        yield f"Replica Identity: {_REPLICA_IDENTITY.get(relation.replica_identity, '???')}"
    yield from _tablespace(relation)
    if facts.verbose and relation.access_method is not None:
        yield f"Access method: {relation.access_method}"


def _tablespace(relation: Relation) -> Iterator[str]:
    if relation.tablespace is not None:
        yield f'Tablespace: "{relation.tablespace}"'


def _options(relation: Relation, facts: Facts) -> Iterator[str]:
    if facts.verbose and relation.options:
        yield f"Options: {relation.options}"


def _only_tables(part: Callable[[Relation, Facts], Iterator[str]]) -> Callable[[Relation, Facts], Iterator[str]]:
    return lambda relation, facts: part(relation, facts) if relation.kind in _TABLES else iter(())


def _under(heading: str, lines: list[str]) -> list[str]:
    return [heading, *lines] if lines else []


def _aligned(heading: str, names: list[str]) -> Iterator[str]:
    """Yield names behind a heading, one a line, below each other."""
    for place, name in enumerate(names):
        start = f"{heading}: " if place == 0 else " " * (len(heading) + 2)
        yield f"{start}{name}{',' * (place + 1 < len(names))}"


def _after(definition: str | None, word: str) -> str:
    return (definition or "").partition(word)[2]


_PARTS: tuple[Callable[[Relation, Facts], Iterator[str]], ...] = (
    _owned_by, _partition_of, _of_its_kind, _index, constraints.indexes, constraints.checks, constraints.foreign_keys,
    constraints.references, constraints.policies, _statistics, _rules, _publications, constraints.not_nulls, _view,
    _triggers, _only_tables(_foreign), _only_tables(_family), _only_tables(_last), _options,
)  # fmt: skip
