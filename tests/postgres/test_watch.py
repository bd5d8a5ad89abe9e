"""``%tusk watch``: reruns in place, marks, and its ends."""

from __future__ import annotations

import threading

import psycopg
import pytest

from tests.waiting import ask, wait_until
from tusk_jupyter.errors import InvalidInput


@pytest.fixture
def other(database):
    with psycopg.connect(database, autocommit=True) as conn:
        yield conn


@pytest.fixture
def counter(cells, other):
    """A sequence whose next number each run takes."""
    other.execute("create sequence s")
    return cells


def shown(reply):
    return "\n".join(reply.displayed)


@pytest.fixture
def views(monkeypatch):
    """The text of every run as it was displayed, one after the other."""
    from tusk_jupyter.widgets.watched import Watched

    seen, html = [], Watched.html

    def noting(self):
        seen.append((self.text(), html(self)))
        return html(self)

    monkeypatch.setattr(Watched, "html", noting)
    return seen


def test_it_runs_so_often_and_the_value_is_the_last_frame(counter):
    reply = counter.run("df = %tusk watch 0.1 --count 3 select nextval('s') as n, 'same' as word")
    assert counter.ns["df"].values.tolist() == [[3, "same"]]
    assert len(reply.displayed) == 1
    assert reply.displayed[0].startswith("SELECT 1 · 3 runs every 0.1 s · last changed ")
    assert "(run 3)" in reply.displayed[0]
    assert "stopped" not in shown(reply)
    assert reply.status == "ok"


def test_cells_that_changed_are_marked(counter, views):
    counter.run("x = %tusk watch 0.1 --count 2 select 'a' as name, nextval('s') as n union all select 'b', 0 order by 1")
    (first, first_html), (second, second_html) = views
    assert first.split("\n")[0].startswith("── run 1 · ")
    assert "*" not in first
    assert "background" not in first_html
    head, names, a, b, status = second.split("\n")
    assert head.endswith("(run 2) · 1 cell changed")
    assert (names.split(), a.split(), b.split()) == (["name", "n"], ["a", "2*"], ["b", "0"])
    assert status.startswith("SELECT 2 · ")
    assert second_html.count("background") == 1
    assert '<b style="font-weight:600">2</b></td>' in second_html


def test_rows_are_matched_by_what_names_them(counter, views):
    counter.run(
        "%%tusk watch 0.1 --count 2\nselect * from (values ('b', 1, 1), ('c', 2, 1), ('a', 9, 2), ('b', 1, 2)) as t(name, n, run), "
        "(select nextval('s') as now offset 0) as s where run = now order by 1"
    )
    head, _, a, b, _ = views[1][0].split("\n")
    assert head.endswith("6 cells changed · 1 new row · 1 row gone")
    # of the new row every cell, of the other its two counters
    assert (a.split(), b.split()) == (["a*", "9*", "2*", "2*"], ["b", "1", "2*", "2*"])


def test_unchanged_is_said(cells):
    reply = cells.run("x = %tusk watch 0.1 --count 2 select 1 as a")
    assert "2 runs every 0.1 s · unchanged" in shown(reply)


@pytest.mark.parametrize("until", ["'n = 3'", "'count(*) > 0 and max(n) >= 3'", "\"n > 2 and 'x' = 'x'\"", "n>2"])
def test_until_is_sql_over_the_result(counter, until):
    reply = counter.run(f"df = %tusk watch 0.1 --until {until} select nextval('s') as n")
    assert counter.ns["df"].values.tolist() == [[3]]
    assert "3 runs" in shown(reply)
    # the statement runs once each time
    assert counter.run("%sql select last_value from s").value.split()[-1] == "3"


def test_until_no_row_is_left(cells, other):
    other.execute("create table jobs (id int); insert into jobs values (1)")
    done = threading.Thread(target=lambda: other.execute("delete from jobs"))
    done.start()
    reply = cells.run("df = %tusk watch 0.1 --until 'count(*) = 0' select id, true as waits from jobs")
    done.join()
    df = cells.ns["df"]
    assert (len(df), list(df.columns), [str(d) for d in df.dtypes]) == (0, ["id", "waits"], ["int64", "bool"])
    assert "--until is reached" in shown(reply)


def test_until_keeps_the_order_and_the_names(cells):
    cells.run("df = %tusk watch 0.1 --until 'count(*) = 5' select i as held, -i as until from generate_series(1, 5) i order by 1 desc")
    df = cells.ns["df"]
    assert df.columns.tolist() == ["held", "until"]
    assert df["held"].tolist() == [5, 4, 3, 2, 1]


def test_until_is_not_reached_by_some_rows_or_null(cells):
    for until in ("i < 3", "null::bool", "false"):
        reply = cells.run(f"df = %tusk watch 0.1 --count 2 --until '{until}' select i from generate_series(1, 3) i")
        assert "2 runs" in shown(reply)
        assert "reached" not in shown(reply)
        assert len(cells.ns["df"]) == 3


@pytest.mark.parametrize(
    ("until", "said", "line"),
    [
        ("'a > 0 and nope = 1'", 'column "nope" does not exist', "LINE 1: a > 0 and nope = 1\n                  ^"),
        ("1", "argument of IS TRUE must be type boolean, not type integer", "LINE 1: 1\n        ^"),
        ("'a >'", "syntax error at end of input", "LINE 1: a >\n           ^"),
        ("'a = :nowhere'", "nowhere", "LINE 1: a = :nowhere\n            ^"),
    ],
)
def test_a_wrong_condition_fails_with_a_caret_in_it(cells, until, said, line):
    reply = cells.run(f"%tusk watch 1 --until {until} select 1 as a", ok=False)
    assert "--until is not a condition: " in reply.error["evalue"]
    assert said in reply.error["evalue"]
    assert line in shown(reply)
    assert "pg_catalog" not in shown(reply)


@pytest.mark.parametrize(
    ("statement", "said", "line"),
    [
        ("-- x\nselect 1 as a,\n  nope", 'column "nope" does not exist', "LINE 3:   nope\n          ^"),
        ("select 1 as a where", "syntax error at end of input", "LINE 1: select 1 as a where\n                           ^"),
        ("select 'x", "unterminated quoted string at or near \"'x\"", "LINE 1: select 'x\n               ^"),
        ("select 1 as a), x as (select 1", 'syntax error at or near ")"', "LINE 1: select 1 as a), x as (select 1\n                     ^"),
    ],
)
def test_a_wrong_statement_beside_it_too(cells, statement, said, line):
    reply = cells.run(f"%%tusk watch 1 --until 'a = 1'\n{statement}", ok=False)
    assert reply.exception.message == said
    assert line in shown(reply)


@pytest.mark.parametrize(
    ("until", "why"),
    [
        ("a > 3; drop table x", "more than one expression"),
        ("a) from result) as one(held)) select 1 --", "nothing is open that ) closes"),
        ("(a > 3", "( is not closed"),
        ("a > (3]", "nothing is open that ] closes"),
        ('a > "3', "it does not end"),
        ("a > 3 /*", "it does not end"),
        ("-- a", "it is empty"),
    ],
)
def test_more_or_less_than_one_expression_is_not_sent(cells, other, until, why):
    reply = cells.run(f"%tusk watch 1 --until '{until}' select 1 as a", ok=False)
    assert isinstance(reply.exception, InvalidInput)
    assert reply.exception.message.startswith("--until is not a condition: ")
    assert why in reply.exception.message


def test_what_is_kept_is_the_user_s_statement(cells, tusk, connection):
    cells.run("df = %tusk watch 0.1 --until 'count(*) = 0' select 1 as a, 'x' as b where false")
    kept = tusk.results.last
    assert (kept.rowcount, kept.command_tag, [column.name for column in kept.columns]) == (0, "SELECT 0", ["a", "b"])
    assert kept.frame is cells.ns["df"]
    assert tusk.results.of(cells.ns["df"]).query_id == kept.query_id
    rows = tusk.storage.write(lambda conn: conn.execute("select sql from history").fetchall()).result(10)
    assert rows == [("select 1 as a, 'x' as b where false",)]


def test_parameters_are_bound_anew_and_from_a_function(counter):
    counter.run(
        "class Next:\n    n = 0\n    @property\n    def one(self):\n        self.n += 1\n        return self.n\n"
        "def watched():\n    local = Next()\n"
        "    return get_ipython().run_line_magic('tusk', 'watch 0.1 --count 3 select :local.one as n')\n"
        "df = watched()"
    )
    assert counter.ns["df"].values.tolist() == [[3]]


def test_sql_is_taken_as_it_is(cells):
    cells.run("%%tusk watch 0.1 --count 1\n-- a comment\nselect $$it's$$ as a, E'\\'' as b, \"c\".* from (select 1 as d) \"c\"")
    assert cells.run("_").value.split()[-3:] == ["it's", "'", "1"]


def test_a_failure_fails_the_cell_and_leaves_what_was_seen(counter):
    reply = counter.run("%tusk watch 0.1 select 10 / (3 - nextval('s')) as n", ok=False)
    assert reply.error["ename"] == "QueryFailed"
    assert "── run 2 · " in shown(reply)
    assert "division by zero" in shown(reply)
    assert counter.run("%sql select 1 as one").value


def test_a_statement_without_rows(cells, other):
    other.execute("create table t (a int)")
    reply = cells.run("x = %tusk watch 0.1 --count 2 insert into t values (1)")
    assert cells.ns["x"] is None
    assert "INSERT 0 1 · 2 runs every 0.1 s" in shown(reply)
    assert ask(other.info.dsn, "select count(*) from t") == 2


def test_notices_and_an_open_transaction_stand_below(cells, views):
    cells.run("%sql begin")
    cells.run("%sql create function f() returns int language plpgsql as $$ begin raise notice 'said'; return 1; end $$")
    reply = cells.run("x = %tusk watch 0.1 --count 1 select f()")
    assert "NOTICE:  said" in views[0][0]
    assert "transaction open" in shown(reply)
    cells.run("%sql rollback")


def test_it_works_read_only(shell, database):
    shell.run(f"%tusk_connect {database} --name ro --read-only")
    assert shell.run("%tusk watch 0.1 --count 2 --until 'a = 2' select 1 as a").value.split()[-1] == "1"


def test_nothing_of_it_is_markup_and_all_of_it_is_bounded(cells, views):
    cells.run("%%tusk watch 0.1 --count 1\nselect '<img src=x>' as \"<b>\", e'\\x1b[31m\\n' as c, repeat('x', 100000) as long")
    text, html = views[0]
    assert "<img" not in html
    assert "<b>" not in html
    assert "\x1b" not in text + html
    assert len(html) < 3_000
    cells.run("df = %tusk watch 0.1 --count 2 select i, random() from generate_series(1, 100000) i")
    text, html = views[-1]
    assert "30 cells changed" in text
    assert "… 99,970 more rows" in text
    assert len(html) < 20_000
    assert len(cells.ns["df"]) == 100_000


@pytest.mark.parametrize(
    "line",
    ["", "soon select 1", "0.01 select 1", "1", "1 --count 0 select 1", "1 --what select 1", "1 nonsense", "1 select 1; select 2",
     "1 commit", "1 --until 'true' insert into t values (1)", "1 --count 1 --count 2 select 1"],
)  # fmt: skip
def test_what_cannot_be_watched_runs_nothing(cells, line):
    reply = cells.run(f"%tusk watch {line}", ok=False)
    assert reply.error["ename"] == "InvalidInput"


@pytest.mark.parametrize("cell", ["%sql \\watch 5", "%%sql \\watch\nselect 1", "%%sql db \\watch 1\nselect 1"])
def test_psql_s_name_for_it_leads_to_it(cells, cell):
    reply = cells.run(cell, ok=False)
    assert r"\watch" in reply.exception.message
    assert "%tusk watch SECONDS SQL" in reply.exception.advice


def test_other_subcommands_have_no_body(cells):
    reply = cells.run("%%tusk status\nselect 1", ok=False)
    assert "is a line" in reply.error["evalue"]


def test_a_stop_between_runs_and_one_within(cells, monkeypatch):
    from tusk_jupyter.magics.watch import Watch

    started, began = [], Watch.runs

    def noting(self):
        started.append(self)
        return began(self)

    monkeypatch.setattr(Watch, "runs", noting)

    def stop(when):
        watch = wait_until(lambda: started and when(started[-1]) and started[-1])
        watch.cancel("button")

    for sql, when in (
        ("select 7 as n", lambda watch: watch._number == 1 and watch._running is None and watch._next_at > watch._start),
        ("select 7 as n, pg_sleep(case when nextval('s') = 2 then 60 else 0 end)", lambda watch: watch._number == 2 and watch._running),
    ):  # fmt: skip
        cells.run("%%sql\ndrop sequence if exists s; create sequence s")
        started.clear()
        thread = threading.Thread(target=stop, args=(when,))
        thread.start()
        interval = 3600 if "sleep" not in sql else 0.1
        reply = cells.run(f"df = %tusk watch {interval} {sql}", ok=None)
        thread.join()
        assert cells.ns["df"]["n"].tolist() == [7]
        assert "stopped" in shown(reply)
        assert reply.error is None
        assert reply.exception.__class__.__name__ == "QueryInterrupted"
    assert cells.run("%sql select 1 as one").value
