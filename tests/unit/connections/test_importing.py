from __future__ import annotations

import configparser
import contextlib
import io
import json
import string
import textwrap
from dataclasses import replace
from urllib.parse import quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tusk_jupyter.connections.exporting import secret_field, to_json
from tusk_jupyter.connections.importing import FORMATS, Defaults, Draft, read, usable_name
from tusk_jupyter.connections.importing_entries import Skipped, nearest_color
from tusk_jupyter.connections.keywords import KEYWORDS, REFUSED_KEYWORDS, SECRET_KEYWORDS
from tusk_jupyter.connections.saved import AUTH_METHODS, COLORS, SSL_MODES, Group, SavedConnection, SshTunnel, problems
from tusk_jupyter.errors import InvalidInput
from tusk_jupyter.secret import Secret

CANARY = "kanarie-Wq8%x"
DEFAULTS = Defaults(host="/run/sockets", username="me")


def imported(text, filename="", **options):
    """Read, and check what is true of every import: usable records, and no password in anything that is shown."""
    found = read(textwrap.dedent(text), filename=filename, defaults=DEFAULTS, **options)
    names = [draft.saved.name for draft in found.drafts]
    assert len(names) == len(set(names))
    for draft in found.drafts:
        assert draft.saved.id == ""
        assert problems(draft.saved) == ()
        assert set(draft.saved.parameters) <= set(KEYWORDS)
    assert CANARY not in repr(found)
    assert CANARY not in " ".join([*(entry.why for entry in found.skipped), *(note for draft in found.drafts for note in draft.notes)])
    return found


def only(found):
    (draft,) = found.drafts
    return draft


def refused(text, **options):
    with pytest.raises(InvalidInput) as caught:
        read(textwrap.dedent(text), **options)
    assert caught.value.__context__ is None
    assert CANARY not in f"{caught.value.info()}"
    return caught.value


# -- JupySQL and ipython-sql ------------------------------------------------------------------------------------------

JUPYSQL = f"""
[default]
drivername = postgresql
username = analyst
password = {CANARY.replace("%", "%%")}
host = db.example.org
port = 5433
database = shop

[mem]
drivername = duckdb

[other]
drivername: postgresql+psycopg2
host: localhost
username: me
database: me
query: {{'sslmode': 'require', 'application_name': 'x', 'charset': 'utf8'}}
"""


def test_connections_ini():
    found = imported(JUPYSQL, "connections.ini")
    assert found.format == "jupysql"
    default, other = found.drafts
    assert default.saved == SavedConnection(
        id="", name="default", host="db.example.org", port=5433, database="shop", username="analyst"
    )
    assert default.secrets == {"db": Secret(CANARY)}
    assert default.notes == ()
    assert (other.saved.ssl_mode, other.saved.application_name) == ("require", "x")
    assert other.secrets == {}
    assert other.notes == ("'charset' (in query) is no parameter of libpq: left out",)
    assert found.skipped == (Skipped("mem", "it is for another database (duckdb): this is for PostgreSQL only"),)
    assert [type(entry) for entry in found.entries] == [Draft, Skipped, Draft]


@given(password=st.text(st.characters(codec="ascii", exclude_categories=("Cc", "Zs")), min_size=1, max_size=30))
def test_a_password_that_configparser_wrote_is_read_as_it_was(password):
    parser = configparser.ConfigParser()
    parser["shop"] = {"drivername": "postgresql", "host": "db", "username": "u", "password": password.replace("%", "%%")}
    parser.write(file := io.StringIO())
    assert only(read(file.getvalue())).secrets == {"db": Secret(password)}


def test_defaults_and_names_of_values_are_filled_in():
    found = imported("""
        [DEFAULT]
        drivername = postgresql
        host = db.example.org
        [shop]
        username = shop
        database = %(username)s_live
        [broken]
        username = %(nobody)s
    """)
    assert [(d.saved.host, d.saved.database) for d in found.drafts] == [
        ("db.example.org", "shop_live"), ("db.example.org", "%(nobody)s"),
    ]  # fmt: skip


def test_a_value_goes_on_in_an_indented_line():
    draft = only(imported("[shop]\ndrivername = postgresql\nhost = db\nquery = {'sslmode':\n    'require'}\n"))
    assert draft.saved.ssl_mode == "require"


def test_what_is_left_open_is_libpqs():
    draft = only(imported("[shop]\ndrivername = postgresql\n"))
    assert (draft.saved.host, draft.saved.username, draft.saved.database, draft.saved.port) == (
        "/run/sockets", "me", "me", 5432,
    )  # fmt: skip
    assert [note.split(":")[0] for note in draft.notes] == [
        "it names no host", "it names no user", "it names no database",
    ]  # fmt: skip


def test_one_broken_entry_stops_no_other():
    found = imported(
        f"""
        password = {CANARY}
        [no-driver]
        host = db
        password = {CANARY}
        [bad-port]
        drivername = postgresql
        port = {CANARY}
        password = {CANARY}
        [bad-host]
        drivername = postgresql
        host = analyst:{CANARY}@db
        [bad-database]
        drivername = postgresql
        host = db
        database = postgresql://analyst:{CANARY}@db/shop
        [postgresql://analyst:{CANARY}@db/shop]
        drivername = postgresql
        [mysql://analyst:{CANARY}@db/shop]
        drivername = mysql
        [bad-query]
        drivername = postgresql
        host = db
        password = {CANARY}
        query = {{'password': '{CANARY}'
        this line {CANARY} is broken
        [good]
        drivername = postgresql
        host = db
        """,
        "connections.ini",
    )
    assert [entry.name for entry in found.skipped] == [
        "line 2", "no-driver", "bad-port", "bad-host", "bad-database", "mysql://analyst:****@db/shop",
    ]  # fmt: skip
    reasons = ("before the first", "no drivername", "port", "host", "password", "another database (mysql)")
    for entry, why in zip(found.skipped, reasons, strict=True):
        assert why in entry.why
    with_url, bad_query, good = found.drafts
    assert "kanarie" not in with_url.saved.name
    assert bad_query.notes[:2] == ("query is no dictionary: left out", "line 26 is no key=value: left out")
    assert good.saved.name == "good"


def test_a_password_with_a_line_break_is_not_told_in_pieces():
    draft = only(imported(f"[s]\ndrivername=postgresql\nhost=h\nusername=u\ndatabase=d\npassword=ab\n{CANARY}=x\n", format="jupysql"))
    assert draft.notes == ("a word (line 7) is no parameter of libpq: left out",)
    draft = only(imported("[s]\nhost=h\nuser=u\ndbname=d\npasswordhunter2=x\n", format="service"))
    assert draft.notes == ("a word (line 5) is no parameter of libpq: left out",)


# -- ODBC -------------------------------------------------------------------------------------------------------------


def test_odbc_ini_of_psqlodbc():
    found = imported(
        f"""
        [ODBC Data Sources]
        Shop = PostgreSQL Unicode
        Legacy = MySQL ODBC 8.0
        [ODBC]
        Trace = 0
        [Shop]
        Description = the shop
        Driver = /usr/lib/x86_64-linux-gnu/odbc/psqlodbcw.so
        ServerName = db.example.org
        PORT = 6432
        Database = shop
        UserName = analyst
        PASSWORD = {quote_plus(CANARY + " +é")}
        SSLMode = verify-full
        ReadOnly = Yes
        pqopt = {{sslrootcert=/ca.pem connect_timeout=7 keepalives=1}}
        Fetch = 100
        ConnSettings = set search_path to a
        [Uid]
        Server = localhost
        Uid = u
        Pwd = plain
        [Legacy]
        Server = old
        [Sqlite]
        Driver = SQLite3
        [Empty]
        Driver = PostgreSQL
        """,
        "/settings/.odbc.ini",
    )
    shop, uid = found.drafts
    assert shop.saved == SavedConnection(
        id="",
        name="Shop",
        host="db.example.org",
        port=6432,
        database="shop",
        username="analyst",
        ssl_mode="verify-full",
        ssl_ca_cert="/ca.pem",
        read_only=True,
        connect_timeout_s=7.0,
        parameters={"keepalives": "1"},
    )
    assert shop.secrets == {"db": Secret(CANARY + " +é")}
    assert shop.notes == (
        "the statements of ConnSettings are not imported: run them in a cell",
        "settings of the ODBC driver are left out (line 18)",
    )
    assert (uid.saved.host, uid.saved.username, uid.secrets) == ("localhost", "u", {"db": Secret("plain")})
    assert [entry.name for entry in found.skipped] == ["Legacy", "Sqlite", "Empty"]
    assert "(MySQL ODBC 8.0)" in found.skipped[0].why


def test_odbc_ini_of_ipython_sql():
    found = imported(JUPYSQL, "odbc.ini")
    assert found.format == "odbc"
    assert [draft.saved.name for draft in found.drafts] == ["default", "other"]
    assert found.drafts[0].secrets == {"db": Secret(CANARY)}


def test_odbc_ini_of_ipython_sql_with_defaults():
    found = imported("[DEFAULT]\ndrivername=postgresql\n[shop]\nhost=db\nusername=u\ndatabase=d\n", format="odbc")
    assert (only(found).saved.host, found.skipped) == ("db", ())


# -- pg_service.conf --------------------------------------------------------------------------------------------------


def test_service_file():
    found = imported(
        f"""
        # a comment
        [shop]
        host=db.example.org
        user=analyst
        dbname=shop
        password={CANARY}
        sslpassword={CANARY}
        sslmode=verify-full
        sslcert=/me.crt
        sslkey=/me.key
        application_name=reports
        target_session_attrs=read-write
        host=second.example.org
        options=-c search_path=a
        client_encoding=LATIN1
        ldap://ldap.example.org/dc=example?uniqueMember?one?(cn=x)
        frobnicate=yes
        oauth_client_secret={CANARY}
        service=elsewhere
        channel_binding=perhaps
        [shop]
        host=third.example.org
        """,
        ".pg_service.conf",
    )
    draft = only(found)
    assert draft.saved == SavedConnection(
        id="",
        name="shop",
        host="db.example.org",
        database="shop",
        username="analyst",
        ssl_mode="verify-full",
        ssl_client_cert="/me.crt",
        ssl_client_key="/me.key",
        application_name="reports",
        parameters={"target_session_attrs": "read-write", "options": "-c search_path=a"},
    )
    assert draft.secrets == {"db": Secret(CANARY), "sslkey": Secret(CANARY)}
    assert draft.notes == (
        "line 17 looks the server up in LDAP: left out",
        "a word (line 18) is no parameter of libpq: left out",
        "oauth_client_secret is a secret that has no place in a saved connection: left out",
        "it refers to another service, which is not followed",
        "channel_binding has a value that libpq does not know: left out",
    )
    assert "second time" in found.skipped[0].why


def test_every_keyword_of_libpq_is_taken():
    values = dict.fromkeys(KEYWORDS, "1") | {
        "host": "db", "user": "u", "dbname": "d", "sslmode": "require", "sslnegotiation": "direct", "channel_binding": "require",
        "gssencmode": "disable", "target_session_attrs": "any", "load_balance_hosts": "random",
    }  # fmt: skip
    values.pop("service")
    draft = only(imported("[all]\n" + "\n".join(f"{key}={value}" for key, value in values.items())))
    assert draft.notes == ()
    columns = {"host", "port", "user", "dbname", "sslmode", "sslcert", "sslkey", "sslrootcert", "application_name"}
    ours = {"connect_timeout", "client_encoding", "fallback_application_name"}
    assert set(draft.saved.parameters) == set(values) - columns - ours
    assert (draft.saved.port, draft.saved.connect_timeout_s) == (1, 1.0)


def test_of_several_hosts_the_first_is_kept():
    draft = only(imported("[shop]\nhost=a.example,b.example\nport=1111,2222\nuser=u\ndbname=d\n"))
    assert (draft.saved.host, draft.saved.port) == ("a.example", 1111)
    assert draft.notes == ("of its 2 hosts only the first is kept: a saved connection has one",)


def test_an_address_beside_the_name_and_alone():
    both, alone = imported(
        "[both]\nhost=a.example\nhostaddr=10.0.0.1\nuser=u\ndbname=d\n[alone]\nhostaddr=::1\nuser=u\ndbname=d\n"
    ).drafts
    assert (both.saved.host, both.saved.parameters) == ("a.example", {"hostaddr": "10.0.0.1"})
    assert (alone.saved.host, alone.saved.parameters) == ("::1", {})


# -- pgAdmin ----------------------------------------------------------------------------------------------------------

PGADMIN = {
    "Servers": {
        "1": {
            "Name": "Minimally Defined Server",
            "Group": "Server Group 1",
            "Port": 5432,
            "Username": "postgres",
            "Host": "localhost",
            "SSLMode": "prefer",
            "MaintenanceDB": "postgres",
            "SSLCompression": 0,
            "PassFile": "/keys/pgpass",
            "SSLCert": "<STORAGE_DIR>/.postgresql/postgresql.crt",
            "Timeout": 10,
        },
        "2": {
            "Name": "full",
            "Group": "Server Group 2",
            "Host": "host.domain.com",
            "Port": "5433",
            "MaintenanceDB": "shop",
            "Username": "analyst",
            "Role": "my role",
            "Comment": "…",
            "Shared": False,
            "BGColor": "#ff9900",
            "FGColor": "#000000",
            "UseSSHTunnel": 1,
            "TunnelHost": "192.168.1.253",
            "TunnelPort": 2222,
            "TunnelUsername": "jump",
            "TunnelAuthentication": 1,
            "TunnelIdentityFile": "/keys/id",
            "PasswordExecCommand": "echo x",
            "PostConnectionSQL": "set a = b",
            "ConnectionParameters": {"sslmode": "verify-ca", "connect_timeout": 5, "sslrootcert": "/ca.pem", "sslcert": ""},
        },
        "3": {"Name": "by password", "Group": "Server Group 2", "Host": "h", "Username": "u", "MaintenanceDB": "d",
              "Password": CANARY, "UseSSHTunnel": "1", "TunnelHost": "t", "TunnelPort": "22", "TunnelAuthentication": 0,
              "TunnelPassword": CANARY},
        "4": {"Name": "key unknown", "Host": "h", "Username": "u", "MaintenanceDB": "d", "UseSSHTunnel": 1,
              "TunnelHost": "t", "TunnelAuthentication": 1},
        "5": {"Name": "by service", "Group": "x", "Service": "shop"},
        "6": {"Group": "x"},
        "7": None,
        "8": {"Name": "no tunnel host", "Host": "h", "Username": "u", "UseSSHTunnel": 1, "TunnelPort": "many"},
    }
}  # fmt: skip


def test_pgadmin():
    found = imported(json.dumps(PGADMIN), "servers.json")
    assert found.format == "pgadmin"
    assert [(group.name, group.parent_id) for group in found.groups] == [("Server Group 1", None), ("Server Group 2", None)]
    minimal, full, by_password, key_unknown = found.drafts
    assert minimal.saved == SavedConnection(
        id="",
        name="Minimally-Defined-Server",
        host="localhost",
        database="postgres",
        username="postgres",
        connect_timeout_s=10.0,
        group_id="Server Group 1",
        parameters={"passfile": "/keys/pgpass"},
    )
    assert minimal.notes == (
        "sslcert is a file of pgAdmin's server: left out",
        "cells cannot call it 'Minimally Defined Server': it is Minimally-Defined-Server",
    )
    assert full.saved == SavedConnection(
        id="",
        name="full",
        host="host.domain.com",
        port=5433,
        database="shop",
        username="analyst",
        ssl_mode="verify-ca",
        ssl_ca_cert="/ca.pem",
        connect_timeout_s=5.0,
        color="orange",
        group_id="Server Group 2",
        ssh_tunnel=SshTunnel("192.168.1.253", 2222, "jump", "key", "/keys/id"),
        parameters={"options": "-c role=my\\ role"},
    )
    assert [note.split(" ")[:2] for note in full.notes] == [["its", "role"], ["its", "password"], ["its", "SQL"]]
    assert by_password.saved.ssh_tunnel == SshTunnel("t", auth="password")
    assert by_password.secrets == {"db": Secret(CANARY), "ssh": Secret(CANARY)}
    assert key_unknown.saved.ssh_tunnel == SshTunnel("t")
    assert "the SSH agent is asked" in key_unknown.notes[0]
    assert [entry.name for entry in found.skipped] == ["by service", "server 6", "server 7", "no tunnel host"]


@pytest.mark.parametrize(
    ("given", "color"),
    [
        ("#ff0000", "red"), ("#F00", "red"), ("#ff9900", "orange"), ("#ffff00", "yellow"), ("#00ff7f", "green"),
        ("rgb(0, 0, 255)", "blue"), ("rgba(128, 0, 128, 0.5)", "purple"), ("#ff00aa", "red"), ("#ffffff", "gray"),
        ("#000000", "gray"), ("#808080", "gray"), ("", None), ("tomato", None), ("#12", None),
    ],
)  # fmt: skip
def test_colors_become_the_nearest_of_ours(given, color):
    assert nearest_color(given) == color


# -- formats ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "filename", "kind"),
    [
        ("[a]\ndrivername=postgresql\n", "whatever.ini", "jupysql"),
        ("[a]\nServername=x\n", "whatever.ini", "odbc"),
        ("[a]\nhost=x\n", "whatever", "service"),
        ("[a]\nhost=x\n", "C:\\Users\\me\\odbc.ini", "odbc"),
        ("[a]\nhost=x\n", "pg_service.conf", "service"),
        ('{"Servers": {}}', "odbc.ini", "pgadmin"),
        ('\ufeff{"format": "tusk-jupyter connections", "version": 1, "connections": []}', "", "tusk"),
    ],
)
def test_the_format_is_found(text, filename, kind):
    assert read(text, filename=filename).format == kind


@pytest.mark.parametrize("text", ["", "nothing", "[a]\nb=c\n", "[]", '{"a": 1}', "{", f'{{"password": "{CANARY}"'])
def test_what_is_no_file_of_connections_is_refused(text):
    assert refused(text)


@pytest.mark.parametrize("kind", FORMATS)
def test_a_format_that_does_not_fit_is_refused(kind):
    text = "[a]\nhost=x\n" if kind in {"pgadmin", "tusk"} else "{}"
    assert kind in str(refused(text, format=kind))


@given(text=st.text(max_size=300) | st.lists(st.sampled_from([*"[]=:%{}\"', \n\n", "a", "drivername", "postgresql", "host", "password", "DEFAULT", CANARY])).map("".join))
def test_no_text_is_too_broken(text):
    for kind in FORMATS:
        with contextlib.suppress(InvalidInput):
            assert all(problems(draft.saved) == () for draft in read(text, format=kind).drafts)


# -- names ------------------------------------------------------------------------------------------------------------


def test_taken_names_get_a_number_or_are_replaced():
    text = "[shop]\nhost=a\n[shop-2]\nhost=b\n[my shop]\nhost=c\n[my-shop]\nhost=d\n[select]\nhost=e\n"
    found = imported(text, taken=["shop", "shop-3"], reserved={"SELECT"})
    assert [draft.saved.name for draft in found.drafts] == ["shop-2", "shop-2-2", "my-shop", "my-shop-2", "select-db"]
    assert "shop is taken: it is shop-2" in found.drafts[0].notes
    replaced = imported(text, taken=["shop", "my-shop-2"], replacing=True, reserved={"SELECT"})
    assert [draft.saved.name for draft in replaced.drafts] == ["shop", "shop-2", "my-shop", "my-shop-3", "select-db"]


@given(st.text(min_size=1))
def test_every_name_becomes_usable(text):
    saved = SavedConnection(id="", name=usable_name(text), host="h", database="d", username="u")
    assert problems(saved) == ()


# -- our own ----------------------------------------------------------------------------------------------------------

_words = st.text(string.ascii_letters + string.digits + "_äß€", min_size=1, max_size=12)
_paths = st.none() | _words.map("/{}".format)
_numbers = st.none() | st.integers(1, 1000)
_tunnels = st.builds(
    SshTunnel,
    host=st.sampled_from(["jump.example.org", "::1", "10.0.0.1"]),
    port=st.integers(1, 65535),
    username=st.none() | _words,
    auth=st.sampled_from(AUTH_METHODS),
    key_path=_words.map("/{}".format),
    local_port=st.none() | st.integers(1, 65535),
    config_alias=st.none() | _words,
)
_records = st.builds(
    SavedConnection,
    id=st.uuids().map(str),
    name=_words,
    host=st.sampled_from(["db.example.org", "/run/postgresql", "::1", "10.0.0.1", "bücher.example"]),
    database=_words,
    username=_words,
    port=st.integers(1, 65535),
    ssl_mode=st.sampled_from(SSL_MODES),
    ssl_ca_cert=_paths,
    ssl_client_cert=_paths,
    ssl_client_key=_paths,
    ssh_tunnel=st.none() | _tunnels,
    read_only=st.booleans(),
    statement_timeout_ms=_numbers,
    lock_timeout_ms=_numbers,
    connect_timeout_s=st.none() | st.floats(0.5, 3600),
    pool_timeout_s=st.none() | st.floats(0.5, 3600),
    application_name=st.none() | _words,
    pool_size=_numbers,
    color=st.none() | st.sampled_from(COLORS),
    group_id=st.none() | st.sampled_from(["g1", "g2"]),
    history=st.booleans(),
    embedded=st.none() | _words,
    parameters=st.dictionaries(st.sampled_from(KEYWORDS), _words, max_size=4),
    created_at=st.just("2025-01-01"),
    updated_at=st.just("2025-01-02"),
)
GROUPS = (Group("g1", "Production", None, 0, "red"), Group("g2", "EU", "g1", 3))


@given(records=st.lists(_records, max_size=4, unique_by=lambda record: record.name))
def test_what_was_exported_is_imported_as_it_was(records):
    text = to_json(records, GROUPS)
    found = imported(text)
    assert found.groups == GROUPS
    assert found.skipped == ()
    assert {draft.saved.name: draft.saved for draft in found.drafts} == {
        record.name: replace(record, id="", created_at="", updated_at="") for record in records
    }
    assert all(draft.secrets == {} and draft.notes == () for draft in found.drafts)
    assert not any(record.id in text or record.created_at in text for record in records)


RECORD = SavedConnection(id="1", name="shop", host="db", database="shop", username="analyst")


@pytest.mark.parametrize(
    "changes",
    [
        *({"parameters": {key: CANARY}} for key in (*SECRET_KEYWORDS, *REFUSED_KEYWORDS, "passwd")),
        {"parameters": {"options": f"-c app.password={CANARY}"}},
        {"database": f"host=db password={CANARY}"},
        {"database": f"postgresql://analyst:{CANARY}@db/shop"},
        {"application_name": f"password='{CANARY}'"},
        {"ssh_tunnel": SshTunnel("jump", username=f"password={CANARY}")},
    ],
)
def test_nothing_that_may_be_a_password_is_exported(changes):
    assert secret_field(RECORD) is None
    with pytest.raises(InvalidInput, match="nothing was exported") as caught:
        to_json([replace(RECORD, **changes)])
    assert CANARY not in f"{caught.value.info()}"
    assert "'shop'" in str(caught.value)


def ours(**changes):
    record = {"name": "shop", "host": "db", "database": "d", "username": "u"} | changes
    return json.dumps({"format": "tusk-jupyter connections", "version": 1, "groups": [], "connections": [record]})


def test_a_password_that_somebody_wrote_into_an_export_is_kept_apart():
    draft = only(imported(ours(parameters={"password": CANARY, "sslpassword": CANARY, "keepalives": "1", "scram_client_key": CANARY})))
    assert draft.saved.parameters == {"keepalives": "1"}
    assert draft.secrets == {"db": Secret(CANARY), "sslkey": Secret(CANARY)}
    assert "scram_client_key is a secret" in draft.notes[0]


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"port": "many"}, "port holds a value of another kind"),
        ({"port": True}, "port holds"),
        ({"port": 0}, "the port"),
        ({"host": None}, "host holds"),
        ({"host": "a b"}, "'a b' is no host name"),
        ({"frobnicate": 1}, "no field 'frobnicate'"),
        ({"username": ""}, "the user is empty"),
        ({"parameters": ["x"]}, "parameters holds"),
        ({"parameters": {"keepalives": 1}}, "parameters holds"),
        ({"ssh_tunnel": {"port": 22}}, "an SSH tunnel needs host"),
        ({"ssh_tunnel": {"host": "j", "port": "x"}}, "ssh_tunnel.port holds"),
        ({"ssh_tunnel": "jump"}, "an SSH tunnel is a mapping"),
        ({"read_only": "yes"}, "read_only holds"),
        ({"connect_timeout_s": "10s"}, "connect_timeout_s holds"),
        ({"database": f"postgresql://u:{CANARY}@h/d"}, "database looks as if"),
    ],
)
def test_a_record_that_was_broken_by_hand_is_named(changes, why):
    found = imported(ours(**changes))
    assert found.drafts == ()
    assert why in found.skipped[0].why
    assert found.skipped[0].name == "shop"


def test_records_and_groups_of_nothing():
    document = {
        "format": "tusk-jupyter connections",
        "version": 1,
        "groups": [{"id": "a", "name": "A", "parent_id": "b"}, {"id": "b", "name": "B", "parent_id": "a", "color": "pink"},
                   {"id": "c", "name": "C", "parent_id": "gone"}, {"name": "no id"}, 5, {"id": 1, "name": "x"}],
        "connections": [7, {"name": "  "}, {"name": "shop", "host": "h", "database": "d", "username": "u", "group_id": "gone"}],
    }  # fmt: skip
    found = imported(json.dumps(document))
    assert found.groups == (Group("a", "A"), Group("b", "B", "a"), Group("c", "C"))
    draft = only(found)
    assert (draft.saved.group_id, draft.notes) == (None, ("its group is not in the file",))
    assert [entry.name for entry in found.skipped] == ["group 4", "group 5", "group 6", "connection 1", "connection 2"]


def test_an_export_of_a_newer_version_is_refused():
    text = json.dumps({"format": "tusk-jupyter connections", "version": 2, "connections": []})
    assert "newer version" in str(refused(text))
    assert "no list" in str(refused(json.dumps({"format": "tusk-jupyter connections", "connections": {}})))
