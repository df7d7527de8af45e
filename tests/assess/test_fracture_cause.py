"""Recent or not, benign or malignant features: each sign at both sides of its limit, and what nobody could see."""

from __future__ import annotations

import pytest

from spinemri.anatomy import Level
from spinemri.assess.fracture_cause import (
    BENIGN,
    INDETERMINATE,
    MALIGNANT,
    fracture_cause,
    fracture_cause_findings,
    fracture_causes,
    phrases,
)
from spinemri.finding import Certainty, Finding
from spinemri.lesion import MarrowChange as Kind
from tests.assess.studies import at, lesion, loss, of_lesion, screen, study

L3 = Level("L3")
OEDEMA = lesion(kind=Kind.FRACTURE_OEDEMA)


def cause(*more, lesions=(OEDEMA,), height=30.0, **changes):
    lost = loss("L3", height)
    return fracture_cause(study(lost, *more, lesions=lesions, **changes), L3, lost)


def with_signs(**values):
    return cause(*of_lesion(**values))


@pytest.mark.parametrize(("height", "count"), [(14.9, 0), (15.0, 1), (35.0, 1)])
def test_bodies_from_an_equivocal_height_loss_on_are_judged(height, count):
    assert len(fracture_causes(study(loss("L3", height)))) == count


# recent or not


@pytest.mark.parametrize(("stir", "oedema"), [(1.29, False), (1.3, True), (None, None)])
def test_a_fracture_is_recent_when_its_marrow_is_bright_on_stir(stir, oedema):
    found = with_signs(stir_to_marrow=stir)
    assert found.oedema is oedema
    assert ("not assessable" in found.age) is (oedema is None)


def test_without_any_lesion_a_body_that_was_searched_is_not_recent():
    assert cause(lesions=()).oedema is False
    assert cause(lesions=(), screen=screen("L1")).oedema is None


def test_without_stir_nobody_can_say_whether_it_is_recent():
    found = cause(*of_lesion(), screen=screen("L3", contrasts=("T1w", "T2w")))
    assert found.oedema is None
    assert "no STIR" in found.age


# features


@pytest.mark.parametrize(
    ("signs", "feature"),
    [
        ({"convex_posterior_border": 1.99}, None),
        ({"convex_posterior_border": 2.0}, "convex posterior border"),
        ({"pedicle_left": 59.9}, None),
        ({"pedicle_right": 60.0}, "pedicle or arch involved"),
        ({"epidural_volume": 59.9}, None),
        ({"epidural_volume": 60.0}, "epidural mass"),
        ({"paraspinal_volume": 59.9}, None),
        ({"paraspinal_volume": 30.0, "prevertebral_volume": 30.0}, "paraspinal mass"),
    ],
)
def test_malignant_features_at_both_sides_of_their_limits(signs, feature):
    assert with_signs(**signs).malignant == ((feature,) if feature else ())


def test_tumour_like_lesions_of_other_vertebrae_are_a_malignant_feature():
    others = (OEDEMA, lesion("L5", 2, z=-70.0))
    assert cause(*of_lesion(), lesions=others).malignant == ("further tumour-like lesions",)
    assert cause(*of_lesion(), lesions=(lesion(),)).malignant == ()
    fat = (OEDEMA, lesion("L5", 2, Kind.FAT, z=-70.0))
    bright = of_lesion(2, "L5", t1_to_marrow=1.8, stir_to_marrow=0.4)
    assert cause(*of_lesion(), *bright, lesions=fat).malignant == ()


def test_fat_in_the_fractured_body_is_no_feature():
    fat = (lesion(kind=Kind.FAT),)
    found = cause(*of_lesion(t1_to_marrow=1.8, stir_to_marrow=0.4, pedicle_left=90.0), lesions=fat)
    assert found.malignant == ()
    assert found.oedema is False


@pytest.mark.parametrize(
    ("name", "feature"),
    [
        ("convex_posterior_border", "convex posterior border"),
        ("pedicle_left", "pedicle or arch involved"),
        ("epidural_volume", "epidural mass"),
        ("prevertebral_volume", "paraspinal mass"),
    ],
)
def test_a_malignant_feature_that_was_not_measured_is_neither_there_nor_absent(name, feature):
    assert with_signs().category == BENIGN
    found = with_signs(**{name: None})
    assert (found.malignant, found.unknown, found.category) == ((), (feature,), INDETERMINATE)
    (said,) = fracture_cause_findings(study(loss("L3", 30.0), *of_lesion(**{name: None}), lesions=(OEDEMA,)))
    assert f"not measured: {feature}" in said.statement


def test_a_wall_of_which_nobody_knows_whether_it_is_convex_is_no_retropulsed_fragment():
    signs = {"body_share_pct": 90.0, "convex_posterior_border": None}
    assert cause(at("L3", "retropulsion_mm", 4.0, "mm"), *of_lesion(**signs)).benign == ()


@pytest.mark.parametrize(
    ("share", "spared"), [(74.9, True), (75.0, False), (None, False)]
)  # fmt: skip
def test_normal_marrow_is_spared_below_three_quarters(share, spared):
    assert ("spared normal marrow" in with_signs(body_share_pct=share).benign) is spared


@pytest.mark.parametrize(("value", "present"), [(1.9, False), (2.0, True)])
def test_a_retropulsed_fragment_is_a_benign_feature(value, present):
    found = cause(at("L3", "retropulsion_mm", value, "mm"), *of_lesion(body_share_pct=90.0))
    assert found.benign == (("retropulsed fragment",) if present else ())


def test_a_wall_that_a_lesion_bulges_is_no_retropulsed_fragment():
    found = cause(at("L3", "retropulsion_mm", 4.0, "mm"), *of_lesion(body_share_pct=90.0, convex_posterior_border=3.0))
    assert (found.malignant, found.benign) == (("convex posterior border",), ())


# the category


@pytest.mark.parametrize(
    ("signs", "category"),
    [
        ({}, BENIGN),
        ({"body_share_pct": 90.0}, INDETERMINATE),
        ({"pedicle_left": 80.0}, INDETERMINATE),
        ({"pedicle_left": 80.0, "body_share_pct": 90.0}, INDETERMINATE),
        ({"pedicle_left": 80.0, "epidural_volume": 90.0}, MALIGNANT),
        ({"pedicle_left": 80.0, "epidural_volume": 90.0, "body_share_pct": 90.0}, MALIGNANT),
    ],
)
def test_the_category_follows_the_number_of_features(signs, category):
    assert with_signs(**signs).category == category


def test_two_malignant_and_two_benign_features_are_indeterminate():
    found = cause(at("L3", "retropulsion_mm", 4.0, "mm"), *of_lesion(pedicle_left=80.0, epidural_volume=90.0))
    assert (len(found.malignant), len(found.benign)) == (2, 2)
    assert found.category == INDETERMINATE


def test_a_body_that_nobody_searched_has_no_category():
    (found,) = fracture_cause_findings(study(loss("L3", 30.0), screen=screen("L1")))
    assert (found.certainty, found.grade) == (Certainty.NOT_ASSESSABLE, "")
    assert "its marrow was not searched" in found.statement


@pytest.mark.parametrize(
    ("height", "signs", "certainty"),
    [
        (24.4, {}, Certainty.BORDERLINE),
        (24.5, {}, Certainty.PRESENT),
        (16.0, {}, Certainty.BORDERLINE),
        (40.0, {"pedicle_left": 80.0}, Certainty.BORDERLINE),
    ],
)
def test_a_finding_is_sure_only_with_a_sure_fracture_and_a_category(height, signs, certainty):
    (found,) = fracture_cause_findings(study(loss("L3", height), *of_lesion(**signs), lesions=(OEDEMA,)))
    assert found.certainty is certainty


def test_the_statement_lists_features_and_the_caveat_and_no_percentage_of_malignancy():
    (found,) = fracture_cause_findings(
        study(loss("L3", 31.0), *of_lesion(pedicle_left=80.0, epidural_volume=90.0), lesions=(OEDEMA,))
    )
    assert found.statement == (
        "L3: deformity with 31 % height loss, recent or active (marrow bright on STIR); malignant features predominate "
        "(malignant: pedicle or arch involved, epidural mass; benign: spared normal marrow; not looked for: low-signal "
        f"band, fluid sign). {phrases.CAVEAT}"
    )
    assert found.statement.count("%") == 1
    assert "L3.height_loss_pct" in found.evidence


@pytest.mark.parametrize(("diffuse", "spared"), [("present", False), ("borderline", False), ("absent", True)])
def test_in_diffuse_change_no_marrow_is_spared_and_none_stands_out(diffuse, spared):
    whole = Finding(id="diffuse_marrow", kind="diffuse_marrow", certainty=diffuse)
    found = cause(lesions=(), findings=(whole,))
    assert ("spared normal marrow" in found.benign) is spared
    assert found.oedema is (False if spared else None)


@pytest.mark.parametrize(("stir", "oedema"), [(1.29, False), (1.3, None)])
def test_a_bright_change_of_another_kind_leaves_it_open_whether_it_is_recent(stir, oedema):
    other = lesion(kind=Kind.MODIC_1)
    found = cause(*of_lesion(stir_to_marrow=stir), lesions=(other,))
    assert found.oedema is oedema
    assert ("no marrow bright" in found.age) is (oedema is False)
