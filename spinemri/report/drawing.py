"""The pieces of an SVG picture over a slice: outlines, names, lengths, and the slice itself as a small JPEG.

Positions and sizes are picture millimetres (see ``plot.SagittalView``), so that a picture keeps its scale at any size.
"""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image as Picture

    from spinemri.plot import Polygon, SagittalView


@dataclass(frozen=True)
class Shape:
    """A structure's outline: SVG path data, colour, a class for its kind, and its name."""

    path: str
    colour: str
    kind: str
    name: str


@dataclass(frozen=True)
class Name:
    """A level's name in front of its body, and what is remarkable there ('35 %')."""

    x: float
    y: float
    text: str
    colour: str
    remark: str


@dataclass(frozen=True)
class Line:
    """A measured length; ``text`` stands behind its posterior end, and is empty for body heights."""

    start: tuple[float, float]
    end: tuple[float, float]
    title: str
    text: str


def path(polygons: Iterable[Polygon | NDArray[np.float64]]) -> str:
    """SVG path data of closed polygons."""
    return "".join(_closed(polygon) for polygon in polygons)


def box_of(view: SagittalView) -> tuple[float, float, float, float]:
    """Left, top, width and height of a view's pixels, whose first centre is (0, 0)."""
    width, height = view.size_mm
    return -view.pixel_mm[1] / 2, -view.pixel_mm[0] / 2, round(width, 2), round(height, 2)


def data_uri(picture: Picture.Image, quality: int) -> str:
    """A picture as a JPEG inside the page; the page stretches it to its size in mm."""
    data = io.BytesIO()
    picture.save(data, "JPEG", quality=quality, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(data.getvalue()).decode("ascii")


def _closed(polygon: Polygon | NDArray[np.float64]) -> str:
    points = [f"{x:.1f} {y:.1f}" for x, y in polygon]
    return "M" + "L".join(dict.fromkeys(points)) + "Z"
