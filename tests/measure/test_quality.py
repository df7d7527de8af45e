from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from spinemri.anatomy import Level, Structure, StructureKind
from spinemri.evaluate.truth import true_segmentation
from spinemri.measure.artefacts import (
    GHOSTING_LIMIT_PCT,
    METAL_LIMIT_ML,
    MOTION_LIMIT_MM,
    SNR_LIMIT,
    WRAP_LIMIT,
)
from spinemri.measure.fat_suppression import FAT_LIMIT
from spinemri.measure.quality import measure_quality
from spinemri.quality import QualityCheck, SeriesQuality
from spinemri.read import read_volume, volume_series
from spinemri.segmentation import Segmentation
from spinemri.series import Contrast
from spinemri.spine import LevelAssignment, LevelBasis, Spine, Vertebra, VertebraAlignment
from spinemri.synthesis.phantom import make_phantom

T1, STIR, T2 = range(3)
EVERY = ("snr", "motion", "ghosting", "wrap", "metal", "coverage", "slice_gap", "motion_between_series")


@pytest.fixture(scope="module")
def study():
    """Images of a phantom, their true masks, and its spine, measured in the T1w series."""
    phantom = make_phantom(2)
    masks = [true_segmentation(phantom.volume, i.geometry, i.series.series_uid) for i in phantom.images]
    vertebrae = tuple(
        Vertebra(
            assignment=LevelAssignment(level=Level(name), basis=LevelBasis.FROM_SACRUM, confidence=1.0),
            centre=tuple(centre),
            series_uid=phantom.images[T1].series.series_uid,
        )
        for name, centre in phantom.truth["body_centres_lps_mm"].items()
    )
    return list(phantom.images), masks, Spine(vertebrae=vertebrae)


def quality(study, alignments=()):
    images, masks, spine = study
    return measure_quality(images, masks, spine, alignments)


def with_voxels(study, which, voxels):
    """The study with other voxels in one series."""
    images, masks, spine = study
    changed = list(images)
    changed[which] = replace(images[which], voxels=np.asarray(voxels, dtype=np.float32))
    return changed, masks, spine


def alone(study, which):
    images, masks, spine = study
    uid = images[which].series.series_uid
    vertebrae = tuple(v.model_copy(update={"series_uid": uid}) for v in spine.vertebrae)
    return [images[which]], [masks[which]], Spine(vertebrae=vertebrae)


def pixels(study, which):
    return np.asarray(study[0][which].voxels, dtype=np.float32)


def noisy(voxels, sigma, seed=1):
    noise = np.random.default_rng(seed).normal(0, sigma, (2, *voxels.shape))
    return np.hypot(voxels + noise[0], noise[1])


def body(study, which, name="L3"):
    return study[1][which].mask(Structure(StructureKind.VERTEBRAL_BODY, Level(name)))


def ball(study, which, radius_mm, name="L3"):
    """Voxels within a radius of a body's centre."""
    grid = study[1][which].geometry
    centre = np.argwhere(body(study, which, name)).mean(axis=0)
    away = np.moveaxis(np.indices(grid.shape), 0, -1) - centre
    return np.linalg.norm(away * grid.spacing, axis=-1) < radius_mm


def cropped(study, which, box):
    """One series with a smaller field of view."""
    images, masks, spine = study
    image, mask = images[which], masks[which]
    start = [s.start or 0 for s in box]
    voxels = image.voxels[box]
    grid = replace(image.geometry, shape=voxels.shape, origin=tuple(image.geometry.to_patient(start)))
    pair = replace(image, voxels=voxels, geometry=grid), replace(mask, voxels=mask.voxels[box], geometry=grid)
    return [*images[:which], pair[0], *images[which + 1 :]], [*masks[:which], pair[1], *masks[which + 1 :]], spine


def test_a_clean_study_passes_every_check_that_can_be_made(study):
    found = quality(study)
    assert [q.series_uid for q in found] == [i.series.series_uid for i in study[0]]
    for q in found:
        assert not q.failed
        open_checks = {c.name for c in q.checks if c.passed is None}
        assert open_checks <= {"motion_between_series", "metal"}
    assert [c.name for c in found[T1].checks] == list(EVERY)
    assert {c.name for c in found[STIR].checks} == {*EVERY, "fat_suppression"}
    assert found[T1].check("metal").passed
    assert "fat" in found[STIR].check("metal").reason
    assert found[T1].check("fat_suppression") is None


@pytest.mark.parametrize("which", [T1, STIR, T2])
def test_noise_is_measured_and_fails(study, which):
    signal = float(np.median(pixels(study, which)[body(study, which)]))
    sigma = signal / 4
    check = quality(with_voxels(study, which, noisy(pixels(study, which), sigma)))[which].check("snr")
    assert check.passed is False
    assert check.value < SNR_LIMIT
    assert f"series {which + 2}: signal-to-noise ratio {check.value}, below 6" in check.reason
    if which != STIR:  # there it is muscle that is looked at
        assert check.value == pytest.approx(4.2, abs=0.8)


@pytest.mark.parametrize("masked", [False, True])
def test_noise_is_the_same_from_air_and_from_tissue(study, masked):
    """A scanner that masks the air leaves only tissue to look at."""
    voxels = pixels(study, T1)
    if masked:
        voxels = np.where(ndimage.gaussian_filter(voxels, (0, 3, 3)) < 250, 0, voxels)
    check = quality(alone(with_voxels(study, T1, voxels), T1))[0].check("snr")
    whole = quality(study)[T1].check("snr")
    assert check.value == pytest.approx(whole.value, rel=0.1)


def test_levels_that_the_coil_does_not_reach_are_named(study):
    rows = np.flatnonzero(body(study, T1, "T12").any(axis=(0, 2)))
    fall = np.where(np.arange(pixels(study, T1).shape[1]) < rows.max() + 12, 0.1, 1.0)[:, None]
    faint = noisy(pixels(study, T1) * fall, 90.0)
    check = quality(with_voxels(study, T1, faint))[T1].check("snr")
    assert check.value > SNR_LIMIT
    assert check.passed is False
    assert {str(level) for level in check.levels} >= {"T11", "T12"}
    assert "L3" not in {str(level) for level in check.levels}
    assert "T12" in check.reason


@pytest.mark.parametrize(("axis", "which"), [(1, T1), (2, T1), (2, STIR), (1, T2)])
def test_every_other_slice_shifted_is_motion(study, axis, which):
    for shift_mm, passed in ((2.0, False), (0.5, True)):
        voxels = pixels(study, which).copy()
        steps = [0.0, 0.0, 0.0]
        steps[axis] = shift_mm / study[0][which].geometry.spacing[axis]
        voxels[1::2] = ndimage.shift(voxels, steps, order=1, mode="nearest")[1::2]
        check = quality(with_voxels(study, which, voxels))[which].check("motion")
        assert check.value == pytest.approx(shift_mm, abs=0.4)
        assert check.passed is passed
        assert passed or "moved" in check.reason
    assert MOTION_LIMIT_MM == 1.0


def test_a_curved_spine_is_not_motion(study):
    voxels = pixels(study, T1).copy()
    for k in range(len(voxels)):
        voxels[k] = ndimage.shift(voxels[k], (1.2 * k, 0.8 * k), order=1, mode="nearest")
    assert quality(with_voxels(study, T1, voxels))[T1].check("motion").value < 0.5


@pytest.mark.parametrize(("axis", "share"), [(2, 3), (2, 2), (1, 3)])
@pytest.mark.parametrize("which", [T1, T2])
def test_ghosts_are_found_with_their_strength(study, axis, share, which):
    voxels = pixels(study, which)
    ghost = np.roll(voxels, voxels.shape[axis] // share, axis)
    strong = quality(with_voxels(study, which, voxels + 0.2 * ghost))[which].check("ghosting")
    assert strong.passed is False
    assert strong.value == pytest.approx(20, abs=6)
    assert f"above {GHOSTING_LIMIT_PCT:g} %" in strong.reason
    weak = quality(with_voxels(study, which, voxels + 0.04 * ghost))[which].check("ghosting")
    assert weak.passed
    assert weak.value == pytest.approx(4, abs=2)


def test_noise_is_not_a_ghost(study):
    check = quality(with_voxels(study, T1, noisy(pixels(study, T1), 300.0)))[T1].check("ghosting")
    assert check.passed is not False


def test_ghosts_on_stir_need_a_series_that_shows_the_skin(study):
    voxels = pixels(study, STIR)
    ghost = with_voxels(study, STIR, voxels + 0.25 * np.roll(voxels, voxels.shape[2] // 2, 2))
    assert quality(ghost)[STIR].check("ghosting").passed is False
    check = quality(alone(ghost, STIR))[0].check("ghosting")
    assert check.passed is None
    assert check.value is None


def folded(study, which, axis, mm):
    """A field of view shorter by so much, into which what is cut off at its start is folded."""
    image = study[0][which]
    cut = round(mm / image.geometry.spacing[axis])
    voxels = pixels(study, which)
    length = voxels.shape[axis]
    if axis == 1:  # the coil ends where the field does, above and below
        ends = np.minimum(np.arange(length), np.arange(length)[::-1]) / (1.2 * cut)
        voxels = voxels * np.clip(ends, 0, 1)[:, None]
    box = tuple(slice(cut if a == axis else 0, None) for a in range(3))
    images, masks, spine = cropped(with_voxels(study, which, voxels), which, box)
    lines = np.moveaxis(np.array(images[which].voxels), axis, 0)
    lines[-cut:] += np.moveaxis(voxels, axis, 0)[:cut]
    return with_voxels((images, masks, spine), which, np.moveaxis(lines, 0, axis))


@pytest.mark.parametrize(("axis", "which"), [(1, T1), (1, T2), (1, STIR), (2, STIR)])
def test_what_is_folded_in_is_found(study, axis, which):
    check = quality(folded(study, which, axis, 40))[which].check("wrap")
    assert check.passed is False
    assert check.value > WRAP_LIMIT
    assert "folded in" in check.reason


@pytest.mark.parametrize("which", [T1, T2])
def test_a_void_names_its_vertebra(study, which):
    voxels = pixels(study, which).copy()
    air = np.random.default_rng(3).permutation(voxels[:, :60, -12:].ravel())
    void, rim = ball(study, which, 7.5), ball(study, which, 9.5)
    voxels[rim] *= 2
    voxels[void] = air[: np.count_nonzero(void)]
    check = quality(with_voxels(study, which, voxels))[which].check("metal")
    assert check.passed is False
    assert [str(level) for level in check.levels] == ["L3"]
    assert check.value == pytest.approx(np.count_nonzero(void) * 4 * 0.9375**2 / 1000, abs=0.4)
    assert "in L3" in check.reason
    assert METAL_LIMIT_ML == 0.5


def test_a_vein_is_no_metal(study):
    voxels = pixels(study, T1).copy()
    voxels[ball(study, T1, 4.0)] = 90
    assert quality(with_voxels(study, T1, voxels))[T1].check("metal").passed


def test_fat_that_stays_bright_fails(study):
    voxels, fat = pixels(study, STIR), pixels(study, T1) > 2200
    bright = np.where(fat, pixels(study, T2), voxels)
    check = quality(with_voxels(study, STIR, bright))[STIR].check("fat_suppression")
    assert check.passed is False
    assert check.value > 2 * FAT_LIMIT
    assert check.reason.startswith("series 3: fat is")
    assert "third" not in check.reason
    single = quality(alone(with_voxels(study, STIR, bright), STIR))[0].check("fat_suppression")
    assert single.passed is False
    assert quality(alone(study, STIR))[0].check("fat_suppression").passed


def test_fat_suppression_that_fails_in_one_part_names_it(study):
    voxels, fat = pixels(study, STIR).copy(), pixels(study, T1) > 2200
    rows = np.flatnonzero(study[1][STIR].mask_of_kind(StructureKind.VERTEBRAL_BODY).any(axis=(0, 2)))
    upper = slice(0, int(rows[0] + np.ptp(rows) / 3))
    voxels[:, upper] = np.where(fat, pixels(study, T2), voxels)[:, upper]
    check = quality(with_voxels(study, STIR, voxels))[STIR].check("fat_suppression")
    assert check.passed is False
    assert "upper third" in check.reason
    assert "lower" not in check.reason
    names = {str(level) for level in check.levels}
    assert "T12" in names
    assert not {"L4", "L5", "S1"} & names


def test_a_series_in_another_frame_of_reference_does_not_say_where_fat_is(study):
    images, masks, spine = study
    away = [replace(i, geometry=replace(i.geometry, frame_of_reference_uid="9.9")) for i in images]
    found = measure_quality([away[T1], images[STIR]], masks[:2], spine, ())
    assert found[1].check("ghosting").passed is None
    assert found[1].check("coverage").passed is True  # the masks of its best series are in its frame
    other = [replace(masks[T1], geometry=away[T1].geometry), masks[STIR]]
    assert measure_quality([away[T1], images[STIR]], other, spine, ())[1].check("coverage").passed is None


@pytest.mark.parametrize("first", [0, 4, 5])
def test_a_stack_that_ends_within_the_bodies_tells_how_much_it_shows(study, first):
    part = cropped(alone(study, T1), 0, (slice(first, None), slice(None), slice(None)))
    check = quality(part)[0].check("coverage")
    true = {
        v.level: body(part, 0, v.level.name).sum() / body(study, T1, v.level.name).sum() for v in study[2].vertebrae
    }
    assert check.value == pytest.approx(100 * min(true.values()), abs=10)
    assert check.passed is (check.value >= 90)
    clear = {level for level, share in true.items() if abs(share - 0.9) > 0.06}
    assert clear & set(check.levels) == {level for level in clear if true[level] < 0.9}
    assert first < 5 or not check.passed


def test_levels_that_one_contrast_does_not_show_are_named(study):
    row = int(np.argwhere(body(study, STIR, "L1"))[:, 1].min()) - 2
    part = cropped(study, STIR, (slice(None), slice(row, None), slice(None)))
    found = quality(part)
    check = found[STIR].check("coverage")
    assert [str(level) for level in check.levels] == [v.level.name for v in study[2].vertebrae if v.level < Level("L1")]
    assert check.value == 0
    assert "T12" in check.reason
    assert found[T1].check("coverage").passed


def test_two_stations_of_one_contrast_cover_the_spine_together(study):
    row = int(np.argwhere(body(study, T1, "L3"))[:, 1].mean())
    spare = 40
    upper = cropped(alone(study, T1), 0, (slice(None), slice(0, row + spare), slice(None)))
    lower = cropped(alone(study, T1), 0, (slice(None), slice(row - spare, None), slice(None)))
    uid = "1.2.99"
    low_image = replace(lower[0][0], series=lower[0][0].series.model_copy(update={"series_uid": uid}))
    low_mask = replace(lower[1][0], series_uid=uid)
    vertebrae = tuple(
        v.model_copy(update={"series_uid": uid}) if Level("L3") < v.level else v for v in study[2].vertebrae
    )
    found = measure_quality([upper[0][0], low_image], [upper[1][0], low_mask], Spine(vertebrae=vertebrae), ())
    assert [q.check("coverage").passed for q in found] == [True, True]
    missing = measure_quality([upper[0][0]], [upper[1][0]], study[2], ())[0].check("coverage")
    assert missing.passed  # its own masks are all that is known of the lower vertebrae


def test_a_body_that_every_series_cuts_is_left_out(study):
    images, masks, spine = alone(study, T1)
    cut = tuple(v.model_copy(update={"cut": True}) for v in spine.vertebrae)
    check = measure_quality(images, masks, Spine(vertebrae=cut), ())[0].check("coverage")
    assert check.passed is None
    assert "no vertebra" in check.reason


@pytest.mark.parametrize(
    ("thickness", "passed", "value"),
    [(4.0 / 1.3, True, 30.0), (4.0 / 1.31, False, 31.0), (4.0 / 1.5, False, 50.0), (4.5, True, -11.1)],
)
def test_slice_gap_at_both_sides_of_its_limit(study, thickness, passed, value):
    images, masks, spine = alone(study, T1)
    series = images[0].series.model_copy(update={"slice_thickness_mm": thickness})
    check = measure_quality([replace(images[0], series=series)], masks, spine, ())[0].check("slice_gap")
    assert check.value == pytest.approx(value, abs=0.05)
    assert check.passed is passed
    assert "no volumes" not in check.reason


def test_a_large_gap_allows_no_volumes_and_an_unknown_one_is_not_judged(study):
    images, masks, spine = alone(study, T1)
    for thickness, passed, word in ((4.0 / 1.51, False, "no volumes"), (None, None, "does not state")):
        series = images[0].series.model_copy(update={"slice_thickness_mm": thickness})
        check = measure_quality([replace(images[0], series=series)], masks, spine, ())[0].check("slice_gap")
        assert check.passed is passed
        assert word in check.reason


def alignment(study, name, residual, status="aligned"):
    uids = [i.series.series_uid for i in study[0]]
    return VertebraAlignment(
        level=Level(name),
        fixed_series_uid=uids[T1],
        moving_series_uid=uids[STIR],
        residual_mm=residual,
        status=status,
    )


@pytest.mark.parametrize(("residual", "passed"), [(2.0, True), (2.01, False)])
def test_motion_between_series_at_both_sides_of_its_limit(study, residual, passed):
    found = quality(study, [alignment(study, "L1", 0.4), alignment(study, "L2", residual)])
    check = found[STIR].check("motion_between_series")
    assert check.value == residual
    assert check.passed is passed
    assert [str(level) for level in check.levels] == ([] if passed else ["L2"])
    assert passed or "L2 moved by up to 2.0 mm" in check.reason
    assert found[T1].check("motion_between_series").passed is None


def test_a_vertebra_that_cannot_be_paired_fails_unless_it_is_cut(study):
    images, masks, spine = study
    lost = [alignment(study, "L1", 0.4), alignment(study, "T11", None, "unpaired")]
    check = quality(study, lost)[STIR].check("motion_between_series")
    assert check.passed is False
    assert check.reason == "series 3: T11 cannot be paired with another series"
    cut = frozenset({Structure(StructureKind.VERTEBRAL_BODY, Level("T11"))})
    masks = [masks[T1], replace(masks[STIR], cut=cut), masks[T2]]
    assert measure_quality(images, masks, spine, lost)[STIR].check("motion_between_series").passed
    assert measure_quality(images, masks, spine, lost[1:])[STIR].check("motion_between_series").passed is None


def test_a_missing_slice_is_not_looked_at(study):
    images, masks, spine = study
    voxels, labels = pixels(study, T1).copy(), masks[T1].voxels.copy()
    voxels[6] = 0
    gap = replace(images[T1], voxels=voxels, missing_slices=(6,))
    check = {c.name: c for c in measure_quality([gap], [replace(masks[T1], voxels=labels)], spine, ())[0].checks}
    for name in ("snr", "motion", "ghosting", "wrap", "metal"):
        assert check[name].passed, name
    whole = body(study, T1).sum(axis=(1, 2))
    assert check["coverage"].value <= 100 * (1 - whole[6] / whole.sum()) + 0.1


def test_an_axial_series_is_judged_by_its_header_only(study):
    images, masks, spine = alone(study, T1)
    grid = images[0].geometry
    turned = replace(
        grid,
        shape=tuple(np.roll(grid.shape, -1)),
        spacing=tuple(np.roll(grid.spacing, -1)),
        direction=tuple(np.roll(grid.axes, -1, axis=1).ravel()),
    )
    image = replace(images[0], voxels=np.moveaxis(images[0].voxels, 0, -1), geometry=turned)
    mask = replace(masks[0], voxels=np.moveaxis(masks[0].voxels, 0, -1), geometry=turned)
    found = measure_quality([image], [mask], spine, ())[0]
    assert found.check("snr").reason == "the series is not sagittal"
    assert found.check("slice_gap").value is not None
    assert found.check("coverage").passed


def test_an_image_without_spine_is_not_judged(study):
    images, masks, _ = alone(study, STIR)
    empty = replace(masks[0], voxels=np.zeros_like(masks[0].voxels), structures={})
    found = measure_quality(images, [empty], Spine(), ())[0]
    assert all(c.passed is None and c.reason for c in found.checks if c.name not in {"wrap", "slice_gap"})


@pytest.mark.parametrize("case", ["04", "12", "17"])
def test_healthy_people_raise_no_alarm(shared, case):
    """Chu 2015: T2w of healthy people, with the bodies that a reader outlined."""
    path = shared / f"data/labelled/vb2/{case}_img.nii.gz"
    image = read_volume(path, volume_series(path, path.parent, Contrast.T2W))
    labels = read_volume(path.with_name(f"{case}_lab.nii.gz")).voxels
    levels = [Level(name) for name in ("T11", "T12", "L1", "L2", "L3", "L4", "L5")]
    structures = {n: Structure(StructureKind.VERTEBRAL_BODY, level) for n, level in enumerate(levels, start=1)}
    kept = np.where(labels <= len(levels), labels, 0).astype(np.uint8)
    mask = Segmentation(kept, image.geometry, structures, image.series.series_uid, "manual")
    vertebrae = tuple(
        Vertebra(
            assignment=LevelAssignment(level=level, basis=LevelBasis.FROM_SACRUM, confidence=1.0),
            centre=tuple(image.geometry.to_patient(np.argwhere(kept == n)).mean(axis=0)),
            series_uid=image.series.series_uid,
        )
        for n, level in enumerate(levels, start=1)
    )
    (found,) = measure_quality([image], [mask], Spine(vertebrae=vertebrae), ())
    assert found.failed == ()
    assert all(found.check(name).passed for name in ("snr", "motion", "ghosting", "wrap", "metal", "coverage"))


def test_a_check_that_did_not_pass_needs_a_reason():
    with pytest.raises(ValueError, match="snr: a check that did not pass needs a reason"):
        QualityCheck(name="snr", value=4.0, unit="1", limit=8.0, passed=False)
    assert SeriesQuality(series_uid="1").failed == ()
