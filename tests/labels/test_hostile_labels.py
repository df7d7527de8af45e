"""A mask whose values no integer holds is refused as any other that has no whole numbers."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from spinemri.errors import InputError
from spinemri.labels.convert import from_labels
from tests.dicom.series_builder import sagittal_geometry
from tests.labels.painted import image_of

GRID = sagittal_geometry()


@pytest.mark.parametrize("value", [1e30, 2.0**31, -1e30, 0.5])
def test_values_that_no_integer_holds_are_refused(value):
    voxels = np.zeros(GRID.shape, dtype=np.float32)
    voxels[2, 3, 4] = value
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(InputError, match="expected whole numbers from 0"):
            from_labels(image_of(voxels, GRID), "spinemri")
