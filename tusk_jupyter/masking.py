"""Passwords in SQL text replaced by ``'****'``, for history, logs and error excerpts.

Covered are the places where PostgreSQL itself takes a password in a statement: ``PASSWORD '…'`` (roles, ``OPTIONS`` of
user mappings), and conninfo strings and URLs inside any literal (subscriptions, dblink). Literals are looked into as
well, because DO blocks and functions EXECUTE such statements. A literal that never ends is masked to the end.
``password = '…'`` in a WHERE clause is data, and stays.
"""

from __future__ import annotations

import re

from tusk_jupyter.lexer import Kind, significant, token_at, upper

MASK = "'****'"
_SUSPICIOUS = re.compile(r"password|://", re.IGNORECASE)
_CONNINFO = re.compile(
    r"(password\s*=\s*)(?:''(?:[^'\\]|\\.)*''|\\?'(?:[^'\\]|\\.)*\\?'|(?:[^\s'\\]|\\.)+)", re.IGNORECASE
)
_URL = re.compile(r"(://[^\s:/@'\"]*:)[^\s'\"/]*(@)")
_NESTED = re.compile(r"(password\s+[eE]?)''(?:[^']|'''')*''", re.IGNORECASE)
_DOLLAR = re.compile(r"\$[^$]*\$")
_DEPTH = 8
_ABOUT_A_ROLE = re.compile(r"\s*(?:create|alter)\s+(?:role|user|group)\b", re.IGNORECASE)


def masked(text: str, *, standard_conforming_strings: bool = True) -> str:
    """Return ``text`` with every password literal as ``'****'``; the rest is unchanged, lengths are not kept."""
    return _masked(text, standard_conforming_strings, _DEPTH)


def _masked(text: str, conforming: bool, depth: int) -> str:
    if not _SUSPICIOUS.search(text):
        return text
    parts: list[str] = []
    position, after_password = 0, False
    while position < len(text):
        token = token_at(text, position, standard_conforming_strings=conforming)
        end = token.end
        if after_password and token.kind is Kind.STRING:
            # whoever asks may not know the session's rule: the longer reading hides the password under both
            end = max(end, token_at(text, position, standard_conforming_strings=not conforming).end)
            part = MASK
        else:
            part = text[position:end]
            part = _inside(part, conforming, depth) if token.kind is Kind.STRING else part
        if token.kind > Kind.COMMENT:
            after_password = upper(text, token) == "PASSWORD" or part.lower() == '"password"'
        parts.append(part)
        position = end
    return "".join(parts)


def _inside(literal: str, conforming: bool, depth: int) -> str:
    delimiter = _DOLLAR.match(literal)
    if delimiter is None:
        return _NESTED.sub(r"\1''****''", _CONNINFO.sub(r"\1****", _URL.sub(r"\1****\2", literal)))
    body = literal[delimiter.end() :].removesuffix(delimiter[0])
    end = literal[delimiter.end() + len(body) :]
    plain = (
        _CONNINFO.sub(r"\1****", _URL.sub(r"\1****\2", body)) if depth == 0 else _masked(body, conforming, depth - 1)
    )
    return delimiter[0] + plain + end


def password_literals(text: str) -> list[str]:
    """Return the literals that a report about ``text`` must not repeat, as typed: a syntax error quotes its token.

    Those behind PASSWORD, and every one in a statement about a role, where ``create user u 'secret'`` is the slip that
    leaves the word out. The longest come first, for replacing.
    """
    found = set()
    about_a_role, last = _ABOUT_A_ROLE.match(text) is not None, ""
    for token in significant(text):
        if token.kind is Kind.STRING and (about_a_role or last == "PASSWORD"):
            found.add(text[token.start : token.end])
        last = upper(text, token)
    return sorted(found, key=len, reverse=True)
