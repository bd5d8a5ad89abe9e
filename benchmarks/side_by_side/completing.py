"""The child of the completion benchmark: a made-up database for one completer, then every text five times.

Or fewer, once a second has gone into it.
"""

import json
import random
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

WORDS = "orders customers items events log audit invoice payment shipment product price stock account session visit"
COLUMNS = {
    "id": "integer", "customer_id": "integer", "created_at": "timestamp with time zone",
    "updated_at": "timestamp with time zone", "status": "text", "amount": "numeric(10,2)", "note": "text",
    "kind": "text", "region": "text", "code": "text",
}  # fmt: skip
TIMES, ENOUGH_S = 5, 1.0


def relations(count: int) -> Iterator[tuple[str, str]]:
    """Schema and name of each table: half in public, half in a hundred others; two have names that texts use."""
    chance = random.Random(1)
    words = WORDS.split()
    fixed = {4: "orders_items_000004", 8: "items_log_000008"}
    for number in range(count):
        schema = f"tenant_{number % 100}" if number % 2 else "public"
        yield schema, fixed.get(number) or f"{chance.choice(words)}_{chance.choice(words)}_{number:06}"


def references(count: int) -> Iterator[tuple[tuple[str, str], tuple[str, str]]]:
    """Every third table refers to the fourth one before it by customer_id."""
    tables = list(relations(count))
    for number in range(8, count, 3):
        yield tables[number], tables[number - 4]


def ours(count: int) -> tuple[Callable[[str, int], int], float]:
    from tusk_jupyter.schema.catalog import Catalog, Column, Schema, pack
    from tusk_jupyter.schema.completion import complete
    from tusk_jupyter.schema.finding import prepare
    from tusk_jupyter.schema.packed import Keys, Relations

    packed = pack(Column(name, kind) for name, kind in COLUMNS.items())
    facts: dict[str, dict[str, str]] = {}
    oids = {}
    for oid, (schema, name) in enumerate(relations(count)):
        facts.setdefault(schema, {})[name] = f'r{oid} ["",null,0,null,"arwd"]'
        oids[schema, name] = oid
    columns = dict.fromkeys(range(count), packed)
    keys, targets = {}, {}
    for own, target in references(count):
        key = ["customer_fk", "f", ["customer_id"], "", *target, ["id"]]
        keys[oids[own]] = json.dumps([*own, [key]])
        targets[oids[own]] = str(oids[target])
    catalog = Catalog(
        schemas={name: Schema(name) for name in facts},
        by_schema={name: Relations(name, some, columns) for name, some in facts.items()},
        keys=Keys(keys, targets),
    )
    start = time.perf_counter()
    prepare(catalog)
    made = time.perf_counter() - start
    return lambda text, cursor: len(complete(text, cursor, catalog).items), made


def pgclis(count: int) -> tuple[Callable[[str, int], int], float]:
    from pgcli.packages.parseutils.meta import ForeignKey
    from pgcli.pgcompleter import PGCompleter
    from prompt_toolkit.completion import CompleteEvent
    from prompt_toolkit.document import Document

    tables = list(relations(count))
    start = time.perf_counter()
    completer = PGCompleter(smart_completion=True)
    completer.extend_schemata(sorted({schema for schema, _ in tables}))
    completer.extend_relations(tables, kind="tables")
    completer.extend_columns(
        [(*table, name, kind, False, None) for table in tables for name, kind in COLUMNS.items()], kind="tables"
    )
    completer.extend_foreignkeys([ForeignKey(*target, "id", *own, "customer_id") for own, target in references(count)])
    completer.set_search_path(["public"])
    made = time.perf_counter() - start
    event = CompleteEvent(completion_requested=True)
    return lambda text, cursor: len(list(completer.get_completions(Document(text, cursor), event))), made


def main() -> None:
    job = json.loads(sys.argv[1])
    complete, made = {"tusk": ours, "pgcli": pgclis}[job["who"]](job["tables"])
    best = []
    for marked in job["texts"]:
        cursor = marked.index("|")
        text = marked.replace("|", "")
        taken: list[float] = []
        while len(taken) < TIMES and sum(taken) < ENOUGH_S:
            start = time.thread_time()
            complete(text, cursor)
            taken.append(time.thread_time() - start)
        best.append(min(taken) * 1000)
    figures = {
        "median over the texts": [statistics.median(best)],
        "worst of the texts": [max(best)],
        "what is made once per catalog": [made * 1000],
    }
    Path(job["answer"]).write_text(json.dumps(figures), encoding="utf-8")


if __name__ == "__main__":
    main()
