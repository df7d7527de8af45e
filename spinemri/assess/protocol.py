"""What a study lacks for the question that was asked, or for what was found: a fixed list of rules with their sources.

A rule applies because of the question, or because the images raise a suspicion. Every rule that applies says whether
the study has what it asks for, lacks it, or whether that cannot be told. What was acquired counts, read or not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from spinemri.assess.fracture import FRACTURE_FROM_PCT
from spinemri.assess.infection import infection_raised
from spinemri.clinical import Answer, Question
from spinemri.finding import Certainty, Finding
from spinemri.language import ENGLISH, Phrases, speaking
from spinemri.norms import source_of, threshold
from spinemri.series import Contrast, Plane
from spinemri.spine import LevelBasis
from spinemri.terms import term

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from spinemri.assess.evidence import Evidence
    from spinemri.series import Series

phrases = Phrases("assess.protocol")

KIND = "protocol_gap"
_LIMITS = (
    "whole_spine_within",
    "t1_only_metastases",
    "t1_only_epidural",
    "t1_only_compression",
    "sacral_numbering_wrong",
)
_TUMOUR = (Question.METASTASIS, Question.MYELOMA)
_CORD = (Question.CORD_COMPRESSION,)
_CANAL = (Question.STENOSIS, Question.CORD_COMPRESSION, Question.CAUDA_EQUINA)
_FLUID_SENSITIVE = (Contrast.STIR, Contrast.T2W_FS, Contrast.DIXON_WATER)
_REPORTED = (Certainty.PRESENT, Certainty.BORDERLINE)
_NARROW = ("moderate", "severe")
_TOP_RANK, _BOTTOM_RANK = 3, 27  # C3 and S1: a view from at most C3 down to S1 shows the whole spine


@dataclass(frozen=True)
class Rule:
    """One rule: why it applies to a study ('' when it does not), and what of it is missing.

    ``missing`` returns what the study lacks; None when that cannot be told.
    """

    name: str
    applies: Callable[[Evidence], str]
    missing: Callable[[Evidence], tuple[str, ...] | None]
    source: str

    @property
    def wants(self) -> str:
        """What it asks a study for."""
        return phrases["WANTS"][self.name]

    @property
    def matters(self) -> str:
        """Why that matters."""
        limits = {name: threshold(f"protocol.{name}") for name in _LIMITS}
        return phrases["MATTERS"][self.name].format(**limits)

    @property
    def text(self) -> str:
        """The rule as it stands in every document, whatever its language."""
        with speaking(ENGLISH):
            return f"{self.wants}: {self.matters}"


def protocol_findings(evidence: Evidence) -> tuple[Finding, ...]:
    """One finding per rule that applies, in the order of the rules."""
    found = ((rule, rule.applies(evidence)) for rule in RULES)
    return tuple(_finding(rule, why, rule.missing(evidence)) for rule, why in found if why)


def _finding(rule: Rule, why: str, missing: tuple[str, ...] | None) -> Finding:
    if missing is None:
        certainty, text = (
            Certainty.NOT_ASSESSABLE,
            phrases.WHETHER_STUDY_HAS_CANNOT_TOLD.format(wants=rule.wants, why=why),
        )
    elif missing:
        certainty, text = (
            Certainty.PRESENT,
            phrases.STUDY_LACKS.format(items=", ".join(missing), why=why, matters=rule.matters),
        )
    else:
        certainty, text = Certainty.ABSENT, phrases.STUDY_HAS.format(wants=rule.wants, why=why)
    return Finding(
        id=f"protocol.{rule.name}",
        kind=KIND,
        grade=", ".join(missing or ()),
        cause=why,
        certainty=certainty,
        statement=text,
        rule=rule.text,
        source=rule.source,
    )


def _asked(evidence: Evidence, *questions: Question) -> str:
    asked = [phrases["QUESTIONS"][q.value] for q in evidence.clinical.question if q in questions]
    return phrases.QUESTION.format(items=", ".join(asked)) if asked else ""


def _suspicion(evidence: Evidence) -> str:
    """Why contrast agent is asked for: tumour or infection in question, or suspected from the images."""
    asked = _asked(evidence, *_TUMOUR, Question.INFECTION)
    seen = [phrases.TUMOUR_LIKE_LESIONS] if evidence.tumour_like else []
    seen += [phrases.SIGNS_INFECTION] if infection_raised(evidence) else []
    return asked or (phrases.FOUND.format(items=", ".join(seen)) if seen else "")


def _cord_suspected(evidence: Evidence) -> str:
    other = evidence.clinical.known_cancer is Answer.NO and not evidence.tumour_like
    asked = "" if other else _asked(evidence, *_CORD)
    deficit = evidence.clinical.neurological_deficit is Answer.YES
    if not asked and deficit and (evidence.tumour_like or evidence.clinical.known_cancer is Answer.YES):
        return phrases.NEUROLOGICAL_DEFICIT_WITH_KNOWN_CANCER
    flagged = any(
        f.certainty in (Certainty.PRESENT, Certainty.BORDERLINE) for f in evidence.of_kind("cord_compression")
    )
    return asked or (phrases.FOUND_CORD_COMPRESSION if flagged and evidence.tumour_like else "")


def _canal_graded(evidence: Evidence) -> str:
    narrow = [f for f in evidence.of_kind("thecal_sac_narrowing") if f.grade in _NARROW]
    found = phrases.FOUND_NARROWING_THECAL_SAC.format(grade=term(narrow[0].grade)) if narrow else ""
    return _asked(evidence, *_CANAL) or found


def _fracture_asked(evidence: Evidence) -> str:
    broken = evidence.bodies_from(FRACTURE_FROM_PCT)
    return _asked(evidence, Question.FRACTURE) or (phrases.FOUND_FRACTURE_LEVEL_HEIGHT_LOSS if broken else "")


def _t1_alone(evidence: Evidence) -> str:
    contrasts = {series.contrast for series in evidence.used}
    return phrases.T1W_ONLY_CONTRAST_READ if contrasts == {Contrast.T1W} else ""


def _numbered_from_below(evidence: Evidence) -> str:
    bases = {vertebra.assignment.basis for vertebra in evidence.spine.vertebrae}
    return phrases.LEVELS_ARE_COUNTED_FROM_SACRUM if bases & {LevelBasis.FROM_SACRUM, LevelBasis.ASSUMED} else ""


def _no_agent(evidence: Evidence) -> tuple[str, ...] | None:
    agents = {series.contrast_agent for series in _acquired(evidence)}
    if "given" in agents or Contrast.T1W_POST in {series.contrast for series in _acquired(evidence)}:
        return ()
    return None if "uncertain" in agents or not agents else (phrases.SERIES_AFTER_CONTRAST_AGENT,)


def _no_whole_spine(evidence: Evidence) -> tuple[str, ...] | None:
    levels = evidence.spine.levels
    if not levels or any(level.is_relative for level in levels):
        return None
    ranks = [level.rank for level in levels]
    parts = [] if min(ranks) <= _TOP_RANK and max(ranks) >= _BOTTOM_RANK else [phrases.WHOLE_SPINE]
    marrow = _has(evidence, Plane.SAGITTAL, (Contrast.T1W, *_FLUID_SENSITIVE))
    axial = any(series.plane is Plane.AXIAL for series in _acquired(evidence))
    parts += [] if marrow else [phrases.SAGITTAL_T1W_OR_STIR]
    parts += [] if _has(evidence, Plane.SAGITTAL, (Contrast.T2W,)) else [phrases.SAGITTAL_T2W]
    parts += [] if axial else [phrases.AXIAL_SLICES_THROUGH_ABNORMALITY]
    return tuple(parts)


def _no_axial_t2(evidence: Evidence) -> tuple[str, ...] | None:
    if _has(evidence, Plane.AXIAL, (Contrast.T2W,)):
        return ()
    return None if any(series.plane is Plane.UNKNOWN for series in _acquired(evidence)) else (phrases.AXIAL_T2W,)


def _no_fluid_sensitive(evidence: Evidence) -> tuple[str, ...] | None:
    if not evidence.used:
        return None
    return () if _has(evidence, Plane.SAGITTAL, _FLUID_SENSITIVE) else (phrases.STIR_OR_FAT_SUPPRESSED_T2W,)


def _has(evidence: Evidence, plane: Plane, contrasts: Iterable[Contrast]) -> bool:
    return any(series.plane is plane and series.contrast in contrasts for series in _acquired(evidence))


def _acquired(evidence: Evidence) -> list[Series]:
    """Series that show something: localizers and other series refused for what they are do not count."""
    return [series for series in evidence.series if series.refusal is None]


RULES = (
    Rule(
        "contrast_agent",
        _suspicion,
        _no_agent,
        "ACR Appropriateness Criteria 2021: MRI without and with contrast usually appropriate",
    ),
    Rule("whole_spine", _cord_suspected, _no_whole_spine, source_of("protocol.whole_spine_within")),
    Rule(
        "axial_t2",
        _canal_graded,
        _no_axial_t2,
        "Bilsky et al., J Neurosurg Spine 2010;13:324; Schizas as in Radiopaedia",
    ),
    Rule(
        "fluid_sensitive",
        _fracture_asked,
        _no_fluid_sensitive,
        "AO Spine-DGOU OF 1: Schnake et al., Global Spine J 2018;8(2S):46S",
    ),
    Rule(
        "t1_only",
        _t1_alone,
        lambda evidence: (phrases.EVERY_CONTRAST_BUT_T1W,) if evidence.used else None,
        source_of("protocol.t1_only_metastases"),
    ),
    Rule(
        "numbering",
        _numbered_from_below,
        lambda evidence: (phrases["WANTS"]["numbering"],) if evidence.spine.vertebrae else None,
        source_of("protocol.sacral_numbering_wrong"),
    ),
)
"""Every rule, in the order in which gaps are told."""
