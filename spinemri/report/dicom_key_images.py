"""Key images: a DICOM Key Object Selection of the source images on which the reported findings and lesions lie.

A finding lies where its measurements were taken; one without points, at the middle of its vertebrae. The document holds
references only: viewers that know it show those slices first. It is no verdict on what else there is to see.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from highdicom.ko import KeyObjectSelection, KeyObjectSelectionDocument
from pydicom.sr.codedict import codes

from spinemri.finding import Certainty
from spinemri.report.dicom_document import observer_of
from spinemri.report.dicom_seg import seg_objects
from spinemri.report.dicom_source import UTF8, dated, evidence, lenient, read_sources, uid_of
from spinemri.report.dicom_sr import content_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from spinemri.analysis import Analysis
    from spinemri.case import Case
    from spinemri.finding import Finding
    from spinemri.report.dicom_source import SliceOf, Source

    Point = tuple[float, float, float]
    Place = tuple[str, Point]

FILE_NAME = "key_images.dcm"
SERIES_NUMBER = 9003
DESCRIPTION = "Images on which reported findings lie. Made by software, for research use; not verified."
_REPORTED = (Certainty.PRESENT, Certainty.BORDERLINE)


def write_key_images(case: Case, folder: Path) -> None:
    """Write ``key_images.dcm``; nothing when no finding lies on an image.

    Raises
    ------
    OutputError
        A series did not come from DICOM, or its files cannot be read any more.
    """
    analysis, sources = case.analysis, read_sources(case)
    of_series = {mask.series_uid: source for mask, source in zip(case.segmentations, sources, strict=True)}
    images = key_images(places(analysis), of_series)
    if not images:
        return
    key = content_key(analysis, sources, seg_objects(case, sources))
    with lenient():
        document = _document(images, sources, analysis, key)
        document.save_as(folder / FILE_NAME, enforce_file_format=True)


def places(analysis: Analysis) -> Iterator[Place]:
    """Series and patient point (LPS mm) of everything that is reported as present or borderline, and of each lesion."""
    for lesion in analysis.lesions:
        yield lesion.series_uid, lesion.centre
    for finding in analysis.findings:
        if finding.certainty in _REPORTED:
            yield from list(_measured(finding, analysis)) or _vertebrae(finding, analysis)


def key_images(found: Iterable[Place], sources: dict[str, Source]) -> tuple[SliceOf, ...]:
    """The images nearest to places, each once, series by series from the first slice on."""
    chosen: set[tuple[str, int]] = set()
    for uid, point in found:
        if uid in sources:
            present = np.array(sources[uid].present)
            k = sources[uid].geometry.to_index(np.array(point))[0]
            chosen.add((uid, int(present[np.abs(present - k).argmin()])))
    images = (source.slices[k] for uid, source in sources.items() for k in source.present if (uid, k) in chosen)
    return tuple(one for one in images if one is not None)


def _measured(finding: Finding, analysis: Analysis) -> Iterator[Place]:
    """Where the measurements were taken that a finding rests on."""
    for id_ in finding.evidence:
        m = analysis.measurement(id_)
        if m is not None and m.series_uid is not None:
            yield from ((m.series_uid, point) for point in m.points)


def _vertebrae(finding: Finding, analysis: Analysis) -> Iterator[Place]:
    """Middles of the vertebrae that a finding names."""
    for level in finding.levels:
        vertebra = analysis.spine.vertebra(level)
        if vertebra is not None:
            yield vertebra.series_uid, vertebra.centre


def _document(
    images: Sequence[SliceOf], sources: Sequence[Source], analysis: Analysis, key: str
) -> KeyObjectSelectionDocument:
    frames: dict[str, list[int]] = {}
    for one in images:
        frames.setdefault(one.sop_instance_uid, []).extend([one.frame] if one.frame is not None else [])
    shown = {item.SOPInstanceUID: item for source in sources for item in evidence(source)}
    objects = [shown[uid] for uid in frames]
    provenance = analysis.provenance
    content = KeyObjectSelection(
        document_title=codes.DCM.OfInterest,
        referenced_objects=objects,
        observer_device_context=observer_of(provenance),
        description=DESCRIPTION,
    )
    made = KeyObjectSelectionDocument(
        evidence=objects,
        content=content,
        series_instance_uid=uid_of("KO series", key),
        series_number=SERIES_NUMBER,
        sop_instance_uid=uid_of("KO instance", key),
        instance_number=1,
        manufacturer=provenance.software,
    )
    made.update(sources[0].header)
    made.SpecificCharacterSet, made.SeriesDescription = UTF8, f"{provenance.software} key images"
    made.ManufacturerModelName, made.SoftwareVersions = provenance.software, provenance.version
    for item in made.ContentSequence:
        for reference in item.get("ReferencedSOPSequence", ()):
            if frames[reference.ReferencedSOPInstanceUID]:
                reference.ReferencedFrameNumber = frames[reference.ReferencedSOPInstanceUID]
    dated(made, provenance.created)
    return made
