"""How a training subject looks beyond what is measured: outlines, canal, soft tissue, small defects of endplates."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from spinemri.synthesis import morphometry as sizes
from spinemri.synthesis.arches import ArchStyle, sample_arches
from spinemri.synthesis.canal import CanalStyle

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from spinemri.synthesis.bones import BoneStyle
    from spinemri.synthesis.midline import MidlineStyle
    from spinemri.synthesis.shapes import Template
    from spinemri.synthesis.subject import Subject


@dataclass(frozen=True)
class EndplateNode:
    """A dent of an endplate that disc has filled (Schmorl): ``t`` along the depth from behind, ``x``, radius, mm."""

    index: int
    superior: bool
    t: float
    x: float
    radius: float
    deep: float


@dataclass(frozen=True, eq=False)
class Appearance:
    """One person's look.

    ``roundness`` (levels,) is the exponent of each body's outline, ``twist`` (levels,) the rotation about the long
    axis in radians, ``spurs`` (levels,) what osteophytes add to the depth at the rims. ``midline`` is what lies behind
    the cord; None leaves the canal a plain tube.
    """

    arches: ArchStyle
    canal: CanalStyle
    roundness: NDArray[np.floating]
    wall_dip: float
    spurs: NDArray[np.floating]
    nodes: tuple[EndplateNode, ...] = ()
    twist: NDArray[np.floating] = field(default_factory=lambda: np.zeros(sizes.COUNT))
    midline: MidlineStyle | None = None

    def bone_style(self, style: BoneStyle) -> BoneStyle:
        """A bone style with this person's outlines."""
        spurs = np.maximum(style.osteophytes, self.spurs)
        return replace(style, roundness=self.roundness, wall_dip=self.wall_dip, osteophytes=spurs)


def sample_appearance(
    rng: np.random.Generator, bank: Mapping[int, tuple[Template, ...]] | None, subject: Subject
) -> Appearance:
    """Random look of a subject, whose vertebrae are twisted where the spine curves sideways."""
    n = sizes.COUNT
    lowest = np.where(np.arange(n) >= subject.chain.last_lumbar, 0.3, 0.0)  # L5 and S1 taper most
    old = rng.random() < 0.25
    spurs = np.where(rng.random(n) < 0.5, rng.uniform(0, 0.22, n), 0.0) if old else np.zeros(n)
    bend = -np.gradient(np.gradient(np.asarray(subject.midline, dtype=np.float64)))
    nodes = [
        _random_node(rng, subject.chain.sacral) for _ in range(int(rng.poisson(3.0)) if rng.random() < 0.25 else 0)
    ]
    canal = CanalStyle(
        dura_mm=float(rng.choice([0.15, 0.3, 0.5, 0.8])),
        cord_exponent=float(rng.uniform(1.95, 2.3)),
        ligament=float(rng.uniform(1.08, 1.6)),
        rootlets=bool(rng.random() < 0.7),
    )
    return Appearance(
        arches=sample_arches(rng, bank),
        canal=canal,
        roundness=rng.uniform(2.25, 2.95) - lowest + rng.normal(0, 0.06, n),
        wall_dip=float(rng.uniform(0, 2.2)),
        spurs=spurs,
        nodes=tuple(nodes),
        twist=np.clip(bend * rng.uniform(0.03, 0.12), -0.4, 0.4) + rng.normal(0, 0.02),
    )


def _random_node(rng: np.random.Generator, end: int) -> EndplateNode:
    index = int(rng.integers(sizes.T1 + 3, end))
    middle = float(np.clip(rng.normal(0.45, 0.15), 0.1, 0.95))
    radius, deep = float(rng.uniform(3, 8)), float(rng.uniform(2, 7))
    return EndplateNode(index, bool(rng.random() < 0.5), middle, float(rng.normal(0, 6)), radius, deep)
