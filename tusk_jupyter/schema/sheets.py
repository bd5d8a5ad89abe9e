"""What there is to say of a relation, a column, a function, a type, a setting: words from the catalog, in our order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tusk_jupyter.schema.catalog import Catalog, Column, Function, Key, Relation, Schema, Setting, Type

RELKINDS = {
    "r": "table",
    "p": "partitioned table",
    "v": "view",
    "m": "materialized view",
    "f": "foreign table",
    "i": "index",
    "I": "partitioned index",
    "S": "sequence",
    "c": "composite type",
    "t": "TOAST table",
}
_PROKINDS = {"f": "function", "p": "procedure", "a": "aggregate", "w": "window function"}
_TYPTYPES = {
    "c": "composite type",
    "d": "domain",
    "e": "enum",
    "m": "multirange type",
    "p": "pseudo-type",
    "r": "range type",
}
_CONTEXTS = {
    "internal": "cannot be changed",
    "postmaster": "changed by a restart of the server",
    "sighup": "changed in the server's configuration",
    "superuser-backend": "set when connecting, by superusers",
    "backend": "set when connecting",
    "superuser": "set by superusers",
    "user": "set by anybody",
}
_BLOCK = 8192
_MOST_ROWS = 200
_MOST_REFERENCES = 20


@dataclass(frozen=True, slots=True)
class Sheet:
    """A title, lines below it, labelled facts, a table, and what of it was left out."""

    title: str
    kind: str = ""
    lead: tuple[str, ...] = ()
    facts: tuple[tuple[str, str], ...] = ()
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    left_out: str = ""


def of_relation(relation: Relation, catalog: Catalog) -> Sheet:
    """Return columns, keys, who refers to it, how large it is about."""
    keys = catalog.keys_of(relation)
    columns = relation.columns
    primary = next((key.columns for key in keys if key.kind == "p"), ())
    unique = {key.columns[0] for key in keys if key.kind == "u" and len(key.columns) == 1}
    foreign = {key.columns[0]: key for key in keys if key.kind == "f" and len(key.columns) == 1}
    rows = tuple(
        (
            column.name,
            column.type,
            "not null" if column.not_null else "",
            _role(column, primary, unique, foreign.get(column.name), relation),
            column.comment or "",
        )
        for column in columns[:_MOST_ROWS]
    )
    facts = [*_keys(keys, relation), *_references(relation, catalog)]
    lead = [_amount(relation)] if _amount(relation) else []
    return Sheet(
        _named(relation.name, relation.schema, catalog),
        RELKINDS.get(relation.relkind, "relation"),
        (*lead, *([relation.comment] if relation.comment else [])),
        tuple(facts),
        ("column", "type", "", "", ""),
        rows,
        _left_out(len(columns), "columns"),
    )


def _role(column: Column, primary: Sequence[str], unique: set[str], foreign: Key | None, of: Relation) -> str:
    """Return what a column is besides its type, in a few words."""
    words = []
    if column.name in primary:
        words.append("primary key")
    if column.name in unique:
        words.append("unique")
    if foreign is not None:
        words.append(f"→ {_target(foreign, of)}")
    if column.identity:
        words.append("identity" if column.identity == "a" else "identity by default")
    elif column.generated:
        words.append(f"generated: {column.default or ''}")
    elif column.default is not None:
        words.append(f"default {column.default}")
    return ", ".join(words)


def _keys(keys: Sequence[Key], relation: Relation) -> list[tuple[str, str]]:
    """Return the keys of several columns, which no line of a column can say."""
    labels = {"p": "primary key", "u": "unique", "f": "foreign key"}
    return [
        (labels[key.kind], f"({', '.join(key.columns)})" + (f" → {_target(key, relation)}" if key.kind == "f" else ""))
        for key in keys
        if key.kind in labels and len(key.columns) > 1
    ]


def _references(relation: Relation, catalog: Catalog) -> list[tuple[str, str]]:
    found = catalog.references_to(relation)
    said = [f"{_named(key.relation, key.schema, catalog)} ({', '.join(key.columns)})" for key in found]
    more = [f"and {len(said) - _MOST_REFERENCES} more"] if len(said) > _MOST_REFERENCES else []
    return [("referred to by", ", ".join([*said[:_MOST_REFERENCES], *more]))] if said else []


def _target(key: Key, of: Relation) -> str:
    schema = f"{key.target_schema}." if key.target_schema != of.schema else ""
    return f"{schema}{key.target} ({', '.join(key.target_columns)})"


def of_column(column: Column, relation: Relation | None, catalog: Catalog, called: str = "") -> Sheet:
    """Return type, nullability, default, whose it is, its keys, and the labels of its type."""
    keys = catalog.keys_of(relation) if relation is not None else ()
    primary = next((key.columns for key in keys if key.kind == "p"), ())
    foreign = [key for key in keys if key.kind == "f" and column.name in key.columns]
    facts = [("type", f"{column.type or 'unknown'}{' not null' if column.not_null else ''}")]
    if column.identity or column.generated or column.default is not None:
        label = "generated" if column.generated else "identity" if column.identity else "default"
        always = {"a": "always", "d": "by default"}.get(column.identity, "")
        facts.append((label, always or column.default or ""))
    if column.name in primary:
        facts.append(("primary key", f"({', '.join(primary)})"))
    facts += [("foreign key", f"({', '.join(key.columns)}) → {_target(key, relation)}") for key in foreign if relation]
    if (kind := catalog.type(column.type.removesuffix("[]"))) is not None and kind.labels:
        facts.append(("values", ", ".join(kind.labels)))
    owner = f" of {_named(relation.name, relation.schema, catalog)}" if relation is not None else f" of {called}"
    comment = (column.comment,) if column.comment else ()
    return Sheet(column.name, f"column{owner if owner != ' of ' else ''}", comment, tuple(facts))


def of_source(called: str, columns: Sequence[Column]) -> Sheet:
    """Return the columns of a subquery or of a CTE."""
    rows = tuple((column.name, column.type) for column in columns[:_MOST_ROWS])
    return Sheet(called, "subquery", columns=("column", "type"), rows=rows, left_out=_left_out(len(columns), "columns"))


def of_functions(functions: Sequence[Function]) -> Sheet:
    """Return the signatures with what they return and do."""
    kinds = {_PROKINDS.get(function.kind, "function"): None for function in functions}
    rows = tuple((f"{one.name}({one.arguments})", one.result, one.comment or "") for one in functions[:_MOST_ROWS])
    schemas = {one.schema: None for one in functions if one.schema != "pg_catalog"}
    facts = (("schema", ", ".join(schemas)),) if schemas else ()
    left_out = _left_out(len(functions), "signatures")
    return Sheet(functions[0].name, ", ".join(kinds), (), facts, ("", "returns", ""), rows, left_out)


def of_type(kind: Type) -> Sheet:
    """Return an enum's labels, a domain's base."""
    facts = []
    if kind.labels:
        facts.append(("values", ", ".join(kind.labels)))
    if kind.base:
        facts.append(("based on", kind.base))
    title = kind.name if kind.schema in {"pg_catalog", ""} else f"{kind.schema}.{kind.name}"
    return Sheet(title, _TYPTYPES.get(kind.kind, "type"), (kind.comment,) if kind.comment else (), tuple(facts))


def of_schema(schema: Schema, catalog: Catalog) -> Sheet:
    """Return how much is in a schema, and whether it can be used."""
    count = len(catalog.by_schema.get(schema.name, {}))
    facts = [("relations", f"{count:,}"), *([("owner", schema.owner)] if schema.owner else [])]
    if not schema.usage:
        facts.append(("privilege", "no USAGE: what is in it cannot be used"))
    if schema.name not in catalog.search_path:
        facts.append(("search_path", "not on it: names need the schema in front"))
    return Sheet(schema.name, "schema", (schema.comment,) if schema.comment else (), tuple(facts))


def of_setting(setting: Setting) -> Sheet:
    """Return what a setting does, its unit and values, and who may set it."""
    facts = [("type", setting.type)]
    if setting.unit:
        facts.append(("unit", setting.unit))
    if setting.values:
        facts.append(("values", ", ".join(setting.values)))
    if setting.context in _CONTEXTS:
        facts.append(("context", _CONTEXTS[setting.context]))
    return Sheet(setting.name, "setting", (setting.description,) if setting.description else (), tuple(facts))


def _named(name: str, schema: str, catalog: Catalog) -> str:
    """Return a name as one would call it: with its schema where the search_path does not lead there."""
    found = catalog.relation(name)
    return name if found is not None and found.schema == schema else f"{schema}.{name}"


def _amount(relation: Relation) -> str:
    said = []
    if relation.rows is not None and relation.rows >= 0:
        said.append(f"about {relation.rows:,.0f} rows")
    if relation.pages > 0:
        said.append(_size(relation.pages * _BLOCK))
    return " · ".join(said)


def _size(count: float) -> str:
    for unit in ("bytes", "kB", "MB", "GB"):
        if count < 10 * 1024:
            return f"{count:,.0f} {unit}"
        count /= 1024
    return f"{count:,.0f} TB"


def _left_out(count: int, what: str) -> str:
    return f"and {count - _MOST_ROWS:,} more {what}" if count > _MOST_ROWS else ""
