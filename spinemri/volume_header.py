"""What the header of a volume file says that ITK does not tell: spacings of zero, missing voxels, voxels elsewhere.

ITK turns a spacing of zero into 1 mm, fills a NIfTI file that is too short with zeros, and opens whatever file the
header of a NRRD or MetaImage file names. None of that is an image that somebody made. A header that is not well
formed never reaches it: its readers in C write past their buffers then.
"""

from __future__ import annotations

import gzip
import math
import re
import struct
import zlib
from typing import TYPE_CHECKING

from spinemri.errors import SeriesError

if TYPE_CHECKING:
    import io
    from collections.abc import Sequence
    from pathlib import Path

_NIFTI1, _NIFTI2 = 348, 540  # sizes of the two headers
_TEXT_HEADER = 1 << 20
_MOST = 1e9  # of a size or a length in mm; readers in C never end over infinite ones
_FARTHEST_BYTE = 2**40
_SLACK = 1 << 26  # bytes behind the voxels: extensions that somebody appended
_WORDS, _VALUE = re.compile(rb"[A-Za-z][A-Za-z0-9_ ]{0,60}"), re.compile(rb"[\t\x20-\x7e]{0,600}")
_LIST = re.compile(r"(?:[-+0-9.eE(), ]|none|nan)*")
_NUMBERS = frozenset(
    [
        "dimension",
        "sizes",
        "spacings",
        "spacedirections",
        "spaceorigin",
        "spacedimension",
        "ndims",
        "dimsize",
        "offset",
        "position",
        "origin",
        "transformmatrix",
        "rotation",
        "orientation",
        "centerofrotation",
        "elementspacing",
        "elementsize",
    ]
)
_BAD_HEADER = "the volume cannot be read: the header is damaged"
_BITS = dict(
    zip(
        (2, 4, 8, 16, 32, 64, 128, 256, 512, 768, 1024, 1280, 1536, 1792, 2048, 2304),
        (8, 16, 32, 32, 64, 64, 24, 8, 16, 32, 64, 64, 128, 128, 256, 32),
        strict=True,
    )
)
"""Bits of a voxel by NIfTI's datatype."""
_DAMAGED = "the voxels cannot be read (truncated or damaged file)"


def check_text_header(path: Path) -> None:
    """Refuse the header of a NRRD or MetaImage file that is not well formed, before a library in C++ reads it.

    Raises
    ------
    SeriesError
        A line is overlong, no text or no 'name: value'; a name stands there twice; a list of numbers is none; or the
        voxels are taken from a path, a list or a pattern of files, or from what is no regular file beside the header.
    """
    kind = path.suffix.lower()
    if kind not in {".nrrd", ".mha", ".mhd"}:
        return
    try:
        with path.open("rb") as stream:
            head = stream.read(_TEXT_HEADER)
    except OSError as error:
        raise SeriesError(_BAD_HEADER) from error
    fields = _nrrd_fields(head) if kind == ".nrrd" else _meta_fields(head)
    name = fields.get("datafile", fields.get("elementdatafile", "LOCAL" if kind == ".nrrd" else ""))
    if name.upper() == "LOCAL" and (kind != ".nrrd" or "datafile" not in fields):
        return
    if not _plain(name) or not (path.parent / name).is_file() or (path.parent / name).is_symlink():
        raise SeriesError("the header takes its voxels from elsewhere; expected them in the file or one beside it")


def _nrrd_fields(head: bytes) -> dict[str, str]:
    """Fields up to the empty line, names in small letters without spaces."""
    first, *lines = re.split(rb"\r?\n", re.split(rb"\r?\n\r?\n", head, maxsplit=1)[0])
    if not re.fullmatch(rb"NRRD000[1-5]", first):
        raise SeriesError(_BAD_HEADER)
    told = [line for line in lines if line and not line.startswith(b"#") and b":=" not in line]
    if any(b"\0" in line for line in lines):
        raise SeriesError(_BAD_HEADER)
    return _fields(told, b":")


def _meta_fields(head: bytes) -> dict[str, str]:
    """Fields up to ElementDataFile, which is the last, names in small letters."""
    lines: list[bytes] = []
    for line in re.split(rb"\r?\n", head):
        lines.append(line)
        if re.match(rb"\s*ElementDataFile\s*=", line, re.IGNORECASE):
            break
    fields = _fields([line for line in lines if line.strip()], b"=")
    if fields.get("ndims", "3") not in {"2", "3", "4"} or fields.get("objecttype", "Image") != "Image":
        raise SeriesError(f"{_BAD_HEADER} (expected an image of three dimensions)")
    return fields


def _fields(lines: Sequence[bytes], divider: bytes) -> dict[str, str]:
    fields: dict[str, str] = {}
    for line in lines:
        name, found, value = line.partition(divider)
        if not found or not _WORDS.fullmatch(name) or not _VALUE.fullmatch(value):
            raise SeriesError(_BAD_HEADER)
        key, text = name.decode().replace(" ", "").lower(), value.decode().strip()
        if key in fields or (key in _NUMBERS and not _numbers(text, unknown=key == "spacings")):
            raise SeriesError(_BAD_HEADER)
        fields[key] = text
    return fields


def _numbers(text: str, *, unknown: bool) -> bool:
    """Whether this is a list of finite numbers, as sizes and directions are; NRRD writes 'nan' for no spacing."""
    if not _LIST.fullmatch(text):
        return False
    spare = {"", "none", "nan"} if unknown else {"", "none"}
    try:
        return all(abs(float(word)) < _MOST for word in re.split(r"[(), ]+", text) if word not in spare)
    except ValueError:
        return False


def _plain(name: str) -> bool:
    """Whether this is the name of one file, no path, list or pattern."""
    return bool(name) and not re.search(r"[/\\%\0 ]", name) and name not in {".", ".."} and not name.startswith("LIST")


def check_nifti(path: Path) -> None:
    """Refuse a NIfTI file whose grid is not made of finite numbers. Raises SeriesError."""
    try:
        with _stream(path) as stream:
            head = stream.read(_NIFTI2)
        order = _byte_order(head)
        size = struct.unpack_from(f"{order}i", head)[0]
        if size not in {_NIFTI1, _NIFTI2}:
            raise SeriesError(_BAD_HEADER)
        second = size == _NIFTI2
        places = ((104, 8, "d"), (352, 18, "d")) if second else ((76, 8, "f"), (256, 18, "f"))
        found = [n for at, count, kind in places for n in struct.unpack_from(f"{order}{count}{kind}", head, at)]
        rank, *sizes = struct.unpack_from(f"{order}8{'q' if second else 'h'}", head, 16 if second else 40)
        _bits(head, order)
    except (EOFError, OSError, zlib.error, struct.error) as error:
        raise SeriesError(_BAD_HEADER) from error
    if not 1 <= rank <= len(sizes) or min(sizes[:rank]) < 1:
        raise SeriesError(_BAD_HEADER)
    if not all(abs(number) < _MOST for number in found):
        raise SeriesError("the NIfTI header holds lengths or directions that are no numbers")


def nifti_spacing(path: Path) -> tuple[float, float, float]:
    """Spacing (x, y, z) in mm as a NIfTI file stores it: ITK silently turns a zero into 1 mm."""
    with _stream(path) as stream:
        head = stream.read(_NIFTI2)
    order = _byte_order(head)
    second = struct.unpack_from(f"{order}i", head)[0] == _NIFTI2
    _, x, y, z = struct.unpack_from(f"{order}4{'d' if second else 'f'}", head, 104 if second else 76)
    return x, y, z


def nifti_qform(path: Path) -> tuple[float, float, float, float]:
    """The quaternion's b, c, d as a NIfTI file stores them, and the sign of its third axis, which ITK does not tell."""
    with _stream(path) as stream:
        head = stream.read(_NIFTI2)
    order = _byte_order(head)
    second = struct.unpack_from(f"{order}i", head)[0] == _NIFTI2
    b, c, d = struct.unpack_from(f"{order}3{'d' if second else 'f'}", head, 352 if second else 256)
    (sign,) = struct.unpack_from(f"{order}{'d' if second else 'f'}", head, 104 if second else 76)
    return b, c, d, -1.0 if sign < 0 else 1.0


def check_complete(path: Path) -> None:
    """Refuse a NIfTI file that is shorter than its header says, or that goes on and on.

    Raises
    ------
    SeriesError
        Voxels are missing, the file is damaged, or far more than the voxels is packed into it.
    """
    try:
        with _stream(path) as stream:
            head = stream.read(_NIFTI2)
            expected = _expected(head)
            length = len(head)
            while chunk := stream.read(1 << 22):
                length += len(chunk)
                if length > expected + _SLACK:
                    raise SeriesError(f"the file holds far more than the {expected} bytes that its header says")
    except (EOFError, OSError, zlib.error, struct.error, OverflowError, ValueError) as error:
        raise SeriesError(_DAMAGED) from error
    if length < expected:
        raise SeriesError(f"the volume is truncated ({length} of {expected} bytes)")


def _expected(head: bytes) -> int:
    """Bytes up to the last voxel. Raises SeriesError for an offset that is no number or within the header."""
    order = _byte_order(head)
    second = struct.unpack_from(f"{order}i", head)[0] == _NIFTI2
    (offset,) = struct.unpack_from(f"{order}{'q' if second else 'f'}", head, 168 if second else 108)
    rank, *sizes = struct.unpack_from(f"{order}8{'q' if second else 'h'}", head, 16 if second else 40)
    first = (_NIFTI2 if second else _NIFTI1) + 4
    if not first <= offset < _FARTHEST_BYTE:
        raise SeriesError(
            f"the header is damaged: where the voxels begin is no place in the file behind its first {first} bytes"
        )
    return int(offset) + math.prod(int(n) for n in sizes[:rank]) * _bits(head, order) // 8


def _bits(head: bytes, order: str) -> int:
    """Bits of a voxel. Raises SeriesError where the header does not say what they are, or says it in two ways."""
    second = struct.unpack_from(f"{order}i", head)[0] == _NIFTI2
    kind, bits = struct.unpack_from(f"{order}2h", head, 12 if second else 70)
    if kind not in _BITS:
        raise SeriesError(_BAD_HEADER)
    if bits not in {0, _BITS[kind]}:
        raise SeriesError(f"the header contradicts itself: its voxels are of {bits} and of {_BITS[kind]} bits")
    return _BITS[kind]


def _byte_order(head: bytes) -> str:
    return "<" if struct.unpack_from("<i", head)[0] in {_NIFTI1, _NIFTI2} else ">"


def _stream(path: Path) -> gzip.GzipFile | io.BufferedReader:
    return gzip.open(path, "rb") if path.name.lower().endswith(".gz") else path.open("rb")
