"""One number with everything needed to check it: unit, place, points in the patient, interval, status."""

from __future__ import annotations

import math
from enum import StrEnum
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field, model_validator

from spinemri.anatomy import Level, StructureKind
from spinemri.language import Phrases
from spinemri.norms import NORMS, threshold

if TYPE_CHECKING:
    from collections.abc import Callable

SERIES_DIFFER = "series_differ"
"""Flag of a value that the other series of the study do not show."""
NEAR_SAC_END = "near_sac_end"
"""Flag of a size or loss of the thecal sac near its lower end, where it tapers to nothing."""
_WORDS = Phrases("measurement")


Z95 = 1.96
"""Standard deviations on either side of the mean that hold 95 % of a normal distribution."""


class Status(StrEnum):
    """Whether a measurement could be made."""

    MEASURED = "measured"
    NOT_ASSESSABLE = "not_assessable"
    OUT_OF_FIELD = "out_of_field"
    EXCLUDED = "excluded"


def below_the_cord() -> str:
    """Reason for which no value of the cord is expected, in the language that is spoken."""
    return _WORDS.BELOW_THE_CORD


class Measurement(BaseModel):
    """A measured quantity at one place, or the reason why there is none.

    ``value`` is None exactly when ``status`` is not MEASURED; then ``reason`` is not empty. ``points`` are patient
    points (LPS mm): for a length, its two ends.
    """

    model_config = ConfigDict(frozen=True)

    id: str = Field(description="unique within an analysis, such as 'L1.height_loss_pct'")
    name: str
    kind: StructureKind
    level: Level | None = None
    lower: Level | None = Field(default=None, description="lower level when the place is a disc")
    value: float | None = None
    unit: str = Field(description="UCUM: 'mm', '%', 'deg', 'mm2', '1'")
    points: tuple[tuple[float, float, float], ...] = ()
    interval: tuple[float, float] | None = Field(default=None, description="95 % interval, in the unit of value")
    reference_levels: tuple[Level, ...] = ()
    series_uid: str | None = None
    status: Status = Status.MEASURED
    reason: str = ""
    flags: tuple[str, ...] = ()

    @property
    def place(self) -> str:
        """'L4' or, at a disc, 'L4-L5'."""
        return "-".join(str(v) for v in (self.level, self.lower) if v is not None)

    @property
    def levels(self) -> tuple[Level, ...]:
        """The level, or both levels beside a disc; empty without one."""
        return tuple(v for v in (self.level, self.lower) if v is not None)

    @model_validator(mode="after")
    def _value_or_reason(self) -> Measurement:
        if (self.value is None) is (self.status is Status.MEASURED):
            raise ValueError(f"{self.id}: status {self.status.value} with value {self.value}")
        if self.value is None and not self.reason:
            raise ValueError(f"{self.id}: a missing value needs a reason")
        return self


def minimal_detectable_change(measurement: Measurement, later: Measurement | None = None) -> float | None:
    """Change between two such measurements below which nothing can be said to have changed, in the unit of the value.

    1.96 times the root of the summed variances of both, which their 95 % intervals state (the later one is taken to be
    as good as the first when it is not there); for a height loss at least the 12 points that two human readings of one
    examination differ by (Buckens et al., PLoS ONE 2013;8:e71204). Where an interval does not count how a network
    draws, the variance with which its drawings of one person repeat is added to both (``repeatability.*`` of the
    norms). None where there is no value or no interval. An interval also counts how much healthy bodies differ from
    each other, which does not change between examinations: this errs to the safe side.
    """
    halves = [_half_interval(one) for one in (measurement, later or measurement)]
    if halves[0] is None or halves[1] is None:
        return None
    human = threshold("height_loss.detectable_change") if measurement.name.startswith("height_loss") else 0.0
    drawn = [Z95 * _repeatability(one) for one in (measurement, later or measurement)]
    return max(math.hypot(halves[0], halves[1], *drawn), human)


def _repeatability(measurement: Measurement) -> float:
    """Standard deviation with which a value repeats in drawings of one person, in its unit; 0 where none is added."""
    row = NORMS.get((f"repeatability.{measurement.name}", ""))
    if row is None or measurement.value is None:
        return 0.0
    of_value = row.unit == "%" != measurement.unit
    return row.value * abs(measurement.value) / 100 if of_value else row.value


def _half_interval(measurement: Measurement) -> float | None:
    """Half of the 95 % interval; its longer side where a quantity cannot be smaller or larger and it ends there."""
    if measurement.value is None or measurement.interval is None:
        return None
    return max(measurement.interval[1] - measurement.value, measurement.value - measurement.interval[0])


SAC_LOSSES = ("axial_sac_area_compromise_pct", "dural_sac_area_compromise_pct", "dural_sac_compromise_pct")
"""What the sac may have lost at a place: area on axial slices, area and depth on sagittal ones."""
_VARIES_BY_PCT = threshold("narrowing.normal_up_to")


def deciding_loss(find: Callable[[str], Measurement | None]) -> Measurement | None:
    """The loss of the sac at one place that its narrowing is graded by; ``find`` returns the place's one of a name.

    The first of ``SAC_LOSSES`` with a value; but depth before sagittal area where only depth is lost beyond what levels
    vary by, for the area of a few chords is coarse. Without any value the last one that is there, which says why.
    """
    axial, area, depth = (find(name) for name in SAC_LOSSES)
    if axial is not None and axial.value is not None:
        return axial
    lost = [None if m is None else m.value for m in (area, depth)]
    if lost[0] is not None and not (lost[1] is not None and lost[0] <= _VARIES_BY_PCT < lost[1]):
        return area
    return depth or area or axial
