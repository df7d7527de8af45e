"""How far the spine curves sideways, from the centres of its bodies: an estimate, for a sagittal stack is thick there.

The centres are projected on the coronal plane of the stack and joined by a smoothing spline; the estimate is the
largest difference of its direction between two bodies, as a Cobb angle is between two endplates. Lying down lessens a
scoliosis, so the estimate is no Cobb angle of a standing patient.

Known failure: a patient who lies turned about the long axis shows some of the sagittal curve sideways. The turn cannot
be known from the stack; the interval counts it with a standard deviation of 2.5 degrees.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.interpolate import make_smoothing_spline

from spinemri.anatomy import StructureKind
from spinemri.language import Phrases
from spinemri.measure.catalogue import Gap, Place
from spinemri.measure.frame import left_axis, unit
from spinemri.measure.vertebra import BodyShape
from spinemri.measurement import Status

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from spinemri.measure.bodies import Shapes
    from spinemri.measurement import Measurement
    from spinemri.segmentation import Segmentation
    from spinemri.spine import Spine

phrases = Phrases("measure.coronal")

NAME = "coronal_curvature_estimate"
_LEAST_BODIES = 5
_STIFFNESS = 3000.0  # mm^3: waves shorter than about four vertebrae are taken for noise
_CENTRE_SD_MM = 0.3
_CENTRE_SD_SLICES = 0.1  # of the slice spacing
_TURN_SD_DEG = 2.5


class _Centres(NamedTuple):
    """Bodies with a known middle, head to foot: level indices, (n, 3) LPS mm, mean left axis, largest slice spacing.

    ``border_mm`` is how well the left and right borders of the worst of them were drawn, both together.
    """

    points: NDArray[np.float64]
    left: NDArray[np.float64]
    spacing_mm: float
    border_mm: float
    levels: tuple[int, ...]


def coronal_curvature(spine: Spine, shapes: Shapes, segmentations: Mapping[str, Segmentation]) -> Measurement:
    """Largest angle in degrees between the directions of the coronal curve at two bodies, 0 or more.

    The place is the whole stretch of the spine; ``reference_levels`` are the two bodies, ``points`` their centres.
    """
    levels = spine.levels
    place = Place(StructureKind.VERTEBRAL_BODY, levels[0], levels[-1] if len(levels) > 1 else None)
    centres = _centres(spine, shapes, segmentations)
    if centres is None:
        why = phrases.FEWER_THAN_BODIES_ARE_SHOWN.format(count=_LEAST_BODIES)
        return place.absent(NAME, Gap(Status.NOT_ASSESSABLE, why))
    up = centres.points[0] - centres.points[-1]
    up = unit(up - (up @ centres.left) * centres.left)
    along = centres.points @ np.stack([up, centres.left, np.cross(up, centres.left)], axis=1)
    height, order = -along[:, 0], np.argsort(-along[:, 0])
    if np.any(np.diff(order) != 1):
        return place.absent(NAME, Gap(Status.NOT_ASSESSABLE, phrases.BODIES_CENTRES_DO_NOT_FOLLOW))
    slopes = _slope_operator(height)
    tilt, lean = (np.degrees(np.arctan(slopes @ along[:, axis])) for axis in (1, 2))
    high, low = int(np.argmax(tilt)), int(np.argmin(tilt))
    noise = float(np.linalg.norm([_CENTRE_SD_MM, _CENTRE_SD_SLICES * centres.spacing_mm, centres.border_mm]))
    straight = np.degrees(noise * np.linalg.norm(slopes[high] - slopes[low]))
    turned = np.radians(_TURN_SD_DEG) * (lean[high] - lean[low])
    ends = sorted((high, low))
    stated = place.measured(NAME, tilt[high] - tilt[low], float(np.hypot(straight, turned)), centres.points[ends])
    named = tuple(levels[centres.levels[n]] for n in ends)
    return stated.model_copy(update={"reference_levels": named})


def _centres(spine: Spine, shapes: Shapes, segmentations: Mapping[str, Segmentation]) -> _Centres | None:
    """Middles of the bodies that are shown whole; None when there are too few."""
    chosen: list[int] = []
    points, lefts, spacings, borders = [], [], [], []
    for n, vertebra in enumerate(spine.vertebrae):
        shape, segmentation = shapes[vertebra.level], segmentations.get(vertebra.series_uid)
        if segmentation is None or vertebra.cut or vertebra.excluded or vertebra.level.name == "C1":
            continue
        if isinstance(shape, Gap) and shape.status is not Status.NOT_ASSESSABLE:
            continue
        if isinstance(shape, BodyShape) and "lateral_cut" in shape.flags:
            continue
        chosen.append(n)
        points.append(shape.frame.origin if isinstance(shape, BodyShape) else np.asarray(vertebra.centre))
        lefts.append(left_axis(segmentation.geometry))
        spacings.append(segmentation.geometry.spacing[segmentation.geometry.axis_along(0)])
        borders.append(segmentation.drawing.edges)
    if len(chosen) < _LEAST_BODIES:
        return None
    return _Centres(np.stack(points), unit(np.mean(lefts, axis=0)), max(spacings), max(borders), tuple(chosen))


def _slope_operator(height: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n, n) matrix that turns offsets at increasing heights into the slopes of their smoothing spline."""
    columns = [make_smoothing_spline(height, row, lam=_STIFFNESS).derivative()(height) for row in np.eye(len(height))]
    return np.stack(columns, axis=1)
