"""What is one lesion and what is two, how small is too small, and how sure it is: from probabilities made by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spinemri.lesion import MarrowChange as Kind
from spinemri.segment.candidates import KINDS, LEAST_BENIGN_MM3, Candidate, find_candidates, reported
from spinemri.segment.lesion_model import Calibration, LesionModel

SHAPE, VOXEL_MM3 = (7, 40, 56), 4.0 * 1.0 * 1.25
AS_SAID = Calibration(0.0, 1.0, 0.0)
MODEL = LesionModel(
    name="by_hand",
    version="1",
    path=Path("nowhere"),
    network={},
    sha256="",
    spacing_mm=1.0,
    window=(8, 32, 32),
    lesion_weight=1.0,
    calibration=AS_SAID,
    operating_point=0.6,
    benign_point=0.4,
    least_volume_mm3=60.0,
    detection_limits_mm={},
)
SUSPECTS = (Kind.TUMOUR, Kind.SCLEROTIC, Kind.ATYPICAL_HAEMANGIOMA)


def box(first, size) -> np.ndarray:
    mask = np.zeros(SHAPE, dtype=bool)
    mask[tuple(slice(a, a + n) for a, n in zip(first, size, strict=True))] = True
    return mask


def probabilities(*regions: tuple[np.ndarray, dict[Kind, float]], elsewhere: float = 0.02) -> np.ndarray:
    """Probabilities of each kind within masks; elsewhere a little of every kind."""
    found = np.full((1 + len(KINDS), *SHAPE), elsewhere / len(KINDS), dtype=np.float32)
    for mask, shares in regions:
        for n, kind in enumerate(KINDS, start=1):
            found[n, mask] = shares.get(kind, 0.0)
    found[0] = 1 - found[1:].sum(axis=0)
    return found


def find(*regions, model=MODEL) -> list[Candidate]:
    return find_candidates(probabilities(*regions), VOXEL_MM3, model)


def test_channels_stand_in_the_order_of_the_kinds():
    for n, kind in enumerate(Kind):
        seen = np.zeros((1 + len(KINDS), *SHAPE), dtype=np.float32)
        seen[0], seen[1 + n, 2:4, 5:12, 5:12] = 1, 1
        seen[0, 2:4, 5:12, 5:12] = 0
        (candidate,) = find_candidates(seen, VOXEL_MM3, MODEL)
        assert candidate.kind is kind


def test_one_region_is_one_candidate_with_its_voxels_volume_and_shares():
    mask = box((2, 10, 20), (3, 6, 5))
    (found,) = find((mask, {Kind.TUMOUR: 0.6, Kind.RED_MARROW: 0.2}))
    assert np.array_equal(found.mask, mask)
    assert found.volume_mm3 == pytest.approx(3 * 6 * 5 * VOXEL_MM3)
    assert found.mean == pytest.approx(0.8)
    assert found.shares.sum() == pytest.approx(1.0)
    assert found.shares[KINDS.index(Kind.TUMOUR)] == pytest.approx(0.75)
    assert found.shares[KINDS.index(Kind.RED_MARROW)] == pytest.approx(0.25)
    assert found.kind is Kind.TUMOUR
    assert found.probability == pytest.approx(0.8, abs=1e-6)


@pytest.mark.parametrize(("probability", "count"), [(0.19, 0), (0.21, 1)])
def test_a_voxel_belongs_to_a_lesion_from_a_fifth_on_whatever_the_kinds(probability, count):
    many = dict.fromkeys(KINDS, probability / len(KINDS))
    assert len(find((box((2, 10, 20), (3, 6, 5)), many))) == count


def test_voxels_that_touch_along_an_edge_are_one_lesion_and_apart_they_are_two_the_larger_first():
    dark = {Kind.TUMOUR: 0.9}
    small, large = box((2, 10, 20), (2, 5, 5)), box((2, 15, 25), (2, 6, 6))
    assert len(find((small | large, dark))) == 1
    far = box((2, 17, 27), (2, 6, 6))
    found = find((small, dark), (far, dark))
    assert [int(c.mask.sum()) for c in found] == [72, 50]
    assert np.array_equal(found[0].mask, far)
    assert np.array_equal(found[1].mask, small)


def test_two_kinds_that_touch_are_two_lesions_and_no_voxel_is_lost_or_shared():
    tumour, fat = box((2, 8, 20), (3, 10, 9)), box((2, 18, 20), (3, 8, 9))
    found = find((tumour, {Kind.TUMOUR: 0.8, Kind.FAT: 0.1}), (fat, {Kind.FAT: 0.9}))
    assert [c.kind for c in found] == [Kind.TUMOUR, Kind.FAT]
    assert np.array_equal(found[0].mask, tumour)
    assert np.array_equal(found[1].mask, fat)


def test_speckles_of_further_kinds_go_to_the_nearest_large_part():
    tumour, fat = box((2, 4, 20), (3, 14, 9)), box((2, 18, 20), (3, 14, 9))
    speck = box((3, 28, 24), (1, 2, 2))
    found = find((tumour, {Kind.TUMOUR: 0.8}), (fat & ~speck, {Kind.FAT: 0.8}), (speck, {Kind.PAGET: 0.8}))
    assert {c.kind for c in found} == {Kind.TUMOUR, Kind.FAT}
    assert np.array_equal(next(c.mask for c in found if c.kind is Kind.FAT), fat)


@pytest.mark.parametrize(("rows", "count"), [(3, 1), (4, 2)])
def test_a_part_counts_as_a_lesion_of_its_own_from_a_quarter_on(rows, count):
    """Of 13 or 14 rows; 4 of 14 are 29 %, 3 of 13 are 23 %. Every row is 405 mm3."""
    tumour, fat = box((2, 5, 10), (3, 10, 27)), box((2, 15, 10), (3, rows, 27))
    found = find((tumour, {Kind.TUMOUR: 0.8}), (fat, {Kind.FAT: 0.8}))
    assert len(found) == count
    assert found[0].kind is Kind.TUMOUR
    assert np.array_equal(np.any([c.mask for c in found], axis=0), tumour | fat)


@pytest.mark.parametrize(("columns", "count"), [(9, 1), (10, 2)])
def test_a_part_counts_as_a_lesion_of_its_own_from_a_volume_on(columns, count):
    """Half and half, 225 or 250 mm3 each."""
    tumour, fat = box((2, 10, 10), (1, 5, columns)), box((2, 15, 10), (1, 5, columns))
    assert len(find((tumour, {Kind.TUMOUR: 0.8}), (fat, {Kind.FAT: 0.8}))) == count


@pytest.mark.parametrize(("least", "count"), [(60.0, 1), (60.1, 0)])
def test_the_least_volume_itself_is_kept(least, count):
    mask = box((2, 10, 20), (1, 3, 4))
    assert mask.sum() * VOXEL_MM3 == 60
    assert len(find((mask, {Kind.TUMOUR: 0.9}), model=replace(MODEL, least_volume_mm3=least))) == count


def test_nothing_changed_nothing_found():
    assert find() == []


@given(
    st.builds(Calibration, st.floats(-6, 3), st.floats(0.1, 3), st.floats(0.05, 2)),
    st.tuples(st.floats(0.5, 1), st.floats(0.5, 1)),
    st.tuples(st.floats(5, 50_000), st.floats(5, 50_000)),
)
def test_a_surer_or_a_larger_candidate_is_never_less_probable(calibration, means, volumes):
    low, high = sorted(means)
    small, large = sorted(volumes)
    values = [calibration.probability(low, small), calibration.probability(high, small)]
    values.append(calibration.probability(high, large))
    assert values == sorted(values)
    assert all(0 <= v <= 1 for v in values)


def test_calibration_is_logistic_in_odds_and_volume():
    made = Calibration(-3.0, 0.5, 0.6)
    odds = -3 + 0.5 * np.log(0.8 / 0.2) + 0.6 * np.log(500.0)
    assert made.probability(0.8, 500.0) == pytest.approx(1 / (1 + np.exp(-odds)))
    assert AS_SAID.probability(0.73, 40.0) == pytest.approx(0.73)
    assert 0.999 < AS_SAID.probability(1.0, 40.0) < 1


def test_a_larger_candidate_of_a_study_is_more_probable_than_a_small_one():
    model = replace(MODEL, calibration=Calibration(-3.0, 1.0, 0.6))
    sure = {Kind.TUMOUR: 0.8}
    large, small = find((box((1, 3, 4), (4, 12, 12)), sure), (box((2, 25, 40), (2, 4, 4)), sure), model=model)
    assert large.probability > small.probability
    assert large.probability == pytest.approx(model.calibration.probability(0.8, large.volume_mm3), abs=1e-6)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("distance", [-0.001, 0.0, 0.001])
def test_tumours_have_an_operating_point_of_their_own(kind, distance):
    """What may be a metastasis from 0.6, every other kind from 0.4, the point itself included."""
    point = 0.6 if kind in SUSPECTS else 0.4
    shares = np.zeros(len(KINDS))
    shares[KINDS.index(kind)] = 1.0
    candidate = Candidate(box((2, 10, 20), (1, 3, 4)), shares, 0.9, LEAST_BENIGN_MM3, point + distance)
    assert reported([candidate], MODEL) == ([candidate] if distance >= 0 else [])


@pytest.mark.parametrize("kind", [Kind.TUMOUR, Kind.SCLEROTIC, Kind.FAT, Kind.MODIC_1])
def test_small_spots_are_reported_only_when_they_may_be_tumour(kind):
    shares = np.zeros(len(KINDS))
    shares[KINDS.index(kind)] = 1.0
    candidate = Candidate(box((2, 10, 20), (1, 3, 4)), shares, 0.9, LEAST_BENIGN_MM3 - 1, 0.99)
    assert bool(reported([candidate], MODEL)) is (kind in SUSPECTS)


def test_what_has_the_signal_of_tumour_on_the_sequences_at_hand_counts_as_one():
    shares = np.zeros(len(KINDS))
    shares[[KINDS.index(Kind.FAT), KINDS.index(Kind.SCHMORL)]] = 0.4, 0.6
    mask = box((2, 10, 20), (1, 3, 4))
    for seen_in, suspicious in ((("T2w",), True), (("T1w",), False), (("STIR",), False), (("T1w", "T2w"), False)):
        assert Candidate(mask, shares, 0.9, 300.0, 0.5, seen_in).suspicious is suspicious


def test_what_is_reported_keeps_its_order():
    found = find(
        (box((2, 3, 4), (3, 9, 9)), {Kind.TUMOUR: 0.55}),
        (box((2, 25, 4), (3, 8, 8)), {Kind.FAT: 0.55}),
        (box((2, 25, 40), (3, 7, 7)), {Kind.TUMOUR: 0.65}),
    )
    assert [c.kind for c in found] == [Kind.TUMOUR, Kind.FAT, Kind.TUMOUR]
    assert reported(found, MODEL) == found[1:]
