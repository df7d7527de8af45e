"""A real image given a second time on another grid: what differs then is repeatability, for nothing has changed.

The image is resampled to larger pixels, moved by parts of pixels and slices, and cropped. Known failure: resampling
smooths, so that the second image is a little blurred, and its noise is that of the first: another examination of the
same person repeats less well.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from spinemri.resample import resample

if TYPE_CHECKING:
    from spinemri.image import Image


@dataclass(frozen=True)
class Regrid:
    """How the second grid lies.

    Parameters
    ----------
    larger : size of its pixels, as a share of the first one's
    slices, pixels : by how much of a slice, and of a pixel in either direction, it is moved
    cropped : share of the field that is gone at the head's and at the foot's end; the outermost slices always are
    """

    larger: float
    slices: float
    pixels: float
    cropped: float


def regridded(image: Image, how: Regrid) -> Image:
    """The same image on another grid, as another series of another study and frame of reference.

    Parameters
    ----------
    image : sagittal, at least four slices
    """
    old = image.geometry
    across, up = old.axis_along(0), old.axis_along(2)
    spacing = np.array(old.spacing) * np.where(np.arange(3) == across, 1.0, how.larger)
    first = np.array([how.slices + 1 if axis == across else how.pixels for axis in range(3)])
    first[up] += how.cropped * old.shape[up]
    last = np.array(old.shape) - 1.0 - np.where(np.arange(3) == across, 1.0, 0.0)
    last[up] -= how.cropped * old.shape[up]
    shape = np.floor((last - first) * np.array(old.spacing) / spacing).astype(int) + 1
    x, y, z = old.to_patient(first).tolist()
    grid = replace(old, shape=tuple(shape.tolist()), spacing=tuple(spacing.tolist()), origin=(x, y, z))
    again = resample(image, grid)
    voxels = np.clip(np.rint(again.voxels), 0, np.iinfo(np.uint16).max).astype(np.uint16)
    elsewhere = replace(again.geometry, frame_of_reference_uid="2.25.71")
    uids = {"series_uid": f"2.25.72.{image.series.number or 1}", "study_uid": "2.25.73", "study_time": ""}
    facts = {**uids, "shape": elsewhere.shape, "spacing": elsewhere.spacing}
    return replace(again, voxels=voxels, geometry=elsewhere, series=image.series.model_copy(update=facts))
