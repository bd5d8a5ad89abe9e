"""Servers to practise connecting on: a PostgreSQL with TLS, an SSH bastion before another name of it, and wrong ports.

``servers = practice.start()`` starts them on the loopback, and makes this process at home with them until
``servers.close()``; without that, what watches clears them away when the process ends, killed or not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tusk_jupyter.demo.practice.servers import Servers

__all__ = ["start"]


def start() -> Servers:
    """Start the servers (2 s) and take this process to their home."""
    from tusk_jupyter.demo.practice.servers import Servers

    return Servers()
