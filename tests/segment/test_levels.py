"""Names follow from sacrum, C2, the looks of the bodies or the user; variants are legal and doubts are said."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from spinemri.anatomy import Level
from spinemri.errors import LevelError
from spinemri.segment.ladder import LADDER, RUNG
from spinemri.segment.landmarks import Landmarks
from spinemri.segment.levels import LEAST_EXPECTED_SHARE, Anchor, count_from, name_levels, unsure_names
from spinemri.spine import LevelAssignment, LevelBasis


def names(slots, landmarks=None, anchor=None):
    assignments, warnings = name_levels(slots, landmarks or Landmarks(), anchor)
    return [a.level.name for a in assignments], assignments, warnings


def test_counted_from_the_sacrum_upwards():
    found, assignments, warnings = names(range(9), Landmarks(s1=(8, 0.9)))
    assert found == ["T10", "T11", "T12", "L1", "L2", "L3", "L4", "L5", "S1"]
    assert {a.basis for a in assignments} == {LevelBasis.FROM_SACRUM}
    confidence = [a.confidence for a in assignments]
    assert all(above < below + 0.002 for above, below in pairwise(confidence))
    assert LEAST_EXPECTED_SHARE < confidence[0] < confidence[-1] < 0.99
    assert warnings == ()


def test_what_the_field_cuts_may_be_l5_as_well_as_s1():
    whole, cut = Landmarks(s1=(6, 0.9)), Landmarks(s1=(6, 0.9), foot_cut=True)
    assert names(range(7), whole)[0][-1] == "S1"
    found, _, warnings = names(range(7), cut)
    assert found[-1] == "V7"
    assert any("field of view ends in the lowest vertebra" in w for w in warnings)


@pytest.mark.parametrize(("level", "above"), [("L5", "L4"), ("S1", "L5")])
def test_what_surrounds_a_cut_vertebra_tells_l5_from_s1(level, above):
    looks = np.zeros((7, len(LADDER)))
    looks[-1, [RUNG[Level("L5")], RUNG[Level("L6")], RUNG[Level("S1")]]] = -9.0
    looks[-1, RUNG[Level(level)]] = 0.0
    looks[-2, RUNG[Level(above)]] = 5.0
    assignments, _ = name_levels(range(7), Landmarks(s1=(6, 0.9), foot_cut=True), looks=looks)
    assert assignments[-1].level == Level(level)


def test_s1_that_has_no_body_speaks_for_the_one_above_it():
    found, assignments, warnings = names(range(7), Landmarks(s1=(7, 0.95), foot_cut=True))
    assert found == ["T11", "T12", "L1", "L2", "L3", "L4", "L5"]
    assert {a.basis for a in assignments} == {LevelBasis.FROM_SACRUM}
    assert warnings == ()


def test_counted_from_c2_downwards():
    found, assignments, _ = names(range(8), Landmarks(c2=(0, 0.85)))
    assert found == ["C2", "C3", "C4", "C5", "C6", "C7", "T1", "T2"]
    assert assignments[0].basis is LevelBasis.FROM_C2


def test_nothing_to_anchor_gives_relative_names():
    found, assignments, warnings = names([2, 3, 5])
    assert found == ["V1", "V2", "V4"]
    assert {a.confidence for a in assignments} == {0.0}
    assert any("V1" in w for w in warnings)


def test_a_missed_body_is_counted_and_lowers_the_confidence():
    found, assignments, warnings = names([0, 1, 3, 4], Landmarks(s1=(4, 0.9)))
    assert found == ["L2", "L3", "L5", "S1"]
    _, complete, _ = names(range(5), Landmarks(s1=(4, 0.9)))
    assert assignments[0].confidence < complete[0].confidence
    assert any("1 vertebral bodies" in w for w in warnings)


def test_irregular_spacing_lowers_the_confidence():
    _, regular, _ = names(range(4), Landmarks(s1=(3, 0.9)))
    _, irregular, _ = names(range(4), Landmarks(s1=(3, 0.9), regular=False))
    assert all(b.confidence < a.confidence for a, b in zip(regular[:-1], irregular[:-1], strict=True))


def test_neck_and_sacrum_that_agree_are_the_surest():
    found, assignments, warnings = names(range(24), Landmarks(c2=(0, 0.7), s1=(23, 0.8)))
    assert (found[0], found[18], found[22], found[23]) == ("C2", "L1", "L5", "S1")
    assert assignments[0].confidence > 0.85
    assert warnings == ()


def test_one_vertebra_more_between_neck_and_sacrum_is_l6_with_less_certainty():
    found, extra, warnings = names(range(25), Landmarks(c2=(0, 0.94), s1=(24, 0.9)))
    assert (found[0], found[-4:]) == ("C2", ["L4", "L5", "L6", "S1"])
    assert any("numbering variant (L6 named)" in w for w in warnings)
    _, usual, _ = names(range(24), Landmarks(c2=(0, 0.94), s1=(23, 0.9)))
    assert usual[-2].confidence > 0.95
    assert extra[-2].confidence < 0.7


def test_one_vertebra_less_is_not_named_because_t12_l5_or_a_miscount_may_be_why():
    found, _, warnings = names(range(23), Landmarks(c2=(0, 0.94), s1=(22, 0.9)))
    assert found[0] == "V1"
    assert any("do not agree" in w for w in warnings)


def said(*series: dict[str, float]) -> tuple[str, ...]:
    basis = LevelBasis.FROM_C2
    return unsure_names(
        [LevelAssignment(level=Level(n), basis=basis, confidence=sure) for n, sure in names.items()] for names in series
    )


def test_names_that_are_less_sure_than_names_should_be_are_told_in_one_run():
    found = said({"T10": 0.95, "T11": 0.7, "T12": 0.28, "T13": 0.61, "L1": 0.8, "L2": 0.79})
    assert found == (
        "the names T11 to T13 are only 28 to 70 % sure: they may be one level off",
        "the name L2 is only 79 % sure: it may be one level off",
    )


def test_a_name_that_another_series_is_sure_of_is_not_told_nor_is_a_relative_one():
    assert said({"L1": 0.4, "L2": 0.9}, {"L1": 0.85}) == ()
    assert said({"V1": 0.0, "V2": 0.0}) == ()
    assert said({"L1": 0.4}, {"L1": 0.5}) == ("the name L1 is only 50 % sure: it may be one level off",)


def test_a_sacrum_just_below_the_neck_gives_no_names():
    found, assignments, warnings = names(range(9), Landmarks(c2=(0, 0.6), s1=(8, 0.5)))
    assert found[0] == "V1"
    assert {a.confidence for a in assignments} == {0.0}
    assert any("the sacrum and C2 and what the bodies look like do not agree" in w for w in warnings)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("L5=2", ["L2", "L3", "L4", "L5", "S1"]),
        ("l4=1", ["T12", "L1", "L2", "L3", "L4"]),
        ("L6=2", ["L3", "L4", "L5", "L6", "S1"]),
        ("T13=3", ["T11", "T12", "T13", "L1", "L2"]),
        ("Th11=4", ["T10", "T11", "T12", "L1", "L2"]),
    ],
)
def test_the_user_counts_bodies_from_the_bottom_and_overrules_the_image(text, expected):
    found, assignments, _ = names(range(5), Landmarks(s1=(4, 0.9)), Anchor.parse(text))
    assert found == expected
    assert {a.basis for a in assignments} == {LevelBasis.USER}
    assert {a.confidence for a in assignments} == {1.0}


@pytest.mark.parametrize("text", ["L5", "L5=0", "L9=2", "=2", "V3=2", "L5=two", "5=L5", ""])
def test_an_anchor_that_makes_no_sense_is_refused(text):
    with pytest.raises(LevelError):
        Anchor.parse(text)


@pytest.mark.parametrize("text", ["L5=9", "C2=1"])
def test_an_anchor_that_does_not_fit_the_picture_is_refused(text):
    with pytest.raises(LevelError, match="bodies were found"):
        name_levels(range(5), Landmarks(), Anchor.parse(text))


def test_a_count_that_would_pass_c1_or_s5_never_crashes():
    assert names(range(40), Landmarks(s1=(39, 0.9)))[0][0] == "V1"
    assert names(range(10), Landmarks(s1=(3, 0.9)))[0][0] == "V1"
    assert names(range(8), Landmarks(s1=(3, 0.9)))[0] == ["L3", "L4", "L5", "S1", "S2", "S3", "S4", "S5"]
    assert names([])[0] == []


def test_counting_from_variants():
    assert [count_from(Level("L6"), n).name for n in (-2, -1, 0, 1, 2)] == ["L4", "L5", "L6", "S1", "S2"]
    assert [count_from(Level("T13"), n).name for n in (-1, 0, 1)] == ["T12", "T13", "L1"]
    assert count_from(Level("C1"), -1) is None
    assert count_from(Level("S5"), 1) is None
