"""T2 signal of the cord at every disc and mid-body, against the patient's own cord.

Definition: the ratio of the median T2w signal of the cord around a place (6 mm up and down) to what the whole cord of
the series leads one to expect there: a parabola along the cord, fitted so that stretches that stick out do not count.
A coil's sensitivity changes as slowly; so does nothing else. Only the slices in which the cord is nearly at its
thickest are read, and of those only what lies a voxel inside its border: fluid beside the cord is brighter than any
disease in it. Nor is the taper to a conus read, where slices mix ever more fluid in.

Known failure: a change along most of the cord that is seen becomes what is expected. Ringing at the border of cord and
fluid (Gibbs) can draw a bright line along the middle. A cord thinner than three pixels is not read, nor the upper 15 mm
and the lower 25 mm of what is seen, where coil, gradients and masks are at their worst.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree

from spinemri.anatomy import StructureKind
from spinemri.language import Phrases
from spinemri.measure.catalogue import Gap, Place
from spinemri.measure.centreline import STEP_MM
from spinemri.measure.contour import box_around
from spinemri.measure.planes import CanalPlane
from spinemri.measurement import Measurement, Status, below_the_cord
from spinemri.norms import threshold
from spinemri.series import Contrast

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from spinemri.image import Image
    from spinemri.measure.sac_masks import SacMasks
    from spinemri.measure.sections import Profile

    Floats = NDArray[np.float64]

phrases = Phrases("measure.cord_signal")

NAMES = ("cord_t2_ratio", "cord_t2_length_mm")
_RAISED = threshold("cord_signal.raised_from")
_LEAST_CORD_MM = threshold("cord_signal.least_cord")
_UPPER_END_MM, _LOWER_END_MM = threshold("cord_signal.end_margin"), threshold("cord.taper")
_RATIO_SD, _LENGTH_SD_MM = threshold("interval.cord_t2_ratio"), threshold("interval.cord_t2_length")
_AROUND_MM, _THICK, _FEW = 6.0, 0.8, 5
_ROUNDS, _HUBER = 8, 0.06  # rounds of reweighting; deviation (logarithm) from which a place counts less


@dataclass(frozen=True, eq=False)
class CordSignal:
    """Signal of the cord along the centre line of one series: measured / expected, (n,); nan where it is not read."""

    series_uid: str
    profile: Profile
    ratio: Floats


def cord_signals(images: Sequence[Image], sacs: SacMasks) -> tuple[CordSignal | Gap, ...]:
    """The cord's T2 signal in every T2w series that shows it, or why one of them gives none."""
    found: list[CordSignal | Gap] = []
    for image in images:
        uid = image.series.series_uid
        if image.series.contrast is not Contrast.T2W or uid not in sacs.segmentations:
            continue
        cord = sacs.cord(uid)
        if cord is None:
            continue
        measured = _along_the_line(image, sacs.segmentations[uid].mask_of_kind(StructureKind.CORD), cord)
        if np.isfinite(measured).sum() * STEP_MM < _LEAST_CORD_MM:
            found.append(_short())
            continue
        found.append(CordSignal(uid, cord, _without_ends(measured / _expected(measured))))
    return tuple(found)


def signal_statements(
    place: Place, plane: CanalPlane | Gap, signals: Sequence[CordSignal | Gap], absent: Gap | None = None
) -> list[Measurement]:
    """Ratio of the cord's signal and length of the raised stretch at a place; 0 mm where it is not raised.

    Parameters
    ----------
    absent : why the cord was not measured there, if it was not
    """
    here = replace(place, kind=StructureKind.CORD)
    read = [signal for signal in signals if isinstance(signal, CordSignal)]
    offers = [_at(here, plane, signal) for signal in read] if isinstance(plane, CanalPlane) else []
    gap = plane if isinstance(plane, Gap) else _not_here() if read else _short() if signals else _no_t2()
    gap = absent if absent is not None and absent.reason == below_the_cord() else gap
    return next((offer for offer in offers if offer), [here.absent(name, gap) for name in NAMES])


def _at(place: Place, plane: CanalPlane, signal: CordSignal) -> list[Measurement]:
    index = signal.profile.line.nearest_to_plane(plane.point, plane.normal)
    half = round(_AROUND_MM / STEP_MM)
    if index is None:
        return []
    near = signal.ratio[max(index - half, 0) : index + half + 1]
    if np.isfinite(near).sum() < half:
        return []
    here = replace(place, series_uid=signal.series_uid)
    length = _raised_length(signal.ratio, index, half)
    return [
        here.measured(NAMES[0], float(np.nanmedian(near)), _RATIO_SD),
        here.measured(NAMES[1], length, _LENGTH_SD_MM, within=(0.0, math.inf)),
    ]


def _raised_length(ratio: Floats, index: int, half: int) -> float:
    """Length, mm, of the stretch of raised signal that reaches to within 6 mm of a place."""
    labels, _ = ndimage.label(np.nan_to_num(ndimage.median_filter(ratio, 2 * _FEW + 1)) >= _RAISED)
    near = labels[max(index - half, 0) : index + half + 1]
    return float(max((np.sum(labels == n) for n in np.unique(near[near > 0])), default=0)) * STEP_MM


def _along_the_line(image: Image, mask: NDArray[np.bool_], cord: Profile) -> Floats:
    """Median signal of the cord's inner voxels at every point of the line (n,); nan where there are few."""
    across = image.geometry.axis_along(0)
    plane = np.ones([1 if a == across else 3 for a in range(3)], dtype=bool)
    values = np.full(len(cord.front), np.nan)
    if not mask.any():
        return values
    box = box_around(mask, (1, 1, 1))
    inner = np.argwhere(ndimage.binary_erosion(mask[box], plane)) + [side.start for side in box]
    if not len(inner) or not len(cord.slices):
        return values
    _, index = cKDTree(cord.line.points).query(_in_midplane(image, inner, cord))
    chords = cord.edges[..., 1] - cord.edges[..., 0]
    row = np.full(mask.shape[across], -1)
    row[cord.slices] = np.arange(len(cord.slices))
    rows = row[inner[:, across]]
    with np.errstate(invalid="ignore"):
        thick = chords >= _THICK * np.nanmax(np.where(np.isfinite(chords), chords, 0), axis=0)
    kept = (rows >= 0) & thick[rows, index]
    signal, index = image.voxels[tuple(inner[kept].T)].astype(np.float64), index[kept]
    half = round(_AROUND_MM / 2 / STEP_MM)
    order = np.argsort(index, kind="stable")
    signal, index = signal[order], index[order]
    starts = np.searchsorted(index, np.arange(len(values)) - half)
    stops = np.searchsorted(index, np.arange(len(values)) + half, side="right")
    for n, (start, stop) in enumerate(zip(starts, stops, strict=True)):
        if stop - start >= _FEW and np.isfinite(cord.front[n]):
            values[n] = np.median(signal[start:stop])
    return np.where(values > 0, values, np.nan)


def _without_ends(ratio: Floats) -> Floats:
    """The ratio (n,), head to foot, but for both ends of what is seen, where the field of view or the conus ends."""
    known = np.flatnonzero(np.isfinite(ratio))
    upper, lower = round(_UPPER_END_MM / STEP_MM), round(_LOWER_END_MM / STEP_MM)
    found = np.full(len(ratio), np.nan)
    inner = slice(known[0] + upper, known[-1] + 1 - lower)
    found[inner] = ratio[inner]
    return found


def _in_midplane(image: Image, indices: NDArray[np.intp], cord: Profile) -> Floats:
    """Points (m, 3) of voxels, moved sideways onto the line's plane, so that only height along it counts."""
    points = image.geometry.to_patient(indices)
    middle = cord.line.points.mean(axis=0)
    return np.asarray(points - ((points - middle) @ cord.line.left)[:, None] * cord.line.left)


def _expected(signal: Floats) -> Floats:
    """A parabola through the logarithm of the signal along the line, by Huber weights."""
    place = np.linspace(-1, 1, len(signal))
    known = np.isfinite(signal)
    table, log = np.polynomial.polynomial.polyvander(place, 2), np.log(np.where(known, signal, 1.0))
    weight = known.astype(np.float64)
    fitted = np.zeros(len(signal))
    for _ in range(_ROUNDS):
        root = np.sqrt(weight)
        best = np.linalg.lstsq(table * root[:, None], log * root, rcond=None)[0]
        fitted = table @ best
        weight = known * np.minimum(1.0, _HUBER / np.maximum(np.abs(log - fitted), 1e-9))
    return np.asarray(np.exp(fitted))


def _no_t2() -> Gap:
    return Gap(Status.NOT_ASSESSABLE, phrases.NO_T2)


def _not_here() -> Gap:
    return Gap(Status.NOT_ASSESSABLE, phrases.NOT_HERE)


def _short() -> Gap:
    return Gap(Status.NOT_ASSESSABLE, phrases.SHORT.format(mm=_LEAST_CORD_MM))
