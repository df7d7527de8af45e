"""What goes wrong with the pixels of a series: noise, motion, ghosts, wrap and signal voids.

Each check was set so that it finds its fault in simulated images and is silent on healthy people (15 of Chu 2015, one
of Zukić 2014) and on 40 clean phantoms. Where a limit has no source in the literature its text says that it is our own.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from spinemri.anatomy import StructureKind
from spinemri.language import Phrases
from spinemri.measure.medians import median_3x3
from spinemri.measure.upright import FEW
from spinemri.quality import QualityCheck

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from spinemri.anatomy import Level
    from spinemri.measure.upright import Upright

    Floats = NDArray[np.floating]
    Mask = NDArray[np.bool_]
    Spectrum = NDArray[np.complexfloating]

phrases = Phrases("measure.artefacts")

SNR_LIMIT = 6.0
"""Marrow signal / noise. A lesion of half the signal of marrow then differs from it by 3 standard deviations of one
voxel, the least that is seen reliably (Rose 1948: 3 to 5)."""
MOTION_LIMIT_MM = 1.0
"""Shift of every other slice; our own: about a pixel, four times what healthy people show (at most 0.3 mm)."""
GHOSTING_LIMIT_PCT = 10.0
"""Ghost / its origin; our own: lumbar series of healthy people have at most 4 %, with a mat behind the back 7 %; 3D T2w
of four necks has 4 to 13 %, and ghosts that can be seen in the air at the upper end of that."""
WRAP_LIMIT = 0.6
"""Correlation of opposite edges; our own: without wrap at most 0.53, with simulated wrap 0.7 to 1."""
METAL_LIMIT_ML = 0.5
"""Volume of a void; our own: healthy people show none on T1w and T2w, simulated healthy bodies at most 0.4 mL."""

_AROUND_LEVEL_MM = 5.0
_THIN_MM = 2.0
_LEAST_PAIRS = 4
_WIDE_MM = 8.0
_REACH_MM = 6.0
_STEP_MM = 2.0
_NEAREST_GHOST_MM = 30.0
_GHOST_SLICES = 9
_LEAST_SPREAD = 0.07  # of bright tissue; an origin that varies less would leave no ghost to see
_EDGE_BLUR_MM, _EDGE_DETAIL_MM = 2.0, 10.0
_EDGE_SHARE = 0.15
_VOID_SHARE = 0.1
_CLOSE_MM, _SHELL_MM = 8.0, 2.0
_MOST_NOISE = 0.25


def snr(view: Upright) -> QualityCheck:
    """Signal-to-noise ratio of marrow; of back muscle (discs without it) where fat, and marrow with it, is suppressed.

    Definition: median signal, freed from the noise floor of magnitude images (sqrt(S² - 2 σ²), Gudbjartsson 1995), over
    σ. Noise comes from the air behind the back where that is single-coil (Rayleigh) noise that was neither masked nor
    rounded away: interquartile range / 0.9066; else from the median absolute Laplacian within bodies and discs
    (Immerkær 1996). ``levels`` are those where even the brighter quarter of spinal tissue stays below the limit: the
    coil does not reach them.

    Known failure: an offset added to all voxels, and interpolation or denoising by the scanner, make it too high;
    coarse trabeculae and sharpening filters make it too low. Parallel imaging has more noise inside the patient than in
    the air.
    """
    tissue = view.inner(StructureKind.VERTEBRAL_BODY)
    if view.suppressed:
        tissue = view.muscle if np.count_nonzero(view.muscle) >= FEW else view.inner(StructureKind.DISC)
    noise = view.noise
    if np.count_nonzero(tissue) < FEW or noise is None:
        return _unknown("snr", "1", SNR_LIMIT, phrases.TOO_LITTLE_SPINE_SEEN)
    if noise == 0:
        return _unknown("snr", "1", SNR_LIMIT, phrases.NO_NOISE_LEFT_IMAGE_MASKED)
    value = _above_noise(float(np.median(view.signal[tissue])), noise) / noise
    faint = tuple(level for level, rows in _levels(view) if _bright_signal(view, rows, noise) < SNR_LIMIT * noise)
    where = "" if value < SNR_LIMIT else phrases.WHERE.format(levels=level_names(faint))
    number = (
        phrases.TOO_LOW.format(value=value, limit=SNR_LIMIT)
        if value < SNR_LIMIT
        else phrases.LIMIT.format(limit=SNR_LIMIT)
    )
    line = phrases.SERIES_SIGNAL_NOISE_RATIO_SMALL.format(label=view.series.label, number=number, where=where)
    passed = value >= SNR_LIMIT and not faint
    return QualityCheck(
        name="snr",
        value=round(value, 1),
        unit="1",
        limit=SNR_LIMIT,
        passed=passed,
        reason="" if passed else line,
        levels=faint,
    )


def _above_noise(signal: float, noise: float) -> float:
    return float(np.sqrt(max(signal**2 - 2 * noise**2, 0.0)))


def _bright_signal(view: Upright, rows: slice, noise: float) -> float:
    """Signal of the brighter quarter of spinal tissue between two rows, noise taken off."""
    return _above_noise(_bright_tissue(view, rows), noise)


def _bright_tissue(view: Upright, rows: slice) -> float:
    return float(np.percentile(view.signal[:, rows][view.spine[:, rows]], 75))


def _levels(view: Upright) -> Iterator[tuple[Level, slice]]:
    """Each whole body's level and the rows around it."""
    margin = round(_AROUND_LEVEL_MM / view.spacing[1])
    for structure in view.segmentation.of_kind(StructureKind.VERTEBRAL_BODY):
        box, body = _body(view, structure.level)
        rows = np.flatnonzero(body.any(axis=(0, 2))) + box[1].start
        if rows.size and structure.level is not None and structure not in view.segmentation.cut:
            yield structure.level, slice(max(0, int(rows[0]) - margin), int(rows[-1]) + margin + 1)


def _body(view: Upright, level: Level | None) -> tuple[tuple[slice, ...], Mask]:
    """The part of the grid that holds the body of one level, and its voxels there; an empty one of a body not seen."""
    wanted = StructureKind.VERTEBRAL_BODY
    values = [v for v, s in view.segmentation.structures.items() if s.kind is wanted and s.level == level]
    boxes = [view.boxes[value] for value in values if value in view.boxes] or [(slice(0, 0),) * 3]
    box = tuple(slice(min(s.start for s in sides), max(s.stop for s in sides)) for sides in zip(*boxes, strict=True))
    return box, np.isin(view.labels[box], values) & view.shown[box[0], None, None]


def motion(view: Upright) -> QualityCheck:
    """Shift of every other slice against those between them: the patient moved between two interleaved passes.

    Definition: in-plane shift between neighbouring slices where the spine is seen (peak of the cross-correlation of
    detail below 8 mm, to a part of a pixel); its part that changes sign from pair to pair, as a median over the stack
    (mm). The slow drift of a curved spine has no such part.

    Known failure: motion within a pass blurs and does not show here (see ``ghosting``); series acquired in one pass or
    in three, and slices that were interpolated afterwards. Slices closer than 2 mm count as one 3D acquisition, which
    has no passes.
    """
    if view.spacing[0] < _THIN_MM:
        return _unknown("motion", "mm", MOTION_LIMIT_MM, phrases.SLICES_CLOSER_THAN_MM_ARE)
    spine = view.spine
    pairs = [k for k in range(len(spine) - 1) if spine[k].any() and spine[k + 1].any()]
    if len(pairs) < _LEAST_PAIRS:
        return _unknown("motion", "mm", MOTION_LIMIT_MM, phrases.SPINE_SEEN_TOO_FEW_NEIGHBOURING)
    box = _around(np.asarray(np.any(spine, axis=0)), view.spacing[1:])
    seen = {k: np.fft.rfft2(_detail(view.smooth[k][box], view.spacing[1:])) for k in {*pairs, *(k + 1 for k in pairs)}}
    shape = view.smooth[0][box].shape
    found = [_shift((seen[k], seen[k + 1]), shape, view.spacing[1:]) * (-1) ** k for k in pairs]
    value = float(np.linalg.norm(np.median(found, axis=0)))
    line = phrases.SERIES_EVERY_OTHER_SLICE_SHIFTED.format(label=view.series.label, value=value, limit=MOTION_LIMIT_MM)
    return _judged(("motion", "mm"), round(value, 2), MOTION_LIMIT_MM, line)


def _around(mask: Mask, spacing: Sequence[float]) -> tuple[slice, slice]:
    """The box of a plane that holds a mask and 10 mm around it."""
    edges = []
    for axis, mm in enumerate(spacing):
        lines = np.flatnonzero(mask.any(axis=1 - axis))
        edges.append(slice(max(0, int(lines[0] - 10 / mm)), int(lines[-1] + 10 / mm)))
    return edges[0], edges[1]


def _shift(spectra: tuple[Spectrum, Spectrum], shape: tuple[int, ...], spacing: Sequence[float]) -> Floats:
    """In-plane shift (mm) that leads from one plane to another, at most 6 mm along either axis, by their spectra."""
    likeness = np.fft.irfft2(np.conj(spectra[0]) * spectra[1], shape)
    reach = [min(round(_REACH_MM / mm), (n - 1) // 2) for mm, n in zip(spacing, shape, strict=True)]
    near = np.roll(likeness, reach, (0, 1))[: 2 * reach[0] + 1, : 2 * reach[1] + 1]
    peak = np.unravel_index(np.argmax(near), near.shape)
    lines = near[:, peak[1]], near[peak[0]]
    return np.array([(_top(line, int(p)) - r) * mm for line, p, r, mm in zip(lines, peak, reach, spacing, strict=True)])


def _detail(plane: Floats, spacing: Sequence[float]) -> Floats:
    fine = plane - ndimage.gaussian_filter(plane, [_WIDE_MM / mm for mm in spacing])
    windows = [np.sqrt(np.hanning(n)) for n in plane.shape]
    return np.asarray(fine * np.outer(*windows))


def _top(line: Floats, place: int) -> float:
    """Top of the parabola through the highest point of a line and its neighbours."""
    if not 0 < place < len(line) - 1:
        return float(place)
    left, middle, right = (float(v) for v in line[place - 1 : place + 2])
    bend = left - 2 * middle + right
    return place + (left - right) / (2 * bend) if bend < 0 else float(place)


def ghosting(view: Upright) -> QualityCheck:
    """Copies of the patient in the air behind the back.

    Definition: for every displacement of 30 mm or more up-down or front-back, the slope (%) of the signal in the air on
    the signal of the image displaced by it, on a 2 mm grid; the largest. A ghost of a tenth of the signal, shifted by a
    half or a third of the field, makes it 10.

    Known failure: ghosts of pulsating vessels and CSF that do not reach the air; ghosts displaced up-down behind a
    straight back (a third of simulated ones was missed); air that the scanner masked; mats with a signal of their own.
    """
    with_air = np.flatnonzero(view.air.any(axis=(1, 2)) & view.spine.any(axis=(1, 2)))
    if not with_air.size:
        return _unknown("ghosting", "%", GHOSTING_LIMIT_PCT, phrases.NO_AIR_BEHIND_BACK_SEEN)
    step = [max(1, round(_STEP_MM / mm)) for mm in view.spacing[1:]]
    chosen = with_air[np.unique(np.linspace(0, with_air.size - 1, _GHOST_SLICES).round().astype(int))]
    grid = (chosen, slice(None, None, step[0]), slice(None, None, step[1]))
    signal, air = view.smooth[grid], view.air[grid]
    signal = (
        signal - np.array([np.median(s[a]) if a.any() else 0 for s, a in zip(signal, air, strict=True)])[:, None, None]
    )
    least = _LEAST_SPREAD * float(np.percentile(signal, 98))
    slopes = [0.0]
    for axis in (1, 2):
        nearest = int(_NEAREST_GHOST_MM / (view.spacing[axis] * step[axis - 1]))
        slopes += _slopes(signal, air, axis, (nearest, least))
    value = 100 * max(slopes)
    line = phrases.SERIES_GHOSTS_SIGNAL_ABOVE_PATIENT.format(
        label=view.series.label, value=value, limit=GHOSTING_LIMIT_PCT
    )
    return _judged(("ghosting", "%"), round(value, 1), GHOSTING_LIMIT_PCT, line)


def _slopes(signal: Floats, air: Mask, axis: int, limits: tuple[int, float]) -> Iterator[float]:
    """Slope of the signal in the air on that of the image displaced along an axis, for every displacement.

    ``limits`` are the least displacement and the least spread of what is displaced.
    """
    nearest, least = limits
    twice = np.concatenate([signal, signal], axis)  # what leaves the field comes back at the other side
    places = list(np.nonzero(air))
    places[axis] = places[axis] + signal.shape[axis]
    there, line = np.ravel_multi_index(places, twice.shape), math.prod(twice.shape[axis + 1 :])
    ghosts = signal[air]
    for lag in range(nearest, signal.shape[axis] - nearest + 1):
        origin = twice.take(there - lag * line)
        origin = origin - origin.mean()
        spread = float(np.mean(origin**2))
        yield float(np.mean(ghosts * origin)) / spread if spread > least**2 else 0.0


def wrap(view: Upright) -> QualityCheck:
    """Aliasing: what lies outside the field of view reappears at the opposite side.

    Definition: an aliased image goes on across its edges. Correlation of the outermost two lines at opposite edges (up
    and down, front and back), blurred by 2 mm and without what is coarser than 10 mm; the larger one. Edges where
    nothing is brighter than 0.15 of bright tissue (90th percentiles) count as 0: nothing is cut there.

    Known failure: a field that was cropped, rotated or corrected for distortion afterwards does not close any more, and
    wrap across the slices of 3D series is not looked for.
    """
    value = max(0.0, *(_closure(view, axis) for axis in (1, 2)))
    line = phrases.SERIES_OPPOSITE_EDGES_IMAGE_CONTINUE.format(label=view.series.label, value=value, limit=WRAP_LIMIT)
    return _judged(("wrap", "1"), round(value, 2), WRAP_LIMIT, line)


def _closure(view: Upright, axis: int) -> float:
    """How well the edges of the field along one axis continue each other, 0 to 1."""
    along = 3 - axis
    lines = np.moveaxis(view.signal[view.shown], axis, 2)
    outer = (lines[:, :, :2], lines[:, :, -2:])
    blur = _EDGE_BLUR_MM / view.spacing[along]
    edges = [ndimage.gaussian_filter1d(two, blur, axis=1).mean(axis=2) for two in outer]
    dark, bright = view.range
    if min(float(np.percentile(edge, 90)) for edge in edges) - dark < _EDGE_SHARE * (bright - dark):
        return 0.0
    one, two = (e - ndimage.gaussian_filter1d(e, _EDGE_DETAIL_MM / view.spacing[along], axis=1) for e in edges)
    size = float(np.sqrt(np.sum(one**2) * np.sum(two**2)))
    return float(np.sum(one * two)) / size if size else 0.0


def metal(view: Upright) -> QualityCheck:
    """Signal voids in vertebral bodies: metal, cement, gas or very dense bone.

    Definition: largest connected piece (mL) of a body's outline, closed over gaps of 16 mm and without its outermost
    2 mm, where the median of 3 x 3 pixels lies below a tenth of the way from the darkest spinal tissue (2nd percentile,
    or the air if that is darker) to the median of all marrow (to the brighter quarter of spinal tissue around the body
    where that is darker, as at the end of a coil). The sides of a body, which lung or vessels darken by partial volume,
    and bodies that the field of view cuts are left out.

    Known failure: hardware outside the bodies (rods, cages between them); an artefact that has pushed the outline away;
    a field that metal distorts without a void. In fat-suppressed series fat is as dark, so it is not assessable there.
    """
    unknown = phrases.FAT_IS_DARK if view.suppressed else ""
    bodies = view.bodies
    noise = view.noise
    if not unknown and (noise is None or np.count_nonzero(bodies) < FEW):
        unknown = phrases.TOO_LITTLE_SPINE_SEEN
    marrow = float(np.median(view.signal[bodies])) if bodies.any() else 0.0
    if not unknown and noise is not None and noise > _MOST_NOISE * marrow:
        unknown = phrases.IMAGE_TOO_NOISY_TELL_VOID
    if unknown:
        return _unknown("metal", "mL", METAL_LIMIT_ML, unknown)
    middle, box = view.signal.copy(), view.box_of(view.spine)
    middle[box] = median_3x3(view.signal[box])
    floor = float(np.percentile(middle[view.spine], 2))
    floor = min(floor, float(np.median(view.signal[view.air]))) if view.air.any() else floor
    sizes = {}
    for level, rows in _levels(view):
        bright = min(marrow, _bright_tissue(view, rows))
        sizes[level] = _void_ml(view, level, middle, floor + _VOID_SHARE * (bright - floor))
    value = max(sizes.values(), default=0.0)
    concerned = tuple(level for level, size in sizes.items() if size > METAL_LIMIT_ML)
    line = phrases.SERIES_SIGNAL_VOID_ML_METAL.format(
        label=view.series.label, value=value, levels=level_names(concerned)
    )
    check = _judged(("metal", "mL"), round(value, 2), METAL_LIMIT_ML, line)
    return check.model_copy(update={"levels": concerned})


def _void_ml(view: Upright, level: Level, signal: Floats, limit: float) -> float:
    """Largest piece of a body darker than a limit, mL, but for slices with less than half of its largest section."""
    box, body = _body(view, level)
    inside = _closed_inside(body, view.spacing)
    areas = body.sum(axis=(1, 2))
    pieces, count = ndimage.label((signal[box] < limit) & inside & (areas > 0.5 * areas.max())[:, None, None])
    return float(np.bincount(pieces.ravel())[1:].max() * np.prod(view.spacing) / 1000) if count else 0.0


def _closed_inside(mask: Mask, spacing: tuple[float, float, float]) -> Mask:
    """The mask closed within each slice over gaps of twice 8 mm, without its outermost 2 mm."""
    margin = int(np.ceil(_CLOSE_MM / min(spacing[1:]))) + 2
    in_plane = (1e6, *spacing[1:])
    padded = np.pad(mask, ((0, 0), (margin, margin), (margin, margin)))
    grown = ndimage.distance_transform_edt(~padded, sampling=in_plane) <= _CLOSE_MM
    closed = ndimage.distance_transform_edt(grown, sampling=in_plane) > _CLOSE_MM + _SHELL_MM
    return np.asarray(closed[:, margin:-margin, margin:-margin])


def _judged(what: tuple[str, str], value: float, limit: float, line: str) -> QualityCheck:
    """A check (name and unit) that fails above its limit, with a line for the user when it does."""
    passed = value <= limit
    return QualityCheck(
        name=what[0], value=value, unit=what[1], limit=limit, passed=passed, reason="" if passed else line
    )


def _unknown(name: str, unit: str, limit: float, reason: str) -> QualityCheck:
    return QualityCheck(name=name, unit=unit, limit=limit, reason=reason)


def level_names(levels: Sequence[Level]) -> str:
    """'T12, L1'."""
    return ", ".join(str(level) for level in levels)
