from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.sql_texts import sql_texts
from tests.tricky_sql import TRICKY
from tusk_jupyter import lexer
from tusk_jupyter.lexer import Kind, significant, tokens, upper
from tusk_jupyter.queries.split import split


def pieces(text, *, conforming=True):
    return [
        text[t.start : t.end] for t in tokens(text, standard_conforming_strings=conforming) if t.kind is not Kind.SPACE
    ]


def kinds(text, *, conforming=True):
    return [t.kind for t in tokens(text, standard_conforming_strings=conforming) if t.kind is not Kind.SPACE]


@given(sql_texts, st.booleans())
def test_tokens_cover_the_text_exactly(text, conforming):
    position = 0
    for token in tokens(text, standard_conforming_strings=conforming):
        assert token.start == position < token.end
        position = token.end
    assert position == len(text)


@given(sql_texts, st.booleans())
def test_lexing_may_go_on_at_any_token(text, conforming):
    found = list(tokens(text, standard_conforming_strings=conforming))
    middle = found[len(found) // 2].start if found else 0
    assert list(tokens(text, middle, standard_conforming_strings=conforming)) == found[len(found) // 2 :]


@given(sql_texts)
def test_only_the_last_token_can_be_open(text):
    assert all(token.closed for token in list(tokens(text))[:-1])


@pytest.mark.parametrize("tricky", [t for t in TRICKY if t.runs], ids=lambda t: t.name)
def test_valid_sql_leaves_nothing_open_and_nothing_unknown(tricky):
    for statement in split(tricky.script):
        for token in tokens(statement.text, standard_conforming_strings=statement.standard_conforming_strings):
            assert token.closed
            assert token.kind is not Kind.OTHER


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a.b..c", ["a", ".", "b", "..", "c"]),
        ("1..2", ["1", "..", "2"]),
        ("1...2", ["1", "..", ".2"]),
        ("1.5e3", ["1.5e3"]),
        ("1.e5.5", ["1.e5", ".5"]),
        ("1e", ["1", "e"]),
        ("1e+", ["1", "e", "+"]),
        ("1_000_", ["1_000", "_"]),
        ("0x1F_a 0o17 0b01 0x", ["0x1F_a", "0o17", "0b01", "0", "x"]),
        ("$1 $12a $a", ["$1", "$12", "a", "$", "a"]),
        ("a$1$b", ["a$1$b"]),
        ("::=", ["::", "="]),
        (":::=", ["::", ":="]),
        ("a:=:b", ["a", ":=", ":", "b"]),
        ("=>-1", ["=>", "-", "1"]),
        ("<=-1", ["<=", "-", "1"]),
        ("*-+1", ["*", "-", "+", "1"]),
        ("@-1", ["@-", "1"]),
        ("?-|1", ["?-|", "1"]),
        ("+@-", ["+@-"]),
        ("<->/*c*/", ["<->", "/*c*/"]),
        ("@:x", ["@", ":", "x"]),
        ("a--b\nc", ["a", "--b", "c"]),
        ("->>'x'", ["->>", "'x'"]),
        ("n'a'", ["n", "'a'"]),
        ("U&'a' u&\"b\" u&c", ["U&'a'", 'u&"b"', "u", "&", "c"]),
        ("aE'x'", ["aE", "'x'"]),
        (r"E'a\'b'", [r"E'a\'b'"]),
        (r"'a\'c'", [r"'a\'", "c", "'"]),
        ("b'0''1'", ["b'0'", "'1'"]),
        ("'a''b' 'c'", ["'a''b'", "'c'"]),
        ("'a'\n'b'", ["'a'\n'b'"]),
        ("'a' /* */\n'b'", ["'a'", "/* */", "'b'"]),
        ("'a' --x\n--y\n 'b'", ["'a' --x\n--y\n 'b'"]),
        ("'a' --x", ["'a'", "--x"]),
        ('"a""b"c', ['"a""b"', "c"]),
        ("$$a$b$$c", ["$$a$b$$", "c"]),
        ("$a$ $b$ $a $a$", ["$a$ $b$ $a $a$"]),
        ("$a b$", ["$", "a", "b$"]),
        ("{{x}}", ["{", "{", "x", "}", "}"]),
        ("\u00a0\u2003", ["\u00a0\u2003"]),
    ],
)
def test_tokens_are_postgresqls(text, expected):
    assert pieces(text) == expected


def test_backslashes_escape_in_plain_strings_only_when_not_conforming():
    assert pieces(r"'\'' b'\' u&'\'", conforming=False) == [r"'\''", r"b'\'", r"u&'\'"]
    assert kinds(r"n'\''", conforming=False) == [Kind.IDENTIFIER, Kind.STRING]


def test_continuation_of_an_escape_string_still_escapes():
    assert pieces("E'a'\n'\\'b' c") == ["E'a'\n'\\'b'", "c"]


@pytest.mark.parametrize("text", ["'a", "E'a\\'", "E'\\", '"a', "$a$b$", "/* /* */", "'a'\n'b", "b'0"])
def test_what_never_ends_takes_the_rest_and_is_marked(text):
    *_, last = tokens("1 " + text + " ; ")
    assert (last.end, last.closed) == (len(text) + 5, False)


def test_keywords_fold_in_ascii_only():
    text = 'sElect ınsert "x" 1 ( ::'
    assert [upper(text, token) for token in significant(text)] == ["SELECT", "ınsert", "", "", "(", "::"]


class Counted:
    """A compiled pattern that counts the characters it moved over."""

    def __init__(self, pattern):
        self.pattern = pattern
        self.characters = 0

    def _count(self, start, match):
        self.characters += 1 + (match.end() - start if match else 0)
        return match

    def match(self, text, start=0):
        return self._count(start, self.pattern.match(text, start))

    def search(self, text, start=0):
        return self._count(start, self.pattern.search(text, start))

    def finditer(self, text, start=0):
        for match in self.pattern.finditer(text, start):
            yield self._count(start, match)
            start = match.end()


@pytest.mark.parametrize(
    "piece",
    [
        "+-",
        "''",
        "'a' ",
        "'a'\n",
        "'a'--\n",
        "\\'",
        '"" ',
        "$a$",
        "$a",
        "/*",
        "*/",
        "/**/",
        "((",
        "a$",
        "1.",
        "1e",
        "E'",
        "$$ ",
        "-- \n",
    ],
)
def test_work_grows_with_the_text_and_no_faster(monkeypatch, piece):
    names = [name for name, value in vars(lexer).items() if hasattr(value, "finditer")]
    counted = {name: Counted(getattr(lexer, name)) for name in names}
    for name, pattern in counted.items():
        monkeypatch.setattr(lexer, name, pattern)

    def work(times):
        for pattern in counted.values():
            pattern.characters = 0
        for _ in tokens(piece * times):
            pass
        return sum(pattern.characters for pattern in counted.values())

    assert work(4000) <= 4.2 * work(1000) + 600


def test_hundred_thousand_parentheses_and_sixteen_hundred_columns():
    deep = "select " + "(" * 100_000 + "1" + ")" * 100_000
    assert sum(1 for _ in significant(deep)) == 200_002
    wide = "select " + ", ".join(f'{i} as "c{i}"' for i in range(1600))
    assert sum(1 for _ in significant(wide)) == 1 + 4 * 1600 - 1
