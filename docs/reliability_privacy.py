"""Marked identifiers in every element of a study that can hold text, and a search for them in all that is written.

``leaks_of_analysis`` and ``leaks_of_deidentify`` run the program as a user does and return what was planted, how many
bytes were searched and which marks were found. What is planted is counted by the same search, so a search that finds
nothing anywhere is noticed. Run as a script it prints both.

A mark stands in every attribute of the DICOM dictionary that holds text, a UID, a date or bytes and that the reader
does not need as it is, in items of every sequence, in private groups, the preamble, the file meta information, the
padding behind the pixels, the names of files and folders, and files that are no images.
"""

from __future__ import annotations

import base64
import gzip
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
import zlib
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pydicom
from pyarrow import parquet
from pydicom._dicom_dict import DicomDictionary
from pydicom.datadict import tag_for_keyword
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.tag import Tag
from pypdf import PdfReader

from spinemri.dicom.headers import KEYWORDS
from spinemri.dicom.values import lenient
from spinemri.report.write import WITH_IDENTITY, WRITERS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

ROOT = Path(__file__).resolve().parents[1]
_TEXT = {"AE", "AS", "CS", "DS", "IS", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT", "UN", "OB", "OB or OW"}
_LEFT_ALONE = {  # what the reader needs as it is, and lookup tables of pixels
    *KEYWORDS,
    *("ModalityLUTSequence", "VOILUTSequence", "PixelDataProviderURL", "TransferSyntaxUID", "DataSetTrailingPadding"),
}
_WITH_EVERYTHING = 3  # images of each series in which every attribute is marked; the others name the person
_MARK = re.compile(rb"zqx[0-9a-f]{5}|4711471147\d{5}|1947-?11-?\d\d")
_STREAM = re.compile(rb"stream\r?\n(.*?)endstream", re.DOTALL)
_EMBEDDED = re.compile(rb"[A-Za-z0-9+/=]{200,}")
_PROGRAM = (sys.executable, "-c", "from spinemri.cli import main; main()")


@dataclass
class Marks:
    """Hands out marks, each once."""

    count: int = 0
    uids: dict[str, str] = field(default_factory=dict)

    def word(self) -> str:
        """Eight letters and digits that every text attribute may hold."""
        self.count += 1
        return f"ZQX{self.count:05X}"

    def uid(self, original: str = "") -> str:
        """A marked UID; the same for the same original."""
        name = original or f"new {len(self.uids)}"
        return self.uids.setdefault(name, f"2.25.4711471147{len(self.uids):05d}")


@dataclass(frozen=True)
class Found:
    """How a search ended: marks that were planted, files and bytes that were searched, and where a mark was found."""

    planted: int
    files: int
    searched_bytes: int
    found: tuple[str, ...]


def plant(source: Path, target: Path) -> None:
    """A marked copy of a folder of DICOM series, beside it files that are no images, and a series that is truncated.

    Parameters
    ----------
    source : folder whose subfolders hold a series each
    target : folder to make; its own name should bear a mark
    """
    marks = Marks()
    person = _person(marks)
    everything = _everything(marks)
    everything.update(person)
    for series in sorted(folder for folder in source.iterdir() if folder.is_dir()):
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


def search(places: Iterable[Path]) -> tuple[Counter[str], int, int]:
    """Marks and where they stand, how many files, and how many bytes; packed contents are searched as well."""
    found: Counter[str] = Counter()
    files = total = 0
    for place in places:
        for path in sorted(place.rglob("*")) if place.is_dir() else [place]:
            name = os.fsencode(path.relative_to(place).as_posix() if path != place else path.name)
            blocks = [name, *(_unpacked(path.read_bytes(), path.name) if path.is_file() else ())]
            files += path.is_file()
            total += sum(map(len, blocks))
            for block in blocks:
                for mark in _marks_in(block):
                    found[f"{mark} in {path.suffix or path.name}"] += 1
    return found, files, total


def leaks_of_analysis(source: Path = ROOT / "sample_data", options: tuple[str, ...] = ()) -> Found:
    """Marks in everything that analyze and batch write and print: all formats but those that carry the identity.

    Parameters
    ----------
    source : folder of series to be marked
    options : further options of both commands
    """
    formats = ",".join(name for name in WRITERS if name not in WITH_IDENTITY)
    with tempfile.TemporaryDirectory(prefix="zqx") as name:
        place = Path(name)
        study, out = place / "in" / "ZQX00000", place / "out"
        out.mkdir()
        plant(source, study)
        broken = place / "cohort" / "ZQXFFFFF" / "broken"
        shutil.copytree(next(study.glob("broken*")), broken)
        shutil.copytree(study, place / "cohort" / "ZQXFFFFE")
        given = ("--token-key", place / "key", "--formats", formats, *options)
        runs = (
            ("analyze", study, "-o", out / "result", "--debug", out / "debug.zip", *given),
            ("analyze", broken, "-o", out / "refused", "--debug", out / "refused.zip", *given),
            ("analyze", study / "none", "-o", out / "none", *given),
            ("batch", place / "cohort", "-o", out / "batch", "--log-json", "--debug", out / "batch.zip", *given),
            ("scan", study),
        )
        codes = [_run(arguments, place, out / f"{n}.log") for n, arguments in enumerate(runs)]
        if codes != [0, 2, 2, 0, 0]:
            raise SystemExit(f"exit codes {codes}; {_told(out)}")
        return _result([study, place / "cohort"], [out], place)


def leaks_of_deidentify(source: Path = ROOT / "sample_data") -> Found:
    """Marks in the copy that deidentify makes of a marked study, and in what it prints."""
    with tempfile.TemporaryDirectory(prefix="zqx") as name:
        place = Path(name)
        study, out = place / "in" / "ZQX00000", place / "out"
        out.mkdir()
        plant(source, study)
        key = ("--token-key", place / "key")
        code = _run(("deidentify", study, "-o", out / "copy", *key), place, out / "log")
        if code:
            raise SystemExit(f"deidentify: exit code {code}; {_told(out)}")
        return _result([study], [out], place)


def _result(planted: list[Path], written: list[Path], place: Path) -> Found:
    marks = {key.split(" in ")[0] for key in search(planted)[0]}
    found, files, total = search(written)
    for word in (place, ROOT, Path.home()):
        if any(str(word).encode() in block for path in written for block in _all_blocks(path)):
            found[f"an absolute path ({word.name})"] += 1
    return Found(len(marks), files, total, tuple(sorted(found)))


def _all_blocks(place: Path) -> Iterator[bytes]:
    for path in place.rglob("*"):
        if path.is_file():
            yield from _unpacked(path.read_bytes(), path.name)


def _run(arguments: Iterable[object], place: Path, log: Path) -> int:
    """Exit code; what was printed goes into a file that is searched with the others."""
    environment = {**os.environ, "XDG_CONFIG_HOME": str(place / "configuration"), "PYTHONPATH": str(ROOT)}
    line = [*_PROGRAM, *map(str, arguments)]
    done = subprocess.run(line, capture_output=True, check=False, cwd=place, env=environment)
    log.write_bytes(done.stdout + b"\n" + done.stderr)
    return done.returncode


def _told(out: Path) -> str:
    return " | ".join(path.read_text(encoding="utf-8")[-600:] for path in sorted(out.glob("*log")))


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
        _put(made, tag_for_keyword(keyword), "LO", marks.word())
    _put(made, tag_for_keyword("PatientName"), "PN", f"{marks.word()}^{marks.word()}")
    for keyword in ("StudyDate", "SeriesDate", "AcquisitionDate", "ContentDate", "PatientBirthDate"):
        _put(made, tag_for_keyword(keyword), "DA", "19471105")
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
    meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
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


def _marks_in(block: bytes) -> set[str]:
    lower = block.lower()
    return {mark.decode() for data in (lower, lower.replace(b"\0", b"")) for mark in _MARK.findall(data)}


def _unpacked(data: bytes, name: str) -> Iterator[bytes]:
    """The bytes of a file as they are and, where something is packed in them, unpacked."""
    yield data
    if name.endswith(".gz"):
        yield gzip.decompress(data)
    elif name.endswith(".zip"):
        with zipfile.ZipFile(io.BytesIO(data)) as packed:
            for member in packed.infolist():
                yield member.filename.encode()
                yield from _unpacked(packed.read(member), member.filename)
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


def main() -> None:
    """Print what was planted and found."""
    for name, found in (("analyze, batch", leaks_of_analysis()), ("deidentify", leaks_of_deidentify())):
        told = "; ".join(found.found[:20]) or "none"
        print(f"{name}: {found.planted} marks planted, {found.searched_bytes} bytes of {found.files} files, {told}")


if __name__ == "__main__":
    main()
