"""Many executions with damaged input, each from a number of its own: ``python -m tests.fuzz.run`` or ``make fuzz``.

Execution N always does the same: ``--first N --executions 1 --processes 1`` repeats one. Each process that reads is
watched from outside: one that works longer than 30 s over an execution, waits for 150 s, or dies is a finding too,
and the next one goes on behind it. Memory is held to 4 GB by the system. What was found goes to a JSON lines file,
the figures to ``docs/fuzz.json``, which grows over runs of one version.
"""

from __future__ import annotations

import argparse
import faulthandler
import json
import logging
import multiprocessing
import os
import resource
import sys
import tempfile
import time
import traceback
import warnings
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from spinemri.errors import SpineMRIError
from tests.fuzz.mutate import damaged
from tests.fuzz.seeds import ROOT, Seed, chains, real, synthetic
from tests.fuzz.targets import TARGETS, where

if TYPE_CHECKING:
    from multiprocessing.process import BaseProcess

LIMIT_S, LIMIT_BYTES = 30, 4 * 1024**3
CHAIN_EVERY = 500
_TOLD_S = 60
_PATIENCE_S = 150
FIGURES = ROOT / "docs" / "fuzz.json"


@cache
def corpus(*, with_real: bool) -> tuple[Seed, ...]:
    """Every input that is damaged; real DICOM files where they are wanted and at hand."""
    return (*synthetic(), *(real() if with_real else ()))


def chosen(rng: np.random.Generator, number: int, *, with_real: bool) -> Seed:
    """The sound input of an execution: every so often a whole study, else any kind, real files half of the time."""
    if number % CHAIN_EVERY == 0:
        return chains()[0]
    every = corpus(with_real=with_real)
    made = len(synthetic_corpus())
    if len(every) > made and rng.random() < 0.15:
        return every[int(rng.integers(made, len(every)))]
    return every[int(rng.integers(made))]


@cache
def synthetic_corpus() -> tuple[Seed, ...]:
    return corpus(with_real=False)


def spoil(number: int, folder: Path, *, with_real: bool) -> Seed:
    """The damaged input of execution ``number``, written into a folder."""
    rng = np.random.default_rng(number)
    seed = chosen(rng, number, with_real=with_real)
    names = list(seed.files)
    some = 1 if rng.random() < 0.6 else int(rng.integers(1, len(names) + 1))
    bad = set(rng.choice(len(names), some, replace=False).tolist()) if rng.random() < 0.85 else set(range(len(names)))
    state = int(rng.integers(2**62))  # every file of a series damaged alike keeps the series together
    for n, name in enumerate(names):
        content = seed.files[name]
        if n in bad:
            alike = np.random.default_rng(state if len(bad) == len(names) else [state, n])
            every = corpus(with_real=with_real)
            other = next(iter(every[int(alike.integers(len(every)))].files.values()))
            content = damaged(alike, name, content, other)
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return seed


def execute(number: int, *, with_real: bool = False, only: str = "") -> tuple[str, dict[str, Any] | None]:
    """Which target an execution ran, and what went wrong; None when it was read or refused."""
    with tempfile.TemporaryDirectory(prefix="fuzz") as name, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        folder = Path(name)
        seed = spoil(number, folder, with_real=with_real)
        warnings.simplefilter("error")  # a warning shows the user a line that may hold what stands in the file
        if only and seed.target != only:
            return "", None
        try:
            TARGETS[seed.target](folder)
        except SpineMRIError as error:
            if "\n" in str(error) or len(str(error)) > 5000:
                return seed.target, {"seed": number, "input": seed.name, "kind": "a message of many lines", "trace": ""}
            return seed.target, None
        except Exception as error:  # what is looked for
            kind, trace = where(error), traceback.format_exc()
            return seed.target, {"seed": number, "input": seed.name, "kind": kind, "trace": trace}
    return seed.target, None


@dataclass
class Watched:
    """A process that reads, the execution it is at, and since when."""

    numbers: range
    chosen: dict[str, Any]
    log: Path
    process: BaseProcess | None = None
    pipe: Any = None
    at: int = -1
    since: float = 0.0
    cpu: float = 0.0
    done: bool = False
    counts: dict[str, int] = field(default_factory=dict)

    def start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe(duplex=False)
        work = (theirs, self.numbers, self.log, self.chosen)
        self.process = context.Process(target=_work, args=work, daemon=True)
        self.process.start()
        theirs.close()
        self.since = time.monotonic() + 60  # the libraries are loaded first

    def read(self) -> list[dict[str, Any]]:
        """Findings since the last look; a process that hangs or died is one."""
        found: list[dict[str, Any]] = []
        try:
            while self.pipe.poll():
                kind, value = self.pipe.recv()
                if kind == "at":
                    (self.at, self.cpu), self.since = value, time.monotonic()
                elif kind == "ran":
                    target, finding = value
                    self.counts[target] = self.counts.get(target, 0) + 1
                    found += [finding] if finding else []
                else:
                    self.done = True
        except EOFError:
            pass
        if self.done:
            return found
        waited = time.monotonic() - self.since
        hangs = waited > _PATIENCE_S or (waited > LIMIT_S and self._worked() > LIMIT_S)
        if hangs or not self.process.is_alive():
            self.process.kill()
            self.process.join()
            kind = f"longer than {LIMIT_S} s" if hangs else f"the process died ({self.process.exitcode})"
            found.append(
                {"seed": self.at, "input": "", "kind": kind, "trace": self.log.read_text(errors="replace")[-6000:]}
            )
            self.numbers = self.numbers[self.numbers.index(self.at) + 1 :] if self.at in self.numbers else range(0)
            self.done = not self.numbers
            if not self.done:
                self.start()
        return found

    def _worked(self) -> float:
        """Seconds of processor time that the execution took so far; other programs on the machine do not count."""
        try:
            fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:  # no such system: the time that passed
            return time.monotonic() - self.since
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK") - self.cpu


def _work(pipe: Any, numbers: range, log: Path, chosen_: dict[str, Any]) -> None:
    logging.disable(logging.CRITICAL)
    corpus(with_real=chosen_["with_real"])
    resource.setrlimit(resource.RLIMIT_DATA, (LIMIT_BYTES, LIMIT_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with log.open("w") as stream:
        os.dup2(stream.fileno(), 1)  # libraries write around Python's own streams
        os.dup2(stream.fileno(), 2)
        faulthandler.enable(stream)
        for number in numbers:
            pipe.send(("at", (number, time.process_time())))
            stream.truncate(0)
            faulthandler.dump_traceback_later(LIMIT_S - 2, repeat=True, file=stream)
            pipe.send(("ran", execute(number, **chosen_)))
        faulthandler.cancel_dump_traceback_later()
    pipe.send(("end", None))


def run(
    first: int, executions: int, processes: int, *, with_real: bool, findings: Path, only: str = ""
) -> dict[str, Any]:
    """Figures of a run; every finding is appended to a file as it comes."""
    begun = time.monotonic()
    whole = range(first, first + executions)
    logs = Path(tempfile.mkdtemp(prefix="fuzz-log"))
    crew = [
        Watched(whole[n::processes], {"with_real": with_real, "only": only}, logs / str(n)) for n in range(processes)
    ]
    kinds: dict[str, list[int]] = {}
    told = begun
    for one in crew:
        one.start()
    while not all(one.done for one in crew):
        time.sleep(0.2)
        if time.monotonic() > told + _TOLD_S:
            told = time.monotonic()
            print(f"{sum(sum(one.counts.values()) for one in crew)} of {executions}", flush=True)
        for finding in (finding for one in crew if not one.done for finding in one.read()):
            if finding["kind"] not in kinds:
                print(f"seed {finding['seed']}: {finding['kind']} ({finding['input']})", flush=True)
            kinds.setdefault(finding["kind"], []).append(finding["seed"])
            with findings.open("a", encoding="utf-8") as stream:
                stream.write(json.dumps(finding) + "\n")
    by_target = {t: sum(one.counts.get(t, 0) for one in crew) for t in TARGETS}
    return {
        "first": first,
        "executions": sum(by_target.values())
        + sum(len(s) for k, s in kinds.items() if k.startswith(("longer", "the p"))),
        "by_target": by_target,
        "real_files": with_real and bool(real()),
        "minutes": round((time.monotonic() - begun) / 60, 1),
        "processes": processes,
        "kinds_of_faults": {kind: len(seeds) for kind, seeds in sorted(kinds.items())},
    }


def repeated(findings: Path, figures: Path) -> int:
    """Every execution of a file of findings once more; how many still fail goes into the figures of their run."""
    numbers = sorted({json.loads(line)["seed"] for line in findings.read_text(encoding="utf-8").splitlines()})
    still = [number for number in numbers if execute(number, with_real=True)[1] is not None]
    print(f"{len(numbers)} executions repeated, {len(still)} still fail {still or ''}")
    told = json.loads(figures.read_text(encoding="utf-8")) | {"repeated": len(numbers), "still_faults": len(still)}
    figures.write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
    return 1 if still else 0


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--first", type=int, default=0, help="number of the first execution")
    options.add_argument("--executions", type=int, default=100_000)
    options.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    options.add_argument("--synthetic", action="store_true", help="no real files, though they are at hand")
    options.add_argument("--only", default="", help=f"one of {', '.join(TARGETS)}: executions of others are left out")
    options.add_argument("--findings", type=Path, default=Path(tempfile.gettempdir()) / "spinemri_fuzz.jsonl")
    options.add_argument("--figures", type=Path, help="JSON file for the figures")
    options.add_argument("--again", action="store_true", help="repeat what --findings holds, note it in --figures")
    chosen_ = options.parse_args()
    if chosen_.again:
        return repeated(chosen_.findings, chosen_.figures or FIGURES)
    figures = run(
        chosen_.first,
        chosen_.executions,
        chosen_.processes,
        with_real=not chosen_.synthetic,
        findings=chosen_.findings,
        only=chosen_.only,
    )
    print(json.dumps(figures, indent=2))
    if chosen_.figures:
        chosen_.figures.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    return 1 if figures["kinds_of_faults"] else 0


if __name__ == "__main__":
    sys.exit(main())
