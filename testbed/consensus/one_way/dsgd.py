"""D-SGD: decentralised gradient descent with mini-batches."""

import numpy as np

from testbed.consensus.one_way.dgd import DGD, DGDAgent
from testbed.consensus.one_way.first_order import FirstOrderAgent
from testbed.consensus.problems.smooth import SmoothProblem


class DSGDAgent(DGDAgent):
    """DGD with the gradient of a mini-batch: ``batch`` of the agent's terms, drawn without replacement."""

    def __init__(
        self,
        index: int,
        problem: SmoothProblem,
        weights: dict[int, float],
        step: float,
        decay: float,
        batch: int,
        generator: np.random.Generator,
    ) -> None:
        super().__init__(index, problem, weights, step, decay)
        self.batch, self.generator = batch, generator

    def slope(self) -> np.ndarray:
        """The gradient [m] of the drawn terms, which has the mean of the whole."""
        chosen = self.generator.choice(self.problem.terms, self.batch, replace=False)
        return self.problem.batch_gradient(self.s, chosen)


class DSGD(DGD):
    """D-SGD: Lian et al. 2017 (arXiv 1705.09056): DGD with mini-batches of each agent's own rows.

    With a constant step it ends within a floor of noise around the end of DGD, which a smaller step or larger
    batch lowers. With `step: null` the step is that of DGD, whatever the batch.
    """

    name = "dsgd"
    options = frozenset({"step", "step_decay", "batch"})

    def first_order_agent(
        self, index: int, problem: SmoothProblem, weights: dict[int, float]
    ) -> FirstOrderAgent:
        """A new agent with the weights W_ij of its neighbours j.

        Raises ValueError if its batch is too large.
        """
        settings = self.settings
        if settings.batch > problem.terms:
            raise ValueError(
                f"batch {settings.batch}: must be at most {problem.terms}, the rows of agent {index}"
            )
        generator = self.codecs.streams.generator("mini-batch", index)
        return DSGDAgent(index, problem, weights, self.step, settings.step_decay, settings.batch, generator)
