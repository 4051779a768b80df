"""Worker processes of PettingZoo worlds end with the process that started them, whatever the world does."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from running_processes import gone

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")

WORLD = """\
import os, pathlib
import numpy as np
from gymnasium.spaces import Box, Discrete
from pettingzoo import ParallelEnv

class Endless(ParallelEnv):
    metadata = {"name": "endless"}
    possible_agents = ["a"]
    def __init__(self, note): self.note = pathlib.Path(note)
    def observation_space(self, agent): return Box(-1, 1, (1,), np.float32)
    def action_space(self, agent): return Discrete(2)
    def reset(self, seed=None, options=None):
        self.agents = ["a"]
        return {"a": np.zeros(1, np.float32)}, {"a": {}}
    def step(self, actions):
        part = self.note.with_suffix(".part")
        part.write_text(str(os.getpid()))
        part.replace(self.note)
        while True:
            pass
"""

PARENT = """\
import sys
import numpy as np
from testbed import environments
kwargs = {"note": sys.argv[1]}
world = environments.make(
    "pettingzoo", pettingzoo="endless:Endless", kwargs=kwargs, episode_length=5, workers=1, batch=1
)
world.reset(seed=0)
world.step(np.zeros((1, 1), dtype=int))
"""


def test_a_worker_inside_an_endless_step_ends_with_its_parent(tmp_path: Path) -> None:
    (tmp_path / "endless.py").write_text(WORLD)
    note = tmp_path / "note"
    places = os.pathsep.join([str(tmp_path), *sys.path])
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, note], env={**os.environ, "PYTHONPATH": places}
    ) as parent:
        deadline = time.monotonic() + 60
        while not note.exists() and parent.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
        parent.send_signal(signal.SIGKILL)
    assert gone([int(note.read_text())])
