"""The release gate: one password through everything a user can do, then everything that was said and written is read.

`test_secrets.py` has each door by itself and looks at the objects in the kernel; here one kernel goes through all of
them, and what is looked at is what leaves it: each message on the wire, each file under its home (HOME, TMPDIR and every
directory of its own are there), the console of the server, the environment of its processes. What the user typed is
the only place.
"""

from __future__ import annotations

import base64
import html
import json
from pathlib import Path
from urllib.parse import quote, quote_plus

import nbformat
import psutil
import pytest

from tests.fix_postgres import PASSWORD

ENCODED = quote(PASSWORD, safe="")
TYPED = "canary-Zq7-typed-in-SQL"
# the beginning of both, without anything that has to be quoted somewhere
MARK = "canary-Zq7"
IPYTHON_HISTORY = "ipython/profile_default/history.sqlite"


def spellings(secret):
    """Return every way in which a text may stand in a file or a message, as bytes."""
    raw = secret.encode()
    texts = {secret, quote(secret, safe=""), quote(secret), quote_plus(secret), html.escape(secret), json.dumps(secret)[1:-1]}
    texts |= {repr(secret)[1:-1], secret.replace("'", "''"), secret.replace("'", "\\'"), raw.hex(), raw.hex(" "), raw.hex("-")}
    texts |= {"".join(f"\\x{byte:02x}" for byte in raw), "".join(f"\\u{byte:04x}" for byte in raw)}
    forms = {form.encode() for text in texts for form in (text, json.dumps(text)[1:-1])}
    forms |= {form.upper() for form in forms} | {form.lower() for form in forms}
    forms |= {secret.encode("utf-16-le"), secret.encode("utf-16-be")}
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        # what stands before shifts it by so many bits; the outer characters are shared with the neighbours
        forms |= {encode(b"\0" * before + raw)[4 * (before > 0) : -4] for before in range(3)}
    return forms


FORMS = sorted(spellings(PASSWORD) | spellings(MARK))


def found_in(data):
    return [form for form in FORMS if form in data]


@pytest.mark.parametrize("before", range(3))
@pytest.mark.parametrize(
    "encode",
    [
        str.encode,
        lambda text: text.encode("utf-16"),
        lambda text: quote(text, safe="").encode(),
        lambda text: json.dumps(json.dumps(text)).encode(),
        lambda text: repr(text).encode(),
        lambda text: text.upper().encode(),
        lambda text: base64.b64encode(text.encode()),
        lambda text: base64.urlsafe_b64encode(text.encode()),
        lambda text: text.encode().hex().upper().encode(),
    ],
)
@pytest.mark.parametrize("secret", [PASSWORD, TYPED, PASSWORD[:14]])
def test_the_gate_finds_it_however_it_is_written(encode, before, secret):
    assert found_in(encode("." * before + secret + ", and more"))
    assert not found_in(encode("." * before + "another password" + ", and more"))


class Gate:
    """A kernel of which every message is kept; ``run`` cells in it, then ``look``."""

    def __init__(self, kernel, home, console) -> None:
        self.kernel = kernel
        self.home = home
        self.messages = []
        self.manager_id = self.saved_id = None
        self._console = console
        self._outputs = []
        self._session = kernel.client.session
        self._deserialize, self._session.deserialize = self._session.deserialize, self._record

    def _record(self, frames, *args, **kwargs):
        message = self._deserialize(frames, *args, **kwargs)
        # what the user typed comes back as it is
        if message["msg_type"] != "execute_input":
            self.messages.append((message["msg_type"], b"".join(bytes(frame) for frame in frames)))
        if message["msg_type"] == "comm_open" and "_esm" in message["content"]["data"].get("state", {}):
            self.manager_id = message["content"]["comm_id"]
        if message["msg_type"] in {"stream", "display_data", "execute_result", "error"}:
            self._outputs.append(nbformat.v4.output_from_msg(message))
        return message

    def run(self, code, *, ok: bool | None = True, **options):
        return self.kernel.run(code, ok=ok, **options)

    def fails(self, code, ename):
        """Run a cell that must fail, in the most talkative ways."""
        reply = self.run(code, ok=False)
        assert reply.error["ename"] == ename, reply.outputs
        self.run("%tusk errverbose")
        self.run("%tb", ok=None)

    def answer(self, code, password):
        message = self.kernel.send(code, allow_stdin=True)
        assert self.kernel.client.get_stdin_msg(timeout=20)["content"]["password"] is True
        self.kernel.client.input(password)
        reply = self.kernel.collect(message)
        assert reply.status == "ok", reply.outputs

    def request(self, content, *, answered=True):
        """Send what the manager's page sends, and return the answer."""
        client = self.kernel.client
        number = f"request-{len(self.messages)}"
        data = {"method": "custom", "content": {"id": number, "view": "page", **content}}
        client.shell_channel.send(self._session.msg("comm_msg", {"comm_id": self.manager_id, "data": data}))
        while answered:
            message = client.get_iopub_msg(timeout=20)
            said = message["content"].get("data", {}).get("content") if message["msg_type"] == "comm_msg" else None
            if said and said["op"] == "saved":
                self.saved_id = said["target"]
            if said and said["op"] == "done" and said["id"] == number:
                return said
        return None

    def look(self, *, typed_in_sql: bool = False):
        """Read everything that left the kernel."""
        process = psutil.Process(self.kernel.pid)
        environ = Path(f"/proc/{process.pid}/environ")
        seen = environ.read_bytes() if environ.exists() else b""
        seen += " ".join(word for p in (process, *process.children(recursive=True)) for word in p.cmdline()).encode()
        assert found_in(seen) == []
        # while it lives: the write-ahead log is there
        files = self._read_files()
        assert {"tusk/tusk.db", "tusk/tusk.db-wal", IPYTHON_HISTORY} <= set(files)
        self.kernel.manager.shutdown_kernel()
        self._drain()
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(outputs=self._outputs)])
        nbformat.write(notebook, self.home / "outputs.ipynb")
        files |= self._read_files()
        logs = [data for name, data in files.items() if name.endswith(".log")]
        console = "".join(self._console.readouterr()).encode()
        assert b"DEBUG psycopg" in b"".join(logs)
        assert b"DEBUG psycopg" in console
        # the journal is the history's too, and is there while IPython writes
        theirs = {IPYTHON_HISTORY, f"{IPYTHON_HISTORY}-journal"} if typed_in_sql else set()
        places = {f"file {name}": data for name, data in files.items() if name not in theirs}
        places |= {f"message {i}, {kind}": data for i, (kind, data) in enumerate(self.messages)}
        places["console"] = console
        assert {place: hits for place, data in places.items() if (hits := found_in(data))} == {}

    def _read_files(self):
        paths = [path for path in self.home.rglob("*") if path.is_file()]
        return {str(path.relative_to(self.home)): path.read_bytes() for path in paths}

    def _drain(self):
        """Receive what came with the kernel's end."""
        client = self.kernel.client
        for channel in (client.iopub_channel, client.shell_channel, client.control_channel, client.stdin_channel):
            while channel.msg_ready():
                channel.get_msg(timeout=1)


@pytest.fixture
def gate(kernels, tmp_path, capfd, monkeypatch):
    def make(**env):
        for name in ("home", "tmp"):
            (tmp_path / name).mkdir(exist_ok=True)
        home = {"HOME": str(tmp_path / "home"), "TMPDIR": str(tmp_path / "tmp"), "TUSK_DEV": "1"}
        with monkeypatch.context() as patch:
            # where ipykernel sees this it does not touch the console
            patch.delenv("PYTEST_CURRENT_TEST")
            gate = Gate(kernels(load=False, env=home | env), tmp_path, capfd)
        gate.run("%xmode Verbose")
        gate.run("import logging; logging.getLogger('psycopg').setLevel('DEBUG')")
        gate.run("%load_ext tusk_jupyter\nimport tusk_jupyter as tusk, os, pathlib\nfrom urllib.parse import quote")
        return gate

    return make


@pytest.fixture
def outside(tmp_path_factory):
    """A file with the password, where nobody looks for it."""
    path = tmp_path_factory.mktemp("outside") / "password"
    path.write_text(PASSWORD + "\n")
    return path


def connect_by_every_door(gate, server, outside):
    where = f"host=127.0.0.1 port={server.port} user=secretive dbname=postgres"
    url = f"postgresql://secretive:{ENCODED}@127.0.0.1:{server.port}/postgres"
    escaped = PASSWORD.replace("\\", "\\\\").replace("'", "\\'")
    gate.run(f"%tusk_connect {url} --name url")
    gate.run(f"%tusk_connect {where} password='{escaped}' --name words --pool-size 2")
    gate.fails(f"%tusk_connect {url.replace(ENCODED, 'wrong' + ENCODED)} --name wrong", "AuthenticationFailed")
    gate.fails(f"%tusk_connect {url}_not_there --name wrong", "ConnectionFailed")
    gate.fails(f"%tusk_connect {url}?nonsense=1 --name wrong", "InvalidInput")
    gate.fails(f"%sql {url} nonsense", "InvalidInput")
    gate.run(f"%tusk_connect {url} --test")
    gate.run(f"os.environ['HELD'] = pathlib.Path({str(outside)!r}).read_text().strip()")
    gate.run(f"%tusk_connect {where} --password-env HELD --name kept --save --group Production/EU --color red")
    gate.run(f'%tusk_connect {where} --password-command "cat {outside}" --name command')
    gate.answer(f"%tusk_connect {where} --name asked -W", PASSWORD)
    gate.run(f"held = 'postgresql://secretive:' + quote(os.environ['HELD'], safe='') + '@127.0.0.1:{server.port}/postgres'")
    gate.run("c = tusk.connect(held, name='called')\nprint(c, vars(c), c.target, c.target.conninfo, c.server)")
    gate.run("%tusk_connect :held --name held")
    gate.run("%tusk connections save held\n%tusk disconnect command")
    gate.fails("tusk.connect(held + '_not_there', name='wrong')", "ConnectionFailed")
    gate.fails("tusk.connect(held.replace('secretive:', 'secretive:wrong'), name='wrong')", "AuthenticationFailed")


def run_everything(gate):
    gate.run("password = os.environ['HELD']")
    gate.run("%%sql\nalter role secretive password :'password';\nselect 1")
    gate.fails("%sql alter role nobody_of_that_name password :'password'", "QueryFailed")
    gate.fails("%sql alter role secretive password :'password' nonsense", "QueryFailed")
    gate.fails("%sql create role secretive password :'password'", "QueryFailed")
    gate.fails("%sql select 1 / 0 from (select :password::text) p", "QueryFailed")
    gate.fails("%sql select pg_terminate_backend(pg_backend_pid())", "ConnectionLost")
    gate.run("%sql select current_user")
    gate.run("r = tusk.last_result(); print(r, vars(r) if hasattr(r, '__dict__') else r.to_dict(), tusk.state())")


def say_everything(gate):
    for words in (
        "help", "status", "connections", "connections test kept", "connections groups",
        "connections duplicate kept", "connections rename kept-2 other", "connections delete other", "connections move kept /",
        "queries", "history", "history password", "history canary", "history --failed", "snippets", "health", "get", "set limit 100",
        "use kept", "logs 2000", "embedded",
    ):  # fmt: skip
        gate.run(f"%tusk {words}")
    gate.run(f"%tusk connections export {gate.home / 'exported.json'}")
    exported = (gate.home / "exported.json").read_text()
    assert "kept" in exported


def manage(gate, server):
    """What the connection manager's page sends, without a page."""
    gate.run("%tusk_connect")
    form = {"name": "managed", "host": "127.0.0.1", "port": str(server.port), "database": "postgres", "username": "secretive"}
    refused = gate.request({"op": "connect", "form": form, "secrets": {"db": "wrong" + PASSWORD}})
    assert refused["ok"] is False, refused
    tested = gate.request({"op": "test", "form": form, "secrets": {"db": PASSWORD}})
    assert tested["ok"] is True, tested
    connected = gate.request({"op": "connect", "target": gate.saved_id, "secrets": {"db": PASSWORD}})
    assert connected["ok"] is True, connected
    gate.request({"op": "save", "target": gate.saved_id, "form": form | {"color": "red"}, "secrets": {"db": PASSWORD}})
    gate.request({"op": "disconnect", "target": gate.saved_id, "sure": True})
    gate.request({"op": "nonsense", "secrets": {"db": PASSWORD}}, answered=False)
    gate.request({"op": "save", "secrets": {"nonsense": PASSWORD}}, answered=False)
    gate.run("%sql select 1")


def test_one_password_through_everything(gate, server, outside):
    gate = gate()
    connect_by_every_door(gate, server, outside)
    run_everything(gate)
    manage(gate, server)
    say_everything(gate)
    gate.look()


STATEMENTS = {
    "done": "create role typist login password {literal}",
    "changed": "alter role typist password {literal}",
    "refused": "alter role nobody_of_that_name with encrypted password {literal} valid until 'infinity'",
    "wrong": "alter role typist password {literal} nonsense",
    "wrong later": "alter role typist password {literal}\n  valid until 'yesterdayish'",
    "several": "select 1;\nalter role typist password {literal};\nselect nope",
    "escaped": "create role typist password e{literal}",
    "mapping": "create user mapping for typist server nowhere options (user 'me', password {literal})",
    "subscription": "create subscription s connection 'host=127.0.0.1 port=1 password={word}' publication p",
    "in a body": "do $$ begin alter role nobody_of_that_name password {literal}; end $$",
    "in a body, without quotes": "do $$ begin execute 'alter role nobody_of_that_name password {word}'; end $$",
    "put together": "do $$ begin execute format('alter role %I password %L nonsense', 'typist', {literal}); end $$",
    "a slip": "alter role typist pasword {literal}",
    "a URL that libpq cannot read": "create subscription s connection 'postgresql://u:{word}%zz@h/d' publication p",
    "a conninfo that libpq cannot read": "create subscription s connection 'host=h password=my {word}' publication p",
    "said by a function": "do $$ begin raise exception 'it is %', 'host=h password={word}'; end $$",
    "a setting": "set app.password = {literal} nonsense",
    "a key": "select pgp_sym_encrypt('x', {literal})",
    "gone": "drop role typist",
}


def test_a_password_typed_in_a_statement(gate, server, database):
    gate = gate()
    gate.run(f"%tusk_connect {database} --name db")
    for statement in STATEMENTS.values():
        gate.run("%%sql\n" + statement.format(literal=f"'{TYPED}'", word=TYPED), ok=None)
        gate.run("%tusk errverbose")
        gate.run("%tb", ok=None)
        gate.run("import pickle, sys; print(pickle.dumps(sys.last_value))", ok=None)
    gate.run("job = tusk.last_result(); print(job)")
    for words in ("history", "history password", "history canary", "history --failed", "errverbose", "queries"):
        gate.run(f"%tusk {words}")
    gate.run("%tusk logs 2000")
    gate.look(typed_in_sql=True)


def test_a_password_in_a_keychain(gate, server, outside, keychain_env):
    gate = gate(**keychain_env)
    where = f"host=127.0.0.1 port={server.port} user=secretive dbname=postgres"
    gate.answer(f"%tusk_connect {where} --name kept --save", PASSWORD)
    gate.kernel.restart()
    gate.run("%xmode Verbose")
    gate.run("%load_ext tusk_jupyter\nimport tusk_jupyter as tusk")
    assert "as secretive" in gate.run("%tusk_connect kept").displayed[0]
    gate.run("%sql select 1")
    manage(gate, server)
    say_everything(gate)
    gate.run("%tusk connections rename kept renamed")
    gate.run("%tusk connections delete renamed")
    gate.look()
