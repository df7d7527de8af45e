"""``spinemri analyze`` on files that claim to be huge, or are: refused in one line, in 4 GB and 30 s, nothing written.

Each file is analysed in a process of its own, by the command, and the system says what memory that took at most.
"""

from __future__ import annotations

import gzip
import json
import os
import struct
import subprocess
import sys
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK

from spinemri.convert import to_sitk
from tests.dicom.series_builder import SeriesWriter, sagittal_geometry, unlike_voxels
from tests.dicom.test_hostile import changed, deflated
from tests.test_hostile_volumes import DIM, written

ROOT = Path(__file__).resolve().parents[1]
GRID = sagittal_geometry()
VOXELS = unlike_voxels(GRID)
MOST_BYTES, MOST_S = 4 * 1024**3, 30.0
KIB = 1024  # what the system counts in
GB = 1024**3

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the system counts memory otherwise")


def classic(folder: Path) -> tuple[Path, ...]:
    return tuple(SeriesWriter(folder).classic(GRID, VOXELS))


def deflate_bomb(folder: Path) -> None:
    """4 GB of zeros behind the elements of one file, 4 MB as it is stored."""
    path = classic(folder)[0]
    deflated(path, b"")
    packer = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    start = path.read_bytes()
    head = struct.pack("<HH2sHI", 0x7FE1, 0x0010, b"OB", 0, 0xFFFFFFF0)
    block = packer.compress(head + bytes(1 << 26)) + packer.flush(zlib.Z_FULL_FLUSH)
    again = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    more = again.compress(bytes(1 << 26)) + again.flush(zlib.Z_FULL_FLUSH)
    at = start.index(b"1.2.840.10008.1.2.1.99")
    body = next(n for n in range(at, at + 400) if _unpacks(start[n:]))
    path.write_bytes(start[:body] + block + more * 64)


def _unpacks(packed: bytes) -> bool:
    try:
        return len(zlib.decompressobj(-zlib.MAX_WBITS).decompress(packed)) > 1000
    except zlib.error:
        return False


def gzip_bomb(folder: Path) -> None:
    """8 GB of zeros behind the voxels of a NIfTI file."""
    path = written(folder, ".nii")
    packed = gzip.compress(path.read_bytes()) + gzip.compress(bytes(1 << 27), 1) * 64
    path.unlink()
    (folder / "a_T2w.nii.gz").write_bytes(packed)


def nifti_of_a_claim(folder: Path) -> None:
    path = written(folder, ".nii")
    content = bytearray(path.read_bytes())
    struct.pack_into("<3h", content, DIM + 2, 32767, 32767, 32767)
    path.write_bytes(content)


def nifti_of_zeros(folder: Path) -> None:
    """As many voxels as are read at all, eight bytes each and all alike; a megabyte as it is stored."""
    grid = replace(GRID, shape=(512, 512, 512), spacing=(1.0, 1.0, 1.0), frame_of_reference_uid=None)
    path = folder / "a_T2w.nii"
    SimpleITK.WriteImage(to_sitk(np.zeros((4, 4, 4)), replace(grid, shape=(4, 4, 4))), str(path))
    head = bytearray(path.read_bytes()[:352])
    path.unlink()
    struct.pack_into("<3h", head, DIM + 2, 512, 512, 512)
    (folder / "a_T2w.nii.gz").write_bytes(gzip.compress(bytes(head)) + gzip.compress(bytes(1 << 27), 1) * 8)


def nrrd_bomb(folder: Path) -> None:
    path = written(folder, ".nrrd", compressed=True)
    head, _ = path.read_bytes().split(b"\n\n", 1)
    lines = [line for line in head.split(b"\n") if not line.startswith(b"sizes:")]
    packed = gzip.compress(bytes(1 << 27), 1) * 64
    path.write_bytes(b"\n".join([*lines, b"sizes: 500 500 500"]) + b"\n\n" + packed)


def sizes(folder: Path) -> None:
    changed(folder, Rows=65535, Columns=65535)


def frames(folder: Path) -> None:
    path = SeriesWriter(folder).enhanced(GRID, VOXELS)
    with pydicom.config.disable_value_validation():
        dataset = pydicom.dcmread(path)
        dataset.NumberOfFrames = 2147483647
        dataset.save_as(path)


def private_element(folder: Path) -> None:
    """3.5 GB in an element of a private group, a hole in the file as it is stored; in every slice."""
    for path in classic(folder):
        content = path.read_bytes()
        at = content.index(b"\x28\x00\x02\x00US")
        size = 3 * GB + GB // 2
        element = struct.pack("<HH2sH", 0x0021, 0x0010, b"LO", 4) + b"ZQX "
        element += struct.pack("<HH2sHI", 0x0021, 0x1010, b"OB", 0, size)
        with path.open("wb") as stream:
            stream.write(content[:at] + element)
            stream.seek(size, os.SEEK_CUR)
            stream.write(content[at:])


def pixels_of_a_claim(folder: Path) -> None:
    """Pixel data of 3.5 GB, nearly all of it a hole in the file."""
    for path in classic(folder):
        content = path.read_bytes()
        at = content.index(b"\xe0\x7f\x10\x00OW")
        size = 3 * GB + GB // 2
        with path.open("wb") as stream:
            stream.write(content[:at] + struct.pack("<HH2sHI", 0x7FE0, 0x0010, b"OW", 0, size) + content[at + 12 :])
            stream.truncate(at + 12 + size)


def depth(folder: Path) -> None:
    item, element = b"\xfe\xff\x00\xe0\xff\xff\xff\xff", b"\x20\x00\x13\x91SQ\x00\x00\xff\xff\xff\xff"
    for path in classic(folder):
        content = path.read_bytes()
        at = content.index(b"\x28\x00\x02\x00US")
        path.write_bytes(content[:at] + (element + item) * 1_000_000 + content[at:])


HOSTILE = (
    deflate_bomb,
    gzip_bomb,
    nifti_of_a_claim,
    nifti_of_zeros,
    nrrd_bomb,
    sizes,
    frames,
    private_element,
    pixels_of_a_claim,
    depth,
)


STARTER = """
import json, os, sys
nothing = (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)
_, status, used = os.wait4(os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ, file_actions=[nothing]), 0)
print(json.dumps([os.waitstatus_to_exitcode(status), used.ru_maxrss, used.ru_utime + used.ru_stime]))
"""


def analysed(*arguments: object) -> tuple[int, str, int, float]:
    """Exit code, what was told, bytes of memory that the process took at most, and its seconds on a processor.

    A small process starts the command: the system counts the memory of the one that starts a process with it.
    """
    line = [sys.executable, "-c", "from spinemri.cli import main; main()", "analyze", *map(str, arguments)]
    done = subprocess.run([sys.executable, "-S", "-c", STARTER, *line], capture_output=True, cwd=ROOT, check=True)
    code, most, seconds = json.loads(done.stdout)
    return code, done.stderr.decode(), most * KIB, seconds


@pytest.mark.parametrize("make", HOSTILE, ids=lambda make: make.__name__)
def test_a_hostile_file_is_refused_in_4_gb_and_30_s(tmp_path, make):
    folder = tmp_path / "study"
    folder.mkdir()
    make(folder)
    code, told, memory, seconds = analysed(folder, "-o", tmp_path / "out", "--token-key", tmp_path / "key")
    assert (memory <= MOST_BYTES, seconds <= MOST_S) == (True, True), (memory, seconds)
    assert code in (0, 2), told
    assert code == 0 or told.strip().count("\n") == 0, told
    assert (tmp_path / "out").exists() is (code == 0)


@pytest.mark.parametrize("option", ["--clinical", "--review"])
@pytest.mark.parametrize("kind", ["3 GB", "no end", "a folder"])
def test_a_text_file_that_is_none_is_refused_before_it_is_read(tmp_path, option, kind):
    classic(tmp_path / "study")
    path = Path("/dev/zero") if kind == "no end" else tmp_path / "said.json"
    if kind == "a folder":
        path.mkdir()
    elif kind == "3 GB":
        with path.open("wb") as stream:
            stream.truncate(3 * GB)
    given = ("-o", tmp_path / "out", "--token-key", tmp_path / "key", option, path)
    code, told, memory, _ = analysed(tmp_path / "study", *given)
    assert (code, memory < GB) == (2, True), (told, memory)
    assert "file" in told
    assert path.name in told


def test_a_key_without_end_is_refused(tmp_path):
    given = ("-o", tmp_path / "out", "--token-key", "/dev/zero")
    code, told, memory, _ = analysed(classic(tmp_path / "study")[0].parent, *given)
    assert (code, memory < GB) == (2, True), (told, memory)
    assert "token key zero: more than 4096 bytes" in told


def test_the_count_of_memory_counts(tmp_path):
    """A process that takes a gigabyte is seen to."""
    code = "x = bytearray(1 << 30); x[::4096] = b'1' * len(x[::4096])"
    process = subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert (process.returncode, used.ru_maxrss * KIB > GB) == (0, True)


def test_the_memory_of_the_tests_themselves_is_not_counted(tmp_path):
    mine = bytearray(1 << 30)
    mine[::4096] = b"1" * len(mine[::4096])
    _, _, memory, _ = analysed(tmp_path / "nothing here", "-o", tmp_path / "out")
    assert memory < GB
