"""Skirmish against statistics measured in SMAClite; minutes, and prints Markdown tables.

    SKIRMISH_RESULTS=studies/results/skirmish pytest tests/benchmarks/test_skirmish_statistics.py -s

writes the tables as CSV files into that folder, without the variable into a temporary one.
"""

import itertools
import json
import math
import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from testbed.environments.skirmish import Skirmish, SkirmishSettings
from testbed.environments.skirmish.statistics import Battles, play

SEED = 0
EPISODES = {"random": 400, "nearest10": 400, "focus10": 400}
FEW_EPISODES = 50  # of policies without randomness of their own
# They play one or two battles over and over, in which ties of distance decide much; so, too, the same with
# all units moved a tiny bit.
SHAKE, SHAKEN_EPISODES = 1e-4, 200
REFERENCE = json.loads((Path(__file__).parents[1] / "data" / "skirmish_reference.json").read_text("utf-8"))
MAPS = ("2s3z", "3s5z", "10m_vs_11m", "MMM2")
POLICIES = ("random", "nearest10", "focus10", "nearest", "focus", "hold", "stop")


def battles(map_name: str, policy: str, rules: str, jitter: float, episodes: int) -> Battles:
    settings = SkirmishSettings.model_validate({"map": map_name, "rules": rules, "spawn_jitter": jitter})
    return play(Skirmish(settings, episodes), policy, SEED)


def summary(played: Battles) -> dict[str, float]:
    return {
        "win": played.won.mean(),
        "ret": played.team_return.mean(),
        "ret_sd": played.team_return.std(),
        "length": played.length.mean(),
        "length_sd": played.length.std(),
        "timeout": played.timed_out.mean(),
        "dead_allies": played.dead_allies.mean(),
        "dead_enemies": played.dead_enemies.mean(),
        "first_damage_taken_step": mean_known(played.first_taken),
        "first_damage_dealt_step": mean_known(played.first_dealt),
        "ally_hp_left": played.points_left[0].mean(),
        "enemy_hp_left": played.points_left[1].mean(),
    }


def mean_known(values: np.ndarray) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else math.nan


def misses(ours: dict[str, float], theirs: dict[str, Any]) -> str:
    """Which of the accepted differences are exceeded."""
    found = []
    if abs(ours["win"] - theirs["win"]) > 0.1:
        found.append("win")
    if abs(ours["ret"] - theirs["ret"]) > 0.1 * theirs["ret"]:
        found.append("return")
    for side in ("taken", "dealt"):
        step = theirs.get(f"first_damage_{side}_step")
        if step is not None and abs(ours[f"first_damage_{side}_step"] - step) > 1:
            found.append(f"first {side}")
    return ", ".join(found)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    given = os.environ.get("SKIRMISH_RESULTS")
    return Path(given) if given else tmp_path_factory.mktemp("skirmish")


def number(value: float | None, digits: int) -> str:
    return "–" if value is None or math.isnan(value) else f"{value:.{digits}f}"


def both(ours: float, theirs: float | None, digits: int) -> str:
    return f"{number(ours, digits)} / {number(theirs, digits)}"


def test_scripted_policies_do_as_in_smaclite(folder: Path) -> None:
    rows = []
    print("\nours / SMAClite's")
    heads = (
        "map",
        "policy",
        "win",
        "return",
        "sd of return",
        "length",
        "first taken",
        "first dealt",
        "missed",
    )
    print(f"| {' | '.join(heads)} | shaken: win | return |")
    print("|" + "---|" * (len(heads) + 2))
    for theirs in REFERENCE["rows"]:
        episodes = EPISODES.get(theirs["policy"], FEW_EPISODES)
        ours = summary(battles(theirs["map"], theirs["policy"], "smaclite", 0.0, episodes))
        missed = misses(ours, theirs)
        shaken = {"win": math.nan, "ret": math.nan}
        if theirs["policy"] not in EPISODES:
            shaken = summary(battles(theirs["map"], theirs["policy"], "smaclite", SHAKE, SHAKEN_EPISODES))
        rows.append(
            {"map": theirs["map"], "policy": theirs["policy"], "episodes": episodes}
            | {f"{name}": value for name, value in ours.items()}
            | {f"smaclite_{name}": theirs.get(name) for name in ours}
            | {"missed": missed, "shaken_win": shaken["win"], "shaken_ret": shaken["ret"]}
        )
        compared = [
            both(ours[name], theirs.get(name), digits)
            for name, digits in (("win", 3), ("ret", 2), ("ret_sd", 2), ("length", 1))
        ]
        compared += [
            both(ours[name], theirs.get(name), 1)
            for name in ("first_damage_taken_step", "first_damage_dealt_step")
        ]
        print(f"| {theirs['map']} | {theirs['policy']} | {' | '.join(compared)} | {missed} ", end="")
        print(f"| {number(shaken['win'], 3)} | {number(shaken['ret'], 2)} |")
    table = pd.DataFrame(rows)
    table.to_csv(folder / "comparison.csv", index=False, float_format="%.6g")
    random = table[table["policy"].isin(list(EPISODES))]
    assert (random["missed"] == "").all(), "a policy with randomness of its own is outside its bounds"
    assert swapped(table) == []


def swapped(table: pd.DataFrame) -> list[str]:
    """Pairs of policies that SMAClite clearly puts in one order and we clearly in the other."""
    found = []
    for name, rows in table.groupby("map"):
        random = rows[rows["policy"].isin(list(EPISODES))]
        for (_, one), (_, two) in itertools.combinations(random.iterrows(), 2):
            theirs, ours = one["smaclite_ret"] - two["smaclite_ret"], one["ret"] - two["ret"]
            error = math.hypot(one["smaclite_ret_sd"], two["smaclite_ret_sd"]) / math.sqrt(60)
            if abs(theirs) > 2 * error and theirs * ours < 0:
                found.append(f"{name}: {one['policy']}, {two['policy']}")
    return found


def test_points_fall_and_enemies_come_as_in_smaclite(folder: Path) -> None:
    rows, worst = [], {}
    for name, theirs in REFERENCE["curves"].items():
        map_name, policy = name.rsplit("_", 1)
        played = battles(map_name, policy, "smaclite", 0.0, FEW_EPISODES)
        for place, step in enumerate(theirs["step"]):
            at = min(step, len(played.points)) - 1
            ours = {
                "ally": played.points[at, 0].mean(),
                "enemy": played.points[at, 1].mean(),
                "enemy_mean_x": played.enemy_x[at].mean(),
            }
            rows.append(
                {"map": map_name, "policy": policy, "step": step}
                | ours
                | {f"smaclite_{what}": theirs[what][place] for what in ours}
            )
            for side in ("ally", "enemy"):
                worst[name, side] = max(worst.get((name, side), 0.0), abs(ours[side] - theirs[side][place]))
    pd.DataFrame(rows).to_csv(folder / "curves.csv", index=False, float_format="%.6g")
    print("\n| map, policy | side | largest difference of the share of points left |\n|---|---|---|")
    for (name, side), difference in worst.items():
        print(f"| {', '.join(name.rsplit('_', 1))} | {side} | {difference:.3f} |")
    assert max(worst.values()) <= 0.1


def test_report_the_default_rules_on_all_maps(folder: Path) -> None:
    rows = []
    print("\n| map | policy | win | return (sd) | length (sd) | dead allies / enemies | survivors |")
    print("|---|---|---|---|---|---|---|")
    for map_name, policy in itertools.product(MAPS, POLICIES):
        played = battles(map_name, policy, "smac", 0.1, 400)
        ours = summary(played)
        survivors = {f"left_{kind.replace(' ', '_')}": n.mean() for kind, n in played.survivors.items()}
        names = ("energy_spent_ally", "energy_spent_enemy")
        energy = dict(zip(names, played.energy_spent.mean(axis=1), strict=True))
        rows.append({"map": map_name, "policy": policy, "episodes": 400, **ours, **energy, **survivors})
        print(
            f"| {map_name} | {policy} | {ours['win']:.3f} | {ours['ret']:.2f} ({ours['ret_sd']:.2f}) "
            f"| {ours['length']:.1f} ({ours['length_sd']:.1f}) "
            f"| {ours['dead_allies']:.1f} / {ours['dead_enemies']:.1f} "
            f"| {', '.join(f'{kind} {n.mean():.2f}' for kind, n in played.survivors.items())} |"
        )
    pd.DataFrame(rows).to_csv(folder / "policies.csv", index=False, float_format="%.6g")
