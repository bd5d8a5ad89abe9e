"""What a column becomes on its way to COPY, without a server."""

from __future__ import annotations

import datetime as dt
import decimal
import enum
import uuid

import pandas as pd
import pyarrow as pa
import pytest

from tusk_jupyter.errors import InvalidInput
from tusk_jupyter.results.copy_csv import Encoder
from tusk_jupyter.results.feeds import feed_of
from tusk_jupyter.results.intervals import Interval
from tusk_jupyter.results.outgoing import declared
from tusk_jupyter.results.outgoing_objects import kind_of


def encoded(value):
    encoder = Encoder(feed_of(value, "df"))
    chunks = []
    while (chunk := encoder.chunk()) is not None:
        chunks.append(chunk)
    return b"".join(chunks).decode()


class Color(enum.Enum):
    RED = "red"


@pytest.mark.parametrize(
    ("values", "kind", "text"),
    [
        ([1, None], "bigint", "1"),
        ([2**64 - 1], "numeric(20)", "18446744073709551615"),
        ([-(2**80)], "numeric", str(-(2**80))),
        ([0.5, 1], "double precision", "0.5"),
        ([decimal.Decimal("1E+3"), 2], "numeric", "1E+3"),
        ([True], "boolean", "true"),
        ([Color.RED], "text", "red"),
        ([dt.datetime(2024, 1, 1, tzinfo=dt.UTC)], "timestamp with time zone", "2024-01-01 00:00:00.000000+00:00"),
        ([dt.timedelta(days=-1, hours=1)], "interval", "+0 days -23:00:00.000000"),
        ([Interval(1, -2, 3)], "interval", "+1 months -2 days +0:00:00.000003"),
        ([b"\0"], "bytea", "\\x00"),
        ([uuid.UUID(int=0)], "uuid", str(uuid.UUID(int=0))),
        ([[[1], [None]], []], "bigint[]", '{{"1"},{NULL}}'),
        ([('a"\\', "NULL")], "text[]", '{"a\\"\\\\","NULL"}'),
        ([[{"a": 1}]], "jsonb", '[{"a": 1}]'),
        ([None, pd.NA, pd.NaT, float("nan")], "text", None),
    ],
)
def test_kinds_of_objects(values, kind, text):
    found = kind_of(values, "c")
    assert found.type == kind
    if text is not None:
        assert found.text(values[0]) == text


@pytest.mark.parametrize("values", [[1, "a"], [True, 1], [2**60, 0.5], [b"a", "a"], [[1], "a"], [[1, "a"]], [object()]])
def test_kinds_that_do_not_go_together(values):
    with pytest.raises(InvalidInput, match="column 'c'"):
        kind_of(values, "c")


def test_naive_and_zoned_do_not_go_together():
    moment = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
    with pytest.raises(InvalidInput, match="mixes"):
        kind_of([moment, moment.replace(tzinfo=None)], "c")


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (pa.uint8(), "smallint"),
        (pa.uint16(), "integer"),
        (pa.uint32(), "bigint"),
        (pa.decimal128(5, -2), "numeric(7,0)"),
        (pa.decimal128(2, 5), "numeric(5,5)"),
        (pa.list_(pa.list_(pa.int32())), "integer[]"),
        (pa.list_(pa.struct({"a": pa.int8()})), "jsonb"),
        (pa.map_(pa.string(), pa.int8()), "jsonb"),
        (pa.dictionary(pa.int8(), pa.float32()), "real"),
        (pa.json_(), "jsonb"),
        (pa.binary(16), "bytea"),
        (pa.date64(), "date"),
    ],
)
def test_declared_types(kind, name):
    assert declared(kind) == name


def test_null_and_empty_text_stay_apart():
    assert encoded(pd.DataFrame({"a": ["", None], "b": [1, 2]})) == '"",1\n,2\n'


def test_slices_hold_all_rows_in_their_order():
    frame = pd.DataFrame({f"c{i}": range(5_000) for i in range(100)})
    assert [line.split(",", 1)[0] for line in encoded(frame).splitlines()] == [str(i) for i in range(5_000)]


def test_lines_lead_back_to_rows():
    encoder = Encoder(feed_of(pd.DataFrame({"a": ["x\r\ny", "b", "\n\n", "c"] * 6_000}), "df"))
    while encoder.chunk() is not None:
        pass
    # the first row has the line of its \r, before the server knows what ends a line
    lines = [2, 1, 3, 1] + [2, 1, 3, 1] * 5_999
    line = 1
    for row, count in enumerate(lines):
        if row < 8 or row % 97 == 0:  # each look encodes a slice again
            assert encoder.row_of(line) == encoder.row_of(line + count - 1) == row
        line += count
    assert encoder.row_of(line) is None
