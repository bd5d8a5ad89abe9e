"""The compiled decoder, wherever it was built and finds psycopg's libpq; else the one in Python.

``_decode.c`` reads a ``PGresult`` through five functions of libpq, and it must be the very libpq that made it: another
version may lay a result out differently. So it links to none. psycopg's own extension module is asked for the
addresses, and a libpq of another version than psycopg says it has is refused. Nothing depends on any of this: without
a compiler at installation, or with a psycopg that is pure Python, :class:`~tusk_jupyter.results.decode.Decoder` does
the same more slowly (``benchmarks/README.md``).

Equal by construction: what is compiled reads the strict core of what PostgreSQL writes, and a chunk of a column with
anything else in it (``infinity``, BC, another ``DateStyle``, ``bytea_output = escape``, a float beyond 10^±27) is kept
as it came, for the Python decoder's own rule. A session whose ``client_encoding`` is not UTF-8 is read in Python.

A column is one array from the first row to the last, in memory that grows without being copied (``_memory.h``) and
that is writable: so the frame takes it as it is, and making one of two million rows costs milliseconds and no memory.
Only a refused chunk divides its column, into what came before, the chunk, and what comes after.

``numeric`` with a declared scale is the one type that the decoder in Python leaves as text and this one does not: where
every value has just that many digits after the point, and at most 18 in all, its chunks are decimals of 64 bits, of
which the same texts can be made again. A frame's floats are one division of them, 8 ns a value in place of 40.
"""

from __future__ import annotations

import ctypes
import functools
import importlib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

import pyarrow as pa

from tusk_jupyter.results import builtin
from tusk_jupyter.results.decode import BYTES, STORAGE, TEXT, Decoder
from tusk_jupyter.results.encodings import UTF8, codec
from tusk_jupyter.results.types import declared_scale

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from psycopg.pq.abc import PGresult
    from typing_extensions import Buffer

    from tusk_jupyter.results.decode import Decoded, Settings
    from tusk_jupyter.results.types import Column, TypeInfo

    Addresses = tuple[int, int, int, int, int]
    # rows, NULLs, validity, then numbers, or offsets and bytes
    Taken = tuple[int, int, Buffer | None, Buffer] | tuple[int, int, Buffer | None, Buffer, Buffer]

VARIABLE: Final = "TUSK_DECODER"

_ACCESSORS: Final = ("PQntuples", "PQnfields", "PQgetvalue", "PQgetlength", "PQgetisnull")

# the order is that of `enum kind` in _columns.h, whose first is the text that everything else is
_KINDS: Final[Mapping[int, int]] = {
    builtin.INT2: 1,
    builtin.INT4: 1,
    builtin.INT8: 1,
    builtin.OID: 1,
    builtin.FLOAT4: 2,
    builtin.FLOAT8: 3,
    builtin.BOOL: 4,
    builtin.BYTEA: 5,
    builtin.DATE: 6,
    builtin.TIMESTAMP: 7,
    builtin.TIMESTAMPTZ: 8,
}
_TEXT: Final = 0
_AS_IT_COMES: Final = 9
# what is not here is text in this format too
_BINARY_KINDS: Final[Mapping[int, int]] = {
    builtin.BYTEA: _AS_IT_COMES,
    builtin.INT2: 10,
    builtin.INT4: 11,
    builtin.INT8: 12,
    builtin.OID: 13,
    builtin.FLOAT4: 14,
    builtin.FLOAT8: 15,
    builtin.BOOL: 16,
    builtin.DATE: 17,
    builtin.TIMESTAMP: 18,
    builtin.TIMESTAMPTZ: 19,
    builtin.UUID: 20,
}
_SCALED: Final = 21
_MOST_DIGITS: Final = 18


def decoder_for(columns: Sequence[Column], settings: Settings) -> Decoder:
    """Return the decoder of one result: compiled if it can be.

    The tests choose by the environment: ``TUSK_DECODER=python``, or ``compiled``, which is an ImportError where there
    is none.
    """
    wanted = os.environ.get(VARIABLE)
    if wanted == "compiled" and (reason := why_not()):
        raise ImportError(reason)
    if wanted == "python" or why_not() or codec(settings.encoding) != UTF8:
        return Decoder(columns, settings)
    return NativeDecoder(columns, settings, addresses())


@functools.cache
def why_not() -> str | None:
    """Return why the compiled decoder cannot be used here; ``None`` when it can."""
    try:
        importlib.import_module("tusk_jupyter.results._decode")
        addresses()
    except ImportError as error:
        return str(error)
    return None


@functools.cache
def addresses() -> Addresses:
    """Return where psycopg's libpq has the functions that read a result.

    :raises ImportError: when psycopg has none that can be asked, which says why.
    """
    from psycopg import pq

    if pq.__impl__ == "python":
        raise ImportError("psycopg is pure Python here")
    libpq = _libpq(Path(str(sys.modules[pq.PGresult.__module__].__file__)))
    try:
        found = [ctypes.cast(getattr(libpq, name), ctypes.c_void_p).value for name in _ACCESSORS]
        version = libpq.PQlibVersion()
    except AttributeError as error:
        raise ImportError(f"psycopg's libpq cannot be asked: {error}") from None
    if version != pq.version():
        raise ImportError(f"found libpq {version}, and psycopg uses {pq.version()}")
    return cast("Addresses", tuple(found))


def _libpq(extension: Path) -> ctypes.CDLL:
    """Return psycopg's libpq; it is in the process already, so this loads nothing."""
    # Windows asks a module for what it exports itself, the others ask for what it was linked to as well
    package = extension.parent
    bundled = sorted(package.with_name(f"{package.name}.libs").glob("libpq*.dll")) if os.name == "nt" else []
    try:
        return ctypes.CDLL(str(bundled[0] if bundled else extension))
    except OSError as error:
        raise ImportError(f"psycopg's libpq cannot be asked: {error}") from None


class NativeDecoder(Decoder):
    """Collects the chunks of one result, compiled."""

    def __init__(self, columns: Sequence[Column], settings: Settings, addresses: Addresses) -> None:
        from tusk_jupyter.results import _decode

        super().__init__(columns, settings)
        scales = [_scale(column) for column in columns]
        known = _BINARY_KINDS if settings.binary else _KINDS
        kinds = (
            known.get(c.oid, _TEXT) if scale is None else _SCALED for c, scale in zip(columns, scales, strict=True)
        )
        self._types = [
            STORAGE.get(c.oid, TEXT) if scale is None else pa.decimal64(_MOST_DIGITS, scale)
            for c, scale in zip(columns, scales, strict=True)
        ]
        self._held = _decode.Columns(bytes(kinds), addresses, bytes(scale or 0 for scale in scales))

    @property
    def nbytes(self) -> int:
        """The memory of what was collected."""
        return super().nbytes + self._held.nbytes

    def finish(self, types: Mapping[int, TypeInfo]) -> Decoded:
        """Return what was collected; see :meth:`Decoder.finish`."""
        for index, taken in enumerate(self._held.take()):
            if taken is not None:
                self._keep(index, _array(self._types[index], taken))
        return super().finish(types)

    def _collect(self, chunk: PGresult, count: int) -> None:
        # both of psycopg's compiled implementations have it, its protocol does not name it
        address: int | None = chunk.pgresult_ptr  # type: ignore[attr-defined]
        for index, before, refused in self._held.append(address or 0, count):
            if before is not None:
                self._keep(index, _array(self._types[index], before))
            self._keep(index, self._stores[index](_array(BYTES, refused)))


def _scale(column: Column) -> int | None:
    """Return how many digits a ``numeric`` has after the point, None where it may have any, or too many."""
    declared = declared_scale(column.typmod) if column.oid == builtin.NUMERIC else None
    return declared[1] if declared and 0 <= declared[1] < _MOST_DIGITS else None


def _array(of_type: pa.DataType, taken: Taken) -> pa.Array:
    rows, nulls, *buffers = taken
    return pa.Array.from_buffers(of_type, rows, [None if b is None else pa.py_buffer(b) for b in buffers], nulls)
