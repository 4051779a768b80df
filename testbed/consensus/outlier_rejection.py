"""Outlier rejection: an agent ignores a message that asks far more of a link than earlier ones did.

A message of ADMM asks an agent to change its variable of the link from v to v'. The *innovation* is the root
mean square of v' - v over the coordinates that the message covers, where

* edge-ADMM: v = y_qe, the link's dual, and v' = kappa (p_i + p_j);
* relaxed ADMM: v = z_ji, and v' = kappa q_{i->j} + (1 - kappa) q_{j->i};

kappa is 1 without quadratic coupling (``testbed.consensus.coupling``), and a dual limit acts later, on what
is accepted. A message is an outlier if its innovation d is beyond the Hampel identifier of the last
``window`` innovations that this end of the link has accepted,

    d > max(floor, median + k 1.4826 max(MAD, median / 100)) ,

with MAD the median of their absolute deviations from their median; 1.4826 MAD estimates the standard
deviation of a normal distribution (Hampel 1974, "The influence curve and its role in robust estimation", J.
American Statistical Association 69; Davies & Gather 1993, "The identification of multiple outliers", same
journal 88). One side only: a small change does no harm. Each end of each link decides by itself, from its
own messages. Only accepted innovations count, so that a lie that goes on stays an outlier; with a small k
they shrink from one rejection to the next, until honest messages are rejected as well.

The first ``warm_up`` messages are accepted, for there is no scale before. So the rule protects from agents
that begin to lie, or lie more boldly, after they have been heard truly; it does nothing against

* one that lies from its first message on: the lie sets the scale;
* one that moves slowly, so that each message asks for no more than those before (Byzantine agents that know
  the rule do: Baruch, Baruch & Goldberg 2019, "A little is enough", arXiv 1902.06156). The dual limit
  (``testbed.consensus.dual_limit``) bounds these.

A rejected message is as good as lost: the link's variable is held. An honest agent whose messages jump,
because it has lost its state in a crash or has been cut off for long, is rejected like a liar, and for as
long as its messages ask for the jump.
"""

import math
from collections import deque
from statistics import median
from typing import Annotated, Self

from pydantic import Field, model_validator

from testbed.common.settings import Settings

LEAST_MAD = 0.01
"""The MAD counts as at least this share of the median: it is zero where half of the innovations are equal."""

NORMAL = 1.4826
"""The standard deviation of a normal distribution over the median of its absolute deviations from its median.
"""


class OutlierRejection(Settings):
    """When an agent of ADMM rejects a message; see `testbed.consensus.outlier_rejection`."""

    k: Annotated[float, Field(gt=0, le=1e9)] = 20.0
    """How far beyond the median an innovation may be, in robust standard deviations (1.4826 MAD)."""
    window: Annotated[int, Field(ge=3, le=10_000)] = 20
    """The last accepted innovations of a link's end from which median and MAD are taken."""
    warm_up: Annotated[int, Field(ge=3, le=10_000)] = 10
    """Messages that each end of a link accepts unseen, counted from 0 in each agreement; no more than
    `window`."""
    floor: Annotated[float, Field(ge=0, le=1e9)] = 1e-9
    """Innovations up to this are never rejected, in the unit of the link's variable: rounding is none."""

    @model_validator(mode="after")
    def _can_warm_up(self) -> Self:
        if self.warm_up > self.window:
            raise ValueError(f"warm_up {self.warm_up} must be at most the window {self.window}")
        return self


class OutlierFilter:
    """The innovations that one end of a link has accepted, and its verdict on the next."""

    __slots__ = ("_accepted", "_rule")

    def __init__(self, rule: OutlierRejection) -> None:
        """Nothing has been accepted yet."""
        self._rule = rule
        self._accepted: deque[float] = deque(maxlen=rule.window)

    def bound(self) -> float:
        """The largest innovation that is accepted next; infinite during the warm-up."""
        if len(self._accepted) < self._rule.warm_up:
            return math.inf
        middle = median(self._accepted)
        deviation = median(abs(each - middle) for each in self._accepted)
        spread = NORMAL * max(deviation, LEAST_MAD * middle)
        return max(self._rule.floor, middle + self._rule.k * spread)

    def rejects(self, innovation: float) -> bool:
        """Whether a message is an outlier; if not, its innovation counts from now on.

        An innovation that is not finite is one, even during the warm-up.
        """
        if not (math.isfinite(innovation) and innovation <= self.bound()):
            return True
        self._accepted.append(innovation)
        return False
