"""The posterior ligaments in words: where their signal is raised, where it is not, and where it was not assessed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spinemri.finding import Certainty
from spinemri.report.foramina import disc_ranges
from spinemri.report.phrases import phrases
from spinemri.report.sentences import Section, Sentence

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from spinemri.analysis import Analysis
    from spinemri.finding import Finding

KIND, NAME = "posterior_ligament_signal", "posterior_ligament_ratio"
_STATED = (Certainty.PRESENT, Certainty.BORDERLINE)


def is_ligament(finding: Finding) -> bool:
    """Whether a finding is said in this section and nowhere else."""
    return finding.kind == KIND


def ligament_section(analysis: Analysis) -> Section | None:
    """Raised signal, how far there is none, and what was not assessed; None where nothing was looked for."""
    here = _here(analysis)
    sentences = (*_raised(analysis, here, _STATED), *_normal(here), *_missing(analysis, here))
    return Section(phrases.LIGAMENTS, sentences) if here else None


def ligament_impression(analysis: Analysis) -> Iterator[Sentence]:
    """Raised signal, without what is borderline."""
    return _raised(analysis, _here(analysis), _STATED[:1])


def _here(analysis: Analysis) -> list[Finding]:
    return [f for f in analysis.findings if is_ligament(f)]


def _raised(analysis: Analysis, here: Iterable[Finding], certainties: Sequence[Certainty]) -> Iterator[Sentence]:
    found = [f for f in here if f.certainty in certainties]
    if found:
        tone = "abnormal" if any(f.certainty is Certainty.PRESENT for f in found) else "borderline"
        items = ", ".join(_item(analysis, f) for f in found)
        evidence = tuple(id_ for f in found for id_ in (f.id, *f.evidence))
        yield Sentence(phrases.LIGAMENTS_RAISED.format(items=items), evidence, tone)


def _item(analysis: Analysis, finding: Finding) -> str:
    ratio = analysis.measurement(finding.evidence[0])
    value = ratio.value if ratio is not None and ratio.value is not None else float("nan")
    item = phrases.LIGAMENT_ITEM.format(place="-".join(map(str, finding.levels)), value=value)
    return phrases.DISC_BORDERLINE.format(item=item) if finding.certainty is Certainty.BORDERLINE else item


def _normal(here: Iterable[Finding]) -> Iterator[Sentence]:
    normal = [f for f in here if f.certainty is Certainty.ABSENT]
    if normal:
        text = phrases.LIGAMENTS_NORMAL.format(places=disc_ranges(normal))
        yield Sentence(text, tuple(f.id for f in normal))


def _missing(analysis: Analysis, here: Iterable[Finding]) -> Iterator[Sentence]:
    """One sentence: where nothing could be said, by reason."""
    reasons: dict[str, list[Finding]] = {}
    for finding in (f for f in here if f.certainty is Certainty.NOT_ASSESSABLE):
        ratio = analysis.measurement(finding.evidence[0])
        reasons.setdefault(ratio.reason if ratio is not None else "", []).append(finding)
    items = "; ".join(f"{disc_ranges(found)} ({reason})" for reason, found in reasons.items())
    if items:
        evidence = tuple(f.id for found in reasons.values() for f in found)
        yield Sentence(phrases.LIGAMENTS_MISSING.format(items=items), evidence, "limit")
