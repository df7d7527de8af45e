"""Spinal canal, thecal sac, cord and nerve roots, painted in curvilinear coordinates along the posterior walls.

``sac_profile`` is the single definition of the sac's AP diameter: the painter and the truth both read it.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from spinemri.synthesis import morphometry as sizes
from spinemri.synthesis.fragments import sac_limit
from spinemri.synthesis.joints import paint_flava
from spinemri.synthesis.tissue import Tissue

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spinemri.synthesis.canvas import Canvas, Curve, Field
    from spinemri.synthesis.subject import Subject

    Array = NDArray[np.floating]

_FROM_THE_FRONT = 0.6  # share of a narrowing that disc takes from the front; ligament takes the rest from behind
_LEAST_LOSS = 0.4  # mm; narrowing below this is not painted
_LEAST_LEFT = 0.5  # mm of the sac that a fragment leaves
_DURA_GAP = 1.0  # mm between the posterior wall and the sac above L5
_DURA_RING = 1.2  # squared radius of the sac with its dura
SAC_TISSUES = (Tissue.CSF, Tissue.CORD, Tissue.NERVE_ROOT)


@dataclass(frozen=True, eq=False)
class SacProfile:
    """AP diameter of the sac along the curve, and f of its anterior border; both (n,) mm over ``curve.s``.

    ``lost`` is what narrowings took from the diameter; 0.6 of it lies in front of the sac, the rest behind.
    """

    diameter: Array
    anterior_border: Array
    lost: Array
    end_s: float


@dataclass(frozen=True)
class CanalStyle:
    """Details of the canal that vary between people.

    ``dura_mm`` is the thickness of the dura, ``cord_exponent`` that of the cord's outline (2: ellipse), ``ligament``
    the squared radius of the canal with its ligaments; ``rootlets`` says whether the roots of the cord are drawn.
    """

    dura_mm: float
    cord_exponent: float
    ligament: float
    rootlets: bool


def sac_profile(subject: Subject, curve: Curve) -> SacProfile:
    """AP diameter of the thecal sac as a function of s, with every narrowing and every fragment of the subject."""
    chain = subject.chain
    knots = curve.middle[: chain.sacral + 2]
    diameter = curve.along(knots, subject.sac_depth[: chain.sacral + 2])
    for index in range(chain.first_lumbar, chain.last_lumbar + 1):  # posterior fat pads between the laminae
        pad = np.exp(-(((curve.s - curve.bottom[index] + 2) / 7) ** 2))
        diameter = diameter * (1 - 0.05 * pad)
    wide = diameter
    for narrowing in subject.pathology.narrowings:
        disc = disc_s(curve, narrowing.index)
        diameter = diameter * (1 - narrowing.fraction * np.exp(-(((curve.s - disc) / narrowing.length_mm) ** 2)))
    end = float(np.interp(subject.sac_end_index, np.arange(sizes.COUNT), curve.middle))
    taper = np.clip((end - curve.s) / 30, 0, 1) ** 0.6
    border_shift = np.interp(
        curve.s, [curve.bottom[chain.last_lumbar - 1], curve.top[chain.sacral], end], [0, 2.0, 4.0]
    )
    border = -(_DURA_GAP + border_shift + _FROM_THE_FRONT * (wide - diameter))
    kept, lost, limit = diameter * taper, (wide - diameter) * taper, sac_limit(subject, curve)
    if limit is not None:
        pushed = np.maximum(border - limit, 0.0)
        kept, border = np.maximum(kept - pushed, np.minimum(kept, _LEAST_LEFT)), border - pushed
    return SacProfile(kept, border, lost, end)


def sac_half_width(subject: Subject, curve: Curve, profile: SacProfile) -> Array:
    """Half the width, mm, of the elliptic sac as a function of s (n,)."""
    depth, width = (np.interp(curve.s, curve.middle, values) for values in (subject.canal_depth, subject.canal_width))
    share = np.clip(profile.diameter / (0.8 * depth), 0.15, 1)
    return np.asarray(width / 2 * subject.sac_width_fraction * share)


def cord_size(subject: Subject, curve: Curve) -> tuple[Array, Array]:
    """AP diameter and width, mm, of the cord as functions of s, (n,) each; 0 below its tip."""
    chain = subject.chain
    tip = float(np.interp(subject.conus_index, np.arange(sizes.COUNT), curve.middle))
    fade = np.clip((tip - curve.s) / 28, 0, 1) ** 0.6
    depth = np.interp(curve.s, curve.middle, subject.cord_depth[: sizes.COUNT])
    width = np.interp(curve.s, curve.middle, subject.cord_width[: sizes.COUNT])
    above = np.clip((curve.top[0] - 22 - curve.s) / 20, 0, 1)  # medulla
    enlarged = 0.9 * (curve.s > curve.middle[chain.last_thoracic - 1])  # the conus keeps this share of the size at T11
    depth = np.maximum(depth, subject.cord_depth[chain.last_thoracic - 1] * enlarged) * fade * (1 + 0.4 * above)
    width = np.maximum(width, subject.cord_width[chain.last_thoracic - 1] * enlarged) * fade * (1 + 0.5 * above)
    return np.asarray(depth), np.asarray(width)


def disc_s(curve: Curve, index: int) -> float:
    """Curve coordinate of the disc below vertebra ``index``."""
    return float(0.5 * (curve.bottom[index] + curve.top[index + 1]))


def paint_canal(
    canvas: Canvas, subject: Subject, rng: np.random.Generator, style: CanalStyle | None = None
) -> NDArray[np.bool_]:
    """Epidural fat, sac, cord and roots; returns the mask of the bony canal (x, z, a)."""
    chain = subject.chain
    curve = canvas.curve
    depth, width = canvas.along_levels(subject.canal_depth), canvas.along_levels(subject.canal_width)
    centre = -(depth / 2 + 0.5)
    ring = ((canvas.f - centre) / (depth / 2)) ** 2 + (canvas.x / (width / 2)) ** 2
    behind = np.clip(-(canvas.f - centre) / (depth / 2), 0, 1)
    lumbar = np.clip((canvas.s_plane - curve.top[chain.first_lumbar]) / 60, 0, 1)
    ring = ring + np.float32(rng.uniform(0.2, 0.6)) * lumbar * behind * np.abs(canvas.x) / (width / 2)
    span = (canvas.s_plane > curve.top[0] - 45) & (canvas.s_plane < curve.bottom[chain.sacral + 3])
    canal = (ring < 1) & span
    canvas.tissue[(ring < (style.ligament if style else 1.35)) & span] = int(Tissue.LIGAMENT)
    canvas.tissue[canal] = int(Tissue.EPIDURAL_FAT)

    profile = sac_profile(subject, curve)
    diameter, border = canvas.profile(profile.diameter), canvas.profile(profile.anterior_border)
    middle = border - diameter / 2
    half_width = canvas.profile(sac_half_width(subject, curve, profile))
    radius = ((canvas.f - middle) / np.maximum(diameter / 2, 0.05)) ** 2 + (canvas.x / half_width) ** 2
    within = span & (canvas.s_plane < profile.end_s)
    sac = (radius < 1) & within
    dura = (1 + 2 * style.dura_mm / np.maximum(diameter, 3)) ** 2 if style else _DURA_RING
    canvas.tissue[(radius < dura) & canal & within] = int(Tissue.DURA)
    canvas.tissue[sac] = int(Tissue.CSF)
    if canvas.field is not None:
        paint_flava(canvas, subject, ring)
    _paint_narrowing(canvas, subject, profile, within & ~sac)
    _paint_cord(canvas, subject, rng, (middle, radius), style.cord_exponent if style else 2)
    _paint_roots(canvas, subject, rng, sac, profile)
    if style and style.rootlets:
        _paint_rootlets(canvas, subject, rng, profile)
    return np.asarray(canal | sac)


def _paint_narrowing(canvas: Canvas, subject: Subject, profile: SacProfile, free: NDArray[np.bool_]) -> None:
    """Bulging disc in front of a narrowed sac and thick ligament behind it, where the sac would have been."""
    lost, diameter = canvas.profile(profile.lost), canvas.profile(profile.diameter)
    border = canvas.profile(profile.anterior_border)
    middle, wide = border - diameter / 2 + (_FROM_THE_FRONT - 0.5) * lost, diameter + lost
    half_width = canvas.along_levels(subject.canal_width) / 2 * subject.sac_width_fraction
    where = ((canvas.f - middle) / np.maximum(wide / 2, 0.05)) ** 2 + (canvas.x / half_width) ** 2 < 1.05
    where &= free & (lost > _LEAST_LOSS)
    front = where & (canvas.f > border - diameter / 2)
    canvas.tissue[where] = int(Tissue.LIGAMENT)
    if canvas.field is not None:  # nor is there fat beside a narrowed sac
        canvas.tissue[free & (lost > _LEAST_LOSS) & (canvas.tissue == int(Tissue.EPIDURAL_FAT))] = int(Tissue.LIGAMENT)
    for narrowing in subject.pathology.narrowings:
        near = np.abs(canvas.s_plane - disc_s(canvas.curve, narrowing.index)) < subject.disc[narrowing.index] / 2 + 1
        disc = front & near
        canvas.tissue[disc] = int(Tissue.ANNULUS)
        canvas.level[disc] = 101 + narrowing.index


def _paint_cord(
    canvas: Canvas, subject: Subject, rng: np.random.Generator, sac: tuple[Field, Field], exponent: float
) -> None:
    (middle, radius), curve = sac, canvas.curve
    tip = float(np.interp(subject.conus_index, np.arange(sizes.COUNT), curve.middle))
    depth, width = cord_size(subject, curve)
    knots = [
        curve.s[0],
        curve.middle[2],
        curve.middle[sizes.T1 + 5],
        curve.middle[subject.chain.last_thoracic],
        curve.s[-1],
    ]
    shifts = [0, rng.uniform(-0.5, 0.8), rng.uniform(0, 2), rng.uniform(-1.2, 0.4), rng.uniform(-1.2, 0)]
    shift = curve.along(knots, shifts)
    cap, cwd, off = (canvas.profile(values) for values in (depth, width, shift))
    along, across = (canvas.f - middle - off) / np.maximum(cap / 2, 0.05), canvas.x / np.maximum(cwd / 2, 0.05)
    inside = np.abs(along) ** exponent + np.abs(across) ** exponent < 1 if exponent != 2 else along**2 + across**2 < 1
    inside &= (radius < 0.92) & (canvas.tissue == int(Tissue.CSF)) & (canvas.s_plane < tip)
    canvas.tissue[inside] = int(Tissue.CORD)


def _paint_roots(
    canvas: Canvas, subject: Subject, rng: np.random.Generator, sac: NDArray[np.bool_], profile: SacProfile
) -> None:
    curve = canvas.curve
    tip = float(np.interp(subject.conus_index, np.arange(sizes.COUNT), curve.middle))
    window = canvas.drawn_window((tip - 35, profile.end_s), (-30.0, 3.0))
    if window is None:
        return
    fluid = sac[window] & (canvas.tissue[window] == int(Tissue.CSF)) & (canvas.s[window] > tip - 20)
    half = canvas.cut(canvas.profile(profile.diameter), window) / 2
    middle = canvas.cut(canvas.profile(profile.anterior_border), window) - half
    wide = canvas.cut(canvas.along_levels(subject.canal_width), window) / 2 * np.float32(subject.sac_width_fraction)
    half, middle, wide = (np.broadcast_to(values, fluid.shape)[fluid] for values in (half, middle, wide))
    s, f, x = canvas.s[window][fluid], canvas.f[window][fluid] - middle, canvas.x[window][fluid]
    roots = np.zeros(s.shape, dtype=bool)
    for _ in range(int(rng.integers(8, 26))):
        start = np.array([rng.uniform(-0.75, 0.1), rng.uniform(-0.6, 0.6)])
        end = np.array([rng.uniform(-0.8, 0.3), np.sign(start[1]) * rng.uniform(0.2, 0.85)])
        leaves = rng.uniform(tip + 30, profile.end_s + 20)
        way = np.clip((s - tip + 20) / (leaves - tip + 20), 0, 1)
        df = f - (start[0] + (end[0] - start[0]) * way) * half
        dx = x - (start[1] + (end[1] - start[1]) * way) * wide
        roots |= (df**2 + dx**2 < rng.uniform(0.4, 1.1) ** 2) & (s < leaves)
    if canvas.field is not None:
        ends = float(canvas.curve.bottom[subject.chain.first_lumbar]), profile.end_s
        roots |= _thin_roots(deepcopy(rng), (s, f / np.maximum(half, 0.05), x / wide), (half, wide), ends)
    fluid[fluid] = roots
    canvas.paint(window, fluid, Tissue.NERVE_ROOT)


def _thin_roots(
    rng: np.random.Generator, place: tuple[Field, Field, Field], half: tuple[Field, Field], ends: tuple[float, float]
) -> NDArray[np.bool_]:
    """Further roots of the cauda equina, which settle in a crescent in the back of the sac; sagittal stacks lack them.

    Parameters
    ----------
    place : s in mm, and f and x as shares of the sac's half diameters ``half``
    ends : s between which the roots leave, the outermost first
    """
    s, f, x = place
    found = np.zeros(s.shape, dtype=bool)
    for side in (-1, 1):
        for share in np.linspace(0.06, 0.8, 9) + rng.uniform(-0.03, 0.03, 9):
            back = -float(rng.uniform(0.5, 0.78)) * np.sqrt(1 - 0.75 * share**2)
            leaves = ends[1] + (ends[0] - ends[1]) * share + rng.uniform(-8, 8)
            out = share + 0.25 * np.clip(1 - (leaves - s) / 40, 0, 1)
            radius = float(rng.uniform(0.35, 0.6))
            away = ((f - back) * half[0]) ** 2 + ((x - side * out) * half[1]) ** 2
            found |= (away < radius**2) & (s < leaves)
    return found


def _paint_rootlets(canvas: Canvas, subject: Subject, rng: np.random.Generator, profile: SacProfile) -> None:
    """Anterior and posterior roots of C3 to T12 from the cord's sides down and out to the foramina, within the sac."""
    curve = canvas.curve
    for index in range(1, subject.chain.first_lumbar):
        ends = disc_s(curve, index) - 3
        starts = ends - rng.uniform(3, 9) - 1.2 * max(index - sizes.C7, 0)
        window = canvas.drawn_window((starts - 2, ends + 3), (-22.0, 3.0))
        if window is None:
            continue
        s, x = canvas.s[window], canvas.x[window]
        border = float(np.interp(ends, curve.s, profile.anterior_border))
        middle = border - float(np.interp(ends, curve.s, profile.diameter)) / 2
        way = np.clip((s - starts) / (ends - starts), 0, 1)
        out = 0.42 * subject.cord_width[index] + way * (
            0.5 * subject.canal_width[index] - 0.42 * subject.cord_width[index]
        )
        roots = np.zeros(s.shape, dtype=bool)
        for side in (-1, 1):
            leaves = rng.uniform(1.2, 2.6) * side * (1 - way)
            thin = (canvas.f[window] - middle - leaves) ** 2 + (np.abs(x) - out) ** 2 < rng.uniform(0.5, 1.0) ** 2
            roots |= thin & (s > starts) & (s < ends)
        roots &= canvas.tissue[window] == int(Tissue.CSF)
        canvas.paint(window, roots, Tissue.NERVE_ROOT)


def paint_foramina(canvas: Canvas, subject: Subject) -> None:
    """Fat and ganglion in the foramina, where nothing bony lies."""
    free = [
        int(t)
        for t in (Tissue.MUSCLE, Tissue.SOFT, Tissue.PREVERTEBRAL, Tissue.LIGAMENT, Tissue.LUNG, Tissue.MUSCLE_FAT)
    ]
    for index in range(1, subject.chain.sacral):
        bottom = canvas.curve.bottom[index]
        window = canvas.window((bottom - 12, bottom + subject.disc[index] + 12), (-30.0, 25.0))
        if window is None:
            continue
        s, f = canvas.s[window] - bottom + 1, canvas.f[window]
        ax = np.abs(canvas.x[window]) - subject.canal_width[index] / 2
        opening = ((f + 4) / 5) ** 2 + (s / 7) ** 2
        if canvas.field is not None:  # rounded off at the side
            opening = opening + np.clip((ax - 2) / 7, 0, None) ** 3
        fat = (ax > -1) & (ax < 9) & (opening < 1) & np.isin(canvas.tissue[window], free)
        canvas.paint(window, fat, Tissue.FORAMINAL_FAT)
        canvas.paint(window, fat & ((f + 3) ** 2 + (s + 2) ** 2 < 6.5), Tissue.GANGLION)
    if canvas.field is not None:
        _paint_vertebral_arteries(canvas, subject)


def _paint_vertebral_arteries(canvas: Canvas, subject: Subject) -> None:
    """Through the transverse foramina of C2 to C6."""
    window = canvas.window((float(canvas.curve.top[0]), float(canvas.curve.bottom[sizes.C7 - 1])), (-10.0, 12.0))
    if window is None:
        return
    half = canvas.cut(canvas.along_levels(subject.canal_width), window) / 2
    s = canvas.cut(canvas.s_plane, window)
    inside = (s > canvas.curve.top[0]) & (s < canvas.curve.bottom[sizes.C7 - 1])
    away = np.hypot(np.abs(canvas.x[window]) - half - 5 * subject.scale, canvas.f[window] - 2)
    canvas.paint(window, inside & (away < 2.9), Tissue.FORAMINAL_FAT, 0)
    canvas.paint(window, inside & (away < 2.2), Tissue.AORTA)
