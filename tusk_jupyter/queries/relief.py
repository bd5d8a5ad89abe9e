"""«Cancel theirs»: end what stands in the way of a statement of ours, and only that.

Between the look that showed a backend and the click on its button the world goes on: it may have committed, begun
something else, or gone, and another have its number. So the statement that signals asks first, in the same breath,
whether that very backend (its pid and when it began) still blocks ours and still does what was seen. Cancelling is for
one that runs a statement: one that is idle in its transaction ignores it
(https://www.postgresql.org/docs/current/functions-admin.html, ``pg_cancel_backend``), and only the end of its session
lets go of its locks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import psycopg

from tusk_jupyter.connections import liveness
from tusk_jupyter.queries import looks

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from tusk_jupyter.queries.progress import Holder

_SIGNAL: Final = """
select case when a.pid is null then 'gone' when a.pid not in (select pid from chain) then 'clear'
  when a.state is distinct from 'active' and {cancels} then 'idle' when a.state = 'active' and not {cancels} then 'busy'
  when pg_catalog.{function}(a.pid) then 'done' else 'failed' end
from (select 1) one left join pg_catalog.pg_stat_activity a
  on a.pid = {pid} and a.backend_start = '{start}'::timestamptz
"""
_NOT_PERMITTED: Final = "42501"
NO_ANSWER: Final = "the server did not answer in time: look again whether it is still in the way"


def relieve(
    conn: psycopg.Connection[Any], pids: Iterable[int], holder: Holder, *, version_num: int, limit_s: float
) -> str:
    """Cancel or terminate a holder, if it still is one; return what came of it, in words.

    :raises psycopg.Error: when the connection is lost.
    """
    if holder.remedy is None or holder.backend_start is None:
        return f"pid {holder.pid} is not this role's to stop"
    cancels = holder.remedy == "cancel"
    text = looks.chain(looks.array(pids), version_num) + _SIGNAL.format(
        cancels=str(cancels).lower(),
        function="pg_cancel_backend" if cancels else "pg_terminate_backend",
        pid=int(holder.pid),
        start=holder.backend_start.replace("'", ""),
    )
    try:
        [[outcome]] = liveness.ask(conn, limit_s, text.encode())
    except psycopg.Error as error:
        if error.sqlstate is None:
            raise
        if error.sqlstate == _NOT_PERMITTED:
            return f"this role may not stop pid {holder.pid}: {error.diag.message_primary}"
        return f"the server refused: {error.diag.message_primary}"
    return _said(outcome or "", holder.pid, cancels=cancels)


def _said(outcome: str, pid: int, *, cancels: bool) -> str:
    words = {
        "done": f"asked pid {pid} to cancel its statement"
        if cancels
        else f"ended pid {pid}: its transaction is undone",
        "gone": f"pid {pid} is gone already: nothing was done",
        "clear": f"pid {pid} is no longer in the way: nothing was done",
        "idle": f"pid {pid} runs no statement any more, and only the end of its session would help: nothing was done",
        "busy": f"pid {pid} runs a statement again: nothing was done",
    }
    return words.get(outcome, f"the signal to pid {pid} failed")
