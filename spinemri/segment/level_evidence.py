"""What is known of levels besides the masks: the user's word, and what surrounds the vertebrae in the image.

A narrow lumbosacral disc, or a large one between S1 and S2, misleads who looks at discs alone. The level reader looks
at the surroundings of every vertebra by itself; together they may move S1 by one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from spinemri.anatomy import Level
from spinemri.segment.instances import find_instances
from spinemri.segment.ladder import RUNG
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


def seen_levels(
    instances: Instances, classes: NDArray[np.integer], geometry: Geometry, looks: Looks
) -> tuple[Instances, Floats]:
    """The instances of a column with S1 where the looks of its vertebrae ask for it, and these looks.

    Parameters
    ----------
    instances : of ``classes``
    classes, geometry : as of ``find_instances``
    looks : points (n, 3), LPS mm -> (n, len(LADDER)) log-likelihood of each level

    Returns
    -------
    The same instances, or those with S1 one place higher or lower; (n, len(LADDER)) evidence for their bodies.
    """
    rows = looks(_centres(instances))
    moved = _moved(instances, classes, geometry, rows)
    return (instances, rows) if moved is None else (moved, looks(_centres(moved)))


def _centres(instances: Instances) -> Floats:
    return np.array([body.centre for body in instances.bodies])


def _moved(instances: Instances, classes: NDArray[np.integer], geometry: Geometry, rows: Floats) -> Instances | None:
    """The instances with another S1; None where it stays."""
    if instances.sacral is None:
        return None
    slot, confidence = instances.sacral
    places = [body.slot for body in instances.bodies]
    scores = {
        moved: np.log(share) + sum(_fit(row, place - slot - moved) for place, row in zip(places, rows, strict=True))
        for moved, share in zip((-1, 0, 1), shares_of_s1(confidence), strict=True)
    }
    moved = max(scores, key=lambda shift: scores[shift])
    last_lumbar = slot + moved - 1
    if moved == 0 or last_lumbar not in places:
        return None
    found = find_instances(classes, geometry, _centres(instances)[places.index(last_lumbar)])
    if found is None or found.sacral is None:
        return None
    share = 1 / sum(float(np.exp(score - scores[moved])) for score in scores.values())
    return replace(found, sacral=(found.sacral[0], confidence_of(share)))


def _fit(row: Floats, below_s1: int) -> float:
    level = count_from(_S1, below_s1)
    return float(row[RUNG[level]]) if level in RUNG else float(row.min())
