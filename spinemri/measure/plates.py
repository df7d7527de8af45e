"""Every endplate of the spine as a line in its body's own sagittal plane; angles and slips are taken between them.

A line joins the endplate's two corners, where it meets the anterior and the posterior wall. C2 has a lower endplate
only and S1 an upper one only. How sure its direction is follows from the voxel size, from the spread over slices and
from how well an endplate can be told at all: a rim is rounded, and a reader's line through it differs from the next.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from spinemri.language import Phrases
from spinemri.measure.bodies import upward_by_level
from spinemri.measure.catalogue import Gap
from spinemri.measure.frame import left_axis, unit
from spinemri.measure.vertebra import BodyShape, endplate_corners
from spinemri.measurement import Status

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from spinemri.anatomy import Level
    from spinemri.measure.bodies import MissingSlices, Shapes
    from spinemri.segmentation import Drawing, Segmentation
    from spinemri.spine import Spine, Vertebra

    Vector = NDArray[np.float64]

phrases = Phrases("measure.plates")

_LINE_SHARE = 0.4  # a line through many edge points errs less than one edge
_LONE_SD_VOXELS = 0.7  # of either end, as a single edge, where a body shows one endplate only
_DIRECTION_SD_DEG = 0.6  # how well the direction of an endplate is defined at all
_WALL_SD_VOXELS = 0.2  # of a corner along the endplate
_WALL_SD_MM = 0.1


@dataclass(frozen=True, eq=False)
class Plate:
    """One endplate.

    Parameters
    ----------
    front, back : corners, LPS mm
    up, left : unit vectors: the endplate's normal towards the head, and the normal of the body's sagittal plane
    sd_deg : standard deviation of its direction in that plane
    wall_sd_mm : standard deviation of a corner's place along the endplate
    pixel_mm : larger voxel size within the slice
    series_uid : where it was measured
    flags : of the body
    """

    front: Vector
    back: Vector
    up: Vector
    left: Vector
    sd_deg: float
    wall_sd_mm: float
    pixel_mm: float
    series_uid: str
    flags: tuple[str, ...] = ()

    @property
    def length_mm(self) -> float:
        """Antero-posterior length."""
        return float(np.linalg.norm(self.front - self.back))

    @property
    def ends(self) -> Vector:
        """Both corners (2, 3), anterior first, LPS mm."""
        return np.stack([self.front, self.back])


class BodyPlates(NamedTuple):
    """The two endplates of a body, or why there is none."""

    upper: Plate | Gap
    lower: Plate | Gap


def body_plates(
    spine: Spine, shapes: Shapes, segmentations: Mapping[str, Segmentation], missing: MissingSlices
) -> dict[Level, BodyPlates]:
    """Endplates of every body, head to foot; parameters as in `bodies.body_shapes`, whose result is ``shapes``."""
    upward = upward_by_level(spine)
    found: dict[Level, BodyPlates] = {}
    for vertebra in spine.vertebrae:
        level, shape = vertebra.level, shapes[vertebra.level]
        segmentation = segmentations.get(vertebra.series_uid)
        if isinstance(shape, BodyShape) and segmentation is not None:
            pixel = _pixel_mm(segmentation)
            found[level] = BodyPlates(*(_of_shape(shape, side, pixel, vertebra.series_uid) for side in (0, 1)))
            continue
        gap = shape if isinstance(shape, Gap) else Gap(Status.NOT_ASSESSABLE, phrases.NO_MASK_BODY.format(level=level))
        found[level] = BodyPlates(gap, gap)
        if segmentation is not None and (level.region == "S" or level.name == "C2"):
            skip = missing.get(vertebra.series_uid, frozenset())
            found[level] = _lone(vertebra, segmentation, upward[level], skip)
    return found


def kyphosis_deg(top: Plate, bottom: Plate) -> float:
    """Angle from the lower endplate to the upper one in degrees, positive when the spine between bends forward."""
    left = unit(top.left + bottom.left)
    across = [plate.up - (plate.up @ left) * left for plate in (top, bottom)]
    return float(np.degrees(np.arctan2(np.cross(across[1], across[0]) @ left, across[0] @ across[1])))


def _of_shape(shape: BodyShape, side: int, pixel: float, series_uid: str) -> Plate:
    front, back = shape.corners[side]
    span = float(np.linalg.norm(front - back))
    up = shape.inferior_normal if side else shape.superior_normal
    edges = float(np.hypot(*shape.sd[[0, 2]]) / np.sqrt(2))
    sd = _direction_sd_deg(edges, shape.drawing.tilt, span)
    wall_sd = _wall_sd_mm(pixel, shape.drawing)
    return Plate(front, back, up, shape.frame.left, sd, wall_sd, pixel, series_uid, shape.flags)


def _lone(vertebra: Vertebra, segmentation: Segmentation, upward: Vector, skip: frozenset[int]) -> BodyPlates:
    """The one endplate of C2 (lower) or of a sacral body (upper)."""
    level = vertebra.level
    sacral = level.region == "S"
    other = Gap(Status.NOT_ASSESSABLE, (phrases.NO_LOWER if sacral else phrases.NO_UPPER).format(level=level))
    body = segmentation.body(level)
    if vertebra.excluded:
        plate: Plate | Gap = Gap(Status.EXCLUDED, vertebra.excluded)
    elif body is None:
        plate = Gap(Status.NOT_ASSESSABLE, phrases.NO_MASK_BODY_SERIES_MEASURED.format(level=level))
    else:
        found = endplate_corners(segmentation.mask(body), segmentation.geometry, upward if sacral else -upward, skip)
        plate = Gap(Status.NOT_ASSESSABLE, phrases.ENDPLATE_CANNOT_FOLLOWED.format(level=level))
        if found is not None:
            (front, back), normal = found
            left, pixel = left_axis(segmentation.geometry), _pixel_mm(segmentation)
            drawing = segmentation.drawing
            edges = float(np.sqrt(2) * np.hypot(_LONE_SD_VOXELS * pixel, drawing.border))
            sd = _direction_sd_deg(edges, drawing.lone_tilt, float(np.linalg.norm(front - back)))
            up = normal if sacral else -normal
            plate = Plate(front, back, up, left, sd, _wall_sd_mm(pixel, drawing), pixel, vertebra.series_uid)
    return BodyPlates(plate, other) if sacral else BodyPlates(other, plate)


def _direction_sd_deg(edges_sd_mm: float, tilt_mm: float, length_mm: float) -> float:
    """From the standard deviation of both ends together, each taken as a single edge, and what tilts a whole line."""
    ends = np.hypot(_LINE_SHARE * edges_sd_mm, tilt_mm)
    return float(np.hypot(np.degrees(ends / length_mm), _DIRECTION_SD_DEG))


def _wall_sd_mm(pixel: float, drawing: Drawing) -> float:
    return float(np.linalg.norm([_WALL_SD_VOXELS * pixel, _WALL_SD_MM, drawing.border, drawing.wall]))


def _pixel_mm(segmentation: Segmentation) -> float:
    """Larger voxel size within a sagittal slice."""
    across = segmentation.geometry.axis_along(0)
    return max(mm for axis, mm in enumerate(segmentation.geometry.spacing) if axis != across)
