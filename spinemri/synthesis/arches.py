"""Posterior elements of training subjects, C2 to L5: templates of real vertebrae where there are some, else solids.

Every vertebra is a field of depth below its surface. Where two vertebrae come close the deeper one wins and a joint
space is left between them, so that facet joints arise where articular processes meet.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from spinemri.synthesis import morphometry as sizes
from spinemri.synthesis.joints import paint_joints
from spinemri.synthesis.shapes import FAR, Template
from spinemri.synthesis.solids import solid_depth
from spinemri.synthesis.tissue import Tissue

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from spinemri.synthesis.bones import BoneStyle
    from spinemri.synthesis.canvas import Canvas, Field, Window
    from spinemri.synthesis.subject import Subject

_LAMINA_MM = 3.0  # between the back of the canal and the root of the spinous process
_JOINT_DEEP = 0.9  # mm below both surfaces at which a joint space may still lie
_SPINOUS_AT = 0.9  # middle of a lumbar spinous process below its body's upper end, as a share of the body's height
_STRETCHED_FROM_MM = 8.0  # behind the canal; laminae keep their height
_PARTS = 8  # more than any vertebra has
_FROM_TEMPLATES = 0.75  # share of subjects whose arches are templates where there are some


@dataclass(frozen=True, eq=False)
class ArchStyle:
    """One person's posterior elements.

    ``templates`` holds the shapes of a level with their weights; levels without are drawn as solids. ``lateral`` and
    ``thick`` scale processes; ``turn`` (levels, 3) are rotations in radians about x, f and d; ``lopsided`` and
    ``swerve`` (levels,) make sides unequal and spinous processes leave the midline; ``build`` (parts, 2) are factors on
    thickness and height of the parts of solids, ``tall`` (levels,) those on the height of templates' spinous processes.
    """

    templates: Mapping[int, tuple[tuple[Template, float], ...]] = field(default_factory=dict)
    lateral: float = 1.0
    thick: float = 0.0
    joint_mm: float = 1.2
    turn: NDArray[np.floating] = field(default_factory=lambda: np.zeros((sizes.COUNT, 3)))
    lopsided: NDArray[np.floating] = field(default_factory=lambda: np.zeros(sizes.COUNT))
    swerve: NDArray[np.floating] = field(default_factory=lambda: np.zeros(sizes.COUNT))
    build: NDArray[np.floating] = field(default_factory=lambda: np.ones((_PARTS, 2)))
    tall: NDArray[np.floating] = field(default_factory=lambda: np.ones(sizes.COUNT))


def sample_arches(rng: np.random.Generator, bank: Mapping[int, tuple[Template, ...]] | None) -> ArchStyle:
    """Random posterior elements; with a bank most people get a blend of its templates at the levels that it has."""
    chosen = {}
    shares = rng.dirichlet(np.full(8, rng.choice([0.1, 1.0])))
    if bank and rng.random() < _FROM_TEMPLATES:
        for index, templates in bank.items():
            part = shares[: len(templates)] / shares[: len(templates)].sum()
            chosen[index] = tuple((t, float(w)) for t, w in zip(templates, part, strict=True) if w > 0.05)
    n = sizes.COUNT
    return ArchStyle(
        templates=chosen,
        lateral=float(rng.uniform(0.85, 1.15)),
        thick=float(rng.uniform(-0.5, 0.6)),
        joint_mm=float(rng.uniform(0.6, 1.8)),
        turn=rng.normal(0, 0.03, (n, 3)) + rng.normal(0, 0.02, 3),
        lopsided=rng.normal(0, 0.04, n),
        swerve=rng.normal(0, 0.05, n),
        build=rng.uniform(0.8, 1.25, (_PARTS, 2)),
    )


def sample_tall(rng: np.random.Generator) -> NDArray[np.floating]:
    """Factors (levels,) on the height of spinous processes: from narrow ones to those that nearly touch each other."""
    return np.asarray(rng.uniform(0.85, 1.45) * rng.uniform(0.92, 1.08, sizes.COUNT))


def paint_arches(
    canvas: Canvas, subject: Subject, styles: tuple[BoneStyle, ArchStyle], canal: NDArray[np.bool_]
) -> None:
    """Arches and processes of C2 to L5; voxels within the canal are left alone."""
    bone_style, style = styles
    deepest = np.full(canvas.tissue.shape, FAR, dtype=np.float32)
    for index in range(subject.chain.sacral):
        top, bottom = canvas.curve.top[index], canvas.curve.bottom[index]
        window = canvas.window((top - 25, bottom + 60), (-80.0, 0.3 * subject.depth[index]))
        if window is None:
            continue
        blend = style.templates.get(subject.chain.rows[index])
        frame = _frame(canvas, subject, style, index, window)
        if blend:
            depth = _template_depth(frame, subject, style, (index, blend))
        else:
            depth = solid_depth(frame, subject, index, style.build)
        before = deepest[window]
        free = ~canal[window]
        bone = (depth > 0) & (depth >= before) & free
        canvas.paint(window, bone, Tissue.POSTERIOR_MARROW, index + 1)
        canvas.paint(window, bone & (depth < bone_style.cortex_mm), Tissue.POSTERIOR_CORTEX)
        joint = (np.minimum(depth, before) > -_JOINT_DEEP) & (np.abs(depth - before) < style.joint_mm) & free
        canvas.paint(window, joint, Tissue.FACET, 0)
        np.maximum(before, depth, out=before)
    if canvas.field is not None:
        shaped = {n for n, row in enumerate(subject.chain.rows) if row in style.templates}
        paint_joints(canvas, subject, canal, shaped)


def _frame(
    canvas: Canvas, subject: Subject, style: ArchStyle, index: int, window: Window
) -> tuple[Field, Field, Field]:
    """Coordinates (x, f, d) of a block of voxels in a vertebra's own frame, slightly turned."""
    up, front = (axis.astype(np.float32) for axis in subject.axes(index))
    da = canvas.a[window] - np.float32(subject.centre[index, 0])
    dz = canvas.z[window] - np.float32(subject.centre[index, 1])
    f = da * front[0] + dz * front[1] + np.float32(subject.depth[index] / 2)
    d = np.float32(subject.posterior[index] / 2) - da * up[0] - dz * up[1]
    x = canvas.x[window]
    about_x, about_f, about_d = (np.float32(angle) for angle in style.turn[index])
    f, d = f - about_x * d, d + about_x * f
    x, d = x - about_f * d, d + about_f * x
    x, f = x - about_d * f, f + about_d * x
    behind = np.maximum(-f - np.float32(subject.canal_depth[index]), 0)
    x = x + np.float32(style.swerve[index]) * behind
    return x * (1 + np.float32(style.lopsided[index]) * np.sign(x)), f, d


def _template_depth(
    frame: tuple[Field, Field, Field],
    subject: Subject,
    style: ArchStyle,
    chosen: tuple[int, tuple[tuple[Template, float], ...]],
) -> Field:
    """Depth in mm of a blend of templates, scaled so that canal, body height and spinous process fit the subject."""
    index, blend = chosen
    x, f, d = frame
    canal = float(subject.canal_depth[index]) + 0.5
    half = float(subject.canal_width[index]) / 2
    reach = float(subject.spinous_length[index]) + _LAMINA_MM
    side = style.lateral * subject.scale
    total: Field = np.zeros(x.shape, dtype=np.float32)
    d = _stretched(d, -f - canal, subject.posterior[index], float(style.tall[index]))
    ax, sign = np.abs(x), np.sign(x)
    for template, weight in blend:
        own_canal, own_half = template.canal[0], template.canal[1] / 2
        out = np.where(ax < half, ax * (own_half / half), own_half + (ax - half) / side)
        back = np.where(f > -canal, f * (own_canal / canal), -own_canal + (f + canal) * (template.reach / reach))
        down = d * np.float32(template.height / subject.posterior[index])
        total += np.float32(weight) * template.at(out * sign, np.where(f > 0, f, back), down)
    return np.asarray(total + np.float32(style.thick))


def _stretched(d: Field, behind: Field, height: float, tall: float) -> Field:
    """How far down a template is looked up, so that its spinous process is ``tall`` times as high."""
    middle = np.float32(_SPINOUS_AT * height)
    factor = 1 + np.float32(tall - 1) * np.clip(behind / _STRETCHED_FROM_MM, 0, 1)
    return np.asarray(middle + (d - middle) / factor)
