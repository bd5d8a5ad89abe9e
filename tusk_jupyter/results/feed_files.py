"""Files to be loaded: Parquet and Arrow by batches, CSV as text that PostgreSQL reads; memory for one batch each.

CSV values go to the server as they stand in the file: what is a number there is PostgreSQL's to say, no digit is lost
on the way through a float, and a value that does not fit is refused with its row. Types are only guessed where a table
is to be made, from the first megabyte: numbers with leading zeros are text (they are codes), integers of more digits
than ``bigint`` has are ``numeric``. An empty field is NULL, ``""`` an empty text, as COPY has it.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet
import pyarrow.types as pt

from tusk_jupyter.errors import InvalidInput, IoError
from tusk_jupyter.results.feeds import Feed, FeedColumn, arrow_feed, slice_rows
from tusk_jupyter.results.outgoing import declared

if TYPE_CHECKING:
    from pathlib import Path

SUFFIXES: Final = (".parquet", ".csv", ".arrow")
_BLOCK: Final = 1 << 20
_CODES: Final = r"^[+-]?0[0-9]"
_LONG: Final = r"^[+-]?[0-9]{16,}$"


def feed_of_file(path: Path) -> Feed:
    """Return the feed of a file; the caller closes it.

    :raises InvalidInput: for a file of another kind, or one that is not what its name says.
    :raises IoError: for one that cannot be read.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise InvalidInput(
            f"{path.name!r} is of no kind that can be loaded", advice=f"There are: {', '.join(SUFFIXES)}."
        )
    stack = ExitStack()
    try:
        feed = {".parquet": _parquet, ".csv": _csv, ".arrow": _arrow}[suffix](path, stack)
    except OSError as error:
        stack.close()
        problem: Exception = IoError(f"reading {str(path)!r}: {(error.strerror or str(error)).lower()}", name=str(path))
    except pa.ArrowException as error:
        stack.close()
        problem = InvalidInput(
            f"{path.name!r} cannot be read as {suffix}: {str(error).partition(chr(10))[0]}",
            advice="Nothing was loaded. The file is damaged, empty, or of another kind than its name says.",
        )
    else:
        return feed
    raise problem


def _parquet(path: Path, stack: ExitStack) -> Feed:
    file = stack.enter_context(pa.parquet.ParquetFile(path, pre_buffer=False))
    schema = file.schema_arrow
    batches = file.iter_batches(batch_size=slice_rows(len(schema)))
    reader = pa.RecordBatchReader.from_batches(schema, batches)
    return arrow_feed(reader, rows=file.metadata.num_rows, close=stack.close)


def _arrow(path: Path, stack: ExitStack) -> Feed:
    source = stack.enter_context(pa.memory_map(str(path)))
    try:
        file = stack.enter_context(pa.ipc.open_file(source))
    except pa.ArrowInvalid:
        source.seek(0)
        return arrow_feed(stack.enter_context(pa.ipc.open_stream(source)), close=stack.close)
    batches = (file.get_batch(i) for i in range(file.num_record_batches))
    return arrow_feed(pa.RecordBatchReader.from_batches(file.schema, batches), close=stack.close)


def _csv(path: Path, stack: ExitStack) -> Feed:
    with _open_csv(path) as guessed:
        schema = guessed.schema
    with _open_csv(path, texts=schema.names) as first:
        columns = _guessed(schema, next(iter(first), None))
    feed = arrow_feed(stack.enter_context(_open_csv(path, texts=schema.names)), close=stack.close)
    return Feed(columns, feed.slices, close=stack.close)


def _open_csv(path: Path, *, texts: list[str] | None = None) -> Any:
    convert = pa.csv.ConvertOptions(
        column_types=dict.fromkeys(texts or (), pa.large_string()),
        null_values=[""],
        strings_can_be_null=True,
        quoted_strings_can_be_null=False,
    )
    return pa.csv.open_csv(
        path,
        read_options=pa.csv.ReadOptions(block_size=_BLOCK, use_threads=False),
        parse_options=pa.csv.ParseOptions(newlines_in_values=True),
        convert_options=convert,
    )


def _guessed(schema: pa.Schema, sample: pa.RecordBatch | None) -> tuple[FeedColumn, ...]:
    return tuple(
        FeedColumn(field.name, _type(field.type, None if sample is None else sample.column(i)), pa.large_string())
        for i, field in enumerate(schema)
    )


def _type(kind: pa.DataType, texts: pa.Array | None) -> str:
    if texts is not None and (pt.is_integer(kind) or pt.is_floating(kind)):
        if _any(texts, _CODES):
            return "text"
        if pt.is_floating(kind) and _any(texts, _LONG):
            return "numeric"
    return declared(kind)


def _any(texts: pa.Array, pattern: str) -> bool:
    return bool(pc.any(pc.match_substring_regex(texts, pattern), min_count=0).as_py())
