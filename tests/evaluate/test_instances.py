"""Bodies found once, twice, not at all, where there is none, or under another's name."""

from __future__ import annotations

import numpy as np
import pytest

from spinemri.anatomy import Level
from spinemri.evaluate.extent import column_extent
from spinemri.evaluate.instances import BodyCount, count_bodies, levels_upward
from tests.evaluate.grids import COLUMNS, HEIGHT, TILTED, column_labels, first_row, named

NAMES = ["L1", "L2", "L3", "L4", "L5"]
LABELS = column_labels(5)
TRUE = {n: Level(name) for n, name in enumerate(NAMES, start=1)}
PERFECT = BodyCount(labelled=5, once=5, double=0, missed=0, invented=0, misnamed=0)


def count(found: np.ndarray, names: list[str], labels: np.ndarray = LABELS) -> BodyCount:
    return count_bodies(named(found, names), labels, column_extent(labels, TILTED), TRUE)


def test_all_found_once():
    assert count(LABELS, NAMES) == PERFECT
    assert PERFECT.complete
    assert PERFECT.recall == PERFECT.precision == 1


def test_a_missed_body_lowers_recall():
    result = count(LABELS, ["L1", "L2", "", "L4", "L5"])
    assert (result.once, result.missed, result.double, result.invented) == (4, 1, 0, 0)
    assert (result.recall, result.precision, result.complete) == (0.8, 1.0, False)


def test_a_body_in_two_halves_is_found_twice():
    halves = LABELS.copy()
    halves[1:6, first_row(2) + HEIGHT // 2 : first_row(2) + HEIGHT, COLUMNS] = 6
    result = count(halves, [*NAMES, "L6"])
    assert (result.once, result.double, result.missed, result.invented) == (4, 1, 0, 0)
    assert result.precision == pytest.approx(4 / 6)


def test_two_bodies_in_one_are_no_two_bodies():
    merged = np.where(LABELS == 3, 2, LABELS)
    result = count(merged, NAMES)
    assert result.once <= 4
    assert not result.complete


def test_a_body_in_a_disc_or_beside_the_column_is_invented():
    more = LABELS.copy()
    more[2:5, first_row(1) + HEIGHT : first_row(2), COLUMNS] = 6
    result = count(more, [*NAMES, "L6"])
    assert (result.once, result.invented) == (5, 1)
    assert not result.complete


def test_a_body_beyond_the_labelled_ones_is_not_judged():
    part = np.where((LABELS > 1) & (LABELS < 5), LABELS, 0)
    result = count(LABELS, NAMES, part)
    assert (result.labelled, result.once, result.invented, result.misnamed) == (3, 3, 0, 0)


def test_a_shifted_count_is_misnamed_though_found():
    result = count(LABELS, ["T12", "L1", "L2", "L3", "L4"])
    assert result.complete
    assert result.misnamed == 5


def test_relative_names_are_no_wrong_names():
    result = count(LABELS, ["L1", "L2", "V3", "V4", "T12"])
    assert (result.once, result.unnamed, result.misnamed) == (5, 2, 1)


def test_levels_count_up_from_the_lowest():
    levels = levels_upward(Level("S1"), np.array([0, 1, 2, 3]))
    assert {value: str(level) for value, level in levels.items()} == {1: "L4", 2: "L5", 3: "S1"}
