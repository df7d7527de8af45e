"""Height, posterior height, height index and bulge of every disc, in the disc's own frame.

Height: the mean of the anterior, middle and posterior distance between the facing points of the two endplates
(`vertebra`), along the mean of their normals. Posterior height: the last of these three, 5 % of the depth inside the
wall. Height index: the mean height / the mean height of the adjacent bodies, each the mean of its anterior, middle and
posterior height (Masuda et al., Spine 2005;30:5-14); a body that lost 15 % of its height or more does not count unless
there is no other, and S1 never does. Bulge: how far the posterior margin of the disc's mask lies behind the line that
joins the posterior corners of the two endplates, the furthest of the medians over the slices within 4.5 mm of the
midline, at 15 to 85 % of the way between the corners; below 0 where it lies in front.

Known failure: a Schmorl node makes the disc higher than a reader would say; a mask of the disc that leaves out an
extruded fragment hides it; osteophytes at the posterior corners hide a bulge; one beside the midline is not seen.
In the model's masks what a disc pushes into the canal is found where fluid is bright only (`segment.protrusion`).
Networks draw the posterior corner of S1 several millimetres off: the intervals of bulge and posterior height at L5-S1
count that.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from spinemri.anatomy import Level, Structure, StructureKind
from spinemri.language import Phrases
from spinemri.measure.catalogue import Gap, Place
from spinemri.measure.contour import contour
from spinemri.measure.frame import frame_from, left_axis, unit
from spinemri.measure.height_loss import INTACT_BELOW_PCT, adjacent
from spinemri.measure.posterior_wall import binned, median_of
from spinemri.measure.vertebra import BodyShape
from spinemri.measurement import Measurement, Status
from spinemri.norms import threshold

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from numpy.typing import NDArray

    from spinemri.measure.bodies import MissingSlices, Shapes
    from spinemri.measure.contour import Contour
    from spinemri.measure.frame import Frame
    from spinemri.measure.height_loss import HeightLoss
    from spinemri.measure.posterior_wall import Walls
    from spinemri.segmentation import Segmentation
    from spinemri.spine import Spine

phrases = Phrases("measure.disc")

NAMES = ("disc_height", "disc_height_index", "disc_bulge_mm")
POSTERIOR = "posterior_disc_height"
_BETWEEN = (0.15, 0.85)
_STEP_MM = 1.0
_FACING = 0.5
_MIDDLE_MM = 4.5


@dataclass(frozen=True, eq=False)
class DiscMasks:
    """Where the masks of discs are found: series_uid -> segmentation, and slices that must not be measured."""

    segmentations: Mapping[str, Segmentation]
    missing: MissingSlices

    def of(self, place: Place, uids: Collection[str]) -> tuple[str, Segmentation, NDArray[np.bool_]] | None:
        """The first of the series that shows a disc, its segmentation and the disc's mask."""
        structure = Structure(StructureKind.DISC, place.level, place.lower)
        for uid in uids:
            segmentation = self.segmentations.get(uid)
            mask = segmentation.mask(structure) if segmentation else None
            if segmentation is not None and mask is not None and mask.any():
                return uid, segmentation, mask
        return None


def disc_places(spine: Spine) -> Iterator[Place]:
    """Every disc between two neighbours, head to foot; there is none below C1, and those of the sacrum do not count."""
    pairs = zip(spine.vertebrae, spine.vertebrae[1:], strict=False)
    for upper, lower in pairs:
        if upper.level.name != "C1" and upper.level.region != "S" and adjacent(upper.level, lower.level):
            yield Place(StructureKind.DISC, upper.level, lower.level, upper.series_uid)


def disc_measurements(
    spine: Spine, shapes: Shapes, walls: Walls, losses: Mapping[Level, HeightLoss | None], masks: DiscMasks
) -> list[Measurement]:
    """Height, height index, bulge and posterior height of every disc, head to foot.

    Parameters
    ----------
    shapes : of the bodies, and of S1 for its upper endplate
    walls : of ``shapes``
    losses : of every body with heights
    """
    found: list[Measurement] = []
    for place in disc_places(spine):
        upper, lower = (_shape(shapes, level) for level in (place.level, place.lower))
        if isinstance(upper, Gap) or isinstance(lower, Gap):
            gap = upper if isinstance(upper, Gap) else lower
            found += [place.absent(name, gap) for name in (*NAMES, POSTERIOR) if isinstance(gap, Gap)]
            continue
        height = _height(place, upper, lower)
        found += [height, _index(place, height, shapes, losses), _bulge(place, (upper, lower), walls, (spine, masks))]
        found.append(_posterior(place, upper, lower))
    return found


def _shape(shapes: Shapes, level: Level | None) -> BodyShape | Gap:
    found = shapes.get(level) if level else None
    if isinstance(found, BodyShape):
        return found
    status = found.status if found else Status.NOT_ASSESSABLE
    return Gap(status, phrases.ENDPLATE_NOT_MEASURED.format(level=level) + (f": {found.reason}" if found else ""))


def _height(place: Place, upper: BodyShape, lower: BodyShape) -> Measurement:
    normal = unit(upper.inferior_normal + lower.superior_normal)
    heights = (upper.lower - lower.upper) @ normal
    pixel = max(upper.pixel_mm, lower.pixel_mm)
    sd = max(shape.drawing.length(threshold("interval.disc_height") * pixel) for shape in (upper, lower))
    middle = (upper.lower[1] + lower.upper[1]) / 2
    half = float(heights.mean()) / 2 * normal
    stated = place.measured(NAMES[0], float(heights.mean()), sd, np.stack([middle + half, middle - half]))
    return stated.model_copy(update={"flags": tuple(dict.fromkeys((*upper.flags, *lower.flags)))})


def _posterior(place: Place, upper: BodyShape, lower: BodyShape) -> Measurement:
    """The distance of the two endplates at the posterior wall; 0 where their masks overlap there."""
    normal = unit(upper.inferior_normal + lower.superior_normal)
    height = max(float((upper.lower[2] - lower.upper[2]) @ normal), 0.0)
    pixel = max(upper.pixel_mm, lower.pixel_mm)
    own = float(np.hypot(threshold(f"interval.{POSTERIOR}") * pixel, _sacral_sd(place)))
    sd = max(shape.drawing.length(own) for shape in (upper, lower))
    middle, half = (upper.lower[2] + lower.upper[2]) / 2, height / 2 * normal
    stated = place.measured(POSTERIOR, height, sd, np.stack([middle + half, middle - half]), (0.0, np.inf))
    return stated.model_copy(update={"flags": tuple(dict.fromkeys((*upper.flags, *lower.flags)))})


def _sacral_sd(place: Place) -> float:
    """What the posterior corner of S1 adds to an error beside it, mm."""
    return threshold("interval.sacral_corner") / 2 if place.lower and place.lower.region == "S" else 0.0


def _index(place: Place, height: Measurement, shapes: Shapes, losses: Mapping[Level, HeightLoss | None]) -> Measurement:
    levels = [v for v in (place.level, place.lower) if v is not None and v.region != "S"]
    whole = [v for v in levels if (loss := losses.get(v)) is not None and loss.loss_pct.max() < INTACT_BELOW_PCT]
    used = [(v, s) for v in (whole or levels) if isinstance(s := shapes[v], BodyShape)]
    if height.value is None or height.interval is None or not used:
        return place.absent(NAMES[1], Gap(Status.NOT_ASSESSABLE, phrases.NO_ADJACENT_BODY_MEASURED))
    body = float(np.mean([s.heights.mean() for _, s in used]))
    body_sd = float(np.sqrt(sum((s.sd.mean() / len(used)) ** 2 for _, s in used)))
    index = height.value / body
    sd = float(np.hypot((height.interval[1] - height.value) / 1.96 / height.value, body_sd / body)) * index
    stated = place.measured(NAMES[1], index, sd)
    flags = () if whole else ("deformed_neighbour",)
    return stated.model_copy(update={"reference_levels": tuple(v for v, _ in used), "flags": flags})


def _bulge(
    place: Place, bodies: tuple[BodyShape, BodyShape], walls: Walls, seen: tuple[Spine, DiscMasks]
) -> Measurement:
    spine, masks = seen
    above, below = (walls.get(level) for level in (place.level, place.lower) if level is not None)
    if above is None or below is None:
        return place.absent(NAMES[2], Gap(Status.NOT_ASSESSABLE, phrases.POSTERIOR_CORNERS_BESIDE_CANNOT_FOLLOWED))
    uids = dict.fromkeys(v.series_uid for v in spine.vertebrae if v.level in (place.level, place.lower))
    found = masks.of(place, [*uids])
    if found is None:
        return place.absent(NAMES[2], Gap(Status.NOT_ASSESSABLE, phrases.NO_MASK_DISC.format(name=place.name)))
    uid, segmentation, mask = found
    top, bottom = above.lower, below.upper
    line = frame_from(bottom, top - bottom, left_axis(segmentation.geometry))
    length = float(np.linalg.norm(top - bottom))
    low, high = (share * length for share in _BETWEEN)
    edges = np.linspace(low, high, max(round((high - low) / _STEP_MM), 2) + 1)
    margins = []
    for outline in _middle_outlines(mask, segmentation, masks.missing.get(uid, frozenset()), line):
        local = line.to_local(outline.points)
        margin = (outline.normals @ line.posterior > _FACING) & (local[:, 1] > np.median(local[:, 1]))
        margins.append(binned(local[margin, 2], local[margin, 1], edges, furthest=True))
    furthest = median_of(margins) if margins else np.array([np.nan])
    if not np.isfinite(furthest).any():
        return place.absent(
            NAMES[2], Gap(Status.NOT_ASSESSABLE, phrases.MARGIN_DISC_CANNOT_FOLLOWED.format(name=place.name))
        )
    at = int(np.nanargmax(furthest))
    height = float(edges[at] + edges[at + 1]) / 2
    ends = line.to_patient([[0.0, 0.0, height], [0.0, furthest[at], height]])
    pixel = max(body.pixel_mm for body in bodies)
    own = float(np.hypot(threshold("interval.disc_bulge") * pixel, _sacral_sd(place)))
    sd = float(np.hypot(segmentation.drawing.length(own), segmentation.drawing.disc_rim))
    return place.measured(NAMES[2], float(furthest[at]), sd, ends).model_copy(update={"series_uid": uid})


def _middle_outlines(
    mask: NDArray[np.bool_], segmentation: Segmentation, skipped: Collection[int], line: Frame
) -> list[Contour]:
    """Outlines of a disc in the slices within 4.5 mm of the middle of the bodies; in the nearest one at least."""
    axis = segmentation.geometry.axis_along(0)
    shown = np.flatnonzero(mask.any(axis=tuple(a for a in range(3) if a != axis)))
    outlines = [contour(mask, segmentation.geometry, int(n)) for n in shown if n not in skipped]
    found = [outline for outline in outlines if outline is not None and len(outline.points)]
    sideways = [abs(float(line.to_local(outline.points)[:, 0].mean())) for outline in found]
    reach = max(_MIDDLE_MM, min(sideways, default=0.0))
    return [outline for outline, mm in zip(found, sideways, strict=True) if mm <= reach]
