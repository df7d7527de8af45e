from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from spinemri.geometry import indices_of
from spinemri.measure.medians import median, median_3x3
from spinemri.measure.sections import longest_runs


@pytest.mark.parametrize("count", [1, 2, 3, 8, 61])
def test_a_median_of_a_few_is_that_of_numpy(count):
    values = np.random.default_rng(count).normal(size=count)
    before = values.copy()
    assert median(values) == np.median(values)
    assert (values == before).all()


@pytest.mark.parametrize("shape", [(3, 17, 12), (1, 2, 5), (2, 1, 1)])
def test_a_median_of_nine_pixels_is_that_of_scipy_to_the_last_bit_and_the_border(shape):
    signal = np.random.default_rng(sum(shape)).normal(size=shape).astype(np.float32)
    found = median_3x3(signal)
    assert found.dtype == np.float32
    assert np.array_equal(found, ndimage.median_filter(signal, (1, 3, 3)))


def test_indices_of_a_mask_come_in_the_order_of_the_array():
    mask = np.random.default_rng(5).random((4, 7, 9)) < 0.1
    assert np.array_equal(indices_of(mask), np.argwhere(mask))
    assert indices_of(np.zeros((4, 7, 9), dtype=bool)).shape == (0, 3)


def test_the_longest_stretch_of_each_row_ends_where_one_half_is_crossed():
    across = np.arange(6) * 0.5 - 1.0
    rows = [
        [0.0, 1.0, 1.0, 0.0, 0.0, 0.0],  # half-way to both sides
        [0.0, 0.75, 0.0, 1.0, 1.0, 0.25],  # the longer of two
        [1.0, 0.0, 0.0, 0.0, 1.0, 0.0],  # the first of two equal ones, which begins at the border
        [0.5, 0.5, 0.2, 0.0, 0.1, 0.5],  # none: one half is not above one half
        [0.6, 0.7, 0.8, 0.9, 1.0, 1.0],  # from border to border
    ]
    expected = [[-0.75, 0.25], [0.25, 1 + 1 / 3], [-1.0, -0.75], [np.nan, np.nan], [-1.0, 1.5]]
    assert longest_runs(np.array(rows), across) == pytest.approx(np.array(expected), nan_ok=True)
