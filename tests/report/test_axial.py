"""Axial slices in words: sizes with their place, grades, what was not measured; nothing where there are none."""

from __future__ import annotations

from spinemri.anatomy import Level, StructureKind
from spinemri.assess.axial_grades import SCHIZAS
from spinemri.finding import Certainty, Finding
from spinemri.measurement import Measurement, Status, below_the_cord
from spinemri.report.axial import NAMES, axial_grades, axial_section
from spinemri.report.narrative import narrate
from spinemri.report.phrases import cord_phrases as words

DISCS = (("L3", "L4"), ("L4", "L5"))


def measurement(levels, name, value=None, unit="mm2", reason=""):
    upper, lower = map(Level, levels)
    status = Status.MEASURED if value is not None else Status.NOT_ASSESSABLE
    return Measurement(
        id=f"{upper}-{lower}.{name}", name=name, kind=StructureKind.THECAL_SAC, level=upper, lower=lower, value=value,
        unit=unit, status=status, reason=reason,
    )  # fmt: skip


def with_axial(analysis, *more, findings=()):
    sizes = [
        measurement(disc, name, value, unit)
        for disc, scale in zip(DISCS, (1.0, 0.5), strict=True)
        for name, value, unit in (
            ("axial_sac_area", 180.0 * scale, "mm2"), ("axial_sac_ap", 14.0 * scale, "mm"),
            ("axial_sac_width", 18.0 * scale, "mm"),
        )
    ]  # fmt: skip
    kept = tuple(f for f in analysis.findings if f.kind != SCHIZAS)
    return analysis.model_copy(
        update={"measurements": (*analysis.measurements, *sizes, *more), "findings": (*kept, *findings)}
    )


def said(sentences):
    return [sentence.text for sentence in sentences]


def test_sizes_are_told_with_the_smallest_place(case):
    section = axial_section(with_axial(case.analysis))
    assert said(section.sentences) == [
        "Thecal sac 90 to 180 mm² at the 2 places that axial slices cross, smallest at L4-L5 (7.0 mm AP × 9.0 mm)."
    ]
    assert section.sentences[0].evidence == ("L3-L4.axial_sac_area", "L4-L5.axial_sac_area")


def test_without_axial_slices_there_is_no_section(case):
    assert axial_section(case.analysis) is None


def test_the_cord_and_what_is_missing(case):
    lost = "no cord was found on the axial slice, where the sagittal series shows one"
    cord = (
        measurement(DISCS[0], "axial_cord_area", 60.0), measurement(DISCS[0], "axial_cord_ap", 6.5, "mm"),
        measurement(DISCS[0], "axial_cord_width", 11.0, "mm"),
        measurement(DISCS[1], "axial_cord_area", reason=lost),
    )  # fmt: skip
    told = said(axial_section(with_axial(case.analysis, *cord)).sentences)
    assert told[1] == "Cord 60 mm² at L3-L4 (6.5 mm AP × 11.0 mm)."
    assert told[2] == f"L4-L5: cord not measured on axial slices ({lost})."
    below = measurement(DISCS[1], "axial_cord_area", reason=below_the_cord())
    assert len(axial_section(with_axial(case.analysis, below)).sentences) == 1


def test_a_grade_is_said_in_its_section_and_only_what_is_not_assessable_among_the_limits(case):
    grade = Finding(
        id=SCHIZAS, kind=SCHIZAS, levels=(Level("L4"), Level("L5")), grade="C or D", certainty=Certainty.PRESENT,
        statement="Schizas grade of the lumbar canal: C or D.", evidence=("L4-L5.axial_sac_area",), rule="r",
        source="s",
    )  # fmt: skip
    analysis = with_axial(case.analysis, findings=(grade,))
    assert grade.statement in said(axial_section(analysis).sentences)
    assert grade.statement not in said(axial_grades(analysis))
    unknown = grade.model_copy(update={"certainty": Certainty.NOT_ASSESSABLE, "grade": ""})
    assert grade.statement in said(axial_grades(with_axial(case.analysis, findings=(unknown,))))
    whole = narrate(analysis)
    texts = [s for part in whole.findings.parts for s in said(part.sentences)]
    assert texts.count(grade.statement) == 1


def test_what_axial_slices_do_not_show_is_not_told_twice(case):
    missing = measurement(DISCS[0], "axial_cord_area", reason="no cord was found on the axial slice")
    whole = narrate(with_axial(case.analysis, missing))
    regions = [s for part in whole.findings.parts if part.title != words.AXIAL for s in said(part.sentences)]
    assert not any("axial slice" in text for text in regions)
    assert set(NAMES) >= {"axial_sac_area", "cord_compression_ratio"}
