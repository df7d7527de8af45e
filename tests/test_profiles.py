"""Profiles, the map of lesions and agreement: what is drawn is what was measured, the same every time."""

from __future__ import annotations

import io
import re

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.patches import Rectangle
from PIL import Image as Picture

from spinemri import plot
from spinemri.anatomy import StructureKind
from spinemri.errors import InputError
from spinemri.measurement import Measurement, Status, below_the_cord
from spinemri.norms import NORMS
from spinemri.plot.bands import band_of
from spinemri.report.html_page import to_html
from spinemri.report.profiles import drawings
from tests.revise import reviewed


@pytest.fixture(scope="module")
def case(tmp_path_factory):
    """A lumbar spine whose L2 has lost 40 % of its height, with two lesions."""
    folder = tmp_path_factory.mktemp("study")
    reviewed.write_study(folder)
    return reviewed.finished(reviewed.read(folder))


@pytest.fixture(scope="module")
def analysis(case):
    return case.analysis


def points(figure):
    """(value, row) of every value that is drawn."""
    (axes,) = figure.axes
    return {(float(x[0]), float(y[0])) for x, y in (line.get_data() for line in axes.lines) if len(x) == 1}


def measured(analysis, name):
    return [m for m in analysis.measurements if m.name == name and m.value is not None]


# profiles


def test_every_value_stands_in_the_row_of_its_level(analysis):
    rows = {level: float(n) for n, level in enumerate(analysis.spine.levels)}
    known = {(m.value, rows[m.level]) for m in measured(analysis, "anterior_height")}
    assert len(known) >= 6
    assert points(plot.profile(analysis, "anterior_height")) == known


def test_discs_stand_between_their_vertebrae(analysis):
    rows = {level: float(n) for n, level in enumerate(analysis.spine.levels)}
    known = {(m.value, rows[m.level] + 0.5) for m in measured(analysis, "disc_height")}
    assert known
    figure = plot.profile(analysis, "disc_height")
    assert points(figure) == known
    (axes,) = figure.axes
    low, high = axes.get_ylim()
    assert low > high, "head up"


def test_intervals_are_drawn_as_bars(analysis):
    (axes,) = plot.profile(analysis, "anterior_height").axes
    bars = {tuple(map(float, line.get_xdata())) for line in axes.lines if len(line.get_xdata()) == 2}
    assert {m.interval for m in measured(analysis, "anterior_height")} <= bars


def test_a_level_without_a_value_says_why_and_has_no_point(analysis):
    absent = [m for m in analysis.measurements if m.name == "anterior_height" and m.value is None]
    assert absent
    (axes,) = plot.profile(analysis, "anterior_height").axes
    said = [text.get_text() for text in axes.texts]
    assert len(said) == len(absent)
    assert all(re.search("not assessable|cut by the field of view|excluded", text) for text in said)
    told = plot.told(analysis, "anterior_height")
    assert all(f"{m.place}: {m.reason}" in told for m in absent)


def test_a_flat_body_lies_beyond_the_band_of_its_neighbours_and_they_do_not(analysis):
    values = measured(analysis, "anterior_height")
    band = band_of(analysis, values)
    beyond = {m.place for m in values if not band.limits[m.place][0] <= m.value <= band.limits[m.place][1]}
    assert beyond == {"L2"}
    told = plot.told(analysis, "anterior_height")
    assert re.findall(r"(\S+): [^;]*beyond the band", told) == ["L2"]
    (axes,) = plot.profile(analysis, "anterior_height").axes
    warned = [line for line in axes.lines if len(line.get_xdata()) == 1 and line.get_marker() == "D"]
    assert [line.get_color() for line in warned] == [plot.LIGHT.warning]


def test_the_band_is_drawn_where_it_is_said_to_lie(analysis):
    values = measured(analysis, "anterior_height")
    band = band_of(analysis, values)
    (axes,) = plot.profile(analysis, "anterior_height").axes
    boxes = {(p.get_x(), p.get_x() + p.get_width()) for p in axes.patches if isinstance(p, Rectangle)}
    assert {(round(a, 6), round(b, 6)) for a, b in boxes} == {
        (round(a, 6), round(b, 6)) for a, b in band.limits.values()
    }


def test_norms_of_adults_are_used_for_adults_only(analysis):
    values = measured(analysis, "wedge_ratio")
    grown = band_of(analysis.model_copy(update={"patient_age_years": 40.0}), values)
    row = NORMS["wedge_ratio", "L1"]
    assert grown.limits["L1"] == pytest.approx((row.value - 1.96 * row.sd, row.value + 1.96 * row.sd))
    assert "healthy adults" in grown.words
    for years in (12.0, None):
        other = band_of(analysis.model_copy(update={"patient_age_years": years}), values)
        assert "this study's levels" in other.words
        assert not other.normal


def test_the_cord_ends_where_it_ends(analysis):
    def cord(level, value, reason=""):
        return Measurement(
            id=f"{level}.cord_ap", name="cord_ap", kind=StructureKind.CORD, level=level, value=value, unit="mm",
            status=Status.MEASURED if value else Status.NOT_ASSESSABLE, reason=reason,
        )  # fmt: skip

    first, second, third, *rest = analysis.spine.levels
    made = (
        cord(first, 7.0), cord(second, 6.0), cord(third, None, below_the_cord()),
        *(cord(level, None, "the sac tapers") for level in rest),
    )  # fmt: skip
    figure = plot.profile(analysis.model_copy(update={"measurements": made}), "cord_ap")
    assert points(figure) == {(7.0, 0.0), (6.0, 1.0)}
    assert not figure.axes[0].texts


def test_a_name_that_is_not_there_is_refused_with_those_that_are(analysis):
    with pytest.raises(InputError, match=r"profile of 'hieght'.*anterior_height"):
        plot.profile(analysis, "hieght")


# the map of lesions


def test_lesions_stand_at_their_levels_larger_ones_in_larger_circles(analysis):
    (axes,) = plot.lesion_map(analysis).axes
    rows = {str(level): n for n, level in enumerate(analysis.spine.levels)}
    circles = [(*c.get_offsets()[0], float(c.get_sizes()[0])) for c in axes.collections]
    assert [row for _, row, _ in circles] == [rows["L3"], rows["T12"]]
    volumes = [analysis.measurement(f"{one.id}.lesion_volume").value for one in analysis.lesions]
    sizes = [size for *_, size in circles]
    assert sizes[0] / sizes[1] == pytest.approx(volumes[0] / volumes[1])
    assert [text.get_text() for text in axes.texts] == [f"{mm3 / 1000:.1f}" for mm3 in volumes]


def test_levels_whose_marrow_nobody_saw_are_shaded(analysis):
    first, second, *rest = analysis.spine.levels
    screen = analysis.marrow.model_copy(update={"assessed": tuple(rest)})
    (axes,) = plot.lesion_map(analysis.model_copy(update={"marrow": screen})).axes
    shaded = [p.get_y() for p in axes.patches if isinstance(p, Rectangle)]
    assert shaded == [-0.5, 0.5], (first, second)


def test_a_map_without_a_search_is_refused(analysis):
    screen = analysis.marrow.model_copy(update={"assessed": ()})
    with pytest.raises(InputError, match="no level's marrow was assessed"):
        plot.lesion_map(analysis.model_copy(update={"marrow": screen, "lesions": ()}))


# agreement


def test_bias_and_limits_of_a_known_sample():
    """Differences 1 … 5: mean 3, standard deviation √2.5; t(0.975, 4) = 2.776."""
    first = np.array([10.0, 20.0, 30.0, 40.0, 50.0, np.nan])
    found = plot.agreement(first, first + np.arange(1, 7))
    sd = 2.5**0.5
    assert (found.count, found.bias) == (5, pytest.approx(3.0))
    assert (found.lower, found.upper) == pytest.approx((3 - 1.96 * sd, 3 + 1.96 * sd))
    assert found.bias_interval == pytest.approx((3 - 2.7764 * sd / 5**0.5, 3 + 2.7764 * sd / 5**0.5), abs=1e-3)
    half = 2.7764 * sd * (1 / 5 + 1.96**2 / 8) ** 0.5
    assert found.upper_interval == pytest.approx((found.upper - half, found.upper + half), abs=1e-3)


def test_limits_hold_what_they_promise():
    """Of samples of 30, the confidence limits of the upper limit hold the true one in about 95 %."""
    random = np.random.default_rng(3)
    held = 0
    for _ in range(400):
        low, high = plot.agreement(np.zeros(30), random.normal(0.5, 2.0, 30)).upper_interval
        held += low <= 0.5 + 1.96 * 2.0 <= high
    assert 0.92 <= held / 400 <= 0.98


def test_tables_are_paired_by_their_ids(analysis):
    first = measured(analysis, "anterior_height")
    second = [m.model_copy(update={"value": m.value + 0.5}) for m in reversed(first[1:])]
    found = plot.agreement(first, second)
    assert (found.count, found.bias, found.sd) == (len(first) - 1, pytest.approx(0.5), pytest.approx(0.0, abs=1e-9))
    (axes,) = plot.bland_altman(first, second, title="Reader 2").axes
    assert "mm" in axes.get_xlabel()
    assert axes.get_title(loc="left") == f"Reader 2, n = {len(first) - 1}"


@pytest.mark.parametrize(
    ("first", "second", "told"),
    [([1.0, 2.0], [1.0, 2.0], "at least 3"), ([1.0] * 4, [1.0] * 5, "expected pairs")],
)
def test_what_does_not_pair_is_refused(first, second, told):
    with pytest.raises(InputError, match=told):
        plot.agreement(first, second)


def test_units_and_kinds_are_not_mixed(analysis):
    heights = measured(analysis, "anterior_height")
    with pytest.raises(InputError, match="two of a kind"):
        plot.agreement(heights, [1.0] * len(heights))
    other = [m.model_copy(update={"unit": "cm"}) for m in heights]
    with pytest.raises(InputError, match="expected one unit"):
        plot.agreement(heights, other)


# files


def test_a_figure_makes_the_same_bytes_and_leaves_nothing_behind(analysis):
    texts = [plot.to_svg(plot.profile(analysis, "anterior_height"), "a", "b") for _ in range(2)]
    assert texts[0] == texts[1]
    assert not re.search(r"20\d\d-\d\d-\d\d", texts[0])
    png = plot.to_png(plot.profile(analysis, "anterior_height"))
    assert png == plot.to_png(plot.profile(analysis, "anterior_height"))
    assert Picture.open(io.BytesIO(png)).width == 700
    assert plt.get_fignums() == []


def test_an_svg_says_what_it_shows(analysis):
    svg = plot.to_svg(plot.profile(analysis, "anterior_height"), "Heights <of> L1", "L1: 25 mm")
    name, title = re.search(r'<title id="([^"]+)">(.*?)</title>', svg).groups()
    assert title == "Heights &lt;of&gt; L1"
    assert f'aria-labelledby="{name}"' in svg
    name, said = re.search(r'<desc id="([^"]+)">(.*?)</desc>', svg).groups()
    assert said == "L1: 25 mm"
    assert f'aria-describedby="{name}"' in svg


def test_what_stands_in_a_page_brings_no_colour_style_or_name_of_its_own(analysis):
    made = [drawing.svg for drawing in drawings(analysis)]
    assert len(made) >= 4
    names = [name for svg in made for name in re.findall(r'\bid="([^"]+)"', svg)]
    assert len(names) == len(set(names))
    for svg in made:
        assert svg.startswith("<svg ")
        assert "<style" not in svg
        used = set(re.findall(r'(?:href="#|url\(#)([^")]+)', svg))
        assert used <= set(names)
        assert set(re.findall(r"#[0-9a-f]{6}\b", svg)) <= {"#b07800"}
        assert "font-family" not in svg


@pytest.mark.parametrize("theme", [plot.LIGHT, plot.DARK], ids=["light", "dark"])
def test_text_and_marks_stand_out_from_the_paper(theme):
    def luminance(colour):
        parts = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)]
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]

    for colour in (theme.ink, theme.muted, theme.mark, theme.warning):
        bright, dark = sorted((luminance(colour), luminance(theme.paper)), reverse=True)
        assert (bright + 0.05) / (dark + 0.05) >= 4.5


def test_the_report_holds_the_profiles_and_stays_small(case):
    page = to_html(case)
    assert page == to_html(case)
    assert len(page) < 15_000_000
    assert '<h2 id="profiles">' in page
    assert "Height loss" in page
    bare = case.analysis.model_copy(update={"measurements": (), "lesions": ()})
    assert drawings(bare) == ()
