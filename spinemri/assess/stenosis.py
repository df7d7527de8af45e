"""Narrowing of the thecal sac is graded by how much of the patient's own normal diameter is lost, in thirds.

Up to 15 % counts as normal variation between levels and is never a finding, however wide its interval; above, narrowing
is mild up to one third, moderate up to two thirds, severe beyond, and borderline while its interval still reaches 15 %.
The healthy sac tapers beside L5-S1, by an amount that no publication gives level by level: what is only mild there may
be normal, and is borderline too.
Millimetres are shown beside the healthy range of the region but never make a stenosis: healthy people differ by
several millimetres. The thirds were described for the area; on the diameter they understate a round narrowing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from spinemri.assess.cause import narrowing_causes
from spinemri.assess.places import located, references, where, why_missing
from spinemri.finding import Certainty, Finding
from spinemri.norms import NORMS, source_of, threshold

if TYPE_CHECKING:
    from collections.abc import Mapping

    from spinemri.measurement import Measurement

KIND = "thecal_sac_narrowing"
_TAPER = "perhaps the normal taper of the sac"
_AREA = "dural_sac_area_compromise_pct"
NORMAL_UP_TO_PCT = threshold("narrowing.normal_up_to")
MILD_UP_TO_PCT = threshold("narrowing.mild_up_to")
MODERATE_UP_TO_PCT = threshold("narrowing.moderate_up_to")

RULE = (
    "loss of mid-sagittal sac diameter against the nearest normal levels: up to 15 % none, mild up to one third, "
    "moderate up to two thirds, severe above; borderline when the 95 % interval of a loss above 15 % reaches 15 %, or "
    "when mild where the sac tapers (L5-S1)"
)
TAPERING = "tapering_sac"
"""Flag of a measurement where the healthy sac is narrower than at its reference."""
SOURCE = f"thirds: {source_of('narrowing.mild_up_to')}; formula: Fehlings et al., Spine 1999"


def thirds_grade(compromise_pct: float) -> str:
    """'none', 'mild', 'moderate' or 'severe' of a compromise in percent."""
    if compromise_pct <= NORMAL_UP_TO_PCT:
        return "none"
    if compromise_pct <= MILD_UP_TO_PCT:
        return "mild"
    return "moderate" if compromise_pct <= MODERATE_UP_TO_PCT else "severe"


def narrowing_certainty(compromise: Measurement) -> Certainty:
    """Whether narrowing is present: absent up to 15 %, so that grade 'none' and ABSENT always go together.

    Above, borderline when the 95 % interval still reaches 15 % or when the sac's own taper may explain it.
    """
    if compromise.value is None:
        return Certainty.NOT_ASSESSABLE
    if compromise.value <= NORMAL_UP_TO_PCT:
        return Certainty.ABSENT
    unsure = compromise.interval is not None and compromise.interval[0] <= NORMAL_UP_TO_PCT
    return Certainty.BORDERLINE if unsure or _may_taper(compromise) else Certainty.PRESENT


def _may_taper(compromise: Measurement) -> bool:
    return TAPERING in compromise.flags and thirds_grade(compromise.value or 0.0) == "mild"


def narrowing_finding(measurements: Mapping[str, Measurement], compromise: Measurement) -> Finding:
    """The finding at one disc or mid-body.

    Parameters
    ----------
    measurements : id -> measurement
    compromise : the place's ``dural_sac_compromise_pct``
    """
    diameter, area = (measurements.get(f"{compromise.place}.{name}") for name in ("dural_sac_ap", _AREA))
    known = [m.id for m in (diameter, area) if m is not None and m.value is not None]
    narrowed = compromise.value is not None and thirds_grade(compromise.value) != "none"
    causes = narrowing_causes(measurements, compromise) if narrowed else ()
    named = dict.fromkeys([cause for cause, _ in causes] + ([_TAPER] if _may_taper(compromise) else []))
    return Finding(
        **located(compromise, KIND),
        grade="" if compromise.value is None else thirds_grade(compromise.value),
        cause=", ".join(named),
        certainty=narrowing_certainty(compromise),
        statement=_statement(compromise, diameter, area, tuple(cause for cause in named if cause != _TAPER)),
        evidence=(compromise.id, *known, *(id_ for _, id_ in causes)),
        rule=RULE,
        source=SOURCE,
    )


def _statement(
    compromise: Measurement, diameter: Measurement | None, area: Measurement | None, causes: tuple[str, ...]
) -> str:
    place = where(compromise)
    width = "" if diameter is None or diameter.value is None else f"{diameter.value:.1f} mm"
    if compromise.value is None:
        why = why_missing(compromise)
        known = f" (antero-posterior {width})" if width else ""
        return f"{place}: narrowing of the thecal sac {why}{known}: {compromise.reason}."
    grade = thirds_grade(compromise.value)
    borderline = "borderline " if narrowing_certainty(compromise) is Certainty.BORDERLINE else ""
    what = f"{'no' if grade == 'none' else borderline + grade} narrowing of the thecal sac"
    one_sided = ", one side only" if "one_sided_reference" in compromise.flags else ""
    reference = references(compromise) + one_sided
    text = f"{place}: {what}, {max(compromise.value, 0.0):.0f} % (reference {reference}); antero-posterior {width}"
    if grade == "none":
        return f"{text}."
    lost = "" if area is None or area.value is None else f"; {max(area.value, 0.0):.0f} % of its area lost"
    why = f"; narrowed by {', '.join(causes)}" if causes else ""
    taper = f"; {_TAPER}" if _may_taper(compromise) else ""
    return f"{text}{_healthy(compromise)}{lost}{why}{taper}."


def _healthy(compromise: Measurement) -> str:
    region = compromise.level.region if compromise.level else ""
    rows = [row for row in NORMS.values() if row.name == "canal_ap" and row.place.startswith(region)]
    if not region or not rows:
        return " (no accepted healthy range for this region)"
    sizes = [f"{row.place} {row.value:g}{f' +- {row.sd:g}' if row.sd else ''}" for row in rows]
    return f" (healthy canal: {', '.join(sizes)} mm; {rows[0].source})"
