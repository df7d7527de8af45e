"""Marrow changes with more than one part: infarct, Paget disease, hardware and cement; and the table of all kinds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from spinemri.lesion import MarrowChange as Kind
from spinemri.synthesis.changes import draw_substance
from spinemri.synthesis.deposits import (
    Deposit,
    blob,
    grow_corner,
    grow_discitis,
    grow_fat,
    grow_fracture_oedema,
    grow_haemangioma,
    grow_modic,
    grow_radiation,
    grow_red_marrow,
    grow_schmorl,
    grow_tumour,
    random_place,
    random_radii,
    step,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from spinemri.synthesis.vertebra_grid import GridVertebra

    Vertebrae = Mapping[int, GridVertebra]
    Growth = Callable[[Vertebrae, int, np.random.Generator, Kind], list[Deposit]]


def grow_infarct(vertebrae: Vertebrae, level: int, rng: np.random.Generator, kind: Kind) -> list[Deposit]:
    """A wavy rim around fat."""
    vertebra = vertebrae[level]
    depth = blob(vertebra, random_place(vertebra, rng), random_radii(rng, vertebra), rng) + 1.5 * vertebra.noise(rng, 4)
    rim_mm = float(rng.uniform(1.8, 3.5))
    core, whole = step(depth - rim_mm, 0.4) * vertebra.bone, step(depth, 0.4) * vertebra.bone
    return [
        Deposit(kind, vertebra.window, np.clip(whole - core, 0, 1), draw_substance(kind, rng), 0.1),
        Deposit(kind, vertebra.window, core * 0.8, draw_substance(Kind.FAT, rng), 0.1),
    ]


def grow_paget(vertebrae: Vertebrae, level: int, rng: np.random.Generator, kind: Kind) -> list[Deposit]:
    """The whole vertebra: a thick dark frame, coarse trabeculae, marrow between them kept or fatty."""
    vertebra = vertebrae[level]
    inside, bone = vertebra.inside(), vertebra.bone
    frame = step(float(rng.uniform(2.5, 5)) - inside, 0.5) * bone
    coarse = step(vertebra.noise(rng, float(rng.uniform(4, 8))) - rng.uniform(0.4, 0.9), 0.3) * bone
    dark = draw_substance(Kind.SCLEROTIC, rng)
    return [
        Deposit(kind, vertebra.window, bone.astype(np.float32), draw_substance(kind, rng), 0.2),
        Deposit(kind, vertebra.window, np.maximum(frame, 0.8 * coarse) * 0.9, dark, 0.1),
    ]


def grow_hardware(vertebrae: Vertebrae, level: int, rng: np.random.Generator, kind: Kind) -> list[Deposit]:
    """A screw through a pedicle into the body, or cement in the body, with the void that metal leaves around it."""
    vertebra = vertebrae[level]
    substance = draw_substance(kind, rng)
    if rng.random() < 0.45:
        depth = blob(vertebra, random_place(vertebra, rng), random_radii(rng, vertebra, 0.8), rng)
        return [Deposit(kind, vertebra.window, step(depth, 0.4) * vertebra.body, substance, 0.02)]
    side = rng.choice([-1.0, 1.0]) * vertebra.half_width * rng.uniform(0.35, 0.65)
    slope, radius = float(rng.uniform(-0.2, 0.2)), float(rng.uniform(2.5, 4.5))
    tip, head = vertebra.depth * float(rng.uniform(0.6, 0.9)), -float(rng.uniform(18, 32))
    height = vertebra.half_height * float(rng.uniform(-0.2, 0.5))
    across = np.hypot(vertebra.u - height - slope * vertebra.v, (vertebra.x - side) * 0.8)
    bloom = 1 + 0.35 * vertebra.noise(rng, 8)
    share = step(radius * bloom - across, 0.5) * (vertebra.v < tip) * (vertebra.v > head)
    found = [Deposit(kind, vertebra.window, share.astype(np.float32), substance, 0.02)]
    if rng.random() < 0.7:
        other = step(
            radius * bloom - np.hypot(vertebra.u - height - slope * vertebra.v, (vertebra.x + side) * 0.8), 0.5
        )
        found.append(Deposit(kind, vertebra.window, other * (vertebra.v < tip) * (vertebra.v > head), substance, 0.02))
    return found


GROWTHS: dict[Kind, Growth] = {
    Kind.TUMOUR: grow_tumour,
    Kind.SCLEROTIC: grow_tumour,
    Kind.HAEMANGIOMA: grow_haemangioma,
    Kind.ATYPICAL_HAEMANGIOMA: grow_haemangioma,
    Kind.FAT: grow_fat,
    Kind.RED_MARROW: grow_red_marrow,
    Kind.FRACTURE_OEDEMA: grow_fracture_oedema,
    Kind.MODIC_1: grow_modic,
    Kind.MODIC_2: grow_modic,
    Kind.MODIC_3: grow_modic,
    Kind.CORNER: grow_corner,
    Kind.SCHMORL: grow_schmorl,
    Kind.DISCITIS: grow_discitis,
    Kind.RADIATION: grow_radiation,
    Kind.INFARCT: grow_infarct,
    Kind.PAGET: grow_paget,
    Kind.HARDWARE: grow_hardware,
}
"""Kind -> what makes its deposits at a level."""
