import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tusk_jupyter.results.text import (
    RangeText,
    parse_array,
    parse_bytea,
    parse_composite,
    parse_hstore,
    parse_multirange,
    parse_range,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{}", []),
        ("{1,NULL,3}", ["1", None, "3"]),
        ("{{1,2},{3,4}}", [["1", "2"], ["3", "4"]]),
        ("{{{1}}}", [[["1"]]]),
        ("[2:4]={a,b,c}", ["a", "b", "c"]),
        ("[-1:0][2:3]={{1,2},{3,4}}", [["1", "2"], ["3", "4"]]),
        ('{"NULL",NULL,""}', ["NULL", None, ""]),
        (r'{"a\"b","c\\d","e,f","{g}"," h "}', ['a"b', "c\\d", "e,f", "{g}", " h "]),
        ('{"line\nbreak"}', ["line\nbreak"]),
        ("{null}", ["null"]),
    ],
)
def test_array(text, expected):
    assert parse_array(text, str) == expected


def test_array_of_boxes_is_split_at_semicolons():
    assert parse_array("{(1,2),(0,0);(3,4),(1,1)}", str, delimiter=";") == ["(1,2),(0,0)", "(3,4),(1,1)"]


def test_array_converts_each_element_but_null():
    assert parse_array("{{1,NULL},{3,4}}", int) == [[1, None], [3, 4]]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1",
        "{",
        "}",
        "{1",
        "1}",
        "{{1}",
        "{1}}",
        '{"a}',
        '{"a"b}',
        "{{1},2",
        '{,"a"}',
        '{"a",}',
        "[1:2={1}",
        '{"a"}{"b"}',
        '{"\\',
        "{" * 8 + '"a"' + "}" * 8,
    ],
)
def test_array_that_postgresql_would_not_write_is_refused(text):
    with pytest.raises(ValueError):
        parse_array(text, str)


def _array_text(value):
    if isinstance(value, list):
        return "{" + ",".join(map(_array_text, value)) + "}"
    if value is None:
        return "NULL"
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


@given(st.lists(st.lists(st.none() | st.text(), min_size=1, max_size=3), min_size=1, max_size=4))
def test_array_reads_back_what_quoting_wrote(value):
    assert parse_array(_array_text(value), str) == value


@given(st.text(alphabet='{}",\\aN=[1:]', max_size=20))
def test_array_of_any_text_is_a_list_or_a_value_error(text):
    with contextlib.suppress(ValueError):
        assert isinstance(parse_array(text, str), list)


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("(1,2)", ["1", "2"]),
        ("(,)", [None, None]),
        ("()", [None]),
        ('("")', [""]),
        (r'(1,"a,b","c""d","e\\f","(g)")', ["1", "a,b", 'c"d', "e\\f", "(g)"]),
        ('("(1,""x y"")",)', ['(1,"x y")', None]),
        ("( a )", [" a "]),
    ],
)
def test_composite(text, fields):
    assert parse_composite(text, fields=len(fields)) == fields


def test_composite_without_fields():
    assert parse_composite("()", fields=0) == []


@pytest.mark.parametrize("text", ["", "1", "(", "(1", "(1,2", '("1)', "(1)x", "(1,2,3)", "(1)(2)", '(1,"2"3)'])
def test_composite_that_postgresql_would_not_write_is_refused(text):
    with pytest.raises(ValueError):
        parse_composite(text, fields=2)


@given(st.lists(st.none() | st.text(), min_size=1, max_size=5))
def test_composite_reads_back_what_quoting_wrote(values):
    quoted = ("" if v is None else '"' + v.replace("\\", "\\\\").replace('"', '""') + '"' for v in values)
    assert parse_composite("(" + ",".join(quoted) + ")", fields=len(values)) == values


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("empty", (None, None, "")),
        ("[1,5)", ("1", "5", "[)")),
        ("(,5]", (None, "5", "(]")),
        ("(,)", (None, None, "()")),
        ('["2024-01-01 00:00:00","2024-01-02 00:00:00"]', ("2024-01-01 00:00:00", "2024-01-02 00:00:00", "[]")),
        (r'["a""b","c\\d")', ('a"b', "c\\d", "[)")),
        ('["",x]', ("", "x", "[]")),
    ],
)
def test_range(text, parts):
    assert parse_range(text) == RangeText(*parts)


def test_multirange():
    assert parse_multirange("{}") == []
    assert parse_multirange('{[1,2),["a,b",)}') == [RangeText("1", "2", "[)"), RangeText("a,b", None, "[)")]


@pytest.mark.parametrize("text", ["", "[1,2", "1,2)", "[1)", "[1,2,3)", "{[1,2)}", "Empty"])
def test_range_that_postgresql_would_not_write_is_refused(text):
    with pytest.raises(ValueError):
        parse_range(text)


@pytest.mark.parametrize("text", ["", "[1,2)", "{[1,2)", "{[1,2);[3,4)}", "{1}"])
def test_multirange_that_postgresql_would_not_write_is_refused(text):
    with pytest.raises(ValueError):
        parse_multirange(text)


def test_hstore():
    text = r'"a"=>"1", "b"=>NULL, "c\"d"=>"x, \\y", ""=>"NULL"'
    assert parse_hstore(text) == {"a": "1", "b": None, 'c"d': "x, \\y", "": "NULL"}
    assert parse_hstore("") == {}


@pytest.mark.parametrize("text", ["a", '"a"=>1', '"a"=>"1";', '"a"'])
def test_hstore_that_postgresql_would_not_write_is_refused(text):
    with pytest.raises(ValueError):
        parse_hstore(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (rb"\x", b""),
        (rb"\x00ff5c", b"\x00\xff\\"),
        (rb"a\000\377\\x", b"a\x00\xff\\x"),
        (b"abc", b"abc"),
        (rb"\\x41", b"\\x41"),
    ],
)
def test_bytea_in_both_formats(text, value):
    assert parse_bytea(text) == value
