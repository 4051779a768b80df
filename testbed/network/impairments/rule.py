"""The fate of a packet is decided by an ordered chain of rules, one chain per direction of a link.

Every rule sees every packet, even one that an earlier rule has dropped, so that a rule which draws random
numbers draws the same ones whatever happened before: conditions stay paired packet by packet.

The settings use the terms of tc-netem(8); where the meaning differs from that in Linux's `sch_netem.c`, they
say "unlike netem". Wherever a probability stands alone, `loss: 0.1` is short for
`loss: {random: 0.1}`.

`correlation` c couples the fate of a packet to that of the one before it: with probability c it is the same,
otherwise it is drawn again. The probability is unchanged, and the autocorrelation after k packets is
c^k (the discrete autoregression DAR(1) of Jacobs and Lewis, 1978). netem mixes the random numbers themselves
instead, which changes the probability.
"""

from collections import deque
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field, Tag

from testbed.common.settings import Settings
from testbed.identity import differing
from testbed.network.message import Message
from testbed.network.streams import CorrelatedDraws, Draws, GeneratorFor, bernoulli_draws

LINK_DOWN = "link_down"
QUEUE_FULL = "queue_full"
LOSS = "loss"
CORRUPT = "corrupt"
AGENT_DOWN = "agent_down"
REASONS = (LINK_DOWN, QUEUE_FULL, LOSS, CORRUPT, AGENT_DOWN)
"""Reasons for drops, in the order of the rules."""


class Fate:
    """The decisions of the rules so far about one packet."""

    __slots__ = ("reason", "time")

    def __init__(self, time: float) -> None:
        self.time = time
        """The packet's time in simulated seconds: its sending time first, its arrival time in the end."""
        self.reason: str | None = None
        """Reason for which it is dropped; None while it is not."""


class Rule:
    """One step of the chain: it drops a packet by setting `fate.reason`, delays it by raising `fate.time`."""

    __slots__ = ()

    def decide(self, message: Message, fate: Fate) -> None:
        """Act on one packet. Random numbers must be drawn before looking at `fate`."""
        raise NotImplementedError

    def clear(self) -> None:
        """Forget the packets on the link: they were taken off it."""

    def state_dict(self) -> Any:
        """The state that `decide` keeps from packet to packet, JSON-able and exact; None if there is none."""
        return None

    def load_state_dict(self, state: Any) -> None:
        """Return to what `state_dict` gave; None is the beginning."""


Probability = Annotated[float, Field(ge=0.0, le=1.0)]

PlainNumber = Annotated[Probability, Tag("a number")]
"""A probability alone, where detailed settings are allowed as well: see `form`."""


class Chance(Settings):
    """Something that happens to a packet with a probability."""

    random: Probability
    """Probability per packet."""
    correlation: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0
    """Probability that a packet has the fate of the one before it, rather than one of its own. Unlike netem,
    which averages random numbers and so changes the probability."""

    def essence(self) -> Any:
        """The probability alone, where the rest has its defaults; see `testbed.identity`."""
        found = differing(self)
        return found["random"] if found.keys() == {"random"} or self.random == 0 else found


def form(value: Any) -> str:
    """The tag of a union: a probability alone, or detailed settings."""
    # No tag may be the name of a field: error messages tell the two apart by that.
    return "in detail" if isinstance(value, Settings | Mapping) else "a number"


class Drop(Rule):
    """Each packet is dropped with the same probability (netem: `loss random p`, or detected `corrupt`)."""

    __slots__ = ("_draws", "_drops", "_reason")

    def __init__(self, chance: Chance, reason: str, stream: GeneratorFor) -> None:
        self._draws = bernoulli_draws(chance.random, chance.correlation, reason, stream)
        self._drops = self._draws.next
        self._reason = reason

    def decide(self, message: Message, fate: Fate) -> None:
        if self._drops() and fate.reason is None:
            fate.reason = self._reason

    def state_dict(self) -> Any:
        return self._draws.state_dict()

    def load_state_dict(self, state: Any) -> None:
        self._draws.load_state_dict(state)


class Down(Rule):
    """A link, or the agent that sends, is down and takes no packets. The rule counts those it refused.

    An agent that is down sends nothing, so its packets are dropped as `agent_down` even where the link is
    down as well, whichever of the two came first.
    """

    __slots__ = ("reason", "refused")

    def __init__(self, reason: str = LINK_DOWN) -> None:
        self.reason = reason
        self.refused = 0

    def decide(self, message: Message, fate: Fate) -> None:
        self.refused += 1
        if fate.reason is None or self.reason == AGENT_DOWN:
            fate.reason = self.reason


class Transmission(Rule):
    """A transmitter of `rate` bytes per second, first come first served, with a drop-tail queue.

    At most `limit` packets wait or are in transmission.
    """

    __slots__ = ("_departures", "_free_at", "_limit", "_rate")

    def __init__(self, rate: float, limit: int | None) -> None:
        self._rate = rate
        self._limit = limit
        self._free_at = 0.0
        # When each packet that waits or is in transmission leaves; not kept without a limit.
        self._departures: deque[float] = deque()

    def decide(self, message: Message, fate: Fate) -> None:
        if fate.reason is not None:
            return
        time = fate.time
        if self._limit is not None and self._is_full(time):
            fate.reason = QUEUE_FULL
            return
        start = self._free_at if self._free_at > time else time
        fate.time = self._free_at = start + message.size / self._rate
        if self._limit is not None:
            self._departures.append(fate.time)

    def _is_full(self, time: float) -> bool:
        """Whether as many packets as may wait or be in transmission do so."""
        departures = self._departures
        while departures and departures[0] <= time:
            departures.popleft()
        return len(departures) >= (self._limit or 0)

    def backlog(self, now: float) -> float:
        """Seconds until the transmitter is free."""
        return max(self._free_at - now, 0.0)

    def clear(self) -> None:
        self._free_at = 0.0
        self._departures.clear()

    def state_dict(self) -> Any:
        return {"free_at": self._free_at, "departures": list(self._departures)}

    def load_state_dict(self, state: Any) -> None:
        self._free_at = state["free_at"]
        self._departures = deque(state["departures"])


class Delay(Rule):
    """Propagation, always the same. Any number of packets propagate at once."""

    __slots__ = ("_delay",)

    def __init__(self, delay: float) -> None:
        self._delay = delay

    def decide(self, message: Message, fate: Fate) -> None:
        fate.time += self._delay


class Jitter(Rule):
    """Propagation by a distribution of `testbed.network.impairments.delay`."""

    __slots__ = ("_delay", "_draws")

    def __init__(self, draws: Draws | CorrelatedDraws) -> None:
        self._draws = draws
        self._delay = draws.next

    def decide(self, message: Message, fate: Fate) -> None:
        fate.time += self._delay()

    def state_dict(self) -> Any:
        return self._draws.state_dict()

    def load_state_dict(self, state: Any) -> None:
        self._draws.load_state_dict(state)


class InOrder(Rule):
    """First in, first out: a packet that would overtake another arrives together with it, just after it."""

    __slots__ = ("_latest",)

    def __init__(self) -> None:
        self._latest = 0.0

    def decide(self, message: Message, fate: Fate) -> None:
        if fate.reason is None:
            if fate.time < self._latest:
                fate.time = self._latest
            else:
                self._latest = fate.time

    def clear(self) -> None:
        self._latest = 0.0

    def state_dict(self) -> Any:
        return {"latest": self._latest}

    def load_state_dict(self, state: Any) -> None:
        self._latest = state["latest"]
