"""Event-triggered sending: a message goes out only if it would tell its receiver enough that is new.

An agent sends to a neighbour when its signal for it has moved by at least c alpha^k, in the Euclidean norm,
from the value in its last message; k counts the agent's own solves. The receiver uses the last value it
got until another comes. Constant thresholds: Dimarogonas, Frazzoli & Johansson 2012, "Distributed
event-triggered control for multi-agent systems". Thresholds that decay as c alpha^k: Seyboth, Dimarogonas &
Johansson 2013, "Event-based broadcasting for multi-agent average consensus", and for ADMM Liu, Xu, Tian, Ling
& Ribeiro 2019, "Communication-censored ADMM for decentralized consensus optimization".

An agent does not know which messages were lost: a neighbour that missed one keeps an older value until the
signal moves again, or `longest_silence` is over.
"""

from typing import Annotated

from pydantic import Field

from testbed.common.settings import Settings


class EventTrigger(Settings):
    """When an agent holds a message back."""

    threshold: Annotated[float, Field(ge=0)]
    """c, the Euclidean norm from which on a change is sent, in the first solve; 0: everything is sent."""
    decay: Annotated[float, Field(gt=0, le=1)] = 1.0
    """alpha, by which the threshold is multiplied at each of the agent's solves; 1: it stays."""
    longest_silence: Annotated[int | None, Field(ge=1)] = None
    """Messages to a neighbour that may be held back one after another; null: any number."""

    def at(self, solve: int) -> float:
        """The threshold at an agent's solve number ``solve``, counted from 0."""
        return float(self.threshold * self.decay**solve)
