"""Both dates in one viewer: the same place at both, outlines of one day on the images of the other."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from spinemri.compare import words
from spinemri.compare.comparison import Verdict
from spinemri.compare.overlays import OTHER_DAY, overlays
from spinemri.compare.page import to_page
from spinemri.compare.viewer import linked_viewer
from tests.report.browser import CHROMIUM, browser, slice_numbers

DASHED = "[...document.querySelectorAll('.stage')].map(e => e.querySelectorAll('path.other-day').length)"
CROSS = """[...document.querySelectorAll('.stage')].map(stage => {
  const ends = [...stage.querySelectorAll('line.cross')].flatMap(l =>
    [[l.x1, l.y1], [l.x2, l.y2]].map(p => p.map(v => v.baseVal.value)));
  return [0, 1].map(n => ends.reduce((sum, end) => sum + end[n], 0) / ends.length);
})"""


@pytest.fixture(scope="module")
def document(three):
    return linked_viewer(three)


def carried(document, source, target, point):
    """What the page does: the nearest vertebra's motion."""
    links = [link for link in document["links"] if (link["from"], link["to"]) == (source, target)]
    link = min(links, key=lambda one: np.linalg.norm(np.subtract(one["at"], point)))
    return np.asarray(link["matrix"]) @ point + link["offset"]


def step_against_baseline(three, later):
    return next(s for s in three.comparison.steps if (s.earlier, s.later) == (0, later))


def lesion(three, number, id_):
    return next(one for one in three.cases[number].analysis.lesions if one.id == id_)


# what the page is handed


def test_every_date_has_its_own_series_and_frames(three, document):
    counts = [len(case.analysis.used_series()) for case in three.cases]
    assert len(document["series"]) == sum(counts)
    titles = [one["title"] for one in document["series"]]
    assert len(set(titles)) == len(titles)
    assert {title.partition(":")[0] for title in titles} == {"Baseline", "After 82 days", "After 235 days"}
    assert len({one["linked"] for one in document["series"]}) >= 3
    first, second = document["first"]
    assert (first, titles[second].partition(":")[0]) == (0, "After 235 days")


def test_a_place_is_carried_to_the_same_anatomy(three, document):
    """The truth: the lesion of L2 has grown about its own centre."""
    change = next(c for c in step_against_baseline(three, 2).lesions if c.verdict is Verdict.GROWN)
    before = np.asarray(lesion(three, 0, change.baseline_ids[0]).centre)
    after = np.asarray(lesion(three, 2, change.later_ids[0]).centre)
    frames = [document["series"][document["places"][key]["series"]]["linked"] for key in ("L2", "2:L2")]
    assert np.linalg.norm(before - after) > 5.0, "the person lies elsewhere"
    assert np.linalg.norm(carried(document, *frames, before) - after) < 2.5
    assert np.linalg.norm(carried(document, *frames[::-1], after) - before) < 2.5


def test_there_and_back_is_the_same_place(document):
    for link in document["links"]:
        back = next(
            one
            for one in document["links"]
            if (one["from"], one["to"], one["level"]) == (link["to"], link["from"], link["level"])
        )
        there = np.asarray(link["matrix"]) @ link["at"] + link["offset"]
        again = np.asarray(back["matrix"]) @ there + back["offset"]
        assert np.linalg.norm(again - link["at"]) < 0.01


def test_bodies_lie_over_each_other_under_their_link(document):
    ends = [document["series"][document["places"][key]["series"]]["linked"] for key in ("L3", "2:L3")]
    there = carried(document, *ends, np.asarray(document["places"]["L3"]["point"]))
    assert np.linalg.norm(there - document["places"]["2:L3"]["point"]) < 3.0


def test_the_baselines_outline_lies_within_the_lesion_that_has_grown(three):
    change = next(c for c in step_against_baseline(three, 2).lesions if c.verdict is Verdict.GROWN)
    drawn = next(o for o in overlays(three, 2) if o.name == words.outline(change, 0))
    after = lesion(three, 2, change.later_ids[0])
    (mask,) = (m for m in three.cases[2].lesion_masks if m.series_uid == after.series_uid)
    own = mask.voxels == after.label
    assert drawn.series_uid == after.series_uid
    assert drawn.kind == f"{OTHER_DAY} day-0"
    assert drawn.inside.any()
    assert np.count_nonzero(drawn.inside & own) >= 0.9 * np.count_nonzero(drawn.inside)
    assert np.count_nonzero(drawn.inside) < 0.7 * np.count_nonzero(own)


@pytest.mark.parametrize("number", [0, 1, 2])
def test_every_other_date_is_laid_over_each_date(three, number):
    days = {found.kind.rpartition("-")[2] for found in overlays(three, number)}
    assert days == {str(n) for n in range(3)} - {str(number)}


def test_dates_that_were_not_compared_with_each_other_are_laid_over_by_way_of_the_baseline(three):
    """Without the step from the second to the third date the outlines lie where they did, but for both errors."""
    steps = three.comparison.steps
    against_baseline = [n for n, step in enumerate(steps) if step.earlier == 0]
    less = replace(
        three,
        comparison=three.comparison.model_copy(update={"steps": tuple(steps[n] for n in against_baseline)}),
        pairs=tuple(three.pairs[n] for n in against_baseline),
    )
    direct, led = ({o.name: o.inside for o in overlays(one, 2) if "day-1" in o.kind} for one in (three, less))
    assert set(direct) == set(led)
    assert led
    for name, inside in led.items():
        both = np.count_nonzero(inside & direct[name])
        assert 2 * both / (inside.sum() + direct[name].sum()) > 0.6, name


def test_every_verdict_has_its_colour_on_both_days(three, document):
    known = {one["name"]: one for one in document["structures"]}
    for change in step_against_baseline(three, 2).lesions:
        names = [words.outline(change, 0)] * bool(change.baseline_ids) + [words.outline(change, 2)] * bool(
            change.later_ids
        )
        for name in names:
            assert known[name]["colour"] == words.VERDICT_COLOURS[change.verdict]
    kinds = {(one["name"], OTHER_DAY in one["kind"]) for one in document["structures"] if "lesion" in one["kind"]}
    gone = next(c for c in step_against_baseline(three, 2).lesions if c.verdict is Verdict.GONE)
    assert {(words.outline(gone, 0), own) for own in (True, False)} <= kinds
    assert len(set(words.VERDICT_COLOURS.values())) == len(words.VERDICT_COLOURS)


def test_what_changed_first_is_shown_first(document):
    assert document["start"] == "T12"


def test_the_page_is_the_same_every_time_and_not_too_large(three):
    page = to_page(three)
    assert page == to_page(three)
    assert len(page) < 15_000_000
    assert not re.search(r"\b(19|20)\d\d-\d\d-\d\d\b", page)


# the page in a browser


@pytest.fixture(scope="module")
def tab(tmp_path_factory):
    if CHROMIUM is None:
        pytest.skip("no Chromium (Debian: apt-get install chromium)")
    with browser(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


@pytest.fixture(scope="module")
def page(three, tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "comparison.html"
    path.write_text(to_page(three), encoding="utf-8")
    return path


def points(tab, document):
    """The patient point under the cross of either pane, each in its own date's frame."""
    found = []
    for series, (x, y), number in zip(document["first"], tab.run(CROSS), slice_numbers(tab), strict=True):
        stack = document["series"][series]
        right, down, across, origin = (np.asarray(stack["frame"][k]) for k in ("right", "down", "across", "origin"))
        column, row = x / stack["pixel_mm"][0], y / stack["pixel_mm"][1]
        found.append(origin + column * right + row * down + (number - 1) * across)
    return found


def same_place(tab, document):
    """How far both crosses lie apart within the later slice, mm, once the first is carried to the later date."""
    here, there = points(tab, document)
    frames = [document["series"][n]["linked"] for n in document["first"]]
    stack = document["series"][document["first"][1]]
    gap = carried(document, *frames, here) - there
    normal = np.cross(stack["frame"]["right"], stack["frame"]["down"])
    normal /= np.linalg.norm(normal)
    across = abs(float(gap @ normal))
    assert across <= 0.5 * np.linalg.norm(stack["frame"]["across"]) + 0.6, "the nearest slice"
    return float(np.linalg.norm(gap - (gap @ normal) * normal))


def test_it_opens_without_a_fault_on_a_desk_and_on_a_phone(tab, page):
    for width, dark in ((1400, False), (390, True)):
        tab.open(page, width=width, dark=dark)
        assert tab.faults() == []
        assert len(slice_numbers(tab)) == 2, "both dates side by side"
        assert tab.run("document.documentElement.scrollWidth <= window.innerWidth")


def test_a_level_shows_the_same_place_at_both_dates(tab, page, document):
    tab.open(page, width=1400)
    for level in ("T12", "L2", "L5"):
        tab.click(f"a.level[data-place='{level}']")
        assert same_place(tab, document) < 1.5
        assert level in tab.run("document.querySelector('#view-status').textContent")
        assert f"Linked at {level}" in tab.run("document.querySelectorAll('.info.apart')[1].textContent")


@pytest.mark.parametrize("pane", [0, 1])
def test_a_click_on_one_date_moves_the_other(tab, page, document, pane):
    tab.open(page, width=1400)
    tab.click("a.level[data-place='L3']")
    before = tab.run(CROSS)
    box = tab.run(
        f"(() => {{ const e = document.querySelectorAll('.stage')[{pane}]; e.scrollIntoView({{block: 'center'}});"
        " const b = e.getBoundingClientRect(); return [b.left, b.top, b.width, b.height]; })()"
    )
    tab.click_at(box[0] + 0.45 * box[2], box[1] + 0.7 * box[3])
    after = tab.run(CROSS)
    assert all(np.hypot(*np.subtract(a, b)) > 20.0 for a, b in zip(before, after, strict=True))
    assert same_place(tab, document) < 1.5


def test_leafing_through_one_date_leafs_through_the_other(tab, page, document):
    tab.open(page, width=1400)
    tab.click("a.level[data-place='L2']")
    tab.run("document.querySelector('.stage').focus()")
    first = slice_numbers(tab)
    for _ in range(3):
        tab.key("ArrowRight", 39)
    then = slice_numbers(tab)
    assert then[0] == first[0] + 3
    assert then[1] > first[1]
    assert same_place(tab, document) < 1.5
    tab.key("ArrowDown", 40)
    assert "L3" in tab.run("document.querySelector('#view-status').textContent")
    assert same_place(tab, document) < 1.5


def test_the_other_days_outlines_can_be_put_away(tab, page):
    tab.open(page, width=1400)
    tab.click("a.level[data-place='L2']")
    shown = tab.run(DASHED)
    assert all(shown)
    tab.run("document.querySelector('.stage').focus()")
    tab.key("d", 68)
    assert tab.run(DASHED) == [0, 0]
    assert tab.run("document.querySelectorAll('.stage path.lesion').length") > 0
    assert not tab.run("document.querySelector('#view-other').checked")
    tab.click("#view-other")
    assert tab.run(DASHED) == shown


def test_the_date_that_is_laid_over_can_be_chosen(tab, page, document):
    """At first each image shows the outlines of the other image's day; then those of the chosen one on both."""
    tab.open(page, width=1400)
    tab.click("a.level[data-place='L2']")
    assert [document["series"][n]["day"] for n in document["first"]] == [0, 2]
    titles = (
        "[...document.querySelectorAll('.stage')].map(e =>"
        " [...e.querySelectorAll('path.other-day')].map(p => p.className.baseVal))"
    )
    assert [{name.split()[-1] for name in one} for one in tab.run(titles)] == [{"day-2"}, {"day-0"}]
    labels = tab.run("[...document.querySelector('#view-day').options].map(o => o.textContent)")
    assert labels == [words.phrases["VIEWER"]["opposite"], "Baseline", "After 82 days", "After 235 days"]
    tab.run("document.querySelector('#view-day').value = '1'")
    tab.run("document.querySelector('#view-day').dispatchEvent(new Event('input'))")
    assert [{name.split()[-1] for name in one} for one in tab.run(titles)] == [{"day-1"}, {"day-1"}]
    assert tab.faults() == []


def test_without_scripts_the_places_stand_side_by_side(tab, page):
    tab.open(page, scripts=False)
    assert tab.run("getComputedStyle(document.querySelector('#viewer')).display") == "none"
    assert tab.run("document.querySelectorAll('.pair svg image').length") >= 8
