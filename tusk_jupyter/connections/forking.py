"""What a forked child does with connections: it forgets them, and never uses or closes what is its parent's.

Both processes hold the same sockets. A byte sent on one in the child, the Terminate of a close or TLS's last word among
them, ends or garbles the session of the parent. Nor are there the threads that wait on them. So everything that holds a
connection is told in the child (``forget()``), and what it held is kept, as it is, until the child ends: psycopg does
not close what another process opened, but the objects around it might.

One hook for all of them: :func:`os.register_at_fork` has no way to take one back, and one for each object would keep
every object for good.
"""

from __future__ import annotations

import os
import weakref
from typing import Any, Protocol


class Inheritable(Protocol):
    """What a child has to forget."""

    def forget(self) -> list[Any]:
        """Drop what is the parent's and return it; in the child, where no other thread is."""


_watched: weakref.WeakSet[Any] = weakref.WeakSet()
_inherited: list[Any] = []


def watch(holder: Inheritable) -> None:
    """Have ``holder`` forget in every child that is forked while it lives."""
    _watched.add(holder)


def _forget() -> None:
    for holder in list(_watched):
        _inherited.extend(holder.forget())


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
