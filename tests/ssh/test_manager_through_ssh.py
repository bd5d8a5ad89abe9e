"""The manager and an SSH server: a host key that nobody knows is asked about, one that has changed never."""

from __future__ import annotations

import threading

import pytest

from tests.fix_postgres import PASSWORD as DB_PASSWORD
from tests.postgres.test_manager import FrontEnd
from tusk_jupyter.connections.ssh_known_hosts import fingerprint

QUESTION = "is not known yet: ssh-ed25519"


@pytest.fixture
def front_end(shell):
    return FrontEnd(shell)


@pytest.fixture
def form(server, sshd, ssh_keys, home):
    return {
        "name": "shop", "host": "127.0.0.1", "port": str(server.port), "database": "postgres", "username": "secretive",
        "ssl_mode": "disable", "ssh": "key", "ssh_host": "127.0.0.1", "ssh_port": str(sshd.port),
        "ssh_username": sshd.user, "ssh_key_path": str(ssh_keys / "plain"),
    }  # fmt: skip


def test_an_unknown_host_is_asked_about_and_connected_when_trusted(front_end, form, home, sshd, tusk):
    asked = front_end.ask("connect", target="", form=form, secrets={"db": DB_PASSWORD})
    assert (asked["ok"], asked["confirm"], asked["trust"]) == (False, "trust", sshd.fingerprint)
    assert QUESTION in asked["text"]
    assert "error" not in asked
    assert not home.known_hosts.exists()
    target = tusk.saved.get("shop").id
    assert asked["target"] == target
    assert front_end.rows()["shop"]["state"] == "disconnected"

    again = front_end.ask("connect", target=target, secrets={"db": DB_PASSWORD})
    assert again["confirm"] == "trust"
    trusted = front_end.ask("connect", target=target, secrets={"db": DB_PASSWORD}, trust=asked["trust"])
    assert trusted["ok"], trusted
    assert home.known_hosts.read_text() == sshd.known_hosts_line
    assert front_end.rows()["shop"]["state"] == "connected"


def test_a_test_asks_too_and_goes_on_when_trusted(front_end, form, home, sshd, tusk):
    asked = front_end.ask("test", target="", form=form, secrets={"db": DB_PASSWORD})
    assert (asked["confirm"], asked["trust"]) == ("trust", sshd.fingerprint)
    assert {name: state for name, state, _ in asked["steps"]}["SSH"] == "failed"
    assert not home.known_hosts.exists()
    tested = front_end.ask("test", target="", form=form, secrets={"db": DB_PASSWORD}, trust=asked["trust"])
    assert tested["ok"], tested
    assert home.known_hosts.read_text() == sshd.known_hosts_line
    assert tusk.saved.list() == []


@pytest.mark.parametrize("op", ["test", "connect"])
@pytest.mark.parametrize("trust", [fingerprint(b"another"), "SHA256:", "ssh-ed25519", "(yes/no)x"])
def test_another_key_than_the_one_confirmed_is_not_recorded(front_end, form, home, op, trust, sshd):
    asked = front_end.ask(op, target="", form=form, secrets={"db": DB_PASSWORD}, trust=trust)
    assert (asked["ok"], asked["confirm"], asked["trust"]) == (False, "trust", sshd.fingerprint)
    assert not home.known_hosts.exists()


@pytest.mark.parametrize("op", ["test", "connect"])
def test_a_changed_key_is_never_asked_about(front_end, form, home, make_sshd, op):
    server = make_sshd()
    home.known_hosts.write_text(server.known_hosts_line)
    before = home.known_hosts.read_text()
    server.renew_host_key()
    for trust in ("", server.fingerprint):
        request = {"target": "", "form": {**form, "name": f"shop{bool(trust)}", "ssh_port": str(server.port)}}
        answer = front_end.ask(op, **request, secrets={"db": DB_PASSWORD}, trust=trust)
        assert not answer["ok"]
        assert "confirm" not in answer
        assert "CHANGED" in answer["error"]
    assert home.known_hosts.read_text() == before


def test_the_main_thread_has_nothing_to_do_with_it(front_end, form, tusk, monkeypatch, home):
    from tusk_jupyter.connections.tunnel import Tunnel

    threads = []
    opened = Tunnel.open

    def noted(tunnel, timeout_s):
        threads.append(threading.current_thread())
        opened(tunnel, timeout_s)

    monkeypatch.setattr(Tunnel, "open", noted)
    asked = front_end.ask("test", target="", form=form, secrets={"db": DB_PASSWORD})
    assert front_end.ask("test", target="", form=form, secrets={"db": DB_PASSWORD}, trust=asked["trust"])["ok"]
    assert threads
    assert threading.main_thread() not in threads
