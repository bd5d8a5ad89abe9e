from __future__ import annotations

import ast
import copy
import dataclasses
import inspect
import pickle
import string
import sys
import traceback
from urllib.parse import quote, quote_plus

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tusk_jupyter import redaction
from tusk_jupyter.connections import conninfo as module
from tusk_jupyter.connections import keywords
from tusk_jupyter.connections.conninfo import (
    Conninfo,
    is_url,
    looks_like_conninfo,
    parse,
)
from tusk_jupyter.connections.registry import default_name
from tusk_jupyter.errors import InvalidInput
from tusk_jupyter.secret import Secret

CANARY = "kanarie-Wq8"


def everything_said(error):
    """What a person, a log or a debugger can see of an error, our frames' variables included."""
    said = [str(error), repr(error), repr(error.info()), repr(error.__dict__), repr(error.__context__)]
    said += traceback.format_exception(error)
    for frame, _ in traceback.walk_tb(error.__traceback__):
        if frame.f_code.co_filename != __file__:
            said.append(repr(frame.f_locals))
    return "\n".join(said)


def refused(text):
    with pytest.raises(InvalidInput) as caught:
        parse(text)
    assert caught.value.advice
    assert caught.value.__context__ is None
    return caught.value


def libpq(text):
    """What libpq reads, as its keywords."""
    return {o.keyword.decode(): o.val.decode() for o in psycopg.pq.Conninfo.parse(text.encode()) if o.val is not None}


def all_of(conninfo):
    """Parameters and secrets as one mapping, as libpq has them."""
    secrets = {"password": conninfo.password, "sslpassword": conninfo.sslpassword}
    return {**conninfo.kwargs(), **{key: secret.reveal() for key, secret in secrets.items() if secret is not None}}


SAME_AS_LIBPQ = [
    "postgresql://",
    "postgresql:///",
    "postgres://localhost",
    "postgresql://localhost:5433",
    "postgresql://localhost/mydb",
    "postgresql://user@localhost",
    "postgresql://user:secret@localhost",
    "postgresql://:secret@localhost",
    "postgresql://user:@localhost",
    "postgresql://@localhost",
    "postgresql://user:a:b@localhost",
    "postgresql://user:p#w@h/db",
    "postgresql://other@localhost/otherdb?connect_timeout=10&application_name=myapp",
    "postgresql://host1:123,host2:456/somedb?target_session_attrs=any&application_name=myapp",
    "postgresql://host1,host2:456/",
    "postgresql://,/",
    "postgresql://h:/",
    "postgresql://:5432",
    "postgresql://[2001:db8::1234]/database",
    "postgresql://[::1]:5433,[fe80::1%25eth0]/x",
    "postgresql:///mydb?host=localhost&port=5433",
    "postgresql:///dbname?host=/var/lib/postgresql",
    "postgresql://%2Fvar%2Flib%2Fpostgresql/dbname",
    "postgresql://h/a/b",
    "postgresql://h/db?",
    "postgresql://h/db?user=a&user=b",
    "postgresql://u:p@h/db?user=&password=x%26y&sslpassword=k",
    "postgresql://user@host/%E2%82%AC%20x?options=-c%20geqo%3Doff",
    "postgresql://h?ssl=true",
    "postgresql://h/db ",
    "host=localhost port=5432 dbname=mydb connect_timeout=10",
    "host = localhost\n port= 5432\tuser =me",
    r"user='a\'b\\c' password='it\'s me'",
    r"user=a\ b password=c\\d",
    "user='a'host=b",
    "user=a user=b",
    "user=",
    "user='' password=''",
    "password= host=x",
    "host=a\\ ",
    "host=a\\",
    "user=é\u00a0x",
    "service=shop sslmode=verify-full sslrootcert='/my files/ca.pem'",
]


@pytest.mark.parametrize("text", SAME_AS_LIBPQ)
def test_reads_what_libpq_reads(text):
    assert all_of(parse(text)) == libpq(text)


def test_a_url_may_be_indented():
    assert parse("\n  postgresql://h/db  ") == parse("postgresql://h/db")


REFUSED_BY_BOTH = [
    "postgresql://h/%zz",
    "postgresql://h/%4",
    "postgresql://h/%00",
    "postgresql://[::1",
    "postgresql://[]/db",
    "postgresql://[::1]x/db",
    "postgresql://h/d b",
    "postgresql://h/db?user",
    "postgresql://h/db?&",
    "postgresql://h/db?usr=a",
    "postgresql://h?ssl=false",
    "user",
    "user a",
    "user='a",
    "user=a b",
    "=x",
    "usr=x",
    "us er=1",
]


@pytest.mark.parametrize("text", REFUSED_BY_BOTH)
def test_refuses_what_libpq_refuses(text):
    with pytest.raises(psycopg.OperationalError):
        libpq(text)
    refused(text)


@pytest.mark.parametrize("driver", ["psycopg", "psycopg2", "psycopg2cffi", "asyncpg", "pg8000", "psycopg_async"])
def test_sqlalchemys_spellings_are_read_without_their_driver(driver):
    assert parse(f"postgresql+{driver}://u:p%40@h:5433/db") == parse("postgresql://u:p%40@h:5433/db")


def test_sqlalchemys_query_has_plus_for_blank():
    text = "//h/db?options=-c+geqo%3Doff"
    assert parse(f"postgresql+psycopg2:{text}").get("options") == "-c geqo=off"
    assert parse(f"postgresql:{text}").get("options") == "-c+geqo=off" == libpq(f"postgresql:{text}")["options"]


@pytest.mark.parametrize("mode", ["disable", "prefer", "require", "verify-full"])
def test_asyncpgs_ssl_is_sslmode(mode):
    assert parse(f"postgresql+asyncpg://h/db?ssl={mode}").sslmode == mode


def test_the_scheme_has_no_case():
    assert parse("PostgreSQL://h/Db").dbname == "Db"


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("mysql://u:%s@h/db", "mysql"),
        ("mysql+pymysql://u:%s@h/db", "mysql"),
        ("sqlite:////tmp/x.db", "sqlite"),
        ("duckdb://", "duckdb"),
        ("postgresql+nosuch://u:%s@h/db", "nosuch"),
        ("jdbc:postgresql://h/db?password=%s", "JDBC"),
    ],
)
def test_other_urls_are_refused_by_name(text, word):
    error = refused(text.replace("%s", CANARY))
    assert word in str(error)
    assert CANARY not in everything_said(error)


def test_only_postgresql_is_said_of_other_databases():
    assert "PostgreSQL only" in str(refused("mysql://h/db"))


@pytest.mark.parametrize("character", "@#:&=+,;!$*()'\"[]{}|\\^~`<>é€")
def test_a_raw_character_in_a_password_is_read_or_refused(character):
    password = f"{CANARY}{character}tail{character}{CANARY}"
    conninfo = parse(f"postgresql://user:{password}@host.example/db")
    assert conninfo.password == Secret(password)
    assert (conninfo.user, conninfo.host, conninfo.dbname) == ("user", "host.example", "db")


@pytest.mark.parametrize("character", ["/", "?", " ", "%", "\t", "\n", "/@", "?@", "?x=@", "?host=1@", "@/", "?a=/b@c"])
@pytest.mark.parametrize("path", ["/db", "", "/db?application_name=x"])
def test_what_could_be_a_password_is_never_taken_for_a_host(character, path):
    error = refused(f"postgresql://user:{CANARY}{character}{CANARY}@host.example{path}")
    assert CANARY not in everything_said(error)
    assert "%40" in error.advice


def test_a_numeric_password_with_a_slash_is_not_a_port():
    assert "raw '@'" in str(refused("postgresql://user:5432/secret@host/db"))


def test_a_forgotten_host_does_not_show_the_password():
    error = refused(f"postgresql://user:{CANARY}/db")
    assert CANARY not in everything_said(error)


@pytest.mark.parametrize(
    "text",
    [
        "password={0} {0} host=x",
        "password={0} {0}=1",
        "host=x password={0}' {0}",
        "password='{0}",
        "password='{0}'{0}=1",
        "host=x password={0} port={0}",
        "password={0} sslmode={0}",
        "password={0} connect_timeout={0}",
        "{0}",
        "user:{0}@host",
        "postgresql://u:%zz{0}@h",
        "postgresql://u:%ff{0}@h",
        "postgresql://u:{0}%00@h",
        "postgresql://u:{0}@[::1",
        "postgresql://h/db?password={0}&{0}",
        "postgresql://h/db?password={0}&{0}=1",
        "postgresql://h/db?password={0}%",
        "postgresql://u:{0}@h:port",
        "postgresql://u:{0}@h?nonsense=1",
        "postgresql://u:{0}\0@h",
        "password={0} \ud800",
        "passwrd={0} host=x",
        "scram_client_key={0}",
        "oauth_client_secret={0}",
    ],
)
def test_no_refusal_shows_a_password(text):
    assert CANARY not in everything_said(refused(text.format(CANARY)))


@pytest.mark.parametrize(
    ("text", "near"),
    [
        ("hots=x", "host"),
        ("database=x", "dbname"),
        ("username=x", "user"),
        ("pwd=x", "password"),
        ("postgresql://u:p@h/db?sslmod=require", "sslmode"),
    ],
)
def test_an_unknown_keyword_gets_a_near_one(text, near):
    error = refused(text)
    assert error.advice == f"Did you mean {near}?"
    assert "unknown keyword" in str(error)


@pytest.mark.parametrize("port", ["0", "65536", "x", "-1", "5432x", "1,x", "99999999999999999999", "²"])
def test_a_port_is_a_number(port):
    assert "port" in str(refused(f"host=h port={port}"))


@pytest.mark.parametrize(
    "text", ["sslmode=full", "sslmode=''", "target_session_attrs=primry", "connect_timeout=10s", "channel_binding=yes"]
)
def test_a_value_that_libpq_would_refuse_later_is_refused_now(text):
    assert text.split("=")[0] in str(refused(text))


def test_keywords_are_libpqs():
    found = [option.keyword.decode() for option in psycopg.pq.Conninfo.get_defaults()]
    ours = {*keywords.KEYWORDS, *keywords.SECRET_KEYWORDS, *keywords.REFUSED_KEYWORDS}
    # a newer libpq may know more, an older one less; these are of 18
    if psycopg.pq.version() // 10000 == 18:
        assert ours == set(found)
        assert list(keywords.KEYWORDS) == [name for name in found if name in keywords.KEYWORDS]


@pytest.mark.parametrize("pure", [module, keywords, redaction])
def test_the_module_is_pure(pure):
    tree = ast.parse(inspect.getsource(pure))
    modules = {name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names}
    modules |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    outside = {name.split(".")[0] for name in modules} - set(sys.stdlib_module_names)
    assert outside == {"tusk_jupyter"} & outside
    assert not modules & {"threading", "sqlite3", "os", "socket"}


@pytest.mark.parametrize(
    ("text", "url", "keys"),
    [
        ("postgresql://h", True, False),
        ("mysql://h", True, False),
        ("  postgresql+psycopg_async://h", True, False),
        ("jdbc:postgresql://h", True, False),
        ("host=a", False, True),
        (" dbname = 'a b'", False, True),
        ("hots=a", False, True),
        ("pwd=a", False, True),
        ("shop", False, False),
        ("df = <<", False, False),
        ("select a=b", False, False),
        ("", False, False),
        ("host", False, False),
        ("postgresql://h?user=a", True, False),
    ],
)
def test_the_kind_of_text_is_told(text, url, keys):
    assert (is_url(text), looks_like_conninfo(text)) == (url, keys)


def test_values_of_the_other_win():
    mine = parse("postgresql://me:one@a:1/x?application_name=mine")
    merged = mine.merged(parse("host=b sslmode=require password=two"))
    assert merged == parse("postgresql://me:two@b:1/x?application_name=mine&sslmode=require")
    assert mine.merged(Conninfo()) == mine


def test_another_host_is_not_looked_up_at_the_first_ones_address():
    assert parse("host=a hostaddr=10.0.0.1").merged(parse("host=b")).get("hostaddr") is None


def test_with_checks_and_replaces():
    conninfo = parse("postgresql://u:p@h/db").with_(host="x", sslmode="require")
    assert (conninfo.host, conninfo.sslmode, conninfo.password) == ("x", "require", Secret("p"))
    assert conninfo.with_(password="q").password == Secret("q")
    with pytest.raises(InvalidInput, match="sslmode"):
        conninfo.with_(sslmode="yes")
    with pytest.raises(InvalidInput, match="unknown keyword 'hst'"):
        conninfo.with_(hst="x")


def test_equality_does_not_depend_on_the_order():
    assert parse("host=a port=1 user=u") == parse("user=u host=a port=1") == parse("postgresql://u@a:1")
    assert parse("host=a password=x") != parse("host=a password=y")


def test_the_record_takes_no_password_as_parameter():
    with pytest.raises(ValueError, match="not a keyword of params: 'password'"):
        Conninfo(params=(("password", CANARY),))


@pytest.mark.parametrize("give_away", [dataclasses.asdict, pickle.dumps, copy.deepcopy])
def test_the_record_cannot_be_copied_out(give_away):
    with pytest.raises(TypeError, match="Secret"):
        give_away(parse(f"postgresql://u:{CANARY}@h"))


def test_nothing_shows_the_password():
    conninfo = parse(f"host=h user=u password={CANARY} sslpassword={CANARY}")
    for shown in (repr(conninfo), str(conninfo), f"{conninfo}", conninfo.redacted(), repr(conninfo.kwargs())):
        assert CANARY not in shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("host=h port=5433 user=u password=p dbname=d", "postgresql://u@h:5433/d"),
        ("host=/tmp/s port=5433 user=u dbname=d", "postgresql://u@/d?host=/tmp/s&port=5433"),
        ("host=::1", "postgresql://[::1]/"),
        ("service=shop", "postgresql:///?service=shop"),
        ("host=a,b port=5,6 dbname='a/b c'", "postgresql://a:5,b:6/a%2Fb%20c"),
        ("host=a,b port=5", "postgresql:///?host=a,b&port=5"),
    ],
)
def test_redacted_is_a_url_for_people(text, shown):
    assert parse(text).redacted() == shown


@pytest.mark.parametrize(
    ("dbname", "host", "name"),
    [
        ("shop", "db.example.org", "shop@db.example.org"),
        ("shop", None, "shop@localhost"),
        ("shop", "/var/run/postgresql", "shop@localhost"),
        ("shop", "a,b", "shop@a"),
    ],
)
def test_the_default_name_is_database_at_host(dbname, host, name):
    assert default_name(dbname=dbname, host=host) == name


# -- properties ------------------------------------------------------------------------------------------------------

characters = st.characters(exclude_characters="\0", exclude_categories=["Cs"])
words = st.text(characters, min_size=1, max_size=12)
hosts = st.one_of(
    st.from_regex(r"[a-z][a-z0-9\-]{0,8}(\.[a-z]{2,5})?", fullmatch=True),
    st.sampled_from(["::1", "fe80::1%eth0", "10.0.0.1", "/tmp", "/my files/s"]),
)
ports = st.one_of(st.just(""), st.integers(1, 65535).map(str))
passwords = st.text(st.sampled_from("Qz9" + string.punctuation + " é€\n"), max_size=20).map("Qz9".__add__)


@st.composite
def urls(draw):
    """A URL and what it says, its parts percent-encoded where they have to be, or everywhere."""
    encode = draw(st.sampled_from([lambda s: quote(s, safe=""), lambda s: "".join(f"%{b:02x}" for b in s.encode())]))
    parts = draw(st.lists(st.tuples(hosts, ports), max_size=3))
    said = {"user": draw(st.none() | words), "password": draw(st.none() | words), "dbname": draw(st.none() | words)}
    netloc = ",".join(
        (f"[{quote(host, safe=':')}]" if ":" in host else encode(host)) + (f":{port}" if port else "")
        for host, port in parts
    )
    said["host"] = ",".join(host for host, _ in parts) or None
    said["port"] = ",".join(port for _, port in parts) or None
    password = f":{encode(said['password'])}" if said["password"] else ""
    userinfo = f"{encode(said['user'] or '')}{password}@" if said["user"] or said["password"] else ""
    path = f"/{encode(said['dbname'])}" if said["dbname"] else ""
    query = draw(st.dictionaries(st.sampled_from(["application_name", "options", "sslkey", "sslpassword"]), words))
    text = "&".join(f"{encode(key)}={encode(value)}" for key, value in query.items())
    url = f"{draw(st.sampled_from(['postgresql', 'postgres']))}://{userinfo}{netloc}{path}{f'?{text}' if text else ''}"
    return url, {key: value for key, value in {**said, **query}.items() if value is not None}


@given(urls())
def test_a_url_of_encoded_parts_round_trips_and_agrees_with_libpq(case):
    url, said = case
    assert all_of(parse(url)) == said == libpq(url)


@given(urls())
def test_redacted_reads_back_as_the_same_without_passwords(case):
    conninfo = parse(case[0])
    assert parse(conninfo.redacted()) == Conninfo(params=conninfo.params)


@given(st.dictionaries(st.sampled_from(["user", "dbname", "host", "application_name", "password"]), words, min_size=1))
def test_keywords_quoted_by_psycopg_round_trip(said):
    text = psycopg.conninfo.make_conninfo("", **said)
    assert all_of(parse(text)) == said


@given(st.text(st.sampled_from("ab=' \\\t\n") | characters, max_size=30))
def test_any_text_is_read_as_libpq_reads_it_or_refused(text):
    text = f"user={text}"
    try:
        ours = all_of(parse(text))
    except InvalidInput:
        return
    assert ours == libpq(text)


WITH_PASSWORD = [
    "postgresql://u:{}@h/db",
    "postgres://u:{}@h1,h2:5?sslmode=prefer",
    "postgresql://h/db?password={}",
    "password={} host=h",
    "host=h password='{}'",
    "sslpassword={}",
    "pass={} x",
]
noise = st.text(st.sampled_from(string.punctuation + " %\t1"), max_size=6)


@given(st.sampled_from(WITH_PASSWORD), noise, noise)
def test_a_password_in_any_text_shows_up_nowhere(form, before, after):
    try:
        conninfo = parse(form.format(f"{before}{CANARY}{after}"))
    except InvalidInput as error:
        shown = everything_said(error)
    else:
        shown = conninfo.redacted() + repr(conninfo)
    assert CANARY not in shown


def test_an_empty_text_is_no_connection():
    assert "neither" in str(refused("  "))


@given(urls(), passwords)
def test_a_known_secret_is_masked_in_every_spelling(case, password):
    url, _ = case
    spellings = [password, quote(password, safe=""), quote_plus(password), repr(password)[1:-1]]
    for spelling in spellings:
        shown = module.redact(f"{url} [{spelling}] said", [Secret(password)])
        assert f"[{spelling}]" not in shown
