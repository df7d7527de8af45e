from __future__ import annotations

import pytest

from spinemri.anatomy import Level, StructureKind
from spinemri.assess.disc import bulge_finding, degeneration_finding, pfirrmann_like
from spinemri.finding import Certainty
from spinemri.measurement import Measurement, Status


def made(name, value, half=0.02, levels=("L4", "L5"), reason="no T2w series shows this disc"):
    upper, lower = map(Level, levels)
    return Measurement(
        id=f"{upper}-{lower}.{name}",
        name=name,
        kind=StructureKind.DISC,
        level=upper,
        lower=lower,
        value=value,
        unit="1",
        interval=None if value is None else (value - half, value + half),
        status=Status.NOT_ASSESSABLE if value is None else Status.MEASURED,
        reason=reason if value is None else "",
    )


def graded(signal, index=0.35, **kwargs):
    found = [made("disc_signal_to_csf", signal, **kwargs), made("disc_height_index", index, 0.01, reason="no body")]
    return degeneration_finding({m.id: m for m in found}, found[0])


@pytest.mark.parametrize(
    ("signal", "index", "grade"),
    [
        (0.5, 0.3, "I or II"),
        (0.499, 0.3, "III"),
        (0.25, 0.1, "III"),
        (0.249, 0.2, "IV"),
        (0.249, 0.199, "V"),
        (0.1, None, "IV or V"),
        (0.8, 0.1, "I or II"),
    ],
)
def test_grades_on_both_sides_of_each_limit(signal, index, grade):
    assert pfirrmann_like(signal, index) == grade


@pytest.mark.parametrize(
    ("signal", "index", "certainty"),
    [
        (0.6, 0.35, Certainty.ABSENT),
        (0.4, 0.35, Certainty.ABSENT),
        (0.301, 0.35, Certainty.ABSENT),
        (0.299, 0.35, Certainty.BORDERLINE),
        (0.201, 0.35, Certainty.BORDERLINE),
        (0.199, 0.35, Certainty.PRESENT),
        (0.1, 0.209, Certainty.BORDERLINE),
        (0.1, 0.18, Certainty.PRESENT),
        (0.1, None, Certainty.BORDERLINE),
    ],
)
def test_near_a_limit_a_grade_is_borderline(signal, index, certainty):
    assert graded(signal, index).certainty is certainty


def test_a_wide_interval_is_borderline_too():
    assert graded(0.15, half=0.12).certainty is Certainty.BORDERLINE


def test_a_dark_disc_that_is_too_thin_to_read_is_borderline():
    signal, index = made("disc_signal_to_csf", 0.1), made("disc_height_index", 0.1, 0.01)
    thin = signal.model_copy(update={"flags": ("thin_disc",)})
    assert degeneration_finding({index.id: index}, signal).certainty is Certainty.PRESENT
    assert degeneration_finding({index.id: index}, thin).certainty is Certainty.BORDERLINE


def test_the_statement_names_the_numbers_and_the_limits_of_the_scale():
    found = graded(0.12, 0.15)
    assert found.statement.startswith(
        "L4-L5: Pfirrmann-like grade V (T2w signal 0.12 × CSF, height index 0.15), from signal"
    )
    assert found.evidence == ("L4-L5.disc_signal_to_csf", "L4-L5.disc_height_index")
    assert found.at_disc
    assert "Pfirrmann" in found.source
    assert "no published limit" in found.source


def test_without_t2w_nothing_is_graded():
    found = graded(None)
    assert found.certainty is Certainty.NOT_ASSESSABLE
    assert "no T2w series" in found.statement


@pytest.mark.parametrize(
    ("levels", "known"),
    [
        (("T11", "T12"), False),
        (("T12", "L1"), True),
        (("L5", "S1"), True),
        (("C5", "C6"), False),
        (("V1", "V2"), False),
    ],
)
def test_the_scale_is_that_of_lumbar_discs(levels, known):
    signal = made("disc_signal_to_csf", 0.1, levels=levels)
    assert (degeneration_finding({}, signal) is not None) is known


@pytest.mark.parametrize(
    ("value", "certainty"),
    [
        (-1.0, Certainty.ABSENT),
        (1.0, Certainty.ABSENT),
        (1.01, Certainty.BORDERLINE),
        (1.59, Certainty.BORDERLINE),
        (1.61, Certainty.PRESENT),
        (None, Certainty.NOT_ASSESSABLE),
    ],
)
def test_a_bulge_is_stated_above_a_millimetre(value, certainty):
    found = bulge_finding({}, made("disc_bulge_mm", value, 0.6, reason="no mask of the disc L4-L5"))
    assert found.certainty is certainty
    assert found.statement
    if certainty is Certainty.PRESENT:
        assert found.statement == "L4-L5: bulge of the disc, 1.6 mm beyond the endplate line."
