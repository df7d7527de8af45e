"""From semantic classes to named structures: each vertebra, disc and arch gets the level it belongs to.

Posterior elements hang down from their body: a spinous process lies lower than the body it belongs to, most so in the
thoracic spine, so they are handed to levels along lines that slope down towards the back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from spinemri.anatomy import Level, Structure, StructureKind
from spinemri.language import Phrases
from spinemri.segment.appearance import measure_appearance
from spinemri.segment.column import BODY, CORD, DISC, POSTERIOR, SAC, SACRUM
from spinemri.segment.instances import Instances, find_instances
from spinemri.segment.landmarks import find_landmarks
from spinemri.segment.level_evidence import NO_HINTS, seen_levels
from spinemri.segment.levels import name_levels
from spinemri.segmentation import Segmentation, label_value

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spinemri.geometry import Geometry
    from spinemri.segment.level_evidence import Hints
    from spinemri.spine import LevelAssignment

phrases = Phrases("segment.label")

_DROP_PER_MM = {"C": 0.2, "T": 0.45, "L": 0.2, "S": 0.2, "V": 0.3}
_PLAIN = {SAC: StructureKind.THECAL_SAC, CORD: StructureKind.CORD, SACRUM: StructureKind.SACRUM}


def label_anatomy(
    classes: NDArray[np.integer],
    geometry: Geometry,
    series_uid: str,
    made_by: str,
    hints: Hints = NO_HINTS,
) -> tuple[Segmentation, tuple[LevelAssignment, ...], tuple[str, ...]]:
    """Named structures of a semantic label volume.

    Parameters
    ----------
    classes : (k, j, i) semantic classes: 0 background, 1 vertebral body (S1's included), 2 posterior elements,
        3 disc, 4 thecal sac, 5 cord, 6 rest of the sacrum
    geometry : grid of ``classes``, any orientation
    series_uid, made_by : go into the segmentation
    hints : what is known of levels besides

    Returns
    -------
    Segmentation on the same grid (values of :func:`spinemri.segmentation.label_value`, cut bodies in ``cut``), the
    assignments of its bodies head to foot, and warnings. Without a recognisable column: an empty segmentation and a
    warning.

    Raises
    ------
    LevelError
        If the anchor does not fit the bodies found.
    """
    instances = find_instances(classes, geometry)
    if instances is None:
        empty = np.zeros(geometry.shape, dtype=np.uint8)
        return Segmentation(empty, geometry, {}, series_uid, made_by), (), (phrases.NO_VERTEBRAL_COLUMN_FOUND,)
    landmarks, rows = find_landmarks(instances, geometry), None
    if hints.looks is not None and hints.anchor is None and landmarks.seen:  # the user's word is law
        instances, rows = seen_levels(instances, classes, geometry, hints.looks)
        landmarks = find_landmarks(instances, geometry)
    slots, appearance = [body.slot for body in instances.bodies], measure_appearance(instances, geometry)
    assignments, warnings = name_levels(slots, landmarks, hints.anchor, appearance, rows)
    names = {slot: named.level for slot, named in zip(slots, assignments, strict=False)}
    voxels, structures = _paint(instances, names, geometry)
    cut = frozenset(
        Structure(StructureKind.VERTEBRAL_BODY, names[body.slot])
        for body in instances.bodies
        if body.cut and body.slot in names
    )
    return Segmentation(voxels, geometry, structures, series_uid, made_by, cut), assignments, warnings


def _paint(
    instances: Instances, names: dict[int, Level], geometry: Geometry
) -> tuple[NDArray[np.uint8], dict[int, Structure]]:
    voxels = np.zeros(geometry.shape, dtype=np.uint8)
    structures: dict[int, Structure] = {}

    def put(mask: NDArray[np.bool_], structure: Structure) -> None:
        if mask.any():
            value = label_value(structure)
            voxels[mask] = value
            structures[value] = structure

    for plain, kind in _PLAIN.items():
        put(instances.classes == plain, Structure(kind))
    owner = _arches(instances, names, geometry)
    for slot, level in names.items():
        lower = names.get(slot + 1)
        put(owner == slot + 1, Structure(StructureKind.POSTERIOR_ELEMENTS, level))
        put(
            (instances.disc_slots == slot + 1) & (instances.classes == DISC),
            Structure(StructureKind.DISC, level, lower),
        )
        put(
            (instances.body_slots == slot + 1) & (instances.classes == BODY),
            Structure(StructureKind.VERTEBRAL_BODY, level),
        )
    return voxels, structures


def _arches(instances: Instances, names: dict[int, Level], geometry: Geometry) -> NDArray[np.uint8]:
    """Slot + 1 of each posterior-element voxel: sloped place along the column, then the majority of small pieces."""
    owner = np.zeros(geometry.shape, dtype=np.uint8)
    mask = instances.classes == POSTERIOR
    index = np.argwhere(mask)
    if len(index) == 0 or not names:
        return owner
    place = instances.column.coordinates(geometry.to_patient(index))
    edges = np.asarray(instances.edges_mm)
    region = np.array([names[s].region if s in names else "V" for s in range(len(edges) - 1)])
    drop = np.array([_DROP_PER_MM[r] for r in region])
    guess = np.clip(np.searchsorted(edges, place[:, 0]) - 1, 0, len(edges) - 2)
    behind = np.clip(-place[:, 2] - 15.0, 0, 45)
    along = place[:, 0] - drop[guess] * behind
    slot = np.searchsorted(edges, along) - 1
    known = np.isin(slot, list(names))
    owner[tuple(index[known].T)] = slot[known] + 1
    return _whole_pieces(owner, mask, float(np.prod(geometry.spacing)), edges)


def _whole_pieces(
    owner: NDArray[np.uint8], mask: NDArray[np.bool_], voxel_mm3: float, edges: NDArray[np.float64]
) -> NDArray[np.uint8]:
    """Small separate pieces (a process tip, at most 3 ml) go as a whole to the level that holds most of them."""
    pieces, count = ndimage.label(mask)
    if count == 0:
        return owner
    votes = np.zeros((count + 1, len(edges)), dtype=np.int64)
    np.add.at(votes, (pieces[mask], owner[mask]), 1)
    small = votes.sum(axis=1) * voxel_mm3 <= 3000.0
    winner = votes[:, 1:].argmax(axis=1).astype(np.uint8) + 1
    decided = mask & small[pieces] & (votes[:, 1:].max(axis=1) > 0)[pieces]
    return np.where(decided, winner[pieces], owner).astype(np.uint8)
