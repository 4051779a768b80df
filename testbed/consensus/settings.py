"""Settings of consensus in a study file."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from testbed.common.registered_names import NameIn
from testbed.common.settings import SettingError, Settings
from testbed.common.units import Seconds
from testbed.consensus.codec import AnyCodec
from testbed.consensus.event_trigger import EventTrigger
from testbed.consensus.outlier_rejection import OutlierRejection
from testbed.consensus.robust_rule import AnyRobustRule
from testbed.consensus.token_account import TokenAccount
from testbed.consensus.traits import ALGORITHMS, Activation, ConsensusAlgorithm
from testbed.identity import differing


class Budget(Settings):
    """When one agreement ends: at whichever limit is reached first.

    Activations and bytes are spent by *starting* exchanges: once they are used up no exchange starts, and
    those under way finish. The other limits end the agreement at once, and packets then in flight count as
    late. The tolerance is checked at every row of the curve.

    An agreement that only bytes could end is also over once all agents that begin exchanges have crashed
    permanently: no further event is possible (`stalled`).

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
                "an empty budget never ends: set at least one of activations, seconds or bytes"
                " (exchanges and tolerance may never be reached on a broken network)"
            )
        return self


WhenBusy = Literal["refuse", "wait_by_age", "wait_by_number"]
"""Replies of edge-ADMM's agents to requests that reach them in an exchange."""


class ConsensusSettings(Settings):
    """The consensus algorithm by which the agents agree over the simulated network.

    ``edge_admm`` (Li & He 2020, arXiv 2010.07916) exchanges between two agents and is activated
    ``sequential`` (one random link at a time), ``round_robin`` (links in turn), ``poisson`` (every link by
    its own clock) or ``gossip`` (every agent by its own clock, with a random neighbour).
    The others send one-way messages and are activated ``synchronous`` (all agents in rounds),
    ``asynchronous`` (every agent by its own clock, to all its neighbours) or ``gossip`` (to a random one).
    """

    algorithm: Annotated[
        str,
        NameIn(ALGORITHMS),
        Field(
            description="ADMM by exchanges or by one-way messages, averaging (for the mean only), or a"
            " first-order method (for smooth convex problems)"
        ),
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
            description="ADMM: gamma of the cost gamma/2 |s_i - s_j|^2 that each link has instead of the"
            " constraint s_i = s_j, so that agents need not agree exactly; null: the constraint",
        ),
    ] = None
    dual_limit: Annotated[
        float | None,
        Field(
            gt=0,
            le=1e9,
            description="ADMM: lambda, the bound on each entry of a link's dual variable, which bounds the"
            " pull of a neighbour that lies; s_i = s_j gives way to the cost lambda |s_i - s_j|_1; null: no"
            " bound",
        ),
    ] = None
    outlier_rejection: Annotated[
        OutlierRejection | None,
        Field(
            description="ADMM: each end of a link ignores messages that ask for a far larger change than"
            " those it has accepted, by median and MAD; null: every message counts"
        ),
    ] = None
    robust: Annotated[
        AnyRobustRule | None,
        Field(
            description="metropolis: the rule by which an agent combines what its neighbours send, if some"
            " may lie; null: the weighted mean"
        ),
    ] = None
    initial_dual: Annotated[
        float,
        Field(
            ge=-1e9,
            le=1e9,
            description="edge_admm: initial value of every entry of the dual variables y; 0 in the paper,"
            " 1 in the authors' code",
        ),
    ] = 0.0
    activation: Annotated[
        Activation, Field(description="order of activation; not given: sequential, or synchronous")
    ] = "sequential"
    activation_rate: Annotated[
        float, Field(ge=1e-6, le=1e9, description="activations per second of a link's or agent's own clock")
    ] = 5.0
    period: Annotated[
        Seconds | None,
        Field(
            gt=0,
            description="of synchronous rounds; null: compute plus twice the slowest nominal latency (that"
            " latency and its jitter, if the jitter is the larger)",
        ),
    ] = None
    codec: Annotated[
        AnyCodec | None,
        Field(description="number format, or coarser encoding, in messages; null: unchanged"),
    ] = None
    codec_memory: Annotated[
        Literal["error_feedback", "difference"] | None,
        Field(
            description="error_feedback: what a codec leaves out of a message is added to the next one;"
            " difference: both ends keep copies, and the codec writes the difference from them; null: each"
            " message by itself"
        ),
    ] = None
    trigger: Annotated[
        EventTrigger | None,
        Field(description="relaxed_admm, choco_gossip: hold back messages that would say little; null: none"),
    ] = None
    tokens: Annotated[
        TokenAccount | None,
        Field(
            description="one-way messages, activation gossip: agents save up messages when their clocks tick"
            " and spend them when they hear something; null: a message at each tick"
        ),
    ] = None
    gossip_step: Annotated[
        float,
        Field(gt=0, le=1, description="choco_gossip: gamma, the share of each step towards the neighbours"),
    ] = 0.2
    step: Annotated[
        float | None,
        Field(
            gt=0,
            le=1e9,
            description="dgd, extra, gradient_tracking, nids, dsgd: alpha, the step along the gradient; null:"
            " half of the largest with a guarantee (gradient_tracking: see there), from the largest Lipschitz"
            " constant of the agents' gradients",
        ),
    ] = None
    step_decay: Annotated[
        float,
        Field(ge=0, le=1, description="dgd, dsgd: the exponent p of the step alpha / k^p in round k"),
    ] = 0.0
    batch: Annotated[
        int, Field(ge=1, description="dsgd: an agent's own rows or samples in each of its gradients")
    ] = 1
    subset: Annotated[
        float, Field(gt=0, le=1, description="share of the samples in each exchange, drawn again each time")
    ] = 1.0
    compute: Annotated[Seconds, Field(ge=0, description="simulated time of one local solve")] = 0.01
    timeout: Annotated[
        Seconds | None,
        Field(
            gt=0,
            description="for an answer; null: four times the nominal round trip, or longer if jitter, a"
            " queue, a straggler or (transport: reliable) all retransmissions can take longer",
        ),
    ] = None
    when_busy: Annotated[
        WhenBusy,
        Field(
            description="edge_admm: the reply of an agent in an exchange to another's request: `refuse` it at"
            " once; or let it wait if its exchange is the older (`wait_by_age`) or its sender has the smaller"
            " number (`wait_by_number`), and refuse it otherwise, so that no agents wait for each other in a"
            " cycle"
        ),
    ] = "refuse"
    budget: Annotated[Budget, Field(description="limits that end an agreement")] = Budget(activations=100)
    curve_every: Annotated[int, Field(ge=1, description="resolved exchanges per row of the curve")] = 1

    @property
    def kind(self) -> type[ConsensusAlgorithm]:
        """The class of the algorithm, with its traits."""
        return ALGORITHMS.members()[self.algorithm]

    @property
    def memory_of_codec(self) -> str | None:
        """The memory in use: the `codec_memory`, or that of the algorithm if it always has one."""
        return "difference" if self.kind.sends_differences else self.codec_memory

    def copies(self, links: int) -> int:
        """Signals that the memory of the codec usually holds on a number of links."""
        return (
            self.kind.vectors * links * {None: 0, "error_feedback": 2, "difference": 8}[self.memory_of_codec]
        )

    def essence(self) -> dict[str, Any]:
        """The differences from the defaults, in settings that the algorithm and its activation use."""
        found, options = differing(self), self.kind.options
        looked_at = {
            "relaxation": "relaxation" in options,
            "penalty": "penalty" in options,
            "gossip_step": "gossip_step" in options,
            "step": "step" in options,
            "step_decay": "step_decay" in options,
            "batch": "batch" in options,
            "timeout": "timeout" in options,
            "period": self.activation == "synchronous",
            "activation_rate": self.activation in ("poisson", "gossip", "asynchronous"),
        }
        return {name: value for name, value in found.items() if looked_at.get(name, True)}

    @model_validator(mode="before")
    @classmethod
    def _activation_of_the_algorithm(cls, given: Any) -> Any:
        if isinstance(given, dict) and isinstance(name := given.get("algorithm"), str):
            kind = ALGORITHMS.members().get(name)
            return given if kind is None else {"activation": kind.allowed_activations[0]} | given
        return given

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        self.kind.check(self)
        self._check_codec()
        if self.tokens is not None and (self.activation != "gossip" or "tokens" not in self.kind.options):
            reason = (
                f"tokens with {self.algorithm} and activation {self.activation}: must be null, because"
                " only algorithms with one-way messages and activation gossip use them"
            )
            raise SettingError(("tokens",), reason)
        if self.period is not None and self.period < self.compute:
            reason = f"period {self.period} must not be shorter than compute {self.compute}"
            raise SettingError(("period",), reason)
        return self

    def _check_codec(self) -> None:
        """Raise SettingError if the codec, its memory and the subset do not fit together."""
        codec, memory = self.codec, self.codec_memory
        if memory is not None and codec is None:
            reason = (
                f"codec_memory {memory} without a codec: must be null, because messages leave no numbers out"
            )
            raise SettingError(("codec_memory",), reason)
        if memory is not None and memory not in self.kind.codec_memories:
            allowed = ", ".join(sorted(self.kind.codec_memories)) or "null"
            reason = f"codec_memory {memory} with {self.algorithm}: must be {allowed}{self.kind.instead}"
            raise SettingError(("codec_memory",), reason)
        if self.subset < 1:
            why = None
            if codec is not None and not codec.whole:
                why = f"codec {codec.name}: must be 1, because the codec chooses the numbers itself"
            if self.memory_of_codec is not None:
                why = f"{memory or self.algorithm}: must be 1, because the whole vector is remembered"
            if self.trigger is not None:
                why = "trigger: must be 1, because changes are measured over the whole vector"
            if why is not None:
                raise SettingError(("subset",), f"subset {self.subset} with {why}")
