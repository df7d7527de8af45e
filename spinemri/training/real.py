"""Real images with partial labels: one structure, in part of the spine.

Who may be trained on is fixed in ``people.csv``, by person and for every version; a few are kept apart to decide by;
``evaluate/validation.csv`` lists the others. A vertebra beyond the last labelled one is not background. So labels count
only between two planes along the outer faces of the first and last labelled structures.

A network that is corrected at one structure drifts at the others. What earlier weights saw of those may stand beside
the labels, so that it keeps them; it may also stand alone, for images that nobody has labelled.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.utils.data import IterableDataset, get_worker_info

from spinemri.anatomy import StructureKind
from spinemri.errors import InputError
from spinemri.labels.ends import outer_end
from spinemri.read import read_volume
from spinemri.segment.preprocess import stack, working_map, working_slices
from spinemri.synthesis.tissue import BODY, DISC
from spinemri.training.augment import SliceAugment
from spinemri.training.loss import UNKNOWN
from spinemri.training.synthetic import NEIGHBOURS, sizes
from spinemri.training.teacher import DrawnBodies, seen_classes

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from spinemri.image import Image
    from spinemri.segment.model import Model
    from spinemri.segment.predictor import Predictor

_SHARE = {"vb2": 0.4, "vb3": 0.36, "ivd": 0.16}  # of the samples; the sets differ in size and in what they teach
_OTHER_SHARE = 0.15
_PIXELS, _SLICES = 130_000, (4, 8)  # of a sample: where a body ends sideways is seen in the slices beside it
_TRAIN, _TUNE = "train", "tune"
_UNLABELLED = "unlabelled"
_COLUMN = torch.tensor([BODY, DISC], dtype=torch.int8)
_FORWARD = np.array([1.0, 0.0])  # of (row, column)

LABELLED = 100
"""Mark of a voxel of the labelled structure."""


@dataclass(frozen=True)
class LabelledCase:
    """A labelled image, whose it is, and which structure it labels.

    ``use`` says what the anatomy's training does with it, ``background`` what that of lesions does: 'train' or 'tune'.
    """

    set: str
    case: str
    person: str
    structure: str
    use: str = _TRAIN
    background: str = _TRAIN

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
    extent : (rows, columns) bool, where labels count
    target : class of the structure; 0 when nothing is labelled
    stride : slices between neighbours of the network
    marks : (slices, rows, columns) int8: LABELLED, else the class that earlier weights saw, or UNKNOWN
    """

    case: LabelledCase
    slices: torch.Tensor
    extent: torch.Tensor
    target: int
    stride: int
    marks: torch.Tensor

    @property
    def shadow(self) -> torch.Tensor:
        """Pixels (rows, columns) in which some slice shows the labelled structure, or the column if none is."""
        labelled = (self.marks == LABELLED).any(0)
        return labelled if labelled.any() else torch.isin(self.marks, _COLUMN).any(0)


def training_cases() -> tuple[LabelledCase, ...]:
    """The labelled images that may be trained on."""
    return tuple(case for case in _listed() if case.use == _TRAIN)


def background_cases() -> tuple[LabelledCase, ...]:
    """The images in which marrow changes may be implanted to train on; those who decide about lesions are not here."""
    return tuple(case for case in training_cases() if case.background == _TRAIN)


def tuning_cases() -> tuple[LabelledCase, ...]:
    """Labelled images kept out of training, to decide between ways of training; they prove nothing."""
    return tuple(case for case in _listed() if case.use == _TUNE)


def _listed() -> list[LabelledCase]:
    table = resources.files("spinemri.training").joinpath("people.csv").read_text(encoding="utf-8")
    return [LabelledCase(**row) for row in csv.DictReader(table.splitlines())]


def load_case(case: LabelledCase, root: Path, model: Model, earlier: Predictor | None = None) -> LabelledVolume:
    """A labelled image on the model's working grid.

    Parameters
    ----------
    case, root : which image, under which folder of labelled sets
    model : whose grid and classes
    earlier : what it sees of the other structures is to be kept; None to leave them open

    Raises
    ------
    InputError
        If a file is missing or the two grids differ.
    SpineMRIError
        If a file cannot be read.
    """
    image, labels = read_pair(case, root)
    mapping = working_map(image, model)
    across, front, up = mapping.to_work
    values = np.asarray(labels.voxels).transpose(mapping.axes)
    marked = torch.from_numpy((values > 0).astype(np.float32))
    labelled = torch.einsum("sk,kyz,ay,bz->sab", across, marked, front, up) > 0.5
    ends = {int(v): (values == v).any(0).astype(np.float32) for v in np.unique(values[values > 0])}
    flat = {v: (front @ torch.from_numpy(plane) @ up.T).numpy() > 0.5 for v, plane in ends.items()}
    target = next(value for value, name in model.classes.items() if name == case.structure)
    extent = torch.from_numpy(labelled_extent(flat))
    marks = torch.full(labelled.shape, UNKNOWN, dtype=torch.int8)
    if earlier is not None:
        marks = seen_classes(image, mapping, earlier, drawn_bodies(case, labels))
        marks[(marks == target) & extent] = UNKNOWN  # readers say it is not
    marks[labelled] = LABELLED
    return LabelledVolume(case, working_slices(image, mapping), extent, target, mapping.stride, marks)


def drawn_bodies(case: LabelledCase, labels: Image) -> DrawnBodies | None:
    """Labelled bodies of a case, which every set numbers from head to foot, down to L5. None for other labels."""
    if case.structure != StructureKind.VERTEBRAL_BODY.value:
        return None
    values = np.asarray(labels.voxels)
    lowest = np.argwhere(values == values.max())
    return DrawnBodies(values > 0, labels.geometry.to_patient(lowest).mean(axis=0))


def load_unlabelled(path: Path, model: Model, earlier: Predictor) -> LabelledVolume:
    """An image without labels on the model's working grid, for what a predictor is sure to see in it.

    Raises
    ------
    InputError
        If the predictor sees no spine in it.
    SpineMRIError
        If the file cannot be read.
    """
    image = read_volume(path)
    mapping = working_map(image, model)
    marks = seen_classes(image, mapping, earlier)
    if not torch.isin(marks, _COLUMN).any():
        raise InputError(
            f"{path.name}: {earlier.model.label} sees no vertebra or disc in it: expected an image of a spine"
        )
    nowhere = torch.zeros(mapping.shape[1:], dtype=torch.bool)
    case = LabelledCase(_UNLABELLED, path.name, "", "")
    return LabelledVolume(case, working_slices(image, mapping), nowhere, 0, mapping.stride, marks)


def labelled_extent(structures: dict[int, NDArray[np.bool_]]) -> NDArray[np.bool_]:
    """Where labels count: between planes along the faces at both ends, (rows, columns) bool.

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
        normal, place = outer_end(points[end], axis, _FORWARD)
        inside &= grid @ normal <= place
    return inside


class RealSlices(IterableDataset[tuple[torch.Tensor, ...]]):
    """Endless augmented samples of labelled volumes.

    Each is (image (slices, neighbours, rows, columns), labelled (slices, rows, columns), extent (slices, rows,
    columns), all float32, the class of the labelled structure (slices,), and int64 classes that earlier weights saw
    (slices, rows, columns), UNKNOWN where the labels decide or nobody knows).

    Raises
    ------
    InputError
        If there is no volume.
    """

    def __init__(self, volumes: Sequence[LabelledVolume], seed: int) -> None:
        if not volumes:
            raise InputError("no labelled volumes to train on")
        self.sets: dict[str, list[LabelledVolume]] = {}
        for volume in volumes:
            self.sets.setdefault(volume.case.set, []).append(volume)
        self.seed = seed

    def __iter__(self) -> Iterator[tuple[torch.Tensor, ...]]:
        """Samples for ever; each loader worker draws its own."""
        torch.set_num_threads(1)
        worker = get_worker_info()
        rng = np.random.default_rng([self.seed, worker.id if worker else 0])
        augment = SliceAugment(int(rng.integers(2**31)))
        names = list(self.sets)
        shares = np.array([_SHARE.get(name, _OTHER_SHARE) for name in names])
        for count, *size in sizes(self.seed, _PIXELS, _SLICES):
            sample = None
            while sample is None:  # a view may miss the image
                chosen = self.sets[names[rng.choice(len(names), p=shares / shares.sum())]]
                volume = chosen[rng.integers(len(chosen))]
                sample = augment(*_cut(volume, rng, count), (size[0], size[1]))
            view, shown, extent = sample
            marks = shown.long() - 1
            labelled, target = (marks == LABELLED).float(), torch.full((len(marks),), volume.target)
            seen = torch.where(marks == LABELLED, UNKNOWN, marks)
            yield stack(view, NEIGHBOURS), labelled, extent.expand_as(labelled).contiguous(), target, seen


def _cut(
    volume: LabelledVolume, rng: np.random.Generator, labelled_count: int
) -> tuple[torch.Tensor, torch.Tensor, tuple[float, float]]:
    """Slices in a row with their neighbours, marks and extent of these slices, and where to look, (row, column)."""
    count = len(volume.slices)
    stride = volume.stride if rng.random() < 0.7 else 1
    span = (labelled_count - 1) * stride
    first = int(rng.integers(-stride, max(1, count - span + stride)))
    wanted = first + stride * np.arange(-(NEIGHBOURS // 2), labelled_count + NEIGHBOURS // 2)
    absent = torch.zeros_like(volume.slices[0])
    image = torch.stack([volume.slices[k] if 0 <= k < count else absent for k in wanted])
    middle, nobody = wanted[NEIGHBOURS // 2 : -(NEIGHBOURS // 2)], torch.full_like(volume.marks[0], UNKNOWN)
    marks = [volume.marks[k] if 0 <= k < count else nobody for k in middle]
    truth = torch.stack([*(m.float() + 1 for m in marks), volume.extent.float()])  # 0, beyond the image, is UNKNOWN
    rows, columns = (volume.shadow.any(axis).nonzero().flatten() for axis in (1, 0))
    place = float(rows.float().mean()) + rng.uniform(-35, 35), rng.uniform(float(columns[0]), float(columns[-1]))
    return image, truth, place


def read_pair(case: LabelledCase, root: Path) -> tuple[Image, Image]:
    """Image and labels of a case as they lie on disk. Raises InputError if one is missing or the two grids differ."""
    files = case.files(root)
    for path in files:
        if not path.is_file():
            raise InputError(f"{path.relative_to(root)} is missing from the labelled sets")
    image, labels = (read_volume(path) for path in files)
    if not image.geometry.same_grid(labels.geometry):
        raise InputError(f"{files[1].relative_to(root)}: its grid is not that of its image")
    return image, labels
