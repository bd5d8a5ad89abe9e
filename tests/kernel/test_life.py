"""Load, restart, kill and unload: what is announced, what is closed, what is left on the server."""

from __future__ import annotations

import psycopg

from tests.waiting import backends, running, wait_until


def texts(reply):
    return "\n".join(reply.displayed)


def test_a_transaction_that_a_restart_took_is_announced_at_the_next_load(kernel, database):
    kernel.run("%%sql\ncreate table t (a int); begin; insert into t values (1)")
    kernel.restart()
    wait_until(lambda: not backends(database))
    assert "open transaction on db" in texts(kernel.run("%load_ext tusk_jupyter"))
    kernel.run(f"%tusk_connect {database} --name db")
    assert "0" in kernel.run("%sql select count(*) as n from t").value
    kernel.restart()
    assert texts(kernel.run("%load_ext tusk_jupyter")) == ""


def test_a_transaction_that_a_kill_took_is_announced_at_the_next_load(kernels, kernel, database):
    kernel.run("%%sql\ncreate table t (a int); begin; insert into t values (1); select 1")
    kernel.kill()
    wait_until(lambda: not kernel.manager.is_alive())
    wait_until(lambda: not backends(database))
    after = kernels(load=False)
    line = texts(after.run("%load_ext tusk_jupyter"))
    assert "open transaction on db" in line
    assert "2 statements" in line
    assert texts(after.run("%reload_ext tusk_jupyter")) == ""


def test_another_kernels_living_transaction_is_not_announced(kernels, kernel):
    kernel.run("%sql begin")
    other = kernels(load=False)
    assert texts(other.run("%load_ext tusk_jupyter")) == ""
    assert "transaction open" in kernel.run("%sql select 1").displayed[-1]


ENDINGS = [
    "%sql rollback",
    "%%sql\nselect 1; commit",
    "%tusk disconnect db",
    "%sql select pg_terminate_backend(pg_backend_pid())",
    "%sql rollback\nwith tusk.transaction():\n    %sql select 1",
]


def test_transactions_that_ended_are_not_announced(kernels, kernel, database):
    kernel.run("import tusk_jupyter as tusk")
    for number, ending in enumerate(ENDINGS):
        kernel.run(f"%tusk_connect {database} --name db{number}")
        kernel.run("%%sql\nbegin; select 1")
        kernel.run(ending.replace("db", f"db{number}"), ok=None)
    kernel.kill()
    wait_until(lambda: not kernel.manager.is_alive())
    assert texts(kernels(load=False).run("%load_ext tusk_jupyter")) == ""


def test_a_kill_in_a_running_statement_frees_its_locks(kernel, database):
    kernel.run("%sql create table t (a int)")
    kernel.run("%%sql\nbegin; lock table t")
    kernel.send("%sql select pg_sleep(70)")
    wait_until(lambda: running(database, "pg_sleep(70)"))
    kernel.kill()
    with psycopg.connect(database, autocommit=True) as conn:
        conn.execute("set lock_timeout = '10s'")
        conn.execute("insert into t values (1)")


def test_shutting_down_closes_everything(kernel, database):
    kernel.run("%sql select 1")
    assert backends(database)
    kernel.manager.shutdown_kernel()
    wait_until(lambda: not backends(database))


def test_unload_announces_closes_and_gives_back(kernel, database):
    kernel.run(f"%tusk_connect {database} --name other")
    kernel.run("%%sql db\ncreate table t (a int); begin; insert into t values (1)")
    reply = kernel.run("%unload_ext tusk_jupyter")
    assert texts(reply).count("open transaction on db") == 1
    wait_until(lambda: not backends(database))
    for magic in ("%sql select 1", "%%sql\nselect 1", "%tusk status", "%%tsql\nselect 1", "%tusk_connect x"):
        assert "not found" in kernel.run(magic, ok=None).everything
    assert texts(kernel.run("%load_ext tusk_jupyter")) == ""
    kernel.run(f"%tusk_connect {database} --name db")
    assert kernel.run("%sql select count(*) as n from t").value.split()[-1] == "0"


def test_threads_of_ours_end_with_the_extension(kernel):
    kernel.run(
        "import threading\nimport tusk_jupyter\ntusk_jupyter.Tusk.instance().events.subscribe(print)\n%sql select 1"
    )
    assert "tusk-" in kernel.run("print([t.name for t in threading.enumerate()])").stdout
    kernel.run("%unload_ext tusk_jupyter")
    wait_until(lambda: "tusk-" not in kernel.run("print([t.name for t in threading.enumerate()])").stdout)


def test_a_load_imports_nothing_heavy(kernels):
    kernel = kernels(load=False)
    kernel.run("import sys; before = set(sys.modules)")
    kernel.run("%load_ext tusk_jupyter")
    heavy = "{'pandas', 'pyarrow', 'numpy', 'psycopg', 'ipywidgets', 'anywidget', 'keyring', 'asyncssh', 'polars'}"
    assert kernel.run(f"print(sorted({heavy} & (set(sys.modules) - before)))").stdout.strip() == "[]"
