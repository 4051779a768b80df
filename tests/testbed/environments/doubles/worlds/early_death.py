"""A world whose first agent is over after two of its steps; its masks forbid nothing."""

import numpy as np
from gymnasium.spaces import Box, Discrete
from pettingzoo import ParallelEnv

STEPS = 25


class EarlyDeath(ParallelEnv):
    """Two agents that see noise and are paid for action 0; ``how`` a0 is over: terminated or truncated."""

    def __init__(self, how="terminated"):
        self.how, self.possible_agents = how, ["a0", "a1"]
        self.metadata = {"name": "early_death", "render_modes": []}

    def observation_space(self, agent):
        return Box(-10, 10, (2,), np.float32)

    def action_space(self, agent):
        return Discrete(3)

    def reset(self, seed=None, options=None):
        self.rng, self.agents, self.t = np.random.default_rng(seed), list(self.possible_agents), 0
        return self.see(), self.info()

    def see(self):
        return {a: self.rng.normal(size=2).astype(np.float32) for a in self.agents}

    def info(self):
        return {a: {"action_mask": np.ones(3, np.int8)} for a in self.agents}

    def step(self, actions):
        self.t += 1
        first = {a: a == "a0" and self.t >= 2 for a in self.agents}
        no = dict.fromkeys(self.agents, False)
        last = dict.fromkeys(self.agents, self.t >= STEPS)
        terminations = first if self.how == "terminated" else no
        truncations = last if self.how == "terminated" else {a: first[a] or last[a] for a in self.agents}
        rewards = {a: float(actions[a] == 0) for a in self.agents}
        seen, info = self.see(), self.info()
        self.agents = [a for a in self.agents if not (terminations[a] or truncations[a])]
        return seen, rewards, terminations, truncations, info
