"""Cooperative treasure collection against a slow reference, and what the recorded steps do not reach."""

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from testbed import environments
from testbed.environments.treasure.environment import Treasure, TreasureSettings

Array = NDArray[np.float64]
State = dict[str, NDArray[Any]]
RADIUS = {"hunter": 0.05, "bank": 0.075}
MASS = {"hunter": 1.0, "bank": 2.25}


class Scripted(Treasure):
    """Treasures appear anew at places of a fixed list, and the draws are kept."""

    def __init__(self, options: TreasureSettings, batch: int) -> None:
        super().__init__(options, batch)
        self.drawn: list[tuple[list[float], int]] = []
        self.scripted = False

    def _draw_treasures(self, count: int) -> tuple[Array, NDArray[np.int64]]:
        if not self.scripted:  # type: ignore[truthy-function]
            return super()._draw_treasures(count)
        places = np.array([[0.3, -0.2]] * count)
        types = np.zeros(count, dtype=np.int64)
        self.drawn += list(zip(places.tolist(), types.tolist(), strict=True))
        return places, types


def placed(state: State, reward: str = "paper") -> Scripted:
    batch, hunters = state["holding"].shape
    banks = state["pos"].shape[1] - hunters
    env = Scripted(TreasureSettings(hunters=hunters, banks=banks, reward=reward), batch)
    env.state = state
    env.scripted = True
    return env


def far_apart(**changes: Any) -> State:
    """One episode of 2 hunters and 1 bank, nobody near anything; with changes."""
    state: dict[str, Any] = {
        "pos": [[-0.9, 0.9], [0.9, 0.9], [0.0, -0.9]],
        "vel": [[0.0, 0.0]] * 3,
        "holding": [-1, -1],
        "treasure_pos": [[-0.5, 0.5], [0.5, 0.5]],
        "treasure_type": [0, 0],
        "treasure_alive": [True, True],
    }
    return {name: np.array([changes.get(name, value)]) for name, value in state.items()}


STAY = [[0, 0, 0]]


# --- a slow reference -------------------------------------------------------------------------------------


def distance(p: Any, q: Any) -> float:
    return math.sqrt((p[0] - q[0]) ** 2 + (p[1] - q[1]) ** 2)


def moved(pos: Array, vel: Array, actions: Any, roles: list[str]) -> tuple[Array, Array]:
    directions = [(0.0, 0.0), (-1.0, 0.0), (1.0, 0.0), (0.0, -1.0), (0.0, 1.0)]
    new_vel = []
    for a, role in enumerate(roles):
        mass = MASS[role]
        force = [mass * 1.5 * 1.5 * x for x in directions[actions[a]]]
        for b, other in enumerate(roles):
            r = distance(pos[a], pos[b])
            if a == b or r == 0.0:
                continue
            x = -(r - RADIUS[role] - RADIUS[other]) / 0.001
            penetration = 0.001 * (max(x, 0.0) + math.log1p(math.exp(-abs(x))))
            for k in range(2):
                force[k] += MASS[other] / mass * 100.0 * (pos[a][k] - pos[b][k]) / r * penetration
        v = [0.75 * vel[a][k] + 0.1 * force[k] / mass for k in range(2)]
        speed = math.hypot(*v)
        new_vel.append([x / speed for x in v] if speed > 1.0 else v)
    return pos + 0.1 * np.array(new_vel), np.array(new_vel)


def paid(s: State, hunters: int, banks: int, reward: str) -> list[float]:
    """Rewards of one episode's state `s` after the physics."""
    pos, holding = s["pos"], s["holding"]
    bank = pos[hunters:]
    alive = [t for t in range(hunters) if s["treasure_alive"][t]]
    away = [[distance(pos[h], s["treasure_pos"][t]) for t in alive] for h in range(hunters)]
    empty = [h for h in range(hunters) if holding[h] < 0]
    touched = [sum(distance(pos[h], pos[g]) < 0.1 for g in range(hunters) if g != h) for h in range(hunters)]
    at_bank = [h for h in range(hunters) if holding[h] >= 0 and distance(pos[h], bank[holding[h]]) < 0.125]
    if reward in ("paper", "shared"):
        collecting = sum(any(d < 0.075 for d in away[h]) for h in empty)
        depositing = len({int(holding[h]) for h in at_bank})
        closest = min((d for h in empty for d in away[h]), default=0.0)
        each = 5.0 * (collecting + depositing) - 0.1 * closest
        own = [-5.0 * (count > 0) for count in touched] + [each] * banks
        return own if reward == "paper" else [sum(own) / len(own)] * len(own)
    pickups = 5.0 * sum(d < 0.075 for h in empty for d in away[h])
    deposits = 5.0 * len(at_bank)
    errands = [
        min(away[h], default=0.0) if holding[h] < 0 else distance(pos[h], bank[holding[h]])
        for h in range(hunters)
    ]
    rewards = [-5.0 * count for count in touched]
    for b in range(banks):
        bringing = [distance(pos[h], bank[b]) for h in range(hunters) if holding[h] == b]
        centre = math.hypot(*np.mean(pos[:hunters] - bank[b], axis=0))
        awaited = min(bringing, default=centre)
        rewards.append(-0.1 * awaited + deposits - 0.1 * sum(errands) + hunters * (deposits + pickups))
    return rewards if reward == "code_role" else [sum(rewards)] + [0.0] * (hunters + banks - 1)


def seen_by(agent: int, s: State, hunters: int, banks: int) -> list[float]:
    pos, vel = s["pos"], s["vel"]

    def one_hot(kind: int) -> list[float]:
        return [float(kind == k) for k in range(banks)]

    seen = [*pos[agent], *vel[agent], *(one_hot(s["holding"][agent]) if agent < hunters else [])]
    others = [other for other in range(hunters + banks) if other != agent]
    for other in sorted(others, key=lambda other: (distance(pos[other], pos[agent]), other)):
        seen += [*(pos[other] - pos[agent]), *vel[other]]
        none = [0.0] * banks
        seen += none + one_hot(s["holding"][other]) if other < hunters else one_hot(other - hunters) + none
    places = s["treasure_pos"]
    for t in sorted(range(hunters), key=lambda t: (distance(places[t], pos[agent]), t)):
        seen += [*(places[t] - pos[agent]), *one_hot(s["treasure_type"][t])]
    return seen


def hands_changed(s: State, hunters: int, draws: list[tuple[list[float], int]]) -> tuple[State, int, int]:
    """The state after treasures have changed hands, pickups and deposits; takes its draws from `draws`."""
    s = {name: array.copy() for name, array in s.items()}
    places, pos, holding = s["treasure_pos"].copy(), s["pos"], s["holding"]
    pickups = deposits = 0
    for t in range(hunters):
        if s["treasure_alive"][t]:
            takers = [h for h in range(hunters) if holding[h] < 0 and distance(pos[h], places[t]) < 0.075]
            if takers:
                holding[takers[0]], s["treasure_alive"][t] = s["treasure_type"][t], False
                s["treasure_pos"][t] = 0.0
                pickups += 1
        else:
            s["treasure_pos"][t], s["treasure_type"][t] = draws.pop(0)
            s["treasure_alive"][t] = True
    for h in range(hunters):
        if holding[h] >= 0 and distance(pos[h], pos[hunters + holding[h]]) < 0.125:
            holding[h] = -1
            deposits += 1
    return s, pickups, deposits


@st.composite
def worlds(draw: st.DrawFn) -> tuple[State, NDArray[np.int64]]:
    """Batches of crowded states, from a coarse grid so that exact contacts and coincidences happen."""
    batch, hunters, banks = draw(st.integers(1, 3)), draw(st.integers(1, 4)), draw(st.integers(1, 3))
    coordinate = st.integers(-6, 6).map(lambda k: k * 0.025) | st.floats(-0.4, 0.4)
    agents = hunters + banks

    def integers(low: int, high: int, count: int) -> NDArray[np.int64]:
        return draw(arrays(np.int64, (batch, count), elements=st.integers(low, high)))

    state = {
        "pos": draw(arrays(np.float64, (batch, agents, 2), elements=coordinate)),
        "vel": draw(arrays(np.float64, (batch, agents, 2), elements=st.floats(-1.0, 1.0))),
        "holding": integers(-1, banks - 1, hunters),
        "treasure_pos": draw(arrays(np.float64, (batch, hunters, 2), elements=coordinate)),
        "treasure_type": integers(0, banks - 1, hunters),
        "treasure_alive": integers(0, 1, hunters).astype(bool),
    }
    return state, integers(0, 4, agents)


@settings(max_examples=100, deadline=None)
@given(worlds(), st.sampled_from(["paper", "shared", "code_role", "code_head"]))
def test_a_step_is_what_a_body_by_body_reference_says(
    world: tuple[State, NDArray[np.int64]], reward: str
) -> None:
    state, actions = world
    env = placed(state, reward)
    hunters, banks = env.hunters, env.banks
    observations, rewards, _, _, info = env.step(actions)
    after, draws = env.state, list(env.drawn)
    for row in range(env.batch):
        one = {name: array[row] for name, array in state.items()}
        pos, vel = moved(one["pos"], one["vel"], actions[row], ["hunter"] * hunters + ["bank"] * banks)
        np.testing.assert_allclose(after["pos"][row], pos, rtol=0, atol=1e-12)
        np.testing.assert_allclose(after["vel"][row], vel, rtol=0, atol=1e-12)
        # From here on with the same floats, so that what is at a rim and what is nearer is the same.
        one |= {"pos": after["pos"][row], "vel": after["vel"][row]}
        np.testing.assert_allclose(rewards[row], paid(one, hunters, banks, reward), rtol=0, atol=1e-12)
        for agent, size in enumerate(env.observation_sizes):
            expected = np.array(seen_by(agent, one, hunters, banks), dtype=np.float32)
            assert np.array_equal(observations[row, agent, :size], expected)
            assert not observations[row, agent, size:].any()
        then, pickups, deposits = hands_changed(one, hunters, draws)
        assert all(np.array_equal(after[name][row], then[name]) for name in then)
        assert (info["pickups"][row], info["deposits"][row]) == (pickups, deposits)
    assert not draws


# --- what happens between steps ---------------------------------------------------------------------------


def test_what_changed_hands_is_seen_a_step_later_also_by_whoever_resumes_or_resets_other_rows() -> None:
    state = far_apart(pos=[[-0.5, 0.55], [0.9, 0.9], [0.0, -0.9]])
    env = placed({name: np.repeat(array, 2, axis=0) for name, array in state.items()})
    stepped, _, _, _, info = env.step(STAY * 2)
    assert info["pickups"].tolist() == [1, 1]
    assert env.state["holding"].tolist() == [[0, -1]] * 2
    assert stepped[0, 0, 4] == 0.0
    assert np.array_equal(env.observations(), stepped)
    resumed = placed(env.state)
    assert np.array_equal(resumed.observations(), stepped)
    observations, _ = env.reset(where=[False, True])
    assert np.array_equal(observations[0], stepped[0])
    assert not np.array_equal(observations[1], stepped[1])
    observations, _, _, _, info = resumed.step(STAY * 2)
    assert info["pickups"].tolist() == [0, 0]
    assert observations[:, 0, 4].tolist() == [1.0, 1.0]
    assert resumed.drawn == [([0.3, -0.2], 0)] * 2


def test_a_treasure_that_is_gone_can_neither_be_taken_nor_wanted() -> None:
    env = placed(far_apart(pos=[[0.0, 0.05], [0.9, 0.9], [0.0, -0.9]], treasure_pos=[[0, 0], [0.5, 0.5]],
                           treasure_alive=[False, True]))  # fmt: skip
    _, rewards, _, _, info = env.step(STAY)
    assert info["pickups"][0] == 0
    assert info["distance"][0] == pytest.approx(math.hypot(0.4, 0.4))
    assert rewards[0, 2] == pytest.approx(-0.1 * math.hypot(0.4, 0.4))
    assert env.state["holding"].tolist() == [[-1, -1]]
    assert env.state["treasure_alive"].tolist() == [[True, True]]


@pytest.mark.parametrize(("reward", "bank"), [("paper", 0.0), ("code_role", -0.18), ("code_head", 0.0)])
def test_without_any_treasure_the_distance_to_treasures_is_zero(reward: str, bank: float) -> None:
    env = placed(far_apart(treasure_alive=[False, False]), reward)
    _, rewards, _, _, info = env.step(STAY)
    assert np.isfinite(rewards).all()
    assert info["distance"][0] == 0.0
    assert rewards[0, 2] == pytest.approx(bank)  # 0.1 of the way to the hunters' centre, (0, 0.9)
    assert rewards[0, 0] == pytest.approx(-0.18 if reward == "code_head" else 0.0)


def test_agents_at_the_very_same_place_do_not_push_each_other() -> None:
    env = placed(far_apart(pos=[[0.2, 0.2]] * 3))
    observations, rewards, _, _, info = env.step(STAY)
    assert env.state["pos"].tolist() == [[[0.2, 0.2]] * 3]
    assert np.isfinite(observations).all()
    assert info["collisions"][0] == 2
    assert rewards[0, :2].tolist() == [-5.0, -5.0]


def test_no_agent_is_faster_than_1() -> None:
    env = placed(far_apart(vel=[[3.0, 4.0], [0.9, 0.0], [0.0, 1.0]]))
    env.step([[0, 2, 4]])
    np.testing.assert_allclose(env.state["vel"][0], [[0.6, 0.8], [0.9, 0.0], [0.0, 0.975]], atol=1e-12)


def test_one_hunter_and_one_bank_can_play() -> None:
    env = environments.make("treasure", hunters=1, banks=1, batch=5)
    observations, _ = env.reset(0)
    assert observations.shape == (5, 2, 4 + 1 + 6 + 3)
    for _ in range(100):
        _, rewards, _, _, info = env.step(np.ones((5, 2), dtype=int))
        assert np.isfinite(rewards).all()
    assert not info["collisions"].any()


# --- randomness and state ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("hunters", "banks", "reward"), [(6, 2, "code_role"), (10, 2, "code_head")])
def test_a_row_of_a_batch_is_bit_for_bit_an_episode_alone(hunters: int, banks: int, reward: str) -> None:
    batch, rng = 7, np.random.default_rng(hunters)
    options = TreasureSettings(hunters=hunters, banks=banks, reward=reward)
    together = Scripted(options, batch)
    together.reset(5)
    together.state = {**together.state, "pos": 0.3 * together.state["pos"]}  # a crowd
    together.scripted = True
    alone = [placed({n: a[[row]] for n, a in together.state.items()}, reward) for row in range(batch)]
    for _ in range(20):
        actions = rng.integers(0, 5, (batch, hunters + banks))
        all_seen, all_rewards, _, _, all_info = together.step(actions)
        for row, env in enumerate(alone):
            seen, rewards, _, _, info = env.step(actions[[row]])
            assert np.array_equal(seen[0], all_seen[row])
            assert np.array_equal(rewards[0], all_rewards[row])
            assert all(info[name][0] == all_info[name][row] for name in env.components)
    assert together.drawn
    for row, env in enumerate(alone):
        assert all(np.array_equal(array[0], together.state[name][row]) for name, array in env.state.items())


def test_state_and_generator_resume_a_run_exactly_through_json() -> None:
    rng = np.random.default_rng(0)
    env, resumed = (environments.make("treasure", batch=50, episode_length=40) for _ in range(2))
    env.reset(0)
    pickups = 0
    for _ in range(25):
        env.step(rng.integers(0, 5, (50, 8)))
    stored = json.dumps({"rng": env.rng_state, "state": {n: a.tolist() for n, a in env.state.items()}})
    loaded = json.loads(stored)
    resumed.rng_state, resumed.state = loaded["rng"], loaded["state"]
    assert np.array_equal(env.observations(), resumed.observations())
    for _ in range(40):
        actions = rng.integers(0, 5, (50, 8))
        a, b = env.step(actions), resumed.step(actions)
        assert all(np.array_equal(a[index], b[index]) for index in range(4))
        assert all(np.array_equal(a[4][name], b[4][name]) for name in env.components)
        pickups += a[4]["pickups"].sum()
        over = a[3].all(axis=1)
        assert np.array_equal(env.reset(where=over)[0], resumed.reset(where=over)[0])
    assert pickups > 10  # so treasures did appear anew
    assert env.rng_state == resumed.rng_state


def test_the_order_of_draws_is_as_documented() -> None:
    env = environments.make("treasure", hunters=3, banks=2, batch=4)
    env.reset(3)
    rng = np.random.default_rng(3)
    assert np.array_equal(env.state["pos"], rng.uniform(-1, 1, (4, 5, 2)))
    assert np.array_equal(env.state["treasure_pos"], rng.uniform(-0.95, 0.95, (4, 3, 2)))
    assert np.array_equal(env.state["treasure_type"], rng.integers(2, size=(4, 3)))
    gone = np.array([[1, 0, 1], [1, 1, 1], [0, 1, 1], [1, 1, 0]], dtype=bool)
    env.state = {**env.state, "pos": env.state["pos"] + 9.0, "treasure_alive": gone}
    env.step(np.zeros((4, 5), dtype=int))
    assert np.array_equal(env.state["treasure_pos"][~gone], rng.uniform(-0.95, 0.95, (3, 2)))
    assert np.array_equal(env.state["treasure_type"][~gone], rng.integers(2, size=3))


def test_episodes_start_empty_and_at_rest_with_everything_uniform() -> None:
    env = environments.make("treasure", hunters=9, banks=3, batch=2000)
    env.reset(11)
    state = env.state
    assert not state["vel"].any()
    assert (state["holding"] == -1).all()
    assert state["treasure_alive"].all()
    for places, half_width in ((state["pos"], 1.0), (state["treasure_pos"], 0.95)):
        assert np.abs(places).max() <= half_width
        np.testing.assert_allclose(places.mean(axis=0), 0.0, atol=4 * half_width / math.sqrt(6000))
        np.testing.assert_allclose(places.var(axis=0), half_width**2 / 3, atol=0.03)
    shares = np.bincount(state["treasure_type"].ravel()) / 18000
    np.testing.assert_allclose(shares, 1 / 3, atol=4 * math.sqrt(2 / 9 / 18000))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"holding": [1, -1]}, r"state\['holding'\]: got 1, must be from -1 to 0$"),
        ({"treasure_type": [0, -1]}, r"state\['treasure_type'\]: got -1, must be from 0 to 0$"),
        ({"treasure_alive": [2, 0]}, r"state\['treasure_alive'\]: got 2, must be from 0 to 1$"),
        ({"holding": [0.0, 0.0]}, r"state\['holding'\]: got float64, must be integers$"),
        ({"treasure_pos": [[0.0, 0.0]]}, r"state\['treasure_pos'\]: got shape \(1, 1, 2\), must be"),
    ],
)
def test_a_wrong_state_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        placed(far_apart(**change))


def test_a_picture_shows_banks_and_treasures_by_type_and_hunters_round_what_they_hold() -> None:
    state = far_apart(holding=[0, -1], treasure_alive=[False, True])
    picture = placed(state).render()
    assert picture.shape == (300, 300, 3)
    half_width = 1.0 + 1.2 * 0.075

    def at(x: float, y: float) -> list[int]:
        pixel: list[int] = picture[int((1 - y / half_width) * 150), int((1 + x / half_width) * 150)].tolist()
        return pixel

    colour, grey, white = [204, 51, 51], [105, 105, 105], [255, 255, 255]
    assert at(0.05, -0.9) == colour
    assert at(0.5, 0.5) == colour
    assert at(-0.5, 0.5) == white
    assert at(-0.93, 0.9) == colour  # its number stands in the middle
    assert at(-0.9, 0.9 - 0.043) == grey
    assert at(0.93, 0.9) == grey
