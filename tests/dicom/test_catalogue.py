"""Every hard case comes out as expected, and ``docs/dicom.md`` tells each of them."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from spinemri.dicom.choose import choose_study
from spinemri.dicom.scan import scan
from spinemri.series import Contrast
from tests.dicom.catalogue import CASES, Verdict, judge

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "dicom.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| (\d+) \| (.+?) \| (.+?) \| (.+?) \|$", PAGE, re.MULTILINE)
COUNTS = Counter(case.number for case in CASES)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.number} {case.name}")
def test_a_hard_case_is_read_exactly_or_refused_with_its_reason(case, tmp_path):
    verdict, said = judge(case, tmp_path / "study")
    assert verdict is (Verdict.REFUSED if case.refused else Verdict.RIGHT), said


def test_a_wrong_voxel_a_wrong_place_and_silence_are_noticed(tmp_path):
    good = next(case for case in CASES if case.name == "oblique stack")

    def dimmed(folder):
        grid, voxels = good.make(folder)
        return grid, voxels - 1

    def misplaced(folder):
        grid, voxels = good.make(folder)
        return grid, voxels[::-1]

    for n, make in enumerate((dimmed, misplaced)):
        assert judge(type(good)(0, "", make), tmp_path / str(n))[0] is Verdict.WRONG
    assert judge(type(good)(0, "", good.make, refused="x"), tmp_path / "2")[0] is Verdict.WRONG
    assert judge(type(good)(0, "", good.make, warned="x"), tmp_path / "3")[0] is Verdict.WRONG
    assert judge(type(good)(0, "", lambda _: (_, _)), tmp_path / "4")[0] is Verdict.WRONG


@pytest.mark.parametrize(
    ("name", "contrast"),
    [
        ("STIR that is called T2", Contrast.STIR),
        ("description stripped", Contrast.STIR),
        ("T1-FLAIR is no STIR", Contrast.T1W),
        ("T1w after contrast agent", Contrast.T1W_POST),
    ],
)
def test_contrast_of_a_case_is_that_of_its_physics(name, contrast, tmp_path):
    next(case for case in CASES if case.name == name).make(tmp_path)
    (series,) = choose_study(scan(tmp_path))[0].series
    assert series.contrast is contrast


def test_names_of_cases_are_not_said_twice():
    assert len({(case.number, case.name) for case in CASES}) == len(CASES)


def test_the_page_has_a_row_for_each_of_the_forty_six():
    assert [int(number) for number, *_ in ROWS] == list(range(1, 47))


@pytest.mark.parametrize(("number", "case", "happens", "shown"), ROWS, ids=[row[0] for row in ROWS])
def test_a_row_names_what_shows_it(number, case, happens, shown):
    assert case
    assert len(happens) > 10
    stated = re.search(r"(\d+) in the catalogue", shown)
    assert (int(stated[1]) if stated else 0) == COUNTS[int(number)]
    tests = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", shown)
    assert stated or tests
    for path, name in tests:
        assert (ROOT / path).is_file(), path
        assert not name or f"def {name}(" in (ROOT / path).read_text(encoding="utf-8"), name


def test_the_page_says_how_many_cases_there_are_beyond_the_table():
    assert f"{COUNTS[0]} more cases" in PAGE
