"""Reports of an earlier study that lay beside its images, so that a comparison can refer to them.

They are known by their headers: a structured report or an encapsulated PDF of the same study. None is looked for
elsewhere: a reference to an object that is nowhere is worse than none.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pydicom.dataset import Dataset
from pydicom.uid import (
    UID,
    BasicTextSRStorage,
    Comprehensive3DSRStorage,
    ComprehensiveSRStorage,
    EncapsulatedPDFStorage,
    EnhancedSRStorage,
)

from spinemri.dicom.headers import read_header
from spinemri.dicom.scan import walk
from spinemri.dicom.values import READ_ERRORS, text

if TYPE_CHECKING:
    from spinemri.case import Case

_REPORTS = frozenset(
    (BasicTextSRStorage, EnhancedSRStorage, ComprehensiveSRStorage, Comprehensive3DSRStorage, EncapsulatedPDFStorage)
)
_UIDS = ("SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID")


def prior_reports(folder: Path | None, case: Case, header: Dataset) -> tuple[Dataset, ...]:
    """Headers of the reports of the study in ``header``, by their UIDs; files that are none are passed over.

    Parameters
    ----------
    folder : that the images of the case lay in; None where it is not known, and nothing is looked for
    """
    if folder is None or not folder.is_dir():
        return ()
    images = {Path(file.path) for image in case.images for file in image.series.files}
    found = {}
    for path in (path for path in walk(folder.absolute()) if path not in images):
        one = _report(path, str(header.StudyInstanceUID))
        if one is not None:
            found[str(one.SOPInstanceUID)] = one
    return tuple(found[uid] for uid in sorted(found))


def _report(path: Path, study: str) -> Dataset | None:
    """The UIDs of a report of a study; None when a file is none."""
    if not path.is_file():  # a pipe or a device is no report
        return None
    try:
        header = read_header(path)
    except READ_ERRORS:
        return None
    uids = {keyword: UID(text(header, keyword)) for keyword in _UIDS}
    if uids["SOPClassUID"] not in _REPORTS or uids["StudyInstanceUID"] != study:
        return None
    if not all(uid.is_valid for uid in uids.values()):
        return None
    made = Dataset()
    for keyword, uid in uids.items():
        setattr(made, keyword, uid)
    return made
