"""One column of a decoded result, ready to become a column of any kind of frame."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from tusk_jupyter.results import builtin
from tusk_jupyter.results.arrays import pieces
from tusk_jupyter.results.batches import reader_of_many
from tusk_jupyter.results.decode import BYTES, STORAGE, TEXT, Settings
from tusk_jupyter.results.encodings import codec
from tusk_jupyter.results.moments import datetime_in
from tusk_jupyter.results.values import Readers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import numpy as np

    from tusk_jupyter.results.types import Column, TypeInfo


@dataclass(frozen=True, slots=True)
class Source:
    """A column with its chunks, and what is needed to read them."""

    column: Column
    name: str
    chunks: list[pa.Array]
    types: Mapping[int, TypeInfo]
    settings: Settings
    is_ours: bool = False  # whether the chunks' memory may become the frame's: nobody reads them afterwards

    @property
    def storage(self) -> pa.DataType:
        """The Arrow type of chunks whose every value could be cast."""
        return STORAGE.get(self.column.oid, TEXT)

    @property
    def is_plain(self) -> bool:
        """Whether every chunk is of the storage type."""
        return all(chunk.type == self.storage for chunk in self.chunks)

    def whole(self) -> pa.ChunkedArray:
        """Return all chunks of a plain column."""
        return pa.chunked_array(self.chunks, self.storage)

    def readers(self, *, uuid_objects: bool = False) -> Readers:
        """Return a builder of readers that counts what stays text in this column."""
        return Readers(self.settings, self.types, uuid_objects)

    def objects(self, readers: Readers, read: Callable[[str], Any] | None = None) -> Iterator[list[Any]]:
        """Yield the rows' Python values, some thousands at a time, NULL as None.

        :param read: what reads a text in place of the type's own reader.
        """
        read_many = None if read else reader_of_many(self.column.oid, self.types)
        read = read or readers.of(self.column.oid)
        for chunk in pieces(self.chunks):
            if chunk.type == TEXT and read_many:
                yield read_many(chunk, read)
            elif chunk.type == TEXT:
                yield [None if text is None else read(text) for text in chunk.to_pylist()]
            elif chunk.type == BYTES and self.column.oid != builtin.BYTEA:
                yield self._undecodable(chunk, readers, read)
            else:
                yield self._stored(chunk, readers)

    def _undecodable(self, chunk: pa.Array, readers: Readers, read: Callable[[str], Any]) -> list[Any]:
        encoding = codec(self.settings.encoding)
        values: list[Any] = []
        for raw in chunk.to_pylist():
            try:
                values.append(None if raw is None else read(raw.decode(encoding)))
            except UnicodeDecodeError:
                readers.remarks.unreadable.add(repr(raw))
                values.append(raw)
        return values

    def _stored(self, chunk: pa.Array, readers: Readers) -> list[Any]:
        if self.column.oid == builtin.TIMESTAMPTZ:
            zone = readers.zone()
            return [None if m is None else datetime_in(m, zone) for m in chunk.view(pa.int64()).to_pylist()]
        if self.column.oid == builtin.FLOAT4:
            # the shortest text of a float4, as PostgreSQL writes it, not the float8 nearest to its bits
            values: np.ndarray[Any, Any] = chunk.to_numpy(zero_copy_only=False)
            nulls = chunk.is_null().to_pylist()
            return [None if null else float(str(v)) for v, null in zip(values, nulls, strict=True)]
        if pa.types.is_decimal(chunk.type):
            # half the time of to_pylist()
            return [None if text is None else Decimal(text) for text in chunk.cast(TEXT).to_pylist()]
        stored: list[Any] = chunk.to_pylist()
        return stored
