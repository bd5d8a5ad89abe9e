"""A home directory of the practice's own, so that nothing of the user's is read or written.

``HOME`` and the working directory are a folder with what a user would have been given: the CA's certificate, a client
certificate, a key for the bastion, ``~/.pgpass``, ``~/.ssh/config``. ``PG*`` variables and the agent are put aside;
``PGPORT`` says where the practice server is, so that addresses can be typed without a port that changes every time.
The alternative, an option that says where ``known_hosts`` is, would make every line here another than in real life.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_HOME = "USERPROFILE" if sys.platform == "win32" else "HOME"
_ASIDE = ("SSH_AUTH_SOCK", "DATABASE_URL")


class Home:
    """Where this process lives, from the start until ``close()``.

    :param port: of the practice PostgreSQL.
    """

    def __init__(self, path: Path, *, port: int) -> None:
        self.path = path
        (path / ".ssh").mkdir(mode=0o700, parents=True)
        self._environment = _set_aside()
        self._directory: Path | None = Path.cwd()
        os.environ |= {_HOME: str(path), "PGPORT": str(port)}
        os.chdir(path)

    def put(self, files: Mapping[str, bytes | str]) -> None:
        """Write files of the user's, by their names in this home; others may read none of them."""
        for name, content in files.items():
            data = content.encode() if isinstance(content, str) else content
            with os.fdopen(os.open(self.path / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                file.write(data)

    def close(self) -> None:
        """Go back to the user's; closing twice is fine."""
        directory, self._directory = self._directory, None
        if directory is None:
            return
        _set_aside()
        os.environ.update(self._environment)
        os.chdir(directory)


def _set_aside() -> dict[str, str]:
    """Take out of the environment what says where to connect and as whom, and return it."""
    names = [name for name in os.environ if name.startswith("PG") or name in {_HOME, *_ASIDE}]
    return {name: os.environ.pop(name) for name in names}
