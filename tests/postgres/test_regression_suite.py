"""PostgreSQL's own regression suite, each statement in a ``%%sql`` cell of its own: hostile, and nobody's invention.

Its errors are wanted, and they are the server's: what must not happen is an error of ours, a session that ends, a
result without its frame, a caret where psql puts none, a statement without its row in the history. Data that psql
would send with ``COPY … FROM STDIN`` is refused by us, as documented, so some tables stay empty; the suite does not
know, and goes on. Each syntax error is looked for in what psql is expected to print: a script that was split in the
wrong place, or changed on its way to the server, has others.
"""

from __future__ import annotations

import re
import sqlite3
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field

import pandas as pd
import pytest

import tusk_jupyter
from tests.fix_regress import prepare
from tests.psql_input import Connect, PsqlInput
from tusk_jupyter.errors import AuthenticationFailed, InvalidInput, QueryFailed, TuskError

# counted on PostgreSQL 15: 42,258 statements, 15,142 results, 5,304 errors, 1,233 carets that psql shows too
STATEMENTS, RESULTS, CARETS = 42_000, 15_000, 1_200
MAJOR = 15
REFUSALS = {
    "COPY": re.compile(r"COPY (FROM STDIN|TO STDOUT) has no stream"),
    "unset psql variable": re.compile(r"parameter '\w+' is not defined"),
    "client encoding": re.compile(r"the statement cannot be sent in the session's client encoding"),
}
CELL_TIMEOUT = "60s"
SYNTAX_ERROR = "42601"
_CARET = re.compile(r"^(?:psql:\S+ )?ERROR:  (.*)\n(LINE \d+: .*)\n( *)\^", re.MULTILINE)


@dataclass
class Report:
    """What the run has seen; ``wrong`` is to stay empty."""

    statements: int = 0
    executed: int = 0
    results: int = 0
    rows: int = 0
    carets: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    refusals: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)


class Expected:
    """What psql is expected to print for a file: its errors, and what it puts the caret under."""

    def __init__(self, text: str) -> None:
        self._messages = set(re.findall(r"^(?:psql:\S+ )?(?:ERROR|FATAL):  (.*)", text, re.MULTILINE))
        self._marked: dict[str, set[str]] = {}
        for message, line, margin in _CARET.findall(text):
            self._marked.setdefault(message, set()).add(line[len(margin) :])

    def has(self, message: str) -> bool:
        # psql sends the semicolon too
        return _first_line(message).replace("at end of input", 'at or near ";"') in self._messages

    def marked(self, message: str) -> set[str]:
        """Return what psql's carets for this message stand before; empty where it shows none."""
        return {line.removesuffix("...")[:10] for line in self._marked.get(_first_line(message), ())}


class Run:
    """Runs the files one after the other, each on a session of its own, as psql does."""

    def __init__(self, cells, tusk, conninfo: str, environment: dict[str, str]) -> None:
        self._cells = cells
        self._tusk = tusk
        self._conninfo = conninfo
        self._environment = environment
        self._session = None
        self._name = ""
        self._expected: Expected | None = None
        self.report = Report()

    def file(self, name: str, text: str, expected: Expected | None) -> None:
        self._name, self._expected = name, expected
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
            result = self._query(item.text)
            if item.ended_by == "gset" and result is not None:
                _set_variables(variables, result.frame, item.argument)
            elif item.ended_by == "gexec" and result is not None:
                for value in result.frame.to_numpy(dtype=object).ravel():
                    if not pd.isna(value):
                        self._query(value)
        self._check_alive()
        self._cells.ip.history_manager.outputs.clear()

    def _connect(self) -> None:
        if "suite" in self._tusk.connections.names():
            self._tusk.connections.disconnect("suite")
        self._session = tusk_jupyter.connect(self._conninfo, name="suite").session()

    def _note(self, text: str, what: object) -> None:
        self.report.wrong.append(f"{self._name}: {what!r}\n    {' '.join(text.split())[:300]}")

    def _query(self, text: str):
        before = tusk_jupyter.last_result()
        self.report.statements += 1
        reply = self._cells.run(f"%%sql --params psql --timeout {CELL_TIMEOUT}\n{text}", ok=None)
        if self._tusk.connections.get("suite").live_session is not self._session:
            self._note(text, f"the session was lost: {self._session.lost}")
            self._connect()
        if reply.exception is not None:
            self._failed(text, reply)
            return None
        self.report.executed += 1
        result = tusk_jupyter.last_result()
        if result is before:
            self._note(text, "there is no result")
        elif result.columns or result.frame is not None:
            self._returned(text, reply, result)
            return result
        return None

    def _failed(self, text: str, reply) -> None:
        error = reply.exception
        if isinstance(error, TuskError) and error.sqlstate:
            self.report.executed += 1
            self.report.errors[error.sqlstate] += 1
            self._server_error(text, error)
        elif isinstance(error, InvalidInput) and (kind := _refusal(error)) is not None:
            self.report.refusals[kind] += 1
        else:
            self._note(text, error)
        panels = [shown for shown in reply.displayed if shown.startswith(("ERROR", "FATAL", "PANIC"))]
        if len(panels) != 1:
            self._note(text, f"an error shows {len(panels)} panels")

    def _server_error(self, text: str, error: TuskError) -> None:
        if not isinstance(error, QueryFailed | AuthenticationFailed) or error.duration_s is not None:
            self._note(text, error)
        if self._expected is None:
            return
        if error.sqlstate == SYNTAX_ERROR and not self._expected.has(error.message):
            self._note(text, f"psql gets no such error: {error.message}")
        if error.diag.statement_position is not None and (marked := self._expected.marked(error.message)):
            self.report.carets += 1
            here = _first_line(error.place.text[error.place.offset :]).replace("\t", " ") or ";"
            if not here.startswith(tuple(marked)):
                self._note(text, f"{error.message}: the caret stands before {here[:20]!r}")

    def _returned(self, text: str, reply, result) -> None:
        self.report.results += 1
        self.report.rows += len(result.frame)
        shape = (result.rowcount, len(result.columns))
        if not isinstance(result.frame, pd.DataFrame) or result.frame.shape != shape:
            self._note(text, f"the frame is not of {shape}")
        tag = re.fullmatch(r"(?:SELECT|FETCH) (\d+)", result.command_tag)
        if tag is not None and int(tag[1]) != result.rowcount:
            self._note(text, f"{result.command_tag} with {result.rowcount} rows")
        if reply.value is None:
            self._note(text, "the result was not shown")

    def _check_alive(self) -> None:
        self._cells.run("%%sql\nrollback", ok=True)
        question = "select pg_backend_pid()"
        pid = self._cells.run(f"%%sql --format rows\n{question}", ok=True).value
        if str(self._session.backend_pid) not in pid:
            self._note(question, f"{pid} is not {self._session.backend_pid}")
        self.report.executed += 2


def _first_line(text: str) -> str:
    return text.partition("\n")[0]


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


@pytest.mark.timeout(900)
def test_every_statement_of_the_suite_gives_its_result_or_the_servers_error(
    regression_suite, make_server, shell, tusk, decoder
):
    server = make_server()
    same_major = prepare(server) == MAJOR
    directory = str(regression_suite.lend_to_server(server.root))
    environment = {
        "PG_ABS_SRCDIR": directory, "PG_ABS_BUILDDIR": directory, "PG_LIBDIR": "$libdir", "PG_DLSUFFIX": ".so",
    }  # fmt: skip
    # a shell's own memory of 42,000 cells, and its writing them down, is not what is looked at here
    shell.ip.history_manager.db_cache_size = 2 * STATEMENTS
    shell.ip.displayhook.do_full_cache = shell.ip.displayhook.cache_size = 0
    run = Run(shell, tusk, server.conninfo("regression"), environment)
    for name in regression_suite.files:
        # other versions word errors in other ways
        expected = Expected(regression_suite.expected(name)) if same_major else None
        run.file(name, regression_suite.sql(name), expected)
    report = run.report
    tusk.close()
    with closing(sqlite3.connect(tusk.files.directory / "tusk.db")) as history:
        kept = history.execute("select count(*) from history").fetchone()[0]
    assert report.wrong == []
    assert kept == report.executed
    assert report.statements >= STATEMENTS
    assert not same_major or (report.results >= RESULTS and report.carets >= CARETS), report
