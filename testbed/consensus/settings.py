"""What a study file can set about consensus."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from testbed.settings import Settings
from testbed.units import Seconds


class Budget(Settings):
    """When one agreement ends: at whichever limit is reached first.

    Activations and bytes are spent by *starting* exchanges: once they are gone no exchange starts, and those
    under way finish. The others end the agreement at once, and what is in flight then counts as late.
    """

    activations: Annotated[int | None, Field(ge=1, description="activated links")] = None
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


class ConsensusSettings(Settings):
    """Edge-ADMM over the simulated network."""

    algorithm: Literal["edge_admm"] = "edge_admm"
    penalty: Annotated[float, Field(gt=0, description="beta, the augmented Lagrangian's weight")] = 1.0
    activation: Annotated[
        Literal["sequential", "round_robin", "poisson"],
        Field(description="one random link at a time, links in turn, or every link by its own clock"),
    ] = "sequential"
    activation_rate: Annotated[float, Field(gt=0, description="poisson: activations per second and link")] = (
        5.0
    )
    compute: Annotated[Seconds, Field(ge=0, description="simulated time of one local solve")] = 0.01
    timeout: Annotated[
        Seconds | None,
        Field(gt=0, description="wait for an answer; null: four times the nominal round trip"),
    ] = None
    budget: Budget = Budget(activations=100)
    curve_every: Annotated[int, Field(ge=1, description="resolved exchanges per row of the curve")] = 1
