"""Narrowing of a foramen: never from one number alone, and what narrows it."""

from __future__ import annotations

from itertools import product

import pytest

from spinemri.anatomy import Level, StructureKind
from spinemri.assess.cause import foraminal_causes
from spinemri.assess.foramen import foraminal_finding
from spinemri.assess.study import RULES, assess
from spinemri.finding import Certainty
from spinemri.measurement import Measurement, Status

PRESENT, BORDERLINE, ABSENT = Certainty.PRESENT, Certainty.BORDERLINE, Certainty.ABSENT


def made(name, value, *, sd=0.001, levels=("L4", "L5"), id_="", **changes):
    place = "-".join(levels)
    upper, *lower = (Level(v) for v in levels)
    return Measurement(
        id=id_ or f"{place}.{name}",
        name=name,
        kind=StructureKind.DISC,
        level=upper,
        lower=lower[0] if lower else None,
        value=value,
        unit="1",
        interval=None if value is None else (value - 1.96 * sd, value + 1.96 * sd),
        status=Status.MEASURED if value is not None else Status.NOT_ASSESSABLE,
        reason="" if value is not None else "one slice crosses the foramen",
        **changes,
    )


def foramen(height, ap, fat, *others, side="right", **options):
    """The finding of one foramen of L4-L5 from its three criteria."""
    values = {"foraminal_height": height, "foraminal_ap": ap, "perineural_fat_fraction": fat}
    measured = [made(f"{name}_{side}", value, **options) for name, value in values.items()]
    return foraminal_finding({m.id: m for m in (*measured, *others)}, measured[0])


CASES = [  # height, AP, share of fat
    ((18.0, 6.0, 0.35), ABSENT, "none"),
    ((15.1, 3.1, 0.21), ABSENT, "none"),
    ((14.9, 6.0, 0.35), BORDERLINE, "mild"),
    ((18.0, 2.9, 0.35), BORDERLINE, "mild"),
    ((18.0, 6.0, 0.19), ABSENT, "none"),
    ((18.0, 6.0, 0.09), ABSENT, "none"),
    ((18.0, 6.0, 0.07), BORDERLINE, "moderate"),
    ((14.9, 2.9, 0.35), PRESENT, "mild"),
    ((14.9, 6.0, 0.19), PRESENT, "moderate"),
    ((18.0, 2.9, 0.19), PRESENT, "moderate"),
    ((14.9, 6.0, 0.09), PRESENT, "moderate"),
    ((14.9, 6.0, 0.07), PRESENT, "severe"),
    ((12.0, 2.0, 0.02), PRESENT, "severe"),
    ((14.9, 2.9, None), BORDERLINE, "mild"),
    ((12.0, 1.0, None), BORDERLINE, "mild"),
    ((15.1, 2.9, None), BORDERLINE, "mild"),
    ((15.1, 3.1, None), ABSENT, "none"),
    ((14.9, None, 0.07), PRESENT, "severe"),
]


@pytest.mark.parametrize(("values", "certainty", "grade"), CASES)
def test_category_on_both_sides_of_each_limit(values, certainty, grade):
    found = foramen(*values)
    assert (found.certainty, found.grade) == (certainty, grade)


@pytest.mark.parametrize("sd", [0.001, 0.8, 3.0])
def test_grade_certainty_and_statement_agree_and_one_criterion_is_never_enough(sd):
    for height, ap, fat in product((12.0, 15.0, 18.0), (2.0, 3.0, 6.0, None), (0.02, 0.15, 0.2, 0.4, None)):
        if ap is None and fat is None:
            continue
        found = foramen(height, ap, fat, sd=sd)
        speaking = (height <= 15) + (ap is not None and ap < 3) + (fat is not None and fat < 0.2)
        assert (found.grade == "none") is (found.certainty is ABSENT) is ("no narrowing" in found.statement)
        assert ("perhaps" in found.statement) is (found.certainty is BORDERLINE)
        little_fat_alone = speaking == 1 and fat is not None and 0.08 <= fat < 0.2
        assert ("fat was not seen" in found.statement) is (fat is None and speaking > 0)
        assert fat is not None or found.certainty is not PRESENT
        assert (found.certainty is ABSENT) is (speaking == 0 or little_fat_alone)
        assert speaking >= 2 or found.certainty is not PRESENT


@pytest.mark.parametrize(("sd", "certainty"), [(0.4, PRESENT), (0.6, BORDERLINE)])
def test_an_interval_that_reaches_its_limit_does_not_count_in_full(sd, certainty):
    found = foramen(14.0, 2.0, 0.4, sd=sd)
    assert found.certainty is certainty
    assert found.grade == "mild"


def test_side_levels_evidence_and_words():
    found = foramen(13.2, 2.14, 0.04)
    assert found.id == "L4-L5.foraminal_narrowing_right"
    assert (found.kind, found.side, found.at_disc) == ("foraminal_narrowing", "right", True)
    assert found.levels == (Level("L4"), Level("L5"))
    assert found.statement == (
        "L4-L5 right: severe narrowing of the neural foramen; perineural fat lost (4 % of its area), height 13.2 mm, "
        "antero-posterior 2.1 mm; narrowed by ligament or joints."
    )
    assert found.evidence == tuple(
        f"L4-L5.{n}_right" for n in ("foraminal_height", "foraminal_ap", "perineural_fat_fraction")
    )
    left = foramen(18.0, 6.0, None, side="left")
    assert left.id.endswith("_left")
    assert left.statement == (
        "L4-L5 left: no narrowing of the neural foramen; perineural fat not assessed, height 18.0 mm, "
        "antero-posterior 6.0 mm."
    )


@pytest.mark.parametrize(
    "values", [(None, None, None), (18.0, None, None), (12.0, None, None), (None, 2.0, None), (None, None, 0.02)]
)
def test_fewer_than_two_criteria_say_nothing(values):
    found = foramen(*values)
    assert found.certainty is Certainty.NOT_ASSESSABLE
    assert found.grade == ""
    assert found.cause == ""
    assert "not assessable: " in found.statement


def test_the_reason_is_told():
    assert foramen(None, None, None).statement == (
        "L4-L5 right: narrowing of the neural foramen not assessable: one slice crosses the foramen."
    )


def test_limits_of_lumbar_spines_do_not_grade_thoracic_foramina():
    found = foramen(12.0, 2.0, 0.02, levels=("T8", "T9"), flags=("thoracic_foramen",))
    assert found.certainty is Certainty.NOT_ASSESSABLE
    assert "no accepted limits for thoracic foramina" in found.statement


def lesion(name, value, *, level="L5", number=1, flags=()):
    return made(f"lesion_{name}", value, levels=(level,), id_=f"lesion-{number}.lesion_{name}", flags=flags)


@pytest.mark.parametrize(
    ("volume", "flag", "level", "named"),
    [
        (20.0, "side:right", "L5", True),
        (20.0, "side:both", "L4", True),
        (19.0, "side:right", "L5", False),
        (300.0, "side:left", "L5", False),
        (300.0, "side:right", "L3", False),
    ],
)
def test_tumour_narrows_the_foramen_that_it_reaches(volume, flag, level, named):
    flags = (flag, "kind:tumour-like")
    found = foramen(12.0, 2.0, 0.02, lesion("foraminal_volume", volume, level=level, flags=flags))
    assert (found.cause == "tumour in the foramen") is named
    assert ("lesion-1.lesion_foraminal_volume" in found.evidence) is named


@pytest.mark.parametrize(
    ("volume", "kind", "fat", "narrow"),
    [
        (20.0, "tumour-like", 0.15, True),
        (20.0, "tumour-like", None, True),
        (20.0, "tumour-like", 0.4, False),
        (19.0, "tumour-like", 0.15, False),
        (300.0, "fat", 0.15, False),
        (500.0, "tumour-like", 0.4, True),
        (499.0, "tumour-like", 0.4, False),
        (900.0, "fat", 0.4, False),
    ],
)
def test_a_foramen_of_usual_size_is_narrow_where_tumour_took_its_fat_or_is_large(volume, kind, fat, narrow):
    flags = ("side:right", f"kind:{kind}")
    found = foramen(22.0, 9.0, fat, lesion("foraminal_volume", volume, flags=flags))
    assert found.certainty is (Certainty.BORDERLINE if narrow else Certainty.ABSENT)
    assert found.grade == ("mild" if narrow else "none")
    assert ("tumour in the foramen" in found.statement) is narrow


@pytest.mark.parametrize(
    ("volume", "side", "levels", "said"),
    [
        (500.0, "right", ("L4", "L5"), True),
        (500.0, "both", ("L4", "L5"), True),
        (499.0, "right", ("L4", "L5"), False),
        (900.0, "left", ("L4", "L5"), False),
        (900.0, "right", ("C4", "C5"), False),
        (900.0, "right", ("T8", "T9"), False),
    ],
)
def test_a_foramen_full_of_tumour_is_perhaps_narrow_though_it_could_not_be_measured(volume, side, levels, said):
    height = made("foraminal_height_right", None, levels=levels)
    inside = lesion("foraminal_volume", volume, level=levels[0], flags=(f"side:{side}", "kind:tumour-like"))
    found = foraminal_finding({inside.id: inside, height.id: height}, height)
    assert height.reason in found.statement
    assert (found.certainty, found.grade) == ((BORDERLINE, "mild") if said else (Certainty.NOT_ASSESSABLE, ""))
    assert ("perhaps mild narrowing of the neural foramen; narrowed by tumour" in found.statement) is said
    assert (inside.id in found.evidence) is said


@pytest.mark.parametrize(
    ("bulge", "right", "left", "named"), [(1.1, 50, 0, True), (0.9, 50, 0, False), (3, 0, 50, False)]
)
def test_bone_that_a_lesion_of_this_pedicle_expands(bulge, right, left, named):
    parts = {"expansion": bulge, "pedicle_right": right, "pedicle_left": left}
    found = foramen(12.0, 6.0, 0.02, *(lesion(name, value) for name, value in parts.items()))
    assert (found.cause == "bone expansion") is named


@pytest.mark.parametrize(
    ("name", "limit", "above", "cause"),
    [
        ("disc_bulge_mm", 1.0, True, "disc"),
        ("slip_mm", 3.0, True, "slip"),
        ("posterior_disc_height", 4.0, False, "loss of disc height"),
    ],
)
def test_causes_on_both_sides_of_each_limit(name, limit, above, cause):
    for step in (-0.05, 0.05):
        one = made(name, limit + step)
        found = foraminal_causes({one.id: one}, made("foraminal_height_left", 12.0), "left")
        assert found == (((cause, one.id),) if (step > 0) is above else ())


@pytest.mark.parametrize(("disc", "low"), [(4.0, True), (4.1, False), (None, False)])
def test_a_disc_that_is_low_behind_is_evidence_and_a_cause_but_makes_no_narrowing(disc, low):
    behind = made("posterior_disc_height", disc)
    found = foramen(14.9, 2.9, 0.05, behind)
    assert (behind.id in found.evidence) is low
    assert ("posterior disc height 4.0 mm" in found.statement) is low
    assert (found.cause == "loss of disc height") is low
    assert (found.certainty, found.grade) == (PRESENT, "severe")
    wide = foramen(18.0, 6.0, 0.4, behind)
    assert (wide.certainty, wide.cause) == (ABSENT, "")
    assert behind.id not in wide.evidence


def test_retropulsion_of_either_body_narrows():
    one = made("retropulsion_mm", 2.5, levels=("L5",))
    assert foramen(12.0, 6.0, 0.02, one).cause == "retropulsion"


def test_nothing_known_to_narrow_it_is_said_and_a_wide_one_has_no_cause():
    assert foramen(12.0, 6.0, 0.02).statement.endswith("; cause not determined.")
    assert foramen(18.0, 6.0, 0.35, made("disc_bulge_mm", 4.0)).cause == ""


def test_each_side_is_assessed_once():
    measured = [made(f"{name}_{side}", v) for side in ("left", "right") for name, v in
                (("foraminal_height", 13.0), ("foraminal_ap", 2.0), ("perineural_fat_fraction", 0.4))]  # fmt: skip
    found = assess(measured)
    assert [f.side for f in found] == ["left", "right"]
    assert {name for name, kind, _ in RULES if kind == "foraminal_narrowing"} == {
        "foraminal_height_left", "foraminal_height_right",
    }  # fmt: skip
