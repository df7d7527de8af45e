"""Stable within the minimal detectable change, changed beyond it; signals only of like acquisitions."""

from __future__ import annotations

import math
import re

import pytest

from spinemri.analysis import Analysis, Provenance, SeriesRecord
from spinemri.anatomy import Level, StructureKind
from spinemri.compare.comparison import Change, Verdict
from spinemri.compare.quantities import changes_of_places, compared
from spinemri.measurement import NEAR_SAC_END, Measurement, Status
from spinemri.norms import threshold
from spinemri.series import Contrast, Series
from spinemri.spine import Spine


def measured(name, value, half, unit="mm", low=None):
    interval = (value - half if low is None else low, value + half)
    return Measurement(
        id=f"L4.{name}",
        name=name,
        kind=StructureKind.VERTEBRAL_BODY,
        level=Level("L4"),
        value=value,
        unit=unit,
        interval=interval,
        series_uid="s",
    )


def analysis(**header):
    series = Series(series_uid="s", contrast=Contrast.T1W, **header)
    made = Provenance(software="spinemri", version="0", created="2024-01-01T00:00:00+00:00")
    return Analysis(
        patient="p", study="s", series=(SeriesRecord(series=series, used=True),), spine=Spine(), provenance=made
    )


def change(one, other, first=None, second=None):
    return compared(one, other, (first or analysis(), second or analysis()), "L4")


def test_the_detectable_change_is_that_of_both_intervals():
    found = change(measured("dural_sac_ap", 12.0, 0.6), measured("dural_sac_ap", 11.0, 0.8))
    assert found.mdc == pytest.approx(math.hypot(0.6, 0.8))
    assert (found.change, found.verdict) == (-1.0, Verdict.STABLE)
    beyond = change(measured("dural_sac_ap", 12.0, 0.6), measured("dural_sac_ap", 10.9, 0.8))
    assert beyond.verdict is Verdict.DECREASED


def test_an_interval_that_ends_at_zero_counts_by_its_longer_side():
    found = change(measured("cord_t2_length_mm", 0.0, 4.0, low=0.0), measured("cord_t2_length_mm", 5.0, 4.0))
    assert found.mdc == pytest.approx(math.hypot(4, 4))
    assert found.verdict is Verdict.STABLE


@pytest.mark.parametrize(("points", "verdict"), [(11.9, Verdict.STABLE), (12.1, Verdict.INCREASED)])
def test_a_height_loss_changes_by_more_than_readers_differ(points, verdict):
    ends = measured("height_loss_pct", 5.0, 1.0, "%"), measured("height_loss_pct", 5.0 + points, 1.0, "%")
    assert change(*ends).verdict is verdict


def test_what_one_date_lacks_is_not_comparable_because_of_its_reason():
    lacking = measured("dural_sac_ap", 12.0, 0.6).model_copy(
        update={"value": None, "interval": None, "status": Status.OUT_OF_FIELD, "reason": "the field ends above L4"}
    )
    found = change(measured("dural_sac_ap", 12.0, 0.6), lacking)
    assert (found.verdict, found.change, found.mdc) == (Verdict.NOT_COMPARABLE, None, None)
    assert found.reason == "at the later examination: the field ends above L4"


LIKE = {"field_strength_t": 1.5, "repetition_time_ms": 600.0, "echo_time_ms": 10.0}


@pytest.mark.parametrize(
    ("first", "second", "why"),
    [
        ({}, LIKE, "do not state"),
        (LIKE, {**LIKE, "field_strength_t": 3.0}, "field strength .* differs: 1.5 and 3"),
        (LIKE, {**LIKE, "echo_time_ms": 15.0}, "echo time"),
        (LIKE, {**LIKE, "repetition_time_ms": 640.0}, None),
    ],
)
def test_signals_are_compared_only_where_they_were_acquired_alike(first, second, why):
    ends = measured("marrow_t1_to_disc", 1.4, 0.14, "1"), measured("marrow_t1_to_disc", 0.7, 0.07, "1")
    found = change(*ends, analysis(**first), analysis(**second))
    if why is None:
        assert found.verdict is Verdict.DECREASED
        assert found.mdc == pytest.approx(0.28)
    else:
        assert found.verdict is Verdict.NOT_COMPARABLE
        assert re.search(why, found.reason)


def test_a_change_within_its_detectable_change_cannot_be_called_one():
    with pytest.raises(ValueError, match="within"):
        Change(id="x", name="x", place="L4", change=1.0, mdc=2.0, unit="mm", verdict=Verdict.INCREASED)
    with pytest.raises(ValueError, match="reason"):
        Change(id="x", name="x", place="L4", unit="mm", verdict=Verdict.NOT_COMPARABLE)


def two_days(one, other, names):
    days = [analysis().model_copy(update={"measurements": (m,)}) for m in (one, other)]
    return list(changes_of_places(*days, names))


def test_a_loss_is_compared_only_with_one_against_the_same_levels():
    loss = measured("dural_sac_compromise_pct", 2.0, 3.0, "%")
    before = loss.model_copy(update={"reference_levels": (Level("L3"), Level("L5"))})
    names = {Level(n): Level(n) for n in ("L3", "L4", "L5")}
    later = before.model_copy(update={"value": 30.0, "interval": (27.0, 33.0)})
    (same,) = two_days(before, later, names)
    assert same.verdict is Verdict.INCREASED
    (other,) = two_days(before, later.model_copy(update={"reference_levels": (Level("L5"),)}), names)
    assert other.verdict is Verdict.NOT_COMPARABLE
    assert other.reason == "compared with other levels: L3, L5 at the earlier, L5 at the later examination"
    moved = {level: Level(f"L{int(str(level)[1]) - 1}") for level in names}
    renamed = later.model_copy(update={"level": Level("L3"), "reference_levels": (Level("L2"), Level("L4"))})
    (followed,) = two_days(before, renamed, moved)
    assert followed.verdict is Verdict.INCREASED


@pytest.mark.parametrize("when", [0, 1])
@pytest.mark.parametrize("name", ["dural_sac_area", "dural_sac_compromise_pct"])
def test_the_sac_is_not_compared_where_it_tapers_to_its_end(name, when):
    first = measured(name, 100.0, 3.0, "mm2")
    days = [first, first.model_copy(update={"value": 50.0, "interval": (47.0, 53.0)})]
    (plain,) = two_days(*days, {Level("L4"): Level("L4")})
    assert plain.verdict is Verdict.DECREASED
    days[when] = days[when].model_copy(update={"flags": (NEAR_SAC_END,)})
    (found,) = two_days(*days, {Level("L4"): Level("L4")})
    assert found.verdict is Verdict.NOT_COMPARABLE
    assert found.reason == "within 25 mm of the lower end of the thecal sac, where it tapers"


def test_how_masks_repeat_is_in_the_detectable_change_and_named_as_its_source():
    first, second = measured("retropulsion_mm", 0.0, 0.7), measured("retropulsion_mm", 1.5, 0.7)
    found = change(first, second)
    assert found.mdc == pytest.approx(math.hypot(0.7, 0.7, *[1.96 * threshold("repeatability.retropulsion_mm")] * 2))
    assert found.verdict is Verdict.STABLE
    assert "how masks of one person repeat" in found.mdc_source
    assert "repeat" not in change(measured("dural_sac_ap", 12.0, 0.6), measured("dural_sac_ap", 11.0, 0.8)).mdc_source


@pytest.mark.parametrize(("lower", "verdict"), [("L5", Verdict.INCREASED), ("S1", Verdict.NOT_COMPARABLE)])
def test_a_slip_on_the_sacrum_is_not_compared(lower, verdict):
    upper = Level("L4" if lower == "L5" else "L5")
    slip = measured("slip_mm", 0.0, 1.0).model_copy(update={"level": upper, "lower": Level(lower)})
    names = {level: level for level in (upper, Level(lower))}
    (found,) = two_days(slip, slip.model_copy(update={"value": 6.0, "interval": (5.0, 7.0)}), names)
    assert found.verdict is verdict


@pytest.mark.parametrize(("mm", "verdict"), [(14.9, Verdict.STABLE), (15.1, Verdict.INCREASED)])
def test_a_lesion_is_longer_from_five_millimetres_on(mm, verdict):
    assert change(measured("lesion_diameter", 10.0, 0.5), measured("lesion_diameter", mm, 0.5)).verdict is verdict
