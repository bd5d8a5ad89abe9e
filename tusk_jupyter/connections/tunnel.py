"""A way to the database through SSH: opened when it is needed, told apart when it dies, opened again after that.

A connection gets libpq's keywords of it (:meth:`Tunnel.overrides`), and asks for them at each connect: a tunnel that
was opened again has another port. ``host`` stays the database's name and only ``hostaddr`` leads into the tunnel, so
``verify-full`` still checks the right name. libpq does no TLS at all on Unix sockets, whatever ``sslmode`` says, so the
local end is a socket in a 0700 directory with ``sslmode=disable`` only; else it is a port of 127.0.0.1, where on Linux
other users of this machine are turned away.

Before it counts as open, one connection to the database is tried: afterwards psycopg would say the same of a database
that refuses and of a tunnel that died. Everything runs on the thread of :mod:`~tusk_jupyter.connections.ssh_loop`; the
methods may be called from any other. asyncssh takes 175 ms to import, so it is imported by the first who opens one.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import copy
import logging
import os
import sys
import threading
import time
import weakref
from typing import TYPE_CHECKING

from tusk_jupyter.connections import ssh_known_hosts, ssh_loop
from tusk_jupyter.connections.ssh_address import written
from tusk_jupyter.errors import ConnectionTimeout, SshError, TuskError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tusk_jupyter.connections.saved import SshTunnel
    from tusk_jupyter.connections.ssh_forwarding import Forwarding
    from tusk_jupyter.connections.ssh_known_hosts import HostKey
    from tusk_jupyter.connections.ssh_refusals import Refusal, SecretKind, Seen
    from tusk_jupyter.secret import Secret

log = logging.getLogger("tusk_jupyter.connections.ssh")
GRACE_S = 0.5
CLOSE_S = 1.0
LISTEN_S = 5.0
_all: weakref.WeakSet[Tunnel] = weakref.WeakSet()


class Tunnel:
    """The tunnel of one connection; ``close()`` ends it, and an :meth:`open` that is under way.

    :param name: the connection's, for messages.
    :param confirm: asked (in the thread that calls :meth:`open`, its time not counted) whether a key that nobody has
        recorded is the right one; without it such a host is refused, and :attr:`unknown_key` is what to ask about.
    :param trusted: keys that are taken for this tunnel only, recorded nowhere.
    """

    def __init__(
        self,
        ssh: SshTunnel,
        *,
        host: str,
        port: int,
        name: str,
        password: Secret | None = None,
        passphrase: Secret | None = None,
        confirm: Callable[[HostKey], bool] | None = None,
        trusted: Iterable[HostKey] = (),
    ) -> None:
        self.ssh = ssh
        self.host = host
        self.port = port
        self.name = name
        self.problem: SshError | None = None
        self.asks: SecretKind | None = None
        self.refused: SecretKind | None = None
        self.unknown_key: HostKey | None = None
        self._secrets = (password, passphrase)
        self._confirm = confirm
        self._trusted = list(trusted)
        self._prefix = f"Cannot connect to {name} through SSH: "
        self._lock = threading.Lock()
        self._generation = 0
        self._opening: concurrent.futures.Future[TuskError | Refusal | None] | None = None
        self._live: Forwarding | None = None

    def __repr__(self) -> str:
        return f"<Tunnel {self.route} {'open' if self.alive else 'closed'}>"

    @property
    def alive(self) -> bool:
        """Whether connections can go through it, as far as is known; a dead network is found within 20 s."""
        return self._live is not None

    @property
    def route(self) -> str:
        """The hosts in their order, ending with the database, as ``%tusk status`` shows them."""
        live = self._live
        ssh = self.ssh
        first = str(live.route) if live is not None else written(ssh.config_alias or ssh.host, ssh.port, ssh.username)
        return f"{first} → {written(self.host, self.port)}"

    @property
    def proof(self) -> str:
        """What proved the last login, as far as that is known: ``agent``, ``key``, ``agent or key``, ``password``."""
        live = self._live
        return live.route.hops[-1][0].proof if live is not None else self.ssh.auth

    def set_secrets(self, *, password: Secret | None = None, passphrase: Secret | None = None) -> None:
        """Take what was typed after :attr:`asks` said what is missing."""
        mine = self._secrets
        self._secrets = (password or mine[0], passphrase or mine[1])

    def trust(self, key: HostKey) -> None:
        """Record a host's key in the user's ``known_hosts``; where that cannot be written, in this tunnel only."""
        self._trusted.append(key)
        try:
            ssh_known_hosts.record(key)
        except OSError as error:
            why = error.strerror or type(error).__name__
            log.warning("the host key of %s could not be recorded in %s: %s", key.host, key.file, why)

    def open(self, timeout_s: float) -> None:
        """Open it unless it is open; threads that come meanwhile wait for the same attempt.

        Whoever leaves before it is done (:func:`~tusk_jupyter.interrupts.call`) calls :meth:`close`, which ends the
        attempt; without that it is over when its time is.

        :raises SshError: with the reason; :attr:`asks` and :attr:`unknown_key` say what would help.
        :raises ConnectionTimeout: when the time is over, with what was being waited for.
        """
        while (outcome := self._attempt(timeout_s)) is not None:
            key = self.unknown_key
            if key is None or self._confirm is None or key in self._trusted or not self._confirm(key):
                break
            self.trust(key)
        if outcome is not None:
            raise outcome

    def overrides(self, sslmode: str | None) -> dict[str, str]:
        """Return the keywords that send a connection through it; they hold until the tunnel dies.

        With ``sslmode="disable"`` it is a Unix socket, because libpq never does TLS on one; with any other, and where
        the tunnel has a ``local_port``, an address of this machine with the database's own name.

        :raises SshError: when the tunnel is not open.
        """
        live = self._live
        if live is None:
            raise copy.copy(self.problem) if self.problem else SshError(f"{self._prefix}the tunnel is not open")
        private = sslmode == "disable" and sys.platform != "win32" and self.ssh.local_port is None
        failure: str
        try:
            return ssh_loop.submit(live.end_point(private=private)).result(LISTEN_S)
        except OSError as error:
            failure = error.strerror or str(error)
        except (concurrent.futures.CancelledError, concurrent.futures.TimeoutError):
            failure = "the tunnel was closed"
        raise SshError(f"{self._prefix}there is no local end: {failure.lower()}")

    def close(self) -> None:
        """End it within a second, with what is connected through it; closing twice is fine, opening again too."""
        with self._lock:
            self._generation += 1
            opening, self._opening = self._opening, None
            live, self._live = self._live, None
        if opening is not None:
            opening.cancel()
        if live is None:
            return
        ended = ssh_loop.submit(live.end())
        concurrent.futures.wait([ended], timeout=CLOSE_S)
        live.forget_folder()

    def _attempt(self, timeout_s: float) -> TuskError | None:
        from tusk_jupyter.connections import ssh_forwarding  # noqa: F401 - the import must not hold up the loop

        with self._lock:
            if self._live is not None:
                return None
            if self._opening is None or self._opening.done():
                self.asks = self.refused = self.unknown_key = None
                self._opening = ssh_loop.submit(self._open(timeout_s, self._generation))
                _register(self)
            opening = self._opening
        try:
            outcome = opening.result(timeout_s + GRACE_S)
        except concurrent.futures.TimeoutError:
            outcome = self._timed_out(timeout_s, "another attempt was under way")
        except concurrent.futures.CancelledError:
            outcome = SshError(f"{self._prefix}it was closed while it was being opened", advice="Connect again.")
        if outcome is None:
            return None
        # several threads may raise it, and each of them hangs its traceback on
        return copy.copy(outcome if isinstance(outcome, TuskError) else outcome.error)

    async def _open(self, limit: float, generation: int) -> TuskError | Refusal | None:
        from tusk_jupyter.connections import ssh_client, ssh_config, ssh_forwarding
        from tusk_jupyter.connections.ssh_refusals import Refusal

        started = time.monotonic()
        route = ssh_client.Route(prefix=self._prefix, trusted=self._trusted, on_lost=self._lost)
        forwarding = ssh_forwarding.Forwarding(route, self.host, self.port, self.ssh.local_port)
        outcome: TuskError | Refusal | None
        try:
            async with asyncio.timeout(limit):
                outcome = await forwarding.start(ssh_config.login_of(self.ssh, *self._secrets))
        except TimeoutError:
            outcome = self._timed_out(limit, route.stage)
        except BaseException:
            route.abort()
            raise
        if outcome is None and forwarding.broken:
            outcome = SshError(f"{self._prefix}the connection was lost as soon as it was made")
        with self._lock:
            wanted = generation == self._generation
            if outcome is None and wanted:
                self._live, self.problem = forwarding, None
        if outcome is not None or not wanted:
            await forwarding.end()
        else:
            log.info("SSH tunnel of %s: %s, %.0f ms", self.name, self.route, (time.monotonic() - started) * 1000)
        if isinstance(outcome, Refusal):
            self.asks, self.refused, self.unknown_key = outcome.asks, outcome.refused, outcome.unknown
        return outcome

    def _timed_out(self, limit: float, stage: str) -> ConnectionTimeout:
        return ConnectionTimeout(
            f"{self._prefix}no answer within {limit:g} s while {stage}",
            advice="Check hosts and ports on the way, VPN and firewalls, or allow more with --connect-timeout 30s.",
            facts=(("route", self.route),),
            duration_s=limit,
        )

    def _lost(self, exc: Exception | None, seen: Seen) -> None:
        """Note that one of the logins ended (on the loop)."""
        from tusk_jupyter.connections import ssh_errors

        with self._lock:
            live = self._live
            if live is None or all(one is not seen for one, _ in live.route.hops):
                return
            self._live = None
            self.problem = ssh_errors.died(exc, seen, prefix=f"the SSH tunnel of {self.name} is gone: ")
        log.warning("%s", self.problem)
        ssh_loop.submit(live.end())

    def _drop(self) -> None:
        """Forget, in a forked child, what is the parent's; its sockets are not to be closed."""
        ssh_loop.keep(self._live, self._opening)
        self._live = self._opening = None
        self._lock = threading.Lock()


def _register(tunnel: Tunnel) -> None:
    if not _all:
        ssh_loop.when_ending(_close_all)
    _all.add(tunnel)


def _close_all() -> None:
    deadline = time.monotonic() + CLOSE_S
    threads = [threading.Thread(target=tunnel.close, daemon=True) for tunnel in list(_all)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(deadline - time.monotonic(), 0.0))


def _drop_all() -> None:
    for tunnel in list(_all):
        tunnel._drop()  # noqa: SLF001
    _all.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_drop_all)
