"""S1 moves where the surroundings of the vertebrae ask for it, and only then."""

from __future__ import annotations

import numpy as np
import pytest

from spinemri.anatomy import Level
from spinemri.segment.instances import find_instances
from spinemri.segment.label import label_anatomy
from spinemri.segment.ladder import LADDER, RUNG
from spinemri.segment.level_evidence import Hints, seen_levels
from spinemri.segment.levels import Anchor
from spinemri.spine import LevelBasis
from tests.columns import BODY, DISC, LUMBAR, SACRUM, TrueColumn


def true_looks(column, *, names=LUMBAR, strength=2.0):
    """Evidence of a reader that knows every vertebra, as ``names`` call them from head to foot."""
    centres = np.array([column.centre(name) for name in LUMBAR])

    def looks(points):
        rows = np.full((len(points), len(LADDER)), -strength)
        nearest = np.linalg.norm(points[:, None] - centres, axis=2).argmin(axis=1)
        rows[np.arange(len(points)), [RUNG[Level(names[n])] for n in nearest]] = 0.0
        return rows

    return looks


@pytest.fixture(scope="module")
def mistaken():
    """A column whose S1 a network took for sacrum, and the disc above it for the remnant between S1 and S2."""
    column = TrueColumn(LUMBAR)
    grid = column.grid()
    classes, body = column.on(grid)
    wrong = classes.copy()
    wrong[(body == LUMBAR.index("S1") + 1) & (classes == BODY)] = SACRUM
    along = column.places(grid.to_patient(np.argwhere(classes == DISC)))[0]
    last_disc = along > np.mean(column.spans[LUMBAR.index("L5")])
    wrong[tuple(np.argwhere(classes == DISC)[last_disc].T)] = SACRUM
    return column, grid, wrong


def names_of(assignments):
    return [name.level.name for name in assignments]


def test_discs_alone_put_s1_one_too_high(mistaken):
    _, grid, classes = mistaken
    found = find_instances(classes, grid)
    assert found.sacral[0] == LUMBAR.index("L5")


def test_looks_move_it_to_its_place_and_the_names_follow(mistaken):
    column, grid, classes = mistaken
    segmentation, assignments, _ = label_anatomy(classes, grid, "1.2.3", "truth", Hints(looks=true_looks(column)))
    assert names_of(assignments) == list(LUMBAR)
    for name in LUMBAR:
        mask = segmentation.mask(segmentation.body(Level(name)))
        middle = grid.to_patient(np.argwhere(mask)).mean(axis=0)
        assert np.linalg.norm(middle - column.centre(name)) < 12


def test_a_right_s1_stays_and_weak_looks_do_not_move_it(mistaken):
    column, grid, _ = mistaken
    classes, _ = column.on(grid)
    found = find_instances(classes, grid)
    assert seen_levels(found, classes, grid, true_looks(column))[0] is found
    one_off = ("T12", "L1", "L2", "L3", "L4", "L5", "S1", "S2")
    weak = true_looks(column, names=one_off, strength=0.05)
    assert seen_levels(found, classes, grid, weak)[0] is found


def test_the_users_word_counts_the_bodies_that_were_found_before_looks(mistaken):
    column, grid, classes = mistaken
    hints = Hints(Anchor.parse("L5=1"), true_looks(column))
    assignments = label_anatomy(classes, grid, "1.2.3", "truth", hints)[1]
    assert names_of(assignments) == list(LUMBAR[:-1])
    assert {name.basis for name in assignments} == {LevelBasis.USER}


def test_without_a_sacrum_there_is_nothing_to_settle(mistaken):
    column, grid, _ = mistaken
    classes, _ = column.on(grid)
    shown = np.where((classes == SACRUM), 0, classes)
    found = find_instances(shown, grid)
    assert found.sacral is None
    assert seen_levels(found, shown, grid, true_looks(column))[0] is found


def test_a_known_last_lumbar_vertebra_puts_s1_below_it(mistaken):
    column, grid, classes = mistaken
    found = find_instances(classes, grid, column.centre("L5"))
    assert found.sacral == (LUMBAR.index("S1"), 1.0)
    assert find_instances(classes, grid, column.centre("L4")).sacral == (LUMBAR.index("L5"), 1.0)
