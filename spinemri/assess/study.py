"""Every finding of a study, from its measurements alone: one per place and kind, the normal ones included."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spinemri.assess.fracture import KIND as HEIGHT_LOSS
from spinemri.assess.fracture import height_loss_finding
from spinemri.assess.stenosis import KIND as NARROWING
from spinemri.assess.stenosis import narrowing_finding

if TYPE_CHECKING:
    from collections.abc import Iterable

    from spinemri.finding import Finding
    from spinemri.measurement import Measurement

RULES = {
    "height_loss_pct": (HEIGHT_LOSS, height_loss_finding),
    "dural_sac_compromise_pct": (NARROWING, narrowing_finding),
}
"""Name of the deciding measurement -> kind of finding, and the function that grades it."""


def assess(measurements: Iterable[Measurement]) -> tuple[Finding, ...]:
    """Findings of a study, in the order of the measurements: height losses head to foot, then sac narrowing.

    A normal place yields a finding with certainty ABSENT, so that a report can say what was looked at and was normal;
    a place that could not be measured yields NOT_ASSESSABLE with the reason in its statement.
    """
    by_id = {m.id: m for m in measurements}
    return tuple(RULES[m.name][1](by_id, m) for m in by_id.values() if m.name in RULES)
