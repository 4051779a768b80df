"""Averaging with Metropolis weights."""

from collections.abc import Sequence

from testbed.consensus.codecs import Payload, updated
from testbed.consensus.one_way.averaging import Averaging
from testbed.consensus.one_way.base import OneWayAgent
from testbed.consensus.problems.base import Signal


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


class Metropolis(Averaging):
    """Averaging with Metropolis weights: Xiao, Boyd & Lall 2005. Lost messages bias the result."""

    name = "metropolis"

    def averager(self, index: int, start: Signal, neighbours: Sequence[int]) -> OneWayAgent:
        """A new agent that holds the vector ``start``."""
        around = self.activations.neighbours
        weights = {j: 1 / (1 + max(len(neighbours), len(around[j]))) for j in neighbours}
        return MetropolisAgent(index, start, weights)
