"""Narrowing of the thecal sac is graded by how much of the patient's own normal area is lost, in thirds.

The thirds were described for the area. It is read on axial slices where there are any, on sagittal ones otherwise.
Where it could not be compared at a place, the antero-posterior diameter stands in for it, and the statement says so: a
diameter understates a round narrowing. Where sagittal slices show the diameter to be less and the area not, the
diameter is graded, and narrowing is borderline: few chords tell an area coarsely.
Up to 15 % counts as normal variation between levels and is never a finding, however wide its interval; above, narrowing
is mild up to one third, moderate up to two thirds, severe beyond, and borderline while its interval still reaches 15 %.
The healthy thoracic sac is narrower than that of the neck and than that at T12 and below: a loss there against levels
on one side only is not assessable.
The healthy sac tapers beside L5-S1, by an amount that no publication gives level by level: what is only mild there may
be normal, and is borderline too.
Millimetres are shown beside the healthy range of the region but never make a stenosis: healthy people differ by
several millimetres.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from spinemri.assess.adult import why_not
from spinemri.assess.cause import narrowing_causes
from spinemri.assess.certainty import reached
from spinemri.assess.places import located, references, where, why_missing
from spinemri.finding import Certainty, Finding
from spinemri.language import Phrases
from spinemri.measurement import SAC_LOSSES, deciding_loss
from spinemri.norms import NORMS, source_of, threshold
from spinemri.terms import term

if TYPE_CHECKING:
    from collections.abc import Mapping

    from spinemri.measurement import Measurement

phrases = Phrases("assess.stenosis")

KIND = "thecal_sac_narrowing"
_TAPER = "perhaps the normal taper of the sac"
_ON_AXIAL, _AREA, _DEPTH = SAC_LOSSES
_SECTION = "axial_sac_area"
NORMAL_UP_TO_PCT = threshold("narrowing.normal_up_to")
MILD_UP_TO_PCT = threshold("narrowing.mild_up_to")
MODERATE_UP_TO_PCT = threshold("narrowing.moderate_up_to")

RULE = (
    "loss of sac area (of mid-sagittal diameter where the area was not compared) against the nearest normal levels: up "
    "to 15 % none, mild up to one third, moderate up to two thirds, severe above; borderline when the 95 % interval of "
    "a loss above 15 % reaches 15 %, when mild where the sac tapers (L5-S1), or when of sagittal area and diameter "
    "only one is lost; not assessable in the thoracic spine against one side only"
)
TAPERING = "tapering_sac"
"""Flag of a measurement where the healthy sac is narrower than at its reference."""
SOURCE = (
    f"thirds of the area: {source_of('narrowing.mild_up_to')}; formula: PLoS ONE 0135735, of the diameter Fehlings et "
    "al., Spine 1999"
)


def thirds_grade(compromise_pct: float) -> str:
    """'none', 'mild', 'moderate' or 'severe' of a compromise in percent."""
    if compromise_pct <= NORMAL_UP_TO_PCT:
        return "none"
    if compromise_pct <= MILD_UP_TO_PCT:
        return "mild"
    return "moderate" if compromise_pct <= MODERATE_UP_TO_PCT else "severe"


def narrowing_certainty(
    compromise: Measurement, by_diameter: Measurement | None = None, by_area: Measurement | None = None
) -> Certainty:
    """Whether narrowing is present: absent up to 15 %, so that grade 'none' and ABSENT always go together.

    Above, borderline when its 95 % interval still reaches 15 %, when the sac's taper may explain it, or when of the
    sagittal diameter and area (``by_diameter``, ``by_area``) only one is lost.
    """
    certainty = reached(compromise, NORMAL_UP_TO_PCT, above=True)
    if _of_region(compromise):
        return Certainty.NOT_ASSESSABLE
    doubtful = _may_taper(compromise) or bool(_only(compromise, by_diameter, by_area))
    return Certainty.BORDERLINE if certainty is Certainty.PRESENT and doubtful else certainty


def _only(graded: Measurement, by_diameter: Measurement | None, by_area: Measurement | None) -> str:
    """What is said where of the sagittal diameter and area only the graded one is lost; '' elsewhere."""
    if (graded.value or 0.0) <= NORMAL_UP_TO_PCT:
        return ""
    if graded.name == _AREA and _kept(by_diameter):
        return phrases.ONLY_WIDTH
    return phrases.ONLY_DEPTH if graded.name == _DEPTH and _kept(by_area) else ""


def _of_region(graded: Measurement) -> bool:
    """Whether a loss may be no more than that the healthy thoracic sac is narrower than its only reference."""
    thoracic = graded.level is not None and graded.level.region == "T"
    return thoracic and "one_sided_reference" in graded.flags and (graded.value or 0.0) > NORMAL_UP_TO_PCT


def _kept(loss: Measurement | None) -> bool:
    return loss is not None and loss.value is not None and loss.value <= NORMAL_UP_TO_PCT


def _may_taper(compromise: Measurement) -> bool:
    return TAPERING in compromise.flags and thirds_grade(compromise.value or 0.0) == "mild"


def narrowing_finding(measurements: Mapping[str, Measurement], by_diameter: Measurement) -> Finding:
    """The finding at one disc or mid-body; its first evidence is the loss that was graded.

    Parameters
    ----------
    measurements : id -> measurement
    by_diameter : the place's ``dural_sac_compromise_pct``
    """
    diameter, section = (measurements.get(f"{by_diameter.place}.{name}") for name in ("dural_sac_ap", _SECTION))
    here = {name: measurements.get(f"{by_diameter.place}.{name}") for name in SAC_LOSSES} | {_DEPTH: by_diameter}
    graded = deciding_loss(here.get) or by_diameter
    by_area = here[_AREA]
    known = [m.id for m in (graded, by_diameter, diameter, section) if m is not None and m.value is not None]
    told = graded.value is not None and not _of_region(graded)
    narrowed = told and thirds_grade(graded.value or 0.0) != "none"
    causes = narrowing_causes(measurements, graded) if narrowed else ()
    named = dict.fromkeys([cause for cause, _ in causes] + ([_TAPER] if _may_taper(graded) else []))
    return Finding(
        **located(graded, KIND),
        grade=thirds_grade(graded.value or 0.0) if told else "",
        cause=", ".join(named),
        certainty=narrowing_certainty(graded, by_diameter, by_area),
        statement=_statement(graded, (by_diameter, by_area), (diameter, section), tuple(named)),
        evidence=tuple(dict.fromkeys((graded.id, *known, *(id_ for _, id_ in causes)))),
        rule=RULE,
        source=SOURCE,
    )


def _statement(
    graded: Measurement,
    losses: tuple[Measurement, Measurement | None],
    sizes: tuple[Measurement | None, Measurement | None],
    named: tuple[str, ...],
) -> str:
    place, (diameter, section), (by_diameter, by_area) = where(graded), sizes, losses
    width = (
        "" if diameter is None or diameter.value is None else phrases.ANTERO_POSTERIOR_MM.format(value=diameter.value)
    )
    if graded.value is None:
        known = f" ({width})" if width else ""
        return phrases.NARROWING_THECAL_SAC.format(
            place=place, status=why_missing(graded), known=known, reason=graded.reason
        )
    if _of_region(graded):
        narrower = phrases.LESS_THAN.format(value=graded.value, reference=_reference(graded))
        return phrases.NARROWING_THECAL_SAC_NOT_ASSESSABLE.format(
            place=place, narrower=narrower, one_sided=phrases.ONE_SIDED
        )
    grade = thirds_grade(graded.value)
    borderline = phrases.BORDERLINE if narrowing_certainty(graded, *losses) is Certainty.BORDERLINE else ""
    what = phrases.NO_NARROWING if grade == "none" else phrases.GRADED.format(borderline=borderline, grade=term(grade))
    lost = phrases.REFERENCE.format(
        value=max(graded.value, 0.0), graded=_graded(graded, by_area), reference=_reference(graded)
    )
    parts = [f"{place}: {what}, {lost}"]
    healthy = "" if grade == "none" or why_not(graded) else _healthy(graded)
    parts += [f"{width}{healthy}{_thinner(graded, by_diameter)}"] if width else []
    parts += (
        [phrases.MM_AXIAL_SLICES.format(value=section.value)]
        if section is not None and section.value is not None
        else []
    )
    causes = [cause for cause in named if cause != _TAPER]
    parts += [phrases.NARROWED.format(items=", ".join(map(term, causes)))] if causes else []
    parts += [term(_TAPER)] if _TAPER in named else []
    parts += [only] if (only := _only(graded, *losses)) else []
    return f"{'; '.join(parts)}."


def _graded(graded: Measurement, by_area: Measurement | None) -> str:
    if graded.name == _AREA:
        return phrases.AREA_LOST
    if graded.name == _ON_AXIAL:
        return phrases.AREA_AXIAL_SLICES_LOST
    if by_area is not None and by_area.value is not None:
        return phrases.ANTERO_POSTERIOR_DIAMETER_LOST
    return phrases.ANTERO_POSTERIOR_DIAMETER_LOST_AREA


def _reference(graded: Measurement) -> str:
    return references(graded) + (phrases.ONE_SIDE_ONLY if "one_sided_reference" in graded.flags else "")


def _thinner(graded: Measurement, by_diameter: Measurement) -> str:
    """', 35 % less than its reference': loss of diameter above what levels vary by, where the area was graded."""
    lost = by_diameter.value
    if graded is by_diameter or lost is None or lost <= NORMAL_UP_TO_PCT:
        return ""
    return phrases.LESS_THAN_REFERENCE.format(lost=lost)


def _healthy(compromise: Measurement) -> str:
    region = compromise.level.region if compromise.level else ""
    rows = [row for row in NORMS.values() if row.name == "canal_ap" and row.place.startswith(region)]
    if not region or not rows:
        return phrases.NO_ACCEPTED_HEALTHY_RANGE_THIS
    sizes = [
        phrases.SIZE_SD.format(place=r.place, size=r.value, sd=r.sd)
        if r.sd
        else phrases.SIZE.format(place=r.place, size=r.value)
        for r in rows
    ]
    return phrases.HEALTHY_CANAL_MM.format(items=", ".join(sizes), source=rows[0].source)
