"""Urgent flags before anything else and never as a clearance; stability, fractures and gaps in words; the question."""

from __future__ import annotations

from dataclasses import replace

import pytest

from spinemri.assess.case import Facts, assess_case
from spinemri.assess.stability import TUMOUR
from spinemri.clinical import WITH_LEVELS, Clinical
from spinemri.finding import Certainty, Finding, Urgency
from spinemri.report.html_page import to_html
from spinemri.report.narrative import narrate, reported_findings
from spinemri.report.oncology import TUMOUR_LIKE
from spinemri.report.phrases import oncology_phrases as words
from spinemri.report.phrases import phrases
from spinemri.report.text import to_text
from tests.report import cases

SAID = Clinical(
    indication="Breast cancer 2019. Metastases?",
    question=("metastasis", "cord_compression"),
    pain="occasional_not_mechanical",
    primary="breast",
    neurological_deficit="no",
)


def judged(analysis, clinical=None):
    """The analysis with every finding that the rules make of its measurements and lesions."""
    used = [record.series for record in analysis.series if record.used]
    refused = [record.series for record in analysis.series if not record.used]
    facts = Facts(analysis.spine, used, refused, clinical)
    found = assess_case(analysis.measurements, analysis.lesions, analysis.marrow, facts)
    return analysis.model_copy(update={"findings": found, "clinical": clinical})


@pytest.fixture
def analysis(lesion_case):
    return judged(lesion_case.analysis)


def texts(section):
    return [sentence.text for sentence in section.sentences]


def regraded(analysis, kind, **changes):
    findings = (f.model_copy(update=changes) if f.kind == kind else f for f in analysis.findings)
    return analysis.model_copy(update={"findings": tuple(findings)})


# urgent


def test_flags_stand_before_anything_else_and_close_with_no_clearance(analysis, lesion_case):
    said = texts(narrate(analysis).urgent)
    assert said[0] == (
        "Category 3, act within days: Tumour-like lesions without a known cancer: L2; no cancer history is given."
    )
    assert said[-1] == words.NO_CLEARANCE
    assert "Not screened for cord compression: compression of the cord was not measured." in said
    text = " ".join(to_text(analysis).split())
    assert text.index("no cancer history is given") < text.index(phrases.EXAMINATION.upper())
    page = to_html(replace(lesion_case, analysis=analysis))
    assert page.index("no cancer history is given") < page.index('class="impression"')
    assert "no clearance" in page


def test_the_most_urgent_comes_first(analysis):
    raised = {"certainty": Certainty.PRESENT, "urgency": Urgency.CATEGORY_1, "statement": "Cord compression: X."}
    said = texts(narrate(regraded(analysis, "flag_cord_compression", **raised)).urgent)
    assert said[0] == "Category 1, act within minutes: Cord compression: X."
    assert said[1].startswith("Category 3")


def test_no_flag_is_said_with_what_was_screened_and_what_was_not(lesion_case):
    calm = judged(lesion_case.analysis, Clinical(primary="breast"))
    said = texts(narrate(calm).urgent)
    assert said[0].startswith("No flag was raised for what could be screened: compression of the cauda equina, ")
    assert "tumour-like lesions without a known cancer" in said[0]
    assert not any(text.startswith("Category") for text in said)
    assert said[-1] == words.NO_CLEARANCE


def test_when_nothing_could_be_screened_nothing_is_called_clear(case):
    bare = judged(case.analysis.model_copy(update={"measurements": ()}))
    said = texts(narrate(bare).urgent)
    assert said[0] == words.NOTHING_SCREENED
    assert sum(text.startswith("Not screened for") for text in said) == 6


# what is told where


def test_judgements_have_a_part_of_their_own_and_stay_out_of_the_regions(analysis):
    parts = {part.title: texts(part) for part in narrate(analysis).findings.parts}
    told = parts.pop(words.ONCOLOGY)
    assert any(text.startswith("L2: SINS ") for text in told)
    assert any("features" in text or "indeterminate" in text for text in told)
    rest = " ".join(text for part in parts.values() for text in part)
    assert "SINS" not in rest
    assert "lacks" not in rest
    assert not any(f.kind in ("sins", "fracture_cause") for f in reported_findings(analysis))


def test_a_gap_that_is_filled_is_not_told(analysis):
    filled = regraded(analysis, "protocol_gap", certainty=Certainty.ABSENT, statement="The study has it.")
    assert "The study has it." not in to_text(filled)


def test_the_impression_has_one_line_each(lesion_case):
    said = texts(narrate(judged(lesion_case.analysis, SAID)).impression)
    (fracture,) = [text for text in said if text.startswith("Fracture-level or equivocal")]
    assert "L1 no sign that it is recent" in fracture
    assert words.FRACTURE_CAVEAT in fracture
    scores = [text for text in said if "SINS" in text]
    assert scores[0].endswith("the highest of 2 levels scored.")
    assert scores[1].startswith("L2 (tumour-like lesion): SINS ")
    assert said[-1].startswith("The study lacks: a series after contrast agent (question: metastasis)")


def test_only_the_highest_score_is_in_the_impression(lesion_case):
    analysis = judged(lesion_case.analysis, SAID)
    lower = [f for f in analysis.findings if f.kind == "sins" and f.cause == TUMOUR]
    assert TUMOUR_LIKE == TUMOUR
    more = analysis.model_copy(update={"findings": (*analysis.findings, *lower, *lower)})
    assert sum("SINS" in text for text in texts(narrate(more).impression)) == 2


def test_a_height_loss_is_no_longer_said_to_be_unjudged_where_it_was_judged(analysis, case):
    judged_limits, plain = (texts(narrate(a).not_assessed) for a in (analysis, case.analysis))
    assert phrases.HEIGHT_LOSS_SHAPE in judged_limits
    assert phrases.HEIGHT_LOSS_LIMITS not in judged_limits
    assert phrases.HEIGHT_LOSS_LIMITS in plain


def test_a_score_does_not_colour_the_heights_it_rests_on(analysis):
    score = Finding(id="L3.sins", kind="sins", certainty=Certainty.BORDERLINE, evidence=("L3.height_loss_pct",))
    more = analysis.model_copy(update={"findings": (*analysis.findings, score)})
    sentences = narrate(more).impression.sentences
    absence = next(s for s in sentences if s.text.startswith("No height loss of 20 %"))
    assert "L3.vertebral_height_loss" in absence.evidence


def test_every_claim_names_evidence_that_exists(analysis):
    known = {f.id for f in analysis.findings} | {m.id for m in analysis.measurements}
    part = next(part for part in narrate(analysis).findings.parts if part.title == words.ONCOLOGY)
    for sentence in (*part.sentences, *narrate(analysis).impression.sentences):
        assert sentence.evidence, sentence.text
        assert set(sentence.evidence) <= known, sentence.text


# the question


def test_the_question_is_printed_as_it_was_asked_and_unknowns_are_left_out(lesion_case):
    said = texts(narrate(judged(lesion_case.analysis, SAID)).indication)
    assert said == [
        "Breast cancer 2019. Metastases?",
        "Question: metastasis, cord compression.",
        "Stated by the user: pain occasional, not mechanical, primary tumour breast, neurological deficit no.",
    ]


def test_what_the_user_wrote_is_shown_and_never_run(lesion_case):
    said = Clinical(indication=cases.XSS[:60], primary="<b>breast</b>")
    page = to_html(replace(lesion_case, analysis=judged(lesion_case.analysis, said)))
    plain = to_html(lesion_case)
    assert page.count("<script") == plain.count("<script"), "the page's own scripts and no other"
    assert cases.XSS[:20] not in page
    assert "<img src=x" not in page
    assert "<b>breast" not in page
    assert "&lt;b&gt;breast" in page


def test_without_an_answer_the_indication_is_not_given(case):
    for clinical in (None, Clinical()):
        analysis = case.analysis.model_copy(update={"clinical": clinical})
        assert texts(narrate(analysis).indication) == [phrases.INDICATION_NONE]


def test_every_answer_has_a_name():
    levels = {f"{key}_levels" for key in WITH_LEVELS}
    assert {"indication", "question", *words["ANSWERS"], *levels} == set(Clinical.model_fields)


def test_the_levels_of_an_answer_are_printed_with_it(lesion_case):
    said = Clinical(bone_quality="lytic", bone_quality_levels=("L1", "L3"), new_translation="no")
    assert texts(narrate(judged(lesion_case.analysis, said)).indication) == [
        "Stated by the user: lesion on CT lytic (L1, L3), new translation no."
    ]
