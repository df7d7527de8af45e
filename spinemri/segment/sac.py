"""Where the thecal sac ends in the image: half way to what is dark before it, and not far from any fluid behind it.

A disc or a tumour that dents the sac from the front takes a few millimetres of it; a network fills such dents. Where
fluid is bright (T2, STIR) the image shows them, so what is dark at the front of the sac, hangs together with what lies
before it and has fluid right behind it is taken out again. Behind, roots lie against the wall, dark as it is: there,
and where no fluid is left, the network's border stays.

Beside the midline a network draws the sac over laminae and yellow ligaments too, which are darker than roots. What is
so dark and farther from fluid than roots are thick is taken out, as long as another slice shows fluid at that height.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from spinemri.segment.column import CORD, SAC
from spinemri.segment.inplane import cross, local_mean, within_slices

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spinemri.geometry import Geometry

    Floats = NDArray[np.float64]
    Mask = NDArray[np.bool_]

_DEPTH_MM = 3.0  # of a dent, and of what is looked at before the sac
_CORE_MM = 2.0  # from the border, where fluid is looked for
_LEAST_CORE = 50  # voxels
_FLUID = 0.7  # of the core's median signal
_FLUID_ALONG_MM, _FRONT_ALONG_MM = 8.0, 4.0
_TO_FLUID_MM = 3.5
_BRIGHTER = 1.5  # fluid, than what lies before the sac
_FACING = 0.3  # cosine between a border and straight forwards
_HEIGHT_MM, _BRIGHTEST = 10.0, 80.0  # of fluid: a coil fades along the column; percentile of the core near a height
_DARK = 0.35  # of fluid; laminae and ligaments of AKa and of `ivd` 20 and 25 have .1 to .3, and roots more
_AS_DARK = 0.1  # of the way from what was taken out to fluid
_CRUMB_MM2 = 15.0
_RIM_PX, _RIM_SHARE = 2, 0.2  # a cord may end there


def find_dents(classes: NDArray[np.uint8], signal: Floats, geometry: Geometry) -> Mask:
    """Voxels of the sac that the image shows to lie before it.

    Parameters
    ----------
    classes : (k, j, i) semantic classes (values in ``column.py``)
    signal : (k, j, i) intensities from 0
    geometry : their axes and spacing
    """
    sac, canal = classes == SAC, np.isin(classes, (SAC, CORD))
    across, spacing = geometry.axis_along(0), geometry.spacing
    plane = within_slices(spacing, across)
    depth, in_front = _towards_front(canal, geometry, plane, forwards=True)
    core = sac & (depth > _CORE_MM)
    level = _fluid_level(core, classes == CORD, signal)
    if level is None:
        return np.zeros(sac.shape, dtype=bool)
    fluid = core & (signal > _FLUID * level)
    away, before = _towards_front(~canal, geometry, plane, forwards=False)
    front = ~canal & (away <= _DEPTH_MM) & before
    bright = local_mean(signal, fluid, spacing, across, _FLUID_ALONG_MM)
    dark = local_mean(signal, front, spacing, across, _FRONT_ALONG_MM)
    behind = ndimage.distance_transform_edt(~fluid, sampling=plane) <= _TO_FLUID_MM
    with np.errstate(invalid="ignore"):  # nan, where either is unknown, is never more
        told = (bright > _BRIGHTER * dark) & (signal < (bright + dark) / 2)
    possible = sac & in_front & (depth <= _DEPTH_MM) & behind & told
    return np.asarray(possible & ndimage.binary_propagation(front, cross(across), possible | front))


def find_spill(classes: NDArray[np.uint8], signal: Floats, geometry: Geometry) -> Mask:
    """Voxels of the sac that are too dark for it and lie far from any fluid of their slice.

    Parameters
    ----------
    classes : (k, j, i) semantic classes (values in ``column.py``)
    signal : (k, j, i) intensities from 0
    geometry : their axes and spacing
    """
    sac, cord = classes == SAC, classes == CORD
    across, spacing = geometry.axis_along(0), geometry.spacing
    plane = within_slices(spacing, across)
    depth = ndimage.distance_transform_edt(sac | cord, sampling=plane)
    away = ndimage.distance_transform_edt(~(sac | cord), sampling=plane)
    core, around = sac & (depth > _CORE_MM), (away > 0) & (away <= _DEPTH_MM)
    level = _fluid_level(core, cord, signal)
    if level is None or not around.any() or level < _BRIGHTER * float(np.median(signal[around])):
        return np.zeros(sac.shape, dtype=bool)
    bright = _fluid_along(core, signal, geometry)
    fluid = (sac & (signal > _DARK * bright)) | cord  # nan, where no fluid is known, is never less
    shown = fluid.any(axis=tuple(axis for axis in range(3) if bright.shape[axis] == 1), keepdims=True)
    far = sac & shown & (ndimage.distance_transform_edt(~fluid, sampling=plane) > _TO_FLUID_MM) & np.isfinite(bright)
    far = _reaching_out(far, sac | cord, across)
    if not far.any():
        return far
    dark = local_mean(signal, far, spacing, across, _FRONT_ALONG_MM)
    beside = ndimage.distance_transform_edt(~far, sampling=plane) <= _TO_FLUID_MM
    alike = far | (sac & beside & (signal < dark + _AS_DARK * (bright - dark)))
    spill = np.asarray(ndimage.binary_propagation(far, cross(across), alike))
    return spill | _cut_off((sac | cord) & ~spill, spill, geometry)


def _reaching_out(far: Mask, canal: Mask, across: int) -> Mask:
    """Pieces of a slice that lie along the rim of the canal, not in its midst as a cord taken for sac does."""
    rim = far & ndimage.binary_dilation(~canal, cross(across), iterations=_RIM_PX)
    pieces, number = ndimage.label(far, structure=cross(across))
    sizes, at_rim = (np.bincount(pieces[mask], minlength=number + 1) for mask in (far, rim))
    return np.asarray(far & (at_rim > _RIM_SHARE * sizes)[pieces])


def _cut_off(canal: Mask, spill: Mask, geometry: Geometry) -> Mask:
    """What is left of the canal in a slice as a crumb beside what was taken out."""
    across = geometry.axis_along(0)
    pieces, number = ndimage.label(canal, structure=cross(across))
    pixel = float(np.prod(geometry.spacing)) / geometry.spacing[across]
    small = np.bincount(pieces.ravel(), minlength=number + 1) * pixel < _CRUMB_MM2
    touching = np.unique(pieces[ndimage.binary_dilation(spill, cross(across)) & canal])
    return np.asarray(np.isin(pieces, touching[small[touching]]) & canal)


def _fluid_level(core: Mask, cord: Mask, signal: Floats) -> float | None:
    """Median signal of the sac's core; None if there is too little, or if it is darker than the cord."""
    if np.count_nonzero(core) < _LEAST_CORE:
        return None
    level = float(np.median(signal[core]))
    # fluid darker than cord does not tell itself from what lies around it
    return None if cord.any() and level < float(np.median(signal[cord])) else level


def _fluid_along(core: Mask, signal: Floats, geometry: Geometry) -> Floats:
    """Signal of bright fluid near every height, one value per index along the axis head to foot; nan where unknown.

    Its shape is that of ``core`` with 1 for the other axes.
    """
    down = geometry.axis_along(2)
    mask, values = np.moveaxis(core, down, 0), np.moveaxis(signal, down, 0)
    reach = round(_HEIGHT_MM / geometry.spacing[down])
    bright = np.full(len(mask), np.nan)
    for height in range(len(mask)):
        near = slice(max(0, height - reach), height + reach + 1)
        if np.count_nonzero(mask[near]) >= _LEAST_CORE:
            bright[height] = np.percentile(values[near][mask[near]], _BRIGHTEST)
    return bright.reshape([len(bright) if axis == down else 1 for axis in range(3)])


def _towards_front(mask: Mask, geometry: Geometry, plane: list[float], *, forwards: bool) -> tuple[Floats, Mask]:
    """Distance (mm) of what is marked to what is not, within a slice, and whether that lies in front (or behind)."""
    distance, nearest = ndimage.distance_transform_edt(mask, sampling=plane, return_indices=True)
    posterior = geometry.axes[1] * np.asarray(geometry.spacing)  # mm backwards per step along each array axis
    step = np.tensordot(posterior, np.indices(mask.shape) - nearest, axes=1)  # how far behind it lies itself
    return distance, (step if forwards else -step) > _FACING * distance
