"""Series that show the same vertebrae call them the same, by one decoding where they contradict each other."""

from __future__ import annotations

import numpy as np
import pytest

from spinemri.anatomy import Level, Structure, StructureKind
from spinemri.image import Image
from spinemri.segment.label import label_anatomy
from spinemri.segment.level_evidence import Hints
from spinemri.segment.levels import Anchor, count_from
from spinemri.segment.reconcile import reconcile
from spinemri.series import Contrast, Series
from spinemri.spine import LevelBasis
from tests.columns import LUMBAR, SACRUM, TrueColumn


@pytest.fixture(scope="module")
def column():
    return TrueColumn(LUMBAR)


def shown(column, number, *, sacrum=True, frame="1.2.840.1", anchor=None, below=0.0, turn=(6.0, 9.0, 5.0)):
    """One series of the column on its own grid: image, segmentation, assignments."""
    grid = column.grid(spacing=(4.6 + 0.3 * number, 1.8, 1.7), turn_deg=turn)
    grid = type(grid)(grid.shape, grid.spacing, grid.origin, grid.direction, frame)
    classes, owner = column.on(grid)
    if not sacrum:
        classes[(classes == SACRUM) | (owner == len(LUMBAR))] = 0
    if below:
        index = np.stack(np.meshgrid(*map(np.arange, grid.shape), indexing="ij"), axis=-1)
        classes[column.places(grid.to_patient(index))[0] < below] = 0
    uid = f"1.2.{number}"
    image = Image(np.zeros(grid.shape, np.int16), grid, Series(series_uid=uid, number=number, contrast=Contrast.T1W))
    segmentation, names, _ = label_anatomy(classes, grid, uid, "truth", Hints(anchor))
    return image, segmentation, names


def together(*series):
    images, segmentations, names = zip(*series, strict=True)
    return reconcile(images, segmentations, names)


def levels(names):
    return tuple(a.level.name for a in names)


def test_a_series_without_anchor_takes_the_names_of_the_one_that_has_it(column):
    anchored, lost = shown(column, 1), shown(column, 2, sacrum=False, turn=(3.0, -4.0, 2.0))
    assert levels(lost[2])[0] == "V1"
    segmentations, names, warnings = together(lost, anchored)
    assert levels(names[0]) == LUMBAR[:-1]
    assert levels(names[1]) == LUMBAR
    assert {a.basis for a in names[0]} == {LevelBasis.OTHER_STATION}
    assert warnings == ()
    for level in map(Level, LUMBAR[:-1]):
        body = Structure(StructureKind.VERTEBRAL_BODY, level)
        centres = [s.geometry.to_patient(np.argwhere(s.mask(body))).mean(axis=0) for s in segmentations]
        assert np.linalg.norm(centres[0] - centres[1]) < 1.5
    assert set(np.unique(segmentations[0].voxels)) - {0} <= set(segmentations[0].structures)


def test_a_conflict_is_decided_for_the_better_anchor_and_said(column):
    user = shown(column, 1, anchor=Anchor.parse("L6=2"))
    plain = shown(column, 2, turn=(2.0, 5.0, -3.0))
    _, names, warnings = together(plain, user)
    assert levels(names[0]) == levels(names[1]) == ("T12", "L1", "L2", "L3", "L4", "L5", "L6", "S1")
    assert len(warnings) == 1
    assert "series 2" in warnings[0]
    assert "L5 is L6" in warnings[0]


def renamed(series, shift, confidence):
    """The same series with every name ``shift`` levels lower, all equally sure."""
    image, segmentation, names = series
    levels = {a.level: count_from(a.level, shift) for a in names}
    moved = tuple(a.model_copy(update={"level": levels[a.level], "confidence": confidence}) for a in names)
    return image, segmentation.renamed(levels), moved


def test_a_contradiction_is_decided_for_the_much_surer_series(column):
    sure, unsure = shown(column, 1), shown(column, 2, turn=(2.0, 5.0, -3.0))
    _, names, warnings = together(renamed(unsure, -1, 0.55), renamed(sure, 0, 0.97))
    assert levels(names[0]) == levels(names[1]) == LUMBAR
    assert any("series 2" in w and "L5 is S1" in w for w in warnings)


def test_an_even_contradiction_withdraws_all_names(column):
    one, two = shown(column, 1), shown(column, 2, turn=(2.0, 5.0, -3.0))
    segmentations, names, warnings = together(renamed(one, 0, 0.9), renamed(two, -1, 0.9))
    assert levels(names[0]) == levels(names[1]) == tuple(f"V{n}" for n in range(1, 9))
    assert sum("withdrawn" in w for w in warnings) == 2
    assert all(s.level is None or s.level.is_relative for s in segmentations[0].structures.values())


def test_series_without_names_share_one_relative_count(column):
    whole = shown(column, 1, sacrum=False)
    part = shown(column, 2, sacrum=False, below=column.spans[2][0] - 4, turn=(3.0, -4.0, 2.0))
    assert levels(part[2])[0] == levels(whole[2])[0] == "V1"
    _, names, warnings = together(whole, part)
    assert levels(names[0]) == tuple(f"V{n}" for n in range(1, 8))
    assert levels(names[1]) == tuple(f"V{n}" for n in range(3, 8))
    assert warnings == ()


def test_bodies_that_only_one_series_shows_are_counted_on(column):
    lower = shown(column, 1, below=column.spans[2][0] - 4)  # from L1 down
    upper = shown(column, 2, sacrum=False, turn=(2.0, 5.0, -3.0))
    _, names, _ = together(upper, lower)
    assert levels(names[1]) == LUMBAR[2:]
    assert levels(names[0]) == LUMBAR[:-1]


def test_series_in_other_frames_of_reference_are_left_alone(column):
    anchored, lost = shown(column, 1), shown(column, 2, sacrum=False, frame="1.2.840.2")
    _, names, _ = together(anchored, lost)
    assert levels(names[1])[0] == "V1"


def test_one_series_or_none_stays_as_it_is(column):
    only = shown(column, 1)
    segmentations, names, warnings = together(only)
    assert segmentations[0] is only[1]
    assert names == (only[2],)
    assert warnings == ()
    assert reconcile((), (), ()) == ((), (), ())
