"""What the headers say about a study: facts only, never pixels and never a ``pydicom.Dataset``.

Patient name, ID and birth date are read nowhere else than in ``dicom/`` and are not kept here; ``patient_key`` and
the UIDs are identifiers and leave the program only as salted tokens (see ``analysis.py``).
"""

from __future__ import annotations

import hashlib
from enum import StrEnum
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from spinemri.errors import InputError, quoted


class Contrast(StrEnum):
    """Image contrast; values are BIDS suffixes where BIDS has one."""

    T1W = "T1w"
    T2W = "T2w"
    STIR = "STIR"
    T2W_FS = "T2w-FS"
    PDW = "PDw"
    T1W_POST = "T1w-post"
    DIXON_WATER = "Dixon-water"
    DIXON_FAT = "Dixon-fat"
    DIXON_IN = "Dixon-in"
    DIXON_OPPOSED = "Dixon-opposed"
    DWI = "DWI"
    ADC = "ADC"
    OTHER = "other"


def contrast_named(text: str | None) -> Contrast | None:
    """The contrast of this name, whatever its case; None for None. Raises InputError for an unknown name."""
    if text is None:
        return None
    by_name = {contrast.value.lower(): contrast for contrast in Contrast}
    try:
        return by_name[text.lower()]
    except KeyError:
        allowed = ", ".join(contrast.value for contrast in Contrast)
        raise InputError(f"contrast {quoted(text)}: expected one of {allowed}") from None


class Plane(StrEnum):
    """Slice orientation of an acquisition, from the slice normal."""

    SAGITTAL = "sagittal"
    CORONAL = "coronal"
    AXIAL = "axial"
    UNKNOWN = "unknown"


class SeriesFile(BaseModel):
    """One file of a series, in spatial order; ``frames`` selects frames of a multi-frame file (all when empty)."""

    model_config = ConfigDict(frozen=True)

    path: Path
    frames: tuple[int, ...] = ()


class Series(BaseModel):
    """Header facts of one stack of images that can be loaded as one volume.

    A DICOM series that holds several stacks (orientations, echoes, Dixon images, b-values) becomes several of these
    with the same ``series_uid`` and different ``stack``. ``refusal`` says why it must not be measured.
    """

    model_config = ConfigDict(frozen=True)

    series_uid: str
    study_uid: str = ""
    frame_of_reference_uid: str | None = None
    number: int | None = Field(default=None, description="DICOM Series Number (0020,0011)")
    stack: int = Field(default=0, description="index of this stack within its DICOM series")
    description: str = ""
    contrast: Contrast = Contrast.OTHER
    contrast_reason: str = Field(default="", description="which header facts decided the contrast")
    contrast_agent: str = Field(default="none", description="'none', 'given' or 'uncertain'")
    plane: Plane = Plane.UNKNOWN
    obliquity_deg: float | None = Field(default=None, description="angle between slice normal and the plane's axis")
    composed: bool = Field(default=False, description="joined by the scanner from several stations")
    region: str = Field(default="", description="Body Part Examined, or what the name says: cervical, lumbar …")
    shape: tuple[int, int, int] | None = Field(default=None, description="slices, rows, columns")
    spacing: tuple[float, float, float] | None = Field(default=None, description="mm along slices, rows, columns")
    reach_mm: tuple[float, float] | None = Field(
        default=None, description="lowest and highest patient z (LPS mm) of the field of view, on its middle line"
    )
    slice_thickness_mm: float | None = None
    repetition_time_ms: float | None = None
    echo_time_ms: float | None = None
    inversion_time_ms: float | None = None
    field_strength_t: float | None = None
    acquisition_time: str = Field(default="", exclude=True)
    source: str = Field(default="dicom", description="'dicom', or the file format: 'nifti', 'nrrd', 'mha'")
    files: tuple[SeriesFile, ...] = Field(default=(), exclude=True, repr=False)
    warnings: tuple[str, ...] = ()
    refusal: str | None = Field(default=None, description="why this series is not measured; None when it may be")

    @property
    def label(self) -> str:
        """Short name for messages and file names that holds no header free text: '3' or '3-1' (stack)."""
        base = str(self.number) if self.number is not None else "0"
        return base if self.stack == 0 else f"{base}-{self.stack}"


class Skipped(BaseModel):
    """A file that is no usable MR image, and why; the path is relative to the scanned folder."""

    model_config = ConfigDict(frozen=True)

    path: str
    reason: str


class Study(BaseModel):
    """The series of one examination of one patient."""

    model_config = ConfigDict(frozen=True)

    study_uid: str
    patient_key: str = Field(default="", description="keyed hash that tells patients apart; never printed")
    study_date: str = Field(default="", exclude=True, description="YYYYMMDD or empty")
    patient_age_years: float | None = None
    patient_sex: str = Field(default="", description="'M', 'F', 'O' or empty")
    series: tuple[Series, ...] = ()


class Inventory(BaseModel):
    """Everything found in a folder: studies, and files that were skipped with the reason."""

    model_config = ConfigDict(frozen=True)

    root: Path = Field(exclude=True)
    studies: tuple[Study, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    files_seen: int = 0


def patient_key(patient_id: str, issuer: str = "") -> str:
    """Keyed hash of a Patient ID, followed by that of its issuer when there is one; tells patients apart."""
    return "-".join(_hash(part) for part in (patient_id, issuer) if part)


def _hash(identity: str) -> str:
    return hashlib.blake2b(identity.strip().encode(), key=b"spinemri patient", digest_size=12).hexdigest()
