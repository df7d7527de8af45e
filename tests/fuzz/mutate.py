"""Damage to files, from a seeded random generator: the same generator gives the same damage.

Bytes are changed in any file; the elements of a DICOM object, the values of a JSON document, the numbers of a text
header and the fields of a NIfTI header are changed so that the file is still read as one, which leads deeper.
"""

from __future__ import annotations

import gzip
import io
import json
import re
import struct
from typing import TYPE_CHECKING, Any

import numpy as np
import pydicom
from pydicom.config import disable_value_validation
from pydicom.dataelem import RawDataElement
from pydicom.tag import BaseTag, Tag

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pydicom.dataset import Dataset

    Mutator = Callable[[np.random.Generator, bytes, bytes], bytes]

SPECIAL = (
    b"", b"0", b"-1", b"1", b"NaN", b"inf", b"-inf", b"1e400", b"1e308", b"-1e308", b"1e-300", b"1e30", b"1e10",
    b"65535", b"4294967295", b"99999999999999999999", b"0.0", b"0.0000001", b"1,5", b"\\", b"1\\2", b"1\\2\\3",
    b"0\\0", b"0\\0\\0", b"1\\0\\0\\0\\1\\0", b"NaN\\NaN\\NaN", b"1e30\\1e30\\1e30", b"-0.7\\-0.7", b"abc", b"\x00",
    b"a\x00b", b"\xff\xfe", b"\x1b$B", b"../../etc/passwd", b"<script>alert(1)</script>", b"A" * 5000,
    b"[bold]x[/bold][/]", b"{{7*7}}", b"%s%n", b"ISO 2022 IR 87", b"ISO_IR 999", b"\\ISO 2022 IR 149", b"YES", b"T2W",
    b"DERIVED\\SECONDARY\\MPR", b"9" * 400, b"20200230", b"00000000", b"-048Y", b"999Y", b"1.2.840.10008.1.2.4.70",
    b"1.2.840.10008.1.2.5", b"1.2.840.10008.5.1.4.1.1.4.1", b"\\".join([b"1"] * 3000),
)  # fmt: skip
"""Values that have broken readers: empty, not finite, far too large, several for one, no text, control sequences."""
WORDS = (0, 1, 2, 3, 7, 127, 128, 255, 256, 4095, 32767, 32768, 65535)
LONGS = (0, 1, 2**31 - 1, 2**31, 2**32 - 1, 2**24, 65536)
NUMBERS = ("nan", "inf", "-inf", "0", "-1", "1e30", "1e-30", "99999999999", "-0.5", "1e400", "", "x", "65535", "2")
_TEXT_HEADER = re.compile(rb"^(NRRD000|ObjectType|NDims)")
_NUMBER = re.compile(rb"-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")
_NIFTI_FIELDS = (("h", 40, 8), ("h", 70, 1), ("h", 72, 1), ("f", 76, 8), ("f", 108, 3), ("h", 252, 2), ("f", 256, 18))
_PLACE = Tag(0x00209113)  # Plane Position Sequence
_VRS = [
    "AE",
    "AS",
    "AT",
    "CS",
    "DA",
    "DS",
    "DT",
    "FD",
    "FL",
    "IS",
    "LO",
    "LT",
    "OB",
    "OW",
    "PN",
    "SH",
    "SL",
    "SQ",
    "SS",
    "ST",
    "TM",
    "UI",
    "UL",
    "UN",
    "US",
    "UT",
]


def damaged(rng: np.random.Generator, name: str, content: bytes, other: bytes) -> bytes:
    """A file with one to a few faults; ``other`` is another file to take pieces from."""
    for _ in range(int(rng.choice((1, 1, 1, 2, 3, 6)))):
        try:
            content = _pick(rng, _mutators(name, content))(rng, content, other)
        except Exception:  # an already damaged file need not be readable here: its bytes are damaged further
            content = bytes_changed(rng, content, other)
    return content


def _mutators(name: str, content: bytes) -> tuple[Mutator, ...]:
    if name.endswith(".json"):
        return (json_changed, json_changed, json_changed, bytes_changed)
    if name.endswith(".gz") and content[:2] == b"\x1f\x8b":
        return (within_gzip, within_gzip, bytes_changed)
    if name.endswith(".nii"):
        return (nifti_changed, nifti_changed, nifti_changed, bytes_changed)
    if _TEXT_HEADER.match(content) or name.endswith((".csv", ".mhd")):
        return (text_changed, text_changed, bytes_changed)
    return (elements_changed, elements_changed, elements_changed, bytes_changed)


def _pick(rng: np.random.Generator, choices: Any) -> Any:
    return choices[int(rng.integers(len(choices)))]


def bytes_changed(rng: np.random.Generator, content: bytes, other: bytes) -> bytes:
    """Bits flipped, bytes set, removed, repeated, inserted, the end cut off, or a piece of another file in it."""
    data, size = bytearray(content), len(content)
    if not size:
        return bytes(rng.integers(0, 256, 64, dtype=np.uint8))
    near = size if rng.random() < 0.5 else min(size, 1500)  # most of what matters stands at the beginning
    at, length = int(rng.integers(near)), int(rng.choice((1, 2, 4, 8, 64, 512)))
    match int(rng.integers(9)):
        case 0:
            data[at] ^= 1 << int(rng.integers(8))
        case 1:
            data[at : at + length] = bytes(rng.integers(0, 256, length, dtype=np.uint8))
        case 2:
            del data[at : at + length]
        case 3:
            data[at:at] = data[at : at + length] * int(rng.choice((1, 2, 50)))
        case 4:
            data[at:at] = _pick(rng, SPECIAL)
        case 5:
            del data[int(rng.integers(size)) :]
        case 6:
            start = int(rng.integers(max(1, len(other))))
            data[at : at + length] = other[start : start + length * 8]
        case 7:
            data[at : at + 2] = struct.pack("<H", _pick(rng, WORDS))
        case _:
            data[at : at + 4] = struct.pack("<I", _pick(rng, LONGS))
    return bytes(data)


def within_gzip(rng: np.random.Generator, content: bytes, other: bytes) -> bytes:
    """The unpacked NIfTI file changed."""
    try:
        inside = gzip.decompress(content)
    except (OSError, EOFError, ValueError) as error:
        raise EOFError from error
    return gzip.compress(nifti_changed(rng, inside, other), 1)


def nifti_changed(rng: np.random.Generator, content: bytes, other: bytes) -> bytes:
    """A field of a NIfTI-1 header at an extreme value."""
    if rng.random() < 0.15:
        return bytes_changed(rng, content, other)
    kind, offset, count = _pick(rng, _NIFTI_FIELDS)
    at = offset + int(rng.integers(count)) * (2 if kind == "h" else 4)
    value = (
        int(_pick(rng, WORDS)) if kind == "h" else float(_pick(rng, ("nan", "inf", "0", "-1", "1e30", "1e-30", "3")))
    )
    packed = struct.pack("<H", value) if kind == "h" else struct.pack("<f", value)
    return content[:at] + packed + content[at + len(packed) :]


def text_changed(rng: np.random.Generator, content: bytes, other: bytes) -> bytes:
    """A number of a text header or table at an extreme value, a line removed or repeated, or a cell of another kind."""
    head, tail = content[:2000], content[2000:]
    found = list(_NUMBER.finditer(head))
    lines = head.split(b"\n")
    match int(rng.integers(4)):
        case 0 if len(lines) > 1:
            del lines[int(rng.integers(len(lines)))]
            return b"\n".join(lines) + tail
        case 1 if len(lines) > 1:
            n = int(rng.integers(len(lines)))
            return b"\n".join([*lines[:n], lines[n], *lines[n:]]) + tail
        case 2:
            cells = head.split(b",") if b"," in head else head.split(b" ")
            cells[int(rng.integers(len(cells)))] = _pick(rng, SPECIAL)
            return (b"," if b"," in head else b" ").join(cells) + tail
        case _ if found:
            one = found[int(rng.integers(len(found)))]
            return head[: one.start()] + str(_pick(rng, NUMBERS)).encode() + head[one.end() :] + tail
    return bytes_changed(rng, content, other)


def json_changed(rng: np.random.Generator, content: bytes, other: bytes) -> bytes:
    """A value of a JSON document of another kind, removed, repeated, or nested deeply."""
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        return bytes_changed(rng, content, other)
    places = list(_places(document))
    if not places:
        return bytes_changed(rng, content, other)
    holder, key = places[int(rng.integers(len(places)))]
    odd: tuple[Any, ...] = (
        None, True, 0, -1, 1e308, 10**400, float("nan"), float("inf"), "", "\x00", "A" * 20000, "\ud800", "L5",
        "<script>", [], {}, [[]], {"": {}}, [1, 2, 3], "../../x", "2026-13-45T99:99:99Z",
    )  # fmt: skip
    match int(rng.integers(5)):
        case 0:
            del holder[key]
        case 1 if isinstance(holder, dict):
            holder[_pick(rng, ("", "x", "__proto__", "L1", "\ud800", "A" * 9000))] = holder[key]
        case 2:
            text = json.dumps(document)
            deep = int(rng.choice((5, 200, 5000, 200_000)))
            value = json.dumps(holder[key])
            nested = (
                '{"earlier":' * deep + value + "}" * deep if rng.random() < 0.5 else "[" * deep + value + "]" * deep
            )
            return text.replace(value, nested, 1).encode()
        case _:
            holder[key] = _pick(rng, odd)
    return json.dumps(document, ensure_ascii=bool(rng.random() < 0.5)).encode(errors="surrogatepass")


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    keys = value.keys() if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in list(keys):
        yield value, key
        yield from _places(value[key])


def elements_changed(rng: np.random.Generator, content: bytes, other: bytes) -> bytes:
    """An element of a DICOM object removed, exchanged, taken from another, of another VR, at an extreme, or nested."""
    with disable_value_validation():
        dataset = pydicom.dcmread(io.BytesIO(content), force=True)
        holders = [dataset.file_meta, *_datasets(dataset)] if rng.random() < 0.1 else list(_datasets(dataset))
        holder = holders[int(rng.integers(len(holders)))] if rng.random() < 0.5 else dataset
        tags = [tag for tag in list(holder.keys()) if tag.group != 2 or holder is dataset.file_meta]
        if not tags:
            raise ValueError
        tag = tags[int(rng.integers(len(tags)))]
        _change(rng, (dataset, holder, tag, tags), other)
        out = io.BytesIO()
        syntax = dataset.file_meta.get("TransferSyntaxUID", "1.2.840.10008.1.2.1")
        little = syntax != "1.2.840.10008.1.2.2"
        pydicom.dcmwrite(
            out, dataset, implicit_vr=bool(dataset.original_encoding[0]), little_endian=little, overwrite=True
        )
        return out.getvalue()


def _change(rng: np.random.Generator, place: tuple[Dataset, Dataset, BaseTag, list[BaseTag]], other: bytes) -> None:
    dataset, holder, tag, tags = place
    match int(rng.integers(8)):
        case 0:
            del holder[tag]
        case 1:
            swapped = tags[int(rng.integers(len(tags)))]
            one, two = holder.get_item(tag), holder.get_item(swapped)
            holder._dict[tag], holder._dict[swapped] = _retagged(two, tag), _retagged(one, swapped)
        case 2:
            donor = pydicom.dcmread(io.BytesIO(other), force=True)
            if tag in donor:
                holder._dict[tag] = donor.get_item(tag)
        case 3:
            vr = _pick(rng, _VRS)
            holder._dict[tag] = _raw(
                tag, vr, _pick(rng, SPECIAL) if rng.random() < 0.5 else b"\x01\x00\x02\x00", dataset
            )
        case 4:
            holder._dict[_PLACE] = _raw(_PLACE, "SQ", _nested(int(rng.choice((1, 10, 300, 2000, 100_000)))), dataset)
        case _:
            vr = holder[tag].VR
            holder._dict[tag] = _raw(tag, vr, _extreme(rng, vr), dataset)


def _nested(depth: int) -> bytes:
    """A sequence within a sequence, of explicit VR and undefined length."""
    item, element = b"\xfe\xff\x00\xe0\xff\xff\xff\xff", b"\x20\x00\x13\x91SQ\x00\x00\xff\xff\xff\xff"
    ends = b"\xfe\xff\x0d\xe0\x00\x00\x00\x00", b"\xfe\xff\xdd\xe0\x00\x00\x00\x00"
    return (item + element) * depth + item + ends[0] + (ends[1] + ends[0]) * depth


def _extreme(rng: np.random.Generator, vr: str) -> bytes:
    if vr == "US":
        return struct.pack("<H", _pick(rng, WORDS))
    if vr in {"UL", "SL"}:
        return struct.pack("<I", _pick(rng, LONGS))
    if vr in {"FD", "FL"}:
        values = [float(v) for v in rng.choice(("nan", "inf", "0", "-1", "1e30", "1e-30"), int(rng.integers(1, 7)))]
        return struct.pack(f"<{len(values)}{'d' if vr == 'FD' else 'f'}", *values)
    if vr in {"OB", "OW"}:
        return bytes(rng.integers(0, 256, int(rng.choice((0, 1, 100, 100_000))), dtype=np.uint8))
    return bytes(_pick(rng, SPECIAL))


def _raw(tag: BaseTag, vr: str, value: bytes, dataset: Dataset) -> RawDataElement:
    if len(value) % 2:
        value += b" "
    implicit, little = dataset.original_encoding
    return RawDataElement(tag, vr, len(value), value, 0, bool(implicit), little is not False)


def _retagged(element: Any, tag: BaseTag) -> Any:
    if isinstance(element, RawDataElement):
        return element._replace(tag=tag)
    return pydicom.DataElement(tag, element.VR, element.value)


def _datasets(dataset: Dataset) -> Iterator[Dataset]:
    yield dataset
    for element in dataset:
        if element.VR == "SQ" and element.value:
            for inner in element.value[:6]:
                yield from _datasets(inner)
