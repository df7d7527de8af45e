"""Whether a DICOM report of a comparison can be made: every examination came from DICOM, and all are of one patient."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spinemri.errors import OutputError
from spinemri.report.dicom_source import NOT_DICOM

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pydicom.dataset import Dataset

_SAME = ("IssuerOfPatientID", "PatientBirthDate", "PatientSex")
_OTHER = "examination {number} is not known to be of the patient of the baseline; a DICOM object is of one patient"


def check_dicom(sources: Sequence[Iterable[str]], patients: Sequence[str] = ()) -> None:
    """Raise OutputError in one line where an examination did not come from DICOM, or is not of the same patient.

    Parameters
    ----------
    sources : for each examination what its series came from: 'dicom', 'nifti' …
    patients : what stands for the patient of each; not looked at where there are none
    """
    for number, kinds in enumerate(sources):
        if set(kinds) != {"dicom"}:
            raise OutputError(f"examination {number} {NOT_DICOM}")
    for number, patient in enumerate(patients):
        if patient != patients[0]:
            raise OutputError(_OTHER.format(number=number))


def check_one_patient(number: int, header: Dataset, other: Dataset) -> None:
    """Raise OutputError unless two files name one patient, by ID or else by name, and nothing contradicts that."""
    known = [_values((header, other), keyword) for keyword in ("PatientID", "PatientName")]
    names = next((pair for pair in known if any(pair)), ["", ""])
    unlike = [len(set(_values((header, other), keyword)) - {""}) > 1 for keyword in _SAME]
    if not names[0] or names[0] != names[1] or any(unlike):
        raise OutputError(_OTHER.format(number=number))


def _values(headers: Sequence[Dataset], keyword: str) -> list[str]:
    return [str(header.get(keyword) or "").strip() for header in headers]
