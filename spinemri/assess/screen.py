"""What the quality of the series means for the marrow that was looked at: where to abstain, and what to warn of.

A void of metal hides marrow: those vertebrae are not assessed. Noise, motion and failed fat suppression do not forbid
looking, but the detection limit was found on images without them, so it is not stated.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spinemri.anatomy import Level
    from spinemri.lesion import MarrowScreen
    from spinemri.quality import SeriesQuality

HIDES = ("metal",)
DULLS = ("snr", "motion", "ghosting", "wrap", "fat_suppression", "motion_between_series")


def screened(screen: MarrowScreen, quality: Sequence[SeriesQuality], used: Sequence[str]) -> MarrowScreen:
    """The screen with what the quality checks of the series it used mean for it.

    Parameters
    ----------
    screen : which marrow the lesion network looked at
    quality : of every series
    used : series_uid of those that were read for lesions
    """
    failed = [
        check for series in quality if series.series_uid in used for check in series.checks if check.passed is False
    ]
    hidden: dict[Level, str] = {
        level: check.reason
        for check in failed
        if check.name in HIDES
        for level in check.levels
        if level in screen.assessed
    }
    dull = [check.reason for check in failed if check.name in DULLS]
    if not hidden and not dull:
        return screen
    return screen.model_copy(
        update={
            "assessed": tuple(level for level in screen.assessed if level not in hidden),
            "partly": tuple(level for level in screen.partly if level not in hidden),
            "not_assessed": (*screen.not_assessed, *hidden.items()),
            "detection_limit_mm": None if dull else screen.detection_limit_mm,
            "warnings": (*screen.warnings, *dict.fromkeys(dull)),
        }
    )


def failures(quality: Sequence[SeriesQuality]) -> tuple[str, ...]:
    """A line for each check that failed; motion between series is told with the alignment."""
    failed = [check for series in quality for check in series.failed]
    return tuple(check.reason for check in failed if check.name != "motion_between_series")
