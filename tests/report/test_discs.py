from __future__ import annotations

from spinemri.anatomy import Level, StructureKind
from spinemri.assess import assess
from spinemri.finding import Certainty, Finding
from spinemri.measurement import Measurement, Status
from spinemri.report.discs import disc_impression, disc_section
from spinemri.report.narrative import narrate
from spinemri.report.phrases import phrases
from spinemri.report.text import to_text


def made(place, name, value, half=0.02):
    upper, lower = place.split("-")
    missing = {"status": Status.NOT_ASSESSABLE, "reason": "no T2w series shows this disc"} if value is None else {}
    return Measurement(
        id=f"{place}.{name}",
        name=name,
        kind=StructureKind.DISC,
        level=Level(upper),
        lower=Level(lower),
        value=value,
        unit="1",
        interval=None if value is None else (value - half, value + half),
        **missing,
    )


DISCS = (
    made("L1-L2", "disc_signal_to_csf", 0.7),
    made("L1-L2", "disc_bulge_mm", 0.2, 0.6),
    made("L3-L4", "disc_signal_to_csf", 0.27),
    made("L4-L5", "disc_signal_to_csf", 0.1),
    made("L4-L5", "disc_height_index", 0.15),
    made("L4-L5", "disc_bulge_mm", 3.2, 0.6),
    made("L5-S1", "disc_bulge_mm", 1.4, 0.6),
)


def with_discs(case, *measurements):
    found = case.analysis
    added = assess(measurements)
    update = {"measurements": (*found.measurements, *measurements), "findings": (*found.findings, *added)}
    return found.model_copy(update=update)


def test_abnormal_discs_stand_in_one_short_paragraph(case):
    section = disc_section(with_discs(case, *DISCS))
    assert section.title == phrases.DISCS
    assert [s.text for s in section.sentences] == [
        "Disc degeneration, Pfirrmann-like grade from T2w signal and height alone: L3-L4 III (borderline), L4-L5 V.",
        "Bulge of the disc beyond the endplate line: L4-L5 3.2 mm, L5-S1 1.4 mm (borderline).",
    ]
    assert all("L4-L5" in " ".join(s.evidence) for s in section.sentences)


def test_the_impression_leaves_out_what_is_borderline(case):
    said = [s.text for s in disc_impression(with_discs(case, *DISCS))]
    assert said == [
        "Disc degeneration, Pfirrmann-like grade from T2w signal and height alone: L4-L5 V.",
        "Bulge of the disc beyond the endplate line: L4-L5 3.2 mm.",
    ]


def test_each_disc_is_said_once_in_findings_and_impression(case):
    narrative = narrate(with_discs(case, *DISCS))
    found = [s for part in narrative.findings.parts for s in part.sentences]
    for sentences in (found, narrative.impression.sentences):
        assert sum("L4-L5.disc_bulge" in s.evidence for s in sentences) == 1


def test_normal_discs_are_not_said(case):
    analysis = with_discs(case, *DISCS[:2])
    assert disc_section(analysis) is None
    assert phrases.DISCS.upper() not in to_text(analysis).splitlines()


def test_discs_without_t2w_are_named_in_one_sentence(case):
    gaps = [made(place, "disc_signal_to_csf", None) for place in ("L1-L2", "L2-L3", "L3-L4")]
    told = [s.text for s in narrate(with_discs(case, *gaps)).not_assessed.sentences]
    assert "L1-L2, L2-L3, L3-L4: disc signal against CSF not assessable (no T2w series shows this disc)." in told


def of_class(grade, level="L1", certainty=Certainty.PRESENT):
    wall = f"{level}.posterior_wall_fraction"
    return Finding(
        id=f"{level}.of_class",
        kind="of_class",
        levels=(Level(level),),
        grade=grade,
        certainty=certainty,
        statement=f"{level}: AO Spine-DGOU class candidate {grade}.",
        evidence=(wall,),
    )


def with_finding(case, finding):
    return case.analysis.model_copy(update={"findings": (*case.analysis.findings, finding)})


def test_the_class_is_said_with_the_height_loss_and_not_on_its_own(case):
    narrative = narrate(with_finding(case, of_class("OF3")))
    found = [s for part in narrative.findings.parts for s in part.sentences]
    for sentences in (found, narrative.impression.sentences):
        (said,) = [s for s in sentences if "L1.of_class" in s.evidence]
        assert said.text.endswith("AO Spine-DGOU class candidate OF3.")
        assert "L1.vertebral_height_loss" in said.evidence


def test_a_borderline_class_says_so(case):
    first = narrate(with_finding(case, of_class("OF2", certainty=Certainty.BORDERLINE))).impression.sentences[0]
    assert first.text.endswith("AO Spine-DGOU class candidate OF2, borderline.")


def test_oedema_without_height_loss_has_a_sentence_of_its_own(case):
    narrative = narrate(with_finding(case, of_class("OF1", "L3", Certainty.BORDERLINE)))
    (said,) = [s for s in narrative.impression.sentences if "L3.of_class" in s.evidence]
    assert said.text == "L3: AO Spine-DGOU class candidate OF1."
