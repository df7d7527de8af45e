"""The document that a comparison yields: what ``comparison.json`` holds. No voxels, no identifiers, no dates.

Dates tell people apart, so only the days between examinations are kept.
"""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field, model_validator

from spinemri.analysis import Provenance
from spinemri.anatomy import Level
from spinemri.language import ENGLISH, Phrases

phrases = Phrases("compare.comparison")

SCHEMA_VERSION = "1.0"


class Verdict(StrEnum):
    """What became of a quantity, a lesion or a vertebra's height between two examinations."""

    NEW = "new"
    GROWN = "grown"
    INCREASED = "increased"
    PROGRESSED = "progressed"
    STABLE = "stable"
    DECREASED = "decreased"
    SHRUNK = "shrunk"
    GONE = "gone"
    NOT_COMPARABLE = "not comparable"

    @property
    def called(self) -> bool:
        """Whether it says that something has changed."""
        return self not in (Verdict.STABLE, Verdict.NOT_COMPARABLE)


class Examined(BaseModel):
    """One of the examinations that are compared."""

    model_config = ConfigDict(frozen=True)

    number: int = Field(description="0 is the baseline")
    study: str = Field(description="the study as its analysis names it: a salted token unless identifiers are kept")
    days: int | None = Field(default=None, description="days after the baseline; None when a date is not known")
    contrasts: tuple[str, ...] = ()
    levels: tuple[Level, ...] = ()
    provenance: Provenance


class Match(BaseModel):
    """A vertebra found again, and what speaks for it being the same one."""

    model_config = ConfigDict(frozen=True)

    level: Level | None = Field(description="its name at the earlier examination; None when it is not there")
    later_level: Level | None = Field(description="its name at the later one; None when it is not there")
    comparable: bool
    reason: str = Field(default="", description="why it is not compared")
    contrast: str = Field(default="", description="of the two series that were registered")
    overlap: float | None = Field(
        default=None, description="share of each body's mask within the other one after registration, mean of both ways"
    )
    information: float | None = Field(default=None, description="mutual information of the registered images, nats")
    turn_deg: float | None = Field(default=None, description="turn of the vertebra between the examinations, degrees")

    @property
    def place(self) -> str:
        """'L3', or 'L3 (named L4 later)' where the names differ."""
        if self.level is None or self.later_level in (None, self.level):
            return str(self.level or self.later_level)
        return phrases.NAMED_LATER.format(level=self.level, later=self.later_level)


class Naming(BaseModel):
    """Which names of the later examination belong to those of the earlier one.

    ``shift`` counts how many places further down the names of the later examination lie: 1 when the earlier L3 is
    called L4 later. ``scores`` holds, for each shift that was tried, how well the vertebrae fit (higher is better).
    """

    model_config = ConfigDict(frozen=True)

    shift: int | None = Field(description="None when nothing is compared: names and registration disagree, or no pair")
    sure: bool = Field(description="registration tells the best shift apart from its neighbours")
    scores: dict[int, float] = Field(default_factory=dict)
    statement: str


class Change(BaseModel):
    """One quantity at one place at two examinations.

    ``change`` is the later minus the earlier value. Nothing is called a change up to ``mdc``, the minimal detectable
    change. Where a lesion is new or gone there is one value only; ``mdc`` is the smallest lesion that would be seen.
    """

    model_config = ConfigDict(frozen=True)

    id: str = Field(description="unique within a step, such as 'L1.height_loss_pct'")
    name: str
    place: str = Field(description="'L4' or 'L4-L5', by the names of the earlier examination")
    lesion: str = Field(default="", description="id of the lesion within the step, when the quantity is of one")
    baseline: float | None = None
    baseline_interval: tuple[float, float] | None = Field(default=None, description="95 % interval")
    later: float | None = None
    later_interval: tuple[float, float] | None = Field(default=None, description="95 % interval")
    change: float | None = None
    unit: str = Field(description="UCUM; the change of a percentage is in points")
    mdc: float | None = Field(default=None, description="minimal detectable change, in the unit")
    mdc_source: str = ""
    verdict: Verdict
    reason: str = ""
    evidence: tuple[str, ...] = Field(default=(), description="ids of the measurements, earlier then later")

    @model_validator(mode="after")
    def _reasoned(self) -> Change:
        if self.verdict is Verdict.NOT_COMPARABLE and not self.reason:
            raise ValueError(f"{self.id}: what is not comparable needs a reason")
        beyond = self.change is not None and self.mdc is not None and abs(self.change) > self.mdc
        if self.verdict in (Verdict.INCREASED, Verdict.DECREASED) and not beyond:
            raise ValueError(f"{self.id}: {self.verdict.value} by {self.change}, within {self.mdc}")
        return self


class LesionChange(BaseModel):
    """A lesion at two examinations; several ids on one side are lesions that have become one, or parted."""

    model_config = ConfigDict(frozen=True)

    id: str = Field(description="unique within a step: 'A', 'B' …, head to foot")
    place: str = Field(description="vertebra that holds most of it, by the name of the earlier examination")
    side: str = ""
    kind: str = Field(default="", description="first of the differential, at the latest examination that shows it")
    baseline_ids: tuple[str, ...] = Field(default=(), description="ids in the earlier analysis; none when not there")
    later_ids: tuple[str, ...] = Field(default=(), description="ids in the later analysis; none when not there")
    verdict: Verdict
    reason: str = ""


class FractureChange(BaseModel):
    """What became of a vertebra's height where there is or was a fracture-level loss, or where it changed."""

    model_config = ConfigDict(frozen=True)

    place: str
    verdict: Verdict
    change: str = Field(description="id of the change it rests on")
    reason: str = ""


class Step(BaseModel):
    """An earlier examination compared with a later one."""

    model_config = ConfigDict(frozen=True)

    earlier: int
    later: int
    naming: Naming
    matches: tuple[Match, ...]
    changes: tuple[Change, ...]
    lesions: tuple[LesionChange, ...]
    fractures: tuple[FractureChange, ...]

    def of_lesion(self, lesion: str) -> tuple[Change, ...]:
        """The quantities of one lesion."""
        return tuple(change for change in self.changes if change.lesion == lesion)

    def change(self, id_: str) -> Change | None:
        """The change with this id, or None."""
        return next((change for change in self.changes if change.id == id_), None)


class Trend(BaseModel):
    """One quantity at every date; the place has the baseline's name, ``values`` are parallel to the examinations."""

    model_config = ConfigDict(frozen=True)

    name: str
    place: str
    lesion: str = Field(default="", description="id of the baseline's lesion, when the quantity is of one")
    unit: str
    values: tuple[float | None, ...]
    intervals: tuple[tuple[float, float] | None, ...] = Field(default=(), description="95 %, parallel to the values")
    mdc: tuple[float | None, ...] = Field(
        default=(), description="minimal detectable change of each value against the baseline's; None for the baseline"
    )


class Comparison(BaseModel):
    """Everything that can be said about change. Serialises to ``comparison.json``; the schema comes from this type."""

    model_config = ConfigDict(frozen=True)

    schema_version: str = SCHEMA_VERSION
    language: str = Field(default=ENGLISH, description="of statements, reasons and warnings: a code of ISO 639-1")
    patient: str = Field(description="as the baseline's analysis names it: a salted token unless identifiers are kept")
    examinations: tuple[Examined, ...]
    steps: tuple[Step, ...] = Field(description="the baseline with each later one; then each with the one before it")
    trends: tuple[Trend, ...] = Field(default=(), description="where there are three examinations or more")
    warnings: tuple[str, ...] = ()
