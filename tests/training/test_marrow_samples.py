"""Samples of the lesion network: what a sequence shows of a change, what is known of a voxel, and what repeats."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from scipy import ndimage

from spinemri.errors import InputError
from spinemri.lesion import MarrowChange as Kind
from spinemri.segment.lesion_input import ANATOMY, CHANNELS
from spinemri.series import Contrast
from spinemri.synthesis.changes import Substance, draw_substance, substance_signal
from spinemri.synthesis.deposits import Deposit, step
from spinemri.synthesis.marrow_changes import SURE, UNKNOWN, Changes, kind_map
from spinemri.synthesis.random_subject import random_volume
from spinemri.synthesis.signal import PROTOCOLS, mixed_signal
from spinemri.synthesis.tissue import BODY, CORD, DISC, POSTERIOR, RELAXATION, SAC, SACRUM, Tissue
from spinemri.synthesis.vertebra_grid import find_vertebrae
from spinemri.training.implant import RealScene
from spinemri.training.marrow_samples import (
    MarrowSamples,
    _as_drawn,
    _of_slices,
    anatomy_channels,
    sample_of,
    synthetic_sample,
)
from spinemri.training.marrow_scenes import (
    Scene,
    _channel_signal,
    protocols_of,
    random_changes,
    random_channels,
    random_marrow,
    render_channels,
    without_invisible,
)
from spinemri.training.volumes import write_volumes
from tests.synthesis.test_deposits import SHAPE, SPACING, column

if TYPE_CHECKING:
    from pathlib import Path

TISSUE_OF_CLASS = np.array(
    [Tissue.MUSCLE, Tissue.MARROW, Tissue.POSTERIOR_MARROW, Tissue.ANNULUS, Tissue.CSF, Tissue.CORD]
)
MARROW = RELAXATION[Tissue.MARROW]
LAYERS = 12
SIZE = (6, 96, 112)
WHOLE = (slice(0, LAYERS), slice(0, SHAPE[1]), slice(0, SHAPE[2]))
T1W, STIR, T2W = (PROTOCOLS[c] for c in (Contrast.T1W, Contrast.STIR, Contrast.T2W))


@cache
def volume() -> dict[str, np.ndarray]:
    """The built column as a painted volume (x, z, a), each slice twice."""
    made = column()
    arrays = {"tissue": TISSUE_OF_CLASS[made.classes].astype(np.uint8), "level": made.levels}
    return {name: np.repeat(values, 2, axis=0).transpose(0, 2, 1).copy() for name, values in arrays.items()}


def lesion(kind: Kind, radius: float = 10.0, substance: Substance | None = None) -> Deposit:
    """A ball in the middle body, its edge 2 mm soft."""
    made = column()
    away = np.sqrt(made.up**2 + (made.front - 15) ** 2 + made.x**2)
    share = (step(radius - away, 1.0) * (made.levels == 5))[:LAYERS]
    return Deposit(kind, WHOLE, share, substance or draw_substance(kind, np.random.default_rng(2)), 0.05)


def changes(*deposits: Deposit) -> Changes:
    return Changes(deposits, kind_map(deposits, (LAYERS, *SHAPE[1:])))


def painted(*deposits: Deposit, fat: float = 0.42) -> Scene:
    made = column()
    tissue = TISSUE_OF_CLASS[made.classes[:LAYERS]].astype(np.uint8)
    return Scene(tissue, made.levels[:LAYERS], changes(*deposits), MARROW._replace(fat=fat), 77, 2)


def number(kind: Kind) -> int:
    return 1 + list(Kind).index(kind)


ABSENT = [("T1w", "STIR"), ("T2w",), ("T1w", "STIR", "T2w", "T1w-post"), ("STIR", "fat-fraction"), ("T1w", "ADC")]


@pytest.mark.parametrize("shown", ABSENT, ids="+".join)
def test_a_sample_has_its_sequences_and_its_anatomy_and_nothing_else(shown: tuple[str, ...]) -> None:
    for seed in range(3):
        image, kinds = synthetic_sample(volume(), SIZE, np.random.default_rng(seed), shown)
        assert image.shape == (len(CHANNELS) + len(ANATOMY), *SIZE)
        assert kinds.shape == SIZE
        assert image.dtype == torch.float32
        assert kinds.dtype == torch.int64
        assert bool(torch.isfinite(image).all())
        assert set(kinds.unique().tolist()) <= {*range(len(Kind) + 1), UNKNOWN}
        filled = {name for n, name in enumerate(CHANNELS) if image[n].any()}
        assert filled == set(shown)
        anatomy = image[len(CHANNELS) :]
        assert set(anatomy.unique().tolist()) == {0.0, 1.0}
        assert float(anatomy.sum(dim=0).max()) == 1, "a voxel is one structure"


def test_sequences_are_relative_to_marrow() -> None:
    """Logarithms: healthy marrow lies around 0, and nothing is further away than they are cut at."""
    levels = []
    for seed in range(8):
        image, kinds = synthetic_sample(volume(), SIZE, np.random.default_rng(seed), ("T1w", "STIR"))
        body = (image[len(CHANNELS)] == 1) & (kinds == 0)
        levels += [abs(float(image[n][body].median())) for n in range(2) if body.sum() > 3000]
        assert float(image[:2].abs().max()) < 2.5 * 1.6 + 0.4
    assert len(levels) > 6
    assert np.median(levels) < 0.2


def test_anatomy_channels_mark_each_structure_and_the_cord_as_sac() -> None:
    classes = np.arange(7, dtype=np.uint8)[None, :, None].repeat(3, axis=2)
    marked = anatomy_channels(classes)
    assert marked.shape == (5, 1, 7, 3)
    where = {n: set(np.flatnonzero(marked[n, 0, :, 0].numpy())) for n in range(5)}
    assert where == {0: {BODY}, 1: {POSTERIOR}, 2: {DISC}, 3: {SAC, CORD}, 4: {SACRUM}}
    assert set(marked.unique().tolist()) == {0.0, 1.0}


def test_what_lies_beyond_the_volume_is_unknown_and_dark() -> None:
    seen = 0
    for seed in range(8):
        image, kinds = synthetic_sample(volume(), SIZE, np.random.default_rng(seed), ("T1w",))
        beyond = (image[0] == 0).all(dim=0)
        assert (kinds[:, beyond] == UNKNOWN).all()
        seen += int(beyond.sum())
    assert seen > 1000


SIGNS = [
    (Kind.TUMOUR, {"T1w": -1, "STIR": 1}),
    (Kind.FAT, {"T1w": 1, "STIR": -1}),
    (Kind.SCLEROTIC, {"T1w": -1, "STIR": -1, "T2w": -1}),
    (Kind.HAEMANGIOMA, {"T1w": 1, "T2w": 1}),
    (Kind.ATYPICAL_HAEMANGIOMA, {"STIR": 1, "T2w": 1}),
    (Kind.DISCITIS, {"T1w": -1, "STIR": 1, "T2w": 1, "T1w-post": 1, "fat-fraction": -1, "ADC": 1}),
]


@pytest.mark.parametrize(("kind", "signs"), SIGNS, ids=[row[0].name for row in SIGNS])
def test_every_sequence_of_a_scene_shows_the_change(kind: Kind, signs: dict[str, int]) -> None:
    scene = painted(lesion(kind))
    known = scene.changes.kinds.reshape(6, 2, *SHAPE[1:])[:, 0]
    inside = np.isin(known, number(kind))
    ring = (scene.level[::2] == 5) & (scene.tissue[::2] == Tissue.MARROW) & (known == 0)
    inside &= np.arange(6)[:, None, None] == 3
    ring &= np.arange(6)[:, None, None] == 3
    assert inside.sum() > 150
    right = dict.fromkeys(signs, 0)
    for seed in range(6):
        images, kinds = render_channels(scene, tuple(signs), np.random.default_rng(seed))
        assert np.array_equal(kinds, scene.changes.kinds)
        for name, sign in signs.items():
            image = images[name].numpy()
            assert image.shape == (6, *SHAPE[1:])
            right[name] += bool((np.median(image[inside]) - np.median(image[ring])) * sign > 0)
    assert min(right.values()) >= 5, right  # noise may hide one where both are nearly nulled


def test_marrow_has_the_persons_signal_on_every_sequence() -> None:
    """Two-pool marrow of one person: exactly the signal equations, arches a little fattier; mottle follows fat."""
    for fat in (0.2, 0.65):
        scene = painted(fat=fat)
        body, arch = (scene.tissue == int(t) for t in (Tissue.MARROW, Tissue.POSTERIOR_MARROW))
        for name, protocol in (("T1w", T1W), ("STIR", STIR)):
            rng = np.random.default_rng(3)
            found = _channel_signal(scene, name, protocol, np.zeros(scene.tissue.shape), rng)
            assert np.allclose(found[body], mixed_signal(scene.marrow, protocol), rtol=1e-5)
            assert np.allclose(found[arch], mixed_signal(scene.marrow._replace(fat=fat + 0.06), protocol), rtol=1e-5)
            more = _channel_signal(scene, name, protocol, np.full(scene.tissue.shape, 0.05), np.random.default_rng(3))
            fatter = mixed_signal(scene.marrow._replace(fat=fat + 0.05), protocol)
            assert np.allclose(more[body], fatter, rtol=1e-4)
    fraction, diffusion = (
        _channel_signal(painted(), name, None, np.zeros(painted().tissue.shape), np.random.default_rng(0))
        for name in ("fat-fraction", "ADC")
    )
    scene = painted()
    assert np.allclose(fraction[scene.tissue == Tissue.MARROW], 0.44)
    assert fraction[scene.tissue == Tissue.CSF].max() < 0.1
    assert diffusion[scene.tissue == Tissue.CSF].min() > 5 * diffusion[scene.tissue == Tissue.MARROW].max()


def test_changes_that_look_like_marrow_are_unknown_where_nothing_shows_them() -> None:
    like = lesion(Kind.RED_MARROW, 6.0, Substance(MARROW, 0.0, 0.45))
    both = changes(lesion(Kind.TUMOUR, 10.0), like)
    sure = like.share > SURE
    shown = without_invisible(both, {"T1w": T1W, "STIR": STIR}, MARROW)
    assert (both.kinds[sure] == number(Kind.RED_MARROW)).all()
    assert (shown.kinds[sure] == UNKNOWN).all()
    assert np.array_equal(shown.kinds[~sure], both.kinds[~sure]), "the visible one stays"
    mapped = without_invisible(both, {"T1w": T1W}, MARROW, extra=("ADC",))
    assert np.array_equal(mapped.kinds, both.kinds)


def test_a_change_is_taught_on_the_sequence_that_shows_it_only() -> None:
    bright = Substance(MARROW._replace(t2=MARROW.t2 * 2.2), 0.0, 0.45)
    for protocol, seen in ((T1W, False), (T2W, True)):
        apart = abs(substance_signal(bright, protocol) / mixed_signal(MARROW, protocol) - 1)
        assert (apart > 0.3) is seen
        known = changes(lesion(Kind.MODIC_1, substance=bright))
        found = without_invisible(known, {"one": protocol}, MARROW).kinds
        sure = known.deposits[0].share > SURE
        assert (found[sure] == (number(Kind.MODIC_1) if seen else UNKNOWN)).all()


def test_invisible_changes_reach_the_sample_as_unknown() -> None:
    scene = painted(lesion(Kind.RED_MARROW, substance=Substance(MARROW, 0.0, 0.45)))
    _, kinds = render_channels(scene, ("T1w", "T2w"), np.random.default_rng(1))
    assert set(np.unique(kinds)) == {0, UNKNOWN}
    _, kinds = render_channels(scene, ("T1w", "ADC"), np.random.default_rng(1))
    assert number(Kind.RED_MARROW) in kinds


def test_a_slice_is_what_all_of_its_layers_are() -> None:
    layers = np.zeros((4, 2, 3), dtype=np.uint8)
    layers[0, 0] = layers[1, 0] = 5
    layers[2, 1], layers[3, 1, 0] = 7, 7
    layers[2:, 0, 0] = UNKNOWN
    found = _of_slices(layers)
    assert found.shape == (2, 2, 3)
    assert found[0].tolist() == [[5, 5, 5], [0, 0, 0]]
    assert found[1].tolist() == [[UNKNOWN, 0, 0], [7, UNKNOWN, UNKNOWN]]


def test_masks_are_drawn_a_little_off_and_sometimes_without_part_of_a_change() -> None:
    made = column()
    change = lesion(Kind.TUMOUR)
    kinds = changes(change).kinds
    classes = made.classes[:LAYERS]
    deep = ndimage.distance_transform_edt(classes == BODY, sampling=(100, 1, 1)) > 5
    beyond = ndimage.distance_transform_edt(classes != BODY, sampling=(100, 1, 1)) > 5
    lost, moved = 0, 0
    for seed in range(30):
        drawn = _as_drawn(classes, kinds, np.random.default_rng(seed))
        gone = deep & (drawn != BODY)
        assert (kinds[gone] == number(Kind.TUMOUR)).all(), "only within a change"
        assert not (drawn[gone] != 0).any()
        assert not (drawn == BODY)[beyond].any()
        lost += bool(gone.any())
        moved += not np.array_equal(drawn[kinds == 0], classes[kinds == 0])
    assert 3 <= lost <= 18
    assert moved > 20
    assert np.array_equal(classes, column().classes[:LAYERS])
    whole = _as_drawn(classes, np.full_like(kinds, UNKNOWN), np.random.default_rng(0))
    assert (whole[deep] == BODY).all(), "an unknown voxel is no change"


def test_a_sample_is_turned_with_its_target() -> None:
    """Slices come in either order, image and kinds together: the marked slice is the bright one."""
    classes = column().classes[:6]
    image = torch.full((6, *SHAPE[1:]), 100.0)
    image[0] *= 3
    kinds = np.zeros((6, *SHAPE[1:]), dtype=np.uint8)
    kinds[0] = 3
    first = set()
    for seed in range(10):
        found, target = sample_of({"T1w": image}, classes, kinds, np.random.default_rng(seed))
        marked = int((target == 3).float().mean((1, 2)).argmax())
        assert int(found[0].mean((1, 2)).argmax()) == marked
        first.add(marked)
    assert first == {0, 5}


def test_changes_come_as_often_as_they_should() -> None:
    made = column()
    rng = np.random.default_rng(5)
    drawn = [random_changes(find_vertebrae(made.classes, made.levels, SPACING), SHAPE, rng) for _ in range(60)]
    none = np.mean([not scene.deposits for scene in drawn])
    assert 0.03 < none < 0.25
    assert all(bool(scene.kinds.any()) == bool(scene.deposits) for scene in drawn)
    first = [deposit.kind for scene in drawn for deposit in scene.deposits]
    assert max(set(first), key=first.count) is Kind.TUMOUR
    assert len(set(first)) > 12
    empty = random_changes({}, SHAPE, rng)
    assert not empty.deposits
    assert not empty.kinds.any()


def test_studies_and_people_vary_within_what_there_is() -> None:
    rng = np.random.default_rng(0)
    sets = [random_channels(rng) for _ in range(300)]
    assert set().union(*sets) == set(CHANNELS)
    assert all(len(set(names)) == len(names) for names in sets)
    assert 0.4 < np.mean([{"T1w", "STIR"} <= set(names) for names in sets]) < 0.75
    fats = [random_marrow(rng).fat for _ in range(200)]
    assert min(fats) >= 0.16
    assert max(fats) <= 0.72
    assert np.mean(fats) == pytest.approx(0.42, abs=0.04)
    protocols = [protocols_of(("T1w", "STIR", "fat-fraction", "ADC"), rng) for _ in range(60)]
    assert all(set(found) == {"T1w", "STIR"} for found in protocols)
    assert 0.5 < np.mean([found["STIR"].inversion_time is not None for found in protocols]) < 0.95


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    np.savez(tmp_path / "000001.npz", **volume())
    return tmp_path


def backgrounds() -> tuple[RealScene, ...]:
    made = column()
    image = np.array([200, 300, 320, 150, 800, 400], dtype=np.float32)[made.classes]
    image *= 1 + 0.05 * np.random.default_rng(1).standard_normal(SHAPE).astype(np.float32)
    return (RealScene({"T2w": image}, made.classes, made.levels, 4.0),)


def test_samples_repeat_with_their_seed_and_differ_with_another(folder: Path) -> None:
    one, same, other = (list(islice(MarrowSamples(folder, [backgrounds()], 2, seed), 5)) for seed in (3, 3, 4))
    for (image, kinds), (again, known) in zip(one, same, strict=True):
        assert torch.equal(image, again)
        assert torch.equal(kinds, known)
    assert not all(a.shape == b.shape and torch.equal(a, b) for (a, _), (b, _) in zip(one, other, strict=True))


def test_half_of_the_samples_have_a_real_background(folder: Path) -> None:
    """Only the real scene here has a sacrum, in the place of its arches."""
    (scene,) = backgrounds()
    sacral = replace(scene, classes=np.where(scene.classes == POSTERIOR, SACRUM, scene.classes).astype(np.uint8))
    for real, least, most in (((sacral,), 6, 18), ((), 0, 0)):
        drawn = islice(MarrowSamples(folder, [real], seed=1), 24 if real else 6)
        seen = [bool(image[0, -1].any()) for image, _ in drawn]
        assert least <= sum(seen) <= most


def test_a_folder_without_volumes_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.npz").touch()
    (tmp_path / "000003.partial.npz").touch()  # one that is just being painted
    with pytest.raises(InputError, match="no painted volumes; paint some with --paint"):
        MarrowSamples(tmp_path)


def test_plain_volumes_hold_no_lesion_and_are_painted_once(tmp_path: Path) -> None:
    subject, _ = random_volume(10, (5.0, 3.0, 3.0))
    assert subject.pathology.lesions, "this seed draws one"
    assert write_volumes(tmp_path, [10], plain=True) == 1
    assert write_volumes(tmp_path, [10], plain=True) == 0
    with np.load(tmp_path / "000010.npz") as stored:
        assert set(stored) == {"tissue", "level"}
        assert (stored["tissue"] == int(Tissue.MARROW)).sum() > 10_000
        assert not (stored["tissue"] == int(Tissue.LESION)).any()
    assert not list(tmp_path.glob("*partial*"))
