"""The data sets: tables of three shapes that several measurements read, made once in a run.

``narrow``: two million rows of six numbers and timestamps, all of fixed width, where the client's work for each value
weighs most. ``lineitem``: a million rows of TPC-H's sixteen columns with its decimals, dates and padded texts.
``texts``: 300,000 rows of twenty columns, texts with NULLs, uuid, jsonb and an array of integers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from side_by_side.place import Place

NARROW = """
create table narrow as
select i::int4 as a, i::int8 * 1000003 as b, i * 0.25::float8 as c, sqrt(i) as d, (i % 1000)::int2 as e,
       timestamp '2020-01-01' + i * interval '1 second' as f
from generate_series(1, {rows}) i
"""
LINEITEM = """
create table lineitem as
select i::int8 / 4 as orderkey, (i::int8 * 7919 % 200000)::int4 as partkey, (i::int8 * 104729 % 10000)::int4 as suppkey,
       (i % 7)::int4 as linenumber, (i % 50 + 1)::numeric(15, 2) as quantity,
       (i * 1.37 % 100000)::numeric(15, 2) as extendedprice, (i % 11 * 0.01)::numeric(15, 2) as discount,
       (i % 9 * 0.01)::numeric(15, 2) as tax, substr('NRA', i % 3 + 1, 1)::char(1) as returnflag,
       substr('OF', i % 2 + 1, 1)::char(1) as linestatus, date '1992-01-02' + i % 2500 as shipdate,
       date '1992-02-02' + i % 2500 as commitdate, date '1992-01-12' + i % 2500 as receiptdate,
       ('{{DELIVER IN PERSON,COLLECT COD,NONE,TAKE BACK RETURN}}'::text[])[i % 4 + 1]::char(25) as shipinstruct,
       ('{{REG AIR,AIR,RAIL,SHIP,TRUCK,MAIL,FOB}}'::text[])[i % 7 + 1]::char(10) as shipmode,
       ('carefully ' || md5(i::text))::varchar(44) as comment
from generate_series(1, {rows}) i
"""
TEXTS = """
create table texts as
select {columns}, md5(i::text)::uuid as u, jsonb_build_object('id', i, 'name', 'n' || i) as j, array[i, i + 1] as a
from generate_series(1, {rows}) i
"""
TEXT_COLUMNS = ", ".join(
    f"case when i % {c + 2} > 0 then '{c:02} ' || i || ' some words of text' end as t{c}" for c in range(17)
)
QUICK_PART = 100


@dataclass(frozen=True, slots=True)
class DataSet:
    """A table: how it is made, how many rows and columns it has."""

    name: str
    sql: str
    rows: int
    columns: int

    def size(self, *, quick: bool) -> int:
        """Return how many rows it has in this run."""
        return self.rows // QUICK_PART if quick else self.rows


ALL = {
    data.name: data
    for data in (
        DataSet("narrow", NARROW, 2_000_000, 6),
        DataSet("lineitem", LINEITEM, 1_000_000, 16),
        DataSet("texts", TEXTS, 300_000, 20),
    )
}


def make(place: Place, *names: str, quick: bool) -> None:
    """Make those tables that this run has not made yet, and of each one more with ten of its rows (``…_ten``)."""
    with place.connect() as conn:
        for data in (ALL[name] for name in names):
            if conn.execute("select to_regclass(%s)", [data.name]).fetchone() != (None,):
                continue
            conn.execute(data.sql.format(rows=data.size(quick=quick), columns=TEXT_COLUMNS))
            conn.execute(f"create table {data.name}_ten as select * from {data.name} limit 10")
            conn.execute(f"vacuum analyze {data.name}, {data.name}_ten")
