"""``~/.pgpass`` read for a server behind a tunnel as libpq reads it for all others."""

from __future__ import annotations

import os
import sys

import pytest

from tusk_jupyter.connections import passfile
from tusk_jupyter.connections.conninfo import parse
from tusk_jupyter.secret import Secret

HERE = "host=db port=5433 dbname=shop user=me"


@pytest.fixture
def write(tmp_path):
    def write(*lines, mode=0o600):
        path = tmp_path / ".pgpass"
        path.write_text("".join(f"{line}\n" for line in lines))
        path.chmod(mode)
        return {"HOME": str(tmp_path), "APPDATA": str(tmp_path)}

    return write


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        (["db:5433:shop:me:right"], "right"),
        (["db:5432:shop:me:other port", "other:5433:shop:me:other host", "*:*:*:me:right"], "right"),
        (["*:*:*:*:first", "db:5433:shop:me:second"], "first"),
        (["# db:5433:shop:me:comment", "", "db:5433:shop", "db:5433:shop:me:right"], "right"),
        ([r"db:5433:shop:me:a\:b\\c:d"], r"a:b\c:d"),
        (["db:5433:*x:me:no wildcard"], None),
        (["db:5433:shop:me:"], None),
        (["db:5433:shop:you:other user"], None),
    ],
)
@pytest.mark.skipif(sys.platform == "win32", reason="the file has another name there")
def test_the_first_line_that_fits(write, lines, found):
    assert passfile.find(parse(HERE), write(*lines)) == (None if found is None else Secret(found))


def test_names_with_colons_and_defaults(write):
    environ = write(r"localhost:5432:a\:b:a\:b:right") | {"PGUSER": "a:b"}
    assert passfile.find(parse("connect_timeout=1"), environ) == Secret("right")


@pytest.mark.skipif(sys.platform == "win32", reason="no such permissions")
def test_a_file_that_others_may_read_counts_for_nothing(write):
    assert passfile.find(parse(HERE), write("*:*:*:*:open", mode=0o640)) is None


def test_no_file_no_regular_file_and_bytes_that_are_no_text(tmp_path, write):
    assert passfile.find(parse(HERE), {"PGPASSFILE": str(tmp_path / "none")}) is None
    assert passfile.find(parse(HERE), {"PGPASSFILE": os.devnull}) is None
    (tmp_path / "odd").write_bytes(b"\xff\xfe:\x00\ndb:5433:shop:me:right\n")
    (tmp_path / "odd").chmod(0o600)
    assert passfile.find(parse(f"{HERE} passfile={tmp_path / 'odd'}"), {}) == Secret("right")


def test_what_is_given_is_not_replaced(write):
    environ = write("*:*:*:*:file")
    assert passfile.applied(parse(HERE), environ).password == Secret("file")
    assert passfile.applied(parse(HERE), {**environ, "PGPASSWORD": "x"}).password is None
    assert passfile.applied(parse(f"{HERE} password=given"), environ).password == Secret("given")
