"""Options that name DICOMweb servers, the same in every command, and what they come to."""

from __future__ import annotations

import signal
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from spinemri.cli.console import progress_bar
from spinemri.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from spinemri.dicom.server import Server

From = Annotated[str | None, typer.Option("--from", help="DICOMweb server that studies come from: https://HOST/PATH.")]
Store = Annotated[
    str | None, typer.Option(help="DICOMweb server that DICOM SEG, SR and RTSTRUCT are stored in; --formats chooses.")
]
FromAuth = Annotated[
    str | None,
    typer.Option(help="Where the credential for --from stands: env:NAME or file:PATH (a token or a header)."),
]
StoreAuth = Annotated[str | None, typer.Option(help="The same for --store; that of --from when both are on one host.")]
Ca = Annotated[Path | None, typer.Option(help="Certificates (PEM) to trust in place of the usual ones.")]
NoVerify = Annotated[
    bool, typer.Option("--no-verify", help="Do not check certificates; credentials go over plain http too.")
]
Timeout = Annotated[float, typer.Option(min=1, help="Seconds to wait for a server's answer.")]
PATIENCE_S = 60.0


@dataclass(frozen=True)
class Access:
    """How servers are reached: where the credentials stand, what is checked, how long is waited."""

    from_auth: str | None
    store_auth: str | None
    ca: Path | None
    no_verify: bool
    timeout: float


def servers(from_: str | None, store: str | None, access: Access) -> tuple[Server | None, Server | None]:
    """The servers that a user named.

    Raises
    ------
    InputError
        An address, credential or file of certificates cannot be used, or says something about no server.
    """
    from spinemri.dicom.server import Server, credential

    if access.from_auth and not from_:
        raise InputError("--from-auth without --from: there is no server to show it to")
    if access.store_auth and not store:
        raise InputError("--store-auth without --store: there is no server to show it to")
    if access.ca and (access.no_verify or not access.ca.is_file()):
        raise InputError(f"--ca {access.ca.name}: expected a file of certificates, and no --no-verify")
    verify = str(access.ca.absolute()) if access.ca else not access.no_verify

    def made(url: str | None, auth: str | None) -> Server | None:
        headers = credential(auth) if auth else {}
        return Server(url, headers, verify, access.timeout) if url else None

    source, target = made(from_, access.from_auth), made(store, access.store_auth)
    if source and target and not access.store_auth and source.same_host(target):
        target = made(store, access.from_auth)
    return source, target


@contextmanager
def study_folder(folder: Path | None, source: Server | None, study: str | None) -> Iterator[Path]:
    """The folder that a user named, or a temporary one with a study of a server.

    Raises
    ------
    InputError
        Neither or both are named, or the server has no such study.
    ServerError, OutputError
        As ``fetched`` does.
    """
    if source is None:
        if study is not None or folder is None:
            raise InputError("expected a FOLDER, or --from URL with --study UID")
        yield folder
        return
    if study is None or folder is not None:
        raise InputError("--from: expected --study UID with it, and no FOLDER")
    from spinemri.batch.archive import fetched
    from spinemri.dicom.web import checked_uid

    with ended_politely(), ExitStack() as stack:
        with progress_bar() as update:
            place = stack.enter_context(fetched(source, checked_uid(study), update))
        yield place


@contextmanager
def ended_politely() -> Iterator[None]:
    """The system's request to end (SIGTERM) is taken as Ctrl-C: temporary folders are removed before the end."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
