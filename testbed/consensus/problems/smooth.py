"""Convex problems with gradients, for first-order methods."""

from abc import abstractmethod

import numpy as np
from numpy.typing import NDArray

from testbed.consensus.problems.base import ConvexProblem


class SmoothProblem(ConvexProblem):
    """f(s) = sum over k of f_k(s), differentiable, with a gradient that is L-Lipschitz."""

    @property
    @abstractmethod
    def smoothness(self) -> float:
        """L, the least Lipschitz constant known of the gradient: the largest eigenvalue of any Hessian."""

    @property
    @abstractmethod
    def strong_convexity(self) -> float:
        """mu, the largest known with f - mu |s|^2 / 2 convex; 0 if f is only convex."""

    @property
    @abstractmethod
    def terms(self) -> int:
        """The number of terms f_k: the agent's own rows or samples."""

    @abstractmethod
    def gradient(self, s: np.ndarray) -> np.ndarray:
        """The gradient of f at s [m], as a new array [m]."""

    @abstractmethod
    def batch_gradient(self, s: np.ndarray, chosen: NDArray[np.intp]) -> np.ndarray:
        """The gradient [m] at s [m] of the ``chosen`` terms [b], times terms / b.

        Over uniformly random choices of b terms its mean is the gradient of f.
        """
