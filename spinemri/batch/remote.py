"""Studies of a DICOMweb server as sources: found by what the server lists, each fetched when its turn comes.

A study is known by its salted token; by its UID only to the server, and to users who keep identifiers.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from spinemri.batch.sources import Source, named
from spinemri.dicom.web import find_studies, mr_series
from spinemri.errors import InputError, ServerError
from spinemri.faults import cause_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date

    from spinemri.dicom.server import Server
    from spinemri.dicom.web import Listed
    from spinemri.pipeline import Options

_DAY = re.compile(r"(\d{4})(\d{2})(\d{2})")


@dataclass(frozen=True)
class Archive:
    """The MR studies of a DICOMweb server.

    Parameters
    ----------
    server : where they are
    since, until : the first and the last day of the studies; no limit when None
    """

    server: Server
    since: date | None = None
    until: date | None = None


@dataclass(frozen=True)
class Remote:
    """A study that is fetched when it is read; it goes to other processes, and the server's credential with it.

    Parameters
    ----------
    server, uid : where it is, and its Study Instance UID
    series : UID and number of files of each MR series; None until the server was asked
    """

    server: Server
    uid: str = field(repr=False)
    series: tuple[tuple[str, int], ...] | None = field(default=None, repr=False)


def find_remote(archive: Archive, options: Options) -> tuple[Source, ...]:
    """Every MR study of a server, the oldest first; only the list is asked for.

    Parameters
    ----------
    options : with a ``token_key`` unless identifiers are kept

    Raises
    ------
    InputError
        There is none.
    ServerError
        The server cannot be reached or refuses.
    """
    server = archive.server
    found = [_source(listed, server, options) for listed in find_studies(server, archive.since, archive.until)]
    if not found:
        raise InputError(f"server {server.name}: no MR study found{' of these days' if _limited(archive) else ''}")
    return tuple(sorted(found, key=lambda source: (source.place, source.id)))


def surveyed(sources: Iterable[Source]) -> tuple[Source, ...]:
    """The sources, each of a server with what it now says of the study's series; what it refuses is the study's fault.

    Raises
    ------
    ServerError
        The server cannot be reached.
    """
    return tuple(_surveyed(source) for source in sources)


def _surveyed(source: Source) -> Source:
    remote = source.remote
    if remote is None or remote.series is not None:
        return source
    try:
        return replace(source, remote=replace(remote, series=mr_series(remote.server, remote.uid)))
    except ServerError as error:
        if getattr(error.__cause__, "response", None) is None:
            raise
        return replace(source, fault=cause_of(error))


def _source(listed: Listed, server: Server, options: Options) -> Source:
    day = _DAY.sub(r"\1-\2-\3", listed.day)
    place = "/".join(filter(None, (day, listed.description)))
    return Source(named(listed.uid, listed.uid, options), place=place, remote=Remote(server, listed.uid))


def _limited(archive: Archive) -> bool:
    return archive.since is not None or archive.until is not None
