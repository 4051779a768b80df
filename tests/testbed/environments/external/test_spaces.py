"""PettingZoo worlds with real numbers or several categories as actions, and with symbols as observations."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gymnasium.spaces import Discrete, MultiDiscrete
from gymnasium.spaces.utils import flatten
from mpe2 import simple_spread_v3
from numpy.typing import NDArray
from pettingzoo.test import parallel_api_test

from testbed import environments
from testbed.environments.external.pettingzoo import PettingZooWorlds
from testbed.environments.external.world_spaces import one_hot
from testbed.training.baselines import player
from testbed.training.rollout import Collector

SPREAD = {"N": 2, "max_cycles": 6, "continuous_actions": True}


@pytest.fixture(autouse=True)
def _small_worlds(monkeypatch: pytest.MonkeyPatch) -> None:
    """The modules in `doubles/worlds` can be imported, here and in the workers."""
    monkeypatch.syspath_prepend(Path(__file__).parents[1] / "doubles" / "worlds")


def make(world: str, batch: int = 2, workers: int = 0, **kwargs: Any) -> PettingZooWorlds:
    options = {"pettingzoo": world, "kwargs": kwargs, "episode_length": 6, "workers": workers}
    env = environments.make("pettingzoo", batch=batch, **options)
    assert isinstance(env, PettingZooWorlds)
    return env


def randomly(env: PettingZooWorlds, generator: np.random.Generator) -> NDArray[Any]:
    masks = env.masks().get("action_masks")
    return player(env, "random").act(env.observations(), masks, generator)


def test_continuous_spread_gets_clipped_actions_and_gives_the_numbers_of_the_original() -> None:
    originals = [simple_spread_v3.parallel_env(**SPREAD) for _ in range(3)]
    generator = np.random.default_rng(1)
    with make("mpe2.simple_spread_v3", batch=3, **SPREAD) as env:
        assert (env.action_sizes, env.action_spaces.kind) == ((5, 5), "Box")
        observations, _ = env.reset(4)
        seen = [
            world.reset(seed=int(seed))[0] for world, seed in zip(originals, env.state["seeds"], strict=True)
        ]
        for _ in range(6):
            actions = generator.normal(0.5, 1.0, (3, 2, 5)).astype(np.float32)
            assert (actions < 0).any()
            assert (actions > 1).any()
            observations, rewards, *_ = env.step(actions)
            for row, world in enumerate(originals):
                names = world.possible_agents
                played = {name: np.clip(actions[row, i], 0, 1) for i, name in enumerate(names)}
                seen[row], paid, *_ = world.step(played)
                assert rewards[row].tolist() == [paid[name] for name in names]
                for i, name in enumerate(names):
                    assert np.array_equal(observations[row, i], seen[row][name])


@pytest.mark.parametrize("world", ["small_worlds:Reals", "small_worlds:Symbols"])
@pytest.mark.parametrize("workers", [0, 2])
def test_state_and_generator_resume_a_run_exactly(world: str, workers: int) -> None:
    with make(world, batch=3) as env, make(world, batch=3, workers=workers) as other:
        here = Collector(env, seed=3)
        generator = np.random.default_rng(0)
        here.collect(player(env, "random"), 8, generator)
        there = Collector(other, seed=99)
        there.load_state_dict(here.state_dict())
        batches = [
            collector.collect(player(each, "random"), 9, np.random.default_rng(5))[0]
            for collector, each in ((here, env), (there, other))
        ]
        for name in ("observations", "actions", "rewards", "boundaries"):
            assert np.array_equal(*(getattr(batch, name) for batch in batches))


def test_half_bounded_and_unbounded_boxes_are_played_as_they_are() -> None:
    with make("small_worlds:Reals", batch=1) as env:
        assert env.action_sizes == (1, 4, 3)
        info = env.reset(0)[1]
        assert info["action_masks"][0].sum(-1).tolist() == [1, 4, 3]
        actions = np.full((1, 3, 4), -7.5)
        _, rewards, *_ = env.step(actions)
        assert rewards[0].tolist() == [-1.0, 0.0, -22.5]
        _, rewards, *_ = env.step(-actions)
        assert rewards[0].tolist() == [0.5, 30.0, 22.5]
        drawn = np.concatenate([randomly(env, np.random.default_rng(seed)) for seed in range(200)])
        assert env.action_spaces.within(drawn).all()
        assert (np.abs(drawn[:, 0, 0]) <= 1).all()
        assert drawn[:, 1].max() > 3
        assert drawn[:, 2, :3].min() < -2
        assert not drawn[:, 2, 3].any()


def test_several_categories_count_from_the_world_s_own_start() -> None:
    with make("small_worlds:Symbols", batch=1) as env:
        assert (env.action_spaces.kind, env.action_spaces.categories) == ("MultiDiscrete", (4, 3))
        masks = env.reset(0)[1]["action_masks"][0].astype(int).tolist()
        assert masks == [[1, 1, 0, 0, 1, 1, 1], [1, 1, 1, 1, 1, 1, 0], [1, 1, 1, 0, 1, 0, 0]]
        _, rewards, *_ = env.step([[[1, 2], [3, 1], [2, 0]]])
        assert rewards[0].tolist() == [3.0, 4 - 4, 2.0]
        with pytest.raises(
            ValueError, match=r"got \[2, 0\] for agent 0 in row 0, must be from 0 to \[1, 2\]"
        ):
            env.step([[[2, 0], [0, 0], [0, 0]]])


def test_symbols_are_one_hot_as_gymnasium_flattens_them() -> None:
    with make("small_worlds:Symbols", batch=1) as env:
        assert env.observation_sizes == (7, 6, 13)
        env.reset(0)
        world = env.settings.world
        for step in (1, 2, 3):
            observations = env.step(np.zeros((1, 3, 2), dtype=int))[0][0]
            seen = step, step - 2, np.array([step + 3, step - 1])
            for agent, (space, own) in enumerate(zip(world.observed, seen, strict=True)):
                size = env.observation_sizes[agent]
                assert np.array_equal(observations[agent, :size], flatten(space, own))
                assert not observations[agent, size:].any()


@pytest.mark.parametrize(
    ("space", "seen"),
    [
        (Discrete(3, start=2), 1),
        (Discrete(3, start=2), 5),
        (Discrete(3), 1.0),
        (Discrete(3), [1, 1]),
        (MultiDiscrete([2, 2]), [0, 2]),
        (MultiDiscrete([2, 2]), [0]),
    ],
)
def test_a_symbol_outside_its_space_is_none(space: Any, seen: Any) -> None:
    assert one_hot(space, np.asarray(seen)) is None


@pytest.mark.parametrize("world", ["small_worlds:Reals", "small_worlds:Symbols"])
def test_our_parallel_face_of_such_a_world_passes_pettingzoo_s_test(world: str) -> None:
    options = {"pettingzoo": world, "kwargs": {"deaths": True}, "episode_length": 6}
    parallel_api_test(environments.parallel("pettingzoo", **options), num_cycles=20)


@pytest.mark.parametrize(
    ("actions", "message"),
    [
        (np.zeros((1, 3, 2)), r"got shape \(1, 3, 2\), must be \(1, 3, 4\)"),
        (np.full((1, 3, 4), np.nan), "got nan for agent 0 in row 0, must be finite"),
        (np.full((1, 3, 4), "x"), "got <U1, must be real numbers"),
    ],
)
def test_wrong_real_actions_are_refused_in_one_line(actions: Any, message: str) -> None:
    with make("small_worlds:Reals", batch=1) as env:
        env.reset(0)
        with pytest.raises(ValueError, match=f"actions: {message}"):
            env.step(actions)


def test_a_state_with_an_action_outside_its_box_is_refused() -> None:
    with make("small_worlds:Reals", batch=1) as env:
        env.reset(0)
        env.step(np.zeros((1, 3, 4)))
        state = env.state
        state["actions"][0, 0, 0, 0] = 3
        with pytest.raises(
            ValueError, match=r"got \[3\.0.*agent 0 at step 0 .*must be from \[-1\.0\] to \[0\.5\]"
        ):
            env.state = state
