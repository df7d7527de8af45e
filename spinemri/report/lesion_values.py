"""What was measured of each lesion, and how its place, size and kinds are written.

A lesion's measurements have ids '<lesion>.<name>'. Those without a value are told in the table of lesions and nowhere
else: most studies lack some sequence, and every lesion would repeat it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from spinemri.anatomy import StructureKind
from spinemri.language import number
from spinemri.lesion import MarrowChange
from spinemri.report.phrases import marrow_phrases as words
from spinemri.report.sentences import level_ranges
from spinemri.series import Contrast
from spinemri.terms import term

if TYPE_CHECKING:
    from collections.abc import Iterable

    from spinemri.analysis import Analysis
    from spinemri.finding import Finding
    from spinemri.lesion import Lesion
    from spinemri.measurement import Measurement

LESION_KIND, INVOLVEMENT_KIND, DIFFUSE_KIND = "marrow_lesion", "marrow_involvement", "diffuse_marrow"
MARROW_KINDS = (LESION_KIND, INVOLVEMENT_KIND, DIFFUSE_KIND)
VOLUME, DIAMETER, BODY_SHARE = "lesion_volume", "lesion_diameter", "lesion_body_share_pct"
NAMED_FROM = 0.1
"""Share of the evidence from which a kind is named."""

BENIGN = (
    MarrowChange.HAEMANGIOMA,
    MarrowChange.FAT,
    MarrowChange.RED_MARROW,
    MarrowChange.MODIC_1,
    MarrowChange.MODIC_2,
    MarrowChange.MODIC_3,
    MarrowChange.CORNER,
    MarrowChange.SCHMORL,
    MarrowChange.RADIATION,
    MarrowChange.INFARCT,
    MarrowChange.PAGET,
    MarrowChange.HARDWARE,
)
"""Kinds that may be gathered in one sentence. Infection and a fracture are none, nor what may look like a tumour."""

_MARROW_NAMES = ("marrow_t1_to_disc", "marrow_t1_to_muscle")
_CUBIC_CENTIMETRE = 1000.0


def is_marrow(measurement: Measurement) -> bool:
    """Whether a measurement is one of a lesion or of a vertebra's marrow."""
    return measurement.kind is StructureKind.LESION or measurement.name in _MARROW_NAMES


def values_of(analysis: Analysis, lesion: Lesion) -> dict[str, Measurement]:
    """A lesion's measurements by name, in the order of the report."""
    own = {m.name: m for m in analysis.measurements if m.id == f"{lesion.id}.{m.name}"}
    known = {name: own.pop(name) for name in words["NAMES"] if name in own}
    return known | own


def finding_of(analysis: Analysis, lesion: Lesion) -> Finding | None:
    """The finding that states a lesion."""
    return next((f for f in analysis.findings if f.id == f"{lesion.id}.{LESION_KIND}"), None)


def first_kind(lesion: Lesion, finding: Finding | None) -> MarrowChange:
    """The first kind of the differential: the finding's, which weighs more than the network sees."""
    named = [kind for kind in MarrowChange if finding is not None and kind.value == finding.cause]
    return named[0] if named else lesion.kind


def named_kinds(lesion: Lesion) -> tuple[tuple[MarrowChange, float], ...]:
    """Kinds with a tenth or more of the evidence, or the first one where none has, with their shares."""
    ranked = sorted(lesion.shares.items(), key=lambda item: -item[1])
    return tuple(item for item in ranked if item[1] >= NAMED_FROM) or tuple(ranked[:1])


def looks_benign(lesion: Lesion, finding: Finding | None) -> bool:
    """Whether no kind that is named, by the network or by the finding, calls for a sentence of its own."""
    kinds = {first_kind(lesion, finding), *(kind for kind, _ in named_kinds(lesion))}
    return kinds <= set(BENIGN)


def kinds_text(lesion: Lesion) -> str:
    """'tumour-like 71 %, atypical haemangioma 18 %'."""
    told = []
    for kind, share in named_kinds(lesion):  # 'Modic 1: 60 %'
        phrase = words.KIND_SHARE_NUMBERED if kind.value[-1].isdigit() else words.KIND_SHARE
        told.append(phrase.format(kind=term(kind.value), share=100 * share))
    return ", ".join(told)


def levels_text(analysis: Analysis, lesion: Lesion) -> str:
    """'L2-L3'."""
    return level_ranges(lesion.levels, analysis.spine.levels) or ", ".join(map(str, lesion.levels))


def place_text(analysis: Analysis, lesion: Lesion) -> str:
    """'L2 left'."""
    return words.PLACE.format(levels=levels_text(analysis, lesion), side=term(lesion.side)).strip()


def probability_text(lesion: Lesion) -> str:
    """'83 %', and whether a person has confirmed the lesion."""
    text = f"{100 * lesion.probability:.0f} %"
    return words.CONFIRMED.format(probability=text) if lesion.confirmed else text


def quantity(measurement: Measurement | None) -> str:
    """'21 mm', '2.4 cm³', '38 %'; '' without a value."""
    if measurement is None or measurement.value is None:
        return ""
    value, unit = measurement.value, measurement.unit
    if unit == "mm3":
        litre = value >= _CUBIC_CENTIMETRE
        return f"{number(value / _CUBIC_CENTIMETRE, '.1f')} cm³" if litre else f"{value:.0f} mm³"
    return f"{value:.0f} {unit}"


def sequence_name(analysis: Analysis, text: str) -> str:
    """A heading with the name of the sequence that the study has: STIR, or fat-suppressed T2w instead."""
    contrasts = {series.contrast for series in analysis.used_series()}
    instead = Contrast.T2W_FS in contrasts and Contrast.STIR not in contrasts
    return text.replace(Contrast.STIR.value, Contrast.T2W_FS.value) if instead else text


def gaps_of(measurements: Iterable[Measurement]) -> dict[str, tuple[str, ...]]:
    """Reason -> short names of the measurements that have no value for it."""
    gaps: dict[str, tuple[str, ...]] = {}
    for m in measurements:
        if m.value is None:
            gaps[m.reason] = (*gaps.get(m.reason, ()), words["NAMES"].get(m.name, m.name))
    return gaps
