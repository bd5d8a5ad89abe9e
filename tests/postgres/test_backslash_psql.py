r"""What commands do in a cell beside what psql does with the same script on the same database."""

from __future__ import annotations

import re
import subprocess

import pytest

SALES = """
create table sales (product text, month text, amount int, rank int);
insert into sales values ('tea', 'feb', 2, 2), ('tea', 'jan', 1, 1), ('ink', 'jan', 3, 1), (null, 'mar', null, 30),
  ('ink', null, 5, -1), ('oil', 'apr', 7, null)
"""


@pytest.fixture
def psql(server, database, tmp_path):
    r"""What psql prints for a script, one string of stdout and stderr."""
    program = server.bin / "psql"
    if not program.exists():
        pytest.skip("this PostgreSQL has no psql")

    def run(script: str, *options: str) -> str:
        file = tmp_path / "script.sql"
        file.write_text(script)
        done = subprocess.run(
            [program, "-X", "-q", "-d", database, *options, "-f", file], check=False, capture_output=True, text=True
        )
        return done.stdout + re.sub(r"^psql:\S+?:\d+: (?:error: )?", "", done.stderr, flags=re.MULTILINE)

    return run


def unaligned(text):
    return [line.split("|") for line in text.strip("\n").split("\n")]


def texts(frame):
    values = frame.astype(object).where(frame.notna(), "").to_numpy().tolist()
    return [list(frame.columns), *([str(value) for value in row] for row in values)]


@pytest.mark.parametrize(
    "arguments",
    ["product month amount", "1 2 3", "month product amount", "product month amount rank", "amount 2 1 4",
     '"product" MONTH 3 4', "2 1 amount"],
)  # fmt: skip
def test_crosstabview(cells, psql, arguments):
    cells.run(f"%%sql\n{SALES}")
    script = f"select * from sales order by product, month, amount\n \\crosstabview {arguments}\n"
    cells.run(f"%%sql grid <<\n{script}")
    assert texts(cells.ns["grid"]) == unaligned(psql(script, "-A", "--pset=footer=off"))


@pytest.mark.parametrize(
    ("sql", "arguments"),
    [
        ("select * from sales", ""),
        ("select product, month from sales", ""),
        ("select product, month, amount from sales", "1 1"),
        ("select product, month, amount from sales", "1 4"),
        ("select product, month, amount from sales", "0 1"),
        ("select product, month, amount from sales", "1 nix"),
        ("select product, product, amount from sales", "product 3 1"),
        ("select 'a' as v, 'b' as h, n from generate_series(1, 2) n", ""),
        ("select null as v, null as h, n from generate_series(1, 2) n", ""),
        ("select 1 as v, n as h, 1 as d from generate_series(1, 1601) n", ""),
    ],
)
def test_what_crosstabview_refuses(cells, psql, sql, arguments):
    cells.run(f"%%sql\n{SALES}")
    theirs = psql(f"{sql} \\crosstabview {arguments}\n").strip()
    ours = cells.run(f"%%sql\n{sql} \\crosstabview {arguments}", ok=False).exception.message
    assert ours.replace("'", '"') == theirs


def test_crosstabview_keeps_the_kind_of_the_data(cells):
    cells.run(f"%%sql\n{SALES}")
    cells.run(
        "grid = %sql select product, month, amount from sales where product is not null and month is not null \\crosstabview"
    )
    grid = cells.ns["grid"]
    assert {name: str(grid[name].dtype) for name in ("feb", "jan", "apr")} == {
        "feb": "Int64",
        "jan": "Int64",
        "apr": "Int64",
    }
    assert grid.set_index("product").loc["tea", "jan"] == 1


@pytest.mark.parametrize(
    "sql",
    [
        "select 1 as a, 'x' as b",
        "select null as a, true as b",
        "select 1 as a where false",
        "select n as a from generate_series(1, 2) n",
        "select 1",
    ],
)
def test_gset(cells, psql, sql):
    theirs = psql(f"\\set a before\n{sql} \\gset\n\\echo :a :b\n").strip().split("\n")
    cells.run("a = 'before'; b = ':b'")
    reply = cells.run(f"%%sql\n{sql} \\gset", ok=None)
    if reply.status == "error":
        complaint = next(line for line in theirs if "gset" in line or "variable name" in line)
        said = reply.exception.message.replace("'", '"')
        assert complaint == said or ("variable name" in complaint and "name of a variable" in said)
    spelt = {"None": ":a", "True": "t"}  # psql deletes what is NULL
    a, b = (spelt.get(str(cells.ns[name]), str(cells.ns[name])) for name in "ab")
    assert f"{a} {b}" in theirs


def test_gexec(cells, psql, database):
    script = """
create temp table made (n int, by text);
select format('insert into made values (%s, ''%s'')', n, n), case when n = 2 then null else 'insert into made select count(*), ''c'' from made' end
from generate_series(1, 3) n \\gexec
select * from made order by 1, 2 \\g
"""
    theirs = psql(script, "-A", "-t")
    cells.run(f"%%sql made <<\n{script}")
    assert texts(cells.ns["made"])[1:] == unaligned(theirs)


def test_gdesc(cells, psql):
    sql = "select 1 as a, 'x'::varchar(7) as \"B\", 1.5::numeric(6,2), array[now()] as d"
    cells.run(f"%sql d << {sql} \\gdesc")
    assert cells.ns["d"].to_numpy().tolist() == unaligned(psql(f"{sql} \\gdesc\n", "-A", "-t"))


def test_watch(cells, psql, server):
    cells.run("%sql create sequence s")
    if server.version >= 16:
        theirs = psql("select nextval('s') as n \\watch i=0.1 c=3\n", "-A", "-t")
        assert theirs.split()[-1] == "3"
        cells.run("%sql alter sequence s restart")
    cells.run("%%sql n <<\nselect nextval('s') as n \\watch i=0.1 c=3")
    assert cells.ns["n"]["n"].tolist() == [3]


SOURCES = """
create function plain(a int, b text default 'x') returns int language sql immutable as 'select 1';
create function many(a int) returns int language plpgsql as $$
declare
  x int := 1;

begin
  return x;
end $$;
create procedure done() language sql as $$ select 1 $$;
create schema other;
create function other."Odd Name"() returns setof int language sql as 'select 1';
create view simple as select 1 as a, 'x'::text as b;
create view checked with (security_barrier) as select * from pg_class where relname > 'a' with cascaded check option;
create view other."Odd View" with (check_option = local, security_barrier = false) as select * from pg_class;
"""


@pytest.mark.parametrize(
    "name",
    ["sf plain", "sf+ plain", "sf many", "sf+ many(int)", "sf done", 'sf+ other."Odd Name"', "sf PLAIN(integer, text)",
     "sv simple", "sv+ simple", "sv checked", "sv+ checked", 'sv other."Odd View"'],
)  # fmt: skip
def test_sources(cells, psql, name):
    cells.run(f"%%sql\n{SOURCES}")
    shown = cells.run(f"%sql \\{name}").value
    assert [line.rstrip() for line in psql(f"\\{name}\n").rstrip("\n").split("\n")] == shown.split("\n")


def test_the_body_of_a_standard_function_is_numbered_as_psql_does(cells, psql, server):
    if server.version < 14:
        pytest.skip("BEGIN ATOMIC is PostgreSQL 14's")
    cells.run(
        "%%sql\ncreate function b() returns int language sql begin atomic select 1; end;create function r() returns int language sql return 1"
    )
    for name in ("sf+ b", "sf+ r"):
        shown = cells.run(f"%sql \\{name}").value
        assert [line.rstrip() for line in psql(f"\\{name}\n").rstrip("\n").split("\n")] == shown.split("\n")


def test_conninfo(cells, psql):
    theirs = psql("\\conninfo\n")
    cells.run("%sql c << \\conninfo")
    facts = dict(cells.ns["c"].to_numpy().tolist())
    for name in ("Database", "Client User", "Socket Directory", "Server Port"):
        assert facts[name] in theirs


def test_arguments_are_read_alike(cells, psql):
    script = (
        "\\echo a  'b  c' 'it''s' \"q 'x\"\"y\" 'x\\ty\\x41' end;\n\\echo -n no line\n\\echo\n\\echo one \\echo two\n"
    )
    assert cells.run(f"%%sql\n{script}").stdout == psql(script)
