"""Fragments that a fracture pushed out of the posterior wall: where they lie, how they are painted, what they displace.

A fragment is a block of bone in its body's own frame, at most 20 mm wide and flush with the wall above and below. The
sac gives way to it: its front border lies behind the fragment and comes forward again by as much as it goes up or down.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from spinemri.synthesis.canvas import curvilinear
from spinemri.synthesis.tissue import Tissue

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spinemri.synthesis.canvas import Canvas, Curve
    from spinemri.synthesis.subject import Fracture, Subject

    Array = NDArray[np.floating]

_HALF_WIDTH_MM, _HALF_WIDTH_SHARE = 10.0, 0.3  # the share is of the body's width
_INTO_BODY_MM = 5.0  # a waisted wall lies up to so far in front of its ends
_SPACE_MM = 0.5  # between a fragment and the sac


def half_width(subject: Subject, index: int) -> float:
    """Half the width of a body's fragment, mm."""
    return min(_HALF_WIDTH_MM, _HALF_WIDTH_SHARE * float(subject.width[index]))


def fragment_face(subject: Subject, index: int) -> Array:
    """Lower and upper end (2, 2) of the back of a body's fragment in the midline, in (a, z); (0, 2) without one."""
    fragment = subject.loss(index).fragment
    if fragment is None:
        return np.zeros((0, 2))
    up, front = subject.axes(index)
    low, high = wall_ends(subject, index)
    heights = np.array([[low + share * (high - low)] for share in (fragment.low, fragment.high)])
    back = float(subject.depth[index]) / 2 + fragment.millimetres
    return np.asarray(subject.centre[index] + heights * up - back * front, dtype=np.float64)


def wall_ends(subject: Subject, index: int) -> tuple[float, float]:
    """Heights u of the lower and the upper end of a posterior wall, mm from the body's centre."""
    low, high = (float(subject.endplate(index, 0.0, 1.0, superior=superior)) for superior in (False, True))
    return low, high


def sac_limit(subject: Subject, curve: Curve) -> Array | None:
    """Furthest to the front, as f (n,) mm over ``curve.s``, that fragments let the sac reach; None without any."""
    broken = _broken(subject)
    if not broken:
        return None
    limit = np.full(len(curve.s), np.inf)
    for fracture in broken:
        ends = fragment_face(subject, fracture.index)
        _, s, f = curvilinear(curve, ends[0] + np.linspace(0, 1, 40)[:, None] * (ends[1] - ends[0]))
        order = np.argsort(s)
        away = np.maximum(np.maximum(s.min() - curve.s, curve.s - s.max()), 0.0)
        limit = np.minimum(limit, np.interp(curve.s, s[order], f[order]) - _SPACE_MM + away)
    return limit


def paint_fragments(canvas: Canvas, subject: Subject, cortex_mm: float) -> None:
    """Marrow with a cortex, of the body it came from; call after the bodies are painted."""
    for fracture in _broken(subject):
        n, fragment = fracture.index, fracture.fragment
        middle, tall = canvas.curve.middle[n], float(subject.posterior[n])
        window = canvas.window((middle - tall, middle + tall), (-12.0, 12.0))
        if window is None or fragment is None:
            continue
        up, front = subject.axes(n)
        da, dz = canvas.a[window] - subject.centre[n, 0], canvas.z[window] - subject.centre[n, 1]
        u, behind = da * up[0] + dz * up[1], -(da * front[0] + dz * front[1]) - subject.depth[n] / 2
        low, high = wall_ends(subject, n)
        share = (u - low) / (high - low)
        sides = np.minimum(share - fragment.low, fragment.high - share) * (high - low)
        inside = np.minimum(sides, half_width(subject, n) - np.abs(canvas.x[window]))
        edge = np.minimum(inside, fragment.millimetres - behind)
        where = (edge > 0) & (behind > -_INTO_BODY_MM)
        canvas.paint(window, where & (behind > 0), Tissue.CORTEX, n + 1)
        canvas.paint(window, where & ((edge > cortex_mm) | (behind < 0)), Tissue.MARROW, n + 1)


def _broken(subject: Subject) -> list[Fracture]:
    """Fractures with a fragment."""
    return [fracture for fracture in subject.pathology.fractures if fracture.fragment is not None]
