"""What every kind of marrow change looks like beside healthy adult marrow, whoever has it: the radiologist's signs.

Signs: clinical notes 4.3 (Stabler 1996, Modic 1988), relaxation times: synthesis notes B3. Each is true of every draw.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from spinemri.lesion import MarrowChange as Kind
from spinemri.series import Contrast
from spinemri.synthesis.changes import RANGES, draw_substance, substance_signal
from spinemri.synthesis.signal import PROTOCOLS, Protocol, mixed_signal, pool_signal, signal_table
from spinemri.synthesis.tissue import FAT, RELAXATION, Relaxation, Tissue

DRAWS = 150
MARROW = RELAXATION[Tissue.MARROW]
T1W, T2W, STIR, POST = (PROTOCOLS[c] for c in (Contrast.T1W, Contrast.T2W, Contrast.STIR, Contrast.T1W_POST))
FAT_SUPPRESSED = PROTOCOLS[Contrast.T2W_FS]


@cache
def ratios(kind: Kind, protocol: Protocol) -> np.ndarray:
    """Signal of many people's change of a kind, each relative to adult marrow."""
    rng = np.random.default_rng(7)
    usual = mixed_signal(MARROW, protocol)
    return np.array([substance_signal(draw_substance(kind, rng), protocol) / usual for _ in range(DRAWS)])


def of_tissue(tissue: Tissue, protocol: Protocol) -> float:
    return mixed_signal(RELAXATION[tissue], protocol) / mixed_signal(MARROW, protocol)


SIGNS = [  # kind, and the least and most of its signal relative to marrow on T1w, STIR and T2w
    (Kind.TUMOUR, (0.3, 0.85), (1.5, 5), (0.5, 2.0)),
    (Kind.SCLEROTIC, (0, 0.6), (0, 0.85), (0, 0.6)),
    (Kind.HAEMANGIOMA, (1.05, 1.6), (0.6, 3), (1.4, 2.5)),
    (Kind.ATYPICAL_HAEMANGIOMA, (0.5, 1.05), (2, 6), (1.4, 3)),
    (Kind.FAT, (1.2, 1.6), (0, 0.8), (1.2, 2)),
    (Kind.RED_MARROW, (0.6, 0.99), (0.9, 2), (0.45, 1)),
    (Kind.FRACTURE_OEDEMA, (0.5, 0.97), (1.8, 5), (1.05, 2.2)),
    (Kind.MODIC_1, (0.5, 0.97), (1.8, 5), (1.05, 2.2)),
    (Kind.MODIC_2, (1.2, 1.6), (0, 0.8), (1, 2)),
    (Kind.MODIC_3, (0, 0.6), (0, 0.5), (0, 0.5)),
    (Kind.CORNER, (0.5, 0.97), (1.8, 5), (1.05, 2.2)),
    (Kind.SCHMORL, (0.3, 0.8), (1.2, 5), (0.3, 2)),
    (Kind.DISCITIS, (0.4, 0.85), (2, 6), (1.1, 2.6)),
    (Kind.RADIATION, (1.2, 1.6), (0, 0.8), (1.2, 2)),
    (Kind.INFARCT, (0, 0.8), (0.1, 3.5), (0, 1.4)),
    (Kind.PAGET, (0.6, 1.4), (0.2, 2.5), (0.6, 1.8)),
    (Kind.HARDWARE, (0, 0.03), (0, 0.03), (0, 0.03)),
]


def test_every_kind_has_ranges_and_signs() -> None:
    assert list(RANGES) == list(Kind)
    assert [row[0] for row in SIGNS] == list(Kind)


@pytest.mark.parametrize(("kind", "t1", "stir", "t2"), SIGNS, ids=[row[0].name for row in SIGNS])
def test_signal_relative_to_marrow(kind: Kind, t1: tuple[float, float], stir: tuple[float, float], t2) -> None:
    for protocol, (least, most) in ((T1W, t1), (STIR, stir), (T2W, t2)):
        found = ratios(kind, protocol)
        assert found.min() >= least, protocol.contrast
        assert found.max() <= most, protocol.contrast
        assert kind is Kind.HARDWARE or np.ptp(found) > 0.02, "people differ"


@pytest.mark.parametrize("kind", list(Kind))
def test_draws_lie_in_their_ranges_and_repeat(kind: Kind) -> None:
    rng, same = np.random.default_rng(3), np.random.default_rng(3)
    drawn = [draw_substance(kind, rng) for _ in range(40)]
    assert drawn == [draw_substance(kind, same) for _ in range(40)]
    columns = np.array([(*s.relaxation, s.uptake, s.diffusion) for s in drawn])
    for values, (least, most) in zip(columns.T, RANGES[kind], strict=True):
        assert (least <= values).all()
        assert (values <= most).all()
        spread = most - least
        assert np.ptp(values) >= 0.6 * spread


def test_what_tells_a_typical_haemangioma_from_fat_is_left_on_stir() -> None:
    assert np.quantile(ratios(Kind.HAEMANGIOMA, STIR), 0.03) > np.quantile(ratios(Kind.FAT, STIR), 0.97)


def test_a_red_marrow_island_is_brighter_than_muscle_on_t1_and_milder_than_a_tumour() -> None:
    """Published means, relative to muscle: T1 1.23 and 1.08, fat-suppressed T2 1.28 and 2.09 (Park and Huh)."""
    island, tumour = ratios(Kind.RED_MARROW, T1W), ratios(Kind.TUMOUR, T1W)
    assert island.min() > 1.1 * of_tissue(Tissue.MUSCLE, T1W)
    assert np.median(tumour) < 1.3 * of_tissue(Tissue.MUSCLE, T1W) < np.median(island)
    for protocol in (STIR, FAT_SUPPRESSED):
        assert ratios(Kind.RED_MARROW, protocol).max() < ratios(Kind.TUMOUR, protocol).min() + 0.1
        assert np.median(ratios(Kind.TUMOUR, protocol)) > 1.6 * np.median(ratios(Kind.RED_MARROW, protocol))


def test_fat_drops_in_opposed_phase_and_a_tumour_does_not() -> None:
    """Opposed over in phase: 0.98 in the mean of malignant lesions; a red-marrow island loses more than a fifth."""
    rng = np.random.default_rng(1)
    left = {
        kind: [
            substance_signal(s, PROTOCOLS[Contrast.DIXON_OPPOSED]) / substance_signal(s, PROTOCOLS[Contrast.DIXON_IN])
            for s in (draw_substance(kind, rng) for _ in range(60))
        ]
        for kind in (Kind.TUMOUR, Kind.RED_MARROW)
    }
    assert np.median(left[Kind.TUMOUR]) == pytest.approx(0.98, abs=0.12)
    assert min(left[Kind.TUMOUR]) > max(left[Kind.RED_MARROW])
    assert max(left[Kind.RED_MARROW]) < 0.8


def test_contrast_agent_brightens_by_what_a_change_takes_up() -> None:
    """Fat is suppressed after contrast agent: uptake shows in tumour, discitis and haemangioma, not in focal fat."""
    for kind in (Kind.TUMOUR, Kind.DISCITIS, Kind.ATYPICAL_HAEMANGIOMA):
        assert ratios(kind, POST).min() > 1.4, kind
    assert ratios(Kind.FAT, POST).max() < 0.9
    substance = draw_substance(Kind.TUMOUR, np.random.default_rng(2))
    dry = substance._replace(uptake=0.0)
    assert substance_signal(substance, POST) > 1.3 * substance_signal(dry, POST)
    assert substance_signal(substance, T1W) == substance_signal(dry, T1W)


def test_diffusion_is_freer_in_oedema_than_in_tumour_and_least_in_fat() -> None:
    rng = np.random.default_rng(5)
    mean = {
        kind: np.mean([draw_substance(kind, rng).diffusion for _ in range(DRAWS)])
        for kind in (Kind.FRACTURE_OEDEMA, Kind.TUMOUR, Kind.FAT)
    }
    assert mean[Kind.FRACTURE_OEDEMA] > 1.4 * mean[Kind.TUMOUR]
    assert mean[Kind.TUMOUR] > 2 * mean[Kind.FAT]


@pytest.mark.parametrize("contrast", list(PROTOCOLS))
def test_mixed_signal_of_marrow_is_what_a_table_holds(contrast: Contrast) -> None:
    table = signal_table(PROTOCOLS[contrast], np.random.default_rng(0), jitter=0.0)
    agent = 0.08 * PROTOCOLS[contrast].agent  # what healthy marrow takes up
    assert mixed_signal(MARROW, PROTOCOLS[contrast], agent) == pytest.approx(float(table[Tissue.MARROW]), rel=1e-5)


def test_pools_add_by_the_share_of_fat_and_cancel_when_opposed() -> None:
    water = Relaxation(900, 50, 0.9)
    wet, dry = pool_signal(water, T1W), pool_signal(FAT, T1W)
    assert mixed_signal(water, T1W) == pytest.approx(wet)
    assert mixed_signal(water._replace(fat=0.3), T1W) == pytest.approx(0.7 * wet + 0.3 * dry)
    opposed = Protocol(Contrast.OTHER, T1W.repetition_time, T1W.echo_time, fat_left=-1.0)
    even = wet / (wet + dry)
    assert mixed_signal(water._replace(fat=even), opposed) == pytest.approx(0, abs=1e-9)
    assert mixed_signal(water._replace(fat=1.0), opposed) == pytest.approx(dry)
