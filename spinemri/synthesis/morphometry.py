"""Sizes of the adult spine per level, mm, from C2 to S5.

Bodies, canal and posterior elements follow the Panjabi cadaver series (Spine 1991;16:861 and 888, 1992;17:299) with
living-adult heights about 2 mm larger (Cook & Baker 2021). From T11 down the ratios of heights, along the spine and
from front to back, are medians over manual masks on MR of 51 healthy adults (Chu 2015, Burian 2019; the same that
``measure/norms.py`` states); further up they follow Gilad & Nissan 1986. Cord and sac follow the whole-spine MR tables
of the spine-generic cohort. Spread between people is about 8 to 10 % of the mean.
"""

from __future__ import annotations

import numpy as np

from spinemri.anatomy import Level

NAMES: tuple[str, ...] = (
    *(f"C{n}" for n in range(2, 8)),
    *(f"T{n}" for n in range(1, 13)),
    *(f"L{n}" for n in range(1, 6)),
    *(f"S{n}" for n in range(1, 6)),
)
LEVELS: tuple[Level, ...] = tuple(Level(name) for name in NAMES)
C3, C7, T1, T12, L1, L5, S1 = (NAMES.index(name) for name in ("C3", "C7", "T1", "T12", "L1", "L5", "S1"))
COUNT = len(NAMES)


def _table(*regions: list[float]) -> np.ndarray:
    return np.array([value for region in regions for value in region], dtype=np.float64)


POSTERIOR_HEIGHT = _table(
    [19, 13.5, 13.2, 13, 12.8, 14.3],
    [15.8, 17.2, 17.6, 18.1, 18.3, 19.3, 20.1, 20.6, 21.3, 22.2, 23.5, 24.9],
    [26.0, 26.3, 26.2, 25.4, 23.5],
    [27, 24, 20, 17, 15],
)
ANTERIOR_RATIO = _table(
    [1, 1, 1, 1, 1, 1],
    [0.97, 0.96, 0.96, 0.95, 0.95, 0.95, 0.95, 0.95, 0.94, 0.92, 0.92, 0.955],
    [0.97, 1.015, 1.045, 1.075, 1.225],
    [1.1, 1, 1, 1, 1],
)
DEPTH = _table(
    [15, 15.5, 16, 16.5, 17, 17.5],
    [18, 19.5, 22, 23.5, 24.5, 26, 27.5, 28.5, 30, 31, 31.8, 33],
    [34, 34.8, 35, 34.8, 34.3],
    [31, 22, 16, 12, 9],
)
WIDTH = _table(
    [18, 17, 18, 19, 21, 24],
    [26, 26, 25.5, 25.5, 26, 27, 28.5, 30, 32, 34, 37, 40.5],
    [42.3, 44, 46, 48, 48.5],
    [51, 42, 34, 28, 22],
)
DISC_HEIGHT = _table(  # below each level, at the middle
    [5, 5.2, 5.3, 5.5, 5.5, 5],
    [4.2, 4, 4, 4, 4.2, 4.5, 4.7, 5, 5.5, 6, 6.5, 7.3],
    [8.0, 9.2, 10.4, 11.6, 10.8],
    [2.5, 1.5, 1, 1, 1],
)
CANAL_DEPTH = _table(
    [18, 15.5, 15, 15, 15, 15],
    [15, 15, 15, 15, 15, 15, 15, 15, 15, 15.5, 16, 17],
    [17.5, 17, 16.8, 17, 17.5],
    [14, 11, 8, 5, 4],
)
CANAL_WIDTH = _table(
    [24, 23, 24, 25, 25, 24],
    [21, 18, 17, 17, 17, 17, 17, 17, 17.5, 18, 19, 21],
    [22.5, 23, 23.5, 24.5, 26.5],
    [28, 22, 16, 10, 6],
)
SAC_DEPTH = _table(  # AP of the thecal sac at mid-body, supine
    [13.8, 13.1, 12.8, 12.8, 12.6, 12.8],
    [12.9, 12.7, 12.6, 12.6, 12.8, 13, 13, 13, 13.2, 13.6, 14.4, 15.2],
    [15.2, 14.6, 14, 13.6, 12.8],
    [10.5, 6, 1, 1, 1],
)
CORD_DEPTH = _table(
    [7.8, 7.6, 7.6, 7.5, 7.1, 6.6],
    [6.3, 6.1, 5.9, 5.7, 5.6, 5.7, 5.8, 6.1, 6.3, 6.5, 7, 6.7],
    [4.1, 1, 1, 1, 1],
    [1, 1, 1, 1, 1],
)
CORD_WIDTH = _table(
    [11.7, 12.1, 12.9, 13, 12.4, 10.9],
    [9.4, 8.7, 8.3, 8, 7.8, 7.7, 7.7, 7.8, 7.9, 8.2, 8.7, 8.2],
    [4.5, 1, 1, 1, 1],
    [1, 1, 1, 1, 1],
)
SPINOUS_LENGTH = _table(
    [20, 13, 13, 15, 20, 30],
    [32, 31, 31, 31, 31, 31, 31, 30, 29, 27, 25, 25],
    [28, 30, 31, 29, 23],
    [8, 7, 6, 4, 2],
)
SPINOUS_HEIGHT = _table(
    [12, 6, 6, 6, 7, 9],
    [9, 9, 9, 9, 9, 9, 9, 9, 10, 10, 13, 16],
    [19, 21, 21, 19, 14],
    [14, 10, 8, 6, 4],
)
SPINOUS_SLOPE = _table(  # caudal fall per mm of length
    [0.35, 0.35, 0.35, 0.35, 0.4, 0.45],
    [0.5, 0.6, 0.8, 1.0, 1.1, 1.2, 1.2, 1.0, 0.8, 0.6, 0.4, 0.3],
    [0.2, 0.2, 0.2, 0.2, 0.25],
    [0.1, 0.1, 0.1, 0.1, 0.1],
)
ENDPLATE_CONCAVITY = 0.05
"""Depth of each endplate's concavity, as a fraction of the body's height."""
