"""What damaged files are handed to, as users do. A refusal (``SpineMRIError``) is a good answer; nothing else is."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING

import numpy as np

from spinemri.batch.sources import find_sources
from spinemri.clinical import read_clinical
from spinemri.dicom.load import load
from spinemri.dicom.scan import scan
from spinemri.dicom.seg import load_labels
from spinemri.errors import SpineMRIError
from spinemri.labels.convert import from_labels
from spinemri.labels.segments import by_segment
from spinemri.pipeline import Options, analyze, read_study
from spinemri.report.write import formats_named, write
from spinemri.review import read_review
from tests.batch import small_study

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from spinemri.image import Image

OPTIONS = small_study.OPTIONS
_ALL = formats_named("all")


def _dicom(folder: Path) -> None:
    """What ``analyze`` reads of a study, and each series that it leaves out, as a notebook may ask for it."""
    for study in scan(folder).studies:
        for series in study.series:
            if series.refusal is not None:
                with suppress(SpineMRIError):
                    _check_finite(load(series))
    for image in read_study(folder, OPTIONS).every_image:
        _check_finite(image)


def _check_finite(image: Image) -> None:
    """An image that was read has finite voxels on a grid."""
    if not np.isfinite(image.voxels).all():
        raise AssertionError("an image holds values that are no numbers")


def _labels(folder: Path) -> None:
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        with suppress(SpineMRIError):
            stored = load_labels(path)
            image = by_segment(stored.image, stored.segments, path.name) if stored.segments else stored.image
            from_labels(image, "spinemri", name=path.name)


def _clinical(folder: Path) -> None:
    read_clinical(folder / "clinical.json")


def _review(folder: Path) -> None:
    _ = read_review(folder / "review.json").in_turn


def _list(folder: Path) -> None:
    find_sources(folder / "list.csv", OPTIONS)


def _chain(folder: Path) -> None:
    """The whole job, every format, with networks that know the truth (they are not what is on trial)."""
    said = None
    with suppress(SpineMRIError):
        said = read_clinical(folder / "clinical.json")
    options = Options(token_key=small_study.KEY, clinical=said)
    write(analyze(folder / "study", small_study.true_networks(), options), folder / "out", formats=_ALL)


TARGETS: dict[str, Callable[[Path], None]] = {
    "dicom": _dicom,
    "volume": _dicom,
    "labels": _labels,
    "clinical": _clinical,
    "review": _review,
    "list": _list,
    "chain": _chain,
}


def where(error: BaseException) -> str:
    """The kind of an unexpected error and the innermost line of ours that it passed, to tell one fault from another."""
    place = ""
    trace = error.__traceback__
    while trace is not None:
        name = trace.tb_frame.f_code.co_filename
        if re.search(r"/spinemri/", name):
            place = f"{name.rpartition('/spinemri/')[2]}:{trace.tb_lineno}"
        trace = trace.tb_next
    return f"{type(error).__name__} at {place}"
