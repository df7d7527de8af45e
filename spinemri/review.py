"""A reader's verdicts on one analysis: which level names, lesions and findings hold, and what is right instead.

A review belongs to one analysis of one study and says which; it must not be applied to another one. It holds no voxels
and no identifier beyond the study's token. Who judged is written only if the reader writes it.
"""

from __future__ import annotations

import json
from enum import StrEnum
from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from spinemri.anatomy import Level

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
    """The analysis that was read: the study's token as in ``report.json``, what made it, and when."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    study: str = Field(min_length=1, description="as in report.json: a salted token, or the Study Instance UID")
    software: str = Field(min_length=1)
    version: str = Field(min_length=1, description="of the software")
    created: str = Field(min_length=1, description="'provenance.created' of report.json: ISO 8601, UTC")


class Decision(BaseModel):
    """One verdict. ``level`` is the right level of a vertebra or of a lesion, ``text`` the reader's words."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    target: Target
    id: str = Field(min_length=1, description="level name 'L1', lesion id 'lesion-1', or finding id, as in report.json")
    verdict: Verdict
    level: Level | None = Field(default=None, description="right level; only with 'correct', not for a finding")
    text: str = Field(default="", max_length=2000, description="the right wording, or why")
    time: AwareDatetime = Field(description="when the verdict was given, ISO 8601 with time zone")

    @model_validator(mode="after")
    def _says_what_is_right(self) -> Decision:
        if self.target is Target.LEVEL:
            Level.parse(self.id)
        if self.level is not None and (self.verdict is not Verdict.CORRECT or self.target is Target.FINDING):
            raise ValueError(f"{self.id}: a level is given, but only a corrected level name or lesion takes one")
        if self.verdict is Verdict.CORRECT and self.target is Target.LEVEL and self.level is None:
            raise ValueError(f"{self.id}: a corrected level name needs its level")
        if self.verdict is Verdict.CORRECT and self.level is None and not self.text.strip():
            raise ValueError(f"{self.id}: a correction needs a level or a text")
        return self


class Review(BaseModel):
    """Every verdict of one reader on one analysis. What is not named was not judged; it is not taken for accepted."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    review_version: Literal["1.0"] = REVIEW_VERSION
    analysis: ReviewedAnalysis
    reviewer: str = Field(default="", max_length=200, description="as the reader wrote it; may be empty")
    comment: str = Field(default="", max_length=5000, description="on the whole study")
    decisions: tuple[Decision, ...] = ()

    @model_validator(mode="after")
    def _judged_once(self) -> Review:
        seen: set[tuple[Target, str]] = set()
        for decision in self.decisions:
            key = decision.target, decision.id
            if key in seen:
                raise ValueError(f"{decision.target.value} {decision.id}: judged twice")
            seen.add(key)
        return self


def review_schema() -> str:
    """JSON Schema (2020-12) of a review as text; kept current in ``docs/review.schema.json``."""
    return json.dumps(Review.model_json_schema(), indent=2, sort_keys=True, ensure_ascii=False) + "\n"
