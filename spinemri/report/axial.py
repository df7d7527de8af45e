"""What axial slices show of sac and cord in words, and the grades that rest on them; why there are none otherwise."""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING

from spinemri.finding import Certainty
from spinemri.measurement import below_the_cord
from spinemri.report.phrases import cord_phrases as words
from spinemri.report.sentences import Section, Sentence, ids
from spinemri.report.tables import measured, named

if TYPE_CHECKING:
    from collections.abc import Iterator

    from spinemri.analysis import Analysis
    from spinemri.finding import Finding
    from spinemri.measurement import Measurement

_SAC, _CORD, _RATIO = "axial_sac_area", "axial_cord_area", "cord_compression_ratio"
NAMES = (
    _SAC, "axial_sac_ap", "axial_sac_width", "axial_sac_area_compromise_pct", "axial_csf_fraction", _CORD,
    "axial_cord_ap", "axial_cord_width", _RATIO, "axial_occupation_ratio", "axial_sac_indent",
    "axial_cord_contact", "axial_csf_ring", "axial_sas_obliteration",
)  # fmt: skip
_SPACE = "sas_obliteration"
_TONES = {Certainty.PRESENT: "abnormal", Certainty.BORDERLINE: "borderline", Certainty.ABSENT: ""}


def is_axial(finding: Finding) -> bool:
    """Whether a finding is said in this section."""
    return finding.kind in words["AXIAL_GRADES"]


def axial_section(analysis: Analysis) -> Section | None:
    """Sizes of sac and cord, grades, and what was not measured; None where no axial slice was measured."""
    if not named(analysis, _SAC):
        return None
    return Section(words.AXIAL, (*_sac(analysis), *_cord(analysis), *_graded(analysis), *_missing(analysis)))


def axial_grades(analysis: Analysis) -> Iterator[Sentence]:
    """The grades that could not be told, and the space around the cord that Kang's also rests on."""
    found = [f for f in analysis.findings if is_axial(f) and f.certainty is Certainty.NOT_ASSESSABLE]
    if not found:
        return
    if named(analysis, _SAC):
        yield from (Sentence(f.statement, (f.id,), "limit") for f in found)
        return
    evidence = [m for f in found for id_ in f.evidence if (m := analysis.measurement(id_)) is not None]
    space = next((m for m in evidence if m.name == _SPACE and m.value is not None), None)
    lost = "" if space is None else words.SPACE_LOST.format(value=100 * max(_value(space), 0.0), place=space.place)
    names = ", ".join(words["AXIAL_GRADES"][f.kind] for f in found)
    ids_ = (*(f.id for f in found), *((space.id,) if space is not None else ()))
    yield Sentence(words.AXIAL_GRADES_MISSING.format(names=names, lost=lost), ids_, "limit")


def _sac(analysis: Analysis) -> Iterator[Sentence]:
    areas = measured(named(analysis, _SAC))
    if areas:
        yield _sizes(analysis, areas, words.AXIAL_SAC if len(areas) > 1 else words.AXIAL_SAC_ONE)


def _cord(analysis: Analysis) -> Iterator[Sentence]:
    areas = measured(named(analysis, _CORD))
    if areas:
        yield _sizes(analysis, areas, words.AXIAL_CORD if len(areas) > 1 else words.AXIAL_CORD_ONE)


def _sizes(analysis: Analysis, areas: tuple[Measurement, ...], phrase: str) -> Sentence:
    """The smallest section with its depth and width, and the largest."""
    low, high = min(areas, key=_value), max(areas, key=_value)
    stem = low.id.removesuffix("_area")
    depth, width = (_value(analysis.measurement(f"{stem}_{what}")) for what in ("ap", "width"))
    size = words.AXIAL_SIZE.format(ap=depth, width=width) if isfinite(depth) and isfinite(width) else ""
    said = {"low": low.value, "high": high.value, "count": len(areas), "place": low.place}
    return Sentence(phrase.format(**said, size=size), ids(areas))


def _graded(analysis: Analysis) -> Iterator[Sentence]:
    for finding in analysis.findings:
        if is_axial(finding) and finding.certainty in _TONES:
            yield Sentence(finding.statement, (finding.id, *finding.evidence), _TONES[finding.certainty])


def _missing(analysis: Analysis) -> Iterator[Sentence]:
    gaps: dict[tuple[str, str], list[Measurement]] = {}
    for m in named(analysis, _SAC, _CORD):
        if m.value is None and m.reason != below_the_cord():
            gaps.setdefault((m.name, m.reason), []).append(m)
    for (name, reason), found in gaps.items():
        places = ", ".join(m.place for m in found)
        text = words.AXIAL_MISSING.format(places=places, what=words["AXIAL_WHAT"][name], reason=reason)
        yield Sentence(text, ids(found), "limit")


def _value(measurement: Measurement | None) -> float:
    return float("nan") if measurement is None or measurement.value is None else measurement.value
