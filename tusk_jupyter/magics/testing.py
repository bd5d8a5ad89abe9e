"""``%tusk_connect … --test`` and ``%tusk connections test NAME``: try a connection step by step, keep nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tusk_jupyter.widgets.steps_report import StepsReport

if TYPE_CHECKING:
    from collections.abc import Callable

    from tusk_jupyter.connections.target import Target
    from tusk_jupyter.magics.output import CellOutput
    from tusk_jupyter.secret import Secret
    from tusk_jupyter.tusk import Tusk


def run(
    tusk: Tusk, output: CellOutput, name: str | None, target: Target, *, ask: Callable[[str], Secret | None]
) -> None:
    """Show each step and what the server is; raise the error of the one that failed.

    :raises TuskError: what stopped it; :raises QueryInterrupted: when the user did not want to wait.
    """
    walk = tusk.test(name, target, ask=ask)
    shown = name or target.conninfo.redacted()
    verdict = f"{shown} can be used; nothing is kept of this test" if walk.error is None else f"{shown} cannot be used"
    steps = tuple((step.name, step.state, step.text) for step in walk.steps)
    output.show(StepsReport(verdict, steps, walk.round_trip_ms))
    if walk.error is not None:
        raise walk.error
