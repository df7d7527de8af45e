"""Thecal sac and cord at every disc and mid-body of the spine.

Bodies may come from one series and the sac from another: both are brought together in patient coordinates, which is
right only within one frame of reference and as far as the patient lay still.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from spinemri.image import SEAM_MARGIN_MM
from spinemri.language import Phrases
from spinemri.measure.canal_statements import compromise_statements, cord_statements, sac_statements
from spinemri.measure.catalogue import Gap, Place
from spinemri.measure.cord import TAPER_MM, CordSection, cord_at
from spinemri.measure.cord_signal import cord_signals, signal_statements
from spinemri.measure.planes import CanalPlane, canal_planes
from spinemri.measure.sac import Diameter, area_within, compromises, diameter_at, to_end
from spinemri.measure.sac_masks import SacMasks, no_sac
from spinemri.measurement import Measurement, Status
from spinemri.norms import threshold

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from spinemri.anatomy import Level
    from spinemri.image import Image
    from spinemri.measure.bodies import Shapes
    from spinemri.measure.sac import Compromise
    from spinemri.spine import Spine

phrases = Phrases("measure.canal")

_USUAL_LEVEL_MM = 30.0


def _no_cord() -> Gap:
    return Gap(Status.NOT_ASSESSABLE, phrases.NO_CORD)


@dataclass(frozen=True, eq=False)
class CanalReading:
    """What was read at one place: the sac's diameter, edges and area, and the cord; or why there is nothing.

    ``edges`` are those of the sac at its narrowest, front and back: mm to posterior from its centre line; ``to_end``
    mm along it to the sac's lower end.
    """

    plane: CanalPlane | Gap
    sac: Diameter | Gap
    area: float | None = None
    edges: tuple[float, float] = (0.0, 0.0)
    to_end: float = math.inf
    cord: CordSection | Gap = field(default_factory=_no_cord)


Readings = dict[Place, CanalReading]


def canal_measurements(
    spine: Spine, shapes: Shapes, sacs: SacMasks, images: Sequence[Image], barred: Collection[Level] = ()
) -> list[Measurement]:
    """Sac and cord at every disc and mid-body, what they lost against normal levels, the cord's signal, head to foot.

    Parameters
    ----------
    images : of the series; the cord's signal is read in those that are T2w
    barred : levels whose body lost 20 % of its height or more; a reference there only if the sac is unremarkable
    """
    readings: Readings = {}
    for wanted, plane in canal_planes(spine, shapes, sacs.segmentations).items():
        place, sac = _sac(spine, wanted, plane, sacs)
        readings[place] = CanalReading(plane, sac)
    readings = {place: _completed(readings, place, sacs) for place in readings}
    signals = cord_signals(images, sacs)
    results: dict[Place, list[Measurement]] = {place: [] for place in readings}
    for at_disc in (False, True):
        places = [p for p in readings if (p.lower is not None) == at_disc]
        excluded = [n for n, p in enumerate(places) if p.level in barred or p.lower in barred]
        chosen = [readings[p] for p in places]
        lost = _lost(chosen, sacs, places, excluded)
        for n, place in enumerate(places):
            uid = place.series_uid
            edges = sacs.edge_sd_mm(uid), sacs.drawing(uid)
            results[place] = [
                *sac_statements(place, chosen[n], edges),
                *cord_statements(place, chosen[n], edges, sacs.slice_mm(uid)),
                *compromise_statements(place, chosen[n], [losses[n] for losses in lost], (places, chosen)),
                *signal_statements(place, chosen[n].plane, signals, _gap(chosen[n].cord)),
            ]
    return [m for place in readings for m in results[place]]


def _gap(found: CordSection | Gap) -> Gap | None:
    return found if isinstance(found, Gap) else None


def _lost(
    readings: list[CanalReading], sacs: SacMasks, places: list[Place], excluded: list[int]
) -> tuple[list[Compromise | None], ...]:
    """Loss of the sac's diameter, of its area and of the cord's diameter, place by place."""
    sd = max((sacs.edge_sd_mm(p.series_uid) for p in places), default=0.0)
    diameters = [r.sac.value if isinstance(r.sac, Diameter) else None for r in readings]
    cords = [r.cord.diameter.value if isinstance(r.cord, CordSection) else None for r in readings]
    ending = [n for n, r in enumerate(readings) if isinstance(r.cord, CordSection) and r.cord.to_end < TAPER_MM]
    known = [a for r in readings if (a := r.area) is not None]
    area_sd = threshold("interval.sac_area") * float(np.median(known)) if known else 0.0
    return (
        compromises(diameters, sd, excluded),
        compromises([r.area for r in readings], area_sd, excluded),
        compromises([None if n in ending else value for n, value in enumerate(cords)], sd, excluded),
    )


def _completed(readings: Readings, place: Place, sacs: SacMasks) -> CanalReading:
    """The reading with area and edges of the sac, and the cord in it."""
    reading, uid = readings[place], place.series_uid
    profile = sacs.profile(uid)
    if isinstance(reading.sac, Gap):
        return replace(reading, cord=reading.sac)
    if isinstance(profile, Gap) or isinstance(reading.plane, Gap) or uid is None:
        return reading
    index, level_mm = reading.sac.index, _level_mm(readings, place)
    edges = float(profile.front[index]), float(profile.back[index])
    found = replace(reading, area=area_within(profile, index), edges=edges, to_end=to_end(profile, index))
    cord = sacs.cord(uid)
    middle = profile.line.nearest_to_plane(reading.plane.point, reading.plane.normal)
    if cord is None or middle is None:
        return found
    section = cord_at(profile, cord, middle, level_mm, sacs.pixel_mm(uid))
    return replace(found, cord=Gap(Status.NOT_ASSESSABLE, section) if isinstance(section, str) else section)


def _level_mm(readings: Readings, place: Place) -> float:
    """Distance to the next places of the same kind in the same series."""
    same = [p for p in readings if (p.lower is None) == (place.lower is None)]
    own = readings[place].plane
    near = [same[n] for n in (same.index(place) - 1, same.index(place) + 1) if 0 <= n < len(same)]
    planes = [plane for p in near if isinstance(plane := readings[p].plane, CanalPlane)]
    if isinstance(own, Gap) or not planes:
        return _USUAL_LEVEL_MM
    return float(np.mean([np.linalg.norm(plane.point - own.point) for plane in planes]))


def _sac(spine: Spine, place: Place, plane: CanalPlane | Gap, sacs: SacMasks) -> tuple[Place, Diameter | Gap]:
    """The diameter in the first of the place's series that gives one, and the place with that series.

    At a disc between two stations the sac of the upper vertebra's series is tried before that of the lower one's.
    """
    levels = [level for level in (place.level, place.lower) if level is not None]
    uids = spine.sac_series(*levels)
    tried = [(replace(place, series_uid=uid), _sac_in(spine, place, plane, sacs, uid)) for uid in uids]
    if not tried:
        return place, plane if isinstance(plane, Gap) else no_sac()
    return next((offer for offer in tried if isinstance(offer[1], Diameter)), tried[0])


def _sac_in(spine: Spine, place: Place, plane: CanalPlane | Gap, sacs: SacMasks, uid: str) -> Diameter | Gap:
    """The diameter in one series, or why there is none."""
    if isinstance(plane, Gap):
        return plane
    profile = sacs.profile(uid)
    if isinstance(profile, Gap):
        return profile
    series = {v.series_uid for v in spine.vertebrae if v.level in (place.level, place.lower)}
    shown = [sacs.segmentations[u] for u in (*series, uid) if u in sacs.segmentations]
    if len({frame for s in shown if (frame := s.geometry.frame_of_reference_uid)}) > 1:
        return Gap(Status.NOT_ASSESSABLE, phrases.BODIES_THECAL_SAC_COME_FROM)
    if sacs.near_seam(uid, plane.point):
        return Gap(Status.EXCLUDED, phrases.WITHIN_MM_SEAM_COMPOSED_SERIES.format(margin=SEAM_MARGIN_MM))
    found = diameter_at(profile, plane.point, plane.normal)
    if isinstance(found, Diameter):
        return found
    grid = sacs.segmentations[uid].geometry
    axis = grid.axis_along(2)
    outside = not 0 <= grid.to_index(plane.point)[axis] <= grid.shape[axis] - 1
    return Gap(Status.OUT_OF_FIELD if outside else Status.NOT_ASSESSABLE, found)
