"""The bundled study through the bundled model: what a newcomer sees first, against its truth.

With weights drawn at random the same check fails: it is the model that finds the spine, not the rest of the program.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import jsonschema
import pydicom
import pytest
import torch

from spinemri.analysis import Analysis
from spinemri.errors import InputError
from spinemri.evaluate.phantoms import MAX_LOSS_ERROR, PhantomScore, score
from spinemri.networks import Networks, default_predictor
from spinemri.pipeline import analyze
from spinemri.segment.bundle import METADATA, WEIGHTS, bundle_path, file_sha256
from spinemri.segment.model import load_model
from spinemri.segment.weights import build_network
from tests.cli.command import Outcome, run

ROOT = Path(__file__).resolve().parents[1]
SAMPLE = ROOT / "sample_data"
TRUTH = json.loads((SAMPLE / "truth.json").read_text(encoding="utf-8"))
MAX_NARROWING_ERROR_MM = 1.5  # of one study; the median over many has a narrower limit
SERIES = ("2", "3", "4")


@pytest.fixture(scope="module")
def report(tmp_path_factory) -> tuple[Path, Outcome]:
    """The result of ``spinemri analyze sample_data``, and what it printed."""
    folder = tmp_path_factory.mktemp("sample")
    outcome = run("analyze", SAMPLE, "-o", folder / "out", "--token-key", folder / "key")
    assert outcome.code == 0, outcome.err
    return folder / "out", outcome


def within_limits(result: PhantomScore) -> bool:
    """Whether the fracture has its name and both numbers are near the truth."""
    return (
        result.named == result.fractured
        and result.loss_error is not None
        and abs(result.loss_error) <= MAX_LOSS_ERROR
        and result.narrowing_error is not None
        and abs(result.narrowing_error) <= MAX_NARROWING_ERROR_MM
    )


def test_every_promised_file_is_written_and_nothing_else(report):
    out, _ = report
    masks = {f"segmentation_{number}.nii.gz" for number in SERIES}
    named = {"report.json", "report.html", "report.txt", "measurements.csv", "segmentation.json"}
    lesions = {"lesions.csv", "lesions.json"} | {path.name for path in out.glob("lesions_*.nii.gz")}
    assert {path.name for path in out.iterdir()} == named | masks | lesions
    assert all(path.stat().st_size > 100 for path in out.iterdir())


def test_the_report_keeps_its_published_schema(report):
    schema = json.loads((ROOT / "docs" / "report.schema.json").read_text(encoding="utf-8"))
    document = json.loads((report[0] / "report.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(document, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**document, "spine": None}, schema)


def test_the_terminal_names_levels_alignment_and_the_report(report):
    lines = report[1].out.splitlines()
    (levels,) = [line for line in lines if line.startswith("levels: ")]
    assert all(level in levels for level in TRUTH["levels"])
    assert len([line for line in lines if line.startswith("alignment of series ")]) == 2
    assert lines[-1] == "report: out/report.html"


def test_fracture_and_narrowing_are_measured_within_the_limits(report):
    analysis = Analysis.model_validate_json((report[0] / "report.json").read_text(encoding="utf-8"))
    result = score(TRUTH, analysis)
    assert within_limits(result), result
    assert result.levels_right == result.levels, result


def randomised(folder: Path) -> Path:
    """A copy of the bundle, with weights as they are before any training, and their checksum."""
    bundle = Path(shutil.copytree(bundle_path(), folder / "random"))
    torch.manual_seed(0)
    state = build_network(load_model(bundle)).state_dict()
    torch.save({name: value.half() for name, value in state.items()}, bundle / WEIGHTS)
    content = json.loads((bundle / METADATA).read_text(encoding="utf-8"))
    content["spinemri"]["weights_sha256"] = file_sha256(bundle / WEIGHTS)
    (bundle / METADATA).write_text(json.dumps(content), encoding="utf-8")
    return bundle


def attempt(study: Path, model: Path) -> PhantomScore | str:
    """Score of a study with a model, or why it could not be analysed."""
    try:
        return score(TRUTH, analyze(study, Networks(default_predictor(model))).analysis)
    except InputError as error:
        return str(error)


def test_random_weights_find_no_spine_or_miss_the_limits(tmp_path):
    study = Path(shutil.copytree(SAMPLE / "4_T2w", tmp_path / "study"))
    result = attempt(study, randomised(tmp_path))
    assert result.startswith("no spine found") if isinstance(result, str) else not within_limits(result)


def pixel_hash(study: Path) -> str:
    """SHA-256 over the pixels of every file, in the order of their names."""
    digest = hashlib.sha256()
    for path in sorted(study.rglob("*.dcm")):
        digest.update(pydicom.dcmread(path).PixelData)
    return digest.hexdigest()


def test_the_command_makes_the_same_study_again(tmp_path):
    out = tmp_path / "again"
    assert run("phantom", "--seed", TRUTH["seed"], "-o", out).code == 0
    made, kept = ([path.relative_to(root) for path in sorted(root.rglob("*.dcm"))] for root in (out, SAMPLE))
    assert made == kept
    assert (out / "truth.json").read_text() == (SAMPLE / "truth.json").read_text()
    assert pixel_hash(out) == pixel_hash(SAMPLE)


def test_the_study_is_small_and_has_what_it_must_show():
    assert sum(path.stat().st_size for path in SAMPLE.rglob("*") if path.is_file()) < 8e6
    assert [f["height_loss_pct"] for f in TRUTH["fractures"]] == [pytest.approx(35, abs=1)]
    assert len(TRUTH["marrow_lesions"]) == len(TRUTH["sac_narrowings"]) == 1
    assert sorted(path.name for path in SAMPLE.iterdir() if path.is_dir()) == ["2_T1w", "3_STIR", "4_T2w"]
