"""The rows of ``connection_groups``: the folders of the manager's list, a forest that stays one.

Every change is checked in the transaction that makes it: two kernels that each put a group into the other's would
otherwise tie a knot that no list shows. What is read is put into order whatever it is: a group whose parent is gone, or
that is its own ancestor (a salvaged file), stands at the top.
"""

from __future__ import annotations

import logging
import uuid
from dataclasses import replace
from typing import TYPE_CHECKING

from tusk_jupyter.connections.saved import COLORS, Group, Problem
from tusk_jupyter.errors import InvalidInput

if TYPE_CHECKING:
    import builtins
    import sqlite3
    from collections.abc import Callable, Iterator, Mapping

    from tusk_jupyter.storage.database import Database

logger = logging.getLogger("tusk_jupyter.storage")
NAME_LIMIT = 200
_COLUMNS = "id, name, parent_id, sort_order, color"
_UPSERT = f"""
    insert into connection_groups ({_COLUMNS}) values (?, ?, ?, ?, ?)
    on conflict (id) do update set name = excluded.name, parent_id = excluded.parent_id,
        sort_order = excluded.sort_order, color = excluded.color
"""


class Groups:
    """Reads and writes the rows of whatever database is open now."""

    def __init__(self, database: Callable[[], Database]) -> None:
        self._database = database

    def list(self) -> builtins.list[Group]:
        """Return them all, each before its children, siblings by ``sort_order`` and name.

        :raises TuskError: where the file cannot be read.
        """
        return in_order(self._database().read(_all))

    def save(self, group: Group) -> Group:
        """Insert or update by id (an empty one is made).

        :raises InvalidInput: that names the field: a taken name among its siblings, a parent that is gone or below it.
        :raises TuskError: where it cannot be written.
        """
        group = replace(group, id=group.id or str(uuid.uuid4()))
        return self._write(lambda conn: _save(conn, group))

    def move(self, group_id: str, *, parent_id: str | None, position: int | None = None) -> Group:
        """Put a group below another one (``None``: at the top), there before the sibling at ``position``, else last.

        :raises InvalidInput: as :meth:`save` does, and for a group that is not there.
        """
        return self._write(lambda conn: _move(conn, group_id, parent_id, position))

    def delete(self, group_id: str) -> bool:
        """Delete a group and return whether there was one; its groups and connections move up to its parent.

        A group that has the name of one up there gets a number behind it.
        """
        return self._database().write(lambda conn: _delete(conn, group_id)).result()

    def _write(self, job: Callable[[sqlite3.Connection], Group | InvalidInput]) -> Group:
        written = self._database().write(job).result()
        if isinstance(written, InvalidInput):
            raise written
        return written


def in_order(groups: builtins.list[Group]) -> builtins.list[Group]:
    """Return groups as a list reads: each before its children, whatever their parents are said to be."""
    ids = {group.id for group in groups}
    known = [group if group.parent_id in ids else replace(group, parent_id=None) for group in groups]
    ordered = list(_below(None, known))
    while len(ordered) < len(known):  # a circle hangs from nothing: it is cut at its first member
        reached = {group.id for group in ordered}
        cut = min((group for group in known if group.id not in reached), key=_place)
        logger.warning("the group %r is its own ancestor: it is shown at the top", cut.name)
        known = [replace(group, parent_id=None) if group.id == cut.id else group for group in known]
        ordered = list(_below(None, known))
    return ordered


def _below(parent_id: str | None, groups: builtins.list[Group]) -> Iterator[Group]:
    children: dict[str | None, builtins.list[Group]] = {}
    for group in sorted(groups, key=_place, reverse=True):
        children.setdefault(group.parent_id, []).append(group)
    waiting = children.get(parent_id, [])
    while waiting:
        group = waiting.pop()
        yield group
        waiting.extend(children.get(group.id, []))


def _place(group: Group) -> tuple[int, str, str]:
    return group.sort_order, group.name.casefold(), group.id


def _all(conn: sqlite3.Connection) -> builtins.list[Group]:
    return [Group(*row) for row in conn.execute(f"select {_COLUMNS} from connection_groups")]


def refused(group: Group, others: dict[str, Group]) -> InvalidInput | None:
    """Return why a group cannot be saved among these, if so; the rules need no file."""
    found = next(_problems(group, others), None)
    if found is None:
        return None
    return InvalidInput(
        f"the group cannot be saved: {found.message}",
        advice="Nothing was changed. Correct it and save again.",
        facts=((found.field, found.message),),
    )


def _save(conn: sqlite3.Connection, group: Group) -> Group | InvalidInput:
    if (refusal := refused(group, {other.id: other for other in _all(conn)})) is not None:
        return refusal
    conn.execute(_UPSERT, (group.id, group.name, group.parent_id, group.sort_order, group.color))
    return group


def _move(conn: sqlite3.Connection, group_id: str, parent_id: str | None, position: int | None) -> Group | InvalidInput:
    groups = {group.id: group for group in _all(conn)}
    if group_id not in groups:
        return InvalidInput("the group is not there any more", facts=(("id", "the group is not there any more"),))
    moved = _save(conn, replace(groups[group_id], parent_id=parent_id))
    if isinstance(moved, InvalidInput):
        return moved
    siblings = sorted((g for g in groups.values() if g.parent_id == parent_id and g.id != group_id), key=_place)
    siblings.insert(len(siblings) if position is None else max(0, position), moved)
    for number, sibling in enumerate(siblings):
        conn.execute("update connection_groups set sort_order = ? where id = ?", (number, sibling.id))
    return replace(moved, sort_order=siblings.index(moved))


def _delete(conn: sqlite3.Connection, group_id: str) -> bool:
    groups = {group.id: group for group in _all(conn)}
    gone = groups.pop(group_id, None)
    if gone is None:
        return False
    children = [group for group in groups.values() if group.parent_id == group_id]
    names = {group.name for group in groups.values() if group.parent_id == gone.parent_id}
    # out of the way first: a child may have its name, and takes its place
    conn.execute("update connection_groups set name = id where id = ?", (group_id,))
    conn.execute("update connections set group_id = ? where group_id = ?", (gone.parent_id, group_id))
    for child in children:
        name = _free(child.name, names)
        names.add(name)
        conn.execute(_UPSERT, (child.id, name, gone.parent_id, child.sort_order, child.color))
    conn.execute("delete from connection_groups where id = ?", (group_id,))
    return True


def _free(name: str, taken: set[str]) -> str:
    number, free = 2, name
    while free in taken:
        number, free = number + 1, f"{name} {number}"
    return free


def _problems(group: Group, others: Mapping[str, Group]) -> Iterator[Problem]:
    if not group.name.strip():
        yield Problem("name", "the name is empty")
    elif len(group.name) > NAME_LIMIT or not group.name.isprintable() or "/" in group.name:
        yield Problem("name", f"a group's name has no /, no control character and at most {NAME_LIMIT} characters")
    siblings = (g.name for g in others.values() if g.parent_id == group.parent_id and g.id != group.id)
    if group.name in siblings:
        yield Problem("name", f"there is a group named {group.name!r} in the same place already")
    if group.parent_id is not None and group.parent_id not in others:
        yield Problem("parent_id", "the group above it is not there any more")
    elif _is_within(group.parent_id, group.id, others):
        yield Problem("parent_id", "a group cannot be put into itself, nor into a group below it")
    if isinstance(group.sort_order, bool) or not isinstance(group.sort_order, int) or abs(group.sort_order) >= 2**31:
        yield Problem("sort_order", "the place among the siblings is not a whole number")
    if group.color is not None and group.color not in COLORS:
        yield Problem("color", f"the colour {group.color!r} is none of {', '.join(COLORS)}")


def _is_within(start: str | None, ancestor: str, groups: Mapping[str, Group]) -> bool:
    """Return whether ``ancestor`` is ``start`` or above it."""
    seen: set[str] = set()
    while start is not None and start not in seen:
        if start == ancestor:
            return True
        seen.add(start)
        start = groups[start].parent_id if start in groups else None
    return False
