"""Small PettingZoo worlds for the adapter's tests, imported by name as a user's would be."""

import functools
import os
from typing import Any, ClassVar

import numpy as np
from gymnasium.spaces import Box, Dict, Discrete, MultiDiscrete, Text, Tuple
from gymnasium.utils.env_checker import check_env
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
        rewards = {agent: float(np.sum(actions[agent]) + len(playing)) for agent in playing}
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


class Mute(BaseException):
    def __str__(self) -> str:
        raise RuntimeError("not even that")


PAID = {
    "paid nan": float("nan"),
    "paid inf": -np.inf,
    "paid too much": 1e300,
    "paid None": None,
    "paid text": "1.5",
    "paid an array": np.ones(1),
    "paid complex": 1j,
    "paid a long integer": 10**400,
}
SEEN: dict[str, Any] = {
    "saw nan": np.array([0.0, np.nan]),
    "saw inf": np.array([np.inf, 0.0]),
    "saw too much": np.array([1e30, 0.0]),
    "saw beyond float32": np.array([0.0, -1e300]),
    "saw None": [None, None],
    "saw text": ["1", "2"],
    "saw no array": [[1], [2, 3]],
    "saw nothing": None,
    "saw no entry": {"action_mask": np.ones(3)},
}


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
            if how == "text mask":
                infos["a"]["action_mask"] = ["1", "0"]
            if how == "leaves":
                raise SystemExit(5)
            if how == "mute":
                raise Mute
            if how == "four values":
                return observations, rewards, terminations, infos
            if how == "nothing":
                return None
            if how == "list of rewards":
                rewards = list(rewards.values())
            if how == "no info":
                infos["b"] = None
            if how in PAID:
                rewards["b"] = PAID[how]
            if how in SEEN:
                observations["b"] = SEEN[how]
            if how == "half over":
                terminations["b"] = 0.5
            if how == "no agents":
                self.agents = None
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


class Mixed(World):
    def action_space(self, agent: str) -> Any:
        return Box(-1.0, 1.0, (2,)) if agent == "b" else super().action_space(agent)


class Reals(World):
    """Real numbers as actions, bounded on both sides, on one or on none; each agent is paid their sum."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        bounds = [(-1.0, 0.5), (0.0, np.inf), (-np.inf, np.inf)]
        shapes = [(1,), (2, 2), (3,)]
        self.acts = {
            agent: Box(low, high, shape, np.float32)
            for agent, (low, high), shape in zip(self.possible_agents, bounds, shapes, strict=True)
        }

    def mask(self, agent: str) -> np.ndarray:
        return np.ones(self.acts[agent].shape)

    def step(self, actions: dict[str, Any]) -> Any:
        paid = {agent: float(np.sum(action, dtype=np.float64)) for agent, action in actions.items()}
        observations, _, *rest = super().step(actions)
        return observations, paid, *rest


class Symbols(World):
    """Symbols instead of numbers: the kind of space of each agent's observations and actions differs in size.

    Each agent sees the step in a Discrete, or twice in a MultiDiscrete that counts from another start, and is
    paid the sum of its MultiDiscrete action.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.boxes = {
            "a": Discrete(7),
            "b": Discrete(6, start=-2),
            "c": MultiDiscrete([6, 7], start=[3, -1]),
        }
        self.acts = {
            "a": MultiDiscrete([2, 3]),
            "b": MultiDiscrete([4, 2], start=[1, -5]),
            "c": MultiDiscrete([3]),
        }

    def seen(self, agents: list[str]) -> dict[str, Any]:
        all_seen = {"a": self.t, "b": self.t - 2, "c": np.array([self.t + 3, self.t - 1])}
        return {agent: all_seen[agent] for agent in agents}

    def step(self, actions: dict[str, Any]) -> Any:
        paid = {agent: float(np.sum(action)) for agent, action in actions.items()}
        observations, _, *rest = super().step(actions)
        return observations, paid, *rest


class Other(World):
    """Spaces that no learner here knows."""

    def __init__(self, what: str) -> None:
        super().__init__()
        self.what = what

    def action_space(self, agent: str) -> Any:
        if self.what == "acts in a Tuple":
            return Tuple([Discrete(2), Discrete(3)])
        if self.what == "acts in whole numbers":
            return Box(0, 3, (2,), np.int32)
        return super().action_space(agent)

    def observation_space(self, agent: str) -> Any:
        if self.what == "sees Text":
            return Text(5)
        if self.what == "sees a Dict":
            return Dict({"here": Box(0, 1, (2,)), "there": Box(0, 1, (2,))})
        return super().observation_space(agent)


class Anonymous(World):
    def __init__(self) -> None:
        super().__init__()
        del self.possible_agents


class Late(World):
    """Without `c`, unless its seed is 0, by which worlds are looked at."""

    def reset(self, seed: int | None = None, options: Any = None) -> Any:
        observations, infos = super().reset(seed)
        if seed:
            self.agents = ["a", "b"]
        return observations, infos


class Leaky(World):
    """Cannot be reset."""

    def reset(self, seed: int | None = None, options: Any = None) -> Any:
        raise OSError("no disk")


class Wrong(World):
    """Wrong from the start, in the way it is told."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.how = how
        if how == "twice":
            self.possible_agents = ["a", "b", "b"]
        if how == "a number":
            self.possible_agents = 3
        if how == "property":
            self.observation_space = self.boxes["a"]
        if how == "no metadata":
            self.metadata = None

    def action_space(self, agent: str) -> Any:
        return self.missing if self.how == "no space" else super().action_space(agent)

    def observation_space(self, agent: str) -> Any:
        return Box(0, 1, (0,)) if self.how == "sees nothing" else super().observation_space(agent)

    def reset(self, seed: int | None = None, options: Any = None) -> Any:
        observations, infos = super().reset(seed)
        if self.how == "old reset":
            return observations
        if self.how == "three values":
            return observations, infos, {}
        if self.how == "list":
            return list(observations.values()), infos
        if self.how == "infos None":
            return observations, None
        if self.how == "info None":
            return observations, dict.fromkeys(infos)
        if self.how == "missing":
            del observations["b"]
        if self.how == "other names":
            observations = dict(enumerate(observations.values()))
        if self.how == "too long":
            observations["b"] = np.zeros(7)
        if self.how == "nan":
            observations["c"][1] = np.nan
        if self.how == "mask":
            infos["a"] = {"action_mask": np.ones(7)}
        if self.how == "agents":
            self.agents = ["a", "b", "b"]
        if self.how == "leaves":
            raise SystemExit(0)
        return observations, infos

    def close(self) -> None:
        if self.how == "close":
            raise RuntimeError("video system not initialized")
        if self.how == "close leaves":
            raise SystemExit


class Sloppy(World):
    """Can be closed only while it has not been played."""

    def close(self) -> None:
        if getattr(self, "t", 0) > 1:
            raise RuntimeError("no display")


def elsewhere(**kwargs: Any) -> World:
    return World()


a_partial_env = functools.partial(World, deaths=True)
system_env = os.system
expand_env = os.path.expandvars
checked_env = check_env
parallel_env = World


def broken_env(**kwargs: Any) -> World:
    raise RuntimeError("no display")


def other_env() -> int:
    return 3
