"""What the bodies look like is measured in millimetres and degrees and moves the names where it should."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spinemri.anatomy import Level
from spinemri.segment.appearance import Appearance, appearance_rows, measure_appearance
from spinemri.segment.chain import decode
from spinemri.segment.column import CORD, SAC
from spinemri.segment.instances import find_instances
from spinemri.segment.ladder import LADDER, RUNG
from spinemri.segment.landmarks import Landmarks
from spinemri.segment.levels import name_levels
from spinemri.segment.sizes import BEND_DEG, DEPTH_MM, PITCH_MM
from tests.columns import LUMBAR, TrueColumn


def looks(*names, scale=1.0, **known):
    """The table's own looks for levels; S1 bends and tapers as it does in most people."""
    rungs = [RUNG[Level(n)] for n in names]
    nothing = np.full(len(names), np.nan)
    taper = np.array([1.24 if n == "S1" else 1.03 for n in names])
    bend = np.array([43.0 if n == "S1" else float(BEND_DEG[r]) for n, r in zip(names, rungs, strict=True)])
    bend[0] = np.nan
    seen = Appearance(PITCH_MM[rungs] * scale, DEPTH_MM[rungs] * scale, bend, np.where(np.isnan(bend), nothing, taper))
    return replace(seen, **known)


def decoded(rows):
    return decode(np.zeros(rows.shape[1:]), range(rows.shape[1]), looks=rows)


def best(seen):
    return [level.name for level in decoded(appearance_rows(seen)).levels]


LOWER = ("T10", "T11", "T12", "L1", "L2", "L3", "L4", "L5", "S1")


@pytest.mark.parametrize("scale", [0.85, 1.0, 1.15])
def test_a_lower_spine_is_recognised_by_its_looks_in_small_and_large_people(scale):
    assert best(looks(*LOWER, scale=scale)) == list(LOWER)


def test_a_collapsed_body_does_not_shift_the_names():
    seen = looks(*LOWER)
    seen.pitch_mm[3] *= 0.5
    assert best(seen) == list(LOWER)


def test_a_body_that_shows_nothing_says_nothing():
    nothing = np.full(2, np.nan)
    rows = appearance_rows(Appearance(nothing, nothing, nothing, nothing))
    assert np.ptp(rows, axis=2) == pytest.approx(0.0, abs=1.0)
    assert decoded(rows).expected_share < 0.2


def test_a_sacrum_that_looks_like_l5_loses_names_and_one_that_bends_and_tapers_keeps_them():
    squared = looks(*LOWER[:-1])  # what was taken for S1 is L5
    held, _ = name_levels(range(8), Landmarks(s1=(7, 0.65)), appearance=squared)
    assert held[-1].level.name != "S1"
    right, _ = name_levels(range(9), Landmarks(s1=(8, 0.65)), appearance=looks(*LOWER))
    assert [a.level.name for a in right] == list(LOWER)
    plain, _ = name_levels(range(9), Landmarks(s1=(8, 0.65)))
    assert right[-1].confidence > plain[-1].confidence


def test_the_cords_end_tells_t12_from_l3():
    thoracic = ("T8", "T9", "T10", "T11", "T12")
    goes_on = replace(looks(*thoracic), cord_all=True)
    ended = replace(looks(*thoracic), cord_none=True)
    lumbar = [RUNG[Level(n)] for n in ("L2", "L3", "L4", "L5")]
    on, off = (decoded(appearance_rows(s)).posterior[-1, lumbar].sum() for s in (goes_on, ended))
    assert on < 0.7 * off


def test_a_thoracic_stack_without_landmarks_gets_relative_names():
    names = ("T4", "T5", "T6", "T7", "T8", "T9")
    held, warnings = name_levels(range(6), Landmarks(), appearance=looks(*names, cord_all=True))
    assert [a.level.name for a in held] == ["V1", "V2", "V3", "V4", "V5", "V6"]
    assert any("do not tell their levels" in w for w in warnings)


@pytest.fixture(scope="module")
def measured():
    column = TrueColumn(LUMBAR)
    grid = column.grid(spacing=(4.0, 1.0, 1.0))
    classes, _ = column.on(grid)
    index = np.stack(np.meshgrid(*map(np.arange, grid.shape), indexing="ij"), axis=-1)
    along = column.places(grid.to_patient(index))[0]
    top, bottom = column.spans[LUMBAR.index("L1")]
    classes[(classes == SAC) & (along < (top + bottom) / 2)] = CORD
    instances = find_instances(classes, grid)
    return column, measure_appearance(instances, grid)


def test_pitch_depth_and_bend_are_those_of_the_column(measured):
    column, seen = measured
    for n in range(1, len(LUMBAR) - 1):
        above, below = column.spans[n - 1], column.spans[n + 1]
        top, bottom = column.spans[n]
        assert seen.pitch_mm[n] == pytest.approx((bottom + below[0]) / 2 - (above[1] + top) / 2, abs=2.0)
        size = np.interp((top + bottom) / 2, [0.0, column.length], [13.0, 17.0])
        assert seen.depth_mm[n] == pytest.approx(2 * size, rel=0.08)
    lean = np.degrees(np.interp([np.mean(span) for span in column.spans], column.s, column.theta))
    assert seen.bend_deg[1:] == pytest.approx(np.diff(lean), abs=4.0)
    assert seen.taper[:-1] == pytest.approx(1.0, abs=0.06)


def test_the_conus_is_found_behind_its_body(measured):
    _, seen = measured
    assert seen.conus is not None
    body, share = seen.conus
    assert LUMBAR[body] == "L1"
    assert 0.4 <= share <= 1.0
    assert len(appearance_rows(seen)[0, body]) == len(LADDER)
