"""Relations of every kind for ``\\d`` and its like: ``described.sql``, as far as the server's version has it."""

from __future__ import annotations

import re
from pathlib import Path

SCHEMA = 'we"ird \\ schema'
DROP_ROLE = 'drop role if exists "tusk role ""q"""'
_TEXT = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")


def statements(version: int) -> str:
    """Return what makes the relations on a server of a ``server_version_num``."""
    since, *more = re.split(r"^-- since (\d+)$", _TEXT, flags=re.MULTILINE)
    later = zip(map(int, more[::2]), more[1::2], strict=True)
    return since + "".join(text for number, text in later if version >= number)
