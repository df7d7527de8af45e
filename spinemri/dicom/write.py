"""An image as a classic single-frame MR series.

Geometry goes into ImagePositionPatient, ImageOrientationPatient and PixelSpacing. UIDs are made from the series' own,
so that the same image gives the same files.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian, MRImageStorage

from spinemri.errors import SeriesError
from spinemri.series import Contrast

if TYPE_CHECKING:
    from pathlib import Path

    from spinemri.image import Image

_STORED_MAX = 4095
_FIRST_MINUTE = 10 * 60 + 15  # of the day
_DIXON_TYPE = {
    Contrast.DIXON_WATER: "WATER",
    Contrast.DIXON_FAT: "FAT",
    Contrast.DIXON_IN: "IN_PHASE",
    Contrast.DIXON_OPPOSED: "OPP_PHASE",
}


@dataclass(frozen=True)
class StudyHeader:
    """Study-level attributes of the files; invented ones, never a person's."""

    patient_id: str
    study_date: str = "20250101"
    patient_age: str = "062Y"
    patient_sex: str = "F"


def write_series(image: Image, folder: Path, header: StudyHeader, first: int = 0) -> tuple[Path, ...]:
    """Write one file per slice into ``folder`` and return the paths in slice order.

    Parameters
    ----------
    image : unsigned integers up to 4095 (k, j, i), slices along k
    folder : made when absent
    header : patient and study attributes
    first : images of the same series that were written before: its other stacks

    Raises
    ------
    SeriesError
        If the voxels do not fit 12 unsigned bits.
    """
    voxels = image.voxels
    if not np.issubdtype(voxels.dtype, np.unsignedinteger) or int(voxels.max()) > _STORED_MAX:
        raise SeriesError(f"series {image.series.label}: {voxels.dtype} voxels, expected unsigned up to {_STORED_MAX}")
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for k in range(image.geometry.shape[0]):
        dataset = _attributes(image, k, header, first + k)
        dataset.PixelData = np.ascontiguousarray(voxels[k], dtype="<u2").tobytes()
        path = folder / f"IM{first + k + 1:04d}.dcm"
        pydicom.dcmwrite(path, dataset, enforce_file_format=True)
        paths.append(path)
    return tuple(paths)


def _uid(*parts: object) -> UID:
    """A stable UID from words, under the root for UUIDs."""
    return UID("2.25." + str(int(hashlib.sha256("/".join(map(str, parts)).encode()).hexdigest()[:30], 16)))


def _attributes(image: Image, k: int, header: StudyHeader, number: int) -> Dataset:
    series, geometry = image.series, image.geometry
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = MRImageStorage
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = _uid(series.series_uid, number)
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = _uid(series.study_uid), _uid(series.series_uid)
    dataset.FrameOfReferenceUID = _uid(geometry.frame_of_reference_uid)
    dataset.PatientName = dataset.PatientID = header.patient_id
    dataset.PatientBirthDate, dataset.PatientSex, dataset.PatientAge = "", header.patient_sex, header.patient_age
    dataset.AccessionNumber = dataset.ReferringPhysicianName = dataset.PositionReferenceIndicator = ""
    dataset.StudyID, dataset.StudyDate, dataset.StudyTime = "1", header.study_date, "101500"
    dataset.AcquisitionDate = dataset.SeriesDate = header.study_date
    hours, minutes = divmod(_FIRST_MINUTE + 5 * (series.number or 0), 60)
    dataset.AcquisitionTime = dataset.SeriesTime = f"{hours % 24:02d}{minutes:02d}00"
    dataset.Modality, dataset.Manufacturer, dataset.MagneticFieldStrength = "MR", "spinemri", series.field_strength_t
    dataset.BodyPartExamined, dataset.PatientPosition = series.region.upper(), "HFS"
    dataset.SeriesNumber, dataset.AcquisitionNumber, dataset.InstanceNumber = series.number, 1, number + 1
    dataset.SeriesDescription = dataset.ProtocolName = series.description
    _pulse_sequence(dataset, image)
    _pixels(dataset, image, k)
    return dataset


def _pulse_sequence(dataset: Dataset, image: Image) -> None:
    series = image.series
    inverted, dixon = series.inversion_time_ms is not None, series.contrast in _DIXON_TYPE
    dataset.ScanningSequence = "GR" if dixon else ["SE", "IR"] if inverted else "SE"
    dataset.SequenceVariant = "SP" if dixon else "SK"
    dataset.MRAcquisitionType = "3D" if len(set(image.geometry.spacing)) == 1 else "2D"
    dataset.ScanOptions = "FS" if series.contrast in (Contrast.T2W_FS, Contrast.T1W_POST) else ""
    dataset.RepetitionTime, dataset.EchoTime = series.repetition_time_ms, series.echo_time_ms
    if inverted:
        dataset.InversionTime = series.inversion_time_ms
    if series.contrast is Contrast.T1W_POST:
        dataset.ContrastBolusAgent = "Gadobutrol"
    dataset.EchoTrainLength, dataset.FlipAngle = 3 if (series.echo_time_ms or 0) < 30 else 15, 150
    if dixon:
        dataset.EchoTrainLength, dataset.FlipAngle = 1, 10
    dataset.ImageType = ["ORIGINAL", "PRIMARY", _DIXON_TYPE.get(series.contrast, "M"), "ND"]


def _pixels(dataset: Dataset, image: Image, k: int) -> None:
    geometry = image.geometry
    axes = geometry.axes
    dataset.SliceThickness = image.series.slice_thickness_mm or geometry.spacing[0]
    dataset.SpacingBetweenSlices = geometry.spacing[0]
    dataset.PixelSpacing = [round(v, 6) for v in geometry.spacing[1:]]
    dataset.ImageOrientationPatient = [round(float(v), 8) for v in (*axes[:, 2], *axes[:, 1])]
    dataset.ImagePositionPatient = [round(float(v), 5) for v in geometry.to_patient([k, 0, 0])]
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.Rows, dataset.Columns = geometry.shape[1:]
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 12, 11, 0
