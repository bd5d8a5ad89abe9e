"""The keychain of GNOME, as Linux desktops have it: working, locked, frozen, gone, never set up, absent."""

from __future__ import annotations

import logging
import signal
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.fix_keychain import BACKEND
from tests.waiting import wait_until
from tusk_jupyter import doctor
from tusk_jupyter.connections.credentials import KINDS, Credentials, Kept
from tusk_jupyter.connections.keychain import Keychain, KeychainState
from tusk_jupyter.errors import CredentialNotFound, KeyringError
from tusk_jupyter.secret import Secret

TEXTS = {
    "empty": "",
    "blank": "  ",
    "quotes": "it's \"quoted\" \\ `and` $more",
    "unicode": "pässwörd 密码 🐘",
    "nul": "before\0after",
    "lines": "one\r\ntwo\n",
    "long": "0123456789" * 10_000,
}
ABSENT = "there is no keychain on this machine"
LOCKED = "the keychain is locked, or access to it was denied"


@pytest.fixture
def use(monkeypatch):
    """Return ``use(daemon)``: this process has that keychain until the test ends."""
    import keyring.core
    from keyring.backends import SecretService

    def use(daemon) -> None:
        for name in ("DISPLAY", "WAYLAND_DISPLAY"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", daemon.env["DBUS_SESSION_BUS_ADDRESS"])
        monkeypatch.setattr(keyring.core, "_keyring_backend", SecretService.Keyring())

    return use


@pytest.fixture(scope="module")
def shared(start_keychain):
    keychain = start_keychain()
    yield keychain
    keychain.stop()


@pytest.fixture
def credentials(shared, use):
    use(shared)
    return Credentials()


@pytest.fixture
def connection_id():
    return str(uuid.uuid4())


def asking():
    return [thread for thread in threading.enumerate() if thread.name == "tusk-keychain"]


def failure(call, *args) -> KeyringError:
    with pytest.raises(KeyringError) as caught:
        call(*args)
    assert type(caught.value) is KeyringError
    return caught.value


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_what_is_stored_comes_back(credentials, connection_id, text):
    assert credentials.store(connection_id, "db", Secret(text)) == Kept("keychain", None)
    credentials.clear()
    assert credentials.get(connection_id, "db").reveal() == text
    assert credentials.has(connection_id, "db")
    assert credentials.take_warnings() == []


def test_the_last_one_stored_is_the_one_that_is_found(credentials, connection_id):
    for text in ("first", "second"):
        credentials.store(connection_id, "db", Secret(text))
    assert Credentials().get(connection_id, "db") == Secret("second")
    credentials.delete(connection_id, "db")
    assert credentials.find(connection_id, "db") is None


def test_kinds_and_connections_are_apart(credentials, connection_id):
    other = str(uuid.uuid4())
    for kind in KINDS:
        credentials.store(connection_id, kind, Secret(f"{kind} of one"))
        credentials.store(other, kind, Secret(f"{kind} of the other"))
    credentials.delete(connection_id, "ssh")
    assert [credentials.has(connection_id, kind) for kind in KINDS] == [True, False, True, True]
    credentials.delete(connection_id)
    assert [credentials.has(connection_id, kind) for kind in KINDS] == [False] * 4
    assert [credentials.get(other, kind).reveal() for kind in KINDS] == [f"{kind} of the other" for kind in KINDS]


def test_what_is_not_there_is_not_found_and_deleted_quietly(credentials, connection_id):
    with pytest.raises(CredentialNotFound, match="no passphrase of the SSH key is stored for this connection") as caught:
        credentials.get(connection_id, "sshkey")
    assert caught.value.name == connection_id
    assert credentials.find(connection_id, "sshkey") is None
    credentials.delete(connection_id)
    assert credentials.take_warnings() == []


def test_another_process_finds_it_by_keyrings_own_choice(shared, credentials, connection_id):
    credentials.store(connection_id, "db", Secret("pässwörd"))
    code = f"""
import keyring
say(credentials.get({connection_id!r}, "db").reveal(), keyring.get_password("tusk-jupyter", "{connection_id}:db"),
    credentials.available().backend)
credentials.delete({connection_id!r})
"""
    assert shared.run(code, PYTHON_KEYRING_BACKEND=None) == ["pässwörd", "pässwörd", BACKEND]
    assert not credentials.has(connection_id, "db")


def test_ten_threads(credentials):
    def use_one(number):
        mine = str(uuid.uuid4())
        for turn in range(5):
            credentials.store(mine, "db", Secret(f"{number} {turn}"))
            assert credentials.get(mine, "db").reveal() == f"{number} {turn}"
        credentials.delete(mine)
        return credentials.has(mine, "db")

    with ThreadPoolExecutor(10) as pool:
        assert list(pool.map(use_one, range(10))) == [False] * 10
    assert credentials.take_warnings() == []


def test_what_the_keychain_cannot_hold_is_kept_in_memory(credentials, connection_id):
    kept = credentials.store(connection_id, "db", Secret("half \ud800 a character"))
    assert kept.where == "memory"
    assert kept.warning.startswith("The password holds a character that the keychain cannot store, so the password is")
    assert credentials.get(connection_id, "db") == Secret("half \ud800 a character")
    assert Credentials().find(connection_id, "db") is None


def test_the_state_of_a_working_one(credentials):
    assert credentials.available() == KeychainState(ok=True, backend=BACKEND, reason=None)
    assert doctor._keychain() == doctor.Finding("keychain", True, BACKEND, doctor._keychain().advice)


@pytest.fixture
def in_use(keychain_daemon, use, connection_id):
    """A keychain of the test's own that has a password already."""
    use(keychain_daemon)
    Credentials().store(connection_id, "db", Secret("from before"))
    return keychain_daemon


@pytest.fixture
def locked(in_use):
    in_use.lock()
    return in_use


LOCKED_CODE = """
kept = [credentials.store(each, "db", Secret("canary")) for each in ("first", "second")]
state = credentials.available()
say([k.where for k in kept], [k.warning for k in kept], credentials.get("first", "db").reveal(),
    failure(credentials.get, BEFORE, "db"), credentials.find(BEFORE, "db"), credentials.has(BEFORE, "ssh"),
    credentials.take_warnings(), credentials.take_warnings(), [state.ok, state.reason])
"""


def test_locked(locked, connection_id):
    where, warnings, found, error, nothing, has, told, again, state = locked.run(
        f"BEFORE = {connection_id!r}\n{LOCKED_CODE}"
    )
    assert where == ["memory", "memory"]
    assert warnings[0] == (
        f"T{LOCKED[1:]}, so the password is kept in this kernel's memory only and is gone when the kernel ends: unlock it "
        "(a desktop's log-in does; without a desktop, gnome-keyring-daemon --unlock) or allow the access, and try again."
    )
    assert warnings[1] is None
    assert found == "canary"
    assert error[:2] == ["KeyringError", LOCKED]
    assert (nothing, has) == (None, False)
    assert [warning.partition(": ")[0] for warning in told] == [f"T{LOCKED[1:]}, so saved passwords cannot be read"]
    assert again == []
    assert state == [False, "locked, and there is no desktop that could unlock it"]


def test_locked_where_a_desktop_can_ask(locked):
    code = "state = credentials.available()\nsay(state.ok, state.reason)"
    assert locked.run(code, DISPLAY=":none") == [True, "locked: the desktop asks for its password when needed"]


def test_deleting_what_a_locked_one_holds_says_so(locked, connection_id):
    code = f"credentials.delete({connection_id!r})\nsay(*credentials.take_warnings())"
    (warning,) = locked.run(code)
    assert warning.startswith(f"T{LOCKED[1:]}, so a deleted password may still be in it: ")


@pytest.fixture
def frozen(in_use):
    in_use.freeze()
    yield in_use
    in_use.thaw()
    wait_until(lambda: not asking())


def test_frozen_the_first_call_ends_and_the_others_do_not_ask(frozen, connection_id, caplog):
    credentials = Credentials(Keychain(limit_s=0.3))
    caplog.set_level(logging.DEBUG)
    kept = credentials.store(connection_id, "db", Secret("canary"))
    assert (kept.where, kept.warning.partition(", so ")[0]) == ("memory", "The keychain does not answer")
    assert len(asking()) == 1
    assert failure(credentials.get, connection_id, "ssh").message == "the keychain does not answer"
    assert credentials.find(connection_id, "ssh") is None
    assert credentials.store(connection_id, "sslkey", Secret("canary")).where == "memory"
    credentials.delete(connection_id, "sshkey")
    assert credentials.available() == KeychainState(ok=False, backend=None, reason="the keychain does not answer")
    assert len(asking()) == 1
    assert len(credentials.take_warnings()) == 2
    assert credentials.get(connection_id, "db") == Secret("canary")
    assert "canary" not in caplog.text


def test_frozen_and_back_again(frozen, connection_id):
    credentials = Credentials(Keychain(limit_s=0.3))
    assert credentials.find(connection_id, "db") is None
    frozen.thaw()
    wait_until(lambda: not asking())
    assert credentials.get(connection_id, "db") == Secret("from before")


def test_frozen_and_asked_again_on_demand(frozen, connection_id):
    credentials = Credentials(Keychain(limit_s=0.3))
    credentials.find(connection_id, "db")
    credentials.keychain.reset()
    credentials.find(connection_id, "db")
    assert len(asking()) == 2


def test_frozen_and_asked_again_by_one_when_the_period_is_over(frozen, connection_id):
    credentials = Credentials(Keychain(limit_s=0.3, retry_s=0))
    credentials.find(connection_id, "db")
    with ThreadPoolExecutor(5) as pool:
        list(pool.map(lambda _: credentials.find(connection_id, "db"), range(5)))
    assert len(asking()) == 2


def test_what_was_given_while_it_was_frozen_is_newer_than_what_it_holds(frozen, connection_id):
    credentials = Credentials(Keychain(limit_s=0.3))
    assert failure(credentials.keychain.read, f"{connection_id}:db").message == "the keychain does not answer"
    assert credentials.store(connection_id, "db", Secret("newer")).where == "memory"
    frozen.thaw()
    wait_until(lambda: not asking())
    assert credentials.keychain.read(f"{connection_id}:db") == Secret("from before")
    assert credentials.get(connection_id, "db") == Secret("newer")
    assert credentials.store(connection_id, "db", credentials.recall((connection_id, "db"))).where == "keychain"
    assert Credentials().get(connection_id, "db") == Secret("newer")


def test_an_interrupt_leaves_a_frozen_one(frozen, connection_id):
    before = signal.getsignal(signal.SIGINT)

    def interrupt():
        wait_until(lambda: asking() and signal.getsignal(signal.SIGINT) is not before)
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        Credentials(Keychain(limit_s=50)).find(connection_id, "db")
    thread.join()
    assert signal.getsignal(signal.SIGINT) is before


def test_the_wait_can_be_shown(frozen, connection_id):
    shown = []
    keychain = Keychain(limit_s=1.2, on_wait=lambda waiting: shown.append((waiting, threading.current_thread())))
    failure(keychain.read, f"{connection_id}:db")
    failure(keychain.read, f"{connection_id}:db")
    assert shown == [(True, threading.main_thread()), (False, threading.main_thread())]


def test_showing_the_wait_may_fail(frozen, connection_id, caplog):
    keychain = Keychain(limit_s=1.2, on_wait=lambda waiting: 1 / 0)
    assert failure(keychain.read, f"{connection_id}:db").message == "the keychain does not answer"
    assert "ZeroDivisionError" in caplog.text


def test_a_process_ends_although_its_keychain_is_frozen(frozen, connection_id):
    code = f"""
kept = credentials.store({connection_id!r}, "db", Secret("canary"))
threads = [thread.daemon for thread in threading.enumerate() if thread.name == "tusk-keychain"]
say(kept.where, threads, [type(r).__name__ for r in [credentials.get({connection_id!r}, "db")]])
"""
    assert frozen.run(code) == ["memory", [True], ["Secret"]]


def test_no_failure_shows_the_password_to_a_debugger(locked):
    code = """
import traceback
shown = []
for secret in (Secret("canary"), Secret("canary \\ud800")):
    try:
        credentials.keychain.write("someone:db", secret)
    except TuskError as error:
        shown.append("".join(traceback.TracebackException.from_exception(error, capture_locals=True).format()))
        shown.append(repr([error.__context__, error.__cause__, error.info(), vars(error)]))
say(["canary" in each for each in shown])
"""
    assert locked.run(code) == [[False] * 4]


def test_gone_in_mid_life(keychain_daemon):
    code = f"""
credentials.store("before", "db", Secret("canary"))
os.kill({keychain_daemon.daemon.pid}, 9)
gone = failure(credentials.get, "before", "db")
kept = credentials.store("after", "db", Secret("canary"))
os.kill({keychain_daemon.bus.pid}, 9)
say(gone[:2], kept.where, failure(credentials.get, "before", "ssh")[:2], credentials.find("after", "db").reveal(),
    credentials.available().reason.partition(":")[0])
"""
    gone = ["KeyringError", "the keychain cannot be reached"]
    assert keychain_daemon.run(code) == [gone, "memory", gone, "canary", gone[1]]


def test_never_set_up(start_keychain):
    keychain = start_keychain(unlocked=False)
    code = """
kept, state = credentials.store("id", "db", Secret("canary")), credentials.available()
say(kept.where, kept.warning, failure(credentials.get, "other", "db"), [state.ok, state.reason])
"""
    where, warning, error, state = keychain.run(code)
    keychain.stop()
    assert (where, warning.partition(", so ")[0]) == ("memory", "The keychain could not be opened")
    assert error[:2] == ["KeyringError", "the keychain could not be opened"]
    assert "dismissed" in error[2]
    assert state == [False, "the keychain was never set up: Item does not exist!"]


@pytest.mark.parametrize("address", [None, "unix:path=/nowhere/at/all", "nonsense"])
def test_absent(shared, address):
    code = """
kept, state = credentials.store("id", "db", Secret("canary")), credentials.available()
credentials.delete("other")
say(kept.where, kept.warning, credentials.get("id", "db").reveal(), failure(credentials.get, "other", "db")[:2],
    credentials.find("other", "db"), credentials.take_warnings(), [state.ok, state.backend, state.reason])
"""
    where, warning, found, error, nothing, told, state = shared.run(
        code, DBUS_SESSION_BUS_ADDRESS=address, PYTHON_KEYRING_BACKEND=None
    )
    assert (where, found) == ("memory", "canary")
    assert warning == (
        f"T{ABSENT[1:]}, so the password is kept in this kernel's memory only and is gone when the kernel ends: install and "
        "unlock one (GNOME Keyring, KWallet), or use -W, --password-env or --password-command."
    )
    assert error == ["KeyringError", ABSENT]
    assert (nothing, told) == (None, [])
    assert state == [False, None, ABSENT]


def test_one_that_is_started_later_is_found(shared):
    code = f"""
before = credentials.available().ok
os.environ["DBUS_SESSION_BUS_ADDRESS"] = {shared.env["DBUS_SESSION_BUS_ADDRESS"]!r}
say(before, credentials.available().ok, credentials.store("later", "db", Secret("canary")).where)
"""
    assert shared.run(code, DBUS_SESSION_BUS_ADDRESS=None, PYTHON_KEYRING_BACKEND=None) == [False, True, "keychain"]


def test_none_where_none_is_wanted(shared):
    """keyring's own switch, by which these tests keep away from a developer's keychain."""
    code = "say(credentials.store('none', 'db', Secret('canary')).where, credentials.available().ok)"
    assert shared.run(code, PYTHON_KEYRING_BACKEND="keyring.backends.fail.Keyring") == ["memory", False]


def test_a_backend_that_cannot_be_loaded(shared):
    code = "say(credentials.store('x', 'db', Secret('canary')).where, credentials.available().reason)"
    where, reason = shared.run(code, PYTHON_KEYRING_BACKEND="not_installed.Keyring")
    assert (where, reason) == ("memory", "no keychain can be used here: No module named 'not_installed'")


def test_nothing_is_imported_before_it_is_asked(shared):
    code = "say([name for name in sys.modules if name.partition('.')[0] in {'keyring', 'jeepney', 'secretstorage'}])"
    assert shared.run(code) == [[]]
