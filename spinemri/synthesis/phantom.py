"""A synthetic study of one person with known truth: sagittal lumbar images, T1, STIR and T2 unless asked otherwise,
with a fracture, a marrow lesion and a narrowed thecal sac. Parametric anatomy only. Axial, coronal and isotropic images
show the same person; the sagittal ones do not depend on them.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from spinemri.errors import InputError
from spinemri.geometry import Geometry
from spinemri.image import Image
from spinemri.series import Contrast
from spinemri.synthesis import morphometry as sizes
from spinemri.synthesis import truth as truths
from spinemri.synthesis.acquire import acquire
from spinemri.synthesis.acquisitions import Acquisition
from spinemri.synthesis.grids import Person, Placement
from spinemri.synthesis.labels import LabelVolume, paint
from spinemri.synthesis.numbering import Chain, Numbering, chain
from spinemri.synthesis.phantom_grids import grid_series, lumbar_series
from spinemri.synthesis.signal import PROTOCOLS, signal_table
from spinemri.synthesis.subject import Fracture, MarrowLesion, Pathology, SacNarrowing, Subject, sample_subject

if TYPE_CHECKING:
    from collections.abc import Sequence
    from enum import StrEnum

    from numpy.typing import NDArray

    from spinemri.synthesis.grids import PaintedGrid

CONTRASTS = (Contrast.T1W, Contrast.STIR, Contrast.T2W)
"""Of the sagittal images when nothing else is asked for; all others are T2w."""

_SLICES, _ROWS, _COLUMNS = 15, 320, 208
_PIXEL, _SPACING, _THICKNESS = 0.9375, 4.0, 3.6  # mm
_LAYERS, _FINE = 3, 2  # layers painted per slice, fine pixels per pixel
_RIM_SHARE = 0.98  # loss where heights are measured, inset from the anterior rim, as a share of the loss at the rim
_FIRST = 2  # series number
_FRACTURED = 4  # levels that may be broken: the last thoracic one and those below


@dataclass(frozen=True, eq=False)
class Phantom:
    """Images of a synthetic study, the subject they show, its truth as JSON-ready values, and what was painted.

    ``volume`` was painted for the sagittal images; ``grids`` holds what was painted for each other stack, under the
    label of the first series that shows it.
    """

    images: tuple[Image, ...]
    subject: Subject
    truth: dict[str, Any]
    volume: LabelVolume
    grids: dict[str, PaintedGrid]


def make_phantom(
    seed: int,
    *,
    height_loss_pct: float = 35.0,
    contrasts: Sequence[Contrast] | None = None,
    acquisitions: Sequence[Acquisition] = (Acquisition.SAGITTAL,),
    numbering: Numbering = Numbering.USUAL,
) -> Phantom:
    """A synthetic lumbar study.

    Parameters
    ----------
    seed : 0 or more; the same seed gives the same pixels
    height_loss_pct : anterior height that the fractured vertebra lost, 0 to 70
    contrasts : one series each of every acquisition; None for CONTRASTS sagittally and T2w otherwise
    acquisitions : in any order; series are numbered from 2, sagittal ones first
    numbering : the person's last thoracic or lumbar vertebra where it is not the usual one

    Raises
    ------
    InputError
        If an argument is out of range, or no signal equation is known for a contrast.
    """
    if seed < 0 or not 0 <= height_loss_pct <= 70:
        raise InputError(f"phantom: seed {seed}, height loss {height_loss_pct} %: expected seed >= 0 and 0 to 70 %")
    _check_choice("contrasts", CONTRASTS if contrasts is None else contrasts, tuple(PROTOCOLS))
    _check_choice("acquisitions", acquisitions, tuple(Acquisition))
    rng = np.random.default_rng([seed, 20])
    vertebrae = chain(numbering)
    pathology = _pathology(rng, height_loss_pct / 100 / _RIM_SHARE, vertebrae)
    subject = sample_subject(rng, pathology, variation=0.8, chain=vertebrae)
    axes, before = _axes(subject), deepcopy(rng)
    volume = paint(subject, axes, rng)
    geometry, placement = _geometry(axes, rng, seed)
    person = Person(subject, axes, before, placement, geometry.frame_of_reference_uid)
    images: list[Image] = []
    if Acquisition.SAGITTAL in acquisitions:
        images += [_image(volume, c, n, geometry, seed) for n, c in enumerate(contrasts or CONTRASTS, start=_FIRST)]
    truth = _truth(subject, volume, placement, seed)
    grids: dict[str, PaintedGrid] = {}
    for acquisition in [known for known in Acquisition if known in acquisitions and known is not Acquisition.SAGITTAL]:
        number = max((image.series.number or 0 for image in images), default=_FIRST - 1) + 1
        made = grid_series(person, acquisition, contrasts or (Contrast.T2W,), (seed, number))
        images += made.images
        grids |= made.grids
        if made.slices:
            truth["axial_slices"] = made.slices
    return Phantom(tuple(images), subject, truth, volume, grids)


def _check_choice(name: str, chosen: Sequence[StrEnum], able: Sequence[StrEnum]) -> None:
    if len(chosen) == 0 or len(set(chosen)) < len(chosen) or not set(chosen) <= set(able):
        found = ", ".join(value.value for value in chosen) or "none"
        known = ", ".join(value.value for value in able)
        raise InputError(f"phantom: {name} {found}: expected one or more of {known}, each once")


def _pathology(rng: np.random.Generator, loss: float, chain: Chain) -> Pathology:
    """One fracture, one lesion in another body, one narrowed disc away from the fracture."""
    first = chain.last_thoracic
    broken = int(rng.choice(range(first, first + _FRACTURED)))
    others = [i for i in range(first, chain.sacral) if abs(i - broken) > 0]
    side = 1.0 if rng.random() < 0.5 else -1.0
    place = (float(rng.uniform(-3, 3)), float(rng.uniform(-4, 6)), side * float(rng.uniform(5, 11)))
    lesion = MarrowLesion(int(rng.choice(others)), place, float(rng.uniform(6, 9)))
    discs = [i for i in range(chain.first_lumbar, chain.last_lumbar) if i not in (broken - 1, broken)]
    narrowing = SacNarrowing(int(rng.choice(discs)), float(rng.uniform(0.3, 0.5)), float(rng.uniform(4.5, 6)))
    fracture = Fracture(broken, loss, 0.55 * loss, 0.02 * float(loss > 0))
    return Pathology((fracture,) if loss else (), (narrowing,), (lesion,))


def _axes(subject: Subject) -> tuple[NDArray[np.floating], NDArray[np.floating], NDArray[np.floating]]:
    """Fine axes (x, z, a) of a lumbar field of view, from T10 or T11 to the sacrum."""
    upper, sacral = subject.chain.last_thoracic, subject.chain.sacral
    middle = 0.5 * (subject.centre[upper] + subject.centre[sacral])
    layer, fine = _SPACING / _LAYERS, _PIXEL / _FINE
    x = (np.arange(_SLICES * _LAYERS) - (_SLICES * _LAYERS - 1) / 2) * layer
    z = float(middle[1]) - 6 + (np.arange(_ROWS * _FINE) - (_ROWS * _FINE - 1) / 2) * fine
    a = float(middle[0]) - 12 + (np.arange(_COLUMNS * _FINE) - (_COLUMNS * _FINE - 1) / 2) * fine
    midline = float(subject.midline[upper:sacral].mean())
    return x + midline, z, a


def _geometry(
    axes: tuple[NDArray[np.floating], ...], rng: np.random.Generator, seed: int
) -> tuple[Geometry, Placement]:
    """Slightly oblique grid (slices to the left, rows to inferior, columns to posterior), and how the person lies."""
    x, z, a = axes
    turn = _rotation(rng.uniform(-4, 4, 3))
    first = np.array([x[:_LAYERS].mean(), -a[-_FINE:].mean(), z[-_FINE:].mean()])
    centre = np.array([x.mean(), -a.mean(), z.mean()])
    shift = np.array([0.0, 20.0, -60.0])
    origin = turn @ (first - centre) + shift
    direction = turn @ np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])
    grid = Geometry(
        (_SLICES, _ROWS, _COLUMNS),
        (_SPACING, _PIXEL, _PIXEL),
        (float(origin[0]), float(origin[1]), float(origin[2])),
        tuple(direction.ravel().tolist()),
        f"2.25.{7000 + seed}.9",
    )
    return grid, Placement(turn, shift - turn @ centre)


def _rotation(degrees: NDArray[np.floating]) -> NDArray[np.floating]:
    cx, cy, cz = np.cos(np.radians(degrees))
    sx, sy, sz = np.sin(np.radians(degrees))
    about_x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_z = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    return np.asarray(about_z @ about_y @ about_x)


def _image(volume: LabelVolume, contrast: Contrast, number: int, geometry: Geometry, seed: int) -> Image:
    rng = np.random.default_rng([seed, number])
    table = signal_table(PROTOCOLS[contrast], rng, jitter=0.5)
    voxels = acquire(volume, table, rng, sub=(_LAYERS, _FINE), snr=float(rng.uniform(22, 34)))
    facts = lumbar_series(contrast, number, geometry, seed)
    return Image(voxels, geometry, facts.model_copy(update={"slice_thickness_mm": _THICKNESS}))


def _point(placement: Placement, x: float, z: float, a: float) -> list[float]:
    """Patient point (LPS mm) of a point in the subject's coordinates."""
    return [round(float(v), 2) for v in placement.to_patient([x, z, a])]


def _truth(subject: Subject, volume: LabelVolume, placement: Placement, seed: int) -> dict[str, Any]:
    """Everything that is known about a phantom, JSON-ready; points are LPS mm."""
    z, names = volume.axes[1], subject.chain.names
    margin = 0.62 * subject.posterior
    shown = [
        i
        for i in range(sizes.COUNT)
        if i <= subject.chain.sacral and z[0] + margin[i] < subject.centre[i, 1] < z[-1] - margin[i]
    ]
    centres = {
        names[i]: _point(placement, subject.midline[i], subject.centre[i, 1], subject.centre[i, 0]) for i in shown
    }
    (narrowing,) = subject.pathology.narrowings
    return {
        "seed": seed,
        "levels": [names[i] for i in shown],
        "body_centres_lps_mm": centres,
        "fractures": [
            {"level": names[f.index], "height_loss_pct": round(truths.height_loss(subject, f.index), 2)}
            for f in subject.pathology.fractures
        ],
        "sac_narrowings": [
            {
                "level": f"{names[narrowing.index]}-{names[narrowing.index + 1]}",
                "fraction_of_diameter": round(narrowing.fraction, 3),
            }
        ],
        "marrow_lesions": [_lesion_truth(subject, placement, lesion) for lesion in subject.pathology.lesions],
        "measurements": truths.measurements(subject, volume.curve, shown),
    }


def _lesion_truth(subject: Subject, placement: Placement, lesion: MarrowLesion) -> dict[str, Any]:
    u, v, x = lesion.centre
    up, front = subject.axes(lesion.index)
    a, z = subject.centre[lesion.index] + up * u + front * v
    return {
        "level": subject.chain.names[lesion.index],
        "side": "left" if x > 0 else "right",
        "diameter_mm": round(2 * lesion.radius, 2),
        "centre_lps_mm": _point(placement, x + float(subject.midline[lesion.index]), z, a),
    }
