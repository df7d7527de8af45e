"""Tumour, infection or osteoporosis: what speaks for and against each of the three in one study.

Typical infection takes two neighbouring vertebrae and the disc between them. A pair across a disc that is not bright is
degenerative as a rule: it raises infection only with soft tissue beside it, and where the disc's signal was not
measured infection cannot be told. Disc involvement raises infection in the differential and never excludes tumour: a
carcinoma may involve a disc. What was not measured speaks for nothing. Loss of endplates and enhancement of the disc,
which would raise infection too, are not measured.
Source: Hong, Korean J Radiol 2016;17:565; Salaffi et al. 2021; review in AJNR 2018;39:1584.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

from spinemri.assess.fracture import FRACTURE_FROM_PCT
from spinemri.assess.fracture_cause import BENIGN, MALIGNANT, fracture_causes
from spinemri.assess.places import head_to_foot
from spinemri.clinical import Answer
from spinemri.finding import Certainty, Finding
from spinemri.language import Phrases
from spinemri.lesion import MarrowChange as Kind
from spinemri.terms import term

if TYPE_CHECKING:
    from spinemri.anatomy import Level
    from spinemri.assess.evidence import Evidence
    from spinemri.assess.lesion import Entity, Signs
    from spinemri.lesion import Lesion

    Judged = tuple[Lesion, Signs, tuple[Entity, ...]]

phrases = Phrases("assess.infection")

KIND = "tumour_infection_osteoporosis"
TUMOUR, INFECTION, OSTEOPOROSIS = "tumour", "infection", "osteoporotic fracture"
RULE = (
    "signs for and against tumour, infection and osteoporotic fracture are listed; each with a sign for it is to be "
    "considered; an involved disc raises infection and never excludes tumour; a pair across a disc raises infection "
    "only with a bright disc or soft tissue beside it, and cannot be told where the disc was not measured; loss of "
    "endplates and enhancement of the disc are not looked at"
)
SOURCE = "Hong, Korean J Radiol 2016;17:565; Salaffi et al. 2021; AJNR 2018;39:1584"


@dataclass(frozen=True)
class Cause:
    """One of the three causes with what speaks for and against it, and the signs that nobody knows."""

    name: str
    speaks_for: tuple[str, ...]
    speaks_against: tuple[str, ...]
    not_measured: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """'infection: for: disc bright; against: one vertebra only; not measured: epidural mass'."""
        favours, against = (", ".join(words) or phrases.NOTHING for words in (self.speaks_for, self.speaks_against))
        gaps = phrases.NOT_MEASURED.format(items=", ".join(self.not_measured)) if self.not_measured else ""
        return phrases.AGAINST.format(name=term(self.name), favours=favours, against=against, gaps=gaps)


def causes(evidence: Evidence) -> tuple[Cause, Cause, Cause]:
    """Tumour, infection and osteoporosis, in this order."""
    return _tumour(evidence), _infection(evidence), _osteoporosis(evidence)


def discitis_features(lesion: Lesion, signs: Signs, entities: tuple[Entity, ...]) -> bool | None:
    """Whether a lesion has features of discitis; None where what would tell was not measured.

    They are a bright disc, soft tissue beside a pair across a disc, or that the network calls it discitis first, unless
    the rules say degeneration instead.
    """
    return True if lesion.kind is entities[0].kind is Kind.DISCITIS else signs.infection


def infection_raised(evidence: Evidence) -> bool:
    """Whether any sign on the images speaks for infection."""
    return bool(_signs_of_infection(evidence))


def cause_finding(evidence: Evidence) -> Finding:
    """The differential of a study, or that there is nothing to explain, or that nobody could say."""
    common = {"id": KIND, "kind": KIND, "rule": RULE, "source": SOURCE}
    broken = evidence.bodies_from(FRACTURE_FROM_PCT)
    concerned = _concerned(evidence)
    if not evidence.searched:
        text = phrases.TUMOUR_INFECTION_OR_OSTEOPOROSIS_NOT
        return Finding(certainty=Certainty.NOT_ASSESSABLE, statement=text, **common)
    if not concerned and not broken and (untold := _levels(_untold(evidence))):
        where = ", ".join(map(str, untold))
        text = phrases.INFECTION_CANNOT_TOLD_FROM_DEGENERATIVE.format(where=where)
        return Finding(levels=untold, certainty=Certainty.NOT_ASSESSABLE, statement=text, **common)
    if not concerned and not broken:
        text = phrases.NO_MARROW_CHANGE_OR_DEFORMITY
        return Finding(certainty=Certainty.ABSENT, statement=text, **common)
    found = causes(evidence)
    named = ", ".join(cause.name for cause in found if cause.speaks_for) or "none of the three favoured"
    return Finding(
        levels=_levels(concerned, *(level for level, _ in broken)),
        grade=named,
        certainty=Certainty.BORDERLINE,
        statement=phrases.CONSIDERED.format(
            named=term(named), items=". ".join(c.text[0].upper() + c.text[1:] for c in found)
        ),
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


def _levels(judged: tuple[Judged, ...], *more: Level) -> tuple[Level, ...]:
    """Levels of lesions, and more, head to foot."""
    return head_to_foot([*(level for lesion, _, _ in judged for level in lesion.levels), *more])


def _untold(evidence: Evidence) -> tuple[Judged, ...]:
    """Lesions that face each other, or may, across a disc whose signal nobody knows, without signs of infection."""
    near = ((one, one[1]) for one in evidence.judged)
    return tuple(one for one, s in near if s.mirror is not False and s.disc_unknown and not s.infection)


def _signs_of_infection(evidence: Evidence) -> tuple[str, ...]:
    """Signs on the images; a pair across a disc, and its endplates, count only beside features of discitis."""
    own = [one[1] for one in _concerned(evidence) if discitis_features(*one)]
    infected = [signs for signs in own if signs.infection]
    return _listed(
        (phrases.TWO_NEIGHBOURING_VERTEBRAE_ONE_DISC, any(s.mirror for s in own)),
        (phrases.DISC_BRIGHT, any(s.disc_involved for s in infected)),
        (phrases.ENDPLATE_BASED, any(s.endplate_based for s in own)),
        (phrases.SOFT_TISSUE_BESIDE_INVOLVED_DISC, any(s.disc_involved and s.soft_tissue for s in infected)),
        (phrases.SOFT_TISSUE_BESIDE_DISC_NOT, any(not s.disc_involved for s in infected)),
        (phrases.SIGNAL_DISCITIS, any(v.kind is e[0].kind is Kind.DISCITIS for v, _, e in _concerned(evidence))),
    )


def _infection(evidence: Evidence) -> Cause:
    near = _concerned(evidence)
    fever = evidence.clinical.fever_or_infection_signs
    discs = [s for _, s, _ in near if s.disc_ratio is not None or s.disc_unknown]
    dark = bool(discs) and not any(s.disc_involved or s.disc_unknown for s in discs)
    favours = (*_signs_of_infection(evidence), *_listed((phrases.FEVER_OR_SIGNS_INFECTION, fever is Answer.YES)))
    against = _listed(
        (phrases.NO_MARROW_CHANGE_SUGGESTS, not near),
        (phrases.NO_TWO_NEIGHBOURING_VERTEBRAE_ONE, bool(near) and all(s.mirror is False for _, s, _ in near)),
        (phrases.DISCS_BESIDE_LESIONS_NOT_BRIGHT, dark),
        (phrases.NO_FEVER_OR_SIGNS_INFECTION, fever is Answer.NO),
    )
    untold = ", ".join(map(str, _levels(_untold(evidence))))
    unknown = _listed(
        (phrases.SIGNAL_DISC_SO_INFECTION_THERE.format(untold=untold), bool(untold)),
        (phrases.WHETHER_TWO_NEIGHBOURING_VERTEBRAE_FACE, any(s.mirror is None for _, s, _ in near)),
    )
    return Cause(INFECTION, favours, against, unknown)


def _tumour(evidence: Evidence) -> Cause:
    """Every lesion that may be one counts; an involved disc is never among what speaks against it."""
    own = [(lesion, signs) for lesion, signs, _ in evidence.judged if lesion in evidence.perhaps_tumour]
    signs = [s for _, s in own]
    likely = bool(evidence.tumour_like)
    cancer = evidence.clinical.known_cancer
    extents: tuple[tuple[str, list[bool | None]], ...] = (
        (phrases.PEDICLE_OR_ARCH_INVOLVED, [s.pedicle for s in signs]),
        (phrases.CONVEX_POSTERIOR_BORDER, [s.convex for s in signs]),
        (phrases.EPIDURAL_MASS, [s.epidural for s in signs]),
    )
    favours = _listed(
        (term("tumour-like lesion"), likely),
        (phrases.LESION_MAY_TUMOUR, bool(own) and not likely),
        (phrases.SEVERAL_VERTEBRAE, len({lesion.level for lesion, _ in own}) > 1),
        *((words, any(seen)) for words, seen in extents),
        (phrases.DISC_BESIDE_LESION_SPARED, any(s.disc_ratio is not None and not s.disc_involved for s in signs)),
        (phrases.FRACTURE_WITH_MAINLY_MALIGNANT_FEATURES, _any_fracture(evidence, MALIGNANT)),
        (phrases.KNOWN_CANCER, cancer is Answer.YES),
    )
    against = _listed(
        (phrases.NO_LESION_MAY_TUMOUR, not own),
        (phrases.LESIONS_MIRROR_EACH_OTHER_DISC, any(s.mirror for s in signs)),
        (phrases.NO_CANCER_KNOWN, cancer is Answer.NO),
    )
    unknown = _listed(*((words, not any(seen) and None in seen) for words, seen in extents))
    return Cause(TUMOUR, favours, against, unknown)


def _osteoporosis(evidence: Evidence) -> Cause:
    broken = {level for level, _ in evidence.bodies_from(FRACTURE_FROM_PCT)}
    held = {level for lesion in evidence.tumour_like for level in lesion.levels}
    whole = {m.level for m in evidence.named("height_loss_pct")} - broken
    weak = evidence.clinical.osteoporosis
    favours = _listed(
        (phrases.FRACTURE_LEVEL_DEFORMITY_WITHOUT_TUMOUR, bool(broken & set(evidence.screen.assessed) - held)),
        (phrases.FRACTURE_WITH_MAINLY_BENIGN_FEATURES, _any_fracture(evidence, BENIGN)),
        (phrases.SIGNAL_BENIGN_FRACTURE, any(e[0].kind is Kind.FRACTURE_OEDEMA for _, _, e in evidence.judged)),
        (phrases.KNOWN_OSTEOPOROSIS, weak is Answer.YES and bool(broken)),
    )
    against = _listed(
        (phrases.NO_FRACTURE_LEVEL_DEFORMITY, not broken and bool(evidence.named("height_loss_pct"))),
        (phrases.FRACTURE_WITH_MAINLY_MALIGNANT_FEATURES, _any_fracture(evidence, MALIGNANT)),
        (phrases.TUMOUR_LIKE_LESION_BODY_WITHOUT, bool(held & whole)),
        (phrases.NO_OSTEOPOROSIS_KNOWN, weak is Answer.NO),
    )
    return Cause(OSTEOPOROSIS, favours, against)


def _any_fracture(evidence: Evidence, category: str) -> bool:
    return any(cause.category == category for cause in fracture_causes(evidence))


def _listed(*rows: tuple[str, bool]) -> tuple[str, ...]:
    return tuple(words for words, present in rows if present)
