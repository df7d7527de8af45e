"""Studies from a DICOMweb server (QIDO-RS, WADO-RS), and objects into it (STOW-RS).

Only MR series are fetched, each file as the server holds it. A file of another study or series than was asked for ends
the fetching: nobody's images are ever mixed. Files are numbered, never named after UIDs.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pydicom

from spinemri.dicom.headers import lenient
from spinemri.dicom.server import connected
from spinemri.errors import InputError, OutputError, ServerError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import date
    from pathlib import Path

    from spinemri.dicom.server import Server

    Progress = Callable[[str, int, int], None]

_STUDY_UID, _SERIES_UID, _INSTANCE_UID, _STUDY_DATE = "0020000D", "0020000E", "00080018", "00080020"
_MODALITY, _SERIES_INSTANCES = "00080060", "00201209"
_PAGE = 200
_IN_ONE_PIECE = 1 << 40  # bytes; not every server takes a request in chunks
_UNCHANGED = (("application/dicom", "*"),)  # in the transfer syntax that the server holds
_UID = re.compile(r"[0-9.]{1,64}")


def checked_uid(text: str) -> str:
    """A Study Instance UID as a user types it. Raises InputError, which does not repeat it."""
    if not _UID.fullmatch(text.strip()):
        raise InputError("--study: expected a Study Instance UID, digits and dots, at most 64 characters")
    return text.strip()


def find_studies(server: Server, since: date) -> tuple[str, ...]:
    """Study Instance UIDs of the MR studies of a day and later, in the order of the server. Raises ServerError.

    A server that knows no such question and names older studies too is not believed.
    """
    day = f"{since:%Y%m%d}"
    filters = {"ModalitiesInStudy": "MR", "StudyDate": f"{day}-"}
    with connected(server) as client:
        found = _all(client.search_for_studies, _STUDY_UID, search_filters=filters)
        return tuple(_value(one, _STUDY_UID) for one in found if str(_value(one, _STUDY_DATE) or day) >= day)


def count_images(server: Server, study: str) -> int:
    """How many files the MR series of a study have; 0 where there is no such study. Raises ServerError."""
    with connected(server) as client:
        return sum(count for _, count in _mr_series(client, study))


def fetch_study(server: Server, study: str, folder: Path, progress: Progress | None = None) -> None:
    """Write the files of a study's MR series into an empty folder, one folder for each series.

    Raises
    ------
    InputError
        The server has no MR series of this study.
    ServerError
        It cannot be reached, refuses, breaks off, sends fewer files than it counts or those of another study.
    OutputError
        The folder cannot be written.
    """
    with connected(server) as client:
        series = _mr_series(client, study)
        total, done = sum(count for _, count in series), 0
        if not series:
            raise InputError(f"server {server.name}: no MR series of this study")
        for number, (uid, count) in enumerate(series, 1):
            own = folder / f"{number:03d}"
            before = done
            for dataset in client.iter_series(study, uid, media_types=_UNCHANGED):
                if (dataset.get("StudyInstanceUID"), dataset.get("SeriesInstanceUID")) != (study, uid):
                    raise ServerError(f"server {server.name}: sent a file of another study or series")
                done += 1
                _saved(dataset, own / f"{done:06d}.dcm")
                if progress:
                    progress("fetching", done, total)
            if done - before < count:
                raise ServerError(f"server {server.name}: sent {done - before} of {count} files of a series")


def store_files(server: Server, paths: Sequence[Path]) -> None:
    """Send DICOM files to a server, each in a request of its own, so that one that is refused stops no other.

    Raises
    ------
    ServerError
        It cannot be reached; or it refused some, named with its reason in one line.
    """
    refused = []
    for path in paths:
        with lenient():
            dataset = pydicom.dcmread(path)
        try:
            with connected(server) as client:
                client.set_chunk_size(_IN_ONE_PIECE)
                answer = client.store_instances([dataset])
        except ServerError as error:
            if getattr(error.__cause__, "response", None) is None:
                raise
            told = str(error).partition(": ")[2].removeprefix("refused ").strip("()")
            refused.append(f"{path.name} ({told})")
        else:
            refused += [f"{path.name} ({reason})" for reason in _reasons(answer)]
    if refused:
        raise ServerError(f"server {server.name}: refused {len(refused)} of {len(paths)} objects: {', '.join(refused)}")


def _mr_series(client: Any, study: str) -> list[tuple[str, int]]:
    """UID and number of files of each MR series."""
    found = []
    for entry in _all(client.search_for_series, _SERIES_UID, study_instance_uid=study):
        uid, count = _value(entry, _SERIES_UID), _value(entry, _SERIES_INSTANCES)
        if _value(entry, _MODALITY) != "MR":
            continue
        if count is None:
            asked = {"study_instance_uid": study, "series_instance_uid": uid}
            count = sum(1 for _ in _all(client.search_for_instances, _INSTANCE_UID, **asked))
        found.append((uid, int(count)))
    return found


def _all(search: Callable[..., list[dict[str, Any]]], key: str, **asked: Any) -> Iterator[dict[str, Any]]:
    """Every answer to a question, page by page; ends at a page without anything new, also where pages are not known."""
    seen: set[str] = set()
    while True:
        page = search(**asked, limit=_PAGE, offset=len(seen))
        fresh = {_value(entry, key): entry for entry in page if _value(entry, key) not in seen | {None}}
        yield from fresh.values()
        seen |= fresh.keys()
        if not fresh:
            return


def _value(entry: dict[str, Any], tag: str) -> Any:
    """First value of an attribute in DICOM JSON; None when it is absent or empty."""
    values = entry.get(tag, {}).get("Value") or [None]
    return values[0]


def _saved(dataset: pydicom.Dataset, path: Path) -> None:
    try:
        path.parent.mkdir(exist_ok=True)
        dataset.save_as(path)
    except OSError as error:
        told = error.strerror or type(error).__name__
        raise OutputError(f"the temporary folder cannot be written ({told})") from error


def _reasons(answer: pydicom.Dataset) -> list[str]:
    """Why the one object that was sent was not stored."""
    return [f"reason {int(item.get('FailureReason', 0)):04X} hex" for item in answer.get("FailedSOPSequence", ())]
