"""A sagittal series turned upright to look at its pixels: to the left, downwards, backwards; and the air behind it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from spinemri.anatomy import StructureKind
from spinemri.geometry import Geometry
from spinemri.resample import resample_voxels
from spinemri.series import Contrast

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spinemri.image import Image
    from spinemri.segmentation import Segmentation
    from spinemri.series import Series

    Floats = NDArray[np.floating]
    Mask = NDArray[np.bool_]

FAT_SUPPRESSED = (Contrast.STIR, Contrast.T2W_FS)
FAT_IS_BRIGHT = (Contrast.T1W, Contrast.T2W)

_AXES = ((0, 1.0), (2, -1.0), (1, 1.0))  # patient axis and direction of the upright axes x, s, a
_SMOOTH_MM = 1.5
_RIM = 3  # lines next to the edge of the field that filters of the scanner alter
_BEHIND_SPINE_MM = 5.0
_SKIN_SHARE = 0.25  # of the way from air to the brightest tissue of a line from front to back
_SKIN_MM = 25.0  # length over which the skin is straight: a bright spot in the air is not skin
_BRIGHT = 98.0  # percentile of a slice that stands for its bright tissue
_MOST_AIR = 0.4  # share of bright tissue; what is brighter at the rear edge is not air
_LEAN = 50.0  # percentile of a bright-fat series below which soft tissue behind the spine is muscle
_MUSCLE_MM = (12.0, 45.0)  # behind the bodies
_BESIDE_MM = 10.0  # nearer to the middle lie spinous processes and their ligaments
_BEHIND_SKIN_MM = 8.0  # blur, ringing and clothes end there
_LEAST_AIR_MM = 12.0  # mean depth of the air behind the back; less is no sample of it
FEW = 200
"""Voxels, below which a tissue is not judged."""
_RAYLEIGH_RANGE = 0.9066  # interquartile range of the magnitude of pure noise of standard deviation 1, one coil
_RAYLEIGH_SHAPE = (1.0, 1.7)  # median / interquartile range: 1.3 when Rayleigh; other coils and offsets lie higher
_LEAST_STEPS = 4.0  # grey values that the interquartile range must cover
_LAPLACE = np.array([[[1.0, -2.0, 1.0], [-2.0, 4.0, -2.0], [1.0, -2.0, 1.0]]])
_NORMAL_MEDIAN = 0.6745


@dataclass(frozen=True, eq=False)
class Upright:
    """Signal and labels of one sagittal series over (x, s, a): to the left, from head to foot, from front to back.

    Parameters
    ----------
    signal : float32; lines around the picture that hold no image (filled with one value) are cut off
    labels : values as in ``segmentation``
    geometry : the upright grid in the patient
    shown : (x,) slices that hold an image; a missing one does not
    series, segmentation : header facts, and what the labels mean
    companion : a series of the same frame of reference that shows bright fat, for a fat-suppressed one
    """

    signal: Floats
    labels: NDArray[np.unsignedinteger]
    geometry: Geometry
    shown: Mask
    series: Series
    segmentation: Segmentation
    companion: Upright | None = None

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Distance of voxel centres in mm along x, s, a."""
        return self.geometry.spacing

    @property
    def suppressed(self) -> bool:
        """Whether fat is meant to be dark."""
        return self.series.contrast in FAT_SUPPRESSED

    def of_kind(self, *kinds: StructureKind) -> Mask:
        """Mask of every structure of the given kinds in the slices that hold an image."""
        values = [value for value, known in self.segmentation.structures.items() if known.kind in kinds]
        return np.asarray(np.isin(self.labels, values) & self.shown[:, None, None])

    @cached_property
    def bodies(self) -> Mask:
        """Mask of the vertebral bodies in the slices that hold an image."""
        return self.of_kind(StructureKind.VERTEBRAL_BODY)

    @cached_property
    def spine(self) -> Mask:
        """Mask of everything labelled that means something, in the slices that hold an image."""
        return self.of_kind(*StructureKind)

    @cached_property
    def boxes(self) -> dict[int, tuple[slice, ...]]:
        """The part of the grid that holds each label value."""
        found = enumerate(ndimage.find_objects(self.labels), start=1)
        return {value: box for value, box in found if box is not None}

    def inner(self, kind: StructureKind) -> Mask:
        """The same without the outermost two pixels within each slice."""
        mask = self.bodies if kind is StructureKind.VERTEBRAL_BODY else self.of_kind(kind)
        box, found = self.box_of(mask), np.zeros_like(mask)
        found[box] = ndimage.binary_erosion(mask[box], np.ones((1, 5, 5), dtype=bool))
        return found

    @staticmethod
    def box_of(mask: Mask) -> tuple[slice, ...]:
        """The part of the grid that holds a mask, two pixels around it within the slices; nothing of an empty one."""
        found = ndimage.find_objects(mask.astype(np.uint8))
        if not found:
            return (slice(0, 0),) * 3
        x, s, a = found[0]
        return x, *(slice(max(0, side.start - 2), side.stop + 2) for side in (s, a))

    @cached_property
    def noise(self) -> float | None:
        """Standard deviation of the noise of one channel, in the unit of the signal; None when it cannot be told."""
        air = self.signal[self.air]
        if air.size >= FEW:
            low, middle, high = np.percentile(air, (25, 50, 75))
            width = float(high - low)
            if width >= _LEAST_STEPS and _RAYLEIGH_SHAPE[0] < middle / width < _RAYLEIGH_SHAPE[1]:
                return width / _RAYLEIGH_RANGE
        inside = self.inner(StructureKind.VERTEBRAL_BODY) | self.inner(StructureKind.DISC)
        if np.count_nonzero(inside) < FEW:
            return None
        box = self.box_of(inside)
        curvature = np.abs(ndimage.convolve(self.signal[box], _LAPLACE)[inside[box]])
        return float(np.median(curvature)) / _NORMAL_MEDIAN / float(np.linalg.norm(_LAPLACE))

    @cached_property
    def smooth(self) -> Floats:
        """The signal blurred by 1.5 mm within the sagittal plane."""
        sigma = (0.0, _SMOOTH_MM / self.spacing[1], _SMOOTH_MM / self.spacing[2])
        return np.asarray(ndimage.gaussian_filter(self.signal, sigma))

    @cached_property
    def range(self) -> tuple[float, float]:
        """Signal of air and of bright tissue: 2nd and 90th percentile of the blurred signal."""
        dark, bright = np.percentile(self.smooth[self.shown], (2, 90)).tolist()
        return dark, bright

    @cached_property
    def skin(self) -> NDArray[np.intp]:
        """(x, s) place along a of the last tissue behind the spine; -1 where the field does not reach the air."""
        rows = self.smooth[:, :, :-_RIM]
        air = np.median(rows[:, :, -3:], axis=(1, 2))
        start = self.rear_of(self.spine) + _BEHIND_SPINE_MM / self.spacing[2]
        behind = np.arange(rows.shape[2]) > start[:, None]
        brightest = np.where(behind, rows, -np.inf).max(axis=2)
        known = (air < _MOST_AIR * np.percentile(rows, _BRIGHT, axis=(1, 2)))[:, None] & self.shown[:, None]
        known = known & np.isfinite(brightest)
        edge = air[:, None] + _SKIN_SHARE * (np.where(known, brightest, 0) - air[:, None])
        last = rows.shape[2] - 1 - np.argmax((behind & (rows > edge[..., None]))[:, :, ::-1], axis=2)
        last = ndimage.median_filter(last, (1, 2 * int(_SKIN_MM / 2 / self.spacing[1]) + 1))
        return np.asarray(np.where(known, last, -1))

    @cached_property
    def air(self) -> Mask:
        """Air behind the back, from 8 mm behind the skin to the edge of the field; empty where there is too little.

        Fat-suppressed fat is as dark as air: there the companion says where the skin is, and without one there is none.
        """
        if self.suppressed:
            return self.carried(self.companion, self.companion.air) if self.companion else np.zeros_like(self._rim)
        start = self.skin + int(np.ceil(_BEHIND_SKIN_MM / self.spacing[2]))
        found = (np.arange(self.signal.shape[2]) >= start[..., None]) & (self.skin >= 0)[..., None] & ~self._rim
        deep = found.sum() / (np.count_nonzero(self.shown) * found.shape[1]) * self.spacing[2]
        return np.asarray(found & bool(deep >= _LEAST_AIR_MM))

    @cached_property
    def muscle(self) -> Mask:
        """Muscle of the back: unlabelled, 12 to 45 mm behind the bodies, 10 mm or more beside the middle.

        Its darker half where fat is bright; a fat-suppressed series asks its companion, and without one takes all.
        """
        if self.companion:
            return self.carried(self.companion, self.companion.muscle)
        bodies = self.bodies
        if not bodies.any():
            return np.zeros_like(bodies)
        columns = np.arange(self.signal.shape[2])
        behind = (columns - self.rear_of(bodies)[:, None]) * self.spacing[2]
        middle = np.argwhere(bodies.any(axis=(1, 2))).mean()
        beside = np.abs(np.arange(self.signal.shape[0]) - middle) * self.spacing[0] > _BESIDE_MM
        found = ((behind > _MUSCLE_MM[0]) & (behind < _MUSCLE_MM[1])) & (beside & self.shown)[:, None, None]
        found &= (self.labels == 0) & (columns < self.skin[..., None] - _BEHIND_SKIN_MM / self.spacing[2])
        lean = self.suppressed or not found.any() or self.signal <= np.percentile(self.signal[found], _LEAN)
        return np.asarray(found & lean)

    @cached_property
    def _rim(self) -> Mask:
        rim = np.ones(self.signal.shape, dtype=bool)
        rim[:, _RIM:-_RIM, _RIM:-_RIM] = False
        return rim

    def rear_of(self, mask: Mask) -> Floats:
        """(s,) last place along a that a mask reaches, carried on above and below it; infinite without any."""
        labelled = np.asarray(mask.any(axis=0))
        rows = np.flatnonzero(labelled.any(axis=1))
        if rows.size == 0:
            return np.full(labelled.shape[0], np.inf)
        last = labelled.shape[1] - 1 - np.argmax(labelled[rows, ::-1], axis=1)
        return np.asarray(np.interp(np.arange(labelled.shape[0]), rows, last))

    def carried(self, other: Upright, mask: Mask) -> Mask:
        """A mask on the grid of another series in the same frame of reference, on this grid (nearest voxel)."""
        return np.asarray(resample_voxels(mask, other.geometry, self.geometry, interpolation="nearest"))


def upright(image: Image, segmentation: Segmentation, companion: Upright | None = None) -> Upright:
    """A sagittal series turned upright, without the lines at its border that hold no image."""
    order = [image.geometry.axis_along(world) for world, _ in _AXES]
    axes = image.geometry.axes[:, order]
    against = tuple(n for n, (world, way) in enumerate(_AXES) if axes[world, n] * way < 0)
    signal, labels = (np.flip(np.transpose(array, order), against) for array in (image.voxels, segmentation.voxels))
    first = np.zeros(3)
    first[[order[n] for n in against]] = [signal.shape[n] - 1 for n in against]
    axes[:, list(against)] *= -1
    spacing = np.asarray(image.geometry.spacing)[order]
    grid = _grid(signal.shape, spacing, image.geometry.to_patient(first), axes)
    shown = ~np.isin(np.arange(signal.shape[0]), image.missing_slices)
    shown = shown[::-1] if 0 in against else shown
    turned = Upright(signal.astype(np.float32), labels, grid, shown, image.series, segmentation, companion)
    return _trimmed(turned)


def _grid(shape: tuple[int, ...], spacing: Floats, origin: Floats, axes: Floats) -> Geometry:
    dx, ds, da = spacing.tolist()
    x, y, z = origin.tolist()
    return Geometry((shape[0], shape[1], shape[2]), (dx, ds, da), (x, y, z), tuple(axes.ravel().tolist()))


def _trimmed(whole: Upright) -> Upright:
    """Without the outermost lines of one value: converters fill the field of view up with them."""
    middle = whole.signal[whole.signal.shape[0] // 2]
    (top, bottom), (front, back) = _filled(middle, 0), _filled(middle, 1)
    box = (slice(None), slice(top, bottom), slice(front, back))
    signal = whole.signal[box]
    origin = whole.geometry.to_patient((0, top, front))
    grid = _grid(signal.shape, np.asarray(whole.spacing), origin, whole.geometry.axes)
    return replace(whole, signal=signal, labels=whole.labels[box], geometry=grid)


def _filled(plane: Floats, axis: int) -> tuple[int, int]:
    """First and last + 1 line along an axis that holds more than one value (but for a twentieth at either end)."""
    low, high = np.percentile(plane, (5, 95), axis=1 - axis)
    live = np.flatnonzero(high > low)
    return (int(live[0]), int(live[-1]) + 1) if live.size else (0, plane.shape[axis])
