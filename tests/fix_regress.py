"""PostgreSQL's own regression suite, fetched when a test asks for it: Debian's source package, a list of its own.

apt does what it is good at, verifying what comes over the network, with a configuration that knows nothing but the
machine's own mirror of the plain ``bookworm`` suite: no list, cache or hook of the machine is read or changed. The
package is kept in the user's cache, by version, and apt checks its sums again each time. Where it cannot be had, the
tests are skipped with the reason, and fail with ``--require=regress``.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.worlds import server_account

PACKAGE = "postgresql-15"
SUITE = "bookworm"
FETCH_TIMEOUT_S = 240
# the network's settings are the machine's; its hooks, and what it downloads besides, are not for a test to trigger
_NETWORK = re.compile(r"Acquire::(?!IndexTargets|Languages|Changelogs|GzipIndexes)")


class CannotFetchError(Exception):
    """Why the suite is not here."""


@dataclass(frozen=True)
class Suite:
    """The unpacked suite: ``files`` in the order of its schedule, and what they read."""

    version: str
    root: Path
    files: tuple[str, ...]

    def sql(self, name: str) -> str:
        return (self.root / "sql" / f"{name}.sql").read_text(encoding="utf-8")

    def expected(self, name: str) -> str:
        """Return what psql is expected to print, with all alternatives (``name_1.out`` and so on)."""
        found = sorted((self.root / "expected").glob(f"{name}*.out"))
        texts = [p.read_text(encoding="utf-8", errors="replace") for p in found if _alternative(p.stem, name)]
        return "\n".join(texts)

    def lend_to_server(self, directory: Path) -> Path:
        """Copy the data files to where the server's OS user reads them, with a ``results`` folder it writes to."""
        copy = directory / "regress"
        shutil.copytree(self.root / "data", copy / "data")
        (copy / "results").mkdir()
        for path in (copy, *copy.rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)
            if os.geteuid() == 0:
                shutil.chown(path, server_account().pw_uid, server_account().pw_gid)
        return copy


@pytest.fixture(scope="session")
def regression_suite(request, tmp_path_factory) -> Suite:
    """PostgreSQL's regression suite, or a skip that says why not."""
    try:
        return fetch(tmp_path_factory.mktemp("regress"))
    except CannotFetchError as error:
        reason = f"regress: {error}"
    if "regress" in request.config.getoption("--require").split(","):
        pytest.fail(reason)
    pytest.skip(reason)


def fetch(directory: Path) -> Suite:
    """Fetch and verify the source package, and unpack the suite below ``directory``.

    :raises CannotFetchError: when the machine has no such mirror, or it does not answer.
    """
    cache = _cache()
    with _alone(cache):
        apt = _Apt(cache, _source_entry(Path("/etc/apt")))
        version = apt.version()
        archive = apt.download(version)
    _run(["tar", "-xf", str(archive), "-C", str(directory), "--strip-components=1", "--wildcards",
          "*/src/test/regress/*"], os.environ)  # fmt: skip
    root = directory / "src" / "test" / "regress"
    groups = re.findall(r"^test:(.*)$", (root / "parallel_schedule").read_text(), re.MULTILINE)
    scheduled = " ".join(groups).split()
    others = sorted({p.stem for p in (root / "sql").glob("*.sql")} - set(scheduled))
    return Suite(version, root, (*scheduled, *others))


class _Apt:
    """apt with one source, and state of its own."""

    def __init__(self, cache: Path, entry: tuple[str, str]) -> None:
        extension, text = entry
        self._cache = cache
        for name in ("lists/partial", "archives/partial", "sources", "conf"):
            (cache / name).mkdir(parents=True, exist_ok=True)
        for stale in (cache / "sources").iterdir():
            stale.unlink()
        (cache / "sources" / f"suite.{extension}").write_text(text)
        self._environment = {**os.environ, "APT_CONFIG": str(self._configure()), "LC_ALL": "C.UTF-8"}

    def _configure(self) -> Path:
        dump = _run(["apt-config", "dump"], os.environ)
        own = {
            "Dir::Etc::parts": self._cache / "conf", "Dir::Etc::main": "/dev/null",
            "Dir::Etc::sourcelist": "/dev/null", "Dir::Etc::sourceparts": self._cache / "sources",
            "Dir::State::lists": self._cache / "lists", "Dir::Cache": self._cache,
            "Acquire::Languages": "none", "Acquire::http::Timeout": "20", "Acquire::https::Timeout": "20",
        }  # fmt: skip
        if os.geteuid() == 0:
            own["APT::Sandbox::User"] = "root"  # the cache is root's: apt's own user cannot write there
        lines = [line for line in dump.splitlines() if _NETWORK.match(line)]
        path = self._cache / "apt.conf"
        path.unlink(missing_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w") as conf:  # a proxy may have a password
            conf.write("\n".join([*lines, *(f'{key} "{value}";' for key, value in own.items())]) + "\n")
        return path

    def version(self) -> str:
        _run(["apt-get", "-q", "update"], self._environment)
        try:
            sources = _run(["apt-cache", "showsrc", "--only-source", PACKAGE], self._environment)
        except CannotFetchError:  # an update that reached nobody is a success to apt
            sources = ""
        found = re.findall(r"^Version: (\S+)$", sources, re.MULTILINE)
        if not found:
            raise CannotFetchError(f"the machine's mirror of the {SUITE} suite gives no source package {PACKAGE}")
        return found[-1]

    def download(self, version: str) -> Path:
        """Return the upstream archive; apt fetches what is not there, and verifies what is."""
        place = self._cache / f"{PACKAGE}_{version}".replace(":", "%3a")
        place.mkdir(exist_ok=True)
        _run(["apt-get", "-q", "source", "--download-only", "--only-source", f"{PACKAGE}={version}"],
             self._environment, cwd=place)  # fmt: skip
        archives = list(place.glob("*.orig.tar.*"))
        if len(archives) != 1:
            raise CannotFetchError(f"the source package {PACKAGE} {version} has no single upstream archive")
        return archives[0]


def _run(command: list[str], environment, *, cwd: Path | None = None) -> str:
    try:
        done = subprocess.run(
            command, env=environment, cwd=cwd, check=True, text=True, capture_output=True,
            stdin=subprocess.DEVNULL, timeout=FETCH_TIMEOUT_S,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise CannotFetchError(f"{' '.join(command[:3])} took longer than {FETCH_TIMEOUT_S} s") from None
    except subprocess.CalledProcessError as error:
        said = (error.stderr.strip() or error.stdout.strip() or "nothing").splitlines()[-1]
        raise CannotFetchError(f"{' '.join(command[:3])} failed: {said}") from None
    except OSError as error:
        raise CannotFetchError(f"{command[0]}: {error}") from None
    return done.stdout


def _cache() -> Path:
    from platformdirs import user_cache_path

    path = user_cache_path("tusk-jupyter") / "regression-suite"
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise CannotFetchError(f"no cache directory: {error}") from None
    return path


@contextmanager
def _alone(cache: Path):
    """Keep other runs and processes of this one waiting: they would write the same files."""
    import fcntl  # where there is an apt, there is this

    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _source_entry(etc: Path) -> tuple[str, str]:
    """Return the file extension and text of a deb-src entry for the machine's own mirror of the suite."""
    for path in (etc / "sources.list", *sorted((etc / "sources.list.d").glob("*"))):
        if path.suffix == ".list" and path.is_file():
            entry = _from_lines(path.read_text())
        elif path.suffix == ".sources" and path.is_file():
            entry = _from_stanzas(path.read_text())
        else:
            continue
        if entry is not None:
            return entry
    raise CannotFetchError(f"apt has no mirror of the plain {SUITE} suite configured")


def _from_lines(text: str) -> tuple[str, str] | None:
    found = re.search(rf"^\s*deb(?:-src)?\s+(\[[^]]*\]\s+)?(\S+)\s+{SUITE}\s+(?:\S+\s+)*?main\b", text, re.MULTILINE)
    return ("list", f"deb-src {found[1] or ''}{found[2]} {SUITE} main\n") if found else None


def _from_stanzas(text: str) -> tuple[str, str] | None:
    uncommented = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    for stanza in re.split(r"\n\s*\n", uncommented):
        # a field goes on in lines that begin with white space: that is how a key stands in it
        fields = {k.lower(): v for k, v in re.findall(r"^([\w-]+):[ \t]*(.*(?:\n[ \t].*)*)", stanza, re.MULTILINE)}
        plain = SUITE in fields.get("suites", "").split() and "main" in fields.get("components", "").split()
        if plain and fields.get("uris") and fields.get("enabled", "yes").lower() != "no":
            kept = {key: fields[key] for key in ("uris", "signed-by", "trusted", "check-valid-until") if key in fields}
            entry = {"Types": "deb-src", "Suites": SUITE, "Components": "main"} | kept
            return "sources", "".join(f"{key}: {value}\n" for key, value in entry.items())
    return None


def _alternative(stem: str, name: str) -> bool:
    return re.fullmatch(re.escape(name) + r"(_\d+)?", stem) is not None


# what pg_regress sets: the styles are not ISO, so that nothing can rely on it
DATABASE_SETTINGS = {
    "lc_messages": "C", "lc_monetary": "C", "lc_numeric": "C", "lc_time": "C", "bytea_output": "hex",
    "timezone_abbreviations": "Default", "timezone": "America/Los_Angeles", "datestyle": "Postgres, MDY",
    "intervalstyle": "postgres_verbose",
}  # fmt: skip


def prepare(server) -> int:
    """Make the database as pg_regress makes it; return the server's major version."""
    import psycopg

    with psycopg.connect(server.conninfo(), autocommit=True) as conn:
        conn.execute("create database regression template template0")
        for setting, value in DATABASE_SETTINGS.items():
            conn.execute(f"alter database regression set {setting} = '{value}'")
        return conn.info.server_version // 10_000


@pytest.fixture(scope="session")
def regression_database(regression_suite, make_server):
    """A server whose database ``regression`` is what the suite leaves when psql has run it: for all who only read."""
    server = make_server()
    if not (server.bin / "psql").exists():
        pytest.skip("these binaries have no psql")
    prepare(server)
    directory = str(regression_suite.lend_to_server(server.root))
    environment = {
        **os.environ,
        "PG_ABS_SRCDIR": directory, "PG_ABS_BUILDDIR": directory, "PG_LIBDIR": "$libdir", "PG_DLSUFFIX": ".so",
    }  # fmt: skip
    hidden = [f"--set={name}=on" for name in ("HIDE_TABLEAM", "HIDE_TOAST_COMPRESSION")]
    for name in regression_suite.files:
        script = regression_suite.root / "sql" / f"{name}.sql"
        # its errors are wanted: what it leaves is what counts
        subprocess.run(
            [server.bin / "psql", "-X", "-q", *hidden, "-f", script, server.conninfo("regression")],
            check=True, env=environment, cwd="/", timeout=120, stdin=subprocess.DEVNULL, capture_output=True,
        )  # fmt: skip
    return server
