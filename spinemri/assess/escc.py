"""Epidural spinal cord compression (ESCC, Bilsky) where axial T2w slices cross a tumour in the canal beside the cord.

1a: tumour in the canal, sac not deformed. 1b: sac deformed, cord not touched. 1c: sac deformed and the cord touched.
2: cord touched and compressed, fluid still seen around it. 3: the same without fluid. Deformation, contact and fluid
are read on the axial slice; the cord's loss of diameter is that of the sagittal series, for it needs normal levels to
compare with. A cord that merely lies against a wall which nothing deforms is not graded up, and a thin one amid fluid
is not compressed. Displacement of the cord is a finding of its own and makes no grade. The errors of all four are
carried through: the lowest and the highest grade that they allow stand beside the grade, and a grade is sure only where
both are the same. Grade 0, tumour in the bone alone, is what lesions say that do not reach the canal. Tumours that no
axial slice crosses get the sagittal screen (``cord.escc_screen``) and no grade.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from spinemri.assess.cause import EPIDURAL_TUMOUR, narrowing_causes
from spinemri.assess.cord import COMPRESSED_FROM_PCT, VISIBLE_ABOVE, compression_certainty
from spinemri.assess.places import located, where
from spinemri.finding import Certainty, Finding
from spinemri.language import Phrases
from spinemri.norms import source_of, threshold

if TYPE_CHECKING:
    from collections.abc import Mapping

    from spinemri.measurement import Measurement

phrases = Phrases("assess.escc")

ESCC_GRADE = "escc"
AT_LEAST = "at least "  # before a grade that something that is not known could raise
DEFORMED_FROM_MM, CONTACT_FROM_MM = threshold("escc.deformed_from"), threshold("escc.contact_from")
RULE = (
    f"tumour in the canal, on axial T2w slices: 1a sac pressed in by less than {DEFORMED_FROM_MM:g} mm, 1b by more, 1c "
    f"the cord touched over {CONTACT_FROM_MM:g} mm of its outline as well, 2 touched and {COMPRESSED_FROM_PCT:g} % of "
    f"its sagittal diameter lost, 3 fluid along no more than {100 * VISIBLE_ABOVE:g} % of its outline as well; sure "
    "where the errors of all of these allow no other grade"
)
SOURCE = f"Bilsky et al., J Neurosurg Spine 2010;13:324; numbers: {source_of('escc.contact_from').split(';')[0]}"


class _Signs(NamedTuple):
    """Sac deformed, cord touched, cord compressed, no fluid around it."""

    deformed: bool
    touched: bool
    compressed: bool
    no_fluid: bool


class _Ends(NamedTuple):
    """Whether something holds: by the values, at the mildest and at the worst end of their errors."""

    said: bool
    mildest: bool
    worst: bool


def escc_finding(measurements: Mapping[str, Measurement], contact: Measurement) -> Finding | None:
    """The grade at one place; None where no tumour was seen in the canal.

    Parameters
    ----------
    measurements : id -> measurement
    contact : the place's ``axial_cord_contact``
    """
    tumours = [id_ for cause, id_ in narrowing_causes(measurements, contact) if cause == EPIDURAL_TUMOUR]
    names = ("axial_sac_indent", "axial_csf_ring", "cord_compression_pct")
    indent, ring, lost = (measurements.get(f"{contact.place}.{name}") for name in names)
    if not tumours or contact.value is None or indent is None or ring is None:
        return None
    parts = _reaches(indent, DEFORMED_FROM_MM), _reaches(contact, CONTACT_FROM_MM), _compressed(lost), _no_fluid(ring)
    said, mildest, worst = (_grade(_Signs(*signs)) for signs in zip(*parts, strict=True))
    unknown = lost is None or lost.value is None
    least = phrases.AT_LEAST if unknown and worst in ("2", "3") else ""
    return Finding(
        **located(contact, ESCC_GRADE),
        cause=EPIDURAL_TUMOUR,
        grade=f"{AT_LEAST if least else ''}{said}",
        certainty=Certainty.PRESENT if mildest == worst else Certainty.BORDERLINE,
        statement=(
            phrases.TUMOUR_CANAL_EPIDURAL_SPINAL_CORD.format(
                where=where(contact),
                least=least,
                said=said,
                range=_range(mildest, worst),
                seen=_seen(indent, contact, ring, lost),
            )
        ),
        evidence=(contact.id, indent.id, ring.id, *([] if lost is None or unknown else [lost.id]), *tumours),
        rule=RULE,
        source=SOURCE,
    )


def _grade(signs: _Signs) -> str:
    if signs.touched and signs.compressed:
        return "3" if signs.no_fluid else "2"
    if not signs.deformed:
        return "1a"
    return "1c" if signs.touched else "1b"


def _reaches(measurement: Measurement, limit: float) -> _Ends:
    value = measurement.value or 0.0
    low, high = measurement.interval or (value, value)
    return _Ends(value >= limit, low >= limit, high >= limit)


def _no_fluid(ring: Measurement) -> _Ends:
    share = ring.value or 0.0
    low, high = ring.interval or (share, share)
    return _Ends(share <= VISIBLE_ABOVE, high <= VISIBLE_ABOVE, low <= VISIBLE_ABOVE)


def _compressed(lost: Measurement | None) -> _Ends:
    """Of a cord whose diameter was not compared, anything may be."""
    if lost is None or lost.value is None:
        return _Ends(said=False, mildest=False, worst=True)
    certainty = compression_certainty(lost)
    sure, possible = certainty is Certainty.PRESENT, certainty in (Certainty.PRESENT, Certainty.BORDERLINE)
    return _Ends(possible and lost.value >= COMPRESSED_FROM_PCT, sure, possible)


def _range(mildest: str, worst: str) -> str:
    return "" if mildest == worst else phrases.WITHIN_ERROR_MEASUREMENT.format(mildest=mildest, worst=worst)


def _seen(indent: Measurement, contact: Measurement, ring: Measurement, lost: Measurement | None) -> str:
    """'sac pressed in by 2.1 mm, cord touched over 4.0 mm, fluid along 60 % of its outline, 4 % thinner'."""
    fluid = phrases.FLUID_ALONG_OUTLINE.format(value=100 * (ring.value or 0.0))
    thinner = (
        phrases.LOSS_DIAMETER_NOT_KNOWN
        if lost is None or lost.value is None
        else phrases.THINNER.format(value=max(lost.value, 0.0))
    )
    touched = phrases.CORD_TOUCHED_OVER_MM.format(value=contact.value or 0.0)
    return phrases.SAC_PRESSED_MM.format(
        value=max(indent.value or 0.0, 0.0), touched=touched, fluid=fluid, thinner=thinner
    )
