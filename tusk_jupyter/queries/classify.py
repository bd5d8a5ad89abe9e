"""What kind of statement it is: what it returns, takes, ends or changes, told from its tokens.

No parser: these questions are asked before anything is sent, and a wrong answer has to be the harmless one. Each
question names its harmless side. libpg_query (a C parser) was refused: it is one server version's grammar, and a
compiler or a wheel per platform. Which statements take ``$n`` was tried on PostgreSQL 15, statement by statement.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from tusk_jupyter.lexer import significant, upper
from tusk_jupyter.queries.split import next_statement

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tusk_jupyter.queries.split import Statement

# fmt: off
# the first words of every statement up to PostgreSQL 18
STATEMENT_KEYWORDS = frozenset({
    "ABORT", "ALTER", "ANALYSE", "ANALYZE", "BEGIN", "CALL", "CHECKPOINT", "CLOSE", "CLUSTER", "COMMENT", "COMMIT",
    "COPY", "CREATE", "DEALLOCATE", "DECLARE", "DELETE", "DISCARD", "DO", "DROP", "END", "EXECUTE", "EXPLAIN",
    "FETCH", "GRANT", "IMPORT", "INSERT", "LISTEN", "LOAD", "LOCK", "MERGE", "MOVE", "NOTIFY", "PREPARE",
    "REASSIGN", "REFRESH", "REINDEX", "RELEASE", "RESET", "REVOKE", "ROLLBACK", "SAVEPOINT", "SECURITY", "SELECT",
    "SET", "SHOW", "START", "TABLE", "TRUNCATE", "UNLISTEN", "UPDATE", "VACUUM", "VALUES", "WITH",
})
# fmt: on
_QUERIES = frozenset({"SELECT", "VALUES", "TABLE", "WITH", "("})
_WRITES = frozenset({"INSERT", "UPDATE", "DELETE", "MERGE"})
_TYPES = {
    "SELECT": "select",
    "VALUES": "select",
    "TABLE": "select",
    "(": "select",
    "INSERT": "insert",
    "UPDATE": "update",
    "DELETE": "delete",
    "CREATE": "create",
    "ALTER": "alter",
    "DROP": "drop",
}
_ENDINGS = {"COMMIT": "COMMIT", "END": "COMMIT", "ROLLBACK": "ROLLBACK", "ABORT": "ROLLBACK"}
_TRANSACTION_SETTINGS = frozenset(
    {"TRANSACTION", "TRANSACTION_READ_ONLY", "TRANSACTION_ISOLATION", "TRANSACTION_DEFERRABLE"}
)
# words after which a name stands, not the verb that a WITH leads up to
_BEFORE_NAME = frozenset({"WITH", "RECURSIVE", ",", "AS", "BY", "SET", "CYCLE", "USING", "."})
# a setting with a dot whose name cannot be known: an expression, a parameter
UNKNOWN_SETTING = "?"
_IN_A_BODY = re.compile(
    r"""set_config"?\s*\(\s*'(?P<called>[^'\\]+)'\s*,|(?P<unknown>set_config)"""
    r"""|\bset\s+(?:session\s+|local\s+)?(?P<made>"?[^\W\d][\w$]*"?(?:\."?[\w$]+"?)+)""",
    re.IGNORECASE,
)
_BEGINNING = re.compile(r"\s*(?:(?P<sign>\(|--(?=\s|$)|/\*)|(?P<word>[A-Za-z]+)(?![^\x00-#%-/:-@\[-^`{-\x7f]))")


class _Part(NamedTuple):
    word: str  # upper case; "" for what is neither word nor sign
    previous: str
    depth: int  # of parentheses, before this part
    start: int


def starts_like_statement(text: str) -> bool:
    """Tell SQL from options and names: it begins with a statement keyword, ``(``, ``/*``, or ``--`` and a space."""
    match = _BEGINNING.match(text)
    return match is not None and (match["word"] is None or match["word"].upper() in STATEMENT_KEYWORDS)


def query_type(statement: Statement) -> str:
    """Return select, insert, update, delete, create, alter, drop or other; WITH counts as what it leads up to."""
    return _TYPES.get(_verb(statement), "other")


def reads_only_shape(statement: Statement) -> bool:
    """Tell whether DECLARE CURSOR takes it: one query that neither writes, nor creates a table, nor locks rows.

    In doubt false: such a statement is run to its end, which is never wrong. What the functions in it do is not seen.
    """
    if _first(statement) not in _QUERIES or query_type(statement) != "select":
        return False
    for part in _parts(statement):
        if part.word in _WRITES and part.previous in {"(", ")"}:
            return False
        if part.word == "INTO" and part.previous not in {"AS", "."}:
            return False
        if part.previous == "FOR" and part.word in {"UPDATE", "SHARE", "NO", "KEY"}:
            return False
    return True


def may_return_rows(statement: Statement) -> bool:
    """Tell whether rows may come of it; in doubt true."""
    if transaction_control(statement) is not None or is_setting(statement):
        return False
    kind = query_type(statement)
    if kind in {"insert", "update", "delete"}:
        return any(part.word == "RETURNING" for part in _parts(statement))
    return kind not in {"create", "alter", "drop"}


def takes_parameters(statement: Statement) -> bool:
    """Tell whether PostgreSQL accepts ``$n`` in it.

    Text that begins no statement counts as accepting: the server's syntax error says more than ours could.
    """
    first = _first(statement)
    if first == "EXPLAIN":
        explained = _explained(statement)
        return explained is None or takes_parameters(explained)
    if first == "CREATE":
        return "TABLE" in statement.words[1:4] and _is_create_table_as(statement)
    return first in _QUERIES | _WRITES | {"CALL", "DECLARE"} or first not in STATEMENT_KEYWORDS


def copies_stdin_or_stdout(statement: Statement) -> str | None:
    """Return ``"in"`` for COPY … FROM STDIN, ``"out"`` for COPY … TO STDOUT.

    PostgreSQL lets STDIN and STDOUT stand for each other: FROM and TO decide.
    """
    if _first(statement) != "COPY":
        return None
    direction = None
    for part in _parts(statement):
        if direction is not None:
            return direction if part.word in {"STDIN", "STDOUT"} else None
        if part.depth == 0 and part.word in {"FROM", "TO"}:
            direction = "in" if part.word == "FROM" else "out"
    return None


def transaction_control(statement: Statement) -> str | None:
    """Return what it does to the transaction, in one spelling each.

    BEGIN, COMMIT, ROLLBACK (each with or without AND CHAIN), ROLLBACK TO, SAVEPOINT, RELEASE, PREPARE TRANSACTION,
    COMMIT PREPARED, ROLLBACK PREPARED, SET TRANSACTION.
    """
    words = statement.words
    first, rest = _first(statement), words[1:]
    if first in _ENDINGS:
        prepared = rest[:1] == ("PREPARED",) or (not rest and _has_second(statement, "PREPARED"))
        savepoint = "TO" in rest[:2] and _ENDINGS[first] == "ROLLBACK"
        return _ENDINGS[first] + (" PREPARED" if prepared else " TO" if savepoint else "")
    if first == "BEGIN" or words[:2] == ("START", "TRANSACTION"):
        return "BEGIN"
    if first in {"SAVEPOINT", "RELEASE"}:
        return first
    if words[:2] == ("PREPARE", "TRANSACTION"):
        return "PREPARE TRANSACTION"
    setting = _setting(statement)
    # RESET too: before 16 it makes a read-only transaction a writing one
    return "SET TRANSACTION" if setting in _TRANSACTION_SETTINGS else None


def is_of_the_session(statement: Statement) -> bool:
    """Tell whether all that it makes is a thing of its session: a setting, a temp table, a name to listen to."""
    if _first(statement) == "CREATE":
        return not {"TEMP", "TEMPORARY"}.isdisjoint(statement.words[1:4])
    if transaction_control(statement) is not None or "LOCAL" in statement.words[1:2]:
        return False
    return is_setting(statement) or _first(statement) in {"LISTEN", "PREPARE", "LOAD"}


def is_setting(statement: Statement) -> bool:
    """Tell whether it is a SET or RESET of a session setting (not SET TRANSACTION, not SET CONSTRAINTS)."""
    return _setting(statement) is not None and _setting(statement) not in _TRANSACTION_SETTINGS | {"CONSTRAINTS"}


def changed_settings(statement: Statement, names: Iterable[str]) -> set[str]:
    """Return those of the settings that may be other ones afterwards; in doubt all.

    The end of a transaction counts: it takes SET LOCAL back, and a ROLLBACK every SET.
    """
    if _first(statement) in {*_ENDINGS, "DISCARD", "DO", "CALL"}:
        return set(names)
    setting = _setting(statement)
    if setting is not None:
        return {name for name in names if setting in {name.upper(), "ALL"}}
    return set(names) if "set_config" in statement.text.lower() else set()


def savepoint_name(statement: Statement) -> str | None:
    """Return the savepoint that SAVEPOINT, RELEASE or ROLLBACK TO names, as it is typed."""
    return _last(statement) if transaction_control(statement) in {"SAVEPOINT", "RELEASE", "ROLLBACK TO"} else None


def prepared_name(statement: Statement) -> str | None:
    """Return the literal that names the transaction of PREPARE TRANSACTION, COMMIT PREPARED and ROLLBACK PREPARED."""
    return _last(statement) if "PREPARE" in (transaction_control(statement) or "") else None


def dotted_settings(statement: Statement) -> set[str]:
    """Return the settings with a dot (``app.tenant``) that it may make; the server lists none of them by itself.

    :data:`UNKNOWN_SETTING` stands for one whose name is not to be seen. Functions are not looked into.
    """
    first, text = _first(statement), statement.text
    if first == "SET":
        names = {_setting_name(statement)}
    elif first != "DO" and ("set_config" not in text.lower() or _names_functions(statement)):
        return set()
    elif first == "DO":
        found = _IN_A_BODY.finditer(text)
        names = {UNKNOWN_SETTING if one["unknown"] else one["called"] or one["made"].replace('"', "") for one in found}
    else:
        names = set(_set_by_calls(statement))
    return {name.lower() for name in names if "." in name or name == UNKNOWN_SETTING}


def _names_functions(statement: Statement) -> bool:
    """Tell whether it is one that names a function and calls none."""
    first = _first(statement)
    return first in {"ALTER", "COMMENT", "DROP", "GRANT", "REVOKE"} or (
        first == "CREATE" and "FUNCTION" in statement.words[1:4]
    )


def _setting_name(statement: Statement) -> str:
    """Return the whole name that a SET has, without quotes."""
    name = ""
    for token in list(significant(statement.text))[1:]:
        word = statement.text[token.start : token.end]
        if not name and word.upper() in {"SESSION", "LOCAL"}:
            continue
        if name and word != "." and not name.endswith("."):
            break
        name += word.strip('"')
    return name


def _set_by_calls(statement: Statement) -> Iterator[str]:
    """Yield what each ``set_config(…)`` sets: its first argument, if that is one plain literal."""
    text, conforming = statement.text, statement.standard_conforming_strings
    last = ["", "", ""]  # what stands before; a call is known once its first argument is over
    for token in significant(text, standard_conforming_strings=conforming):
        word = text[token.start : token.end]
        if last[0].strip('"').lower() == "set_config" and last[1] == "(":
            literal = last[2][1:-1]
            plain = last[2].startswith("'") and word == "," and "'" not in literal and "\\" not in literal
            yield literal if plain else UNKNOWN_SETTING
        last = [*last[1:], word]


def changes_types(statement: Statement) -> bool:
    """Tell whether types (every table has one) may be other ones afterwards; in doubt true."""
    return _first(statement) in {*_ENDINGS, "CREATE", "ALTER", "DROP", "DO", "CALL", "IMPORT"}


def _first(statement: Statement) -> str:
    return statement.words[0] if statement.words else ""


def _last(statement: Statement) -> str | None:
    text, last = statement.text, ""
    for token in significant(text, standard_conforming_strings=statement.standard_conforming_strings):
        last = text[token.start : token.end]
    return last or None


def _parts(statement: Statement) -> Iterator[_Part]:
    depth, previous = 0, ""
    conforming = statement.standard_conforming_strings
    for token in significant(statement.text, standard_conforming_strings=conforming):
        word = upper(statement.text, token)
        yield _Part(word, previous, depth, token.start)
        depth += (word == "(") - (word == ")")
        previous = word


def _verb(statement: Statement) -> str:
    first = _first(statement)
    if first != "WITH":
        return first
    for part in _parts(statement):
        if part.depth == 0 and part.word in _TYPES and part.previous not in _BEFORE_NAME:
            if part.word != "(" or part.previous == ")":
                return part.word
        elif part.depth == 0 and part.word == "MERGE" and part.previous not in _BEFORE_NAME:
            return part.word
    return ""


def _has_second(statement: Statement, word: str) -> bool:
    return any(part.previous == _first(statement) and part.word == word for part in _parts(statement))


def _setting(statement: Statement) -> str | None:
    if _first(statement) not in {"SET", "RESET"}:
        return None
    text = statement.text
    names = [
        text[token.start : token.end].strip('"').upper() for token, _ in zip(significant(text), range(3), strict=False)
    ]
    return next((name for name in names[1:] if name not in {"SESSION", "LOCAL"}), None)


def _is_create_table_as(statement: Statement) -> bool:
    # in a CREATE TABLE without a query, every AS is in parentheses (GENERATED ALWAYS AS); EXECUTE takes none
    return any(part.depth == 0 and part.previous == "AS" and part.word != "EXECUTE" for part in _parts(statement))


def _explained(statement: Statement) -> Statement | None:
    options = False  # inside EXPLAIN's own parentheses
    parts = _parts(statement)
    for part in parts:
        if part.depth or part.word in {"EXPLAIN", "ANALYZE", "ANALYSE", "VERBOSE", ")"}:
            continue
        inside = next(parts, None) if part.word == "(" and part.previous == "EXPLAIN" else None
        options = inside is not None and inside.word not in _QUERIES
        if not options:
            return next_statement(
                statement.text, part.start, standard_conforming_strings=statement.standard_conforming_strings
            )[0]
    return None
