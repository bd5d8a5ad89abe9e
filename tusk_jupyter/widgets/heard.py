"""Notifications below a status line: channel, payload, who sent it; text twice, and never markup.

The first and last 50 of them, 1,000 characters each: a payload has 8,000 bytes at the most, and there may be thousands.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tusk_jupyter.notifications import Heard
from tusk_jupyter.widgets.amounts import counted
from tusk_jupyter.widgets.markup import MUTED, Twins, escape, tag, visible
from tusk_jupyter.widgets.notices import BAR, MOST, note

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tusk_jupyter.notifications import Notification

SHOWN: Final = 50
_CHANNEL: Final = 100


def text_lines(heard: Heard | None) -> Iterator[str]:
    """Yield a line for each, and the count between."""
    for one in _bounded(heard):
        if isinstance(one, str):
            yield one
        else:
            label = f"NOTIFY {visible(one.channel, _CHANNEL)}:  "
            yield label + _body(one).replace("\n", f"\n{' ' * len(label)}") + f"  ({_sender(one)})"


def html_lines(heard: Heard | None) -> Iterator[str]:
    """Yield the same as HTML."""
    for one in _bounded(heard):
        if isinstance(one, str):
            yield note(one)
            continue
        channel = tag("b", f"NOTIFY {escape(visible(one.channel, _CHANNEL))}", "font-weight:600")
        sender = tag("span", f"({_sender(one)})", MUTED)
        yield tag("div", f"{channel} {tag('span', escape(_body(one)))} {sender}", BAR)


def _body(one: Notification) -> str:
    return visible(one.payload, MOST)


def _sender(one: Notification) -> str:
    return f"pid {one.pid}, this session" if one.own else f"pid {one.pid}"


def _bounded(heard: Heard | None) -> Iterator[Notification | str]:
    if heard is None:
        return
    kept = heard.kept
    if not heard.left_out and len(kept) <= 2 * SHOWN:
        yield from kept
        return
    yield from kept[:SHOWN]
    yield f"… {counted(len(kept) + heard.left_out - 2 * SHOWN, 'more notification')}"
    yield from kept[-SHOWN:]


@dataclass(frozen=True, slots=True)
class Arrivals(Twins):
    """Notifications while they arrive."""

    heard: Heard

    @classmethod
    def of(cls, notifications: Sequence[Notification]) -> Arrivals:
        """Return those that are to be shown of many."""
        middle = max(0, len(notifications) - 2 * SHOWN)
        kept = (*notifications[:SHOWN], *notifications[-SHOWN:]) if middle else tuple(notifications)
        return cls(Heard(kept, middle))

    def text(self) -> str:
        """Return a line for each."""
        return "\n".join(text_lines(self.heard))

    def html(self) -> str:
        """Return the same."""
        return "".join(html_lines(self.heard))
