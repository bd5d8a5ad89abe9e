"""The public API as a user writes it: checked by mypy, never run."""

from __future__ import annotations

from typing import Any

import tusk_jupyter as tusk
from tusk_jupyter.errors import ErrorInfo, QueryFailed, QueryInterrupted, TuskError
from tusk_jupyter.events import ConnectionEvent, Event, QueryEvent
from tusk_jupyter.queries.script import Names


def connecting() -> tusk.Connection:
    connection: tusk.Connection = tusk.connect("postgresql:///shop", name="shop", read_only=True, pool_size=2)
    same: tusk.Connection = tusk.connect(embedded=True)
    names: list[str] = tusk.state().connections.names()
    print(same.id, same.status, same.created_at.isoformat(), names)
    return connection


def querying() -> None:
    frame: Any = tusk.sql("select * from t where id = :id", id=3)
    other: Any = tusk.sql("select :a", "shop", a=tusk.json([1, 2]))
    result: tusk.Result | None = tusk.last_result()
    if result is not None:
        tag: str = result.command_tag
        affected: int | None = result.rows_affected
        columns: list[tuple[str, str, int]] = [(c.name, c.type, c.oid) for c in result.columns]
        print(tag, affected, columns, result.to_dict()["query_id"], result.truncated)
    print(tusk.result(frame).elapsed_ms, other)


def transaction() -> None:
    with tusk.transaction("shop") as connection:
        print(connection.name)


def failing() -> ErrorInfo | None:
    try:
        tusk.sql("select 1/0")
    except QueryFailed as error:
        state: str | None = error.sqlstate
        advice: str = error.advice
        print(state, advice, error.position)
        return error.info()
    except TuskError as error:
        print(error.kind)
    except QueryInterrupted as interrupt:
        print(interrupt.error.message)
    return None


def listening(state: tusk.Tusk) -> None:
    def callback(event: Event) -> None:
        if isinstance(event, QueryEvent):
            print(event.query_id, event.rows_fetched)
        elif isinstance(event, ConnectionEvent):
            print(event.connection, event.status)

    unsubscribe = state.events.subscribe(callback)
    cancelled: bool = state.queries.cancel("no such id")
    print(cancelled, state.health(), state.app_info().version, state.log_directory)
    unsubscribe()


def waiting() -> Any:
    job: tusk.Job = tusk.submit("select :n", n=1)
    given: dict[str, object] = {"n": 1}
    names = Names(given.__getitem__, given.keys)
    other: tusk.Job = tusk.state().submit("select :n", names=names, connection=tusk.state().connection("shop"))
    stopped: bool = other.cancel()
    result: tusk.Result = job.result(timeout=10)
    error: TuskError | None = other.exception(timeout=1)
    print(job.id, job.state, job.progress.elapsed_s, job.sql, job.connection, job.done(), stopped, error, other.error)
    print(result.to_dict(), job.pid, job.started_at)
    return job.df()


async def awaiting() -> tuple[Any, Any]:
    return await tusk.submit("select 1"), await tusk.sql_async("select :n", "shop", n=1)
