"""Under eighteen, or at an unknown age, nothing is judged by what is usual in adults."""

from __future__ import annotations

import pytest

from spinemri.anatomy import Level, StructureKind
from spinemri.assess.adult import AGE_UNKNOWN, CHILD, by_age, remarks, why_not
from spinemri.assess.case import Facts, assess_case
from spinemri.finding import Certainty
from spinemri.lesion import MarrowScreen
from spinemri.measurement import Measurement, Status
from spinemri.norms import threshold
from spinemri.spine import LevelAssignment, LevelBasis, Spine, Vertebra

BODY, SAC = StructureKind.VERTEBRAL_BODY, StructureKind.THECAL_SAC
LEVELS = tuple(map(Level, ("T12", "L1", "L2", "L3", "L4", "L5")))
YOUNG = [
    (9.0, CHILD, "younger than 18 years"),
    (17.9, CHILD, "younger than 18"),
    (None, AGE_UNKNOWN, "age is not known"),
]
ADULT_WORDS = ("adults", "healthy canal", "Genant")


def one(place: str, name: str, value: float, unit="%", kind=BODY, **more) -> Measurement:
    upper, _, lower = place.partition("-")
    return Measurement(
        id=f"{place}.{name}", name=name, kind=kind, level=Level(upper), lower=Level(lower) if lower else None,
        value=value, unit=unit, **more,
    )  # fmt: skip


def study() -> list[Measurement]:
    """A wedged L1, dark marrow everywhere, a narrow canal and a flat back: all that adult norms can speak of."""
    wedge = {"anterior": 31.0, "middle": 12.0, "posterior": 2.0}
    made = [one("L1", f"height_loss_{c}_pct", v, reference_levels=LEVELS[:1]) for c, v in wedge.items()]
    made += [one("L1", "height_loss_pct", 31.0, reference_levels=(Level("T12"),)), one("L1", "wedge_ratio", 0.6, "1")]
    made += [one("L1", "wedge_ratio_z", -5.0, "1"), one("L1", "posterior_wall_fraction", 0.1, "1")]
    made += [one(f"{v}", f"marrow_t1_to_{o}", 0.8, "1") for v in LEVELS for o in ("disc", "muscle")]
    made += [one("T12-S1", "lumbar_lordosis", -5.0, "deg", interval=(-9.0, -1.0))]
    made += [one("L3-L4", "dural_sac_ap", 6.0, "mm", SAC), one("L3-L4", "dural_sac_compromise_pct", 50.0, "%", SAC)]
    return made


def findings(years: float | None):
    bodies = tuple(
        Vertebra(
            assignment=LevelAssignment(level=v, basis=LevelBasis.FROM_SACRUM, confidence=0.9),
            centre=(0, 0, n),
            series_uid="1.2",
        )
        for n, v in enumerate(LEVELS)
    )
    screen = MarrowScreen(assessed=LEVELS, contrasts=("T1w", "STIR"), detection_limit_mm=8.0)
    return {f.id: f for f in assess_case(by_age(study(), years), (), screen, Facts(Spine(vertebrae=bodies)))}


def test_adults_are_judged_by_adult_norms():
    assert by_age(study(), 18.0) == tuple(study())
    assert remarks(threshold("age.adult_from")) == ()
    found = findings(45.0)
    assert found["diffuse_marrow"].certainty is Certainty.PRESENT
    assert found["L1.vertebral_height_loss"].grade == "2"
    assert found["T12-S1.lumbar_lordosis.sagittal_curvature"].grade == "reduced"
    said = " ".join(f.statement for f in found.values())
    assert all(word in said for word in ADULT_WORDS)


@pytest.mark.parametrize(("years", "flag", "why"), YOUNG)
def test_others_are_not_and_it_is_said_why(years, flag, why):
    told = {m.id: m for m in by_age(study(), years)}
    z = told["L1.wedge_ratio_z"]
    assert (z.value, z.interval, z.status) == (None, None, Status.NOT_ASSESSABLE)
    assert why in z.reason
    assert told["L1.height_loss_pct"].value == 31.0
    assert flag in told["L1.height_loss_pct"].flags
    assert why in why_not(told["L3-L4.dural_sac_compromise_pct"])
    assert why in " ".join(remarks(years))
    found = findings(years)
    for id_ in ("diffuse_marrow", "T12-S1.lumbar_lordosis.sagittal_curvature"):
        assert found[id_].certainty is Certainty.NOT_ASSESSABLE
        assert why in found[id_].statement
    said = " ".join(f.statement for f in found.values())
    assert "adults" not in said
    assert "healthy canal" not in said
    assert "50 % of its antero-posterior diameter lost" in found["L3-L4.thecal_sac_narrowing"].statement


def test_a_child_gets_no_genant_grade_and_no_class_of_osteoporotic_fractures():
    found = findings(9.0)
    loss = found["L1.vertebral_height_loss"]
    assert (loss.grade, loss.certainty) == ("", Certainty.BORDERLINE)
    assert "height loss 31 %" in loss.statement
    assert "Genant" not in loss.statement
    (of_class,) = (f for f in found.values() if f.kind == "of_class")
    assert (of_class.grade, of_class.certainty) == ("", Certainty.NOT_ASSESSABLE)
    unknown = findings(None)["L1.vertebral_height_loss"]
    assert (unknown.grade, unknown.certainty) == ("2", Certainty.PRESENT)
