"""Tab on the line of a magic: connections, options, values, subcommands, from the tables that the magics run by."""

from __future__ import annotations

import pytest

from tests.tabs import tab, typed_tab
from tusk_jupyter.magics.arguments import CELL_OPTIONS, LINE_OPTIONS
from tusk_jupyter.magics.connect_line import CONNECT_OPTIONS
from tusk_jupyter.magics.loading import LOAD_OPTIONS
from tusk_jupyter.magics.tusk import TuskCommands


@pytest.fixture
def saved(cells):
    cells.run("%tusk connections save\n%tusk connections duplicate db elsewhere\n%tusk connections duplicate db further")
    return cells


def long_names(options):
    return {next(name for name in option.names if name.startswith("--")) for option in options.all}


@pytest.mark.parametrize(
    ("line", "options"),
    [("%%sql --|", CELL_OPTIONS), ("%sql --|", LINE_OPTIONS), ("%tusk_connect --|", CONNECT_OPTIONS), ("%tusk load df --|", LOAD_OPTIONS)],
)
def test_every_option_is_offered_with_its_meaning(shell, line, options):
    offered = dict(typed_tab(shell, line))
    assert offered.keys() == long_names(options)
    assert all(said.removeprefix("option").strip() for said in offered.values())


def test_every_table_of_options_says_what_they_mean():
    from tusk_jupyter.magics import tusk_words

    for options in (CELL_OPTIONS, LINE_OPTIONS, CONNECT_OPTIONS, *tusk_words._OPTIONS.values()):
        assert [option.names for option in options.all if not option.meaning] == []


def test_every_subcommand_is_offered_with_its_help(shell):
    names = {name[3:].replace("_", "-") for name in dir(TuskCommands) if name.startswith("do_")}
    offered = dict(typed_tab(shell, "%tusk |"))
    assert offered.keys() == names
    assert {name for name, said in offered.items() if said == "command"} <= {"take-sql"}


# marked text, what is offered first; nothing where that is empty
LINES = [
    ("%%sql |", ["db", "elsewhere", "further", "--out"]),
    ("%%sql e|", ["elsewhere"]),
    ("%%tsql e|", ["elsewhere"]),
    ("%sql e|", ["elsewhere", "explain"]),
    ("x = %sql fur|", ["further"]),
    ("if True:\n    %tsql else|", ["elsewhere"]),
    ("\n\n %%sql else|", ["elsewhere"]),
    ("%%sql db |", ["--out"]),
    ("%%sql --quiet --qui|", []),
    ("%%sql --format |", ["pandas", "arrow", "polars", "rows"]),
    ("%%sql --format=p|", ["pandas", "polars"]),
    ("%%sql --on-error s|", ["stop", "savepoint"]),
    ("%%sql -|", ["--out"]),
    ("%%sql -o|", ["-o"]),
    ("%%sql --params |", ["cfg"]),
    ("%sql --persist |", ["df"]),
    ("%sql --close |", ["db"]),
    ("%tusk use |", ["db", "elsewhere", "further"]),
    ("%tusk disconnect |", ["db"]),
    ("%tusk conn|", ["connections"]),
    ("%tusk connections te|", ["test"]),
    ("%tusk connections delete e|", ["elsewhere"]),
    ("%tusk connections color db b|", ["blue"]),
    ("%tusk set n|", ["numeric"]),
    ("%tusk set numeric |", ["float", "decimal", "default"]),
    ("%tusk set quiet |", ["on", "off", "default"]),
    ("%tusk get hist|", ["history", "history_days"]),
    ("%tusk history --fa|", ["--failed"]),
    ("%tusk history --connection e|", ["elsewhere"]),
    ("%tusk history cl|", ["clear"]),
    ("%tusk history clear --|", ["--connection", "--yes"]),
    ("%tusk cancel --|", ["--all"]),
    ("%tusk embedded d|", ["drop"]),
    ("%tusk ddl --pri|", ["--privileges"]),
    ("%tusk describe --con|", ["--connection"]),
    ("%tusk tables --connection e|", ["elsewhere"]),
    ("%tusk refresh |", ["db"]),
    ("%tusk watch 5 --unt|", ["--until"]),
    ("%tusk watch 5 select :cf|", ["cfg"]),
    ("%tusk load d|", ["df"]),
    ("%tusk_connect el|", ["elsewhere"]),
    ("%tusk_connect :u|", [":url"]),
    ("%tusk_connect --sslmode verify|", ["verify-ca", "verify-full"]),
    ("%tusk_connect --ssh-auth |", ["agent", "key", "password"]),
    ("%tusk_connect host=h sslmode=verify|", ["verify-ca", "verify-full"]),
    ("%tusk_connect host=h ho|", ["hostaddr="]),
    ("%tusk_connect service=|", ["shop", "billing"]),
    ("%tusk_connect --nothing-like-it|", []),
]


def test_what_the_line_takes(saved, monkeypatch, tmp_path):
    services = tmp_path / "services"
    services.write_text("[shop]\nhost=h\n# [no]\n[billing]\npassword=hunter2\n")
    monkeypatch.setenv("PGSERVICEFILE", str(services))
    monkeypatch.delenv("PGSYSCONFDIR", raising=False)
    saved.run("import pandas as pd\ncfg = {'a': 1}; df = pd.DataFrame(); url = 'postgresql://ana:hunter2@h/d'")
    offered = {marked: typed_tab(saved, marked) for marked, _ in LINES}
    first = [(marked, [text for text, _ in offered[marked][: len(expected) or None]]) for marked, expected in LINES]
    assert first == LINES
    assert "hunter2" not in repr(offered)


def test_files_and_folders(shell, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "trips.csv").write_text("")
    (tmp_path / "two words").mkdir()
    (tmp_path / "two words" / "a.sql").write_text("")
    (tmp_path / ".hidden").write_text("")
    assert tab(shell, "%%sql --to tr|") == ["trips.csv"]
    assert tab(shell, "%sql -f 'two words/|") == ['"two words/a.sql"']
    assert ".hidden" in tab(shell, "%sql -f .|")
    assert ".hidden" not in tab(shell, "%sql -f |")
    assert tab(shell, "%tusk data-dir tw|") == ['"two words/"']
    assert tab(shell, "%sql -f nowhere/|") == []


def test_a_connection_says_what_it_is_and_the_current_one_comes_first(saved, database):
    assert dict(typed_tab(saved, "%%sql |"))["db"].startswith("connection current · postgresql://")
    assert dict(typed_tab(saved, "%%sql |"))["elsewhere"].startswith("connection saved · ")


def test_python_is_left_to_python(saved):
    saved.run("import string\nelsewhere_in_python = 1")
    assert tab(saved, "string.ascii_lett|") == [".ascii_letters"] or tab(saved, "string.ascii_lett|") == ["ascii_letters"]
    assert "elsewhere_in_python" in tab(saved, "elsewhere_|")
    assert "elsewhere" not in tab(saved, "elsewh|")
    assert "%%sql" in tab(saved, "%%s|")
    assert "elsewhere_in_python" not in tab(saved, "%%sql\nselect elsewhere_|")
    assert tab(saved, "%%sql\nselect elsewhere_in|") == []


def test_another_extension_s_magic_is_left_alone(shell):
    shell.ip.register_magic_function(lambda line, cell=None: None, magic_kind="line_cell", magic_name="sql")
    assert "--out" not in tab(shell, "%%sql --o|")
    assert tab(shell, "%%tsql --o|") == ["--out", "--on-error"]
    shell.run("%tusk take-sql")
    assert tab(shell, "%%sql --o|") == ["--out", "--on-error"]
    shell.run("%alias_magic q tsql")
    assert tab(shell, "%%q --o|") == ["--out", "--on-error"]


def test_load_and_unload_leave_the_completer_as_it_was(bare_shell):
    before = list(bare_shell.ip.Completer.custom_matchers)
    for _ in range(2):
        bare_shell.run("%load_ext tusk_jupyter\n%load_ext tusk_jupyter")
        assert len(bare_shell.ip.Completer.custom_matchers) == len(before) + 1
        assert tab(bare_shell, "%%sql --o|") == ["--out", "--on-error"]
        bare_shell.run("%unload_ext tusk_jupyter")
        assert bare_shell.ip.Completer.custom_matchers == before
        assert "--out" not in tab(bare_shell, "%%sql --o|")


def test_a_failure_of_ours_is_logged_and_not_shown(saved, monkeypatch, caplog, capfd):
    monkeypatch.setattr("tusk_jupyter.magics.first_line.on_sql", lambda *_, **__: 1 / 0)
    assert tab(saved, "%%sql --o|") == []
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("first", ["%%sql db", "%%sql db ", "%%sql --quiet db", "%%sql db --quiet"])
def test_below_the_line_the_connection_that_it_names_is_meant(cells, tusk, database, first):
    import tusk_jupyter

    cells.run("%%sql\ncreate table trip (id int, destination text)")
    tusk.schemas.cache(tusk.connections.current).read().result(20)
    tusk_jupyter.connect(f"{database} dbname=postgres", name="b")
    assert tusk.connections.current.name == "b"
    assert tab(cells, f"{first}\nselect * from tri|")[:1] == ["trip"]
    assert tab(cells, f"{first}\nselect dest| from trip") == ["destination"]
    assert "trip" not in tab(cells, "%%sql\nselect * from tri|")
