"""Feature by feature: numbers that SMAC's own code computes of a battle, and those of skirmish for the same.

Run as a script with `states`, `lockstep`, `ends` or `parts` and names of maps, in a Python with the testbed
and, from the folder of `STARCRAFT2_DOUBLE_SITE`, smac and pysc2. SMAC's code plays the stand-in for the game
in this process, which is given the units of skirmish. Prints a JSON object: `features`, map -> feature ->
[numbers compared, those not 0, those that differ, largest difference], and `ends`: how battles ended.
"""

import collections
import json
import os
import sys
from typing import Any

sys.path.insert(0, os.environ["STARCRAFT2_DOUBLE_SITE"])

import numpy as np
import skirmish_game
from pysc2.lib import protocol
from s2clientprotocol import sc2api_pb2 as sc_pb
from smac.env import StarCraft2Env
from smac.env.starcraft2 import starcraft2

from testbed.environments.external.starcraft_child import starcraft_environment
from testbed.environments.skirmish.environment import Skirmish, SkirmishSettings

UNIT_ARRAYS = ("x", "y", "vx", "vy", "hp", "shield", "cooldown", "energy", "stock", "shield_wait", "target")
EXACT, ROUNDED = 2e-6, 1e-5  # float32 against float64: of single numbers, and of sums over units
MOVES = {"north": [2], "south": [3], "east": [4], "west": [5]}
ACTIONS = {"no-op": [0], "stop": [1], **MOVES, "targets": slice(6, None)}


class Controller:
    """pysc2's controller, with no socket between it and the stand-in."""

    def __init__(self) -> None:
        self.game = skirmish_game.Game()

    def send(self, **request: Any) -> Any:
        (name,) = request
        response = self.game.answer(sc_pb.Request(**request))
        if response.error:
            raise protocol.ProtocolError(str(response.error))
        return getattr(response, name)

    def create_game(self, request: Any) -> Any:
        return self.send(create_game=request)

    def join_game(self, request: Any) -> Any:
        return self.send(join_game=request)

    def game_info(self) -> Any:
        return self.send(game_info=sc_pb.RequestGameInfo())

    def observe(self) -> Any:
        return self.send(observation=sc_pb.RequestObservation())

    def actions(self, request: Any) -> Any:
        return self.send(action=request)

    def step(self, count: int) -> Any:
        return self.send(step=sc_pb.RequestStep(count=count))

    def debug(self, commands: Any) -> Any:
        return self.send(debug=sc_pb.RequestDebug(debug=commands))


class Process:
    def __init__(self) -> None:
        self.controller = Controller()

    def close(self) -> None:
        pass


class RunConfig:
    def start(self, **_: Any) -> Process:
        return Process()

    def map_data(self, *_: Any) -> bytes:
        return b"a map"


starcraft2.run_configs.get = lambda version=None: RunConfig()


class Pair:
    """Skirmish, and SMAC's code on a stand-in with the same units; every look at both is counted."""

    def __init__(self, name: str, *, old_grid: bool = False, kind: Any = StarCraft2Env) -> None:
        skirmish_game.OPTIONS.update(jitter=0.0, bits=8 if old_grid else 1)
        self.ours = Skirmish(SkirmishSettings(map=name, reward="shared", spawn_jitter=0.0), 1)
        self.smac = kind(map_name=name, seed=5, continuing_episode=True)
        self.rows: dict[str, list[float]] = {}
        self.ours.reset(5)
        self.smac.reset()
        self.world = self.smac._controller.game.world
        self.observed, self.stated = feature_names(self.smac)
        self.count("sizes", self._sizes(self.ours), self._sizes(self.smac))
        self.count("max reward", self.ours.roster.max_reward, self.smac.max_reward)

    def _sizes(self, env: Any) -> list[int]:
        if env is self.ours:
            return [env.observation_size, env.action_size, env.state_size, env.episode_length]
        return [env.get_obs_size(), env.n_actions, env.get_state_size(), env.episode_limit]

    def count(self, feature: str, ours: Any, theirs: Any, tolerance: float = EXACT) -> None:
        ours, theirs = np.asarray(ours, dtype=float), np.asarray(theirs, dtype=float)
        assert ours.shape == theirs.shape, (feature, ours.shape, theirs.shape)
        apart = np.abs(ours - theirs)
        row = self.rows.setdefault(feature, [0, 0, 0, 0.0])
        row[0] += apart.size
        row[1] += int(np.count_nonzero(theirs))
        row[2] += int(np.count_nonzero(apart > tolerance))
        row[3] = max(row[3], float(apart.max(initial=0)))

    def look(self) -> None:
        """Compare observations, state and masks."""
        ours, theirs = self.ours.observations()[0], np.array(self.smac.get_obs())
        assert ours.shape == theirs.shape
        for name in dict.fromkeys(self.observed):
            self.count(
                f"observation: {name}", ours[:, self.observed == name], theirs[:, self.observed == name]
            )
        ours, theirs = self.ours.global_state()[0], self.smac.get_state()
        assert ours.shape == theirs.shape
        for name in dict.fromkeys(self.stated):
            self.count(f"state: {name}", ours[self.stated == name], theirs[self.stated == name])
        ours, theirs = self.ours.masks()["action_masks"][0], np.array(self.smac.get_avail_actions())
        assert ours.shape == theirs.shape
        for name, columns in ACTIONS.items():
            self.count(f"mask: {name}", ours[:, columns], theirs[:, columns])

    def put(self, *, revived: bool = True) -> None:
        """Give the units of skirmish to the stand-in, and let SMAC see them."""
        for name in UNIT_ARRAYS:
            getattr(self.world.battle, name)[:] = getattr(self.ours.battle, name)
        self.world.battle.refresh()
        self.smac._obs = self.smac._controller.observe()
        if not revived:
            self.smac.init_units()
            return
        agents = self.ours.agents
        for unit in range(self.ours.roster.units):  # SMAC forgets the dead for good; here they come back
            kept = self.smac.agents[unit] if unit < agents else self.smac.enemies[unit - agents]
            kept.tag = self.world.first_tag + unit
            tracked = self.smac.death_tracker_ally if unit < agents else self.smac.death_tracker_enemy
            tracked[unit if unit < agents else unit - agents] = not self.ours.battle.alive[unit, 0]
        self.smac.update_units()

    def play(self, choose: Any) -> tuple[str, float]:
        """Play a battle to its end; how it ended, and the return."""
        agents, units = self.ours.agents, self.ours.roster.units
        gone = ~self.ours.battle.alive[:units, 0]
        dead, total = np.array([[gone[:agents].sum(), gone[agents:].sum()], [0, 0]], dtype=float), np.zeros(2)
        while True:
            masks = self.ours.masks()["action_masks"][0]
            actions = np.argmax(choose(masks) * masks, axis=1)
            _, rewards, terminated, truncated, info = self.ours.step(actions[None])
            reward, over, theirs = self.smac.step(actions.tolist())
            self.look()
            self.count("reward", rewards[0, 0], reward, ROUNDED)
            self.count("over", terminated[0].all() | truncated[0].all(), over)
            self.count("timed out", info["timed_out"][0], theirs.get("episode_limit", False))
            self.count("battle won", info["battle_won"][0], theirs["battle_won"])
            self.count("team reward", info["team_reward"][0], reward, ROUNDED)
            dead[0] += info["dead_allies"][0], info["dead_enemies"][0]
            dead[1] = theirs["dead_allies"], theirs["dead_enemies"]
            self.count("dead allies and enemies", dead[0], dead[1])
            total += rewards[0, 0], reward
            if over:
                self.count("return", total[0], total[1], 1e-4)
                draw = dead[1].tolist() == [self.smac.n_agents, self.smac.n_enemies]
                name = "timed out" if theirs.get("episode_limit") else "draw" if draw else "lost"
                return "won" if theirs["battle_won"] else name, total[1]

    def again(self) -> None:
        """Start another battle in both."""
        self.smac.reset()
        self.ours.reset()


def feature_names(smac: Any) -> tuple[np.ndarray, np.ndarray]:
    """Names of the entries of an observation, and of the state, of SMAC's default options."""
    types = [f"type {bit}" for bit in range(smac.unit_type_bits)]
    about = ["distance", "x", "y", "hp"]
    allied, hostile = ["shield"] * smac.shield_bits_ally, ["shield"] * smac.shield_bits_enemy
    observed = [f"move {name}" for name in MOVES]
    observed += [f"enemy {n}" for _ in range(smac.n_enemies) for n in ["available", *about, *hostile, *types]]
    observed += [f"ally {n}" for _ in range(smac.n_agents - 1) for n in ["visible", *about, *allied, *types]]
    observed += [f"own {n}" for n in ["hp", *allied, *types]]
    stated = [f"ally {n}" for _ in range(smac.n_agents) for n in smac.ally_state_attr_names]
    stated += [f"enemy {n}" for _ in range(smac.n_enemies) for n in smac.enemy_state_attr_names]
    stated += ["last action"] * (smac.n_agents * smac.n_actions)
    return np.array(observed), np.array(stated)


def states(name: str, count: int = 120) -> dict[str, list[float]]:
    """Random units in random places, half of them on a grid of halves: many exact distances and borders."""
    pair, rng = Pair(name, old_grid=name == "3s5z"), np.random.default_rng(0)
    ours, roster = pair.ours, pair.ours.roster
    start, units, agents = ours.state, roster.units, ours.agents
    low, high = roster.map.corridor
    pair.look()
    for number in range(count):
        new = {key: array.copy() for key, array in start.items()}
        spread, centre = rng.choice([2.0, 4.0, 8.0]), rng.uniform([-1, low + 2], [32, high - 2])
        places = centre + rng.uniform(-spread, spread, size=(units, 2))
        places = np.round(places * 2) / 2 if number % 2 else places
        new["pos"][0] = np.clip(places, [-1.5, low], [32, high]).astype(np.float32)
        alive = rng.random(units) > 0.25
        new["hp"][0] = (roster.hp * rng.uniform(0.01, 1, units) * alive).astype(np.float32)
        shielded = alive & (rng.random(units) > 0.3)
        new["shield"][0] = (roster.shield * rng.uniform(0, 1, units) * shielded).astype(np.float32)
        new["cooldown"][0] = np.floor(roster.cooldown * rng.uniform(0, 1, units)) * alive
        new["energy"][0] = np.where(roster.healer & alive, rng.uniform(0, 200, units), 0)
        last = rng.integers(0, ours.action_size, size=agents)
        new["last_action"][0] = last
        ours.state = new
        pair.smac.last_action = np.eye(pair.smac.n_actions)[last]
        pair.put()
        pair.look()
    return pair.rows


def lockstep(name: str, ends: collections.Counter[str]) -> dict[str, list[float]]:
    """Whole battles, played by random actions, mostly attacks, or attacks and none in turn."""
    pair, rng = Pair(name), np.random.default_rng(1)
    pair.put()
    pair.look()

    def uniform(masks: np.ndarray) -> np.ndarray:
        return rng.random(masks.shape)

    def attacking(masks: np.ndarray) -> np.ndarray:
        preferences = rng.random(masks.shape)
        preferences[:, 6:] += rng.random() < 0.7
        return preferences

    for number, choose in enumerate((uniform, attacking, attacking)):
        if number:
            pair.again()
            pair.put(revived=False)
            pair.look()
        ends[pair.play(choose)[0]] += 1
    return pair.rows


def ends(name: str, found: collections.Counter[str]) -> dict[str, list[float]]:
    """Battles from starts that force each kind of end: victory, defeat, all dead in one step, time."""
    pair, rng = Pair(name), np.random.default_rng(3)
    ours, roster, agents = pair.ours, pair.ours.roster, pair.ours.agents
    fights = ~roster.healer

    def forward(masks: np.ndarray) -> np.ndarray:
        preferences = rng.random(masks.shape)
        preferences[:, 6:] += 1
        preferences[:, 4] += 0.5
        return preferences

    def still(masks: np.ndarray) -> np.ndarray:
        preferences = rng.random(masks.shape)
        preferences[:, :2] += 2
        return preferences

    for number, kind in enumerate(["victory", "defeat", "time", "duel", *["one hit each"] * 3]):
        if number:
            pair.again()
        new = ours.state
        if kind == "victory":
            new["hp"][0, agents:], new["shield"][0, agents:] = 1, 0
        elif kind == "defeat":
            new["hp"][0, :agents] = np.where(fights[:agents], 1, new["hp"][0, :agents])
            new["shield"][0, :agents] = 0
        elif kind == "time":
            new["cooldown"][0, agents:] = 1e5
        elif kind == "duel":
            rival = roster.names.index(roster.names[0], agents)
            new["hp"][0], new["shield"][0] = 0, 0
            new["hp"][0, [0, rival]] = 1
            new["pos"][0, rival] = new["pos"][0, 0] + [2, 0]
        else:
            new["hp"][0, fights], new["shield"][0], new["cooldown"][0] = 1, 0, 0
        ours.state = new
        pair.put()
        found[pair.play(still if kind == "time" else forward)[0]] += 1
    return pair.rows


def main() -> None:
    kind, *names = sys.argv[1:]
    skirmish_game.OPTIONS["in_parts"] = kind == "parts"
    found: collections.Counter[str] = collections.Counter()
    results: dict[str, Any] = {}
    for name in names:
        if kind == "states":
            results[name] = states(name)
        elif kind == "parts":
            results[name] = Pair(name, kind=starcraft_environment()).rows
        else:
            results[name] = lockstep(name, found) if kind == "lockstep" else ends(name, found)
    print(json.dumps({"features": results, "ends": found}))


if __name__ == "__main__":
    main()
