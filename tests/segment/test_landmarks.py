"""C2 and the sacrum are taken for what they are only when they look it."""

from __future__ import annotations

import pytest

from spinemri.segment.instances import find_instances
from spinemri.segment.label import label_anatomy
from spinemri.segment.landmarks import find_landmarks
from tests.columns import CERVICAL, LUMBAR, TrueColumn

NECK = {"spacing": (3.3, 0.9, 0.8), "half_width_mm": 24.0}


def seen(column, **grid):
    geometry = column.grid(**grid)
    classes, _ = column.on(geometry)
    return classes, geometry, find_instances(classes, geometry)


def test_c2_with_its_dens_is_surer_than_a_topmost_body_like_the_others():
    marks = []
    for height in (24.0, 14.0):
        _, geometry, instances = seen(TrueColumn(CERVICAL, heights={"C2": height}), **NECK)
        marks.append(find_landmarks(instances, geometry).c2)
    assert [mark[0] for mark in marks] == [0, 0]
    assert marks[0][1] > marks[1][1] + 0.1


@pytest.mark.parametrize("height", [6.0, 8.0])
def test_a_short_piece_on_top_is_not_c2_and_does_not_shift_the_names(height):
    classes, geometry, instances = seen(TrueColumn(CERVICAL, heights={"C2": height}), **NECK)
    assert find_landmarks(instances, geometry).c2 is None
    _, assignments, warnings = label_anatomy(classes, geometry, "1.2.3", "truth")
    assert all(a.level.is_relative for a in assignments)
    assert any("V1" in w for w in warnings)


def test_the_sacrum_is_found_below_l5_and_no_c2_in_a_lower_spine():
    _, geometry, instances = seen(TrueColumn(LUMBAR))
    marks = find_landmarks(instances, geometry)
    assert marks.s1[0] == LUMBAR.index("S1")
    assert marks.c2 is None
    assert marks.regular
    assert not marks.foot_cut
