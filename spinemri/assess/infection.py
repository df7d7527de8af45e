"""Tumour, infection or osteoporosis: what speaks for and against each of the three in one study.

Typical infection takes two neighbouring vertebrae and the disc between them. Disc involvement raises infection in the
differential and never excludes tumour: a carcinoma may involve a disc. What was not measured speaks for nothing.
Source: Hong, Korean J Radiol 2016;17:565; Salaffi et al. 2021; review in AJNR 2018;39:1584.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

from spinemri.assess.fracture import FRACTURE_FROM_PCT
from spinemri.assess.fracture_cause import BENIGN, MALIGNANT, fracture_causes
from spinemri.assess.lesion import BULGE_MM, CONTACT_PCT, SPREAD_MM3
from spinemri.clinical import Answer
from spinemri.finding import Certainty, Finding
from spinemri.lesion import MarrowChange as Kind

if TYPE_CHECKING:
    from spinemri.assess.evidence import Evidence
    from spinemri.assess.lesion import Entity, Signs
    from spinemri.lesion import Lesion

    Judged = tuple[Lesion, Signs, tuple[Entity, ...]]

KIND = "tumour_infection_osteoporosis"
TUMOUR, INFECTION, OSTEOPOROSIS = "tumour", "infection", "osteoporotic fracture"
RULE = (
    "signs for and against tumour, infection and osteoporotic fracture are listed; each with a sign for it is to be "
    "considered; an involved disc raises infection and never excludes tumour"
)
SOURCE = "Hong, Korean J Radiol 2016;17:565; Salaffi et al. 2021; AJNR 2018;39:1584"


@dataclass(frozen=True)
class Cause:
    """One of the three causes with what speaks for and against it."""

    name: str
    speaks_for: tuple[str, ...]
    speaks_against: tuple[str, ...]

    @property
    def text(self) -> str:
        """'infection: for: disc bright; against: one vertebra only'."""
        favours, against = (", ".join(words) or "nothing" for words in (self.speaks_for, self.speaks_against))
        return f"{self.name}: for: {favours}; against: {against}"


def causes(evidence: Evidence) -> tuple[Cause, Cause, Cause]:
    """Tumour, infection and osteoporosis, in this order."""
    return _tumour(evidence), _infection(evidence), _osteoporosis(evidence)


def infection_raised(evidence: Evidence) -> bool:
    """Whether any sign on the images speaks for infection."""
    return bool(_signs_of_infection(evidence))


def cause_finding(evidence: Evidence) -> Finding:
    """The differential of a study, or that there is nothing to explain, or that nobody could say."""
    common = {"id": KIND, "kind": KIND, "rule": RULE, "source": SOURCE}
    broken = evidence.bodies_from(FRACTURE_FROM_PCT)
    concerned = _concerned(evidence)
    if not evidence.searched:
        text = "Tumour, infection or osteoporosis: not assessable, the marrow was not searched."
        return Finding(certainty=Certainty.NOT_ASSESSABLE, statement=text, **common)
    if not concerned and not broken:
        text = "No marrow change or deformity that calls for telling tumour, infection and osteoporosis apart."
        return Finding(certainty=Certainty.ABSENT, statement=text, **common)
    found = causes(evidence)
    named = ", ".join(cause.name for cause in found if cause.speaks_for) or "none of the three favoured"
    levels = {level for lesion, _, _ in concerned for level in lesion.levels} | {level for level, _ in broken}
    return Finding(
        levels=tuple(sorted(levels, key=lambda level: (level.is_relative, level.rank))),
        grade=named,
        certainty=Certainty.BORDERLINE,
        statement=f"To be considered: {named}. {'. '.join(c.text[0].upper() + c.text[1:] for c in found)}.",
        evidence=tuple(
            chain((f"{v.id}.lesion_volume" for v, _, _ in concerned), (f"{v}.height_loss_pct" for v, _ in broken))
        ),
        **common,
    )


def _concerned(evidence: Evidence) -> tuple[Judged, ...]:
    """Lesions that may be a tumour, an infection (first, or named beside a bright disc) or a fracture.

    Beside every pair of degenerate endplates discitis is named among others: that alone is no reason to worry.
    """
    tumours = {lesion.id for lesion in evidence.tumour_like}

    def concerns(one: Judged) -> bool:
        lesion, signs, entities = one
        named = signs.disc_involved and any(entity.kind is Kind.DISCITIS for entity in entities)
        return lesion.id in tumours or named or entities[0].kind in (Kind.DISCITIS, Kind.FRACTURE_OEDEMA)

    return tuple(one for one in evidence.judged if concerns(one))


def _signs_of_infection(evidence: Evidence) -> tuple[str, ...]:
    """Signs on the images: the disc, both of its sides, its endplates, and what lies beside it."""
    near = _concerned(evidence)
    disc = [signs for _, signs, _ in near if signs.disc_involved]
    paired = any(signs.mirror for _, signs, _ in near)
    return _listed(
        ("two neighbouring vertebrae at one disc", paired),
        ("disc bright", bool(disc)),
        ("endplate-based", any(s.contact_pct >= CONTACT_PCT for s in disc) or (paired and _based(near))),
        ("soft tissue beside an involved disc", any(s.soft_tissue_mm3 >= SPREAD_MM3 for s in disc)),
        ("signal of discitis", any(lesion.kind is Kind.DISCITIS for lesion, _, _ in near)),
    )


def _based(near: tuple[Judged, ...]) -> bool:
    return any(signs.mirror and signs.contact_pct >= CONTACT_PCT for _, signs, _ in near)


def _infection(evidence: Evidence) -> Cause:
    near = _concerned(evidence)
    fever = evidence.clinical.fever_or_infection_signs
    ratios = [signs.disc_ratio for _, signs, _ in near if signs.disc_ratio is not None]
    favours = (*_signs_of_infection(evidence), *_listed(("fever or signs of infection", fever is Answer.YES)))
    against = _listed(
        ("no marrow change that suggests it", not near),
        ("no two neighbouring vertebrae at one disc", bool(near) and not any(s.mirror for _, s, _ in near)),
        ("discs beside lesions not bright", bool(ratios) and not any(s.disc_involved for _, s, _ in near)),
        ("no fever or signs of infection", fever is Answer.NO),
    )
    return Cause(INFECTION, favours, against)


def _tumour(evidence: Evidence) -> Cause:
    """Every lesion that may be one counts; an involved disc is never among what speaks against it."""
    own = [(lesion, signs) for lesion, signs, _ in evidence.judged if lesion in evidence.perhaps_tumour]
    signs = [s for _, s in own]
    likely = bool(evidence.tumour_like)
    cancer = evidence.clinical.known_cancer
    favours = _listed(
        ("tumour-like lesion", likely),
        ("lesion that may be a tumour", bool(own) and not likely),
        ("several vertebrae", len({lesion.level for lesion, _ in own}) > 1),
        ("pedicle or arch involved", any(s.pedicle for s in signs)),
        ("convex posterior border", any(s.bulge_mm >= BULGE_MM for s in signs)),
        ("epidural mass", any(s.epidural_mm3 >= SPREAD_MM3 for s in signs)),
        ("disc beside a lesion spared", any(s.disc_ratio is not None and not s.disc_involved for s in signs)),
        ("fracture with mainly malignant features", _any_fracture(evidence, MALIGNANT)),
        ("known cancer", cancer is Answer.YES),
    )
    against = _listed(
        ("no lesion that may be a tumour", not own),
        ("lesions mirror each other at a disc", any(s.mirror for s in signs)),
        ("no cancer known", cancer is Answer.NO),
    )
    return Cause(TUMOUR, favours, against)


def _osteoporosis(evidence: Evidence) -> Cause:
    broken = {level for level, _ in evidence.bodies_from(FRACTURE_FROM_PCT)}
    held = {level for lesion in evidence.tumour_like for level in lesion.levels}
    whole = {m.level for m in evidence.named("height_loss_pct")} - broken
    weak = evidence.clinical.osteoporosis
    favours = _listed(
        ("fracture-level deformity without a tumour-like lesion", bool(broken & set(evidence.screen.assessed) - held)),
        ("fracture with mainly benign features", _any_fracture(evidence, BENIGN)),
        ("signal of a benign fracture", any(e[0].kind is Kind.FRACTURE_OEDEMA for _, _, e in evidence.judged)),
        ("known osteoporosis", weak is Answer.YES and bool(broken)),
    )
    against = _listed(
        ("no fracture-level deformity", not broken and bool(evidence.named("height_loss_pct"))),
        ("fracture with mainly malignant features", _any_fracture(evidence, MALIGNANT)),
        ("tumour-like lesion in a body without deformity", bool(held & whole)),
        ("no osteoporosis known", weak is Answer.NO),
    )
    return Cause(OSTEOPOROSIS, favours, against)


def _any_fracture(evidence: Evidence, category: str) -> bool:
    return any(cause.category == category for cause in fracture_causes(evidence))


def _listed(*rows: tuple[str, bool]) -> tuple[str, ...]:
    return tuple(words for words, present in rows if present)
