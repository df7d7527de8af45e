"""Lesions of a study whose truth is known in the patient: level, side, outline, order, and what was not looked at."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import permutations, product
from typing import TYPE_CHECKING

import numpy as np
import pytest

from spinemri.anatomy import Level, Structure, StructureKind
from spinemri.image import Image
from spinemri.lesion import MarrowChange as Kind
from spinemri.segment.candidates import KINDS
from spinemri.segment.lesions import find_lesions
from spinemri.segment.marrow_shown import phrases, shows_enough
from spinemri.series import Contrast
from spinemri.spine import LevelAssignment, LevelBasis, Spine, Vertebra
from tests.segment.test_candidates import MODEL
from tests.segment.test_lesion_input import (
    COLUMN,
    GRID,
    LEVELS,
    OTHER,
    WAYS,
    anatomy,
    image,
    motion,
    points_of,
    turned,
    turned_masks,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spinemri.segment.lesion_input import LesionInput
    from spinemri.segment.lesion_model import LesionModel
    from spinemri.segmentation import Segmentation

LEFT, UP = GRID.axes[:, 0], np.array([0.0, 0.0, 3.0])
L1, L2, L3, L4 = LEVELS
LIMITS = replace(MODEL, detection_limits_mm={"T1w+STIR": 8.0, "T1w": 12.0, "STIR": None})
NO_T1 = "no T1w: lesions are not confirmed on a second sequence, and diffuse change cannot be told"
NO_STIR = "no STIR or fat-suppressed T2w: lesions are not confirmed on a second sequence"


@dataclass(frozen=True, eq=False)
class Spot:
    """An ellipsoid in the patient: centre, half axes to left, posterior and superior in mm, and what it is."""

    centre: NDArray[np.floating]
    half: tuple[float, float, float] = (7.0, 7.0, 7.0)
    kind: Kind = Kind.TUMOUR
    probability: float = 0.9
    further: dict[Kind, float] = field(default_factory=dict)

    def inside(self, points) -> NDArray[np.bool_]:
        return (((points - self.centre) / self.half) ** 2).sum(axis=-1) < 1


@dataclass(frozen=True, eq=False)
class TruePredictor:
    """Stands in for the network: the true kind at every place of the patient."""

    truths: tuple[Spot, ...]
    model: LesionModel = MODEL
    asked: list[LesionInput] = field(default_factory=list)

    def predict(self, seen: LesionInput) -> NDArray[np.float32]:
        self.asked.append(seen)
        points = points_of(seen.geometry)
        found = np.zeros((1 + len(KINDS), *seen.geometry.shape), dtype=np.float32)
        for truth in self.truths:
            inside = truth.inside(points)
            found[1 + KINDS.index(truth.kind), inside] = truth.probability
            for kind, probability in truth.further.items():
                found[1 + KINDS.index(kind), inside] = probability
        found[0] = 1 - found[1:].sum(axis=0)
        return found


def at(level: str, left=0.0, posterior=0.0, superior=0.0):
    """A point off the middle of a body, mm."""
    return COLUMN.centre(level) + left * LEFT + np.array([0.0, posterior, superior])


def spine(levels=LEVELS, uids=()) -> Spine:
    made = []
    for n, level in enumerate(levels):
        assignment = LevelAssignment(level=level, basis=LevelBasis.FROM_SACRUM, confidence=0.9)
        centre = tuple(COLUMN.centre(level.name).tolist())
        uid = uids[n] if uids else "1.2.T1w"
        made.append(Vertebra(assignment=assignment, centre=centre, series_uid=uid))
    return Spine(vertebrae=tuple(made))


def series(contrast=Contrast.T1W, grid=GRID, uid=None) -> tuple[Image, Segmentation]:
    made = image(contrast, grid, uid=uid)
    return made, anatomy(grid, made.series.series_uid)


def cropped(one: tuple[Image, Segmentation], rows: slice, uid: str, whole=LEVELS) -> tuple[Image, Segmentation]:
    """Some rows (they run down) of a series; bodies that are not among ``whole`` lose their mask."""
    picture, masks = one
    voxels, labels = picture.voxels[:, rows], masks.voxels[:, rows].copy()
    origin = tuple(picture.geometry.to_patient((0, rows.indices(picture.geometry.shape[1])[0], 0)))
    grid = replace(picture.geometry, shape=voxels.shape, origin=origin)
    named = {v: s for v, s in masks.structures.items() if s.level is None or s.level in whole}
    labels[~np.isin(labels, list(named))] = 0
    facts = picture.series.model_copy(update={"series_uid": uid})
    return Image(voxels, grid, facts), replace(masks, voxels=labels, geometry=grid, structures=named, series_uid=uid)


def showing(picture: Image, truths) -> Image:
    """The image with its lesions 40 % darker than the marrow around them."""
    inside = np.any([truth.inside(points_of(picture.geometry)) for truth in truths], axis=0)
    return replace(picture, voxels=np.where(inside, 0.6, 1.0).astype(np.float32) * picture.voxels)


def look(*truths: Spot, shown=None, alignments=(), column=None, model=MODEL):
    shown = shown or [series(), series(Contrast.STIR, OTHER)]
    predictor = TruePredictor(truths, model)
    images, masks = zip(*shown, strict=True)
    images = [showing(one, truths) for one in images] if truths else images
    return find_lesions(column or spine(), images, masks, alignments, predictor)


def dice(one, two) -> float:
    return 2 * float((one & two).sum()) / float(one.sum() + two.sum())


# where


@pytest.mark.parametrize("order", list(permutations(range(3))), ids=str)
@pytest.mark.parametrize("flips", list(product((False, True), repeat=3)), ids=str)
def test_left_is_the_patients_left_however_the_array_lies(order, flips):
    picture, masks = series()
    shown = [(turned(picture, order, flips), turned_masks(masks, order, flips))]
    truth = Spot(at("L3", left=11), (6.0, 8.0, 7.0))
    view = look(truth, shown=shown)
    (lesion,) = view.lesions
    assert lesion.side == "left"
    assert lesion.levels == (L3,)
    assert np.abs(np.asarray(lesion.centre) - truth.centre).max() < 1.0
    (outline,) = view.masks
    assert outline.geometry == shown[0][0].geometry
    assert dice(outline.voxels == lesion.label, truth.inside(points_of(outline.geometry))) > 0.9


@pytest.mark.parametrize(
    ("left", "half", "side"),
    [
        (11.0, 6.0, "left"),
        (-11.0, 6.0, "right"),
        (8.0, 9.0, "left"),
        (-8.0, 9.0, "right"),
        (4.0, 9.0, "midline"),
        (-4.0, 9.0, "midline"),
        (0.0, 17.0, "both sides"),
        (2.0, 17.0, "both sides"),
        (9.0, 17.0, "left"),
    ],
)
@pytest.mark.parametrize(("order", "flips"), WAYS[1:3])
def test_sides_from_the_middle_of_the_body(left, half, side, order, flips):
    picture, masks = series()
    shown = [(turned(picture, order, flips), turned_masks(masks, order, flips))]
    (lesion,) = look(Spot(at("L2", left=left), (half, 8.0, 7.0)), shown=shown).lesions
    assert lesion.side == side


def test_a_lesion_across_a_disc_lies_in_both_vertebrae_and_mostly_in_one():
    between = (COLUMN.centre("L2") + COLUMN.centre("L3")) / 2
    (lesion,) = look(Spot(between - UP, (9.0, 9.0, 15.0))).lesions
    assert lesion.levels == (L2, L3)
    assert lesion.level == L3
    (lesion,) = look(Spot(between + UP, (9.0, 9.0, 15.0))).lesions
    assert lesion.levels == (L2, L3)
    assert lesion.level == L2


def test_a_vertebra_that_a_lesion_hardly_enters_is_not_named():
    between = (COLUMN.centre("L2") + COLUMN.centre("L3")) / 2
    truth = Spot(between - 8.5 / 3 * UP, (9.0, 9.0, 15.0))
    points, masks = points_of(GRID), anatomy()
    share = truth.inside(points)[masks.mask(Structure(StructureKind.VERTEBRAL_BODY, L2))].sum()
    share /= share + truth.inside(points)[masks.mask(Structure(StructureKind.VERTEBRAL_BODY, L3))].sum()
    assert 0.02 < share < 0.15
    assert look(truth).lesions[0].levels == (L3,)


def test_what_lies_outside_the_bone_is_no_marrow_lesion_but_a_lesion_may_grow_out_of_it():
    outside = Spot(at("L3", posterior=24.0), (5.0, 3.5, 8.0))
    assert not anatomy().mask_of_kind(StructureKind.VERTEBRAL_BODY)[outside.inside(points_of(GRID))].any()
    assert look(outside).lesions == ()
    grown = Spot(at("L3", posterior=16.0), (7.0, 11.0, 8.0))
    (lesion,) = look(grown).lesions
    assert lesion.level == L3


@pytest.mark.parametrize(("order", "flips"), WAYS)
def test_every_outline_lies_on_the_native_grid_with_its_own_label(order, flips):
    truths = (Spot(at("L1", -6.0)), Spot(at("L3", 8.0), (9.0, 7.0, 8.0)), Spot(at("L4", 0, -3.0), (8.0, 8.0, 9.0)))
    picture, masks = series()
    grid = turned(picture, order, flips).geometry
    view = look(*truths, shown=[(turned(picture, order, flips), turned_masks(masks, order, flips))])
    (outline,) = view.masks
    assert outline.geometry == grid
    assert outline.series_uid == "1.2.T1w"
    assert outline.made_by == MODEL.label
    by_level = {lesion.level: lesion for lesion in view.lesions}
    for level, truth in zip((L1, L3, L4), truths, strict=True):
        label = by_level[level].label
        assert dice(outline.voxels == label, truth.inside(points_of(grid))) > 0.88
        assert outline.structures[label] == Structure(StructureKind.LESION, level)
    assert set(np.unique(outline.voxels)) == {0, *outline.structures}


# what


def test_what_is_said_of_a_lesion():
    further = {Kind.RED_MARROW: 0.15, Kind.ATYPICAL_HAEMANGIOMA: 0.2, Kind.PAGET: 0.002}
    (lesion,) = look(Spot(at("L3"), probability=0.6, further=further)).lesions
    assert lesion.series_uid == "1.2.T1w"
    assert lesion.seen_in == ("T1w", "STIR")
    assert list(lesion.shares) == [Kind.TUMOUR, Kind.ATYPICAL_HAEMANGIOMA, Kind.RED_MARROW]
    assert lesion.shares[Kind.TUMOUR] == pytest.approx(0.6 / 0.952, abs=0.001)
    assert lesion.kind is Kind.TUMOUR
    assert lesion.probability == pytest.approx(0.952, abs=0.001)


@pytest.mark.parametrize(
    ("kind", "probability", "count"),
    [(Kind.TUMOUR, 0.59, 0), (Kind.TUMOUR, 0.61, 1), (Kind.FAT, 0.51, 1)],
)
def test_only_what_reaches_its_operating_point_is_reported(kind, probability, count):
    view = look(Spot(at("L3"), kind=kind, probability=probability))
    assert len(view.lesions) == len(view.masks) == count


def test_the_most_probable_tumour_comes_first_then_from_head_to_foot():
    truths = [
        Spot(at("L1"), kind=Kind.FAT, probability=0.95),
        Spot(at("L2"), probability=0.7),
        Spot(at("L3"), (8.0, 9.0, 9.0), kind=Kind.HAEMANGIOMA, probability=0.8),
        Spot(at("L4"), kind=Kind.SCLEROTIC, probability=0.9),
    ]
    for turn in range(4):
        view = look(*truths[turn:], *truths[:turn])
        assert [lesion.level for lesion in view.lesions] == [L4, L2, L1, L3]
        assert len({lesion.id for lesion in view.lesions}) == len({lesion.label for lesion in view.lesions}) == 4
        assert all(lesion.id == f"lesion-{lesion.label}" for lesion in view.lesions)


def test_nothing_found_is_a_result():
    view = look()
    assert (view.lesions, view.masks) == ((), ())
    assert view.screen.assessed == LEVELS
    assert view.screen.not_assessed == ()


# in which series


@pytest.mark.parametrize(
    ("contrasts", "first"),
    [
        ((Contrast.T2W, Contrast.T2W_FS, Contrast.STIR, Contrast.T1W), "1.2.T1w"),
        ((Contrast.T2W, Contrast.T2W_FS, Contrast.STIR), "1.2.STIR"),
        ((Contrast.T2W, Contrast.T2W_FS, Contrast.PDW), "1.2.T2w-FS"),
        ((Contrast.PDW, Contrast.T2W), "1.2.T2w"),
    ],
)
def test_lesions_are_outlined_in_the_series_that_shows_marrow_best(contrasts, first):
    column = spine(uids=["1.2.T2w"] * 4)
    view = look(Spot(at("L2")), shown=[series(c) for c in contrasts], column=column)
    assert [lesion.series_uid for lesion in view.lesions] == [mask.series_uid for mask in view.masks] == [first]


def test_of_two_t1_series_the_one_in_which_a_vertebra_is_measured_and_not_cut_is_read():
    pair = [series(uid="1.9.1"), series(uid="1.9.2")]
    column = spine(uids=["1.9.1", "1.9.2", "1.9.2", "1.9.1"])
    truths = Spot(at("L1")), Spot(at("L2")), Spot(at("L4"))
    found = {lesion.level: lesion.series_uid for lesion in look(*truths, shown=pair, column=column).lesions}
    assert found == {L1: "1.9.1", L2: "1.9.2", L4: "1.9.1"}
    pair[0] = with_cut(pair[0], L1)
    found = {lesion.level: lesion.series_uid for lesion in look(*truths, shown=pair, column=column).lesions}
    assert found == {L1: "1.9.2", L2: "1.9.2", L4: "1.9.1"}


def with_cut(one: tuple[Image, Segmentation], level, shown: float = 0.3) -> tuple[Image, Segmentation]:
    """The series with a body of which its field of view shows a lower part only."""
    picture, masks = one
    body = Structure(StructureKind.VERTEBRAL_BODY, level)
    index = np.argwhere(masks.mask(body))
    gone = index[index[:, 1] < np.quantile(index[:, 1], 1 - shown)]  # rows run down
    voxels = masks.voxels.copy()
    voxels[tuple(gone.T)] = 0
    return picture, replace(masks, voxels=voxels, cut=frozenset({body}))


def test_a_vertebra_that_t1_cuts_is_looked_at_where_it_is_whole():
    shown = [with_cut(series(), L1), series(Contrast.STIR)]
    view = look(Spot(at("L1")), Spot(at("L3")), shown=shown)
    assert {lesion.level: lesion.series_uid for lesion in view.lesions} == {L1: "1.2.STIR", L3: "1.2.T1w"}
    assert view.screen.assessed == LEVELS


def test_a_vertebra_that_every_series_cuts_is_not_assessed_and_its_lesions_are_not_reported():
    shown = [with_cut(series(), L1), with_cut(series(Contrast.STIR), L1), series(Contrast.PDW)]
    view = look(Spot(at("L1")), Spot(at("L3")), shown=shown)
    assert [lesion.level for lesion in view.lesions] == [L3]
    assert view.screen.assessed == (L2, L3, L4)
    assert [level for level, _ in view.screen.not_assessed] == [L1]


@pytest.mark.parametrize(("shown", "looked"), [(0.35, False), (0.7, True)])
def test_what_a_series_shows_of_a_cut_vertebra_is_looked_at_from_half_of_it_on(shown, looked):
    view = look(Spot(at("L1", superior=-4.0)), shown=[with_cut(series(), L1, shown)])
    assert [lesion.level for lesion in view.lesions] == [L1] * looked
    assert view.screen.assessed == (LEVELS if looked else LEVELS[1:])
    assert view.screen.partly == ((L1,) if looked else ())
    assert [level for level, _ in view.screen.not_assessed] == [L1] * (not looked)


def test_without_a_whole_neighbour_a_cut_vertebra_is_not_looked_at() -> None:
    _, masks = with_cut(series(), L1, 0.7)
    alone = replace(masks, structures={v: s for v, s in masks.structures.items() if s.level in (None, L1)})
    kept = np.where(np.isin(masks.voxels, list(alone.structures)), masks.voxels, 0)
    assert not shows_enough(replace(alone, voxels=kept), L1)
    assert shows_enough(masks, L1)
    assert shows_enough(masks, L2)
    assert not shows_enough(masks, Level("T4"))


@pytest.mark.parametrize(("up", "count"), [(4.0, 0), (-4.0, 1)])
def test_a_lesion_of_two_vertebrae_is_reported_where_most_of_its_bone_was_looked_at(up, count):
    """L1 is cut; the lesion lies across the disc between L1 and L2."""
    between = (COLUMN.centre("L1") + COLUMN.centre("L2")) / 2
    view = look(Spot(between + up / 3 * UP, (9.0, 9.0, 15.0)), shown=[with_cut(series(), L1)])
    assert [lesion.levels for lesion in view.lesions] == [(L2,)] * count


def stations() -> list[tuple[Image, Segmentation]]:
    """L1 to L3 and L2 to L4, on one grid."""
    ends = {n: float(GRID.to_index(COLUMN.centre(n))[1]) for n in ("L1", "L4")}
    rows = GRID.shape[1]
    upper = cropped(series(), slice(0, round(ends["L4"]) - 18), "1.9.1", (L1, L2, L3))
    return [upper, cropped(series(), slice(round(ends["L1"]) + 18, rows), "1.9.2", (L2, L3, L4))]


def test_every_lesion_of_two_stations_is_found_once_and_in_the_station_of_its_vertebra():
    truths = {level: Spot(at(level.name), kind=Kind.TUMOUR) for level in LEVELS}
    uids = ["1.9.1", "1.9.1", "1.9.2", "1.9.2"]
    view = look(*truths.values(), shown=stations(), column=spine(uids=uids))
    assert {lesion.level: lesion.series_uid for lesion in view.lesions} == dict(zip(LEVELS, uids, strict=True))
    assert len(view.lesions) == 4
    assert len({lesion.label for lesion in view.lesions}) == len({lesion.id for lesion in view.lesions}) == 4
    outlines = {mask.series_uid: mask for mask in view.masks}
    for lesion in view.lesions:
        outline = outlines[lesion.series_uid]
        assert dice(outline.voxels == lesion.label, truths[lesion.level].inside(points_of(outline.geometry))) > 0.88
    assert view.screen.assessed == LEVELS


def test_an_unpaired_sequence_does_not_count_as_seen():
    alignments = [motion("L3", status="unpaired")]
    view = look(Spot(at("L3")), Spot(at("L2")), alignments=alignments)
    assert {lesion.level: lesion.seen_in for lesion in view.lesions} == {L2: ("T1w", "STIR"), L3: ("T1w",)}


# what was looked at


def test_the_screen_says_with_what_and_by_whom():
    screen = look(model=LIMITS).screen
    assert screen.contrasts == ("T1w", "STIR")
    assert screen.warnings == ()
    assert screen.operating_point == MODEL.operating_point
    assert screen.model == MODEL.label
    assert screen.detection_limit_mm == 8.0


@pytest.mark.parametrize(
    ("contrasts", "warnings"),
    [
        ((Contrast.T1W, Contrast.T2W_FS), ()),
        ((Contrast.T1W,), (NO_STIR,)),
        ((Contrast.T1W, Contrast.T2W), (NO_STIR,)),
        ((Contrast.STIR, Contrast.T2W), (NO_T1,)),
        ((Contrast.T2W,), (NO_T1, NO_STIR)),
    ],
)
def test_a_missing_sequence_is_said(contrasts, warnings):
    assert look(shown=[series(c) for c in contrasts]).screen.warnings == warnings


def test_a_vertebra_that_no_sequence_shows_is_not_assessed():
    lower = cropped(
        series(), slice(round(float(GRID.to_index(COLUMN.centre("L1"))[1])) + 17, None), "1.9.1", LEVELS[1:]
    )
    view = look(Spot(at("L3")), shown=[series(Contrast.PDW, OTHER), lower])
    assert view.screen.assessed == (L2, L3, L4)
    assert view.screen.not_assessed == ((L1, "no T1w, STIR or T2w series shows enough of it"),)
    assert [lesion.level for lesion in view.lesions] == [L3]


@pytest.mark.parametrize(("slice_mm", "judged"), [(1.9, False), (2.1, True)])
def test_marrow_is_not_judged_on_thin_slices_of_t2_alone(slice_mm, judged) -> None:
    grid = COLUMN.grid(spacing=(slice_mm, 1.0, 1.1), turn_deg=(4.0, 6.0, 3.0), half_width_mm=26.0)
    alone = look(Spot(at("L3")), shown=[series(Contrast.T2W, grid)])
    assert bool(alone.lesions) is judged
    assert alone.screen.not_assessed == (() if judged else tuple((level, phrases.THIN_T2W) for level in LEVELS))
    beside = look(Spot(at("L3")), shown=[series(Contrast.T2W, grid), series(Contrast.STIR, OTHER)])
    assert [lesion.level for lesion in beside.lesions] == [L3]
    assert beside.screen.not_assessed == ()


def test_a_study_that_shows_no_marrow_is_not_assessed_and_nobody_is_asked():
    predictor = TruePredictor((Spot(at("L3")),))
    picture, masks = series(Contrast.PDW)
    view = find_lesions(spine(), [picture], [masks], (), predictor)
    assert view.lesions == view.masks == view.screen.assessed == view.screen.contrasts == view.screen.warnings == ()
    assert [level for level, _ in view.screen.not_assessed] == list(LEVELS)
    assert predictor.asked == []
    assert view.screen.detection_limit_mm is None


@pytest.mark.parametrize(
    ("status", "limits", "expected"),
    [
        ("aligned", {"T1w+STIR": 8.0, "T1w": 12.0}, 8.0),
        ("unpaired", {"T1w+STIR": 8.0, "T1w": 12.0}, 12.0),
        ("unpaired", {"T1w+STIR": 8.0, "T1w": None}, None),
        ("unpaired", {"T1w+STIR": 8.0}, None),
        ("aligned", {"T1w+STIR": 8.0}, 8.0),
    ],
)
def test_the_detection_limit_is_that_of_the_worst_vertebra_or_unknown(status, limits, expected):
    model = replace(MODEL, detection_limits_mm=limits)
    screen = look(alignments=[motion("L3", status=status)], model=model).screen
    assert screen.detection_limit_mm == expected


def test_the_network_is_asked_once_per_reference_with_everything_else_laid_over_it():
    predictor = TruePredictor(())
    shown = [series(Contrast.STIR, OTHER), *stations()]
    images, masks = zip(*shown, strict=True)
    view = find_lesions(spine(uids=["1.9.1", "1.9.1", "1.9.2", "1.9.2"]), images, masks, (), predictor)
    assert view.series == ("1.9.1", "1.2.STIR", "1.9.2")
    assert [seen.levels for seen in predictor.asked] == [(L1, L2), (L3, L4)]
    assert [dict(seen.sources) for seen in predictor.asked] == [
        {"T1w": "1.9.1", "STIR": "1.2.STIR"},
        {"T1w": "1.9.2", "STIR": "1.2.STIR"},
    ]


def test_a_change_that_reaches_the_cut_of_its_vertebra_is_not_reported_and_a_whole_vertebra_may_reach_it() -> None:
    """The field ends 10 mm above the middle of L1."""
    middle = GRID.to_index(COLUMN.centre("L1"))[1]
    rows = slice(round(float(middle) - 10 / GRID.spacing[1]), None)
    picture, masks = cropped(series(), rows, "1.9.1")
    cut = replace(masks, cut=frozenset({Structure(StructureKind.VERTEBRAL_BODY, L1)}))
    near, far = Spot(at("L1", superior=7.0), (6.0, 6.0, 6.0)), Spot(at("L1", superior=-4.0), (5.0, 5.0, 5.0))
    for truth, shown, count in ((near, cut, 0), (far, cut, 1), (near, masks, 1)):
        view = look(truth, shown=[(picture, shown)])
        assert len(view.lesions) == count, (truth, count)
        assert L1 in view.screen.assessed


def sacral(one: tuple[Image, Segmentation]) -> tuple[Image, Segmentation]:
    """A series whose lowest vertebra is S1."""
    picture, masks = one
    named = {v: replace(s, level=Level("S1")) if s.level == L4 else s for v, s in masks.structures.items()}
    body = next(v for v, s in named.items() if s == Structure(StructureKind.VERTEBRAL_BODY, Level("S1")))
    points = points_of(masks.geometry)
    alae = np.any([np.linalg.norm(points - at("L4", left=left), axis=-1) < 12 for left in (-30.0, 30.0)], axis=0)
    return picture, replace(masks, structures=named, voxels=np.where(alae, body, masks.voxels).astype(np.uint8))


def sacral_column() -> Spine:
    """The column of these series."""
    levels = (L1, L2, L3, Level("S1"))
    return Spine(
        vertebrae=tuple(
            v.model_copy(update={"assignment": v.assignment.model_copy(update={"level": level})})
            for v, level in zip(spine().vertebrae, levels, strict=True)
        )
    )


def with_sacrum(one: tuple[Image, Segmentation], below: float) -> tuple[Image, Segmentation]:
    """A series whose lowest vertebra is S1, everything that lies so far below its middle (mm) the sacrum."""
    picture, masks = sacral(one)
    value = max(masks.structures) + 1
    lower = points_of(masks.geometry)[..., 2] < at("L4")[2] - below
    structures = {**masks.structures, value: Structure(StructureKind.SACRUM)}
    return picture, replace(masks, structures=structures, voxels=np.where(lower, value, masks.voxels).astype(np.uint8))


def ball_before_l3(radius_mm: float, low: float, high: float, **known) -> Spot:
    """A ball at the front of L3, as far out of it as the share of it that is to lie in bone asks for."""
    bone = np.isin(series()[1].voxels, [v for v, s in series()[1].structures.items() if s.level == L3])
    points = points_of(GRID)
    for forward in np.arange(0.0, 40.0, 0.5):
        ball = Spot(at("L3", posterior=-forward), (radius_mm,) * 3, **known)
        if low < float(bone[ball.inside(points)].mean()) < high:
            return ball
    pytest.fail("no place has such a share")


@pytest.mark.parametrize(
    ("radius_mm", "in_bone", "count"),
    [(3.9, (0.55, 0.9), 1), (3.9, (0.28, 0.45), 0), (7.0, (0.28, 0.45), 1), (7.0, (0.05, 0.22), 0)],
    ids=["small, mostly in bone", "small, mostly beside it", "large, mostly beside it", "large, hardly in it"],
)
def test_what_is_too_small_to_have_grown_out_of_bone_must_lie_in_it(radius_mm, in_bone, count):
    ball = ball_before_l3(radius_mm, *in_bone, probability=0.7)
    assert [lesion.level for lesion in look(ball).lesions] == [L3] * count


@pytest.mark.parametrize(
    ("radius_mm", "in_bone", "kind", "probability", "count"),
    [
        (7.0, (0.1, 0.22), Kind.TUMOUR, 0.9, 1),
        (7.0, (0.1, 0.22), Kind.TUMOUR, 0.75, 0),
        (7.0, (0.1, 0.22), Kind.FAT, 0.9, 0),
        (5.8, (0.1, 0.22), Kind.TUMOUR, 0.9, 0),
        (14.0, (0.001, 0.03), Kind.TUMOUR, 0.9, 0),
    ],
    ids=["large, sure, at bone", "unsure", "no tumour", "less than 1 mL", "mostly away from bone"],
)
def test_a_tumour_that_left_hardly_any_bone_is_found_beside_it(radius_mm, in_bone, kind, probability, count):
    """Where a tumour has destroyed an arch, no arch is drawn."""
    ball = ball_before_l3(radius_mm, *in_bone, kind=kind, probability=probability)
    assert [lesion.level for lesion in look(ball).lesions] == [L3] * count


@pytest.mark.parametrize(("below", "count"), [(0.0, 1), (3.0, 1), (9.0, 0), (14.0, 0)])
def test_what_lies_in_the_sacrum_below_s1_does_not_take_its_name(below, count):
    shown = [with_sacrum(series(), 5), with_sacrum(series(Contrast.STIR, OTHER), 5)]
    view = look(Spot(at("L4", superior=-below), (5.0, 6.0, 6.0)), shown=shown, column=sacral_column())
    assert [lesion.level.name for lesion in view.lesions] == ["S1"] * count


@pytest.mark.parametrize(("left", "count"), [(0.0, 1), (12.0, 1), (-12.0, 1), (30.0, 0), (-30.0, 0)])
def test_what_lies_in_an_ala_of_the_sacrum_is_not_reported_and_that_is_said(left, count) -> None:
    shown = [sacral(series()), sacral(series(Contrast.STIR, OTHER))]
    view = look(Spot(at("L4", left=left), (5.0, 7.0, 7.0)), shown=shown, column=sacral_column())
    assert len(view.lesions) == count
    assert "of the sacrum only the body of S1 was searched, not the alae" in view.screen.warnings
    beside = look(Spot(at("L3", left=left), (5.0, 7.0, 7.0)))
    assert len(beside.lesions) == count, "outside the bone nothing is reported elsewhere either"
    assert not any("alae" in text for text in beside.screen.warnings)
