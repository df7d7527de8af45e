"""A subject painted on a grid: which tissue and which vertebra every voxel belongs to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from spinemri.synthesis import arches, bones, canal, fragments, midline, posterior, surroundings
from spinemri.synthesis.canvas import blank_canvas, leaning

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spinemri.synthesis.appearance import Appearance
    from spinemri.synthesis.canvas import Canvas, Curve
    from spinemri.synthesis.numbering import Chain
    from spinemri.synthesis.subject import Subject


@dataclass(frozen=True, eq=False)
class LabelVolume:
    """Painted subject.

    Parameters
    ----------
    tissue : (x, z, a) uint8, Tissue values
    level : (x, z, a) uint8; 1 + index of the vertebra for its bone, 101 + index for the disc below it, else 0
    axes : coordinates of the voxel centres along x, z, a in mm
    curve : the line through the posterior walls
    """

    tissue: NDArray[np.uint8]
    level: NDArray[np.uint8]
    axes: tuple[NDArray[np.floating], NDArray[np.floating], NDArray[np.floating]]
    curve: Curve

    @property
    def chain(self) -> Chain:
        """Which vertebrae the levels count."""
        return self.curve.chain


def paint(
    subject: Subject,
    axes: tuple[NDArray[np.floating], NDArray[np.floating], NDArray[np.floating]],
    rng: np.random.Generator,
    roughness_mm: float = 0.0,
    look: Appearance | None = None,
) -> LabelVolume:
    """Paint a subject on regular axes (x, z, a).

    With ``roughness_mm`` above 0 every surface is displaced smoothly at random (for training); the subject's numbers
    are then true on average only. With a ``look`` (for training) outlines, posterior elements, canal and soft
    tissue are that person's.
    """
    return painted(blank_canvas(subject, axes, rng, roughness_mm), subject, axes, rng, look)


def painted(
    canvas: Canvas,
    subject: Subject,
    axes: tuple[NDArray[np.floating], NDArray[np.floating], NDArray[np.floating]],
    rng: np.random.Generator,
    look: Appearance | None = None,
) -> LabelVolume:
    """Paint a subject on a blank canvas with these axes (x, z, a); see ``paint``."""
    style = bones.sample_style(rng)
    if look:
        canvas = leaning(canvas, subject, look.twist)
        style = look.bone_style(style)
    surroundings.paint_surroundings(canvas, subject, rng, scalloped=look is not None)
    in_canal = canal.paint_canal(canvas, subject, rng, look.canal if look else None)
    if look and look.midline:
        midline.paint_settled_roots(canvas, subject, look.midline, rng)
    if look:
        arches.paint_arches(canvas, subject, (style, look.arches), in_canal)
    else:
        posterior.paint_posterior_elements(canvas, subject, style, in_canal)
    canal.paint_foramina(canvas, subject)
    keep = canvas.tissue[in_canal]
    bones.paint_bodies(canvas, subject, style)
    fragments.paint_fragments(canvas, subject, style.cortex_mm)
    bones.paint_discs(canvas, subject, style)
    bones.paint_sacrum(canvas, subject, in_canal)
    if look and look.midline:
        midline.paint_pads(canvas, subject, look.midline)
        midline.paint_streaks(canvas, look.midline, rng)
    bones.paint_upper_neck(canvas, subject, in_canal)
    bones.paint_lesions(canvas, subject, style)
    if look:
        bones.paint_nodes(canvas, subject, look.nodes)
    _restore_sac(canvas.tissue, canvas.level, in_canal, keep)
    surroundings.paint_head(canvas, subject, in_canal)
    return LabelVolume(canvas.tissue, canvas.level, axes, canvas.curve)


def _restore_sac(
    tissue: NDArray[np.uint8], level: NDArray[np.uint8], in_canal: NDArray[np.bool_], before: NDArray[np.uint8]
) -> None:
    """The sac wins over a bulging disc or a body's corner, so that its diameter stays the one that was set."""
    kept = np.isin(before, [int(t) for t in canal.SAC_TISSUES])
    where = np.flatnonzero(in_canal)[kept]
    tissue.reshape(-1)[where] = before[kept]
    level.reshape(-1)[where] = 0
