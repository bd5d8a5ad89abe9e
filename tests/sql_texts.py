"""Text that looks enough like SQL to meet every rule of the lexer, valid or not."""

from __future__ import annotations

from hypothesis import strategies as st

FRAGMENTS = [
    "'", "''", '"', "$$", "$a$", "$", "$1", "E'", "e'", "b'", "X'", "N'", "U&'", 'u&"', "\\", "\\'",
    "/*", "*/", "--",
    "\n", "\r", " ", "\t", ";", "(", ")", "[", "]", ",", ".", "..", ":", "::", ":=", "=>", "=", "+", "-", "*", "/", "@",
    "<", ">", "?", "|", "&", "%", "{", "}", "{{", "}}", "{{ a }}", ":a", ":'a'", ':"a"', ":b.c", ":b['c']", ":d[0]",
    "a",
    "b", "_", "é", "\u00a0", "0", "1", "1.5", "1e", "0x1e", "select", "in", "not in", "array", "case", "end", "begin",
    "atomic", "create", "or", "replace", "function", "set", "standard_conforming_strings", "off", "on", "json_object(",
    "value", "with", "as", "insert", "into", "explain", "password", "\x00", "😀",
]  # fmt: skip

sql_texts = st.one_of(st.lists(st.sampled_from(FRAGMENTS), max_size=30).map("".join), st.text(max_size=60))
