"""The small network learns kinds from examples, starts from the evidence, and is written for the weights it fits."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from itertools import repeat
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from spinemri.errors import InputError
from spinemri.lesion import MarrowChange as Kind
from spinemri.segment.bundle import bundle_path
from spinemri.segment.candidates import KINDS
from spinemri.segment.lesion_kinds import FEATURES
from spinemri.segment.lesion_model import LesionModel, load_lesion_model
from spinemri.synthesis.marrow_changes import UNKNOWN
from spinemri.training.lesion_kinds import fit_kinds, kind_examples, write_kinds
from tests.segment.test_candidates import MODEL
from tests.segment.test_lesion_kinds import volume

if TYPE_CHECKING:
    from pathlib import Path

SOME = [KINDS.index(kind) for kind in (Kind.TUMOUR, Kind.MODIC_1, Kind.PAGET)]


@dataclass
class Known:
    """Stands in for the network: says 'tumour-like' wherever something is changed, and in one place too many."""

    model: LesionModel
    truth: np.ndarray

    def probabilities(self, _: torch.Tensor) -> np.ndarray:
        found = np.zeros((1 + len(KINDS), *self.truth.shape), dtype=np.float32)
        changed = self.truth > 0
        changed[0, 5:11, 5:11] = True
        found[1, changed] = 0.9
        found[0] = 1 - found[1:].sum(axis=0)
        return found


def test_examples_are_candidates_with_the_kind_that_most_of_them_is() -> None:
    truth = np.zeros((5, 60, 90), dtype=np.int64)
    truth[1:3, 30:40, 55:65] = 1 + KINDS.index(Kind.MODIC_1)
    truth[3:5, 30:40, 20:30] = 1 + KINDS.index(Kind.PAGET)
    truth[3:5, 30:32, 20:30] = 1 + KINDS.index(Kind.SCLEROTIC)
    truth[1, 5:15, 70:80] = UNKNOWN
    sample = torch.from_numpy(volume(T1w=0.2))[None], torch.from_numpy(truth)[None]
    features, kinds = kind_examples(repeat(sample), Known(MODEL, truth), 4)
    assert features.shape == (4, len(FEATURES))
    assert kinds.tolist() == [KINDS.index(Kind.MODIC_1), KINDS.index(Kind.PAGET)] * 2
    assert np.allclose(features[0], features[2])


def examples(count: int = 600, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """The evidence is for tumour always; what the kind is, two other features tell, one of them not linearly."""
    rng = np.random.default_rng(seed)
    features = rng.normal(0, 0.1, (count, len(FEATURES)))
    features[:, : len(KINDS)] = np.log(0.005)
    features[:, 0] = 0
    kinds = np.array(SOME)[rng.integers(len(SOME), size=count)]
    features[:, -1] = np.where(kinds == SOME[1], 1.0, 0.0) + rng.normal(0, 0.15, count)
    features[:, -2] = np.where(kinds == SOME[2], rng.choice([-1.0, 1.0], count), 0.0) + rng.normal(0, 0.15, count)
    return features, kinds


def test_kinds_are_learnt_from_features_that_the_evidence_does_not_show() -> None:
    model = fit_kinds(examples())
    features, kinds = examples(seed=1)
    said = np.array([int(model.shares(one).argmax()) for one in features])
    assert (said == kinds).mean() > 0.8
    assert (features[:, : len(KINDS)].argmax(axis=1) == kinds).mean() < 0.5


def test_the_same_examples_give_the_same_network_and_none_are_refused() -> None:
    one, same = fit_kinds(examples(120)), fit_kinds(examples(120))
    assert np.array_equal(one.out, same.out)
    with pytest.raises(InputError, match="no example"):
        fit_kinds((np.zeros((0, len(FEATURES))), np.zeros(0, dtype=int)))


def test_what_is_written_is_read_with_the_bundle(tmp_path: Path) -> None:
    folder = tmp_path / "own"
    shutil.copytree(bundle_path("marrow_lesion"), folder)
    fitted = fit_kinds(examples(120))
    write_kinds(load_lesion_model(folder), fitted)
    found = load_lesion_model(folder).kinds
    features, _ = examples(20)
    for one in features:
        assert np.allclose(found.shares(one), fitted.shares(one), atol=2e-3)
    assert not list(folder.rglob("*.part"))
