"""Verdicts on findings, and the record of the whole review.

A rejected finding is left out, and what it rests on at its own place is no evidence for any other finding: a reader who
rejects a height loss does not want it in a score. The measurement itself stays, with a flag. A corrected finding stays
as it is; the reader's words stand beside it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from spinemri.anatomy import StructureKind
from spinemri.language import Phrases
from spinemri.measurement import Measurement, Status
from spinemri.review import FINDING_REJECTED, AppliedReview, Target, Verdict
from spinemri.revise.reading import phrases as read

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from spinemri.anatomy import Level
    from spinemri.finding import Finding
    from spinemri.review import Outcome
    from spinemri.revise.reading import Revised

    Measurements = tuple[Measurement, ...]
    Findings = tuple[Finding, ...]

phrases = Phrases("revise.verdicts")

_JUDGE_OTHERS = ("flag_", "sins", "fracture_cause", "of_class", "tumour_infection_osteoporosis", "protocol", "lesion_")
"""Beginnings of kinds that are concluded from what others rest on: rejecting the conclusion says nothing of that."""


@dataclass(frozen=True)
class Judged:
    """Measurements and findings after a review, and its record; None without one."""

    measurements: Measurements
    findings: Findings
    review: AppliedReview | None = None


def judged(seen: Revised, measurements: Measurements, assess: Callable[[Measurements], Findings]) -> Judged:
    """Findings of a study when a reader's verdicts hold.

    Parameters
    ----------
    seen : what was measured
    measurements : of it
    assess : the findings that measurements give
    """
    known = tuple(m if (why := _withheld(m, seen.unmeasured)) is None else _absent(m, why) for m in measurements)
    findings = assess(known)
    if seen.review is None:
        return Judged(known, findings)
    last = _last_word(seen.outcomes)
    found = {finding.id: finding for finding in findings}
    rejected = [found[id_] for id_, o in last.items() if o.decision.verdict is Verdict.REJECT and id_ in found]
    doubted = {id_ for finding in rejected for id_ in _own_evidence(finding, known)}
    if doubted:
        findings = assess(tuple(_absent(m, phrases.WITHHELD) if m.id in doubted else m for m in known))
    left_out = {finding.id for finding in rejected}
    outcomes = tuple(_told(outcome, last, found) for outcome in seen.outcomes)
    changed = tuple((was, now) for was, now in seen.renamed if was != now)
    return Judged(
        tuple(m.model_copy(update={"flags": (*m.flags, FINDING_REJECTED)}) if m.id in doubted else m for m in known),
        tuple(finding for finding in findings if finding.id not in left_out),
        AppliedReview(review=seen.review, levels=changed, outcomes=outcomes),
    )


def _withheld(measurement: Measurement, unmeasured: Mapping[Level, str]) -> str | None:
    """Why there is no number: at a rejected name, the discs beside it included; lesions there keep theirs."""
    if measurement.kind is StructureKind.LESION:
        return None
    reasons = {level: unmeasured[level] for level in measurement.levels if level in unmeasured}
    return next(
        (why for level, why in reasons.items() if why == read.NAME_REJECTED or level == measurement.level), None
    )


def _absent(measurement: Measurement, reason: str) -> Measurement:
    update = {"value": None, "interval": None, "points": (), "reference_levels": (), "reason": reason}
    return measurement.model_copy(update={**update, "status": Status.EXCLUDED})


def _last_word(outcomes: Sequence[Outcome]) -> dict[str, Outcome]:
    """Id of each finding that was judged -> its last verdict: a later review overrules an earlier one."""
    return {o.now: o for o in outcomes if o.decision.target is Target.FINDING and o.now}


def _own_evidence(finding: Finding, measurements: Measurements) -> list[str]:
    """What a finding rests on at its own levels, unless it is a conclusion from what other findings rest on."""
    if finding.kind.startswith(_JUDGE_OTHERS):
        return []
    by_id = {m.id: m for m in measurements}
    own = [by_id[id_] for id_ in finding.evidence if id_ in by_id]
    return [m.id for m in own if m.kind is not StructureKind.LESION and {*m.levels} <= {*finding.levels}]


def _told(outcome: Outcome, last: Mapping[str, Outcome], found: Mapping[str, Finding]) -> Outcome:
    """What became of a verdict on a finding; others are told already."""
    if outcome.decision.target is not Target.FINDING:
        return outcome
    finding = found.get(outcome.now)
    if finding is None:
        return outcome.model_copy(update={"now": "", "reason": phrases.GONE_NOW})
    if last[outcome.now] is not outcome:
        return outcome.model_copy(update={"reason": phrases.LATER_REVIEW_JUDGED_AGAIN})
    gone = outcome.decision.verdict is Verdict.REJECT
    return outcome.model_copy(update={"now": "" if gone else outcome.now, "was": finding.statement})
