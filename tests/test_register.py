"""Motion between two series is found per vertebra, from images of quite different contrast."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK
from scipy import ndimage

from spinemri.anatomy import Level, Structure, StructureKind
from spinemri.convert import from_sitk
from spinemri.geometry import Geometry
from spinemri.image import Image
from spinemri.register import align_series, align_vertebrae, motion_between, to_moving
from spinemri.segmentation import Segmentation, label_value
from spinemri.series import Contrast, Series
from spinemri.spine import LevelAssignment, LevelBasis, Spine, Vertebra, VertebraAlignment
from tests.columns import TrueColumn

NAMES = ("L1", "L2", "L3", "L4")
COLUMN = TrueColumn(NAMES, lean_deg=(8.0, 2.0, -6.0, -12.0, -16.0))
T1 = np.array([55.0, 120.0, 70.0, 62.0, 30.0, 60.0, 100.0])  # by class: background, body, posterior, disc, sac, cord
STIR = np.array([30.0, 22.0, 18.0, 60.0, 150.0, 70.0, 25.0])


def scene(contrast, table, *, moved=None, shift=(0.0, 0.0, 0.0), grid=None, seed=0):
    """Image and masks of the column; around the vertebra ``moved`` everything is displaced by ``shift`` (LPS mm)."""
    grid = grid or COLUMN.grid(spacing=(4.0, 0.9, 1.0), turn_deg=(4.0, 6.0, 3.0), half_width_mm=26.0)
    index = np.stack(np.meshgrid(*map(np.arange, grid.shape), indexing="ij"), axis=-1)
    points = grid.to_patient(index)
    if moved:
        top, bottom = COLUMN.spans[NAMES.index(moved)]
        along = COLUMN.places(points)[0]
        near = (along > top - 6) & (along < bottom + 6)
        points = points - near[..., None] * np.asarray(shift)
    classes, owner = COLUMN.classes_at(points)
    texture = sum(np.sin(points @ w + n) for n, w in enumerate(_waves())) / 3
    rng = np.random.default_rng(seed)
    values = table[classes] * (1 + 0.15 * texture) * (1.0 if contrast is Contrast.T1W else 1 + 0.1 * texture**2)
    values = ndimage.gaussian_filter(values, (0, 0.5, 0.5)) + rng.normal(0, 3, grid.shape)
    voxels, structures = np.zeros(grid.shape, np.uint8), {}
    for n, name in enumerate(NAMES, start=1):
        body = Structure(StructureKind.VERTEBRAL_BODY, Level(name))
        voxels[owner == n] = label_value(body)
        structures[label_value(body)] = body
    uid = f"1.2.{contrast.value}"
    image = Image(values.astype(np.float32), grid, Series(series_uid=uid, number=seed, contrast=contrast))
    return image, Segmentation(voxels, grid, structures, uid, "truth")


def _waves():
    return (np.array([0.21, 0.3, 0.1]), np.array([-0.1, 0.17, 0.35]), np.array([0.05, -0.4, 0.22]))


def spine_of(names=NAMES):
    assigned = (LevelAssignment(level=Level(n), basis=LevelBasis.FROM_SACRUM, confidence=0.8) for n in names)
    return Spine(
        vertebrae=tuple(Vertebra(assignment=a, centre=(0.0, 0.0, 0.0), series_uid="1.2.T1w") for a in assigned)
    )


def test_a_vertebra_that_moved_is_registered_and_the_others_are_aligned():
    fixed = scene(Contrast.T1W, T1)
    moving = scene(Contrast.STIR, STIR, moved="L2", shift=(0.0, 2.5, 0.0), seed=1)
    found = {a.level.name: a for a in align_vertebrae(spine_of(), *fixed, *moving)}
    assert list(found) == list(NAMES)
    assert found["L2"].status == "registered"
    assert found["L2"].residual_mm == pytest.approx(2.5, abs=0.7)
    assert found["L2"].translation_mm[1] == pytest.approx(2.5, abs=0.7)
    assert "patient_motion" in found["L2"].reason
    for name in ("L1", "L3", "L4"):
        assert found[name].status == "aligned"
        assert found[name].residual_mm < 1.0
        assert found[name].translation_mm == (0.0, 0.0, 0.0)


def test_a_turn_is_applied_with_the_shift():
    """The moving series saw the whole column turned by 2.6 degrees about the slices' normal, at L2's centre."""
    fixed = scene(Contrast.T1W, T1)
    image, segmentation = scene(Contrast.STIR, STIR, seed=1)
    old, angle = image.geometry, np.radians(2.6)
    normal = old.axes[:, 0]
    cross = np.cross(np.eye(3), normal)
    turn = np.eye(3) + np.sin(angle) * cross.T + (1 - np.cos(angle)) * cross.T @ cross.T
    pivot = COLUMN.centre("L2")
    origin = turn @ (np.asarray(old.origin) - pivot) + pivot
    grid = Geometry(old.shape, old.spacing, tuple(origin), tuple((turn @ old.axes).ravel()), "1.2.840.1")
    moving = (
        Image(image.voxels, grid, image.series),
        Segmentation(segmentation.voxels, grid, segmentation.structures, "1.2.STIR", "truth"),
    )
    (found,) = align_vertebrae(spine_of(("L2",)), *fixed, *moving)
    assert found.status == "registered"
    assert found.rotation_deg == pytest.approx(2.6, abs=0.5)
    around = pivot + np.array([[0, 15.0, 0], [0, -15.0, 0], [0, 0, 12.0], [0, 0, -12.0]])
    true = (around - pivot) @ turn.T + pivot
    assert np.linalg.norm(to_moving(found, around) - true, axis=1).max() < 0.6
    assert np.linalg.norm(around - true, axis=1).max() > 0.6


def test_an_aligned_vertebra_keeps_every_point_in_place():
    (found,) = align_vertebrae(spine_of(("L3",)), *scene(Contrast.T1W, T1), *scene(Contrast.STIR, STIR, seed=1))
    points = np.array([[3.0, -20.0, 14.0], [0.0, 5.0, 8.0]])
    assert found.status == "aligned"
    assert np.array_equal(to_moving(found, points), points)


def test_masks_that_overlap_by_less_than_half_are_not_compared():
    """L2 of the moving series carries the mask of L3 and the other way round: a miscount, not a motion."""
    fixed = scene(Contrast.T1W, T1)
    image, segmentation = scene(Contrast.STIR, STIR, seed=1)
    swapped = segmentation.voxels.copy()
    swapped[segmentation.voxels == 22], swapped[segmentation.voxels == 23] = 23, 22
    moving = image, Segmentation(swapped, image.geometry, segmentation.structures, "1.2.STIR", "miscounted")
    (found,) = align_vertebrae(spine_of(("L2",)), *fixed, *moving)
    assert found.status == "unpaired"
    assert "less than half" in found.reason
    assert found.residual_mm is None


def test_stations_are_compared_with_each_other_and_with_the_other_contrast():
    upper, lower = scene(Contrast.T1W, T1, seed=2), scene(Contrast.T1W, T1, seed=3)
    lower = renamed(lower, "1.2.lower", keep=("L2", "L3", "L4"))
    upper = renamed(upper, "1.2.upper", keep=("L1", "L2"))
    stir = scene(Contrast.STIR, STIR, seed=4)
    images, segmentations = zip(upper, lower, stir, strict=True)
    vertebrae = tuple(
        v.model_copy(update={"series_uid": "1.2.upper" if v.level.name < "L3" else "1.2.lower"})
        for v in spine_of().vertebrae
    )
    found, notes = align_series(Spine(vertebrae=vertebrae), images, segmentations)
    pairs = {(a.fixed_series_uid, a.moving_series_uid, a.level.name) for a in found}
    assert pairs == {
        ("1.2.upper", "1.2.lower", "L2"),
        ("1.2.upper", "1.2.STIR", "L1"),
        ("1.2.upper", "1.2.STIR", "L2"),
        ("1.2.lower", "1.2.STIR", "L3"),
        ("1.2.lower", "1.2.STIR", "L4"),
    }
    assert notes == ()
    composed = images[2].series.model_copy(update={"composed": True})
    images = (*images[:2], Image(images[2].voxels, images[2].geometry, composed))
    found, _ = align_series(Spine(vertebrae=vertebrae), images, segmentations)
    assert {a.moving_series_uid for a in found} == {"1.2.lower"}


def renamed(shown, uid, keep):
    """The same series under another UID, with only some of its bodies."""
    image, segmentation = shown
    values = [v for v, s in segmentation.structures.items() if s.level.name in keep]
    voxels = np.where(np.isin(segmentation.voxels, values), segmentation.voxels, 0).astype(np.uint8)
    structures = {v: segmentation.structures[v] for v in values}
    facts = image.series.model_copy(update={"series_uid": uid})
    return Image(image.voxels, image.geometry, facts), Segmentation(voxels, image.geometry, structures, uid, "truth")


def test_misleading_masks_do_not_make_motion():
    fixed = scene(Contrast.T1W, T1)
    image, segmentation = scene(Contrast.STIR, STIR, seed=1)
    shifted = np.roll(segmentation.voxels, 3, axis=2)
    moving = image, Segmentation(shifted, image.geometry, segmentation.structures, "1.2.STIR", "off by 3 mm")
    for alignment in align_vertebrae(spine_of(("L2", "L3")), *fixed, *moving):
        assert alignment.status == "aligned"
        assert alignment.residual_mm < 1.0


def test_series_on_other_grids_are_compared_in_patient_coordinates():
    fixed = scene(Contrast.T1W, T1)
    other = COLUMN.grid(spacing=(4.4, 1.1, 0.8), turn_deg=(6.0, 4.0, 5.0), half_width_mm=30.0)
    moving = scene(Contrast.STIR, STIR, grid=other, seed=1)
    for alignment in align_vertebrae(spine_of(("L2", "L3")), *fixed, *moving):
        assert alignment.status == "aligned"
        assert alignment.residual_mm < 1.0


def test_another_frame_of_reference_is_flagged_and_bridged_by_the_masks():
    fixed = scene(Contrast.T1W, T1)
    image, segmentation = scene(Contrast.STIR, STIR, seed=1)
    old = image.geometry
    away = tuple(np.add(old.origin, (40.0, -25.0, 60.0)))
    grid = Geometry(old.shape, old.spacing, away, old.direction, "9.9")
    moving = (
        Image(image.voxels, grid, image.series),
        Segmentation(segmentation.voxels, grid, segmentation.structures, "1.2.STIR", "truth"),
    )
    for alignment in align_vertebrae(spine_of(("L2", "L3")), *fixed, *moving):
        assert "frame_of_reference_mismatch" in alignment.reason
        assert alignment.status == "registered"
        assert np.linalg.norm(np.subtract(alignment.translation_mm, (40.0, -25.0, 60.0))) < 2.5


def test_vertebrae_that_one_series_does_not_show_are_left_out_and_remnants_unpaired():
    fixed, (image, segmentation) = scene(Contrast.T1W, T1), scene(Contrast.STIR, STIR, seed=1)
    voxels = segmentation.voxels.copy()
    voxels[voxels == 21] = 0  # L1
    voxels[:, :, ::2][voxels[:, :, ::2] == 22] = 0
    rest = np.flatnonzero(voxels == 22)
    voxels.flat[rest[50:]] = 0
    moving = image, Segmentation(voxels, image.geometry, segmentation.structures, "1.2.STIR", "truth")
    found = align_vertebrae(spine_of(("L1", "L2", "L3")), *fixed, *moving)
    assert [(a.level.name, a.status) for a in found] == [("L2", "unpaired"), ("L3", "aligned")]
    assert found[0].residual_mm is None


def test_the_study_is_aligned_to_its_t1w_and_says_which_vertebrae_moved():
    fixed = scene(Contrast.T1W, T1, seed=2)
    moving = scene(Contrast.STIR, STIR, moved="L3", shift=(0.0, -2.8, 0.5), seed=7)
    images, segmentations = zip(moving, fixed, strict=True)
    found, notes = align_series(spine_of(("L3", "L4")), images, segmentations)
    assert {(a.fixed_series_uid, a.moving_series_uid) for a in found} == {("1.2.T1w", "1.2.STIR")}
    assert len(notes) == 1
    assert "series 2 and 7" in notes[0]
    assert "L3" in notes[0]
    assert "L4" not in notes[0]
    assert align_series(spine_of(), images[:1], segmentations[:1]) == ((), ())


def test_a_real_patient_moved_above_l2_between_t1w_and_stir(shared):
    folder = shared / "data" / "labelled" / "vb1"
    if not folder.is_dir():
        pytest.skip("no reference images in ../shared/data/labelled/vb1")
    names = ("T10", "T11", "T12", "L1", "L2", "L3", "L4", "L5", "S1")

    def load(stem, contrast):
        voxels, grid = from_sitk(SimpleITK.ReadImage(str(folder / f"{stem}_img.nii.gz")), "1.2")
        labels, _ = from_sitk(SimpleITK.ReadImage(str(folder / f"{stem}_lab.nii.gz")), "1.2")
        bodies = {n: Structure(StructureKind.VERTEBRAL_BODY, Level(name)) for n, name in enumerate(names, start=1)}
        image = Image(voxels, grid, Series(series_uid=stem, contrast=contrast))
        return image, Segmentation(np.rint(labels).astype(np.uint8), grid, bodies, stem, "manual")

    pair = (*load("02_AKa3_T1w", Contrast.T1W), *load("03_AKa4_STIR", Contrast.STIR))
    found = {a.level.name: a for a in align_vertebrae(spine_of(("T11", "L1", "L4", "S1")), *pair)}
    for name in ("T11", "L1"):
        assert found[name].status == "registered"
        assert 2.0 < found[name].translation_mm[1] < 3.3
    for name in ("L4", "S1"):
        assert found[name].status == "aligned"
        assert found[name].residual_mm < 1.0


def test_a_motion_is_undone_by_its_inverse_and_found_from_either_side():
    moved = VertebraAlignment(
        level=Level("L2"), fixed_series_uid="1", moving_series_uid="2", residual_mm=3.0, status="registered",
        translation_mm=(0.4, -2.5, 1.5), turn_deg=(2.0, -0.5, 0.3), centre=(5.0, -20.0, 310.0),
    )  # fmt: skip
    points = np.array([[5.0, -20.0, 310.0], [-12.0, -60.0, 300.0], [30.0, 10.0, 355.0]])
    back = motion_between([moved], Level("L2"), "2", "1")
    assert np.abs(to_moving(back, to_moving(moved, points)) - points).max() < 1e-6
    assert np.abs(to_moving(back, points) - points).max() > 2
    assert motion_between([moved], Level("L2"), "1", "2") == moved
    assert motion_between([moved], Level("L3"), "1", "2") is None
    assert motion_between([moved], Level("L2"), "1", "3") is None
