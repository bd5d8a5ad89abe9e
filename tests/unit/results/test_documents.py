import json
from decimal import Decimal

import pytest

from tusk_jupyter.results.documents import load_json, load_jsonb


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("null", None),
        ("12345678901234567890123", 12345678901234567890123),
        ("0.1", 0.1),
        ("1.50", 1.5),
        ("-0.0", 0.0),
        ("1e400", Decimal("1e400")),
        ("1e-400", Decimal("1e-400")),
        ("0.1234567890123456789", Decimal("0.1234567890123456789")),
        ("123456789012345678.5", Decimal("123456789012345678.5")),
        ('"\\ud83d\\ude00"', "\U0001f600"),
    ],
)
def test_numbers_are_exact(text, value):
    loaded = load_json(f'{{"a": [{text}]}}')["a"][0]
    assert loaded == value
    assert type(loaded) is type(value)
    assert load_jsonb(text) == value


@pytest.mark.parametrize("text", ['{"a":1,"a":2}', '"\\ud800"', '{"\\uDC00":1}', "[" + "9" * 5000 + "]", "NaN", "{"])
def test_what_python_cannot_hold_is_refused(text):
    with pytest.raises(ValueError):
        load_json(text)


def test_depth_beyond_pythons_is_a_recursion_error():
    with pytest.raises(RecursionError):
        load_jsonb("[" * 100_000 + "]" * 100_000)


def test_the_same_as_json_where_json_is_exact():
    text = '{"a": [1, 2.5, true, null, "x"], "b": {"c": {}}}'
    assert load_json(text) == load_jsonb(text) == json.loads(text)
