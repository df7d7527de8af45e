"""Small synthetic MR series as DICOM files: classic or enhanced, oblique and anisotropic."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import EnhancedMRImageStorage, ExplicitVRLittleEndian, MRImageStorage, generate_uid

from spinemri.geometry import Geometry

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

# ScanningSequence, TR, TE, TI, name: what the three usual sagittal series say
PRESETS: dict[str, dict[str, Any]] = {
    "T1w": {"ScanningSequence": "SE", "RepetitionTime": 560, "EchoTime": 10, "SeriesDescription": "sag T1 tse"},
    "T2w": {"ScanningSequence": "SE", "RepetitionTime": 3600, "EchoTime": 105, "SeriesDescription": "sag T2 tse"},
    "STIR": {
        "ScanningSequence": ["SE", "IR"],
        "RepetitionTime": 4200,
        "EchoTime": 58,
        "InversionTime": 160,
        "SeriesDescription": "sag tirm",
    },
}


def sagittal_geometry(
    slices: int = 5, tilt_deg: float = 12.0, origin: tuple[float, float, float] = (31, -80, 95)
) -> Geometry:
    """Sagittal stack, first slice on the left, turned about all three axes; columns run back, rows down."""
    a, b, c = np.deg2rad([tilt_deg, tilt_deg / 2, tilt_deg / 3])
    about_x = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    about_y = np.array([[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]])
    about_z = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
    plain = np.array([[-1, 0, 0], [0, 0, 1], [0, -1, 0]], dtype=float)  # columns: slices to the right, rows down, back
    axes = about_z @ about_y @ about_x @ plain
    return Geometry((slices, 14, 11), (4.4, 0.7, 0.8), origin, tuple(axes.ravel().tolist()), "1.2.826.0.1.9")


def unlike_voxels(geometry: Geometry, seed: int = 0) -> NDArray[np.uint16]:
    """Twelve-bit noise: no two slices, rows or columns are alike."""
    return np.random.default_rng(seed).integers(1, 4096, geometry.shape, dtype=np.uint16)


@dataclass
class SeriesWriter:
    """Writes one series below ``folder``; ``header`` overrides any attribute, None removes it."""

    folder: Path
    patient: str = "P1"
    study: str = "1.2.826.0.1.1"
    series: str = "1.2.826.0.1.1.2"
    number: int = 2
    preset: str = "T1w"
    header: dict[str, Any] = field(default_factory=dict)
    edit: Callable[[int, Dataset], None] | None = None  # called with slice index and dataset before writing

    def common(self, voxels: NDArray[np.generic]) -> Dataset:
        dataset = Dataset()
        dataset.PatientID, dataset.PatientName = self.patient, f"Secret^{self.patient}"
        dataset.PatientBirthDate, dataset.PatientSex, dataset.PatientAge = "19600101", "F", "059Y"
        dataset.StudyInstanceUID, dataset.SeriesInstanceUID = self.study, self.series
        dataset.StudyDate, dataset.StudyTime = "20200101", "101500"
        dataset.AcquisitionDate, dataset.AcquisitionTime = "20200101", f"10{20 + self.number:02d}00"
        dataset.Modality, dataset.SeriesNumber, dataset.AcquisitionNumber = "MR", self.number, 1
        dataset.ImageType = ["ORIGINAL", "PRIMARY", "M", "ND"]
        dataset.MagneticFieldStrength, dataset.BodyPartExamined, dataset.PatientPosition = 1.5, "LSPINE", "HFS"
        dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
        dataset.Rows, dataset.Columns = voxels.shape[1:]
        bits = voxels.dtype.itemsize * 8
        dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = bits, bits, bits - 1
        dataset.PixelRepresentation = int(voxels.dtype.kind == "i")
        return dataset

    def classic(
        self, geometry: Geometry, voxels: NDArray[np.generic], order: Sequence[int] | None = None
    ) -> list[Path]:
        """One file for each slice k; file names and InstanceNumber follow ``order``, not space."""
        self.folder.mkdir(parents=True, exist_ok=True)
        order = range(len(voxels)) if order is None else order
        return [self._slice(geometry, voxels, k, n) for n, k in enumerate(order)]

    def _slice(self, geometry: Geometry, voxels: NDArray[np.generic], k: int, n: int) -> Path:
        dataset = self.common(voxels)
        dataset.SOPClassUID, dataset.SOPInstanceUID = MRImageStorage, generate_uid(entropy_srcs=[self.series, str(k)])
        dataset.FrameOfReferenceUID = geometry.frame_of_reference_uid or ""
        dataset.InstanceNumber = n + 1
        dataset.SliceThickness, dataset.SpacingBetweenSlices = round(geometry.spacing[0] * 0.9, 4), geometry.spacing[0]
        dataset.PixelSpacing = [_decimal(v) for v in geometry.spacing[1:]]
        dataset.ImageOrientationPatient = [_decimal(v) for v in (*geometry.axes[:, 2], *geometry.axes[:, 1])]
        dataset.ImagePositionPatient = [_decimal(v) for v in geometry.to_patient((k, 0, 0))]
        dataset.PixelData = np.ascontiguousarray(voxels[k]).tobytes()
        dataset["PixelData"].VR = "OW"
        apply(
            dataset, {**PRESETS[self.preset], "ProtocolName": PRESETS[self.preset]["SeriesDescription"], **self.header}
        )
        if self.edit is not None:
            self.edit(k, dataset)
        path = self.folder / f"IM{n:04d}"
        save(dataset, path)
        return path

    def enhanced(
        self,
        geometry: Geometry,
        voxels: NDArray[np.generic],
        order: Sequence[int] | None = None,
        name: str = "multi.dcm",
    ) -> Path:
        """One multi-frame file; ``edit`` is called with each frame's functional groups."""
        self.folder.mkdir(parents=True, exist_ok=True)
        order = list(range(len(voxels)) if order is None else order)
        preset = PRESETS[self.preset]
        dataset = self.common(voxels)
        dataset.SOPClassUID, dataset.SOPInstanceUID = EnhancedMRImageStorage, generate_uid()
        dataset.FrameOfReferenceUID = geometry.frame_of_reference_uid or ""
        dataset.SeriesDescription, dataset.InstanceNumber = preset["SeriesDescription"], 1
        dataset.NumberOfFrames = len(order)
        dataset.EchoPulseSequence = "SPIN"
        dataset.SharedFunctionalGroupsSequence = [_shared(geometry, preset)]
        dataset.PerFrameFunctionalGroupsSequence = [self._frame(geometry, preset, k, n) for n, k in enumerate(order)]
        dataset.PixelData = np.ascontiguousarray(voxels[order]).tobytes()
        dataset["PixelData"].VR = "OW"
        apply(dataset, self.header)
        save(dataset, self.folder / name)
        return self.folder / name

    def _frame(self, geometry: Geometry, preset: dict[str, Any], k: int, n: int) -> Dataset:
        frame = Dataset()
        frame.FrameContentSequence = [item(StackID="1", InStackPositionNumber=n + 1, TemporalPositionIndex=1)]
        frame.PlanePositionSequence = [item(ImagePositionPatient=[_decimal(v) for v in geometry.to_patient((k, 0, 0))])]
        frame.MREchoSequence = [item(EffectiveEchoTime=float(preset["EchoTime"]))]
        if self.edit is not None:
            self.edit(k, frame)
        return frame


def item(**values: Any) -> Dataset:
    """A dataset of the given attributes."""
    dataset = Dataset()
    apply(dataset, values)
    return dataset


def apply(dataset: Dataset, values: dict[str, Any]) -> None:
    for keyword, value in values.items():
        if value is not None:
            setattr(dataset, keyword, value)
        elif keyword in dataset:
            delattr(dataset, keyword)


def save(dataset: Dataset, path: Path) -> None:
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    pydicom.dcmwrite(path, dataset, enforce_file_format=True)


def _shared(geometry: Geometry, preset: dict[str, Any]) -> Dataset:
    shared = Dataset()
    shared.PixelMeasuresSequence = [
        item(SliceThickness=4.0, PixelSpacing=[_decimal(v) for v in geometry.spacing[1:]], SpacingBetweenSlices=9.9)
    ]
    cosines = (*geometry.axes[:, 2], *geometry.axes[:, 1])
    shared.PlaneOrientationSequence = [item(ImageOrientationPatient=[_decimal(v) for v in cosines])]
    shared.MRTimingAndRelatedParametersSequence = [item(RepetitionTime=float(preset["RepetitionTime"]), FlipAngle=90.0)]
    inverted = "InversionTime" in preset
    shared.MRModifierSequence = [item(InversionRecovery="YES" if inverted else "NO")]
    if inverted:
        shared.MRModifierSequence[0].InversionTimes = float(preset["InversionTime"])
    return shared


def _decimal(value: float) -> str:
    """Decimal String of at most 16 characters, as scanners write it."""
    return f"{value:.10f}"[:16]
