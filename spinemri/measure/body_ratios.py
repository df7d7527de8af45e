"""A body's posterior height against its neighbours', and its wedge ratio against healthy adults.

Crush ratio: posterior height / that of the body directly above or below (Eastell 1991, McCloskey 1993): a crushed body
keeps its wedge ratio and loses these. Wedge z: (ratio - mean) / standard deviation of asymptomatic adults at that
level; only where such a row was published (T10 to L2).

Known failure: two neighbours that are crushed alike have a crush ratio near 1, and beside a body that lost height only
behind an intact one seems too tall; only the height losses compare with bodies that are known to be intact.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from spinemri.anatomy import StructureKind
from spinemri.language import Phrases
from spinemri.measure.catalogue import Gap, Place
from spinemri.measure.height_loss import adjacent
from spinemri.measure.vertebra import BodyShape
from spinemri.measurement import Measurement, Status
from spinemri.norms import norm

if TYPE_CHECKING:
    from spinemri.measure.bodies import Shapes
    from spinemri.spine import Spine

phrases = Phrases("measure.body_ratios")

NAMES = ("crush_ratio_above", "crush_ratio_below", "wedge_ratio_z")


def ratio_measurements(spine: Spine, shapes: Shapes) -> list[Measurement]:
    """Crush ratios and wedge z of every body, head to foot."""
    order = [v.level for v in spine.vertebrae]
    found: list[Measurement] = []
    for n, vertebra in enumerate(spine.vertebrae):
        place = Place(StructureKind.VERTEBRAL_BODY, vertebra.level, None, vertebra.series_uid)
        shape = shapes[vertebra.level]
        if isinstance(shape, Gap):
            found += [place.absent(name, shape) for name in NAMES]
            continue
        above = [v for v in order[max(n - 1, 0) : n] if adjacent(v, vertebra.level)]
        below = [v for v in order[n + 1 : n + 2] if adjacent(vertebra.level, v)]
        others = [next((shapes[v] for v in levels), None) for levels in (above, below)]
        found += [_crush(place, name, shape, other) for name, other in zip(NAMES[:2], others, strict=True)]
        found.append(_wedge_z(place, shape))
    return found


def _crush(place: Place, name: str, shape: BodyShape, other: BodyShape | Gap | None) -> Measurement:
    if not isinstance(other, BodyShape):
        where = name.rsplit("_", 1)[1]
        return place.absent(name, Gap(Status.NOT_ASSESSABLE, phrases.BODY_DIRECTLY_NOT_MEASURED.format(where=where)))
    ratio = float(shape.heights[2] / other.heights[2])
    sd = ratio * float(np.hypot(shape.sd[2] / shape.heights[2], other.sd[2] / other.heights[2]))
    return place.measured(name, ratio, sd)


def _wedge_z(place: Place, shape: BodyShape) -> Measurement:
    healthy = norm("wedge_ratio", place.level.name)
    if healthy is None or healthy.sd is None:
        return place.absent(
            NAMES[2], Gap(Status.NOT_ASSESSABLE, phrases.NO_PUBLISHED_WEDGE_RATIO_HEALTHY.format(level=place.level))
        )
    ratio = float(shape.heights[0] / shape.heights[2])
    sd = ratio * float(np.hypot(shape.sd[0] / shape.heights[0], shape.sd[2] / shape.heights[2]))
    return place.measured(NAMES[2], (ratio - healthy.value) / healthy.sd, sd / healthy.sd)
