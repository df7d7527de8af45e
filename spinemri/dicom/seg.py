"""Masks in: a DICOM SEG object, or a mask in a volume file, with whole numbers as the voxel values.

A SEG holds frames only where a segment is drawn, so slices and whole frames may be absent; the grid is the one that its
frames span, empty where nothing is stored. Segment numbers become voxel values. Overlapping and fractional segments
have no single value per voxel and are refused; a refusal shows the segments' numbers and labels. The series that a SEG
refers to is kept: it is the one that was drawn on.
"""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import highdicom
import numpy as np

from spinemri.dicom.files import read_dicom
from spinemri.dicom.values import READ_ERRORS, items, lenient, text
from spinemri.dicom.vocabulary import is_term
from spinemri.errors import GeometryError, InputError, SeriesError
from spinemri.geometry import Geometry, plausible
from spinemri.image import Image
from spinemri.read import named_contrast, read_volume, suffix_of, volume_series
from spinemri.series import Series

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from numpy.typing import NDArray


_OTHER_WORDS = "(other words)"
_UNREADABLE = (*READ_ERRORS, sqlite3.Error)
"""What a malformed object makes pydicom and highdicom raise, which keeps the places of frames in a table of sqlite."""
_SHOWN = 30  # segments that a message names


class SegObject(NamedTuple):
    """A SEG's (k, j, i) voxels with segment numbers, its grid, number -> Segment Label, and the series it refers to."""

    voxels: NDArray[np.uint16]
    geometry: Geometry
    segments: dict[int, str]
    series_uid: str | None


class StoredLabels(NamedTuple):
    """A mask, the labels of a SEG's segments by their number, and the same in words; none for a volume."""

    image: Image
    segments: Mapping[int, str]
    said: str


def load_labels(path: Path, stand_in: Callable[[str], str | None] = str) -> StoredLabels:
    """The mask of a file, and its segments.

    The mask's series says no more than the contrast that a volume file's name states, or which series a SEG refers to
    (``series_uid``, '' when that is not known).

    Parameters
    ----------
    stand_in : what stands for a UID in the study that the mask is compared with; None: unknown

    Raises
    ------
    InputError
        There is no such file, or it is no readable mask.
    """
    if not path.is_file():
        raise InputError(f"labels {path.name}: no such file")
    try:
        if suffix_of(path):
            image = read_volume(path, volume_series(path, path.parent, named_contrast(path)))
            return StoredLabels(replace(image, series=image.series.model_copy(update={"series_uid": ""})), {}, "")
        seg = load_seg(path)
    except SeriesError as error:
        raise InputError(f"labels {path.name}: {error}") from error
    known = (seg.geometry.frame_of_reference_uid, seg.series_uid)
    frame, series = (stand_in(uid) if uid else None for uid in known)
    grid = replace(seg.geometry, frame_of_reference_uid=frame)
    return StoredLabels(Image(seg.voxels, grid, Series(series_uid=series or "")), seg.segments, _said(seg.segments))


def load_seg(path: Path) -> SegObject:
    """A DICOM SEG object.

    Raises
    ------
    SeriesError
        No DICOM SEG, segments that overlap or are fractional, or frames that do not form a regular grid; the message
        names the segments.
    """
    try:
        with lenient():
            seg = highdicom.seg.Segmentation.from_dataset(read_dicom(path), copy=False)
            names = {int(n): _shown(str(seg.get_segment_description(n).segment_label)) for n in seg.segment_numbers}
            kind = seg.segmentation_type
    except _UNREADABLE as error:
        raise SeriesError("neither a NIfTI, NRRD or MetaImage volume nor a DICOM SEG object") from error
    if kind is highdicom.seg.SegmentationTypeValues.FRACTIONAL:
        fault = "a fractional segmentation; expected one value per voxel (BINARY or LABELMAP)"
        raise SeriesError(f"{fault}; {_said(names)}")
    try:
        with lenient():
            _check_plausible(seg)
            volume = seg.get_volume(combine_segments=True, dtype=np.uint16)
            voxels, geometry = np.asarray(volume.array), _geometry(volume)
    except RuntimeError as error:
        raise SeriesError(f"segments overlap or the frames form no regular grid; {_said(names)}") from error
    except (*_UNREADABLE, GeometryError) as error:
        raise SeriesError(f"its frames form no regular grid ({type(error).__name__}); {_said(names)}") from error
    with lenient():
        referred = {text(item, "SeriesInstanceUID") for item in items(seg, "ReferencedSeriesSequence")} - {""}
    return SegObject(voxels, geometry, names, referred.pop() if len(referred) == 1 else None)


def _shown(label: str) -> str:
    """A label that is made of known words; any other may be anybody's name, and goes into no message."""
    return label if is_term(label) else _OTHER_WORDS


def _check_plausible(seg: highdicom.seg.Segmentation) -> None:
    """Raise GeometryError before anything is made of a grid that is impossible or far too large."""
    grid = seg.get_volume_geometry()
    if grid is not None:
        plausible(_geometry(grid))


def _said(segments: Mapping[int, str]) -> str:
    """'segments in the file: 1 'cord', 3 'L5''."""
    shown = [f"{number} {label!r}" for number, label in list(segments.items())[:_SHOWN]]
    more = f" … ({len(segments)} in all)" if len(segments) > _SHOWN else ""
    return f"segments in the file: {', '.join(shown) or 'none'}{more}"


def _geometry(volume: highdicom.Volume | highdicom.VolumeGeometry) -> Geometry:
    """Grid of a highdicom volume, whose affine takes (k, j, i) to LPS mm as ours does."""
    x, y, z = (float(v) for v in volume.position)
    axes = np.asarray(volume.direction).ravel().tolist()
    return Geometry(volume.spatial_shape, volume.spacing, (x, y, z), tuple(axes), volume.frame_of_reference_uid)
