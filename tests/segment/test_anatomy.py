"""Image in, named anatomy out, on the image's own grid."""

from __future__ import annotations

import numpy as np
import pytest

from spinemri.anatomy import StructureKind
from spinemri.errors import ModelError
from spinemri.geometry import Geometry
from spinemri.image import Image
from spinemri.segment.anatomy import segment_anatomy
from spinemri.segment.model import load_model
from spinemri.segment.predictor import Predictor
from spinemri.series import Contrast, Series

AXES = (1.0, 0, 0, 0, 0, 1.0, 0, -1.0, 0)  # slices to the left, rows downwards, columns backwards
SERIES = Series(series_uid="1.2.3", number=7, contrast=Contrast.T2W)


def cartoon() -> Image:
    """Bodies of 26 x 34 mm every 34 mm, bright discs between, dark rims, a bright sac behind; 7 slices of 4.2 mm."""
    x, down, back = np.meshgrid(np.arange(-3, 4) * 4.2, np.arange(0, 200, 0.9), np.arange(0, 130, 0.9), indexing="ij")
    from_middle = np.abs((down - 5) % 34 - 17)
    column = (np.abs(back - 52) < 17) & (np.abs(x) < 20)
    voxels = np.where(np.abs(back - 65) < 60, 60.0, 4.0)
    voxels[column] = np.where(from_middle[column] < 13.5, 110, 170)
    voxels[column & (np.abs(from_middle - 13.5) < 0.9)] = 15
    voxels[(np.abs(np.abs(back - 52) - 17) < 0.9) & (np.abs(x) < 20)] = 15
    voxels[(np.abs(back - 78) < 7.5) & (np.abs(x) < 9)] = 240
    voxels += np.random.default_rng(5).normal(0, 5, voxels.shape)
    grid = Geometry(voxels.shape, (4.2, 0.9, 0.9), (-12.0, -60.0, 300.0), AXES, "1.2.9")
    return Image(voxels.clip(0).astype(np.float32), grid, SERIES)


def test_bodies_are_separate_structures_on_the_images_grid():
    image = cartoon()
    found, assignments, _ = segment_anatomy(image, Predictor(load_model(), device="cpu"))
    assert found.geometry == image.geometry
    assert found.series_uid == "1.2.3"
    assert found.made_by == load_model().label
    bodies = list(found.of_kind(StructureKind.VERTEBRAL_BODY))
    assert len(bodies) >= 4
    assert len(assignments) == len(bodies)
    inner = [found.voxels[3, round(down / 0.9), round(52 / 0.9)] for down in (56, 90, 124)]
    assert len({int(v) for v in inner}) == 3
    assert all(found.structures[int(v)].kind is StructureKind.VERTEBRAL_BODY for v in inner)


def test_a_contrast_the_model_does_not_read_is_refused():
    image = cartoon()
    dwi = Image(image.voxels, image.geometry, SERIES.model_copy(update={"contrast": Contrast.DWI}))
    with pytest.raises(ModelError, match="DWI"):
        segment_anatomy(dwi, Predictor(load_model(), device="cpu"))
