"""Real images with partial labels: one structure, in part of the spine, by person either for training or for checking.

The split is fixed in ``split.csv``: whoever is checked on has never been trained on, in any version. A vertebra beyond
the last labelled one is not background. So labels count only between two planes across the column, through the outer
ends of the first and last labelled structures.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.utils.data import IterableDataset, get_worker_info

from spinemri.errors import InputError
from spinemri.read import read_volume
from spinemri.segment.preprocess import present_voxels, sagittal_map
from spinemri.training.augment import SliceAugment

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from spinemri.image import Image
    from spinemri.segment.model import Model

TRAINING, VALIDATION = "training", "validation"
_SHARE = {"vb2": 0.5, "vb3": 0.3, "ivd": 0.2}  # of the real slices; the sets differ in size and in what they teach
_OUTER = 0.995  # quantile of a structure's voxels that counts as its outer end


@dataclass(frozen=True)
class LabelledCase:
    """One row of the split: a labelled image, whose it is, what it is for, and which structure it labels."""

    set: str
    case: str
    person: str
    role: str
    structure: str

    def files(self, root: Path) -> tuple[Path, Path]:
        """Image and label file under the folder of labelled sets."""
        folder = root / self.set
        return folder / f"{self.case}_img.nii.gz", folder / f"{self.case}_lab.nii.gz"


@dataclass(frozen=True, eq=False)
class LabelledVolume:
    """A labelled image on the network's working grid.

    Parameters
    ----------
    case : what it is
    slices : (slices, rows, columns) float32 intensities from 0, posterior to anterior by inferior to superior
    labelled : (slices, rows, columns) bool, the labelled structure
    extent : (rows, columns) bool, where labels count
    target : class of the structure
    stride : slices between neighbours of the network
    """

    case: LabelledCase
    slices: torch.Tensor
    labelled: torch.Tensor
    extent: torch.Tensor
    target: int
    stride: int


def labelled_cases(role: str) -> tuple[LabelledCase, ...]:
    """The cases of one role, 'training' or 'validation', from the fixed split."""
    table = resources.files("spinemri.training").joinpath("split.csv").read_text(encoding="utf-8")
    return tuple(c for c in (LabelledCase(**row) for row in csv.DictReader(table.splitlines())) if c.role == role)


def load_case(case: LabelledCase, root: Path, model: Model) -> LabelledVolume:
    """A labelled image on the model's working grid.

    Raises
    ------
    InputError
        If a file is missing or the two grids differ.
    SpineMRIError
        If a file cannot be read.
    """
    image, labels = _read_pair(case, root)
    mapping = sagittal_map(image, model)
    across, front, up = mapping.to_work
    raw = torch.from_numpy(present_voxels(image).transpose(mapping.axes).copy())
    values = np.asarray(labels.voxels).transpose(mapping.axes)
    marked = torch.from_numpy((values > 0).astype(np.float32))
    work = [torch.einsum("sk,kyz,ay,bz->sab", across, volume, front, up) for volume in (raw, marked)]
    ends = {int(v): (values == v).any(0).astype(np.float32) for v in np.unique(values[values > 0])}
    flat = {v: (front @ torch.from_numpy(plane) @ up.T).numpy() > 0.5 for v, plane in ends.items()}
    target = next(value for value, name in model.classes.items() if name == case.structure)
    extent = torch.from_numpy(labelled_extent(flat))
    return LabelledVolume(case, work[0], work[1] > 0.5, extent, target, mapping.stride)


def labelled_extent(structures: dict[int, NDArray[np.bool_]]) -> NDArray[np.bool_]:
    """Where labels count: between planes across the column at its outer ends, (rows, columns) bool.

    Parameters
    ----------
    structures : label value -> shadow (rows, columns) of the structure over all slices
    """
    points = {value: np.argwhere(shadow).astype(np.float64) for value, shadow in structures.items()}
    order = sorted(points, key=lambda value: float(points[value][:, 1].mean()))
    shape = next(iter(structures.values())).shape
    grid = np.stack(np.meshgrid(*(np.arange(n) for n in shape), indexing="ij"), axis=-1)
    inside = np.ones(shape, dtype=bool)
    for end, inner, outward in ((order[0], order[1:2], -1.0), (order[-1], order[-2:-1], 1.0)):
        axis = np.array([0.0, outward])
        if inner:
            axis = points[end].mean(0) - points[inner[0]].mean(0)
            axis /= np.linalg.norm(axis)
        inside &= grid @ axis <= np.quantile(points[end] @ axis, _OUTER)
    return inside


class RealSlices(IterableDataset[tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]]):
    """Endless augmented samples of labelled volumes.

    Each is (image (slices, rows, columns) float32, labelled (rows, columns) float32, extent (rows, columns) float32,
    class of the labelled structure).

    Raises
    ------
    InputError
        If there is no volume.
    """

    def __init__(self, volumes: Sequence[LabelledVolume], seed: int, size: tuple[int, int] = (160, 192)) -> None:
        if not volumes:
            raise InputError("no labelled volumes to train on")
        self.sets: dict[str, list[LabelledVolume]] = {}
        for volume in volumes:
            self.sets.setdefault(volume.case.set, []).append(volume)
        self.seed, self.size = seed, size

    def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]]:
        """Samples for ever; each loader worker draws its own."""
        torch.set_num_threads(1)
        worker = get_worker_info()
        rng = np.random.default_rng([self.seed, worker.id if worker else 0])
        augment = SliceAugment(int(rng.integers(2**31)), self.size)
        names = list(self.sets)
        shares = np.array([_SHARE.get(name, 0.2) for name in names])
        while True:
            chosen = self.sets[names[rng.choice(len(names), p=shares / shares.sum())]]
            volume = chosen[rng.integers(len(chosen))]
            sample = augment(*_cut(volume, rng))
            if sample is not None:
                yield (*sample, torch.tensor(volume.target))


def _cut(volume: LabelledVolume, rng: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor, tuple[float, float]]:
    """Neighbouring slices, labels and extent of the middle one, and where in it to look, (row, column)."""
    count = len(volume.slices)
    middle = int(rng.integers(count))
    stride = volume.stride if rng.random() < 0.7 else 1
    near = [middle + step * stride for step in (-2, -1, 0, 1, 2)]
    absent = torch.zeros_like(volume.slices[0])
    image = torch.stack([volume.slices[k] if 0 <= k < count else absent for k in near])
    truth = torch.stack([volume.labelled[middle], volume.extent]).float()
    rows, columns = (volume.labelled.any(0).any(axis).nonzero().flatten() for axis in (1, 0))
    place = float(rows.float().mean()) + rng.uniform(-35, 35), rng.uniform(float(columns[0]), float(columns[-1]))
    return image, truth, place


def _read_pair(case: LabelledCase, root: Path) -> tuple[Image, Image]:
    files = case.files(root)
    for path in files:
        if not path.is_file():
            raise InputError(f"{path.relative_to(root)} is missing from the labelled sets")
    image, labels = (read_volume(path) for path in files)
    if not image.geometry.same_grid(labels.geometry):
        raise InputError(f"{files[1].relative_to(root)}: its grid is not that of its image")
    return image, labels
