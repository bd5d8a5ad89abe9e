"""A tested connection in steps: DNS, TCP, SSH, TLS, authentication, database, each with what it found.

The verdict is libpq's: one real attempt, as every connection is opened, and its classification decides which step
failed and what is said about it. A client that walked the protocol itself would find out more, and would sooner or
later be right about something else than the connection that follows. What a person sees while the attempt runs comes
from :mod:`~tusk_jupyter.connections.scout`, beside it. The limit bounds the whole: DNS and SSH that hang are left
behind on their worker, which closes what it still gets. Nothing is kept open.
"""

from __future__ import annotations

import threading
import time
from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from tusk_jupyter import interrupts
from tusk_jupyter.connections import failures, findings, opening, passfile, scout
from tusk_jupyter.connections.diagnoses import Reached
from tusk_jupyter.connections.opening import Refused
from tusk_jupyter.connections.step_board import NAMES, Board, Step
from tusk_jupyter.connections.tls_paths import resolved
from tusk_jupyter.errors import AuthenticationFailed, SslError, TuskError
from tusk_jupyter.translate import translate

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Future

    from tusk_jupyter.connections.conninfo import Conninfo
    from tusk_jupyter.connections.findings import Found
    from tusk_jupyter.connections.opening import ServerInfo
    from tusk_jupyter.connections.saved import SshTunnel
    from tusk_jupyter.connections.ssh_known_hosts import HostKey
    from tusk_jupyter.connections.step_board import StepName
    from tusk_jupyter.connections.target import Target
    from tusk_jupyter.connections.tunnel import Tunnel
    from tusk_jupyter.secret import Secret

__all__ = ["NAMES", "Step", "Walk", "walk"]
# beyond the limit, so that libpq's own time-out, which says more, comes first
GRACE_S = 0.5
_ON_THE_WAY: tuple[StepName, StepName] = ("DNS", "TCP")


@dataclass(frozen=True, slots=True)
class Walk:
    """What a test came to.

    ``asks`` when the server wants a password and none was given, ``ssh_asks`` what the way to it wants (or wants in
    place of what was given), ``unknown_key`` is a host key that nobody has recorded, ``key_asks`` when the client's TLS
    key wants a passphrase, or another.
    """

    steps: tuple[Step, ...]
    server: ServerInfo | None = None
    round_trip_ms: float | None = None
    error: TuskError | None = None
    asks: bool = False
    ssh_asks: Literal["password", "passphrase"] | None = None
    unknown_key: HostKey | None = None
    key_asks: Literal["missing", "wrong"] | None = None


def walk(
    target: Target,
    *,
    name: str,
    password: Secret | None = None,
    ssh_password: Secret | None = None,
    passphrase: Secret | None = None,
    trusted: Sequence[HostKey] = (),
    on_step: Callable[[Step], None] | None = None,
) -> Walk:
    """Connect, look around, close again; on a worker of the caller's, within the target's connect timeout.

    :param ssh_password: for the tunnel, as ``passphrase`` is for its key.
    :param trusted: host keys that are taken though nobody has recorded them; they are not recorded. Others are refused.
    :param on_step: is told each change of a step, in this thread.
    """
    test = _Test(target, name=name, password=password, on_step=on_step)
    try:
        conninfo = resolved(target.conninfo)
        if target.ssh is not None:
            routed = test.through(target.ssh, ssh_password, passphrase, trusted)
            if isinstance(routed, Walk):
                return routed
            conninfo = passfile.applied(conninfo).with_(**routed)
        return test.direct(conninfo)
    finally:
        test.close()


_NO_TUNNEL = Step("SSH", "skipped", "no tunnel")


class _Test:
    """One walk: its steps, its deadline, its tunnel."""

    def __init__(
        self, target: Target, *, name: str, password: Secret | None, on_step: Callable[[Step], None] | None
    ) -> None:
        self._target, self._name, self._password = target, name, password
        self._limit = target.limits.connect_timeout_s
        self._deadline = time.monotonic() + self._limit
        self._board = Board(on_step)
        self._stopped = threading.Event()
        self._tunnel: Tunnel | None = None

    def close(self) -> None:
        """End the scout and the tunnel."""
        self._stopped.set()
        if self._tunnel is not None:
            self._tunnel.close()

    # -- the attempt --------------------------------------------------------------------------------------------------

    def direct(self, conninfo: Conninfo) -> Walk:
        """Make the attempt and return what it came to."""
        where = scout.places(conninfo)
        plain = scout.why_no_tls(conninfo, where)
        first: StepName = "authentication" if plain else "TLS"
        if self._tunnel is None:
            self._look(where, after=first)
        else:
            self._board.take(Step(first, "running"))
        outcome = self._watched(interrupts.spawn("test-connect", lambda: self._attempt(conninfo)))
        if not isinstance(outcome, BaseException | Refused):
            return self._succeeded(outcome)
        refused = outcome if isinstance(outcome, Refused) else self._broken(outcome, conninfo)
        failed = self._failed_at(refused, tls=not plain)
        error = refused.error
        if self._tunnel is not None and (problem := self._tunnel.problem) is not None:
            error, failed = problem, "SSH"
        if plain:
            self._board.take(Step("TLS", "skipped", plain))
        elif NAMES.index(failed) > NAMES.index("TLS"):
            self._board.take(Step("TLS", "ok", findings.encrypted(error, conninfo)))
        ended = self._failed(failed, error, reached=refused.reached, asks=refused.asks)
        return replace(ended, key_asks=refused.passphrase)

    def _attempt(self, conninfo: Conninfo) -> Found | Refused:
        settings = self._target.settings
        left = self._limit if self._tunnel is None else self._left()
        conn = opening.connect(conninfo, password=self._password, timeout_s=left, settings=settings, name=self._name)
        if isinstance(conn, Refused):
            return conn
        with closing(conn):
            self._board.tell(Step("database", "running"))
            try:
                return findings.ask(
                    conn,
                    conninfo,
                    deadline=self._deadline,
                    read_only=settings.read_only,
                    tunnelled=self._tunnel is not None,
                )
            except Exception as error:  # noqa: BLE001 - as in Connection: what breaks here is a failed connect
                return Refused(self._translated(error, conninfo), reached=Reached.LOGIN)

    def _broken(self, error: BaseException, conninfo: Conninfo) -> Refused:
        """Return the refusal for an attempt that did not end in time, or in a way that nobody foresaw."""
        if isinstance(error, TimeoutError):
            return Refused(self._translated(error, conninfo))
        return Refused(translate(error, doing="testing the connection"))

    def _translated(self, error: BaseException, conninfo: Conninfo) -> TuskError:
        secrets = [self._password] if self._password is not None else []
        return failures.connect_error(
            error,
            target=conninfo.redacted(),
            name=self._name,
            conninfo=conninfo,
            secrets=secrets,
            timeout_s=self._limit,
        )

    # -- through SSH --------------------------------------------------------------------------------------------------

    def through(
        self, ssh: SshTunnel, password: Secret | None, passphrase: Secret | None, trusted: Sequence[HostKey]
    ) -> Walk | dict[str, str]:
        """Open the tunnel; return the keywords that lead through it, or the walk when it ends here."""
        from tusk_jupyter.connections.tunnel import Tunnel

        conninfo = self._target.conninfo
        if ssh.config_alias:
            for name in _ON_THE_WAY:
                self._board.take(Step(name, "skipped", f"ssh_config says where {ssh.config_alias} is"))
            self._board.take(Step("SSH", "running"))
        else:
            self._look((scout.Place(ssh.host, "", ssh.port),), after="SSH")
        self._tunnel = tunnel = Tunnel(
            ssh,
            host=(conninfo.host or "localhost").split(",")[0],
            port=int((conninfo.port or "").split(",")[0] or 5432),
            name=self._name,
            password=password,
            passphrase=passphrase,
            trusted=trusted,
        )
        outcome = self._watched(interrupts.spawn("test-ssh", lambda: _opened(tunnel, self._left(), conninfo.sslmode)))
        if isinstance(outcome, dict):
            for name in _ON_THE_WAY:
                self._board.arrive(name)
            self._board.take(Step("SSH", "ok", f"{tunnel.route}, by {tunnel.proof}"))
            return outcome
        error = outcome if isinstance(outcome, TuskError) else self._broken(outcome, conninfo).error
        missing = next((name for name in _ON_THE_WAY if self._board.state(name) == "running"), None)
        failed = self._failed(missing or "SSH", error, reached=Reached.NOTHING)
        return replace(failed, ssh_asks=tunnel.asks or tunnel.refused, unknown_key=tunnel.unknown_key)

    # -- what is seen on the way --------------------------------------------------------------------------------------

    def _look(self, where: tuple[scout.Place, ...] | None, *, after: StepName) -> None:
        """Say what needs no looking at, and send the scout for the rest."""
        if where is None or not any(place.needs_dns for place in where):
            self._board.take(Step("DNS", "skipped", scout.why_no_dns(where)))
            self._board.take(Step("TCP", "running"))
        else:
            self._board.take(Step("DNS", "running"))
        if where is not None and not all(place.is_socket for place in where):
            interrupts.spawn("test-scout", lambda: self._scout(where, after))

    def _scout(self, where: tuple[scout.Place, ...], after: StepName) -> None:
        found = scout.look_up(where)
        if any(place.needs_dns for place in where):
            if not any(addresses for _, addresses in found):
                return
            self._board.tell(Step("DNS", "ok", scout.described(found)))
            self._board.tell(Step("TCP", "running"))
        candidates = [(address, place.port) for place, addresses in found for address in addresses]
        if open_at := scout.first_open(candidates, until=self._deadline, stopped=self._stopped.is_set):
            self._board.tell(Step("TCP", "ok", open_at))
            self._board.tell(Step(after, "running"))

    def _watched(self, job: Future[Any]) -> Any:
        return self._board.watch(job, until=self._deadline + GRACE_S)

    def _left(self) -> float:
        """Return the seconds that are left, as a message can show them."""
        return round(max(self._deadline - time.monotonic(), 0.1), 1)

    # -- the end ------------------------------------------------------------------------------------------------------

    def _succeeded(self, found: Found) -> Walk:
        self._board.arrive("DNS")
        if self._tunnel is None:
            self._board.take(Step("TCP", "ok", found.tcp))
            self._board.take(_NO_TUNNEL)
        self._board.take(Step("TLS", "skipped" if found.plain else "ok", found.plain or found.tls))
        self._board.take(Step("authentication", "ok", found.login))
        self._board.take(Step("database", "ok", found.database))
        return Walk(self._board.in_order(), found.server, found.round_trip_ms)

    def _failed(self, failed: StepName, error: TuskError, *, reached: Reached, asks: bool = False) -> Walk:
        at = NAMES.index(failed)
        for name, certain in zip(_ON_THE_WAY, (reached >= Reached.RESOLVED, reached >= Reached.TCP), strict=True):
            if NAMES.index(name) < at:
                self._board.arrive(name, certain=certain)
        if self._target.ssh is None:
            self._board.take(_NO_TUNNEL)
        if failed == "database":
            self._board.arrive("authentication")
        self._board.take(Step(failed, "failed", _short(error)))
        for name in NAMES[at + 1 :]:
            if self._board.state(name) != "skipped":
                self._board.take(Step(name, "skipped"))
        return Walk(self._board.in_order(), error=error, asks=asks)

    def _failed_at(self, refused: Refused, *, tls: bool) -> StepName:
        """Return the step that the classification of the failure names; of DNS and TCP the scout may know more."""
        error, reached = refused.error, refused.reached
        if isinstance(error, SslError):
            return "TLS"
        if isinstance(error, AuthenticationFailed):
            return "authentication"
        if reached >= Reached.LOGIN:
            return "database"
        if reached >= Reached.SERVER:
            return "authentication"
        if reached < Reached.RESOLVED and self._board.state("DNS") == "running":
            return "DNS"
        if reached < Reached.TCP and self._board.state("TCP") not in {"ok", "skipped"}:
            return "TCP"
        return "TLS" if tls else "authentication"


def _short(error: TuskError) -> str:
    """Return the message without «Cannot connect to NAME: », which stands above the steps anyway."""
    first, _, rest = error.message.partition(": ")
    return rest if rest and first.startswith("Cannot connect to ") else error.message


def _opened(tunnel: Tunnel, timeout_s: float, sslmode: str | None) -> dict[str, str] | TuskError:
    """Open the tunnel and return its failure: one that was raised keeps frames with secrets in them."""
    try:
        tunnel.open(timeout_s)
        return tunnel.overrides(sslmode)
    except TuskError as error:
        return error.with_traceback(None)
