"""Headers of ordinary files, several times as fast as pydicom reads them; pydicom reads every other file.

Ordinary is a single-frame MR image in little endian with a complete preamble, attributes in order and of known length,
and values that can be read in one way only. Whatever is not so raises ``UnusualError`` and is read by pydicom, which
alone decides what a damaged or peculiar header means: nothing is refused, repaired or guessed here.
"""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING

from pydicom.datadict import dictionary_has_tag, dictionary_VR, tag_for_keyword
from pydicom.uid import ImplicitVRLittleEndian, MRImageStorage
from pydicom.valuerep import EXPLICIT_VR_LENGTH_16, EXPLICIT_VR_LENGTH_32

if TYPE_CHECKING:
    import io
    from collections.abc import Iterable, Iterator, Mapping

HEAD_BYTES, _LONG_HEADER = 1 << 14, 1 << 20  # to read of a file at first; and where its header is longer
_MAGIC, _META = slice(128, 132), 132
_META_LENGTH = struct.Struct("<HH2sHL")
_EXPLICIT, _IMPLICIT, _LENGTH = struct.Struct("<HH2sH"), struct.Struct("<HHL"), struct.Struct("<L")
_SHORT = frozenset(vr.value.encode() for vr in EXPLICIT_VR_LENGTH_16)
_LONG = frozenset(vr.value.encode() for vr in EXPLICIT_VR_LENGTH_32)
_UNDEFINED = 0xFFFFFFFF
_ITEMS, _ITEM, _ITEM_ENDS, _SEQUENCE_ENDS = 0xFFFE, 0xE000, 0xE00D, 0xE0DD
_DEEPEST = 8  # sequences within each other
_Element = tuple[int, bytes, int, int]
_SYNTAX = 0x00020010
_FIRST, _FLOAT_PIXELS, _PIXELS = 0x00080000, 0x7FE00008, 0x7FE00010
_SYNTAXES = re.compile(rb"1\.2\.840\.10008\.1\.2(?:\.1|\.4\.\d+|\.5)?")  # little endian, plain, JPEG family or RLE
_ASCII_SETS = frozenset({b"", b"ISO_IR 6", b"ISO_IR 100", b"ISO_IR 192"})  # what is ASCII means the same in all of them
_TEXT = frozenset({b"AS", b"CS", b"DA", b"DT", b"LO", b"PN", b"SH", b"TM", b"UI"})
_BINARY = {vr: struct.Struct(f"<{kind}") for vr, kind in ((b"US", "H"), (b"SS", "h"), (b"UL", "L"), (b"SL", "l"),
                                                           (b"FD", "d"), (b"FL", "f"))}  # fmt: skip
_PRINTABLE = re.compile(rb"[ -~]*")
_DECIMAL = rb" *[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})? *"
_NUMBERS = {
    b"DS": re.compile(_DECIMAL + rb"(?:\\" + _DECIMAL + rb")*"),
    b"IS": re.compile(rb" *[+-]?\d{1,9} *(?:\\ *[+-]?\d{1,9} *)*"),
}
_NEVER = re.compile(rb"(?!)")


class UnusualError(Exception):
    """A file, or a value in it, that is left to pydicom."""


class _ShortError(UnusualError):
    """What was read of the file ends before its header does."""


class Plain:
    """Attributes of an ordinary file as they are stored, made into values when asked for.

    Parameters
    ----------
    syntax : Transfer Syntax UID
    stored : value representation and bytes of each attribute, by keyword
    pixels : first byte of Pixel Data in the file and its length; the length is 0xFFFFFFFF when compressed
    """

    __slots__ = ("pixels", "stored", "syntax")

    def __init__(self, syntax: str, stored: dict[str, tuple[bytes, bytes]], pixels: tuple[int, int]) -> None:
        self.syntax, self.stored, self.pixels = syntax, stored, pixels

    def __contains__(self, keyword: str) -> bool:
        return keyword in self.stored

    def value(self, keyword: str) -> str | float | tuple[str, ...] | None:
        """Value of an attribute: text (numbers in text too), several texts, or a number; None when absent or empty.

        Raises
        ------
        UnusualError
            Not ASCII, no number where there must be one, or of a representation that is rare here.
        """
        vr, raw = self.stored.get(keyword, (b"", b""))
        if not raw:
            return None
        if vr in _BINARY:
            return _binary(_BINARY[vr], raw)
        said = raw.rstrip(b" \0")
        if not said and (vr in _TEXT or vr in _NUMBERS):
            return None
        if not (_PRINTABLE if vr in _TEXT else _NUMBERS.get(vr, _NEVER)).fullmatch(said):
            raise UnusualError
        if vr == b"PN" and b"=" in said:
            raise UnusualError
        text = said.decode("ascii")
        return tuple(text.split("\\")) if "\\" in text else text


def _binary(kind: struct.Struct, raw: bytes) -> float:
    if len(raw) != kind.size:
        raise UnusualError
    found: float = kind.unpack(raw)[0]
    return found


def wanted(keywords: Iterable[str]) -> dict[int, tuple[str, bytes]]:
    """Attributes to keep, as ``parse`` asks for them: keyword and value representation of each tag."""
    tags = {tag_for_keyword(keyword): keyword for keyword in keywords}
    return {int(tag): (keyword, dictionary_VR(tag).encode()) for tag, keyword in tags.items() if tag is not None}


def plain_header(head: bytes, stream: io.FileIO, keep: Mapping[int, tuple[str, bytes]]) -> Plain:
    """The header of an ordinary file.

    Parameters
    ----------
    head : the first ``HEAD_BYTES`` of the file
    stream : the file behind them, where a longer header is read on
    keep : from ``wanted``

    Raises
    ------
    UnusualError
        Not an ordinary file.
    """
    try:
        return _parsed(head, keep)
    except (_ShortError, struct.error):
        more = stream.read(_LONG_HEADER)
    try:
        return _parsed(head + more, keep)
    except struct.error as error:
        raise UnusualError from error


def _parsed(data: bytes, keep: Mapping[int, tuple[str, bytes]]) -> Plain:
    """Raises UnusualError, and struct.error where the data end before the header does."""
    syntax, start = _meta(data)
    return _header(data, start, syntax, keep)


def _meta(data: bytes) -> tuple[bytes, int]:
    """Transfer syntax, and where the file meta information ends."""
    group, element, vr, length, rest = _META_LENGTH.unpack_from(data, _META)
    if data[_MAGIC] != b"DICM" or (group, element, vr, length) != (2, 0, b"UL", 4):
        raise UnusualError
    at = _META + _META_LENGTH.size
    end, syntax = at + rest, b""
    for tag, vr, start, size in _elements(data, at, 0x00020000, implicit=False):
        at = start + size
        if at > end or tag >> 16 != 2:
            raise UnusualError
        if tag == _SYNTAX and vr == b"UI":
            syntax = data[start:at].rstrip(b"\0")
        if at == end:
            return syntax, end
    raise UnusualError


def _header(data: bytes, at: int, syntax: bytes, keep: Mapping[int, tuple[str, bytes]]) -> Plain:
    implicit = syntax == ImplicitVRLittleEndian.encode()
    if not _SYNTAXES.fullmatch(syntax):
        raise UnusualError
    if implicit and data[at + 4 : at + 6].isalpha() and data[at + 4 : at + 6].isupper():  # explicit in truth
        raise UnusualError
    stored: dict[str, tuple[bytes, bytes]] = {}
    for tag, vr, start, length in _elements(data, at, _FIRST - 1, implicit=implicit):
        if tag >= _FLOAT_PIXELS:
            break
        if tag in keep:
            keyword, by_dictionary = keep[tag]
            if vr == b"SQ":
                raise UnusualError
            if start + length > len(data):
                raise _ShortError
            stored[keyword] = vr or by_dictionary, data[start : start + length]
    usual = {b"OB", b"OW"} if length == _UNDEFINED else {b"", b"OW"}
    if tag != _PIXELS or vr not in usual:
        raise UnusualError
    _check(stored)
    return Plain(syntax.decode("ascii"), stored, (start, length))


def _check(stored: Mapping[str, tuple[bytes, bytes]]) -> None:
    """Raise UnusualError when it is no single-frame MR image, or its text needs a character set."""
    kind, characters = (stored.get(keyword, (b"", b""))[1] for keyword in ("SOPClassUID", "SpecificCharacterSet"))
    if kind.rstrip(b"\0") != MRImageStorage.encode() or characters.strip(b" \0") not in _ASCII_SETS:
        raise UnusualError


def _elements(data: bytes, at: int, last: int, *, implicit: bool, depth: int = 0) -> Iterator[_Element]:
    """Tag, value representation, first byte and length of each attribute; struct.error where the data ends."""
    while True:
        if implicit:
            group, element, length = _IMPLICIT.unpack_from(data, at)
            vr, start = b"", at + 8
        else:
            group, element, vr, length = _EXPLICIT.unpack_from(data, at)
            start = at + 8
            if vr in _LONG:
                (length,) = _LENGTH.unpack_from(data, start)
                start += 4
            elif vr not in _SHORT and group != _ITEMS:
                raise UnusualError
        tag = group << 16 | element
        if length == _UNDEFINED and (vr == b"SQ" or (implicit and _is_sequence(tag))):
            length = _behind_items(data, start, depth, implicit=implicit) - start
        if tag <= last or (length == _UNDEFINED and tag != _PIXELS):
            raise UnusualError
        yield tag, vr, start, length
        last, at = tag, start + length


def _is_sequence(tag: int) -> bool:
    return dictionary_has_tag(tag) and dictionary_VR(tag) == "SQ"


def _behind_items(data: bytes, at: int, depth: int, *, implicit: bool) -> int:
    """Where a sequence of undefined length ends; it is read through, as pydicom would read it."""
    if depth == _DEEPEST:
        raise UnusualError
    while True:
        group, element, length = _IMPLICIT.unpack_from(data, at)
        at += 8
        if (group, element, length) == (_ITEMS, _SEQUENCE_ENDS, 0):
            return at
        if (group, element) != (_ITEMS, _ITEM):
            raise UnusualError
        end = None if length == _UNDEFINED else at + length
        if at != end:
            at = _behind_item(_elements(data, at, -1, implicit=implicit, depth=depth + 1), end)


def _behind_item(elements: Iterator[_Element], end: int | None) -> int:
    """Where an item ends: at ``end``, or else behind its delimiter."""
    for tag, vr, start, length in elements:
        at = start + length
        if end is None and tag == _ITEMS << 16 | _ITEM_ENDS and length == 0 and vr in {b"", b"\0\0"}:
            return at
        if tag >> 16 == _ITEMS or (end is not None and at > end):
            break
        if at == end:
            return at
    raise UnusualError
