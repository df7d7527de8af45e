"""Names beside landmarks in the cord, on a column that leans in the grid."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from spinemri.anatomy import Level
from spinemri.evaluate.landmarks import check_levels
from tests.evaluate.grids import CORD_COLUMNS, HEIGHT, TILTED, column_labels, cord_mask, first_row, named

if TYPE_CHECKING:
    import numpy as np

NAMES = ["C2", "C3", "C4", "C5", "C6", "C7", "T1", "T2", "T3"]
RELATIVE = [f"V{n}" for n in range(1, 10)]
LABELS = column_labels(9)


def landmark(place: int) -> np.ndarray:
    """Point in the cord at the mid-height of a body."""
    return TILTED.to_patient([3, first_row(place) + HEIGHT / 2, (CORD_COLUMNS.start + CORD_COLUMNS.stop) / 2])


MARKS = {Level("C2"): landmark(0), Level("T2"): landmark(7)}


def check(names: list[str]):
    return check_levels(named(LABELS, names), cord_mask(), MARKS)


def test_right_names_are_right():
    result = check(NAMES)
    assert result.named == {"C2": "C2", "T2": "T2"}
    assert result.right


@pytest.mark.parametrize(
    ("names", "beside", "missing", "invented"),
    [
        (["C1", *NAMES[:8]], {"C2": "C1", "T2": "T1"}, (), ("C1",)),
        (["C3", "C4", "C5", "C6", "C7", "T1", "T2", "T3", "T4"], {"C2": "C3", "T2": "T3"}, ("C2",), ("T3",)),
        ([*NAMES[:3], "", *NAMES[4:]], {"C2": "C2", "T2": "T2"}, ("C5",), ()),
        (["", *NAMES[1:]], {"C2": None, "T2": "T2"}, ("C2",), ()),
        (["C2", "C3", "C4", "L1", "C6", "C7", "T1", "T2", ""], {"C2": "C2", "T2": "T2"}, ("C5",), ("L1",)),
        (
            [f"V{n}" for n in range(1, 10)],
            {"C2": "V1", "T2": "V8"},
            tuple(NAMES[:8]),
            tuple(f"V{n}" for n in range(1, 9)),
        ),
    ],
)
def test_a_wrong_count_shows(names, beside, missing, invented):
    result = check(names)
    assert (result.named, result.missing, result.invented) == (beside, missing, invented)
    assert not result.right


def test_without_bodies_every_level_is_missing():
    result = check([""] * 9)
    assert result.named == {"C2": None, "T2": None}
    assert result.missing == tuple(NAMES[:8])
