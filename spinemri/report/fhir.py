"""``report.fhir.json``: the report as a FHIR R4B Bundle (a collection) for systems that take no DICOM.

A preliminary DiagnosticReport of category radiology whose conclusion is the impression, its Observations, and the
patient, study and software they refer to. Ids come from the content alone: the same analysis gives the same bundle,
times aside. Without identifiers, patient and study carry tokens in our own system and no DICOM UIDs.
"""

from __future__ import annotations

import base64
import json
import re
from typing import TYPE_CHECKING, Any

from spinemri.language import in_its_language, spoken
from spinemri.report.fhir_codes import (
    DICOM,
    PRIVATE,
    concept,
    examination_code,
    hl7,
    identified,
    reference,
)
from spinemri.report.fhir_observations import finding_observations, lesion_observations, measurement_observations
from spinemri.report.narrative import narrate
from spinemri.report.phrases import phrases
from spinemri.report.reviewed import disclaimer
from spinemri.report.text import to_text

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from spinemri.analysis import Analysis
    from spinemri.case import Case

    Resource = dict[str, Any]

FILE_NAME = "report.fhir.json"
_GENDER = {"F": "female", "M": "male", "O": "other"}
_UID = re.compile(r"[0-9]+(\.[0-9]+)+")


def write_fhir(case: Case, folder: Path) -> None:
    """Write ``report.fhir.json``."""
    text = json.dumps(to_fhir(case.analysis), indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False)
    (folder / FILE_NAME).write_text(text + "\n", encoding="utf-8")


@in_its_language
def to_fhir(analysis: Analysis) -> Resource:
    """The Bundle as JSON values. Raises ValueError when a number is not finite."""
    patient, device = identified(_patient(analysis)), identified(_device(analysis))
    study = identified(_study(analysis, patient))
    common = {
        "resourceType": "Observation",
        "status": "preliminary",
        "category": [hl7("observation-category", "imaging", "Imaging")],
        "subject": reference(patient),
        "device": reference(device),
        "derivedFrom": [reference(study)],
    }
    measured = measurement_observations(analysis, common)
    findings = finding_observations(analysis, common, measured)
    lesions = lesion_observations(analysis, common, measured)
    observations = (*findings, *lesions, *measured.values())
    report = identified(_report(analysis, (patient, study), observations))
    report["issued"] = analysis.provenance.created
    resources = (report, patient, study, device, *observations)
    return {
        "resourceType": "Bundle",
        "type": "collection",
        "timestamp": analysis.provenance.created,
        "entry": [{"fullUrl": f"urn:uuid:{one['id']}", "resource": one} for one in resources],
    }


def _report(analysis: Analysis, about: tuple[Resource, Resource], observations: tuple[Resource, ...]) -> Resource:
    patient, study = about
    impression = "\n".join(sentence.text for sentence in narrate(analysis).impression.sentences)
    text = _untimed(to_text(analysis), analysis)
    return {
        "resourceType": "DiagnosticReport",
        "status": "preliminary",
        "category": [hl7("v2-0074", "RAD", "Radiology")],
        "code": examination_code(analysis),
        "subject": reference(patient),
        "imagingStudy": [reference(study)],
        "result": [reference(one) for one in observations],
        "conclusion": impression or phrases.NOTHING_MEASURED,
        "presentedForm": [
            {
                "contentType": "text/plain; charset=utf-8",
                "language": spoken(),
                "title": f"{phrases.TITLE} – {phrases.SUBTITLE}",
                "data": base64.b64encode(text.encode()).decode("ascii"),
            }
        ],
    }


def _untimed(text: str, analysis: Analysis) -> str:
    """The text without the moment it was made, which would change the id of a report that is otherwise the same."""
    return text.replace(f", {analysis.provenance.created}.", ".")


def _patient(analysis: Analysis) -> Resource:
    gender = _GENDER.get(analysis.patient_sex, "unknown")
    identifier = [{"system": f"{PRIVATE}:patient", "value": analysis.patient}]
    return {"resourceType": "Patient", "identifier": identifier, "gender": gender}


def _device(analysis: Analysis) -> Resource:
    made = analysis.provenance
    versions = [{"type": {"text": made.software}, "value": made.version}]
    versions += [{"type": {"text": m.name}, "value": f"{m.version}, SHA-256 {m.sha256}"} for m in made.models]
    return {
        "resourceType": "Device",
        "deviceName": [{"name": made.software, "type": "model-name"}],
        "type": {"text": phrases.SUBTITLE},
        "version": versions,
        "note": [{"text": disclaimer(analysis)}],
    }


def _study(analysis: Analysis, patient: Resource) -> Resource:
    kept = _UID.fullmatch(analysis.study) is not None
    identifier = {"system": f"{PRIVATE}:study", "value": analysis.study}
    if kept:
        identifier = {"system": "urn:dicom:uid", "value": f"urn:oid:{analysis.study}"}
    series = list(_series(analysis))
    return {
        "resourceType": "ImagingStudy",
        "status": "available",
        "subject": reference(patient),
        "identifier": [identifier],
        "modality": concept(DICOM, ("MR", "Magnetic Resonance"))["coding"],
        **({"series": series, "numberOfSeries": len(series)} if series else {}),
    }


def _series(analysis: Analysis) -> Iterator[Resource]:
    """Every DICOM series once; stacks of one series share its UID."""
    seen: set[str] = set()
    for record in analysis.series:
        uid = record.series.series_uid.partition("#")[0]
        if uid in seen or not re.fullmatch(r"[A-Za-z0-9.-]{1,64}", uid):
            continue
        seen.add(uid)
        number = {} if record.series.number is None else {"number": record.series.number}
        described = {"description": record.series.contrast.value}
        yield {"uid": uid, "modality": concept(DICOM, ("MR", "Magnetic Resonance"))["coding"][0], **number, **described}
