"""How a query is divided, as far as its text and the numbers say."""

from __future__ import annotations

import itertools
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.sql_texts import sql_texts
from tusk_jupyter.errors import InvalidInput
from tusk_jupyter.queries import partition
from tusk_jupyter.queries.partition import Parallel
from tusk_jupyter.queries.split import split
from tusk_jupyter.results import builtin


def only(text):
    (statement,) = split(text)
    return statement


def wanted(parts=2, column=None, *, version=150_000, pool=5):
    return Parallel(parts, column, SimpleNamespace(max_size=pool), version)


@pytest.mark.parametrize(
    ("text", "name", "sent"),
    [
        ("select * from t", "t", "select * from t\nwhere C"),
        ("SELECT a, b AS from_ FROM s.t x", "s.t", "SELECT a, b AS from_ FROM s.t x\nwhere C"),
        ("select a from only s.t as x", "s.t", "select a from only s.t as x\nwhere C"),
        ("select a from t *", "t", "select a from t *\nwhere C"),
        ('select a from "S" . "t t" -- all', '"S" . "t t"', 'select a from "S" . "t t" -- all\nwhere C'),
        ("table t", "t", "select * from t\nwhere C"),
        ("/* x */ table only s.t", "s.t", "/* x */ select * from only s.t\nwhere C"),
        ("select extract(year from d), (select max(x) from u) from t", "t", "select extract(year from d), (select max(x) from u) from t\nwhere C"),
        ("select a is distinct from b from t", "t", "select a is distinct from b from t\nwhere C"),
        ("select 1 as from from t", "t", "select 1 as from from t\nwhere C"),
        ("select a from t where a or b", "t", "select a from t where(a or b\n) and C"),
        ("select a from t x where(a) or b -- c", "t", "select a from t x where((a) or b -- c\n) and C"),
        ("select a from t where a = (select 1 order by 1 limit 1)", "t", "select a from t where(a = (select 1 order by 1 limit 1)\n) and C"),
        ("select a from t where a = $1 and b[$2] = 'order by'", "t", "select a from t where(a = $1 and b[$2] = 'order by'\n) and C"),
    ],
)  # fmt: skip
def test_one_table(text, name, sent):
    table = partition.one_table(only(text))
    assert table.name == name
    assert table.with_pages("C") == sent
    at = text.index("t", text.lower().index("table") + 5) if "table " in text else len(text) - 1
    assert table.text[at + table.shift] == text[at]


@pytest.mark.parametrize(
    "text",
    [
        "select 1", "select", "table", "values (1)", "select a from", "select a from only", "(select a from t)",
        "select a from t, u", "select a from t join u using (a)", "select a from f()", "select a from (select 1) t",
        "select a from t x(b)", "select a from t group by a", "select a from t where a group by a",
        "select a from t where a union select 1", "select a from t where a) or (b", "select a from t where",
        "select a from t tablesample system (1)", "select a from t union select 2", "select a from rows from (f())",
        "with t as (select 1) select * from t", "table t where a", "select a from t where a window w as ()",
    ],
)  # fmt: skip
def test_more_than_one_table(text):
    assert partition.one_table(only(text)) is None


@given(sql_texts)
def test_any_text_is_looked_at(text):
    for statement in split(text):
        partition.one_table(statement)
        partition.names_in(statement)
        assert partition.called_in(statement) <= partition.names_in(statement)


SCAN = {"Node Type": "Seq Scan"}


@pytest.mark.parametrize(
    ("plan", "filtered", "divided"),
    [
        (SCAN, False, True),
        (SCAN, True, True),
        ({"Node Type": "Append", "Plans": [SCAN, {"Node Type": "Index Only Scan"}]}, False, True),
        ({"Node Type": "ProjectSet", "Plans": [SCAN]}, False, True),
        ({"Node Type": "Seq Scan", "Plans": [{"Node Type": "Aggregate", "Parent Relationship": "SubPlan"}]}, True, True),
        ({"Node Type": "Seq Scan", "Plans": [{"Node Type": "Limit", "Parent Relationship": "InitPlan"}]}, True, True),
        ({"Node Type": "Result", "One-Time Filter": "false"}, True, True),
        ({"Node Type": "Result", "Plans": [{"Node Type": "Limit", "Parent Relationship": "InitPlan"}]}, False, False),
        ({"Node Type": "Aggregate", "Plans": [SCAN]}, False, False),
        ({"Node Type": "Append", "Plans": [SCAN, {"Node Type": "Foreign Scan"}]}, False, False),
        ({"Node Type": "Index Scan"}, True, False),
        ({"Node Type": "Custom Scan"}, False, False),
        ({"Node Type": "Unique", "Plans": [SCAN]}, False, False),
        ({"Node Type": "WindowAgg", "Plans": [SCAN]}, False, False),
        ({}, False, False),
    ],
)
def test_plans(plan, filtered, divided):
    assert (partition.plan_refusal(plan, filtered=filtered) is None) is divided


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("select a from t order by a", "ORDER BY belongs"),
        ("(select a from t order by a)", "ORDER BY belongs"),
        ("((select a from t) limit 3)", "LIMIT belongs"),
        ("select a from t offset 3", "OFFSET belongs"),
        ("select a from t fetch first row only", "FETCH FIRST belongs"),
        ("select 1 union select 2 order by 1", "ORDER BY belongs"),
        ("insert into t values (1) returning a", "only reads"),
        ("with x as (delete from t returning a) select * from x", "only reads"),
        ("select * from t for update", "only reads"),
        ("select a into u from t", "only reads"),
        ("explain select 1", "only reads"),
        ("show all", "only reads"),
        ("begin", "only reads"),
        ("select 1; select 2", "here are 2"),
    ],
)
def test_refused(text, reason):
    with pytest.raises(InvalidInput, match=reason) as caught:
        partition.check(split(text), wanted())
    assert caught.value.advice.startswith("Nothing was run.")


@pytest.mark.parametrize(
    "text",
    [
        "(select a from t order by a limit 3) union all (select 2 limit 1)",
        "select array_agg(a order by b), row_number() over (order by c) from t",
        'select t.order, 1 as limit, "order" from t',
        "with x as (select 1 order by 1) select * from x",
        "values (1)",
    ],
)
def test_not_refused(text):
    partition.check(split(text), wanted(column="a"))


def test_refused_for_what_there_is():
    with pytest.raises(InvalidInput, match="before PostgreSQL 14") as caught:
        partition.check(split("table t"), wanted(version=130_010))
    assert "--split" in caught.value.advice
    partition.check(split("table t"), wanted(version=130_010, column="a"))
    with pytest.raises(InvalidInput, match="the pool has 4") as caught:
        partition.check(split("table t"), wanted(5))
    assert "--parallel 4" in caught.value.advice
    assert "--pool-size 6" in caught.value.advice
    with pytest.raises(InvalidInput, match="the pool has 1") as caught:
        partition.check(split("table t"), wanted(2, pool=2))
    assert caught.value.advice == "Nothing was run. Connect with --pool-size 3."
    with pytest.raises(InvalidInput, match="TABLESAMPLE"):
        partition.check(split("select * from t tablesample system (5)"), wanted(column="a"))


def pages(condition):
    """The pages that a condition lets through, as a range that may have no end."""
    begin, _, end = condition.partition(" and ") if ">=" in condition else ("", "", condition)
    number = lambda text: int(text.split("'(")[1].split(",")[0])  # noqa: E731
    return number(begin) if begin else 0, number(end) if end else None


@given(st.lists(st.integers(0, 10_000), max_size=8), st.integers(2, 9))
def test_pages_are_in_one_part_each_and_shared_alike(sizes, parts):
    found = [pages(condition) for condition in partition.page_ranges(sizes, parts)]
    assert len(found) == parts
    assert found[0][0] == 0
    assert found[-1][1] is None
    assert all(end == begin for (_, end), (begin, _) in itertools.pairwise(found))
    shares = [
        sum(max(0, min(size, end if end is not None else size) - begin) for size in sizes) for begin, end in found
    ]
    assert sum(shares) == sum(sizes)
    assert max(shares) <= sum(sizes) / parts + 2 * len(sizes) + 1


def admits(part, value):
    """Whether a range's condition is true of a value."""
    if value is None:
        return "is null" in part.condition or part.condition == "true"
    words = part.condition.replace('"c"', "value").replace(" or value is null", "")
    for number, bound in enumerate(part.values, start=3):
        words = words.replace(f"${number}", bound)
    return eval(words.replace("true", "True").replace("false", "False"), {"value": value})


@given(st.lists(st.integers(0, 9), min_size=1, max_size=5), st.lists(st.none() | st.integers(-2, 12)))
def test_a_value_is_in_one_range(bounds, values):
    found = partition.ranges("c", [str(bound) for bound in sorted(bounds)], nulls=None in values, first_parameter=3)
    assert len(found) == len(bounds) + 1
    for value in values:
        assert sum(admits(part, value) for part in found) == 1, (found, value)


def test_ranges_of_a_column_without_a_value():
    found = partition.ranges("c", [None, None], nulls=True, first_parameter=1)
    assert [part.condition for part in found] == ["true", "false", "false"]


def test_a_range_that_can_hold_nothing_reads_nothing():
    found = partition.ranges("c", ["5", "5"], nulls=False, first_parameter=1)
    assert [part.condition for part in found] == ['"c" < $1', "false", '"c" >= $1']


def test_only_a_large_column_is_sampled():
    assert "random" not in partition.shares("table t", "c", 2, rows=1000)[0]
    text, before = partition.shares("table t", 'a"b', 4, rows=10_000_000)
    assert "random() < 0.01" in text
    assert 'order by "a""b"' in text
    assert "0.250000,0.500000,0.750000" in text
    assert text.startswith(f"{before}table t\n")


def test_split_column():
    columns = [("ID", builtin.INT4), ("id", builtin.INT8), ("twice", builtin.TEXT), ("twice", builtin.TEXT), ("j", builtin.JSON)]
    assert partition.split_column(columns, "ID") == ("ID", builtin.INT4)
    assert partition.split_column(columns, "Id") == ("id", builtin.INT8)
    for name, reason in (("twice", "2 columns"), ("j", "not divided"), ("idd", "no such column")):
        with pytest.raises(InvalidInput, match=reason):
            partition.split_column(columns, name)


def test_names():
    text = """select A, "B""b", lower(c), 'd' from pg_temp.e -- f\n where now() > current_date"""
    assert {"a", 'B"b', "lower", "c", "pg_temp", "e"} <= partition.names_in(only(text))
    assert not {"d", "f", "A"} & partition.names_in(only(text))
    assert {"Ärger", "data", "Ö"} <= partition.names_in(only(r'select Ärger from U&"d\0061t\+000061" where Ö'))
    assert {"lower", "now"} <= partition.called_in(only(text))
    assert partition.moments_in(only(text)) == ["current_date", "now"]
