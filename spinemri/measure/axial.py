"""Thecal sac and cord on axial slices: area, depth and width at every disc and mid-body that a slice crosses.

Definition: on the axial slice nearest to where the plane through the disc or across the body meets the sac's centre
line, of several within 3 mm the one with the smallest sac. Depth and width run through the middle of the section,
front to back and right to left. Slices are rarely square to the canal: an area counts times the cosine of the angle
between slice and centre line, a length times that of its own lean. A slice that leans by more than 30 degrees is not
measured.

Loss of area is told as for sagittal series (``sac.compromises``), from axial slices alone. The share of fluid is that
of the sac's section brighter than half-way between the darkest tissue around it (5th percentile within 6 mm) and the
brightest in the sac (95th percentile over the stack); it is told below the cord only. Source of the idea: the grades of
Schizas (Spine 2010;35:1919), which ask whether fluid is seen among the roots; the thresholds are an own choice.

Known failure: a patient who moved between the series puts a slice beside its place; sections more than 8 mm away from
the sac of the sagittal series are refused, smaller shifts are not noticed.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from spinemri.anatomy import StructureKind
from spinemri.language import Phrases
from spinemri.measure.axial_contact import wall_of
from spinemri.measure.axial_sections import Section, centre_of, fluid_share, plane_of, section_of
from spinemri.measure.catalogue import Gap, Place
from spinemri.measure.planes import CanalPlane, canal_planes
from spinemri.measure.sac import WINDOW_MM, compromises
from spinemri.measurement import Status, below_the_cord
from spinemri.norms import threshold
from spinemri.orientation import stack_axes
from spinemri.series import Contrast, Plane

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from numpy.typing import NDArray

    from spinemri.anatomy import Level
    from spinemri.image import Image
    from spinemri.measure.axial_contact import Wall
    from spinemri.measure.bodies import Shapes
    from spinemri.measure.sac import Compromise
    from spinemri.measure.sac_masks import SacMasks
    from spinemri.measurement import Measurement
    from spinemri.segmentation import Segmentation
    from spinemri.spine import Spine

    Floats = NDArray[np.float64]
    Stack = tuple[Image, Segmentation]

phrases = Phrases("measure.axial")

SAC_NAMES = ("axial_sac_area", "axial_sac_ap", "axial_sac_width")
WALL_NAMES = ("axial_sac_indent", "axial_cord_contact", "axial_csf_ring")
CORD_NAMES = ("axial_cord_area", "axial_cord_ap", "axial_cord_width", "cord_compression_ratio")
_LEANING_DEG, _APART_MM = 30.0, 8.0
_EDGES_PX, _OUTLINE_PX = threshold("interval.axial_length"), threshold("interval.axial_outline")
_CSF_SD = threshold("interval.axial_csf_fraction")
_Z95 = 1.96


class _Spot(NamedTuple):
    """Where a place's plane crosses the sac's centre line, LPS mm, the line's direction; whether a cord is there."""

    point: Floats
    along: Floats
    cord: bool


class _Slice(NamedTuple):
    """A slice of a stack beside a place, its number, and what is measured on it; ``no_cord`` says why there is none.

    ``planes`` are the masks of sac and cord on it.
    """

    stack: Stack
    number: int
    sac: Section
    cord: Section | None
    planes: tuple[NDArray[np.generic], NDArray[np.generic]]
    fluid: float | None
    no_cord: str


def axial_measurements(
    spine: Spine, shapes: Shapes, sacs: SacMasks, stacks: Sequence[Stack], barred: Collection[Level] = ()
) -> list[Measurement]:
    """What axial slices show of sac and cord, discs and mid-bodies head to foot; nothing where no slice crosses.

    Parameters
    ----------
    sacs : of the sagittal series, whose centre lines say where a place lies and how the canal runs
    stacks : axial images of the same frame of reference with their masks
    barred : levels whose body lost 20 % of its height or more; a reference there only if the sac is unremarkable
    """
    if not stacks:
        return []
    found: dict[Place, _Slice | Gap | None] = {}
    for place, plane in canal_planes(spine, shapes, sacs.segmentations).items():
        found[place] = _shown(spine, place, plane, sacs, stacks)
    results: dict[Place, list[Measurement]] = {}
    for at_disc in (False, True):
        places = [p for p in found if (p.lower is not None) == at_disc]
        excluded = [n for n, p in enumerate(places) if p.level in barred or p.lower in barred]
        shown = [found[p] for p in places]
        lost = _lost(shown, excluded)
        for n, place in enumerate(places):
            results[place] = _stated(place, shown[n], lost[n], places)
    return [m for place in found for m in results[place]]


def _lost(shown: Sequence[_Slice | Gap | None], excluded: Collection[int]) -> list[Compromise | None]:
    """Loss of the sac's area at each place of one kind."""
    areas = [s.sac.area if isinstance(s, _Slice) else None for s in shown]
    spread = [_area_sd(s.sac, s.stack) for s in shown if isinstance(s, _Slice)]
    return compromises(areas, float(np.median(spread)) if spread else 0.0, excluded)


def _shown(
    spine: Spine, place: Place, plane: CanalPlane | Gap, sacs: SacMasks, stacks: Sequence[Stack]
) -> _Slice | Gap | None:
    """The slice with the smallest sac beside a place; why it is not measured; None where no slice crosses it."""
    at = None if isinstance(plane, Gap) else _on_line(spine, place, plane, sacs)
    if at is None:
        return None
    candidates = [_cut(stack, number, at) for stack in stacks for number in _beside(stack, at.point)]
    good = [c for c in candidates if isinstance(c, _Slice)]
    if good:
        return min(good, key=lambda c: c.sac.area)
    return candidates[0] if candidates else None


def _on_line(spine: Spine, place: Place, plane: CanalPlane, sacs: SacMasks) -> _Spot | None:
    """Where the plane of a place crosses the centre line of the first sagittal series that shows the sac there."""
    levels = [level for level in (place.level, place.lower) if level is not None]
    for uid in spine.sac_series(*levels):
        profile = sacs.profile(uid)
        if isinstance(profile, Gap):
            continue
        index = profile.line.nearest_to_plane(plane.point, plane.normal)
        if index is not None:
            along = np.cross(profile.line.posterior[index], profile.line.left)
            cord = sacs.cord(uid)
            there = cord is not None and bool(np.isfinite(cord.diameter[index]))
            return _Spot(profile.line.points[index], along / np.linalg.norm(along), there)
    return None


def _beside(stack: Stack, point: Floats) -> list[int]:
    """Slices of a stack within 3 mm of a point; at least the nearest, if the point lies within the stack."""
    image, _ = stack
    grid = image.geometry
    axis, *_ = stack_axes(grid, Plane.AXIAL)
    at, mm = float(grid.to_index(point)[axis]), grid.spacing[axis]
    reach = max(WINDOW_MM, 0.5 * mm + 0.01)
    lost = image.missing_slices if axis == 0 else ()
    return [n for n in range(grid.shape[axis]) if abs(n - at) * mm <= reach and n not in lost]


def _cut(stack: Stack, number: int, spot: _Spot) -> _Slice | Gap:
    """What one slice shows, or why it is not measured."""
    (image, mask), (point, along, has_cord) = stack, spot
    grid = image.geometry
    axes = stack_axes(grid, Plane.AXIAL)
    lean = float(np.degrees(np.arccos(np.clip(abs(grid.axes[:, axes[0]] @ along), 0, 1))))
    if lean > _LEANING_DEG:
        return Gap(Status.NOT_ASSESSABLE, phrases.AXIAL_SLICE_LEANS_DEGREES_FROM.format(lean=lean))
    sac, cord = (
        plane_of(mask.mask_of_kind(*kinds), axes, number)
        for kinds in ((StructureKind.THECAL_SAC, StructureKind.CORD), (StructureKind.CORD,))
    )
    whole = section_of(sac, grid, axes, number, along)
    if whole is None:
        return Gap(Status.NOT_ASSESSABLE, phrases.NO_THECAL_SAC_FOUND_AXIAL)
    away = float(np.linalg.norm(np.cross(centre_of(sac, grid, axes, number) - point, along)))
    if away > _APART_MM:
        return Gap(Status.NOT_ASSESSABLE, phrases.SAC_LIES_MM_FROM_WHERE.format(away=away))
    inner = section_of(cord, grid, axes, number, along)
    below = not has_cord and inner is None
    fluid = fluid_share(stack, sac, axes, number) if below and image.series.contrast is Contrast.T2W else None
    return _Slice(stack, number, whole, inner, (sac, cord), fluid, below_the_cord() if below else phrases.CORD_LOST)


def _stated(
    place: Place, shown: _Slice | Gap | None, loss: Compromise | None, places: Sequence[Place]
) -> list[Measurement]:
    if shown is None:
        return []
    cord_place = replace(place, kind=StructureKind.CORD)
    if isinstance(shown, Gap):
        return [place.absent(name, shown) for name in SAC_NAMES]
    uid = shown.stack[0].series.series_uid
    here, inner = replace(place, series_uid=uid), replace(cord_place, series_uid=uid)
    made = _sizes(here, SAC_NAMES, shown.sac, shown.stack)
    if loss is not None:
        stated = here.measured("axial_sac_area_compromise_pct", loss.pct, loss.sd_pct, shown.sac.ends)
        levels = tuple(v for n in loss.references for v in (places[n].level, places[n].lower) if v is not None)
        flags = (
            *(("one_sided_reference",) if len(loss.references) == 1 else ()),
            *(("tapering_sac",) if place.lower is not None and place.lower.region == "S" else ()),
        )
        made.append(stated.model_copy(update={"reference_levels": levels, "flags": flags}))
    if shown.fluid is not None:
        made.append(here.measured("axial_csf_fraction", shown.fluid, _CSF_SD, shown.sac.ends, within=(0.0, 1.0)))
    if shown.cord is None:
        return [*made, inner.absent(CORD_NAMES[0], Gap(Status.NOT_ASSESSABLE, shown.no_cord))]
    return made + _cord(inner, shown.cord, shown)


def _cord(place: Place, cord: Section, shown: _Slice) -> list[Measurement]:
    made = _sizes(place, CORD_NAMES[:3], cord, shown.stack)
    sd = _length_sd(shown.stack)
    ratio = cord.depth / cord.width
    spread = ratio * math.hypot(sd / cord.depth, sd / cord.width)
    share = min(cord.area / shown.sac.area, 1.0)
    share_sd = share * math.hypot(
        _area_sd(cord, shown.stack) / cord.area, _area_sd(shown.sac, shown.stack) / shown.sac.area
    )
    made.append(place.measured("cord_compression_ratio", ratio, spread, cord.ends, within=(0.0, math.inf)))
    made.append(place.measured("axial_occupation_ratio", share, share_sd, cord.ends, within=(0.0, 1.0)))
    _, *within = stack_axes(shown.stack[1].geometry, Plane.AXIAL)
    down, across = (shown.stack[1].geometry.spacing[axis] for axis in within)
    wall = wall_of(*shown.planes, (down, across))
    return made + ([] if wall is None else _wall(place, wall, shown.stack))


def _wall(place: Place, wall: Wall, stack: Stack) -> list[Measurement]:
    """Indentation of the sac, contact and ring; what gaps wider and narrower by their error make of them is the range.

    An indentation is the distance of a border from others of the same sac, so that what all of them lie off cancels; a
    gap between cord and sac is one between two structures, which may lie off apart.
    """
    drawing, edge = stack[1].drawing, _EDGES_PX * _pixel_mm(stack)
    error = _Z95 * drawing.length(edge)
    indent = place.measured(WALL_NAMES[0], wall.indent, math.hypot(edge, drawing.edges), within=(0.0, math.inf))
    ranges = ((wall.contact(-error), wall.contact(error)), (wall.ring(error), wall.ring(-error)))
    values = zip(WALL_NAMES[1:], (wall.contact(), wall.ring()), ranges, strict=True)
    told = [place.measured(name, value, 0.0).model_copy(update={"interval": span}) for name, value, span in values]
    return [indent, *told]


def _sizes(place: Place, names: Sequence[str], section: Section, stack: Stack) -> list[Measurement]:
    """Area, depth and width of a section as measurements."""
    sd, every = _length_sd(stack), (0.0, math.inf)
    values = zip(names, (section.area, section.depth, section.width), (_area_sd(section, stack), sd, sd), strict=True)
    return [place.measured(name, value, spread, section.ends, within=every) for name, value, spread in values]


def _pixel_mm(stack: Stack) -> float:
    _, *within = stack_axes(stack[1].geometry, Plane.AXIAL)
    return max(stack[1].geometry.spacing[axis] for axis in within)


def _length_sd(stack: Stack) -> float:
    """Standard deviation, mm, of a length between two edges."""
    return stack[1].drawing.length(_EDGES_PX * _pixel_mm(stack))


def _area_sd(section: Section, stack: Stack) -> float:
    """Standard deviation, mm2, of an area with the outline of an ellipse."""
    outline = math.pi * math.sqrt((section.depth**2 + section.width**2) / 2)
    return stack[1].drawing.area(outline, outline * _OUTLINE_PX * _pixel_mm(stack))
