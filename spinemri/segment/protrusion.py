"""What of a disc lies in the canal: dark between the disc and bright fluid that it pushes back.

A network that has learnt from healthy people ends every disc at the line of its endplates: protrusions and extrusions
are drawn as nothing. Where fluid is bright (T2, STIR) the image shows them: at the height of the disc the sac is dented
from the front, and what lies between disc and sac is as dark as the disc's own rim. Some of that is always dark (outer
annulus, ligament, dura): as much as most discs of the person have behind them stays what it was. What is lighter than a
rim (fat, most tumours) ends the disc.

Known failures: a bright extrusion; what has left the height of its disc; dark tumour or bone that dents the sac there.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from spinemri.anatomy import StructureKind
from spinemri.orientation import oriented, reading_plane
from spinemri.segment.preprocess import present_voxels
from spinemri.segmentation import label_value
from spinemri.series import Plane

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from spinemri.image import Image
    from spinemri.orientation import ReadingPlane
    from spinemri.segmentation import Segmentation

    Floats = NDArray[np.floating]
    Ints = NDArray[np.signedinteger]

_DENT_MM, _LEAST_DENT_MM = 1.5, 0.5  # somewhere at the disc, and in every line that is filled
_BACK_MM = 6.0  # from the hindmost point of a disc: its back
_ABOVE_MM, _BELOW_MM = 7.0, 12.0  # from the back's ends: where the sac is not dented by this disc
_LEAST_SHOWN = 0.7  # of the lines there
_RIM_MM = 3.0
_BRIGHTER = 1.5  # fluid, than the disc's rim
_DARK = 0.3  # of the way from the rim's signal to the fluid's
_FLUID_QUANTILE, _LEAST_FLUID = 0.7, 20
_DEEPEST_MM = 9.0
_USUAL_QUANTILE, _USUAL_UP_TO_MM = 0.4, 2.5  # of the dark layer behind the discs of a person
_MORE_MM = 1.0  # than usual


class _Plane(NamedTuple):
    """One sagittal slice, rows downwards and columns backwards.

    ``fronts`` (rows,) is the first column of the canal in each row, -1 without one.
    """

    number: int
    labels: NDArray[np.unsignedinteger]
    signal: Floats
    sac: NDArray[np.bool_]
    fronts: Ints
    down_mm: float
    back_mm: float


class _Back(NamedTuple):
    """The back of a disc in one slice, row by row: last column, dark columns behind it, how far the sac is dented."""

    value: int
    plane: _Plane
    rows: Ints
    last: Ints
    dark: Ints
    dent_mm: Floats

    @property
    def dark_mm(self) -> Floats:
        return self.dark * self.plane.back_mm

    def stands_out(self, usual_mm: float) -> bool:
        """Whether it dents the sac with more than the layer that is always dark."""
        return bool(self.dent_mm.max() >= _DENT_MM and self.dark_mm.max() - usual_mm >= _MORE_MM)


def with_protrusions(found: Segmentation, image: Image) -> Segmentation:
    """The masks with what discs push into the canal; nothing changes where fluid is not bright.

    Parameters
    ----------
    found : masks of the image, named
    image : a sagittal series or a volume, on the grid of ``found``

    Returns
    -------
    The same masks, discs grown into background.
    """
    sagittal = reading_plane(found.geometry, Plane.SAGITTAL)
    planes = list(_planes(found, image, sagittal))
    values = [label_value(disc) for disc in found.of_kind(StructureKind.DISC)]
    backs = [back for value in values for plane in planes if (back := _back(value, plane)) is not None]
    if not backs:
        return found
    layers = [float(np.median(back.dark_mm)) for back in backs]
    usual = min(float(np.quantile(layers, _USUAL_QUANTILE)), _USUAL_UP_TO_MM)
    voxels = np.array(found.voxels)
    for back in backs:
        if back.stands_out(usual):
            _fill(oriented(voxels, sagittal, back.plane.number), back, usual)
    return replace(found, voxels=voxels)


def _planes(found: Segmentation, image: Image, sagittal: ReadingPlane) -> Iterator[_Plane]:
    """The slices that show the canal."""
    signal, sac = present_voxels(image), found.mask_of_kind(StructureKind.THECAL_SAC)
    canal = sac | found.mask_of_kind(StructureKind.CORD)
    down, back = (found.geometry.spacing[axis] for axis in (sagittal.down, sagittal.right))
    for number in np.flatnonzero(canal.any(axis=(sagittal.down, sagittal.right))).tolist():
        shown = oriented(canal, sagittal, number)
        yield _Plane(
            number,
            labels=oriented(found.voxels, sagittal, number),
            signal=oriented(signal, sagittal, number),
            sac=oriented(sac, sagittal, number),
            fronts=np.where(shown.any(axis=1), shown.argmax(axis=1), -1),
            down_mm=down,
            back_mm=back,
        )


def _back(value: int, plane: _Plane) -> _Back | None:
    """The back of one disc; None where it, the sac beside it or bright fluid are not shown."""
    disc = plane.labels == value
    rows = np.flatnonzero(disc.any(axis=1))
    if not len(rows):
        return None
    last = disc.shape[1] - 1 - disc[rows, ::-1].argmax(axis=1)
    behind = (last.max() - last) * plane.back_mm <= _BACK_MM
    rows, last = rows[behind], last[behind]
    line, window = _undented(rows, plane)
    if line is None:
        return None
    rim = disc[rows] & (np.arange(disc.shape[1]) >= last[:, None] - _RIM_MM / plane.back_mm)
    limit = _darkest_light(plane.signal[rows][rim], plane.signal[window][plane.sac[window]])
    fronts = plane.fronts[rows]
    known = fronts > last
    if limit is None or not known.any():
        return None
    rows, last, fronts, line = rows[known], last[known], fronts[known], line[known]
    return _Back(value, plane, rows, last, _dark(plane, (rows, last, fronts), limit), (fronts - line) * plane.back_mm)


def _undented(rows: Ints, plane: _Plane) -> tuple[Floats | None, slice]:
    """Column of the sac's front in these rows as it would run from above to below the disc, and the rows looked at."""
    near, far = (round(mm / plane.down_mm) for mm in (_ABOVE_MM, _BELOW_MM))
    window = slice(rows[0] - far, rows[-1] + far + 1)
    if window.start < 0 or window.stop > len(plane.fronts):
        return None, window
    ends = plane.fronts[window.start : rows[0] - near + 1], plane.fronts[rows[-1] + near : window.stop]
    if min(np.mean(end >= 0) for end in ends) < _LEAST_SHOWN:
        return None, window
    columns = [float(np.median(end[end >= 0])) for end in ends]
    return np.interp(rows, [rows[0] - (far + near) / 2, rows[-1] + (far + near) / 2], columns), window


def _darkest_light(rim: Floats, sac: Floats) -> float | None:
    """Signal from which something is too bright for the rim of a disc; None where fluid is not bright."""
    if sac.size < _LEAST_FLUID:
        return None
    dark, fluid = float(np.median(rim)), float(np.quantile(sac, _FLUID_QUANTILE))
    return None if fluid <= _BRIGHTER * dark else dark + _DARK * (fluid - dark)


def _dark(plane: _Plane, place: tuple[Ints, Ints, Ints], limit: float) -> Ints:
    """Dark columns of background that follow the disc's last one in each row, up to the canal."""
    rows, last, fronts = place
    columns = last[:, None] + 1 + np.arange(int(_DEEPEST_MM / plane.back_mm))
    inside = columns < fronts[:, None]
    at = rows[:, None], np.where(inside, columns, 0)
    dark = inside & (plane.labels[at] == 0) & (plane.signal[at] < limit)
    return np.asarray(np.cumprod(dark, axis=1).sum(axis=1))


def _fill(labels: NDArray[np.unsignedinteger], back: _Back, usual_mm: float) -> None:
    more = np.rint((back.dark_mm - usual_mm) / back.plane.back_mm).astype(int)
    for row, last, count in zip(back.rows, back.last, np.where(back.dent_mm >= _LEAST_DENT_MM, more, 0), strict=True):
        labels[row, last + 1 : last + 1 + max(int(count), 0)] = back.value
