"""A vertebral body that lost a fifth of its height is called a fracture-level deformity, graded after Genant.

Below 15 % there is no relevant loss; 15 to 20 % is equivocal; from 20 % on the deformity is of fracture level, grade 1
in [20, 25), grade 2 in [25, 40], grade 3 above 40 %. The column that lost most names the type: anterior wedge, middle
biconcave, posterior crush. Human readers agree to about 4.5 points (standard error), so a loss that close to a
threshold is borderline. Shape alone cannot tell a fracture from Scheuermann's disease, a Schmorl node, or a
degenerative or congenital wedge; that is why a grade is only 'Genant-equivalent'.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from spinemri.assess.adult import CHILD, why_not
from spinemri.assess.certainty import reached
from spinemri.assess.places import why_missing
from spinemri.finding import Certainty, Finding
from spinemri.language import Phrases
from spinemri.measurement import SERIES_DIFFER
from spinemri.norms import norm, source_of, threshold
from spinemri.terms import term

if TYPE_CHECKING:
    from collections.abc import Mapping

    from spinemri.measurement import Measurement

phrases = Phrases("assess.fracture")

KIND = "vertebral_height_loss"
EQUIVOCAL_FROM_PCT = threshold("height_loss.equivocal_from")
FRACTURE_FROM_PCT = threshold("height_loss.fracture_from")
MODERATE_FROM_PCT = threshold("height_loss.moderate_from")
SEVERE_ABOVE_PCT = threshold("height_loss.severe_above")
BORDERLINE_WITHIN = threshold("height_loss.reader_error")

RULE = (
    f"height loss against intact bodies: below {EQUIVOCAL_FROM_PCT:g} % none, {EQUIVOCAL_FROM_PCT:g} to "
    f"{FRACTURE_FROM_PCT:g} % equivocal, from {FRACTURE_FROM_PCT:g} % fracture-level deformity; Genant-equivalent "
    f"grade 1 in [{FRACTURE_FROM_PCT:g}, {MODERATE_FROM_PCT:g}), 2 in [{MODERATE_FROM_PCT:g}, {SEVERE_ABOVE_PCT:g}], "
    f"3 above {SEVERE_ABOVE_PCT:g} %; borderline within {BORDERLINE_WITHIN:g} points of a threshold, or where the "
    f"interval of the loss reaches below {FRACTURE_FROM_PCT:g} % or the other series differ; "
    "non-fracture mimics (Scheuermann, Schmorl, degenerative, congenital) not checked"
)
SOURCE = f"{source_of('height_loss.fracture_from')}; reader error: {source_of('height_loss.reader_error')}"
TYPES = {"anterior": "wedge", "middle": "biconcave", "posterior": "crush"}


def genant_grade(loss_pct: float) -> int:
    """Genant-equivalent grade 0 to 3 of a height loss in percent."""
    if loss_pct > SEVERE_ABOVE_PCT:
        return 3
    if loss_pct >= MODERATE_FROM_PCT:
        return 2
    return int(loss_pct >= FRACTURE_FROM_PCT)


def height_loss_certainty(loss: Measurement) -> Certainty:
    """Whether a fracture-level deformity is present: sure only when the loss is further than 4.5 points from 20 %.

    And its own 95 % interval, which counts how much healthy bodies differ, must not reach below 20 %, nor the other
    series show another loss. The whole equivocal band from 15 % up is borderline.
    """
    if loss.value is None:
        return Certainty.NOT_ASSESSABLE
    if loss.value < EQUIVOCAL_FROM_PCT:
        return Certainty.ABSENT
    apart = loss.value >= FRACTURE_FROM_PCT + BORDERLINE_WITHIN
    alone = SERIES_DIFFER in loss.flags
    sure = apart and not alone and reached(loss, FRACTURE_FROM_PCT) is Certainty.PRESENT
    return Certainty.PRESENT if sure else Certainty.BORDERLINE


def grades_within_error(loss_pct: float) -> tuple[int, int]:
    """Lowest and highest grade of a loss that is wrong by up to 4.5 points."""
    return genant_grade(loss_pct - BORDERLINE_WITHIN), genant_grade(loss_pct + BORDERLINE_WITHIN)


def height_loss_finding(measurements: Mapping[str, Measurement], loss: Measurement) -> Finding:
    """The finding of one body.

    Parameters
    ----------
    measurements : id -> measurement
    loss : the body's ``height_loss_pct``
    """
    common = {"kind": KIND, "rule": RULE, "source": SOURCE}
    levels = (loss.level,) if loss.level else ()
    if loss.value is None:
        why = why_missing(loss)
        text = phrases.HEIGHT_LOSS.format(place=loss.place, why=why, reason=loss.reason)
        return Finding(
            id=f"{loss.place}.{KIND}",
            levels=levels,
            certainty=Certainty.NOT_ASSESSABLE,
            statement=text,
            evidence=(loss.id,),
            **common,
        )
    child = CHILD in loss.flags
    parts = {c: measurements.get(f"{loss.place}.height_loss_{c}_pct") for c in TYPES}
    known = {c: m.value for c, m in parts.items() if m is not None and m.value is not None}
    column = max(known, key=lambda c: known[c]) if known else "anterior"
    names = (*(f"height_loss_{c}_pct" for c in TYPES), *(f"{c}_height" for c in TYPES), "wedge_ratio")
    evidence = [loss.id, *(id_ for n in names if (id_ := f"{loss.place}.{n}") in measurements)]
    return Finding(
        id=f"{loss.place}.{KIND}",
        levels=levels,
        grade="" if child else str(genant_grade(loss.value)),
        cause=TYPES[column] if loss.value >= EQUIVOCAL_FROM_PCT else "",
        certainty=_certainty(loss, child=child),
        statement=_statement(loss, loss.value, column) + _wedge_note(measurements, loss),
        evidence=tuple(evidence),
        **common,
    )


def _certainty(loss: Measurement, *, child: bool) -> Certainty:
    """As in adults, but never sure of a deformity in a child, whose bodies are wedged by nature."""
    sure = height_loss_certainty(loss)
    return Certainty.BORDERLINE if child and sure is Certainty.PRESENT else sure


def _statement(loss: Measurement, value: float, column: str) -> str:
    where = phrases.REFERENCE.format(column=term(column), items=", ".join(str(v) for v in loss.reference_levels))
    if value < EQUIVOCAL_FROM_PCT:
        return phrases.NO_RELEVANT_HEIGHT_LOSS.format(place=loss.place, value=max(value, 0.0), where=where)
    if value < FRACTURE_FROM_PCT:
        return phrases.HEIGHT_LOSS_EQUIVOCAL_BELOW_FRACTURE.format(
            place=loss.place, value=value, where=where, shape=term(TYPES[column])
        )
    if CHILD in loss.flags:
        return phrases.HEIGHT_LOSS_POSSIBLE_DEFORMITY_SHAPE.format(
            place=loss.place, value=value, where=where, shape=term(TYPES[column]), why=why_not(loss)
        )
    low, high = grades_within_error(value)
    error = "" if low == high else phrases.WITHIN_READER_ERROR.format(low=low, high=high)
    borderline = phrases.BORDERLINE if height_loss_certainty(loss) is Certainty.BORDERLINE else ""
    alone = phrases.OTHER_SERIES_DO_NOT_SHOW if SERIES_DIFFER in loss.flags else ""
    return phrases.HEIGHT_LOSS_FRACTURE_LEVEL_DEFORMITY.format(
        place=loss.place,
        value=value,
        where=where,
        borderline=borderline,
        grade=genant_grade(value),
        error=error,
        shape=term(TYPES[column]),
        alone=alone,
    )


def _wedge_note(measurements: Mapping[str, Measurement], loss: Measurement) -> str:
    """A sentence on a body that is wedged to the front more than 95 % of healthy ones, where there is a norm."""
    ratio = measurements.get(f"{loss.place}.wedge_ratio")
    healthy = norm("wedge_ratio", str(loss.level))
    if ratio is None or ratio.value is None or why_not(ratio) or healthy is None or healthy.sd is None:
        return ""
    z = (ratio.value - healthy.value) / healthy.sd
    if z > -2:
        return ""
    return phrases.ANTERIOR_POSTERIOR_HEIGHT_RATIO_SD.format(
        value=ratio.value, deviations=-z, mean=healthy.value, source=healthy.source
    )
