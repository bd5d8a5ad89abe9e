"""Connecting from a real kernel: interrupted, asked for a password, and where nobody can be asked."""

from __future__ import annotations

import threading

import pytest

from tests.fix_postgres import PASSWORD
from tests.listening import listener
from tests.waiting import wait_until


@pytest.fixture
def silent():
    """A port that accepts connections and never says a word; ``accepted`` is set by the first one."""
    accepted = threading.Event()
    with listener(lambda _: accepted.set(), hangs_up=False) as port:
        yield port, accepted


def test_an_interrupt_leaves_a_connect_that_hangs(kernels, silent):
    port, accepted = silent
    kernel = kernels()
    msg_id = kernel.send(f"%tusk_connect postgresql://u@127.0.0.1:{port}/db --connect-timeout 60s")
    assert accepted.wait(20)
    kernel.interrupt()
    reply = kernel.collect(msg_id)
    assert reply.error["ename"] == "QueryInterrupted"
    assert "was interrupted" in reply.displayed[-1]
    assert len(reply.error["traceback"]) == 1
    assert kernel.run("found = %tusk connections\nlen(found)").value == "0"


def test_a_connect_that_hangs_ends_by_its_own_limit(kernels, silent):
    port, _ = silent
    kernel = kernels()
    reply = kernel.run(f"%tusk_connect postgresql://u@127.0.0.1:{port}/db --connect-timeout 2s", ok=False)
    assert reply.error["ename"] == "ConnectionTimeout"


def answer_prompt(kernel, line, password):
    """Run a line that asks for a password, answer it, and return the reply and the prompt."""
    msg_id = kernel.send(line, allow_stdin=True)
    wait_until(kernel.client.stdin_channel.msg_ready, timeout=20)
    prompt = kernel.client.get_stdin_msg(timeout=5)["content"]
    kernel.client.input(password)
    return kernel.collect(msg_id), prompt


def test_the_prompt_comes_only_when_the_server_asks_and_is_not_echoed(kernels, server):
    kernel = kernels()
    line = f"%tusk_connect host=127.0.0.1 port={server.port} user=secretive dbname=postgres --name s"
    reply, prompt = answer_prompt(kernel, line, PASSWORD)
    assert reply.status == "ok"
    assert prompt["password"] is True
    assert PASSWORD not in prompt["prompt"] + reply.everything
    assert "secretive" in kernel.run("%sql select current_user").value
    # remembered in this kernel: the next session needs no prompt
    kernel.run("%sql select pg_terminate_backend(pg_backend_pid())", ok=False)
    assert "secretive" in kernel.run("%sql select current_user").value


def test_where_nobody_can_be_asked_it_says_what_to_do(kernels, server):
    kernel = kernels()
    line = f"%tusk_connect host=127.0.0.1 port={server.port} user=secretive dbname=postgres"
    reply = kernel.run(line, ok=False, allow_stdin=False)
    assert reply.error["ename"] == "AuthenticationFailed"
    assert "--password-env" in reply.displayed[-1]


def test_first_cell_connects_by_the_environment_and_says_so(kernels, server, database):
    dbname = database.rpartition("=")[2]
    url = f"postgresql://{server.user}@/{dbname}?host={server.host}&port={server.port}"
    kernel = kernels(env={"DATABASE_URL": url})
    reply = kernel.run("%sql select current_database() as d")
    assert dbname in reply.value
    assert "$DATABASE_URL" in reply.displayed[0]
    kernel = kernels(env={"PGHOST": server.host, "PGPORT": str(server.port), "PGUSER": server.user, "PGDATABASE": dbname})
    reply = kernel.run("%sql select current_database() as d")
    assert dbname in reply.value
    assert "$PGHOST" in reply.displayed[0]
    reply = kernels().run("%sql select 1", ok=False)
    assert reply.error["ename"] == "NoActiveConnection"
    for way in ("%tusk_connect postgresql://", "service=", "--embedded"):
        assert way in reply.displayed[-1]
