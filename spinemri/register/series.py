"""Which series are compared: every other one with those of the reference contrast, stations with each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spinemri.faults import attempt
from spinemri.language import Phrases
from spinemri.register.vertebra import align_vertebrae
from spinemri.series import Contrast

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spinemri.anatomy import Level
    from spinemri.image import Image
    from spinemri.segmentation import Segmentation
    from spinemri.spine import Spine, VertebraAlignment

phrases = Phrases("register.series")

_REFERENCES = (Contrast.T1W, Contrast.T2W)


def align_series(
    spine: Spine, images: Sequence[Image], segmentations: Sequence[Segmentation]
) -> tuple[tuple[VertebraAlignment, ...], tuple[str, ...]]:
    """Alignment of every series to the reference series (T1w, else T2w, else the first contrast), vertebra by vertebra.

    Parameters
    ----------
    spine : vertebrae of the study
    images, segmentations : parallel, one per series

    Returns
    -------
    Alignments (none for a study of one series), and a line for each pair of series in which vertebrae moved. With
    several stations of the reference contrast, a vertebra is compared with the station that it is measured in, and
    stations with each other. A composed series in which nothing is measured is left out.
    """
    shown = [n for n, image in enumerate(images) if not image.series.composed or _is_measured(image, spine)]
    contrasts = [images[n].series.contrast for n in shown]
    reference = next((c for c in (*_REFERENCES, *contrasts) if c in contrasts), None)
    references = [n for n in shown if images[n].series.contrast is reference]
    found: list[VertebraAlignment] = []
    notes = []
    for moving in shown:
        for fixed, levels in _fixed_levels(spine, images, segmentations, references, moving).items():
            part = spine.model_copy(update={"vertebrae": tuple(v for v in spine.vertebrae if v.level in levels)})
            two = (images[fixed], segmentations[fixed], images[moving], segmentations[moving])
            what = phrases.ALIGNMENT_SERIES_WITH.format(
                label=images[moving].series.label, fixed=images[fixed].series.label
            )
            pairs = attempt(what, (), align_vertebrae, part, *two)
            found += pairs
            notes += _motion_note(pairs, images[fixed].series.label, images[moving].series.label)
    return tuple(found), tuple(notes)


def _is_measured(image: Image, spine: Spine) -> bool:
    return any(image.series.series_uid in (v.series_uid, v.sac_series_uid) for v in spine.vertebrae)


def _fixed_levels(
    spine: Spine,
    images: Sequence[Image],
    segmentations: Sequence[Segmentation],
    references: Sequence[int],
    moving: int,
) -> dict[int, list[Level]]:
    """For one moving series: the reference series to compare with, each with its levels."""
    found: dict[int, list[Level]] = {}
    for vertebra in spine.vertebrae:
        showing = [n for n in references if n != moving and segmentations[n].body(vertebra.level)]
        if moving in references:  # each pair of stations once
            showing = [n for n in showing if n < moving]
        best = sorted(showing, key=lambda n: images[n].series.series_uid != vertebra.series_uid)
        if best and segmentations[moving].body(vertebra.level):
            found.setdefault(best[0], []).append(vertebra.level)
    return found


def _motion_note(pairs: Sequence[VertebraAlignment], fixed: str, moving: str) -> list[str]:
    moved = [p for p in pairs if p.status != "aligned"]
    if not moved:
        return []
    shifts = ", ".join(
        phrases.SHIFT.format(level=p.level, shift=p.residual_mm) for p in moved if p.residual_mm is not None
    )
    unread = ", ".join(f"{p.level} ({p.reason})" for p in moved if p.residual_mm is None)
    what = "; ".join(
        part
        for part in (
            phrases.PATIENT_MOVED_BETWEEN_THEM.format(shifts=shifts) if shifts else "",
            phrases.NOT_COMPARED.format(unread=unread) if unread else "",
        )
        if part
    )
    return [phrases.SERIES_SEE_ALIGNMENT_TABLE.format(fixed=fixed, moving=moving, what=what)]
