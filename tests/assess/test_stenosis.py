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


def test_statement_names_place_percent_reference_and_millimetres():
    found = narrowing_finding(diameter(8.23), compromise(38.0))
    assert found.statement == (
        "L4-L5: moderate narrowing of the thecal sac, 38 % (reference L3-L4, L5-S1); antero-posterior 8.2 mm "
        "(healthy canal: L1-L2 15.6, L5-S1 11.6 mm; Chatha et al. 2011 (n = 100))."
    )
    assert found.at_disc
    assert found.evidence == ("L4-L5.dural_sac_compromise_pct", "L4-L5.dural_sac_ap")


def test_small_diameter_alone_is_never_called_narrowing():
    found = narrowing_finding(diameter(8.0), compromise(2.0))
    assert found.certainty is Certainty.ABSENT
    assert found.grade == "none"
    assert "stenosis" not in found.statement


def test_one_sided_reference_and_mid_body_are_said():
    changed = compromise(20.0, flags=("one_sided_reference",), lower=None, reference_levels=(Level("L3"),))
    statement = narrowing_finding(diameter(11.0), changed).statement
    assert statement.startswith("L4 mid-body: mild narrowing of the thecal sac, 20 % (reference L3, one side only)")


def test_region_without_a_norm_says_so():
    thoracic = compromise(40.0, level=Level("T8"), lower=Level("T9"))
    assert "no accepted healthy range" in narrowing_finding({}, thoracic).statement


def test_place_that_could_not_be_measured():
    found = narrowing_finding(diameter(11.0), compromise(None))
    assert found.certainty is Certainty.NOT_ASSESSABLE
    assert found.grade == ""
    assert found.statement == (
        "L4-L5: narrowing of the thecal sac not assessable (antero-posterior 11.0 mm): no normal level."
    )
