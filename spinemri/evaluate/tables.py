"""Scores as Markdown tables: minimum bars, a row per data set, contrast and structure, and a row per case."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from spinemri.evaluate.bars import judge
from spinemri.evaluate.phantoms import reached

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from spinemri.evaluate.bars import Bar
    from spinemri.evaluate.instances import BodyCount
    from spinemri.evaluate.real import CaseScore
    from spinemri.evaluate.regions import RegionScore

_NAMES = ("misnamed", "unnamed")
_FIGURES = (
    "Dice",
    "raw",
    "central 21 mm",
    "border +1 px",
    "border -1 px",
    "surface mm",
    "bodies",
    "cord AP mm",
)


def markdown(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table; ``|`` within a cell is escaped."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(str(cell).replace("|", "\\|") for cell in line) + " |" for line in lines)


def number(value: float | None, digits: int = 3) -> str:
    """A number, or 'none'."""
    return "none" if value is None else f"{value:.{digits}f}"


def yes(*, kept: bool) -> str:
    """'yes' or 'no'."""
    return "yes" if kept else "**no**"


def bars_table(bars: Iterable[Bar], scores: Sequence[CaseScore]) -> str:
    """Each bar with the figure found, and whether minimum and aim are kept."""
    rows = []
    for bar in bars:
        verdict = judge(bar, scores)
        sign, digits = ("≤" if bar.smaller else "≥"), 1 if bar.at_least > 10 else 3
        limits = (f"{sign} {bar.at_least:g}", f"{sign} {bar.aim:g}")
        found = number(verdict.value, digits), number(verdict.worst, digits)
        rows.append((", ".join(bar.sets), bar.name, verdict.cases, *found, limits[0], yes(kept=verdict.kept), limits[1],
                     yes(kept=verdict.aimed)))  # fmt: skip
    heads = ("data", "figure", "cases", "found", "worst case", "minimum", "kept", "aim", "reached")
    return markdown(heads, rows)


def sets_table(scores: Sequence[CaseScore]) -> str:
    """Means per data set, contrast and structure."""
    groups: dict[tuple[str, str, str], list[CaseScore]] = {}
    for score in scores:
        key = (score.case.set, score.case.contrast, _words(score.case.structure))
        groups.setdefault(key, []).append(score)
    rows = [(*key, len(found), *_figures(found)) for key, found in groups.items()]
    return markdown(("set", "contrast", "structure", "cases", *_FIGURES), rows)


def cases_table(scores: Sequence[CaseScore]) -> str:
    """A row per case, with what is wrong with its bodies and names in words."""
    rows = [
        (s.case.set, s.case.case, s.case.contrast, _words(s.case.structure), *_figures([s]), remarks(s)) for s in scores
    ]
    return markdown(("set", "case", "contrast", "structure", *_FIGURES, "remarks"), rows)


def regions_table(scores: Sequence[RegionScore]) -> str:
    """Mean Dice per structure, region and contrast, and bodies found and named right of those shown whole."""
    kinds = list(dict.fromkeys(name for s in scores for name in s.dice))
    groups: dict[tuple[str, str], list[RegionScore]] = {}
    for score in scores:
        groups.setdefault((score.region, score.contrast), []).append(score)
    for score in scores:
        groups.setdefault((score.region, "**all**"), []).append(score)
    rows = []
    for key, found in groups.items():
        means = [_mean([s.dice.get(kind) for s in found]) for kind in kinds]
        total = [sum(getattr(s, name) for s in found) for name in ("bodies", "found", "named")]
        cells = ["" if mean is None else number(mean) for mean in means]
        rows.append((*key, len(found), *cells, f"{total[1]} of {total[0]}", f"{total[2]} of {total[0]}"))
    heads = ("region", "contrast", "images", *map(_words, kinds), "bodies found", "named right")
    return markdown(heads, rows)


def chain_table(figures: Mapping[str, float]) -> str:
    """The bars of the whole chain on synthetic studies."""
    rows = [
        (name, f"{found:.3g}", least, yes(kept=kept), aim, yes(kept=aimed))
        for name, found, least, kept, aim, aimed in reached(figures)
    ]
    return markdown(("figure", "found", "minimum", "kept", "aim", "reached"), rows)


def remarks(score: CaseScore) -> str:
    """What is wrong with bodies and names of a case, or why it could not be segmented."""
    said = [score.failure] if score.failure else []
    if score.bodies:
        counts = {name: getattr(score.bodies, name) for name in ("missed", "double", "invented", *_NAMES)}
        said += [f"{count} {name}" for name, count in counts.items() if count]
    if score.levels:
        said += [f"{true} is called {name or 'nothing'}" for true, name in score.levels.named.items() if true != name]
        said += [f"{', '.join(names)} {word}" for word, names in
                 (("missing", score.levels.missing), ("invented", score.levels.invented)) if names]  # fmt: skip
    return "; ".join(said)


def _figures(scores: Sequence[CaseScore]) -> list[str]:
    dices = np.mean([(s.dice, s.raw, s.central, s.wider, s.narrower) for s in scores], axis=0)
    return [
        *(number(float(v)) for v in dices),
        number(_mean([s.surface_mm for s in scores]), 2),
        _found([s.bodies for s in scores if s.bodies]),
        number(_mean([s.cord_ap_mm for s in scores]), 2) if any(s.cord_ap_mm is not None for s in scores) else "",
    ]


def _found(counts: Sequence[BodyCount]) -> str:
    """'62 of 63, 1 invented', over cases; empty where bodies are not numbered."""
    if not counts:
        return ""
    parts = [f"{sum(c.once for c in counts)} of {sum(c.labelled for c in counts)}"]
    totals = {word: sum(getattr(c, word) for c in counts) for word in ("invented", *_NAMES)}
    return ", ".join(parts + [f"{total} {word}" for word, total in totals.items() if total])


def _mean(values: Sequence[float | None]) -> float | None:
    known = [v for v in values if v is not None]
    return float(np.mean(known)) if known else None


def _words(structure: str) -> str:
    return structure.replace("_", " ").replace("+", " + ")
