"""Catalogs without a server: the sample data's, a hostile one, and what builds more of them.

``builtins.tsv`` is what PostgreSQL 15 has in ``pg_catalog``: each section is headed by the query that it answers.
"""

from __future__ import annotations

import functools
import re
from pathlib import Path

from tusk_jupyter.schema.catalog import (
    PARTS,
    Catalog,
    Column,
    Function,
    Key,
    Keyword,
    Relation,
    Schema,
    Setting,
    Type,
    pack,
)

FLIGHTS_SQL = Path(__file__).parents[1] / "tusk_jupyter" / "demo" / "flights.sql"
NAMES = {
    "extension": ("plpgsql", "pg_trgm"),
    "available_extension": ("plpgsql", "pg_trgm", "hstore", "postgis", "uuid-ossp"),
    "role": ("postgres", "analyst", "App Owner", "readers"),
    "database": ("postgres", "shop", "template1"),
    "tablespace": ("pg_default", "pg_global"),
    "language": ("sql", "plpgsql", "c", "internal"),
    "collation": ("C", "POSIX", "default", "en_US", "de_DE"),
    "index_method": ("btree", "hash", "gist", "gin", "brin", "spgist"),
    "access_method": ("heap", "btree", "hash", "gist", "gin", "brin", "spgist"),
    "publication": ("all_changes",),
}
_SYNONYMS = {"timestamptz": "timestamp with time zone"}


def builtin(section):
    """The rows of one section of ``builtins.tsv``, each a list of texts."""
    return _builtins()[section]


@functools.cache
def _builtins():
    sections = {}
    for line in (Path(__file__).parent / "builtins.tsv").read_text("utf-8").splitlines():
        if line.startswith("== "):
            rows = sections.setdefault(line[3:].partition(":")[0], [])
        else:
            rows.append(line.split("\t"))
    return sections


def columns(text):
    """``id integer!; note text = ''`` as columns: ``!`` for NOT NULL, ``=`` before a default; names may be quoted."""
    found = []
    for part in filter(None, (part.strip() for part in text.split(";"))):
        name, rest = re.fullmatch(r'("(?:[^"]|"")*"|\S+)\s+(.*)', part, re.DOTALL).groups()
        name = name[1:-1].replace('""', '"') if name.startswith('"') else name
        kind, _, default = (side.strip() for side in rest.partition("="))
        found.append(Column(name, kind.rstrip("!").strip(), kind.endswith("!"), default or None))
    return tuple(found)


def relation(schema, name, text="", relkind="r", **facts):
    """A relation with the columns of :func:`columns`, or with the :class:`Column` records that are given."""
    made = columns(text) if isinstance(text, str) else tuple(text)
    return Relation(schema, name, relkind, packed=pack(made), **{"privileges": "arwdDxt", **facts})


def primary(schema, table, *names):
    return Key(schema, table, f"{table}_pkey", "p", names, f"PRIMARY KEY ({', '.join(names)})")


def foreign(schema, table, names, target, target_names):
    """A foreign key; ``names`` are divided by commas, ``target`` is ``schema.table``."""
    own, others = tuple(names.split(",")), tuple(target_names.split(","))
    to_schema, _, to_table = target.rpartition(".")
    name = f"{table}_{'_'.join(own)}_fkey"
    text = f"FOREIGN KEY ({', '.join(own)}) REFERENCES {target}({', '.join(others)})"
    return Key(schema, table, name, "f", own, text, to_schema or schema, to_table, others)


def catalog(relations=(), keys=(), functions=(), types=(), **facts):
    """A catalog with these in it, beside what every database has."""
    by_schema = {"pg_catalog": {r.name: r for r in system_relations()}}
    for one in relations:
        by_schema.setdefault(one.schema, {})[one.name] = one
    by_name = {}
    for one in (*system_functions(), *functions):
        by_name.setdefault(one.name, []).append(one)
    schemas = {"pg_catalog", "information_schema", "public", *by_schema, *(f.schema for f in functions)}
    given = {
        "database": "shop",
        "user": "analyst",
        "version": 150000,
        "loaded": frozenset(PARTS),
        "schemas": {name: Schema(name) for name in sorted(schemas)},
        "by_schema": by_schema,
        "keys": tuple(keys),
        "functions_by_name": {name: tuple(found) for name, found in by_name.items()},
        "types": (*system_types(), *types),
        "casts": frozenset(tuple(row) for row in builtin("casts")),
        "settings": {row[0]: _setting(row) for row in builtin("settings")},
        "keywords": tuple(Keyword(word, kind) for kind, words in builtin("keywords") for word in words.split()),
        "names": NAMES,
    }
    return Catalog(**{**given, **facts})


@functools.cache
def system_relations():
    rows = builtin("relations")
    return tuple(relation("pg_catalog", name, text, relkind, privileges="r") for name, relkind, text in rows)


@functools.cache
def system_functions():
    found = []
    for name, kind, arguments, types, defaults, variadic, result, is_set, comment in builtin("functions"):
        takes = tuple(filter(None, types.split(";")))
        flags = (int(defaults), variadic == "1", result, is_set == "1", comment or None)
        found.append(Function("pg_catalog", name, kind, arguments, takes, *flags))
    return tuple(found)


@functools.cache
def system_types():
    rows = builtin("types")
    return tuple(
        Type("pg_catalog", name, kind, category, preferred == "1", comment=comment or None)
        for name, kind, category, preferred, comment in rows
    )


def _setting(row):
    name, description, kind, unit, values, context = row
    return Setting(name, description, kind, unit or None, tuple(filter(None, values.split(","))), context)


_TABLE = re.compile(r"^create table (\w+) \((.*?)^\);", re.DOTALL | re.MULTILINE)
_ROWS = {"flights": 336776.0, "weather": 26115.0, "planes": 3322.0, "airports": 1458.0, "airlines": 16.0}


@functools.cache
def flights():
    """The sample data's catalog, read from the statements that make it."""
    text = FLIGHTS_SQL.read_text("utf-8")
    said = dict(re.findall(r"^comment on (?:table|column|type|domain) ([\w.]+) is '((?:[^']|'')*)';", text, re.MULTILINE))
    relations, keys = [], []
    for name, body in _TABLE.findall(text):
        made = [_flights_column(name, line, said) for line in body.strip().splitlines()]
        relations.append(relation("public", name, made, rows=_ROWS[name], comment=said[name], owner="postgres"))
    for table, kind, names, target in re.findall(
        r"^alter table (\w+) add (primary|foreign) key \(([^)]*)\)(?: references (\w+))?;", text, re.MULTILINE
    ):
        if kind == "primary":
            keys.append(primary("public", table, *names.split(", ")))
        else:
            keys.append(foreign("public", table, names, f"public.{target}", {"airlines": "carrier"}.get(target, "faa")))
    types = [
        Type("public", name, "e", "E", labels=tuple(re.findall("'([^']*)'", labels)), comment=said[name])
        for name, labels in re.findall(r"^create type (\w+) as enum \(([^)]*)\);", text, re.MULTILINE)
    ]
    types += [
        Type("public", name, "d", "S", base=base, comment=said[name])
        for name, base in re.findall(r"^create domain (\w+) as (\w+)", text, re.MULTILINE)
    ]
    return catalog(relations, keys, types=types)


def _flights_column(table, line, said):
    name, kind, not_null = re.match(r" *(\w+) (\w+(?: precision)?(?:\([\d, ]+\))?)( not null)?", line).groups()
    kind = _SYNONYMS.get(kind, kind.replace(", ", ","))
    return Column(name, kind, bool(not_null), comment=said.get(f"{table}.{name}"))


@functools.cache
def hostile():
    """Names that need quotes, that differ in case only, that are in several schemas, and 1600 columns."""
    public = [
        relation("public", "Order", 'id integer!; "Customer Id" integer!; "select" text; größe numeric; "tab\tbed" text'),
        relation("public", "user", "id integer!; name text!; password text; order integer"),
        relation("public", "MixedCase", "Id integer; id integer; ID integer"),
        relation("public", "mixedcase", "plain integer"),
        relation("public", 'we"ird', '"a""b" integer; "c.d" integer; "1st" integer; $x integer'),
        relation("public", "数据", "数量 integer; 名前 text"),
        relation("public", "été", "température double precision; jour date"),
        relation("public", "wide", [Column(f"c{n:04}", "integer") for n in range(1600)]),
        relation("public", "events", "at timestamp with time zone!; kind text; payload jsonb", "p"),
        relation("public", "events_2024", "at timestamp with time zone!; kind text; payload jsonb"),
        relation("public", "active_customers", "id integer; email text", "v", privileges="r"),
        relation("public", "sales_by_day", "day date; total numeric", "m", privileges="r"),
        relation("public", "remote_log", "line text", "f"),
        relation("public", "order_id_seq", "last_value bigint; log_cnt bigint; is_called boolean", "S"),
        relation("public", "events_at_idx", "", "i"),
        relation("public", "no_columns"),
        relation("public", "<b>&amp;</b>", '"<script>" text; "it\'s" text'),
    ]
    others = [
        relation("app", "orders", "id integer!; customer_id integer; mood app.mood; placed date"),
        relation("app", "customers", "id integer!; email text!; feeling app.mood"),
        relation("app", "user", "id integer!; login text"),
        relation("sales", "orders", "id integer!; customer_id integer!; billing_id integer; shipping_id integer"),
        relation("sales", "customers", "id integer!; name text; region_code text; region_no integer"),
        relation("sales", "addresses", "id integer!; street text; city text"),
        relation("sales", "regions", "code text!; no integer!; title text"),
        relation("sales", "employees", "id integer!; manager_id integer; name text"),
        relation("sales", "order_items", "order_id integer!; line integer!; amount numeric(10,2)"),
        relation("Odd Schema", "a b", '"c d" integer; plain text'),
        relation("select", "from", "where integer; group integer"),
        relation("information_schema", "tables", "table_schema name; table_name name; table_type text", "v"),
        relation("pg_toast", "pg_toast_1234", "chunk_id oid", "t"),
    ]
    keys = [
        primary("app", "customers", "id"),
        primary("sales", "orders", "id"),
        primary("sales", "customers", "id"),
        foreign("app", "orders", "customer_id", "app.customers", "id"),
        foreign("sales", "orders", "customer_id", "sales.customers", "id"),
        foreign("sales", "orders", "billing_id", "sales.addresses", "id"),
        foreign("sales", "orders", "shipping_id", "sales.addresses", "id"),
        foreign("sales", "customers", "region_code,region_no", "sales.regions", "code,no"),
        foreign("sales", "employees", "manager_id", "sales.employees", "id"),
        foreign("sales", "order_items", "order_id", "sales.orders", "id"),
        foreign("public", "Order", "Customer Id", "public.user", "id"),
    ]
    functions = [
        Function("app", "rebuild", "p", "INOUT done boolean", ("boolean",)),
        Function("public", "Refresh", "p", "", ()),
        Function("public", "mean_of", "a", "numeric", ("numeric",), result="numeric"),
        Function("public", "Über", "f", "x integer", ("integer",), result="integer"),
        Function("public", "top_orders", "f", "n integer DEFAULT 10", ("integer",), 1,
                 result="TABLE(id integer, total numeric)", returns_set=True),
        Function("public", "orders_of", "f", "who text", ("text",), result="SETOF app.orders", returns_set=True),
        Function("app", "on_change", "f", "", (), result="trigger"),
    ]  # fmt: skip
    types = [
        Type("app", "mood", "e", "E", labels=("sad", "ok", "it's great", "ümlaut")),
        Type("public", '"Size"', "e", "E", labels=("S", "M", "L")),
        Type("public", "email", "d", "S", base="text"),
        Type("public", "point3", "c", "C"),
    ]
    return catalog((*public, *others), keys, functions, types, search_path=("pg_catalog", "public", "sales"))
