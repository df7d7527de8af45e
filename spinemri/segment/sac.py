"""Where the thecal sac ends in front: half way between bright fluid and what is dark before it.

A disc or a tumour that dents the sac from the front takes a few millimetres of it; a network fills such dents. Where
fluid is bright (T2, STIR) the image shows them, so what is dark at the front of the sac, hangs together with what lies
before it and has fluid right behind it is taken out again. Behind, roots lie against the wall, dark as it is: there,
and where no fluid is left, the network's border stays.
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
    core, cord = sac & (depth > _CORE_MM), classes == CORD
    enough = np.count_nonzero(core) >= _LEAST_CORE
    level = float(np.median(signal[core])) if enough else 0.0
    if not enough or (cord.any() and level < float(np.median(signal[cord]))):
        return np.zeros(sac.shape, dtype=bool)  # fluid darker than cord does not tell itself from what lies before it
    fluid = core & (signal > _FLUID * level)
    away, before = _towards_front(~canal, geometry, plane, forwards=False)
    front = ~canal & (away <= _DEPTH_MM) & before
    bright = local_mean(signal, fluid, spacing, across, _FLUID_ALONG_MM)
    dark = local_mean(signal, front, spacing, across, _FRONT_ALONG_MM)
    behind = ndimage.distance_transform_edt(~fluid, sampling=plane) <= _TO_FLUID_MM
    with np.errstate(invalid="ignore"):  # nan, where either is unknown, is never more
        told = (bright > _BRIGHTER * dark) & (signal < (bright + dark) / 2)
    possible = sac & in_front & (depth <= _DEPTH_MM) & behind & told
    pieces, _ = ndimage.label(possible | front, structure=cross(across))
    return np.asarray(possible & np.isin(pieces, np.unique(pieces[front])))


def _towards_front(mask: Mask, geometry: Geometry, plane: list[float], *, forwards: bool) -> tuple[Floats, Mask]:
    """Distance (mm) of what is marked to what is not, within a slice, and whether that lies in front (or behind)."""
    distance, nearest = ndimage.distance_transform_edt(mask, sampling=plane, return_indices=True)
    posterior = geometry.axes[1] * np.asarray(geometry.spacing)  # mm backwards per step along each array axis
    step = np.tensordot(posterior, np.indices(mask.shape) - nearest, axes=1)  # how far behind it lies itself
    return distance, (step if forwards else -step) > _FACING * distance
