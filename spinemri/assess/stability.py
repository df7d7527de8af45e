"""The Spinal Instability Neoplastic Score of a level, as an interval.

The sum of the components (``sins.py``) is stable up to 6, potentially unstable from 7 to 12, unstable from 13 to 18. A
category is given only when both ends of the interval agree; an unknown component is never taken for 0.
Source: Fisher et al., Spine 2010;35:E1221; table as in ACR/RSNA RDES21.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from spinemri.assess.fracture import FRACTURE_FROM_PCT
from spinemri.assess.sins import (
    HALF_COLLAPSED_FROM_PCT,
    Component,
    alignment,
    bone_lesion,
    collapse,
    location,
    pain,
    points_range,
    posterolateral,
)
from spinemri.clinical import Answer
from spinemri.finding import Certainty, Finding
from spinemri.language import Phrases
from spinemri.norms import source_of, threshold
from spinemri.terms import score_text

if TYPE_CHECKING:
    from spinemri.anatomy import Level
    from spinemri.assess.evidence import Evidence

phrases = Phrases("assess.stability")

KIND = "sins"
TUMOUR, FRACTURE = "tumour-like lesion", "height loss without a tumour-like lesion; counts only if neoplastic"
POTENTIALLY_UNSTABLE_FROM = int(threshold("sins.potentially_unstable_from"))
UNSTABLE_FROM = int(threshold("sins.unstable_from"))
MOST = int(threshold("sins.most"))
RULE = (
    f"SINS, six components; an unknown one counts from its least to its most points; potentially unstable from "
    f"{POTENTIALLY_UNSTABLE_FROM}, unstable from {UNSTABLE_FROM}, named only when both ends agree; collapse from "
    f"{FRACTURE_FROM_PCT:g} % of height, more than half from {HALF_COLLAPSED_FROM_PCT:g} % on"
)
SOURCE = source_of("sins.unstable_from")


@dataclass(frozen=True)
class Sins:
    """The score of one level."""

    level: Level
    components: tuple[Component, ...]
    tumour_like: bool

    @property
    def low(self) -> int:
        """Sum with the least points of every component."""
        return sum(c.low for c in self.components)

    @property
    def high(self) -> int:
        """Sum with the most points of every component."""
        return sum(c.high for c in self.components)

    @property
    def category(self) -> str:
        """'stable', 'potentially unstable' or 'unstable'; '' when the ends of the interval disagree."""
        low, high = sins_category(self.low), sins_category(self.high)
        return low if low == high else ""

    @property
    def grade(self) -> str:
        """'7-12 of 18, potentially unstable', or that the category is not determined: a code, whatever the language."""
        if not self.category:
            return f"interval {points_range(self.low, self.high)}: category not determined"
        return f"{points_range(self.low, self.high)} of {MOST}, {self.category}"

    @property
    def said(self) -> str:
        """The same in the words of the language."""
        return score_text(self.grade)


def sins_category(points: int) -> str:
    """The category of a sum of points."""
    if points >= UNSTABLE_FROM:
        return "unstable"
    return "potentially unstable" if points >= POTENTIALLY_UNSTABLE_FROM else "stable"


def sins_scores(evidence: Evidence) -> tuple[Sins, ...]:
    """Scores of every level with a tumour-like lesion, the highest first; of fractures too where a cancer is known.

    The score is made for neoplastic disease: in a patient without it, it would only alarm.
    """
    tumours = {level for lesion in evidence.tumour_like for level in lesion.levels}
    cancer = evidence.clinical.known_cancer is Answer.YES
    broken = {level for level, _ in evidence.bodies_from(FRACTURE_FROM_PCT)} if cancer else set()
    scores = [sins(evidence, level, tumour_like=level in tumours) for level in {*tumours, *broken}]
    return tuple(sorted(scores, key=lambda s: (-s.low, -s.high, s.level.rank)))


def sins(evidence: Evidence, level: Level, *, tumour_like: bool = True) -> Sins:
    """The score of one level."""
    own = tuple(lesion for lesion in evidence.tumour_like if level in lesion.levels)
    components = (
        location(level),
        pain(evidence.clinical),
        bone_lesion(evidence.clinical, level),
        alignment(evidence, level),
        collapse(evidence, level, own),
        posterolateral(evidence, level, own),
    )
    return Sins(level, components, tumour_like)


def sins_findings(evidence: Evidence) -> tuple[Finding, ...]:
    """One finding per scored level, the highest first; one for the study where no level is scored."""
    return tuple(_finding(score) for score in sins_scores(evidence)) or (_nothing(evidence),)


def _finding(score: Sins) -> Finding:
    unstable = Certainty.PRESENT if score.tumour_like else Certainty.BORDERLINE
    certainty = {"": Certainty.BORDERLINE, "stable": Certainty.ABSENT}.get(score.category, unstable)
    advice = (
        ""
        if score.high < POTENTIALLY_UNSTABLE_FROM
        else (phrases.FROM_SCORE_S_AUTHORS_ADVISE.format(limit=POTENTIALLY_UNSTABLE_FROM))
    )
    caution = "" if score.tumour_like else phrases.NO_TUMOUR_LIKE_LESION_THERE
    parts = "; ".join(c.text for c in score.components)
    return Finding(
        id=f"{score.level}.{KIND}",
        kind=KIND,
        levels=(score.level,),
        cause=TUMOUR if score.tumour_like else FRACTURE,
        grade=score.grade,
        certainty=certainty,
        statement=phrases.SCORE.format(
            level=score.level, grade=score.said, parts=parts, advice=advice, caution=caution
        ),
        evidence=tuple(dict.fromkeys(id_ for c in score.components for id_ in c.evidence)),
        rule=RULE,
        source=SOURCE,
    )


def _nothing(evidence: Evidence) -> Finding:
    """That no level is scored: there is none to score, or nobody could have seen one."""
    looked = evidence.searched and bool(evidence.named("height_loss_pct"))
    why = phrases.MARROW_NOT_SEARCHED if not evidence.searched else phrases.NO_HEIGHT_LOSS_MEASURED
    text = phrases.NO_LEVEL_WITH_TUMOUR_LIKE if looked else phrases.NOT_ASSESSABLE.format(why=why)
    certainty = Certainty.ABSENT if looked else Certainty.NOT_ASSESSABLE
    return Finding(
        id=KIND, kind=KIND, certainty=certainty, statement=phrases.NO_SCORE.format(text=text), rule=RULE, source=SOURCE
    )
