"""A bar is kept up to itself, by all its cases, never by a figure that is missing."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from spinemri.evaluate import tables
from spinemri.evaluate.bars import BARS, judge
from spinemri.evaluate.cases import ValidationCase, validation_cases
from spinemri.evaluate.instances import BodyCount
from spinemri.evaluate.landmarks import LevelCheck
from spinemri.evaluate.pictures import worst_cases
from spinemri.evaluate.real import CaseScore
from spinemri.evaluate.regions import RegionScore

CASE = ValidationCase("vb2", "19", "19", "T2w", "vertebral_body", "column", "L5", "a", "b", "", "")
WHOLE = BodyCount(labelled=7, once=7, double=0, missed=0, invented=0, misnamed=0)
GOOD = CaseScore(CASE, 0.95, 0.94, 0.96, 0.9, 0.91, 0.5, WHOLE)
BY_NAME = {(bar.sets[0], bar.name): bar for bar in BARS}
BODY = BY_NAME["vb2", "body Dice"]
SURFACE = BY_NAME["vb1", "surface distance of bodies, mm"]
ONCE = BY_NAME["vb1", "images with every labelled body found once, none invented, %"]
NAMED = BY_NAME["errsm_11", "C2 to T2 named right, worst, %"]


@pytest.mark.parametrize(
    ("dices", "kept", "aimed"),
    [([0.94], True, False), ([0.939], False, False), ([0.95, 0.93], True, False), ([0.955, 0.955], True, True)],
)
def test_a_mean_keeps_its_bar_up_to_itself(dices, kept, aimed):
    verdict = judge(BODY, [replace(GOOD, dice=value) for value in dices])
    assert (verdict.kept, verdict.aimed, verdict.cases) == (kept, aimed, len(dices))
    assert verdict.worst == min(dices)


def test_smaller_may_be_better():
    verdict = judge(SURFACE, [replace(GOOD, surface_mm=0.5), replace(GOOD, surface_mm=0.9)])
    assert verdict.kept
    assert not verdict.aimed
    assert verdict.worst == 0.9


def test_a_missing_figure_keeps_nothing():
    assert not judge(SURFACE, [GOOD, replace(GOOD, surface_mm=None)]).kept
    assert not judge(BODY, []).kept
    assert judge(BODY, []).value is None


def test_every_body_of_every_image_must_be_found_once():
    double = replace(WHOLE, once=6, double=1)
    assert judge(ONCE, [GOOD, GOOD]).kept
    assert judge(ONCE, [GOOD, replace(GOOD, bodies=double)]).value == 50
    assert not judge(ONCE, [GOOD, replace(GOOD, bodies=replace(WHOLE, invented=1))]).kept


def test_names_are_right_in_the_worst_of_the_cases():
    case = replace(CASE, set="errsm_11", structure="cord")
    right = LevelCheck({"C2": "C2", "T2": "T2"}, (), ())
    wrong = replace(right, named={"C2": "C2", "T2": "T1"})
    scores = [replace(GOOD, case=case, levels=levels) for levels in (right, wrong)]
    assert judge(NAMED, scores[:1]).kept
    assert judge(NAMED, scores).value == 0


def test_each_bar_is_about_cases_of_the_list():
    for bar in BARS:
        cases = [c for c in validation_cases() if c.set in bar.sets and c.structure == bar.structure]
        assert {case.set for case in cases} == set(bar.sets), bar.name
        assert set(bar.contrasts) <= {case.contrast for case in cases}, bar.name


def cells(table: str) -> list[list[str]]:
    return [re.split(r" \| ", line.strip("| ")) for line in table.splitlines()]


def test_the_tables_say_what_was_found():
    bad = replace(
        GOOD, case=replace(CASE, case="20"), dice=0.85, surface_mm=1.5,
        bodies=BodyCount(labelled=7, once=6, double=0, missed=1, invented=2, misnamed=3),
    )  # fmt: skip
    rows = cells(tables.bars_table([BODY, SURFACE], [GOOD, bad]))
    assert rows[2] == ["vb2", "body Dice", "2", "0.900", "0.850", "≥ 0.94", "**no**", "≥ 0.955", "**no**"]
    assert rows[3][3:7] == ["1.000", "1.500", "≤ 0.9", "**no**"]
    sets = cells(tables.sets_table([GOOD, bad]))
    assert sets[2][:5] == ["vb2", "T2w", "vertebral body", "2", "0.900"]
    assert "13 of 14, 2 invented, 3 misnamed" in sets[2]
    one = cells(tables.cases_table([bad]))[2]
    assert one[-1] == "1 missed; 2 invented; 3 misnamed"


def test_remarks_name_what_is_wrong():
    levels = LevelCheck({"C2": "C2", "T2": None}, ("C5", "C6"), ("L1",))
    said = tables.remarks(replace(GOOD, levels=levels, failure="refused"))
    assert said == "refused; T2 is called nothing; C5, C6 missing; L1 invented"


def test_regions_are_means_over_images():
    first = RegionScore("lumbar", "T1w", 0, {"vertebral_body": 0.9, "cord": 0.7}, 7, 7, 7)
    second = replace(first, seed=1, dice={"vertebral_body": 0.8}, found=6, named=5)
    rows = cells(tables.regions_table([first, second]))
    assert rows[2] == ["lumbar", "T1w", "2", "0.850", "0.700", "13 of 14", "12 of 14"]


def test_the_worst_images_come_first_each_once():
    other = replace(GOOD, case=replace(CASE, image="c"), dice=0.8)
    same = replace(GOOD, dice=0.5)
    assert [case.image for case in worst_cases([GOOD, other, same], 5)] == ["a", "c"]
    assert worst_cases([GOOD, other, same], 1) == [same.case]
