"""CHOCO-gossip: averaging that converges with messages of any contraction, however coarse."""

from collections.abc import Sequence

from testbed.consensus.one_way.averaging import Averaging
from testbed.consensus.one_way.base import OneWayAgent
from testbed.consensus.payloads import Payload
from testbed.consensus.problems.base import Signal


class ChocoAgent(OneWayAgent):
    """x_i <- x_i + gamma sum over neighbours j of W_ij (h_j - h_i), with h the copies that messages give.

    Here h_i is a copy for each neighbour, so that a message lost on one link leaves the others as they are.
    W_ij = 1 / (1 + max(d_i, d_j)). A neighbour that was never heard counts as if it agreed.
    """

    def __init__(self, index: int, start: Signal, weights: dict[int, float], step: float) -> None:
        """``weights`` has W_ij for each neighbour j; ``step`` is gamma."""
        super().__init__(index, list(weights))
        self.s = start
        self.weights, self.step = weights, step
        self.given: dict[int, Signal] = {}
        self.heard: dict[int, Signal] = {}
        self._newest: dict[int, tuple[int, int]] = {}

    def start_round(self) -> None:
        """Move by the copies as they are now: one's own as last sent, the neighbours' as last heard."""
        move = None
        for j in self.neighbours:
            if j in self.heard and j in self.given:
                pull = self.weights[j] * (self.heard[j] - self.given[j])
                move = pull if move is None else move + pull
        if move is not None:
            self.s = self.s + self.step * move

    def solve(self, to: Sequence[int]) -> None:
        """Nothing to do: ``s`` has moved already."""

    def offer(self, neighbour: int) -> Signal:
        """x_i, from which the message gives a new copy."""
        return self.s

    def sent(self, neighbour: int, payload: Payload) -> float:
        """Keep the copy that the neighbour will have."""
        self.given[neighbour] = payload.values
        return 0.0

    def receive(self, neighbour: int, payload: Payload, extra: float) -> None:
        """Keep the neighbour's newest copy."""
        if payload.stamp is None:
            raise AssertionError("CHOCO-gossip sends differences")
        number = payload.stamp.incarnation, payload.stamp.version
        if number > self._newest.get(neighbour, (-1, 0)):
            self._newest[neighbour], self.heard[neighbour] = number, payload.values


class ChocoGossip(Averaging):
    """CHOCO-gossip: Koloskova, Stich & Jaggi 2019, Algorithm 1, with acknowledged copies.

    arXiv 1902.00340, "Decentralized stochastic optimization and gossip algorithms with compressed
    communication". On a network that loses nothing, in synchronous rounds, the mean is kept and reached
    linearly if gamma is small enough for the codec. Losses move the mean.
    """

    name = "choco_gossip"
    allowed_activations = ("synchronous", "asynchronous")
    options = frozenset({"gossip_step", "trigger"})
    sends_differences = True
    instead = ", because it always sends differences"

    @classmethod
    def signals(cls, links: int, agents: int) -> int:
        """A copy given and one heard at each end of a link, and a message each way."""
        return 6 * links + 3 * agents

    def averager(self, index: int, start: Signal, neighbours: Sequence[int]) -> OneWayAgent:
        """A new agent that holds the vector ``start``."""
        return ChocoAgent(index, start, self.weights(neighbours), self.settings.gossip_step)
