"""``%load_ext tusk_jupyter``: the magics, the state, the hooks; and taking them all back.

``%%sql`` belongs to whoever had it first: another extension's is left alone, and one line says so. Our magics under
the name nobody else has, ``%tsql`` and ``%%tsql``, are always there.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from IPython.core.magic import Magics, line_cell_magic, line_magic, magics_class, needs_local_scope, no_var_expand

from tusk_jupyter import errors
from tusk_jupyter.errors import QueryCancelled, QueryInterrupted, TuskError
from tusk_jupyter.magics.aliases import SqlMagic
from tusk_jupyter.magics.completer import Completer
from tusk_jupyter.magics.idle_transactions import IdleTransactions
from tusk_jupyter.magics.keychain_wait import KeychainWait
from tusk_jupyter.magics.output import CellOutput
from tusk_jupyter.tusk import Tusk

if TYPE_CHECKING:
    from collections.abc import Mapping

    from IPython.core.interactiveshell import InteractiveShell

    from tusk_jupyter.jobs import Job

_HOLDER = "_tusk_jupyter_magics"
_JOB = ("tusk_jupyter.jobs", "Job")


@magics_class
class TuskMagics(Magics):  # type: ignore[misc]
    """``%sql``, ``%%sql``, their twins ``%tsql``, ``%%tsql``, and ``%tusk``, ``%tusk_connect``."""

    def __init__(self, shell: InteractiveShell, tusk: Tusk) -> None:
        super().__init__(shell)
        self.tusk = tusk
        self.idle = IdleTransactions(tusk)
        self.completer = Completer(shell, tusk, self)
        self.output = CellOutput(
            shell,
            notices=tusk.take_notices,
            idle=self.idle.take,
            interrupted=tusk.take_interrupt,
            relieve=lambda execution, holder: tusk.watching.relieve(execution, holder),  # noqa: PLW0108 - not made yet
        )

    @no_var_expand
    @needs_local_scope
    @line_cell_magic
    def tsql(self, line: str, cell: str | None = None, local_ns: Mapping[str, Any] | None = None) -> Any:
        """Run SQL on PostgreSQL: ``%%sql [CONNECTION] [OPTIONS] [NAME <<]`` and statements below it."""
        return self._run("tsql", line, cell, local_ns or {})

    @no_var_expand
    @needs_local_scope
    def sql(self, line: str, cell: str | None = None, local_ns: Mapping[str, Any] | None = None) -> Any:
        """Run SQL on PostgreSQL: ``%%sql [CONNECTION] [OPTIONS] [NAME <<]`` and statements below it."""
        return self._run("sql", line, cell, local_ns or {})

    def _run(self, magic: str, line: str, cell: str | None, local_ns: Mapping[str, Any]) -> Any:
        from tusk_jupyter.magics import connect, sql

        self.idle.look()
        try:
            return sql.run(
                self.tusk,
                self.shell,
                self.output,
                line=line,
                body=cell,
                local_ns=local_ns,
                connect=lambda text: self._connect(text, local_ns),
                ask=connect.ask,
                magic=magic,
            )
        except (TuskError, QueryInterrupted):
            raise
        except KeyboardInterrupt:
            found: TuskError | QueryInterrupted = QueryInterrupted(QueryCancelled("interrupted between two statements"))
        except Exception as error:  # noqa: BLE001 - whatever it is, the user gets a panel with where it came from
            found = sql.unexpected(error)
        finally:
            self.output.settle(over=True)
        raise found

    @no_var_expand
    @needs_local_scope
    @line_magic
    def tusk_connect(self, line: str, local_ns: Mapping[str, Any] | None = None) -> None:
        """Connect: ``%tusk_connect postgresql://user@host/database``, ``service=…``, ``:variable``, ``--embedded``."""
        self._connect(line, local_ns or {})

    @no_var_expand
    @needs_local_scope
    @line_cell_magic("tusk")
    def tusk_line(self, line: str, cell: str | None = None, local_ns: Mapping[str, Any] | None = None) -> Any:
        """Look around and set things: ``%tusk help`` lists what there is."""
        from tusk_jupyter.magics.scrubbing import scrub_history, statement_in
        from tusk_jupyter.magics.tusk import WITH_SQL, TuskCommands

        self.idle.look()
        sql = statement_in(line) if line.lstrip().startswith(WITH_SQL) else ""
        scrub_history(self.shell, line, sql=sql)  # a URL may stand where a name belongs
        try:
            return TuskCommands(self.tusk, self.output, self.take_sql, self.shell).run(line, cell, local_ns)
        finally:
            self.output.settle(over=True)

    def _connect(self, line: str, local_ns: Mapping[str, Any]) -> None:
        from tusk_jupyter.magics import connect, sql

        found = None
        self.idle.look()
        try:
            connect.run(self.tusk, self.shell, self.output, line=line, local_ns={**self.shell.user_ns, **local_ns})
        except TuskError as error:
            found = error
        except Exception as error:  # noqa: BLE001 - likewise, and its frames would show a password in Verbose mode
            found = sql.unexpected(error)
        if found is not None:
            # the frames that read the parameters are no business of a debugger's
            raise found.with_traceback(None)

    def show_job(self, job: Job) -> None:
        """Show a background job that is displayed, as its card."""
        from tusk_jupyter.magics import job_cards

        job_cards.show_again(self.shell, self.output, job)

    def take_sql(self) -> None:
        """Register ``%sql`` and ``%%sql`` as ours."""
        for kind in ("line", "cell"):
            self.shell.register_magic_function(self.sql, magic_kind=kind, magic_name="sql")


def load(shell: Any) -> None:
    """Set everything up; loading twice changes nothing."""
    if getattr(shell, _HOLDER, None) is not None:
        return
    tusk = Tusk.instance(parent=shell)
    magics = TuskMagics(shell, tusk)
    shell.register_magics(magics)
    setattr(shell, _HOLDER, magics)
    if magics.output.terminal:
        errors.use_panels_as_tracebacks(_panel_lines)
    tusk.credentials.tell_waits(KeychainWait(magics.output))
    shell.configurables.append(tusk)
    shell.events.register("post_run_cell", magics.output.after_cell)
    magics.completer.install()
    shell.display_formatter.ipython_display_formatter.for_type_by_name(*_JOB, magics.show_job)
    if shell.find_cell_magic("sql") is not None or shell.find_line_magic("sql") is not None:
        line = "another extension has %%sql: use %%tsql, or %tusk take-sql to make %%sql ours"
        magics.output.say(line, tone="warn")
    else:
        magics.take_sql()
        shell.configurables.append(SqlMagic(tusk, parent=shell))
    for unusable in tusk.unusable:
        magics.output.say(unusable.line(tusk.get_preference(unusable.preference.name)), tone="warn")
    for problem in tusk.files.problems:
        magics.output.say(problem.message, problem.advice, tone="warn")
    for line in tusk.files.departed():
        magics.output.say(line, tone="warn")


def unload(shell: Any) -> None:
    """Close everything and take the magics back; an open transaction is announced."""
    magics: Any = getattr(shell, _HOLDER, None)
    if magics is None:
        return
    for connection in magics.tusk.open_transactions():
        magics.output.say(f"the open transaction on {connection.name} is rolled back", tone="warn")
    magics.completer.close()
    shell.events.unregister("post_run_cell", magics.output.after_cell)
    shell.display_formatter.ipython_display_formatter.pop(".".join(_JOB), None)
    for kind in ("line", "cell"):
        for name in ("sql", "tsql", "tusk", "tusk_connect"):
            registered = shell.magics_manager.magics[kind].get(name)
            if getattr(registered, "__self__", None) is magics:
                del shell.magics_manager.magics[kind][name]
    shell.configurables[:] = [c for c in shell.configurables if not isinstance(c, Tusk | SqlMagic | TuskMagics)]
    errors.use_panels_as_tracebacks(None)
    magics.tusk.credentials.tell_waits(None)
    if (manager := sys.modules.get("tusk_jupyter.magics.manager")) is not None:
        manager.close()
    magics.tusk.close()
    Tusk.clear_instance()
    setattr(shell, _HOLDER, None)


def _panel_lines(error: TuskError | QueryInterrupted) -> list[str]:
    from tusk_jupyter.widgets.error_panel import ErrorPanel

    return ErrorPanel.from_error(error).text().splitlines()
