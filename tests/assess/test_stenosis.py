from __future__ import annotations

import pytest

from spinemri.anatomy import Level, StructureKind
from spinemri.assess.stenosis import narrowing_finding, thirds_grade
from spinemri.finding import Certainty
from spinemri.measurement import Measurement, Status

AT = {"kind": StructureKind.THECAL_SAC, "level": Level("L4"), "lower": Level("L5")}


def compromise(value, sd=2.0, **changes):
    made = Measurement(
        id="L4-L5.dural_sac_compromise_pct",
        name="dural_sac_compromise_pct",
        value=value,
        unit="%",
        interval=None if value is None else (value - 2 * sd, value + 2 * sd),
        reference_levels=(Level("L3"), Level("L4"), Level("L5"), Level("S1")),
        status=Status.NOT_ASSESSABLE if value is None else Status.MEASURED,
        reason="no normal level" if value is None else "",
        **AT,
    )
    return made.model_copy(update=changes)


def area(value, sd=2.0, **changes):
    """The same place's loss of area."""
    name = "dural_sac_area_compromise_pct"
    made = compromise(value, sd, id=f"L4-L5.{name}", name=name, **changes)
    return {made.id: made}


def diameter(value):
    made = Measurement(id="L4-L5.dural_sac_ap", name="dural_sac_ap", value=value, unit="mm", **AT)
    return {made.id: made}


@pytest.mark.parametrize(
    ("value", "grade"),
    [(-4, "none"), (15, "none"), (15.1, "mild"), (33.3, "mild"), (33.4, "moderate"), (66.6, "moderate"),
     (66.7, "severe"), (100, "severe")],
)  # fmt: skip
def test_thirds_on_both_sides_of_each_limit(value, grade):
    assert thirds_grade(value) == grade


@pytest.mark.parametrize(
    ("value", "certainty"),
    [(10.9, Certainty.ABSENT), (15.0, Certainty.ABSENT), (15.1, Certainty.BORDERLINE), (18.9, Certainty.BORDERLINE),
     (19.1, Certainty.PRESENT)],
)  # fmt: skip
def test_borderline_above_the_limit_while_the_interval_reaches_it(value, certainty):
    assert narrowing_finding({}, compromise(value)).certainty is certainty


@pytest.mark.parametrize("value", [-8.0, 6.0, 14.9, 15.0, 15.2, 18.0, 25.0, 40.0, 80.0])
@pytest.mark.parametrize("sd", [0.5, 6.0])
def test_grade_certainty_and_statement_agree(value, sd):
    found = narrowing_finding(diameter(9.0), compromise(value, sd))
    assert (found.grade == "none") is (found.certainty is Certainty.ABSENT) is ("no narrowing" in found.statement)
    assert (found.certainty is Certainty.BORDERLINE) is ("borderline" in found.statement)


@pytest.mark.parametrize(
    ("value", "certainty"), [(12.0, Certainty.ABSENT), (30.0, Certainty.BORDERLINE), (40.0, Certainty.PRESENT)]
)
def test_mild_narrowing_where_the_sac_tapers_may_be_normal(value, certainty):
    found = narrowing_finding(diameter(9.0), compromise(value, flags=("one_sided_reference", "tapering_sac")))
    assert found.certainty is certainty
    assert ("taper" in found.statement) is ("taper" in found.cause) is (certainty is Certainty.BORDERLINE)


def test_statement_names_place_percent_of_what_reference_and_millimetres():
    found = narrowing_finding(diameter(8.23), compromise(38.0))
    assert found.statement == (
        "L4-L5: moderate narrowing of the thecal sac, 38 % of its antero-posterior diameter lost, its area could not "
        "be compared (reference L3-L4, L5-S1); antero-posterior 8.2 mm (healthy canal: L1-L2 15.6, L5-S1 11.6 mm; "
        "Chatha et al. 2011 (n = 100))."
    )
    assert found.at_disc
    assert found.evidence == ("L4-L5.dural_sac_compromise_pct", "L4-L5.dural_sac_ap")


def test_the_area_is_graded_where_it_was_compared_and_the_diameter_stands_beside_it():
    found = narrowing_finding({**diameter(8.23), **area(53.0)}, compromise(31.0))
    assert (found.grade, found.certainty) == ("moderate", Certainty.PRESENT)
    assert found.statement == (
        "L4-L5: moderate narrowing of the thecal sac, 53 % of its area lost (reference L3-L4, L5-S1); antero-posterior "
        "8.2 mm (healthy canal: L1-L2 15.6, L5-S1 11.6 mm; Chatha et al. 2011 (n = 100)), 31 % less than its reference."
    )
    assert found.evidence == (
        "L4-L5.dural_sac_area_compromise_pct", "L4-L5.dural_sac_compromise_pct", "L4-L5.dural_sac_ap"
    )  # fmt: skip


@pytest.mark.parametrize(
    ("by_area", "by_diameter", "graded"),
    [
        (14.9, 15.0, "none"),
        (70.0, 12.0, "severe"),
        (None, 40.0, "moderate"),
        (20.0, None, "mild"),
        (None, None, ""),
    ],
)
def test_area_before_diameter_whichever_has_a_value(by_area, by_diameter, graded):
    found = narrowing_finding({**diameter(9.0), **area(by_area)}, compromise(by_diameter))
    assert found.grade == graded
    assert ("area lost" in found.statement) is (by_area is not None)
    assert ("could not be compared" in found.statement) is (by_area is None and by_diameter is not None)
    lost = by_area is not None and (by_diameter or 0) > 15
    assert ("less than its reference" in found.statement) is lost
    assert len(set(found.evidence)) == len(found.evidence)


@pytest.mark.parametrize(
    ("on_axial", "by_area", "by_diameter", "grade", "certainty"),
    [
        (None, 14.9, 40.0, "moderate", Certainty.BORDERLINE),
        (None, 14.9, 15.0, "none", Certainty.ABSENT),
        (None, 15.1, 40.0, "mild", Certainty.BORDERLINE),
        (2.0, 14.9, 40.0, "none", Certainty.ABSENT),
        (70.0, 2.0, 2.0, "severe", Certainty.PRESENT),
    ],
)
def test_axial_area_decides_and_a_depth_lost_alone_is_borderline(on_axial, by_area, by_diameter, grade, certainty):
    axial = compromise(on_axial).model_copy(
        update={"id": "L4-L5.axial_sac_area_compromise_pct", "name": "axial_sac_area_compromise_pct"}
    )
    known = {**diameter(9.0), **area(by_area)} | ({axial.id: axial} if on_axial is not None else {})
    found = narrowing_finding(known, compromise(by_diameter))
    assert (found.grade, found.certainty) == (grade, certainty)
    assert ("its area is not less" in found.statement) is (grade == "moderate")
    assert ("on axial slices lost" in found.statement) is (on_axial is not None)


@pytest.mark.parametrize(("value", "certainty"), [(18.9, Certainty.BORDERLINE), (19.1, Certainty.PRESENT)])
def test_the_interval_that_counts_is_that_of_the_area(value, certainty):
    assert narrowing_finding(area(value), compromise(60.0, sd=0.1)).certainty is certainty


def test_the_taper_counts_for_the_area_too():
    found = narrowing_finding({**diameter(9.0), **area(30.0, flags=("tapering_sac",))}, compromise(5.0))
    assert found.certainty is Certainty.BORDERLINE
    assert found.cause == "perhaps the normal taper of the sac"


def test_small_diameter_alone_is_never_called_narrowing():
    found = narrowing_finding(diameter(8.0), compromise(2.0))
    assert found.certainty is Certainty.ABSENT
    assert found.grade == "none"
    assert "stenosis" not in found.statement


def test_one_sided_reference_and_mid_body_are_said():
    changed = compromise(20.0, flags=("one_sided_reference",), lower=None, reference_levels=(Level("L3"),))
    statement = narrowing_finding(diameter(11.0), changed).statement
    assert statement.startswith("L4 mid-body: mild narrowing of the thecal sac, 20 % of its antero-posterior diameter")
    assert "(reference L3, one side only)" in statement


def test_region_without_a_norm_says_so():
    thoracic = compromise(40.0, level=Level("T8"), lower=Level("T9"))
    size = diameter(8.0)["L4-L5.dural_sac_ap"].model_copy(update={"id": "T8-T9.dural_sac_ap"})
    assert "8.0 mm (no accepted healthy range" in narrowing_finding({size.id: size}, thoracic).statement


def test_without_millimetres_none_are_said():
    assert "antero-posterior" not in narrowing_finding(area(40.0), compromise(40.0)).statement


def test_place_that_could_not_be_measured():
    found = narrowing_finding(diameter(11.0), compromise(None))
    assert found.certainty is Certainty.NOT_ASSESSABLE
    assert found.grade == ""
    assert found.statement == (
        "L4-L5: narrowing of the thecal sac not assessable (antero-posterior 11.0 mm): no normal level."
    )


@pytest.mark.parametrize(("thin", "certainty"), [(15.0, Certainty.BORDERLINE), (15.1, Certainty.PRESENT)])
def test_lost_area_without_lost_diameter_is_doubtful(thin, certainty):
    found = narrowing_finding(area(45.0), compromise(thin))
    assert found.certainty is certainty
    assert ("width coarsely" in found.statement) is (certainty is Certainty.BORDERLINE)


def test_lost_area_is_as_sure_as_its_interval_where_the_diameter_was_not_compared():
    assert narrowing_finding(area(45.0), compromise(None)).certainty is Certainty.PRESENT


@pytest.mark.parametrize(
    ("level", "flags", "value", "certainty"),
    [
        ("T10", ("one_sided_reference",), 68.0, Certainty.NOT_ASSESSABLE),
        ("T10", ("one_sided_reference",), 15.0, Certainty.ABSENT),
        ("T10", (), 68.0, Certainty.PRESENT),
        ("L1", ("one_sided_reference",), 68.0, Certainty.PRESENT),
        ("C6", ("one_sided_reference",), 68.0, Certainty.PRESENT),
    ],
)
def test_a_thoracic_sac_is_not_judged_by_one_side_alone(level, flags, value, certainty):
    """Healthy sacs are narrower there than at T12 and in the neck."""
    lost = compromise(value, level=Level(level), lower=None, flags=flags, id=f"{level}.dural_sac_compromise_pct")
    found = narrowing_finding({}, lost)
    assert found.certainty is certainty
    assert (found.grade == "") is (certainty is Certainty.NOT_ASSESSABLE)
    assert ("where the healthy sac is wider" in found.statement) is (certainty is Certainty.NOT_ASSESSABLE)
