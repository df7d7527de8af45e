"""Servers as users name them: addresses and credentials that are refused, and what is said when one does not answer."""

from __future__ import annotations

import logging
import ssl
import subprocess
import time

import pytest

from spinemri.dicom import server as module
from spinemri.dicom.server import Server, connected, credential
from spinemri.dicom.web import count_images, store_files
from spinemri.errors import InputError, ServerError
from tests.batch.small_study import write_study
from tests.dicom.web_server import says, serving
from tests.orthanc import free_port
from tests.report.validators import tool

UID = "1.2.826.0.4711"
HIDDEN = "geheim4711"


def refusal(server):
    with pytest.raises(ServerError) as refused:
        count_images(server, UID)
    told = str(refused.value)
    assert UID not in told
    assert HIDDEN not in told
    return told.removeprefix(f"server {server.name}: ")


@pytest.mark.parametrize(
    "url",
    ["pacs", "ftp://pacs/x", "https://", f"https://me:{HIDDEN}@pacs/x", f"https://pacs/x?token={HIDDEN}", "http://a:b"],
)
def test_an_address_that_is_none_or_holds_a_password_is_refused_without_repeating_it(url):
    with pytest.raises(InputError, match=r"expected https://HOST/PATH") as refused:
        Server(url)
    assert HIDDEN not in str(refused.value)


def test_a_credential_never_goes_over_the_net_in_clear_unless_the_user_insists():
    headers = {"Authorization": f"Bearer {HIDDEN}"}
    with pytest.raises(InputError, match="server pacs: http would send the credential in clear; expected https"):
        Server("http://pacs/dicom-web", headers)
    for url, verify in (("https://pacs/x", True), ("http://127.0.0.1:8042/x", True), ("http://pacs/x", False)):
        assert HIDDEN not in repr(Server(url, headers, verify))


@pytest.mark.parametrize(
    ("text", "header"),
    [
        (HIDDEN, {"Authorization": f"Bearer {HIDDEN}"}),
        ("Basic dTpw\n", {"Authorization": "Basic dTpw"}),
        ("X-Api-Key: a b\n", {"X-Api-Key": "a b"}),
    ],
)
def test_a_credential_is_a_token_a_scheme_or_a_header(text, header, monkeypatch, tmp_path):
    monkeypatch.setenv("PACS_TOKEN", text)
    (tmp_path / "token").write_text(text)
    assert credential("env:PACS_TOKEN") == credential(f"file:{tmp_path / 'token'}") == header


@pytest.mark.parametrize("text", ["", " \n", f"{HIDDEN}\nHost: evil", f"{HIDDEN}ü"])
def test_a_credential_that_is_no_line_of_text_is_refused(text, monkeypatch):
    monkeypatch.setenv("PACS_TOKEN", text)
    with pytest.raises(InputError, match="credential env:PACS_TOKEN: expected one line of plain text") as refused:
        credential("env:PACS_TOKEN")
    assert HIDDEN not in str(refused.value)


def test_a_credential_on_the_command_line_is_refused_and_not_repeated(tmp_path):
    for where in (HIDDEN, f"Bearer {HIDDEN}", "env:"):
        with pytest.raises(InputError, match=r"expected env:NAME or file:PATH") as refused:
            credential(where)
        assert HIDDEN not in str(refused.value)
    with pytest.raises(InputError, match="credential file:none: cannot be read") as refused:
        credential(f"file:{tmp_path / 'none'}")
    assert str(tmp_path) not in str(refused.value)
    with pytest.raises(InputError, match="no such environment variable"):
        credential("env:NO_SUCH_NAME")


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (says(401), "refused (HTTP 401: the credential is missing"),
        (says(500), "refused (HTTP 500)"),
        (says(200, b"<html>", "text/html"), "its answer cannot be read"),
        (says(200, b'["x"]'), "its answer cannot be read as DICOM"),
        (says(302, Location="http://127.0.0.1:1/elsewhere"), "sends to another address, which is not followed"),
        (lambda handler: handler.connection.close(), "cannot be reached"),
        (lambda handler: handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n["), "broke off in the"),
        (lambda _: time.sleep(1.5), "no answer within 0.5 s"),
    ],
)
def test_what_goes_wrong_is_one_line_without_address_uid_or_secret(answer, told, caplog):
    caplog.set_level(logging.DEBUG)
    with serving(answer) as url:
        said = refusal(Server(url, {"Authorization": f"Bearer {HIDDEN}"}, patience_s=0.5))
    assert said.startswith(told)
    assert "\n" not in said
    assert caplog.records == []


def test_nobody_at_the_address_is_one_line(caplog):
    caplog.set_level(logging.DEBUG)
    assert refusal(Server(f"http://127.0.0.1:{free_port()}/x")) == "cannot be reached"
    assert caplog.records == []


def test_the_credential_is_sent_and_nothing_from_the_users_netrc(tmp_path, monkeypatch):
    (tmp_path / "netrc").write_text(f"machine 127.0.0.1 login me password {HIDDEN}\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    seen = []

    def answer(handler):
        seen.append((handler.headers.get("Authorization"), handler.headers.get("X-Api-Key")))
        says(200)(handler)

    with serving(answer) as url:
        assert count_images(Server(url, {"X-Api-Key": HIDDEN}), UID) == 0
        assert count_images(Server(url), UID) == 0
    assert seen == [(None, HIDDEN), (None, None)]


def test_a_certificate_is_checked_unless_the_user_says_otherwise(tmp_path):
    names = ("-subj", "/CN=pacs", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2")
    made = ("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "key.pem", "-out", "cert.pem", *names)
    subprocess.run([tool("openssl", "openssl"), *made], cwd=tmp_path, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    with serving(says(200), context) as url:
        assert refusal(Server(url)).startswith("its certificate is not trusted")
        assert count_images(Server(url, verify=str(tmp_path / "cert.pem")), UID) == 0
        assert count_images(Server(url, verify=False), UID) == 0


@pytest.mark.parametrize("kind", ["application/dicom+json", "application/dicom+json; charset=utf-8"])
def test_an_object_that_is_refused_in_a_polite_answer_is_refused(kind, tmp_path):
    body = b'{"00081198": {"vr": "SQ", "Value": [{"00081197": {"vr": "US", "Value": [42752]}}]}}'
    paths = write_study(tmp_path, 1)[:2]
    with serving(says(202, body, kind)) as url, pytest.raises(ServerError) as refused:
        store_files(Server(url), paths)
    assert str(refused.value).endswith(
        "refused 2 of 2 objects: IM0001.dcm (reason A700 hex), IM0002.dcm (reason A700 hex)"
    )


def test_without_the_library_one_line_names_the_extra(monkeypatch):
    monkeypatch.setattr(module, "find_spec", lambda _: None)
    with pytest.raises(InputError, match=r"needs dicomweb-client, .* pip install 'spinemri\[web\]'"):
        Server("https://pacs/x")


def test_logs_of_the_libraries_are_as_the_user_left_them_afterwards():
    log = logging.getLogger("urllib3")
    before = log.level
    with serving(says(200)) as url, connected(Server(url)):
        assert log.level > logging.CRITICAL
    assert log.level == before
