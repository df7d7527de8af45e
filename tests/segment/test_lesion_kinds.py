"""What the whole of a candidate looks like: features of shapes made by hand, and the small network that weighs them."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from spinemri.errors import ModelError
from spinemri.lesion import MarrowChange as Kind
from spinemri.segment.candidates import KINDS, Candidate, told_apart
from spinemri.segment.lesion_input import ANATOMY, CHANNELS
from spinemri.segment.lesion_kinds import FEATURES, KindModel, features_of, kind_model
from spinemri.segment.lesion_model import KINDS_FILE, LesionModel, load_lesion_model
from tests.segment.test_lesion_model import bundle, refused

__all__ = ["bundle"]

SHAPE = (5, 60, 90)
BODY, ARCH, DISC, SAC = (len(CHANNELS) + n for n in range(4))
UPPER, GAP, LOWER = slice(50, 76), slice(42, 50), slice(16, 42)  # columns run to superior
FRONT = slice(25, 55)
EVEN = np.full(len(KINDS), 1 / len(KINDS))


def volume(**signal: float) -> np.ndarray:
    """Two bodies with a disc between them, arches behind; sequences are 0.1 in marrow where they are shown."""
    made = np.zeros((len(CHANNELS) + len(ANATOMY), *SHAPE), dtype=np.float32)
    for columns in (UPPER, LOWER):
        made[BODY, :, FRONT, columns] = 1
        made[ARCH, :, 2:12, columns] = 1
    made[DISC, :, FRONT, GAP] = 1
    made[SAC, :, 14:24] = 1
    for name, value in signal.items():
        made[CHANNELS.index(name)] = 0.1
        made[CHANNELS.index(name), :, FRONT, GAP] = value
    return made


def box(slices: slice, rows: slice, columns: slice) -> np.ndarray:
    mask = np.zeros(SHAPE, dtype=bool)
    mask[slices, rows, columns] = True
    return mask


def described(mask: np.ndarray, shown: np.ndarray, *others: np.ndarray, shares: np.ndarray = EVEN) -> dict[str, float]:
    changed = np.any([mask, *others], axis=0)
    return dict(zip(FEATURES, features_of(shown, changed, mask, shares).tolist(), strict=True))


def test_evidence_comes_first_in_the_order_of_the_kinds() -> None:
    shares = np.linspace(0, 1, len(KINDS)) / np.linspace(0, 1, len(KINDS)).sum()
    found = described(box(slice(2, 4), slice(30, 40), slice(55, 65)), volume(), shares=shares)
    assert list(found)[: len(KINDS)] == [f"evidence of {kind.value}" for kind in Kind]
    assert list(found.values())[: len(KINDS)] == sorted(list(found.values())[: len(KINDS)])
    assert found["evidence of tumour-like"] == pytest.approx(np.log(0.005))


def test_a_band_along_an_endplate_and_its_mirror_across_the_disc() -> None:
    band, mirror = (box(slice(1, 4), FRONT, columns) for columns in (slice(50, 54), slice(38, 42)))
    alone, pair = described(band, volume()), described(band, volume(), mirror)
    assert alone["along an endplate"] == pytest.approx(0.75)
    assert alone["across the disc"] == 0
    assert pair["across the disc"] == pytest.approx(4 / 5, abs=0.02), "4 of the 5 mm that are looked at"
    changed = [name for name in FEATURES if alone[name] != pair[name]]
    assert changed == ["across the disc"]
    middle = described(box(slice(1, 4), FRONT, slice(60, 64)), volume(), mirror)
    assert middle["along an endplate"] == 0
    assert alone["longer along the spine"] == pytest.approx(np.log(4 / 30))
    assert alone["area"] == pytest.approx(np.log(120))
    assert alone["slices"] == pytest.approx(np.log(3))
    assert alone["fills its box"] == 1


def test_how_much_of_which_bone_it_takes() -> None:
    whole = described(box(slice(None), FRONT, UPPER), volume())
    assert whole["share of the bodies"] == 1
    assert whole["bodies"] == 1
    assert whole["in body"] == 1
    both = box(slice(None), FRONT, slice(16, 76))
    found = described(both, volume())
    assert found["bodies"] == 2
    assert found["in disc"] == pytest.approx(8 / 60)
    assert found["in body"] == pytest.approx(52 / 60)
    behind = described(box(slice(2, 3), slice(2, 12), slice(52, 62)), volume())
    assert behind["in posterior elements"] == 1
    assert behind["bodies"] == behind["share of the bodies"] == behind["across the disc"] == 0


def test_signal_of_the_whole_of_its_rim_and_of_the_disc_beside_it() -> None:
    shown = volume(T1w=-0.7, STIR=0.9)
    mask = box(slice(1, 4), slice(30, 42), slice(50, 62))
    inner = box(slice(1, 4), slice(32, 40), slice(52, 60))
    shown[CHANNELS.index("T1w"), mask], shown[CHANNELS.index("T1w"), inner] = -1.0, 0.5
    found = described(mask, shown)
    inside = inner.sum() / mask.sum()
    assert found["T1w shown"] == found["STIR shown"] == 1
    assert found["T2w shown"] == found["T2w mean"] == found["T2w of the disc beside it"] == 0
    assert found["T1w mean"] == pytest.approx(0.5 * inside - (1 - inside), abs=1e-5)
    assert found["T1w middle less border"] == pytest.approx(1.5, abs=1e-5)
    assert found["T1w spread"] > 0.5
    assert found["STIR spread"] == pytest.approx(0, abs=1e-6)
    assert found["T1w of the disc beside it"] == pytest.approx(-0.7, abs=1e-5)
    assert found["STIR of the disc beside it"] == pytest.approx(0.9, abs=1e-5)


def test_where_it_lies_in_the_grid_does_not_matter_and_a_spot_is_described_too() -> None:
    shown = volume(T1w=-0.5)
    found = described(box(slice(2, 3), slice(30, 31), slice(60, 61)), shown)
    assert all(np.isfinite(list(found.values())))
    wide = np.pad(shown, ((0, 0), (2, 1), (7, 9), (30, 30)))
    mask = np.pad(box(slice(1, 4), FRONT, slice(50, 54)), ((2, 1), (7, 9), (30, 30)))
    assert np.allclose(
        features_of(wide, mask, mask, EVEN),
        list(described(box(slice(1, 4), FRONT, slice(50, 54)), shown).values()),
    )


def model(seed: int = 0, units: int = 3) -> KindModel:
    rng = np.random.default_rng(seed)
    count, kinds = len(FEATURES), len(KINDS)
    return KindModel(
        rng.normal(size=count), rng.uniform(0.5, 2, count), rng.normal(size=(units, count)), rng.normal(size=units),
        rng.normal(size=(kinds, units + count)), rng.normal(size=kinds),
    )  # fmt: skip


def test_shares_are_those_of_the_formula() -> None:
    made = model()
    features = np.random.default_rng(1).normal(size=len(FEATURES)) * 5
    given = np.clip((features - made.mean) / made.scale, -4, 4)
    hidden = made.hidden @ given + made.hidden_offset
    logits = made.out @ np.concatenate([np.where(hidden > 0, hidden, 0), given]) + made.out_offset
    expected = np.exp(logits) / np.exp(logits).sum()
    assert np.allclose(made.shares(features), expected)
    assert made.shares(features).sum() == pytest.approx(1)


def test_candidates_keep_all_but_their_shares() -> None:
    masks = box(slice(1, 4), FRONT, slice(50, 54)), box(slice(1, 4), FRONT, slice(38, 42))
    given = [Candidate(mask, EVEN, 0.8, 300.0, 0.7) for mask in masks]
    made = model()
    found = told_apart(given, volume(T1w=0.2), with_kinds(made))
    changed = np.any(masks, axis=0)
    for before, after in zip(given, found, strict=True):
        expected = made.shares(features_of(volume(T1w=0.2), changed, before.mask, before.shares))
        assert np.allclose(after.shares, expected)
        assert after.mask is before.mask
        assert (after.mean, after.volume_mm3, after.probability) == (0.8, 300.0, 0.7)


def with_kinds(kinds: KindModel | None) -> LesionModel:
    return replace(load_lesion_model(), kinds=kinds)


def decided(by: str) -> KindModel:
    """Says tumour, or the kind that the evidence says most."""
    made = model()
    kinds, units, count = len(KINDS), made.hidden.shape[0], len(FEATURES)
    out = np.zeros((kinds, units + count))
    if by == "evidence":
        out[np.arange(kinds), units + np.arange(kinds)] = 50.0
    offset = np.where(np.arange(kinds) == 0, 9.0, 0.0) if by == "always tumour" else np.zeros(kinds)
    return replace(made, mean=np.zeros(count), scale=np.ones(count), out=out, out_offset=offset)


def shares_of(kind: int) -> np.ndarray:
    return np.where(np.arange(len(KINDS)) == kind, 0.6, 0.4 / (len(KINDS) - 1))


def test_neighbours_that_turn_out_to_be_of_one_kind_are_one_lesion() -> None:
    upper, lower, far = (box(slice(1, 4), FRONT, span) for span in (slice(50, 54), slice(46, 50), slice(20, 24)))
    given = [
        Candidate(upper, shares_of(0), 0.9, 300.0, 0.7),
        Candidate(lower, shares_of(3), 0.6, 100.0, 0.2),
        Candidate(far, shares_of(0), 0.8, 200.0, 0.6),
    ]
    bundle = with_kinds(decided("always tumour"))
    found = told_apart(given, volume(T1w=0.2), bundle)
    assert [np.array_equal(c.mask, mask) for c, mask in zip(found, (upper | lower, far), strict=True)] == [True, True]
    assert found[0].volume_mm3 == 400.0
    assert found[0].mean == pytest.approx((0.9 * 300 + 0.6 * 100) / 400)
    assert found[0].probability == bundle.calibration.probability(found[0].mean, 400.0)
    assert (found[1].mean, found[1].probability) == (0.8, 0.6)
    apart = told_apart(given, volume(T1w=0.2), with_kinds(decided("evidence")))
    assert [c.kind for c in apart] == [KINDS[0], KINDS[0], KINDS[3]]
    assert told_apart(given, volume(T1w=0.2), with_kinds(None)) == given


def content(sha256: str) -> dict[str, object]:
    parts = {name: getattr(model(), name).tolist() for name in KindModel.__dataclass_fields__}
    return {"weights_sha256": sha256, "features": list(FEATURES), **parts}


def test_a_bundle_is_read_with_what_was_fitted_to_its_weights_only(bundle) -> None:
    assert load_lesion_model(bundle).kinds is None
    own = load_lesion_model(bundle).sha256
    (bundle / KINDS_FILE).write_text(json.dumps(content(own)))
    found = load_lesion_model(bundle).kinds
    assert np.allclose(found.out, model().out)
    (bundle / KINDS_FILE).write_text(json.dumps(content("0" * 64)))
    assert load_lesion_model(bundle).kinds is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("features", list(FEATURES)[::-1]),
        ("mean", [0.0] * 3),
        ("out", [[0.0] * 3] * len(KINDS)),
        ("hidden", "none"),
        ("out_offset", None),
    ],
)
def test_what_does_not_fit_is_refused(bundle, name: str, value: object) -> None:
    written = {**content(load_lesion_model(bundle).sha256), name: value}
    (bundle / KINDS_FILE).write_text(json.dumps(written))
    message = refused(bundle)
    assert KINDS_FILE in message
    assert name in message or "could not convert" in message


def test_a_file_that_is_no_json_is_refused(bundle) -> None:
    (bundle / KINDS_FILE).write_text("kinds")
    with pytest.raises(ModelError, match=KINDS_FILE):
        load_lesion_model(bundle)


def test_the_shipped_bundle_tells_kinds_apart_by_more_than_the_network() -> None:
    """A bright band on both sides of a disc and a ball in the middle of a body, for which the network is undecided."""
    made = load_lesion_model().kinds
    assert made is not None
    shown = volume(T1w=-0.6, STIR=0.3)
    bands = [box(slice(1, 4), FRONT, columns) for columns in (slice(50, 55), slice(37, 42))]
    (ball,) = [box(slice(2, 4), slice(34, 46), slice(57, 69))]
    for mask in (*bands, ball):
        shown[CHANNELS.index("T1w"), mask], shown[CHANNELS.index("STIR"), mask] = -0.5, 0.8
    undecided = np.zeros(len(KINDS))
    undecided[[KINDS.index(Kind.TUMOUR), KINDS.index(Kind.MODIC_1)]] = 0.5
    pair = made.shares(features_of(shown, np.any(bands, axis=0), bands[0], undecided))
    lone = made.shares(features_of(shown, ball, ball, undecided))
    tumour, modic = KINDS.index(Kind.TUMOUR), KINDS.index(Kind.MODIC_1)
    assert pair[modic] / pair[tumour] > 2 * lone[modic] / lone[tumour]


def test_a_model_read_from_its_own_content_is_the_same() -> None:
    again = kind_model(content(""))
    assert all(np.allclose(getattr(again, n), getattr(model(), n)) for n in KindModel.__dataclass_fields__)
    assert replace(again).shares(np.zeros(len(FEATURES))).shape == (len(KINDS),)
