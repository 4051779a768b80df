"""What a trial will need, told before it runs: its arrays, added up from their shapes."""

from policies.algorithms.fdmarl import FdmarlSettings
from policies.algorithms.learner import Spaces
from policies.algorithms.mappo import MappoSettings
from policies.algorithms.trust_region_settings import TrustRegionSettings
from policies.nn.mlp import MLP
from policies.nn.precision import Arithmetic
from testbed.consensus.edge_admm.algorithm import HEADER_BYTES
from testbed.consensus.problems.registry import (
    LassoSettings,
    LeastSquaresSettings,
    LogisticSettings,
    MeanSettings,
    ProblemSettings,
)
from testbed.consensus.settings import ConsensusSettings
from testbed.environments.external.starcraft import StarCraftSettings
from testbed.training.trainer import spaces
from testbed.workloads import ProblemWorkload, TrainingWorkload, UpdateWorkload

PROCESS = 330 * 2**20
"""Bytes of a process that has imported everything and done a little (Python 3.11, torch 2.13 for CPUs)."""

OVERHEAD = 1.35
"""Measured: allocators keep what is freed, in pieces that do not always fit what comes next."""


def peak(trial: ProblemWorkload | UpdateWorkload | TrainingWorkload, links: int) -> int | None:
    """Estimated peak memory in bytes of a trial whose topology has ``links`` links.

    Counted are the data, every agent's and link's state, the messages under way, and the rows of curves that
    are kept until the end; not a trace, which only those who ask for one have. None for worlds whose sizes
    are not known until a game has been started.
    """
    recorded = _recorded(trial, links)
    if isinstance(trial, ProblemWorkload):
        return PROCESS + recorded + _problem(trial.problem, trial.consensus, links)
    if isinstance(trial.environment, StarCraftSettings):
        return None
    collected = trial.training.samples if isinstance(trial, TrainingWorkload) else trial.update.samples
    return PROCESS + recorded + _learning(trial, collected, links)


def _problem(problem: ProblemSettings, consensus: ConsensusSettings, links: int) -> int:
    """The arrays of a convex problem; N agents, signals of M numbers, R rows each; float64."""
    n, m = problem.agents, problem.dimension
    match consensus.algorithm:
        case "edge_admm":
            # Two variables at each end of a link, and about as much again in messages.
            signals = 8 * links + 4 * n
        case "relaxed_admm" | "robust_push_sum":
            # What each end holds of the other, and a message each way.
            signals = 6 * links + 5 * n
        case _:
            signals = 2 * links + 2 * n
    numbers = signals * m
    match problem:
        case MeanSettings():
            numbers += n * m
        case LeastSquaresSettings():
            # The rows, and a copy to find rank and optimum; a basis each, and three to find one.
            numbers += 2 * n * problem.rows * m + (n + 3) * m * m
        case LassoSettings():
            numbers += 2 * n * problem.rows * m + (n + 5) * m * m
        case LogisticSettings():
            # The rows, those of all and of each with their labels' signs, and all of them weighted.
            numbers += 5 * n * problem.rows * m + 4 * m * m
    return 8 * numbers


COUNTLESS = 10**18
"""Where numbers end that somebody may have written for "for ever"."""

ROW = 900
"""Bytes of a row of a curve, some fifteen numbers by name, with its share of the table written (measured)."""


def _recorded(trial: ProblemWorkload | UpdateWorkload | TrainingWorkload, links: int) -> int:
    """The rows of the curves, as far as the budget tells how many there will be, and the exchanges' order."""
    consensus, agents = trial.consensus, min(trial.agents, COUNTLESS)
    if not isinstance(trial, ProblemWorkload) and trial.algorithm.communication not in ("agree", "average"):
        return 0
    budget, own_clocks = consensus.budget, consensus.activation in ("poisson", "gossip", "asynchronous")
    # A tolerance may be reached at any time, and where nothing takes time nobody can tell how much happens.
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
        message = HEADER_BYTES + 8 * min(trial.problem.dimension, COUNTLESS)
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
    """The arrays of one update; N agents, M samples."""
    with trial.environment.make(1) as world:
        of = spaces(world)
        masked = bool(world.masks())
        partial = masked or bool(world.active())
    n, d, a = of.agents, of.observation_size, of.actions
    experience = n * m * (2 * 4 * d + 18 + masked * a)
    # An update also collects a batch to measure on; each is stacked from its steps.
    batches = experience * (2 if isinstance(trial, UpdateWorkload) else 1)
    match trial.algorithm:
        case MappoSettings():
            learnt = _mappo(trial.algorithm, of, m)
        case FdmarlSettings():
            # Its transitions, and those once more in random order, a minibatch at a time.
            learnt = experience + _fdmarl(trial.algorithm, of, m, links)
        case _:
            learnt = _trust_region(trial.algorithm, of, m, links, partial)
    return round(OVERHEAD * (batches + experience + learnt))


def _trust_region(settings: TrustRegionSettings, of: Spaces, m: int, links: int, partial: bool) -> int:
    """What MATRPO makes of a batch; of the others, which agree on nothing, it is said too high.

    ``partial``: agents may be unable to act at some samples, so that all heads have weights.
    """
    n, d, a = of.agents, of.observation_size, of.actions
    number, product = (t.itemsize for t in (Arithmetic.dtypes(settings.precision)))
    hidden, widest = sum(settings.hidden), max(settings.hidden)
    parameters = MLP((d, *settings.hidden, n * a)).parameters
    kept = max(2, settings.solver.recycle, settings.solver.iterations)

    observations = number * n * m * d
    network = 3 * number * n * m * widest  # a layer's input, its products, its output
    heads = n * m * n
    linearised = n * m * (product * (d + 2 * hidden)) + heads * (a * (number + product) + 8)
    linearised += partial * heads * number * (a + 2)
    linearised += linearised // settings.solver.every * (settings.solver.every > 1)
    buffers = product * m * (hidden + n * a)
    solvers = number * n * kept * (2 * parameters + m * n)
    signals = number * m * n * (2 * 2 * links + 3 * n)
    audit = 0
    if settings.solver.audit:
        audit = n * m * (8 * d + 8 * (d + 2 * hidden)) + heads * (16 * a + 8) + 8 * m * (hidden + n * a)
        audit += 8 * n * 64 * (2 * parameters + m * n)

    values = observations + network
    posed = observations + linearised + audit
    factorising = heads * (8 + number * (2 + 3 * a)) + product * n * m * (3 * widest + 1)
    solving = buffers + solvers + signals
    # Freed memory is seldom given back: what a phase has used and let go of still counts in the next.
    return observations + values + posed + max(factorising, solving)


def _mappo(settings: MappoSettings, of: Spaces, m: int) -> int:
    """What MAPPO makes of a batch: it descends values, then policies; each is seen whole and in parts."""
    n, d, a = of.agents, of.observation_size, of.actions
    number = Arithmetic.dtypes(settings.precision)[0].itemsize
    part = -(-m // settings.minibatches)
    own = d + n if settings.share_policy else d
    # Of every layer what it was before and after its nonlinearity, and at the widest what comes back.
    layers = 2 * sum(settings.hidden) + 3 * max(settings.hidden)
    values = m * n * d + part * (n * d + layers)
    policies = n * m * (own + 2 * a) + n * part * (own + layers + 8 * a)
    return number * (values + policies)


def _fdmarl(settings: FdmarlSettings, of: Spaces, m: int, links: int) -> int:
    """What FDMARL makes of a batch: networks see a minibatch at a time, and all of it once at the end."""
    n, d, a = of.agents, of.observation_size, of.actions
    number = Arithmetic.dtypes(settings.precision)[0].itemsize
    widths = (1, *settings.hidden)
    critic = MLP((n * (d + a), *settings.hidden, 1)).parameters
    policy = MLP((d, *settings.hidden, a)).parameters
    step = min(settings.minibatch, m) * (2 * n * (d + a) + n * (a + 3) * 2 * sum(widths))
    moved = n * m * (d + 3 * max(widths) + 6 * a)
    # Parameters, their gradients, Adam's moments; critics as messages on all links, and before and after.
    networks = n * (4 * policy + 8 * critic) + critic * 2 * links
    return number * (networks + max(step, moved))
