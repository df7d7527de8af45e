"""The marrow of a study in sentences: diffuse change first, vertebrae counted, and nothing found is no all-clear."""

from __future__ import annotations

import pytest

from spinemri.anatomy import Level, StructureKind
from spinemri.assess.marrow import assess_marrow, diffuse_finding, involvement_finding
from spinemri.finding import Certainty, Finding, Urgency
from spinemri.lesion import Lesion, MarrowScreen
from spinemri.lesion import MarrowChange as Kind
from spinemri.measure.marrow import measure_marrow
from spinemri.measurement import Measurement, Status
from tests.assess.test_lesion import measurements as of_lesion
from tests.measure.test_marrow import STIR, T1, Spot, case_of, image

LEVELS = tuple(Level(name) for name in ("T11", "T12", "L1", "L2", "L3", "L4", "L5", "S1"))
SCREEN = MarrowScreen(
    assessed=LEVELS, contrasts=("T1w", "STIR"), detection_limit_mm=8.4, operating_point=0.5, model="lesions 1"
)
CALM = Finding(id="diffuse_marrow", kind="diffuse_marrow", certainty=Certainty.ABSENT)
CAUSES = "infiltration, reconversion (anaemia, smoking, G-CSF) or myelofibrosis"


def ratios(name: str, values, levels=LEVELS) -> dict[str, Measurement]:
    """T1w ratios of vertebrae from the top; None where there is none."""
    made = {}
    for level, value in zip(levels, values, strict=False):
        gap = {} if value is not None else {"status": Status.OUT_OF_FIELD, "reason": "cut"}
        id_ = f"{level}.marrow_t1_to_{name}"
        made[id_] = Measurement(
            id=id_, name=f"marrow_t1_to_{name}", kind=StructureKind.VERTEBRAL_BODY, level=level, value=value, unit="1",
            **gap,
        )  # fmt: skip
    return made


def diffuse(discs=(), muscle=(), screen=SCREEN) -> Finding:
    return diffuse_finding(ratios("disc", discs) | ratios("muscle", muscle), screen)


def lesion(number=1, level="L3", shares=None, probability=0.93, **changes) -> Lesion:
    made = Lesion(
        id=f"lesion-{number}", label=number, series_uid="1.2.3", seen_in=("T1w", "STIR"), levels=(Level(level),),
        level=Level(level), side="left", centre=(9.0, -20.0, 0.0), probability=probability,
        shares=shares or {Kind.TUMOUR: 0.9, Kind.PAGET: 0.1},
    )  # fmt: skip
    return made.model_copy(update=changes)


def assessed(*lesions: Lesion, screen=SCREEN, **values) -> dict[str, Finding]:
    """Findings by id; ``values`` are measurements of the first lesion."""
    found = assess_marrow(of_lesion(1, **values).values(), lesions, screen)
    return {finding.id: finding for finding in found}


def sentence(*lesions: Lesion, **values) -> str:
    return assessed(*lesions, **values)["lesion-1.marrow_lesion"].statement


# diffuse change


def test_marrow_brighter_than_discs_and_muscle_is_no_diffuse_change():
    found = diffuse([1.6] * 8, [2.4] * 8)
    assert found.certainty is Certainty.ABSENT
    assert found.statement == (
        "No diffuse marrow change: T1w marrow is brighter than disc (ratio 1.60, 8 levels), "
        "muscle (ratio 2.40, 8 levels)."
    )
    assert len(found.evidence) == 16


def test_bright_discs_are_a_diffuse_change_with_its_differential():
    found = diffuse([0.8] * 8, [1.05] * 8)
    assert found.certainty is Certainty.PRESENT
    assert found.statement == (
        "Diffuse marrow change: T1w marrow / disc (ratio 0.80, 8 levels), muscle (ratio 1.05, 8 levels); "
        f"{CAUSES}; focal lesions may be hidden in it."
    )
    assert "metasta" not in found.statement
    assert "AJNR 1990" in found.source


@pytest.mark.parametrize(
    ("discs", "muscle", "certainty"),
    [
        (0.99, 1.19, Certainty.PRESENT),
        (1.0, 1.19, Certainty.PRESENT),
        (1.19, 1.19, Certainty.PRESENT),
        (1.2, 1.19, Certainty.BORDERLINE),
        (0.99, 1.2, Certainty.PRESENT),
        (0.99, 1.43, Certainty.PRESENT),
        (0.99, 1.44, Certainty.BORDERLINE),
        (1.0, 1.2, Certainty.ABSENT),
    ],
)
def test_limits_of_the_ratios(discs, muscle, certainty):
    """Either one makes it sure, unless the other is more than a fifth above its own limit; then it is possible."""
    found = diffuse([discs] * 6, [muscle] * 6)
    assert found.certainty is certainty
    assert found.statement.startswith("Possible diffuse marrow change:") is (certainty is Certainty.BORDERLINE)


@pytest.mark.parametrize(
    ("dark", "certainty"),
    [(4, Certainty.PRESENT), (3, Certainty.BORDERLINE), (2, Certainty.ABSENT), (0, Certainty.ABSENT)],
)
def test_four_of_five_vertebrae_are_most_and_three_of_five_are_more_than_half(dark, certainty):
    found = diffuse([0.8] * dark + [1.1] * (5 - dark), [1.1] * dark + [1.3] * (5 - dark))
    assert found.certainty is certainty


def test_one_ratio_alone_makes_a_diffuse_change_possible_only():
    assert diffuse([0.8] * 6).certainty is Certainty.BORDERLINE
    assert diffuse((), [1.0] * 6).certainty is Certainty.BORDERLINE
    assert diffuse([0.8] * 6, [1.0] * 3).certainty is Certainty.BORDERLINE


@pytest.mark.parametrize("dark", range(9))
def test_what_is_darker_at_most_levels_is_never_called_brighter(dark):
    found = diffuse([0.9] * dark + [1.3] * (8 - dark), [2.0] * 8)
    if "brighter than disc" in found.statement:
        assert dark <= 4
    assert (found.certainty is Certainty.ABSENT) is ("brighter" in found.statement)


def test_change_that_differs_from_level_to_level_is_not_sure():
    """Relative spread of 0.29 and of 0.31."""
    for step, certainty in ((0.29, Certainty.PRESENT), (0.31, Certainty.BORDERLINE)):
        patchy = [0.7 * (1 + step), 0.7 * (1 - step)] * 4
        found = diffuse(patchy, [v * 1.2 for v in patchy])
        assert found.certainty is certainty


@pytest.mark.parametrize(("count", "known"), [(3, False), (4, True)])
def test_fewer_than_four_vertebrae_are_too_few(count, known):
    found = diffuse([0.8] * count, [1.0] * count)
    assert found.certainty is (Certainty.PRESENT if known else Certainty.NOT_ASSESSABLE)
    if not known:
        assert found.statement == "Diffuse marrow change: not assessable, fewer than 4 vertebrae could be compared."


def test_levels_that_were_not_measured_or_not_looked_at_do_not_count():
    assert diffuse([0.8, 0.8, 0.8, None, None]).certainty is Certainty.NOT_ASSESSABLE
    three = SCREEN.model_copy(update={"assessed": LEVELS[:3]})
    assert diffuse([0.8] * 8, [1.0] * 8, three).certainty is Certainty.NOT_ASSESSABLE
    four = SCREEN.model_copy(update={"assessed": LEVELS[4:]})
    found = diffuse([1.6] * 4 + [0.8] * 4, [2.5] * 4 + [1.0] * 4, four)
    assert found.certainty is Certainty.PRESENT
    assert all(id_.startswith(("L3", "L4", "L5", "S1")) for id_ in found.evidence)


def test_a_ratio_of_too_few_levels_is_not_said():
    found = diffuse([0.8] * 3, [2.4] * 6)
    assert found.certainty is Certainty.ABSENT
    assert found.statement == "No diffuse marrow change: T1w marrow is brighter than muscle (ratio 2.40, 6 levels)."


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"contrasts": ("STIR",)}, "no T1w series"),
        ({"contrasts": (), "assessed": ()}, "no vertebra was looked at"),
        ({}, "fewer than 4 vertebrae could be compared"),
    ],
)
def test_why_it_could_not_be_told(changes, why):
    found = diffuse(screen=SCREEN.model_copy(update=changes))
    assert found.certainty is Certainty.NOT_ASSESSABLE
    assert found.statement == f"Diffuse marrow change: not assessable, {why}."


# involvement


def test_vertebrae_are_counted_by_region_not_lesions():
    lesions = [lesion(1, "L3"), lesion(2, "L3"), lesion(3, "T12"), lesion(4, "L5", levels=(Level("L5"), Level("S1")))]
    found = involvement_finding(lesions, SCREEN, CALM)
    assert found.statement == (
        "4 of 8 vertebrae assessed hold tumour-like lesions (thoracic 1 of 2: T12; lumbar 2 of 5: L3, L5; "
        "sacral 1 of 1: S1), on T1w and STIR."
    )
    assert found.levels == (Level("T12"), Level("L3"), Level("L5"), Level("S1"))
    assert found.evidence == tuple(f"lesion-{n}.lesion_volume" for n in (1, 2, 3, 4))
    assert found.urgency is Urgency.NONE  # whether it is urgent depends on what is known of the patient


@pytest.mark.parametrize(
    ("probability", "certainty"), [(0.79, Certainty.BORDERLINE), (0.8, Certainty.PRESENT), (0.95, Certainty.PRESENT)]
)
def test_a_lesion_is_sure_from_a_probability_on(probability, certainty):
    one = lesion(probability=probability)
    assert involvement_finding([one], SCREEN, CALM).certainty is certainty
    assert involvement_finding([lesion(2, "L5", probability=0.3), one], SCREEN, CALM).certainty is certainty
    assert assessed(one)["lesion-1.marrow_lesion"].certainty is certainty


@pytest.mark.parametrize(
    ("limit", "said"),
    [
        (8.4, "above 8 mm"),
        (12.6, "above 13 mm"),
        (None, "(smallest detectable size not known for these sequences)"),
    ],
)
def test_nothing_found_names_the_size_that_would_have_been_seen(limit, said):
    found = involvement_finding([], SCREEN.model_copy(update={"detection_limit_mm": limit}), CALM)
    assert found.statement == f"No tumour-like lesion detected {said} in 8 vertebrae on T1w and STIR."
    assert found.certainty is Certainty.ABSENT
    assert found.urgency is Urgency.NONE


@pytest.mark.parametrize("lesions", [(), (lesion(),), (lesion(shares={Kind.FAT: 1.0}),)])
@pytest.mark.parametrize("limit", [8.0, None])
def test_it_never_says_no_metastasis(lesions, limit):
    screen = SCREEN.model_copy(update={"detection_limit_mm": limit})
    for finding in assessed(*lesions, screen=screen).values():
        assert "metasta" not in finding.statement.lower()
        assert "normal" not in finding.statement.lower()


@pytest.mark.parametrize(
    ("certainty", "said"),
    [
        (Certainty.PRESENT, True),
        (Certainty.BORDERLINE, True),
        (Certainty.ABSENT, False),
        (Certainty.NOT_ASSESSABLE, False),
    ],
)
def test_diffuse_change_may_hide_lesions(certainty, said):
    whole = CALM.model_copy(update={"certainty": certainty})
    for lesions in ([], [lesion()]):
        text = involvement_finding(lesions, SCREEN, whole).statement
        assert text.endswith(" Diffuse change may hide lesions.") is said


def test_nothing_looked_at_is_not_assessed_with_the_reason():
    nothing = MarrowScreen(warnings=("marrow was not assessed: no lesion model was loaded",))
    found = involvement_finding([], nothing, CALM)
    assert found.certainty is Certainty.NOT_ASSESSABLE
    assert found.statement == "Marrow lesions: not assessed (marrow was not assessed: no lesion model was loaded)."
    assert involvement_finding([], MarrowScreen(), CALM).statement.endswith("(no vertebra was looked at).")


def test_only_what_is_first_of_all_tumour_like_counts():
    """Fat is none; Modic is none; a tumour-like lesion that a mirror pair explains is none; sclerotic is one."""
    fat = lesion(2, "L1", {Kind.FAT: 0.7, Kind.TUMOUR: 0.3})
    sclerotic = lesion(3, "T11", {Kind.SCLEROTIC: 1.0})
    found = assessed(lesion(1, "L5", {Kind.TUMOUR: 0.5, Kind.MODIC_1: 0.5}, levels=(Level("L5"), Level("S1"))),
                     fat, sclerotic, endplate_contact_pct=40.0)  # fmt: skip
    assert found["marrow_involvement"].levels == (Level("T11"),)
    assert found["marrow_involvement"].statement.startswith("1 of 8 vertebrae")


def test_a_tumour_in_a_vertebra_that_was_not_wholly_looked_at_is_not_lost():
    few = SCREEN.model_copy(update={"assessed": LEVELS[:4]})
    found = involvement_finding([lesion(1, "L5")], few, CALM)
    assert found.certainty is Certainty.PRESENT
    assert found.levels == (Level("L5"),)
    assert found.statement.startswith("1 of 5 vertebrae assessed hold tumour-like lesions")


def test_relative_levels_are_counted_without_a_region():
    levels = tuple(Level(f"V{n}") for n in range(1, 6))
    found = involvement_finding([lesion(1, "V2")], SCREEN.model_copy(update={"assessed": levels}), CALM)
    assert "1 of 5 vertebrae assessed hold tumour-like lesions (unnamed 1 of 5: V2)" in found.statement


# each lesion


def test_the_order_is_diffuse_change_involvement_then_every_lesion():
    lesions = [lesion(2, "L5"), lesion(1, "L3", {Kind.FAT: 1.0})]
    found = assess_marrow((), lesions, SCREEN)
    assert [f.id for f in found] == [
        "diffuse_marrow",
        "marrow_involvement",
        "lesion-2.marrow_lesion",
        "lesion-1.marrow_lesion",
    ]
    assert [f.cause for f in found[2:]] == ["tumour-like", "focal fat"]
    assert all(f.rule and f.source and f.statement for f in found)
    assert len({f.id for f in found}) == len(found)


def test_the_sentence_of_a_lesion_names_level_size_side_signal_extent_and_what_it_may_be():
    said = sentence(
        lesion(), diameter=21.6, body_share_pct=31.4, t1_to_marrow=0.46, stir_to_marrow=2.11, t2_to_marrow=None,
        convex_posterior_border=3.4, pedicle_left=210.0, epidural_volume=1140.0, paraspinal_volume=450.0,
        endplate_contact_pct=4.0,
    )  # fmt: skip
    assert said == (
        "L3: 22 mm marrow change on the left, 31 % of the body of L3, T1w 0.5 × marrow, STIR 2.1 × marrow, "
        "posterior border convex by 3 mm, pedicle or arch involved, epidural extension 1.1 ml, "
        "soft-tissue extension 0.5 ml. "
        "Favours tumour-like (T1w dark, STIR bright, convex posterior border, pedicle or arch involved, "
        "epidural extension, soft-tissue extension); not distinguishable here or to be considered: Paget disease, "
        "atypical haemangioma, oedema of a benign fracture."
    )


def test_a_lesion_of_which_nothing_could_be_measured_still_has_its_place():
    said = sentence(lesion(side="", shares={Kind.INFARCT: 1.0}))
    assert said == (
        "L3: marrow change. Favours bone infarct. Not measured: posterior border, pedicles and arch, part in the "
        "canal, soft tissue beside the spine, endplate contact."
    )


@pytest.mark.parametrize(
    ("side", "said"),
    [
        ("left", "22 mm marrow change on the left"),
        ("right", "22 mm marrow change on the right"),
        ("midline", "22 mm marrow change in the midline"),
        ("both sides", "22 mm marrow change on both sides"),
        ("", "22 mm marrow change."),
    ],
)
def test_sides_are_said(side, said):
    found = assessed(lesion(side=side), diameter=22.0)["lesion-1.marrow_lesion"]
    assert found.side == side
    assert f"L3: {said}" in found.statement


def test_every_level_of_a_lesion_is_named():
    said = sentence(lesion(levels=(Level("L3"), Level("L4"))), diameter=40.0, body_share_pct=60.0)
    assert said.startswith("L3, L4: 40 mm marrow change on the left, 60 % of the body of L3")


@pytest.mark.parametrize(
    ("name", "below", "above", "said"),
    [
        ("convex_posterior_border", 1.99, 2.0, "posterior border convex by 2 mm"),
        ("epidural_volume", 59.9, 60.0, "epidural extension 0.1 ml"),
        ("prevertebral_volume", 59.9, 60.0, "soft-tissue extension 0.1 ml"),
        ("pedicle_right", 59.9, 60.0, "pedicle or arch involved"),
    ],
)
def test_extent_is_said_from_the_error_of_two_masks_on(name, below, above, said):
    assert said in sentence(lesion(), **{name: above})
    assert said not in sentence(lesion(), **{name: below})


@pytest.mark.parametrize(
    ("seen_in", "said"), [(("T1w",), True), (("STIR",), True), ((), True), (("T1w", "STIR"), False)]
)
def test_a_lesion_of_one_sequence_is_said_to_be_unconfirmed(seen_in, said):
    text = sentence(lesion(seen_in=seen_in))
    assert text.endswith(" Seen on one sequence only, not confirmed on a second.") is said


def test_what_speaks_against_the_first_entity_is_said():
    confined = dict.fromkeys(
        ("convex_posterior_border", "pedicle_left", "pedicle_right", "epidural_volume", "paraspinal_volume",
         "prevertebral_volume"), 0.0,
    )  # fmt: skip
    said = sentence(lesion(shares={Kind.TUMOUR: 1.0}), t1_to_marrow=0.5, stir_to_marrow=0.5, **confined)
    assert "Favours tumour-like; against: STIR dark, no convex border, pedicle or soft-tissue involvement" in said
    unmeasured = sentence(lesion(shares={Kind.TUMOUR: 1.0}), t1_to_marrow=0.5, stir_to_marrow=0.5)
    assert "Favours tumour-like; against: STIR dark; not" in unmeasured
    sclerotic = sentence(lesion(shares={Kind.SCLEROTIC: 1.0}), t1_to_marrow=0.5, stir_to_marrow=0.5)
    assert "Favours sclerotic (T1w dark, STIR dark)" in sclerotic


def test_the_seed_case_in_words():
    """A tumour-like lesion beside a bright disc: both stay, and it says why."""
    shares = {Kind.TUMOUR: 0.95, Kind.RED_MARROW: 0.05}
    found = assessed(lesion(shares=shares), disc_signal_ratio=2.1, t1_to_marrow=0.5, stir_to_marrow=2.4)
    said = found["lesion-1.marrow_lesion"].statement
    assert "Favours tumour-like (T1w dark, STIR bright)" in said
    assert "bright disc (raises infection, does not exclude tumour)" in said
    assert "to be considered: discitis-osteomyelitis" in said
    assert found["marrow_involvement"].levels == (Level("L3"),)


def test_an_entity_is_named_once():
    shares = {Kind.TUMOUR: 0.5, Kind.ATYPICAL_HAEMANGIOMA: 0.3, Kind.FRACTURE_OEDEMA: 0.2}
    said = sentence(lesion(shares=shares))
    for name in shares:
        assert said.count(name.value) == 1


def test_the_evidence_is_every_measurement_of_the_lesion_and_of_no_other():
    values = of_lesion(1, diameter=20.0, volume=900.0) | of_lesion(11, diameter=9.0)
    found = assess_marrow(values.values(), [lesion(1), lesion(11, "L5")], SCREEN)
    by_id = {finding.id: finding.evidence for finding in found}
    assert by_id["lesion-1.marrow_lesion"] == ("lesion-1.lesion_diameter", "lesion-1.lesion_volume")
    assert by_id["lesion-11.marrow_lesion"] == ("lesion-11.lesion_diameter",)


# measured, then judged


@pytest.mark.parametrize(("upper", "lower", "facing"), [(-8.5, 8.5, True), (8.5, 8.5, False), (-8.5, -8.5, False)])
def test_lesions_that_face_each_other_across_a_disc_are_told_from_others(upper, lower, facing):
    """In L3 and L4, near the endplates between them or at the far ends of their bodies."""
    spots = [Spot((0.0, 0.0, upper), (17.0, 12.0, 8.0)), Spot((0.0, 0.0, lower), (17.0, 12.0, 8.0), "L4")]
    case = case_of(image(T1, spots), image(STIR, spots), spots=spots)
    shares = {Kind.TUMOUR: 0.6, Kind.MODIC_1: 0.4}
    lesions = [one.model_copy(update={"shares": shares, "seen_in": ("T1w", "STIR")}) for one in case.lesions]
    found = {f.id: f for f in assess_marrow(measure_marrow(case), lesions, SCREEN)}
    for number in (1, 2):
        told = found[f"lesion-{number}.marrow_lesion"]
        assert told.cause == (Kind.MODIC_1 if facing else Kind.TUMOUR).value
        assert ("mirror pair across a disc" in told.statement) is facing
    assert (found["marrow_involvement"].certainty is Certainty.ABSENT) is facing


def test_what_may_be_tumour_is_never_reported_as_nothing_detected():
    doubtful = lesion(1, "L3", shares={Kind.FRACTURE_OEDEMA: 0.6, Kind.TUMOUR: 0.4})
    found = next(f for f in assess_marrow([], [doubtful], SCREEN) if f.kind == "marrow_involvement")
    assert found.certainty is Certainty.BORDERLINE
    assert "L3" in found.statement
    assert "may hold tumour" in found.statement
    assert "detected" not in found.statement
    harmless = lesion(1, "L3", shares={Kind.FAT: 1.0})
    found = next(f for f in assess_marrow([], [harmless], SCREEN) if f.kind == "marrow_involvement")
    assert found.certainty is Certainty.ABSENT
