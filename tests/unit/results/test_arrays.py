"""Columns that become a frame without a copy: theirs to write to, NULLs in place, and nobody else's."""

import gc

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from tests import made_results as made
from tusk_jupyter.results import arrays, builtin
from tusk_jupyter.results.decode import Settings
from tusk_jupyter.results.frame import to_pandas
from tusk_jupyter.results.native import decoder_for
from tusk_jupyter.results.options import FrameOptions

OPTIONS = FrameOptions()
NAN, NAT = float("nan"), pd.NaT
# type, texts, the frame's values, its dtype, and something else to write
COLUMNS = [
    (builtin.INT8, ["1", "-2"], [1, -2], "int64", 7),
    (builtin.INT4, ["1", None], [1, pd.NA], "Int64", 7),
    (builtin.FLOAT4, ["0.5", None], [0.5, NAN], "float32", 7.0),
    (builtin.FLOAT8, ["0.5", "NaN"], [0.5, NAN], "float64", 7.0),
    (builtin.FLOAT8, ["0.5", None], [0.5, NAN], "float64", 7.0),
    (builtin.BOOL, ["t", "f"], [True, False], "bool", False),
    (builtin.BOOL, ["t", None], [True, pd.NA], "boolean", False),
    (builtin.DATE, ["2024-02-29", None], [pd.Timestamp("2024-02-29"), NAT], "datetime64[s]", pd.Timestamp("1999-12-31")),
    (builtin.TIMESTAMP, ["2024-02-29 01:02:03.4", None], [pd.Timestamp("2024-02-29 01:02:03.4"), NAT], "datetime64[us]",
     pd.Timestamp("1999-12-31")),
    (builtin.TIMESTAMPTZ, ["2024-02-29 01:02:03+00", None], [pd.Timestamp("2024-02-29 01:02:03+00"), NAT],
     "datetime64[us, UTC]", pd.Timestamp("1999-12-31", tz="UTC")),
    (builtin.TEXT, ["a", None], ["a", NAN], "str", "other"),
    (builtin.NUMERIC, ["1.5", None], [1.5, NAN], "float64", 7.0),
]  # fmt: skip


def decoded(oid, texts, chunks=1):
    decoder = decoder_for(made.columns([oid]), Settings())
    for _ in range(chunks):
        decoder.append(made.result([oid], [(None if text is None else text.encode(),) for text in texts]))
    return decoder.finish({})


@pytest.mark.parametrize("chunks", [1, 3])
@pytest.mark.parametrize("release", [True, False])
@pytest.mark.parametrize(("oid", "texts", "values", "dtype", "other"), COLUMNS)
def test_a_frame_is_right_and_can_be_written_to(decoder, oid, texts, values, dtype, other, release, chunks):
    result = decoded(oid, texts, chunks)
    frame, _ = to_pandas(result, OPTIONS, release=release)
    expected = pd.DataFrame({"x0": pd.Series(values * chunks, dtype=dtype)})
    pd.testing.assert_frame_equal(frame, expected)
    gc.collect()
    for row in range(len(frame)):
        frame.loc[row, "x0"] = other
    frame["x0"].to_numpy()
    assert frame["x0"].tolist() == [other] * len(frame)
    if not release:
        again, _ = to_pandas(result, OPTIONS, release=release)
        pd.testing.assert_frame_equal(again, expected)


@pytest.mark.usefixtures("compiled")
@pytest.mark.parametrize("oid", [builtin.INT8, builtin.FLOAT4, builtin.FLOAT8, builtin.TIMESTAMP, builtin.TIMESTAMPTZ])
def test_the_memory_of_a_frame_is_the_decoders(monkeypatch, oid):
    monkeypatch.setenv("TUSK_DECODER", "compiled")
    text = {builtin.TIMESTAMP: "2024-01-01 00:00:00", builtin.TIMESTAMPTZ: "2024-01-01 00:00:00+00"}.get(oid, "1")
    result = decoded(oid, [text] * 5, chunks=3)
    address = result.chunks[0][0].buffers()[1].address
    frame, _ = to_pandas(result, OPTIONS, release=True)
    assert result.chunks == ([],)
    values = frame["x0"].array
    assert (values._ndarray if hasattr(values, "_ndarray") else values.to_numpy()).ctypes.data == address


@pytest.mark.usefixtures("compiled")
def test_texts_of_a_frame_are_the_decoders(monkeypatch):
    monkeypatch.setenv("TUSK_DECODER", "compiled")
    result = decoded(builtin.TEXT, ["some text", None, ""], chunks=3)
    address = result.chunks[0][0].buffers()[2].address
    frame, _ = to_pandas(result, OPTIONS, release=True)
    assert pa.array(frame["x0"]).buffers()[2].address == address


def test_slices_are_read_from_where_they_begin():
    whole = pa.array([1, None, 3, 4, None, 6])
    values = arrays.numbers([whole.slice(1, 4)], "i8", 0, take=True)
    assert values.tolist() == [0, 3, 4, 0]
    both = arrays.numbers([whole.slice(4), whole.slice(0, 2)], "i8", -1, take=True)
    assert both.tolist() == [-1, 6, 1, -1]
    assert arrays.booleans([pa.array([True, None, False]).slice(1)]).tolist() == [False, False]
    assert arrays.nulls([whole.slice(3)]).tolist() == [False, True, False]


def test_nothing_at_all():
    for empty in ([], [pa.array([], pa.int64())]):
        assert arrays.numbers(empty, "i8", 0, take=True).dtype == np.int64
        assert len(arrays.booleans([])) == len(arrays.nulls([])) == 0
    assert arrays.numbers([pa.array([None], pa.int64())], "i8", 5, take=False).tolist() == [5]


def test_memory_that_must_not_be_written_to_is_copied():
    raw = pa.py_buffer(np.array([1, 2]).tobytes())
    values = arrays.numbers([pa.Array.from_buffers(pa.int64(), 2, [None, raw])], "i8", 0, take=True)
    values[0] = 7
    assert raw.to_pybytes()[0] == 1


def test_pieces_are_the_whole(monkeypatch):
    monkeypatch.setattr(arrays, "ROWS_AT_ONCE", 3)
    chunks = [pa.array(range(7)), pa.array([], pa.int64()), pa.array([7])]
    cut = list(arrays.pieces(chunks))
    assert [len(piece) for piece in cut] == [3, 3, 1, 1]
    assert [value for piece in cut for value in piece.to_pylist()] == list(range(8))
