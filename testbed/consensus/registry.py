"""Construction of the consensus algorithm that settings name."""

from testbed.common.errors import PluginError
from testbed.consensus.base import Consensus
from testbed.consensus.settings import ConsensusSettings
from testbed.network import Network, Streams


def make_consensus(network: Network, settings: ConsensusSettings, streams: Streams) -> Consensus:
    """The algorithm that the settings name, on a network."""
    kind = settings.kind
    if not issubclass(kind, Consensus):
        known = f"{Consensus.__module__}.{Consensus.__name__}"
        raise PluginError(
            f"consensus.algorithm: {kind.__module__}.{kind.__name__} is not a subclass of {known}"
        )
    return kind(network, settings, streams)
