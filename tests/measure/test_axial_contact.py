"""The sac's wall on axial slices of formulas: indentation, contact with the cord, room for fluid; at oblong pixels."""

from __future__ import annotations

import numpy as np
import pytest

from spinemri.measure.axial_contact import wall_of

SAC, CORD = (7.0, 10.0), (3.5, 6.0)  # half depth and half width, mm
MM = (0.5, 0.6)


def grid():
    rows, columns = np.indices((70, 64))
    return (rows - 35.2) * MM[0], (columns - 31.7) * MM[1]


def ellipse(half, down=0.0):
    y, x = grid()
    return ((y - down) / half[0]) ** 2 + (x / half[1]) ** 2 <= 1


def cut(depth):
    """A sac that something flat presses in from the front."""
    y, _ = grid()
    return ellipse(SAC) & (y > -SAC[0] + depth)


def bitten(depth):
    """A sac that something round presses in from one side."""
    y, x = grid()
    middle = SAC[1] * 0.8, -SAC[0] * 0.6  # on the ellipse
    return ellipse(SAC) & (np.hypot(x - middle[0], y - middle[1]) > depth)


def outline(down=0.0):
    """Gaps between the outlines of cord and sac, and the lengths of the cord's pieces, by brute force."""
    angles = np.linspace(0, 2 * np.pi, 1800, endpoint=False)
    cord = np.stack([down + CORD[0] * np.cos(angles), CORD[1] * np.sin(angles)])
    wall = np.stack([SAC[0] * np.cos(angles), SAC[1] * np.sin(angles)])
    pieces = np.hypot(*np.diff(cord, append=cord[:, :1]))
    return np.hypot(*(cord[:, :, None] - wall[:, None, :])).min(axis=1), pieces


def test_a_free_sac_is_not_pressed_in_and_does_not_touch_the_cord():
    wall = wall_of(ellipse(SAC), ellipse(CORD), MM)
    assert wall.indent < 0.25
    assert (wall.contact(), wall.ring()) == (0.0, 1.0)
    assert wall.lengths.sum() == pytest.approx(30.4, abs=0.6)  # Ramanujan, semi-axes 3.5 and 6
    gaps, pieces = outline()
    assert pieces.sum() == pytest.approx(30.4, abs=0.1)
    assert np.average(wall.gaps, weights=wall.lengths) == pytest.approx(np.average(gaps, weights=pieces), abs=0.1)
    assert wall.gaps.min() == pytest.approx(gaps.min(), abs=0.4)  # the worst of single pixels


@pytest.mark.parametrize("depth", [1.5, 2.0, 3.0])
@pytest.mark.parametrize("pressed", [cut, bitten])
def test_what_presses_in_is_measured_against_the_free_outline(pressed, depth):
    wall = wall_of(pressed(depth), ellipse(CORD) & pressed(depth), MM)
    assert wall.indent == pytest.approx(depth, abs=0.65)


def test_a_cord_that_lies_against_the_wall_touches_it_there():
    sac = ellipse(SAC)
    beside = wall_of(sac, ellipse(CORD, down=3.4) & sac, MM)
    gaps, pieces = outline(down=3.4)
    assert beside.contact() == pytest.approx(pieces[gaps <= max(MM)].sum(), abs=1.5)
    assert beside.ring() == pytest.approx(1 - beside.contact() / beside.lengths.sum())
    assert beside.contact(0.5) > beside.contact() > beside.contact(-0.6) >= 0.0
    assert beside.indent < 0.3


def test_a_cord_that_fills_the_sac_leaves_no_fluid():
    wall = wall_of(ellipse(CORD), ellipse(CORD), MM)
    assert wall.ring() == pytest.approx(0.0, abs=1e-9)
    assert wall.contact() == pytest.approx(wall.lengths.sum())


def test_without_cord_only_the_wall_is_told():
    wall = wall_of(cut(2.0), np.zeros((70, 64), dtype=bool), MM)
    assert wall.indent > 1.3
    assert wall.contact() == 0.0


def test_a_ring_is_no_sac():
    assert wall_of(ellipse(SAC) & ~ellipse(CORD), ellipse(CORD), MM) is None
