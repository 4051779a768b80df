"""Scripted policies, and a quick look at the statistics measured in SMAClite."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from testbed.environments.action_masks import uniform
from testbed.environments.skirmish import Skirmish, SkirmishSettings
from testbed.environments.skirmish.scripted import Scripted
from testbed.environments.skirmish.statistics import Battles, play

DATA = Path(__file__).parents[3] / "data" / "skirmish_reference.json"
REFERENCE = json.loads(DATA.read_text("utf-8"))
ROWS = {(row["map"], row["policy"]): row for row in REFERENCE["rows"]}


def measured(name: str, policy: str, episodes: int, **options: Any) -> Battles:
    given = {"map": name, "rules": "smaclite", "spawn_jitter": 0.0, **options}
    return play(Skirmish(SkirmishSettings.model_validate(given), episodes), policy, seed=0)


def acting(policy: str, places: dict[int, tuple[float, float]], **hp: float) -> list[int]:
    """The choices on MMM2 with only these units alive, `unit3=20` giving some fewer hp."""
    env = Skirmish(SkirmishSettings(map="MMM2"), 1)
    env.reset(0)
    state = env.state
    state["hp"][0, [unit for unit in range(22) if unit not in places]] = 0
    for unit, place in places.items():
        state["pos"][0, unit] = place
    for name, points in hp.items():
        state["hp"][0, int(name.removeprefix("unit"))] = points
    env.state = state
    masks = env.masks()["action_masks"]
    chosen = Scripted(env, policy).act(env.observations(), masks, np.random.default_rng(0))
    assert np.take_along_axis(masks, chosen[..., None], axis=2).all()
    actions: list[int] = chosen[0].tolist()
    return actions


def test_attackers_take_the_nearest_or_the_weakest_and_walk_or_stop_without_a_target() -> None:
    places = {0: (10.0, 16.0), 2: (10, 17), 11: (14, 16), 12: (15.5, 16), 13: (25, 9)}
    for policy, first in (("nearest", 7), ("hold", 7), ("focus", 8), ("stop", 1)):
        chosen = acting(policy, places, unit12=20)
        assert chosen[0] == chosen[2] == first
        assert chosen[1] == chosen[9] == 0
    far = {0: (10.0, 16.0), 2: (10, 17), 11: (20, 20), 12: (10, 23.5)}
    assert acting("nearest", far)[:3] == [2, 0, 2]  # north
    assert acting("hold", far)[:3] == [1, 0, 1]


def test_focus_breaks_ties_by_distance_and_marauders_ignore_the_air() -> None:
    assert acting("focus", {0: (10, 16), 2: (10, 17), 11: (15, 16), 12: (14, 16)})[2] == 8
    chosen = acting("nearest", {0: (10, 16), 2: (10, 17), 10: (12, 16), 11: (14, 16)})
    assert chosen[0] == 7
    assert chosen[2] == 6


def test_a_blocked_way_is_left_for_the_other_axis() -> None:
    assert acting("nearest", {2: (31.5, 22.9), 11: (24.0, 10.0)})[2] == 3
    assert acting("nearest", {2: (8.0, 8.5), 11: (10, 8.2), 12: (30, 9)})[2] == 7


def test_healers_heal_the_worst_hurt_or_follow() -> None:
    places = {0: (10, 16), 2: (11, 16), 9: (12, 16), 11: (30, 9)}
    assert acting("nearest", places, unit0=100, unit2=40)[9] == 6
    assert acting("nearest", places, unit0=120, unit2=40)[9] == 6 + 2
    assert acting("nearest", places)[9] == 1
    far = {0: (10, 16), 2: (13.5, 16), 9: (20, 16), 11: (30, 9)}
    assert acting("nearest", far, unit0=100)[9] == 5
    assert acting("nearest", {**far, 9: (13.5, 20)})[9] == 3
    assert acting("hold", far, unit0=100)[9] == 1


def test_uniform_choice_is_uniform_and_ten_per_cent_is_ten_per_cent() -> None:
    rng = np.random.default_rng(0)
    masks = np.tile([True, False, True, True], (9000, 1, 1))
    counts = np.bincount(uniform(masks, rng)[:, 0], minlength=4)
    assert counts[1] == 0
    assert (np.abs(counts[[0, 2, 3]] - 3000) < 4 * math.sqrt(2000)).all()
    env = Skirmish(SkirmishSettings(map="2s3z"), 2000)
    observations, info = env.reset(0)
    chosen = Scripted(env, "stop10").act(observations, info["action_masks"], rng)
    share = 0.1 * 4 / 5  # of five available actions one is to stop
    assert (chosen != 1).mean() == pytest.approx(share, abs=4 * math.sqrt(share / chosen.size))


@pytest.mark.parametrize("policy", ["clever", "nearest100", "", "10"])
def test_unknown_policies_are_refused(policy: str) -> None:
    env = Skirmish(SkirmishSettings(), 1)
    with pytest.raises(ValueError, match=rf"policy: got '{policy}', must be one of random, stop, hold"):
        Scripted(env, policy)


@pytest.mark.parametrize(("name", "policy"), [("2s3z", "hold"), ("10m_vs_11m", "hold"), ("MMM2", "stop")])
def test_points_fall_as_in_smaclite(name: str, policy: str) -> None:
    curve = REFERENCE["curves"][f"{name}_{policy}"]
    played = measured(name, policy, 10)
    at = np.minimum(curve["step"], len(played.points)) - 1
    points = played.points[at].mean(axis=2)
    np.testing.assert_allclose(points[:, 0], curve["ally"], atol=0.03)
    np.testing.assert_allclose(points[:, 1], curve["enemy"], atol=0.03)
    x = played.enemy_x[at].mean(axis=1)
    np.testing.assert_allclose(x[:9], curve["enemy_mean_x"][:9], atol=0.25)


@pytest.mark.parametrize(
    ("name", "policy"),
    [("2s3z", "random"), ("2s3z", "nearest10"), ("10m_vs_11m", "focus10"), ("MMM2", "nearest10")],
)
def test_random_players_fare_as_in_smaclite(name: str, policy: str) -> None:
    played, theirs = measured(name, policy, 120), ROWS[name, policy]
    error = math.hypot(played.team_return.std() / math.sqrt(120), theirs["ret_sd"] / math.sqrt(60))
    assert abs(played.team_return.mean() - theirs["ret"]) < 0.05 * theirs["ret"] + 2 * error
    assert played.won.mean() == pytest.approx(theirs["win"], abs=0.12)
    assert np.nanmean(played.first_taken) == pytest.approx(theirs["first_damage_taken_step"], abs=0.6)
    assert np.nanmean(played.first_dealt) == pytest.approx(theirs["first_damage_dealt_step"], abs=1.0)
    assert played.dead_enemies.mean() == pytest.approx(theirs["dead_enemies"], abs=0.5)


def test_the_books_of_battles_agree_with_each_other() -> None:
    played = measured("MMM2", "nearest10", 20, rules="smac", spawn_jitter=0.1)
    assert (played.length <= len(played.points)).all()
    assert played.length.max() == len(played.points)
    living = {
        side: sum(n for kind, n in played.survivors.items() if kind.startswith(side))
        for side in ("ally", "enemy")
    }
    assert np.array_equal(living["ally"], 10 - played.dead_allies)
    assert np.array_equal(living["enemy"], 12 - played.dead_enemies)
    assert not (played.won & played.timed_out).any()
    assert (np.diff(played.points[:, 0], axis=0) <= 0.05).all()
    assert (played.energy_spent[0] > 0).all()


def test_what_a_policy_cannot_do_without_is_said() -> None:
    env = Skirmish(SkirmishSettings(), 1)
    observations, info = env.reset(0)
    masks = info["action_masks"]
    for policy in ("random", "focus10"):
        with pytest.raises(ValueError, match="needs a generator"):
            Scripted(env, policy).act(observations, masks, None)
    with pytest.raises(ValueError, match="needs masks"):
        Scripted(env, "focus").act(observations, None, None)
    drawn = Scripted(env, "focus").act(observations, masks, np.random.default_rng(0))
    assert np.array_equal(Scripted(env, "focus").act(observations, masks, None), drawn)
