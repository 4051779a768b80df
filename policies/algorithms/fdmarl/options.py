"""The options of FDMARL."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator

from policies.algorithms.learner import Kind, LearnerSettings, Load, Spaces
from policies.nn.mlp import MLP, Activation
from policies.nn.precision import Device, Precision
from policies.settings import AVERAGE_OVER, AverageOver

Form = Literal["minibatch", "online"]
Optimiser = Literal["adam", "sgd"]

FORMS: dict[Form, dict[str, Any]] = {
    "minibatch": {"optimiser": "adam", "average_rate": 0.1},
    # Parallel episodes run in step: the average must outlast them, or it follows the signal to be learnt.
    "online": {"optimiser": "sgd", "average_rate": 0.002},
}
"""Defaults that follow from the form."""

RATES: dict[Optimiser, dict[str, float]] = {
    "adam": {"critic_rate": 1e-3, "actor_rate": 2e-5},
    "sgd": {"critic_rate": 1e-2, "actor_rate": 3e-2},
}
"""Default step sizes, which follow from the optimiser."""


class FdmarlOptions(LearnerSettings):
    """All settings but the name; see ``FdmarlSettings``."""

    communication: ClassVar[Kind] = "average"
    form: Annotated[Form, Field(description="a batch at a time, or Algorithm 1 itself")] = "minibatch"
    optimiser: Annotated[
        Optimiser, Field(description="for critics and policies; not given: adam, or sgd in the form online")
    ] = "adam"
    minibatch: Annotated[int, Field(ge=1, description="samples per step of the form minibatch")] = 100
    critic_rate: Annotated[float, Field(gt=0, description="step size beta of the critics")] = 1e-3
    actor_rate: Annotated[
        float, Field(ge=0, description="step size beta' of the policies; 0: they do not change")
    ] = 2e-5
    average_rate: Annotated[
        float, Field(gt=0, le=1, description="step size of the average reward; beta in the paper")
    ] = 0.1
    average_over: Annotated[AverageOver, Field(description=AVERAGE_OVER)] = "acting"
    hidden: Annotated[
        tuple[Annotated[int, Field(ge=1)], ...],
        Field(description="units of each hidden layer, of policies and critics"),
    ] = (128, 128)
    activation: Annotated[Activation, Field(description="nonlinearity of hidden units")] = "tanh"
    device: Annotated[Device, Field(description="device of the networks and their computations")] = "cpu"
    precision: Annotated[Literal["float64", "float32"], Field(description="of networks")] = "float32"

    @model_validator(mode="before")
    @classmethod
    def _as_the_form_has_it(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        given = FORMS.get(given.get("form", "minibatch"), {}) | given
        return RATES.get(given.get("optimiser", "adam"), {}) | given

    def memory(self, spaces: Spaces, load: Load) -> int:
        """Networks see a minibatch at a time, and all of the batch once at the end."""
        m = load.samples
        n, d, a = spaces.agents, spaces.observation_size, spaces.actions
        number = Precision.dtypes(self.precision)[0].itemsize
        widths = (1, *self.hidden)
        critic = MLP((n * (d + a), *self.hidden, 1)).parameters
        policy = MLP((d, *self.hidden, a)).parameters
        step = min(self.minibatch, m) * (2 * n * (d + a) + n * (a + 3) * 2 * sum(widths))
        moved = n * m * (d + 3 * max(widths) + 6 * a)
        # Parameters, their gradients, Adam's moments; critics in messages on all links, and before and after.
        networks = n * (4 * policy + 8 * critic) + critic * 2 * load.links
        # The transitions are one more copy of the batch, in random order.
        return load.batch + number * (networks + max(step, moved))
