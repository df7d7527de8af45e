"""Every sequence lands at its place in the patient, whatever way its array lies and however the patient moved."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from itertools import pairwise, permutations, product
from typing import TYPE_CHECKING

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from spinemri.anatomy import Level, Structure, StructureKind
from spinemri.image import Image
from spinemri.segment.lesion_input import ANATOMY, CHANNELS, lesion_input, relative_to_marrow
from spinemri.segmentation import Segmentation, label_value
from spinemri.series import Contrast, Series
from spinemri.spine import VertebraAlignment
from tests.columns import BODY, DISC, POSTERIOR, SAC, TrueColumn, rearranged

if TYPE_CHECKING:
    from spinemri.geometry import Geometry

NAMES = ("L1", "L2", "L3", "L4")
LEVELS = tuple(Level(name) for name in NAMES)
COLUMN = TrueColumn(NAMES, lean_deg=(8.0, 2.0, -6.0, -12.0, -16.0))
GRID = COLUMN.grid(spacing=(4.0, 0.9, 1.1), turn_deg=(4.0, 6.0, 3.0), half_width_mm=26.0)
OTHER = COLUMN.grid(spacing=(4.6, 1.2, 0.8), turn_deg=(-3.0, 2.0, 5.0), half_width_mm=30.0)
T1, STIR, T2 = (CHANNELS.index(name) for name in ("T1w", "STIR", "T2w"))
SIGNAL = {  # by class: background, body, posterior, disc, sac
    Contrast.T1W: (70.0, 120.0, 90.0, 62.0, 30.0),
    Contrast.STIR: (40.0, 26.0, 24.0, 60.0, 150.0),
    Contrast.T2W: (60.0, 90.0, 70.0, 70.0, 190.0),
    Contrast.PDW: (60.0, 90.0, 70.0, 80.0, 120.0),
}
MARKER_MM = 4.2
WAYS = [
    ((0, 1, 2), (False, True, False)),
    ((2, 0, 1), (True, False, True)),
    ((1, 2, 0), (False, False, True)),
    ((2, 1, 0), (True, True, False)),
]


def points_of(grid: Geometry) -> np.ndarray:
    return grid.to_patient(np.moveaxis(np.indices(grid.shape), 0, -1))


@cache
def classes_on(grid: Geometry) -> np.ndarray:
    return COLUMN.on(grid)[0]


@cache
def anatomy(grid: Geometry = GRID, uid: str = "1.2.T1w") -> Segmentation:
    """Masks of the true column on a grid."""
    points = points_of(grid)
    classes, owner = COLUMN.classes_at(points)
    along = COLUMN.places(points)[0]
    nearest = np.abs(along[..., None] - [np.mean(span) for span in COLUMN.spans]).argmin(axis=-1)
    marks = {Structure(StructureKind.THECAL_SAC): classes == SAC}
    for n, level in enumerate(LEVELS):
        marks[Structure(StructureKind.VERTEBRAL_BODY, level)] = owner == n + 1
        marks[Structure(StructureKind.POSTERIOR_ELEMENTS, level)] = (classes == POSTERIOR) & (nearest == n)
    for (upper, a), (lower, b) in pairwise(zip(LEVELS, COLUMN.spans, strict=True)):
        marks[Structure(StructureKind.DISC, upper, lower)] = (classes == DISC) & (along > a[0]) & (along < b[1])
    voxels = np.zeros(grid.shape, dtype=np.uint8)
    for structure, mask in marks.items():
        voxels[mask] = label_value(structure)
    return Segmentation(voxels, grid, {label_value(s): s for s in marks}, uid, "truth")


def image(contrast=Contrast.T1W, grid=GRID, markers=(), anatomy_at=None, uid=None) -> Image:
    """The column as a scanner sees it, with bright balls; ``anatomy_at`` leads from scanned points to the anatomy."""
    points = points_of(grid)
    moved = points if anatomy_at is None else anatomy_at(points)
    classes = classes_on(grid) if anatomy_at is None else COLUMN.classes_at(moved)[0]
    texture = np.sin(moved @ (0.21, 0.3, 0.1)) + np.sin(moved @ (-0.1, 0.17, 0.35))
    values = np.asarray(SIGNAL.get(contrast, SIGNAL[Contrast.STIR]))[classes] * (1 + 0.05 * texture)
    for marker in markers:
        values[np.linalg.norm(moved - marker, axis=-1) < MARKER_MM] = 600.0
    series = Series(series_uid=uid or f"1.2.{contrast.value}", contrast=contrast)
    return Image(values.astype(np.float32), grid, series)


def turned(one: Image, order, flips) -> Image:
    voxels, grid = rearranged(one.voxels, one.geometry, order, flips)
    return Image(voxels, grid, one.series)


def turned_masks(one: Segmentation, order, flips) -> Segmentation:
    voxels, grid = rearranged(one.voxels, one.geometry, order, flips)
    return replace(one, voxels=voxels, geometry=grid)


def seen_of(reference=None, others=(), alignments=(), levels=LEVELS, masks=None):
    return lesion_input((reference or image(), masks or anatomy()), others, alignments, levels, 1.0)


def marker_at(level: str, grid=GRID) -> np.ndarray:
    """A point on an acquired slice, in a body, off its middle to the left, the front and the head."""
    across = grid.axis_along(0)
    index = grid.to_index(COLUMN.centre(level) + np.array([grid.spacing[across], -4.0, 3.0]))
    index[across] = np.rint(index[across])
    return grid.to_patient(index)


def brightest(seen, plain, channel: int, near=None) -> np.ndarray:
    """Where a channel is much brighter than without the markers, LPS mm; only nearest to ``near`` when given."""
    index = np.argwhere((seen.volume[channel] - plain.volume[channel]).numpy() > 0.6)
    found = seen.geometry.to_patient(index)
    if near is not None:
        found = found[np.linalg.norm(found - near, axis=1) < 12]
    return found.mean(axis=0)


def miss(found: np.ndarray, expected: np.ndarray, grid: Geometry = GRID) -> tuple[float, float]:
    """Distance within the sagittal slices and across them, mm."""
    normal = grid.axes[:, grid.axis_along(0)]
    offset = found - expected
    across = float(offset @ normal)
    return float(np.linalg.norm(offset - across * normal)), abs(across)


# the grid


@pytest.mark.parametrize("order", list(permutations(range(3))), ids=str)
@pytest.mark.parametrize("flips", list(product((False, True), repeat=3)), ids=str)
def test_the_grid_runs_left_anterior_superior_and_holds_the_same_however_the_array_lies(order, flips):
    plain = seen_of()
    seen = seen_of(turned(image(), order, flips), masks=turned_masks(anatomy(), order, flips))
    axes = seen.geometry.axes
    assert axes[0, 0] > 0.9  # to the left
    assert axes[1, 1] < -0.9  # to anterior
    assert axes[2, 2] > 0.9  # to superior
    assert np.abs(axes - plain.geometry.axes).max() < 1e-9
    assert seen.geometry.same_grid(plain.geometry, atol_mm=1e-6)
    assert float((seen.volume - plain.volume).abs().max()) < 1e-3
    assert np.array_equal(seen.labels, plain.labels)
    assert np.array_equal(seen.zones, plain.zones)


def test_slices_are_those_that_were_acquired_at_one_millimetre_within():
    seen = seen_of()
    assert seen.geometry.spacing == (4.0, 1.0, 1.0)
    on_the_slices = GRID.to_index(seen.geometry.to_patient([[k, 3, 5] for k in range(seen.geometry.shape[0])]))[:, 0]
    assert on_the_slices == pytest.approx(np.arange(len(on_the_slices)) + np.rint(on_the_slices[0]), abs=1e-6)
    assert all(n % 16 == 0 for n in seen.geometry.shape[1:])
    assert seen.geometry.frame_of_reference_uid == GRID.frame_of_reference_uid


def test_every_bone_lies_within_with_room_in_front_of_it_and_behind():
    """In a field of view that is 30 mm larger to the front, to the back and to the feet."""
    before, after = np.array([0, 0, 28]), np.array([0, 34, 28])
    shape = tuple(int(n) for n in GRID.shape + before + after)
    wide = replace(GRID, shape=shape, origin=tuple(GRID.to_patient(-before).tolist()))
    masks = anatomy(wide)
    seen = seen_of(image(grid=wide), masks=masks)
    bones = masks.mask_of_kind(StructureKind.VERTEBRAL_BODY, StructureKind.POSTERIOR_ELEMENTS)
    index = seen.geometry.to_index(wide.to_patient(np.argwhere(bones)))
    low, high = index.min(axis=0), np.asarray(seen.geometry.shape) - 1 - index.max(axis=0)
    assert low.min() > -1e-6
    assert high.min() > -1e-6
    assert (low[1], low[2]) == pytest.approx((12, 14), abs=1)  # behind and below
    assert 29 < high[1] < 47  # in front, up to a multiple of 16
    assert 13 < high[2] < 31  # above


def test_the_outermost_slices_of_the_reference_are_seen():
    """Bones fill the whole stack, so that the grid begins and ends with the slices of the image."""
    kept = slice(5, 10)
    origin = tuple(GRID.to_patient((kept.start, 0, 0)))
    small = replace(GRID, shape=(5, *GRID.shape[1:]), origin=origin)
    masks = replace(anatomy(), voxels=anatomy().voxels[kept], geometry=small)
    for order, flips in WAYS:
        whole = Image(image().voxels[kept], small, image().series)
        seen = seen_of(turned(whole, order, flips), masks=turned_masks(masks, order, flips))
        assert seen.geometry.shape[0] == 5
        bones = seen.volume[len(CHANNELS)] > 0
        shares = [float((seen.volume[T1, k] != 0)[bones[k]].float().mean()) for k in range(5)]
        assert min(shares) > 0.99


# places


@pytest.mark.parametrize(("order", "flips"), WAYS)
def test_a_bright_spot_of_the_reference_is_found_at_its_place(order, flips):
    spot = marker_at("L3")
    masks = turned_masks(anatomy(), order, flips)
    plain = seen_of(turned(image(), order, flips), masks=masks)
    seen = seen_of(turned(image(markers=[spot]), order, flips), masks=masks)
    within, across = miss(brightest(seen, plain, T1), spot)
    assert within < 0.5
    assert across < 0.1


@pytest.mark.parametrize(("order", "flips"), WAYS)
def test_a_bright_spot_of_another_series_on_another_grid_is_found_at_its_place(order, flips):
    spot = marker_at("L2", OTHER)
    plain = seen_of(others=[turned(image(Contrast.STIR, OTHER), order, flips)])
    seen = seen_of(others=[turned(image(Contrast.STIR, OTHER, markers=[spot]), order, flips)])
    within, across = miss(brightest(seen, plain, STIR), spot)
    assert within < 0.7
    assert across < 1.5
    assert float((seen.volume[T1] - plain.volume[T1]).abs().max()) == 0


def test_labels_zones_and_anatomy_belong_to_the_same_places():
    seen = seen_of()
    middles = [np.rint(seen.geometry.to_index(COLUMN.centre(name))).astype(int) for name in NAMES]
    for n, (level, middle) in enumerate(zip(LEVELS, middles, strict=True)):
        assert seen.labels[tuple(middle)] == label_value(Structure(StructureKind.VERTEBRAL_BODY, level))
        assert seen.zones[tuple(middle)] == n
    truth = COLUMN.classes_at(points_of(seen.geometry))[0]
    expected = [truth == BODY, truth == POSTERIOR, truth == DISC, truth == SAC]
    for channel, mask in zip(seen.volume[len(CHANNELS) :].numpy(), expected, strict=False):
        assert 2 * (channel * mask).sum() / (channel.sum() + mask.sum()) > 0.93
    assert not seen.volume[-1].any()  # no sacrum


def test_only_levels_that_the_reference_shows_are_looked_at():
    seen = seen_of(levels=(Level("T12"), Level("L2"), Level("L4")))
    assert seen.levels == (Level("L2"), Level("L4"))
    assert set(np.unique(seen.zones)) == {0, 1}
    assert seen_of(levels=(Level("T12"),)) is None


# motion


def motion(level, status="registered", shift=(0.0, 0.0, 0.0), turn=(0.0, 0.0, 0.0), uid="1.2.STIR"):
    return VertebraAlignment(
        level=Level(level),
        fixed_series_uid="1.2.T1w",
        moving_series_uid=uid,
        residual_mm=None if status == "unpaired" else float(np.linalg.norm(shift)),
        status=status,
        translation_mm=shift,
        turn_deg=turn,
        centre=tuple(COLUMN.centre(level).tolist()),
    )


SHIFT, TURN = (0.6, 2.4, -2.2), (3.0, 0.5, -0.4)


def moved_point(point, centre):
    return Rotation.from_rotvec(TURN, degrees=True).apply(point - centre) + centre + SHIFT


def still_point(points, centre):
    flat = (points - centre - SHIFT).reshape(-1, 3)
    return Rotation.from_rotvec(TURN, degrees=True).inv().apply(flat).reshape(points.shape) + centre


@pytest.mark.parametrize(("order", "flips"), WAYS)
def test_a_registered_vertebra_lands_on_the_fixed_anatomy_and_without_that_it_does_not(order, flips):
    centre, spot = COLUMN.centre("L2"), marker_at("L2", OTHER)

    def series(markers):
        made = image(Contrast.STIR, OTHER, markers, lambda points: still_point(points, centre))
        return [turned(made, order, flips)]

    registered = [motion("L2", shift=SHIFT, turn=TURN)]
    found = brightest(seen_of(others=series([spot]), alignments=registered),
                      seen_of(others=series([]), alignments=registered), STIR, spot)  # fmt: skip
    within, across = miss(found, spot)
    assert within < 0.8
    assert across < 1.5
    left_alone = brightest(seen_of(others=series([spot])), seen_of(others=series([])), STIR, spot)
    assert miss(left_alone, spot)[0] > 2.2
    assert miss(left_alone, moved_point(spot, centre))[0] < 0.8


def test_each_vertebra_has_its_own_motion():
    spots = [marker_at(name, OTHER) for name in ("L2", "L3")]
    top, bottom = COLUMN.spans[1]
    shift = np.array([0.0, 3.0, 0.0])

    def only_l2(points):
        along = COLUMN.places(points)[0]
        return points - ((along > top - 4) & (along < bottom + 4))[..., None] * shift

    alignments = [motion("L2", shift=tuple(shift)), motion("L3", status="aligned")]
    both = [seen_of(others=[image(Contrast.STIR, OTHER, m, only_l2)], alignments=alignments) for m in (spots, [])]
    for spot in spots:
        assert miss(brightest(*both, STIR, spot), spot)[0] < 0.8


def test_an_unpaired_vertebra_gets_nothing_of_that_sequence():
    alignments = [motion(name, status="unpaired" if name == "L3" else "aligned") for name in NAMES]
    seen = seen_of(others=[image(Contrast.STIR, OTHER)], alignments=alignments)
    assert not seen.volume[STIR][seen.zones == 2].any()
    assert seen.contrasts[Level("L3")] == ("T1w",)
    for name in ("L1", "L2", "L4"):
        shown = seen.volume[STIR][seen.zones == NAMES.index(name)] != 0
        assert float(shown.float().mean()) > 0.5
        assert seen.contrasts[Level(name)] == ("T1w", "STIR")
    assert float((seen.volume[T1] != 0).float().mean()) > 0.9


def test_an_alignment_counts_whichever_of_the_two_series_was_the_fixed_one():
    backwards = [
        a.model_copy(update={"fixed_series_uid": "1.2.STIR", "moving_series_uid": "1.2.T1w"})
        for a in (motion(name, status="unpaired") for name in NAMES)
    ]
    seen = seen_of(others=[image(Contrast.STIR, OTHER)], alignments=backwards)
    assert all(names == ("T1w",) for names in seen.contrasts.values())


def test_alignments_of_other_series_do_not_count():
    strange = [motion(name, status="unpaired", uid="1.2.T2w") for name in NAMES]
    station = [a.model_copy(update={"fixed_series_uid": "1.9.1"}) for a in (motion(n, "unpaired") for n in NAMES)]
    seen = seen_of(others=[image(Contrast.STIR, OTHER)], alignments=[*strange, *station])
    assert all(names == ("T1w", "STIR") for names in seen.contrasts.values())


def elsewhere(one: Image) -> Image:
    return replace(one, geometry=replace(one.geometry, frame_of_reference_uid="1.2.840.77"))


def test_another_frame_of_reference_gives_nothing_unless_a_vertebra_was_registered():
    stranger = elsewhere(image(Contrast.STIR, OTHER))
    seen = seen_of(others=[stranger])
    assert not seen.volume[STIR].any()
    assert set(seen.contrasts.values()) == {("T1w",)}
    assert seen.sources == {"T1w": "1.2.T1w"}
    known = seen_of(others=[stranger], alignments=[motion("L2", shift=(0.1, 0.0, 0.0))])
    assert known.contrasts == {level: ("T1w", "STIR") if level == Level("L2") else ("T1w",) for level in LEVELS}
    assert not known.volume[STIR][known.zones != 1].any()
    assert known.sources == {"T1w": "1.2.T1w", "STIR": "1.2.STIR"}


# which series


def test_the_reference_comes_first_and_every_channel_has_one_series():
    first, second = image(Contrast.STIR, OTHER, uid="1.9.1"), image(Contrast.STIR, GRID, uid="1.9.2")
    again = image(Contrast.T1W, OTHER, uid="1.9.3")
    seen = seen_of(others=[again, first, second, image(Contrast.T2W, OTHER)])
    assert seen.sources == {"T1w": "1.2.T1w", "STIR": "1.9.1", "T2w": "1.2.T2w"}
    assert float((seen.volume - seen_of(others=[first, image(Contrast.T2W, OTHER)]).volume).abs().max()) == 0
    assert set(seen.contrasts.values()) == {("T1w", "STIR", "T2w")}
    assert list(seen.contrasts) == list(LEVELS)


@pytest.mark.parametrize("stir_first", [True, False])
def test_stir_is_preferred_to_fat_suppressed_t2(stir_first):
    pair = [image(Contrast.STIR, OTHER), image(Contrast.T2W_FS, OTHER)]
    seen = seen_of(others=pair if stir_first else pair[::-1])
    assert seen.sources["STIR"] == "1.2.STIR"
    assert seen_of(others=pair[1:]).sources["STIR"] == "1.2.T2w-FS"


def test_where_stir_is_the_reference_t1_is_laid_over_it():
    seen = seen_of(image(Contrast.STIR, GRID), [image(Contrast.T1W, OTHER)], masks=anatomy(GRID, "1.2.STIR"))
    assert seen.sources == {"STIR": "1.2.STIR", "T1w": "1.2.T1w"}
    assert set(seen.contrasts.values()) == {("T1w", "STIR")}


def test_sequences_that_the_network_does_not_read_are_left_out():
    strangers = [image(c, OTHER) for c in (Contrast.PDW, Contrast.DIXON_WATER, Contrast.OTHER)]
    seen = seen_of(others=[*strangers, image(Contrast.STIR, OTHER)])
    assert seen.sources == {"T1w": "1.2.T1w", "STIR": "1.2.STIR"}
    assert float((seen.volume - seen_of(others=[image(Contrast.STIR, OTHER)]).volume).abs().max()) == 0


def test_sequences_that_are_missing_are_zero():
    seen = seen_of(others=[image(Contrast.STIR, OTHER)])
    for name in ("T2w", "T1w-post", "fat-fraction", "ADC"):
        assert not seen.volume[CHANNELS.index(name)].any()
    assert seen.volume.shape[0] == len(CHANNELS) + len(ANATOMY)


def station(first: float, last: float, uid: str, contrast=Contrast.STIR) -> Image:
    """The rows of an image (which run down) between two shares of its height."""
    whole = image(contrast, OTHER, uid=uid)
    rows = slice(round(first * OTHER.shape[1]), round(last * OTHER.shape[1]))
    voxels = whole.voxels[:, rows]
    grid = replace(OTHER, shape=voxels.shape, origin=tuple(OTHER.to_patient((0, rows.start, 0))))
    return Image(voxels, grid, whole.series)


def test_a_sequence_counts_only_where_it_shows_most_of_the_vertebra():
    seen = seen_of(others=[station(0.0, 0.5, "1.9.1")])
    assert seen.contrasts[Level("L1")] == ("T1w", "STIR")
    assert seen.contrasts[Level("L4")] == ("T1w",)
    assert not seen.volume[STIR][seen.zones == 3].any()
    for n, level in enumerate(LEVELS):
        share = float((seen.volume[STIR][seen.zones == n] != 0).float().mean())
        assert ("STIR" in seen.contrasts[level]) is (share > 0.5)
    little = seen_of(others=[station(0.0, 0.42, "1.9.1")])
    assert 0 < float((little.volume[STIR][little.zones == 1] != 0).float().mean()) < 0.5
    assert little.contrasts[Level("L2")] == ("T1w",)


@pytest.mark.parametrize("upper_first", [True, False])
def test_of_two_stations_the_one_that_shows_the_vertebrae_is_read(upper_first):
    stations = [station(0.0, 0.42, "1.9.1"), station(0.42, 1.0, "1.9.2")]
    others = stations if upper_first else stations[::-1]
    assert seen_of(others=others, levels=LEVELS[:1]).sources["STIR"] == "1.9.1"
    assert seen_of(others=others, levels=LEVELS[2:]).sources["STIR"] == "1.9.2"
    beside = seen_of(others=stations[:1], levels=LEVELS[2:])
    assert "STIR" not in beside.sources


@pytest.mark.parametrize("upper_first", [True, False])
def test_of_two_stations_that_overlap_the_one_that_shows_more_vertebrae_is_read(upper_first):
    stations = [station(0.0, 0.7, "1.9.1"), station(0.42, 1.0, "1.9.2")]
    others = stations if upper_first else stations[::-1]
    assert seen_of(others=others, levels=LEVELS[:3]).sources["STIR"] == "1.9.1"
    assert seen_of(others=others, levels=LEVELS[2:]).sources["STIR"] == "1.9.2"


# intensities


SIZE, PIXEL = (5, 44, 230), 1.1
ALONG = np.arange(SIZE[2])


def bodies() -> np.ndarray:
    """Six bodies of 26 columns, 8 apart."""
    mask = np.zeros(SIZE, dtype=bool)
    mask[:, 12:40] = ((ALONG + 4) % 34 < 26)[None, None]
    return mask


def scan(lesion: float = 1.0) -> np.ndarray:
    """Marrow of 300 in noise, 140 around it, nothing in front; a lesion in the third body."""
    voxels = np.where(bodies(), 300.0, 140.0) + np.random.default_rng(5).normal(0, 6, SIZE)
    voxels[2:4, 20:30, 70:82] *= lesion
    voxels[:, :6] = 0
    return voxels.astype(np.float32)


def relative(voxels) -> np.ndarray:
    return relative_to_marrow(np.asarray(voxels, dtype=np.float32), bodies(), PIXEL)


def test_healthy_marrow_is_zero_and_a_lesion_its_log_ratio():
    found = relative(scan(0.5))
    lesion = np.zeros(SIZE, dtype=bool)
    lesion[2:4, 20:30, 70:82] = True
    assert np.abs(np.median(found[bodies() & ~lesion])) < 0.02
    assert np.median(found[lesion]) == pytest.approx(np.log(0.5), abs=0.1)
    assert np.median(relative(scan(2.0))[lesion]) == pytest.approx(np.log(2.0), abs=0.1)


@pytest.mark.parametrize("scale", [0.01, 0.3, 7.0, 100.0])
def test_the_scale_does_not_matter(scale):
    assert np.abs(relative(scan(0.5) * scale) - relative(scan(0.5))).max() < 1e-4


@pytest.mark.parametrize("phase", [0.0, 1.5, 3.0])
def test_a_smooth_coil_along_the_spine_is_taken_out(phase):
    coil = np.exp(0.5 * np.sin(2 * np.pi * ALONG * PIXEL / 420 + phase)).astype(np.float32)
    plain, found = relative(scan(0.5)), relative(scan(0.5) * coil)
    assert np.ptp(np.log(coil)) > 0.7
    inner = bodies().copy()
    inner[:, :, :34], inner[:, :, -34:] = False, False
    assert np.abs(found - plain)[inner].max() < 0.2
    assert np.abs(found - plain)[bodies()].max() < 0.35


def test_zeros_stay_zero_and_nothing_is_nothing():
    voxels = scan()
    voxels[1, 20:25] = 0
    found = relative(voxels)
    assert not found[voxels == 0].any()
    assert (found[voxels > 0] != 0).mean() > 0.99
    assert not relative(np.zeros(SIZE)).any()


def test_without_bodies_the_whole_picture_is_the_measure():
    found = relative_to_marrow(scan(), np.zeros(SIZE, dtype=bool), PIXEL)
    assert np.abs(np.median(found[scan() > 0])) < 0.2


def test_values_stay_within_bounds():
    voxels = scan()
    voxels[2, 20:24, 70:74], voxels[2, 30:34, 70:74] = 1e6, 1e-3
    found = relative(voxels)
    assert found.max() == pytest.approx(2.5)
    assert found.min() >= -2.5
