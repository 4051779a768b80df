"""One exchange of edge-ADMM between two agents in a half-committed state, with any codec and subset."""

from dataclasses import dataclass

import numpy as np
import torch

from testbed.consensus.edge_admm.agent import EdgeAgent
from testbed.consensus.payloads import Codecs, as_numpy
from testbed.consensus.problems.mean import MeanProblem
from testbed.consensus.settings import ConsensusSettings
from testbed.network import Streams

LINK, SIZE, PENALTY = (0, 1), 20, 0.7


@dataclass
class Exchange:
    """The variables z and y of both agents, before and after, and the coordinates that were exchanged."""

    before: list[tuple[np.ndarray, np.ndarray]]
    z: list[np.ndarray]
    y: list[np.ndarray]
    about: np.ndarray


class _Anything(MeanProblem):
    """The mean problem in NumPy or in torch."""

    def zeros(self):
        return 0 * self.a


def exchange(codec, subset, library, coupling=None):
    """Two agents, in whose state nothing is consistent, complete one exchange over their link."""
    generator = np.random.default_rng(3)
    written = Codecs(ConsensusSettings(codec=codec, subset=subset), Streams(0))

    def random():
        numbers = generator.standard_normal(SIZE)
        return torch.from_numpy(numbers) if library == "torch" else numbers

    agents = [EdgeAgent(q, _Anything(random()), [LINK], PENALTY, coupling) for q in range(2)]
    for agent in agents:
        agent.z[LINK], agent.y[LINK] = random(), random()
        agent.solve()
    before = [(as_numpy(agent.z[LINK]), as_numpy(agent.y[LINK])) for agent in agents]
    where = written.coordinates(SIZE, *LINK)
    own = written.payload(agents[0].offer(LINK), 0, 1, where)
    other = written.payload(agents[1].offer(LINK), 1, 0, where)
    agents[0].commit_payloads(LINK, own, other)
    agents[1].commit_payloads(LINK, other, own)
    return Exchange(
        before,
        [as_numpy(agent.z[LINK]) for agent in agents],
        [as_numpy(agent.y[LINK]) for agent in agents],
        np.arange(SIZE) if where is None else where,
    )
