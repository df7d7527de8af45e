"""The cord's diameter against a true one, perpendicular to a cord that runs obliquely through the grid."""

from __future__ import annotations

import numpy as np
import pytest

from spinemri.evaluate.cord import cord_ap_errors
from tests.evaluate.grids import TILTED

_LEAN = np.deg2rad(18.0)


def cord(diameter_mm: float, until_row: int = 200) -> np.ndarray:
    """A cord whose axis leans by 18 degrees in the slices; its diameter is taken across the axis."""
    rows, columns = (n * TILTED.spacing[a + 1] for a, n in enumerate(np.indices(TILTED.shape[1:])))
    across = (columns - 50) * np.cos(_LEAN) - (rows - 90) * np.sin(_LEAN)
    mask = np.zeros(TILTED.shape, dtype=bool)
    mask[2:5] = np.abs(across) <= diameter_mm / 2
    mask[:, until_row:] = False
    return mask


def test_a_wider_cord_is_wider_by_what_it_is():
    errors = cord_ap_errors(cord(9.5), cord(7.0), TILTED)
    assert errors.mean() == pytest.approx(2.5, abs=0.3)
    assert len(errors) > 200


def test_the_same_cord_has_no_error_and_a_narrower_one_a_negative():
    assert np.abs(cord_ap_errors(cord(7.0), cord(7.0), TILTED)).max() == 0
    assert cord_ap_errors(cord(5.0), cord(7.0), TILTED).mean() == pytest.approx(-2.0, abs=0.3)


def test_where_no_cord_was_found_its_diameter_is_0():
    errors = cord_ap_errors(cord(7.0, until_row=100), cord(7.0), TILTED)
    assert np.mean(errors < -6) == pytest.approx(0.5, abs=0.05)
    nothing = cord_ap_errors(cord(7.0) & False, cord(7.0), TILTED)
    assert nothing.mean() == pytest.approx(-7.0, abs=0.3)
    assert nothing.max() < -4
    assert cord_ap_errors(cord(7.0), cord(7.0) & False, TILTED) is None
