"""The interface of every consensus algorithm."""

from abc import abstractmethod
from collections.abc import Sequence

from testbed.consensus.activation import Activations
from testbed.consensus.consensus_run import ConsensusRun, Measure, Observer, Progress
from testbed.consensus.payloads import Codecs
from testbed.consensus.problems.base import LocalProblem
from testbed.consensus.result import ConsensusResult
from testbed.consensus.settings import ConsensusSettings
from testbed.consensus.traits import ConsensusAlgorithm
from testbed.network import Network, Streams
from testbed.network.link_names import Link


class Consensus(ConsensusAlgorithm):
    """An algorithm on one network, which lives as long as it and runs one agreement per policy update."""

    def __init__(self, network: Network, settings: ConsensusSettings, streams: Streams) -> None:
        self.network, self.settings = network, settings
        self.links: list[Link] = sorted((min(u, v), max(u, v)) for u, v in network.graph.edges)
        self.activations = Activations(settings, self.links, streams)
        self.codecs = Codecs(settings, streams)
        self.observer: Observer | None = None
        """Measures every agreement from now on."""

    def agree(
        self,
        problems: Sequence[LocalProblem],
        *,
        measure: Measure | None = None,
        progress: Progress | None = None,
    ) -> ConsensusResult:
        """Run one agreement from zero variables until the budget is spent.

        ``measure(signals)`` adds columns to the curve; ``progress(row)`` receives every row.

        Raises:
            ValueError: there is not one problem per agent, or the algorithm cannot solve them.
        """
        nodes = len(self.network.graph)
        if len(problems) != nodes:
            raise ValueError(f"problems: got {len(problems)}, must be one for each of the {nodes} nodes")
        run = self.consensus_run(problems, measure, progress)
        run.observer = self.observer
        return run.run()

    @abstractmethod
    def consensus_run(
        self, problems: Sequence[LocalProblem], measure: Measure | None, progress: Progress | None
    ) -> ConsensusRun:
        """A new agreement, ready to run."""
