"""What a trial will need, told before it runs: its arrays, added up from their shapes."""

from policies.algorithms.fdmarl import FdmarlSettings
from policies.algorithms.learner import Spaces
from policies.algorithms.mappo import MappoSettings
from policies.algorithms.trust_region_settings import TrustRegionSettings
from policies.arithmetic import Arithmetic
from policies.networks import MLP
from testbed.environments.external.starcraft import StarCraftSettings
from testbed.training import spaces
from testbed.workloads import ProblemWorkload, TrainingWorkload, UpdateWorkload

PROCESS = 330 * 2**20
"""Bytes of a process that has imported everything and done a little (Python 3.11, torch 2.13 for CPUs)."""

OVERHEAD = 1.35
"""Measured: allocators keep what is freed, in pieces that do not always fit what comes next."""


def peak(trial: ProblemWorkload | UpdateWorkload | TrainingWorkload, links: int) -> int | None:
    """Estimated peak memory in bytes of a trial whose topology has ``links`` links.

    Curves and traces, which grow with the number of events, are not counted. None for worlds whose sizes are
    not known until a game has been started.
    """
    if isinstance(trial, ProblemWorkload):
        # Two variables at each end of a link, and about as much again in messages; float64.
        signals = 8 * links + 4 * trial.agents
        return PROCESS + 8 * trial.problem.dimension * signals
    if isinstance(trial.environment, StarCraftSettings):
        return None
    collected = trial.training.samples if isinstance(trial, TrainingWorkload) else trial.update.samples
    return PROCESS + _learning(trial, collected, links)


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
