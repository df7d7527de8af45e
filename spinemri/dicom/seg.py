"""Masks in: a DICOM SEG object, or a mask in a volume file, with whole numbers as the voxel values.

A SEG holds frames only where a segment is drawn, so slices and whole frames may be absent; the grid is the one that its
frames span, empty where nothing is stored. Segment numbers become voxel values. Overlapping and fractional segments
have no single value per voxel and are refused.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import highdicom
import numpy as np

from spinemri.dicom.headers import READ_ERRORS, lenient
from spinemri.errors import GeometryError, InputError, SeriesError
from spinemri.geometry import Geometry
from spinemri.image import Image
from spinemri.read import named_contrast, read_volume, suffix_of, volume_series
from spinemri.series import Series

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray


def load_labels(path: Path, frame_of: Callable[[str], str | None] = str) -> Image:
    """The mask of a file; its series says no more than the contrast that a volume file's name states.

    Parameters
    ----------
    frame_of : what stands for a frame of reference in the study that the mask is compared with; None: unknown

    Raises
    ------
    InputError
        There is no such file, or it is no readable mask.
    """
    if not path.is_file():
        raise InputError(f"labels {path.name}: no such file")
    try:
        if suffix_of(path):
            return read_volume(path, volume_series(path, path.parent, named_contrast(path)))
        voxels, geometry, _ = load_seg(path)
    except SeriesError as error:
        raise InputError(f"labels {path.name}: {error}") from error
    frame = frame_of(geometry.frame_of_reference_uid) if geometry.frame_of_reference_uid else None
    return Image(voxels, replace(geometry, frame_of_reference_uid=frame), Series(series_uid=""))


def load_seg(path: Path) -> tuple[NDArray[np.uint16], Geometry, dict[int, str]]:
    """Voxels, grid and segments of a DICOM SEG object.

    Returns
    -------
    (k, j, i) voxels that hold segment numbers, the grid with its frame of reference, and number -> Segment Label

    Raises
    ------
    SeriesError
        No DICOM SEG, segments that overlap or are fractional, or frames that do not form a regular grid.
    """
    try:
        with lenient():
            seg = highdicom.seg.segread(path)
    except READ_ERRORS as error:
        raise SeriesError("neither a NIfTI, NRRD or MetaImage volume nor a DICOM SEG object") from error
    if seg.segmentation_type is highdicom.seg.SegmentationTypeValues.FRACTIONAL:
        raise SeriesError("a fractional segmentation; expected one value per voxel (BINARY or LABELMAP)")
    names = {int(n): str(seg.get_segment_description(n).segment_label) for n in seg.segment_numbers}
    try:
        with lenient():
            volume = seg.get_volume(combine_segments=True, dtype=np.uint16)
        voxels, geometry = np.asarray(volume.array), _geometry(volume)
    except RuntimeError as error:
        raise SeriesError(f"segments overlap or the frames form no regular grid ({error})") from error
    except (*READ_ERRORS, GeometryError) as error:
        raise SeriesError(f"its frames form no regular grid ({error})") from error
    return voxels, geometry, names


def _geometry(volume: highdicom.Volume) -> Geometry:
    """Grid of a highdicom volume, whose affine takes (k, j, i) to LPS mm as ours does."""
    x, y, z = (float(v) for v in volume.position)
    axes = np.asarray(volume.direction).ravel().tolist()
    return Geometry(volume.spatial_shape, volume.spacing, (x, y, z), tuple(axes), volume.frame_of_reference_uid)
