"""Every bundle in ``models`` keeps MONAI's layout and schema, and says enough to be used and judged."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import SimpleITK
import torch
from monai.bundle import ConfigParser, verify_net_in_out

import spinemri
from spinemri.convert import write_nifti
from spinemri.geometry import Geometry
from spinemri.segment.bundle import BundleKind, bundle_kind
from spinemri.segment.lesion_model import load_lesion_model
from spinemri.segment.level_model import load_level_model
from spinemri.segment.model import load_model
from spinemri.segment.outline_model import load_outline_model
from spinemri.segment.predictor import Predictor
from spinemri.series import Contrast

MODELS = Path(__file__).resolve().parents[1] / "models"
BUNDLES = sorted(path for path in MODELS.iterdir() if path.is_dir())
# MONAI's metadata schema of 2024-07-25: mandatory keys of the file and of each tensor
REQUIRED = {
    "version",
    "monai_version",
    "pytorch_version",
    "numpy_version",
    "required_packages_version",
    "task",
    "description",
    "authors",
    "copyright",
    "network_data_format",
}
TENSOR = {
    "type",
    "format",
    "modality",
    "num_channels",
    "spatial_shape",
    "dtype",
    "value_range",
    "is_patch_data",
    "channel_def",
}
LOADERS = {
    BundleKind.ANATOMY: load_model,
    BundleKind.LESIONS: load_lesion_model,
    BundleKind.LEVELS: load_level_model,
    BundleKind.OUTLINES: load_outline_model,
}
SAMPLE = MODELS.parent / "sample_data"
OURS = {"schema", "changelog", "intended_use", "data_source", "data_type", "references", "eval_metrics", "spinemri"}

pytestmark = pytest.mark.parametrize("bundle", BUNDLES, ids=lambda path: path.name)


def loaded(bundle: Path):
    return LOADERS[bundle_kind(bundle)](bundle)


def metadata(bundle: Path) -> dict:
    return json.loads((bundle / "configs/metadata.json").read_text())


def test_layout(bundle):
    for name in (
        "configs/metadata.json",
        "configs/inference.json",
        "configs/train.json",
        "docs/README.md",
        "docs/data_license.txt",
        "LICENSE",
        "models/model.pt",
    ):
        assert (bundle / name).is_file(), name
    assert (bundle / "models/model.pt").stat().st_size < 20e6


def test_metadata_has_every_key_the_schema_demands(bundle):
    content = metadata(bundle)
    assert set(content) >= REQUIRED | OURS
    assert content["version"] in content["changelog"]
    formats = content["network_data_format"]
    for tensor in (*formats["inputs"].values(), *formats["outputs"].values()):
        assert set(tensor) >= TENSOR
        assert len(tensor["channel_def"]) == tensor["num_channels"]
        assert sorted(tensor["channel_def"], key=int) == [str(n) for n in range(tensor["num_channels"])]


def test_monai_reads_the_configuration_and_builds_the_network(bundle):
    parser = ConfigParser()
    parser.read_config([str(bundle / "configs/inference.json")])
    parser.read_meta(str(bundle / "configs/metadata.json"))
    network = parser.get_parsed_content("network_def")
    state = torch.load(bundle / "models/model.pt", weights_only=True)
    assert all(value.dtype == torch.float16 for value in state.values())
    network.load_state_dict({name: value.float() for name, value in state.items()})


def test_inference_runs_through_the_configuration(bundle):
    parser = ConfigParser()
    parser.read_config([str(bundle / "configs/inference.json")])
    parser["bundle_root"] = str(bundle)
    predictor = parser.get_parsed_content("predictor")
    assert predictor.model == loaded(bundle)


def test_training_configuration_can_be_read(bundle):
    parser = ConfigParser()
    parser.read_config([str(bundle / "configs/train.json")])
    parser["bundle_root"] = str(bundle)
    assert parser.get_parsed_content("config").minutes > 0
    assert parser.get_parsed_content("model") == loaded(bundle)


def test_network_takes_and_gives_what_the_metadata_says(bundle):
    verify_net_in_out(
        net_id="network_def",
        meta_file=str(bundle / "configs/metadata.json"),
        config_file=str(bundle / "configs/inference.json"),
        device="cpu",
    )


def test_the_card_names_every_source_and_what_was_not_tested(bundle):
    card = (bundle / "docs/README.md").read_text().lower()
    for word in ("intended use", "training data", "licence", "limitations", "not a medical device", "border"):
        assert word in card, word
    terms = (bundle / "docs/data_license.txt").read_text()
    for source in ("vb2", "vb3", "ivd", "synthetic"):
        assert source in card
        assert source in terms


def run_bundle(bundle: Path, **said: Path) -> None:
    """``python -m monai.bundle run``, as MONAI documents it: nothing of ours is called."""
    options = [part for name, path in said.items() for part in (f"--{name}", str(path))]
    configuration = ["--config_file", str(bundle / "configs/inference.json"), "--bundle_root", str(bundle)]
    command = [sys.executable, "-m", "monai.bundle", "run", *configuration, *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def image_for(bundle: Path, folder: Path) -> Path:
    """An image that a network of anatomy reads: the sample study's T2w, or an axial stack of noise."""
    path = folder / "case_T2w.nii.gz"
    if bundle.name == "axial_anatomy":
        grid = Geometry((4, 170, 150), (4.0, 1.0, 1.0), (-75.0, -90.0, 3.0), (0, 0, 1.0, 0, 1.0, 0, 1.0, 0, 0))
        noise = np.random.default_rng(3).integers(1, 255, grid.shape).astype(np.uint8)
        write_nifti(noise, grid, path)
        return path
    stored = next(s for s in spinemri.scan(SAMPLE).studies[0].series if s.contrast is Contrast.T2W)
    image = spinemri.load(stored)
    write_nifti(image.voxels, image.geometry, path)
    return path


def test_monai_runs_the_bundle_from_file_to_file(bundle, tmp_path):
    if bundle_kind(bundle) is BundleKind.ANATOMY:
        image = image_for(bundle, tmp_path)
        run_bundle(bundle, image=image, output=tmp_path / "classes.nii.gz")
        classes = SimpleITK.ReadImage(str(tmp_path / "classes.nii.gz"))
        assert classes.GetSize() == SimpleITK.ReadImage(str(image)).GetSize()
        wanted = Predictor(load_model(bundle)).predict(spinemri.load(spinemri.scan(tmp_path).studies[0].series[0]))
        found = SimpleITK.GetArrayFromImage(classes)
        counts = [np.bincount(classes.ravel(), minlength=7) for classes in (found, wanted.classes)]
        np.testing.assert_allclose(*counts, rtol=0.005)  # another process may have other threads: see test_determinism
        return
    series = "4_T2w" if bundle_kind(bundle) is BundleKind.LEVELS else "2_T1w"
    run_bundle(bundle, study=SAMPLE / series, output=tmp_path / "result")
    report = json.loads((tmp_path / "result/report.json").read_text(encoding="utf-8"))
    assert bundle.name in {made["name"] for made in report["provenance"]["models"]}
    assert {"L4", "L5"} <= {v["assignment"]["level"] for v in report["spine"]["vertebrae"]}
