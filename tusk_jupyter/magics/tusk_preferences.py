"""``%tusk data-dir``, ``health``, ``logs``: the files of this kernel, and how it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tusk_jupyter.magics.tusk_commands import Commands


class PreferenceCommands(Commands):
    """Preferences, files, health."""

    def do_data_dir(self, path: str = "") -> None:
        """``%tusk data-dir [PATH]``: where files are; with PATH, reopen storage and logs there for this kernel."""
        if path:
            problems = self._tusk.files.open(Path(path).expanduser().absolute())
            if problems:
                raise problems[0]
        self._say(f"data directory: {self._tusk.files.directory}")

    def do_health(self) -> Any:
        """``%tusk health``: each subsystem, ``ok`` or what is wrong, and the versions at work."""
        import pandas as pd

        info = self._tusk.app_info()
        versions = {field: getattr(info, field) for field in type(info).__dataclass_fields__}
        rows = {**self._tusk.health(), **{k: v or "not installed" for k, v in versions.items()}}
        return pd.DataFrame({"state": rows})

    def do_logs(self) -> None:
        """``%tusk logs``: where they are, and the last lines of this kernel's."""
        directory = self._tusk.log_directory
        files = (
            sorted(directory.glob("*.log"), key=lambda p: p.stat().st_mtime) if directory and directory.is_dir() else []
        )
        last = files[-1].read_text(errors="replace").splitlines()[-10:] if files else []
        self._say(f"logs: {directory}", *last)
