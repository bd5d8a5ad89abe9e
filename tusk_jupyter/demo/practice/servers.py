"""All practice servers together, with the files and addresses by which they are reached."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Self

import asyncssh

from tusk_jupyter.demo.practice import certificates, watch
from tusk_jupyter.demo.practice.bastion import HOST, Bastion
from tusk_jupyter.demo.practice.database import HOSTS, NAME, Database
from tusk_jupyter.demo.practice.home import Home
from tusk_jupyter.demo.practice.loop import LoopThread
from tusk_jupyter.demo.practice.strangers import Closed, Stranger

_USER = "gate"
_SSH_CONFIG = """\
Host bastion
  HostName {host}
  Port {port}
  User {user}
  IdentityFile ~/.ssh/id_ed25519
"""


class Servers:
    """The servers, from the start until ``close()``.

    ``closed``, ``web`` and ``silent`` are addresses that lead to no PostgreSQL.
    """

    def __init__(self) -> None:
        with ExitStack() as stack:
            root = Path(tempfile.mkdtemp(prefix="tusk-practice-"))
            stack.callback(shutil.rmtree, root, ignore_errors=True)
            held = watch.hold(root)
            stack.callback(os.close, held)
            stack.callback(watch.clear, root, NAME)
            authority = certificates.authority("Practice CA")
            loop = LoopThread()
            stack.callback(loop.close)
            self.database = Database(root, authority, loop)
            stack.callback(self.database.close)
            key = asyncssh.generate_private_key("ssh-ed25519")
            inside = {(HOSTS[-1], 5432): self.database.port}
            self.bastion = Bastion(loop, _USER, key.export_public_key().decode(), inside)
            stack.callback(self.bastion.close)
            strangers = Closed(), Stranger(answers=True), Stranger(answers=False)
            for stranger in strangers:
                stack.callback(stranger.close)
            self.closed, self.web, self.silent = (f"postgresql://analyst@{HOST}:{one.port}/{NAME}" for one in strangers)
            self.home = Home(root / "home", port=self.database.port)
            stack.callback(self.home.close)
            self._furnish(authority, key)
            self._end = stack.pop_all()
        atexit.register(self.close)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return (
            f"PostgreSQL with TLS on {HOSTS[0]}, port {self.database.port}\n"
            f"an SSH bastion on {HOST}, port {self.bastion.port}, which knows {HOSTS[-1]}\n"
            f"files: {', '.join(sorted(path.name for path in self.home.path.iterdir() if path.is_file()))}"
        )

    def close(self) -> None:
        """Stop everything and delete its files; closing twice is fine."""
        atexit.unregister(self.close)
        self._end.close()

    def _furnish(self, authority: certificates.Authority, key: asyncssh.SSHKey) -> None:
        certificate, client_key = certificates.issue(authority, "courier")
        passwords = {role: secret.reveal() for role, secret in self.database.passwords.items()}
        self.home.put(
            {
                "ca.crt": authority.pem,
                "stranger.crt": certificates.authority("Somebody else's CA").pem,
                "courier.crt": certificate,
                "courier.key": client_key,
                ".pgpass": f"*:*:*:analyst:{passwords['analyst']}\n",
                "reader.password": passwords["reader"],
                "owner.password": passwords["owner"],
                ".ssh/id_ed25519": key.export_private_key(),
                ".ssh/config": _SSH_CONFIG.format(host=HOST, port=self.bastion.port, user=_USER),
            }
        )
