"""What a script is bound to when it is submitted, for one that runs later: a job's parameters, taken at once.

A notebook goes on while a job waits or runs, and ``:day`` has to mean the day that the user saw when he sent it, not
the one that a loop has come to by then. So every statement is bound where it is submitted, and what is missing is said
there, before anything runs. Values that can be changed in place (a dict, a list of lists) are copied; what cannot be
copied is sent as it is when its turn comes. Without parameters it costs the splitting.
"""

from __future__ import annotations

import copy
import datetime as dt
import decimal
import uuid
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from tusk_jupyter.errors import InvalidInput
from tusk_jupyter.queries import refusals, script, split

if TYPE_CHECKING:
    from tusk_jupyter.queries.binding import Bound
    from tusk_jupyter.queries.endings import Source
    from tusk_jupyter.queries.script import Names
    from tusk_jupyter.queries.split import Statement

_SETTLED: Final = frozenset({
    type(None), bool, int, float, str, bytes, decimal.Decimal, uuid.UUID,
    dt.date, dt.datetime, dt.time, dt.timedelta,
})  # fmt: skip


def taken(source: Source, names: Names, *, is_read_only: bool) -> Names:
    """Return ``names`` with the values that the script's statements have now.

    :raises InvalidInput: for what could not be run in any case; :raises BindingError: for a parameter.
    """
    statements = split.split(source.script)
    if not statements:
        raise InvalidInput("there is no statement to run", advice="Write SQL below the %%sql line, or behind %sql.")
    bound: dict[Statement, Bound] = {}
    for statement in statements:
        refusals.refuse(statement, is_read_only=is_read_only, within=False)
        conforming = statement.standard_conforming_strings
        found = script.bind(statement, names, source, standard_conforming_strings=conforming)
        bound[statement] = replace(found, values=tuple(map(_kept, found.values)))
    return replace(names, bound=bound)


def _kept(value: Any) -> Any:
    if _is_settled(value):
        return value
    try:
        return copy.deepcopy(value)
    except Exception:  # noqa: BLE001 - whatever it is: it is sent as it is then
        return value


def _is_settled(value: Any) -> bool:
    # binding has made a list of its own of whatever is an array
    if type(value) is list:
        return all(type(item) in _SETTLED for item in value)
    return type(value) in _SETTLED
