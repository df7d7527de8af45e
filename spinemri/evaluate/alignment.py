"""Angles, slips and the coronal curve of random people, measured in their true masks, against the truth.

As ``measurements``, but only bodies are painted: many people take seconds.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from spinemri.evaluate.measurements import MIDDLES, Compared, oblique_grid, turned, whole_bodies
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

if TYPE_CHECKING:
    from spinemri.measurement import Measurement
    from spinemri.segmentation import Segmentation
    from spinemri.synthesis.subject import Subject


def score_alignment(seed: int) -> list[Compared]:
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


def _segmented(subject: Subject, rng: np.random.Generator, middle: int, seed: int) -> Segmentation:
    """True masks of the bodies on an oblique sagittal stack."""
    pixel = float(rng.uniform(0.6, 1.0))
    spacing = float(rng.uniform(3, 5)), pixel, pixel
    axes = field_axes(rng, subject, middle, spacing)
    look = sample_appearance(rng, None, subject.midline)
    canvas = leaning(blank_canvas(subject, axes, rng), subject, look.twist)
    canvas = turned(canvas, axes, rng)
    paint_bodies(canvas, subject, replace(look, nodes=()).bone_style(sample_style(rng)))
    grid = oblique_grid(canvas.tissue.shape, spacing, rng)
    return true_segmentation(LabelVolume(canvas.tissue, canvas.level, axes, canvas.curve), grid, f"2.25.{seed}")


def _measured(segmentation: Segmentation) -> list[Measurement]:
    """Alignment of the bodies that the field shows whole."""
    spine = whole_bodies(segmentation)
    by_uid = {segmentation.series_uid: segmentation}
    shapes = body_shapes(spine, by_uid, {})
    return alignment_measurements(spine, shapes, losses_of(shapes), by_uid, {})
