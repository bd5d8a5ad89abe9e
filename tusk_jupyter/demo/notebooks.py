"""Where the quickstart notebook is: in the source tree one stands in, else a working copy of the installed one.

The wheel carries the notebooks as data files, which pip puts under the environment's prefix (``share/tusk-jupyter``);
where exactly is known to the installed distribution's own list of files, which also holds for ``--user`` and
``--target``. A copy that the user has edited is theirs: it is opened again, never written over.
"""

from __future__ import annotations

import shutil
import sysconfig
from importlib import metadata
from pathlib import Path

from tusk_jupyter.errors import IoError
from tusk_jupyter.paths import ensure_dir

_SHARE = Path("share/tusk-jupyter/notebooks")


def working_copy(name: str, directory: Path) -> Path:
    """Return the notebook to open: the source tree's own, else the one in ``directory``, copied there once."""
    if (here := _source_tree(Path.cwd(), name)) is not None:
        return here
    target = ensure_dir(directory) / name
    if not target.exists():
        shutil.copyfile(installed(name), target)
    return target


def installed(name: str) -> Path:
    """Return the notebook as it came with the package."""
    try:
        files = metadata.files("tusk-jupyter") or []
    except metadata.PackageNotFoundError:
        files = []
    listed = [Path(str(file.locate())).resolve() for file in files if file.parts[-2:] == ("notebooks", name)]
    prefix = Path(sysconfig.get_path("data")) / _SHARE / name
    beside = _source_tree(Path(__file__).parents[2], name)
    for path in (*listed, prefix, *([beside] if beside else [])):
        if path.is_file():
            return path
    raise IoError(f"the notebook {name!r} did not come with this installation", advice="Install tusk-jupyter again.")


def _source_tree(root: Path, name: str) -> Path | None:
    path = root / "notebooks" / name
    ours = path.is_file() and (root / "tusk_jupyter" / "demo" / "notebooks.py").is_file()
    return path if ours else None
