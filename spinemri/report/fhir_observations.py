"""FHIR Observations of one analysis: one per measurement, per finding and per lesion.

A measurement that could not be made has a ``dataAbsentReason`` and no value, never a 0. A finding points to the
measurements it rests on; a graded set (SINS, compression fracture, ESCC, Pfirrmann) has a component per element. What
is urgent is marked critical (AA); nothing is sent to anybody.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from spinemri.codes import LESION, VERTEBRA, finding_code, measurement_code, word
from spinemri.finding import Certainty, Urgency
from spinemri.language import Phrases
from spinemri.measurement import Status
from spinemri.report import fhir_codes as codes
from spinemri.report.fhir_codes import PRIVATE, RADELEMENT, body_site, coded, concept, quantity
from spinemri.report.lesion_values import place_text
from spinemri.report.sentences import level_ranges
from spinemri.report.statements import HEIGHT_LOSS_KIND, finding_sentence

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from spinemri.analysis import Analysis
    from spinemri.anatomy import Level
    from spinemri.finding import Finding
    from spinemri.lesion import Lesion
    from spinemri.measurement import Measurement

    Resource = dict[str, Any]

_SINS = Phrases("assess.sins")  # how the components of the score are stated
"""A component in the words of the score: 'pain 0-3 (unknown: not stated)'."""
_POINTS = "{points}"  # UCUM's way to count what is no unit


def measurement_observations(analysis: Analysis, common: Resource) -> dict[str, Resource]:
    """Measurement id -> its Observation; ``common`` is what all of them share (status, subject, device …)."""
    return {m.id: codes.identified(_measurement(m, common, analysis.spine.levels)) for m in analysis.measurements}


def finding_observations(
    analysis: Analysis, common: Resource, measured: Mapping[str, Resource]
) -> tuple[Resource, ...]:
    """An Observation per finding, which refers to those of its evidence."""
    return tuple(codes.identified(_finding(analysis, f, common, measured)) for f in analysis.findings)


def lesion_observations(analysis: Analysis, common: Resource, measured: Mapping[str, Resource]) -> tuple[Resource, ...]:
    """An Observation per lesion: where it lies, how probable, and how the evidence is shared among its kinds."""
    return tuple(codes.identified(_lesion(analysis, lesion, common, measured)) for lesion in analysis.lesions)


def _measurement(m: Measurement, common: Resource, spine: Sequence[Level]) -> Resource:
    made = {
        **common,
        "identifier": [{"system": PRIVATE, "value": m.id}],
        "code": coded(measurement_code(m.name), m.name),
        **_site(body_site(m.levels, spine, m.place)),
    }
    if m.value is None:
        return {**made, "dataAbsentReason": codes.no_value(m.status, m.reason)}
    made["valueQuantity"] = quantity(m.value, m.unit)
    if m.interval is not None:
        low, high = (quantity(end, m.unit) for end in sorted(m.interval))
        made["component"] = [
            _component(PRIVATE, ("interval_95", "95 % interval"), valueRange={"low": low, "high": high})
        ]
    if m.flags:
        made["note"] = [{"text": "; ".join(m.flags)}]
    return made


def _finding(analysis: Analysis, finding: Finding, common: Resource, measured: Mapping[str, Resource]) -> Resource:
    code = coded(finding_code(finding.kind), finding.kind)
    if finding.kind in codes.SETS:
        code["coding"] += concept(RADELEMENT, codes.SETS[finding.kind])["coding"]
    made = {
        **common,
        "identifier": [{"system": PRIVATE, "value": finding.id}],
        "code": code,
        **_site(_place(analysis, finding)),
        "note": [{"text": finding_sentence(analysis, finding, detailed=True).text}],
    }
    evidence = [codes.reference(measured[id_]) for id_ in finding.evidence if id_ in measured]
    made["derivedFrom"] = [*common["derivedFrom"], *evidence]
    if finding.certainty is Certainty.NOT_ASSESSABLE:
        made["dataAbsentReason"] = codes.no_value(Status.NOT_ASSESSABLE, made["note"][0]["text"])
    else:
        said = ", ".join(text for text in (finding.certainty.value, finding.grade, finding.cause) if text)
        made["valueCodeableConcept"] = coded(word(finding.certainty.value), text=said)
    if finding.urgency is not Urgency.NONE:
        critical = codes.hl7("v3-ObservationInterpretation", "AA", "Critical abnormal")
        made["interpretation"] = [critical, coded(word(finding.urgency.value))]
    parts = list(_parts(analysis, finding))
    return {**made, "component": parts} if parts else made


def _parts(analysis: Analysis, finding: Finding) -> Iterator[Resource]:
    """The elements of the set that a finding fills."""
    if finding.kind == HEIGHT_LOSS_KIND:
        yield from _fracture(analysis, finding)
    elif finding.kind == "sins" and finding.levels:
        yield _component(RADELEMENT, codes.SINS_LEVEL, valueCodeableConcept=_place(analysis, finding) or {})
        yield from _sins_parts(finding.statement)
    elif finding.kind in codes.GRADES:
        element, display, values = codes.GRADES[finding.kind]
        if finding.grade in values:
            value = concept(RADELEMENT, (values[finding.grade], f"grade {finding.grade}"))
            yield _component(RADELEMENT, (element, display), valueCodeableConcept=value)
        else:
            why = codes.no_value(Status.NOT_ASSESSABLE, finding.statement or finding.certainty.value)
            yield _component(RADELEMENT, (element, display), dataAbsentReason=why)


def _fracture(analysis: Analysis, finding: Finding) -> Iterator[Resource]:
    """Presence, level and degree; the degree is the percentage that the finding rests on."""
    yield _component(RADELEMENT, codes.FRACTURE_LEVELS, valueCodeableConcept=_place(analysis, finding) or {})
    if finding.certainty is not Certainty.NOT_ASSESSABLE:
        presence = coded(word(finding.certainty.value))
        yield _component(RADELEMENT, codes.FRACTURE_PRESENCE, valueCodeableConcept=presence)
    loss = next((m for id_ in finding.evidence if (m := analysis.measurement(id_)) and m.unit == "%"), None)
    if loss is None:
        return
    if loss.value is None:
        yield _component(RADELEMENT, codes.FRACTURE_DEGREE, dataAbsentReason=codes.no_value(loss.status, loss.reason))
    else:
        yield _component(RADELEMENT, codes.FRACTURE_DEGREE, valueQuantity=quantity(loss.value, loss.unit))


def _sins_parts(statement: str) -> Iterator[Resource]:
    """Every component that the statement of a score tells, in the language that it is written in."""
    names = {word: code for code, word in _SINS["COMPONENTS"].items()}
    named, sources = ("|".join(map(re.escape, words)) for words in (names, _SINS["SOURCES"].values()))
    pattern = (
        rf"(?P<name>{named}) (?P<low>\d+)(?:-(?P<high>\d+))? \((?:{sources}): (?P<reason>.*?)\)"
        rf"(?=; (?:{named}) \d|\.)"
    )
    for part in re.finditer(pattern, statement):
        yield _sins_part(names[part["name"]], part)


def _sins_part(name: str, part: re.Match[str]) -> Resource:
    """One component of the score; a range of points is no value."""
    low, high = int(part["low"]), int(part["high"] or part["low"])
    element = codes.SINS_ELEMENTS.get(name)
    system, code = (RADELEMENT, element) if element else (PRIVATE, (f"sins_{name}", name))
    if low != high:
        why = codes.no_value(Status.NOT_ASSESSABLE, _SINS.POINTS.format(low=low, high=high, reason=part["reason"]))
        return _component(system, code, dataAbsentReason=why)
    return _component(system, code, valueQuantity=quantity(low, _POINTS))


def _lesion(analysis: Analysis, lesion: Lesion, common: Resource, measured: Mapping[str, Resource]) -> Resource:
    own = [codes.reference(made) for id_, made in measured.items() if id_.startswith(f"{lesion.id}.")]
    kinds = [
        _component(PRIVATE, (kind.name.lower(), kind.value), valueQuantity=quantity(100 * share, "%"))
        for kind, share in sorted(lesion.shares.items(), key=lambda item: -item[1])
    ]
    sure = _component(
        PRIVATE, ("probability", "probability of a lesion"), valueQuantity=quantity(100 * lesion.probability, "%")
    )
    return {
        **common,
        "identifier": [{"system": PRIVATE, "value": lesion.id}],
        "code": coded(LESION, "lesion"),
        **_site(body_site((lesion.level,), (), place_text(analysis, lesion))),
        "valueCodeableConcept": coded(word(Certainty.PRESENT.value)),
        "component": [sure, *kinds],
        **({"hasMember": own} if own else {}),
    }


def _place(analysis: Analysis, finding: Finding) -> Resource | None:
    """Where a finding lies: as its measurement says it, or its levels, neighbours joined."""
    spine = analysis.spine.levels
    measured = (analysis.measurement(id_) for id_ in finding.evidence[:1])
    place = next((m.place for m in measured if m is not None and m.levels == finding.levels), "")
    text = place or level_ranges(finding.levels, spine) or ", ".join(map(str, finding.levels))
    text = f"{text} {finding.side}".strip()
    scattered = len(finding.levels) > 1 and not (finding.at_disc or place)
    return coded(VERTEBRA, text=text) if scattered else body_site(finding.levels, spine, text)


def _site(site: Resource | None) -> Resource:
    return {"bodySite": site} if site else {}


def _component(system: str, code: tuple[str, str], **value: Resource) -> Resource:
    return {"code": concept(system, code), **value}
