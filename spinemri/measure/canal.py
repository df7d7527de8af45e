"""The thecal sac at every disc and mid-body of the spine.

Bodies may come from one series and the sac from another: both are brought together in patient coordinates, which is
right only within one frame of reference and as far as the patient lay still.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from spinemri.anatomy import Level, Structure, StructureKind
from spinemri.image import SEAM_MARGIN_MM
from spinemri.measure.bodies import upward_by_level
from spinemri.measure.catalogue import Gap, Place
from spinemri.measure.height_loss import adjacent
from spinemri.measure.sac import Compromise, SacDiameter, compromises, diameter_at
from spinemri.measure.sac_masks import NO_SAC, SacMasks
from spinemri.measure.vertebra import BodyShape, superior_endplate
from spinemri.measurement import Measurement, Status

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from numpy.typing import NDArray

    from spinemri.measure.bodies import Shapes
    from spinemri.segmentation import Segmentation
    from spinemri.spine import Spine

_HALF_DISC_MM = 3.0
_OFF_MIDLINE_MM = 6.0
_NAMES = ("dural_sac_ap", "dural_sac_compromise_pct")


class _Plane(NamedTuple):
    """A plane across the spine in LPS mm, and what to note about how it was found."""

    point: NDArray[np.float64]
    normal: NDArray[np.float64]
    flags: tuple[str, ...] = ()


def sac_measurements(spine: Spine, shapes: Shapes, sacs: SacMasks, barred: Collection[Level] = ()) -> list[Measurement]:
    """Sac diameter and its compromise at every disc and mid-body, head to foot.

    Parameters
    ----------
    barred : levels whose body lost 20 % of its height or more; a reference there only if the sac is unremarkable
    """
    planes: dict[Place, _Plane | Gap] = {}
    found: dict[Place, SacDiameter | Gap] = {}
    for wanted, plane in _planes(spine, shapes, sacs.segmentations).items():
        place, diameter = _diameter(spine, wanted, plane, sacs)
        planes[place], found[place] = plane, diameter
    sd = max((sacs.edge_sd_mm(p.series_uid) for p in planes), default=0.0)
    results: dict[Place, list[Measurement]] = {}
    for at_disc in (False, True):
        places = [p for p in planes if (p.lower is not None) == at_disc]
        diameters = [d.value if isinstance(d := found[p], SacDiameter) else None for p in places]
        excluded = [n for n, p in enumerate(places) if p.level in barred or p.lower in barred]
        losses = compromises(diameters, sd, excluded)
        for place, loss in zip(places, losses, strict=True):
            results[place] = _stated(place, planes[place], found[place], sacs.edge_sd_mm(place.series_uid))
            results[place].append(_compromise(place, found[place], loss, places))
    return [m for place in planes for m in results[place]]


def _planes(spine: Spine, shapes: Shapes, segmentations: Mapping[str, Segmentation]) -> dict[Place, _Plane | Gap]:
    """The plane of every mid-body and disc, head to foot; C1 has no body and there is no disc below it."""
    upward = upward_by_level(spine)
    planes: dict[Place, _Plane | Gap] = {}
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


def _diameter(spine: Spine, place: Place, plane: _Plane | Gap, sacs: SacMasks) -> tuple[Place, SacDiameter | Gap]:
    """The diameter in the first of the place's series that gives one, and the place with that series.

    At a disc between two stations the sac of the upper vertebra's series is tried before that of the lower one's.
    """
    levels = [level for level in (place.level, place.lower) if level is not None]
    uids = spine.sac_series(*levels)
    tried = [(replace(place, series_uid=uid), _diameter_in(spine, place, plane, sacs, uid)) for uid in uids]
    if not tried:
        return place, plane if isinstance(plane, Gap) else NO_SAC
    return next((offer for offer in tried if isinstance(offer[1], SacDiameter)), tried[0])


def _diameter_in(spine: Spine, place: Place, plane: _Plane | Gap, sacs: SacMasks, uid: str) -> SacDiameter | Gap:
    """The diameter in one series, or why there is none."""
    if isinstance(plane, Gap):
        return plane
    profile = sacs.profile(uid)
    if isinstance(profile, Gap):
        return profile
    series = {v.series_uid for v in spine.vertebrae if v.level in (place.level, place.lower)}
    shown = [sacs.segmentations[u] for u in (*series, uid) if u in sacs.segmentations]
    if len({frame for s in shown if (frame := s.geometry.frame_of_reference_uid)}) > 1:
        return Gap(Status.NOT_ASSESSABLE, "bodies and thecal sac come from different frames of reference")
    if sacs.near_seam(uid, plane.point):
        return Gap(Status.EXCLUDED, f"within {SEAM_MARGIN_MM:.0f} mm of a seam of a composed series")
    found = diameter_at(profile, plane.point, plane.normal)
    if isinstance(found, SacDiameter):
        return found
    grid = sacs.segmentations[uid].geometry
    axis = grid.axis_along(2)
    outside = not 0 <= grid.to_index(plane.point)[axis] <= grid.shape[axis] - 1
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
