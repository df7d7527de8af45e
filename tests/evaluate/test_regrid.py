"""An image given a second time: every voxel shows the same place of the patient, on another grid."""

from __future__ import annotations

import numpy as np
import pytest

from spinemri.evaluate.regrid import Regrid, regridded
from spinemri.evaluate.repeat import repeatability_sd
from spinemri.image import Image
from spinemri.series import Series
from tests.columns import TrueColumn

GRID = TrueColumn(("L1", "L2", "L3")).grid(spacing=(4.0, 1.1, 0.9), half_width_mm=24.0)
SLOPE = np.array([3.0, -1.0, 2.0])  # signal per mm


def ramp(points) -> np.ndarray:
    return 3000.0 + points @ SLOPE


@pytest.fixture(scope="module")
def image():
    points = GRID.to_patient(np.moveaxis(np.indices(GRID.shape), 0, -1))
    voxels = np.rint(ramp(points)).astype(np.uint16)
    return Image(voxels, GRID, Series(series_uid="1.2.3", study_uid="1.2", number=4, shape=GRID.shape))


@pytest.mark.parametrize("how", [Regrid(1.125, 0.25, 0.4, 1 / 16), Regrid(1.0, 0.5, 0.9, 0.0)])
def test_what_is_seen_lies_where_it_lay(image, how):
    again = regridded(image, how)
    grid = again.geometry
    points = grid.to_patient(np.moveaxis(np.indices(grid.shape), 0, -1))
    assert np.abs(again.voxels - ramp(points)).max() <= 1.1
    across = grid.axis_along(0)
    assert grid.shape[across] < GRID.shape[across]
    in_plane = [a for a in range(3) if a != across]
    assert [grid.spacing[a] / GRID.spacing[a] for a in in_plane] == pytest.approx([how.larger] * 2)
    low, high = (np.sort(g.corners()[:, 2])[[0, -1]] for g in (grid, GRID))
    assert high[0] <= low[0]
    assert low[1] <= high[1]


def test_it_is_another_examination_of_nobody_known(image):
    again = regridded(image, Regrid(1.125, 0.25, 0.4, 1 / 16))
    assert again.geometry.frame_of_reference_uid != GRID.frame_of_reference_uid
    assert again.series.series_uid != image.series.series_uid
    assert again.series.study_uid != image.series.study_uid
    assert again.series.shape == again.geometry.shape


def test_the_deviation_is_that_of_one_value_and_failures_do_not_count():
    rng = np.random.default_rng(5)
    changes = np.diff(rng.normal(10.0, 0.5, (20_000, 2)), axis=1)[:, 0]
    assert repeatability_sd(changes) == pytest.approx(0.5, rel=0.03)
    changes[:200] = 80.0
    assert repeatability_sd(changes) == pytest.approx(0.5, rel=0.1)
