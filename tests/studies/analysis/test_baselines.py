"""Reference lines: measured once, kept beside the results, drawn where all shown trials share them."""

import json

import numpy as np
import pandas as pd
import pytest

from studies.analysis.baselines import by_trial
from studies.figures import curve, draw
from studies.figures.draw import FigureData
from studies.figures.from_store import draw_figures
from studies.spec.loading import load
from studies.storage.store import Store
from testbed.common.errors import WorldError
from testbed.environments.base import BaseEnvironmentSettings
from testbed.training import baselines
from testbed.training.baselines import Baseline

TRAINING = """\
workload: training
environment: {name: navigation, agents: 3, episode_length: 10}
training: {updates: 2, samples: 20}
vary:
  topology: [ring, star]
seeds: 2
"""


@pytest.fixture
def measured(monkeypatch):
    """What was measured, of one episode each."""
    asked, measure = [], baselines.measure

    def counted(environment):
        asked.append(environment)
        return measure(environment)

    monkeypatch.setattr(BaseEnvironmentSettings, "baseline_episodes", 1)
    monkeypatch.setattr(baselines, "measure", counted)
    return asked


def stored(study, folder, leave_out=0):
    """As if all trials of a study but the last few had run."""
    store = Store(folder)
    folder.mkdir(exist_ok=True)
    for trial in study.trials[: len(study.trials) - leave_out]:
        rows = [{"update": u, "steps": 20 * u, "return": -u - trial.seed} for u in (1.0, 2.0)]
        store.write(trial, {"return": -2.0}, {"training": rows}, {}, 0)
    return store


def test_they_are_measured_once_per_environment_and_kept(write, tmp_path, measured):
    study = load(str(write(TRAINING)))
    store = stored(study, tmp_path / "out")
    found = by_trial(study, store)
    assert len(measured) == 1
    assert set(found) == {trial.hash for trial in study.trials}
    (kept,) = json.loads((store.folder / "references.json").read_text()).values()
    assert kept["environment"] == {**kept["environment"], "agents": 3, "episode_length": 10}
    assert kept["references"][0]["means"] == found[study.trials[0].hash][0].means
    assert by_trial(study, store) == found
    assert len(measured) == 1
    assert [path.name for path in store.folder.iterdir() if path.name.startswith(".")] == []


def test_another_environment_is_added_once_one_of_its_trials_is_finished(write, tmp_path, measured):
    study = load(str(write(TRAINING)))
    varied = load(str(write(TRAINING.replace("seeds: 2", "  environment.agents: [3, 4]\nseeds: 1"))))
    store = stored(study, tmp_path / "out")
    by_trial(study, store)
    stored(varied, store.folder, leave_out=1)  # of four agents there is one, over the ring
    found = by_trial(varied, store)
    assert [environment.agents for environment in measured] == [3, 4]
    assert len(found) == len(varied.trials) - 1
    values = {trial.settings.environment.agents: found[trial.hash] for trial in varied.trials[:-1]}
    assert values[3] != values[4]


def test_a_world_that_a_random_policy_cannot_play_has_none_and_figures_go_on(
    write, tmp_path, measured, monkeypatch
):
    study = load(str(write(TRAINING.replace("seeds: 2", "  environment.agents: [3, 4]\nseeds: 1"))))
    store, said, measure = stored(study, tmp_path / "out"), [], baselines.measure

    def broken(environment):
        if environment.agents == 4:
            raise WorldError("agent 1 was paid nan")
        return measure(environment)

    monkeypatch.setattr(baselines, "measure", broken)
    assert draw_figures(study, store, said.append)
    assert said == ["no baselines, because a random policy cannot play: agent 1 was paid nan"]
    (kept,) = json.loads((store.folder / "references.json").read_text()).values()
    assert kept["environment"]["agents"] == 3
    assert "return_by_steps.png" in {file.name for file in (store.folder / "figures").iterdir()}


def test_only_training_has_references(write, tmp_path, measured):
    study = load(str(write()))
    assert by_trial(study, Store(tmp_path)) == {}
    assert not (tmp_path / "references.json").exists()
    assert measured == []


def test_figures_of_stored_trials_have_them(write, tmp_path, measured):
    study = load(str(write(TRAINING)))
    drawn = draw_figures(study, stored(study, tmp_path / "out"))
    svg = {path.stem: path.with_suffix(".svg").read_text() for path in drawn}
    assert {"return_by_steps", "final_return"} <= set(svg)
    assert all(">random<" in svg[name] for name in ("return_by_steps", "final_return"))


FLOOR = Baseline("random", 9, {"return": 2.0, "return_battle_won": 0.0})
BEST = Baseline("nearest10", 9, {"return": 14.0, "return_battle_won": 0.25})
HIGHER = Baseline("focus", 9, {"return": 16.0, "return_battle_won": 0.5})


def results(varied, shared):
    """Two values of each varied column and two seeds; ``shared`` gives a trial's references from its cell."""
    summary, training, found = [], [], {}
    for number in range(2 * 2 ** len(varied)):
        cell = {path: f"v{number >> place + 1 & 1}" for place, path in enumerate(varied)}
        key = {"trial": f"t{number}", **cell, "seed": number & 1}
        found[key["trial"]] = shared(cell)
        summary.append({**key, "return": 5.0})
        for update in range(6):
            evaluated = {"evaluation_return": 4.0 + update, "evaluation_return_battle_won": 0.1 * update}
            if update % 2 == 0:
                evaluated = dict.fromkeys(evaluated, np.nan)
            played = {"return": 3.0 + update, "return_battle_won": 0.05 * update}
            training.append({**key, "steps": 100 * (update + 1), **played, **evaluated})
    curves = {"training": pd.DataFrame(training)}
    worlds = [path for path in varied if path in ("environment.map", "task")]
    return FigureData("training", "", varied, pd.DataFrame(summary), curves, found, worlds)


@pytest.fixture
def panels(closes_figures):
    """Draws a study, without files, and returns what the panels of each figure show beside data:
    (label, height, ends)."""

    def panels(some):
        return {name: [panel(axes) for axes in figure.axes] for name, figure in draw.drawings(some)}

    def panel(axes):
        lines = [line for line in axes.lines if line.get_linewidth() == 0.9]
        assert all(len(set(line.get_ydata())) == 1 for line in lines)
        low, high = axes.get_ylim()
        assert all(low < line.get_ydata()[0] < high for line in lines)
        heights = [float(line.get_ydata()[0]) for line in lines]
        ends = [tuple(map(float, line.get_xdata())) for line in lines]
        labels = [text.get_text() for text in axes.texts if text.get_text()]
        assert [text.xy[1] for text in axes.texts if text.get_text()] == heights
        return list(zip(labels, heights, ends, strict=True))

    return panels


ALONG = (0.0, 1.0)
"""In shares of the width of the axes."""


def test_lines_go_through_the_figures_of_returns_and_win_rates(panels):
    shown = panels(results(("topology",), lambda cell: (FLOOR, BEST)))
    returns = [("random", 2.0, ALONG), ("scripted: nearest10", 14.0, ALONG)]
    wins = [("random", 0.0, ALONG), ("scripted: nearest10", 0.25, ALONG)]
    assert shown == {
        "return_by_steps": [returns],
        "win_rate_by_steps": [wins],
        "evaluation_return_by_steps": [returns],
        "evaluation_win_rate_by_steps": [wins],
        "final_return": [returns],
    }


@pytest.mark.parametrize("world", ["environment.map", "task"])
def test_varied_environments_get_panels_with_lines_of_their_own(panels, world):
    best = {"v0": BEST, "v1": HIGHER}
    shown = panels(results((world, "topology"), lambda cell: (FLOOR, best[cell[world]])))
    assert shown["return_by_steps"] == [
        [("random", 2.0, ALONG), ("scripted: nearest10", 14.0, ALONG)],
        [("random", 2.0, ALONG), ("scripted: focus", 16.0, ALONG)],
    ]
    left, right = (-0.45, 0.45), (0.55, 1.45)
    assert shown["final_return"] == [
        [
            ("random", 2.0, left),
            ("scripted: nearest10", 14.0, left),
            ("random", 2.0, right),
            ("scripted: focus", 16.0, right),
        ]
    ]


def test_where_trials_differ_in_what_they_can_be_compared_with_there_is_no_line(panels):
    best = {"v0": BEST, "v1": HIGHER}
    shown = panels(results(("network.link.loss", "topology"), lambda cell: (best[cell["topology"]],)))
    assert set(map(str, shown.values())) == {"[[]]"}
    shown = panels(results(("topology",), lambda cell: (FLOOR,) if cell["topology"] == "v0" else ()))
    assert shown["return_by_steps"] == [[]]
    assert shown["final_return"] == [[("random", 2.0, (-0.45, 0.45))]]


def test_a_best_policy_that_never_wins_is_told_from_the_random_one(panels):
    loser = Baseline("hold", 9, {"return": 3.0, "return_battle_won": 0.0})
    (lines,) = panels(results(("topology",), lambda cell: (FLOOR, loser)))["win_rate_by_steps"]
    assert [label for label, *_ in lines] == ["random", "scripted: hold"]


def test_updates_without_evaluation_are_left_out(monkeypatch, closes_figures):
    places, drawn = {}, curve._lines

    def watched(table, plan, *more):
        places[plan.name] = set(table["steps"])
        return drawn(table, plan, *more)

    monkeypatch.setattr(curve, "_lines", watched)
    assert list(draw.drawings(results(("topology",), lambda cell: ())))
    assert places["return_by_steps"] == {100, 200, 300, 400, 500, 600}
    assert places["evaluation_return_by_steps"] == {200, 400, 600}
    assert places["evaluation_win_rate_by_steps"] == {200, 400, 600}
