"""Tusk: the state of this kernel, once, and the only place that builds and wires things.

What a cell, a widget and the public functions call is here or on its ``connections``, ``queries``, ``credentials``
and ``storage``. Everything below gets what it needs as arguments. It is thread-safe: each part has a lock of its own,
held only to decide. psycopg, pandas and pyarrow load with the first connection and the first rows, not here, and so
does what runs a statement (:mod:`tusk_jupyter.running`): ``%load_ext`` has 100 ms for everything, the SQLite file and
the log included.

The module is not called ``state``: importing a submodule sets it on the package, over the public
``tusk_jupyter.state()``.
"""

from __future__ import annotations

import atexit
import logging
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any

from traitlets.config import SingletonConfigurable

from tusk_jupyter import paths
from tusk_jupyter.connections.credentials import Credentials
from tusk_jupyter.connections.registry import Connections
from tusk_jupyter.events import Events
from tusk_jupyter.kernel_preferences import KernelPreferences, usable
from tusk_jupyter.preferences import trait
from tusk_jupyter.queries.registry import Queries
from tusk_jupyter.reaching import Reaching
from tusk_jupyter.results.recent import RecentResults
from tusk_jupyter.storage.files import Files
from tusk_jupyter.version import __version__

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tusk_jupyter.connections.connection import Connection
    from tusk_jupyter.errors import TuskError
    from tusk_jupyter.health import AppInfo
    from tusk_jupyter.jobs import Job
    from tusk_jupyter.kernel_preferences import Unusable
    from tusk_jupyter.listening import Listen, Listened
    from tusk_jupyter.loading import Load, Loaded
    from tusk_jupyter.queries.backslash import Called
    from tusk_jupyter.queries.execution import Deadline, Execution
    from tusk_jupyter.queries.listening import Collected
    from tusk_jupyter.queries.registry import Active
    from tusk_jupyter.queries.script import Names, Step
    from tusk_jupyter.queries.watching import Watching
    from tusk_jupyter.role_password import PasswordSet
    from tusk_jupyter.running import CellOptions
    from tusk_jupyter.saving import Saved
    from tusk_jupyter.schema.registry import Schemas
    from tusk_jupyter.secret import Secret
    from tusk_jupyter.storage.database import Database
    from tusk_jupyter.storage.integrity import DatabaseHealth

logger = logging.getLogger("tusk_jupyter.tusk")


class Tusk(Reaching, SingletonConfigurable):
    """The kernel's one state object."""

    format = trait("format")
    numeric = trait("numeric")
    arrow_numeric = trait("arrow_numeric")
    uuid = trait("uuid")
    dates = trait("dates")
    limit = trait("limit")
    memory_limit_mb = trait("memory_limit_mb")
    quiet = trait("quiet")
    expanded = trait("expanded")
    idle_transaction_s = trait("idle_transaction_s")
    history = trait("history")
    history_days = trait("history_days")

    def __init__(self, **kwargs: Any) -> None:
        self.unusable: tuple[Unusable, ...] = ()
        if (config := kwargs.get("config") or getattr(kwargs.get("parent"), "config", None)) is not None:
            kwargs["config"], self.unusable = usable(config)
        super().__init__(**kwargs)
        self.events = Events()
        self.credentials = Credentials()
        self.connections = Connections(
            credentials=self.credentials,
            events=self.events,
            on_disconnect=self._disconnected,
            on_session=lambda connection: self.schemas.begin(connection),  # noqa: PLW0108 - not made yet
        )
        self.queries = Queries()
        self.interrupt_due = False
        self.results = RecentResults()
        self.files = Files()
        configured = {name for section in self.section_names() for name in self.config.get(section, {})}
        self.preferences = KernelPreferences(self, lambda: self.files.database, configured=configured | kwargs.keys())
        self.open_files(paths.data_dir())
        atexit.register(self._exit)

    @cached_property
    def saved(self) -> Saved:
        """What is kept of connections."""
        from tusk_jupyter.saving import Saved

        return Saved(files=self.files, credentials=self.credentials)

    @cached_property
    def watching(self) -> Watching:
        """What the server knows of the statements that run."""
        from tusk_jupyter.queries.watching import Watching

        return Watching(connections=self.connections, events=self.events)

    @cached_property
    def schemas(self) -> Schemas:
        """What is known of the databases that are connected."""
        from tusk_jupyter.schema.registry import Schemas

        return Schemas(events=self.events)

    @property
    def storage(self) -> Database:
        """The SQLite file, or the database in memory that stands in for it."""
        return self.files.database

    def take_notices(self) -> list[str]:
        """Return what the user must be told once: a repaired file, a keychain that does not answer."""
        return [*self.files.notices(), *self.credentials.take_warnings()]

    def take_interrupt(self) -> bool:
        """Return, once, whether there was an interrupt that a statement was faster than."""
        due, self.interrupt_due = self.interrupt_due, False
        return due

    def open_files(self, directory: Path) -> list[TuskError]:
        """(Re)open log, storage and preferences in ``directory``; return what failed, and work without."""
        problems = self.files.open(directory)
        logger.info("tusk-jupyter %s in %s", __version__, directory)
        if exposed := paths.make_private(directory):
            logger.warning("%s", exposed)
        self.preferences.load()
        if self.history_days:
            from tusk_jupyter.storage import retention

            retention.start(self.files.database, days=self.history_days)
        for connection in self.connections.active():
            self.mark(connection)
        return problems

    def get_preference(self, name: str) -> bool | int | str:
        """Return a preference in this kernel; :raises InvalidInput: for an unknown name, with near ones."""
        return self.preferences.get(name)

    def set_preference(self, name: str, value: bool | int | str) -> str | None:
        """Use a preference at once and save it; return why it could not be saved.

        :raises InvalidInput: for an unknown name, or a value that may not be.
        """
        return self.preferences.set(name, value)

    def open_transactions(self) -> list[Connection]:
        """Return the connections whose session has an open transaction."""
        sessions = ((c, c.live_session) for c in self.connections.active())
        return [
            connection for connection, session in sessions if session is not None and session.transaction is not None
        ]

    def close(self) -> None:
        """Cancel what runs, close connections, events, storage and log; closing twice is fine."""
        self._close()

    def _exit(self) -> None:
        # nobody reads what a dying kernel says: its open transactions are announced at the next load
        self._close(announced=False)

    def _close(self, *, announced: bool = True) -> None:
        left = [] if announced else [connection.id for connection in self.open_transactions()]
        if "watching" in self.__dict__:
            self.watching.close()
        if "schemas" in self.__dict__:
            self.schemas.close()
        self.connections.close()
        self.credentials.clear()
        self.events.close()
        self.results.clear()
        self.files.close(left=left)
        atexit.unregister(self._exit)

    def _disconnected(self, connection: Connection) -> None:
        self.mark(connection)
        if "schemas" in self.__dict__:
            self.schemas.drop(connection)

    # -- running --------------------------------------------------------------------------------------------------

    def execute(
        self,
        script: str,
        *,
        names: Names,
        connection: Connection,
        prefix: str = "",
        options: CellOptions | None = None,
        ask: Callable[[str], Secret | None] | None = None,
        on_tick: Callable[[Execution], None] | None = None,
        on_command: Callable[[Called, Deadline | None], Step] | None = None,
    ) -> Iterator[Step]:
        """Run a script on a connection's session, statement by statement; see ``queries.script.Script.steps``."""
        from tusk_jupyter import running

        return running.steps(
            self,
            script,
            names=names,
            connection=connection,
            prefix=prefix,
            options=options,
            ask=ask,
            on_tick=on_tick,
            on_command=on_command,
        )

    def submit(
        self,
        script: str,
        *,
        names: Names,
        connection: Connection,
        prefix: str = "",
        options: CellOptions | None = None,
    ) -> Job:
        """Run a script in the background, on a connection of its own; see ``background.submit``."""
        from tusk_jupyter import background

        return background.submit(self, script, names=names, connection=connection, prefix=prefix, options=options)

    def load(
        self,
        wanted: Load,
        *,
        connection: Connection,
        ask: Callable[[str], Secret | None] | None = None,
        on_tick: Callable[[Execution], None] | None = None,
    ) -> Loaded:
        """Load a frame or a file into a table on a connection's session; see ``loading.load``."""
        from tusk_jupyter import loading

        return loading.load(self, wanted, connection=connection, ask=ask, on_tick=on_tick)

    def listen(
        self,
        wanted: Listen,
        *,
        connection: Connection,
        ask: Callable[[str], Secret | None] | None = None,
        on_tick: Callable[[Execution, Collected], None] | None = None,
    ) -> Listened:
        """Listen to channels on a connection's session, and wait for what comes; see ``listening.listen``."""
        from tusk_jupyter import listening

        return listening.listen(self, wanted, connection=connection, ask=ask, on_tick=on_tick)

    def set_password(
        self,
        password: Secret | Callable[[str], Secret],
        *,
        role: str | None = None,
        connection: Connection,
        ask: Callable[[str], Secret | None] | None = None,
        on_tick: Callable[[Execution], None] | None = None,
    ) -> PasswordSet:
        """Set a role's password, hashed here, on a connection's session; see ``role_password.set_password``."""
        from tusk_jupyter import role_password

        return role_password.set_password(
            self,
            password,
            role=role,
            connection=connection,
            saved=self.saved,
            ask=ask,
            on_tick=on_tick,
        )

    def active_queries(self) -> list[Active]:
        """Return what is in flight in this kernel, with what it waits for now, as far as that is known in a second."""
        under_way = self.queries.executions()
        for connection in self.connections.active():
            if mine := [execution for execution in under_way if execution.session.name == connection.name]:
                self.watching.look(connection, mine)
        return self.queries.active()

    @contextmanager
    def transaction(self, name: str | None = None) -> Iterator[Connection]:
        """Commit at the end of the block, roll back on an error; inside an open transaction, a savepoint."""
        from tusk_jupyter.queries import blocks

        connection = self.connection(name)
        try:
            with blocks.transaction(connection):
                yield connection
        finally:
            self.mark(connection)
            self.schemas.settle(connection)

    def mark(self, connection: Connection) -> None:
        """Keep what a later kernel is told of a connection's open transaction in step with it."""
        session = connection.live_session
        open_now = session.transaction if session is not None else None
        since = open_now.since.strftime("%Y-%m-%d %H:%M:%S UTC") if open_now is not None else None
        count = open_now.statements if open_now is not None else 0
        self.files.mark(connection.id, connection.name, since=since, statements=count)

    # -- about ----------------------------------------------------------------------------------------------------

    def app_info(self) -> AppInfo:
        """Return the versions at work; a part that is not loaded yet is looked up without importing it."""
        from tusk_jupyter import health

        return health.versions()

    @property
    def log_directory(self) -> Path | None:
        """Where the log files are."""
        return self.files.directory / "logs" if self.files.directory is not None else None

    def health(self) -> dict[str, str]:
        """Return one line per subsystem: ``ok: …``, or what is wrong."""
        from tusk_jupyter import health

        return health.examine(self.files, self.credentials, self.connections)

    def check_database_health(self) -> DatabaseHealth:
        """Check the whole SQLite file, have it repaired where it is damaged, and return what was found."""
        return self.storage.health()
