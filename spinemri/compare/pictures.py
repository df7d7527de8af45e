"""Matched vertebrae at both dates side by side: the same size in mm, the same place in the bone, lesions outlined.

The slice of the later examination is the one that shows what the earlier slice shows, by the registration of the
vertebra; it is not resampled, so a slice apart may lie up to half a slice distance off.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image as Picture

from spinemri import plot
from spinemri.compare import words
from spinemri.language import Phrases
from spinemri.report.drawing import Shape, box_of, data_uri
from spinemri.report.lesion_figure import lesion_shapes
from spinemri.terms import term

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from spinemri.case import Case
    from spinemri.compare.comparison import Comparison, Step
    from spinemri.compare.matching import Pair
    from spinemri.compare.study import Compared
    from spinemri.plot import SagittalView

    Point = NDArray[np.float64]

phrases = Phrases("compare.pictures")

_SIDE_MM, _PIXELS, _QUALITY = 80.0, 400, 80


@dataclass(frozen=True)
class DatePicture:
    """A square of one date; positions in mm, ``box`` is the square that is shown."""

    caption: str
    alternative: str
    image: str
    image_box: tuple[float, float, float, float]
    box: tuple[float, float, float, float]
    shapes: tuple[Shape, ...]


@dataclass(frozen=True)
class Row:
    """A vertebra at both dates."""

    place: str
    said: str
    pictures: tuple[DatePicture, ...]


def rows(compared: Compared, number: int) -> tuple[Row, ...]:
    """A row for each vertebra of a step that holds a lesion or lost height; none of the others."""
    comparison = compared.comparison
    step = comparison.steps[number]
    cases = compared.cases[step.earlier], compared.cases[step.later]
    told = {lesion.place for lesion in step.lesions} | {found.place for found in step.fractures}
    return tuple(
        _row(comparison, step, cases, pair)
        for pair in compared.pairs[number].values()
        if str(pair.earlier.level) in told
    )


def _row(comparison: Comparison, step: Step, cases: Sequence[Case], pair: Pair) -> Row:
    place = str(pair.earlier.level)
    lesions = [
        phrases.LESION.format(id=one.id, verdict=term(one.verdict.value)) for one in step.lesions if one.place == place
    ]
    fractures = [words.phrases["FRACTURE"][one.verdict.value] for one in step.fractures if one.place == place]
    point, there = _middles(cases, pair)
    names = [words.when(comparison.examinations[n]) for n in (step.earlier, step.later)]
    ends = zip(cases, (pair.earlier, pair.later), (point, there), names, strict=True)
    pictures = [_picture(case, v.series_uid, middle, f"{v.level}, {name}") for case, v, middle, name in ends]
    return Row(place, "; ".join([*lesions, *fractures]), tuple(pictures))


def _middles(cases: Sequence[Case], pair: Pair) -> tuple[Point, Point]:
    """The point that both pictures show in their middle: a lesion of either date, else the middle of the body."""
    own = np.asarray(pair.earlier.centre, dtype=np.float64)
    spots = [
        [np.asarray(one.centre, dtype=np.float64) for one in case.analysis.lesions if one.level == vertebra.level]
        for case, vertebra in zip(cases, (pair.earlier, pair.later), strict=True)
    ]
    if pair.laid is None:
        return own, np.asarray(pair.later.centre, dtype=np.float64)
    if spots[1] and not spots[0]:
        return pair.laid.to_earlier(spots[1][0]), spots[1][0]
    point = spots[0][0] if spots[0] else own
    return point, pair.laid.to_later(point)


def _picture(case: Case, series_uid: str, middle: Point, name: str) -> DatePicture:
    image, masks = next((i, m) for _, i, m in case.sagittal() if i.series.series_uid == series_uid)
    count = image.geometry.shape[image.geometry.axis_along(0)]
    number = int(np.clip(plot.slice_through(image.geometry, middle), 0, count - 1))
    whole = plot.sagittal(image, masks, number)
    x, y = whole.to_picture(middle).tolist()
    view = whole.around((x, y), _SIDE_MM)
    x, y = view.to_picture(middle).tolist()
    caption = phrases.SLICE.format(name=name, contrast=image.series.contrast.value, number=number + 1, count=count)
    return DatePicture(
        caption=caption,
        alternative=phrases.SAGITTAL_SQUARE_MM_AROUND.format(size=_SIDE_MM, caption=caption),
        image=_small(view),
        image_box=box_of(view),
        box=(round(x - _SIDE_MM / 2, 1), round(y - _SIDE_MM / 2, 1), _SIDE_MM, _SIDE_MM),
        shapes=tuple(lesion_shapes(case, view, series_uid)),
    )


def _small(view: SagittalView) -> str:
    width, height = view.size_mm
    scale = _PIXELS / max(width, height)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return data_uri(Picture.fromarray(view.grey()).resize(size, Picture.Resampling.BICUBIC), _QUALITY)
