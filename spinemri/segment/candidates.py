"""From probabilities to lesions: connected voxels, parted where two kinds meet, with a calibrated probability."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from spinemri.lesion import MarrowChange, same_signal
from spinemri.segment.lesion_input import CHANNELS
from spinemri.segment.lesion_kinds import features_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from spinemri.segment.lesion_kinds import KindModel
    from spinemri.segment.lesion_model import LesionModel

    Mask = NDArray[np.bool_]

KINDS = tuple(MarrowChange)
SUSPICIOUS = (MarrowChange.TUMOUR, MarrowChange.SCLEROTIC, MarrowChange.ATYPICAL_HAEMANGIOMA)
"""Kinds that may be a metastasis on the sequences at hand: one operating point holds for all of them."""

SUSPECT = 0.35
"""Share of the evidence for these kinds together from which a change may be a metastasis, whatever comes first."""

LEAST_BENIGN_MM3 = 200.0
"""Smaller spots of fat or oedema have no consequence and are many: they are not reported."""

_CHANGED = 0.2  # probability of any change from which a voxel belongs to a lesion
_PART = 0.25  # share of a lesion from which another kind in it is a lesion of its own
_PART_MM3 = 250.0
_TOUCHING = ndimage.generate_binary_structure(3, 2)


@dataclass(frozen=True, eq=False)
class Candidate:
    """Connected voxels that may be a lesion.

    Parameters
    ----------
    mask : (slices, rows, columns)
    shares : evidence per kind, in the order of ``MarrowChange``; adds up to 1
    mean : mean probability of any change in it
    volume_mm3 : of the mask
    probability : calibrated, that it is a lesion
    seen_in : sequences that show it
    """

    mask: Mask
    shares: NDArray[np.floating]
    mean: float
    volume_mm3: float
    probability: float
    seen_in: tuple[str, ...] = CHANNELS

    @property
    def kind(self) -> MarrowChange:
        """The kind with most evidence."""
        return KINDS[int(self.shares.argmax())]

    @property
    def suspicious(self) -> bool:
        """Whether it may be a metastasis, see ``suspicion``."""
        return suspicion(self.shares, self.seen_in) >= SUSPECT


def find_candidates(probabilities: NDArray[np.float32], voxel_mm3: float, model: LesionModel) -> list[Candidate]:
    """Every candidate above the least volume, largest first, whether or not it reaches an operating point.

    Parameters
    ----------
    probabilities : (1 + kinds, slices, rows, columns)
    voxel_mm3 : volume of a voxel
    model : calibration and least volume
    """
    changed = 1 - probabilities[0]
    found = []
    for mask in _parts(changed > _CHANGED, probabilities[1:], voxel_mm3):
        volume = float(mask.sum()) * voxel_mm3
        if volume < model.least_volume_mm3:
            continue
        mean = float(changed[mask].mean())
        evidence = probabilities[1:, mask].mean(axis=1)
        shares = evidence / max(float(evidence.sum()), 1e-6)
        found.append(Candidate(mask, shares, mean, volume, model.calibration.probability(mean, volume)))
    return sorted(found, key=lambda c: -c.volume_mm3)


def suspicion(shares: Sequence[float] | NDArray[np.floating], seen_in: Iterable[str] = CHANNELS) -> float:
    """Share of the evidence, in the order of ``MarrowChange``, for kinds that may be a metastasis.

    Those are the suspicious ones, and what has the signal of tumour on the sequences at hand though others would tell:
    on T2w alone, fat is as bright as many a metastasis.
    """
    names = tuple(seen_in)
    may = [k in SUSPICIOUS or MarrowChange.TUMOUR in same_signal(k, names, always=False) for k in KINDS]
    return float(sum(share for suspect, share in zip(may, shares, strict=True) if suspect))


def told_apart(candidates: Sequence[Candidate], volume: NDArray[np.floating], model: LesionModel) -> list[Candidate]:
    """The candidates with evidence that weighs what the whole of each looks like, largest first.

    Neighbours that then turn out to be of one kind are one lesion.

    Parameters
    ----------
    candidates : from ``find_candidates``
    volume : (channels, slices, rows, columns) the network's input
    model : calibration, and what tells kinds apart; without that the candidates stay as they are
    """
    kinds = model.kinds
    if kinds is None or not candidates:
        return list(candidates)
    changed = np.any([candidate.mask for candidate in candidates], axis=0)
    told = [_told(candidate, volume, changed, kinds) for candidate in candidates]
    found: list[Candidate] = []
    for kind in dict.fromkeys(candidate.kind for candidate in told):
        alike = [candidate for candidate in told if candidate.kind is kind]
        labels, _ = ndimage.label(np.any([c.mask for c in alike], axis=0), _TOUCHING)
        regions = [int(labels[c.mask][0]) for c in alike]
        for region in dict.fromkeys(regions):
            pieces = [c for c, own in zip(alike, regions, strict=True) if own == region]
            found.append(pieces[0] if len(pieces) == 1 else _told(_joined(pieces, model), volume, changed, kinds))
    return sorted(found, key=lambda c: -c.volume_mm3)


def _told(candidate: Candidate, volume: NDArray[np.floating], changed: Mask, kinds: KindModel) -> Candidate:
    return replace(candidate, shares=kinds.shares(features_of(volume, changed, candidate.mask, candidate.shares)))


def _joined(pieces: Sequence[Candidate], model: LesionModel) -> Candidate:
    """One candidate of several; mean and evidence are those of all voxels."""
    volumes = np.array([piece.volume_mm3 for piece in pieces])
    shares = np.average([piece.shares for piece in pieces], axis=0, weights=volumes)
    mean, volume = float(np.average([piece.mean for piece in pieces], weights=volumes)), float(volumes.sum())
    mask = np.any([piece.mask for piece in pieces], axis=0)
    return Candidate(mask, shares, mean, volume, model.calibration.probability(mean, volume))


def reported(candidates: list[Candidate], model: LesionModel) -> list[Candidate]:
    """Candidates that reach the operating point of their kind, benign ones from 0.2 mL on."""

    def reaches(candidate: Candidate) -> bool:
        if candidate.suspicious:
            return candidate.probability >= model.operating_point
        return candidate.probability >= model.benign_point and candidate.volume_mm3 >= LEAST_BENIGN_MM3

    return [candidate for candidate in candidates if reaches(candidate)]


def _parts(changed: Mask, kinds: NDArray[np.float32], voxel_mm3: float) -> Iterator[Mask]:
    """Connected regions; one in which several kinds have large parts of their own is parted."""
    labels, _ = ndimage.label(changed, _TOUCHING)
    for number, box in enumerate(ndimage.find_objects(labels), start=1):
        region = labels[box] == number
        best = kinds[(slice(None), *box)].argmax(axis=0)
        sizes = np.bincount(best[region], minlength=len(KINDS))
        large = [k for k in range(len(KINDS)) if sizes[k] >= max(_PART * region.sum(), _PART_MM3 / voxel_mm3)]
        pieces = [region]
        if len(large) > 1:
            rest = np.where(np.isin(best, large) & region, best + 1, 0)
            nearest = ndimage.distance_transform_edt(rest == 0, return_distances=False, return_indices=True)
            assigned = rest[tuple(nearest)]
            pieces = [region & (assigned == k + 1) for k in large]
        for piece in pieces:
            mask = np.zeros(changed.shape, dtype=bool)
            mask[box] = piece
            yield mask
