"""FDMARL: every agent has a critic of the joint action, and neighbours average the critics' parameters.

Zhang, Yang, Liu, Zhang & Başar 2018, "Fully Decentralized Multi-Agent Reinforcement Learning with Networked
Agents", arXiv 1802.08757, Algorithm 1. Agents see all observations and actions but only their own
rewards; the messages carry the critics' parameters. The network does the averaging; this module never sees
it.

With mu the average reward so far, s_t and a_t the joint observation and action, agent i does

    delta = r_{t+1} - mu + Q(s_{t+1}, a_{t+1}; omega) - Q(s_t, a_t; omega)
    A     = Q(s_t, a_t; omega) - sum over b of pi(b | o_t) Q(s_t, b, a_t^-i; omega)
    mu    = (1 - beta) mu + beta r_{t+1}
    omega = omega + beta delta grad Q(s_t, a_t; omega),  then averaged with those of its neighbours
    theta = theta + beta' A grad log pi(a_t | o_t; theta)

all with the previous values. Where it must differ from the paper, or the paper does not specify it:

* Algorithm 1 has one chain without an end. Here the start of a new episode is a transition of that chain:
  after an episode's last step, s_{t+1} is the first state of the next. The last step of a batch waits for
  the first of the next one, which gives a_{t+1}.
* Policies see their agent's own observation, as in all decentralised algorithms here.
* Critics start from the same parameters. Averages of networks that started differently perform badly
  (McMahan et al. 2017, arXiv 1602.05629, Fig. 1).
* The first average reward is that of the first rewards. From zero the critics would drift by a constant,
  which does not matter for Q but destabilises a network, until mu has caught up.
* Step sizes do not decay.
* A policy's step is the mean over the transitions at which its agent can act, not over all.
"""

from typing import Literal

import numpy as np

from policies.algorithms.fdmarl.minibatch import Fdmarl
from policies.algorithms.fdmarl.online import OnlineFdmarl
from policies.algorithms.fdmarl.options import FdmarlOptions
from policies.algorithms.learner import Spaces


class FdmarlSettings(FdmarlOptions):
    """FDMARL's settings.

    ``form`` is ``online`` for Algorithm 1 itself: after every environment step, from the mean over the
    parallel episodes, by plain gradient steps (unless ``optimiser`` says otherwise). ``minibatch`` plays
    a whole batch with the same policies, as the other algorithms do, then takes its samples in random order,
    ``minibatch`` at a time, for one step by Adam (each agent's own moments; they are not sent) and one
    averaging each; A is then divided by each agent's standard deviation in the minibatch.

    The defaults are for cooperative navigation with three agents. Critics with SELU, as in MATRPO, diverged
    there within 20 updates with most step sizes tried: without a discount, nothing bounds their values for
    agents that fly far away. With the defaults, the return rose from -263 to -145 in 38 updates of 10,000
    samples (seed 1, complete graph). Online it learns by Adam (-267 to -203 in 21 updates, seed 0), while
    plain gradient steps small enough to stay stable had changed nothing after 12.
    """

    name: Literal["fdmarl"] = "fdmarl"

    def make(self, spaces: Spaces, generator: np.random.Generator) -> Fdmarl:
        """The agents, in the chosen form."""
        return (OnlineFdmarl if self.form == "online" else Fdmarl)(self, spaces, generator)
