r"""psql's backslash commands in a script: where one is, where none is, and what stands around it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.sql_texts import sql_texts
from tusk_jupyter.errors import BindingError, InvalidInput
from tusk_jupyter.queries.backslash import Called, Command, divide, first_command, may_hold_commands
from tusk_jupyter.queries.backslash_arguments import arguments, whole_line
from tusk_jupyter.queries.script import Names
from tusk_jupyter.queries.split import Statement, split

COMMANDS = [r"\d flights", r"\dt+", r"\x", r"\echo it's", r"\?", r"\! ls", r"\conninfo;", r"\df * 'a\'b'"]


def read(script):
    """Return parts as they read: a statement's text, or what was called."""
    return [part.text for part in divide(script)]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_may_stand_alone_before_between_and_behind(command):
    script = f"{command}\nselect 1; -- one\n{command}\n/* two */ select 2\n;\n{command}"
    parts = divide(script)
    assert [type(part) for part in parts] == [Called, Statement, Called, Statement, Called]
    assert [part.text for part in parts if isinstance(part, Statement)] == ["select 1", "/* two */ select 2"]
    for part in parts:
        assert script[part.start : part.end].strip() == (command if isinstance(part, Called) else part.text)


def test_several_commands_share_a_line():
    assert read(r"\x \dt a.* \\ select 1; \dn") == [r"\x", r"\dt a.*", "select 1", r"\dn"]


@pytest.mark.parametrize("end", ["gset", "g", "gx", "gexec", "gdesc", "watch", "crosstabview"])
def test_an_ending_takes_the_place_of_the_semicolon(end):
    script = f"select 1;\nselect 2 as a\\{end} b c\nselect 3"
    first, second, third = divide(script)
    assert (first.text, third.text) == ("select 1", "select 3")
    assert second.statement.text == "select 2 as a"
    assert script[second.statement.start : second.statement.end] == "select 2 as a"
    assert second.commands == (Command(end, "b c", script.index("\\"), script.index("\nselect 3")),)


def test_commands_before_the_ending_go_with_it():
    [called] = divide(r"select $1 \bind 'a b' \x \g")
    assert [command.name for command in called.commands] == ["bind", "x", "g"]
    assert called.statement.text == "select $1"


@pytest.mark.parametrize(
    "script",
    [
        r"select '\d', E'\'\\dt', $$ \d $$, $a$ \gset $a$ -- \dn",
        "select 1 /* \\d /* \\x */ */",
        'select "\\d", 1',
        r"select E\'x'",  # no command's name: PostgreSQL's syntax error says where
        r"select c:\temp",
        "select 1 \\ 2",
        "\\\n",
        r"\1",
        "create function f() returns int language sql as 'select 1 \\gset'",
    ],
)
def test_what_is_no_command_is_left_to_postgresql(script):
    assert divide(script) == split(script)
    assert first_command(script) is None


def test_quotes_in_arguments_are_none_of_the_statements_behind():
    assert read("\\echo it's\nselect 'a'; select 2") == [r"\echo it's", "select 'a'", "select 2"]
    assert read("select 1 \\echo it's\nselect 'a'")[1:] == ["select 'a'"]


def test_what_takes_the_whole_line_takes_backslashes_too():
    assert read("\\! ls \\dt\n\\sf f(int) \\x\n\\dt") == [r"\! ls \dt", r"\sf f(int) \x", r"\dt"]


def test_standard_conforming_strings_is_believed():
    assert read("set standard_conforming_strings = off; select '\\' \\d'; \\x") == [
        "set standard_conforming_strings = off",
        "select '\\' \\d'",
        r"\x",
    ]


@given(sql_texts)
def test_a_script_without_commands_is_split_as_ever(script):
    if first_command(script) is None:
        assert divide(script) == split(script)


@given(st.text(alphabet="\\abdgsetx '\"`$;-/*\n:()E", max_size=40))
def test_what_need_not_be_divided_is_split_as_ever(script):
    if not may_hold_commands(script):
        assert divide(script) == split(script)


def test_escapes_in_literals_are_passed_over():
    assert not may_hold_commands("insert into t values (E'it\\'s\\n', 'C:\\temp', '\\d+', e'\\x41')")


@given(st.lists(st.sampled_from([*COMMANDS, "select 1;", "select 'a\\b';", "-- x", "", ";"])))
def test_no_character_is_lost(lines):
    script = "\n".join(lines)
    position = 0
    for part in divide(script):
        between = script[position : part.start]
        assert not between.replace(";", "").replace("-- x", "").strip()
        assert script[part.start : part.end].strip().startswith(part.text[:2])
        position = part.end
    assert not script[position:].replace(";", "").replace("-- x", "").strip()


@given(st.text(alphabet="\\abdgsetx '\"`$;-/*\n:()E", max_size=60))
def test_whatever_the_text_it_is_read_and_parts_stand_in_their_order(script):
    position = 0
    for part in divide(script):
        assert position <= part.start < part.end <= len(script)
        if part_statement := part if isinstance(part, Statement) else part.statement:
            assert script[part_statement.start : part_statement.end] == part_statement.text
        position = part.end


# -- arguments --------------------------------------------------------------------------------------------------------


def given_names(**values):
    return Names(values.__getitem__, values.keys)


def read_arguments(text, **values):
    return arguments(Command("d", text, 0, 0), given_names(**values))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ()),
        ("a  b\tc", ("a", "b", "c")),
        ("flights;", ("flights",)),
        ("'a b'c 'it''s' 'x\\n\\t\\'y\\x41\\101'", ("a bc", "it's", "x\n\t'yAA")),
        ('"My Table"."a b" \'x\'"y z"', ('"My Table"."a b"', 'x"y z"')),
        ("a.* '*;*';", ("a.*", "*;*")),
        ("12:30 a::b :", ("12:30", "a::b", ":")),
    ],
)
def test_arguments_are_read_as_psql_reads_them(text, expected):
    assert read_arguments(text) == expected


def test_variables_are_inserted():
    found = read_arguments(":t :'t' :\"t\" a.:t ':t' :d.k :n", t="it's", d={"k": "v"}, n=5)
    assert found == ("it's", "'it''s'", '"it\'s"', "a.it's", ":t", "v", "5")


def test_a_missing_variable_is_an_error_with_near_names():
    with pytest.raises(BindingError, match="'tabel' is not defined") as caught:
        read_arguments(":tabel", table=1)
    assert ":table" in caught.value.advice


def test_a_list_is_no_argument():
    with pytest.raises(BindingError, match="'x' cannot be an argument: a list has no one text form"):
        read_arguments(":x", x=[1, 2])


@pytest.mark.parametrize(("text", "said"), [("`ls`", "backquotes"), ("'a", "not closed"), ('a"b c', "not closed")])
def test_what_is_refused(text, said):
    with pytest.raises(InvalidInput, match=said):
        read_arguments(text)


def test_a_semicolon_stays_where_it_is_text():
    assert arguments(Command("echo", "a;", 0, 0), given_names(), ends=False) == ("a;",)
    assert whole_line(Command("sf", "f(int) ;", 0, 0)) == "f(int)"
