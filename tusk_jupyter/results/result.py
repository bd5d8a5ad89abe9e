"""What one statement gave: the record behind ``tusk.last_result()`` and ``tusk.result(df)``.

It exists for every statement, also where the magic returns ``None``. It holds the object that was returned and no
second copy of its rows: those are made when asked for.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from tusk_jupyter.results.names import row_type

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tusk_jupyter.errors import Diagnostic
    from tusk_jupyter.notifications import Notification
    from tusk_jupyter.results.destination import Written
    from tusk_jupyter.results.types import Column


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """The outcome of a statement.

    :param columns: name, type and OID of each column, empty for a statement without rows.
    :param query_type: ``select``, ``insert``, ``update``, ``delete``, ``create``, ``alter``, ``drop`` or ``other``. The
        tag does not say it: that of ``CREATE TABLE AS`` is ``SELECT 5``.
    :param rowcount: rows that are kept, which ``--limit`` may have made fewer than there are.
    :param notifications: what NOTIFY brought since the statement before; of very many the first and the last 500.
    :param frame: the object returned to the cell, None for a statement without rows, and where they went to a file.
    :param written: the file that ``--to`` named, with its size.
    """

    query_id: str
    connection: str
    columns: tuple[Column, ...] = ()
    rowcount: int = 0
    elapsed_ms: float = 0.0
    command_tag: str = ""
    notices: tuple[Diagnostic, ...] = ()
    notes: tuple[str, ...] = ()
    truncated: bool = False
    query_type: str = "other"
    written: Written | None = None
    notifications: tuple[Notification, ...] = ()
    frame: Any = field(default=None, repr=False)

    @property
    def rows_affected(self) -> int | None:
        """The number in the command tag, None where it has none."""
        last = self.command_tag.rpartition(" ")[2]
        return int(last) if last.isascii() and last.isdecimal() else None

    @property
    def rows(self) -> list[Any]:
        """The rows as named tuples, NULL as None, made from :attr:`frame` when asked for."""
        if isinstance(self.frame, list):
            return list(self.frame)
        if self.frame is None:
            return []
        row = row_type("Row", [column.name for column in self.columns])
        return [row._make(values) for values in _tuples(self.frame, self.rowcount)]

    def to_dict(self) -> dict[str, Any]:
        """Return everything as dicts, lists and scalars that ``json.dumps`` takes; other values as their text."""
        return {
            "query_id": self.query_id,
            "connection": self.connection,
            "columns": [{"name": c.name, "type": c.type, "oid": c.oid} for c in self.columns],
            "rows": [[_scalar(value) for value in row] for row in self.rows],
            "rowcount": self.rowcount,
            "rows_affected": self.rows_affected,
            "elapsed_ms": self.elapsed_ms,
            "query_type": self.query_type,
            "command_tag": self.command_tag,
            "notices": [asdict(notice) for notice in self.notices],
            "notifications": [asdict(one) | {"received_at": str(one.received_at)} for one in self.notifications],
            "notes": list(self.notes),
            "truncated": self.truncated,
            "file": self.written.path if self.written is not None else None,
        }

    def __repr__(self) -> str:
        shape = f"{self.rowcount} rows × {len(self.columns)} columns" if self.columns else "no rows"
        return (
            f"<Result {self.command_tag or self.query_type} on {self.connection!r}: {shape}, {self.elapsed_ms:.0f} ms>"
        )


def _scalar(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


def _tuples(frame: Any, rowcount: int) -> Iterable[tuple[Any, ...]]:
    if not frame.shape[1]:
        return [()] * rowcount
    kind = type(frame).__module__.partition(".")[0]
    if kind == "pandas":
        return zip(*(_pandas_values(frame.iloc[:, i]) for i in range(frame.shape[1])), strict=True)
    # polars panics where Python's calendar ends, Arrow raises
    table = frame.to_arrow() if kind == "polars" else frame
    return zip(*map(_arrow_values, table.itercolumns()), strict=True)


def _arrow_values(column: Any) -> list[Any]:
    try:
        values: list[Any] = column.to_pylist()
    except (ValueError, OverflowError):
        values = column.cast("string").to_pylist()
    return values


def _pandas_values(series: Any) -> list[Any]:
    values: list[Any] = series.tolist()
    if series.dtype.kind == "f" or series.dtype == object:
        return values  # NaN of a float is a value, and what an object column holds is Python's already
    return [None if missing else value for value, missing in zip(values, series.isna(), strict=True)]
