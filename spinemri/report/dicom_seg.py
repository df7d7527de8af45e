"""Masks as DICOM SEG objects: BINARY, one for the anatomy of each series and one for the lesions outlined on it.

Lesions stand in an object of their own: they lie inside vertebrae, and without overlap every object reads as one label
map, so that readers which expect that take it too. Frames are stored only where a segment is drawn, as the standard
intends; a reader that wants the slices of the series lays the object onto it by position
(``volume.match_geometry`` in highdicom). A mask of the thecal sac is never coded as vertebral canal. UIDs follow from
content: the same masks of the same images give the same object.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import highdicom
import numpy as np
from highdicom.color import CIELabColor
from highdicom.sr import CodedConcept
from pydicom.sr.codedict import codes

from spinemri.codes import ABNORMAL_STRUCTURE, ANATOMICAL_STRUCTURE, LESION, level_code, structure_code
from spinemri.correction import BY_PERSON
from spinemri.plot import structure_colour
from spinemri.report.dicom_source import UTF8, dated, lenient, read_sources, referred, settled, stand_ins, uid_of
from spinemri.report.masks import file_names

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from spinemri.analysis import Provenance
    from spinemri.anatomy import Structure
    from spinemri.case import Case
    from spinemri.codes import Code
    from spinemri.lesion import Lesion
    from spinemri.report.dicom_source import Source
    from spinemri.segmentation import Segmentation

SERIES_NUMBER = 9100  # and following: above what scanners give
_LONGEST = 64  # characters of a Long String


@dataclass(frozen=True)
class Segment:
    """A segment to be: its number, the voxel value it stands for, and what it is."""

    number: int
    value: int
    label: str
    structure: Structure
    lesion: Lesion | None = None

    @property
    def name(self) -> str:
        """What it is called wherever it is tracked: a lesion's id, else its label."""
        return self.lesion.id if self.lesion else self.label


@dataclass(frozen=True, eq=False)
class SegObject:
    """A SEG object to be: its file, its UIDs, the mask it holds and the series it belongs to."""

    file: str
    number: int
    source: Source
    mask: Segmentation
    segments: tuple[Segment, ...]
    key: str

    @property
    def sop_uid(self) -> str:
        """SOP Instance UID, from content."""
        return uid_of("SEG instance", self.key)

    def segment_of(self, structure: Structure) -> Segment | None:
        """The segment of a structure, or None."""
        return next((s for s in self.segments if s.structure == structure and s.lesion is None), None)


def write_seg(case: Case, folder: Path) -> None:
    """Write ``segmentation_<series>.dcm`` per used series, and ``lesions_<series>.dcm`` per mask of lesions.

    Raises
    ------
    OutputError
        A series did not come from DICOM, or its files cannot be read any more.
    """
    for one in seg_objects(case, read_sources(case)):
        write_seg_object(one, case.analysis.provenance, folder)


def seg_objects(case: Case, sources: tuple[Source, ...]) -> tuple[SegObject, ...]:
    """The SEG objects of a case: anatomy of each series, then lesions; a mask without a voxel makes none."""
    of_series = {mask.series_uid: source for mask, source in zip(case.segmentations, sources, strict=True)}
    series = {series.series_uid: series for series in case.analysis.used_series()}
    made: list[SegObject] = []
    for first, masks in (("segmentation", case.segmentations), ("lesions", case.lesion_masks)):
        names = file_names(first, [series[mask.series_uid] for mask in masks], ".dcm")
        for name, mask in zip(names, masks, strict=True):
            lesions = case.analysis.lesions if first == "lesions" else ()
            if segments := tuple(_segments(mask, lesions)):
                source = of_series[mask.series_uid]
                key = _key(source, mask, segments, case.analysis.provenance)
                made.append(SegObject(name, SERIES_NUMBER + len(made), source, mask, segments, key))
    return tuple(made)


def write_seg_object(one: SegObject, provenance: Provenance, folder: Path) -> None:
    """Write one SEG object into a folder."""
    with lenient():
        seg = highdicom.seg.Segmentation(
            source_images=stand_ins(one.source),
            pixel_array=_numbered(one),
            segmentation_type=highdicom.seg.SegmentationTypeValues.BINARY,
            segment_descriptions=[_description(one, segment, provenance) for segment in one.segments],
            series_instance_uid=uid_of("SEG series", one.key),
            series_number=one.number,
            sop_instance_uid=one.sop_uid,
            instance_number=1,
            manufacturer=provenance.software,
            manufacturer_model_name=provenance.software,
            software_versions=provenance.version,
            device_serial_number=provenance.version,
            content_label="LESIONS" if one.segments[0].lesion else "ANATOMY",
            content_description=f"Series {one.source.label}, research use only",
            series_description=f"{provenance.software} {one.file.split('_', maxsplit=1)[0]}, series {one.source.label}",
            specific_character_set=UTF8,
        )
        referred(seg, one.source)
        dated(seg, provenance.created)
        organization = uid_of("dimensions", one.key)
        for item in (*seg.DimensionOrganizationSequence, *seg.DimensionIndexSequence):
            item.DimensionOrganizationUID = organization
        settled(seg)
        seg.save_as(folder / one.file)


@cache
def dicom_code(code: Code) -> CodedConcept:
    """A code as highdicom takes it: one item for each code, which stands wherever it is named and is never changed."""
    return CodedConcept(code.value, code.scheme, code.meaning)


def tracking_uid(one: SegObject, segment: Segment) -> str:
    """The UID by which a segment and what is said of it are known to belong together."""
    return uid_of("segment", one.key, segment.name)


def algorithm_of(made_by: str, provenance: Provenance) -> tuple[str, str, str]:
    """Name, version and checksum of what made a mask; a mask by another tool has no more than its name."""
    for model in provenance.models:
        if made_by.startswith(model.name):
            return model.name, model.version, model.sha256
    return made_by[:_LONGEST] or "unknown", "unknown", ""


def _segments(mask: Segmentation, lesions: tuple[Lesion, ...]) -> Iterator[Segment]:
    """Segments of what a mask shows, numbered from 1 in the order of the voxel values."""
    by_label = {lesion.label: lesion for lesion in lesions if lesion.series_uid == mask.series_uid}
    shown = [int(value) for value in np.unique(mask.voxels) if value]
    for number, value in enumerate(shown, start=1):
        structure, lesion = mask.structures[value], by_label.get(value)
        label = f"{lesion.id}, {lesion.level}" if lesion else str(structure)
        yield Segment(number, value, label[:_LONGEST], structure, lesion)


def _numbered(one: SegObject) -> NDArray[np.uint16]:
    """Segment numbers (slices with an image, rows, columns)."""
    lookup = np.zeros(int(one.mask.voxels.max()) + 1, dtype=np.uint16)
    for segment in one.segments:
        lookup[segment.value] = segment.number
    return np.asarray(lookup[one.mask.voxels[list(one.source.present)]])


def _description(one: SegObject, segment: Segment, provenance: Provenance) -> highdicom.seg.SegmentDescription:
    name, version, checksum = algorithm_of(one.mask.made_by, provenance)
    own = bool(checksum)
    algorithm = highdicom.AlgorithmIdentificationSequence(
        name=name,
        version=version,
        family=codes.DCM.ArtificialIntelligence,
        source=f"{provenance.software} {provenance.version}" if own else None,
        parameters={"model sha256": checksum} if own else None,
    )
    structure = segment.structure
    category, kind = ANATOMICAL_STRUCTURE, structure_code(structure)
    if segment.lesion:
        category, kind = ABNORMAL_STRUCTURE, LESION
    region = _region(segment)
    return highdicom.seg.SegmentDescription(
        segment_number=segment.number,
        segment_label=segment.label,
        segmented_property_category=dicom_code(category),
        segmented_property_type=dicom_code(kind),
        # who drew a mask by another tool, and how much of it by hand, is not known
        algorithm_type="AUTOMATIC" if own and BY_PERSON not in one.mask.made_by else "SEMIAUTOMATIC",
        algorithm_identification=algorithm,
        tracking_uid=tracking_uid(one, segment),
        tracking_id=segment.name,
        anatomic_regions=[dicom_code(region)] if region and region != kind else None,
        display_color=CIELabColor.from_rgb(*rgb_of(structure)),
    )


def _region(segment: Segment) -> Code | None:
    """Where a segment lies: a disc at its plane, everything else at its vertebra; None without a level."""
    level, lower = segment.structure.level, segment.structure.lower
    if segment.lesion:
        level, lower = segment.lesion.level, None
    return level_code(level, lower) if level else None


def rgb_of(structure: Structure) -> tuple[int, int, int]:
    """The colour that a structure has in the report's pictures."""
    red, green, blue = bytes.fromhex(structure_colour(structure).removeprefix("#"))
    return red, green, blue


def _key(source: Source, mask: Segmentation, segments: tuple[Segment, ...], provenance: Provenance) -> str:
    """Checksum of everything that an object says: its images, its voxels, its segments, what made it."""
    content = hashlib.sha256(np.ascontiguousarray(mask.voxels).tobytes())
    images = [(one.sop_instance_uid, one.frame) for one in source.images]
    said = [(s.number, s.label, s.value) for s in segments]
    made = (provenance.version, *algorithm_of(mask.made_by, provenance))
    content.update(repr((source.header.StudyInstanceUID, images, source.geometry, said, made)).encode())
    return content.hexdigest()
