from __future__ import annotations

import pytest

from spinemri.anatomy import Level, StructureKind
from spinemri.assess.alignment import curvature_finding, meyerding_grade, scoliosis_finding, slip_finding
from spinemri.finding import Certainty
from spinemri.measurement import Measurement, Status


def made(place, name, value, half=0.5, **changes):
    upper, _, lower = place.partition("-")
    kind = StructureKind.DISC if name.startswith("slip") else StructureKind.VERTEBRAL_BODY
    missing = {"status": Status.NOT_ASSESSABLE, "reason": "a body is cut"} if value is None else {}
    return Measurement(
        id=f"{place}.{name}",
        name=name,
        kind=kind,
        level=Level(upper),
        lower=Level(lower) if lower else None,
        value=value,
        unit="deg",
        interval=None if value is None else (value - half, value + half),
        **missing,
        **changes,
    )


def percent(place, value):
    share = made(place, "slip_pct", value)
    return {share.id: share}


@pytest.mark.parametrize(
    ("value", "grade"),
    [(1, "I"), (25, "I"), (25.1, "II"), (-50, "II"), (50.1, "III"), (75, "III"), (75.1, "IV"), (100, "IV"),
     (100.1, "V")],
)  # fmt: skip
def test_meyerding_on_both_sides_of_each_limit(value, grade):
    assert meyerding_grade(value) == grade


@pytest.mark.parametrize(
    ("place", "value", "certainty"),
    [
        ("L4-L5", 2.9, Certainty.ABSENT),
        ("L4-L5", 3.1, Certainty.BORDERLINE),
        ("L4-L5", 3.4, Certainty.BORDERLINE),
        ("L4-L5", 3.6, Certainty.PRESENT),
        ("L4-L5", -3.6, Certainty.PRESENT),
        ("T11-T12", 2.4, Certainty.ABSENT),
        ("T11-T12", 3.6, Certainty.PRESENT),
        ("L5-S1", -5.9, Certainty.BORDERLINE),
        ("L5-S1", -6.1, Certainty.PRESENT),
        ("C5-C6", 1.9, Certainty.ABSENT),
        ("C5-C6", -2.1, Certainty.BORDERLINE),
        ("C5-C6", 2.6, Certainty.PRESENT),
        ("V3-V4", 2.4, Certainty.ABSENT),
        ("V3-V4", 3.6, Certainty.PRESENT),
    ],
)
def test_a_slip_is_called_beyond_its_limit_and_borderline_around_it(place, value, certainty):
    found = slip_finding(percent(place, 3 * value), made(place, "slip_mm", value))
    assert found.certainty is certainty
    assert (found.grade, found.cause) == ("", "") if certainty is Certainty.ABSENT else found.grade == "I"
    assert ("borderline" in found.statement) is (certainty is Certainty.BORDERLINE)
    assert ("no slip" in found.statement) is (certainty is Certainty.ABSENT)


def test_a_slip_of_less_than_two_voxels_is_never_sure():
    slip = made("L4-L5", "slip_mm", 4.0, flags=("below_two_pixels",))
    found = slip_finding({}, slip)
    assert found.certainty is Certainty.BORDERLINE
    assert found.statement == "L4-L5: borderline anterolisthesis of 4.0 mm; smaller than two voxels."
    assert found.evidence == ("L4-L5.slip_mm",)


def test_statement_of_a_slip_names_direction_size_and_grade():
    found = slip_finding(percent("L5-S1", -27.4), made("L5-S1", "slip_mm", -9.1))
    assert found.statement == "L5-S1: retrolisthesis of 9.1 mm, 27 %, Meyerding grade II."
    assert (found.cause, found.at_disc) == ("retrolisthesis", True)
    assert found.evidence == ("L5-S1.slip_mm", "L5-S1.slip_pct")


def test_what_could_not_be_measured_is_said():
    slip = slip_finding({}, made("L4-L5", "slip_mm", None))
    assert (slip.certainty, slip.grade) == (Certainty.NOT_ASSESSABLE, "")
    assert slip.statement == "L4-L5: slip not assessable: a body is cut."
    curve = scoliosis_finding({}, made("T1-S1", "coronal_curvature_estimate", None))
    assert curve.statement == "T1-S1: coronal curvature not assessable: a body is cut."
    angle = curvature_finding({}, made("T12-S1", "lumbar_lordosis", None))
    assert (angle.certainty, angle.grade) == (Certainty.NOT_ASSESSABLE, "")
    assert angle.statement == "T12-S1: lumbar lordosis not assessable: a body is cut."


@pytest.mark.parametrize(
    ("value", "grade", "certainty"),
    [
        (-36.8, "usual", Certainty.ABSENT),
        (-10.5, "usual", Certainty.ABSENT),
        (-10.3, "reduced", Certainty.BORDERLINE),
        (-9.0, "reduced", Certainty.PRESENT),
        (4.0, "reduced", Certainty.PRESENT),
        (-63.1, "usual", Certainty.ABSENT),
        (-63.3, "increased", Certainty.BORDERLINE),
        (-65.0, "increased", Certainty.PRESENT),
    ],
)
def test_lumbar_lordosis_compares_with_people_lying_down(value, grade, certainty):
    found = curvature_finding({}, made("T12-S1", "lumbar_lordosis", value, half=1.0))
    assert (found.grade, found.certainty) == (grade, certainty)
    assert ("kyphosis" in found.statement) is (value > 0)
    assert "36.8 +- 13.2 degrees of lordosis" in found.statement


def test_without_a_supine_norm_the_angle_is_stated_and_not_judged():
    found = curvature_finding({}, made("T4-T12", "thoracic_kyphosis", 61.0))
    assert (found.certainty, found.grade) == (Certainty.NOT_ASSESSABLE, "")
    assert found.statement == "T4-T12: thoracic kyphosis 61 degrees (supine; no supine norm)."
    neck = curvature_finding({}, made("C2-C7", "cervical_lordosis", -12.0))
    assert neck.statement == "C2-C7: cervical lordosis 12 degrees (supine; no supine norm)."
    assert "kyphosis 5 degrees" in curvature_finding({}, made("C2-C7", "cervical_lordosis", 5.0)).statement


@pytest.mark.parametrize(
    ("value", "certainty"),
    [(9.9, Certainty.ABSENT), (10.0, Certainty.BORDERLINE), (12.9, Certainty.BORDERLINE), (13.1, Certainty.PRESENT)],
)
def test_scoliosis_is_possible_from_ten_degrees_on(value, certainty):
    curve = made("T1-S1", "coronal_curvature_estimate", value, half=3.0, reference_levels=(Level("T6"), Level("L2")))
    found = scoliosis_finding({}, curve)
    assert found.certainty is certainty
    assert "between T6 and L2" in found.statement
    assert ("below 10 degrees" in found.statement) is (certainty is Certainty.ABSENT)
    assert ("off the midline" in found.statement) is (certainty is not Certainty.ABSENT)


def test_a_borderline_slip_at_s1_blames_the_corner_and_another_its_error():
    sacral = slip_finding({}, made("L5-S1", "slip_mm", -5.3)).statement
    assert sacral.endswith("retrolisthesis of 5.3 mm; limit 3 mm; the posterior corner of S1 is hard to tell.")
    other = slip_finding({}, made("L4-L5", "slip_mm", 3.2)).statement
    assert other == "L4-L5: borderline anterolisthesis of 3.2 mm; its error reaches the limit of 3 mm."


@pytest.mark.parametrize(
    ("lost", "pushed", "level", "certainty"),
    [
        (20.0, 2.0, "L5", Certainty.BORDERLINE),
        (20.0, 2.0, "L4", Certainty.BORDERLINE),
        (19.0, 4.0, "L5", Certainty.PRESENT),
        (40.0, 1.9, "L5", Certainty.PRESENT),
        (40.0, 4.0, "L3", Certainty.PRESENT),
    ],
)
def test_a_fragment_that_is_pushed_back_may_feign_a_slip(lost, pushed, level, certainty):
    body = [made(level, "height_loss_pct", lost), made(level, "retropulsion_mm", pushed)]
    found = slip_finding({m.id: m for m in body}, made("L4-L5", "slip_mm", 5.0))
    assert found.certainty is certainty
    doubtful = certainty is Certainty.BORDERLINE
    assert (f"the posterior wall of {level} is pushed back" in found.statement) is doubtful
    assert (f"{level}.retropulsion_mm" in found.evidence) is doubtful
