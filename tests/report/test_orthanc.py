"""A PACS takes what is written and gives it back: Orthanc, on this machine only, through DICOMweb."""

from __future__ import annotations

import io
import json
import socket
import subprocess
import time
from contextlib import closing
from email import message_from_bytes
from http.client import HTTPConnection
from pathlib import Path

import pydicom
import pytest

from spinemri.report.dicom_sr import write_sr
from spinemri.report.rtstruct import write_rtstruct
from tests.report import dicom_phantom as phantom
from tests.report.dicom_phantom import ORIENTATIONS
from tests.report.validators import tool

PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")
ROOT = "/dicom-web"
BOUNDARY = "spinemri-parts"
WRITTEN = ("segmentation_2.dcm", "lesions_2.dcm", "measurements.dcm", "contours_2.dcm")


def free_port():
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="module")
def pacs(tmp_path_factory):
    """Port of a DICOMweb server that lives as long as the tests of this module."""
    program = tool("Orthanc", "orthanc orthanc-dicomweb")
    if not PLUGIN.exists():
        pytest.skip("no DICOMweb plugin of Orthanc: apt-get install orthanc-dicomweb")
    folder, port = tmp_path_factory.mktemp("orthanc"), free_port()
    settings = {
        "Name": "test", "StorageDirectory": str(folder / "db"), "IndexDirectory": str(folder / "db"),
        "HttpPort": port, "RemoteAccessAllowed": False, "AuthenticationEnabled": False, "DicomServerEnabled": False,
        "Plugins": [str(PLUGIN)], "DicomWeb": {"Enable": True, "Root": f"{ROOT}/"},
    }  # fmt: skip
    (folder / "orthanc.json").write_text(json.dumps(settings))
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen([program, str(folder / "orthanc.json")], stdout=log, stderr=log)
        try:
            yield started(port, folder / "log")
        finally:
            server.terminate()
            server.wait(30)


def started(port, log):
    for _ in range(300):
        try:
            request(port, "/system")
        except OSError:
            time.sleep(0.1)
        else:
            return port
    raise AssertionError(log.read_text(errors="replace")[-2000:])


def request(port, path, data=None, **headers):
    with closing(HTTPConnection("127.0.0.1", port, timeout=30)) as server:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        server.request("GET" if data is None else "POST", path, data, named)
        answer = server.getresponse()
        assert answer.status == 200, (path, answer.status)
        return answer.headers["Content-Type"], answer.read()


def store(pacs, paths):
    head = f"--{BOUNDARY}\r\nContent-Type: application/dicom\r\n\r\n".encode()
    body = b"".join(head + path.read_bytes() + b"\r\n" for path in paths) + f"--{BOUNDARY}--\r\n".encode()
    kind = f'multipart/related; type="application/dicom"; boundary={BOUNDARY}'
    return json.loads(request(pacs, f"{ROOT}/studies", body, Content_Type=kind, Accept="application/dicom+json")[1])


def fetch(pacs, dataset):
    parts = (f"studies/{dataset.StudyInstanceUID}", f"series/{dataset.SeriesInstanceUID}")
    path = f"{ROOT}/{'/'.join(parts)}/instances/{dataset.SOPInstanceUID}"
    kind, body = request(pacs, path, Accept='multipart/related; type="application/dicom"; transfer-syntax=*')
    (part,) = message_from_bytes(f"Content-Type: {kind}\r\n\r\n".encode() + body).get_payload()
    return pydicom.dcmread(io.BytesIO(part.get_payload(decode=True)))


def test_a_pacs_stores_and_returns_every_object_unchanged_beside_its_source(pacs, tmp_path):
    case = phantom.case_of(phantom.series_of(tmp_path / "source", ORIENTATIONS["oblique coronal"]))
    write_sr(case, tmp_path)
    write_rtstruct(case, tmp_path)
    paths = [tmp_path / name for name in WRITTEN]
    answer = store(pacs, [*(file.path for file in case.images[0].series.files), *paths])
    assert answer.get("00081198", {}).get("Value", []) == []  # Failed SOP Sequence
    for path in paths:
        sent = pydicom.dcmread(path)
        assert fetch(pacs, sent) == sent
    study = pydicom.dcmread(paths[0]).StudyInstanceUID
    series = json.loads(request(pacs, f"{ROOT}/studies/{study}/series", Accept="application/dicom+json")[1])
    assert sorted(one["00080060"]["Value"][0] for one in series) == ["MR", "RTSTRUCT", "SEG", "SEG", "SR"]
