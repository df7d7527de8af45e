"""The spine of one patient in one study: each vertebra exactly once, in patient coordinates."""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

from spinemri.anatomy import Level


class LevelBasis(StrEnum):
    """What the name of a vertebra rests on."""

    FROM_C2 = "counted from C2"
    FROM_SACRUM = "counted from the sacrum"
    OTHER_STATION = "counted from another station"
    USER = "given by the user"
    ASSUMED = "assumed"


class LevelAssignment(BaseModel):
    """A level's name, what it rests on, and how sure it is (0 to 1)."""

    model_config = ConfigDict(frozen=True)

    level: Level
    basis: LevelBasis
    confidence: float = Field(ge=0, le=1)


class Vertebra(BaseModel):
    """One vertebra: its name, where its body's centre lies, and which series shows it best."""

    model_config = ConfigDict(frozen=True)

    assignment: LevelAssignment
    centre: tuple[float, float, float] = Field(description="centroid of the body, LPS mm")
    series_uid: str = Field(description="series whose mask of the body is measured")
    seen_in: tuple[str, ...] = Field(default=(), description="series_uid of every series that shows the body")
    cut: bool = Field(default=False, description="the field of view cuts the body: reported, not measured")

    @property
    def level(self) -> Level:
        """The assigned level."""
        return self.assignment.level


class VertebraAlignment(BaseModel):
    """How well two series of one study agree at one vertebra (T1 and STIR, for instance)."""

    model_config = ConfigDict(frozen=True)

    level: Level
    fixed_series_uid: str
    moving_series_uid: str
    residual_mm: float | None = Field(description="shift that was found when both are laid over each other by headers")
    rotation_deg: float | None = None
    status: str = Field(description="'aligned', 'registered' (shift applied) or 'unpaired'")
    reason: str = ""
    translation_mm: tuple[float, float, float] = (0.0, 0.0, 0.0)


class Spine(BaseModel):
    """Every vertebra of the study once, head to foot."""

    model_config = ConfigDict(frozen=True)

    vertebrae: tuple[Vertebra, ...] = ()
    sac_series_uid: str | None = Field(default=None, description="series whose thecal sac mask is measured")
    warnings: tuple[str, ...] = ()

    def vertebra(self, level: Level) -> Vertebra | None:
        """The vertebra of a level, or None."""
        return next((v for v in self.vertebrae if v.level == level), None)

    @property
    def levels(self) -> tuple[Level, ...]:
        """Levels from head to foot."""
        return tuple(v.level for v in self.vertebrae)
