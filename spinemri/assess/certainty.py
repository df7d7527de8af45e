"""Whether a value reaches a limit: borderline while its 95 % interval still holds values that do not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spinemri.finding import Certainty

if TYPE_CHECKING:
    from spinemri.measurement import Measurement


def reached(measurement: Measurement, limit: float, *, above: bool = False) -> Certainty:
    """Whether a measurement reaches a limit with its whole interval; its value alone counts where it has none.

    Parameters
    ----------
    above : whether the limit itself does not count yet
    """

    def counts(value: float) -> bool:
        return value > limit if above else value >= limit

    if measurement.value is None:
        return Certainty.NOT_ASSESSABLE
    if not counts(measurement.value):
        return Certainty.ABSENT
    sure = measurement.interval is None or counts(measurement.interval[0])
    return Certainty.PRESENT if sure else Certainty.BORDERLINE
