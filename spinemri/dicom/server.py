"""A DICOMweb server: its address, what it is shown as proof of who asks, and how patiently it is waited for.

Nothing is ever sent unless a user names a server. A credential comes from an environment variable or a file, goes to
that server only, and is never shown; so redirects are not followed, and ``~/.netrc`` is not read. Addresses of studies
hold UIDs, so what goes wrong is told without them, and what the libraries log is silenced.
Needs dicomweb-client, which only this module loads: ``pip install 'spinemri[web]'``.
"""

from __future__ import annotations

import logging
import os
import re
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, urlsplit

from spinemri.dicom.values import READ_ERRORS, lenient
from spinemri.errors import InputError, ServerError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PATIENCE_S = 60.0
_NEEDED = "a DICOMweb server: needs dicomweb-client, which is not installed; expected pip install 'spinemri[web]'"
_CREDENTIAL = "expected env:NAME or file:PATH; the credential itself never stands on the command line"
_HEADER = re.compile(r"([A-Za-z0-9-]+): +(\S.*)")
_LONGEST = 1 << 16  # characters of a credential that are read; a device has no end
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_LOGS = ("dicomweb_client", "urllib3", "requests", "retrying")
_REFUSED = {
    401: "the credential is missing or wrong; --from-auth and --store-auth say where it is",
    403: "this user may not do that",
    404: "no such study, or not the address of a DICOMweb service",
    413: "too large for it",
}


@dataclass(frozen=True)
class Server:
    """Where a server is and how to speak with it.

    Parameters
    ----------
    url : root of its DICOMweb service, such as ``https://pacs.example/dicom-web``
    headers : sent with every request; from ``credential``
    verify : check the certificate (TLS); a path of certificates to trust in place of the usual ones
    patience_s : seconds to wait for a connection, and for each piece of an answer

    Raises
    ------
    InputError
        The address is none, holds a password, or would send a credential in clear to another machine.
    """

    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    verify: bool | str = True
    patience_s: float = PATIENCE_S

    def __post_init__(self) -> None:
        check_installed()
        parts = _parts(self.url)
        if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
            raise InputError("the address of a server holds a user, password or query: expected https://HOST/PATH only")
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise InputError("the address of a server: expected https://HOST/PATH or http://HOST/PATH")
        if self.headers and parts.scheme == "http" and self.verify and parts.hostname not in _LOOPBACK:
            raise InputError(f"server {self.name}: http would send the credential in clear; expected https")

    @property
    def name(self) -> str:
        """Host and port, for messages."""
        return _parts(self.url).netloc

    def same_host(self, other: Server) -> bool:
        """Whether both are reached in the same way at the same host and port."""
        one, two = _parts(self.url), _parts(other.url)
        return (one.scheme, one.netloc) == (two.scheme, two.netloc)


def credential(where: str) -> dict[str, str]:
    """The header that proves who asks, from ``env:NAME`` or ``file:PATH``.

    What stands there is a header (``X-Api-Key: abc``), a scheme with its value (``Basic dTpw``), or a bearer token.

    Raises
    ------
    InputError
        It says neither, there is no such variable or file, or it is not one line of text. The value is never repeated.
    """
    kind, _, name = where.partition(":")
    if kind not in {"env", "file"} or not name:
        raise InputError(f"credential: {_CREDENTIAL}")
    secret = _secret(kind, name).strip()
    if not secret or not secret.isascii() or not secret.isprintable():
        raise InputError(f"credential {_shown(kind, name)}: expected one line of plain text")
    if found := _HEADER.fullmatch(secret):
        return {found[1]: found[2]}
    return {"Authorization": secret if " " in secret else f"Bearer {secret}"}


def check_installed() -> None:
    """Raise InputError when dicomweb-client is not installed."""
    if find_spec("dicomweb_client") is None:
        raise InputError(_NEEDED)


@contextmanager
def connected(server: Server) -> Iterator[Any]:
    """A ``DICOMwebClient`` of a server; whatever goes wrong inside is a ServerError of one line without a UID.

    Raises
    ------
    ServerError
        The server cannot be reached, refuses (``status`` of the cause's response), or answers with something else.
    """
    requests = import_module("requests")
    with _silent(), lenient(), requests.Session() as session:
        session.trust_env = False  # else ~/.netrc and REQUESTS_CA_BUNDLE overrule what is said here
        session.proxies = requests.utils.get_environ_proxies(server.url)
        session.max_redirects = 0
        session.verify = server.verify
        session.headers.update({"Accept": "application/dicom+json", **server.headers})
        session.hooks["response"].append(_plain_type)
        client = import_module("dicomweb_client").DICOMwebClient(
            server.url.rstrip("/"), session=session, timeout=server.patience_s
        )
        client.set_http_retry_params(retry=False)
        try:
            yield client
        except requests.RequestException as error:
            raise ServerError(f"server {server.name}: {_told(error, server)}") from error
        except READ_ERRORS as error:
            raise ServerError(f"server {server.name}: its answer cannot be read as DICOM") from error


def _told(error: Any, server: Server) -> str:
    """What went wrong, without the library's own words, which hold addresses."""
    kinds = import_module("requests").exceptions
    if isinstance(error, kinds.HTTPError):
        status = error.response.status_code
        return f"refused (HTTP {status}{f': {_REFUSED[status]}' if status in _REFUSED else ''})"
    if isinstance(error, kinds.SSLError):
        return "its certificate is not trusted (--ca FILE names certificates to trust)"
    if isinstance(error, kinds.Timeout):
        return f"no answer within {server.patience_s:g} s"
    if isinstance(error, kinds.TooManyRedirects):
        return "sends to another address, which is not followed; expected its final address"
    if isinstance(error, kinds.ChunkedEncodingError | kinds.ContentDecodingError):
        return "broke off in the middle of an answer"
    return "its answer cannot be read" if isinstance(error, kinds.JSONDecodeError) else "cannot be reached"


def _plain_type(response: Any, **_: object) -> None:
    """'application/dicom+json; charset=utf-8' as dicomweb-client expects it: without parameters."""
    kind = response.headers.get("Content-Type", "")
    if kind.lower().startswith("application/"):
        response.headers["Content-Type"] = kind.partition(";")[0].strip().lower()


@contextmanager
def _silent() -> Iterator[None]:
    """No log of the libraries: it names addresses, which hold UIDs, and headers."""
    logs = [logging.getLogger(name) for name in _LOGS]
    levels = [log.level for log in logs]
    try:
        for log in logs:
            log.setLevel(logging.CRITICAL + 1)
        yield
    finally:
        for log, level in zip(logs, levels, strict=True):
            log.setLevel(level)


def _secret(kind: str, name: str) -> str:
    try:
        if kind == "env":
            return os.environ[name]
        with Path(name).open(encoding="utf-8") as stream:
            return stream.read(_LONGEST)
    except KeyError:
        raise InputError(f"credential {_shown(kind, name)}: no such environment variable; {_CREDENTIAL}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"credential {_shown(kind, name)}: cannot be read; {_CREDENTIAL}") from error


def _shown(kind: str, name: str) -> str:
    """Where a credential stands, without folders."""
    return f"env:{name}" if kind == "env" else f"file:{Path(name).name}"


def _parts(url: str) -> SplitResult:
    try:
        parts = urlsplit(url.strip())
        _ = parts.port  # raises for a port that is no number
    except ValueError:
        raise InputError("the address of a server: expected https://HOST/PATH or http://HOST/PATH") from None
    return parts
