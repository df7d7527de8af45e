"""A focal change of bone marrow: what it may be, where it lies, and how sure its detection is.

A change is never given one verdict: every kind has a share, and kinds that the sequences at hand cannot tell apart are
named together. Kinds and their signs: Stabler (AJR 1996), Modic (Radiology 1988), review in AJNR 2018;39:1584.
"""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

from spinemri.anatomy import Level


class MarrowChange(StrEnum):
    """Kinds of marrow change; their order is that of a lesion network's output channels from 1 on."""

    TUMOUR = "tumour-like"
    SCLEROTIC = "sclerotic"
    HAEMANGIOMA = "typical haemangioma"
    ATYPICAL_HAEMANGIOMA = "atypical haemangioma"
    FAT = "focal fat"
    RED_MARROW = "red-marrow island"
    FRACTURE_OEDEMA = "oedema of a benign fracture"
    MODIC_1 = "Modic 1"
    MODIC_2 = "Modic 2"
    MODIC_3 = "Modic 3"
    CORNER = "corner (inflammatory) lesion"
    SCHMORL = "Schmorl node"
    DISCITIS = "discitis-osteomyelitis"
    RADIATION = "post-radiation fat"
    INFARCT = "bone infarct"
    PAGET = "Paget disease"
    HARDWARE = "hardware or cement"


class Lesion(BaseModel):
    """One focal marrow change of a study.

    ``label`` is its voxel value in the lesion mask of series ``series_uid``. ``shares`` says how much of the network's
    evidence speaks for each kind (they add up to 1); ``probability`` that there is a lesion at all.
    """

    model_config = ConfigDict(frozen=True)

    id: str = Field(description="unique within an analysis: 'lesion-1'")
    label: int
    series_uid: str = Field(description="series on whose grid the lesion is outlined")
    seen_in: tuple[str, ...] = Field(default=(), description="contrasts of the series that were read together here")
    levels: tuple[Level, ...] = Field(description="vertebrae it lies in, head to foot")
    level: Level = Field(description="the vertebra that holds most of it")
    side: str = Field(default="", description="'left', 'right', 'midline' or 'both sides' of the vertebra's mid-plane")
    centre: tuple[float, float, float] = Field(description="centroid, LPS mm")
    probability: float = Field(ge=0, le=1, description="that this is a lesion, calibrated on simulated lesions")
    shares: dict[MarrowChange, float] = Field(description="share of the evidence per kind, largest first")

    @property
    def kind(self) -> MarrowChange:
        """The kind with the largest share: the first of a differential, not a verdict."""
        return max(self.shares, key=lambda kind: self.shares[kind])


class MarrowScreen(BaseModel):
    """Which marrow was looked at for focal changes, with which sequences, and how small a lesion could be seen."""

    model_config = ConfigDict(frozen=True)

    assessed: tuple[Level, ...] = ()
    not_assessed: tuple[tuple[Level, str], ...] = Field(default=(), description="level and reason, head to foot")
    contrasts: tuple[str, ...] = Field(default=(), description="sequences that were read, such as 'T1w', 'STIR'")
    detection_limit_mm: float | None = Field(
        default=None, description="diameter from which simulated lesions are found 9 times in 10 on such sequences"
    )
    operating_point: float | None = Field(default=None, description="probability from which a lesion is reported")
    model: str = Field(default="", description="name and version of the lesion model")
    warnings: tuple[str, ...] = ()
