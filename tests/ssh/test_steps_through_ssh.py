"""Testing a connection that leads through SSH: each step on the way, by real OpenSSH servers."""

from __future__ import annotations

import socket
from dataclasses import replace

import pytest

from tests.fix_postgres import PASSWORD as DB_PASSWORD
from tests.fix_sshd import PASSPHRASE
from tests.waiting import wait_until
from tusk_jupyter.connections.conninfo import parse
from tusk_jupyter.connections.opening import Settings
from tusk_jupyter.connections.saved import SshTunnel
from tusk_jupyter.connections.steps import NAMES, walk
from tusk_jupyter.connections.target import Limits, Target
from tusk_jupyter.errors import AuthenticationFailed, ConnectionTimeout, SshError
from tusk_jupyter.secret import Secret


@pytest.fixture(autouse=True)
def known(home, sshd):
    home.known_hosts.write_text(sshd.known_hosts_line)
    return home


@pytest.fixture
def bastion(sshd, ssh_keys):
    return SshTunnel("127.0.0.1", sshd.port, sshd.user, "key", str(ssh_keys / "plain"))


@pytest.fixture
def walked(server, sshd):
    def run(ssh, *, port=None, password=DB_PASSWORD, timeout_s=10.0, sslmode="disable", **secrets):
        conninfo = parse(f"host=127.0.0.1 port={port or server.port} dbname=postgres user=secretive sslmode={sslmode}")
        told = []
        found = walk(
            Target(conninfo, Settings(), Limits(connect_timeout_s=timeout_s), ssh=ssh),
            name="shop",
            password=Secret(password),
            on_step=told.append,
            **secrets,
        )
        assert [step.name for step in found.steps] == list(NAMES)
        assert {step.name: step for step in told} == {step.name: step for step in found.steps}
        for secret in (DB_PASSWORD, PASSPHRASE):
            assert secret not in repr(told) + repr(found)
        wait_until(lambda: not sshd.sessions())
        return found, {step.name: (step.state, step.text) for step in found.steps}

    return run


@pytest.mark.parametrize("sslmode", ["disable", "prefer"])
def test_the_whole_way(walked, bastion, sshd, server, sslmode):
    found, steps = walked(bastion, sslmode=sslmode)
    assert found.error is None
    assert steps["DNS"] == ("skipped", "an address needs none")
    assert steps["TCP"] == ("ok", f"127.0.0.1:{sshd.port}")
    assert steps["SSH"][0] == "ok"
    assert f"127.0.0.1:{sshd.port} → 127.0.0.1:{server.port}" in steps["SSH"][1]
    assert steps["SSH"][1].endswith(", by key")
    assert steps["TLS"] == (
        ("skipped", "sslmode=disable") if sslmode == "disable" else ("ok", "no TLS (inside the SSH tunnel: the server offers none)")
    )
    assert steps["authentication"][1].startswith("as secretive, ")
    assert steps["database"][0] == "ok"


def test_the_name_of_the_bastion_is_looked_up(walked, bastion, sshd, known):
    known.known_hosts.write_text(sshd.known_hosts_line.replace("127.0.0.1", "localhost"))
    _, steps = walked(replace(bastion, host="localhost"))
    assert steps["DNS"][0] == "ok"
    assert "127.0.0.1" in steps["DNS"][1]
    assert steps["database"][0] == "ok"


def test_an_alias_says_where(walked, sshd, ssh_keys, known):
    known.config.write_text(
        f"Host jump\n  HostName 127.0.0.1\n  Port {sshd.port}\n  User {sshd.user}\n  IdentityFile {ssh_keys / 'plain'}\n"
    )
    _, steps = walked(SshTunnel("jump", config_alias="jump"))
    assert steps["DNS"] == steps["TCP"] == ("skipped", "ssh_config says where jump is")
    assert steps["SSH"][0] == steps["database"][0] == "ok"
    assert steps["SSH"][1].endswith(", by key")  # of ssh_config, as there is no agent


@pytest.mark.parametrize(("file", "proof"), [("certified", "agent or key"), ("nothing", "agent")])
def test_an_agent_is_named_for_what_it_may_have_done(walked, sshd, ssh_keys, known, agent, file, proof):
    agent(ssh_keys / "plain")
    known.config.write_text(f"Host 127.0.0.1\n  IdentityFile {ssh_keys / file}\n")
    _, steps = walked(SshTunnel("127.0.0.1", sshd.port, sshd.user))
    assert steps["SSH"][0] == "ok"
    assert steps["SSH"][1].endswith(f", by {proof}")


def fails(outcome, step, kind, *words):
    found, steps = outcome
    assert type(found.error) is kind, found
    assert steps[step][0] == "failed", found
    for word in words:
        assert word in steps[step][1]
    assert not steps[step][1].startswith(("Cannot connect", " through"))
    assert all(steps[name][0] == "skipped" for name in NAMES[NAMES.index(step) + 1 :])
    return steps


def test_a_key_that_is_not_let_in(walked, sshd, ssh_keys):
    stranger = SshTunnel("127.0.0.1", sshd.port, sshd.user, "key", str(ssh_keys / "stranger"))
    steps = fails(walked(stranger), "SSH", SshError)
    assert steps["TCP"] == ("ok", f"127.0.0.1:{sshd.port}")


def test_a_passphrase_is_asked_for(walked, sshd, ssh_keys):
    locked = SshTunnel("127.0.0.1", sshd.port, sshd.user, "key", str(ssh_keys / "locked"))
    outcome = walked(locked)
    fails(outcome, "SSH", SshError)
    assert outcome[0].ssh_asks == "passphrase"
    assert not outcome[0].asks
    assert walked(locked, passphrase=Secret(PASSPHRASE))[0].error is None


def test_an_unknown_host_key_is_refused_and_not_recorded(walked, bastion, known):
    known.known_hosts.unlink()
    fails(walked(bastion), "SSH", SshError)
    assert not known.known_hosts.exists()


def test_a_bastion_that_is_not_there(walked, bastion):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        fails(walked(replace(bastion, port=taken.getsockname()[1])), "TCP", SshError)
    fails(walked(replace(bastion, host="no-such-host.invalid")), "DNS", SshError)


def test_a_bastion_that_never_answers(walked, bastion):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        steps = fails(walked(replace(bastion, port=port), timeout_s=1), "SSH", ConnectionTimeout, "no answer within ")
    assert steps["TCP"] == ("ok", f"127.0.0.1:{port}")


def test_a_database_that_is_not_behind_it(walked, bastion):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        fails(walked(bastion, port=taken.getsockname()[1]), "SSH", SshError)


def test_a_wrong_password_behind_it(walked, bastion):
    steps = fails(walked(bastion, password="wrong"), "authentication", AuthenticationFailed, "password authentication")
    assert steps["SSH"][0] == "ok"
