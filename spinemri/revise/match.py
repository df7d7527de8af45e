"""What a review speaks of is found again in this analysis: bodies and lesions by their place, or by name without one.

Centres of neighbouring bodies lie 16 mm apart or more (``segment/sizes.py``), so that within 7 mm there is one. A
lesion is the same within 10 mm (own choice). Known failure: one of two lesions that lie nearer to each other and of
which another version finds only the other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from spinemri.anatomy import Level
    from spinemri.review import Point, ReviewedAnalysis

_BODY_MM, _LESION_MM = 7.0, 10.0


def levels_in(read: ReviewedAnalysis, spine: Mapping[Level, Point]) -> dict[str, Level]:
    """Level names of the analysis that was read -> the level that the same body has here.

    Parameters
    ----------
    spine : level of each vertebra here -> centre of its body, LPS mm
    """
    here = {str(level): centre for level, centre in spine.items()}
    level_of = {str(level): level for level in spine}
    return {name: level_of[found] for name, found in _same(read.levels, here, _BODY_MM).items()}


def lesions_in(read: ReviewedAnalysis, lesions: Mapping[str, Point]) -> dict[str, str]:
    """Lesion ids of the analysis that was read -> the id that the same lesion has here.

    Parameters
    ----------
    lesions : id of each lesion here -> its centre, LPS mm
    """
    return _same(read.lesions, lesions, _LESION_MM)


def _same(read: Mapping[str, Point], here: Mapping[str, Point], within_mm: float) -> dict[str, str]:
    """Pairs of one thing, nearest first, each in one pair at most; equal names first at equal distance."""
    if not read:
        return {name: name for name in here}
    pairs = sorted(
        (round(float(np.linalg.norm(np.subtract(there, centre))), 1), name != other, name, other)
        for name, there in read.items()
        for other, centre in here.items()
    )
    found: dict[str, str] = {}
    for distance, _, name, other in pairs:
        if distance <= within_mm and name not in found and other not in found.values():
            found[name] = other
    return found
