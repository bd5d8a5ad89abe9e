"""Processes that open a ``tusk.db`` at the same moment, write to it, and are killed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
HEAD = """
import json, os, signal, sys
from pathlib import Path
from tests.unit.storage.damage import *
from tusk_jupyter.storage.database import Database
from tusk_jupyter.storage.history import record
path = Path(sys.argv[1])
print("ready", flush=True)
assert sys.stdin.readline()
"""


class Process:
    """Python code that waits for ``go()``; ``lines`` are what it has printed since."""

    def __init__(self, path, code, *, before=()):
        command = [*before, sys.executable, "-c", HEAD + code, str(path)]
        self.popen = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def ready(self):
        assert self.popen.stdout.readline() == "ready\n", self.popen.stderr.read()

    def go(self):
        self.popen.stdin.write("go\n")
        self.popen.stdin.flush()

    def line(self):
        return self.popen.stdout.readline().rstrip("\n")

    def kill(self):
        self.popen.kill()
        return self.end(-9)

    def end(self, status=0):
        """Wait for the end, and return the lines that were printed."""
        out, err = self.popen.communicate(timeout=50)
        assert self.popen.returncode == status, err
        return out.splitlines()


def at_once(path, code, count):
    """Run code in some processes that start at one moment, and return the lines of each."""
    started = [Process(path, code) for _ in range(count)]
    for process in started:
        process.ready()
    for process in started:
        process.go()
    return [process.end() for process in started]
