"""What a study file can set about consensus."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from testbed.common.settings import SettingError, Settings
from testbed.common.units import Seconds
from testbed.identity import differing


class Budget(Settings):
    """When one agreement ends: at whichever limit is reached first.

    Activations and bytes are spent by *starting* exchanges: once they are gone no exchange starts, and those
    under way finish. The others end the agreement at once, and what is in flight then counts as late.
    The tolerance is looked at with every row of the curve.

    An agreement that only bytes could end is over, too, once all agents who begin exchanges have crashed for
    good: nothing can happen any more (`stalled`).

    With one-way messages an activation is one agent's solve and the messages that follow (a synchronous round
    of n agents is n activations), and an exchange is a message received.
    """

    activations: Annotated[int | None, Field(ge=1, description="activated links or agents")] = None
    exchanges: Annotated[int | None, Field(ge=1, description="completed exchanges")] = None
    seconds: Annotated[Seconds | None, Field(gt=0, description="simulated time")] = None
    bytes: Annotated[int | None, Field(ge=1, description="bytes sent")] = None
    tolerance: Annotated[float | None, Field(gt=0, description="relative disagreement to reach")] = None

    @model_validator(mode="after")
    def _ends(self) -> Self:
        if self.activations is None and self.seconds is None and self.bytes is None:
            raise ValueError(
                "a budget of nothing never ends: set at least one of activations, seconds or bytes"
                " (exchanges and tolerance may never be reached on a broken network)"
            )
        return self


Algorithm = Literal["edge_admm", "relaxed_admm", "metropolis", "push_sum", "robust_push_sum"]
AVERAGING: tuple[Algorithm, ...] = ("metropolis", "push_sum", "robust_push_sum")
"""These average vectors: they solve the mean problem only."""

Activation = Literal["sequential", "round_robin", "poisson", "gossip", "synchronous", "asynchronous"]
Codec = Literal["float64", "float32", "float16", "int8"]

BY_LINK: tuple[Activation, ...] = ("sequential", "round_robin", "poisson", "gossip")
"""How algorithms of exchanges between two agents may be activated; the first is the default."""

BY_AGENT: tuple[Activation, ...] = ("synchronous", "asynchronous", "gossip")
"""How algorithms of one-way messages may be activated; the first is the default."""


class ConsensusSettings(Settings):
    """How the agents agree over the simulated network.

    ``edge_admm`` (Li & He 2020, arXiv 2010.07916) exchanges between two agents and is activated
    ``sequential`` (one random link at a time), ``round_robin`` (links in turn), ``poisson`` (every link by
    its own clock) or ``gossip`` (every agent by its own clock, with a random neighbour).
    The others send one-way messages and are activated ``synchronous`` (all agents in rounds),
    ``asynchronous`` (every agent by its own clock, to all its neighbours) or ``gossip`` (to a random one).
    """

    algorithm: Annotated[
        Algorithm,
        Field(description="ADMM by exchanges or by one-way messages, or averaging (for the mean only)"),
    ] = "edge_admm"
    penalty: Annotated[float, Field(gt=0, description="beta or rho, the augmented Lagrangian's weight")] = 1.0
    relaxation: Annotated[
        float, Field(gt=0, lt=1, description="relaxed_admm: alpha; 1/2 is ordinary ADMM")
    ] = 0.5
    coupling: Annotated[
        float | None,
        Field(
            ge=1e-3,
            le=1e6,
            description="ADMM: gamma of the cost gamma/2 |s_i - s_j|^2 that each link has in place of the"
            " constraint s_i = s_j, so that agents need not agree exactly; null: the constraint",
        ),
    ] = None
    initial_dual: Annotated[
        float,
        Field(
            ge=-1e9,
            le=1e9,
            description="edge_admm: every entry of the dual variables y when an agreement begins; the paper's"
            " is 0, that of the authors' code 1",
        ),
    ] = 0.0
    activation: Annotated[
        Activation, Field(description="who acts when; not given: sequential, or synchronous")
    ] = "sequential"
    activation_rate: Annotated[
        float, Field(ge=1e-6, le=1e9, description="of own clocks: activations per second and link or agent")
    ] = 5.0
    period: Annotated[
        Seconds | None,
        Field(
            gt=0,
            description="of synchronous rounds; null: compute and twice the slowest nominal latency (that"
            " latency and its jitter, if the jitter is the larger)",
        ),
    ] = None
    codec: Annotated[
        Codec | None, Field(description="how numbers are written in messages; null: as they are")
    ] = None
    subset: Annotated[
        float, Field(gt=0, le=1, description="share of the samples in each exchange, drawn anew")
    ] = 1.0
    compute: Annotated[Seconds, Field(ge=0, description="simulated time of one local solve")] = 0.01
    timeout: Annotated[
        Seconds | None,
        Field(
            gt=0,
            description="wait for an answer; null: four times the nominal round trip, or longer if jitter, a"
            " queue, a straggler or (transport: reliable) all retransmissions can take longer",
        ),
    ] = None
    budget: Annotated[Budget, Field(description="when it ends")] = Budget(activations=100)
    curve_every: Annotated[int, Field(ge=1, description="resolved exchanges per row of the curve")] = 1

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of messages that the algorithm sends."""
        return ("request", "response", "busy") if self.algorithm == "edge_admm" else ("news",)

    def essence(self) -> dict[str, Any]:
        """What differs from the defaults, of what the algorithm and its activation look at."""
        found = differing(self)
        looked_at = {
            "relaxation": self.algorithm == "relaxed_admm",
            "penalty": self.algorithm not in AVERAGING,
            "timeout": self.algorithm == "edge_admm",
            "period": self.activation == "synchronous",
            "activation_rate": self.activation in ("poisson", "gossip", "asynchronous"),
        }
        return {name: value for name, value in found.items() if looked_at.get(name, True)}

    @model_validator(mode="before")
    @classmethod
    def _activation_of_the_algorithm(cls, given: Any) -> Any:
        if isinstance(given, dict) and given.get("algorithm", "edge_admm") != "edge_admm":
            return {"activation": BY_AGENT[0]} | given
        return given

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        allowed = BY_LINK if self.algorithm == "edge_admm" else BY_AGENT
        if self.activation not in allowed:
            choose = ", ".join(allowed)
            reason = f"activation {self.activation!r} is not one of {self.algorithm}: choose {choose}"
            raise SettingError(("activation",), reason)
        if self.period is not None and self.period < self.compute:
            reason = f"period {self.period} must not be shorter than compute {self.compute}"
            raise SettingError(("period",), reason)
        if self.initial_dual and self.algorithm != "edge_admm":
            reason = (
                f"initial_dual {self.initial_dual} with {self.algorithm}: must be 0, edge_admm alone has it"
            )
            raise SettingError(("initial_dual",), reason)
        if self.coupling is not None and self.algorithm in AVERAGING:
            reason = (
                f"coupling {self.coupling} with {self.algorithm}: must be null, averaging has no penalty"
                " (edge_admm and relaxed_admm take every coupling)"
            )
            raise SettingError(("coupling",), reason)
        if self.subset < 1 and self.algorithm in ("push_sum", "robust_push_sum"):
            reason = (
                f"subset {self.subset} with {self.algorithm}: must be 1, a message's weight is that of all"
            )
            raise SettingError(("subset",), reason)
        if self.algorithm == "robust_push_sum" and self.codec not in (None, "float64"):
            reason = (
                f"codec {self.codec!r} with robust_push_sum: must be null or float64, its running sums grow"
                " without end and so would the error of fewer bits (push_sum takes every codec)"
            )
            raise SettingError(("codec",), reason)
        return self
