"""Where a candidate lesion lies: of which vertebra, on which side, and whether that is bone that is looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from spinemri.anatomy import StructureKind

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spinemri.anatomy import Level
    from spinemri.segment.candidates import Candidate
    from spinemri.segment.lesion_input import LesionInput
    from spinemri.segmentation import Segmentation

_AT_ONE_SIDE = 0.15  # of the body's width from its middle: a lesion whose centre lies beyond is at that side
_ACROSS = 0.25  # of a lesion beyond the middle, on each side, makes it lie on both
_EDGE_MM = 4.0  # a change so near the border of the field reaches it
_MOSTLY, _IN_BONE = 0.5, 0.25
_SMALL_MM3, _SMALL_IN_BONE = 300.0, 0.5  # below 8 mm across, and the share of that which must lie in bone
_GROWN_OUT_MM3, _SURE = 1000.0, 0.8  # volume and probability of what may have left hardly any bone that is drawn
_BESIDE_MM, _BESIDE_BONE = 3.0, 1 / 3  # from bone, and the share of that which must lie so near it
_BONES = (StructureKind.VERTEBRAL_BODY, StructureKind.POSTERIOR_ELEMENTS)


def main_level(mask: NDArray[np.bool_], seen: LesionInput, segmentation: Segmentation) -> Level:
    """The vertebra that holds most of a lesion."""
    counts = by_level(mask, seen, segmentation)
    return max(counts, key=lambda level: counts[level])


def by_level(mask: NDArray[np.bool_], seen: LesionInput, segmentation: Segmentation) -> dict[Level, int]:
    """Voxels of a lesion per vertebra that is looked at: by the bone they lie in, else by the nearest vertebra."""
    counts = {v: n for v, n in _bone_by_level(mask, seen, segmentation).items() if v in seen.levels}
    if not counts:
        for zone, number in zip(*np.unique(seen.zones[mask], return_counts=True), strict=True):
            counts[seen.levels[int(zone)]] = int(number)
    return counts


def _bone_by_level(mask: NDArray[np.bool_], seen: LesionInput, segmentation: Segmentation) -> dict[Level, int]:
    """Voxels of a lesion per vertebra whose bone they lie in, those that are looked at in another series too."""
    counts: dict[Level, int] = {}
    values, numbers = np.unique(seen.labels[mask], return_counts=True)
    for value, number in zip(values.tolist(), numbers.tolist(), strict=True):
        structure = segmentation.structures.get(value)
        if structure is not None and structure.level is not None and structure.kind in _BONES:
            counts[structure.level] = counts.get(structure.level, 0) + number
    return counts


def in_assessed(candidate: Candidate, seen: LesionInput, segmentation: Segmentation) -> bool:
    """Whether a candidate is of bone, and most of that of vertebrae looked at here: not of one cut or seen elsewhere.

    A quarter in bone is enough, for masks of bone are ragged where a lesion is, and a tumour may have grown out of it;
    without bone it may be anything. What is too small to have grown out of bone must lie in it by half: nerve roots,
    veins and joints lie beside it. Of what is large, surely a lesion and may be a tumour, less will do where it lies at
    bone: where a tumour has destroyed an arch no arch is drawn. The sacrum below S1 is bone that nobody looks at: what
    lies in it must not take the name of S1.
    """
    size = int(candidate.mask.sum())
    counts = _bone_by_level(candidate.mask, seen, segmentation)
    here = sum(n for level, n in counts.items() if level in seen.levels)
    sacrum = [v for v, known in segmentation.structures.items() if known.kind is StructureKind.SACRUM]
    bone = sum(counts.values()) + int(np.isin(seen.labels[candidate.mask], sacrum).sum())
    if here == 0 or here < _MOSTLY * bone:
        return False
    least = _SMALL_IN_BONE if candidate.volume_mm3 < _SMALL_MM3 else _IN_BONE
    return bone >= least * size or _grown_out(candidate, seen, segmentation)


def _grown_out(candidate: Candidate, seen: LesionInput, segmentation: Segmentation) -> bool:
    """Whether a candidate may be a tumour that has left hardly any bone to be drawn: large, sure, and at bone."""
    if not candidate.suspicious or candidate.volume_mm3 < _GROWN_OUT_MM3 or candidate.probability < _SURE:
        return False
    bones = [v for v, known in segmentation.structures.items() if known.kind in _BONES]
    away = ndimage.distance_transform_edt(~np.isin(seen.labels, bones), sampling=seen.geometry.spacing)
    return bool((away[candidate.mask] <= _BESIDE_MM).mean() >= _BESIDE_BONE)


def cut_off(candidate: Candidate, level: Level, seen: LesionInput, segmentation: Segmentation) -> bool:
    """Whether a candidate of a vertebra that the field of view cuts reaches the cut: what lies beyond would tell."""
    if segmentation.body(level) not in segmentation.cut:
        return False
    geometry = segmentation.geometry
    index = geometry.to_index(seen.geometry.to_patient(np.argwhere(candidate.mask)))
    within = [axis for axis in range(3) if axis != geometry.axis_along(0)]
    spacing = np.asarray(geometry.spacing)[within]
    inside = np.minimum(index[:, within], np.asarray(geometry.shape)[within] - 1 - index[:, within]) * spacing
    return bool((inside < _EDGE_MM).any())


def in_ala(candidate: Candidate, level: Level, segmentation: Segmentation, seen: LesionInput) -> bool:
    """Whether a candidate lies in an ala of the sacrum: beside all that lies under the vertebra above.

    The anatomy counts what it sees of the alae to S1, and no simulated change has ever lain there.
    """
    if level.region != "S":
        return False
    above = [s for s in segmentation.of_kind(StructureKind.VERTEBRAL_BODY) if s.level and s.level.region != "S"]
    if not above:
        return False
    left = seen.geometry.axes[:, 0]  # slices run to the left
    body = segmentation.geometry.to_patient(np.argwhere(segmentation.mask(above[-1]))) @ left
    centre = seen.geometry.to_patient(np.argwhere(candidate.mask)).mean(axis=0) @ left
    return not body.min() <= centre <= body.max()


def side_of(mask: NDArray[np.bool_], seen: LesionInput, segmentation: Segmentation, level: Level) -> str:
    """Where a lesion lies from the middle of its vertebra's body; slices of the grid run to the patient's left."""
    body = segmentation.body(level)
    values = [v for v, known in segmentation.structures.items() if known == body]
    slices = np.flatnonzero(np.isin(seen.labels, values).any(axis=(1, 2)))
    if not slices.size:
        return ""
    middle, width = float(slices[0] + slices[-1]) / 2, float(slices[-1] - slices[0] + 1)
    places = np.argwhere(mask)[:, 0] - middle
    if min((places > 0.1 * width).mean(), (places < -0.1 * width).mean()) >= _ACROSS:
        return "both sides"
    offset = float(places.mean())
    if abs(offset) <= _AT_ONE_SIDE * width:
        return "midline"
    return "left" if offset > 0 else "right"
