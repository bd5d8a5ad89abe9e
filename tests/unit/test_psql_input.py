r"""The runner of the regression suite reads psql scripts: what it leaves out by mistake, nobody would miss."""

import pytest

from tests.psql_input import Connect, PsqlInput, Query


def read(text, **variables):
    script = PsqlInput(text, variables=variables, environment={"HOME_OF": "/x"}, conforming=lambda: True)
    return [" ".join(item.text.split()) if isinstance(item, Query) else item for item in script]


@pytest.mark.parametrize(
    ("script", "statements"),
    [
        ("select 1; select ';'", ["select 1;", "select ';'"]),
        ("\\d t\nselect 1;\n\\x on\nselect 2;", ["select 1;", "select 2;"]),
        ("select 1 \\; select 2;", ["select 1 ;", "select 2;"]),
        ("select 1\n\\r\nselect 2;", ["select 2;"]),
        ("select 1 \\g\n\\gx", ["select 1", "select 1"]),
        ("select '\\d', E'\\'', $$\\c$$; -- \\q\nselect 2;", ["select '\\d', E'\\'', $$\\c$$;", "-- \\q select 2;"]),
        ("copy t from stdin;\n1\n;\n\\.\nselect 1;", ["copy t from stdin;", "select 1;"]),
        (
            "copy t (no) from stdin;\nselect 1;\ncopy t from stdin;\n1\n\\.\nselect 2;",
            ["copy t (no) from stdin;", "select 1;", "copy t from stdin;", "select 2;"],
        ),
        ("\\copy t from stdin\n1\n\\.\nselect 1;", ["select 1;"]),
        ("\\if true\nselect 1;\n\\else\nselect (;\n\\endif\nselect 3;", ["select 1;", "select 3;"]),
        ("\\if no\nselect (;\n\\elif yes\nselect 2;\n\\endif\nselect 3;", ["select 2;", "select 3;"]),
        ("\\if false\n\\if true\nselect 1;\n\\endif\n\\else\nselect 2;\n\\endif", ["select 2;"]),
        ("select \\if false \\\\ (no \\else \\\\ 42 \\endif \\\\ yes;", ["select 42 yes;"]),
        ("\\if :skip_test\n\\quit\n\\endif\nselect 1;", ["select 1;"]),
    ],
)
def test_statements(script, statements):
    assert read(script, skip_test="t") == statements


def test_set_variables_become_text_and_quoted_ones_are_the_cells_business():
    script = "\\getenv d HOME_OF\n\\set f :d '/it''s' .x\nselect :d, :'f', :\"f\", :unset, x::d, a[1:2];"
    assert read(script) == ["select /x, :'f', :\"f\", :unset, x::d, a[1:2];"]


def test_a_variable_can_hold_a_statement():
    assert read("\\set q 'select 1; select 2;'\n:q\nselect 3;") == ["select 1;", "select 2;", "select 3;"]


def test_what_gset_found_is_there_for_the_next_statement():
    variables = {}
    script = PsqlInput(
        "select 1 as a \\gset p_\nselect :p_a;", variables=variables, environment={}, conforming=lambda: True
    )
    items = iter(script)
    first = next(items)
    assert (first.ended_by, first.argument) == ("gset", "p_")
    variables["p_a"] = "7"
    assert next(items).text.strip() == "select 7;"


def test_a_new_connection_is_asked_for():
    before, connect, after = read("select 1;\n\\c -\nselect 2;")
    assert (before, after) == ("select 1;", "select 2;")
    assert isinstance(connect, Connect)
