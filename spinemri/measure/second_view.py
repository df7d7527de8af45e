"""A deformity is looked at in the other series too: a mask that misses a corner of a body feigns a fracture.

Definition: the heights of a body that lost 15 % or more are measured in every other series that shows it whole, against
those of its reference bodies in that same series (series draw borders at different places). The interval of the loss is
widened to the median of what these series show, and where that lies outside it the loss is flagged ``series_differ``.

Known failure: nothing is found out in a study of one series, nor where all series share the mistake.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from spinemri.measure.bodies import shape_of, upward_by_level
from spinemri.measure.vertebra import COLUMNS, BodyShape
from spinemri.measurement import SERIES_DIFFER
from spinemri.norms import threshold

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from spinemri.anatomy import Level
    from spinemri.measure.bodies import MissingSlices, Shapes
    from spinemri.measure.height_loss import HeightLoss
    from spinemri.measurement import Measurement
    from spinemri.segmentation import Segmentation
    from spinemri.spine import Spine

_LOOKED_AT_FROM_PCT = threshold("height_loss.equivocal_from")


class OtherSeries:
    """The bodies of a spine in the series that are not measured."""

    def __init__(self, spine: Spine, segmentations: Mapping[str, Segmentation], missing: MissingSlices) -> None:
        self._spine, self._segmentations, self._missing = spine, segmentations, missing
        self._upward = upward_by_level(spine)
        self._known: dict[tuple[str, Level], NDArray[np.float64] | None] = {}

    def losses(self, level: Level, loss: HeightLoss, shapes: Shapes) -> list[float]:
        """What the body of a level lost in the column that lost most, percent, in every series that can tell."""
        vertebra = self._spine.vertebra(level)
        uids = dict.fromkeys(vertebra.seen_in if vertebra else ())
        told = [self._loss(uid, level, loss, shapes) for uid in uids if vertebra and uid != vertebra.series_uid]
        return [value for value in told if value is not None]

    def _loss(self, uid: str, level: Level, loss: HeightLoss, shapes: Shapes) -> float | None:
        column = loss.worst_column
        own = self._heights(uid, level)
        scales = [
            there[column] / here.heights[column]
            for reference in loss.reference_levels
            if isinstance(here := shapes.get(reference), BodyShape)
            and (there := self._heights(uid, reference)) is not None
        ]
        if own is None or not scales:
            return None
        return float(100 * (1 - own[column] / (np.median(scales) * loss.expected[column])))

    def _heights(self, uid: str, level: Level) -> NDArray[np.float64] | None:
        """Heights (3,) mm of a body in a series; None where it is not whole there."""
        if (uid, level) not in self._known:
            vertebra = self._spine.vertebra(level)
            shape = None
            if vertebra is not None:
                there = vertebra.model_copy(update={"series_uid": uid, "cut": False})
                shape = shape_of(there, self._segmentations, self._upward[level], self._missing)
            self._known[uid, level] = shape.heights if isinstance(shape, BodyShape) else None
        return self._known[uid, level]


def looked_at_twice(
    measurements: Sequence[Measurement], losses: Mapping[Level, HeightLoss | None], shapes: Shapes, others: OtherSeries
) -> list[Measurement]:
    """The measurements of bodies, the losses of deformed ones with what the other series show of them."""
    seen = {
        level: float(np.median(told))
        for level, loss in losses.items()
        if loss is not None
        and loss.loss_pct.max() >= _LOOKED_AT_FROM_PCT
        and (told := others.losses(level, loss, shapes))
    }
    names = {
        level: {"height_loss_pct", f"height_loss_{COLUMNS[loss.worst_column]}_pct"}
        for level in seen
        if (loss := losses[level]) is not None
    }
    return [
        _widened(m, seen[m.level]) if m.level in seen and m.lower is None and m.name in names[m.level] else m
        for m in measurements
    ]


def _widened(measurement: Measurement, other: float) -> Measurement:
    if measurement.interval is None:
        return measurement
    low, high = measurement.interval
    differ = () if low <= other <= high else (SERIES_DIFFER,)
    update = {"interval": (min(low, other), max(high, other)), "flags": (*measurement.flags, *differ)}
    return measurement.model_copy(update=update)
