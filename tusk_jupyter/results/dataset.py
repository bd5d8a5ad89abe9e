"""The folder that ``--to DIR/`` names: a Parquet file of each part, there as a whole or not at all.

DuckDB, Dask, Spark and pyarrow read such a folder as one table. The files are written into a hidden folder beside its
place, each under its own rules (:mod:`~tusk_jupyter.results.destination`), and the folder is moved there when the last
one is complete. A file is replaced by ``--to FILE``; a folder with something in it is not, because what else is in it
nobody can know, and because no file system replaces a folder in one step.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tusk_jupyter.errors import InvalidInput, IoError
from tusk_jupyter.results import leftovers
from tusk_jupyter.results.destination import Destination, Written, resolved, sync_folder

if TYPE_CHECKING:
    from typing import BinaryIO

_NOTHING_RUN: Final = "Nothing was run."


class Folder(Destination):
    """One cell's folder: :meth:`check`, then :meth:`files`, then :meth:`finish` or :meth:`discard`."""

    def __init__(self, name: str) -> None:
        self.shown = name
        self.kind = "parquet"
        self.path = resolved(name)
        self.written: Written | None = None
        self._temporary: Path | None = None
        self._held: int | None = None
        self._files: list[Destination] = []
        self._lock = threading.Lock()
        self._abandoned = False

    def check(self) -> None:
        """Find out what can be found out before anything is sent.

        :raises InvalidInput, IoError: when there is no writing to it.
        """
        folder = self.path.parent
        try:
            if not folder.is_dir():
                raise IoError(
                    f"there is no folder {str(folder)!r} to make {self.path.name!r} in",
                    name=str(folder),
                    advice=f"{_NOTHING_RUN} Make it first: Path({str(folder)!r}).mkdir(parents=True).",
                )
            if self.path.exists() and (not self.path.is_dir() or any(self.path.iterdir())):
                raise self._refused("a folder with something in it" if self.path.is_dir() else "no folder")
            if self.path == Path.cwd():
                raise self._refused("where the kernel is")
            leftovers.sweep(folder)
            self._make()
            self._remove()
        except (OSError, ValueError) as error:
            raise self._failure(error, _NOTHING_RUN) from error

    def files(self, count: int) -> list[Destination]:
        """Return the files to be written, ``part-0.parquet`` and so on, in the order of their names.

        :raises IoError: when the folder cannot be made.
        """
        try:
            folder = self._make()
        except OSError as error:
            raise self._failure(error) from error
        digits = len(str(count - 1))
        self._files = [Destination(str(folder / f"part-{number:0{digits}}.parquet")) for number in range(count)]
        for file in self._files:
            file.shown = self.shown
        return self._files

    def open(self) -> BinaryIO:
        """Refuse: only the files of a folder can be written to."""
        raise IsADirectoryError(self.shown)

    def finish(self) -> Written | None:
        """Put the folder, whose files are all finished, under its name; ``None`` when nobody wants it any more.

        :raises OSError: when it cannot be; it is discarded then.
        """
        temporary = self._temporary
        if temporary is None:
            raise ValueError("the folder is not there")
        size = sum(file.written.size for file in self._files if file.written is not None)
        with self._lock:
            if self._abandoned:
                self.discard()
                return None
            replaced = self.path.exists()
            if replaced:
                temporary.chmod(stat.S_IMODE(self.path.stat().st_mode))
                if os.name == "nt":
                    self.path.rmdir()  # elsewhere an empty folder can be renamed onto, in one step
            temporary.rename(self.path)
            self._temporary = None
            self._let_go()
            self.written = Written(str(self.path), self.shown, size, replaced=False)
        sync_folder(self.path.parent)
        return self.written

    def discard(self) -> None:
        """Leave nothing of an unfinished folder; afterwards, and without one, it does nothing."""
        for file in self._files:
            file.discard()
        self._remove()

    def _refused(self, what: str) -> InvalidInput:
        return InvalidInput(
            f"{self.shown!r} is there already, and is {what}",
            advice=f"{_NOTHING_RUN} Name one that is not there, or that is empty.",
        )

    def _make(self) -> Path:
        folder = self.path.with_name(leftovers.temporary_name())
        folder.mkdir()
        self._temporary = folder
        self._held = leftovers.hold_folder(folder)
        return folder

    def _remove(self) -> None:
        if self._temporary is not None:
            with contextlib.suppress(OSError):
                shutil.rmtree(self._temporary)
            self._temporary = None
        self._let_go()

    def _let_go(self) -> None:
        if self._held is not None:
            os.close(self._held)
            self._held = None
