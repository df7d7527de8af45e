"""Memory that a finished study leaves is given back to the system.

Studies come in every size, and what one frees rarely fits the next: between pieces that live on, GNU's C library keeps
the rest, and a run over many studies would grow by what it does not use. Other C libraries are left alone.
"""

from __future__ import annotations

import ctypes
import sys
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def give_back() -> None:
    """Give memory back that no object uses (``malloc_trim``, see its manual page); safe while other threads work."""
    trim = _trim()
    if trim is not None:
        trim(0)


@cache
def _trim() -> Callable[[int], int] | None:
    """The C library's function; None where it has none."""
    if not sys.platform.startswith("linux"):
        return None
    return getattr(ctypes.CDLL(None), "malloc_trim", None)
