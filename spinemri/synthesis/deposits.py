"""How marrow changes grow: a share of each voxel that a change has replaced, by kind, in a vertebra's own coordinates.

Shapes follow what readers describe: metastases anywhere, often to the pedicle and beyond the cortex; haemangioma round
with vertical trabeculae; oedema of a fracture as a band under an endplate; Modic changes as mirror pairs along a disc;
corner lesions as triangles; discitis in two bodies and the disc between; radiation fat in whole consecutive bodies.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from spinemri.lesion import MarrowChange as Kind
from spinemri.synthesis.changes import Substance, draw_mixed, draw_substance
from spinemri.synthesis.tissue import BACKGROUND, CORD, SAC

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from spinemri.synthesis.vertebra_grid import GridVertebra, Window

    Field = NDArray[np.floating]
    Vertebrae = Mapping[int, GridVertebra]


_INFILTRATING, _REPLACED = 0.3, (0.6, 1.0)  # tumours with marrow left between them, and the share that they replace
_MIXED = 0.35  # of the tumours are partly sclerotic
_LOBULATED = 0.3  # of the tumours within a body


@dataclass(frozen=True, eq=False)
class Deposit:
    """One substance in a window of a grid.

    Parameters
    ----------
    kind : what it is
    window : where ``share`` lies in the grid
    share : 0 to 1, part of each voxel that is replaced
    substance : what replaces it
    texture : relative depth of its unevenness
    striped : mm between vertical trabeculae, 0 for none
    """

    kind: Kind
    window: Window
    share: Field
    substance: Substance
    texture: float = 0.1
    striped: float = 0.0


def step(inside_mm: Field, soft_mm: float) -> Field:
    """1 where a signed depth is positive, 0 where it is negative, a ramp between."""
    return np.asarray(np.clip(inside_mm / (2 * soft_mm) + 0.5, 0, 1), dtype=np.float32)


def blob(
    vertebra: GridVertebra,
    centre: tuple[float, float, float],
    radii: tuple[float, float, float],
    rng: np.random.Generator,
) -> Field:
    """Signed depth (mm) in an ellipsoid with a rough outline; centre and radii along (u, v, x)."""
    places = (vertebra.u, vertebra.v, vertebra.x)
    away = np.sqrt(sum(((p - c) / r) ** 2 for p, c, r in zip(places, centre, radii, strict=True)))
    rough = rng.uniform(0, 0.3)
    size = float(np.mean(radii))
    noise = np.asarray(0.7 * vertebra.noise(rng, size)) + np.asarray(0.4 * vertebra.noise(rng, max(2.5, size / 3)))
    return np.asarray((1 - away + rough * noise) * size, dtype=np.float32)


def random_place(vertebra: GridVertebra, rng: np.random.Generator) -> tuple[float, float, float]:
    """A random point (u, v, x) of the body."""
    spots = np.argwhere(vertebra.body)
    spot = tuple(spots[rng.integers(len(spots))])
    return float(vertebra.u[spot]), float(vertebra.v[spot]), float(vertebra.x[spot])


def random_radii(rng: np.random.Generator, vertebra: GridVertebra, largest: float = 1.1) -> tuple[float, float, float]:
    """Radii (u, v, x) in mm from 2 mm to beyond the body; ``largest`` as a share of its half height."""
    radius = float(np.exp(rng.uniform(np.log(2.2), np.log(max(3.0, largest * vertebra.half_height * 1.3)))))
    return radius * rng.uniform(0.7, 1.3), radius * rng.uniform(0.7, 1.4), radius * rng.uniform(0.8, 1.5)


def grow_tumour(vertebrae: Vertebrae, level: int, rng: np.random.Generator, kind: Kind = Kind.TUMOUR) -> list[Deposit]:
    """A metastasis-like focus: in the body or an arch, up to the whole vertebra, sometimes beyond the cortex."""
    vertebra = vertebrae[level]
    bone, draw = vertebra.bone, rng.random()
    soft = float(rng.uniform(0.3, 1.5))
    if draw < 0.12:  # the whole body, or the whole vertebra
        depth = vertebra.inside() if rng.random() < 0.5 else np.where(vertebra.body, vertebra.inside(), -1.0)
        depth = depth - 0.8 + vertebra.noise(rng, 6) * rng.uniform(0, 2)
    elif draw < 0.3 and (bone & ~vertebra.body).any():  # from the body's back into pedicle and arch, or there alone
        spots = np.argwhere(bone & ~vertebra.body)
        spot = tuple(spots[rng.integers(len(spots))])
        centre = float(vertebra.u[spot]), float(vertebra.v[spot]), float(vertebra.x[spot])
        depth = blob(vertebra, centre, random_radii(rng, vertebra), rng)
    else:
        depth = _lobes(vertebra, rng)
    where = bone.astype(np.float32)
    if kind is Kind.TUMOUR and rng.random() < 0.25:
        where = np.maximum(where, _beyond_cortex(vertebra, depth, rng))
    share = step(depth, soft) * where
    if rng.random() < _INFILTRATING:
        share = share * float(rng.uniform(*_REPLACED))
    mixed = kind is Kind.TUMOUR and rng.random() < _MIXED
    substance = draw_mixed(rng) if mixed else draw_substance(kind, rng)
    found = [Deposit(kind, vertebra.window, share, substance, float(rng.uniform(0.03, 0.3)))]
    if kind is Kind.TUMOUR and rng.random() < 0.2:  # dense part of a mixed metastasis
        inner = step(blob(vertebra, random_place(vertebra, rng), random_radii(rng, vertebra, 0.7), rng), 1.0)
        found.append(Deposit(Kind.SCLEROTIC, vertebra.window, share * inner, draw_substance(Kind.SCLEROTIC, rng), 0.2))
    return found


def _lobes(vertebra: GridVertebra, rng: np.random.Generator) -> Field:
    """Signed depth (mm) in one ellipsoid, or in two or three that run into each other."""
    centre, radii = random_place(vertebra, rng), random_radii(rng, vertebra)
    depth = blob(vertebra, centre, radii, rng)
    for _ in range(int(rng.integers(1, 3)) if rng.random() < _LOBULATED else 0):
        beside = tuple(c + r * rng.uniform(-1, 1) for c, r in zip(centre, radii, strict=True))
        smaller = tuple(r * rng.uniform(0.5, 1) for r in radii)
        depth = np.maximum(depth, blob(vertebra, beside, smaller, rng))  # type: ignore[arg-type]
    return depth


def _beyond_cortex(vertebra: GridVertebra, depth: Field, rng: np.random.Generator) -> Field:
    """Where a tumour may leave the bone: a sleeve around its own part, draped in the canal, freer in soft tissue."""
    reach = float(rng.uniform(2, 9))
    source = vertebra.bone & (depth > 0)
    if not source.any():
        return np.zeros(depth.shape, dtype=np.float32)
    away = ndimage.distance_transform_edt(~source, sampling=vertebra.spacing)
    canal, soft = np.isin(vertebra.classes, (SAC, CORD)), vertebra.classes == BACKGROUND
    sleeve = (canal & (away < min(reach, 5.0)) & (vertebra.v < 0)) | (soft & (away < reach))
    depth[sleeve] = np.maximum(depth[sleeve], reach - away[sleeve])
    return np.asarray(sleeve, dtype=np.float32)


def grow_haemangioma(vertebrae: Vertebrae, level: int, rng: np.random.Generator, kind: Kind) -> list[Deposit]:
    """Round, sharp, vertical trabeculae, within the bone."""
    vertebra = vertebrae[level]
    radius = float(np.exp(rng.uniform(np.log(2.5), np.log(max(3.0, 1.2 * vertebra.half_height)))))
    stretch = float(rng.uniform(0.9, 1.6))
    depth = blob(vertebra, random_place(vertebra, rng), (radius * stretch, radius, radius), rng)
    share = step(depth, float(rng.uniform(0.3, 0.8))) * vertebra.bone
    striped = float(rng.uniform(2.0, 4.5)) if rng.random() < 0.8 else 0.0
    return [Deposit(kind, vertebra.window, share, draw_substance(kind, rng), float(rng.uniform(0.03, 0.2)), striped)]


def grow_fat(vertebrae: Vertebrae, level: int, rng: np.random.Generator, kind: Kind) -> list[Deposit]:
    """Focal fat: round, sharp or soft, within the bone."""
    vertebra = vertebrae[level]
    depth = blob(vertebra, random_place(vertebra, rng), random_radii(rng, vertebra, 0.9), rng)
    share = step(depth, float(rng.uniform(0.3, 1.6))) * vertebra.bone * float(rng.uniform(0.75, 1))
    return [Deposit(kind, vertebra.window, share, draw_substance(kind, rng), 0.06)]


def grow_red_marrow(vertebrae: Vertebrae, level: int, rng: np.random.Generator, kind: Kind) -> list[Deposit]:
    """Ill-defined, mild, sometimes with fat in its middle."""
    vertebra = vertebrae[level]
    centre, radii = random_place(vertebra, rng), random_radii(rng, vertebra)
    soft = float(rng.uniform(2, 4))
    depth = blob(vertebra, centre, radii, rng)
    share = step(depth, soft) * vertebra.bone * float(rng.uniform(0.7, 1))
    found = [Deposit(kind, vertebra.window, share, draw_substance(kind, rng), 0.08)]
    if rng.random() < 0.35:
        core = blob(vertebra, centre, tuple(r * 0.35 for r in radii), rng)  # type: ignore[arg-type]
        fat = draw_substance(Kind.FAT, rng)
        found.append(Deposit(kind, vertebra.window, step(core, 1.0) * vertebra.bone, fat, 0.05))
    return found


def grow_fracture_oedema(vertebrae: Vertebrae, level: int, rng: np.random.Generator, kind: Kind) -> list[Deposit]:
    """A band under one endplate, rarely both, that leaves marrow spared; often a dark line in it."""
    vertebra = vertebrae[level]
    superior = bool(rng.random() < 0.75)
    away = vertebra.from_endplate(superior=superior)
    thick = vertebra.half_height * float(rng.uniform(0.35, 1.3))
    edge = thick * (1 + 0.25 * vertebra.noise(rng, 9)) - away
    share = step(edge, float(rng.uniform(1, 3))) * vertebra.body
    share = share * step(_from_front(vertebra, rng), 2.0)
    found = [Deposit(kind, vertebra.window, share, draw_substance(kind, rng), float(rng.uniform(0.05, 0.2)))]
    if rng.random() < 0.6:  # impacted trabeculae
        line = float(rng.uniform(2.0, 0.6 * thick + 2.5)) + vertebra.noise(rng, 8)
        dark = step(0.8 - np.abs(away - line), 0.4) * (share > 0.3)
        found.append(Deposit(kind, vertebra.window, dark * 0.9, draw_substance(Kind.SCLEROTIC, rng), 0.1))
    return found


def _from_front(vertebra: GridVertebra, rng: np.random.Generator) -> Field:
    """Signed depth (mm) in a front part of the body: sometimes all of it, sometimes the front half only."""
    back = float(rng.uniform(-0.2, 0.5)) * vertebra.depth
    return np.asarray(vertebra.v - back)


def grow_modic(vertebrae: Vertebrae, level: int, rng: np.random.Generator, kind: Kind) -> list[Deposit]:
    """Both sides of the disc under a vertebra, along the endplates, to a straight border."""
    part = float(rng.uniform(0.45, 1.2))
    front = bool(rng.random() < 0.6)
    substance = draw_substance(kind, rng)
    found = []
    for number, superior in ((level, False), (level + 1, True)):
        if number not in vertebrae or (number != level and rng.random() < 0.08):
            continue
        vertebra = vertebrae[number]
        thick = float(rng.uniform(3, 11)) * (1 + 0.15 * vertebra.noise(rng, 10))
        share = step(thick - vertebra.from_endplate(superior=superior), float(rng.uniform(0.5, 1.5)))
        along = vertebra.v if not front else vertebra.depth - vertebra.v
        share = share * step(part * vertebra.depth - along + 1.5 * vertebra.noise(rng, 8), 1.5) * vertebra.body
        found.append(Deposit(kind, vertebra.window, share, substance, 0.08))
    return found


def grow_corner(vertebrae: Vertebrae, level: int, rng: np.random.Generator, kind: Kind) -> list[Deposit]:
    """A triangle at one rim, mostly an anterior one."""
    vertebra = vertebrae[level]
    size = float(rng.uniform(4, 11))
    away = vertebra.from_endplate(superior=bool(rng.random() < 0.5))
    wall = vertebra.depth - vertebra.v if rng.random() < 0.75 else vertebra.v
    wide = vertebra.half_width * float(rng.uniform(0.4, 1.1))
    depth = size - away - np.clip(wall, 0, None) + 0.8 * vertebra.noise(rng, 5)
    share = step(depth, float(rng.uniform(0.5, 1.5))) * (np.abs(vertebra.x) < wide) * vertebra.body
    return [Deposit(kind, vertebra.window, share, draw_substance(kind, rng), 0.08)]


def grow_schmorl(vertebrae: Vertebrae, level: int, rng: np.random.Generator, kind: Kind) -> list[Deposit]:
    """A dent of disc in an endplate, with a rim of dense bone or oedema."""
    vertebra = vertebrae[level]
    superior = bool(rng.random() < 0.5)
    away = vertebra.from_endplate(superior=superior)
    radius, deep = float(rng.uniform(3.5, 9)), float(rng.uniform(3, 8))
    centre_v, centre_x = vertebra.depth * rng.uniform(0.25, 0.75), vertebra.half_width * rng.uniform(-0.4, 0.4)
    plan = ((vertebra.v - centre_v) ** 2 + (vertebra.x - centre_x) ** 2) / radius**2
    depth = deep * (1 - plan) - away
    core = step(depth, 0.4) * vertebra.body
    rim_mm = float(rng.uniform(1, 3.5))
    rim = step(depth + rim_mm, 0.6) * vertebra.body
    around = draw_substance(Kind.SCLEROTIC if rng.random() < 0.5 else Kind.MODIC_1, rng)
    return [
        Deposit(kind, vertebra.window, np.clip(rim - core, 0, 1) * 0.9, around, 0.05),
        Deposit(kind, vertebra.window, core, draw_substance(kind, rng), 0.05),
    ]


def grow_discitis(vertebrae: Vertebrae, level: int, rng: np.random.Generator, kind: Kind) -> list[Deposit]:
    """The disc under a vertebra and much of both bodies, endplates eroded, sometimes tissue in front."""
    substance, fluid = draw_substance(kind, rng), draw_substance(kind, rng)
    found = []
    for number, superior in ((level, False), (level + 1, True)):
        if number not in vertebrae:
            continue
        vertebra = vertebrae[number]
        away = vertebra.from_endplate(superior=superior) + 2.5 * vertebra.noise(rng, 8)
        thick = 2 * vertebra.half_height * float(rng.uniform(0.35, 1.1))
        share = step(thick - away, float(rng.uniform(1, 3))) * vertebra.body
        if rng.random() < 0.4:
            outside = (vertebra.classes == BACKGROUND) & (vertebra.v > 0.5 * vertebra.depth)
            share = np.maximum(share, step(6 - away, 2.0) * outside)
        found.append(Deposit(kind, vertebra.window, share, substance, 0.12))
        if number == level:
            disc = vertebra.disc(above=False) * float(rng.uniform(0.6, 1))
            found.append(Deposit(kind, vertebra.window, disc.astype(np.float32), fluid, 0.1))
    return found


def grow_radiation(vertebrae: Vertebrae, level: int, rng: np.random.Generator, kind: Kind) -> list[Deposit]:
    """Fat in the whole of two or more vertebrae in a row; the port's borders are straight."""
    count = int(rng.integers(2, 5))
    substance = draw_substance(kind, rng)
    upper = level if level + 1 in vertebrae else level - 1
    whole = [n for n in range(upper, upper + count) if n in vertebrae]
    found = []
    for n in whole:
        vertebra = vertebrae[n]
        share: Field = vertebra.bone.astype(np.float32)
        if n == whole[0] and rng.random() < 0.4:
            share = share * step(vertebra.half_height * rng.uniform(-0.5, 0.5) - vertebra.u, 1.0)
        found.append(Deposit(kind, vertebra.window, share * 0.95, substance, 0.05))
    return found
