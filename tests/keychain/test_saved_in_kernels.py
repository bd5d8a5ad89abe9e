"""A saved connection in real kernels, with a real keychain, with a locked one, a frozen one and with none."""

from __future__ import annotations

import pytest

from tests.fix_postgres import PASSWORD

SAVE = "%tusk_connect {place} --password-env SHOP_PASSWORD --name shop --save"
WHO = "%sql select current_user"


@pytest.fixture
def place(server):
    return f"host=127.0.0.1 port={server.port} user=secretive dbname=postgres sslmode=disable"


@pytest.fixture
def saved(kernels, keychain_daemon, place):
    """A keychain and a data directory in which ``shop`` was saved by a kernel that is gone."""
    first = kernels(env={**keychain_daemon.env, "SHOP_PASSWORD": PASSWORD})
    reply = first.run(SAVE.format(place=place))
    assert "its password is in the keychain" in reply.displayed[0]
    first.stop()
    return keychain_daemon


def test_it_survives_a_restart_and_opens_without_a_prompt(kernels, saved):
    kernel = kernels(env=saved.env)
    reply = kernel.run("%tusk_connect shop", allow_stdin=False)
    assert "waited" not in "\n".join(reply.displayed)
    assert "secretive" in kernel.run(WHO).value
    kernel.restart()
    kernel.run("%load_ext tusk_jupyter")
    kernel.run("%%sql shop\nselect 1", allow_stdin=False)


def test_two_kernels_have_it_at_once(kernels, saved):
    for kernel in (kernels(env=saved.env), kernels(env=saved.env)):
        kernel.run("%tusk_connect shop", allow_stdin=False)
        assert "secretive" in kernel.run(WHO).value


def test_a_renamed_one_still_has_its_password(kernels, saved):
    kernels(env=saved.env).run("%tusk connections rename shop store")
    kernel = kernels(env=saved.env)
    kernel.run("%tusk_connect store", allow_stdin=False)
    assert "secretive" in kernel.run(WHO).value


def test_deleting_it_deletes_the_password(kernels, saved):
    kernel = kernels(env=saved.env)
    kernel.run("import tusk_jupyter as tusk; saved_id = tusk.state().saved.get('shop').id")
    kernel.run("%tusk connections delete shop")
    saved_id = kernel.run("saved_id").value.strip("'")
    assert saved.run(f"say(credentials.has({saved_id!r}, 'db'))") == [False]


def test_a_frozen_keychain_is_named_and_the_kernel_goes_on(kernels, saved, database):
    saved.freeze()
    kernel = kernels(env=saved.env)
    reply = kernel.run("%tusk_connect shop", ok=False, allow_stdin=False)
    assert reply.error["ename"] == "AuthenticationFailed"
    assert "keychain" in "\n".join(reply.displayed)
    # while it waits the cell says so, and one line of that is what stays
    (line,) = [line for line in reply.displayed if line.startswith("wait")]
    assert line.startswith("waited ")
    assert line.endswith(" s for the keychain")
    kernel.run(f"%tusk_connect {database} --name other")
    assert kernel.run("%sql select 1 as one").value
    kernel.stop()
    assert not kernel.manager.is_alive()


def test_a_locked_keychain_is_named(kernels, saved):
    saved.lock()
    kernel = kernels(env=saved.env)
    reply = kernel.run("%tusk_connect shop", ok=False, allow_stdin=False)
    assert "keychain" in "\n".join(reply.displayed)


def test_without_a_keychain_the_password_is_this_kernels(kernels, place):
    kernel = kernels(env={"SHOP_PASSWORD": PASSWORD})
    reply = kernel.run(SAVE.format(place=place))
    assert "gone when this kernel ends" in reply.displayed[0]
    kernel.run("%tusk disconnect shop")
    kernel.run("%tusk_connect shop", allow_stdin=False)
    assert "secretive" in kernel.run(WHO).value
    kernel.stop()
    fresh = kernels()
    reply = fresh.run("%tusk_connect shop", ok=False, allow_stdin=False)
    assert reply.error["ename"] == "AuthenticationFailed"
