"""One number with everything needed to check it: unit, place, points in the patient, interval, status."""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field, model_validator

from spinemri.anatomy import Level, StructureKind


class Status(StrEnum):
    """Whether a measurement could be made."""

    MEASURED = "measured"
    NOT_ASSESSABLE = "not_assessable"
    OUT_OF_FIELD = "out_of_field"
    EXCLUDED = "excluded"


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

    @model_validator(mode="after")
    def _value_or_reason(self) -> Measurement:
        if (self.value is None) is (self.status is Status.MEASURED):
            raise ValueError(f"{self.id}: status {self.status.value} with value {self.value}")
        if self.value is None and not self.reason:
            raise ValueError(f"{self.id}: a missing value needs a reason")
        return self
