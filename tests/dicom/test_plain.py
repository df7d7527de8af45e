"""The quick way to read ordinary files says what pydicom says, of whole and of damaged ones, or leaves them to it."""

from __future__ import annotations

import io
import struct
from typing import TYPE_CHECKING

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import ImplicitVRLittleEndian

from spinemri.dicom.files import read_dicom
from spinemri.dicom.frames import FrameDecoder
from spinemri.dicom.headers import KEPT, frames_of, read_header
from spinemri.dicom.load import load
from spinemri.dicom.pixels import decode
from spinemri.dicom.plain import HEAD_BYTES, UnusualError, plain_header
from spinemri.dicom.scan import scan
from spinemri.dicom.shelf import Shelf
from spinemri.dicom.values import READ_ERRORS, lenient
from spinemri.geometry import MAX_VOXELS
from tests.dicom.catalogue import CASES
from tests.dicom.series_builder import SeriesWriter, item, sagittal_geometry, unlike_voxels
from tests.fuzz.mutate import bytes_changed, elements_changed

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from spinemri.dicom.facts import Frame

GRID = sagittal_geometry(3)
VOXELS = unlike_voxels(GRID)


def quick_frames(path: Path) -> list[Frame] | None:
    """What the quick way says of a file; None when it leaves it to pydicom."""
    with io.FileIO(str(path)) as stream:
        try:
            return frames_of(plain_header(stream.read(HEAD_BYTES), stream, KEPT), path)
        except UnusualError:
            return None


def quick(path: Path) -> tuple[bool, bool]:
    """Whether header and pixels of a file are read the quick way; both must then be what pydicom makes of them."""
    frames = quick_frames(path)
    if frames is not None:
        assert frames == frames_of(read_header(path), path)
    try:
        frame, pixels = Shelf(1).read(path, MAX_VOXELS)
    except UnusualError:
        return frames is not None, False
    with lenient():
        dataset = read_dicom(path, force=True)
        assert [frame] == frames_of(dataset, path, whole=False)
        decoded = decode(dataset, None, FrameDecoder())
    assert isinstance(decoded, np.ndarray)
    assert decoded.dtype == pixels.dtype
    assert np.array_equal(decoded, pixels)
    return frames is not None, True


def ordinary(folder: Path, edit: Callable[[int, Dataset], None] | None = None) -> Path:
    return SeriesWriter(folder, edit=edit).classic(GRID, VOXELS)[1]


def test_hard_cases_are_read_as_pydicom_reads_them_and_most_of_them_quickly(tmp_path):
    found = []
    for n, case in enumerate(CASES):
        (folder := tmp_path / str(n)).mkdir()
        with lenient():
            case.make(folder)
        found += [quick(path) for path in folder.rglob("*") if path.is_file()]
    headers, pixels = np.sum(found, axis=0)
    assert headers > pixels > len(found) / 2


def with_sequences(_: int, dataset: Dataset) -> None:
    """Sequences of undefined length within each other, empty items among them."""
    inner = item(ReferencedSOPInstanceUID="1.2.3", ReferencedImageSequence=[Dataset(), Dataset()])
    outer = item(ReferencedSOPClassUID="1.2", ReferencedSeriesSequence=[inner, Dataset()])
    for one in (inner, outer):
        one.is_undefined_length_sequence_item = True
    dataset.ReferencedStudySequence, dataset.ProcedureCodeSequence = [outer, Dataset()], [inner]
    dataset["ReferencedStudySequence"].is_undefined_length = True
    inner["ReferencedImageSequence"].is_undefined_length = True


def made_implicit(path: Path) -> None:
    dataset = pydicom.dcmread(path)
    dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    pydicom.dcmwrite(path, dataset, implicit_vr=True, little_endian=True)


@pytest.mark.parametrize("syntax", ["explicit", "implicit"])
@pytest.mark.parametrize("damage", [bytes_changed, elements_changed])
def test_damaged_files_are_read_as_pydicom_reads_them(syntax, damage, tmp_path):
    path = ordinary(tmp_path, with_sequences)
    if syntax == "implicit":
        made_implicit(path)
    assert quick(path) == (True, True)
    assert b"\xfe\xff\xdd\xe0" in path.read_bytes()  # the end of a sequence of undefined length
    content, rng = path.read_bytes(), np.random.default_rng(7)
    found = []
    for _ in range(800):
        try:
            with lenient():
                path.write_bytes(damage(rng, content, content))
        except READ_ERRORS:  # damage that cannot be written
            continue
        found.append(quick(path))
    assert (False, False) in found
    assert found.count((True, True)) > 40


@pytest.mark.parametrize("depth", [5, 9, 100_000])
def test_only_so_many_sequences_within_each_other_are_read_quickly(depth, tmp_path):
    begin = struct.pack("<HH2sHLHHL", 0x0008, 0x1110, b"SQ", 0, 0xFFFFFFFF, 0xFFFE, 0xE000, 0xFFFFFFFF)
    end = struct.pack("<HHLHHL", 0xFFFE, 0xE00D, 0, 0xFFFE, 0xE0DD, 0)
    path = ordinary(tmp_path)
    content = path.read_bytes()
    at = content.index(struct.pack("<HH2s", 0x0010, 0x0010, b"PN"))
    path.write_bytes(content[:at] + begin * depth + end * depth + content[at:])
    assert (quick_frames(path) is not None) == (depth < 9)


def test_a_sequence_that_is_asked_for_is_left_to_pydicom(tmp_path):
    path = ordinary(tmp_path, lambda _, dataset: setattr(dataset, "ContrastBolusAgentSequence", [item(CodeValue="1")]))
    assert quick_frames(path) is None
    assert frames_of(read_header(path), path)[0].sequence.agent


def test_a_long_header_is_read_on(tmp_path):
    def edit(_: int, dataset: Dataset) -> None:
        dataset.private_block(0x0029, "SIEMENS CSA HEADER", create=True).add_new(0x10, "OB", bytes(150_000))

    assert quick(ordinary(tmp_path, edit)) == (True, True)


@pytest.mark.parametrize(
    ("keyword", "before", "after"),
    [
        ("PatientID", "Juergen", b"J\xfcrgen1"),
        ("SpecificCharacterSet", "ISO_IR 192", b"ISO_IR 144"),
        ("SeriesDescription", "T2 sag", b"T2\nsag"),
        ("RepetitionTime", "12345", b"1_000"),
        ("EchoTime", "12.5", b"12,5"),
        ("InstanceNumber", "175", b"1.5"),
        ("SOPClassUID", "1.2.840.10008.5.1.4.1.1.4", b"1.2.840.10008.5.1.4.1.1.2"),
    ],
)
def test_an_unusual_value_is_left_to_pydicom(keyword, before, after, tmp_path):
    path = ordinary(tmp_path, lambda _, dataset: setattr(dataset, keyword, before))
    assert quick(path) == (True, True)
    content = path.read_bytes()
    path.write_bytes(content.replace(before.encode(), after))
    assert quick_frames(path) is None
    quick(path)


@pytest.mark.parametrize(
    ("header", "values"),
    [
        (True, {"BitsStored": 12, "HighBit": 12}),
        (True, {"BitsAllocated": 8}),
        (True, {"NumberOfFrames": 2}),
        (True, {"Rows": 13}),
        (True, {"PhotometricInterpretation": "PALETTE COLOR"}),
    ],
)
def test_pixels_stored_in_another_way_are_left_to_pydicom(header, values, tmp_path):
    def edit(_: int, dataset: Dataset) -> None:
        for keyword, value in values.items():
            setattr(dataset, keyword, value)

    assert quick(ordinary(tmp_path, edit)) == (header, False)


def test_what_follows_the_pixels_is_left_to_pydicom(tmp_path):
    path = ordinary(tmp_path)
    path.write_bytes(path.read_bytes() + b"\0")
    assert quick(path) == (True, False)


@pytest.mark.parametrize("signed", [False, True])
def test_bits_above_those_stored_are_removed(signed, tmp_path):
    def edit(_: int, dataset: Dataset) -> None:
        dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 10, 9, int(signed)

    path = ordinary(tmp_path, edit)
    assert quick(path) == (True, True)
    assert np.ptp(Shelf(1).read(path, MAX_VOXELS)[1]) < 1 << 10


def test_slices_lie_in_one_array_when_they_are_all_there_in_their_order(tmp_path):
    paths = SeriesWriter(tmp_path).classic(GRID, VOXELS)
    shelf = Shelf(3)
    slices = [shelf.read(path, MAX_VOXELS)[1] for path in paths]
    assert np.array_equal(shelf.volume(slices), VOXELS)
    assert shelf.volume(slices[::-1]) is None
    assert shelf.volume(slices[:2]) is None
    assert shelf.volume([*slices[:2], slices[2].copy()]) is None


def test_a_slice_unlike_the_first_gets_an_array_of_its_own(tmp_path):
    other = np.arange(3 * 4 * 5, dtype=np.int16).reshape(3, 4, 5)
    paths = [SeriesWriter(tmp_path / str(n)).classic(GRID, voxels)[0] for n, voxels in enumerate((VOXELS, other))]
    shelf = Shelf(2)
    slices = [shelf.read(path, MAX_VOXELS)[1] for path in paths]
    assert np.array_equal(slices[1], other[0])
    assert shelf.volume(slices) is None


def test_more_pixels_than_may_be_read_are_left_to_who_refuses_them(tmp_path):
    path = ordinary(tmp_path)
    with pytest.raises(UnusualError):
        Shelf(1).read(path, VOXELS[0].size - 1)
    assert Shelf(MAX_VOXELS).read(path, VOXELS[0].size)[1].base is None


@pytest.mark.parametrize("order", [[0, 1, 2], [2, 0, 1]])
def test_a_series_is_the_same_in_any_order_of_its_files(order, tmp_path):
    SeriesWriter(tmp_path).classic(GRID, VOXELS, order)
    (series,) = scan(tmp_path).studies[0].series
    assert np.array_equal(load(series).voxels, VOXELS)
    backwards = series.model_copy(update={"files": series.files[::-1]})
    assert np.array_equal(load(backwards).voxels, VOXELS)


def test_a_value_too_long_to_be_a_number_spoils_its_own_file_only(tmp_path):
    SeriesWriter(tmp_path / "good").classic(GRID, VOXELS)
    odd = ordinary(tmp_path / "odd", lambda _, dataset: setattr(dataset, "PatientAge", "033Y"))
    content = odd.read_bytes()
    at = content.index(b"\x10\x00\x10\x10AS\x04\x00033Y")
    odd.write_bytes(content[: at + 6] + struct.pack("<H", 5000) + b"9" * 4999 + b"Y" + content[at + 12 :])
    for other in odd.parent.iterdir():
        if other != odd:
            other.unlink()
    found = scan(tmp_path)
    assert [len(one.files) for study in found.studies for one in study.series] == [len(VOXELS)]
