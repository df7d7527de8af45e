"""Mask files of the user, read: voxels, the name for messages, and what stands for the file in results."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spinemri.dicom.seg import load_labels
from spinemri.errors import InputError
from spinemri.labels.study import LabelFile
from spinemri.language import Phrases
from spinemri.segment.bundle import file_sha256

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

phrases = Phrases("revise.given")


def mask_files(
    paths: Sequence[Path], stand_in: Callable[[str | None], str | None], *, keep_names: bool = False
) -> list[LabelFile]:
    """Masks of volume files and DICOM SEG objects.

    Parameters
    ----------
    stand_in : what a UID of a file became when the study was read; None when that cannot be told
    keep_names : whether results may hold the file's name; else a checksum stands for it

    Raises
    ------
    InputError
        A file is no readable mask; the message names it.
    """
    files = []
    for path in paths:
        stored = load_labels(path, stand_in)
        shown = path.name if keep_names else phrases.SHA256.format(checksum=file_sha256(path)[:12])
        files.append(LabelFile(stored.image, path.name, shown, stored.segments, stored.said))
    return files


def check_corrected(paths: Sequence[Path]) -> None:
    """Whether corrected files can be used, as far as that is known before the work begins.

    Raises
    ------
    InputError
        A file is not there, or is given twice.
    """
    if missing := [path.name for path in paths if not path.is_file()]:
        raise InputError(f"corrected {', '.join(missing)}: no such file")
    if len({path.resolve() for path in paths}) < len(paths):
        raise InputError("corrected: a file is given twice")
