"""The bundle is valid R4B, says every measurement once with its unit or why there is none, and hides identifiers."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import replace

import pytest
from fhir.resources.R4B.bundle import Bundle

from spinemri.anatomy import Level, StructureKind
from spinemri.clinical import Clinical
from spinemri.finding import Certainty, Finding, Urgency
from spinemri.measurement import Measurement, Status
from spinemri.report.fhir import FILE_NAME, to_fhir, write_fhir
from spinemri.report.fhir_codes import LOINC, NAMES, PRIVATE, RADELEMENT, SNOMED, UCUM
from spinemri.report.narrative import narrate
from spinemri.report.text import to_text
from spinemri.spine import LevelAssignment, LevelBasis, Spine, Vertebra
from tests.report import cases
from tests.report.studies import judged, studies


def resources(bundle, kind):
    return [entry["resource"] for entry in bundle["entry"] if entry["resource"]["resourceType"] == kind]


def observation(bundle, id_):
    (found,) = [o for o in resources(bundle, "Observation") if o["identifier"][0]["value"] == id_]
    return found


def codes_of(concept, system):
    return [coding["code"] for coding in concept["coding"] if coding["system"] == system]


def components(observation):
    """Code of every component -> the component."""
    return {part["code"]["coding"][0]["code"]: part for part in observation["component"]}


@pytest.fixture(scope="module")
def analysis(lesion_case):
    return judged(lesion_case.analysis, Clinical(pain="pain_free"))


@pytest.fixture(scope="module")
def bundle(analysis):
    return to_fhir(analysis)


@pytest.mark.parametrize("seed", range(8))
def test_bundles_of_synthetic_studies_are_valid_and_complete(seed):
    (analysis,) = studies([seed])
    bundle = to_fhir(analysis)
    Bundle.model_validate_json(json.dumps(bundle))
    said = [o["identifier"][0]["value"] for o in resources(bundle, "Observation")]
    wanted = [one.id for one in (*analysis.findings, *analysis.lesions, *analysis.measurements)]
    assert said == wanted
    ids = [entry["resource"]["id"] for entry in bundle["entry"]]
    assert len(ids) == len(set(ids))
    known = {entry["fullUrl"] for entry in bundle["entry"]}
    assert known == {f"urn:uuid:{id_}" for id_ in ids}
    assert set(re.findall(r'"reference": "([^"]+)"', json.dumps(bundle))) <= known


def test_a_bundle_that_breaks_the_standard_is_not_valid(bundle):
    broken = json.loads(json.dumps(bundle))
    broken["entry"][0]["resource"]["status"] = {"not": "a code"}
    with pytest.raises(ValueError, match="status"):
        Bundle.model_validate(broken)


def test_the_report_is_preliminary_radiology_and_concludes_with_the_impression(analysis, bundle):
    (report,) = resources(bundle, "DiagnosticReport")
    assert report["status"] == "preliminary"
    assert report["category"][0]["coding"][0]["code"] == "RAD"
    assert report["conclusion"].splitlines() == [s.text for s in narrate(analysis).impression.sentences]
    assert len(report["result"]) == len(resources(bundle, "Observation"))
    text = base64.b64decode(report["presentedForm"][0]["data"]).decode()
    assert text == to_text(analysis).replace(f", {analysis.provenance.created}.", ".")


def test_every_measured_value_has_its_unit_and_every_gap_its_reason_and_no_number(analysis, bundle):
    for m in analysis.measurements:
        found = observation(bundle, m.id)
        assert found["status"] == "preliminary"
        assert codes_of(found["code"], NAMES) == [m.name]
        if m.value is None:
            assert found["dataAbsentReason"]["text"] == m.reason
            assert not [key for key in found if key.startswith("value") or key == "component"]
        else:
            value = found["valueQuantity"]
            assert value["value"] == pytest.approx(m.value, rel=1e-5, abs=1e-12)
            assert (value["system"], value["code"]) == (UCUM, m.unit)
            assert "dataAbsentReason" not in found


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (Status.NOT_ASSESSABLE, "unknown"),
        (Status.OUT_OF_FIELD, "not-performed"),
        (Status.EXCLUDED, "unsupported"),
    ],
)
def test_each_kind_of_gap_has_a_code_of_its_own(analysis, status, code):
    gap = Measurement(
        id="L3.x", name="anterior_height", kind=StructureKind.VERTEBRAL_BODY, level=Level("L3"), unit="mm",
        status=status, reason="why",
    )  # fmt: skip
    made = to_fhir(analysis.model_copy(update={"measurements": (gap,)}))
    assert observation(made, "L3.x")["dataAbsentReason"]["coding"][0]["code"] == code


def test_an_interval_is_a_range_in_the_same_unit(bundle):
    part = components(observation(bundle, "L1.height_loss_pct"))["interval_95"]["valueRange"]
    assert (part["low"]["value"], part["high"]["value"]) == (29.5, 40.5)
    assert part["low"]["code"] == "%"


def test_body_sites_are_snomed_vertebrae_and_disc_planes_else_private_and_always_named(analysis, bundle):
    assert codes_of(observation(bundle, "L1.anterior_height")["bodySite"], SNOMED) == ["66794005"]
    disc = observation(bundle, "L2-L3.dural_sac_ap")["bodySite"]
    assert (codes_of(disc, SNOMED), disc["text"]) == (["243921004"], "L2-L3")
    sacral = observation(bundle, "S1.marrow_t1_to_disc")["bodySite"]
    assert (codes_of(sacral, PRIVATE), sacral["text"]) == (["LEVEL_S1"], "S1")
    far = Measurement(
        id="T12-S1.lumbar_lordosis", name="lumbar_lordosis", kind=StructureKind.VERTEBRAL_BODY, level=Level("T12"),
        lower=Level("S1"), value=41.0, unit="deg",
    )  # fmt: skip
    made = to_fhir(analysis.model_copy(update={"measurements": (far,)}))
    site = observation(made, far.id)["bodySite"]
    assert (codes_of(site, SNOMED), site["text"]) == (["51282000"], "T12-S1")  # no disc lies between them
    assert all(o["bodySite"]["text"] for o in resources(bundle, "Observation") if "bodySite" in o)


def test_sins_has_an_element_per_component_and_unknown_points_are_no_value(bundle):
    score = observation(bundle, "L2.sins")
    assert codes_of(score["code"], RADELEMENT) == ["RDES21"]
    parts = components(score)
    assert set(parts) == {"RDE151", "RDE152", "sins_pain", "RDE153", "RDE154", "RDE155", "RDE156"}
    assert parts["RDE151"]["valueCodeableConcept"]["text"] == "L2"
    assert parts["RDE152"]["valueQuantity"]["value"] == 2  # mobile spine
    assert parts["sins_pain"]["valueQuantity"]["value"] == 0  # as said by the user: a true zero
    assert "valueQuantity" not in parts["RDE153"]
    assert parts["RDE153"]["dataAbsentReason"]["text"] == "0 to 2 points: needs CT"


def test_a_compression_fracture_has_presence_level_and_percent_of_height(bundle):
    finding = observation(bundle, "L1.vertebral_height_loss")
    assert codes_of(finding["code"], RADELEMENT) == ["RDES230"]
    parts = components(finding)
    assert codes_of(parts["RDE1471"]["valueCodeableConcept"], SNOMED) == ["52101004"]
    assert parts["RDE1472"]["valueCodeableConcept"]["text"] == "L1"
    assert (parts["RDE2004"]["valueQuantity"]["value"], parts["RDE2004"]["valueQuantity"]["code"]) == (35.0, "%")
    gap = components(observation(bundle, "L4.vertebral_height_loss"))
    assert "RDE1471" not in gap
    assert "posterior wall" in gap["RDE2004"]["dataAbsentReason"]["text"]


@pytest.mark.parametrize(
    ("kind", "grade", "element", "value"),
    [("escc", "1b", "RDE1998", "RDE288.2"), ("disc_degeneration", "IV", "RDE1929", "RDE281.3")],
)
def test_grades_have_the_values_of_their_sets(analysis, kind, grade, element, value):
    common = {"id": "x", "kind": kind, "levels": (Level("L4"), Level("L5")), "at_disc": True, "statement": "said"}
    graded = Finding(**common, grade=grade, certainty=Certainty.PRESENT)
    ungraded = Finding(**common, certainty=Certainty.NOT_ASSESSABLE)
    made = observation(to_fhir(analysis.model_copy(update={"findings": (graded,)})), "x")
    assert codes_of(components(made)[element]["valueCodeableConcept"], RADELEMENT) == [value]
    made = observation(to_fhir(analysis.model_copy(update={"findings": (ungraded,)})), "x")
    assert "valueCodeableConcept" not in components(made)[element]
    assert made["dataAbsentReason"]["text"] == "said"


def test_only_what_is_urgent_is_critical(analysis, bundle):
    marked = {o["identifier"][0]["value"] for o in resources(bundle, "Observation") if "interpretation" in o}
    assert marked == {f.id for f in analysis.findings if f.urgency is not Urgency.NONE}
    assert marked
    for id_ in marked:
        assert observation(bundle, id_)["interpretation"][0]["coding"][0]["code"] == "AA"


def test_a_lesion_has_its_place_its_shares_and_its_measurements(analysis, bundle):
    lesion = observation(bundle, "lesion-1")
    assert lesion["bodySite"]["text"] == "L2 left"
    parts = components(lesion)
    assert parts["probability"]["valueQuantity"]["value"] == 93
    assert parts["tumour"]["valueQuantity"] == {"value": 71, "unit": "%", "system": UCUM, "code": "%"}
    assert len(lesion["hasMember"]) == sum(m.id.startswith("lesion-1.") for m in analysis.measurements)


def examined(analysis, levels, *agents):
    vertebrae = tuple(
        Vertebra(
            assignment=LevelAssignment(level=Level(name), basis=LevelBasis.FROM_C2, confidence=1.0),
            centre=(0.0, 0.0, -30.0 * n), series_uid="tok-t1",
        )
        for n, name in enumerate(levels)
    )  # fmt: skip
    used = [record for record in analysis.series if record.used]
    records = tuple(
        record.model_copy(update={"series": record.series.model_copy(update={"contrast_agent": agent})})
        for record, agent in zip(used, agents, strict=True)
    )
    changes = {"spine": Spine(vertebrae=vertebrae), "series": records, "measurements": (), "findings": ()}
    (report,) = resources(to_fhir(analysis.model_copy(update=changes)), "DiagnosticReport")
    return codes_of(report["code"], LOINC)[0]


C, T, L = (
    [f"{region}{n}" for n in range(first, last + 1)] for region, first, last in (("C", 2, 7), ("T", 1, 12), ("L", 1, 5))
)


@pytest.mark.parametrize(
    ("levels", "agents", "code"),
    [
        ([*T[-2:], *L, "S1"], ("none", "none"), "30679-5"),
        ([*T[-2:], *L, "S1"], ("given", "given"), "30678-7"),
        ([*T[-2:], *L, "S1"], ("none", "given"), "24967-2"),
        ([*T[-2:], *L, "S1"], ("none", "uncertain"), "24968-0"),
        ([*C, *T[:3]], ("none", "none"), "30667-0"),
        (T[:5], ("none", "none"), "18756-7"),  # less than half of a region
        (T[:6], ("none", "none"), "36532-0"),
        ([*C, *T, *L], ("none", "none"), "36531-2"),
        ([*C, *T, *L], ("none", "given"), "18756-7"),
        ([*T, *L], ("none", "none"), "18756-7"),
        (["V1", "V2", "V3"], ("none", "none"), "18756-7"),
    ],
)
def test_the_examination_is_coded_by_region_and_contrast_agent(case, levels, agents, code):
    assert examined(case.analysis, levels, *agents) == code


def test_tokens_are_no_dicom_uids_and_kept_identifiers_are(analysis, bundle):
    (study,) = resources(bundle, "ImagingStudy")
    assert study["identifier"] == [{"system": f"{PRIVATE}:study", "value": analysis.study}]
    series = analysis.series[0].series.model_copy(update={"series_uid": "1.2.3#0"})
    other = analysis.series[1].series.model_copy(update={"series_uid": "1.2.3#1"})
    records = tuple(r.model_copy(update={"series": s}) for r, s in zip(analysis.series, (series, other), strict=False))
    kept = to_fhir(analysis.model_copy(update={"study": "1.2.840.1", "series": records}))
    (study,) = resources(kept, "ImagingStudy")
    assert study["identifier"] == [{"system": "urn:dicom:uid", "value": "urn:oid:1.2.840.1"}]
    assert [one["uid"] for one in study["series"]] == ["1.2.3"]  # two stacks of one series
    Bundle.model_validate_json(json.dumps(kept))


def test_ids_come_from_the_content_times_aside(analysis, bundle):
    later = analysis.provenance.model_copy(update={"created": "2031-01-01T00:00:00+00:00", "seconds": {}})
    again = to_fhir(analysis.model_copy(update={"provenance": later}))
    assert [entry["fullUrl"] for entry in again["entry"]] == [entry["fullUrl"] for entry in bundle["entry"]]
    first = analysis.measurements[0]
    changed = (first.model_copy(update={"reason": "another"}), *analysis.measurements[1:])
    other = to_fhir(analysis.model_copy(update={"measurements": changed}))
    assert observation(other, first.id)["id"] != observation(bundle, first.id)["id"]


def test_the_file_holds_the_bundle_and_nothing_from_a_header(case, tmp_path):
    write_fhir(replace(case, analysis=case.analysis), tmp_path)
    text = (tmp_path / FILE_NAME).read_text(encoding="utf-8")
    assert json.loads(text) == to_fhir(case.analysis)
    assert cases.XSS not in text
    assert "/data/x.dcm" not in text
