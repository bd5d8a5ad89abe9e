"""What the catalogs have of a relation, as the parts of its script: names and literals are quoted already."""

from __future__ import annotations

from dataclasses import dataclass

Row = list[str | None]
KEYWORDS = {
    "r": "table", "p": "table", "f": "foreign table", "v": "view", "m": "materialized view", "S": "sequence",
    "i": "index", "I": "index", "c": "type",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Relation:
    """A row of ``pg_class``, spelt for a script."""

    oid: str
    name: str
    kind: str
    persistence: str
    replica_identity: str
    row_security: bool
    forced_row_security: bool
    populated: bool
    of_type: str | None
    access_method: str | None
    tablespace: str | None
    options: str | None
    partition_key: str | None
    definition: str | None
    bound: str | None
    parents: str | None
    server: str | None
    server_options: str | None
    comment: str | None
    owner: str

    @property
    def keyword(self) -> str:
        """What it is called in a statement."""
        return KEYWORDS[self.kind]

    @property
    def table(self) -> str:
        """How ``alter`` names it, without what inherits from it."""
        return f"{self.keyword} {'only ' if self.kind in 'rp' else ''}{self.name}"


@dataclass(frozen=True, slots=True)
class Column:
    """A column, spelt for a script."""

    name: str
    type: str
    collation: str | None
    default: str | None
    not_null: bool
    identity: str
    generated: str
    storage: str | None
    compression: str | None
    target: str | None
    options: str | None
    fdw_options: str | None
    local: bool
    parents_default: str | None
    not_null_in_parent: bool
    not_null_name: str | None
    comment: str | None


@dataclass(frozen=True, slots=True)
class Sequence:
    """A sequence, and the column that it belongs to."""

    oid: str
    name: str
    persistence: str
    type: str
    start: int
    increment: int
    least: int
    most: int
    cache: int
    cycles: bool
    belongs: str | None
    table: str | None
    column: str | None
    usual_name: bool
    comment: str | None


@dataclass(frozen=True, slots=True)
class Constraint:
    """A constraint, with its definition."""

    name: str
    kind: str
    definition: str
    local: bool
    inherited: bool
    validated: bool
    comment: str | None


@dataclass(frozen=True, slots=True)
class Index:
    """An index, with its definition, or that of the constraint that it is."""

    name: str
    bare_name: str
    definition: str
    clustered: bool
    replica_identity: bool
    options: str | None
    tablespace: str | None
    comment: str | None
    constraint_kind: str | None
    constraint: str | None
    table: str
    targets: str | None
    parent: str | None
    valid: bool


@dataclass(frozen=True, slots=True)
class Pieces:
    """Everything that is known of one relation."""

    relation: Relation
    rows: dict[str, list[Row]]
    version: int

    @property
    def columns(self) -> list[Column]:
        """The columns in their order."""
        return [_column(row) for row in self.rows["columns"]]

    @property
    def sequences(self) -> list[Sequence]:
        """The sequence that this is, or those that its columns own."""
        return [_sequence(row) for row in self.rows["sequences"]]

    @property
    def constraints(self) -> list[Constraint]:
        """The constraints, keys first."""
        return [_constraint(row) for row in self.rows["constraints"]]

    @property
    def parents(self) -> list[str]:
        """What it inherits from, in order."""
        return [row[0] or "" for row in self.rows["parents"]]

    @property
    def stands_alone(self) -> bool:
        """Whether the table is made with all its columns, and given to its parents then, as it is with a partition.

        Where it inherits, its columns would come in another order, or what it has would be refused or checked.
        """
        columns, constraints = self.columns, self.constraints
        if self.relation.bound is not None or not self.relation.parents:
            return True
        inherited = [row[0] for row in self.rows["inherited"]]
        names = [column.name for column in columns]
        return (
            list(dict.fromkeys([*(name for name in inherited if name in names), *names])) != names
            or any(c.generated and c.local and c.parents_default is not None for c in columns)
            or any(c.kind == "c" and not c.local and not c.validated for c in constraints)
        )

    @property
    def indexes(self) -> list[Index]:
        """The indexes, or the one that this is."""
        return [_index(row) for row in self.rows["indexes"]]


def relation_of(row: Row) -> Relation:
    """Read a relation."""
    oid, name, kind, persistence, identity, secured, forced, populated, *optional, owner = row
    (of_type, method, tablespace, options, partition_key, definition, bound, parents, server, server_options,
     comment) = optional  # fmt: skip
    return Relation(
        oid or "", name or "", kind or "", persistence or "", identity or "", secured == "t", forced == "t",
        populated == "t", of_type, method, tablespace, options, partition_key, definition, bound, parents, server,
        server_options, comment, owner or "",
    )  # fmt: skip


def _column(row: Row) -> Column:
    (name, type_, collation, default, not_null, identity, generated, storage, compression, target, options, fdw,
     local, parents, in_parent, constraint, comment) = row  # fmt: skip
    return Column(
        name or "", type_ or "", collation, default, not_null == "t", identity or "", generated or "", storage,
        compression, target, options, fdw, local == "t", parents, in_parent == "t", constraint, comment,
    )  # fmt: skip


def _sequence(row: Row) -> Sequence:
    oid, name, persistence, type_, *numbers, cycles, belongs, table, column, usual, comment = row
    start, increment, least, most, cache = (int(number or 0) for number in numbers)
    return Sequence(
        oid or "", name or "", persistence or "", type_ or "", start, increment, least, most, cache, cycles == "t",
        belongs, table, column, usual == "t", comment,
    )  # fmt: skip


def _constraint(row: Row) -> Constraint:
    name, kind, definition, local, inherited, validated, comment = row
    return Constraint(
        name or "", kind or "", definition or "", local == "t", inherited == "t", validated == "t", comment
    )


def _index(row: Row) -> Index:
    name, bare, definition, clustered, identity, options, space, comment, kind, constraint, table, targets, *more = row
    parent, valid = more
    return Index(
        name or "", bare or "", definition or "", clustered == "t", identity == "t", options, space, comment, kind,
        constraint, table or "", targets, parent, valid == "t",
    )  # fmt: skip
