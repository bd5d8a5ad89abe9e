"""The peers' environment: a venv outside the repository, made once per ``peers.txt`` and Python.

A venv of its own, because a peer must run on the versions it asks for, and because nothing of it may ever be imported
by what it is compared with. Making it takes half a minute; a marker file says that it was finished.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import platformdirs

PEERS = Path(__file__).parent.parent / "peers.txt"


def interpreters(cache: Path | None) -> dict[str, Path]:
    """Return environment → interpreter, making the peers' where it is missing."""
    base = cache.absolute() if cache else platformdirs.user_cache_path("tusk-jupyter-benchmarks", appauthor=False)
    key = hashlib.sha256(PEERS.read_bytes() + sys.version.encode()).hexdigest()[:12]
    folder = base / f"peers-{key}"
    python = folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    if not (folder / "complete").exists():
        _make(folder, python)
    return {"own": Path(sys.executable), "peers": python}


def _make(folder: Path, python: Path) -> None:
    print(f"making the peers' environment in {folder}", file=sys.stderr)
    shutil.rmtree(folder, ignore_errors=True)
    venv.create(folder, with_pip=True)
    subprocess.run([python, "-m", "pip", "install", "--quiet", "--requirement", PEERS], check=True)
    (folder / "complete").touch()


def versions(python: Path, packages: tuple[str, ...]) -> dict[str, str]:
    """Return the versions of those packages that are installed for an interpreter."""
    code = (
        "import sys, importlib.metadata as m\n"
        "for name in sys.argv[1:]:\n"
        "    try: print(name, m.version(name))\n"
        "    except m.PackageNotFoundError: pass"
    )
    done = subprocess.run([python, "-P", "-c", code, *packages], check=True, text=True, capture_output=True)
    return dict(line.split() for line in done.stdout.splitlines())
