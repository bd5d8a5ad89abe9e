from __future__ import annotations

from dataclasses import fields

import pytest

from tests.unit.widgets.seen import first, tree, words
from tusk_jupyter import errors
from tusk_jupyter.errors import (
    Correction,
    Diagnostic,
    Place,
    QueryCancelled,
    QueryFailed,
    QueryInterrupted,
    SslError,
    TuskError,
)
from tusk_jupyter.widgets.error_panel import ErrorPanel, everything

CELL = "%%sql\nselect origin, count(*),\n       avg(dep_dely) as mean_delay\nfrom flights group by origin"
DIAG = Diagnostic(
    severity="ERROR",
    sqlstate="42703",
    message_primary='column "dep_dely" does not exist',
    message_hint='Perhaps you meant to reference the column "flights.dep_delay".',
    statement_position=36,
    source_function="errorMissingColumn",
)
ERROR = QueryFailed(
    'column "dep_dely" does not exist',
    hint=DIAG.message_hint,
    sqlstate="42703",
    diag=DIAG,
    place=Place(CELL, CELL.index("dep_dely")),
    advice="`dep_delay` is in `flights`",
    correction=Correction(CELL.index("dep_dely"), CELL.index("dep_dely") + 8, "dep_delay"),
    transaction="The transaction (2 statements) is now failed: ROLLBACK, or ROLLBACK TO a savepoint.",
)
CANARY = "hunter2canary"
HOSTILE = "<img src=x onerror=alert(1)> & \x1b[31m \u202e"
SEEN = "<img src=x onerror=alert(1)> & \\x1b[31m \\u202e"


def classes(root=TuskError):
    return [root, *(c for child in root.__subclasses__() for c in classes(child))]


def test_the_text_twin_reads_like_psql():
    assert ErrorPanel.from_error(ERROR).text().split("\n") == [
        'ERROR:  column "dep_dely" does not exist  (42703 undefined_column)',
        "LINE 3:        avg(dep_dely) as mean_delay",
        "                   ^",
        'HINT:   Perhaps you meant to reference the column "flights.dep_delay".',
        "ADVICE: dep_delay is in flights; line 3 would read: avg(dep_delay) as mean_delay",
        "The transaction (2 statements) is now failed: ROLLBACK, or ROLLBACK TO a savepoint.",
    ]


def test_html_says_the_same_in_the_same_order():
    html = ErrorPanel.from_error(ERROR).html()
    seen = words(html)
    parts = [
        'ERROR: column "dep_dely" does not exist',
        "42703 undefined_column",
        "avg(dep_dely) as mean_delay",
        "hint",
        "Perhaps you meant",
        "advice",
        "dep_delay is in flights",
        "The transaction (2 statements)",
        "everything the server said",
        "errorMissingColumn",
    ]
    at = [seen.index(part) for part in parts]
    assert at == sorted(at)
    assert first(html, "u") == "dep_dely"
    assert len(html) < 4_000


def test_an_error_without_a_server_has_its_kind_and_facts():
    error = SslError(
        "Cannot connect to shop: the server's certificate is not signed by a CA this machine trusts",
        facts=(("tried", "analyst@db.example.org:5432/shop"), ("reached", "DNS, TCP, TLS")),
    )
    panel = ErrorPanel.from_error(error)
    lines = panel.text().split("\n")
    assert lines[0].endswith("this machine trusts  (ssl)")
    assert lines[1:3] == ["TRIED:  analyst@db.example.org:5432/shop", "REACHED: DNS, TCP, TLS"]
    assert words(panel.html()).startswith("Cannot connect to shop: ")
    assert "everything the server said" not in words(panel.html())


def test_names_from_the_server_are_rows():
    diag = Diagnostic(severity="ERROR", schema_name="public", table_name="orders", constraint_name="orders_pkey")
    panel = ErrorPanel.from_error(QueryFailed("duplicate", sqlstate="23505", detail="Key (id)=(7).", diag=diag))
    assert panel.rows == (("detail", "Key (id)=(7)."), ("constraint", "orders_pkey"), ("table", "public.orders"))
    assert "CONSTRAINT: orders_pkey\nTABLE:  public.orders" in panel.text()


def test_a_schema_alone_is_a_row():
    panel = ErrorPanel.from_error(QueryFailed("x", diag=Diagnostic(schema_name="sales")))
    assert panel.rows == (("schema", "sales"),)


def test_advice_of_several_lines_is_indented():
    lines = ErrorPanel.from_error(errors.NoActiveConnection("no connection")).text().split("\n")
    assert lines[1] == "ADVICE: Connect first, with one of:"
    assert all(line.startswith(" " * 10 + "%tusk_connect") for line in lines[2:5])


def test_the_severity_is_the_server_s_own_word():
    panel = ErrorPanel.from_error(QueryFailed("Division durch Null", diag=Diagnostic(severity="FEHLER")))
    assert panel.text().startswith("FEHLER:  Division durch Null")


@pytest.mark.parametrize("lines", [1, 8])
def test_a_long_context_is_folded_but_complete(lines):
    context = "\n".join(f"PL/pgSQL function report_of_the_month_{i}(integer) line {i} at PERFORM" for i in range(lines))
    panel = ErrorPanel.from_error(QueryFailed("x", diag=Diagnostic(context=context)))
    folds = [e for e in tree(panel.html()).iter("dd") if e.find("details") is not None]
    assert len(folds) == (lines > 1)
    for i in range(lines):
        assert f"report_of_the_month_{i}" in words(panel.html())
        assert f"report_of_the_month_{i}" in panel.text()


@pytest.mark.parametrize("cls", classes(), ids=lambda c: c.__name__)
def test_every_class_of_the_tree_has_a_panel_with_advice(cls):
    panel = ErrorPanel.from_error(cls("it did not work"))
    assert panel.text().startswith(f"ERROR:  it did not work  ({cls.kind})\nADVICE: ")
    assert words(panel.html()).startswith(f"it did not work {cls.kind}")
    assert panel._repr_mimebundle_() == {"text/plain": panel.text(), "text/html": panel.html()}
    assert str(panel) == panel.text()


def test_an_interrupt_shows_the_cancelled_statement_and_is_no_alarm():
    cancelled = QueryCancelled("canceling statement due to user request", sqlstate="57014", transaction="Still open.")
    panel = ErrorPanel.from_error(QueryInterrupted(cancelled))
    assert panel == ErrorPanel.from_error(cancelled)
    assert "(57014 query_canceled)" in panel.text()
    assert "--jp-error-color1" not in panel.html()
    assert "--jp-error-color1" in ErrorPanel.from_error(QueryFailed("x")).html()


def hostile_error():
    diag = Diagnostic(**{f.name: 7 if f.name.endswith("position") else HOSTILE for f in fields(Diagnostic)})
    return QueryFailed(
        HOSTILE,
        detail=HOSTILE,
        hint=HOSTILE,
        advice=HOSTILE,
        sqlstate="<i>",
        condition=HOSTILE,
        place=Place(f"select {HOSTILE}\n{HOSTILE}", 7),
        diag=diag,
        transaction=HOSTILE,
        facts=((HOSTILE, HOSTILE),),
        name=HOSTILE,
    )


@pytest.mark.parametrize("make", [ErrorPanel.from_error, everything])
def test_markup_and_control_characters_stay_text(make):
    panel = make(hostile_error())
    assert words(panel.html()).count(SEEN) > 10
    for char in "\x1b\u202e":
        assert char not in panel.text()
        assert char not in panel.html()


def test_a_huge_message_is_cut_in_no_time():
    huge = "\x1bé<" * 33_000_000
    error = QueryFailed(
        huge, detail=huge, hint=huge, advice=huge, transaction=huge, diag=Diagnostic(message_primary=huge, context=huge)
    )
    panel = ErrorPanel.from_error(error)
    text, html = panel.text(), panel.html()
    assert "(98,998,000 more characters)" in text
    assert "(98,996,000 more characters)" in text
    assert len(text) < 40_000
    assert len(html) < 80_000


def test_many_facts_are_bounded():
    panel = ErrorPanel.from_error(SslError("x", facts=tuple((f"f{i}", "v") for i in range(1_000))))
    assert len(panel.rows) == 12


def test_no_password_of_the_cell_or_of_a_context_is_shown():
    sql = f"alter role r password '{CANARY}' vlid"
    diag = Diagnostic(severity="ERROR", internal_query=sql, context=f'SQL statement "{sql}"', message_primary="x")
    error = QueryFailed("syntax error", sqlstate="42601", diag=diag, place=Place(sql, sql.index("vlid")))
    for panel in (ErrorPanel.from_error(error), everything(error)):
        assert CANARY not in panel.text() + panel.html()
        assert "vlid" in panel.text()


def test_everything_shows_every_field_and_folds_nothing():
    given = {f.name: 7 if f.name.endswith("position") else f"the {f.name}" for f in fields(Diagnostic)}
    error = QueryFailed("x", sqlstate="42703", diag=Diagnostic(**given), name="shop", duration_s=1.5, position=3)
    panel = everything(error)
    for name, value in given.items():
        line = f"{name}: ".ljust(len("severity_nonlocalized: ")) + str(value)
        assert line in panel.text().split("\n")
        assert line in words(panel.html()).split("\n") or name == "source_function"
    assert "class:                 QueryFailed" in panel.text()
    assert "duration_s:            1.5" in panel.text()
    assert tree(panel.html()).find(".//details") is None


def test_everything_is_there_for_an_error_without_a_diagnostic():
    text = everything(errors.ConnectionNotFound("no connection named 'shpo'", name="shpo")).text()
    assert "name:  shpo" in text
    assert "class: ConnectionNotFound" in text


def test_everything_keeps_long_fields_longer():
    error = QueryFailed("m" * 5_000, diag=Diagnostic(message_primary="m" * 5_000))
    assert "more characters" in ErrorPanel.from_error(error).text()
    assert "more characters" not in everything(error).text()


@pytest.mark.parametrize("foreign", ["http", "url(", "<script", "<style", "@import", "onclick"])
def test_nothing_runs_and_nothing_comes_from_elsewhere(foreign):
    assert foreign not in ErrorPanel.from_error(ERROR).html()


def advice_of(text, correction, advice="Look again.", **more):
    error = QueryFailed("no", place=Place(text, correction.start, **more), correction=correction, advice=advice)
    panel = ErrorPanel.from_error(error)
    assert words(panel.html()).count("would read") == panel.text().count("would read")
    return panel.text().split("ADVICE: ")[1]


def test_the_corrected_line_follows_the_advice():
    assert advice_of("%sql selct 1", Correction(5, 10, "select")) == "Look again. Line 1 would read: %sql select 1"
    assert advice_of("select\n\t漢字,\tnmae\nfrom t", Correction(12, 16, "name"), "it is name") == (
        "it is name; line 2 would read: 漢字,   name"
    )
    assert advice_of("select `a`", Correction(7, 10, '"a"')).endswith('would read: select "a"')


def test_a_long_line_is_cut_far_from_the_correction():
    text = f"select {'a, ' * 3000}b from {'t, ' * 3000}t"
    at = text.index("b from")
    said = advice_of(text, Correction(at, at + 1, "better"))
    assert "a, better from t, t" in said
    assert len(said) < 160
    assert said.count("…") == 2


def test_no_corrected_line_of_a_functions_query_or_of_two_lines():
    assert "read" not in advice_of("select x", Correction(7, 8, "y"), internal=True)
    assert "read" not in advice_of("select x\n, y", Correction(7, 11, "y"))


def test_a_corrected_line_shows_no_password_and_nothing_that_acts():
    said = advice_of(f"alter rol x password '{CANARY}' {HOSTILE}", Correction(6, 9, "role"))
    assert CANARY not in said
    assert SEEN in said
