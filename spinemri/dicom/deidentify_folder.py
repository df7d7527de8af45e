"""A folder of DICOM files without identifiers: which files are refused and why, and where the others go.

Refused is whatever may show a person in its pixels or words that nobody can clean: burned-in text, secondary captures,
screenshots, dose sheets, encapsulated documents, colour. No name of a file or folder survives.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from io import BytesIO
from typing import TYPE_CHECKING

import pydicom
from pydicom.dataset import FileMetaDataset
from pydicom.sr.codedict import codes
from pydicom.uid import (
    PYDICOM_IMPLEMENTATION_UID,
    UID,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from spinemri.dicom.confidentiality import EDITION, Option, codes_of_methods
from spinemri.dicom.deidentify import Rules, without_identifiers
from spinemri.dicom.describe import region_of
from spinemri.dicom.headers import MR_IMAGES, age_years, patient_key_of
from spinemri.dicom.pseudonyms import Pseudonyms
from spinemri.dicom.scan import BARE_STARTS, walk
from spinemri.dicom.values import READ_ERRORS, lenient, text
from spinemri.dicom.vocabulary import words_of
from spinemri.errors import InputError
from spinemri.series import patient_key

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pydicom.dataset import Dataset

_KEPT_CLASSES = MR_IMAGES | {
    "1.2.840.10008.5.1.4.1.1.66.4",  # Segmentation
    "1.2.840.10008.5.1.4.1.1.66.7",  # Label Map Segmentation
    "1.2.840.10008.5.1.4.1.1.88.22",  # Enhanced SR
    "1.2.840.10008.5.1.4.1.1.88.33",  # Comprehensive SR
    "1.2.840.10008.5.1.4.1.1.88.34",  # Comprehensive 3D SR
    "1.2.840.10008.5.1.4.1.1.88.59",  # Key Object Selection
    "1.2.840.10008.5.1.4.1.1.481.3",  # RT Structure Set
}
_STRUCTURED = "1.2.840.10008.5.1.4.1.1.88."
_SHOTS = {"SCREEN SAVE", "SCREENSHOT", "SCREEN_SAVE", "CAPTURE", "CSA REPORT", "REPORT", "DOSE_INFO", "DOSE", "SCREEN"}
_CONVERTED = {"DV", "DI", "DF", "WSD", "SD", "SI", "DRW"}
_FACE = {"cervical", "cervicothoracic", "whole spine"}
_FACE_PARTS = ("HEAD", "NECK", "BRAIN", "SKULL", "FACE")
NO_DICOM = "no DICOM"


@dataclass(eq=False)
class Account:
    """What was done, without a name: how many files, of whom, and why others were refused."""

    options: frozenset[Option]
    written: int = 0
    patients: set[str] = field(default_factory=set)
    series: set[str] = field(default_factory=set)
    with_face: set[str] = field(default_factory=set)
    refused: Counter[str] = field(default_factory=Counter)

    def as_json(self) -> dict[str, object]:
        """The document ``deidentification.json``."""
        return {
            "profile": f"DICOM PS3.15 {EDITION}, Basic Application Level Confidentiality Profile",
            "options": sorted(self.options),
            "methods": list(codes_of_methods(self.options)),
            "patients": sorted(self.patients),
            "series": len(self.series),
            "files_written": self.written,
            "files_refused": dict(sorted(self.refused.items())),
            "series_that_may_show_a_face": sorted(self.with_face),
        }


def deidentify_folder(
    folder: Path,
    out: Path,
    key: bytes,
    options: frozenset[Option],
    progress: Callable[[int, int], None] | None = None,
) -> Account:
    """Write every file of a folder that may be kept, without identifiers, below ``out``.

    Parameters
    ----------
    folder : searched with everything below it; a single file is accepted too
    out : folder that exists; ``<patient>/<study>/<series>/<image>.dcm`` is made in it, all of them tokens
    key : salt of the pseudonyms; the same key gives the same pseudonyms, UIDs and shift of dates
    options : of the profile
    progress : called with (files looked at, files in all)

    Raises
    ------
    InputError
        There is no such folder, or nothing in it may be kept.
    """
    if not folder.exists():
        raise InputError(f"{folder.name}: no such folder")
    paths = [folder] if folder.is_file() else list(walk(folder))
    account = Account(options)
    for done, path in enumerate(paths, 1):
        why = _one(path, out, key, account)
        if why:
            account.refused[why] += 1
        if progress is not None:
            progress(done, len(paths))
    if not account.written:
        listed = "; ".join(f"{count} files: {why}" for why, count in sorted(account.refused.items()))
        raise InputError(f"nothing to de-identify among {len(paths)} files{': ' if listed else ''}{listed}")
    return account


def _one(path: Path, out: Path, key: bytes, account: Account) -> str | None:
    """Write one file, or say why it is refused."""
    try:
        with path.open("rb") as stream:
            head = stream.read(132)
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    bare = head[128:] != b"DICM"
    if path.name.upper() == "DICOMDIR" or (bare and head[:2] not in BARE_STARTS):
        return "an index (DICOMDIR)" if path.name.upper() == "DICOMDIR" else NO_DICOM
    try:
        with lenient():
            dataset = pydicom.dcmread(path, force=bare)
            why = _refusal(dataset, account.options)
            if why is None:
                _write(dataset, out, key, account)
    except READ_ERRORS as error:
        return f"damaged ({type(error).__name__})"
    return why


def _refusal(dataset: Dataset, options: frozenset[Option]) -> str | None:
    """Why a data set cannot be freed of identifiers; None when it can."""
    kind = text(dataset, "SOPClassUID")
    if kind not in _KEPT_CLASSES:
        name = UID(kind).name if kind else ""
        return f"kept classes are MR, SEG, SR, RTSTRUCT, key objects; not {name if name != kind else 'this one'}"
    if not text(dataset, "SOPInstanceUID") or not text(dataset, "SeriesInstanceUID"):
        return "no UID of its own"
    if kind.startswith(_STRUCTURED) and Option.STRUCTURED not in options:
        return "structured content is not cleaned without the option 'structured'"
    if text(dataset, "BurnedInAnnotation").upper() == "YES":
        return "text is burned into the pixels"
    if kind not in MR_IMAGES:
        return None
    if text(dataset, "PhotometricInterpretation").upper() not in {"MONOCHROME1", "MONOCHROME2"}:
        return "a colour image: it may show text"
    if (
        _SHOTS & set(text(dataset, "ImageType").upper().split("\\"))
        or text(dataset, "ConversionType").upper() in _CONVERTED
    ):
        return "a screenshot or secondary capture: it may show text"
    return _no_pixels(dataset)


def _no_pixels(dataset: Dataset) -> str | None:
    """Why an image is not whole; None when it is. Compressed pixels are not looked into."""
    pixels = dataset.get("PixelData")
    if not pixels:
        return "an image without pixels"
    syntax = _syntax(dataset)
    frames = int(dataset.get("NumberOfFrames", 1) or 1)
    bits = dataset.Rows * dataset.Columns * frames * dataset.BitsAllocated
    return None if syntax.is_encapsulated or len(pixels) * 8 >= bits else "pixels are missing: a truncated file"


def _syntax(dataset: Dataset) -> UID:
    """How the data set is encoded; a file without meta information is what it was read as."""
    stated = getattr(dataset, "file_meta", FileMetaDataset()).get("TransferSyntaxUID")
    implicit, little = dataset.original_encoding
    read_as = ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian if little else ExplicitVRBigEndian
    return UID(stated or read_as)


def _write(dataset: Dataset, out: Path, key: bytes, account: Account) -> None:
    patient = patient_key_of(dataset) or patient_key(text(dataset, "StudyInstanceUID"))
    who = Pseudonyms(key, patient)
    made = without_identifiers(dataset, Rules(who, account.options, words_of(text(dataset, "PatientName"))))
    _marked(made, who, account.options)
    if Option.PATIENT in account.options and not made.get("PatientAge"):
        _aged(made, dataset)
    made.file_meta = _meta(made, dataset)
    study, series, image = (_last(made, word) for word in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"))
    content = BytesIO()
    pydicom.dcmwrite(content, made, enforce_file_format=True)
    place = out / who.name / study / series
    place.mkdir(parents=True, exist_ok=True)
    (place / f"{image}.dcm").write_bytes(content.getvalue())
    account.written += 1
    account.patients.add(who.name)
    account.series.add(series)
    part = text(dataset, "BodyPartExamined").upper()
    if region_of(part, text(dataset, "SeriesDescription")) in _FACE or part.startswith(_FACE_PARTS):
        account.with_face.add(series)


def _last(made: Dataset, keyword: str) -> str:
    """The end of a UID, long enough to tell all apart; UIDs that were retained give it too."""
    return str(made.get(keyword, "none"))[-16:].replace(".", "-")


def _marked(made: Dataset, who: Pseudonyms, options: frozenset[Option]) -> None:
    """The pseudonym, and what was done, as the standard wants it said."""
    made.SpecificCharacterSet = "ISO_IR 192"
    made.PatientID = made.PatientName = who.name
    made.PatientBirthDate = ""
    made.PatientIdentityRemoved = "YES"
    made.DeidentificationMethod = f"spinemri: PS3.15 {EDITION} Annex E"
    made.DeidentificationMethodCodeSequence = [_method(name) for name in codes_of_methods(options)]
    times = {Option.FULL_DATES: "UNMODIFIED", Option.DATES: "MODIFIED"}
    made.LongitudinalTemporalInformationModified = next((times[one] for one in times if one in options), "REMOVED")


def _method(name: str) -> Dataset:
    code = getattr(codes.DCM, name)
    item = pydicom.Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = code.value, "DCM", code.meaning
    return item


def _aged(made: Dataset, dataset: Dataset) -> None:
    """The age that only the birth date told, which goes."""
    years = age_years(dataset)
    if years is not None:
        made.PatientAge = f"{min(int(years), 90):03d}Y"


def _meta(made: Dataset, dataset: Dataset) -> FileMetaDataset:
    """File meta information of its own: nothing of the source's but how the pixels are encoded."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = made.SOPClassUID, made.SOPInstanceUID
    meta.TransferSyntaxUID = _syntax(dataset)
    meta.ImplementationClassUID = PYDICOM_IMPLEMENTATION_UID
    return meta
