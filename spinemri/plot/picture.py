"""The mid-sagittal picture of a series: head up, the patient's anterior on the viewer's left, millimetres true.

The picture is a slice as it was acquired, not a curved reformat: what a reader sees on it is what was measured.
Picture coordinates are (x, y) in mm, x to posterior, y to inferior, from the centre of the first pixel shown.
Colours belong to levels, so that L3 has the same colour in every series and every study.
"""

from __future__ import annotations

import colorsys
from dataclasses import dataclass, replace
from math import ceil, floor
from typing import TYPE_CHECKING

import numpy as np
from contourpy import contour_generator
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from scipy import ndimage

from spinemri.anatomy import Level, Structure, StructureKind
from spinemri.measurement import Status
from spinemri.orientation import oriented, reading_plane
from spinemri.series import Plane

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike, NDArray

    from spinemri.geometry import Geometry
    from spinemri.image import Image
    from spinemri.measurement import Measurement
    from spinemri.segmentation import Segmentation

_CANAL = (StructureKind.THECAL_SAC, StructureKind.CORD)
_MARGIN_MM = (55.0, 40.0)  # kept in front of and behind the labelled structures
_WINDOW_PERCENTILES = (1.0, 99.5)
_AIR = 0.05  # darker than this part of the bright end is no tissue
_OUTLINE_SMOOTHING_MM = 0.6
_PAD = 4  # pixels kept around a structure while it is smoothed
_FEWEST_POINTS = 4
NAME_GAP_MM = 3.0  # between a body and its name
_NEARLY = 0.85  # of the largest area: slices above it show the middle of the spine equally well
_WINDOW_REACH_MM = 30.0
_KIND_COLOURS = {
    StructureKind.DISC: "#e8e4da",
    StructureKind.THECAL_SAC: "#7fd4ff",
    StructureKind.CORD: "#ffe28a",
    StructureKind.SACRUM: "#c9c4d8",
    StructureKind.LESION: "#ff5d5d",
}
_DRAWN = (
    StructureKind.SACRUM,
    StructureKind.POSTERIOR_ELEMENTS,
    StructureKind.DISC,
    StructureKind.VERTEBRAL_BODY,
    StructureKind.THECAL_SAC,
    StructureKind.CORD,
    StructureKind.LESION,
)

Polygon = tuple[tuple[float, float], ...]


@dataclass(frozen=True, eq=False)
class SagittalView:
    """One sagittal slice of a series, oriented for reading.

    Parameters
    ----------
    pixels : (rows, columns) intensities, row 0 is the most superior, column 0 the most anterior
    labels : (rows, columns) label values of the segmentation, 0 is background
    pixel_mm : mm between rows, between columns
    window : intensities shown black and white
    slice_number : index of the slice along its array axis
    slice_count : number of slices along that axis
    first : row and column of the uncropped slice at which ``pixels`` begins
    geometry : grid of the whole series
    """

    pixels: NDArray[np.generic]
    labels: NDArray[np.unsignedinteger]
    pixel_mm: tuple[float, float]
    window: tuple[float, float]
    slice_number: int
    slice_count: int
    first: tuple[int, int]
    geometry: Geometry

    @property
    def size_mm(self) -> tuple[float, float]:
        """Width and height of the picture in mm."""
        rows, columns = self.pixels.shape
        return columns * self.pixel_mm[1], rows * self.pixel_mm[0]

    def to_picture(self, points: ArrayLike) -> NDArray[np.float64]:
        """Picture (x, y) in mm of patient points (..., 3) in LPS mm, projected across the slices."""
        axes = reading_plane(self.geometry, Plane.SAGITTAL)
        index = self.geometry.to_index(points)
        row, column = index[..., axes.down], index[..., axes.right]
        row = self.geometry.shape[axes.down] - 1 - row if axes.flip_down else row
        column = self.geometry.shape[axes.right] - 1 - column if axes.flip_right else column
        row, column = row - self.first[0], column - self.first[1]
        return np.stack([column * self.pixel_mm[1], row * self.pixel_mm[0]], axis=-1)

    def around(self, middle: tuple[float, float], side_mm: float) -> SagittalView:
        """The part of the picture within a square about a picture point; smaller where the picture ends."""
        places = zip((middle[1], middle[0]), self.pixel_mm, self.pixels.shape, strict=True)
        rows, columns = (_within(at, side_mm, mm, count) for at, mm, count in places)
        first = self.first[0] + rows.start, self.first[1] + columns.start
        return replace(self, pixels=self.pixels[rows, columns], labels=self.labels[rows, columns], first=first)

    def grey(self) -> NDArray[np.uint8]:
        """(rows, columns) display values 0 to 255 after the window."""
        low, high = self.window
        scaled = (self.pixels.astype(np.float64) - low) / max(high - low, 1e-9)
        return np.asarray(np.round(np.clip(scaled, 0, 1) * 255), dtype=np.uint8)


def mid_sagittal(image: Image, segmentation: Segmentation) -> SagittalView:
    """Sagittal slice through the middle of the spine: the one that shows most of the canal and of the bodies.

    Any order and direction of the array axes is accepted; slices that were missing in the series are not chosen.
    Without any label the middle slice is shown, uncropped.
    """
    across = image.geometry.axis_along(0)
    return sagittal(image, segmentation, _best_slice(segmentation, across, image.missing_slices if across == 0 else ()))


def sagittal(image: Image, segmentation: Segmentation, number: int) -> SagittalView:
    """One sagittal slice by its index along its array axis, cut in front and behind as ``mid_sagittal`` is."""
    axes = reading_plane(image.geometry, Plane.SAGITTAL)
    pixels = oriented(image.voxels, axes, number)
    labels = oriented(segmentation.voxels, axes, number)
    spacing = (image.geometry.spacing[axes.down], image.geometry.spacing[axes.right])
    columns = _columns_of_interest(labels, spacing[1])
    return SagittalView(
        pixels=pixels[:, columns],
        labels=labels[:, columns],
        pixel_mm=spacing,
        window=_window(pixels[:, columns], labels[:, columns], spacing),
        slice_number=number,
        slice_count=image.geometry.shape[axes.across],
        first=(0, columns.start),
        geometry=image.geometry,
    )


def outlines(view: SagittalView, value: int) -> tuple[Polygon, ...]:
    """Closed outlines, in picture mm, of the pixels that carry one label value; smoothed for display only."""
    lines = (line * view.pixel_mm[::-1] for line in smooth_outlines(view.labels == value, view.pixel_mm))
    return tuple(tuple((x, y) for x, y in line.tolist()) for line in lines)


def smooth_outlines(mask: NDArray[np.bool_], pixel_mm: Sequence[float]) -> list[NDArray[np.float64]]:
    """Closed outlines (n, 2), column and row, of a mask (rows, columns); smoothed for display only."""
    padded = np.pad(mask, _PAD).astype(np.float32)
    sigma = [_OUTLINE_SMOOTHING_MM / mm for mm in pixel_mm]
    rows, columns = np.indices(padded.shape, dtype=np.float64)  # contourpy takes as long to make them as to contour
    smooth = contour_generator(columns, rows, ndimage.gaussian_filter(padded, sigma)).lines(0.5)
    lines = smooth or contour_generator(columns, rows, padded).lines(
        0.5
    )  # what is as small as a pixel does not bear smoothing
    return [np.asarray(line, dtype=np.float64) - _PAD for line in lines if len(line) >= _FEWEST_POINTS]


def contours(mask: NDArray[np.bool_], geometry: Geometry, number: int) -> tuple[NDArray[np.float64], ...]:
    """Closed outlines (n, 3), LPS mm, of what one sagittal slice shows of a mask (k, j, i); smoothed for display only.

    They can be drawn on any picture of the same frame of reference. () when the slice, or the grid, does not reach it.
    """
    across = geometry.axis_along(0)
    if not 0 <= number < geometry.shape[across]:
        return ()
    pixel_mm = [mm for axis, mm in enumerate(geometry.spacing) if axis != across]
    lines = smooth_outlines(np.take(mask, number, axis=across), pixel_mm)
    return tuple(geometry.to_patient(np.insert(line[:, ::-1], across, float(number), axis=1)) for line in lines)


def fullest_slice(mask: NDArray[np.bool_], geometry: Geometry) -> int:
    """Index of the sagittal slice that holds most of a mask (k, j, i)."""
    across = geometry.axis_along(0)
    return int(mask.sum(axis=tuple(axis for axis in range(3) if axis != across)).argmax())


def slice_through(geometry: Geometry, point: ArrayLike) -> int:
    """Index of the sagittal slice nearest to a patient point (3,), LPS mm; outside the grid for a point beyond it."""
    return round(float(geometry.to_index(point)[geometry.axis_along(0)]))


def onto_slice(geometry: Geometry, point: ArrayLike, number: int) -> NDArray[np.float64]:
    """The point of one sagittal slice that a patient point (3,), LPS mm, is projected on."""
    index = geometry.to_index(point)
    index[geometry.axis_along(0)] = number
    return geometry.to_patient(index)


def structures_shown(view: SagittalView, segmentation: Segmentation) -> list[tuple[int, Structure]]:
    """Label values and structures that the slice shows, in the order in which they are drawn over each other."""
    present = set(np.unique(view.labels).tolist())
    shown = [(value, known) for value, known in segmentation.structures.items() if value in present]
    return sorted(shown, key=lambda item: (_DRAWN.index(item[1].kind), item[0]))


def name_position(view: SagittalView, value: int) -> tuple[float, float]:
    """Where a body's name stands, in picture mm: just in front of it, at its middle height."""
    column, row = left_of(view.labels == value)
    return column * view.pixel_mm[1] - NAME_GAP_MM, row * view.pixel_mm[0]


def left_of(mask: NDArray[np.bool_]) -> tuple[float, float]:
    """Column and row of the left border of a mask (rows, columns) at its middle height."""
    rows, columns = np.nonzero(mask)
    middle = float(rows[np.abs(rows - np.mean(rows)).argmin()])  # a row that it is in: a body may show as two pieces
    near = np.abs(rows - middle) <= max(1.0, 0.15 * np.ptp(rows))
    return float(columns[near].min()), middle


def drawn_lines(view: SagittalView, measurements: Iterable[Measurement]) -> list[tuple[Measurement, Polygon]]:
    """Lengths that can be drawn on the picture: measured, with two points; projected onto the slice."""
    usable = (m for m in measurements if m.status is Status.MEASURED and len(m.points) == 2)
    drawn: list[tuple[Measurement, Polygon]] = []
    for measurement in usable:
        (ax, ay), (bx, by) = view.to_picture(measurement.points).tolist()
        drawn.append((measurement, ((ax, ay), (bx, by))))
    return drawn


def level_colour(level: Level) -> str:
    """Colour '#rrggbb' of a level, the same everywhere; neighbours differ by 35 degrees of hue."""
    hue = ((level.rank * 35 + 140) % 360) / 360
    red, green, blue = colorsys.hls_to_rgb(hue, 0.66, 0.62)
    return f"#{round(red * 255):02x}{round(green * 255):02x}{round(blue * 255):02x}"


def structure_colour(structure: Structure) -> str:
    """Colour '#rrggbb' of a structure: its level's for bone, one per kind for everything else."""
    if structure.kind in _KIND_COLOURS or structure.level is None:
        return _KIND_COLOURS.get(structure.kind, "#ffffff")
    return level_colour(structure.level)


def draw(axes: Axes, view: SagittalView, segmentation: Segmentation, lines: Iterable[Measurement] = ()) -> None:
    """Draw the slice, the outlines, the level names and measured lengths into matplotlib axes."""
    width, height = view.size_mm
    right, down = view.pixel_mm[1] / 2, view.pixel_mm[0] / 2
    extent = (-right, width - right, height - down, -down)
    axes.imshow(view.grey(), cmap="gray", vmin=0, vmax=255, extent=extent, interpolation="bilinear")
    for value, structure in structures_shown(view, segmentation):
        colour = structure_colour(structure)
        for polygon in outlines(view, value):
            axes.plot(*zip(*polygon, strict=True), color=colour, linewidth=1.0)
        if structure.kind is StructureKind.VERTEBRAL_BODY:
            x, y = name_position(view, value)
            text = axes.text(x, y, structure.place, color=colour, ha="right", va="center", fontsize=8)
            text.set_path_effects([withStroke(linewidth=2, foreground="black")])
    for _, ends in drawn_lines(view, lines):
        axes.plot(*zip(*ends, strict=True), color="white", linewidth=1.4)
    axes.set_axis_off()


def save_picture(path: Path, image: Image, segmentation: Segmentation, lines: Iterable[Measurement] = ()) -> None:
    """Write the mid-sagittal picture with its overlay as a PNG of about 2.5 pixels per mm."""
    view = mid_sagittal(image, segmentation)
    width, height = view.size_mm
    figure = Figure(figsize=(width / 40, height / 40), dpi=100)
    FigureCanvasAgg(figure)
    draw(figure.add_axes((0.0, 0.0, 1.0, 1.0)), view, segmentation, lines)
    figure.savefig(path, metadata={"Software": None})


def _best_slice(segmentation: Segmentation, across: int, missing: tuple[int, ...]) -> int:
    """Slice with most of the canal and of the bodies; among slices that show nearly as much, the middle one."""
    others = tuple(a for a in range(3) if a != across)
    score = np.zeros(segmentation.geometry.shape[across])
    for kinds in (_CANAL, (StructureKind.VERTEBRAL_BODY,)):
        area = segmentation.mask_of_kind(*kinds).sum(axis=others, dtype=np.float64)
        score += np.minimum(area, _NEARLY * area.max()) / max(area.max(), 1.0)
    numbers = np.arange(len(score))
    centre = float(np.average(numbers, weights=score)) if score.any() else (len(score) - 1) / 2
    usable = [n for n in numbers.tolist() if n not in missing] or numbers.tolist()
    return max(usable, key=lambda n: (round(float(score[n]), 6), -abs(n - centre)))


def _within(at: float, side_mm: float, mm: float, count: int) -> slice:
    """Pixels of a row of ``count`` whose centres lie within half of a side of a place, at least one of them."""
    low, high = ceil((at - side_mm / 2) / mm), floor((at + side_mm / 2) / mm) + 1
    start = min(max(low, 0), count - 1)
    return slice(start, max(min(high, count), start + 1))


def _columns_of_interest(labels: NDArray[np.unsignedinteger], column_mm: float) -> slice:
    used = np.nonzero(labels.any(axis=0))[0]
    if used.size == 0:
        return slice(0, labels.shape[1])
    before, behind = (round(margin / column_mm) for margin in _MARGIN_MM)
    return slice(max(0, int(used[0]) - before), min(labels.shape[1], int(used[-1]) + 1 + behind))


def _window(
    pixels: NDArray[np.generic], labels: NDArray[np.generic], pixel_mm: tuple[float, float]
) -> tuple[float, float]:
    """Black and white points: percentiles of the patient's body around the spine.

    Fat close to the coil, the bladder and the air are left out: what matters is marrow, discs and canal. Without labels
    the whole slice counts.
    """
    values = pixels.astype(np.float64)
    far = ndimage.distance_transform_edt(labels == 0, sampling=pixel_mm) > _WINDOW_REACH_MM
    near = values[~far] if labels.any() else values.ravel()
    inside = near[near > values.min() + _AIR * (np.percentile(near, 99) - values.min())]
    low, high = np.percentile(inside if inside.size else near, _WINDOW_PERCENTILES)
    return float(low), float(high)
