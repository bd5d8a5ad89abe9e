"""The password and the passphrase of an SSH login, through every end that a tunnel has: what then knows them.

As ``tests/postgres/test_secrets_everywhere.py`` does for the database's, with asyncssh and asyncio at their most
talkative.
"""

from __future__ import annotations

import socket

import asyncssh
import pytest

from tests.fix_postgres import PASSWORD as DB_PASSWORD
from tests.fix_sshd import PASSPHRASE, PASSWORD
from tests.waiting import wait_until


@pytest.fixture
def typed(monkeypatch):
    """Answers of the user, first to last; nobody is there any more when they are used up."""
    answers = []

    def answer(_question):
        if not answers:
            raise EOFError
        return answers.pop(0)

    monkeypatch.setattr("getpass.getpass", answer)
    return answers


@pytest.fixture
def talkative():
    asyncssh.set_debug_level(3)
    yield
    asyncssh.set_debug_level(1)


def closed_port():
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]


@pytest.mark.parametrize("wanted", ["password", "passphrase"])
def test_through_every_end_of_a_tunnel(wanted, watched, talkative, typed, home, server, sshd, ssh_keys, monkeypatch):
    if wanted == "password" and not sshd.passwords:
        pytest.skip("no user with a password can be made up here")
    monkeypatch.setenv("DB_PASSWORD", DB_PASSWORD)
    home.known_hosts.write_text(sshd.known_hosts_line)
    where = f"host=127.0.0.1 port={server.port} user=secretive dbname=postgres"
    auth = "--ssh-auth password" if wanted == "password" else f"--ssh-key {ssh_keys / 'locked'}"
    right = PASSWORD if wanted == "password" else PASSPHRASE

    def line(name, where=where, port=sshd.port):
        return f"%tusk_connect {where} --password-env DB_PASSWORD --ssh {sshd.user}@127.0.0.1:{port} {auth} --name {name}"

    typed[:] = [right]
    watched.run(line("c") + " --save")
    watched.run("%sql select current_user")
    typed[:] = [right + "x", right + "y"]
    watched.fails("refused twice", line("wrong"), kinds=("ssh",))
    typed[:] = [right]
    watched.fails("no database", line("wrong", where.replace(str(server.port), str(closed_port()))), kinds=("ssh",))
    watched.fails("no SSH server", line("wrong", port=closed_port()), kinds=("ssh",))
    typed[:] = [right]
    watched.fails("no such role", line("wrong", where.replace("secretive", "tester")), kinds=("authentication",))
    typed[:] = [right + "x", right]
    watched.run(line("tested") + " --test")
    watched.run("%tusk use c")
    connection = watched.tusk.connections.current
    sshd.kill_sessions()
    wait_until(lambda: connection.route.problem is not None)
    watched.fails("dead tunnel", "%sql select 1")
    watched.run("%sql select 1")
    with connection.pool.borrow() as conn:
        conn.execute("select 1")
    home.known_hosts.unlink()
    watched.run("%tusk disconnect c")
    monkeypatch.setattr("builtins.input", lambda _: "no")
    watched.fails("unknown host", "%tusk_connect c", kinds=("ssh",))
    home.known_hosts.write_text(sshd.known_hosts_line)
    watched.run("%tusk_connect c")
    watched.looks_around()
    watched.check(server)
