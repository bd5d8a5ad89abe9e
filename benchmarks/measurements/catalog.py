"""What a database holds, read in the background: how long, with how much memory, and what a change costs afterwards.

Tables of ten columns each, all of them named differently, a primary key on every one, in schemas of a thousand: a small
database, one of a thousand tables, and the full one with 100,000 tables and 1,000,000 columns. Everything is measured
in the process that reads, which connects as a user does. «Longest pause» is how long another thread of that process,
the one that runs the cells, had to wait for the interpreter at most, beyond a sleep of a millisecond; what the machine
does besides is in it.
"""

from __future__ import annotations

import json
import subprocess
from functools import partial
from typing import TYPE_CHECKING

from side_by_side.cases import Aim, Case, Measurement, Sample
from side_by_side.shell import ChildFailed

if TYPE_CHECKING:
    from side_by_side.place import Place

READ, CPU, MEMORY, CHANGED, PAUSE = "read", "CPU of the reader", "memory", "known after CREATE TABLE", "longest pause"
PER_SCHEMA = 1000
LIMIT_S = 900.0
COLUMNS = (
    "id_%1$s int primary key, customer_%1$s text not null, amount_%1$s numeric(12,2), status_%1$s varchar(20), "
    "created_%1$s timestamptz, note_%1$s text, count_%1$s bigint, ratio_%1$s float8, day_%1$s date, flag_%1$s boolean"
)
CHILD = """
import json, resource, sys, time
import pandas, psycopg
import tusk_jupyter

def memory():
    with open("/proc/self/statm") as f:
        return int(f.read().split()[1]) * 4096 / 1e6

def processor():
    return resource.getrusage(resource.RUSAGE_SELF).ru_utime

def until(condition):
    longest = 0.0
    while not condition():
        start = time.perf_counter()
        time.sleep(0.001)
        longest = max(longest, time.perf_counter() - start - 0.001)
    return longest

schemas = tusk_jupyter.state().schemas
connection = tusk_jupyter.connect("dbname=" + sys.argv[1], name="db")
before, used, began = memory(), processor(), time.perf_counter()
pause = until(lambda: len(schemas.catalog(connection).loaded) == 7)
told = {"read": time.perf_counter() - began, "CPU of the reader": processor() - used, "memory": memory() - before}
began = time.perf_counter()
tusk_jupyter.sql("create table public.fresh (id int primary key)")
until(lambda: schemas.catalog(connection).relation("fresh", "public"))
told |= {"known after CREATE TABLE": time.perf_counter() - began, "longest pause": pause * 1000}
tusk_jupyter.sql("drop table public.fresh")
tusk_jupyter.state().close()
print(json.dumps(told))
"""


def plan(place: Place, *, quick: bool) -> Measurement:
    """Make the databases, then read each in processes of its own."""
    sizes = (10, 100) if quick else (10, 1000, 100_000)
    for tables in sizes:
        _make(place, tables)
    names = [f"{tables:,} tables" for tables in sizes]
    return Measurement(
        name="catalog",
        title="What a database holds, read in the background",
        unit="s",
        units={MEMORY: "MB", PAUSE: "ms"},
        cases=[Case(name, partial(_sample, place, tables)) for name, tables in zip(names, sizes, strict=True)],
        aims=[Aim(figure, name) for name in names for figure in (READ, CPU, MEMORY, CHANGED, PAUSE)],
        rounds=1 if quick else 3,
        warm_up=False,
    )


def _make(place: Place, tables: int) -> None:
    with place.connect() as conn:
        conn.execute(f"create database tables_{tables}")
    for start in range(0, tables, PER_SCHEMA):
        with place.connect(f"tables_{tables}") as conn:
            conn.execute(_schema(start, min(PER_SCHEMA, tables - start)))


def _schema(start: int, count: int) -> str:
    """Return a block that commits now and then: every table holds locks until its transaction ends."""
    name = f"s{start // PER_SCHEMA}"
    return f"""
    do $$ begin
      create schema {name};
      for n in {start + 1}..{start + count} loop
        execute format('create table {name}.table_%1$s ({COLUMNS})', n);
        if n % 100 = 0 then commit; end if;
      end loop;
    end $$
    """


def _sample(place: Place, tables: int) -> Sample:
    command = [str(place.pythons["own"]), "-P", "-c", CHILD, f"tables_{tables}"]
    done = subprocess.run(
        command, env=place.environment(), text=True, capture_output=True, timeout=LIMIT_S, check=False
    )
    if done.returncode:
        raise ChildFailed("tusk-jupyter", done.stdout + done.stderr)
    return {figure: [value] for figure, value in json.loads(done.stdout).items()}
