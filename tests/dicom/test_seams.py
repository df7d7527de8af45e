"""Seams are found where stations were joined with a visible step, and nowhere else."""

from __future__ import annotations

import numpy as np
import pytest

from spinemri.dicom.load import load
from spinemri.dicom.scan import scan
from spinemri.dicom.seams import find_seams
from spinemri.geometry import Geometry
from tests.dicom.series_builder import SeriesWriter

ROWS, MM = 400, 1.25
SAGITTAL = Geometry((7, ROWS, 120), (4.0, MM, MM), (0.0, 0.0, 0.0), (1, 0, 0, 0, 0, 1, 0, -1, 0), "1.2.9")


def anatomy(seed=0):
    """Bright and dark blocks as a column of bodies and discs, with coil fall-off along the body and noise."""
    rng = np.random.default_rng(seed)
    j, i = np.meshgrid(np.arange(ROWS), np.arange(120), indexing="ij")
    bodies = np.where((np.abs(i - 60) < 14) & (j % 24 < 18), 700.0, 450.0) + 150 * np.sin(i / 9.0)
    plane = bodies * (0.7 + 0.5 * np.exp(-(((j - ROWS / 2) / 160) ** 2)))
    plane[:, 112:] = 2.0
    return np.clip(plane + rng.normal(0, 25, (7, ROWS, 120)), 1, None).astype(np.uint16)


def test_an_image_of_one_piece_has_no_seam():
    assert all(find_seams(anatomy(seed), SAGITTAL) == () for seed in range(5))


@pytest.mark.parametrize("step", [-0.15, 0.08, 0.3])
def test_a_step_of_brightness_is_found_at_its_row(step):
    voxels = anatomy().astype(np.float64)
    voxels[:, 150:] *= 1 + step
    voxels[:, 290:] *= 1 - step
    assert find_seams(voxels, SAGITTAL) == pytest.approx((149.5, 289.5), abs=1)


def test_the_array_may_lie_any_way():
    voxels = anatomy().astype(np.float64)
    voxels[:, 150:] *= 1.2
    turned = Geometry((120, 7, ROWS), (MM, 4.0, MM), (0, 0, 0), (0, 1, 0, 1, 0, 0, 0, 0, -1), "1.2.9")
    assert find_seams(voxels.transpose(2, 0, 1), turned) == pytest.approx((149.5,), abs=1)


def test_a_shifted_station_shows_by_its_margin_even_without_a_step():
    voxels = anatomy()
    voxels[:, :180, :6] = 0
    voxels[:, 180:, -9:] = 0
    assert find_seams(voxels, SAGITTAL) == (179.5,)


def test_a_station_is_not_shorter_than_sixty_millimetres():
    voxels = anatomy().astype(np.float64)
    voxels[:, :30] *= 1.4
    voxels[:, -30:] *= 1.4
    assert find_seams(voxels, SAGITTAL) == ()


def test_a_seam_blended_over_centimetres_is_not_seen():
    voxels = anatomy().astype(np.float64)
    voxels *= np.interp(np.arange(ROWS), [180, 212], [1.0, 1.1])[:, None]
    assert find_seams(voxels, SAGITTAL) == ()


@pytest.mark.parametrize(("step", "words"), [(0.2, "seams seen 187 mm from the first row"), (0.0, "show no seam")])
def test_loading_a_composed_series_says_what_was_found(tmp_path, step, words):
    voxels = anatomy().astype(np.float64)
    voxels[:, 150:] *= 1 + step
    header = {"ImageType": ["DERIVED", "SECONDARY", "COMPOSED"]}
    SeriesWriter(tmp_path, header=header).classic(SAGITTAL, np.rint(voxels).astype(np.uint16))
    (series,) = scan(tmp_path).studies[0].series
    image = load(series)
    assert len(image.seams) == (1 if step else 0)
    assert any(words in warning for warning in image.warnings)


def test_distance_to_a_seam_counts_head_to_foot(tmp_path):
    voxels = anatomy().astype(np.float64)
    voxels[:, 150:] *= 1.2
    SeriesWriter(tmp_path, header={"ImageType": ["DERIVED", "SECONDARY", "COMPOSED"]}).classic(
        SAGITTAL, np.rint(voxels).astype(np.uint16)
    )
    image = load(scan(tmp_path).studies[0].series[0])
    at = [image.geometry.to_patient((3, image.seams[0] + mm / MM, 50)) for mm in (-21, -19, 0, 19, 21)]
    assert [image.near_seam(point) for point in at] == [False, True, True, True, False]
    assert image.near_seam([at[0], at[4]])  # a stretch that a seam runs through
