"""Numbers that StarCraft's maps and SMAClite's units must give exactly."""

import numpy as np
import pytest

from testbed.environments.skirmish import Skirmish, SkirmishSettings
from testbed.environments.skirmish.battle import Battle
from testbed.environments.skirmish.maps import load_map
from testbed.environments.skirmish.units import Roster

STALKER, ZEALOT, MARINE, MARAUDER, MEDIVAC = "stalker", "zealot", "marine", "marauder", "medivac"


def duel(ally: str, enemy: str, gap: float) -> Battle:
    """One ally at x = 10 and one enemy `gap` further east, each of its type, on a map made of just them."""
    battlefield = load_map("MMM2")
    battlefield = battlefield.model_copy(
        update={
            "allies": (battlefield.allies[0].model_copy(update={"unit": ally, "count": 1}),),
            "enemies": (battlefield.enemies[0].model_copy(update={"unit": enemy, "count": 1}),),
            "agent_order": (ally,),
            "ally_codes": (),
            "enemy_codes": (),
        }
    )
    battle = Battle(Roster(battlefield), 1)
    battle.begin(np.array([0]), np.array([[[10.0], [16.0]], [[10.0 + gap], [16.0]]]))
    return battle


@pytest.mark.parametrize(
    ("name", "agents", "enemies", "limit", "observation", "state", "actions", "reward", "points"),
    [
        ("2s3z", 5, 5, 120, 80, 120, 11, 1020, 770),
        ("3s5z", 8, 8, 150, 128, 216, 14, 1510, 1230),
        ("10m_vs_11m", 10, 11, 150, 105, 243, 17, 805, 495),
        ("MMM2", 10, 12, 180, 176, 322, 18, 1205, 885),
    ],
)
def test_sizes(
    name: str,
    agents: int,
    enemies: int,
    limit: int,
    observation: int,
    state: int,
    actions: int,
    reward: float,
    points: float,
) -> None:
    settings = SkirmishSettings(map=name)
    env = Skirmish(settings, 2)
    assert (settings.agents, env.agents, env.roster.enemies) == (agents, agents, enemies)
    assert (settings.episode_length, env.episode_length) == (limit, limit)
    assert set(env.observation_sizes) == {observation}
    assert set(env.action_sizes) == {actions}
    observations, info = env.reset(0)
    assert observations.shape == (2, agents, observation)
    assert info["action_masks"].shape == (2, agents, actions)
    assert env.global_state().shape == (2, state)
    assert env.roster.max_reward == reward
    assert (env.roster.hp + env.roster.shield)[agents:].sum() == points


def grid(*rows: tuple[float, list[float]]) -> list[tuple[float, float]]:
    """Places from rows of (y, all x)."""
    return [(x, y) for y, places in rows for x in places]


MARINES = [7.875, 8.675, 9.475, 10.275]
SPAWN = {
    "2s3z": grid((15.45, [7.875, 9.175, 10.35]), (16.625, [7.75, 8.80])),
    "3s5z": grid((14.95, [7.75, 9.05, 10.35]), (16.125, [7.625, 8.675, 9.725]), (17.175, [7.625, 8.675])),
    "10m_vs_11m": grid((15.175, MARINES), (15.975, MARINES), (16.775, MARINES[:2])),
    "MMM2": grid(
        (14.9875, [7.875, 9.05, 9.85, 10.65]), (16.1625, [7.5, 8.3, 9.1, 9.9]), (17.15, [7.6875, 8.8625])
    ),
}
ENEMY_SPAWN = {
    "2s3z": [(32 - x, 32 - y) for x, y in SPAWN["2s3z"]],
    "3s5z": [(32 - x, 32 - y) for x, y in SPAWN["3s5z"]],
    "10m_vs_11m": grid(
        (16.825, [24.125, 23.325, 22.525, 21.725]),
        (16.025, [24.125, 23.325, 22.525, 21.725]),
        (15.225, [24.125, 23.325, 22.525]),
    ),
    "MMM2": grid(
        (17.0125, [24.3125, 23.1375, 22.3375, 21.5375]),
        (15.8375, [24.6875, 23.8875, 23.0875, 22.2875]),
        (14.85, [24.6875, 23.7, 22.525, 21.35]),
    ),
}


@pytest.mark.parametrize("name", SPAWN)
def test_units_spawn_where_smaclite_puts_them_and_agents_are_numbered_as_in_smac(name: str) -> None:
    battlefield = load_map(name)
    for enemy, places in ((False, SPAWN[name]), (True, ENEMY_SPAWN[name])):
        np.testing.assert_allclose([place for _, place in battlefield.spawn(enemy=enemy)], places, atol=1e-9)
    order = {STALKER: 0, MARAUDER: 0, ZEALOT: 1, MARINE: 1, MEDIVAC: 2}
    expected = sorted((order[kind], *place) for kind, place in battlefield.spawn(enemy=False))
    assert [place for _, place in battlefield.agents()] == [(x, y) for _, x, y in expected]
    env = Skirmish(SkirmishSettings(map=name, spawn_jitter=0.0), 1)
    env.reset(0)
    np.testing.assert_allclose(
        env.state["pos"][0], [(x, y) for _, x, y in expected] + ENEMY_SPAWN[name], atol=1e-6
    )


def test_mmm2_numbers_its_marauders_first_and_has_three_of_them_on_the_other_side() -> None:
    names = Skirmish(SkirmishSettings(map="MMM2"), 1).roster.names
    assert names[:10] == [MARAUDER] * 2 + [MARINE] * 7 + [MEDIVAC]
    assert names[10:] == [MEDIVAC] + [MARINE] * 8 + [MARAUDER] * 3


SHOTS = {
    STALKER: {STALKER: 10, ZEALOT: 13, MARINE: 4, MARAUDER: 8, MEDIVAC: 9},
    ZEALOT: {STALKER: 11, ZEALOT: 11, MARINE: 3, MARAUDER: 9},
    MARINE: {STALKER: 30, ZEALOT: 29, MARINE: 8, MARAUDER: 25, MEDIVAC: 30},
    MARAUDER: {STALKER: 9, ZEALOT: 17, MARINE: 5, MARAUDER: 7},
}
BETWEEN_SHOTS = {STALKER: 22, ZEALOT: 14, MARINE: 10, MARAUDER: 18}


@pytest.mark.parametrize(("shooter", "target"), [(s, t) for s in SHOTS for t in SHOTS[s]])
def test_shots_to_kill_and_ticks_between_them(shooter: str, target: str) -> None:
    battle = duel(shooter, target, 0.5)
    battle.energy[:] = 0.0
    shots, previous = [], battle.hp[1, 0] + battle.shield[1, 0]
    for tick in range(1000):
        battle.cooldown[1] = 99.0  # the other never shoots
        battle.shield_wait[1] = max(battle.shield_wait[1], 2.0)  # nor recovers
        battle.x[1], battle.y[1] = 10.5, 16.0  # nor moves
        battle.command(np.array([[6]]))
        battle.tick()
        points = battle.hp[1, 0] + battle.shield[1, 0]
        if points < previous:
            shots.append(tick)
        previous = points
        if not battle.alive[1, 0]:
            break
    assert len(shots) == SHOTS[shooter][target]
    assert shots[0] == 0
    assert set(np.diff(shots)) == {BETWEEN_SHOTS[shooter]}


def test_zealots_and_marauders_cannot_hit_the_air_but_chase_it() -> None:
    for shooter in (ZEALOT, MARAUDER):
        battle = duel(shooter, MEDIVAC, 4.0)
        battle.command(np.array([[6]]))
        for _ in range(8):
            battle.tick()
        assert battle.hp[1, 0] == 150.0
        assert battle.x[0, 0] > 11.0


@pytest.mark.parametrize(
    ("kind", "distance"),
    [(STALKER, 2.065), (ZEALOT, 1.575), (MARINE, 1.575), (MARAUDER, 1.575), (MEDIVAC, 1.75)],
)
def test_distance_of_an_unobstructed_step(kind: str, distance: float) -> None:
    for action, direction in ((2, (0, 1)), (3, (0, -1)), (4, (1, 0)), (5, (-1, 0))):
        battle = duel(kind, MARINE, 15.0)
        battle.command(np.array([[action]]))
        for _ in range(8):
            battle.tick()
        assert battle.x[0, 0] - 10.0 == pytest.approx(distance * direction[0], abs=1e-5)
        assert battle.y[0, 0] - 16.0 == pytest.approx(distance * direction[1], abs=1e-5)


def test_energy_after_an_idle_step() -> None:
    env = Skirmish(SkirmishSettings(map="MMM2"), 1)
    env.reset(0)
    env.step(np.ones((1, 10), dtype=int))
    assert env.state["energy"][0, 9] == 50.28125
    assert not env.state["energy"][0, :9].any()


def test_shields_regrow_an_eighth_a_tick_from_the_160th_tick_after_a_hit() -> None:
    battle = duel(STALKER, STALKER, 0.5)
    battle.command(np.array([[6]]))
    battle.cooldown[1] = 99.0
    battle.tick()
    assert battle.shield[1, 0] == 80 - 18
    battle.command(np.array([[1]]))
    for tick in range(1, 170):
        battle.cooldown[:] = 99.0
        battle.tick()
        grown = max(tick - 159, 0) * 0.125
        assert battle.shield[1, 0] == 62 + grown


def test_shields_stop_growing_at_their_full_size() -> None:
    battle = duel(STALKER, MARINE, 15.0)
    battle.shield[0] = 79.9375
    battle.command(np.array([[1]]))
    battle.tick()
    assert battle.shield[0, 0] == 80.0


def test_shield_takes_its_part_of_a_hit_before_armour_does() -> None:
    battle = duel(STALKER, ZEALOT, 0.5)
    battle.shield[1], battle.shield_wait[1] = 5.0, 10.0
    battle.cooldown[1] = 99.0
    battle.command(np.array([[6]]))
    battle.tick()
    assert battle.shield[1, 0] == 0.0
    assert battle.hp[1, 0] == 100 - (13 - 5 - 1)
