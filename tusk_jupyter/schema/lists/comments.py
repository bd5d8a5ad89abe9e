r"""``\dd``: comments on what no other listing shows: constraints, operator classes and families, rules, triggers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tusk_jupyter.schema.asking import Listing
from tusk_jupyter.schema.lists.answering import Matched, ask_qualified, matching, not_system

if TYPE_CHECKING:
    from tusk_jupyter.schema.asking import Ask, Wanted

_OF_TABLE = ("pg_catalog.pg_class c", "c.oid = x.{}", "c.relnamespace", "pg_catalog.pg_table_is_visible(c.oid)")
_OF_TYPE = ("pg_catalog.pg_type t", "t.oid = x.{}", "t.typnamespace", "pg_catalog.pg_type_is_visible(t.oid)")
# what it is called, its catalog, its name; what it belongs to: table, join, the schema's OID, its visibility; condition
_KINDS = (
    ("table constraint", "pg_constraint", "conname", *_OF_TABLE, "conrelid", ""),
    ("domain constraint", "pg_constraint", "conname", *_OF_TYPE, "contypid", ""),
    ("operator class", "pg_opclass", "opcname", "pg_catalog.pg_am am", "am.oid = x.{}", "x.opcnamespace",
     "pg_catalog.pg_opclass_is_visible(x.oid)", "opcmethod", ""),
    ("operator family", "pg_opfamily", "opfname", "pg_catalog.pg_am am", "am.oid = x.{}", "x.opfnamespace",
     "pg_catalog.pg_opfamily_is_visible(x.oid)", "opfmethod", ""),
    ("rule", "pg_rewrite", "rulename", *_OF_TABLE, "ev_class", "x.rulename <> '_RETURN'"),
    ("trigger", "pg_trigger", "tgname", *_OF_TABLE, "tgrelid", ""),
)  # fmt: skip


def comments(ask: Ask, wanted: Wanted) -> list[Listing]:
    r"""``\dd [NAME]``."""
    values: list[str | None] = []
    argument = wanted.arguments[0] if wanted.arguments else None
    selects = []
    for kind, catalog, name, parent, join, schema, visible, key, extra in _KINDS:
        conditions = [
            *filter(None, [extra]),
            *([] if wanted.system or argument is not None else not_system()),
            *matching(ask, Matched(f"x.{name}", "n.nspname", visible=visible), argument, values),
        ]
        where = f" where {' and '.join(conditions)}" if conditions else ""
        selects.append(
            f"select n.nspname, x.{name}::pg_catalog.text, '{kind}'::pg_catalog.text, d.description"
            f" from pg_catalog.{catalog} x join {parent} on {join.format(key)}"
            f" left join pg_catalog.pg_namespace n on n.oid = {schema}"
            f" join pg_catalog.pg_description d on d.objoid = x.oid and d.objsubid = 0"
            f" and d.classoid = 'pg_catalog.{catalog}'::pg_catalog.regclass{where}"
        )
    rows = ask_qualified(ask, f"{' union all '.join(selects)} order by 1, 2, 3", *values)
    return [Listing("Object descriptions", ("Schema", "Name", "Object", "Description"), tuple(map(tuple, rows)))]
