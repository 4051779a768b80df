"""MAPPO: proximal policy optimisation of agents that act alone, with one value of the joint observation.

Yu et al., "The Surprising Effectiveness of PPO in Cooperative, Multi-Agent Games", arXiv 2103.01955, after
their code (github.com/marlbenchmark/on-policy), for feed-forward policies. Training is central: here the
bytes sent to a centre are charged. The differences from their code are

* the Huber loss, which there is 0 instead of linear below -delta;
* episodes cut by their time limit, which here are bootstrapped from the state after the last step;
* minibatches, which here are of joint samples: all agents at one step; with one minibatch it is the same;
* the networks, which here are plain perceptrons: no layer normalisation, hidden layers start with unit gain.

As there, the samples of dead agents are excluded from the policies' loss, the entropy and the moments of the
advantages (``active_masks``), but not from the loss of the values: their scripts for SMAC switch that off.
Here values are joint, and include the rewards after a death.
"""

from typing import Literal

import numpy as np

from policies.algorithms.learner import Spaces
from policies.algorithms.mappo.learner import Mappo
from policies.algorithms.mappo.options import MappoOptions


class MappoSettings(MappoOptions):
    """MAPPO's settings: defaults are those its authors recommend, except for networks of MATRPO's size."""

    name: Literal["mappo"] = "mappo"

    def make(self, spaces: Spaces, generator: np.random.Generator) -> Mappo:
        """Its agents."""
        return Mappo(self, spaces, generator)
