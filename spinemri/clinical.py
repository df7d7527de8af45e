"""What only the clinician knows: pain, known cancer, bone on CT, what changed, and the question that was asked.

Some scores rest on more than images (SINS: pain, bone lesion on CT, change since an earlier study). These answers come
from a JSON file that the user writes. What is not answered stays unknown; it is never taken for 'no'. An answer on bone
quality, deformity or translation may name its levels; then it holds there only, and elsewhere nothing was said. No
patient identifier belongs in it: a key that is not known here is refused.
"""

from __future__ import annotations

import json
import re
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from spinemri.anatomy import Level
from spinemri.errors import InputError
from spinemri.given_text import given_text
from spinemri.language import Phrases

if TYPE_CHECKING:
    from pathlib import Path

    from pydantic_core import ErrorDetails

_SHOWN = 5  # characters of a wrong value that a message repeats, with its quotation marks; more may be a name
_KEY = re.compile(r"[a-z_.0-9]{1,60}")
_EXAMPLE = '{"pain": "mechanical", "primary": "breast"}'
NO_PRIMARY = ("none", "unknown", "no", "n/a", "-", "?")
WITH_LEVELS = ("bone_quality", "de_novo_deformity", "new_translation")
"""Keys whose answer may name its levels, under the same key with '_levels'."""
_WORDS = Phrases("clinical")


class Answer(StrEnum):
    """Yes, no, or nobody knows."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


class Question(StrEnum):
    """What the examination is to answer."""

    METASTASIS = "metastasis"
    MYELOMA = "myeloma"
    FRACTURE = "fracture"
    CORD_COMPRESSION = "cord_compression"
    CAUDA_EQUINA = "cauda_equina"
    INFECTION = "infection"
    STENOSIS = "stenosis"
    OTHER = "other"


Pain = Literal["mechanical", "occasional_not_mechanical", "pain_free"]
BoneQuality = Literal["lytic", "mixed", "blastic"]
Levels = tuple[Level, ...]


class Clinical(BaseModel):
    """Answers of the clinician; every one may be left out."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    indication: str = Field(
        default="", max_length=500, description="the question in the words of who asked; printed as it is, no names"
    )
    question: tuple[Question, ...] = Field(default=(), description="what the examination is to answer")
    age_years: int | None = Field(
        default=None, ge=0, le=130, description="age at the examination; used where the images do not say it"
    )
    pain: Pain | None = Field(default=None, description="as SINS asks; mechanical: better lying, worse on movement")
    primary: str = Field(default="unknown", max_length=80, description="primary tumour, or 'none', or 'unknown'")
    cancer_history: Answer = Field(default=Answer.UNKNOWN, description="whether a cancer is or was known")
    bone_quality: BoneQuality | None = Field(default=None, description="of the lesion on CT, as SINS asks")
    bone_quality_levels: Levels = Field(
        default=(), description="where bone_quality holds, such as ['L1']; none: it is taken for the whole spine"
    )
    osteoporosis: Answer = Answer.UNKNOWN
    neurological_deficit: Answer = Field(default=Answer.UNKNOWN, description="new motor, sensory or sphincter deficit")
    fever_or_infection_signs: Answer = Field(default=Answer.UNKNOWN, description="fever, raised CRP, bacteraemia …")
    de_novo_deformity: Answer = Field(
        default=Answer.UNKNOWN, description="kyphosis or scoliosis that an earlier study does not show"
    )
    de_novo_deformity_levels: Levels = Field(
        default=(), description="where de_novo_deformity holds; none: it is taken for the whole spine"
    )
    new_translation: Answer = Field(
        default=Answer.UNKNOWN, description="slip between vertebrae that an earlier study does not show"
    )
    new_translation_levels: Levels = Field(
        default=(), description="where new_translation holds, both vertebrae; none: it is taken for the whole spine"
    )

    @property
    def known_cancer(self) -> Answer:
        """Whether a cancer is known: from the history, or because its primary is named."""
        if self.primary_named:
            return Answer.YES
        return self.cancer_history

    @property
    def primary_named(self) -> bool:
        """Whether a primary tumour is named."""
        return bool(self.primary.strip()) and self.primary.strip().lower() not in NO_PRIMARY

    def bone_quality_at(self, level: Level) -> BoneQuality | None:
        """What is known of the bone on CT at a level."""
        return self.bone_quality if self._holds("bone_quality", level) else None

    def deformity_at(self, level: Level) -> Answer:
        """Whether a deformity of a level is new."""
        return self.de_novo_deformity if self._holds("de_novo_deformity", level) else Answer.UNKNOWN

    def translation_at(self, level: Level) -> Answer:
        """Whether a slip of a level is new."""
        return self.new_translation if self._holds("new_translation", level) else Answer.UNKNOWN

    def levels_of(self, key: str) -> Levels:
        """Levels that the user named for an answer; none where the key takes no levels or none was named."""
        found: Levels = getattr(self, f"{key}_levels") if key in WITH_LEVELS else ()
        return found

    def scope_of(self, key: str) -> str:
        """'given by the user for L1, L2', or that it was given without a level."""
        levels = ", ".join(map(str, self.levels_of(key)))
        return _WORDS.FOR_LEVELS.format(levels=levels) if levels else _WORDS.WHOLE

    def _holds(self, key: str, level: Level) -> bool:
        return not self.levels_of(key) or level in self.levels_of(key)

    @model_validator(mode="after")
    def _no_contradiction(self) -> Clinical:
        for key in WITH_LEVELS:
            if self.levels_of(key) and getattr(self, key) in (None, Answer.UNKNOWN):
                raise ValueError(f"{key}_levels: levels are given, but {key} is not answered")
        if self.primary_named and self.cancer_history is Answer.NO:
            raise ValueError("primary: a tumour is named, but cancer_history is 'no'")
        return self


def read_clinical(path: Path) -> Clinical:
    """The answers in a JSON file.

    Raises
    ------
    InputError
        The file cannot be read, is no JSON object, or has an unknown key or value; the message names file and key.
    """
    text = given_text(path, "clinical file")
    try:
        return Clinical.model_validate(_object(text, path.name))
    except ValidationError as error:
        raise InputError(f"clinical file {path.name}: {_problem(error.errors()[0])}") from error


def clinical_schema() -> str:
    """JSON Schema (2020-12) of a clinical file as text; kept current in ``docs/clinical.schema.json``."""
    return json.dumps(Clinical.model_json_schema(), indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _object(text: str, name: str) -> dict[str, Any]:
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise InputError(f"clinical file {name}: no JSON: {error.msg} in {where}") from error
    except (ValueError, RecursionError) as error:  # a number of thousands of digits, lists thousands deep
        raise InputError(f"clinical file {name}: no JSON that can be read ({type(error).__name__})") from error
    if not isinstance(document, dict):
        raise InputError(f"clinical file {name}: found a {type(document).__name__}, expected an object like {_EXAMPLE}")
    return document


def _problem(error: ErrorDetails) -> str:
    """One problem as 'key: found X, expected Y'; what may be a name or an ID is not repeated."""
    key = ".".join(map(str, error["loc"]))
    if error["type"] == "extra_forbidden":
        shown = key if _KEY.fullmatch(key) else "a key of other letters"
        return f"{shown}: unknown key, expected one of {', '.join(Clinical.model_fields)}"
    if not key:
        return error["msg"].removeprefix("Value error, ")
    found = json.dumps(error["input"], ensure_ascii=False, default=str)
    found = found if len(found) <= _SHOWN else f"something else ({len(found)} characters)"
    return f"{key}: found {found}, expected {_expected(str(error['loc'][0]))}"


def _expected(key: str) -> str:
    """The allowed values of a key."""
    choices: dict[str, tuple[str, ...]] = {
        "pain": get_args(Pain),
        "bone_quality": get_args(BoneQuality),
        "question": (f"a list of {', '.join(Question)}",),
        "age_years": ("a whole number of years from 0 to 130",),
        "primary": ("text of at most 80 characters",),
        "indication": ("text of at most 500 characters",),
        **{f"{name}_levels": ("a list of levels such as L3",) for name in WITH_LEVELS},
    }
    return " or ".join(choices.get(key, tuple(Answer)))
