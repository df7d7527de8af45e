"""Grades that are read on axial images: once per region, never given, with what sagittal images show of them."""

from __future__ import annotations

import re

import pytest

from spinemri.anatomy import StructureKind
from spinemri.assess import assess
from spinemri.assess.axial_grades import KANG, SCHIZAS
from spinemri.assess.canal_grades import LEE, canal_grade_findings
from spinemri.finding import Certainty
from spinemri.measurement import Status
from tests.assess.studies import SAC, at

LUMBAR = (at("L3-L4", "dural_sac_area", 150.0, "mm2", kind=SAC), at("L4-L5", "dural_sac_area", 60.0, "mm2", kind=SAC))
NECK = (at("C5-C6", "dural_sac_area", 110.0, "mm2", kind=SAC),)
WORST = (
    at("C4-C5", "sas_obliteration", 0.2, "1", kind=StructureKind.CORD),
    at("C5-C6", "sas_obliteration", 0.62, "1", kind=StructureKind.CORD),
    at("C5-C6", "cord_compression_pct", 18.0, kind=StructureKind.CORD),
    at("C5", "cord_t2_ratio", 1.3, "1", kind=StructureKind.CORD),
    at("T8", "cord_t2_ratio", 1.9, "1", kind=StructureKind.CORD),
)


def graded(*measurements):
    return {f.kind: f for f in canal_grade_findings({m.id: m for m in measurements})}


@pytest.mark.parametrize(
    ("seen", "kinds"),
    [
        (LUMBAR, {SCHIZAS, LEE}),
        (NECK, {KANG}),
        ((*LUMBAR, *NECK), {SCHIZAS, LEE, KANG}),
        ((at("T8", "dural_sac_area", 150.0, "mm2", kind=SAC),), set()),
        ((), set()),
    ],
)
def test_one_finding_per_system_of_a_region_that_is_seen(seen, kinds):
    assert set(graded(*seen)) == kinds


def test_none_is_ever_given():
    for finding in graded(*LUMBAR, *NECK, *WORST).values():
        assert (finding.certainty, finding.grade) == (Certainty.NOT_ASSESSABLE, "")
        assert "not assessable: no axial T2w images were read" in finding.statement
        assert not re.search(r"[Gg]rade \d", finding.statement)
        assert finding.evidence
        assert finding.rule
        assert finding.source


def test_the_worst_of_each_input_of_kang_stands_beside_it():
    found = graded(*NECK, *WORST)[KANG]
    assert found.statement == (
        "Kang grade of the cervical canal not assessable: no axial T2w images were read; at most: space around the "
        "cord 62 % lost at C5-C6; cord 18 % thinner at C5-C6; T2w signal of the cord 1.3 times the patient's own at C5."
    )
    assert found.evidence == ("C5-C6.sas_obliteration", "C5-C6.cord_compression_pct", "C5.cord_t2_ratio")


def test_what_was_not_measured_is_no_input():
    missing = [
        m.model_copy(update={"value": None, "status": Status.NOT_ASSESSABLE, "reason": "no cord"}) for m in WORST
    ]
    found = graded(*NECK, *missing)[KANG]
    assert found.statement == "Kang grade of the cervical canal not assessable: no axial T2w images were read."
    assert found.evidence == ("C5-C6.dural_sac_area",)


def test_the_narrowest_place_is_the_evidence_of_lumbar_grades_and_a_study_gets_them():
    assert graded(*LUMBAR)[SCHIZAS].evidence == ("L4-L5.dural_sac_area",)
    assert [str(v) for v in graded(*LUMBAR)[LEE].levels] == ["L3", "L4"]
    assert {f.kind for f in assess(LUMBAR)} == {SCHIZAS, LEE}
