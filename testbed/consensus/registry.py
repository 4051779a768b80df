"""The consensus algorithms by name."""

from testbed.consensus.base import Consensus
from testbed.consensus.edge_admm.algorithm import EdgeADMM
from testbed.consensus.one_way.averaging import Metropolis, PushSum, RobustPushSum
from testbed.consensus.one_way.relaxed_admm import RelaxedADMM
from testbed.consensus.settings import Algorithm, ConsensusSettings
from testbed.network import Network, Streams

ALGORITHMS: dict[Algorithm, type[Consensus]] = {
    "edge_admm": EdgeADMM,
    "relaxed_admm": RelaxedADMM,
    "metropolis": Metropolis,
    "push_sum": PushSum,
    "robust_push_sum": RobustPushSum,
}


def make_consensus(network: Network, settings: ConsensusSettings, streams: Streams) -> Consensus:
    """The algorithm that the settings name, on a network."""
    return ALGORITHMS[settings.algorithm](network, settings, streams)
