from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from spinemri.errors import InputError
from spinemri.synthesis import morphometry as sizes
from spinemri.synthesis.meshes import load_shapes
from spinemri.synthesis.shapes import FAR, STEP, template

SHAPES = Path(__file__).resolve().parents[2].parent / "shared" / "shapes"


def block_vertebra(canal: tuple[float, float] = (16.0, 22.0), height: float = 25.0, reach: float = 24.0) -> np.ndarray:
    """Body, canal with a 5 mm wall in the upper part of its height, and a spinous plate, in mm; axes (x, f, d)."""
    x = (np.arange(101) - 50) * STEP
    f = (np.arange(140) - 80) * STEP  # posterior wall at 0
    d = (np.arange(60) - 10) * STEP
    x, f, d = np.meshgrid(x, f, d, indexing="ij")
    deep, wide = canal
    body = (np.abs(x) < 20) & (f > -STEP / 2) & (f < 30) & (d > 0) & (d < height)
    ring = (np.abs(x) < wide / 2 + 5) & (f < 0) & (f > -deep - 5)
    ring &= ~((np.abs(x) < wide / 2) & (f > -deep)) & (d > 2) & (d < 18)
    spinous = (np.abs(x) < 3) & (f <= -deep) & (f > -deep - reach) & (d > 8) & (d < 20)
    return body | ring | spinous


def test_a_template_knows_canal_height_and_reach() -> None:
    found = template(block_vertebra(), "block")
    assert found.canal == pytest.approx((16.0, 22.0), abs=1.5 * STEP)
    assert found.height == pytest.approx(25.0, abs=1.5 * STEP)
    assert found.reach == pytest.approx(24.0, abs=1.5 * STEP)


def test_a_template_is_bone_behind_the_wall_and_neither_body_nor_canal() -> None:
    found = template(block_vertebra(), "block")
    points = {"spinous": (0, -30, 14), "side": (13.5, -8, 10), "canal": (0, -8, 10), "body": (0, 15, 12)}
    depth = {name: float(found.at(*(np.float32([v]) for v in point))[0]) for name, point in points.items()}
    assert depth["spinous"] == pytest.approx(2.4, abs=1.2)  # half of the plate is 3 mm
    assert depth["side"] > 1
    assert depth["canal"] < -4
    assert depth["body"] < -4
    assert float(found.at(*(np.float32([v]) for v in (0, -90, 0)))[0]) == pytest.approx(FAR)


def test_what_encloses_no_canal_is_refused() -> None:
    bone = block_vertebra()
    bone[:, :80] = False
    with pytest.raises(InputError, match="block: the mesh encloses no canal"):
        template(bone, "block")


def test_unknown_and_absent_sources_are_refused(tmp_path) -> None:
    pytest.importorskip("trimesh")
    with pytest.raises(InputError, match="'bones', expected one of RemusR9"):
        load_shapes(tmp_path, ("bones",))
    with pytest.raises(InputError, match="no folder RemusR9"):
        load_shapes(tmp_path)


def test_real_lumbar_vertebrae_have_lumbar_sizes() -> None:
    pytest.importorskip("trimesh")
    if not (SHAPES / "RemusR9").is_dir():
        pytest.skip("no meshes in ../shared/shapes")
    bank = load_shapes(SHAPES, ("RemusR9",))
    assert sorted(bank) == list(range(sizes.L1, sizes.L5 + 1))
    for (shape,) in bank.values():
        assert 24 < shape.height < 36
        assert 10 < shape.canal[0] < 20
        assert 15 < shape.canal[1] < 34
        assert 25 < shape.reach < 45
