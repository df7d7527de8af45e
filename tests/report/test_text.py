from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from spinemri.anatomy import Level
from spinemri.assess import assess
from spinemri.finding import Certainty, Urgency
from spinemri.measurement import SAC_LOSSES
from spinemri.report import tables
from spinemri.report.narrative import narrate
from spinemri.report.phrases import phrases
from spinemri.report.sentences import level_ranges, place_ranges
from spinemri.report.text import to_text
from spinemri.spine import Spine

if TYPE_CHECKING:
    from spinemri.analysis import Analysis


def changed(analysis: Analysis, **changes) -> Analysis:
    return analysis.model_copy(update=changes)


def impression(analysis):
    return [sentence.text for sentence in narrate(analysis).impression.sentences]


def every_sentence(analysis):
    for section in narrate(analysis).sections:
        yield from section.sentences
        for part in section.parts:
            yield from part.sentences


def test_sections_come_in_a_radiologists_order(case):
    text = to_text(case.analysis)
    titles = (phrases.URGENT, phrases.EXAMINATION, phrases.INDICATION, phrases.TECHNIQUE, phrases.COMPARISON,
              phrases.FINDINGS, phrases.MEASUREMENTS, phrases.IMPRESSION, phrases.NOT_ASSESSED,
              phrases.PROVENANCE, phrases.DISCLAIMER)  # fmt: skip
    at = [text.index(f"\n{title.upper()}\n") for title in titles]
    assert at == sorted(at)
    assert max(len(line) for line in text.splitlines()) <= 140


def test_the_fracture_is_stated_with_level_number_interval_heights_and_reference(case):
    first = impression(case.analysis)[0]
    assert first == (
        "L1: 35 % height loss (95 % interval 30 to 40 %), anterior column; heights anterior 16.9, middle 21.5, "
        "posterior 26.0 mm; reference T12, L2; Genant-equivalent grade 2, wedge shape."
    )


def test_narrowing_is_stated_in_millimetres_and_percent_and_never_as_stenosis(case):
    assert (
        "L2-L3: thecal sac 6.4 mm AP, 54 % of its AP diameter lost against its reference (L1-L2, L3-L4); moderate."
    ) in impression(case.analysis)
    assert "stenosis" not in to_text(case.analysis)


def with_areas(analysis, values):
    """The analysis with losses of the sac's area, which its rules grade."""
    added = tuple(
        m.model_copy(update={"id": f"{m.place}.{SAC_LOSSES[1]}", "name": SAC_LOSSES[1],
                             "value": values[m.place]})
        for m in analysis.measurements if m.name == tables.SAC_COMPROMISE and m.place in values
    )  # fmt: skip
    measurements = (*analysis.measurements, *added)
    others = tuple(f for f in analysis.findings if f.kind != "thecal_sac_narrowing")
    made = tuple(f for f in assess(measurements) if f.kind == "thecal_sac_narrowing")
    return changed(analysis, measurements=measurements, findings=(*others, *made))


def test_narrowing_by_area_says_so_in_findings_impression_and_table(case):
    analysis = with_areas(case.analysis, {"L2-L3": 70.4, "L4-L5": 30.0, "L5": 2.0})
    said = impression(analysis)
    text = "L2-L3: thecal sac 6.4 mm AP, 70 % of its area lost against its reference (L1-L2, L3-L4); severe."
    assert text in said
    lesser = "Lesser narrowing of the thecal sac: L4-L5 30 % of its area (mild, borderline)"
    assert any(s.startswith(lesser) for s in said)
    both = "of its area (of its AP diameter where the area was not compared) against its reference (12 places)."
    assert any(s.startswith("Elsewhere (") and s.endswith(both) for s in said)
    found = [s.text for s in every_sentence(analysis)]
    assert any("severe narrowing of the thecal sac, 70 % of its area lost" in s for s in found)
    rows = {str(row.level): row.compromise for row in tables.level_rows(analysis)}
    assert (rows["L2"].value, rows["L4"].value, rows["L5"].value) == (70.4, 30.0, 4.0)


def test_absence_is_stated_only_as_far_as_it_was_measured(case):
    said = impression(case.analysis)
    assert "No height loss of 20 % or more in the other 4 vertebrae measured (T12, L2-L3, L5)." in said
    text = to_text(case.analysis).lower()
    assert not re.search(r"\bno (\w+ )?(fracture|metasta|lesion|stenosis|compression)", text)


def test_what_is_not_assessed_is_said_with_its_reason(case):
    said = " ".join(s.text for s in narrate(case.analysis).not_assessed.sentences)
    for missing in ("marrow", "cord", "foramina", "ligaments", "the posterior wall of L4 cannot be followed"):
        assert missing in said


def test_numbers_in_the_text_are_those_of_the_measurements(case):
    other = case.analysis.measurement(f"L1.{tables.HEIGHT_LOSS}").model_copy(update={"value": 47.4})
    measurements = tuple(other if m.id == other.id else m for m in case.analysis.measurements)
    assert impression(changed(case.analysis, measurements=measurements))[0].startswith("L1: 47 % height loss")


def test_urgent_findings_come_first_and_their_absence_is_no_clearance(case):
    assert "no clearance" in narrate(case.analysis).urgent.sentences[0].text
    urgent = next(f for f in case.analysis.findings if f.id == "L2-L3.thecal_sac_narrowing")
    findings = tuple(
        f.model_copy(update={"urgency": Urgency.CATEGORY_1}) if f is urgent else f for f in case.analysis.findings
    )
    analysis = changed(case.analysis, findings=findings)
    assert narrate(analysis).urgent.sentences[0].text.startswith("Category 1, act within minutes: L2-L3")
    assert impression(analysis)[0].startswith("L2-L3: thecal sac 6.4 mm")


def test_equivocal_and_lesser_findings_are_gathered_in_one_line_each(case):
    def regrade(finding):
        if finding.id == "L5.vertebral_height_loss":
            return finding.model_copy(update={"certainty": Certainty.BORDERLINE, "grade": "0"})
        if finding.id in ("L4-L5.thecal_sac_narrowing", "T12.thecal_sac_narrowing"):
            return finding.model_copy(update={"certainty": Certainty.BORDERLINE, "grade": "mild"})
        return finding

    said = impression(changed(case.analysis, findings=tuple(map(regrade, case.analysis.findings))))
    assert "Equivocal height loss, below fracture level: L5 6 %." in said
    lesser = (
        "Lesser narrowing of the thecal sac: L4-L5 4 % of its AP diameter (mild, borderline), "
        "T12 mid-body 3 % of its AP diameter (mild, borderline)."
    )
    assert lesser in said
    assert "No height loss of 20 % or more in the other 3 vertebrae measured (T12, L2-L3)." in said


def test_a_normal_place_whose_interval_reaches_the_limit_is_no_finding(case):
    findings = tuple(
        f.model_copy(update={"certainty": Certainty.BORDERLINE, "grade": "none"})
        if f.id == "L4-L5.thecal_sac_narrowing"
        else f
        for f in case.analysis.findings
    )
    said = impression(changed(case.analysis, findings=findings))
    assert not any(text.startswith("Lesser narrowing") for text in said)
    assert any("(13 places)" in text for text in said)


def test_a_deformity_that_no_rule_has_graded_is_still_said(case):
    assert any(text.startswith("L1: 35 % height loss") for text in impression(changed(case.analysis, findings=())))


def test_every_claim_of_findings_and_impression_names_its_evidence(case):
    narrative = narrate(case.analysis)
    known = {f.id for f in case.analysis.findings} | {m.id for m in case.analysis.measurements}
    claims = [*narrative.impression.sentences, *(s for part in narrative.findings.parts for s in part.sentences)]
    assert len(claims) > 8
    for sentence in claims:
        assert sentence.evidence, sentence.text
        assert set(sentence.evidence) <= known


def test_movement_between_series_is_said_with_the_levels_it_concerns(case):
    said = [s.text for s in narrate(case.analysis).technique.sentences]
    moved = "The patient moved between T1w (series 3) and STIR (series 4): 2.3 to 2.8 mm at T11-L1"
    assert f"{moved}, corrected by registration." in said
    assert "STIR (series 4) and T1w (series 3) agree within 0.9 mm at L2-L5." in said


def test_numbering_from_the_sacrum_carries_a_caution(case):
    assert "14 %" in " ".join(s.text for s in narrate(case.analysis).examination.sentences)


def test_nothing_seen_is_reported_without_claims(case):
    empty = changed(case.analysis, spine=Spine(), measurements=(), findings=(), alignments=())
    text = to_text(empty)
    assert phrases.LEVELS_NONE in text
    assert impression(empty) == [phrases.HEIGHTS_NONE, phrases.SAC_NONE]
    assert "No height loss" not in text


@pytest.mark.parametrize(
    ("names", "told"),
    [("T12 L1 L2", "T12-L2"), ("L1 L3 L4", "L1, L3-L4"), ("T11 L5", "T11, L5"), ("L1", "L1"), ("", "")],
)
def test_levels_are_joined_in_the_order_of_this_spine(names, told):
    spine = [Level(name) for name in ("T11", "T12", "L1", "L2", "L3", "L4", "L5", "L6", "S1")]
    assert level_ranges([Level(name) for name in names.split()], spine) == told


@pytest.mark.parametrize(
    ("places", "others", "told"),
    [
        ("T12 T12-L1 L1 L1-L2", "", "T12 to L1-L2"),
        ("T12 T12-L1 L1-L2", "L1", "T12 to T12-L1, L1-L2"),
        ("L1-L2 T12 T12-L1", "L1", "T12 to T12-L1, L1-L2"),
        ("T12-L1 L1-L2 L2-L3", "", "T12-L1 to L2-L3"),
        ("T12-L1 L2-L3", "L1-L2", "T12-L1, L2-L3"),
        ("T12 L2", "", "T12, L2"),
        ("L5-S1", "L5 S1", "L5-S1"),
        ("T11 L1", "T11-L1", "T11, L1"),
        ("", "L1", ""),
    ],
)
def test_places_are_joined_but_never_across_one_of_which_something_else_is_said(places, others, told):
    def read(names):
        return [tuple(map(Level, name.split("-"))) for name in names.split()]

    spine = [Level(name) for name in ("T11", "T12", "L1", "L2", "L3", "L4", "L5", "L6", "S1")]
    assert place_ranges(read(places), read(others), spine) == told


def test_the_range_of_a_wide_sac_breaks_at_a_narrow_place_and_at_one_that_was_not_compared(case):
    gap = {"value": None, "interval": None, "status": "not_assessable", "reason": "no normal level"}
    measurements = [
        m.model_validate({**m.model_dump(), **gap}) if m.id == f"L4.{tables.SAC_COMPROMISE}" else m
        for m in case.analysis.measurements
    ]
    assert any(s.startswith("Elsewhere (T11 to L2, L3 to L5-S1) the") for s in impression(case.analysis))
    said = impression(changed(case.analysis, measurements=tuple(measurements)))
    assert any(s.startswith("Elsewhere (T11 to L2, L3 to L3-L4, L4-L5 to L5-S1) the") for s in said)


def test_a_missing_level_of_a_variant_spine_does_not_break_a_range():
    spine = [Level(name) for name in ("T10", "T11", "L1", "L2")]  # eleven thoracic vertebrae
    assert level_ranges(spine, spine) == "T10-L2"


def test_no_sentence_is_left_with_an_unfilled_blank(case):
    for sentence in every_sentence(case.analysis):
        assert not re.search(r"[{}]|None|\bnan\b", sentence.text.replace(phrases.COMPARISON_NONE, ""))
