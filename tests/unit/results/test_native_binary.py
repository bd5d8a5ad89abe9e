"""Both decoders on binary values in the same PGresult, with what no server should send."""

import struct

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import made_results as made
from tusk_jupyter.results import builtin, native
from tusk_jupyter.results.binary import TYPES, ContradictoryError
from tusk_jupyter.results.decode import BYTES, STORAGE, TEXT, Decoder, Settings

pytestmark = pytest.mark.usefixtures("compiled")
BERLIN = Settings(binary=True, time_zone="Europe/Berlin")
ANY_LENGTH = {builtin.BYTEA, builtin.TEXT, builtin.VARCHAR, builtin.BPCHAR, builtin.JSON}
DAY = 86_400_000_000
EPOCH = 10_957 * DAY

WELL_FORMED = {
    builtin.INT2: [struct.pack(">h", i) for i in (0, 1, -1, 2**15 - 1, -(2**15))],
    builtin.INT4: [struct.pack(">i", i) for i in (0, 1, -1, 2**31 - 1, -(2**31))],
    builtin.INT8: [struct.pack(">q", i) for i in (0, 1, -1, 2**63 - 1, -(2**63))],
    builtin.OID: [struct.pack(">I", i) for i in (0, 1, 2**32 - 1)],
    builtin.FLOAT4: [struct.pack(">f", i) for i in (0.0, -0.0, 0.1, 1e-45, 3.4e38)] + [b"\x7f\x80\0\0", b"\xff\x80\0\0"],
    builtin.FLOAT8: [struct.pack(">d", i) for i in (0.0, -0.0, 0.1, 5e-324, 1.7e308, float("inf"), -float("inf"))],
    builtin.BOOL: [b"\0", b"\1"],
    builtin.DATE: [struct.pack(">i", i - 10_957) for i in (0, -1, -719_162, 2_932_896)],
    builtin.TIMESTAMP: [struct.pack(">q", i - EPOCH) for i in (0, -1, 719_162 * -DAY, 2_932_897 * DAY - 1)],
    builtin.TIMESTAMPTZ: [struct.pack(">q", i - EPOCH) for i in (0, 1, -62_135_510_400_000_000, 253_402_128_000_000_000)],
    builtin.UUID: [bytes(16), bytes(range(240, 256)), b"\xff" * 16],
    builtin.BYTEA: [b"", b"\0\xff", b"\\x"],
    builtin.TEXT: [b"", b"a", "é".encode()],
    builtin.VARCHAR: ["\U0001f600".encode()],
    builtin.BPCHAR: [b"padded  "],
    builtin.JSON: [b"{}"],
}
# the first beyond what an array holds, and infinity
BEYOND = {
    builtin.DATE: {-719_163: "0001-12-31 BC", 2_932_897: "10000-01-01", 2**31 - 1 + 10_957: "infinity",
                   -(2**31) + 10_957: "-infinity"},
    builtin.TIMESTAMP: {719_162 * -DAY - 1: "0001-12-31 23:59:59.999999 BC", 2_932_897 * DAY: "10000-01-01 00:00:00",
                        2**63 - 1 + EPOCH: "infinity", -(2**63) + EPOCH: "-infinity"},
    builtin.TIMESTAMPTZ: {-62_135_510_400_000_001: "0001-01-02 00:53:27.999999+00:53:28",
                          253_402_128_000_000_001: "9999-12-30 01:00:00.000001+01",
                          2**63 - 1 + EPOCH: "infinity", -(2**63) + EPOCH: "-infinity"},
}  # fmt: skip


def outcome(make, oids, chunks):
    """What a decoder makes of the chunks, or that it says they contradict themselves."""
    decoder = make(made.columns(oids), BERLIN)
    try:
        for rows in chunks:
            decoder.append(made.result(oids, rows))
    except ContradictoryError:
        return None
    return decoder.finish({})


def both(oids, *chunks):
    def compiled(*arguments):
        return native.NativeDecoder(*arguments, native.addresses())

    one, other = outcome(Decoder, oids, chunks), outcome(compiled, oids, chunks)
    if one is None or other is None:
        assert one is other
    else:
        made.assert_same(one, other)
    return other


def column(oid, *values):
    (array,) = made.runs(both([oid], [(value,) for value in values]).chunks[0])
    return array


@pytest.mark.parametrize("oid", sorted(TYPES))
def test_what_postgresql_sends_is_read_by_the_compiled_decoder_itself(oid, compiled):
    values = [None, *WELL_FORMED[oid], None]
    columns = compiled.Columns(bytes([native._BINARY_KINDS.get(oid, 0)]), native.addresses())
    assert columns.append(made.result([oid], [(value,) for value in values]).pgresult_ptr, len(values)) == []
    array = column(oid, *values)
    assert array.type == STORAGE.get(oid, TEXT)
    assert array.null_count == 2


@pytest.mark.parametrize(("oid", "code"), [(builtin.DATE, ">i"), (builtin.TIMESTAMP, ">q"), (builtin.TIMESTAMPTZ, ">q")])
def test_what_no_array_holds_is_postgresqls_text(oid, code):
    since = EPOCH if code == ">q" else 10_957
    for value, text in BEYOND[oid].items():
        array = column(oid, None, struct.pack(code, value - since))
        assert array.type == TEXT
        assert array.to_pylist() == [None, text]


def test_what_lies_beside_it_is_text_too_and_the_chunks_around_it_are_not():
    good = [(struct.pack(">q", 0),), (None,)]
    decoded = both([builtin.TIMESTAMPTZ], good, [*good, (struct.pack(">q", 2**63 - 1),)], good)
    assert [array.type for array in decoded.chunks[0]] == [STORAGE[builtin.TIMESTAMPTZ], TEXT, STORAGE[builtin.TIMESTAMPTZ]]
    assert decoded.chunks[0][1].to_pylist() == ["2000-01-01 01:00:00+01", None, "infinity"]


def test_the_bits_of_floats_stay_except_those_of_a_nan():
    nans = [b"\x7f\xc0\0\0", b"\xff\xc0\0\0", b"\x7f\x80\0\1", b"\xff\xff\xff\xff"]
    array = column(builtin.FLOAT4, *WELL_FORMED[builtin.FLOAT4], *nans)
    bits = np.frombuffer(array.buffers()[1], "<u4")
    sent = [int.from_bytes(value, "big") for value in WELL_FORMED[builtin.FLOAT4]]
    assert bits.tolist() == [*sent, *[0x7FC00000] * 4]
    array = column(builtin.FLOAT8, b"\xff\xf8" + bytes(6), b"\x7f\xf0" + bytes(5) + b"\1", struct.pack(">d", -0.0))
    assert np.frombuffer(array.buffers()[1], "<u8").tolist() == [0x7FF8 << 48, 0x7FF8 << 48, 1 << 63]


def test_a_uuid_is_its_text():
    assert column(builtin.UUID, bytes(range(16)), None, b"\xab" * 16).to_pylist() == [
        "00010203-0405-0607-0809-0a0b0c0d0e0f", None, "abababab-abab-abab-abab-abababababab",
    ]  # fmt: skip


def test_bytes_stay_bytes_and_texts_that_are_none_become_them():
    assert column(builtin.BYTEA, b"\\x00", None, b"\xff").to_pylist() == [b"\\x00", None, b"\xff"]
    array = column(builtin.TEXT, b"a", b"\xff")
    assert array.type == BYTES


@pytest.mark.parametrize("oid", sorted(TYPES - ANY_LENGTH))
def test_a_value_of_another_length_is_refused(oid):
    for wrong in (b"", WELL_FORMED[oid][0][1:], WELL_FORMED[oid][0] + b"\0"):
        assert both([oid], [(None,), (wrong,)]) is None


def test_a_boolean_is_0_or_1():
    assert both([builtin.BOOL], [(b"\1",), (b"\2",)]) is None


@pytest.mark.parametrize("oid", [builtin.NUMERIC, builtin.JSONB, 1007, 600, 999_999])
def test_no_other_type_may_come_in_binary(oid):
    for decoder, more in ((Decoder, ()), (native.NativeDecoder, (native.addresses(),))):
        with pytest.raises(ContradictoryError):
            decoder(made.columns([oid]), BERLIN, *more)


def of_width(oid):
    size = 0 if oid in ANY_LENGTH else len(WELL_FORMED[oid][0])
    return st.binary(min_size=size, max_size=size or 20) | st.sampled_from(WELL_FORMED[oid])


@settings(max_examples=400, deadline=None)
@given(st.data(), st.lists(st.sampled_from(sorted(TYPES)), min_size=1, max_size=5), st.booleans())
def test_both_decoders_agree_on_anything(data, oids, strange):
    value = {oid: st.none() | of_width(oid) | (st.binary(max_size=20) if strange else st.nothing()) for oid in oids}
    rows = st.lists(st.tuples(*(value[oid] for oid in oids)), max_size=20)
    both(oids, *data.draw(st.lists(rows, max_size=4)))


def test_rows_of_many_chunks():
    numbers = [i * 10**15 for i in range(-3000, 3000)]
    rows = [(struct.pack(">q", number), None if i % 3 else b"\1") for i, number in enumerate(numbers)]
    decoded = both([builtin.INT8, builtin.BOOL], *[rows[i : i + 500] for i in range(0, 6000, 500)])
    assert pa.concat_arrays(decoded.chunks[0]).to_pylist() == numbers
    assert pa.concat_arrays(decoded.chunks[1]).to_pylist() == [None if i % 3 else True for i in range(6000)]
