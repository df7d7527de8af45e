"""The result folder: written beside its place and renamed into it at the end, so it is complete or absent.

``report.json`` is always written: it is the document that the other formats are made from, and what tells a former
result from any other folder. A folder that holds anything else is never replaced. DICOM objects carry the identity of
the patient, whatever stands for it elsewhere: an analysis writes them only when they are asked for.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from spinemri.errors import OutputError
from spinemri.faults import attempt, collecting
from spinemri.language import in_its_language
from spinemri.report.bids import write_bids
from spinemri.report.bids_names import FOLDER as BIDS
from spinemri.report.bids_names import holds_ours_only
from spinemri.report.csv_files import write_csv
from spinemri.report.dicom_key_images import write_key_images
from spinemri.report.dicom_pdf import write_dicom_pdf
from spinemri.report.dicom_seg import write_seg
from spinemri.report.dicom_source import NOT_DICOM
from spinemri.report.dicom_sr import write_sr
from spinemri.report.fhir import write_fhir
from spinemri.report.html_page import write_html
from spinemri.report.json_file import FILE_NAME, write_json
from spinemri.report.masks import write_masks
from spinemri.report.pdf import write_pdf
from spinemri.report.phrases import phrases
from spinemri.report.rtstruct import write_rtstruct
from spinemri.report.table_files import check_installed, write_parquet
from spinemri.report.text import write_text

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator

    from spinemri.case import Case
    from spinemri.image import Image

WRITERS: dict[str, Callable[[Case, Path], None]] = {
    "json": write_json,
    "html": write_html,
    "txt": write_text,
    "csv": write_csv,
    "nifti": write_masks,
    "pdf": write_pdf,
    "fhir": write_fhir,
    "parquet": write_parquet,
    "bids": write_bids,
    "dicom-seg": write_seg,
    "dicom-sr": write_sr,
    "rtstruct": write_rtstruct,
    "dicom-pdf": write_dicom_pdf,
    "key-images": write_key_images,
}
"""Format name -> function that writes its files into a folder."""
DEFAULT_FORMATS = ("json", "html", "txt", "csv", "nifti")
"""What is written when nobody asks for anything else."""
WITH_IDENTITY = ("dicom-seg", "dicom-sr", "rtstruct", "dicom-pdf", "key-images")
"""Formats that carry the identity of the patient, and need a study that came from DICOM."""

_OUR_FILES = (
    "report.json",
    "report.html",
    "report.txt",
    "measurements.csv",
    "lesions.csv",
    "segmentation.json",
    "lesions.json",
    "report.pdf",
    "report.fhir.json",
    "measurements.parquet",
    "measurements.dcm",
    "report.dcm",
    "key_images.dcm",
)
_OUR_NAMES = (  # beginning and end
    *(("segmentation_", ".nii.gz"), ("lesions_", ".nii.gz")),
    *(("segmentation_", ".dcm"), ("lesions_", ".dcm"), ("contours_", ".dcm")),
)


@in_its_language
def write(case: Case, out: Path | str, *, formats: Collection[str] | None = None, overwrite: bool = False) -> Path:
    """Write the results of a case into a new folder and return its path.

    Parameters
    ----------
    out : folder to make; it may exist when it is empty
    formats : names from ``WRITERS``; those of ``DEFAULT_FORMATS`` when None. ``report.json`` is written in any case.
    overwrite : replace ``out`` when it holds an earlier result and nothing else

    Raises
    ------
    OutputError
        If a format is unknown, lacks its library or needs a study that came from DICOM, or ``out`` exists with
        content, or cannot be written. Nothing is left behind then.
    """
    out = Path(out)
    wanted = _chosen(formats)
    check_sources(wanted, case.images)
    check_writable(out, overwrite=overwrite)
    with finished_folder(out) as folder, collecting() as failures:
        write_json(case, folder)  # without it there is no result
        for name in wanted:
            if name != "json":
                _written(name, case, folder)
        if failures:
            told = (*case.analysis.failures, *failures)
            write_json(replace(case, analysis=case.analysis.model_copy(update={"failures": told})), folder)
    return out


def _written(name: str, case: Case, folder: Path) -> None:
    """Write one format whole or, when the program fails in it, nothing of it.

    A format sees what the former ones wrote: what two of them hold (masks, sheets) is made once.
    """
    before = set(folder.iterdir())
    if not attempt(phrases.FORMAT.format(name=name), "", _wrote, name, case, folder):
        for entry in set(folder.iterdir()) - before:
            _remove(entry)


def _wrote(name: str, case: Case, folder: Path) -> str:
    WRITERS[name](case, folder)
    return name


def _remove(entry: Path) -> None:
    if entry.is_dir():
        shutil.rmtree(entry)
    else:
        entry.unlink()


@contextmanager
def finished_folder(out: Path) -> Iterator[Path]:
    """A hidden folder beside ``out`` to write into, renamed into its place at the end; gone when that is not reached.

    Raises
    ------
    OutputError
        It cannot be written.
    """
    with _writing_beside(out) as folder:
        yield folder
        _move_into_place(folder, out.resolve())


def check_writable(out: Path, *, overwrite: bool = False) -> None:
    """Raise OutputError in one line when ``write`` could not write ``out``; called before the long work begins.

    Leaves no trace: a folder is made for the trial in the nearest folder above that exists, and removed.
    """
    target = out.resolve()
    if target.is_dir():
        _check_replaceable(out, overwrite=overwrite)
    elif target.exists():
        raise OutputError(f"output {_shown(out)}: a file of this name exists; expected a new or empty folder")
    parent = next(folder for folder in target.parents if folder.exists())
    trial = parent / f".{target.name}.{secrets.token_hex(4)}.trial"
    try:
        trial.mkdir()
        trial.rmdir()
    except OSError as error:
        raise OutputError(f"output {_shown(out)}: cannot be written ({_said(error)})") from error


def formats_named(text: str | None) -> tuple[str, ...]:
    """Names of formats in 'json,html'; every format there is for 'all', the default ones for None.

    Raises
    ------
    OutputError
        If a format is unknown or lacks its library.
    """
    names = None if text is None else [name.strip().lower() for name in text.split(",") if name.strip()]
    return tuple(_chosen(WRITERS if names and "all" in names else names))


def check_sources(formats: Collection[str], images: Iterable[Image]) -> None:
    """Raise OutputError in one line when a format needs a study that came from DICOM and a series did not."""
    asked = [name for name in WITH_IDENTITY if name in formats]
    foreign = [image.series.label for image in images if image.series.source != "dicom"]
    if asked and foreign:
        others = ", ".join(name for name in WRITERS if name not in WITH_IDENTITY)
        raise OutputError(f"format {', '.join(asked)}: series {foreign[0]} {NOT_DICOM}; expected some of {others}")


def is_result(folder: Path) -> bool:
    """Whether a folder holds a result of ``write`` and nothing else."""
    try:
        ours = all(map(_is_ours, folder.iterdir()))
        document = json.loads((folder / FILE_NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return ours and isinstance(document, dict) and {"schema_version", "provenance", "spine"} <= document.keys()


def _chosen(formats: Collection[str] | None) -> list[str]:
    wanted = {*(DEFAULT_FORMATS if formats is None else formats), "json"}
    unknown = sorted(wanted - WRITERS.keys())
    if unknown:
        raise OutputError(f"format {', '.join(map(repr, unknown))}: expected some of {', '.join(WRITERS)}")
    if "parquet" in wanted:
        check_installed()
    return [name for name in WRITERS if name in wanted]


def _check_replaceable(out: Path, *, overwrite: bool) -> None:
    target = out.resolve()
    if os.path.ismount(target):
        raise OutputError(f"output {_shown(out)}: is a mount point and cannot be replaced; expected a folder inside it")
    try:
        empty = next(target.iterdir(), None) is None
    except OSError as error:
        raise OutputError(f"output {_shown(out)}: cannot be read ({_said(error)})") from error
    if empty or (overwrite and is_result(target)):
        return
    if overwrite:
        raise OutputError(
            f"output {_shown(out)}: holds files that are no earlier result; expected a result, or an empty folder"
        )
    raise OutputError(f"output {_shown(out)}: exists and is not empty; expected a new or empty folder")


@contextmanager
def _writing_beside(out: Path) -> Iterator[Path]:
    """A new hidden folder beside ``out``; it is gone afterwards whatever happens, unless it was moved away."""
    target = out.resolve()
    folder = target.parent / f".{target.name}.{secrets.token_hex(4)}.partial"
    try:
        folder.mkdir(parents=True)
        yield folder
    except OSError as error:
        raise OutputError(f"output {_shown(out)}: cannot be written ({_said(error)})") from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _move_into_place(folder: Path, target: Path) -> None:
    """Rename the finished folder; an earlier result steps aside first and comes back when that fails."""
    if not target.exists():
        folder.rename(target)
        return
    aside = target.parent / f"{folder.name}.former"
    target.rename(aside)
    try:
        folder.rename(target)
    except OSError:
        aside.rename(target)
        raise
    shutil.rmtree(aside, ignore_errors=True)


def _is_ours(entry: Path) -> bool:
    name = entry.name
    if name == BIDS:
        return holds_ours_only(entry)
    return name in _OUR_FILES or any(name.startswith(first) and name.endswith(last) for first, last in _OUR_NAMES)


def _shown(out: Path) -> str:
    """An output folder for messages: as typed when relative, else its last two parts, never where it lies."""
    return "/".join(out.parts[-2:]) if out.is_absolute() else str(out)


def _said(error: OSError) -> str:
    return error.strerror or type(error).__name__
