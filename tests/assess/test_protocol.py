"""What a study lacks: every rule applies for its question or its suspicion only, and can be met, missed or unknown."""

from __future__ import annotations

import pytest

from spinemri.anatomy import Level
from spinemri.assess.protocol import RULES, protocol_findings
from spinemri.finding import Certainty, Finding
from spinemri.series import Contrast, Plane
from spinemri.spine import LevelBasis
from tests.assess.studies import at, lesion, loss, of_lesion, series, spine, study

T1, STIR, T2 = (series(contrast) for contrast in (Contrast.T1W, Contrast.STIR, Contrast.T2W))
AXIAL = series(Contrast.T2W, Plane.AXIAL)
GIVEN = series(Contrast.T1W_POST, agent="given")
LACKS, HAS, UNKNOWN = Certainty.PRESENT, Certainty.ABSENT, Certainty.NOT_ASSESSABLE
WHOLE = ("C3", "T6", "L5", "S1")


def gaps(*acquired, question=(), used=None, measurements=(), **more):
    """Rule -> finding."""
    clinical = {"question": question} | more.pop("clinical", {})
    read = tuple(s for s in acquired if s.plane is Plane.SAGITTAL) if used is None else used
    evidence = study(*measurements, clinical=clinical, series=acquired, used=read, **more)
    return {f.id.removeprefix("protocol."): f for f in protocol_findings(evidence)}


def test_without_a_question_or_a_suspicion_no_rule_applies():
    assert gaps(T1, STIR, T2, spine=spine(*WHOLE)) == {}


def test_every_rule_has_a_source_and_a_reason():
    assert len({rule.name for rule in RULES}) == len(RULES)
    assert all(rule.source and rule.matters and rule.wants for rule in RULES)


# contrast agent


@pytest.mark.parametrize("question", ["metastasis", "myeloma", "infection"])
@pytest.mark.parametrize(
    ("acquired", "certainty"),
    [
        ((T1, STIR), LACKS),
        ((T1, GIVEN), HAS),
        ((T1, series(Contrast.T1W, agent="uncertain")), UNKNOWN),
        ((), UNKNOWN),
    ],
)
def test_tumour_and_infection_ask_for_contrast_agent(question, acquired, certainty):
    assert gaps(*acquired, question=[question])["contrast_agent"].certainty is certainty


@pytest.mark.parametrize("question", ["fracture", "stenosis", "other"])
def test_other_questions_do_not(question):
    assert "contrast_agent" not in gaps(T1, STIR, question=[question])


def test_a_tumour_like_lesion_asks_for_contrast_agent_too():
    found = gaps(T1, STIR, measurements=of_lesion(), lesions=(lesion(),))["contrast_agent"]
    assert found.grade == "a series after contrast agent"
    assert found.cause == "found: tumour-like lesions"
    assert found.statement.startswith("The study lacks a series after contrast agent (found: tumour-like lesions): ")


# the whole spine


@pytest.mark.parametrize(
    ("acquired", "levels", "missing"),
    [
        ((T1, T2, AXIAL), WHOLE, ""),
        ((STIR, T2, AXIAL), WHOLE, ""),
        ((T1, T2, AXIAL), ("C4", "S1"), "the whole spine"),
        ((T1, T2, AXIAL), ("C2", "L5"), "the whole spine"),
        ((T2, AXIAL), WHOLE, "sagittal T1w or STIR"),
        ((T1, AXIAL), WHOLE, "sagittal T2w"),
        ((T1, T2), WHOLE, "axial slices through the abnormality"),
        ((T1,), ("L1", "L5"), "the whole spine, sagittal T2w, axial slices through the abnormality"),
    ],
)
def test_suspected_cord_compression_asks_for_the_whole_spine(acquired, levels, missing):
    found = gaps(*acquired, question=["cord_compression"], spine=spine(*levels))["whole_spine"]
    assert found.grade == missing
    assert found.certainty is (LACKS if missing else HAS)
    assert "NICE NG234" in found.source


def test_a_series_that_was_refused_does_not_count():
    scout = series(Contrast.T2W, Plane.AXIAL, refusal="a localizer")
    found = gaps(T1, T2, scout, question=["cord_compression"], spine=spine(*WHOLE))
    assert found["whole_spine"].grade == "axial slices through the abnormality"
    assert found["axial_t2"].certainty is LACKS


@pytest.mark.parametrize("levels", [(), ("V1", "V2")])
def test_without_true_levels_nobody_knows_what_was_covered(levels):
    found = gaps(T1, T2, AXIAL, question=["cord_compression"], spine=spine(*levels))
    assert found["whole_spine"].certainty is UNKNOWN


@pytest.mark.parametrize(
    ("said", "applies"),
    [
        ({"neurological_deficit": "yes", "primary": "lung"}, True),
        ({"neurological_deficit": "yes"}, False),
        ({"neurological_deficit": "unknown", "primary": "lung"}, False),
    ],
)
def test_a_deficit_with_known_cancer_is_suspected_compression(said, applies):
    assert ("whole_spine" in gaps(T1, clinical=said, spine=spine(*WHOLE))) is applies


# axial T2w, STIR, T1w alone, numbering


@pytest.mark.parametrize(("grade", "applies"), [("mild", False), ("moderate", True), ("severe", True)])
def test_a_narrow_canal_asks_for_axial_t2(grade, applies):
    narrow = Finding(id="x", kind="thecal_sac_narrowing", levels=(Level("L4"),), grade=grade, certainty=LACKS)
    found = gaps(T1, T2, findings=(narrow,))
    assert ("axial_t2" in found) is applies
    if applies:
        assert found["axial_t2"].certainty is LACKS
        assert gaps(T1, AXIAL, findings=(narrow,))["axial_t2"].certainty is HAS


def test_a_series_of_unknown_plane_may_be_the_axial_one():
    strange = series(Contrast.T2W, Plane.UNKNOWN)
    assert gaps(T1, strange, question=["stenosis"])["axial_t2"].certainty is UNKNOWN


@pytest.mark.parametrize(("height", "applies"), [(19.9, False), (20.0, True)])
def test_a_fracture_asks_for_stir(height, applies):
    known = [loss("L1", height)]
    assert ("fluid_sensitive" in gaps(T1, T2, measurements=known)) is applies
    if applies:
        assert gaps(T1, T2, measurements=known)["fluid_sensitive"].certainty is LACKS
        assert gaps(T1, STIR, measurements=known)["fluid_sensitive"].certainty is HAS
        assert gaps(T1, series(Contrast.T2W_FS), measurements=known)["fluid_sensitive"].certainty is HAS
        assert gaps(measurements=known)["fluid_sensitive"].certainty is UNKNOWN


def test_t1_alone_carries_its_warning():
    found = gaps(T1)["t1_only"]
    assert found.certainty is LACKS
    assert all(number in found.statement for number in ("87 %", "46 %", "70 %"))
    assert "t1_only" not in gaps(T1, STIR)
    assert "t1_only" not in gaps(T2)
    assert "t1_only" not in gaps()


@pytest.mark.parametrize(
    ("basis", "applies"),
    [
        (LevelBasis.FROM_C2, False),
        (LevelBasis.USER, False),
        (LevelBasis.FROM_SACRUM, True),
        (LevelBasis.ASSUMED, True),
    ],
)
def test_levels_counted_from_the_sacrum_may_be_named_wrongly(basis, applies):
    found = gaps(T1, STIR, spine=spine("L4", "L5", "S1", basis=basis))
    assert ("numbering" in found) is applies
    if applies:
        assert "14 %" in found["numbering"].statement
        assert "Tokgoz" in found["numbering"].source


def test_a_slip_is_no_reason_for_any_rule():
    assert gaps(T1, STIR, measurements=[at("L4-L5", "slip_mm", 5.0, "mm")]) == {}


@pytest.mark.parametrize(("cancer", "applies"), [("no", False), ("unknown", True), ("yes", True)])
def test_the_whole_spine_is_not_asked_for_where_no_cancer_is_known_or_seen(cancer, applies):
    found = gaps(T1, T2, question=("cord_compression",), clinical={"cancer_history": cancer}, spine=spine("L1", "L5"))
    assert ("whole_spine" in found) is applies
