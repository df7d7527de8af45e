"""The thecal sac at every disc and mid-body of the spine.

Bodies may come from one series and the sac from another: both are brought together in patient coordinates, which is
right only within one frame of reference and as far as the patient lay still.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from spinemri.anatomy import Level, Structure, StructureKind
from spinemri.measure.bodies import upward_by_level
from spinemri.measure.catalogue import Gap, Place
from spinemri.measure.centreline import centre_line, sac_profile
from spinemri.measure.height_loss import adjacent
from spinemri.measure.sac import Compromise, SacDiameter, compromises, diameter_at
from spinemri.measure.vertebra import BodyShape, superior_endplate
from spinemri.measurement import Measurement, Status

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from numpy.typing import NDArray

    from spinemri.measure.bodies import MissingSlices, Shapes
    from spinemri.measure.centreline import SacProfile
    from spinemri.segmentation import Segmentation
    from spinemri.spine import Spine

_HALF_DISC_MM = 3.0
_OFF_MIDLINE_MM = 6.0
_EDGE_SD_VOXELS = 0.41
_NAMES = ("dural_sac_ap", "dural_sac_compromise_pct")


class _Plane(NamedTuple):
    """A plane across the spine in LPS mm, and what to note about how it was found."""

    point: NDArray[np.float64]
    normal: NDArray[np.float64]
    flags: tuple[str, ...] = ()


def sac_measurements(
    spine: Spine,
    shapes: Shapes,
    segmentations: Mapping[str, Segmentation],
    missing: MissingSlices,
    barred: Collection[Level] = (),
) -> list[Measurement]:
    """Sac diameter and its compromise at every disc and mid-body, head to foot.

    Parameters
    ----------
    segmentations : series_uid -> segmentation
    missing : series_uid -> sagittal slices that must not be measured
    barred : levels whose body lost 20 % of its height or more; a reference there only if the sac is unremarkable
    """
    profile = _profile(spine, segmentations, missing)
    planes = _planes(spine, shapes, segmentations)
    found = {place: _diameter(spine, place, (plane, profile), segmentations) for place, plane in planes.items()}
    shown = segmentations.get(spine.sac_series_uid or "")
    pixel = _pixel_mm(shown) if shown else 0.0
    results: dict[Place, list[Measurement]] = {}
    for at_disc in (False, True):
        places = [p for p in planes if (p.lower is not None) == at_disc]
        diameters = [d.value if isinstance(d := found[p], SacDiameter) else None for p in places]
        excluded = [n for n, p in enumerate(places) if p.level in barred or p.lower in barred]
        losses = compromises(diameters, _EDGE_SD_VOXELS * pixel, excluded)
        for place, loss in zip(places, losses, strict=True):
            results[place] = _stated(place, planes[place], found[place], _EDGE_SD_VOXELS * pixel)
            results[place].append(_compromise(place, found[place], loss, places))
    return [m for place in planes for m in results[place]]


def _profile(spine: Spine, segmentations: Mapping[str, Segmentation], missing: MissingSlices) -> SacProfile | Gap:
    uid = spine.sac_series_uid
    segmentation = segmentations.get(uid) if uid is not None else None
    if segmentation is None or uid is None:
        return Gap(Status.NOT_ASSESSABLE, "no series shows the thecal sac well enough to measure it")
    mask = segmentation.mask_of_kind(StructureKind.THECAL_SAC, StructureKind.CORD)
    line = centre_line(mask, segmentation.geometry)
    if line is None:
        return Gap(Status.NOT_ASSESSABLE, "no thecal sac was found in the series it was to be measured in")
    return sac_profile(mask, segmentation.geometry, line, missing.get(uid, frozenset()))


def _pixel_mm(segmentation: Segmentation) -> float:
    return float(segmentation.geometry.spacing[segmentation.geometry.axis_along(1)])


def _planes(spine: Spine, shapes: Shapes, segmentations: Mapping[str, Segmentation]) -> dict[Place, _Plane | Gap]:
    """The plane of every mid-body and disc, head to foot; C1 has no body and there is no disc below it."""
    upward = upward_by_level(spine)
    planes: dict[Place, _Plane | Gap] = {}
    for n, vertebra in enumerate(spine.vertebrae):
        level = vertebra.level
        if level.name != "C1":
            place = Place(StructureKind.THECAL_SAC, level, None, spine.sac_series_uid)
            planes[place] = _body_plane(level, np.array(vertebra.centre), upward[level], shapes[level])
        following = spine.vertebrae[n + 1].level if n + 1 < len(spine.vertebrae) else None
        if following is not None and level.name != "C1" and adjacent(level, following):
            place = Place(StructureKind.THECAL_SAC, level, following, spine.sac_series_uid)
            planes[place] = _disc_plane(spine, (level, following), shapes, segmentations)
    return planes


def _body_plane(
    level: Level, centre: NDArray[np.float64], upward: NDArray[np.float64], shape: BodyShape | Gap
) -> _Plane | Gap:
    if level.region == "S":
        return Gap(Status.NOT_ASSESSABLE, "the thecal sac tapers to its end below L5-S1")
    if isinstance(shape, BodyShape):
        return _Plane(shape.frame.origin, shape.frame.superior)
    return shape if shape.status is Status.OUT_OF_FIELD else _Plane(centre, upward, ("plane_from_centres",))


def _disc_plane(
    spine: Spine,
    levels: tuple[Level, Level],
    shapes: Shapes,
    segmentations: Mapping[str, Segmentation],
) -> _Plane | Gap:
    """The plane midway between the two endplates that face a disc; from the disc's mask or one endplate if need be."""
    upper, lower = levels
    if upper.region == "S":
        return Gap(Status.NOT_ASSESSABLE, "the thecal sac tapers to its end below L5-S1")
    plates = [p for p in (_lower_plate(shapes[upper]), _upper_plate(spine, lower, shapes, segmentations)) if p]
    if len(plates) == 2:
        normal = plates[0].normal + plates[1].normal
        return _Plane((plates[0].point + plates[1].point) / 2, normal / np.linalg.norm(normal))
    if not plates:
        return Gap(Status.NOT_ASSESSABLE, f"neither endplate of {upper}-{lower} could be found")
    disc = _disc_centre(spine, levels, segmentations)
    if disc is not None:
        return _Plane(disc, plates[0].normal, ("plane_from_one_endplate",))
    away = -1.0 if isinstance(shapes[upper], BodyShape) else 1.0
    return _Plane(
        plates[0].point + away * _HALF_DISC_MM * plates[0].normal, plates[0].normal, ("plane_from_one_endplate",)
    )


def _lower_plate(shape: BodyShape | Gap) -> _Plane | None:
    return _Plane(shape.lower[1], shape.inferior_normal) if isinstance(shape, BodyShape) else None


def _upper_plate(
    spine: Spine, level: Level, shapes: Shapes, segmentations: Mapping[str, Segmentation]
) -> _Plane | None:
    shape = shapes[level]
    if isinstance(shape, BodyShape):
        return _Plane(shape.upper[1], shape.superior_normal)
    vertebra = spine.vertebra(level)
    segmentation = segmentations.get(vertebra.series_uid) if vertebra else None
    body = segmentation.body(level) if segmentation else None
    if level.region != "S" or segmentation is None or body is None:
        return None
    plate = superior_endplate(segmentation.mask(body), segmentation.geometry, upward_by_level(spine)[level])
    return _Plane(*plate) if plate else None


def _disc_centre(
    spine: Spine, levels: tuple[Level, Level], segmentations: Mapping[str, Segmentation]
) -> NDArray[np.float64] | None:
    vertebra = spine.vertebra(levels[0])
    segmentation = segmentations.get(vertebra.series_uid) if vertebra else None
    if segmentation is None:
        return None
    voxels = np.argwhere(segmentation.mask(Structure(StructureKind.DISC, *levels)))
    return segmentation.geometry.to_patient(voxels.mean(axis=0)) if len(voxels) else None


def _diameter(
    spine: Spine,
    place: Place,
    where: tuple[_Plane | Gap, SacProfile | Gap],
    segmentations: Mapping[str, Segmentation],
) -> SacDiameter | Gap:
    plane, profile = where
    if isinstance(plane, Gap):
        return plane
    if isinstance(profile, Gap):
        return profile
    series = {v.series_uid for v in spine.vertebrae if v.level in (place.level, place.lower)}
    shown = [segmentations[uid] for uid in (*series, place.series_uid or "") if uid in segmentations]
    if len({uid for s in shown if (uid := s.geometry.frame_of_reference_uid)}) > 1:
        return Gap(Status.NOT_ASSESSABLE, "bodies and thecal sac come from different frames of reference")
    found = diameter_at(profile, plane.point, plane.normal)
    if isinstance(found, SacDiameter):
        return found
    grid = segmentations[place.series_uid].geometry if place.series_uid else None
    axis = grid.axis_along(2) if grid else 0
    outside = grid is not None and not 0 <= grid.to_index(plane.point)[axis] <= grid.shape[axis] - 1
    return Gap(Status.OUT_OF_FIELD if outside else Status.NOT_ASSESSABLE, found)


def _stated(place: Place, plane: _Plane | Gap, found: SacDiameter | Gap, sd: float) -> list[Measurement]:
    if isinstance(found, Gap) or isinstance(plane, Gap):
        return [place.absent(_NAMES[0], found if isinstance(found, Gap) else Gap(Status.NOT_ASSESSABLE, "no plane"))]
    middle = found.ends.mean(axis=0)
    sideways = abs(float(middle[0] - plane.point[0]))
    off = ("sac_off_midline",) if sideways > _OFF_MIDLINE_MM else ()
    stated = place.measured(_NAMES[0], found.value, sd, found.ends)
    return [stated.model_copy(update={"flags": (*plane.flags, *off)})]


def _compromise(place: Place, found: SacDiameter | Gap, loss: Compromise | None, places: list[Place]) -> Measurement:
    if isinstance(found, Gap):
        return place.absent(_NAMES[1], found)
    if loss is None:
        return place.absent(_NAMES[1], Gap(Status.NOT_ASSESSABLE, "no normal level above or below to compare with"))
    stated = place.measured(_NAMES[1], loss.pct, loss.sd_pct, found.ends)
    levels = tuple(v for n in loss.references for v in (places[n].level, places[n].lower) if v is not None)
    one_sided = ("one_sided_reference",) if len(loss.references) == 1 else ()
    tapering = ("tapering_sac",) if place.lower is not None and place.lower.region == "S" else ()
    return stated.model_copy(update={"reference_levels": levels, "flags": (*one_sided, *tapering)})
