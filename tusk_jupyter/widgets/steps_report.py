"""What a tested connection came to: its steps on one line each, and the time a round trip takes.

The sign is doubled by a word only where it is bad: a screen reader reads «✓» and «✗», and the text behind says why.
"""

from __future__ import annotations

from dataclasses import dataclass

from tusk_jupyter.widgets.amounts import duration
from tusk_jupyter.widgets.markup import BAD, MUTED, Twins, escape, tag, visible

_SIGNS = {"ok": "✓", "failed": "✗", "skipped": "·", "running": "…"}
_CUT = 300


@dataclass(frozen=True, slots=True)
class StepsReport(Twins):
    """``steps`` are (name, state, text); ``verdict`` is the line above them."""

    verdict: str
    steps: tuple[tuple[str, str, str], ...]
    round_trip_ms: float | None = None

    def text(self) -> str:
        """Return the verdict and the steps below it, in columns."""
        width = max((len(name) for name, _, _ in self.steps), default=0)
        lines = [visible(self.verdict, _CUT)]
        lines += [f"{sign} {name.ljust(width)}  {text}".rstrip() for sign, name, _, text in self._rows()]
        return "\n".join(lines)

    def html(self) -> str:
        """Return the same as a list."""
        rows = "".join(
            tag("dt", f"{sign} {escape(name)}", f"width:auto;margin:0;font-weight:400;{BAD if bad else MUTED}")
            + tag("dd", escape(text), f"width:auto;margin:0;{BAD if bad else ''}")
            for sign, name, bad, text in self._rows()
        )
        head = tag("div", tag("b", escape(visible(self.verdict, _CUT)), "font-weight:600"), "")
        listing = tag("dl", rows, "display:grid;grid-template-columns:max-content 1fr;gap:1px 12px;margin:4px 0 0")
        return tag("div", head + listing, "font-size:12px;margin:4px 0")

    def _rows(self) -> list[tuple[str, str, bool, str]]:
        rows = [(_SIGNS[state], name, state == "failed", visible(text, _CUT)) for name, state, text in self.steps]
        if self.round_trip_ms is not None:
            rows.append(("·", "round trip", False, duration(self.round_trip_ms)))
        return rows
