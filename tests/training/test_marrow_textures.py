"""Patterns of marrow are carried by the bodies' own axes, stay inside bodies, and change nothing that is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spinemri.synthesis.tissue import BODY
from spinemri.synthesis.vertebra_grid import find_vertebrae
from spinemri.training.implant import RealScene, implanted
from spinemri.training.marrow_samples import MarrowSamples, synthetic_sample
from spinemri.training.marrow_textures import _GRID, _STRONGEST, textures_of, woven
from spinemri.training.volumes import write_volumes
from tests.synthesis.test_deposits import SHAPE, SPACING, column
from tests.training.test_implant import SIZE, scene
from tests.training.test_marrow_samples import volume

RNG = np.random.default_rng


def banded(strength=0.3):
    """The built column, its bodies brighter in front by up to twice ``strength`` (natural logarithm)."""
    made = column()
    image = np.full(SHAPE, 400.0, dtype=np.float32)
    for vertebra in find_vertebrae(made.classes, made.levels, SPACING).values():
        image[vertebra.window] *= np.where(vertebra.body, np.exp(strength * (2 * vertebra.v / vertebra.depth - 1)), 1)
    return RealScene({"T2w": image}, made.classes, made.levels, SPACING[0])


def test_a_pattern_is_what_lies_in_the_body_along_its_own_axes():
    found = textures_of(banded())
    assert len(found) >= 2
    for pattern in found:
        assert pattern.shape == _GRID
        along = pattern.mean(axis=(0, 2))
        assert np.all(np.diff(along[2:-2]) > 0), "brighter towards the front"
        assert along[-2] - along[1] == pytest.approx(0.6, abs=0.15)
        assert np.abs(pattern.mean(axis=(0, 1)) - pattern.mean()).max() < 0.05, "alike from endplate to endplate"


def test_a_flat_body_has_a_flat_pattern_and_one_that_does_not_show_has_none():
    flat = replace(scene(), images={"T2w": np.full(SHAPE, 300.0, dtype=np.float32)})
    assert all(np.abs(pattern).max() < 1e-5 for pattern in textures_of(flat))
    assert textures_of(replace(flat, images={"T2w": np.zeros(SHAPE, dtype=np.float32)})) == []


def test_a_body_with_much_that_is_no_marrow_gives_no_pattern():
    given = banded()
    image = given.images["T2w"].copy()
    image[:, :, : SHAPE[2] // 2] = 1.0  # dark as air
    kept = textures_of(replace(given, images={"T2w": image}))
    assert len(kept) < len(textures_of(given))


def test_what_is_woven_stays_inside_bodies_and_is_no_stronger_than_allowed():
    made = column()
    patterns = textures_of(banded(0.35))
    vertebrae = find_vertebrae(made.classes, made.levels, SPACING)
    fields = [woven(vertebrae, SHAPE, patterns, RNG(seed)) for seed in range(8)]
    assert any(field.any() for field in fields)
    for field in fields:
        assert not field[made.classes != BODY].any()
        for vertebra in vertebrae.values():
            assert field[vertebra.window][vertebra.body].std() <= _STRONGEST * 1.2


def test_a_woven_pattern_lies_as_it_lay():
    """Front to back is kept whatever is mirrored; the pattern is brighter in front, and so is what it is woven into."""
    made = column()
    pattern = np.broadcast_to(np.linspace(-0.2, 0.2, _GRID[1], dtype=np.float32)[None, :, None], _GRID)
    field = sum(
        woven(find_vertebrae(made.classes, made.levels, SPACING), SHAPE, [pattern], RNG(seed)) for seed in range(6)
    )
    vertebra = find_vertebrae(made.classes, made.levels, SPACING)[5]
    inner, v = vertebra.body & (vertebra.inside() > 2), vertebra.v / vertebra.depth
    assert field[vertebra.window][inner & (v > 0.7)].mean() > 0.02
    assert field[vertebra.window][inner & (v < 0.3)].mean() < -0.02


def test_without_patterns_nothing_changes():
    made = column()
    assert not woven(find_vertebrae(made.classes, made.levels, SPACING), SHAPE, [], RNG(1)).any()


@pytest.mark.parametrize("seed", range(3))
def test_patterns_change_the_marrow_of_samples_and_not_what_is_known_of_it(seed):
    patterns = textures_of(banded(0.4))
    plain, known = synthetic_sample(volume(), SIZE, RNG(seed), ("T1w",))
    _, same = synthetic_sample(volume(), SIZE, RNG(seed), ("T1w",), patterns)
    assert plain.shape[1:] == known.shape == same.shape
    images, classes, kinds = implanted(scene(), SIZE, RNG(seed), patterns)
    assert all(image.shape == classes.shape == kinds.shape for image in images.values())


def test_samples_take_their_patterns_from_all_real_images(tmp_path):
    write_volumes(tmp_path, [1], plain=True)
    samples = MarrowSamples(tmp_path, [[banded(0.2)], [banded(0.3), scene()]])
    assert len(samples.textures) == len(textures_of(banded(0.2))) + len(textures_of(banded(0.3))) + len(
        textures_of(scene())
    )
