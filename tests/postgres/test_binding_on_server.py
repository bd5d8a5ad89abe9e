from __future__ import annotations

import subprocess

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.pq import ExecStatus

from tests.tricky_sql import TRICKY
from tusk_jupyter.errors import BindingError
from tusk_jupyter.lexer import significant
from tusk_jupyter.queries.binding import bind
from tusk_jupyter.queries.classify import takes_parameters
from tusk_jupyter.queries.split import next_statement, split

DONE = {ExecStatus.COMMAND_OK, ExecStatus.TUPLES_OK}
EVIL = [
    "'; drop table victim; --",
    '"; drop table victim; --',
    "\\'; drop table victim; --",
    "$$; drop table victim",
    "1) or true--",
    "*/ /*",
    "'\n'",
]


@pytest.fixture
def conn(database):
    with psycopg.connect(database, autocommit=True) as conn:
        yield conn


def send(conn, statement, **names):
    """Bind and send as the extended protocol does, values as text; return rows of text, or raise."""
    bound = bind(statement, lookup=names.__getitem__, known=lambda: names)
    values = [None if value is None else str(value).encode() for value in bound.values]
    result = conn.pgconn.exec_params(bound.text.encode(), values)
    if result.status not in DONE:
        raise psycopg.errors.lookup(result.error_field(psycopg.pq.DiagnosticField.SQLSTATE).decode())(
            result.error_message.decode()
        )
    rows = [[result.get_value(row, column) for column in range(result.nfields)] for row in range(result.ntuples)]
    return [tuple(None if value is None else value.decode() for value in row) for row in rows]


def send_all(conn, script, **names):
    """Run a script as a cell does: the next statement is looked for under the setting that the server reports."""
    start, rows = 0, []
    while True:
        conforming = conn.pgconn.parameter_status(b"standard_conforming_strings") == b"on"
        statement, start = next_statement(script, start, standard_conforming_strings=conforming)
        if statement is None:
            return rows
        rows = send(conn, statement, **names)


@pytest.mark.parametrize("tricky", [t for t in TRICKY if t.runs], ids=lambda t: t.name)
def test_tricky_sql_runs_unchanged(conn, tricky):
    for statement in split(tricky.script):
        send(conn, statement)
    assert conn.info.transaction_status.name == "IDLE"


@pytest.mark.parametrize("tricky", [t for t in TRICKY if not t.runs], ids=lambda t: t.name)
def test_what_is_no_sql_gets_the_servers_error_and_harms_nothing(conn, tricky):
    with pytest.raises(psycopg.Error) as caught:
        send_all(conn, tricky.script)
    assert caught.value.sqlstate in {"42601", "42P01", "42P02"}
    conn.execute("set standard_conforming_strings = on")
    assert send_all(conn, "select 1") == [("1",)]


@pytest.mark.parametrize("tricky", [t for t in TRICKY if t.psql], ids=lambda t: t.name)
def test_psql_splits_the_same_way(server, database, tmp_path, tricky):
    psql = server.bin / "psql"
    if not psql.exists():
        pytest.skip("this PostgreSQL has no psql")
    script, log = tmp_path / "script.sql", tmp_path / "log"
    script.write_text(tricky.script, newline="")
    subprocess.run([psql, "-X", "-q", "-d", database, "-f", script, "-L", log], check=False, capture_output=True)
    logged = log.read_bytes().decode() if log.exists() else ""
    sent = [
        part.split("\n**************************\n")[0] for part in logged.split("********* QUERY **********\n")[1:]
    ]
    ours = split(tricky.script)
    theirs = [text for text in sent if any(True for _ in significant(text.rstrip("; \n")))]
    assert len(theirs) == len(ours)
    for text, statement in zip(theirs, ours, strict=True):
        assert words(text, statement) == words(statement.text, statement)


def words(text, statement):
    """The tokens without comments, which some versions of psql drop, and without the semicolon that it sends."""
    found = significant(text, standard_conforming_strings=statement.standard_conforming_strings)
    pieces = [text[token.start : token.end] for token in found]
    return pieces[:-1] if pieces[-1] == ";" else pieces


@pytest.mark.parametrize(
    ("text", "row"),
    [
        ("select '{{1,2},{3,4}}'::int[]", ("{{1,2},{3,4}}",)),
        ("select '{\"a\":1}'::jsonb", ('{"a": 1}',)),
        ("select 'a :b c'", ("a :b c",)),
        ("select '192.168.1.5'::inet << '192.168.1.0/24'", ("t",)),
        ("select x -> 'y' from (values ('{\"y\": 2}'::json)) t(x)", ("2",)),
        ("select 3 - 1", ("2",)),
        ("select - 1", ("-1",)),
        ("--comment at the start, :a\nselect 1", ("1",)),
        ("select '{x}', '$x', '%s'", ("{x}", "$x", "%s")),
        ("select (array[1,2,3])[1:2], (array[1,2,3])[:n] from (values (1)) t(n)", ("{1,2}", "{1}")),
    ],
)
def test_sql_that_others_break_runs_unchanged(conn, text, row):
    assert send(conn, split(text)[0], b="x", a="x", n="x", x="x") == [row]


@pytest.mark.parametrize("spelling", [":v::text", "{{v}}::text", "{{ v }}::text", ":'v'", "cast(:v as text)"])
@pytest.mark.parametrize("conforming", ["on", "off"])
def test_values_never_act_as_sql(conn, spelling, conforming):
    conn.execute("create table victim(a int)")
    conn.execute(f"set escape_string_warning = off; set standard_conforming_strings = {conforming}")
    for evil in EVIL:
        assert send_all(conn, f"select {spelling}", v=evil) == [(evil,)]
    assert send_all(conn, "select count(*) from victim") == [("0",)]


@pytest.mark.parametrize("evil", EVIL)
def test_names_never_act_as_sql(conn, evil):
    script = 'create table victim(a int); create table :"w" (:"w" text); insert into :"w" values (:v)'
    send_all(conn, script, v="x", w=evil)
    assert send_all(conn, 'select w.:"w" from :"qualified" w', w=evil, qualified=("public", evil)) == [("x",)]
    assert send_all(conn, "select count(*) from victim") == [("0",)]


def test_literals_work_where_parameters_do_not(conn):
    send_all(
        conn,
        """create table :"name" (a text default :'default', b int default :'number');
           comment on table :"name" is :'comment'; insert into :"name" (b) values (:number);
           alter table :"name" alter a set default :'nothing'; insert into :"name" default values""",
        name=("public", 'we"ird'), default="it's \\ me", comment="'; --", number=5, nothing=None,
    )  # fmt: skip
    assert send_all(conn, 'select a, b from :"name" order by a', name='we"ird') == [("it's \\ me", "5"), (None, "5")]
    assert send_all(conn, "select obj_description(:name::regclass)", name='"we""ird"') == [("'; --",)]


def test_membership_follows_the_value(conn):
    conn.execute("create table m as select generate_series(1, 4) as a")
    script = "select string_agg(a::text, ',' order by a) from m where a"
    in_list = bind(split(f"{script} in (:v)")[0], lookup={"v": [1, 3]}.__getitem__, known=list)
    assert conn.execute(in_list.text.replace("$1", "'{1,3}'")).fetchone() == ("1,3",)
    not_in = bind(split(f"{script} not in :v")[0], lookup={"v": [1, 3]}.__getitem__, known=list)
    assert conn.execute(not_in.text.replace("$1", "'{1,3}'")).fetchone() == ("2,4",)
    for text in ("in (:v)", "in :v", "in:v"):
        assert send_all(conn, f"{script} {text}", v=2) == [("2",)]
    assert send_all(conn, "select position(:a in :b)", a="c", b="abc") == [("3",)]


STATEMENTS = """
select :v::int; insert into t values (:v); update t set a = :v; delete from t where a = :v; values (:v::int);
merge into t using (select 1 as x) s on t.a = :v when matched then do nothing; table t limit :v;
with x as (select :v::int) select * from x; (select :v::int); call pr(:v); create table t2 as select :v::int as a;
create temp table if not exists t3(a) as values (:v::int); select :v::int as a into t4;
explain select :v::int; explain (costs off) insert into t values (:v);
explain analyze create table t5 as select :v::int a;
explain declare x cursor for select :v::int; explain (select :v::int);
create view v as select :v::int as a; create materialized view mv as select :v::int as a;
copy (select :v::int) to stdout;
prepare q as select :v::int; execute p(:v); explain execute p(:v); create table t6 as execute p(:v);
create table t7(a int default :v); alter table t alter a set default :v; create index on t((a + :v));
explain create materialized view mv as select :v::int a; create policy x on t using (a = :v); set work_mem = :v;
notify x, :v; comment on table t is :v; do :v; create rule r as on insert to t do also select :v::int;
create function f() returns int begin atomic select :v::int; end; refresh materialized view :v; lock table :v;
declare c cursor for select :v::int
"""


@pytest.mark.parametrize("statement", split(STATEMENTS), ids=lambda s: s.text[:60])
def test_the_server_agrees_on_what_takes_parameters(conn, statement):
    conn.execute("create table t(a int)")
    conn.execute("create procedure pr(a int) language sql as 'select 1'")
    conn.execute("prepare p(int) as select $1")
    conn.execute("begin")
    result = conn.pgconn.exec_params(statement.text.replace(":v", "$1").encode(), [b"1"])
    assert takes_parameters(statement) is (result.status in DONE), result.error_message.decode()
    if not takes_parameters(statement):
        with pytest.raises(BindingError, match="takes no parameters"):
            send(conn, statement, v=1)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    value=st.text(
        alphabet=st.one_of(st.sampled_from("'\"\\$-/*;\n:{"), st.characters(codec="utf-8", exclude_characters="\0"))
    ),
    conforming=st.booleans(),
)
def test_every_text_comes_back_as_it_went(conn, value, conforming):
    conn.execute("set escape_string_warning = off")
    conn.execute(f"set standard_conforming_strings = {'on' if conforming else 'off'}")
    script = "select :v::text, {{v}}::text, :'v', 'a' like:'v'"
    assert send_all(conn, script, v=value)[0][:3] == (value, value, value)
    name = value.encode()[:60].decode(errors="ignore")
    if name:
        bound = bind(split('select 1 as :"v"')[0], lookup={"v": name}.__getitem__, known=list)
        assert conn.pgconn.exec_params(bound.text.encode(), None).fname(0).decode() == name
