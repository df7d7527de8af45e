"""Which series a mask belongs to: the one whose grid it shares, else the one whose field holds what it labels.

A DICOM SEG may say which series it was drawn on. Tools flip, reorder and resample axes, so grids are compared by where
their voxels lie in the patient. Where several series fit and nothing tells which, nothing is guessed. A mask is laid
onto the grid of its series by the nearest voxel; when both grids coincide only the order of the voxels changes.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from spinemri.errors import InputError
from spinemri.labels.convert import cut_bodies
from spinemri.resample import resample

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from spinemri.geometry import Geometry
    from spinemri.image import Image
    from spinemri.segmentation import Segmentation

    Place = tuple[int, tuple[str, ...]]
    Fitting = tuple[tuple[int, ...], tuple[str, ...]]

_SAME_MM = 0.1
_LEAST_INSIDE = 0.5
_AS_MUCH = 0.05  # less of a mask that lies in a series than in another does not tell them apart


def places_of(masks: Sequence[tuple[Image, str]], images: Sequence[Image]) -> tuple[Place, ...]:
    """Number of the image that each mask belongs to, and what is to be told about the choice.

    A mask that fits one image only takes it; what is left then decides for the others. The order of the masks is of no
    account.

    Parameters
    ----------
    masks : the masks, and the names of their files for messages

    Raises
    ------
    InputError
        A mask belongs to no image, to one that has a mask already, or to any of several; the message names the file.
    """
    fitting = [_fitting(mask, name, images) for mask, name in masks]
    holder: dict[int, str] = {}
    found: dict[int, Place] = {}
    while len(found) < len(masks):
        free = {k: [n for n in fits if n not in holder] for k, (fits, _) in enumerate(fitting) if k not in found}
        k = min(free, key=lambda k: len(free[k]))
        fits, told = fitting[k]
        if len(free[k]) != 1:
            raise InputError(f"labels {masks[k][1]}: {_undecided([images[n] for n in free[k] or fits], holder, fits)}")
        (n,) = free[k]
        more = ("the other series that the mask fits have masks of their own",) if len(fits) > 1 else ()
        found[k], holder[n] = (n, (*told, *more)), masks[k][1]
    return tuple(found[k] for k in range(len(masks)))


def _fitting(mask: Image, name: str, images: Sequence[Image]) -> Fitting:
    try:
        return series_of(mask, images)
    except InputError as error:
        raise InputError(f"labels {name}: {error}") from error


def series_of(mask: Image, images: Sequence[Image]) -> Fitting:
    """Numbers of the images that a mask may belong to, and what is to be told about them.

    The series that the mask refers to (its ``series_uid``) is the one; else those with its grid, else those whose field
    holds it. Among them the contrast decides that the mask's series states.

    Raises
    ------
    InputError
        No image shares the grid, nor holds at least half of the labelled voxels in its field; the message says where
        mask and images lie.
    """
    uid = mask.series.series_uid
    named = [n for n, image in enumerate(images) if uid and image.series.series_uid == uid]
    free = [n for n in named or range(len(images)) if _one_frame(mask, images[n])]
    alike = [n for n in free if coincide(mask.geometry, images[n].geometry)]
    inside = {n: _share_inside(mask, images[n].geometry) for n in free}
    most = max(inside.values(), default=0.0)
    held = alike or [n for n in free if inside[n] >= max(_LEAST_INSIDE, most - _AS_MUCH)]
    if not held:
        raise InputError(_nowhere(mask.geometry, [images[n] for n in named] or images))
    stated = [n for n in held if images[n].series.contrast is mask.series.contrast]
    share = 100 * min(inside[n] for n in held)
    told = [] if alike else [f"the mask has another grid; {share:.0f} % of it lies in this series"]
    told += ["the mask refers to a series that is not used; it is laid on this one"] if uid and not named else []
    return tuple(stated or held), tuple(told)


def laid_on(segmentation: Segmentation, image: Image) -> Segmentation:
    """A mask on the grid of an image; bodies that are cut there are marked."""
    moved = resample(segmentation, image.geometry)
    shown = {v: s for v, s in moved.structures.items() if (moved.voxels == v).any()}
    moved = replace(moved, structures=shown, series_uid=image.series.series_uid)
    return replace(moved, cut=(segmentation.cut & set(shown.values())) | cut_bodies(moved))


def _one_frame(labels: Image, image: Image) -> bool:
    """Whether two grids can lie in one patient space: frames of reference agree, or one is not known."""
    frames = {labels.geometry.frame_of_reference_uid, image.geometry.frame_of_reference_uid} - {None}
    return len(frames) < 2


def coincide(one: Geometry, two: Geometry) -> bool:
    """Whether two grids have the same voxels, whatever the order and direction of their axes."""
    if sorted(one.shape) != sorted(two.shape):
        return False
    apart = np.linalg.norm(one.corners()[:, None] - two.corners()[None], axis=2)
    return bool(apart.min(axis=1).max() <= _SAME_MM and len(set(apart.argmin(axis=1).tolist())) == len(apart))


def _share_inside(labels: Image, grid: Geometry) -> float:
    index = np.argwhere(labels.voxels)
    at = grid.to_index(labels.geometry.to_patient(index[:: 1 + len(index) // 20000]))
    inside = np.all((at > -0.5) & (at < np.asarray(grid.shape) - 0.5), axis=1)
    return float(np.mean(inside)) if len(index) else 0.0


def _undecided(fits: Sequence[Image], holder: Mapping[int, str], numbers: Sequence[int]) -> str:
    """Why a mask has no image of its own among those it fits."""
    listed = ", ".join(f"series {image.series.label} ({image.series.contrast.value})" for image in fits)
    if all(n in holder for n in numbers):
        return f"it fits {listed} only, which has a mask already ({', '.join(holder[n] for n in numbers)})"
    return (
        f"it fits {listed} and nothing tells which of them it was drawn on; expected the contrast in the file's name, "
        "such as mask_T2w.nii.gz, or a DICOM SEG that refers to its series"
    )


def _nowhere(grid: Geometry, images: Sequence[Image]) -> str:
    fields = "; ".join(f"series {image.series.label}: {_field(image.geometry)}" for image in images)
    return f"the mask covers {_field(grid)}; expected the grid or at least the place of a used series ({fields})"


def _field(grid: Geometry) -> str:
    low, high = grid.corners().min(axis=0), grid.corners().max(axis=0)
    ranges = ", ".join(f"{axis} {a:.0f} to {b:.0f}" for axis, a, b in zip("xyz", low, high, strict=True))
    frame = "" if grid.frame_of_reference_uid is None else ", frame of reference known"
    return f"{' x '.join(map(str, grid.shape))} voxels at {ranges} mm{frame}"
