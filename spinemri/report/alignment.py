"""The alignment in words: slips that reach their limit, where there is none, the curves that were measured."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spinemri.finding import Certainty
from spinemri.report.foramina import disc_ranges
from spinemri.report.phrases import phrases
from spinemri.report.sentences import Section, Sentence

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from spinemri.analysis import Analysis
    from spinemri.finding import Finding

SLIP_KIND = "spondylolisthesis"
_KINDS = (SLIP_KIND, "sagittal_curvature", "coronal_curvature")
_TONES = {Certainty.PRESENT: "abnormal", Certainty.BORDERLINE: "borderline"}


def is_alignment(finding: Finding) -> bool:
    """Whether a finding is said in this section."""
    return finding.kind in _KINDS


def alignment_section(analysis: Analysis) -> Section | None:
    """Slips, then curvatures; None when nothing of it was measured."""
    slips = [f for f in analysis.findings if f.kind == SLIP_KIND and _measured(analysis, f)]
    curves = [f for f in analysis.findings if f.kind in _KINDS[1:] and _measured(analysis, f)]
    sentences = [*_slips(slips), *(_sentence(f) for f in curves)]
    return Section(phrases.ALIGNMENT, tuple(sentences)) if sentences else None


def _measured(analysis: Analysis, finding: Finding) -> bool:
    """Whether there is a number, though perhaps no norm to judge it by."""
    measurement = analysis.measurement(finding.evidence[0]) if finding.evidence else None
    return measurement is not None and measurement.value is not None


def _slips(slips: Sequence[Finding]) -> Iterator[Sentence]:
    yield from (_sentence(f) for f in slips if f.certainty in _TONES)
    normal = [f for f in slips if f.certainty not in _TONES]
    if normal:
        phrase = phrases.NO_SLIP if len(normal) == len(slips) else phrases.NO_OTHER_SLIP
        yield Sentence(phrase.format(count=len(normal), levels=disc_ranges(normal)), tuple(f.id for f in normal))


def _sentence(finding: Finding) -> Sentence:
    return Sentence(finding.statement, (finding.id, *finding.evidence), _TONES.get(finding.certainty, ""))
