"""Alignment: wedge and kyphosis angles between endplates, slips at discs, and the curve of the spine sideways.

One sign throughout: an angle is positive when the spine between its two endplates bends forward (kyphosis), negative
when it bends backward (lordosis), lumbar and cervical lordosis too. A slip is positive when the upper body lies in
front of the lower one. All lines are those of the patient lying down.

Known failure: a slip is read from wall lines through the middle of both bodies, so a rim that protrudes on one side of
the disc only is not seen; a cut or excluded body parts the spine there. Bone that is pushed back behind a broken body
draws its wall line along: the slips above and below it are then too large (by 4.9 and 2.6 mm beside one simulated
fragment of 4.5 mm). Where a front wall is waisted, its corners lie inside the rim: wedge angles come out 0.8 degrees
too large, and up to 9 where an endplate is dented deeply.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from spinemri.anatomy import Level, StructureKind
from spinemri.language import Phrases
from spinemri.measure.catalogue import Gap, Place
from spinemri.measure.coronal import coronal_curvature
from spinemri.measure.frame import unit
from spinemri.measure.height_loss import INTACT_BELOW_PCT, adjacent
from spinemri.measure.plates import Plate, body_plates, kyphosis_deg
from spinemri.measurement import Status
from spinemri.norms import threshold

if TYPE_CHECKING:
    from collections.abc import Mapping

    from spinemri.measure.bodies import MissingSlices, Shapes
    from spinemri.measure.height_loss import HeightLoss
    from spinemri.measure.plates import BodyPlates
    from spinemri.measurement import Measurement
    from spinemri.segmentation import Segmentation
    from spinemri.spine import Spine

    Plates = Mapping[Level, BodyPlates]
    Losses = Mapping[Level, HeightLoss | None]

phrases = Phrases("measure.alignment")

SLIP_PIXELS = threshold("slip.least_pixels")


class Region(NamedTuple):
    """A regional angle: its name, the two levels, and the side (0 upper, 1 lower endplate) taken of each."""

    name: str
    upper: Level
    upper_side: int
    lower: Level
    lower_side: int


REGIONS = (
    Region("thoracic_kyphosis", Level("T4"), 0, Level("T12"), 1),
    Region("lumbar_lordosis", Level("T12"), 0, Level("S1"), 0),
    Region("lumbar_lordosis", Level("L1"), 0, Level("S1"), 0),
    Region("lumbar_lordosis", Level("L4"), 0, Level("S1"), 0),
    Region("cervical_lordosis", Level("C2"), 1, Level("C7"), 1),
)
"""A regional angle is expected where its lower level is seen."""


def alignment_measurements(
    spine: Spine,
    shapes: Shapes,
    losses: Losses,
    segmentations: Mapping[str, Segmentation],
    missing: MissingSlices,
) -> list[Measurement]:
    """Angles of every body, slips of every disc, regional angles and the coronal curve, each head to foot.

    Parameters
    ----------
    spine, shapes, losses : vertebrae of one frame of reference, their six points and their height losses
    segmentations : series_uid -> segmentation
    missing : series_uid -> sagittal slices that must not be measured

    Returns
    -------
    list of Measurement
        Ids such as 'L1.wedge_angle', 'L4-L5.slip_mm', 'T4-T12.thoracic_kyphosis' (``level`` and ``lower`` are then the
        first and the last vertebra, kind VERTEBRAL_BODY). Points of an angle are the anterior and posterior corners of
        its upper and of its lower endplate; of a slip, the two corners; of the coronal curve, the two bodies' centres.
    """
    if not spine.vertebrae:
        return []
    plates = body_plates(spine, shapes, segmentations, missing)
    found: list[Measurement] = []
    for n, level in enumerate(spine.levels):
        place = Place(StructureKind.VERTEBRAL_BODY, level, None, spine.vertebrae[n].series_uid)
        found.append(_angle(place, "wedge_angle", *plates[level]))
        found.append(_local(place, spine.levels, plates, losses))
    for upper, lower in zip(spine.levels, spine.levels[1:], strict=False):
        if adjacent(upper, lower) and upper.region != "S" and upper.name != "C1":
            found += _slip(upper, lower, plates)
    found += [_regional(region, plates) for region in REGIONS if region.lower in plates]
    return [*found, coronal_curvature(spine, shapes, segmentations)]


def _angle(place: Place, name: str, top: Plate | Gap, bottom: Plate | Gap) -> Measurement:
    """The angle between two endplates, or the reason why the first of them is missing."""
    if isinstance(top, Gap):
        return place.absent(name, top)
    if isinstance(bottom, Gap):
        return place.absent(name, bottom)
    ends = np.concatenate([top.ends, bottom.ends])
    stated = place.measured(name, kyphosis_deg(top, bottom), float(np.hypot(top.sd_deg, bottom.sd_deg)), ends)
    return stated.model_copy(update={"flags": _flags(top, bottom)})


def _flags(top: Plate, bottom: Plate) -> tuple[str, ...]:
    two = ("two_series",) if top.series_uid != bottom.series_uid else ()
    return tuple(dict.fromkeys((*top.flags, *bottom.flags, *two)))


def _local(place: Place, levels: tuple[Level, ...], plates: Plates, losses: Losses) -> Measurement:
    """Bisegmental kyphosis: from the intact body above to the intact one below (PLoS ONE 10:e0135735)."""
    n = levels.index(place.level)
    above = levels[n - 1] if n and adjacent(levels[n - 1], place.level) else None
    below = levels[n + 1] if n + 1 < len(levels) and adjacent(place.level, levels[n + 1]) else None
    if above is None or below is None:
        side = phrases.ABOVE if above is None else phrases.BELOW
        return place.absent(
            "local_kyphosis", Gap(Status.NOT_ASSESSABLE, phrases.NO_VERTEBRA_SEEN_DIRECTLY.format(side=side))
        )
    top, bottom = plates[above].upper, plates[below].lower
    for level, plate in ((above, top), (below, bottom)):
        loss = losses.get(level)
        if isinstance(plate, Plate) and (loss is None or loss.loss_pct.max() >= INTACT_BELOW_PCT):
            why = phrases.HAS_LOST_HEIGHT if loss else phrases.CANNOT_COMPARED_WITH_INTACT_BODY
            return place.absent("local_kyphosis", Gap(Status.NOT_ASSESSABLE, f"{level} {why}"))
    stated = _angle(place, "local_kyphosis", top, bottom)
    return stated.model_copy(update={"reference_levels": () if stated.value is None else (above, below)})


def _regional(region: Region, plates: Plates) -> Measurement:
    upper, lower = plates.get(region.upper), plates[region.lower]
    unseen = Gap(Status.OUT_OF_FIELD, phrases.NOT_SEEN_TOGETHER_WITH.format(upper=region.upper, lower=region.lower))
    ends = upper[region.upper_side] if upper else unseen, lower[region.lower_side]
    series = ends[0].series_uid if isinstance(ends[0], Plate) else None
    place = Place(StructureKind.VERTEBRAL_BODY, region.upper, region.lower, series)
    return _angle(place, region.name, *ends)


def _slip(upper: Level, lower: Level, plates: Plates) -> list[Measurement]:
    """How far the upper body's lower posterior corner lies in front of the lower body's upper one, along its endplate.

    Millimetres and percent of that endplate's length. Both corners lie on the walls, not inset as for heights: the
    inset grows with a body's depth, and the difference of two bodies' insets would count as a slip.
    """
    above, below = plates[upper].lower, plates[lower].upper
    place = Place(StructureKind.DISC, upper, lower, above.series_uid if isinstance(above, Plate) else None)
    if isinstance(above, Gap) or isinstance(below, Gap):
        gap = above if isinstance(above, Gap) else below
        return [place.absent(name, gap) for name in ("slip_mm", "slip_pct") if isinstance(gap, Gap)]
    forward = unit(below.front - below.back)
    apart = above.back - below.back
    slip = float(apart @ forward)
    across = float(np.linalg.norm(apart - slip * forward))
    sd = float(np.linalg.norm([above.wall_sd_mm, below.wall_sd_mm, across * np.radians(below.sd_deg)]))
    ends = np.stack([above.back, below.back])
    percent = 100 / below.length_mm
    small = abs(slip) <= SLIP_PIXELS * max(above.pixel_mm, below.pixel_mm)
    flags = (*_flags(above, below), *(("below_two_pixels",) if small else ()))
    found = [
        place.measured("slip_mm", slip, sd, ends),
        place.measured("slip_pct", percent * slip, percent * sd, ends),
    ]
    return [m.model_copy(update={"flags": flags}) for m in found]
