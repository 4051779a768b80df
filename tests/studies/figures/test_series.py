"""Figures of single agents and links."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from made_up_series import STUDY, store_made_up

from studies.figures import draw
from studies.figures.agent_curves import AgentCurves
from studies.figures.from_store import figure_data
from studies.figures.link_drops import ROWS, LinkDrops
from studies.figures.panels import PANELS


@pytest.fixture(autouse=True)
def _closed():
    yield
    plt.close("all")


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


def test_without_drops_or_with_one_update_there_is_no_figure(tmp_path):
    study, store = store_made_up(tmp_path, updates=1)
    data = figure_data(study, store, store.summary(study), {})
    assert AgentCurves("return_by_agent", "return").draw(data) is None
    assert LinkDrops("drops_by_link").draw(data) is None
