"""The traits of a consensus algorithm that study files, checks and estimates need before one is made.

To add an algorithm, write a module in `testbed.consensus` (or another package, which names it in its entry
points: see `testbed.common.registry`) with a subclass of `testbed.consensus.base.Consensus`, mostly by way of
`testbed.consensus.one_way.base.OneWay`, and set the class attributes defined here.
"""

from abc import ABC
from typing import Any, ClassVar, Literal

from testbed.common.registry import Registry
from testbed.common.settings import SettingError

Activation = Literal["sequential", "round_robin", "poisson", "gossip", "synchronous", "asynchronous"]

BY_LINK: tuple[Activation, ...] = ("sequential", "round_robin", "poisson", "gossip")
"""Activations of algorithms that exchange between two agents; the first is the default."""

BY_AGENT: tuple[Activation, ...] = ("synchronous", "asynchronous", "gossip")
"""Activations of algorithms with one-way messages; the first is the default."""


class ConsensusAlgorithm(ABC):
    """The traits of an algorithm.

    One that has a `name` can be chosen by it; the others are base classes.
    """

    name: ClassVar[str]
    """Its name as `consensus.algorithm` in a study file."""

    allowed_activations: ClassVar[tuple[Activation, ...]]
    """Its possible activations; the first is the default."""

    message_kinds: ClassVar[tuple[str, ...]]
    """The kinds of messages that it sends."""

    averages: ClassVar[bool] = False
    """Whether it averages vectors, and so solves the mean problem only; others solve all problems."""

    needs_gradients: ClassVar[bool] = False
    """Whether it takes gradients, and so solves smooth convex problems only."""

    vectors: ClassVar[int] = 1
    """Vectors of m numbers in each message, for signals of length m."""

    options: ClassVar[frozenset[str]] = frozenset()
    """The settings it uses among those that not all algorithms use: `penalty`, `relaxation`, `coupling`,
    `dual_limit`, `outlier_rejection`, `robust`, `initial_dual`, `gossip_step`, `step`, `step_decay`, `batch`,
    `trigger`, `tokens`, `timeout` and `when_busy`."""

    codec_memories: ClassVar[frozenset[str]] = frozenset()
    """The kinds of `codec_memory` that it can use."""

    sends_differences: ClassVar[bool] = False
    """Whether its messages are always differences from copies that both ends keep."""

    instead: ClassVar[str] = ""
    """Words for the message that refuses a `codec_memory`: the algorithm to choose for it."""

    @classmethod
    def check(cls, settings: Any) -> None:
        """Raise SettingError if settings of consensus do not suit this algorithm."""
        if settings.activation not in cls.allowed_activations:
            choose = ", ".join(cls.allowed_activations)
            reason = f"activation {settings.activation!r} is not available with {cls.name}: choose {choose}"
            raise SettingError(("activation",), reason)
        for option, unused, word in (
            ("initial_dual", 0, "0"),
            ("coupling", None, "null"),
            ("dual_limit", None, "null"),
            ("outlier_rejection", None, "null"),
            ("robust", None, "null"),
            ("when_busy", "refuse", "refuse"),
            ("trigger", None, "null"),
        ):
            value = getattr(settings, option)
            value = getattr(value, "name", value)
            if value != unused and option not in cls.options:
                reason = f"{option} {value} with {cls.name}: must be {word}, because {_those_with(option)}"
                raise SettingError((option,), reason)

    @classmethod
    def signals(cls, links: int, agents: int) -> int:
        """Signals held at the peak of an agreement: variables, and messages under way."""
        return 2 * links + 2 * agents


ALGORITHMS = Registry("consensus_algorithms", ConsensusAlgorithm, "testbed.consensus", default="edge_admm")
"""The algorithms by name."""


def averaging() -> tuple[str, ...]:
    """The names of the algorithms that average vectors."""
    return tuple(name for name, kind in ALGORITHMS.members().items() if kind.averages)


def _those_with(option: str) -> str:
    names = [name for name, kind in ALGORITHMS.members().items() if option in kind.options]
    return f"only {' and '.join(names)} {'has' if len(names) == 1 else 'have'} it"
