"""Overlap and surface distance of shapes whose answer is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spinemri.convert import reordered
from spinemri.evaluate.overlap import dice, moved, surface_distance
from spinemri.geometry import Geometry
from tests.evaluate.grids import TILTED

BALLS = Geometry((25, 90, 80), (2.0, 0.7, 0.8), (0.0, 0.0, 0.0), TILTED.direction)


def ball(radius_mm: float) -> np.ndarray:
    place = (np.indices(BALLS.shape).T - (np.array(BALLS.shape) - 1) / 2) * BALLS.spacing
    return (np.linalg.norm(place, axis=-1) <= radius_mm).T


def box(rows: slice, slices: slice = slice(2, 5)) -> np.ndarray:
    mask = np.zeros(TILTED.shape, dtype=bool)
    mask[slices, rows, 20:60] = True
    return mask


def test_dice_of_known_overlap():
    assert dice(box(slice(10, 20)), box(slice(10, 30))) == pytest.approx(2 * 10 / 30)
    assert dice(box(slice(0, 0)), box(slice(0, 0))) == 1
    assert dice(box(slice(0, 0)), box(slice(10, 20))) == 0


@pytest.mark.parametrize("gap", [1.5, 3.0])
def test_balls_of_one_centre_lie_as_far_apart_as_their_radii_say(gap):
    assert surface_distance(ball(20), ball(20 + gap), BALLS) == pytest.approx(gap, abs=0.35)


def test_a_flat_plate_that_lies_beside_another_is_that_far_away():
    """Plates of one pixel, one seven rows below the other: of two faces one is six and one seven pixels away."""
    upper, lower = box(slice(50, 51)), box(slice(57, 58))
    assert surface_distance(upper, lower, TILTED) == pytest.approx(6.5 * TILTED.spacing[1], rel=0.02)


def test_distance_is_in_millimetres_whatever_the_order_of_the_axes():
    first, second = box(slice(30, 80)), box(slice(33, 84), slice(2, 6))
    straight = surface_distance(first, second, TILTED)
    turned = [reordered(mask, TILTED, (2, 0, 1)) for mask in (first, second)]
    assert surface_distance(turned[0][0], turned[1][0], turned[0][1]) == pytest.approx(straight)
    double = replace(TILTED, spacing=tuple(2 * mm for mm in TILTED.spacing))
    assert surface_distance(first, second, double) == pytest.approx(2 * straight)


def test_a_missing_end_slice_costs_its_own_cap_not_the_whole_body():
    """Both caps at that end are 4 mm away, the other faces hardly at all: 4 mm times their share of all area."""
    whole, short = box(slice(30, 80), slice(1, 6)), box(slice(30, 80), slice(1, 5))
    cap, rim = 50 * 0.9 * 40 * 1.1, 2 * (50 * 0.9 + 40 * 1.1)
    share = 2 * cap / (4 * cap + (5 + 4) * 4.0 * rim)
    assert surface_distance(whole, short, TILTED) == pytest.approx(4.0 * share, rel=0.06)


def test_nothing_has_no_surface_and_the_same_has_no_distance():
    assert surface_distance(box(slice(0, 0)), box(slice(3, 9)), TILTED) is None
    assert surface_distance(box(slice(3, 9)), box(slice(0, 0)), TILTED) is None
    assert surface_distance(box(slice(3, 9)), box(slice(3, 9)), TILTED) == 0


def test_a_border_moves_by_pixels_within_slices_only():
    mask = box(slice(30, 80))
    assert moved(mask, TILTED, 0) is mask
    wider, narrower = moved(mask, TILTED, 1), moved(mask, TILTED, -1)
    assert not wider[1].any()
    assert wider[3].sum() == 52 * 42 - 4  # a cross leaves the corners
    assert narrower[3].sum() == 48 * 38
    turned, grid = reordered(mask, TILTED, (1, 2, 0))
    assert np.array_equal(moved(turned, grid, 1), wider.transpose(1, 2, 0))
