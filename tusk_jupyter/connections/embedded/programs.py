"""Run a PostgreSQL program: as the right OS user, in a clean environment, in a session of its own.

The environment is a list of what is passed on, not of what is taken out: ``PGDATA``, ``PGOPTIONS`` and their like
change what initdb and postgres do, and a token in root's environment is none of the server user's business. A session
of its own, because a notebook's Stop button is a SIGINT to the kernel's whole process group.
"""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from tusk_jupyter.errors import ConnectionFailed

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tusk_jupyter.connections.embedded.account import Account

LIMIT_S = 120.0
_PASSED_ON = (
    *("PATH", "TZ", "TMPDIR", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"),
    *("SYSTEMROOT", "WINDIR", "COMSPEC", "PATHEXT", "TEMP", "TMP", "USERNAME", "APPDATA", "PROGRAMDATA"),
)


def run(
    program: Path, *arguments: str, account: Account | None, text: str = "", limit: float = LIMIT_S, deaf: bool = False
) -> subprocess.CompletedProcess[str]:
    """Run a program to its end and return what it wrote; only failing to run it at all is an error.

    :param deaf: read nothing, for a program whose children keep its pipes (pg_ctl on Windows).
    """
    return _run([str(program), *arguments], account=account, text=text, limit=limit, deaf=deaf)


def spawn(program: Path, *arguments: str, account: Account | None, log: Path) -> int:
    """Start a program that outlives this process, writing to ``log``; return its process id.

    The shell in between makes it nobody's child here: no zombie in the user's kernel when it ends, no pipe of ours
    in its hands. The words travel as parameters of the shell, so that a path cannot be read as a command, which is
    what pg_ctl's quoting would do with one that holds a ``$``.
    """
    script = 'log=$1; shift; "$@" </dev/null >>"$log" 2>&1 & echo $!'
    done = _run(
        ["/bin/sh", "-c", script, "tusk-jupyter", str(log), str(program), *arguments],
        account=account, text="", limit=LIMIT_S,
    )  # fmt: skip
    return int(done.stdout)


def _options(account: Account | None) -> dict[str, Any]:
    env = {key: value for key, value in os.environ.items() if key.upper() in _PASSED_ON}
    options: dict[str, Any] = {"env": {**env, "LC_ALL": "C"}, "cwd": os.sep}
    if sys.platform == "win32":
        return {**options, "creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
    options |= {"start_new_session": True, "umask": 0o077}
    if account is not None:
        options |= {"user": account.uid, "group": account.gid, "extra_groups": []}
    return options


def _run(
    command: Sequence[str], *, account: Account | None, text: str, limit: float, deaf: bool = False
) -> subprocess.CompletedProcess[str]:
    out = subprocess.DEVNULL if deaf else subprocess.PIPE
    try:
        return subprocess.run(  # noqa: S603 - programs we looked up; the one shell gets its words as parameters
            command, input=text, stdout=out, stderr=out, text=True, errors="replace", timeout=limit, check=False,
            **_options(account),
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        failure = f"{command[0]} did not end within {limit:g} s"
        detail = str(error.stderr or "")[-2000:] or None
    except OSError as error:
        failure, detail = f"{command[0]} cannot be run", error.strerror
    raise ConnectionFailed(failure, detail=detail, advice="tusk-jupyter doctor shows which PostgreSQL is found.")
