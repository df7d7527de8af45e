"""A whole study gives the same report with its networks on a GPU as on the CPU; skipped where there is no GPU."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from spinemri.networks import load_networks
from spinemri.pipeline import Options, analyze

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device on this machine")
SAMPLE = Path(__file__).parents[2] / "sample_data"
OPTIONS = Options(token_key=b"same on a device")


@pytest.fixture(scope="module")
def analyses():
    return [analyze(SAMPLE, load_networks(device), OPTIONS).analysis for device in ("cpu", "cuda")]


def test_levels_and_findings_are_the_same(analyses):
    one, two = analyses
    assert one.spine.levels == two.spine.levels
    said = [{f.id: (f.certainty, f.grade) for f in a.findings} for a in analyses]
    assert said[0].keys() == said[1].keys()
    differ = [id_ for id_ in said[0] if said[0][id_] != said[1][id_]]
    assert len(differ) <= 0.02 * len(said[0]), differ


def test_heights_differ_by_less_than_a_fifth_of_a_millimetre(analyses):
    heights = [{m.id: m.value for m in a.measurements if m.name.endswith("_height") and m.level} for a in analyses]
    known = [id_ for id_, value in heights[0].items() if value is not None and heights[1].get(id_) is not None]
    assert len(known) >= 10
    assert (
        max(abs(heights[0][id_] - heights[1][id_]) for id_ in known) < 0.2
    )  # 0.14 mm was seen on an H200: float16 there, bfloat16 here


def test_lesions_are_the_same(analyses):
    one, two = ([(lesion.levels, lesion.seen_in) for lesion in a.lesions] for a in analyses)
    assert one == two
    for left, right in zip(*(a.lesions for a in analyses), strict=True):
        assert left.probability == pytest.approx(right.probability, abs=0.05)
