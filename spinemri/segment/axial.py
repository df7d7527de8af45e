"""Named anatomy of axial slices: what the network sees in them, named by what sagittal series show at the same place.

A few axial slices cannot be counted along the spine. The level of a bone or a disc is that of the nearest one of its
kind in the sagittal masks of the same frame of reference; what has none near it is left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree

from spinemri.anatomy import Structure, StructureKind
from spinemri.faults import attempt
from spinemri.language import Phrases
from spinemri.orientation import stack_axes
from spinemri.segmentation import Segmentation, label_value
from spinemri.series import Plane

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from spinemri.geometry import Geometry
    from spinemri.image import Image
    from spinemri.segment.predictor import Predictor

    Classes = NDArray[np.uint8]

phrases = Phrases("segment.axial")

_NAMED = (StructureKind.VERTEBRAL_BODY, StructureKind.POSTERIOR_ELEMENTS, StructureKind.DISC)
_PLAIN = (StructureKind.THECAL_SAC, StructureKind.CORD, StructureKind.SACRUM)
_CANAL = (StructureKind.THECAL_SAC, StructureKind.CORD)
_LEAST_CANAL_MM2, _LEAST_PIECE_MM2 = 12.0, 20.0
_EVERY = 3  # voxel of a sagittal mask is a landmark
_NEAR_MM = 12.0  # from a voxel to the sagittal structure it is named after
_FEWEST_TO_NAME = 60  # voxels; a sliver of the level above that one slice just touches is not named after it


def segment_axial(
    images: Sequence[Image], predictor: Predictor | None, sagittal: Sequence[Segmentation]
) -> tuple[tuple[Segmentation, ...], tuple[str, ...]]:
    """Bodies, posterior elements, discs, sac, cord and sacrum of the axial stacks of a study, and ``axial_remarks``.

    Parameters
    ----------
    images : axial slices, any tilt
    predictor : a model of axial slices; without one nothing is read
    sagittal : named masks of the study's sagittal series

    Raises
    ------
    ModelError
        If an image has no axial slices, or the model does not accept its contrast.
    """
    if predictor is None:
        return (), ()
    frames = dict.fromkeys(image.geometry.frame_of_reference_uid for image in images)
    guides = {frame: _guides(sagittal, frame) for frame in frames}
    found = [
        attempt(
            phrases.ANATOMY_AXIAL_SERIES.format(label=image.series.label),
            Segmentation(
                np.zeros(image.geometry.shape, np.uint8), image.geometry, {}, image.series.series_uid, "nobody"
            ),
            _segmented,
            image,
            predictor,
            guides[image.geometry.frame_of_reference_uid],
        )
        for image in images
    ]
    return tuple(found), axial_remarks(images, found)


def axial_remarks(images: Sequence[Image], masks: Sequence[Segmentation]) -> tuple[str, ...]:
    """Why an axial stack is not measured, for those that are not; nothing where there are no masks."""
    pairs = zip(images, masks, strict=True) if masks else ()
    notes = ((image.series.label, _remark(mask.structures.values())) for image, mask in pairs)
    return tuple(phrases.SERIES.format(label=label, note=note) for label, note in notes if note)


class _Guide(NamedTuple):
    """Places (n) of structures of one kind in sagittal masks, whose each is, and which structures they are."""

    places: cKDTree
    owners: NDArray[np.intp]
    structures: tuple[Structure, ...]


def _guides(sagittal: Sequence[Segmentation], frame: str | None) -> dict[StructureKind, _Guide]:
    """What the sagittal masks of a frame of reference name, by kind."""
    found: dict[StructureKind, list[tuple[Structure, NDArray[np.float64]]]] = {kind: [] for kind in _NAMED}
    for mask in sagittal:
        if mask.geometry.frame_of_reference_uid != frame:
            continue
        index = np.argwhere(mask.voxels)[::_EVERY]
        values, places = mask.voxels[tuple(index.T)], mask.geometry.to_patient(index)
        for value, structure in mask.structures.items():
            if structure.kind in found and (values == value).any():
                found[structure.kind].append((structure, places[values == value]))
    return {kind: _guide(named) for kind, named in found.items() if named}


def _guide(named: Sequence[tuple[Structure, NDArray[np.float64]]]) -> _Guide:
    structures = tuple(structure for structure, _ in named)
    owners = np.repeat(np.arange(len(named)), [len(places) for _, places in named])
    return _Guide(cKDTree(np.concatenate([places for _, places in named])), owners, structures)


def _segmented(image: Image, predictor: Predictor, guides: Mapping[StructureKind, _Guide]) -> Segmentation:
    found = predictor.predict(image)
    kinds = {value: StructureKind(name) for value, name in predictor.model.classes.items() if value}
    classes = _cleaned(found.classes, image.geometry, kinds)
    voxels = np.zeros(classes.shape, dtype=np.uint8)
    structures: dict[int, Structure] = {}
    for value, kind in kinds.items():
        mask = classes == value
        plain = [(Structure(kind), mask)] if mask.any() else []
        for structure, part in plain if kind in _PLAIN else _named(mask, image.geometry, guides.get(kind)):
            voxels[part] = label_value(structure)
            structures[label_value(structure)] = structure
    return Segmentation(voxels, image.geometry, structures, image.series.series_uid, found.made_by)


def _remark(found: Iterable[Structure]) -> str:
    kinds = {structure.kind for structure in found}
    if StructureKind.THECAL_SAC not in kinds:
        return phrases.NOTHING
    return "" if kinds & {*_NAMED} else phrases.NO_FRAME


def _named(
    mask: NDArray[np.bool_], geometry: Geometry, guide: _Guide | None
) -> Iterator[tuple[Structure, NDArray[np.bool_]]]:
    """Parts of a mask by the nearest structure of its kind, large ones only."""
    index = np.argwhere(mask)
    if guide is None or not len(index):
        return
    away, nearest = guide.places.query(geometry.to_patient(index), distance_upper_bound=_NEAR_MM)
    close = np.isfinite(away)
    owner = np.full(mask.shape, -1, dtype=np.intp)
    owner[tuple(index[close].T)] = guide.owners[nearest[close]]
    for number, structure in enumerate(guide.structures):
        part = owner == number
        if np.count_nonzero(part) >= _FEWEST_TO_NAME:
            yield structure, part


def _cleaned(classes: Classes, geometry: Geometry, kinds: Mapping[int, StructureKind]) -> Classes:
    """In every slice one canal, whose holes are filled, and no islands."""
    axis, *_ = stack_axes(geometry, Plane.AXIAL)
    pixel = float(np.prod([mm for a, mm in enumerate(geometry.spacing) if a != axis]))
    canal = [value for value, kind in kinds.items() if kind in _CANAL]
    sac = next((value for value, kind in kinds.items() if kind is StructureKind.THECAL_SAC), 0)
    cleaned = np.moveaxis(classes.copy(), axis, 0)
    for plane in cleaned:
        _one_canal(plane, canal, sac, _LEAST_CANAL_MM2 / pixel)
        for value in set(kinds) - set(canal):
            _without_islands(plane, value, _LEAST_PIECE_MM2 / pixel)
    return np.moveaxis(cleaned, 0, axis)


def _one_canal(plane: Classes, canal: Sequence[int], sac: int, least: float) -> None:
    """Keep the largest piece of sac and cord together; its holes are sac."""
    inside = np.isin(plane, canal)
    pieces, count = ndimage.label(inside)
    sizes = np.bincount(pieces.ravel(), minlength=count + 1)[1:]
    if not count or sizes.max() < least:
        plane[inside] = 0
        return
    kept = pieces == int(sizes.argmax()) + 1
    plane[inside & ~kept] = 0
    plane[ndimage.binary_fill_holes(kept) & ~kept] = sac


def _without_islands(plane: Classes, value: int, least: float) -> None:
    pieces, count = ndimage.label(plane == value)
    small = np.bincount(pieces.ravel(), minlength=count + 1) < least
    small[0] = False
    plane[small[pieces]] = 0
