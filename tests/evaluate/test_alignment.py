"""Alignment of random people in their true masks: near the truth, and as near as each interval says.

As ``spinemri.evaluate.measured_people``, but only bodies are painted: many people take seconds.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spinemri.evaluate.measured_people import MIDDLES, oblique_grid, turned, whole_bodies
from spinemri.evaluate.measurements import Compared
from spinemri.evaluate.truth import true_segmentation
from spinemri.measure.alignment import alignment_measurements
from spinemri.measure.bodies import body_shapes, losses_of
from spinemri.synthesis import morphometry as sizes
from spinemri.synthesis import truth
from spinemri.synthesis.appearance import sample_appearance
from spinemri.synthesis.bones import paint_bodies, sample_style
from spinemri.synthesis.canvas import blank_canvas, leaning
from spinemri.synthesis.labels import LabelVolume
from spinemri.synthesis.random_subject import field_axes, random_pathology, varied
from spinemri.synthesis.subject import sample_subject

SEEDS = range(12)  # the standard deviations were fitted on others


def score_alignment(seed):
    """Every alignment measurement of one random person that has a value and a truth."""
    rng = np.random.default_rng([seed, 6])
    subject = varied(sample_subject(rng, random_pathology(rng), variation=float(rng.uniform(0.5, 1.5))), rng)
    segmentation = _segmented(subject, rng, MIDDLES[seed % len(MIDDLES)], seed)
    found = _measured(segmentation)
    names = [sizes.NAMES.index(str(v)) for m in found if m.name == "wedge_angle" and (v := m.level) is not None]
    true = {record["id"]: float(record["value"]) for record in truth.alignment(subject, names)}
    return [
        Compared(m.id, m.value, *m.interval, true[m.id])
        for m in found
        if m.value is not None and m.interval is not None and m.id in true
    ]


def _segmented(subject, rng, middle, seed):
    """True masks of the bodies on an oblique sagittal stack."""
    pixel = float(rng.uniform(0.6, 1.0))
    spacing = float(rng.uniform(3, 5)), pixel, pixel
    axes = field_axes(rng, subject, middle, spacing)
    look = sample_appearance(rng, None, subject)
    canvas = leaning(blank_canvas(subject, axes, rng), subject, look.twist)
    canvas = turned(canvas, axes, rng)
    paint_bodies(canvas, subject, replace(look, nodes=()).bone_style(sample_style(rng)))
    grid = oblique_grid(canvas.tissue.shape, spacing, rng)
    return true_segmentation(LabelVolume(canvas.tissue, canvas.level, axes, canvas.curve), grid, f"2.25.{seed}")


def _measured(segmentation):
    """Alignment of the bodies that the field shows whole."""
    spine = whole_bodies(segmentation)
    by_uid = {segmentation.series_uid: segmentation}
    shapes = body_shapes(spine, by_uid, {})
    return alignment_measurements(spine, shapes, losses_of(shapes), by_uid, {})


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
