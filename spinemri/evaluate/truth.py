"""What every voxel of a synthetic image truly is: the structure that fills most of it, under spinemri's values."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from spinemri.anatomy import Structure, StructureKind
from spinemri.segmentation import EXACT, Segmentation, label_value
from spinemri.synthesis.tissue import BODY, CORD, DISC, POSTERIOR, SAC, SACRUM, class_of_tissue

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spinemri.geometry import Geometry
    from spinemri.synthesis.grids import PaintedGrid
    from spinemri.synthesis.labels import LabelVolume
    from spinemri.synthesis.numbering import Chain

_DISC_BELOW = 101  # level value of the disc below vertebra 0; bone of vertebra 0 is 1


def true_segmentation(volume: LabelVolume, geometry: Geometry, series_uid: str) -> Segmentation:
    """Named structures of a painted subject on the grid of its images.

    Parameters
    ----------
    volume : painted on a grid that divides each voxel of ``geometry`` into equal parts, (x, z, a)
    geometry : slices to the left, rows downwards, columns backwards
    series_uid : the series whose grid this is
    """
    return _named(_filling(volume, geometry.shape)[:, ::-1, ::-1], geometry, series_uid, volume.chain)


def true_grid(painted: PaintedGrid, series_uid: str) -> Segmentation:
    """Named structures of a person painted for an image of any orientation, on the image's grid."""
    geometry = painted.sampling.geometry
    return _named(_filling(painted, geometry.shape), geometry, series_uid, painted.chain)


def _named(voxels: NDArray[np.uint8], geometry: Geometry, series_uid: str, chain: Chain) -> Segmentation:
    _, structures = _meanings(chain)
    present = {int(v): structures[int(v)] for v in np.unique(voxels) if v}
    made_by = "truth by construction"
    return Segmentation(np.ascontiguousarray(voxels), geometry, present, series_uid, made_by, drawing=EXACT)


def _filling(painted: LabelVolume | PaintedGrid, shape: tuple[int, int, int]) -> NDArray[np.uint8]:
    """Label value that fills most of each voxel of a grid, from the tissue and level of its equal parts."""
    table, _ = _meanings(painted.chain)
    fine = table[class_of_tissue()[painted.tissue], painted.level]
    parts = tuple(have // wanted for have, wanted in zip(fine.shape, shape, strict=True))
    blocks = fine[tuple(slice(n * part) for n, part in zip(shape, parts, strict=True))]
    blocks = blocks.reshape([n for pair in zip(shape, parts, strict=True) for n in pair])
    return _most_common(blocks.transpose(0, 2, 4, 1, 3, 5).reshape(*shape, -1))


def _meanings(chain: Chain) -> tuple[NDArray[np.uint8], dict[int, Structure]]:
    """Label value of each (class, level value), and the structure of each label value."""
    table = np.zeros((SACRUM + 1, 256), dtype=np.uint8)
    structures: dict[int, Structure] = {}

    def name(where: tuple[int, int | slice], structure: Structure) -> None:
        table[where] = label_value(structure)
        structures[label_value(structure)] = structure

    for index, level in enumerate(chain.levels):
        name((BODY, 1 + index), Structure(StructureKind.VERTEBRAL_BODY, level))
        name((POSTERIOR, 1 + index), Structure(StructureKind.POSTERIOR_ELEMENTS, level))
        if index < chain.sacral:
            name((DISC, _DISC_BELOW + index), Structure(StructureKind.DISC, level, chain.levels[index + 1]))
    whole = {SAC: StructureKind.THECAL_SAC, CORD: StructureKind.CORD, SACRUM: StructureKind.SACRUM}
    for value, kind in whole.items():
        name((value, slice(None)), Structure(kind))
    return table, structures


def _most_common(parts: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The most frequent value along the last axis; of equally frequent ones the lowest."""
    ordered = np.sort(parts, axis=-1)
    counts = np.zeros(ordered.shape, dtype=np.uint8)
    for n in range(ordered.shape[-1]):
        counts += ordered == ordered[..., n : n + 1]
    best = counts.argmax(axis=-1)
    return np.asarray(np.take_along_axis(ordered, best[..., None], axis=-1)[..., 0])
