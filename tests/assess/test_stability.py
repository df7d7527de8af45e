"""SINS against hand-made cases from its table: each component at both sides of its limits, and as an interval."""

from __future__ import annotations

import pytest

from spinemri.anatomy import Level
from spinemri.assess.sins import Source, alignment, bone_lesion, collapse, location, pain, posterolateral
from spinemri.assess.stability import sins, sins_category, sins_findings, sins_scores
from spinemri.clinical import Clinical
from spinemri.finding import Certainty
from spinemri.lesion import MarrowChange as Kind
from tests.assess.studies import at, lesion, loss, of_lesion, screen, slip, study

L3 = Level("L3")
BOTH = (slip("L2-L3", 0.4), slip("L3-L4", -0.6))
MIXED = {"pain": "mechanical", "bone_quality": "mixed"}
SAID = {"pain": "mechanical", "bone_quality": "lytic", "de_novo_deformity": "no"}


def points(component):
    return component.low, component.high, component.source


def own(*lesions):
    return lesions or (lesion(),)


# location

TABLE = {
    3: "C1 C2 C7 T1 T2 T11 T12 L1 L5 S1",
    2: "C3 C4 C5 C6 L2 L3 L4",
    1: "T3 T4 T5 T6 T7 T8 T9 T10",
    0: "S2 S3 S4 S5",
}


@pytest.mark.parametrize(("level", "expected"), [(v, n) for n, names in TABLE.items() for v in names.split()])
def test_location_is_that_of_the_table(level, expected):
    assert points(location(Level(level))) == (expected, expected, Source.MEASURED)


@pytest.mark.parametrize("level", ["T13", "L6", "V1", "V12"])
def test_transitional_and_relative_levels_have_no_row(level):
    assert points(location(Level(level))) == (0, 3, Source.UNKNOWN)


# what the clinician says


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("mechanical", (3, 3, Source.USER)),
        ("occasional_not_mechanical", (1, 1, Source.USER)),
        ("pain_free", (0, 0, Source.USER)),
        (None, (0, 3, Source.UNKNOWN)),
    ],
)
def test_pain_comes_from_the_clinician(said, expected):
    assert points(pain(Clinical(pain=said))) == expected


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("lytic", (2, 2, Source.USER)),
        ("mixed", (1, 1, Source.USER)),
        ("blastic", (0, 0, Source.USER)),
        (None, (0, 2, Source.UNKNOWN)),
    ],
)
def test_the_bone_lesion_comes_from_ct(said, expected):
    found = bone_lesion(Clinical(bone_quality=said), L3)
    assert points(found) == expected
    assert ("without a level, for the whole spine" in found.reason) is (said is not None)


def test_bone_quality_of_one_level_says_nothing_of_another():
    said = Clinical(bone_quality="lytic", bone_quality_levels=("L1",))
    assert points(bone_lesion(said, Level("L1"))) == (2, 2, Source.USER)
    assert bone_lesion(said, Level("L1")).reason == "lytic on CT, given by the user for L1"
    assert points(bone_lesion(said, L3)) == (0, 2, Source.UNKNOWN)
    assert bone_lesion(said, L3).reason == "needs CT; lytic was given by the user for L1"


# alignment


@pytest.mark.parametrize(
    ("slips", "said", "expected"),
    [
        ((), {}, (0, 4, Source.UNKNOWN)),
        ((slip("L2-L3", 0.4),), {}, (0, 4, Source.UNKNOWN)),
        ((slip("L2-L3", 2.9), slip("L3-L4", 0.0)), {"de_novo_deformity": "no"}, (0, 0, Source.USER)),
        ((slip("L2-L3", 3.1), slip("L3-L4", 0.0)), {"de_novo_deformity": "no"}, (4, 4, Source.MEASURED)),
        ((slip("L3-L4", -3.1),), {}, (4, 4, Source.MEASURED)),
        ((slip("L4-L5", 9.0), *BOTH), {"de_novo_deformity": "no"}, (0, 0, Source.USER)),
        (BOTH, {}, (0, 2, Source.UNKNOWN)),
        (BOTH, {"de_novo_deformity": "yes"}, (2, 2, Source.USER)),
        ((), {"de_novo_deformity": "yes"}, (2, 4, Source.UNKNOWN)),
        ((), {"new_translation": "yes"}, (4, 4, Source.USER)),
    ],
)
def test_alignment_needs_slips_on_both_sides_and_an_earlier_study(slips, said, expected):
    assert points(alignment(study(*slips, clinical=said), L3)) == expected


@pytest.mark.parametrize(
    ("slips", "said", "here", "elsewhere"),
    [
        (BOTH, {"de_novo_deformity": "yes"}, (2, 2, Source.USER), (0, 2, Source.UNKNOWN)),
        (BOTH, {"de_novo_deformity": "no"}, (0, 0, Source.USER), (0, 2, Source.UNKNOWN)),
        ((), {"de_novo_deformity": "yes"}, (2, 4, Source.UNKNOWN), (0, 4, Source.UNKNOWN)),
        (BOTH, {"new_translation": "yes"}, (4, 4, Source.USER), (0, 2, Source.UNKNOWN)),
        ((), {"new_translation": "yes"}, (4, 4, Source.USER), (0, 4, Source.UNKNOWN)),
    ],
)
def test_a_deformity_or_translation_of_one_level_says_nothing_of_another(slips, said, here, elsewhere):
    (key,) = said
    for level, expected in (("L3", here), ("L1", elsewhere)):
        found = alignment(study(*slips, clinical=said | {f"{key}_levels": (level,)}), L3)
        assert points(found) == expected
        assert ("given by the user for L3" in found.reason) is (level == "L3")


def test_a_deformity_without_a_level_is_said_to_be_taken_for_the_whole_spine():
    for slips in (BOTH, ()):
        found = alignment(study(*slips, clinical={"de_novo_deformity": "yes"}), L3)
        assert "new deformity, given by the user without a level, for the whole spine" in found.reason


def test_a_slip_within_its_error_leaves_alignment_open():
    unsure = at("L2-L3", "slip_mm", 3.2, "mm", interval=(2.4, 4.0))
    assert points(alignment(study(unsure, BOTH[1], clinical={"de_novo_deformity": "no"}), L3)) == (0, 4, Source.UNKNOWN)


@pytest.mark.parametrize(("value", "low"), [(1.9, 0), (2.1, 4)])
def test_cervical_vertebrae_slip_from_two_millimetres(value, low):
    found = alignment(study(slip("C4-C5", value), slip("C5-C6", 0.0)), Level("C5"))
    assert found.low == low


# collapse


@pytest.mark.parametrize(
    ("value", "share", "expected"),
    [
        (50.1, 20.0, (3, 3, Source.MEASURED)),
        (50.0, 20.0, (3, 3, Source.MEASURED)),  # the table leaves exactly half open: own choice
        (49.9, 20.0, (2, 2, Source.MEASURED)),
        (20.0, 20.0, (2, 2, Source.MEASURED)),
        (19.9, 20.0, (0, 2, Source.UNKNOWN)),
        (15.0, 60.0, (1, 2, Source.UNKNOWN)),
        (14.9, 50.0, (0, 0, Source.MEASURED)),
        (14.9, 50.1, (1, 1, Source.MEASURED)),
        (-2.0, 90.0, (1, 1, Source.MEASURED)),
        (5.0, None, (0, 1, Source.UNKNOWN)),
        (None, 60.0, (1, 3, Source.UNKNOWN)),
        (None, 20.0, (0, 3, Source.UNKNOWN)),
    ],
)
def test_collapse_at_both_sides_of_each_limit(value, share, expected):
    known = [] if value is None else [loss("L3", value)]
    evidence = study(*known, *of_lesion(body_share_pct=share), lesions=own())
    assert points(collapse(evidence, L3, own())) == expected


def test_the_shares_of_two_lesions_add_up():
    pair = (lesion(), lesion(number=2))
    evidence = study(loss("L3", 3.0), *of_lesion(body_share_pct=30.0), *of_lesion(2, body_share_pct=25.0), lesions=pair)
    assert points(collapse(evidence, L3, pair)) == (1, 1, Source.MEASURED)


def test_a_lesion_that_reaches_in_from_a_neighbour_has_an_unknown_share():
    wide = lesion("L2", levels=("L2", "L3"))
    evidence = study(loss("L3", 3.0), *of_lesion(level="L2", body_share_pct=80.0), lesions=(wide,))
    assert points(collapse(evidence, L3, (wide,))) == (0, 1, Source.UNKNOWN)
    assert points(posterolateral(evidence, L3, (wide,))) == (0, 3, Source.UNKNOWN)


# posterolateral elements


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        (59.9, 0.0, (0, 0, Source.MEASURED)),
        (60.0, 0.0, (1, 1, Source.MEASURED)),
        (0.0, 60.0, (1, 1, Source.MEASURED)),
        (60.0, 60.0, (3, 3, Source.MEASURED)),
        (60.0, None, (1, 3, Source.UNKNOWN)),
        (None, None, (0, 3, Source.UNKNOWN)),
    ],
)
def test_posterolateral_elements_of_one_side_or_both(left, right, expected):
    evidence = study(*of_lesion(pedicle_left=left, pedicle_right=right), lesions=own())
    assert points(posterolateral(evidence, L3, own())) == expected


def test_without_a_lesion_the_arch_is_free_only_where_somebody_looked():
    assert points(posterolateral(study(), L3, ())) == (0, 0, Source.MEASURED)
    assert points(posterolateral(study(screen=screen("L1")), L3, ())) == (0, 3, Source.UNKNOWN)


# the sum


@pytest.mark.parametrize(
    ("total", "category"),
    [
        (0, "stable"),
        (6, "stable"),
        (7, "potentially unstable"),
        (12, "potentially unstable"),
        (13, "unstable"),
        (18, "unstable"),
    ],
)
def test_categories_at_both_sides_of_their_limits(total, category):
    assert sins_category(total) == category


def test_a_new_translation_without_its_level_does_not_count_surely_where_no_slip_is():
    evidence = study(slip("L2-L3", 0.0), slip("L3-L4", 0.4), lesions=own(), clinical={"new_translation": "yes"})
    found = alignment(evidence, L3)
    assert (found.low, found.high, found.source) == (0, 4, Source.UNKNOWN)
    assert "without its level" in found.reason


@pytest.mark.parametrize(
    ("place", "said", "height", "arch", "expected"),
    [
        (("T5", "T6", "T7"), {"pain": "pain_free", "bone_quality": "blastic"}, 3.0, (0, 0), (1, "stable")),
        (("L2", "L3", "L4"), MIXED, 3.0, (0, 0), (6, "stable")),
        (("L2", "L3", "L4"), MIXED, 3.0, (80, 0), (7, "potentially unstable")),
        (("T12", "L1", "L2"), MIXED, 30.0, (80, 80), (12, "potentially unstable")),
        (("T12", "L1", "L2"), SAID, 30.0, (80, 80), (13, "unstable")),
        (("T12", "L1", "L2"), SAID | {"new_translation": "yes"}, 60.0, (80, 80), (18, "unstable")),
    ],
)  # fmt: skip
def test_whole_scores_against_cases_counted_by_hand(place, said, height, arch, expected):
    above, level, below = place
    total, category = expected
    slips = (slip(f"{above}-{level}", 0.0), slip(f"{level}-{below}", 9.0 if "new_translation" in said else 0.0))
    extent = of_lesion(level=level, pedicle_left=float(arch[0]), pedicle_right=float(arch[1]))
    found = lesion(level)
    evidence = study(
        loss(level, height), *slips, *extent, lesions=(found,), clinical={"de_novo_deformity": "no"} | said,
        screen=screen(level),
    )  # fmt: skip
    score = sins(evidence, Level(level))
    assert (score.low, score.high, score.category) == (total, total, category)
    assert score.grade == f"{total} of 18, {category}"


def test_an_interval_within_one_category_names_it_and_one_across_two_does_not():
    extent = (loss("L3", 30.0), *of_lesion(pedicle_left=80.0))
    inside = sins(study(*extent, *BOTH, lesions=own(), clinical={"pain": "mechanical"}), L3)
    assert (inside.low, inside.high) == (8, 12)
    assert inside.grade == "8-12 of 18, potentially unstable"
    across = sins(study(*extent, *BOTH, lesions=own()), L3)
    assert (across.low, across.high) == (5, 12)
    assert across.grade == "interval 5-12: category not determined"


def test_nothing_known_is_never_a_zero():
    unknown = sins(study(lesions=own(), screen=screen()), L3)
    assert (unknown.low, unknown.high) == (2, 17)
    assert {c.source for c in unknown.components[1:]} == {Source.UNKNOWN}
    assert all(c.reason for c in unknown.components)


def test_levels_with_a_tumour_like_lesion_and_fractures_of_cancer_patients_are_scored_the_highest_first():
    lesions = (lesion("L3"), lesion("L5", 2, Kind.FAT, z=-60.0))
    extent = (*of_lesion(), *of_lesion(2, "L5", t1_to_marrow=1.8, stir_to_marrow=0.4))
    losses = loss("L1", 55.0), loss("L2", 19.9), loss("L3", 3.0)
    healthy = study(*losses, *extent, lesions=lesions)
    assert [str(s.level) for s in sins_scores(healthy)] == ["L3"]
    evidence = study(*losses, *extent, lesions=lesions, clinical={"primary": "breast"})
    assert [str(s.level) for s in sins_scores(evidence)] == ["L1", "L3"]
    first, second = sins_findings(evidence)
    assert (first.id, second.id) == ("L1.sins", "L3.sins")
    assert "holds only if the fracture is neoplastic" in first.statement
    assert "neoplastic" not in second.statement
    assert "L1.height_loss_pct" in first.evidence
    assert first.certainty is Certainty.BORDERLINE


def test_a_stable_level_is_absent_and_an_unstable_one_present():
    calm = study(*BOTH, loss("L3", 3.0), *of_lesion(), lesions=own(), clinical=SAID | {"pain": "pain_free"})
    assert sins_findings(calm)[0].certainty is Certainty.ABSENT
    assert "surgical" not in sins_findings(calm)[0].statement
    worse = study(*BOTH, loss("L3", 55.0), *of_lesion(), lesions=own(), clinical=SAID)
    (found,) = sins_findings(worse)
    assert (found.grade, found.certainty) == ("10 of 18, potentially unstable", Certainty.PRESENT)
    assert "surgical consultation" in found.statement
    assert "Fisher" in found.source


def test_without_a_tumour_like_lesion_a_score_is_borderline_and_says_so():
    known = {"pain": "mechanical", "bone_quality": "lytic", "primary": "breast"}
    (found,) = sins_findings(study(*BOTH, loss("L3", 55.0), clinical=known))
    assert (found.grade, found.certainty) == ("10-12 of 18, potentially unstable", Certainty.BORDERLINE)
    assert "counts only if neoplastic" in found.cause


def test_without_any_level_to_score_it_says_whether_somebody_could_have_seen_one():
    (none,) = sins_findings(study(loss("L3", 3.0)))
    assert none.certainty is Certainty.ABSENT
    (unseen,) = sins_findings(study(loss("L3", 3.0), screen=screen()))
    assert unseen.certainty is Certainty.NOT_ASSESSABLE
    assert "marrow was not searched" in unseen.statement
    (unmeasured,) = sins_findings(study())
    assert "no height loss was measured" in unmeasured.statement


@pytest.mark.parametrize(("left", "right", "expected"), [(0.0, 0.0, (0, 3)), (90.0, 0.0, (1, 3)), (90.0, 90.0, (3, 3))])
def test_what_reaches_in_from_a_neighbour_never_lessens_the_points_of_a_levels_own_lesion(left, right, expected):
    pair = (lesion(), lesion("L4", 2, levels=("L3", "L4"), z=-30.0))
    extent = of_lesion(pedicle_left=left, pedicle_right=right) + of_lesion(2, "L4", pedicle_left=90.0)
    found = posterolateral(study(*extent, lesions=pair), L3, pair)
    assert (found.low, found.high) == expected
