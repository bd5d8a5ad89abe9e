from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tusk_jupyter.advice.slip_words import LONGEST, MOST
from tusk_jupyter.advice.slips import slip

CARET = "¦"  # where PostgreSQL 15 puts it


COMMANDS = "psql's commands begin a line, or stand behind a statement, as in `\\d NAME`; `\\?` lists them."


def ask(marked):
    found = slip(marked.replace(CARET, ""), marked.index(CARET) + 1)
    return found and found.advice


@pytest.mark.parametrize(
    ("marked", "advice"),
    [
        ("select a, ¦from t", "The comma before `from` is one too many."),
        ("select a, b, ¦where a=1", "The comma before `where` is one too many."),
        ("¦\\", COMMANDS),
        ("select 1 ¦\\ 2", COMMANDS),
        ("select 1\n  ¦\\", COMMANDS),
        ("select 1, ¦\\\n  2", f"A statement goes on over its lines without a `\\`. {COMMANDS}"),
        ("select 1 ¦\\  ", f"A statement goes on over its lines without a `\\`. {COMMANDS}"),
        ("select a b ¦c from t", "A comma is missing: in `a b`, the second names the first."),
        ("values (1,2,¦)", "The comma before `)` is one too many, or a value is missing."),
        ("create table x (a int,¦)", "The comma before `)` is one too many."),
        ("create table x (a int ¦b int)", "A comma is missing before `b`, if a new column begins there."),
        ("insert into t values (1 ¦2, 'x')", "A comma, or an operator, is missing at the caret."),
        ("insert into t values (1 ¦'x')", "A comma, or an operator, is missing at the caret."),
        ("select 1 ¦2 from t", "A comma, or an operator, is missing at the caret."),
        ("select a form ¦t", "`form` looks like a misspelt `FROM`."),
        ("select * ¦form t", "`form` looks like a misspelt `FROM`."),
        ("select * ¦fro t", "`fro` looks like a misspelt `FROM`."),
        ("¦slect 1", "`slect` looks like a misspelt `SELECT`."),
        ("¦udpate t set a=1", "`udpate` looks like a misspelt `UPDATE`."),
        ("¦insret into t values (1)", "`insret` looks like a misspelt `INSERT`."),
        ("select * from t wher ¦a = 1", "`wher` looks like a misspelt `WHERE`."),
        ("select * from t oder ¦by a", "`oder` looks like a misspelt `ORDER`."),
        ("select a, count(*) from t gruop ¦by a", "`gruop` looks like a misspelt `GROUP`."),
        ("insert ¦t values (1)", "`INSERT` needs `INTO` before the table."),
        ("delete ¦t where a=1", "`DELETE` needs `FROM` before the table."),
        ("update t ¦where a=1", "`UPDATE` needs `SET column = value` before `WHERE`."),
        ("select * from ¦order", '`order` is a reserved word: as a name it needs quotes, `"order"`.'),
        ("create table ¦order (a int)", '`order` is a reserved word: as a name it needs quotes, `"order"`.'),
        ("create table x (¦user text, b int)", '`user` is a reserved word: as a name it needs quotes, `"user"`.'),
        ("create table x (a int, ¦order int)", '`order` is a reserved word: as a name it needs quotes, `"order"`.'),
        ("insert into t (a, ¦order) values (1,2)", '`order` is a reserved word: as a name it needs quotes, `"order"`.'),
        ("select a, ¦order by from t", "The comma before `order` is one too many."),
        ("select * from t ¦limit 1, 2", "PostgreSQL writes it as `LIMIT 2 OFFSET 1`."),
        ("select top ¦10 * from t", "PostgreSQL has no TOP: end the query with `LIMIT 10`."),
        ("select ¦'abc", "The text that begins at the caret is never closed. Inside it, `'` is written twice."),
        ('select ¦"abc from t', 'The name that begins at the caret is never closed. Inside it, `"` is written twice.'),
        ("select ¦$$abc", "The text that begins at the caret is never closed: end it with `$$`."),
        (
            "select ¦/* abc",
            "The comment that begins at the caret is never closed: add `*/`. Comments nest in PostgreSQL.",
        ),
        ("select (1+2¦", "A `)` is missing: one `(` was opened and not closed."),
        ("select (1+2)¦)", "There is no `(` for the `)` at the caret."),
        ("select count(* ¦from t", "A `)` is missing before `from`."),
        ("select 1 +¦", "The statement ends after `+`: its right side is missing."),
        ("select * from¦", "The statement ends after `from`: what belongs there is missing."),
        ("select * from t where¦", "The statement ends after `where`: what belongs there is missing."),
        ("select * from t where a =¦", "The statement ends after `=`: its right side is missing."),
        ("select * from t where a = 1 and¦", "The statement ends after `and`: what belongs there is missing."),
        ("select * from t where a in (1,2¦", "A `)` is missing: one `(` was opened and not closed."),
        ("select * from t group by a ¦where b=1", "`WHERE` must come before `GROUP BY`."),
        ("select * from t order by a ¦group by a", "`GROUP BY` must come before `ORDER BY`."),
        ("select * from t limit 1 ¦order by a", "`ORDER BY` must come before `LIMIT`."),
        ("select * from t limit 1 ¦where a=1", "`WHERE` must come before `LIMIT`."),
        ("select a from t having a>1 ¦where a=1", "`WHERE` must come before `HAVING`."),
        (
            "select `a` ¦from t",
            'PostgreSQL has no backticks: a name is quoted as in `"name"`, and most need no quotes.',
        ),
        (
            "select a from ¦`t`",
            'PostgreSQL has no backticks: a name is quoted as in `"name"`, and most need no quotes.',
        ),
        ("select * from t\n¦select * from t", "A `;` is missing before `select`, if a new statement begins there."),
        (
            "insert into t values (1)\n¦update t set a=1",
            "A `;` is missing before `update`, if a new statement begins there.",
        ),
        ("select 'it's¦'", "The text that begins at the caret is never closed. Inside it, `'` is written twice."),
        (
            "select * from t where c = 'it'¦s ok'",
            "The text before the caret ends too early: a `'` inside a text is written twice, as in `'it''s'`.",
        ),
        ("select a a ¦a from t", "A comma is missing: in `a a`, the second names the first."),
        ("select a from t where (a = 1¦", "A `)` is missing: one `(` was opened and not closed."),
        ("select a,¦,b from t", "The comma behind `,` is one too many."),
        ("select ¦,a from t", "The comma behind `select` is one too many."),
        ("select a b, c d ¦e from t", "A comma is missing: in `c d`, the second names the first."),
        ("update t set a=1,¦", "The statement ends with a comma: remove it, or add what should follow."),
        ("update t set a=1, ¦where b=1", "The comma before `where` is one too many."),
        ("insert into t (a,b,¦) values (1,2)", "The comma before `)` is one too many."),
        ("insert into t values (1,2),¦", "The statement ends with a comma: remove it, or add what should follow."),
        ("select * from t,¦", "The statement ends with a comma: remove it, or add what should follow."),
        ("select * from t, ¦where a=1", "The comma before `where` is one too many."),
        ("select distinct a, ¦from t", "The comma before `from` is one too many."),
        ("create ¦tabel x (a int)", "`tabel` looks like a misspelt `TABLE`."),
        ("drop ¦tabel t", "`tabel` looks like a misspelt `TABLE`."),
        ("alter table t add column¦", "The statement ends after `column`: what belongs there is missing."),
        ("select a from t where a like¦", "The statement ends after `like`: what belongs there is missing."),
        ("select * from t where a in ¦1,2", "`IN` takes a list in parentheses, as in `in (1, 2)`."),
        ("select ¦[1,2]", "An array is written `array[1, 2]`, or `'{1,2}'` as text."),
        ("select a from t where a = 'x' or¦", "The statement ends after `or`: what belongs there is missing."),
        ("with x as (select 1), ¦select * from x", "The comma before `select` is one too many."),
        ("select * from (select 1¦", "A `)` is missing: one `(` was opened and not closed."),
        ("select * from (select 1) x where¦", "The statement ends after `where`: what belongs there is missing."),
        ("select max(a) from t where a > 1 and (b = 2¦", "A `)` is missing: one `(` was opened and not closed."),
        ("begin ¦select 1", "A `;` is missing before `select`, if a new statement begins there."),
        ("select * from t where a = 1 order ¦a", "`ORDER` needs `BY`."),
        ("select * from t order ¦a", "`ORDER` needs `BY`."),
        ("select * from t group ¦a", "`GROUP` needs `BY`."),
        ("select a from t whre ¦a = 1", "`whre` looks like a misspelt `WHERE`."),
        ("select a from t where a = 1 ¦odrer by a", "`odrer` looks like a misspelt `ORDER`."),
        ("select a from t limt ¦3", "`limt` looks like a misspelt `LIMIT`."),
        ("select a from t lmit ¦3", "`lmit` looks like a misspelt `LIMIT`."),
        ("select a from t havng ¦a > 1", "`havng` looks like a misspelt `HAVING`."),
        ("insert into t (a) ¦vales (1)", "`vales` looks like a misspelt `VALUES`."),
        ("insert into t(a) values ¦1", "`VALUES` takes a list in parentheses, as in `values (1, 2)`."),
        ('select 1 as ¦"x', 'The name that begins at the caret is never closed. Inside it, `"` is written twice.'),
        ("select 'a' ¦'b'", "A comma, or an operator, is missing at the caret."),
        ("select x y ¦z", "A comma is missing: in `x y`, the second names the first."),
        ("select not¦", "The statement ends after `not`: what belongs there is missing."),
        ("select foo(1,2 ¦3)", "A comma, or an operator, is missing at the caret."),
        ("select foo(1,¦,2)", "The comma behind `,` is one too many."),
        ("select array[1 ¦2]", "A comma, or an operator, is missing at the caret."),
        ("select (1,2,¦) ", "The comma before `)` is one too many."),
        ("select * from ¦grant", '`grant` is a reserved word: as a name it needs quotes, `"grant"`.'),
        ("select a from t for¦", "The statement ends after `for`: what belongs there is missing."),
        ("update ¦order set a=1", '`order` is a reserved word: as a name it needs quotes, `"order"`.'),
        ("insert into ¦order values (1)", '`order` is a reserved word: as a name it needs quotes, `"order"`.'),
        ("update t a¦=1", "`SET` is missing before `a`."),
        (
            "select case when a=1 then 2 ¦from t",
            "`END` is missing before `FROM`: a CASE is `case when … then … else … end`.",
        ),
        (
            "select * from t join t t2 ¦where a=1",
            "`JOIN` needs `ON condition` before `WHERE`; without one it is written `CROSS JOIN`.",
        ),
        ("select * from t inner ¦t2 on true", "`JOIN` is missing before `t2`."),
        ("select a from t where a ¦not = 1", "Unequal is written `<>`."),
        ("select a from t where a ¦=> 1", "`=>` names an argument; at least is written `>=`."),
        ("create table x ¦a int", "The columns stand in parentheses: `create table t (a integer, b text)`."),
        ("select a from t where a = 1 and ¦and b=1", "`and` stands there twice."),
        ("delete from ¦user", '`user` is a reserved word: as a name it needs quotes, `"user"`.'),
    ],
)
def test_a_slip_is_named(marked, advice):
    assert ask(marked) == advice


@pytest.mark.parametrize(
    "marked",
    [
        "select order ¦from t",
        "select a, ¦limit from t",
        "select 1\nselect ¦2",
        "select * from t t2 ¦t3",
        "select a from t where a = ¦= 1",
        "grant select on t¦",
        "create index on t ¦a",
        "alter table t add colum d ¦int",
        "truncate¦",
        "select a as from ¦t",
        "select a from t as ¦where",
        "select a from t where a between 1¦",
        "select a from t where a is¦",
        "select extract(year ¦a) from t",
        "select cast(a ¦int) from t",
        "select a::  ¦from t",
        "select ¦{1}",
        "with x as (select 1) ¦",
        "with x (¦select 1) select * from x",
        "explain ¦selct 1",
        "select * from ¦a.b.c.d.e",
        "select 5 a ¦6",
        "select * from t where c like 'a%' escape¦",
        "select current_date date ¦time",
        "select a from t tablesample¦",
        "select foo(a ¦b)",
        "select array[1,2¦",
        "select ¦grant from t",
        "select ¦default",
        "select a from t where ¦table = 1",
        "update t set ¦order = 1",
        "select 'it's ¦ok'",
        "select 'a' /* nested /* comment */ */ ¦from t",
    ],
)
def test_no_guess_is_made_where_several_things_can_be_meant(marked):
    assert ask(marked) is None


def test_a_backslash_at_the_end_of_a_line_is_taken_away():
    edit = slip("select 1, \\\n  2", 11).correction
    assert (edit.start, edit.end, edit.replacement) == (10, 11, "")
    assert slip("select 1 \\ 2", 10).correction is None


def test_no_text_of_the_statement_is_repeated_that_could_be_a_password():
    assert "hunter2" not in ask("alter role r password 'x' ¦'hunter2'")


def test_a_statement_that_is_too_long_is_not_looked_at():
    assert slip("select a, " * 1_000_000 + "from t", 10_000_001) is None
    text = f"'{'x' * (LONGEST - 200)}', "
    assert slip(f"select {text}from t", len(text) + 8).advice == "The comma before `from` is one too many."
    assert slip(f"select 'x{text[1:]}{' ' * 200}from t", len(text) + 209) is None


def test_a_statement_of_too_many_tokens_is_not_looked_at():
    names = (MOST - 2) // 2
    assert slip("a, " * names + "from t", 3 * names + 1).advice == "The comma before `from` is one too many."
    assert slip("a, " * (names + 1) + "from t", 3 * names + 4) is None


@given(st.text(max_size=60), st.integers(-2, 70))
def test_no_text_and_no_position_breaks_it(statement, position):
    found = slip(statement, position)
    assert found is None or found.advice.endswith(".")


WORDS = ["select", "from", "where", "order", "by", "group", "limit", "in", "insert", "create", "table", "update", "x"]
MARKS = ["(", ")", ",", ";", "*", "=", "--", "/*", "[", "'a'", "1", '"', "'", "$$"]


@given(st.lists(st.sampled_from(WORDS + MARKS)), st.integers(1, 80))
def test_no_pile_of_sql_breaks_it(words, position):
    found = slip(" ".join(words), position)
    assert found is None or found.advice.endswith(".")
