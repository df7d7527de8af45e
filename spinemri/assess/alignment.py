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
from spinemri.norms import NORMS, Norm, norm, source_of, threshold

if TYPE_CHECKING:
    from collections.abc import Mapping

    from spinemri.measurement import Measurement

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
    return f"{measurement.place}: {what} {why}: {measurement.reason}."


def _slip_statement(
    slip: Measurement, share: float | None, certainty: Certainty, pushed: tuple[Measurement, ...]
) -> str:
    if slip.value is None:
        return _missing(slip, "slip")
    percent = "" if share is None else f", {abs(share):.0f} %"
    size = f"{abs(slip.value):.1f} mm{percent}"
    limit = f"{slip_limit_mm(slip):g} mm"
    if certainty is Certainty.ABSENT:
        return f"{slip.place}: no slip of {limit} or more ({slip.value:.1f} mm{percent})."
    grade = "" if share is None else f", Meyerding grade {meyerding_grade(share)}"
    if certainty is Certainty.PRESENT:
        return f"{slip.place}: {_direction(slip.value)} of {size}{grade}."
    why = f"its error reaches the limit of {limit}"
    if slip.lower is not None and slip.lower.region == "S":
        why = f"limit {limit}; the posterior corner of {slip.lower} is hard to tell"
    why = "smaller than two voxels" if _SMALL in slip.flags else why
    if pushed:
        why = f"the posterior wall of {pushed[0].place} is pushed back, and its corners with it"
    return f"{slip.place}: borderline {_direction(slip.value)} of {size}{grade}; {why}."


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
        return _missing(angle, f"{region} {angle.name.rsplit('_', maxsplit=1)[-1]}")
    word = "kyphosis" if angle.value > 0 else "lordosis"
    said = f"{angle.place}: {region} {word} {abs(angle.value):.0f} degrees (supine"
    if healthy is None:
        unjudged = f"not judged: {why}" if (why := why_not(angle)) else "no supine norm"
        return f"{said}; {unjudged})."
    borderline = "borderline " if certainty is Certainty.BORDERLINE else ""
    norm_text = f"healthy adults lying down {healthy.value:g} +- {healthy.sd:g} degrees of lordosis; {healthy.source}"
    return f"{said}), {borderline}{grade} lordosis ({norm_text})."


def _scoliosis_certainty(curve: Measurement) -> Certainty:
    if curve.value is None:
        return Certainty.NOT_ASSESSABLE
    if curve.value < SCOLIOSIS_FROM_DEG:
        return Certainty.ABSENT
    sure = curve.interval is None or curve.interval[0] > SCOLIOSIS_FROM_DEG
    return Certainty.PRESENT if sure else Certainty.BORDERLINE


def _scoliosis_statement(curve: Measurement, certainty: Certainty) -> str:
    if curve.value is None:
        return _missing(curve, "coronal curvature")
    between = f" between {' and '.join(str(v) for v in curve.reference_levels)}" if curve.reference_levels else ""
    said = f"{curve.place}: coronal curvature about {curve.value:.0f} degrees{between}"
    if certainty is Certainty.ABSENT:
        return f"{said}, below {SCOLIOSIS_FROM_DEG:g} degrees."
    borderline = "borderline; " if certainty is Certainty.BORDERLINE else ""
    return (
        f"{said}, {borderline}possible scoliosis (supine MR underestimates); mid-sagittal measures may lie off the "
        "midline."
    )
