"""The section on neural foramina: narrow ones with their side, normal ones, and one sentence for what is missing."""

from __future__ import annotations

import pytest

from spinemri.anatomy import Level, StructureKind
from spinemri.assess import assess
from spinemri.measure import MEASURES
from spinemri.measurement import Measurement, Status
from spinemri.report.foramina import NAMES, foramen_impression, foramen_section
from spinemri.report.narrative import narrate
from spinemri.report.text import to_text

ONE = "one slice crosses the foramen through both pedicles, two are needed"
OBLIQUE = "cervical foramina run obliquely: not measurable on straight sagittal slices"


def foramen(place, side, values, reason=ONE):
    upper, lower = place.split("-")
    names = ("foraminal_height", "foraminal_ap", "perineural_fat_fraction")
    return [
        Measurement(
            id=f"{place}.{name}_{side}",
            name=f"{name}_{side}",
            kind=StructureKind.DISC,
            level=Level(upper),
            lower=Level(lower),
            value=value,
            unit="mm",
            interval=None if value is None else (value - 0.01, value + 0.01),
            status=Status.NOT_ASSESSABLE if value is None else Status.MEASURED,
            reason=reason if value is None else "",
        )
        for name, value in zip(names, values, strict=True)
    ]


WIDE, NARROW, DOUBTFUL, NONE = (18.0, 6.0, 0.4), (13.0, 2.0, 0.02), (14.0, 6.0, 0.4), (None, None, None)


@pytest.fixture(scope="module")
def analysis(case):
    shown = [
        *foramen("T11-T12", "left", NONE, OBLIQUE),
        *foramen("T11-T12", "right", NONE, OBLIQUE),
        *foramen("T12-L1", "left", WIDE),
        *foramen("T12-L1", "right", WIDE),
        *foramen("L1-L2", "left", WIDE),
        *foramen("L1-L2", "right", WIDE),
        *foramen("L2-L3", "left", WIDE),
        *foramen("L2-L3", "right", NONE),
        *foramen("L3-L4", "left", DOUBTFUL),
        *foramen("L3-L4", "right", NARROW),
    ]
    update = {
        "measurements": (*case.analysis.measurements, *shown),
        "findings": (*case.analysis.findings, *assess(shown)),
    }
    return case.analysis.model_copy(update=update)


def test_what_is_narrow_what_is_not_and_what_is_missing(analysis):
    assert [s.text for s in foramen_section(analysis).sentences] == [
        (
            "L3-L4 left: perhaps mild narrowing of the neural foramen; perineural fat preserved (40 % of its area), "
            "height 14.0 mm, antero-posterior 6.0 mm; cause not determined."
        ),
        (
            "L3-L4 right: severe narrowing of the neural foramen; perineural fat lost (2 % of its area), "
            "height 13.0 mm, antero-posterior 2.0 mm; narrowed by ligament or joints."
        ),
        "Neural foramina not narrow: T12-L2, L2-L3 left.",
        f"Neural foramina not assessed: T11-T12 ({OBLIQUE}); L2-L3 right ({ONE}).",
    ]
    assert [s.tone for s in foramen_section(analysis).sentences] == ["borderline", "abnormal", "", "limit"]


def test_the_impression_has_a_line_for_each_narrow_one_and_one_for_doubtful_ones(analysis):
    said = [s.text for s in foramen_impression(analysis)]
    assert said[0].startswith("L3-L4 right: severe narrowing")
    assert said[1:] == [
        "Neural foramina perhaps narrow: L3-L4 left (mild).",
        "Neural foramina not narrow: T12-L2, L2-L3 left.",
    ]


def test_each_is_said_once_and_the_gaps_do_not_flood_the_report(analysis):
    narrative = narrate(analysis)
    findings = [s.text for part in narrative.findings.parts for s in part.sentences]
    assert sum("L3-L4 right: severe" in text for text in findings) == 1
    assert sum(ONE in text for text in findings) == 1
    assert not any(ONE in s.text for s in narrative.not_assessed.sentences)
    assert "Neural foramina not assessed" in to_text(analysis)


def test_without_foramina_there_is_no_section(case):
    assert foramen_section(case.analysis) is None
    assert list(foramen_impression(case.analysis)) == []


def test_names_are_those_of_the_measurements():
    own = [m.name for m in MEASURES if m.name.startswith(("foraminal", "perineural"))]
    assert set(NAMES) == set(own)


def test_a_range_never_spans_a_foramen_that_is_not_in_it(case):
    rows = [m for p in ("T12-L1", "L2-L3", "L3-L4") for side in ("left", "right") for m in foramen(p, side, WIDE)]
    rows += [*foramen("L1-L2", "left", WIDE), *foramen("L1-L2", "right", NARROW)]
    analysis = case.analysis.model_copy(update={"measurements": tuple(rows), "findings": assess(rows)})
    assert [s.text for s in foramen_section(analysis).sentences][-1] == (
        "Neural foramina not narrow: T12-L1, L2-L4, L1-L2 left."
    )
