"""The connection manager in a plain terminal: a numbered list, a letter and a number, prompts.

What the buttons of the widget do is done by the same functions here, on this thread: a terminal has nobody else to
serve, and an interrupt leaves them as it leaves a cell. Passwords are asked for by ``getpass``, which echoes nothing.
Ctrl-C and Ctrl-D leave whatever is asked, first the question, then the manager; nothing is saved half.
"""

from __future__ import annotations

import getpass
import re
import sys
from typing import TYPE_CHECKING, Any

from tusk_jupyter.connections.saved import AUTH_METHODS, COLORS, SSL_MODES
from tusk_jupyter.errors import TuskError
from tusk_jupyter.magics import manager_actions, manager_form, manager_trial
from tusk_jupyter.magics.manager_messages import Request
from tusk_jupyter.magics.manager_view import listed, read_kept
from tusk_jupyter.secret import Secret
from tusk_jupyter.widgets.error_panel import ErrorPanel
from tusk_jupyter.widgets.markup import shown as visible

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tusk_jupyter.connections.credentials import Kind
    from tusk_jupyter.tusk import Tusk
    from tusk_jupyter.widgets.connection_list import ConnectionRow

    Answer = dict[str, Any]

HELP = """  c N  connect          d N  disconnect       t N  test
  n    new              e N  edit             y N  duplicate        x N  delete
  w N  forget the password                    q    leave (or Ctrl-D)"""
# a letter, or a word that is no number's: «connect» must not be taken for «c»
_COMMAND = re.compile(r"([a-z]?)([0-9]{0,9})")
_MARK = {"connected": "*", "connecting": "…", "error": "!", "disconnected": " "}
_STEP = {"ok": "ok", "failed": "FAILED", "running": "…", "skipped": "-"}
_QUESTIONS = (
    ("name", "Name"), ("host", "Host"), ("port", "Port"), ("database", "Database"), ("username", "User"),
    ("ssl_mode", f"TLS ({', '.join(SSL_MODES)})"), ("read_only", "Read-only (yes, no)"),
)  # fmt: skip
_MORE = (
    ("ssl_ca_cert", "CA certificate"), ("ssl_client_cert", "Client certificate"), ("ssl_client_key", "Client key"),
    ("ssh", f"SSH tunnel (empty for none; {', '.join(AUTH_METHODS)})"), ("ssh_host", "SSH host"),
    ("ssh_port", "SSH port"), ("ssh_username", "SSH user"), ("ssh_key_path", "SSH key file"),
    ("ssh_config_alias", "Alias in ~/.ssh/config"), ("ssh_local_port", "Local port"),
    ("statement_timeout", "Statement timeout"), ("lock_timeout", "Lock timeout"),
    ("connect_timeout", "Connect timeout"), ("pool_timeout", "Pool timeout"), ("pool_size", "Pool size"),
    ("application_name", "Application name"), ("history", "History (yes, no)"),
    ("color", f"Colour ({', '.join(COLORS)})"), ("parameters", "Further libpq parameters (keyword=value …)"),
)  # fmt: skip

# how the questions of connecting begin
_KINDS: tuple[tuple[str, Kind], ...] = (
    ("SSH", "ssh"), ("Passphrase of the TLS", "sslkey"), ("Passphrase", "sshkey"), ("", "db"),
)  # fmt: skip
_LABELS = dict((*_QUESTIONS, *_MORE))


class _LeaveError(Exception):
    """The user has had enough of a question."""


def run(tusk: Tusk) -> None:
    """Show the list and do what is asked, until the user leaves."""
    dialogue = Dialogue(tusk)
    try:
        while dialogue.turn():
            pass
    except (EOFError, KeyboardInterrupt):
        _say("")


class Dialogue:
    """One visit to the manager."""

    def __init__(self, tusk: Tusk) -> None:
        self.tusk = tusk
        self._rows: list[ConnectionRow] = []
        self._do: Mapping[str, Callable[[ConnectionRow], None]] = {
            "c": self._connect,
            "d": self._disconnect,
            "t": self._test,
            "e": self._edit,
            "y": self._duplicate,
            "x": self._delete,
            "w": self._forget,
        }

    def turn(self) -> bool:
        """Show the list, take one command; return whether to go on."""
        self._show()
        words = input("connections> ").split()
        if not words:
            return True
        if words[0].lower() in {"q", "quit", "exit"}:
            return False
        try:
            self._command(words)
        except TuskError as error:
            _say(ErrorPanel.from_error(error).text())
        except (_LeaveError, KeyboardInterrupt):
            _say("left as it was")
        return True

    def _show(self) -> None:
        found = listed(self.tusk, read_kept(self.tusk), {})
        self._rows = []
        _say("")
        for group, rows in found.sections():
            indent = "  " * (group.depth if group else 0)
            if group is not None:
                _say(f"  {indent}{visible(group.name)}")
            for row in rows:
                self._rows.append(row)
                state = row.words if row.state != "disconnected" else ("read-only" if row.read_only else "")
                line = f"{len(self._rows):>3} {_MARK[row.state]} {indent}{row.name:<20} {row.address}"
                _say(visible(f"{line}  {f'({state})' if state else ''}".rstrip()))
        for note in found.notes if self._rows else ("nothing is saved yet", *found.notes):
            _say(f"    {note}")
        _say(HELP)

    def _command(self, words: list[str]) -> None:
        found = _COMMAND.fullmatch("".join(words).lower())
        # a number alone connects, as the list invites to
        letter, number = (found[1] or "c", int(found[2] or 0)) if found is not None else ("", 0)
        if letter == "n" and not number:
            self._save(manager_form.shown(manager_form.blank()), "")
        elif letter not in self._do:
            _say(f"{visible(' '.join(words))!r} is none of the letters below, with a number behind it")
        elif not 1 <= number <= len(self._rows):
            known = f"{letter} and a number from 1 to {len(self._rows)}" if self._rows else "there is none yet"
            _say(f"which one? {known}")
        else:
            self._do[letter](self._rows[number - 1])

    # -- commands -----------------------------------------------------------------------------------------------------

    def _connect(self, row: ConnectionRow) -> None:
        if not row.saved:
            self._tell(manager_actions.use(self.tusk, _request("use", row), _nothing))
            return
        asked = _Asked()
        connection = self.tusk.connect_saved(row.id, ask=asked)
        warnings = self.tusk.credentials.take_warnings()
        if asked.secrets and _yes("Keep it for the next time?"):
            warnings += self.tusk.saved.save(self.tusk.saved.get(row.id), asked.secrets).warnings
        self._tell({"note": f"connected; cells run on {connection.name} now", "warnings": warnings})

    def _disconnect(self, row: ConnectionRow) -> None:
        self._confirmed(manager_actions.disconnect, row)

    def _delete(self, row: ConnectionRow) -> None:
        self._confirmed(manager_actions.delete, row)

    def _duplicate(self, row: ConnectionRow) -> None:
        self._tell(manager_actions.duplicate(self.tusk, _request("duplicate", row), _nothing))

    def _edit(self, row: ConnectionRow) -> None:
        self._save(dict(row.form), row.id)

    def _forget(self, row: ConnectionRow) -> None:
        self.tusk.credentials.delete(row.id)
        self._tell({"ok": True, "note": "forgotten", "warnings": self.tusk.credentials.take_warnings()})

    def _test(self, row: ConnectionRow) -> None:
        saved, _ = manager_actions.record(self.tusk, Request("terminal", "test", target=row.id))
        walk = self.tusk.test(saved.name, self.tusk.saved.target(saved), ask=_Asked())
        for step in walk.steps:
            _say(visible(f"  {_STEP[step.state]:<8}{step.name:<15}{step.text}".rstrip()))
        if walk.error is not None:
            raise walk.error
        _say(manager_trial.summary(walk))

    def _confirmed(self, act: Callable[..., Answer], row: ConnectionRow) -> None:
        answer = act(self.tusk, _request("", row), _nothing)
        if answer.get("confirm"):
            if not _yes(answer["text"]):
                raise _LeaveError
            answer = act(self.tusk, _request("", row, sure=True), _nothing)
        self._tell(answer)

    def _save(self, form: dict[str, str], target: str) -> None:
        _ask_all(form, _QUESTIONS)
        before = self.tusk.saved.group_paths().get(form["group_id"], "")
        group = _asked("Group (or a path of groups: Production/EU)", before)
        if _yes("TLS files, SSH, limits, more?"):
            _ask_all(form, _MORE)
        secrets = _passwords(form)
        while True:
            request = Request("terminal", "save", target=target, form=form, secrets=secrets)
            answer = manager_actions.save(self.tusk, request, _nothing)
            if "problems" not in answer:
                break
            for field, message in answer["problems"]:
                _say(f"  {message}")
                form[field] = _asked(_LABELS.get(field, field), form.get(field, ""))
        # the last of all, so that leaving before makes no group
        if group != before:
            group_id = self.tusk.saved.group_at(group).id if group else None
            self.tusk.saved.change(answer["target"], group_id=group_id)
        self._tell(answer)

    def _tell(self, answer: Answer) -> None:
        for line in (answer.get("note"), *answer.get("warnings", ())):
            if line:
                _say(line)


class _Asked:
    """Asks for what a server or the way to it wants, and has the answers by the kind they are kept as."""

    def __init__(self) -> None:
        self.secrets: dict[Kind, Secret | None] = {}

    def __call__(self, text: str) -> Secret:
        """Ask for a password; leaving the question leaves the attempt."""
        kind = next(kind for beginning, kind in _KINDS if text.startswith(beginning))
        self.secrets[kind] = secret = _password(text)
        return secret

    def confirm(self, text: str) -> bool:
        """Ask a question that only a full «yes» answers."""
        return _asked(text.removesuffix(" "), "").lower() == "yes"


def _request(op: str, row: ConnectionRow, *, sure: bool = False) -> Request:
    return Request("terminal", op, target=row.id, sure=sure)


def _ask_all(form: dict[str, str], questions: tuple[tuple[str, str], ...]) -> None:
    for field, label in questions:
        if field.startswith("ssh_") and not form["ssh"]:
            continue
        form[field] = _asked(label, form[field].replace("\n", " "))


def _asked(label: str, before: str) -> str:
    try:
        text = input(f"  {label}{f' [{visible(before)}]' if before else ''}: ").strip()
    except (EOFError, KeyboardInterrupt):
        text = None
        _say("")
    if text is None:
        raise _LeaveError
    # a blank keeps what is there; a minus empties it
    return "" if text == "-" else text or before


def _yes(question: str) -> bool:
    return _asked(f"{question} (y/N)", "").lower() in {"y", "yes"}


def _password(text: str) -> Secret:
    given = None
    try:
        given = Secret(getpass.getpass(text))
    except (EOFError, KeyboardInterrupt):
        _say("")
    if given is None:
        raise _LeaveError
    return given


def _passwords(form: Mapping[str, str]) -> dict[str, Secret | None]:
    asked = {"db": "Password (empty: as it is): "}
    if form["ssh"] == "password":
        asked["ssh"] = "SSH password (empty: as it is): "
    if form["ssh"] == "key":
        asked["sshkey"] = "Passphrase of the SSH key (empty: as it is): "
    if form["ssl_client_key"]:
        asked["sslkey"] = "Passphrase of the client key (empty: as it is): "
    given = {kind: _password(f"  {text}") for kind, text in asked.items()}
    return {kind: secret for kind, secret in given.items() if secret}


def _nothing(_message: dict[str, Any]) -> None:
    """Nobody looks on while a step runs."""


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
