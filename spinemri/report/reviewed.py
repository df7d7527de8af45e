"""What a person changed, in one section; and a reader's words beside what the software says.

Every verdict is told: applied, or not and why. A rejected lesion or finding is named here and nowhere else.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from spinemri.report.corrected import corrected_masks
from spinemri.report.lesion_values import LESION_KIND
from spinemri.report.phrases import phrases
from spinemri.report.phrases import reviewed_phrases as words
from spinemri.report.sentences import Section, Sentence, level_ranges
from spinemri.review import Target, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from spinemri.analysis import Analysis
    from spinemri.anatomy import Level
    from spinemri.review import AppliedReview, Outcome


def disclaimer(analysis: Analysis) -> str:
    """What every report ends with: that no physician has reviewed it, or where it is told what a person changed."""
    return words.DISCLAIMER.format(title=words.REVIEW) if by_person(analysis) else phrases.DISCLAIMER_TEXT


def by_person(analysis: Analysis) -> bool:
    """Whether a person changed anything: verdicts, or masks."""
    return analysis.review is not None or bool(analysis.corrections)


def review_section(analysis: Analysis) -> Section | None:
    """Who judged and what came of it, and which masks a person drew; None where nobody did."""
    review = analysis.review
    masks = Section(words.MASKS, tuple(corrected_masks(analysis.corrections)))
    if review is None:
        return Section(words.REVIEW, parts=(masks,)) if masks.sentences else None
    parts = (
        (masks.title, masks.sentences),
        (words.LEVELS, tuple(_levels(analysis, review))),
        (words.LESIONS, tuple(_lesions(_applied(review, Target.LESION)))),
        (words.FINDINGS, tuple(_findings(_applied(review, Target.FINDING)))),
        (words.NOT_APPLIED, tuple(_not_applied(review))),
    )
    told = tuple(Section(title, sentences) for title, sentences in parts if sentences)
    return Section(words.REVIEW, tuple(_summary(analysis, review)), told)


def with_words(analysis: Analysis, section: Section) -> Section:
    """The section with a reader's words after every sentence that rests on a corrected finding."""
    said = _corrections(analysis)
    if not said:
        return section
    sentences = tuple(said_beside(sentence, said) for sentence in section.sentences)
    return Section(section.title, sentences, tuple(with_words(analysis, part) for part in section.parts))


def beside(analysis: Analysis, sentence: Sentence) -> Sentence:
    """One sentence with a reader's words after it."""
    return said_beside(sentence, _corrections(analysis))


def said_beside(sentence: Sentence, said: dict[str, tuple[str, str]]) -> Sentence:
    """The sentence with the words on every finding that it rests on: finding id -> place and words."""
    text = sentence.text
    for place, told in (said[id_] for id_ in dict.fromkeys(sentence.evidence) if id_ in said):
        text = words.READER_SAYS.format(text=text, place=place, words=told)
    return replace(sentence, text=text)


def _corrections(analysis: Analysis) -> dict[str, tuple[str, str]]:
    """Id of each finding that a reader corrected in words -> its place, and the words."""
    found = {}
    for outcome in analysis.review.outcomes if analysis.review else ():
        decision = outcome.decision
        if outcome.reason or not outcome.now or decision.verdict is not Verdict.CORRECT or not decision.text.strip():
            continue
        if decision.target is not Target.LEVEL:
            lesion = decision.target is Target.LESION
            id_ = f"{outcome.now}.{LESION_KIND}" if lesion else outcome.now
            found[id_] = (outcome.now.partition(".")[0].replace("_", " "), decision.text.strip())
    return found


def _applied(review: AppliedReview, target: Target) -> list[Outcome]:
    return [o for o in review.outcomes if o.decision.target is target and not o.reason]


def _summary(analysis: Analysis, review: AppliedReview) -> Iterator[Sentence]:
    for one in review.review.in_turn:
        given = Counter(d.verdict.value for d in one.decisions)
        counts = [
            words.COUNT.format(count=given[verdict], verdict=name)
            for verdict, name in words["VERDICTS"].items()
            if given[verdict]
        ]
        last = max((d.time for d in one.decisions), default=None)
        yield Sentence(
            words.SUMMARY.format(
                who=one.reviewer.strip() or words.WHO,
                time=last.date().isoformat() if last else phrases.EMPTY,
                counts=", ".join(counts) or words.NOTHING_JUDGED,
            )
        )
        if one.comment.strip():
            yield Sentence(words.COMMENT.format(text=one.comment.strip().rstrip(".")))
    own = analysis.provenance.made_with
    for other in dict.fromkeys(one.analysis.made_with for one in review.review.in_turn):
        if other and other != own:
            yield Sentence(words.OTHER_VERSION.format(other=other, own=own), tone="limit")


def _levels(analysis: Analysis, review: AppliedReview) -> Iterator[Sentence]:
    judged = _applied(review, Target.LEVEL)
    changed = [
        words.RENAMED.format(was=was, now=now) if now is not None else words.NO_VERTEBRA.format(level=was)
        for was, now in review.levels
    ]
    if changed:
        yield Sentence(words.RENAMED_ALL.format(items=", ".join(changed)), tone="abnormal")
        yield Sentence(words.FOLLOWS)
    accepted = {o.now for o in judged if o.decision.verdict is Verdict.ACCEPT}
    if accepted:
        spine = analysis.spine.levels
        levels = level_ranges([level for level in spine if str(level) in accepted], spine)
        yield Sentence(words.LEVELS_ACCEPTED.format(levels=levels or phrases.EMPTY))
    for outcome in judged:
        if outcome.decision.verdict is Verdict.REJECT and outcome.now:
            text = words.LEVEL_REJECTED.format(level=outcome.now, text=_text(outcome))
            yield Sentence(text, tone="abnormal")
            yield from _lesions_at(analysis, outcome.now)
        elif text := outcome.decision.text.strip():
            yield Sentence(words.LEVEL_TEXT.format(level=outcome.now or outcome.was, text=text))


def _lesions_at(analysis: Analysis, level: Level | str) -> Iterator[Sentence]:
    own = [lesion.id for lesion in analysis.lesions if str(level) in map(str, lesion.levels)]
    if own:
        yield Sentence(words.LEVEL_WITH_LESION.format(lesions=", ".join(own), level=level), tuple(own), "limit")


def _lesions(outcomes: Sequence[Outcome]) -> Iterator[Sentence]:
    accepted = [o for o in outcomes if o.decision.verdict is Verdict.ACCEPT]
    if accepted:
        yield Sentence(words.ACCEPTED.format(items="; ".join(map(_named, accepted))))
    for outcome in outcomes:
        decision = outcome.decision
        if decision.verdict is Verdict.REJECT:
            yield Sentence(words.REJECTED.format(what=_named(outcome), text=_text(outcome)), tone="abnormal")
        elif decision.level is not None:
            told = {"id": outcome.now, "level": decision.level, "what": outcome.was, "text": _text(outcome)}
            yield Sentence(words.CORRECTED_LEVEL.format(**told), tone="abnormal")
        elif decision.verdict is Verdict.CORRECT:
            text = words.CORRECTED.format(text=decision.text.strip(), what=_named(outcome))
            yield Sentence(text, tone="abnormal")


def _findings(outcomes: Sequence[Outcome]) -> Iterator[Sentence]:
    accepted = [o for o in outcomes if o.decision.verdict is Verdict.ACCEPT]
    if accepted:
        ids = tuple(o.now for o in accepted)
        yield Sentence(words.ACCEPTED.format(items=", ".join(ids)), ids)
    for outcome in outcomes:
        what = outcome.was.rstrip(".") or outcome.decision.id
        if outcome.decision.verdict is Verdict.REJECT:
            yield Sentence(words.REJECTED.format(what=what, text=_text(outcome)), tone="abnormal")
        elif outcome.decision.verdict is Verdict.CORRECT:
            text = words.CORRECTED.format(text=outcome.decision.text.strip(), what=what)
            yield Sentence(text, (outcome.now,), "abnormal")


def _not_applied(review: AppliedReview) -> Iterator[Sentence]:
    for outcome in review.outcomes:
        decision = outcome.decision
        if outcome.reason:
            told = {"id": decision.id, "verdict": words["VERDICTS"][decision.verdict.value], "reason": outcome.reason}
            target = words["TARGETS"][decision.target.value]
            yield Sentence(words.NOT_APPLIED_ITEM.format(target=target, **told), tone="limit")


def _named(outcome: Outcome) -> str:
    return words.LESION.format(id=outcome.now or outcome.decision.id, what=outcome.was)


def _text(outcome: Outcome) -> str:
    said = outcome.decision.text.strip().rstrip(".")
    return words.TEXT.format(text=said) if said else ""
