"""Pictures of one lesion: the same square of the patient in each sequence, the outline as a vector over the slice.

The slice is the one that holds most of the lesion. On another series the outline is drawn where its patient coordinates
lie, moved with the vertebra where the patient moved between the two; where that match could not be verified it is not
drawn, and a series in another frame of reference is not shown.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image as Picture

from spinemri import plot
from spinemri.anatomy import Structure, StructureKind
from spinemri.register import motion_between, to_moving
from spinemri.report.drawing import Line, Name, Shape, box_of, data_uri, path
from spinemri.report.lesion_values import DIAMETER, finding_of, looks_benign, place_text, quantity, values_of
from spinemri.report.phrases import marrow_phrases as words
from spinemri.report.phrases import phrases
from spinemri.series import Contrast
from spinemri.terms import term

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from spinemri.analysis import Analysis
    from spinemri.case import Case
    from spinemri.image import Image
    from spinemri.lesion import Lesion
    from spinemri.plot import SagittalView
    from spinemri.segmentation import Segmentation
    from spinemri.series import Series
    from spinemri.spine import VertebraAlignment

    Points = NDArray[np.float64]
    Loaded = tuple[Series, Image, Segmentation]

_SIDE_MM, _MARGIN_MM = 90.0, 30.0
_MOST_PICTURES = 3
_PIXELS, _JPEG_QUALITY = 400, 82
_MOVED_MM = 1.0
_MIDDLE_MM, _BRIGHT_PERCENTILE, _HEADROOM, _LEAST_RANGE = 15.0, 99.0, 1.15, 0.35
_ORDER = ((Contrast.T1W,), (Contrast.STIR, Contrast.T2W_FS), (Contrast.T2W,))
_NEIGHBOUR = "#a9b4be"
_BONE = (StructureKind.VERTEBRAL_BODY, StructureKind.POSTERIOR_ELEMENTS)
_COLOUR, _BENIGN_COLOUR = plot.structure_colour(Structure(StructureKind.LESION)), "#ffffff"


@dataclass(frozen=True)
class LesionPicture:
    """What the page needs to draw one picture; positions and sizes in mm, ``box`` is the square that is shown."""

    title: str
    caption: str
    alternative: str
    image: str
    image_box: tuple[float, float, float, float]
    box: tuple[float, float, float, float]
    shapes: tuple[Shape, ...]
    names: tuple[Name, ...]
    lines: tuple[Line, ...]


@dataclass(frozen=True, eq=False)
class _Spot:
    """Where a lesion is to be looked at: its outlines in one slice and the middle and side of the square, LPS mm."""

    centre: Points
    outlines: tuple[Points, ...]
    middle: Points
    side_mm: float


def lesion_pictures(case: Case, lesion: Lesion) -> tuple[LesionPicture, ...]:
    """At most three pictures of a lesion: T1w, STIR or fat-suppressed T2w, T2w, then whatever else shows it."""
    loaded = case.sagittal()
    own = next((one for one in loaded if one[0].series_uid == lesion.series_uid), None)
    if own is None:
        return ()
    spot = _spot(case, lesion, own)
    shown = [one for one in loaded if _shows(one[1], spot, own[1])]
    return tuple(_picture(case, lesion, spot, one) for one in _chosen(shown, lesion.series_uid))


def lesion_shapes(case: Case, view: SagittalView, series_uid: str) -> Iterator[Shape]:
    """Outlines of the lesions that cross a slice of a series, for the picture of the whole spine."""
    for lesion in case.analysis.lesions:
        mask = mask_of(case, lesion)
        motion, matched = _motion(case.analysis, lesion, series_uid)
        frames = None if mask is None else mask.geometry.frame_of_reference_uid
        if mask is None or not matched or frames != view.geometry.frame_of_reference_uid:
            continue
        here = plot.onto_slice(view.geometry, _moved(lesion.centre, motion), view.slice_number)
        there = here + lesion.centre - _moved(lesion.centre, motion)
        number = plot.slice_through(mask.geometry, there)
        outlines = plot.contours(mask.voxels == lesion.label, mask.geometry, number)
        if outlines:
            yield _shape(case.analysis, lesion, path(view.to_picture(_moved(line, motion)) for line in outlines))


def _spot(case: Case, lesion: Lesion, own: Loaded) -> _Spot:
    """The slice with most of the lesion; the square holds the lesion and its vertebrae."""
    mask = mask_of(case, lesion)
    geometry, segmentation = own[1].geometry, own[2]
    centre: Points = np.asarray(lesion.centre, dtype=np.float64)
    outlines: tuple[Points, ...] = ()
    if mask is not None:
        inside = np.asarray(mask.voxels == lesion.label)
        number = plot.fullest_slice(inside, mask.geometry)
        outlines = plot.contours(inside, mask.geometry, number)
        centre = np.concatenate(outlines).mean(axis=0) if outlines else centre
    bones = list(_bones(segmentation, lesion, plot.slice_through(geometry, centre)))
    points = np.concatenate([centre[None], *outlines, *bones])
    low, high = points.min(axis=0), points.max(axis=0)
    extent = float((high - low)[1:].max())
    return _Spot(centre, outlines, (low + high) / 2, max(_SIDE_MM, extent + _MARGIN_MM))


def _bones(segmentation: Segmentation, lesion: Lesion, number: int) -> Iterator[Points]:
    """Middle of each of the lesion's vertebral bodies in one slice, LPS mm (1, 3); of its arch where no body is cut."""
    geometry = segmentation.geometry
    across = geometry.axis_along(0)
    if not 0 <= number < geometry.shape[across]:
        return
    plane = np.take(segmentation.voxels, number, axis=across)
    for level in lesion.levels:
        for kind in _BONE:
            values = [v for v, known in segmentation.structures.items() if (known.kind, known.level) == (kind, level)]
            index = np.argwhere(np.isin(plane, values))
            if len(index):
                yield geometry.to_patient(np.insert(index.mean(axis=0), across, float(number)))[None]
                break


def look_of(analysis: Analysis, lesion: Lesion) -> tuple[str, str]:
    """Colour '#rrggbb' of a lesion, and the class that its outline is drawn by: red, or white where it looks benign."""
    benign = looks_benign(lesion, finding_of(analysis, lesion))
    return (_BENIGN_COLOUR, "lesion benign") if benign else (_COLOUR, "lesion")


def mask_of(case: Case, lesion: Lesion) -> Segmentation | None:
    """The mask that outlines a lesion."""
    masks = (m for m in case.lesion_masks if m.series_uid == lesion.series_uid)
    return next((m for m in masks if (m.voxels == lesion.label).any()), None)


def _shows(image: Image, spot: _Spot, own: Image) -> bool:
    """Whether an image of the lesion's frame of reference holds its centre in a slice that was acquired."""
    geometry = image.geometry
    if geometry.frame_of_reference_uid != own.geometry.frame_of_reference_uid:
        return False
    index = geometry.to_index(spot.centre)
    inside = bool(((index > -0.5) & (index < np.asarray(geometry.shape) - 0.5)).all())
    return inside and round(float(index[0])) not in image.missing_slices


def _chosen(shown: list[Loaded], series_uid: str) -> list[Loaded]:
    """One series per kind of sequence in the order of reading; the one that holds the outline is always among them."""

    def rank(one: Loaded) -> int:
        return next((n for n, group in enumerate(_ORDER) if one[0].contrast in group), len(_ORDER))

    ranked = sorted(shown, key=lambda one: (rank(one), one[0].series_uid != series_uid))
    first: dict[object, Loaded] = {}
    for one in ranked:
        first.setdefault(rank(one) if rank(one) < len(_ORDER) else one[0].contrast, one)
    chosen = list(first.values())
    own = [one for one in chosen[_MOST_PICTURES:] if one[0].series_uid == series_uid]
    return [*chosen[: _MOST_PICTURES - len(own)], *own]


def _motion(analysis: Analysis, lesion: Lesion, series_uid: str) -> tuple[VertebraAlignment | None, bool]:
    """How the lesion's vertebra moved from its series to another, and whether the two match at all."""
    if series_uid == lesion.series_uid:
        return None, True
    found = motion_between(analysis.alignments, lesion.level, lesion.series_uid, series_uid)
    return found, found is None or found.status != "unpaired"


def _moved(points: object, motion: VertebraAlignment | None) -> Points:
    """Patient points of the lesion's series in another series."""
    there = np.asarray(points, dtype=np.float64)
    return there if motion is None else np.asarray(to_moving(motion, there))


def _picture(case: Case, lesion: Lesion, spot: _Spot, one: Loaded) -> LesionPicture:
    analysis, (series, image, segmentation) = case.analysis, one
    motion, matched = _motion(analysis, lesion, series.series_uid)
    number = plot.slice_through(image.geometry, _moved(spot.centre, motion if matched else None))
    whole = plot.sagittal(image, segmentation, int(np.clip(number, 0, _slices(image) - 1)))
    middle = _moved(spot.middle, motion if matched else None)
    x, y = whole.to_picture(middle).tolist()
    view = _lit(whole.around((x, y), spot.side_mm), segmentation)
    x, y = view.to_picture(middle).tolist()
    outline = path(view.to_picture(_moved(line, motion)) for line in spot.outlines) if matched else ""
    short = phrases.SERIES_SHORT.format(contrast=term(series.contrast.value), label=series.label)
    size = quantity(values_of(analysis, lesion).get(DIAMETER))
    position = {"number": view.slice_number + 1, "count": view.slice_count}
    return LesionPicture(
        title=short,
        caption=words.PICTURE_CAPTION.format(**position, note=_note(motion, matched=matched)),
        alternative=words.PICTURE_ALTERNATIVE.format(
            series=short,
            **position,
            place=place_text(analysis, lesion),
            outline=words.PICTURE_OUTLINED.format(lesion=lesion.id) if outline else "",
            size=words.PICTURE_SIZE.format(size=size) if size else "",
        ),
        image=_small(view),
        image_box=box_of(view),
        box=(round(x - spot.side_mm / 2, 1), round(y - spot.side_mm / 2, 1), spot.side_mm, spot.side_mm),
        shapes=(_shape(analysis, lesion, outline),) if outline else (),
        names=tuple(_names(view, segmentation, lesion)),
        lines=tuple(_lines(analysis, lesion, view, series)),
    )


def _lit(view: SagittalView, segmentation: Segmentation) -> SagittalView:
    """The view with its window set on bone and disc, and on whatever lies in the middle: fat and fluid may glare."""
    kinds = (*_BONE, StructureKind.DISC)
    values = [value for value, known in segmentation.structures.items() if known.kind in kinds]
    rows, columns = (np.arange(n) * mm for n, mm in zip(view.pixels.shape, view.pixel_mm, strict=True))
    away = np.hypot(rows[:, None] - rows.mean(), columns - columns.mean())
    chosen = view.pixels[np.isin(view.labels, values) | (away < _MIDDLE_MM)]
    low, high = view.window
    bright = float(np.percentile(chosen, _BRIGHT_PERCENTILE)) * _HEADROOM if chosen.size else high
    return replace(view, window=(low, min(max(bright, low + _LEAST_RANGE * (high - low)), high)))


def _slices(image: Image) -> int:
    return image.geometry.shape[image.geometry.axis_along(0)]


def _note(motion: VertebraAlignment | None, *, matched: bool) -> str:
    if not matched:
        return words.PICTURE_UNVERIFIED
    shift = 0.0 if motion is None else float(np.linalg.norm(motion.translation_mm))
    return words.PICTURE_MOVED.format(shift=shift) if shift >= _MOVED_MM else ""


def _shape(analysis: Analysis, lesion: Lesion, outline: str) -> Shape:
    colour, kind = look_of(analysis, lesion)
    return Shape(outline, colour, kind, f"{lesion.id}, {place_text(analysis, lesion)}")


def _names(view: SagittalView, segmentation: Segmentation, lesion: Lesion) -> Iterator[Name]:
    """The names of the bodies in the square; those of the lesion's own levels are set off."""
    for value, structure in plot.structures_shown(view, segmentation):
        if structure.kind is StructureKind.VERTEBRAL_BODY and structure.level is not None:
            x, y = plot.name_position(view, value)
            colour = plot.structure_colour(structure) if structure.level in lesion.levels else _NEIGHBOUR
            yield Name(round(x, 1), round(y, 1), structure.place, colour, "")


def _lines(analysis: Analysis, lesion: Lesion, view: SagittalView, series: Series) -> Iterator[Line]:
    """The longest diameter, on the series it was measured on."""
    diameter = values_of(analysis, lesion).get(DIAMETER)
    if diameter is None or (diameter.series_uid or lesion.series_uid) != series.series_uid:
        return
    for _, (first, second) in plot.drawn_lines(view, [diameter]):
        start, end = sorted([first, second])
        size = quantity(diameter)
        yield Line(start, end, f"{words['NAMES'][DIAMETER]} {size}", size)


def _small(view: SagittalView) -> str:
    """The square as a JPEG of even pixels, at most 400 wide, smooth where the page enlarges it."""
    width, height = view.size_mm
    scale = _PIXELS / max(width, height)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return data_uri(Picture.fromarray(view.grey()).resize(size, Picture.Resampling.BICUBIC), _JPEG_QUALITY)
