"""Posterior elements of C2 to L5: unions of simple solids in curvilinear coordinates.

Each solid is a function that gives the depth below its surface in mm (negative outside), so that marrow and cortex can
be told apart. Proportions follow the cervical, thoracic and lumbar regions; sizes come from the subject.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from spinemri.synthesis.joints import paint_joints
from spinemri.synthesis.tissue import Tissue

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spinemri.synthesis.bones import BoneStyle
    from spinemri.synthesis.canvas import Canvas, Field, Window
    from spinemri.synthesis.subject import Subject

_JOINT_REACH = 7.0  # mm around a facet joint in which its gap is drawn


@dataclass(frozen=True, eq=False)
class _Arch:
    """One vertebra's arch: coordinates of the block of voxels around it, and its main sizes in mm.

    ``s`` down, ``f`` forward, ``x`` left; ``out`` is how far the pedicles lie from the midline, ``root`` the s at which
    they leave the body, ``lamina_s`` the s of the laminae's middle.
    """

    s: Field
    f: Field
    x: Field
    ax: Field
    scale: float
    region: str
    top: float
    bottom: float
    depth: float
    width: float
    height: float
    lamina: float
    pedicle: float
    root: float
    lamina_s: float
    slope: float

    def by_region(self, cervical: float, thoracic: float, lumbar: float) -> float:
        """A size that differs between regions, scaled to the person."""
        return {"C": cervical, "T": thoracic, "L": lumbar}[self.region] * self.scale

    @property
    def out(self) -> float:
        return self.width / 2 + self.pedicle / 2 - 0.3


def paint_posterior_elements(canvas: Canvas, subject: Subject, style: BoneStyle, canal: NDArray[np.bool_]) -> None:
    """Arches and processes of C2 to L5; voxels within the canal are left alone."""
    chain = subject.chain
    for index in range(chain.sacral):
        top, bottom = canvas.curve.top[index], canvas.curve.bottom[index]
        window = canvas.window((top - 22, bottom + 60), (-95.0, 0.5 * subject.depth[index]))
        if window is None:
            continue
        arch = _arch(canvas, subject, style, index, window)
        solids = [_pedicle(arch), _lamina(arch), _wing(arch), _pillar(arch, subject.disc[index])]
        solids.append(_spinous(arch, subject.spinous_length[index], subject.spinous_height[index]))
        inside = np.maximum.reduce(solids)
        bone = (inside > 0) & ~canal[window]
        canvas.paint(window, bone, Tissue.POSTERIOR_MARROW, index + 1)
        canvas.paint(window, bone & (inside < style.cortex_mm), Tissue.POSTERIOR_CORTEX)
        if index > 0 and (canvas.field is None or index <= chain.last_thoracic):
            _paint_facet_gap(canvas, arch, window)
    if canvas.field is not None:
        paint_joints(canvas, subject, canal)


def _arch(canvas: Canvas, subject: Subject, style: BoneStyle, index: int, window: Window) -> _Arch:
    chain = subject.chain
    region = chain.names[index][0]
    top, height = float(canvas.curve.top[index]), float(subject.posterior[index])
    g, slope = subject.scale, float(subject.spinous_slope[index])
    pedicle = {"C": 5.0, "T": 6.5, "L": 8 + (index - chain.first_lumbar) * 1.6}[region] * g * style.pedicle
    x = canvas.x[window]
    return _Arch(
        s=canvas.s[window], f=canvas.f[window], x=x, ax=np.abs(x), scale=g, region=region,
        top=top, bottom=float(canvas.curve.bottom[index]),
        depth=float(subject.canal_depth[index]), width=float(subject.canal_width[index]), height=height,
        lamina=(4.5 if region == "C" else style.lamina_mm) * g, pedicle=pedicle,
        root=top + height * (0.45 if region == "C" else 0.33),
        lamina_s=top + height * (0.85 if region == "L" else 0.75) + slope * 2, slope=slope,
    )  # fmt: skip


def _tube(across: Field, along: Field, radius: tuple[float, float]) -> Field:
    ring = np.sqrt((across / radius[0]) ** 2 + (along / radius[1]) ** 2)
    return np.asarray((1 - ring) * min(radius), dtype=np.float32)


def _pedicle(arch: _Arch) -> Field:
    tall = arch.by_region(7, 11, 14)
    solid = _tube(arch.ax - arch.out, arch.s - arch.root, (arch.pedicle / 2, tall / 2))
    return np.asarray(np.minimum(solid, np.minimum(arch.f + arch.depth * 0.75, 2.5 - arch.f)))


def _lamina(arch: _Arch) -> Field:
    half = min(arch.depth, arch.width) / 2
    ring = np.sqrt(((arch.f + arch.depth / 2 + 0.5) / (arch.depth / 2)) ** 2 + (arch.x / (arch.width / 2)) ** 2) * half
    inner = half * 1.06
    lean = arch.s - arch.lamina_s + 0.35 * (arch.f + arch.depth * 0.5)
    solid = np.minimum(np.minimum(ring - inner, inner + arch.lamina - ring), arch.height * 0.44 - np.abs(lean))
    return np.asarray(np.minimum(solid, -arch.depth * 0.45 - arch.f))


def _pillar(arch: _Arch, disc: float) -> Field:
    """Superior and inferior articular processes of both sides."""
    radius = arch.by_region(6.2, 5, 7.5)
    joint_x, joint_f = arch.width / 2 + arch.by_region(5, 5, 8), -arch.depth * (0.35 if arch.region == "C" else 0.75)
    low = arch.top - arch.by_region(2, 6, 6)
    high = arch.bottom + arch.by_region(0, 7, 7) + disc
    skew = (arch.s - (low + high) / 2) - 0.5 * (joint_f - arch.f)
    solid = _tube(arch.ax - joint_x, arch.f - joint_f + 0.15 * skew, (radius, radius))
    return np.asarray(np.minimum(solid, (high - low) / 2 - np.abs(skew)))


def _wing(arch: _Arch) -> Field:
    """Transverse process of both sides."""
    reach, thick = arch.by_region(14, 24, 30), arch.by_region(3.5, 4.5, 4.5)
    forward = {"C": 2.0, "T": -arch.depth * 0.9, "L": -arch.depth * 0.35}[arch.region]
    sweep = 0.0 if arch.region == "C" else 0.35
    solid = _tube(arch.f - forward + sweep * (arch.ax - arch.out), arch.s - arch.root - 1, (thick, thick * 1.3))
    return np.asarray(np.minimum(solid, np.minimum(arch.ax - arch.out, arch.out + reach - arch.ax)))


def _spinous(arch: _Arch, length: float, tall: float) -> Field:
    along = -(arch.depth + arch.lamina * 0.6) - arch.f
    share = np.clip(along / max(length, 1.0), 0, 1.2)
    half_width = arch.by_region(2.2, 2.6, 3.2) * (1 + 0.35 * share**3)
    half_height = tall / 2 * (1 + (0.25 * np.clip(share, 0, 1) if arch.region == "L" else 0))
    middle = arch.lamina_s + (2 if arch.region == "L" else 1) + arch.slope * along
    solid = np.minimum(half_width - arch.ax, half_height - np.abs(arch.s - middle))
    return np.asarray(np.minimum(solid, np.minimum(along + 4, length - along)))


def _paint_facet_gap(canvas: Canvas, arch: _Arch, window: Window) -> None:
    """Joint with the vertebra above: a thin gap through the marrow."""
    lumbar = arch.region == "L"
    joint_x = arch.width / 2 + arch.by_region(5, 5, 7)
    down, forward = arch.s - arch.top + 1.5, arch.f + arch.depth * 0.75 - 1
    plane = forward + (0.15 if lumbar else 0.6) * down + (0.6 * (arch.ax - joint_x) if lumbar else 0)
    near = (arch.ax - joint_x) ** 2 + down**2 < (_JOINT_REACH * arch.scale) ** 2
    gap = (np.abs(plane) < 0.9) & near & (canvas.tissue[window] == int(Tissue.POSTERIOR_MARROW))
    canvas.paint(window, gap, Tissue.FACET, 0)
