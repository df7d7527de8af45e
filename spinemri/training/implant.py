"""Marrow changes implanted into real images: the signal of real marrow changed inside real bones.

The background, with its texture, noise and anatomy, stays real. What a change would look like follows from the signal
equations relative to the marrow around it. It is blended in several ways, so that no trace of one way can be learnt:
'replace' puts smooth signal with grain in place of the marrow, 'scale' multiplies what is there, 'borrow' takes the
texture of another tissue of the same image. Real T1w and STIR are rare: a real image of another contrast is recast
into them, tissue by tissue, so that the background's shapes and grain stay real.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy import ndimage

from spinemri.synthesis.changes import substance_signal
from spinemri.synthesis.marrow_changes import trabeculae
from spinemri.synthesis.signal import mixed_signal, signal_table
from spinemri.synthesis.texture import smooth_noise
from spinemri.synthesis.tissue import BACKGROUND, BODY, CORD, DISC, POSTERIOR, SAC, SACRUM, Tissue
from spinemri.synthesis.vertebra_grid import find_vertebrae
from spinemri.training.marrow_scenes import (
    protocols_of,
    random_changes,
    random_channels,
    random_marrow,
    without_invisible,
)
from spinemri.training.marrow_textures import woven

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from spinemri.synthesis.deposits import Deposit
    from spinemri.synthesis.signal import Protocol
    from spinemri.synthesis.tissue import Relaxation

    Field = NDArray[np.floating]

WAYS = ("replace", "scale", "borrow")
"""How a change is blended into a real image while training; others are kept for testing."""

_RECAST = 0.6  # of the samples are recast into other contrasts
_COIL, _GAMMA, _BLURRED, _NOISY, _NOISE = 0.25, 0.2, 0.35, 0.5, 0.05
_MOTTLE = 0.06  # most patchiness added to what is there, relative: marrow is not alike in any two people
_BENT = 2.0  # mm of bending within the plane, at most about twice that
_THIN_MM = 2.6  # slices nearer to each other are mostly thinned out
_BRIGHTEST = 1.15  # of a change, as a share of the brightest that the image shows
_TISSUES = {
    BODY: (Tissue.MARROW,),
    POSTERIOR: (Tissue.POSTERIOR_MARROW,),
    DISC: (Tissue.ANNULUS, Tissue.NUCLEUS),
    SAC: (Tissue.CSF,),
    CORD: (Tissue.CORD,),
    SACRUM: (Tissue.SACRAL_MARROW,),
}


@dataclass(frozen=True, eq=False)
class RealScene:
    """A real image on the working grid with its anatomy; its marrow is taken to be without focal changes.

    Parameters
    ----------
    images : channel -> (slices, rows, columns) float32 from 0
    classes, levels : (slices, rows, columns) uint8, as painted volumes have them
    slice_mm : distance of slices
    """

    images: Mapping[str, NDArray[np.float32]]
    classes: NDArray[np.uint8]
    levels: NDArray[np.uint8]
    slice_mm: float


def implanted(
    scene: RealScene,
    size: tuple[int, int, int],
    rng: np.random.Generator,
    textures: Sequence[NDArray[np.float32]] = (),
) -> tuple[dict[str, torch.Tensor], NDArray[np.uint8], NDArray[np.uint8]]:
    """Images per channel with implants, classes and kinds of a random part (slices, rows, columns) of a real scene.

    ``textures`` are patterns of marrow of further bodies to weave in, see ``training.marrow_textures``.
    """
    part = _cut(scene, size, rng)
    vertebrae, shape = find_vertebrae(part.classes, part.levels, (part.slice_mm, 1.0, 1.0)), part.classes.shape
    pattern = np.exp(woven(vertebrae, shape, textures, rng))
    changes = random_changes(vertebrae, shape, rng)
    marrow = random_marrow(rng)
    images = {name: varied(image * pattern, rng) for name, image in part.images.items()}
    if rng.random() < _RECAST:
        names = [name for name in random_channels(rng) if name in ("T1w", "STIR", "T2w")] or ["T1w"]
        source = next(iter(images.values()))
        protocols = protocols_of(names, rng)
        images = {name: recast(source, part.classes, protocols[name], (marrow, rng)) for name in names}
    else:
        protocols = protocols_of(tuple(images), rng)
    way = str(rng.choice(WAYS))
    found = {
        name: torch.from_numpy(implant(image, part.classes, changes.deposits, (protocols[name], marrow, way), rng))
        for name, image in images.items()
    }
    return found, part.classes, without_invisible(changes, protocols, marrow).kinds


def implant(
    image: Field,
    classes: NDArray[np.uint8],
    deposits: tuple[Deposit, ...],
    physics: tuple[Protocol, Relaxation, str],
    rng: np.random.Generator,
) -> NDArray[np.float32]:
    """An image (slices, rows, columns) with deposits blended in.

    Parameters
    ----------
    image, classes : of one grid
    deposits : what to put where
    physics : the sequence, the marrow that the image is taken to have, and one of ``WAYS``
    rng : grain
    """
    protocol, marrow, way = physics
    found = np.asarray(image, dtype=np.float32).copy()
    bone = np.isin(classes, (BODY, POSTERIOR, SACRUM)) & (found > 0)
    if not bone.any():
        return found
    base = _smooth_inside(found, bone)
    usual = max(mixed_signal(marrow, protocol), 1e-6)
    residual = found - base
    top = float(np.quantile(found[found > 0], 0.995))
    foreign = _borrowed(found, classes == DISC, rng) if way == "borrow" else None
    for deposit in deposits:
        ratio = substance_signal(deposit.substance, protocol) / usual * float(np.exp(rng.normal(0, 0.1)))
        window, share = deposit.window, deposit.share
        level = np.minimum(base[window] * ratio, _BRIGHTEST * top)
        grain = smooth_noise(rng, share.shape, (2, 4, 4)) * deposit.texture * level
        if way == "scale":
            own = np.clip(found[window], 0.3 * base[window], None) * (level / np.maximum(base[window], 1e-6)) + grain
        elif foreign is not None:
            own = level * (1 + foreign[window]) + grain
        else:
            own = level + residual[window] * float(np.clip(np.sqrt(ratio), 0.3, 1.5)) + grain
        if deposit.striped:
            own = own * (1 - 0.4 * trabeculae(share.shape, deposit.striped, rng))
        found[window] += share * (np.clip(own, 0, None) - found[window])
        base[window] += share * (level - base[window])
    return found


def _smooth_inside(image: Field, bone: NDArray[np.bool_]) -> Field:
    """Local mean of marrow, carried a little beyond the bone."""
    width = (0.0, 6.0, 6.0)
    weight = ndimage.gaussian_filter(bone.astype(np.float32), width)
    total = ndimage.gaussian_filter(np.where(bone, image, 0).astype(np.float32), width)
    overall = float(image[bone].mean()) if bone.any() else 0.0
    return np.asarray((total + 1e-3 * overall) / (weight + 1e-3), dtype=np.float32)


def _borrowed(image: Field, donor: NDArray[np.bool_], rng: np.random.Generator) -> Field:
    """Grain drawn from another tissue of the image, everywhere, relative to that tissue's mean."""
    local = _smooth_inside(image, donor)
    values = (image / np.maximum(local, 1e-6) - 1)[donor & (image > 0)]
    if values.size < 200:
        return np.zeros(image.shape, dtype=np.float32)
    field = rng.choice(values, image.shape).astype(np.float32)
    grain = ndimage.gaussian_filter(field, (0, 0.6, 0.6)) * 1.6
    return np.asarray(np.clip(grain, -0.5, 0.6) * float(rng.uniform(0.2, 0.7)))


def varied(image: Field, rng: np.random.Generator) -> NDArray[np.float32]:
    """A real image (slices, rows, columns) as another scanner might have shown it: few people must teach many.

    Another coil, another contrast, patchier, at times blurred or noisier; what shows nothing still shows nothing.
    """
    shown = image > 0
    if not shown.any():
        return np.asarray(image, dtype=np.float32)
    top = float(np.quantile(image[shown], 0.98))
    field = np.exp(smooth_noise(rng, image.shape, (3, 40, 40)) * rng.uniform(0, _COIL))
    patches = smooth_noise(rng, image.shape, (2, 6, 6)) + smooth_noise(rng, image.shape, (3, 12, 12))
    field = field * np.exp(patches * rng.uniform(0, _MOTTLE))
    found = top * (image * field / top) ** float(np.exp(rng.normal(0, _GAMMA)))
    if rng.random() < _BLURRED:
        width = float(rng.uniform(0.3, 0.9))
        found = ndimage.gaussian_filter(found, (0, width, width))
    if rng.random() < _NOISY:
        noise = rng.normal(0, rng.uniform(0, _NOISE) * top, (2, *found.shape))
        found = np.hypot(found + noise[0], noise[1])
    return np.asarray(np.maximum(found, 1e-3 * top) * shown, dtype=np.float32)


def recast(
    image: Field, classes: NDArray[np.uint8], protocol: Protocol, person: tuple[Relaxation, np.random.Generator]
) -> NDArray[np.float32]:
    """A real image as another sequence might show it: each tissue's mean changed, its grain and borders kept.

    Parameters
    ----------
    image, classes : (slices, rows, columns); the image is one in which fat is bright
    protocol : the sequence to look like
    person : marrow, and the source of the other tissues' relaxation
    """
    marrow, rng = person
    table = signal_table(protocol, rng, jitter=0.8)
    marrow_signal = mixed_signal(marrow, protocol)
    table[[int(t) for t in (Tissue.MARROW, Tissue.POSTERIOR_MARROW, Tissue.SACRAL_MARROW)]] = marrow_signal
    found = _recast_background(image, classes, table)
    weight = ndimage.gaussian_filter((classes == BACKGROUND).astype(np.float32), (0, 0.6, 0.6))
    total, found = weight.copy(), found * weight
    for value, tissues in _TISSUES.items():
        mask = classes == value
        if not mask.any():
            continue
        soft = ndimage.gaussian_filter(mask.astype(np.float32), (0, 0.6, 0.6))
        local = _smooth_inside(image, mask)
        level = float(np.mean([table[int(t)] for t in tissues]))
        grain = np.clip(image / np.maximum(local, 1e-6), 0.2, 2.5) ** float(rng.uniform(0.6, 1.3))
        found += soft * level * grain
        total += soft
    found = found / np.maximum(total, 1e-3) * (image > 0)
    noise = rng.normal(0, rng.uniform(0, 0.03) * float(np.quantile(found, 0.98)), (2, *found.shape))
    return np.asarray(np.hypot(found + noise[0], noise[1]) * (image > 0), dtype=np.float32)


def _recast_background(image: Field, classes: NDArray[np.uint8], table: Field) -> Field:
    """Muscle and organs below, fat above, by the rank of the signal around the spine."""
    outside = image[(classes == BACKGROUND) & (image > 0)]
    marks = np.quantile(outside, (0.02, 0.3, 0.6, 0.93, 0.995)) if outside.size else np.linspace(0, 1, 5)
    marks = marks + np.arange(5) * 1e-6 * max(float(marks[-1]), 1e-6)
    muscle, soft, fat = (float(table[int(t)]) for t in (Tissue.MUSCLE, Tissue.SOFT, Tissue.SUBCUTANEOUS_FAT))
    levels = (0.15 * muscle, muscle, soft, fat, fat * 1.05)
    return np.interp(image, marks, levels).astype(np.float32)


def _cut(scene: RealScene, size: tuple[int, int, int], rng: np.random.Generator) -> RealScene:
    """A random part around the spine, turned, scaled and bent a little in plane, possibly every other slice."""
    count, rows, columns = size
    step = 2 if scene.slice_mm < _THIN_MM and rng.random() < 0.85 else 1
    bodies = np.argwhere(np.isin(scene.classes[:, ::4, ::4], (BODY, POSTERIOR, DISC)))
    spot = bodies[rng.integers(len(bodies))] * (1, 4, 4) + (0, rng.integers(-15, 16), rng.integers(-30, 31))
    first = int(np.clip(spot[0] - rng.integers(0, count * step), 0, max(0, len(scene.classes) - count * step)))
    scale, angle = float(np.exp(rng.normal(0, 0.1))), float(np.deg2rad(rng.normal(0, 6)))
    down = (np.arange(rows) - rows / 2 + 0.5)[:, None] * scale
    along = (np.arange(columns) - columns / 2 + 0.5)[None] * scale
    places = np.stack(
        [
            spot[1] + down * np.cos(angle) - along * np.sin(angle),
            spot[2] + down * np.sin(angle) + along * np.cos(angle),
        ]
    )
    bends = [smooth_noise(rng, (rows, columns), (25, 25)) for _ in places]
    places = places + np.stack(bends) * rng.uniform(0, _BENT)

    def seen(values: NDArray[np.generic], order: int) -> NDArray[np.generic]:
        chosen = np.asarray(values[first : first + count * step : step])
        found = np.zeros((count, rows, columns), dtype=chosen.dtype)
        for n, plane in enumerate(chosen):
            found[n] = ndimage.map_coordinates(plane, places, order=order, mode="constant", cval=0)
        return found

    images = {name: np.asarray(seen(image, 1), dtype=np.float32) for name, image in scene.images.items()}
    classes, levels = (np.asarray(seen(labels, 0), dtype=np.uint8) for labels in (scene.classes, scene.levels))
    return RealScene(images, classes, levels, scene.slice_mm * step)
