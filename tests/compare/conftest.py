"""Examinations of one synthetic person whose every change is known, from true masks; made once for all tests."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pytest

from spinemri.compare.study import Examination, compare_examinations
from spinemri.evaluate.follow_up import Acquired, State, examined
from spinemri.synthesis import morphometry as sizes

if TYPE_CHECKING:
    from spinemri.case import Case
    from spinemri.compare.study import Compared

SEED = 11
BEFORE = State({}, {sizes.L1 + 1: 8.0, sizes.L1 + 3: 7.0})
AFTER = State({sizes.L1: 0.28}, {sizes.L1 + 1: 11.5, sizes.T12: 7.5})
"""L1 lost 28 % in front, the lesion of L2 has three times its volume, that of L4 is gone, one of T12 is new."""
ELSEWHERE = Acquired(spacing=3.8, pixel=0.85, offset=1.7, posture=1, look=1)
DATES = date(2024, 1, 10), date(2024, 4, 1), date(2024, 9, 1)


@pytest.fixture(scope="session")
def baseline() -> Case:
    return examined(SEED, BEFORE, Acquired())


@pytest.fixture(scope="session")
def three(baseline) -> Compared:
    """The baseline, unchanged on another day (posture, slices, pixels, signals), and with known changes."""
    changed = examined(SEED, AFTER, Acquired(spacing=4.0, pixel=0.9, offset=-1.3, posture=2, look=2))
    cases = baseline, examined(SEED, BEFORE, ELSEWHERE), changed
    return compare_examinations([Examination(case, day) for case, day in zip(cases, DATES, strict=True)])
