"""The file that ``--to`` names: written beside its place under a hidden name, moved there whole, or not there at all.

What was under the name before stays until the new file is complete and on the disk, as with psql's ``-o`` and pandas
a file that exists is replaced, and the status line says so. A kernel that is killed leaves a ``.tusk-….part``, which
nothing takes for a result, until the next file is made there (:mod:`~tusk_jupyter.results.leftovers`); everything else
that goes wrong removes it. What can be known before a statement is sent (a missing folder, no rights, a name that is
too long) is known then: an hour's query whose file cannot be made is an hour lost.

No pyarrow here: the line of a cell is read before anything of a result is imported.
"""

from __future__ import annotations

import contextlib
import os
import stat
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final, Literal, cast

from tusk_jupyter.errors import InvalidInput, IoError
from tusk_jupyter.results import leftovers
from tusk_jupyter.translate import translate

if TYPE_CHECKING:
    from tusk_jupyter.errors import TuskError

Kind = Literal["parquet", "csv", "arrow"]
KINDS: Final[tuple[Kind, ...]] = ("parquet", "csv", "arrow")
_BUFFER: Final = 2**20
_NOTHING_RUN: Final = "Nothing was run."


@dataclass(frozen=True, slots=True)
class Written:
    """A finished file; ``shown`` is its name as the user typed it, ``size`` in bytes."""

    path: str
    shown: str
    size: int
    replaced: bool


def file_name(text: str) -> str:
    """Return the name of a file that can be written, whose ending says how, or of a folder, which ends in a slash.

    :raises InvalidInput: for another ending.
    """
    if (_kind(text) is None and not is_folder(text)) or "\0" in text:
        raise InvalidInput(
            f"--to {text!r} has no ending that says what to write",
            advice=f"{_NOTHING_RUN} A file's name ends in .parquet, .csv or .arrow, a folder's in a slash.",
        )
    return text


def is_folder(text: str) -> bool:
    """Tell a folder, for a file from each of several connections, from a file."""
    return text.endswith("/" if os.sep == "/" else ("/", os.sep))


def resolved(name: str) -> Path:
    """Return the path that a name stands for.

    :raises InvalidInput: when it stands for none.
    """
    try:
        return Path(name).expanduser().resolve()
    except (OSError, RuntimeError, ValueError) as error:  # nobody's ~user, a link to itself
        raise InvalidInput(f"{name!r} cannot be used as a file: {error}") from error


def sync_folder(folder: Path) -> None:
    """Have a rename in a folder on the disk; what no folder can be opened for (Windows) does without."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _kind(text: str) -> Kind | None:
    ending = Path(text).suffix.lstrip(".").lower()
    return next((kind for kind in KINDS if kind == ending), None)


class Destination:
    """One cell's file: :meth:`check`, then :meth:`open`, then :meth:`finish` or :meth:`discard`.

    A relative name counts from the directory that the kernel is in now, a symbolic link is followed.
    """

    def __init__(self, name: str) -> None:
        self.shown = name
        self.kind: Kind = cast("Kind", _kind(file_name(name)))
        self.path = resolved(name)
        self.written: Written | None = None
        self._temporary: Path | None = None
        self._file: BinaryIO | None = None
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
                    f"there is no folder {str(folder)!r} to write {self.path.name!r} into",
                    name=str(folder),
                    advice=f"{_NOTHING_RUN} Make the folder first: Path({str(folder)!r}).mkdir(parents=True).",
                )
            self._check_existing()
            leftovers.sweep(folder)
            os.close(self._create())
            self._remove()
        except (OSError, ValueError) as error:
            raise self._failure(error, _NOTHING_RUN) from error

    def _check_existing(self) -> None:
        try:
            mode = self.path.stat().st_mode
        except FileNotFoundError:
            return
        if not stat.S_ISREG(mode):
            what = "a folder" if stat.S_ISDIR(mode) else "no ordinary file"
            raise InvalidInput(f"{self.shown!r} is {what}", advice=f"{_NOTHING_RUN} Name a file to write the rows to.")
        if not os.access(self.path, os.W_OK):
            raise IoError(
                f"{self.shown!r} is there already, and may not be written",
                name=str(self.path),
                advice=f"{_NOTHING_RUN} Name another file, or change its permissions.",
            )

    def open(self) -> BinaryIO:
        """Return the file to write to, which is not under the name yet.

        :raises IoError: when it cannot be made.
        """
        try:
            self._file = open(self._create(), "wb", buffering=_BUFFER)  # noqa: PTH123, SIM115 - finish() closes it
        except OSError as error:
            raise self._failure(error) from error
        return self._file

    def finish(self) -> Written | None:
        """Put the written file under its name and return it; ``None`` when nobody wants it any more.

        :raises OSError: when it cannot be; it is discarded then.
        """
        file, temporary = self._file, self._temporary
        if file is None or temporary is None:
            raise ValueError("the file is not open")
        file.flush()
        os.fsync(file.fileno())
        size = file.tell()
        file.close()
        with self._lock:
            if self._abandoned:
                self.discard()
                return None
            replaced = self.path.exists()
            if replaced:
                with contextlib.suppress(OSError):
                    temporary.chmod(stat.S_IMODE(self.path.stat().st_mode))
            temporary.replace(self.path)
            self._file = self._temporary = None
            self.written = Written(str(self.path), self.shown, size, replaced)
        sync_folder(self.path.parent)
        return self.written

    def discard(self) -> None:
        """Leave nothing of an unfinished file; afterwards, and without one, it does nothing."""
        if self._file is not None:
            with contextlib.suppress(OSError, ValueError):
                self._file.close()  # a full disk refuses what is in the buffer once more
            self._file = None
        self._remove()

    def abandon(self) -> None:
        """Let no file appear under the name from now on: whoever waited for it has gone."""
        with self._lock:
            self._abandoned = True

    def failed(self, error: BaseException) -> TuskError:
        """Return what kept the rows from being written."""
        return self._failure(error)

    def _create(self) -> int:
        # not the name with something behind it: that may be too long, and a viewer may take it for the file
        temporary = self.path.with_name(leftovers.temporary_name())
        binary = getattr(os, "O_BINARY", 0)
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | binary, 0o666)
        self._temporary = temporary
        leftovers.hold(handle)
        return handle

    def _remove(self) -> None:
        if self._temporary is not None:
            with contextlib.suppress(OSError):
                self._temporary.unlink()
            self._temporary = None

    def _failure(self, error: BaseException, what_now: str = "No file was written.") -> TuskError:
        known = translate(error, doing="writing the rows", path=self.shown)
        if known is not error:
            known.advice = f"{what_now} {known.advice}"
        return known
