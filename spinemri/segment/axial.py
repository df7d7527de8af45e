"""Named anatomy of axial slices: what the network sees in them, named by what sagittal series show at the same place.

A few axial slices cannot be counted along the spine. The level of a bone or a disc is that of the nearest one of its
kind in the sagittal masks of the same frame of reference; what has none near it is left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree

from spinemri.anatomy import Structure, StructureKind
from spinemri.orientation import stack_axes
from spinemri.segmentation import Segmentation, label_value
from spinemri.series import Plane

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from spinemri.geometry import Geometry
    from spinemri.image import Image
    from spinemri.segment.predictor import Predictor

    Classes = NDArray[np.uint8]

_NAMED = (StructureKind.VERTEBRAL_BODY, StructureKind.POSTERIOR_ELEMENTS, StructureKind.DISC)
_PLAIN = (StructureKind.THECAL_SAC, StructureKind.CORD, StructureKind.SACRUM)
_CANAL = (StructureKind.THECAL_SAC, StructureKind.CORD)
_LEAST_CANAL_MM2, _LEAST_PIECE_MM2 = 12.0, 20.0
_NEAR_MM = 12.0  # from a voxel to the sagittal structure it is named after
_FEWEST_TO_NAME = 60  # voxels; a sliver of the level above that one slice just touches is not named after it
_NO_FRAME = "levels not known: no sagittal series in its frame of reference shows the spine there; not measured"
_NOTHING = "no thecal sac was found in it; not measured"


def segment_axial(
    image: Image, predictor: Predictor, sagittal: Sequence[Segmentation]
) -> tuple[Segmentation, tuple[str, ...]]:
    """Bodies, posterior elements, discs, sac, cord and sacrum of one stack of axial slices, and remarks.

    Parameters
    ----------
    image : axial slices, any tilt
    predictor : a model of axial slices
    sagittal : named masks of the study's sagittal series

    Raises
    ------
    ModelError
        If the image has no axial slices, or the model does not accept its contrast.
    """
    found = predictor.predict(image)
    kinds = {value: StructureKind(name) for value, name in predictor.model.classes.items() if value}
    classes = _cleaned(found.classes, image.geometry, kinds)
    voxels = np.zeros(classes.shape, dtype=np.uint8)
    structures: dict[int, Structure] = {}
    for value, kind in kinds.items():
        mask = classes == value
        named = _plain(mask, kind) if kind in _PLAIN else _named(mask, kind, image.geometry, sagittal)
        for structure, part in named:
            voxels[part] = label_value(structure)
            structures[label_value(structure)] = structure
    told = _remarks(structures.values())
    return Segmentation(voxels, image.geometry, structures, image.series.series_uid, found.made_by), told


def segment_axial_study(
    images: Sequence[Image], predictor: Predictor | None, sagittal: Sequence[Segmentation]
) -> tuple[tuple[Segmentation, ...], tuple[str, ...]]:
    """Masks of the axial images of a study, and what is to be told about them; none without a model of axial slices.

    Raises
    ------
    ModelError
        If the model does not accept an image.
    """
    found = [segment_axial(image, predictor, sagittal) for image in images] if predictor else []
    told = [
        f"series {image.series.label}: {note}"
        for image, (_, notes) in zip(images, found, strict=False)
        for note in notes
    ]
    return tuple(mask for mask, _ in found), tuple(told)


def _remarks(found: Iterable[Structure]) -> tuple[str, ...]:
    kinds = {structure.kind for structure in found}
    if StructureKind.THECAL_SAC not in kinds:
        return (_NOTHING,)
    return () if kinds & {*_NAMED} else (_NO_FRAME,)


def _plain(mask: NDArray[np.bool_], kind: StructureKind) -> Iterable[tuple[Structure, NDArray[np.bool_]]]:
    if mask.any():
        yield Structure(kind), mask


def _named(
    mask: NDArray[np.bool_], kind: StructureKind, geometry: Geometry, sagittal: Sequence[Segmentation]
) -> Iterable[tuple[Structure, NDArray[np.bool_]]]:
    """Parts of a mask by the nearest structure of that kind in sagittal masks, large ones only."""
    index = np.argwhere(mask)
    points, owners, known = _landmarks(kind, geometry, sagittal)
    if not len(index) or not known:
        return
    away, nearest = cKDTree(points).query(geometry.to_patient(index), distance_upper_bound=_NEAR_MM)
    owner = np.full(mask.shape, -1, dtype=np.intp)
    owner[tuple(index[np.isfinite(away)].T)] = owners[nearest[np.isfinite(away)]]
    for number, structure in enumerate(known):
        part = owner == number
        if np.count_nonzero(part) >= _FEWEST_TO_NAME:
            yield structure, part


def _landmarks(
    kind: StructureKind, geometry: Geometry, sagittal: Sequence[Segmentation]
) -> tuple[NDArray[np.float64], NDArray[np.intp], tuple[Structure, ...]]:
    """Places (n, 3), LPS mm, of structures of a kind in sagittal masks of one frame, whose each is, and which."""
    places: list[NDArray[np.float64]] = []
    owners: list[NDArray[np.intp]] = []
    known: dict[Structure, int] = {}
    for mask in sagittal:
        if mask.geometry.frame_of_reference_uid != geometry.frame_of_reference_uid:
            continue
        for structure in mask.of_kind(kind):
            index = np.argwhere(mask.mask(structure))[::3]
            places.append(mask.geometry.to_patient(index))
            owners.append(np.full(len(index), known.setdefault(structure, len(known)), dtype=np.intp))
    if not places:
        return np.empty((0, 3)), np.empty(0, dtype=np.intp), ()
    return np.concatenate(places), np.concatenate(owners), tuple(known)


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
