"""Tumour, infection or osteoporosis: what counts for and against each; an involved disc never excludes tumour."""

from __future__ import annotations

import pytest

from spinemri.anatomy import Level, StructureKind
from spinemri.assess.infection import cause_finding, causes, infection_raised
from spinemri.finding import Certainty
from spinemri.lesion import MarrowChange as Kind
from spinemri.measurement import Measurement, Status
from tests.assess.studies import lesion, loss, of_lesion, screen, study

PAIR = (lesion("L3"), lesion("L4", 2, z=-32.0))


def mirrored(ratio=2.0, kinds=(Kind.TUMOUR, Kind.TUMOUR), extent=None, **said):
    """Lesions on both sides of L3-L4, each taking up 40 % of its endplate."""
    lesions = (lesion("L3", kind=kinds[0]), lesion("L4", 2, kinds[1], z=-32.0))
    shared = {"disc": "L3-L4", "disc_signal_ratio": ratio, "endplate_contact_pct": 40.0} | (extent or {})
    measured = [*of_lesion(1, **shared), *of_lesion(2, "L4", **shared)]
    return study(*measured, *(silent() if ratio is None else ()), lesions=lesions, clinical=said)


def silent():
    """The signal of L3-L4, which both lesions touch and no series shows."""
    name = "lesion_disc_signal_ratio"
    return [
        Measurement(
            id=f"lesion-{n}.{name}", name=name, kind=StructureKind.LESION, level=Level(level), unit="1",
            status=Status.NOT_ASSESSABLE, reason="no series shows it", flags=("disc:L3-L4",),
        )
        for n, level in ((1, "L3"), (2, "L4"))
    ]  # fmt: skip


def judged(evidence):
    return dict(zip(("tumour", "infection", "osteoporosis"), causes(evidence), strict=True))


def test_two_neighbours_with_a_bright_disc_raise_infection_and_keep_tumour():
    """The seed case: carcinoma in two vertebrae and the disc between them."""
    evidence = mirrored()
    found = judged(evidence)
    assert infection_raised(evidence)
    assert found["infection"].speaks_for == ("two neighbouring vertebrae at one disc", "disc bright", "endplate-based")
    assert found["tumour"].speaks_for == ("lesion that may be a tumour", "several vertebrae")
    assert not any("disc" in words and "bright" in words for words in found["tumour"].speaks_against)
    said = cause_finding(evidence)
    assert said.grade == "tumour, infection"
    assert said.statement.startswith("To be considered: tumour, infection. Tumour: for: lesion that may be a tumour, ")
    assert said.certainty is Certainty.BORDERLINE


@pytest.mark.parametrize(("ratio", "bright"), [(1.49, False), (1.5, True), (None, False)])
def test_a_disc_is_involved_from_its_limit_on_and_one_that_was_not_measured_says_nothing(ratio, bright):
    found = judged(mirrored(ratio))
    assert ("disc bright" in found["infection"].speaks_for) is bright
    spared = "discs beside lesions not bright" in found["infection"].speaks_against
    assert spared is (ratio is not None and not bright)
    assert ("disc beside a lesion spared" in found["tumour"].speaks_for) is (ratio is not None and not bright)


@pytest.mark.parametrize(
    ("ratio", "beside", "raised"),
    [(1.0, 0.0, False), (1.49, 59.9, False), (1.0, 60.0, True), (1.5, 0.0, True), (None, 0.0, False)],
)
def test_a_pair_across_a_disc_that_is_not_bright_raises_infection_only_with_soft_tissue(ratio, beside, raised):
    evidence = mirrored(ratio, extent={"paraspinal_volume": beside})
    found = judged(evidence)
    assert infection_raised(evidence) is raised
    assert ("two neighbouring vertebrae at one disc" in found["infection"].speaks_for) is raised
    assert ("infection" in cause_finding(evidence).grade) is raised
    assert "tumour" in cause_finding(evidence).grade
    dark = "soft tissue beside a disc that is not bright"
    assert (dark in found["infection"].speaks_for) is (raised and ratio == 1.0)


@pytest.mark.parametrize(("extent", "untold"), [({}, True), ({"paraspinal_volume": 90.0}, False)])
def test_without_the_discs_signal_infection_cannot_be_told(extent, untold):
    said = cause_finding(mirrored(None, extent=extent))
    words = "not measured: signal of the disc at L3, L4, so that infection there cannot be told"
    assert (words in said.statement) is untold
    assert "not bright" not in said.statement.replace("a disc that is not bright", "")
    alone = cause_finding(mirrored(None, (Kind.MODIC_1, Kind.MODIC_1)))
    assert alone.certainty is Certainty.NOT_ASSESSABLE
    assert "cannot be told from degenerative change" in alone.statement
    assert [str(level) for level in alone.levels] == ["L3", "L4"]


@pytest.mark.parametrize(
    ("ratio", "discitis", "raised"), [(1.0, 1.0, True), (1.0, 0.5, False), (None, 1.0, True), (1.5, 0.5, True)]
)
def test_discitis_named_by_the_network_counts_unless_a_dark_disc_says_degeneration(ratio, discitis, raised):
    shares = {"shares": {Kind.DISCITIS: discitis, Kind.MODIC_1: 1 - discitis}}
    measured = mirrored(ratio)
    lesions = tuple(v.model_copy(update=shares) for v in measured.lesions)
    assert infection_raised(study(*measured.measurements.values(), lesions=lesions)) is raised


def test_what_was_not_measured_of_a_tumour_is_listed_and_counts_for_nothing():
    known = judged(study(*of_lesion(), lesions=(lesion(),)))["tumour"]
    gaps = dict.fromkeys(("pedicle_left", "convex_posterior_border", "epidural_volume"))
    found = judged(study(*of_lesion(**gaps), lesions=(lesion(),)))["tumour"]
    assert (known.speaks_for, known.speaks_against) == (found.speaks_for, found.speaks_against)
    assert known.not_measured == ()
    assert found.not_measured == ("pedicle or arch involved", "convex posterior border", "epidural mass")
    assert "not measured: pedicle or arch involved" in found.text


def test_a_pair_that_may_be_one_is_no_sign_and_is_listed():
    shared = {"disc": "L3-L4", "disc_signal_ratio": 1.0, "endplate_contact_pct": None}
    found = judged(study(*of_lesion(1, **shared), *of_lesion(2, "L4", **shared), lesions=PAIR))["infection"]
    assert found.not_measured == ("whether two neighbouring vertebrae face one disc",)
    assert "no two neighbouring vertebrae at one disc" not in found.speaks_against


def test_a_lesion_away_from_discs_speaks_against_infection():
    evidence = study(*of_lesion(pedicle_left=90.0), lesions=(lesion(),))
    found = judged(evidence)
    assert not infection_raised(evidence)
    assert found["infection"].speaks_against == ("no two neighbouring vertebrae at one disc",)
    assert "pedicle or arch involved" in found["tumour"].speaks_for
    assert cause_finding(evidence).grade == "tumour"


def test_a_mirror_pair_of_degenerate_endplates_is_no_reason_to_name_infection():
    evidence = mirrored(1.0, (Kind.MODIC_1, Kind.MODIC_1))
    assert not infection_raised(evidence)
    assert cause_finding(evidence).certainty is Certainty.ABSENT


def test_with_a_bright_disc_it_is():
    evidence = mirrored(2.0, (Kind.MODIC_1, Kind.MODIC_1))
    assert infection_raised(evidence)
    assert "infection" in cause_finding(evidence).grade


@pytest.mark.parametrize(
    ("said", "cause", "side", "words"),
    [
        ({"fever_or_infection_signs": "yes"}, "infection", "for", "fever or signs of infection"),
        ({"fever_or_infection_signs": "no"}, "infection", "against", "no fever or signs of infection"),
        ({"primary": "lung"}, "tumour", "for", "known cancer"),
        ({"cancer_history": "no"}, "tumour", "against", "no cancer known"),
        ({"osteoporosis": "no"}, "osteoporosis", "against", "no osteoporosis known"),
    ],
)
def test_what_the_clinician_says_counts_and_what_is_unknown_does_not(said, cause, side, words):
    answered, silent = judged(mirrored(**said))[cause], judged(mirrored())[cause]
    assert words in (answered.speaks_for if side == "for" else answered.speaks_against)
    assert words not in (*silent.speaks_for, *silent.speaks_against)


@pytest.mark.parametrize(("height", "broken"), [(19.9, False), (20.0, True)])
def test_a_deformity_without_a_lesion_speaks_for_osteoporosis(height, broken):
    evidence = study(loss("L1", height), clinical={"osteoporosis": "yes"})
    found = judged(evidence)["osteoporosis"]
    assert ("fracture-level deformity without a tumour-like lesion" in found.speaks_for) is broken
    assert ("known osteoporosis" in found.speaks_for) is broken
    assert ("no fracture-level deformity" in found.speaks_against) is not broken
    assert (cause_finding(evidence).grade == "osteoporotic fracture") is broken


def test_a_fracture_with_malignant_features_speaks_for_tumour_and_against_osteoporosis():
    signs = of_lesion(pedicle_left=90.0, epidural_volume=90.0)
    found = judged(study(loss("L3", 35.0), *signs, lesions=(lesion(),)))
    assert "fracture with mainly malignant features" in found["tumour"].speaks_for
    assert "fracture with mainly malignant features" in found["osteoporosis"].speaks_against


def test_a_tumour_like_lesion_in_a_whole_body_speaks_against_osteoporosis():
    found = judged(study(loss("L1", 35.0), loss("L3", 2.0), *of_lesion(), lesions=(lesion(),)))
    assert "tumour-like lesion in a body without deformity" in found["osteoporosis"].speaks_against


def test_nothing_to_explain_and_nobody_looked_are_two_things():
    assert cause_finding(study(loss("L3", 3.0))).certainty is Certainty.ABSENT
    assert cause_finding(study(loss("L3", 30.0), screen=screen())).certainty is Certainty.NOT_ASSESSABLE


def test_a_body_whose_height_was_not_measured_is_not_said_to_be_whole():
    found = judged(study(loss("L1", 35.0), *of_lesion(), lesions=(lesion(),)))
    assert "tumour-like lesion in a body without deformity" not in found["osteoporosis"].speaks_against


def test_a_change_of_another_kind_is_not_denied():
    found = judged(study(loss("L1", 35.0), *of_lesion(), lesions=(lesion(kind=Kind.MODIC_2),)))
    assert "no marrow change that suggests it" in found["infection"].speaks_against
