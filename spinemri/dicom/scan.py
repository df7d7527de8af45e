"""What a folder holds: patients, studies, series and the files that are none of these, from headers only.

Whatever the folder looks like (nested, flat, no file names to speak of), only the headers say what belongs together.
Every file is accounted for: part of a series, or skipped with a reason.
"""

from __future__ import annotations

import os
import re
from collections import defaultdict
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pydicom.uid import UID

from spinemri.dicom.contrast import agent_state
from spinemri.dicom.describe import describe
from spinemri.dicom.headers import KEPT, MR_IMAGES, frames_of, read_header
from spinemri.dicom.plain import HEAD_BYTES, Plain, UnusualError, plain_header
from spinemri.dicom.stacks import split
from spinemri.dicom.values import READ_ERRORS, lenient, text, value
from spinemri.errors import InputError
from spinemri.language import Phrases
from spinemri.read import VOLUME_SUFFIXES, is_label_file, volume_series, volume_study
from spinemri.series import Contrast, Inventory, Series, Skipped, Study

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from pydicom.dataset import Dataset

    from spinemri.dicom.facts import Frame

phrases = Phrases("dicom.scan")

_PREAMBLE, _HEADER, _MAGIC = 128, 132, b"DICM"
BARE_STARTS = (b"\x02\x00", b"\x08\x00", b"\x00\x08")  # group 2 or 8, as a file without preamble begins
_MAX_FRAMES = 10_000  # of a multi-frame file; an MR series has hundreds
_DIRECTORY = "1.2.840.10008.1.3.10"
_CODE = re.compile("[A-Z]{2}")


def scan(
    folder: Path, *, contrast: Contrast | None = None, progress: Callable[[int, int], None] | None = None
) -> Inventory:
    """Studies and series of a folder, and what was skipped.

    Parameters
    ----------
    folder : searched with everything below it; symbolic links are followed once. A single file is accepted too.
    contrast : overrides the contrast of NIfTI, NRRD and MetaImage files, which carry none; DICOM headers decide
        for themselves
    progress : called with (files looked at, files in all)

    Raises
    ------
    InputError
        The folder does not exist or cannot be read.
    """
    root = Path(folder).absolute()
    if not root.exists():
        raise InputError(f"{root.name}: no such folder")
    paths = [root] if root.is_file() else list(walk(root))
    base = root.parent if root.is_file() else root
    frames: list[Frame] = []
    volumes: list[Series] = []
    skipped: list[Skipped] = []
    for done, path in enumerate(paths, 1):
        found = _read(path, base, contrast)
        if isinstance(found, str):
            skipped.append(Skipped(path=relative_name(path, base), reason=found))
        elif isinstance(found, Series):
            volumes.append(found)
        else:
            frames.extend(found)
        if progress is not None:
            progress(done, len(paths))
    if frames:  # most likely the same images, converted
        skipped.extend(Skipped(path=relative_name(v.files[0].path, base), reason=phrases.BESIDE_DICOM) for v in volumes)
    studies = _studies(frames) or _volume_studies(volumes, base)
    return Inventory(root=base, studies=studies, skipped=tuple(skipped), files_seen=len(paths))


def walk(root: Path) -> Iterator[Path]:
    """Files below a folder in a stable order, each real file and folder once."""
    seen: set[str] = set()
    try:
        with os.scandir(root):
            pass
    except OSError as error:
        raise InputError(f"{root.name}: the folder cannot be read ({error.strerror})") from error
    for here, folders, names in os.walk(root, followlinks=True):
        real = os.path.realpath(here)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders.sort()
        for name in sorted(names):
            path = Path(here, name)
            target = os.path.realpath(path) if path.is_symlink() else str(Path(real, name))
            if target not in seen:
                seen.add(target)
                yield path


def no_dicom() -> tuple[str, ...]:
    """Reasons for which a file is skipped that say no more than that it is no DICOM image."""
    return (
        phrases.INDEX,
        phrases.NOT_READABLE_FILE,
        phrases.LABEL_MAP_NOT_IMAGE,
        phrases.NOT_DICOM,
        phrases.EMPTY_FILE,
        phrases.NOT_DICOM_NO_PREAMBLE_NO,
        phrases.BESIDE_DICOM,
    )


def relative_name(path: Path, root: Path) -> str:
    """Path below the scanned folder, made printable where the file system holds bytes that are no text."""
    return os.fsencode(path.relative_to(root).as_posix()).decode(errors="replace")


def _read(path: Path, root: Path, contrast: Contrast | None) -> list[Frame] | Series | str:
    """Frames of an MR file, the series of a volume file, or why the file is skipped."""
    try:
        if path.name.upper() == "DICOMDIR" or not path.is_file():
            return phrases.INDEX if path.is_file() else phrases.NOT_READABLE_FILE
        if path.name.lower().endswith(VOLUME_SUFFIXES):
            return phrases.LABEL_MAP_NOT_IMAGE if is_label_file(path) else volume_series(path, root, contrast)
        with path.open("rb", buffering=0) as stream:
            head = stream.read(HEAD_BYTES)
            if head[_PREAMBLE:_HEADER] == _MAGIC:
                with suppress(UnusualError, ValueError, OverflowError):  # whatever it is, pydicom decides
                    return _told(plain_header(head, stream, KEPT), path, force=False)
    except OSError as error:
        return phrases.CANNOT_READ.format(error=error.strerror)
    if head[_PREAMBLE:_HEADER] == _MAGIC or head[:2] in BARE_STARTS:
        return _read_dicom(path, force=head[_PREAMBLE:_HEADER] != _MAGIC)
    return phrases.NOT_DICOM if head else phrases.EMPTY_FILE


def _read_dicom(path: Path, *, force: bool) -> list[Frame] | str:
    try:
        with lenient():
            return _told(read_header(path, force=force), path, force=force)
    except READ_ERRORS as error:
        return phrases.DAMAGED_DICOM_HEADER.format(name=type(error).__name__)


def _told(dataset: Dataset | Plain, path: Path, *, force: bool) -> list[Frame] | str:
    """Frames of an MR file, or why it is skipped."""
    fault = _no_mr_image(dataset, force=force)
    frames = [] if fault else frames_of(dataset, path)
    if len(frames) > _MAX_FRAMES:
        return phrases.MORE_THAN_FRAMES_ONE_FILE.format(count=_MAX_FRAMES)
    if fault is None and any(not frame.plane.rows or not frame.plane.columns for frame in frames):
        fault = phrases.MR_HEADER_WITHOUT_IMAGE_NO
    return fault or frames or phrases.ENHANCED_MR_IMAGE_WITHOUT_FUNCTIONAL


def _no_mr_image(dataset: Dataset | Plain, *, force: bool) -> str | None:
    """Why a file that reads as DICOM is no MR image; None when it is one."""
    kind = text(dataset, "SOPClassUID")
    if not (kind or force or isinstance(dataset, Plain)):
        kind = text(dataset.file_meta, "MediaStorageSOPClassUID")
    if kind == _DIRECTORY:
        return phrases.INDEX
    if force and (not kind or value(dataset, "Rows") is None):
        return phrases.NOT_DICOM_NO_PREAMBLE_NO
    if kind not in MR_IMAGES:
        return phrases.NO_MR_IMAGE.format(kind=_kind_name(kind))
    if (modality := text(dataset, "Modality").upper()) not in {"", "MR"}:
        said = modality if _CODE.fullmatch(modality) else phrases.UNKNOWN_KIND
        return phrases.NO_MR_IMAGE_MODALITY_CONTRADICTS.format(said=said)
    return None if text(dataset, "SeriesInstanceUID") else phrases.MR_IMAGE_WITHOUT_SERIES_INSTANCE


def _kind_name(kind: str) -> str:
    name = UID(kind).name if kind else phrases.NO_SOP_CLASS
    return name if name != kind else phrases.UNKNOWN_SOP_CLASS


def _studies(frames: Sequence[Frame]) -> tuple[Study, ...]:
    """Frames grouped by patient and study, then by series, then split into stacks."""
    by_study: defaultdict[tuple[str, str], list[Frame]] = defaultdict(list)
    for frame in _told_apart(frames):
        by_study[frame.patient_key, frame.study_uid].append(frame)
    return tuple(_study(by_study[key]) for key in sorted(by_study))


def _told_apart(frames: Sequence[Frame]) -> list[Frame]:
    """One Patient ID with two birth dates, or as man and woman, is two patients."""
    people: defaultdict[str, tuple[set[str], set[str]]] = defaultdict(lambda: (set(), set()))
    for frame in frames:
        births, sexes = people[frame.patient_key]
        births |= {frame.born} - {""}
        sexes |= {frame.sex} & {"M", "F"}
    apart = []
    for frame in frames:
        births, sexes = people[frame.patient_key]
        more = [frame.born] * (len(births) > 1) + [frame.sex] * (len(sexes) > 1)
        apart.append(replace(frame, patient_key="-".join([frame.patient_key, *more])) if more else frame)
    return apart


def _study(frames: Sequence[Frame]) -> Study:
    by_series: defaultdict[str, list[Frame]] = defaultdict(list)
    for frame in frames:
        by_series[frame.series_uid].append(frame)
    first_plain = min((f.time for f in frames if f.time and _plain_spin_echo(f)), default="")
    series: list[Series] = []
    for uid, (number, remark) in _numbered(by_series).items():
        stacks = split([replace(frame, number=number) for frame in by_series[uid]])
        described = [describe(stacks, index, first_plain) for index in range(len(stacks))]
        series.extend(s.model_copy(update={"warnings": (*s.warnings, *remark)}) for s in described)
    first = frames[0]
    return Study(
        study_uid=first.study_uid,
        patient_key=first.patient_key,
        study_date=first.study_date,
        patient_age_years=next((f.age_years for f in frames if f.age_years is not None), None),
        patient_sex=next((f.sex for f in frames if f.sex), ""),
        series=tuple(series),
    )


def _numbered(by_series: Mapping[str, Sequence[Frame]]) -> dict[str, tuple[int, tuple[str, ...]]]:
    """A number of its own for each series UID, in order, and a remark where the header gives none or one twice."""
    stated = {
        uid: min((f.number for f in frames if f.number is not None), default=None) for uid, frames in by_series.items()
    }
    free = max((n for n in stated.values() if n is not None), default=0) + 1
    numbers: dict[str, tuple[int, tuple[str, ...]]] = {}
    taken: set[int] = set()
    for uid, number in sorted(stated.items(), key=lambda pair: (pair[1] is None, pair[1] or 0, pair[0])):
        if number is not None and number not in taken:
            numbers[uid] = number, ()
            taken.add(number)
        else:
            fault = phrases.MISSING if number is None else phrases.USED_TWICE.format(number=number)
            numbers[uid] = free, (phrases.SERIES_NUMBER_THIS_SERIES_CALLED.format(fault=fault, free=free),)
            free += 1
    return numbers


def _plain_spin_echo(frame: Frame) -> bool:
    """A diagnostic image, no scout, made without contrast agent."""
    facts = frame.sequence
    scout = "LOCALIZER" in facts.image_type or "SE" not in facts.sequence
    return not scout and agent_state(facts, after_plain=False) == "none"


def _volume_studies(volumes: Sequence[Series], root: Path) -> tuple[Study, ...]:
    by_study: defaultdict[tuple[str, str], list[Series]] = defaultdict(list)
    for series in volumes:
        by_study[volume_study(series.files[0].path, root)].append(series)
    studies = []
    for patient, study in sorted(by_study):
        numbered = [s.model_copy(update={"number": n}) for n, s in enumerate(by_study[patient, study], 1)]
        studies.append(Study(study_uid=numbered[0].study_uid, patient_key=patient, series=tuple(numbered)))
    return tuple(studies)
