"""Results that no server sent, with any bytes in them, and what both decoders made of them."""

from __future__ import annotations

import ctypes
import functools
import sys

import pyarrow as pa
from psycopg import pq
from psycopg.pq import ExecStatus, PGresAttDesc

from tusk_jupyter.results.numbers import as_text
from tusk_jupyter.results.types import Column


@functools.cache
def _libpq():
    libpq = ctypes.CDLL(sys.modules[pq.PGresult.__module__].__file__)
    libpq.PQsetvalue.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_int, ctypes.c_char_p, ctypes.c_int]
    return libpq


@functools.cache
def _unconnected():
    return pq.PGconn.connect_start(b"service=none")


def result(oids, rows):
    """A PGresult with these values, ``None`` for NULL."""
    made = _unconnected().make_empty_result(ExecStatus.TUPLES_OK)
    if oids:
        made.set_attributes([PGresAttDesc(b"x", 0, 0, 0, oid, -1, -1) for oid in oids])
    for i, row in enumerate(rows):
        for j, value in enumerate(row):
            length = -1 if value is None else len(value)
            assert _libpq().PQsetvalue(made.pgresult_ptr, i, j, value, length) == 1
    return made


def columns(oids, typmod=-1):
    return [Column(f"x{i}", "?", oid, typmod) for i, oid in enumerate(oids)]


def runs(arrays):
    """Arrays with neighbours of one type joined: how many chunks came does not matter, what became of each does."""
    joined = []
    for array in arrays:
        if joined and joined[-1].type == array.type:
            joined[-1] = pa.concat_arrays([joined[-1], array])
        else:
            joined.append(array)
    return joined


def assert_same(decoded, other):
    """Both decoders' arrays are the same to the last bit, apart from what lies under a NULL.

    Decimals are compared by the text that stands for them, which only one of the decoders keeps.
    """
    assert decoded.rowcount == other.rowcount
    assert decoded.columns == other.columns
    assert len(decoded.chunks) == len(other.chunks)
    for column, mine, its in zip(decoded.columns, decoded.chunks, other.chunks, strict=True):
        for array in (*mine, *its):
            array.validate(full=True)
        mine, its = (runs(map(as_text, arrays)) for arrays in (mine, its))  # noqa: PLW2901
        assert [a.type for a in mine] == [a.type for a in its], column
        for a, b in zip(mine, its, strict=True):
            assert bits(a).equals(bits(b)), (column, a, b)


def bits(array):
    """NaN equals nothing, its bits do; and so -0.0 is not 0.0."""
    return array.view({4: pa.int32(), 8: pa.int64()}[array.type.bit_width // 8]) if pa.types.is_floating(array.type) else array
