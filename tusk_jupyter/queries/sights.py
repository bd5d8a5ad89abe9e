"""What one look says of one execution: its rows of the look as a :class:`~tusk_jupyter.queries.progress.Seen`.

A wait that is no lock comes and goes: it is said when two looks in a row have met it for a second, and no sooner. Since
when a lock is waited for the server says from 14 on; before, it is since our first look that met it.

Names and queries are other people's, and can hold anything: a line break, what a terminal obeys, what is invisible or
turns text around. What leaves here is one line of visible characters, because not everybody who prints a wait is ours.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from tusk_jupyter.masking import masked
from tusk_jupyter.queries import awaited, phases
from tusk_jupyter.queries.progress import Holder, Seen, Wait

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tusk_jupyter.queries.looks import Found

    Row = Mapping[str, Any]

MOST_HOLDERS: Final = 20
MOST_QUERY: Final = 200
LONG_S: Final = 1.0
_IDLE: Final = ("idle", "idle in transaction", "idle in transaction (aborted)")


class Follower:
    """What is remembered of an execution from look to look."""

    def __init__(self, statement: str) -> None:
        self.pids: tuple[int, ...] = ()
        self.expected_rows: int | None = None
        self.is_estimated = False
        self._statement = statement
        self._waits: tuple[str, float] | None = None

    def seen(self, found: Found, pids: tuple[int, ...], own: Mapping[int, str]) -> Seen | None:
        """Return what the look saw of it; ``None`` when the server runs nothing for it at this moment.

        :param pids: its backends.
        :param own: the names of this kernel's own connections, by pid.
        """
        self.pids = pids
        backends = [row for row in found["ours"] if row["root"] in self.pids]
        # what it had waited for when it ended belongs to its error
        if not any(row["state"] == "active" for row in backends):
            return None
        phase, fraction = self._phase(found)
        return Seen(fraction, phase, self._wait(found, backends, own), self.expected_rows)

    def _phase(self, found: Found) -> tuple[str | None, float | None]:
        for view in phases.VIEWS:
            for row in found.get(view, ()):
                if row["pid"] in self.pids:
                    phase, fraction = phases.said(view, row, self._statement)
                    return _line(phase), fraction
        return None, None

    def _wait(self, found: Found, backends: list[dict[str, Any]], own: Mapping[int, str]) -> Wait | None:
        waiting = next((row for row in backends if row["type"] == "Lock"), None)
        if waiting is None:
            return self._quiet_wait(found, backends, own)
        locks = [row for row in found.get("lock", ()) if row["pid"] == waiting["pid"]]
        lacking = awaited.by_lock(locks)
        if lacking is None:  # it came in between
            return None
        what = _line(awaited.lock(lacking, locks)) or ""
        since = self._since(what)
        for_s = lacking["for_s"] if lacking["for_s"] is not None else since
        return Wait(what, max(for_s, 0.0), holders(found, waiting["root"], self.pids, own))

    def _quiet_wait(self, found: Found, backends: list[dict[str, Any]], own: Mapping[int, str]) -> Wait | None:
        leader = next((row for row in backends if row["pid"] in self.pids and row["state"] == "active"), None)
        what = awaited.event(leader["type"], leader["event"]) if leader is not None else None
        if leader is None or what is None:
            self._waits = None
            return None
        for_s = self._since(what)
        if for_s < LONG_S:
            return None
        return Wait(what, for_s, holders(found, leader["pid"], self.pids, own))

    def _since(self, what: str) -> float:
        now = time.monotonic()
        if self._waits is None or self._waits[0] != what:
            self._waits = what, now
        return now - self._waits[1]


def holders(found: Found, root: int, ours: Iterable[int], own: Mapping[int, str]) -> tuple[Holder, ...]:
    """Return who stands in the way of a backend, the nearest first, each once."""
    by_pid = {row["pid"]: row for row in found.get("holder", ())}
    blocks = sorted((row["level"], row["pid"], row["waiter"]) for row in found.get("block", ()) if row["root"] == root)
    met, result = set(ours), []
    for level, pid, waiter in blocks:
        if pid == 0:
            result += [
                _prepared(row, level)
                for row in found.get("prepared", ())
                if row["waiter"] == waiter and row["gid"] not in met
            ]
            met |= {row["gid"] for row in found.get("prepared", ()) if row["waiter"] == waiter}
        elif pid in by_pid and pid not in met:
            met.add(pid)
            result.append(_holder(by_pid[pid], level, own))
    return tuple(result[:MOST_HOLDERS])


def _holder(row: Row, level: int, own: Mapping[int, str]) -> Holder:
    is_client = row["backend_type"] in {"client backend", None}
    connection = own.get(row["pid"])
    return Holder(
        pid=row["pid"],
        level=level,
        user=_line(row["user"]),
        application=_line(row["application"] or None) if is_client else row["backend_type"],
        client=row["client"],
        state=row["state"],
        state_s=row["state_s"],
        transaction_s=row["transaction_s"],
        query=None if row["hidden"] else _query(row["query"]),
        connection=connection,
        remedy=_remedy(row, is_own=connection is not None),
        backend_start=row["backend_start"],
    )


def _remedy(row: Row, *, is_own: bool) -> str | None:
    # a backend of which nothing may be seen cannot be told from whoever gets its number later
    if not row["may_signal"] or row["backend_start"] is None:
        return None
    if row["state"] == "active":
        return "cancel"
    # what one's own session holds goes with COMMIT or ROLLBACK, and with nothing else lost
    return "terminate" if row["state"] in _IDLE and not is_own else None


def _prepared(row: Row, level: int) -> Holder:
    # it has no process: who may end it does so by its name, in any session of this database
    state = f"prepared transaction {row['gid']!r}"
    return Holder(pid=0, level=level, user=_line(row["owner"]), state=state, transaction_s=row["transaction_s"])


def _query(text: str | None) -> str | None:
    line = _line(masked(text or "")) or ""
    return f"{line[: MOST_QUERY - 1]}…" if len(line) > MOST_QUERY else line or None


def _line(text: str | None) -> str | None:
    if text is None:
        return None
    # repr() spells out what is not printable, and the backslashes with it: so each by itself
    return "".join(each if each.isprintable() else repr(each)[1:-1] for each in " ".join(text.split()))
