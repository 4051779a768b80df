"""`StarCraft2Env` as its callers know it, and a battle of its own making instead of StarCraft II.

It holds callers to the contract of SMAC's class: `reset` before `step`, nothing but `reset` after the end of
an episode, one available action per agent. It repeats its habits: a client is launched by the first `reset`;
a `reset` before any episode has ended would launch a second one (an error here); `info` marks a time limit
only with `continuing_episode`; a client that breaks down is launched again by `full_restart`, in a step and
in a reset. A client is a sleeping process.

`SMAC_DOUBLE_LOG` names a file that gets a line for every launch, close, breakdown and set of options;
`SMAC_DOUBLE_FAULT` is what shall go wrong:

* `breakdown` and a number: the client is lost at the fifth step, after so many episodes;
* `lost` and a number: it is lost in the reset after so many episodes, and the first seed is played again;
* `emptied` and a number: the same, but the units of the lost game remain, which see zeros and are paid for;
* `port taken`, `dies at start` and a number: so many launches of each process fail;
* `no game`, `exit`, `stuck`.
"""

import os
import subprocess
import sys
import time
import uuid
from pathlib import Path
from types import SimpleNamespace

import numpy as np

# agents, enemies, episode limit, observation size, state size
MAPS = {
    "2s3z": (5, 5, 120, 80, 120),
    "3m": (3, 3, 60, 30, 48),
    "tiny": (2, 2, 6, 7, 5),
    "MMM2": (9, 12, 180, 9, 9),
}
OPTIONS = {"difficulty", "reward_sparse", "step_mul", "obs_last_action"}
HITS = 3  # that a unit can take


class SC2LaunchError(Exception):
    """Named as PySC2's."""


class ConnectError(Exception):
    """Named as PySC2's."""


class Controller:
    def ping(self):
        return SimpleNamespace(game_version=os.environ.get("SMAC_DOUBLE_GAME", "4.10.0"))


failed_launches = 0


class StarCraft2Env:
    def __init__(self, map_name="8m", seed=None, continuing_episode=False, replay_dir="", **options):
        if unknown := options.keys() - OPTIONS:
            raise TypeError(f"unexpected keyword argument {min(unknown)!r}")
        self.options, self.replay_dir = options, replay_dir
        if options:
            self._log(f"options {options}")
        self.n_agents, self.n_enemies, self.episode_limit, self.obs_size, self.state_size = MAPS[map_name]
        self.n_actions = 6 + self.n_enemies
        self.continuing_episode = continuing_episode
        self.seed = seed
        self.fault, _, number = os.environ.get("SMAC_DOUBLE_FAULT", "").rpartition(" ")
        self.fault, self.fault_at = (
            (self.fault, int(number)) if number.isdigit() else (f"{self.fault} {number}", 0)
        )
        self.fault = self.fault.strip()
        self.force_restarts = 0
        self._controller = Controller()
        self.emptied = False
        self.client = None
        self.playing = False
        self.episodes = 0
        self.closed = False

    def _log(self, line):
        if "SMAC_DOUBLE_LOG" in os.environ:
            with Path(os.environ["SMAC_DOUBLE_LOG"]).open("a") as log:
                log.write(f"{line}\n")

    def _launch(self):
        if self.fault == "no game":
            raise SC2LaunchError("Expected to find StarCraft II installed at '/nowhere'.")
        global failed_launches
        if self.fault in ("port taken", "dies at start") and failed_launches < self.fault_at:
            failed_launches += 1
            self._log("failed launch")
            if self.fault == "dies at start":
                print("SC2_x64: error while loading shared libraries: libsome.so", file=sys.stderr)
            line = "W1129 06:40:16.123456 140 remote_controller.py:156] SC2 isn't running, so bailing early"
            print(line, file=sys.stderr, flush=True)
            raise ConnectError("Failed to connect to the SC2 websocket. Is it up?")
        assert self.client is None, "a second client is launched and the first forgotten"
        print("Starting StarCraft II, which says so on standard output")
        self.client = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        self._log(f"launch {self.client.pid} seed {self.seed}")
        self.rng = np.random.default_rng(self.seed)

    def _lose(self):
        self.client.kill()
        self.client.wait()
        self.client = None
        self._log("breakdown")

    def full_restart(self):
        self._launch()
        self.force_restarts += 1

    def save_replay(self):
        Path(self.replay_dir, f"{uuid.uuid4()}.SC2Replay").write_bytes(
            b"replay of %d battles" % self.episodes
        )

    def get_env_info(self):
        return {
            "state_shape": self.state_size,
            "obs_shape": self.obs_size,
            "n_actions": self.n_actions,
            "n_agents": self.n_agents,
            "episode_limit": self.episode_limit,
        }

    def reset(self):
        assert not self.closed, "reset after close"
        self.emptied = False
        if self.episodes == 0:
            self._launch()
        elif self.fault in ("lost", "emptied") and self.episodes == self.fault_at:
            self._lose()
            self.full_restart()
            self.emptied = self.fault == "emptied"
        self.allies = np.full(self.n_agents, HITS)
        self.enemies = np.full(self.n_enemies, HITS)
        self.steps = 0
        self.playing = True
        self._look()
        return self.get_obs(), self.get_state()

    def _look(self):
        seen = self.rng.normal(size=(self.n_agents, self.obs_size)).astype(np.float32)
        self.seen = seen * (self.allies > 0)[:, None].astype(np.float32) * np.float32(not self.emptied)
        self.state = self.rng.normal(size=self.state_size).astype(np.float32)
        self.moves = self.rng.random((self.n_agents, 4)) < 0.7

    def step(self, actions):
        assert self.playing, "step without reset, or after the end of the episode"
        assert isinstance(actions, list)
        assert len(actions) == self.n_agents, "one action per agent"
        available = self.get_avail_actions()
        for agent, action in enumerate(actions):
            assert type(action) is int
            assert available[agent][action] == 1, f"Agent {agent} cannot perform action {action}"
        self.steps += 1
        if self.fault == "breakdown" and self.episodes == self.fault_at and self.steps == 5:
            self._lose()
            self.full_restart()
            return 0, True, {}
        if self.emptied and self.steps == 1:
            return 14.4, False, {"battle_won": False, "dead_allies": 0, "dead_enemies": 0}
        if self.fault == "exit" and self.steps == 2:
            print("Segmentation fault (not really)", file=sys.stderr)
            sys.stderr.flush()
            self.client.kill()
            self.client.wait()
            os._exit(9)
        before = np.count_nonzero(self.enemies)
        hits = 0
        for action in actions:
            if action >= 6 and self.enemies[action - 6] > 0:
                self.enemies[action - 6] -= 1
                hits += 1
        for _ in range(np.count_nonzero(self.enemies)):
            target = self.rng.integers(self.n_agents)
            if self.rng.random() < 0.4 and self.allies[target] > 0:
                self.allies[target] -= 1
        self._look()
        reward = hits + 10 * (before - np.count_nonzero(self.enemies))
        won, lost = not self.enemies.any(), not self.allies.any()
        info = {
            "battle_won": False,
            "dead_allies": int(np.count_nonzero(self.allies == 0)),
            "dead_enemies": int(np.count_nonzero(self.enemies == 0)),
        }
        terminated = won or lost
        if won and not lost:
            info["battle_won"] = True
            reward += 200
        if not terminated and self.steps >= self.episode_limit:
            terminated = True
            if self.continuing_episode:
                info["episode_limit"] = True
        if terminated:
            self.playing = False
            self.episodes += 1
        return reward / 3, terminated, info

    def get_obs(self):
        return list(self.seen)

    def get_state(self):
        return self.state

    def get_avail_actions(self):
        rows = []
        for agent in range(self.n_agents):
            row = [0] * self.n_actions
            if self.allies[agent] == 0:
                row[0] = 1
            else:
                row[1] = 1
                row[2:6] = self.moves[agent].astype(int).tolist()
                row[6:] = [int(hits > 0 and self.steps >= 1) for hits in self.enemies]
            rows.append(row)
        return rows

    def close(self):
        if self.fault == "stuck" and self.client is not None:
            time.sleep(600)
        assert not self.closed, "closed twice"
        self.closed = True
        if self.client is not None:
            self.client.kill()
            self.client.wait()
            self._log(f"close {self.client.pid}")
