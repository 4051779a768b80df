"""Self-centred clipping: no neighbour moves an agent further than a radius."""

from typing import Annotated, Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from testbed.consensus.robust_rule import RobustRule


class ClippingRule(RobustRule):
    """Self-centred clipping: s_i + sum_j W_ij clip(s_j - s_i), with clip(v) = min(1, radius / |v|) v.

    He, Karimireddy & Jaggi 2022 ("Byzantine-robust decentralized learning via ClippedGossip", arXiv
    2202.01545). With delta the weight of the lying neighbours, their radius is the square root of
    (1 / delta) sum_j W_ij |s_j - s_i|^2 over the honest ones, which no agent can know. With `liars`, those
    further away count as the liars: they give delta, and the others the sum.
    """

    name: Literal["clipping"]
    radius: Annotated[float | None, Field(gt=0)] = None
    """The radius, the same for all agents at all times; or give `liars`."""
    liars: Annotated[int | None, Field(ge=1)] = None
    """Most neighbours of an agent that lie; the radius follows from it in every round. Or give `radius`."""

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if (self.radius is None) == (self.liars is None):
            raise ValueError("clipping needs radius or liars, one of the two")
        return self

    def combine(self, own: NDArray[Any], received: NDArray[Any], weights: NDArray[Any]) -> NDArray[Any]:
        apart = received - own
        distance = np.linalg.norm(apart, axis=1)
        radius = self._radius(distance, weights)
        share = radius / np.maximum(distance, max(radius, np.finfo(np.float64).tiny))
        moved: NDArray[Any] = own + (weights * share) @ apart
        return moved.astype(own.dtype)

    def _radius(self, distance: NDArray[Any], weights: NDArray[Any]) -> float:
        if self.radius is not None or self.liars is None:
            return float(self.radius or 0.0)
        nearest = np.argsort(distance, kind="stable")
        near, far = nearest[: -self.liars], nearest[-self.liars :]
        return float(np.sqrt(np.sum(weights[near] * distance[near] ** 2) / np.sum(weights[far])))
