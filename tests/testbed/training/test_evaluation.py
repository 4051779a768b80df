"""Whole episodes, one per row: against each of them played alone, in the books, and in training."""

import math

import numpy as np
import pytest

import topologies
from testbed import environments, workloads
from testbed.environments import BatchedEnvironment
from testbed.environments.skirmish import Skirmish, SkirmishSettings
from testbed.environments.skirmish.scripted import Scripted
from testbed.training.rollout import Collector
from testbed.workloads import TrainingWorkload


class Counting:
    """A scripted policy, and how often it was asked."""

    def __init__(self, world, policy):
        self.scripted, self.asked = Scripted(world, policy), 0

    def act(self, observations, masks, generator):
        self.asked += 1
        return self.scripted.act(observations, masks, generator)


class Countdown(BatchedEnvironment):
    """Episodes of 1 to 20 steps, as drawn, that pay 1 a step."""

    name = "countdown"
    components = ("steps",)

    def __init__(self, batch):
        super().__init__(
            batch=batch,
            episode_length=20,
            observation_sizes=(1,),
            action_sizes=(2,),
            state_shapes={"left": ()},
        )
        self.left = np.zeros(batch)

    def observations(self):
        return self.left[:, None, None].astype(np.float32)

    def _begin(self, rows):
        self.left[rows] = self._generator.integers(1, 21, size=rows.size)

    def _advance(self, actions):
        self.left -= 1
        paid = np.ones(self.batch)
        return paid[:, None], (self.left == 0)[:, None], {"steps": paid}

    def _read(self):
        return {"left": self.left.copy()}

    def _write(self, state):
        self.left = state["left"].copy()

    def render(self, row=0):
        raise NotImplementedError


class Still:
    """Always action 0."""

    def act(self, observations, masks, generator):
        return np.zeros(observations.shape[:2], dtype=int)


def test_short_episodes_count_no_more_than_long_ones():
    world = Countdown(200)
    collector = Collector(world, seed=0)
    lengths = world.left.copy()
    assert collector.finish(Still(), None) == {"return": lengths.mean(), "return_steps": lengths.mean()}
    # Rows that go on for a fixed time play short episodes more often.
    _, means = Collector(Countdown(200), seed=0).collect(Still(), 20, None)
    assert means["return"] < lengths.mean() - 1
    assert means["episodes"] > 300


@pytest.fixture
def generator():
    return np.random.default_rng(0)


def test_every_row_counts_with_its_first_episode_whole(generator):
    rows, settings = 6, SkirmishSettings(map="2s3z")
    world = Skirmish(settings, rows)
    collector = Collector(world, seed=3)
    starts = world.state
    means = collector.finish(Scripted(world, "nearest"), generator)
    played = {name: [] for name in ("return", *world.components, "length")}
    for row in range(rows):
        alone = Skirmish(settings, 1)
        alone.reset(0)
        alone.state = {name: array[[row]] for name, array in starts.items()}
        actor, over, steps = Scripted(alone, "nearest"), False, []
        while not over:
            actions = actor.act(alone.observations(), alone.masks()["action_masks"], generator)
            _, rewards, terminations, truncations, info = alone.step(actions)
            over = (terminations | truncations).all()
            steps.append({"return": rewards.sum(), "length": 1, **{n: info[n][0] for n in alone.components}})
        for name, values in played.items():
            values.append(sum(step[name] for step in steps))
    assert len(set(played.pop("length"))) > 2
    assert 0 < sum(played["battle_won"]) < rows
    wanted = {name if name == "return" else f"return_{name}": np.mean(v) for name, v in played.items()}
    assert means == pytest.approx(wanted, rel=1e-12)


def test_the_episodes_under_way_are_finished_with_what_they_have_earned():
    first = Collector(environments.make("navigation", agents=3, batch=4), seed=1)
    second = Collector(environments.make("navigation", agents=3, batch=4), seed=1)

    _, whole = first.collect(Still(), 100, None)
    second.collect(Still(), 70, None)
    assert second.finish(Still(), None) == {n: v for n, v in whole.items() if n != "episodes"}


def test_collecting_goes_on_where_finishing_has_left_off(generator):
    # Without randomness, both play the same battles.
    worlds = [Skirmish(SkirmishSettings(map="2s3z"), 5) for _ in range(2)]
    one, other = (Collector(world, seed=0) for world in worlds)
    actor = Counting(worlds[0], "focus")
    one.finish(actor, generator)
    other.collect(Scripted(worlds[1], "focus"), actor.asked, generator)
    batches = [
        c.collect(Scripted(w, "focus"), 60, generator) for c, w in zip((one, other), worlds, strict=True)
    ]
    np.testing.assert_array_equal(batches[0][0].rewards, batches[1][0].rewards)
    assert batches[0][1] == batches[1][1]
    assert batches[0][1]["episodes"] >= 5


def workload(**loop):
    return TrainingWorkload.model_validate(
        {
            "environment": {"name": "skirmish", "map": "2s3z", "episode_length": 40},
            "algorithm": {"hidden": [8]},
            "consensus": {"budget": {"activations": 10}},
            "training": {"updates": 3, "samples": 40, **loop},
        }
    )


def test_an_evaluation_reports_what_training_reports_and_closes_its_environment(monkeypatch):
    closed = []
    monkeypatch.setattr(Skirmish, "close", lambda world: closed.append(world.batch))
    trial = workload(evaluation={"every": 2, "episodes": 5})
    rows = workloads.run(trial, seed=0, graph=topologies.make("ring", 5)).curves["training"]
    names = ("return", "return_battle_won", "return_dead_allies", "return_dead_enemies")
    for row, measured in zip(rows, (False, True, True), strict=True):
        assert all(math.isfinite(row[f"evaluation_{name}"]) == measured for name in names)
    assert closed.count(5) == 2
    for row in rows[1:]:
        for name in names[1:]:  # counts of five whole battles
            assert row[f"evaluation_{name}"] * 5 == pytest.approx(round(row[f"evaluation_{name}"] * 5))
        # Somebody was wiped out, or the time was: never half an episode.
        assert row["evaluation_return"] > 0


@pytest.mark.parametrize(("unavailable", "forbidden"), [("mask", False), ("random", True)])
def test_no_unavailable_action_is_played_where_there_are_masks(unavailable, forbidden, monkeypatch):
    """In training and in evaluation; without masks it happens, so that this test could fail."""
    step, seen = Skirmish.step, {3: [], 5: []}

    def watched(world, actions):
        masks = world._sight.masks()
        seen[world.batch].append((np.take_along_axis(masks, np.asarray(actions)[..., None], 2).all(), masks))
        return step(world, actions)

    monkeypatch.setattr(Skirmish, "step", watched)
    trial = workload(updates=2, samples=120, batch=3, evaluation={"every": 1, "episodes": 5})
    environment = trial.environment.model_copy(update={"unavailable": unavailable})
    trial = trial.model_copy(update={"environment": environment})
    workloads.run(trial, seed=0, graph=topologies.make("ring", 5))
    assert len(seen[3]) == 80
    for steps in seen.values():
        assert (not all(fine for fine, _ in steps)) == forbidden
        masks = np.concatenate([masks.reshape(-1, masks.shape[-1]) for _, masks in steps])
        assert masks[:, 0].any()  # the dead, who can do nothing
        assert masks[:, 6:].any()  # and somebody in reach of a target
