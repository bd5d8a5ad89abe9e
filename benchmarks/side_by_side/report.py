"""Medians with their spread, ratios and aims, as Markdown tables that read well in a terminal."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from side_by_side.cases import Aim, Measurement
    from side_by_side.rounds import Measured

VERDICTS = {None: "", True: "met", False: "**missed**"}
NOT_MEASURED = "not measured"


@dataclass(frozen=True, slots=True)
class Figure:
    """What an aim comes to: of the medians, with the spread of the rounds; ``fastest`` is which of several counted."""

    value: float
    spread: Sequence[float]
    fastest: str = ""


def tables(measurement: Measurement, measured: Measured) -> str:
    """Return the two tables of a measurement: what was measured, and what it comes to; then who failed."""
    verdicts = [_verdict(measurement, measured, aim) for aim in measurement.aims]
    table = _by_case if measurement.limit else _by_figure
    return "\n".join(
        [
            f"### {measurement.title}",
            "",
            "Median (lowest–highest; how many).",
            "",
            *table(measurement, measured),
            "",
            *(f"{name} failed: {reason}\n" for name, reason in measured.failures.items()),
            *_markdown(("tusk-jupyter", "comes to", "aim", ""), verdicts),
            "",
        ]
    )


def summary(rows: Sequence[str], done: Sequence[tuple[Measurement, Measured]]) -> str:
    """Return the table of the aims that belong to one: a row for each, its figures side by side."""
    lines = []
    for row in rows:
        aims = [(measured, aim) for measurement, measured in done for aim in measurement.aims if aim.row == row]
        if aims:
            lines.append((row, _aimed(aims[0][1], ""), *_summed_up(aims)))
    return "\n".join(["### The aims", "", *_markdown(("figure", "aim", "comes to (lowest–highest)", ""), lines), ""])


def record(measurement: Measurement, measured: Measured) -> dict[str, Any]:
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
            for (figure, case), values in measured.samples.items()
        ],
        "aims": [_aim_record(measured, aim) for aim in measurement.aims],
        "failures": dict(measured.failures),
    }


def comes_to(measured: Measured, aim: Aim) -> Figure | None:
    """Return an aim's figure, ours or ours over the other's; ``None`` where either could not be measured.

    The spread of a ratio is that of the rounds in which both took part.
    """
    case, ours = _samples(measured, aim, aim.figure, aim.case)
    if aim.over is None and aim.over_figure is None:
        middle = max if aim.is_worst else statistics.median
        return Figure(middle(ours), ours) if ours else None
    name, theirs = _samples(measured, aim, aim.over_figure or aim.figure, aim.over or aim.case)
    if not ours or not theirs:
        return None
    ratios = [a / b for a, b in zip(ours, theirs, strict=False)]
    fastest = case if isinstance(aim.case, tuple) else f"÷ {name}" if isinstance(aim.over, tuple) else ""
    return Figure(statistics.median(ours) / statistics.median(theirs), ratios, fastest)


def met(measured: Measured, aim: Aim) -> bool | None:
    """Return whether an aim is met; ``None`` where there is none, or no figure."""
    figure = comes_to(measured, aim)
    if figure is None or (aim.at_most is None and aim.at_least is None):
        return None
    most = aim.at_most is None or figure.value <= aim.at_most
    return most and (aim.at_least is None or figure.value >= aim.at_least)


def describe(measured: Measured, aim: Aim) -> str:
    """Return an aim's figure in words."""
    case, _ = _samples(measured, aim, aim.figure, aim.case)
    name = aim.figure if aim.less is None else f"{aim.figure}, less {aim.less}"
    name = f"{name}, the longest" if aim.is_worst else name
    name = name if case == "tusk-jupyter" else f"{name} ({case})"
    if aim.over_figure is not None:
        return f"{name} ÷ {aim.over_figure}"
    return name if aim.over is None else f"{name} ÷ {_samples(measured, aim, aim.figure, aim.over)[0]}"


def _samples(measured: Measured, aim: Aim, figure: str, cases: str | tuple[str, ...]) -> tuple[str, list[float]]:
    """Return who counts, the fastest if there are several, and its samples: none if it has none."""
    names = (cases,) if isinstance(cases, str) else cases
    by = aim.chosen_by or figure
    found = [name for name in names if measured.samples.get((by, name))]
    if not found:
        return names[0], []
    name = min(found, key=lambda name: statistics.median(measured.samples[by, name]))
    values = measured.samples.get((figure, name), [])
    if aim.less is not None:
        less = statistics.median(measured.samples[aim.less, name])
        values = [value - less for value in values]
    return name, values


def _by_figure(measurement: Measurement, measured: Measured) -> list[str]:
    names = [case.name for case in measurement.cases]
    lines = [
        (f"{figure}, {measurement.unit_of(figure)}", *(_cell(measured.samples.get((figure, name))) for name in names))
        for figure in _figures(measured)
    ]
    return _markdown(("", *names), lines)


def _by_case(measurement: Measurement, measured: Measured) -> list[str]:
    figures = _figures(measured)
    if not figures:
        return []
    medians = {
        name: statistics.median(values) for (figure, name), values in measured.samples.items() if figure == figures[0]
    }
    limit = min((medians[name] for name in measurement.limit if name in medians), default=0.0)
    returns = ["returns"] if any(case.returns for case in measurement.cases) else []
    lines = []
    for case in measurement.cases:
        first, *others = [measured.samples.get((figure, case.name)) for figure in figures]
        times = _number(medians[case.name] / limit) if limit and case.name in medians else ""
        failed = "failed, see below" if case.name in measured.failures else _cell(first)
        lines.append((case.name, failed, times, *map(_uncounted, others), *([case.returns] if returns else [])))
    heads = [f"{figure}, {measurement.unit_of(figure)}" for figure in figures]
    return _markdown(("", heads[0], "× limit", *heads[1:], *returns), lines)


def _figures(measured: Measured) -> list[str]:
    return list(dict.fromkeys(figure for figure, _ in measured.samples))


def _cell(values: Sequence[float] | None) -> str:
    if not values:
        return ""
    many = f"{_spread(values)}; {len(values)}" if len(values) > 1 else "1"
    return f"{_number(statistics.median(values))} ({many})"


def _uncounted(values: Sequence[float] | None) -> str:
    """Return the same without how many, which the first column says, and without a spread where there is none."""
    if not values:
        return ""
    middle, spread = _number(statistics.median(values)), _spread(values)
    return middle if spread == f"{middle}–{middle}" else f"{middle} ({spread})"


def _spread(values: Sequence[float]) -> str:
    return f"{_number(min(values))}–{_number(max(values))}"


def _verdict(measurement: Measurement, measured: Measured, aim: Aim) -> tuple[str, ...]:
    unit = f" {measurement.unit_of(aim.figure)}" if aim.over is None and aim.over_figure is None else ""
    figure = comes_to(measured, aim)
    verdict = NOT_MEASURED if figure is None else VERDICTS[met(measured, aim)]
    return describe(measured, aim), _shown(figure, unit), _aimed(aim, unit) or "none", verdict


def _summed_up(aims: Sequence[tuple[Measured, Aim]]) -> tuple[str, str]:
    cells, verdicts = [], []
    for measured, aim in aims:
        figure = comes_to(measured, aim)
        verdict = NOT_MEASURED if figure is None else VERDICTS[met(measured, aim)]
        fastest = f" {figure.fastest}" if figure is not None else ""
        cells.append(f"{aim.label} {_shown(figure, '')}{fastest}".strip())
        verdicts.append(verdict)
    if len(set(verdicts)) == 1:
        return " · ".join(cells), verdicts[0]
    return " · ".join(cells), " · ".join(verdicts)


def _shown(figure: Figure | None, unit: str) -> str:
    if figure is None:
        return ""
    spread = f" ({_spread(figure.spread)})" if len(figure.spread) > 1 else ""
    return f"{_number(figure.value)}{unit}{spread}"


def _aimed(aim: Aim, unit: str) -> str:
    if aim.at_least is not None:
        return f"≥ {aim.at_least:g}{unit}"
    return "" if aim.at_most is None else f"≤ {aim.at_most:g}{unit}"


def _aim_record(measured: Measured, aim: Aim) -> dict[str, Any]:
    figure = comes_to(measured, aim)
    return {
        "figure": describe(measured, aim),
        "value": None if figure is None else figure.value,
        "rounds": None if figure is None else list(figure.spread),
        "at_most": aim.at_most,
        "at_least": aim.at_least,
        "met": met(measured, aim),
    }


def _number(number: float) -> str:
    return f"{number:.0f}" if abs(number) >= 100 else f"{number:.3g}"


def _markdown(head: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    table = [tuple(head), *(tuple(map(str, row)) for row in rows)]
    widths = [max(len(row[column]) for row in table) for column in range(len(head))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in table
    ]
    return [lines[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *lines[1:]]
