"""A section of docs/reliability.md: a batch of two hundred small studies, twenty of them broken, run and killed.

The studies are those of the tests, whose network knows the truth: what is tried here is the batch, not the anatomy.
"""

from __future__ import annotations

import importlib
import tempfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pydicom

from spinemri.batch.run import run
from spinemri.batch.sources import find_sources

if TYPE_CHECKING:
    from collections.abc import Callable

TITLE = "## Two hundred studies, twenty of them broken"
STUDIES, EACH, KILLS = 200, 4, 10


def _cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-700])


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _unplaced(path: Path) -> None:
    dataset = pydicom.dcmread(path)
    del dataset.ImagePositionPatient
    dataset.save_as(path)


def _of_one_value(path: Path) -> None:
    dataset = pydicom.dcmread(path)
    dataset.PixelData = np.full((dataset.Rows, dataset.Columns), 7, np.uint16).tobytes()
    dataset.save_as(path)


def _projected(path: Path) -> None:
    dataset = pydicom.dcmread(path)
    dataset.ImageType = ["DERIVED", "PRIMARY", "PROJECTION IMAGE", "MIP"]
    dataset.save_as(path)


BROKEN: dict[str, tuple[Callable[[Path], None], str]] = {  # what is done to every file, and what the cause must say
    "cut short": (_cut_short, "truncated"),
    "empty": (_empty, "empty"),
    "without a position": (_unplaced, "Image Position"),
    "of one value": (_of_one_value, "same value"),
    "a projection": (_projected, "projection (MIP)"),
}


def section() -> tuple[list[tuple[str, str, bool]], list[str]]:
    """What was counted, as (what, value, whether it is as it must be), and the section's lines."""
    tests = importlib.import_module("tests.batch.small_study"), importlib.import_module("tests.batch.tables_of")
    with tempfile.TemporaryDirectory() as name:
        root, calm, killed = (Path(name) / part for part in ("root", "calm", "killed"))
        broken = _studies(root, tests[0].write_study)
        sources = find_sources(root, tests[0].OPTIONS)
        ends = Counter(outcome.status for outcome in run(sources, tests[0].job(), calm))
        folder_of = {source.id: (source.files[0].parent if source.files else source.base).name for source in sources}
        told = {folder_of[row["id"]]: row["error"] for row in tests[1].rows(calm / "failures.csv")}
        killing = importlib.import_module("tests.batch.killing")
        hits = killing.killed_runs(root, killed, KILLS, most=25, seed=7)
        resumed = Counter(outcome.status for outcome in run(sources, tests[0].job(), killed))
        same = tests[1].tables(killed) == tests[1].tables(calm)
        left = len(list((killed / ".batch" / "locks").iterdir()))
    good = STUDIES - len(broken)
    named = {
        how: sum(BROKEN[how][1] in told.get(study, "") for study, h in broken.items() if h == how) for how in BROKEN
    }
    rows = [
        ("studies done", f"{ends['done']} of {good}", ends["done"] == good),
        *(
            (f"every file {how}: reported, cause named", f"{n} of {EACH}", n == EACH)
            for how in BROKEN
            for n in [named[how]]
        ),
        ("other failures", str(len(told.keys() - broken.keys())), not told.keys() - broken.keys()),
        (f"killed (SIGKILL) while it ran, of {KILLS} times", str(hits), hits >= KILLS // 2),
        ("studies that the last run did not have to repeat", str(resumed["unchanged"]), resumed["unchanged"] > 0),
        ("tables after the last run equal those of the undisturbed one", "yes" if same else "no", same),
        ("locks left behind", str(left), left == 0),
    ]
    about = (
        f"{STUDIES} small studies, {EACH} each broken in {len(BROKEN)} ways; run undisturbed, and killed at "
        f"{KILLS} random moments and resumed."
    )
    lines = [about, "", "| | | as it must be |", "|---|---|---|"]
    lines += [f"| {what} | {value} | {'yes' if right else '**no**'} |" for what, value, right in rows]
    return rows, lines


def _studies(root: Path, write_study: Callable[[Path, int], tuple[Path, ...]]) -> dict[str, str]:
    """Write them; name of the folder and what is wrong, of the broken ones."""
    kinds = [how for how in BROKEN for _ in range(EACH)]
    step = STUDIES // len(kinds)
    broken = {}
    for number in range(STUDIES):
        name = f"s{number:03d}"
        files = write_study(root / name, number)
        if number % step == step // 2:
            broken[name] = kinds[number // step]
            for path in files:
                BROKEN[broken[name]][0](path)
    return broken
