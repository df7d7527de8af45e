"""Codes of the FHIR bundle: LOINC of the examination, ACR/RSNA common data elements, and the building blocks of JSON.

LOINC numbers are those of the LOINC radiology list, element ids those of the published sets (radelement.org). What has
no code there is coded as in the DICOM objects (``codes.py``), under ``PRIVATE`` where that code is our own.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from uuid import NAMESPACE_URL, uuid5

from spinemri.codes import PRIVATE_SCHEME, UNITS, VERTEBRA, place_codes
from spinemri.measurement import Status
from spinemri.report.examination import regions_examined

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spinemri.analysis import Analysis
    from spinemri.anatomy import Level
    from spinemri.codes import Code

    Resource = dict[str, Any]

PRIVATE = "urn:99spinemri"
SNOMED, LOINC, UCUM = "http://snomed.info/sct", "http://loinc.org", "http://unitsofmeasure.org"
RADELEMENT = "https://radelement.org"
DICOM = "http://dicom.nema.org/resources/ontology/DCM"
NAMES = f"{PRIVATE}:names"
"""Names of measurements and kinds of findings as ``report.json`` and the tables write them."""
_SYSTEMS = {"SCT": SNOMED, "LN": LOINC, "DCM": DICOM, "RADLEX": "http://radlex.org", PRIVATE_SCHEME: PRIVATE}
_HL7 = "http://terminology.hl7.org/CodeSystem/"
_NAMESPACE = uuid5(NAMESPACE_URL, PRIVATE)

SPINE_REPORT = ("18756-7", "MRI Spine Report")
_WITHOUT, _WITH, _BOTH = "without", "with", "both"
EXAMINATIONS = {
    ("C", ""): ("24935-9", "MR cervical spine"),
    ("C", _WITHOUT): ("30667-0", "MR cervical spine without contrast"),
    ("C", _WITH): ("24938-3", "MR cervical spine with contrast"),
    ("C", _BOTH): ("24937-5", "MR cervical spine without and with contrast"),
    ("T", ""): ("24980-5", "MR thoracic spine"),
    ("T", _WITHOUT): ("36532-0", "MR thoracic spine without contrast"),
    ("T", _WITH): ("24982-1", "MR thoracic spine with contrast"),
    ("T", _BOTH): ("24981-3", "MR thoracic spine without and with contrast"),
    ("L", ""): ("24968-0", "MR lumbar spine"),
    ("L", _WITHOUT): ("30679-5", "MR lumbar spine without contrast"),
    ("L", _WITH): ("30678-7", "MR lumbar spine with contrast"),
    ("L", _BOTH): ("24967-2", "MR lumbar spine without and with contrast"),
    ("CTL", _WITHOUT): ("36531-2", "MR spine without contrast"),
}
"""(regions, contrast agent) -> LOINC; several regions that are not the whole spine have none of their own."""

_ABSENT_REASON = {
    Status.NOT_ASSESSABLE: ("unknown", "Unknown"),
    Status.OUT_OF_FIELD: ("not-performed", "Not Performed"),
    Status.EXCLUDED: ("unsupported", "Unsupported"),
}
SETS = {
    "vertebral_height_loss": ("RDES230", "Vertebral Compression Fracture"),
    "sins": ("RDES21", "Spine Instability Neoplastic Score"),
    "escc": ("RDES288", "Epidural Spinal Cord Compression Scale"),
    "disc_degeneration": ("RDES281", "Pfirrmann Spine Disc Degeneration Classification"),
}
"""Kind of a finding -> the set of common data elements that it fills."""
GRADES = {
    "escc": (
        "RDE1998",
        "Compression grade",
        {g: f"RDE288.{n}" for n, g in enumerate(("0", "1a", "1b", "1c", "2", "3"))},
    ),
    "disc_degeneration": (
        "RDE1929",
        "Pfirrmann grade",
        {g: f"RDE281.{n}" for n, g in enumerate(("I", "II", "III", "IV", "V"))},
    ),
}
"""Kind -> element that holds its grade, and the grade's values."""
FRACTURE_PRESENCE, FRACTURE_LEVELS = ("RDE1471", "Presence"), ("RDE1472", "Vertebrae")
FRACTURE_DEGREE = ("RDE2004", "Degree of compression")
"""The set calls its unit 'degree'; a percentage of height is meant, and is what stands here, with its unit."""
SINS_LEVEL = ("RDE151", "Spinal level")
SINS_ELEMENTS = {
    "location": ("RDE152", "Location"),
    "bone lesion": ("RDE153", "Lesion quality"),
    "alignment": ("RDE154", "Alignment"),
    "collapse": ("RDE155", "Collapse"),
    "posterolateral": ("RDE156", "Posterior elements"),
}
"""Component of the score -> element; pain has none."""


def identified(resource: Resource) -> Resource:
    """The resource with an id that its content alone decides."""
    content = json.dumps(resource, sort_keys=True, ensure_ascii=False)
    return {**resource, "id": str(uuid5(_NAMESPACE, content))}


def reference(resource: Resource) -> Resource:
    """A reference to a resource of the same bundle."""
    return {"reference": f"urn:uuid:{resource['id']}"}


def concept(system: str, code: tuple[str, str], text: str = "") -> Resource:
    """A CodeableConcept of one code."""
    value, display = code
    made: Resource = {"coding": [{"system": system, "code": value, "display": display}]}
    return {**made, "text": text} if text else made


def coded(code: Code, name: str = "", text: str = "") -> Resource:
    """A CodeableConcept of a code of the DICOM objects, beside it our own name of the same thing."""
    made = concept(_SYSTEMS[code.scheme], (code.value, code.meaning), text)
    if name:
        made["coding"].append({"system": NAMES, "code": name})
    return made


def hl7(name: str, code: str, display: str) -> Resource:
    """A CodeableConcept of one of HL7's own code systems."""
    return concept(_HL7 + name, (code, display))


def quantity(value: float, unit: str) -> Resource:
    """A quantity with its UCUM unit; six significant digits are more than any measurement has."""
    known = UNITS.get(unit)
    return {"value": float(f"{value:.6g}"), "unit": unit, "system": UCUM, "code": known.value if known else unit}


def no_value(status: Status, reason: str) -> Resource:
    """Why a measurement has no value; the code says which kind of gap, the text what happened."""
    return {**hl7("data-absent-reason", *_ABSENT_REASON[status]), "text": reason}


def body_site(levels: Sequence[Level], spine: Sequence[Level], text: str) -> Resource | None:
    """The vertebra, or the plane through the disc between two neighbours; None where there is no level.

    In SNOMED where it has a code, else in our own. Levels that are no neighbours in this spine are vertebrae in
    general; ``text`` says in every case which.
    """
    if not levels:
        return None
    found = place_codes(levels, spine)
    return coded(found[0] if len(found) == 1 else VERTEBRA, text=text)


def examination_code(analysis: Analysis) -> Resource:
    """What was examined: the region's own LOINC code where it has one, else the report of a spine MR."""
    return concept(LOINC, EXAMINATIONS.get((regions_examined(analysis), _agent(analysis)), SPINE_REPORT))


def _agent(analysis: Analysis) -> str:
    """'without', 'with' or 'both', of the series that were used; '' when a header leaves it open."""
    agents = {series.contrast_agent for series in analysis.used_series()}
    if "uncertain" in agents or not agents:
        return ""
    if agents == {"none"}:
        return _WITHOUT
    return _WITH if agents == {"given"} else _BOTH
