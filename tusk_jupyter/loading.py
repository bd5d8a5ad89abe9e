"""One load on a connection's session: from a frame or a file to rows in a table, and what is kept of it.

Beside :mod:`tusk_jupyter.running`, which does the same for a script: the source is opened, the table looked up, and the
plan made before anything is sent, so that what does not fit is refused without a transaction.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from tusk_jupyter.running import run_alone

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tusk_jupyter.connections.connection import Connection
    from tusk_jupyter.connections.session import Session
    from tusk_jupyter.queries.execution import Execution
    from tusk_jupyter.queries.load_plan import Existing, Mode, Table
    from tusk_jupyter.queries.script import Step
    from tusk_jupyter.results.copy_target import Target
    from tusk_jupyter.results.feeds import Feed
    from tusk_jupyter.running import Kernel
    from tusk_jupyter.secret import Secret

T = TypeVar("T")
JSON = ("json", "jsonb")


@dataclass(frozen=True, slots=True)
class Load:
    """What is to be loaded, where to and how; ``value`` is what the variable ``name`` holds, or there is a ``path``.

    ``makes``: a table that is missing is made, whatever the mode says (as JupySQL's ``--append`` does).
    """

    table: Table
    mode: Mode = "create"
    key: tuple[str, ...] = ()
    name: str = ""
    value: Any = None
    path: Path | None = None
    makes: bool = False


@dataclass(frozen=True, slots=True)
class Loaded:
    """A load that has ended well: its step, and what became of the table."""

    step: Step
    table: str
    done: str


def load(
    kernel: Kernel,
    wanted: Load,
    *,
    connection: Connection,
    ask: Callable[[str], Secret | None] | None,
    on_tick: Callable[[Execution], None] | None,
) -> Loaded:
    """Load a table in one transaction.

    :raises InvalidInput: for what cannot be loaded, or does not fit the table; nothing was sent then.
    :raises TuskError: as a cell does.
    :raises QueryInterrupted: after a kernel interrupt.
    """
    session = connection.session(ask)
    from tusk_jupyter.queries import load_plan
    from tusk_jupyter.queries.loading import Loading
    from tusk_jupyter.results.copy_binary import encoder_for

    existing = _existing(session, wanted.table)
    feed = _feed(wanted)
    with closing(encoder_for(feed, _targets(feed, existing), encoding=session.parameter("client_encoding"))) as encoder:
        mode = "create" if wanted.makes and existing is None else wanted.mode
        plan = load_plan.plan(wanted.table, mode, encoder.columns, existing, key=wanted.key, form=encoder.form)
        encoder.json_columns = frozenset(n for n, kind in existing.columns if kind in JSON) if existing else frozenset()
        deliver = partial(Loading, plan=plan, encoder=encoder, columns=[name for name, _ in encoder.columns])
        step = run_alone(kernel, connection, session, plan.script, deliver=deliver, on_tick=on_tick)
    return Loaded(step, wanted.table.sql, plan.done)


def _feed(wanted: Load) -> Feed:
    if wanted.path is not None:
        from tusk_jupyter.results.feed_files import feed_of_file

        return feed_of_file(wanted.path)
    from tusk_jupyter.results.feeds import feed_of

    return feed_of(wanted.value, wanted.name)


def _targets(feed: Feed, existing: Existing | None) -> list[Target]:
    from tusk_jupyter.results.copy_target import Target, target_of

    if existing is None:
        return [target_of(column.type) for column in feed.columns]
    pairs = zip(existing.columns, existing.oids, strict=True)
    known = {name: Target(kind, *oids) for (name, kind), oids in pairs}
    # a column that the table does not have is the plan's to refuse
    return [known.get(column.name, Target(column.type)) for column in feed.columns]


def _existing(session: Session, table: Table) -> Existing | None:
    from tusk_jupyter.queries.asking import asked
    from tusk_jupyter.queries.loading import look_up

    return asked(session, lambda: look_up(session, table), doing="loaded")
