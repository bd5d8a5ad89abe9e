# ruff: noqa: PD011, DTZ001, PT017 (values of a Bound, times without a zone, errors that are one of two outcomes)
from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace
from uuid import UUID

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.sql_texts import sql_texts
from tests.tricky_sql import TRICKY
from tusk_jupyter.errors import BindingError
from tusk_jupyter.lexer import Kind, tokens
from tusk_jupyter.queries import placeholders
from tusk_jupyter.queries.binding import OffsetMap, bind, find_placeholders
from tusk_jupyter.queries.split import next_statement, split


class Color(enum.Enum):
    RED = "red"


@dataclass
class Config:
    limit: int = 3


NAMES = {
    "n": 5, "m": 6, "s": "it's", "origin": "JFK", "ids": [1, 2], "one": [1], "row": {"id": 7, "a b": 8},
    "cfg": Config(), "nested": SimpleNamespace(rows=[{"x": 9}]), "none": None,
}  # fmt: skip


def bound(text, names=NAMES, **more):
    statement, _ = next_statement(text, standard_conforming_strings=more.get("standard_conforming_strings", True))
    return bind(statement, lookup=names.__getitem__, known=lambda: names, **more)


def bound_values(text, names=NAMES):
    return bound(text, names).values


def refused(text, names=NAMES):
    with pytest.raises(BindingError) as caught:
        bound(text, names)
    return caught.value


def nothing_known(name):
    raise KeyError(name)


@pytest.mark.parametrize(
    ("text", "sent", "values", "names"),
    [
        ("select :n", "select $1", (5,), ("n",)),
        ("select :n, :m, :n", "select $1, $2, $1", (5, 6), ("n", "m")),
        ("select :n::text, :n ::text", "select $1::text, $1 ::text", (5,), ("n",)),
        ("select {{n}}, {{ n }}, {{\tm\n}}", "select $1, $1, $2", (5, 6), ("n", "m")),
        ("select :cfg.limit, {{ cfg.limit }}", "select $1, $1", (3,), ("cfg.limit",)),
        ("select :row['id'], :row[\"id\"], :row['a b']", "select $1, $1, $2", (7, 8), ("row['id']", "row['a b']")),
        ("select :row.id", "select $1", (7,), ("row.id",)),
        ("select :ids[1], :ids[-2]", "select $1, $2", (2, 1), ("ids[1]", "ids[-2]")),
        ("select :nested.rows[0]['x']", "select $1", (9,), ("nested.rows[0]['x']",)),
        ("select (:ids)[1], :ids[1:2], :ids[:n]", "select ($1)[1], $1[1:2], $1[:n]", ([1, 2],), ("ids",)),
        ("select a[(:n)], a[:n], a[:n:m], a[1:n]", "select a[($1)], a[:n], a[:n:m], a[1:n]", (5,), ("n",)),
        ("select a[f(:n)], a[(:n):(:m)], a[{{n}}]", "select a[f($1)], a[($1):($2)], a[$1]", (5, 6), ("n", "m")),
        ("select array[:n, :m], array[[:n],[:m]]", "select array[$1, $2], array[[$1],[$2]]", (5, 6), ("n", "m")),
        ("select array[a[:n], :m], ARRAY [:n]", "select array[a[:n], $1], ARRAY [$2]", (6, 5), ("m", "n")),
        ("select f(a := :n, b=>:m)", "select f(a := $1, b=>$2)", (5, 6), ("n", "m")),
        ("select f(a:=:n)", "select f(a:=$1)", (5,), ("n",)),
        ("select @:n, -:n, 1-:n", "select @$1, -$1, 1-$1", (5,), ("n",)),
        ("select a=:n and b<:m", "select a=$1 and b<$2", (5, 6), ("n", "m")),
        ("select :s||'x', 'x'||:s", "select $1||'x', 'x'||$1", ("it's",), ("s",)),
        ("select 1 limit:n", "select 1 limit $1", (5,), ("n",)),
        ("select {{n}}1, a{{n}}, {{n}}b, 1{{n}}", "select $1 1, a $1, $1 b, 1 $1", (5,), ("n",)),
        ("select :row['id']and true", "select $1 and true", (7,), ("row['id']",)),
        ("select {{n}}$$x$$", "select $1 $$x$$", (5,), ("n",)),
        ("insert into t values (:n, :none)", "insert into t values ($1, $2)", (5, None), ("n", "none")),
        ("create table t as select :n as a", "create table t as select $1 as a", (5,), ("n",)),
        ("explain (analyze, costs off) select :n", "explain (analyze, costs off) select $1", (5,), ("n",)),
        ("call p(:n)", "call p($1)", (5,), ("n",)),
        ("declare c cursor for select :n", "declare c cursor for select $1", (5,), ("n",)),
        ("selct :n", "selct $1", (5,), ("n",)),
    ],
)
def test_names_become_parameters(text, sent, values, names):
    result = bound(text)
    assert (result.text, result.values, result.names, result.notes) == (sent, values, names, ())


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ("select 1 where x in :ids", "select 1 where x = any ($1)"),
        ("select 1 where x in (:ids)", "select 1 where x = any ($1)"),
        ("select 1 where x IN( :ids )", "select 1 where x = any( $1 )"),
        ("select 1 where x not in :ids", "select 1 where x <> all ($1)"),
        ("select 1 where x Not /* c */ In (/* d */ :ids -- e\n)", "select 1 where x <> all (/* d */ $1 -- e\n)"),
        ("select 1 where x in:ids", "select 1 where x = any($1)"),
        ("select 1 where x in {{ids}} and true", "select 1 where x = any ($1) and true"),
        ("select 1 where x in :one or x in (:ids)", "select 1 where x = any ($1) or x = any ($2)"),
        ("select 1 where x in :n", "select 1 where x in ($1)"),
        ("select 1 where x not in :n", "select 1 where x not in ($1)"),
        ("select 1 where x in (:n)", "select 1 where x in ($1)"),
        ("select 1 where x in (:ids, :n)", "select 1 where x in ($1, $2)"),
        ("select 1 where x in (:ids || :one)", "select 1 where x in ($1 || $2)"),
        ("select 1 where x in (:ids :n)", "select 1 where x in ($1 $2)"),
        ("select position(:s in :origin)", "select position($1 in ($2))"),
        ("select 1 where x in (select :n)", "select 1 where x in (select $1)"),
        ("select 1 where x = any(:ids)", "select 1 where x = any($1)"),
    ],
)
def test_lists_after_in_become_any_and_all(text, sent):
    assert bound(text).text == sent


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ("select json_object('k': :n, 'm' : :m)", "select json_object('k': $1, 'm' : $2)"),
        ("select json_object(:s : :n, :origin::text : 1)", "select json_object($1 : $2, $3::text : 1)"),
        ("select JSON_OBJECT ('a'||:s :n)", "select JSON_OBJECT ('a'||$1 :n)"),
        ("select json_object('a' value :n, :s value :m)", "select json_object('a' value $1, $2 value $3)"),
        ("select json_object(k:n, f(:n):m)", "select json_object(k:n, f($1):m)"),
        ("select json_object(case when :n then 'x' end:n)", "select json_object(case when $1 then 'x' end:n)"),
        ("select json_objectagg(k: :n), json_objectagg(:s:n)", "select json_objectagg(k: $1), json_objectagg($2:n)"),
        ("select json_object(:ids), json_object(a, :ids)", "select json_object($1), json_object(a, $1)"),
        (
            "select json_object('k': json_object('l':n, 'm': :n))",
            "select json_object('k': json_object('l':n, 'm': $1))",
        ),
        ("select json_object('a':'b'), :n", "select json_object('a':'b'), $1"),
        ("select json_object('k': a[:n], 'l': (:n))", "select json_object('k': a[:n], 'l': ($1))"),
    ],
)
def test_json_constructors_keep_their_colons(text, sent):
    assert bound(text).text == sent


@pytest.mark.parametrize(
    ("text", "values", "sent"),
    [
        ("select :'v'", "it's", "select 'it''s'"),
        ("select :'v'", "a\\'b", "select E'a\\\\''b'"),
        ("select :'v', :'v'", "", "select '', ''"),
        ("select 1 like:'v'", "a\\b", "select 1 like E'a\\\\b'"),
        ("select u&:'v'", "x", "select u& 'x'"),
        ("select e:'v'b", "x", "select e 'x' b"),
        ("select :'v'", None, "select NULL"),
        ("select :'v'", True, "select 'true'"),
        ("select :'v'", Decimal("1.50"), "select '1.50'"),
        ("select :'v'", b"\x00a", "select E'\\\\x0061'"),
        ("select :'v'", datetime(2024, 1, 2, 3, 4), "select '2024-01-02 03:04:00'"),
        ("select :'v'", np.int64(3), "select '3'"),
        ("select :'v'", UUID(int=1), "select '00000000-0000-0000-0000-000000000001'"),
        ("select :'v'", Color.RED, "select 'red'"),
        ("select :'v.limit'", Config(), "select '3'"),
        ("alter role x password :'v'", "'; drop table t; --", "alter role x password '''; drop table t; --'"),
        ('select * from :"v"', 'a"b', 'select * from "a""b"'),
        ('select * from :"v"', ("s", "t.u"), 'select * from "s"."t.u"'),
        ('select :"v".x, y.:"v"', "t", 'select "t".x, y."t"'),
        ('select "a":"v""b"', "t", 'select "a" "t" "b"'),
        ('drop table:"v"', "t", 'drop table "t"'),
        ('select u&:"v"', "t", 'select u& "t"'),
    ],
)
def test_quoted_insertions(text, values, sent):
    result = bound(text, {"v": values})
    assert (result.text, result.values) == (sent, ())


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("select :'v'", "a\x00b"), ('select :"v"', "a\x00b"), ('select :"v"', ""), ('select :"v"', ("a", "")),
        ('select :"v"', ()), ('select :"v"', 3), ('select :"v"', ("a", 3)), ("select :'v'", [1]), ("select :'v'", {}),
        ("select :'v'", object()), ('select :"v"', None),
    ],
)  # fmt: skip
def test_what_cannot_be_quoted_is_refused(text, value):
    error = refused(text, {"v": value})
    assert (error.position, error.name) == (8, "v")
    assert "cannot be inserted" in error.message


@pytest.mark.parametrize(
    "text", ["select 'a'\n:'s'", "select E'\\\\'\n:'s'", "select :'s'\n'b\\'", "select :'s''b'", "select :'s' :'n'"]
)
def test_literals_are_never_joined_with_a_string_beside_them(text):
    assert "beside another string" in refused(text).message


@pytest.mark.parametrize("tricky", TRICKY, ids=lambda t: t.name)
def test_tricky_sql_is_sent_unchanged(tricky):
    for statement in split(tricky.script):
        result = bind(statement, lookup=nothing_known, known=list)
        assert (result.text, result.values, result.offsets) == (statement.text, (), OffsetMap())


@pytest.mark.parametrize(
    "text",
    [
        "select '{{1,2},{3,4}}'::int[]", "select '{\"a\":1}'::jsonb", "select 'a :b c'",
        "select E':a', $$:a$$, $b$:a$b$",
        "select '192.168.1.5'::inet << '192.168.1.0/24'", "select x -> 'y'", "select - 1", "--comment :a\nselect 1",
        "/* :a {{b}} */ select 1", 'select ":a"', "select '2024-01-01 10:00:00'", "select a[1:n], a[:n], a[b:c][d:e]",
        "select 5 % 3, '%s', a ? 'b', {x}, $x, $1", "select U&':a' , U&\":b\"", "select x::int", "select :1",
        "select : a",
    ],
)  # fmt: skip
def test_colons_and_braces_of_sql_are_left_alone(text):
    assert bound(text, {"a": 1, "b": 2, "n": 3, "x": 4, "e": 5}).text == text


def test_no_lexing_where_no_placeholder_can_be(monkeypatch):
    monkeypatch.setattr(placeholders, "token_at", None)
    assert bound("select '{%' || $1, { } ; '").text == "select '{%' || $1, { }"


def test_backslash_rules_decide_where_strings_end():
    text = r"select 'a\' :n'"
    assert bound(text, standard_conforming_strings=False).text == text
    assert bound(text).text == r"select 'a\' $1 '"


def test_a_missing_name_lists_near_ones():
    error = refused("select 1,\n :orgin")
    assert error.message == "parameter 'orgin' is not defined"
    assert error.advice.startswith("Did you mean :origin?")
    assert (error.position, error.name) == (12, "orgin")


def test_a_missing_name_without_near_ones_keeps_the_classes_advice():
    assert refused("select :zzzzzz").advice == BindingError.default_advice


def test_names_are_pythons():
    assert bound_values("select :größe, :ﬁ, :_x", {"größe": 1, "fi": 2, "_x": 3}) == (1, 2, 3)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("select :cfg.__class__", "private"),
        ("select :cfg._x", "private"),
        ("select :row.idd", "has no .idd"),
        ("select :row['x']", "has no ['x']"),
        ("select :ids[7]", "has no [7]"),
        ("select :n[0]", "has no [0]"),
        ("select :s.upper()", "not a value"),
        ("select :cfg.limitt", "has no .limitt"),
        ("{{ n + 1 }}", "no templating"),
        ("select {{ s | upper }}", "'{{ s | upper }}' is not a name"),
        ("select {{", "'{{' is not a name"),
        ("select $1, :n", "$n stands beside :n"),
        ("select :n, $2", "$n stands beside :n"),
        ("alter table t alter a set default :n", "no parameters in ALTER"),
        ("create view v as select :n", "no parameters in CREATE"),
        ("do $$begin end$$ :n", "no parameters in DO"),
    ],
)
def test_refusals(text, message):
    error = refused(text)
    assert message in error.message
    assert 1 <= error.position <= len(text)
    assert error.advice


def test_what_takes_no_parameters_names_the_two_spellings_that_work():
    error = refused("create table t (a int default :n)")
    assert (":'n'" in error.advice, ':"n"' in error.advice, error.position) == (True, True, 31)
    assert (
        bound("create table :\"origin\" (a text default :'s')").text == "create table \"JFK\" (a text default 'it''s')"
    )


def test_dollar_parameters_alone_are_the_servers_business():
    assert bound("prepare p as select $1 + a[:n]").text == "prepare p as select $1 + a[:n]"


def test_braces_in_quotes_are_text_with_a_note_when_such_a_name_exists():
    result = bound("select '{{origin}}', '{{ origin }}', '{{nobody}}', \"{{s}}\", $$ {{n}} $$")
    assert result.text == "select '{{origin}}', '{{ origin }}', '{{nobody}}', \"{{s}}\", $$ {{n}} $$"
    assert [note.split(" in quotes")[0] for note in result.notes] == ["'{{origin}}'", '"{{s}}"', "'{{n}}'"]


def test_lookups_that_fail_otherwise_are_binding_errors_too():
    def broken(name):
        raise RuntimeError(name)

    statement = split("select :a")[0]
    with pytest.raises(BindingError, match="cannot be looked up: RuntimeError") as caught:
        bind(statement, lookup=broken, known=list)
    assert isinstance(caught.value.__cause__, RuntimeError)


def test_a_name_is_looked_up_once():
    asked = []
    bind(split("select :a, :a[0], :'b', {{a}}")[0], lookup=lambda name: asked.append(name) or "xy", known=list)
    assert asked == ["a", "b"]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ((1, 2), [1, 2]),
        ({3}, [3]),
        (frozenset(), []),
        (range(2), [0, 1]),
        (np.array([1, 2]), [1, 2]),
        (np.array([[1.5], [2.5]]), [[1.5], [2.5]]),
        (np.array(["2024-01-02", "NaT"], "datetime64[ns]"), [datetime(2024, 1, 2), None]),
        (np.array(["2024-01-02"], "datetime64[D]"), [datetime(2024, 1, 2)]),
        (np.array([1], "timedelta64[s]"), [timedelta(seconds=1)]),
        (np.datetime64("NaT"), None),
        (pd.NaT, None),
        (pd.NA, None),
        ([1, pd.NA, [pd.NaT]], [1, None, [None]]),
        (pd.Series([1.5, None]), [1.5, None]),
        (pd.Series([1, None], dtype="Int64"), [1, None]),
        (pd.Series(["a", None]), ["a", None]),
        (pd.Series(["a", "b"], dtype="category"), ["a", "b"]),
        (pd.Index([1, 2]), [1, 2]),
        (pd.array([True, None], dtype="boolean"), [True, None]),
        (pa.array([1, None]), [1, None]),
        (pa.chunked_array([[1], [2]]), [1, 2]),
        (pa.scalar(date(2024, 1, 2)), date(2024, 1, 2)),
        (pl.Series([1, None]), [1, None]),
        (Color.RED, "red"),
        ([Color.RED, None], ["red", None]),
        ({"a": pd.NA}, {"a": pd.NA}),
        (b"ab", b"ab"),
        ("ab", "ab"),
    ],
    ids=lambda value: repr(value).partition(" object at ")[0],  # addresses are others in each process
)
def test_values_are_plain(value, expected):
    (result,) = bound_values("select :v", {"v": value})
    assert type(result) is type(expected)
    assert result == expected or result is expected
    assert type(bound("select 1 where x in :v", {"v": value}).text) is str


def test_nan_is_missing_in_pandas_and_a_number_elsewhere():
    assert bound("select :v", {"v": pd.Series([float("nan")])}).values == ([None],)
    for value in ([float("nan")], np.array([np.nan])):
        ((item,),) = bound_values("select :v", {"v": value})
        assert item != item  # noqa: PLR0124 (this is what a NaN is)


def test_numpy_scalars_and_named_tuples_are_no_lists():
    point = pd.DataFrame({"x": [1]}).itertuples(index=False).__next__()
    for value in (np.int64(3), np.float64(1.5), np.str_("a"), np.bool_(True), np.array(3), point):
        result = bound("select 1 where x in :v", {"v": value})
        assert result.text == "select 1 where x in ($1)"
        assert result.values[0] is value


@pytest.mark.parametrize(
    "value",
    [pd.DataFrame({"a": [1]}), pa.table({"a": [1]}), pl.DataFrame({"a": [1]})],
    ids=lambda v: type(v).__module__,
)
def test_a_table_is_no_value(value):
    error = refused("select :v", {"v": value})
    assert ":v['column']" in error.advice
    assert bound_values("select :v['a']", {"v": value}) == ([1],)


def test_a_list_that_contains_itself_is_refused():
    value = []
    value.append(value)
    assert "contains itself" in refused("select :v", {"v": value}).message


def test_positions_map_both_ways():
    text = "select é, :n::text, limit:m, x in :ids"
    result = bound(text)
    assert result.text == "select é, $1::text, limit $2, x = any ($3)"
    for word in ("é", "::text", ", limit", ", x "):
        assert result.offsets.to_source(result.text.index(word)) == text.index(word)
        assert result.offsets.to_sent(text.index(word)) == result.text.index(word)
    assert result.offsets.to_source(result.text.index("$2") + 1) == text.index(":m")
    assert result.offsets.to_source(result.text.index("any")) == text.index("in :ids")
    assert result.offsets.to_source(result.text.index("$3")) == text.index(":ids")
    assert result.offsets.to_source(len(result.text)) == len(text)


class Everything:
    """A namespace in which every name has a value."""

    def __init__(self, value):
        self.value = value

    def __getitem__(self, name):
        return self.value


values = st.one_of(
    st.none(), st.integers(), st.text(), st.lists(st.integers()), st.tuples(st.text(min_size=1), st.text(min_size=1)),
    st.dictionaries(st.sampled_from("abc"), st.text()), st.floats(), st.binary(),
)  # fmt: skip


def bound_or_refused(text, value, conforming):
    statement, _ = next_statement(text, standard_conforming_strings=conforming)
    if statement is None:
        return None
    try:
        return statement, bind(statement, lookup=Everything(value).__getitem__, known=lambda: ["a"])
    except BindingError as error:
        assert 1 <= error.position <= len(statement.text)
        return None


@given(sql_texts, values, st.booleans())
def test_binding_never_raises_anything_else(text, value, conforming):
    result = bound_or_refused(text, value, conforming)
    if result is not None:
        assert len(result[1].values) == len(result[1].names) == len(set(result[1].names))


@given(sql_texts, values)
def test_offsets_are_monotone_and_inverse_on_untouched_text(text, value):
    result = bound_or_refused("select " + text, value, conforming=True)
    if result is None:
        return
    statement, done = result
    offsets = done.offsets
    to_source = [offsets.to_source(i) for i in range(len(done.text) + 1)]
    to_sent = [offsets.to_sent(i) for i in range(len(statement.text) + 1)]
    assert to_source == sorted(to_source)
    assert to_sent == sorted(to_sent)
    assert (to_source[-1], to_sent[-1]) == (len(statement.text), len(done.text))
    replaced = {i for edit in offsets.edits for i in range(edit.start, edit.end)}
    for i, character in enumerate(statement.text):
        if i not in replaced:
            assert done.text[to_sent[i]] == character
            assert to_source[to_sent[i]] == i


@given(sql_texts, st.booleans())
def test_placeholders_stand_only_where_a_token_of_their_own_begins(text, conforming):
    found = find_placeholders(text, standard_conforming_strings=conforming)
    position, inside = 0, {p.start: p for p in found}
    # the text without the placeholders lexes to the same tokens, so none of them was inside one
    while position < len(text):
        token = next(tokens(text, position, standard_conforming_strings=conforming))
        if token.start in inside:
            assert token.kind in {Kind.PUNCTUATION, Kind.OTHER}
            position = inside.pop(token.start).end
        else:
            position = token.end
    assert not inside


@pytest.mark.parametrize(
    "around",
    ["'{}'", "E'{}'", "$${}$$", "$a${}$a$", '"{}"', "/* {} */", "/* /* */ {} */", "-- {}\n", "U&'{}'", "x'{}'"],
)
@given(name=st.sampled_from([":a", ":a.b", "{{a}}", "::a", ":a[1]"]))
def test_nothing_inside_quotes_or_comments_is_a_placeholder(around, name):
    assert [p.start for p in find_placeholders(f"select {around.format(name)}, :z")] == [
        len(f"select {around.format(name)}, ")
    ]


def pieces(text, conforming):
    found = tokens(text, standard_conforming_strings=conforming)
    return [(token.kind, text[token.start : token.end]) for token in found if token.kind is not Kind.SPACE]


@pytest.mark.parametrize(
    ("prefix", "suffix"), [("select ", ""), ("select x", "y"), ("select (1", ",2)"), ("a.", ".b"), ("u&", '"c"')]
)
@given(value=st.text(alphabet=st.one_of(st.sampled_from("'\"\\$-/*;\n:{"), st.characters())), conforming=st.booleans())
def test_what_is_inserted_is_one_token(prefix, suffix, value, conforming):
    for placeholder, kind in ((":'v'", Kind.STRING), (':"v"', Kind.QUOTED_IDENTIFIER)):
        try:
            sent = bound(prefix + placeholder + suffix, {"v": value}, standard_conforming_strings=conforming).text
        except BindingError:
            assert "\x00" in value or not value
            continue
        before, after = pieces(prefix, conforming), pieces(suffix, conforming)
        found = pieces(sent, conforming)
        assert found[: len(before)] == before
        assert [kind_of for kind_of, _ in found[len(before) :]] == [kind, *(kind_of for kind_of, _ in after)]
        assert found[len(before) + 1 :] == after


def test_hundred_thousand_parentheses_and_many_placeholders():
    deep = "select " + "(" * 100_000 + ":n" + ")" * 100_000
    assert bound(deep).text == deep.replace(":n", "$1")
    many = "select " + ", ".join(":n" for _ in range(20_000))
    assert bound(many).text == many.replace(":n", "$1")


def test_unclosed_braces_are_searched_once(monkeypatch):
    searched = []
    monkeypatch.setattr(placeholders, "_ANY_BRACES", SimpleNamespace(match=lambda *at: searched.append(at)))
    refused("select " + "{{" * 1000)
    assert len(searched) == 1
