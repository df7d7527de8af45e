"""The same study gives the same numbers: bit for bit on one machine, alone or in a batch, within 10 % over threads.

The bundled networks on five slices of the sample study; ``docs/reliability_determinism.py`` measures the whole of it.
"""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest
import torch

from spinemri.batch.run import analyze_many
from spinemri.evaluate.repeat import apart
from spinemri.networks import Networks, default_predictor
from spinemri.pipeline import Options, analyze
from tests.batch import small_study

ROOT = Path(__file__).resolve().parents[1]
OPTIONS = Options(token_key=b"0123456789abcdef")


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("study")
    for path in sorted((ROOT / "sample_data" / "4_T2w").iterdir())[6:11]:
        shutil.copy(path, folder)
    return folder


@pytest.fixture(scope="module")
def networks():
    threads = torch.get_num_threads()
    yield Networks(default_predictor(None, "cpu", 1))
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def first(study, networks):
    return analyze(study, networks, OPTIONS)


def test_the_same_again_after_another_study_is_equal(study, networks, first):
    networks.anatomy.predict(small_study.study_image(3))
    found = apart(first, analyze(study, networks, OPTIONS))
    assert found.equal, found


def test_a_batch_of_several_gives_the_numbers_of_each_alone(study, networks, first, tmp_path):
    """The studies of a batch are read, seen and measured side by side in threads of one process."""
    shutil.copytree(study, tmp_path / "cohort" / "a")
    (tmp_path / "cohort" / "b").mkdir()
    for path in sorted((ROOT / "sample_data" / "4_T2w").iterdir())[5:10]:
        dataset = pydicom.dcmread(path)
        dataset.StudyInstanceUID, dataset.SeriesInstanceUID = "1.2.3.4711", "1.2.3.4711.1"
        dataset.save_as(tmp_path / "cohort" / "b" / path.name)
    alone = [first.analysis, analyze(tmp_path / "cohort" / "b", networks, OPTIONS).analysis]
    found = {one.study: one for one in analyze_many(tmp_path / "cohort", lambda: networks, OPTIONS)}
    assert len(found) == 2
    for one in alone:
        other = found[one.study]
        assert one.measurements
        assert (one.measurements, one.findings, one.spine) == (other.measurements, other.findings, other.spine)


def test_other_threads_change_no_name_and_numbers_by_ten_percent_at_most(study, networks, first):
    """Half precision rounds differently with other threads: borders move by voxels, in float32 they do not."""
    torch.set_num_threads(2)
    try:
        found = apart(first, analyze(study, networks, OPTIONS))
    finally:
        torch.set_num_threads(1)
    assert found.words == ()
    assert found.relative <= 0.1, found
    assert found.voxels <= 0.005, found


def saying(case, statement):
    """A study of which the first finding says something else."""
    finding, *others = case.analysis.findings
    findings = (finding.model_copy(update={"statement": statement}), *others)
    return replace(case, analysis=case.analysis.model_copy(update={"findings": findings}))


def test_what_lies_apart_is_found(first):
    """A word, a number and a voxel that are changed, each alone."""
    analysis = first.analysis
    measurement = next(m for m in analysis.measurements if m.value)
    n = analysis.measurements.index(measurement)
    more = measurement.model_copy(update={"value": measurement.value * 1.1})
    changed = (*analysis.measurements[:n], more, *analysis.measurements[n + 1 :])
    number = apart(first, replace(first, analysis=analysis.model_copy(update={"measurements": changed})))
    assert number.relative == pytest.approx(0.1 / 1.1)
    assert number.where == f"measurements.{n}.value"
    word = apart(first, replace(first, analysis=analysis.model_copy(update={"patient": "other"})))
    assert (word.words, word.relative) == (("patient",), 0)
    here = saying(first, "L1: 2 % lost")
    elsewhere, more_lost = (apart(here, saying(first, text)) for text in ("L2: 2 % lost", "L1: 3 % lost"))
    assert (elsewhere.words, elsewhere.rounded) == (("findings.0.statement",), ())
    assert (more_lost.words, more_lost.rounded) == ((), ("findings.0.statement",))
    assert not elsewhere.equal
    assert not more_lost.equal
    (mask,) = first.segmentations
    voxels = mask.voxels.copy()
    voxels[tuple(np.argwhere(voxels)[0])] = 0
    voxel = apart(first, replace(first, segmentations=(replace(mask, voxels=voxels),)))
    assert voxel.voxels == pytest.approx(1 / np.count_nonzero(mask.voxels))
    assert not voxel.equal
