"""Scenes with marrow changes: which changes a spine has, and what several sequences show of them.

A scene is a sagittal patch of a painted subject. Its tissues have one set of relaxation times for all sequences: what
is dark on T1 and bright on STIR is so for a reason; marrow is mottled with fat as it is in people. Changes too like the
marrow around them on every sequence at hand are not taught.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from spinemri.lesion import MarrowChange as Kind
from spinemri.segment.lesion_contrast import LEAST_CONTRAST
from spinemri.segment.lesion_input import CHANNELS
from spinemri.series import Contrast
from spinemri.synthesis.changes import substance_signal
from spinemri.synthesis.marrow_changes import KINDS, SURE, UNKNOWN, Changes, grown, kind_map, laid_down
from spinemri.synthesis.signal import PROTOCOLS, mixed_signal, signal_table
from spinemri.synthesis.texture import smooth_noise
from spinemri.synthesis.tissue import COUNT, MARROWS, RELAXATION, Relaxation, Tissue
from spinemri.training.contrasts import texture_amplitudes, varied_protocol
from spinemri.training.scanner import random_scanner

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from spinemri.synthesis.deposits import Deposit
    from spinemri.synthesis.signal import Protocol
    from spinemri.synthesis.vertebra_grid import GridVertebra

    Field = NDArray[np.floating]

_SHARES = {
    Kind.TUMOUR: 0.28, Kind.SCLEROTIC: 0.06, Kind.HAEMANGIOMA: 0.06, Kind.ATYPICAL_HAEMANGIOMA: 0.06, Kind.FAT: 0.05,
    Kind.RED_MARROW: 0.05, Kind.FRACTURE_OEDEMA: 0.07, Kind.MODIC_1: 0.05, Kind.MODIC_2: 0.04, Kind.MODIC_3: 0.04,
    Kind.CORNER: 0.05, Kind.SCHMORL: 0.05, Kind.DISCITIS: 0.04, Kind.RADIATION: 0.02, Kind.INFARCT: 0.04,
    Kind.PAGET: 0.03, Kind.HARDWARE: 0.03,
}  # fmt: skip
_ROWS, _COLUMNS, _SLICES, _VOXELS = (80, 96, 112), (112, 128, 160), (5, 9), 90_000
_NONE, _MEAN_MORE = 0.14, 2.8  # scenes without a change; mean number of changes beyond the first
_HARSH = 0.45  # worst scanner: noise that hides a change teaches nothing about changes
_MOTTLE = 0.1  # spread of the fat fraction within a body
_PROTOCOLS = {
    "T1w": PROTOCOLS[Contrast.T1W],
    "T2w": PROTOCOLS[Contrast.T2W],
    "T1w-post": PROTOCOLS[Contrast.T1W_POST],
}


def random_changes(vertebrae: Mapping[int, GridVertebra], shape: tuple[int, ...], rng: np.random.Generator) -> Changes:
    """Changes as they come in the vertebrae of a grid (slices, rows, columns)."""
    deposits: list[Deposit] = []
    if vertebrae and rng.random() > _NONE:
        for _ in range(1 + int(rng.poisson(_MEAN_MORE))):
            kind = KINDS[rng.choice(len(KINDS), p=np.array([_SHARES[k] for k in KINDS]) / sum(_SHARES.values()))]
            deposits += grown(kind, vertebrae, rng)
    return Changes(tuple(deposits), kind_map(deposits, shape))


def protocols_of(channels: Sequence[str], rng: np.random.Generator) -> dict[str, Protocol]:
    """A pulse sequence for each channel but the maps."""
    found = {name: varied_protocol(_PROTOCOLS[name], rng) for name in channels if name in _PROTOCOLS}
    if "STIR" in channels:
        stir = rng.random() < 0.75
        found["STIR"] = varied_protocol(PROTOCOLS[Contrast.STIR if stir else Contrast.T2W_FS], rng)
    return found


def without_invisible(
    changes: Changes, protocols: Mapping[str, Protocol], marrow: Relaxation, extra: Sequence[str] = ()
) -> Changes:
    """The changes; voxels of those that look like marrow on every sequence at hand become UNKNOWN."""
    kinds = changes.kinds.copy()
    for deposit in changes.deposits:
        seen = [
            abs(substance_signal(deposit.substance, p) / max(mixed_signal(marrow, p), 1e-6) - 1)
            for p in protocols.values()
        ]
        if extra or max(seen, default=0.0) > LEAST_CONTRAST:
            continue
        here = kinds[deposit.window]
        here[(deposit.share > SURE) & (here == 1 + KINDS.index(deposit.kind))] = UNKNOWN
    return Changes(changes.deposits, kinds)


@dataclass(frozen=True, eq=False)
class Scene:
    """A painted patch in thin layers (layers, rows, columns), its changes, and one person's marrow."""

    tissue: NDArray[np.uint8]
    level: NDArray[np.uint8]
    changes: Changes
    marrow: Relaxation
    person: int
    layers: int
    """Layers per slice."""
    fat_change: Field | None = None
    """Deviation of the marrow's fat fraction (layers, rows, columns) beyond its random mottle."""


def render_channels(
    scene: Scene, channels: Sequence[str], rng: np.random.Generator
) -> tuple[dict[str, torch.Tensor], NDArray[np.uint8]]:
    """Magnitude image (slices, rows, columns) per channel, before normalisation, and kinds (layers, rows, columns)."""
    protocols = protocols_of(channels, rng)
    maps = [name for name in channels if name not in protocols]
    marrow = np.isin(scene.tissue, [int(t) for t in MARROWS])
    mottle = smooth_noise(rng, scene.tissue.shape, (6, 9, 9)) + 0.6 * smooth_noise(rng, scene.tissue.shape, (3, 4, 4))
    mottle = mottle * marrow * float(rng.uniform(0.2, 1)) * _MOTTLE
    if scene.fat_change is not None:
        mottle = mottle + scene.fat_change * marrow
    per_level = rng.normal(0, rng.uniform(0, 0.07), 256)
    depth = torch.from_numpy(np.append(texture_amplitudes(rng), 0).astype(np.float32))
    texture = depth[torch.from_numpy(scene.tissue.transpose(1, 2, 0).astype(np.int64))]
    texture = torch.where(torch.from_numpy(marrow.transpose(1, 2, 0)), texture * 0.7, texture)
    harsh = float(rng.uniform(0.1, _HARSH))
    found = {}
    for name in channels:
        signal = _channel_signal(scene, name, protocols.get(name), mottle + per_level[scene.level] * marrow, rng)
        layered = torch.from_numpy(np.ascontiguousarray(signal.transpose(1, 2, 0), dtype=np.float32))
        found[name] = random_scanner(layered, texture, rng, sub=scene.layers, harsh=harsh)
    return found, without_invisible(scene.changes, protocols, scene.marrow, maps).kinds


def _channel_signal(
    scene: Scene, name: str, protocol: Protocol | None, fat_change: Field, rng: np.random.Generator
) -> Field:
    """Signal of all layers under one sequence, or a map of fat fraction or diffusion."""
    person = np.random.default_rng(scene.person)
    if protocol is None:
        table, values, slope = _map_tables(scene, name)
    else:
        table = np.append(signal_table(protocol, person, jitter=1.0), 0)
        table[int(Tissue.LESION)] = table[int(Tissue.MARROW)]
        _set_marrow(table, scene.marrow, protocol)
        gains = np.exp(rng.normal(0, 0.15, len(table)))
        gains[[int(t) for t in MARROWS]] = 1
        table = table * gains * (1 if rng.random() < 0.75 else np.exp(rng.normal(0, 0.3, len(table))) ** (gains != 1))
        odd = np.exp(rng.normal(0, 0.08, len(scene.changes.deposits)))
        values = [substance_signal(d.substance, protocol) * o for d, o in zip(scene.changes.deposits, odd, strict=True)]
        wet = mixed_signal(scene.marrow._replace(fat=0.0), protocol)
        slope = mixed_signal(scene.marrow._replace(fat=1.0), protocol) - wet
    signal = np.clip(table[scene.tissue] + slope * fat_change, 0, None)
    return laid_down(signal, scene.changes, values, rng)


def _set_marrow(table: Field, marrow: Relaxation, protocol: Protocol) -> None:
    for kind, share in ((Tissue.MARROW, 0.0), (Tissue.POSTERIOR_MARROW, 0.06), (Tissue.SACRAL_MARROW, 0.05)):
        table[int(kind)] = mixed_signal(marrow._replace(fat=min(0.95, marrow.fat + share)), protocol)


def _map_tables(scene: Scene, name: str) -> tuple[Field, list[float], float]:
    """Value of every tissue and deposit on a map: fat fraction, or ADC in um2/ms."""
    if name == "fat-fraction":
        table = np.full(COUNT + 1, 0.1)
        for tissue, relaxation in RELAXATION.items():
            table[int(tissue)] = relaxation.fat
        table[COUNT] = 0.0
        table[[int(t) for t in MARROWS]] = scene.marrow.fat
        return table + 0.02, [d.substance.relaxation.fat + 0.02 for d in scene.changes.deposits], 1.0
    table = np.full(COUNT + 1, 1.2)
    for tissue, value in {
        Tissue.AIR: 0.0, Tissue.CSF: 3.0, Tissue.CISTERN: 3.0, Tissue.CORD: 0.9, Tissue.MUSCLE: 1.5,
        Tissue.NUCLEUS: 1.8, Tissue.ANNULUS: 1.3, Tissue.SUBCUTANEOUS_FAT: 0.1, Tissue.CORTEX: 0.2, Tissue.MARROW: 0.45,
        Tissue.POSTERIOR_MARROW: 0.4, Tissue.SACRAL_MARROW: 0.4, Tissue.LESION: 0.45,
    }.items():  # fmt: skip
        table[int(tissue)] = value
    return table, [d.substance.diffusion for d in scene.changes.deposits], -0.5


def random_scene_size(rng: np.random.Generator) -> tuple[int, int, int]:
    """Slices, rows and columns of a scene: about as many voxels in each."""
    rows, columns = int(rng.choice(_ROWS)), int(rng.choice(_COLUMNS))
    return int(np.clip(_VOXELS // (rows * columns), *_SLICES)), rows, columns


def random_marrow(rng: np.random.Generator) -> Relaxation:
    """Marrow of one healthy person: red in the young, fatty in the old."""
    base = RELAXATION[Tissue.MARROW]
    fat = float(np.clip(rng.normal(0.42, 0.14), 0.16, 0.72))
    return Relaxation(
        base.t1 * float(rng.uniform(0.85, 1.15)), base.t2 * float(rng.uniform(0.85, 1.2)), base.density, fat
    )


def random_channels(rng: np.random.Generator) -> tuple[str, ...]:
    """Which sequences a study has: T1 and STIR mostly, more or less of them at times."""
    sets = (("T1w", "STIR"), ("T1w", "STIR", "T2w"), ("T1w",), ("STIR",), ("T2w",), ("T1w", "T2w"), ("STIR", "T2w"))
    chosen = list(sets[rng.choice(len(sets), p=(0.32, 0.24, 0.12, 0.07, 0.13, 0.08, 0.04))])
    more = [name for name in CHANNELS if name not in ("T1w", "STIR", "T2w")]
    if rng.random() < 0.12:
        chosen.append(more[rng.integers(len(more))])
    return tuple(chosen)
