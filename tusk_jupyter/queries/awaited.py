"""What a backend waits for, in the words that follow «waits for», from its row of pg_locks or its wait event.

A row lock is no lock of pg_locks: who waits for one waits for the transaction that has the row. But the first in the
queue holds the row's ``tuple`` lock meanwhile, and the others wait for that one: so the table is known. Without it the
wait is for a key that the other transaction has just written as well.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    Row = Mapping[str, Any]

# of the events that are no lock, those that say something to who waits; the others come and go within a look
_EVENTS: Final = {
    ("Client", "ClientRead"): "this side to send more",
    ("Client", "ClientWrite"): "this side to take its rows",
    ("IPC", "SafeSnapshot"): "a snapshot that no writing transaction can disturb",
    ("IPC", "SyncRep"): "a synchronous standby to confirm",
    ("IPC", "CheckpointStart"): "a checkpoint to begin",
    ("IPC", "CheckpointDone"): "a checkpoint to end",
    ("IPC", "BackupWaitWalArchive"): "its WAL to be archived",
    ("IPC", "ArchiveCommand"): "the archive command",
    ("IPC", "RecoveryPause"): "replay to be resumed",
    ("Timeout", "VacuumDelay"): "vacuum_cost_delay, which slows it on purpose",
    ("BufferPin", "BufferPin"): "a page that another session looks at",
    ("Extension", "Extension"): "an extension, a foreign server perhaps",
}
_KINDS: Final = {
    "IO": "the disk",
    "Extension": "an extension, a foreign server perhaps",
    "BufferPin": "a page that another session looks at",
}
_CATALOGS: Final = {
    "pg_namespace": "a schema",
    "pg_extension": "an extension",
    "pg_database": "a database",
    "pg_authid": "a role",
    "pg_tablespace": "a tablespace",
    "pg_type": "a type",
    "pg_proc": "a function",
    "pg_subscription": "a subscription",
    "pg_publication": "a publication",
}
_HALF: Final = 2**31


def by_lock(rows: Sequence[Row]) -> Row | None:
    """Return, of a backend's locks, the one that it waits for."""
    return next((row for row in rows if not row["granted"]), None)


def lock(awaited: Row, rows: Sequence[Row]) -> str:
    """Return what a backend waits for, by the lock it lacks and those it has."""
    kind, relation = awaited["locktype"], _relation(awaited)
    if kind == "transactionid":
        held = next((row for row in rows if row["granted"] and row["locktype"] == "tuple"), None)
        return f"a row of {_relation(held)}" if held is not None else "another transaction to end"
    words = {
        "relation": f"a lock on {relation}",
        "extend": f"its turn to extend {relation}",
        "page": f"a page of {relation}",
        "tuple": f"a row of {relation}",
        "virtualxid": "an older transaction to end",
        "frozenid": "another clean-up of this database's old transaction ids",
        "speculative token": "another session's INSERT of the same key",
        "spectoken": "another session's INSERT of the same key",
        "object": f"a lock on {_object(awaited)}",
        "advisory": f"advisory lock {_advisory(awaited)}",
        "userlock": f"user lock {_advisory(awaited)}",
        "applytransaction": "another part of a replicated transaction",
    }
    return words.get(kind, f"a lock ({kind})")


def event(kind: str | None, name: str | None) -> str | None:
    """Return what an event that is no lock waits for; ``None`` for what is not worth a word."""
    return _EVENTS.get((kind or "", name or "")) or _KINDS.get(kind or "")


def _relation(row: Row) -> str:
    name: str = row["relation"] or "a table"
    # what another transaction has made and not yet committed has only its number here
    return "a new table" if name.isdigit() else name


def _object(row: Row) -> str:
    described: str = row["described"] or _CATALOGS.get((row["catalog"] or "").rpartition(".")[2], "an object")
    return described


def _advisory(row: Row) -> str:
    high, low = row["classid"] or 0, row["objid"] or 0
    if row["objsubid"] == 1:
        key = (high << 32) | low
        return str(key - 2**64 if key >= 2**63 else key)
    return f"({', '.join(str(each - 2**32 if each >= _HALF else each) for each in (high, low))})"
