"""FDMARL as in Algorithm 1 of Zhang et al. 2018 (arXiv 1802.08757): learning after every step."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from policies.algorithms.fdmarl.minibatch import Fdmarl, Tally
from policies.algorithms.fdmarl.options import FdmarlOptions
from policies.algorithms.learner import Communication, Spaces, Stopwatch
from policies.batch import Batch


class OnlineFdmarl(Fdmarl):
    """Algorithm 1 itself, which learns from every step as soon as the next action is known."""

    def __init__(self, settings: FdmarlOptions, spaces: Spaces, generator: np.random.Generator) -> None:
        """Draw initial networks."""
        super().__init__(settings, spaces, generator)
        self.before = self.theta.detach().clone()
        self.heard, self.tally = 0, Tally()

    def observe(self, step: Batch, communication: Communication) -> None:
        """Learn from the previous step, now that this one [1, B, N] gives its successor."""
        self.heard += step.samples
        steps = self.transitions(step)
        if len(steps["rewards"]):
            self._improve(steps, communication, self.tally)

    def learn(
        self,
        batch: Batch,
        communication: Communication,
        generator: np.random.Generator,
        lap: Stopwatch | None = None,
    ) -> dict[str, float]:
        """Measurements made while this batch was played; nothing more is learnt from it.

        Raises:
            ValueError: its steps were not observed, or there was no transition among them.
        """
        if self.heard != batch.samples:
            raise ValueError(
                f"batch: only {self.heard} of its {batch.samples} samples were observed while it was played"
            )
        measured = self.tally.row() | self._moved(batch, self.before)
        self.before = self.theta.detach().clone()
        self.heard, self.tally = 0, Tally()
        if lap is not None:
            lap("learning")
        return measured

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take back what ``state_dict`` gave between two updates."""
        super().load_state_dict(state)
        self.before = self.theta.detach().clone()
        self.heard, self.tally = 0, Tally()
