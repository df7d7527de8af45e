"""Which series a corrected mask was drawn on: its SEG says so, or the name that spinemri gave the file, or its grid."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from spinemri.errors import InputError
from spinemri.labels.place import coincide, places_of
from spinemri.language import Phrases
from spinemri.report.masks import file_names

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spinemri.image import Image
    from spinemri.labels.study import LabelFile

phrases = Phrases("revise.series")

_APART_MM, _SPACING_MM = 0.1, 1e-3  # what rounding in a file may do


def placed(files: Sequence[LabelFile], images: Sequence[Image], stem: str) -> tuple[int, ...]:
    """Number of the image that each file was drawn on.

    Parameters
    ----------
    stem : beginning of the names that spinemri gives such files, such as 'segmentation'

    Raises
    ------
    InputError
        A mask has the grid of no series, or not of the one that it names; several fit and nothing tells which; two are
        of one series.
    """
    marked = [(_marked(file, images, stem), file.name) for file in files]
    return tuple(n for n, _ in places_of(marked, images))


def _marked(file: LabelFile, images: Sequence[Image], stem: str) -> Image:
    """The mask with the series that it was drawn on, as far as its grid and its name or its SEG tell.

    Raises InputError where its grid is that of no series, or not of the one that it names.
    """
    named = _named(file, images, stem)
    fitting = [image for image in named or images if _lies_on(file, image)]
    if not fitting:
        found = phrases.TIMES.join(map(str, file.image.geometry.shape))
        grids = ", ".join(
            phrases.SERIES.format(items=phrases.TIMES.join(map(str, i.geometry.shape)), label=i.series.label)
            for i in named or images
        )
        raise InputError(
            f"corrected {file.name}: a grid of {found} voxels; expected the grid of the series that it was drawn "
            f"on, at the same place in the patient: {grids}"
        )
    if len(fitting) > 1:
        return file.image
    return replace(file.image, series=fitting[0].series)


def _lies_on(file: LabelFile, image: Image) -> bool:
    """Whether a mask has the grid of an image; a SEG may have a part of it, for it holds no empty frames."""
    mask, grid = file.image.geometry, image.geometry
    if not file.segments or coincide(mask, grid):
        return coincide(mask, grid)
    ends = grid.to_index(mask.corners())
    apart = np.abs(ends - np.rint(ends)) * np.asarray(grid.spacing)
    inside = (np.rint(ends) >= 0).all() and (np.rint(ends) < grid.shape).all()
    alike = np.allclose(sorted(mask.spacing), sorted(grid.spacing), rtol=0.0, atol=_SPACING_MM)
    return bool(apart.max() <= _APART_MM and inside and alike)


def _named(file: LabelFile, images: Sequence[Image], stem: str) -> list[Image]:
    """The series that a SEG refers to, or that 'segmentation_3.nii.gz' or 'segmentation_3_corrected.nii.gz' names."""
    uid = file.image.series.series_uid
    if uid and (own := [image for image in images if image.series.series_uid == uid]):
        return own
    stems = file_names(stem, [image.series for image in images], suffix="")
    fits = [(len(known), n) for n, known in enumerate(stems) if re.match(rf"{re.escape(known)}(?!\d|-\d)", file.name)]
    return [images[max(fits)[1]]] if fits else []
