"""Raised signal of the posterior ligaments: with a margin, in words that prove nothing, and not assessable without."""

from __future__ import annotations

import pytest

from spinemri.anatomy import StructureKind
from spinemri.assess import assess
from spinemri.assess.ligament import KIND, ligament_finding
from spinemri.finding import Certainty
from spinemri.measurement import Status
from tests.assess.studies import at

NAME = "posterior_ligament_ratio"


def ratio(value, half=0.2):
    return at("L2-L3", NAME, value, "1", kind=StructureKind.POSTERIOR_ELEMENTS, interval=(value - half, value + half))


MISSING = {"value": None, "interval": None, "status": Status.NOT_ASSESSABLE, "reason": "fat suppression failed there"}


@pytest.mark.parametrize(
    ("value", "certainty", "grade"),
    [
        (0.8, Certainty.ABSENT, "not raised"),
        (1.99, Certainty.ABSENT, "not raised"),
        (2.0, Certainty.BORDERLINE, "raised"),
        (2.19, Certainty.BORDERLINE, "raised"),
        (2.21, Certainty.PRESENT, "raised"),
        (5.0, Certainty.PRESENT, "raised"),
    ],
)
def test_raised_only_with_a_margin(value, certainty, grade):
    found = ligament_finding({}, ratio(value))
    assert (found.certainty, found.grade) == (certainty, grade)
    assert ("perhaps raised" in found.statement) is (certainty is Certainty.BORDERLINE)
    assert ("not raised" in found.statement) is (certainty is Certainty.ABSENT)
    proved = "oedema or degeneration; an injury of the complex is not proved." in found.statement
    assert proved is (certainty is not Certainty.ABSENT)


def test_statement_place_and_evidence():
    found = ligament_finding({}, ratio(2.6))
    assert found.statement == (
        "L2-L3: signal between the spinous processes raised, 2.6 times muscle: oedema or degeneration; an injury of "
        "the complex is not proved."
    )
    assert (found.id, found.kind, found.at_disc) == (f"L2-L3.{KIND}", KIND, True)
    assert found.evidence == (f"L2-L3.{NAME}",)
    assert found.source
    assert [f.kind for f in assess([ratio(2.6)])] == [KIND]


def test_what_was_not_measured_says_why():
    found = ligament_finding({}, ratio(1.0).model_copy(update=MISSING))
    assert (found.certainty, found.grade) == (Certainty.NOT_ASSESSABLE, "")
    assert found.statement == "L2-L3: posterior ligaments not assessable: fat suppression failed there."
