"""What was examined, with which images, and which limits follow from that.

How the levels were numbered stands beside the levels: a name that rests on the sacrum alone is a convention.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from spinemri.report.phrases import cord_phrases, phrases
from spinemri.report.sentences import Section, Sentence, level_ranges
from spinemri.series import Plane
from spinemri.spine import LevelBasis
from spinemri.terms import term

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from spinemri.analysis import Analysis, SeriesRecord
    from spinemri.series import Series
    from spinemri.spine import VertebraAlignment

_UNANCHORED = (LevelBasis.FROM_SACRUM, LevelBasis.ASSUMED)
_HALF = {"C": 4, "T": 6, "L": 3}
"""Vertebrae from which a region counts as examined: half of it."""


def examination(analysis: Analysis) -> Section:
    """Patient token, series, levels seen with the basis of their numbering."""
    used = analysis.used_series()
    names = ", ".join(series_name(series) for series in used)
    imaged = phrases.IMAGED.format(count=len(used), names=names) if used else phrases.IMAGED_NONE
    evidence = tuple(f"series {series.label}" for series in used)
    return Section(phrases.EXAMINATION, (_patient(analysis), Sentence(imaged, evidence), *_levels(analysis)))


def technique(analysis: Analysis) -> Section:
    """One sentence per series, then what limits the reading."""
    sentences = [Sentence(_series_sentence(series), (f"series {series.label}",)) for series in analysis.used_series()]
    sentences += [_part(record) for record in analysis.series if record.used and record.reason]
    sentences += [_refusal(record) for record in analysis.series if not record.used]
    if analysis.used_series() and not any(s.plane is Plane.AXIAL for s in analysis.used_series()):
        sentences.append(Sentence(phrases.ONLY_SAGITTAL, tone="limit"))
    sentences += alignment_sentences(analysis)
    notes = dict.fromkeys((*analysis.warnings, *analysis.spine.warnings))
    sentences += [Sentence(note, tone="limit") for note in notes]
    return Section(phrases.TECHNIQUE, tuple(sentences))


def regions_examined(analysis: Analysis) -> str:
    """Regions of which at least half the vertebrae are seen whole: 'L', 'CTL'; '' when there is none."""
    seen = [v.level.region for v in analysis.spine.vertebrae if not v.cut]
    return "".join(region for region, least in _HALF.items() if seen.count(region) >= least)


def contrast_list(analysis: Analysis) -> str:
    """'T1w, STIR, axial T2w': what was used, each once; '' when nothing was."""
    names = (
        cord_phrases.AXIAL_SERIES.format(contrast=term(s.contrast.value))
        if s.plane is Plane.AXIAL
        else term(s.contrast.value)
        for s in analysis.used_series()
    )
    return ", ".join(dict.fromkeys(names))


def series_name(series: Series) -> str:
    """'sagittal T1w (series 3)'."""
    short = phrases.SERIES_SHORT.format(contrast=term(series.contrast.value), label=series.label)
    return f"{term(series.plane.value)} {short}"


def alignment_sentences(analysis: Analysis) -> list[Sentence]:
    """How well each pair of series matches, per run of levels with the same outcome."""
    sentences: list[Sentence] = []
    for pair in alignment_pairs(analysis):
        names = pair_names(analysis, pair[0])
        by_status = [[a for a in pair if a.status == status] for status in dict.fromkeys(a.status for a in pair)]
        sentences += [_alignment_sentence(analysis, group, names) for group in by_status]
    return sentences


def alignment_pairs(analysis: Analysis) -> list[list[VertebraAlignment]]:
    """Alignments grouped by the pair of series, each head to foot."""

    def pair(alignment: VertebraAlignment) -> tuple[str, str]:
        return alignment.fixed_series_uid, alignment.moving_series_uid

    ordered = sorted(analysis.alignments, key=lambda a: (*pair(a), a.level.rank))
    return [list(group) for _, group in groupby(ordered, key=pair)]


def _alignment_sentence(analysis: Analysis, group: Sequence[VertebraAlignment], names: tuple[str, str]) -> Sentence:
    fixed, moving = names
    levels = level_ranges([a.level for a in group], analysis.spine.levels)
    residuals = [a.residual_mm for a in group if a.residual_mm is not None]
    evidence = tuple(f"alignment {a.level}" for a in group)
    if not residuals:
        return Sentence(phrases.UNVERIFIED.format(fixed=fixed, moving=moving, levels=levels), evidence, "limit")
    if group[0].status == "aligned":
        text = phrases.ALIGNED.format(fixed=fixed, moving=moving, worst=max(residuals), levels=levels)
        return Sentence(text, evidence)
    status = phrases["ALIGNMENT_STATUS"].get(group[0].status, group[0].status)
    text = phrases.MISALIGNED.format(
        fixed=fixed, moving=moving, low=min(residuals), high=max(residuals), levels=levels, status=status
    )
    return Sentence(text, evidence, "limit")


def pair_names(analysis: Analysis, alignment: VertebraAlignment) -> tuple[str, str]:
    """'T1w (series 3)' and 'STIR (series 4)': the fixed and the moving series of an alignment."""
    names = {
        r.series.series_uid: phrases.SERIES_SHORT.format(contrast=term(r.series.contrast.value), label=r.series.label)
        for r in analysis.series
    }
    fixed = names.get(alignment.fixed_series_uid, phrases.EMPTY)
    return fixed, names.get(alignment.moving_series_uid, phrases.EMPTY)


def _patient(analysis: Analysis) -> Sentence:
    details = []
    if analysis.patient_age_years is not None:
        details.append(phrases.AGE.format(years=analysis.patient_age_years))
    if analysis.patient_sex in phrases["SEX"]:
        details.append(phrases["SEX"][analysis.patient_sex])
    text = f" ({', '.join(details)})" if details else ""
    return Sentence(phrases.PATIENT.format(patient=analysis.patient, details=text, study=analysis.study))


def _levels(analysis: Analysis) -> Iterator[Sentence]:
    vertebrae = analysis.spine.vertebrae
    if not vertebrae:
        yield Sentence(phrases.LEVELS_NONE, tone="limit")
        return
    order = analysis.spine.levels
    bases = dict.fromkeys(v.assignment.basis for v in vertebrae)
    by_basis = [(basis, [v.level for v in vertebrae if v.assignment.basis is basis]) for basis in bases]
    words = {basis: phrases["BASIS"].get(basis.value, basis.value) for basis in bases}
    told = [f"{level_ranges(levels, order)} {words[b]}" if len(by_basis) > 1 else words[b] for b, levels in by_basis]
    ranges = level_ranges(order, order)
    yield Sentence(phrases.LEVELS_SEEN.format(count=len(vertebrae), levels=ranges, bases="; ".join(told)), ("spine",))
    cut = [v.level for v in vertebrae if v.cut]
    if cut:
        yield Sentence(phrases.LEVELS_CUT.format(levels=level_ranges(cut, order)), ("spine",), "limit")
    if any(level.is_relative for level in order):
        yield Sentence(phrases.NUMBERING_RELATIVE, ("spine",), "limit")
    elif any(basis in _UNANCHORED for basis in bases):
        yield Sentence(phrases.NUMBERING_CAUTION, ("spine",), "limit")


def _part(record: SeriesRecord) -> Sentence:
    """What a station or a composed series contributes."""
    label = record.series.label
    return Sentence(phrases.SERIES_PART.format(label=label, part=record.reason), (f"series {label}",))


def _refusal(record: SeriesRecord) -> Sentence:
    series = record.series
    reason = (record.reason or series.refusal or phrases.EMPTY).rstrip(".")
    facts = {"label": series.label, "plane": term(series.plane.value), "contrast": term(series.contrast.value)}
    return Sentence(phrases.REFUSED.format(**facts, reason=reason), (f"series {series.label}",), "limit")


def _series_sentence(series: Series) -> str:
    details = [text for text in _series_details(series) if text]
    joined = f", {', '.join(details)}" if details else ""
    return phrases.SERIES.format(
        label=series.label, plane=term(series.plane.value), contrast=term(series.contrast.value), details=joined
    )


def _series_details(series: Series) -> Iterator[str]:
    if series.shape and series.spacing:
        (slices, rows, columns), (slice_mm, row_mm, column_mm) = series.shape, series.spacing
        yield phrases.SERIES_GRID.format(
            slices=slices, rows=rows, columns=columns, slice_mm=slice_mm, row_mm=row_mm, column_mm=column_mm
        )
    if series.repetition_time_ms is not None and series.echo_time_ms is not None:
        yield phrases.SERIES_TIMES.format(tr=series.repetition_time_ms, te=series.echo_time_ms)
    if series.inversion_time_ms is not None:
        yield phrases.SERIES_INVERSION.format(ti=series.inversion_time_ms)
    if series.field_strength_t is not None:
        yield phrases.SERIES_FIELD.format(tesla=series.field_strength_t)
    yield phrases["CONTRAST_AGENT"].get(series.contrast_agent, "")
