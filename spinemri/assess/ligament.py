"""Raised signal of the posterior ligaments: oedema or degeneration, which are not told apart; never a torn ligament.

The signal between two spinous processes counts as raised from twice that of muscle with the whole 95 % interval, and as
borderline while the interval reaches below. No publication gives a limit; what is raised may be a sprain, a bursa
between processes that rub, wear, or a tear. That a signal is not raised does not show that the ligaments are whole.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from spinemri.assess.certainty import reached
from spinemri.assess.places import located, why_missing
from spinemri.finding import Certainty, Finding
from spinemri.language import Phrases
from spinemri.norms import source_of, threshold

if TYPE_CHECKING:
    from collections.abc import Mapping

    from spinemri.measurement import Measurement

phrases = Phrases("assess.ligament")

KIND = "posterior_ligament_signal"
RAISED_FROM = threshold("ligament.raised_from")
RULE = (
    f"signal between the spinous processes on STIR or fat-suppressed T2w from {RAISED_FROM:g} times that of muscle "
    "raised; borderline while its 95 % interval reaches below"
)


def ligament_finding(_: Mapping[str, Measurement], ratio: Measurement) -> Finding:
    """The finding between two neighbours, from the place's ``posterior_ligament_ratio``."""
    certainty = reached(ratio, RAISED_FROM)
    return Finding(
        **located(ratio, KIND),
        grade={Certainty.ABSENT: "not raised", Certainty.NOT_ASSESSABLE: ""}.get(certainty, "raised"),
        certainty=certainty,
        statement=_statement(ratio, certainty),
        evidence=(ratio.id,),
        rule=RULE,
        source=source_of("ligament.raised_from"),
    )


def _statement(ratio: Measurement, certainty: Certainty) -> str:
    if ratio.value is None:
        return phrases.POSTERIOR_LIGAMENTS.format(place=ratio.place, status=why_missing(ratio), reason=ratio.reason)
    size = phrases.TIMES_MUSCLE.format(value=ratio.value)
    if certainty is Certainty.ABSENT:
        return phrases.SIGNAL_BETWEEN_SPINOUS_PROCESSES_NOT.format(place=ratio.place, size=size)
    perhaps = phrases.PERHAPS if certainty is Certainty.BORDERLINE else ""
    return phrases.SIGNAL_BETWEEN_SPINOUS_PROCESSES_RAISED.format(
        place=ratio.place, perhaps=perhaps, size=size, unproved=phrases.UNPROVED
    )
