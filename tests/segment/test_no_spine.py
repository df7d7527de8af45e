"""The shipped models see no spine where there is none: a brain, a knee, noise; and still see one where there is one."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from spinemri.dicom.write import StudyHeader, write_series
from spinemri.errors import InputError
from spinemri.geometry import Geometry
from spinemri.image import Image
from spinemri.networks import Networks, default_predictor
from spinemri.pipeline import analyze, infer, read_study
from spinemri.series import Contrast, Plane, Series
from spinemri.synthesis.phantom import make_phantom

GRID = Geometry((11, 224, 224), (4.4, 1.0, 1.0), (22.0, -112.0, 112.0), (-1, 0, 0, 0, 0, 1, 0, -1, 0), "1.2.9")
X, Y, Z = np.moveaxis(GRID.to_patient(np.stack(np.indices(GRID.shape), axis=-1)), -1, 0)
TIMES = {Contrast.T1W: (560.0, 10.0), Contrast.T2W: (3600.0, 105.0)}


def ball(radii, centre=(0.0, 0.0, 0.0)):
    """Distance from a centre, 1 at the surface of an ellipsoid."""
    return np.sqrt(sum(((v - c) / r) ** 2 for v, r, c in zip((X, Y, Z), radii, centre, strict=True)))


def brain(rng):
    """Scalp, skull, folded cortex and bright ventricles."""
    head = ball((72, 92, 78))
    folds = np.sin(X / 4 + 2 * np.cos(Y / 5) + 2 * np.sin(Z / 4.5)) > 0.2
    tissue = np.where(head < 0.92, 500 + 200 * folds, np.where(head < 0.96, 60, np.where(head < 1, 1500, 20)))
    return np.where(ball((20, 30, 12)) < 1, 1400, tissue) + rng.normal(0, 20, GRID.shape)


def knee(rng):
    """Two bones with cartilage between, a kneecap, muscle and fat."""
    leg = np.hypot(X / 60, Y / 55)
    tissue = np.where(leg < 0.9, 400, np.where(leg < 1, 1300, 20))
    femur = (np.hypot(X / 28, (Y + 5) / 25) < 1) | (ball((36, 33, 25), (0, -2, 25)) < 1)
    tibia = np.hypot(X / 32, Y / 26) < 1
    bone = (femur & (Z > 4)) | (tibia & (Z < -4)) | (ball((20, 10, 20), (0, -48, 25)) < 1)
    return np.where(bone, 900, np.where((np.abs(Z) < 4) & (leg < 0.7), 150, tissue)) + rng.normal(0, 20, GRID.shape)


def noise(rng):
    return rng.integers(1, 4000, GRID.shape)


def clouds(rng):
    smooth = ndimage.gaussian_filter(rng.normal(0, 1, GRID.shape), (1, 6, 6))
    return 800 + 250 * smooth / smooth.std()


def nearly_constant(rng):
    return 500 + (rng.random(GRID.shape) < 1e-4)


@pytest.fixture(scope="module")
def networks() -> Networks:
    return Networks(default_predictor())


@pytest.mark.parametrize("contrast", TIMES)
@pytest.mark.parametrize("make", [brain, knee, noise, clouds, nearly_constant])
def test_what_is_no_spine_is_refused(make, contrast, networks, tmp_path):
    tr, te = TIMES[contrast]
    series = Series(
        series_uid="1.2", number=3, contrast=contrast, plane=Plane.SAGITTAL, repetition_time_ms=tr, echo_time_ms=te
    )
    voxels = np.clip(make(np.random.default_rng(5)), 0, 4095).astype(np.uint16)
    write_series(Image(voxels, GRID, series), tmp_path, StudyHeader("X"))
    with pytest.raises(InputError, match=r"^no spine found: none of the sagittal series shows a vertebral column$"):
        analyze(tmp_path, networks)


def test_a_spine_still_is_one(networks, tmp_path):
    phantom = make_phantom(3)
    image = next(image for image in phantom.images if image.series.contrast is Contrast.T2W)
    write_series(image, tmp_path, StudyHeader("X"))
    found = {str(v.level) for v in infer(read_study(tmp_path), networks).spine.vertebrae}
    assert set(phantom.truth["levels"]) <= found
