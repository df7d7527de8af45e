"""``comparison_sr.dcm``: what has changed as a DICOM Comprehensive 3D SR of template TID 1500 in the latest study.

It says with which earlier study the latest one is compared, refers to the images of both and to reports of the earlier
one that lay beside its images, and tells the comparison in its own sentences before the values. Like every report that
is made here it is UNVERIFIED and PRELIMINARY, and carries the identity of the patient.
"""

from __future__ import annotations

import hashlib
from io import BytesIO
from itertools import chain
from typing import TYPE_CHECKING

from highdicom.sr import (
    CompositeContentItem,
    ContainerContentItem,
    DateContentItem,
    MeasurementReport,
    NumContentItem,
    ObservationContext,
    RelationshipTypeValues,
    TextContentItem,
    UIDRefContentItem,
)
from highdicom.sr.value_types import ContentSequence
from pydicom.sr.codedict import codes

from spinemri.codes import word
from spinemri.compare import words
from spinemri.compare.dicom_groups import Day, groups
from spinemri.compare.dicom_prior import prior_reports
from spinemri.compare.dicom_source import check_dicom, check_one_patient
from spinemri.compare.sentences import sections
from spinemri.compare.tracked import last_steps, things
from spinemri.language import in_its_language
from spinemri.report.dicom_document import Kind, language_of, observer_of, report_of
from spinemri.report.dicom_seg import dicom_code
from spinemri.report.dicom_source import evidence, lenient, read_sources
from spinemri.report.dicom_sr import procedures

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from highdicom.sr import ContentItem
    from pydicom.dataset import Dataset

    from spinemri.compare.comparison import Comparison, Step
    from spinemri.compare.study import Compared

FILE_NAME = "comparison_sr.dcm"
SERIES_NUMBER = 9004
_CHIEF = slice(1, 3)
"""Sections that are an impression where nothing has changed: lesions and height."""
_CONTAINS, _CONTEXT = RelationshipTypeValues.CONTAINS, RelationshipTypeValues.HAS_OBS_CONTEXT


@in_its_language
def to_sr(compared: Compared) -> bytes:
    """The report as the bytes of its file; the same comparison of the same files gives the same ones.

    Raises
    ------
    OutputError
        An examination did not come from DICOM, its files cannot be read any more, or it is of another patient.
    """
    comparison, days = compared.comparison, _days(compared)
    folders = compared.folders or (None,) * len(days)
    together = list(zip(folders, compared.cases, days, strict=True))[:-1]
    priors = [prior_reports(folder, case, day.header) for folder, case, day in together]
    last = days[-1].analysis
    with lenient():
        (content,) = MeasurementReport(
            observation_context=ObservationContext(observer_device_context=observer_of(last.provenance)),
            procedure_reported=[dicom_code(code) for code in procedures(last)],
            imaging_measurements=groups(things(comparison, [day.analysis for day in days]), days),
            title=codes.DCM.ImagingMeasurementReport,
            language_of_content_item_and_descendants=language_of(comparison.language),
        )
        told = [_told(comparison, step, days, priors[step.earlier]) for step in last_steps(comparison)]
        content.ContentSequence = [*content.ContentSequence[:-1], *told, content.ContentSequence[-1]]
        shown = _shown(days, priors)
        kind = Kind("comparison SR", _key(comparison, shown), "comparison", SERIES_NUMBER)
        stored = BytesIO()
        report_of(content, shown, kind, last.provenance).save_as(stored)
    return stored.getvalue()


def _days(compared: Compared) -> list[Day]:
    cases = compared.cases
    check_dicom([[image.series.source for image in case.images] for case in cases])
    days = []
    for examined, case in zip(compared.comparison.examinations, cases, strict=True):
        of_series = {mask.series_uid: s for mask, s in zip(case.segmentations, read_sources(case), strict=True)}
        days.append(Day(examined, case.analysis, of_series))
    for day in days[1:]:
        check_one_patient(day.examined.number, days[0].header, day.header)
    return days


def _told(comparison: Comparison, step: Step, days: Sequence[Day], priors: Sequence[Dataset]) -> ContainerContentItem:
    """Which study the last one is compared with, its reports, and the sentences: changes first, as an impression."""
    item = ContainerContentItem(dicom_code(word("comparison")), relationship_type=_CONTAINS)
    found = sections(step)
    sentences = [sentence for section in found for sentence in section.sentences]
    quiet = [sentence for section in found[_CHIEF] for sentence in section.sentences]
    chief = [sentence for sentence in sentences if sentence.called] or quiet
    notes = comparison.warnings if step.earlier == 0 else ()
    texts = [("impression", one.text) for one in chief]
    texts += [("statement", one.text) for one in sentences if one not in chief]
    texts += [("comment", text) for text in (*notes, words.phrases.RULE, words.phrases.RESEARCH_USE)]
    item.ContentSequence = ContentSequence(
        [
            *_prior(days[step.earlier], days[step.later]),
            *(
                CompositeContentItem(dicom_code(word("prior report")), one.SOPClassUID, one.SOPInstanceUID, _CONTAINS)
                for one in priors
            ),
            *(TextContentItem(dicom_code(word(name)), text, _CONTAINS) for name, text in texts),
        ]
    )
    return item


def _prior(earlier: Day, later: Day) -> Iterator[ContentItem]:
    """When the earlier study was made, and which one it is."""
    date = str(earlier.header.get("StudyDate", ""))
    yield TextContentItem(dicom_code(word("compared with")), words.when(earlier.examined), _CONTEXT)
    if date:
        yield DateContentItem(dicom_code(word("prior date")), date, _CONTEXT)
    yield UIDRefContentItem(dicom_code(word("prior study")), earlier.study_uid, _CONTEXT)
    known = earlier.examined.days, later.examined.days
    if known[0] is not None and known[1] is not None:
        days = float(known[1] - known[0])
        yield NumContentItem(dicom_code(word("days between")), days, codes.UCUM.Day, relationship_type=_CONTEXT)


def _shown(days: Sequence[Day], priors: Sequence[Sequence[Dataset]]) -> list[Dataset]:
    """Headers of all images that were compared, those of the last study first, and of the reports of earlier ones."""
    images = (one for day in reversed(days) for source in day.sources.values() for one in evidence(source))
    known: dict[str, Dataset] = {}
    for one in chain(images, *priors):
        known.setdefault(str(one.SOPInstanceUID), one)  # a study that is compared with itself is its own first
    return list(known.values())


def _key(comparison: Comparison, shown: Sequence[Dataset]) -> str:
    """Checksum of what the report says and rests on, without what differs between two equal runs."""
    said = [step.model_dump(mode="json") for step in comparison.steps]
    days = [(one.days, one.provenance.version, one.provenance.norms_sha256) for one in comparison.examinations]
    uids = [str(one.SOPInstanceUID) for one in shown]
    return hashlib.sha256(repr((uids, days, said, comparison.language)).encode()).hexdigest()
