"""In words: which part of the spine is measured in which series of a study with stations."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from spinemri.language import Phrases

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spinemri.anatomy import Level
    from spinemri.image import Image
    from spinemri.spine import Spine

phrases = Phrases("merge.parts")


def parts(spine: Spine, images: Sequence[Image]) -> tuple[str, ...]:
    """What each series contributes, such as 'station: bodies of T11 to S1, thecal sac of T11 to S1'.

    Empty for a series that is neither composed nor one of several of its contrast.
    """
    contrasts = Counter(image.series.contrast for image in images)
    found = []
    for image in images:
        series = image.series
        if not series.composed and contrasts[series.contrast] < 2:
            found.append("")
            continue
        body = [v.level for v in spine.vertebrae if v.series_uid == series.series_uid and not v.cut and not v.excluded]
        sac = [v.level for v in spine.vertebrae if v.sac_series_uid == series.series_uid]
        measured = [
            phrases.STRUCTURES_OF.format(what=what, ranges=_ranges(levels, spine))
            for what, levels in ((phrases.BODIES, body), (phrases.THECAL_SAC, sac))
            if levels
        ]
        kind = phrases.COMPOSED_FROM_STATIONS if series.composed else phrases.STATION
        nothing = phrases.NUMBERING_OVERVIEW_ONLY if series.composed else phrases.NOTHING_MEASURED
        found.append(f"{kind}: {', '.join(measured) or nothing}")
    return tuple(found)


def _ranges(levels: Sequence[Level], spine: Spine) -> str:
    """'C2 to T3, L1': levels that follow each other in this spine are one range."""
    order = spine.levels
    runs: list[list[Level]] = []
    for level in levels:
        if runs and order.index(level) == order.index(runs[-1][-1]) + 1:
            runs[-1].append(level)
        else:
            runs.append([level])
    return ", ".join(
        str(run[0]) if len(run) == 1 else phrases.FROM_TO.format(first=run[0], last=run[-1]) for run in runs
    )
