"""What the header of one image says, as plain values: nothing here knows how DICOM is encoded.

A classic MR file is one ``Frame``, an enhanced multi-frame file is as many as it has frames; all rules (contrast,
splitting into stacks, refusal, slice order) read these and never a ``Dataset``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

Vector = tuple[float, float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class SequenceFacts:
    """How the image was made: what decides its contrast.

    Times in ms, flip angle in degrees, field strength in tesla, b-value in s/mm². Words are upper case; ``sequence``
    holds SE, IR, GR, EP, RM, whichever attribute of whichever object class said so.
    """

    image_type: tuple[str, ...] = ()
    sequence: frozenset[str] = frozenset()
    variant: frozenset[str] = frozenset()
    options: frozenset[str] = frozenset()
    sequence_name: str = ""
    repetition_time: float | None = None
    echo_time: float | None = None
    inversion_time: float | None = None
    echo_train: float | None = None
    flip_angle: float | None = None
    field_strength: float | None = None
    b_value: float | None = None
    acquisition_contrast: str = ""
    complex_component: str = ""
    agent: bool = False
    name: str = ""
    body_part: str = ""
    flow: bool = False  # time of flight or phase contrast angiography


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaneFacts:
    """Where the image lies in the patient (LPS mm) and how its pixels are stored.

    ``orientation`` is the direction of a row followed by that of a column, as DICOM has it; ``pixel_spacing`` is
    (between rows, between columns). ``between_slices`` is kept to report its contradictions, never to place a slice.
    ``misplaced`` and ``misscaled`` say which attribute of the place or of the rescale is there and makes no sense.
    """

    position: Vector | None = None
    orientation: tuple[float, ...] | None = None
    pixel_spacing: tuple[float, float] | None = None
    thickness: float | None = None
    between_slices: float | None = None
    frame_of_reference_uid: str | None = None
    rows: int = 0
    columns: int = 0
    samples: int = 1
    photometric: str = "MONOCHROME2"
    slope: float = 1.0
    intercept: float = 0.0
    padding: tuple[float, ...] = ()
    bits_stored: int = 16
    signed: bool = False
    misplaced: str = ""
    misscaled: str = ""

    @property
    def lowest(self) -> int:
        """Smallest value that the stored bits can hold."""
        return -(1 << (self.bits_stored - 1)) if self.signed else 0

    @property
    def highest(self) -> int:
        """Largest value that the stored bits can hold."""
        return (1 << (self.bits_stored - self.signed)) - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One image plane: where it is stored, whose it is, and the facts above."""

    path: Path = field(default_factory=Path)
    index: int | None = None  # frame of a multi-frame file, from 0
    sop_class_uid: str = ""
    transfer_syntax: str = ""
    patient_key: str = ""
    born: str = ""  # keyed hash of the birth date, empty when there is none
    study_uid: str = ""
    study_date: str = ""
    age_years: float | None = None
    sex: str = ""
    series_uid: str = ""
    number: int | None = None
    instance: int | None = None
    acquisition: int | None = None
    time: str = ""  # YYYYMMDDHHMMSS[.ffffff] or empty
    stack_id: str = ""
    temporal: int | None = None
    calculation: str = ""  # Volume Based Calculation Technique
    burned_in: bool = False
    lossy: bool = False
    quadruped: bool = False  # Anatomical Orientation Type
    concatenation: tuple[str, int | None, int | None] | None = None  # UID, part, parts in all
    sequence: SequenceFacts = field(default_factory=SequenceFacts)
    plane: PlaneFacts = field(default_factory=PlaneFacts)
