"""The saved and open connections as a list: the records that the manager's widget draws, and the static twins.

The static list is what GitHub, nbconvert and a notebook without its kernel show: names, groups and addresses, which
stay true, and neither states, which do not, nor buttons, which would be dead. Its HTML keeps to what JupyterLab's
sanitizer and GitHub let through; by a property of its style the manager's own hides it while the manager is alive.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from tusk_jupyter.widgets.markup import LINE, MUTED, Twins, escape, tag, visible

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

State = Literal["disconnected", "connecting", "connected", "error"]
OPEN_ONLY = "Open, not saved"
# middle tones, which read on white and on black
HUES = {
    "red": "#d1453b",
    "orange": "#cf7a1b",
    "yellow": "#b59a12",
    "green": "#3c9457",
    "blue": "#3f7fbf",
    "purple": "#8f63c4",
    "gray": "#85898f",
}
_ROW = "display:flex;gap:10px;align-items:baseline;font-size:13px;line-height:1.6;padding-left:8px"
_MARK = "--tusk-list:1"
_TEXT = 200


@dataclass(frozen=True, slots=True)
class GroupRow:
    """A group; ``depth`` is 0 at the top."""

    id: str
    name: str
    parent_id: str | None = None
    color: str | None = None
    depth: int = 0


@dataclass(frozen=True, slots=True)
class PoolNumbers:
    """How many connections there are of how many, idle ones, and borrowers that wait."""

    size: int
    available: int
    waiting: int
    max_size: int


@dataclass(frozen=True, slots=True)
class ConnectionRow:
    """A connection: what the list shows of it, what its form holds, and how it is right now.

    ``small`` is the text at the right of its line, ``words`` what a screen reader says of its state, ``error`` the
    panel of its last failure as HTML that is safe already.
    """

    id: str
    name: str
    address: str
    form: Mapping[str, str] = field(default_factory=dict)
    saved: bool = True
    group_id: str | None = None
    color: str | None = None
    read_only: bool = False
    embedded: str | None = None
    state: State = "disconnected"
    words: str = "disconnected"
    small: str = ""
    tone: Literal["quiet", "warn", "bad"] = "quiet"
    current: bool = False
    server: str | None = None
    pool: PoolNumbers | None = None
    transaction: str | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class ConnectionList(Twins):
    """Groups, parents before their children, and connections; the static twins show those that are saved."""

    groups: tuple[GroupRow, ...] = ()
    connections: tuple[ConnectionRow, ...] = ()
    notes: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return the whole as JSON can hold it, for the widget."""
        return {
            "groups": [asdict(group) for group in self.groups],
            "connections": [asdict(row) | {"form": dict(row.form)} for row in self.connections],
        }

    def sections(self) -> Iterator[tuple[GroupRow | None, list[ConnectionRow]]]:
        """Yield each group with its connections; those without one first, the open ones that are not saved last."""
        known = {group.id for group in self.groups}
        saved = [row for row in self.connections if row.saved]
        if loose := [row for row in saved if row.group_id not in known]:
            yield None, loose
        for group in self.groups:
            yield group, [row for row in saved if row.group_id == group.id]
        if others := [row for row in self.connections if not row.saved]:
            yield GroupRow("", OPEN_ONLY), others

    def text(self) -> str:
        """Return one connection a line, under its group."""
        width = max((len(_short(row.name)) for row in self.connections), default=0)
        lines: list[str] = []
        for group, rows in self.sections():
            indent = "  " * (group.depth if group else 0)
            lines += [f"{indent}{_short(group.name)}"] if group else []
            inner = indent + ("  " if group else "")
            lines += [f"{inner}{_short(row.name):<{width}}  {_facts(row)}".rstrip() for row in rows]
        return "\n".join([*(lines or ["no connection is saved yet"]), *(f"note: {note}" for note in self.notes)])

    def html(self) -> str:
        """Return the same; a colour is the edge of its line, and its word is not needed to tell two apart."""
        parts = []
        for group, rows in self.sections():
            indent = f"margin-left:{14 * group.depth}px" if group else ""
            inner = "".join(_line(row) for row in rows)
            parts.append(tag("div", (_heading(group) if group else "") + inner, indent))
        body = "".join(parts) or tag("div", tag("span", "no connection is saved yet", MUTED), "font-size:13px")
        notes = "".join(tag("div", escape(note), f"font-size:12px;margin-top:6px;{MUTED}") for note in self.notes)
        return tag("div", body + notes, f"{_MARK};border:1px solid {LINE};padding:8px 12px")


def _heading(group: GroupRow) -> str:
    return tag("div", escape(_short(group.name)), f"font-size:11.5px;margin-top:4px;{MUTED}")


def _line(row: ConnectionRow) -> str:
    edge = f"border-left:3px solid {HUES.get(row.color or '', 'transparent')}"
    content = f"{tag('b', escape(_short(row.name)), 'font-weight:600')} {tag('span', escape(_facts(row)), MUTED)}"
    return tag("div", content, f"{_ROW};{edge}")


def _facts(row: ConnectionRow) -> str:
    return " · ".join([visible(row.address, _TEXT), *(["read-only"] if row.read_only else [])])


def _short(text: str) -> str:
    return visible(text, _TEXT)
