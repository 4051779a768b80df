"""Agents and links on the page: their numbers, and how they stay small."""

import json

import numpy as np
import pytest
import reported
from made_up_series import STUDY, store_made_up

from studies import report
from studies.analysis import series as stored
from studies.report import series
from studies.report.conditions import arrange


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    study, store = store_made_up(tmp_path_factory.mktemp("series"), updates=450)
    return study, store, reported.read(report.write(store.folder, replayed=False).file)


def test_lines_are_means_over_seeds_with_their_range(made):
    study, store, page = made
    agents = page.data["series"]["agents"]
    assert [measure["name"] for measure in agents["measures"]] == [
        "return",
        "explained_variance",
        "kl",
        "kl_played",
        "entropy",
    ]
    table = store.curve(study, "agents")
    number, agent, xs, y, low, high = agents["measures"][0]["lines"][4]
    assert (number, agent) == (1, 1)
    runs = table[(table["network.link.loss"] == 0.1) & (table["agent"] == 1)]
    runs = runs.pivot_table(index="update", columns="seed", values="return").loc[agents["xs"][xs]]
    assert y == pytest.approx(runs.mean(axis=1).to_numpy(), rel=1e-3)
    assert low == pytest.approx(runs.min(axis=1).to_numpy(), rel=1e-3)
    assert high == pytest.approx(runs.max(axis=1).to_numpy(), rel=1e-3)
    assert page.texts["h2"].count("Agents and links") == 1


def test_strips_are_means_over_seeds_that_add_up_to_the_totals(made):
    study, store, page = made
    links = page.data["series"]["links"]
    assert [each["name"] for each in links["quantities"]] == [
        "dropped",
        "dropped_link_down",
        "dropped_loss",
        "utilisation",
    ]
    assert links["totals"] == ["sent", "delivered", "dropped", "link_down", "loss", "late"]
    assert links["ends"] == list(range(5, 451, 5))
    table = store.curve(study, "links")
    for loss, condition in zip((0, 0.1), links["conditions"], strict=True):
        here = table[table["network.link.loss"] == loss]
        assert condition["more"] == 0
        for name, totals, (dropped, *reasons, _) in condition["links"]:
            source, destination = map(int, name.split(">"))
            way = here[(here["source"] == source) & (here["destination"] == destination)]
            assert totals[0] == way["sent"].sum() / 2
            assert sum(dropped) == totals[2] == way["dropped"].sum() / 2
            assert np.sum(reasons, axis=0) == pytest.approx(dropped)


def test_the_more_lines_and_links_there_are_the_fewer_points_they_have(made, monkeypatch):
    study, store, _ = made
    agents, links = stored.agents(study, store), stored.links(study, store)
    conditions = arrange(study)
    whole = series.links(study, links, conditions, {})
    monkeypatch.setattr(series, "POINTS_IN_ALL", 30 * 40)  # two conditions, three agents, five measures
    monkeypatch.setattr(series, "CELLS_IN_ALL", 48 * 25)  # two conditions, six directions, four quantities
    thin = series.agents(study, agents, conditions)
    lengths = {len(y) for measure in thin["measures"] for *_, y, _, _ in measure["lines"]}
    assert lengths == {40}
    coarse = series.links(study, links, conditions, {})
    assert len(coarse["ends"]) == 23
    for one, other in zip(whole["conditions"], coarse["conditions"], strict=True):
        for (name, totals, values), (same, sums, less) in zip(one["links"], other["links"], strict=True):
            assert (name, totals) == (same, sums)
            assert sum(values[0]) == pytest.approx(sum(less[0]))


def test_a_page_of_many_conditions_is_bounded_by_its_points_and_cells(tmp_path):
    losses = [round(0.02 * k, 2) for k in range(12)]
    text = (
        STUDY.replace("[0, 0.1]", str(losses))
        .replace("agents: 3", "agents: 8")
        .replace("seeds: 2", "seeds: 1")
    )
    study, store = store_made_up(tmp_path, text + "topology: complete\n", updates=30, agents=8)
    conditions = arrange(study)
    agents = series.agents(study, stored.agents(study, store), conditions)
    links = series.links(study, stored.links(study, store), conditions, {})
    points = sum(len(line[3]) for measure in agents["measures"] for line in measure["lines"])
    cells = sum(len(part) for c in links["conditions"] for link in c["links"] for part in link[2])
    assert points <= series.POINTS_IN_ALL
    assert cells <= series.CELLS_IN_ALL
    assert {len(each["links"]) for each in links["conditions"]} == {series.LINKS}
    assert {each["more"] for each in links["conditions"]} == {56 - series.LINKS}
    # A point has three numbers of at most 12 characters, a cell one: the rest of the page has megabytes left.
    assert len(json.dumps(agents)) < 40 * points + 10_000
    assert len(json.dumps(links)) < 16 * cells + 200_000
    assert 40 * series.POINTS_IN_ALL + 16 * series.CELLS_IN_ALL < 15e6


def test_a_study_of_earlier_versions_has_no_such_part(tmp_path):
    _, store = store_made_up(tmp_path, old=4)
    page = reported.read(report.write(store.folder, replayed=False).file)
    assert page.data["series"] == {"agents": None, "links": None}
    assert "Agents and links" not in page.texts["h2"]


def test_links_have_the_names_of_their_agents(made):
    study, store, _ = made
    table = series.links(study, stored.links(study, store), arrange(study), {0: "Bern"})
    names = [name for name, *_ in table["conditions"][0]["links"]]
    assert names[:4] == ["0>1 (Bern > 1)", "0>2 (Bern > 2)", "1>0 (1 > Bern)", "1>2"]
