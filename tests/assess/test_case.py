"""All findings of a study together: each once, the oncologic ones last, and what the user said is heard."""

from __future__ import annotations

import pytest

from spinemri.assess.case import Facts, assess_case
from spinemri.assess.urgency import KINDS
from spinemri.clinical import Clinical
from spinemri.finding import Certainty
from spinemri.lesion import MarrowChange as Kind
from spinemri.series import Contrast, Plane
from tests.assess.studies import at, lesion, loss, of_lesion, screen, series, spine

MEASUREMENTS = (loss("L1", 41.0), loss("L3", 2.0), *of_lesion(1, "L3", pedicle_left=90.0))
SPINE = spine("C2", "L1", "L3", "S1")


def findings(clinical=None, refused=()):
    facts = Facts(SPINE, (series(), series(Contrast.STIR)), refused, clinical)
    found = assess_case(MEASUREMENTS, (lesion("L3"),), screen("L1", "L3"), facts)
    assert len({f.id for f in found}) == len(found)
    return {f.id: f for f in found}


def test_every_judgement_is_there_once_after_what_it_rests_on():
    assert "L1.sins" not in findings()
    found = list(findings(Clinical(primary="breast")))
    assert found.index("L1.vertebral_height_loss") < found.index("lesion-1.marrow_lesion") < found.index(KINDS[0])
    assert {"L1.sins", "L3.sins", "L1.fracture_cause", "tumour_infection_osteoporosis", "lesion_count"} <= set(found)
    assert "protocol.contrast_agent" in found


def test_evidence_names_measurements_that_exist():
    known = {m.id for m in MEASUREMENTS}
    for finding in findings().values():
        if finding.kind in (*KINDS, "sins", "fracture_cause", "lesion_count"):
            assert set(finding.evidence) - set(findings()) <= known, finding.id


def test_what_the_user_says_is_heard():
    assert findings()["flag_unexpected_metastases"].certainty is Certainty.PRESENT
    assert findings(Clinical(primary="breast"))["flag_unexpected_metastases"].certainty is Certainty.ABSENT


def test_a_series_that_was_acquired_but_not_read_fills_a_gap():
    asked = Clinical(question=("stenosis",))
    assert findings(asked)["protocol.axial_t2"].certainty is Certainty.PRESENT
    axial = (series(Contrast.T2W, Plane.AXIAL),)
    assert findings(asked, axial)["protocol.axial_t2"].certainty is Certainty.ABSENT


@pytest.mark.parametrize(("kind", "grade"), [(Kind.FRACTURE_OEDEMA, "OF1"), (Kind.MODIC_1, ""), (Kind.HAEMANGIOMA, "")])
def test_only_what_is_called_a_fracture_first_has_a_class_without_deformity(kind, grade):
    wall = at("L3", "posterior_wall_fraction", 0.0, "1")
    signal = {"t1_to_marrow": 1.6 if kind is Kind.HAEMANGIOMA else 0.6, "stir_to_marrow": 1.8}
    known = (loss("L3", 2.0), wall, *of_lesion(1, "L3", **signal))
    found = assess_case(known, (lesion("L3", kind=kind),), screen("L3"), Facts(SPINE))
    (of_class,) = (f for f in found if f.kind == "of_class")
    assert of_class.grade == grade
