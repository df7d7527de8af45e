"""Bodies as single series see them, and which of them are one vertebra.

Bodies of different series are the same vertebra when their centres lie within a third of a body's height of each other
in patient coordinates; a body that the field of view cuts has its centre elsewhere, so half a height is allowed there.
Series in other frames of reference can only be matched by level name.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from spinemri.anatomy import StructureKind
from spinemri.spine import LevelAssignment, LevelBasis

if TYPE_CHECKING:
    from spinemri.geometry import Vector
    from spinemri.image import Image
    from spinemri.segmentation import Segmentation

_PART_OF_HEIGHT, _PART_OF_HEIGHT_CUT = 1 / 3, 1 / 2
_USUAL_HEIGHT_MM = 25.0


@dataclass(frozen=True)
class Seen:
    """One body in one series."""

    series: int
    assignment: LevelAssignment
    centre: Vector
    height_mm: float
    volume_mm3: float
    edge_mm: float
    cut: bool
    near_seam: bool


def bodies(number: int, image: Image, segmentation: Segmentation, named: tuple[LevelAssignment, ...]) -> list[Seen]:
    """Every vertebral body of one series, ``number`` in the study's order."""
    by_level = {assignment.level: assignment for assignment in named}
    geometry, found = segmentation.geometry, []
    boxes = ndimage.find_objects(segmentation.voxels.astype(np.int32, copy=False))
    for value, structure in segmentation.structures.items():
        box = boxes[value - 1] if value <= len(boxes) else None
        if structure.kind is not StructureKind.VERTEBRAL_BODY or structure.level is None or box is None:
            continue
        index = np.argwhere(segmentation.voxels[box] == value) + [b.start for b in box]
        points = geometry.to_patient(index)
        x, y, z = points.mean(axis=0).tolist()
        low, high = np.percentile(points[:, 2], (2, 98))
        inplane = [a for a in range(3) if a != geometry.axis_along(0)]
        room = [
            min(index[:, a].min(), geometry.shape[a] - 1 - index[:, a].max()) * geometry.spacing[a] for a in inplane
        ]
        fallback = LevelAssignment(level=structure.level, basis=LevelBasis.ASSUMED, confidence=0.0)
        found.append(
            Seen(
                series=number,
                assignment=by_level.get(structure.level, fallback),
                centre=(x, y, z),
                height_mm=float(high - low),
                volume_mm3=float(len(index) * np.prod(geometry.spacing)),
                edge_mm=float(min(room)),
                cut=structure in segmentation.cut or _in_gap(index, image, geometry.axis_along(0)),
                near_seam=image.near_seam(points),
            )
        )
    return found


def _in_gap(index: np.ndarray[tuple[int, ...], np.dtype[np.intp]], image: Image, across: int) -> bool:
    """Whether a missing slice runs through the middle of a body."""
    middle = float(index[:, across].mean())
    return any(abs(k - middle) < 0.75 for k in image.missing_slices) if across == 0 else False


def match(seen: list[Seen], frames: list[str | None]) -> list[list[Seen]]:
    """Groups of bodies that are one vertebra: nearest centres first, at most one body per series in a group."""
    groups: list[list[Seen]] = []
    for body in sorted(seen, key=lambda b: (b.cut, -b.assignment.confidence)):
        best, least = None, 1.0
        for group in groups:
            if any(other.series == body.series for other in group):
                continue
            nearness = min(_nearness(body, other, frames) for other in group)
            if nearness < least:
                best, least = group, nearness
        if best is None:
            groups.append([body])
        else:
            best.append(body)
    return groups


def _nearness(one: Seen, two: Seen, frames: list[str | None]) -> float:
    """Distance of two centres as a share of what is allowed; below 1 they are one vertebra."""
    if frames[one.series] != frames[two.series]:
        return 0.99 if one.assignment.level == two.assignment.level else float("inf")
    whole = [b.height_mm for b in (one, two) if not b.cut] or [_USUAL_HEIGHT_MM]
    allowed = _PART_OF_HEIGHT if len(whole) == 2 else _PART_OF_HEIGHT_CUT
    distance = float(np.linalg.norm(np.subtract(one.centre, two.centre)))
    return distance / (allowed * max(whole))
