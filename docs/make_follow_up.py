"""Writes the section on follow-up of docs/accuracy.md: false calls of change, and which true changes are found.

Each synthetic person is examined four times: as a baseline, unchanged on another day (other posture, slices, pixels,
signals), the same once more with every level named one place too low, and with known changes. Masks of anatomy and
lesions are true: what is judged is the comparison, not the networks.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections import defaultdict
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from spinemri.compare.comparison import Verdict
from spinemri.compare.study import Examination, compare_examinations
from spinemri.evaluate.follow_up import DETECTION_LIMIT_MM, Acquired, State, examined
from spinemri.evaluate.page import with_section
from spinemri.synthesis import morphometry as sizes

if TYPE_CHECKING:
    from collections.abc import Iterable

    from spinemri.compare.comparison import Step

TITLE = "## Follow-up of synthetic people"
FALSE_BAR_PCT, FOUND_BAR_PCT = 5.0, 90.0
FULL_PEOPLE, FIRST_SEED = 16, 52_000
REGIONS = ((sizes.T12, sizes.S1), (sizes.T1 + 5, sizes.T1 + 9))  # lumbar, thoracic; in turn
LESION, FRACTURE = "lesion volume", "height loss"


class Found(NamedTuple):
    """A true change: of what, in minimal detectable changes, and whether it was called with its sign."""

    what: str
    sizes: float
    called: bool


class Score(NamedTuple):
    """What one person yields; ``false`` holds (quantity, called) of each quantity that did not change."""

    false: tuple[tuple[str, bool], ...]
    found: tuple[Found, ...]
    appeared: tuple[bool, ...]
    shift_found: bool
    names_kept: bool


def main() -> None:
    """Score and write the section."""
    options = _options()
    start, scores = time.perf_counter(), []
    with ProcessPoolExecutor(options.jobs, get_context("spawn")) as pool:
        for one in pool.map(score, range(FIRST_SEED, FIRST_SEED + options.people)):
            scores.append(one)
            print(f"{len(scores)} of {options.people} people, {time.perf_counter() - start:.0f} s", flush=True)
    lines = section(scores)
    full = options.people == FULL_PEOPLE
    by = "docs/make_follow_up.py" if full else f"docs/{Path(sys.argv[0]).name} --people {options.people}"
    text = options.page.read_text(encoding="utf-8") if options.page.exists() else "# Accuracy\n"
    made = "\n".join([TITLE, "", f"Made by `{by}`.", "", *lines])
    options.page.write_text(with_section(text, TITLE, made), encoding="utf-8")
    print(made)


def score(seed: int) -> Score:
    """Four examinations of one person, compared."""
    rng = np.random.default_rng([seed, 70])
    region = REGIONS[seed % len(REGIONS)]
    first, second, third, fourth = (int(n) for n in rng.permutation(np.arange(region[0], region[0] + 5))[:4])
    radii = {first: float(rng.uniform(6, 9)), second: float(rng.uniform(6, 9))}
    old_loss = float(rng.choice([0.0, 0.22]))
    before = State({third: old_loss} if old_loss else {}, radii)
    growth = float(rng.uniform(0, 3))
    grown = {first: radii[first] * (1 + growth) ** (1 / 3), fourth: float(rng.uniform(6.5, 9))}
    loss = old_loss + float(rng.uniform(0, 0.4))
    after = State({third: loss}, grown)
    base = examined(seed, before, Acquired(region=region))
    other = _another_day(rng, region, 1)
    same = examined(seed, before, other)
    renamed = examined(seed, before, Acquired(**{**vars(other), "misnamed": 1, "look": 3}))
    changed = examined(seed, after, _another_day(rng, region, 2))
    steps = [
        compare_examinations([Examination(base), Examination(one)]).comparison.steps[0]
        for one in (same, renamed, changed)
    ]
    names = {n: str(level) for n, level in enumerate(sizes.LEVELS)}
    true_volume = 4 / 3 * np.pi * (grown[first] ** 3 - radii[first] ** 3)
    found = [
        *_lesion(steps[2], names[first], float(true_volume)),
        *_loss(steps[2], names[third], 98 * (loss - old_loss)),
    ]
    appeared = [
        any(x.verdict is wanted and x.place == names[n] for x in steps[2].lesions)
        for n, wanted in ((fourth, Verdict.NEW), (second, Verdict.GONE))
    ]
    shifted = steps[1].naming.shift == 1
    return Score(tuple(_false(steps[0])), tuple(found), tuple(appeared), shifted, steps[0].naming.shift == 0)


def _another_day(rng: np.random.Generator, region: tuple[int, int], number: int) -> Acquired:
    spacing, pixel, offset = rng.uniform((3.3, 0.65, -2.2), (5.0, 1.0, 2.2)).tolist()
    return Acquired(spacing=spacing, pixel=pixel, offset=offset, region=region, posture=number, look=number)


def _false(step: Step) -> Iterable[tuple[str, bool]]:
    for change in step.changes:
        if change.verdict is not Verdict.NOT_COMPARABLE:
            yield change.name, change.verdict.called
    for lesion in step.lesions:
        if lesion.verdict is not Verdict.NOT_COMPARABLE:
            yield "verdict on a lesion", lesion.verdict.called
    bad = {f.place for f in step.fractures if f.verdict.called}
    for change in step.changes:
        if change.name == "height_loss_pct" and change.mdc is not None:
            yield "verdict on a fracture", change.place in bad


def _lesion(step: Step, place: str, true_mm3: float) -> Iterable[Found]:
    for lesion in step.lesions:
        change = step.change(f"{lesion.id}.lesion_volume")
        if lesion.place == place and change is not None and change.mdc is not None:
            yield Found(LESION, true_mm3 / change.mdc, lesion.verdict is Verdict.GROWN)


def _loss(step: Step, place: str, true_points: float) -> Iterable[Found]:
    change = step.change(f"{place}.height_loss_pct")
    if change is not None and change.mdc is not None:
        called = any(f.place == place and f.verdict in (Verdict.NEW, Verdict.PROGRESSED) for f in step.fractures)
        yield Found(FRACTURE, true_points / change.mdc, called)


def section(scores: list[Score]) -> list[str]:
    """The section's lines."""
    counts: dict[str, list[bool]] = defaultdict(list)
    for one in scores:
        for name, called in one.false:
            counts[name].append(called)
    every = [called for name, calls in counts.items() if not name.startswith("verdict") for called in calls]
    rows = [("every quantity", every), *sorted(counts.items())]
    lines = [
        (
            f"{len(scores)} people, lumbar and thoracic in turn; masks of anatomy and lesions are true. Between the "
            "dates posture, slice position, slice distance (4.4 against 3.3 to 5.0 mm), pixels and signals differ."
        ),
        "",
        f"**Nothing changed** (bar: at most {FALSE_BAR_PCT:g} % called a change)",
        "",
        "| quantity | compared | called a change | share | bar |",
        "|---|---|---|---|---|",
        *(_false_row(name, calls) for name, calls in rows),
        "",
        f"**True change** (bar: at least {FOUND_BAR_PCT:g} % called from twice the minimal detectable change, MDC)",
        "",
        "| true change | below 1 MDC | 1 to 2 MDC | from 2 MDC | bar |",
        "|---|---|---|---|---|",
        *(_found_row(what, [f for one in scores for f in one.found if f.what == what]) for what in (LESION, FRACTURE)),
        "",
    ]
    appeared, gone = ([one.appeared[n] for one in scores] for n in (0, 1))
    return [
        *lines,
        (
            f"Lesions of 12 to 18 mm (limit of detection {DETECTION_LIMIT_MM:g} mm) that were new: called new in "
            f"{_of(appeared)}; that were gone: called gone in {_of(gone)}."
        ),
        "",
        (
            f"Every level named one place too low at the later date: told in {_of([s.shift_found for s in scores])}. "
            f"Equal names kept where they were right: {_of([s.names_kept for s in scores])}."
        ),
        "",
        (
            "Signals are not in this table: the images state neither field strength nor repetition time, and are then "
            "not compared."
        ),
    ]


def _false_row(name: str, calls: list[bool]) -> str:
    share = 100 * float(np.mean(calls))
    return f"| {name} | {len(calls)} | {sum(calls)} | {share:.1f} % | {_bar(met=share <= FALSE_BAR_PCT)} |"


def _found_row(what: str, found: list[Found]) -> str:
    cells = []
    for low, high in ((-np.inf, 1), (1, 2), (2, np.inf)):
        here = [f.called for f in found if low <= f.sizes < high]
        cells.append(_of(here))
    sure = [f.called for f in found if f.sizes >= 2]
    return f"| {what} | {' | '.join(cells)} | {_bar(met=bool(sure) and 100 * np.mean(sure) >= FOUND_BAR_PCT)} |"


def _bar(*, met: bool) -> str:
    return "met" if met else "missed"


def _of(calls: list[bool]) -> str:
    return f"{sum(calls)} of {len(calls)}"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--page", type=Path, default=Path(__file__).parent / "accuracy.md", help="file to write into")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes")
    parser.add_argument("--people", type=int, default=FULL_PEOPLE, help="synthetic people")
    return parser.parse_args()


if __name__ == "__main__":
    main()
