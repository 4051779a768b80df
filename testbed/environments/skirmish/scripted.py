"""Policies without learning: baselines for skirmish, also used to validate it.

Each chooses for all living agents of all episodes from the true state, not from observations:

* `random`: uniform over available actions.
* `stop`: all agents stop.
* `hold`: attack the nearest available target, else stop.
* `nearest`: attack the nearest available target, else move towards the nearest enemy, along the larger of the
  two distances (if that move is unavailable, along the other one).
* `focus`: as `nearest`, but of the available targets the one with the least hp and shield, the nearest of
  equals.

Targets that an agent's weapon cannot hit are ignored. Healers, in the last three: heal the available hurt
ally with the lowest share of hp; else (not in `hold`) approach the nearest hurt ally, or the nearest ally if
nobody is hurt, when it is further than 3 away; else stop. With a number at the end (`nearest10`), each living
agent takes a uniformly random available action instead with that probability in per cent.
"""

import re
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from testbed.environments.action_masks import uniform
from testbed.environments.skirmish.battle import Battle
from testbed.environments.skirmish.observations import FIRST_TARGET
from testbed.environments.skirmish.units import Roster

BASES = ("random", "stop", "hold", "nearest", "focus")
CLOSE_TO_ALLY = 3.0
STOP, NORTH, SOUTH, EAST, WEST = range(1, 6)

Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]
Actions = NDArray[np.int64]


class Fought(Protocol):
    """The part of a skirmish that scripts use: the units, and the state of the battles."""

    roster: Roster
    battle: Battle


class Scripted:
    """A scripted policy for one environment, called like a learner.

    Args:
        environment: the skirmish whose current state it acts on.
        policy: a name, such as `focus` or `focus10`.

    Raises:
        ValueError: for an unknown name.
    """

    def __init__(self, environment: Fought, policy: str) -> None:
        match = re.fullmatch(r"([a-z]+)(\d{1,2})?", policy)
        if match is None or match[1] not in BASES:
            raise ValueError(
                f"policy: got {policy!r}, must be one of {', '.join(BASES)}, with an optional percentage"
            )
        self.environment = environment
        self.base = match[1]
        self.randomness = int(match[2] or 0) / 100

    def act(
        self, observations: NDArray[np.float32], masks: Bools | None, generator: np.random.Generator | None
    ) -> Actions:
        """Actions `[batch, agent]`; `observations` are not used, randomness comes from `generator`.

        Raises:
            ValueError: without masks, which a skirmish with `unavailable: random` does not give, or without a
                generator for a policy that has randomness.
        """
        if masks is None:
            raise ValueError(f"{self.base}: needs masks, got none")
        if generator is None and (self.base == "random" or self.randomness):
            raise ValueError(f"{self.base}: needs a generator for its random actions, got none")
        if generator is not None and self.base == "random":
            return uniform(masks, generator)
        actions = self._plan(masks)
        if generator is not None and self.randomness:
            astray = generator.random(actions.shape) < self.randomness
            actions = np.where(astray, uniform(masks, generator), actions)
        return actions

    def _plan(self, masks: Bools) -> Actions:
        roster, battle = self.environment.roster, self.environment.battle
        agents, units = roster.allies, roster.units
        alive = battle.alive[:units].T  # [batch, unit]
        actions = np.where(alive[:, :agents], STOP, 0)
        if self.base == "stop":
            return actions
        x, y = battle.x[:units].T, battle.y[:units].T
        rows = np.arange(len(x))
        points = battle.hp.T + battle.shield.T
        share = battle.hp.T / roster.hp
        for agent in range(agents):
            dx, dy = x - x[:, [agent]], y - y[:, [agent]]
            square = dx * dx + dy * dy
            mask = masks[:, agent]
            if roster.healer[agent]:
                others = alive[:, :agents] & roster.can_hit[agent, :agents] & ~roster.healer[:agents]
                hurt = others & (share[:, :agents] < 1)
                available = mask[:, FIRST_TARGET : FIRST_TARGET + agents] & hurt
                key = share[:, :agents]
                goals = np.where(hurt.any(axis=1)[:, None], hurt, others)
                goal, some_goal = _least(square[:, :agents], goals)
                some_goal &= square[rows, goal] > CLOSE_TO_ALLY**2
            else:
                side = alive[:, agents:] & roster.can_hit[agent, agents:]
                available = mask[:, FIRST_TARGET : FIRST_TARGET + roster.enemies] & side
                key = square[:, agents:]
                if self.base == "focus":
                    least = np.where(available, points[:, agents:], np.inf).min(axis=1, keepdims=True)
                    available &= points[:, agents:] == least
                goal, some_goal = _least(square[:, agents:], side)
                goal += agents
            target, some_target = _least(key, available)
            choice = np.where(some_target, FIRST_TARGET + target, STOP)
            if self.base != "hold":
                move = _towards(dx[rows, goal], dy[rows, goal], mask)
                choice = np.where(~some_target & some_goal, move, choice)
            actions[:, agent] = np.where(alive[:, agent], choice, 0)
        return actions


def _least(key: NDArray[np.floating], allowed: Bools) -> tuple[Actions, Bools]:
    """The first column with the least key among those allowed, and whether any is, `[batch]`."""
    return np.where(allowed, key, np.inf).argmin(axis=1), np.logical_or.reduce(allowed, axis=1)


def _towards(dx: Floats, dy: Floats, mask: Bools) -> Actions:
    """The available move along the larger of dx and dy, else along the other, else stop."""
    along_x, along_y = np.where(dx > 0, EAST, WEST), np.where(dy > 0, NORTH, SOUTH)
    x_first = np.abs(dx) >= np.abs(dy)
    first, second = np.where(x_first, along_x, along_y), np.where(x_first, along_y, along_x)
    row = np.arange(len(mask))
    return np.where(mask[row, first], first, np.where(mask[row, second], second, STOP))
