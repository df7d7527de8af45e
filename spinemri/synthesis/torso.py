"""What axial and coronal slices show beside the spine: muscles with their septa and fat, kidneys, bowel, lungs, neck.

Sagittal stacks hardly reach it and keep their own, simpler soft tissue. Shapes are ellipses and bands in the spine's
curvilinear coordinates; what is random comes from the person, so that two grids show the same.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from spinemri.synthesis import morphometry as sizes
from spinemri.synthesis.texture import Texture
from spinemri.synthesis.tissue import Tissue

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spinemri.synthesis.canvas import Canvas, Field, Window
    from spinemri.synthesis.subject import Subject

    Mask = NDArray[np.bool_]
    Scale = Field | float

_HALF_MM, _BEYOND_MM = 130, 100  # of the field in which textures are drawn: sideways, and beyond the person's own
_KEPT = tuple(int(t) for t in (Tissue.AORTA, Tissue.VENA_CAVA, Tissue.TRACHEA, Tissue.AIR, Tissue.SUBCUTANEOUS_FAT))
_SEPTUM_MM = 0.7  # half thickness of a sheet of fat between muscles


@dataclass(frozen=True, eq=False)
class Flanks:
    """Random looks of one person's soft tissue.

    ``even`` varies over some cm, ``cells`` over 2 cm, ``streaks`` along the muscles; ``fatty`` (0 to 1) is how far
    muscle has turned to fat, ``bulk`` a factor on the psoas, ``neck`` its half width and depth, mm.
    """

    even: Field
    cells: Field
    streaks: Field
    fatty: float
    bulk: float
    neck: tuple[float, float]


def flanks(canvas: Canvas, rng: np.random.Generator) -> Flanks:
    """Looks drawn from a copy of the person's generator, which itself is not advanced."""
    own = np.random.default_rng(deepcopy(rng).integers(2**32))
    _, z, a = canvas.texture.axes
    axes = (
        np.arange(-_HALF_MM, _HALF_MM + 1.0),
        *(np.arange(v.min() - _BEYOND_MM, v.max() + _BEYOND_MM) for v in (z, a)),
    )
    wide = Texture((axes[0], axes[1], axes[2]), canvas.texture.points)
    fields = [wide.noise(own, grain) for grain in ((28, 50, 28), (14, 26, 14), (3.2, 22, 2.4))]
    fatty, bulk, wide_neck, deep_neck = own.uniform((0, 0.85, 58, 60), (1, 1.2, 68, 70)).tolist()
    return Flanks(fields[0], fields[1], fields[2], fatty**1.5, bulk, (wide_neck, deep_neck))


def paint_torso(canvas: Canvas, subject: Subject, looks: Flanks) -> None:
    """Soft tissue at the sides; vessels, airway, skin and subcutaneous fat stay as they are."""
    neck, chest = float(canvas.curve.bottom[sizes.C7]), float(canvas.curve.middle[subject.chain.last_thoracic])
    free = ~np.isin(canvas.tissue, _KEPT)
    recess = canvas.s_plane + 26 - 0.35 * np.minimum(np.abs(canvas.x), 80) - 5 * looks.even  # lungs end lower outside
    parts = (
        (_paint_neck, canvas.s_plane < neck, (-np.inf, neck)),
        (_paint_chest, (canvas.s_plane >= neck) & (recess < chest), (neck, chest + 30)),
        (_paint_abdomen, (canvas.s_plane >= neck) & (recess >= chest), (chest - 60, np.inf)),
    )
    for painter, where, reach in parts:
        window = canvas.window(reach, (-np.inf, np.inf))
        if window is not None:
            painter(canvas, subject, looks, (window, (where & free)[window]))


def _ellipse(across: Field, along: Field, middle: tuple[Scale, Scale], radii: tuple[Scale, Scale]) -> Field:
    """Squared radius, 1 at the rim."""
    return np.asarray(((across - middle[0]) / radii[0]) ** 2 + ((along - middle[1]) / radii[1]) ** 2)


def _tables(canvas: Canvas, window: Window, *values: NDArray[np.floating]) -> list[Field]:
    return [canvas.cut(canvas.along_levels(table), window) for table in values]


def _paint_abdomen(canvas: Canvas, subject: Subject, looks: Flanks, where: tuple[Window, Mask]) -> None:
    """Fat around kidneys, bowel and psoas in front; quadratus and the back muscles behind."""
    chain = subject.chain
    window, free = where
    curve = canvas.curve
    ax, f = np.abs(canvas.x[window]), canvas.f[window]
    even, cells = looks.even[window], looks.cells[window]
    depth, width, canal = _tables(canvas, window, subject.depth, subject.width, subject.canal_depth)
    s = canvas.cut(canvas.s_plane, window)
    low = np.clip(
        (s - curve.middle[chain.last_thoracic]) / (curve.middle[chain.last_lumbar] - curve.middle[chain.last_thoracic]),
        0,
        1.2,
    )
    front = free & (f > -0.5 * canal)
    canvas.paint(window, front, Tissue.SUBCUTANEOUS_FAT)
    bowel = front & (f > depth + 26 + 5 * even)
    for loops, first in ((cells > 0.25, Tissue.ORGAN_0), (cells < -0.25, Tissue.ORGAN_0 + 4)):
        kinds = np.clip(np.floor(1.5 * even + 2), 0, 3).astype(np.uint8) + np.uint8(first)
        canvas.tissue[window] = np.where(bowel & loops, kinds, canvas.tissue[window])
    upper = (s - curve.middle[chain.first_lumbar + 1]) / 52
    kidney = _ellipse(ax, f, (width / 2 + 36, 0.25 * depth), (21 + 2 * even, 27 + 2 * even)) + upper**2
    beside = (ax > width / 2 + 22 + 4 * even) & (s < curve.middle[chain.first_lumbar + 1] + 8 * even) & (kidney > 1.6)
    canvas.paint(window, front & beside, Tissue.ORGAN_0)  # liver and spleen
    canvas.paint(window, front & (kidney < 1), Tissue.ORGAN_7)
    canvas.paint(window, front & (kidney < 0.14), Tissue.SUBCUTANEOUS_FAT)
    radii = (3.5 + 14 * low) * looks.bulk + 0.8 * even, (9 + 13 * low) * looks.bulk + even
    psoas = _ellipse(ax, f, (width / 2 - 1.5 + radii[0], (0.3 + 0.2 * low) * depth), radii) < 1
    loin = _ellipse(ax, f, (width / 2 + 30, -0.55 * canal - 4), (15 + even, 8 + even)) < 1
    for muscle in (psoas & (f > -0.6 * canal), loin & (low < 0.95)):
        _paint_muscle(canvas, (window, muscle & free), looks.streaks[window], 2.1 - 0.5 * looks.fatty)
    back = free & ~front & ~loin
    behind = -f - canal
    rim = 69 + 3 * even - 0.02 * np.abs(behind - 16) ** 2
    _paint_muscle(canvas, (window, back & (ax < rim)), looks.streaks[window], 1.9 - looks.fatty * (0.5 + 0.7 * low))
    canvas.paint(window, back & (ax > rim), Tissue.SUBCUTANEOUS_FAT)
    thick = _SEPTUM_MM * (1 + 1.6 * looks.fatty * low) + 0.35 * looks.streaks[window]
    cleft = np.abs(ax - (15 + 0.42 * behind + 2.5 * even + cells)) < thick
    outer = np.abs(ax - (39 + 0.12 * behind + 3 * even + cells)) < thick - 0.2
    canvas.paint(window, back & (cleft & (behind > 3) | outer & (behind > 6)) & (ax < rim), Tissue.MUSCLE_FAT)


def _paint_muscle(canvas: Canvas, where: tuple[Window, Mask], streaks: Field, least: Field | float) -> None:
    """Muscle, with fat where the streaks exceed a value."""
    window, mask = where
    canvas.paint(window, mask, Tissue.MUSCLE)
    canvas.paint(window, mask & (streaks > least), Tissue.MUSCLE_FAT)


def _paint_chest(canvas: Canvas, subject: Subject, looks: Flanks, where: tuple[Window, Mask]) -> None:
    """Lungs on both sides of a mediastinum, ribs in the chest wall, muscles of the back behind it."""
    window, free = where
    ax, f, s = np.abs(canvas.x[window]), canvas.f[window], canvas.s[window]
    even = looks.even[window]
    depth, width, canal = _tables(canvas, window, subject.depth, subject.width, subject.canal_depth)
    wall = -6 - 30 * np.clip(1 - ((ax - 62) / 62) ** 2, -2, 1) + even
    inside = free & (f > wall + 8)
    middle = _ellipse(ax, f, (0.0, depth / 2), (width / 2 + 4 + even, depth / 2 + 7 + even))
    front = (f > depth) & (ax < 24 + 4 * even + 0.25 * (f - depth))
    lung = inside & (middle > 1) & ~front & (ax > width / 2)
    canvas.paint(window, inside & ~lung, Tissue.SUBCUTANEOUS_FAT)
    canvas.paint(window, inside & front & (looks.cells[window] > 0.1) & (f > depth + 6), Tissue.ORGAN_0)
    canvas.paint(window, lung, Tissue.LUNG)
    between = free & (f <= wall + 8) & (f > wall)
    back = free & (f <= wall)
    behind = -f - canal
    for mask, least in ((between, 1.8), (back, 2.0 - 0.6 * looks.fatty)):
        _paint_muscle(canvas, (window, mask), looks.streaks[window], least)
    for turn, swing in ((12.0, 2.0), (22.0, 4.0)):
        sheet = np.abs(behind - turn * np.clip(1 - (ax / 78) ** 2, 0, 1) - swing * even) < _SEPTUM_MM
        canvas.paint(window, back & sheet & (ax > 4), Tissue.MUSCLE_FAT)
    for index in range(sizes.T1, subject.chain.last_thoracic + 1):
        out = np.clip(ax - width / 2 - 2, 0, None)
        down = s - canvas.curve.top[index] - 0.35 * out
        rib = ((f - wall - 3.5) / 4) ** 2 + (down / 6) ** 2
        near = (ax > width / 2 + 8) & free
        canvas.paint(window, near & (rib < 1), Tissue.LIGAMENT)
        canvas.paint(window, near & (rib < 0.6), Tissue.RIB)


def _paint_neck(canvas: Canvas, subject: Subject, looks: Flanks, where: tuple[Window, Mask]) -> None:
    """A round neck: layers of muscle behind, scalenes and great vessels at the sides, airway in front."""
    window, free = where
    ax, f = np.abs(canvas.x[window]), canvas.f[window]
    even, streaks = looks.even[window], looks.streaks[window]
    depth, canal = _tables(canvas, window, subject.depth, subject.canal_depth)
    skin = _ellipse(ax, f, (0.0, -4.0), (looks.neck[0] + even, looks.neck[1] + even))
    canvas.paint(window, free & (f > -canal), Tissue.PREVERTEBRAL)
    behind = free & (f < -0.4 * canal - 4 * even + 0.006 * np.clip(ax - 22, 0, None) ** 2)
    _paint_muscle(canvas, (window, behind), streaks, 2.0 - 0.7 * looks.fatty)
    ring = np.hypot(0.75 * ax, f + canal / 2)
    for radius, swing, thin in ((20, 2.0, 0.6), (28, -2.5, 1.0), (37, 3.0, 0.7)):
        sheet = np.abs(ring - radius - swing * even) < _SEPTUM_MM * thin
        canvas.paint(window, behind & sheet & (ax > 1), Tissue.MUSCLE_FAT)
    side = free & ~behind
    muscles = (
        ((7, depth + 3), (6, 3)),  # longus colli
        ((27, 0.2 * depth), (9, 11)),  # scalenes
        ((40, -0.3 * depth), (8, 14)),  # levator
        ((44, depth + 8), (7, 16)),  # sternocleidomastoid
    )
    for middle, radii in muscles:
        shape = _ellipse(ax, f, middle, (radii[0] + even, radii[1] + even)) < 1
        _paint_muscle(canvas, (window, side & shape), streaks, 2.2)
    gland = _ellipse(ax, f, (16.0, depth + 22), (9 + even, 12 + even)) < 1
    canvas.paint(window, side & gland, Tissue.ORGAN_7)
    for out, forward, thick, tissue in ((27, 12, 3.6, Tissue.AORTA), (33, 8, 5.0, Tissue.VENA_CAVA)):
        canvas.paint(window, side & (_ellipse(ax, f, (out, depth + forward), (thick, thick)) < 1), tissue)
    here = canvas.cut(canvas.s_plane, window) < canvas.curve.bottom[sizes.C7]
    rim = (skin < 1) & ((skin > 0.86) | (canvas.tissue[window] == int(Tissue.AIR)))
    canvas.paint(window, here & rim, Tissue.SUBCUTANEOUS_FAT)
    canvas.paint(window, here & (skin > 1), Tissue.AIR)
