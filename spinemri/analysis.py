"""The document that an analysis yields: what ``report.json`` holds. No voxels, and by default no identifiers."""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from spinemri.clinical import Clinical
from spinemri.correction import CorrectedMask
from spinemri.faults import Fault
from spinemri.finding import Finding
from spinemri.language import ENGLISH
from spinemri.lesion import Lesion, MarrowScreen
from spinemri.measurement import Measurement
from spinemri.quality import SeriesQuality
from spinemri.review import AppliedReview
from spinemri.series import Series, Skipped
from spinemri.spine import Spine, VertebraAlignment

SCHEMA_VERSION = "1.4"


class SeriesRecord(BaseModel):
    """A series of the study: header facts, whether it was used, and why not."""

    model_config = ConfigDict(frozen=True)

    series: Series
    used: bool
    reason: str = Field(default="", description="why it was not used, or which part of the spine is measured in it")


class ModelUsed(BaseModel):
    """A network that was used, and what for."""

    model_config = ConfigDict(frozen=True)

    role: str = Field(description="anatomy, levels, lesions or axial")
    name: str
    version: str
    sha256: str = Field(description="checksum of the weights")


class Provenance(BaseModel):
    """What made this analysis, so that it can be repeated."""

    model_config = ConfigDict(frozen=True)

    software: str
    version: str
    models: tuple[ModelUsed, ...] = ()
    norms_sha256: str = Field(default="", description="checksum of the table of norms and thresholds")
    input_sha256: str = Field(
        default="",
        description="checksum of voxels and grids of the series that were loaded, equal in every run",
    )
    parameters: dict[str, Any] = Field(default_factory=dict)
    libraries: dict[str, str] = Field(default_factory=dict)
    device: str = "cpu"
    created: str = Field(description="ISO 8601, UTC")
    seconds: dict[str, float] = Field(default_factory=dict, description="time per stage")

    def model(self, role: str) -> ModelUsed | None:
        """The network that was used for something; None when none was."""
        return next((model for model in self.models if model.role == role), None)

    @property
    def made_with(self) -> str:
        """Software, models and options that names of levels and ids of lesions hang on."""
        named = [f"{one.name} {one.version} ({one.sha256[:12]})" for one in self.models]
        options = [f"{name} {value}" for name, value in sorted(self.parameters.items())]
        return ", ".join([f"{self.software} {self.version}", *named, *options])


class Analysis(BaseModel):
    """Everything that was found in one study. Serialises to ``report.json``; the schema comes from this type."""

    model_config = ConfigDict(frozen=True)

    schema_version: str = SCHEMA_VERSION
    language: str = Field(default=ENGLISH, description="of statements, reasons and warnings: a code of ISO 639-1")
    patient: str = Field(description="salted token, or the identifier when identifiers are kept")
    study: str = Field(description="salted token, or the Study Instance UID")
    patient_age_years: float | None = None
    patient_sex: str = ""
    clinical: Clinical | None = Field(default=None, description="what the user said of the patient; None: nothing")
    series: tuple[SeriesRecord, ...]
    skipped: tuple[Skipped, ...] = Field(default=(), description="files that are no usable MR image")
    spine: Spine
    alignments: tuple[VertebraAlignment, ...] = ()
    quality: tuple[SeriesQuality, ...] = Field(default=(), description="checks of every used series")
    marrow: MarrowScreen = Field(default_factory=MarrowScreen)
    lesions: tuple[Lesion, ...] = Field(default=(), description="focal marrow changes, most probable tumour first")
    measurements: tuple[Measurement, ...] = ()
    findings: tuple[Finding, ...] = ()
    review: AppliedReview | None = Field(default=None, description="what a person changed; None: nobody did")
    corrections: tuple[CorrectedMask, ...] = Field(default=(), description="masks that a person gave back")
    warnings: tuple[str, ...] = ()
    failures: tuple[Fault, ...] = Field(default=(), description="parts that are missing because the program failed")
    provenance: Provenance

    def measurement(self, id_: str) -> Measurement | None:
        """The measurement with this id, or None."""
        return next((m for m in self.measurements if m.id == id_), None)

    def used_series(self) -> tuple[Series, ...]:
        """Series that were segmented and measured."""
        return tuple(record.series for record in self.series if record.used)

    def _repr_html_(self) -> str:
        """What a notebook shows: urgent findings, impression, table of levels."""
        from spinemri.report.notebook import as_html

        return as_html(self)


def token(text: str, key: bytes, length: int = 16) -> str:
    """Salted token (hexadecimal) that stands for an identifier; the same text and key give the same token."""
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()[:length]
