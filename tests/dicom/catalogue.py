"""The catalogue of hard cases: each as files, with what has to come of it.

Numbers are those of the table in ``docs/dicom.md``; number 0 is what may break reading beyond that table. ``judge``
reads the files as ``spinemri analyze`` does and says whether it came out as expected: every voxel that was written lies
at its point of the patient with its value, or the study is refused in one line that says why.
"""

from __future__ import annotations

import shutil
import struct
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import numpy as np
import pydicom
import SimpleITK
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import RawDataElement
from pydicom.tag import Tag
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, ImplicitVRLittleEndian

from spinemri.convert import reordered_grid
from spinemri.dicom.study import load_study
from spinemri.dicom.values import lenient
from spinemri.errors import SpineMRIError
from tests.dicom.series_builder import SeriesWriter, item, sagittal_geometry, unlike_voxels

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray
    from pydicom.dataset import Dataset

    from spinemri.geometry import Geometry
    from spinemri.image import Image

    Truth = tuple[Geometry, NDArray[np.generic]]
    Make = Callable[[Path], Truth | None]
    Edit = Callable[[int, Dataset], None]

GRID = sagittal_geometry()
VOXELS = unlike_voxels(GRID)
OTHER = unlike_voxels(GRID, 7)
AXIAL = reordered_grid(GRID, (1, 0, 2))
SECRETS = ("Secret", "P1^", "19600101")


class Verdict(StrEnum):
    """What came of a case."""

    RIGHT = "right"
    REFUSED = "refused"
    WRONG = "wrong"
    CRASHED = "crashed"


@dataclass(frozen=True)
class Case:
    """Files and what is expected of them.

    Parameters
    ----------
    number : in the table; 0 for cases beyond it
    name : for people
    make : writes the files and returns a grid with the voxels that must lie on it, or None when nothing may be loaded
    refused : what the refusal must say; empty when the study must be read
    warned : what a warning must say; empty when none is asked for
    """

    number: int
    name: str
    make: Make
    refused: str = ""
    warned: str = ""


def judge(case: Case, folder: Path) -> tuple[Verdict, str]:
    """What came of a case whose files are written to ``folder``, and in words why it is wrong or was refused."""
    folder.mkdir()
    with lenient():
        truth = case.make(folder)
    with ThreadPoolExecutor(1) as pool:  # a crash is a result here, whatever is raised
        reading = pool.submit(load_study, folder, None, None, lambda *_: None)
    error = reading.exception()
    if isinstance(error, SpineMRIError):
        return _of_refusal(case, str(error), folder)
    if error is not None:
        return Verdict.CRASHED, f"{type(error).__name__}: {error}"
    loaded = reading.result()
    if case.refused:
        return Verdict.WRONG, "read; expected a refusal"
    if truth is None or not any(holds(image, *truth) for image in loaded.images):
        return Verdict.WRONG, "voxels or their places differ from what was written"
    said = "; ".join((*loaded.warnings, *(reason for _, reason in loaded.refused)))
    if case.warned not in said:
        return Verdict.WRONG, f"nothing said of {case.warned!r}: {said or 'nothing'}"
    return Verdict.RIGHT, said


def _of_refusal(case: Case, message: str, folder: Path) -> tuple[Verdict, str]:
    faults = [word for word in (*SECRETS, str(folder.parent), "\n") if word in message]
    if not case.refused or case.refused not in message or faults:
        return Verdict.WRONG, f"refused: {message}"
    return Verdict.REFUSED, message


def holds(image: Image, geometry: Geometry, voxels: NDArray[np.generic], atol_mm: float = 0.25) -> bool:
    """Whether an image has every voxel of a grid at its point of the patient with its value."""
    index = np.stack(np.meshgrid(*[np.arange(n) for n in geometry.shape], indexing="ij"), axis=-1).reshape(-1, 3)
    points = geometry.to_patient(index)
    nearest = np.rint(image.geometry.to_index(points)).astype(int)
    if (nearest < 0).any() or (nearest >= image.geometry.shape).any():
        return False
    apart = np.abs(image.geometry.to_patient(nearest) - points).max()
    return bool(apart < atol_mm) and np.array_equal(image.voxels[tuple(nearest.T)], voxels.reshape(-1))


# how files are spoiled


def series(folder: Path, edit: Edit | None = None, voxels: Any = VOXELS, **header: Any) -> Truth:
    """The plain T1w series, ``header`` in all slices, each slice changed by ``edit``."""
    preset = header.pop("preset", "T1w")
    uid = header.pop("uid", "1.2.826.0.1.1.2")
    SeriesWriter(folder, series=uid, preset=preset, header=header, edit=edit).classic(GRID, voxels)
    return GRID, voxels


def plain(**header: Any) -> Make:
    """The series with a header that changes nothing."""
    return lambda folder: series(folder, **header)


def spoiled(edit: Edit, **header: Any) -> Make:
    """The series with every slice changed: nothing may be loaded, or the voxels as they are."""
    return lambda folder: series(folder, edit, **header)


def stated(**values: str) -> Make:
    """The series with attributes written as they stand here, whatever the standard says of them."""

    def edit(_: int, dataset: Dataset) -> None:
        for keyword, value in values.items():
            tag, raw = Tag(tag_for_keyword(keyword)), value.encode()
            raw += b" " * (len(raw) % 2)
            dataset._dict[tag] = RawDataElement(
                tag, dictionary_VR(tag), len(raw), raw, 0, is_implicit_VR=False, is_little_endian=True
            )

    return spoiled(edit)


def at(k: int, **values: Any) -> Make:
    """The series with attributes of slice k changed; None removes one."""

    def edit(n: int, dataset: Dataset) -> None:
        for keyword, value in values.items() if n == k else ():
            if value is None:
                delattr(dataset, keyword)
            else:
                setattr(dataset, keyword, value)

    return spoiled(edit)


def some(*kept: int) -> Make:
    """Only some slices; the first of them are the truth."""
    return part(lambda folder: SeriesWriter(folder).classic(GRID, VOXELS, kept), kept[0], kept[0] + 1)


def part(make: Make, first: int, end: int) -> Make:
    """Of what ``make`` writes only slices ``first`` up to ``end`` are asked for."""

    def made(folder: Path) -> Truth:
        make(folder)
        origin = tuple(GRID.to_patient((first, 0, 0)).tolist())
        return replace(GRID, shape=(end - first, *GRID.shape[1:]), origin=origin), VOXELS[first:end]

    return made


def moved(mm: float, axis: int, *, growing: bool = False) -> Make:
    """Slice 2 (or each slice more) shifted along an array axis."""

    def edit(k: int, dataset: Dataset) -> None:
        step = mm * (k if growing else k == 2)
        dataset.ImagePositionPatient = [f"{v:.8f}"[:16] for v in GRID.to_patient((k, 0, 0)) + GRID.axes[:, axis] * step]

    return spoiled(edit)


def bytes_of(change: Callable[[bytes], bytes], *only: int) -> Make:
    """The series with the bytes of its files changed."""

    def make(folder: Path) -> Truth:
        paths = SeriesWriter(folder).classic(GRID, VOXELS)
        for n, path in enumerate(paths):
            if not only or n in only:
                path.write_bytes(change(path.read_bytes()))
        return GRID, VOXELS

    return make


def encoded(syntax: str) -> Make:
    """The series in another uncompressed transfer syntax."""

    def make(folder: Path) -> Truth:
        for path in SeriesWriter(folder).classic(GRID, VOXELS):
            dataset = pydicom.dcmread(path)
            if syntax == ExplicitVRBigEndian:
                dataset.PixelData = np.frombuffer(dataset.PixelData, "<u2").astype(">u2").tobytes()
            dataset.file_meta.TransferSyntaxUID = syntax
            implicit = syntax == ImplicitVRLittleEndian
            pydicom.dcmwrite(path, dataset, implicit_vr=implicit, little_endian=syntax != ExplicitVRBigEndian)
        return GRID, VOXELS

    return make


def mislabelled(content: bytes) -> bytes:
    """Explicit VR whose meta information says implicit."""
    content = content.replace(b"UI\x14\x00" + b"1.2.840.10008.1.2.1\x00", b"UI\x12\x00" + b"1.2.840.10008.1.2\x00")
    at = content.index(b"\x02\x00\x00\x00UL\x04\x00") + 8
    return content[:at] + struct.pack("<I", struct.unpack_from("<I", content, at)[0] - 2) + content[at + 4 :]


def bare(content: bytes) -> bytes:
    """Without preamble and meta information."""
    length = struct.unpack_from("<I", content, content.index(b"\x02\x00\x00\x00UL\x04\x00") + 8)[0]
    return content[144 + length :]


def encapsulated(syntax: str) -> Make:
    """Raw pixels that call themselves compressed."""

    def make(folder: Path) -> None:
        for path in SeriesWriter(folder).classic(GRID, VOXELS):
            dataset = pydicom.dcmread(path)
            dataset.file_meta.TransferSyntaxUID = syntax
            dataset.PixelData = pydicom.encaps.encapsulate([dataset.PixelData])
            dataset["PixelData"].VR, dataset["PixelData"].is_undefined_length = "OB", True
            dataset.save_as(path)

    return make


def enhanced(edit: Edit | None = None, **header: Any) -> Make:
    """One multi-frame file, its frames in a shuffled order."""

    def make(folder: Path) -> Truth:
        SeriesWriter(folder, header=header, edit=edit).enhanced(GRID, VOXELS, [3, 0, 4, 1, 2])
        return GRID, VOXELS

    return make


def both(one: dict[str, Any], other: dict[str, Any], voxels: Any = OTHER) -> Make:
    """Two series, or one in two parts; the first holds the truth."""

    def make(folder: Path) -> Truth:
        truth = series(folder / "a", **one)
        series(folder / "b", voxels=voxels, **other)
        return truth

    return make


# single cases


def junk(folder: Path) -> Truth:
    """Office files, an index, an archive and hidden files beside the series."""
    truth = series(folder / "deep" / "er")
    for name, content in (
        ("notes.txt", b"x"), (".DS_Store", b"\x00\x00\x00\x01Bud1"), ("report.pdf", b"%PDF-1.7"), ("empty", b""),
        ("DICOMDIR", b"\x00" * 128 + b"DICM" + b"\x00" * 10), ("cut", b"\x00" * 128 + b"DICM\x02\x00"),
    ):  # fmt: skip
        (folder / name).write_bytes(content)
    shutil.make_archive(str(folder / "all"), "zip", folder / "deep")
    (folder / "loop").symlink_to(folder)
    return truth


def nothing(_: Path) -> None:
    """An empty folder."""


def two_blocks(folder: Path) -> Truth:
    """Sagittal and axial slices under one Series Instance UID."""
    SeriesWriter(folder / "b").classic(AXIAL, unlike_voxels(AXIAL))
    return series(folder / "a")


def localizers(folder: Path) -> None:
    """One slice in each of three planes, nothing in the names."""
    for n, order in enumerate([(0, 1, 2), (1, 0, 2), (2, 1, 0)]):
        grid = reordered_grid(GRID, order)
        header = {"SeriesDescription": None, "ProtocolName": None}
        SeriesWriter(folder / str(n), header=header).classic(grid, unlike_voxels(grid), [0])


def stacks(folder: Path) -> Truth:
    """Two stacks, two echoes and two times in one enhanced object."""
    grid = sagittal_geometry(slices=24)
    voxels = unlike_voxels(grid)

    def edit(k: int, frame: Dataset) -> None:
        frame.PlanePositionSequence[0].ImagePositionPatient = [round(v, 6) for v in grid.to_patient((k % 3, 0, 0))]
        frame.MREchoSequence[0].EffectiveEchoTime = 10.0 if k < 12 else 14.0
        frame.FrameContentSequence[0].TemporalPositionIndex = 1 + k // 3 % 2
        frame.FrameContentSequence[0].StackID = str(1 + k // 6 % 2)

    SeriesWriter(folder, edit=edit).enhanced(grid, voxels)
    return replace(grid, shape=(3, *grid.shape[1:])), voxels[:3]


def rescaled(folder: Path) -> Truth:
    """Each slice with a slope of its own."""

    def edit(k: int, dataset: Dataset) -> None:
        dataset.RescaleSlope, dataset.RescaleIntercept = 1.0 + k / 4, -10.0

    series(folder, edit)
    slopes = 1 + np.arange(5)[:, None, None] / 4
    return GRID, (VOXELS * slopes - 10.0).astype(np.float32)


def colour(_: int, dataset: Dataset) -> None:
    """A screenshot in colour, planes one after the other."""
    dataset.PhotometricInterpretation, dataset.SamplesPerPixel, dataset.PlanarConfiguration = "RGB", 3, 1
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 8, 8, 7
    dataset.PixelData = bytes(range(231)) * 2
    dataset["PixelData"].VR = "OB"


def floating(k: int, dataset: Dataset) -> None:
    """Pixels as floating-point numbers."""
    del dataset.PixelData
    dataset.FloatPixelData, dataset.BitsAllocated = VOXELS[k].astype(np.float32).tobytes(), 32


def thirty_two_bits(k: int, dataset: Dataset) -> None:
    """One slice stored in more bits than the others."""
    if k == 2:
        dataset.BitsAllocated = dataset.BitsStored = 32
        dataset.HighBit, dataset.PixelData = 31, VOXELS[2].astype(np.uint32).tobytes()


def turned_matrix(k: int, dataset: Dataset) -> None:
    """One slice with rows and columns exchanged."""
    if k == 2:
        dataset.Rows, dataset.Columns, dataset.PixelData = 11, 14, VOXELS[2].T.copy().tobytes()


def one_mirrored(k: int, dataset: Dataset) -> None:
    """One slice whose row direction is reversed."""
    if k == 2:
        cosines = [float(v) for v in dataset.ImageOrientationPatient]
        dataset.ImageOrientationPatient = [-v for v in cosines[:3]] + cosines[3:]


def every_other_frame(k: int, dataset: Dataset) -> None:
    """Two frames of reference in one series."""
    dataset.FrameOfReferenceUID = f"1.2.{k % 2}"


def dixon(folder: Path) -> Truth:
    """Four Dixon images under one Series Instance UID."""
    for n, word in enumerate(("F", "IP", "OP")):
        series(folder / word, voxels=unlike_voxels(GRID, n + 2), ImageType=["DERIVED", "PRIMARY", "DIXON", word])
    return series(folder / "W", ImageType=["DERIVED", "PRIMARY", "DIXON", "W"])


def many_frames(folder: Path) -> None:
    """A single-frame object that says it has five frames."""
    (path,) = SeriesWriter(folder).classic(GRID, VOXELS, [0])
    dataset = pydicom.dcmread(path)
    dataset.NumberOfFrames, dataset.PixelData = 5, VOXELS.tobytes()
    dataset.save_as(path)


def fewer_groups(folder: Path) -> None:
    """Functional groups for four of five frames."""
    path = SeriesWriter(folder).enhanced(GRID, VOXELS)
    dataset = pydicom.dcmread(path)
    dataset.PerFrameFunctionalGroupsSequence = dataset.PerFrameFunctionalGroupsSequence[:4]
    dataset.save_as(path)


def volume(**metadata: Any) -> Make:
    """The same voxels as NIfTI."""

    def make(folder: Path) -> Truth:
        image = SimpleITK.GetImageFromArray(VOXELS)
        image.SetSpacing(GRID.spacing[::-1])
        image.SetOrigin(GRID.origin)
        image.SetDirection(GRID.axes[:, ::-1].ravel().tolist())
        SimpleITK.WriteImage(image, str(folder / "17_T1w.nii"))
        for code in metadata.get("without", ()):
            content = bytearray((folder / "17_T1w.nii").read_bytes())
            struct.pack_into("<h", content, {"qform": 252, "sform": 254}[code], 0)
            (folder / "17_T1w.nii").write_bytes(content)
        return GRID, VOXELS

    return make


def long_path(folder: Path) -> Truth:
    """A name in other letters, below a long path."""
    below = folder / "Ärzte für Wirbelsäule 脊椎" / ("x" * 120)
    return series(below, PatientName="Müller^Jürgen", SpecificCharacterSet="ISO_IR 192", SeriesDescription="sag T1 für")


def anonymous(folder: Path) -> Truth:
    """No name, birth date, age, sex, description or date, and UIDs of another root."""
    gone = ("PatientName", "PatientBirthDate", "PatientAge", "PatientSex", "SeriesDescription", "ProtocolName")
    more = ("StudyDate", "StudyTime", "AcquisitionDate", "AcquisitionTime", "BodyPartExamined")
    return series(folder, uid="2.25.99", **dict.fromkeys((*gone, *more)))


PART = {"ConcatenationUID": "1.5", "InConcatenationTotalNumber": 2, "InConcatenationNumber": 1}
INVERTED = {"ScanningSequence": ["SE", "IR"], "RepetitionTime": 2000, "EchoTime": 12, "InversionTime": 860}
FLAIR = {"ScanningSequence": ["SE", "IR"], "RepetitionTime": 9000, "EchoTime": 110, "InversionTime": 2500}
GRADIENT = {"ScanningSequence": "GR", "RepetitionTime": 22, "EchoTime": 3.9, "FlipAngle": 20}
AGENT = {"ContrastBolusAgent": "Gadobutrol", "SeriesDescription": "sag T1 fs +C", "ScanOptions": "FS"}
KID = {"PatientBirthDate": "20120101", "PatientAge": "008Y", "uid": "1.9"}
EARLIER = {"StudyInstanceUID": "1.8", "StudyDate": "20190101", "uid": "1.8.1"}
TEMPORAL = [{"TemporalPositionIdentifier": n} for n in (1, 2)]

CASES = (
    Case(1, "empty folder", nothing, "no DICOM found in"),
    Case(2, "junk beside the series", junk),
    Case(3, "no preamble, no meta information", bytes_of(bare)),
    Case(4, "one file cut off", part(bytes_of(lambda b: b[:-20], 0), 1, 5), warned="truncated (288 of 308 bytes)"),
    Case(4, "every file cut off", bytes_of(lambda b: b[:-20]), "series 2: pixel data is truncated (288 of 308 bytes)"),
    Case(5, "unknown compression", encapsulated("1.2.840.10008.1.2.4.100"), "series 2: unsupported transfer syntax"),
    Case(5, "no JPEG 2000 within", encapsulated("1.2.840.10008.1.2.4.90"), "pixel data does not begin as JPEG 2000"),
    Case(6, "CT", plain(SOPClassUID="1.2.840.10008.5.1.4.1.1.2"), "no MR image: CT Image Storage"),
    Case(6, "an MR object of Modality CT", plain(Modality="CT"), "Modality CT contradicts the SOP Class"),
    Case(6, "spectroscopy", plain(SOPClassUID="1.2.840.10008.5.1.4.1.1.4.2"), "no MR image: MR Spectroscopy"),
    Case(7, "two Patient IDs", both({}, {"PatientID": "P2", "uid": "1.9"}), "2 patients in one folder"),
    Case(7, "one Patient ID, two birth dates", both({}, KID), "2 patients in one folder"),
    Case(7, "one Patient ID, man and woman", both({}, {"PatientSex": "M", "uid": "1.9"}), "2 patients in one folder"),
    Case(8, "two studies", both({}, EARLIER), warned="2 studies of this patient: the newest is read"),
    Case(9, "a slice missing inside", some(0, 1, 3, 4), warned="slice 3 of 5 is missing; its place is left empty"),
    Case(9, "two slices missing", some(0, 3, 4), "series 2: slice positions are irregular"),
    Case(10, "slices sent twice", both({}, {}, VOXELS), warned="5 exact copies of slices dropped"),
    Case(10, "two images at each place", both({}, {}), "series 2: 2 different images at the position of slice 1"),
    Case(10, "two acquisitions", both({}, {"AcquisitionNumber": 2}), warned="series 2 shows the same contrast"),
    Case(11, "0.2 mm of jitter", moved(0.2, 0)),
    Case(11, "0.3 mm of jitter", moved(0.3, 0), "series 2: slice positions are irregular: steps of 4.10 to 4.70 mm"),
    Case(12, "InstanceNumber reversed", spoiled(lambda k, d: setattr(d, "InstanceNumber", 9 - k))),
    Case(12, "InstanceNumber absent", plain(InstanceNumber=None)),
    *(
        Case(13, f"{keyword} absent", plain(**{keyword: None}), "series 2: no geometry: ")
        for keyword in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing")
    ),
    Case(13, "position missing in one slice", at(1, ImagePositionPatient=None), "Image Position (Patient) is missing"),
    Case(13, "orientation not a number", stated(ImageOrientationPatient="nan\\0\\0\\0\\1\\0"), "Patient) is nan, 0, 0"),
    Case(13, "orientation all zero", stated(ImageOrientationPatient="0\\0\\0\\0\\0\\0"), "not two perpendicular unit"),
    Case(13, "position beyond any room", stated(ImagePositionPatient="1e308\\0\\0"), "(Patient) is 1e+308, 0, 0;"),
    Case(13, "spacing zero", stated(PixelSpacing="0\\0"), "Pixel Spacing is 0, 0; expected two numbers of 0.02 to 20"),
    Case(13, "spacing infinite", stated(PixelSpacing="inf\\inf"), "Pixel Spacing is inf, inf; expected two numbers"),
    Case(13, "spacing negative", stated(PixelSpacing="-0.7\\0.8"), "Pixel Spacing is -0.7, 0.8; expected two numbers"),
    Case(13, "spacing in metres", stated(PixelSpacing="0.0007\\0.0008"), "Pixel Spacing is 0.0007, 0.0008;"),
    Case(13, "spacing is text", stated(PixelSpacing="Secret\\P1"), "Pixel Spacing is no number; expected two numbers"),
    Case(14, "SpacingBetweenSlices holds the gap", plain(SpacingBetweenSlices=0.4), warned="says 0.40 mm, positions"),
    Case(14, "SpacingBetweenSlices negative", plain(SpacingBetweenSlices=-4.4), warned="says -4.40 mm, positions say"),
    Case(15, "gap of 47 %", plain(SliceThickness=3.0), warned="slice gap of 47 % of the slice thickness: volumes are"),
    Case(16, "oblique stack", plain()),
    Case(16, "sheared stack", moved(0.5, 1, growing=True), "(sheared stack, 2.0 mm); expected slices straight behind"),
    Case(17, "sagittal and axial block", two_blocks, warned="axial T1w series are not measured"),
    Case(17, "one slice turned", part(at(0, ImageOrientationPatient=[0, 1, 0, 0, 0, -1]), 1, 5), warned="of this"),
    Case(18, "three planes, one slice each", localizers, "localizer only: numbering possible, no measurement"),
    Case(18, "ImageType LOCALIZER", plain(ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"]), "localizer only: numbering"),
    Case(19, "one slice", some(2), "series 2: a single slice: it can be shown, it is not measured"),
    Case(19, "two slices", some(2, 3), "series 2: only 2 slices; at least 3 are needed"),
    Case(19, "three slices", some(1, 2, 3)),
    Case(20, "enhanced, frames shuffled", enhanced()),
    Case(20, "stacks, echoes and times", stacks),
    Case(20, "no functional groups", enhanced(PerFrameFunctionalGroupsSequence=None), "enhanced MR image without func"),
    Case(20, "groups for fewer frames", fewer_groups, "Number of Frames is 5, functional groups describe 4 frames"),
    Case(20, "more frames than groups", enhanced(NumberOfFrames=9), "Number of Frames is 9, functional groups desc"),
    Case(20, "no shared groups", enhanced(SharedFunctionalGroupsSequence=None), "no geometry: Image Orientation"),
    Case(21, "part of a concatenation", enhanced(**PART), "series 2: part 2 of 2 of a concatenation is missing"),
    Case(22, "mosaic", plain(ImageType=["ORIGINAL", "PRIMARY", "M", "MOSAIC"]), "series 2: Siemens mosaic: many"),
    Case(22, "secondary capture", plain(SOPClassUID="1.2.840.10008.5.1.4.1.1.7"), "no MR image: Secondary Capture"),
    Case(22, "colour screenshot", spoiled(colour), "series 2: colour image, not an MR image"),
    Case(22, "palette colour", plain(PhotometricInterpretation="PALETTE COLOR"), "series 2: colour image, not an MR"),
    Case(22, "MIP", plain(ImageType=["DERIVED", "PRIMARY", "MIP"]), "series 2: a projection (MIP), not a slice"),
    Case(22, "reformat", plain(ImageType=["DERIVED", "SECONDARY", "MPR"]), "series 2: a reformatted view"),
    Case(22, "derived", plain(ImageType=["DERIVED", "SECONDARY", "M"]), "series 2: derived or secondary image"),
    Case(22, "burned-in text", plain(BurnedInAnnotation="YES"), "series 2: text is burned into the image"),
    Case(23, "a slope for each slice", rescaled),
    Case(23, "slope not a number", stated(RescaleSlope="nan"), "series 2: Rescale Slope is nan; expected a number"),
    Case(23, "slope zero", stated(RescaleSlope="0"), "series 2: Rescale Slope is 0; expected a number other than 0"),
    Case(23, "slope beyond all numbers", stated(RescaleSlope="1e300"), "series 2: Rescale Slope is 1e+300;"),
    Case(23, "intercept not a number", stated(RescaleIntercept="x"), "Rescale Intercept is no number; expected"),
    Case(23, "MONOCHROME1", lambda f: (
        series(f, PhotometricInterpretation="MONOCHROME1", BitsStored=12, HighBit=11)[0], 4095 - VOXELS)),
    Case(23, "mixed photometric", at(2, PhotometricInterpretation="MONOCHROME1"), "series 2: slices differ in"),
    Case(23, "signed", lambda f: series(f, voxels=VOXELS.astype(np.int16) - 2000)),
    Case(23, "one slice signed", at(2, PixelRepresentation=1)),
    Case(23, "one slice in 32 bits", spoiled(thirty_two_bits)),
    Case(23, "12 of 16 bits", plain(BitsStored=12, HighBit=11)),
    Case(23, "BitsStored above BitsAllocated", plain(BitsStored=32, HighBit=31), "Bits Allocated 16 with Bits Stored"),
    Case(23, "BitsStored absent", plain(BitsStored=None), "series 2: Bits Stored is missing: the pixels cannot be"),
    Case(23, "floating-point pixels", spoiled(floating), "series 2: pixels are stored as floating-point numbers"),
    Case(23, "padding value within the range", plain(PixelPaddingValue=int(VOXELS[2, 3, 4]))),
    Case(24, "STIR that is called T2", plain(preset="STIR", SeriesDescription="T2_SAG", ProtocolName="L2-S"),
         warned="the name says T2w, the header says STIR"),
    Case(24, "description stripped", plain(preset="STIR", SeriesDescription=None, ProtocolName=None)),
    Case(25, "T1-FLAIR is no STIR", plain(**INVERTED)),
    Case(25, "T2-FLAIR is no STIR", plain(**FLAIR), "series 2: contrast other is not measured (fluid-attenuated"),
    Case(26, "only T1w", plain()),
    Case(27, "T1w after contrast agent", plain(**AGENT)),
    Case(28, "four Dixon images", dixon, warned="contrast Dixon-opposed is not measured"),
    Case(31, "a lumbar station alone", plain(BodyPartExamined="LSPINE")),
    Case(38, "a child", plain(PatientAge="009Y")),
    Case(39, "de-identified", anonymous, warned=""),
    Case(41, "NIfTI", volume()),
    Case(41, "NIfTI without orientation", volume(without=("qform", "sform")), "has neither qform nor sform"),
    Case(41, "compressed with loss", plain(LossyImageCompression="01"), warned="compressed with loss: small signal"),
    Case(42, "zero image", lambda f: series(f, voxels=np.zeros_like(VOXELS)), "all voxels have the same value"),
    Case(42, "constant image", lambda f: series(f, voxels=np.full_like(VOXELS, 700)), "all voxels have the same value"),
    Case(45, "other letters and a long path", long_path),
    *(Case(46, f"PatientPosition {word}", plain(PatientPosition=word)) for word in ("HFP", "FFS", "FFP", "FFDR")),
    Case(0, "big endian", encoded(ExplicitVRBigEndian)),
    Case(0, "implicit VR", encoded(ImplicitVRLittleEndian)),
    Case(0, "deflated", encoded(DeflatedExplicitVRLittleEndian)),
    Case(0, "explicit VR that says implicit", bytes_of(mislabelled)),
    Case(0, "little endian that says big", bytes_of(lambda b: b.replace(b"10008.1.2.1\x00", b"10008.1.2.2\x00")),
         "MR image without Series Instance UID"),
    Case(0, "garbage after the end", bytes_of(lambda b: b + b"\xde\xad\xbe\xef" * 50)),
    Case(0, "zeros after the end", bytes_of(lambda b: b + bytes(1000))),
    Case(0, "text after the end", bytes_of(lambda b: b + b"and so on")),
    Case(0, "SOPInstanceUID the same in all", plain(SOPInstanceUID="1.2.3.4")),
    Case(0, "no StudyInstanceUID", plain(StudyInstanceUID=None)),
    Case(0, "no SeriesInstanceUID", plain(SeriesInstanceUID=None), "MR image without Series Instance UID"),
    Case(0, "no ID of any kind, twice", both(*[
        {"uid": uid, "PatientID": None, "PatientName": None, "StudyInstanceUID": None} for uid in ("1.8", "1.9")]),
         "2 patients in one folder"),
    Case(0, "rows and columns exchanged in one slice", spoiled(turned_matrix), "different matrix sizes (11 x 14"),
    Case(0, "one slice mirrored", part(spoiled(one_mirrored), 0, 2), warned="slice 3 of 5 is missing"),
    Case(0, "two frames of reference", spoiled(every_other_frame), "slices belong to different frames of reference"),
    Case(0, "several frames in a single-frame object", many_frames, "series 2: a single slice"),
    Case(43, "a file that claims eight gigabytes", plain(Rows=65535, Columns=65535), "expected at most 134,217,728"),
    Case(0, "no Rows", plain(Rows=None), "MR header without image (no Rows and Columns)"),
    Case(0, "no pixels but an icon", plain(PixelData=None, IconImageSequence=[item(Rows=1, Columns=2)]),
         "series 2: no pixel data"),
    Case(0, "magnitude and phase in one series", both({}, {"ImageType": ["ORIGINAL", "PRIMARY", "P", "ND"]}),
         warned="phase, real or imaginary image"),
    Case(0, "time of flight", plain(**GRADIENT, AngioFlag="Y"), "angiography: time of flight or phase contrast"),
    Case(0, "angiography by its name", plain(**GRADIENT, SeriesDescription="TOF sag"), "angiography: time of flight"),
    Case(0, "two times in one series", both(TEMPORAL[0], TEMPORAL[1]), warned="series 2 shows the same contrast"),
    Case(0, "an animal", plain(AnatomicalOrientationType="QUADRUPED"), "series 2: an animal: its left, right, front"),
    Case(0, "numbers that are none", stated(InstanceNumber="1e5", AcquisitionNumber="x", EchoTrainLength="?")),
)  # fmt: skip
