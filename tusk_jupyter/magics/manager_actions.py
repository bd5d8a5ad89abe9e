"""What the connection manager's buttons do, on :class:`Tusk`; each returns the answer that the form is to show.

They run on worker threads, one per request, so nothing here may draw, print or prompt: where a server asks for a
password, the answer says so, and the form's field asks. A user's mistake is an answer with ``problems`` by field;
every other failure is raised and becomes a panel.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from tusk_jupyter.connections.saved import COLORS, Group, SavedConnection
from tusk_jupyter.errors import AuthenticationFailed, ConnectionNotFound, InvalidInput
from tusk_jupyter.magics import manager_form
from tusk_jupyter.magics.manager_hosts import Answers
from tusk_jupyter.magics.manager_view import record_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tusk_jupyter.connections.connection import Connection
    from tusk_jupyter.connections.credentials import Kind
    from tusk_jupyter.magics.manager_messages import Request
    from tusk_jupyter.secret import Secret
    from tusk_jupyter.tusk import Tusk

    Answer = dict[str, Any]
    Tell = Callable[[dict[str, Any]], None]


def find_open(tusk: Tusk, target: str) -> Connection | None:
    """Return the open connection of a row of the list: of a saved connection's id, or of its own."""
    saved = tusk.saved.find(target) if target else None
    name = saved.name if saved is not None else None
    return next((c for c in tusk.connections.active() if c.id == target or c.name == name), None)


def secrets(tusk: Tusk, request: Request, _tell: Tell) -> Answer:
    """Say which passwords are kept, and where one would be; this may wait for the keychain."""
    kept = [
        kind for kind in manager_form.SECRETS if request.target and tusk.saved.has_secret(request.target, _kind(kind))
    ]
    state = tusk.credentials.available()
    return {"ok": True, "kept": kept, "keychain": {"ok": state.ok, "backend": state.backend, "reason": state.reason}}


def save(tusk: Tusk, request: Request, _tell: Tell) -> Answer:
    """Save the form; a connection that was only open is saved with the password that opened it."""
    base, connection = _base(tusk, request.target)
    others = [saved.name for saved in tusk.saved.list() if saved.id != base.id]
    record, problems = manager_form.read(request.form or {}, base, taken=others)
    if problems:
        return _refused(problems)
    if connection is not None and record.name == connection.name and request.keep:
        tusk.saved.keep(connection)
    kept = tusk.saved.save(record, _for_store(request))
    return {
        "ok": True,
        "target": kept.saved.id,
        "note": f"{kept.saved.name} is saved",
        "warnings": [*kept.warnings, *tusk.credentials.take_warnings()],
    }


def connect(tusk: Tusk, request: Request, tell: Tell) -> Answer:
    """Connect and make it the current one; a form that was changed is saved first."""
    target, warnings = request.target, []
    password = request.secrets.get("db")
    if request.form is not None:
        # a password is kept once it has proved to be right
        others = {kind: secret for kind, secret in request.secrets.items() if kind != "db" or secret is None}
        saved = save(tusk, replace(request, secrets=others), tell)
        if not saved["ok"]:
            return saved
        target, warnings = saved["target"], saved["warnings"]
        tell({"op": "saved", "target": target})
    ask = Answers(request.trust)
    refusal = None
    try:
        connection = tusk.connect_saved(target, ask=ask, password=password)
    except AuthenticationFailed as error:
        refusal = error
    if refusal is not None:
        if not ask.asked:
            raise refusal
        return {"ok": False, "target": target, "asks": True, "warnings": warnings}
    if password is not None and request.keep:
        warnings += tusk.saved.save(tusk.saved.get(target), {"db": password}).warnings
    return {
        "ok": True,
        "target": target,
        "note": f"connected; cells run on {connection.name} now",
        "warnings": [*warnings, *tusk.credentials.take_warnings()],
    }


def disconnect(tusk: Tusk, request: Request, _tell: Tell) -> Answer:
    """Disconnect; with an open transaction or a running statement only when the user is sure."""
    connection = _opened(tusk, request.target)
    if not request.sure and (loss := _loss(tusk, connection)) is not None:
        return {"ok": False, "confirm": "disconnect", "target": request.target, "text": loss}
    tusk.connections.disconnect(connection.name)
    current = tusk.connections.current
    now = f"; cells run on {current.name} now" if current is not None else ""
    return {"ok": True, "target": request.target, "note": f"{connection.name} is disconnected{now}"}


def use(tusk: Tusk, request: Request, _tell: Tell) -> Answer:
    """Make an open connection the current one."""
    connection = tusk.connections.use(_opened(tusk, request.target).name)
    return {"ok": True, "target": request.target, "note": f"cells run on {connection.name} now"}


def duplicate(tusk: Tusk, request: Request, _tell: Tell) -> Answer:
    """Save a copy, without the passwords."""
    copy = tusk.saved.duplicate(request.target)
    return {"ok": True, "target": copy.id, "note": f"saved as {copy.name}, without the password"}


def delete(tusk: Tusk, request: Request, _tell: Tell) -> Answer:
    """Delete a saved connection with its passwords; one that is open stays open."""
    saved = tusk.saved.get(request.target)
    if not request.sure:
        text = f"Delete {saved.name} and the password that is kept for it?"
        return {"ok": False, "confirm": "delete", "target": request.target, "text": text}
    tusk.delete_saved(saved.id)
    return {"ok": True, "note": f"{saved.name} is deleted", "warnings": tusk.credentials.take_warnings()}


def group_save(tusk: Tusk, request: Request, _tell: Tell) -> Answer:
    """Make a group, or rename, nest or colour one."""
    form = request.form or {}
    groups = tusk.saved.groups()
    base = next((group for group in groups if group.id == request.target), None)
    name, parent, color = (form.get(key, "").strip() or None for key in ("name", "parent_id", "color"))
    problems = _group_problems(groups, request.target, name=name, parent=parent, color=color)
    if problems:
        return {"ok": False, "problems": problems}
    order = base.sort_order if base is not None else sum(group.parent_id == parent for group in groups)
    group = tusk.saved.save_group(Group(request.target if base else "", name or "", parent, order, color))
    return {"ok": True, "target": group.id, "note": f"group {group.name} is saved"}


def group_move(tusk: Tusk, request: Request, _tell: Tell) -> Answer:
    """Move a group up or down among its siblings."""
    groups = tusk.saved.groups()
    moved = _group(groups, request.target)
    siblings = [group for group in groups if group.parent_id == moved.parent_id]
    place = siblings.index(moved)
    siblings.insert(max(0, place + (-1 if request.direction == "up" else 1)), siblings.pop(place))
    for order, group in enumerate(siblings):
        if group.sort_order != order:
            tusk.saved.save_group(replace(group, sort_order=order))
    return {"ok": True, "target": moved.id, "note": f"{moved.name} is number {siblings.index(moved) + 1} now"}


def group_delete(tusk: Tusk, request: Request, _tell: Tell) -> Answer:
    """Delete a group; what is in it moves up."""
    group = _group(tusk.saved.groups(), request.target)
    if not request.sure:
        text = f"Delete the group {group.name}? What is in it moves up; no connection is deleted."
        return {"ok": False, "confirm": "group_delete", "target": request.target, "text": text}
    tusk.saved.delete_group(group.id)
    return {"ok": True, "note": f"group {group.name} is deleted"}


def record(tusk: Tusk, request: Request) -> tuple[SavedConnection, Answer | None]:
    """Return the record of a form that is tried without being saved, or the answer that refuses it."""
    base, _ = _base(tusk, request.target)
    # a name is needed to save, not to try
    form = {**(request.form or {})}
    form["name"] = form.get("name", base.name).strip() or "new"
    found, problems = manager_form.read(form, base)
    return found, _refused(problems) if problems else None


def _base(tusk: Tusk, target: str) -> tuple[SavedConnection, Connection | None]:
    if not target:
        return manager_form.blank(), None
    if (saved := tusk.saved.find(target)) is not None:
        return saved, None
    connection = find_open(tusk, target)
    if connection is None:
        raise ConnectionNotFound("this connection is neither saved nor open any more", advice="Reopen the manager.")
    return record_of(connection), connection


def _opened(tusk: Tusk, target: str) -> Connection:
    if (connection := find_open(tusk, target)) is None:
        raise ConnectionNotFound("this connection is not open any more", advice="Nothing is left to do.")
    return connection


def _loss(tusk: Tusk, connection: Connection) -> str | None:
    if any(query.connection == connection.name and query.state == "running" for query in tusk.queries.active()):
        return f"A statement is running on {connection.name}: disconnecting stops it, with the transaction it is in."
    session = connection.live_session
    if session is None or session.transaction is None:
        return None
    return f"{connection.name} has a transaction open: disconnecting rolls it back, and nothing of it is saved."


def _for_store(request: Request) -> Mapping[Kind, Secret | None]:
    # a tunnel and a key are opened with what is kept, so only the server's password can be for once
    given = {kind: secret for kind, secret in request.secrets.items() if request.keep or secret is None or kind != "db"}
    return cast("Mapping[Kind, Secret | None]", given)


def _kind(text: str) -> Kind:
    return cast("Kind", text)


def _refused(problems: Any) -> Answer:
    return {"ok": False, "problems": [[problem.field, problem.message] for problem in problems]}


def _group(groups: list[Group], target: str) -> Group:
    found = next((group for group in groups if group.id == target), None)
    if found is None:
        raise InvalidInput("this group is not there any more", advice="Somebody deleted it.")
    return found


def _group_problems(
    groups: list[Group], target: str, *, name: str | None, parent: str | None, color: str | None
) -> list[list[str]]:
    problems = []
    if not name:
        problems.append(["name", "the name is empty"])
    elif any(g.name == name and g.parent_id == parent and g.id != target for g in groups):
        problems.append(["name", f"there is a group named {name!r} here already"])
    above = {group.id: group.parent_id for group in groups}
    place, steps = parent, 0
    while place is not None and place != target and steps <= len(groups):
        place, steps = above.get(place), steps + 1
    if parent is not None and parent not in above:
        problems.append(["parent_id", "the group it is to be in is not there"])
    elif target and place == target:
        problems.append(["parent_id", "a group cannot be inside itself"])
    if color is not None and color not in COLORS:
        problems.append(["color", f"the colour {color!r} is none of {', '.join(COLORS)}"])
    return problems
