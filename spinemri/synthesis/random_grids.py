"""Random people under axial slices, for training and test sets: pathology, looks and slices vary as they come."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial.transform import Rotation

from spinemri.synthesis import morphometry as sizes
from spinemri.synthesis.acquisitions import axial_blocks, axial_prescription, axial_stack
from spinemri.synthesis.appearance import sample_appearance
from spinemri.synthesis.grids import PaintedGrid, Person, Placement, paint_grid
from spinemri.synthesis.random_subject import field_axes, random_pathology, varied
from spinemri.synthesis.subject import sample_subject

if TYPE_CHECKING:
    from collections.abc import Mapping

    from spinemri.synthesis.grids import Sampling
    from spinemri.synthesis.shapes import Template

_REGIONS = {"cervical": (sizes.C3, sizes.C7), "thoracic": (sizes.T1, sizes.T12), "lumbar": (sizes.L1, sizes.L5)}
_SHARES = (0.3, 0.2, 0.5)
_FIELD_MM = (1.5, 0.8, 0.8)  # of the field in which looks are drawn
_STACK_LEVELS = 2  # of a straight stack
_STRAIGHT = 0.25  # of the lumbar series


def random_axial(
    seed: int,
    shapes: Mapping[int, tuple[Template, ...]] | None = None,
    region: str | None = None,
    *,
    layers: int = 3,
    fine: int = 2,
) -> tuple[Person, tuple[PaintedGrid, ...]]:
    """A random person, and what one axial series shows: blocks along one to three lumbar discs, or a straight stack.

    Parameters
    ----------
    seed : the same seed gives the same person and slices
    shapes : templates from ``meshes.load_shapes``; None draws all posterior elements as solids
    region : 'cervical', 'thoracic' or 'lumbar'; None for any
    layers, fine : how finely every slice is painted, see ``Sampling``
    """
    rng = np.random.default_rng([seed, 31])
    region = region or str(rng.choice(list(_REGIONS), p=_SHARES))
    upper, lower = _REGIONS[region]
    person = random_person(rng, int(rng.integers(upper, lower + 1)), shapes)
    samplings = (replace(s, layers=layers, fine=fine) for s in _samplings(person, region, deepcopy(rng)))
    return person, tuple(paint_grid(person, sampling) for sampling in samplings)


def random_person(
    rng: np.random.Generator, middle: int, shapes: Mapping[int, tuple[Template, ...]] | None = None
) -> Person:
    """A random person around one vertebra, lying a little askew."""
    subject = varied(sample_subject(rng, random_pathology(rng), variation=float(rng.uniform(0.5, 2))), rng)
    look = sample_appearance(rng, shapes, subject)
    axes = field_axes(rng, subject, middle, _FIELD_MM)
    turn = Rotation.from_euler("xyz", rng.normal(0, 4, 3), degrees=True).as_matrix()
    placement = Placement(turn, rng.uniform(-60, 60, 3))
    return Person(subject, axes, rng, placement, None, float(rng.uniform(0.2, 0.9)), look)


def _samplings(person: Person, region: str, rng: np.random.Generator) -> tuple[Sampling, ...]:
    how = axial_prescription(rng)
    upper, lower = _REGIONS[region]
    if region == "lumbar" and rng.random() >= _STRAIGHT:
        discs = rng.choice(np.arange(upper, lower + 1), int(rng.integers(1, 4)), replace=False)
        return axial_blocks(person, sorted(int(n) for n in discs), how)
    first = int(rng.integers(upper, lower - _STACK_LEVELS + 2))
    return (axial_stack(person, first, first + _STACK_LEVELS - 1, how),)
