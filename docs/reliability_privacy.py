"""Every command run on marked studies, as a user does, and a search for the marks in all that is written.

Each function of ``WAYS`` returns how many marks were planted, how many bytes were searched and which marks were found.
What is planted is counted by the same search, so a search that finds nothing anywhere is noticed. Run as a script it
prints them all. How marks are planted and found: ``reliability_marks.py``; files that users give besides images:
``reliability_given.py``.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import pydicom
from reliability_given import corrections, lists, refusals, volumes
from reliability_marks import Marks, plant, search, series_folders, spoil, unpacked

from spinemri.dicom.values import lenient
from spinemri.report.write import WITH_IDENTITY, WRITERS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

ROOT = Path(__file__).resolve().parents[1]
SAMPLE = ROOT / "sample_data"
ONE_SERIES = SAMPLE / "4_T2w"
FORMATS = ("--formats", ",".join(name for name in WRITERS if name not in WITH_IDENTITY))
FASTER = ("--no-lesions",)
_START = "from spinemri.cli import main; main()"
_PROGRAM = (sys.executable, "-c", _START)
_HEARD = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"  # in the background a shell mutes it
_MANY = """
import json, sys
from spinemri.cli import main
for line in json.load(sys.stdin):
    sys.argv[1:] = line
    try:
        main()
    except SystemExit as end:
        print("ended with", end.code)
    except Exception as error:
        sys.excepthook(type(error), error, None)
        print("ended with 1")
"""
_PATIENCE_S = 300.0  # for a watch to have stored what it was given
_REFUSED = 2


@dataclass(frozen=True)
class Found:
    """How a search ended: marks that were planted, files and bytes that were searched, and where a mark was found."""

    planted: int
    files: int
    searched_bytes: int
    found: tuple[str, ...]


@dataclass
class Place:
    """A folder for marked input, ``given``, and for what is written, ``out``, with what was printed."""

    root: Path
    given: Path
    out: Path
    runs: int = 0

    def run(self, code: int, *arguments: object) -> None:
        """Run the program; what it prints goes into a file that is searched with the others. Other codes end it all."""
        self.runs += 1
        line = [*_PROGRAM, *map(str, arguments)]
        done = subprocess.run(line, capture_output=True, check=False, cwd=self.root, env=self.environment)
        log = self.out / f"{self.runs}.log"
        log.write_bytes(done.stdout + b"\n" + done.stderr)
        if done.returncode != code:
            raise SystemExit(f"{arguments[0]}: exit code {done.returncode}, not {code}: {log.read_text()[-600:]}")

    def refused(self, commands: list[tuple[object, ...]]) -> None:
        """Run the program on what it must refuse, in one process, which saves the time that it takes to begin."""
        self.runs += 1
        lines = json.dumps([list(map(str, line)) for line in commands]).encode()
        program = [sys.executable, "-c", _MANY]
        done = subprocess.run(
            program, input=lines, capture_output=True, check=False, cwd=self.root, env=self.environment
        )
        (self.out / f"{self.runs}.log").write_bytes(done.stdout + b"\n" + done.stderr)
        ends = [line for line in done.stdout.decode().splitlines() if line.startswith("ended")]
        if ends != [f"ended with {_REFUSED}"] * len(commands):
            raise SystemExit(f"refusals: {ends}: {done.stderr.decode()[-2000:]}")

    @property
    def environment(self) -> dict[str, str]:
        """That of this process, with a configuration folder of its own."""
        return {**os.environ, "XDG_CONFIG_HOME": str(self.root / "configuration"), "PYTHONPATH": str(ROOT)}

    @property
    def key(self) -> tuple[object, ...]:
        """The option that names the key of the tokens."""
        return "--token-key", self.root / "key"

    def result(self) -> Found:
        """What was planted and what of it was found."""
        marks = {key.split(" in ")[0] for key in search([self.given])[0]}
        found, files, total = search([self.out])
        for block in _blocks(self.out):
            for word in (self.root, ROOT, Path.home()):
                found[f"an absolute path ({word.name})"] += str(word).encode() in block
        found = +found
        return Found(len(marks), files, total, tuple(sorted(found)))


@contextmanager
def _place() -> Iterator[Place]:
    with tempfile.TemporaryDirectory(prefix="zqx") as name:
        place = Place(Path(name), Path(name) / "given", Path(name) / "out")
        place.given.mkdir()
        place.out.mkdir()
        yield place


def _blocks(folder: Path) -> Iterable[bytes]:
    return (block for p in folder.rglob("*") if p.is_file() for block in unpacked(p.read_bytes(), p.name))


def leaks_of_analysis(source: Path = SAMPLE, options: tuple[str, ...] = ()) -> Found:
    """Marks in everything that analyze, batch and scan write and print: all formats but those that carry the identity.

    Parameters
    ----------
    source : folder of series to be marked
    options : further options of both commands
    """
    with _place() as place:
        study, cohort, out = place.given / "ZQX00000", place.given / "cohort", place.out
        plant(source, study)
        broken = cohort / "ZQXFFFFF" / "broken"
        shutil.copytree(next(study.glob("broken*")), broken)
        shutil.copytree(study, cohort / "ZQXFFFFE")
        given = (*place.key, *FORMATS, *options)
        place.run(0, "analyze", study, "-o", out / "result", "--debug", out / "debug.zip", *given)
        place.run(_REFUSED, "analyze", broken, "-o", out / "refused", "--debug", out / "refused.zip", *given)
        place.run(_REFUSED, "analyze", study / "none", "-o", out / "none", *given)
        place.run(_REFUSED, "analyze", study, "-o", out / "none", "--patient", "ZQXABCDE", *given)
        place.run(0, "batch", cohort, "-o", out / "batch", "--log-json", "--debug", out / "batch.zip", *given)
        place.run(0, "scan", study)
        return place.result()


def leaks_of_deidentify(source: Path = SAMPLE) -> Found:
    """Marks in the copy that deidentify makes of a marked study, and in what it prints."""
    with _place() as place:
        plant(source, place.given / "ZQX00000")
        place.run(0, "deidentify", place.given / "ZQX00000", "-o", place.out / "copy", *place.key)
        return place.result()


def leaks_of_given_files(source: Path = ONE_SERIES, options: tuple[str, ...] = FASTER) -> Found:
    """Marks in what analyze, convert-labels and score write of reviews, masks, volumes and tables, and refuse of them.

    Parameters
    ----------
    source : folder of series to be marked
    options : further options of analyze
    """
    with _place() as place:
        study, first, out = place.given / "ZQX00000", place.root / "first", place.out
        plant(source, study)
        given = (*place.key, *FORMATS, *options)
        place.run(0, "analyze", study, "-o", first, *place.key, *options, "--formats", "json,nifti,dicom-seg")
        made = corrections(first, source, place.given / "ZQX11111")
        masks = [word for path in made.masks for word in ("--labels", path)]
        scheme = ("--labels-from", "spinemri", "--labels-only")
        corrected = [word for path in made.masks for word in ("--corrected", path)]
        seg = [word for path in made.segs for word in ("--corrected", path)]
        place.run(0, "analyze", study, "-o", out / "review", "--review", made.review, *given)
        place.run(0, "analyze", study, "-o", out / "corrected", *corrected, *given)
        place.run(0, "analyze", study, "-o", out / "seg", *seg, "--debug", out / "seg.zip", *given)
        place.run(0, "analyze", study, "-o", out / "labels", *masks, *scheme, *given)
        place.run(0, "batch", volumes(made.images, place.given / "ZQX22222"), "-o", out / "volumes", *given)
        converted = ("--from", "spinemri", "--to", "verse")
        place.run(0, "convert-labels", made.masks[0], out / "verse.nii.gz", *converted)
        more = ("-o", out / "none", "--debug", out / "refused.zip", *place.key, *options)
        commands = refusals(study, made, place.given / "ZQX33333")
        place.refused([(*line, *more) if line[0] == "analyze" else line for line in commands])
        return place.result()


def leaks_of_compare(source: Path = ONE_SERIES, options: tuple[str, ...] = FASTER) -> Found:
    """Marks in what compare writes and prints of two studies of a person, and of two that it refuses."""
    with _place() as place:
        marks = Marks()
        plant(source, place.given / "ZQX00000", marks)
        marks.day = "19471125"
        plant(source, place.given / "ZQX00001", marks)
        spoil(series_folders(source)[0], place.given / "ZQX00002", marks)
        earlier, later, spoilt = sorted(place.given.iterdir())
        place.run(0, "compare", earlier, later, "-o", place.out / "compared", *place.key, *options)
        for number, folders in enumerate(((later, earlier), (earlier, spoilt), (next(spoilt.iterdir()), later))):
            place.run(_REFUSED, "compare", *folders, "-o", place.out / f"none{number}", *place.key, *options)
        return place.result()


def leaks_of_cohort(source: Path = ONE_SERIES, options: tuple[str, ...] = FASTER) -> Found:
    """Marks in what batch writes with two processes and from a list; a study for each attribute that holds a mark."""
    with _place() as place:
        marks = Marks()
        cohort = place.given / "ZQX00000"
        plant(source, cohort / f"{marks.word()}", marks)
        marks.day = "19471125"
        plant(source, cohort / f"{marks.word()}", marks)
        spoil(series_folders(source)[0], cohort, marks)
        shutil.copytree(next(cohort.rglob("broken*")), cohort / f"{marks.word()} broken")
        given = ("--log-json", "--workers", "2", "--threads", "1", *place.key, *FORMATS, *options)
        place.run(0, "batch", cohort, "-o", place.out / "batch", "--debug", place.out / "batch.zip", *given)
        table = lists(cohort, place.given / "ZQX00001", marks)
        place.run(0, "batch", table, "-o", place.out / "list", *given)
        return place.result()


def leaks_of_server(source: Path = ONE_SERIES, options: tuple[str, ...] = FASTER) -> Found:
    """Marks in what analyze, batch and watch write here and print when studies come from a DICOMweb server (Orthanc).

    What is stored in the server carries the identity of its study, and is not searched.
    """
    servers = import_module("tests.orthanc")
    with _place() as place, tempfile.TemporaryDirectory() as name, servers.orthanc(Path(name)) as pacs:
        study = place.given / "ZQX00000"
        plant(source, study)
        paths = sorted(path for path in study.rglob("series*/*.dcm"))
        pacs.store(paths)
        with lenient():
            uid = str(pydicom.dcmread(paths[0], stop_before_pixels=True).StudyInstanceUID)
        given = (*place.key, *options)
        ends = ("--from", pacs.url, "--store", pacs.url)
        one = ("--study", uid, "--debug", place.out / "debug.zip")
        place.run(0, "analyze", *ends, *one, "-o", place.out / "result", *FORMATS, *given)
        logged = ("--log-json", "--debug", place.out / "batch.zip")
        place.run(0, "batch", *ends[:2], *logged, "-o", place.out / "batch", *FORMATS, *given)
        nobody = ("--from", f"http://127.0.0.1:{servers.free_port()}/zqx00000", "--study", uid)
        place.run(_REFUSED, "analyze", *nobody, "-o", place.out / "none", *given)
        _watched(place, ("watch", *ends, "--days", "40000", *given))
        return place.result()


def _watched(place: Place, arguments: tuple[object, ...]) -> None:
    """A watch that is ended when its one study is stored."""
    state, log = place.out / "state", place.out / "watch.log"
    start = (sys.executable, "-c", f"{_HEARD}; {_START}")
    line = [*start, *map(str, arguments), "--state", str(state), "--interval", "1"]
    with log.open("wb") as told:
        watch = subprocess.Popen(line, stdout=told, stderr=told, cwd=place.root, env=place.environment)
        end = time.monotonic() + _PATIENCE_S
        while b" stored" not in log.read_bytes() and watch.poll() is None and time.monotonic() < end:
            time.sleep(0.2)
        watch.send_signal(signal.SIGINT)
        watch.wait(60)
    if b" stored" not in log.read_bytes():
        raise SystemExit(f"watch: {log.read_text()[-600:]}")


WAYS = {
    "`analyze`, `batch`, `scan`; logs and `--debug` included": leaks_of_analysis,
    "`deidentify`": leaks_of_deidentify,
    "`analyze` with `--review`, `--corrected`, `--labels`, volumes; `convert-labels`; files that are refused": (
        leaks_of_given_files
    ),
    "`compare`": leaks_of_compare,
    "`batch --workers 2`, lists; a mark in place of each value that is read": leaks_of_cohort,
    "`analyze`, `batch`, `watch` with a DICOMweb server": leaks_of_server,
}


def main() -> None:
    """Print what was planted and found."""
    sys.path.insert(0, str(ROOT))
    for name, way in WAYS.items():
        found = way()
        told = "; ".join(found.found[:20]) or "none"
        print(f"{name}: {found.planted} marks planted, {found.searched_bytes} bytes of {found.files} files, {told}")


if __name__ == "__main__":
    main()
