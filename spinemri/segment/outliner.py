"""Outlines of vertebral bodies drawn once more, one body at a time, by a second, small network.

The anatomy network reads whole slices; here every body is looked at by itself, in all slices that show it, with what
was found around it. What the outliner draws is taken where it is still the same body; what a body loses belongs to
nothing: giving it to the disc or arch beside it made those worse. Cord and sac, whose borders follow the image, are
left alone.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, cast

import numpy as np
import torch
from scipy import ndimage

from spinemri.anatomy import StructureKind
from spinemri.segment.device import device_named, half_precision
from spinemri.segment.outline_view import SEEN, Surroundings, box_around, first_guess, middle_of, view_of
from spinemri.segment.preprocess import normalise
from spinemri.segment.weights import as_numbers, network_on
from spinemri.segmentation import label_value

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from spinemri.anatomy import Structure
    from spinemri.segment.outline_model import OutlineModel
    from spinemri.segment.outline_view import Box
    from spinemri.segment.preprocess import WorkingMap
    from spinemri.segmentation import Segmentation

    Region = tuple[slice, slice, slice]
    Drawn = tuple[Structure, Box, torch.Tensor]
    Outline = Callable[[Segmentation, Sequence[int]], Segmentation]

_AT_ONCE = 8
_LEAST_SHARED = 0.7  # Dice with the body as it was found; an outline of something else is not taken
_NOT_REDRAWN = frozenset({"S1"})  # ends where the sacrum begins, which no edge in the image shows
_HALF = 0.5
_LEAST_PIECE = 0.2  # of the largest
_LEFT_ALONE = frozenset({StructureKind.THECAL_SAC, StructureKind.CORD})


class BodyOutliner:
    """An outline model loaded onto a device.

    Parameters
    ----------
    model : from ``load_outline_model``
    device : as of ``Predictor``

    Raises
    ------
    ModelError
        If the weights cannot be read, do not fit the network, or the device is not available.
    """

    def __init__(self, model: OutlineModel, device: str = "auto") -> None:
        self.model = model
        self.device = device_named(device)
        self.network = network_on(model, self.device)

    def outline(
        self, mapping: WorkingMap, slices: torch.Tensor, work: torch.Tensor, classes: Mapping[int, str]
    ) -> Outline:
        """What draws the bodies of a segmentation of an image once more, given the image's missing slices.

        Parameters
        ----------
        mapping, slices : to the anatomy network's working grid, and the image on it (``working_slices``)
        work : (slices, class, rows, columns) what the anatomy network saw there
        classes : its channels -> StructureKind values
        """

        def redrawn(segmentation: Segmentation, missing: Sequence[int]) -> Segmentation:
            around = Surroundings(
                normalise(slices), seen_classes(work, classes), _numbered(segmentation, mapping), mapping.slice_mm
            )
            return _painted(segmentation, self._drawn(segmentation, around), mapping, missing)

        return redrawn

    def _drawn(self, segmentation: Segmentation, around: Surroundings) -> list[Drawn]:
        """Box and logits of every body that is drawn once more."""
        views, boxes = [], []
        for number, body in enumerate(segmentation.of_kind(StructureKind.VERTEBRAL_BODY), start=1):
            own = around.found == number
            if body in segmentation.cut or str(body.level) in _NOT_REDRAWN or not own.any():
                continue
            middle = middle_of(own)
            box = box_around(middle, around.slice_mm)
            boxes.append((body, box))
            views.append(view_of(around, number, middle, box))
        return [(body, box, logits) for (body, box), logits in zip(boxes, self.logits(views), strict=True)]

    def logits(self, views: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        """Logits (slices, SIDE, SIDE) of each view: above 0 lies the body."""
        half, able = half_precision(self.device)
        found: list[torch.Tensor] = []
        for first in range(0, len(views), _AT_ONCE):
            some = torch.stack(list(views[first : first + _AT_ONCE])).to(self.device)
            with torch.inference_mode(), torch.autocast(self.device.type, half, enabled=able):
                change = cast("torch.Tensor", self.network(some))
            found += (as_numbers(change[:, 0], self.model) + first_guess(some)).cpu().unbind()
        return found


def seen_classes(work: torch.Tensor, classes: Mapping[int, str]) -> torch.Tensor:
    """Probabilities (slices, len(SEEN), rows, columns) of what the views show."""
    channels = [[n for n, name in classes.items() if name in names] for names in SEEN]
    return torch.stack([work[:, those].float().sum(1) for those in channels], dim=1)


def _numbered(segmentation: Segmentation, mapping: WorkingMap) -> NDArray[np.uint8]:
    """Number of the body at the image's voxel that each working voxel mostly comes from, counted from 1; 0 of none."""
    numbers = np.zeros(256, dtype=np.uint8)
    for number, body in enumerate(segmentation.of_kind(StructureKind.VERTEBRAL_BODY), start=1):
        numbers[label_value(body)] = number
    return np.asarray(numbers[mapping.nearest(segmentation.voxels)])


def _painted(
    segmentation: Segmentation, drawn: Sequence[Drawn], mapping: WorkingMap, missing: Sequence[int]
) -> Segmentation:
    """The segmentation with new outlines of some bodies; where two meet, the surer one."""
    voxels = segmentation.voxels.copy()
    turned, before = voxels.transpose(mapping.axes), segmentation.voxels.transpose(mapping.axes)
    kept = [value for value, structure in segmentation.structures.items() if structure.kind in _LEFT_ALONE]
    volumes = np.bincount(before.ravel(), minlength=256)
    redrawn = [label_value(body) for body, _, _ in drawn]
    best = np.zeros(turned.shape, dtype=np.float32)
    for body, box, logits in drawn:
        value = label_value(body)
        region, sure = _on_image_grid(box, logits, mapping)
        new, old = _pieces(sure > 0), before[region] == value
        if not _same(new, old, int(volumes[value])):
            continue
        part = turned[region]
        claimed = np.isin(part, [other for other in redrawn if other != value])
        mine = new & ~np.isin(part, kept) & ((sure > best[region]) | ~claimed)
        part[(part == value) & ~mine] = 0
        part[mine], best[region][mine] = value, sure[mine]
    voxels[list(missing)] = 0
    present = set(np.flatnonzero(np.bincount(voxels.ravel())).tolist())
    structures = {value: structure for value, structure in segmentation.structures.items() if value in present}
    return replace(segmentation, voxels=voxels, structures=structures)


def _same(new: NDArray[np.bool_], old: NDArray[np.bool_], volume: int) -> bool:
    """Whether an outline shows the body that was found, of so many voxels, some perhaps beyond the view."""
    return bool(2 * np.count_nonzero(new & old) >= _LEAST_SHARED * (np.count_nonzero(new) + volume))


def _on_image_grid(box: Box, logits: torch.Tensor, mapping: WorkingMap) -> tuple[Region, NDArray[np.float32]]:
    """The part of the image, its axes in the working order, that a view covers, and the view's logits there."""
    inner = box.within(mapping.shape)
    shown = logits[tuple(slice(p.start - f, p.stop - f) for p, f in zip(inner, box.first, strict=True))]
    parts, matrices = [], []
    for matrix, part in zip(mapping.to_image, inner, strict=True):
        rows = (matrix[:, part].sum(1) > _HALF).nonzero().flatten()
        parts.append(slice(int(rows[0]), int(rows[-1]) + 1))
        matrices.append(matrix[parts[-1], part])
    across, down, along = matrices
    fine = torch.tensordot(across, down @ shown @ along.T, dims=1)
    return (parts[0], parts[1], parts[2]), fine.numpy()


def _pieces(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The largest piece of a mask and others that are not much smaller, as beside a missing slice."""
    pieces, count = ndimage.label(mask)
    if count <= 1:
        return mask
    sizes = np.bincount(pieces.ravel())
    sizes[0] = 0
    return np.asarray((sizes >= _LEAST_PIECE * sizes.max())[pieces])
