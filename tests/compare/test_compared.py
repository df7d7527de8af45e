"""What is called, and what is not, where every change is known by construction."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import spinemri
from spinemri.anatomy import Level
from spinemri.compare.comparison import Verdict
from spinemri.compare.curves import curves
from spinemri.compare.lesions import lesion_changes
from spinemri.evaluate.follow_up import Acquired, examined
from spinemri.norms import threshold
from spinemri.synthesis import morphometry as sizes
from tests.compare.conftest import BEFORE, DATES, ELSEWHERE, SEED


@pytest.fixture(scope="module")
def same(three):
    return three.comparison.steps[0]


@pytest.fixture(scope="module")
def changed(three):
    return three.comparison.steps[1]


def lesion(step, place):
    (found,) = [one for one in step.lesions if one.place == place]
    return found


def test_other_slices_pixels_posture_and_signals_are_no_change(same):
    compared = [change for change in same.changes if change.mdc is not None]
    called = [change.id for change in compared if change.verdict.called]
    assert len(compared) > 80
    assert len(called) <= 0.05 * len(compared), called
    assert [one.verdict for one in same.lesions] == [Verdict.STABLE, Verdict.STABLE]
    assert not [one for one in same.fractures if one.verdict.called]


def test_an_examination_has_not_changed_against_itself(baseline):
    comparison = spinemri.compare(baseline, baseline)
    (step,) = comparison.steps
    assert {change.change for change in step.changes if change.mdc is not None} == {0.0}
    assert all(match.overlap == 1.0 and match.turn_deg == 0.0 for match in step.matches if match.comparable)
    assert any("the same study" in text for text in comparison.warnings)


def test_a_lesion_of_thrice_the_volume_has_grown(changed):
    found = lesion(changed, "L2")
    volume, diameter = (changed.change(f"{found.id}.lesion_{name}") for name in ("volume", "diameter"))
    assert found.verdict is Verdict.GROWN
    assert volume.later / volume.baseline == pytest.approx((11.5 / 8.0) ** 3, rel=0.15)
    assert diameter.change == pytest.approx(2 * (11.5 - 8.0), abs=1.5)
    assert volume.change > volume.mdc > 0.2 * volume.later
    assert volume.evidence == ("lesion-1.lesion_volume", f"{found.later_ids[0]}.lesion_volume")


def test_a_lesion_that_appears_is_new_and_one_that_vanishes_is_gone(changed):
    new, gone = lesion(changed, "T12"), lesion(changed, "L4")
    assert (new.verdict, new.baseline_ids) == (Verdict.NEW, ())
    assert (gone.verdict, gone.later_ids) == (Verdict.GONE, ())
    size = changed.change(f"{new.id}.lesion_diameter")
    assert (size.baseline, size.change) == (None, None)
    assert size.later == pytest.approx(15.0, abs=1.5)


def test_a_body_that_lost_a_quarter_of_its_height_is_a_new_fracture(changed):
    (found,) = changed.fractures
    loss = changed.change("L1.height_loss_pct")
    assert (found.place, found.verdict) == ("L1", Verdict.NEW)
    assert loss.change == pytest.approx(27, abs=5)
    assert loss.mdc >= threshold("height_loss.detectable_change")
    assert "Buckens" in loss.mdc_source


def test_names_that_are_off_by_one_are_told_and_no_vertebra_is_compared_with_its_neighbour(baseline):
    misnamed = examined(SEED, BEFORE, replace(ELSEWHERE, misnamed=1))
    comparison = spinemri.compare(baseline, misnamed)
    (step,) = comparison.steps
    assert (step.naming.shift, step.naming.sure) == (1, True)
    assert any("one place lower" in text for text in comparison.warnings)
    pairs = {str(m.level): str(m.later_level) for m in step.matches if m.comparable}
    assert pairs["L3"] == "L4"
    assert pairs["T12"] == "L1"
    assert lesion(step, "L2").verdict is Verdict.STABLE
    assert not [one for one in step.fractures if one.verdict.called]
    s1 = next(m for m in step.matches if m.level == Level("S1"))
    assert not s1.comparable


def test_what_is_out_of_field_is_not_comparable(baseline):
    higher = Acquired(region=(sizes.T12 - 3, sizes.T12 + 1), rows=220, posture=1, look=4)
    (step,) = spinemri.compare(baseline, examined(SEED, BEFORE, higher)).steps
    l4 = next(m for m in step.matches if m.level == Level("L4"))
    assert (l4.comparable, l4.reason) == (False, "out of field at the later examination")
    found = lesion(step, "L4")
    assert found.verdict is Verdict.NOT_COMPARABLE
    assert "not shown" in found.reason
    assert not any(change.place == "L4" and change.verdict.called for change in step.changes)
    earlier = {str(m.later_level) for m in step.matches if m.reason == "out of field at the earlier examination"}
    assert "T9" in earlier


def with_marrow(case, **update):
    """The same case, of whose marrow something else is known."""
    marrow = case.analysis.marrow.model_copy(update=update)
    return replace(case, analysis=case.analysis.model_copy(update={"marrow": marrow}))


def verdicts(earlier, three):
    """Verdicts on the lesions of the changed examination against another earlier one."""
    return {one.place: one for one, _ in lesion_changes(earlier, three.cases[2], three.pairs[1])}


def test_marrow_that_nobody_read_says_nothing_of_a_lesion(three):
    unread = with_marrow(three.cases[0], assessed=(), not_assessed=((Level("T12"), "fat suppression failed there"),))
    found = verdicts(unread, three)["T12"]
    assert (found.verdict, found.reason) == (
        Verdict.NOT_COMPARABLE,
        "at the earlier examination: fat suppression failed there",
    )


def test_a_lesion_below_what_the_other_examination_shows_is_not_called_new(three):
    found = verdicts(with_marrow(three.cases[0], detection_limit_mm=20.0), three)["T12"]
    assert found.verdict is Verdict.NOT_COMPARABLE
    assert "20 mm" in found.reason


def test_without_a_known_limit_of_detection_nothing_is_called_new(three):
    found = verdicts(with_marrow(three.cases[0], detection_limit_mm=None), three)["T12"]
    assert found.verdict is Verdict.NOT_COMPARABLE
    assert "may have been missed" in found.reason


def test_a_lesion_beside_the_slices_of_the_other_examination_is_not_called_new(three):
    """The new lesion lies within 6 mm of the middle: no slice of a stack cut to its outer four reaches it."""
    (loaded,) = three.cases[0].sagittal()
    box = (slice(0, 4), slice(None), slice(None))
    image, masks = loaded[1], loaded[2]
    narrow = replace(image, voxels=image.voxels[box], geometry=image.geometry.part(box))
    cut = replace(three.cases[0], images=(narrow,), segmentations=(masks.part(box),))
    found = verdicts(cut, three)["T12"]
    assert found.verdict is Verdict.NOT_COMPARABLE
    assert "slices of the earlier examination do not reach it" in found.reason


def test_two_lesions_that_have_become_one_are_compared_by_their_common_volume(three):
    """The lesion of L2, cut in two across its middle in the earlier examination."""
    earlier = three.cases[0]
    (mask,) = earlier.lesion_masks
    (found,) = [one for one in earlier.analysis.lesions if one.level == Level("L2")]
    index = np.argwhere(mask.voxels == found.label)
    upper = index[index[:, 1] < np.median(index[:, 1])]
    voxels = mask.voxels.copy()
    voxels[tuple(upper.T)] = 9
    parted = replace(mask, voxels=voxels, structures={**mask.structures, 9: mask.structures[found.label]})
    whole = {m.id: m for m in earlier.analysis.measurements}["lesion-1.lesion_volume"]
    share = len(upper) / len(index)
    halves = [
        whole.model_copy(update={"id": f"{name}.lesion_volume", "value": whole.value * part})
        for name, part in (("lesion-1", 1 - share), ("lesion-9", share))
    ]
    kept = [m for m in earlier.analysis.measurements if m.id != whole.id]
    second = found.model_copy(update={"id": "lesion-9", "label": 9})
    update = {"lesions": (*earlier.analysis.lesions, second), "measurements": (*kept, *halves)}
    case = replace(earlier, analysis=earlier.analysis.model_copy(update=update), lesion_masks=(parted,))
    record, changes = next(one for one in lesion_changes(case, three.cases[2], three.pairs[1]) if one[0].place == "L2")
    assert sorted(record.baseline_ids) == ["lesion-1", "lesion-9"]
    assert len(record.later_ids) == 1
    assert changes[0].baseline == pytest.approx(whole.value)
    assert record.verdict is Verdict.GROWN


def test_three_dates_give_a_value_per_date_and_days_but_no_dates(three):
    comparison = three.comparison
    assert [one.days for one in comparison.examinations] == [0, 82, 235]
    assert [(step.earlier, step.later) for step in comparison.steps] == [(0, 1), (0, 2), (1, 2)]
    (loss,) = [t for t in comparison.trends if (t.name, t.place) == ("height_loss_pct", "L1")]
    assert loss.values[2] - loss.values[0] == pytest.approx(27, abs=5)
    assert loss.values[1] == pytest.approx(loss.values[0], abs=3)
    text = comparison.model_dump_json()
    assert not [day for day in DATES if day.isoformat() in text or day.strftime("%Y%m%d") in text]


def test_three_dates_give_curves_with_intervals_and_a_band(three):
    """The height of L1 falls below its band at the third date, which lies 235 days after the baseline."""
    drawn = {curve.title: curve for curve in curves(three.comparison)}
    loss = drawn["L1: loss of body height"]
    first, second, third = loss.points
    assert (second.x - first.x) / (third.x - first.x) == pytest.approx(82 / 235, abs=0.01)
    ys = [float(pair.split(",")[1]) for pair in loss.band.split()]
    upper, lower = ys[: len(ys) // 2], ys[len(ys) // 2 :][::-1]
    assert upper[1] < second.y < lower[1]
    assert third.y < upper[2], "more loss lies higher, outside of the band"
    assert all(point.high < point.y < point.low for point in loss.points)
    assert not [title for title in drawn if title.startswith("L3: loss of body height")]
