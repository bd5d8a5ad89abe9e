"""The preferences of this kernel: what each is now, and who says so.

From weakest to strongest: the default, what is saved in ``tusk.db``, an explicit traitlets configuration
(``c.Tusk.limit = 500`` in ``ipython_config.py``), and what this kernel was told last: ``%config Tusk.limit = 500``, or
``%tusk set``, which is also saved. The values themselves are traits, where every reader has them without a lock; here
is only where they came from. The file is read once, at load and after ``%tusk data-dir``: one SELECT (0.1 ms), and
what another kernel saves meanwhile changes no cell that is about to run here.

What is saved and no longer allowed (another version wrote it) is left in the file, logged, and not used. What the
configuration says and may not is not used either, and is told at load: raising there, as traitlets does, would leave
the user without the extension until a file is mended that no cell can reach.
"""

from __future__ import annotations

import logging
import threading
import time
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from traitlets.config.loader import Config, DeferredConfigString, LazyConfigValue

from tusk_jupyter import interrupts
from tusk_jupyter.errors import InvalidInput, TuskError
from tusk_jupyter.preferences import PREFERENCES, Preference, Value, named
from tusk_jupyter.storage.preferences import Preferences

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from collections.abc import Set as AbstractSet
    from concurrent.futures import Future

    from traitlets import HasTraits

    from tusk_jupyter.storage.database import Database

logger = logging.getLogger("tusk_jupyter.preferences")
SAVE_S = 3.0
MOST_SHOWN = 80

Source: TypeAlias = Literal["default", "saved", "config", "kernel"]


@dataclass(frozen=True, slots=True)
class Setting:
    """A preference as it is in this kernel."""

    name: str
    value: Value
    default: Value
    source: Source
    meaning: str


@dataclass(frozen=True, slots=True)
class Unusable:
    """What the configuration says of a preference, and may not: ``value`` as it is shown."""

    preference: Preference
    value: str

    def line(self, used: Value) -> str:
        """Return what to tell the user; ``used`` is what holds instead."""
        said = f"Tusk.{self.preference.name} = {self.value} in the configuration is not used"
        return f"{said}: it is {self.preference.allowed}; {used!r} holds"


def usable(config: Config) -> tuple[Config, tuple[Unusable, ...]]:
    """Return ``config`` without the preferences that may not be as it has them (the same where there are none)."""
    if not any(_unusable(config)):
        return config, ()
    left = deepcopy(config)
    dropped = []
    for section, unusable in list(_unusable(left)):
        del section[unusable.preference.name]
        dropped.append(unusable)
    return left, tuple(dropped)


def _unusable(config: Config, *, ours: bool = False) -> Iterator[tuple[Config, Unusable]]:
    """Yield each with its section; one may stand in a parent's, as in ``c.ZMQInteractiveShell.Tusk``."""
    for name, value in config.items():
        if isinstance(value, Config):
            yield from _unusable(value, ours=name == "Tusk")
        elif ours and name in PREFERENCES and not isinstance(value, LazyConfigValue):
            preference = PREFERENCES[name]
            try:
                # what comes from a command line is text
                preference.read(str(value)) if isinstance(value, DeferredConfigString) else preference.check(value)
            except InvalidInput:
                shown = repr(str(value) if isinstance(value, DeferredConfigString) else value)
                yield config, Unusable(preference, shown if len(shown) <= MOST_SHOWN else f"{shown[:MOST_SHOWN]}…")


class KernelPreferences:
    """Gets, sets and resets the traits of ``holder``, and keeps what is to be kept.

    :param configured: the names that the configuration gave to ``holder`` before it came here.
    """

    def __init__(self, holder: HasTraits, database: Callable[[], Database], *, configured: AbstractSet[str]) -> None:
        self._holder = holder
        self._database = database
        self._rows = Preferences(database)
        self._lock = threading.RLock()
        self._sources: dict[str, Source] = dict.fromkeys(PREFERENCES, "default")
        self._configured: dict[str, Any] = {}
        self._take_configured(configured & PREFERENCES.keys())
        holder.observe(self._changed, list(PREFERENCES))

    def load(self) -> None:
        """Read what is saved; it holds where nothing stronger does."""
        try:
            rows = self._rows.all()
        except TuskError as error:
            logger.warning("saved preferences cannot be read: %s", error)
            rows = {}
        for name in rows.keys() - PREFERENCES.keys():
            logger.info("the saved preference %r is not known to this version", name)
        for preference in PREFERENCES.values():
            if self._sources[preference.name] in {"default", "saved"}:
                self._use_saved(preference, rows)

    def get(self, name: str) -> Value:
        """Return the value in this kernel; :raises InvalidInput: for an unknown name, with near ones."""
        value: Value = getattr(self._holder, named(name).name)
        return value

    def set(self, name: str, value: object) -> str | None:
        """Use ``value`` in this kernel at once, and save it for those that load later.

        :returns: why it could not be saved, ``None`` where it is.
        :raises InvalidInput: for an unknown name or a value that may not be.
        """
        preference = named(name)
        checked = preference.check(value)
        self._use(preference, checked, "saved")
        return self._saved(self._rows.set(preference.name, checked))

    def reset(self, name: str) -> str | None:
        """Go back to the configured value, else the default, and save nothing more; returns as :meth:`set`."""
        preference = named(name)
        if preference.name in self._configured:
            self._use(preference, self._configured[preference.name], "config")
        else:
            self._use(preference, preference.default, "default")
        return self._saved(self._rows.unset(preference.name))

    def is_configured(self, name: str) -> bool:
        """Return whether the configuration names it: that wins over what is saved at the next start."""
        return named(name).name in self._configured

    def listing(self) -> list[Setting]:
        """Return every preference as it is now."""
        return [
            Setting(p.name, getattr(self._holder, p.name), p.default, self._sources[p.name], p.meaning)
            for p in PREFERENCES.values()
        ]

    @contextmanager
    def configuring(self) -> Iterator[None]:
        """What changes in this block comes from the configuration."""
        before = {name: getattr(self._holder, name) for name in PREFERENCES}
        yield
        self._take_configured({name for name in PREFERENCES if getattr(self._holder, name) != before[name]})

    def _take_configured(self, names: AbstractSet[str]) -> None:
        for name in names:
            self._sources[name] = "config"
            self._configured[name] = getattr(self._holder, name)

    def _use_saved(self, preference: Preference, rows: dict[str, Any]) -> None:
        if preference.name in rows:
            try:
                self._use(preference, preference.check(rows[preference.name]), "saved")
            except InvalidInput as error:
                logger.warning("the saved value is ignored: %s", error)
            else:
                return
        self._use(preference, preference.default, "default")

    def _use(self, preference: Preference, value: Value, source: Source) -> None:
        with self._lock:
            setattr(self._holder, preference.name, value)
            self._sources[preference.name] = source

    def _changed(self, change: Any) -> None:
        with self._lock:
            self._sources[change["name"]] = "kernel"

    def _saved(self, future: Future[None]) -> str | None:
        until = time.monotonic() + SAVE_S
        if not interrupts.wait(future, on_interrupt=lambda _: True, on_tick=lambda: time.monotonic() >= until):
            return "it is written as soon as tusk.db takes it"
        if (error := future.exception()) is not None:
            return str(error)
        return "tusk.db is in memory only, see %tusk health" if self._database().in_memory else None
