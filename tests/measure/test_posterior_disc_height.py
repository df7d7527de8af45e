"""Posterior height of discs between bodies of formulas, and why there is none."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from spinemri.measure import measure
from spinemri.measurement import Status
from tests.measure.phantom import INSET, lumbar

NAME = "posterior_disc_height"


def found_in(phantom, spacing=(4.0, 0.8, 0.7), cut=()):
    segmentation = phantom.segment(phantom.grid(spacing))
    spine = phantom.spine()
    vertebrae = tuple(v.model_copy(update={"cut": v.level.name in cut}) for v in spine.vertebrae)
    spine = spine.model_copy(update={"vertebrae": vertebrae})
    return {m.id: m for m in measure(spine, [], [segmentation]) if m.name == NAME}


def true_height(upper, lower):
    """Distance, along the mean normal of both endplates, of their points 5 % of the depth inside the posterior wall."""
    fractions = np.array([INSET, 1 - INSET])
    ends, normals = [], []
    for body, plate in ((upper, 1), (lower, 0)):
        heights, depths = body.plates(fractions)[plate], (fractions - 0.5) * body.depth
        points = body.to_anatomy(np.stack([np.zeros(2), depths, heights], axis=-1))
        chord = points[1] - points[0]
        ends.append(points[1])
        normals.append(np.cross([1.0, 0.0, 0.0], chord / np.linalg.norm(chord)))
    normal = normals[0] + normals[1]
    return float((ends[0] - ends[1]) @ (normal / np.linalg.norm(normal)))


def lowered(phantom, n, mm):
    """The phantom with everything above the disc below body n moved down by so much, along that disc's axis."""
    up = Rotation.from_euler("x", phantom.bodies[n].tilt).apply([0.0, 0.0, 1.0])
    moved = tuple(replace(b, centre=b.centre - mm * up) if i <= n else b for i, b in enumerate(phantom.bodies))
    return replace(phantom, bodies=moved)


@pytest.mark.parametrize("lost", [0.0, 3.0, 6.0])
def test_the_height_behind_whatever_the_disc_lost(lost):
    phantom = lowered(lumbar(), 4, lost)
    found = found_in(phantom)
    for upper, lower in pairwise(phantom.bodies):
        here, true = found[f"{upper.level}-{lower.level}.{NAME}"], true_height(upper, lower)
        assert here.value == pytest.approx(true, abs=0.9)
        assert here.interval[0] <= true <= here.interval[1]
        assert here.interval[0] >= 0
        assert np.linalg.norm(np.subtract(*here.points)) == pytest.approx(here.value)
    assert true_height(*phantom.bodies[4:6]) <= true_height(*lumbar().bodies[4:6]) - 0.8 * lost


def test_beside_s1_the_interval_is_wider():
    found = found_in(lumbar())
    widths = {m.place: m.interval[1] - m.interval[0] for m in found.values()}
    assert widths["L5-S1"] > 1.5 * widths["L4-L5"]


def test_a_body_that_was_not_measured_leaves_a_reason():
    found = found_in(lumbar(), cut=("L3",))
    for place in ("L2-L3", "L3-L4"):
        assert found[f"{place}.{NAME}"].status is not Status.MEASURED
        assert "endplate of L3" in found[f"{place}.{NAME}"].reason
    assert found[f"L4-L5.{NAME}"].status is Status.MEASURED
