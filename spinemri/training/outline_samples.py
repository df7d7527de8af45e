"""Training samples of the outliner: vertebral bodies as the anatomy network found them, and where they really end.

A scene is an image, painted or real, that the anatomy network has read. Each of its bodies gives samples: turned,
scaled and recast views, in which what was found is now and then a little wrong, as it is where the network finds an
image hard.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as nnf
from monai.transforms.intensity.array import RandBiasField, RandGaussianNoise, RandGaussianSmooth
from monai.utils.type_conversion import convert_to_tensor
from torch.utils.data import IterableDataset, get_worker_info

from spinemri.geometry import Geometry
from spinemri.segment.instances import find_instances
from spinemri.segment.outline_view import CHANNELS, OWN, SEEN, SIDE, Surroundings, box_around, middle_of, view_of
from spinemri.segment.outliner import seen_classes
from spinemri.segment.preprocess import normalise, working_map, working_slices
from spinemri.synthesis.tissue import BODY
from spinemri.training.augment import random_curve, random_grid
from spinemri.training.synthetic import CLASSES, cut_patch, render

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from spinemri.image import Image
    from spinemri.segment.predictor import Predictor
    from spinemri.training.volumes import VolumeShelf

    Sample = tuple[torch.Tensor, torch.Tensor]
    Maker = Callable[[np.random.Generator], "OutlineScene | None"]

_LAYERS, _WINDOW = 15, (160, 208)  # slices, and pixels of 1 mm, of a painted scene
_LEAST_SHARED = 0.5  # of a found body that lies in the true one of its number
_POOL, _USES = 40, 12  # scenes in memory, and samples drawn of each
_EDGE = 2  # pixels; a body that reaches so near the border of the image is not whole
_RECAST = 0.7  # of the readings of a real image
_STRAY_PX = 2.5
_WRONG, _LOST = 0.5, 0.3  # samples in which the found outline is disturbed, and in which it has a slice too few or more


@dataclass(frozen=True, eq=False)
class OutlineScene:
    """An image that was read, and the bodies whose true outline is known.

    Parameters
    ----------
    around : the image and what was found in it
    truth : (slices, rows, columns) number of the true body, 0 of none
    known : number of a found body -> that of the true one
    """

    around: Surroundings
    truth: NDArray[np.uint8]
    known: dict[int, int]


def painted_scene(shelf: VolumeShelf, anatomy: Predictor, rng: np.random.Generator) -> OutlineScene | None:
    """A random picture of a painted person; None when no body is found in it."""
    patch = cut_patch(shelf.draw(rng), rng, _WINDOW, _LAYERS)
    image = render(patch, rng)
    bone = (CLASSES[patch.tissue] == BODY).transpose(2, 0, 1).reshape(_LAYERS, patch.sub, *_WINDOW)
    level = np.where(bone, patch.level.transpose(2, 0, 1).reshape(bone.shape), 0).max(axis=1)
    truth = np.where((patch.classes == BODY) & (image != 0).numpy(), level, 0).astype(np.uint8)
    mask = image != 0
    slices = (image - image.min() + 0.01) * mask
    return _read(slices, truth, patch.layer_mm * patch.sub, 1, anatomy)


def real_scene(
    image: Image, labels: NDArray[np.integer], anatomy: Predictor, rng: np.random.Generator
) -> OutlineScene | None:
    """A reading of a real image with numbered bodies (k, j, i), mostly under another contrast."""
    mapping = working_map(image, anatomy.model)
    slices = working_slices(image, mapping)
    if rng.random() < _RECAST:
        inside = slices > 0
        slices = random_curve(slices, inside, rng).clamp(min=0.01) * inside
    return _read(slices, mapping.nearest(labels).astype(np.uint8), mapping.slice_mm, mapping.stride, anatomy)


def _read(
    slices: torch.Tensor, truth: NDArray[np.uint8], slice_mm: float, stride: int, anatomy: Predictor
) -> OutlineScene | None:
    """What the anatomy network finds in working slices, and which true body each found one is."""
    work = anatomy.class_probabilities(slices, stride)
    shape = (work.shape[0], work.shape[2], work.shape[3])
    turned = (1.0, 0.0, 0.0, 0.0, -1.0, 0.0, 0.0, 0.0, 1.0)  # rows run to the front, columns upwards
    grid = Geometry(shape, (slice_mm, 1.0, 1.0), (0.0, 0.0, 0.0), turned)
    instances = find_instances(work.argmax(1).numpy(), grid)
    if instances is None:
        return None
    found = instances.body_slots
    known = {}
    for body in instances.bodies:
        number = body.slot + 1
        met = np.bincount(truth[found == number], minlength=2)
        true = int(met[1:].argmax()) + 1
        if not body.cut and met[true] >= _LEAST_SHARED * met.sum() and _is_whole(truth == true):
            known[number] = true
    around = Surroundings(normalise(slices), seen_classes(work, anatomy.model.classes), found, slice_mm)
    return OutlineScene(around, truth, known) if known else None


def _is_whole(mask: NDArray[np.bool_]) -> bool:
    """Whether no border of the slices cuts a body."""
    inner = mask[:, _EDGE:-_EDGE, _EDGE:-_EDGE]
    return bool(np.count_nonzero(inner) == np.count_nonzero(mask))


class OutlineSamples(IterableDataset["Sample"]):
    """Endless samples: views (bodies, CHANNELS, slices, SIDE, SIDE) float32 of bodies of one scene, and the true ones.

    Parameters
    ----------
    maker : of scenes
    bodies : in every sample
    seed : start of the random sequence
    """

    def __init__(self, maker: Maker, bodies: int, seed: int = 0) -> None:
        self.maker, self.bodies, self.seed = maker, bodies, seed

    def __iter__(self) -> Iterator[Sample]:
        """Samples for ever; each loader worker draws its own."""
        torch.set_num_threads(1)
        worker = get_worker_info()
        rng = np.random.default_rng([self.seed, worker.id if worker else 0])
        disturb = Disturbance(int(rng.integers(2**31)))
        pool: list[OutlineScene] = []
        while True:
            while len(pool) < _POOL and (len(pool) < 2 or rng.random() < 1 / _USES):
                scene = self.maker(rng)
                pool += [scene] if scene is not None else []
            if len(pool) == _POOL and rng.random() < 1 / _USES:
                pool.pop(int(rng.integers(len(pool))))
            scene = pool[int(rng.integers(len(pool)))]
            views, truth = zip(*(sample_of(scene, disturb) for _ in range(self.bodies)), strict=True)
            yield torch.stack(views), torch.stack(truth)


def sample_of(scene: OutlineScene, disturb: Disturbance) -> Sample:
    """A random view (CHANNELS, slices, SIDE, SIDE) of a random known body of a scene, and the true one in it."""
    rng = disturb.rng
    number = list(scene.known)[rng.integers(len(scene.known))]
    around = scene.around
    middle = middle_of(around.found == number)
    middle[1:] += rng.normal(0, _STRAY_PX, 2)
    box = box_around(middle, around.slice_mm)
    view = view_of(around, number, middle, box)
    truth = box.cut(torch.from_numpy((scene.truth == scene.known[number]).astype(np.float32)))
    view, truth = disturb(view, truth)
    if rng.random() < 0.5:
        view, truth = view.flip(1), truth.flip(0)
        view[CHANNELS - 2] *= -1
    return view.contiguous(), truth.contiguous()


class Disturbance:
    """Random pose and contrast of a view, and errors in what was found; equal seeds give equal sequences."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.changes = (
            RandBiasField(degree=3, coeff_range=(-0.3, 0.3), prob=0.5),
            RandGaussianSmooth(sigma_x=(0.3, 0.9), sigma_y=(0.3, 0.9), prob=0.2),
            RandGaussianNoise(std=0.15, prob=0.5),
        )
        for number, change in enumerate(self.changes):
            change.set_random_state(seed + number)

    def __call__(self, view: torch.Tensor, truth: torch.Tensor) -> Sample:
        """A view (CHANNELS, slices, SIDE, SIDE) and its true body (slices, SIDE, SIDE), disturbed alike."""
        middle = (SIDE - 1) / 2
        grid = random_grid(self.rng, (SIDE, SIDE), (middle, middle), (SIDE, SIDE))
        moving = torch.cat([view[: OWN + 2 + len(SEEN)], truth[None]]).flatten(0, 1)[None]
        moved = nnf.grid_sample(moving, grid, mode="bilinear", align_corners=True)[0].view(-1, *view.shape[1:])
        there = view[CHANNELS - 1, :, 0, 0] > 0
        found = self._wrong((moved[OWN] > 0.5).float())
        image = self._recast(moved[0]) * there[:, None, None]
        fixed = view[CHANNELS - 2 :]
        return torch.cat([image[None], found[None], moved[OWN + 1 : -1], fixed]), (moved[-1] > 0.5).float()

    def _recast(self, image: torch.Tensor) -> torch.Tensor:
        raised = image - image.min() + 1e-3
        if self.rng.random() < 0.3:
            raised = random_curve(raised, torch.ones_like(raised, dtype=torch.bool), self.rng)
        image = (raised - raised.mean()) / (raised.std() + 1e-3)
        for change in self.changes:
            image = convert_to_tensor(change(image), track_meta=False)
        return image

    def _wrong(self, found: torch.Tensor) -> torch.Tensor:
        """The found body, now and then with a border in the wrong place, or a slice too few or too many."""
        if self.rng.random() < _WRONG:
            soft = nnf.avg_pool2d(found[:, None], 5, 1, 2)[:, 0]
            waves = torch.from_numpy(self.rng.normal(0, 0.15, (1, 1, 8, 8)).astype(np.float32))
            waves = nnf.interpolate(waves, size=(SIDE, SIDE), mode="bicubic")[0]
            found = (soft + waves > self.rng.uniform(0.25, 0.75)).float()
        shown = found.flatten(1).any(1).nonzero().flatten().tolist()
        if len(shown) > 3 and self.rng.random() < _LOST:
            end, outwards = (shown[0], -1) if self.rng.random() < 0.5 else (shown[-1], 1)
            found = found.clone()
            if self.rng.random() < 0.5:
                found[end] = 0
            elif 0 <= end + outwards < len(found):
                found[end + outwards] = found[end]
        return found
