"""NIfTI, NRRD, MetaImage and JSON files made to break readers, and lists with names that lead elsewhere."""

from __future__ import annotations

import gzip
import json
import os
import struct
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
import SimpleITK

from spinemri import volume_header
from spinemri.batch.sources import find_sources
from spinemri.clinical import read_clinical
from spinemri.convert import to_sitk
from spinemri.dicom.seg import load_labels
from spinemri.errors import GeometryError, InputError, SeriesError
from spinemri.geometry import Geometry, plausible
from spinemri.pipeline import Options
from spinemri.read import read_volume
from spinemri.review import read_review
from tests.dicom.series_builder import sagittal_geometry, unlike_voxels

if TYPE_CHECKING:
    from pathlib import Path

GRID = replace(sagittal_geometry(), frame_of_reference_uid=None)
VOXELS = unlike_voxels(GRID)
SROW, PIXDIM, DIM, OFFSET, DATATYPE, QFORM_CODE = 280, 76, 40, 108, 70, 252


def written(folder: Path, suffix: str, *, compressed: bool = False) -> Path:
    path = folder / f"a_T2w{suffix}"
    SimpleITK.WriteImage(to_sitk(VOXELS, GRID), str(path), useCompression=compressed)
    return path


def refused(path: Path) -> str:
    with pytest.raises(SeriesError) as error:
        read_volume(path)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan, 1e30])
@pytest.mark.parametrize("at", [SROW, SROW + 20, PIXDIM + 4, 268])
def test_a_nifti_grid_of_no_numbers_is_refused_before_itk_sees_it(tmp_path, value, at):
    """ITK's decomposition of a matrix with an infinity in it never ends."""
    path = written(tmp_path, ".nii")
    content = bytearray(path.read_bytes())
    struct.pack_into("<f", content, at, value)
    path.write_bytes(content)
    assert "lengths or directions that are no numbers" in refused(path)


@pytest.mark.parametrize("value", [np.inf, np.nan, -1e9, 1e30])
def test_a_nifti_offset_that_is_no_number_is_refused(tmp_path, value):
    path = written(tmp_path, ".nii")
    content = bytearray(path.read_bytes())
    struct.pack_into("<f", content, OFFSET, value)
    path.write_bytes(content)
    assert refused(path)


def test_two_statements_of_left_and_right_are_refused_and_a_small_turn_is_not(tmp_path):
    """sform says the mirror image of what qform says: to take either would exchange the sides silently."""
    path = written(tmp_path, ".nii")
    content = path.read_bytes()
    srow = np.frombuffer(content, "<f4", 12, SROW).reshape(3, 4).copy()
    for axis in range(3):
        mirrored = srow.copy()
        mirrored[:, axis] *= -1
        path.write_bytes(content[:SROW] + mirrored.tobytes() + content[SROW + 48 :])
        assert "by its qform and by its sform" in refused(path)
        one = bytearray(path.read_bytes())
        struct.pack_into("<h", one, QFORM_CODE, 0)
        path.write_bytes(one)
        assert np.array_equal(np.sort(read_volume(path).voxels, axis=None), np.sort(VOXELS, axis=None))
    turn = np.radians(10)
    turned = np.array([[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]]) @ srow
    path.write_bytes(content[:SROW] + turned.astype("<f4").tobytes() + content[SROW + 48 :])
    assert read_volume(path).geometry.shape == GRID.shape


@pytest.mark.parametrize(
    ("edit", "told"),
    [
        ((OFFSET, "<f", (0.0,)), "no place in the file"),
        ((OFFSET, "<f", (348.0,)), "no place in the file"),
        ((DATATYPE, "<2h", (16, 32)), "truncated"),
        ((DATATYPE, "<2h", (16, 16)), "of 16 and of 32 bits"),
        ((DATATYPE, "<2h", (2, 16)), "of 16 and of 8 bits"),
        ((DATATYPE, "<2h", (3, 16)), "header is damaged"),
        ((DIM, "<h", (0,)), "header is damaged"),
        ((DIM, "<h", (9,)), "header is damaged"),
        ((DIM + 2, "<h", (-5,)), "header is damaged"),
    ],
)
def test_voxels_that_lie_or_are_otherwise_than_the_header_says_are_refused(tmp_path, capfd, edit, told):
    path = written(tmp_path, ".nii")
    content = bytearray(path.read_bytes())
    at, kind, values = edit
    struct.pack_into(kind, content, at, *values)
    path.write_bytes(content)
    assert told in refused(path)
    assert capfd.readouterr() == ("", "")


def test_nifti_sizes_that_no_memory_holds_are_refused(tmp_path):
    path = written(tmp_path, ".nii")
    content = bytearray(path.read_bytes())
    struct.pack_into("<3h", content, DIM + 2, 32767, 32767, 32767)
    path.write_bytes(content)
    assert "voxels: expected at most 134,217,728" in refused(path)


def test_a_gzipped_bomb_is_not_unpacked_to_its_end(tmp_path, monkeypatch):
    """Behind the voxels lies a gigabyte of nothing; little more than the voxels is read."""
    monkeypatch.setattr(volume_header, "_SLACK", 1 << 20)
    path = written(tmp_path, ".nii")
    with gzip.open(tmp_path / "b_T2w.nii.gz", "wb", compresslevel=9) as stream:
        stream.write(path.read_bytes())
        for _ in range(64):
            stream.write(bytes(1 << 20))
    assert "far more than the" in refused(tmp_path / "b_T2w.nii.gz")


@pytest.mark.parametrize(
    "line",
    [
        "space directions: (" + "1\\" * 3000 + ")", "sizes: 99999999999999999999 2 2", "sizes: 2 2 2\nsizes: 9 9 9",
        "dimension: 65535", "space origin: (1e400,0,0)", "space directions: (inf,0,0) (0,1,0) (0,0,1)", "\x00", "x",
        "type: " + "unsigned " * 200, "data file: /etc/passwd", "data file: ../a.raw", "data file: LIST",
        "data file: slice%03d.raw 1 9 1", "datafile: /dev/zero",
    ],
    ids=lambda line: repr(line[:24]),
)  # fmt: skip
def test_a_nrrd_header_that_is_not_well_formed_never_reaches_itk(tmp_path, line):
    path = written(tmp_path, ".nrrd")
    head, body = path.read_bytes().split(b"\n\n", 1)
    name = line.split(":")[0]
    kept = [one for one in head.decode().split("\n") if not one.startswith(f"{name}:")]
    path.write_bytes("\n".join([*kept, line]).encode() + b"\n\n" + body)
    assert "header" in refused(path) or "voxels" in refused(path)


@pytest.mark.parametrize(
    "line",
    [
        "NDims = 4000", "DimSize = nan 1 1", "ElementSpacing = " + "1 " * 3000, "ObjectType = Tube",
        "DimSize = 1e400 1 1",
        "TransformMatrix = inf 0 0 0 1 0 0 0 1", "Comment = \x07", "novalue",
    ],
    ids=lambda line: repr(line[:24]),
)  # fmt: skip
def test_a_metaimage_header_that_is_not_well_formed_never_reaches_itk(tmp_path, line, capfd):
    path = written(tmp_path, ".mha")
    name = line.split(" ")[0].encode()
    lines = path.read_bytes().split(b"\n")
    at = next((n for n, one in enumerate(lines) if one.startswith(name + b" ")), 1)
    path.write_bytes(b"\n".join([*lines[:at], line.encode(), *lines[at + 1 :]]))
    assert "header is damaged" in refused(path)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    "name", ["/etc/passwd", "../outside.raw", "/dev/zero", "LIST", "a%d.raw 1 3 1", "link.raw", "pipe"]
)
def test_voxels_of_a_metaimage_come_from_beside_it_only(tmp_path, name):
    (tmp_path / "outside.raw").write_bytes(VOXELS.tobytes())
    folder = tmp_path / "study"
    folder.mkdir()
    (folder / "link.raw").symlink_to(tmp_path / "outside.raw")
    os.mkfifo(folder / "pipe")
    path = written(folder, ".mhd")
    assert np.array_equal(np.sort(read_volume(path).voxels, axis=None), np.sort(VOXELS, axis=None))
    path.write_bytes(path.read_bytes().replace(b"a_T2w.raw", name.encode()))
    assert "takes its voxels from elsewhere" in refused(path)


def test_a_file_of_another_kind_is_not_handed_to_another_reader(tmp_path):
    """A picture or a DICOM file under the name of a volume: ITK would find a reader for it."""
    SimpleITK.WriteImage(SimpleITK.Image(8, 8, SimpleITK.sitkUInt8), str(tmp_path / "a.png"))
    for suffix in (".nii", ".nrrd", ".mha"):
        (tmp_path / f"a{suffix}").write_bytes((tmp_path / "a.png").read_bytes())
        assert "header is damaged" in refused(tmp_path / f"a{suffix}")


@pytest.mark.parametrize(
    ("shape", "spacing", "origin", "told"),
    [
        ((513, 512, 512), (1, 1, 1), (0, 0, 0), "513 x 512 x 512 voxels"),
        ((5, 5, 5), (1, 1, 0.01), (0, 0, 0), "voxels of 1 x 1 x 0.01 mm"),
        ((5, 5, 5), (101, 1, 1), (0, 0, 0), "voxels of 101 x 1 x 1 mm"),
        ((5, 5, 400), (1, 1, 8), (0, 0, 0), "a field of 3.2e"),
        ((5, 5, 5), (1, 1, 1), (0, -10_001, 0), "1e\\+04 mm off"),
    ],
)
def test_a_grid_that_no_scanner_makes_is_implausible(shape, spacing, origin, told):
    with pytest.raises(GeometryError, match=told):
        plausible(Geometry(shape, spacing, origin, GRID.direction))


def test_a_large_grid_is_plausible():
    grid = Geometry((512, 512, 512), (1.0, 1.2, 0.9), (-400.0, 300.0, 1500.0), GRID.direction)
    assert plausible(grid) is grid


@pytest.mark.parametrize(
    "text",
    ["[" * 100_000, '{"pain":' * 50_000, '{"primary": ' + "9" * 5000 + "}", '{"primary": "\\ud800"}', "\x00", "NaN",
     '{"primary": NaN}', '{"pain": "' + "A" * 10**6 + '"}', '{"__proto__": {}}', "null", "\ufeff{}"],
    ids=lambda text: repr(text[:16]),
)  # fmt: skip
def test_json_made_to_break_a_reader_is_refused_in_one_line(tmp_path, text):
    path = tmp_path / "said.json"
    path.write_text(text, encoding="utf-8", errors="surrogatepass")
    for read in (read_clinical, read_review):
        try:
            read(path)
        except InputError as error:
            assert "\n" not in str(error)
            assert len(str(error)) < 500
        else:
            assert read is read_clinical
            assert "ud800" in text


@pytest.mark.parametrize("id_", ["../up", "/abs", ".hidden", "a/b", "a\\b", "nul\x00", "A" * 101, "..", "é"])
def test_an_id_of_a_list_names_no_other_folder(tmp_path, id_):
    (tmp_path / "one").mkdir()
    (tmp_path / "list.csv").write_text(f"path,id\none,{id_}\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"an id is made of letters|cannot be read as CSV"):
        find_sources(tmp_path / "list.csv", Options(token_key=b"0" * 16))


@pytest.mark.parametrize("path", ["A" * 5000, "a/" * 3000, "nul\x00byte", "~root/x", "\ud800"])
def test_a_path_of_a_list_that_no_file_can_have_is_the_failure_of_its_row(tmp_path, path):
    text = f"path,labels,labels_from\n{path},{path},verse\n"
    (tmp_path / "list.csv").write_bytes(text.encode(errors="surrogateescape" if "\ud800" not in path else "replace"))
    try:
        (source,) = find_sources(tmp_path / "list.csv", Options(token_key=b"0" * 16))
    except InputError as error:
        assert "cannot be read as CSV" in str(error)
    else:
        assert "no such" in source.fault


def test_a_mask_that_is_a_bomb_is_refused(tmp_path):
    content = bytearray(written(tmp_path, ".nii").read_bytes())
    struct.pack_into("<3h", content, DIM + 2, 30000, 30000, 30000)
    (tmp_path / "seg.nii.gz").write_bytes(gzip.compress(bytes(content)))
    with pytest.raises(InputError, match="expected at most 134,217,728"):
        load_labels(tmp_path / "seg.nii.gz")


def test_a_review_id_is_text_and_nothing_else(tmp_path):
    study = {"study": "x", "software": "s", "version": "1", "created": "2026"}
    said = {"target": "finding", "id": "../../../etc/passwd", "verdict": "reject", "time": "2026-11-23T08:00:00Z"}
    (tmp_path / "r.json").write_text(json.dumps({"analysis": study, "decisions": [said]}))
    assert read_review(tmp_path / "r.json").decisions[0].id == "../../../etc/passwd"
    assert [p.name for p in tmp_path.iterdir()] == ["r.json"]
