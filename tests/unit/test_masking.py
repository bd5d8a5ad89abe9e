
from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.sql_texts import sql_texts
from tests.tricky_sql import TRICKY
from tusk_jupyter import secret_literals
from tusk_jupyter.masking import masked, masked_in_words, may_hold_password, password_literals, starred


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("create role a password 'canary'", "create role a password '****'"),
        ("ALTER USER a ENCRYPTED PASSWORD 'can''ary' VALID UNTIL 'x'", "ALTER USER a ENCRYPTED PASSWORD '****' VALID UNTIL 'x'"),
        ("alter role a password /* c */ E'can\\'ary' login", "alter role a password /* c */ '****' login"),
        ("alter role a password $$canary$$", "alter role a password '****'"),
        ("alter role a password U&'canary' uescape '!'", "alter role a password '****' uescape '!'"),
        ("alter role a password 'can'\n'ary'", "alter role a password '****'"),
        ("alter role a password 'canary", "alter role a password '****'"),
        ("alter role a password null", "alter role a password null"),
        ("alter role a password :'canary'", "alter role a password :'canary'"),
        ("create user mapping for a server s options (user 'u', password 'canary')", "create user mapping for a server s options (user 'u', password '****')"),
        ("alter user mapping for a server s options (set \"password\" 'canary')", "alter user mapping for a server s options (set \"password\" '****')"),
        ("create subscription s connection 'host=h password=canary port=1' publication p", "create subscription s connection 'host=h password=**** port=1' publication p"),
        ("select dblink('password = ''can ary'' host=h', 'x')", "select dblink('password = **** host=h', 'x')"),
        ("select dblink('postgresql://u:canary@h/d', 'x')", "select dblink('postgresql://u:****@h/d', 'x')"),
        ("do $$ begin create role a password 'canary'; end $$", "do $$ begin create role a password '****'; end $$"),
        ("do $a$ begin execute $b$alter role a password 'canary'$b$; end $a$", "do $a$ begin execute $b$alter role a password '****'$b$; end $a$"),
        ("do $$ begin execute 'alter role a password ''canary'''; end $$", "do $$ begin execute 'alter role a password ''****'''; end $$"),
        ("do $$ begin create role a password 'canary", "do $$ begin create role a password '****'"),
        ("alter role a password $t$ca'nary$t$ login", "alter role a password '****' login"),
        ("alter role a password -- 'c'\n /* 'd' /* e */ */ 'canary'", "alter role a password -- 'c'\n /* 'd' /* e */ */ '****'"),
        ("create user mapping for a server s options (add sslpassword 'canary', add \"passwd\" 'canary')", "create user mapping for a server s options (add sslpassword '****', add \"passwd\" '****')"),
        ("create subscription s connection 'password=''can\\''canary'' port=1' publication p", "create subscription s connection 'password=**** port=1' publication p"),
        ("create subscription s connection 'password=can''canary port=1' publication p", "create subscription s connection 'password=**** port=1' publication p"),
        ("create subscription s connection E'password=\\'x canary\\' port=1' publication p", "create subscription s connection E'password=**** port=1' publication p"),
        ("select dblink('host=h '\n'password=canary')", "select dblink('host=h password=****')"),
        ("select dblink($$host=h password='x canary' port=1$$)", "select dblink($$host=h password=**** port=1$$)"),
        ("select dblink('postgresql://u:can''canary@h/d')", "select dblink('postgresql://u:****@h/d')"),
        ("select dblink('postgresql://h/d?user=u&password=canary')", "select dblink('postgresql://h/d?user=u&password=****')"),
        ("do $$ begin execute E'alter role a password \\'canary\\''; end $$", "do $$ begin execute E'alter role a password ''****'''; end $$"),
        ("do 'begin execute ''alter role a password ''''canary''''''; end'", "do 'begin execute ''alter role a password ''''****''''''; end'"),
        ("-- alter role a password 'canary'\nselect 1", "-- alter role a password '****'\nselect 1"),
        ("/* alter role a password 'canary */ select 1", "/* alter role a password '****'*/ select 1"),
        ("SQL statement \"alter role a password 'canary'\"", "SQL statement \"alter role a password '****'\""),
        ("create user a password 'it's-canary' login", "create user a password '****' login"),
        ("create user a identified by 'canary'", "create user a identified by '****'"),
        ("create user a password = 'canary'", "create user a password = '****'"),
        ("create user a password N'canary'", "create user a password N'****'"),
        ('create user a password "canary"', "create user a password '****'"),
        ("create user a password canary login", "create user a password '****' login"),
        ("create role password login password 'canary'", "create role password login password '****'"),
        ("create role a; select password \"Password\", 'x' from t", "create role a; select password \"Password\", 'x' from t"),
        ("select f(password => 'canary'), '{\"password\": \"canary\"}'::json", "select f(password => 'canary'), '{\"password\": \"canary\"}'::json"),
        ("do $$ begin delete from t where password = 'canary'; end $$", "do $$ begin delete from t where password = 'canary'; end $$"),
        ("select 'http://h:80/a?to=me@x.org', 'the password''s'", "select 'http://h:80/a?to=me@x.org', 'the password''s'"),
        ("select * from t where password = 'canary'", "select * from t where password = 'canary'"),
        ("select password, 'a' from t", "select password, 'a' from t"),
        ("select 'password' 'x', x as password", "select 'password' 'x', x as password"),
        ("alter role a password 'canary' 'canary'", "alter role a password '****' '****'"),
        ("alter role a password 'can' /* c\n */ 'ary'", "alter role a password '****' /* c\n */ '****'"),
        ("alter role a password to 'canary'", "alter role a password '****' '****'"),
        ("alter role a password('canary')", "alter role a password('****')"),
        ("alter role a with password: 'canary'", "alter role a with password: '****'"),
        ("alter user a pasword 'canary' valid until 'infinity'", "alter user a pasword '****' valid until 'infinity'"),
        ("create user a 'canary'", "create user a '****'"),
        ("create role a password \u2018can-ary\u2019 login", "create role a password '****' login"),
        ("create role a password `can-ary` login", "create role a password '****' login"),
        ("alter role a set search_path = 'x', 'y'", "alter role a set search_path = 'x', 'y'"),
        ("alter role a set app.password to 'canary'", "alter role a set app.password to '****'"),
        ("alter database d set app.password = 'canary'", "alter database d set app.password = '****'"),
        ("set app.password = 'canary'; set x = 'y'", "set app.password = '****'; set x = 'y'"),
        ("set local my.password to canary", "set local my.password to '****'"),
        ("set password for a = 'canary'", "set password for a = '****'"),
        ("%%sql db\nset app.password = 'canary'", "%%sql db\nset app.password = '****'"),
        ("create function f() returns int set my.password = 'canary' return 1", "create function f() returns int set my.password = '****' return 1"),
        ("set my.password.of_db = 'canary'; set \"my\".\"password\" to canary", "set my.password.of_db = '****'; set \"my\".\"password\" to '****'"),
        ("set session my.password := 'canary'; set password for a@b = 'canary'; set password for f() = 'canary'", "set session my.password := '****'; set password for a@b = '****'; set password for f() = '****'"),
        ("create table u (org int references o on delete set null, password text not null, status text default 'active')", "create table u (org int references o on delete set null, password text not null, status text default 'active')"),
        ("alter table t alter a set not null, add password text, add status text default 'new'", "alter table t alter a set not null, add password text, add status text default 'new'"),
        ("alter table t alter a set default 5, add password text default 'x', alter b set statistics 9, add pwd text default 'x'", "alter table t alter a set default 5, add password text default 'x', alter b set statistics 9, add pwd text default 'x'"),
        ("alter table t set (fillfactor = 70), add password text default 'x', alter c set data type text, add passwd text default 'x'", "alter table t set (fillfactor = 70), add password text default 'x', alter c set data type text, add passwd text default 'x'"),
        ("insert into faq values ('How do I set my password to something new?')", "insert into faq values ('How do I set my password to something new?')"),
        ("update t set password = 'canary'", "update t set password = 'canary'"),
        ("insert into t values (1) on conflict do update set password = 'x'", "insert into t values (1) on conflict do update set password = 'x'"),
        ("create subscription s connection 'host=h password=can ary x port=1' publication p", "create subscription s connection 'host=h password=**** port=1' publication p"),
        ("select dblink('password=''can''ary x'' port = 1', 'x')", "select dblink('password=**** port = 1', 'x')"),
        ("alter table t alter password set default 'x'", "alter table t alter password set default 'x'"),
        ("select set_config('app.password', 'canary', false), 'x'", "select set_config('app.password', '****', false), 'x'"),
        ("create server s foreign data wrapper f options (host 'h', api_key 'canary')", "create server s foreign data wrapper f options (host 'h', api_key '****')"),
        ("alter server s options (set password 'canary', add token $$canary$$)", "alter server s options (set password '****', add token '****')"),
        ("insert into t (token) values ('x')", "insert into t (token) values ('x')"),
        ("select dblink('host=h password=' || 'canary')", "select dblink('host=h password=' || '****')"),
        ("do $$ begin execute 'alter role a password ' || quote_literal('canary'); end $$", "do $$ begin execute 'alter role a password ' || quote_literal('****'); end $$"),
        ("do $$ begin execute format('alter role %I password %L', 'a', 'canary'); end $$", "do $$ begin execute format('alter role %I password %L', '****', '****'); end $$"),
        ("select format('%s', 'x'), 'wrong password for ' || 'x'", "select format('%s', 'x'), 'wrong password for ' || 'x'"),
        ("select crypt('canary', gen_salt('bf')), 'x'", "select crypt('****', gen_salt('bf')), 'x'"),
        ("select pgp_sym_encrypt(f(a, 'x'), 'canary', 'cipher-algo=aes256')", "select pgp_sym_encrypt(f(a, 'x'), '****', 'cipher-algo=aes256')"),
        ("select pgp_sym_decrypt(c, ('canary' || 'canary')), :'x' from t where crypt(:'key', p) = p", "select pgp_sym_decrypt(c, ('****' || '****')), :'x' from t where crypt(:'key', p) = p"),
        ("copy t from program 'curl -u me:canary https://h/x'", "copy t from program 'curl -u me:**** https://h/x'"),
        ("copy t from program 'curl -H \"Authorization: Bearer canary\" https://u:canary@h/x'", "copy t from program 'curl -H \"Authorization: Bearer ****\" https://u:****@h/x'"),
        ("copy t to program 'PGPASSWORD=canary psql --user a'", "copy t to program 'PGPASSWORD=**** psql --user a'"),
        ("select '-u me:x'", "select '-u me:x'"),
        ("select 'postgresql://u:can@ary/x@h/d', 'me@x'", "select 'postgresql://u:****@h/d', 'me@x'"),
        ("select 'postgresql://u:can ary@h/d'", "select 'postgresql://u:****@h/d'"),
        ("select '{\"a\":\"x://u:canary@h\",\"b\":\"me@x\"}'", "select '{\"a\":\"x://u:****@h\",\"b\":\"me@x\"}'"),
    ],
)  # fmt: skip
def test_passwords_are_masked_and_nothing_else(text, shown):
    assert masked(text) == shown


@pytest.mark.parametrize("conforming", [True, False])
@pytest.mark.parametrize("literal", [r"'can\'ary'", r"'canary\'"])
def test_the_password_is_hidden_whatever_the_backslash_rule_is(literal, conforming):
    shown = masked(f"alter role a password {literal}", standard_conforming_strings=conforming)
    assert shown == "alter role a password '****'"


@pytest.mark.parametrize("tricky", TRICKY, ids=lambda t: t.name)
def test_sql_without_passwords_is_unchanged(tricky):
    assert masked(tricky.script) == tricky.script


secrets = st.text(min_size=6).filter(lambda text: not set(text) <= set("*'\\ $\x00"))


@given(sql_texts, secrets)
def test_no_password_comes_through(before, secret):
    literal = "'" + secret.replace("'", "''") + "'"
    for text in (f"alter role a password {literal}", f"create role a login password {literal} {before}"):
        assert literal not in masked(text)
        assert masked(text).startswith(text[: text.index("password")] + "password '****'")


around = st.text(max_size=8).filter(lambda text: "\x00" not in text)
passwords = st.builds("{}canary{}".format, around, around)
between = st.lists(
    st.sampled_from([" ", "\n", "\t", "/* c */", "/* 'c' /* \" */ */", "-- it's\n"]), min_size=1, max_size=4
).map(lambda parts: " " + "".join(parts))


def doubled(text):
    return "'" + text.replace("'", "''") + "'"


def escaped(text):
    return "E'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def by_unicode(text):
    return "U&'" + text.replace("\\", "\\\\").replace("'", "''") + "'"


def dollars(text):
    return f"$q${text}$q$" if "$" not in text else doubled(text)


def continued(text):
    return doubled(text[:3]) + "\n" + doubled(text[3:])


quotings = st.sampled_from([doubled, escaped, by_unicode, dollars, continued])


def as_value(text):
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def as_bare_value(text):
    return "".join(f"\\{c}" if c in "\\'" or c.isspace() else c for c in text)


@given(passwords, quotings, between, st.sampled_from(["password", "ENCRYPTED PASSWORD", '"password"', "SSLPassword"]))
def test_no_quoting_of_a_literal_lets_a_password_through(password, quoting, gap, keyword):
    statement = f"alter role a {keyword}{gap}{quoting(password)} valid until 'x'"
    assert "canary" not in masked(statement)
    # a backslash is read both ways, and the longer one hides more
    assert masked(statement).endswith(" valid until 'x'") or "\\" in password
    assert "canary" not in masked_in_words(f"could not run {statement}")
    assert "canary" not in starred(statement)
    for literal in password_literals(statement):
        statement = statement.replace(literal, "")
    assert "canary" not in statement


@given(passwords, quotings, st.sampled_from([as_value, as_bare_value]), st.booleans())
def test_no_quoting_of_a_conninfo_lets_a_password_through(password, quoting, value, spaced):
    equals = " = " if spaced else "="
    conninfo = f"host=h password{equals}{value(password)} port=1"
    shown = masked(f"select dblink({quoting(conninfo)}, 'select 1')")
    assert "canary" not in shown
    assert "port=1" in shown
    assert "canary" not in starred(f"select dblink({quoting(conninfo)}, 'select 1')")
    assert shown.endswith(", 'select 1')")


@given(passwords, quotings, quotings)
def test_no_statement_within_a_literal_lets_a_password_through(password, inner, outer):
    assert "canary" not in masked(f"do {outer(f'alter role a password {inner(password)} login')}")


@given(sql_texts)
def test_stars_move_nothing(text):
    shown = starred(text)
    assert len(shown) == len(text)
    assert [c if c in "\r\n" else "" for c in shown] == [c if c in "\r\n" else "" for c in text]


def test_stars_stand_where_the_password_does():
    assert starred("alter role a password\n 'can''ary' login") == "alter role a password\n ********** login"
    shown = starred("select dblink('host=h password=canary port=1'), password from t where password = 'x'")
    assert shown == "select dblink('host=h password=****** port=1'), password from t where password = 'x'"
    assert starred("select dblink('postgresql://u:hush-hush@h')") == "select dblink('postgresql://u:*********@h')"


@given(sql_texts)
def test_masking_twice_changes_nothing_more(text):
    once = masked(text)
    assert masked(once) == once


@given(sql_texts)
def test_any_text_can_be_masked(text):
    assert "password" not in text or "password" in masked(text)
    assert masked("-- password\n" + text).startswith("-- password\n")


def test_dollar_quotes_deeper_than_the_mask_looks_lose_no_text():
    text = "password"
    for depth in range(20):
        text = f"$a{depth}${text}$a{depth}$"
    assert masked(text) == text


@pytest.mark.parametrize(
    "text", ["select options, program, hmac from encrypted", "create table roles (a int)", "alter table t add options text"]
)
def test_a_word_alone_is_no_sign_of_a_password(text):
    assert not may_hold_password(text)


@pytest.mark.parametrize("sign", ["password", "program 'x'", "'http://h'", "crypt(a, b)", "options (a 'b')"])
def test_what_stands_far_from_a_sign_is_passed_over(sign):
    row = "(1, 'a''b', now(), -2.5, \"c\"),\n"
    text = f"insert into t values {row * 1000} (({sign})), {row * 1000}"
    found = list(secret_literals.pieces(text, conforming=True))
    assert "".join(text[piece.token.start : piece.end] for piece in found) == text
    assert len(found) < 5000  # of 52,000


fragments = st.sampled_from([
    *"();,=/-'\\$", "'a'", "'it''s'", "E'x\\'y'", "'pass", "'password 'x", "$t$ password 'x' $t$", '"password"', "--c\n", "/* c */", "/*",
    "-- password 'x'\n", "create", "alter", "role", "user", "a", "b.c", "set", "update", "format", "set_config", "options", "crypt", "program",
    "password", "identified", "by", "to", "'curl -u me:x h'", "'x %L password %L'", "'app.password'", "token", "U&", "N'x'", "::", "'http://u:p@h'",
    "'alter role a password ''x'''", "'host=h '\n'password=x'", "||", "é", "`x`", "local", "my.password", "null", "'a'\n'b'",
])  # fmt: skip


@given(st.lists(st.tuples(fragments, st.sampled_from(["", " "])), max_size=20), st.booleans())
def test_passing_over_changes_nothing(parts, conforming):
    text = "".join(map("".join, parts))
    shown = masked(text, standard_conforming_strings=conforming)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(secret_literals._Statement, "asks_nothing", False)
        assert shown == masked(text, standard_conforming_strings=conforming)


# quadratic time would not end within the time limit of a test
HOSTILE = {
    "program": "copy t from program ' -u" + "=" * 500_000 + "'",
    "a word": "crypt" * 200_000 + "'a'",
    "comments": "password " + "'a' -- x\n" * 20_000,
    "quotes": "'" * 200_001 + " pwd",
    "calls": "set " + "(" * 60_000 + "format(" + "-- x\n()" * 60_000 + "'pwd'",
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_no_text_takes_quadratic_time(text):
    assert masked(text).startswith(text[:4])
