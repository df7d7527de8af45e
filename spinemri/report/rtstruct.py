"""Outlines as an RT Structure Set for planning systems: closed planar contours on the slices of each series.

A contour runs half-way between the centres of voxels inside and outside, so that filling it gives the mask back. A hole
is joined to its outer border by a line there and back (keyhole): planning systems agree on nothing else. Anatomy and
lesions of one series stand in one structure set, which carries the identity of patient and study of its source.
"""

from __future__ import annotations

import hashlib
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from contourpy import FillType, contour_generator
from pydicom.charset import default_encoding
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag
from pydicom.uid import RTStructureSetStorage

from spinemri.correction import BY_PERSON
from spinemri.report.dicom_seg import rgb_of, seg_objects
from spinemri.report.dicom_source import dated, lenient, new_object, read_sources
from spinemri.report.masks import file_names

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from spinemri.analysis import Provenance
    from spinemri.case import Case
    from spinemri.report.dicom_seg import Segment, SegObject
    from spinemri.report.dicom_source import SliceOf, Source

SERIES_NUMBER = 9200  # and following
_DETACHED_STUDY = "1.2.840.10008.3.1.2.3.1"
_INSIDE, _BORDER = 1.0, 0.5
_CONTOUR_DATA = "ContourData"


class Region(NamedTuple):
    """A structure or lesion to outline."""

    segment: Segment
    mask: NDArray[np.bool_]
    made_by: str


def write_rtstruct(case: Case, folder: Path) -> None:
    """Write ``contours_<series>.dcm`` per used series that shows anything.

    Raises
    ------
    OutputError
        A series did not come from DICOM, or its files cannot be read any more.
    """
    sources = read_sources(case)
    objects = seg_objects(case, sources)
    names = file_names("contours", case.analysis.used_series(), ".dcm")
    for n, (name, source) in enumerate(zip(names, sources, strict=True)):
        own = [one for one in objects if one.source is source]
        if own:
            with lenient():
                made = _structure_set(source, own, case.analysis.provenance)
                made.SeriesNumber = SERIES_NUMBER + n
                made.save_as(folder / name, enforce_file_format=True)


def outlines(plane: NDArray[np.bool_]) -> list[NDArray[np.float64]]:
    """Closed outlines (n, 2) in (row, column) of a plane of a mask; holes are keyholes of the outline around them."""
    if not plane.any():
        return []
    rows, columns = (np.flatnonzero(plane.any(axis=axis)) for axis in (1, 0))
    first = np.array([rows[0], columns[0]])
    padded = np.pad(plane[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].astype(np.float64), 1)
    y, x = np.indices(padded.shape, dtype=np.float64)
    filled = contour_generator(x, y, padded, fill_type=FillType.OuterOffset).filled(_BORDER, 2 * _INSIDE)
    made = []
    for points, offsets in zip(*filled, strict=True):
        rings = [points[a : b - 1, ::-1] - 1 + first for a, b in pairwise(offsets)]
        made.append(_keyholed(rings[0], rings[1:]))
    return made


def _keyholed(outer: NDArray[np.float64], holes: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """One ring: each hole is entered at the nearest pair of points, the nearest hole first, so that no line crosses."""
    ring, left = outer, list(holes)
    while left:
        distances = [np.linalg.norm(ring[:, None] - hole[None], axis=2) for hole in left]
        n = int(np.argmin([d.min() for d in distances]))
        at, entry = np.unravel_index(int(distances[n].argmin()), distances[n].shape)
        hole = np.roll(left.pop(n), -int(entry), axis=0)
        ring = np.concatenate([ring[: at + 1], hole, hole[:1], ring[at:]])
    return ring


def _structure_set(source: Source, objects: Sequence[SegObject], provenance: Provenance) -> Dataset:
    key = hashlib.sha256("".join(one.key for one in objects).encode()).hexdigest()
    made = _module(source, key, provenance)
    regions = (
        Region(segment, one.mask.voxels == segment.value, one.mask.made_by)
        for one in objects
        for segment in one.segments
    )
    made.StructureSetROISequence, made.ROIContourSequence, made.RTROIObservationsSequence = [], [], []
    for number, region in enumerate(regions, start=1):
        contours = list(_contours(region.mask, source))
        made.StructureSetROISequence.append(_roi(number, region, source))
        made.ROIContourSequence.append(_roi_contour(number, region, contours))
        made.RTROIObservationsSequence.append(_observation(number))
    return made


def _module(source: Source, key: str, provenance: Provenance) -> Dataset:
    """The structure set without its regions."""
    made = new_object(source.header, RTStructureSetStorage, "RTSTRUCT", key, provenance)
    made.Modality, made.OperatorsName = "RTSTRUCT", ""
    made.SeriesDescription = f"{provenance.software} contours, series {source.label}"
    made.StructureSetLabel, made.StructureSetName = "SPINE", f"Spine and lesions, series {source.label}"
    made.StructureSetDescription = "Made by software, for research use; not approved"
    made.InstanceCreationDate = made.StructureSetDate = ""
    made.FrameOfReferenceUID, made.PositionReferenceIndicator = source.geometry.frame_of_reference_uid, ""
    made.ApprovalStatus = "UNAPPROVED"
    made.ReferencedFrameOfReferenceSequence = [_frame_of_reference(source)]
    dated(made, provenance.created)
    return made


def _frame_of_reference(source: Source) -> Dataset:
    series, study, frame = Dataset(), Dataset(), Dataset()
    series.SeriesInstanceUID = source.series_uid
    series.ContourImageSequence = [_reference(one) for one in source.images]
    study.ReferencedSOPClassUID, study.ReferencedSOPInstanceUID = _DETACHED_STUDY, source.header.StudyInstanceUID
    study.RTReferencedSeriesSequence = [series]
    frame.FrameOfReferenceUID = source.geometry.frame_of_reference_uid
    frame.RTReferencedStudySequence = [study]
    return frame


def _roi(number: int, region: Region, source: Source) -> Dataset:
    roi = Dataset()
    roi.ROINumber, roi.ROIName = number, region.segment.label
    roi.ReferencedFrameOfReferenceUID = source.geometry.frame_of_reference_uid
    roi.ROIGenerationAlgorithm = "SEMIAUTOMATIC" if BY_PERSON in region.made_by else "AUTOMATIC"
    roi.ROIGenerationDescription = region.made_by[:64]
    return roi


def _roi_contour(number: int, region: Region, contours: Sequence[Dataset]) -> Dataset:
    made = Dataset()
    made.ReferencedROINumber, made.ROIDisplayColor = number, list(rgb_of(region.segment.structure))
    made.ContourSequence = list(contours)
    return made


def _observation(number: int) -> Dataset:
    made = Dataset()
    made.ObservationNumber = made.ReferencedROINumber = number
    made.RTROIInterpretedType = made.ROIInterpreter = ""
    return made


def _contours(mask: NDArray[np.bool_], source: Source) -> Iterator[Dataset]:
    """Contours of a mask (k, j, i), patient mm, on every slice that has an image."""
    for k, image in zip(source.present, source.images, strict=True):
        for ring in outlines(mask[k]):
            index = np.column_stack([np.full(len(ring), k), ring])
            contour = Dataset()
            contour.ContourImageSequence = [_reference(image)]
            contour.ContourGeometricType, contour.NumberOfContourPoints = "CLOSED_PLANAR", len(ring)
            contour.set_original_encoding(
                is_implicit_vr=False, is_little_endian=True, character_encoding=default_encoding
            )  # as the numbers stand already
            contour[_CONTOUR_DATA] = _decimals(source.geometry.to_patient(index))
            yield contour


def _decimals(points: NDArray[np.float64]) -> RawDataElement:
    """Contour data as it stands in the file: half a million numbers of a study are not turned into objects first."""
    text = "\\".join(f"{value:.4f}" for value in points.ravel().tolist())
    stored = text.encode("ascii") + b" " * (len(text) % 2)
    return RawDataElement(Tag(_CONTOUR_DATA), "DS", len(stored), stored, 0, is_implicit_VR=False, is_little_endian=True)


def _reference(one: SliceOf) -> Dataset:
    made = Dataset()
    made.ReferencedSOPClassUID, made.ReferencedSOPInstanceUID = one.sop_class_uid, one.sop_instance_uid
    if one.frame is not None:
        made.ReferencedFrameNumber = one.frame
    return made
