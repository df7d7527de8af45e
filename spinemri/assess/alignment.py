"""Slips are called from 3 mm (cervical 2 mm) on and graded after Meyerding; curvatures compare with supine norms only.

A slip of less than two voxels is never sure. The posterior corner of S1 is hard to tell, also for a network: a slip
there has to be larger to be sure; nor is a slip sure beside a broken body whose posterior wall is pushed back, for the
corners that it is measured at go back with the wall. Someone who lies down has a flatter back than when standing, by 13
degrees of lumbar lordosis on average: a curvature without a norm of people lying down is stated, and not judged. An
estimated coronal curve of 10 degrees or more makes a scoliosis possible; lying down lessens it, and what was measured
in the middle of a curved spine may lie beside its midline. Angles are positive in kyphosis, negative in lordosis.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from spinemri.assess.adult import why_not
from spinemri.assess.places import located, why_missing
from spinemri.finding import Certainty, Finding
from spinemri.language import Phrases, listed
from spinemri.norms import NORMS, Norm, norm, source_of, threshold
from spinemri.terms import name_of, source_text, term

if TYPE_CHECKING:
    from collections.abc import Mapping

    from spinemri.measurement import Measurement

phrases = Phrases("assess.alignment")

SLIP_KIND, CURVATURE_KIND, SCOLIOSIS_KIND = "spondylolisthesis", "sagittal_curvature", "coronal_curvature"
MEYERDING = ("I", "II", "III", "IV", "V")
_LIMITS = tuple(threshold(f"slip.meyerding_{n}_up_to") for n in (1, 2, 3, 4))
_REGIONS = {"C": "cervical", "T": "thoracic", "L": "lumbar"}
_CALLED = [f"{NORMS['slip.call_from', region].value:g} mm ({name})" for region, name in _REGIONS.items()]
_SMALL = "below_two_pixels"
USUAL_SD = threshold("curvature.normal_sd")
SCOLIOSIS_FROM_DEG = threshold("scoliosis.from")
SACRAL_MARGIN_MM = threshold("slip.sacral_margin")
BROKEN_FROM_PCT, PUSHED_FROM_MM = threshold("height_loss.fracture_from"), threshold("cause.retropulsion")

SLIP_RULE = (
    "slip at the posterior corners along the lower body's upper endplate: called from "
    f"{', '.join(_CALLED)} on; "
    "borderline while the 95 % interval reaches down to that limit, at S1 up to "
    f"{SACRAL_MARGIN_MM:g} mm above it, and never sure below two voxels, nor beside a body that lost "
    f"{BROKEN_FROM_PCT:g} % of its height and whose wall is pushed back by {PUSHED_FROM_MM:g} mm; Meyerding "
    f"{', '.join(f'{grade} up to {limit:g} %' for grade, limit in zip(MEYERDING, _LIMITS, strict=False))}, V above"
)
SLIP_SOURCE = f"{source_of('slip.meyerding_1_up_to')}; limit in mm: {NORMS['slip.call_from', 'L'].source}"
CURVATURE_RULE = (
    f"angle between endplates against recumbent healthy adults: usual within {USUAL_SD:g} standard deviations, "
    "borderline while the 95 % interval reaches that limit; without a recumbent norm not judged"
)
SCOLIOSIS_RULE = (
    f"largest turn of the line through the bodies' centres: scoliosis possible from {SCOLIOSIS_FROM_DEG:g} degrees on, "
    "borderline while the 95 % interval reaches that limit"
)


def meyerding_grade(percent: float) -> str:
    """Meyerding grade 'I' to 'V' of a slip in percent of the lower endplate, whatever its direction."""
    return MEYERDING[sum(abs(percent) > limit for limit in _LIMITS)]


def slip_limit_mm(slip: Measurement) -> float:
    """The slip from which a listhesis is called at this disc; that of a lumbar one where levels are relative."""
    return (norm("slip.call_from", str(slip.level)) or NORMS["slip.call_from", "L"]).value


def slip_certainty(slip: Measurement) -> Certainty:
    """Whether a listhesis is present: a smaller slip than the limit is none, however wide its interval.

    Above, it is borderline while the interval, or the doubt about the corner of S1, reaches the limit.
    """
    if slip.value is None:
        return Certainty.NOT_ASSESSABLE
    size, limit = abs(slip.value), slip_limit_mm(slip)
    if size < limit:
        return Certainty.ABSENT
    half = (slip.interval[1] - slip.interval[0]) / 2 if slip.interval else 0.0
    sacral = slip.lower is not None and slip.lower.region == "S"
    sure = size - max(half, SACRAL_MARGIN_MM if sacral else 0.0) > limit and _SMALL not in slip.flags
    return Certainty.PRESENT if sure else Certainty.BORDERLINE


def slip_finding(measurements: Mapping[str, Measurement], slip: Measurement) -> Finding:
    """The finding of one disc.

    Parameters
    ----------
    measurements : id -> measurement
    slip : the disc's ``slip_mm``
    """
    percent = measurements.get(f"{slip.place}.slip_pct")
    share = None if percent is None else percent.value
    certainty, pushed = slip_certainty(slip), _pushed_back(measurements, slip)
    if pushed and certainty is Certainty.PRESENT:
        certainty = Certainty.BORDERLINE
    called = certainty in (Certainty.PRESENT, Certainty.BORDERLINE)
    return Finding(
        **located(slip, SLIP_KIND),
        grade=meyerding_grade(share) if called and share is not None else "",
        cause=_direction(slip.value) if called and slip.value is not None else "",
        certainty=certainty,
        statement=_slip_statement(slip, share, certainty, pushed),
        evidence=(
            slip.id,
            *((percent.id,) if percent is not None and share is not None else ()),
            *(m.id for m in pushed if called),
        ),
        rule=SLIP_RULE,
        source=SLIP_SOURCE,
    )


def _pushed_back(measurements: Mapping[str, Measurement], slip: Measurement) -> tuple[Measurement, ...]:
    """Retropulsion of a broken body beside a disc, where it is large enough to feign a slip."""
    found = []
    for level in slip.levels:
        lost, pushed = (measurements.get(f"{level}.{name}") for name in ("height_loss_pct", "retropulsion_mm"))
        broken = lost is not None and (lost.value or 0.0) >= BROKEN_FROM_PCT
        if broken and pushed is not None and (pushed.value or 0.0) >= PUSHED_FROM_MM:
            found.append(pushed)
    return tuple(found)


def curvature_finding(_: Mapping[str, Measurement], angle: Measurement) -> Finding:
    """The finding of one regional angle; its grade is 'usual', 'reduced' or 'increased' lordosis, or '' unjudged."""
    young = why_not(angle)
    healthy = None if young else norm(angle.name, angle.place)
    certainty, grade = Certainty.NOT_ASSESSABLE, ""
    if angle.value is not None and healthy is not None and healthy.sd is not None:
        certainty, grade = _against(healthy, angle)
    return Finding(
        id=f"{angle.id}.{CURVATURE_KIND}",
        kind=CURVATURE_KIND,
        levels=angle.levels,
        grade=grade,
        certainty=certainty,
        statement=_curvature_statement(angle, healthy, grade, certainty),
        evidence=(angle.id,),
        rule=CURVATURE_RULE,
        source=healthy.source if healthy else young or "no norm of people lying down",
    )


def scoliosis_finding(_: Mapping[str, Measurement], curve: Measurement) -> Finding:
    """The finding of the whole coronal curve."""
    certainty = _scoliosis_certainty(curve)
    return Finding(
        id=f"{curve.place}.{SCOLIOSIS_KIND}",
        kind=SCOLIOSIS_KIND,
        levels=curve.levels,
        certainty=certainty,
        statement=_scoliosis_statement(curve, certainty),
        evidence=(curve.id,),
        rule=SCOLIOSIS_RULE,
        source=source_of("scoliosis.from"),
    )


def _direction(value: float) -> str:
    return "anterolisthesis" if value > 0 else "retrolisthesis"


def _missing(measurement: Measurement, what: str) -> str:
    why = why_missing(measurement)
    return phrases.MISSING.format(place=measurement.place, what=what, why=why, reason=measurement.reason)


def _slip_statement(
    slip: Measurement, share: float | None, certainty: Certainty, pushed: tuple[Measurement, ...]
) -> str:
    if slip.value is None:
        return _missing(slip, name_of(slip.name))
    percent = "" if share is None else f", {abs(share):.0f} %"
    size = phrases.SIZE.format(value=abs(slip.value), percent=percent)
    limit = phrases.LIMIT.format(limit=slip_limit_mm(slip))
    if certainty is Certainty.ABSENT:
        return phrases.NO_SLIP.format(place=slip.place, limit=limit, value=slip.value, percent=percent)
    grade = "" if share is None else phrases.GRADE.format(grade=meyerding_grade(share))
    if certainty is Certainty.PRESENT:
        return phrases.SLIP.format(place=slip.place, direction=term(_direction(slip.value)), size=size, grade=grade)
    why = phrases.ERROR_REACHES_LIMIT.format(limit=limit)
    if slip.lower is not None and slip.lower.region == "S":
        why = phrases.SACRAL_CORNER.format(limit=limit, lower=slip.lower)
    why = phrases.SMALLER_THAN_TWO_VOXELS if _SMALL in slip.flags else why
    if pushed:
        why = phrases.WALL_PUSHED_BACK.format(place=pushed[0].place)
    return phrases.DOUBTFUL_SLIP.format(
        place=slip.place, direction=term(_direction(slip.value)), size=size, grade=grade, why=why
    )


def _against(healthy: Norm, angle: Measurement) -> tuple[Certainty, str]:
    """Whether a lordosis lies outside what is usual in people lying down, and to which side."""
    lordosis, reach = -(angle.value or 0.0), USUAL_SD * (healthy.sd or 0.0)
    low, high = healthy.value - reach, healthy.value + reach
    if low <= lordosis <= high:
        return Certainty.ABSENT, "usual"
    beyond = low - lordosis if lordosis < low else lordosis - high
    half = (angle.interval[1] - angle.interval[0]) / 2 if angle.interval else 0.0
    certainty = Certainty.PRESENT if beyond > half else Certainty.BORDERLINE
    return certainty, "reduced" if lordosis < low else "increased"


def _curvature_statement(angle: Measurement, healthy: Norm | None, grade: str, certainty: Certainty) -> str:
    region = angle.name.split("_", maxsplit=1)[0]
    if angle.value is None:
        return _missing(angle, name_of(angle.name))
    word = phrases.KYPHOSIS if angle.value > 0 else phrases.LORDOSIS
    said = phrases.CURVATURE.format(place=angle.place, region=term(region), word=word, value=abs(angle.value))
    if healthy is None:
        unjudged = phrases.NOT_JUDGED.format(why=why) if (why := why_not(angle)) else phrases.NO_SUPINE_NORM
        return f"{said}; {unjudged})."
    borderline = phrases.BORDERLINE if certainty is Certainty.BORDERLINE else ""
    norm_text = phrases.HEALTHY_ADULTS.format(value=healthy.value, sd=healthy.sd, source=source_text(healthy.source))
    return phrases.JUDGED_LORDOSIS.format(said=said, borderline=borderline, grade=term(grade), norm_text=norm_text)


def _scoliosis_certainty(curve: Measurement) -> Certainty:
    if curve.value is None:
        return Certainty.NOT_ASSESSABLE
    if curve.value < SCOLIOSIS_FROM_DEG:
        return Certainty.ABSENT
    sure = curve.interval is None or curve.interval[0] > SCOLIOSIS_FROM_DEG
    return Certainty.PRESENT if sure else Certainty.BORDERLINE


def _scoliosis_statement(curve: Measurement, certainty: Certainty) -> str:
    if curve.value is None:
        return _missing(curve, name_of(curve.name))
    between = (
        phrases.BETWEEN.format(items=listed([str(v) for v in curve.reference_levels])) if curve.reference_levels else ""
    )
    said = phrases.CORONAL_CURVATURE_ABOUT_DEGREES.format(place=curve.place, value=curve.value, between=between)
    if certainty is Certainty.ABSENT:
        return phrases.BELOW_DEGREES.format(said=said, limit=SCOLIOSIS_FROM_DEG)
    borderline = phrases.BORDERLINE_CURVE if certainty is Certainty.BORDERLINE else ""
    return phrases.POSSIBLE_SCOLIOSIS.format(said=said, borderline=borderline)
