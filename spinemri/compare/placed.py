"""One vertebra of an examination laid over a vertebra of another one, which has another frame of reference.

The start comes from the masks of the bodies: their centroids, and the turn in the sagittal plane at which they overlap
most, for a spine bends between examinations. From there the images decide by mutual information (``register.search``).
Known failure: turns out of the sagittal plane are left as they are; with slices 4 mm apart they hardly show.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial.transform import Rotation

from spinemri.anatomy import Structure, StructureKind
from spinemri.register.search import fits

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spinemri.anatomy import Level
    from spinemri.geometry import Geometry
    from spinemri.image import Image
    from spinemri.segmentation import Segmentation

    Floats = NDArray[np.float64]
    Mask = NDArray[np.bool_]

_TURNS_DEG = np.arange(-21.0, 22.0, 3.0)
_LEAST_VOXELS = 200
_MARGIN_MM = 30.0
_APART = 3  # voxels of a body of which one is looked up


@dataclass(frozen=True, eq=False)
class Shown:
    """A series with its masks."""

    image: Image
    masks: Segmentation

    def body(self, level: Level) -> Mask:
        """(k, j, i) mask of a body."""
        return self.masks.mask(Structure(StructureKind.VERTEBRAL_BODY, level))

    def around(self, level: Level) -> Shown | None:
        """The part of the series around a body; None where too little of it is shown."""
        body = self.body(level)
        if np.count_nonzero(body) < _LEAST_VOXELS:
            return None
        index = np.argwhere(body)
        margin = np.ceil(_MARGIN_MM / np.asarray(self.image.geometry.spacing)).astype(int)
        low, high = np.maximum(index.min(axis=0) - margin, 0), index.max(axis=0) + margin + 1
        box = tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
        part = replace(self.image, voxels=self.image.voxels[box], geometry=self.image.geometry.part(box), seams=())
        return Shown(replace(part, missing_slices=()), self.masks.part(box))


@dataclass(frozen=True, eq=False)
class Laid:
    """The rigid motion from the earlier to the later examination at one vertebra, and how well it fits.

    ``to_later(p)`` = ``turn`` (3, 3) @ (p - ``centre``) + ``centre`` + ``shift``, LPS mm of either examination.
    """

    turn: Floats
    shift: Floats
    centre: Floats
    information: float
    overlap: float

    def to_later(self, points: Floats) -> Floats:
        """Points (..., 3) of the later examination that show the same anatomy as points of the earlier one."""
        return np.asarray((points - self.centre) @ self.turn.T + self.centre + self.shift)

    def to_earlier(self, points: Floats) -> Floats:
        """The opposite of ``to_later``."""
        return np.asarray((points - self.centre - self.shift) @ self.turn + self.centre)

    @property
    def turn_deg(self) -> float:
        """The turn, degrees."""
        return float(np.degrees(Rotation.from_matrix(self.turn).magnitude()))


def lay_over(earlier: Shown, level: Level, later: Shown, later_level: Level) -> Laid | None:
    """How one vertebra lies in the later examination; None where either shows too little of it."""
    fixed, moving = earlier.around(level), later.around(later_level)
    if fixed is None or moving is None:
        return None
    bodies = fixed.body(level), moving.body(later_level)
    points, others = (
        part.image.geometry.to_patient(np.argwhere(body)) for part, body in zip((fixed, moving), bodies, strict=True)
    )
    centre, there = points.mean(axis=0), others.mean(axis=0)
    start = _start(points[::_APART], (centre, there), bodies[1], moving.image.geometry)
    straight = replace(moving.image, geometry=_carried(moving.image.geometry, start, centre, there))
    best = fits(fixed.image, bodies[0], straight, np.zeros(3), same_frame=True)[1]
    normal = fixed.image.geometry.axes[:, fixed.image.geometry.axis_along(0)]
    turn = Rotation.from_rotvec(normal * best.turn_deg, degrees=True).as_matrix()
    # the fit leads to the straightened later image, whose own place is undone by the start
    whole = Laid(start @ turn, start @ np.asarray(best.shift) + there - centre, centre, best.information, 0.0)
    return replace(whole, overlap=_overlap(whole, (points, others), bodies, (fixed, moving)))


def _start(points: Floats, centres: tuple[Floats, Floats], body: Mask, grid: Geometry) -> Floats:
    """The turn (3, 3) from the earlier to the later body at which most of the first lies in the second."""
    left = np.array([1.0, 0.0, 0.0])
    turns = [Rotation.from_rotvec(left * angle, degrees=True).as_matrix() for angle in _TURNS_DEG]
    hits = [_inside((points - centres[0]) @ turn.T + centres[1], body, grid) for turn in turns]
    best = max(range(len(turns)), key=lambda n: (hits[n], -abs(_TURNS_DEG[n])))
    return np.asarray(turns[best])


def _inside(points: Floats, body: Mask, grid: Geometry) -> int:
    index = np.rint(grid.to_index(points)).astype(int)
    held = ((index >= 0) & (index < grid.shape)).all(axis=1)
    return int(np.count_nonzero(body[tuple(index[held].T)]))


def _carried(grid: Geometry, start: Floats, centre: Floats, there: Floats) -> Geometry:
    """The later grid turned back and moved so that its body lies over the earlier one."""
    axes = start.T @ grid.axes
    x, y, z = (start.T @ (np.asarray(grid.origin) - there) + centre).tolist()
    return replace(grid, origin=(x, y, z), direction=tuple(axes.ravel().tolist()))


def _overlap(laid: Laid, points: tuple[Floats, Floats], bodies: tuple[Mask, Mask], parts: tuple[Shown, Shown]) -> float:
    """Share of either body within the other one, the mean of both ways: 1 for two equal masks."""
    there = _inside(laid.to_later(points[0]), bodies[1], parts[1].image.geometry) / len(points[0])
    back = _inside(laid.to_earlier(points[1]), bodies[0], parts[0].image.geometry) / len(points[1])
    return (there + back) / 2
