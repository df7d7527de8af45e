"""The neural foramina in words: which are narrow, which are not, and which were not assessed and why.

Sides are the patient's. In the impression narrow ones have a line each, those that are perhaps narrow share one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from spinemri.finding import Certainty
from spinemri.language import Phrases
from spinemri.report.phrases import phrases
from spinemri.report.sentences import Section, Sentence
from spinemri.terms import term

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from spinemri.analysis import Analysis
    from spinemri.anatomy import Level
    from spinemri.finding import Finding

KIND = "foraminal_narrowing"
NAMES = tuple(
    f"{name}_{side}"
    for side in ("left", "right")
    for name in ("foraminal_height", "foraminal_ap", "foraminal_area", "perineural_fat_fraction")
)
_STATED = Phrases("assess.foramen")
_TONES = {Certainty.PRESENT: "abnormal", Certainty.BORDERLINE: "borderline"}


def is_foraminal(finding: Finding) -> bool:
    """Whether a finding is said in this section."""
    return finding.kind == KIND


def foramen_section(analysis: Analysis) -> Section | None:
    """Narrow foramina, those that are not, and those not assessed; None where nothing was looked for."""
    here = _here(analysis)
    if not here:
        return None
    found = [Sentence(f.statement, (f.id, *f.evidence), _TONES[f.certainty]) for f in here if f.certainty in _TONES]
    return Section(phrases.FORAMINA, (*found, *_normal(here), *_missing(here)))


def foramen_impression(analysis: Analysis) -> Iterator[Sentence]:
    """Those that are narrow, in full; those that perhaps are, together; those that are not."""
    here = _here(analysis)
    for finding in (f for f in here if f.certainty is Certainty.PRESENT):
        yield Sentence(finding.statement, (finding.id, *finding.evidence), "abnormal")
    doubtful = [f for f in here if f.certainty is Certainty.BORDERLINE]
    if doubtful:
        items = ", ".join(f"{_place(f)} {term(f.side)} ({term(f.grade)})" for f in doubtful)
        yield Sentence(phrases.FORAMINA_DOUBTFUL.format(items=items), tuple(f.id for f in doubtful), "borderline")
    yield from _normal(here)


def _here(analysis: Analysis) -> list[Finding]:
    return [f for f in analysis.findings if is_foraminal(f)]


def _normal(here: Iterable[Finding]) -> Iterator[Sentence]:
    normal = [f for f in here if f.certainty is Certainty.ABSENT]
    if normal:
        yield Sentence(phrases.FORAMINA_NORMAL.format(places=_places(normal)), tuple(f.id for f in normal))


def _missing(here: Iterable[Finding]) -> Iterator[Sentence]:
    """One sentence: where nothing could be said, by reason."""
    reasons: dict[str, list[Finding]] = {}
    for finding in here:
        if finding.certainty is Certainty.NOT_ASSESSABLE:
            reasons.setdefault(_reason(finding), []).append(finding)
    items = "; ".join(f"{_places(found)} ({reason})" for reason, found in reasons.items())
    if items:
        evidence = tuple(f.id for found in reasons.values() for f in found)
        yield Sentence(phrases.FORAMINA_MISSING.format(items=items), evidence, "limit")


def _reason(finding: Finding) -> str:
    """The end of the statement on a foramen that could not be assessed: its reason alone."""
    where = f"{_place(finding)} {term(finding.side)}"
    before, _, after = _STATED.NARROWING_NEURAL_FORAMEN.format(where=where, reason="\n").partition("\n")
    return finding.statement.removeprefix(before).removesuffix(after).partition(": ")[2]


def _places(findings: Sequence[Finding]) -> str:
    """'L2-L4, L4-L5 right': ranges where both sides are meant."""
    sides: dict[str, list[Finding]] = {}
    for finding in findings:
        sides.setdefault(_place(finding), []).append(finding)
    both = [found[0] for found in sides.values() if len(found) > 1]
    single = [f"{place} {term(found[0].side)}" for place, found in sides.items() if len(found) == 1]
    ranges = disc_ranges(both)
    return ", ".join([*([ranges] if ranges else []), *single])


def disc_ranges(findings: Iterable[Finding]) -> str:
    """'T12-L1, L2-L4': discs that follow each other joined; a range never spans a disc that is not among them."""
    runs: list[list[Level]] = []
    discs = {(f.levels[0], f.levels[-1]) for f in findings}
    for upper, lower in sorted(discs, key=lambda disc: (disc[0].is_relative, disc[0].rank)):
        if runs and runs[-1][-1] == upper:
            runs[-1].append(lower)
        else:
            runs.append([upper, lower])
    return ", ".join(f"{run[0]}-{run[-1]}" for run in runs)


def _place(finding: Finding) -> str:
    return "-".join(str(level) for level in finding.levels)
