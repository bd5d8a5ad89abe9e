"""``%tusk listen``: channels on the line, what comes in the output, a DataFrame at the end.

To stop it is no error: with no other end it is how one ends it. What has come is the value then, and what stands behind
the cell in a Run All does not run. Where nobody could stop it (nbclient, papermill) one without an end is refused.
"""

from __future__ import annotations

import re
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tusk_jupyter.connections.durations import parse_duration
from tusk_jupyter.errors import InvalidInput
from tusk_jupyter.listening import Listen
from tusk_jupyter.magics.options import Option, Options, next_word, whole_number
from tusk_jupyter.magics.tusk_commands import Commands

if TYPE_CHECKING:
    from tusk_jupyter.listening import Listened
    from tusk_jupyter.magics.output import CellOutput
    from tusk_jupyter.queries.execution import Execution
    from tusk_jupyter.queries.listening import Collected

USAGE = "%tusk listen CHANNEL [CHANNEL …] [--timeout 30s] [--count N] [--connection NAME]"
_PLAIN = re.compile(r"[^\W\d][\w$]*")
_LONGEST = 63  # bytes: of a longer name PostgreSQL would listen to the beginning
_EVERY_S = 0.1


def count(text: str) -> int:
    """Read how many; :raises InvalidInput: for none."""
    number = whole_number(text)
    if number < 1:
        raise InvalidInput(f"--count {number}: there is one at least")
    return number


LISTEN_OPTIONS = Options(
    Option(("--timeout",), "timeout_s", parse_duration, meaning="collect that long: 30s"),
    Option(("--count",), "count", count, meaning="until so many have come"),
    Option(("--connection",), "connection", str, meaning="listen there", takes="connection"),
    magic="%tusk listen",
)


class ListenCommands(Commands):
    """Notifications."""

    def do_listen(self, *_words: str) -> Any:
        """``%tusk listen CHANNEL [CHANNEL …] [--timeout 30s] [--count N] [--connection NAME]``: what NOTIFY brings.

        Without an option it gives what has come already, or waits for the first; ``--timeout`` collects that long,
        ``--count`` until so many have come. The session goes on listening; ``UNLISTEN`` ends that.
        """
        from tusk_jupyter.magics import connect, front_end

        wanted, name = read(self._line)
        if wanted.timeout_s is None and wanted.count is None and front_end.nobody_is_there(self._shell):
            raise InvalidInput(
                "nobody can stop it here, and it would never end by itself if nothing came",
                advice="Nothing was run. Add --timeout 30s, or --count N.",
            )
        connection = self._tusk.connection(name, connect.ask)
        shown = _Shown(self._output)
        listened = self._tusk.listen(wanted, connection=connection, ask=connect.ask, on_tick=shown.tick)
        shown.end(listened)
        if listened.stopped:
            self._output.end_run("%tusk listen was stopped")
        return listened.frame


class _Shown:
    """What comes, while it comes: one output that grows, or lines in a terminal."""

    def __init__(self, output: CellOutput) -> None:
        self._output = output
        self._handle: Any = None
        self._count = 0
        self._drawn = 0.0

    def tick(self, execution: Execution, collected: Collected) -> None:
        """Show what has come since the last look."""
        over = execution.state not in {"waiting", "running"}
        if not over:
            self._output.tick(execution)
        due = over or time.monotonic() - self._drawn >= _EVERY_S
        if due and len(collected.notifications) > self._count:
            self._drawn = time.monotonic()
            self._draw(collected)

    def _draw(self, collected: Collected) -> None:
        from tusk_jupyter.widgets.heard import SHOWN, Arrivals

        start, self._count = self._count, len(collected.notifications)
        if self._output.terminal:
            fresh = collected.notifications[start : min(self._count, SHOWN)]
            if fresh:
                self._output.show(Arrivals.of(fresh))
            return
        arrivals = Arrivals.of(collected.notifications)
        if self._handle is None:
            self._handle = self._output.show_for_now(arrivals)
        else:
            self._handle.update(arrivals)

    def end(self, listened: Listened) -> None:
        """Put the status line where the list was, or below the value."""
        collected, step = listened.collected, listened.step
        parts = [f"{len(collected.notifications):,} on {', '.join(sorted(collected.names))}"]
        if listened.stopped:
            parts.append("stopped")
        footer = self._output.footer(step, connection=_connection(step), parts=tuple(parts))
        notes = list(footer.notes)
        if collected.left_out:
            notes.append(f"{collected.left_out:,} that came before were only counted: too many for no cell to see them")
        if collected.is_too_much and len(collected.notifications) < collected.until:
            notes.append("that many are kept: run it again for what came since")
        footer = replace(footer, notes=tuple(notes))
        if self._handle is not None:
            self._handle.update(footer)
        else:
            self._output.line_later(footer)


def _connection(step: Any) -> str:
    name: str = step.execution.session.name
    return name


def read(line: str) -> tuple[Listen, str | None]:
    """Return what ``listen …`` asks for, and the name of the connection; :raises InvalidInput: for anything else."""
    given: dict[str, Any] = {}
    channels: list[str] = []
    _, position = next_word(line, 0)
    while True:
        word, end = next_word(line, position)
        if not word:
            break
        if word.startswith("-"):
            option, value, position = LISTEN_OPTIONS.take(line, position)
            if option.field in given:
                raise InvalidInput(f"{option.names[-1]} is given twice")
            given[option.field] = value
        else:
            channels.append(channel(word))
            position = end
    if not channels:
        raise InvalidInput("%tusk listen: to which channel?", advice=USAGE)
    return Listen(tuple(dict.fromkeys(channels)), given.get("timeout_s"), given.get("count")), given.get("connection")


def channel(word: str) -> str:
    """Return the name that LISTEN would read: in lower case, or as it stands in double quotes."""
    if word.startswith('"') and word.endswith('"') and len(word) > 1:
        name = word[1:-1].replace('""', '"')
    elif _PLAIN.fullmatch(word):
        name = "".join(c.lower() if c.isascii() else c for c in word)
    else:
        raise InvalidInput(
            f"{word!r} is no name of a channel as it stands",
            advice='In double quotes any text is: %tusk listen "my-channel". Names are separated by blanks.',
        )
    if not name or "\0" in name:
        raise InvalidInput("the channel's name is empty, or holds a NUL", advice=USAGE)
    if len(name.encode("utf-8", "surrogatepass")) > _LONGEST:
        raise InvalidInput(f"the channel's name is longer than {_LONGEST} bytes: {name[:20]!r}…", advice=USAGE)
    return name
