"""The order in which links or agents are activated, and the end that begins each exchange."""

from collections.abc import Iterator, Sequence

import numpy as np

from testbed.consensus.settings import ConsensusSettings
from testbed.network import Streams
from testbed.network.link_names import Link


class Activations:
    """Draws activations for a whole run; its streams continue from one agreement to the next.

    ``sequential``, as in the paper: a uniformly random link, one at a time. ``round_robin``, as in the
    authors' code: links in their order. ``poisson``: every link has its own exponential clock, so exchanges
    overlap. ``gossip``: every agent has its own exponential clock and turns to a uniformly random neighbour.
    ``asynchronous``: every agent has its own exponential clock and turns to all its neighbours.
    ``synchronous`` draws nothing. The end that begins is drawn with equal chances in ``sequential`` and
    ``poisson``; in ``round_robin`` it is the first end.
    """

    def __init__(self, settings: ConsensusSettings, links: Sequence[Link], streams: Streams) -> None:
        self.settings, self.links, self.streams = settings, list(links), streams
        self.neighbours: dict[int, list[int]] = {}
        for i, j in self.links:
            self.neighbours.setdefault(i, []).append(j)
            self.neighbours.setdefault(j, []).append(i)
        self.clocks: list[tuple[int, ...]] = []
        """The links or agents (i,) that have their own clock, in order."""
        if settings.activation == "poisson":
            self.clocks = [*self.links]
        elif settings.activation in ("gossip", "asynchronous"):
            self.clocks = [(agent,) for agent in sorted(self.neighbours)]
        self.generators = {clock: streams.generator("activation", *clock) for clock in self.clocks}

    @property
    def overlapping(self) -> bool:
        """Whether activations happen by clocks, and not in turn."""
        return bool(self.clocks)

    def in_turn(self) -> Iterator[tuple[Link, int]]:
        """Endless (link, initiator) pairs of ``sequential`` and ``round_robin``."""
        if self.settings.activation == "round_robin":
            while True:
                for link in self.links:
                    yield link, link[0]
        shared = self.streams.generator("activation")
        while True:
            link = self.links[int(shared.integers(len(self.links)))]
            yield link, link[int(shared.integers(2))]

    def wait(self, clock: tuple[int, ...]) -> float:
        """Seconds until a link's or agent's own clock ticks next."""
        return float(self._generator(clock).exponential(1 / self.settings.activation_rate))

    def exchange(self, clock: tuple[int, ...]) -> tuple[Link, int]:
        """The link to exchange on and the end that begins, when this clock ticks."""
        if len(clock) == 2:
            link = (clock[0], clock[1])
            return link, link[int(self._generator(clock).integers(2))]
        neighbour = self.neighbour(clock[0])
        return (min(clock[0], neighbour), max(clock[0], neighbour)), clock[0]

    def neighbour(self, agent: int) -> int:
        """A uniformly random neighbour of an agent with a clock."""
        around = self.neighbours[agent]
        return around[int(self._generator((agent,)).integers(len(around)))]

    def _generator(self, clock: tuple[int, ...]) -> np.random.Generator:
        return self.generators[clock]
