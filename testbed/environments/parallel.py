"""PettingZoo's parallel interface over any batched environment."""

from typing import Any

import numpy as np
from gymnasium.spaces import Box, Space
from numpy.typing import NDArray
from pettingzoo import ParallelEnv

from testbed.environments.batched import BatchedEnvironment, Info

Observation = NDArray[np.float32]
AgentInfo = dict[str, Any]
ParallelStep = tuple[
    dict[str, Observation], dict[str, float], dict[str, bool], dict[str, bool], dict[str, AgentInfo]
]


class ParallelFace(ParallelEnv[str, Observation, Any]):  # type: ignore[misc]  # PettingZoo carries no types
    """One episode of a `BatchedEnvironment` as a `ParallelEnv` of agents `agent_0`, `agent_1`, ...

    Observations have their true, unpadded size. After a step every agent's info holds the components of the
    return, and always `action_mask` where the environment has masks. As PettingZoo requires, an agent that
    was terminated or truncated leaves `agents`; while others continue without it, action 0 (of a Box, zeros)
    is played for it.

    Attributes:
        environment: the environment underneath, whose `state` and `rng_state` may be read and set between
            steps.
    """

    def __init__(self, environment: BatchedEnvironment, render_mode: str | None = None) -> None:
        """Raise ValueError for a batch other than 1, or a render mode other than None and `rgb_array`."""
        if environment.batch != 1:
            raise ValueError(f"batch: got {environment.batch}, a ParallelEnv holds exactly 1 episode")
        if render_mode not in (None, "rgb_array"):
            raise ValueError(f"render_mode: got {render_mode!r}, must be None or 'rgb_array'")
        self.environment = environment
        self.render_mode = render_mode
        self.metadata = {
            "name": environment.name,
            "render_modes": ["rgb_array"],
            "render_fps": 10,
            "is_parallelizable": True,
        }
        self.possible_agents = [f"agent_{index}" for index in range(environment.agents)]
        self.agents: list[str] = []
        self._index = {agent: index for index, agent in enumerate(self.possible_agents)}
        self.observation_spaces = {
            agent: Box(-np.inf, np.inf, shape=(environment.observation_sizes[index],), dtype=np.float32)
            for agent, index in self._index.items()
        }
        self.action_spaces = {
            agent: environment.action_spaces.space(index) for agent, index in self._index.items()
        }

    def observation_space(self, agent: str) -> Box:
        """The space of one agent; the same object every time."""
        return self.observation_spaces[agent]

    def action_space(self, agent: str) -> Space[Any]:
        """The space of one agent; the same object every time."""
        return self.action_spaces[agent]

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Observation], dict[str, AgentInfo]]:
        """Start an episode with every agent; `options` is part of the interface and has no effect here."""
        observations, info = self.environment.reset(seed)
        self.agents = list(self.possible_agents)
        return self._observed(observations, self.agents), self._infos(info, self.agents)

    def step(self, actions: dict[str, Any]) -> ParallelStep:
        """Play one action for every agent in `agents`.

        Raises:
            ValueError: when an agent is missing or not playing, or does not have the action.
            RuntimeError: when no agent is playing: the episode is over, or none has been started.
        """
        playing = self.agents
        if not playing:
            raise RuntimeError("step: no agent is playing, call reset() first")
        if set(actions) != set(playing):
            given = ", ".join(map(str, actions)) or "none"
            raise ValueError(f"actions: got agents {given}, must be exactly {', '.join(playing)}")
        chosen = self.environment.action_spaces.joined([actions.get(agent) for agent in self.possible_agents])
        observations, rewards, terminations, truncations, info = self.environment.step(chosen[None])
        terminated = {agent: bool(terminations[0, self._index[agent]]) for agent in playing}
        truncated = {agent: bool(truncations[0, self._index[agent]]) for agent in playing}
        self.agents = [agent for agent in playing if not (terminated[agent] or truncated[agent])]
        return (
            self._observed(observations, playing),
            {agent: float(rewards[0, self._index[agent]]) for agent in playing},
            terminated,
            truncated,
            self._infos(info, playing),
        )

    def render(self) -> NDArray[np.uint8] | None:
        """A picture `[height, width, 3]` in render mode `rgb_array`, otherwise None."""
        return None if self.render_mode is None else self.environment.render()

    def close(self) -> None:
        """Close the environment underneath."""
        self.environment.close()

    def _observed(self, observations: Observation, agents: list[str]) -> dict[str, Observation]:
        sizes = self.environment.observation_sizes
        index = self._index
        return {agent: observations[0, index[agent], : sizes[index[agent]]].copy() for agent in agents}

    def _infos(self, info: Info, agents: list[str]) -> dict[str, AgentInfo]:
        components = {name: info[name][0].item() for name in self.environment.components if name in info}
        infos: dict[str, AgentInfo] = {agent: dict(components) for agent in agents}
        if "action_masks" in info:
            for agent in agents:
                index = self._index[agent]
                mask = info["action_masks"][0, index, : self.environment.action_sizes[index]]
                infos[agent]["action_mask"] = mask.astype(np.int8)  # the type spaces sample with
        return infos
