"""The way to the network's grid and back, exact in millimetres whatever the order and sense of the array's axes."""

from __future__ import annotations

from dataclasses import replace
from math import ceil

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from spinemri.errors import ModelError
from spinemri.geometry import Geometry
from spinemri.image import Image
from spinemri.segment.model import load_model
from spinemri.segment.preprocess import neighbours, normalise, working_map, working_slices
from spinemri.series import Contrast, Series
from tests.strategies import geometries

MODEL = load_model()
SERIES = Series(series_uid="1.2.3", number=4, contrast=Contrast.T2W)
TILT = np.deg2rad(12.0)
# slices towards the right, rows towards inferior, columns towards posterior, tilted about the left-right axis
SAGITTAL = np.array([[-1.0, 0, 0], [0, -np.sin(TILT), np.cos(TILT)], [0, -np.cos(TILT), -np.sin(TILT)]])


def image(voxels: np.ndarray, spacing=(4.4, 0.7, 0.8), axes=SAGITTAL, **more) -> Image:
    grid = Geometry(voxels.shape, spacing, (31.0, -45.0, 210.0), tuple(axes.ravel()))
    return Image(voxels, grid, SERIES, **more)


def textured(seed: int = 3) -> np.ndarray:
    return np.random.default_rng(seed).gamma(2.0, 40.0, (7, 90, 71)).astype(np.float32)


def reordered(source: Image, order: tuple[int, ...], reverse: tuple[bool, ...]) -> Image:
    """The same image in the patient, its array transposed and with some axes running the other way."""
    turned = np.flip(source.voxels.transpose(order), [a for a in range(3) if reverse[a]])
    first = np.zeros(3)
    for a in range(3):
        first[order[a]] = source.voxels.shape[order[a]] - 1 if reverse[a] else 0
    axes = source.geometry.axes[:, order] * np.where(reverse, -1, 1)
    grid = Geometry(
        turned.shape,
        tuple(source.geometry.spacing[a] for a in order),
        tuple(source.geometry.to_patient(first)),
        tuple(axes.ravel()),
    )
    return Image(turned, grid, source.series)


def working(source: Image) -> torch.Tensor:
    return normalise(working_slices(source, working_map(source, MODEL)))


@settings(max_examples=15)
@given(order=st.permutations((0, 1, 2)).map(tuple), reverse=st.tuples(*[st.booleans()] * 3))
def test_array_order_and_sense_do_not_matter(order, reverse):
    source = image(textured())
    turned = reordered(source, order, reverse)
    expected = working(source)
    found = working(turned)
    assert torch.allclose(found, expected, atol=1e-4)


@settings(max_examples=25)
@given(grid=geometries(max_tilt_deg=25.0))
def test_a_ramp_in_millimetres_survives_the_way_there_and_back(grid):
    """No shift anywhere inside: what lies at a millimetre lies there on the working grid, and again on the image's."""
    source = Image(np.ones(grid.shape, dtype=np.float32), grid, SERIES)
    try:
        mapping = working_map(source, MODEL)
    except ModelError:  # thick slices across the plane that the network needs
        return
    for axis, there, back in zip(mapping.axes, mapping.to_work, mapping.to_image, strict=True):
        position = torch.arange(grid.shape[axis], dtype=torch.float32) * grid.spacing[axis]
        resampled = ((there > 0) & (there < 1)).any()
        edge = ceil(3 / grid.spacing[axis]) if resampled else 0
        inner = slice(edge, len(position) - edge)
        assert torch.allclose((back @ (there @ position))[inner], position[inner], atol=1e-3)


def test_axes_run_left_anterior_superior():
    voxels = np.zeros((7, 90, 71), dtype=np.float32)
    source = image(voxels)
    points = source.geometry.to_patient(np.argwhere(voxels == 0)).reshape(*voxels.shape, 3)
    for world, increases in ((0, True), (1, False), (2, True)):
        ramp = image((points[..., world] - points[..., world].min() + 1).astype(np.float32))
        work = working_slices(ramp, working_map(ramp, MODEL)).numpy()
        steps = np.diff(work, axis=world)
        assert np.median(steps) > 0 if increases else np.median(steps) < 0


def test_one_millimetre_in_plane_and_slices_as_acquired():
    source = image(textured())
    mapping = working_map(source, MODEL)
    assert mapping.shape == (7, round(71 * 0.8), round(90 * 0.7))
    assert mapping.stride == 1


def test_slices_acquired_two_millimetres_apart_are_read_in_order():
    mapping = working_map(image(textured(), spacing=(2.0, 0.95, 1.0)), MODEL)
    assert mapping.shape[0] == 7
    assert mapping.stride == 1


def test_thin_slices_are_paired_and_neighbours_stay_about_4_mm_apart():
    source = image(textured(), spacing=(0.9, 0.95, 1.0))
    mapping = working_map(source, MODEL)
    position = mapping.to_work[0] @ (torch.arange(7.0) * 0.9)
    slice_mm = float((position[2] - position[1]).abs())
    assert slice_mm == pytest.approx(1.8, abs=1e-4)
    assert mapping.stride * slice_mm == pytest.approx(4.0, abs=0.5)


def test_intensity_scale_and_offset_do_not_matter():
    voxels = textured()
    voxels[:, :9] = 0
    expected = working(image(voxels))
    for other in (voxels * 0.01, voxels * 100, voxels * 3 + 500):
        found = working(image(other))
        assert torch.allclose(found, expected, atol=2e-3)


def test_a_missing_slice_is_absent_and_does_not_count():
    voxels = textured()
    gap = voxels.copy()
    gap[4] = 0
    source = image(gap + 100 * (gap > 0), missing_slices=(4,))
    work = working(source)
    assert not work[2].any()  # slices run towards the right in the array, towards the left in the working grid
    inside = work[[0, 1, 3, 4, 5, 6]]
    assert float(inside.mean()) == pytest.approx(0, abs=0.02)
    assert float(inside.std()) == pytest.approx(1, abs=0.02)


def test_normalised_values_are_clipped_and_standard():
    values = normalise(torch.from_numpy(textured()))
    assert float(values.mean()) == pytest.approx(0, abs=1e-3)
    assert float(values.std()) == pytest.approx(1, abs=1e-3)
    assert float((values == values.max()).float().mean()) == pytest.approx(0.005, abs=0.001)


def test_neighbours_are_stride_apart_and_absent_beyond_the_stack():
    slices = torch.arange(1.0, 7.0).view(6, 1, 1).expand(6, 3, 2)
    stacks = neighbours(slices, 5, 2)[:, :, 0, 0]
    assert stacks.tolist()[0] == [0, 0, 1, 3, 5]
    assert stacks.tolist()[3] == [0, 2, 4, 6, 0]


def test_an_axial_series_is_refused_by_name():
    axes = np.array([[0.0, 0, 1.0], [0, 1.0, 0], [1.0, 0, 0]])
    source = image(textured(), spacing=(4.0, 0.7, 0.8), axes=axes)
    with pytest.raises(ModelError, match=r"series 4: orientation SPL with 4\.0 x 0\.7 x 0\.8 mm.*sagittal"):
        working_map(source, MODEL)


def test_the_model_decides_the_working_pixel():
    source = image(textured())
    assert working_map(source, replace(MODEL, spacing_mm=1.4)).shape[1] == round(71 * 0.8 / 1.4)
