"""A lesion bundle is data from outside; the loaded network gives probabilities, the same every time."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from spinemri.anatomy import Level
from spinemri.errors import ModelError
from spinemri.geometry import Geometry
from spinemri.lesion import MarrowChange
from spinemri.segment import lesion_predictor
from spinemri.segment.bundle import INFERENCE, METADATA, WEIGHTS, bundle_path, file_sha256
from spinemri.segment.device import half_precision
from spinemri.segment.lesion_input import LesionInput
from spinemri.segment.lesion_model import Calibration, load_lesion_model
from spinemri.segment.lesion_predictor import LesionPredictor
from spinemri.segment.network import LesionUNet

CHANNELS, KINDS = 11, len(MarrowChange)
NETWORK = {"_target_": "$LesionUNet", "in_channels": CHANNELS, "out_channels": 1 + KINDS, "filters": [4, 6, 8, 8, 8]}
OWN = {
    "spacing_mm": 1.0,
    "window": [6, 48, 32],
    "lesion_weight": 1.0,
    "calibration": {"offset": -1.5, "of_odds": 0.75, "of_volume": 0.25},
    "operating_point": 0.55,
    "benign_point": 0.45,
    "least_volume_mm3": 70.0,
    "detection_limits_mm": {"T1w+STIR": 9.0, "T1w": None},
}
AXES = (0.996, 0.0, 0.087, 0.0, -1.0, 0.0, -0.087, 0.0, 0.996)


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A small bundle with random weights, written by hand."""
    folder = tmp_path / "by_hand"
    for name in (METADATA, WEIGHTS):
        (folder / name).parent.mkdir(parents=True)
    torch.manual_seed(4)
    network = LesionUNet(CHANNELS, 1 + KINDS, NETWORK["filters"])
    torch.save({name: value.half() for name, value in network.state_dict().items()}, folder / WEIGHTS)
    names = ("background", *MarrowChange)
    content = {
        "version": "0.3.1",
        "network_data_format": {
            "inputs": {"image": {"num_channels": CHANNELS}},
            "outputs": {"pred": {"channel_def": {str(n): str(name) for n, name in enumerate(names)}}},
        },
        "spinemri": {**OWN, "weights_sha256": file_sha256(folder / WEIGHTS)},
    }
    (folder / METADATA).write_text(json.dumps(content))
    (folder / INFERENCE).write_text(json.dumps({"network_def": NETWORK}))
    return folder


def edit(bundle: Path, change, name: str = METADATA) -> None:
    content = json.loads((bundle / name).read_text())
    change(content)
    (bundle / name).write_text(json.dumps(content))


def refused(bundle: Path, match: str | None = None) -> str:
    """The message with which a bundle is refused: one line that names it, without the folders above it."""
    with pytest.raises(ModelError, match=match) as caught:
        load_lesion_model(bundle)
    message = str(caught.value)
    assert message.startswith("model by_hand: ")
    assert "\n" not in message
    assert str(bundle.parent) not in message
    return message


def channels(content) -> dict[str, str]:
    return content["network_data_format"]["outputs"]["pred"]["channel_def"]


# reading


def test_everything_that_the_bundle_says_is_read(bundle):
    model = load_lesion_model(bundle)
    assert model.name == "by_hand"
    assert model.label == "by_hand 0.3.1"
    assert model.path == bundle
    assert model.weights == bundle / WEIGHTS
    assert model.network == NETWORK
    assert model.window == (6, 48, 32)
    assert model.calibration == Calibration(-1.5, 0.75, 0.25)
    assert model.detection_limits_mm == {"T1w+STIR": 9.0, "T1w": None}
    numbers = (model.spacing_mm, model.lesion_weight, model.operating_point, model.benign_point, model.least_volume_mm3)
    assert numbers == (1.0, 1.0, 0.55, 0.45, 70.0)
    assert load_lesion_model(str(bundle)) == model
    assert not any("torch" in type(value).__module__ for value in vars(model).values())


def test_the_shipped_bundle_is_the_default():
    assert load_lesion_model().path == bundle_path("marrow_lesion")
    assert load_lesion_model("marrow_lesion").path == bundle_path("marrow_lesion")


@pytest.mark.parametrize("given", ["no_such_lesions", "no/such/folder"])
def test_an_unknown_bundle_is_named(given):
    with pytest.raises(ModelError, match=r"no_such_lesions|'folder'"):
        load_lesion_model(given)


def swapped(content) -> None:
    names = channels(content)
    names["1"], names["2"] = names["2"], names["1"]


@pytest.mark.parametrize(
    "change",
    [
        swapped,
        lambda c: channels(c).update({"4": "angioma"}),
        lambda c: channels(c).pop(str(KINDS)),
        lambda c: channels(c).pop("3"),
        lambda c: channels(c).update({str(KINDS + 1): "kidney"}),
    ],
)
def test_another_list_of_channels_is_refused(bundle, change):
    edit(bundle, change)
    refused(bundle, r"metadata\.json")


def test_the_channels_that_were_expected_are_said(bundle):
    edit(bundle, swapped)
    message = refused(bundle)
    assert message.index("sclerotic") < message.index("expected") < message.rindex("tumour-like")


@pytest.mark.parametrize("count", [CHANNELS - 1, CHANNELS + 1, "many", None])
def test_another_number_of_inputs_is_refused(bundle, count):
    edit(bundle, lambda c: c["network_data_format"]["inputs"]["image"].update(num_channels=count))
    refused(bundle, r"metadata\.json")


def test_the_number_of_inputs_that_was_expected_is_said(bundle):
    edit(bundle, lambda c: c["network_data_format"]["inputs"]["image"].update(num_channels=12))
    assert "12 input channels: expected 11" in refused(bundle)


@pytest.mark.parametrize("entry", [*OWN, "weights_sha256"])
def test_a_missing_entry_is_named(bundle, entry):
    edit(bundle, lambda c: c["spinemri"].pop(entry))
    assert entry in refused(bundle, r"metadata\.json")


@pytest.mark.parametrize("entry", ["version", "network_data_format", "spinemri"])
def test_a_missing_part_is_named(bundle, entry):
    edit(bundle, lambda c: c.pop(entry))
    assert entry in refused(bundle, r"metadata\.json")


@pytest.mark.parametrize(
    "wrong",
    [
        {"window": [6, 48]},
        {"window": 6},
        {"window": ["six", 48, 32]},
        {"calibration": {"offset": 0.0, "of_odds": 1.0}},
        {"calibration": {"offset": 0.0, "of_odds": 1.0, "of_volume": 0.0, "of_hope": 1.0}},
        {"calibration": None},
        {"operating_point": "high"},
        {"detection_limits_mm": [9.0]},
        {"detection_limits_mm": {"T1w": "small"}},
    ],
)
def test_a_wrong_entry_is_refused(bundle, wrong):
    edit(bundle, lambda c: c["spinemri"].update(wrong))
    refused(bundle, r"metadata\.json")


def test_a_network_that_is_not_described_is_refused(bundle):
    edit(bundle, lambda c: c.pop("network_def"), INFERENCE)
    refused(bundle, "network_def")


@pytest.mark.parametrize("name", [METADATA, INFERENCE, WEIGHTS])
def test_a_missing_file_is_named(bundle, name):
    (bundle / name).unlink()
    refused(bundle, name)


@pytest.mark.parametrize("text", ["{", "[1, 2]", "\x00\x01", ""])
@pytest.mark.parametrize("name", [METADATA, INFERENCE])
def test_a_corrupt_file_is_named(bundle, name, text):
    (bundle / name).write_text(text)
    refused(bundle, name)


def test_other_weights_than_the_metadata_names_are_refused(bundle):
    content = bytearray((bundle / WEIGHTS).read_bytes())
    content[len(content) // 2] ^= 1
    (bundle / WEIGHTS).write_bytes(content)
    refused(bundle, "checksum")


# predicting


def seen(shape=(6, 48, 32), seed=1) -> LesionInput:
    """An input of noise on an oblique grid."""
    volume = torch.randn(CHANNELS, *shape, generator=torch.Generator().manual_seed(seed))
    grid = Geometry(shape, (4.1, 1.0, 1.0), (-10.0, 55.0, -320.0), AXES)
    nothing = np.zeros(shape, dtype=np.uint8)
    return LesionInput(volume, grid, nothing, nothing, (Level("L3"),), {Level("L3"): ("T1w",)}, {"T1w": "1.2.3"})


@pytest.mark.parametrize("shape", [(6, 48, 32), (3, 32, 16), (1, 32, 16), (13, 80, 112)], ids=str)
def test_probabilities_lie_on_the_grid_and_sum_to_one(bundle, shape):
    """As large as a window, smaller along every axis, a single slice, larger along every axis."""
    found = LesionPredictor(load_lesion_model(bundle), "cpu").predict(seen(shape))
    assert found.shape == (1 + KINDS, *shape)
    assert found.dtype == np.float32
    assert found.min() > 0
    assert np.abs(found.sum(axis=0) - 1).max() < 1e-5
    assert found.std(axis=(1, 2, 3)).min() > 1e-4  # a network, not a constant


@pytest.mark.parametrize("shape", [(3, 32, 16), (1, 80, 112), (1, 16, 16)], ids=str)
def test_a_narrow_stack_and_a_single_slice_are_read_as_in_float32(bundle, shape, monkeypatch):
    """Convolutions to one column, and of one slice, have read foreign memory in bfloat16: garbage, or no number."""
    model = load_lesion_model(bundle)
    half = LesionPredictor(model, "cpu").predict(seen(shape))
    monkeypatch.setattr(lesion_predictor, "reads_in_half", lambda *_: (torch.bfloat16, False))
    assert np.abs(half - LesionPredictor(model, "cpu").predict(seen(shape))).max() < 0.1


def test_values_that_are_no_numbers_are_an_error_and_not_no_lesion(bundle):
    volume = seen()
    volume.volume[0, 0, 0, 0] = np.nan
    with pytest.raises(ModelError, match="model by_hand: gave values that are no numbers on cpu"):
        LesionPredictor(load_lesion_model(bundle), "cpu").predict(volume)


def test_equal_input_gives_equal_output_and_other_input_another(bundle):
    predictor = LesionPredictor(load_lesion_model(bundle), "cpu")
    first = predictor.predict(seen((13, 80, 112)))
    assert np.array_equal(first, predictor.predict(seen((13, 80, 112))))
    assert np.array_equal(first, LesionPredictor(load_lesion_model(bundle), "cpu").predict(seen((13, 80, 112))))
    assert np.abs(first - predictor.predict(seen((13, 80, 112), seed=2))).max() > 0.01


@pytest.mark.parametrize("window", [(6, 48, 32), (24, 144, 192)], ids=["as large", "larger"])
def test_a_stack_that_fits_into_a_window_is_read_in_one_piece(bundle, window):
    model = replace(load_lesion_model(bundle), window=window)
    predictor = LesionPredictor(model, "cpu")
    one = seen()
    half, able = half_precision(predictor.device)
    with torch.inference_mode(), torch.autocast("cpu", half, enabled=able):
        whole = predictor.network(one.volume[None])[0].float().softmax(0).numpy()
    assert np.abs(predictor.predict(one) - whole).max() < 0.02  # windows are weighted in half precision


def test_windows_overlap_so_that_every_slice_is_read_with_neighbours(bundle):
    """A change in the last slice of one window is seen in the slices after it."""
    predictor = LesionPredictor(load_lesion_model(bundle), "cpu")
    before = seen((13, 48, 32))
    changed = before.volume.clone()
    changed[:, 5] += 2
    moved = np.abs(predictor.predict(replace(before, volume=changed)) - predictor.predict(before)).max(axis=(0, 2, 3))
    assert moved[5] > 0.02
    assert moved[6] > 1e-3


@pytest.mark.parametrize("weight", [3.0, 8.0])
def test_the_training_weight_of_changed_voxels_is_taken_out(bundle, weight):
    """Odds of any change against none are lower by the weight; those between kinds stay."""
    model = load_lesion_model(bundle)
    plain = LesionPredictor(model, "cpu").predict(seen())
    freed = LesionPredictor(replace(model, lesion_weight=weight), "cpu").predict(seen())
    assert np.allclose(freed[1:] / freed[0], plain[1:] / plain[0] / weight, rtol=1e-3)
    assert np.abs(freed.sum(axis=0) - 1).max() < 1e-5


def test_weights_that_do_not_fit_and_networks_that_nobody_knows_are_refused(bundle):
    model = load_lesion_model(bundle)
    for network in ({**NETWORK, "filters": [4, 6, 8]}, {**NETWORK, "in_channels": 7}):
        with pytest.raises(ModelError, match="model by_hand: the weights"):
            LesionPredictor(replace(model, network=network), "cpu")
    for network in ({**NETWORK, "_target_": "os.system"}, {**NETWORK, "colour": 3}, {}):
        with pytest.raises(ModelError, match="model by_hand: "):
            LesionPredictor(replace(model, network=network), "cpu")


@dataclass
class Trap:
    """What unpickling would run."""

    path: Path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_weights_that_are_code_are_refused_and_not_run(bundle):
    torch.save({"a": Trap(bundle / "sprung")}, bundle / WEIGHTS)
    edit(bundle, lambda c: c["spinemri"].update(weights_sha256=file_sha256(bundle / WEIGHTS)))
    with pytest.raises(ModelError, match="model by_hand: the weights"):
        LesionPredictor(load_lesion_model(bundle), "cpu")
    assert not (bundle / "sprung").exists()


def test_no_such_device(bundle):
    with pytest.raises(ModelError, match="device 'tpu9'"):
        LesionPredictor(load_lesion_model(bundle), "tpu9")
