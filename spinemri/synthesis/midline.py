"""What midline slices of people show behind the cord: pads of epidural fat, ligamenta flava, settled nerve roots.

Between two laminae the canal opens backwards into a pad of fat: deepest at the disc, it tapers down to the edge of the
lamina below, and the ligamenta flava, dark on every sequence, close it behind. Spinous processes begin above and behind
it. A network that has never seen these pads takes them for bone, for they lie as laminae would: directly behind the
sac, one to a level. Lying on the back, roots of the cauda equina settle in the back of the sac and fill it there.

For training subjects only: pads take away bone at the edges of laminae. Sizes are own estimates, from looking at T2w
images.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from spinemri.synthesis import morphometry as sizes
from spinemri.synthesis.canal import sac_profile
from spinemri.synthesis.tissue import Tissue

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spinemri.synthesis.canvas import Canvas, Field
    from spinemri.synthesis.subject import Subject

_LEAST_PAD_MM = 1.0  # thinner ones are the fat that every canal has behind its sac
_ONSET = 0.15  # share of a pad's length over which it reaches its full depth
_REPLACED = tuple(
    int(t)
    for t in (
        Tissue.EPIDURAL_FAT, Tissue.LIGAMENT, Tissue.INTERSPINOUS, Tissue.MUSCLE, Tissue.MUSCLE_FAT, Tissue.SOFT,
        Tissue.POSTERIOR_MARROW, Tissue.POSTERIOR_CORTEX, Tissue.FACET,
    )
)  # fmt: skip
_STREAKY, _STREAK_MM = 0.6, (4.0, 2.0, 7.0)  # share of people with streaks; how thick these are
_GRAIN_MM = (2.0, 12.0, 1.2)  # of settled roots: strands that run along the sac


@dataclass(frozen=True, eq=False)
class MidlineStyle:
    """One person's fat and roots behind the cord.

    Parameters
    ----------
    pad_mm : (levels,) how deep the pad below each vertebra reaches behind the canal
    width_mm : half its width at the canal
    length : of a pad, as a share of the lower vertebra's height, below the disc
    above_mm : how far above the disc it begins
    flavum_mm : thickness of the ligaments around it
    settled : share of the sac's depth, from behind, that roots settle in
    dense : share of that which they fill
    streaks : share of the tissue between spinous processes that is fat
    """

    pad_mm: NDArray[np.floating]
    width_mm: float
    length: float
    above_mm: float
    flavum_mm: float
    settled: float
    dense: float
    streaks: float = 0.0


def sample_midline(rng: np.random.Generator) -> MidlineStyle:
    """Random pads, largest between lumbar laminae and hardly any in the neck, and roots."""
    levels = [0, sizes.C7, sizes.T1 + 5, sizes.T12, sizes.L1 + 2, sizes.L5]
    usual = np.interp(np.arange(sizes.COUNT), levels, [0.0, 0.5, 2.5, 3.5, 6.0, 6.0])
    return MidlineStyle(
        pad_mm=usual * rng.uniform(0.4, 1.5) * rng.uniform(0.6, 1.3, sizes.COUNT),
        width_mm=float(rng.uniform(4.0, 8.0)),
        length=float(rng.uniform(0.25, 0.6)),
        above_mm=float(rng.uniform(0.0, 5.0)),
        flavum_mm=float(rng.uniform(2.0, 5.0)),
        settled=float(rng.uniform(0.0, 0.6)),
        dense=float(rng.uniform(0.3, 0.95)),
        streaks=float(rng.uniform(0.0, 0.6)) if rng.random() < _STREAKY else 0.0,
    )


def paint_pads(canvas: Canvas, subject: Subject, style: MidlineStyle) -> None:
    """Pads of fat with their ligaments below T1 to L5; the sac and its dura stay as they are."""
    _open_sacrum(canvas, subject, style)
    for upper in range(sizes.T1, subject.chain.sacral):
        if style.pad_mm[upper] >= _LEAST_PAD_MM:
            _paint_pad(canvas, subject, style, upper)


def _open_sacrum(canvas: Canvas, subject: Subject, style: MidlineStyle) -> None:
    """Between L5 and S1 the laminae lie furthest apart: no bone behind the canal at the upper end of S1."""
    chain = subject.chain
    top, back = float(canvas.curve.top[chain.sacral]), float(subject.canal_depth[chain.sacral])
    low = top + style.length * float(subject.posterior[chain.sacral])
    window = canvas.window((top - 5, low), (-back - 25, -0.4 * back))
    if window is None:
        return
    near = (canvas.s[window] < low) & (canvas.f[window] < -0.4 * back) & (np.abs(canvas.x[window]) < style.width_mm)
    bone = np.isin(canvas.tissue[window], (int(Tissue.SACRAL_MARROW), int(Tissue.SACRAL_CORTEX)))
    canvas.paint(window, near & bone, Tissue.INTERSPINOUS, 0)


def paint_streaks(canvas: Canvas, style: MidlineStyle, rng: np.random.Generator) -> None:
    """Streaks of fat between spinous processes."""
    noise = canvas.noise(rng, _STREAK_MM)
    fat = noise < np.quantile(noise, style.streaks)
    canvas.tissue[fat & (canvas.tissue == int(Tissue.INTERSPINOUS))] = int(Tissue.MUSCLE_FAT)


def _paint_pad(canvas: Canvas, subject: Subject, style: MidlineStyle, upper: int) -> None:
    start = float(canvas.curve.bottom[upper]) - style.above_mm
    length = float(canvas.curve.top[upper + 1]) + style.length * float(subject.posterior[upper + 1]) - start
    size, flavum = (float(style.pad_mm[upper]), style.width_mm), style.flavum_mm
    back = float(subject.canal_depth[upper])
    window = canvas.window((start - flavum - 2, start + length + flavum), (-back - size[0] - flavum - 4, -0.4 * back))
    if window is None:
        return
    place = (canvas.s[window] - start) / length, -canvas.f[window] - back, np.abs(canvas.x[window])
    free = np.isin(canvas.tissue[window], _REPLACED)
    pad = _wedge(place, size, 0.0) & free
    around = _wedge(place, size, flavum) & free & (place[1] > 0)
    around &= canvas.tissue[window] != int(Tissue.EPIDURAL_FAT)
    canvas.paint(window, around & ~pad, Tissue.LIGAMENT, 0)
    canvas.paint(window, pad, Tissue.EPIDURAL_FAT, 0)


def _wedge(place: tuple[Field, Field, Field], size: tuple[float, float], around: float) -> NDArray[np.bool_]:
    """Deepest at its upper end, narrowing backwards.

    Parameters
    ----------
    place : share of its length, mm behind the canal, mm from the midline
    size : depth behind the canal and half the width, mm
    around : mm by which it is larger
    """
    (along, behind, ax), (deep, half) = place, size
    reach = deep * np.clip(along / _ONSET, 0, 1) * np.clip(1 - along, 0, 1) ** 0.8
    wide = half * (1 - 0.8 * np.clip(behind / deep, 0, 1))
    return np.asarray((along > 0) & (along < 1) & (behind < reach + around) & (ax < wide + around))


def paint_settled_roots(canvas: Canvas, subject: Subject, style: MidlineStyle, rng: np.random.Generator) -> None:
    """Roots in the back of the sac from the conus to below L4, more scattered towards its end."""
    curve, profile = canvas.curve, sac_profile(subject, canvas.curve)
    tip = float(np.interp(subject.conus_index, np.arange(sizes.COUNT), curve.middle))
    window = canvas.drawn_window((tip - 25, profile.end_s), (-32.0, 3.0))
    noise = canvas.noise(rng, _GRAIN_MM)
    if window is None:
        return
    half = np.maximum(canvas.cut(canvas.profile(profile.diameter), window) / 2, 0.5)
    middle = canvas.cut(canvas.profile(profile.anterior_border), window) - half
    place = (canvas.f[window] - middle) / half  # -1 at the back of the sac, 1 at its front
    fewer = np.clip((canvas.s[window] - curve.bottom[subject.chain.first_lumbar + 2]) / 80, 0, 1)
    settled = -1 + 2 * style.settled * (1 - fewer)
    full = noise[window] < np.quantile(noise, style.dense)
    roots = (place < settled) & full & (canvas.tissue[window] == int(Tissue.CSF)) & (canvas.s[window] > tip - 20)
    canvas.paint(window, roots, Tissue.NERVE_ROOT)
