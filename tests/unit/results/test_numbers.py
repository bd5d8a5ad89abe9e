import math
import random
from decimal import Decimal

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from tusk_jupyter.results.numbers import as_floats, as_text, numeric_floats


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


# -- decimals of 64 bits ---------------------------------------------------------------------------------------------


def scaled(texts, scale):
    """What the compiled decoder keeps of such texts."""
    return pc.cast(pa.array([None if text is None else Decimal(text) for text in texts]), pa.decimal64(18, scale))


def spelled(number, scale):
    return f"{Decimal(number).scaleb(-scale):.{scale}f}"


@pytest.mark.parametrize("scale", [0, 1, 6, 7, 9, 10, 17])
def test_decimals_are_what_their_texts_are(scale):
    pick = random.Random(scale)
    numbers = [pick.randrange(10 ** pick.randrange(16)) * 10 ** pick.randrange(3) * pick.choice([1, -1]) for _ in range(3_000)]
    texts = [*(spelled(n, scale) for n in numbers), None, spelled(0, scale), spelled(10**17, scale), spelled(-(10**17), scale)]
    chunk = scaled(texts, scale)
    assert as_text(chunk).to_pylist() == texts
    for take in (False, True):
        floats, rounded = numeric_floats([chunk], declared=True, take=take)
        assert not rounded
        assert [None if text is None else float(text) for text in texts] == [None if math.isnan(f) else f for f in floats]
        chunk = scaled(texts, scale)


@pytest.mark.parametrize("number", [1_234_567_890_123_456, -(10**18 - 1), 10**16 + 10])
@pytest.mark.parametrize("scale", [0, 2, 9, 17])
def test_decimals_that_a_float_would_change_are_none(number, scale):
    chunk = scaled([spelled(1, scale), spelled(number, scale)], scale)
    assert numeric_floats([chunk], declared=True, take=True) is None
    assert as_text(chunk).to_pylist() == [spelled(1, scale), spelled(number, scale)]


def test_decimals_and_texts_of_one_column_keep_their_order():
    text = pa.array(["1.5", None, "1000000000000.250"], pa.large_string())
    floats, _ = numeric_floats([scaled(["0.000"], 3), text, scaled(["100000000000000.000"], 3)], declared=True, take=False)
    assert floats.tolist()[:2] + floats.tolist()[3:] == [0.0, 1.5, 1000000000000.25, 1e14]
    assert math.isnan(floats[2])
