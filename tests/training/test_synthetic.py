"""Which parts of painted subjects are looked at."""

from __future__ import annotations

import numpy as np
import torch

from spinemri.synthesis.tissue import Tissue
from spinemri.training import synthetic
from spinemri.training.synthetic import collapsed, cut_patch, narrowed, with_cord_lesion


def straight_sac(dent: slice) -> np.ndarray:
    """Tissue (x, z, a) of a straight sac 14 mm deep that a dent narrows to 6 mm."""
    tissue = np.full((24, 300, 120), int(Tissue.MUSCLE), dtype=np.uint8)
    tissue[8:16, :, 50:64] = int(Tissue.CSF)
    tissue[8:16, dent, 50:58] = int(Tissue.LIGAMENT)
    return tissue


def test_a_dent_of_the_sac_is_where_it_is_narrow():
    places = narrowed(straight_sac(slice(140, 147)))
    assert places[:, 0].tolist() == list(range(140, 147))
    assert set(places[:, 1].tolist()) <= {60, 61}
    assert len(narrowed(straight_sac(slice(0, 0)))) == 0


def test_patches_show_the_dent_more_often_than_chance(monkeypatch):
    volume = {"tissue": straight_sac(slice(20, 27)), "level": np.zeros((24, 300, 120), dtype=np.uint8)}
    shown = []
    for share in (0.0, 1.0):
        monkeypatch.setattr(synthetic, "_NARROWED", share)
        rng = np.random.default_rng(1)
        patches = [cut_patch(volume, rng, (64, 64), 3).tissue for _ in range(60)]
        shown.append(sum(bool((tissue == int(Tissue.LIGAMENT)).any()) for tissue in patches))
    assert shown[1] > 1.5 * shown[0] > 0


def test_a_body_much_smaller_than_its_neighbours_is_looked_at(monkeypatch):
    tissue = np.full((24, 400, 120), int(Tissue.MUSCLE), dtype=np.uint8)
    level = np.zeros_like(tissue)
    for n in range(9):
        high = 14 if n == 5 else 28
        where = np.s_[6:18, 20 + 40 * n : 20 + 40 * n + high, 40:75]
        tissue[where], level[where] = int(Tissue.MARROW), 12 + n
    (found,) = collapsed(tissue, level)
    assert found == (20 + 40 * 5 + 6.5, 57.0)
    shown = []
    for share in (0.0, 1.0):
        monkeypatch.setattr(synthetic, "_BROKEN", share)
        rng = np.random.default_rng(1)
        patches = [cut_patch({"tissue": tissue, "level": level}, rng, (64, 64), 3).level for _ in range(60)]
        shown.append(sum(bool((cut == 17).any()) for cut in patches))
    assert shown[1] > 1.5 * shown[0] > 0


def test_a_lesion_changes_the_cord_alone():
    kinds = torch.full((40, 60, 6), int(Tissue.CSF))
    kinds[14:22, :, 1:5] = int(Tissue.CORD)
    values = torch.zeros(int(Tissue.CISTERN) + 1)
    values[int(Tissue.CSF)], values[int(Tissue.CORD)] = 1.0, 0.4
    rng = np.random.default_rng(4)
    drawn = [with_cord_lesion(values[kinds], kinds, values, rng) for _ in range(20)]
    changed = [signal != values[kinds] for signal in drawn]
    assert all(3 < where.sum() < (kinds == int(Tissue.CORD)).sum() / 2 for where in changed)
    assert not any((where & (kinds != int(Tissue.CORD))).any() for where in changed)
    assert len({float(signal[where].mean()) for signal, where in zip(drawn, changed, strict=True)}) == 20
    nothing = torch.full((8, 8, 4), int(Tissue.CSF))
    assert torch.equal(with_cord_lesion(values[nothing], nothing, values, rng), values[nothing])
