"""Whether a candidate looks unlike the marrow around it: shading of the coil is no lesion.

What differs by less than 16 % from the marrow around it on every sequence at hand is not taught as a change
(``training.marrow_scenes``), so it is not reported as one. Where most of a body is changed there is no rest to compare.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from spinemri.segment.lesion_input import CHANNELS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from spinemri.segment.lesion_input import LesionInput

    Mask = NDArray[np.bool_]

LEAST_CONTRAST = 0.16
"""Least difference from the marrow around, relative: less is neither taught as a change nor reported."""

_MOST_OF_BODY = 0.4  # share of a vertebral body from which a candidate needs no rest to stand out from
_FEW, _REST = 5, 50  # voxels without which nothing is compared
_BODY, _ARCH = len(CHANNELS), len(CHANNELS) + 1


def stand_out(masks: Sequence[Mask], numbers: Sequence[int], seen: LesionInput) -> list[bool]:
    """Whether each candidate differs from the bone of its vertebra that no candidate takes, on any sequence.

    Parameters
    ----------
    masks : (slices, rows, columns) of all candidates
    numbers : zone of each candidate's vertebra
    seen : the network's input
    """
    volume = seen.volume.numpy()
    changed = np.any(masks, axis=0) if masks else np.zeros(seen.zones.shape, dtype=bool)
    bone = (volume[_BODY] > 0) | (volume[_ARCH] > 0)
    found = []
    for mask, number in zip(masks, numbers, strict=True):
        zone = seen.zones == number
        body = zone & (volume[_BODY] > 0)
        whole = bool((mask & body).sum() > _MOST_OF_BODY * max(int(body.sum()), 1))
        found.append(whole or _contrast(volume, mask, bone & zone & ~changed) >= np.log1p(LEAST_CONTRAST))
    return found


def _contrast(volume: NDArray[np.float32], mask: Mask, rest: Mask) -> float:
    """Largest difference of medians on any sequence; infinite where a sequence shows too little to compare."""
    differences = [0.0]
    for values in volume[: len(CHANNELS)]:
        inside, beside = values[mask & (values != 0)], values[rest & (values != 0)]
        if not values.any():
            continue
        if len(inside) < _FEW or len(beside) < _REST:
            return float("inf")
        differences.append(abs(float(np.median(inside) - np.median(beside))))
    return max(differences)
