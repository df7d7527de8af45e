"""Lumbar facet joints and ligamenta flava as axial slices show them.

The superior articular process of the lower vertebra is a cup in front of and beside the inferior one of the upper; the
joint between them turns from sagittal at T12-L1 to oblique at L5-S1. Sagittal stacks keep their own, simpler pillars.
This refines them: the bony mass is about the same, the border between both vertebrae runs along the joint.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from spinemri.synthesis.tissue import Tissue

if TYPE_CHECKING:
    from collections.abc import Container

    from numpy.typing import NDArray

    from spinemri.synthesis.canvas import Canvas, Field
    from spinemri.synthesis.subject import Subject

_TURN_DEG = (22.0, 50.0)  # of the joint against the sagittal plane at T12-L1 and L5-S1
_SPACE_MM, _PLATE_MM = 1.1, 0.9  # joint space; bone plate under its cartilage
_HALF_MM = 13.0  # length of an articular process from the joint's middle up or down
_INNER, _OUTER = (7.5, 5.0), (8.5, 6.5)  # radii along and across the joint of the inferior and superior process, mm
_FLAVUM_MM = 9.0  # how far a ligamentum flavum goes up and down from its disc
_FLAVUM_FROM = 0.62  # squared radius of the canal from which ligament fills it behind


def paint_joints(canvas: Canvas, subject: Subject, canal: NDArray[np.bool_], but: Container[int] = ()) -> None:
    """Facet joints T12-L1 to L5-S1 on posterior elements that are painted; not of the vertebrae ``but``."""
    chain = subject.chain
    for upper in range(chain.last_thoracic, chain.sacral):
        if upper not in but and upper + 1 not in but:
            _paint_joint(canvas, subject, canal, upper)


def _paint_joint(canvas: Canvas, subject: Subject, canal: NDArray[np.bool_], upper: int) -> None:
    chain = subject.chain
    lower, g = upper + 1, subject.scale
    middle = 0.5 * float(canvas.curve.bottom[upper] + canvas.curve.top[lower]) - 1
    window = canvas.window((middle - _HALF_MM, middle + _HALF_MM), (-45.0, 12.0))
    if window is None:
        return
    turn = np.radians(np.interp(upper, (chain.last_thoracic, chain.last_lumbar), _TURN_DEG))
    across = np.abs(canvas.x[window]) - (subject.canal_width[upper] / 2 + 6 * g)
    forward = canvas.f[window] + 0.8 * subject.canal_depth[upper]
    along = across * np.float32(np.sin(turn)) - forward * np.float32(np.cos(turn))
    out = across * np.float32(np.cos(turn)) + forward * np.float32(np.sin(turn))
    tall = np.clip(1 - ((canvas.s[window] - middle) / _HALF_MM) ** 4, 0.01, 1)
    inner = _depth(along, out + 3.6 * g, _INNER, g * tall)
    outer = _depth(along, out - 2.0 * g, _OUTER, g * tall)
    free = ~canal[window] & (tall > 0.02)
    before = canvas.tissue[window] == int(Tissue.POSTERIOR_MARROW)
    sacral = lower == chain.sacral
    cup, level = (outer > 0) & (inner < -_SPACE_MM) & free, chain.sacral + 2 if sacral else lower + 1
    canvas.paint(window, cup, Tissue.SACRAL_MARROW if sacral else Tissue.POSTERIOR_MARROW, level)
    plate = (inner > -_SPACE_MM - _PLATE_MM) | ((outer < _PLATE_MM) & ~before)
    canvas.paint(window, cup & plate, Tissue.SACRAL_CORTEX if sacral else Tissue.POSTERIOR_CORTEX)
    canvas.paint(window, (inner > 0) & free, Tissue.POSTERIOR_MARROW, upper + 1)
    facing = (out > -3.6 * g) | ~before
    canvas.paint(window, (inner > 0) & (inner < _PLATE_MM) & facing & free, Tissue.POSTERIOR_CORTEX)
    canvas.paint(window, (inner <= 0) & (inner > -_SPACE_MM) & (outer > 0) & free, Tissue.FACET, 0)


def _depth(along: Field, across: Field, radii: tuple[float, float], size: Field) -> Field:
    """Depth in mm below the rim of an ellipse, negative outside."""
    ring = np.hypot(along / (radii[0] * size), across / (radii[1] * size))
    return np.asarray((1 - ring) * radii[1] * size)


def paint_flava(canvas: Canvas, subject: Subject, ring: Field) -> None:
    """Ligamenta flava within the canal, C2-C3 to L5-S1, leaving a wedge of fat in the midline of the lumbar ones.

    Parameters
    ----------
    ring : squared radius of the canal over the whole canvas, 1 at its rim
    """
    chain = subject.chain
    for upper in range(chain.sacral):
        middle = 0.5 * float(canvas.curve.bottom[upper] + canvas.curve.top[upper + 1])
        window = canvas.window((middle - _FLAVUM_MM, middle + _FLAVUM_MM), (-45.0, 3.0))
        if window is None:
            continue
        near = np.abs(canvas.s[window] - middle) < _FLAVUM_MM * np.float32(subject.scale)
        behind = -canvas.f[window] - np.float32(0.55 * subject.canal_depth[upper])
        wedge = np.abs(canvas.x[window]) > (0.55 * behind if upper >= chain.last_thoracic else 0.8)
        fat = canvas.tissue[window] == int(Tissue.EPIDURAL_FAT)
        canvas.paint(window, fat & near & wedge & (behind > 0) & (ring[window] > _FLAVUM_FROM), Tissue.LIGAMENT)
