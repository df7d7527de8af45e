"""Whether a series shows enough of a vertebra, and shows it in a way, that its marrow can be judged at all.

T2w alone confirms nothing, and thin slices of a 3D series are noisy: in the one person kept for tuning that has such a
series the lesion network raised 0.75 false alarms per image, so marrow is not judged by such a series alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from spinemri.anatomy import StructureKind
from spinemri.language import Phrases
from spinemri.series import Contrast

if TYPE_CHECKING:
    from spinemri.anatomy import Level
    from spinemri.image import Image
    from spinemri.segmentation import Segmentation

phrases = Phrases("segment.marrow_shown")

_THIN_MM = 2.0
_NEIGHBOURS, _SHOWN = 2, 0.5  # whole bodies that a cut one is compared with, and the share of their size


def why_not_judged(image: Image, segmentation: Segmentation, level: Level) -> str:
    """Why a vertebra's marrow cannot be judged with this series as the reference; '' when it can."""
    if not shows_enough(segmentation, level):
        return phrases.NOT_ENOUGH
    thin = image.geometry.spacing[image.geometry.axis_along(0)] < _THIN_MM
    return phrases.THIN_T2W if thin and image.series.contrast is Contrast.T2W else ""


def shows_enough(segmentation: Segmentation, level: Level) -> bool:
    """Whether a series shows a vertebra's body whole, or at least half of what it shows of its nearest neighbours."""
    body = segmentation.body(level)
    if body is None or body not in segmentation.cut:
        return body is not None
    sizes = {
        other.level.rank: int(segmentation.mask(other).sum())
        for other in segmentation.of_kind(StructureKind.VERTEBRAL_BODY)
        if other.level is not None and other not in segmentation.cut
    }
    nearest = sorted(sizes, key=lambda rank: abs(rank - level.rank))[:_NEIGHBOURS]
    usual = np.mean([sizes[rank] for rank in nearest]) if nearest else np.inf
    return bool(segmentation.mask(body).sum() >= _SHOWN * usual)


def not_enough() -> str:
    """Why the marrow of a vertebra is not judged that no series shows well enough."""
    return phrases.NOT_ENOUGH
