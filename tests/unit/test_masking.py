
from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.sql_texts import sql_texts
from tests.tricky_sql import TRICKY
from tusk_jupyter.masking import masked


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
        ("select * from t where password = 'canary'", "select * from t where password = 'canary'"),
        ("select password, 'a' from t", "select password, 'a' from t"),
        ("select 'password' 'x', x as password", "select 'password' 'x', x as password"),
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


@given(sql_texts)
def test_any_text_can_be_masked(text):
    assert "password" not in text or "password" in masked(text)
    assert masked("-- password\n" + text).startswith("-- password\n")


def test_dollar_quotes_deeper_than_the_mask_looks_lose_no_text():
    text = "password"
    for depth in range(20):
        text = f"$a{depth}${text}$a{depth}$"
    assert masked(text) == text
