"""``--ssh`` by the magics: a session behind a real sshd, what is asked for, what is kept, and a tunnel that dies."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.fix_postgres import PASSWORD as DB_PASSWORD
from tests.fix_sshd import PASSPHRASE, PASSWORD
from tests.waiting import wait_until
from tusk_jupyter.secret import Secret


class Answers:
    """Answers what is asked for, in order, and remembers the questions."""

    def __init__(self, *secrets: str, trust: bool = False) -> None:
        self.secrets = list(secrets)
        self.trust = trust
        self.questions: list[str] = []

    def __call__(self, text: str) -> Secret | None:
        self.questions.append(text)
        return Secret(self.secrets.pop(0)) if self.secrets else None

    def confirm(self, text: str) -> bool:
        self.questions.append(text)
        return self.trust


@pytest.fixture
def answers(monkeypatch):
    def give(*secrets: str, trust: bool = False) -> Answers:
        given = Answers(*secrets, trust=trust)
        monkeypatch.setattr("tusk_jupyter.magics.connect.ask", given)
        return given

    return give


@pytest.fixture
def known(home, sshd):
    home.known_hosts.write_text(sshd.known_hosts_line)
    return home


@pytest.fixture
def place(server, monkeypatch):
    """The database as the bastion sees it."""
    monkeypatch.setenv("DB_PASSWORD", DB_PASSWORD)
    return f"host=127.0.0.1 port={server.port} user=secretive dbname=postgres --password-env DB_PASSWORD"


@pytest.fixture
def by_key(sshd, ssh_keys):
    return f"--ssh {sshd.user}@127.0.0.1:{sshd.port} --ssh-key {ssh_keys / 'plain'}"


def test_cells_run_behind_the_bastion(shell, tusk, known, place, by_key, sshd, server):
    shell.run(f"%tusk_connect {place} {by_key} --name shop")
    # the backend's peer is the SSH server's connection, the address libpq was given is the tunnel's
    assert sshd.sessions()
    assert dict(tusk.connections.current.server.parameters)["port"] != str(server.port)
    assert shell.run("%sql select 1 as one").value
    shell.run("status = %tusk status")
    row = shell.ns["status"].set_index("name").loc["shop"]
    assert f"127.0.0.1:{sshd.port}" in row["route"]
    with tusk.connections.current.pool.borrow() as conn:
        assert conn.execute("select 1").fetchone()[0] in (1, "1")
    shell.run("%tusk disconnect shop")
    wait_until(lambda: not sshd.sessions())


def test_a_tunnel_is_saved_with_its_connection(shell, tusk, known, place, by_key, sshd, server, ssh_keys):
    shell.run(f"%tusk_connect {place} {by_key} --name shop --save")
    saved = tusk.saved.get("shop")
    assert (saved.host, saved.port) == ("127.0.0.1", server.port)
    assert (saved.ssh_tunnel.host, saved.ssh_tunnel.port, saved.ssh_tunnel.auth) == ("127.0.0.1", sshd.port, "key")
    assert "hostaddr" not in saved.parameters
    shell.run("%tusk disconnect shop")
    shell.run("%tusk_connect shop")
    assert sshd.sessions()
    assert "secretive" in shell.run("%sql select current_user").value


def test_an_unknown_host_key_is_asked_about_once(shell, home, place, by_key, answers, sshd):
    asked = answers(trust=True)
    shell.run(f"%tusk_connect {place} {by_key} --name shop")
    assert sshd.fingerprint in asked.questions[0]
    assert sshd.host_key in home.known_hosts.read_text()
    shell.run("%tusk disconnect shop")
    again = answers()
    shell.run(f"%tusk_connect {place} {by_key} --name shop")
    assert again.questions == []


def test_a_host_key_that_is_not_trusted_connects_to_nothing(shell, tusk, home, place, by_key, answers, sshd):
    answers(trust=False)
    reply = shell.run(f"%tusk_connect {place} {by_key} --name shop", ok=False)
    assert sshd.fingerprint in "\n".join((reply.exception.message, reply.exception.advice, *sum(reply.exception.facts, ())))
    assert tusk.connections.names() == []
    assert not home.known_hosts.exists()


def test_a_passphrase_is_asked_for_and_kept(shell, tusk, known, place, answers, sshd, ssh_keys):
    asked = answers(PASSPHRASE)
    way = f"--ssh {sshd.user}@127.0.0.1:{sshd.port} --ssh-key {ssh_keys / 'locked'}"
    shell.run(f"%tusk_connect {place} {way} --name shop --save")
    assert len(asked.questions) == 1
    assert "assphrase" in asked.questions[0]
    assert tusk.saved.has_secret(tusk.saved.get("shop").id, "sshkey")
    shell.run("%tusk disconnect shop")
    again = answers()
    shell.run("%tusk_connect shop")
    assert again.questions == []


def test_an_ssh_password_is_asked_for(shell, known, place, answers, sshd):
    if not sshd.passwords:
        pytest.skip("no user with a password can be made up here")
    asked = answers(PASSWORD)
    shell.run(f"%tusk_connect {place} --ssh {sshd.user}@127.0.0.1:{sshd.port} --ssh-auth password --name shop")
    assert len(asked.questions) == 1
    assert "SSH password" in asked.questions[0]
    assert "secretive" in shell.run("%sql select current_user").value


def test_a_refused_passphrase_is_not_tried_again_by_itself(shell, tusk, known, place, answers, sshd, ssh_keys):
    answers(PASSPHRASE)
    way = f"--ssh {sshd.user}@127.0.0.1:{sshd.port} --ssh-key {ssh_keys / 'locked'}"
    shell.run(f"%tusk_connect {place} {way} --name shop --save")
    shell.run("%tusk disconnect shop")
    saved = tusk.saved.get("shop")
    tusk.credentials.delete(saved.id)
    asked = answers("wrong", "wrong again")
    assert shell.run("%tusk_connect shop", ok=False).exception.kind == "ssh"
    assert ["refused" in question for question in asked.questions] == [False, True, True]  # two answers, then nobody
    assert not tusk.credentials.has_password((saved.id, "sshkey"))
    asked = answers(PASSPHRASE)
    shell.run("%tusk_connect shop")
    assert "refused" not in asked.questions[0]


def test_a_kept_passphrase_that_is_refused_is_asked_for(shell, tusk, known, place, answers, sshd, ssh_keys):
    answers(PASSPHRASE)
    way = f"--ssh {sshd.user}@127.0.0.1:{sshd.port} --ssh-key {ssh_keys / 'locked'}"
    shell.run(f"%tusk_connect {place} {way} --name shop --save")
    shell.run("%tusk disconnect shop")
    tusk.credentials.store(tusk.saved.get("shop").id, "sshkey", Secret("older"))
    asked = answers(PASSPHRASE)
    shell.run("%tusk_connect shop")
    assert len(asked.questions) == 1
    assert "refused" in asked.questions[0]
    shell.run("%tusk disconnect shop")
    again = answers()
    shell.run("%tusk_connect shop")  # what was typed is newer than what is kept
    assert again.questions == []


def test_pgpass_has_the_line_of_the_server_behind_the_tunnel(shell, known, place, by_key, server, monkeypatch, tmp_path):
    line = tmp_path / "pgpass"
    line.write_text(f"127.0.0.1:{server.port}:postgres:secretive:{DB_PASSWORD}\n")
    line.chmod(0o600)
    monkeypatch.setenv("PGPASSFILE", str(line))
    where = place.replace("--password-env DB_PASSWORD", "")
    shell.run(f"%tusk_connect {where} {by_key} --name shop")
    assert "secretive" in shell.run("%sql select current_user").value
    assert "✓ database" in shell.run(f"%tusk_connect {where} {by_key} --test").displayed[0]


def test_two_bastions_do_not_share_a_password(shell, known, place, by_key, make_sshd, ssh_keys, home, answers):
    asked = answers()
    shell.run(f"%tusk_connect {place} {by_key} --name one")
    other = make_sshd()
    home.known_hosts.write_text(home.known_hosts.read_text() + other.known_hosts_line)
    elsewhere = place.replace("--password-env DB_PASSWORD", "")
    way = f"--ssh {other.user}@127.0.0.1:{other.port} --ssh-key {ssh_keys / 'plain'}"
    reply = shell.run(f"%tusk_connect {elsewhere} {way} --name two", ok=False)
    assert reply.exception.kind == "authentication"
    assert len(asked.questions) == 1


def test_a_dead_tunnel_is_named_and_the_next_cell_has_a_new_one(shell, tusk, known, place, by_key, sshd):
    shell.run(f"%tusk_connect {place} {by_key} --name shop")
    shell.run("%sql create temp table here (i int)")
    sshd.kill_sessions()
    wait_until(lambda: tusk.connections.current.route.problem is not None)
    reply = shell.run("%sql select 1", ok=False)
    assert str(reply.exception).startswith("the session of 'shop' was lost: the SSH tunnel of shop is gone: ")
    assert shell.run("%sql select 1 as one").value


@pytest.mark.parametrize("happens", ["kill_sessions", "freeze_sessions"])
def test_an_exit_waits_for_no_tunnel(known, place, by_key, make_sshd, ssh_keys, home, tmp_path, happens):
    sshd = make_sshd()
    home.known_hosts.write_text(sshd.known_hosts_line)
    by_key = f"--ssh {sshd.user}@127.0.0.1:{sshd.port} --ssh-key {ssh_keys / 'plain'}"
    code = f"""
import sys
from tusk_jupyter.magics import connect
import tusk_jupyter as tusk
connection, _ = connect.connect(tusk.state(), connect.parse_connect({place + " " + by_key!r}), local_ns={{}})
held = connection.pool.borrow()
conn = held.__enter__()
tusk.sql("begin")
print("ready", flush=True)
sys.stdin.readline()
"""
    process = subprocess.Popen(
        [sys.executable, "-c", code], env={**os.environ, "TUSK_DATA_DIR": str(tmp_path / "data")},
        text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        assert process.stdout.readline() == "ready\n", process.communicate(timeout=20)
        getattr(sshd, happens)()
        _, complaints = process.communicate("\n", timeout=25)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 0
    assert "Traceback" not in complaints


def test_a_tunnel_that_cannot_be_opened_leaves_nothing(shell, tusk, known, place, sshd, ssh_keys):
    way = f"--ssh {sshd.user}@127.0.0.1:{sshd.port} --ssh-key {ssh_keys / 'stranger'}"
    reply = shell.run(f"%tusk_connect {place} {way} --name shop", ok=False)
    assert reply.exception.kind == "ssh"
    assert tusk.connections.names() == []
    wait_until(lambda: not sshd.sessions())


@pytest.mark.parametrize("options", ["--ssh-auth agent", "--ssh-key k", "--ssh-local-port 4000"])
def test_options_of_a_tunnel_that_is_not_there_are_refused(shell, place, options):
    reply = shell.run(f"%tusk_connect {place} {options}", ok=False)
    assert "--ssh USER@HOST" in reply.exception.advice


def test_the_test_shows_ssh_among_its_steps(shell, known, place, by_key):
    reply = shell.run(f"%tusk_connect {place} {by_key} --test")
    assert "✓ SSH" in reply.displayed[0]


def ways(sshd, ssh_keys):
    bastion = f"--ssh {sshd.user}@127.0.0.1:{sshd.port}"
    return {"passphrase": f"{bastion} --ssh-key {ssh_keys / 'locked'}", "password": f"{bastion} --ssh-auth password"}


@pytest.mark.parametrize("wanted", ["passphrase", "password"])
def test_the_test_asks_for_ssh_secrets_and_keeps_none(shell, tusk, known, place, answers, sshd, ssh_keys, wanted):
    if wanted == "password" and not sshd.passwords:
        pytest.skip("no user with a password can be made up here")
    line = f"%tusk_connect {place} {ways(sshd, ssh_keys)[wanted]} --name shop --test"
    right = PASSPHRASE if wanted == "passphrase" else PASSWORD
    asked = answers("wrong", right)
    reply = shell.run(line)
    assert "✓ SSH" in reply.displayed[0]
    assert "✓ database" in reply.displayed[0]
    assert len(asked.questions) == 2
    assert wanted in asked.questions[0].lower()
    assert "the last one was refused" in asked.questions[1]
    again = answers()
    assert shell.run(line, ok=False).exception.kind == "ssh"
    assert len(again.questions) == 1
    assert right not in f"{reply.outputs}"
    assert tusk.connections.names() == []


def test_the_test_asks_about_an_unknown_host_key_and_records_none(shell, home, place, by_key, answers, sshd):
    line = f"%tusk_connect {place} {by_key} --test"
    asked = answers(trust=True)
    assert "✓ database" in shell.run(line).displayed[0]
    assert len(asked.questions) == 1
    assert sshd.fingerprint in asked.questions[0]
    assert "not recorded" in asked.questions[0]
    assert not home.known_hosts.exists()
    answers(trust=False)
    reply = shell.run(line, ok=False)
    assert reply.exception.kind == "ssh"
    assert "✗ SSH" in reply.displayed[0]


def test_what_opened_a_connection_is_what_its_test_uses(shell, known, place, answers, sshd, ssh_keys):
    answers(PASSPHRASE)
    shell.run(f"%tusk_connect {place} {ways(sshd, ssh_keys)['passphrase']} --name shop")
    asked = answers()
    assert "✓ database" in shell.run("%tusk connections test shop").displayed[0]
    assert asked.questions == []


def test_the_test_of_a_saved_connection_asks_for_what_is_not_kept(shell, tusk, known, place, answers, sshd, ssh_keys):
    answers(PASSPHRASE)
    shell.run(f"%tusk_connect {place} {ways(sshd, ssh_keys)['passphrase']} --name shop --save")
    shell.run("%tusk disconnect shop")
    tusk.credentials.delete(tusk.saved.get("shop").id)
    tusk.credentials.clear()
    asked = answers(PASSPHRASE, DB_PASSWORD)
    assert "✓ database" in shell.run("%tusk connections test shop").displayed[0]
    assert [question.split(" ")[0] for question in asked.questions] == ["Passphrase", "Password"]
