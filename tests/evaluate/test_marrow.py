"""Scores of lesion detection on hand-made values, and people whose marrow changes are where the images show them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from spinemri.anatomy import StructureKind
from spinemri.evaluate import marrow_phantoms
from spinemri.evaluate.marrow import (
    FoundLesion,
    MarrowScore,
    TrueLesion,
    Truth,
    _on_grid,
    area_under_curve,
    calibration_error,
    false_positives,
    macro_f1,
    operating_point,
    score_marrow,
    sensitivity,
)
from spinemri.evaluate.marrow_phantoms import FIRST_SEED, PAIR, MarrowPhantom, _changes, marrow_phantom
from spinemri.evaluate.truth import true_segmentation
from spinemri.geometry import Geometry
from spinemri.lesion import MarrowChange as Kind
from spinemri.segment.candidates import suspicion
from spinemri.segment.lesion_input import CHANNELS
from spinemri.segment.lesion_model import Calibration, LesionModel
from spinemri.segment.model import load_model
from spinemri.series import Contrast, Plane
from spinemri.synthesis.labels import LabelVolume, paint
from tests.synthetic_study import TruePredictor

if TYPE_CHECKING:
    from typing import Any

    from spinemri.segment.lesion_input import LesionInput
    from spinemri.segmentation import Segmentation

TUMOUR, SCLEROTIC, FAT = Kind.TUMOUR.value, Kind.SCLEROTIC.value, Kind.FAT.value
SUSPECTS = (TUMOUR, SCLEROTIC, Kind.ATYPICAL_HAEMANGIOMA.value)


def found(probability: float, kind: str = TUMOUR, *, true: bool = False) -> FoundLesion:
    return FoundLesion(kind, (1.0,), 0.8, 500.0, probability, true, kind in SUSPECTS)


def known(volume: float, tumour: float, any_kind: float | None = None) -> TrueLesion:
    return TrueLesion(TUMOUR, volume, tumour if any_kind is None else any_kind, tumour, 0.7)


def run(*lesions: FoundLesion, truths: tuple[TrueLesion, ...] = ()) -> MarrowScore:
    return MarrowScore("a", "T1w", 5, 5, lesions, truths)


RUNS = (
    run(
        found(0.9, true=True),
        found(0.8),
        found(0.7, FAT),
        found(0.3, SCLEROTIC),
        truths=(known(100, 0.9), known(800, 0.4), known(1000, 0.0)),
    ),
    run(found(0.6), found(0.55, true=True), truths=(known(900, 0.55, 0.8), known(5000, 0.0, 0.9))),
)


def test_sensitivity_counts_lesions_of_a_size_that_were_called_tumour_like() -> None:
    assert sensitivity(RUNS, 0.5, (0, 1e9)) == (2 / 5, 5)
    assert sensitivity(RUNS, 0.3, (0, 1e9)) == (3 / 5, 5)
    assert sensitivity(RUNS, 0.5, (500, 1000)) == (1 / 2, 2)  # from the least, below the most
    assert sensitivity(RUNS, 0.55, (900, 901)) == (1.0, 1), "the operating point itself is enough"
    nothing, count = sensitivity(RUNS, 0.5, (1e5, 1e6))
    assert isnan(nothing)
    assert count == 0


def test_what_no_candidate_hit_is_missed_at_every_operating_point() -> None:
    """Without a false positive the operating point is 0, and a lesion that nobody saw has a probability of 0."""
    assert operating_point([run(truths=(known(100, 0.0),))], 0.0) == 0.0
    assert sensitivity(RUNS, 0.0, (0, 1e9)) == (3 / 5, 5)


def test_false_positives_are_tumour_like_and_hit_nothing() -> None:
    assert false_positives(RUNS, 0.5) == 2 / 2  # 0.8 and 0.6; fat is none
    assert false_positives(RUNS, 0.7) == 1 / 2
    assert false_positives(RUNS, 0.0) == 3 / 2
    assert false_positives(RUNS, 0.81) == 0
    assert isnan(false_positives((), 0.5))


@pytest.mark.parametrize(("allowed", "left"), [(0.0, 0), (0.5, 1), (0.9, 1), (1.0, 2), (1.5, 3), (4.0, 3)])
def test_an_operating_point_is_the_lowest_that_keeps_false_positives_within_what_is_allowed(
    allowed: float, left: int
) -> None:
    point = operating_point(RUNS, allowed)
    assert false_positives(RUNS, point) * len(RUNS) == left
    lower = np.nextafter(point, 0)
    if point > 0:
        assert false_positives(RUNS, lower) > allowed
    assert operating_point(RUNS, allowed) == {0: 0.8, 1: 0.6, 2: 0.3, 3: 0.0}[left] or point > 0


def test_operating_points_by_hand() -> None:
    assert operating_point(RUNS, 0.0) == np.nextafter(0.8, 1)
    assert operating_point(RUNS, 0.5) == np.nextafter(0.6, 1)
    assert operating_point(RUNS, 1.5) == 0.0
    assert operating_point((run(found(0.9, FAT), found(0.9, true=True)),), 0.0) == 0.0


def test_f1_is_the_mean_over_kinds_that_occur() -> None:
    pairs = [("a", "a"), ("a", "a"), ("a", "b"), ("b", "b"), ("c", "a")]
    assert macro_f1(pairs) == pytest.approx(np.mean([2 * 2 / (3 + 3), 2 * 1 / (2 + 1), 0.0]))
    assert macro_f1([("a", "z")]) == 0
    assert macro_f1([("a", "a"), ("b", "b")]) == 1
    assert isnan(macro_f1([]))


def test_area_under_the_curve_is_how_often_a_positive_ranks_higher() -> None:
    assert area_under_curve([0.9, 0.4], [0.5, 0.4, 0.1]) == pytest.approx((3 + 0 + 0.5 + 1) / 6)
    assert area_under_curve([0.9], [0.1, 0.2]) == 1
    assert area_under_curve([0.1], [0.9]) == 0
    assert area_under_curve([0.3, 0.3], [0.3]) == 0.5
    assert isnan(area_under_curve([], [0.1]))
    assert isnan(area_under_curve([0.1], []))


def test_calibration_error_is_the_distance_of_saying_and_being() -> None:
    said = [0.05, 0.15, 0.12, 0.95, 1.0]
    true = [False, True, False, True, False]
    expected = (1 / 5) * 0.05 + (2 / 5) * abs(0.135 - 0.5) + (2 / 5) * abs(0.975 - 0.5)
    assert calibration_error(said, true) == pytest.approx(expected)
    assert calibration_error([0.25] * 4, [True, False, False, False]) == 0
    assert calibration_error([0.1, 0.9], [False, False], bins=1) == pytest.approx(0.5)
    assert calibration_error([], []) == 0


def test_evidence_for_a_tumour_is_that_of_the_suspicious_kinds() -> None:
    shares = {Kind.TUMOUR: 0.5, Kind.SCLEROTIC: 0.2, Kind.FAT: 0.3}
    assert suspicion([shares.get(kind, 0.0) for kind in Kind]) == pytest.approx(0.7)
    assert suspicion([shares.get(kind, 0.0) for kind in Kind], ("STIR",)) == pytest.approx(0.7)
    assert suspicion([shares.get(kind, 0.0) for kind in Kind], ("T2w",)) == pytest.approx(1.0), "fat is bright there"


def test_a_known_lesion_lies_at_the_same_place_of_the_patient_on_another_grid() -> None:
    coarse = Geometry((4, 30, 20), (4.0, 2.0, 2.0), (10.0, -5.0, 60.0), (1.0, 0, 0, 0, 0, 1.0, 0, -1.0, 0))
    mask = np.zeros(coarse.shape, dtype=bool)
    mask[1:3, 10:20, 5:15] = True
    fine = Geometry((4, 50, 70), (4.0, 1.0, 1.0), (10.0, 25.0, 0.0), (1.0, 0, 0, 0, -1.0, 0, 0, 0, 1.0))
    moved = _on_grid(Truth(Kind.TUMOUR, mask, coarse), fine)
    assert moved.sum() == pytest.approx(mask.sum() * 4, rel=0.02)
    here = fine.to_patient(np.argwhere(moved)).mean(axis=0)
    assert here == pytest.approx(coarse.to_patient(np.argwhere(mask)).mean(axis=0), abs=0.6)
    beside = replace(fine, origin=(500.0, 25.0, 0.0))
    assert not _on_grid(Truth(Kind.TUMOUR, mask, coarse), beside).any()


@dataclass(frozen=True, eq=False)
class Made:
    """A phantom, the true anatomy on its grid, and what it was rendered from."""

    phantom: MarrowPhantom
    anatomy: Segmentation
    volume: LabelVolume


def made(number: int, kinds: tuple[Kind, ...] = (), **options: Any) -> Made:
    painted: list[LabelVolume] = []

    def keep(*arguments: Any) -> LabelVolume:
        painted.append(paint(*arguments))
        return painted[-1]

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(marrow_phantoms, "paint", keep)
        phantom = marrow_phantom(number, kinds, **options)
    return Made(phantom, true_segmentation(painted[0], phantom.images[0].geometry, "2.25.1"), painted[0])


KINDS = (Kind.TUMOUR, Kind.FAT, Kind.SCHMORL)


@pytest.fixture(scope="module")
def changed() -> Made:
    return made(8, KINDS)


def signal(person: Made, where: np.ndarray, contrast: Contrast) -> float:
    (image,) = (i for i in person.phantom.images if i.series.contrast is contrast)
    return float(np.median(np.asarray(image.voxels)[where]))


def test_the_seeds_are_far_from_those_of_other_sets() -> None:
    assert FIRST_SEED >= 900_000 + 3 * 10_000 + 10_000
    assert PAIR == (Contrast.T1W, Contrast.STIR)


def test_images_are_sagittal_and_share_a_grid(changed: Made) -> None:
    assert [i.series.contrast for i in changed.phantom.images] == list(PAIR)
    for image in changed.phantom.images:
        assert image.geometry == changed.phantom.images[0].geometry
        assert image.geometry.orientation == "LIP"
        assert image.series.plane is Plane.SAGITTAL
        assert image.geometry.spacing == (4.0, 0.9, 0.9)
    assert len({i.series.series_uid for i in changed.phantom.images}) == 2


def test_a_person_repeats_with_the_number(changed: Made) -> None:
    again = marrow_phantom(8, KINDS, contrasts=(Contrast.STIR,))
    assert np.array_equal(again.images[0].voxels, changed.phantom.images[1].voxels)
    assert len(again.truths) == len(changed.phantom.truths)
    for one, same in zip(again.truths, changed.phantom.truths, strict=True):
        assert one.kind is same.kind
        assert np.array_equal(one.mask, same.mask)


def test_changes_lie_in_bone_each_in_vertebrae_of_its_own(changed: Made) -> None:
    """This tumour reaches beyond the cortex, which only tumours, discitis and hardware do: never into a disc."""
    anatomy = changed.anatomy
    discs = anatomy.mask_of_kind(StructureKind.DISC)
    bone = anatomy.mask_of_kind(StructureKind.VERTEBRAL_BODY, StructureKind.POSTERIOR_ELEMENTS)
    assert [truth.kind for truth in changed.phantom.truths] == list(KINDS)
    ranks = []
    for truth in changed.phantom.truths:
        assert truth.geometry == changed.phantom.images[0].geometry
        outside = truth.mask & ~bone  # a voxel at the border is both
        assert (outside & (discs if truth.kind is Kind.TUMOUR else True)).sum() < 0.07 * truth.mask.sum(), truth.kind
        values, counts = np.unique(anatomy.voxels[truth.mask & bone], return_counts=True)
        ranks.append(anatomy.structures[int(values[counts.argmax()])].level.rank)
    assert np.diff(sorted(ranks)).min() > 1, "never in neighbours"


def test_no_change_is_put_where_the_field_ends(changed: Made) -> None:
    """Whole vertebrae only, with 16 mm around them, as many changes as find one."""
    slices, columns, rows = changed.volume.tissue.shape
    for seed in range(2):
        found = _changes(changed.volume, (Kind.FAT,) * 9, np.random.default_rng(seed))
        assert 2 <= len(found) < 9, "there are not so many that are no neighbours"
        for kind, change in found:
            assert kind is Kind.FAT
            assert change.kinds.shape == (slices, rows, columns)
            for deposit in change.deposits:
                assert 0 < deposit.window[2].start < deposit.window[2].stop < columns


def around(person: Made, mask: np.ndarray) -> np.ndarray:
    """Marrow of the body that holds most of a change, without the change."""
    bodies = [person.anatomy.mask(s) for s in person.anatomy.of_kind(StructureKind.VERTEBRAL_BODY)]
    body = max(bodies, key=lambda b: int((b & mask).sum()))
    slices = mask.any(axis=(1, 2))[:, None, None]
    return body & ~mask & slices


def test_a_tumour_is_dark_on_t1_and_bright_on_stir_and_fat_the_reverse(changed: Made) -> None:
    tumour, fat, _ = (truth.mask for truth in changed.phantom.truths)
    for mask, on_t1, on_stir in ((tumour, (0.3, 0.9), (1.4, 5)), (fat, (1.08, 1.7), (0, 0.9))):
        assert mask.sum() > 60
        for contrast, (least, most) in zip(PAIR, (on_t1, on_stir), strict=True):
            ratio = signal(changed, mask, contrast) / signal(changed, around(changed, mask), contrast)
            assert least < ratio < most, contrast


@pytest.fixture(scope="module")
def healthy() -> Made:
    return made(1)


def disc_and_marrow(person: Made) -> tuple[float, float]:
    anatomy = person.anatomy
    disc, body = (anatomy.mask_of_kind(k) for k in (StructureKind.DISC, StructureKind.VERTEBRAL_BODY))
    return signal(person, disc, Contrast.T1W), signal(person, body, Contrast.T1W)


def test_healthy_marrow_is_brighter_than_disc_on_t1_and_replaced_marrow_darker(healthy: Made) -> None:
    """The 'bright disc' sign of diffuse infiltration."""
    assert healthy.phantom.truths == ()
    disc, marrow = disc_and_marrow(healthy)
    assert marrow > 1.3 * disc
    replaced = made(1, fat=0.05, contrasts=(Contrast.T1W,))
    assert np.array_equal(replaced.anatomy.voxels, healthy.anatomy.voxels), "the same person"
    disc, marrow = disc_and_marrow(replaced)
    assert marrow < disc


def test_a_region_is_the_middle_of_the_field() -> None:
    neck = made(2, (Kind.HAEMANGIOMA,), region="cervical", contrasts=(Contrast.T2W,))
    names = {str(s.level) for s in neck.anatomy.of_kind(StructureKind.VERTEBRAL_BODY)}
    assert {"C3", "C5", "C7"} <= names
    assert "L3" not in names
    (truth,) = neck.phantom.truths
    assert signal(neck, truth.mask, Contrast.T2W) > 1.2 * signal(neck, around(neck, truth.mask), Contrast.T2W)


MODEL = LesionModel(
    name="truth",
    version="1",
    path=Path(),
    network={},
    sha256="",
    spacing_mm=1.0,
    window=(9, 144, 192),
    lesion_weight=3.0,
    calibration=Calibration(0.0, 1.0, 0.0),
    operating_point=0.5,
    benign_point=0.5,
    least_volume_mm3=20.0,
    detection_limits_mm={},
)


@dataclass(frozen=True, eq=False)
class KnowingLesions:
    """Stands in for the network: sure of the known lesions, and of one more where there is none.

    With a ``kind`` it takes them for that, but the lowest two fifths of each for fat.
    """

    truths: tuple[Truth, ...]
    kind: Kind | None = None
    invented: bool = False
    model: LesionModel = MODEL

    def predict(self, seen: LesionInput) -> np.ndarray:
        said = np.zeros((1 + len(Kind), *seen.geometry.shape), dtype=np.float32)
        for truth in self.truths:
            mask = _on_grid(truth, seen.geometry)
            height = np.arange(mask.shape[2])
            low = mask & (height < np.quantile(np.nonzero(mask)[2], 0.4)) & (self.kind is not None)
            said[1 + list(Kind).index(Kind.FAT)][low] = 0.8
            said[1 + list(Kind).index(self.kind or truth.kind)][mask & ~low] = 0.9
        if self.invented:
            said[1][self._healthy_body(seen)] = 0.8
        said[0] = 1 - said[1:].sum(axis=0)
        return said

    def _healthy_body(self, seen: LesionInput) -> np.ndarray:
        """The largest body that holds no known lesion."""
        changed = np.any([_on_grid(truth, seen.geometry) for truth in self.truths], axis=0)
        bodies = [(seen.volume[len(CHANNELS)].numpy() > 0) & (seen.zones == n) for n in range(len(seen.levels))]
        return max((body for body in bodies if not (body & changed).any()), key=np.count_nonzero)


def anatomy_that_knows(person: Made) -> TruePredictor:
    model = load_model()
    classes = np.zeros(person.anatomy.voxels.shape, dtype=np.uint8)
    for value, name in model.classes.items():
        if value:
            classes[person.anatomy.mask_of_kind(StructureKind(name))] = value
    return TruePredictor(classes, person.anatomy.geometry, model)


def test_a_search_that_knows_finds_everything_and_one_that_knows_little_misses_it(changed: Made) -> None:
    image, truths = changed.phantom.images[:1], changed.phantom.truths
    anatomy = anatomy_that_knows(changed)
    perfect = score_marrow("a", image, truths, (anatomy, KnowingLesions(truths, invented=True)))
    assert (perfect.name, perfect.contrasts) == ("a", "T1w")
    assert perfect.vertebrae >= perfect.assessed >= 6
    assert [lesion.kind for lesion in perfect.known] == [k.value for k in KINDS]
    for lesion, truth in zip(perfect.known, truths, strict=True):
        assert lesion.volume_mm3 == pytest.approx(truth.mask.sum() * 4 * 0.9 * 0.9)
        assert lesion.found_kind == lesion.kind
        assert lesion.dice > 0.9
        assert lesion.probability == pytest.approx(0.9, abs=0.01)
        assert lesion.tumour_probability == pytest.approx(0.9 if lesion.kind == TUMOUR else 0, abs=0.01)
    assert sum(not lesion.true for lesion in perfect.found) == 1
    assert false_positives([perfect], 0.5) == 1
    assert macro_f1([(k.kind, k.found_kind) for k in perfect.known]) == 1
    wrong = score_marrow("b", image, truths, (anatomy, KnowingLesions(truths[:1], Kind.SCLEROTIC)))
    assert {(f.kind, f.true) for f in wrong.found} == {(FAT, True), (SCLEROTIC, True)}
    assert [lesion.found_kind for lesion in wrong.known] == [SCLEROTIC, "", ""], "that of the larger part"
    assert [lesion.dice > 0.9 for lesion in wrong.known] == [True, False, False], "with all parts together"
    assert [lesion.probability > 0.8 for lesion in wrong.known] == [True, False, False]
    assert sensitivity([wrong], 0.0, (0, 1e9)) == (1 / 3, 3)
