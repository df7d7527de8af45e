"""Urgent flags: raised, borderline, not raised and not assessable, at both sides of every trigger."""

from __future__ import annotations

import pytest

from spinemri.anatomy import Level
from spinemri.assess.urgency import (
    CAUDA,
    COLLECTION,
    CORD,
    FRACTURE,
    KINDS,
    METASTASES,
    UNSTABLE,
    cauda_flag,
    collection_flag,
    cord_flag,
    fracture_flag,
    metastases_flag,
    unstable_flag,
    urgent_flags,
)
from spinemri.finding import Certainty, Finding, Urgency
from spinemri.lesion import MarrowChange as Kind
from spinemri.series import Contrast
from tests.assess.studies import SAC, at, lesion, loss, of_lesion, screen, series, slip, study

PRESENT, BORDERLINE, ABSENT, OPEN = (
    Certainty.PRESENT,
    Certainty.BORDERLINE,
    Certainty.ABSENT,
    Certainty.NOT_ASSESSABLE,
)


def sac(place, name, value, interval=None):
    return at(place, name, value, kind=SAC, interval=interval)


def test_every_flag_is_there_and_only_a_raised_one_is_urgent():
    flags = urgent_flags(study(loss("L3", 3.0), *of_lesion(), lesions=(lesion(),)))
    assert tuple(flag.kind for flag in flags) == KINDS
    for flag in flags:
        assert (flag.urgency is not Urgency.NONE) is (flag.certainty in (PRESENT, BORDERLINE))
        assert flag.statement.endswith(".")
        assert ("no clearance" in flag.statement) is (flag.certainty is ABSENT)
    assert [flag.kind for flag in flags if flag.urgency is not Urgency.NONE] == [METASTASES]


def test_without_anything_measured_nothing_is_cleared():
    assert {flag.certainty for flag in urgent_flags(study(screen=screen()))} == {OPEN}


# cord


@pytest.mark.parametrize(
    ("lost", "ring", "certainty"),
    [
        (14.9, 0.0, ABSENT),
        (15.0, 0.1, PRESENT),
        (15.0, 0.11, ABSENT),
        (15.0, None, BORDERLINE),
        (40.0, 0.5, ABSENT),
        (None, 0.0, OPEN),
    ],
)
def test_cord_compression_needs_a_narrow_cord_without_csf(lost, ring, certainty):
    known = [] if lost is None else [sac("T8-T9", "cord_compression_pct", lost)]
    known += [] if ring is None else [sac("T8-T9", "csf_ring_fraction", ring)]
    found = cord_flag(study(*known))
    assert found.certainty is certainty
    assert found.urgency is (Urgency.CATEGORY_1 if certainty in (PRESENT, BORDERLINE) else Urgency.NONE)


def test_csf_at_another_place_does_not_count():
    known = (sac("T8-T9", "cord_compression_pct", 30.0), sac("T7-T8", "csf_ring_fraction", 0.0))
    assert cord_flag(study(*known)).certainty is BORDERLINE


@pytest.mark.parametrize(("grade", "certainty"), [("1c", OPEN), ("2", PRESENT), ("3", PRESENT)])
def test_escc_is_high_from_grade_2(grade, certainty):
    graded = Finding(id="T8.escc", kind="escc", levels=(Level("T8"),), grade=grade, certainty=PRESENT)
    assert cord_flag(study(findings=(graded,))).certainty is certainty


def test_an_unsure_grade_raises_an_unsure_flag_and_a_lower_limit_none():
    graded = Finding(id="T8.escc", kind="escc", levels=(Level("T8"),), grade="2", certainty=BORDERLINE)
    assert cord_flag(study(findings=(graded,))).certainty is BORDERLINE
    least = graded.model_copy(update={"grade": "at least 1c"})
    known = (sac("T8-T9", "cord_compression_pct", 2.0),)
    assert cord_flag(study(*known, findings=(least,))).certainty is OPEN


@pytest.mark.parametrize(("screened", "certainty"), [(PRESENT, BORDERLINE), (BORDERLINE, OPEN), (ABSENT, ABSENT)])
def test_a_screen_for_escc_alone_is_borderline(screened, certainty):
    graded = Finding(id="T8.escc_screen", kind="escc_screen", levels=(Level("T8"),), certainty=screened)
    known = (sac("T8-T9", "cord_compression_pct", 20.0), sac("T8-T9", "csf_ring_fraction", 0.5))
    assert cord_flag(study(*known, findings=(graded,))).certainty is certainty


# cauda equina


@pytest.mark.parametrize(
    ("area", "diameter", "certainty"),
    [
        (67.1, None, PRESENT),
        (67.0, None, ABSENT),
        (None, 67.1, BORDERLINE),
        (None, 67.0, ABSENT),
        (30.0, 80.0, ABSENT),
        (None, None, OPEN),
    ],
)
def test_the_cauda_is_compressed_by_area_or_perhaps_by_diameter(area, diameter, certainty):
    names = {"dural_sac_area_compromise_pct": area, "dural_sac_compromise_pct": diameter}
    known = [sac("L4-L5", name, value) for name, value in names.items() if value is not None]
    assert cauda_flag(study(*known)).certainty is certainty


AREA, DIAMETER = "dural_sac_area_compromise_pct", "dural_sac_compromise_pct"


@pytest.mark.parametrize(
    ("name", "interval", "certainty"),
    [
        (AREA, (67.1, 80.0), PRESENT),
        (AREA, (66.9, 80.0), BORDERLINE),
        (AREA, (55.0, 67.1), BORDERLINE),
        (AREA, (55.0, 67.0), ABSENT),
        (DIAMETER, (67.1, 80.0), BORDERLINE),
        (DIAMETER, (55.0, 67.1), BORDERLINE),
        (DIAMETER, (55.0, 67.0), ABSENT),
    ],
)
def test_the_cauda_is_surely_compressed_only_with_the_whole_interval_of_the_area(name, interval, certainty):
    found = cauda_flag(study(sac("L4-L5", name, sum(interval) / 2, interval)))
    assert found.certainty is certainty
    assert ("cannot be excluded" in found.statement) is (certainty is BORDERLINE)


@pytest.mark.parametrize(
    ("place", "certainty"),
    [("L1-L2", OPEN), ("L2", OPEN), ("L2-L3", PRESENT), ("L3", PRESENT), ("L5-S1", PRESENT), ("V3-V4", OPEN)],
)
def test_below_the_conus_begins_at_the_disc_below_l2(place, certainty):
    assert cauda_flag(study(sac(place, "dural_sac_area_compromise_pct", 80.0))).certainty is certainty


# instability


def unstable(**said):
    """L1, 30 % collapse, both sides of the arch, aligned: 13 points when lytic and painful."""
    slips = (slip("T12-L1", 0.0), slip("L1-L2", 0.0))
    extent = of_lesion(level="L1", pedicle_left=80.0, pedicle_right=80.0)
    answers = {"pain": "mechanical", "bone_quality": "lytic", "de_novo_deformity": "no"} | said
    return study(loss("L1", 30.0), *slips, *extent, lesions=(lesion("L1"),), clinical=answers)


def test_without_a_tumour_like_lesion_a_spine_is_perhaps_unstable():
    said = {"pain": "mechanical", "bone_quality": "lytic", "new_translation": "yes", "primary": "breast"}
    found = unstable_flag(study(loss("L1", 55.0), clinical=said))
    assert found.certainty is BORDERLINE
    assert found.statement.startswith("Possible unstable spine: L1: SINS 15 of 18")
    assert "only if the fracture is neoplastic" in found.statement
    assert "only if" not in unstable_flag(unstable()).statement


def test_a_spine_is_unstable_from_13_points_at_the_lower_end():
    found = unstable_flag(unstable())
    assert (found.certainty, found.urgency) == (PRESENT, Urgency.CATEGORY_2)
    assert "L1: SINS 13 of 18" in found.statement
    assert unstable_flag(unstable(bone_quality="mixed")).certainty is ABSENT


def test_an_interval_that_reaches_13_leaves_the_flag_open():
    found = unstable_flag(unstable(pain=None))
    assert found.certainty is OPEN
    assert "SINS of L1 is not determined (10-13)" in found.statement


@pytest.mark.parametrize(
    ("value", "new", "certainty"),
    [
        (3.49, "yes", ABSENT),
        (3.5, "yes", PRESENT),
        (-3.6, "yes", PRESENT),
        (3.6, "unknown", BORDERLINE),
        (3.6, "no", ABSENT),
    ],
)
def test_a_new_cervical_translation_is_unstable(value, new, certainty):
    assert unstable_flag(study(slip("C4-C5", value), clinical={"new_translation": new})).certainty is certainty


@pytest.mark.parametrize(
    ("levels", "certainty"), [(["C4", "C5"], PRESENT), (["C6", "C7"], BORDERLINE), (["C5", "C6"], PRESENT)]
)
def test_a_translation_is_new_where_the_user_says_so_and_elsewhere_unknown(levels, certainty):
    said = {"new_translation": "yes", "new_translation_levels": levels}
    assert unstable_flag(study(slip("C4-C5", 3.6), clinical=said)).certainty is certainty


def test_a_lumbar_slip_alone_is_not():
    assert unstable_flag(study(slip("L4-L5", 9.0), clinical={"new_translation": "yes"})).certainty is ABSENT


@pytest.mark.parametrize(
    ("percent", "height", "certainty"),
    [(25.1, 20.0, PRESENT), (-25.1, 20.0, PRESENT), (25.0, 20.0, ABSENT), (25.1, 19.9, ABSENT)],
)
def test_a_slip_of_meyerding_2_beside_a_fracture_is_unstable(percent, height, certainty):
    known = (slip("L4-L5", 0.5), at("L4-L5", "slip_pct", percent), loss("L4", height))
    assert unstable_flag(study(*known)).certainty is certainty


def test_what_was_not_measured_leaves_the_flag_open():
    assert "slip was not measured" in unstable_flag(study()).statement
    assert "marrow was not searched" in unstable_flag(study(slip("L4-L5", 0.0), screen=screen())).statement


# fracture with tumour features


@pytest.mark.parametrize(
    ("height", "signs", "certainty"),
    [
        (19.9, {"pedicle_left": 80.0, "epidural_volume": 90.0}, ABSENT),
        (20.0, {"pedicle_left": 80.0, "epidural_volume": 90.0}, BORDERLINE),
        (24.5, {"pedicle_left": 80.0, "epidural_volume": 90.0}, PRESENT),
        (40.0, {"pedicle_left": 80.0}, ABSENT),
    ],
)
def test_a_fracture_with_two_malignant_features_is_flagged(height, signs, certainty):
    found = fracture_flag(study(loss("L3", height), *of_lesion(**signs), lesions=(lesion(),)))
    assert found.certainty is certainty
    assert found.urgency is (Urgency.CATEGORY_2 if certainty is not ABSENT else Urgency.NONE)


def test_a_fracture_whose_marrow_nobody_searched_leaves_the_flag_open():
    assert fracture_flag(study(loss("L3", 40.0), screen=screen("L1"))).certainty is OPEN
    assert fracture_flag(study()).certainty is OPEN


def test_malignant_features_that_were_not_measured_leave_the_flag_open():
    one = of_lesion(pedicle_left=80.0)
    known = [m for m in one if m.name != "lesion_epidural_volume"]
    found = fracture_flag(study(loss("L3", 40.0), *known, lesions=(lesion(),)))
    assert (found.certainty, "epidural mass" in found.statement) == (OPEN, True)
    assert fracture_flag(study(loss("L3", 19.9), *known, lesions=(lesion(),))).certainty is ABSENT


# unexpected metastases


@pytest.mark.parametrize(
    ("said", "certainty", "words"),
    [
        ({}, PRESENT, "no cancer history is given"),
        ({"cancer_history": "no"}, PRESENT, "no cancer is known"),
        ({"primary": "breast"}, ABSENT, "a cancer is known"),
        ({"cancer_history": "yes"}, ABSENT, "a cancer is known"),
    ],
)
def test_tumour_like_lesions_are_unexpected_unless_a_cancer_is_known(said, certainty, words):
    found = metastases_flag(study(*of_lesion(), lesions=(lesion(),), clinical=said))
    assert found.certainty is certainty
    assert words in found.statement
    assert found.urgency is (Urgency.CATEGORY_3 if certainty is PRESENT else Urgency.NONE)


@pytest.mark.parametrize(("probability", "certainty"), [(0.79, BORDERLINE), (0.8, PRESENT)])
def test_a_doubtful_lesion_raises_a_borderline_flag(probability, certainty):
    assert metastases_flag(study(*of_lesion(), lesions=(lesion(probability=probability),))).certainty is certainty


def test_no_lesion_and_no_search_are_two_things():
    assert metastases_flag(study()).certainty is ABSENT
    assert metastases_flag(study(screen=screen())).certainty is OPEN
    assert metastases_flag(study(lesions=(lesion(kind=Kind.MODIC_1),))).certainty is ABSENT


# epidural collection

AFTER = (series(Contrast.T1W_POST, agent="given"),)


@pytest.mark.parametrize(
    ("epidural", "enhancement", "used", "certainty"),
    [
        (60.0, 40.1, AFTER, BORDERLINE),
        (60.0, 40.0, AFTER, OPEN),
        (60.0, 5.0, AFTER, OPEN),
        (60.0, -2.0, AFTER, OPEN),
        (59.9, 90.0, AFTER, ABSENT),
        (60.0, None, AFTER, OPEN),
        (60.0, None, (), OPEN),
        (0.0, None, (), OPEN),
        (None, 90.0, AFTER, OPEN),
    ],
)
def test_a_collection_needs_an_epidural_mass_that_clearly_takes_up_contrast_agent(
    epidural, enhancement, used, certainty
):
    known = of_lesion(epidural_volume=epidural, enhancement_pct=enhancement)
    found = collection_flag(study(*known, lesions=(lesion(kind=Kind.DISCITIS),), used=used))
    assert found.certainty is certainty
    mass = "at L3, whether it is fluid or enhances at its rim only is not measured"
    assert (mass in found.statement) is (certainty is OPEN and bool(epidural))
    assert ("is not measured" in found.statement) is bool(epidural and epidural >= 60)


@pytest.mark.parametrize(
    ("disc", "beside", "certainty"),
    [(1.49, 0.0, ABSENT), (1.5, 0.0, BORDERLINE), (1.0, 60.0, BORDERLINE), (1.0, None, OPEN), (None, 0.0, OPEN)],
)
def test_a_collection_needs_features_of_discitis_and_not_only_its_name_in_a_differential(disc, beside, certainty):
    shared = {
        "disc": "L3-L4", "disc_signal_ratio": disc, "endplate_contact_pct": 40.0, "epidural_volume": 90.0,
        "enhancement_pct": 80.0, "paraspinal_volume": beside,
    }  # fmt: skip
    lesions = (lesion("L3"), lesion("L4", 2, z=-32.0))
    known = (*of_lesion(1, **shared), *of_lesion(2, "L4", **shared))
    assert collection_flag(study(*known, lesions=lesions, used=AFTER)).certainty is certainty


def test_a_tumour_with_an_epidural_part_is_no_collection():
    known = of_lesion(epidural_volume=90.0, enhancement_pct=30.0)
    assert collection_flag(study(*known, lesions=(lesion(),), used=AFTER)).certainty is ABSENT


def test_rules_and_words_name_every_flag():
    for flag in urgent_flags(study()):
        assert flag.rule
        assert flag.cause
        assert flag.source
    assert {CORD, CAUDA, COLLECTION, UNSTABLE, FRACTURE, METASTASES} == set(KINDS)


def test_levels_are_told_from_head_to_foot():
    lesions = (lesion("L2", 1), lesion("L1", 2, z=40.0))
    found = metastases_flag(study(*of_lesion(1, "L2"), *of_lesion(2, "L1"), lesions=lesions))
    assert [str(level) for level in found.levels] == ["L1", "L2"]


@pytest.mark.parametrize(("low", "certainty"), [(9.9, BORDERLINE), (10.0, PRESENT)])
def test_a_loss_whose_interval_reaches_no_compression_is_perhaps_one(low, certainty):
    lost = at("T8-T9", "cord_compression_pct", 20.0, kind=SAC, interval=(low, 30.0))
    assert cord_flag(study(lost, sac("T8-T9", "csf_ring_fraction", 0.05))).certainty is certainty
