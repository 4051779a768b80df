"""What policies without learning earn."""

import numpy as np
import pytest

from testbed import environments
from testbed.environments.action_spaces import DiscreteSpaces
from testbed.environments.base import BaseEnvironmentSettings
from testbed.environments.external import PettingZooSettings
from testbed.environments.skirmish import Skirmish, SkirmishSettings
from testbed.environments.skirmish.maps import DATA
from testbed.environments.skirmish.statistics import play
from testbed.training.baselines import Uniform, identity, measure


@pytest.fixture(autouse=True)
def few(monkeypatch):
    monkeypatch.setattr(BaseEnvironmentSettings, "baseline_episodes", 12)
    monkeypatch.setattr(PettingZooSettings, "baseline_episodes", 3)


def test_the_random_policy_plays_everything_an_agent_can_alike():
    world = environments.make("navigation", agents=3, batch=2000)
    observations, _ = world.reset(0)
    actions = Uniform(world).act(observations, None, np.random.default_rng(0))
    counts = np.bincount(actions.ravel(), minlength=world.action_size)
    # Chi-squared with 4 degrees of freedom is above 18.5 once in a thousand times.
    assert (np.square(counts - 1200) / 1200).sum() < 18.5
    with pytest.raises(ValueError, match="generator: got None"):
        Uniform(world).act(observations, None, None)


def test_the_random_policy_plays_only_what_an_agent_has():
    world = environments.make("treasure", hunters=3, batch=500)
    world.action_spaces = DiscreteSpaces((2, *world.action_sizes[1:]))
    actions = Uniform(world).act(world.reset(0)[0], None, np.random.default_rng(0))
    assert set(actions[:, 0]) == {0, 1}
    assert set(actions[:, 1]) == set(range(world.action_size))
    masks = np.zeros((500, world.agents, world.action_size), dtype=bool)
    masks[..., 3] = True
    assert (Uniform(world).act(world.reset(0)[0], masks, np.random.default_rng(0)) == 3).all()


def test_what_a_random_walk_earns_is_what_it_is_when_played_by_hand():
    (reference,) = measure(environments.settings("navigation", agents=3, episode_length=10))
    world = environments.make("navigation", agents=3, episode_length=10, batch=12)
    world.reset(0)
    generator, total = np.random.default_rng([0, 1]), 0.0
    for _ in range(10):
        total += world.step(generator.integers(world.action_size, size=(12, 3)))[1].sum()
    assert reference.policy == "random"
    assert reference.episodes == 12
    assert reference.means["return"] == pytest.approx(total / 12, rel=1e-12)


def test_skirmish_also_has_the_best_of_its_scripted_policies(monkeypatch):
    monkeypatch.setattr(SkirmishSettings, "best_of", ("nearest", "focus10"))
    settings = environments.settings("skirmish", map="2s3z", episode_length=45)
    floor, best = measure(settings)
    played = {name: play(Skirmish(settings, 12), name, seed=0) for name in ("random", *settings.best_of)}
    returns = {name: battles.team_return.mean() for name, battles in played.items()}
    assert floor.policy == "random"
    assert floor.means["return"] == pytest.approx(returns.pop("random"), rel=1e-12)
    assert best.policy == max(returns, key=returns.get)
    assert best.means["return"] == pytest.approx(returns[best.policy], rel=1e-12)
    assert best.means["return_battle_won"] == played[best.policy].won.mean()
    assert best.means["return_dead_enemies"] == played[best.policy].dead_enemies.mean()


def test_what_is_done_about_unavailable_actions_does_not_matter_to_those_who_play_none(monkeypatch):
    monkeypatch.setattr(SkirmishSettings, "best_of", ("focus10",))
    masked, replaced = (
        environments.settings("skirmish", unavailable=unavailable, episode_length=30)
        for unavailable in ("mask", "random")
    )
    assert measure(masked) == measure(replaced)


def test_worlds_are_played_in_this_process_and_games_not_at_all(monkeypatch):
    world = "mpe2.simple_spread_v3"
    options = {"pettingzoo": world, "kwargs": {"N": 3, "max_cycles": 10}}
    here = measure(environments.settings("pettingzoo", **options))
    monkeypatch.setattr("testbed.environments.external.pettingzoo.Workers", None)
    assert measure(environments.settings("pettingzoo", **options, workers=2)) == here
    assert here[0].episodes == 3
    assert measure(environments.settings("starcraft")) == ()


def test_the_identity_is_that_of_the_settings_and_of_what_the_map_file_holds(tmp_path):
    names = [identity(environments.settings("navigation", agents=agents)) for agents in (3, 4)] + [
        identity(environments.settings("skirmish", map="2s3z"))
    ]
    assert len(set(names)) == 3
    assert identity(environments.settings("navigation", agents=3)) == names[0]
    file = tmp_path / "own.yaml"
    text = (DATA / "maps" / "2s3z.yaml").read_text()
    file.write_text(text)
    before = identity(environments.settings("skirmish", map=str(file)))
    file.write_text(text.replace("episode_limit: 120", "episode_limit: 100"))
    after = environments.settings("skirmish", map=str(file), episode_length=120)
    assert identity(after) != before
