r"""psql's backslash commands in a real kernel: IPython leaves them alone, and an interrupt ends them."""

from __future__ import annotations

from tests.kernel.test_watch import views


def test_ipython_leaves_them_to_us(shared_kernel, database):
    assert "psql's commands in a cell" in shared_kernel.run(r"%sql \?").value
    assert "postgres" in shared_kernel.run(r"x = %sql \l" + "\nprint(list(x['name']))").stdout
    assert shared_kernel.run("%%sql\n\\echo one\nselect 2 as two \\gset\n\\echo :two").stdout == "one\n2\n"
    assert shared_kernel.run("print(two)").stdout == "2\n"


def test_an_interrupted_watch_is_a_good_end(shared_kernel, database):
    code = "%%sql\n\\echo a\nselect 7 as n \\watch 1h"
    reply, _ = views(shared_kernel, code, stop_at="── run 1 · ", act=shared_kernel.interrupt)
    assert reply.error is None
    assert reply.value.split() == ["n", "0", "7"]
    assert "1 run every 3600 s · stopped" in "\n".join(reply.displayed)


def test_what_follows_an_interrupted_watch_is_not_run(shared_kernel, database):
    code = "%%sql\nselect 7 as n \\watch 1h\ncreate table behind ()"
    reply, _ = views(shared_kernel, code, stop_at="── run 1 · ", act=shared_kernel.interrupt)
    assert reply.error["ename"] == "QueryInterrupted"
    assert r"\watch was stopped, what follows it was not run" in reply.displayed[-1]
    assert "behind" not in shared_kernel.run(r"%sql \dt").value


def test_an_interrupt_ends_what_a_query_has_made(shared_kernel, database):
    code = "%%sql\nselect 'select pg_sleep(' || n || ')' from unnest(array[0, 60, 0]) n \\gexec\nselect 'last' as word"
    reply, _ = views(shared_kernel, code, stop_at="SELECT 3 · 3 to execute", act=shared_kernel.interrupt)
    assert reply.error["ename"] == "QueryInterrupted"
    assert "last" not in "\n".join(reply.displayed)
