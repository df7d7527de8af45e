from __future__ import annotations

import gzip
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
import SimpleITK
from hypothesis import given, settings
from hypothesis import strategies as st

from spinemri.convert import from_sitk, order_of, reordered, slices_first, to_sitk, write_nifti
from spinemri.errors import GeometryError, OutputError
from spinemri.geometry import Geometry
from tests.strategies import geometries


def small(grid: Geometry) -> Geometry:
    return Geometry((grid.shape[0], 9, 7), grid.spacing, grid.origin, grid.direction, grid.frame_of_reference_uid)


def voxels_of(grid: Geometry) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 4096, grid.shape, dtype=np.uint16)


@given(geometries(), st.tuples(*[st.integers(0, 6)] * 3))
def test_sitk_places_every_voxel_where_the_geometry_does(grid: Geometry, index: tuple[int, int, int]):
    grid = small(grid)
    index = (min(index[0], grid.shape[0] - 1), index[1], index[2])
    voxels = voxels_of(grid)
    image = to_sitk(voxels, grid)
    assert image[index[::-1]] == voxels[index]
    assert np.allclose(image.TransformIndexToPhysicalPoint(index[::-1]), grid.to_patient(index), atol=1e-6)


@given(geometries())
def test_sitk_and_back_is_the_same(grid: Geometry):
    grid = small(grid)
    voxels = voxels_of(grid)
    found, geometry = from_sitk(to_sitk(voxels, grid), grid.frame_of_reference_uid)
    assert np.array_equal(found, voxels)
    assert geometry.same_grid(grid, atol_mm=1e-6)


@settings(max_examples=20)
@given(geometries())
def test_nifti_affine_is_the_grid_in_ras(grid: Geometry):
    nibabel = pytest.importorskip("nibabel", reason="an independent reader of NIfTI")
    grid = small(grid)
    voxels = voxels_of(grid)
    with TemporaryDirectory() as folder:
        write_nifti(voxels, grid, Path(folder) / "a.nii.gz")
        stored = nibabel.load(Path(folder) / "a.nii.gz")
        content = np.asarray(stored.dataobj)
    assert np.array_equal(content, voxels.transpose(2, 1, 0))
    lps = np.diag([-1, -1, 1, 1]) @ stored.affine
    for index in ((0, 0, 0), (2, 8, 6), (1, 3, 5)):
        assert np.allclose((lps @ [*index[::-1], 1])[:3], grid.to_patient(index), atol=1e-2)


@given(geometries(), st.permutations(range(3)))
def test_reordering_moves_no_voxel(grid: Geometry, order: list[int]):
    grid = small(grid)
    a, b, c = order
    voxels = voxels_of(grid)
    found, geometry = reordered(voxels, grid, (a, b, c))
    index = np.array([1, 4, 6])
    assert np.allclose(geometry.to_patient(index[order]), grid.to_patient(index))
    assert found[tuple(index[order])] == voxels[tuple(index)]
    back, geometry = reordered(found, geometry, order_of(geometry, grid))
    assert np.array_equal(back, voxels)
    assert geometry.same_grid(grid)


def test_slices_first_takes_the_coarsest_axis_and_else_left_right():
    axes = np.array([[0, 0.1, 0.995], [0, 0.995, -0.1], [1, 0, 0]])  # array axes: up, back, left
    thick = Geometry((20, 30, 5), (0.7, 0.8, 4.0), (1, 2, 3), tuple(axes.ravel().tolist()))
    assert slices_first(thick) == (2, 0, 1)
    axial = Geometry((5, 30, 20), (4.0, 0.8, 0.7), (1, 2, 3), tuple(axes.ravel().tolist()))
    assert slices_first(axial) == (0, 1, 2)
    isotropic = Geometry((20, 30, 25), (1.0, 1.0, 1.1), (1, 2, 3), tuple(axes.ravel().tolist()))
    assert slices_first(isotropic) == (2, 0, 1)


def test_writing_in_the_order_of_the_source_file(tmp_path: Path):
    axes = np.array([[0, 0.1, 0.995], [0, 0.995, -0.1], [1, 0, 0]])
    source = Geometry((20, 30, 5), (0.7, 0.8, 4.0), (1, 2, 3), tuple(axes.ravel().tolist()))
    voxels = voxels_of(source)
    write_nifti(*reordered(voxels, source, slices_first(source)), tmp_path / "a.nii.gz", like=source)
    assert np.array_equal(SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(tmp_path / "a.nii.gz"))), voxels)


def test_masks_are_written_as_bytes_and_compressed(tmp_path: Path):
    grid = Geometry((4, 6, 5), (4.0, 0.8, 0.7), (1, 2, 3), (0, 0, 1, 0, 1, 0, 1, 0, 0))
    write_nifti(voxels_of(grid) > 2000, grid, tmp_path / "a.nii.gz")
    assert SimpleITK.ReadImage(str(tmp_path / "a.nii.gz")).GetPixelID() == SimpleITK.sitkUInt8
    assert len(gzip.decompress((tmp_path / "a.nii.gz").read_bytes())) == 352 + 4 * 6 * 5


def test_what_cannot_be_converted_is_refused(tmp_path: Path):
    grid = Geometry((4, 6, 5), (4.0, 0.8, 0.7), (1, 2, 3), (0, 0, 1, 0, 1, 0, 1, 0, 0))
    with pytest.raises(GeometryError, match="grid"):
        to_sitk(np.zeros((4, 5, 6)), grid)
    with pytest.raises(GeometryError, match="4 dimensions"):
        from_sitk(SimpleITK.Image([3, 4, 5, 2], SimpleITK.sitkUInt8))
    with pytest.raises(GeometryError, match="share their axes"):
        order_of(grid, Geometry((4, 6, 5), (4.0, 0.8, 0.7), (1, 2, 3), (0, 0, -1, 0, 1, 0, 1, 0, 0)))
    with pytest.raises(OutputError, match=r"^a.nii.gz cannot be written$"):
        write_nifti(np.zeros(grid.shape), grid, tmp_path / "absent" / "a.nii.gz")
