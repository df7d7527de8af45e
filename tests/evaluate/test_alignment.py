"""Alignment of random people in their true masks: near the truth, and as near as each interval says."""

from __future__ import annotations

import numpy as np
import pytest

from spinemri.evaluate.alignment import Compared, score_alignment

SEEDS = range(12)  # the standard deviations were fitted on others


@pytest.fixture(scope="module")
def compared() -> list[Compared]:
    return [one for seed in SEEDS for one in score_alignment(seed)]


def errors(compared, *endings):
    return np.abs([c.error for c in compared if c.id.endswith(endings)])


def test_angles_and_slips_lie_near_the_truth(compared):
    for angle in ("wedge_angle", "kyphosis", "lumbar_lordosis", "cervical_lordosis", "coronal_curvature_estimate"):
        assert len(errors(compared, angle)) >= 3
        assert errors(compared, angle).mean() < 2.0, angle
    assert errors(compared, "slip_mm").mean() < 0.7
    assert errors(compared, "slip_pct").mean() < 3.0
    for disc in ("C2-C3.slip_mm", "L5-S1.slip_mm"):
        assert errors(compared, disc).mean() < 0.7, disc


def test_intervals_hold_the_truth_as_often_as_they_say(compared):
    share = {n: np.mean([c.covered for c in compared if c.id.endswith(n)]) for n in ("wedge_angle", "slip_mm")}
    assert 0.9 <= min(share.values()) <= max(share.values()) <= 0.995
    assert np.mean([c.covered for c in compared]) == pytest.approx(0.95, abs=0.04)


def test_people_differ_and_the_same_seed_gives_the_same_person():
    assert score_alignment(3) == score_alignment(3)
    assert {c.true for c in score_alignment(3)} != {c.true for c in score_alignment(6)}
