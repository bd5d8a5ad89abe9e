"""The way to a server: the parameters with their secrets put in, and the SSH tunnel where one leads there.

Asked at each connect, never kept: a tunnel that died has another port when it is open again, and a key's passphrase
belongs to libpq for a moment only. What a failed attempt lacks (an SSH password, a passphrase, the word that a host key
is right) is asked for in the main thread, between attempts: a worker has nobody to ask.
"""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable

    from tusk_jupyter.connections.conninfo import Conninfo
    from tusk_jupyter.connections.credentials import Credentials, Kind
    from tusk_jupyter.connections.saved import SshTunnel
    from tusk_jupyter.connections.ssh_known_hosts import HostKey
    from tusk_jupyter.connections.ssh_refusals import SecretKind
    from tusk_jupyter.connections.tunnel import Tunnel
    from tusk_jupyter.errors import SshError
    from tusk_jupyter.secret import Secret

    Ask = Callable[[str], Secret | None]


# how often somebody is asked for a passphrase before it is called wrong
TRIES = 2
_KIND: dict[SecretKind, Kind] = {"password": "ssh", "passphrase": "sshkey"}


class Route:
    """How one connection is reached; ``close()`` ends its tunnel."""

    def __init__(
        self,
        whole: Callable[[], Conninfo],
        *,
        ssh: SshTunnel | None,
        connection_id: str,
        saved: bool,
        name: str,
        credentials: Credentials,
    ) -> None:
        self._whole = whole
        self._ssh = ssh
        self._id = connection_id
        self._saved = saved
        self._name = name
        self._credentials = credentials
        self._lock = threading.Lock()
        self._tunnel: Tunnel | None = None
        self._passphrases = 0

    @property
    def problem(self) -> SshError | None:
        """Why the tunnel died, if it did."""
        tunnel = self._tunnel
        return tunnel.problem if tunnel is not None else None

    @property
    def text(self) -> str | None:
        """The hosts on the way, ``None`` for a direct one."""
        tunnel = self._tunnel
        return tunnel.route if tunnel is not None else None

    def conninfo(self, timeout_s: float) -> Conninfo:
        """Return where libpq is to connect to now; opens the tunnel.

        :raises SshError: when there is no way; :raises ConnectionTimeout: when the time is over.
        """
        whole = self._with_passphrase(self._whole())
        if self._ssh is None:
            return whole
        from tusk_jupyter.connections import passfile

        whole = passfile.applied(whole)
        tunnel = self._made(self._ssh, whole)
        tunnel.open(timeout_s)
        return whole.with_(**tunnel.overrides(whole.sslmode))

    def supply_passphrase(self, wanted: Literal["missing", "wrong"], ask: Ask | None) -> bool:
        """Ask for the passphrase of the TLS key, twice at most; return whether another attempt is worth it."""
        if ask is None or self._passphrases == TRIES:
            return False
        self._passphrases += 1
        secret = ask(key_question(self._whole(), again=wanted == "wrong"))
        if secret is None:
            return False
        self._credentials.remember((self._id, "sslkey"), secret)
        return True

    def keep_passphrase(self, *, works: bool) -> None:
        """Remember the one that was given with the parameters, as one that was typed; or forget a wrong one."""
        self._passphrases = 0
        given = self._whole().sslpassword
        if not works:
            self._credentials.forget((self._id, "sslkey"))
        elif given is not None and self._credentials.recall((self._id, "sslkey")) is None:
            self._credentials.remember((self._id, "sslkey"), given)

    def supply(self, ask: Ask | None) -> bool:
        """Ask for what the last attempt lacked; return whether another one is worth it. In the main thread."""
        tunnel = self._tunnel
        if tunnel is None or ask is None:
            return False
        if (wanted := tunnel.asks or tunnel.refused) is not None:
            return self._supply_secret(tunnel, wanted, ask)
        confirm: Callable[[str], bool] | None = getattr(ask, "confirm", None)
        key = tunnel.unknown_key
        if key is None or confirm is None or not confirm(_question(key)):
            return False
        tunnel.trust(key)
        return True

    def close(self) -> None:
        """End the tunnel; closing twice is fine."""
        with self._lock:
            tunnel, self._tunnel = self._tunnel, None
        if tunnel is None:
            return
        if tunnel.refused is not None:
            # not tried again by itself: a bastion may lock out who errs too often
            self._credentials.forget((self._id, _KIND[tunnel.refused]))
        tunnel.close()

    def forget(self) -> None:
        """Be free for use in a forked child; the tunnel has dropped by itself what is the parent's."""
        self._lock = threading.Lock()

    def _made(self, ssh: SshTunnel, whole: Conninfo) -> Tunnel:
        from tusk_jupyter.connections.tunnel import Tunnel

        if (tunnel := self._tunnel) is not None:
            return tunnel
        # before the lock: a keychain may ask, and close() is not to wait for it
        password, passphrase = self._kept("ssh"), self._kept("sshkey")
        with self._lock:
            if self._tunnel is None:
                self._tunnel = Tunnel(
                    ssh,
                    # a tunnel leads to one server: of several hosts the first
                    host=(whole.host or "localhost").split(",")[0],
                    port=int((whole.port or "").split(",")[0] or 5432),
                    name=self._name,
                    password=password,
                    passphrase=passphrase,
                )
            return self._tunnel

    def _with_passphrase(self, whole: Conninfo) -> Conninfo:
        from tusk_jupyter.connections.tls_files import wants_passphrase

        # the last that was typed comes first: it was asked for because the others are wrong
        typed = self._credentials.recall((self._id, "sslkey"))
        if typed is None and wants_passphrase(whole) == "missing":
            typed = self._kept("sslkey")
        return replace(whole, sslpassword=typed) if typed is not None else whole

    def _kept(self, kind: Kind) -> Secret | None:
        # what was typed is newer than what is kept; and a keychain may be slow, or want to be unlocked
        typed = self._credentials.recall((self._id, kind))
        return typed or (self._credentials.find(self._id, kind) if self._saved else None)

    def _supply_secret(self, tunnel: Tunnel, wanted: SecretKind, ask: Ask) -> bool:
        secret = ask(ssh_question(tunnel.ssh, wanted, again=tunnel.refused is not None))
        if secret is None:
            return False
        tunnel.set_secrets(**{wanted: secret})
        # remembered before it has worked: the pool's connections need it too; close() forgets a wrong one
        self._credentials.remember((self._id, _KIND[wanted]), secret)
        return True


def key_question(conninfo: Conninfo, *, again: bool) -> str:
    """Return the words that ask for the passphrase of a TLS key."""
    from tusk_jupyter.connections.tls_files import key_path

    what = f"Passphrase of the TLS key {key_path(conninfo)}"
    return f"{what} (the last one was wrong): " if again else f"{what}: "


def ssh_question(ssh: SshTunnel, wanted: SecretKind, *, again: bool) -> str:
    """Return the words that ask for what an SSH login wants."""
    if wanted == "password":
        what = f"SSH password for {ssh.username or ''}@{ssh.host or ssh.config_alias}"
    else:
        what = f"Passphrase of the SSH key {ssh.key_path or ''}"
    return f"{what} (the last one was refused): " if again else f"{what}: "


def _question(key: HostKey) -> str:
    return (
        f"The host key of {key.host} is not known yet: {key.key_type} {key.fingerprint}\n"
        f"Is it the right one? It will be recorded in {key.file}. (yes/no) "
    )
