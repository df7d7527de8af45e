"""Norms of adults hold for adults: under 18, or where nobody says the age, nothing is judged by them.

A child's marrow is red and dark on T1w, its bodies are wedged until their rims have ossified, canal and curves have
other sizes. Sizes and ratios stay as measured; what compares them with adults goes, and findings that rest on such a
comparison say why. Height loss is told against the patient's own vertebrae, so it stays, under 18 without a grade.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from spinemri.language import Phrases
from spinemri.measurement import SAC_LOSSES, Status
from spinemri.norms import threshold

if TYPE_CHECKING:
    from collections.abc import Iterable

    from spinemri.clinical import Clinical
    from spinemri.measurement import Measurement

phrases = Phrases("assess.adult")

ADULT_FROM_YEARS = threshold("age.adult_from")
CHILD, AGE_UNKNOWN = "not_an_adult", "age_unknown"
"""Flags of a measurement that must not be judged by what is usual in adults."""
_NORMED = frozenset({"wedge_ratio_z"})
_JUDGED = frozenset(
    {
        *("height_loss_pct", "wedge_ratio", "posterior_wall_fraction", "marrow_t1_to_disc", "marrow_t1_to_muscle"),
        *("thoracic_kyphosis", "lumbar_lordosis", "cervical_lordosis"),
        *SAC_LOSSES,
    }
)


def age_of(stated: float | None, clinical: Clinical | None) -> float | None:
    """Age in years: what the images state, else what the user says."""
    said = clinical.age_years if clinical else None
    return float(said) if stated is None and said is not None else stated


def by_age(measurements: Iterable[Measurement], years: float | None) -> tuple[Measurement, ...]:
    """The measurements, those that adult norms judge flagged unless the patient is an adult.

    Parameters
    ----------
    measurements : of a study
    years : age of the patient; None when nobody says it
    """
    flag = _flag(years)
    return tuple(_unjudged(m, flag) if flag else m for m in measurements)


def why_not(measurement: Measurement) -> str:
    """Why a measurement is not judged by adult norms; '' when it is."""
    return next((_why(flag) for flag in (CHILD, AGE_UNKNOWN) if flag in measurement.flags), "")


def remarks(years: float | None) -> tuple[str, ...]:
    """What a report says once about the age; nothing for adults."""
    flag = _flag(years)
    hint = phrases.HINT if flag == AGE_UNKNOWN else ""
    return (phrases.NORMS_ADULTS_ARE_NOT_APPLIED.format(why=_why(flag), hint=hint),) if flag else ()


def _flag(years: float | None) -> str:
    if years is None:
        return AGE_UNKNOWN
    return CHILD if years < ADULT_FROM_YEARS else ""


def _why(flag: str) -> str:
    return phrases.CHILD.format(years=ADULT_FROM_YEARS) if flag == CHILD else phrases.AGE_UNKNOWN


def _unjudged(measurement: Measurement, flag: str) -> Measurement:
    if measurement.name in _NORMED and measurement.value is not None:
        gone = {"value": None, "interval": None, "points": (), "status": Status.NOT_ASSESSABLE, "reason": _why(flag)}
        return measurement.model_copy(update=gone)
    if measurement.name in _JUDGED:
        return measurement.model_copy(update={"flags": (*measurement.flags, flag)})
    return measurement
