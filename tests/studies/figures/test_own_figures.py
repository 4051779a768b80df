"""Figures that a study file describes, heat maps, and costs to reach thresholds, from made-up results."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import PolyCollection
from matplotlib.colors import to_hex
from matplotlib.patches import Rectangle

from studies.figures import draw, looks
from studies.figures.plan import FigureData
from studies.spec.document import StudyError
from studies.spec.presentation import FigureSettings

pytestmark = pytest.mark.usefixtures("closes_figures")

ROOT = Path(__file__).parents[3]
PENALTIES, GRAPHS, SEEDS = [1.0, 3.0, 10.0], ["ring", "a star with a long name", "complete"], range(3)


def made_up():
    """What a study of penalties and graphs would leave: errors that fall at different rates."""
    generator = np.random.default_rng(0)
    summary, consensus, reach = [], [], []
    for i, graph in enumerate(GRAPHS):
        for j, penalty in enumerate(PENALTIES):
            for seed in SEEDS:
                rate = 0.2 + 0.1 * i + 0.1 * j + 0.05 * generator.random()
                key = {
                    "trial": f"{i}{j}{seed}",
                    "topology": graph,
                    "consensus.penalty": penalty,
                    "seed": seed,
                }
                for k in range(20):
                    consensus.append(
                        {**key, "bytes": 100.0 * k, "activations": k, "error": np.exp(-rate * k)}
                    )
                summary.append({**key, "error": np.exp(-rate * 19), "bytes_sent": 1900.0})
                for threshold in (0.1, 0.001):
                    cost = -np.log(threshold) / rate
                    base = {**key, "metric": "error", "bound": "at most", "threshold": threshold}
                    reached = cost <= 19
                    reach.append({**base, "reached": reached, "activations": min(cost, 19.0)})
    return FigureData(
        *("problem", "Why do <b>these</b> errors fall?", ("topology", "consensus.penalty")),
        pd.DataFrame(summary),
        {"consensus": pd.DataFrame(consensus)},
        reach=pd.DataFrame(reach),
    )


DATA = made_up()


def own(**settings):
    return draw.draw_own(DATA, FigureSettings(name="a", **settings))


def test_the_looks_are_those_of_the_page():
    css = (ROOT / "studies/report/assets/page.css").read_text()
    for name, colours in (("hue", looks.HUES), ("step", looks.STEPS)):
        light = re.findall(rf"--{name}-\d+: light-dark\((#\w+),", css)
        assert tuple(light) == colours
    chart = (ROOT / "studies/report/assets/chart.js").read_text()
    shapes = re.findall(r'"M[^"]*Z", // ([\w ]+)', chart)
    assert shapes[:4] == ["circle", "square", "triangle", "diamond"]
    assert len(shapes) == len(looks.MARKERS)


@pytest.mark.parametrize(("width", "inches"), [("one_column", 3.35), ("two_columns", 6.9)])
def test_lines_have_the_width_of_a_column_and_differ_in_grey(width, inches):
    figure = own(x="bytes", y="error", hue="topology", width=width)
    assert figure.get_size_inches()[0] == inches
    (axes,) = figure.axes
    assert axes.get_yscale() == "log"
    assert [to_hex(line.get_color()) for line in axes.lines] == list(looks.HUES[:3])
    assert len({(line.get_linestyle(), line.get_marker()) for line in axes.lines}) == 3
    assert len({str(line._dash_pattern) for line in axes.lines}) == 3
    bands = [one for one in axes.collections if isinstance(one, PolyCollection)]
    assert len(bands) == 3
    assert figure.legends[0].get_title().get_text() == "topology"
    sizes = {text.get_fontsize() for text in [*axes.get_xticklabels(), axes.yaxis.label]}
    assert min(sizes) >= 7


def test_a_condition_has_the_same_colour_in_every_figure():
    figure = draw.draw_own(
        replace(DATA, curves={"consensus": DATA.curves["consensus"].query("topology != 'ring'")}),
        FigureSettings(name="a", x="bytes", y="error", hue="topology"),
    )
    assert [to_hex(line.get_color()) for line in figure.axes[0].lines] == list(looks.HUES[1:3])
    ((_, standard),) = draw.drawings(DATA, "error_by_bytes")
    lines = [line for line in standard.axes[0].lines if len(line.get_xdata())]
    assert {to_hex(line.get_color()) for line in lines} == set(looks.HUES[:3])


def test_every_seed_may_have_its_line_and_panels_their_values():
    figure = own(x="bytes", y="error", hue="topology", col="consensus.penalty", estimator="none", title=True)
    assert [axes.get_title() for axes in figure.axes] == [f"penalty β = {value:g}" for value in PENALTIES]
    assert all(len(axes.lines) == 3 * len(SEEDS) for axes in figure.axes)
    assert "<b>these</b>" in figure.legends[0].get_title().get_text()


def test_points_are_estimates_over_the_trials_of_each_value():
    figure = own(x="topology", y="error", style="consensus.penalty", log="none")
    points = [line for line in figure.axes[0].lines if line.get_marker() != "None"]
    assert len(points) == 3
    some = DATA.summary[(DATA.summary["topology"] == "ring") & (DATA.summary["consensus.penalty"] == 1)]
    assert points[0].get_ydata()[0] == pytest.approx(np.exp(np.log(some["error"]).mean()))
    assert [label.get_text() for label in figure.axes[0].get_xticklabels()] == GRAPHS
    numbers = own(x="consensus.penalty", y="error", log="xy").axes[0]
    assert numbers.get_xscale() == "log"
    assert list(numbers.lines[0].get_xdata()) == PENALTIES


def test_one_result_against_another_has_a_point_for_each_group():
    figure = own(x="bytes_sent", y="error", hue="topology", kind="points")
    points = [line for line in figure.axes[0].lines if line.get_marker() != "None"]
    assert [len(line.get_xdata()) for line in points] == [1, 1, 1]


def test_a_heat_map_has_the_estimates_frames_and_hatching():
    lost = DATA.summary.copy()
    gone = (lost["topology"] == "ring") & (lost["consensus.penalty"] == 10)
    lost.loc[gone, "error"] = np.nan
    ((_, figure),) = draw.drawings(replace(DATA, summary=lost), "heat_map_of_error")
    axes = figure.axes[0]
    values = axes.images[0].get_array()
    ring = lost[(lost["topology"] == "ring") & (lost["consensus.penalty"] == 1)]
    assert values[0, 0] == pytest.approx(np.exp(np.log(ring["error"]).mean()))
    assert [label.get_text() for label in axes.get_xticklabels()] == ["1", "3", "10"]
    assert [label.get_text() for label in axes.get_yticklabels()] == GRAPHS
    assert len(axes.texts) == 8
    assert sum(patch.get_hatch() is not None for patch in axes.patches) == 1
    framed = [one for one in axes.patches if isinstance(one, Rectangle) and not one.get_fill()]
    assert {tuple(np.round(patch.get_xy())) for patch in framed} >= {(2, 2)}  # the smallest error
    words = " ".join(" ".join(text.get_text() for text in figure.texts).split())
    assert "solid frame: best cell" in words
    assert "hatched: no finite number" in words


def test_an_own_heat_map_has_its_width():
    figure = own(kind="heatmap", x="consensus.penalty", y="topology", hue="error")
    assert figure.get_size_inches()[0] == 3.35
    assert len(figure.axes[0].texts) == 9


def test_numbers_fit_into_the_cells_of_an_own_heat_map():
    figure = own(kind="heatmap", x="consensus.penalty", y="topology", hue="error")
    figure.draw_without_rendering()
    axes = figure.axes[0]
    cell = axes.get_window_extent().width / len(PENALTIES)
    assert all(text.get_window_extent().width < cell for text in axes.texts)
    title = figure.axes[1].yaxis.label.get_window_extent()
    assert 0 <= title.y0 < title.y1 <= figure.bbox.height


def test_costs_have_a_panel_each_and_open_marks_where_a_threshold_was_not_reached():
    ((_, figure),) = draw.drawings(DATA, "cost_to_reach_error")
    (axes,) = [one for one in figure.axes if one.get_visible()]
    large = [line for line in axes.lines if line.get_markersize() > 4 and len(line.get_xdata()) == 1]
    assert len(large) == 9 * 2
    unreached = DATA.reach.groupby(["topology", "consensus.penalty", "threshold"])["reached"].mean() <= 0.5
    is_open = [line for line in large if line.get_markerfacecolor() == "white"]
    assert len(is_open) == unreached.sum() > 0
    assert [label.get_text() for label in axes.get_xticklabels()] == ["≤ 0.1", "≤ 0.001"]
    words = " ".join(text.get_text() for text in figure.texts)
    assert "not reached, so the cost is higher" in words


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"x": "bytes", "y": "kl", "kind": "line"}, "these trials have no column 'kl'"),
        ({"x": "topology", "y": "return"}, "these trials have no column 'return'"),
        ({"x": "bytes_sent", "y": "error", "kind": "line"}, "these curves have no column 'bytes_sent'"),
    ],
)
def test_a_column_that_was_not_measured_is_named(settings, message):
    with pytest.raises(StudyError, match=message):
        own(**settings)


def test_files_have_their_formats_and_the_same_bytes(tmp_path, monkeypatch):
    monkeypatch.setitem(draw.PLANS, "problem", ())
    wanted = FigureSettings(name="mine", x="bytes", y="error", hue="topology", format=("pdf", "png"))
    wrong = FigureSettings(name="wrong", x="bytes", y="kl")
    some = replace(DATA, own=(wanted, wrong), reach=pd.DataFrame())
    lines: list[str] = []
    for folder in ("one", "two"):
        drawn = draw.draw(some, tmp_path / folder, lines.append)
        assert drawn == [tmp_path / folder / "mine.png"]
    files = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert files == ["mine.pdf", "mine.png"]
    for name in files:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    assert lines == ["figure wrong could not be drawn: these trials have no column 'kl'"] * 2


def test_an_own_figure_takes_the_place_of_a_standard_one():
    some = replace(DATA, own=(FigureSettings(name="error_by_bytes", x="bytes", y="error"),))
    names = [plan.name for plan in draw.plans(some)]
    assert names.count("error_by_bytes") == 1
    assert names[-1] == "error_by_bytes"
