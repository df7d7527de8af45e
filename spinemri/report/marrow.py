"""The marrow in words: diffuse change first, then how many vertebrae are involved, then the lesions.

A detector of focal change compares with the marrow around it: where diffuse change is present, that nothing focal was
seen is no result and is left out of the impression. Lesions that may be a tumour, an infection or a fracture have a
sentence each; those of benign appearance are gathered.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from spinemri.finding import Certainty, Urgency
from spinemri.language import listed
from spinemri.report.lesion_values import (
    DIAMETER,
    DIFFUSE_KIND,
    INVOLVEMENT_KIND,
    LESION_KIND,
    MARROW_KINDS,
    finding_of,
    first_kind,
    kinds_text,
    levels_text,
    looks_benign,
    named_kinds,
    place_text,
    quantity,
    values_of,
)
from spinemri.report.phrases import marrow_phrases as words
from spinemri.report.sentences import Section, Sentence, level_ranges
from spinemri.report.statements import finding_sentence
from spinemri.terms import term

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from spinemri.analysis import Analysis
    from spinemri.finding import Finding
    from spinemri.lesion import Lesion

_SCREEN = ("marrow",)
_STATED = (Certainty.PRESENT, Certainty.BORDERLINE)


def was_assessed(analysis: Analysis) -> bool:
    """Whether anybody looked for lesions in any vertebra."""
    return bool(analysis.marrow.assessed or analysis.lesions)


def marrow_section(analysis: Analysis) -> Section | None:
    """What the findings say of the marrow; None when nobody looked at it."""
    if not was_assessed(analysis):
        return None
    study = [f for kind in (DIFFUSE_KIND, INVOLVEMENT_KIND) for f in analysis.findings if f.kind == kind]
    own = [lesion for lesion in analysis.lesions if not _is_gathered(analysis, lesion)]
    sentences = [_study_sentence(analysis, finding) for finding in study]
    sentences += [lesion_sentence(analysis, lesion) for lesion in sorted(own, key=lambda v: not _urgent(analysis, v))]
    sentences += _benign(analysis)
    sentences += [screen_sentence(analysis), *_unassessed_levels(analysis)]
    sentences += [Sentence(_sentence_case(note), _SCREEN, "limit") for note in analysis.marrow.warnings]
    return Section(words.MARROW, tuple(sentences))


def marrow_not_assessed(analysis: Analysis) -> Iterator[Sentence]:
    """That nobody looked at the marrow, and why; or in which vertebrae nobody did."""
    if was_assessed(analysis):
        yield from _unassessed_levels(analysis)
        return
    reasons = analysis.marrow.warnings or tuple(dict.fromkeys(reason for _, reason in analysis.marrow.not_assessed))
    told = [reason.rstrip(".").removeprefix(words.NOT_ASSESSED_PREFIX) for reason in reasons] or [words.NOT_RUN]
    yield Sentence(words.NOT_ASSESSED.format(reason="; ".join(told)), _SCREEN, "limit")


def said_by_involvement(analysis: Analysis, reported: Sequence[Finding]) -> set[str]:
    """Ids of the lesions' findings that the impression leaves to the lines for the whole study."""
    if not any(f.kind in (INVOLVEMENT_KIND, DIFFUSE_KIND) for f in analysis.findings):
        return set()
    return {f.id for f in reported if f.kind == LESION_KIND and f.urgency is Urgency.NONE}


def uncertain_lesions(analysis: Analysis, gathered: set[str]) -> Iterator[Sentence]:
    """One line of the impression for lesions that have a sentence but are not counted among the involved vertebrae."""
    counted = {id_.split(".")[0] for f in analysis.findings if f.kind == INVOLVEMENT_KIND for id_ in f.evidence}
    items, evidence = [], []
    for lesion in analysis.lesions:
        finding = finding_of(analysis, lesion)
        if finding is None or finding.id not in gathered or lesion.id in counted or looks_benign(lesion, finding):
            continue
        items.append(_doubt(place_text(analysis, lesion), lesion, finding))
        evidence.append(finding.id)
    if items:
        yield Sentence(words.UNCERTAIN.format(items="; ".join(items)), tuple(evidence), "borderline")


def _doubt(place: str, lesion: Lesion, finding: Finding) -> str:
    """'L2, favours discitis-osteomyelitis by its signs (network: tumour-like 79 %)', or the network's kinds alone."""
    favoured, kinds = first_kind(lesion, finding), kinds_text(lesion)
    if favoured is named_kinds(lesion)[0][0]:
        return words.UNCERTAIN_PLACE.format(place=place, kinds=kinds)
    return words.UNCERTAIN_FAVOURED.format(place=place, kind=term(favoured.value), kinds=kinds)


def marrow_absence(analysis: Analysis) -> Iterator[Sentence]:
    """Up to which size no lesion was detected, unless diffuse change makes that no result."""
    if not was_assessed(analysis):
        return
    if any(f.kind == DIFFUSE_KIND and f.certainty is Certainty.PRESENT for f in analysis.findings):
        return
    absent = (f for f in analysis.findings if f.kind == INVOLVEMENT_KIND and f.certainty is Certainty.ABSENT)
    yield from (_study_sentence(analysis, finding) for finding in absent)


def lesion_sentence(analysis: Analysis, lesion: Lesion) -> Sentence:
    """The finding's own statement; place, size and kinds where no rule has spoken."""
    finding = finding_of(analysis, lesion)
    if finding is not None and finding.statement:
        said = finding_sentence(analysis, finding, detailed=True)
        return Sentence(said.text, said.evidence, "" if _is_gathered(analysis, lesion) else said.tone)
    values = values_of(analysis, lesion)
    size = quantity(values.get(DIAMETER))
    text = words.LESION.format(
        place=place_text(analysis, lesion),
        size=words.LESION_SIZE.format(size=size) if size else "",
        kinds=kinds_text(lesion),
        probability=100 * lesion.probability,
        calibrated=words.CALIBRATED,
    )
    own = (finding.id,) if finding is not None else ()
    tone = "" if _is_gathered(analysis, lesion) else "abnormal"
    return Sentence(text, (*own, *(m.id for m in values.values())) or (lesion.id,), tone)


def screen_sentence(analysis: Analysis) -> Sentence:
    """Which vertebrae were searched, on which sequences, and how small a lesion could be found."""
    screen = analysis.marrow
    limit, point = screen.detection_limit_mm, screen.operating_point
    partly = listed([str(level) for level in screen.partly])
    phrase = words.SCREENED_ONE if len(screen.assessed) == 1 else words.SCREENED
    text = phrase.format(
        count=len(screen.assessed),
        levels=level_ranges(screen.assessed, analysis.spine.levels) or ", ".join(map(str, screen.assessed)),
        contrasts=words.SCREENED_ON.format(names=listed(screen.contrasts)) if screen.contrasts else "",
        partly=words.SCREENED_PARTLY.format(levels=partly) if partly else "",
        limit=words.SCREENED_LIMIT.format(limit=limit) if limit is not None else "",
        point=words.SCREENED_POINT.format(point=100 * point) if point is not None else "",
    )
    return Sentence(text, _SCREEN, "limit")


def is_marrow_finding(finding: Finding) -> bool:
    """Whether a finding is about marrow: it is told in the part on marrow, not in that of a region."""
    return finding.kind in MARROW_KINDS


def _is_gathered(analysis: Analysis, lesion: Lesion) -> bool:
    return looks_benign(lesion, finding_of(analysis, lesion)) and not _urgent(analysis, lesion)


def _urgent(analysis: Analysis, lesion: Lesion) -> bool:
    finding = finding_of(analysis, lesion)
    return finding is not None and finding.urgency is not Urgency.NONE


def _study_sentence(analysis: Analysis, finding: Finding) -> Sentence:
    said = finding_sentence(analysis, finding, detailed=True)
    tone = "limit" if finding.certainty is Certainty.NOT_ASSESSABLE else ""
    return said if finding.certainty in _STATED else Sentence(said.text, said.evidence, tone)


def _benign(analysis: Analysis) -> Iterator[Sentence]:
    """'Of benign appearance: focal fat L4 (13 mm), L5 (9 mm); Modic 2 L5 (15 mm).'"""
    places: dict[str, list[str]] = {}
    evidence = []
    for lesion in sorted(analysis.lesions, key=lambda v: v.level.rank):
        if not _is_gathered(analysis, lesion):
            continue
        finding, values = finding_of(analysis, lesion), values_of(analysis, lesion)
        borderline = finding is not None and finding.certainty is Certainty.BORDERLINE
        size = quantity(values.get(DIAMETER)) or kinds_text(lesion)
        certainty = words.BENIGN_BORDERLINE if borderline else ""
        place = words.BENIGN_PLACE.format(place=levels_text(analysis, lesion), size=size, certainty=certainty)
        places.setdefault(term(first_kind(lesion, finding).value), []).append(place)
        evidence.append(finding.id if finding is not None else lesion.id)
    if places:
        items = "; ".join(f"{kind} {', '.join(where)}" for kind, where in places.items())
        yield Sentence(words.BENIGN.format(items=items), tuple(evidence))


def _unassessed_levels(analysis: Analysis) -> Iterator[Sentence]:
    """One sentence per reason for all vertebrae that share it."""
    unseen = analysis.marrow.not_assessed
    for reason in dict.fromkeys(reason for _, reason in unseen):
        levels = [level for level, why in unseen if why == reason]
        named = level_ranges(levels, analysis.spine.levels) or ", ".join(map(str, levels))
        yield Sentence(words.LEVELS_NOT_ASSESSED.format(levels=named, reason=reason.rstrip(".")), _SCREEN, "limit")


def _sentence_case(note: str) -> str:
    """A warning as a sentence; what begins with a sequence's name keeps it."""
    return f"{note[:1].upper()}{note[1:].rstrip('.')}."
