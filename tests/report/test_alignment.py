from __future__ import annotations

from spinemri.anatomy import Level, StructureKind
from spinemri.assess import assess
from spinemri.measurement import Measurement, Status
from spinemri.report.alignment import alignment_section
from spinemri.report.narrative import narrate
from spinemri.report.phrases import phrases
from spinemri.report.statements import missing_sentences
from spinemri.report.text import to_text


def made(place, name, value, unit="deg"):
    upper, _, lower = place.partition("-")
    missing = {"status": Status.NOT_ASSESSABLE, "reason": "a body is cut"} if value is None else {}
    return Measurement(
        id=f"{place}.{name}",
        name=name,
        kind=StructureKind.VERTEBRAL_BODY,
        level=Level(upper),
        lower=Level(lower) if lower else None,
        value=value,
        unit=unit,
        interval=None if value is None else (value - 0.5, value + 0.5),
        **missing,
    )


def aligned(case, *measurements):
    added = assess(measurements)
    return case.analysis.model_copy(
        update={
            "measurements": (*case.analysis.measurements, *measurements),
            "findings": (*case.analysis.findings, *added),
        }
    )


SLIPS = (
    made("L1-L2", "slip_mm", 0.3, "mm"),
    made("L2-L3", "slip_mm", 6.0, "mm"),
    made("L2-L3", "slip_pct", 18.0, "%"),
    made("L3-L4", "slip_mm", None, "mm"),
    made("L3-L4", "slip_pct", None, "%"),
)


def test_slips_come_first_then_where_there_is_none_then_the_curves(case):
    analysis = aligned(case, *SLIPS, made("L1-S1", "lumbar_lordosis", -41.0), made("T4-T12", "thoracic_kyphosis", None))
    section = alignment_section(analysis)
    assert [s.text for s in section.sentences] == [
        "L2-L3: anterolisthesis of 6.0 mm, 18 %, Meyerding grade I.",
        "No other slip that reaches the limit; other discs measured: 1 (L1-L2).",
        "L1-S1: lumbar lordosis 41 degrees (supine; no supine norm).",
    ]
    assert [s.tone for s in section.sentences] == ["abnormal", "", ""]
    assert all(s.evidence for s in section.sentences)


def test_a_slip_is_said_once_in_the_findings_and_once_in_the_impression(case):
    narrative = narrate(aligned(case, *SLIPS))
    said = [s.text for part in narrative.findings.parts for s in part.sentences if "anterolisthesis" in s.text]
    assert len(said) == 1
    assert [s.text for s in narrative.impression.sentences if "anterolisthesis" in s.text] == said


def test_a_gap_is_said_once_with_its_reason_and_what_follows_from_heights_is_not_repeated(case):
    text = to_text(aligned(case, *SLIPS, made("L3", "wedge_angle", None), made("L3", "local_kyphosis", None)))
    assert "L3-L4: slip not assessable (a body is cut)." in " ".join(text.split())
    assert "wedge angle" not in text
    assert "local kyphosis" not in text


def test_without_any_alignment_there_is_no_section(case):
    assert alignment_section(case.analysis) is None
    assert alignment_section(aligned(case, made("L3-L4", "slip_mm", None, "mm"))) is None
    assert phrases.ALIGNMENT.upper() not in to_text(case.analysis)


def test_a_range_never_spans_the_disc_that_slipped(case):
    others = (made(place, "slip_mm", 0.3, "mm") for place in ("T12-L1", "L1-L2", "L3-L4"))
    analysis = aligned(case, *others, made("L2-L3", "slip_mm", 6.0, "mm"))
    texts = [s.text for s in alignment_section(analysis).sentences]
    assert "No other slip that reaches the limit; other discs measured: 3 (T12-L2, L3-L4)." in texts


def test_a_missing_slip_below_the_axis_is_told_and_a_missing_height_of_the_axis_is_not():
    missing = made("C2-C3", "slip_mm", None, "mm"), made("C2", "anterior_height", None, "mm")
    said = [s.text for s in missing_sentences(missing, (Level("C2"), Level("C3")))]
    assert said == ["C2-C3: slip not assessable (a body is cut)."]
