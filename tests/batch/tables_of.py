"""The tables of an output folder as they are compared between runs: without the times, which no two runs share."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def tables(out: Path) -> dict[str, list[dict[str, str]]]:
    kept = {name: rows(out / f"{name}.csv") for name in ("studies", "results", "failures")}
    return {n: [{k: v for k, v in row.items() if "seconds" not in k} for row in kept[n]] for n in kept}
