"""Batches of rows → files, without a server: what a schema is made of, rows counted through batches, bytes that are no text."""

from __future__ import annotations

import io

import pyarrow as pa
import pytest
from pyarrow import parquet

from tusk_jupyter.errors import ConversionError
from tusk_jupyter.results import builtin
from tusk_jupyter.results.decode import BYTES, TEXT, Decoded, Settings
from tusk_jupyter.results.files import ResultFile
from tusk_jupyter.results.options import FrameOptions
from tusk_jupyter.results.types import BUILTIN, Column

A = Column("a", "date", builtin.DATE)


def opened(kind, *columns):
    sink = io.BytesIO()
    return sink, ResultFile(sink, kind, columns, types=BUILTIN, settings=Settings(), options=FrameOptions())


def batch(file, *arrays):
    return Decoded(file.columns, len(arrays[0]), tuple([a] for a in arrays), BUILTIN, Settings())


def test_a_row_is_counted_through_all_batches():
    _sink, file = opened("parquet", A)
    file.write(batch(file, pa.array([1, 2, None], pa.date32())))
    with pytest.raises(ConversionError, match="row 5, column 'a': 'infinity' does not fit date32"):
        file.write(batch(file, pa.array(["2024-01-01", "infinity"], TEXT)))
    file.discard()


def test_a_batch_of_text_does_not_change_the_schema():
    sink, file = opened("parquet", A)
    file.write(batch(file, pa.array([1], pa.date32())))
    file.write(batch(file, pa.array(["1970-01-03", "5874897-12-31"], TEXT)))
    file.close()
    table = parquet.read_table(sink)
    assert table.schema.field("a").type == pa.date32()
    assert table["a"].cast(pa.int32()).to_pylist() == [1, 2, 2145042905]
    assert file.rows == 3


def test_nothing_is_written_after_a_discard():
    for kind in ("parquet", "arrow", "csv"):
        sink, file = opened(kind, A)
        file.discard()
        sink.close()
        del file  # a writer that still wrote here would be an unraisable exception, which fails the test


def test_bytes_that_are_no_text():
    _sink, file = opened("csv", A, Column("b", "text", builtin.TEXT))
    with pytest.raises(ConversionError) as caught:
        file.write(batch(file, pa.array(["x", "y"], TEXT), pa.array([b"ok", b"\xff"], BYTES)))
    assert caught.value.message.startswith("row 2, column 'b'")
    assert "encode(" in caught.value.advice


@pytest.mark.parametrize(
    ("column", "text"),
    [
        (["a", None, ""], 'a\n\n""\n'),
        (["a,b", 'q"', "\r", "\n", " x "], '"a,b"\n"q"""\n"\r"\n"\n"\n x \n'),
        (["\\."], '"\\."\n'),
        ([], ""),
    ],
)
def test_csv_quotes_what_copy_quotes(column, text):
    sink, file = opened("csv", Column("a", "text", builtin.TEXT))
    file.write(batch(file, pa.array(column, TEXT)))
    file.close()
    assert sink.getvalue().decode() == "a\n" + text


def test_a_line_that_is_empty_is_noted_once_there_is_one():
    _sink, file = opened("csv", A)
    file.write(batch(file, pa.array(["x"], TEXT)))
    assert file.notes == ()
    file.write(batch(file, pa.array([None, None], TEXT)))
    assert file.notes == ("2 of the lines are empty, for NULL: many readers skip such lines",)
