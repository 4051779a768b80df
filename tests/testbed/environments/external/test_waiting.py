"""Agents that wait in a PettingZoo world: for their turn, by a mask of zeros, or not until masks begin."""

import importlib
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from pettingzoo.test import api_test, parallel_api_test, parallel_seed_test

from policies.batch import Batch
from testbed import environments, workloads
from testbed.common.errors import WorldError
from testbed.environments.external.pettingzoo import PettingZooWorlds
from testbed.training.rollout import Collector
from testbed.training.trainer import Trainer

WORLDS = Path(__file__).parents[1] / "doubles" / "worlds"
REPEAT: dict[str, Any] = {"pettingzoo": "turn_worlds", "episode_length": 10}


@pytest.fixture(autouse=True)
def _worlds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(WORLDS)


def make(world: str = "", batch: int = 1, **options: Any) -> PettingZooWorlds:
    path = f"turn_worlds:{world}" if world else "turn_worlds"
    env = environments.make("pettingzoo", batch=batch, pettingzoo=path, **{"episode_length": 10, **options})
    assert isinstance(env, PettingZooWorlds)
    return env


def inside(env: PettingZooWorlds, row: int = 0) -> Any:
    """The world of one row, without its wrappers."""
    return env._episodes.episodes[row].world.unwrapped  # type: ignore[union-attr]


def trainer(algorithm: dict[str, Any], environment: dict[str, Any], seed: int = 0, **loop: Any) -> Trainer:
    trial = workloads.TrainingWorkload.model_validate(
        {"environment": environment, "algorithm": {"hidden": [8], **algorithm}, "training": loop}
        | ({"consensus": {"budget": {"activations": 4}}} if algorithm["name"] == "matrpo" else {})
    )
    return workloads.make_trainer(trial, seed=seed, graph=nx.complete_graph(trial.agents))


def before_learning(one: Trainer, change: Callable[[Batch], Batch]) -> None:
    """Let a trainer's learner be given other batches than those that were played."""
    learn = one.learner.learn
    one.learner.learn = lambda batch, *rest: learn(change(batch), *rest)  # type: ignore[method-assign]


class Random:
    """Plays whatever is available, in any kind of action space."""

    def __init__(self, env: PettingZooWorlds) -> None:
        self.env = env

    def act(self, observations: Any, masks: Any, generator: Any) -> NDArray[Any]:
        return self.env.action_spaces.uniform(masks, self.env.batch, generator)


def collected(env: PettingZooWorlds, steps: int) -> Batch:
    return Collector(env, 0).collect(Random(env), steps, np.random.default_rng(1))[0]


# --- turns -----------------------------------------------------------------------------------------------


def test_in_a_game_of_turns_one_agent_acts_and_the_others_wait() -> None:
    env = make()
    assert (env.agents, env.agent_names) == (2, ("first", "second"))
    _, info = env.reset(3)
    for step in range(6):
        world, turn = inside(env), step % 2
        assert info["active"].all()
        assert info["action_masks"][0, turn].all()
        assert info["action_masks"][0, 1 - turn].tolist() == [True, False, False]
        seen, shown = env.observations()[0], world.shown
        assert seen[0].tolist() == np.eye(3)[shown].tolist()
        assert seen[1].tolist() == np.eye(3)[world.said].tolist()
        said = world.said
        action = step % 3
        _, rewards, terminations, truncations, info = env.step([[action, action]])
        expected = 0.1 * (action == shown) if turn == 0 else 1.0 * (action == said)
        assert rewards.tolist() == [[expected, expected]]
        assert world.played[-1] == (("first", "second")[turn], action + 4)  # its actions begin at 4
        assert terminations.all() == (step == 5)
        assert not truncations.any()


@pytest.mark.parametrize("acts", ["letters", "words", "numbers"])
def test_who_waits_has_no_choice_whatever_the_kind_of_action_space(acts: str) -> None:
    batch = collected(make(batch=2, kwargs={"acts": acts}), 12)
    turn = np.arange(12) % 6 % 2
    expected = np.broadcast_to((turn[:, None] == np.arange(2))[:, None], (12, 2, 2))
    assert batch.acting is not None
    assert np.array_equal(batch.acting.reshape(expected.shape), expected)
    assert batch.acting_share == 0.5
    assert batch.active is not None
    assert batch.active.all()


def test_agents_that_may_act_at_once_do_so() -> None:
    env = make("AtOnce", episode_length=None)
    assert env.episode_length == 3  # max_cycles
    env.reset(0)
    assert env.masks() == {}
    for step in range(3):
        _, rewards, terminations, *_ = env.step([[1, 2]])
        assert rewards.tolist() == [[5, 6]]  # its actions begin at 4
        assert terminations.all() == (step == 2)


@pytest.mark.parametrize(
    ("says", "found"),
    [
        (None, r"with no metadata\['is_parallelizable'\]"),
        ("no metadata", r"with no metadata\['is_parallelizable'\]"),
        (1, r"with 1 as metadata\['is_parallelizable'\]"),
    ],
)
def test_an_aec_world_that_does_not_say_which_is_refused_in_one_line(says: Any, found: str) -> None:
    message = f"turn_worlds:Undecided makes an AECEnv {found}, must be True .* or False \\(they take turns\\)"
    with pytest.raises(ValueError, match=message) as caught:
        make("Undecided", kwargs={"says": says})
    assert "\n" not in str(caught.value)


def test_a_world_without_a_render_mode_is_played_without_a_warning() -> None:
    env = make("Undecided", kwargs={"says": False})
    env.reset(0)
    env.step([[0, 0]])


def test_a_game_of_turns_needs_a_number_of_them() -> None:
    with pytest.raises(
        ValueError, match=r"episode_length: .*needs a number, .* take turns, each of one step"
    ):
        make(episode_length=None)


def test_an_agent_that_is_over_may_stay_until_its_turn_to_leave() -> None:
    env = make("Elimination")
    env.reset(0)
    over, order = [], []
    for _ in range(7):
        *_, rewards, terminations, _, _ = env.step([[1, 1, 1]])
        order.append(inside(env).played[-1][0])
        assert rewards[0].tolist() == [1.0 * (agent == order[-1]) for agent in "abc"]
        over.append(terminations[0].tolist())
    assert order == list("abcacac")
    assert over == [[False] * 3] + [[False, True, False]] * 5 + [[True] * 3]


def test_a_turn_of_nobody_is_an_error() -> None:
    env = make("Elimination", kwargs={"how": "lost"})
    env.reset(0)
    env.step([[1, 1, 1]])
    with pytest.raises(
        WorldError, match=r"step 2: agent 'nobody' has the turn, but those .* are \['a', 'c'\]"
    ):
        env.step([[1, 1, 1]])


def test_the_picture_of_a_game_of_turns_is_its_own() -> None:
    env = make()
    env.reset(0)
    for turn in range(3):
        assert env.render().tolist() == np.full((2, 2, 3), turn).tolist()
        env.step([[1, 1]])


# --- masks of zeros, and masks that begin later ------------------------------------------------------------


@pytest.mark.parametrize("where", ["info", "dict"])
def test_an_agent_with_a_mask_of_zeros_waits(where: str) -> None:
    env = make("Masks", batch=2, kwargs={"where": where})
    _, info = env.reset(0)
    for step in range(8):
        waits = np.arange(3) == step % 3
        assert np.array_equal(info["action_masks"][0], np.where(waits[:, None], [True, False, False], True))
        assert info["active"].all()
        _, rewards, *_, info = env.step(np.full((2, 3), 2))
        # The world always gets the same action of an agent that waits, whatever was chosen.
        assert inside(env).played[-1] == {agent: 2 * (not w) for agent, w in zip("abc", waits, strict=True)}
        assert rewards[0].tolist() == [2.0 * (not w) for w in waits]
    batch = collected(make("Masks", batch=2), 8)
    assert batch.acting is not None
    waiting = np.arange(8)[:, None] % 3 == np.arange(3)
    assert np.array_equal(~batch.acting.reshape(8, 2, 3), np.broadcast_to(waiting[:, None], (8, 2, 3)))


@pytest.mark.parametrize("where", ["info", "dict"])
def test_all_actions_are_available_until_masks_begin(where: str) -> None:
    env = make("Masks", batch=2, kwargs={"begin": 3, "zeros": False, "where": where})
    batch = collected(env, 10)  # of which the last two are of new episodes
    expected = np.ones((10, 2, 3, 3), dtype=bool)
    for step in range(3, 8):
        expected[step, :, step % 3, 0] = False
    assert batch.masks is not None
    assert np.array_equal(batch.masks, expected)
    assert (batch.actions[3:8, 0][~expected[3:8, 0, :, 0]] > 0).all()
    # Only a space says before that there will be masks.
    env.reset(0)
    assert bool(env.masks()) == (where == "dict")


def test_masks_of_one_row_leave_the_others_all_their_actions() -> None:
    env = make("Masks", batch=8, kwargs={"random_begin": True})
    env.reset(1)
    started = np.array([inside(env, row).start < 99 for row in range(8)])
    assert 0 < started.sum() < 8
    assert np.array_equal(env.masks()["action_masks"].all(axis=(1, 2)), ~started)


def test_without_any_mask_a_batch_has_none() -> None:
    assert collected(make("Masks", batch=2, kwargs={"begin": 8}), 10).masks is None


@pytest.mark.parametrize(
    ("options", "workers"),
    [
        ({"world": ""}, 0),
        ({"world": "Elimination"}, 0),
        ({"world": "Masks", "kwargs": {"begin": 3}}, 0),
        ({"world": "Masks", "kwargs": {"random_begin": True}}, 1),
    ],
    ids=["turns", "elimination", "late masks", "some masks"],
)
def test_a_collector_resumes_exactly(options: dict[str, Any], workers: int) -> None:
    straight, broken_off = (Collector(make(batch=3, **options), seed=4) for _ in range(2))
    with make(batch=3, workers=workers, **options) as env:
        resumed = Collector(env, seed=5)
        rng = [np.random.default_rng(0) for _ in range(2)]
        for one, each in zip((straight, broken_off), rng, strict=True):
            one.collect(Random(one.environment), 12, each)  # type: ignore[arg-type]
        resumed.load_state_dict(broken_off.state_dict())
        for steps in (1, 9):
            a, b = (
                vars(one.collect(Random(one.environment), steps, each)[0])  # type: ignore[arg-type]
                for one, each in zip((straight, resumed), rng, strict=True)
            )
            assert all(np.array_equal(a[name], b[name]) for name in a)


# --- PettingZoo's own tests --------------------------------------------------------------------------------


def test_the_worlds_of_these_tests_pass_pettingzoos_own() -> None:
    turn_worlds = importlib.import_module("turn_worlds")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it also judges style, such as the range of observations
        for world in (turn_worlds.Repeat, turn_worlds.AtOnce, turn_worlds.Elimination):
            api_test(world(start=0), num_cycles=30)  # it plays 0 in any Discrete space


@pytest.mark.parametrize(
    "world", [REPEAT, *({**REPEAT, "pettingzoo": f"turn_worlds:{name}"} for name in ("AtOnce", "Masks"))]
)
def test_the_parallel_face_passes_pettingzoos_own_tests(world: dict[str, Any]) -> None:
    parallel_api_test(environments.parallel("pettingzoo", **world), num_cycles=40)
    parallel_seed_test(lambda: environments.parallel("pettingzoo", **world), num_cycles=40)


@pytest.mark.filterwarnings("ignore:The old environment creation API:DeprecationWarning")
@pytest.mark.parametrize("game", ["tictactoe_v3", "connect_four_v3"])
def test_a_classic_game_is_played_by_its_rules(game: str) -> None:
    pytest.importorskip("pygame", reason="PettingZoo's board games draw with pygame")
    path = f"pettingzoo.classic.{game}"
    env = environments.make("pettingzoo", batch=4, pettingzoo=path, episode_length=42)
    assert isinstance(env, PettingZooWorlds)
    assert env.settings.action_space == "Discrete"
    collector = Collector(env, 0)
    batch, means = collector.collect(Random(env), 84, np.random.default_rng(0))
    assert means["return"] == 0.0  # whoever wins gets 1 and the other -1; an illegal move would cost -1 alone
    assert means["episodes"] >= 8
    assert batch.acting is not None
    assert not batch.acting.all(axis=1).any()  # never both
    assert batch.rewards.any()
    again = Collector(environments.make("pettingzoo", batch=4, pettingzoo=path, episode_length=42), 1)
    again.load_state_dict(collector.state_dict())
    assert np.array_equal(again.observations, collector.observations)
    assert again.masks is not None
    assert collector.masks is not None
    assert np.array_equal(again.masks, collector.masks)


# --- learning ----------------------------------------------------------------------------------------------


def test_agents_learn_a_game_of_turns() -> None:
    algorithm = {"name": "itrpo", "gamma": 0.9, "delta_per_agent": 0.2}
    one = trainer(algorithm, {**REPEAT, "episode_length": 6}, samples=240, batch=40)
    rows = [one.advance() for _ in range(12)]
    assert {row["acting_share"] for row in rows} == {0.5}
    # The most is 2 x 3 x 1.1. Random play gives a third of that, and if `second` ignored what it sees, the
    # two could get 2.6 at most.
    assert rows[0]["return"] < 3
    assert np.mean([row["return"] for row in rows[-5:]]) > 5.6


@pytest.mark.parametrize("seed", [0, 1])
def test_matrpo_learns_the_best_policy_of_a_game_of_turns(seed: int) -> None:
    algorithm = {"name": "matrpo", "gamma": 0.9, "delta_per_agent": 0.05}
    one = trainer(
        algorithm,
        {**REPEAT, "episode_length": 6},
        seed=seed,
        samples=120,
        evaluation={"every": 12, "episodes": 10},
    )
    rows = [one.advance() for _ in range(12)]
    assert rows[0]["return"] < 3
    assert np.mean([row["return"] for row in rows[-2:]]) > 4
    # The two get 6.0 for all letters that `second` repeats, the best it can do. Up to 0.6 more is for letters
    # that `first` says as it sees them; it may have settled on one that is always the same.
    assert rows[-1]["evaluation_return"] >= 6.0


@pytest.mark.parametrize("name", ["matrpo", "itrpo"])
def test_the_action_of_an_agent_that_waits_moves_no_policy(name: str) -> None:
    def another(batch: Batch) -> Batch:
        assert batch.acting is not None
        assert batch.masks is not None
        acting = batch.acting.reshape(batch.rewards.shape)
        return replace(
            batch,
            actions=np.where(acting, batch.actions, 2),
            masks=np.where(acting[..., None], batch.masks, [False, False, True]),
        )

    learnt, differently = (trainer({"name": name}, REPEAT, samples=120, batch=4) for _ in range(2))
    before: Any = learnt.learner.state_dict()["theta"]
    before = before.clone()
    before_learning(differently, another)
    rows = [one.advance() for one in (learnt, differently)]
    measured = [{k: v for k, v in row.items() if not k.startswith("wall_")} for row in rows]
    assert measured[0] == measured[1]
    after = learnt.learner.state_dict()["theta"]
    assert torch.equal(after, differently.learner.state_dict()["theta"])
    assert not torch.equal(after, before)


def test_fdmarl_goes_on_when_masks_begin_or_end_between_two_batches() -> None:
    environment = {"pettingzoo": "turn_worlds:Masks", "kwargs": {"begin": 3}, "episode_length": 5}
    one = trainer({"name": "fdmarl"}, environment, samples=6, batch=2)
    masked: list[bool] = []

    def seen(batch: Batch) -> Batch:
        masked.append(batch.masks is not None)
        return batch

    before_learning(one, seen)
    for _ in range(7):  # of three steps each: the first and the sixth are without masks
        one.advance()
    assert masked == [False, True, True, True, True, False, True]
