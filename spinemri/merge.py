"""Each vertebra exists once in the patient, however many series show it.

Bodies of different series are the same vertebra when their centres lie within a third of a body's height of each other
in patient coordinates; series in other frames of reference can only be matched by level name, and that is said. A body
is measured where it is whole and best seen: T1w shows bone and its cortex best, T2w the thecal sac.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from spinemri.anatomy import StructureKind
from spinemri.series import Contrast
from spinemri.spine import LevelAssignment, LevelBasis, Spine, Vertebra

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spinemri.anatomy import Level
    from spinemri.geometry import Vector
    from spinemri.image import Image
    from spinemri.segmentation import Segmentation

_BODY_CONTRASTS = (Contrast.T1W, Contrast.T2W, Contrast.STIR, Contrast.T2W_FS, Contrast.PDW)
_SAC_CONTRASTS = (Contrast.T2W, Contrast.STIR, Contrast.T2W_FS, Contrast.DIXON_WATER, Contrast.T1W)
_PART_OF_HEIGHT = 1 / 3
_USUAL_HEIGHT_MM = 25.0
_LEAST_SHARE = 0.6
_LEAST_SAC_MM3 = 1500.0


@dataclass(frozen=True)
class _Seen:
    """One body in one series."""

    series: int
    assignment: LevelAssignment
    centre: Vector
    height_mm: float
    volume_mm3: float
    edge_mm: float
    cut: bool


def merge(
    images: Sequence[Image],
    segmentations: Sequence[Segmentation],
    assignments: Sequence[tuple[LevelAssignment, ...]],
) -> Spine:
    """The spine of one study from the segmentations of its series.

    Parameters
    ----------
    images, segmentations, assignments : parallel, one per series; assignments name the bodies of the segmentation

    Returns
    -------
    Spine with each vertebra once, head to foot. A body's centre and mask come from the series that shows it best: not
    cut by the field of view, not much smaller than in other series, then by contrast (T1w, T2w, STIR, others). Its name
    comes from the surest assignment, between equals from the series in which it lies farther from the edge of the
    field of view. Warnings tell of bodies that different series name differently and of different frames of reference.
    """
    seen = [
        body
        for n, (image, segmentation, named) in enumerate(zip(images, segmentations, assignments, strict=True))
        for body in _bodies(n, image, segmentation, named)
    ]
    frames = [segmentation.geometry.frame_of_reference_uid for segmentation in segmentations]
    groups = _match(seen, frames)
    warnings = _conflicts(groups, images)
    if len({frame for n, frame in enumerate(frames) if any(b.series == n for b in seen)}) > 1:
        warnings.append("series have different frames of reference: their vertebrae are matched by level name only")
    chosen: dict[Level, Vertebra] = {}
    for group in groups:
        vertebra = _vertebra(group, images)
        known = chosen.get(vertebra.level)
        if known is not None:
            warnings.append(f"two vertebrae in different places are called {vertebra.level}: the surer one is kept")
        if known is None or vertebra.assignment.confidence > known.assignment.confidence:
            chosen[vertebra.level] = vertebra
    vertebrae, note = _one_kind_of_names(list(chosen.values()))
    return Spine(vertebrae=vertebrae, sac_series_uid=_sac_series(images, segmentations), warnings=(*warnings, *note))


def _bodies(number: int, image: Image, segmentation: Segmentation, named: tuple[LevelAssignment, ...]) -> list[_Seen]:
    by_level = {assignment.level: assignment for assignment in named}
    geometry, found = segmentation.geometry, []
    boxes = ndimage.find_objects(segmentation.voxels.astype(np.int32, copy=False))
    for value, structure in segmentation.structures.items():
        box = boxes[value - 1] if value <= len(boxes) else None
        if structure.kind is not StructureKind.VERTEBRAL_BODY or structure.level is None or box is None:
            continue
        index = np.argwhere(segmentation.voxels[box] == value) + [b.start for b in box]
        centre = geometry.to_patient(index.mean(axis=0))
        low, high = np.percentile(geometry.to_patient(index)[:, 2], (2, 98))
        inplane = [a for a in range(3) if a != geometry.axis_along(0)]
        room = [
            min(index[:, a].min(), geometry.shape[a] - 1 - index[:, a].max()) * geometry.spacing[a] for a in inplane
        ]
        fallback = LevelAssignment(level=structure.level, basis=LevelBasis.ASSUMED, confidence=0.0)
        found.append(
            _Seen(
                series=number,
                assignment=by_level.get(structure.level, fallback),
                centre=(float(centre[0]), float(centre[1]), float(centre[2])),
                height_mm=float(high - low),
                volume_mm3=float(len(index) * np.prod(geometry.spacing)),
                edge_mm=float(min(room)),
                cut=structure in segmentation.cut or _in_gap(index, image, geometry.axis_along(0)),
            )
        )
    return found


def _in_gap(index: np.ndarray[tuple[int, ...], np.dtype[np.intp]], image: Image, across: int) -> bool:
    """Whether a missing slice runs through the middle of a body."""
    middle = float(index[:, across].mean())
    return any(abs(k - middle) < 0.75 for k in image.missing_slices) if across == 0 else False


def _match(seen: list[_Seen], frames: list[str | None]) -> list[list[_Seen]]:
    """Groups of bodies that are one vertebra: nearest centres first, at most one body per series in a group."""
    groups: list[list[_Seen]] = []
    for body in sorted(seen, key=lambda b: -b.assignment.confidence):
        best, least = None, 1.0
        for group in groups:
            if any(other.series == body.series for other in group):
                continue
            nearness = min(_nearness(body, other, frames) for other in group)
            if nearness < least:
                best, least = group, nearness
        if best is None:
            groups.append([body])
        else:
            best.append(body)
    return groups


def _nearness(one: _Seen, two: _Seen, frames: list[str | None]) -> float:
    """Distance of two centres in thirds of a body's height; below 1 they are one vertebra."""
    if frames[one.series] != frames[two.series]:
        return 0.99 if one.assignment.level == two.assignment.level else float("inf")
    whole = [b.height_mm for b in (one, two) if not b.cut] or [_USUAL_HEIGHT_MM]
    distance = float(np.linalg.norm(np.subtract(one.centre, two.centre)))
    return distance / (_PART_OF_HEIGHT * max(whole))


def _vertebra(group: list[_Seen], images: Sequence[Image]) -> Vertebra:
    namer = max(group, key=lambda b: (not b.assignment.level.is_relative, b.assignment.confidence, b.edge_mm))
    largest = max(b.volume_mm3 for b in group)

    def worth(body: _Seen) -> tuple[bool, bool, int, float]:
        rank = _rank(images[body.series].series.contrast, _BODY_CONTRASTS)
        return not body.cut, body.volume_mm3 >= _LEAST_SHARE * largest, -rank, body.edge_mm

    best = max(group, key=worth)
    return Vertebra(
        assignment=namer.assignment,
        centre=best.centre,
        series_uid=images[best.series].series.series_uid,
        seen_in=tuple(images[b.series].series.series_uid for b in sorted(group, key=lambda b: b.series)),
        cut=best.cut,
    )


def _rank(contrast: Contrast, order: tuple[Contrast, ...]) -> int:
    return order.index(contrast) if contrast in order else len(order)


def _conflicts(groups: list[list[_Seen]], images: Sequence[Image]) -> list[str]:
    warnings = []
    for group in groups:
        names = {b.assignment.level.name: images[b.series].series.label for b in group}
        if len(names) > 1:
            said = ", ".join(f"{level} in series {label}" for level, label in names.items())
            warnings.append(f"one vertebra has different names: {said}; the surer name is used")
    return warnings


def _one_kind_of_names(vertebrae: list[Vertebra]) -> tuple[tuple[Vertebra, ...], tuple[str, ...]]:
    """True and relative names have no common order: relative ones are left out when there are true ones."""
    true = sorted((v for v in vertebrae if not v.level.is_relative), key=lambda v: v.level.rank)
    relative = sorted((v for v in vertebrae if v.level.is_relative), key=lambda v: v.level.rank)
    if not true or not relative:
        return tuple(true or relative), ()
    return tuple(true), (f"{len(relative)} vertebrae without a true level name were left out",)


def _sac_series(images: Sequence[Image], segmentations: Sequence[Segmentation]) -> str | None:
    """Series whose thecal sac is measured: bright fluid first; a contrast counts only with enough sac."""
    best: tuple[int, float, str] | None = None
    for image, segmentation in zip(images, segmentations, strict=True):
        sac = segmentation.mask_of_kind(StructureKind.THECAL_SAC, StructureKind.CORD)
        volume = float(np.count_nonzero(sac) * np.prod(segmentation.geometry.spacing))
        if volume < _LEAST_SAC_MM3:
            continue
        offer = (_rank(image.series.contrast, _SAC_CONTRASTS), -volume, image.series.series_uid)
        if best is None or offer < best:
            best = offer
    return best[2] if best else None
