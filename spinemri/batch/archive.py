"""A study out of a DICOMweb server for as long as it is worked on, and the objects that come of it back into one.

Both lie in a temporary folder that only its owner may read, and that is gone when the work ends, however it ends: they
carry the patient's identity.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from spinemri.batch.temporary import private_folder
from spinemri.dicom.web import fetch_study, store_files
from spinemri.report.write import WITH_IDENTITY, write

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator
    from pathlib import Path

    from spinemri.case import Case
    from spinemri.dicom.server import Server

    Progress = Callable[[str, int, int], None]

STORED = ("dicom-seg", "dicom-sr", "rtstruct")
"""What is sent unless a user chooses."""


def objects_of(formats: Collection[str]) -> tuple[str, ...]:
    """Which of the formats that a user chose are sent: the DICOM ones, or ``STORED`` when none of them is."""
    return tuple(name for name in WITH_IDENTITY if name in formats) or STORED


@contextmanager
def fetched(server: Server, study: str, progress: Progress | None = None, within: Path | None = None) -> Iterator[Path]:
    """A folder with the MR series of a study, fetched from a server.

    Parameters
    ----------
    study : Study Instance UID
    within : where the temporary folder is made; the system's own place when None

    Raises
    ------
    InputError, ServerError, OutputError
        As ``fetch_study`` does.
    """
    with private_folder(within) as folder:
        study_folder = folder / "study"
        study_folder.mkdir()
        fetch_study(server, study, study_folder, progress)
        yield study_folder


def send(case: Case, server: Server, formats: Collection[str] = STORED, within: Path | None = None) -> int:
    """Make the DICOM objects of a case, send them to a server, and return how many there were.

    Raises
    ------
    OutputError
        A series did not come from DICOM, or its files are gone.
    ServerError
        As ``store_files`` does.
    """
    with private_folder(within) as folder:
        out = write(case, folder / "objects", formats=formats)
        paths = sorted(out.glob("*.dcm"))
        store_files(server, paths)
        return len(paths)
