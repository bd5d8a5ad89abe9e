"""Tab and Shift-Tab by protocol: complete_request and inspect_request to a real kernel, in SQL and in Python cells."""

from __future__ import annotations

import statistics
import time

import pytest

from tests.waiting import ask, wait_until

MADE = """%%sql
create table public.travellers (id integer primary key, email text not null, "Größe" numeric);
create table public.bookings (id integer primary key, traveller_id integer references travellers, price numeric);
comment on table travellers is 'who <b>flies</b>';
"""


def marked(text):
    cursor = text.index("|")
    return text.replace("|", "", 1), cursor


def complete(kernel, text):
    """The reply to Tab at ``|``."""
    code, cursor = marked(text)
    content = kernel.client.complete(code, cursor, reply=True, timeout=20)["content"]
    assert content["status"] == "ok"
    return content


def inspect(kernel, text):
    """The reply to Shift-Tab at ``|``."""
    code, cursor = marked(text)
    content = kernel.client.inspect(code, cursor, reply=True, timeout=20)["content"]
    assert content["status"] == "ok"
    return content


def knows_the_tables(kernel):
    """Have the catalog read; twice, because the first may have been under way when the tables were made."""
    read = "t.state().schemas.cache(t.state().connections.current).read().result(20)"
    kernel.run(f"import tusk_jupyter as t; {read}; {read};")
    wait_until(lambda: "travellers" in complete(kernel, "%%sql\nselect * from tra|")["matches"], timeout=20)


@pytest.fixture(scope="module")
def place(server, databases):
    """Conninfo of a database for all tests of this module."""
    name = databases.take()
    yield server.conninfo(name)
    databases.give_back(name)


@pytest.fixture(scope="module")
def ready(start_kernel, tmp_path_factory, place):
    kernel = start_kernel(tmp_path_factory.mktemp("kernel"))
    try:
        kernel.run(f"%tusk_connect {place} --name db")
        kernel.run(MADE)
        knows_the_tables(kernel)
        kernel.run("limit = 5; string_of_python = 'x'; import string; password = 'hunter2'")
        yield kernel
    finally:
        kernel.stop()


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("%%sql\nselect t.em| from travellers t", ["email"]),
        ("%%sql db\nselect t.em| from travellers t", ["email"]),
        ("%%tsql\nselect t.em| from travellers t", ["email"]),
        ("%sql select t.em| from travellers t", ["email"]),
        ("x = %sql select t.em| from travellers t", ["email"]),
        ("for n in 1, 2:\n    %sql select t.em| from travellers t", ["email"]),
        ("%sql select t.em| \\\n  from travellers t", ["email"]),
        ("\n  \n  %%sql\n  select t.em| from travellers t", ["email"]),
        ("%%sql\nselect 1;\nselect * from travel|;\nselect 2", ["travellers"]),
        ("%%sql\nselect '🐘🐘', t.em| from travellers t", ["email"]),
        ("%%sql\n-- ñ 数据\nselect t.gr| from travellers t", ['"Größe"']),
        ("%%sql\nselect :li|", ["limit"]),
        ("%%sql --lim|", ["--limit"]),
        ("%tusk describe trav|", ["travellers"]),
        ("%tusk tables public.boo|", ["public.bookings"]),
        ("%tusk load df --to trav|", ["travellers"]),
        ("%tusk us|", ["use"]),
        ("%tusk_connect --nam|", ["--name"]),
        ("%tusk watch 5 select em| from travellers", ["email"]),
        ("%%tusk watch 5\nselect em| from travellers", ["email"]),
        ("%%sql\nsel|", ["select"]),
    ],
)
def test_tab_in_sql(ready, text, first):
    code, _ = marked(text)
    content = complete(ready, text)
    assert content["matches"][: len(first)] == first
    start, end = content["cursor_start"], content["cursor_end"]
    experimental = content["metadata"]["_jupyter_types_experimental"]
    assert [one["text"] for one in experimental] == content["matches"]
    assert {(one["start"], one["end"]) for one in experimental} == {(start, end)}
    assert "%" not in code[start:end]
    assert code[end:].lstrip("; \n\\")[:4] in {"", "from", "sele"}


def test_what_is_offered_says_what_it_is(ready):
    (found,) = complete(ready, "%%sql\nselect t.em| from travellers t")["metadata"]["_jupyter_types_experimental"]
    assert (found["type"], found["signature"]) == ("column", "text")


def test_the_order_is_the_engine_s_and_not_the_alphabet_s(ready):
    assert complete(ready, "%%sql\nselect t.| from travellers t")["matches"][:3] == ["id", "email", '"Größe"']


@pytest.mark.parametrize("text", ["%%sql\nselect string_of_py|", "%%sql\nselect 'em|", "%%sql\n-- em|", "%sql nothing_like_it|"])
def test_python_s_names_are_never_in_sql(ready, text):
    assert complete(ready, text)["matches"] == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [("string_of_py|", "string_of_python"), ("string.ascii_low|", "ascii_lowercase"), ("%%s|", "%%sql"), ("%tusk_conn|", "%tusk_connect")],
)
def test_python_cells_are_python_s(ready, text, expected):
    matches = complete(ready, text)["matches"]
    assert any(match.endswith(expected) for match in matches)
    assert "travellers" not in complete(ready, "trave|")["matches"]
    assert "email" not in complete(ready, "x = 1\nema|\n%sql select 1")["matches"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("%%sql\nselect * from trave|llers", ["table travellers", "email", "not null", "referred to by  bookings (traveller_id)"]),
        ("%%sql\nselect '🐘', em|ail from travellers", ["column of travellers email", "text not null"]),
        ("%%sql\nselect date_tr|unc('day', now())", ["function date_trunc", "timestamp with time zone"]),
        ("%%sql\nselect date_trunc(|", ["function date_trunc"]),
        ("%%sql\nsel|ect 1", ["SELECT", "GROUP BY"]),
        ("%%sql\nset work_m|em = 1", ["setting work_mem", "kB"]),
        ("%%sql\nselect :lim|it", ["parameter :limit", "int = 5"]),
        ("%%sql\nselect :passw|ord", ["parameter :password", "str = ****"]),
        ("%%sql --lim|it 5\nselect 1", ["--limit", "return at most so many rows"]),
        ("%%sql d|b\nselect 1", ["connection db", "current"]),
        ("%sql select em|ail from travellers", ["column of travellers email"]),
        ("%tusk hist|ory", ["%tusk history", "--failed"]),
        ("%tusk_connect --ssl|mode require", ["--sslmode", "verify-full"]),
    ],
)
def test_shift_tab_in_sql(ready, text, said):
    content = inspect(ready, text)
    assert content["found"]
    text_twin, html = content["data"]["text/plain"], content["data"]["text/html"]
    for part in said:
        assert part in text_twin
    assert "<script" not in html
    assert "hunter2" not in repr(content)


def test_a_comment_of_the_server_s_is_escaped(ready):
    html = inspect(ready, "%%sql\nselect * from trave|llers")["data"]["text/html"]
    assert "who &lt;b&gt;flies&lt;/b&gt;" in html


def test_shift_tab_elsewhere_is_python_s(ready):
    content = inspect(ready, "string.capw|ords")
    assert "Split the argument into words" in content["data"]["text/plain"]
    assert inspect(ready, "%%sql\nselect string_of_py|thon")["found"] is False
    assert "Run SQL on PostgreSQL" in inspect(ready, "%%s|ql\nselect 1")["data"]["text/plain"]


def test_no_connection_means_keywords_and_connects_nowhere(kernels, database):
    kernel = kernels(env={"DATABASE_URL": database})
    assert complete(kernel, "%%sql\nsel|")["matches"][:1] == ["select"]
    assert complete(kernel, "%%sql\nselect * from trave|")["matches"] == []
    assert inspect(kernel, "%%sql\nselect 1 from trave|llers")["found"] is False
    assert "[]" in (kernel.run("t = __import__('tusk_jupyter'); t.state().connections.names()").value or "")


def test_unload_restores_the_kernel_and_a_load_after_it_works(kernels):
    kernel = kernels(load=False)
    look = "(ip := get_ipython()) and (vars(ip.kernel).keys() & {'do_complete', 'do_inspect'}, len(ip.Completer.custom_matchers))"
    before = kernel.run(look).value
    assert before == "(set(), 0)"
    for _ in range(2):
        kernel.run("%load_ext tusk_jupyter\n%load_ext tusk_jupyter")
        assert complete(kernel, "%%sql --lim|")["matches"] == ["--limit"]
        kernel.run("%unload_ext tusk_jupyter")
        assert kernel.run(look).value == before
        assert "--limit" not in complete(kernel, "%%sql --lim|")["matches"]
        assert any(match.endswith("ascii_lowercase") for match in complete(kernel, "import string; string.ascii_low|")["matches"])


def test_another_s_wrap_around_ours_survives_an_unload(kernels):
    kernel = kernels()
    kernel.run(
        "k = get_ipython().kernel\nbefore = k.do_complete\n"
        "def theirs(code, cursor_pos):\n    reply = before(code, cursor_pos)\n"
        "    return {**reply, 'matches': [*reply['matches'], 'theirs']}\nk.do_complete = theirs"
    )
    assert complete(kernel, "%%sql --lim|")["matches"] == ["--limit", "theirs"]
    kernel.run("%unload_ext tusk_jupyter")
    matches = complete(kernel, "%%sql --lim|")["matches"]
    assert "--limit" not in matches
    assert "theirs" in matches


@pytest.mark.parametrize("version", ["6.31.0"])
def test_an_older_ipykernel(kernels, install_ipykernel, version, database):
    kernel = kernels(env=install_ipykernel(version))
    assert kernel.run("import ipykernel; ipykernel.__version__").value == repr(version)
    kernel.run(f"%tusk_connect {database} --name db")
    kernel.run(MADE)
    knows_the_tables(kernel)
    assert complete(kernel, "%%sql\nselect '🐘', t.em| from travellers t")["matches"] == ["email"]
    assert inspect(kernel, "%%sql\nselect * from trave|llers")["found"]
    kernel.run("%unload_ext tusk_jupyter")
    assert "email" not in complete(kernel, "%%sql\nselect t.em| from travellers t")["matches"]


def test_an_answer_comes_from_memory(ready, place, record_property):
    sent = "select max(state_change)::text, count(*) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
    before = ask(place, sent)
    taken = []
    for text in ["%%sql\nselect t.em| from travellers t", "%%sql\nselect * from tr|", "%%sql\nselect |", "%%sql db --f|"] * 10:
        begun = time.perf_counter()
        complete(ready, text)
        taken.append(time.perf_counter() - begun)
    record_property("complete_request median ms", round(statistics.median(taken) * 1000, 2))
    print("median", statistics.median(taken) * 1000)  # noqa: T201
    assert ask(place, sent) == before
