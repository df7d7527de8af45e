"""A reader's verdicts on one analysis: which level names, lesions and findings hold, and what is right instead.

A review belongs to one analysis of one study and says which; it must not be applied to another one. The study's token
differs between runs with different keys, so the images themselves are named too, by a checksum; vertebrae and lesions
are named by their place in the patient, for their names may differ between versions. A review holds no voxels and no
identifier beyond the token. Who judged is written only if the reader writes it.
"""

from __future__ import annotations

import json
from enum import StrEnum
from typing import TYPE_CHECKING, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, model_validator

from spinemri.anatomy import Level
from spinemri.errors import InputError
from spinemri.given_text import given_text

if TYPE_CHECKING:
    from pathlib import Path

    from pydantic_core import ErrorDetails

_LEVELS = "expected C1-C7, T1-T13, L1-L6, S1-S5 or relative V1-V30"
_ONE_LEVEL = "a level is given, but only a corrected level name or lesion takes one"
_NEEDS_LEVEL = "a corrected level name needs its level"
_TRUE_LEVEL = "a corrected level name must be true, such as T12, not relative"
_NEEDS_WORDS = "a correction needs a level or a text"
_TWICE = "judged twice"
_WHAT = (_LEVELS, _ONE_LEVEL, _NEEDS_LEVEL, _TRUE_LEVEL, _NEEDS_WORDS, _TWICE)
"""What can be wrong with a verdict."""

FINDING_REJECTED = "review:finding_rejected"
"""Flag of a measurement on which a finding rests that a reader rejected."""

Point = tuple[float, float, float]

REVIEW_VERSION: Literal["1.0"] = "1.0"


class Target(StrEnum):
    """What a verdict is about."""

    LEVEL = "level"
    LESION = "lesion"
    FINDING = "finding"


class Verdict(StrEnum):
    """Accept as it is, reject, or correct: something is there, but it is not what the software says."""

    ACCEPT = "accept"
    REJECT = "reject"
    CORRECT = "correct"


class ReviewedAnalysis(BaseModel):
    """The analysis that was read: study and images, what made it and when, and where its vertebrae and lesions lie."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    study: str = Field(min_length=1, description="as in report.json: a salted token, or the Study Instance UID")
    software: str = Field(min_length=1)
    version: str = Field(min_length=1, description="of the software")
    created: str = Field(min_length=1, description="'provenance.created' of report.json: ISO 8601, UTC")
    input_sha256: str = Field(default="", description="'provenance.input_sha256' of report.json")
    made_with: str = Field(default="", description="software, models and options that level names and lesions hang on")
    levels: dict[str, Point] = Field(default_factory=dict, description="level name: centre of its body, LPS mm")
    lesions: dict[str, Point] = Field(default_factory=dict, description="lesion id: its centre, LPS mm")


class Decision(BaseModel):
    """One verdict. ``level`` is the right level of a vertebra or of a lesion, ``text`` the reader's words."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    target: Target
    id: str = Field(min_length=1, description="level name 'L1', lesion id 'lesion-1', or finding id, as in report.json")
    verdict: Verdict
    level: Level | None = Field(default=None, description="right level; only with 'correct', not for a finding")
    text: str = Field(default="", max_length=2000, description="the right wording, or why")
    time: AwareDatetime = Field(description="when the verdict was given, ISO 8601 with time zone")

    @property
    def level_judged(self) -> Level:
        """The level name that is judged. Raises LevelError where the verdict is about something else."""
        return Level.parse(self.id)

    @model_validator(mode="after")
    def _says_what_is_right(self) -> Decision:
        if self.target is Target.LEVEL:
            Level.parse(self.id)
        if self.level is not None and (self.verdict is not Verdict.CORRECT or self.target is Target.FINDING):
            raise ValueError(_ONE_LEVEL)
        if self.verdict is Verdict.CORRECT and self.target is Target.LEVEL and self.level is None:
            raise ValueError(_NEEDS_LEVEL)
        if self.target is Target.LEVEL and self.level is not None and self.level.is_relative:
            raise ValueError(_TRUE_LEVEL)
        if self.verdict is Verdict.CORRECT and self.level is None and not self.text.strip():
            raise ValueError(_NEEDS_WORDS)
        return self


class Review(BaseModel):
    """Every verdict of one reader on one analysis. What is not named was not judged; it is not taken for accepted.

    ``earlier`` is the review that had been applied to the analysis that was read: it is applied first.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    review_version: Literal["1.0"] = REVIEW_VERSION
    analysis: ReviewedAnalysis
    reviewer: str = Field(default="", max_length=200, description="as the reader wrote it; may be empty")
    comment: str = Field(default="", max_length=5000, description="on the whole study")
    decisions: tuple[Decision, ...] = ()
    earlier: Review | None = None

    @property
    def in_turn(self) -> tuple[Review, ...]:
        """The earlier reviews, the first one first, then this one."""
        return (*(self.earlier.in_turn if self.earlier else ()), self)

    @model_validator(mode="after")
    def _judged_once(self) -> Review:
        seen: set[tuple[Target, str]] = set()
        for decision in self.decisions:
            key = decision.target, decision.id
            if key in seen:
                raise ValueError(_TWICE)
            seen.add(key)
        return self


class Outcome(BaseModel):
    """What became of one verdict."""

    model_config = ConfigDict(frozen=True)

    decision: Decision
    now: str = Field(default="", description="level, lesion or finding id in this analysis; '' where it is gone")
    was: str = Field(default="", description="what the software had said")
    reason: str = Field(default="", description="why it could not be applied; '' when it was")


class AppliedReview(BaseModel):
    """A review as it was applied, and what it changed."""

    model_config = ConfigDict(frozen=True)

    review: Review
    levels: tuple[tuple[Level, Level | None], ...] = Field(
        default=(),
        description="levels that have another name now: what the software called them, and their name now",
    )
    outcomes: tuple[Outcome, ...] = Field(default=(), description="of every verdict, the earlier reviews' first")


_KEYS = frozenset(name for kind in (Review, ReviewedAnalysis, Decision) for name in kind.model_fields)


def read_review(path: Path) -> Review:
    """The review in a JSON file.

    Raises
    ------
    InputError
        The file cannot be read or is no review; the message names the file and what is wrong, and repeats no value.
    """
    text = given_text(path, "review file")
    try:
        return Review.model_validate_json(text)
    except ValidationError as error:
        raise InputError(f"review file {path.name}: {_problem(error.errors()[0])}") from error


def _problem(error: ErrorDetails) -> str:
    """Where in the file and what is wrong, without a value or a key that is not ours: they may be anybody's name."""
    parts = [str(part + 1) if isinstance(part, int) else part for part in error["loc"]]
    where = ".".join(part for part in parts if part.isdigit() or part in _KEYS)
    what = error["msg"].removeprefix("Value error, ")
    if error["type"] == "value_error":
        what = next((known for known in _WHAT if known in what), "this is not what stands in a review")
    return f"{where}: {what}" if where else what


def review_schema() -> str:
    """JSON Schema (2020-12) of a review as text; kept current in ``docs/review.schema.json``."""
    return json.dumps(Review.model_json_schema(), indent=2, sort_keys=True, ensure_ascii=False) + "\n"
