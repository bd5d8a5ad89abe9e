"""The data directory: which one it is, and making it.

``TUSK_DATA_DIR``, else ``./.tusk-dev`` when ``TUSK_DEV=1``, else platformdirs' user data directory. It is 0700: it
holds history, and the password files of embedded servers. Every way it can fail is an ``OSError``; all of them become
one :class:`~tusk_jupyter.errors.InitializationError` that names the path and the way out.
"""

from __future__ import annotations

import os
from pathlib import Path

from tusk_jupyter.errors import InitializationError


def data_dir() -> Path:
    """Return the data directory of this environment; nothing is created."""
    if chosen := os.environ.get("TUSK_DATA_DIR"):
        return Path(chosen).expanduser().absolute()
    if os.environ.get("TUSK_DEV") == "1":
        return Path.cwd() / ".tusk-dev"
    import platformdirs

    return Path(platformdirs.user_data_dir("tusk-jupyter", appauthor=False))


def ensure_dir(path: Path) -> Path:
    """Create ``path`` (0700) where it is missing and return it; an existing directory's mode is left alone."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        usable = os.access(path, os.W_OK | os.X_OK)
    except OSError as error:
        reason = error.strerror or type(error).__name__
    else:
        if usable:
            return path
        reason = "permission denied"
    raise InitializationError(f"the data directory {str(path)!r} cannot be used: {reason.lower()}", name=str(path))
