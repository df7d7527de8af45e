"""What is known of levels besides the masks: the user's word, and what surrounds the vertebrae in the image.

A narrow lumbosacral disc, or a large one between S1 and S2, misleads who looks at discs alone. The level reader looks
at the surroundings of every vertebra by itself; together they may move S1 by one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from spinemri.anatomy import Level
from spinemri.segment.chain import RUNG
from spinemri.segment.instances import find_instances
from spinemri.segment.landmarks import confidence_of, shares_of_s1
from spinemri.segment.levels import count_from

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from spinemri.geometry import Geometry
    from spinemri.segment.instances import Instances
    from spinemri.segment.levels import Anchor

    Floats = NDArray[np.float64]
    Looks = Callable[[Floats], Floats]

_S1 = Level("S1")


@dataclass(frozen=True)
class Hints:
    """What is known of the levels in one image.

    Parameters
    ----------
    anchor : what the user says about one body
    looks : points (n, 3), LPS mm -> (n, len(LADDER)) log-likelihood of each level, from what surrounds them
    """

    anchor: Anchor | None = None
    looks: Looks | None = None


NO_HINTS = Hints()


def settle_s1(instances: Instances, classes: NDArray[np.integer], geometry: Geometry, looks: Looks) -> Instances:
    """The instances of a column with S1 one place higher or lower where the looks of its vertebrae ask for that.

    Parameters
    ----------
    instances : of ``classes``
    classes, geometry : as of ``find_instances``
    looks : points (n, 3), LPS mm -> (n, len(LADDER)) log-likelihood of each level
    """
    if instances.sacral is None:
        return instances
    slot, confidence = instances.sacral
    centres = {body.slot: np.array(body.centre) for body in instances.bodies}
    rows = looks(np.array(list(centres.values())))
    scores = {
        moved: np.log(share) + sum(_fit(row, place - slot - moved) for place, row in zip(centres, rows, strict=True))
        for moved, share in zip((-1, 0, 1), shares_of_s1(confidence), strict=True)
    }
    moved = max(scores, key=lambda shift: scores[shift])
    last_lumbar = centres.get(slot + moved - 1)
    if moved == 0 or last_lumbar is None:
        return instances
    found = find_instances(classes, geometry, last_lumbar)
    if found is None or found.sacral is None:
        return instances
    share = 1 / sum(float(np.exp(score - scores[moved])) for score in scores.values())
    return replace(found, sacral=(found.sacral[0], confidence_of(share)))


def _fit(row: Floats, below_s1: int) -> float:
    level = count_from(_S1, below_s1)
    return float(row[RUNG[level]]) if level in RUNG else float(row.min())
