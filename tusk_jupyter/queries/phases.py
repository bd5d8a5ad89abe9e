"""pg_stat_progress_* in words, and how much of it is done.

The fraction is that of the phase which the words name, as the server counts it: a CREATE INDEX that has read its table
has its sorting and loading before it, and how long they take nobody knows. So none is ever 1, and a phase whose view
has no total has none. Where a command goes over several things (partitions, indexes), the words say which one it is.
The columns are those of 12 to 18 (https://www.postgresql.org/docs/18/progress-reporting.html); 17 renamed some of
vacuum's and counts its indexes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Row = Mapping[str, Any]
    Said = tuple[str | None, float | None]

_MOST: Final = 0.99


def said(view: str, row: Row, statement: str) -> Said:
    """Return the phase in words and the fraction that is done of it; ``None`` for what is not known.

    :param statement: what runs; a table that it names already is not named again.
    """
    phase, fraction = _READERS[view](row)
    relation = row.get("relation")
    if phase and view in _OVER_TABLES and relation and relation.rpartition(".")[2].strip('"') not in statement:
        phase = f"{relation}: {phase}"
    return phase or None, fraction


def _share(row: Row, done: str, total: str) -> float | None:
    part, whole = row.get(done), row.get(total)
    return min(max(part, 0) / whole, _MOST) if part is not None and whole else None


def _number(row: Row, done: str, total: str, noun: str) -> str:
    """Return ``index 2 of 3``, or nothing."""
    whole = row.get(total) or 0
    return f"{noun} {min((row.get(done) or 0) + 1, whole):,} of {whole:,}" if whole else ""


def _joined(*words: str) -> str:
    return ", ".join(filter(None, words))


def _create_index(row: Row) -> Said:
    phase = row.get("phase") or ""
    partition = _number(row, "partitions_done", "partitions_total", "partition")
    if phase.startswith("waiting for"):
        words = _joined(phase, _number(row, "lockers_done", "lockers_total", "transaction"), partition)
        return words, None
    fraction = None
    if partition:
        # of a partition the server counts as of a table, and begins anew with the next
        fraction = _share(row, "partitions_done", "partitions_total")
    elif phase.endswith(("scanning table", "scanning index", "building index")):
        fraction = _share(row, "blocks_done", "blocks_total")
    elif phase.endswith(("loading tuples in tree", "sorting tuples")):
        fraction = _share(row, "tuples_done", "tuples_total")
    return _joined(phase, partition), fraction


def _copy(row: Row) -> Said:
    done = row.get("tuples_processed") or 0
    return f"{done:,} rows copied", _share(row, "bytes_processed", "bytes_total")


def _vacuum(row: Row) -> Said:
    phase = row.get("phase") or ""
    if phase == "vacuuming heap":
        return phase, _share(row, "heap_blks_vacuumed", "heap_blks_total")
    if phase == "scanning heap":
        return phase, _share(row, "heap_blks_scanned", "heap_blks_total")
    index = _number(row, "indexes_processed", "indexes_total", "index") if "indexes" in phase else ""
    return _joined(phase, index), None


def _analyze(row: Row) -> Said:
    phase = row.get("phase") or ""
    if "sample rows" in phase:
        child = _number(row, "child_tables_done", "child_tables_total", "table") if "inherited" in phase else ""
        return _joined(phase, child), _share(row, "sample_blks_scanned", "sample_blks_total")
    if "extended" in phase:
        return _joined(phase, _number(row, "ext_stats_computed", "ext_stats_total", "number")), None
    return phase, None


def _cluster(row: Row) -> Said:
    phase = row.get("phase") or ""
    if phase == "seq scanning heap":
        return phase, _share(row, "heap_blks_scanned", "heap_blks_total")
    if phase == "rebuilding index":
        return f"{phase} {(row.get('index_rebuild_count') or 0) + 1}", None
    if phase in {"index scanning heap", "writing new heap"}:
        return f"{phase}, {row.get('heap_tuples_written') or 0:,} rows", None
    return phase, None


def _basebackup(row: Row) -> Said:
    tablespace = _number(row, "tablespaces_streamed", "tablespaces_total", "tablespace")
    return _joined(row.get("phase") or "", tablespace), _share(row, "backup_streamed", "backup_total")


_OVER_TABLES: Final = frozenset({"vacuum", "analyze", "cluster"})
_READERS: Final[dict[str, Callable[[Row], Said]]] = {
    "create_index": _create_index,
    "copy": _copy,
    "vacuum": _vacuum,
    "analyze": _analyze,
    "cluster": _cluster,
    "basebackup": _basebackup,
}
VIEWS: Final = tuple(_READERS)
