"""Thousands of texts at once → Python values, where one parse gives what one parse each would.

Reading a small ``jsonb`` or array costs 1.2 µs a value, most of it the calls around the parser. The compiled decoder
reads them where they lie (``_objects.h``), in a fifth of that. Without it, Python's own JSON scanner takes 0.4 µs over
many of them in one text; PostgreSQL's arrays of numbers are JSON but for their braces, once a pattern has seen that
nothing else stands in them. Either way the keys of a batch are one string each, not one per row.

Nothing is taken for granted: between two values stands a word that no server can know, so that values which only
together make sense are noticed. What the first way refuses goes the second, and what is :data:`UNREAD` there is read
value by value, as all would be without this. Python's collector of cycles is stopped while hundreds of thousands of
lists and dicts come into being: it would look through all of them again and again for garbage that cannot be there,
which takes longer than making them.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import re
import secrets
import threading
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from tusk_jupyter.results import builtin, native
from tusk_jupyter.results.documents import JSON, JSONB

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tusk_jupyter.results.types import TypeInfo

    Batch = list[Any]
    Reader = Callable[[pa.Array], Batch]
    ManyReader = Callable[[pa.Array, Callable[[str], Any]], Batch]

UNREAD: Final = (ValueError, ArithmeticError, RecursionError)

_BETWEEN: Final = f'"{secrets.token_hex(8)}"'


def reader_of_many(oid: int, types: Mapping[int, TypeInfo]) -> ManyReader | None:
    """Return what reads an array of texts of that type, NULL as None, given what reads one; None where nothing does."""
    batch = batch_reader(oid, types)
    if batch is None:
        return None
    content = _DOCUMENT if oid in _DOCUMENTS else _CONTENTS.get(types[oid].element)

    def read_many(texts: pa.Array, read: Callable[[str], Any]) -> Batch:
        present = texts.drop_null() if texts.null_count else texts
        if content is not None and len(present) and _is_compiled():
            values = _compiled(present, content, batch, read)
        else:
            values = _in_python(present, batch, read)
        if not texts.null_count:
            return values
        in_order = iter(values)
        return [next(in_order) if is_valid else None for is_valid in texts.is_valid().to_pylist()]

    return read_many


def _is_compiled() -> bool:
    return os.environ.get(native.VARIABLE) != "python" and native.why_not() is None


def _compiled(texts: pa.Array, content: int, batch: Reader, read: Callable[[str], Any]) -> Batch:
    from tusk_jupyter.results import _decode

    _, offsets, data = texts.buffers()
    values, refused = _decode.read_objects(content, offsets, data or b"", texts.offset, len(texts))
    if refused:
        for index, value in zip(refused, _in_python(texts.take(refused), batch, read), strict=True):
            values[index] = value
    return values


def _in_python(texts: pa.Array, batch: Reader, read: Callable[[str], Any]) -> Batch:
    try:
        if len(texts):
            return batch(texts)
    except UNREAD:
        pass
    return [read(text) for text in texts.to_pylist()]


def batch_reader(oid: int, types: Mapping[int, TypeInfo]) -> Reader | None:
    """Return what reads many texts of a type at once, or raises one of :data:`UNREAD`; ``None`` where nothing does.

    The texts are an Arrow array of at least one, without NULLs.
    """
    if oid in _DOCUMENTS:
        scan = _DOCUMENTS[oid]
        return lambda texts: _documents(texts, scan)
    info = types.get(oid)
    if info is None or not info.element or info.element not in _ARRAYS:
        return None
    return _ARRAYS[info.element]


def _joined(texts: pa.Array, separator: str) -> str:
    rows = pa.LargeListArray.from_arrays(pa.array([0, len(texts)], pa.int64()), texts)
    joined: str = pc.binary_join(rows, pa.scalar(separator, texts.type))[0].as_py()
    return joined


def _documents(texts: pa.Array, scan: Callable[[str, int], tuple[Any, int]]) -> Batch:
    joined = f"[{_joined(texts, f',{_BETWEEN},')}]"
    if "\\ud" in joined or "\\uD" in joined:
        raise ValueError("a surrogate, which is looked at with its value")
    values, end = scan(joined, 0)
    between = len(texts) - 1
    if end != len(joined) or len(values) != len(texts) + between or values[1::2].count(_BETWEEN[1:-1]) != between:
        raise ValueError("not one document per value")
    found: Batch = values[::2]
    return found


def _arrays_of(characters: str, decoder: json.JSONDecoder, *words: tuple[str, str]) -> Reader:
    # one dimension only: what a brace inside would mean is for the parser of single values
    shape = re.compile(rf"(?:\{{[{characters},NUL]*\}}\n)*")
    scan = decoder.raw_decode

    def read(texts: pa.Array) -> Batch:
        joined = _joined(texts, "\n") + "\n"
        if not shape.fullmatch(joined):
            raise ValueError("not arrays of one dimension")
        for text, in_json in (("{", "["), ("}", "]"), ("NULL", "null"), *words, ("\n", ",")):
            joined = joined.replace(text, in_json)
        values: Batch
        values, end = scan(f"[{joined[:-1]}]", 0)
        if end != len(joined) + 1 or len(values) != len(texts):
            raise ValueError("not one array per value")
        return values

    return read


def _arrays_of_text(texts: pa.Array) -> Batch:
    joined = _joined(texts, "\n")
    if not _BARE.fullmatch(joined):
        raise ValueError("not arrays of one dimension without quotes")
    values: Batch = [line[1:-1].split(",") if line != "{}" else [] for line in joined.split("\n")]
    if len(values) != len(texts):
        raise ValueError("not one array per value")
    return [[None if i == "NULL" else i for i in v] for v in values] if "NULL" in joined else values


_BARE: Final = re.compile(r'\{[^"\\{}\n]*\}(?:\n\{[^"\\{}\n]*\})*')
_DOCUMENTS: Final = {builtin.JSON: JSON.raw_decode, builtin.JSONB: JSONB.raw_decode}
_INTEGERS: Final = _arrays_of("-0-9", json.JSONDecoder())
_FLOATS: Final = _arrays_of("-+.0-9eNaIfinty", json.JSONDecoder(parse_int=float))
_ARRAYS: Final[Mapping[int, Reader]] = {
    **dict.fromkeys((builtin.INT2, builtin.INT4, builtin.INT8, builtin.OID), _INTEGERS),
    **dict.fromkeys((builtin.FLOAT4, builtin.FLOAT8), _FLOATS),
    builtin.NUMERIC: _arrays_of(
        "-+.0-9eNaIfinty", json.JSONDecoder(parse_int=Decimal, parse_float=Decimal, parse_constant=Decimal)
    ),
    builtin.BOOL: _arrays_of("tf", json.JSONDecoder(), ("f", "false"), ("t", "true")),
    **dict.fromkeys((builtin.TEXT, builtin.VARCHAR, builtin.BPCHAR), _arrays_of_text),
}
# the numbers are those of `enum content` in _objects.h
_DOCUMENT: Final = 0
_CONTENTS: Final[Mapping[int, int]] = {
    **dict.fromkeys((builtin.INT2, builtin.INT4, builtin.INT8, builtin.OID), 1),
    **dict.fromkeys((builtin.FLOAT4, builtin.FLOAT8), 2),
    builtin.BOOL: 3,
    **dict.fromkeys((builtin.TEXT, builtin.VARCHAR, builtin.BPCHAR), 4),
}

_collector_lock: Final = threading.Lock()
_pauses: list[bool] = []


@contextlib.contextmanager
def without_collector() -> Iterator[None]:
    """Stop the collector of cycles, and start it again with the last of those who wanted it stopped."""
    with _collector_lock:
        _pauses.append(gc.isenabled())
        gc.disable()
    try:
        yield
    finally:
        with _collector_lock:
            was_enabled = _pauses.pop()  # what is left over at the end is what the first one saw
            if was_enabled and not _pauses:
                gc.enable()
