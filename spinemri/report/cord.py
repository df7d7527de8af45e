"""The cord in words: compression, displacement, signal, how far there is none, and where the cord ends.

Its state is said even where it is normal: nothing said about a cord is too easily read as a cord without disease.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from spinemri.finding import Certainty
from spinemri.measurement import below_the_cord
from spinemri.report.phrases import cord_phrases as words
from spinemri.report.sentences import Section, Sentence, ids, place_ranges
from spinemri.report.tables import measured, named

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from spinemri.analysis import Analysis
    from spinemri.anatomy import Level
    from spinemri.finding import Finding
    from spinemri.measurement import Measurement

COMPRESSION, DISPLACEMENT, SIGNAL = "cord_compression", "cord_displacement", "cord_signal"
ESCC = "escc", "escc_screen"
_KINDS = (*ESCC, COMPRESSION, DISPLACEMENT, SIGNAL)
_TONES = {Certainty.PRESENT: "abnormal", Certainty.BORDERLINE: "borderline"}
_AP, _PCT, _RATIO = "cord_ap", "cord_compression_pct", "cord_t2_ratio"
_SPACE = "sas_obliteration"
NAMES = (
    _AP, "cord_area", "occupation_ratio", "csf_ring_fraction", _SPACE, "cord_shift_mm", _PCT, _RATIO,
    "cord_t2_length_mm",
)  # fmt: skip


def is_cord(finding: Finding) -> bool:
    """Whether a finding is said in this section."""
    return finding.kind in _KINDS


def cord_section(analysis: Analysis) -> Section | None:
    """What was found, then how far it is normal, then what is missing; None where no cord was looked for."""
    here = [m for m in analysis.measurements if m.name in NAMES]
    if not any(m.reason == below_the_cord() or m.value is not None for m in here):
        return None
    sentences = *_found(analysis), *cord_absence(analysis), *_end(analysis), *_missing(here)
    return Section(words.CORD, sentences)


def cord_absence(analysis: Analysis) -> Iterator[Sentence]:
    """How far compression was excluded and the signal is normal; or that it is not known."""
    compared, signals = measured(named(analysis, _PCT)), measured(named(analysis, _RATIO))
    for kind, found, phrase, nothing in (
        (COMPRESSION, compared, words.CORD_NOT_COMPRESSED, words.CORD_COMPRESSION_NONE),
        (SIGNAL, signals, words.CORD_SIGNAL_NORMAL, words.CORD_SIGNAL_NONE),
    ):
        said = [f for f in analysis.findings if f.kind == kind]
        normal = [f for f in said if f.certainty is Certainty.ABSENT]
        if normal:
            count = (
                words.OTHER.format(count=len(normal)) if any(f.certainty in _TONES for f in said) else str(len(normal))
            )
            text = phrase.format(count=count, levels=_levels(analysis, normal, said))
            yield Sentence(text, tuple(f.id for f in normal))
        elif not found and said:
            reasons = _commonest(m for m in named(analysis, _sure(kind)) if m.reason != below_the_cord())
            yield Sentence(nothing.format(reasons="; ".join(reasons)), tuple(f.id for f in said), "limit")


def _commonest(missing: Iterable[Measurement]) -> list[str]:
    """The two reasons that hold for most places above the sacrum."""
    return [reason for reason, _ in Counter(m.reason for m in missing if _level(m).region != "S").most_common(2)]


def _sure(kind: str) -> str:
    return _PCT if kind == COMPRESSION else _RATIO


def _found(analysis: Analysis) -> Iterator[Sentence]:
    for kind in _KINDS:
        for finding in analysis.findings:
            if finding.kind == kind and finding.certainty in _TONES:
                yield Sentence(finding.statement, (finding.id, *finding.evidence), _TONES[finding.certainty])


def _levels(analysis: Analysis, normal: Sequence[Finding], said: Sequence[Finding]) -> str:
    """Where findings say that nothing is wrong, broken where another of their kind says something else."""
    own = [f.levels for f in normal]
    return place_ranges(own, [f.levels for f in said if f.levels not in own], analysis.spine.levels)


def _end(analysis: Analysis) -> Iterator[Sentence]:
    """Diameters, and between which places the cord ends."""
    widths = measured(named(analysis, _AP))
    if widths:
        low, high = min(widths, key=_value), max(widths, key=_value)
        size = {"low": low.value, "high": high.value, "place": low.place}
        yield Sentence(words.CORD_RANGE.format(**size, count=len(widths)), ids(widths))
    below = [m for m in named(analysis, _AP) if m.reason == below_the_cord()]
    if widths and below:
        last = max(widths, key=_order)
        yield Sentence(words.CORD_END.format(place=last.place), (last.id, min(below, key=_order).id))


def _missing(here: Sequence[Measurement]) -> Iterator[Sentence]:
    """Why some places have no diameter, shift or comparison; the rest follows from it."""
    gaps: dict[tuple[str, str], list[Measurement]] = {}
    for m in here:
        if m.value is None and m.reason != below_the_cord() and m.name in (_AP, _PCT) and _level(m).region != "S":
            gaps.setdefault((m.reason, words["CORD_WHAT"][m.name]), []).append(m)
    alone = {m.place for m in here if m.name == _AP and m.value is None}
    for (reason, what), found in gaps.items():
        kept = [m for m in found if m.name == _AP or m.place not in alone]
        if kept:
            places = ", ".join(dict.fromkeys(m.place for m in kept))
            yield Sentence(words.CORD_MISSING.format(places=places, what=what, reason=reason), ids(kept), "limit")


def _level(measurement: Measurement) -> Level:
    return next(level for level in (measurement.level, measurement.lower) if level is not None)


def _value(measurement: Measurement) -> float:
    return measurement.value or 0.0


def _order(measurement: Measurement) -> tuple[int, bool]:
    return _level(measurement).rank, measurement.lower is not None
