"""Both sides of a deadlock: our statement, and what the other session does now.

The server tells the client the pids and locks (DETAIL), its log alone the statements. The other side went on when ours
was given up, so that ``pg_stat_activity`` shows its statement of that moment or, if we are late, the next: it is said
to be what runs there now. A session that is not in that transaction any more is not spoken of: a connection of the pool
has gone on to a look-up of ours. What this kernel itself ran there is said from here.
"""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any

from tusk_jupyter.queries.causes import Found

if TYPE_CHECKING:
    import psycopg

    from tusk_jupyter.queries.causes import Refused

_SHOWN, _MOST = 200, 4
_OTHERS = """
select pid, usename::text, application_name, state, query, query = '<insufficient privilege>'
from pg_stat_activity where pid = any(%s) and datname = current_database() and backend_type = 'client backend'
  and (state is null or state in ('active', 'idle in transaction', 'idle in transaction (aborted)'))
  and (xact_start is null or xact_start < clock_timestamp() - make_interval(secs => %s))
order by pid limit %s
"""


def deadlock(conn: psycopg.Connection[Any], refused: Refused) -> Found | None:
    """Return the statement that was given up, and those of the sessions that it waited for."""
    numbers = {int(number) for number in re.findall(r"\b\d{1,9}\b", refused.diag.message_detail or "")}
    facts = [("this session", _line(refused.statement))]
    others = numbers - {refused.backend_pid, conn.info.backend_pid}
    facts += [("other session", _line(refused.own[pid])) for pid in sorted(others & refused.own.keys())]
    since_s = time.monotonic() - refused.at
    rows = conn.execute(_OTHERS, [sorted(others - refused.own.keys()), since_s, _MOST]).fetchall()
    for pid, user, application, state, query, hidden in rows:
        who = f"pid {pid}, {user}{f' ({application})' if application else ''}"
        doing = "what it runs is not shown to this role" if hidden else f"{_doing(state)}: {_line(query)}"
        facts.append(("other session", f"{who}, {doing}"))
    return Found(tuple(facts)) if len(facts) > 1 else None


def _doing(state: str | None) -> str:
    return "running now" if state == "active" else f"{state or 'ended'} now, its last statement"


def _line(statement: str) -> str:
    line = " ".join(statement.split())
    return line if len(line) <= _SHOWN else f"{line[:_SHOWN]}…"
