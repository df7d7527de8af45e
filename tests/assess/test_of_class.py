from __future__ import annotations

import pytest

from spinemri.anatomy import Level, StructureKind
from spinemri.assess.of_class import KIND, depression_limit, of_class, of_class_finding, without_tumour
from spinemri.finding import Certainty
from spinemri.measurement import Measurement, Status

BODY = StructureKind.VERTEBRAL_BODY


def made(name, value, level="L1", interval=None, id_=None):
    return Measurement(
        id=id_ or f"{level}.{name}",
        name=name,
        kind=BODY,
        level=Level(level),
        value=value,
        unit="1",
        interval=interval,
        status=Status.NOT_ASSESSABLE if value is None else Status.MEASURED,
        reason="the posterior wall of L1 cannot be followed" if value is None else "",
    )


def study(*, loss=35.0, wall=0.1, upper=4.0, lower=1.0, level="L1", losses=(35.0, 15.0, 2.0), stir=None):
    rows = [
        made("height_loss_pct", loss, level),
        made("posterior_wall_fraction", wall, level, (wall - 0.04, wall + 0.04) if wall is not None else None),
        made("endplate_depression_superior_mm", upper, level, (upper - 0.6, upper + 0.6)),
        made("endplate_depression_inferior_mm", lower, level, (lower - 0.6, lower + 0.6)),
        made("middle_height", 22.0, level),
        *(
            made(f"height_loss_{c}_pct", v, level)
            for c, v in zip(("anterior", "middle", "posterior"), losses, strict=True)
        ),
    ]
    if stir is not None:
        rows.append(made("lesion_stir_to_marrow", stir, level, id_="lesion-1.lesion_stir_to_marrow"))
    return {m.id: m for m in rows}


def finding(**kwargs):
    measurements = study(**kwargs)
    wall = next(m for m in measurements.values() if m.name == "posterior_wall_fraction")
    return of_class_finding(measurements, wall)


@pytest.mark.parametrize(
    ("wall", "both", "collapsed", "grade"),
    [
        (0.0, False, False, "OF2"),
        (0.199, False, False, "OF2"),
        (0.2, False, False, "OF3"),
        (1.0, False, False, "OF3"),
        (0.0, True, False, "OF >= 4"),
        (0.0, False, True, "OF >= 4"),
    ],
)
def test_classes_on_both_sides_of_each_limit(wall, both, collapsed, grade):
    assert of_class(wall, both_endplates=both, collapsed=collapsed) == grade


@pytest.mark.parametrize(
    ("depth", "grade"), [(1.99, "OF2"), (2.01, "OF >= 4")], ids=["shallow lower endplate", "deep lower endplate"]
)
def test_both_endplates_make_class_four(depth, grade):
    assert finding(lower=depth).grade == grade


@pytest.mark.parametrize(("least", "grade"), [(39.9, "OF2"), (40.0, "OF >= 4")])
def test_collapse_is_severe_loss_of_every_column(least, grade):
    assert finding(loss=60.0, losses=(60.0, 50.0, least)).grade == grade


def test_a_small_body_needs_less_depth():
    small = {m.id: m for m in (made("middle_height", 12.0), made("height_loss_middle_pct", 20.0))}
    assert depression_limit(small, "L1") == pytest.approx(1.5)
    assert depression_limit(study(), "L1") == 2.0
    assert depression_limit({}, "L1") == 2.0


@pytest.mark.parametrize(("loss", "grade"), [(14.99, ""), (15.0, ""), (19.99, ""), (20.0, "OF2")])
def test_deformity_begins_at_fracture_level(loss, grade):
    assert finding(loss=loss).grade == grade


def test_class_five_is_never_inferred_and_never_excluded():
    severe = finding(lower=5.0)
    assert severe.certainty is Certainty.PRESENT
    assert severe.statement == (
        "L1: AO Spine-DGOU class candidate OF >= 4 (superior and inferior endplates, 10 % of the posterior wall); "
        "OF5 not excluded."
    )
    assert "OF5 (distraction, rotation, translation) is not assessed" in finding().statement


@pytest.mark.parametrize(
    ("kwargs", "certainty"),
    [
        ({}, Certainty.PRESENT),
        ({"wall": 0.161}, Certainty.BORDERLINE),
        ({"wall": 0.239}, Certainty.BORDERLINE),
        ({"wall": 0.241}, Certainty.PRESENT),
        ({"lower": 1.5}, Certainty.BORDERLINE),
        ({"lower": 2.5}, Certainty.BORDERLINE),
        ({"lower": 2.61}, Certainty.PRESENT),
        ({"loss": 24.4}, Certainty.BORDERLINE),
        ({"loss": 24.6}, Certainty.PRESENT),
    ],
)
def test_an_interval_that_reaches_the_limit_is_borderline(kwargs, certainty):
    assert finding(**kwargs).certainty is certainty


@pytest.mark.parametrize(
    ("stir", "upper", "grade", "certainty"),
    [
        (1.49, 1.0, "", Certainty.ABSENT),
        (1.5, 1.0, "OF1", Certainty.BORDERLINE),
        (1.5, 2.1, "OF2", Certainty.BORDERLINE),
        (None, 1.0, "", Certainty.NOT_ASSESSABLE),
    ],
)
def test_class_one_rests_on_stir(stir, upper, grade, certainty):
    found = finding(loss=3.0, upper=upper, stir=stir)
    assert (found.grade, found.certainty) == (grade, certainty)
    if stir is None:
        assert "OF1 not assessable without STIR oedema" in found.statement


@pytest.mark.parametrize(
    ("level", "classed"), [("C7", False), ("T1", True), ("L5", True), ("S1", False), ("V3", False)]
)
def test_only_thoracic_and_lumbar_bodies_are_classed(level, classed):
    assert (finding(level=level) is not None) is classed


def test_missing_measurements_are_told():
    wall = finding(wall=None)
    assert wall.certainty is Certainty.NOT_ASSESSABLE
    assert "cannot be followed" in wall.statement
    assert finding(loss=None).certainty is Certainty.NOT_ASSESSABLE


def test_a_body_with_a_lesion_that_may_be_tumour_is_not_classed():
    findings = (finding(), finding(level="L3"))
    kept = without_tumour(findings, [Level("L1")])
    assert [f.certainty for f in kept] == [Certainty.NOT_ASSESSABLE, Certainty.PRESENT]
    assert "tumour" in kept[0].statement
    assert kept[0].grade == ""
    assert without_tumour(findings, []) == findings
    assert all(f.kind == KIND and f.source and f.rule for f in kept)


@pytest.mark.parametrize("side", ["superior", "inferior"])
def test_an_endplate_that_was_not_measured_makes_a_class_borderline(side):
    measurements = study()
    del measurements[f"L1.endplate_depression_{side}_mm"]
    found = of_class_finding(measurements, measurements["L1.posterior_wall_fraction"])
    assert (finding().certainty, found.certainty) == (Certainty.PRESENT, Certainty.BORDERLINE)
