"""The plane across the spine at every disc and mid-body, in which sac and cord are measured.

At a body it runs across the body's middle; at a disc, midway between the two endplates that face it, or beside one of
them when the other is not known.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from spinemri.anatomy import Level, Structure, StructureKind
from spinemri.language import Phrases
from spinemri.measure.bodies import upward_by_level
from spinemri.measure.catalogue import Gap, Place
from spinemri.measure.height_loss import adjacent
from spinemri.measure.vertebra import BodyShape, superior_endplate
from spinemri.measurement import Status

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from spinemri.measure.bodies import Shapes
    from spinemri.segmentation import Segmentation
    from spinemri.spine import Spine

phrases = Phrases("measure.planes")

_HALF_DISC_MM = 3.0


class CanalPlane(NamedTuple):
    """A plane across the spine in LPS mm, and what to note about how it was found."""

    point: NDArray[np.float64]
    normal: NDArray[np.float64]
    flags: tuple[str, ...] = ()


def canal_planes(
    spine: Spine, shapes: Shapes, segmentations: Mapping[str, Segmentation]
) -> dict[Place, CanalPlane | Gap]:
    """The plane of every mid-body and disc, head to foot; C1 has no body and there is no disc below it."""
    upward = upward_by_level(spine)
    planes: dict[Place, CanalPlane | Gap] = {}
    for n, vertebra in enumerate(spine.vertebrae):
        level = vertebra.level
        if level.name != "C1":
            place = Place(StructureKind.THECAL_SAC, level, None)
            planes[place] = _body_plane(level, np.array(vertebra.centre), upward[level], shapes[level])
        following = spine.vertebrae[n + 1].level if n + 1 < len(spine.vertebrae) else None
        if following is not None and level.name != "C1" and adjacent(level, following):
            place = Place(StructureKind.THECAL_SAC, level, following)
            planes[place] = _disc_plane(spine, (level, following), shapes, segmentations)
    return planes


def _body_plane(
    level: Level, centre: NDArray[np.float64], upward: NDArray[np.float64], shape: BodyShape | Gap
) -> CanalPlane | Gap:
    if level.region == "S":
        return Gap(Status.NOT_ASSESSABLE, phrases.THECAL_SAC_TAPERS_END_BELOW)
    if isinstance(shape, BodyShape):
        return CanalPlane(shape.frame.origin, shape.frame.superior)
    return shape if shape.status is Status.OUT_OF_FIELD else CanalPlane(centre, upward, ("plane_from_centres",))


def _disc_plane(
    spine: Spine,
    levels: tuple[Level, Level],
    shapes: Shapes,
    segmentations: Mapping[str, Segmentation],
) -> CanalPlane | Gap:
    """The plane midway between the two endplates that face a disc; from the disc's mask or one endplate if need be."""
    upper, lower = levels
    if upper.region == "S":
        return Gap(Status.NOT_ASSESSABLE, phrases.THECAL_SAC_TAPERS_END_BELOW)
    plates = [p for p in (_lower_plate(shapes[upper]), _upper_plate(spine, lower, shapes, segmentations)) if p]
    if len(plates) == 2:
        normal = plates[0].normal + plates[1].normal
        return CanalPlane((plates[0].point + plates[1].point) / 2, normal / np.linalg.norm(normal))
    if not plates:
        return Gap(Status.NOT_ASSESSABLE, phrases.NEITHER_ENDPLATE_COULD_FOUND.format(upper=upper, lower=lower))
    disc = _disc_centre(spine, levels, segmentations)
    if disc is not None:
        return CanalPlane(disc, plates[0].normal, ("plane_from_one_endplate",))
    away = -1.0 if isinstance(shapes[upper], BodyShape) else 1.0
    return CanalPlane(
        plates[0].point + away * _HALF_DISC_MM * plates[0].normal, plates[0].normal, ("plane_from_one_endplate",)
    )


def _lower_plate(shape: BodyShape | Gap) -> CanalPlane | None:
    return CanalPlane(shape.lower[1], shape.inferior_normal) if isinstance(shape, BodyShape) else None


def _upper_plate(
    spine: Spine, level: Level, shapes: Shapes, segmentations: Mapping[str, Segmentation]
) -> CanalPlane | None:
    shape = shapes[level]
    if isinstance(shape, BodyShape):
        return CanalPlane(shape.upper[1], shape.superior_normal)
    vertebra = spine.vertebra(level)
    segmentation = segmentations.get(vertebra.series_uid) if vertebra else None
    body = segmentation.body(level) if segmentation else None
    if level.region != "S" or segmentation is None or body is None:
        return None
    plate = superior_endplate(segmentation.mask(body), segmentation.geometry, upward_by_level(spine)[level])
    return CanalPlane(*plate) if plate else None


def _disc_centre(
    spine: Spine, levels: tuple[Level, Level], segmentations: Mapping[str, Segmentation]
) -> NDArray[np.float64] | None:
    vertebra = spine.vertebra(levels[0])
    segmentation = segmentations.get(vertebra.series_uid) if vertebra else None
    if segmentation is None:
        return None
    voxels = np.argwhere(segmentation.mask(Structure(StructureKind.DISC, *levels)))
    return segmentation.geometry.to_patient(voxels.mean(axis=0)) if len(voxels) else None
