"""PettingZoo's parallel interface over any batched environment."""

from typing import Any, ClassVar

import numpy as np
from gymnasium.spaces import Box, Discrete
from numpy.typing import NDArray
from pettingzoo import ParallelEnv

from testbed.environments.batched import BatchedEnvironment, Info

Observation = NDArray[np.float32]


class ParallelFace(ParallelEnv[str, Observation, int]):
    """One episode of a `BatchedEnvironment` (`batch` 1) as a `ParallelEnv` with agents `agent_0`, `agent_1`, ...

    Observations have their true, unpadded size. Every agent's info holds the components of the return of this step, and
    `action_mask` where the environment has masks. As PettingZoo asks, an agent that terminated or was truncated leaves
    `agents`; should others go on without it, action 0 is played for it.

    Raises:
        ValueError: for a batch other than 1 or an unknown render mode.
    """

    metadata: ClassVar[dict[str, Any]] = {
        "render_modes": ["rgb_array"],
        "is_parallelizable": True,
        "render_fps": 10,
    }

    def __init__(self, environment: BatchedEnvironment, render_mode: str | None = None) -> None:
        if environment.batch != 1:
            raise ValueError(f"batch: got {environment.batch}, a ParallelEnv holds exactly 1 episode")
        if render_mode not in (None, "rgb_array"):
            raise ValueError(f"render_mode: got {render_mode!r}, allowed are None, 'rgb_array'")
        self.environment = environment
        self.render_mode = render_mode
        self.metadata = {**type(self).metadata, "name": environment.name}
        self.possible_agents = [f"agent_{index}" for index in range(environment.agents)]
        self.agents: list[str] = []
        self.observation_spaces = {
            agent: Box(-np.inf, np.inf, shape=(size,), dtype=np.float32)
            for agent, size in zip(self.possible_agents, environment.observation_sizes, strict=True)
        }
        self.action_spaces = {
            agent: Discrete(size)
            for agent, size in zip(self.possible_agents, environment.action_sizes, strict=True)
        }

    def observation_space(self, agent: str) -> Box:
        """Always the same object for an agent."""
        return self.observation_spaces[agent]

    def action_space(self, agent: str) -> Discrete:
        """Always the same object for an agent."""
        return self.action_spaces[agent]

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Observation], dict[str, dict[str, Any]]]:
        """Start an episode with every agent; `options` is part of the interface and has no meaning here."""
        observations, info = self.environment.reset(seed)
        self.agents = list(self.possible_agents)
        return self._observed(observations), self._infos(info)

    def step(
        self, actions: dict[str, int]
    ) -> tuple[
        dict[str, Observation], dict[str, float], dict[str, bool], dict[str, bool], dict[str, dict[str, Any]]
    ]:
        """Play one action for every agent in `agents`.

        Raises:
            ValueError: when an agent is missing or not playing, or does not have the action.
            RuntimeError: when the episode is over or none has been started.
        """
        playing = self.agents
        if not playing:
            raise RuntimeError("step: no agent is playing, call reset() first")
        if set(actions) != set(playing):
            raise ValueError(
                f"actions: got {', '.join(map(str, actions))}; needed exactly are {', '.join(playing)}"
            )
        chosen = np.array([[actions.get(agent, 0) for agent in self.possible_agents]])
        observations, rewards, terminations, truncations, info = self.environment.step(chosen)
        index = {agent: self.possible_agents.index(agent) for agent in playing}
        observed, infos = self._observed(observations), self._infos(info)
        terminated = {agent: bool(terminations[0, index[agent]]) for agent in playing}
        truncated = {agent: bool(truncations[0, index[agent]]) for agent in playing}
        self.agents = [agent for agent in playing if not terminated[agent] and not truncated[agent]]
        return (
            observed,
            {agent: float(rewards[0, index[agent]]) for agent in playing},
            terminated,
            truncated,
            infos,
        )

    def _observed(self, observations: NDArray[np.float32]) -> dict[str, Observation]:
        sizes = self.environment.observation_sizes
        return {
            agent: observations[0, index, : sizes[index]].copy()
            for index, agent in enumerate(self.possible_agents)
            if agent in self.agents
        }

    def _infos(self, info: Info) -> dict[str, dict[str, Any]]:
        infos: dict[str, dict[str, Any]] = {}
        for index, agent in enumerate(self.possible_agents):
            if agent in self.agents:
                own = {name: info[name][0].item() for name in self.environment.components if name in info}
                if "action_masks" in info:
                    mask = info["action_masks"][0, index, : self.environment.action_sizes[index]]
                    own["action_mask"] = mask.astype(np.int8)
                infos[agent] = own
        return infos

    def render(self) -> NDArray[np.uint8] | None:
        """A picture `[height, width, 3]` in render mode `rgb_array`, otherwise None."""
        return None if self.render_mode is None else self.environment.render()

    def state(self) -> NDArray[np.float32]:
        """The observations of all agents, one after the other."""
        seen = self.environment.observations()[0]
        return np.concatenate(
            [row[:size] for row, size in zip(seen, self.environment.observation_sizes, strict=True)]
        )

    def close(self) -> None:
        """Nothing is held open."""
