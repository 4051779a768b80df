"""Small PettingZoo worlds for the adapter's tests, imported by name as a user's would be."""

import os
from typing import Any, ClassVar

import numpy as np
from gymnasium.spaces import Box, Dict, Discrete, MultiDiscrete
from pettingzoo import ParallelEnv


class World(ParallelEnv):
    """Agents `a`, `b`, `c` with 2, 3 and 4 actions and observations of 1, 2 and 3 random numbers.

    Every agent is paid the number it plays (`c` counts from 5) plus the number of agents playing. With
    `deaths`, `a` is terminated at step 2 and `b` truncated at step 3; everybody at step 5 (`c` truncated).
    """

    metadata: ClassVar = {"name": "small_world", "render_modes": []}

    def __init__(
        self, deaths: bool = False, masks: str = "none", equal: bool = False, **options: Any
    ) -> None:
        self.possible_agents = ["a", "b", "c"]
        self.deaths, self.masks, self.options = deaths, masks, options
        boxes = [Box(-np.inf, np.inf, (size,), np.float32) for size in (1, 2, 3)]
        counts = [3, 3, 3] if equal else [2, 3, 4]
        acts = [Discrete(counts[0]), Discrete(counts[1]), Discrete(counts[2], start=5)]
        self.boxes = dict(zip(self.possible_agents, boxes, strict=True))
        self.acts = dict(zip(self.possible_agents, acts, strict=True))
        self.agents: list[str] = []

    def observation_space(self, agent: str) -> Any:
        if self.masks == "dict":
            mask = Box(0, 1, (self.acts[agent].n,), np.int8)
            return Dict({"observation": self.boxes[agent], "action_mask": mask})
        return self.boxes[agent]

    def action_space(self, agent: str) -> Any:
        return self.acts[agent]

    def mask(self, agent: str) -> np.ndarray:
        """Forbids one action, another one at each step."""
        mask = np.ones(self.acts[agent].n, dtype=np.int8)
        mask[self.t % len(mask)] = 0
        return mask

    def seen(self, agents: list[str]) -> dict[str, Any]:
        seen: dict[str, Any] = {}
        for agent in agents:
            numbers = self.rng.normal(size=self.boxes[agent].shape).astype(np.float32)
            masked = {"observation": numbers, "action_mask": self.mask(agent)}
            seen[agent] = masked if self.masks == "dict" else numbers
        return seen

    def infos(self, agents: list[str]) -> dict[str, Any]:
        return {agent: {"action_mask": self.mask(agent)} if self.masks == "info" else {} for agent in agents}

    def reset(self, seed: int | None = None, options: Any = None) -> Any:
        self.rng = np.random.default_rng(seed)
        self.t = 0
        self.agents = list(self.possible_agents)
        return self.seen(self.agents), self.infos(self.agents)

    def step(self, actions: dict[str, int]) -> Any:
        assert set(actions) == set(self.agents)
        assert all(self.acts[agent].contains(action) for agent, action in actions.items())
        self.t += 1
        playing = self.agents
        rewards = {agent: float(actions[agent] + len(playing)) for agent in playing}
        terminations = dict.fromkeys(playing, self.t >= 5)
        truncations = dict.fromkeys(playing, False)
        if self.deaths and self.t == 2:
            terminations["a"] = True
        if self.deaths and self.t == 3:
            truncations["b"] = True
        if self.t >= 5:
            terminations["c"], truncations["c"] = False, True
        self.agents = [agent for agent in playing if not (terminations[agent] or truncations[agent])]
        return self.seen(playing), rewards, terminations, truncations, self.infos(playing)


class Moody(World):
    """Misbehaves at step 2 in the way it is told."""

    def step(self, actions: dict[str, int]) -> Any:
        observations, rewards, terminations, truncations, infos = super().step(actions)
        if self.t == 2:
            how = self.options["how"]
            if how == "raises":
                raise KeyError("a wheel came off\nand rolled away")
            if how == "dies":
                os._exit(3)
            if how == "no reward":
                del rewards["b"]
            if how == "too long":
                observations["b"] = np.zeros(7, dtype=np.float32)
            if how == "vanishes":
                self.agents = ["a", "b"]
            if how == "empty mask":
                infos["a"]["action_mask"] = np.zeros(2)
            if how == "late mask":
                infos["a"]["action_mask"] = np.ones(3)
        return observations, rewards, terminations, truncations, infos


class Forgetful(World):
    """Draws from entropy what its seed should decide: what `a` sees, or is paid."""

    def step(self, actions: dict[str, int]) -> Any:
        observations, rewards, terminations, truncations, infos = super().step(actions)
        noise = np.random.default_rng().normal()
        if self.options["how"] == "seen":
            observations["a"] = np.array([noise], dtype=np.float32)
        else:
            rewards["a"] = noise
        return observations, rewards, terminations, truncations, infos


class Counting(World):
    """Has a limit, a picture whose brightness is the step, and no end of its own."""

    metadata: ClassVar = {"name": "counting", "render_modes": ["rgb_array"]}
    max_cycles = 4

    def __init__(self, render_mode: str | None = None) -> None:
        super().__init__()
        self.render_mode = render_mode

    def render(self) -> np.ndarray:
        assert self.render_mode == "rgb_array"
        return np.full((2, 3, 3), self.t, dtype=np.uint8)


class Continuous(World):
    def action_space(self, agent: str) -> Any:
        return Box(-1.0, 1.0, (2,)) if agent == "b" else super().action_space(agent)


class Multi(World):
    def action_space(self, agent: str) -> Any:
        return MultiDiscrete([2, 3])


class Symbols(World):
    def observation_space(self, agent: str) -> Any:
        return Discrete(7)


class Anonymous(World):
    def __init__(self) -> None:
        super().__init__()
        del self.possible_agents


class Late(World):
    def reset(self, seed: int | None = None, options: Any = None) -> Any:
        observations, infos = super().reset(seed)
        self.agents = ["a", "b"]
        return observations, infos


class Leaky(World):
    """Cannot be reset."""

    def reset(self, seed: int | None = None, options: Any = None) -> Any:
        raise OSError("no disk")


parallel_env = World


def broken_env(**kwargs: Any) -> World:
    raise RuntimeError("no display")


def other_env() -> int:
    return 3
