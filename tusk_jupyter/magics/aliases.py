"""``%config SqlMagic.*``: the names that people coming from JupySQL and ipython-sql have in their fingers.

Those that map set the ``Tusk`` trait of the same meaning; IPython itself warns of names that do not exist here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from traitlets import Bool, Int, observe
from traitlets.config import Configurable

if TYPE_CHECKING:
    from tusk_jupyter.tusk import Tusk


class SqlMagic(Configurable):
    """Aliases of ``%config Tusk.*``."""

    autopandas = Bool(default_value=True, help="Results are DataFrames already; see Tusk.format.").tag(config=True)
    autopolars = Bool(default_value=False, help="Tusk.format = 'polars'").tag(config=True)
    autolimit = Int(0, min=0, help="Tusk.limit").tag(config=True)
    feedback = Int(1, min=0, max=2, help="0: Tusk.quiet").tag(config=True)

    def __init__(self, tusk: Tusk, **kwargs: Any) -> None:
        self._tusk = tusk
        with tusk.preferences.configuring():
            super().__init__(**kwargs)

    @observe("autopandas", "autopolars")
    def _format(self, change: Any) -> None:
        wanted = "polars" if change["name"] == "autopolars" else "pandas"
        if change["new"]:
            self._tusk.format = wanted
        elif self._tusk.format == wanted:
            self._tusk.format = "rows" if wanted == "pandas" else "pandas"

    @observe("autolimit")
    def _limit(self, change: Any) -> None:
        self._tusk.limit = change["new"]

    @observe("feedback")
    def _quiet(self, change: Any) -> None:
        self._tusk.quiet = change["new"] == 0
