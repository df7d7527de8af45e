"""Why a study failed, in one line that holds no path and no identifier."""

from __future__ import annotations

import traceback
from pathlib import Path

from spinemri.errors import SpineMRIError


def cause_of(error: BaseException) -> str:
    """An error in one line that holds no path and no identifier; an unexpected one by its place in the program."""
    if isinstance(error, SpineMRIError):
        return " ".join(str(error).split())
    if isinstance(error, MemoryError):
        return "not enough memory for this study"
    if isinstance(error, OSError):
        return f"a file cannot be read ({error.strerror or type(error).__name__})"
    places = traceback.extract_tb(error.__traceback__)
    where = f" in {Path(places[-1].filename).name}, line {places[-1].lineno}" if places else ""
    return f"unexpected {type(error).__name__}{where}; please report this"
