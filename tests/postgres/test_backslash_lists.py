r"""``\d`` and its family in cells: the way from the command to the listing, and ``\?`` and ``\h``."""

from __future__ import annotations

import subprocess

import pytest

from tests.postgres.test_backslash import history, refused, shown
from tests.waiting import wait_until
from tusk_jupyter.magics import psql_words
from tusk_jupyter.queries.backslash import first_command

# every command of the \? of psql 18
PSQL_18 = [
    r"\bind",
    r"\bind_named",
    r"\close_prepared",
    r"\copyright",
    r"\crosstabview",
    r"\errverbose",
    r"\g",
    r"\gdesc",
    r"\gexec",
    r"\gset",
    r"\gx",
    r"\parse",
    r"\q",
    r"\restrict",
    r"\unrestrict",
    r"\watch",
    r"\?",
    r"\h",
    r"\e",
    r"\ef",
    r"\ev",
    r"\p",
    r"\r",
    r"\s",
    r"\w",
    r"\copy",
    r"\echo",
    r"\i",
    r"\ir",
    r"\o",
    r"\qecho",
    r"\warn",
    r"\if",
    r"\elif",
    r"\else",
    r"\endif",
    r"\d",
    r"\da",
    r"\dA",
    r"\dAc",
    r"\dAf",
    r"\dAo",
    r"\dAp",
    r"\db",
    r"\dc",
    r"\dconfig",
    r"\dC",
    r"\dd",
    r"\dD",
    r"\ddp",
    r"\dE",
    r"\des",
    r"\det",
    r"\deu",
    r"\dew",
    r"\df",
    r"\dF",
    r"\dFd",
    r"\dFp",
    r"\dFt",
    r"\dg",
    r"\di",
    r"\dl",
    r"\dL",
    r"\dm",
    r"\dn",
    r"\do",
    r"\dO",
    r"\dp",
    r"\dP",
    r"\drds",
    r"\drg",
    r"\dRp",
    r"\dRs",
    r"\ds",
    r"\dt",
    r"\dT",
    r"\du",
    r"\dv",
    r"\dx",
    r"\dX",
    r"\dy",
    r"\l",
    r"\sf",
    r"\sv",
    r"\z",
    r"\lo_export",
    r"\lo_import",
    r"\lo_list",
    r"\lo_unlink",
    r"\a",
    r"\C",
    r"\f",
    r"\H",
    r"\pset",
    r"\t",
    r"\T",
    r"\x",
    r"\c",
    r"\connect",
    r"\conninfo",
    r"\encoding",
    r"\password",
    r"\cd",
    r"\getenv",
    r"\setenv",
    r"\timing",
    r"\!",
    r"\endpipeline",
    r"\flush",
    r"\flushrequest",
    r"\getresults",
    r"\sendpipeline",
    r"\startpipeline",
    r"\syncpipeline",
    r"\prompt",
    r"\set",
    r"\unset",
]


@pytest.fixture
def psql_commands(server):
    """The commands that the psql of this machine lists."""
    psql = server.bin / "psql"
    if not psql.exists():
        return PSQL_18
    listed = subprocess.run([psql, "--help=commands"], check=True, capture_output=True, text=True).stdout
    lines = [line.split()[0] for line in listed.splitlines() if line.startswith("  \\")]
    return [
        name for line in lines for name in (["\\c", "\\connect"] if line == "\\c[onnect]" else [line.partition("[")[0]])
    ]


def test_every_command_of_psql_is_done_or_answered_with_what_to_do(cells, psql_commands):
    cells.run("def input(prompt=''): raise EOFError")
    for name in sorted({*psql_commands, *PSQL_18} - {"\\password"}):
        assert first_command(name) is not None
        reply = cells.run(f"%sql {name}", ok=None)
        if reply.status == "error":
            assert reply.exception.kind == "input", (name, reply.exception)
            assert "there is no command" not in reply.exception.message, name
            assert reply.exception.advice != type(reply.exception).default_advice, name
        if name[1:] in psql_words.INSTEAD:
            assert reply.status == "error", name


def test_the_last_listing_is_the_value_and_earlier_ones_are_shown(cells):
    cells.run("%sql create table t (a int primary key)")
    reply = cells.run("%%sql\n\\d t\n\\dt")
    assert "List of " in reply.value
    assert '"t_pkey" PRIMARY KEY' in shown(reply)
    cells.run("x = %sql \\dt t")
    assert cells.ns["x"]["name"].tolist() == ["t"]
    assert cells.run("%%sql y <<\n\\dt public.*").value is None
    assert cells.ns["y"]["name"].tolist() == ["t"]


@pytest.mark.parametrize(
    "code", [r"\dtS+ pg_class", r"\dt+S pg_class;", r"\dtS+x 'pg_class'", r'\dt+ "pg_class"', r"\dt+ :name"]
)
def test_letters_and_patterns(cells, code):
    cells.run("name = 'pg_class'")
    cells.run(f"x = %sql {code}")
    assert cells.ns["x"]["name"].tolist() == ["pg_class"]
    assert "size" in cells.ns["x"].columns
    assert ("RECORD 1" in repr(cells.ns["x"])) is ("x '" in code)


def test_too_many_arguments_are_refused(cells):
    assert refused(cells, r"%sql \dt a b").message == r"\dt takes one argument, and 'b' follows"
    assert refused(cells, r"%sql \dl a").message == r"\dl takes no argument, and 'a' follows"
    assert cells.run(r"%sql \df lower text").status == "ok"


def test_in_a_transaction_that_failed_it_is_asked_beside(cells):
    cells.run("%sql create table t (a int)")
    cells.run("%%sql\nbegin; select 1 / 0", ok=False)
    reply = cells.run(r"%sql \d t")
    assert 'Table "public.t"' in reply.value
    assert "asked on another connection" in shown(reply)


def test_no_look_is_in_the_history(cells, tusk):
    cells.run("%%sql\n\\dt\n\\d pg_class\n\\l\n\\conninfo\n\\sf pg_catalog.lower(text)")
    cells.run("%sql select 'what is kept'")
    wait_until(lambda: history(tusk))
    assert history(tusk) == ["select 'what is kept'"]


def test_the_list_of_commands_has_every_listing(cells):
    text = cells.run("%%sql\n\\?").value
    for name in (r"\dt[", r"\dconfig", r"\watch", r"\gset", r"\x "):
        assert name in text


def test_how_a_statement_is_written(cells):
    assert "VACUUM" in shown(cells.run(r"%sql \h vacuum"))
    assert "CREATE INDEX" in cells.run(r"%sql \h create").value
    assert "SELECT" in cells.run(r"%sql \h").value
    assert "VACUUM" in refused(cells, r"%sql \h vacum").advice
