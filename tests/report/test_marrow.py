from __future__ import annotations

import re

import pytest

from spinemri.anatomy import Level
from spinemri.finding import Certainty, Finding, Urgency
from spinemri.lesion import Lesion, MarrowChange, MarrowScreen
from spinemri.measure.catalogue import LESION_MEASURES, MARROW_MEASURES
from spinemri.report import lesion_values, lesions
from spinemri.report.csv_files import UNITS
from spinemri.report.narrative import narrate
from spinemri.report.phrases import marrow_phrases, oncology_phrases, phrases
from spinemri.report.text import to_text
from tests.report import cases

DIFFUSE = "Diffuse marrow change: T1w marrow / disc (ratio 0.80, 7 levels)."
NONE_FOUND = "No tumour-like lesion detected above 8 mm in 7 vertebrae on T1w and STIR."


def changed(analysis, **changes):
    return analysis.model_copy(update=changes)


def regraded(analysis, kind, **changes):
    """The analysis with every finding of a kind changed."""
    findings = (f.model_copy(update=changes) if f.kind == kind else f for f in analysis.findings)
    return changed(analysis, findings=tuple(findings))


def marrow(analysis):
    part = next(part for part in narrate(analysis).findings.parts if part.title == marrow_phrases.MARROW)
    return [sentence.text for sentence in part.sentences]


def impression(analysis):
    return [sentence.text for sentence in narrate(analysis).impression.sentences]


def not_assessed(analysis):
    return [sentence.text for sentence in narrate(analysis).not_assessed.sentences]


def without_lesions(analysis):
    findings = [f for f in analysis.findings if f.kind != "marrow_lesion"]
    measurements = tuple(m for m in analysis.measurements if not m.id.startswith("lesion-"))
    empty = changed(analysis, lesions=(), findings=tuple(findings), measurements=measurements)
    absent = {"certainty": Certainty.ABSENT, "statement": NONE_FOUND, "evidence": (), "urgency": Urgency.NONE}
    return regraded(empty, "marrow_involvement", levels=(), **absent)


def test_names_and_units_are_those_of_the_catalogue():
    assert list(marrow_phrases["NAMES"]) == [m.name for m in LESION_MEASURES]
    assert {m.name: m.unit for m in LESION_MEASURES} == UNITS
    assert tuple(m.name for m in MARROW_MEASURES) == lesion_values._MARROW_NAMES
    shown = {name for names in lesions._SIGNALS.values() for name in names}
    assert shown == set(marrow_phrases["SIGNALS"])
    worded = {*shown, *marrow_phrases["EXTENT"]}
    sizes = {lesion_values.VOLUME, lesion_values.DIAMETER, lesion_values.BODY_SHARE}
    assert worded | sizes == set(UNITS)


def test_the_marrow_is_told_from_the_whole_to_the_single_lesion(lesion_case):
    said = marrow(lesion_case.analysis)
    assert said[:4] == [
        cases.DIFFUSE_STATEMENT,
        cases.INVOLVEMENT_STATEMENT,
        cases.TUMOUR_STATEMENT,
        "Of benign appearance: focal fat L4 (13 mm).",
    ]
    assert said[4].startswith("7 vertebrae (T12-S1) were searched for focal marrow changes on T1w and STIR;")
    assert "9 of 10 simulated lesions of 8 mm" in said[4]
    assert said[5:] == [
        "T11: marrow not assessed (the field of view cuts its body).",
        "No contrast agent: enhancement is not known.",
    ]


def test_the_marrow_stands_before_the_regions_and_not_within_them(lesion_case):
    parts = narrate(lesion_case.analysis).findings.parts
    assert [part.title for part in parts] == [marrow_phrases.MARROW, "Thoracic spine", "Lumbar spine"]
    regions = " ".join(s.text for part in parts[1:] for s in part.sentences)
    assert "lesion" not in regions
    assert "marrow" not in regions


def test_the_impression_begins_with_what_is_urgent(lesion_case):
    said = impression(lesion_case.analysis)
    assert said[0] == cases.INVOLVEMENT_STATEMENT
    assert said[1].startswith("L1: 35 % height loss")
    assert cases.TUMOUR_STATEMENT not in said
    urgent = narrate(lesion_case.analysis).urgent.sentences
    told = [f"Category 3, act within days: {cases.INVOLVEMENT_STATEMENT}", oncology_phrases.NO_CLEARANCE]
    assert [s.text for s in urgent] == told
    calm = regraded(lesion_case.analysis, "marrow_involvement", urgency=Urgency.NONE)
    assert narrate(calm).urgent.sentences[0].text == phrases.URGENT_NONE_MARROW


def test_an_urgent_lesion_has_its_own_line_at_the_top(lesion_case):
    analysis = regraded(lesion_case.analysis, "marrow_lesion", urgency=Urgency.CATEGORY_1)
    assert impression(analysis)[:3] == [cases.TUMOUR_STATEMENT, cases.FAT_STATEMENT, cases.INVOLVEMENT_STATEMENT]
    assert cases.FAT_STATEMENT in marrow(analysis)


def test_the_absence_of_a_height_loss_keeps_its_evidence_beside_a_lesion_that_names_it(lesion_case):
    loss = "L2.height_loss_pct"
    analysis = regraded(lesion_case.analysis, "marrow_lesion", evidence=(loss,))
    sentences = narrate(analysis).impression.sentences
    absence = next(s for s in sentences if s.text.startswith("No height loss of 20 %"))
    assert "L2.vertebral_height_loss" in absence.evidence


def test_a_diffuse_change_comes_before_the_lesions_it_may_hide(lesion_case):
    whole = regraded(lesion_case.analysis, "diffuse_marrow", certainty=Certainty.PRESENT, statement=DIFFUSE)
    calm = regraded(whole, "marrow_involvement", urgency=Urgency.NONE)
    assert impression(calm)[:2] == [DIFFUSE, cases.INVOLVEMENT_STATEMENT]
    assert marrow(calm)[0] == DIFFUSE
    nothing = without_lesions(whole)
    assert NONE_FOUND not in impression(nothing)
    assert NONE_FOUND in marrow(nothing)


def test_nothing_found_is_said_with_the_size_it_holds_for(lesion_case):
    said = impression(without_lesions(lesion_case.analysis))
    assert said[-1] == NONE_FOUND
    assert "metasta" not in to_text(lesion_case.analysis).lower()
    assert "metasta" not in to_text(without_lesions(lesion_case.analysis)).lower()


def test_a_lesion_that_may_be_something_else_is_kept_out_of_the_gathered_line(lesion_case):
    tumour, fat = lesion_case.analysis.lesions
    doubtful = fat.model_copy(update={"shares": {MarrowChange.FAT: 0.6, MarrowChange.DISCITIS: 0.4}})
    analysis = changed(lesion_case.analysis, lesions=(tumour, doubtful))
    assert cases.FAT_STATEMENT in marrow(analysis)
    assert not any(text.startswith("Of benign appearance") for text in marrow(analysis))
    line = "Marrow changes of uncertain nature: L4 midline, focal fat 60 %, discitis-osteomyelitis 40 %."
    assert line in impression(analysis)


def test_the_impression_names_first_what_the_finding_favours(lesion_case):
    """Signs such as a mirror pair across a disc weigh more than what the network calls a change by itself."""
    tumour, fat = lesion_case.analysis.lesions
    shares = {MarrowChange.TUMOUR: 0.8, MarrowChange.DISCITIS: 0.2}
    findings = tuple(
        f.model_copy(update={"cause": MarrowChange.DISCITIS.value}) if f.id == "lesion-2.marrow_lesion" else f
        for f in lesion_case.analysis.findings
    )
    pair = (tumour, fat.model_copy(update={"shares": shares}))
    line = next(
        t for t in impression(changed(lesion_case.analysis, lesions=pair, findings=findings)) if "uncertain" in t
    )
    favoured = "favours discitis-osteomyelitis by its signs (network: tumour-like 80 %, discitis-osteomyelitis 20 %)"
    assert line == f"Marrow changes of uncertain nature: L4 midline, {favoured}."


def test_what_the_rules_put_first_decides_whether_a_lesion_is_gathered(lesion_case):
    findings = tuple(
        f.model_copy(update={"cause": MarrowChange.DISCITIS.value}) if f.id == "lesion-2.marrow_lesion" else f
        for f in lesion_case.analysis.findings
    )
    assert cases.FAT_STATEMENT in marrow(changed(lesion_case.analysis, findings=findings))


def test_lesions_of_benign_appearance_are_gathered_by_kind_from_head_to_foot(lesion_case):
    _, fat = lesion_case.analysis.lesions
    shares = {MarrowChange.MODIC_2: 0.8, MarrowChange.FAT: 0.2}
    more = [
        fat.model_copy(update={"id": "lesion-3", "label": 3, "levels": (Level("L5"),), "level": Level("L5")}),
        fat.model_copy(update={"id": "lesion-4", "levels": (Level("T12"),), "level": Level("T12"), "shares": shares}),
    ]
    analysis = changed(lesion_case.analysis, lesions=(*lesion_case.analysis.lesions, *more))
    line = next(text for text in marrow(analysis) if text.startswith("Of benign appearance"))
    assert line == (
        "Of benign appearance: Modic 2 T12 (Modic 2: 80 %, focal fat 20 %); "
        "focal fat L4 (13 mm), L5 (focal fat 86 %, typical haemangioma 12 %)."
    )


def test_a_lesion_that_no_rule_has_stated_is_still_told(lesion_case):
    analysis = regraded(lesion_case.analysis, "marrow_lesion", statement="")
    line = (
        "L2 left: marrow change of 22 mm; tumour-like 71 %, atypical haemangioma 18 %; probability 93 % "
        "(calibrated on simulated lesions)."
    )
    assert line in marrow(analysis)
    findings = tuple(f for f in analysis.findings if f.kind != "marrow_lesion")
    assert line in marrow(changed(analysis, findings=findings))


def test_what_was_not_measured_of_lesions_and_marrow_floods_no_list(lesion_case):
    analysis = lesion_case.analysis
    missing = [m for m in analysis.measurements if m.value is None and lesion_values.is_marrow(m)]
    assert len(missing) == 2 + 5 + 6
    text = to_text(analysis)
    assert not any(m.reason in text for m in missing if m.reason != "the field of view cuts T11")
    assert "marrow t1" not in text.lower()
    before = [t for t in not_assessed(without_lesions(analysis)) if "marrow" not in t]
    assert [t for t in not_assessed(analysis) if "marrow" not in t] == before


def test_marrow_that_nobody_looked_at_is_said_to_be_so(case):
    assert "Bone marrow and marrow lesions: not assessed (the lesion model was not run)." in not_assessed(case.analysis)
    assert all(part.title != marrow_phrases.MARROW for part in narrate(case.analysis).findings.parts)
    assert narrate(case.analysis).urgent.sentences[0].text == phrases.URGENT_NONE
    screen = MarrowScreen(warnings=("marrow was not assessed: no lesion model was loaded",))
    finding = Finding(id="marrow_involvement", kind="marrow_involvement", certainty=Certainty.NOT_ASSESSABLE)
    analysis = changed(case.analysis, marrow=screen, findings=(*case.analysis.findings, finding))
    assert "Bone marrow and marrow lesions: not assessed (no lesion model was loaded)." in not_assessed(analysis)
    assert not any("marrow" in text for text in impression(analysis))


def test_marrow_that_was_looked_at_is_in_no_list_of_what_was_not(lesion_case):
    said = [text for text in not_assessed(lesion_case.analysis) if "marrow" in text]
    assert said == ["T11: marrow not assessed (the field of view cuts its body)."]


def test_levels_without_a_usable_series_give_the_reason_when_none_was_looked_at(case):
    why = "no T1w, STIR or T2w series shows its marrow"
    screen = MarrowScreen(not_assessed=tuple((level, why) for level in cases.LEVELS))
    said = not_assessed(changed(case.analysis, marrow=screen))
    assert f"Bone marrow and marrow lesions: not assessed ({why})." in said


def test_every_claim_names_its_evidence(lesion_case):
    analysis = lesion_case.analysis
    narrative = narrate(analysis)
    known = {f.id for f in analysis.findings} | {m.id for m in analysis.measurements} | {"marrow"}
    claims = [*narrative.impression.sentences, *(s for part in narrative.findings.parts for s in part.sentences)]
    for sentence in claims:
        assert sentence.evidence, sentence.text
        assert set(sentence.evidence) <= known
        assert not re.search(r"[{}]|None|\bnan\b", sentence.text)
    sentence = next(s for s in claims if s.text == cases.TUMOUR_STATEMENT)
    assert sentence.evidence[:2] == ("lesion-1.marrow_lesion", "lesion-1.lesion_volume")


def test_the_text_holds_a_row_per_lesion_and_the_lesion_model(lesion_case):
    lines = to_text(lesion_case.analysis).splitlines()
    row = next(line for line in lines if line.startswith("  lesion-1"))
    assert re.split(r"\s{2,}", row.strip()) == [
        "lesion-1", "L2 left", "22", "3732", "31", "93", "tumour-like 71 %, atypical haemangioma 18 %"
    ]  # fmt: skip
    assert "lesion model marrow_lesion 0.1.0 (SHA-256 7b7b7b7b7b7b)" in " ".join(" ".join(lines).split())


def test_a_lesion_across_levels_is_placed_in_both():
    lesion = Lesion(
        id="lesion-1", label=1, series_uid="s", levels=(Level("L3"), Level("L4")), level=Level("L4"), side="both sides",
        centre=(0, 0, 0), probability=0.5, shares={MarrowChange.MODIC_1: 1.0},
    )  # fmt: skip
    analysis = cases.case().analysis
    assert lesion_values.place_text(analysis, lesion) == "L3-L4 both sides"
    assert lesion_values.kinds_text(lesion) == "Modic 1: 100 %"


@pytest.mark.parametrize(
    ("value", "unit", "told"),
    [(999.4, "mm3", "999 mm³"), (1000.0, "mm3", "1.0 cm³"), (21.6, "mm", "22 mm"), (None, "%", "")],
)
def test_sizes_are_told_in_the_unit_that_suits_them(lesion_case, value, unit, told):
    measurement = lesion_case.analysis.measurement("lesion-1.lesion_volume")
    assert lesion_values.quantity(measurement.model_copy(update={"value": value, "unit": unit})) == told
