"""Fragments: painted where the truth says, in front of a sac that gives way, and nothing else changes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spinemri.synthesis import morphometry as sizes
from spinemri.synthesis import truth_canal, truth_discs
from spinemri.synthesis.canal import sac_profile
from spinemri.synthesis.canvas import posterior_curve
from spinemri.synthesis.fragments import curvilinear, fragment_face, half_width
from spinemri.synthesis.labels import LabelVolume, paint
from spinemri.synthesis.random_subject import with_fragments
from spinemri.synthesis.subject import Fracture, Fragment, Pathology, Subject, sample_subject
from spinemri.synthesis.tissue import BODY, SAC, class_of_tissue

BROKEN, PIXEL = sizes.L1 + 1, 0.5
CRUSH = Fracture(BROKEN, 0.4, 0.4, 0.3)
SHOWN = [*range(sizes.T12, sizes.S1 + 1)]


def subject_with(fragment: Fragment | None, seed: int = 5) -> Subject:
    return sample_subject(np.random.default_rng(seed), Pathology((replace(CRUSH, fragment=fragment),)))


def painted(subject: Subject) -> LabelVolume:
    middle = subject.centre[BROKEN]
    axes = (
        np.arange(-15.0, 16.0, 3.0) + float(subject.midline[BROKEN]),
        float(middle[1]) + np.arange(-55, 56, PIXEL),
        float(middle[0]) + np.arange(-60, 35, PIXEL),
    )
    return paint(subject, axes, np.random.default_rng(1))


@pytest.fixture(scope="module", params=[(5.0, 0.5, 0.9), (3.0, 0.1, 0.45)])
def pair(request: pytest.FixtureRequest) -> tuple[Subject, LabelVolume, LabelVolume, Fragment]:
    """A subject with a fragment, its volume, that of the same subject without it, and the fragment."""
    fragment = Fragment(*request.param)
    subject = subject_with(fragment)
    return subject, painted(subject), painted(subject_with(None)), fragment


def furthest_behind(subject: Subject, volume: LabelVolume) -> float:
    """How far painted bone of the broken body lies behind its wall in the midline, mm."""
    x, z, a = volume.axes
    body = (volume.level == BROKEN + 1) & (class_of_tissue()[volume.tissue] == BODY)
    bone = np.argwhere(body[np.argmin(np.abs(x - subject.midline[BROKEN]))])
    points = np.stack([a[bone[:, 1]], z[bone[:, 0]]], axis=1)
    up, front = subject.axes(BROKEN)
    within = np.abs((points - subject.centre[BROKEN]) @ up) < 0.3 * subject.posterior[BROKEN]
    return float((-(points[within] - subject.centre[BROKEN]) @ front).max() - subject.depth[BROKEN] / 2)


def test_the_fragment_lies_as_far_back_as_it_says(pair: tuple[Subject, LabelVolume, LabelVolume, Fragment]) -> None:
    subject, volume, plain, fragment = pair
    assert furthest_behind(subject, volume) == pytest.approx(fragment.millimetres, abs=PIXEL)
    assert furthest_behind(subject, plain) < 0.5


def test_nothing_changes_but_at_the_fragment(pair: tuple[Subject, LabelVolume, LabelVolume, Fragment]) -> None:
    subject, volume, plain, fragment = pair
    changed = np.argwhere(volume.tissue != plain.tissue)
    x, z, _ = volume.axes
    ends = fragment_face(subject, BROKEN)
    assert len(changed)
    assert z[changed[:, 1]].min() > ends[:, 1].min() - fragment.millimetres - 25
    assert z[changed[:, 1]].max() < ends[:, 1].max() + fragment.millimetres + 25
    bone = np.argwhere((volume.level == BROKEN + 1) & (plain.level != BROKEN + 1))
    assert np.abs(x[bone[:, 0]] - subject.midline[BROKEN]).max() <= half_width(subject, BROKEN) + 0.5


def test_the_sac_lies_behind_the_fragment_and_keeps_its_back(
    pair: tuple[Subject, LabelVolume, LabelVolume, Fragment],
) -> None:
    subject, volume, _, _ = pair
    curve = volume.curve
    _, s, f = curvilinear(curve, fragment_face(subject, BROKEN).mean(axis=0, keepdims=True))
    pushed, free = (sac_profile(one, curve) for one in (subject, subject_with(None)))
    fronts, diameters = (
        [float(np.interp(s[0], curve.s, getattr(p, name))) for p in (pushed, free)]
        for name in ("anterior_border", "diameter")
    )
    assert fronts[0] < f[0]
    assert fronts[0] <= fronts[1]
    assert fronts[0] - diameters[0] == pytest.approx(fronts[1] - diameters[1], abs=1e-6)
    sac = class_of_tissue()[volume.tissue] == SAC
    assert not np.any(sac & (volume.level == BROKEN + 1))


def test_a_sac_that_is_pushed_in_is_so_in_the_truth() -> None:
    subject = subject_with(Fragment(6.0, 0.4, 0.8))
    curve = posterior_curve(subject)
    name = f"{sizes.NAMES[BROKEN]}.dural_sac_ap"
    with_it, without = (
        {r["id"]: r["value"] for r in truth_canal.canal(one, curve, SHOWN)} for one in (subject, subject_with(None))
    )
    assert with_it[name] < without[name] - 2
    assert with_it["L5.dural_sac_ap"] == without["L5.dural_sac_ap"]


def test_true_retropulsion_counts_the_fragment_and_knows_its_references() -> None:
    subject = subject_with(Fragment(5.0, 0.3, 0.7))
    records = {r["id"]: r["value"] for r in truth_discs.measurements(subject, posterior_curve(subject), SHOWN)}
    plain = truth_discs.retropulsion(subject_with(None), BROKEN, BROKEN - 1, BROKEN + 1)
    assert truth_discs.references(subject, BROKEN, SHOWN) == (BROKEN - 1, BROKEN + 1)
    assert truth_discs.references(subject, BROKEN + 1, SHOWN) == (BROKEN - 1, BROKEN + 2)
    assert truth_discs.references(subject, sizes.T12, SHOWN) is None
    assert truth_discs.references(subject, sizes.L5, SHOWN) == (sizes.L5 - 1, sizes.S1)
    assert records[f"{sizes.NAMES[BROKEN]}.retropulsion_mm"] == pytest.approx(plain + 5.0, abs=1.6)
    assert f"{sizes.NAMES[sizes.T12]}.retropulsion_mm" not in records


def test_a_fragment_adds_its_volume() -> None:
    small, large = (truth_discs.volume_loss(subject_with(f), BROKEN) for f in (None, Fragment(5.0, 0.2, 0.6)))
    assert 0.5 < small - large < 6


def test_fragments_come_with_half_of_the_fractures_that_lost_height_behind_and_with_no_other() -> None:
    rng = np.random.default_rng(2)
    wedges = Pathology((Fracture(BROKEN, 0.4, 0.2, 0.05),) * 30)
    crushes = Pathology((CRUSH,) * 60)
    assert all(f.fragment is None for f in with_fragments(wedges, rng).fractures)
    pushed = [f.fragment for f in with_fragments(crushes, rng).fractures if f.fragment]
    assert 20 <= len(pushed) <= 40
    assert all(2 <= f.millimetres <= 6 and 0 <= f.low < f.high <= 1 for f in pushed)
