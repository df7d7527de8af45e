"""Whether a fractured body is recent, and which benign and malignant features it shows; never a percentage.

Malignant: convex posterior border, pedicle or arch involved, epidural or paraspinal mass, further tumour-like lesions.
Benign: a retropulsed fragment, spared normal marrow; a low-signal band and the fluid sign are not looked for. Single
signs are 60 to 80 % sensitive, so only their number names a category; a malignant sign that was not measured is not
taken for absent, and then benign ones do not predominate. Without STIR or fat-suppressed T2w nobody can
say whether a fracture is recent. Myeloma may look benign, and an acute benign fracture malignant.
Source: Abdel-Wanis et al. 2011 (152 fractures); review in AJNR 2018;39:1584.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from spinemri.assess.fracture import EQUIVOCAL_FROM_PCT, FRACTURE_FROM_PCT, height_loss_certainty
from spinemri.assess.lesion import may_be_tumour
from spinemri.assess.marrow import DIFFUSE
from spinemri.finding import Certainty, Finding
from spinemri.language import Phrases
from spinemri.lesion import MarrowChange as Kind
from spinemri.norms import threshold
from spinemri.terms import term

if TYPE_CHECKING:
    from spinemri.anatomy import Level
    from spinemri.assess.evidence import Evidence
    from spinemri.assess.lesion import Signs
    from spinemri.lesion import Lesion
    from spinemri.measurement import Measurement

phrases = Phrases("assess.fracture_cause")

KIND = "fracture_cause"
MALIGNANT, BENIGN = "malignant features predominate", "benign features predominate"
INDETERMINATE = "benign or malignant indeterminate"
RECENT, NOT_RECENT = "recent or active", "no sign that it is recent"
STIR_BRIGHT_FROM = threshold("fracture.stir_bright_from")
REPLACED_FROM_PCT = threshold("fracture.replaced_from")
RETROPULSION_FROM_MM = threshold("cause.retropulsion")
MALIGNANT_FROM = int(threshold("fracture.malignant_from"))
RULE = (
    f"malignant features predominate from {MALIGNANT_FROM} on when they outnumber the benign ones, benign ones when "
    "there is no malignant one and each was measured, else indeterminate; recent or active when a lesion's STIR signal "
    f"is {STIR_BRIGHT_FROM:g} times that of marrow or more"
)
SOURCE = "Abdel-Wanis et al. 2011 (abstract); AJNR 2018;39:1584 (abstract)"
_BROKEN = (Kind.FRACTURE_OEDEMA, Kind.DISCITIS)
_FLUID_SENSITIVE = "STIR"


@dataclass(frozen=True)
class FractureCause:
    """What speaks for what in one fractured body; ``oedema`` is None, with ``why``, when it could not be judged.

    ``sure`` says that the body is fractured for sure.
    ``unknown`` are malignant features that were not measured: they count neither as there nor as absent.
    """

    level: Level
    loss_pct: float
    sure: bool
    oedema: bool | None
    why: str
    malignant: tuple[str, ...]
    benign: tuple[str, ...]
    searched: bool
    evidence: tuple[str, ...]
    unknown: tuple[str, ...] = ()

    @property
    def category(self) -> str:
        """Which features predominate; '' when nobody looked at the body's marrow."""
        if not self.searched:
            return ""
        if len(self.malignant) >= MALIGNANT_FROM and len(self.malignant) > len(self.benign):
            return MALIGNANT
        return BENIGN if self.benign and not self.malignant and not self.unknown else INDETERMINATE

    @property
    def age(self) -> str:
        """'recent or active', that there is no sign of it, or that it is not assessable."""
        if self.oedema is None:
            return phrases.WHETHER_RECENT_NOT_ASSESSABLE.format(why=self.why)
        if self.oedema:
            return phrases.MARROW_BRIGHT_STIR.format(recent=term(RECENT))
        return phrases.NO_MARROW_BRIGHT_STIR_DETECTED.format(not_recent=term(NOT_RECENT))


def fracture_causes(evidence: Evidence) -> tuple[FractureCause, ...]:
    """Every body with an equivocal or fracture-level height loss, head to foot."""
    losses = ((m, m.level) for m in evidence.named("height_loss_pct"))
    return tuple(
        fracture_cause(evidence, level, loss)
        for loss, level in losses
        if level is not None and loss.value is not None and loss.value >= EQUIVOCAL_FROM_PCT
    )


def fracture_cause(evidence: Evidence, level: Level, loss: Measurement) -> FractureCause:
    """The features of one body."""
    here = [
        (lesion, signs)
        for lesion, signs, entities in evidence.judged
        if lesion.level == level and (entities[0].kind in _BROKEN or may_be_tumour(entities[0], lesion.seen_in))
    ]
    oedema, why = _oedema(evidence, level, here)
    malignant, unknown = _malignant(evidence, level, here)
    return FractureCause(
        level=level,
        loss_pct=loss.value or 0.0,
        sure=height_loss_certainty(loss) is Certainty.PRESENT,
        oedema=oedema,
        why=why,
        malignant=malignant,
        benign=_benign(evidence, level, here),
        searched=level in evidence.screen.assessed or bool(here),
        evidence=(f"{level}.height_loss_pct", *(f"{lesion.id}.lesion_volume" for lesion, _ in here)),
        unknown=unknown,
    )


def fracture_cause_findings(evidence: Evidence) -> tuple[Finding, ...]:
    """One finding per body."""
    return tuple(_finding(cause) for cause in fracture_causes(evidence))


def _oedema(evidence: Evidence, level: Level, here: list[tuple[Lesion, Signs]]) -> tuple[bool | None, str]:
    """Whether marrow is bright on STIR, or None and why nobody can say."""
    if _FLUID_SENSITIVE not in evidence.screen.contrasts:
        return None, phrases.NO_STIR_OR_FAT_SUPPRESSED
    if any(signs.stir is not None and signs.stir >= STIR_BRIGHT_FROM for _, signs in here):
        return True, ""
    if level not in evidence.screen.assessed:
        return None, phrases.MARROW_NOT_ASSESSED
    if any(signs.stir is None for _, signs in here):
        return None, phrases.STIR_SIGNAL_LESION_THERE_NOT
    if _diffuse(evidence):
        return None, phrases.MARROW_CHANGED_AS_WHOLE
    if any(v.level == level and s.stir is not None and s.stir >= STIR_BRIGHT_FROM for v, s, _ in evidence.judged):
        return None, phrases.CHANGE_ANOTHER_KIND_THERE_BRIGHT
    return False, ""


def _diffuse(evidence: Evidence) -> bool:
    """Whether the marrow may be changed as a whole: then no marrow is spared, and none stands out."""
    return any(f.certainty in (Certainty.PRESENT, Certainty.BORDERLINE) for f in evidence.of_kind(DIFFUSE))


def _malignant(
    evidence: Evidence, level: Level, here: list[tuple[Lesion, Signs]]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Malignant features that are there, and those that nobody can say of."""
    signs = [own for _, own in here]
    rows: tuple[tuple[str, list[bool | None]], ...] = (
        (phrases.CONVEX_POSTERIOR_BORDER, [s.convex for s in signs]),
        (phrases.PEDICLE_OR_ARCH_INVOLVED, [s.pedicle for s in signs]),
        (phrases.EPIDURAL_MASS, [s.epidural for s in signs]),
        (phrases.PARASPINAL_MASS, [s.soft_tissue for s in signs]),
        (phrases.FURTHER_TUMOUR_LIKE_LESIONS, [level not in lesion.levels for lesion in evidence.tumour_like]),
    )
    unknown = tuple(words for words, seen in rows if not any(seen) and None in seen)
    return tuple(words for words, seen in rows if any(seen)), unknown


def _benign(evidence: Evidence, level: Level, here: list[tuple[Lesion, Signs]]) -> tuple[str, ...]:
    """A wall that a lesion bulges, or may bulge, is no retropulsed fragment: it may be convex."""
    flat = all(signs.convex is False for _, signs in here)
    retropulsion = evidence.value(f"{level}.retropulsion_mm")
    shares = [evidence.value(f"{lesion.id}.lesion_body_share_pct") for lesion, _ in here]
    replaced = None if None in shares else sum(share for share in shares if share is not None)
    looked = level in evidence.screen.assessed and not _diffuse(evidence)
    rows = (
        (phrases.RETROPULSED_FRAGMENT, flat and retropulsion is not None and retropulsion >= RETROPULSION_FROM_MM),
        (phrases.SPARED_NORMAL_MARROW, looked and replaced is not None and replaced < REPLACED_FROM_PCT),
    )
    return tuple(words for words, present in rows if present)


def _finding(cause: FractureCause) -> Finding:
    sure = cause.sure and cause.category in (MALIGNANT, BENIGN)
    certainty = Certainty.PRESENT if sure else Certainty.BORDERLINE
    return Finding(
        id=f"{cause.level}.{KIND}",
        kind=KIND,
        levels=(cause.level,),
        cause={True: RECENT, False: NOT_RECENT, None: ""}[cause.oedema],
        grade=cause.category,
        certainty=certainty if cause.searched else Certainty.NOT_ASSESSABLE,
        statement=_statement(cause),
        evidence=cause.evidence,
        rule=RULE,
        source=SOURCE,
    )


def _statement(cause: FractureCause) -> str:
    what = phrases.DEFORMITY if cause.loss_pct >= FRACTURE_FROM_PCT else phrases.EQUIVOCAL_DEFORMITY
    start = phrases.WITH_HEIGHT_LOSS.format(level=cause.level, what=what, loss_pct=cause.loss_pct, age=cause.age)
    if not cause.searched:
        return phrases.BENIGN_OR_MALIGNANT_NOT_ASSESSABLE.format(start=start)
    malignant, benign = (", ".join(features) or phrases.NO_FEATURE for features in (cause.malignant, cause.benign))
    gaps = phrases.NOT_MEASURED.format(items=", ".join(cause.unknown)) if cause.unknown else ""
    said = phrases.MALIGNANT_BENIGN_NOT_LOOKED_LOW.format(malignant=malignant, benign=benign, gaps=gaps)
    return phrases.STATEMENT.format(start=start, category=term(cause.category), said=said, caveat=phrases.CAVEAT)
