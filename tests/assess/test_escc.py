"""ESCC on axial slices: each grade on both sides of its limits, the range that errors allow, and what is missing."""

from __future__ import annotations

import pytest

from spinemri.anatomy import Level, StructureKind
from spinemri.assess.cord import escc_screen
from spinemri.assess.escc import CONTACT_FROM_MM, DEFORMED_FROM_MM, escc_finding
from spinemri.assess.study import assess
from spinemri.finding import Certainty
from spinemri.measurement import Measurement, Status
from tests.assess.studies import at

CORD = StructureKind.CORD
PLACE = "T6-T7"


def canal(indent=0.2, contact=0.0, ring=1.0, lost=2.0, error=0.01):
    """What axial slices and the sagittal series say of one place."""
    inputs = {
        "axial_sac_indent": (indent, "mm"),
        "axial_cord_contact": (contact, "mm"),
        "axial_csf_ring": (ring, "1"),
        "cord_compression_pct": (lost, "%"),
    }
    return {
        f"{PLACE}.{name}": at(PLACE, name, value, unit, kind=CORD, interval=(value - error, value + error))
        for name, (value, unit) in inputs.items()
        if value is not None
    }


def tumour(volume=400.0, level="T7", kind="tumour-like"):
    made = Measurement(
        id="lesion-1.lesion_epidural_volume", name="lesion_epidural_volume", kind=StructureKind.LESION,
        level=Level(level), value=volume, unit="mm3", flags=(f"kind:{kind}",),
    )  # fmt: skip
    return {made.id: made}


def graded(known, **spread):
    known = {**known, **tumour(**spread)}
    return escc_finding(known, known[f"{PLACE}.axial_cord_contact"])


@pytest.mark.parametrize(
    ("indent", "contact", "ring", "lost", "grade"),
    [
        (DEFORMED_FROM_MM - 0.1, 0.0, 1.0, 0.0, "1a"),
        (DEFORMED_FROM_MM - 0.1, 9.0, 0.7, 0.0, "1a"),  # lies against a wall that nothing deforms
        (DEFORMED_FROM_MM + 0.1, CONTACT_FROM_MM - 0.1, 0.9, 0.0, "1b"),
        (DEFORMED_FROM_MM + 0.1, CONTACT_FROM_MM + 0.1, 0.9, 9.0, "1c"),
        (3.0, 6.0, 0.5, 16.0, "2"),
        (0.5, 6.0, 0.12, 16.0, "2"),
        (3.0, 6.0, 0.08, 16.0, "3"),
        (3.0, 1.0, 0.9, 30.0, "1b"),  # thin amid fluid
    ],
)
def test_each_grade_at_its_limits(indent, contact, ring, lost, grade):
    found = graded(canal(indent, contact, ring, lost))
    assert (found.grade, found.certainty, found.kind) == (grade, Certainty.PRESENT, "escc")
    assert f"grade {grade} on axial T2w slices: sac pressed in" in found.statement
    assert found.levels == (Level("T6"), Level("T7"))
    assert "lesion-1.lesion_epidural_volume" in found.evidence


def test_errors_that_allow_another_grade_make_it_unsure_and_name_both():
    found = graded(canal(indent=1.4, contact=2.0, error=1.2))
    assert (found.grade, found.certainty) == ("1b", Certainty.BORDERLINE)
    assert "1a to 1c within the error of measurement" in found.statement


def test_equivocal_compression_stays_low_and_says_how_high_it_may_be():
    found = graded(canal(indent=3.0, contact=8.0, ring=0.05, lost=12.0))
    assert (found.grade, found.certainty) == ("1c", Certainty.BORDERLINE)
    assert "1c to 3 within" in found.statement


def test_a_cord_that_was_not_compared_gives_a_lower_limit():
    touched, free = graded(canal(3.0, 8.0, 0.5, None)), graded(canal(3.0, 0.0, 1.0, None))
    assert (touched.grade, touched.certainty) == ("at least 1c", Certainty.BORDERLINE)
    assert (free.grade, free.certainty) == ("1b", Certainty.PRESENT)
    assert "its loss of diameter not known" in touched.statement


@pytest.mark.parametrize("spread", [{"volume": 19.0}, {"level": "T9"}, {"kind": "discitis-osteomyelitis"}])
def test_without_tumour_in_the_canal_there_is_no_grade(spread):
    assert graded(canal(3.0, 8.0, 0.05, 30.0), **spread) is None


def test_the_grade_takes_the_place_of_the_screen():
    known = {**canal(3.0, 8.0, 0.5, 20.0), **tumour()}
    kinds = [f.kind for f in assess(known.values())]
    assert kinds.count("escc") == 1
    assert "escc_screen" not in kinds
    alone = {id_: m for id_, m in known.items() if ".axial" not in id_}
    assert escc_screen(alone, alone[f"{PLACE}.cord_compression_pct"]) is not None


def test_no_cord_on_the_slice_no_grade():
    gone = at(PLACE, "axial_cord_contact", 1.0, "mm", kind=CORD)
    gone = gone.model_copy(update={"value": None, "status": Status.NOT_ASSESSABLE, "reason": "none found"})
    known = {**canal(), **tumour()}
    assert escc_finding(known, gone) is None
    assert escc_finding({**tumour(), gone.id: gone}, gone) is None
