"""The page in a real Chromium: what a reader does with mouse, keyboard, touch and paper."""

from __future__ import annotations

import json
import re
import shutil
import subprocess

import pytest

from spinemri.report.html_page import to_html
from spinemri.report.phrases import page_phrases as words
from spinemri.review import Review, Verdict
from tests.report import cases
from tests.report.browser import CHROMIUM, browser, slice_numbers

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium (Debian: apt-get install chromium)")

VIEW = "document.querySelector('.stage svg').getAttribute('viewBox').split(' ').map(Number)"
PATHS = "document.querySelectorAll('.stage path').length"


@pytest.fixture(scope="module")
def tab(tmp_path_factory):
    with browser(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


@pytest.fixture(scope="module")
def page(three_plane_case, tmp_path_factory):
    """Sagittal, coronal and axial series of one patient, with lesions, and markup in the series descriptions."""
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(to_html(three_plane_case), encoding="utf-8")
    return path


def focus(tab):
    tab.run("document.querySelector('.stage').focus()")


def test_three_series_stay_far_below_15_mb(page):
    assert page.stat().st_size < 15_000_000


def test_it_opens_without_a_fault_or_a_request(tab, page):
    for width, dark in ((1400, False), (390, True)):
        tab.open(page, width=width, dark=dark)
        assert tab.run("document.documentElement.classList.contains('js')")
        assert tab.faults() == []


def test_the_policy_stops_what_does_not_belong_to_the_page(tab, page):
    tab.open(page)
    tab.run("""(() => {
      const script = document.createElement('script');
      script.textContent = 'window.planted = true';
      document.body.append(script);
      const image = document.createElement('img');
      image.src = 'https://example.invalid/x.png';
      document.body.append(image);
    })()""")
    assert tab.run("fetch('https://example.invalid/').then(() => 'went out', () => 'refused')") == "refused"
    assert tab.run("window.planted") is None
    assert not [e for e in tab.events if e["method"] == "Network.responseReceived" and "invalid" in json.dumps(e)]
    assert len([fault for fault in tab.faults() if "Content Security Policy" in fault]) >= 3


def test_text_from_headers_is_text(tab, page):
    tab.open(page)
    assert tab.run(f"document.querySelector('main').textContent.includes({json.dumps(cases.XSS)})")
    assert tab.run("document.querySelectorAll('img, main script').length") == 0


def test_a_level_moves_every_series_there_and_marks_its_rows(tab, page):
    tab.open(page, width=1500)
    tab.click("a.level[data-place='T12']")
    high = slice_numbers(tab)
    tab.click("a.level[data-place='L5']")
    low = slice_numbers(tab)
    assert len(high) == 3
    assert high[0] != low[0] or high[1] != low[1] or high[2] != low[2]
    upper, lower = (cases.places()[cases.LEVELS[n]].centre[2] for n in (1, 6))
    assert abs(abs(low[2] - high[2]) - (upper - lower) / 5.0) <= 1  # axial slices are 5 mm apart
    chosen = "[...document.querySelectorAll('.chosen')].map(e => e.dataset.level)"
    assert set(tab.run(chosen)) == {"L5"}
    assert len(tab.run(chosen)) == 2
    assert tab.run("document.querySelector('.vertebra.chosen a.level').getAttribute('aria-current')") == "true"
    assert tab.run("document.getElementById('view-status').textContent").startswith("L5")


def test_what_was_found_leads_to_the_tables_and_moves_the_viewer(tab, page):
    tab.open(page, width=1500)
    tab.click("a.level[data-place='T12']")
    before = slice_numbers(tab)
    tab.click(".found a[data-place='lesion-1']")
    assert tab.run("location.hash") == "#lesion-1"
    assert slice_numbers(tab) != before
    assert tab.run("document.querySelector('.vertebra.chosen').dataset.level") == "L2"


def test_keys_leaf_zoom_and_walk_along_the_spine(tab, page):
    tab.open(page, width=1500)
    tab.click("a.level[data-place='L3']")
    focus(tab)
    before = slice_numbers(tab)
    tab.key("ArrowRight", 39)
    assert slice_numbers(tab)[0] == before[0] + 1
    tab.key("ArrowLeft", 37)
    assert slice_numbers(tab) == before
    tab.key("ArrowDown", 40)
    assert tab.run("document.querySelector('.vertebra.chosen').dataset.level") == "L4"
    width = tab.run(VIEW)[2]
    tab.key("+", 187)
    assert tab.run(VIEW)[2] < 0.85 * width
    tab.key("-", 189)
    assert tab.run(VIEW)[2] == pytest.approx(width, abs=0.1)
    assert tab.faults() == []


def test_a_click_on_an_image_moves_the_other_planes(tab, page):
    """From the middle of an axial slice to the patient's left: the sagittal series follows to the left."""
    tab.open(page, width=1500)
    tab.click("a.level[data-place='L3']")
    before = slice_numbers(tab)
    box = tab.run("(() => { const b = document.querySelectorAll('.stage')[2].getBoundingClientRect();"
                  " return [b.left, b.top, b.width, b.height]; })()")  # fmt: skip
    assert tab.run("document.querySelectorAll('.pane')[2].querySelector('.letter.right').textContent") == "L"
    tab.click_at(box[0] + 0.7 * box[2], box[1] + 0.5 * box[3])
    after = slice_numbers(tab)
    assert before[0] - after[0] >= 4  # the sagittal grid of this case counts from the patient's left
    assert after[2] == before[2]


def test_outlines_are_switched_off_and_fade(tab, page):
    tab.open(page)
    assert tab.run(PATHS) > 10
    tab.click("#view-overlay")
    assert tab.run(PATHS) == 0
    focus(tab)
    tab.key("o", 79)
    assert tab.run(PATHS) > 10
    tab.run("(() => { const e = document.getElementById('view-opacity'); e.value = 30;"
            " e.dispatchEvent(new Event('input')); })()")  # fmt: skip
    assert tab.run("document.querySelector('.stage svg > g').getAttribute('opacity')") == "0.3"


def test_the_window_follows_a_drag_and_resets(tab, page):
    tab.open(page)
    slope = "Number(document.querySelector('feFuncR').getAttribute('slope'))"
    tab.run("document.querySelector('.stage').scrollIntoView({block: 'center'})")
    x, y, before = *tab.run("(() => { const b = document.querySelector('.stage').getBoundingClientRect();"
                            " return [b.left + b.width / 2, b.top + b.height / 2]; })()"), tab.run(slope)  # fmt: skip
    for kind, dx in (("mousePressed", 0), ("mouseMoved", 30), ("mouseMoved", 60), ("mouseReleased", 60)):
        tab.call("Input.dispatchMouseEvent", type=kind, x=x + dx, y=y, button="left", buttons=1, clickCount=1)
    assert tab.run(slope) > 1.3 * before
    tab.click("#view-reset")
    assert tab.run(slope) == pytest.approx(before)


def test_lengths_are_drawn_on_the_series_they_were_measured_on(tab, page):
    tab.open(page, width=1500)
    tab.click("a.level[data-place='L1']")
    drawn = "[...document.querySelectorAll('.pane')].map(p => p.querySelectorAll('.length-line').length)"
    tab.run("(() => { const e = document.getElementById('view-lines'); e.value = 'level';"
            " e.dispatchEvent(new Event('input')); })()")  # fmt: skip
    assert tab.run(drawn) == [3, 0, 0]
    titles = tab.run("[...document.querySelectorAll('.length-line title')].map(e => e.textContent)")
    assert "L1 posterior height 26.0 mm" in titles
    tab.run("(() => { const e = document.getElementById('view-lines'); e.value = 'none';"
            " e.dispatchEvent(new Event('input')); })()")  # fmt: skip
    assert tab.run(drawn) == [0, 0, 0]


def test_it_is_told_when_the_patient_moved_between_the_series_shown(tab, case, tmp_path):
    path = tmp_path / "report.html"
    path.write_text(to_html(case), encoding="utf-8")
    tab.open(path, width=1500)
    tab.click("a.level[data-place='T11']")
    told = "[...document.querySelectorAll('.info.apart')].map(e => e.textContent)"
    assert tab.run(told) == ["", "Patient moved 2.8 mm against T1w (series 3) at T11"]
    tab.click("a.level[data-place='L4']")
    assert tab.run(told) == ["", ""]


def test_tables_sort_up_and_down_with_gaps_last(tab, page):
    tab.open(page)
    column = "[...document.querySelectorAll('table.levels tbody tr')].map(r => r.cells[1].innerText.trim())"
    names = "[...document.querySelectorAll('table.levels tbody tr')].map(r => r.dataset.level)"
    heading = "table.levels thead tr:last-child th:nth-child(2)"
    original = tab.run(names)
    for direction, sign in (("ascending", 1), ("descending", -1)):
        tab.click(f"{heading} button")
        assert tab.run(f"document.querySelector('{heading}').getAttribute('aria-sort')") == direction
        values = [float(v.replace("−", "-")) for v in tab.run(column) if v != "–"]
        assert values == sorted(values, key=lambda v: sign * v)
        assert tab.run(column)[-1] == "–"
    tab.click("table.levels thead tr:last-child th:nth-child(1) button")
    assert tab.run(names) == original


def test_a_phone_scrolls_in_one_direction_and_leafs_with_a_swipe(tab, page):
    tab.open(page, width=390, height=844, touch=True)
    tab.run("document.querySelectorAll('details').forEach(d => { d.open = true; })")
    assert tab.run("[document.documentElement.scrollWidth, window.innerWidth]") == [390, 390]
    assert tab.run("document.querySelectorAll('.pane').length") == 1
    tab.run("document.querySelector('.stage').scrollIntoView({block: 'center'})")
    before = slice_numbers(tab)
    left, top, width, height = tab.run("(() => { const b = document.querySelector('.stage').getBoundingClientRect();"
                                       " return [b.left, b.top, b.width, b.height]; })()")  # fmt: skip
    x, y = left + width / 2, top + height / 2
    tab.call("Input.dispatchTouchEvent", type="touchStart", touchPoints=[{"x": x, "y": y}])
    for dx in (15, 30, 45, 60):
        tab.call("Input.dispatchTouchEvent", type="touchMove", touchPoints=[{"x": x + dx, "y": y}])
    tab.call("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])
    assert slice_numbers(tab)[0] > before[0]
    assert tab.faults() == []


def test_everything_is_within_reach_of_the_keyboard_and_has_a_name(tab, page):
    """Axe's rules on names, in short: every control and every focusable thing says what it is."""
    tab.open(page)
    nameless = """[...document.querySelectorAll('button, input, select, a[href], [tabindex]')].filter(e => {
      const label = e.labels?.length ? [...e.labels].map(l => l.textContent).join('') : '';
      const told = e.getAttribute('aria-label') || label || e.textContent || e.title;
      return !e.closest('template') && !told.trim() && !e.hasAttribute('aria-labelledby');
    }).map(e => e.outerHTML)"""
    assert tab.run(nameless) == []
    assert tab.run("new Set([...document.querySelectorAll('[id]')].map(e => e.id)).size") == tab.run(
        "document.querySelectorAll('[id]').length"
    )


@pytest.mark.skipif(shutil.which("pdfinfo") is None, reason="no pdfinfo (Debian: apt-get install poppler-utils)")
@pytest.mark.parametrize("scripts", [True, False])
def test_it_prints_on_two_to_four_pages(tab, page, tmp_path, scripts):
    tab.open(page, scripts=scripts)
    path = tmp_path / "report.pdf"
    path.write_bytes(tab.pdf())
    told = subprocess.run([shutil.which("pdfinfo"), str(path)], capture_output=True, text=True, check=True).stdout
    assert 2 <= int(re.search(r"Pages:\s+(\d+)", told)[1]) <= 4
    assert "A4" in told


def test_without_scripts_the_pictures_and_tables_are_there(tab, page):
    tab.open(page, scripts=False)
    tab.call("Emulation.setScriptExecutionDisabled", value=False)  # to be able to ask; the page's own has not run
    shown = "document.querySelector('{}').offsetHeight"
    assert tab.run(shown.format("section.pictures")) > 200
    assert tab.run(shown.format("table.levels")) > 100
    assert tab.run(shown.format("#viewer")) == 0
    assert tab.run(shown.format("#review-section")) == 0


def judge(tab, target, id_, verdict):
    tab.click(f"fieldset[data-target='{target}'][data-id='{id_}'] input[value='{verdict}']")


def test_a_review_is_exported_as_its_schema_says(tab, page, three_plane_case, tmp_path):
    tab.open(page)
    tab.call("Page.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path))
    tab.run("document.querySelectorAll('details').forEach(d => { d.open = true; })")
    judge(tab, "level", "L1", "accept")
    judge(tab, "level", "L5", "correct")
    judge(tab, "lesion", "lesion-2", "reject")
    judge(tab, "finding", "L1.vertebral_height_loss", "correct")
    tab.click("#review-export")
    assert words["REVIEW"]["incomplete"].format(title="L5") in tab.run(
        "document.getElementById('review-status').innerText"
    )
    tab.run("document.querySelector(\"fieldset[data-id='L5'] select\").value = 'L6'")
    text = "fieldset[data-id='L1.vertebral_height_loss'] .fix input"
    tab.run(f"document.querySelector(\"{text}\").value = 'old deformity </script>'")
    tab.run("document.getElementById('reviewer').value = 'A. Reader'")
    tab.click("#review-export")
    path = tmp_path / "review.json"
    for _ in range(100):
        if path.exists() and path.stat().st_size:
            break
        tab.run("new Promise(done => setTimeout(done, 50))")
    review = Review.model_validate_json(path.read_text(encoding="utf-8"))
    analysis = three_plane_case.analysis
    assert review.analysis.study == analysis.study
    assert (review.analysis.version, review.analysis.created) == (
        analysis.provenance.version,
        analysis.provenance.created,
    )
    assert review.reviewer == "A. Reader"
    told = {(d.target.value, d.id): d for d in review.decisions}
    assert told["level", "L1"].verdict is Verdict.ACCEPT
    assert str(told["level", "L5"].level) == "L6"
    assert told["lesion", "lesion-2"].verdict is Verdict.REJECT
    assert told["finding", "L1.vertebral_height_loss"].text == "old deformity </script>"
    assert len(told) == 4
    assert tab.faults() == []
