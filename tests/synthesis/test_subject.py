"""The subject's numbers: plausible people, and fractures that change exactly what they should."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spinemri.synthesis import morphometry as sizes
from spinemri.synthesis import truth
from spinemri.synthesis.canvas import posterior_curve
from spinemri.synthesis.subject import Fracture, Pathology, SacNarrowing, sample_subject

SEEDS = st.integers(0, 10_000)


@settings(max_examples=12, deadline=None)
@given(seed=SEEDS)
def test_people_are_plausible(seed: int) -> None:
    subject = sample_subject(np.random.default_rng(seed))
    assert np.all(np.diff(subject.centre[: sizes.S1 + 1, 1]) < 0), "bodies lie from head to foot"
    lumbar = subject.posterior[sizes.L1 : sizes.L5 + 1]
    assert 18 < lumbar.min() <= lumbar.max() < 36
    distance = np.linalg.norm(np.diff(subject.centre[: sizes.S1 + 1], axis=0), axis=1)
    assert 10 < distance.min() <= distance.max() < 55
    assert np.all(subject.sac_depth < subject.canal_depth)


@settings(max_examples=12, deadline=None)
@given(seed=SEEDS, index=st.integers(sizes.T12, sizes.L5), loss=st.floats(0.1, 0.6))
def test_a_wedge_fracture_lowers_the_front_and_spares_the_back(seed: int, index: int, loss: float) -> None:
    broken = sample_subject(np.random.default_rng(seed), Pathology(fractures=(Fracture(index, loss, loss / 2, 0.0),)))
    now, before = truth.heights(broken, index), truth.heights(broken, index, intact=True)
    assert truth.height_loss(broken, index) == pytest.approx(100 * loss, abs=6)
    assert now["anterior"] / before["anterior"] < now["middle"] / before["middle"] < 1
    assert now["posterior"] > 0.93 * before["posterior"]
    whole = sample_subject(np.random.default_rng(seed))
    for other in {index - 1, index + 1}:
        assert truth.heights(broken, other) == pytest.approx(truth.heights(whole, other), abs=1e-3)
        assert truth.height_loss(broken, other) == 0


def test_discs_never_overlap_bodies() -> None:
    for seed in range(12):
        subject = sample_subject(np.random.default_rng(seed))
        for upper in range(sizes.L5 + 1):
            for t in (0.0, 1.0):
                u, (up, front) = float(subject.endplate(upper, t, 1.0, superior=False)), subject.axes(upper)
                low = subject.centre[upper] + up * u + front * ((t - 0.5) * subject.depth[upper])
                v, (up2, _) = float(subject.endplate(upper + 1, t, 1.0, superior=True)), subject.axes(upper + 1)
                assert float((low - subject.centre[upper + 1]) @ up2) > v - 0.5, (seed, sizes.NAMES[upper])


def test_a_narrowing_takes_its_share_of_the_sac_at_its_disc_only() -> None:
    state = np.random.default_rng(4)
    narrow = Pathology(narrowings=(SacNarrowing(sizes.L1 + 2, 0.4, 5.0),))
    with_it = sample_subject(np.random.default_rng(4), narrow)
    without = sample_subject(state)
    curves = posterior_curve(with_it), posterior_curve(without)
    before, after = truth.sac_diameters(without, curves[1]), truth.sac_diameters(with_it, curves[0])
    assert after["L3-L4"] == pytest.approx(0.6 * before["L3-L4"], rel=0.01)
    for place in ("L1-L2", "L2", "L5"):
        assert after[place] == pytest.approx(before[place], rel=0.02)
