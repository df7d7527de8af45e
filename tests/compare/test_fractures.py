"""A vertebra's height: new, progressed, stable; and a loss that its own body does not bear out."""

from __future__ import annotations

import pytest

from spinemri.compare.comparison import Change, Verdict
from spinemri.compare.fractures import fracture_changes


def change(name, baseline, later, mdc, unit):
    moved = later - baseline
    verdict = Verdict.STABLE if abs(moved) <= mdc else Verdict.INCREASED if moved > 0 else Verdict.DECREASED
    return Change(
        id=f"L1.{name}",
        name=name,
        place="L1",
        baseline=baseline,
        later=later,
        change=moved,
        unit=unit,
        mdc=mdc,
        verdict=verdict,
    )


def judged(losses, heights):
    both = change("height_loss_pct", *losses, 12.0, "%"), change("anterior_height", *heights, 1.0, "mm")
    return fracture_changes(both)


@pytest.mark.parametrize(
    ("losses", "heights", "verdict"),
    [
        ((3.0, 28.0), (25.0, 19.0), Verdict.NEW),
        ((22.0, 47.0), (19.5, 13.2), Verdict.PROGRESSED),
        ((3.0, 18.0), (25.0, 21.0), Verdict.PROGRESSED),
        ((22.0, 31.0), (19.5, 17.5), Verdict.STABLE),
        ((31.0, 10.0), (17.0, 22.5), Verdict.DECREASED),
    ],
)
def test_height_that_was_lost(losses, heights, verdict):
    (found,) = judged(losses, heights)
    assert found.verdict is verdict


def test_a_loss_without_a_fall_of_the_bodys_own_height_is_not_called():
    (found,) = judged((3.0, 28.0), (25.0, 24.6))
    assert found.verdict is Verdict.STABLE
    assert "fell by 2 % only" in found.reason


def test_a_sound_body_that_stays_sound_is_not_listed():
    assert judged((3.0, 9.0), (25.0, 24.0)) == ()
