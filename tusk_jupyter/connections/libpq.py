"""The functions of libpq that psycopg has no name for, called on the library and the connection that psycopg uses.

By ctypes and not by a module of our own in C, which would have to be linked with the very libpq inside psycopg's wheel.
A function that is not found is ``None`` and its user does without: psycopg's wheels for Windows do not show theirs.
"""

from __future__ import annotations

import ctypes
import functools
import importlib
from typing import TYPE_CHECKING, Any

from psycopg import pq

if TYPE_CHECKING:
    from collections.abc import Callable

    from psycopg.pq.abc import PGconn


@functools.cache
def function(name: str, result: type[Any], *arguments: type[Any]) -> Callable[..., Any] | None:
    """Return a function whose first argument is :func:`pointer`'s, ``None`` where there is none.

    :param arguments: the types of the others.
    """
    try:
        found = getattr(_library(), name)
    except (ImportError, OSError, AttributeError, KeyError):
        return None
    # a prototype of our own: the function object of the library may be psycopg's
    prototype = ctypes.CFUNCTYPE(result, ctypes.c_void_p, *arguments)
    return prototype(ctypes.cast(found, ctypes.c_void_p).value or 0)


def pointer(pgconn: PGconn) -> int | None:
    """Return the address of libpq's connection, ``None`` once it is closed."""
    found: int | None = getattr(pgconn, "pgconn_ptr", None)
    return found


def ssl_attribute(pgconn: PGconn, name: str) -> str | None:
    """Return what libpq knows of the TLS in use: ``protocol``, ``cipher``.

    https://www.postgresql.org/docs/current/libpq-status.html#LIBPQ-PQSSLATTRIBUTE
    """
    call, at = function("PQsslAttribute", ctypes.c_char_p, ctypes.c_char_p), pointer(pgconn)
    value: bytes | None = call(at, name.encode()) if call is not None and at is not None else None
    return value.decode(errors="replace") if value else None


@functools.cache
def _library() -> ctypes.CDLL:
    if pq.__impl__ == "python":
        library: ctypes.CDLL = vars(importlib.import_module("psycopg.pq._pq_ctypes"))["pq"]
        return library
    # a search in an extension module goes on in the libraries that it is linked with
    return ctypes.CDLL(importlib.import_module(f"psycopg_{pq.__impl__}.pq").__file__)
