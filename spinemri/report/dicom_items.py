"""Measurements and findings as content items of a DICOM structured report.

A value that could not be measured is a coded answer, 'not assessable', with the reason beneath it; never a number.
Every item carries the identifier that it has in ``report.json``, so that each can be traced; a measurement carries its
95 % interval and the levels it was compared with, a finding its certainty, grade, rule and evidence.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from highdicom.sr import (
    CodeContentItem,
    CoordinatesForMeasurement3D,
    FindingSite,
    Measurement,
    MeasurementProperties,
    NumContentItem,
    QualitativeEvaluation,
    RelationshipTypeValues,
    TextContentItem,
    TrackingIdentifier,
)
from highdicom.sr.value_types import ContentSequence
from pydicom.sr.codedict import codes

from spinemri.codes import UNITS, Code, finding_code, level_code, measurement_code, word
from spinemri.finding import Urgency
from spinemri.report.dicom_seg import dicom_code
from spinemri.report.dicom_source import uid_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from highdicom.sr import CodedConcept, ContentItem
    from pydicom.dataset import Dataset

    from spinemri.finding import Finding
    from spinemri.measurement import Measurement as Quantity

_PROPERTY, _MODIFIER = RelationshipTypeValues.HAS_PROPERTIES, RelationshipTypeValues.HAS_CONCEPT_MOD
_CONTEXT = RelationshipTypeValues.HAS_OBS_CONTEXT
_SEVERITIES = ("mild", "moderate", "severe")


def tracking(key: str, name: str) -> TrackingIdentifier:
    """A name and a UID that follows from it and from what the report rests on."""
    return TrackingIdentifier(uid=uid_of("tracking", key, name), identifier=name)


def measured(quantity: Quantity, key: str, frame_uid: str | None = None) -> Measurement:
    """A measurement with its unit, interval and reference levels.

    Parameters
    ----------
    frame_uid : Frame of Reference UID of the measurement's points; they are left out when None
    """
    line = None
    if frame_uid and len(quantity.points) > 1:
        line = CoordinatesForMeasurement3D("POLYLINE", np.asarray(quantity.points), frame_uid)
    item = Measurement(
        name=dicom_code(measurement_code(quantity.name)),
        value=float(quantity.value or 0.0),
        unit=unit_of(quantity.unit),
        tracking_identifier=tracking(key, quantity.id),
        properties=_interval(quantity),
        referenced_coordinates=None if line is None else [line],
    )
    under(item[0], [code_of(word("reference"), level_code(level)) for level in quantity.reference_levels])
    return item


def not_assessed(quantity: Quantity) -> QualitativeEvaluation:
    """That a quantity could not be measured, and why."""
    item = QualitativeEvaluation(dicom_code(measurement_code(quantity.name)), dicom_code(word("not_assessable")))
    under(item[0], [_name(quantity.id), text_of(word("reason"), quantity.reason)])
    return item


def stated(finding: Finding) -> QualitativeEvaluation:
    """A finding: how sure it is, and beneath it where, how severe, why, by which rule."""
    item = QualitativeEvaluation(dicom_code(finding_code(finding.kind)), dicom_code(word(finding.certainty.value)))
    under(item[0], [_name(finding.id), *_places(finding), *_properties(finding)])
    return item


def _places(finding: Finding) -> Iterator[ContentItem]:
    if finding.at_disc:
        yield FindingSite(dicom_code(level_code(*finding.levels)))
    else:
        yield from (FindingSite(dicom_code(level_code(level))) for level in finding.levels)
    if finding.side:
        side = dicom_code(word(finding.side))
        yield CodeContentItem(name=codes.SCT.Laterality, value=side, relationship_type=_MODIFIER)


def _properties(finding: Finding) -> Iterator[ContentItem]:
    if finding.grade in _SEVERITIES:
        yield code_of(word("severity"), word(finding.grade))
    elif finding.grade:
        yield text_of(word("grade"), finding.grade)
    if finding.urgency is not Urgency.NONE:
        yield code_of(word("urgency"), word(finding.urgency.value))
    rule = "; source: ".join(filter(None, (finding.rule, finding.source)))
    evidence = ", ".join(finding.evidence)
    told = {"cause": finding.cause, "comment": finding.statement, "rule": rule, "evidence": evidence}
    yield from (text_of(word(name), text) for name, text in told.items() if text)


def unit_of(unit: str) -> CodedConcept:
    """The code of a unit of UCUM."""
    return dicom_code(UNITS.get(unit) or Code(unit, "UCUM", unit))


def _interval(quantity: Quantity) -> MeasurementProperties | None:
    """How far the 95 % interval reaches above and below the value."""
    if quantity.interval is None or quantity.value is None:
        return None
    low, high = quantity.interval
    reach = {"upper uncertainty": high - quantity.value, "lower uncertainty": quantity.value - low}
    properties = MeasurementProperties()
    for name, value in reach.items():
        number = NumContentItem(
            dicom_code(word(name)), float(value), unit_of(quantity.unit), relationship_type=_PROPERTY
        )
        properties.append(number)
    return properties


def _name(id_: str) -> TextContentItem:
    return TextContentItem(name=codes.DCM.TrackingIdentifier, value=id_, relationship_type=_CONTEXT)


def text_of(name: Code, text: str) -> TextContentItem:
    """A text as a property of what it stands beneath."""
    return TextContentItem(name=dicom_code(name), value=text, relationship_type=_PROPERTY)


def code_of(name: Code, value: Code) -> CodeContentItem:
    """A coded answer as a property of what it stands beneath."""
    return CodeContentItem(name=dicom_code(name), value=dicom_code(value), relationship_type=_PROPERTY)


def under(item: Dataset, children: list[ContentItem]) -> None:
    """Hang items beneath an item; an empty sequence is never written."""
    if not children:
        return
    if "ContentSequence" not in item:
        item.ContentSequence = ContentSequence()
    item.ContentSequence.extend(children)
