"""How real marrow is mottled, body by body, woven into other bodies: few people must teach how unlike marrow can be.

Bands along endplates, islands of fat and the veins' channel lie where they lie in a body, so a pattern is carried from
one body to another by the bodies' own axes. What is woven in is healthy: the volunteers it comes from have no known
marrow disease.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from spinemri.synthesis.vertebra_grid import find_vertebrae

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from spinemri.synthesis.vertebra_grid import GridVertebra
    from spinemri.training.implant import RealScene

    Field = NDArray[np.floating]

_GRID = (9, 24, 24)  # right to left, posterior wall to front, inferior to superior endplate
_MOST = 0.8  # of a pattern, natural logarithm of intensity
_SEEN, _ODD = 0.6, 0.06  # share of a body that must show; share at ``_MOST`` from which it is no pattern of marrow
_BODIES, _UPSIDE_DOWN = 0.6, 0.3  # share of the bodies woven anew; of the patterns turned over
_STRONGEST = 0.15  # spread of a pattern as woven in, at most: more would hide what is to be found
_EDGE_MM = 2.0  # over which a pattern fades towards the cortex


def textures_of(scene: RealScene) -> list[NDArray[np.float32]]:
    """Patterns of the bodies of a scene: logarithm of intensity less its median, on each body's own grid ``_GRID``."""
    found = []
    for image in scene.images.values():
        for vertebra in find_vertebrae(scene.classes, scene.levels, (scene.slice_mm, 1.0, 1.0)).values():
            pattern = _pattern(np.asarray(image[vertebra.window], dtype=np.float32), vertebra)
            if pattern is not None:
                found.append(pattern)
    return found


def woven(
    vertebrae: Mapping[int, GridVertebra],
    shape: tuple[int, ...],
    textures: Sequence[NDArray[np.float32]],
    rng: np.random.Generator,
) -> NDArray[np.float32]:
    """A field (slices, rows, columns) of patterns laid into some of the bodies of a grid, 0 elsewhere.

    Parameters
    ----------
    vertebrae, shape : of the grid
    textures : from ``textures_of``; none leaves all at 0
    rng : which bodies, which patterns, how strong
    """
    field = np.zeros(shape, dtype=np.float32)
    for vertebra in vertebrae.values() if textures else ():
        if rng.random() >= _BODIES:
            continue
        pattern = textures[int(rng.integers(len(textures)))]
        if rng.random() < 0.5:
            pattern = pattern[::-1]
        if rng.random() < _UPSIDE_DOWN:
            pattern = pattern[:, :, ::-1]
        fade = np.clip(ndimage.distance_transform_edt(vertebra.body, sampling=vertebra.spacing) / _EDGE_MM, 0, 1)
        seen = ndimage.map_coordinates(pattern, _places(vertebra), order=1, mode="nearest")
        field[vertebra.window] += seen * fade * rng.uniform(0, min(1.0, _STRONGEST / max(float(pattern.std()), 1e-6)))
    return field


def _places(vertebra: GridVertebra) -> Field:
    """Place of every voxel of a vertebra's window on the grid of patterns, (3, slices, rows, columns)."""
    shares = np.stack(
        [
            vertebra.x / vertebra.half_width / 2 + 0.5,
            vertebra.v / max(vertebra.depth, 1.0),
            vertebra.u / max(vertebra.half_height, 1.0) / 2 + 0.5,
        ]
    )
    return np.asarray(shares * (np.array(_GRID) - 1).reshape(3, 1, 1, 1), dtype=np.float32)


def _pattern(image: NDArray[np.float32], vertebra: GridVertebra) -> NDArray[np.float32] | None:
    """Pattern of one body on ``_GRID``: the mean of what lies nearest to each place, filled up from its neighbours."""
    shown = vertebra.body & (image > 0)
    if shown.sum() < _SEEN * np.count_nonzero(vertebra.body):
        return None
    inner = shown & (ndimage.distance_transform_edt(vertebra.body, sampling=vertebra.spacing) > _EDGE_MM / 2)
    if not inner.any():
        return None
    logs = np.log(image[inner])
    places = np.clip(np.rint(_places(vertebra)[:, inner]), 0, np.array(_GRID)[:, None] - 1).astype(int)
    index = np.ravel_multi_index(tuple(places), _GRID)
    size = int(np.prod(_GRID))
    counts = np.bincount(index, minlength=size).reshape(_GRID)
    sums = np.bincount(index, logs - np.median(logs), minlength=size).reshape(_GRID)
    nearest = ndimage.distance_transform_edt(
        counts == 0, sampling=(3, 1, 1), return_distances=False, return_indices=True
    )
    pattern = np.clip((sums / np.maximum(counts, 1))[tuple(nearest)], -_MOST, _MOST)
    return None if np.mean(np.abs(pattern) == _MOST) > _ODD else np.asarray(pattern, dtype=np.float32)
