"""The level reader looks where it is told, whatever the grid, and its word covers every level."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import torch

from spinemri.anatomy import Level
from spinemri.errors import ModelError
from spinemri.geometry import Geometry
from spinemri.image import Image
from spinemri.segment.bundle import BundleKind, bundle_kind, bundle_path
from spinemri.segment.ladder import LADDER, RUNG
from spinemri.segment.level_model import READ_LEVELS, load_level_model
from spinemri.segment.level_reader import LevelReader
from spinemri.segment.level_view import OFFSETS_MM, slices_around, view_around
from spinemri.segment.model import load_model
from spinemri.segment.preprocess import working_map, working_slices
from spinemri.series import Contrast, Plane, Series

GRID_OF = load_model()
AT = np.array([-3.0, 11.0, -20.0])  # LPS mm


def image_with_a_blob(*, flip: bool) -> Image:
    """A sagittal image, 4 mm slices, with a bright ball of 20 mm around AT; rows either way round."""
    down = -1.0 if flip else 1.0
    top, bottom = 110.0, 110.0 - 259 * 0.9
    grid = Geometry(
        (13, 260, 220), (4.0, 0.9, 0.9), (-24.0, -80.0, bottom if flip else top), (1.0, 0, 0, 0, 0, 1.0, 0, -down, 0)
    )
    points = grid.to_patient(np.argwhere(np.ones(grid.shape)))
    near = np.linalg.norm(points - AT, axis=1) < 20
    around = 100 + 40 * np.sin(points[:, 1] / 9) + 30 * np.sin(points[:, 2] / 13) + 20 * np.sin(points[:, 0] / 11)
    voxels = np.where(near, 400, around).astype(np.float32).reshape(grid.shape)
    return Image(voxels, grid, Series(series_uid="1.2", contrast=Contrast.T2W, plane=Plane.SAGITTAL))


@pytest.fixture(scope="module")
def reader() -> LevelReader:
    return LevelReader(load_level_model(), "cpu")


def looking(reader, image):
    mapping = working_map(image, GRID_OF)
    return reader.looks(image.geometry, mapping, working_slices(image, mapping))


def test_the_window_has_the_vertebra_in_its_middle():
    slices = torch.full((9, 150, 160), 10.0)
    slices[:, 36:88, 66:118] = 500.0
    view = view_around(slices, np.array([4.0, 61.5, 91.5]), 8.0)
    assert tuple(view.shape) == (5, 96, 112)
    assert torch.nonzero(view[2] > view.max() / 2).float().mean(0).tolist() == pytest.approx([47.5, 55.5], abs=1)


def test_the_window_is_empty_beyond_the_image_and_beyond_the_stack():
    slices = torch.rand(3, 60, 70) + 1
    view = view_around(slices, np.array([0.0, 30.0, 35.0]), 4.0)
    assert (view[:2] == 0).all()  # 16 and 8 mm to the right of the first slice
    assert (view[2, :30] == 0).all()
    assert (view[2, 40:50, 45:60] != 0).all()


def test_slices_are_taken_by_millimetres():
    slices = torch.arange(21.0)[:, None, None].expand(21, 4, 4)
    for slice_mm, wanted in ((4.0, [6, 8, 10, 12, 14]), (3.3, [5, 8, 10, 12, 15])):
        assert slices_around(slices, 10.0, slice_mm)[:, 0, 0].tolist() == wanted
    assert len(OFFSETS_MM) == 5


def test_the_same_place_gives_the_same_word_however_the_array_lies(reader):
    found = [looking(reader, image_with_a_blob(flip=flip))(AT[None]) for flip in (False, True)]
    assert np.allclose(*found, atol=0.02)


def test_probabilities_sum_to_one_and_every_rung_has_evidence(reader):
    points = AT + np.array([[0, 0, 0], [0, 0, 35], [0, 0, -35]])
    image = image_with_a_blob(flip=False)
    mapping = working_map(image, GRID_OF)
    places = mapping.places(image.geometry.to_index(points))
    found = reader.probabilities(places, working_slices(image, mapping), mapping.slice_mm)
    assert found.shape == (3, len(READ_LEVELS))
    assert np.allclose(found.sum(axis=1), 1)
    rows = looking(reader, image)(points)
    assert rows.shape == (3, len(LADDER))
    assert np.isfinite(rows).all()
    of = {name: found[:, READ_LEVELS.index(Level(name))] for name in ("T12", "L1", "L5")}
    weight = reader.model.weight
    assert np.allclose(rows[:, RUNG[Level("T13")]], weight * np.log((of["T12"] + of["L1"]) / 2))
    assert np.allclose(rows[:, RUNG[Level("L6")]], rows[:, RUNG[Level("L5")]])


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("spine_anatomy", BundleKind.ANATOMY),
        ("axial_anatomy", BundleKind.ANATOMY),
        ("marrow_lesion", BundleKind.LESIONS),
        ("vertebra_level", BundleKind.LEVELS),
    ],
)
def test_a_bundle_says_what_it_tells(name, kind):
    assert bundle_kind(name) is kind


def test_a_bundle_with_other_levels_is_refused(tmp_path):
    bundle = shutil.copytree(bundle_path("vertebra_level"), tmp_path / "mine")
    path = bundle / "configs/metadata.json"
    content = json.loads(path.read_text())
    channels = content["network_data_format"]["outputs"]["pred"]["channel_def"]
    channels["0"], channels["1"] = channels["1"], channels["0"]
    path.write_text(json.dumps(content))
    with pytest.raises(ModelError, match="channels C3, C2"):
        load_level_model(bundle)
