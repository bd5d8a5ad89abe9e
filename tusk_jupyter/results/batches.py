"""Thousands of texts at once → Python values, where one parse gives what one parse each would.

Reading a small ``jsonb`` or array costs 1.2 µs a value, most of it the calls around the parser; Python's own JSON
scanner takes 0.4 µs over many of them in one text, and their keys are then one string each, not one per row.
PostgreSQL's arrays of numbers are JSON but for their braces, once a pattern has seen that nothing else stands in them.

Nothing is taken for granted: between two values stands a word that no server can know, so that values which only
together make sense are noticed. Whatever is not as it should be makes the batch a :data:`UNREAD` error, and the caller
reads its values one by one, as it would have done without all this. Python's collector of cycles is stopped while
hundreds of thousands of lists and dicts come into being: it would look through all of them again and again for garbage
that cannot be there, which takes longer than making them.
"""

from __future__ import annotations

import contextlib
import gc
import json
import re
import secrets
import threading
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from tusk_jupyter.results import builtin
from tusk_jupyter.results.documents import JSON, JSONB

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tusk_jupyter.results.types import TypeInfo

    Batch = list[Any]
    Reader = Callable[[pa.Array], Batch]

UNREAD: Final = (ValueError, ArithmeticError, RecursionError)

_BETWEEN: Final = f'"{secrets.token_hex(8)}"'


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
    **dict.fromkeys((builtin.TEXT, builtin.VARCHAR), _arrays_of_text),
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
