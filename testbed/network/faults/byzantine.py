"""Agents that lie: they send other numbers than the algorithm asks for.

A liar takes part in the algorithm, and its own state stays honest: it reads what it receives, solves and
commits as an honest agent does. Only the numbers in its messages are false, before they are encoded: codecs,
losses, duplicates, corruption and retransmissions act on them as on true ones. Headers are true: kinds,
numbers of exchanges, the weights of push-sum, acknowledgements. In the terms of the literature on consensus
these are malicious agents or, as each receiver may be sent different numbers, Byzantine ones (LeBlanc, Zhang,
Koutsoukos & Sundaram 2013, "Resilient asymptotic consensus in robust networks"; Lamport, Shostak & Pease
1982).

The network does not read payloads. It knows who lies now (`Network.liars`), and consensus asks it for the
numbers of every message: see `testbed.consensus.falsification`.
"""

from collections.abc import Iterable
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from testbed.network.faults.behaviour import AnyBehaviour, Behaviour, FalseMessage
from testbed.network.faults.context import FaultContext, Target
from testbed.network.faults.fault import Fault, FaultReport
from testbed.network.faults.targets import OnAgents
from testbed.network.streams import Draws


class ByzantineFault(OnAgents):
    """An agent lies: the numbers in the messages that it sends are changed. Its own state stays honest."""

    fault: Literal["byzantine"]
    lies: ClassVar[bool] = True
    behaviour: AnyBehaviour
    """How it changes them: a name such as sign_flip, or {name: scale, factor: 10}."""

    @property
    def subject(self) -> str:
        verb = "lie" if self.agent == "all" else "lies"
        return f"{self.who} {verb} ({self.behaviour.label})"

    def make(self, title: str, context: FaultContext) -> Iterable[tuple[Fault, Target]]:
        every = self.agent == "all"
        for node in context.nodes if every else [int(self.agent)]:
            target = context.target(self, node)
            name = f"{title}: agent {context.agent_title(node)}" if every else title
            yield Byzantine(name, node, self.behaviour, target, context), target

    def on_agent(self, name: str, node: int, context: FaultContext) -> Fault:
        return Byzantine(name, node, self.behaviour, context.target(self, node), context)


class Byzantine(Fault):
    """An agent whose messages have false numbers."""

    def __init__(
        self, name: str, node: int, behaviour: Behaviour, target: Target, context: FaultContext
    ) -> None:
        """Lies are drawn from the stream of `target`. Raises ValueError if there is no such agent."""
        super().__init__(name, context)
        context.agents.require(node)
        self._node, self._behaviour, self._agents = node, behaviour, context.agents
        self._seeds = Draws(lambda: context.generator(target, "lies"), _seeds)
        self._falsified = 0

    def generator(self) -> np.random.Generator:
        """The random numbers of the next message; each message has one seed, whatever the behaviour."""
        return np.random.default_rng(self._seeds.next())

    def falsify(self, numbers: NDArray[np.float64], message: FalseMessage) -> NDArray[np.float64]:
        """The numbers [k] to send in place of the true ones [k]; counts the message if they differ.

        Raises:
            ValueError: the behaviour gave another number of numbers, or some that are not finite.
        """
        true = numbers.copy()
        with np.errstate(over="ignore"):
            false = np.asarray(self._behaviour.falsify(true, message), dtype=np.float64)
        if false.shape != numbers.shape or np.isnan(false).any():
            wrong = "numbers that are not numbers (NaN)" if false.shape == numbers.shape else false.shape
            raise ValueError(
                f"behaviour {self._behaviour.name!r} gave {wrong} for {numbers.shape[0]} numbers: must give"
                " as many, none of them NaN"
            )
        self._falsified += not np.array_equal(false, numbers)
        return false

    def _details(self) -> dict[str, Any]:
        return {"agent": self._node, "behaviour": self._behaviour.name}

    def _impose(self, *, live: bool) -> None:
        self._agents.begin_lying(self._node, self)

    def _release(self, *, live: bool) -> None:
        self._agents.stop_lying(self._node, self)

    def report(self) -> FaultReport:
        return FaultReport(self.name, falsified=self._falsified)

    def _counts(self) -> Any:
        return {"falsified": self._falsified, "seeds": self._seeds.state_dict()}

    def _count_from(self, counts: Any) -> None:
        self._falsified = counts["falsified"]
        self._seeds.load_state_dict(counts["seeds"])


def _seeds(generator: np.random.Generator, count: int) -> NDArray[np.generic]:
    return generator.integers(2**63, size=count)
