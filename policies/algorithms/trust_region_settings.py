"""The settings common to MATRPO, I-TRPO and C-TRPO."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from policies.algorithms.learner import LearnerSettings, Load, Spaces
from policies.natural_gradient.linearisation import Fisher
from policies.natural_gradient.solver import SolverSettings
from policies.nn.heads import SPACES
from policies.nn.mlp import MLP, Activation
from policies.nn.precision import Device, Precision, PrecisionName
from policies.settings import AVERAGE_OVER, LOG_STD_INIT, AverageOver, LogStd, Settings


class ValueSettings(Settings):
    """The private value networks; defaults are those of MATRPO's authors."""

    epochs: Annotated[int, Field(ge=1, description="passes over the batch")] = 3
    batch_size: Annotated[int, Field(ge=1, description="samples per gradient step")] = 64
    learning_rate: Annotated[float, Field(gt=0, description="Adam's step size")] = 3e-4


class TrustRegionSettings(LearnerSettings):
    """Settings of all trust-region algorithms; defaults are MATRPO's for navigation with three agents."""

    action_spaces: ClassVar = SPACES
    delta_per_agent: Annotated[float, Field(gt=0, description="KL radius of one agent, delta/N")] = 0.003
    fisher: Annotated[
        Fisher,
        Field(
            description="matrix of trust region and penalty: expected over each policy's own actions, or"
            " J^T J / M of the actions taken, the penalty's own (signals then cannot grow without bound)"
        ),
    ] = "expected"
    gamma: Annotated[float, Field(ge=0, le=1, description="discount")] = 0.995
    lam: Annotated[float, Field(ge=0, le=1, description="lambda of GAE")] = 0.95
    hidden: Annotated[
        tuple[Annotated[int, Field(ge=1)], ...],
        Field(min_length=1, description="units of each hidden layer, of policies and critics"),
    ] = (128, 128)
    activation: Annotated[Activation, Field(description="nonlinearity of hidden units")] = "selu"
    log_std_init: Annotated[LogStd, Field(description=LOG_STD_INIT)] = 0.0
    advantage_mean: Annotated[
        Literal["per_agent", "shared", "none"],
        Field(
            description="mean subtracted from advantages: each agent's own, that of all (as in the"
            " authors' code; it must be communicated), or none"
        ),
    ] = "per_agent"
    advantage_scale: Annotated[
        Literal["shared", "per_agent"],
        Field(
            description="one standard deviation for all (as in the authors' code; it must be communicated),"
            " or one for each"
        ),
    ] = "shared"
    entropy_coefficient: Annotated[
        float,
        Field(
            ge=0,
            description="weight of the entropy of each agent's own actions, beside normalised advantages. In"
            " MATRPO others' models learn of it by agreement",
        ),
    ] = 0.0
    average_over: Annotated[AverageOver, Field(description=AVERAGE_OVER)] = "acting"
    kl_safeguard: Annotated[bool, Field(description="halve the step while the KL exceeds 1.5 delta/N")] = True
    device: Annotated[Device, Field(description="device of the networks and their computations")] = "cpu"
    precision: Annotated[
        PrecisionName,
        Field(description="bfloat16-matmul: float32, but activations are kept and multiplied in bfloat16"),
    ] = "float32"
    solver: Annotated[SolverSettings, Field(description="solver of the natural gradients")] = SolverSettings()
    values: Annotated[ValueSettings, Field(description="training of the critics")] = ValueSettings()

    def memory(self, spaces: Spaces, load: Load) -> int:
        """The arrays of MATRPO; an upper bound for the others, which agree on nothing."""
        m = load.samples
        n, d, a = spaces.agents, spaces.observation_size, spaces.actions
        number, product = (t.itemsize for t in (Precision.dtypes(self.precision)))
        hidden, widest = sum(self.hidden), max(self.hidden)
        parameters = MLP((d, *self.hidden, n * a)).parameters
        kept = max(2, self.solver.recycle, self.solver.iterations)

        observations = number * n * m * d
        network = 3 * number * n * m * widest  # a layer's input, its products, its output
        heads = n * m * n
        if spaces.action_space == "Box":  # the means, deviations and derivatives of each number
            of_head, drawn = a * 3 * (number + product), 8 * a
        else:
            of_head, drawn = a * (number + product) + 8 * spaces.action_numbers, 8 * spaces.action_numbers
        linearised = n * m * (product * (d + 2 * hidden)) + heads * of_head
        linearised += load.partly_acting * heads * number * (a + 2)
        linearised += linearised // self.solver.every * (self.solver.every > 1)
        buffers = product * m * (hidden + n * a)
        solvers = number * n * kept * (2 * parameters + m * n)
        signals = number * m * n * (2 * 2 * load.links + 3 * n)
        audit = 0
        if self.solver.audit:
            audit = n * m * (8 * d + 8 * (d + 2 * hidden)) + heads * (16 * a + 8) + 8 * m * (hidden + n * a)
            audit += 8 * n * 64 * (2 * parameters + m * n)

        values = observations + network
        posed = observations + linearised + audit
        factorising = heads * (drawn + number * (2 + 3 * a)) + product * n * m * (3 * widest + 1)
        solving = buffers + solvers + signals
        # Freed memory is seldom returned: memory that a phase has released still counts in the next.
        return observations + values + posed + max(factorising, solving)
