"""The loaded network: on the image's own grid, the same every time, the same whatever way the array is turned."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import ndimage

from spinemri.errors import ModelError
from spinemri.geometry import Geometry
from spinemri.image import Image
from spinemri.segment.bundle import WEIGHTS, bundle_path, file_sha256
from spinemri.segment.model import load_model
from spinemri.segment.predictor import Predictor
from spinemri.segment.windows import rows_around, window_size
from spinemri.series import Contrast, Series

SERIES = Series(series_uid="1.2.3", number=7, contrast=Contrast.T2W)
TILT = np.deg2rad(9.0)
AXES = np.array([[1.0, 0, 0], [0, -np.sin(TILT), np.cos(TILT)], [0, -np.cos(TILT), -np.sin(TILT)]])
BODIES = np.array([[7.2 + 34 * n, 52.0] for n in range(5)])  # mm down and back: centres of five bodies


def spine(spacing=(4.2, 0.8, 0.9)) -> Image:
    """A T2-like cartoon: five dark-rimmed bodies of 27 x 34 mm, bright discs, a bright sac with a grey cord behind."""
    shape = (7, round(160 / spacing[1]), round(130 / spacing[2]))
    x, down, back = np.meshgrid(
        (np.arange(shape[0]) - 3) * spacing[0],
        *(np.arange(n) * mm for n, mm in zip(shape[1:], spacing[1:], strict=True)),
        indexing="ij",
    )
    voxels = np.where(np.abs(back - 65) < 60, 60.0, 4.0)
    inside = (np.abs(back - 52) < 17) & (np.abs(x) < 20)
    disc = np.abs((down - 7.2 + 17) % 34 - 17) > 13.5
    voxels[inside] = 110
    voxels[inside & disc] = 170
    rim = inside & (np.abs(np.abs((down - 7.2 + 17) % 34 - 17) - 13.5) < 0.9)
    voxels[rim | ((np.abs(np.abs(back - 52) - 17) < 0.9) & (np.abs(x) < 20))] = 15
    voxels[(np.abs(back - 78) < 7.5) & (np.abs(x) < 9)] = 240
    voxels[(np.abs(back - 78) < 3) & (np.abs(x) < 5) & (down < 60)] = 120
    voxels = ndimage.gaussian_filter(voxels, (0, 0.6, 0.6))
    voxels = voxels + np.random.default_rng(5).normal(0, 5, shape)
    grid = Geometry(shape, spacing, (-12.0, -60.0, 300.0), tuple(AXES.ravel()), "1.2.9")
    return Image(np.clip(voxels, 0, None).astype(np.float32), grid, SERIES)


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    return Predictor(load_model(), device="cpu")


def dice(a: np.ndarray, b: np.ndarray) -> float:
    return 2 * float((a & b).sum()) / max(1, int(a.sum()) + int(b.sum()))


def test_the_map_lies_on_the_images_grid_and_sums_to_one(predictor):
    image = spine()
    found = predictor.predict(image)
    assert found.classes.shape == image.voxels.shape
    assert found.classes.dtype == np.uint8
    assert found.probabilities.shape == (7, *image.voxels.shape)
    assert found.probabilities.dtype == np.float16
    assert np.allclose(found.probabilities.astype(np.float32).sum(0), 1, atol=0.01)
    assert found.made_by == load_model().label


def test_a_cartoon_spine_is_recognised_and_equal_input_gives_equal_output(predictor):
    image = spine()
    found = predictor.predict(image)
    middle = found.classes[3]
    body = [middle[round(down / 0.8), round(back / 0.9)] for down, back in BODIES[1:4]]
    assert body == [1, 1, 1]
    assert middle[round(85 / 0.8), round(78 / 0.9)] in (4, 5)
    assert middle[:, -8:].max() == 0  # air behind the back
    assert np.array_equal(found.probabilities, predictor.predict(image).probabilities)


def test_random_weights_do_not_recognise_it(tmp_path):
    model = load_model(shutil.copytree(bundle_path(), tmp_path / "random"))
    torch.manual_seed(0)
    state = torch.load(model.weights, weights_only=True)
    torch.save({name: torch.randn_like(value.float()).half() * 0.1 for name, value in state.items()}, model.weights)
    random = Predictor(replace(model, sha256=file_sha256(model.weights)), device="cpu").predict(spine()).classes
    assert dice(random == 1, Predictor(load_model(), device="cpu").predict(spine()).classes == 1) < 0.5


def test_turned_and_scaled_arrays_give_the_same_anatomy(predictor):
    image = spine()
    expected = predictor.predict(image).classes
    grid = image.geometry
    corner = grid.to_patient((0, grid.shape[1] - 1, 0))
    axes = (grid.axes * [1, -1, 1])[:, [1, 2, 0]]
    turned = Image(
        (image.voxels[:, ::-1] * 7.5 + 30).transpose(1, 2, 0),
        Geometry(
            (grid.shape[1], grid.shape[2], grid.shape[0]),
            (grid.spacing[1], grid.spacing[2], grid.spacing[0]),
            tuple(corner),
            tuple(axes.ravel()),
        ),
        SERIES,
    )
    found = predictor.predict(turned).classes.transpose(2, 0, 1)[:, ::-1]
    for value in (1, 3, 4):
        assert dice(found == value, expected == value) > 0.98


def test_with_quality_left_and_right_are_treated_alike(predictor):
    image = spine()
    image = replace(image, voxels=image.voxels * (1 + 0.1 * np.arange(7, dtype=np.float32)[:, None, None]))
    mirrored = replace(image, voxels=image.voxels[::-1].copy())
    twice = Predictor(load_model(), device="cpu", quality=True)
    gaps = [
        np.abs(p.predict(image).probabilities.astype(np.float32) - p.predict(mirrored).probabilities[:, ::-1]).max()
        for p in (predictor, twice)
    ]
    assert gaps[1] < 0.02 < gaps[0], gaps  # with one thread 0.0105, which is how bfloat16 rounds


def test_stacks_of_one_size_are_read_together_and_say_the_same(predictor):
    whole = spine()
    fewer = replace(whole.geometry, shape=(5, *whole.geometry.shape[1:]))
    images = [whole, Image(whole.voxels[:5], fewer, SERIES), replace(whole, voxels=whole.voxels[:, ::-1].copy())]
    alone = [predictor.predict(image) for image in images]
    joined = Predictor(load_model(), device="cpu")
    joined.together = 4
    sizes = []
    joined.network.register_forward_hook(lambda _, given, __: sizes.append(tuple(given[0].shape)))
    for one, other in zip(alone, joined.predict_all(images), strict=True):
        assert (one.classes == other.classes).mean() > 0.999
        difference = one.probabilities.astype(np.float32) - other.probabilities
        assert np.abs(difference).mean() < 1e-3
    assert sorted(size[0] for size in sizes) == [1, 2]  # two stacks of one size at once, the third alone
    assert len(list(predictor.predict_all(images))) == 3


def test_a_network_that_reads_slices_one_by_one_may_read_several_stacks(predictor):
    class Middle(torch.nn.Module):
        def forward(self, slices):
            return torch.nn.functional.one_hot((slices[:, 2] > 0).long(), 7).movedim(-1, 1).float() * 9

    images = [spine(), replace(spine(), voxels=spine().voxels[:, ::-1].copy())]
    plain = Predictor(load_model(), device="cpu")
    plain.network = Middle()
    alone = [plain.predict(image).classes for image in images]
    plain.together = 4
    for one, other in zip(alone, plain.predict_all(images), strict=True):
        assert np.array_equal(one, other.classes)


def test_a_missing_slice_stays_empty(predictor):
    image = spine()
    voxels = image.voxels.copy()
    voxels[2] = 0
    found = predictor.predict(Image(voxels, image.geometry, SERIES, missing_slices=(2,)))
    assert not found.classes[2].any()
    assert not found.probabilities[:, 2].any()
    assert (found.classes[3] == 1).any()


def test_a_contrast_the_model_was_not_made_for_is_refused(predictor):
    adc = SERIES.model_copy(update={"contrast": Contrast.ADC})
    with pytest.raises(ModelError, match=r"series 7: .* does not read ADC"):
        predictor.predict(replace(spine(), series=adc))


def test_no_such_device():
    with pytest.raises(ModelError, match="device 'tpu9'"):
        Predictor(load_model(), device="tpu9")


def test_weights_that_are_code_or_do_not_fit_are_refused(tmp_path):
    bundle = Path(shutil.copytree(bundle_path(), tmp_path / "broken"))
    model = load_model(bundle)
    for content in ({"a": torch.zeros(2)}, {"a": Path("x")}, [1, 2]):
        torch.save(content, bundle / WEIGHTS)
        with pytest.raises(ModelError, match="model broken"):
            Predictor(replace(model, sha256=file_sha256(bundle / WEIGHTS)))
    (bundle / WEIGHTS).write_bytes(b"not weights")
    with pytest.raises(ModelError, match="model broken"):
        Predictor(model)


@pytest.mark.parametrize("network", [{"_target_": "os.system"}, {"_target_": "DynUNet", "colour": 3}, {}])
def test_a_network_that_monai_does_not_know_is_refused(network):
    with pytest.raises(ModelError, match=r"network|refuses"):
        Predictor(replace(load_model(), network=network))


@pytest.mark.parametrize("growth", [1.5, 2.4])
@pytest.mark.parametrize("size", [7, 100, 160, 221, 280, 307, 361, 512, 900])
def test_windows_cover_a_slice_without_growing_far_beyond_the_trained_size(size, growth):
    window = window_size(size, 160, 32, growth)
    assert window % 32 == 0
    assert 128 <= window <= growth * 160


def test_the_band_holds_the_bone_with_room_behind_it_for_processes():
    bone = np.zeros(400, dtype=int)
    bone[180:215] = 40
    band = rows_around(bone, 160, 32)
    assert band.stop - band.start == 160
    assert band.start <= 180 - 60
    assert band.stop >= 215 + 20


def test_a_bent_spine_gets_a_wider_band_and_a_stray_pixel_changes_nothing():
    bone = np.zeros(400, dtype=int)
    bone[120:260] = 10
    wide = rows_around(bone, 160, 32)
    assert wide.stop - wide.start >= 140 + 65 + 25 - 10
    stray = bone.copy()
    stray[390] = 8
    assert rows_around(stray, 160, 32) == wide


def test_the_band_stays_in_the_image_and_needs_bone():
    bone = np.zeros(200, dtype=int)
    bone[:30] = 40
    assert rows_around(bone, 160, 32) == slice(0, 160)
    assert rows_around(bone // 40, 160, 32) is None
