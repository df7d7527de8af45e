from __future__ import annotations

import numpy as np
import pytest

from spinemri.anatomy import Level
from spinemri.measure.height_loss import adjacent, height_losses, losses_against
from spinemri.measure.height_profile import PROFILE_SD, height_profile
from spinemri.measure.volume_loss import VOLUMES, volume_profile

LUMBAR = ("T10", "T11", "T12", "L1", "L2", "L3", "L4", "L5")


def spine(levels=LUMBAR, size=1.15, lost=None):
    """Heights along the normal profile, with a part of the (anterior, middle, posterior) height lost at some levels."""
    parts = {Level(k): np.asarray(v) for k, v in (lost or {}).items()}
    return {v: size * height_profile(v) * (1 - parts.get(v, 0.0)) for v in map(Level, levels)}


def losses(heights):
    return height_losses(heights, {v: np.full(3, 0.3) for v in heights})


def names(levels):
    return tuple(str(v) for v in levels)


def test_middle_of_the_region_uses_the_mean_of_both_neighbours():
    heights = spine(lost={"L3": (0.3, 0.1, 0.0)})
    loss = losses(heights)[Level("L3")]
    mean = (heights[Level("L2")] + heights[Level("L4")]) / 2
    assert loss.expected == pytest.approx(mean)
    assert loss.loss_pct == pytest.approx(100 * (1 - heights[Level("L3")] / mean))
    assert names(loss.reference_levels) == ("L2", "L4")
    assert loss.method == "neighbours"
    assert loss.worst_column == 0


@pytest.mark.parametrize(("level", "reference"), [("T12", ("T11", "L1")), ("L1", ("T12", "L2"))])
def test_junction_is_carried_over_with_the_profile(level, reference):
    loss = losses(spine(lost={level: (0.35, 0.2, 0.0)}))[Level(level)]
    assert loss.loss_pct == pytest.approx([35, 20, 0], abs=0.01)
    assert names(loss.reference_levels) == reference
    assert loss.method == "profile"


def test_fifth_lumbar_body_is_compared_with_the_fourth_only():
    heights = spine((*LUMBAR,), lost={"L5": (0.25, 0.0, 0.0)})
    heights[Level("S1")] = np.array([30.0, 5.0, 5.0])  # never a reference, never a result
    found = losses(heights)
    assert names(found[Level("L5")].reference_levels) == ("L4",)
    assert found[Level("L5")].loss_pct[0] == pytest.approx(25, abs=0.01)
    assert Level("S1") not in found


def test_healthy_lower_spine_shows_no_loss_although_the_last_body_is_wedged_the_other_way():
    found = losses(spine())
    worst = {level.name: loss.loss_pct.max() for level, loss in found.items()}
    assert worst["L4"] == pytest.approx(0, abs=1e-6)  # the plain mean of L3 and L5 would ask 2.6 % more in front
    assert found[Level("L4")].method == "profile"
    assert max(worst.values()) < 4


@pytest.mark.parametrize("fractured", [("L2", "L3"), ("T12", "L1", "L2"), ("T11", "L1", "L3"), ("T10", "T11", "T12")])
def test_several_fractures_do_not_hide_each_other(fractured):
    found = losses(spine(lost=dict.fromkeys(fractured, (0.3, 0.15, 0.0))))
    for level, loss in found.items():
        expected = 30.0 if level.name in fractured else 0.0
        assert loss.loss_pct[0] == pytest.approx(expected, abs=4.0)
        assert not set(names(loss.reference_levels)) & set(fractured)


def test_without_intact_neighbours_the_patient_scale_is_used():
    loss = losses(spine(lost=dict.fromkeys(("T12", "L1", "L2"), (0.4, 0.2, 0.1))))[Level("L1")]
    assert loss.method == "patient_scale"
    assert names(loss.reference_levels) == ("T10", "T11", "L3", "L4")
    assert loss.loss_pct == pytest.approx([40, 20, 10], abs=0.5)


def test_intact_limit_is_fifteen_percent():
    for lost, kept in ((0.13, True), (0.17, False)):
        found = losses(spine(lost={"L2": (lost, 0.0, 0.0)}))
        assert ("L2" in names(found[Level("L3")].reference_levels)) is kept


def test_nothing_to_compare_with():
    assert losses(spine(("L3",))) == {Level("L3"): None}


def test_relative_levels_use_their_neighbours_without_a_profile():
    heights = {Level(f"V{n}"): np.array([25.0, 23.0, 25.0]) for n in range(1, 6)}
    heights[Level("V3")] = np.array([15.0, 20.0, 25.0])
    found = losses(heights)
    assert found[Level("V3")].loss_pct[0] == pytest.approx(40.0)
    assert names(found[Level("V3")].reference_levels) == ("V2", "V4")
    assert names(found[Level("V2")].reference_levels) == ("V1",)
    assert found[Level("V2")].method == "neighbours"  # nothing is known to carry a height over


def test_deviation_of_the_loss_grows_with_that_of_the_heights():
    heights = spine()
    narrow = height_losses(heights, {v: np.full(3, 0.2) for v in heights})[Level("L3")].sd_pct
    wide = height_losses(heights, {v: np.full(3, 0.4) for v in heights})[Level("L3")].sd_pct
    natural = 100 * PROFILE_SD * np.sqrt(1.5)
    by_hand = 100 * np.sqrt((np.array([[0.2], [0.4]]) / heights[Level("L3")]) ** 2 * (1 + 0.5))
    assert np.stack([narrow, wide]) == pytest.approx(np.hypot(by_hand, natural), rel=0.05)


@pytest.mark.parametrize(
    ("upper", "lower", "expected"),
    [("L4", "L5", True), ("T12", "L1", True), ("T11", "L1", True), ("T13", "L1", True), ("L5", "S1", True),
     ("L6", "S1", True), ("C7", "T1", True), ("L3", "L5", False), ("T10", "L1", False), ("L5", "L4", False)],
)  # fmt: skip
def test_adjacent_levels(upper, lower, expected):
    assert adjacent(Level(upper), Level(lower)) is expected


def test_profile_has_a_source_in_every_row_and_none_where_unsourced():
    assert height_profile(Level("L5")) == pytest.approx([1.225 * 21.3, 0.98 * 21.3, 21.3])
    assert height_profile(Level("T6")) == pytest.approx([0.95 * 17.4, 0.925 * 17.4, 17.4])
    assert height_profile(Level("C2")) is None
    assert height_profile(Level("S1")) is None
    assert height_profile(Level("V3")) is None


def volumes(lost=None):
    profile = {Level(v): volume_profile(Level(v)) for v in LUMBAR}
    return {v: 1.3 * known * (1 - (lost or {}).get(v.name, 0.0)) for v, known in profile.items()}


@pytest.mark.parametrize("level", ["T12", "L1", "L3", "L5"])
def test_volume_loss_follows_the_rules_for_heights(level):
    found = volumes({level: 0.4})
    intact = [v for v in found if v.name != level]
    sd = {v: np.array([100.0]) for v in found}
    losses = losses_against(found, sd, intact, [*found], VOLUMES)
    assert losses[Level(level)].loss_pct == pytest.approx([40.0], abs=3.0)
    assert Level(level) not in losses[Level(level)].reference_levels
    assert losses[Level(level)].sd_pct[0] >= 100 * 0.6 * VOLUMES.scatter


def test_without_an_intact_body_a_volume_has_no_loss():
    found = volumes()
    sd = {v: np.array([100.0]) for v in found}
    assert set(losses_against(found, sd, [], [*found], VOLUMES).values()) == {None}
