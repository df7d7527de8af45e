from __future__ import annotations

from spinemri.assess import RULES, assess
from spinemri.finding import Certainty
from spinemri.measure import MEASURES, measure
from tests.measure.phantom import lumbar


def test_findings_of_a_phantom_with_one_fracture_and_one_narrowing():
    phantom = lumbar({"L2": 0.5}, narrowing={5: 0.5})
    measurements = measure(phantom.spine(), [], [phantom.segment(phantom.grid())])
    findings = assess(measurements)
    present = {f.id: f for f in findings if f.certainty is Certainty.PRESENT}
    assert set(present) - {"L2.of_class"} == {"L2.vertebral_height_loss", "L4-L5.thecal_sac_narrowing"}
    assert next(f.grade for f in findings if f.id == "L2.of_class") in {"OF2", "OF >= 4"}
    assert present["L2.vertebral_height_loss"].grade == "3"
    assert present["L4-L5.thecal_sac_narrowing"].grade == "moderate"
    known = {m.id for m in measurements}
    assert all(set(f.evidence) <= known and f.evidence and f.statement and f.rule and f.source for f in findings)
    assert len({f.id for f in findings}) == len(findings)


def test_rules_name_measures_that_exist():
    assert {name for name, _, _ in RULES} <= {m.name for m in MEASURES}


def test_nothing_measured_nothing_found():
    assert assess([]) == ()
