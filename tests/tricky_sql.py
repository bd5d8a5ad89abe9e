# ruff: noqa: ISC004 (statements stay in one piece)
"""SQL that splitters and binders get wrong, with the statements it consists of."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Tricky:
    """``runs``: every statement succeeds, in order, on an empty database; ``psql``: psql splits it the same way."""

    name: str
    script: str
    statements: tuple[str, ...]
    runs: bool = True
    psql: bool = True


def _one(name: str, statement: str, *, runs: bool = True, psql: bool = True) -> Tricky:
    return Tricky(name, statement + ";", (statement,), runs, psql)


TRICKY = [
    Tricky("two", "select 1; select 2", ("select 1", "select 2")),
    Tricky("nothing", " \n;; ;\n", ()),
    Tricky("only comments", "-- a;b\n/* ; */ ; -- c", ()),
    Tricky("comment before", "-- hint: a; b\nselect 1;", ("-- hint: a; b\nselect 1",)),
    Tricky("comment after", "select 1; -- done\n", ("select 1",)),
    Tricky("comment inside", "select 1 -- ;'\"$$/*\n+ 1;", ("select 1 -- ;'\"$$/*\n+ 1",)),
    Tricky("no line break ends a comment but CR", "select 1 -- x\r+ 1; select 2", ("select 1 -- x\r+ 1", "select 2")),
    _one("nested comment", "select /* a /* b; */ ' ; */ 1"),
    _one("comment of stars", "select /***/ 1 /**/ + /* * / ; **/ 2"),
    _one("slash star slash", "select 1 /*/ ; */ + 1"),
    _one("operator before comment", "select 1 +-- ; '\n 2 */* ; ' */ 3"),
    _one("operator and minus", "select 1 =-1, 2 <-1, 5 - -3, 1+-+-+ 2, - 1"),
    _one("absolute value", "select @ -5, @5, |/ 25.0, ||/ 27.0, 2 ^ 3, ~ 1, 5 # 3, 5 % 3"),
    _one("doubled quote", "select 'it''s; ', '''', ''';'''"),
    _one("backslash at the end", r"select 'a\', 'b;\'"),
    _one("escape string", r"select E'\'; \\', e'a''b\n'"),
    _one("E inside a word", r"select 1 as somee, 'a\' as like_e"),
    _one("string goes on", "select 'a'\n';b', 'd' -- x\n -- ;'\n 'e'"),
    # psql forgets at the line break that backslashes escape; the server does not
    _one("escape string goes on", "select E'a'\n'\\';c'", psql=False),
    _one("string after CR goes on", "select 'a'\r';b'"),
    _one("bit strings", "select B'01', x'1F', b''"),
    _one("national string", "select N'a;b', n'c'"),
    _one("unicode string", r"select U&'d\0061t\+000061 ;', U&'d!0061' UESCAPE '!'"),
    _one("unicode identifier", r'select 1 as U&"d\0061;", 2 as u&"!0061" uescape ' + "'!'"),
    _one("u and ampersand", "select u&3 from (values (1)) t(u)"),
    _one("quoted identifier", 'select 1 as "a;""b\'", 2 as "--", 3 as "/*", 4 as "$$"'),
    _one("dollar quotes", "select $$;'\"$$, $a$ $$ ; $b$ $a$, $_1$;$_1$, $é$;$é$"),
    _one("dollar quote inside one", "select $a$ $b$ ; $a $ $a$, $b$x$a$;$a$ y$b$"),
    _one("dollar sign that ends twice", "select $a$x$a$, $$a$b$$"),
    _one("dollar in identifiers", "select 1 as a$b, 2 as c$$, 3 as d$e$f from (values (1)) t(x$y$)"),
    _one("identifier beyond ASCII", "select 1 as größe, 2 as 数据$1, 3 as \u00a0a"),
    _one("numbers", "select 1.5e3, .5, 5., 1e-3, 1.e2, 12345678901234567890"),
    _one("range loop dots", "do $$ begin for i in 1..2 loop null; end loop; end $$"),
    _one("parentheses", "select (1), ((2)), (select 3 from (values (1), (2)) t(a) limit 1)"),
    Tricky(
        "rule",
        "create table r1(a int); create rule r as on insert to r1 do also (select 1; select 2); select 1",
        ("create table r1(a int)", "create rule r as on insert to r1 do also (select 1; select 2)", "select 1"),
    ),
    Tricky(
        "atomic",
        "create function f1() returns int language sql begin atomic select 1; select 2; end; select f1()",
        ("create function f1() returns int language sql begin atomic select 1; select 2; end", "select f1()"),
    ),
    Tricky(
        "atomic with case",
        "create or replace function f2(a int) returns text\nBEGIN ATOMIC\n select case when a = 1 then case a when 1"
        " then 'x' end else ';' end; select (case when true then 'y' end);\nEND;\nselect f2(1)",
        (
            "create or replace function f2(a int) returns text\nBEGIN ATOMIC\n select case when a = 1 then case a when 1"
            " then 'x' end else ';' end; select (case when true then 'y' end);\nEND",
            "select f2(1)",
        ),
    ),
    Tricky(
        "atomic procedure",
        "create table p1(a int); create procedure pr() begin atomic insert into p1 values (1); delete from p1; end;"
        " call pr(); drop procedure pr",
        (
            "create table p1(a int)",
            "create procedure pr() begin atomic insert into p1 values (1); delete from p1; end",
            "call pr()",
            "drop procedure pr",
        ),
    ),
    Tricky(
        "column named end in a body",
        'create function f3() returns int begin atomic select 1 as end; select 2 as "end"; end; select 3',
        ('create function f3() returns int begin atomic select 1 as end; select 2 as "end"; end', "select 3"),
        psql=False,  # it takes the name for the end of the body, and sends half of the function
    ),
    Tricky(
        "function named begin",
        "create function begin() returns int language sql return 1; select 2",
        ("create function begin() returns int language sql return 1", "select 2"),
        psql=False,  # it waits for an end that never comes
    ),
    Tricky(
        "return without a body",
        "create function f4(a int default (1)) returns int return case when a > 1 then 1 else 2 end; select f4()",
        (
            "create function f4(a int default (1)) returns int return case when a > 1 then 1 else 2 end",
            "select f4()",
        ),
    ),
    Tricky(
        "body in quotes",
        "create function f5() returns int language plpgsql as $f$ begin perform $g$;$g$; return 1; end; $f$; select 1",
        (
            "create function f5() returns int language plpgsql as $f$ begin perform $g$;$g$; return 1; end; $f$",
            "select 1",
        ),
    ),
    Tricky("begin and end", "begin; select 1; end; select 2", ("begin", "select 1", "end", "select 2")),
    Tricky(
        "not conforming strings",
        r"set standard_conforming_strings = off;"
        "\n"
        r"select 'a\';b'; set standard_conforming_strings to 'on';"
        "\n"
        r"select 'c\'; select 1",
        (
            "set standard_conforming_strings = off",
            r"select 'a\';b'",
            "set standard_conforming_strings to 'on'",
            r"select 'c\'",
            "select 1",
        ),
    ),
    Tricky(
        "bit string with backslash rules off",
        r"""set standard_conforming_strings = off;"""
        "\n"
        r"""select b'01', x'ff', 'x''\';', N'\';'; reset standard_conforming_strings;"""
        "\n"
        r"""select '\'""",
        (
            "set standard_conforming_strings = off",
            r"select b'01', x'ff', 'x''\';', N'\';'",
            "reset standard_conforming_strings",
            r"select '\'",
        ),
    ),
    _one("array literal", "select '{{1,2},{3,4}}'::int[], '{{a}}'"),
    _one("json literal", """select '{"a":1}'::jsonb, '{"a": {"b": ":c"}}'::json -> 'a', '{"a":1}'::jsonb ? 'a'"""),
    _one(
        "json operators",
        "select '{\"a\":[1]}'::jsonb #>> '{a,0}', '{}'::jsonb @> '{}', '{\"a\":1}'::jsonb ?| array['a']",
    ),
    _one(
        "json path",
        """select '{"a":1}'::jsonb @? '$.a ? (@ > 0)', jsonb_path_query('[1]', '$[*] ? (@ > $x)', '{"x":0}')""",
    ),
    _one("colon in strings", "select 'a :b c', $$:d$$, E':e', U&':f', 1 as \":g\" -- :h\n/* :i */"),
    _one("casts", "select 1::int, '1' :: text, x::int::text from (values (1)) t(x)"),
    _one("slices", "select a[1:2], a[:2], a[2:], a[:], a[x:y], a[(x):y] from (values (array[1,2,3], 1, 2)) t(a, x, y)"),
    _one("slice of slices", "select a[1:1][x:x], (a)[x:x][1:1] from (values (array[[1,2],[3,4]], 1)) t(a, x)"),
    _one("slice without spaces", "select a[x:y::int] from (values (array[1,2,3], 1, 2)) t(a, x, y)"),
    _one("named arguments", "select make_interval(days := 1), make_interval(hours => 2)"),
    _one("inet operators", "select '192.168.1.5'::inet << '192.168.1.0/24', 1 << 2, '10.0.0.1'::inet >>= '10.0.0.1'"),
    _one("percent and question", "select 5 % 3, 'a%b' like 'a\\%b', '%s %(x)s ? ?? $1 {x} $x'"),
    _one("jinja in strings", "select '{% if x %}', '{# no #}', '{{ }}', '{x}', '$x'"),
    Tricky(
        "not conforming by session",
        r"set session standard_conforming_strings to off; select '\';'; set local standard_conforming_strings = on; select '\'",
        (
            "set session standard_conforming_strings to off",
            r"select '\';'",
            "set local standard_conforming_strings = on",
            r"select '\'",
        ),
        psql=False,  # outside a transaction SET LOCAL changes nothing, and only the server knows that
        runs=False,
    ),
    _one("form feed", "select\f1"),
    Tricky("nothing ends a string", "select 1; select 'a; b", ("select 1", "select 'a; b"), runs=False, psql=False),
    Tricky("nothing ends a name", 'select "a; b', ('select "a; b',), runs=False, psql=False),
    Tricky("nothing ends a comment", "select 1 /* a; /* b */ ;", ("select 1 /* a; /* b */ ;",), runs=False, psql=False),
    Tricky("nothing ends a dollar quote", "select $a$ ; $b$", ("select $a$ ; $b$",), runs=False, psql=False),
    Tricky("open parenthesis", "select (1; select 2", ("select (1; select 2",), runs=False, psql=False),
    Tricky("close parenthesis", "select 1); select 2", ("select 1)", "select 2"), runs=False),
    Tricky("lone dollar", "select $ ; select a$", ("select $", "select a$"), runs=False),
    Tricky("dollar after a number", "select 1$a$ ; $a$; select 2", ("select 1$a$ ; $a$", "select 2"), runs=False),
    Tricky("parameter beside a dollar quote", "select $1$a$ ; $a$", ("select $1$a$ ; $a$",), runs=False),
    # no version accepts it; 14 reads an escape string after the number, 15 complains of the number
    Tricky(
        "escape after a number", "select 1e'\\';'; select 2", ("select 1e'\\';'", "select 2"), runs=False, psql=False
    ),
    Tricky(
        "hexadecimal before a quote",
        "select 0x1e'\\'; select 2",
        ("select 0x1e'\\'", "select 2"),
        runs=False,
        psql=False,
    ),
    Tricky("backslash", "select 1 \\ 2; select 2", ("select 1 \\ 2", "select 2"), runs=False, psql=False),
    Tricky(
        "merge",
        "merge into t using s on true when matched then delete; select 1",
        ("merge into t using s on true when matched then delete", "select 1"),
        runs=False,
    ),
]
