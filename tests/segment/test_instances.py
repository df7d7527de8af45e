"""Bodies are told apart and named right on grids of any orientation, and stay so when the labels are degraded."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK

from spinemri.anatomy import Level, Structure, StructureKind
from spinemri.convert import from_sitk
from spinemri.segment.instances import find_instances
from spinemri.segment.label import label_anatomy
from spinemri.spine import LevelBasis
from tests.columns import BODY, CERVICAL, DISC, LUMBAR, SACRUM, TrueColumn, rearranged


@pytest.fixture(scope="module")
def lumbar():
    column = TrueColumn(LUMBAR)
    grid = column.grid()
    classes, owner = column.on(grid)
    return column, grid, classes, owner


def names_of(assignments):
    return tuple(a.level.name for a in assignments)


def label(classes, grid, **options):
    return label_anatomy(classes, grid, "1.2.3", "truth", **options)


def overlap(segmentation, name, truth):
    kinds = [s for s in segmentation.of_kind(StructureKind.VERTEBRAL_BODY) if s.level == Level(name)]
    mask = segmentation.mask(kinds[0])
    return 2 * np.count_nonzero(mask & truth) / (np.count_nonzero(mask) + np.count_nonzero(truth))


@pytest.mark.parametrize(
    ("order", "flips"),
    [
        ((0, 1, 2), (False, False, False)),
        ((1, 2, 0), (True, False, True)),
        ((2, 0, 1), (False, True, True)),
        ((0, 2, 1), (True, True, False)),
    ],
)
def test_every_body_is_found_and_named_whatever_the_array_order(lumbar, order, flips):
    _, grid, classes, owner = lumbar
    turned, turned_grid = rearranged(classes, grid, order, flips)
    truth, _ = rearranged(owner, grid, order, flips)
    segmentation, assignments, warnings = label(turned, turned_grid)
    assert names_of(assignments) == LUMBAR
    assert {a.basis for a in assignments} == {LevelBasis.FROM_SACRUM}
    assert warnings == ()
    assert segmentation.cut == frozenset()
    for n, name in enumerate(LUMBAR, start=1):
        assert overlap(segmentation, name, truth == n) > 0.97
    discs = [s.place for s in segmentation.of_kind(StructureKind.DISC)]
    assert discs == ["T11-T12", "T12-L1", "L1-L2", "L2-L3", "L3-L4", "L4-L5", "L5-S1"]


def test_every_voxel_value_has_a_structure_and_arches_belong_to_the_body_in_front(lumbar):
    column, grid, classes, _ = lumbar
    segmentation, _, _ = label(classes, grid)
    assert set(np.unique(segmentation.voxels)) - {0} == set(segmentation.structures)
    arch = next(s for s in segmentation.of_kind(StructureKind.POSTERIOR_ELEMENTS) if s.level == Level("L3"))
    along, _, _ = column.places(grid.to_patient(np.argwhere(segmentation.mask(arch))))
    top, bottom = column.spans[LUMBAR.index("L3")]
    assert top - 3 < np.percentile(along, 5)
    assert np.percentile(along, 95) < bottom + 12


def degraded(lumbar, change):
    column, grid, classes, owner = lumbar
    index = np.stack(np.meshgrid(*map(np.arange, grid.shape), indexing="ij"), axis=-1)
    places = column.places(grid.to_patient(index))
    spoiled = classes.copy()
    change(spoiled, places, column)
    return spoiled, grid, owner


def bridge(classes, places, column):
    along, left, ahead = places
    for name in ("L1", "L3"):
        bottom = column.spans[LUMBAR.index(name)][1]
        classes[
            (classes == DISC) & (along > bottom - 3) & (along < bottom + 14) & (ahead < -3) & (np.abs(left) < 12)
        ] = BODY


def fuse(classes, places, column):
    along = places[0]
    top = column.spans[LUMBAR.index("L3")][0]
    classes[(classes == DISC) & (along < top + 3) & (along > top - 14)] = BODY


def crack(classes, places, column):
    along = places[0]
    top, bottom = column.spans[LUMBAR.index("L2")]
    classes[(classes == BODY) & (np.abs(along - (top + bottom) / 2) < 1.7)] = 0


def islands(classes, places, column):
    along, left, ahead = places
    classes[(along > 20) & (along < 55) & (ahead > 60) & (ahead < 95) & (np.abs(left) < 20)] = BODY
    classes[(along > 60) & (along < 70) & (ahead > 60) & (ahead < 95) & (np.abs(left) < 20)] = DISC
    classes[(along > 40) & (along < 60) & (ahead < -70)] = SACRUM


def psoas(classes, places, column):
    along, left, ahead = places
    spill = (left > 17) & (ahead > -12) & (ahead < 16) & (along > 60) & (along < 190)
    classes[spill & (classes == 0)] = BODY


def short_s1(classes, places, column):
    along = places[0]
    top, bottom = column.spans[-1]
    classes[(classes == BODY) & (along > (top + bottom) / 2)] = SACRUM


def no_s1(classes, places, column):
    top, _ = column.spans[-1]
    classes[(classes == BODY) & (places[0] > top - 1)] = SACRUM


def corner_of_s1(classes, places, column):
    along, _, ahead = places
    top, bottom = column.spans[-1]
    classes[(classes == BODY) & (along > top - 2) & (along < top + (bottom - top) / 4) & (ahead < -2)] = SACRUM


@pytest.mark.parametrize("change", [bridge, fuse, crack, islands, psoas, short_s1, no_s1], ids=lambda f: f.__name__)
def test_names_survive_what_networks_do_wrong(lumbar, change):
    classes, grid, owner = degraded(lumbar, change)
    segmentation, assignments, _ = label(classes, grid)
    assert names_of(assignments) == LUMBAR
    least = 0.75 if change in (psoas, no_s1) else 0.88
    for n, name in enumerate(LUMBAR, start=1):
        assert overlap(segmentation, name, owner == n) > least, name


def test_a_crack_is_closed_and_spill_into_psoas_is_cut_back(lumbar):
    classes, grid, owner = degraded(lumbar, crack)
    segmentation, _, _ = label(classes, grid)
    assert overlap(segmentation, "L2", owner == LUMBAR.index("L2") + 1) > 0.97
    classes, grid, owner = degraded(lumbar, psoas)
    spilled = np.count_nonzero(classes == BODY) / np.count_nonzero(owner)
    segmentation, _, _ = label(classes, grid)
    kept = np.count_nonzero(segmentation.mask_of_kind(StructureKind.VERTEBRAL_BODY)) / np.count_nonzero(owner)
    assert kept - 1 < 0.5 * (spilled - 1)


def test_the_upper_posterior_corner_of_s1_is_no_sacrum(lumbar):
    classes, grid, owner = degraded(lumbar, corner_of_s1)
    mine = owner == len(LUMBAR)
    assert 0.05 < (classes == SACRUM)[mine].mean() < 0.2
    assert overlap(label(classes, grid)[0], "S1", mine) > 0.97


@pytest.mark.parametrize("loss", [0.5, 0.65])
def test_the_disc_over_a_wedged_body_stays_disc(lumbar, loss):
    """It reaches down to the middle of the body that it lies on, as a crack would, but has no bone above it."""

    def wedge(classes, places, column):
        along, _, ahead = places
        top, bottom = column.spans[LUMBAR.index("L2")]
        broken = top + loss * (bottom - top) * np.clip((ahead + 10) / 22, 0, 1)
        classes[(classes == BODY) & (along >= top - 0.1) & (along < broken)] = DISC

    classes, grid, owner = degraded(lumbar, wedge)
    true = (owner == LUMBAR.index("L2") + 1) & (classes == BODY)
    segmentation, _, _ = label(classes, grid)
    body = Structure(StructureKind.VERTEBRAL_BODY, Level("L2"))
    assert np.count_nonzero(segmentation.mask(body) & ~true) < 0.01 * np.count_nonzero(true)
    assert overlap(segmentation, "L2", true) > 0.98


def test_a_missed_body_keeps_its_place_in_the_count(lumbar):
    def forget(classes, places, column):
        top, bottom = column.spans[LUMBAR.index("L3")]
        classes[(places[0] > top - 1) & (places[0] < bottom + 1) & (classes == BODY)] = 0

    classes, grid, _ = degraded(lumbar, forget)
    _, assignments, warnings = label(classes, grid)
    assert names_of(assignments) == tuple(n for n in LUMBAR if n != "L3")
    assert any("not found" in w for w in warnings)


@pytest.mark.parametrize("height", [9.0, 15.0])
def test_a_collapsed_vertebra_still_counts_as_one(height):
    column = TrueColumn(LUMBAR, heights={"L1": height})
    grid = column.grid()
    classes, owner = column.on(grid)
    segmentation, assignments, _ = label(classes, grid)
    assert names_of(assignments) == LUMBAR
    assert overlap(segmentation, "L1", owner == 3) > 0.9


def test_a_body_at_the_edge_of_the_picture_is_flagged_as_cut(lumbar):
    _, grid, classes, owner = lumbar
    rows = np.flatnonzero((owner == 1).any(axis=(0, 2)))
    first = int(rows[len(rows) // 2])
    origin = tuple(grid.to_patient([0.0, first, 0.0]))
    shape = (grid.shape[0], grid.shape[1] - first, grid.shape[2])
    smaller = type(grid)(shape, grid.spacing, origin, grid.direction, grid.frame_of_reference_uid)
    segmentation, assignments, _ = label(classes[:, first:], smaller)
    assert names_of(assignments) == LUMBAR
    assert {s.level.name for s in segmentation.cut} == {"T11"}


def test_the_neck_is_counted_from_c2():
    column = TrueColumn(CERVICAL, heights={"C2": 24.0})
    grid = column.grid(spacing=(3.3, 0.9, 0.8), half_width_mm=24.0)
    classes, _ = column.on(grid)
    _, assignments, _ = label(classes, grid)
    assert names_of(assignments) == CERVICAL
    assert {a.basis for a in assignments} == {LevelBasis.FROM_C2}


def test_without_sacrum_or_neck_names_are_relative():
    column = TrueColumn(("T6", "T7", "T8", "T9", "T10", "T11"))
    grid = column.grid(margin_mm=-6.0)
    classes, _ = column.on(grid)
    segmentation, assignments, warnings = label(classes, grid)
    assert names_of(assignments) == ("V1", "V2", "V3", "V4", "V5", "V6")
    assert any("V1" in w for w in warnings)
    assert {s.level.name for s in segmentation.cut} == {"V1", "V6"}


@pytest.mark.parametrize("content", [0, BODY, DISC, SACRUM])
def test_nonsense_gives_an_empty_segmentation_or_relative_names_but_no_crash(lumbar, content):
    _, grid, _, _ = lumbar
    classes = np.zeros(grid.shape, dtype=np.uint8)
    classes[3:5, 10:14, 20:24] = content
    segmentation, assignments, warnings = label(classes, grid)
    assert assignments == ()
    assert not segmentation.voxels.any()
    assert warnings == ("no vertebral column was found",)


def test_noise_gives_labels_on_the_same_grid_but_no_crash():
    grid = TrueColumn(("L3", "L4")).grid(spacing=(5.0, 2.2, 2.4))
    noise = np.random.default_rng(0).integers(0, 7, grid.shape).astype(np.uint8)
    segmentation, assignments, _ = label(noise, grid)
    assert segmentation.voxels.shape == grid.shape
    assert set(np.unique(segmentation.voxels)) - {0} == set(segmentation.structures)
    assert len(names_of(assignments)) == len(set(names_of(assignments)))


def test_bodies_alone_without_discs_canal_or_sacrum_are_still_told_apart(lumbar):
    _, grid, classes, owner = lumbar
    found = find_instances(np.where(classes == BODY, classes, 0), grid)
    assert found is not None
    assert [b.slot for b in found.bodies] == list(range(len(LUMBAR)))
    for n, body in enumerate(found.bodies, start=1):
        truth = grid.to_patient(np.argwhere(owner == n)).mean(axis=0)
        assert np.linalg.norm(truth - body.centre) < 1.0


def test_reference_masks_of_real_bodies_are_told_apart(shared):
    found = sorted((shared / "data" / "labelled" / "vb1").glob("*_lab.nii.gz"))
    if not found:
        pytest.skip("no reference masks in ../shared/data/labelled/vb1")
    for path in found:
        voxels, grid = from_sitk(SimpleITK.ReadImage(str(path)), "1.2")
        truth = np.rint(voxels.astype(float)).astype(int)
        instances = find_instances((truth > 0).astype(np.uint8), grid)
        assert instances is not None
        assert len(instances.bodies) == len(np.unique(truth)) - 1
        for value, body in zip(np.unique(truth)[1:], instances.bodies, strict=True):
            mask = instances.body_slots == body.slot + 1
            assert np.count_nonzero(mask & (truth == value)) > 0.97 * np.count_nonzero(truth == value)
