"""Marks that stand for identifiers: put wherever a study can hold text, and looked for in whatever was written.

A mark stands in every attribute of the DICOM dictionary that holds text, a UID, a date or bytes and that the reader
does not need as it is, in items of every sequence, in private groups, the preamble, the file meta information, the
padding behind the pixels, the names of files and folders, and files that are no images. ``spoil`` puts one where the
reader expects something else, an attribute in each study. ``search`` finds marks also in what is packed.
"""

from __future__ import annotations

import base64
import io
import json
import os
import re
import zipfile
import zlib
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pydicom
from pyarrow import parquet
from pydicom._dicom_dict import DicomDictionary
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.tag import Tag
from pypdf import PdfReader

from spinemri.dicom.headers import KEYWORDS
from spinemri.dicom.values import lenient

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

_TEXT = {"AE", "AS", "CS", "DS", "IS", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT", "UN", "OB", "OB or OW"}
_LEFT_ALONE = {  # what the reader needs as it is, and lookup tables of pixels
    *KEYWORDS,
    *("ModalityLUTSequence", "VOILUTSequence", "PixelDataProviderURL", "TransferSyntaxUID", "DataSetTrailingPadding"),
}
_WITH_EVERYTHING = 3  # images of each series in which every attribute is marked; the others name the person
_MARK = re.compile(rb"zqx[0-9a-f]{5}|4711471147\d{5}|(?<!\d)1947-?11-?(?:0[3-5]|25)")
_STREAM = re.compile(rb"stream\r?\n(.*?)endstream", re.DOTALL)
_EMBEDDED = re.compile(rb"[A-Za-z0-9+/=]{200,}")


@dataclass
class Marks:
    """Hands out marks, each once; the same again for what has the same name."""

    day: str = "19471105"
    count: int = 0
    words: dict[str, str] = field(default_factory=dict)
    uids: dict[str, str] = field(default_factory=dict)

    def word(self, name: str = "") -> str:
        """Eight letters and digits that every text attribute may hold; the same for the same name."""
        if name in self.words:
            return self.words[name]
        self.count += 1
        made = f"ZQX{self.count:05X}"
        if name:
            self.words[name] = made
        return made

    def uid(self, original: str = "") -> str:
        """A marked UID; the same for the same original of the same day."""
        name = f"{self.day} {original}" if original else f"new {len(self.uids)}"
        return self.uids.setdefault(name, f"2.25.4711471147{len(self.uids):05d}")


def plant(source: Path, target: Path, marks: Marks | None = None) -> None:
    """A marked copy of a folder of DICOM series, beside it files that are no images, and a series that is truncated.

    Parameters
    ----------
    source : folder of a series, or one whose subfolders hold a series each
    target : folder to make; its own name should bear a mark
    marks : of an earlier copy, whose person this one shows on another ``day``; new ones when None
    """
    marks = marks or Marks()
    person = _person(marks)
    everything = _everything(marks)
    everything.update(person)
    for series in series_folders(source):
        place = target / f"{marks.word()}^ANNA" / f"series {marks.word()}"
        place.mkdir(parents=True)
        for n, path in enumerate(sorted(series.glob("*.dcm"))):
            with lenient():
                dataset = pydicom.dcmread(path)
            template = everything if n < _WITH_EVERYTHING else person
            _write(_marked(dataset, template, marks), place / f"{marks.word()}.dcm", marks)
    _truncated(place, target / f"broken {marks.word()}", marks)
    others = target / f"others {marks.word()}"
    others.mkdir()
    (others / f"letter {marks.word()}.pdf").write_bytes(b"%PDF-1.7 " + marks.word().encode())
    (others / f"{marks.word()}.txt").write_text(marks.word(), encoding="utf-8")
    (others / "DICOMDIR").write_bytes(marks.word().encode())
    (others / f"{marks.word()}.dcm").write_bytes(b"\0" * 128 + b"DICM" + marks.word().encode())


def series_folders(source: Path) -> list[Path]:
    """The folders that hold a series each: those below, or the folder itself."""
    return sorted(folder for folder in source.iterdir() if folder.is_dir()) or [source]


def spoil(series: Path, target: Path, marks: Marks) -> None:
    """Small studies that differ in one attribute: a mark stands there in place of what the reader expects.

    Their pixels are all of one value, so that none gets as far as a network.

    Parameters
    ----------
    series : folder with a series of DICOM files
    target : folder to make, with a folder for each attribute that is read
    """
    paths = sorted(series.glob("*.dcm"))[:_WITH_EVERYTHING]
    for number, keyword in enumerate(name for name in KEYWORDS if dictionary_VR(name) != "SQ"):
        place = target / f"{marks.word()} spoilt"
        place.mkdir(parents=True)
        for path in paths:
            with lenient():
                dataset = pydicom.dcmread(path)
                for name in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"):
                    setattr(
                        dataset, name, marks.uid(f"spoilt {number} {path.name if name == 'SOPInstanceUID' else name}")
                    )
                dataset.PixelData = bytes(len(dataset.PixelData))
            kind = dictionary_VR(keyword)
            _put(dataset, tag_for_keyword(keyword), kind[:2], "\\".join([marks.word()] * 3))
            _write(dataset, place / f"{marks.word()}.dcm", marks)


def search(places: Iterable[Path]) -> tuple[Counter[str], int, int]:
    """Marks and where they stand, how many files, and how many bytes; packed contents are searched as well."""
    found: Counter[str] = Counter()
    files = total = 0
    for place in places:
        for path in sorted(place.rglob("*")) if place.is_dir() else [place]:
            name = os.fsencode(path.relative_to(place).as_posix() if path != place else path.name)
            blocks = [name, *(unpacked(path.read_bytes(), path.name) if path.is_file() else ())]
            files += path.is_file()
            total += sum(map(len, blocks))
            for block in blocks:
                for mark in marks_in(block):
                    found[f"{mark} in {path.suffix or path.name}"] += 1
    return found, files, total


def _everything(marks: Marks) -> Dataset:
    """Every attribute that may hold text, UIDs or dates, marked; without those that the reader needs."""
    made = Dataset()
    for tag, (kind, _, _, _, keyword) in DicomDictionary.items():
        if keyword in _LEFT_ALONE or not keyword or tag >> 16 < 8 or tag >> 16 in {0x7FE0, 0xFFFE, 0xFFFA}:
            continue
        if kind == "SQ":
            made.add_new(tag, "SQ", Sequence([_item(marks, deep=tag % 16 == 0)]))
        elif value := _value(kind, marks):
            _put(made, tag, "UN" if kind == "UN" else kind[:2], value)
    for group in (0x0009, 0x0029, 0x0051):
        _private(made, group, marks)
    return made


def _person(marks: Marks) -> Dataset:
    """Who it is and when, the same in all images of a study."""
    made = Dataset()
    for keyword in ("PatientID", "IssuerOfPatientID", "ContrastBolusAgent", "StackID", "PatientComments"):
        _put(made, tag_for_keyword(keyword), "LO", marks.word(keyword))
    _put(made, tag_for_keyword("PatientName"), "PN", f"{marks.word('family')}^{marks.word('given')}")
    for keyword in ("StudyDate", "SeriesDate", "AcquisitionDate", "ContentDate"):
        _put(made, tag_for_keyword(keyword), "DA", marks.day)
    _put(made, tag_for_keyword("PatientBirthDate"), "DA", "19471105")
    return made


def _value(kind: str, marks: Marks) -> str:
    if kind in _TEXT:
        return marks.word()
    return {"UI": marks.uid(), "DA": "19471103", "DT": "19471104114711.47"}.get(kind, "")


def _item(marks: Marks, *, deep: bool) -> Dataset:
    made = Dataset()
    _put(made, tag_for_keyword("PatientName"), "PN", marks.word())
    _put(made, tag_for_keyword("CodeMeaning"), "LO", marks.word())
    _put(made, tag_for_keyword("TextValue"), "UT", marks.word())
    _put(made, tag_for_keyword("ReferencedSOPInstanceUID"), "UI", marks.uid())
    _private(made, 0x0029, marks)
    if deep:
        made.add_new(tag_for_keyword("RequestAttributesSequence"), "SQ", Sequence([_item(marks, deep=False)]))
    return made


def _private(made: Dataset, group: int, marks: Marks) -> None:
    _put(made, (group << 16) | 0x0010, "LO", marks.word())
    for element, kind in enumerate(("LO", "UN", "OB", "ST", "PN"), start=0x1001):
        _put(made, (group << 16) | element, kind, marks.word())


def _put(made: Dataset, tag: int | None, kind: str, value: str) -> None:
    """A value as it would stand in a file, whatever its kind allows."""
    data = value.encode()
    data += b" " * (len(data) % 2)
    made[Tag(tag)] = RawDataElement(Tag(tag), kind, len(data), data, 0, is_implicit_VR=False, is_little_endian=True)


def _marked(dataset: Dataset, template: Dataset, marks: Marks) -> Dataset:
    """The data set with the marks of the template, marked UIDs and marked words in what the reader reads."""
    dataset.update(template)
    for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "FrameOfReferenceUID"):
        setattr(dataset, keyword, marks.uid(str(dataset.get(keyword))))
    word = str(template.get("PatientComments"))  # the same in all images, or they would be no series
    for keyword in ("SeriesDescription", "ProtocolName"):
        setattr(dataset, keyword, f"{dataset.get(keyword, '')} {word}".strip())
    dataset.SequenceName, dataset.BodyPartExamined = f"*tse {word}", f"LSPINE {word}"
    for keyword in ("ImageType", "SequenceVariant", "ScanOptions"):
        value = dataset.get(keyword) or []
        setattr(dataset, keyword, [*([value] if isinstance(value, str) else value), word])
    dataset.add_new(0xFFFCFFFC, "OB", marks.word().encode())
    return dataset


def _write(dataset: Dataset, path: Path, marks: Marks) -> None:
    meta = dataset.file_meta
    with lenient():
        meta.MediaStorageSOPInstanceUID = str(dataset.SOPInstanceUID)
    for keyword in ("ImplementationVersionName", "SourceApplicationEntityTitle", "SendingApplicationEntityTitle"):
        setattr(meta, keyword, marks.word())
    meta.PrivateInformationCreatorUID, meta.PrivateInformation = marks.uid(), marks.word().encode()
    dataset.preamble = marks.word().encode().ljust(128, b"\0")
    with lenient():
        dataset.save_as(path, enforce_file_format=True)


def _truncated(series: Path, target: Path, marks: Marks) -> None:
    """A series of its own whose files end too early."""
    target.mkdir()
    for path in sorted(series.iterdir())[: 2 * _WITH_EVERYTHING]:
        with lenient():
            dataset = pydicom.dcmread(path)
            dataset.SeriesInstanceUID, dataset.SeriesNumber = marks.uid("truncated"), 77
            dataset.SOPInstanceUID = marks.uid(f"truncated {path.name}")
            del dataset[0xFFFCFFFC]
        copy = target / f"{marks.word()}.dcm"
        _write(dataset, copy, marks)
        copy.write_bytes(copy.read_bytes()[:-1000])


def marks_in(block: bytes) -> set[str]:
    """The marks in bytes, in whatever case, in one byte a letter or two."""
    lower = block.lower()
    return {mark.decode() for data in (lower, lower.replace(b"\0", b"")) for mark in _MARK.findall(data)}


def unpacked(data: bytes, name: str) -> Iterator[bytes]:
    """The bytes of a file as they are and, where something is packed in them, unpacked."""
    yield data
    if name.endswith(".gz"):
        yield zlib.decompressobj(wbits=31).decompress(data)  # a file that ends too early as far as it goes
    elif name.endswith(".zip"):
        with zipfile.ZipFile(io.BytesIO(data)) as packed:
            for member in packed.infolist():
                yield member.filename.encode()
                yield from unpacked(packed.read(member), member.filename)
    elif name.endswith(".parquet"):
        yield _parquet(data)
    elif data.startswith(b"%PDF") and b"%%EOF" in data:
        yield from _pdf(data)
    if name.endswith((".html", ".json")):
        for found in _EMBEDDED.findall(data):
            yield base64.b64decode(found + b"=" * (-len(found) % 4))


def _pdf(data: bytes) -> Iterator[bytes]:
    """The streams of a PDF, packed by zlib, as ASCII 85 or not, and the words that a reader of it sees."""
    for stream in _STREAM.findall(data):
        for unpack in (bytes, lambda packed: base64.a85decode(packed.strip().removesuffix(b"~>"))):
            try:
                yield zlib.decompressobj().decompress(unpack(stream))
            except (ValueError, zlib.error):
                continue
    pages = PdfReader(io.BytesIO(data))
    yield "\n".join([*(page.extract_text() for page in pages.pages), str(pages.metadata)]).encode()


def _parquet(data: bytes) -> bytes:
    table = parquet.read_table(io.BytesIO(data))
    said = {str(key): str(value) for key, value in (table.schema.metadata or {}).items()}
    return json.dumps([said, table.to_pylist()], default=str).encode()
