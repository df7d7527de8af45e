"""Lesions are counted by size and region; a count is no prognosis."""

from __future__ import annotations

import pytest

from spinemri.assess.counting import count_finding
from spinemri.finding import Certainty, Finding
from spinemri.lesion import MarrowChange as Kind
from tests.assess.studies import lesion, of_lesion, screen, study


@pytest.mark.parametrize(
    ("diameter", "said"),
    [
        (5.0, "1 (0 focal, above 5 mm, 1 of 5 mm or less)"),
        (5.1, "1 (1 focal, above 5 mm)"),
        (None, "1 (0 focal, above 5 mm, 1 of unknown size)"),
    ],
)
def test_a_lesion_is_focal_above_five_millimetres(diameter, said):
    found = count_finding(study(*of_lesion(diameter=diameter), lesions=(lesion(),)))
    assert found.statement.startswith(f"Tumour-like lesions: {said}; lumbosacral 1.")
    assert "no prognosis" in found.statement
    assert found.grade == "1"


def test_only_tumour_like_lesions_count_and_by_region():
    lesions = (
        lesion("T12", 1), lesion("L3", 2, z=-90.0), lesion("S1", 3, z=-200.0), lesion("L5", 4, Kind.MODIC_1, z=-150.0),
    )  # fmt: skip
    known = [m for n, v in enumerate(lesions, 1) for m in of_lesion(n, str(v.level))]
    found = count_finding(study(*known, lesions=lesions))
    assert found.grade == "3"
    assert "; thoracic 1, lumbosacral 2." in found.statement
    assert len(found.levels) == 3


@pytest.mark.parametrize(("probability", "certainty"), [(0.79, Certainty.BORDERLINE), (0.8, Certainty.PRESENT)])
def test_the_count_is_as_sure_as_its_surest_lesion(probability, certainty):
    assert count_finding(study(*of_lesion(), lesions=(lesion(probability=probability),))).certainty is certainty


def test_in_diffuse_change_lesions_cannot_be_counted():
    whole = Finding(id="diffuse_marrow", kind="diffuse_marrow", certainty=Certainty.PRESENT)
    found = count_finding(study(*of_lesion(), lesions=(lesion(),), findings=(whole,)))
    assert found.grade == "diffuse, not countable"
    assert "cannot be counted" in found.statement


def test_none_found_and_not_searched_are_two_things():
    assert count_finding(study()).certainty is Certainty.ABSENT
    assert count_finding(study(screen=screen())).certainty is Certainty.NOT_ASSESSABLE


@pytest.mark.parametrize(("searched", "said"), [(("L3",), "; lumbosacral 1."), (("T9", "L3"), "; thoracic 0, lum")])
def test_no_number_is_given_for_a_region_that_nobody_searched(searched, said):
    assert said in count_finding(study(*of_lesion(), lesions=(lesion(),), screen=screen(*searched))).statement
