"""One study is done by one process at a time, also when two runs write into one folder.

The operating system holds the lock for the open file and lets go when the process ends, however it ends: there are no
stale locks to take over. On a network drive that knows no locks, runs must not share a folder.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Lock:
    """A held lock."""

    path: Path
    handle: int

    def release(self) -> None:
        """Remove the file while it is still held, then let go."""
        with suppress(OSError):
            self.path.unlink()
        os.close(self.handle)


def locked(path: Path, *, wait: bool = False) -> Lock | None:
    """The lock of a file, made when absent; None when another process or thread holds it and ``wait`` is False.

    Raises
    ------
    OSError
        If the file cannot be made, or the drive knows no locks.
    """
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            _take(handle, wait=wait)
        except OSError as error:
            os.close(handle)
            if isinstance(error, BlockingIOError | PermissionError):
                return None
            raise
        if _same(path, handle):
            return Lock(path, handle)
        os.close(handle)  # removed by the one who held it before; a new file stands there, or none


def _same(path: Path, handle: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(handle))
    except FileNotFoundError:
        return False


def _take(handle: int, *, wait: bool) -> None:
    if sys.platform == "win32":
        msvcrt.locking(handle, msvcrt.LK_LOCK if wait else msvcrt.LK_NBLCK, 1)
    else:
        fcntl.flock(handle, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
