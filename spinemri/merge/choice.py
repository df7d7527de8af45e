"""Which series a vertebra is measured in, and why the others give way.

A body is measured where it is whole, away from seams of a composed image, in a series that is not composed, well
segmented, of the contrast that shows bone best, at least 20 mm from the edge of the field of view, with fine pixels;
then where the edge is farthest. Nothing is averaged. Source: clinical convention for stations and composed series.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from spinemri.anatomy import StructureKind
from spinemri.image import SEAM_MARGIN_MM
from spinemri.language import Phrases
from spinemri.series import Contrast
from spinemri.spine import OtherView

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spinemri.geometry import Vector
    from spinemri.image import Image
    from spinemri.merge.seen import Seen
    from spinemri.segmentation import Segmentation

phrases = Phrases("merge.choice")

_SAFE_EDGE_MM = 20.0
_LEAST_SHARE = 0.6  # of the median of what the series show: one that is drawn too large must not rule out the others
_LEAST_SAC_MM3 = 1500.0
_LEAST_SAC_ROOM_MM = 10.0
_BODY_CONTRASTS = (Contrast.T1W, Contrast.T2W, Contrast.STIR, Contrast.T2W_FS, Contrast.PDW)
_SAC_CONTRASTS = (Contrast.T2W, Contrast.STIR, Contrast.T2W_FS, Contrast.DIXON_WATER, Contrast.T1W)


def best_view(group: Sequence[Seen], images: Sequence[Image]) -> tuple[Seen, tuple[OtherView, ...]]:
    """The view of one vertebra that is measured, and the others with the reason why not, in the study's order."""
    usual = float(np.median([body.volume_mm3 for body in group if not body.cut] or [b.volume_mm3 for b in group]))
    worth = {body.series: _worth(body, images[body.series], usual) for body in group}
    best = max(group, key=lambda body: worth[body.series])
    rest = sorted((body for body in group if body is not best), key=lambda body: body.series)
    others = tuple(
        OtherView(
            series_uid=images[body.series].series.series_uid,
            reason=_reason((body, best), (worth[body.series], worth[best.series]), images),
        )
        for body in rest
    )
    return best, others


def exclusion(body: Seen, image: Image) -> str:
    """Why a body is not measured although it is whole; empty when it may be."""
    if not body.near_seam:
        return ""
    return phrases.WITHIN_MM_SEAM_COMPOSED_SERIES.format(margin=SEAM_MARGIN_MM, label=image.series.label)


def _worth(body: Seen, image: Image, usual_mm3: float) -> tuple[float, ...]:
    """Higher is better; the order of the criteria is that of the module's first paragraph."""
    return (
        not body.cut,
        not body.near_seam,
        not image.series.composed,
        body.volume_mm3 >= _LEAST_SHARE * usual_mm3,
        -_rank(image.series.contrast, _BODY_CONTRASTS),
        min(body.edge_mm, _SAFE_EDGE_MM),
        -_pixel_mm(image),
        body.edge_mm,
    )


def _reason(
    bodies: tuple[Seen, Seen], worth: tuple[tuple[float, ...], tuple[float, ...]], images: Sequence[Image]
) -> str:
    """The first criterion that decided against ``bodies[0]`` and for ``bodies[1]``."""
    body, best = bodies
    edges = phrases.NEARER_EDGE_FIELD_VIEW_MM.format(own=body.edge_mm, best=best.edge_mm)
    contrasts = [images[b.series].series.contrast.value for b in bodies]
    words = (
        phrases.FIELD_VIEW_CUTS,
        phrases.WITHIN_MM_SEAM.format(margin=SEAM_MARGIN_MM),
        phrases.COMPOSED_FROM_STATIONS,
        phrases.LESS_SEGMENTED,
        phrases.SHOWS_BONE_BETTER_THAN.format(better=contrasts[1], worse=contrasts[0]),
        edges,
        phrases.COARSER_PIXELS,
        edges,
    )
    return next((word for word, mine, its in zip(words, *worth, strict=True) if mine != its), phrases.NOT_BETTER_SEEN)


def sac_series(images: Sequence[Image], segmentations: Sequence[Segmentation]) -> str | None:
    """Series whose thecal sac is measured where nothing else is said: bright fluid first, then the most sac."""
    best: tuple[int, float, str] | None = None
    for image, segmentation in zip(images, segmentations, strict=True):
        volume = _sac_mm3(segmentation)
        if volume < _LEAST_SAC_MM3:
            continue
        offer = (_rank(image.series.contrast, _SAC_CONTRASTS), -volume, image.series.series_uid)
        if best is None or offer < best:
            best = offer
    return best[2] if best else None


class SacViews:
    """The thecal sac in every series: which one shows it best at a place in the patient."""

    def __init__(self, images: Sequence[Image], segmentations: Sequence[Segmentation]) -> None:
        self._images = images
        self._reach = [_sac_reach(segmentation) for segmentation in segmentations]

    def best(self, centre: Vector, body: Image) -> str | None:
        """Series whose sac is measured beside a body with this centre (LPS mm); None when no series shows one there.

        Away from the end of the field and from seams first, then bright fluid, then the series in which the ``body``
        is measured, then as for bodies.
        """
        frame = body.geometry.frame_of_reference_uid
        offers = []
        for image, reach in zip(self._images, self._reach, strict=True):
            grid = image.geometry
            axis = grid.axis_along(2)
            row, spacing = float(grid.to_index(centre)[axis]), grid.spacing[axis]
            if reach is None or grid.frame_of_reference_uid != frame or not reach[0] <= row <= reach[1]:
                continue
            room = min(row, grid.shape[axis] - 1 - row) * spacing
            worth = (
                not image.near_seam(centre),
                room >= _LEAST_SAC_ROOM_MM,
                -_rank(image.series.contrast, _SAC_CONTRASTS),
                not image.series.composed,
                image is body,
                min(room, _SAFE_EDGE_MM),
                -_pixel_mm(image),
                room,
            )
            offers.append((worth, image.series.series_uid))
        return max(offers)[1] if offers else None


def _sac_reach(segmentation: Segmentation) -> tuple[int, int] | None:
    """First and last row (along the head-foot axis of the array) of the sac; None when there is too little of it."""
    if _sac_mm3(segmentation) < _LEAST_SAC_MM3:
        return None
    mask = segmentation.mask_of_kind(StructureKind.THECAL_SAC, StructureKind.CORD)
    axis = segmentation.geometry.axis_along(2)
    rows = np.flatnonzero(mask.any(axis=tuple(a for a in range(3) if a != axis)))
    return int(rows[0]), int(rows[-1])


def _sac_mm3(segmentation: Segmentation) -> float:
    sac = segmentation.mask_of_kind(StructureKind.THECAL_SAC, StructureKind.CORD)
    return float(np.count_nonzero(sac) * np.prod(segmentation.geometry.spacing))


def _rank(contrast: Contrast, order: tuple[Contrast, ...]) -> int:
    return order.index(contrast) if contrast in order else len(order)


def _pixel_mm(image: Image) -> float:
    """Larger side of a pixel in the sagittal plane, to a tenth of a millimetre."""
    grid = image.geometry
    return round(max(grid.spacing[grid.axis_along(1)], grid.spacing[grid.axis_along(2)]), 1)
