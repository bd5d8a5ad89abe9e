"""The manager's Test button: a form is tried as it stands, saved or not, and each step is told as it happens.

The passwords are those that a connect would use: what is typed, else what is kept, else what this kernel remembers.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tusk_jupyter.connections.credentials import KINDS
from tusk_jupyter.magics import manager_actions, manager_hosts
from tusk_jupyter.widgets.error_panel import ErrorPanel

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tusk_jupyter.connections.saved import SavedConnection
    from tusk_jupyter.connections.steps import Step, Walk
    from tusk_jupyter.connections.target import Target
    from tusk_jupyter.magics.manager_messages import Request
    from tusk_jupyter.secret import Secret
    from tusk_jupyter.tusk import Tusk

    Tell = Callable[[dict[str, Any]], None]


def test(tusk: Tusk, request: Request, tell: Tell) -> dict[str, Any]:
    """Try the form of a request; keep nothing."""
    saved, refused = manager_actions.record(tusk, request)
    if refused is not None:
        return refused
    manager_hosts.record(tusk, tusk.saved.target(saved), request.trust)
    found: dict[str, Step] = {}

    def on_step(step: Step) -> None:
        found[step.name] = step
        tell({"op": "steps", "steps": told(found)})

    return _answer(walked(tusk, saved, request.secrets, on_step), request.target)


def walked(
    tusk: Tusk, saved: SavedConnection, typed: Mapping[str, Secret | None], on_step: Callable[[Step], None]
) -> Walk:
    """Try a record with the passwords that a connect would use."""
    from tusk_jupyter.connections import steps

    target = tusk.saved.target(saved)
    given = passwords(tusk, target, saved.id, typed)
    if given["sslkey"] is not None:
        target = replace(target, conninfo=replace(target.conninfo, sslpassword=given["sslkey"]))
    return steps.walk(
        target,
        name=saved.name,
        password=given["db"],
        ssh_password=given["ssh"],
        passphrase=given["sshkey"],
        on_step=on_step,
    )


def passwords(
    tusk: Tusk, target: Target, connection_id: str, typed: Mapping[str, Secret | None]
) -> dict[str, Secret | None]:
    """Return the passwords that a connect would use, by kind."""
    found: dict[str, Secret | None] = {}
    for kind in KINDS:
        kept = tusk.credentials.find(connection_id, kind) if connection_id and kind not in typed else None
        found[kind] = typed.get(kind) or kept
    if found["db"] is None:
        found["db"] = tusk.credentials.recall(target.password_key) or target.conninfo.password
    return found


def told(found: Mapping[str, Step]) -> list[list[str]]:
    """Return steps in their order as the front end takes them: name, state, text."""
    from tusk_jupyter.connections.steps import NAMES

    return [[step.name, step.state, step.text] for name in NAMES if (step := found.get(name)) is not None]


def summary(walk: Walk) -> str:
    """Return what a test that succeeded found, in one line."""
    server = walk.server
    if server is None:
        return "connected and closed again"
    trip = f", {max(walk.round_trip_ms, 0.1):.1f} ms a round trip" if walk.round_trip_ms is not None else ""
    standby = ", a standby" if server.in_recovery else ""
    who = f"database {server.dbname} as {server.user}"
    return f"PostgreSQL {server.version}{standby}, {who}, {server.encryption.text}{trip}"


def _answer(walk: Walk, target: str) -> dict[str, Any]:
    steps = told({step.name: step for step in walk.steps})
    if walk.error is None:
        return {"ok": True, "target": target, "steps": steps, "note": summary(walk)}
    answer: dict[str, Any] = {"ok": False, "target": target, "steps": steps, "asks": walk.asks}
    if walk.asks:
        return answer
    if (asked := manager_hosts.question(walk.error)) is not None:
        return answer | asked
    return answer | {"kind": walk.error.kind, "error": ErrorPanel.from_error(walk.error).html()}
