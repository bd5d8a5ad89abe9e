"""``%tusk password`` typed into a notebook's own hidden field, on a server that logs all it is told."""

from __future__ import annotations

import psycopg
import pytest

from tests.kernel.test_connecting import answer_prompt
from tests.waiting import wait_until

CANARY = "canary-Kq4#typed-once"


@pytest.fixture(scope="module")
def talkative(make_server):
    """A server with every statement, its parameters and its plan in the log."""
    server = make_server()
    with psycopg.connect(server.conninfo(), autocommit=True) as conn:
        for setting, value in {
            "log_min_messages": "debug1", "log_statement": "all", "log_min_duration_statement": "0",
            "log_duration": "on", "log_parameter_max_length_on_error": "-1", "log_connections": "on",
            "track_activity_query_size": "10000",
        }.items():  # fmt: skip
            conn.execute(f"alter system set {setting} = '{value}'")
        conn.execute("select pg_reload_conf()")
        conn.execute("create role tusk_analyst login")
        wait_until(lambda: conn.execute("show log_statement").fetchone() == ("all",))
    return server


def typed_twice(kernel, line, first, second):
    """Run a line that asks twice; return the reply and what was asked."""
    message = kernel.send(line, allow_stdin=True)
    asked = []
    for answer in (first, second):
        wait_until(kernel.client.stdin_channel.msg_ready, timeout=20)
        asked.append(kernel.client.get_stdin_msg(timeout=5)["content"])
        kernel.client.input(answer)
    return kernel.collect(message), asked


def test_what_is_typed_reaches_neither_the_log_nor_any_file(kernels, talkative, tmp_path):
    kernel = kernels(env={"TUSK_LOG_LEVEL": "DEBUG"})
    kernel.run(f"%tusk_connect {talkative.conninfo()} --name db")
    reply, asked = typed_twice(kernel, "%tusk password tusk_analyst", CANARY, CANARY)
    assert reply.status == "ok"
    assert [prompt["password"] for prompt in asked] == [True, True]
    assert "password of tusk_analyst set" in reply.displayed[0]
    with psycopg.connect(talkative.conninfo(), autocommit=True) as conn:
        activity = conn.execute("select string_agg(query, ' ') from pg_stat_activity").fetchone()[0]
    assert 'alter role "tusk_analyst" password' in activity
    differs, _ = typed_twice(kernel, "%tusk password tusk_analyst", CANARY, CANARY + "!")
    assert differs.status == "error"
    seen = kernel.run("%tusk history").everything + kernel.run("In, _ih").everything
    reply_of_login, _ = answer_prompt(
        kernel, f"%tusk_connect host=127.0.0.1 port={talkative.port} user=tusk_analyst dbname=postgres --name a", CANARY
    )
    assert reply_of_login.status == "ok"
    kernel.manager.shutdown_kernel()
    log = (talkative.root / "log").read_text()
    assert 'alter role "tusk_analyst" password \'SCRAM-SHA-256$' in log
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {"tusk.db", "history.sqlite"} <= {path.name for path in files}
    texts = [log, activity, seen, reply.everything, differs.everything, reply_of_login.everything]
    texts += [path.read_bytes().decode("latin-1") for path in files]
    assert [text[:200] for text in texts if CANARY[:10] in text] == []


def test_where_nobody_can_be_asked_nothing_is_changed(kernels, talkative):
    kernel = kernels()
    kernel.run(f"%tusk_connect {talkative.conninfo()} --name db")
    reply = kernel.run("%tusk password tusk_analyst", ok=False, allow_stdin=False)
    assert reply.error["ename"] == "AuthenticationFailed"
    assert "nobody can be asked here" in reply.displayed[-1]


def test_an_interrupt_of_the_prompt_changes_nothing(kernels, talkative):
    kernel = kernels()
    kernel.run(f"%tusk_connect {talkative.conninfo()} --name db")
    message = kernel.send("%tusk password tusk_analyst", allow_stdin=True)
    wait_until(kernel.client.stdin_channel.msg_ready, timeout=20)
    kernel.client.get_stdin_msg(timeout=5)
    kernel.interrupt()
    assert kernel.collect(message).status == "error"
    assert "41" in kernel.run("%sql select 41 as a").value
