"""What a read-only connection holds back, and what no client can (protocol G3 of the measurements behind section 8).

Each statement is one message of the extended protocol, which takes no second statement, in a ``BEGIN READ ONLY`` of its
own: a ``SELECT 1`` takes its snapshot first, after which no SET makes it a writing one, and ``ROLLBACK`` ends it
(``COMMIT`` after ``SET`` and ``RESET``, which would vanish). All but the ROLLBACK go out together: it costs one round
trip more than without (1.03 times a ``select 1`` on a Unix socket). ``default_transaction_read_only`` is the second
line, for what runs outside of that; a SET may switch it off and opens nothing. Each of these has its test in
tests/postgres/test_read_only.py:

Held back by the server
    what writes (25006): DML, in CTEs, by EXECUTE, EXPLAIN ANALYZE, functions and triggers; DDL, GRANT, COMMENT, temp
    tables, SELECT INTO, COPY FROM, nextval, FOR UPDATE;
    what would make it write (25001, 2D000, 42601): SET TRANSACTION or transaction_read_only in DO, in functions or by
    set_config; COMMIT in DO and CALL; two statements in one text;
    what has no transaction (25001): VACUUM, ALTER SYSTEM, CREATE INDEX CONCURRENTLY, DISCARD ALL.
Refused here
    transaction control in every spelling, AND CHAIN, PREPARE TRANSACTION and COMMIT PREPARED among it;
    what would vanish: LISTEN, NOTIFY, ANALYZE, CLUSTER, REINDEX, set_config for the session; LOCK, DECLARE and
    SET LOCAL, which work in a ``with tusk.transaction()`` block.
Undone by ROLLBACK
    what RESET transaction_read_only in a DO or a function lets through before 16, which no snapshot stops;
    what a read-only transaction may leave: pg_notify, large objects (before 16), a set_config that is not seen, locks.
Kept, and no writing
    SET, SET ROLE, PREPARE, LOAD of a library that is allowed, advisory locks of the session.
Not closable by any client
    files and programs of the server: COPY TO a file or PROGRAM, lo_export, pg_file_write, untrusted languages, LOAD;
    other sessions: dblink, pg_terminate_backend, pg_cancel_backend;
    what the server does at once: pg_reload_conf, CHECKPOINT, pg_stat_reset, pg_switch_wal, replication slots,
    pg_logical_emit_message; before 16 the numbers of a sequence, after RESET transaction_read_only in a DO;
    Python: a connection borrowed from the pool, psycopg beside us.

So it protects against mistakes, and says so where it connects; :mod:`~tusk_jupyter.connections.powers` tells which
roles reach the last ones. Security is a role without write rights.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tusk_jupyter.lexer import significant, upper
from tusk_jupyter.queries import classify

if TYPE_CHECKING:
    from tusk_jupyter.queries.split import Statement

LISTEN_ADVICE: Final = (
    "Nothing was run. Notifications need a session that is not read-only: connect once more without --read-only, under "
    "another name, and listen there: %tusk listen CHANNEL --connection NAME."
)
_VANISHES: Final = frozenset({"LISTEN", "UNLISTEN", "NOTIFY", "ANALYZE", "ANALYSE", "CLUSTER", "REINDEX"})
# a block keeps these until its end, which is what they are for
_VANISHES_ALONE: Final = frozenset({"LOCK", "DECLARE"})


def refusal(statement: Statement, *, within: bool) -> str | None:
    """Return why the statement is refused, or ``None``.

    :param within: whether it runs in an open transaction, with others.
    """
    control = classify.transaction_control(statement)
    if control is not None:
        return f"{control} cannot change its transactions"
    first = statement.words[0] if statement.words else ""
    if first in _VANISHES:
        return f"{first} would vanish with the read-only transaction, which is rolled back"
    if not within and (first in _VANISHES_ALONE or statement.words[:2] in {("SET", "LOCAL"), ("SET", "CONSTRAINTS")}):
        what = f"SET {statement.words[1]}" if first == "SET" else first
        return f"{what} would vanish with the statement's own transaction: a with tusk.transaction() block keeps it"
    if _sets_for_the_session(statement):
        return "set_config would vanish with the read-only transaction: use SET, or true for is_local"
    return None


def advice(statement: Statement) -> str:
    """Return what to do instead."""
    if statement.words[:1] in {("LISTEN",), ("UNLISTEN",)}:
        return LISTEN_ADVICE
    return (
        "Nothing was run. Each statement runs in a read-only transaction of its own here, or all those of a "
        "with tusk.transaction() block in one, and that is rolled back."
    )


def _sets_for_the_session(statement: Statement) -> bool:
    """Tell whether ``set_config(…)`` is called other than with ``true`` at its end, so that it should last."""
    text, conforming = statement.text, statement.standard_conforming_strings
    if "set_config" not in text.lower():
        return False
    tokens = list(significant(text, standard_conforming_strings=conforming))
    words = [upper(text, token) or text[token.start : token.end] for token in tokens]
    calls = (i + 1 for i, word in enumerate(words[:-1]) if _is_set_config(word) and words[i + 1] == "(")
    return any(not _ends_in_true(words, opening) for opening in calls)


def _is_set_config(word: str) -> bool:
    return word == "SET_CONFIG" or word.removeprefix("U&").removeprefix("u&") == '"set_config"'


def _ends_in_true(words: list[str], opening: int) -> bool:
    depth = 0
    for at in range(opening, len(words)):
        depth += (words[at] == "(") - (words[at] == ")")
        if not depth:
            return words[at - 2 : at] == [",", "TRUE"]
    return False
