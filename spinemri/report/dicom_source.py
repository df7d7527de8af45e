"""The DICOM files that a series came from, for objects that are written back into its study.

Such an object carries the identity of the patient and the study of its source, whatever stands for them elsewhere in a
result; it belongs to the slices it was made from by their UIDs. Only headers are read. A slice without a file (it was
missing in the series) has nothing that could be referred to. Enhanced objects are handed to highdicom as one stand-in
per frame, so that one way serves both kinds; their references are put right at the end.
"""

from __future__ import annotations

import hashlib
import re
import warnings
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np
import pydicom
from pydicom.charset import default_encoding
from pydicom.config import disable_value_validation
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import PYDICOM_IMPLEMENTATION_UID, UID, ExplicitVRLittleEndian, MRImageStorage
from pydicom.valuerep import format_number_as_ds

from spinemri.errors import OutputError
from spinemri.together import together

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from spinemri.analysis import Provenance
    from spinemri.case import Case
    from spinemri.geometry import Geometry
    from spinemri.image import Image
    from spinemri.series import SeriesFile

UTF8 = "ISO_IR 192"
NOT_DICOM = "did not come from DICOM; DICOM output needs the headers of its source"
_ALWAYS = (
    *("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyInstanceUID", "StudyDate", "StudyTime"),
    *("StudyID", "AccessionNumber", "ReferringPhysicianName"),
)
_WHERE_PRESENT = (
    *("IssuerOfPatientID", "PatientAge", "PatientSize", "PatientWeight", "EthnicGroup", "PatientComments"),
    *("PatientIdentityRemoved", "DeidentificationMethod", "DeidentificationMethodCodeSequence", "StudyDescription"),
    *("PhysiciansOfRecord", "ClinicalTrialSponsorName", "ClinicalTrialProtocolID", "ClinicalTrialProtocolName"),
    *("ClinicalTrialSiteID", "ClinicalTrialSiteName", "ClinicalTrialSubjectID", "ClinicalTrialSubjectReadingID"),
    *("ClinicalTrialTimePointID", "ClinicalTrialTimePointDescription"),
)
_FORMS = {
    "PatientBirthDate": r"\d{8}",
    "StudyDate": r"\d{8}",
    "StudyTime": r"\d{2}(\d{2}(\d{2}(\.\d{1,6})?)?)?",
    "PatientSex": r"[MFO]",
    "PatientAge": r"\d{3}[DWMY]",
}
_TAGS = [
    *(*_ALWAYS, *_WHERE_PRESENT, "SpecificCharacterSet", "SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID"),
    *("FrameOfReferenceUID", "ImagePositionPatient", "PerFrameFunctionalGroupsSequence"),
    "SharedFunctionalGroupsSequence",
]
_OFF_PLANE_MM = 1.0
_MADE_HERE = (None, None)


@dataclass(frozen=True)
class SliceOf:
    """The image that a slice came from: class, UID, and in a multi-frame one the number of the frame, from 1."""

    sop_class_uid: str
    sop_instance_uid: str
    frame: int | None = None


@dataclass(frozen=True, eq=False)
class Source:
    """Where a series came from.

    Parameters
    ----------
    header : attributes of patient and study, nothing else
    series_uid : the Series Instance UID in the files
    slices : the image of each slice k; None where there is none
    geometry : grid of the series, with the Frame of Reference UID in the files
    label : short name of the series
    """

    header: Dataset
    series_uid: str
    slices: tuple[SliceOf | None, ...]
    geometry: Geometry
    label: str
    thickness_mm: float

    @property
    def present(self) -> tuple[int, ...]:
        """Indices of slices that have an image."""
        return tuple(k for k, one in enumerate(self.slices) if one is not None)

    @property
    def images(self) -> tuple[SliceOf, ...]:
        """Every image once, in the order of the slices."""
        return tuple(one for one in self.slices if one is not None)


def read_sources(case: Case) -> tuple[Source, ...]:
    """Where the series of a case came from, parallel to its images.

    Raises
    ------
    OutputError
        A series did not come from DICOM, or its files cannot be read any more.
    """
    return tuple(_source(image) for image in case.images)


def uid_of(*parts: object) -> UID:
    """A stable UID from words, under the root for UUIDs."""
    return UID("2.25." + str(int(hashlib.sha256("/".join(map(str, parts)).encode()).hexdigest()[:30], 16)))


def new_object(header: Dataset, sop_class: str, kind: str, key: str, provenance: Provenance) -> Dataset:
    """An object of the patient and study in ``header`` that says what made it, and nothing else yet.

    Parameters
    ----------
    kind : what it is, such as 'RTSTRUCT'; with ``key``, the checksum of what it will say, its UIDs follow from it
    """
    made = Dataset()
    made.update(header)
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made.file_meta.ImplementationClassUID = PYDICOM_IMPLEMENTATION_UID
    made.SpecificCharacterSet, made.SOPClassUID = UTF8, sop_class
    made.SOPInstanceUID, made.SeriesInstanceUID = uid_of(f"{kind} instance", key), uid_of(f"{kind} series", key)
    made.Manufacturer = made.ManufacturerModelName = provenance.software
    made.SoftwareVersions = made.DeviceSerialNumber = provenance.version
    made.InstanceNumber = 1
    return made


def stand_ins(source: Source) -> list[Dataset]:
    """A single-frame header per slice that has an image, in the order of the slices, as highdicom takes sources."""
    return [_stand_in(source, k, one) for k, one in enumerate(source.slices) if one is not None]


def evidence(source: Source) -> list[Dataset]:
    """A header per file of a series, as highdicom takes evidence."""
    made = []
    for sop_class, sop in dict.fromkeys((one.sop_class_uid, one.sop_instance_uid) for one in source.images):
        one = Dataset()
        one.update(source.header)
        one.SOPClassUID, one.SOPInstanceUID, one.SeriesInstanceUID = sop_class, sop, source.series_uid
        made.append(one)
    return made


def all_items(dataset: Dataset) -> Iterator[Dataset]:
    """Every item of every sequence, at any depth."""
    for element in dataset:
        if element.VR == "SQ":
            for item in element.value:
                yield item
                yield from all_items(item)


def settled(dataset: Dataset) -> None:
    """Say of every item made here that its value representations are known.

    pydicom otherwise looks for undecided ones in everything below an item, and again in everything below each of its
    items: most of the time of writing a deep tree. An item taken over from a file is left as it was read.
    """
    for item in all_items(dataset):
        if item.original_encoding == _MADE_HERE:
            item.set_original_encoding(is_implicit_vr=False, is_little_endian=True, character_encoding=default_encoding)


def referred(dataset: Dataset, source: Source) -> None:
    """Put the files' own UIDs and frame numbers where ``dataset`` refers to stand-ins."""
    names = {_name_of(one): one for one in source.images if one.frame is not None}
    for item in all_items(dataset) if names else ():
        if (found := names.get(str(item.get("ReferencedSOPInstanceUID", "")))) is not None:
            item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = found.sop_class_uid, found.sop_instance_uid
            item.ReferencedFrameNumber = found.frame
    for series in dataset.get("ReferencedSeriesSequence", ()):  # lists instances, not frames
        whole = {str(item.ReferencedSOPInstanceUID): item for item in series.ReferencedInstanceSequence}
        for item in whole.values():
            item.pop("ReferencedFrameNumber", None)
        series.ReferencedInstanceSequence = list(whole.values())


def dated(dataset: Dataset, created: str) -> None:
    """Write the time of the analysis wherever an object says when it was made."""
    made = datetime.fromisoformat(created).astimezone()
    for prefix in ("InstanceCreation", "Content", "Series", "StructureSet"):
        if prefix == "Series" or f"{prefix}Date" in dataset:
            setattr(dataset, f"{prefix}Date", made.strftime("%Y%m%d"))
            setattr(dataset, f"{prefix}Time", made.strftime("%H%M%S"))
    for item in dataset.get("ContributingEquipmentSequence", ()):
        item.pop("ContributionDateTime", None)


@contextmanager
def lenient() -> Iterator[None]:
    """Silence remarks about values of the source that break the standard; they may repeat a patient's name."""
    with together("lenient", _silence):  # the same state as where files are read
        yield


@contextmanager
def _silence() -> Iterator[None]:
    with warnings.catch_warnings(), disable_value_validation():
        warnings.simplefilter("ignore")
        yield


def _source(image: Image) -> Source:
    series = image.series
    if series.source != "dicom" or not series.files:
        raise OutputError(f"series {series.label}: {NOT_DICOM}")
    found: list[SliceOf | None] = [None] * image.geometry.shape[0]
    header: Dataset | None = None
    for file in series.files:
        dataset = _read(file, series.label)
        header = header or dataset
        for one, position in _planes(dataset, file):
            k = _slice_at(position, image.geometry, series.label)
            if any(other == one for n, other in enumerate(found) if other is not None and n != k):
                raise OutputError(
                    f"series {series.label}: two slices have one SOP Instance UID; nothing can refer to them"
                )
            found[k] = found[k] or one
    if header is None or not any(found):
        raise OutputError(f"series {series.label}: its files hold none of its slices any more")
    frame = str(header.get("FrameOfReferenceUID", "")) or uid_of("frame of reference", header.SeriesInstanceUID)
    grid = replace(image.geometry, frame_of_reference_uid=frame)
    thickness = series.slice_thickness_mm or grid.spacing[0]
    return Source(_identity(header), str(header.SeriesInstanceUID), tuple(found), grid, series.label, thickness)


def _read(file: SeriesFile, label: str) -> Dataset:
    try:
        with lenient():
            dataset = pydicom.dcmread(file.path, stop_before_pixels=True, force=True, specific_tags=list(_TAGS))
    except OSError as error:
        raise OutputError(f"series {label}: a file of it cannot be read any more ({error.strerror})") from error
    if not (dataset.get("SOPInstanceUID") and dataset.get("SOPClassUID")):
        raise OutputError(
            f"series {label}: a file of it is no DICOM image any more, or has no SOP Class or Instance UID"
        )
    return dataset


def _planes(dataset: Dataset, file: SeriesFile) -> Iterator[tuple[SliceOf, NDArray[np.float64]]]:
    """Every image plane of a file and its position (LPS mm)."""
    whole = SliceOf(str(dataset.SOPClassUID), str(dataset.SOPInstanceUID))
    groups = dataset.get("PerFrameFunctionalGroupsSequence")
    if groups is None:
        yield whole, np.asarray(dataset.ImagePositionPatient, dtype=np.float64)
        return
    shared = dataset.get("SharedFunctionalGroupsSequence", [Dataset()])[0]
    for n in file.frames or range(len(groups)):
        (plane,) = groups[n].get("PlanePositionSequence") or shared.PlanePositionSequence
        yield replace(whole, frame=n + 1), np.asarray(plane.ImagePositionPatient, dtype=np.float64)


def _slice_at(position: NDArray[np.float64], geometry: Geometry, label: str) -> int:
    index = geometry.to_index(position)
    k = int(np.rint(index[0]))
    aside = np.abs(index - (k, 0, 0)) * geometry.spacing
    if not 0 <= k < geometry.shape[0] or aside.max() > _OFF_PLANE_MM:
        raise OutputError(f"series {label}: a file of it holds another image than when it was loaded")
    return k


def _identity(header: Dataset) -> Dataset:
    """Patient and study as the source has them; a value that breaks the standard becomes empty."""
    kept = Dataset()
    with lenient():
        header.decode()  # text leaves its own character set here; what is written is UTF-8
    for keyword in (*_ALWAYS, *_WHERE_PRESENT):
        value = header.get(keyword)
        if keyword in _FORMS and not re.fullmatch(_FORMS[keyword], str(value or "").strip()):
            value = None
        if value is not None or keyword in _ALWAYS:
            setattr(kept, keyword, "" if value is None else value)
    return kept


def _stand_in(source: Source, k: int, one: SliceOf) -> Dataset:
    grid = source.geometry
    made = Dataset()
    made.update(source.header)
    made.Modality, made.SOPClassUID, made.SOPInstanceUID = "MR", MRImageStorage, _name_of(one)
    made.SeriesInstanceUID, made.FrameOfReferenceUID = source.series_uid, grid.frame_of_reference_uid
    made.Rows, made.Columns = grid.shape[1:]
    made.ImagePositionPatient = _decimals(grid.to_patient((k, 0, 0)).tolist())
    made.ImageOrientationPatient = _decimals([*grid.axes[:, 2], *grid.axes[:, 1]])
    made.PixelSpacing = _decimals(grid.spacing[1:])
    made.SliceThickness, made.SpacingBetweenSlices = _decimals([source.thickness_mm, grid.spacing[0]])
    return made


def _decimals(values: Sequence[float]) -> list[str]:
    """Numbers as Decimal Strings of at most 16 characters, with all digits that these can hold."""
    return [format_number_as_ds(float(value)) for value in values]


def _name_of(one: SliceOf) -> str:
    return one.sop_instance_uid if one.frame is None else uid_of(one.sop_instance_uid, one.frame)
