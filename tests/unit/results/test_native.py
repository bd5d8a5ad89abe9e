"""Both decoders on the same PGresult, with what a server should never send, and with what it cannot send."""

import ctypes
import gc
import random
import threading
from decimal import Decimal

import pandas as pd
import psycopg
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import made_results as made
from tests.fake_libpq import Fake
from tusk_jupyter.errors import ConversionError
from tusk_jupyter.results import builtin, native
from tusk_jupyter.results.decode import BYTES, STORAGE, TEXT, Decoder, Settings
from tusk_jupyter.results.frame import to_arrow, to_pandas, to_rows
from tusk_jupyter.results.numbers import as_text
from tusk_jupyter.results.options import FrameOptions

pytestmark = pytest.mark.usefixtures("compiled")
OPTIONS = FrameOptions()
KINDS = [*STORAGE, builtin.TEXT]


def both(oids, *chunks, **kwargs):
    """What each of the two makes of the chunks."""
    decoders = [
        decoder(made.columns(oids), Settings(), *more)
        for decoder, more in ((Decoder, ()), (native.NativeDecoder, (native.addresses(),)))
    ]
    for rows in chunks:
        result = made.result(oids, rows)
        for decoder in decoders:
            decoder.append(result, **kwargs)
    return [decoder.finish({}) for decoder in decoders]


def column(oid, *values):
    """One column of the compiled decoder, which must be the one in Python's."""
    python, compiled = both([oid], [(value,) for value in values])
    made.assert_same(python, compiled)
    return made.runs(compiled.chunks[0])


def single(oid, value):
    (array,) = column(oid, value)
    return array


WELL_FORMED = {
    builtin.INT2: ["0", "-32768", "7"],
    builtin.INT4: ["2147483647", "-1"],
    builtin.INT8: ["9223372036854775807", "-9223372036854775808", "0"],
    builtin.OID: ["4294967295"],
    builtin.FLOAT4: ["0.1", "-3.4028235e+34", "1.1754944e-20", "NaN", "Infinity", "-Infinity", "-0", "16777217"],
    builtin.FLOAT8: ["1.4142135623730951", "-1e+22", "1e-05", "NaN", "-Infinity", "-0", "12345678.9e-20"],
    builtin.BOOL: ["t", "f"],
    builtin.BYTEA: ["\\x", "\\x00ff5c"],
    builtin.DATE: ["2024-02-29", "0001-01-01", "9999-12-31", "1900-03-01"],
    builtin.TIMESTAMP: ["2024-02-29 23:59:59", "1969-12-31 00:00:00.000001", "0001-01-01 00:00:00.5"],
    builtin.TIMESTAMPTZ: ["2024-01-01 00:00:00+00", "1000-01-01 23:00:00.25-11:30", "2024-07-01 12:00:00+05:45"],
    builtin.TEXT: ["", "a", "é", "日本語 and more than eight bytes", "\U0001f600", "\0 within"],
}


@pytest.mark.parametrize("oid", KINDS)
def test_what_postgresql_writes_is_read_by_the_compiled_decoder_itself(oid, compiled):
    texts = [None, *(text.encode() for text in WELL_FORMED[oid]), None]
    columns = compiled.Columns(bytes([native._KINDS.get(oid, 0)]), native.addresses())
    assert columns.append(made.result([oid], [(text,) for text in texts]).pgresult_ptr, len(texts)) == []
    (array,) = column(oid, *texts)
    assert array.type == STORAGE.get(oid, TEXT)
    assert array.null_count == 2


# one step from well-formed: a character more, less or another one
MUTATED = st.builds(
    lambda text, at, put, cut: text[:at] + put + text[at + cut :],
    st.sampled_from([text.encode() for texts in WELL_FORMED.values() for text in texts]),
    st.integers(0, 20),
    st.binary(max_size=1) | st.sampled_from([b"0", b"9", b"-", b"+", b".", b"e", b":", b" ", b"\\", b"\x00", b" BC"]),
    st.integers(0, 2),
)
NUMBERS = st.builds(
    lambda sign, digits, point, exponent: (sign + digits[:point] + "." + digits[point:] + exponent).encode(),
    st.sampled_from(["", "-", "+"]),
    st.text("0123456789", min_size=2, max_size=24),
    st.integers(0, 24),
    st.just("") | st.integers(-420, 420).map("e{:+03}".format),
)
INTEGERS = st.integers(-(2**65), 2**65).map(lambda i: b"%d" % i)
MOMENTS = st.builds(
    "{:04}-{:02}-{:02} {:02}:{:02}:{:02}{}{}".format,
    st.integers(0, 10_100),
    st.integers(0, 13),
    st.integers(0, 32),
    st.integers(0, 25),
    st.integers(0, 61),
    st.integers(0, 61),
    st.just("") | st.integers(0, 10**7).map(".{}".format),
    st.sampled_from(["", "+00", "-15:59", "+05:30", "+16", "+0530", "+00:53:28", " BC", "+00 BC", "Z", "+05:60"]),
).map(str.encode)
HOSTILE = st.none() | MUTATED | st.binary(max_size=24) | NUMBERS | INTEGERS | MOMENTS | MOMENTS.map(lambda m: m[:10])


@settings(max_examples=500, deadline=None)
@given(st.sampled_from(KINDS), st.lists(st.lists(HOSTILE, max_size=3), max_size=3))
def test_both_decoders_agree_on_anything(oid, chunks):
    made.assert_same(*both([oid], *([(value,) for value in values] for values in chunks)))


@settings(max_examples=100, deadline=None)
@given(st.data(), st.lists(st.sampled_from(KINDS), max_size=6))
def test_both_decoders_agree_on_several_columns_and_chunks(data, oids):
    value = {oid: st.none() | st.sampled_from(WELL_FORMED[oid]).map(str.encode) | HOSTILE for oid in oids}
    rows = st.lists(st.tuples(*(value[oid] for oid in oids)), max_size=20)
    made.assert_same(*both(oids, *data.draw(st.lists(rows, max_size=4))))


def test_one_refused_chunk_lies_between_those_that_were_read():
    good, bad = [(b"1",), (None,)] * 300, [(b"1",)] * 300 + [(b"x",), (None,)]
    python, compiled = both([23], good, bad, good)
    made.assert_same(python, compiled)
    assert [array.type for array in compiled.chunks[0]] == [pa.int64(), TEXT, pa.int64()]
    assert [len(array) for array in compiled.chunks[0]] == [600, 302, 600]
    assert compiled.chunks[0][0].null_count == 300


def halfway(random):
    """A number in the middle between two floats, or next to it: where every digit counts."""
    mantissa = random.randrange(2**53, 2**54) * 2 + 1
    power = random.randrange(-6, 7)
    value = mantissa * 2**power if power >= 0 else mantissa * 5**-power
    text = f"{value + random.choice([-1, 0, 0, 1])}"
    return text + f"e{power:+03}" if power < 0 else text


def remainders(random, wanted):
    """Numbers that 64 bits of a quotient show halfway between two floats, and only its remainder shows to be above."""
    while wanted:
        digits, power = random.randrange(2**56, 10**19), random.randrange(1, 28)
        shift = 5**power << 64 - (5**power).bit_length()
        top, rest = divmod(digits << (64 - digits.bit_length()) + 64, shift)
        bits = top.bit_length() - 53
        if rest and top & (1 << bits) - 1 == 1 << bits - 1:
            wanted -= 1
            yield f"{digits}e-{power:02}"


@pytest.mark.parametrize("oid", [builtin.FLOAT4, builtin.FLOAT8])
def test_floats_are_the_nearest_to_their_text(oid):
    pick = random.Random(4)
    texts = [halfway(pick) for _ in range(2_000)]
    for _ in range(5_000):
        digits = str(pick.randrange(10 ** pick.randrange(1, 20)))
        texts.append(f"{digits[0]}.{digits[1:] or '0'}e{pick.randrange(-40, 45):+03}")
    texts += remainders(pick, 30)
    texts += [repr(pick.uniform(-1e6, 1e6)) for _ in range(2_000)]
    python, compiled = both([oid], *([(text.encode(),)] for text in texts))
    made.assert_same(python, compiled)
    if oid == builtin.FLOAT8:
        assert [value for array in compiled.chunks[0] for value in array.to_pylist()] == [float(t) for t in texts]


@pytest.mark.parametrize("number", [2**63, -(2**63) - 1, 10**19 - 1, -(10**19) + 1, 10**20, 2**63 + 1])
def test_integers_beyond_64_bits_stay_text(number):
    assert single(builtin.INT8, b"%d" % number).type == TEXT


@pytest.mark.parametrize("oid", KINDS)
@pytest.mark.parametrize("number", [2**64, 10 * 2**64, 2**64 + 1, -(2**64), 10**19, 10**60], ids=str)
def test_digits_that_do_not_fit_are_not_lost(oid, number):
    for text in (f"{number}", f"{number}.5", f"0.{abs(number)}", f"{number}e-19", f"1e+{abs(number)}"):
        single(oid, text.encode())


@pytest.mark.parametrize("oid", [builtin.DATE, builtin.TIMESTAMP, builtin.TIMESTAMPTZ])
def test_the_calendar_of_the_years_one_to_9999(oid):
    first, last = -719_160, 2_932_894
    days = pa.array([*range(first, last, 101), *range(-26_000, 48_500), last], pa.date32())
    tail = {builtin.DATE: "", builtin.TIMESTAMP: " 01:02:03.4", builtin.TIMESTAMPTZ: " 12:00:00+00"}[oid]
    texts = [f"{text}{tail}".encode() for text in days.cast(pa.string()).to_pylist()]
    python, compiled = both([oid], [(text,) for text in texts])
    made.assert_same(python, compiled)
    assert made.runs(compiled.chunks[0])[0].type == STORAGE[oid]


@pytest.mark.parametrize("oid", [builtin.DATE, builtin.TIMESTAMP, builtin.TIMESTAMPTZ])
@pytest.mark.parametrize(
    "text",
    ["2024-01-01", "2024-01-01 ", "2024-01-01 00:00", "2024-01-01 00:00:00.", "2024-01-01 00:00:00.1234567",
     "2024-01-01 00:00:00.123456789", "2024-01-01 24:00:00", "2024-01-01 00:60:00", "2024-01-01 00:00:60",
     "2024-01-01T00:00:00", "2024-13-01", "2024-00-01", "2024-01-00", "2023-02-29", "1900-02-29", "2024-04-31",
     "0000-01-01", "10000-01-01", "2024-01-01 00:00:00 BC", "2024-1-01", "2024/01/01", "+024-01-01"],
)  # fmt: skip
def test_moments_that_postgresql_does_not_write_so(oid, text):
    for zone in ("", "+00", "+00:00", "+0000", "+16", "+15:60", "+00:53:28", "Z", " UTC", "-00", "*00", "+1", "+0a"):
        single(oid, (text + zone).encode())


@pytest.mark.parametrize(
    ("text", "is_read"),
    [
        ("0001-01-01 23:59:59.999999+00", False),
        ("0001-01-02 00:00:00+00", True),
        ("0001-01-01 23:59:59.999999-00:01", True),
        ("9999-12-30 00:00:00+00", True),
        ("9999-12-30 00:00:00.000001+00", False),
        ("9999-12-30 00:00:00+01", True),
        ("9999-12-29 23:59:00-00:02", False),
    ],
)
def test_the_first_and_the_last_moment_that_any_zone_can_show(text, is_read):
    assert single(builtin.TIMESTAMPTZ, text.encode()).type == (STORAGE[builtin.TIMESTAMPTZ] if is_read else TEXT)


def test_text_is_valid_utf8_and_nothing_else_is():
    for code in [*range(0x80, 0x2100), 0x7FF, 0x800, 0xD7FF, 0xE000, 0xFFFF, 0x10000, 0x10FFFF]:
        assert single(25, chr(code).encode()).type == TEXT
    bad = [b"\x80", b"\xc0\x80", b"\xc1\xbf", b"\xe0\x9f\xbf", b"\xed\xa0\x80", b"\xf0\x8f\xbf\xbf", b"\xf4\x90\x80\x80",
           b"\xf5\x80\x80\x80", b"\xff", b"\xc3", b"\xe2\x82", b"\xf0\x9f\x98", b"\xe2\x28\xa1", b"eight by\xc3", b"\xc3eight by"]  # fmt: skip
    for raw in bad:
        assert single(25, raw).type == BYTES
        assert single(25, b"long enough for words" + raw + b"and a tail of some length").type == BYTES
    # a character that begins in one value and ends in the next is none
    assert [a.type for a in column(25, b"\xc3", b"\xa9")] == [BYTES]


def test_nothing_of_nothing():
    for chunks in ([], [[]], [[(), (), ()]]):
        python, compiled = both([], *chunks)
        made.assert_same(python, compiled)
    assert both([], [(), ()])[1].rowcount == 0  # libpq itself counts no rows that have no columns here
    made.assert_same(*both([23, 25], []))


def test_only_the_rows_asked_for():
    python, compiled = both([23, 25], [(b"1", b"a"), (b"2", b"b"), (b"x", b"\xff")], rows=2)
    made.assert_same(python, compiled)
    assert [array.to_pylist() for (array,) in compiled.chunks] == [[1, 2], ["a", "b"]]


def test_a_column_is_one_array_however_many_chunks_came():
    rows = [(b"%d" % i, b"text %d" % i, None if i % 3 else b"2024-02-29") for i in range(300)]
    python, compiled = both([23, 25, 1082], *(rows[i : i + 7] for i in range(0, 300, 7)))
    made.assert_same(python, compiled)
    assert [len(arrays) for arrays in compiled.chunks] == [1, 1, 1]


@pytest.mark.parametrize("size", [2**16, 2**20 - 1, 2**20 + 1, 5 * 2**20])
def test_columns_of_any_size_are_whole(size):
    """Sizes at which memory is got in another way."""
    value, rows = bytes(range(32, 127)) * 10, size // 950 + 1
    decoder = native.NativeDecoder(made.columns([25, 20]), Settings(), native.addresses())
    chunk = made.result([25, 20], [(value, b"7"), (None, None)])
    for _ in range(rows):
        decoder.append(chunk)
    texts, numbers = (arrays[0] for arrays in decoder.finish({}).chunks)
    assert texts.to_pylist() == [value.decode(), None] * rows
    assert numbers.to_pylist() == [7, None] * rows


def test_the_memory_held_is_known_at_any_time():
    decoder = native.NativeDecoder(made.columns([20, 25]), Settings(), native.addresses())
    decoder.append(made.result([20, 25], [(b"1", b"abc"), (None, None)]))
    assert decoder.nbytes == 2 * 8 + 1 + 3 * 8 + 3 + 1
    decoder.append(made.result([20, 25], [(b"x", b"abc")]))
    decoded = decoder.finish({})
    assert decoder.nbytes == sum(array.get_total_buffer_size() for arrays in decoded.chunks for array in arrays)


def test_arrays_outlive_everything_they_came_from():
    decoder = native.NativeDecoder(made.columns([25]), Settings(), native.addresses())
    decoder.append(made.result([25], [(b"x" * 1000,)] * 1000))
    (array,) = decoder.finish({}).chunks[0]
    piece = array.slice(999)
    del decoder, array
    gc.collect()
    assert piece.to_pylist() == ["x" * 1000]


# -- numeric with a declared scale ------------------------------------------------------------------------------------


def typmod(precision, scale):
    return (precision << 16 | scale & 0x7FF) + 4


def scaled(scale, *chunks, precision=30):
    """What the two decoders make of chunks of numeric(precision, scale); they keep the same texts."""
    columns = made.columns([builtin.NUMERIC], typmod(precision, scale))
    decoders = Decoder(columns, Settings()), native.NativeDecoder(columns, Settings(), native.addresses())
    for texts in chunks:
        result = made.result([builtin.NUMERIC], [(None if text is None else text.encode(),) for text in texts])
        for decoder in decoders:
            decoder.append(result)
    python, compiled = (decoder.finish({}) for decoder in decoders)
    made.assert_same(python, compiled)
    assert [text for array in compiled.chunks[0] for text in as_text(array).to_pylist()] == [t for c in chunks for t in c]
    return python, compiled


@pytest.mark.parametrize(
    ("scale", "texts"),
    [
        (2, ["1.37", "0.00", "-0.01", "9999999999999999.99", "-9999999999999999.99", None, "10.00"]),
        (0, ["0", "-1", "999999999999999999", "-999999999999999999"]),
        (1, ["0.0", "-12345678901234567.8"]),
        (17, ["0.00000000000000001", "-9.99999999999999999"]),
    ],
)
def test_decimals_of_up_to_18_digits_are_stored_as_integers(scale, texts):
    _, compiled = scaled(scale, texts)
    assert [array.type for array in compiled.chunks[0]] == [pa.decimal64(18, scale)]
    assert compiled.chunks[0][0].to_pylist() == [None if text is None else Decimal(text) for text in texts]


@pytest.mark.parametrize(
    ("scale", "text"),
    [(2, text) for text in ("NaN", "Infinity", "-Infinity", "-0.00", "1", "1.5", "1.500", "1.", ".50", "01.50", "00.50",
                            "+1.50", "1,50", "1e2", "1.5e", "10000000000000000.00", "9" * 60 + ".99", "", "-", "-.5", "- 1.50",
                            "1.5 ", " 1.5", "1..5", "--1.50", "1.-5")]
    + [(0, text) for text in ("-0", "1.", "00", "1000000000000000000", "1.0", "")]
    + [(17, "10.00000000000000000")],
)  # fmt: skip
def test_what_is_no_decimal_of_that_scale_stays_text(scale, text):
    _, compiled = scaled(scale, [text])
    assert [array.type for array in compiled.chunks[0]] == [TEXT]


@pytest.mark.parametrize("scale", [18, 500, 1000, -1, -2])
def test_scales_that_64_bits_do_not_hold_are_text(scale):
    _, compiled = scaled(scale, ["0", None])
    assert [array.type for array in compiled.chunks[0]] == [TEXT]


NUMERICS = st.none() | st.integers(-(10**20), 10**20).map(str) | st.builds(
    lambda number, places: f"{number.scaleb(-places):f}",
    st.integers(-(10**19), 10**19).map(Decimal),
    st.integers(0, 19),
) | st.sampled_from(["NaN", "Infinity", "-0.00", "0.00"])  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from([0, 2, 2, 2, 10, 17]), st.lists(st.lists(NUMERICS, max_size=4), max_size=4), st.booleans(), st.booleans()
)
def test_frames_of_numerics_are_the_same_from_both(scale, chunks, fits, release):
    if fits:
        chunks = [[t and f"{int(float(t)) % 10**12 / 10**scale:.{scale}f}" if t and t[-1].isdigit() else t for t in c] for c in chunks]
    python, compiled = scaled(scale, *chunks)
    for numeric in ("float", "decimal"):
        options = FrameOptions(numeric=numeric)
        (mine, said), (its, it_said) = (to_pandas(d, options) for d in (python, compiled))
        pd.testing.assert_frame_equal(mine, its, check_exact=True)
        assert repr(mine["x0"].tolist()) == repr(its["x0"].tolist())
        assert said == it_said
    (mine, _), (its, _) = (to_rows(d, OPTIONS) for d in (python, compiled))
    assert repr(mine) == repr(its)
    again, _ = to_pandas(compiled, OPTIONS, release=True)
    first, _ = to_pandas(python, OPTIONS, release=True)
    pd.testing.assert_frame_equal(first, again, check_exact=True)


@pytest.mark.parametrize(
    ("chunks", "dtype", "said"),
    [
        ([["123456789012345", "-1", None]], "float64", ""),
        ([["1234567890123456", "1"]], object, "float64 would change some of its values"),
        ([["123456789012345000", "1"]], "float64", ""),
        ([["123456789012345678"]], object, "float64 would change some of its values"),
        ([["1"], ["NaN"], ["2"]], "float64", ""),
        ([["1", None], ["NaN"], ["2"]], object, "float64 would change some of its values"),
        ([["1"], ["1000000000000000000"], ["2"]], "float64", ""),
        ([["1"], ["1000000000000000001"], ["2"]], object, "float64 would change some of its values"),
        ([[]], "float64", ""),
    ],
)
def test_which_numerics_become_floats(chunks, dtype, said):
    for decoded in scaled(0, *chunks):
        frame, notes = to_pandas(decoded, OPTIONS, release=True)
        texts = [text for chunk in chunks for text in chunk]
        if dtype is object:
            assert [v if v is None else f"{v:f}" for v in frame["x0"]] == texts
        else:
            assert repr(frame["x0"].tolist()) == repr([float(text or "NaN") for text in texts])
        assert frame["x0"].dtype == dtype
        assert said in "".join(notes)
        assert bool(said) == bool(notes)


def test_decimals_are_the_floats_nearest_to_them():
    pick = random.Random(5)
    for scale in (1, 2, 7, 14, 17):
        texts = [f"{Decimal(pick.randrange(-(10**15) + 1, 10**15)).scaleb(-scale):f}" for _ in range(3_000)]
        texts = [text for text in texts if text.strip("-0.")]
        frame, _ = to_pandas(scaled(scale, texts)[1], OPTIONS, release=True)
        assert frame["x0"].tolist() == [float(text) for text in texts]


@pytest.mark.parametrize(("precision", "scale"), [(15, 2), (38, 2), (60, 5), (4, 2)])
def test_decimals_become_arrows_of_the_declared_size(precision, scale):
    whole = "9" * min(precision - scale, 18 - scale)
    texts = [f"{whole}.{'9' * scale}", f"-1.{'0' * scale}", None]
    tables = [to_arrow(decoded, OPTIONS)[0] for decoded in scaled(scale, texts, precision=precision)]
    assert tables[0].equals(tables[1])
    make = pa.decimal128 if precision <= 38 else pa.decimal256
    assert tables[1].schema.field(0).type == make(precision, scale)


def test_a_decimal_beyond_what_was_declared_stops_an_export():
    for decoded in scaled(2, ["1.00", "12345.67"], precision=4):
        with pytest.raises(ConversionError, match=r"row 2, column 'x0': '12345\.67' does not fit decimal128"):
            to_arrow(decoded, OPTIONS)


# -- what libpq itself never says -------------------------------------------------------------------------------------


def held(compiled, fake, kinds):
    return compiled.Columns(bytes(kinds), fake.addresses, bytes(len(kinds)))


@pytest.mark.parametrize("cell", [(-1, None, 0), (-(2**31), None, 1), (3, None, 0), (2**31 - 1, None, 0)])
@pytest.mark.parametrize("kind", [*range(9), native._SCALED])
def test_a_result_that_contradicts_itself_leaves_the_columns_as_they_were(compiled, kind, cell):
    text = {1: "1", 2: "1", 3: "1", 4: "t", 6: "2024-01-01", 7: "2024-01-01 00:00:00", 8: "2024-01-01 00:00:00+00", native._SCALED: "1"}
    good = ctypes.create_string_buffer(text.get(kind, "\\x").encode())
    cells = {(row, 0): (len(good) - 1, good, 0) for row in range(600)}
    fake = Fake(600, 1, cells)
    columns = held(compiled, fake, [kind])
    columns.append(1, 300)
    before = columns.nbytes
    cells[599, 0] = cell
    with pytest.raises(ValueError, match="contradicts itself"):
        columns.append(1, 600)
    assert columns.nbytes == before
    cells[599, 0] = (0, None, 1)
    assert columns.append(1, 600) == []
    ((rows, nulls, *_),) = columns.take()
    assert (rows, nulls) == (900, 1)
    assert columns.take() == [None]


@pytest.mark.parametrize(("rows", "fields"), [(2, 1), (-1, 1), (1, 2), (1, 0), (2**31 - 1, 1), (-(2**31), 1)])
def test_rows_and_columns_that_are_not_there_are_not_read(compiled, rows, fields):
    fake = Fake(1, fields, {(0, 0): (0, None, 0)})
    with pytest.raises(ValueError, match="not of these columns"):
        held(compiled, fake, [0]).append(1, rows)
    assert fake.read == []


def test_an_empty_value_is_not_asked_for(compiled):
    fake = Fake(1, 1, {(0, 0): (0, None, 0)})
    columns = held(compiled, fake, [0])
    assert columns.append(1, 1) == []
    assert columns.take()[0][:2] == (1, 0)


def test_a_second_thread_is_refused_while_one_appends(compiled):
    entered, leave, said = threading.Event(), threading.Event(), []
    cells = {(0, 0): (0, None, 1)}

    class Waiting(dict):
        def __getitem__(self, at):
            entered.set()
            leave.wait(20)
            return cells[at]

    fake = Fake(1, 1, Waiting())  # kept: its functions are called by their addresses
    columns = held(compiled, fake, [1])
    thread = threading.Thread(target=lambda: said.append(columns.append(1, 1)))
    thread.start()
    assert entered.wait(20)
    for call in (lambda: columns.append(1, 1), columns.take, lambda: columns.nbytes):
        with pytest.raises(RuntimeError, match="another thread"):
            call()
    leave.set()
    thread.join(20)
    assert said == [[]]
    assert columns.take()[0][:2] == (1, 1)


@pytest.mark.parametrize(
    ("kinds", "addresses", "error"),
    [
        (b"\x15", (1, 1, 1, 1, 1), ValueError),
        (b"\x16", (1, 1, 1, 1, 1), ValueError),
        (b"\xff", (1, 1, 1, 1, 1), ValueError),
        (b"\x00", (1, 1, 0, 1, 1), ValueError),
        (b"\x00", (1, 1, 1, 1), IndexError),
        (b"\x00", (1, 1, "1", 1, 1), TypeError),
        (b"\x00", [1, 1, 1, 1, 1], TypeError),
        (b"\x00", (1, 1, 2**70, 1, 1), OverflowError),
    ],
)
def test_nonsense_makes_no_columns(compiled, kinds, addresses, error):
    with pytest.raises(error):
        compiled.Columns(kinds, addresses)


def test_a_cleared_result_is_no_result():
    result = made.result([23], [(b"1",)])
    decoder = native.NativeDecoder(made.columns([23]), Settings(), native.addresses())
    result.clear()
    with pytest.raises(ValueError, match="no result"):
        decoder._collect(result, 1)


# -- which one it is --------------------------------------------------------------------------------------------------


def chosen(encoding="UTF8"):
    return type(native.decoder_for(made.columns([25]), Settings(encoding=encoding)))


def test_the_compiled_decoder_is_used_where_there_is_one(monkeypatch):
    monkeypatch.delenv(native.VARIABLE, raising=False)
    assert chosen() is native.NativeDecoder
    assert chosen("SQL_ASCII") is native.NativeDecoder
    assert chosen("LATIN1") is Decoder
    assert chosen("no such encoding") is Decoder


@pytest.mark.parametrize(("value", "decoder"), [("python", Decoder), ("compiled", native.NativeDecoder)])
def test_the_environment_decides(monkeypatch, value, decoder):
    monkeypatch.setenv(native.VARIABLE, value)
    assert chosen() is decoder


@pytest.fixture
def forgotten():
    """What was found out about psycopg is found out again."""
    for cached in (native.why_not, native.addresses):
        cached.cache_clear()
    yield
    for cached in (native.why_not, native.addresses):
        cached.cache_clear()


def not_built(monkeypatch):
    monkeypatch.setitem(native.sys.modules, "tusk_jupyter.results._decode", None)


def pure_psycopg(monkeypatch):
    monkeypatch.setattr(psycopg.pq, "__impl__", "python")


def another_libpq(monkeypatch):
    monkeypatch.setattr(psycopg.pq, "version", lambda: 90_000)


def a_library_without_libpq(monkeypatch):
    monkeypatch.setattr(native, "_libpq", lambda _: ctypes.CDLL(None))


def no_library(monkeypatch):
    monkeypatch.setattr(native.sys.modules[psycopg.pq.PGresult.__module__], "__file__", "/no/such/file.so")


@pytest.mark.usefixtures("forgotten")
@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (not_built, "_decode"),
        (pure_psycopg, "pure Python"),
        (another_libpq, "and psycopg uses 90000"),
        (a_library_without_libpq, "cannot be asked"),
        (no_library, "cannot be asked"),
    ],
)
def test_without_it_everything_is_read_in_python(monkeypatch, spoil, said):
    monkeypatch.delenv(native.VARIABLE, raising=False)
    spoil(monkeypatch)
    assert said in native.why_not()
    assert chosen() is Decoder
    monkeypatch.setenv(native.VARIABLE, "compiled")
    with pytest.raises(ImportError, match=said):
        chosen()
