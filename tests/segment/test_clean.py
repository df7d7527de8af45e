"""Only what lies near the column and has a body's size stays; distances are millimetres of the patient."""

from __future__ import annotations

import numpy as np
import pytest

from spinemri.segment.clean import clean_classes, half_width_mm, trim_lateral
from spinemri.segment.column import fit_column
from tests.columns import BODY, DISC, LUMBAR, SAC, SACRUM, TrueColumn, rearranged


@pytest.fixture(scope="module")
def scene():
    column = TrueColumn(LUMBAR)
    grid = column.grid(spacing=(4.2, 1.3, 1.1))
    classes, _ = column.on(grid)
    index = np.stack(np.meshgrid(*map(np.arange, grid.shape), indexing="ij"), axis=-1)
    return column, grid, classes, column.places(grid.to_patient(index))


def test_the_curve_runs_through_the_centres_of_the_bodies(scene):
    column, grid, classes, _ = scene
    fitted = fit_column(classes, grid)
    for top, bottom in column.spans:
        n = np.argmin(np.abs(column.s - (top + bottom) / 2))
        place = fitted.coordinates(column.nodes[n][None])[0]
        assert abs(place[1]) < 2.0
        assert abs(place[2]) < 2.5
    middles = [column.nodes[np.argmin(np.abs(column.s - np.mean(span)))] for span in column.spans]
    along = fitted.coordinates(np.array(middles))[:, 0]
    truth = np.array([np.mean(span) for span in column.spans])
    assert np.abs(np.diff(along) - np.diff(truth)).max() < 2.0


def test_clean_labels_stay_as_they_are(scene):
    _, grid, classes, _ = scene
    cleaned = clean_classes(classes, grid, fit_column(classes, grid))
    for value in (BODY, DISC, SAC, SACRUM):
        assert np.count_nonzero((cleaned == value) & (classes == value)) > 0.985 * np.count_nonzero(classes == value)


@pytest.mark.parametrize(("order", "flips"), [((0, 1, 2), (False, False, False)), ((2, 1, 0), (True, False, True))])
def test_islands_in_belly_and_air_are_dropped(scene, order, flips):
    _, grid, classes, (along, left, ahead) = scene
    spoiled = classes.copy()
    belly = (along > 40) & (along < 75) & (ahead > 38) & (ahead < 58) & (np.abs(left) < 15)
    beside = (along > 90) & (along < 120) & (left > 30) & (ahead > -5) & (ahead < 15)
    spoiled[belly], spoiled[beside] = BODY, DISC
    turned, turned_grid = rearranged(spoiled, grid, order, flips)
    wrong, _ = rearranged(belly | beside, grid, order, flips)
    cleaned = clean_classes(turned, turned_grid, fit_column(turned, turned_grid))
    assert wrong.any()
    assert not cleaned[wrong].any()


def test_holes_in_bodies_are_filled_but_not_the_space_between_them(scene):
    column, grid, classes, (along, left, ahead) = scene
    top, bottom = column.spans[3]
    hole = (np.abs(along - (top + bottom) / 2) < 4) & (np.abs(ahead) < 5) & (np.abs(left) < 12)
    spoiled = classes.copy()
    spoiled[hole] = 0
    cleaned = clean_classes(spoiled, grid, fit_column(spoiled, grid))
    assert (cleaned[hole] == BODY).mean() > 0.95
    assert np.count_nonzero(cleaned == BODY) <= np.count_nonzero(classes == BODY)


def test_a_volume_without_bodies_has_no_column(scene):
    _, grid, classes, _ = scene
    assert fit_column(np.zeros_like(classes), grid) is None
    assert fit_column(np.where(classes == SACRUM, classes, 0), grid) is None


def test_the_outline_may_only_shrink_away_from_the_middle():
    column = TrueColumn(("L3", "L4"))
    grid = column.grid(spacing=(3.0, 0.9, 1.0))
    _, owner = column.on(grid)
    body = owner == 1
    assert np.array_equal(trim_lateral(body, grid), body)
    flared = body.copy()
    outer = np.flatnonzero(body.any(axis=(1, 2)))[-3:]
    rows, columns = np.nonzero(body.any(axis=0))
    flared[outer, rows.min() - 12 : rows.max() + 12, columns.min() - 12 : columns.max() + 12] = True
    trimmed = trim_lateral(flared, grid)
    assert np.count_nonzero(trimmed & ~body) < 0.4 * np.count_nonzero(flared & ~body)
    assert np.count_nonzero(trimmed & body) == np.count_nonzero(body)


def test_the_widest_body_is_sixty_millimetres():
    assert half_width_mm(np.array([10.0, 30.0, 60.0])) == pytest.approx([14.0, 25.8, 30.0])
