"""The patient's identifier, read only when a user asks to keep identifiers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spinemri.dicom.headers import read_header
from spinemri.dicom.values import text

if TYPE_CHECKING:
    from spinemri.series import Series


def patient_id(series: Series) -> str:
    """Patient ID (0010,0020) of a DICOM series; '' for other file formats or when the header has none."""
    if series.source != "dicom" or not series.files:
        return ""
    return text(read_header(series.files[0].path, force=True), "PatientID")
