"""From masks on disk to a bundle that analyses: the loss falls, the weights are new, and the card claims nothing."""

from __future__ import annotations

import csv
import json
import re
from dataclasses import replace
from itertools import islice

import pytest
import torch
from scipy import ndimage

from spinemri.anatomy import Structure, StructureKind
from spinemri.errors import InputError, OutputError
from spinemri.segment.bundle import bundle_path
from spinemri.segment.model import load_model
from spinemri.segment.weights import build_network, load_network
from spinemri.training.clock import LOG, TrainingConfig
from spinemri.training.export import checkpoint_state
from spinemri.training.loss import partial_loss
from spinemri.training.new_bundle import Origin, make_bundle
from spinemri.training.own_volumes import own_volumes
from spinemri.training.pairs import Pair
from spinemri.training.real import RealSlices
from spinemri.training.tune import OwnData, tune_bundle
from tests.cli.command import run
from tests.training.own_set import truth, write_image, write_mask

BODY = StructureKind.VERTEBRAL_BODY
ORIGIN = Origin(
    sets=("my_set",),
    images=1,
    taught={},
    schemes=("spinemri",),
    contrasts=("T2w",),
    painted=False,
    fresh=False,
    settings={},
)


def smaller(mask):
    """The same spine as somebody draws it who leaves two pixels of every body's border out."""
    voxels = mask.voxels.copy()
    for structure in mask.of_kind(BODY):
        body = mask.mask(structure)
        kept = ndimage.binary_erosion(body, ndimage.generate_binary_structure(3, 1) & [[[0]], [[1]], [[0]]], 2)
        voxels[body & ~kept] = 0
    return replace(mask, voxels=voxels)


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    folder = tmp_path_factory.mktemp("set")
    mask = write_mask(smaller(truth()), folder / "case_dseg.nii.gz")
    return Pair(write_image(truth(), folder / "case_T2w.nii.gz"), mask, labelled=frozenset({BODY}))


def loss_of(network, model, pair):
    """Mean loss of a few samples that are the same at every call."""
    weights = torch.tensor(model.class_weights)
    samples = islice(iter(RealSlices(own_volumes(pair, model), 17)), 2)
    with torch.inference_mode():
        losses = [partial_loss(network.eval()(image), *rest[:3], weights).value for image, *rest in samples]
    return float(torch.stack(losses).mean())


@pytest.fixture(scope="module")
def tuned(pair, tmp_path_factory):
    out = tmp_path_factory.mktemp("run")
    config = TrainingConfig(out, minutes=30, learning_rate=1e-3, max_steps=10, log_steps=5, average=0.5)
    model = load_model()
    return model, tune_bundle(model, OwnData((pair,), threads=1), config), out


def test_a_few_steps_lower_the_loss_on_a_set_with_borders_of_its_own(tuned, pair):
    model, made, out = tuned
    assert made.taught == {"vertebral_body": 1}
    network = build_network(model)
    network.load_state_dict(checkpoint_state(made.checkpoint))
    assert loss_of(network, model, pair) < 0.8 * loss_of(load_network(model), model, pair)
    rows = list(csv.DictReader((out / LOG).read_text(encoding="utf-8").splitlines()))
    assert [int(row["step"]) for row in rows] == [5, 10]
    assert all(float(row["loss"]) == 0 < float(row["real_loss"]) for row in rows)  # no painted subjects


def test_the_new_bundle_is_whole_and_says_what_it_was_trained_on(tuned, tmp_path):
    model, made, _ = tuned
    origin = replace(ORIGIN, taught=made.taught, settings={"seed": 1})
    into = make_bundle(model, made.checkpoint, tmp_path / "mine", origin, "0.2.0")
    loaded = load_model(into)
    assert (loaded.label, loaded.classes, loaded.class_weights) == ("mine 0.2.0", model.classes, model.class_weights)
    assert loaded.sha256 != model.sha256
    state = torch.load(loaded.weights, weights_only=True)
    assert {value.dtype for value in state.values()} == {torch.float16}
    wanted = checkpoint_state(made.checkpoint)
    assert all(torch.allclose(load_network(loaded).state_dict()[n], wanted[n], atol=2e-3) for n in wanted)
    names = {path.relative_to(into).as_posix() for path in into.rglob("*") if path.is_file()}
    assert names == {path.relative_to(model.path).as_posix() for path in model.path.rglob("*") if path.is_file()}
    card = (into / "docs/README.md").read_text(encoding="utf-8")
    assert "10 steps on 1 image of my_set" in card
    assert "| 1 | vertebral_body | 1 |" in card
    assert "| 3 | disc | 0 |" in card
    assert "my_set: terms not stated" in (into / "docs/data_license.txt").read_text(encoding="utf-8")
    assert not list(tmp_path.glob(".*"))


def test_the_card_claims_no_figures(tuned, tmp_path):
    """No number of the old card is in the new one, but those of its version, checksum and classes."""
    model, made, _ = tuned
    origin = replace(ORIGIN, taught=made.taught, settings={})
    into = make_bundle(model, made.checkpoint, tmp_path / "mine", origin, "0.1.0")
    card = (into / "docs/README.md").read_text(encoding="utf-8")
    assert "None were measured" in card
    said = card.replace(model.label, "").replace(model.sha256, "")
    assert re.findall(r"\d+\.\d+", said) == []
    assert "dice" not in card.lower()
    metadata = json.loads((into / "configs/metadata.json").read_text(encoding="utf-8"))
    assert metadata["eval_metrics"] == {}
    assert list(metadata["changelog"]) == ["0.1.0"]


def test_fresh_weights_owe_nothing_to_the_old_ones(tuned, tmp_path):
    model, made, _ = tuned
    origin = replace(ORIGIN, taught=made.taught, painted=True, fresh=True)
    into = make_bundle(model, made.checkpoint, tmp_path / "mine", origin, "0.1.0")
    assert model.sha256 not in (into / "docs/README.md").read_text(encoding="utf-8")
    assert "vb2" not in (into / "docs/data_license.txt").read_text(encoding="utf-8")
    assert "vb2" not in (into / "configs/metadata.json").read_text(encoding="utf-8").partition("references")[0]


def test_a_bundle_is_never_written_over(tuned, tmp_path):
    model, made, _ = tuned
    (tmp_path / "mine").mkdir()
    origin = replace(ORIGIN, taught=made.taught, settings={})
    with pytest.raises(OutputError, match="mine is there already"):
        make_bundle(model, made.checkpoint, tmp_path / "mine", origin, "0.1.0")
    assert list((tmp_path / "mine").iterdir()) == []


def test_a_finished_run_is_not_taken_for_one_on_other_masks(tuned, pair):
    """Its weights would go into a bundle that says they learnt what they never saw."""
    model, made, out = tuned
    config = TrainingConfig(out, minutes=30, learning_rate=1e-3, max_steps=10, average=0.5)
    same = tune_bundle(model, OwnData((pair,), threads=1), config)
    assert same.checkpoint == made.checkpoint
    other = replace(pair, labelled=frozenset({BODY, StructureKind.DISC}))
    with pytest.raises(InputError, match="holds a run on other pairs or from other weights"):
        tune_bundle(model, OwnData((other,), threads=1), config)
    with pytest.raises(InputError, match="holds a run on other pairs or from other weights"):
        tune_bundle(model, OwnData((pair,), threads=1), config, "new")


def test_a_network_of_axial_slices_is_refused(pair, tmp_path):
    config = TrainingConfig(tmp_path, minutes=1, max_steps=1)
    with pytest.raises(InputError, match="axial_anatomy: own images train networks of sagittal slices only"):
        tune_bundle(load_model("axial_anatomy"), OwnData((pair,)), config)


@pytest.fixture(scope="module")
def data_set(tmp_path_factory):
    """A BIDS data set of one subject, with its mask as ``--formats bids`` lays it down."""
    root = tmp_path_factory.mktemp("bids") / "MY_SET"
    write_image(truth(), root / "sub-01/anat/sub-01_T2w.nii.gz")
    name = "sub-01_acq-sagittalT2w_space-orig_desc-anatomy_dseg"
    write_mask(truth(), root / f"derivatives/spinemri/sub-01/anat/{name}.nii.gz")
    return root


def test_the_command_makes_a_model_that_analyses(data_set, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = run(
        "train", "--from", bundle_path(), "--data", data_set, "--into", "mine", "--steps", 2, "--threads", 1
    )  # fmt: skip
    assert done.code == 0, done.err
    assert "1 pair of image and mask" in done.out
    assert "new bundle: mine" in done.out
    assert (tmp_path / "mine_run/checkpoint.pt").is_file()
    analysed = run(
        "analyze", data_set / "sub-01/anat", "-o", "out", "--model", "mine", "--no-lesions", "--formats", "json,nifti"
    )  # fmt: skip
    assert analysed.code == 0, analysed.err
    report = json.loads((tmp_path / "out/report.json").read_text(encoding="utf-8"))
    assert "mine" in {made["name"] for made in report["provenance"]["models"]}
    assert {"L3", "L4", "L5"} <= {v["assignment"]["level"] for v in report["spine"]["vertebrae"]}
    (mask,) = (tmp_path / "out").glob("segmentation_*.nii.gz")
    table = tmp_path / "corrected.csv"
    table.write_text(f"image,label\n{data_set}/sub-01/anat/sub-01_T2w.nii.gz,out/{mask.name}\n", encoding="utf-8")
    again = run("train", "mine", "--data", table, "--version", "0.1.1", "--steps", 1, "--threads", 1)
    assert again.code == 0, again.err
    assert load_model(tmp_path / "mine_tuned").label == "mine_tuned 0.1.1"
    assert load_model(tmp_path / "mine").version == "0.1.0"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "which network? Expected a bundle"),
        (("--from", "new"), "--from new without BUNDLE: expected a bundle's folder or name"),
        (("spine_anatomy", "-o", "run"), "nothing to train on: expected --data MY_SET"),
        (("spine_anatomy", "--painted", "x"), "no folder for the run: expected --output RUN"),
        (("marrow_lesion", "--data", "set"), "set: lesions are learnt from a table (.csv or .tsv)"),
        (("vertebra_level", "--data", "set"), "--data trains networks of anatomy and of lesions; vertebra_level names"),
        (("spine_anatomy", "--data", "set", "--real", "x"), "--data goes with subjects painted before"),
        (("spine_anatomy", "--data", "set"), "set: no such folder or table"),
        (("spine_anatomy", "--data", "set", "--labels-from", "vers"), "label scheme 'vers': expected one of"),
        (("spine_anatomy", "--painted", "x", "--into", "y", "-o", "run"), "--into goes with --data"),
        (("spine_anatomy", "--data", "set", "--into", "there"), "there is there already"),
    ],
)
def test_what_cannot_be_trained_is_said_in_one_line(tmp_path, monkeypatch, options, said):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there").mkdir()
    done = run("train", *options)
    assert done.code == 2
    assert said in done.err
    assert [path.name for path in tmp_path.iterdir()] == ["there"]


def test_the_set_with_borders_of_its_own_is_what_it_says():
    """What ``smaller`` draws is the true spine, only smaller."""
    whole, less = truth(), smaller(truth())
    l4 = next(s for s in whole.of_kind(BODY) if str(s.level) == "L4")
    assert 0.5 < less.mask(l4).sum() / whole.mask(l4).sum() < 0.95
    assert (less.mask(Structure(StructureKind.CORD)) == whole.mask(Structure(StructureKind.CORD))).all()
