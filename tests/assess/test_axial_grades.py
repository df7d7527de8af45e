"""Grades that axial slices allow: each on both sides of its threshold, and with an input missing."""

from __future__ import annotations

import pytest

from spinemri.anatomy import Level, StructureKind
from spinemri.assess.axial_grades import FLUID, KANG, SCHIZAS, SPACE, kang_from_axial, schizas_from_axial
from spinemri.assess.canal_grades import LEE, canal_grade_findings
from spinemri.finding import Certainty
from tests.assess.studies import SAC, at

CORD = StructureKind.CORD


def fluid(place, share, low=None, high=None):
    interval = (share - 0.02 if low is None else low, share + 0.02 if high is None else high)
    return at(place, FLUID, share, "1", kind=SAC, interval=interval)


def neck(place="C5-C6", space=0.2, cord=0.0, signal=1.0):
    inputs = ((SPACE, space, "1"), ("cord_compression_pct", cord, "%"), ("cord_t2_ratio", signal, "1"))
    return [
        at(place, name, value, unit, kind=CORD, interval=(value - 0.01, value + 0.01))
        for name, value, unit in inputs
        if value is not None
    ]


@pytest.mark.parametrize(
    ("share", "low", "high", "grade", "certainty"),
    [
        (0.25, 0.11, 0.4, "A or B", Certainty.ABSENT),
        (0.24, 0.11, 0.4, "", Certainty.NOT_ASSESSABLE),
        (0.3, 0.1, 0.5, "", Certainty.NOT_ASSESSABLE),
        (0.1, 0.0, 0.24, "C or D", Certainty.PRESENT),
        (0.11, 0.0, 0.24, "", Certainty.NOT_ASSESSABLE),
        (0.05, 0.0, 0.25, "", Certainty.NOT_ASSESSABLE),
    ],
)
def test_fluid_tells_a_and_b_from_c_and_d(share, low, high, grade, certainty):
    found = schizas_from_axial([fluid("L4-L5", share, low, high), fluid("L3-L4", 0.8)])
    assert (found.grade, found.certainty) == (grade, certainty)
    assert found.levels == (Level("L4"), Level("L5"))
    assert found.evidence == ("L4-L5.axial_csf_fraction",)
    assert "L4-L5" in found.statement


def test_schizas_is_told_at_lumbar_discs_only():
    assert schizas_from_axial([fluid("T12-L1", 0.05), fluid("L4", 0.05)]) is None
    assert schizas_from_axial([]) is None


@pytest.mark.parametrize(
    ("inputs", "grade", "certainty"),
    [
        ({"space": 0.49}, "0", Certainty.ABSENT),
        ({"space": 0.52}, "1", Certainty.PRESENT),
        ({"space": 0.505}, "1", Certainty.BORDERLINE),
        ({"cord": 9.9}, "0", Certainty.ABSENT),
        ({"cord": 10.5}, "2", Certainty.PRESENT),
        ({"cord": 10.5, "signal": 1.19}, "2", Certainty.PRESENT),
        ({"cord": 0.0, "signal": 1.25}, "3", Certainty.PRESENT),
        ({"signal": None}, "at least 0", Certainty.NOT_ASSESSABLE),
        ({"space": 0.6, "signal": None}, "at least 1", Certainty.BORDERLINE),
        ({"space": 0.6, "cord": None}, "at least 1", Certainty.BORDERLINE),
        ({"cord": None, "signal": 1.6}, "3", Certainty.PRESENT),
    ],
)
def test_kang_follows_its_definition(inputs, grade, certainty):
    found = kang_from_axial(neck(**inputs))
    assert (found.grade, found.certainty) == (grade, certainty)
    assert f"{grade} at C5-C6" in found.statement


def test_the_worst_place_is_told_and_only_cervical_discs_count():
    found = kang_from_axial([*neck("C3-C4", cord=20.0), *neck("C5-C6", space=0.7), *neck("T1-T2", signal=2.0)])
    assert (found.grade, found.levels) == ("2", (Level("C3"), Level("C4")))
    assert kang_from_axial(neck("T1-T2")) is None
    assert kang_from_axial([m for m in neck() if m.name != SPACE]) is None


def test_what_is_missing_is_named():
    found = kang_from_axial(neck(signal=None, cord=None))
    assert found.statement.endswith("not known: T2w signal, depth of the cord.")


def test_grades_from_axial_slices_take_the_place_of_those_that_are_missing():
    known = [
        *neck(), fluid("L4-L5", 0.6), at("L4-L5", "axial_sac_area", 90.0, "mm2", kind=SAC),
        *(at(place, "dural_sac_area", 90.0, "mm2", kind=SAC) for place in ("C5-C6", "L4-L5")),
    ]  # fmt: skip
    found = {f.kind: f for f in canal_grade_findings({m.id: m for m in known})}
    assert (found[SCHIZAS].grade, found[KANG].grade) == ("A or B", "0")
    assert found[LEE].certainty is Certainty.NOT_ASSESSABLE
    assert "how far roots can be told apart is not measured" in found[LEE].statement
