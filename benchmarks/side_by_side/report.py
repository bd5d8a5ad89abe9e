"""Medians with their spread, ratios and aims, as Markdown tables that read well in a terminal."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from side_by_side.cases import Aim, Measurement
    from side_by_side.rounds import Samples


def tables(measurement: Measurement, samples: Samples) -> str:
    """Return the two tables of a measurement: what was measured, and what it comes to."""
    names = [case.name for case in measurement.cases]
    figures = [
        (f"{figure}, {measurement.unit_of(figure)}", *(_cell(samples.get((figure, name))) for name in names))
        for figure in dict.fromkeys(figure for figure, _ in samples)
    ]
    verdicts = [_verdict(measurement, samples, aim) for aim in measurement.aims]
    return "\n".join(
        [
            f"### {measurement.title}",
            "",
            "Median (lowest–highest; how many).",
            "",
            *_markdown(("", *names), figures),
            "",
            *_markdown(("tusk-jupyter", "comes to", "aim", ""), verdicts),
            "",
        ]
    )


def record(measurement: Measurement, samples: Samples) -> dict[str, Any]:
    """Return the same as plain data for JSON, with every sample."""
    return {
        "title": measurement.title,
        "figures": [
            {
                "figure": figure,
                "case": case,
                "unit": measurement.unit_of(figure),
                "median": statistics.median(values),
                "samples": values,
            }
            for (figure, case), values in samples.items()
        ],
        "aims": [
            {"figure": describe(aim), "value": value(samples, aim), "at_most": aim.at_most, "met": met(samples, aim)}
            for aim in measurement.aims
        ],
    }


def value(samples: Samples, aim: Aim) -> float:
    """Return what an aim is about: ours, or ours over the other's."""
    ours = _median(samples, aim, aim.case)
    return ours if aim.over is None else ours / _median(samples, aim, aim.over)


def met(samples: Samples, aim: Aim) -> bool | None:
    """Return whether an aim is met; ``None`` where there is none."""
    return None if aim.at_most is None else value(samples, aim) <= aim.at_most


def describe(aim: Aim) -> str:
    """Return an aim's figure in words."""
    name = aim.figure if aim.less is None else f"{aim.figure}, less {aim.less}"
    name = name if aim.case == "tusk-jupyter" else f"{name} ({aim.case})"
    return name if aim.over is None else f"{name} ÷ {aim.over}"


def _median(samples: Samples, aim: Aim, case: str) -> float:
    ours = statistics.median(samples[aim.figure, case])
    return ours if aim.less is None else ours - statistics.median(samples[aim.less, case])


def _cell(values: list[float] | None) -> str:
    if not values:
        return ""
    spread = f"{_number(min(values))}–{_number(max(values))}; " if len(values) > 1 else ""
    return f"{_number(statistics.median(values))} ({spread}{len(values)})"


def _verdict(measurement: Measurement, samples: Samples, aim: Aim) -> tuple[str, ...]:
    unit = f" {measurement.unit_of(aim.figure)}" if aim.over is None else ""
    aimed = "none" if aim.at_most is None else f"≤ {aim.at_most:g}{unit}"
    verdict = {None: "", True: "met", False: "**missed**"}[met(samples, aim)]
    return describe(aim), f"{_number(value(samples, aim))}{unit}", aimed, verdict


def _number(number: float) -> str:
    return f"{number:.0f}" if abs(number) >= 100 else f"{number:.3g}"


def _markdown(head: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    table = [tuple(head), *(tuple(map(str, row)) for row in rows)]
    widths = [max(len(row[column]) for row in table) for column in range(len(head))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in table
    ]
    return [lines[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *lines[1:]]
