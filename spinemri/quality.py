"""Whether a series is good enough to be relied on: one check per fault, each with its limit and a line for the user."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, model_validator

from spinemri.anatomy import Level


class QualityCheck(BaseModel):
    """One check of one series. ``passed`` is None when it could not be made; ``reason`` then says why."""

    model_config = ConfigDict(frozen=True)

    name: str = Field(description="'snr', 'motion', 'ghosting', 'wrap', 'metal', 'coverage', 'slice_gap' …")
    value: float | None = None
    unit: str = Field(description="UCUM: '1', '%', 'mm', 'mL'")
    limit: float = Field(description="the value from which, or below which, the check fails")
    passed: bool | None = None
    reason: str = Field(default="", description="why it could not be made, or one line for the user when it fails")
    levels: tuple[Level, ...] = Field(default=(), description="vertebrae concerned; none = the whole series")

    @model_validator(mode="after")
    def _reason_unless_passed(self) -> QualityCheck:
        if self.passed is not True and not self.reason:
            raise ValueError(f"{self.name}: a check that did not pass needs a reason")
        return self


class SeriesQuality(BaseModel):
    """Every quality check of one series."""

    model_config = ConfigDict(frozen=True)

    series_uid: str
    checks: tuple[QualityCheck, ...] = ()

    @property
    def failed(self) -> tuple[QualityCheck, ...]:
        """The checks that failed."""
        return tuple(check for check in self.checks if check.passed is False)

    def check(self, name: str) -> QualityCheck | None:
        """The check of a name, or None when it does not apply to this series."""
        return next((check for check in self.checks if check.name == name), None)
