"""The loaded network: the only thing in spinemri that keeps state between calls.

Slices are segmented as a stack, each with its neighbours, so thick, spaced slices need no resampling across
slices. A look at a few slices tells where the spine is; only a band around it is read, so that what else a field of
view shows neither costs time nor changes how intensities are normalised. Probabilities are brought back to the image's
own grid before the class is chosen, so that borders lie between pixels where the probabilities say so. The training
loss weights rare classes up; dividing the probabilities by those weights undoes that.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd
from typing import TYPE_CHECKING, cast

import numpy as np
import torch
from monai.inferers.inferer import SlidingWindowInferer

from spinemri.errors import ModelError
from spinemri.segment.device import device_named, half_precision, read_together
from spinemri.segment.network import StackUNet
from spinemri.segment.preprocess import neighbours, normalise, working_map, working_slices
from spinemri.segment.second_look import above_sacrum, with_cord
from spinemri.segment.weights import as_numbers, network_on
from spinemri.segment.windows import OVERLAP, rows_around, square_around, window_size
from spinemri.series import Plane

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from spinemri.image import Image
    from spinemri.segment.level_evidence import Looks
    from spinemri.segment.level_reader import LevelReader
    from spinemri.segment.model import Model
    from spinemri.segment.outliner import BodyOutliner, Outline
    from spinemri.segment.preprocess import WorkingMap

_TWICE = ", both sides"  # what is said of a mask for which left and right were exchanged too
_MAX_GROWTH = (1.5, 2.4)  # of a window over what was trained; more of the same column along it changes little
_COLUMN, _CANAL = ("vertebral_body", "disc"), ("thecal_sac", "cord")
_LOOK_AT, _LOOKS = (0.2, 0.8), 5  # where in a stack, and in how many slices, the spine is looked for
_SLICES_PER_PASS = 24  # a stack is read whole; more slices, as of a 3D volume, in overlapping blocks


@dataclass(frozen=True, eq=False)
class ClassMap:
    """What the network sees in one image, on the image's own grid.

    Parameters
    ----------
    classes : (k, j, i) uint8, channel of the most probable class; 0 is background
    probabilities : (class, k, j, i) float16, sums to 1; all 0 in missing slices
    made_by : model name and version
    looks : points (n, 3), LPS mm -> what surrounds them in the image says of their levels, see ``level_evidence``; None
        when no level model was loaded
    outline : draws the bodies of a named segmentation once more, see ``outliner``; None when no outliner was loaded
    """

    classes: NDArray[np.uint8]
    probabilities: NDArray[np.float16]
    made_by: str
    looks: Looks | None = None
    outline: Outline | None = None


@dataclass(frozen=True, eq=False)
class Aids:
    """What goes with an anatomy network.

    Parameters
    ----------
    levels : evidence for the levels of vertebrae, handed on with what is found
    outlines : draws vertebral bodies once more, handed on likewise
    """

    levels: LevelReader | None = None
    outlines: BodyOutliner | None = None


_NO_AIDS = Aids()


class Predictor:
    """A model loaded onto a device, ready to segment images; equal input gives equal output.

    Parameters
    ----------
    model : from ``load_model``
    device : 'cpu', 'cuda', 'cuda:1' …; 'auto' takes a GPU when there is one
    threads : CPU threads for the whole process, None leaves PyTorch's setting
    quality : read every stack a second time, left and right exchanged, and average: twice the time
    aids : what is handed on with what is found

    Attributes
    ----------
    together : windows of one size that are read at once, of whichever series; what suits the device unless it is set

    Raises
    ------
    ModelError
        If the weights cannot be read, do not fit the network, or the device is not available.
    """

    def __init__(
        self,
        model: Model,
        device: str = "auto",
        threads: int | None = None,
        *,
        quality: bool = False,
        aids: Aids = _NO_AIDS,
    ) -> None:
        if threads is not None:
            torch.set_num_threads(threads)
        self.model, self.quality = model, quality
        self.levels, self.outlines = aids.levels, aids.outlines
        self.device = device_named(device)
        self.together = read_together(self.device)
        self.network = network_on(model, self.device)
        self._step = gcd(*model.window)
        odds = torch.tensor(model.class_odds) / torch.tensor(model.class_weights)
        self._odds = odds.to(self.device).view(-1, 1, 1)

    def predict(self, image: Image) -> ClassMap:
        """Most probable class and all class probabilities of every voxel of an image of the model's plane, or a 3D one.

        Raises
        ------
        ModelError
            If the image has no slices of that plane, or the model does not accept its contrast.
        """
        self._accept(image)
        return self.classify(image)

    def predict_all(self, images: Sequence[Image]) -> Iterator[ClassMap]:
        """The same of several images, in order; on a device that gains by it, stacks of one size are read together.

        Raises
        ------
        ModelError
            As ``predict``, for the first image that it cannot read.
        """
        if self.together == 1:
            yield from map(self.predict, images)
            return
        for image in images:
            self._accept(image)
        mappings = [working_map(image, self.model) for image in images]
        slices = [working_slices(image, mapping) for image, mapping in zip(images, mappings, strict=True)]
        found = self.read_all(slices, [mapping.stride for mapping in mappings])
        for image, mapping, values, work in zip(images, mappings, slices, found, strict=True):
            yield self._class_map(image, mapping, values, work)

    def classify(self, image: Image) -> ClassMap:
        """The same whatever the image's contrast. Raises ModelError if the image has no slices of the model's plane."""
        mapping = working_map(image, self.model)
        slices = working_slices(image, mapping)
        return self._class_map(image, mapping, slices, self.class_probabilities(slices, mapping.stride))

    def class_probabilities(self, slices: torch.Tensor, stride: int) -> torch.Tensor:
        """Probabilities (slices, class, rows, columns), float16 on the CPU, of working slices (slices, rows, columns).

        The spine is looked for in a few slices first; what lies farther from it is background.

        Parameters
        ----------
        slices : intensities from 0, see ``preprocess.working_slices``
        stride : slices from one to its neighbour; slices in between make stacks of their own
        """
        return self.read_all([slices], [stride])[0]

    def _accept(self, image: Image) -> None:
        if image.series.contrast not in self.model.contrasts:
            accepted = ", ".join(sorted(c.value for c in self.model.contrasts))
            raise ModelError(
                f"series {image.series.label}: {self.model.label} does not read {image.series.contrast.value} images,"
                f" only {accepted}"
            )

    def _class_map(self, image: Image, mapping: WorkingMap, slices: torch.Tensor, work: torch.Tensor) -> ClassMap:
        classes, probabilities = _on_image_grid(work, mapping, image)
        made_by = self.model.label + (_TWICE if self.quality else "")
        looks = self.levels.looks(image.geometry, mapping, slices) if self.levels is not None else None
        outline = self.outlines.outline(mapping, slices, work, self.model.classes) if self.outlines else None
        return ClassMap(classes, probabilities, made_by, looks, outline)

    def read_all(self, images: Sequence[torch.Tensor], strides: Sequence[int]) -> list[torch.Tensor]:
        """``class_probabilities`` of several images, given the slices and the stride of each."""
        parts = self._parts(images, strides)
        seen = self._read([slices[:, *part] for slices, part in zip(images, parts, strict=True)], strides)
        found = []
        for slices, part, inside in zip(images, parts, seen, strict=True):
            whole = torch.zeros(len(slices), len(self.model.classes), *slices.shape[1:], dtype=torch.float16)
            whole[:, 0] = 1
            whole[:, :, *part] = inside
            found.append(whole)
        self._look_above(images, strides, found, [rows for rows, _ in parts])
        return found

    def _look_above(
        self,
        images: Sequence[torch.Tensor],
        strides: Sequence[int],
        found: Sequence[torch.Tensor],
        rows: Sequence[slice],
    ) -> None:
        """Put the cord above a sacrum into what was found, which a second look sees."""
        classes = self.model.classes
        again = {n: above_sacrum(seen, classes, rows[n], strides[n]) for n, seen in enumerate(found)}
        parts = {n: part for n, part in again.items() if part}
        seen = self._read([images[n][part] for n, part in parts.items()], [strides[n] for n in parts])
        for (n, part), cord in zip(parts.items(), seen, strict=True):
            with_cord(found[n], cord, part, classes)

    def _read(self, images: Sequence[torch.Tensor], strides: Sequence[int]) -> list[torch.Tensor]:
        """Probabilities (slices, class, rows, columns) of images that are read from edge to edge."""
        stacks = [
            neighbours(inside[first::stride], self.model.slices, 1)
            for slices, stride in zip(images, strides, strict=True)
            for inside in [normalise(slices)]
            for first in range(stride)
        ]
        seen = iter(self._both_ways(stacks))
        found = []
        for slices, stride in zip(images, strides, strict=True):
            whole = torch.empty(len(slices), len(self.model.classes), *slices.shape[1:], dtype=torch.float16)
            for first in range(stride):
                whole[first::stride] = next(seen)
            found.append(whole)
        return found

    def _both_ways(self, stacks: list[torch.Tensor]) -> list[torch.Tensor]:
        """Probabilities of stacks; with ``quality`` the mean of what is seen with left and right exchanged."""
        seen = self._probabilities(stacks, _SLICES_PER_PASS)
        if not self.quality:
            return seen
        mirrored = self._probabilities([stack.flip(0, 1) for stack in stacks], _SLICES_PER_PASS)
        return [((one.float() + two.flip(0).float()) / 2).half() for one, two in zip(seen, mirrored, strict=True)]

    def _parts(self, images: Sequence[torch.Tensor], strides: Sequence[int]) -> list[tuple[slice, slice]]:
        """Rows and columns around the spine that are read; all of them when no spine is found in a few slices."""
        axial = self.model.plane is Plane.AXIAL
        sought = [n for n, name in self.model.classes.items() if name in (_CANAL if axial else _COLUMN)]
        parts = [(slice(0, slices.shape[1]), slice(0, slices.shape[2])) for slices in images]
        large = [n for n, slices in enumerate(images) if sought and not self._is_small(slices, axial=axial)]
        looks = []
        for n in large:
            few = torch.unique((torch.linspace(*_LOOK_AT, _LOOKS) * (len(images[n]) - 1)).round().long())
            looks.append(neighbours(normalise(images[n]), self.model.slices, strides[n], few))
        for n, probabilities in zip(large, self._probabilities(looks, 1), strict=True):
            seen = torch.isin(probabilities.argmax(1), torch.tensor(sought)).sum(0).numpy()
            if axial:
                parts[n] = square_around(seen, self.model.window, self.model.spacing_mm) or parts[n]
            else:
                parts[n] = rows_around(seen.sum(axis=1), self.model.window[0], self._step) or parts[n][0], parts[n][1]
        return parts

    def _is_small(self, slices: torch.Tensor, *, axial: bool) -> bool:
        """Whether one window shows all rows (and columns, of axial slices), so that there is nothing to look for."""
        sides = slices.shape[1 : 3 if axial else 2]
        return all(n <= trained for n, trained in zip(sides, self.model.window, strict=False))

    def _probabilities(self, stacks: Sequence[torch.Tensor], slices: int) -> list[torch.Tensor]:
        """Probabilities (slices, class, rows, columns) of stacks (slices, neighbours, rows, columns), so many slices at
        a time; stacks of one size share what is read at once.
        """
        found: dict[int, torch.Tensor] = {}
        for numbers in _of_one_size(stacks):
            for first in range(0, len(numbers), self.together):
                some = numbers[first : first + self.together]
                found.update(zip(some, self._joined(torch.stack([stacks[n] for n in some]), slices), strict=True))
        return [found[n] for n in range(len(stacks))]

    def _joined(self, stacks: torch.Tensor, slices: int) -> torch.Tensor:
        """Probabilities (stacks, slices, class, rows, columns) of stacks of one size."""
        sizes = zip(stacks.shape[3:], self.model.window, _MAX_GROWTH, strict=True)
        window = [window_size(size, trained, self._step, growth) for size, trained, growth in sizes]
        inferer = SlidingWindowInferer([min(stacks.shape[1], slices), *window], self.together, OVERLAP, mode="gaussian")
        half, able = half_precision(self.device)
        with torch.inference_mode(), torch.autocast(self.device.type, half, enabled=able):
            channels = stacks.movedim(2, 1).to(self.device)
            read = cast("torch.Tensor", inferer(channels, self._stack_logits))
            logits = as_numbers(read, self.model).movedim(1, 2)
        probabilities = logits.softmax(2)
        probabilities *= self._odds
        probabilities /= probabilities.sum(2, keepdim=True)
        return probabilities.half().cpu()

    def _stack_logits(self, windows: torch.Tensor) -> torch.Tensor:
        """Windows (windows, neighbours, slices, rows, columns) through the network, each as a stack in order."""
        stacks = windows.movedim(1, 2)
        if isinstance(self.network, StackUNet):
            return cast("torch.Tensor", self.network(stacks)).float().movedim(1, 2)
        found = cast("torch.Tensor", self.network(stacks.flatten(0, 1))).float()  # slices are read one by one
        return found.view(len(windows), -1, *found.shape[1:]).movedim(1, 2)


def _of_one_size(stacks: Sequence[torch.Tensor]) -> Iterable[list[int]]:
    """Numbers of the stacks of each size."""
    numbers: dict[torch.Size, list[int]] = {}
    for n, stack in enumerate(stacks):
        numbers.setdefault(stack.shape, []).append(n)
    return numbers.values()


def _on_image_grid(
    work: torch.Tensor, mapping: WorkingMap, image: Image
) -> tuple[NDArray[np.uint8], NDArray[np.float16]]:
    """Classes (k, j, i) and probabilities (class, k, j, i) on the image's grid, one working slice at a time."""
    across, down, along = mapping.to_image
    classes = np.zeros(image.voxels.shape, dtype=np.uint8)
    probabilities = np.zeros((work.shape[1], *image.voxels.shape), dtype=np.float16)
    classes_out = classes.transpose(mapping.axes)
    probabilities_out = probabilities.transpose(0, *(a + 1 for a in mapping.axes))
    for k, weights in enumerate(across):
        near = weights.nonzero().flatten()
        mixed = torch.einsum("s,scab->cab", weights[near], work[near].float())
        found = down @ mixed @ along.T
        classes_out[k] = found.max(0).indices.byte().numpy()  # argmax takes five times as long across the first axis
        probabilities_out[:, k] = found.half().numpy()
    missing = list(image.missing_slices)
    classes[missing], probabilities[:, missing] = 0, 0
    return classes, probabilities
