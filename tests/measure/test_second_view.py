"""What one series shows of a deformed body is held against the others."""

from __future__ import annotations

from dataclasses import replace

import pytest

from spinemri.anatomy import Level, Structure, StructureKind
from spinemri.measure import measure
from spinemri.measurement import SERIES_DIFFER
from tests.measure.phantom import lumbar

BROKEN = lumbar({"L1": 0.35})
WHOLE = lumbar()
LARGER = lumbar({"L1": 0.35}, size=1.12)
OTHER_GRID = WHOLE.grid((3.3, 0.7, 0.75), turn=(-4.0, -2.0, 3.0))
LOSS = "L1.height_loss_pct"


def measured(other=None):
    """Measurements of the broken spine, beside masks of another series."""
    spine = BROKEN.spine()
    both = tuple(v.model_copy(update={"seen_in": ("1.2.3", "1.2.4")}) for v in spine.vertebrae)
    segmentations = [BROKEN.segment(BROKEN.grid()), *([other] if other is not None else [])]
    return {m.id: m for m in measure(spine.model_copy(update={"vertebrae": both}), [], segmentations)}


def test_a_loss_that_the_other_series_shows_too_stays_as_it_is():
    alone, confirmed = measured()[LOSS], measured(BROKEN.segment(OTHER_GRID, "1.2.4"))[LOSS]
    assert confirmed == alone


def test_a_loss_that_the_other_series_does_not_show_is_flagged_and_its_interval_reaches_that_far():
    found = measured(WHOLE.segment(OTHER_GRID, "1.2.4"))
    alone = measured()
    for name in (LOSS, "L1.height_loss_anterior_pct"):
        assert SERIES_DIFFER in found[name].flags
        assert found[name].value == alone[name].value
        assert found[name].interval[0] == pytest.approx(0, abs=4)
        assert found[name].interval[1] == alone[name].interval[1]
    changed = {i for i, m in found.items() if m != alone[i]}
    assert changed == {LOSS, "L1.height_loss_anterior_pct"}


def test_a_series_that_draws_all_bodies_larger_shows_the_same_loss():
    found = measured(LARGER.segment(LARGER.grid((3.3, 0.7, 0.75), turn=(-4.0, -2.0, 3.0)), "1.2.4"))[LOSS]
    assert SERIES_DIFFER not in found.flags
    assert found.interval[0] > 25


def test_a_series_that_cuts_the_body_is_not_asked():
    other = WHOLE.segment(OTHER_GRID, "1.2.4")
    cut = frozenset({Structure(StructureKind.VERTEBRAL_BODY, Level("L1"))})
    assert measured(replace(other, cut=cut))[LOSS] == measured()[LOSS]
