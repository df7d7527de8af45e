"""What a vertebra of each level looks like in the sagittal plane: size, bend against its upper neighbour, taper.

Only what changes from level to level matters; a person's own size is a free scale (``appearance.py``). From T11 down
the values are medians over network masks of bodies with known names on MR of healthy adults (n = 51; T11, T12: 12, 22;
S1: 13): Chu et al. 2015, doi 10.1371/journal.pone.0143327, and Burian et al. 2019, doi 10.1186/s12891-019-2528-x.
Further up heights and depths are Panjabi's (Spine 1991;16:861-9 and 888-901, living-adult heights 2 mm larger: Cook &
Baker 2021), discs Gilad & Nissan's (Spine 1986;11:154-7), bends those of a supine kyphosis of 33 degrees.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from spinemri.segment.ladder import LADDER


class Look(NamedTuple):
    """One level.

    ``pitch_mm`` from the disc above to the disc below, ``depth_mm`` of the waist from front to back, ``bend_deg``
    and ``bend_sd`` of its axis against the upper neighbour's (positive: lordosis).
    """

    pitch_mm: float
    depth_mm: float
    bend_deg: float
    bend_sd: float


_LOOKS: dict[str, Look] = {
    "C2": Look(23.0, 14.0, 2, 6), "C3": Look(18.6, 14.5, 2, 6), "C4": Look(18.4, 15.0, 2, 6),
    "C5": Look(18.2, 15.5, 2, 6), "C6": Look(18.2, 16.0, 2, 6), "C7": Look(19.4, 16.5, 2, 6),
    "T1": Look(20.2, 17.0, 1, 6), "T2": Look(21.0, 18.2, -1, 5), "T3": Look(21.2, 20.0, -3, 5),
    "T4": Look(21.7, 21.5, -3, 4), "T5": Look(22.3, 22.8, -3, 4), "T6": Look(23.2, 24.0, -4, 4),
    "T7": Look(24.2, 25.3, -4, 4), "T8": Look(25.1, 26.3, -3, 4), "T9": Look(26.3, 27.5, -3, 4),
    "T10": Look(28.2, 28.5, -2, 4), "T11": Look(30.3, 29.2, -2, 4), "T12": Look(32.2, 29.2, -2, 4),
    "T13": Look(33.2, 29.4, -1, 4), "L1": Look(34.1, 29.6, 0, 4), "L2": Look(36.0, 30.6, 1, 4),
    "L3": Look(37.0, 31.0, 5, 4), "L4": Look(37.3, 31.0, 9, 5), "L5": Look(37.3, 30.4, 16, 6),
    "L6": Look(37.3, 30.4, 16, 7), "S1": Look(34.5, 26.5, 40, 12), "S2": Look(26.0, 20.0, 15, 15),
    "S3": Look(21.0, 15.0, 0, 15), "S4": Look(18.0, 12.0, -10, 15), "S5": Look(16.0, 9.0, -15, 15),
}  # fmt: skip

PITCH_MM, DEPTH_MM, BEND_DEG, BEND_SD = (
    np.array(column) for column in zip(*(_LOOKS[v.name] for v in LADDER), strict=True)
)
"""The columns of the table in the order of ``LADDER``."""

HEIGHT_ON_LADDER = np.array(
    [
        {"T": 7, "L": 19, "S": 24, "C": 0}[v.region] + min(v.number, {"T": 12.5, "L": 5.5}.get(v.region, 9))
        for v in LADDER
    ]
)
"""Place of each level in a count without variants: T12 19, T13 19.5, L1 20; for what has a place among levels."""
