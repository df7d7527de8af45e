"""Vertebral bodies, discs, sacrum and the upper neck, painted from a subject's numbers.

Bodies are rigid: a superellipse in plan, endplates as height fields, so every height is known exactly.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from spinemri.synthesis import morphometry as sizes
from spinemri.synthesis.tissue import Tissue

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from spinemri.synthesis.appearance import EndplateNode
    from spinemri.synthesis.canvas import Canvas, Field, Window
    from spinemri.synthesis.subject import Subject

    Mask = NDArray[np.bool_]

_ROUNDNESS = 2.6  # exponent of the superellipse; 2 is an ellipse
_MARGIN = 9.0  # mm looked at beyond a body's own size


@dataclass(frozen=True)
class BoneStyle:
    """Details that vary between people and do not change any measurement."""

    cortex_mm: float
    basivertebral: float
    pedicle: float
    lamina_mm: float
    osteophytes: NDArray[np.floating]
    nucleus: float
    cleft: float
    roundness: NDArray[np.floating] | None = None
    """Exponent of each body's outline seen from above; None is the same for all."""
    wall_dip: float = 0.0
    """How far the sides of the posterior wall lie behind its middle, mm."""

    def outline(self, index: int, *, spurs: bool) -> tuple[float, float, float]:
        """Spur, exponent and dip of one body."""
        exponent = _ROUNDNESS if self.roundness is None else float(self.roundness[index])
        return float(self.osteophytes[index]) if spurs else 0.0, exponent, self.wall_dip


def sample_style(rng: np.random.Generator) -> BoneStyle:
    """Random details of bone and disc."""
    spurs = np.where(rng.random(sizes.COUNT) < rng.uniform(0, 0.4), rng.uniform(0, 0.12, sizes.COUNT), 0.0)
    return BoneStyle(
        cortex_mm=float(rng.uniform(0.6, 1.2)),
        basivertebral=float(rng.uniform(0.2, 0.5)) if rng.random() < 0.8 else 0.0,
        pedicle=float(rng.uniform(0.85, 1.15)),
        lamina_mm=float(rng.uniform(4.8, 6.6)),
        osteophytes=spurs,
        nucleus=float(rng.uniform(0.5, 0.78)),
        cleft=float(rng.uniform(0.1, 0.2)) if rng.random() < 0.3 else 0.0,
    )


@dataclass(frozen=True, eq=False)
class _BodyFrame:
    """Coordinates of a block of voxels in one body's frame: u superior, t depth fraction, rho2 plan radius squared."""

    u: Field
    t: Field
    rho: Field
    superior: NDArray[np.floating]
    inferior: NDArray[np.floating]


def _frame(
    canvas: Canvas, subject: Subject, index: int, window: Window, outline: tuple[float, float, float]
) -> _BodyFrame:
    spur, exponent, dip = outline
    up, front = subject.axes(index)
    da = canvas.a[window] - np.float32(subject.centre[index, 0])
    dz = canvas.z[window] - np.float32(subject.centre[index, 1])
    u = da * np.float32(up[0]) + dz * np.float32(up[1])
    v = da * np.float32(front[0]) + dz * np.float32(front[1])
    depth, width = np.float32(subject.depth[index]), np.float32(subject.width[index])
    if dip:
        v = v + np.float32(dip) * np.clip(canvas.x[window] / (width / 2), -1, 1) ** 2 * (v < 0)
    tall = np.clip(np.abs(u) / np.float32(0.5 * subject.posterior[index]), 0, 1)
    size = 1 - np.float32(subject.waist[index]) * (1 - tall**2)
    size = size + np.float32(spur) * tall**6 * np.clip(v / depth + 0.5, 0, 1)
    across = np.abs(canvas.x[window]) / (width / 2 * size)
    along = np.abs(v) / (depth / 2 * np.where(v > 0, size, 1))
    rho = (across**exponent + along**exponent) ** np.float32(1 / exponent)
    t = v / depth + np.float32(0.5)
    plan = (canvas.x[window] / (width / 2)) ** 2 + (v / (depth / 2)) ** 2
    return _BodyFrame(
        u,
        t,
        rho,
        subject.endplate(index, t, plan, superior=True),
        subject.endplate(index, t, plan, superior=False),
    )


def _body_window(canvas: Canvas, index: int, subject: Subject) -> Window | None:
    half = 0.5 * subject.posterior[index] + _MARGIN + 8
    middle = canvas.curve.middle[index]
    return canvas.window((middle - half, middle + half), (-8.0, subject.depth[index] + _MARGIN))


def _near(canvas: Canvas, subject: Subject, index: int, window: Window) -> Mask:
    """Keeps a body where the spine bends back on itself from being painted twice."""
    rows = np.abs(canvas.s[window] - canvas.curve.middle[index]) < 0.75 * subject.posterior[index] + 6
    return np.asarray(rows)


def paint_bodies(canvas: Canvas, subject: Subject, style: BoneStyle) -> None:
    """Bodies C2 to S5 with cortex and basivertebral vein; S2 to S5 as sacrum."""
    for index in range(sizes.COUNT):
        window = _body_window(canvas, index, subject)
        if window is None:
            continue
        body = _frame(canvas, subject, index, window, style.outline(index, spurs=True))
        inside = (body.rho < 1) & (body.u < body.superior) & (body.u > body.inferior)
        inside &= _near(canvas, subject, index, window)
        edge = np.minimum(
            np.minimum(body.superior - body.u, body.u - body.inferior), (1 - body.rho) * subject.depth[index] / 2
        )
        sacral = index > subject.chain.sacral
        canvas.paint(window, inside, Tissue.SACRAL_MARROW if sacral else Tissue.MARROW, index + 1)
        canvas.paint(window, inside & (edge < style.cortex_mm), Tissue.SACRAL_CORTEX if sacral else Tissue.CORTEX)
        if not sacral and style.basivertebral:
            vein = inside & (edge > style.cortex_mm / 2) & (body.t < style.basivertebral)
            vein &= (np.abs(body.u) < 2.2 - 4 * body.t) & (np.abs(canvas.x[window]) < 4)
            canvas.paint(window, vein, Tissue.BASIVERTEBRAL_VEIN)


def paint_discs(canvas: Canvas, subject: Subject, style: BoneStyle) -> None:
    """Discs C2-C3 to L5-S1 between the endplates of their neighbours; remnants within the sacrum."""
    for index in range(sizes.COUNT - 1):
        upper_window = _body_window(canvas, index, subject)
        if upper_window is None:
            continue
        rows = canvas.curve.bottom[index]
        thick = subject.disc[index] + 12 + _sunken(subject, index + 1)
        window = canvas.window((rows - thick, rows + thick), (-8.0, subject.depth[index] + _MARGIN))
        if window is None:
            continue
        above = _frame(canvas, subject, index, window, style.outline(index, spurs=False))
        below = _frame(canvas, subject, index + 1, window, style.outline(index + 1, spurs=False))
        between = (above.u <= above.inferior) & (below.u >= below.superior)
        rho = np.minimum(np.maximum(above.rho, 0), 4)
        rho = 0.5 * (rho + np.minimum(below.rho, 4)) / (1 + subject.bulge[index])
        disc = between & (rho < 1) & (canvas.level[window] == 0) & (np.abs(canvas.s[window] - rows) < thick)
        if index >= subject.chain.sacral:
            canvas.paint(window, disc, Tissue.SACRAL_DISC, 0)
            continue
        canvas.paint(window, disc, Tissue.ANNULUS, 101 + index)
        gap = np.maximum((above.inferior - above.u) + (below.u - below.superior), 0.5)
        height = 2 * (above.inferior - above.u) / gap - 1
        nucleus = disc & ((rho / style.nucleus) ** 2 + height**2 < 1) & (np.abs(height) > style.cleft)
        canvas.paint(window, nucleus, Tissue.NUCLEUS)


def _sunken(subject: Subject, index: int) -> float:
    """Most that a fracture lowered the superior endplate of a body, mm: the disc above follows it."""
    return float(max(subject.height_lost(index, t, (2 * t - 1) ** 2) for t in (0.0, 0.5, 1.0)))


def paint_lesions(canvas: Canvas, subject: Subject, style: BoneStyle) -> None:
    """Balls of replaced marrow within their own body."""
    for lesion in subject.pathology.lesions:
        window = _body_window(canvas, lesion.index, subject)
        if window is None:
            continue
        body = _frame(canvas, subject, lesion.index, window, style.outline(lesion.index, spurs=False))
        u, v, x = lesion.centre
        depth = subject.depth[lesion.index]
        away = (body.u - u) ** 2 + ((body.t - 0.5) * depth - v) ** 2 + (canvas.x[window] - x) ** 2
        marrow = canvas.tissue[window] == int(Tissue.MARROW)
        canvas.paint(
            window, (away < lesion.radius**2) & marrow & (canvas.level[window] == lesion.index + 1), Tissue.LESION
        )


def paint_nodes(canvas: Canvas, subject: Subject, nodes: Iterable[EndplateNode]) -> None:
    """Dents of endplates filled with disc, with a rim of dense bone."""
    for node in nodes:
        window = _body_window(canvas, node.index, subject)
        if window is None:
            continue
        body = _frame(canvas, subject, node.index, window, (0.0, _ROUNDNESS, 0.0))
        below = body.superior - body.u if node.superior else body.u - body.inferior
        away = ((body.t - node.t) * subject.depth[node.index]) ** 2 + (canvas.x[window] - node.x) ** 2
        deep = node.deep * (1 - away / node.radius**2) - below
        bone = canvas.level[window] == node.index + 1
        canvas.paint(window, bone & (deep > -1.0) & (away < (node.radius + 1) ** 2), Tissue.CORTEX)
        disc = 101 + node.index - node.superior
        canvas.paint(window, bone & (deep > 0), Tissue.ANNULUS, disc)
        canvas.paint(window, (canvas.level[window] == disc) & (deep > 1.5) & (below > 0), Tissue.NUCLEUS)


def paint_sacrum(canvas: Canvas, subject: Subject, canal: Mask) -> None:
    """Alae and posterior wall of the sacrum around its bodies."""
    chain = subject.chain
    top, bottom = canvas.curve.top[chain.sacral], canvas.curve.bottom[-1]
    window = canvas.window((top - 5, bottom), (-40.0, 60.0))
    if window is None:
        return
    g = subject.scale
    s, f, ax = canvas.s[window], canvas.f[window], np.abs(canvas.x[window])
    down = (s - top) / (bottom - top)
    share = np.linspace(0, 1, len(subject.depth) - chain.sacral)
    depth = np.interp(down, share, subject.depth[chain.sacral :])
    half_width = np.interp(down, share, subject.width[chain.sacral :]) / 2
    inside = (down > 0.02) & (down < 1) & ~canal[window] & (canvas.level[window] == 0)
    ala = inside & (ax < (52 * (1 - down) + 10) * g) & (ax > half_width - 1)
    ala &= (f < depth * 0.75 - (ax - 25) * 0.25) & (f > -12 * (1 - down) - 3)
    behind = np.interp(down, share, subject.canal_depth[chain.sacral :])
    crest = 6 * (1 - down) * (np.abs(np.sin(down * 15.7)) > 0.5) * (ax < 5)
    wall = (
        inside
        & (down > 0.05)
        & (f < -behind)
        & (f > -behind - 6 * (1 - 0.5 * down) - crest)
        & (ax < 25 * (1 - down) + 6)
    )
    canvas.paint(window, ala | wall, Tissue.SACRAL_MARROW, chain.sacral + 2)
    for index in range(chain.sacral, chain.sacral + 3):
        hole = (ax - (subject.width[index + 1] / 2 + 4)) ** 2 + (s - canvas.curve.bottom[index]) ** 2 < (4 * g) ** 2
        canvas.paint(window, hole & (f < subject.depth[index] * 0.7) & (ala | wall), Tissue.FORAMINAL_FAT, 0)


def paint_upper_neck(canvas: Canvas, subject: Subject, canal: Mask) -> None:
    """Dens and anterior and posterior arch and lateral masses of C1."""
    top = canvas.curve.top[0]
    window = canvas.window((top - 40, top + 12), (-50.0, 45.0))
    if window is None:
        return
    g = subject.scale
    s, f, x = canvas.s[window] - top, canvas.f[window], canvas.x[window]
    centre, radius, length = subject.depth[0] * 0.5 - 0.5, 5.2 * g, 15 * g
    ring = ((f - centre) / radius) ** 2 + (x / radius) ** 2
    dens = (ring < 1 - np.clip((-s - length + 4) / 4, 0, 1) ** 2) & (s < 2) & (s > -length)
    canvas.paint(window, dens, Tissue.MARROW, 1)
    canvas.paint(window, dens & (ring > 0.75), Tissue.CORTEX)
    height = s + 8 * g
    front = ((f - centre - radius - 4) / 3.5) ** 2 + (height / 6) ** 2 + (x / 14) ** 2 < 1
    back = (((f + subject.canal_depth[0] + 5) / 3.5) ** 2 + (height / 5) ** 2 < 1) & (np.abs(x) < 16)
    masses = ((np.abs(x) - 19) / 7) ** 2 + (height / 9) ** 2 + ((f - 2) / 9) ** 2 < 1
    canvas.paint(window, (front | back | masses) & ~canal[window] & ~dens, Tissue.POSTERIOR_MARROW, 0)
