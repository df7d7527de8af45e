"""Measurements and findings as a DICOM Comprehensive 3D SR of template TID 1500, UNVERIFIED and PRELIMINARY.

A vertebra and a lesion are a group of TID 1411 that refers to its segment in the SEG objects; a disc level, the canal
and what concerns the whole study are groups of TID 1501. Only a named person verifies a report, so this one never is.
The SEG objects are written with it: a reference to an object that is nowhere is worse than none.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from highdicom.sr import (
    AlgorithmIdentification,
    FindingSite,
    MeasurementReport,
    MeasurementsAndQualitativeEvaluations,
    ObservationContext,
    ReferencedSegment,
    SourceImageForMeasurementGroup,
    SourceSeriesForSegmentation,
    TrackingIdentifier,
    VolumetricROIMeasurementsAndQualitativeEvaluations,
)
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.uid import SegmentationStorage

from spinemri.anatomy import Level, Structure, StructureKind
from spinemri.codes import (
    ABNORMAL_STRUCTURE,
    ANATOMICAL_STRUCTURE,
    LESION,
    VERTEBRA,
    place_codes,
    structure_code,
    word,
)
from spinemri.measurement import Status
from spinemri.report.dicom_document import Kind, language_of, observer_of, report_of
from spinemri.report.dicom_items import measured, not_assessed, stated, tracking
from spinemri.report.dicom_seg import (
    algorithm_of,
    dicom_code,
    seg_objects,
    tracking_uid,
    write_seg_object,
)
from spinemri.report.dicom_source import evidence, lenient, read_sources, uid_of
from spinemri.report.examination import regions_examined

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import highdicom

    from spinemri.analysis import Analysis, Provenance
    from spinemri.case import Case
    from spinemri.codes import Code
    from spinemri.finding import Finding
    from spinemri.lesion import Lesion
    from spinemri.measurement import Measurement
    from spinemri.report.dicom_seg import Segment, SegObject
    from spinemri.report.dicom_source import Source

    Group = MeasurementsAndQualitativeEvaluations | VolumetricROIMeasurementsAndQualitativeEvaluations

FILE_NAME = "measurements.dcm"
SERIES_NUMBER = 9001
_BODY = StructureKind.VERTEBRAL_BODY


class Place(NamedTuple):
    """What a group is about; a lesion's id where it is about one, nothing at all where it is about the study."""

    kind: StructureKind | None = None
    level: Level | None = None
    lower: Level | None = None
    lesion: str = ""

    def __str__(self) -> str:
        levels = "-".join(str(v) for v in (self.level, self.lower) if v is not None)
        return self.lesion or " ".join(filter(None, ((self.kind or "study").replace("_", " "), levels)))


@dataclass
class _Group:
    """What is said of one place."""

    measurements: list[Measurement] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)


@dataclass(frozen=True, eq=False)
class _Context:
    """What the groups refer to."""

    analysis: Analysis
    sources: dict[str, Source]
    objects: tuple[SegObject, ...]
    key: str


def write_sr(case: Case, folder: Path) -> None:
    """Write ``measurements.dcm``, and the SEG objects that it refers to where they are not in the folder yet.

    Raises
    ------
    OutputError
        A series did not come from DICOM, or its files cannot be read any more.
    """
    analysis, sources = case.analysis, read_sources(case)
    objects = seg_objects(case, sources)
    for one in objects:
        if not (folder / one.file).exists():
            write_seg_object(one, analysis.provenance, folder)
    of_series = {mask.series_uid: source for mask, source in zip(case.segmentations, sources, strict=True)}
    context = _Context(analysis, of_series, objects, content_key(analysis, sources, objects))
    with lenient():
        _document(context).save_as(folder / FILE_NAME)


def groups_of(analysis: Analysis) -> dict[Place, _Group]:
    """Measurements and findings by place; a finding goes where its first measurement stands, if that is its place."""
    groups: dict[Place, _Group] = defaultdict(_Group)
    places = {m.id: place_of(m) for m in analysis.measurements}
    for m in analysis.measurements:
        groups[places[m.id]].measurements.append(m)
    for finding in analysis.findings:
        prefix = finding.id.split(".")[0]
        near = [places[id_] for id_ in finding.evidence if id_ in places and id_.split(".")[0] == prefix]
        groups[near[0] if near else Place()].findings.append(finding)
    return dict(groups) or {Place(): _Group()}


def place_of(m: Measurement) -> Place:
    """What a measurement is about."""
    lesion = m.id.split(".")[0] if m.kind is StructureKind.LESION else ""
    return Place(m.kind, m.level, m.lower, lesion)


def _document(context: _Context) -> highdicom.sr.Comprehensive3DSR:
    analysis = context.analysis
    groups = [_group(place, group, context) for place, group in groups_of(analysis).items()]
    (content,) = MeasurementReport(
        observation_context=ObservationContext(observer_device_context=observer_of(analysis.provenance)),
        procedure_reported=[dicom_code(code) for code in procedures(analysis)],
        imaging_measurements=groups,
        title=codes.DCM.ImagingMeasurementReport,
        language_of_content_item_and_descendants=language_of(analysis.language),
    )
    images = {one.SOPInstanceUID: one for source in context.sources.values() for one in evidence(source)}
    shown = [*images.values(), *(_seg_evidence(one) for one in context.objects)]
    return report_of(content, shown, Kind("SR", context.key, "measurements", SERIES_NUMBER), analysis.provenance)


def procedures(analysis: Analysis) -> list[Code]:
    """The regions that were examined; 'spine' when the levels do not say."""
    return [word(f"report of {region}") for region in regions_examined(analysis)] or [word("report")]


def _group(place: Place, group: _Group, context: _Context) -> Group:
    """TID 1411 where the place has a segment and is a vertebra or a lesion, else TID 1501."""
    lesion = next((one for one in context.analysis.lesions if one.id == place.lesion), None)
    segment = _segment(place, lesion, context)
    source = _source_of(group, context)
    frame = None if segment or source is None else source.geometry.frame_of_reference_uid
    values = [m for m in group.measurements if m.status is Status.MEASURED]
    gaps = [m for m in group.measurements if m.status is not Status.MEASURED]
    common: dict[str, Any] = {
        **meaning(place, context.analysis.spine.levels),
        "measurements": [measured(m, context.key, frame) for m in values],
        "qualitative_evaluations": [*map(not_assessed, gaps), *map(stated, group.findings)],
    }
    if segment:
        return _of_segment(*segment, common, context.analysis.provenance)
    images = images_of(values, source) if source else None
    name = tracking(context.key, str(place))
    return MeasurementsAndQualitativeEvaluations(tracking_identifier=name, source_images=images, **common)


def meaning(place: Place, spine: Sequence[Level]) -> dict[str, Any]:
    """Category, type and site of what a group is about."""
    if place.kind is None:
        return {"finding_sites": [FindingSite(dicom_code(word("spine")))]}
    lesion = place.kind is StructureKind.LESION
    sites = place_codes([level for level in (place.level, place.lower) if level], spine)
    what = VERTEBRA if len(sites) > 1 else structure_code(Structure(place.kind, place.level, place.lower))
    return {
        "finding_category": dicom_code(ABNORMAL_STRUCTURE if lesion else ANATOMICAL_STRUCTURE),
        "finding_type": dicom_code(LESION if lesion else what),
        "finding_sites": [FindingSite(dicom_code(site)) for site in sites] or None,
    }


def _segment(place: Place, lesion: Lesion | None, context: _Context) -> tuple[SegObject, Segment] | None:
    """The segment that a vertebra or a lesion has in the series that is measured."""
    if lesion:
        found = [(one, s) for one in context.objects for s in one.segments if s.lesion == lesion]
        return found[0] if found else None
    vertebra = context.analysis.spine.vertebra(place.level) if place.level else None
    if place.kind is not _BODY or place.lower is not None or vertebra is None:
        return None
    for one in context.objects:
        segment = one.segment_of(Structure(_BODY, place.level))
        if segment and one.mask.series_uid == vertebra.series_uid:
            return one, segment
    return None


def _of_segment(
    one: SegObject, segment: Segment, common: dict[str, Any], provenance: Provenance
) -> VolumetricROIMeasurementsAndQualitativeEvaluations:
    name, version, checksum = algorithm_of(one.mask.made_by, provenance)
    parameters = [f"model sha256={checksum}"] if checksum else None
    return VolumetricROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=TrackingIdentifier(uid=tracking_uid(one, segment), identifier=segment.name),
        referenced_segment=ReferencedSegment(
            SegmentationStorage,
            one.sop_uid,
            segment.number,
            source_series=SourceSeriesForSegmentation(one.source.series_uid),
        ),
        algorithm_id=AlgorithmIdentification(name, version, parameters, codes.DCM.ArtificialIntelligence),
        **common,
    )


def _source_of(group: _Group, context: _Context) -> Source | None:
    """The series that a group's values were measured in."""
    return next((context.sources[m.series_uid] for m in group.measurements if m.series_uid in context.sources), None)


def images_of(values: Sequence[Measurement], source: Source) -> list[SourceImageForMeasurementGroup]:
    """The slices that the measured points lie on; the middle one of the series when there are no points."""
    points = np.array([point for m in values for point in m.points]).reshape(-1, 3)
    present = np.array(source.present)
    wanted = source.geometry.to_index(points)[:, 0] if len(points) else np.array([present[len(present) // 2]])
    nearest = sorted({int(present[np.abs(present - k).argmin()]) for k in wanted})
    images = [one for k in nearest if (one := source.slices[k]) is not None]
    return [
        SourceImageForMeasurementGroup(
            one.sop_class_uid, one.sop_instance_uid, [one.frame] if one.frame is not None else None
        )
        for one in images
    ]


def _seg_evidence(one: SegObject) -> Dataset:
    made = Dataset()
    made.update(one.source.header)
    made.SOPClassUID, made.SOPInstanceUID = SegmentationStorage, one.sop_uid
    made.SeriesInstanceUID = uid_of("SEG series", one.key)
    return made


def content_key(analysis: Analysis, sources: tuple[Source, ...], objects: tuple[SegObject, ...]) -> str:
    """Checksum of what the report says and rests on, without what differs between two equal runs."""
    said = [m.model_dump(mode="json", exclude={"series_uid"}) for m in analysis.measurements]
    said += [finding.model_dump(mode="json") for finding in analysis.findings]
    images = [(one.sop_instance_uid, one.frame) for source in sources for one in source.images]
    made = (analysis.provenance.version, analysis.provenance.norms_sha256, [one.key for one in objects])
    return hashlib.sha256(repr((images, said, made)).encode()).hexdigest()
