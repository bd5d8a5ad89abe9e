"""What a read-only connection refuses before anything is sent (protocol G3 of the measurements behind section 8).

Every statement runs in a ``BEGIN READ ONLY`` of its own that ends in ``ROLLBACK``. Refused here is what would undo that
(transaction control), and what would silently vanish with the rollback. This protects against mistakes: functions that
write elsewhere (dblink, server files) are beyond any client, and only a role without write rights is security.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tusk_jupyter.lexer import significant, upper
from tusk_jupyter.queries import classify

if TYPE_CHECKING:
    from tusk_jupyter.queries.split import Statement

_VANISHES = {"LISTEN": "LISTEN", "UNLISTEN": "UNLISTEN"}


def refusal(statement: Statement) -> str | None:
    """Return why the statement is refused, or ``None``."""
    control = classify.transaction_control(statement)
    if control is not None:
        return f"{control} cannot change its transactions"
    first = statement.words[0] if statement.words else ""
    if first in _VANISHES:
        return f"{first} would vanish with the statement's own transaction"
    text = statement.text
    if any(upper(text, token) == "SET_CONFIG" for token in significant(text)):
        return "set_config would vanish with the statement's own transaction: use SET"
    return None
