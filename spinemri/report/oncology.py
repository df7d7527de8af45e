"""The oncologic judgement in words: urgent flags before anything else, then stability, fractures, causes, counts, gaps.

The impression has one line of each; their reasons stand in a part of the findings. A flag that is not raised is named
together with those that nobody could screen for, and with the words that this clears nobody.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from spinemri.finding import Certainty, Urgency
from spinemri.language import Phrases
from spinemri.report.phrases import oncology_phrases as words
from spinemri.report.phrases import phrases
from spinemri.report.sentences import Section, Sentence
from spinemri.report.statements import finding_sentence
from spinemri.terms import score_text, term

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from spinemri.analysis import Analysis
    from spinemri.finding import Finding

SINS, FRACTURE_CAUSE, CAUSE, COUNT, GAP = (
    "sins",
    "fracture_cause",
    "tumour_infection_osteoporosis",
    "lesion_count",
    "protocol_gap",
)
_FLAG = "flag_"
_FLAGS = Phrases("assess.urgency")  # how flags are stated
TUMOUR_LIKE = "tumour-like lesion"  # cause of a score that holds whatever else is there
_KINDS = (SINS, FRACTURE_CAUSE, CAUSE, COUNT, GAP)
_STATED = (Certainty.PRESENT, Certainty.BORDERLINE)


def is_oncologic(finding: Finding) -> bool:
    """Whether a finding is told here: it judges what other findings state, and is left out of their regions."""
    return finding.kind in _KINDS or finding.kind.startswith(_FLAG)


def urgent_section(analysis: Analysis, reported: Sequence[Finding], nothing: str) -> Section:
    """Everything urgent, what could not be screened for, and that this clears nobody.

    Parameters
    ----------
    analysis : the study
    reported : its findings in the order of the impression
    nothing : what is said when nothing is urgent and the study was screened for no flags
    """
    flags = [f for f in analysis.findings if f.kind.startswith(_FLAG)]
    urgent = sorted((f for f in (*flags, *reported) if f.urgency is not Urgency.NONE), key=_by_urgency)
    if not flags and not urgent:
        return Section(phrases.URGENT, (Sentence(nothing),))
    sentences = [_urgent(analysis, finding) for finding in urgent]
    if flags:
        sentences += [*([] if urgent else [_calm(flags)]), *_unscreened(flags)]
    return Section(phrases.URGENT, (*sentences, Sentence(words.NO_CLEARANCE, tone="limit")))


def failures(analysis: Analysis) -> tuple[Sentence, ...]:
    """A line for each part in which the program failed: before all else, so that silence is not taken for health."""
    return tuple(Sentence(words.FAILED.format(part=f.part, cause=f.cause), tone="limit") for f in analysis.failures)


def oncology_section(analysis: Analysis) -> Section | None:
    """Every judgement with its reasons; None when the study has none."""
    told = [f for kind in _KINDS for f in analysis.findings if f.kind == kind and f.statement]
    sentences = [_told(analysis, f) for f in told if f.kind != GAP or f.certainty is not Certainty.ABSENT]
    return Section(words.ONCOLOGY, tuple(sentences)) if sentences else None


def oncology_impression(analysis: Analysis) -> Iterator[Sentence]:
    """One line each of fractures, the highest SINS and causes."""
    yield from _fractures(analysis)
    yield from _stability(analysis)
    for finding in analysis.findings:
        if finding.kind == CAUSE and finding.certainty in _STATED:
            yield Sentence(
                words.CAUSES.format(causes=term(finding.grade)), (finding.id, *finding.evidence), "borderline"
            )


def protocol_impression(analysis: Analysis) -> Iterator[Sentence]:
    """One line with everything that the study lacks for what was asked or found."""
    gaps = [f for f in analysis.findings if f.kind == GAP and f.certainty is Certainty.PRESENT]
    if gaps:
        items = "; ".join(words.LACKS_ITEM.format(what=f.grade, why=f.cause) for f in gaps)
        yield Sentence(words.LACKS.format(items=items), tuple(f.id for f in gaps), "limit")


def fractures_judged(analysis: Analysis) -> bool:
    """Whether age and cause of fractures were judged at all."""
    return any(f.kind == FRACTURE_CAUSE for f in analysis.findings)


def _by_urgency(finding: Finding) -> int:
    return [*Urgency][::-1].index(finding.urgency)


def _fractures(analysis: Analysis) -> Iterator[Sentence]:
    found = [f for f in analysis.findings if f.kind == FRACTURE_CAUSE]
    if found:
        items = [
            words.FRACTURE_ITEM.format(
                level=f.levels[0],
                parts=f"{term(f.cause) or words.FRACTURE_AGE_UNKNOWN}, {term(f.grade) or words.FRACTURE_CAUSE_UNKNOWN}",
            )
            for f in found
        ]
        text = words.FRACTURES.format(items="; ".join(items), caveat=words.FRACTURE_CAVEAT)
        tone = "abnormal" if any(f.certainty is Certainty.PRESENT for f in found) else "borderline"
        yield Sentence(text, tuple(f.id for f in found), tone)


def _stability(analysis: Analysis) -> Iterator[Sentence]:
    """The highest score; and, where that level holds no tumour-like lesion, the highest of those that do."""
    scores = [f for f in analysis.findings if f.kind == SINS and f.levels]
    held = [f for f in scores if f.cause == TUMOUR_LIKE]
    told = [(f, words.STABILITY_OTHERS.format(count=len(scores)) if len(scores) > 1 else "") for f in scores[:1]]
    told += [(f, words.STABILITY_TUMOUR) for f in held[:1] if f is not scores[0]]
    for score, others in told:
        text = words.STABILITY.format(
            level=score.levels[0], cause=term(score.cause), grade=score_text(score.grade), others=others
        )
        tone = {Certainty.PRESENT: "abnormal", Certainty.BORDERLINE: "borderline"}.get(score.certainty, "")
        yield Sentence(text, (score.id, *score.evidence), tone)


def _urgent(analysis: Analysis, finding: Finding) -> Sentence:
    said = finding_sentence(analysis, finding)
    urgency = phrases["URGENCY"].get(finding.urgency.value, finding.urgency.value)
    return Sentence(phrases.URGENT_ITEM.format(urgency=urgency, text=said.text), said.evidence, "urgent")


def _calm(flags: Sequence[Finding]) -> Sentence:
    """That nothing was raised, and what was screened for."""
    screened = [f for f in flags if f.certainty is Certainty.ABSENT]
    text = words.NOTHING_RAISED.format(items=", ".join(term(f.cause) for f in screened)) if screened else ""
    return Sentence(text or words.NOTHING_SCREENED, tuple(f.id for f in screened))


def _unscreened(flags: Sequence[Finding]) -> Iterator[Sentence]:
    """Flags that nobody could screen for, with the reason."""
    for flag in flags:
        if flag.certainty is Certainty.NOT_ASSESSABLE:
            yield Sentence(words.UNSCREENED.format(flag=term(flag.cause), why=_why(flag)), (flag.id,), "limit")


def _why(flag: Finding) -> str:
    """The reason in the statement of a flag that could not be screened for."""
    before, _, after = _FLAGS.FLAG_NOT_ASSESSABLE.format(flag=term(flag.cause), why="\n").partition("\n")
    return flag.statement.removeprefix(before).removesuffix(after).rstrip(".")


def _told(analysis: Analysis, finding: Finding) -> Sentence:
    said = finding_sentence(analysis, finding, detailed=True)
    tone = "" if finding.certainty is Certainty.ABSENT else said.tone
    limit = finding.kind == GAP or finding.certainty is Certainty.NOT_ASSESSABLE
    return Sentence(said.text, said.evidence, "limit" if limit else tone)
