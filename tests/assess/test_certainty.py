"""A limit is reached with the whole interval, or only perhaps; whether the limit itself counts is said each time."""

from __future__ import annotations

import pytest

from spinemri.assess.certainty import reached
from spinemri.finding import Certainty
from spinemri.measurement import Status
from tests.assess.studies import at


@pytest.mark.parametrize(
    ("value", "low", "above", "certainty"),
    [
        (14.9, 12.0, False, Certainty.ABSENT),
        (15.0, 12.0, False, Certainty.BORDERLINE),
        (18.0, 14.9, False, Certainty.BORDERLINE),
        (18.0, 15.0, False, Certainty.PRESENT),
        (15.0, 12.0, True, Certainty.ABSENT),
        (18.0, 15.0, True, Certainty.BORDERLINE),
        (18.0, 15.1, True, Certainty.PRESENT),
    ],
)
def test_the_interval_has_to_reach_the_limit_too(value, low, above, certainty):
    found = at("L4", "height_loss_pct", value, interval=(low, 2 * value - low))
    assert reached(found, 15.0, above=above) is certainty


@pytest.mark.parametrize(("value", "certainty"), [(14.9, Certainty.ABSENT), (15.0, Certainty.PRESENT)])
def test_without_an_interval_the_value_decides(value, certainty):
    assert reached(at("L4", "height_loss_pct", value, interval=None), 15.0) is certainty


def test_without_a_value_nobody_can_say():
    missing = {"value": None, "status": Status.NOT_ASSESSABLE, "reason": "cut by the field of view"}
    assert reached(at("L4", "height_loss_pct", 20.0).model_copy(update=missing), 15.0) is Certainty.NOT_ASSESSABLE
