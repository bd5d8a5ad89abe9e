import math

import pyarrow as pa
import pytest

from tusk_jupyter.results.numbers import as_floats


def column(*values):
    return pa.chunked_array([list(values)], pa.large_string())


@pytest.mark.parametrize(
    "text",
    [
        "0",
        "0.00",
        "-1.50",
        "123456789012345",
        "0.123456789012345",
        "1234567.89012345",
        "100000000000000000000",
        "1" + "0" * 300,
        "0." + "0" * 200 + "1",
        "123.45000000000000000000",
        "-0.0000000000000000000012345",
        "NaN",
        "Infinity",
        "-Infinity",
        "0." + "0" * 400,
    ],
)
def test_fifteen_significant_digits_are_a_float(text):
    for declared in (True, False):
        floats = as_floats(column(text), declared=declared)
        assert not floats.rounded
        assert floats.column.to_pylist() == pytest.approx([float(text)], rel=0, abs=0, nan_ok=True)


@pytest.mark.parametrize(
    "text", ["0.14285714285714285714", "1234567890.1234567", "123456789012345.6", "0." + "3" * 400]
)
def test_a_quotient_is_rounded_and_says_so(text):
    floats = as_floats(column("1", text), declared=False)
    assert floats.rounded
    assert floats.column.to_pylist() == [1.0, float(text)]
    assert as_floats(column("1", text), declared=True) is None


@pytest.mark.parametrize(
    "text", ["1234567890123456", "-1234567890123456.5", "9" * 60, "1" + "0" * 400, "0." + "0" * 400 + "1"]
)
def test_what_a_float_would_change_is_none(text):
    assert as_floats(column("1", text), declared=False) is None


@pytest.mark.parametrize("at", [0, 500, 1_000, 2_999])
def test_one_long_value_among_many_is_found_wherever_it_is(at):
    texts = ["0.1234567890123450000"] * 3_000
    assert not as_floats(column(*texts), declared=False).rounded
    texts[at] = "0.12345678901234567"
    assert as_floats(column(*texts), declared=False).rounded
    assert as_floats(column(*texts), declared=True) is None
    for large in ("1234567890123456.7", "-1234567890123456.7", "1234567890123456"):
        texts[at] = large
        assert as_floats(column(*texts), declared=False) is None
    texts[at] = "-123456789012345.67"
    assert as_floats(column(*texts), declared=False).rounded


def test_nan_beside_null_is_none():
    assert as_floats(column("NaN", None), declared=False) is None
    assert math.isnan(as_floats(column("NaN", "1"), declared=False).column[0].as_py())
    assert as_floats(column("1", None), declared=True).column.to_pylist() == [1.0, None]


def test_an_empty_column_is_floats():
    assert as_floats(pa.chunked_array([], pa.large_string()), declared=True).column.type == pa.float64()
