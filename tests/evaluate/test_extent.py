"""Labels count between their outer ends, across a leaning column and in any order of the axes."""

from __future__ import annotations

import numpy as np

from spinemri.convert import reordered
from spinemri.evaluate.extent import central_slices, column_extent, plane_extent
from tests.evaluate.grids import TILTED, column_labels, cord_mask

LEAN = np.deg2rad(25.0)


def leaning() -> np.ndarray:
    """Five bodies along a line that leans by 25 degrees within the sagittal slices."""
    rows, columns = (n * TILTED.spacing[a + 1] for a, n in enumerate(np.indices(TILTED.shape[1:])))
    along = (rows - 90) * np.cos(LEAN) + (columns - 50) * np.sin(LEAN)
    across = -(rows - 90) * np.sin(LEAN) + (columns - 50) * np.cos(LEAN)
    labels = np.zeros(TILTED.shape, dtype=np.int32)
    for n in range(5):
        labels[1:6, (np.abs(along - 30 * (n - 2)) < 11) & (np.abs(across) < 14)] = n + 1
    return labels


def test_neighbours_beyond_a_leaning_column_are_outside():
    bodies = leaning()
    extent = column_extent(np.where((bodies > 1) & (bodies < 5), bodies, 0), TILTED)
    for n in (2, 3, 4):
        assert extent[bodies == n].mean() > 0.98
    for n in (1, 5):
        assert not extent[bodies == n].any()


def test_the_extent_belongs_to_the_patient_not_to_the_array():
    bodies = leaning()
    turned, grid = reordered(bodies, TILTED, (2, 0, 1))
    assert np.array_equal(column_extent(turned, grid), column_extent(bodies, TILTED).transpose(2, 0, 1))


def test_one_body_alone_is_judged_between_its_own_ends():
    labels = np.where(column_labels(3) == 2, 2, 0)
    extent = column_extent(labels, TILTED)
    assert extent[labels == 2].mean() > 0.9
    assert not extent[column_labels(3) == 3].any()


def test_a_cord_is_judged_in_the_planes_that_are_labelled():
    mask = cord_mask()
    mask[:, :30] = mask[:, 150:] = False
    assert np.flatnonzero(plane_extent(mask, TILTED).all(axis=(0, 2))).tolist() == list(range(30, 150))
    assert not plane_extent(mask & False, TILTED).any()


def test_the_middle_of_a_structure_in_millimetres():
    labels = column_labels(2) > 0  # slices 1 to 5, 4 mm each
    assert np.flatnonzero(central_slices(labels, TILTED, 9.0).all(axis=(1, 2))).tolist() == [2, 3, 4]
