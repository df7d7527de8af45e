"""Bringing voxels onto another grid goes through patient coordinates: the affines decide, never array positions.

The only resampler of the package. Images are interpolated linearly, labels and masks take the nearest voxel. Measures
are taken on the native grid; what is resampled is for looking, comparing and for the network.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal, TypeVar

import numpy as np
import SimpleITK

from spinemri.convert import to_sitk
from spinemri.errors import GeometryError
from spinemri.image import Image
from spinemri.segmentation import Segmentation

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spinemri.geometry import Geometry

Interpolation = Literal["linear", "nearest"]
_EXACT = tuple(np.dtype(kind) for kind in (np.uint8, np.int8, np.uint16, np.int16, np.float32))
Volume = TypeVar("Volume", Image, Segmentation)


def resample(volume: Volume, geometry: Geometry, *, outside: float = 0.0) -> Volume:
    """The same image or segmentation on another grid of the same patient space.

    Parameters
    ----------
    volume : an Image (linear; voxels become float32) or a Segmentation (nearest; values, structures and type stay)
    geometry : grid to fill; its frame of reference must be the volume's, where both are known
    outside : value of voxels that lie outside the volume (an image's; labels are 0 there)

    Returns
    -------
    A new Image or Segmentation with ``geometry``. Interior slices that were missing keep no meaning on the new grid
    and are not listed.

    Raises
    ------
    GeometryError
        If the two frames of reference are known and differ.
    """
    if isinstance(volume, Segmentation):
        labels = resample_voxels(volume.voxels, volume.geometry, geometry, interpolation="nearest")
        return replace(volume, voxels=labels.astype(volume.voxels.dtype, copy=False), geometry=geometry)
    values = resample_voxels(volume.voxels, volume.geometry, geometry, interpolation="linear", outside=outside)
    return replace(volume, voxels=values, geometry=geometry, missing_slices=())


def resample_voxels(
    voxels: NDArray[np.generic],
    source: Geometry,
    target: Geometry,
    *,
    interpolation: Interpolation,
    outside: float = 0.0,
) -> NDArray[np.generic]:
    """Voxels (k, j, i) of one grid on another.

    Parameters
    ----------
    voxels : (k, j, i) array of any real type; bool comes back as bool
    source, target : grid of ``voxels``, and the grid to fill
    interpolation : 'linear' (float32 comes back) or 'nearest' (the type stays)
    outside : value of target voxels outside the source grid

    Returns
    -------
    Array of shape ``target.shape``.

    Raises
    ------
    GeometryError
        If shapes do not fit, or the frames of reference are known and differ.
    """
    if voxels.shape != source.shape:
        raise GeometryError(f"{voxels.shape} voxels on a {source.shape} grid")
    frames = (source.frame_of_reference_uid, target.frame_of_reference_uid)
    if None not in frames and frames[0] != frames[1]:
        raise GeometryError("cannot resample between different frames of reference: register the series first")
    kind = voxels.dtype if interpolation == "nearest" else np.dtype(np.float32)
    exact = interpolation == "nearest" or voxels.dtype in _EXACT  # float32 holds every value of these
    moving = to_sitk(voxels if exact else voxels.astype(np.float32), source)
    filled = SimpleITK.Resample(
        moving,
        target.shape[::-1],
        SimpleITK.Transform(3, SimpleITK.sitkIdentity),
        SimpleITK.sitkLinear if interpolation == "linear" else SimpleITK.sitkNearestNeighbor,
        target.origin,
        target.spacing[::-1],
        target.axes[:, ::-1].ravel().tolist(),
        outside,
        SimpleITK.sitkFloat32 if interpolation == "linear" else moving.GetPixelID(),
    )
    return np.asarray(SimpleITK.GetArrayFromImage(filled)).astype(kind, copy=False)
