"""A graded statement about the patient, with the measurements and the rule it rests on."""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

from spinemri.anatomy import Level


class Certainty(StrEnum):
    """How sure a finding is."""

    PRESENT = "present"
    BORDERLINE = "borderline"
    ABSENT = "absent"
    NOT_ASSESSABLE = "not_assessable"


class Urgency(StrEnum):
    """ACR actionable finding categories: minutes, hours, days."""

    NONE = "none"
    CATEGORY_3 = "category 3 (days)"
    CATEGORY_2 = "category 2 (hours)"
    CATEGORY_1 = "category 1 (minutes)"


class Finding(BaseModel):
    """What was concluded, where, how sure, from which measurements, by which rule."""

    model_config = ConfigDict(frozen=True)

    id: str
    kind: str = Field(description="'vertebral_height_loss', 'thecal_sac_narrowing', …")
    levels: tuple[Level, ...] = ()
    at_disc: bool = Field(default=False, description="the place is the disc between the two levels")
    side: str = ""
    cause: str = ""
    grade: str = ""
    certainty: Certainty
    statement: str = Field(default="", description="one sentence in a radiologist's words, with numbers")
    evidence: tuple[str, ...] = Field(default=(), description="ids of measurements")
    rule: str = ""
    source: str = Field(default="", description="publication the rule comes from")
    urgency: Urgency = Urgency.NONE
