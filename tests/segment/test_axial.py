"""Axial slices take their names from sagittal masks at the same place, and keep one canal per slice."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spinemri.anatomy import Level, Structure, StructureKind
from spinemri.errors import ModelError
from spinemri.geometry import Geometry
from spinemri.image import Image
from spinemri.segment.axial import segment_axial
from spinemri.segment.model import load_model
from spinemri.segment.predictor import ClassMap, Predictor
from spinemri.segmentation import Segmentation, label_value
from spinemri.series import Contrast, Plane, Series

K = StructureKind
BODY, POSTERIOR, DISC, SAC, CORD = 1, 2, 3, 4, 5
GRID = Geometry((4, 60, 60), (4.0, 1.0, 1.0), (-30.0, -20.0, -6.0), (0, 0, 1, 0, 1, 0, 1, 0, 0), "1.2")


class Seen(Predictor):
    """A predictor that sees what it is told."""

    def __init__(self, classes):
        self.model, self.classes = replace(load_model(), plane=Plane.AXIAL), classes

    def predict(self, _):
        return ClassMap(self.classes, np.zeros((7, *self.classes.shape), dtype=np.float16), self.model.label)


def image(grid=GRID):
    series = Series(series_uid="9", contrast=Contrast.T2W, plane=Plane.AXIAL, number=9)
    return Image(np.ones(grid.shape, dtype=np.float32), grid, series)


def sagittal(frame="1.2"):
    """L4 above z = 0, L5 below, with arches behind; the disc around 0."""
    grid = Geometry((15, 80, 80), (4.0, 1.0, 1.0), (-28.0, -20.0, 40.0), (1, 0, 0, 0, 0, 1, 0, -1, 0), frame)
    voxels = np.zeros(grid.shape, dtype=np.uint8)
    z = 40 - np.arange(80)
    kinds = {}
    for level, rows in ((Level("L4"), z > 2), (Level("L5"), z < -2)):
        for kind, columns in ((K.VERTEBRAL_BODY, slice(0, 30)), (K.POSTERIOR_ELEMENTS, slice(48, 60))):
            value = label_value(Structure(kind, level))
            voxels[:, rows, columns], kinds[value] = value, Structure(kind, level)
    disc = Structure(K.DISC, Level("L4"), Level("L5"))
    voxels[:, abs(z) <= 2, :30], kinds[label_value(disc)] = label_value(disc), disc
    return Segmentation(voxels, grid, kinds, "1", "formula")


def classes():
    """Slices at z = -6, -2, 2, 6: body, disc, disc, body; the canal behind them, arches behind it."""
    found = np.zeros(GRID.shape, dtype=np.uint8)
    found[:, 2:28, 15:45] = np.array([BODY, DISC, DISC, BODY], dtype=np.uint8)[:, None, None]
    found[:, 31:44, 22:38], found[:, 50:56, 25:35] = SAC, POSTERIOR
    return found


def test_bones_and_discs_are_named_after_the_nearest_of_their_kind():
    (found,), told = segment_axial([image()], Seen(classes()), [sagittal()])
    assert told == ()
    assert found.structures[found.voxels[0, 10, 30]] == Structure(K.VERTEBRAL_BODY, Level("L5"))
    assert found.structures[found.voxels[3, 10, 30]] == Structure(K.VERTEBRAL_BODY, Level("L4"))
    assert found.structures[found.voxels[1, 10, 30]] == Structure(K.DISC, Level("L4"), Level("L5"))
    assert found.structures[found.voxels[0, 52, 30]] == Structure(K.POSTERIOR_ELEMENTS, Level("L5"))
    assert (found.mask_of_kind(K.THECAL_SAC) == (classes() == SAC)).all()
    assert found.series_uid == "9"


@pytest.mark.parametrize("others", [[], [sagittal("7.7")]])
def test_without_a_sagittal_series_beside_it_nothing_is_named(others):
    (found,), told = segment_axial([image()], Seen(classes()), others)
    assert {s.kind for s in found.structures.values()} == {K.THECAL_SAC}
    assert "levels not known" in told[0]


def test_a_slice_keeps_one_canal_without_holes_and_no_islands():
    seen = classes()
    seen[1, 36:38, 29:31] = 0  # a hole
    seen[1, 5:9, 50:58] = SAC  # a vessel
    seen[1, 57:59, 3:6] = BODY  # a speck
    seen[2, 31:44, 22:38] = 0
    seen[2, 33:35, 30:33] = SAC  # next to nothing
    (found,), _ = segment_axial([image()], Seen(seen), [sagittal()])
    sac = found.mask_of_kind(K.THECAL_SAC)
    assert (sac[1] == (classes()[1] == SAC)).all()
    assert not sac[2].any()
    assert not found.voxels[1, 57:59, 3:6].any()


def test_a_cord_within_the_sac_stays():
    seen = classes()
    seen[:, 35:40, 27:33] = CORD
    (found,), _ = segment_axial([image()], Seen(seen), [sagittal()])
    assert (found.mask_of_kind(K.CORD) == (seen == CORD)).all()


def test_an_image_without_any_sac_is_told():
    _, told = segment_axial([image()], Seen(np.zeros(GRID.shape, dtype=np.uint8)), [sagittal()])
    assert told == ("series 9: no thecal sac was found in it; not measured",)


def test_without_a_model_nothing_is_read():
    assert segment_axial([image()], None, [sagittal()]) == ((), ())


def test_the_shipped_model_reads_axial_slices_and_refuses_sagittal_ones():
    model = load_model("axial_anatomy")
    assert model.plane is Plane.AXIAL
    coarse = Geometry((8, 60, 60), (1.0, 1.0, 4.0), (-30.0, -20.0, -6.0), (0, 0, 1, 0, 1, 0, 1, 0, 0), "1.2")
    with pytest.raises(ModelError, match=r"expected axial slices with pixels of at most 2\.5 mm"):
        Predictor(model, "cpu").predict(image(coarse))
