"""Python values → JSON text for ``json`` and ``jsonb``, changing none: what JSON cannot say is refused."""

from __future__ import annotations

import json
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any
from uuid import UUID


def json_text(value: Any) -> str:
    """Return ``value`` as JSON.

    :raises ValueError, TypeError, RecursionError: for what JSON cannot hold as it is.
    """
    return json.dumps(value, default=_default, allow_nan=False, ensure_ascii=False)


def _default(value: Any) -> Any:
    if isinstance(value, (datetime, date, time)):
        return value.isoformat()
    if isinstance(value, Decimal):
        return _number(value)
    if isinstance(value, UUID):
        return str(value)
    for method in ("tolist", "item"):
        if hasattr(value, method):
            return getattr(value, method)()
    raise TypeError(f"JSON has no {type(value).__name__}")


def _number(value: Decimal) -> int | float:
    if value.is_finite():
        if value == value.to_integral_value():
            return int(value)
        if Decimal(repr(float(value))) == value:
            return float(value)
    raise TypeError(f"JSON would change the value of Decimal({str(value)!r})")
