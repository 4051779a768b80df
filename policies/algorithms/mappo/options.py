"""The options of MAPPO."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from policies.algorithms.learner import Kind, LearnerSettings, Load, Spaces
from policies.nn.heads import SPACES
from policies.nn.mlp import Activation
from policies.nn.precision import Device, Precision
from policies.settings import AVERAGE_OVER, LOG_STD_INIT, AverageOver, LogStd


class MappoOptions(LearnerSettings):
    """All settings but the name; see ``MappoSettings``."""

    communication: ClassVar[Kind] = "centralise"
    action_spaces: ClassVar = SPACES
    share_policy: Annotated[
        bool, Field(description="one network for all agents, given the agent's number; or one each")
    ] = True
    gamma: Annotated[float, Field(ge=0, le=1, description="discount")] = 0.99
    lam: Annotated[float, Field(ge=0, le=1, description="lambda of GAE")] = 0.95
    epochs: Annotated[int, Field(ge=1, description="passes over the batch")] = 10
    minibatches: Annotated[int, Field(ge=1, description="parts of the batch, with a gradient step each")] = 1
    clip: Annotated[float, Field(gt=0, description="range in which ratios, and values, can gain")] = 0.2
    learning_rate: Annotated[float, Field(gt=0, description="Adam's step size of the policies")] = 5e-4
    value_learning_rate: Annotated[float, Field(gt=0, description="Adam's step size of the values")] = 5e-4
    adam_epsilon: Annotated[float, Field(gt=0, description="Adam's epsilon")] = 1e-5
    max_gradient_norm: Annotated[
        float, Field(gt=0, description="longer gradients are clipped to this length")
    ] = 10.0
    entropy_coefficient: Annotated[float, Field(ge=0, description="weight of the policies' entropy")] = 0.01
    log_std_init: Annotated[LogStd, Field(description=LOG_STD_INIT)] = 0.0
    normalise_values: Annotated[
        bool, Field(description="whether values are normalised by their running mean and deviation")
    ] = True
    normaliser_beta: Annotated[
        float, Field(ge=0, lt=1, description="share of the running moments that one update keeps")
    ] = 0.99999
    clip_values: Annotated[bool, Field(description="whether values are clipped, too")] = True
    huber_delta: Annotated[
        float, Field(gt=0, description="errors of values count quadratically up to here, linearly beyond")
    ] = 10.0
    average_over: Annotated[AverageOver, Field(description=AVERAGE_OVER)] = "acting"
    hidden: Annotated[
        tuple[Annotated[int, Field(ge=1)], ...],
        Field(min_length=1, description="units of each hidden layer, of policies and values"),
    ] = (128, 128)
    activation: Annotated[Activation, Field(description="nonlinearity of hidden units")] = "selu"
    device: Annotated[Device, Field(description="device of the networks and their computations")] = "cpu"
    precision: Annotated[Literal["float64", "float32"], Field(description="of networks")] = "float32"

    def memory(self, spaces: Spaces, load: Load) -> int:
        """Values are trained before policies; each sees the whole batch and its parts."""
        m = load.samples
        n, d, a = spaces.agents, spaces.observation_size, spaces.actions
        number = Precision.dtypes(self.precision)[0].itemsize
        part = -(-m // self.minibatches)
        own = d + n if self.share_policy else d
        # Every layer before and after its nonlinearity, and the gradient at the widest.
        layers = 2 * sum(self.hidden) + 3 * max(self.hidden)
        values = m * n * d + part * (n * d + layers)
        policies = n * m * (own + 2 * a) + n * part * (own + layers + 8 * a)
        return number * (values + policies)
