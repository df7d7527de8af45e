"""Everything around the spine: organs, vessels, lungs, muscle, fat, skin, ribs and the skull base.

None of it is measured; it is varied on purpose, so that a network learns what is not spine. Sagittal stacks are narrow;
for all other grids ``torso.py`` draws what they show at the sides.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import cKDTree

from spinemri.synthesis import morphometry as sizes
from spinemri.synthesis import torso
from spinemri.synthesis.texture import smooth_noise
from spinemri.synthesis.tissue import Tissue

if TYPE_CHECKING:
    from spinemri.synthesis.canvas import Canvas, Field
    from spinemri.synthesis.subject import Subject


def paint_surroundings(canvas: Canvas, subject: Subject, rng: np.random.Generator, *, scalloped: bool = False) -> None:
    """Paint all tissue that is not spine; call it first. ``scalloped`` fits the psoas to bodies and discs."""
    coarse, fine = canvas.noise(rng, (8, 26, 7)), canvas.noise(rng, (5, 10, 3))
    depth, width = canvas.along_levels(subject.depth), canvas.along_levels(subject.width)
    _paint_organs(canvas, rng, canvas.f > depth + 2 + 2 * np.abs(coarse))
    _paint_chest(canvas, rng, depth, width, coarse)
    if not scalloped:
        _paint_psoas(canvas, rng, depth, width, coarse)
    band = (canvas.f > depth * 0.3) & (canvas.f < depth + rng.uniform(1.5, 6) + 1.5 * coarse)
    canvas.tissue[band & (np.abs(canvas.x) < width / 2 + 4)] = int(Tissue.PREVERTEBRAL)
    if scalloped:
        _paint_scalloped_psoas(canvas, subject, rng, depth, coarse)
    _paint_vessels(canvas, subject, rng, depth)
    wide = torso.flanks(canvas, rng) if canvas.field else None
    _paint_back(canvas, subject, rng, (coarse, fine), coarse if wide is None else wide.even)
    if wide is None:
        _paint_ribs(canvas, subject)
    else:
        torso.paint_torso(canvas, subject, wide)


def _paint_organs(canvas: Canvas, rng: np.random.Generator, where: np.ndarray) -> None:
    """Cells of random tissue in front of the spine."""
    field = canvas.texture
    extent = np.array(field.whole) * field.pixel
    count = int(rng.integers(25, 60) * max(1.0, extent[1] / 300))
    seeds = rng.uniform(0, 1, (count, 3)) * extent
    kinds = rng.integers(int(Tissue.ORGAN_0), int(Tissue.ORGAN_7) + 1, count)
    steps = [max(1, round(2.0 / p)) for p in field.pixel]
    grid = np.stack(
        np.meshgrid(
            *(np.arange(0, n, k) * p for n, k, p in zip(field.whole, steps, field.pixel, strict=True)), indexing="ij"
        ),
        -1,
    )
    for axis in (1, 2):
        grid[..., axis] += smooth_noise(rng, grid.shape[:3], (6, 9, 9)) * rng.uniform(3, 9)
    _, cell = cKDTree(seeds).query(grid.reshape(-1, 3))
    canvas.tissue[where] = field.blocks(kinds[cell].astype(np.uint8).reshape(grid.shape[:3]), steps)[where]


def _paint_chest(canvas: Canvas, rng: np.random.Generator, depth: Field, width: Field, coarse: Field) -> None:
    curve, s = canvas.curve, canvas.s_plane
    chest = (s > curve.top[sizes.T1] + 5) & (s < curve.bottom[curve.chain.last_thoracic - 1])
    ax = np.abs(canvas.x)
    if rng.random() < 0.85:
        side = chest & (ax > width / 2 + rng.uniform(3, 14) + 3 * coarse) & (canvas.f > -20)
        canvas.tissue[side] = int(Tissue.LUNG)
    if rng.random() < 0.4:
        canvas.tissue[chest & (canvas.f > depth + rng.uniform(15, 35) + 6 * coarse)] = int(Tissue.LUNG)


def _paint_psoas(canvas: Canvas, rng: np.random.Generator, depth: Field, width: Field, coarse: Field) -> None:
    """Psoas beside the lumbar bodies: scalloped, tapering upward, wrapped in fat with segmental vessels."""
    curve = canvas.curve
    chain = curve.chain
    grow = np.clip(
        (canvas.s_plane - curve.middle[chain.last_thoracic])
        / (curve.middle[chain.last_lumbar] - curve.middle[chain.last_thoracic]),
        0,
        1,
    )
    thick = (6 + 32 * grow) * np.float32(rng.uniform(0.8, 1.2))
    gap = np.float32(rng.uniform(0.0, 1.5))
    ax = np.abs(canvas.x) - width / 2 - gap
    inside = (ax > 0) & (ax < thick + 2 * coarse) & (canvas.f > -8) & (canvas.f < depth * 0.95 + 4 * coarse)
    lumbar = canvas.s_plane > curve.middle[chain.last_thoracic]
    wrap = (ax > -1) & (ax < thick + 4) & (canvas.f > -10) & (canvas.f < depth + 8) & lumbar
    canvas.tissue[wrap] = int(Tissue.PREVERTEBRAL)
    canvas.tissue[inside & lumbar] = int(Tissue.MUSCLE)
    for index in range(chain.first_lumbar, chain.sacral):
        row = canvas.drawn_window((curve.middle[index] - 3, curve.middle[index] + 3), (-5.0, 45.0))
        if row is not None and rng.random() < 0.7:
            near = np.abs(canvas.s[row] - curve.middle[index]) < 1.3
            canvas.paint(row, near & (ax[row] > -1) & (ax[row] < 2.5), Tissue.VENA_CAVA)


def _paint_scalloped_psoas(
    canvas: Canvas, subject: Subject, rng: np.random.Generator, depth: Field, coarse: Field
) -> None:
    """Psoas that lies against discs and rims and bridges the waists, where fat and segmental vessels run under it."""
    curve = canvas.curve
    chain = curve.chain
    bulk = curve.along(
        [
            curve.bottom[chain.last_thoracic - 1],
            curve.middle[chain.first_lumbar],
            curve.middle[chain.last_lumbar - 1],
            curve.top[chain.sacral],
        ],
        np.array([2, 9, 27, 32]) * rng.uniform(0.7, 1.25),
    )
    waist = np.zeros_like(curve.s)
    for index in range(chain.last_thoracic, chain.sacral):
        tall = np.abs(curve.s - curve.middle[index]) / (0.5 * subject.posterior[index])
        waist += np.clip(1 - tall**2, 0, 1)
    hollow, thick = canvas.profile(waist), canvas.profile(bulk)
    width = canvas.along_levels(subject.width)
    exponent = rng.uniform(2.0, 2.6)
    forward = np.abs(canvas.f - depth / 2) / (depth / 2)
    ax = np.abs(canvas.x)
    out = ((ax / (width / 2)) ** exponent + forward**exponent) ** np.float32(1 / exponent) * (width / 2) - width / 2
    gap = rng.uniform(-0.5, 1.0) + hollow * rng.uniform(-2.0, 2.5)
    beside = (ax > 0.62 * width / 2) & (canvas.f > -rng.uniform(2, 9)) & (canvas.f < depth * rng.uniform(0.75, 1.05))
    beside &= (canvas.s_plane > curve.middle[chain.last_thoracic]) & (canvas.s_plane < curve.middle[chain.sacral])
    border = thick + 2 * coarse
    canvas.tissue[beside & (out > -4) & (out < border + rng.uniform(1, 6))] = int(Tissue.PREVERTEBRAL)
    canvas.tissue[beside & (out > -4) & (out < gap)] = int(Tissue.FORAMINAL_FAT)
    canvas.tissue[beside & (out > gap) & (out < border)] = int(Tissue.MUSCLE)
    if rng.random() < 0.5:
        streaks = beside & (out > gap) & (out < border) & (coarse > rng.uniform(0.9, 2.0))
        canvas.tissue[streaks] = int(Tissue.MUSCLE_FAT)
    if rng.random() < 0.5:
        canvas.tissue[beside & (np.abs(out - border) < 0.7)] = int(Tissue.LIGAMENT)
    for index in range(chain.first_lumbar, chain.sacral):
        row = canvas.drawn_window((curve.middle[index] - 4, curve.middle[index] + 4), (-8.0, 48.0))
        if row is not None and rng.random() < 0.8:
            near = np.abs(canvas.s[row] - curve.middle[index] - rng.uniform(-2, 2)) < rng.uniform(0.8, 1.8)
            canvas.paint(row, near & (out[row] > -4) & (out[row] < rng.uniform(0.5, 3.5)), Tissue.VENA_CAVA)


def _paint_vessels(canvas: Canvas, subject: Subject, rng: np.random.Generator, depth: Field) -> None:
    curve, g = canvas.curve, subject.scale
    chain = curve.chain
    s = canvas.s_plane

    def tube(radius: float, x: float, forward: float) -> np.ndarray:
        return np.asarray((canvas.f - (depth + radius + forward)) ** 2 + (canvas.x - x) ** 2 < radius**2)

    aorta = tube(rng.uniform(8, 13) * g, rng.uniform(2, 14), 3)
    span = (s > curve.top[sizes.T1 + 3]) & (s < curve.bottom[chain.last_lumbar - 1] + rng.uniform(-10, 10))
    canvas.tissue[aorta & span] = int(Tissue.AORTA)
    cava = tube(rng.uniform(7, 12) * g, -rng.uniform(8, 16), 3)
    canvas.tissue[cava & (s > curve.top[sizes.T1 + 9]) & (s < curve.bottom[chain.last_lumbar])] = int(Tissue.VENA_CAVA)
    airway = tube(rng.uniform(6, 10), 0.0, rng.uniform(12, 22))
    canvas.tissue[airway & (s < curve.top[sizes.T1 + 5])] = int(Tissue.TRACHEA)


def _paint_back(
    canvas: Canvas, subject: Subject, rng: np.random.Generator, textures: tuple[Field, Field], ripple: Field
) -> None:
    """Back muscles with fat streaks, interspinous tissue, subcutaneous fat, skin and air; the front of the neck."""
    coarse, fine = textures
    curve, s = canvas.curve, canvas.s_plane
    chain = curve.chain
    depth, width = canvas.along_levels(subject.canal_depth), canvas.along_levels(subject.width)
    reach = canvas.along_levels(subject.spinous_length)
    ax = np.abs(canvas.x)
    fascia = depth + 6 + reach * rng.uniform(0.95, 1.15) + rng.uniform(0, 4)
    hump = canvas.profile(
        np.interp(curve.s, [curve.s[0], curve.top[0] - 25, curve.top[2], curve.top[5]], [22, 20, 12, 0])
    )
    fascia = fascia + hump + 2 * ripple - 0.02 * ax**1.5
    knots = [
        curve.s[0],
        curve.top[0],
        curve.top[4],
        curve.top[8],
        curve.bottom[chain.first_lumbar],
        curve.bottom[chain.last_lumbar],
        curve.s[-1],
    ]
    fat = np.array([3, 6, 12, 8, 9, 20, 22]) * rng.uniform(0.6, 1.4) * rng.uniform(0.4, 1.8)
    skin = canvas.profile(np.clip(np.interp(curve.s, knots, fat), 3, 60))
    back = (canvas.f < -depth * 0.45) & ~((canvas.f > -depth) & (ax < width * 0.5))
    back |= (canvas.f < 0) & (ax > width * 0.55)
    back &= canvas.tissue != int(Tissue.LUNG)
    canvas.tissue[back] = int(Tissue.MUSCLE)
    canvas.tissue[back & (0.8 * coarse + 0.6 * fine > rng.uniform(1.0, 2.2))] = int(Tissue.MUSCLE_FAT)
    between = (ax < rng.uniform(2.5, 5)) & (canvas.f < -depth - 2) & (canvas.f > -fascia + 1)
    between &= (s > curve.top[0] - 10) & (s < curve.bottom[-1])
    canvas.tissue[between] = int(Tissue.INTERSPINOUS)
    canvas.tissue[between & (fine + 0.5 * coarse > 0.9)] = int(Tissue.LIGAMENT)
    canvas.tissue[canvas.f < -fascia] = int(Tissue.SUBCUTANEOUS_FAT)
    canvas.tissue[canvas.f < -(fascia + skin)] = int(Tissue.AIR)
    if rng.random() < 0.5:
        neck = s < curve.bottom[5]
        front = canvas.along_levels(subject.depth) + rng.uniform(35, 75) + 6 * ripple
        canvas.tissue[neck & (canvas.f > front - 8)] = int(Tissue.SUBCUTANEOUS_FAT)
        canvas.tissue[neck & (canvas.f > front)] = int(Tissue.AIR)


def _paint_ribs(canvas: Canvas, subject: Subject) -> None:
    for index in range(sizes.T1, subject.chain.last_thoracic + 1):
        top = canvas.curve.top[index]
        window = canvas.window((top - 16, top + 20), (-45.0, 30.0))
        if window is None:
            continue
        out = np.abs(canvas.x[window]) - (subject.width[index] / 2 + 3)
        down = canvas.s[window] - top - 0.35 * out
        rib = (out > 0) & ((canvas.f[window] + 4 + 0.25 * out) ** 2 / 16 + down**2 / 20 < 1)
        canvas.paint(window, rib, Tissue.RIB)


def paint_head(canvas: Canvas, subject: Subject, canal: np.ndarray) -> None:
    """Skull base, brain stem and cisterns above the neck; paint it last."""
    top = canvas.curve.top[0]
    window = canvas.window((0.0, top - 15), (-95.0, 70.0))
    if window is None:
        return
    up = top - 22 - canvas.s[window]
    grown = np.clip(up, 0, 60)
    f, x = canvas.f[window], canvas.x[window]
    back = -subject.canal_depth[0]
    inside = (up > 0) & (f < 4 + grown * 0.55) & (f > back - 4 - grown * 1.3) & (np.abs(x) < 14 + grown * 1.2)
    bone = (up > -4) & (f < 16 + grown * 0.55) & (f > back - 12 - grown * 1.3) & (np.abs(x) < 22 + grown * 1.2)
    canvas.paint(window, bone & ~inside & ~canal[window], Tissue.SKULL, 0)
    stem = inside & (canvas.tissue[window] == int(Tissue.CORD))
    canvas.paint(window, inside, Tissue.CISTERN, 0)
    wide = np.clip(5 + grown * 0.25, 5, 13)
    pons = inside & (((f + 4 - grown * 0.25) / wide) ** 2 + (x / np.clip(8 + grown * 0.4, 8, 18)) ** 2 < 1)
    rear = ((f - back + 8 + grown * 0.45) / (4 + grown * 0.55)) ** 2 + ((up - 28) / 22) ** 2 + (x / 40) ** 2
    canvas.paint(window, pons | stem | (inside & (rear < 1)), Tissue.BRAIN)
