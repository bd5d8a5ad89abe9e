"""Which literals of a statement are secrets: a walk over its tokens that remembers what the last ones ask for.

- ``PASSWORD '…'`` of roles, and in ``OPTIONS (…)``, where ``token``, ``secret`` and ``api_key`` are no data either;
- every literal of a ``CREATE`` or ``ALTER ROLE`` but those of ``VALID UNTIL`` and ``SET``: ``create user u 'secret'``,
  ``pasword 'secret'`` and ``password to 'secret'`` are slips that fail and are kept all the same;
- ``SET app.password = '…'`` and ``set_config('app.password', '…', …)``;
- the passwords and keys that pgcrypto's functions take (``crypt``, ``pgp_sym_encrypt``, ``hmac``, …);
- what a statement or a conninfo is put together from: ``'… password ' || quote_literal('…')``,
  ``format('… password %L', '…')``.

A parser would know more and would fail on what is not SQL yet; what is masked here failed often enough.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

from tusk_jupyter.lexer import WHITESPACE, Kind, Token, passed_over, token_at, upper

if TYPE_CHECKING:
    from collections.abc import Iterator

WORDS: Final = "password|passwd|passphrase|pwd"
_OPTION = re.compile(rf'"?\w*(?:{WORDS})"?\Z', re.IGNORECASE)
_FOREIGN = re.compile(r'"?\w*(?:secret|token|credential|(?:api|access|private)_?key)"?\Z', re.IGNORECASE)
_SETTING = re.compile(rf"[eE]?'[\w.]*(?:{WORDS})'\Z", re.IGNORECASE)
# a literal that ends where a password is to follow, or has a place for one
_UNFINISHED = re.compile(rf"(?:{WORDS})\"?(?:\s+|\s*=\s*)'*\Z", re.IGNORECASE)
_TEMPLATE = re.compile(rf"(?:{WORDS})\"?(?:\s+%[\d$-]*L|\s*=\s*'*%)", re.IGNORECASE)
# a quote in the password that was not doubled: what is glued to the literal is the rest of it
_GLUED = re.compile(r"[\w'\\$][^\s;,()]*")
_REST_OF_WORD = re.compile(r"[^\s;,()]+")
_ROLES = frozenset({"ROLE", "USER", "GROUP"})
_MADE = frozenset({"CREATE", "ALTER"})
# behind these a literal in a statement about a role is none of its passwords
_HARMLESS = frozenset({"UNTIL", "UESCAPE"})
# what «SET a.b = x» and MySQL's «SET PASSWORD FOR a@b = x» consist of: these signs, and what stands behind one of them
_SETS = frozenset({"SET", "LOCAL", "SESSION", ".", "FOR", "@", "(", ")", "=", ":=", "TO"})
_NAMES = _SETS - {"(", ")"}
_PUTS_TOGETHER = frozenset({"||", "(", "QUOTE_LITERAL", "QUOTE_NULLABLE"})
_KEYS = {
    "CRYPT": 0,
    "HMAC": 1,
    **dict.fromkeys(("ENCRYPT", "ENCRYPT_IV", "DECRYPT", "DECRYPT_IV"), 1),
    **{f"PGP_SYM_{way}{kind}": 1 for way in ("ENCRYPT", "DECRYPT") for kind in ("", "_BYTEA")},
    **dict.fromkeys(("PGP_PUB_DECRYPT", "PGP_PUB_DECRYPT_BYTEA"), 2),
}
# in folded text: what makes a secret of a literal, or is one; a blank may be an escape within a literal
_BLANKS = r"(?:\s|\\[nrt])*"
_OPENS = rf"{_BLANKS}(?:\(|--|/\*)"
_SIGN = (
    rf"{WORDS}|://|identified|(?:crypt|hmac)(?:_iv|_bytea)?{_OPENS}|options{_OPENS}"
    rf"|program{_BLANKS}(?:[eun]?&?\\?'|\$|--|/\*)|(?:create|alter){_BLANKS}(?:(?:role|user|group)\b|--|/\*)"
)
SIGN: Final = re.compile(_SIGN)
# and what the meaning of a sign behind it depends on
_MARK = re.compile(rf"{_SIGN}|\b(?:set|set_config|format|update)\b")
_LEADS = frozenset({"CREATE", "ALTER", "IDENTIFIED", "PROGRAM", "OPTIONS", "FORMAT", "SET_CONFIG", *_KEYS})
_LONGEST_NAME = 64  # NAMEDATALEN


class Piece(NamedTuple):
    """A token as it counts here: ``end`` may be behind the token's; ``glued`` is where the rest of a secret begins."""

    token: Token
    end: int
    secret: bool = False
    glued: int = 0
    program: bool = False


@dataclass(slots=True)
class _Call:
    """What stands in parentheses: which argument is a secret, and which one it is at."""

    name: str = ""
    wanted: int = -1
    argument: int = 0
    whole: bool = False
    watched: bool = False

    @property
    def asks(self) -> bool:
        return self.whole or self.argument == self.wanted


@dataclass(slots=True)
class _Statement:
    """What has been read of the statement so far."""

    conforming: bool
    updates: bool = False
    before: str = ""
    last: str = ""
    role: bool = False
    setting: bool = False
    expected: bool = False
    unfinished: bool = False
    after_secret: bool = False
    calls: list[_Call] = field(default_factory=list)

    @property
    def asks_nothing(self) -> bool:
        """Whether what follows, up to the next sign, can be passed over."""
        asks = self.role or self.setting or self.expected or self.unfinished or self.after_secret
        return not (asks or self.last in _LEADS or (self.calls and self.calls[-1].watched))


def pieces(text: str, *, conforming: bool) -> Iterator[Piece]:
    """Yield the tokens, and which of them are secrets; together they are the text.

    What stands between two signs is passed over, as if it were white space.
    """
    folded = text.lower()
    position, sign, read = 0, -1, _Statement(conforming)
    while position < len(text):
        if sign < position:
            found = _MARK.search(folded, position)
            # where folding moves what follows, every token is looked at
            sign = position if len(folded) != len(text) else found.start() if found else len(text)
        if sign > position and read.asks_nothing:
            end = passed_over(text, position, sign, standard_conforming_strings=conforming)
            if end > position:
                yield Piece(Token(Kind.SPACE, position, end), end)
                position, read.before, read.last = end, "", ""
                read.calls.clear()
                continue
        token = token_at(text, position, standard_conforming_strings=conforming)
        piece = Piece(token, token.end)
        if token.kind > Kind.COMMENT:
            word = _word(text, token)
            if word == ";":
                read = _Statement(conforming)
            elif (read.expected or token.kind is Kind.STRING) and _is_secret(text, token, word, read):
                piece = _secret(text, token, conforming=conforming)
                read.expected = read.unfinished = False
                read.after_secret = True
            else:
                piece = piece._replace(program=token.kind is Kind.STRING and read.last == "PROGRAM")
                _follow(text, token, word, read)
            read.before, read.last = read.last, word
        yield piece
        position = piece.end


def _word(text: str, token: Token) -> str:
    return text[token.start : token.end] if token.kind is Kind.OPERATOR else upper(text, token)


def end_of_secret(text: str, token: Token, *, conforming: bool) -> int:
    """Return where a literal ends: whoever asks may not know the session's rule, and the longer reading hides more."""
    return max(token.end, token_at(text, token.start, standard_conforming_strings=not conforming).end)


def end_of_glued(text: str, end: int) -> int:
    """Return the end of what is glued to a literal that ends at ``end``."""
    return glued.end() if (glued := _GLUED.match(text, end)) else end


def _secret(text: str, token: Token, *, conforming: bool) -> Piece:
    end = end_of_secret(text, token, conforming=conforming)
    # a word may begin with a quote of another alphabet, which is a letter, and go on with signs
    rest = (_GLUED if token.kind is Kind.STRING else _REST_OF_WORD).match(text, end)
    return Piece(token, rest.end(), True, end) if rest else Piece(token, end, True)


def _is_secret(text: str, token: Token, word: str, read: _Statement) -> bool:
    if token.kind is Kind.STRING:
        return _is_secret_literal(text, token, read)
    if read.setting:
        # SET name = value, where the value may be a word
        return read.last in {"=", "TO"} and token.kind in {Kind.IDENTIFIER, Kind.NUMBER} and word != "DEFAULT"
    if token.kind is Kind.IDENTIFIER:
        return read.role and word not in {"NULL", "N"}
    return read.role and (
        token.kind in {Kind.QUOTED_IDENTIFIER, Kind.NUMBER} or (token.kind is Kind.OPERATOR and word[0] == "`")
    )


def _is_secret_literal(text: str, token: Token, read: _Statement) -> bool:
    before = text[max(token.start - 2, 0) : token.start]
    if before.endswith(":") and before != "::":
        return False  # :'name', whose value is elsewhere
    if read.unfinished or (read.calls and read.calls[-1].asks):
        return True
    if read.role and not read.setting and read.last not in _HARMLESS:
        return True
    if read.after_secret:
        return True
    # in words inside a literal, «the password's …» is none
    return read.expected and (read.role or read.setting or before[-1:] in f"{WHITESPACE}/")


def _follow(text: str, token: Token, word: str, read: _Statement) -> None:
    """Note what a token that is no secret asks for."""
    read.after_secret = False
    if token.kind is Kind.STRING:
        read.expected = False
        _look_into(text[token.start : token.end], read)
        return
    read.unfinished = read.unfinished and word in _PUTS_TOGETHER
    read.updates = read.updates or word == "UPDATE"
    if word == "SET" and not read.updates:
        # «alter column password set default»: what the name asked for is another thing
        read.setting, read.expected = True, False
    elif read.setting and not read.role and word not in _SETS and read.last not in _NAMES:
        # «on delete set null, password text»
        read.setting = read.expected = False
    if token.kind is Kind.PUNCTUATION:
        _count(word, read)
    if not (read.expected and _goes_on(text, token, word, read)):
        read.role = (read.role or (word in _ROLES and read.last in _MADE)) and (word, read.last) != ("MAPPING", "USER")
        read.expected = _asks(text, token, word, read)


def _look_into(literal: str, read: _Statement) -> None:
    call = read.calls[-1] if read.calls else None
    read.unfinished = len(literal) < 10_000 and _UNFINISHED.search(literal.rstrip("'")) is not None  # noqa: PLR2004
    if call is None:
        return
    if call.name == "FORMAT" and _TEMPLATE.search(literal):
        call.whole = True
    elif call.name == "SET_CONFIG" and _SETTING.match(literal):
        call.wanted = 1


def _count(word: str, read: _Statement) -> None:
    """Keep the parentheses and the arguments in them."""
    calls = read.calls
    if word == "(":
        inside = bool(calls) and calls[-1].asks
        watched = read.last in _LEADS or (bool(calls) and calls[-1].watched)
        calls.append(_Call(read.last, _KEYS.get(read.last, -1), whole=inside, watched=watched))
    elif word == ")" and calls:
        calls.pop()
    elif word == "," and calls:
        calls[-1].argument += 1


def _asks(text: str, token: Token, word: str, read: _Statement) -> bool:
    """Return whether a password is to follow: behind its keyword, unless that is the name of a role."""
    if word == "BY":
        return read.last == "IDENTIFIED"
    if token.kind not in {Kind.IDENTIFIER, Kind.QUOTED_IDENTIFIER} or token.end - token.start > _LONGEST_NAME:
        return False
    if read.role and read.last in _ROLES and read.before in _MADE:
        return False
    name = text[token.start : token.end]
    if read.calls and read.calls[-1].name == "OPTIONS" and _FOREIGN.match(name):
        return True
    return _OPTION.match(name) is not None


def _goes_on(text: str, token: Token, word: str, read: _Statement) -> bool:
    """Return whether what stands between keyword and literal changes nothing."""
    if word == "N":  # N'…' is no password to PostgreSQL, and typed all the same
        return text.startswith("'", token.end)
    if read.setting:  # SET PASSWORD FOR u = '…' is MySQL's
        return True
    return read.role and (word in {"=", "("} or (word == ":" and text[token.end : token.end + 1].isspace()))
