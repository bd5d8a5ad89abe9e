"""The functions that Python code calls: ``import tusk_jupyter as tusk``.

They share the kernel's one state with the magics and work without them, in a script too. Nothing is displayed: values
come back, errors are raised.
"""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING, Any

from tusk_jupyter.errors import InvalidInput, QueryCancelled, QueryInterrupted, TuskError
from tusk_jupyter.tusk import Tusk

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from tusk_jupyter.connections.connection import Connection
    from tusk_jupyter.jobs import Job
    from tusk_jupyter.results.result import Result

log = logging.getLogger("tusk_jupyter.api")
# there is no such option, and somebody will try
_PASSWORDS = {"password", "passwd", "pwd", "pass_", "sslpassword"}


def connect(where: str = "", *, name: str | None = None, **options: Any) -> Connection:
    """Connect and make it the current connection; the same arguments as ``%tusk_connect``.

    :param where: a URL, ``key=value`` text, the name of a saved connection, or with ``embedded=True`` a cluster's name.
    :param options: the magic's options with underscores: ``read_only=True``, ``sslmode="require"``,
        ``statement_timeout="30s"``, ``pool_size=5``, ``password_env="VAR"``, …
    :raises InvalidInput: for an unknown option; :raises TuskError: when the server cannot be reached or refuses.
    """
    failed: BaseException
    try:
        return _connect(where, name, options)
    except (TuskError, KeyboardInterrupt) as error:
        failed = error
    # the frames that read a password are no business of a debugger's
    del where
    raise failed.with_traceback(None)


def _connect(where: str, name: str | None, options: dict[str, Any]) -> Connection:
    from tusk_jupyter.magics import connect as connecting
    from tusk_jupyter.magics.connect_line import parse_connect

    tusk = state()
    if not options and name is None and where in tusk.known_names():
        return connecting.by_name(tusk, where)
    # an empty one stands everywhere in the history
    given = (value for option, value in options.items() if option.lower() in _PASSWORDS)
    _scrub(where, *(value for value in given if isinstance(value, str) and value.strip()))
    request = parse_connect(_line(where, name, options))
    if not request.embedded and not request.where:
        raise InvalidInput("there is nothing to connect to", advice="Give a URL, key=value text, or embedded=True.")
    connection, said = connecting.connect(tusk, request, local_ns={})
    for line in (*said, *tusk.credentials.take_warnings()):
        log.info("%s", line)
    return connection


def _scrub(where: str, *passwords: str) -> None:
    """Take passwords that were typed in a cell out of IPython's history, where there is an IPython."""
    if "IPython" in sys.modules:
        from IPython.core.getipython import get_ipython

        from tusk_jupyter.magics.scrubbing import scrub_argument, scrub_history

        if (shell := get_ipython()) is not None:
            scrub_history(shell, where)
            for password in passwords:
                scrub_argument(shell, password)


def _line(where: str, name: str | None, options: dict[str, Any]) -> str:
    for what, text in (("where to connect to", where), ("name", name)):
        if text is not None and not isinstance(text, str):
            raise InvalidInput(f"{what} is a str, not {type(text).__name__}", advice="tusk.connect(where, name='shop')")
    from tusk_jupyter.magics.options import quoted

    parts = [where]
    if name is not None:
        parts.append(f"--name={quoted(name)}")
    for option, value in options.items():
        spelling = "--" + option.replace("_", "-")
        if value is True:
            parts.append(spelling)
        elif value is not False and value is not None:
            parts.append(f"{spelling}={quoted(str(value))}")
    return " ".join(parts)


def sql(text: str, connection: str | None = None, /, **parameters: Any) -> Any:
    """Run SQL and return its last result that has rows, as a DataFrame (or what ``Tusk.format`` says), else ``None``.

    :param text: one or several statements; ``:name`` is bound.
    :param connection: the name of a connection; the current one by default.
    :param parameters: the values of ``:name``; nothing else is looked at.
    :raises TuskError: the first failure; :raises QueryInterrupted: after a kernel interrupt.
    """
    from tusk_jupyter.magics.connect import ask
    from tusk_jupyter.queries.script import Names

    if connection is not None and "://" in connection:
        _scrub(connection)
    tusk = state()
    names = Names(parameters.__getitem__, parameters.keys)
    value = None
    for step in tusk.execute(text, names=names, connection=tusk.connection(connection, ask), ask=ask):
        if step.outcome.result is not None and step.outcome.result.frame is not None:
            value = step.outcome.result.frame
    if tusk.parent is None and tusk.take_interrupt():  # no cell ends behind this
        said = "interrupted: the statement had finished, and tusk.last_result() has what it returned"
        raise QueryInterrupted(QueryCancelled(said))
    return value


def submit(text: str, connection: str | None = None, /, **parameters: Any) -> Job:
    """Run SQL in the background, on a connection of its own from the pool, and return its job at once.

    The arguments are those of :func:`sql`; the values of parameters are those of now. ``job.result(timeout=10)`` waits
    for its ``Result``, ``job.df()`` and ``await job`` for its frame, ``job.cancel()`` stops it.

    :raises TuskError: when it cannot be run at all; what goes wrong later is the job's.
    """
    from tusk_jupyter.magics.connect import ask
    from tusk_jupyter.queries.script import Names

    if connection is not None and "://" in connection:
        _scrub(connection)
    tusk = state()
    names = Names(parameters.__getitem__, parameters.keys)
    return tusk.submit(text, names=names, connection=tusk.connection(connection, ask))


async def sql_async(text: str, connection: str | None = None, /, **parameters: Any) -> Any:
    """Run SQL as :func:`sql` does, in the background, and return its frame when it is there.

    It has a connection of its own, so several run side by side (``asyncio.gather``), and none sees the cells' settings,
    temp tables or open transaction. Cancelling it (``asyncio.wait_for``, an interrupt) stops it on the server.

    :raises TuskError: the first failure.
    """
    return await submit(text, connection, **parameters)


def transaction(connection: str | None = None) -> AbstractContextManager[Connection]:
    """``with tusk.transaction("shop"): …``: COMMIT at its end, ROLLBACK on an error."""
    return state().transaction(connection)


def last_result() -> Result | None:
    """Return the result of the last statement that succeeded, with or without rows."""
    return state().results.last


def result(frame: Any) -> Result:
    """Return the result that a cell's DataFrame came from; :raises InvalidInput: when it did not."""
    return state().results.of(frame)


def state() -> Tusk:
    """Return the kernel's one state object."""
    return Tusk.instance()
