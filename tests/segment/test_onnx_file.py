"""Bundles as ONNX files: the same numbers as torch at every size, and in the file what they mean."""

from __future__ import annotations

import json

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from spinemri.segment.bundle import METADATA, BundleKind, bundle_kind, bundle_path
from spinemri.segment.lesion_model import load_lesion_model
from spinemri.segment.level_model import load_level_model
from spinemri.segment.model import load_model
from spinemri.segment.onnx_file import OPSET, export_onnx
from spinemri.segment.predictor import Predictor
from spinemri.segment.preprocess import neighbours
from spinemri.segment.weights import load_network
from tests.cli.command import run

SIZES = {
    "spine_anatomy": [(1, 5, 32, 64), (7, 5, 96, 64), (4, 5, 160, 192)],
    "axial_anatomy": [(5, 5, 64, 96)],
    "marrow_lesion": [(1, 11, 9, 32, 64), (2, 11, 6, 64, 32)],
    "vertebra_level": [(1, 5, 96, 112), (6, 5, 96, 112)],
}
LOADERS = {BundleKind.ANATOMY: load_model, BundleKind.LESIONS: load_lesion_model, BundleKind.LEVELS: load_level_model}


@pytest.fixture(scope="module", params=SIZES)
def exported(request, tmp_path_factory):
    """Name of a bundle, its file, and that file ready to run."""
    made = export_onnx(request.param, tmp_path_factory.mktemp("onnx") / "net.onnx")
    return request.param, made, onnxruntime.InferenceSession(made.path, providers=["CPUExecutionProvider"])


def test_logits_are_those_of_torch_at_every_size(exported):
    name, made, session = exported
    network = load_network(LOADERS[bundle_kind(name)](name))
    for size in SIZES[name]:
        image = torch.randn(size, generator=torch.Generator().manual_seed(sum(size)))
        with torch.inference_mode():
            wanted = network(image).numpy()
        (found,) = session.run(None, {"image": image.numpy()})
        assert found.shape == wanted.shape
        assert np.abs(found - wanted).max() < 1e-4 * np.abs(wanted).max()
    assert made.apart < 1e-4 * made.largest


def test_the_file_says_what_goes_in_and_what_comes_out(exported):
    name, made, session = exported
    said = session.get_modelmeta().custom_metadata_map
    stored = json.loads((bundle_path(name) / METADATA).read_text(encoding="utf-8"))
    formats = stored["network_data_format"]
    assert json.loads(said["classes"]) == formats["outputs"]["pred"]["channel_def"]
    assert json.loads(said["channels"]) == formats["inputs"]["image"]["channel_def"]
    assert said["normalisation"] == stored["image_classes"]
    assert (said["name"], said["version"]) == (name, stored["version"])
    assert said["weights_sha256"] == stored["spinemri"]["weights_sha256"]
    assert "not for diagnosis" in said["intended_use"].lower()
    assert json.loads(said.get("spacing_mm") or said["pixel_mm"]) > 0
    graph = onnx.load(str(made.path))
    assert [(one.domain, one.version) for one in graph.opset_import] == [("", OPSET)]
    onnx.checker.check_model(graph, full_check=True)


def test_the_file_alone_is_enough_for_the_predictors_classes(tmp_path):
    """Normalised slices through the file, freed of the weights that its metadata names: what the predictor says."""
    made = export_onnx("spine_anatomy", tmp_path / "net.onnx")
    session = onnxruntime.InferenceSession(made.path, providers=["CPUExecutionProvider"])
    said = session.get_modelmeta().custom_metadata_map
    weights = np.array(json.loads(said["class_weights"])) / np.array(json.loads(said["class_odds"]))
    slices = torch.randn(6, 160, 192, generator=torch.Generator().manual_seed(2)).cumsum(1).cumsum(2).abs()
    predictor = Predictor(load_model(), "cpu")
    slices = slices / slices.max()
    wanted = predictor.class_probabilities(slices, 1).float().numpy()
    stacked = neighbours(normalised(slices), 5, 1).numpy()
    (logits,) = session.run(None, {"image": stacked})
    share = np.exp(logits - logits.max(1, keepdims=True)) / weights[:, None, None]
    share /= share.sum(1, keepdims=True)
    assert np.abs(share - wanted).mean() < 5e-3  # the predictor computes in half precision where the machine has it
    assert (share.argmax(1) == wanted.argmax(1)).mean() > 0.99


def normalised(slices):
    """By the words of the file: clipped at the 99.5th percentile of what is not 0, mean 0, standard deviation 1."""
    values = slices[slices > 0].numpy()
    upper = np.quantile(values, 0.995)
    values = np.minimum(values, upper)
    return (slices.clamp(max=float(upper)) - float(values.mean())) / float(values.std())


def test_the_command_writes_says_how_close_it_is_and_replaces_nothing(tmp_path):
    out = tmp_path / "level.onnx"
    done = run("export", "vertebra_level", "-o", out)
    assert done.code == 0, done.err
    assert "opset 17" in done.out
    assert "largest difference from torch" in done.out
    assert [path.name for path in tmp_path.iterdir()] == ["level.onnx"]
    again = run("export", "vertebra_level", "-o", out)
    assert (again.code, "level.onnx is there already" in again.err) == (2, True)
    assert run("export", "vertebra_level", "-o", out, "--overwrite").code == 0
    wrong = run("export", "vertebra_level", "-o", tmp_path / "level.pb")
    assert (wrong.code, "expected a name that ends in .onnx" in wrong.err) == (2, True)
    none = run("export", "no_such", "-o", tmp_path / "x.onnx")
    assert (none.code, "no such bundle" in none.err) == (2, True)
    assert not (tmp_path / "x.onnx").exists()
