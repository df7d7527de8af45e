"""A PACS of other people: Debian's Orthanc with its DICOMweb plug-in, on this machine only."""

from __future__ import annotations

import io
import json
import socket
import subprocess
import time
from contextlib import closing, contextmanager
from dataclasses import dataclass
from email import message_from_bytes
from http.client import HTTPConnection
from pathlib import Path
from typing import TYPE_CHECKING

import pydicom
import pytest

from tests.report.validators import tool

if TYPE_CHECKING:
    from collections.abc import Iterator

PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")
ROOT = "/dicom-web"
BOUNDARY = "spinemri-parts"


@dataclass(frozen=True)
class Pacs:
    """A running server, spoken to without the package."""

    port: int
    settings: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}{ROOT}"

    def request(self, path: str, data: bytes | None = None, **headers: str) -> tuple[str, bytes]:
        with closing(HTTPConnection("127.0.0.1", self.port, timeout=30)) as server:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            server.request("GET" if data is None else "POST", path, data, named)
            answer = server.getresponse()
            assert answer.status == 200, (path, answer.status)
            return answer.headers["Content-Type"], answer.read()

    def store(self, paths):
        head = f"--{BOUNDARY}\r\nContent-Type: application/dicom\r\n\r\n".encode()
        body = b"".join(head + path.read_bytes() + b"\r\n" for path in paths) + f"--{BOUNDARY}--\r\n".encode()
        kind = f'multipart/related; type="application/dicom"; boundary={BOUNDARY}'
        answer = self.request(f"{ROOT}/studies", body, Content_Type=kind, Accept="application/dicom+json")[1]
        assert json.loads(answer).get("00081198", {}).get("Value", []) == []  # Failed SOP Sequence

    def fetch(self, dataset: pydicom.Dataset) -> pydicom.Dataset:
        parts = (f"studies/{dataset.StudyInstanceUID}", f"series/{dataset.SeriesInstanceUID}")
        path = f"{ROOT}/{'/'.join(parts)}/instances/{dataset.SOPInstanceUID}"
        kind, body = self.request(path, Accept='multipart/related; type="application/dicom"; transfer-syntax=*')
        (part,) = message_from_bytes(f"Content-Type: {kind}\r\n\r\n".encode() + body).get_payload()
        return pydicom.dcmread(io.BytesIO(part.get_payload(decode=True)))

    def modalities(self, study: str) -> list[str]:
        """Modality of each series of a study."""
        found = json.loads(self.request(f"{ROOT}/studies/{study}/series", Accept="application/dicom+json")[1])
        return sorted(one["00080060"]["Value"][0] for one in found)

    def instances(self, study: str) -> int:
        """How many objects a study has."""
        found = self.request(f"{ROOT}/studies/{study}/instances", Accept="application/dicom+json")[1]
        return len(json.loads(found))


@contextmanager
def orthanc(folder: Path) -> Iterator[Pacs]:
    """A server that keeps what it is given in ``folder``; the test is skipped where Orthanc is absent."""
    program = tool("Orthanc", "orthanc orthanc-dicomweb")
    if not PLUGIN.exists():
        pytest.skip("no DICOMweb plugin of Orthanc: apt-get install orthanc-dicomweb")
    pacs = Pacs(free_port(), folder / "orthanc.json")
    settings = {
        "Name": "test", "StorageDirectory": str(folder / "db"), "IndexDirectory": str(folder / "db"),
        "HttpPort": pacs.port, "RemoteAccessAllowed": False, "AuthenticationEnabled": False,
        "DicomServerEnabled": False,
        "Plugins": [str(PLUGIN)], "DicomWeb": {"Enable": True, "Root": f"{ROOT}/"},
    }  # fmt: skip
    pacs.settings.write_text(json.dumps(settings))
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen([program, str(pacs.settings)], stdout=log, stderr=log)
        try:
            _wait_for(pacs, folder / "log")
            yield pacs
        finally:
            server.terminate()
            server.wait(30)


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _wait_for(pacs: Pacs, log: Path) -> None:
    for _ in range(300):
        try:
            pacs.request("/system")
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise AssertionError(log.read_text(errors="replace")[-2000:])
