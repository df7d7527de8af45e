"""What a lesion may be: rules at both sides of each threshold, and evidence that counts for the right entity."""

from __future__ import annotations

from dataclasses import replace

import pytest

from spinemri.anatomy import Level, StructureKind
from spinemri.assess.lesion import Entity, Signs, differential, may_be_tumour, signs_of
from spinemri.lesion import Lesion
from spinemri.lesion import MarrowChange as Kind
from spinemri.measurement import Measurement, Status

PAIR = ("T1w", "STIR")
PLAIN = Signs(
    t1=0.5,
    stir=2.5,
    t2=None,
    bulge_mm=0.0,
    pedicle=False,
    epidural_mm3=0.0,
    soft_tissue_mm3=0.0,
    contact_pct=0.0,
    disc_ratio=None,
    mirror=False,
    others=0,
    contrasts=PAIR,
)
DEGENERATIVE = (Kind.MODIC_1, Kind.MODIC_2, Kind.MODIC_3)
ENDPLATE = (*DEGENERATIVE, Kind.DISCITIS)
UNKNOWN = dict.fromkeys(("bulge_mm", "pedicle", "epidural_mm3", "soft_tissue_mm3", "contact_pct"))
NO_SPREAD = "no convex border, pedicle or soft-tissue involvement"


def lesion(shares=None, level="L3", number=1, *, z=0.0, levels=None) -> Lesion:
    return Lesion(
        id=f"lesion-{number}",
        label=number,
        series_uid="1.2.3",
        seen_in=PAIR,
        levels=tuple(Level(name) for name in levels or (level,)),
        level=Level(level),
        centre=(3.0, -20.0, z),
        probability=0.9,
        shares=shares or {Kind.TUMOUR: 0.8, Kind.RED_MARROW: 0.2},
    )


def measurements(number=1, **values) -> dict[str, Measurement]:
    """Measurements of a lesion by name; None where it could not be measured."""
    made = {}
    for name, value in values.items():
        id_ = f"lesion-{number}.lesion_{name}"
        gap = {} if value is not None else {"status": Status.NOT_ASSESSABLE, "reason": "no such series"}
        made[id_] = Measurement(
            id=id_, name=f"lesion_{name}", kind=StructureKind.LESION, level=Level("L3"), value=value, unit="1", **gap
        )
    return made


def judged(shares=None, **signs) -> dict[Kind, Entity]:
    """The differential by kind, in its order."""
    found = differential(lesion(shares), replace(PLAIN, **signs))
    assert [e.weight for e in found] == sorted((e.weight for e in found), reverse=True)
    return {entity.kind: entity for entity in found}


def first(found: dict[Kind, Entity]) -> Kind:
    return next(iter(found))


def evidence(kind: Kind, **signs) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What speaks for and against a kind that the network is sure of."""
    found = judged({kind: 1.0}, **signs)[kind]
    return found.speaks_for, found.speaks_against


# the network's shares


def test_without_further_signs_the_shares_are_the_weights():
    found = judged({Kind.TUMOUR: 0.6, Kind.RED_MARROW: 0.3, Kind.MODIC_1: 0.1}, t1=None, stir=None)
    assert {kind: e.weight for kind, e in found.items()} == {Kind.TUMOUR: 0.6, Kind.RED_MARROW: 0.3, Kind.MODIC_1: 0.1}


@pytest.mark.parametrize(("share", "named"), [(0.099, False), (0.101, True)])
def test_an_entity_is_named_from_a_tenth_on(share, named):
    assert (Kind.PAGET in judged({Kind.TUMOUR: 1 - share, Kind.PAGET: share})) is named


def test_when_nothing_reaches_a_tenth_the_largest_is_named():
    shares = dict.fromkeys(Kind, 1.0) | {Kind.PAGET: 1.4}
    found = judged({kind: value / 18 for kind, value in shares.items()}, t1=None, stir=None)
    assert list(found) == [Kind.PAGET]


# a mirror pair, discs, fat


@pytest.mark.parametrize("disc", [{"disc_ratio": 1.0}, {"disc_ratio": None}, {"disc_ratio": 2.0}])
def test_a_mirror_pair_raises_degeneration_above_tumour_and_infection_only_beside_a_bright_disc(disc):
    for kind in ENDPLATE if disc["disc_ratio"] == 2.0 else DEGENERATIVE:
        shares = {Kind.TUMOUR: 0.75, kind: 0.25}
        assert first(judged(shares)) is Kind.TUMOUR
        found = judged(shares, mirror=True, **disc)
        assert first(found) is kind
        assert found[kind].weight > 4 * found[Kind.TUMOUR].weight
        assert "mirror pair across a disc" in found[kind].speaks_for


def test_a_mirror_pair_that_the_network_did_not_see_brings_endplate_processes_in():
    for ratio in (1.49, None):
        found = judged({Kind.TUMOUR: 1.0}, mirror=True, disc_ratio=ratio)
        assert set(found) == {Kind.TUMOUR, *DEGENERATIVE}
    found = judged({Kind.TUMOUR: 1.0}, mirror=True, disc_ratio=1.5)
    assert set(found) == {Kind.TUMOUR, *ENDPLATE}
    assert "mirror pair across a disc" in found[Kind.TUMOUR].speaks_against
    assert set(judged({Kind.TUMOUR: 1.0})) == {Kind.TUMOUR}


@pytest.mark.parametrize(
    ("signs", "infection"),
    [
        ({"disc_ratio": 1.5}, True),
        ({"disc_ratio": 1.49}, False),
        ({"disc_ratio": 1.49, "soft_tissue_mm3": 59.9}, False),
        ({"disc_ratio": 1.49, "soft_tissue_mm3": 60.0}, True),
        ({"disc_ratio": 1.49, "soft_tissue_mm3": None}, None),
        ({"disc_ratio": None}, None),
        ({"disc_ratio": None, "soft_tissue_mm3": 60.0}, True),
    ],
)
def test_a_pair_across_a_disc_that_is_not_bright_is_degenerative_unless_soft_tissue_lies_beside_it(signs, infection):
    shares = {Kind.DISCITIS: 0.5, Kind.MODIC_1: 0.5}
    assert replace(PLAIN, mirror=True, **signs).infection is infection
    found = judged(shares, mirror=True, **signs)
    weight = 1.0 if infection else 0.25 if infection is None else 0.0625
    apart = found[Kind.DISCITIS].weight / found[Kind.MODIC_1].weight if Kind.DISCITIS in found else 0.0
    bright = 3.0 if signs["disc_ratio"] == 1.5 else 1.0
    assert apart == pytest.approx(weight * bright if weight > 0.1 else 0.0, rel=0.02)
    favours, against = evidence(Kind.DISCITIS, mirror=True, **signs)
    assert ("mirror pair across a disc" in favours) is bool(infection)
    assert ("disc not bright" in against) is (signs["disc_ratio"] == 1.49)
    assert ("disc not bright" in found[Kind.MODIC_1].speaks_for) is (signs["disc_ratio"] == 1.49)
    assert ("disc bright" in found[Kind.MODIC_1].speaks_against) is (signs["disc_ratio"] == 1.5)


@pytest.mark.parametrize(
    ("signs", "words"),
    [
        ({"mirror": True}, ("signal of the disc, so that infection cannot be told",)),
        ({"mirror": True, "soft_tissue_mm3": 90.0}, ("signal of the disc",)),
        ({"touches_disc": True}, ("signal of the disc",)),
        ({"touches_disc": True, "disc_ratio": 1.0}, ()),
        ({}, ()),
    ],
)
def test_a_disc_without_a_signal_is_told(signs, words):
    assert replace(PLAIN, **signs).not_measured == words


def test_a_mirror_pair_says_nothing_about_the_other_kinds():
    shares = {Kind.FRACTURE_OEDEMA: 0.5, Kind.HAEMANGIOMA: 0.5}
    found = judged(shares, mirror=True)
    assert found[Kind.FRACTURE_OEDEMA].weight == found[Kind.HAEMANGIOMA].weight


@pytest.mark.parametrize(("ratio", "raised"), [(1.49, False), (1.5, True), (None, False)])
def test_a_bright_disc_raises_infection_and_tumour_stays(ratio, raised):
    """The seed case: a carcinoma beside a bright disc. Infection is raised, tumour is never excluded."""
    found = judged({Kind.TUMOUR: 0.9, Kind.RED_MARROW: 0.1}, disc_ratio=ratio)
    assert (Kind.DISCITIS in found) is raised
    assert first(found) is Kind.TUMOUR
    said = "bright disc (raises infection, does not exclude tumour)"
    assert (said in found[Kind.TUMOUR].speaks_against) is raised
    if raised:
        assert "disc bright" in found[Kind.DISCITIS].speaks_for
        assert 0.1 < found[Kind.DISCITIS].weight < found[Kind.TUMOUR].weight


@pytest.mark.parametrize("share", [0.12, 0.3, 0.8])
@pytest.mark.parametrize("kind", [Kind.TUMOUR, Kind.SCLEROTIC])
def test_a_tumour_on_both_sides_of_a_bright_disc_stays_in_the_differential(share, kind):
    found = judged({kind: share, Kind.MODIC_1: 1 - share}, disc_ratio=2.2, mirror=True, contact_pct=60.0)
    assert first(found) in (Kind.MODIC_1, Kind.DISCITIS)
    assert Kind.DISCITIS in found
    assert kind in found


def test_a_tumour_that_the_network_did_not_name_is_not_brought_in_by_a_bright_disc():
    assert Kind.TUMOUR not in judged({Kind.TUMOUR: 0.05, Kind.DISCITIS: 0.95}, disc_ratio=2.2, mirror=True)
    assert Kind.TUMOUR not in judged({Kind.TUMOUR: 0.3, Kind.MODIC_1: 0.7}, mirror=True)


def test_infection_with_a_bright_disc_and_a_mirror_pair_is_favoured():
    found = judged({Kind.DISCITIS: 0.3, Kind.TUMOUR: 0.4, Kind.MODIC_1: 0.3}, disc_ratio=2.0, mirror=True)
    assert first(found) is Kind.DISCITIS


@pytest.mark.parametrize(
    ("t1", "stir", "fat"),
    [
        (1.08, 0.5, True),
        (1.07, 0.5, False),
        (1.6, 1.29, True),
        (1.6, 1.3, False),
        (1.6, None, True),
        (None, 0.5, False),
    ],
)
def test_bright_on_t1_and_not_on_stir_is_fat(t1, stir, fat):
    found = judged({Kind.RED_MARROW: 0.9, Kind.HAEMANGIOMA: 0.1}, t1=t1, stir=stir)
    assert (Kind.FAT in found) is fat
    certain = judged({Kind.FAT: 0.4, Kind.HAEMANGIOMA: 0.6}, t1=t1, stir=stir)
    assert (first(certain) is Kind.FAT) is fat


@pytest.mark.parametrize(("t1", "lowered"), [(1.07, False), (1.08, True)])
@pytest.mark.parametrize("kind", [Kind.TUMOUR, Kind.SCLEROTIC])
def test_fat_within_speaks_against_tumour(t1, lowered, kind):
    found = judged({kind: 0.6, Kind.ATYPICAL_HAEMANGIOMA: 0.4}, t1=t1, stir=2.0)
    assert (first(found) is Kind.ATYPICAL_HAEMANGIOMA) is lowered
    assert ("T1w bright" in found[kind].speaks_against) is lowered


# what cannot be told apart


@pytest.mark.parametrize(
    ("kind", "other", "sequence"),
    [
        (Kind.TUMOUR, Kind.ATYPICAL_HAEMANGIOMA, "T2w"),
        (Kind.TUMOUR, Kind.ATYPICAL_HAEMANGIOMA, "T1w"),
        (Kind.TUMOUR, Kind.RED_MARROW, "STIR"),
        (Kind.FAT, Kind.HAEMANGIOMA, "STIR"),
    ],
)
def test_a_further_sequence_tells_entities_apart(kind, other, sequence):
    lacking = tuple(name for name in ("T1w", "STIR", "T2w") if name != sequence)
    assert other in judged({kind: 1.0}, contrasts=lacking)[kind].not_distinguishable_from
    assert kind in judged({other: 1.0}, contrasts=lacking)[other].not_distinguishable_from
    assert other not in judged({kind: 1.0}, contrasts=(*lacking, sequence))[kind].not_distinguishable_from


@pytest.mark.parametrize(
    ("kind", "other"),
    [
        (Kind.TUMOUR, Kind.FRACTURE_OEDEMA),
        (Kind.MODIC_1, Kind.DISCITIS),
        (Kind.SCLEROTIC, Kind.MODIC_3),
    ],
)
def test_no_sequence_tells_these_apart(kind, other):
    every = ("T1w", "STIR", "T2w", "T1w-post", "fat-fraction", "ADC")
    assert judged({kind: 1.0}, contrasts=every)[kind].not_distinguishable_from == (other,)


@pytest.mark.parametrize(
    ("kind", "contrasts", "counts"),
    [
        (Kind.TUMOUR, ("T1w", "T2w"), True),
        (Kind.SCLEROTIC, ("T1w", "T2w"), True),
        (Kind.ATYPICAL_HAEMANGIOMA, ("T2w",), True),
        (Kind.ATYPICAL_HAEMANGIOMA, ("T1w", "STIR"), True),
        (Kind.ATYPICAL_HAEMANGIOMA, ("T1w", "T2w"), False),
        (Kind.FRACTURE_OEDEMA, ("T2w",), False),
        (Kind.FRACTURE_OEDEMA, ("T1w", "STIR"), False),
        (Kind.FAT, ("T2w",), True),
        (Kind.FAT, ("STIR",), False),
        (Kind.FAT, ("T1w",), False),
        (Kind.HAEMANGIOMA, ("STIR", "T2w"), True),
        (Kind.HAEMANGIOMA, ("T1w",), False),
        (Kind.RED_MARROW, ("T1w",), True),
        (Kind.RED_MARROW, ("T1w", "STIR"), False),
        (Kind.MODIC_2, ("T2w",), True),
        (Kind.SCHMORL, ("T2w",), False),
    ],
)
def test_what_cannot_be_told_from_a_metastasis_counts_as_one(kind, contrasts, counts):
    assert may_be_tumour(judged({kind: 1.0}, contrasts=contrasts)[kind], contrasts) is counts


# evidence


DARK, LIKE, BRIGHT = "dark", "like marrow", "bright"
T1_OF = {DARK: 0.5, LIKE: 1.0, BRIGHT: 1.5, None: None}
STIR_OF = {DARK: 0.5, LIKE: 1.1, BRIGHT: 2.5, None: None}


def words(kind, t1, stir):
    """The signal words for and against a kind."""
    both = evidence(kind, t1=T1_OF[t1], stir=STIR_OF[stir])
    return tuple(tuple(w for w in side if w.startswith(("T1w", "STIR"))) for side in both)


@pytest.mark.parametrize(
    ("kind", "t1", "stir", "favours", "against"),
    [
        (Kind.TUMOUR, DARK, BRIGHT, ("T1w dark", "STIR bright"), ()),
        (Kind.TUMOUR, DARK, DARK, (), ("STIR dark",)),
        (Kind.TUMOUR, BRIGHT, BRIGHT, (), ("T1w bright",)),
        (Kind.TUMOUR, BRIGHT, DARK, (), ("T1w bright", "STIR dark")),
        (Kind.TUMOUR, DARK, LIKE, ("T1w dark",), ()),
        (Kind.TUMOUR, LIKE, LIKE, (), ()),
        (Kind.TUMOUR, DARK, None, ("T1w dark",), ()),
        (Kind.TUMOUR, None, None, (), ()),
        (Kind.SCLEROTIC, DARK, DARK, ("T1w dark", "STIR dark"), ()),
        (Kind.SCLEROTIC, DARK, BRIGHT, (), ("STIR bright",)),
        (Kind.HAEMANGIOMA, BRIGHT, BRIGHT, ("T1w bright",), ()),
        (Kind.HAEMANGIOMA, DARK, BRIGHT, (), ("T1w dark",)),
        (Kind.ATYPICAL_HAEMANGIOMA, DARK, BRIGHT, ("T1w dark", "STIR bright"), ()),
        (Kind.FAT, BRIGHT, DARK, ("T1w bright", "STIR dark"), ()),
        (Kind.FAT, BRIGHT, BRIGHT, (), ("STIR bright",)),
        (Kind.FAT, DARK, BRIGHT, (), ("T1w dark", "STIR bright")),
        (Kind.RED_MARROW, DARK, BRIGHT, ("T1w dark",), ()),
        (Kind.RED_MARROW, BRIGHT, DARK, (), ("T1w bright",)),
        (Kind.FRACTURE_OEDEMA, DARK, BRIGHT, ("T1w dark", "STIR bright"), ()),
        (Kind.FRACTURE_OEDEMA, BRIGHT, DARK, (), ("T1w bright", "STIR dark")),
        (Kind.MODIC_1, DARK, BRIGHT, ("T1w dark", "STIR bright"), ()),
        (Kind.MODIC_1, BRIGHT, DARK, (), ("T1w bright", "STIR dark")),
        (Kind.MODIC_2, BRIGHT, DARK, ("T1w bright",), ()),
        (Kind.MODIC_2, DARK, BRIGHT, (), ("T1w dark",)),
        (Kind.MODIC_3, DARK, DARK, ("T1w dark", "STIR dark"), ()),
        (Kind.DISCITIS, DARK, BRIGHT, ("T1w dark", "STIR bright"), ()),
        (Kind.RADIATION, BRIGHT, DARK, ("T1w bright", "STIR dark"), ()),
        (Kind.HARDWARE, DARK, DARK, ("T1w dark", "STIR dark"), ()),
        (Kind.PAGET, DARK, BRIGHT, (), ()),
        (Kind.INFARCT, BRIGHT, DARK, (), ()),
    ],
)
def test_signal_counts_for_or_against_each_kind(kind, t1, stir, favours, against):
    assert words(kind, t1, stir) == (favours, against)


@pytest.mark.parametrize(
    ("t1", "stir", "favours"),
    [
        (0.85, 1.3, ("T1w dark", "STIR bright")),
        (0.86, 1.3, ("STIR bright",)),
        (0.85, 1.29, ("T1w dark",)),
    ],
)
def test_limits_of_dark_and_bright_for_a_tumour(t1, stir, favours):
    assert evidence(Kind.TUMOUR, t1=t1, stir=stir)[0] == favours


@pytest.mark.parametrize(
    ("t1", "stir", "favours"),
    [
        (1.08, 0.9, ("T1w bright", "STIR dark")),
        (1.07, 0.9, ("STIR dark",)),
        (1.08, 0.91, ("T1w bright",)),
    ],
)
def test_limits_of_bright_and_dark_for_fat(t1, stir, favours):
    assert evidence(Kind.FAT, t1=t1, stir=stir)[0] == favours


SPREAD = [
    ({"bulge_mm": 1.99}, ()),
    ({"bulge_mm": 2.0}, ("convex posterior border",)),
    ({"epidural_mm3": 59.9}, ()),
    ({"epidural_mm3": 60.0}, ("epidural extension",)),
    ({"soft_tissue_mm3": 59.9}, ()),
    ({"soft_tissue_mm3": 60.0}, ("soft-tissue extension",)),
    ({"pedicle": True}, ("pedicle or arch involved",)),
]


@pytest.mark.parametrize(("signs", "said"), SPREAD)
def test_what_lies_beyond_the_body_speaks_for_tumour_and_against_benign_kinds(signs, said):
    for kind in (Kind.TUMOUR, Kind.SCLEROTIC):
        favours, against = evidence(kind, t1=None, stir=None, **signs)
        assert favours == said
        assert (NO_SPREAD in against) is (not said)
    for kind in (Kind.FRACTURE_OEDEMA, Kind.FAT, Kind.PAGET, Kind.MODIC_1, Kind.MODIC_2):
        assert evidence(kind, t1=None, stir=None, mirror=True, **signs)[1] == said
    favours, against = evidence(Kind.DISCITIS, t1=None, stir=None, mirror=True, **signs)
    assert against == ()  # abscesses lie there too


@pytest.mark.parametrize("name", ["bulge_mm", "pedicle", "epidural_mm3", "soft_tissue_mm3"])
def test_an_extent_that_was_not_measured_speaks_neither_for_nor_against(name):
    words = {
        "bulge_mm": "posterior border",
        "pedicle": "pedicles and arch",
        "epidural_mm3": "part in the canal",
        "soft_tissue_mm3": "soft tissue beside the spine",
    }
    signs = {"t1": None, "stir": None, name: None}
    for kind in (Kind.TUMOUR, Kind.SCLEROTIC, Kind.FRACTURE_OEDEMA, Kind.PAGET):
        assert evidence(kind, **signs) == ((), ())
    assert NO_SPREAD in evidence(Kind.TUMOUR)[1]
    assert replace(PLAIN, **signs).not_measured == (words[name],)


@pytest.mark.parametrize("kind", ENDPLATE)
def test_contact_that_was_not_measured_leaves_open_whether_there_is_a_pair(kind):
    assert evidence(kind, t1=None, stir=None, mirror=None, contact_pct=None) == ((), ())
    assert replace(PLAIN, contact_pct=None).not_measured == ("endplate contact",)


@pytest.mark.parametrize(("others", "said"), [(0, False), (1, True)])
def test_further_lesions_speak_for_tumour(others, said):
    assert ("further lesions" in evidence(Kind.TUMOUR, others=others)[0]) is said
    assert "further lesions" not in evidence(Kind.RED_MARROW, others=others)[0]


@pytest.mark.parametrize(("contact", "said"), [(19.9, False), (20.0, True)])
def test_endplate_contact_speaks_for_endplate_processes(contact, said):
    for kind in ENDPLATE:
        assert ("endplate-based" in evidence(kind, contact_pct=contact)[0]) is said
    assert "endplate-based" not in evidence(Kind.TUMOUR, contact_pct=contact)[0]


def test_one_side_of_a_disc_speaks_against_endplate_processes():
    for kind in ENDPLATE:
        assert "one side of the disc only" in evidence(kind)[1]
        assert "one side of the disc only" not in evidence(kind, mirror=True)[1]


@pytest.mark.parametrize(("ratio", "said"), [(1.49, True), (1.5, False), (None, False)])
def test_a_disc_that_is_not_bright_speaks_against_infection_and_one_that_was_not_measured_does_not(ratio, said):
    assert ("disc not bright" in evidence(Kind.DISCITIS, disc_ratio=ratio)[1]) is said
    assert "disc not bright" not in evidence(Kind.MODIC_1, disc_ratio=ratio)[1]


# reading the signs


def test_signs_come_from_the_lesions_own_measurements():
    values = measurements(
        t1_to_marrow=0.6, stir_to_marrow=2.0, t2_to_marrow=1.4, convex_posterior_border=3.1, pedicle_left=0.0,
        pedicle_right=75.0, epidural_volume=80.0, paraspinal_volume=40.0, prevertebral_volume=30.0,
        endplate_contact_pct=12.0, disc_signal_ratio=1.7,
    )  # fmt: skip
    values |= measurements(2, t1_to_marrow=9.0, epidural_volume=9000.0)
    assert signs_of(lesion(), [lesion()], values) == Signs(
        t1=0.6, stir=2.0, t2=1.4, bulge_mm=3.1, pedicle=True, epidural_mm3=80.0, soft_tissue_mm3=70.0, contact_pct=12.0,
        disc_ratio=1.7, mirror=False, others=0, contrasts=PAIR,
    )  # fmt: skip


@pytest.mark.parametrize(("loss", "weight"), [(9.9, 0.3), (10.0, 1.0), (25.0, 1.0), (None, 1.0)])
def test_a_body_without_height_loss_is_seldom_fractured(loss, weight):
    shares = {Kind.FRACTURE_OEDEMA: 0.5, Kind.MODIC_1: 0.5}
    found = judged(shares, t1=None, stir=None, height_loss_pct=loss)
    assert found[Kind.FRACTURE_OEDEMA].weight == pytest.approx(weight * 0.5 / (weight * 0.5 + 0.5), abs=0.001)
    favours, against = evidence(Kind.FRACTURE_OEDEMA, height_loss_pct=loss)
    assert ("height loss" in favours) is (loss is not None and loss >= 20)
    assert ("no height loss" in against) is (loss is not None and loss < 10)
    assert "no height loss" not in evidence(Kind.MODIC_1, height_loss_pct=loss)[1]


def test_the_height_loss_is_that_of_the_lesions_own_vertebra():
    made = {
        f"{level}.height_loss_pct": Measurement(
            id=f"{level}.height_loss_pct", name="height_loss_pct", kind=StructureKind.VERTEBRAL_BODY,
            level=Level(level), value=value, unit="%",
        )
        for level, value in (("L3", 31.0), ("L4", 2.0))
    }  # fmt: skip
    assert signs_of(lesion(), [], made).height_loss_pct == 31.0
    assert signs_of(lesion(level="L5"), [], made).height_loss_pct is None


def test_what_was_not_measured_is_no_sign():
    gaps = measurements(t1_to_marrow=None, stir_to_marrow=None, disc_signal_ratio=None, endplate_contact_pct=None)
    for values in (gaps, {}):
        found = signs_of(lesion(), [lesion()], values)
        assert found == replace(PLAIN, t1=None, stir=None, **UNKNOWN)
        assert len(found.not_measured) == 5


@pytest.mark.parametrize(("volume", "involved"), [(59.9, False), (60.0, True)])
@pytest.mark.parametrize("side", ["left", "right"])
def test_a_pedicle_is_involved_beyond_the_error_of_two_masks(volume, involved, side):
    other = {f"pedicle_{'right' if side == 'left' else 'left'}": 0.0}
    assert signs_of(lesion(), [], measurements(**{f"pedicle_{side}": volume}, **other)).pedicle is involved
    alone = signs_of(lesion(), [], measurements(**{f"pedicle_{side}": volume})).pedicle
    assert alone is (True if involved else None)


@pytest.mark.parametrize(("volume", "known"), [(59.9, None), (60.0, 60.0)])
def test_soft_tissue_of_which_a_part_was_not_measured_counts_from_its_limit_on(volume, known):
    assert signs_of(lesion(), [], measurements(paraspinal_volume=volume)).soft_tissue_mm3 == known
    both = measurements(paraspinal_volume=volume, prevertebral_volume=0.0)
    assert signs_of(lesion(), [], both).soft_tissue_mm3 == volume


def test_further_lesions_are_tumour_like_ones_of_other_vertebrae():
    one = lesion()
    same, fat = lesion(number=2), lesion({Kind.FAT: 1.0}, "L5", 3)
    tumour, sclerotic = lesion(level="T12", number=4), lesion({Kind.SCLEROTIC: 1.0}, "L1", 5)
    assert signs_of(one, [one, same, fat], {}).others == 0
    assert signs_of(one, [one, same, fat, tumour, sclerotic], {}).others == 2


def touching(number: int, disc: str, ratio: float | None = 1.0) -> dict[str, Measurement]:
    """The signal of the disc that a lesion touches, flagged with the disc's name; '' when it touches none."""
    made = measurements(number, disc_signal_ratio=ratio)
    flags = (f"disc:{disc}",) if disc else ()
    return {id_: m.model_copy(update={"flags": flags}) for id_, m in made.items()}


def mirror(
    one: Lesion, other: Lesion | None = None, contacts=(30.0, 30.0), discs=("L3-L4", "L3-L4"), ratio=1.0
) -> bool | None:
    values: dict[str, Measurement] = {}
    for number, (contact, disc) in enumerate(zip(contacts, discs, strict=True), start=1):
        values |= measurements(number, endplate_contact_pct=contact) | touching(number, disc, ratio)
    return signs_of(one, [one, *([other] if other else [])], values).mirror


UPPER, LOWER = lesion(level="L3", z=15.0), lesion(level="L4", number=2, z=-10.0)


@pytest.mark.parametrize("ratio", [1.0, 3.0, None])
def test_lesions_on_both_sides_of_a_disc_are_a_mirror_pair(ratio):
    assert mirror(UPPER, LOWER, ratio=ratio)
    assert not mirror(UPPER)
    assert mirror(replaced_id(LOWER, 1), replaced_id(UPPER, 2), ratio=ratio)


@pytest.mark.parametrize("discs", [("L2-L3", "L3-L4"), ("L3-L4", "L4-L5"), ("", "L3-L4"), ("L3-L4", ""), ("", "")])
def test_lesions_that_touch_different_discs_or_none_are_no_mirror_pair(discs):
    assert not mirror(UPPER, LOWER, discs=discs)


@pytest.mark.parametrize(
    ("contacts", "found"),
    [
        ((19.9, 19.9), False),
        ((20.0, 0.0), True),
        ((0.0, 20.0), True),
        ((None, 20.0), True),
        ((None, 19.9), None),
        ((None, None), None),
    ],
)
def test_one_of_a_mirror_pair_takes_up_a_fifth_of_its_endplate(contacts, found):
    assert mirror(UPPER, LOWER, contacts) is found


def test_whether_lesions_touch_one_disc_may_not_be_known():
    values = measurements(endplate_contact_pct=30.0) | measurements(2, endplate_contact_pct=30.0)
    assert signs_of(UPPER, [UPPER, LOWER], values).mirror is None
    assert signs_of(UPPER, [UPPER, LOWER], values | touching(2, "")).mirror is False
    assert signs_of(UPPER, [UPPER], values).mirror is False


@pytest.mark.parametrize(("apart", "found"), [(49.0, True), (51.0, False)])
def test_lesions_at_the_far_ends_of_two_bodies_are_no_mirror_pair(apart, found):
    assert mirror(lesion(level="L3", z=apart), lesion(level="L4", number=2)) is found


@pytest.mark.parametrize(
    ("upper", "lower", "found"),
    [
        ("C5", "C6", True),
        ("C7", "T1", True),
        ("T12", "L1", True),
        ("T13", "L1", True),
        ("L5", "S1", True),
        ("L6", "S1", True),
        ("V3", "V4", True),
        ("C4", "C6", False),
        ("C6", "T1", False),
        ("C7", "T2", False),
        ("T4", "T6", False),
        ("V3", "V5", False),
        ("V3", "C4", False),
        ("L3", "L3", False),
    ],
)
def test_only_neighbours_face_each_other_across_a_disc(upper, lower, found):
    """Bodies of the neck and the upper chest are so low that two of them span less than 50 mm."""
    one, other = lesion(level=upper, z=34.0), lesion(level=lower, number=2)
    assert mirror(one, other) is found
    assert mirror(replaced_id(other, 1), replaced_id(one, 2)) is found


def replaced_id(one: Lesion, number: int) -> Lesion:
    return one.model_copy(update={"id": f"lesion-{number}"})


@pytest.mark.parametrize(("contact", "found"), [(19.9, False), (20.0, True), (None, None)])
def test_a_lesion_in_both_vertebrae_is_its_own_mirror_pair(contact, found):
    assert mirror(lesion(levels=("L3", "L4")), contacts=(contact, 30.0)) is found
