"""The environment around the battle: contract, ends, rewards, options, exact resuming."""

import json
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pettingzoo.test import parallel_api_test, parallel_seed_test

from testbed.environments.action_masks import uniform
from testbed.environments.parallel import ParallelFace
from testbed.environments.skirmish import Skirmish, SkirmishSettings
from testbed.environments.skirmish.scripted import Scripted
from testbed.training.rollout import Collector

MAPS = ("2s3z", "3s5z", "10m_vs_11m", "MMM2")


def make(batch: int = 1, **options: Any) -> Skirmish:
    return Skirmish(SkirmishSettings.model_validate(options), batch)


def noops(env: Skirmish) -> NDArray[np.int64]:
    """Stop for the living, no-op for the dead."""
    return np.where(env.masks()["action_masks"][..., 1], 1, 0)


@pytest.mark.parametrize("name", MAPS)
def test_pettingzoo_accepts_it(name: str) -> None:
    parallel_api_test(ParallelFace(make(map=name, unavailable="random")), num_cycles=60)


@pytest.mark.parametrize("name", ["2s3z", "MMM2"])
def test_pettingzoo_finds_it_reproducible(name: str) -> None:
    parallel_seed_test(lambda: ParallelFace(make(map=name, unavailable="random")), num_cycles=60)


@pytest.mark.parametrize("name", MAPS)
def test_every_agent_always_has_an_action_and_battles_end_as_they_report(name: str) -> None:
    env, rng = make(30, map=name, episode_length=70), np.random.default_rng(0)
    policy = Scripted(env, "nearest10")
    observations, info = env.reset(0)
    dead = np.zeros((2, 30))
    ends = 0
    for _ in range(110):
        masks = info["action_masks"]
        assert masks.any(axis=2).all()
        observations, rewards, terminations, truncations, info = env.step(
            policy.act(observations, masks, rng)
        )
        assert np.isfinite(observations).all()
        assert (rewards >= 0).all()
        assert not rewards[:, 1:].any()
        dead += [info["dead_allies"], info["dead_enemies"]]
        over = (terminations | truncations).all(axis=1)
        hp = env.state["hp"]
        fighters = ~env.roster.healer
        standing = [
            (hp[:, : env.agents] * fighters[: env.agents]).any(axis=1),
            (hp[:, env.agents :] * fighters[env.agents :]).any(axis=1),
        ]
        assert np.array_equal(terminations[:, 0], ~(standing[0] & standing[1]))
        assert np.array_equal(info["battle_won"] == 1, ~standing[1] & standing[0])
        assert np.array_equal(truncations[:, 0], (env.state["t"] == 70) & ~terminations[:, 0])
        killed = [(hp[:, : env.agents] == 0).sum(axis=1), (hp[:, env.agents :] == 0).sum(axis=1)]
        assert np.array_equal(dead[:, over], np.array(killed)[:, over])
        dead[:, over] = 0
        ends += int(over.sum())
        if over.any():
            observations, info = env.reset(where=over)
    assert ends > 30


def test_a_team_that_kills_everybody_without_healing_earns_twenty() -> None:
    env = make(map="10m_vs_11m", reward="shared")
    env.reset(0)
    state = env.state
    state["hp"][0, 10:] = 6.0
    state["pos"][0, 10:] = state["pos"][0, [0]] + [[2.0, 0.1 * k] for k in range(11)]
    state["cooldown"][0, 10:] = 999.0
    env.state = state
    rewards = []
    for _ in range(30):
        mask = env.masks()["action_masks"]
        actions = np.where(mask[..., 6:].any(axis=2), 6 + mask[..., 6:].argmax(axis=2), 1)
        _, reward, terminations, _, info = env.step(np.where(mask[..., 0], 0, actions))
        rewards.append(reward)
        if terminations.all():
            break
    assert info["battle_won"][0] == 1
    earned = np.sum(rewards, axis=0)
    # Kills, the win, and the 66 points that were left.
    np.testing.assert_allclose(earned, (110 + 200 + 66) / 40.25)


@pytest.mark.parametrize(
    ("rules", "living", "lost", "won"),
    [
        ("smac", [9, 11], True, False),
        ("smac", [2, 10], False, True),
        ("smac", [9, 10], True, False),
        ("smac", [2, 11], False, False),
        ("smaclite", [9, 11], False, False),
        ("smaclite", [2, 10], False, False),
    ],
)
def test_a_side_of_healers_only_has_lost_under_smac(
    rules: str, living: list[int], lost: bool, won: bool
) -> None:
    env = make(map="MMM2", rules=rules)
    env.reset(0)
    state = env.state
    gone = [unit for unit in range(22) if unit not in living]
    state["hp"][0, gone] = 0
    state["t"] = np.zeros(1, dtype=int)
    env.state = state
    if lost or won:
        with pytest.raises(RuntimeError, match="1 of 1 episodes are over"):
            env.step(noops(env))
    else:
        _, _, terminations, _, info = env.step(noops(env))
        assert not terminations.any()
        assert info["battle_won"][0] == 0


def test_both_sides_falling_together_is_no_win() -> None:
    env = make(map="10m_vs_11m")
    env.reset(0)
    state = env.state
    state["hp"][0, [*range(1, 10), *range(11, 21)]] = 0
    state["hp"][0, [0, 10]] = 6.0
    state["pos"][0, 10] = state["pos"][0, 0] + [2, 0]
    env.state = state
    actions = np.zeros((1, 10), dtype=int)
    actions[0, 0] = 6
    _, rewards, terminations, truncations, info = env.step(actions)
    assert terminations.all()
    assert not truncations.any()
    assert [info[name][0] for name in env.components[1:]] == [0, 0, 1, 1]
    assert rewards[0, 0] == pytest.approx((6 + 10) / 40.25)


def test_paper_reward_goes_to_agent_0_even_after_its_death() -> None:
    env = make(map="2s3z")
    env.reset(0)
    state = env.state
    state["hp"][0, 0] = state["shield"][0, 0] = 0
    state["pos"][0, 5] = state["pos"][0, 1] + [3, 0]
    env.state = state
    actions = noops(env)
    actions[0, 1] = 6
    _, rewards, _, _, _ = env.step(actions)
    assert rewards[0, 0] == pytest.approx(18 / 51)
    assert not rewards[0, 1:].any()


def test_an_unavailable_action_is_refused_with_what_is_available() -> None:
    env = make(map="2s3z")
    env.reset(0)
    with pytest.raises(ValueError, match=r"got 6 for agent 0 in row 0, must be one of 1, 2, 3, 4, 5$"):
        env.step([[6, 1, 1, 1, 1]])
    with pytest.raises(ValueError, match="got 0 for agent 2 in row 0"):
        env.step([[1, 1, 0, 1, 1]])


def test_an_unavailable_action_can_become_a_uniformly_random_available_one() -> None:
    env = make(3000, map="2s3z", unavailable="random")
    env.reset(0)
    env.step(np.tile([6, 1, 0, 2, 3], (3000, 1)))
    played = env.state["last_action"]
    assert (played[:, [1, 3, 4]] == [1, 2, 3]).all()
    for agent in (0, 2):
        counts = np.bincount(played[:, agent], minlength=11)
        assert counts[[0, *range(6, 11)]].sum() == 0
        assert (np.abs(counts[1:6] - 600) < 4 * np.sqrt(600 * 0.8)).all()


@pytest.mark.parametrize("name", MAPS)
def test_a_row_of_a_batch_is_bit_for_bit_an_episode_alone(name: str) -> None:
    batch, rng = 6, np.random.default_rng(1)
    together = make(batch, map=name)
    _, info = together.reset(5)
    alone = [make(map=name) for _ in range(batch)]
    for row, env in enumerate(alone):
        env.state = {key: array[[row]] for key, array in together.state.items()}
    for _ in range(18):
        actions = uniform(info["action_masks"], rng)
        all_seen, all_rewards, all_over, _, info = together.step(actions)
        assert not all_over.any()
        for row, env in enumerate(alone):
            seen, rewards, _, _, own = env.step(actions[[row]])
            assert np.array_equal(seen[0], all_seen[row])
            assert np.array_equal(rewards[0], all_rewards[row])
            assert all(np.array_equal(own[key][0], info[key][row]) for key in own)
    for row, env in enumerate(alone):
        assert all(np.array_equal(array[0], together.state[key][row]) for key, array in env.state.items())


@pytest.mark.parametrize("options", [{}, {"unavailable": "random"}, {"rules": "smaclite"}])
def test_a_saved_run_goes_on_exactly_in_another_environment(options: dict[str, Any]) -> None:
    class Random:
        def act(self, observations: Any, masks: Any, generator: Any) -> NDArray[np.int64]:
            if options.get("unavailable") == "random":
                assert masks is None
                return np.asarray(generator.integers(0, 18, observations.shape[:2]))
            return uniform(masks, generator)

    one = Collector(make(8, map="MMM2", episode_length=40, **options), 3)
    one.collect(Random(), 30, np.random.default_rng(0))
    saved = one.state_dict()
    rng_state = json.loads(json.dumps(saved["rng"]))
    two = Collector(make(8, map="MMM2", episode_length=40, **options), 99)
    two.load_state_dict({**saved, "rng": rng_state})
    results = [c.collect(Random(), 30, np.random.default_rng(1)) for c in (one, two)]
    (first, means), (second, same_means) = results
    assert means == same_means
    for name, array in vars(first).items():
        assert np.array_equal(array, vars(second)[name]), name
    assert one.environment.rng_state == two.environment.rng_state


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("target", 11, r"state\['target'\]: got 11, must be an integer from 0 to 10"),
        ("last_action", 0.5, r"state\['last_action'\]: got 0.5, must be an integer from -1 to 10"),
        ("hp", 101, r"state\['hp'\]: got 101, must be from 0 to the maximum of its unit type"),
        ("shield", -1, r"state\['shield'\]: got -1, must be from 0 to the maximum of its unit type"),
    ],
)
def test_impossible_states_are_refused(name: str, value: float, message: str) -> None:
    env = make(map="2s3z")
    env.reset(0)
    state = env.state
    state[name] = state[name].astype(float)
    state[name][0, 2] = value
    with pytest.raises(ValueError, match=message):
        env.state = state


def test_jitter_spreads_the_start_evenly_around_the_grid_and_can_be_turned_off() -> None:
    env = make(4000, map="2s3z")
    env.reset(0)
    offsets = env.state["pos"] - env.roster.start
    assert np.abs(offsets).max() <= 0.1 + 1e-6
    np.testing.assert_allclose(offsets.mean(axis=0), 0, atol=0.005)
    np.testing.assert_allclose(offsets.std(axis=0), 0.1 / np.sqrt(3), atol=0.002)
    still = make(3, map="2s3z", spawn_jitter=0.0)
    still.reset(0)
    before = still.rng_state
    still.reset()
    assert still.rng_state == before
    assert (still.state["pos"] == env.roster.start).all()


def test_last_actions_are_in_the_state_vector_and_forgotten_at_a_reset() -> None:
    env = make(2, map="2s3z")
    env.reset(0)
    assert not env.global_state()[:, -55:].any()
    env.step(np.tile([1, 2, 3, 4, 5], (2, 1)))
    hot = env.global_state()[:, -55:].reshape(2, 5, 11)
    assert (hot.argmax(axis=2) == [1, 2, 3, 4, 5]).all()
    assert (hot.sum(axis=2) == 1).all()
    env.reset(where=np.array([True, False]))
    assert env.global_state()[:, -55:].any(axis=1).tolist() == [False, True]


def test_a_bad_batch_is_refused_in_one_line() -> None:
    with pytest.raises(ValueError, match="batch: got 0, must be an integer of at least 1"):
        make(0)


def test_a_picture_shows_sides_health_shields_and_the_dead() -> None:
    env = make(map="2s3z")
    env.reset(0)
    state = env.state
    state["pos"][0] = [[4, 10], [8, 10], [12, 10], [16, 10], [20, 10], *[[4 + 4 * k, 20] for k in range(5)]]
    state["hp"][0, [1, 6]], state["shield"][0, [1, 6]] = 0, 0
    state["hp"][0, 2], state["shield"][0, 2] = 25, 0
    env.state = state
    picture = env.render()
    assert (picture.shape, picture.dtype.name) == ((360, 640, 3), "uint8")

    def pixel(x: float, y: float) -> list[int]:
        colours: list[int] = picture[int((25 - y) * 20), int(x * 20)].tolist()
        return colours

    assert pixel(4, 10.35) == list(env.agent_colours[0])
    assert pixel(16, 10.35) == list(env.agent_colours[3])
    assert pixel(4, 20) == [196, 62, 52]
    assert pixel(8, 10) == pixel(8, 20) == [228, 228, 228]
    assert pixel(4.7, 10) == [120, 220, 240]  # shield
    agent = list(env.agent_colours[2])
    assert pixel(11.8, 10) == agent  # a quarter of hp: half the radius
    assert pixel(12.4, 10) != agent
    assert pixel(16, 7.5) == pixel(16, 24.5) == [150, 150, 150]
