"""A focal change of bone marrow: what it may be, where it lies, and how sure its detection is.

A change is never given one verdict: every kind has a share, and kinds that the sequences at hand cannot tell apart are
named together. Kinds and their signs: Stabler (AJR 1996), Modic (Radiology 1988), review in AJNR 2018;39:1584.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field

from spinemri.anatomy import Level

if TYPE_CHECKING:
    from collections.abc import Iterable


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


Sequences = frozenset[str]
_T1, _STIR, _FOLLOW_UP = frozenset({"T1w"}), frozenset({"STIR"}), ()
SAME_SIGNAL: tuple[tuple[frozenset[MarrowChange], tuple[Sequences, ...]], ...] = (
    (frozenset({MarrowChange.TUMOUR, MarrowChange.ATYPICAL_HAEMANGIOMA}), (frozenset({"T1w", "T2w"}),)),
    (frozenset({MarrowChange.TUMOUR, MarrowChange.HAEMANGIOMA}), (_T1,)),
    (frozenset({MarrowChange.TUMOUR, MarrowChange.INFARCT}), (_T1,)),
    (frozenset({MarrowChange.TUMOUR, MarrowChange.FAT}), (_T1, _STIR)),
    (frozenset({MarrowChange.TUMOUR, MarrowChange.RADIATION}), (_T1, _STIR)),
    (frozenset({MarrowChange.TUMOUR, MarrowChange.MODIC_2}), (_T1, _STIR)),
    (frozenset({MarrowChange.TUMOUR, MarrowChange.RED_MARROW}), (_STIR,)),
    (frozenset({MarrowChange.TUMOUR, MarrowChange.FRACTURE_OEDEMA}), _FOLLOW_UP),
    (frozenset({MarrowChange.MODIC_1, MarrowChange.DISCITIS}), _FOLLOW_UP),
    (frozenset({MarrowChange.SCLEROTIC, MarrowChange.MODIC_3}), _FOLLOW_UP),
    (frozenset({MarrowChange.FAT, MarrowChange.HAEMANGIOMA}), (_STIR,)),
)
"""Kinds with the same signal unless all sequences of one of the sets are there; no set: no sequence here tells."""


def same_signal(kind: MarrowChange, contrasts: Iterable[str], *, always: bool = True) -> tuple[MarrowChange, ...]:
    """Kinds with the signal of ``kind`` on the sequences at hand; without ``always``, those that others would tell."""
    shown = frozenset(contrasts)
    return tuple(
        other
        for pair, tell in SAME_SIGNAL
        if kind in pair and (tell or always) and not any(sequences <= shown for sequences in tell)
        for other in sorted(pair - {kind})
    )


LESION_QUANTITIES: dict[str, tuple[str, str]] = {
    "lesion_volume": ("mm3", "volume of a marrow lesion with what has left the bone"),
    "lesion_diameter": ("mm", "longest distance between two voxels of a lesion in one sagittal slice"),
    "lesion_body_share_pct": ("%", "share of its vertebra's body that a lesion has replaced"),
    "lesion_posterior_share_pct": ("%", "share of a lesion that lies behind the posterior wall, in the bone"),
    "lesion_t1_to_marrow": ("1", "T1w signal of a lesion / of unaffected marrow near it"),
    "lesion_t1_to_disc": ("1", "T1w signal of a lesion / of the discs beside its vertebra"),
    "lesion_t1_to_muscle": ("1", "T1w signal of a lesion / of paraspinal muscle"),
    "lesion_stir_to_marrow": ("1", "STIR or fat-suppressed T2w signal of a lesion / of unaffected marrow near it"),
    "lesion_stir_to_muscle": ("1", "STIR or fat-suppressed T2w signal of a lesion / of paraspinal muscle"),
    "lesion_t2_to_marrow": ("1", "T2w signal of a lesion / of unaffected marrow near it"),
    "lesion_enhancement_pct": (
        "%",
        "rise of T1w signal of a lesion after contrast agent; the scanner's gain is taken from muscle",
    ),
    "lesion_opposed_phase_ratio": ("1", "signal of a lesion in opposed phase / in phase"),
    "lesion_adc": ("mm2/s", "apparent diffusion coefficient of a lesion"),
    "lesion_pedicle_left": ("mm3", "volume of a lesion in the left pedicle and arch"),
    "lesion_pedicle_right": ("mm3", "volume of a lesion in the right pedicle and arch"),
    "lesion_convex_posterior_border": ("mm", "furthest that a lesion bulges behind the chord of the posterior wall"),
    "lesion_expansion": ("mm", "furthest that a lesion lies outside the expected outline of its vertebra"),
    "lesion_epidural_volume": ("mm3", "part of a lesion in the spinal canal"),
    "lesion_foraminal_volume": ("mm3", "part of a lesion in the neural foramina"),
    "lesion_paraspinal_volume": ("mm3", "part of a lesion in soft tissue beside and behind the spine"),
    "lesion_prevertebral_volume": ("mm3", "part of a lesion in soft tissue in front of the spine"),
    "lesion_endplate_contact_pct": ("%", "share of the nearer endplate that a lesion touches"),
    "lesion_disc_signal_ratio": ("1", "STIR or T2w signal of the disc a lesion touches / of the other discs"),
}
"""What is measured of each lesion, in the order of the tables: name -> UCUM unit, definition in one line."""


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
    shares: dict[MarrowChange, float] = Field(min_length=1, description="share of the evidence per kind, largest first")
    confirmed: bool = Field(default=False, description="a person has accepted it in a review")

    @property
    def kind(self) -> MarrowChange:
        """The kind with the largest share: the first of a differential, not a verdict."""
        return max(self.shares, key=lambda kind: self.shares[kind])


class MarrowScreen(BaseModel):
    """Which marrow was looked at for focal changes, with which sequences, and how small a lesion could be seen."""

    model_config = ConfigDict(frozen=True)

    assessed: tuple[Level, ...] = ()
    partly: tuple[Level, ...] = Field(default=(), description="of those assessed, the ones that the field of view cuts")
    not_assessed: tuple[tuple[Level, str], ...] = Field(default=(), description="level and reason, head to foot")
    contrasts: tuple[str, ...] = Field(default=(), description="sequences that were read, such as 'T1w', 'STIR'")
    detection_limit_mm: float | None = Field(
        default=None, description="diameter from which simulated lesions are found 9 times in 10 on such sequences"
    )
    operating_point: float | None = Field(default=None, description="probability from which a lesion is reported")
    model: str = Field(default="", description="name and version of the lesion model")
    warnings: tuple[str, ...] = ()
