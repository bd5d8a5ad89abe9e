"""``%tusk set``, ``get``, ``data-dir``, ``health``, ``logs``: what this kernel is told, its files, and how it is."""

from __future__ import annotations

import re
from collections import deque
from typing import TYPE_CHECKING, Any

from tusk_jupyter import log, paths
from tusk_jupyter.errors import InvalidInput
from tusk_jupyter.magics.options import whole_number
from tusk_jupyter.magics.tusk_commands import Commands
from tusk_jupyter.preferences import Preference, named

if TYPE_CHECKING:
    from pathlib import Path

RESET = "default"
_LINES, _MOST_LINES = 10, 10_000
_RECORD = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}Z) ([A-Z]+) (\S+) ")


class PreferenceCommands(Commands):
    """Preferences, files, health."""

    def do_set(self, *words: str) -> None:
        """``%tusk set KEY VALUE``: a preference, here at once and in kernels to come; VALUE ``default`` resets it."""
        key, _, value = " ".join(words).replace("=", " ", 1).strip().partition(" ")
        if not key:
            raise InvalidInput("which preference?", advice="%tusk get lists them; %tusk set KEY VALUE sets one.")
        preference, value = named(key), value.strip()
        if not value:
            raise InvalidInput(
                f"%tusk set {preference.name} needs a value",
                advice=f"It is {preference.allowed}; {RESET} resets it, and %tusk get {preference.name} shows it.",
            )
        if value.lower() == RESET:
            self._reset(preference)
            return
        failure = self._tusk.preferences.set(preference.name, preference.read(value))
        notes = [f"in this kernel only: {failure}"] if failure else []
        if preference.name == "history_days" and self._tusk.history_days:
            notes.append("older statements are deleted when the extension is loaded next")
        if self._tusk.preferences.is_configured(preference.name):
            notes.append("IPython's configuration sets it too, and wins at the next start")
        self._say(f"{preference.name} = {_spelled(self._tusk.get_preference(preference.name))}", *notes)

    def _reset(self, preference: Preference) -> None:
        failure = self._tusk.preferences.reset(preference.name)
        note = [f"but it is still saved: {failure}"] if failure else []
        self._say(f"{preference.name} = {_spelled(self._tusk.get_preference(preference.name))} again", *note)

    def do_get(self, key: str = "") -> Any:
        """``%tusk get [KEY]``: every preference with where its value comes from; with KEY, its value."""
        if key:
            return self._tusk.get_preference(key)
        from dataclasses import asdict

        from tusk_jupyter.magics.wide_tables import WideTable

        rows = {setting.name: asdict(setting) for setting in self._tusk.preferences.listing()}
        return WideTable.from_dict(rows, orient="index", columns=["value", "default", "source", "meaning"])

    def do_data_dir(self, path: str = "") -> None:
        """``%tusk data-dir [PATH]``: where files are; with PATH, reopen storage and logs there for this kernel."""
        if path:
            # a directory that cannot be is refused while the present one is still open
            directory = paths.ensure_dir(paths.directory(path))
            if problems := self._tusk.open_files(directory):
                raise problems[0]
        self._say(f"data directory: {self._tusk.files.directory}")

    def do_health(self) -> Any:
        """``%tusk health``: each subsystem, ``ok`` or what is wrong, and the versions at work."""
        from tusk_jupyter.magics.wide_tables import WideTable

        info = self._tusk.app_info()
        versions = {field: getattr(info, field) for field in type(info).__dataclass_fields__}
        rows = {**self._tusk.health(), **{k: v or "not loaded" for k, v in versions.items()}}
        return WideTable({"state": rows})

    def do_logs(self, lines: str = str(_LINES)) -> Any:
        """``%tusk logs [N]``: where they are, and the last N lines of this kernel's (10)."""
        from tusk_jupyter.magics.wide_tables import WideTable

        count = min(whole_number(lines), _MOST_LINES)
        log.flush()
        file = log.file()
        self._say(f"logs: {file or 'no file is written'}", *([] if file else [log.state()]))
        return WideTable(_records(file, count), columns=["time", "level", "logger", "message"])


def _spelled(value: bool | int | str) -> str:
    return ("on" if value else "off") if isinstance(value, bool) else str(value)


def _records(file: Path | None, count: int) -> list[tuple[str, str, str, str]]:
    """Return the last records of a log file; lines that follow one belong to it."""
    found: deque[list[str]] = deque(maxlen=count or 1)
    if file is not None and count:
        try:
            with file.open(encoding="utf-8", errors="replace") as opened:
                for line in opened:
                    if match := _RECORD.match(line):
                        found.append([match[1], match[2], match[3], line[match.end() :].rstrip()])
                    elif found:
                        found[-1][3] += "\n" + line.strip()
        except OSError:  # deleted a moment ago; the next line makes it again
            return []
    return [(time, level, name, message) for time, level, name, message in found]
