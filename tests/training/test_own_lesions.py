"""Lesions of one's own: from a table of studies and outlines to a lesion network that was trained on them."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from spinemri.anatomy import Level
from spinemri.convert import write_nifti
from spinemri.errors import InputError
from spinemri.evaluate.marrow_phantoms import marrow_phantom
from spinemri.lesion import MarrowChange as Kind
from spinemri.networks import default_predictor
from spinemri.segment.bundle import bundle_path
from spinemri.segment.lesion_input import CHANNELS
from spinemri.segment.lesion_model import load_lesion_model
from spinemri.segment.weights import build_network, load_network
from spinemri.synthesis.marrow_changes import KINDS, UNKNOWN
from spinemri.training.clock import TrainingConfig
from spinemri.training.export import checkpoint_state
from spinemri.training.marrow_loop import lesion_loss
from spinemri.training.own_lesion_samples import part_of
from spinemri.training.own_lesions import OwnStudy, find_studies
from spinemri.training.own_scenes import own_scenes
from spinemri.training.tune_lesions import OwnLesionData, tune_lesion_bundle
from tests.cli.command import run

if TYPE_CHECKING:
    from pathlib import Path

PERSON = 41
TUMOUR = 1 + KINDS.index(Kind.TUMOUR)
FIBROUS, OTHER = 7, 9  # values of the mask


@pytest.fixture(scope="module")
def person():
    return marrow_phantom(PERSON, (Kind.TUMOUR, Kind.HAEMANGIOMA))


@pytest.fixture(scope="module")
def home(person, tmp_path_factory) -> Path:
    """T1w and STIR of one person, and an outline of both changes on the grid that they share."""
    folder = tmp_path_factory.mktemp("set")
    (folder / "study").mkdir()
    for image in person.images:
        write_nifti(image.voxels, image.geometry, folder / "study" / f"case_{image.series.contrast.value}.nii.gz")
    outlines = np.zeros(person.images[0].geometry.shape, dtype=np.uint8)
    for value, truth in zip((FIBROUS, OTHER), person.truths, strict=True):
        outlines[truth.mask] = value
    write_nifti(outlines, person.images[0].geometry, folder / "outlines.nii.gz")
    return folder


@pytest.fixture(scope="module")
def study(home) -> OwnStudy:
    kinds = {FIBROUS: Kind.TUMOUR, OTHER: Kind.HAEMANGIOMA}
    return OwnStudy(home / "study", home / "outlines.nii.gz", kinds)


@pytest.fixture(scope="module")
def anatomy():
    """The network, which reads every image of these tests once and then remembers what it saw."""
    predictor = default_predictor(device="cpu", threads=1)
    read, seen = predictor.predict, {}

    def predict(image):
        key = image.series.contrast, image.voxels.tobytes()
        return seen.get(key) or seen.setdefault(key, read(image))

    predictor.predict = predict
    return predictor


@pytest.fixture(scope="module")
def scene(study, anatomy):
    (found,) = own_scenes(study, load_lesion_model(), anatomy)
    return found


def table(home, text: str, name: str = "set.csv") -> Path:
    (home / name).write_text(text, encoding="utf-8")
    return home / name


# the table


def test_a_row_says_what_is_outlined_and_where_all_of_it_is(home):
    text = f"study,lesions,kind,levels\nstudy,outlines.nii.gz,{FIBROUS}=tumour;{OTHER}=haemangioma,L1;L2\n"
    (row,) = find_studies(table(home, text))
    assert (row.study, row.lesions) == (home / "study", home / "outlines.nii.gz")
    assert (row.kind_of(FIBROUS), row.kind_of(OTHER)) == (Kind.TUMOUR, Kind.HAEMANGIOMA)
    assert row.levels == {Level("L1"), Level("L2")}
    (plain,) = find_studies(table(home, "study,lesions,kind\nstudy,outlines.nii.gz,sclerotic\n"))
    assert (plain.kind_of(FIBROUS), plain.levels, plain.anatomy) == (Kind.SCLEROTIC, None, None)


def test_corrected_outlines_of_an_analysis_name_their_kinds_themselves(home, tmp_path):
    (tmp_path / "lesions_2.nii.gz").write_bytes((home / "outlines.nii.gz").read_bytes())
    lesions = [
        {"label": FIBROUS, "file": "lesions_2.nii.gz", "kinds": {"tumour-like": 0.7, "focal fat": 0.3}},
        {"label": OTHER, "file": "lesions_2.nii.gz", "kinds": {"focal fat": 0.2, "typical haemangioma": 0.8}},
        {"label": FIBROUS, "file": "lesions_5.nii.gz", "kinds": {"Paget disease": 1.0}},
    ]
    (tmp_path / "lesions.json").write_text(json.dumps({"lesions": lesions}), encoding="utf-8")
    (row,) = find_studies(table(tmp_path, f"study,lesions\n{home / 'study'},lesions_2.nii.gz\n"))
    assert row.kinds == {FIBROUS: Kind.TUMOUR, OTHER: Kind.HAEMANGIOMA}
    with pytest.raises(InputError, match="nothing says what value 3 outlines"):
        row.kind_of(3)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("image,label\nstudy,outlines.nii.gz\n", "columns image, label: expected the columns study, lesions"),
        ("study,lesions\n", "columns study, lesions: expected"),
        ("study,lesions\nstudy,gone.nii.gz\n", "line 2: lesions 'gone.nii.gz': no such file"),
        ("study,lesions,kind\nstudy,outlines.nii.gz,cancer\n", "kind 'cancer': expected one of tumour"),
        ("study,lesions,levels\nstudy,outlines.nii.gz,Q9\n", "line 2: .*Q9"),
    ],
)
def test_a_table_that_cannot_be_used_is_told_with_its_line(home, text, said):
    with pytest.raises(InputError, match=said):
        find_studies(table(home, text))


def test_lesions_are_learnt_from_a_table_only(home):
    with pytest.raises(InputError, match=r"study: lesions are learnt from a table \(.csv or .tsv\)"):
        find_studies(home / "study")


# what a study teaches


def test_outlines_lie_on_what_they_outline(scene, person):
    """A tumour is darker than marrow on T1w and brighter on STIR; marrow is 0 on either."""
    assert scene.shown == ("T1w", "STIR")
    tumour = scene.kinds == TUMOUR
    t1, stir = (scene.volume[CHANNELS.index(name)].numpy()[tumour].mean() for name in scene.shown)
    assert t1 < -0.2
    assert stir > 0.1
    truth = person.truths[0]
    drawn = tumour.sum() * person.images[0].geometry.spacing[0]  # voxels of 1 mm2
    assert drawn == pytest.approx(truth.mask.sum() * np.prod(truth.geometry.spacing), rel=0.15)
    assert set(scene.outlined()) == {Kind.TUMOUR, Kind.HAEMANGIOMA}


def test_vertebrae_that_nobody_vouches_for_teach_their_outlines_only(study, scene, anatomy):
    (less,) = own_scenes(replace(study, levels=frozenset({Level("L2")})), load_lesion_model(), anatomy)
    marked = (scene.kinds > 0) & (scene.kinds != UNKNOWN)
    assert (less.kinds[marked] == scene.kinds[marked]).all()
    assert 0 < (less.kinds == 0).sum() < 0.4 * (scene.kinds == 0).sum()
    assert (less.kinds == UNKNOWN).sum() > (scene.kinds == UNKNOWN).sum()


def test_a_person_without_lesions_teaches_that_there_are_none(home, anatomy):
    (row,) = find_studies(table(home, "study,lesions\nstudy,\n"))
    (found,) = own_scenes(row, load_lesion_model(), anatomy)
    assert found.outlined() == ()
    assert (found.kinds == 0).any()


def test_a_mask_of_another_grid_is_refused(study, anatomy, person, tmp_path):
    grid = person.images[0].geometry.part((slice(1, None), slice(None), slice(None)))
    voxels = np.zeros(grid.shape, dtype=np.uint8)
    voxels[2:4] = 1
    write_nifti(voxels, grid, tmp_path / "less.nii.gz")
    with pytest.raises(InputError, match="expected that of a series of the study"):
        own_scenes(replace(study, lesions=tmp_path / "less.nii.gz"), load_lesion_model(), anatomy)


def test_parts_hold_the_lesion_and_teach_nothing_outside_of_the_scene(scene):
    rng = np.random.default_rng(3)
    parts = [part_of(scene, rng) for _ in range(12)]
    assert sum(bool(((kinds > 0) & (kinds != UNKNOWN)).any()) for _, kinds in parts) >= 6
    lacking = [int((image[: len(CHANNELS)].flatten(1) != 0).any(1).sum()) for image, _ in parts]
    assert set(lacking) == {1, 2}
    for image, kinds in parts:
        beyond = (image == 0).all(0) & (kinds == 0)
        assert image.shape[1:] == kinds.shape
        assert not beyond[:, 0, 0].all() or (kinds != 0).any()


# the network


def loss_of(network, model, scene) -> float:
    """Mean loss of parts that are the same at every call."""
    rng = np.random.default_rng(8)
    with torch.inference_mode():
        values = [
            float(lesion_loss(network.eval()(image[None]), kinds[None], model.lesion_weight)[0])
            for image, kinds in (part_of(scene, rng) for _ in range(3))
        ]
    return float(np.mean(values))


@pytest.fixture(scope="module")
def relabelled(study) -> OwnStudy:
    """What the network is sure is a tumour is called sclerosis: something to be learnt in a few steps."""
    return replace(study, kinds={None: Kind.PAGET})


@pytest.fixture(scope="module")
def tuned(relabelled, anatomy, tmp_path_factory):
    out = tmp_path_factory.mktemp("run")
    config = TrainingConfig(out, minutes=30, learning_rate=1e-3, max_steps=8, log_steps=4, average=0.5)
    return tune_lesion_bundle(load_lesion_model(), OwnLesionData((relabelled,), anatomy, threads=1), config), out


def test_a_few_steps_teach_what_the_outlines_say(tuned, relabelled, anatomy):
    made, out = tuned
    model = load_lesion_model()
    assert made.taught == {"Paget disease": 1}
    (scene,) = own_scenes(relabelled, model, anatomy)
    network = build_network(model)
    network.load_state_dict(checkpoint_state(made.checkpoint))
    assert loss_of(network, model, scene) < 0.9 * loss_of(load_network(model), model, scene)
    assert json.loads((out / "pairs.json").read_text(encoding="utf-8"))["studies"][0]["study"] == "study"


def test_a_run_is_not_taken_for_one_on_other_outlines(tuned, study, anatomy):
    _, out = tuned
    config = TrainingConfig(out, minutes=30, learning_rate=1e-3, max_steps=8, average=0.5)
    with pytest.raises(InputError, match="holds a run on other pairs or from other weights"):
        tune_lesion_bundle(load_lesion_model(), OwnLesionData((study,), anatomy, threads=1), config)


def test_the_command_makes_a_lesion_model_that_analyses(home, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = f"study,lesions,kind\nstudy,outlines.nii.gz,{FIBROUS}=tumour;{OTHER}=haemangioma\n"
    options = ("--data", table(home, text), "--into", "mine", "--steps", 2, "--threads", 1)
    done = run("train", "--from", bundle_path("marrow_lesion"), *options)
    assert done.code == 0, done.err
    assert "1 study with outlines" in done.out
    assert "tumour-like in 1, typical haemangioma in 1" in done.out
    made, parent = load_lesion_model(tmp_path / "mine"), load_lesion_model()
    assert made.label == "mine 0.1.0"
    assert made.sha256 != parent.sha256
    assert made.kinds is None, "fitted to other weights"
    assert set(made.detection_limits_mm.values()) == {None}
    card = (tmp_path / "mine/docs/README.md").read_text(encoding="utf-8")
    assert "2 steps on 1 image of set.csv" in card
    assert "were fitted to marrow_lesion" in " ".join(card.split())
    assert re.findall(r"\d+\.\d+", card.replace(parent.label, "").replace(parent.sha256, "")) in (
        [],
        ["0.0003", "0.998"],
    )
    analysed = run("analyze", home / "study", "-o", "out", "--lesion-model", "mine", "--formats", "json")
    assert analysed.code == 0, analysed.err
    report = json.loads((tmp_path / "out/report.json").read_text(encoding="utf-8"))
    assert "mine" in {one["name"] for one in report["provenance"]["models"]}
