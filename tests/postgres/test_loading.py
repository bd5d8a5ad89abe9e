"""``%load_ext`` beside other extensions, twice, and its undoing."""

from __future__ import annotations

import pytest

import tusk_jupyter
from tests.waiting import backends, wait_until


@pytest.fixture
def foreign(bare_shell, database):
    """A shell in which another extension owns %sql and %%sql."""

    def theirs(line, cell=None):
        return f"theirs: {line} {cell or ''}".strip()

    for kind in ("line", "cell"):
        bare_shell.ip.register_magic_function(theirs, magic_kind=kind, magic_name="sql")
    bare_shell.loaded = bare_shell.run("%load_ext tusk_jupyter")
    bare_shell.run(f"%tusk_connect {database} --name db")
    return bare_shell


def test_another_extensions_magic_is_not_taken_over(foreign):
    (line,) = foreign.loaded.displayed
    assert "%%tsql" in line
    assert "%tusk take-sql" in line
    assert "theirs: select 1" in foreign.run("%sql select 1").value
    assert "theirs:" in foreign.run("%%sql\nselect 1").value


def test_our_own_name_works_beside_it(foreign):
    assert "41" in foreign.run("%tsql select 41").value
    assert "41" in foreign.run("%%tsql\nselect 41").value


def test_take_sql_takes_it_and_unload_leaves_it_taken_away(foreign):
    foreign.run("%tusk take-sql")
    assert "41" in foreign.run("%sql select 41").value
    assert "41" in foreign.run("%%sql\nselect 41").value
    assert "theirs" not in foreign.run("%%sql\nselect 42").value


def test_unload_leaves_the_others_magic(foreign):
    foreign.run("%unload_ext tusk_jupyter")
    assert "theirs: select 1" in foreign.run("%sql select 1").value
    assert foreign.ip.find_line_magic("tsql") is None


def test_loading_twice_changes_nothing(cells):
    before = tusk_jupyter.Tusk.instance()
    assert cells.run("%load_ext tusk_jupyter").displayed == []
    tusk_jupyter.load_ipython_extension(cells.ip)
    assert tusk_jupyter.Tusk.instance() is before
    reply = cells.run("%sql select nope", ok=False)
    assert len(reply.displayed) == 1


def test_reload_closes_and_starts_anew(cells, database):
    old = backends(database)
    assert old
    cells.run("%reload_ext tusk_jupyter")
    wait_until(lambda: not backends(database) & old)
    assert type(cells.run("%sql select 1", ok=False).exception).__name__ == "NoActiveConnection"
    cells.run(f"%tusk_connect {database}")
    reply = cells.run("%sql select nope", ok=False)
    assert len(reply.displayed) == 1


def test_unload_takes_every_hook_back(bare_shell):
    ip = bare_shell.ip

    def hooks():
        magics = {kind: set(ip.magics_manager.magics[kind]) for kind in ("line", "cell")}
        return magics, [len(v) for v in ip.events.callbacks.values()], len(ip.configurables)

    before = hooks()
    tusk_jupyter.load_ipython_extension(ip)
    assert hooks() != before
    tusk_jupyter.unload_ipython_extension(ip)
    assert hooks() == before
    assert not tusk_jupyter.Tusk.initialized()


def test_unloading_what_is_not_loaded_is_fine(bare_shell):
    tusk_jupyter.unload_ipython_extension(bare_shell.ip)


@pytest.mark.parametrize(
    "command", ["status", "connections", "queries", "health", "logs", "help", "errverbose", "data-dir"]
)
def test_commands_answer_without_and_with_a_connection(shell, database, command):
    for _ in range(2):
        reply = shell.run(f"%tusk {command}")
        assert reply.value or reply.displayed
        shell.run(f"%tusk_connect {database} --name db")


def test_an_unknown_command_offers_near_ones(shell):
    reply = shell.run("%tusk statsu", ok=False)
    assert "%tusk status" in reply.displayed[-1]
    assert type(shell.run("%tusk status extra", ok=False).exception).__name__ == "InvalidInput"


def test_status_says_what_is(cells, connection):
    cells.run("%sql begin")
    cells.run("table = %tusk status")
    row = cells.ns["table"].iloc[0]
    assert (row["name"], bool(row["current"]), row["status"], row["pool_size"], row["pid"]) == (
        "db",
        True,
        "connected",
        1,
        connection.live_session.backend_pid,
    )
    assert "open" in row["transaction"]


def test_use_and_disconnect(cells, database):
    cells.run(f"%tusk_connect {database} --name other")
    cells.run("%tusk use db")
    assert tusk_jupyter.Tusk.instance().connections.current.name == "db"
    cells.run("%sql begin")
    assert "was rolled back" in "\n".join(cells.run("%tusk disconnect db").displayed)
    assert tusk_jupyter.Tusk.instance().connections.current.name == "other"
    assert "41" in cells.run("%sql select 41").value
    assert type(cells.run("%tusk use db", ok=False).exception).__name__ == "ConnectionNotFound"


def test_connect_report_and_test(shell, database, server):
    reply = shell.run(f"%tusk_connect {database} --name db")
    line = reply.displayed[0].splitlines()[0]
    for part in (
        "db",
        "PostgreSQL",
        f"database {database.rpartition('=')[2]}",
        f"as {server.user}",
        "no TLS",
        "read-write",
    ):
        assert part in line
    shell.run("%tusk disconnect db")
    assert "nothing is kept" in "\n".join(shell.run(f"%tusk_connect {database} --test").displayed)
    assert len(tusk_jupyter.Tusk.instance().connections) == 0
    wait_until(lambda: not backends(database))


def test_connect_from_a_variable(shell, database):
    shell.ns["url"] = database
    shell.run("%tusk_connect :url --name db")
    assert "41" in shell.run("%sql select 41").value
    shell.run("def f():\n    where = url\n    get_ipython().run_line_magic('tusk_connect', ':where --name local')\nf()")
    assert tusk_jupyter.Tusk.instance().connections.names() == ["db", "local"]
    assert type(shell.run("%tusk_connect :nothing", ok=False).exception).__name__ == "BindingError"
