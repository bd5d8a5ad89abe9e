"""``tusk.json(x)``: says that a value binds as ``jsonb``, whatever Python type it has.

Alone in its module because the public package names it, and naming it must not import psycopg.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Json:
    """Wraps any JSON-serialisable value for binding."""

    value: Any


def json(value: Any) -> Json:
    """Bind ``value`` as ``jsonb``: ``%sql select :doc`` with ``doc = tusk.json([1, 2])``."""
    return Json(value)
