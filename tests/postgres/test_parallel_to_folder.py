"""``%%sql --parallel N --to DIR/``: a folder that other programs read as one table, whole or not there."""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from tests.waiting import running, wait_until
from tusk_jupyter.errors import ConversionError, InvalidInput, IoError, QueryCancelled

TABLE = """
create type mood as enum ('sad', 'happy');
create table t as select i, i::int2 as small, nullif(i, 3)::numeric(8,2) as n, md5(i::text) as s, i % 3 = 0 as b,
  '2024-01-01'::timestamptz + i * interval '1 hour' as z, '2024-01-01'::date + i as d, i::float8 / 3 as f,
  '2024-01-01'::timestamp + i * interval '1 s' as l, array[i, null] as a, case when i % 5 > 0 then i::int8 end as holes,
  convert_to(i::text, 'UTF8') as y, gen_random_uuid() as u, (case when i % 2 = 0 then 'sad' else 'happy' end)::mood as m
from generate_series(1, 5000) i
"""


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """The directory of the kernel, and nothing else in it."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def cells(cells, server):
    if server.version < 14:
        pytest.skip("tables are read by ranges of pages since PostgreSQL 14")
    cells.run(f"%%sql\nset timezone = 'Europe/Berlin'; {TABLE}")
    return cells


def left():
    return sorted(path.name for path in Path().iterdir())


def refused(cells, line, sql="table t"):
    return cells.run(f"%%sql {line}\n{sql}", ok=False).exception


def written(cells, sql="table t", options="--parallel 3"):
    reply = cells.run(f"%%sql {options} --to out/\n{sql}")
    assert reply.value is None
    return [parquet.read_table(path) for path in sorted(Path("out").iterdir())], reply


@pytest.mark.parametrize("options", ["--parallel 3", "--parallel 4 --split n"])
def test_each_part_is_a_file_of_the_same_schema(cells, options):
    parts, reply = written(cells, options=options)
    names = sorted(path.name for path in Path("out").iterdir())
    assert names == [f"part-{number}.parquet" for number in range(len(parts))]
    assert left() == ["out"]
    assert all(part.schema.equals(parts[0].schema) and part.num_rows > 500 for part in parts)
    cells.run("%%sql --to one.parquet\ntable t")
    one = parquet.read_table("one.parquet")
    assert parts[0].schema.equals(one.schema)
    whole = pa.concat_tables(parts)
    assert whole.sort_by("i").to_pylist() == one.to_pylist()
    assert reply.displayed[-1].startswith("SELECT 5000 · 5,000 rows, ")
    assert f"written to out/ · {len(parts)} parts" in reply.displayed[-1] or f"{len(parts)} parts" in reply.displayed[-1]


def test_a_part_without_rows_has_the_schema_too(cells):
    for sql in ("select * from t where false", "select * from t where i = 1"):
        parts, _ = written(cells, sql)
        assert len(parts) == 3
        assert all(part.schema.equals(parts[0].schema) for part in parts)
        assert sum(part.num_rows for part in parts) == (1 if "i = 1" in sql else 0)
        for path in Path("out").iterdir():
            path.unlink()  # an empty folder may be filled again


def test_duckdb_reads_it_as_one_table(cells):
    import duckdb

    written(cells)
    with duckdb.connect() as duck:
        duck.execute("set timezone = 'UTC'")
        count, total, moments, days, true, nulls = duck.execute(
            "select count(*), sum(n)::varchar, epoch_us(max(z)), max(d)::varchar, count(*) filter (where b), "
            "count(*) - count(holes) from read_parquet('out/*.parquet')"
        ).fetchone()
        types = dict(duck.execute("select column_name, column_type from (describe from 'out/*.parquet')").fetchall())
        texts = duck.execute("select i, s, a, m::varchar, y from 'out/*.parquet' order by i limit 2").fetchall()
    expected = cells.run("%sql --format rows r << select sum(n)::text as n, extract(epoch from max(z)) * 1000000 as z, max(d)::text as d from t")
    row = cells.ns["r"][0]
    assert expected.status == "ok"
    assert (count, total, moments, days, true, nulls) == (5000, row.n, int(row.z), row.d, 1666, 1000)
    assert types["n"] == "DECIMAL(8,2)"
    assert types["small"] == "SMALLINT"
    assert types["z"] == "TIMESTAMP WITH TIME ZONE"
    assert types["a"] == "INTEGER[]"
    assert [(i, a, m, bytes(y)) for i, _, a, m, y in texts] == [(1, [1, None], "happy", b"1"), (2, [2, None], "sad", b"2")]


@pytest.mark.filterwarnings("ignore:The inplace keyword")  # a deprecation of pandas that dask still meets
def test_dask_reads_it_as_one_frame(cells):
    import dask
    import dask.dataframe as frames

    written(cells, options="--parallel 2 --split i")
    with dask.config.set(scheduler="synchronous"):
        found = frames.read_parquet("out/").compute().sort_values("i", ignore_index=True)
        lazy = frames.read_parquet("out/")
        assert lazy.npartitions == 2
        assert int(lazy.i.sum().compute()) == 5000 * 5001 // 2
    assert len(found) == 5000
    assert str(found.z.dtype).startswith("datetime64[us, ")
    assert found.small.dtype == "int16"
    cells.run("%%sql --format arrow r <<\nselect s, n, holes, z from t order by i")
    expected = cells.ns["r"]
    assert found.s.tolist() == expected["s"].to_pylist()
    assert found.n.isna().sum() == 1
    assert found.n[[0, 1, 3]].astype(str).tolist() == ["1.00", "2.00", "4.00"]
    assert found.holes.isna().sum() == 1000
    assert found.z[0].value // 1000 == expected["z"].cast(pa.int64())[0].as_py()


def test_an_existing_folder_is_only_filled_when_it_is_empty(cells):
    Path("out").mkdir(mode=0o750)
    written(cells)
    assert oct(Path("out").stat().st_mode)[-3:] == "750"
    before = {path.name: path.stat().st_mtime_ns for path in Path("out").iterdir()}
    error = refused(cells, "--parallel 2 --to out/")
    assert isinstance(error, InvalidInput)
    assert "something in it" in error.message
    assert {path.name: path.stat().st_mtime_ns for path in Path("out").iterdir()} == before
    Path("file").write_text("x")
    assert "is no folder" in refused(cells, "--parallel 2 --to file/").message
    assert isinstance(refused(cells, "--parallel 2 --to nowhere/out/"), IoError)
    Path("empty").mkdir()
    os.chdir("empty")
    assert "where the kernel is" in refused(cells, "--parallel 2 --to ./").message
    os.chdir("..")
    Path("empty").rmdir()
    assert left() == ["file", "out"]


def test_one_connection_writes_no_folder_and_several_no_file(cells):
    error = refused(cells, "--to out/")
    assert "is a folder" in error.message
    assert "--parallel N" in error.advice
    assert "--to DIR/" in refused(cells, "--parallel 2 --to out.parquet").advice
    assert left() == []


def test_a_value_that_does_not_fit_leaves_nothing(cells):
    cells.run("%%sql\nupdate t set d = 'infinity' where i = 4000")
    error = refused(cells, "--parallel 3 --to out/")
    assert isinstance(error, ConversionError)
    assert "'infinity' does not fit date32" in error.message
    assert [value for name, value in error.facts if name == "part"]
    assert left() == []
    error = refused(cells, "--parallel 2 --to out/", "select from t")
    assert "without a column" in error.message
    assert left() == []


def being_written():
    with suppress(FileNotFoundError):  # a folder may go while it is looked into
        return list(Path().glob(".tusk-*.part/*"))
    return []


def test_a_folder_that_was_filled_meanwhile_is_left_alone(cells, database):
    Path("out").mkdir()
    cells.run("%%sql\ncreate table here (i int); insert into here values (1)")

    def fill():
        wait_until(being_written)
        Path("out/theirs").write_text("x")

    thread = threading.Thread(target=fill)
    thread.start()
    error = refused(cells, "--parallel 2 --to out/", "select i, pg_sleep(0.0005) from t")
    thread.join()
    assert isinstance(error, IoError)
    assert left() == ["out"]
    assert [path.name for path in Path("out").iterdir()] == ["theirs"]


def test_a_cancel_leaves_nothing(cells, tusk, database):
    def cancel():
        wait_until(lambda: len(being_written()) == 3)
        tusk.queries.cancel_all()

    thread = threading.Thread(target=cancel)
    thread.start()
    error = refused(cells, "--parallel 3 --to out/", "select t.*, pg_sleep(60) from t")
    thread.join()
    assert isinstance(error, QueryCancelled)
    assert left() == []
    wait_until(lambda: not running(database, "pg_sleep(60)"))
