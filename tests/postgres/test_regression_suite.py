"""PostgreSQL's own regression suite, each statement in a ``%%sql`` cell of its own: hostile, and nobody's invention.

Its errors are wanted, and they are the server's: what must not happen is an error of ours, a session that ends, a
result without its frame, a statement without its row in the history. Data that psql would send with ``COPY … FROM
STDIN`` is refused by us, as documented, so some tables stay empty; the suite does not know, and goes on.
"""

from __future__ import annotations

import re
import sqlite3
from collections import Counter
from dataclasses import dataclass, field

import pandas as pd
import psycopg
import pytest

import tusk_jupyter
from tests.psql_input import Connect, PsqlInput
from tusk_jupyter.errors import InvalidInput, QueryFailed, TuskError

STATEMENTS = 42_000
DATABASE_SETTINGS = {
    # what pg_regress sets: the styles are not ISO, so that nothing can rely on it
    "lc_messages": "C", "lc_monetary": "C", "lc_numeric": "C", "lc_time": "C", "bytea_output": "hex",
    "timezone_abbreviations": "Default", "timezone": "America/Los_Angeles", "datestyle": "Postgres, MDY",
    "intervalstyle": "postgres_verbose",
}  # fmt: skip
REFUSALS = {
    "COPY": re.compile(r"COPY (FROM STDIN|TO STDOUT) has no stream"),
    "unset psql variable": re.compile(r"parameter '\w+' is not defined"),
    "client encoding": re.compile(r"the statement cannot be sent in the session's client encoding"),
}
CELL_TIMEOUT = "60s"
# psql sends the semicolon too
_END_FOR_PSQL = 'at or near ";"'


@dataclass
class Report:
    """What the run has seen; ``wrong`` is to stay empty."""

    statements: int = 0
    executed: int = 0
    results: int = 0
    rows: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    refusals: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    def note(self, where: str, text: str, what: object) -> None:
        self.wrong.append(f"{where}: {what!r}\n    {' '.join(text.split())[:300]}")


class Run:
    """Runs the files one after the other, each on a session of its own, as psql does."""

    def __init__(self, cells, tusk, conninfo: str, environment: dict[str, str]) -> None:
        self._cells = cells
        self._tusk = tusk
        self._conninfo = conninfo
        self._environment = environment
        self._session = None
        self.report = Report()

    def file(self, name: str, text: str, expected: str) -> None:
        self._connect()
        variables = {"HIDE_TABLEAM": "on", "HIDE_TOAST_COMPRESSION": "on", "LASTOID": "0"}
        self._cells.ns["psql"] = variables
        script = PsqlInput(
            text, variables=variables, environment=self._environment,
            conforming=lambda: self._session.parameter("standard_conforming_strings") != "off",
        )  # fmt: skip
        for item in script:
            if isinstance(item, Connect):
                self._connect()
                continue
            result = self._query(name, item.text, expected)
            if item.ended_by == "gset" and result is not None:
                _set_variables(variables, result.frame, item.argument)
            elif item.ended_by == "gexec" and result is not None:
                for value in result.frame.to_numpy(dtype=object).ravel():
                    if not pd.isna(value):
                        self._query(name, value, expected)
        self._check_alive(name)
        self._cells.ip.history_manager.outputs.clear()

    def _connect(self) -> None:
        if "suite" in self._tusk.connections.names():
            self._tusk.connections.disconnect("suite")
        self._session = tusk_jupyter.connect(self._conninfo, name="suite").session()

    def _query(self, name: str, text: str, expected: str):
        report, before = self.report, tusk_jupyter.last_result()
        report.statements += 1
        reply = self._cells.run(f"%%sql --params psql --timeout {CELL_TIMEOUT}\n{text}", ok=None)
        current = self._tusk.connections.get("suite").live_session
        if current is not self._session:
            report.note(name, text, f"the session was lost: {self._session.lost}")
            self._connect()
        if reply.exception is not None:
            self._failed(name, text, reply, expected)
            return None
        report.executed += 1
        result = tusk_jupyter.last_result()
        if result is before:
            report.note(name, text, "there is no result")
        elif result.columns or result.frame is not None:
            self._returned(name, text, reply, result)
            return result
        return None

    def _failed(self, name: str, text: str, reply, expected: str) -> None:
        error = reply.exception
        if isinstance(error, TuskError) and error.sqlstate:
            self.report.executed += 1
            self.report.errors[error.sqlstate] += 1
            self._server_error(name, text, error, expected)
        elif isinstance(error, InvalidInput) and (kind := _refusal(error)) is not None:
            self.report.refusals[kind] += 1
        else:
            self.report.note(name, text, error)
        panels = [shown for shown in reply.displayed if shown.startswith(("ERROR", "FATAL", "PANIC"))]
        if len(panels) != 1:
            self.report.note(name, text, f"an error shows {len(panels)} panels")

    def _server_error(self, name: str, text: str, error: TuskError, expected: str) -> None:
        if not isinstance(error, QueryFailed | tusk_jupyter.errors.AuthenticationFailed) or error.duration_s is not None:
            self.report.note(name, text, error)
        # a script that is split in the wrong place, or changed on its way, gives syntax errors that psql does not get
        message = f"ERROR:  {error.message}".replace("at end of input", _END_FOR_PSQL)
        if error.sqlstate == "42601" and message.splitlines()[0] not in expected:
            self.report.note(name, text, f"psql gets no such error: {error.message}")

    def _returned(self, name: str, text: str, reply, result) -> None:
        report = self.report
        report.results += 1
        report.rows += len(result.frame)
        shape = (result.rowcount, len(result.columns))
        if not isinstance(result.frame, pd.DataFrame) or result.frame.shape != shape:
            report.note(name, text, f"the frame is not of {shape}")
        tag = re.fullmatch(r"(?:SELECT|FETCH) (\d+)", result.command_tag)
        if tag is not None and int(tag[1]) != result.rowcount:
            report.note(name, text, f"{result.command_tag} with {result.rowcount} rows")
        if reply.value is None:
            report.note(name, text, "the result was not shown")

    def _check_alive(self, name: str) -> None:
        self._cells.run("%%sql\nrollback", ok=True)
        pid = self._cells.run("%%sql --format rows\nselect pg_backend_pid()", ok=True).value
        if str(self._session.backend_pid) not in pid:
            self.report.note(name, "select pg_backend_pid()", f"{pid} is not {self._session.backend_pid}")
        self.report.executed += 2


def _refusal(error: InvalidInput) -> str | None:
    return next((kind for kind, message in REFUSALS.items() if message.match(error.message)), None)


def _set_variables(variables: dict[str, str], frame: pd.DataFrame, prefix: str) -> None:
    if len(frame) != 1:
        return
    for column in frame.columns:
        value = frame[column].iloc[0]
        if pd.isna(value):
            variables.pop(prefix + column, None)
        else:
            text = {True: "t", False: "f"}[bool(value)] if frame[column].dtype == bool else str(value)
            variables[prefix + column] = text


@pytest.mark.timeout(600)
def test_every_statement_of_the_suite_gives_its_result_or_the_servers_error(regression_suite, make_server, shell, tusk):
    server = make_server()
    directory = regression_suite.lend_to_server(server.root)
    with psycopg.connect(server.conninfo(), autocommit=True) as conn:
        conn.execute("create database regression template template0")
        for setting, value in DATABASE_SETTINGS.items():
            conn.execute(f"alter database regression set {setting} = '{value}'")
    environment = {
        "PG_ABS_SRCDIR": str(directory), "PG_ABS_BUILDDIR": str(directory), "PG_LIBDIR": "$libdir", "PG_DLSUFFIX": ".so",
    }  # fmt: skip
    shell.ip.displayhook.do_full_cache = shell.ip.displayhook.cache_size = 0
    run = Run(shell, tusk, server.conninfo("regression"), environment)
    for name in regression_suite.files:
        run.file(name, regression_suite.sql(name), regression_suite.expected(name))
    report = run.report
    tusk.close()
    with sqlite3.connect(tusk.data_dir / "tusk.db") as history:
        kept = history.execute("select count(*) from history").fetchone()[0]
    assert report.wrong == []
    assert kept == report.executed
    assert report.statements >= STATEMENTS
