"""Studies from a DICOMweb server (QIDO-RS, WADO-RS), and objects into it (STOW-RS).

Only MR series are fetched, each file as the server holds it. A file of another study or series than was asked for ends
the fetching: nobody's images are ever mixed. Files are numbered, never named after UIDs.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pydicom

from spinemri.dicom.server import connected
from spinemri.dicom.values import lenient
from spinemri.errors import InputError, OutputError, ServerError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import date
    from pathlib import Path

    from spinemri.dicom.server import Server

    Progress = Callable[[str, int, int], None]

_STUDY_UID, _SERIES_UID, _INSTANCE_UID, _STUDY_DATE = "0020000D", "0020000E", "00080018", "00080020"
_STUDY_DESCRIPTION, _MODALITIES = "00081030", "00080061"
_MODALITY, _SERIES_INSTANCES = "00080060", "00201209"
_PAGE = 200
_IN_ONE_PIECE = 1 << 40  # bytes; not every server takes a request in chunks
_UNCHANGED = (("application/dicom", "*"),)  # in the transfer syntax that the server holds
_UID = re.compile(r"[0-9.]{1,64}")


@dataclass(frozen=True)
class Listed:
    """A study as a server lists it: ``day`` is YYYYMMDD; it and ``description`` are empty where they are not told."""

    uid: str = field(repr=False)
    day: str = ""
    description: str = field(default="", repr=False)


def checked_uid(text: str) -> str:
    """A Study Instance UID as a user types it. Raises InputError, which does not repeat it."""
    if not _UID.fullmatch(text.strip()):
        raise InputError("--study: expected a Study Instance UID, digits and dots, at most 64 characters")
    return text.strip()


def find_studies(server: Server, since: date | None = None, until: date | None = None) -> tuple[Listed, ...]:
    """The MR studies of a server, in its order. Raises ServerError.

    A server that knows no such question, and names studies of other days or without MR too, is not believed; what it
    does not tell is.

    Parameters
    ----------
    since, until : the first and the last day; no limit when None
    """
    first, last = (f"{day:%Y%m%d}" if day else "" for day in (since, until))
    days = {"StudyDate": f"{first}-{last}" if first != last else first} if first or last else {}
    filters = {"ModalitiesInStudy": "MR", **days}
    with connected(server) as client:
        found = _all(client.search_for_studies, _STUDY_UID, search_filters=filters, fields=["StudyDescription"])
        listed = [_listed(entry) for entry in found if "MR" in _values(entry, _MODALITIES, "MR")]
    return tuple(one for one in listed if not one.day or first <= one.day <= (last or one.day))


def mr_series(server: Server, study: str) -> tuple[tuple[str, int], ...]:
    """UID and number of files of each MR series of a study, by UID; none where there is no such study.

    Raises
    ------
    ServerError
        The server cannot be reached or refuses.
    """
    with connected(server) as client:
        return tuple(sorted(_mr_series(client, study)))


def count_images(server: Server, study: str) -> int:
    """How many files the MR series of a study have; 0 where there is no such study. Raises ServerError."""
    return sum(count for _, count in mr_series(server, study))


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


def _listed(entry: dict[str, Any]) -> Listed:
    day, description = (str(_value(entry, tag) or "") for tag in (_STUDY_DATE, _STUDY_DESCRIPTION))
    return Listed(str(_value(entry, _STUDY_UID)), day.strip(), " ".join(description.split()))


def _value(entry: dict[str, Any], tag: str) -> Any:
    """First value of an attribute in DICOM JSON; None when it is absent or empty."""
    return _values(entry, tag, None)[0]


def _values(entry: dict[str, Any], tag: str, absent: Any) -> list[Any]:
    """Every value of an attribute in DICOM JSON; ``absent`` alone when it is absent or empty."""
    return entry.get(tag, {}).get("Value") or [absent]


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
