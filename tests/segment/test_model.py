"""Bundles are data from outside: whatever is wrong with one is said in one line."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from spinemri.anatomy import StructureKind
from spinemri.errors import ModelError
from spinemri.segment.bundle import INFERENCE, METADATA, WEIGHTS, bundle_path
from spinemri.segment.model import Model, load_model
from spinemri.series import Contrast


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return Path(shutil.copytree(bundle_path(), tmp_path / "copy"))


def edit(bundle: Path, change) -> None:
    path = bundle / METADATA
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def test_the_shipped_model_knows_its_classes_and_contrasts():
    model = load_model()
    assert model.name == "spine_anatomy"
    assert model.label == f"spine_anatomy {model.version}"
    assert model.classes[1] == StructureKind.VERTEBRAL_BODY.value
    assert [model.classes[c] for c in range(2, 7)] == [
        "posterior_elements",
        "disc",
        "thecal_sac",
        "cord",
        "sacrum",
    ]
    assert {Contrast.T1W, Contrast.T2W, Contrast.STIR} <= model.contrasts
    assert Contrast.ADC not in model.contrasts
    assert model.slices == 5
    assert model.spacing_mm == 1.0


def test_a_bundle_is_found_by_name_and_by_folder(bundle):
    assert load_model("spine_anatomy").path == bundle_path()
    assert load_model(bundle).sha256 == load_model().sha256
    assert load_model(str(bundle)).path == bundle


@pytest.mark.parametrize("given", ["no_such_model", Path("no_such_folder"), "no/such/folder"])
def test_an_unknown_model_is_named(given):
    with pytest.raises(ModelError, match=r"no_such|folder"):
        load_model(given)


@pytest.mark.parametrize("name", [METADATA, INFERENCE, WEIGHTS])
def test_a_missing_file_is_named(bundle, name):
    (bundle / name).unlink()
    with pytest.raises(ModelError, match=name) as caught:
        load_model(bundle)
    assert "\n" not in str(caught.value)
    assert str(bundle.parent) not in str(caught.value)


@pytest.mark.parametrize("text", ["{", "[1, 2]", "\x00\x01", ""])
def test_corrupt_metadata_is_one_line(bundle, text):
    (bundle / METADATA).write_text(text)
    with pytest.raises(ModelError, match=METADATA) as caught:
        load_model(bundle)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "change",
    [
        lambda c: c.pop("version"),
        lambda c: c.pop("network_data_format"),
        lambda c: c["spinemri"].pop("weights_sha256"),
        lambda c: c["spinemri"].update(window=[160]),
        lambda c: c["spinemri"].update(contrasts=["T9w"]),
        lambda c: c["spinemri"].update(class_weights=3),
        lambda c: c["spinemri"].update(class_odds=3),
        lambda c: c.update(network_data_format=[]),
    ],
)
def test_incomplete_metadata_is_refused(bundle, change):
    edit(bundle, change)
    with pytest.raises(ModelError, match=r"metadata\.json"):
        load_model(bundle)


def test_other_weights_than_the_metadata_names_are_refused(bundle):
    weights = bundle / WEIGHTS
    content = bytearray(weights.read_bytes())
    content[len(content) // 2] ^= 1
    weights.write_bytes(content)
    with pytest.raises(ModelError, match="checksum"):
        load_model(bundle)


@pytest.mark.parametrize(
    "wrong",
    [
        {"classes": {1: "disc", 2: "cord"}},
        {"classes": {0: "background", 1: "kidney"}, "class_weights": (1.0, 1.0), "class_odds": (1.0, 1.0)},
        {"class_weights": (1.0, 2.0)},
        {"class_odds": (1.0, 2.0)},
        {"class_odds": (1.0, 1.0, 1.0, 0.0, 1.0, 1.0, 1.0)},
        {"class_weights": (1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.0)},
        {"slices": 4},
        {"spacing_mm": 0.0},
    ],
)
def test_an_impossible_model_cannot_be_constructed(wrong):
    with pytest.raises(ModelError, match="expected"):
        replace(load_model(), **wrong)


def test_a_model_holds_no_tensor():
    model: Model = load_model()
    assert not any("torch" in type(value).__module__ for value in vars(model).values())
