"""An SSH server that nobody has met yet, in the connection manager: its fingerprint is shown, and the user decides.

A worker has nobody to ask, and a thread that waited for a click would hold a login open for as long as the user thinks.
So the attempt ends there, the form asks, and «Trust this host» sends the request again with the fingerprint that was
read. A key is recorded only if the server shows that very one then. A key that has changed is never asked about.
"""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any

from tusk_jupyter.errors import SshError, TuskError

if TYPE_CHECKING:
    from tusk_jupyter.connections.target import Target
    from tusk_jupyter.secret import Secret
    from tusk_jupyter.tusk import Tusk

_FINGERPRINT = "SHA256:"


class Answers:
    """Answers what an attempt asks for: a host key with what was trusted before, a password with nothing.

    :param trust: the fingerprint that the user has confirmed, or nothing.
    """

    def __init__(self, trust: str) -> None:
        self.asked: list[str] = []
        self._trust = trust

    def __call__(self, text: str) -> Secret | None:
        """Note that there was a question; the form asks it."""
        self.asked.append(text)
        return None

    def confirm(self, text: str) -> bool:
        """Return whether the key in a question is the one that the user has confirmed."""
        # the question has other words, too, such as the key's type
        return self._trust.startswith(_FINGERPRINT) and self._trust in text.split()


def question(error: TuskError) -> dict[str, Any] | None:
    """Return what the form is to ask after a failure; ``None`` when it was no unknown host."""
    facts = dict(error.facts)
    key = facts.get("host key")
    if not isinstance(error, SshError) or key is None or "recorded" in facts:
        return None
    host = facts.get("SSH host") or facts.get("jump host")
    text = (
        f"The host key of {host} is not known yet: {key}. Compare it with what whoever runs the server says. "
        "If you trust it, it is recorded in known_hosts."
    )
    return {"confirm": "trust", "trust": key.split()[-1], "text": text}


def record(tusk: Tusk, target: Target, trust: str) -> None:
    """Go to the SSH server once more and record the key that it shows, if it is the one that was confirmed."""
    from tusk_jupyter.connections.route import Route

    if target.ssh is None or not trust:
        return
    route = Route(
        lambda: target.conninfo,
        ssh=target.ssh,
        connection_id="",
        saved=False,
        name=str(target.conninfo.host),
        credentials=tusk.credentials,
    )
    with closing(route):
        try:
            route.conninfo(target.limits.connect_timeout_s)
        except TuskError:
            # whatever else is wrong, the test that follows says it
            route.supply(Answers(trust))
