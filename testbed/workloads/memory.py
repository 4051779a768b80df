"""Memory needed by a trial, estimated before it runs from the shapes of its arrays."""

import torch

from policies.algorithms.learner import Load, Spaces
from testbed.consensus.edge_admm.exchange_protocol import EXCHANGE_HEADER
from testbed.consensus.problems.registry import ProblemSettings
from testbed.consensus.settings import ConsensusSettings
from testbed.training.trainer import spaces
from testbed.workloads import ProblemWorkload, TrainingWorkload, UpdateWorkload

PROCESS = (290 if torch.version.cuda is None else 600) * 2**20
"""Bytes of a process after all imports and a little work (torch 2.13; Python 3.11, or 3.12 with CUDA).

With CUDA it was measured when training still imported PyTorch's compiler, some 40 MiB.
A build of torch for GPUs brings the libraries of CUDA, of which processes share some 150 MiB.
"""

OVERHEAD = 1.35
"""Measured factor: allocators keep freed memory, in pieces that do not always fit later requests."""

WORKSPACE = 64 * 2**20
"""Bytes that matrix products take on a GPU beside their tensors.

The peaks in ``studies/results/devices/table.csv``, of one H200, exceed the bytes of tensors by this.
"""


def peak(trial: ProblemWorkload | UpdateWorkload | TrainingWorkload, links: int) -> int | None:
    """Estimated peak memory in bytes of a trial whose topology has ``links`` links.

    The estimate counts the data, every agent's and link's state, the messages under way, and the rows of
    curves that are kept until the end; not a trace, which is recorded only on request. None for worlds whose
    sizes are not known until a game has been started.
    """
    recorded = _recorded(trial, links)
    if isinstance(trial, ProblemWorkload):
        return PROCESS + recorded + _problem(trial.problem, trial.consensus, links)
    if not trial.environment.sizes_known:
        return None
    return PROCESS + recorded + _learning(trial, trial.loop.samples, links)


def peak_on_gpu(trial: ProblemWorkload | UpdateWorkload | TrainingWorkload, links: int) -> int | None:
    """Estimated peak memory on the GPU in bytes, in addition to ``peak``; 0 if the trial does not use one.

    These are the tensors of an update, as the algorithm counts them (``LearnerSettings.memory``), and
    ``WORKSPACE``; experience and environments stay in the machine's memory. Not counted is what CUDA itself
    takes for each process. None for worlds whose sizes are not known until a game has been started.
    """
    if isinstance(trial, ProblemWorkload) or trial.algorithm.device != "cuda":
        return 0
    if not trial.environment.sizes_known:
        return None
    of, load = _load(trial, trial.loop.samples, links)
    return WORKSPACE + trial.algorithm.memory(of, load)


def _problem(problem: ProblemSettings, consensus: ConsensusSettings, links: int) -> int:
    """The arrays of a convex problem; N agents, signals of M numbers; float64."""
    n, m = problem.agents, problem.dimension
    return 8 * ((consensus.kind.signals(links, n) + consensus.copies(links)) * m + problem.numbers())


COUNTLESS = 10**18
"""Cap on numbers that mean "without limit"."""

ROW = 900
"""Bytes of a row of a curve, some fifteen numbers by name, with its share of the table written (measured)."""


def _recorded(trial: ProblemWorkload | UpdateWorkload | TrainingWorkload, links: int) -> int:
    """The rows of the curves, as far as the budget bounds their number, and the order of the exchanges."""
    consensus, agents = trial.consensus, min(trial.agents, COUNTLESS)
    if not isinstance(trial, ProblemWorkload) and not trial.algorithm.over_links:
        return 0
    budget, own_clocks = consensus.budget, consensus.activation in ("poisson", "gossip", "asynchronous")
    # A tolerance may be reached at any time, and where nothing takes time the number of events is unknown.
    untimed = budget.seconds is not None and not own_clocks and consensus.compute == 0
    unsized = budget.bytes is not None and not isinstance(trial, ProblemWorkload)
    if budget.tolerance is not None or untimed or unsized:
        return 0
    most = []
    if budget.exchanges is not None:
        most.append(float(min(budget.exchanges, COUNTLESS)))
    if budget.activations is not None:
        most.append(float(min(budget.activations, COUNTLESS)))
    if budget.bytes is not None and isinstance(trial, ProblemWorkload):
        message = EXCHANGE_HEADER + 8 * min(trial.problem.dimension, COUNTLESS)
        most.append(min(budget.bytes, COUNTLESS) / (2 * message))
    if budget.seconds is not None:
        clocks = links if consensus.activation == "poisson" else agents
        if own_clocks:
            most.append(budget.seconds * consensus.activation_rate * clocks)
        else:
            most.append(budget.seconds / consensus.compute * max(1, agents // 2))
    updates = trial.training.updates if isinstance(trial, TrainingWorkload) else 1
    return round(min(min(most) * min(updates, COUNTLESS) * (ROW / consensus.curve_every + 8), COUNTLESS))


def _learning(trial: UpdateWorkload | TrainingWorkload, m: int, links: int) -> int:
    """The arrays of one update; M samples."""
    of, load = _load(trial, m, links)
    # An update also collects a batch to measure on; each is stacked from its steps.
    batches = load.batch * (2 if isinstance(trial, UpdateWorkload) else 1)
    return round(OVERHEAD * (batches + load.batch + trial.algorithm.memory(of, load)))


def _load(trial: UpdateWorkload | TrainingWorkload, m: int, links: int) -> tuple[Spaces, Load]:
    """The sizes of the environment, and the amount of data in an update; N agents, M samples."""
    with trial.environment.make(1) as world:
        of = spaces(world)
        masked = bool(world.masks())
        partial = masked or bool(world.active())
    n, d, a = of.agents, of.observation_size, of.actions
    action = of.action_numbers * (4 if of.action_space == "Box" else 8)
    experience = n * m * (2 * 4 * d + 10 + action + masked * a)
    return of, Load(samples=m, links=links, partly_acting=partial, batch=experience)
