"""A wait in one sentence, for the error of a statement that was stopped while it waited.

The progress line says it in pieces while it lasts; an error has one line for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tusk_jupyter.widgets.amounts import age

if TYPE_CHECKING:
    from tusk_jupyter.queries.progress import Holder, Wait


def waited(wait: Wait) -> str:
    """Return what was waited for and who held it: «a lock on orders, held by pid 4711, app (psql), active for 3 s»."""
    direct = [holder for holder in wait.holders if holder.level == 1]
    if not direct:
        return wait.what
    others = f", and {len(direct) - 1} more" if len(direct) > 1 else ""
    return f"{wait.what}, held by {held(direct[0])}{others}"


def held(holder: Holder) -> str:
    """Return who a holder is and what it does."""
    doing = holder.state or "and what it does is not shown to this role"
    since = holder.state_s if holder.pid else holder.transaction_s
    for_how_long = f" for {age(since)}" if holder.state and since is not None else ""
    if not holder.pid:
        return f"{holder.state}{for_how_long}, which COMMIT PREPARED or ROLLBACK PREPARED ends"
    if holder.connection is not None:
        return f"your own connection {holder.connection}, {doing}{for_how_long}"
    who = ", ".join(filter(None, (f"pid {holder.pid}", holder.user)))
    application = f" ({holder.application})" if holder.application else ""
    return f"{who}{application}, {doing}{for_how_long}"
