"""Measure tusk-jupyter beside its peers on one PostgreSQL, in one run: ``python benchmarks/run.py``.

The first run makes the peers' environment (half a minute, needs the package index); after that nothing is fetched.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from measurements import (
    catalog,
    completion,
    decode,
    headline,
    history,
    interrupt,
    into_table,
    load,
    memory,
    results,
    small,
    soak,
    to_file,
)
from side_by_side import report
from side_by_side.environments import versions
from side_by_side.place import prepared
from side_by_side.rounds import Measured, measured

if TYPE_CHECKING:
    from collections.abc import Callable

    from side_by_side.cases import Measurement
    from side_by_side.place import Place

PLANS: dict[str, tuple[Callable[..., Measurement], ...]] = {
    "load": (load.plan,),
    "memory": (memory.plan,),
    "small": (small.plan,),
    "interrupt": (interrupt.plan,),
    "decode": (decode.plan,),
    "results": results.PLANS,
    "into-table": (into_table.plan,),
    "to-file": (to_file.plan,),
    "history": (history.plan,),
    "catalog": (catalog.plan,),
    "completion": (completion.plan,),
    "soak": (soak.plan, soak.background_plan),
}
PACKAGES = (
    "tusk-jupyter",
    "jupysql",
    "ipython",
    "ipykernel",
    "psycopg",
    "psycopg2-binary",
    "sqlalchemy",
    "pandas",
    "pyarrow",
    "adbc-driver-postgresql",
    "connectorx",
    "polars",
    "pgcli",
)


def main() -> None:
    options = _options()
    if options.perf:
        options.perf.mkdir(parents=True, exist_ok=True)
    with prepared(options.cache, options.perf) as place:
        about = _about(place, quick=options.quick)
        print(_heading(about))
        done = []
        for name in options.only or PLANS:
            for plan in PLANS[name]:
                done.append(_done(plan(place, quick=options.quick), options.rounds))
                if options.save:
                    _save(options.save, about, done)
    if any(aim.row for measurement, _ in done for aim in measurement.aims):
        print(report.summary(headline.ROWS, done))


def _done(measurement: Measurement, rounds: int | None) -> tuple[Measurement, Measured]:
    """Measure, and print it: a run that is stopped has shown what was done."""
    if rounds is not None:
        measurement = replace(measurement, rounds=min(rounds, measurement.rounds))
    done = measured(measurement)
    print(report.tables(measurement, done), flush=True)
    return measurement, done


def _save(file: Path, about: dict[str, Any], done: list[tuple[Measurement, Measured]]) -> None:
    records = {measurement.name: report.record(measurement, measured) for measurement, measured in done}
    text = json.dumps(about | {"measurements": records}, indent=1, ensure_ascii=False)
    file.write_text(text + "\n", "utf-8")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--only", nargs="+", choices=PLANS, help="these measurements instead of all")
    parser.add_argument("--quick", action="store_true", help="one short round: does it run? its figures mean nothing")
    parser.add_argument("--rounds", type=int, metavar="N", help="at most so many rounds, where a measurement has more")
    parser.add_argument("--save", type=Path, metavar="FILE", help="write everything measured to FILE, as JSON")
    parser.add_argument("--perf", type=Path, metavar="DIR", help="profile ours with perf into DIR: slower than it is")
    parser.add_argument("--cache", type=Path, metavar="DIR", help="where the peers' environment is kept")
    return parser.parse_args()


def _about(place: Place, *, quick: bool) -> dict[str, Any]:
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "quick": quick,
        "cpus": os.cpu_count(),
        "load": os.getloadavg()[0],
        "platform": platform.platform(),
        "python": platform.python_version(),
        "postgresql": place.server.version,
        "versions": {name: versions(python, PACKAGES) for name, python in place.pythons.items()},
    }


def _heading(about: dict[str, Any]) -> str:
    lines = [
        f"{about['date']}: {about['cpus']} CPUs at load {about['load']:.1f}, {about['platform']}, "
        f"Python {about['python']}, PostgreSQL {about['postgresql']}"
        + (", QUICK: figures mean nothing" if about["quick"] else "")
    ]
    for name, found in about["versions"].items():
        lines.append(f"{name}: " + ", ".join(f"{package} {version}" for package, version in found.items()))
    return "\n\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
