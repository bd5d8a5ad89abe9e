from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tusk_jupyter.advice import advice_for, advise, condition_name
from tusk_jupyter.advice.foreign_words import FUNCTIONS
from tusk_jupyter.advice.sqlstates import CLASSES
from tusk_jupyter.advice.texts import BY_CLASS, BY_CODE, OTHER
from tusk_jupyter.errors import Diagnostic

CARET = "¦"
SPECIFIC_CODES = (
    "0A000 22001 22003 22007 22008 22012 22P02 23502 23503 23505 23514 23P01 25001 25006 25P02 28000 28P01 2BP01 3D000 "
    "3F000 40001 40P01 42501 42601 42701 42702 42703 42704 42803 42804 42883 42P01 42P07 42P08 42P18 53100 53200 53300 "
    "55006 55P03 57014 57P01 57P03 P0001 P0002 P0003 P0004 XX000"
)
SPECIFIC = SPECIFIC_CODES.split()


def ask(code, marked="", **fields):
    position = marked.index(CARET) + 1 if CARET in marked else None
    return advice_for(code, Diagnostic(statement_position=position, **fields), statement=marked.replace(CARET, ""))


@pytest.mark.parametrize("cls", sorted(CLASSES))
def test_every_class_has_advice(cls):
    assert ask(f"{cls}999") == BY_CLASS[cls]
    assert ask(f"{cls}000")


def test_the_table_has_the_appendix_s_classes_and_no_others():
    assert set(BY_CLASS) == CLASSES


@pytest.mark.parametrize("code", SPECIFIC)
def test_what_people_meet_has_advice_of_its_own(code):
    assert code in BY_CODE
    assert ask(code) == BY_CODE[code]
    assert code in {"0A000", "3D000"} or ask(code) != BY_CLASS[code[:2]]


def test_every_code_of_the_table_exists():
    assert [code for code in BY_CODE if condition_name(code) is None] == []


@pytest.mark.parametrize("text", [*BY_CLASS.values(), *BY_CODE.values(), OTHER])
def test_advice_is_one_or_two_short_sentences(text):
    assert len(text) <= 260
    assert text[0].isupper() or text[0] == "`"
    assert text.endswith((".", "`."))
    assert text.count("`") % 2 == 0
    assert len(re.findall(r"[a-z`)]\. [A-Z`]", text)) <= 2
    assert "  " not in text


@pytest.mark.parametrize(
    ("marked", "corrected"),
    [
        ('select * from t where name == ¦"United Air Lines Inc."', "select * from t where name = 'United Air Lines Inc.'"),
        ('select * from t where name==¦"UA"', "select * from t where name='UA'"),
        ('select * from t where name = ¦"It\'s"', "select * from t where name = 'It''s'"),
        ('select * from t where name !~ ¦"United"', "select * from t where name !~ 'United'"),
        ('select * from t where name in (¦"U A")', "select * from t where name in ('U A')"),
        ('select * from t where name ==\n¦"U A"', "select * from t where name ==\n'U A'"),
    ],
)
def test_a_value_in_double_quotes_is_a_text(marked, corrected):
    position, statement = marked.index(CARET) + 1, marked.replace(CARET, "")
    said = advise("42703", Diagnostic(statement_position=position), statement=statement)
    assert said.advice.startswith("Double quotes name a column. A text is written `'")
    assert ("single `=`" in said.advice) is ("==" in statement)
    edit = said.correction
    assert statement[: edit.start] + edit.replacement + statement[edit.end :] == corrected


def test_a_grant_names_the_table_as_the_statement_does():
    denied = {"message_primary": "permission denied for table account"}
    assert "`GRANT SELECT ON TABLE errors.account TO role`" in ask("42501", 'select 1 from "errors" . Account', **denied)
    both = "select 1 from a.account, b.account"
    assert "`GRANT SELECT ON TABLE account TO role`" in ask("42501", both, **denied)


@pytest.mark.parametrize("code", [None, ""])
def test_without_a_sqlstate_there_is_none(code):
    assert ask(code) is None


def test_a_code_of_somebody_else_s_says_so():
    assert ask("AB123") == OTHER


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("select a, ¦from t", "The comma before `from` is one too many."),
        ("select a from t ¦blah blah", BY_CODE["42601"]),
        ("select 1", BY_CODE["42601"]),
    ],
)
def test_a_syntax_error_s_likely_slip(statement, expected):
    assert ask("42601", statement) == expected


def test_a_syntax_error_inside_a_function_is_looked_for_in_its_query():
    diag = Diagnostic(statement_position=1, internal_query="select a, from t", internal_position=11)
    assert advice_for("42601", diag, statement="select f(), from t") == "The comma before `from` is one too many."


@pytest.mark.parametrize(
    ("statement", "part"),
    [
        ('select a from t where c = ¦"text"', "`'text'`"),
        ('select a from t where c in (¦"it\'s")', "`'it''s'`"),
        ('insert into t values (1, ¦"x")', "`'x'`"),
        ("select ¦‘abc’", "typographic"),
        ("select ¦sysdate", "`now()`"),
        ("select ¦Name from t", '`"Name"`'),
        ("select ¦t.Foo from t", '`"Foo"`'),
        ('select ¦"Name" from t', "`name`"),
    ],
)
def test_an_unknown_column(statement, part):
    assert part in ask("42703", statement)


@pytest.mark.parametrize("statement", ["select ¦name from t", "select ¦t.name from t", 'select ¦"a b" from t', "¦"])
def test_an_unknown_column_that_says_nothing_more(statement):
    assert ask("42703", statement) == BY_CODE["42703"]


@pytest.mark.parametrize(
    ("statement", "part"),
    [
        ("select * from ¦Flights", '`"Flights"`'),
        ("select * from ¦sales.Flights", '`"Flights"`'),
        ("select 1 from ¦dual", "leave out the FROM"),
        ("select ¦f.a from flights", "`f` is not in this statement's FROM"),
        ("select a, ¦f.b from flights", "`f` is not in this statement's FROM"),
        ("select * from ¦nos.t", "search_path"),
        ("select * from t, ¦nos.t2", "search_path"),
        ("select * from ¦t", "search_path"),
    ],
)
def test_an_unknown_table(statement, part):
    assert part in ask("42P01", statement)


@pytest.mark.parametrize(
    ("statement", "part"),
    [
        ("select a ¦== 1", "single `=`"),
        ("select a ¦&& b", "`and`"),
        ("select a ¦+ b", "`||`"),
        ("select a ¦@@@ b", "Cast one side"),
        ("select ¦IFNULL(a, 1)", "`coalesce(x, y)`"),
        ("select ¦round(a, 2)", "`round(value::numeric, 2)`"),
        ("select ¦my_function(a)", "check the spelling"),
        ("select ¦s.nvl(a)", "check the spelling"),
    ],
)
def test_an_unknown_function_or_operator(statement, part):
    assert part in ask("42883", statement)


def test_the_words_of_other_databases_are_lower_case():
    assert all(word == word.lower() for word in FUNCTIONS)


@pytest.mark.parametrize(
    ("message", "statement", "grant"),
    [
        ("permission denied for table t", "select * from t", "GRANT SELECT ON TABLE t TO role"),
        ("permission denied for table t", " ( select * from t for update)", "GRANT SELECT, UPDATE ON TABLE t TO role"),
        ("permission denied for view v", "select * from v", "GRANT SELECT ON TABLE v TO role"),
        ("permission denied for table t", "insert into t values (1)", "GRANT INSERT ON TABLE t TO role"),
        ("permission denied for table t", "update t set a = 1", "GRANT SELECT, UPDATE ON TABLE t TO role"),
        ('permission denied for table Or"der', "delete from t", 'GRANT SELECT, DELETE ON TABLE "Or""der" TO role'),
        ("permission denied for table user", "truncate t", 'GRANT TRUNCATE ON TABLE "user" TO role'),
        ("permission denied for table a; drop b", "select 1", 'GRANT SELECT ON TABLE "a; drop b" TO role'),
        ("permission denied for schema s", "select * from s.t", "GRANT USAGE ON SCHEMA s TO role"),
        ("permission denied for schema s", "create table s.t()", "GRANT CREATE ON SCHEMA s TO role"),
        ("permission denied for sequence s", "select nextval('s')", "GRANT USAGE ON SEQUENCE s TO role"),
        ("permission denied for function f", "select f()", "GRANT EXECUTE ON FUNCTION f TO role"),
        ("permission denied for foreign server s", "create x", "GRANT USAGE ON FOREIGN SERVER s TO role"),
    ],
)
def test_the_grant_that_would_help(message, statement, grant):
    assert f"`{grant}`" in ask("42501", statement, message_primary=message)


@pytest.mark.parametrize(
    "message",
    [
        "keine Berechtigung für Tabelle t",
        "permission denied for table t\nand more",
        "permission denied to create role",
        "permission denied for large object 7",
        None,
    ],
)
def test_no_grant_is_guessed(message):
    assert ask("42501", "with x as (select 1) select 1", message_primary=message) == BY_CODE["42501"]


def test_what_only_the_owner_may_do():
    assert "owns the table t" in ask("42501", "drop table t", message_primary="must be owner of table t")


@pytest.mark.parametrize(
    ("code", "statement", "part"),
    [
        ("23502", "insert into t values (null)", 'Give `"We""ird"` a value'),
        ("23502", "alter table t alter a set not null", "fill them first"),
        ("23503", "delete from p", 'Rows of `sales."T 1"` still refer to it'),
        ("23503", "insert into t values (1)", 'The row that `sales."T 1"` refers to is not there'),
        ("23503", "update t set a = 1", BY_CODE["23503"]),
        ("23505", "insert into t values (1)", '`ON CONFLICT ON CONSTRAINT "it\'s" DO NOTHING`'),
        ("23505", "create unique index on t (a)", "duplicates"),
        ("23505", "update t set a = 1", BY_CODE["23505"]),
        ("23514", "insert into t values (1)", "conname = 'it''s'"),
    ],
)
def test_a_constraint_is_named_from_the_server_s_fields(code, statement, part):
    fields = {"schema_name": "sales", "table_name": "T 1", "column_name": 'We"ird', "constraint_name": "it's"}
    assert part in ask(code, statement, **fields)


def test_a_huge_message_and_a_long_statement_get_advice():
    diag = Diagnostic(statement_position=6_900, message_primary="x" * 100_000_000)
    for code in (*BY_CODE, *BY_CLASS):
        assert advice_for(code, diag, statement="select a, " * 700)


@given(st.sampled_from(sorted(BY_CODE)), st.text(max_size=60), st.integers(-2, 70), st.text(max_size=40))
def test_no_statement_and_no_name_breaks_it(code, statement, position, name):
    diag = Diagnostic(
        statement_position=position, message_primary=name, table_name=name, column_name=name, constraint_name=name
    )
    advice = advice_for(code, diag, statement=statement)
    assert advice
    assert advice[-1] in ".`'"
