"""One password, by every way into a connection, through every way that a connection ends: what then knows it.

In this process, where every object can be looked at; ``tests/kernel/test_canary.py`` reads what leaves a kernel.
"""

from __future__ import annotations

import getpass
import os
import signal
import socket
from urllib.parse import quote

import psycopg
import pytest

from tests import leaks
from tests.fix_postgres import PASSWORD
from tests.fix_tls import openssl
from tests.listening import listener, silent
from tests.waiting import terminate, wait_until

ENCODED = quote(PASSWORD, safe="")
QUOTED = "'" + PASSWORD.replace("\\", "\\\\").replace("'", "\\'") + "'"
WHERE = "host={host} port={port} user={user} dbname={database} sslmode={sslmode} gssencmode=disable"
URL = f"postgresql://{{user}}:{ENCODED}@{{host}}:{{port}}/{{database}}?sslmode={{sslmode}}&gssencmode=disable"


class Source:
    """A way in: ``line(…)`` is what the user types, ``prepare`` what is there before."""

    typed = False

    def __init__(self, monkeypatch, folder, ns) -> None:
        self.monkeypatch, self.folder, self.ns = monkeypatch, folder, ns

    def line(self, **place):
        return f"%tusk_connect {WHERE.format(**place)}"

    def _file(self, name, text):
        path = self.folder / name
        path.write_text(text)
        path.chmod(0o600)
        return path


class InAUrl(Source):
    typed = True

    def line(self, **place):
        return f"%tusk_connect {URL.format(**place)}"


class InKeywords(Source):
    typed = True

    def line(self, **place):
        return f"{super().line(**place)} password={QUOTED}"


class Url:
    """As SQLAlchemy's: whoever prints the notebook's variables does not see it."""

    def __init__(self, text):
        self.render_as_string = lambda hide_password=True: "hidden" if hide_password else text


class InAVariable(Source):
    def line(self, **place):
        self.ns["held"] = Url(URL.format(**place))
        return "%tusk_connect :held"


class InAFunction(Source):
    def line(self, **place):
        self.ns["held"] = Url(URL.format(**place))
        return "tusk.connect(held.render_as_string(False)"


class InTheEnvironment(Source):
    def line(self, **place):
        self.monkeypatch.setenv("HELD_BY_A_TEST", PASSWORD)
        return f"{super().line(**place)} --password-env HELD_BY_A_TEST"


class ByACommand(Source):
    def line(self, **place):
        return f"{super().line(**place)} --password-command 'cat {self._file('said', PASSWORD)}'"


class AtThePrompt(Source):
    def line(self, **place):
        self.monkeypatch.setattr("getpass.getpass", lambda _: PASSWORD)
        return f"{super().line(**place)} -W"


class InPgpass(Source):
    def line(self, **place):
        escaped = PASSWORD.replace("\\", "\\\\").replace(":", "\\:")
        self.monkeypatch.setenv("PGPASSFILE", str(self._file("pgpass", f"*:*:*:*:{escaped}\n")))
        return super().line(**place)


class InAServiceFile(Source):
    def line(self, **place):
        self.monkeypatch.setenv("PGSERVICEFILE", str(self._file("services", f"[shop]\npassword={PASSWORD}\n")))
        return f"{super().line(**place)} service=shop"


class InPgpassword(Source):
    def line(self, **place):
        self.monkeypatch.setenv("PGPASSWORD", PASSWORD)
        return super().line(**place)


class Kept(Source):
    """Saved, which here means this kernel's memory, and opened by its name."""

    def line(self, **place):
        self.monkeypatch.setenv("HELD_BY_A_TEST", PASSWORD)
        return f"{super().line(**place)} --password-env HELD_BY_A_TEST --save --group Shops"


SOURCES = [
    InAUrl, InKeywords, InAVariable, InAFunction, InTheEnvironment, ByACommand, AtThePrompt, InPgpass, InAServiceFile,
    InPgpassword, Kept,
]  # fmt: skip


def interrupting():
    """Send an interrupt to this process when somebody comes."""
    return listener(lambda _: os.kill(os.getpid(), signal.SIGINT), hangs_up=False)


def refusing_port():
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]


@pytest.mark.parametrize("kind", SOURCES)
def test_by_every_way_in_and_through_every_end(kind, watched, server, monkeypatch, tmp_path_factory):
    source = kind(monkeypatch, tmp_path_factory.mktemp("outside"), watched.shell.ns)
    place = {"host": "127.0.0.1", "port": server.port, "user": "secretive", "database": "postgres", "sslmode": "prefer"}
    # what has no locals shows the same frames for all; a fifth of a second each time
    watched.modes = leaks.MODES if kind in {InAFunction, AtThePrompt} else ("Verbose",)

    def line(name, **other):
        code = source.line(**(place | other))
        return f"{code}, name='{name}')" if kind is InAFunction else f"{code} --name {name}"

    def fails(what, *, kinds=("connection",), **other):
        return watched.fails(what, line("wrong", **other), typed=source.typed, kinds=kinds)

    watched.run(line("c"))
    watched.run("%sql select current_user")
    fails("wrong password", user="tester", kinds=("authentication",))
    fails("no such database", database="not_there")
    fails("refused", port=refusing_port())
    fails("unknown host", host="nowhere.invalid")
    fails("no TLS", sslmode="require", kinds=("ssl",))
    with listener(lambda client: client.close()) as port:
        fails("hung up", port=port)
    with interrupting() as port:
        fails("interrupted", port=port)
    # lost, and opened again with what is remembered
    watched.run("%tusk use c")
    connection = watched.tusk.connections.current
    terminate(server.conninfo(), connection.live_session.backend_pid)
    watched.fails("lost", "%sql select 1", typed=source.typed)
    watched.run("%sql select 1")
    watched.fails("lost while it runs", "%sql select pg_terminate_backend(pg_backend_pid())", typed=source.typed)
    watched.run("%sql select 1")
    with connection.pool.borrow() as conn:
        conn.execute("select 1")
    watched.looks_around()
    watched.check(server)


def test_a_worker_of_the_pool_that_is_refused(watched, server, monkeypatch):
    """It fails on a thread of its own and is logged there; whoever waits gets the error."""
    with psycopg.connect(server.conninfo(), autocommit=True) as conn:
        conn.execute(psycopg.sql.SQL("create role changing login password {}").format(PASSWORD))
        monkeypatch.setenv("HELD_BY_A_TEST", PASSWORD)
        where = WHERE.format(host="127.0.0.1", port=server.port, user="changing", database="postgres", sslmode="prefer")
        watched.run(f"%tusk_connect {where} --password-env HELD_BY_A_TEST --name c --pool-timeout 1s")
        conn.execute("alter role changing password 'another'")
        borrow = "with tusk.state().connections.current.pool.borrow():\n    pass"
        watched.fails("pool", borrow, kinds=("authentication",))
        wait_until(lambda: any("the pool of c" in line for line in watched.logs.lines))
        watched.looks_around()
        watched.check(server)
        watched.run("%tusk disconnect c")
        conn.execute("drop role changing")


def test_a_connect_that_times_out(watched, server, monkeypatch):
    monkeypatch.setenv("HELD_BY_A_TEST", PASSWORD)
    with silent() as port:
        where = WHERE.format(host="127.0.0.1", port=port, user="secretive", database="postgres", sslmode="prefer")
        line = f"%tusk_connect {where} --password-env HELD_BY_A_TEST --connect-timeout 1s --name c"
        watched.fails("timeout", line)
        watched.run(f"{line} --test", ok=False)
    watched.check(server)


@pytest.mark.parametrize("kind", [InAUrl, InAVariable, AtThePrompt, InPgpass])
def test_a_test_of_a_connection(kind, watched, server, monkeypatch, tmp_path_factory):
    source = kind(monkeypatch, tmp_path_factory.mktemp("outside"), watched.shell.ns)
    place = {"host": "127.0.0.1", "port": server.port, "user": "secretive", "database": "postgres", "sslmode": "prefer"}
    watched.run(f"{source.line(**place)} --test")
    for other in ({"user": "tester"}, {"port": refusing_port()}, {"sslmode": "require"}, {"host": "nowhere.invalid"}):
        watched.fails(str(other), f"{source.line(**(place | other))} --test", typed=source.typed, kinds=("connection", "authentication", "ssl"))
    watched.check(server)


def test_a_passphrase_of_a_tls_key(watched, tls_server, authority, monkeypatch):
    certificate, key = authority.issue("locked.secretive")
    locked = key.with_suffix(".locked")
    openssl("pkcs8", "-topk8", "-in", str(key), "-out", str(locked), "-passout", f"pass:{PASSWORD}")
    locked.chmod(0o600)
    tls_server.reload("hostssl all all 127.0.0.1/32 cert")
    where = (
        f"host=localhost hostaddr=127.0.0.1 port={tls_server.port} user=secretive dbname=postgres sslmode=verify-full "
        f"sslrootcert={authority.file} sslcert={certificate} sslkey={locked}"
    )
    escaped = QUOTED[1:-1]
    watched.shell.ns.update(
        right=Url(f"{where} sslpassword='{escaped}'"), wrong=Url(f"{where} sslpassword='{escaped}x'"),
        elsewhere=Url(f"{where} sslpassword='{escaped}'".replace(f"={tls_server.port}", f"={refusing_port()}")),
    )  # fmt: skip
    watched.run("%tusk_connect :right --name c --save")
    watched.run("%sql select current_user")
    # asked for again, and wrong again
    monkeypatch.setattr(getpass, "getpass", lambda _: f"{PASSWORD}y")
    watched.fails("wrong passphrase", "%tusk_connect :wrong --name d", kinds=("ssl",))
    watched.fails("refused", "tusk.connect(elsewhere.render_as_string(False), name='d')")
    terminate(tls_server.server.conninfo(), watched.tusk.connections.current.live_session.backend_pid)
    watched.fails("lost", "%sql select 1")
    watched.run("%sql select 1")
    with watched.tusk.connections.current.pool.borrow() as conn:
        conn.execute("select 1")
    watched.looks_around()
    watched.check(tls_server.server)




def test_the_password_that_an_embedded_server_was_given(watched, tusk, server, monkeypatch):
    watched.run("%tusk_connect --embedded held")
    folder = tusk.files.directory / "embedded" / "held"
    monkeypatch.setattr(leaks, "MARKS", [(folder / "password").read_text()[:12]])
    watched.run("%sql select current_user")
    connection = watched.tusk.connections.current
    watched.fails("lost", "%sql select pg_terminate_backend(pg_backend_pid())")
    watched.run("%sql select 1")
    with connection.pool.borrow() as conn:
        conn.execute("select 1")
    watched.run("%tusk embedded")
    watched.run("%tusk connections save held", ok=None)
    watched.looks_around()
    watched.check(server, outside=[folder / "password"])
    watched.run("%tusk embedded drop held")


SLIPS = [
    "%tusk_connect {there} password=my {word} dbname=x",
    "%tusk_connect {there} password='it's {word}' dbname=x",
    '%tusk_connect {there} password="my {word}" dbname=x',
    "%tusk_connect {there} -W {word}",
    "%tusk_connect shop --password {word}",
    "%tusk_connect {there} --password={word}",
    "%tusk_connect {there} -W{word}",
    "%tusk_connect {there} pasword={word}",
    "%tusk_connect host=127.0.0.1;password={word};port=1",
    "%tusk_connect postgresql://me:my {word}@127.0.0.1:1/x",
    "%tusk_connect me:my {word}@127.0.0.1:1/x",
    "%tusk_connect postgresql://me@127.0.0.1:1/x?user=me&pasword={word}",
    "%tusk_connect mysql://me:{word}@127.0.0.1:1/x",
    "%tusk use postgresql://me:{word}@127.0.0.1:1/x",
    "%tusk nonsense postgresql://me:{word}@127.0.0.1:1/x",
    "%sql {there} password={word}",
    "%%sql {there} password={word}\nselect 1",
    "%%sql\npostgresql://me:{word}@127.0.0.1:1/x",
    "%%sql\n\\c postgresql://me:{word}@127.0.0.1:1/x",
    "tusk.connect('{there}', password='{word}')",
    "tusk.connect('{there} password=my {word}')",
    "tusk.sql('select 1', 'postgresql://me:{word}@127.0.0.1:1/x')",
]


@pytest.mark.parametrize("slip", SLIPS)
def test_what_was_meant_for_a_password_is_not_repeated_and_not_kept(slip, watched, server):
    line = slip.format(there="host=127.0.0.1 port=1 user=me", word="canary-Zq7")
    watched.fails("slip", line, typed=True, kinds=("input", "connection", "authentication"))
    watched.looks_around()
    watched.check(server)
