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


class OtherView(BaseModel):
    """A series that shows a vertebra too but is not measured there, and why not."""

    model_config = ConfigDict(frozen=True)

    series_uid: str
    reason: str


class Vertebra(BaseModel):
    """One vertebra: its name, where its body's centre lies, and which series shows it best."""

    model_config = ConfigDict(frozen=True)

    assignment: LevelAssignment
    centre: tuple[float, float, float] = Field(description="centroid of the body, LPS mm")
    series_uid: str = Field(description="series whose mask of the body is measured")
    seen_in: tuple[str, ...] = Field(default=(), description="series_uid of every series that shows the body")
    others: tuple[OtherView, ...] = Field(default=(), description="series that show it too, and why they give way")
    sac_series_uid: str | None = Field(default=None, description="series whose thecal sac is measured at this level")
    cut: bool = Field(default=False, description="the field of view cuts the body: reported, not measured")
    excluded: str = Field(default="", description="why the body is not measured although it is whole")

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
    turn_deg: tuple[float, float, float] = Field(
        default=(0.0, 0.0, 0.0), description="rotation vector (LPS) of the turn about `centre` that goes with the shift"
    )
    centre: tuple[float, float, float] = Field(
        default=(0.0, 0.0, 0.0), description="body's centre in the fixed series, LPS mm"
    )


class Spine(BaseModel):
    """Every vertebra of the study once, head to foot."""

    model_config = ConfigDict(frozen=True)

    vertebrae: tuple[Vertebra, ...] = ()
    sac_series_uid: str | None = Field(
        default=None, description="series whose thecal sac mask is measured where a vertebra names no other"
    )
    warnings: tuple[str, ...] = ()

    def vertebra(self, level: Level) -> Vertebra | None:
        """The vertebra of a level, or None."""
        return next((v for v in self.vertebrae if v.level == level), None)

    def sac_series(self, *levels: Level) -> tuple[str, ...]:
        """Series in which the sac is measured at a body or at the disc between two, the first choice first."""
        own = [v.sac_series_uid or self.sac_series_uid for level in levels if (v := self.vertebra(level)) is not None]
        return tuple(dict.fromkeys(uid for uid in own if uid is not None))

    @property
    def levels(self) -> tuple[Level, ...]:
        """Levels from head to foot."""
        return tuple(v.level for v in self.vertebrae)
