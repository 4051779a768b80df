"""Figures of single agents and links."""

from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pytest
from made_up_series import STUDY, store_made_up

from studies.analysis.fault_windows import Window
from studies.figures import draw
from studies.figures.agent_curves import AgentCurves
from studies.figures.from_store import figure_data
from studies.figures.link_drops import ROWS, LinkDrops
from studies.figures.panels import PANELS

pytestmark = pytest.mark.usefixtures("closes_figures")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    study, store = store_made_up(tmp_path_factory.mktemp("figures"))
    return figure_data(study, store, store.summary(study), {})


def panels(figure):
    return [axes for axes in figure.axes if axes.get_title()]


def test_the_catalogue_draws_both(data):
    names = []
    for name, figure in draw.drawings(data):
        names.append(name)
        plt.close(figure)
    assert {"return_by_agent", "drops_by_link"} <= set(names)


def test_each_condition_has_a_panel_with_a_line_and_band_per_agent(data):
    figure = AgentCurves("return_by_agent", "return").draw(data)
    assert [axes.get_title() for axes in panels(figure)] == [
        "message loss (probability) 0",
        "message loss (probability) 0.1",
    ]
    for axes, loss in zip(panels(figure), (0, 0.1), strict=True):
        source = data.curves["agents"]
        means = source[source["network.link.loss"] == loss].groupby(["agent", "update"])["return"].mean()
        drawn = [line for line in axes.get_lines() if len(line.get_xdata())]
        for agent, line in enumerate(drawn[:3]):
            assert line.get_ydata() == pytest.approx(means[agent].to_numpy())
        assert len(axes.collections) == 3
    assert [text.get_text() for text in figure.legends[0].get_texts()][-3:] == ["0", "1", "2"]


def test_agents_whose_returns_differ_much_have_panels_and_conditions_have_lines(data):
    agents = data.curves["agents"]
    apart = agents.assign(**{"return": agents["return"] - 1e4 * (agents["agent"] == 0)})
    faults = {trial: [Window("cut", "cut", 1, 3, 2, 5)] for trial in apart["trial"].unique()}
    timed = data.curves["training"].assign(seconds=0.5 * data.curves["training"]["update"])
    shifted = replace(data, curves={**data.curves, "agents": apart, "training": timed}, faults=faults)
    figure = AgentCurves("return_by_agent", "return").draw(shifted)
    assert [axes.get_title() for axes in panels(figure)] == ["agent = 0", "agent = 1", "agent = 2"]
    for agent, axes in enumerate(panels(figure)):
        means = apart[apart["agent"] == agent].groupby(["network.link.loss", "update"])["return"].mean()
        drawn = [line for line in axes.get_lines() if len(line.get_xdata()) == 8]
        for loss, line in zip((0, 0.1), drawn[:2], strict=True):
            assert line.get_ydata() == pytest.approx(means[loss].to_numpy())
        assert [(box.get_x(), box.get_x() + box.get_width()) for box in axes.patches] == [(2, 4)]
    assert [text.get_text() for text in figure.legends[0].get_texts()][-2:] == [
        "message loss (probability) 0",
        "message loss (probability) 0.1",
    ]


def test_the_cells_of_the_heat_map_are_mean_drops_of_each_direction(data):
    figure = LinkDrops("drops_by_link").draw(data)
    source = data.curves["links"]
    for axes, loss in zip(panels(figure), (0, 0.1), strict=True):
        assert [label.get_text() for label in axes.get_yticklabels()] == [
            "0>1",
            "0>2",
            "1>0",
            "1>2",
            "2>0",
            "2>1",
        ]
        here = source[source["network.link.loss"] == loss]
        means = here.groupby(["source", "destination", "update"])["dropped"].mean().unstack()
        cells = axes.collections[1].get_array().reshape(6, 8)
        assert np.ma.filled(cells, 0.0) == pytest.approx(means.to_numpy())
    words = [text.get_text() for text in figure.texts]
    assert any("mean over 2 seeds; reasons: loss" in each for each in words)


def test_many_links_and_conditions_are_cut_down_and_it_says_so(tmp_path):
    text = STUDY.replace("agents: 3", "agents: 11").replace("seeds: 2", "seeds: 1")
    losses = [round(0.01 * k, 2) for k in range(PANELS + 2)]
    text = text.replace("[0, 0.1]", str(losses)) + "topology: complete\n"
    study, store = store_made_up(tmp_path, text, updates=3, agents=11)
    data = figure_data(study, store, store.summary(study), {})
    figure = LinkDrops("drops_by_link").draw(data)
    assert len(panels(figure)) == PANELS
    assert len(panels(figure)[0].get_yticklabels()) == ROWS
    words = " ".join(text.get_text() for text in figure.texts)
    assert "15 links that dropped fewer are left out; the first 12 of 14 conditions" in words


def test_agents_and_links_have_the_names_of_their_graph(data):
    named = replace(data, names={0: "Bern", 2: "Basel"})
    figure = AgentCurves("return_by_agent", "return").draw(named)
    words = [text.get_text() for text in figure.legends[0].get_texts()]
    assert words[-3:] == ["0 (Bern)", "1", "2 (Basel)"]
    figure = LinkDrops("drops_by_link").draw(named)
    words = [label.get_text() for label in panels(figure)[0].get_yticklabels()]
    assert words[:3] == ["0>1 (Bern > 1)", "0>2 (Bern > Basel)", "1>0 (1 > Bern)"]


def test_faults_are_shaded_behind_the_curves_of_agents(data):
    trials = data.curves["agents"]["trial"].unique()
    outage = Window("outage", "outage", begun=1.0, begun_update=3, lifted=2.0, lifted_update=5)
    training = data.curves["training"]
    timed = training.assign(seconds=0.5 * training["update"])
    figure = AgentCurves("return_by_agent", "return").draw(
        replace(data, faults={trial: [outage] for trial in trials}, curves={**data.curves, "training": timed})
    )
    for axes in panels(figure):
        (band,) = axes.patches
        assert (band.get_x(), band.get_width()) == pytest.approx((2, 2))
    assert any("A: outage" in text.get_text() for text in figure.texts)


def test_an_agent_whose_curve_would_be_flat_has_an_axis_of_its_own(data):
    curves = data.curves["agents"].query("`network.link.loss` == 0").reset_index(drop=True)
    large = curves["agent"] == 0
    curves.loc[large, "return"] = 1000 * curves.loc[large, "return"]
    single = replace(data, curves={**data.curves, "agents": curves})
    figure = AgentCurves("return_by_agent", "return").draw(single)
    assert [axes.get_title() for axes in panels(figure)] == ["agent = 0", "agent = 1", "agent = 2"]
    heights = [abs(axes.get_ylim()[1] - axes.get_ylim()[0]) for axes in panels(figure)]
    assert heights[0] > 50 * heights[1]
    assert [
        len([line for line in axes.get_lines() if len(line.get_xdata()) == 8]) for axes in panels(figure)
    ] == [
        1,
        1,
        1,
    ]


def test_conditions_with_other_links_have_rows_of_their_own(data):
    links = data.curves["links"]
    star = (links["network.link.loss"] == 0.1) & (links[["source", "destination"]].min(axis=1) > 0)
    curves = {**data.curves, "links": links[~star].reset_index(drop=True)}
    figure = LinkDrops("drops_by_link").draw(replace(data, curves=curves))
    rows = [[label.get_text() for label in axes.get_yticklabels()] for axes in panels(figure)]
    assert rows == [["0>1", "0>2", "1>0", "1>2", "2>0", "2>1"], ["0>1", "0>2", "1>0", "2>0"]]


def test_where_all_agents_always_act_there_is_no_figure_of_it(data):
    agents = data.curves["agents"]
    assert AgentCurves("acting_share_by_agent", "acting_share").draw(data) is None
    for shares, expected in ((1.0, False), (1 - 0.1 * agents["agent"], True)):
        shown = replace(data, curves={**data.curves, "agents": agents.assign(acting_share=shares)})
        figure = AgentCurves("acting_share_by_agent", "acting_share").draw(shown)
        assert (figure is not None) == expected


def test_without_drops_or_with_one_update_there_is_no_figure(tmp_path):
    study, store = store_made_up(tmp_path, updates=1)
    data = figure_data(study, store, store.summary(study), {})
    assert AgentCurves("return_by_agent", "return").draw(data) is None
    assert LinkDrops("drops_by_link").draw(data) is None
