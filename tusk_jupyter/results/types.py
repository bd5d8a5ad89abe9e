"""Which type a column has, and what a type is made of; pure.

A column of a user's type says only an OID. What is behind it (enum labels, fields, element) is read on the session
itself, because only that one sees types of its own transaction and its temp schema: :data:`TYPE_INFO_SQL` asks for
all OIDs of a result, and all they are made of, in one statement, which costs about a millisecond. Whoever remembers
the answer must not do so for long: ``alter type … add value`` changes it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tusk_jupyter.results import builtin
from tusk_jupyter.results.builtin import BASE_TYPES, RANGE_TYPES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a result; ``type`` is what ``format_type(oid, typmod)`` writes."""

    name: str
    type: str
    oid: int
    typmod: int = -1
    table_oid: int = 0


@dataclass(frozen=True, slots=True)
class TypeInfo:
    """One row of ``pg_type`` and what hangs on it.

    ``kind`` is ``typtype`` (``b``, ``c``, ``d``, ``e``, ``m``, ``p``, ``r``); ``element`` is 0 unless values are
    written as arrays; ``delimiter`` stands between elements when *this* type is the element.
    """

    oid: int
    name: str
    kind: str = "b"
    category: str = "U"
    delimiter: str = ","
    element: int = 0
    base: int = 0
    labels: tuple[str, ...] = ()
    fields: tuple[tuple[str, int], ...] = ()
    subtype: int = 0


# pg_range is read through to_jsonb because rngmultitypid is there only since PostgreSQL 14. A fixed-length type with
# an element (point, name) is no array, nor are the two vectors; a domain's element (set up to 13) is its base's.
# «rngtypid > 0» opens a way by the index: a user who tries «set enable_seqscan = off» would wait 0.3 s for the JIT
# compiler each time, because all that a sequential scan could do is then deemed too expensive not to compile
TYPE_INFO_SQL: Final = """\
with recursive wanted(oid) as (
  select u.oid from pg_catalog.unnest($1::pg_catalog.oid[]) as u(oid)
  union
  select m.oid
  from wanted w
  join pg_catalog.pg_type t on t.oid = w.oid
  cross join lateral (
    select t.typelem where t.typelem <> 0 and t.typlen = -1
    union all
    select t.typbasetype where t.typbasetype <> 0
    union all
    select a.atttypid from pg_catalog.pg_attribute a
    where t.typtype = 'c' and a.attrelid = t.typrelid and a.attnum > 0 and not a.attisdropped
    union all
    select r.rngsubtype from pg_catalog.pg_range r
    where r.rngtypid > 0 and
      (r.rngtypid = t.oid or (pg_catalog.to_jsonb(r) ->> 'rngmultitypid')::pg_catalog.oid = t.oid)
  ) as m(oid)
)
select t.oid::text, pg_catalog.format_type(t.oid, null), t.typtype::text, t.typcategory::text, t.typdelim::text,
  case when t.typtype = 'b' and t.typcategory = 'A' and t.typlen = -1 and t.oid not in (22, 30)
    then t.typelem::text else '0' end,
  t.typbasetype::text,
  (select pg_catalog.json_agg(e.enumlabel order by e.enumsortorder)::text
   from pg_catalog.pg_enum e where e.enumtypid = t.oid),
  (select pg_catalog.json_agg(pg_catalog.json_build_array(a.attname, a.atttypid::text) order by a.attnum)::text
   from pg_catalog.pg_attribute a
   where t.typtype = 'c' and a.attrelid = t.typrelid and a.attnum > 0 and not a.attisdropped),
  (select r.rngsubtype::text from pg_catalog.pg_range r
   where r.rngtypid > 0 and
      (r.rngtypid = t.oid or (pg_catalog.to_jsonb(r) ->> 'rngmultitypid')::pg_catalog.oid = t.oid))
from wanted w join pg_catalog.pg_type t on t.oid = w.oid
"""


def parse_type_info(rows: Iterable[Sequence[str | None]]) -> dict[int, TypeInfo]:
    """Return OID → type from the rows of :data:`TYPE_INFO_SQL`."""
    return {info.oid: info for info in map(_type_info, rows)}


def _type_info(row: Sequence[str | None]) -> TypeInfo:
    oid, name, kind, category, delimiter, element, base, labels, fields, subtype = row
    return TypeInfo(
        oid=int(oid or 0),
        name=name or "",
        kind=kind or "b",
        category=category or "U",
        delimiter=delimiter or ",",
        element=int(element or 0),
        base=int(base or 0),
        labels=tuple(json.loads(labels or "[]")),
        fields=tuple((field, int(field_oid)) for field, field_oid in json.loads(fields or "[]")),
        subtype=int(subtype or 0),
    )


def oid_array(oids: Iterable[int]) -> str:
    """Return the text of an ``oid[]``: the one parameter of :data:`TYPE_INFO_SQL`."""
    return "{" + ",".join(str(oid) for oid in sorted(oids)) + "}"


def declared_scale(typmod: int) -> tuple[int, int] | None:
    """Return precision and scale of a ``numeric`` column, None where it declares none.

    The scale is 11 bits with a sign since PostgreSQL 15 and was never beyond 1000 before (``numeric.c``).
    """
    if typmod < _VARHDRSZ:
        return None
    bits = typmod - _VARHDRSZ
    return (bits >> 16) & 0xFFFF, ((bits & 0x7FF) ^ 0x400) - 0x400


def named(columns: Iterable[Column], types: Mapping[int, TypeInfo]) -> tuple[Column, ...]:
    """Return the columns with the names of the types that had to be asked for."""
    return tuple(
        Column(c.name, types[c.oid].name, c.oid, c.typmod, c.table_oid)
        if c.oid not in BUILTIN and c.oid in types
        else c
        for c in columns
    )


def _builtin_types() -> Iterable[TypeInfo]:
    for line in BASE_TYPES.splitlines():
        oid, array, category, name = line.split(" ", 3)
        delimiter = ";" if int(oid) == builtin.BOX else ","
        kind = "p" if category in "PX" else "b"
        yield TypeInfo(int(oid), name, kind, category, delimiter)
        if array != "0":
            yield TypeInfo(int(array), f"{name}[]", "b", "A", delimiter, element=int(oid))
    for range_oid, range_array, multi_oid, multi_array, subtype, range_name, multi_name in RANGE_TYPES:
        for oid_, array_, kind, name in (
            (range_oid, range_array, "r", range_name),
            (multi_oid, multi_array, "m", multi_name),
        ):
            yield TypeInfo(oid_, name, kind, "R", subtype=subtype)
            yield TypeInfo(array_, f"{name}[]", "b", "A", element=oid_)


_VARHDRSZ: Final = 4

BUILTIN: Final[Mapping[int, TypeInfo]] = {info.oid: info for info in _builtin_types()}
