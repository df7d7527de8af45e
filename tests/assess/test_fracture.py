from __future__ import annotations

import pytest

from spinemri.anatomy import Level, StructureKind
from spinemri.assess.fracture import genant_grade, grades_within_error, height_loss_certainty, height_loss_finding
from spinemri.finding import Certainty
from spinemri.measurement import Measurement, Status


def body(level="L1", ratio=0.9, status=Status.MEASURED, **losses):
    names = {"anterior": 0.0, "middle": 0.0, "posterior": 0.0} | losses
    values = {f"height_loss_{c}_pct": v for c, v in names.items()}
    values |= {"height_loss_pct": max(names.values()), "wedge_ratio": ratio, "anterior_height": 20.0}
    measured = status is Status.MEASURED
    made = [
        Measurement(
            id=f"{level}.{name}",
            name=name,
            kind=StructureKind.VERTEBRAL_BODY,
            level=Level(level),
            value=value if measured else None,
            unit="%",
            reference_levels=(Level("T12"), Level("L2")) if "loss" in name else (),
            status=status,
            reason="" if measured else "the field of view cuts the body of L1",
        )
        for name, value in values.items()
    ]
    return {m.id: m for m in made}


def finding(**kwargs):
    measurements = body(**kwargs)
    return height_loss_finding(measurements, next(m for m in measurements.values() if m.name == "height_loss_pct"))


@pytest.mark.parametrize(
    ("loss", "grade"),
    [(0, 0), (19.99, 0), (20, 1), (24.99, 1), (25, 2), (40, 2), (40.01, 3), (100, 3), (-5, 0)],
)
def test_genant_grades_on_both_sides_of_each_limit(loss, grade):
    assert genant_grade(loss) == grade


@pytest.mark.parametrize(
    ("loss", "certainty"),
    [
        (14.99, Certainty.ABSENT),
        (15, Certainty.BORDERLINE),
        (19.99, Certainty.BORDERLINE),
        (24.49, Certainty.BORDERLINE),
        (24.51, Certainty.PRESENT),
        (60, Certainty.PRESENT),
    ],
)
def test_certainty_on_both_sides_of_each_limit(loss, certainty):
    assert height_loss_certainty(body(anterior=loss)["L1.height_loss_pct"]) is certainty


@pytest.mark.parametrize(("low", "certainty"), [(19.9, Certainty.BORDERLINE), (20.0, Certainty.PRESENT)])
def test_a_loss_whose_interval_reaches_below_fracture_level_is_borderline(low, certainty):
    """A neck whose healthy bodies differ by a quarter of their height shows no sure fracture of 29 %."""
    loss = body(anterior=29.0)["L1.height_loss_pct"].model_copy(update={"interval": (low, 38.0)})
    assert height_loss_certainty(loss) is certainty
    found = height_loss_finding({loss.id: loss}, loss)
    assert found.certainty is certainty
    assert ("borderline fracture-level" in found.statement) is (certainty is Certainty.BORDERLINE)


def test_a_loss_that_the_other_series_do_not_show_is_borderline():
    loss = body(anterior=50.0)["L1.height_loss_pct"].model_copy(update={"flags": ("series_differ",)})
    found = height_loss_finding({loss.id: loss}, loss)
    assert found.certainty is Certainty.BORDERLINE
    assert "the other series do not show it" in found.statement


@pytest.mark.parametrize(
    ("loss", "grades"),
    [(29.4, (1, 2)), (29.6, (2, 2)), (35.4, (2, 2)), (35.6, (2, 3)), (44.4, (2, 3)), (44.6, (3, 3)), (22, (0, 2))],
)
def test_grades_within_reader_error(loss, grades):
    assert grades_within_error(loss) == grades


@pytest.mark.parametrize(("column", "kind"), [("anterior", "wedge"), ("middle", "biconcave"), ("posterior", "crush")])
def test_type_is_named_after_the_column_that_lost_most(column, kind):
    found = finding(**{column: 33.0})
    assert found.cause == kind
    assert f"{kind} type" in found.statement
    assert f"({column}; reference T12, L2)" in found.statement


def test_statement_of_a_fracture():
    found = finding(anterior=35.2, ratio=0.62)
    assert found.statement.startswith(
        "L1: height loss 35 % (anterior; reference T12, L2), fracture-level deformity, "
        "Genant-equivalent grade 2, wedge type."
    )
    assert "4.5 SD below the mean of 0.89" in found.statement
    assert found.grade == "2"
    assert found.certainty is Certainty.PRESENT
    assert found.evidence[0] == "L1.height_loss_pct"
    assert "L1.wedge_ratio" in found.evidence
    assert "Genant" in found.source
    assert "mimics" in found.rule


def test_statement_says_borderline_where_the_certainty_does():
    near, sure = finding(anterior=22.0), finding(anterior=27.0)
    assert near.certainty is Certainty.BORDERLINE
    assert (
        "borderline fracture-level deformity, Genant-equivalent grade 1 (0 to 2 within reader error)" in near.statement
    )
    assert sure.certainty is Certainty.PRESENT
    assert ", fracture-level deformity, Genant-equivalent grade 2 (1 to 2 within reader error)" in sure.statement


def test_statement_of_a_normal_and_an_equivocal_body():
    assert finding(anterior=3.0).statement == "L1: no relevant height loss (3 %, anterior; reference T12, L2)."
    assert finding(anterior=-3.0, middle=-2.0, posterior=-4.0).statement.startswith("L1: no relevant height loss (0 %")
    assert finding(anterior=3.0).cause == ""
    assert "equivocal" in finding(anterior=17.0).statement


@pytest.mark.parametrize(("ratio", "noted"), [(0.89 - 0.119, False), (0.89 - 0.121, True), (1.15, False)])
def test_wedge_note_from_two_standard_deviations_on(ratio, noted):
    assert ("SD" in finding(ratio=ratio).statement) is noted


def test_no_wedge_note_where_no_norm_was_published():
    assert "SD" not in finding(level="L4", ratio=0.5).statement


def test_body_that_could_not_be_measured():
    found = finding(status=Status.OUT_OF_FIELD)
    assert found.certainty is Certainty.NOT_ASSESSABLE
    assert "out of the field of view" in found.statement
    assert "cuts the body" in found.statement
