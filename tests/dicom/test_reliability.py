"""The page on reliability: its public files come out right, its checks see what is wrong, its numbers are current."""

from __future__ import annotations

import re
import runpy
from dataclasses import replace
from pathlib import Path

import pytest

from spinemri.dicom.load import load
from spinemri.dicom.scan import scan
from tests.dicom.catalogue import CASES
from tests.dicom.series_builder import SeriesWriter, sagittal_geometry, unlike_voxels

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = runpy.run_path(str(ROOT / "docs" / "make_reliability.py"))
PAGE = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
GRID = sagittal_geometry()


def test_public_files_are_right_or_refused(shared):
    tried = SCRIPT["public_cases"](shared / "data")
    assert [one for one in tried if one.outcome not in {"right", "refused"}] == []
    assert sum(one.outcome == "right" for one in tried) >= 19
    assert all(one.said for one in tried if one.outcome == "refused")


@pytest.mark.parametrize("check", ["slices_of_pydicom", "slices_of_gdcm"])
def test_the_checks_see_a_wrong_voxel_and_a_wrong_place(check, tmp_path):
    SeriesWriter(tmp_path).classic(GRID, unlike_voxels(GRID))
    image = load(scan(tmp_path).studies[0].series[0])
    assert SCRIPT[check](image, tmp_path) == ""
    dimmed = image.voxels.copy()
    dimmed[2, 3, 4] += 1
    assert "pixels differ" in SCRIPT[check](replace(image, voxels=dimmed), tmp_path)
    assert "pixels differ" in SCRIPT[check](replace(image, voxels=image.voxels[::-1]), tmp_path)
    origin = tuple(image.geometry.to_patient((0, 0, 1)).tolist())
    shifted = replace(image, geometry=replace(image.geometry, origin=origin))
    assert "lies" in SCRIPT[check](shifted, tmp_path)


def test_the_page_is_that_of_the_catalogue():
    rows = dict(re.findall(r"^\| (the table|beyond the table) \| (\d+) \|", PAGE, re.MULTILINE))
    beyond = sum(case.number == 0 for case in CASES)
    assert rows == {"the table": str(len(CASES) - beyond), "beyond the table": str(beyond)}
    assert re.findall(r"^\| [\w -]+ \| \d+ \| \d+ \| \d+ \| (?!0 \| 0 \|$)", PAGE, re.MULTILINE) == []
