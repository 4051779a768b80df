"""Consensus by one-way messages: averaging, relaxed ADMM and first-order methods."""

from testbed.consensus.one_way.choco_gossip import ChocoGossip
from testbed.consensus.one_way.dgd import DGD
from testbed.consensus.one_way.dsgd import DSGD
from testbed.consensus.one_way.extra import Extra
from testbed.consensus.one_way.gradient_tracking import GradientTracking
from testbed.consensus.one_way.metropolis import Metropolis
from testbed.consensus.one_way.nids import Nids
from testbed.consensus.one_way.push_sum import PushSum, RobustPushSum
from testbed.consensus.one_way.relaxed_admm import RelaxedADMM

__all__ = [
    "DGD",
    "DSGD",
    "ChocoGossip",
    "Extra",
    "GradientTracking",
    "Metropolis",
    "Nids",
    "PushSum",
    "RelaxedADMM",
    "RobustPushSum",
]
