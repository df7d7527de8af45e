"""Hypothesis strategies: oblique, anisotropic grids as scanners make them, and levels of the spine."""

from __future__ import annotations

from itertools import permutations

import numpy as np
from hypothesis import strategies as st

from spinemri.anatomy import Level
from spinemri.geometry import Geometry

_AXIS_ORDERS = tuple(permutations(range(3)))


def millimetres(low: float, high: float) -> st.SearchStrategy[float]:
    return st.floats(low, high)


@st.composite
def directions(draw: st.DrawFn, max_tilt_deg: float = 80.0) -> tuple[float, ...]:
    """Axes turned about all three patient axes, in any order and with any reversed; never the identity."""
    tilt = st.floats(2.0, max_tilt_deg).map(np.deg2rad)
    turns = np.array(draw(st.tuples(tilt, tilt, tilt)))
    (ca, cb, cc), (sa, sb, sc) = np.cos(turns), np.sin(turns)
    about_x = np.array([[1, 0, 0], [0, ca, -sa], [0, sa, ca]])
    about_y = np.array([[cb, 0, sb], [0, 1, 0], [-sb, 0, cb]])
    about_z = np.array([[cc, -sc, 0], [sc, cc, 0], [0, 0, 1]])
    order = draw(st.sampled_from(_AXIS_ORDERS))
    signs = draw(st.tuples(*[st.sampled_from((-1.0, 1.0))] * 3))
    axes = (about_z @ about_y @ about_x)[:, order] * np.array(signs)
    return tuple(axes.ravel().tolist())


@st.composite
def geometries(draw: st.DrawFn, max_tilt_deg: float = 80.0) -> Geometry:
    """Few thick slices of many thin pixels: 3 different sizes, 3 different spacings, oblique, far from the origin."""
    rows = draw(st.integers(24, 60))
    row_mm = draw(millimetres(0.4, 1.2))
    return Geometry(
        shape=(draw(st.integers(3, 19)), rows, rows + draw(st.integers(1, 20))),
        spacing=(draw(millimetres(2.0, 5.5)), row_mm, row_mm * draw(st.sampled_from((0.8, 0.9, 1.15)))),
        origin=draw(st.tuples(*[millimetres(-400, 400)] * 3)),
        direction=draw(directions(max_tilt_deg)),
        frame_of_reference_uid=draw(st.sampled_from((None, "1.2.3", "1.2.4"))),
    )


def true_levels() -> st.SearchStrategy[Level]:
    """Any level of a spine that is anchored, variants (T13, L6) and lower sacrum among them."""
    counts = {"C": 7, "T": 13, "L": 6, "S": 5}
    return st.sampled_from([Level(f"{region}{n}") for region, count in counts.items() for n in range(1, count + 1)])


def relative_levels() -> st.SearchStrategy[Level]:
    """V1 to V30, the levels of a spine that nothing anchors."""
    return st.integers(1, 30).map(lambda n: Level(f"V{n}"))
