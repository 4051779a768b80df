"""The optimum of agents with quadratic coupling on a convex problem: a different signal for each agent.

The signals s_q that minimise sum_q f_q(s_q) + sum over links (i, j) of (gamma / 2) |s_i - s_j|^2 are found
from all the data, without any of the consensus algorithms: by Newton's method on all signals together,
each step by conjugate gradients; where such a step makes no progress, by minimising over one agent's signal
after another.
"""

from collections.abc import Callable, Sequence

import numpy as np

from testbed.consensus.problems.base import ConvexProblem, Quadratic
from testbed.network.link_names import Link

Product = Callable[[np.ndarray], np.ndarray]

_ROUNDS = 200
"""About five are enough for smooth problems; finding the zero coordinates takes about ten more."""

_CLOSE = 1e-9
"""Change of a step, relative to the signals, below which its own error is rounding error."""


def coupled_optimum(
    problems: Sequence[ConvexProblem], links: Sequence[Link], coupling: float, start: np.ndarray
) -> np.ndarray:
    """The signals [n, m] of all agents at the coupled optimum.

    If it is not unique, because the agents of a connected component together do not determine some
    direction, it is the optimum with no component in that direction.

    Args:
        problems: f_q of every agent; they keep no state of this.
        links: pairs of agents.
        coupling: gamma.
        start: a nearby signal [m], such as the optimum of exact consensus.

    Raises:
        ArithmeticError: no optimum found, for example because the data are not finite.
    """
    joint = _Joint(problems, links, coupling)
    s = np.tile(start, (len(problems), 1))
    away = joint.distance(s)
    for _ in range(_ROUNDS):
        t = joint.newton(s)
        left, close = joint.distance(t), _CLOSE * (np.abs(t).max() + 1e-300)
        if left <= close and np.abs(t - s).max() <= close:
            return t
        s, away = (t, left) if left < away else joint.swept(s)
    raise ArithmeticError(f"no coupled optimum found for coupling {coupling}; are the data finite?")


class _Joint:
    """All agents' objectives and the coupling together, as functions of signals [n, m]."""

    def __init__(self, problems: Sequence[ConvexProblem], links: Sequence[Link], coupling: float) -> None:
        self.problems, self.coupling = problems, coupling
        self.neighbours: list[list[int]] = [[] for _ in problems]
        for i, j in links:
            self.neighbours[i].append(j)
            self.neighbours[j].append(i)
        agents = len(problems)
        self.laplacian = np.zeros((agents, agents))
        for q, around in enumerate(self.neighbours):
            self.laplacian[q, q] = len(around)
            self.laplacian[q, around] = -1.0
        self.values, self.basis = np.linalg.eigh(self.laplacian)
        self.l1 = np.array([[problem.l1] for problem in problems])

    def swept(self, s: np.ndarray) -> tuple[np.ndarray, float]:
        """Minimise over one agent's signal after another, by their own solves; returns the distance too."""
        s = s.copy()
        for q, (problem, around) in enumerate(zip(self.problems, self.neighbours, strict=True)):
            s[q] = problem.solve(self.coupling * s[around].sum(axis=0), self.coupling * len(around))
            problem.forget()
        return s, self.distance(s)

    def distance(self, s: np.ndarray) -> float:
        """The largest change by one proximal gradient step, which is zero at the optimum and only there."""
        step, ahead, _, _ = self._ahead(s)
        return float(np.abs(np.sign(ahead) * np.maximum(np.abs(ahead) - step * self.l1, 0) - s).max())

    def newton(self, s: np.ndarray) -> np.ndarray:
        """The minimiser of the second-order model at ``s``; l1 norms with the signs of a gradient step.

        With l1 norms this is a semismooth Newton step (Hintermueller, Ito & Kunisch 2002, "The primal-dual
        active set strategy as a semismooth Newton method").
        """
        step, ahead, models, product = self._ahead(s)
        scale = np.mean([model.size for model in models])
        free = (np.abs(ahead) > step * self.l1) | (self.l1 == 0)
        right = np.stack([model.linear for model in models]) - self.l1 * np.sign(ahead)

        def precondition(r: np.ndarray) -> np.ndarray:
            # As if every agent had the same curvature in all directions.
            rotated = (self.basis.T @ r) / (scale + self.coupling * self.values)[:, None]
            return np.where(free, self.basis @ rotated, 0.0)

        return _conjugate_gradients(lambda v: np.where(free, product(v), 0.0), precondition, right * free)

    def _ahead(self, s: np.ndarray) -> tuple[np.ndarray, np.ndarray, list[Quadratic], Product]:
        """A gradient step of the smooth part: each agent's step length [n, 1] and end point [n, m].

        Also the agents' models at ``s``, and products with the Hessian of the joint objective.
        """
        models = [problem.model(each) for problem, each in zip(self.problems, s, strict=True)]

        def product(v: np.ndarray) -> np.ndarray:
            own = np.stack([model.product(each) for model, each in zip(models, v, strict=True)])
            both: np.ndarray = own + self.coupling * (self.laplacian @ v)
            return both

        sizes = np.array([model.size for model in models])
        step = 1 / (sizes + self.coupling * np.diag(self.laplacian))[:, None]
        slope = product(s) - np.stack([model.linear for model in models])
        return step, s - step * slope, models, product


def _conjugate_gradients(product: Product, precondition: Product, right: np.ndarray) -> np.ndarray:
    """Solve product(x) = right, restarting from the residual until only rounding error is left."""
    x = np.zeros_like(right)
    smallest, rounding = np.inf, 1e-14 * float(np.abs(right).max(initial=0.0))
    for _ in range(5):
        r = right - product(x)
        size = float(np.abs(r).max())
        if not rounding < size < smallest / 2:
            break
        smallest = size
        z = precondition(r)
        p, rz = z, float((r * z).sum())
        target = 1e-26 * rz
        for _ in range(10 * right.size + 100):
            ap = product(p)
            curved = float((p * ap).sum())
            if not (rz > target and curved > 0):
                break
            length = rz / curved
            x, r = x + length * p, r - length * ap
            z = precondition(r)
            rz, before = float((r * z).sum()), rz
            p = z + rz / before * p
    return x
