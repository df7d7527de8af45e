"""What lies in the canal or a foramen is called tumour only where its differential holds one."""

from __future__ import annotations

import pytest

from spinemri.anatomy import StructureKind
from spinemri.assess.case import Facts, assess_case
from spinemri.assess.cause import foraminal_causes, lies_in_canal, narrowing_causes, with_kinds
from spinemri.assess.lesion import judge
from spinemri.lesion import MarrowChange as Kind
from tests.assess.studies import at, lesion, of_lesion, screen, spine

SAC = StructureKind.THECAL_SAC
NARROW = at("L3-L4", "dural_sac_compromise_pct", 40.0, kind=SAC)


def told(kind, seen_in=("T1w", "STIR", "T2w"), shares=None, **extent):
    """Measurements of one lesion of L3 with its kind, by id."""
    one = lesion("L3", kind=kind, seen_in=seen_in)
    one = one.model_copy(update={"shares": shares}) if shares else one
    measured = of_lesion(t1_to_marrow=None, stir_to_marrow=None, **extent)
    judged = judge((one,), {m.id: m for m in measured})
    return {m.id: m for m in with_kinds(measured, judged)}


def causes(kind, volume=90.0, **more):
    return [cause for cause, _ in narrowing_causes(told(kind, epidural_volume=volume, **more), NARROW)]


@pytest.mark.parametrize(
    ("kind", "named"),
    [
        (Kind.TUMOUR, ["epidural tumour"]),
        (Kind.SCLEROTIC, ["epidural tumour"]),
        (Kind.DISCITIS, ["discitis-osteomyelitis in the canal"]),
        (Kind.HAEMANGIOMA, ["typical haemangioma in the canal"]),
        (Kind.ATYPICAL_HAEMANGIOMA, ["atypical haemangioma in the canal"]),
        (Kind.PAGET, ["Paget disease in the canal"]),
        (Kind.HARDWARE, ["hardware or cement in the canal"]),
        (Kind.MODIC_1, []),
        (Kind.MODIC_2, []),
        (Kind.FAT, []),
        (Kind.RED_MARROW, []),
        (Kind.SCHMORL, []),
        (Kind.FRACTURE_OEDEMA, []),
    ],
)
def test_each_kind_in_the_canal_is_named_by_what_it_is_or_left_out(kind, named):
    assert causes(kind) == named
    assert causes(kind, 19.9) == []
    assert all(lies_in_canal(cause) for cause in named)


@pytest.mark.parametrize(("seen_in", "named"), [(("T1w", "T2w"), "atypical haemangioma"), (("T1w",), "")])
def test_what_these_sequences_cannot_tell_from_a_tumour_may_be_called_one(seen_in, named):
    expected = [f"{named} in the canal"] if named else ["epidural tumour"]
    assert causes(Kind.ATYPICAL_HAEMANGIOMA, seen_in=seen_in) == expected


@pytest.mark.parametrize(("share", "tumour"), [(0.11, True), (0.09, False)])
def test_a_differential_that_holds_tumour_is_enough(share, tumour):
    shares = {Kind.MODIC_1: 1 - share, Kind.TUMOUR: share}
    assert (causes(Kind.MODIC_1, shares=shares) == ["epidural tumour"]) is tumour


@pytest.mark.parametrize(
    ("kind", "named"), [(Kind.TUMOUR, ["tumour in the foramen"]), (Kind.MODIC_1, []),
                        (Kind.DISCITIS, ["discitis-osteomyelitis in the foramen"])],
)  # fmt: skip
def test_so_it_is_in_a_foramen(kind, named):
    known = told(kind, foraminal_volume=90.0)
    one = known["lesion-1.lesion_foraminal_volume"]
    known[one.id] = one.model_copy(update={"flags": (*one.flags, "side:left")})
    assert [cause for cause, _ in foraminal_causes(known, NARROW, "left")] == named
    assert foraminal_causes(known, NARROW, "right") == ()


def test_a_lesion_that_nobody_judged_is_a_lesion():
    known = {m.id: m for m in of_lesion(epidural_volume=90.0)}
    assert narrowing_causes(known, NARROW) == (("lesion in the canal", "lesion-1.lesion_epidural_volume"),)


@pytest.mark.parametrize(("kind", "cause"), [(Kind.TUMOUR, "epidural tumour"), (Kind.MODIC_1, "")])
def test_the_findings_of_a_study_name_it_so(kind, cause):
    signal = {"t1_to_marrow": 0.5, "stir_to_marrow": 2.0, "epidural_volume": 90.0}
    measured = (NARROW, *of_lesion(1, "L3", **signal))
    found = assess_case(measured, (lesion("L3", kind=kind),), screen("L3"), Facts(spine("L3", "L4")))
    (narrowing,) = (f for f in found if f.kind == "thecal_sac_narrowing")
    assert narrowing.cause == cause
