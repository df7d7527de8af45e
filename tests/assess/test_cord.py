"""Compression apart from displacement, the cord's signal, the screen beside a tumour, and what narrows the canal."""

from __future__ import annotations

import pytest

from spinemri.anatomy import Level, StructureKind
from spinemri.assess.cause import narrowing_causes
from spinemri.assess.cord import compression_finding, displacement_finding, escc_screen, signal_finding
from spinemri.finding import Certainty
from spinemri.measurement import Measurement, Status, below_the_cord

PLACE = {"level": Level("C5"), "lower": Level("C6")}
C5_C6 = "C5-C6"


def made(name, value, *, sd=1.0, reason="no normal level", kind=StructureKind.CORD, **changes):
    place = {**PLACE, **changes}
    where = "-".join(str(v) for v in place.values() if v is not None)
    return Measurement(
        id=f"{where}.{name}",
        name=name,
        kind=kind,
        value=value,
        unit="%",
        interval=None if value is None else (value - 2 * sd, value + 2 * sd),
        reference_levels=(Level("C3"), Level("C4"), Level("C6"), Level("C7")),
        status=Status.NOT_ASSESSABLE if value is None else Status.MEASURED,
        reason="" if value is not None else reason,
        **place,
    )


def compression(value, **options):
    return made("cord_compression_pct", value, **options)


def together(*measurements):
    return {m.id: m for m in measurements}


def epidural(volume, level="C5", kind="tumour-like"):
    """The part in the canal of a lesion that was called so."""
    one = made("lesion_epidural_volume", volume, kind=StructureKind.LESION, level=Level(level), lower=None)
    return one.model_copy(update={"flags": (f"kind:{kind}",)})


@pytest.mark.parametrize(
    ("value", "certainty", "grade"),
    [
        (-3.0, Certainty.ABSENT, "none"),
        (9.9, Certainty.ABSENT, "none"),
        (10.1, Certainty.BORDERLINE, "equivocal"),
        (14.9, Certainty.BORDERLINE, "equivocal"),
        (15.1, Certainty.PRESENT, "compressed"),
        (40.0, Certainty.PRESENT, "compressed"),
    ],
)
def test_compression_on_both_sides_of_each_limit(value, certainty, grade):
    found = compression_finding({}, compression(value))
    assert (found.certainty, found.grade) == (certainty, grade)
    assert ("not compressed" in found.statement) is (certainty is Certainty.ABSENT)


def test_an_interval_that_reaches_no_compression_is_borderline():
    found = compression_finding({}, compression(18.0, sd=5.0))
    assert (found.certainty, found.grade) == (Certainty.BORDERLINE, "compressed")
    assert "perhaps cord compressed" in found.statement


@pytest.mark.parametrize(
    ("shift", "certainty", "word"),
    [
        (1.9, Certainty.ABSENT, "not displaced"),
        (2.1, Certainty.BORDERLINE, "perhaps displaced 2.1 mm posteriorly"),
        (-2.9, Certainty.BORDERLINE, "anteriorly"),
        (3.1, Certainty.PRESENT, "displaced 3.1 mm posteriorly"),
        (None, Certainty.NOT_ASSESSABLE, "not assessable: too short"),
    ],
)
def test_displacement_is_a_finding_of_its_own(shift, certainty, word):
    found = displacement_finding({}, made("cord_shift_mm", shift, sd=0.5, reason="too short"))
    assert found.certainty is certainty
    assert word in found.statement
    assert "compress" not in found.statement


def test_what_displaces_the_cord_is_named():
    found = displacement_finding(together(epidural(300.0)), made("cord_shift_mm", 4.0, sd=0.5))
    assert found.cause == "epidural tumour"
    assert compression_finding(together(epidural(300.0)), compression(3.0)).certainty is Certainty.ABSENT


@pytest.mark.parametrize(
    ("ring", "sac", "certainty"),
    [
        (0.79, 5.0, Certainty.PRESENT),
        (0.81, 5.0, Certainty.ABSENT),
        (0.81, 14.9, Certainty.ABSENT),
        (0.81, 15.1, Certainty.BORDERLINE),
        (None, 5.0, Certainty.PRESENT),
        (0.95, None, Certainty.BORDERLINE),
    ],
)
def test_a_thin_cord_on_which_nothing_presses_is_not_compressed(ring, sac, certainty):
    sac_loss = made("dural_sac_compromise_pct", sac, kind=StructureKind.THECAL_SAC)
    found = compression_finding(together(made("csf_ring_fraction", ring), sac_loss), compression(30.0))
    assert found.certainty is certainty
    assert ("nothing presses" in found.statement) is (certainty is Certainty.ABSENT)


@pytest.mark.parametrize(("ring", "certainty"), [(0.96, Certainty.PRESENT), (0.97, Certainty.BORDERLINE)])
def test_fluid_all_round_a_thin_cord_makes_compression_unsure_even_beside_tumour(ring, certainty):
    sac_loss = made("dural_sac_compromise_pct", 5.0, kind=StructureKind.THECAL_SAC)
    found = compression_finding(together(made("csf_ring_fraction", ring), sac_loss, epidural(400.0)), compression(30.0))
    assert found.certainty is certainty
    assert found.grade == ("none" if certainty is Certainty.ABSENT else "compressed")


@pytest.mark.parametrize(("ring", "words"), [(0.1, "no fluid seen"), (0.11, "fluid along 11 %")])
def test_fluid_on_both_sides_of_its_limit(ring, words):
    assert words in compression_finding(together(made("csf_ring_fraction", ring)), compression(20.0)).statement


def test_what_cannot_be_measured_is_not_assessable_with_its_reason():
    found = compression_finding({}, compression(None))
    assert found.certainty is Certainty.NOT_ASSESSABLE
    assert found.statement == "C5-C6: compression of the cord not assessable: no normal level."


@pytest.mark.parametrize(
    ("ratio", "certainty", "grade"),
    [
        (0.8, Certainty.ABSENT, "normal"),
        (1.19, Certainty.ABSENT, "normal"),
        (1.21, Certainty.BORDERLINE, "raised"),
        (1.49, Certainty.BORDERLINE, "raised"),
        (1.51, Certainty.PRESENT, "raised"),
    ],
)
def test_signal_is_always_stated(ratio, certainty, grade):
    found = signal_finding(together(made("cord_t2_length_mm", 14.0)), made("cord_t2_ratio", ratio))
    assert (found.certainty, found.grade) == (certainty, grade)
    assert ("14 mm" in found.statement) is (grade == "raised")
    assert ("perhaps" in found.statement) is (certainty is Certainty.BORDERLINE)


def test_signal_without_a_t2_image_is_not_assessable():
    found = signal_finding({}, made("cord_t2_ratio", None, reason="no sagittal T2w image"))
    assert found.certainty is Certainty.NOT_ASSESSABLE
    assert "no sagittal T2w image" in found.statement


@pytest.mark.parametrize(
    ("lost", "ring", "grade"),
    [
        (2.0, 0.9, "low"),
        (2.0, 0.05, "indeterminate"),
        (2.0, None, "indeterminate"),
        (12.0, 0.9, "indeterminate"),
        (None, 0.9, "indeterminate"),
        (16.0, 0.96, "possible high"),
        (16.0, 0.97, "indeterminate"),
        (30.0, 0.0, "possible high"),
    ],
)
def test_escc_is_screened_and_never_graded_on_sagittal_images(lost, ring, grade):
    found = escc_screen(together(epidural(400.0), made("csf_ring_fraction", ring)), compression(lost))
    assert found.grade == grade
    assert not any(digit in found.grade for digit in "0123")
    assert "not assessed: no axial T2w slice shows a cord here" in found.statement


@pytest.mark.parametrize(("volume", "screened"), [(19.0, False), (21.0, True)])
def test_no_tumour_in_the_canal_no_screen(volume, screened):
    assert (escc_screen(together(epidural(volume)), compression(30.0)) is not None) is screened
    assert escc_screen(together(epidural(volume, "T5")), compression(30.0)) is None


@pytest.mark.parametrize("kind", ["discitis-osteomyelitis", "typical haemangioma", "Modic 1"])
def test_what_is_no_tumour_is_not_screened_as_one(kind):
    assert escc_screen(together(epidural(400.0, kind=kind)), compression(30.0)) is None


def test_below_the_cord_there_is_no_screen():
    ended = made("cord_ap", None, reason=below_the_cord())
    assert escc_screen(together(epidural(400.0), ended), compression(None)) is None


CAUSES = [
    ("C5.retropulsion_mm", 2.0, "retropulsion"),
    ("C6.retropulsion_mm", 2.0, "retropulsion"),
    ("C5-C6.slip_mm", 2.0, "slip"),
    ("C5-C6.disc_bulge_mm", 1.0, "disc"),
]


@pytest.mark.parametrize(("id_", "least", "cause"), CAUSES)
@pytest.mark.parametrize("above", [True, False])
def test_causes_on_both_sides_of_each_limit(id_, least, cause, above):
    value = least + (0.05 if above else -0.05)
    levels = [Level(v) for v in id_.split(".")[0].split("-")]
    place = {"level": levels[0], "lower": levels[1] if len(levels) > 1 else None}
    one = made(id_.split(".")[1], value, **place)
    assert one.id == id_
    assert narrowing_causes(together(one), compression(20.0)) == (((cause, id_),) if above else ())


def test_a_slip_backwards_narrows_too():
    assert narrowing_causes(together(made("slip_mm", -4.0)), compression(20.0)) == (("slip", "C5-C6.slip_mm"),)


def test_a_disc_that_ends_before_the_line_of_the_endplates_narrows_nothing():
    assert narrowing_causes(together(made("disc_bulge_mm", -4.0)), compression(20.0)) == ()


@pytest.mark.parametrize(
    ("front", "back", "named"), [(1.0, 3.0, True), (3.0, 1.9, False), (3.0, 2.1, True), (0.5, -1.0, False)]
)
def test_what_pushes_from_behind_is_ligament_or_joints(front, back, named):
    both = together(made("dural_sac_front_indent_mm", front, sd=0.3), made("dural_sac_back_indent_mm", back, sd=0.3))
    assert bool(narrowing_causes(both, compression(20.0))) is named


def test_the_most_dangerous_cause_comes_first_and_stands_in_the_finding():
    all_ = together(made("disc_bulge_mm", 3.0), epidural(300.0))
    assert compression_finding(all_, compression(25.0)).cause == "epidural tumour, disc"
    assert compression_finding(all_, compression(5.0)).cause == ""


@pytest.mark.parametrize(
    ("volume", "kind", "certainty"),
    [
        (19.9, "tumour-like", Certainty.ABSENT),
        (20.0, "tumour-like", Certainty.PRESENT),
        (20.0, "discitis-osteomyelitis", Certainty.PRESENT),
        (300.0, "Modic 1", Certainty.ABSENT),
    ],
)
def test_a_tumour_or_abscess_in_the_canal_presses_though_fluid_is_seen(volume, kind, certainty):
    sac_loss = made("dural_sac_compromise_pct", 5.0, kind=StructureKind.THECAL_SAC)
    known = together(made("csf_ring_fraction", 0.9), sac_loss, epidural(volume, kind=kind))
    found = compression_finding(known, compression(30.0))
    assert found.certainty is certainty
    assert ("nothing presses" in found.statement) is (certainty is Certainty.ABSENT)
