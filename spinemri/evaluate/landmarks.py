"""Whether the bodies beside landmarks in the cord carry the landmarks' names, with one body per level between.

A landmark lies in the cord at the mid-height of a vertebra. The plane through it across the cord passes through that
vertebra's body; the body is asked for its name.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from spinemri.anatomy import STANDARD_LEVELS, Level, Structure, StructureKind
from spinemri.measure.centreline import centre_line

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from spinemri.segmentation import Segmentation

_SLAB_MM = 2.0
_REACH_MM = 45.0
_TANGENT_STEPS = 10  # half millimetres to either side over which the cord's direction is taken


@dataclass(frozen=True)
class LevelCheck:
    """Levels between two landmarks, head to foot.

    ``named`` is what the body beside each landmark is called, by the landmark's true level (None without a body);
    ``missing`` levels between them have no body, ``invented`` bodies lie between them and are none of those levels.
    """

    named: Mapping[str, str | None]
    missing: tuple[str, ...]
    invented: tuple[str, ...]

    @property
    def right(self) -> bool:
        """Landmarks in bodies named so, one body per level between, none missing, none invented."""
        return all(true == name for true, name in self.named.items()) and not self.missing and not self.invented


def check_levels(
    found: Segmentation, cord: NDArray[np.bool_], landmarks: Mapping[Level, NDArray[np.float64]]
) -> LevelCheck:
    """Compare the names of a segmentation with landmarks in the cord.

    Parameters
    ----------
    found : named bodies
    cord : (k, j, i) cord mask on the same grid; its centre line gives the planes
    landmarks : true level -> LPS mm
    """
    upper, lower = min(landmarks), max(landmarks)
    expected = STANDARD_LEVELS[STANDARD_LEVELS.index(upper) : STANDARD_LEVELS.index(lower) + 1]
    bodies = {s.level: _height(found, s.level) for s in found.of_kind(StructureKind.VERTEBRAL_BODY) if s.level}
    beside = {true: _beside(found, cord, point) for true, point in landmarks.items()}
    top, bottom = (
        bodies[Level(name)] if (name := beside[true]) else float(landmarks[true][2]) for true in (upper, lower)
    )
    return LevelCheck(
        named={str(true): beside[true] for true in sorted(landmarks)},
        missing=tuple(str(level) for level in expected if level not in bodies),
        invented=tuple(str(v) for v, height in bodies.items() if bottom <= height <= top and v not in expected),
    )


def _height(found: Segmentation, level: Level) -> float:
    """Height (LPS z, mm) of a body's centre."""
    voxels = np.argwhere(found.mask(Structure(StructureKind.VERTEBRAL_BODY, level)))
    return float(found.geometry.to_patient(voxels.mean(axis=0))[2])


def _beside(found: Segmentation, cord: NDArray[np.bool_], point: NDArray[np.float64]) -> str | None:
    """Name of the body that most voxels within 2 mm of the plane across the cord, in front of a point, belong to."""
    line = centre_line(cord, found.geometry)
    if line is None:
        return None
    nearest = int(np.argmin(np.linalg.norm(line.points - point, axis=1)))
    ends = np.clip([nearest - _TANGENT_STEPS, nearest + _TANGENT_STEPS], 0, len(line.points) - 1)
    down = line.points[ends[1]] - line.points[ends[0]]
    down /= np.linalg.norm(down)
    counts = {}
    for structure in found.of_kind(StructureKind.VERTEBRAL_BODY):
        away = found.geometry.to_patient(np.argwhere(found.mask(structure))) - point
        near = (np.abs(away @ down) <= _SLAB_MM) & (np.linalg.norm(away, axis=1) <= _REACH_MM)
        counts[structure.place] = int(near.sum())
    best = max(counts, key=lambda place: counts[place], default=None)
    return best if best is not None and counts[best] else None
