"""How far the thecal sac is pressed in on an axial slice, and where the cord touches its wall.

Indentation: the outline of the sac, seen from its middle, against the ellipse through the part of it that nothing
presses on (fitted again without what lies inside it, until nothing changes); the largest mean gap over 3 mm of the
outline. Contact: the length of the cord's outline that lies within a pixel of the sac's wall, so that no fluid fits
between; the ring is the share of it where fluid fits. Both are told from masks; what the error of drawing makes of them
is the interval. Source: the definitions of the Bilsky grades (J Neurosurg Spine 2010;13:324), which name deformation of
the sac, abutment of the cord, and fluid seen around it; the numbers are an own choice.

Known failure: a sac that is no ellipse where nothing presses on it (in front of the roots, beside a large facet) seems
pressed in by up to about a millimetre; one that is pressed in around more than half of its outline seems less so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy import ndimage

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Plane = NDArray[np.generic]

_FINE, _SMOOTHING_PX, _MARGIN = 4, 0.5, 3  # parts of a pixel; pixels
_DIRECTIONS = 180
_ARC_MM = 3.0  # over which an indentation is averaged, and from which a contact counts
_PRESSED_MM, _LEAST_FREE = 0.2, 0.4  # deficit that bars a direction from the fit; share of directions that is kept
_ROUNDS = 20


class Wall(NamedTuple):
    """The sac's wall on a slice: mm that it is pressed in, and of each piece of the cord's outline its length and gap.

    ``lengths`` and ``gaps`` are (n,) mm, none without a cord; a gap is the distance to the sac's wall. ``pixel`` is mm.
    """

    indent: float
    lengths: Floats
    gaps: Floats
    pixel: float

    def contact(self, more: float = 0.0) -> float:
        """Length, mm, of the cord's outline without room for fluid; ``more`` mm is added to the room that it needs."""
        return float(self.lengths[self.gaps <= self.pixel + more].sum())

    def ring(self, more: float = 0.0) -> float:
        """Share of the cord's outline with room for fluid; there is a cord."""
        return 1 - self.contact(more) / float(self.lengths.sum())


def wall_of(sac: Plane, cord: Plane, mm: tuple[float, float]) -> Wall | None:
    """The wall of a sac on one slice; None when the sac does not surround its own middle.

    Parameters
    ----------
    sac : (rows, columns) bool, the cord counts to it
    cord : the same grid; may be empty
    mm : size of a pixel
    """
    rows, columns = np.nonzero(sac)
    box = tuple(slice(max(int(n.min()) - _MARGIN, 0), int(n.max()) + _MARGIN + 1) for n in (rows, columns))
    fine_sac, fine_cord = (_fine(np.asarray(plane[box], dtype=bool)) for plane in (sac, cord))
    fine_mm = (mm[0] / _FINE, mm[1] / _FINE)
    radii = _radii(fine_sac, fine_mm)
    if radii is None:
        return None
    lengths, gaps = _beside(fine_cord, fine_sac, fine_mm)
    return Wall(_indent(radii), lengths, gaps, max(mm))


def _fine(plane: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """A mask with pixels a quarter as large and a smoothed outline."""
    level = ndimage.gaussian_filter(np.pad(plane, _MARGIN).astype(np.float64), _SMOOTHING_PX)
    return np.asarray(ndimage.zoom(level, _FINE, order=1, grid_mode=True, mode="nearest") > 0.5)


def _beside(cord: NDArray[np.bool_], sac: NDArray[np.bool_], mm: tuple[float, float]) -> tuple[Floats, Floats]:
    """Length of each piece of the cord's outline and its distance to the sac's wall, mm; empty without a cord."""
    radii = _radii(cord, mm) if cord.any() else None
    if radii is None:
        return np.empty(0), np.empty(0)
    smooth = ndimage.gaussian_filter1d(radii, 3.0, mode="wrap")
    slope = (np.roll(smooth, -1) - np.roll(smooth, 1)) / (4 * np.pi / _DIRECTIONS)
    lengths = np.hypot(smooth, slope) * (2 * np.pi / _DIRECTIONS)
    middle, angles = np.argwhere(cord).mean(axis=0), _angles()
    where = np.stack([middle[0] + np.cos(angles) * radii / mm[0], middle[1] + np.sin(angles) * radii / mm[1]])
    gaps = ndimage.map_coordinates(ndimage.distance_transform_edt(sac, sampling=mm), where, order=1)
    return np.asarray(lengths), np.asarray(gaps, dtype=np.float64)


def _radii(mask: NDArray[np.bool_], mm: tuple[float, float]) -> Floats | None:
    """Distance, mm, from the middle of a mask to its outline in every direction."""
    middle = np.argwhere(mask).mean(axis=0)
    if not mask[tuple(np.rint(middle).astype(int))]:
        return None
    step = min(mm) / 2
    reach = np.arange(0, float(np.hypot(mask.shape[0] * mm[0], mask.shape[1] * mm[1])), step)
    angles = _angles()
    rows = middle[0] + np.outer(np.cos(angles), reach) / mm[0]
    columns = middle[1] + np.outer(np.sin(angles), reach) / mm[1]
    inside = ndimage.map_coordinates(mask.astype(np.float64), np.stack([rows, columns]), order=1) > 0.5
    return np.asarray(reach[np.argmin(inside, axis=1)])


def _angles() -> Floats:
    return np.asarray(np.arange(_DIRECTIONS) * (2 * np.pi / _DIRECTIONS), dtype=np.float64)


def _indent(radii: Floats) -> float:
    """Largest mean deficit, mm, against the ellipse of the free outline over 3 mm of it."""
    deficit = _expected(radii) - radii
    count = max(round(_ARC_MM / (float(np.median(radii)) * 2 * np.pi / _DIRECTIONS)), 1)
    return float(ndimage.uniform_filter1d(deficit, count, mode="wrap").max())


def _expected(radii: Floats) -> Floats:
    """Radius of the ellipse through what is not pressed in, in every direction."""
    free = np.ones(len(radii), dtype=bool)
    for _ in range(_ROUNDS):
        ellipse = _ellipse(radii, free)
        limit = max(_PRESSED_MM, float(np.quantile(ellipse - radii, _LEAST_FREE)))
        kept = ellipse - radii <= limit
        if (kept == free).all():
            break
        free = kept
    return np.asarray(ellipse, dtype=np.float64)


def _ellipse(radii: Floats, free: NDArray[np.bool_]) -> Floats:
    """Radii of the conic a x2 + b xy + c y2 + d x + e y = 1 that fits the free directions best."""
    angles, scale = _angles(), float(np.median(radii))
    x, y = np.cos(angles), np.sin(angles)
    r = radii[free] / scale
    own = np.stack([x * x, x * y, y * y], axis=1)
    table = np.concatenate([own[free] * r[:, None] ** 2, np.stack([x[free] * r, y[free] * r], axis=1)], axis=1)
    found = np.linalg.lstsq(table, np.ones(len(r)), rcond=None)[0]
    square, linear = own @ found[:3], x * found[3] + y * found[4]
    root = linear**2 + 4 * square
    good = (square > 0) & (root > 0)
    fitted = np.where(good, (-linear + np.sqrt(np.where(good, root, 1))) / np.where(good, 2 * square, 1), 0) * scale
    return np.where(good, fitted, radii)
