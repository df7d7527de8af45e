"""``report.pdf`` as a DICOM Encapsulated PDF, so that an archive keeps the sheets beside the images.

Patient and study are those of the source; the sheets themselves name the patient by token, as every report does. The
object refers to the images it rests on. Its UIDs follow from what is reported, so the same report is the same object.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydicom.dataset import Dataset
from pydicom.uid import EncapsulatedPDFStorage

from spinemri.codes import word
from spinemri.report.dicom_seg import seg_objects
from spinemri.report.dicom_source import dated, evidence, lenient, new_object, read_sources
from spinemri.report.dicom_sr import content_key
from spinemri.report.pdf import to_pdf

if TYPE_CHECKING:
    from pathlib import Path

    from spinemri.case import Case
    from spinemri.codes import Code

FILE_NAME = "report.dcm"
SERIES_NUMBER = 9002


def write_dicom_pdf(case: Case, folder: Path) -> None:
    """Write ``report.dcm``: the ``report.pdf`` in the folder, or a new one where there is none.

    Raises
    ------
    OutputError
        A series did not come from DICOM, or its files cannot be read any more.
    """
    sheets = folder / "report.pdf"
    sources = read_sources(case)
    pdf = sheets.read_bytes() if sheets.exists() else to_pdf(case)
    key = content_key(case.analysis, sources, seg_objects(case, sources))
    provenance = case.analysis.provenance
    with lenient():
        made = new_object(sources[0].header, EncapsulatedPDFStorage, "PDF", key, provenance)
        made.Modality, made.ConversionType, made.SeriesNumber = "DOC", "WSD", SERIES_NUMBER
        made.SeriesDescription = made.DocumentTitle = f"{provenance.software} report"
        made.ConceptNameCodeSequence = [_coded(word("report"))]
        made.BurnedInAnnotation, made.VerificationFlag = "NO", "UNVERIFIED"
        made.AcquisitionDateTime = made.ContentDate = made.ContentTime = ""
        made.MIMETypeOfEncapsulatedDocument = "application/pdf"
        made.EncapsulatedDocumentLength = len(pdf)
        made.EncapsulatedDocument = pdf + b"\0" * (len(pdf) % 2)
        made.SourceInstanceSequence = [_reference(one) for source in sources for one in evidence(source)]
        dated(made, provenance.created)
        made.save_as(folder / FILE_NAME, enforce_file_format=True)


def _coded(code: Code) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = code.value, code.scheme, code.meaning
    return item


def _reference(image: Dataset) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = image.SOPClassUID, image.SOPInstanceUID
    return item
