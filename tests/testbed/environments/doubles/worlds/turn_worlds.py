"""Small AEC worlds, and parallel ones with agents that wait, imported by name as a user's would be."""

import functools
from typing import Any, ClassVar

import numpy as np
from gymnasium.spaces import Box, Dict, Discrete, MultiDiscrete
from pettingzoo import AECEnv, ParallelEnv
from pettingzoo.utils import AgentSelector

TURNS = 6


class Repeat(AECEnv):
    """Agents `first` and `second` take turns; `second` is paid for repeating what `first` has just said.

    `first` says a letter and is paid 0.1 for the one that it sees; `second` sees what was said. Every action
    counts for both. So the most that each agent can get in an episode of six turns is 3 x 1.1.
    """

    metadata: ClassVar = {"name": "repeat", "render_modes": ["rgb_array"], "is_parallelizable": False}

    def __init__(self, acts: str = "letters", start: int = 4, render_mode: str | None = None) -> None:
        self.possible_agents = ["first", "second"]
        self.acts, self.start, self.render_mode = acts, start, render_mode
        self.agents: list[str] = []

    @functools.cache  # noqa: B019  # PettingZoo wants the same object each time
    def observation_space(self, agent: str) -> Any:
        return Box(0, 1, (3,), np.float32)

    @functools.cache  # noqa: B019
    def action_space(self, agent: str) -> Any:
        if self.acts == "words":
            return MultiDiscrete([3, 2], start=[5, 0])
        return Box(1, 3, (2,), np.float32) if self.acts == "numbers" else Discrete(3, start=self.start)

    def reset(self, seed: int | None = None, options: Any = None) -> None:
        self.rng, self.turns, self.played = np.random.default_rng(seed), 0, []
        self.agents = list(self.possible_agents)
        self.rewards = dict.fromkeys(self.agents, 0.0)
        self._cumulative_rewards = dict.fromkeys(self.agents, 0.0)
        self.terminations = dict.fromkeys(self.agents, False)
        self.truncations = dict.fromkeys(self.agents, False)
        self.infos = {agent: {} for agent in self.agents}
        self.order = AgentSelector(self.agents)
        self.agent_selection = self.order.reset()
        self.shown = int(self.rng.integers(3))
        self.said = 0

    def observe(self, agent: str) -> Any:
        return np.eye(3, dtype=np.float32)[self.shown if agent == "first" else self.said]

    def step(self, action: Any) -> None:
        if self.terminations[self.agent_selection]:
            self._was_dead_step(action)
            return
        agent = self.agent_selection
        self.played.append((agent, action))
        assert self.action_space(agent).contains(action), action
        self._cumulative_rewards[agent] = 0.0
        letter = int(np.ravel(action)[0]) - int(np.ravel(getattr(self.action_space(agent), "start", 1))[0])
        if agent == "first":
            self.said = letter
            paid = 0.1 * (letter == self.shown)
        else:
            paid = 1.0 * (letter == self.said)
            self.shown = int(self.rng.integers(3))
        self.rewards = dict.fromkeys(self.agents, float(paid))
        self.turns += 1
        if self.turns == TURNS:
            self.terminations = dict.fromkeys(self.agents, True)
        self.agent_selection = self.order.next()
        self._accumulate_rewards()

    def render(self) -> Any:
        return np.full((2, 2, 3), self.turns, dtype=np.uint8)

    def close(self) -> None:
        pass


class Undecided(Repeat):
    """Does not say whether its agents may act at once, or says it in the way it is told."""

    def __init__(self, says: Any = None) -> None:
        super().__init__()
        del self.render_mode
        name = {"name": "undecided"}
        self.metadata = (
            None if says == "no metadata" else name | ({} if says is None else {"is_parallelizable": says})
        )


class AtOnce(Repeat):
    """Both agents act before anything changes, and each is paid the number that it plays."""

    metadata: ClassVar = {"name": "at_once", "render_modes": [], "is_parallelizable": True}
    max_cycles = 3

    def step(self, action: Any) -> None:
        if self.terminations[self.agent_selection]:
            self._was_dead_step(action)
            return
        self._cumulative_rewards[self.agent_selection] = 0.0
        self.rewards = dict.fromkeys(self.agents, 0.0)
        self.rewards[self.agent_selection] = float(action)
        self._accumulate_rewards()
        if last := self.order.is_last():
            self.turns += 1
            self.shown = int(self.rng.integers(3))
            self.terminations = dict.fromkeys(self.agents, self.turns == self.max_cycles)
        self.agent_selection = self.order.next()
        assert last == (self.agent_selection == "first")


class Elimination(Repeat):
    """Three agents in a circle; `b` is over after its first turn, but leaves when it would have the next.

    Each action is paid to the agent that plays it. With `how` "lost", the turn is then that of nobody.
    """

    def __init__(self, how: str = "", start: int = 4) -> None:
        super().__init__(start=start)
        self.possible_agents, self.how = ["a", "b", "c"], how

    def step(self, action: Any) -> None:
        agent = self.agent_selection
        after = self.agents[(self.agents.index(agent) + 1) % len(self.agents)]
        if self.terminations[agent]:
            self._was_dead_step(action)
            if self.turns < 7:
                self.agent_selection = after
            return
        self.played.append((agent, action))
        self._cumulative_rewards[agent] = 0.0
        self.rewards = dict.fromkeys(self.agents, 0.0)
        self.rewards[agent] = float(action - self.start)
        self._accumulate_rewards()
        self.turns += 1
        if agent == "b":
            self.terminations["b"] = True
        if self.turns == 7:
            self.terminations = dict.fromkeys(self.agents, True)
        self.agent_selection = after
        if self.how == "lost" and self.turns == 2:
            self.agent_selection = "nobody"
            self.terminations |= {"nobody": False}
            self.truncations |= {"nobody": False}


class Masks(ParallelEnv):
    """Three agents with three actions for eight steps; masks in infos or observations, or not all the time.

    With `begin`, the first `begin` steps have none. At step t, agent number t % 3 waits with `zeros`, and
    has all but action 0 otherwise. Each agent is paid the number that it plays. With `random_begin`, the seed
    decides whether an episode ever gets masks.
    """

    metadata: ClassVar = {"name": "masks", "render_modes": []}
    max_cycles = 8

    def __init__(
        self, zeros: bool = True, begin: int = 0, where: str = "info", random_begin: bool = False
    ) -> None:
        self.possible_agents = ["a", "b", "c"]
        self.zeros, self.begin, self.where, self.random_begin = zeros, begin, where, random_begin
        self.agents: list[str] = []
        self.played: list[dict[str, int]] = []

    def observation_space(self, agent: str) -> Any:
        box = Box(0, 1, (2,), np.float32)
        return (
            Dict({"observation": box, "action_mask": Box(0, 1, (3,), np.int8)})
            if self.where == "dict"
            else box
        )

    def action_space(self, agent: str) -> Any:
        return Discrete(3)

    def mask(self, number: int) -> Any:
        if number != self.t % 3:
            return np.ones(3, dtype=np.int8)
        return np.array([0, 0, 0] if self.zeros else [0, 1, 1], dtype=np.int8)

    def seen(self) -> Any:
        masked = self.t >= self.start
        numbers = {agent: self.rng.random(2, dtype=np.float32) for agent in self.possible_agents}
        masks = {agent: self.mask(i) for i, agent in enumerate(self.possible_agents) if masked}
        infos = {agent: {} for agent in self.possible_agents}
        if self.where == "dict":
            whole = {agent: {"observation": seen} for agent, seen in numbers.items()}
            for agent, mask in masks.items():
                whole[agent]["action_mask"] = mask
            return whole, infos
        return numbers, {agent: {"action_mask": mask} for agent, mask in masks.items()} if masks else infos

    def reset(self, seed: int | None = None, options: Any = None) -> Any:
        self.rng, self.t, self.played = np.random.default_rng(seed), 0, []
        self.start = 99 if self.random_begin and self.rng.random() < 0.5 else self.begin
        self.agents = list(self.possible_agents)
        return self.seen()

    def step(self, actions: dict[str, int]) -> Any:
        self.played.append(dict(actions))
        self.t += 1
        ended = dict.fromkeys(self.agents, False)
        cut = dict.fromkeys(self.agents, self.t == self.max_cycles)
        seen, infos = self.seen()
        if self.t == self.max_cycles:
            self.agents = []
        return seen, {agent: float(action) for agent, action in actions.items()}, ended, cut, infos


def env(**kwargs: Any) -> Repeat:
    return Repeat(**kwargs)
