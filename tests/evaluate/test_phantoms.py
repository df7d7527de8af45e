"""Scores and summaries on hand-made values: an error shows, and what is missing counts as infinitely wrong."""

from __future__ import annotations

from dataclasses import replace
from math import inf

import pytest

from spinemri.analysis import Analysis, Provenance
from spinemri.anatomy import Level, StructureKind
from spinemri.evaluate.phantoms import (
    ALL_NAMED,
    LOSS_MEAN,
    MAX_LOSS_ERROR,
    MAX_LOSS_ERROR_MEDIAN,
    MAX_SAC_ERROR_MEDIAN,
    PhantomScore,
    passes,
    reached,
    score,
    summary,
)
from spinemri.measurement import Measurement, Status
from spinemri.spine import LevelAssignment, LevelBasis, Spine, Vertebra

CENTRES = {"L1": [-3.5, -10.4, 24.3], "L2": [-1.9, -12.4, -12.5], "L3": [-0.3, -10.9, -46.7]}
TRUTH = {
    "seed": 11,
    "body_centres_lps_mm": CENTRES,
    "fractures": [{"level": "L1", "height_loss_pct": 35.0}],
    "sac_narrowings": [{"level": "L2-L3", "fraction_of_diameter": 0.4}],
    "measurements": [
        {"id": "L1.anterior_height", "value": 15.7},
        {"id": "L1.posterior_height", "value": 25.2},
        {"id": "L1.height_loss_pct", "value": 35.0},
        {"id": "L1-L2.dural_sac_ap", "value": 15.5},
        {"id": "L2-L3.dural_sac_ap", "value": 8.2},
    ],
}
FOUND = {
    "L1.anterior_height": 15.9,
    "L1.posterior_height": 24.8,
    "L1.height_loss_pct": 33.0,
    "L1-L2.dural_sac_ap": 14.5,
    "L2-L3.dural_sac_ap": 8.7,
}


def measurement(identifier: str, value: float | None) -> Measurement:
    place, name = identifier.split(".")
    upper, _, lower = place.partition("-")
    missing = {} if value is not None else {"status": Status.NOT_ASSESSABLE, "reason": "not seen"}
    unit = "%" if name.endswith("pct") else "mm"
    levels = {"level": Level(upper), "lower": Level(lower) if lower else None}
    kind = StructureKind.THECAL_SAC if "sac" in name else StructureKind.VERTEBRAL_BODY
    return Measurement(id=identifier, name=name, kind=kind, value=value, unit=unit, **levels, **missing)


def analysis(named: dict[str, str] | None = None, shift: float = 3.0, **found: float | None) -> Analysis:
    """An analysis that calls the true bodies by other names, a little beside their places, with some other values."""
    names = named or {level: level for level in CENTRES}
    vertebrae = tuple(
        Vertebra(
            assignment=LevelAssignment(level=Level(name), basis=LevelBasis.FROM_SACRUM, confidence=0.9),
            centre=(CENTRES[true][0], CENTRES[true][1] + shift, CENTRES[true][2]),
            series_uid="a",
        )
        for true, name in names.items()
    )
    provenance = Provenance(software="spinemri", version="0", created="2025-01-01")
    values = FOUND | {key.replace("__", "."): value for key, value in found.items()}
    return Analysis(
        patient="p",
        study="s",
        series=(),
        spine=Spine(vertebrae=vertebrae),
        measurements=tuple(measurement(identifier, value) for identifier, value in values.items()),
        provenance=provenance,
    )


def test_errors_are_found_minus_true():
    result = score(TRUTH, analysis())
    assert (result.seed, result.fractured, result.named, result.narrowed) == (11, "L1", "L1", "L2-L3")
    assert result.loss_error == pytest.approx(-2.0)
    assert result.narrowing_error == pytest.approx(0.5)
    assert result.height_error == pytest.approx((0.2 + 0.4) / 2)
    assert result.sac_error == pytest.approx((1.0 + 0.5) / 2)
    assert (result.levels_right, result.levels) == (3, 3)


def test_a_shifted_count_is_seen_by_place():
    """All bodies are called one level too low: the fracture is then found under a wrong name, with its loss."""
    shifted = {"L1": "L2", "L2": "L3", "L3": "L4"}
    result = score(TRUTH, analysis(shifted, L2__height_loss_pct=34.0, L1__height_loss_pct=None))
    assert result.named == "L2"
    assert result.levels_right == 0
    assert result.loss_found == 34.0
    assert not passes(summary([result]))


def test_a_body_in_another_place_or_found_twice_has_no_name():
    assert score(TRUTH, analysis(shift=15.0)).named is None
    twice = analysis({"L1": "L1", "L2": "L2", "L3": "L3"})
    first = twice.spine.vertebrae[0]
    double = first.model_copy(update={"assignment": first.assignment.model_copy(update={"level": Level("T12")})})
    doubled = twice.model_copy(update={"spine": Spine(vertebrae=(double, *twice.spine.vertebrae))})
    result = score(TRUTH, doubled)
    assert (result.named, result.loss_found, result.levels_right) == (None, None, 2)


def test_what_was_not_measured_has_no_error():
    gaps = {identifier.replace(".", "__"): None for identifier in FOUND}
    result = score(TRUTH, analysis(**gaps))
    assert (result.loss_error, result.narrowing_error, result.height_error, result.sac_error) == (None,) * 4


def made(seed: int, loss: float | None, sac: float | None) -> PhantomScore:
    """A study whose loss and sac are found with these errors."""
    return PhantomScore(
        seed=seed,
        fractured="L1",
        named="L1",
        loss_true=35.0,
        loss_found=None if loss is None else 35.0 + loss,
        narrowed="L3-L4",
        sac_true=8.0,
        sac_found=None if sac is None else 8.0 + sac,
        levels=7,
        levels_right=7,
        height_error=0.5,
        sac_error=0.7,
    )


GOOD = [made(1, 3.0, 0.5), made(2, -4.0, -0.75), made(3, 7.0, 2.0)]


def test_summary_takes_medians_and_worst_of_absolute_errors():
    figures = summary(GOOD)
    assert figures["studies"] == figures["fractured level right"] == figures["all levels right"] == 3
    assert figures["height loss error, median (points)"] == 4.0
    assert figures["height loss error, worst (points)"] == 7.0
    assert figures["sac AP error at the narrowing, median (mm)"] == 0.75
    assert figures["sac AP error at the narrowing, worst (mm)"] == 2.0
    assert figures["height error, mean (mm)"] == pytest.approx(0.5)
    assert figures["sac AP error at all places, mean (mm)"] == pytest.approx(0.7)
    assert passes(figures)


def test_the_whole_chain_has_its_bars():
    """Mean absolute loss error of 4 points, and names right in 95 % of studies; what failed has no right names."""
    wrong = replace(made(9, 0.0, 0.0), levels_right=0)
    at_limit = summary([made(n, 4.0, 0.0) for n in range(19)] + [replace(wrong, loss_found=wrong.loss_true + 4.0)])
    assert at_limit[LOSS_MEAN] == pytest.approx(4.0)
    assert at_limit[ALL_NAMED] == 95
    assert [row[3] for row in reached({**at_limit, LOSS_MEAN: 4.0})] == [True, True]
    assert [row[5] for row in reached(at_limit)] == [False, False]
    failed = summary([made(n, 4.1, 0.0) for n in range(19)], failed=2)
    assert [row[3] for row in reached(failed)] == [False, False]
    assert failed[ALL_NAMED] == pytest.approx(100 * 19 / 21)


def test_a_missing_number_is_infinitely_wrong():
    figures = summary([*GOOD, made(4, None, None)])
    assert figures["height loss error, worst (points)"] == inf
    assert figures["sac AP error at the narrowing, worst (mm)"] == inf
    assert figures["height loss error, median (points)"] == pytest.approx(5.5)
    assert not passes(figures)
    nothing = summary([replace(made(5, None, None), height_error=None, sac_error=None)])
    assert nothing["height error, mean (mm)"] == nothing["sac AP error at all places, mean (mm)"] == inf


@pytest.mark.parametrize(
    ("scores", "kept"),
    [
        ([made(1, MAX_LOSS_ERROR_MEDIAN, 0.0)], True),
        ([made(1, MAX_LOSS_ERROR_MEDIAN + 0.1, 0.0)], False),
        ([made(1, 0.0, 0.0), made(2, 1.0, 0.0), made(3, MAX_LOSS_ERROR, 0.0)], True),
        ([made(1, 0.0, 0.0), made(2, 1.0, 0.0), made(3, -MAX_LOSS_ERROR - 0.1, 0.0)], False),
        ([made(1, 0.0, -MAX_SAC_ERROR_MEDIAN)], True),
        ([made(1, 0.0, -MAX_SAC_ERROR_MEDIAN - 0.1)], False),
        ([replace(made(1, 0.0, 0.0), named="L2")], False),
        ([replace(made(1, 0.0, 0.0), named=None)], False),
    ],
)
def test_each_limit_is_kept_up_to_itself(scores, kept):
    assert passes(summary(scores)) is kept
