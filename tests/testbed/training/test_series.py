"""Training of each agent and traffic of each link over updates: they add up, and survive resuming."""

import math

import numpy as np
import pandas as pd
import pytest

import topologies
from testbed import environments, workloads
from testbed.training.rollout import Collector
from testbed.workloads import ProblemWorkload, TrainingWorkload, UpdateWorkload

RING = topologies.make("ring", 3)
FAULTS = [
    {"link": "0-1", "down": {"update": 3}, "up": {"update": 7}},
    {"fault": "crash", "agent": 1, "down": {"update": 5}, "up": {"update": 6}, "state": "kept"},
]
NETWORK = {"link": {"delay": 0.005, "rate": 1e7}, "faults": FAULTS, "audit": True}
ALGORITHMS = {
    "matrpo": {"name": "matrpo", "hidden": [8, 8]},
    "itrpo": {"name": "itrpo", "hidden": [8, 8]},
    "ctrpo": {"name": "ctrpo", "hidden": [8, 8]},
    "mappo": {"name": "mappo", "hidden": [8, 8], "epochs": 2},
    "fdmarl": {"name": "fdmarl", "hidden": [8, 8], "minibatch": 20},
}
KINDS = {
    "matrpo": {"explained_variance", "kl", "kl_played", "entropy"},
    "itrpo": {"explained_variance", "kl", "kl_played", "entropy"},
    "ctrpo": {"kl_played", "entropy"},
    "mappo": {"kl_played", "entropy"},
    "fdmarl": {"kl", "kl_played", "entropy"},
}
"""Measurements of each agent that an algorithm has."""


def trial(name="matrpo", updates=8, network=NETWORK, **environment):
    return TrainingWorkload.model_validate(
        {
            "environment": {"name": "navigation", "agents": 3, "episode_length": 10} | environment,
            "algorithm": ALGORITHMS[name],
            "network": network,
            "consensus": {"budget": {"activations": 12}},
            "training": {"updates": updates, "samples": 40},
        }
    )


def run(settings, seed=0, **options):
    return workloads.run(settings, seed=seed, graph=RING, **options)


@pytest.fixture(scope="module")
def cut():
    """Training with the link 0-1 down from update 3 to 6, and agent 1 in update 5."""
    return run(trial())


def frames(result):
    return (pd.DataFrame(list(result.curves[name])) for name in ("agents", "links", "training", "traffic"))


def test_a_cut_link_and_an_agent_that_is_down_show_where_and_when_packets_were_dropped(cut):
    agents, links, _, _ = frames(cut)
    assert list(agents["update"]) == [float(u) for u in range(1, 9) for _ in range(3)]
    assert list(agents["agent"]) == [0.0, 1.0, 2.0] * 8
    assert np.isfinite(agents["return"]).all()
    dropped = links[links["dropped"] > 0]
    of_the_link = {(0.0, 1.0), (1.0, 0.0)}
    by_link = dropped[dropped["dropped_link_down"] > 0]
    assert set(by_link["update"]) == {3.0, 4.0, 5.0, 6.0}
    assert set(zip(by_link["source"], by_link["destination"], strict=True)) <= of_the_link
    by_agent = dropped[dropped["dropped_agent_down"] > 0]
    assert set(by_agent["update"]) == {5.0}
    assert all(1.0 in way for way in zip(by_agent["source"], by_agent["destination"], strict=True))
    assert (dropped["dropped_link_down"] + dropped["dropped_agent_down"] == dropped["dropped"]).all()
    cut_off = links[(links["update"] == 5) & (links["source"] == 1)]
    assert (cut_off["delivered"] == 0).all()
    assert (links.loc[links["update"] == 8, "delivered"] > 0).any()


@pytest.mark.parametrize("name", ALGORITHMS)
def test_agents_add_up_to_the_team(name, cut):
    result = cut if name == "matrpo" else run(trial(name, updates=2))
    agents, _, team, _ = frames(result)
    assert set(agents) == {"update", "steps", "seconds", "agent", "return", "acting_share", *KINDS[name]}
    each = agents.groupby("update")
    assert each["return"].sum().to_numpy() == pytest.approx(team["return"].to_numpy(), rel=1e-12)
    assert each["kl_played"].sum().to_numpy() == pytest.approx(team["kl_played"].to_numpy(), rel=1e-4)
    for column in KINDS[name] - {"kl_played"}:
        mean = each[column].mean().to_numpy()
        assert mean == pytest.approx(team[column].to_numpy(), rel=1e-4, nan_ok=True)
        assert agents[column].nunique() >= 3
    assert (each["acting_share"].mean().to_numpy() == team["acting_share"].to_numpy()).all()
    for column in ("steps", "seconds"):
        assert (each[column].first().to_numpy() == team[column].to_numpy()).all()


def test_links_add_up_to_the_traffic_and_to_the_ledger(cut):
    _, links, _, traffic = frames(cut)
    for name in ("sent", "duplicated", "delivered", "dropped", "late"):
        assert links[name].sum() == cut.metrics[f"messages_{name}"]
    for name in (name for name in links if name.startswith("dropped_")):
        assert links[name].sum() == cut.metrics[name]
    sums = links.groupby(["source", "destination"])[["bytes", "transmitting"]].sum().reset_index()
    whole = traffic.sort_values(["source", "destination"])
    assert (sums["bytes"].to_numpy() == whole["bytes"].to_numpy()).all()
    assert sums["transmitting"].to_numpy() == pytest.approx(whole["transmitting"].to_numpy(), abs=1e-12)


def test_resuming_gives_the_same_tables_byte_for_byte(cut, killed, tmp_path, without_wall):
    file = tmp_path / "checkpoint"
    killed(lambda **options: run(trial(), checkpoint=file, **options), after=4)
    again = run(trial(), checkpoint=file)
    for name in ("agents", "links"):
        assert without_wall(again.curves[name]) == without_wall(cut.curves[name])


def test_a_checkpoint_without_these_tables_goes_on_and_they_begin_there(cut, without_wall):
    trainer, again = (workloads.running.make_trainer(trial(), seed=0, graph=RING) for _ in range(2))
    for _ in range(4):
        trainer.advance()
    old = trainer.state_dict()
    del old["agent_rows"], old["links"], old["collector"]["running_by_agent"]
    for _, _, rules in old["network"]["directions"]:
        del rules["meter"]["counts"], rules["meter"]["taken"]
    again.load_state_dict(old)
    again.train()
    assert without_wall(again.rows) == without_wall(cut.curves["training"])
    whole = [row for row in cut.curves["links"] if row["update"] > 4]
    found = again.links.rows()
    for name in whole[0]:
        assert [row[name] for row in found] == pytest.approx([row[name] for row in whole], nan_ok=True)
    unknown = [row for row in again.agent_rows if math.isnan(row["return"])]
    assert {row["update"] for row in unknown} == {5.0}  # what was earned before the checkpoint is not known
    assert without_wall(again.agent_rows[3:]) == without_wall(
        [row for row in cut.curves["agents"] if row["update"] > 5]
    )


def test_episodes_that_go_on_in_the_next_batch_are_counted_whole_for_each_agent():
    collector = Collector(environments.make("navigation", agents=3, batch=4), seed=1)

    class Still:
        def act(self, observations, masks, generator):
            return np.zeros(observations.shape[:2], dtype=int)

    first, _ = collector.collect(Still(), 60, None)
    assert np.isnan(collector.returns_by_agent).all()
    second, means = collector.collect(Still(), 60, None)
    rewards = np.concatenate([first.rewards, second.rewards])[:100]
    assert collector.returns_by_agent == pytest.approx(rewards.sum(axis=0).mean(axis=0))
    assert collector.returns_by_agent.sum() == pytest.approx(means["return"])


def test_series_are_told_after_each_update(without_wall):
    told = []
    again = run(trial(updates=2), series=lambda *given: told.append(given))
    assert [update for update, _, _ in told] == [1, 2]
    for name, place in (("agents", 1), ("links", 2)):
        assert without_wall(row for given in told for row in given[place]) == without_wall(again.curves[name])


@pytest.mark.parametrize("algorithm", ["edge_admm", "relaxed_admm"])
@pytest.mark.parametrize("activations", [40, 700])
def test_a_problem_has_the_traffic_of_its_links_along_its_run(algorithm, activations):
    network = {"link": {"delay": 0.01, "loss": 0.2}, "audit": True}
    problem = ProblemWorkload.model_validate(
        {
            "problem": {"name": "mean", "agents": 3, "dimension": 2},
            "network": network,
            "consensus": {"algorithm": algorithm, "budget": {"activations": activations}},
        }
    )
    result = run(problem)
    links = pd.DataFrame(list(result.curves["links"]))
    points = links["activations"].unique()
    assert 10 <= len(points) <= 128
    assert points[-1] == result.curves["consensus"][-1]["activations"]
    assert links["seconds"].iloc[-1] == result.curves["consensus"][-1]["seconds"]
    for name in ("sent", "delivered", "dropped", "late"):
        assert links[name].sum() == result.metrics[f"messages_{name}"]
    traffic = pd.DataFrame(list(result.curves["traffic"]))
    assert links["bytes"].sum() == traffic["bytes"].sum()


def test_an_update_has_the_traffic_of_its_links():
    settings = {
        "environment": {"name": "navigation", "agents": 3, "episode_length": 10},
        "network": {"link": {"delay": 0.005, "loss": 0.2}},
        "consensus": {"budget": {"activations": 12}},
        "update": {"samples": 40},
    }
    result = run(UpdateWorkload.model_validate(settings | {"algorithm": ALGORITHMS["matrpo"]}))
    links = pd.DataFrame(list(result.curves["links"]))
    assert links["sent"].sum() == result.metrics["messages_sent"]
    assert links["activations"].nunique() > 5
