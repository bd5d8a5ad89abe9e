"""Credentials over keyring backends of every kind, in this process; the real keychain is in ``tests/keychain``."""

from __future__ import annotations

import logging
import threading
import traceback

import keyring
import pytest
from keyring.backends import chainer, fail, null

from tusk_jupyter import doctor, translate
from tusk_jupyter.connections import credentials as module
from tusk_jupyter.connections import keychain as keychain_module
from tusk_jupyter.connections.credentials import Credentials, Kept, from_command, from_env
from tusk_jupyter.connections.keychain import KeychainState
from tusk_jupyter.errors import AuthenticationFailed, CredentialNotFound, InvalidInput, KeyringError
from tusk_jupyter.secret import Secret

CANARY = "canary-Zq7"
ABSENT = "there is no keychain on this machine"


class Backend(keyring.backend.KeyringBackend):
    """Keeps in a dict; stands for a system's own where its class says so."""

    priority = 1

    def __init__(self, **kept):
        super().__init__()
        self.kept = kept

    def get_password(self, service, username):
        return self.kept.get((service, username))

    def set_password(self, service, username, password):
        self.kept[service, username] = password

    def delete_password(self, service, username):
        if self.kept.pop((service, username), None) is None:
            raise keyring.errors.PasswordDeleteError("not there")


def of_the_system(where, *bases, **members):
    """Return a backend that passes for one of keyring's own."""
    return type("Keyring", bases or (Backend,), {"__module__": f"keyring.backends.{where}", **members})()


@pytest.fixture
def choose(monkeypatch):
    """Return ``choose(backend)``: keyring's choice in this process until the test ends."""

    def choose(backend):
        monkeypatch.setattr(keyring.core, "_keyring_backend", backend)
        return backend

    return choose


@pytest.fixture
def kept(choose):
    """Credentials over a keychain that works."""
    choose(of_the_system("macOS"))
    return Credentials()


def raising(error):
    def fail(self, service, username, password=None):
        raise error if isinstance(error, Exception) else error(f"cannot do it with {password}")

    return of_the_system("SecretService", get_password=fail, set_password=fail, delete_password=fail)


def test_names_in_the_keychain(choose):
    backend = choose(of_the_system("macOS"))
    assert Credentials().store("an-id", "sshkey", Secret("x")) == Kept("keychain", None)
    assert backend.kept == {("tusk-jupyter", "an-id:sshkey"): "x"}


@pytest.mark.parametrize("where", ["macOS", "Windows", "libsecret", "kwallet"])
def test_the_systems_own_are_taken(choose, where):
    backend = choose(of_the_system(where))
    credentials = Credentials()
    assert credentials.store("id", "db", Secret("x")).where == "keychain"
    assert credentials.available() == KeychainState(ok=True, backend=f"keyring.backends.{where}.Keyring", reason=None)
    credentials.delete("id")
    assert backend.kept == {}


def refused(where):
    return type("PlaintextKeyring", (Backend,), {"__module__": where})()


@pytest.mark.parametrize(
    ("backend", "name"),
    [
        (lambda: refused("keyrings.alt.file"), "keyrings.alt.file.PlaintextKeyring"),
        (lambda: refused("keyring.backends.macOSx"), "keyring.backends.macOSx.PlaintextKeyring"),
        (null.Keyring, "keyring.backends.null.Keyring"),
    ],
    ids=["alt", "alike", "null"],
)
def test_others_are_refused_by_name(choose, backend, name):
    chosen = choose(backend())
    credentials = Credentials()
    result = credentials.store("id", "db", Secret(CANARY))
    assert result.where == "memory"
    assert result.warning == (
        f"The keyring backend {name} is not the operating system's keychain, so the password is kept in this kernel's "
        "memory only and is gone when the kernel ends: choose the keychain of macOS, Windows, GNOME or KDE with "
        "PYTHON_KEYRING_BACKEND or keyringrc.cfg."
    )
    assert getattr(chosen, "kept", {}) == {}
    assert credentials.available() == KeychainState(
        ok=False, backend=None, reason=f"the keyring backend {name} is not the operating system's keychain"
    )


def test_of_a_chain_only_the_systems_members(choose):
    plain, own, other = refused("keyrings.alt.file"), of_the_system("SecretService"), of_the_system("kwallet")
    plain.kept["tusk-jupyter", "from-plain:db"] = other.kept["tusk-jupyter", "from-other:db"] = "old"
    chain = type("Chain", (chainer.ChainerBackend,), {"backends": [plain, own, other]})
    choose(chain())
    credentials = Credentials()
    assert credentials.store("id", "db", Secret("x")).where == "keychain"
    assert own.kept == {("tusk-jupyter", "id:db"): "x"}
    assert credentials.find("from-plain", "db") is None
    assert credentials.get("from-other", "db") == Secret("old")
    credentials.delete("from-other")
    assert other.kept == {}
    assert len(plain.kept) == 1


def test_a_chain_without_one_of_the_systems(choose):
    chain = type("Chain", (chainer.ChainerBackend,), {"backends": [refused("keyrings.alt.file")]})
    choose(chain())
    assert "keyrings.alt.file.PlaintextKeyring" in Credentials().store("id", "db", Secret("x")).warning


def test_keyrings_global_choice_is_not_changed(choose):
    chosen = choose(refused("keyrings.alt.file"))
    Credentials().store("id", "db", Secret("x"))
    assert keyring.get_keyring() is chosen


@pytest.mark.parametrize(("length", "where"), [(1280, "keychain"), (1281, "memory")])
@pytest.mark.parametrize("unit", ["a", "é", "密"])
def test_what_windows_takes(choose, length, where, unit):
    backend = choose(of_the_system("Windows"))
    result = Credentials().store("id", "db", Secret(unit * length))
    assert result.where == where
    assert len(backend.kept) == (where == "keychain")
    if result.warning:
        assert result.warning.startswith("The password is too long for the Windows keychain, which takes 1,280 characters, so")


def test_windows_counts_what_it_stores_not_characters(choose):
    choose(of_the_system("Windows"))
    assert Credentials().store("id", "db", Secret("🐘" * 641)).where == "memory"


@pytest.mark.parametrize("change", [lambda text: text.partition("\0")[0], str.upper, lambda text: None], ids=["nul", "case", "lost"])
def test_what_comes_back_changed_is_not_left_there(choose, change):
    def set_password(self, service, username, password):
        if (changed := change(password)) is not None:
            self.kept[service, username] = changed

    backend = choose(of_the_system("kwallet", set_password=set_password))
    credentials = Credentials()
    result = credentials.store("id", "db", Secret("be\0fore"))
    assert result.where == "memory"
    assert result.warning.startswith("The keychain gave back something else than what it was given, so the password is kept")
    assert backend.kept == {}
    assert credentials.get("id", "db") == Secret("be\0fore")
    with pytest.raises(KeyringError) as caught:
        credentials.keychain.write("id:db", Secret(f"{CANARY}\0fore"))
    shown = "".join(traceback.TracebackException.from_exception(caught.value, capture_locals=True).format())
    assert CANARY.lower() not in shown.lower()


CAUSES = {
    "none": (keyring.errors.NoKeyringError, ABSENT),
    "locked": (keyring.errors.KeyringLocked, "the keychain is locked, or access to it was denied"),
    "init": (keyring.errors.InitError, "the keychain could not be opened"),
    "set": (keyring.errors.PasswordSetError, "the keychain refused to store the password"),
    "keyring": (keyring.errors.KeyringError, "the keychain failed with KeyringError"),
    "runtime": (RuntimeError, "no keychain can be used here"),
    "import": (ModuleNotFoundError, "no keychain can be used here"),
    "file": (FileNotFoundError, "the keychain cannot be reached"),
    "reset": (ConnectionResetError, "the keychain cannot be reached"),
    "type": (TypeError, "the keychain failed with TypeError"),
    "dbus": (type("DBusErrorResponse", (Exception,), {}), "the keychain failed with DBusErrorResponse"),
}


@pytest.mark.parametrize(("error", "message"), CAUSES.values(), ids=CAUSES)
def test_every_failure_is_ours_and_keeps_the_secret(choose, caplog, error, message):
    choose(raising(error))
    caplog.set_level(logging.DEBUG)
    credentials = Credentials()
    with pytest.raises(KeyringError) as caught:
        credentials.keychain.write("id:db", Secret(CANARY))
    failure = caught.value
    assert (type(failure), failure.message) == (KeyringError, message)
    assert "cannot do it with ****" in failure.detail
    assert failure.advice.endswith(".")
    assert (failure.__cause__, failure.__context__) == (None, None)
    shown = "".join(traceback.TracebackException.from_exception(failure, capture_locals=True).format())
    assert CANARY not in shown + caplog.text + repr(failure.info()) + repr(vars(failure))
    result = credentials.store("id", "db", Secret(CANARY))
    assert result.where == "memory"
    assert result.warning.startswith(f"{message[0].upper()}{message[1:]}, so the password is kept in this kernel's memory")
    assert CANARY not in result.warning
    assert credentials.get("id", "db") == Secret(CANARY)


def test_a_character_that_cannot_be_stored_is_not_named(choose):
    choose(of_the_system("macOS", set_password=lambda self, service, user, password: password.encode("ascii")))
    with pytest.raises(KeyringError) as caught:
        Credentials().keychain.write("id:db", Secret("pässword"))
    assert (caught.value.message, caught.value.detail) == (
        "the password holds a character that the keychain cannot store", None)


def test_a_refused_deletion(choose):
    backend = choose(of_the_system("macOS"))
    credentials = Credentials()
    credentials.store("id", "db", Secret("x"))

    def refuse(service, username):
        raise keyring.errors.PasswordDeleteError("denied")

    backend.delete_password = refuse
    credentials.delete("id", "ssh")
    assert credentials.take_warnings() == []
    credentials.delete("id", "db")
    credentials.delete("id")
    (warning,) = credentials.take_warnings()
    assert warning.startswith("The keychain refused to delete the password, so a deleted password may still be in it: ")


def test_a_kind_that_is_not_one_and_a_connection_without_id(kept):
    with pytest.raises(InvalidInput, match="no credential of kind 'DB'"):
        kept.store("id", "DB", Secret("x"))
    for call in (lambda: kept.store("", "db", Secret("x")), lambda: kept.get("", "db"), lambda: kept.delete("")):
        with pytest.raises(InvalidInput, match="no id"):
            call()


def test_one_warning_per_cause_and_effect(choose):
    choose(raising(keyring.errors.KeyringLocked))
    credentials = Credentials()
    warnings = [credentials.store(each, "db", Secret("x")).warning for each in ("one", "two")]
    assert (warnings[0] is None, warnings[1]) == (False, None)
    assert credentials.take_warnings() == []
    assert [credentials.find(each, "ssh") for each in ("one", "two")] == [None, None]
    assert not credentials.has("one", "sslkey")
    credentials.delete("one")
    read, deleted = credentials.take_warnings()
    assert "so saved passwords cannot be read: unlock it" in read
    assert "so a deleted password may still be in it: unlock it" in deleted
    choose(raising(FileNotFoundError))
    assert credentials.store("three", "db", Secret("x")).warning.startswith("The keychain cannot be reached, so")
    choose(raising(keyring.errors.KeyringLocked))
    assert credentials.store("four", "db", Secret("x")).warning is None


def test_a_machine_without_a_keychain_is_told_only_where_something_should_be_kept(choose):
    choose(fail.Keyring())
    credentials = Credentials()
    assert credentials.find("id", "db") is None
    credentials.delete("id")
    assert credentials.take_warnings() == []
    with pytest.raises(KeyringError, match=ABSENT):
        credentials.get("id", "db")
    assert credentials.store("id", "db", Secret("x")).warning.startswith("There is no keychain on this machine, so")
    assert credentials.available() == KeychainState(ok=False, backend=None, reason=ABSENT)


def test_absent_is_not_failed(kept):
    with pytest.raises(CredentialNotFound, match="no SSH password is stored for this connection") as caught:
        kept.get("id", "ssh")
    assert caught.value.name == "id"


def test_the_order_of_what_is_known(choose):
    """Given while the keychain failed, then the keychain, then what was typed."""
    credentials = Credentials()
    choose(raising(keyring.errors.KeyringLocked))
    credentials.remember(("id", "db"), Secret("typed"))
    assert credentials.get("id", "db") == Secret("typed")
    choose(of_the_system("macOS")).kept["tusk-jupyter", "id:db"] = "in the keychain"
    assert credentials.get("id", "db") == Secret("in the keychain")
    choose(raising(keyring.errors.KeyringLocked))
    credentials.store("id", "db", Secret("newer"))
    choose(of_the_system("macOS")).kept["tusk-jupyter", "id:db"] = "in the keychain"
    assert credentials.get("id", "db") == Secret("newer")
    assert credentials.recall(("id", "db")) == Secret("newer")
    credentials.store("id", "db", Secret("stored after all"))
    assert credentials.get("id", "db") == Secret("stored after all")
    assert credentials.recall(("id", "db")) is None


def test_deleting_removes_both_places(choose):
    credentials = Credentials()
    choose(raising(keyring.errors.KeyringLocked))
    credentials.store("id", "db", Secret("in memory"))
    credentials.remember(("id", "ssh"), Secret("typed"))
    backend = choose(of_the_system("macOS"))
    backend.kept["tusk-jupyter", "id:sshkey"] = "in the keychain"
    credentials.delete("id", "db")
    assert [credentials.has("id", kind) for kind in module.KINDS] == [False, True, True, False]
    credentials.delete("id")
    assert [credentials.has("id", kind) for kind in module.KINDS] == [False] * 4
    assert backend.kept == {}


def test_an_empty_password_is_one(choose):
    credentials = Credentials()
    choose(raising(keyring.errors.KeyringLocked))
    credentials.store("id", "db", Secret(""))
    credentials.remember(("h", "d"), Secret(""))
    assert credentials.has("id", "db")
    assert credentials.has_password(("h", "d"))


def test_clearing_forgets_the_memory_only(kept):
    kept.store("id", "db", Secret("x"))
    kept.remember(("host", "db"), Secret("y"))
    kept.clear()
    assert kept.recall(("host", "db")) is None
    assert kept.get("id", "db") == Secret("x")


def test_one_call_at_a_time(choose):
    inside, most = [], []

    def get_password(self, service, username):
        inside.append(1)
        most.append(len(inside))
        gate.wait(0.02)
        inside.pop()

    gate = threading.Event()
    choose(of_the_system("macOS", get_password=get_password))
    credentials = Credentials()
    threads = [threading.Thread(target=credentials.find, args=("id", "db")) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1] * 8


def test_a_keychain_that_is_not_there_is_logged_once(choose, caplog):
    choose(None)
    credentials = Credentials()
    for connection_id in ("one", "two", "three"):
        assert credentials.find(connection_id, "db") is None
    assert len([record for record in caplog.records if record.levelno >= logging.WARNING]) == 1


def test_what_waited_behind_a_call_that_hangs_is_not_done_late(choose):
    """Its password is kept in memory, and may have been replaced since."""
    hanging, go_on = threading.Event(), threading.Event()

    def get_password(self, service, username):
        if username == "hangs:db":
            hanging.set()
            go_on.wait(30)
        return self.kept.get((service, username))

    backend = choose(of_the_system("macOS", get_password=get_password))
    credentials = Credentials(keychain_module.Keychain(limit_s=0.3))
    first = threading.Thread(target=credentials.find, args=("hangs", "db"))
    first.start()
    assert hanging.wait(10)
    assert credentials.store("id", "db", Secret("older")).where == "memory"
    first.join()
    credentials.keychain.reset()
    assert credentials.store("id", "db", Secret("newer")).where == "keychain"
    workers = [thread for thread in threading.enumerate() if thread.name == "tusk-keychain"]
    assert len(workers) == 2
    go_on.set()
    for worker in workers:
        worker.join(10)
    assert backend.kept == {("tusk-jupyter", "id:db"): "newer"}


@pytest.mark.parametrize(
    ("platform", "environ", "asks"),
    [
        ("darwin", {}, True),
        ("win32", {}, False),
        ("linux", {}, False),
        ("linux", {"DISPLAY": ":0"}, True),
        ("linux", {"WAYLAND_DISPLAY": "wayland-0"}, True),
        ("linux", {"DISPLAY": ""}, False),
    ],
)
def test_where_a_desktop_may_ask(monkeypatch, platform, environ, asks):
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("sys.platform", platform)
    assert keychain_module.may_prompt() is asks


def test_doctor_names_the_keychain(choose):
    choose(of_the_system("macOS"))
    finding = doctor._keychain()
    assert (finding.ok, finding.text) == (True, "keyring.backends.macOS.Keyring")
    choose(fail.Keyring())
    finding = doctor._keychain()
    assert (finding.ok, finding.text) == (False, ABSENT)
    assert "--password-env" in finding.advice


def test_doctor_survives_a_broken_keychain(monkeypatch):
    def broken():
        raise RuntimeError("no bus")

    monkeypatch.setattr(keyring, "get_keyring", broken)
    assert str(doctor._keychain()).startswith("✗ keychain: no keychain can be used here: no bus → passwords are asked for")


def test_doctor_gives_up_on_a_keychain_that_hangs(monkeypatch):
    released = threading.Event()
    monkeypatch.setattr(keychain_module, "LIMIT_S", 0.01)
    monkeypatch.setattr(keyring, "get_keyring", released.wait)
    finding = doctor._keychain()
    released.set()
    assert (finding.ok, finding.text) == (False, "the keychain does not answer")


def test_keyrings_errors_are_translated_wherever_they_come_from():
    error = translate.translate(keyring.errors.KeyringLocked("password=hunter2"), doing="saving")
    assert (type(error), error.message) == (KeyringError, "saving: the keychain is locked, or access to it was denied")
    assert "hunter2" not in error.detail


def test_from_the_environment(monkeypatch):
    monkeypatch.setenv("SHOP_PASSWORD", "x")
    assert from_env("SHOP_PASSWORD") == Secret("x")
    monkeypatch.setenv("SHOP_PASSWORD", "")
    with pytest.raises(InvalidInput, match="'SHOP_PASSWORD' is not set"):
        from_env("SHOP_PASSWORD")


def test_from_a_command():
    assert from_command("printf 'first\\r\\nsecond'") == Secret("first")
    for command, reason in {
        "false": "exit status 1",
        "true": "it printed nothing",
        "no-such-program-here": "No such file or directory",
        "unbalanced 'quote": "ValueError",
    }.items():
        with pytest.raises(AuthenticationFailed, match=f"the password command failed: {reason}"):
            from_command(command)


def test_a_command_that_fails_after_printing_leaves_nothing_in_the_traceback():
    with pytest.raises(AuthenticationFailed) as caught:
        from_command("sh -c 'printf %s%s canary -Zq7; exit 3'")
    shown = "".join(traceback.TracebackException.from_exception(caught.value, capture_locals=True).format())
    assert CANARY not in shown
    assert "exit status 3" in shown


def test_whoever_is_told_of_waits_is_told_whenever_the_keychain_comes():
    told = []
    credentials = Credentials()
    credentials.tell_waits(told.append)
    assert credentials.keychain.on_wait == told.append
    credentials.tell_waits(None)
    assert credentials.keychain.on_wait is None
