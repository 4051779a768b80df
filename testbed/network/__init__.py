"""A discrete-event network (SimPy): links, impairments, faults, transports, ledger and trace."""

from testbed.network.clock import Clock, Handle
from testbed.network.faults.behaviour import Behaviour, FalseMessage
from testbed.network.faults.byzantine import ByzantineFault
from testbed.network.faults.crash import CrashFault
from testbed.network.faults.fault import FaultReport
from testbed.network.faults.hold import HoldFault
from testbed.network.faults.link_down import LinkFault
from testbed.network.faults.partition import PartitionFault
from testbed.network.faults.straggler import StragglerFault
from testbed.network.impairments.link_settings import LinkSettings
from testbed.network.ledger import Ledger
from testbed.network.message import Message
from testbed.network.network import Network
from testbed.network.settings import NetworkSettings
from testbed.network.streams import Streams
from testbed.network.trace.trace import Trace, first_difference

__all__ = [
    "Behaviour",
    "ByzantineFault",
    "Clock",
    "CrashFault",
    "FalseMessage",
    "FaultReport",
    "Handle",
    "HoldFault",
    "Ledger",
    "LinkFault",
    "LinkSettings",
    "Message",
    "Network",
    "NetworkSettings",
    "PartitionFault",
    "StragglerFault",
    "Streams",
    "Trace",
    "first_difference",
]
