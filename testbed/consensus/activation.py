"""Which link is activated when, and by which of its ends."""

from collections.abc import Iterator, Sequence

from testbed.consensus.agent import Link
from testbed.consensus.settings import ConsensusSettings
from testbed.network import Streams


class Activations:
    """Draws activations for a whole run; its streams go on from one agreement to the next.

    ``sequential`` is the paper's: a uniformly random link, one at a time. ``round_robin`` is the authors'
    code: links in their order. ``poisson``: every link has its own exponential clock, so exchanges overlap.
    The end that begins is drawn with equal chances, except in ``round_robin``, where the first end begins.
    """

    def __init__(self, settings: ConsensusSettings, links: Sequence[Link], streams: Streams) -> None:
        self.settings, self.links = settings, list(links)
        self.overlapping = settings.activation == "poisson"
        if self.overlapping:
            self.generators = {link: streams.generator("activation", *link) for link in self.links}
        elif settings.activation == "sequential":
            self.shared = streams.generator("activation")

    def in_turn(self) -> Iterator[tuple[Link, int]]:
        """Endless (link, initiator) pairs of ``sequential`` and ``round_robin``."""
        if self.settings.activation == "round_robin":
            while True:
                for link in self.links:
                    yield link, link[0]
        while True:
            link = self.links[int(self.shared.integers(len(self.links)))]
            yield link, link[int(self.shared.integers(2))]

    def wait(self, link: Link) -> float:
        """Seconds until the link's own clock rings next (``poisson``)."""
        return float(self.generators[link].exponential(1 / self.settings.activation_rate))

    def initiator(self, link: Link) -> int:
        """The end that begins when the link's own clock rings (``poisson``)."""
        return link[int(self.generators[link].integers(2))]
