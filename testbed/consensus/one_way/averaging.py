"""Plain averaging as a baseline: Metropolis weights, push-sum, and push-sum with running sums.

They average vectors, so they solve the mean problem only. On a perfect network all three reach the mean of
the agents' vectors. What becomes of that when messages are lost on a ring of 8 (root mean square distance of
the agreed vector from the mean over the standard deviation of the agents' vectors, over 200 runs):

    loss                          0      0.1     0.3     0.6
    Metropolis                    0      0.077   0.137   0.193
    push-sum                      0      0.069   0.124   0.203
    push-sum with running sums    0      0       0       0

(The mean of eight such numbers has itself a standard deviation of 0.354.) So push-sum is right with one-way
messages, but not when they are lost; with running sums it is right at any loss below 1.

Running sums grow with every message, and so does what a number format rounds off of them: they are float64,
whatever the vectors are, and no coarser codec is allowed. (After a million messages the error is some 1e-10
of the vectors' size.) Push-sum takes every codec: its error stays below a few steps of the format where every
message arrives once. Messages that are lost or doubled take roundings with them or bring them: then what is
agreed on wanders.
"""

import math
from abc import abstractmethod
from collections.abc import Sequence

import numpy as np

from testbed.consensus.codecs import Parcel, as_numpy, doubled, updated
from testbed.consensus.one_way.base import OneWay, OneWayAgent
from testbed.consensus.problems.base import LocalProblem, Signal
from testbed.consensus.problems.registry import MeanProblem


class MetropolisAgent(OneWayAgent):
    """s_i = b_i + sum over j heard since b_i was sent of W_ij (b_j - b_i), W_ij = 1 / (1 + max(d_i, d_j)).

    Xiao, Boyd & Lall 2005, "A scheme for robust distributed sensor fusion based on average consensus". With
    its next solve s_i becomes the new b_i. A neighbour that was not heard counts as if it agreed: its weight
    goes to the agent itself, so that what arrived is still averaged with weights that add up to one; if that
    neighbour did hear this agent, the mean is not kept.
    """

    def __init__(self, index: int, start: Signal, weights: dict[int, float]) -> None:
        """``weights`` has W_ij for each neighbour j."""
        super().__init__(index, list(weights))
        self.s = self.base = start
        self.weights = weights
        self.inbox: dict[int, Parcel] = {}

    def begin(self) -> None:
        """What was heard so far goes into what is sent; what comes from now on is apart."""
        self.base, self.inbox = self.s, {}

    def solve(self, to: Sequence[int]) -> None:
        """It has moved already, with every message."""

    def offer(self, neighbour: int) -> Signal:
        """b_i."""
        return self.base

    def hear(self, neighbour: int, parcel: Parcel, extra: float) -> None:
        """Move towards the sender; a newer message takes an older one's place."""
        heard_before = neighbour in self.inbox
        self.inbox[neighbour] = parcel
        if heard_before:
            self.s = self.base
            for j, each in self.inbox.items():
                self._move(j, each)
        else:
            self._move(neighbour, parcel)

    def _move(self, j: int, parcel: Parcel) -> None:
        values, where = parcel.values, parcel.where
        before, now = (self.base, self.s) if where is None else (self.base[where], self.s[where])
        self.s = updated(self.s, where, now + self.weights[j] * (values - before))


UNSCALED = (2.0**-10, 2.0**10)
"""Weights between which mass is sent as it is; beyond, divided by a power of two near its weight."""


class PushSumAgent(OneWayAgent):
    """Holds mass x [m] and weight w, s = x / w; sends equal shares of both and keeps one.

    Kempe, Dobra & Gehrke 2003, "Gossip-based computation of aggregate information". What a number format
    rounds off stays with the sender. A lost message is lost mass, and a duplicated one is gained.
    """

    weighs = True

    def __init__(self, index: int, start: Signal, neighbours: Sequence[int]) -> None:
        super().__init__(index, neighbours)
        self.s = self.mass = start
        self.weight = 1.0
        self.share: tuple[Signal, float] = (start, 0.0)
        self.least = float(np.finfo(as_numpy(start).dtype).tiny)
        """Weights below this go with masses of which hardly a digit is left."""
        self.most = 1 / math.sqrt(self.least)
        """Weights above this, a power of two, go with masses that may soon be too large for a number."""

    def begin(self) -> None:
        """Mass that comes in the meantime is passed on as well."""

    def solve(self, to: Sequence[int]) -> None:
        """Part the mass."""
        parts = len(to) + 1
        self.share = (self.mass / parts, self.weight / parts)
        self.mass, self.weight = self.share

    def offer(self, neighbour: int) -> Signal:
        """x_i / (1 + receivers), in the scale of its weight."""
        return self.share[0] / self._scale(self.share[1])

    def sent(self, neighbour: int, parcel: Parcel) -> float:
        """Keep what rounding left out; w_i / (1 + receivers) goes with the message."""
        if not parcel.exact:
            self.mass = self.mass + (self.share[0] - parcel.values * self._scale(self.share[1]))
        return self.share[1]

    def hear(self, neighbour: int, parcel: Parcel, extra: float) -> None:
        """Add it to one's own."""
        self._gain(parcel.values * self._scale(extra), extra)

    def _scale(self, weight: float) -> float:
        """The power of two that the mass which goes with a weight is divided by, known to both ends.

        Losses make weights smaller without end, duplicates greater: so mass stays in every format's range.
        """
        if UNSCALED[0] <= weight < UNSCALED[1]:
            return 1.0
        return float(max(2.0 ** math.frexp(weight)[1], self.least))

    def _gain(self, mass: Signal, weight: float) -> None:
        self.mass, self.weight = self.mass + mass, self.weight + weight
        # Losses can leave so little of both that their quotient means nothing: then s stays.
        if self.weight > self.least:
            self.s = self.mass / self.weight
        # Duplicates can make both as large as numbers get: then as much is forgotten of both.
        if self.weight > self.most:
            self.mass, self.weight = self.mass / self.most, self.weight / self.most


class RobustPushSumAgent(PushSumAgent):
    """Sends the sum of all shares so far: what a lost message carried comes with the next one.

    Vaidya, Hadjicostis & Dominguez-Garcia 2012, "Robust average consensus over packet dropping links"
    (arXiv 1203.6049). As the weights' sum only grows, it also tells duplicates and late messages. The sums
    are float64: what is rounded off of them must not grow as they do.
    """

    def __init__(self, index: int, start: Signal, neighbours: Sequence[int]) -> None:
        start = doubled(start)
        super().__init__(index, start, neighbours)
        nothing = (start - start, 0.0)
        self.given: dict[int, tuple[Signal, float]] = dict.fromkeys(neighbours, nothing)
        self.taken: dict[int, tuple[Signal, float]] = dict.fromkeys(neighbours, nothing)

    def solve(self, to: Sequence[int]) -> None:
        """Part the mass."""
        super().solve(to)
        mass, weight = self.share
        for j in to:
            self.given[j] = (self.given[j][0] + mass, self.given[j][1] + weight)

    def offer(self, neighbour: int) -> Signal:
        """The sum of the shares of mass so far."""
        return self.given[neighbour][0]

    def sent(self, neighbour: int, parcel: Parcel) -> float:
        """The sum of the shares of weight so far."""
        return self.given[neighbour][1]

    def hear(self, neighbour: int, parcel: Parcel, extra: float) -> None:
        """Add what is new in it to one's own."""
        mass, weight = self.taken[neighbour]
        if extra > weight:
            self.taken[neighbour] = (parcel.values, extra)
            self._gain(parcel.values - mass, extra - weight)


class Averaging(OneWay):
    """An algorithm that averages the agents' vectors."""

    def agent(self, index: int, problem: LocalProblem, neighbours: Sequence[int]) -> OneWayAgent:
        """A new agent at the beginning of an agreement. Raises ValueError unless the problem is a mean."""
        if not isinstance(problem, MeanProblem):
            raise ValueError(
                f"algorithm {self.settings.algorithm!r} averages vectors: the problem must be the mean,"
                f" not a {type(problem).__name__}"
            )
        return self.averager(index, problem.a, neighbours)

    @abstractmethod
    def averager(self, index: int, start: Signal, neighbours: Sequence[int]) -> OneWayAgent:
        """A new agent that holds the vector ``start``."""


class Metropolis(Averaging):
    """Averaging with Metropolis weights: Xiao, Boyd & Lall 2005. Lost messages bias what is agreed on."""

    def averager(self, index: int, start: Signal, neighbours: Sequence[int]) -> OneWayAgent:
        """A new agent that holds the vector ``start``."""
        around = self.activations.neighbours
        weights = {j: 1 / (1 + max(len(neighbours), len(around[j]))) for j in neighbours}
        return MetropolisAgent(index, start, weights)


class PushSum(Averaging):
    """Push-sum: Kempe, Dobra & Gehrke 2003. Lost messages bias what is agreed on."""

    def averager(self, index: int, start: Signal, neighbours: Sequence[int]) -> OneWayAgent:
        """A new agent that holds the vector ``start``."""
        return PushSumAgent(index, start, neighbours)


class RobustPushSum(Averaging):
    """Push-sum with running sums: Vaidya, Hadjicostis & Dominguez-Garcia 2012. Right at any loss below 1."""

    def averager(self, index: int, start: Signal, neighbours: Sequence[int]) -> OneWayAgent:
        """A new agent that holds the vector ``start``."""
        return RobustPushSumAgent(index, start, neighbours)
