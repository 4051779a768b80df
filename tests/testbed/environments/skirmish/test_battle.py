"""Orders, the enemy's choices, shots in one tick, corpses and healing, in battles set up by hand."""

import numpy as np
import pytest

from testbed.environments.skirmish import Skirmish, SkirmishSettings
from testbed.environments.skirmish.battle import Battle
from testbed.environments.skirmish.maps import load_map
from testbed.environments.skirmish.units import Roster


def field(name: str, places: dict[int, tuple[float, float]]) -> Battle:
    """One battle in which only the units in `places` live."""
    battle = Battle(Roster(load_map(name)), 1)
    units = battle.roster.units
    positions = np.full((units, 2, 1), 16.0)
    for unit, place in places.items():
        positions[unit, :, 0] = place
    battle.begin(np.array([0]), positions)
    absent = [unit for unit in range(units) if unit not in places]
    battle.hp[absent] = battle.shield[absent] = 0.0
    battle.refresh()
    return battle


def play(battle: Battle, orders: dict[int, int], ticks: int = 1) -> None:
    actions = np.zeros((battle.roster.allies, 1), dtype=int)
    actions[battle.alive[: battle.roster.allies, 0]] = 1
    for agent, action in orders.items():
        actions[agent] = action
    battle.command(actions)
    for _ in range(ticks):
        battle.tick()


def test_an_enemy_shoots_at_the_nearest_in_sight_and_keeps_to_it() -> None:
    battle = field("10m_vs_11m", {0: (10, 16), 1: (10, 18), 10: (15, 16.5)})
    play(battle, {})
    assert battle.target[10, 0] == 0
    assert battle.hp[0, 0] == 39
    battle.x[1], battle.y[1] = 14.0, 16.0  # nearer now
    play(battle, {})
    assert battle.target[10, 0] == 0


def test_an_enemy_walks_to_the_allies_point_and_sees_within_five_and_a_radius() -> None:
    battle = field("10m_vs_11m", {0: (9, 18), 10: (14.38, 18)})
    play(battle, {})
    assert battle.target[10, 0] == battle.roster.units
    assert battle.vx[10, 0] < 0
    assert battle.vx[10, 0] / battle.vy[10, 0] == pytest.approx(5.38 / 2, rel=1e-5)
    battle = field("10m_vs_11m", {0: (9, 18), 10: (14.37, 18)})
    play(battle, {})
    assert battle.target[10, 0] == 0


def test_an_enemy_out_of_sight_turns_to_whoever_attacks_it() -> None:
    battle = field("10m_vs_11m", {0: (10, 16), 10: (15.9, 18.0)})
    play(battle, {0: 6})
    assert battle.target[10, 0] == 0


def test_a_chasing_zealot_drops_who_is_out_of_reach_unless_attacked_by_it() -> None:
    for order, kept in ((6, True), (1, False)):
        battle = field("2s3z", {0: (10, 16), 1: (13.5, 16.0), 9: (14, 18)})
        battle.target[9] = 0  # out of its reach; agent 1 is nearer
        play(battle, {0: 6 + 4, 1: 1} if order == 6 else {})
        assert bool(battle.target[9, 0] == 0) is kept


def test_marines_of_the_enemy_prefer_healers_in_sight_and_change_over_to_them() -> None:
    battle = field("MMM2", {0: (10, 16), 9: (9.8, 16), 11: (14.5, 16), 19: (14.5, 18)})
    battle.target[11] = 0
    play(battle, {})
    assert battle.target[11, 0] == 9
    assert battle.target[19, 0] == 0  # a Marauder cannot hit the air


def test_while_a_healer_lives_enemies_change_over_to_the_nearest() -> None:
    for healer, expected in ((True, 3), (False, 2)):
        places = {2: (10, 16), 3: (12, 16), 11: (14.5, 16)} | ({9: (2, 16)} if healer else {})
        battle = field("MMM2", places)
        battle.target[11] = 2
        play(battle, {})
        assert battle.target[11, 0] == expected


def test_all_shots_of_a_tick_fall_and_the_dying_shoots_too() -> None:
    battle = field("10m_vs_11m", {0: (10, 16), 1: (10, 17), 10: (12, 16), 11: (12, 17)})
    battle.hp[[0, 10]] = 6.0
    play(battle, {0: 6, 1: 6})
    assert not battle.alive[[0, 10], 0].any()
    assert battle.hp[[0, 10], 0].tolist() == [0, 0]
    assert battle.cooldown[1, 0] == pytest.approx(0.61 * 16)


def test_an_ordered_ally_shoots_at_the_corpse_until_its_next_order() -> None:
    battle = field("10m_vs_11m", {0: (10, 16), 10: (12, 16), 11: (30, 9)})
    battle.hp[10] = 6.0
    play(battle, {0: 6})
    assert not battle.alive[10, 0]
    battle.cooldown[0] = 2.0
    battle.tick()
    assert battle.cooldown[0, 0] == 1.0
    battle.tick()
    assert battle.cooldown[0, 0] == pytest.approx(0.61 * 16)  # wasted
    play(battle, {0: 1})
    assert battle.cooldown[0, 0] == pytest.approx(0.61 * 16 - 1)


def test_hits_of_one_tick_use_up_the_shield_in_order() -> None:
    battle = field("2s3z", {0: (10, 16), 2: (11.4, 16), 7: (12.4, 16)})
    battle.shield[7], battle.shield_wait[7] = 10.0, 10.0
    play(battle, {0: 8, 2: 8})
    # The Stalker's 13 first: 10 into the shield, 3 - 1 off hp; then the Zealot's two of 8 - 1.
    assert battle.shield[7, 0] == 0
    assert battle.hp[7, 0] == 100 - 2 - 7 - 7


def test_healing_gives_nine_a_second_and_three_for_one_energy() -> None:
    battle = field("MMM2", {2: (10, 16), 9: (12, 16), 10: (30, 9)})
    battle.hp[2] = 20.0
    play(battle, {9: 6 + 2}, ticks=16)
    assert battle.hp[2, 0] == 29.0
    paid = 50.0 + 0.5625 - battle.energy[9, 0]
    assert paid == 3.0
    assert battle.stock[9, 0] == 0.0
    battle.tick()
    assert battle.stock[9, 0] == 3.0 - 0.5625


def test_healing_somebody_new_needs_five_energy_and_going_on_does_not() -> None:
    for before, healed in ((22, False), (2, True)):
        battle = field("MMM2", {2: (10, 16), 9: (12, 16), 10: (30, 9)})
        battle.hp[2], battle.energy[9], battle.target[9] = 20.0, 4.0, before
        play(battle, {9: 6 + 2})
        assert bool(battle.hp[2, 0] > 20.0) is healed


def test_healing_stops_at_full_hp_and_costs_nothing_there() -> None:
    battle = field("MMM2", {2: (10, 16), 9: (12, 16), 10: (30, 9)})
    battle.hp[2] = 44.75
    play(battle, {9: 6 + 2}, ticks=3)
    assert battle.hp[2, 0] == 45.0
    assert battle.energy[9, 0] == 50.0 - 1.0 + 3 * 0.03515625


def test_a_healer_of_the_enemy_goes_to_the_weakest_that_is_hurt_or_fighting() -> None:
    battle = field("MMM2", {0: (2, 9), 10: (20, 16), 11: (22, 16), 12: (20, 18), 13: (20, 14)})
    battle.hp[12], battle.hp[13] = 30.0, 31.0
    play(battle, {})
    assert battle.target[10, 0] == 12
    assert battle.hp[12, 0] == 30.5625


def test_a_healer_without_a_target_is_no_faster_than_those_around_it() -> None:
    alone = field("MMM2", {0: (2, 9), 10: (20, 16), 11: (28, 16)})
    escort = field("MMM2", {0: (2, 9), 10: (20, 16), 11: (22, 16)})
    for battle, speed in ((alone, 3.5), (escort, 3.15)):
        play(battle, {})
        assert np.hypot(battle.vx[10, 0], battle.vy[10, 0]) == pytest.approx(speed, rel=1e-5)


def test_in_random_order_the_first_to_shoot_often_spares_itself_the_answer() -> None:
    outcomes = set()
    for seed in range(20):
        battle = field("10m_vs_11m", {0: (10, 16), 10: (12, 16)})
        battle.hp[[0, 10]] = 6.0
        battle.command(np.array([[6]] + [[0]] * 9))
        battle.tick(np.random.default_rng(seed))
        outcomes.add(tuple(battle.alive[[0, 10], 0].tolist()))
    assert outcomes == {(True, False), (False, True)}


def test_in_random_order_a_healer_can_save_who_fell_in_the_same_tick() -> None:
    saved = 0
    for seed in range(40):
        battle = field("MMM2", {2: (10, 16), 9: (12, 16), 11: (14, 16)})
        battle.hp[2] = 5.0
        battle.target[11] = 2
        battle.command(np.array([[0], [0], [1], *[[0]] * 6, [6 + 2]]))
        battle.x[9] = 8.0  # the enemy's eyes are on the marine
        battle.tick(np.random.default_rng(seed))
        saved += int(battle.alive[2, 0])
    assert 8 < saved < 32


def test_smaclite_pays_damage_that_is_healed_again_and_smac_the_net_change() -> None:
    returns = {}
    for rules in ("smac", "smaclite"):
        env = Skirmish(SkirmishSettings.model_validate({"map": "MMM2", "rules": rules}), 1)
        env.reset(0)
        state = env.state
        state["hp"][0] = 0
        state["hp"][0, [2, 10, 11]] = [45, 150, 30]
        state["pos"][0, [2, 10, 11]] = [[10, 16], [14, 17], [13, 16]]
        state["cooldown"][0, 11] = 15
        env.state = state
        actions = np.zeros((1, 10), dtype=int)
        actions[0, 2] = 6 + 1
        _, rewards, _, _, _ = env.step(actions)
        healed = env.state["hp"][0, 11] - (30 - 6)
        assert healed == 8 * 0.5625
        returns[rules] = rewards[0, 0] * env.roster.max_reward / 20
    assert returns["smaclite"] == pytest.approx(6.0)
    assert returns["smac"] == pytest.approx(6.0 - 4.5)


def test_under_smac_a_step_in_which_the_enemy_only_recovers_pays_a_little() -> None:
    env = Skirmish(SkirmishSettings(map="2s3z"), 1)
    env.reset(0)
    state = env.state
    state["shield"][0, 5] = 10
    env.state = state
    _, rewards, _, _, _ = env.step(np.ones((1, 5), dtype=int))
    assert rewards[0, 0] == pytest.approx(8 * 0.125 / 51)
