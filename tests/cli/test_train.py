"""``spinemri train``: a few steps from the bundle's weights, and what it refuses."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

import spinemri
from spinemri.convert import write_nifti
from spinemri.segment.bundle import bundle_path
from spinemri.segment.lesion_model import load_lesion_model
from spinemri.segment.level_model import load_level_model
from spinemri.segment.model import load_model
from spinemri.segment.outline_model import load_outline_model
from spinemri.series import Contrast
from spinemri.synthesis.tissue import Tissue
from tests.cli.command import run

SAMPLE = Path(__file__).parents[2] / "sample_data"


@pytest.fixture(scope="module")
def painted(tmp_path_factory) -> Path:
    """One painted subject: boxes of bone and disc before a straight sac."""
    folder = tmp_path_factory.mktemp("painted")
    tissue = np.full((32, 260, 200), int(Tissue.MUSCLE), dtype=np.uint8)
    level = np.zeros_like(tissue)
    for n in range(7):
        body, disc = (slice(10 + 35 * n + a, 10 + 35 * n + b) for a, b in ((0, 27), (27, 35)))
        tissue[8:24, body, 100:135], level[8:24, body, 100:135] = int(Tissue.MARROW), 18 + n
        tissue[8:24, disc, 100:135] = int(Tissue.NUCLEUS)
    tissue[13:19, :, 82:96] = int(Tissue.CSF)
    np.savez_compressed(folder / "000001.npz", tissue=tissue, level=level)
    return folder


@pytest.fixture(scope="module")
def unlabelled(tmp_path_factory) -> Path:
    """The T2w image of the sample study without its name."""
    stored = next(s for s in spinemri.scan(SAMPLE).studies[0].series if s.contrast is Contrast.T2W)
    image = spinemri.load(stored)
    path = tmp_path_factory.mktemp("images") / "mine.nii.gz"
    write_nifti(image.voxels, image.geometry, path)
    return path


@pytest.fixture
def bundle(tmp_path) -> Path:
    return Path(shutil.copytree(bundle_path("spine_anatomy"), tmp_path / "mine"))


def test_a_run_learns_from_an_image_without_labels_and_writes_weights_into_the_bundle(
    bundle, painted, unlabelled, tmp_path
):
    before = (bundle / "models/model.pt").read_bytes()
    done = run(
        "train", bundle, "-o", tmp_path / "run", "--painted", painted, "--minutes", 0.05,
        "--unlabelled", unlabelled, "--version", "9.9.9", "--change", "a test",
    )  # fmt: skip
    assert done.code == 0, done.err
    assert "version 9.9.9" in done.out
    assert (bundle / "models/model.pt").read_bytes() != before
    assert (tmp_path / "run/checkpoint.pt").is_file()
    assert load_model(str(bundle)).version == "9.9.9"


def test_a_lesion_bundle_is_trained_by_the_same_command(painted, tmp_path):
    bundle = Path(shutil.copytree(bundle_path("marrow_lesion"), tmp_path / "mine"))
    done = run(
        "train", bundle, "-o", tmp_path / "run", "--painted", painted, "--minutes", 0.05, "--from", "new",
        "--version", "9.9.9", "--change", "a test",
    )  # fmt: skip
    assert done.code == 0, done.err
    assert "marrow_lesion" not in done.out
    assert load_lesion_model(bundle).version == "9.9.9"
    assert load_lesion_model(bundle).sha256 != load_lesion_model("marrow_lesion").sha256


def test_a_level_bundle_is_trained_by_the_same_command(painted, tmp_path):
    bundle = Path(shutil.copytree(bundle_path("vertebra_level"), tmp_path / "mine"))
    done = run(
        "train", bundle, "-o", tmp_path / "run", "--painted", painted, "--minutes", 0.05, "--from", "new",
        "--version", "9.9.9", "--change", "a test",
    )  # fmt: skip
    assert done.code == 0, done.err
    assert load_level_model(bundle).version == "9.9.9"
    assert load_level_model(bundle).sha256 != load_level_model("vertebra_level").sha256


def test_an_outline_bundle_is_trained_by_the_same_command(painted, tmp_path):
    bundle = Path(shutil.copytree(bundle_path("body_outline"), tmp_path / "mine"))
    done = run(
        "train", bundle, "-o", tmp_path / "run", "--painted", painted, "--minutes", 0.05, "--version", "9.9.9",
        "--change", "a test",
    )  # fmt: skip
    assert done.code == 0, done.err
    assert load_outline_model(bundle).version == "9.9.9"
    assert load_outline_model(bundle).sha256 != load_outline_model("body_outline").sha256


def test_an_outliner_is_not_trained_on_pairs(painted, tmp_path):
    outcome = run("train", "--from", "body_outline", "--data", painted, "--into", tmp_path / "mine")
    assert outcome.code == 2
    assert "learns beside the anatomy network" in " ".join(outcome.err.split())


@pytest.mark.parametrize(
    ("start", "said"),
    [
        ("new", "images without labels teach only what earlier weights see"),
        ("nothing.pt", "nothing.pt: cannot be read as weights"),
    ],
)
def test_what_it_cannot_start_from_is_said_in_one_line(painted, unlabelled, tmp_path, start, said):
    done = run(
        "train", "spine_anatomy", "-o", tmp_path / "run", "--painted", painted, "--minutes", 0.05,
        "--unlabelled", unlabelled, "--from", start,
    )  # fmt: skip
    assert done.code == 2
    assert said in done.err
    assert not (tmp_path / "run").exists()


def test_without_painted_subjects_it_says_how_to_get_some(bundle, tmp_path):
    (tmp_path / "none").mkdir()
    done = run("train", bundle, "-o", tmp_path / "run", "--painted", tmp_path / "none", "--minutes", 0.05)
    assert done.code == 2
    assert "--paint" in done.err


def test_replays_are_refused_where_nothing_would_be_shown_again(tmp_path):
    outcome = run("train", "vertebra_level", "--painted", tmp_path, "-o", tmp_path / "run", "--replays", "2")
    assert outcome.code == 2
    assert "--replays is for networks of anatomy" in " ".join(outcome.err.split())
