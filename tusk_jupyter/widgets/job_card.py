"""One background query as it is at a moment: what it runs, how far it is, how its result is had.

A card is what stays in the notebook, so it has to read on its own in a year: which statement, on which connection, how
it ended. A live front end lays the line with the Stop button above it while the job runs; this knows nothing of that.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tusk_jupyter.widgets.amounts import counted, duration, size
from tusk_jupyter.widgets.markup import (
    BAD,
    LINE,
    MONO,
    MUTED,
    WARN,
    Twins,
    escape,
    tag,
    visible,
    with_code,
    without_code,
)

if TYPE_CHECKING:
    from tusk_jupyter.errors import TuskError

_SQL, _PART, _MESSAGE = 200, 300, 600
_DOT = " · "
_BOX = f"border:1px solid {LINE};padding:7px 10px;margin:4px 0;font-size:12px;line-height:1.5"
_TONES = {"waiting": WARN, "cancelled": WARN, "timeout": BAD, "failed": BAD}


@dataclass(frozen=True, slots=True)
class JobCard(Twins):
    """A job at a moment; ``name`` is the variable that holds it."""

    id: str
    state: str
    sql: str
    connection: str
    elapsed_s: float
    rows: int = 0
    nbytes: int = 0
    phase: str | None = None
    waits_for: str | None = None
    error: TuskError | None = None
    name: str = "job"

    def text(self) -> str:
        """Return its lines."""
        lines = [_DOT.join((f"job {self.id[:8]}", self.state, *self._words())), self._excerpt()]
        lines += [visible(str(self.error), _MESSAGE)] if self.error is not None else []
        return "\n".join([*lines, without_code(self._how())])

    def html(self) -> str:
        """Return the same."""
        state = tag("b", escape(self.state), f"font-weight:600;{_TONES.get(self.state, '')}")
        before = tag("span", f"job {escape(self.id[:8])}{_DOT}", MUTED)
        after = tag("span", escape("".join(_DOT + word for word in self._words())), MUTED)
        lines = [
            tag("div", f"{before}{state}{after}"),
            tag("div", escape(self._excerpt()), f"overflow-wrap:anywhere;{MONO}"),
        ]
        if self.error is not None:
            message = escape(visible(str(self.error), _MESSAGE))
            lines.append(tag("div", message, f"white-space:pre-wrap;overflow-wrap:anywhere;{BAD}"))
        return tag("div", "".join([*lines, tag("div", with_code(self._how()), MUTED)]), _BOX)

    def _excerpt(self) -> str:
        return visible(" ".join(self.sql[: 4 * _SQL].split()), _SQL)

    def _words(self) -> list[str]:
        said = [duration(self.elapsed_s * 1000)]
        said += [counted(self.rows, "row")] if self.rows or self.state == "completed" else []
        said += [size(self.nbytes)] if self.nbytes else []
        said += [visible(self.phase, _PART)] if self.phase else []
        said += [f"waits for {visible(self.waits_for, _PART)}"] if self.waits_for else []
        return [*said, visible(self.connection, _PART)]

    def _how(self) -> str:
        name = self.name
        if self.state == "completed":
            return f"`{name}.df()` is its frame, `{name}.result()` all that is known of it"
        if self.state in {"waiting", "running"}:
            return f"`{name}.df()` waits for its frame, `{name}.cancel()` stops it"
        return f"`{name}.error` says everything about it"
