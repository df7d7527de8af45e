"""What failed quality checks mean for the marrow that was looked at."""

from __future__ import annotations

import pytest

from spinemri.anatomy import Level
from spinemri.assess.screen import failures, screened
from spinemri.lesion import MarrowScreen
from spinemri.quality import QualityCheck, SeriesQuality

L2, L3, L4 = (Level(name) for name in ("L2", "L3", "L4"))
SCREEN = MarrowScreen(assessed=(L2, L3), not_assessed=((L4, "cut"),), contrasts=("T1w",), detection_limit_mm=9.0)


def check(name: str, *levels: Level, passed: bool | None = False) -> QualityCheck:
    return QualityCheck(name=name, value=1.0, unit="1", limit=2.0, passed=passed, reason=f"{name} fails", levels=levels)


def quality(*checks: QualityCheck, uid: str = "1.2") -> SeriesQuality:
    return SeriesQuality(series_uid=uid, checks=checks)


def test_metal_hides_its_vertebrae_and_no_others():
    found = screened(SCREEN, [quality(check("metal", L3, Level("T1")))], ["1.2"])
    assert found.assessed == (L2,)
    assert found.not_assessed == ((L4, "cut"), (L3, "metal fails"))
    part = SCREEN.model_copy(update={"partly": (L2, L3)})
    assert screened(part, [quality(check("metal", L3))], ["1.2"]).partly == (L2,)
    assert found.detection_limit_mm == 9.0


@pytest.mark.parametrize("name", ["snr", "motion", "ghosting", "wrap", "fat_suppression", "motion_between_series"])
def test_a_dull_series_warns_and_states_no_detection_limit(name):
    found = screened(SCREEN, [quality(check(name))], ["1.2"])
    assert found.detection_limit_mm is None
    assert found.warnings == (f"{name} fails",)
    assert found.assessed == SCREEN.assessed


@pytest.mark.parametrize(
    ("series", "used"),
    [
        (quality(check("snr", passed=True)), ["1.2"]),
        (quality(check("snr", passed=None)), ["1.2"]),
        (quality(check("snr")), ["1.3"]),
        (quality(check("slice_gap")), ["1.2"]),
    ],
)
def test_what_passed_or_belongs_to_another_series_changes_nothing(series, used):
    assert screened(SCREEN, [series], used) == SCREEN


def test_failures_are_told_once_but_motion_between_series_with_the_alignment():
    told = failures([quality(check("snr"), check("wrap", passed=True)), quality(check("motion_between_series"))])
    assert told == ("snr fails",)
