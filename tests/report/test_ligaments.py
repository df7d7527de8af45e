"""The section on posterior ligaments: one sentence each for what is raised, what is not, and what is missing."""

from __future__ import annotations

import pytest

from spinemri.anatomy import Level, StructureKind
from spinemri.assess import assess
from spinemri.measurement import Measurement, Status
from spinemri.report.ligaments import NAME, ligament_impression, ligament_section
from spinemri.report.narrative import narrate
from spinemri.report.text import to_text

FAILED = "fat suppression failed there"


def made(place, value, reason=FAILED):
    upper, lower = place.split("-")
    missing = {"status": Status.NOT_ASSESSABLE, "reason": reason} if value is None else {}
    return Measurement(
        id=f"{place}.{NAME}",
        name=NAME,
        kind=StructureKind.POSTERIOR_ELEMENTS,
        level=Level(upper),
        lower=Level(lower),
        value=value,
        unit="1",
        interval=None if value is None else (value - 0.2, value + 0.2),
        **missing,
    )


ROWS = (made("T12-L1", 0.8), made("L1-L2", 0.9), made("L2-L3", 3.1), made("L3-L4", 2.1), made("L4-L5", None))


def with_ligaments(case, *rows):
    found = case.analysis
    update = {"measurements": (*found.measurements, *rows), "findings": (*found.findings, *assess(rows))}
    return found.model_copy(update=update)


@pytest.fixture(scope="module")
def analysis(case):
    return with_ligaments(case, *ROWS)


def test_raised_normal_and_missing_have_a_sentence_each(analysis):
    section = ligament_section(analysis)
    assert [s.text for s in section.sentences] == [
        (
            "Signal between the spinous processes raised against muscle: L2-L3 3.1 times, L3-L4 2.1 times "
            "(borderline): oedema or degeneration; an injury of the complex is not proved."
        ),
        "Signal between the spinous processes not raised: T12-L2.",
        f"Posterior ligaments not assessed: L4-L5 ({FAILED}).",
    ]
    assert [s.tone for s in section.sentences] == ["abnormal", "", "limit"]


def test_the_impression_leaves_out_what_is_borderline(analysis):
    (said,) = ligament_impression(analysis)
    assert "L2-L3 3.1 times: oedema" in said.text
    assert "L3-L4" not in said.text


def test_each_is_said_once_and_gaps_stay_in_their_section(analysis):
    narrative = narrate(analysis)
    found = [s.text for part in narrative.findings.parts for s in part.sentences]
    assert sum("L2-L3 3.1 times" in text for text in found) == 1
    assert sum("spinous processes raised" in s.text for s in narrative.impression.sentences) == 1
    assert not any(FAILED in s.text for s in narrative.not_assessed.sentences)
    assert "POSTERIOR LIGAMENTS" in to_text(analysis).upper()


def test_without_any_there_is_no_section_and_without_raised_ones_no_line(case):
    assert ligament_section(case.analysis) is None
    assert list(ligament_impression(with_ligaments(case, *ROWS[:2], ROWS[3]))) == []
