"""A password that goes in by every door comes out by none."""

from __future__ import annotations

import base64
import json
import shlex
from urllib.parse import quote

import pytest

from tests.fix_postgres import PASSWORD

ENCODED = quote(PASSWORD, safe="")
VARIABLE = "HELD_BY_THE_TEST"
# what a reader of any output, file or object could recover the password from
FORMS = [
    form
    for text in (
        PASSWORD,
        ENCODED,
        PASSWORD.replace("'", "''"),
        PASSWORD.replace("'", "\\'"),
        PASSWORD.replace('"', '\\"'),
    )
    for form in {text, json.dumps(text)[1:-1], repr(text)[1:-1], base64.b64encode(text.encode()).decode().rstrip("=")}
]
# nothing of ours holds even its beginning; the typed source is the front end's
MARK = "canary-Zq7"

# a module of its own in the kernel, so that no cell's namespace holds the password because of this test
WALKER = """
import base64, os, pickle, sys, threading, types
from urllib.parse import quote

secret = os.environ['HELD_BY_THE_TEST']
forms = [secret, quote(secret, safe=''), base64.b64encode(secret.encode()).decode().rstrip('='), secret[:10]]


def leaks(text):
    return any(form in text for form in forms)


def walk(root, name, seen, found, depth=0):
    if id(root) in seen or depth > 9 or isinstance(root, (types.ModuleType, type, types.FunctionType)):
        return
    seen[id(root)] = root
    for show in (repr, str, '{}'.format, lambda o: pickle.dumps(o).decode('latin-1')):
        try:
            if leaks(show(root)):
                found.append(name)
        except Exception:
            pass
    for part, value in parts(root):
        walk(value, name + part, seen, found, depth + 1)


def parts(root):
    if isinstance(root, dict):
        return [(f'[{key!r}]', value) for key, value in list(root.items())]
    if isinstance(root, (list, tuple, set, frozenset)):
        return [(f'[{i}]', value) for i, value in enumerate(root)]
    if not (type(root).__module__.startswith('tusk_jupyter') or isinstance(root, BaseException)):
        return []
    found = []
    for attribute in dir(root):
        if not attribute.startswith('_') or attribute in ('__context__', '__cause__', '__dict__'):
            try:
                found.append(('.' + attribute, getattr(root, attribute)))
            except Exception:
                pass
    return found


def frames(error, found):
    while error is not None:
        trace = error.__traceback__
        while trace is not None:
            code = trace.tb_frame.f_code
            if 'tusk_jupyter' in code.co_filename or 'psycopg' in code.co_filename:
                for name, value in trace.tb_frame.f_locals.items():
                    if name != 'local_ns':
                        walk(value, f'{code.co_name}: {name}', {}, found)
            trace = trace.tb_next
        error = error.__context__


def look(shell, tusk, errors, typed):
    found = []
    state = tusk.Tusk.instance()
    walk(state, 'Tusk', {}, found)
    for c in state.connections.active():
        walk(c, 'connection', {}, found)
        walk(c.target, 'target', {}, found)
    walk(tusk.last_result(), 'last_result', {}, found)
    for error in [*errors, getattr(sys, 'last_value', None)]:
        walk(error, 'error', {}, found)
        if not typed:
            frames(error, found)
    names = [n for n in shell.user_ns if n in ('In', '_ih', '_oh', 'Out') or n.startswith('_i')]
    found += [n for n in names if leaks(repr(shell.user_ns[n]))]
    found += [n for n, v in os.environ.items() if n != 'HELD_BY_THE_TEST' and leaks(v)]
    found += [t.name for t in threading.enumerate() if leaks(t.name)]
    found += [n for n, v in vars(shell.history_manager).items() if leaks(repr(v))]
    print(sorted(set(found)))
"""


@pytest.fixture
def watched(kernels, server, tmp_path):
    """A kernel in the most talkative mode that records all it says; ``run`` cells in it, then ``check()``."""
    home = tmp_path / "outside"
    home.mkdir()
    (home / "password").write_text(PASSWORD + "\n")
    (home / "walker.py").write_text(WALKER)
    kernel = kernels(load=False, env={VARIABLE: PASSWORD, "TUSK_LOG_LEVEL": "DEBUG"})
    said = []

    class Watched:
        port = server.port
        command = f"cat {shlex.quote(str(home / 'password'))}"

        @staticmethod
        def run(code, *, ok: bool | None = True, **options):
            reply = kernel.run(code, ok=ok, **options)
            said.append(reply)
            return reply

        @staticmethod
        def ask(code, answer):
            msg = kernel.send(code, allow_stdin=True)
            request = kernel.client.get_stdin_msg(timeout=10)
            assert request["content"]["password"] is True
            assert leaks(str(request["content"])) == []
            kernel.client.input(answer)
            said.append(kernel.collect(msg))
            return said[-1]

        @staticmethod
        def check(*, typed=False):
            """Look everywhere; a password that was typed in the source stands in the frames that read it."""
            look = f"walker.look(get_ipython(), tusk, globals().get('errors_kept', []), {typed})"
            assert kernel.run(look).stdout.strip() == "[]"
            kernel.manager.shutdown_kernel()
            for reply in said:
                assert leaks(reply.everything) == [], reply.everything
                assert leaks("\n".join([*reply.displayed, reply.html, reply.stdout])) == []
            files = [path for path in tmp_path.rglob("*") if path.is_file() and not path.is_relative_to(home)]
            assert {"tusk.db", "history.sqlite"} <= {path.name for path in files}
            assert any(path.suffix == ".log" for path in files)
            for path in files:
                assert leaks(path.read_bytes().decode("latin-1")) == [], path

    watched = Watched()
    watched.run("%load_ext tusk_jupyter")
    watched.run("%xmode Verbose")
    watched.run(
        f"import sys; sys.path.append({str(home)!r}); sys.dont_write_bytecode = True; import walker; import tusk_jupyter as tusk"
    )
    return watched


def leaks(text):
    return [form for form in (*FORMS, MARK) if form in text]


def works(watched, reply):
    """Connected, and no panel; the queries that follow say everything they can."""
    assert reply.status == "ok", reply.outputs
    assert "as secretive" in reply.displayed[0]
    watched.run("%sql select current_user")
    watched.run("%sql select nope", ok=False)
    watched.run("%tusk errverbose")
    watched.run("%tusk status")
    watched.run("%tusk connections")
    watched.run("c = tusk.Tusk.instance().connections.current\nprint(c, c.target, c.target.conninfo, c.server)")
    return True


def refused(watched, reply, *enames):
    assert reply.error["ename"] in enames, reply.outputs
    watched.run("%tb", ok=None)
    watched.run("%tusk errverbose")
    watched.run("%tusk logs")
    return True


def test_in_a_url(watched):
    reply = watched.run(f"%tusk_connect postgresql://secretive:{ENCODED}@127.0.0.1:{watched.port}/postgres --name a")
    assert works(watched, reply)
    assert "still shows the password" in reply.displayed[0]
    works(watched, watched.run(f"%sql postgresql+psycopg2://secretive:{ENCODED}@127.0.0.1:{watched.port}/postgres"))
    watched.check(typed=True)


def test_in_keywords(watched):
    escaped = PASSWORD.replace("\\", "\\\\").replace("'", "\\'")
    works(
        watched,
        watched.run(
            f"%tusk_connect host=127.0.0.1 port={watched.port} user=secretive dbname=postgres "
            f"password='{escaped}' --name a"
        ),
    )
    watched.check(typed=True)


def test_from_the_environment_and_from_a_command(watched):
    where = f"host=127.0.0.1 port={watched.port} user=secretive dbname=postgres"
    works(watched, watched.run(f"%tusk_connect {where} --name a --password-env {VARIABLE}"))
    works(watched, watched.run(f'%tusk_connect {where} --name b --password-command "{watched.command}"'))
    watched.run(f"%tusk_connect {where} --password-env NOT_SET", ok=False)
    watched.run(f'%tusk_connect {where} --password-command "sh -c false"', ok=False)
    watched.check()


def test_from_a_variable_and_by_the_functions(watched):
    watched.run("import os; from urllib.parse import quote")
    watched.run(
        f"url = f\"postgresql://secretive:{{quote(os.environ['{VARIABLE}'], safe='')}}@127.0.0.1:{watched.port}/postgres\""
    )
    works(watched, watched.run("%tusk_connect :url --name a"))
    watched.run("b = tusk.connect(url, name='b')\nprint(b, vars(b))")
    watched.run(
        "errors_kept = []\nfor where in (url + '_not_there', url.replace(':%', '@%', 1), url + '?nonsense=1', "
        "url.replace('127.0.0.1', '[::1')):\n"
        "    for connect in (tusk.connect, lambda _: get_ipython().run_line_magic('tusk_connect', ':where')):\n"
        "        try:\n            connect(where)\n        except tusk.errors.TuskError as error:\n"
        "            errors_kept.append(error)\nprint(len(errors_kept))"
    )
    watched.run("tusk.connect(url + '_not_there')", ok=False)
    watched.run("%tb", ok=None)
    watched.run("del where, url, connect")
    watched.check()


def test_typed_at_the_prompt(watched):
    where = f"host=127.0.0.1 port={watched.port} user=secretive dbname=postgres"
    works(watched, watched.ask(f"%tusk_connect {where} --name a", PASSWORD))
    works(watched, watched.ask(f"%tusk_connect {where} --name b -W --application-name other", PASSWORD))
    refused(
        watched,
        watched.ask(f"%tusk_connect {where} --name c -W --application-name third", f"wrong{PASSWORD}"),
        "AuthenticationFailed",
    )
    watched.check()


def test_nobody_to_ask(watched):
    where = f"host=127.0.0.1 port={watched.port} user=secretive dbname=postgres"
    reply = watched.run(f"%tusk_connect {where}", ok=False, allow_stdin=False)
    assert refused(watched, reply, "AuthenticationFailed")
    assert "--password-env" in reply.displayed[0]
    watched.check()


REFUSED = {
    "wrong": (f"wrong{ENCODED}", "127.0.0.1:{port}/postgres", "AuthenticationFailed"),
    "database": (ENCODED, "127.0.0.1:{port}/not_there", "ConnectionFailed"),
    "port": (ENCODED, "127.0.0.1:1/postgres", "ConnectionFailed"),
    "tls": (ENCODED, "127.0.0.1:{port}/postgres?sslmode=require", "SslError"),
    "raw": (PASSWORD, "127.0.0.1:{port}/postgres", "InvalidInput"),
    "raw tail": (f"{ENCODED}@x", "127.0.0.1:{port}/postgres", "AuthenticationFailed"),
    "percent": (f"{ENCODED}%zz", "127.0.0.1:{port}/postgres", "InvalidInput"),
    "no port": (ENCODED, "127.0.0.1:notaport/postgres", "InvalidInput"),
    "keyword": (ENCODED, "127.0.0.1:{port}/postgres?nonsense=1", "InvalidInput"),
    "bracket": (ENCODED, "[::1:{port}/postgres", "InvalidInput"),
    "option": (ENCODED, "127.0.0.1:{port}/postgres --limt 3", "InvalidInput"),
    "more": (ENCODED, "127.0.0.1:{port}/postgres and more", "InvalidInput"),
}


@pytest.mark.parametrize("how", REFUSED)
def test_refused(watched, how):
    password, rest, ename = REFUSED[how]
    reply = watched.run(f"%tusk_connect postgresql://secretive:{password}@{rest.format(port=watched.port)}", ok=False)
    assert refused(watched, reply, ename)
    watched.run("%sql select 1", ok=False)
    watched.check(typed=True)


@pytest.mark.parametrize(
    "line",
    ["%sql --limt 3 {url}", "%sql nowhere {url}", "%%sql {url} --limt 3\nselect 1", "%tsql {url}/x y"],
    ids=["option", "name", "cell", "more"],
)
def test_refused_where_a_cell_names_a_url(watched, line):
    url = f"postgresql://secretive:{ENCODED}@127.0.0.1:{watched.port}/postgres"
    assert refused(watched, watched.run(line.format(url=url), ok=False), "InvalidInput", "ConnectionNotFound")
    watched.check(typed=True)


def test_lost_and_opened_again(watched, server):
    works(
        watched,
        watched.run(f"%tusk_connect postgresql://secretive:{ENCODED}@127.0.0.1:{watched.port}/postgres --name a"),
    )
    refused(watched, watched.run("%sql select pg_terminate_backend(pg_backend_pid())", ok=False), "ConnectionLost")
    assert "secretive" in watched.run("%sql select current_user").value
    with_pool = "with tusk.Tusk.instance().connections.current.pool.borrow() as conn:\n    conn.execute('select 1')"
    watched.run(with_pool)
    watched.check(typed=True)
