"""Folders for a patient's files, that only their owner may read and that do not outlive the work, however it ends.

Each is locked by the process that works in it. A process that was killed has let go of its lock, so that ``sweep``, of
another run or at the end of this one, tells its folder from those in use and removes it.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from spinemri.batch.lock import locked
from spinemri.errors import OutputError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from spinemri.batch.lock import Lock

_PREFIX = "spinemri-"
_FILES, _LOCK = "files", "lock"


@contextmanager
def private_folder(within: Path | None = None) -> Iterator[Path]:
    """An empty folder that is removed with all that lies in it.

    Parameters
    ----------
    within : where it is made; the system's own place for temporary files when None, which is swept before

    Raises
    ------
    OutputError
        It cannot be made.
    """
    if within is None:
        sweep()
    try:
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=within))
        lock = locked(folder / _LOCK, wait=True)
        (folder / _FILES).mkdir()  # last: without it nobody sweeps
    except OSError as error:
        raise OutputError(f"no temporary folder can be made ({error.strerror or type(error).__name__})") from error
    try:
        yield folder / _FILES
    finally:
        _remove(folder, lock)


def sweep() -> None:
    """Remove what killed processes of this user left in the system's place for temporary files."""
    for files in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*/{_FILES}"):
        folder = files.parent
        with suppress(OSError):
            if folder.is_symlink() or folder.stat().st_uid != _user():
                continue
            lock = locked(folder / _LOCK)
            if lock is not None:
                _remove(folder, lock)


def _remove(folder: Path, lock: Lock | None) -> None:
    """The files first, so that what is left of a folder when this is cut short can be swept."""
    shutil.rmtree(folder / _FILES, ignore_errors=True)
    if lock is not None:
        lock.release()
    with suppress(OSError):
        folder.rmdir()


def _user() -> int:
    """Of whom files are; 0 for everybody on Windows, whose temporary folders are each user's own."""
    return os.getuid() if hasattr(os, "getuid") else 0
