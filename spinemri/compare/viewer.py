"""All examinations in one viewer, side by side: the report's viewer, fed with every date's series.

Each date keeps its own images and its own frame of reference. The registration of each matched vertebra leads from a
point of one to the same anatomy in the other, so that a click or a step in one moves the other; where no vertebra was
registered nothing is linked, and the viewer says so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from spinemri.compare import words
from spinemri.compare.overlays import change_of, overlays, step_of
from spinemri.report.phrases import page_phrases
from spinemri.report.viewer import viewer_document

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from spinemri.compare.matching import Pair
    from spinemri.compare.study import Compared

    Document = dict[str, Any]

_DIGITS = 6  # of a direction: 1e-6 over the length of a spine is a micrometre


def linked_viewer(compared: Compared) -> Document:
    """Everything the viewer of the comparison needs, ready for JSON; positions are LPS mm, each date's own.

    ``links`` lead from a point of one frame to the same anatomy in another: matrix (3, 3) and offset (3,), mm, with the
    centre of the vertebra that was registered (``at``), its name and the share of both bodies that overlap.
    """
    share = 1 / len(compared.cases)
    documents = [viewer_document(case, tuple(overlays(compared, n)), share) for n, case in enumerate(compared.cases)]
    frames = _frames(compared, documents)
    merged: Document = {"series": [], "structures": [], "places": {}, "bodies": [], "lines": [], "shifts": []}
    for n, document in enumerate(documents):
        _add(merged, document, compared, n)
    levels = [str(level) for level in compared.cases[0].analysis.spine.levels]
    return {
        **merged,
        "levels": levels,
        "links": list(_links(compared, frames)),
        "first": _first(compared),
        "start": start(compared),
        "words": {"viewer": words.viewer(compared.comparison.examinations), "sort": page_phrases.SORT},
    }


def place_key(number: int, place: str) -> str:
    """What a place of an examination is called among all places: the baseline's by their own names."""
    return place if number == 0 else f"{number}:{place}"


def start(compared: Compared) -> str:
    """What is shown first: the first lesion or fracture that has changed against the baseline, else any."""
    at = step_of(compared, 0)
    step = compared.comparison.steps[at] if at is not None else None
    if step is None:
        return ""
    lesions = [(one.place, one.verdict.called) for one in step.lesions]
    found = [*lesions, *((one.place, one.verdict.called) for one in step.fractures)]
    called = [place for place, changed in found if changed]
    return next(iter((*called, *(place for place, _ in found))), "")


def _add(merged: Document, document: Document, compared: Compared, n: int) -> None:
    """Put one examination's document behind those before it: numbers go on, names say which date."""
    series, structures = len(merged["series"]), len(merged["structures"])
    frames = 1 + max((one["linked"] for one in merged["series"]), default=-1)
    when = words.short(compared.comparison.examinations[n])
    for one in document["series"]:
        slices = [
            {
                **slice_,
                "outlines": [(known + structures, path) for known, path in slice_["outlines"]],
                "names": [(known + structures, x, y) for known, x, y in slice_["names"]],
            }
            for slice_ in one["slices"]
        ]
        title = f"{when}: {one['title']}"
        merged["series"].append({**one, "title": title, "linked": one["linked"] + frames, "slices": slices, "day": n})
    merged["structures"] += [_verdict(one, compared, n) for one in document["structures"]]
    same = _same_levels(compared, n)
    for name, place in document["places"].items():
        known = {**place, "series": place["series"] + series, "level": same.get(place["level"], place["level"])}
        merged["places"][place_key(n, name)] = known
    merged["bodies"] += [place_key(n, level) for level in document["levels"]]
    merged["lines"] += [{**line, "series": line["series"] + series} for line in document["lines"]]
    merged["shifts"] += [
        {**shift, "texts": {number + series: text for number, text in shift["texts"].items()}}
        for shift in document["shifts"]
    ]


def _verdict(structure: Document, compared: Compared, n: int) -> Document:
    """A lesion of an examination in the colour of what became of it; anything else as it is."""
    at = step_of(compared, n)
    if at is None:
        return structure
    change = change_of(compared.comparison.steps[at], structure["name"], later=n > 0)
    if change is None:
        return structure
    return {**structure, "name": words.outline(change, n), "colour": words.VERDICT_COLOURS[change.verdict]}


def _same_levels(compared: Compared, n: int) -> dict[str, str]:
    """A later examination's name of a vertebra -> the baseline's, where both belong together."""
    at = step_of(compared, n)
    if n == 0 or at is None:
        return {}
    return {str(pair.later.level): str(level) for level, pair in compared.pairs[at].items()}


def _frames(compared: Compared, documents: list[Document]) -> list[dict[str, int]]:
    """For each examination, series_uid -> number of its frame among the frames of all."""
    found, before = [], 0
    for case, document in zip(compared.cases, documents, strict=True):
        uids = [series.series_uid for series in case.analysis.used_series()]
        numbers = [one["linked"] for one in document["series"]]
        found.append({uid: number + before for uid, number in zip(uids, numbers, strict=True)})
        before += 1 + max(numbers, default=-1)
    return found


def _links(compared: Compared, frames: list[dict[str, int]]) -> Iterator[Document]:
    for step, pairs in zip(compared.comparison.steps, compared.pairs, strict=True):
        yield from _links_of(pairs, frames[step.earlier], frames[step.later])


def _links_of(pairs: Mapping[Any, Pair], earlier: dict[str, int], later: dict[str, int]) -> Iterator[Document]:
    for level, pair in pairs.items():
        laid = pair.laid
        ends = earlier.get(pair.earlier.series_uid), later.get(pair.later.series_uid)
        if laid is None or None in ends:
            continue
        said = {"level": str(level), "overlap": f"{100 * laid.overlap:.0f}"}
        offset = laid.centre + laid.shift - laid.turn @ laid.centre
        back = laid.turn.T
        yield {
            "from": ends[0],
            "to": ends[1],
            "at": _rounded(pair.earlier.centre),
            **_motion(laid.turn, offset),
            **said,
        }
        yield {
            "from": ends[1],
            "to": ends[0],
            "at": _rounded(pair.later.centre),
            **_motion(back, -back @ offset),
            **said,
        }


def _motion(turn: NDArray[np.float64], offset: NDArray[np.float64]) -> Document:
    return {"matrix": np.round(turn, _DIGITS).tolist(), "offset": np.round(offset, 3).tolist()}


def _rounded(point: tuple[float, float, float]) -> list[float]:
    return [round(v, 2) for v in point]


def _first(compared: Compared) -> list[int]:
    """The series that stand side by side at first: of one contrast, the baseline's and the last examination's."""
    series = [case.analysis.used_series() for case in compared.cases]
    before = sum(len(one) for one in series[:-1])
    pairs = [
        (a, before + b)
        for a, one in enumerate(series[0])
        for b, other in enumerate(series[-1])
        if one.contrast is other.contrast and one.plane is other.plane
    ]
    return list(pairs[0]) if pairs else [0, before]
