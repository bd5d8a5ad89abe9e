"""``%tusk watch``: one statement, again and again, in one output that changes in place.

It ends by ``--count``, by ``--until``, or by being stopped, and each of them is a good end whose value is the last
frame; a run that fails is none. Stopped, what stands behind the cell in a Run All does not run. Where nobody could stop
it (nbclient, papermill) an endless one is refused.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, cast

from tusk_jupyter.connections.durations import parse_duration
from tusk_jupyter.errors import InvalidInput
from tusk_jupyter.magics.options import Option, Options, next_word, unquoted
from tusk_jupyter.magics.tusk_commands import Commands
from tusk_jupyter.magics.tusk_listen import count
from tusk_jupyter.queries.classify import starts_like_statement

if TYPE_CHECKING:
    from collections.abc import Callable

    from tusk_jupyter.connections.connection import Connection
    from tusk_jupyter.magics.output import CellOutput
    from tusk_jupyter.magics.watch import Run, Wanted, Watch
    from tusk_jupyter.queries.execution import Execution
    from tusk_jupyter.queries.script import Names
    from tusk_jupyter.secret import Secret
    from tusk_jupyter.tusk import Tusk
    from tusk_jupyter.widgets.result_footer import Footer

USAGE = "%tusk watch SECONDS [--until EXPR] [--count N] [--connection NAME] SQL"
LEAST_S = 0.1
WATCH_OPTIONS = Options(
    Option(("--until",), "until", str, meaning="SQL over the columns that ends it when true"),
    Option(("--count",), "count", count, meaning="so many runs"),
    Option(("--connection",), "connection", str, meaning="run it there", takes="connection"),
    magic="%tusk watch",
)


class WatchCommands(Commands):
    """Statements that are run again and again."""

    def do_watch(self, *_words: str) -> Any:
        """``%tusk watch SECONDS [--until EXPR] [--count N] [--connection NAME] SQL``: rerun it in place.

        Also as ``%%tusk watch SECONDS`` with the SQL below. What changed is marked. EXPR is SQL over the columns of the
        result, true for every row, or an aggregate: ``--until 'done = total'``, ``--until 'count(*) = 0'``. Stop ends
        it; the value is the last frame.
        """
        from tusk_jupyter.magics import connect, sql

        wanted, name = read(self._line)
        connection = self._tusk.connection(name, connect.ask)
        names = sql.names(self._shell, self._local_ns, None)
        frame, stopped = watch(
            self._tusk, self._shell, self._output, wanted, connection=connection, names=names, ask=connect.ask
        )
        if stopped:
            self._output.end_run("%tusk watch was stopped")
        return frame


def watch(
    tusk: Tusk,
    shell: Any,
    output: CellOutput,
    wanted: Wanted,
    *,
    connection: Connection,
    names: Names,
    ask: Callable[[str], Secret | None],
) -> tuple[Any, bool]:
    """Run and show a watch to its end; return the last frame, and whether it was stopped.

    :raises InvalidInput: when it would never end, and nobody could stop it.
    """
    from tusk_jupyter.magics import front_end
    from tusk_jupyter.magics.watch import Watch

    if wanted.until is None and wanted.count is None and front_end.nobody_is_there(shell):
        raise InvalidInput(
            "nobody can stop it here, and it would never end by itself",
            advice="Nothing was run. Add --count N, or --until EXPR.",
        )
    shown = _Shown(output, wanted, connection.name)
    watching = Watch(tusk, wanted, names=names, connection=connection, ask=ask, on_tick=shown.tick)
    last = None
    try:
        for last in watching.runs():
            shown.show(last)
    except KeyboardInterrupt:
        if last is None:
            raise
        watching.cancel()
    shown.end(last, stopped=watching.is_cancelled)
    return (last.frame if last is not None else None), watching.is_cancelled


@dataclass(slots=True)
class _Change:
    """When the result was another than the one before."""

    number: int
    at: datetime

    def __str__(self) -> str:
        return f"last changed {self.at:%H:%M:%S} (run {self.number})"


class _Shown:
    """The output of a watch: one that is replaced, or what is printed in a terminal."""

    def __init__(self, output: CellOutput, wanted: Wanted, connection: str) -> None:
        self._output = output
        self._every = f"every {wanted.interval_s:g} s"
        self._connection = connection
        self._handle: Any = None
        self._before: Any = None
        self._changed: _Change | None = None
        self._footer: Footer | None = None

    def tick(self, watch: Watch) -> None:
        """Let the live line show it: a watch is to it what an execution is."""
        self._output.tick(cast("Execution", watch))

    def show(self, run: Run) -> None:
        """Show a run in the place of the one before."""
        from tusk_jupyter.widgets.watched import Watched

        table = None
        now = datetime.now().astimezone()
        if run.frame is not None:
            from tusk_jupyter.results import changes

            table = changes.compare(self._before, run.frame)
            if table.changed:
                self._changed = _Change(run.number, now)
            self._before = run.frame
        when = [f"run {run.number}", f"{now:%H:%M:%S}", self._every]
        if run.number > 1:
            when.append(str(self._changed or "unchanged"))
        self._footer = self._output.footer(run.step, connection=self._connection)
        watched = Watched(tuple(when), table, self._footer)
        if self._output.terminal:
            self._output.show(watched)
        elif self._handle is None:
            self._handle = self._output.show_for_now(watched)
        else:
            self._handle.update(watched)

    def end(self, last: Run | None, *, stopped: bool) -> None:
        """Leave the status line of it all: the frame itself is the value."""
        if last is None or self._footer is None:
            return
        runs = f"{last.number:,} run{'' if last.number == 1 else 's'} {self._every}"
        how = "stopped" if stopped else "--until is reached" if last.reached else ""
        changed = str(self._changed or "unchanged") if last.frame is not None and last.number > 1 else ""
        footer = replace(self._footer, parts=tuple(filter(None, (runs, changed, how))))
        if self._handle is not None:
            self._handle.update(footer)
        else:
            self._output.line_later(footer)


def read(line: str) -> tuple[Wanted, str | None]:
    """Return what ``watch …`` asks for, and the name of the connection; :raises InvalidInput: for anything else."""
    from tusk_jupyter.magics.watch import Wanted

    _, position = next_word(line, 0)
    seconds, position = next_word(line, position)
    if not seconds:
        raise InvalidInput("%tusk watch: how often?", advice=USAGE)
    interval_s = parse_duration(unquoted(seconds))
    if interval_s < LEAST_S:
        raise InvalidInput(f"{seconds} is too often: every {LEAST_S:g} s at most", advice=USAGE)
    given, position = _options(line, position)
    script = line[position:]
    if not script.strip():
        raise InvalidInput("%tusk watch: which statement?", advice=USAGE)
    connection = given.pop("connection", None)
    return Wanted(interval_s, script, **given), connection


def _options(line: str, position: int) -> tuple[dict[str, Any], int]:
    given: dict[str, Any] = {}
    while True:
        while position < len(line) and line[position].isspace():
            position += 1
        rest = line[position:]
        if not rest:
            return given, position
        if rest.startswith("--") and (rest == "--" or rest[2].isspace()):
            # on a line it ends the options; above other lines it is a comment
            return given, position if "\n" in rest else position + 2
        if rest.startswith("-"):
            option, value, position = WATCH_OPTIONS.take(line, position)
            if option.field in given:
                raise InvalidInput(f"{option.names[-1]} is given twice")
            given[option.field] = value
        elif starts_like_statement(rest):
            return given, position
        else:
            word, _ = next_word(line, position)
            raise InvalidInput(f"{word!r} is neither an option nor the beginning of a statement", advice=USAGE)
