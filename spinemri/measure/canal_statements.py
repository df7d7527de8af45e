"""What was read of sac and cord at one place, as measurements with intervals, or with the reason why there are none.

The standard deviations are those of the pixels and of the distance of slices, as found on simulated spines whose masks
are true (``docs/accuracy.md``), and of how well borders were drawn. What a network draws wrong beyond that is not in
them.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from spinemri.anatomy import StructureKind
from spinemri.language import Phrases
from spinemri.measure.catalogue import Gap, Place
from spinemri.measure.cord import TAPER_MM, CordSection
from spinemri.measure.sac import Diameter
from spinemri.measurement import NEAR_SAC_END, Measurement, Status
from spinemri.norms import threshold

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from spinemri.measure.canal import CanalReading
    from spinemri.measure.sac import Compromise
    from spinemri.segmentation import Drawing

phrases = Phrases("measure.canal_statements")

CORD_NAMES = ("cord_ap", "cord_area", "occupation_ratio", "csf_ring_fraction", "cord_shift_mm")
_OFF_MIDLINE_MM = 6.0
_SAC_TAPER_MM = threshold("sac.taper")
_SAC_AREA_SD, _CORD_AREA_SD = threshold("interval.sac_area"), threshold("interval.cord_area")
_CORD_AP_PER_SLICE = threshold("interval.cord_ap_per_slice")
_SHIFT_SD_MM = threshold("interval.cord_shift")
_RING_SD, _EDGE_SD_MM = threshold("interval.csf_ring"), threshold("interval.sac_edge")


def sac_statements(place: Place, reading: CanalReading, edges: tuple[float, Drawing]) -> list[Measurement]:
    """Diameter and area of the sac.

    Parameters
    ----------
    edges : standard deviation, mm, of a length between two edges as the pixels give it, and how well they were drawn
    """
    pixel_sd, drawing = edges
    found, plane = reading.sac, reading.plane
    if isinstance(found, Gap) or isinstance(plane, Gap):
        gap = found if isinstance(found, Gap) else Gap(Status.NOT_ASSESSABLE, phrases.NO_PLANE)
        return [place.absent(name, gap) for name in ("dural_sac_ap", "dural_sac_area")]
    sideways = abs(float(found.ends.mean(axis=0)[0] - plane.point[0]))
    off = ("sac_off_midline",) if sideways > _OFF_MIDLINE_MM else ()
    stated = place.measured("dural_sac_ap", found.value, drawing.length(pixel_sd), found.ends)
    area = (
        place.absent("dural_sac_area", _no_area())
        if reading.area is None
        else place.measured(
            "dural_sac_area", reading.area, drawing.area(_outline(reading.area), _SAC_AREA_SD * reading.area)
        )
    )
    return [m.model_copy(update={"flags": (*plane.flags, *off, *_ending(reading))}) for m in (stated, area)]


def _ending(reading: CanalReading) -> tuple[str, ...]:
    return (NEAR_SAC_END,) if reading.to_end < _SAC_TAPER_MM else ()


def _outline(area: float) -> float:
    """Length, mm, of the outline of a circle of an area, mm2."""
    return math.sqrt(4 * math.pi * area)


def cord_statements(
    place: Place, reading: CanalReading, edges: tuple[float, Drawing], slice_mm: float
) -> list[Measurement]:
    """Diameter, area, share of the sac, fluid around and displacement of the cord.

    Parameters
    ----------
    edges : as of ``sac_statements``
    """
    pixel_sd, drawing = edges
    here, cord = replace(place, kind=StructureKind.CORD), reading.cord
    if isinstance(cord, Gap):
        return [here.absent(name, cord) for name in CORD_NAMES]
    ap_sd = drawing.length(math.hypot(pixel_sd, _CORD_AP_PER_SLICE * slice_mm))
    area_sd = drawing.area(_outline(cord.area), _CORD_AREA_SD * cord.area) / cord.area if cord.area else _CORD_AREA_SD
    every, share = (0.0, math.inf), (0.0, 1.0)
    values = {
        "cord_area": (cord.area, area_sd * (cord.area or 0.0), _no_area(), every),
        "occupation_ratio": (cord.occupation, area_sd * (cord.occupation or 0.0), _no_area(), share),
        "csf_ring_fraction": (cord.ring, _RING_SD, _no_ring(), share),
        "cord_shift_mm": (cord.shift, _SHIFT_SD_MM, _alone(), (-math.inf, math.inf)),
    }
    ends = cord.diameter.ends
    ap = here.measured("cord_ap", cord.diameter.value, ap_sd, ends, every)
    rest = [
        here.absent(name, gap) if value is None else here.measured(name, value, spread, ends, within)
        for name, (value, spread, gap, within) in values.items()
    ]
    return [ap, *rest]


def compromise_statements(
    place: Place,
    reading: CanalReading,
    losses: Sequence[Compromise | None],
    all_: tuple[Sequence[Place], Sequence[CanalReading]],
) -> list[Measurement]:
    """What the sac's diameter, its area and the cord's diameter lost, and by how much the sac's edges are pushed in.

    Parameters
    ----------
    losses : of the sac's diameter, of its area, of the cord's diameter
    all_ : places of the same kind and what was read there, which the references of the losses count
    """
    here = replace(place, kind=StructureKind.CORD)
    sac, cord = reading.sac, reading.cord
    sac_gap, cord_gap = (what if isinstance(what, Gap) else None for what in (sac, cord))
    if isinstance(cord, CordSection) and cord.to_end < TAPER_MM:
        cord_gap = _taper()
    area_gap = sac_gap or (_no_area() if reading.area is None else None)
    ends = sac.ends if isinstance(sac, Diameter) else None
    cord_ends = cord.diameter.ends if isinstance(cord, CordSection) else None
    return [
        *(
            m.model_copy(update={"flags": (*m.flags, *_ending(reading))})
            for m in (
                _stated(place, ("dural_sac_compromise_pct", sac_gap), (losses[0], ends), all_[0]),
                _stated(place, ("dural_sac_area_compromise_pct", area_gap), (losses[1], ends), all_[0]),
            )
        ),
        *_indents(place, reading, losses[0], all_[1]),
        _stated(here, ("cord_compression_pct", cord_gap), (losses[2], cord_ends), all_[0]),
    ]


def _stated(
    place: Place,
    what: tuple[str, Gap | None],
    found: tuple[Compromise | None, NDArray[np.float64] | None],
    places: Sequence[Place],
) -> Measurement:
    (name, gap), (loss, ends) = what, found
    if gap is not None or loss is None:
        return place.absent(name, gap or _no_reference())
    stated = place.measured(name, loss.pct, loss.sd_pct, ends)
    levels = tuple(v for n in loss.references for v in (places[n].level, places[n].lower) if v is not None)
    one_sided = ("one_sided_reference",) if len(loss.references) == 1 else ()
    sac = place.kind is StructureKind.THECAL_SAC
    tapering = ("tapering_sac",) if sac and place.lower is not None and place.lower.region == "S" else ()
    return stated.model_copy(update={"reference_levels": levels, "flags": (*one_sided, *tapering)})


def _indents(
    place: Place, reading: CanalReading, loss: Compromise | None, readings: Sequence[CanalReading]
) -> list[Measurement]:
    """How far the sac's front edge lies behind, and its back edge before, those of the reference levels."""
    names = ("dural_sac_front_indent_mm", "dural_sac_back_indent_mm")
    if isinstance(reading.sac, Gap) or loss is None:
        gap = reading.sac if isinstance(reading.sac, Gap) else _no_reference()
        return [place.absent(name, gap) for name in names]
    usual = np.mean([readings[n].edges for n in loss.references], axis=0)
    front, back = reading.edges[0] - usual[0], usual[1] - reading.edges[1]
    ends = reading.sac.ends
    return [
        place.measured(name, float(value), _EDGE_SD_MM, end[None])
        for name, value, end in zip(names, (front, back), ends, strict=True)
    ]


def _no_area() -> Gap:
    return Gap(Status.NOT_ASSESSABLE, phrases.NO_AREA)


def _no_ring() -> Gap:
    return Gap(Status.NOT_ASSESSABLE, phrases.NO_RING)


def _no_reference() -> Gap:
    return Gap(Status.NOT_ASSESSABLE, phrases.NO_REFERENCE)


def _taper() -> Gap:
    return Gap(Status.NOT_ASSESSABLE, phrases.TAPER.format(mm=TAPER_MM))


def _alone() -> Gap:
    return Gap(Status.NOT_ASSESSABLE, phrases.ALONE)
