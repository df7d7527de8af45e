"""How far one vertebra lies apart in two series that are laid over each other by their headers.

A shift of more than 2 mm or a turn of more than 2 degrees is motion. It is applied (that vertebra is 'registered')
only if mutual information improves by it; otherwise the pair of series is not compared at that vertebra ('unpaired').
Nor is it where the body's two masks overlap by less than half after the motion: then they may be two vertebrae.
Source: clinical convention for T1w-STIR pairs, section 'alignment'.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial.transform import Rotation

from spinemri.anatomy import Structure, StructureKind
from spinemri.geometry import indices_of
from spinemri.language import Phrases
from spinemri.register.search import fits
from spinemri.spine import VertebraAlignment

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import ArrayLike, NDArray

    from spinemri.anatomy import Level
    from spinemri.geometry import Geometry, Vector
    from spinemri.image import Image
    from spinemri.register.search import Fit
    from spinemri.segmentation import Segmentation
    from spinemri.spine import Spine

    Floats = NDArray[np.float64]

phrases = Phrases("register.vertebra")

_LIMIT_MM, _LIMIT_DEG = 2.0, 2.0
_GAIN = 0.02
_LEAST_VOXELS = 200
_LEAST_OVERLAP = 0.5


def align_vertebrae(
    spine: Spine,
    fixed_image: Image,
    fixed_segmentation: Segmentation,
    moving_image: Image,
    moving_segmentation: Segmentation,
) -> tuple[VertebraAlignment, ...]:
    """Residual shift of each vertebra between two series that are laid over each other by their headers.

    Parameters
    ----------
    spine : vertebrae to look at; those that either series does not show are left out
    fixed_image, fixed_segmentation : reference series and its masks
    moving_image, moving_segmentation : the series to verify

    Returns
    -------
    One alignment per vertebra seen by both, head to foot. ``translation_mm`` (LPS) leads from a point of the fixed
    series to the same anatomy in the moving one, after the turn ``turn_deg`` about ``centre``; both are zero unless
    the status is 'registered', and ``to_moving`` applies them. ``residual_mm`` counts a shift across the slices only
    where it exceeds half the slice distance, which is all such data can show.
    """
    frames = (fixed_image.geometry.frame_of_reference_uid, moving_image.geometry.frame_of_reference_uid)
    same_frame = frames[0] == frames[1]
    found = []
    for level in spine.levels:
        body = Structure(StructureKind.VERTEBRAL_BODY, level)
        masks = fixed_segmentation.mask(body), moving_segmentation.mask(body)
        if not masks[0].any() or not masks[1].any():
            continue
        cut = body in fixed_segmentation.cut or body in moving_segmentation.cut
        uids = fixed_image.series.series_uid, moving_image.series.series_uid
        if min(np.count_nonzero(m) for m in masks) < _LEAST_VOXELS:
            found.append(_unpaired(level, uids, phrases.TOO_LITTLE_BODY_SEEN))
            continue
        grids = fixed_image.geometry, moving_image.geometry
        start = _mask_shift(masks, grids, cut=cut)
        found_fits = fits(fixed_image, masks[0], moving_image, start, same_frame=same_frame)
        judged = _judge(level, uids, found_fits, fixed_image.geometry, same_frame=same_frame)
        overlap = _overlap(masks, grids, judged)
        if overlap < _LEAST_OVERLAP:
            reason = ", ".join(
                r for r in (judged.reason.split(", ")[0] if not same_frame else "", phrases.TOO_LITTLE) if r
            )
            judged = _unpaired(level, uids, reason.format(overlap=overlap))
        found.append(judged)
    return tuple(found)


def to_moving(alignment: VertebraAlignment, points: ArrayLike) -> Floats:
    """Points (..., 3) of the moving series (LPS mm) that show the same anatomy as points of the fixed series."""
    turn = Rotation.from_rotvec(alignment.turn_deg, degrees=True)
    offset = np.asarray(points, dtype=np.float64) - alignment.centre
    turned = turn.apply(offset.reshape(-1, 3)).reshape(offset.shape)
    return np.asarray(turned + alignment.centre + alignment.translation_mm)


def motion_between(
    alignments: Iterable[VertebraAlignment], level: Level, from_uid: str, to_uid: str
) -> VertebraAlignment | None:
    """How a vertebra lies in one series against another, whichever of the two was the fixed one; None if unknown."""
    for alignment in alignments:
        if alignment.level == level:
            uids = alignment.fixed_series_uid, alignment.moving_series_uid
            if uids == (from_uid, to_uid):
                return alignment
            if uids == (to_uid, from_uid):
                return inverse(alignment)
    return None


def inverse(alignment: VertebraAlignment) -> VertebraAlignment:
    """The same alignment with the two series exchanged: ``to_moving`` of one undoes that of the other."""
    shift, centre = np.asarray(alignment.translation_mm), np.asarray(alignment.centre)
    exchanged = {
        "fixed_series_uid": alignment.moving_series_uid,
        "moving_series_uid": alignment.fixed_series_uid,
        "translation_mm": tuple((-shift).tolist()),
        "turn_deg": tuple(-v for v in alignment.turn_deg),
        "centre": tuple((centre + shift).tolist()),
    }
    return alignment.model_copy(update=exchanged)


def _overlap(
    masks: tuple[NDArray[np.bool_], NDArray[np.bool_]], grids: tuple[Geometry, Geometry], alignment: VertebraAlignment
) -> float:
    """Share of the smaller body's voxels that lie in the other body after the motion, 0 to 1."""
    points = to_moving(alignment, grids[0].to_patient(indices_of(masks[0])))
    index = np.rint(grids[1].to_index(points)).astype(int)
    inside = ((index >= 0) & (index < grids[1].shape)).all(axis=1)
    hits = np.count_nonzero(masks[1][tuple(index[inside].T)]) * np.prod(grids[0].spacing)
    sizes = [np.count_nonzero(mask) * np.prod(grid.spacing) for mask, grid in zip(masks, grids, strict=True)]
    return float(hits / min(sizes))


def _unpaired(level: Level, uids: tuple[str, str], reason: str) -> VertebraAlignment:
    return VertebraAlignment(
        level=level,
        fixed_series_uid=uids[0],
        moving_series_uid=uids[1],
        residual_mm=None,
        status="unpaired",
        reason=reason,
    )


def _judge(
    level: Level, uids: tuple[str, str], both: tuple[Fit, Fit], geometry: Geometry, *, same_frame: bool
) -> VertebraAlignment:
    """Aligned, registered or unpaired, from the fit of the headers and the best rigid fit."""
    rest, best = both
    residual, turn = _residual(best.shift, geometry), abs(best.turn_deg)
    reason, status = "" if same_frame else "frame_of_reference_mismatch", "aligned"
    if residual > _LIMIT_MM or turn > _LIMIT_DEG:
        improved = best.information > rest.information * (1 + _GAIN)
        status = "registered" if improved else "unpaired"
        why = "patient_motion_between_series" if improved else phrases.NO_RIGID_SHIFT_IMPROVES_AGREEMENT
        reason = ", ".join(r for r in (reason, why if same_frame or not improved else "") if r)
    return VertebraAlignment(
        level=level,
        fixed_series_uid=uids[0],
        moving_series_uid=uids[1],
        residual_mm=round(residual, 2),
        rotation_deg=round(turn, 2),
        status=status,
        reason=reason,
        **(_motion(best, geometry) if status == "registered" else {}),
    )


def _motion(fit: Fit, geometry: Geometry) -> dict[str, Vector]:
    x, y, z = (geometry.axes[:, geometry.axis_along(0)] * fit.turn_deg).tolist()
    return {"translation_mm": fit.shift, "turn_deg": (x, y, z), "centre": fit.centre}


def _residual(shift: tuple[float, float, float], geometry: Geometry) -> float:
    """Length of a shift in mm; across the slices only what exceeds half the slice distance."""
    parts = np.asarray(shift) @ geometry.axes
    across = geometry.axis_along(0)
    parts[across] = np.sign(parts[across]) * max(0.0, abs(parts[across]) - geometry.spacing[across] / 2)
    return float(np.linalg.norm(parts))


def _mask_shift(
    masks: tuple[NDArray[np.bool_], NDArray[np.bool_]], grids: tuple[Geometry, Geometry], *, cut: bool
) -> Floats:
    """Shift (LPS mm) between the body's masks: the centroids of their voxels; none for a body that is cut."""
    if cut:
        return np.zeros(3)
    centres = [grid.to_patient(indices_of(mask)).mean(axis=0) for mask, grid in zip(masks, grids, strict=True)]
    return np.asarray(centres[1] - centres[0], dtype=np.float64)
