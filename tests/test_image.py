"""An image cannot lie about its grid and cannot be changed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given

from spinemri.errors import GeometryError
from spinemri.image import Image
from spinemri.series import Series
from tests.strategies import geometries

SERIES = Series(series_uid="1.2.3.4", number=7, description="LEAVES THE PROGRAM NEVER")


@given(geometries())
def test_voxels_are_read_only_but_the_callers_array_is_not(grid):
    voxels = np.zeros(grid.shape, dtype=np.int16)
    image = Image(voxels, grid, SERIES)
    with pytest.raises(ValueError, match="read-only"):
        image.voxels[0, 0, 0] = 1
    voxels[0, 0, 0] = 1
    assert image.voxels.dtype == np.int16


@given(geometries())
def test_voxels_on_another_grid_are_refused_without_header_text(grid):
    with pytest.raises(GeometryError, match="series 7: ") as refusal:
        Image(np.zeros((2, 3, 4)), grid, SERIES)
    assert SERIES.description not in str(refusal.value)
    assert SERIES.series_uid not in str(refusal.value)


@given(geometries())
def test_images_may_be_kept_in_sets(grid):
    voxels = np.zeros(grid.shape, dtype=np.float32)
    assert len({Image(voxels, grid, SERIES), Image(voxels, grid, SERIES)}) == 2
