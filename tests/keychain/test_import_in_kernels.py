"""Passwords that are imported go to a real keychain, and open their connections in the next kernel."""

from __future__ import annotations

import pytest

from tests.fix_postgres import PASSWORD


@pytest.fixture
def services(server, tmp_path):
    path = tmp_path / "pg_service.conf"
    path.write_text(
        f"[shop]\nhost=127.0.0.1\nport={server.port}\nuser=secretive\ndbname=postgres\npassword={PASSWORD}\n"
        f"[open]\nhost={server.host}\nport={server.port}\nuser={server.user}\ndbname=postgres\n"
    )
    return path


def test_an_imported_connection_opens_without_a_prompt(kernels, keychain_daemon, services):
    first = kernels(env=keychain_daemon.env)
    reply = first.run(f"%tusk connections import {services}")
    assert "2 connections imported" in reply.displayed[0]
    assert "1 password went to the keychain" in reply.displayed[0]
    assert f"{services} still holds the passwords" in reply.displayed[0]
    assert PASSWORD not in f"{reply.outputs}"
    first.stop()
    second = kernels(env=keychain_daemon.env)
    second.run("%tusk_connect shop", allow_stdin=False)
    assert "secretive" in second.run("%sql select current_user").value
    second.run("%tusk connections test open", allow_stdin=False)
    shown = second.run("%tusk connections test shop", allow_stdin=False).displayed[0]
    assert "as secretive, with a password" in shown or "as secretive, by scram-sha-256" in shown
