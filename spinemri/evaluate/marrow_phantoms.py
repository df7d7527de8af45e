"""Synthetic people with known marrow changes on T1w, STIR and T2w: healthy, of every kind, and diffusely changed.

They are painted and rendered with the plain scanner model of ``spinemri phantom``, not with that of training; what the
changes look like follows the same signal equations, so kinds are told apart as well as those equations are true.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from spinemri.evaluate.marrow import Truth
from spinemri.evaluate.regions import LAYERS, PIXEL_MM, REGIONS, SLICE_MM, stack_grid, synthetic_series
from spinemri.image import Image
from spinemri.lesion import MarrowChange as Kind
from spinemri.series import Contrast
from spinemri.synthesis.acquire import acquire_signal
from spinemri.synthesis.changes import substance_signal
from spinemri.synthesis.labels import paint
from spinemri.synthesis.marrow_changes import SURE, Changes, grown, laid_down
from spinemri.synthesis.random_subject import field_axes, random_pathology
from spinemri.synthesis.signal import PROTOCOLS, mixed_signal, signal_table
from spinemri.synthesis.subject import Pathology, sample_subject
from spinemri.synthesis.texture import smooth_noise
from spinemri.synthesis.tissue import MARROWS, RELAXATION, Relaxation, Tissue, class_of_tissue
from spinemri.synthesis.vertebra_grid import find_vertebrae

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from spinemri.geometry import Geometry
    from spinemri.synthesis.labels import LabelVolume

FIRST_SEED = 970_000
PAIR = (Contrast.T1W, Contrast.STIR)
_REPLACED_BELOW = 0.1  # fat fraction
_CELLS = Relaxation(1400, 70, 0.78)  # water of marrow full of cells: darker than discs on T1w, as infiltration is
_MOTTLE, _PER_LEVEL = 0.05, 0.03  # spread of the fat fraction in healthy marrow


@dataclass(frozen=True, eq=False)
class MarrowPhantom:
    """Images of one person on one grid, and the changes that are known."""

    images: tuple[Image, ...]
    truths: tuple[Truth, ...]


def marrow_phantom(
    number: int,
    kinds: Sequence[Kind] = (),
    *,
    contrasts: Sequence[Contrast] = PAIR,
    fat: float | None = None,
    region: str = "lumbar",
) -> MarrowPhantom:
    """One person.

    Parameters
    ----------
    number : counts people from 0
    kinds : a change of each, in as many vertebrae; none for a healthy person
    contrasts : of the images, the reference first
    fat : fat fraction of all marrow; drawn between 0.25 and 0.6 when None (0.05 is diffusely replaced marrow, whose
        water is that of tumour cells too)
    region : middle of the field: 'cervical', 'thoracic', 'lumbar'
    """
    seed = FIRST_SEED + number
    rng = np.random.default_rng(seed)
    pathology = random_pathology(rng)
    fractures = pathology.fractures[:1] if Kind.FRACTURE_OEDEMA in kinds else ()
    subject = sample_subject(rng, Pathology(fractures, pathology.narrowings), variation=float(rng.uniform(0.5, 1.5)))
    axes = field_axes(rng, subject, REGIONS[region], (SLICE_MM / LAYERS, PIXEL_MM, PIXEL_MM))
    volume = paint(subject, (axes[0][: len(axes[0]) // LAYERS * LAYERS], axes[1], axes[2]), rng)
    drawn = float(rng.uniform(0.25, 0.6))
    marrow = _marrow(drawn if fat is None else fat)
    changes = _changes(volume, kinds, rng)
    geometry = stack_grid(volume, seed)
    images = tuple(_image(volume, changes, marrow, (contrast, geometry, seed)) for contrast in contrasts)
    return MarrowPhantom(images, tuple(_truths(changes, volume, geometry)))


def _marrow(fat: float) -> Relaxation:
    return (_CELLS if fat < _REPLACED_BELOW else RELAXATION[Tissue.MARROW])._replace(fat=fat)


def _changes(volume: LabelVolume, kinds: Sequence[Kind], rng: np.random.Generator) -> list[tuple[Kind, Changes]]:
    """A change of each kind on the grid (x, a, z), in vertebrae that are whole and not used yet."""
    shape = volume.tissue.transpose(0, 2, 1).shape
    classes = class_of_tissue()[volume.tissue].transpose(0, 2, 1)
    levels = volume.level.transpose(0, 2, 1)
    free = find_vertebrae(classes, levels, (SLICE_MM / LAYERS, PIXEL_MM, PIXEL_MM))
    edges = {n for n in free if free[n].window[2].start == 0 or free[n].window[2].stop == shape[2]}
    free = {n: v for n, v in free.items() if n not in edges}
    found = []
    for kind in kinds:
        if not free:
            break
        deposits = grown(kind, free, rng)
        used = {n for n in free for d in deposits if d.window == free[n].window}
        near = used | {n + step for n in used for step in (-1, 1)}
        free = {n: v for n, v in free.items() if n not in near}
        found.append((kind, Changes(tuple(deposits), np.zeros(shape, dtype=np.uint8))))
    return found


def _image(
    volume: LabelVolume,
    changes: Sequence[tuple[Kind, Changes]],
    marrow: Relaxation,
    place: tuple[Contrast, Geometry, int],
) -> Image:
    contrast, geometry, seed = place
    rng = np.random.default_rng([seed, 3, list(PROTOCOLS).index(contrast)])
    signal = tissue_signal((volume.tissue, volume.level), marrow, contrast, seed, rng).transpose(0, 2, 1)
    for _, change in changes:
        values = [substance_signal(d.substance, PROTOCOLS[contrast]) for d in change.deposits]
        signal = laid_down(signal, change, values, rng)
    flat = np.ascontiguousarray(signal.transpose(0, 2, 1), dtype=np.float32)
    voxels = acquire_signal(flat, rng, sub=(LAYERS, 1), snr=float(rng.uniform(18, 40)))
    return Image(voxels, geometry, synthetic_series(contrast, geometry, seed))


def tissue_signal(
    painted: tuple[NDArray[np.uint8], NDArray[np.uint8]],
    marrow: Relaxation,
    contrast: Contrast,
    seed: int,
    rng: np.random.Generator,
) -> NDArray[np.floating]:
    """Signal of a person's tissues in one contrast, before any change of marrow.

    Parameters
    ----------
    painted : tissue and level of every voxel
    marrow : of this person
    seed : of this person: tissues and the mottle of the marrow follow it, whatever the contrast
    rng : of this image
    """
    tissue, level = painted
    protocol, person = PROTOCOLS[contrast], np.random.default_rng([seed, 2])
    table = signal_table(protocol, np.random.default_rng([seed, 1]), jitter=0.6)
    for kind in MARROWS:
        table[int(kind)] = mixed_signal(marrow, protocol)
    slope = mixed_signal(marrow._replace(fat=1.0), protocol) - mixed_signal(marrow._replace(fat=0.0), protocol)
    bone = np.isin(tissue, [int(t) for t in MARROWS])
    fatty = _MOTTLE * smooth_noise(person, tissue.shape, (5, 9, 9)) + person.normal(0, _PER_LEVEL, 256)[level]
    signal: NDArray[np.floating] = np.clip(table[tissue] + slope * fatty * bone, 0, None)
    return signal * (1 + 0.05 * smooth_noise(rng, signal.shape, (4, 8, 8)))


def _truths(changes: Sequence[tuple[Kind, Changes]], volume: LabelVolume, geometry: Geometry) -> list[Truth]:
    """Each change as one mask on the images' grid."""
    found = []
    for kind, change in changes:
        share = np.zeros(volume.tissue.transpose(0, 2, 1).shape, dtype=np.float32)
        for deposit in change.deposits:
            here = share[deposit.window]
            np.maximum(here, deposit.share, out=here)
        layered = share.transpose(0, 2, 1).reshape(geometry.shape[0], LAYERS, *geometry.shape[1:]).mean(axis=1)
        mask = layered[:, ::-1, ::-1] > SURE
        if mask.any():
            found.append(Truth(kind, mask, geometry))
    return found
