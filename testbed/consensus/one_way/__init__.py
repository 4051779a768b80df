"""Consensus by one-way messages: averaging and relaxed ADMM."""

from testbed.consensus.one_way.choco_gossip import ChocoGossip
from testbed.consensus.one_way.metropolis import Metropolis
from testbed.consensus.one_way.push_sum import PushSum, RobustPushSum
from testbed.consensus.one_way.relaxed_admm import RelaxedADMM

__all__ = ["ChocoGossip", "Metropolis", "PushSum", "RelaxedADMM", "RobustPushSum"]
