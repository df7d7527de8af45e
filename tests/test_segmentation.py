"""Label values are stable and unique; masks are read by structure, and the volume cannot be changed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given

from spinemri.anatomy import Level, Structure, StructureKind
from spinemri.errors import GeometryError
from spinemri.segmentation import Segmentation, label_value
from tests.strategies import geometries, relative_levels, true_levels

PAIRED = (StructureKind.VERTEBRAL_BODY, StructureKind.POSTERIOR_ELEMENTS, StructureKind.DISC)
TRUE = [Level(f"{r}{n}") for r, count in {"C": 7, "T": 13, "L": 6, "S": 1}.items() for n in range(1, count + 1)]
RELATIVE = [Level(f"V{n}") for n in range(1, 31)]
BODY_L4 = Structure(StructureKind.VERTEBRAL_BODY, Level("L4"))
DISC_L4 = Structure(StructureKind.DISC, Level("L4"), Level("L5"))
BODY_L5 = Structure(StructureKind.VERTEBRAL_BODY, Level("L5"))
CORD = Structure(StructureKind.CORD)


def test_every_structure_has_a_value_of_its_own_in_one_byte():
    structures = [Structure(kind, level) for kind in PAIRED for level in TRUE]
    structures += [Structure(kind, level) for kind in PAIRED for level in RELATIVE]
    structures += [Structure(kind) for kind in (StructureKind.THECAL_SAC, StructureKind.CORD, StructureKind.SACRUM)]
    values = [label_value(structure) for structure in structures]
    assert len(set(values)) == len(values)
    assert min(values) >= 1
    assert max(values) <= 255


@pytest.mark.parametrize(
    ("structure", "value"),
    [
        (Structure(StructureKind.VERTEBRAL_BODY, Level("C1")), 1),
        (Structure(StructureKind.VERTEBRAL_BODY, Level("T13")), 20),
        (BODY_L4, 24),
        (Structure(StructureKind.VERTEBRAL_BODY, Level("S1")), 27),
        (Structure(StructureKind.POSTERIOR_ELEMENTS, Level("L4")), 64),
        (DISC_L4, 104),
        (Structure(StructureKind.THECAL_SAC), 120),
        (CORD, 121),
        (Structure(StructureKind.SACRUM), 122),
        (Structure(StructureKind.VERTEBRAL_BODY, Level("V1")), 131),
        (Structure(StructureKind.DISC, Level("V1"), Level("V2")), 211),
    ],
    ids=str,
)
def test_values_are_those_that_are_published(structure, value):
    assert label_value(structure) == value


@given(true_levels() | relative_levels())
def test_a_body_value_says_its_level(level):
    value = label_value(Structure(StructureKind.VERTEBRAL_BODY, level))
    assert value - (130 if level.is_relative else 0) == level.rank


def segmentation(grid):
    """Two bodies with a disc between them, and a cord behind, as blocks along the rows."""
    voxels = np.zeros(grid.shape, dtype=np.uint8)
    structures = {label_value(s): s for s in (BODY_L5, CORD, DISC_L4, BODY_L4)}
    voxels[1:, 2:9, 3:12] = label_value(BODY_L4)
    voxels[1:, 9:11, 3:12] = label_value(DISC_L4)
    voxels[1:, 11:20, 3:12] = label_value(BODY_L5)
    voxels[1:, :, 14:16] = label_value(CORD)
    return Segmentation(voxels, grid, structures, series_uid="1.2.3.4", made_by="manual")


@given(geometries())
def test_masks_hold_the_voxels_of_their_structure(grid):
    labels = segmentation(grid)
    slices = grid.shape[0] - 1
    assert labels.mask(BODY_L4).sum() == slices * 7 * 9
    assert labels.mask(DISC_L4).sum() == slices * 2 * 9
    assert not labels.mask(Structure(StructureKind.VERTEBRAL_BODY, Level("L3"))).any()
    bodies_and_disc = labels.mask_of_kind(StructureKind.VERTEBRAL_BODY, StructureKind.DISC)
    assert bodies_and_disc.sum() == slices * 18 * 9
    assert not (bodies_and_disc & labels.mask(CORD)).any()


@given(geometries())
def test_structures_are_listed_from_head_to_foot(grid):
    labels = segmentation(grid)
    assert list(labels.of_kind(StructureKind.VERTEBRAL_BODY)) == [BODY_L4, BODY_L5]
    assert labels.body(Level("L5")) == BODY_L5
    assert labels.body(Level("L3")) is None


@given(geometries())
def test_labels_on_another_grid_are_refused(grid):
    with pytest.raises(GeometryError, match="labels on a"):
        Segmentation(np.zeros((2, 3, 4), dtype=np.uint8), grid, {}, series_uid="1.2", made_by="manual")


@given(geometries())
def test_labels_cannot_be_changed(grid):
    labels = segmentation(grid)
    with pytest.raises(ValueError, match="read-only"):
        labels.voxels[0, 0, 0] = 7


@given(geometries())
def test_segmentations_may_be_compared_and_kept_in_sets(grid):
    a, b = segmentation(grid), segmentation(grid)
    assert a != b
    assert len({a, b}) == 2
