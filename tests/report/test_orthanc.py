"""A PACS takes what is written and gives it back unchanged, through DICOMweb."""

from __future__ import annotations

import pydicom

from spinemri.report.write import WITH_IDENTITY, write
from tests.report import dicom_phantom as phantom
from tests.report.dicom_phantom import ORIENTATIONS

MODALITIES = ("DOC", "KO", "MR", "RTSTRUCT", "SEG", "SEG", "SR")


def test_a_pacs_stores_and_returns_every_object_unchanged_beside_its_source(pacs, tmp_path):
    case = phantom.case_of(phantom.series_of(tmp_path / "source", ORIENTATIONS["oblique coronal"]))
    paths = sorted(write(case, tmp_path / "out", formats=WITH_IDENTITY).glob("*.dcm"))
    pacs.store([*(file.path for file in case.images[0].series.files), *paths])
    for path in paths:
        sent = pydicom.dcmread(path)
        assert pacs.fetch(sent) == sent
    assert pacs.modalities(pydicom.dcmread(paths[0]).StudyInstanceUID) == list(MODALITIES)
