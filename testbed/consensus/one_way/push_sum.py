"""Push-sum, and push-sum with running sums, which stays exact when messages are lost."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from testbed.common.settings import SettingError
from testbed.consensus.one_way.averaging import Averaging
from testbed.consensus.one_way.base import OneWayAgent
from testbed.consensus.payloads import Payload, as_numpy, doubled
from testbed.consensus.problems.base import Signal
from testbed.consensus.traits import ConsensusAlgorithm

UNSCALED = (2.0**-10, 2.0**10)
"""Weights between which mass is sent unscaled; beyond, it is divided by a power of two near its weight."""


class PushSumAgent(OneWayAgent):
    """Holds mass x [m] and weight w, s = x / w; sends equal shares of both and keeps one.

    Kempe, Dobra & Gehrke 2003, "Gossip-based computation of aggregate information". The rounding error
    of a number format stays with the sender. A lost message loses mass, and a duplicated one adds some.
    """

    sends_weight = True

    def __init__(self, index: int, start: Signal, neighbours: Sequence[int]) -> None:
        super().__init__(index, neighbours)
        self.s = self.mass = start
        self.weight = 1.0
        self.share: tuple[Signal, float] = (start, 0.0)
        self.least = float(np.finfo(as_numpy(start).dtype).tiny)
        """Weights below this belong to masses with hardly a significant digit left."""
        self.most = 1 / math.sqrt(self.least)
        """Weights above this, a power of two, belong to masses that may soon overflow."""

    def start_round(self) -> None:
        """Nothing to do: mass that arrives in the meantime is passed on as well."""

    def solve(self, to: Sequence[int]) -> None:
        """Divide the mass into shares."""
        parts = len(to) + 1
        self.share = (self.mass / parts, self.weight / parts)
        self.mass, self.weight = self.share

    def offer(self, neighbour: int) -> Signal:
        """x_i / (1 + receivers), in the scale of its weight."""
        return self.share[0] / self._scale(self.share[1])

    def sent(self, neighbour: int, payload: Payload) -> float:
        """Keep the rounding error; w_i / (1 + receivers) goes with the message."""
        if not payload.exact:
            self.mass = self.mass + (self.share[0] - payload.values * self._scale(self.share[1]))
        return self.share[1]

    def receive(self, neighbour: int, payload: Payload, extra: float) -> None:
        """Add the received mass and weight to one's own."""
        self._gain(payload.values * self._scale(extra), extra)

    def _scale(self, weight: float) -> float:
        """The power of two by which the mass of a given weight is divided, known to both ends.

        Losses make weights ever smaller, duplicates ever greater; the scale keeps mass in every format's
        range.
        """
        if UNSCALED[0] <= weight < UNSCALED[1]:
            return 1.0
        return float(max(2.0 ** math.frexp(weight)[1], self.least))

    def _gain(self, mass: Signal, weight: float) -> None:
        self.mass, self.weight = self.mass + mass, self.weight + weight
        # Losses can leave so little of both that their quotient is meaningless: then s stays.
        if self.weight > self.least:
            self.s = self.mass / self.weight
        # Duplicates can make both nearly overflow: then both are scaled down equally.
        if self.weight > self.most:
            self.mass, self.weight = self.mass / self.most, self.weight / self.most


class RobustPushSumAgent(PushSumAgent):
    """Sends the sum of all shares so far: the content of a lost message comes with the next one.

    Vaidya, Hadjicostis & Dominguez-Garcia 2012, "Robust average consensus over packet dropping links"
    (arXiv 1203.6049). As the sum of the weights only grows, it also identifies duplicates and late messages.
    The sums are float64: their rounding error must not grow as they do.
    """

    def __init__(self, index: int, start: Signal, neighbours: Sequence[int]) -> None:
        start = doubled(start)
        super().__init__(index, start, neighbours)
        nothing = (start - start, 0.0)
        self.given: dict[int, tuple[Signal, float]] = dict.fromkeys(neighbours, nothing)
        self.taken: dict[int, tuple[Signal, float]] = dict.fromkeys(neighbours, nothing)

    def solve(self, to: Sequence[int]) -> None:
        """Divide the mass into shares."""
        super().solve(to)
        mass, weight = self.share
        for j in to:
            self.given[j] = (self.given[j][0] + mass, self.given[j][1] + weight)

    def offer(self, neighbour: int) -> Signal:
        """The sum of the shares of mass so far."""
        return self.given[neighbour][0]

    def sent(self, neighbour: int, payload: Payload) -> float:
        """The sum of the shares of weight so far."""
        return self.given[neighbour][1]

    def receive(self, neighbour: int, payload: Payload, extra: float) -> None:
        """Add the new part of both sums to one's own."""
        mass, weight = self.taken[neighbour]
        if extra > weight:
            self.taken[neighbour] = (payload.values, extra)
            self._gain(payload.values - mass, extra - weight)


def whole_messages(algorithm: type[ConsensusAlgorithm], settings: Any) -> None:
    """Raise SettingError if messages would cover only a subset of the numbers."""
    if settings.subset < 1:
        reason = (
            f"subset {settings.subset} with {algorithm.name}: must be 1, because a message's weight belongs"
            " to all of its numbers"
        )
        raise SettingError(("subset",), reason)


class PushSum(Averaging):
    """Push-sum: Kempe, Dobra & Gehrke 2003. Lost messages bias what is agreed on."""

    name = "push_sum"

    @classmethod
    def check(cls, settings: Any) -> None:
        """Check as for all averaging; every message must cover all numbers."""
        super().check(settings)
        whole_messages(cls, settings)

    def averager(self, index: int, start: Signal, neighbours: Sequence[int]) -> OneWayAgent:
        """A new agent that holds the vector ``start``."""
        return PushSumAgent(index, start, neighbours)


class RobustPushSum(Averaging):
    """Push-sum with running sums: Vaidya, Hadjicostis & Dominguez-Garcia 2012. Exact at any loss below 1."""

    name = "robust_push_sum"

    @classmethod
    def check(cls, settings: Any) -> None:
        """Check as for push-sum; the sums must be written in full."""
        super().check(settings)
        whole_messages(cls, settings)
        name = None if settings.codec is None else settings.codec.name
        if name not in (None, "float64"):
            reason = (
                f"codec {name!r} with {cls.name}: must be null or float64, because its running sums"
                " grow without bound, and so would the error of fewer bits (push_sum accepts any codec)"
            )
            raise SettingError(("codec",), reason)

    @classmethod
    def signals(cls, links: int, agents: int) -> int:
        """The sums sent and received at each end of a link, and a message each way."""
        return 6 * links + 5 * agents

    def averager(self, index: int, start: Signal, neighbours: Sequence[int]) -> OneWayAgent:
        """A new agent that holds the vector ``start``."""
        return RobustPushSumAgent(index, start, neighbours)
