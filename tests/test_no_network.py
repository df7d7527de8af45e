"""The whole job, alone and in batch, without a socket: nothing is asked of the network and nothing is told to it.

It runs in a process of its own, in which any attempt to open a connection, to listen or to resolve a name is noted and
fails; libraries that would swallow that failure are noted all the same.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

PROGRAM = """
import sys
asked = []
def refuse(event, arguments):
    own = event == "socket.bind" and arguments[1] == ("::1", 0)  # urllib3 looks whether this machine has IPv6
    if event in EVENTS and not own:
        asked.append((event, arguments[1:]))
        raise OSError(f"no network: {event}")
EVENTS = {
    "socket.connect", "socket.bind", "socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr",
    "socket.sendto", "socket.sendmsg", "urllib.Request", "http.client.connect", "ftplib.connect", "smtplib.connect",
}
sys.addaudithook(refuse)
"""
WHOLE = (
    PROGRAM
    + """
from spinemri.cli import main
for words in (
    ["analyze", "study", "-o", "out", "--formats", "all", "--token-key", "key"],
    ["batch", "study", "-o", "many", "--token-key", "key", "--no-lesions", "--formats", "json,html"],
):
    sys.argv = ["spinemri", *words]
    try:
        main()
    except SystemExit as end:
        assert not end.code, end.code
print("asked for", asked)
"""
)
WITNESS = (
    PROGRAM
    + """
import urllib.request
try:
    urllib.request.urlopen("https://example.invalid/")
except OSError:
    pass
print("asked", len(asked) > 0)
"""
)


def run(program: str, folder: Path) -> str:
    environment = {k: v for k, v in os.environ.items() if "proxy" not in k.lower()}
    environment |= {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "XDG_CONFIG_HOME": str(folder / "config")}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_witness_sees_a_connection(tmp_path):
    assert run(WITNESS, tmp_path).split() == ["asked", "True"]


def test_analysis_in_every_format_and_a_batch_need_no_network(tmp_path):
    """Five slices of the sample study, the bundled networks, every format."""
    (tmp_path / "study").mkdir()
    for path in sorted((ROOT / "sample_data" / "4_T2w").iterdir())[6:11]:
        shutil.copy(path, tmp_path / "study")
    assert run(WHOLE, tmp_path).splitlines()[-1] == "asked for []"
    assert (tmp_path / "out" / "report.json").is_file()
    assert (tmp_path / "out" / "report.pdf").is_file()
    assert len(list((tmp_path / "many" / "studies").glob("*/report.json"))) == 1


def test_nothing_that_runs_opens_a_connection_of_its_own():
    """Libraries of the network are imported by the DICOMweb client only, which is given an address."""
    named = {"socket", "http.client", "urllib.request", "requests", "httpx", "aiohttp", "ftplib", "smtplib"}
    found = {
        path.relative_to(ROOT / "spinemri").as_posix()
        for path in (ROOT / "spinemri").rglob("*.py")
        for line in path.read_text(encoding="utf-8").splitlines()
        if any(line.strip().startswith((f"import {name}", f"from {name} ")) for name in named)
    }
    assert found <= {"dicom/server.py", "batch/lock.py", "batch/cluster.py"}
