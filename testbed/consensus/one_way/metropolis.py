"""Averaging with Metropolis weights, or by a robust rule among neighbours that may lie."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from testbed.common.settings import SettingError
from testbed.consensus.one_way.averaging import Averaging
from testbed.consensus.one_way.base import OneWayAgent
from testbed.consensus.payloads import Payload, updated
from testbed.consensus.problems.base import Signal
from testbed.consensus.robust_rule import RobustRule


class MetropolisAgent(OneWayAgent):
    """s_i = b_i + sum over j heard since b_i was sent of W_ij (b_j - b_i), W_ij = 1 / (1 + max(d_i, d_j)).

    Xiao, Boyd & Lall 2005, "A scheme for robust distributed sensor fusion based on average consensus". With
    its next solve s_i becomes the new b_i. A neighbour that was not heard counts as if it agreed: its weight
    goes to the agent itself, so that the messages received are still averaged with weights that add up to
    one; if that neighbour did hear this agent, the mean is not preserved.
    """

    def __init__(self, index: int, start: Signal, weights: dict[int, float]) -> None:
        """``weights`` has W_ij for each neighbour j."""
        super().__init__(index, list(weights))
        self.s = self.base = start
        self.weights = weights
        self.inbox: dict[int, Payload] = {}

    def start_round(self) -> None:
        """Include the messages heard so far in the next ones sent; later messages are kept separate."""
        self.base, self.inbox = self.s, {}

    def solve(self, to: Sequence[int]) -> None:
        """Nothing to do: ``s`` has moved already, with every message."""

    def offer(self, neighbour: int) -> Signal:
        """b_i."""
        return self.base

    def receive(self, neighbour: int, payload: Payload, extra: float) -> None:
        """Move towards the sender; a newer message takes an older one's place."""
        heard_before = neighbour in self.inbox
        self.inbox[neighbour] = payload
        if heard_before:
            self.s = self.base
            for j, each in self.inbox.items():
                self._move(j, each)
        else:
            self._move(neighbour, payload)

    def _move(self, j: int, payload: Payload) -> None:
        values, where = payload.values, payload.where
        before, now = (self.base, self.s) if where is None else (self.base[where], self.s[where])
        self.s = updated(self.s, where, now + self.weights[j] * (values - before))


class RobustMetropolisAgent(MetropolisAgent):
    """s_i is what a rule makes of b_i and of the b_j heard since b_i was sent."""

    def __init__(self, index: int, start: Signal, weights: dict[int, float], rule: RobustRule) -> None:
        """``weights`` has W_ij for each neighbour j, which some rules use."""
        super().__init__(index, start, weights)
        self.rule = rule

    def receive(self, neighbour: int, payload: Payload, extra: float) -> None:
        """Combine everything heard; a newer message takes an older one's place."""
        self.inbox[neighbour] = payload
        heard = sorted(self.inbox)
        received = np.stack([self.inbox[j].values for j in heard])
        self.s = self.rule.combine(self.base, received, np.array([self.weights[j] for j in heard]))


class Metropolis(Averaging):
    """Averaging with Metropolis weights: Xiao, Boyd & Lall 2005. Lost messages bias the result."""

    name = "metropolis"
    codec_memories = frozenset({"error_feedback"})
    instead = " or null (choco_gossip sends differences)"
    options = frozenset({"robust", "tokens"})

    @classmethod
    def check(cls, settings: Any) -> None:
        """Check as for all averaging; a robust rule compares whole vectors."""
        super().check(settings)
        if settings.robust is not None and settings.subset < 1:
            reason = (
                f"subset {settings.subset} with robust {settings.robust.name}: must be 1, because the rule"
                " compares whole vectors"
            )
            raise SettingError(("subset",), reason)

    def averager(self, index: int, start: Signal, neighbours: Sequence[int]) -> OneWayAgent:
        """A new agent that holds the vector ``start``."""
        weights = self.weights(neighbours)
        if self.settings.robust is not None:
            return RobustMetropolisAgent(index, start, weights, self.settings.robust)
        return MetropolisAgent(index, start, weights)
