"""DICOM made to break readers: bombs, absurd sizes and positions, depth, control characters. All of it is refused."""

from __future__ import annotations

import io
import os
import socket
import struct
import tracemalloc
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pydicom
import pytest
from pydicom.encaps import encapsulate
from pydicom.uid import DeflatedExplicitVRLittleEndian, JPEGLosslessSV1, RLELossless

from spinemri.dicom import files, frames
from spinemri.dicom.choose import choose_study
from spinemri.dicom.load import load
from spinemri.dicom.scan import scan
from spinemri.dicom.study import load_study
from spinemri.dicom.values import lenient
from spinemri.errors import InputError, SeriesError, SpineMRIError
from tests.dicom.series_builder import SeriesWriter, sagittal_geometry, unlike_voxels
from tests.dicom.test_load import to_jpeg_lossless

if TYPE_CHECKING:
    from collections.abc import Callable

GRID = sagittal_geometry()
VOXELS = unlike_voxels(GRID)


def silent(stage: str, done: int, total: int) -> None:
    """Progress that nobody watches."""


def why(folder: Path) -> str:
    """Why a study is refused, as ``analyze`` says it: one line."""
    with pytest.raises(SpineMRIError) as refusal:
        load_study(folder, None, None, silent)
    assert "\n" not in str(refusal.value)
    return str(refusal.value)


def changed(folder: Path, **values: object) -> None:
    """A series with an attribute that the writer of the series itself would not accept."""
    for path in SeriesWriter(folder).classic(GRID, VOXELS):
        with pydicom.config.disable_value_validation():
            dataset = pydicom.dcmread(path)
            for keyword, value in values.items():
                dataset.add_new(keyword, pydicom.datadict.dictionary_VR(keyword), value)
            dataset.save_as(path)


def raw_text(path: Path, keyword: str, value: bytes) -> None:
    """The bytes of an element as they are, whatever its VR allows."""
    dataset = pydicom.dcmread(path)
    tag = pydicom.tag.Tag(keyword)
    padded = value + b" " * (len(value) % 2)
    dataset._dict[tag] = pydicom.dataelem.RawDataElement(
        tag, pydicom.datadict.dictionary_VR(tag), len(padded), padded, 0, is_implicit_VR=False, is_little_endian=True
    )
    with lenient():
        dataset.save_as(path)


def deflated(path: Path, more: bytes) -> None:
    """The file as a deflated object with something behind its elements."""
    dataset = pydicom.dcmread(path)
    dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    out = io.BytesIO()
    pydicom.dcmwrite(out, dataset, implicit_vr=False, little_endian=True)
    whole = out.getvalue()
    start = next(n for n in range(200, len(whole)) if unpacks(whole[n:]))
    inside = zlib.decompressobj(-zlib.MAX_WBITS).decompress(whole[start:])
    packer = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    path.write_bytes(whole[:start] + packer.compress(inside + more) + packer.flush())


def unpacks(packed: bytes) -> bool:
    try:
        return len(zlib.decompressobj(-zlib.MAX_WBITS).decompress(packed)) > 1000
    except zlib.error:
        return False


def test_a_deflated_object_that_unpacks_to_gigabytes_is_skipped(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "MAX_UNPACKED", 1 << 20)
    paths = SeriesWriter(tmp_path).classic(GRID, VOXELS)
    for path in paths:
        deflated(path, b"")
    assert load(scan(tmp_path).studies[0].series[0]).geometry.shape == GRID.shape
    deflated(paths[0], struct.pack("<HH2sHI", 0x7FE1, 0x0010, b"OB", 0, 1 << 21) + bytes(1 << 21))
    (skipped,) = scan(tmp_path).skipped
    assert skipped.reason == "damaged DICOM header (OversizedError)"


def test_a_deflated_object_is_never_unpacked_at_once(tmp_path, monkeypatch):
    """4 GB in 4 MB: what counts them holds a megabyte at a time."""
    packed = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    block = packed.compress(bytes(1 << 26)) + packed.flush(zlib.Z_FULL_FLUSH)
    monkeypatch.setattr(files, "MAX_UNPACKED", 1 << 25)
    tracemalloc.start()
    try:
        with pytest.raises(files.OversizedError, match="32 MB once unpacked"):
            files._check_unpacked(block)
        assert tracemalloc.get_traced_memory()[1] < 1 << 23
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("syntax", [RLELossless, JPEGLosslessSV1])
def test_a_stream_that_is_not_of_the_size_of_its_header_is_refused(tmp_path, syntax):
    for path in SeriesWriter(tmp_path).classic(GRID, VOXELS):
        if syntax == RLELossless:
            dataset = pydicom.dcmread(path)
            dataset.compress(RLELossless, generate_instance_uid=False)
            dataset.save_as(path)
        else:
            to_jpeg_lossless(path)
        dataset = pydicom.dcmread(path)
        dataset.Rows, dataset.Columns = 60000, 60000
        dataset.save_as(path)
    assert "5 x 60000 x 60000 voxels: expected at most 134,217,728" in why(tmp_path)
    with pytest.raises(SeriesError, match="more than 134,217,728 pixels; no MR series is as large"):
        load(scan(tmp_path).studies[0].series[0])


def test_a_stream_that_kills_its_decoder_costs_its_slice_and_no_more(tmp_path):
    """GDCM ends the process over a stream that is shorter than it says; a good series is read after it."""
    paths = SeriesWriter(tmp_path / "bad").classic(GRID, VOXELS)
    for path in paths:
        to_jpeg_lossless(path)
    good = SeriesWriter(tmp_path / "good", series="1.2.3", number=3)
    for path in good.classic(GRID, VOXELS):
        to_jpeg_lossless(path)
    for path in paths:
        dataset = pydicom.dcmread(path)
        dataset.Rows, dataset.Columns = 500, 500
        dataset.save_as(path)
    bad, fine = scan(tmp_path).studies[0].series
    with pytest.raises(SeriesError, match="cannot be decoded"):
        load(bad)
    assert np.array_equal(np.sort(load(fine).voxels, axis=None), np.sort(VOXELS, axis=None))


def test_a_decoder_that_does_not_answer_is_ended(tmp_path, monkeypatch):
    monkeypatch.setattr(frames, "_COMMAND", "import time; time.sleep(60)")
    monkeypatch.setattr(frames, "_LIMIT_S", 0.2)
    monkeypatch.setattr(frames, "_decoder_of", lambda _: frames._Decoder())
    for path in SeriesWriter(tmp_path).classic(GRID, VOXELS):
        to_jpeg_lossless(path)
    assert "cannot be decoded" in why(tmp_path)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"Rows": 65535, "Columns": 65535}, "5 x 65535 x 65535 voxels: expected at most 134,217,728"),
        ({"Rows": 0}, "no Rows and Columns"),
        ({"NumberOfFrames": "2147483647"}, "several frames in a single-frame object"),
        ({"BitsAllocated": 65535}, "pixel data"),
        ({"BitsStored": 0}, "Bits Allocated|pixel data|same value"),
        ({"BitsStored": 65535}, "Bits Allocated 16 with Bits Stored 65535"),
        ({"BitsStored": 12, "HighBit": 65535}, "High Bit 65535 with Bits Stored 12"),
        ({"BitsStored": 12, "HighBit": 3}, "High Bit 3"),
        ({"PixelSpacing": ["0", "0"]}, "Pixel Spacing is "),
        ({"PixelSpacing": ["-1", "-1"]}, "Pixel Spacing is "),
        ({"PixelSpacing": ["NaN", "NaN"]}, "Pixel Spacing is "),
        ({"PixelSpacing": ["inf", "1"]}, "Pixel Spacing is "),
        ({"PixelSpacing": ["1e-30", "1e-30"]}, "Pixel Spacing is 1e-30, 1e-30"),
        ({"PixelSpacing": ["1e30", "1e30"]}, r"Pixel Spacing is 1e\+30, 1e\+30"),
        ({"PixelSpacing": ["90", "300"]}, "Pixel Spacing is 90, 300"),
        ({"ImagePositionPatient": ["NaN", "NaN", "NaN"]}, r"Image Position \(Patient\) is "),
        ({"ImagePositionPatient": ["1e300", "1e300", "1e300"]}, "mm|several|different images"),
        ({"ImageOrientationPatient": ["0"] * 6}, "not two perpendicular unit vectors"),
        ({"ImageOrientationPatient": ["NaN"] * 6}, r"Image Orientation \(Patient\) is "),
        ({"RescaleSlope": "1e308", "RescaleIntercept": "0"}, "Rescale Slope is "),
        ({"RescaleSlope": "NaN", "RescaleIntercept": "inf"}, "Rescale Slope is "),
    ],
    ids=str,
)
def test_impossible_numbers_are_refused(tmp_path, values, reason):
    changed(tmp_path, **values)
    with pytest.raises(SpineMRIError, match=reason):
        load_study(tmp_path, None, None, silent)


def test_more_frames_than_any_series_has_are_skipped(tmp_path, monkeypatch):
    monkeypatch.setattr("spinemri.dicom.scan._MAX_FRAMES", 4)
    SeriesWriter(tmp_path).enhanced(GRID, VOXELS)
    assert [s.reason for s in scan(tmp_path).skipped] == ["more than 4 frames in one file"]


@pytest.mark.parametrize("depth", [10, 3_000, 100_000])
def test_sequences_within_sequences_end(tmp_path, depth):
    item, element = b"\xfe\xff\x00\xe0\xff\xff\xff\xff", b"\x20\x00\x13\x91SQ\x00\x00\xff\xff\xff\xff"
    paths = SeriesWriter(tmp_path).classic(GRID, VOXELS)
    content = paths[0].read_bytes()
    at = content.index(b"\x28\x00\x02\x00US")
    nested = element + (item + element) * depth + b"\xfe\xff\xdd\xe0\x00\x00\x00\x00" * 2
    paths[0].write_bytes(content[:at] + nested + content[at:])
    inventory = scan(tmp_path)
    assert inventory.files_seen == len(paths)
    assert sum(len(s.files) for study in inventory.studies for s in study.series) >= len(paths) - 1


@pytest.mark.parametrize(
    "value",
    [
        b"\x00", b"sag\x00T1", b"\x1b[31mred\x1b[0m", b"\r\nerror: none\n", b"../../../etc/passwd", b"\xff\xfe\xfd",
        b"[bold]x[/bold][/]", b"A" * 60_000, "脊椎 Wirbelsäule".encode(), b"{{ 7 * 7 }}", b"\xed\xa0\x80",
    ],
    ids=lambda value: repr(value[:12]),
)  # fmt: skip
@pytest.mark.parametrize("charset", [b"ISO_IR 100", b"ISO_IR 999", b"\\ISO 2022 IR 87", b"\x00"])
def test_any_text_can_stand_in_a_header(tmp_path, value, charset):
    for path in SeriesWriter(tmp_path).classic(GRID, VOXELS):
        for keyword in ("SeriesDescription", "ProtocolName", "PatientName", "StudyDate", "BodyPartExamined"):
            raw_text(path, keyword, value if keyword != "StudyDate" else value[:64])
        raw_text(path, "SpecificCharacterSet", charset)
    study, _ = choose_study(scan(tmp_path))
    image = load(study.series[0])
    assert image.geometry.shape == GRID.shape
    image.series.model_dump_json()


def test_uids_do_not_name_files(tmp_path):
    for path in SeriesWriter(tmp_path / "study").classic(GRID, VOXELS):
        for keyword in ("SeriesInstanceUID", "StudyInstanceUID", "FrameOfReferenceUID", "SOPInstanceUID"):
            raw_text(path, keyword, b"../../../../tmp/outside")
    before = sorted(tmp_path.rglob("*"))
    assert load_study(tmp_path / "study", None, None, silent).images[0].geometry.shape == GRID.shape
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.skipif(os.name != "posix", reason="no such files on this system")
def test_pipes_sockets_devices_and_loops_are_walked_past(tmp_path):
    SeriesWriter(tmp_path / "study").classic(GRID, VOXELS)
    os.mkfifo(tmp_path / "pipe")
    os.mkfifo(tmp_path / "pipe.nii.gz")
    (tmp_path / "zero").symlink_to("/dev/zero")
    (tmp_path / "zero.nrrd").symlink_to("/dev/full")
    (tmp_path / "self").symlink_to("self")
    (tmp_path / "study" / "up").symlink_to(tmp_path)
    (tmp_path / "gone.nii").symlink_to("nowhere")
    with socket.socket(socket.AF_UNIX) as plug:
        here = Path.cwd()
        os.chdir(tmp_path)  # the name of a socket is short
        try:
            plug.bind("socket")
        finally:
            os.chdir(here)
        inventory = scan(tmp_path)
    assert len(inventory.studies[0].series[0].files) == GRID.shape[0]
    reasons = {skipped.path: skipped.reason for skipped in inventory.skipped}
    for name in ("pipe", "pipe.nii.gz", "zero", "zero.nrrd", "self", "gone.nii", "socket"):
        assert reasons[name].startswith(("not a readable file", "cannot be read")), name


def test_a_deep_path_of_other_letters_is_read(tmp_path):
    """4,096 characters at most for a path on Linux; one that is longer cannot be opened by any program."""
    here = tmp_path
    while len(os.fsencode(here)) < 3_700:
        here = here / ("Wirbelsäule 脊椎 " * 6).strip()
    SeriesWriter(here).classic(GRID, VOXELS)
    study, _ = choose_study(scan(tmp_path))
    assert load(study.series[0]).geometry.shape == GRID.shape


def test_what_is_no_image_of_a_person_is_told_in_one_line(tmp_path):
    (tmp_path / "x").write_bytes(bytes(128) + b"DICM" + bytes(range(256)) * 40)
    with pytest.raises(InputError):
        choose_study(scan(tmp_path))


def test_encapsulated_pixels_without_a_frame_are_refused(tmp_path):
    for path in SeriesWriter(tmp_path).classic(GRID, VOXELS):
        dataset = pydicom.dcmread(path)
        dataset.file_meta.TransferSyntaxUID = RLELossless
        dataset.PixelData = encapsulate([b"\x00" * 64])
        dataset["PixelData"].VR, dataset["PixelData"].is_undefined_length = "OB", True
        dataset.save_as(path)
    assert "cannot be decoded" in why(tmp_path)


def edited(path: Path, change: Callable[[pydicom.Dataset], None]) -> None:
    dataset = pydicom.dcmread(path)
    change(dataset)
    dataset.save_as(path)


def test_pixels_of_a_larger_image_are_not_cut_to_a_smaller_one(tmp_path):
    """Rows says half of what is stored: the upper half alone would be a good image of half a spine."""
    for path in SeriesWriter(tmp_path).classic(GRID, VOXELS):
        edited(path, lambda dataset: setattr(dataset, "Rows", dataset.Rows // 2))
    assert "pixel data is too long" in why(tmp_path)


def test_a_slice_of_one_value_between_others_counts_as_missing(tmp_path):
    paths = SeriesWriter(tmp_path).classic(GRID, VOXELS)
    edited(paths[0], lambda dataset: setattr(dataset, "PixelData", bytes(len(dataset.PixelData))))
    assert load(scan(tmp_path).studies[0].series[0]).missing_slices == ()
    edited(paths[2], lambda dataset: setattr(dataset, "PixelData", bytes(len(dataset.PixelData))))
    image = load(scan(tmp_path).studies[0].series[0])
    assert image.missing_slices == (2,)
    assert f"slice 3 of {len(paths)}: all its pixels have the same value; left empty" in image.warnings


def test_slices_that_wrap_round_because_their_sign_differs_are_refused(tmp_path):
    """The high bit of half of the slices would be read as a minus."""
    paths = SeriesWriter(tmp_path).classic(GRID, VOXELS)
    top = 1 << (pydicom.dcmread(paths[0]).BitsStored - 1)

    def bright(dataset: pydicom.Dataset) -> None:
        pixels = dataset.pixel_array.copy()
        pixels[0, 0] = top
        dataset.PixelData = pixels.tobytes()

    for n, path in enumerate(paths):
        edited(path, bright)
        edited(path, lambda dataset, n=n: setattr(dataset, "PixelRepresentation", n % 2))
    assert "slices differ in Pixel Representation" in why(tmp_path)
