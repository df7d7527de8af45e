"""What kind of change a candidate is: the network's evidence, weighed with what the whole of it looks like.

The network judges voxel by voxel; that a rim lies around fat, a frame around a whole vertebra, or that the endplate
across the disc is changed too, is seen on the candidate. Its features are weighed by a small network of one hidden
layer, fitted on simulated changes (``training.lesion_kinds``); a bundle without one leaves the evidence as it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from spinemri.lesion import MarrowChange
from spinemri.segment.lesion_input import CHANNELS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    Field = NDArray[np.floating]
    Mask = NDArray[np.bool_]

_SEQUENCES = CHANNELS[:3]
_BODY, _ARCH, _DISC, _SAC = (len(CHANNELS) + n for n in range(4))
FEATURES = (
    *(f"evidence of {kind.value}" for kind in MarrowChange),
    *(f"{name} {what}" for name in _SEQUENCES for what in ("shown", "mean", "spread", "middle less border")),
    *(f"{name} of the disc beside it" for name in _SEQUENCES),
    "area", "slices", "longer along the spine", "fills its box",
    "in body", "in posterior elements", "in disc", "in sac",
    "share of the bodies", "bodies", "along an endplate", "across the disc",
)  # fmt: skip
"""What is known of a candidate, in this order."""

_MARGIN = 26  # voxels around a candidate that are looked at: beyond the disc lies the other endplate
_ENDPLATE_MM, _ACROSS_MM, _BESIDE_MM = 3.0, 5.0, 6.0
_BORDER = 2  # voxels
_PART = 0.15  # of a candidate in a body from which it counts as one of its bodies
_LEAST = 0.005
_FEW = 5
_APART = 1e3  # slices are too far apart for a distance across them to say anything


@dataclass(frozen=True, eq=False)
class KindModel:
    """Weights of the small network: features, standardised, to a hidden layer, to kinds.

    Parameters
    ----------
    mean, scale : (features,)
    hidden, hidden_offset : (units, features), (units,)
    out, out_offset : (kinds, units + features), (kinds,)
    """

    mean: Field
    scale: Field
    hidden: Field
    hidden_offset: Field
    out: Field
    out_offset: Field

    def shares(self, features: Field) -> Field:
        """Evidence per kind, in the order of ``MarrowChange``, that adds up to 1."""
        given = np.clip((features - self.mean) / self.scale, -4, 4)
        units = np.maximum(self.hidden @ given + self.hidden_offset, 0)
        logits = self.out @ np.concatenate([units, given]) + self.out_offset
        found = np.exp(logits - logits.max())
        return np.asarray(found / found.sum())


def kind_model(content: Mapping[str, object]) -> KindModel:
    """The model that a bundle's file holds. Raises LookupError, TypeError or ValueError if it does not fit."""
    if tuple(content["features"]) != FEATURES:  # type: ignore[arg-type]
        raise ValueError("features: not those of this version of spinemri")
    parts = {name: np.asarray(content[name], dtype=np.float64) for name in KindModel.__dataclass_fields__}
    units = len(parts["hidden_offset"])
    count, kinds = len(FEATURES), len(MarrowChange)
    expected = {
        "mean": (count,), "scale": (count,), "hidden": (units, count), "hidden_offset": (units,),
        "out": (kinds, units + count), "out_offset": (kinds,),
    }  # fmt: skip
    for name, shape in expected.items():
        if parts[name].shape != shape:
            raise ValueError(f"{name}: {parts[name].shape}, expected {shape}")
    return KindModel(**parts)


def features_of(volume: Field, changed: Mask, mask: Mask, shares: Field) -> Field:
    """What ``FEATURES`` names.

    Parameters
    ----------
    volume : (channels, slices, rows, columns) the network's input, pixels of 1 mm
    changed : (slices, rows, columns) every candidate
    mask : (slices, rows, columns) this one
    shares : evidence per kind
    """
    box = _around(mask)
    part, others, own = volume[(slice(None), *box)], changed[box], mask[box]
    body, disc = part[_BODY] > 0, part[_DISC] > 0
    signals = [value for n in range(len(_SEQUENCES)) for value in _signal(part[n], own)]
    to_disc = _away(disc)
    near_mask = disc & (_away(own) <= _BESIDE_MM)
    beside = [float(part[n][near_mask].mean()) if near_mask.sum() >= _FEW else 0.0 for n in range(len(_SEQUENCES))]
    found = [
        *np.log(np.asarray(shares) + _LEAST),
        *signals,
        *beside,
        *_outline(own),
        *(float((part[n] > 0)[own].mean()) for n in (_BODY, _ARCH, _DISC, _SAC)),
        *_in_bodies(body, own, others, to_disc),
    ]
    return np.asarray(found, dtype=np.float64)


def _around(mask: Mask) -> tuple[slice, slice, slice]:
    sides = [np.flatnonzero(mask.any(axis=tuple(a for a in range(3) if a != axis))) for axis in range(3)]
    first, second, third = (
        slice(max(0, int(s[0]) - margin), int(s[-1]) + margin + 1)
        for s, margin in zip(sides, (0, _MARGIN, _MARGIN), strict=True)
    )
    return first, second, third


def _away(mask: Mask) -> Field:
    """Distance (mm) within slices to a mask; far where there is none."""
    if not mask.any():
        return np.full(mask.shape, _APART)
    return np.asarray(ndimage.distance_transform_edt(~mask, sampling=(_APART, 1, 1)))


def _signal(image: Field, own: Mask) -> tuple[float, float, float, float]:
    shown = own & (image != 0)
    if shown.sum() < _FEW:
        return 0.0, 0.0, 0.0, 0.0
    values = image[shown]
    middle = ndimage.binary_erosion(own, np.ones((1, 2 * _BORDER + 1, 2 * _BORDER + 1))) & shown
    border = shown & ~middle
    apart = float(image[middle].mean() - image[border].mean()) if min(middle.sum(), border.sum()) >= _FEW else 0.0
    return 1.0, float(values.mean()), float(values.std()), apart


def _outline(own: Mask) -> tuple[float, float, float, float]:
    areas = own.sum(axis=(1, 2))
    largest = own[int(areas.argmax())]
    rows, columns = (np.flatnonzero(largest.any(axis=axis)) for axis in (1, 0))
    tall, deep = float(np.ptp(columns)) + 1, float(np.ptp(rows)) + 1
    area = float(areas.max())
    return float(np.log(area)), float(np.log((areas > 0).sum())), float(np.log(tall / deep)), area / (tall * deep)


def _in_bodies(body: Mask, own: Mask, others: Mask, to_disc: Field) -> tuple[float, float, float, float]:
    """Share of its bodies that it fills, how many those are, how much lies along an endplate, and what is across."""
    labels, count = ndimage.label(body)
    along = float((to_disc[own] <= _ENDPLATE_MM).mean())
    inside = np.bincount(labels[own], minlength=count + 1)[1:]
    mine = 1 + np.flatnonzero(inside >= _PART * own.sum())
    if not mine.size:
        return 0.0, 0.0, along, 0.0
    of_mine = np.isin(labels, mine)
    main = labels == mine[int(inside[mine - 1].argmax())]
    across = body & ~main & (to_disc <= _ACROSS_MM) & (_away(own) <= _MARGIN)
    mirrored = float(others[across].mean()) if across.sum() >= _FEW else 0.0
    return float((own & of_mine).sum() / of_mine.sum()), float(min(mine.size, 4)), along, mirrored
