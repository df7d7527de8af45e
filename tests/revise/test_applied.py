"""Reviews applied to a whole study: what a reader changed holds in every number, sentence and file."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import numpy as np
import pytest

from spinemri.anatomy import Level, StructureKind
from spinemri.errors import InputError
from spinemri.pipeline import Options, read_study
from spinemri.report.json_file import to_json
from spinemri.report.narrative import narrate
from spinemri.report.text import to_text
from spinemri.report.write import write
from spinemri.review import FINDING_REJECTED, Review
from spinemri.revise.lesions import judged_lesions
from spinemri.revise.reading import phrases, revise
from spinemri.spine import LevelBasis
from tests.cli.command import run
from tests.columns import LUMBAR
from tests.revise import reviewed
from tests.revise.reviewed import decision, finished, review_of

BEFORE = list(LUMBAR)
AFTER = ["T10", *BEFORE[:-1]]
NEW_NAME = dict(zip(BEFORE, AFTER, strict=True))
FORMATS = ("json", "html", "txt", "csv", "nifti", "fhir")
MOVED = (
    decision("level", "L1", "correct", level="T12", text="ribs"),
    decision("lesion", "lesion-1"),
    decision("lesion", "lesion-2", "reject", text="artefact"),
    decision("finding", "L2.vertebral_height_loss", "correct", text="old, known since 2019"),
)


@pytest.fixture(scope="module")
def base(seen):
    """The analysis that the reader read."""
    return finished(seen).analysis


@pytest.fixture(scope="module")
def moved(seen, base):
    """Every level one higher, one lesion confirmed, one rejected, one finding corrected in words."""
    return finished(seen, review_of(base, *MOVED))


@pytest.fixture(scope="module")
def doubted(seen, base):
    """A level name rejected, the height loss rejected, a lesion put elsewhere, and verdicts on what is not there."""
    said = (
        decision("level", "L4", "reject", text="not sure"),
        decision("level", "L5"),
        decision("finding", "L2.vertebral_height_loss", "reject", text="Schmorl node"),
        decision("finding", "L9.nothing", "reject"),
        decision("lesion", "lesion-1", "correct", level="L2", text="haemangioma"),
        decision("lesion", "lesion-2", "correct", level="C3"),
        decision("lesion", "lesion-8", "reject"),
    )
    return finished(seen, review_of(base, *said))


def renamed(id_: str) -> str:
    place, dot, rest = id_.partition(".")
    return "-".join(NEW_NAME.get(part, part) for part in place.split("-")) + dot + rest


def without_record(case) -> str:
    """The text report without the section on the review."""
    return re.sub(r"\nREVIEW BY A PERSON\n.*?\n(?=\n[A-Z])", "", to_text(case.analysis), flags=re.DOTALL)


# level names


def test_one_corrected_name_moves_every_level_of_the_study(base, moved):
    analysis = moved.analysis
    assert [str(v) for v in base.spine.levels] == BEFORE
    assert [str(v) for v in analysis.spine.levels] == AFTER
    assert {v.assignment.basis for v in analysis.spine.vertebrae} == {LevelBasis.USER}
    assert [(str(was), str(now)) for was, now in analysis.review.levels] == list(NEW_NAME.items())
    (anatomy,) = moved.segmentations
    for kind in (StructureKind.VERTEBRAL_BODY, StructureKind.DISC, StructureKind.POSTERIOR_ELEMENTS):
        assert {str(s.level) for s in anatomy.of_kind(kind)} <= set(AFTER)
    assert "L4-L5" in {s.place for s in anatomy.of_kind(StructureKind.DISC)}
    assert [str(v) for v in analysis.marrow.assessed] == [NEW_NAME[str(v)] for v in base.marrow.assessed]


def test_masks_are_the_same_under_other_names(seen, base, moved):
    (before,), (after,) = seen[1].segmentations, moved.segmentations
    for was, now in NEW_NAME.items():
        assert np.array_equal(before.mask(before.body(Level(was))), after.mask(after.body(Level(now)))), was
    assert base.spine.vertebrae[0].centre == moved.analysis.spine.vertebrae[0].centre


def test_measurements_bear_the_new_names_and_heights_stay(base, moved):
    heights = {m.id: m.value for m in base.measurements if m.name.endswith("_height") and m.value is not None}
    found = {m.id: m.value for m in moved.analysis.measurements}
    assert {id_.partition(".")[0] for id_ in heights} >= {"T12", "L2", "L5"}
    bodies = {renamed(id_): value for id_, value in heights.items() if "-" not in id_}
    assert {id_: found[id_] for id_ in bodies} == bodies
    assert not {m.id for m in moved.analysis.measurements if re.search(r"\bS1\b", m.id)}


def test_what_was_taken_for_s1_has_no_height_until_somebody_names_it(seen, base, moved):
    lowest = moved.analysis.spine.vertebra(Level("L5"))
    assert lowest.excluded == phrases.WAS_SACRAL
    own = [m for m in moved.analysis.measurements if m.level == Level("L5")]
    assert own
    assert all(m.value is None for m in own)
    loaded, reading = seen
    said = review_of(base, MOVED[0], decision("level", "S1", "correct", level="L5"))
    assert revise(reading, loaded.images, said).spine.vertebra(Level("L5")).excluded == ""


def test_accepted_names_change_no_name(seen, base):
    loaded, reading = seen
    found = revise(reading, loaded.images, review_of(base, decision("level", "L3"), decision("level", "S1")))
    assert found.spine.levels == base.spine.levels
    assert found.segmentations[0] is reading.segmentations[0]
    assert {str(v.level) for v in found.spine.vertebrae if v.assignment.basis is LevelBasis.USER} == {"L3", "S1"}


def test_axial_masks_bear_the_new_names_too(seen, base):
    loaded, reading = seen
    found = revise(replace(reading, axial=reading.segmentations), loaded.images, review_of(base, MOVED[0]))
    assert found.axial[0].structures == found.segmentations[0].structures
    assert np.array_equal(found.axial[0].voxels, found.segmentations[0].voxels)


def test_contradictory_names_are_refused_and_leave_nothing_behind(seen, base, moved):
    loaded, reading = seen
    with pytest.raises(InputError, match=r"contradict each other: L1 is T12, L2 is accepted"):
        revise(reading, loaded.images, review_of(base, MOVED[0], decision("level", "L2")))
    again = revise(reading, loaded.images, review_of(base, MOVED[0]))
    assert [str(v) for v in again.spine.levels] == AFTER


def test_a_rejected_name_is_shown_but_not_measured(base, doubted):
    analysis = doubted.analysis
    assert analysis.spine.levels == base.spine.levels
    assert analysis.spine.vertebra(Level("L4")).excluded == phrases.NAME_REJECTED
    own = [m for m in analysis.measurements if Level("L4") in m.levels]
    assert {m.place for m in own} >= {"L4", "L3-L4", "L4-L5"}
    assert all(m.value is None for m in own)
    assert not any(Level("L4") in m.reference_levels for m in analysis.measurements if m.name == "height_loss_pct")
    assert "L4: name rejected, not measured – “not sure”." in texts(doubted)


# lesions


@pytest.fixture(scope="module")
def files(moved, tmp_path_factory):
    out = write(moved, tmp_path_factory.mktemp("moved") / "out", formats=FORMATS)
    return {path.name: path.read_text(encoding="utf-8") for path in out.iterdir() if path.suffix != ".gz"}


def test_a_rejected_lesion_is_nowhere_but_in_the_record(moved, files):
    document = json.loads(files["report.json"])
    assert "lesion-2" in json.dumps(document.pop("review"))
    page = re.sub(r'<section class="changed".*?</section>', "", files["report.html"], flags=re.DOTALL)
    page = re.sub(r'"earlier":\{.*?\}\](,"earlier":null)?\}', "", page, flags=re.DOTALL)
    fhir = json.loads(files["report.fhir.json"])
    for entry in fhir["entry"]:
        entry["resource"].pop("presentedForm", None)  # the text report, looked at below
    left = {
        **files,
        "report.json": json.dumps(document),
        "report.html": page,
        "report.txt": without_record(moved),
        "report.fhir.json": json.dumps(fhir),
    }
    assert {name for name, text in left.items() if "lesion-2" in text} == set()
    assert {name for name, text in left.items() if "lesion-1" in text} >= {"report.json", "report.html", "lesions.csv"}
    (mask,) = moved.lesion_masks
    assert set(np.unique(mask.voxels)) == {0, 1}
    count = next(f for f in moved.analysis.findings if f.kind == "lesion_count")
    assert count.grade == "1"
    assert {str(level) for f in moved.analysis.findings if f.kind == "sins" for level in f.levels} == {"L2"}
    flag = next(f for f in moved.analysis.findings if f.kind == "flag_unexpected_metastases")
    assert [str(level) for level in flag.levels] == ["L2"]


def test_the_last_rejected_lesion_takes_its_mask_along(seen, base):
    loaded, reading = seen
    both = review_of(base, *(decision("lesion", id_, "reject") for id_ in reviewed.LESIONS))
    marrow = revise(reading, loaded.images, both).marrow
    assert marrow.lesions == marrow.masks == ()
    assert marrow.screen == reading.marrow.screen


def test_an_accepted_lesion_is_sure_and_says_who_confirmed_it(seen, base, moved):
    (lesion,) = moved.analysis.lesions
    assert lesion.confirmed
    assert lesion.level == Level("L2")
    assert "Confirmed by a person." in next(f.statement for f in moved.analysis.findings if f.kind == "marrow_lesion")
    loaded, reading = seen
    doubtful = revise(reading, loaded.images, review_of(base, decision("lesion", "lesion-2"))).marrow.lesions[1]
    assert (doubtful.confirmed, doubtful.probability) == (True, 0.55)


def test_a_lesion_lies_where_the_reader_says(doubted):
    lesions = {lesion.id: lesion for lesion in doubted.analysis.lesions}
    assert (lesions["lesion-1"].level, lesions["lesion-1"].levels) == (Level("L2"), (Level("L2"),))
    assert lesions["lesion-2"].level == Level("T12")  # C3 is not in this spine
    (mask,) = doubted.lesion_masks
    assert {str(s.level) for s in mask.structures.values()} == {"L2", "T12"}
    assert {m.level for m in doubted.analysis.measurements if m.id.startswith("lesion-1.")} == {Level("L2")}
    said = narrate(doubted.analysis).findings.parts[0].sentences
    assert any("Reader on lesion-1: “haemangioma”." in s.text for s in said)


def test_without_a_lesion_model_no_verdict_on_lesions_is_lost_silently(base):
    marrow, told = judged_lesions(None, review_of(base, *MOVED).decisions, {"lesion-1": "lesion-1"}, ())
    assert marrow is None
    assert [outcome.reason for outcome in told] == ["nobody looked for lesions in this analysis"] * 2


# findings


def texts(case) -> str:
    section = narrate(case.analysis).review
    return " ".join(s.text for part in (section, *section.parts) for s in part.sentences)


def test_a_rejected_finding_and_what_follows_from_it_are_gone(base, doubted):
    before = {f.id: f for f in base.findings}
    after = {f.id: f for f in doubted.analysis.findings}
    assert before["L2.vertebral_height_loss"].certainty == "present"
    assert "L2.fracture_cause" in before
    assert not {"L2.vertebral_height_loss", "L2.fracture_cause"} & after.keys()
    loss = doubted.analysis.measurement("L2.height_loss_pct")
    assert loss.value is not None
    assert FINDING_REJECTED in loss.flags
    impression = " ".join(s.text for s in narrate(doubted.analysis).impression.sentences)
    assert "height loss (" not in impression
    assert "L2: height loss" in texts(doubted)
    assert "“Schmorl node”" in texts(doubted)


def test_the_readers_words_stand_beside_the_original(moved):
    analysis = moved.analysis
    said = [s.text for s in narrate(analysis).impression.sentences if "L1.vertebral_height_loss" in s.evidence]
    assert any(re.match(r"L1: \d+ % height loss .* Reader on L1: “old, known since 2019”\.$", text) for text in said)
    finding = next(f for f in analysis.findings if f.id == "L1.vertebral_height_loss")
    assert finding.statement in " ".join(o.was for o in analysis.review.outcomes)


def test_verdicts_that_could_not_be_applied_are_told(doubted):
    lost = {o.decision.id: o.reason for o in doubted.analysis.review.outcomes if o.reason}
    assert set(lost) == {"L9.nothing", "lesion-2", "lesion-8"}
    for id_ in lost:
        assert any(id_ in warning for warning in doubted.analysis.warnings)
        assert f"{id_}, " in texts(doubted)
    assert "C3 is no vertebra of this spine" in lost["lesion-2"]


def test_every_report_says_who_changed_what(moved, files):
    told = texts(moved)
    assert "A. Reader judged an earlier analysis of these images on 2026-11-23: 1 accepted, 1 rejected" in told
    assert "T12 is T11, L1 is T12, L2 is L1" in told
    assert "lesion-2 (T11 midline" in told
    for name in ("report.txt", "report.html"):
        flat = " ".join(re.sub(r"<[^>]+>", "", files[name]).split())
        assert "Rejected: lesion-2 (T11 midline" in flat, name
        assert "without review by a physician" not in flat
    assert "without review by a physician" in to_text(moved.analysis.model_copy(update={"review": None}))


# one review after another


def comparable(case) -> dict:
    document = json.loads(to_json(case.analysis))
    del document["provenance"]
    return document


def test_the_same_review_gives_the_same_analysis(seen, base, moved):
    again = finished(seen, Review.model_validate_json(review_of(base, *MOVED).model_dump_json()))
    assert comparable(again) == comparable(moved)


def test_a_review_of_a_reviewed_analysis_holds_the_earlier_one(seen, moved):
    loaded, reading = seen
    later = review_of(
        moved.analysis,
        decision("level", "L3", "correct", level="L4"),
        decision("lesion", "lesion-1", "correct", text="bone island"),
        decision("finding", "L1.vertebral_height_loss", "reject"),
    )
    assert later.earlier == moved.analysis.review.review
    found = revise(reading, loaded.images, Review.model_validate_json(later.model_dump_json()))
    assert [str(v) for v in found.spine.levels] == BEFORE  # down again
    assert found.renamed == tuple((Level(v), Level(v)) for v in BEFORE)
    assert [lesion.id for lesion in found.marrow.lesions] == ["lesion-1"]
    height = [o.now for o in found.outcomes if o.decision.target == "finding"]
    assert height == ["L2.vertebral_height_loss"] * 2


def test_a_review_of_other_names_is_matched_by_place(seen, base):
    """As if another version had called every body one lower, and the lesions otherwise."""
    loaded, reading = seen
    identity = review_of(base).analysis
    there = {"L1": identity.levels["T12"], "L2": identity.levels["L1"], "L3": identity.levels["L2"]}
    other = identity.model_copy(update={"levels": there, "lesions": {"lesion-7": identity.lesions["lesion-1"]}})
    said = review_of(
        base, decision("level", "L2"), decision("lesion", "lesion-7", "reject"), decision("lesion", "lesion-1"),
        decision("finding", "L3.vertebral_height_loss", "reject"), decision("finding", "L5.vertebral_height_loss"),
    ).model_copy(update={"analysis": other})  # fmt: skip
    found = revise(reading, loaded.images, said)
    assert [str(v) for v in found.spine.levels] == [*BEFORE[1:], "S2"]
    assert [lesion.id for lesion in found.marrow.lesions] == ["lesion-2"]
    outcomes = {(o.decision.target.value, o.decision.id): o for o in found.outcomes}
    assert outcomes["finding", "L3.vertebral_height_loss"].now == "L3.vertebral_height_loss"
    assert outcomes["finding", "L5.vertebral_height_loss"].now == ""  # the review does not say which body that was
    assert outcomes["lesion", "lesion-1"].reason


# the command


def written(review, path):
    path.write_text(review.model_dump_json(), encoding="utf-8")
    return path


def test_a_review_of_another_study_is_refused_before_the_work(base, tmp_path):
    reviewed.write_study(tmp_path / "other", seed=2)
    path = written(review_of(base, *MOVED), tmp_path / "r.json")
    outcome = run(
        "analyze", tmp_path / "other", "-o", tmp_path / "out", "--review", path, "--token-key", tmp_path / "key"
    )
    assert outcome.code == 2
    assert len(outcome.err.strip().splitlines()) == 1
    assert "another study, or on other series of it" in outcome.err
    assert not (tmp_path / "out").exists()


def test_a_review_of_the_same_images_holds_under_another_key(folder, base):
    loaded = read_study(folder, Options(token_key=b"quite another key", review=review_of(base, *MOVED)))
    assert loaded.study.study_uid != base.study


def test_the_command_applies_a_review(folder, base, tmp_path, monkeypatch):
    monkeypatch.setattr("spinemri.networks.default_predictor", lambda *_, **__: reviewed.networks().anatomy)
    path = written(review_of(base, MOVED[0], decision("lesion", "lesion-2", "reject")), tmp_path / "r.json")
    given = ("--review", path, "--no-lesions", "--formats", "json", "--token-key", tmp_path / "key")
    outcome = run("analyze", folder, "-o", tmp_path / "out", *given)
    assert outcome.code == 0, outcome.err
    assert "levels: T10, T11, T12, L1" in outcome.out
    assert "lesion-2, reject: not applied, nobody looked for lesions" in outcome.err
    document = json.loads((tmp_path / "out" / "report.json").read_text(encoding="utf-8"))
    assert document["review"]["review"]["reviewer"] == "A. Reader"


BAD = [
    ("no json", "Invalid JSON"),
    ("[]", "an object"),
    ('{"analysis": {"study": "a"}}', "analysis.software"),
    ('{"patient": "DOE^JOHN", "analysis": {}}', "analysis.study"),
]


@pytest.mark.parametrize(("text", "told"), BAD, ids=[told for _, told in BAD])
def test_a_file_that_is_no_review_is_refused_by_name(text, told, tmp_path):
    path = tmp_path / "r.json"
    path.write_text(text, encoding="utf-8")
    outcome = run("analyze", tmp_path, "-o", tmp_path / "out", "--review", path)
    assert outcome.code == 2
    assert outcome.err.startswith("error: review file r.json: ")
    assert told in outcome.err
    assert "DOE" not in outcome.err
    assert len(outcome.err.strip().splitlines()) == 1
