"""Of the series of one contrast: which are stations of one spine, and which show the same again.

Taken from the best down. A series is a station when it shows at least 60 mm of the patient, head to foot, that the
better ones do not show; two adjacent stations overlap by less. Places can only be compared within one frame of
reference; a series in another one is a station only if both name different regions of the spine. A composed series is
kept beside its stations: it carries the numbering from one end to the other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from spinemri.language import Phrases

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spinemri.series import Series

phrases = Phrases("dicom.stations")

_COVERING_SLICES = 7
_NEW_MM = 60.0
_REGIONS = {
    "cervical": "C",
    "cervicothoracic": "CT",
    "thoracic": "T",
    "thoracolumbar": "TL",
    "lumbar": "L",
    "lumbosacral": "LS",
    "sacral": "S",
}


def stations(usable: Sequence[Series]) -> tuple[list[Series], list[tuple[Series, str]]]:
    """Series of one contrast that together show the spine, and the others with the reason why not.

    Parameters
    ----------
    usable : series of one contrast that may be measured

    Returns
    -------
    taken, refused : the best first
    """
    taken: list[Series] = []
    refused: list[tuple[Series, str]] = []
    for series in sorted(usable, key=_rank):
        reason = _nothing_new(series, taken)
        if reason is None:
            taken.append(series)
        else:
            refused.append((series, reason))
    return taken, refused


def _rank(series: Series) -> tuple[float, ...]:
    """Lower is better: agent state certain, not composed, covers the canal, finer pixels, thinner and more slices."""
    shape, spacing = series.shape or (0, 0, 0), series.spacing or (99.0, 99.0, 99.0)
    return (
        series.contrast_agent == "uncertain",
        series.composed,
        shape[0] < _COVERING_SLICES,
        round(max(spacing[1:]), 1),
        round(spacing[0], 1),
        -shape[0],
        -shape[1] * spacing[1],
        series.number or 0,
        series.stack,
    )


def _nothing_new(series: Series, taken: Sequence[Series]) -> str | None:
    """Why a series adds nothing to better ones; None when it does."""
    here = [t for t in taken if t.frame_of_reference_uid == series.frame_of_reference_uid]
    elsewhere = [t for t in taken if t not in here]
    unclear = next((t for t in elsewhere if not _other_region(series, t)), None)
    if not here and unclear is not None:
        return phrases.SERIES_SHOWS_SAME_CONTRAST_ANOTHER.format(label=unclear.label)
    if not here or (
        series.composed and len([t for t in here if not t.composed]) > 1 and not any(t.composed for t in here)
    ):
        return None
    if series.reach_mm is not None and _new_mm(series.reach_mm, here) >= _NEW_MM:
        return None
    return _repeat(series, max(here, key=lambda t: _shared_mm(series, t)))


def _new_mm(reach: tuple[float, float], taken: Sequence[Series]) -> float:
    """Length of a stretch of the patient that no other series shows; 0 when one of them does not say what it shows."""
    if any(t.reach_mm is None for t in taken):
        return 0.0
    left = [reach]
    for low, high in (t.reach_mm for t in taken if t.reach_mm is not None):
        left = [part for a, b in left for part in ((a, min(b, low)), (max(a, high), b)) if part[1] > part[0]]
    return sum(b - a for a, b in left)


def _shared_mm(one: Series, two: Series) -> float:
    if one.reach_mm is None or two.reach_mm is None:
        return 0.0
    return min(one.reach_mm[1], two.reach_mm[1]) - max(one.reach_mm[0], two.reach_mm[0])


def _other_region(one: Series, two: Series) -> bool:
    """Whether two series name regions of the spine that have nothing in common."""
    here, there = _REGIONS.get(one.region), _REGIONS.get(two.region)
    return here is not None and there is not None and not set(here) & set(there)


def _repeat(series: Series, chosen: Series) -> str:
    """Why another series of the same contrast was preferred: the first criterion that told them apart."""
    words = (
        phrases.WITHOUT_DOUBT_ABOUT_CONTRAST_AGENT,
        phrases.NOT_COMPOSED_FROM_STATIONS,
        phrases.WITH_MORE_SLICES,
        phrases.BETTER_RESOLUTION,
        phrases.WITH_THINNER_SLICES,
        phrases.WITH_MORE_SLICES,
        phrases.OVER_LONGER_FIELD,
    )
    for word, mine, theirs in zip(words, _rank(series), _rank(chosen), strict=False):
        if mine != theirs:
            return phrases.SAME_CONTRAST_BETTER.format(label=chosen.label, word=word)
    return phrases.SAME_CONTRAST.format(label=chosen.label)
