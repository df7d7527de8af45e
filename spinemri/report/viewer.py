"""What the viewer of the page is made of: every series' slices as small pictures, and where they lie in the patient.

Slices are turned for reading, cut to the spine with a margin, and written once each as 8-bit JPEGs; outlines, names and
measured lengths are vectors. The page links the series through the points of the patient (LPS mm) that their frames
give; series of different frames of reference are never linked.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from itertools import pairwise
from math import ceil, sqrt
from typing import TYPE_CHECKING, Any

import numpy as np

from spinemri import plot
from spinemri.anatomy import StructureKind
from spinemri.orientation import frame_of, oriented, reading_plane
from spinemri.report.examination import pair_names
from spinemri.report.lesion_figure import look_of
from spinemri.report.page_tables import ALIGNMENT_LIMIT_MM
from spinemri.report.phrases import page_phrases as words
from spinemri.report.viewer_lines import lines
from spinemri.report.viewer_outlines import lesion_volume
from spinemri.report.viewer_slices import box_of_interest, drawn, greys, picture
from spinemri.terms import structure_name, term

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from spinemri.case import Case
    from spinemri.image import Image
    from spinemri.orientation import Frame
    from spinemri.report.viewer_slices import Slice
    from spinemri.segmentation import Segmentation
    from spinemri.series import Series

    Loaded = tuple[Series, Image, Segmentation]

_LONGEST_PIXELS = 640
_MOST_PIXELS = 30_000_000  # of all series together: 15 MB of page hold them
_MOST_SLICES = 64


@dataclass(frozen=True)
class Stack:
    """One series: title, size in pixels and mm per pixel (x, y), frame in the patient, greys, and its slices.

    ``grey`` are the intensities that 0 and 255 stand for, ``window`` the display values shown black and white;
    series with the same ``linked`` share a frame of reference; ``total`` counts the slices that were acquired.
    """

    title: str
    linked: int
    size: tuple[int, int]
    pixel_mm: tuple[float, float]
    frame: Frame
    edges: dict[str, str]
    total: int
    grey: tuple[float, float]
    window: tuple[float, float]
    slices: tuple[Slice, ...]


@dataclass(frozen=True, eq=False)
class Overlay:
    """Something from elsewhere to be outlined on a series: its mask (k, j, i) there, and how it is called and drawn."""

    series_uid: str
    inside: NDArray[np.bool_]
    name: str
    colour: str
    kind: str
    place: str


def viewer_document(case: Case, more: Sequence[Overlay] = (), share: float = 1.0) -> dict[str, Any]:
    """Everything the viewer needs, ready for JSON; positions are LPS mm.

    Parameters
    ----------
    more : what is outlined besides the case's own structures and lesions
    share : part of the page that the pictures of this case may fill, for pages that show several
    """
    loaded = list(zip(case.analysis.used_series(), case.images, case.segmentations, strict=True))
    drawable = dict(_drawable(case))
    drawable |= {o.name: {"name": o.name, "colour": o.colour, "kind": o.kind, "place": o.place} for o in more}
    index = {name: n for n, name in enumerate(drawable)}
    scale = _scale([image for _, image, _ in loaded], share)
    return {
        "series": [asdict(_stack(case, one, index, scale, more)) for one in loaded],
        "structures": list(drawable.values()),
        "places": places(case),
        "levels": [str(level) for level in case.analysis.spine.levels],
        "lines": lines(case),
        "shifts": list(_shifts(case)),
    }


def places(case: Case) -> dict[str, dict[str, Any]]:
    """Points to go to, by name: levels, discs between neighbours, lesions; each with its level and its series."""
    uids = [series.series_uid for series in case.analysis.used_series()]

    def place(point: Sequence[float], level: object, uid: str) -> dict[str, Any]:
        series = uids.index(uid) if uid in uids else 0
        return {"point": [round(v, 2) for v in point], "level": str(level), "series": series}

    vertebrae = case.analysis.spine.vertebrae
    found = {str(v.level): place(v.centre, v.level, v.series_uid) for v in vertebrae}
    for upper, lower in pairwise(vertebrae):
        middle = (np.asarray(upper.centre) + np.asarray(lower.centre)) / 2
        found[f"{upper.level}-{lower.level}"] = place(middle.tolist(), upper.level, upper.series_uid)
    for lesion in case.analysis.lesions:
        found[lesion.id] = place(lesion.centre, lesion.level, lesion.series_uid)
    return found


def _shifts(case: Case) -> Iterator[dict[str, Any]]:
    """Where two series that the viewer links do not lie over each other, in words."""
    numbers = {series.series_uid: n for n, series in enumerate(case.analysis.used_series())}
    for a in case.analysis.alignments:
        pair = [numbers[uid] for uid in (a.fixed_series_uid, a.moving_series_uid) if uid in numbers]
        moved = a.residual_mm is not None and a.residual_mm > ALIGNMENT_LIMIT_MM
        if len(pair) == 2 and (moved or a.status == "unpaired"):
            phrase = words["VIEWER"]["moved"] if moved else words["VIEWER"]["unverified"]
            named = zip(pair, pair_names(case.analysis, a)[::-1], strict=True)
            texts = {n: phrase.format(shift=a.residual_mm or 0.0, series=name, level=a.level) for n, name in named}
            yield {"level": str(a.level), "texts": texts}


def _drawable(case: Case) -> Iterator[tuple[str, dict[str, str]]]:
    """Every structure and lesion that an outline may show, by name."""
    for structure in (known for mask in case.segmentations for known in mask.structures.values()):
        name, colour = str(structure), plot.structure_colour(structure)
        yield (
            name,
            {
                "name": structure_name(structure),
                "colour": colour,
                "kind": structure.kind.value,
                "place": structure.place,
            },
        )
    for lesion in case.analysis.lesions:
        colour, kind = look_of(case.analysis, lesion)
        yield lesion.id, {"name": lesion.id, "colour": colour, "kind": kind, "place": lesion.id}


def _stack(case: Case, one: Loaded, index: dict[str, int], scale: float, more: Sequence[Overlay]) -> Stack:
    series, image, segmentation = one
    geometry, plane = image.geometry, reading_plane(image.geometry, series.plane)
    count = geometry.shape[plane.across]
    pixel_mm = geometry.spacing[plane.down], geometry.spacing[plane.right]
    box = box_of_interest(segmentation, plane)
    rows, columns = (part.stop - part.start for part in box)
    small = min(1.0, scale, _LONGEST_PIXELS / max(rows, columns))
    grey, window = greys(image, segmentation)
    layers = [(segmentation.voxels, {value: index[str(s)] for value, s in segmentation.structures.items()})]
    layers += _lesion_layers(case, one, index)
    layers += [(o.inside.view(np.uint8), {1: index[o.name]}) for o in more if o.series_uid == series.series_uid]
    bodies = {index[str(s)] for s in segmentation.of_kind(StructureKind.VERTEBRAL_BODY)}
    slices = []
    for n in range(0, count, ceil(count / _MOST_SLICES)):
        if plane.across == 0 and n in image.missing_slices:
            continue
        planes = [(oriented(voxels, plane, n)[box], known) for voxels, known in layers]
        shown = picture(oriented(image.voxels, plane, n)[box], grey, small)
        slices.append(drawn(n + 1, shown, planes, (pixel_mm, bodies)))
    frame = frame_of(geometry, plane, (box[0].start, box[1].start))
    return Stack(
        title=words.SERIES_TITLE.format(
            contrast=term(series.contrast.value), plane=term(series.plane.value), label=series.label
        ),
        linked=_frame_number(case, geometry.frame_of_reference_uid),
        size=(columns, rows),
        pixel_mm=pixel_mm[::-1],
        frame=frame,
        edges=frame.edges,
        total=count,
        grey=grey,
        window=window,
        slices=tuple(slices),
    )


def _lesion_layers(
    case: Case, one: Loaded, index: dict[str, int]
) -> Iterator[tuple[NDArray[np.unsignedinteger], dict[int, int]]]:
    """One label volume per lesion, since lesions may touch."""
    for lesion in case.analysis.lesions:
        volume = lesion_volume(case, lesion, one[0].series_uid, one[1].geometry)
        if volume is not None:
            yield volume.view(np.uint8), {1: index[lesion.id]}


def _frame_number(case: Case, uid: str | None) -> int:
    return list(dict.fromkeys(image.geometry.frame_of_reference_uid for image in case.images)).index(uid)


def _scale(images: Sequence[Image], share: float) -> float:
    """By how much slices are made smaller so that all series fit into the page."""
    pixels = sum(float(np.prod(image.geometry.shape)) for image in images)
    return min(1.0, sqrt(share * _MOST_PIXELS / max(pixels, 1.0)))
