"""The cord's section: what was found, how far there is none, where the cord ends, and that nothing is passed over."""

from __future__ import annotations

import pytest

from spinemri.anatomy import Level, StructureKind
from spinemri.assess import assess
from spinemri.measurement import Measurement, Status, below_the_cord
from spinemri.report.cord import cord_absence, cord_section
from spinemri.report.narrative import narrate
from spinemri.report.text import to_text

PLACES = ("T11", "T11-T12", "T12", "T12-L1", "L1", "L1-L2")


def made(place, name, value, reason="no normal level"):
    upper, _, lower = place.partition("-")
    return Measurement(
        id=f"{place}.{name}",
        name=name,
        kind=StructureKind.CORD,
        level=Level(upper),
        lower=Level(lower) if lower else None,
        value=value,
        unit="mm",
        interval=None if value is None else (value - 1, value + 1),
        reference_levels=(Level("T11"), Level("T12")),
        status=Status.NOT_ASSESSABLE if value is None else Status.MEASURED,
        reason="" if value is not None else reason,
    )


def with_cord(case, *measurements):
    return case.analysis.model_copy(
        update={
            "measurements": (*case.analysis.measurements, *measurements),
            "findings": (*case.analysis.findings, *assess(measurements)),
        }
    )


def normal(places=PLACES[:4], reason=""):
    reason = reason or below_the_cord()
    names = {"cord_ap": 7.0, "cord_compression_pct": 2.0, "cord_t2_ratio": 1.0}
    shown = [made(place, name, value) for place in places for name, value in names.items()]
    return *shown, *(made(place, name, None, reason) for place in PLACES if place not in places for name in names)


def test_a_normal_cord_is_said_to_be_normal_as_far_as_it_was_seen(case):
    section = cord_section(with_cord(case, *normal()))
    assert [s.text for s in section.sentences] == [
        "No compression of the cord at 4 places compared (T11 to T12-L1).",
        "T2w signal of the cord normal at 4 places (T11 to T12-L1).",
        "Cord 7.0 to 7.0 mm AP at the 4 places measured, narrowest at T11.",
        "The cord ends below T12-L1.",
    ]


def test_findings_come_first_and_stand_in_the_impression_too(case):
    ring = made("T12", "csf_ring_fraction", 0.05)
    analysis = with_cord(case, *normal(("T11", "T11-T12")), made("T12", "cord_ap", 4.5), ring)
    pressed = made("T12", "cord_compression_pct", 35.0).model_copy(update={"id": "T12.cord_compression_pct"})
    rest = [m for m in analysis.measurements if m.id != pressed.id]
    findings = [f for f in analysis.findings if f.id != "T12.cord_compression"]
    findings += assess([pressed, ring])
    changed = analysis.model_copy(update={"measurements": (*rest, pressed), "findings": tuple(findings)})
    text = "T12 mid-body: cord compressed, 35 % of its diameter lost (reference T11, T12); no fluid seen"
    assert cord_section(changed).sentences[0].text.startswith(text)
    assert cord_section(changed).sentences[0].tone == "abnormal"
    assert any(s.text.startswith(text) for s in narrate(changed).impression.sentences)


@pytest.mark.parametrize("reason", ["no cord was found", "the cord mask does not reach this level"])
def test_a_cord_that_was_not_measured_is_said_not_to_be(case, reason):
    said = [s.text for s in cord_absence(with_cord(case, *normal((), reason)))]
    assert said == [
        f"Whether the cord is compressed was not measured: {reason}.",
        f"T2w signal of the cord not assessable: {reason}.",
    ]


def test_below_the_cord_nothing_is_missing(case):
    assert "below its lower end" not in to_text(with_cord(case, *normal()))


def test_without_any_word_on_a_cord_there_is_no_section(case):
    assert cord_section(case.analysis) is None
    assert list(cord_absence(case.analysis)) == []


def test_beside_a_compressed_place_the_normal_ones_are_the_other_ones(case):
    squeezed = made("T11-T12", "cord_compression_pct", 35.0)
    rest = [m for m in normal() if m.id != squeezed.id]
    said = [s.text for s in cord_absence(with_cord(case, *rest, squeezed))]
    assert said[0] == "No compression of the cord at 3 other places compared (T11, T12 to T12-L1)."


@pytest.mark.parametrize(
    ("value", "told"),
    [(2.0, "5 places compared (T11 to L1)"), (12.0, "4 other places compared (T11 to T11-T12, T12-L1 to L1)"),
     (None, "4 places compared (T11 to T11-T12, T12-L1 to L1)")],
)  # fmt: skip
def test_a_range_breaks_at_a_place_that_is_borderline_or_not_assessable(case, value, told):
    """The place between is T12 mid-body; both discs beside it are normal."""
    other = made("T12", "cord_compression_pct", value)
    rest = [m for m in normal(PLACES[:5]) if m.id != other.id]
    said = [s.text for s in cord_absence(with_cord(case, *rest, other))]
    assert said[0] == f"No compression of the cord at {told}."


def test_grades_that_need_axial_images_share_one_sentence(case):
    def said(*measurements):
        sentences = narrate(with_cord(case, *measurements)).not_assessed.sentences
        return [s.text for s in sentences if "axial T2w" in s.text]

    lumbar = [made(place, "dural_sac_area", 120.0) for place in ("L3-L4", "L4-L5")]
    neck = [made(place, "dural_sac_area", 120.0) for place in ("C4-C5", "C5-C6")]
    space = [made("C4-C5", "sas_obliteration", 0.2), made("C5-C6", "sas_obliteration", 0.62)]
    assert said() == []
    assert said(*lumbar) == [
        "Grades of the canal not assessable, no axial T2w images were read: Schizas (lumbar), Lee (lumbar)."
    ]
    (both,) = said(*lumbar, *neck, *space)
    assert both == (
        "Grades of the canal not assessable, no axial T2w images were read: Schizas (lumbar), Lee (lumbar), "
        "Kang (cervical); on sagittal images at most 62 % of the space around the cervical cord is lost (C5-C6)."
    )
