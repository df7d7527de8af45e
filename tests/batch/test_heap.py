"""A finished study's memory goes back to the system, also where a younger piece lies above it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

PAGES = Path("/proc/self/statm")
IS_GNU = PAGES.exists() and "CS_GNU_LIBC_VERSION" in getattr(os, "confstr_names", ())
PROGRAM = """
import os
from pathlib import Path
import numpy as np
from spinemri.batch.heap import give_back

def used():
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6

pieces = [np.ones(64_000, np.uint8) for _ in range(2_000)]
last = np.ones(64_000, np.uint8)
full = used()
del pieces
freed = used()
give_back()
print(full, freed, used())
"""


@pytest.mark.skipif(not IS_GNU, reason="needs GNU's C library on Linux")
def test_freed_memory_goes_back() -> None:
    told = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True, timeout=120)
    full, freed, after = map(float, told.stdout.split())
    assert freed > full - 30, "the library kept nothing, so the test shows nothing"
    assert after < full - 100
