"""How the outer face of the first or last labelled body or disc lies: what is beyond it, nobody has labelled.

L5's lower endplate is tilted by some 20 degrees against the line from L4 to L5. A plane across that line through the
lowest point of L5 would take the front of S1's endplate for a place where readers said that there is no body.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_OUTER = 0.995  # quantile of a structure's points that counts as its outer end
_FACE = 0.98  # quantile of the points of one millimetre of depth that lies on the face
_INNER = (0.1, 0.9)  # part of the depth whose points are looked at: rims are round
_LEAST = 4  # millimetres of depth
_STEEPEST = np.tan(np.radians(40))


def outer_end(points: Floats, outward: Floats, forward: Floats) -> tuple[Floats, float]:
    """The plane along the outer face of a structure: unit vector across it, and its place along that vector.

    Parameters
    ----------
    points : (n, axes) of the structure, mm
    outward : (axes,) away from the other structures; the face may be tilted forward or back against it
    forward : (axes,) to anterior
    """
    outward = outward / np.linalg.norm(outward)
    ahead = forward - outward * (forward @ outward)
    ahead = ahead / np.linalg.norm(ahead)
    normal = outward - ahead * _slope(points @ ahead, points @ outward)
    normal = normal / np.linalg.norm(normal)
    return normal, float(np.quantile(points @ normal, _OUTER))


def _slope(depth: Floats, height: Floats) -> float:
    """How much the face rises per millimetre forward; 0 of a structure too small to tell."""
    low, high = np.quantile(depth, _INNER)
    places = np.floor(depth - low).astype(int)
    inner = [n for n in range(int(high - low)) if np.any(places == n)]
    if len(inner) < _LEAST:
        return 0.0
    face = [float(np.quantile(height[places == n], _FACE)) for n in inner]
    return float(np.clip(np.polyfit(inner, face, 1)[0], -_STEEPEST, _STEEPEST))
