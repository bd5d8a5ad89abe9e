"""Looking for a secret in everything that this process shows, holds or has written.

What holds it on purpose is a closure of :class:`~tusk_jupyter.secret.Secret`, so functions are not looked into; every
other object is that garbage collection knows a way to, from what a user can get hold of.
"""

from __future__ import annotations

import asyncio
import collections
import copy
import gc
import json
import logging
import os
import pickle
import sys
import threading
import traceback
import types
from pathlib import Path

import cloudpickle
import psutil
import psycopg
import rich.traceback
from IPython.core import ultratb

import tusk_jupyter as api
from tests import fix_postgres, fix_sshd
from tusk_jupyter import log
from tusk_jupyter.errors import TuskError

# each begins with letters that nothing else does, and that no spelling changes
MARKS = [secret[:10] for secret in (fix_postgres.PASSWORD, fix_sshd.PASSWORD, fix_sshd.PASSPHRASE)]
NOT_ENTERED = (
    types.ModuleType, type, types.FunctionType, types.BuiltinFunctionType, types.CodeType, types.FrameType,
    logging.Logger, threading.Thread,
)  # fmt: skip
OURS = ("tusk_jupyter", "psycopg", "psycopg_pool", "asyncssh", "asyncio", "keyring", "subprocess.py")


def shows(text):
    """Whether somebody who reads ``text`` reads one of the passwords, or how it begins."""
    text = text if isinstance(text, str) else bytes(text).decode("latin-1")
    return any(mark in text for mark in MARKS)


def reachable(roots, *, but=()):
    """Return how the secret is reached from ``roots`` (name → object): the types on the way."""
    known = {id(one) for one in but}
    queue = collections.deque((root, (name,)) for name, root in roots.items())
    found = []
    while queue:
        one, way = queue.popleft()
        if id(one) in known or isinstance(one, NOT_ENTERED):
            continue
        known.add(id(one))
        if isinstance(one, str | bytes | bytearray):
            if shows(one):
                found.append(way)
            continue
        queue.extend((part, (*way, type(one).__name__)) for part in gc.get_referents(one))
        if isinstance(one, BaseException):
            # what libpq holds is known to no garbage collector
            pgconn = getattr(one, "pgconn", None)
            queue.append((getattr(pgconn, "password", None), (*way, "pgconn")))
    return found


def chain(error):
    """Return the error and all that it leads to."""
    found, left = [], [error]
    while left:
        one = left.pop()
        if one is not None and one not in found:
            found.append(one)
            left += [one.__cause__, one.__context__, getattr(one, "error", None)]
            left += getattr(one, "exceptions", ())
    return found


def frames_of(error):
    """Return the locals of the frames of ours that the error went through."""
    frames = [frame for one in chain(error) for frame, _ in traceback.walk_tb(one.__traceback__)]
    mine = [frame for frame in frames if any(f"/{name}" in frame.f_code.co_filename for name in OURS)]
    return {f"{f.f_code.co_qualname if sys.version_info > (3, 11) else f.f_code.co_name}, {k}": v for f in mine for k, v in f.f_locals.items()}


def told(error):
    """Return everything that an error says of itself, in every way of saying it."""
    said = {"str": str(error), "repr": repr(error), "vars": repr(vars(error)), "notes": repr(getattr(error, "__notes__", None))}
    info = getattr(error, "info", None)
    if info is not None:
        said |= {"info": repr(info()), "json": json.dumps(info().to_dict(), default=str)}
    for name, dump in (("pickle", pickle.dumps), ("pickle 0", lambda e: pickle.dumps(e, 0)), ("cloudpickle", cloudpickle.dumps)):
        said[name] = dump(error).decode("latin-1")
    said["copies"] = repr((vars(copy.copy(error)), vars(copy.deepcopy(error))))
    return said


MODES = ("Plain", "Context", "Verbose", "Docs", "Minimal")


def tracebacks(error, modes=MODES):
    """Return how the error is shown: by Python with locals, by IPython, by rich."""
    given = (type(error), error, error.__traceback__)
    shown = {"locals": "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())}
    for mode in modes:
        shown[mode] = ultratb.AutoFormattedTB(mode=mode, theme_name="nocolor").text(*given)
    # drawing it takes a second, and adds nothing to what is drawn
    drawn = rich.traceback.Traceback.extract(*given, show_locals=True, locals_max_length=None, locals_max_string=None)
    return shown | {"rich": repr(drawn)}


def of_error(error, *, typed=False, but=(), modes=MODES):
    """Return where an error tells the secret; where it was typed, the frames that read the line have it."""
    places = {f"{name} of {type(one).__name__}": text for one in chain(error) for name, text in told(one).items()}
    if not typed:
        places |= tracebacks(error, modes)
    found = {place for place, text in places.items() if shows(text)}
    found |= {" → ".join(way) for way in reachable({type(error).__name__: vars(error)}, but=but)}
    if not typed:
        found |= {" → ".join(way) for way in reachable(frames_of(error), but=but)}
    return found


def of_files(root, *, but=()):
    """Return the files that hold it."""
    paths = [path for path in Path(root).rglob("*") if path.is_file() and path not in but]
    return {str(path) for path in paths if shows(path.read_bytes())}


def of_processes(*pids):
    """Return the processes, with their children, that have it in their command line, and children in whose environment."""
    found = set()
    for pid in pids:
        for process in (psutil.Process(pid), *psutil.Process(pid).children(recursive=True)):
            try:
                if shows("\0".join(process.cmdline())):
                    found.add(f"command line of {process.pid}")
            except psutil.Error:
                continue
    return found


class Logs(logging.Handler):
    """Every record of every logger from now on, as a handler of the user's sees it; with asyncio's debug mode."""

    NAMES = ("", "tusk_jupyter", "psycopg", "psycopg.pool", "asyncssh", "asyncio", "keyring", "concurrent.futures")

    def __init__(self) -> None:
        super().__init__(0)
        self.lines = []
        self._before = []

    def emit(self, record):
        self.lines.append(self.format(record) + repr(vars(record)))

    def __enter__(self):
        for name in self.NAMES:
            logger = logging.getLogger(name)
            self._before.append((logger, logger.level))
            logger.setLevel("DEBUG")
            logger.addHandler(self)
        return self

    def __exit__(self, *_):
        for logger, level in self._before:
            logger.setLevel(level)
            logger.removeHandler(self)


def in_debug_mode(monkeypatch):
    """Have every event loop that begins from now on say all it knows."""
    make = asyncio.new_event_loop

    def made():
        loop = make()
        loop.set_debug(True)
        loop.slow_callback_duration = 0
        return loop

    monkeypatch.setattr(asyncio, "new_event_loop", made)


class Watched:
    """A shell in which everything that is said is kept; ``check`` looks everywhere at once."""

    modes = MODES

    def __init__(self, shell, tusk, logs, folder) -> None:
        self.shell, self.tusk, self.logs, self.folder = shell, tusk, logs, folder
        self.said, self.events, self.found, self.raised = [], [], set(), []
        tusk.events.subscribe(self.events.append)

    def run(self, code, *, ok=True):
        reply = self.shell.run(code, ok=ok)
        self.said.append(repr(reply.outputs) + repr(reply.value))
        return reply

    def fails(self, what, code, *, typed=False, kinds=("connection",)):
        reply = self.run(code, ok=False)
        error = reply.exception
        assert isinstance(error, TuskError | KeyboardInterrupt), reply.outputs
        assert getattr(error, "error", error).kind in kinds, (what, error)
        self.found |= {f"{what}: {place}" for place in of_error(error, typed=typed, but=self._not_ours(), modes=self.modes)}
        for words in ("%tusk errverbose", "%tb", "%xmode Verbose", "%tb", "%xmode Docs", "%tb", "%xmode Plain", "%tb"):
            if words != "%tb" or not typed:
                self.run(words, ok=None)
        return error

    def looks_around(self):
        for words in ("status", "connections", "queries", "history", "health", "logs 1000", "get"):
            self.run(f"%tusk {words}")
        self.run("print(tusk.state(), tusk.last_result())")
        self.run("%whos", ok=None)

    def check(self, server, *, outside=()):
        log.flush()
        active = self.tusk.connections.active()
        roots = {"Tusk": self.tusk, "last result": api.last_result(), "events": self.events, "saved": self.tusk.saved.list()}
        roots |= {"connection": active, "targets": [c.target for c in active], "status": [vars(c) for c in active]}
        self.found |= {" → ".join(way) for way in reachable(roots, but=self._not_ours())}
        for error in (getattr(sys, "last_value", None), getattr(sys, "last_exc", None)):
            if error is not None:
                self.found |= {f"sys.last_value: {text}" for name, text in told(error).items() if shows(text)}
        self.found |= {f"said: {text[:2000]}" for text in self.said if shows(text)}
        self.found |= {f"events: {event}" for event in map(repr, self.events) if shows(event)}
        self.found |= {f"logs: {line}" for line in self.logs.lines if shows(line)}
        self.found |= {f"threads: {thread.name}" for thread in threading.enumerate() if shows(thread.name)}
        self.found |= of_files(self.folder, but=outside)
        self.found |= of_processes(os.getpid(), int((server.root / "data" / "postmaster.pid").read_text().split()[0]))
        with psycopg.connect(server.conninfo(), autocommit=True) as conn:
            rows = conn.execute("select to_jsonb(a)::text from pg_stat_activity a").fetchall()
        self.found |= {f"pg_stat_activity: {row}" for (row,) in rows if shows(row)}
        history = self.shell.ip.history_manager
        kept = [*history.input_hist_raw, *history.input_hist_parsed, *map(repr, history.db_input_cache)]
        self.found |= {f"IPython's history: {text}" for text in kept if shows(text)}
        assert not self.found, "\n".join(sorted(self.found))

    def _not_ours(self):
        return (self.shell.ip, self.shell.ip.user_ns, self.shell.ip.user_module, os.environ, self.logs.lines, self.said)
