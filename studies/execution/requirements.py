"""Requirements of a study's trials on the machine that runs them."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence

from policies.nn.precision import bfloat16_cost, require
from studies.execution import host_resources
from studies.formatting import counted
from studies.spec.document import StudyError
from studies.spec.study import Study, TrialSpec
from testbed import workloads
from testbed.common.errors import WorldError
from testbed.workloads import memory

SURE = 1.25
"""Ratio of estimated to total memory above which a trial is refused."""

CONTEXT = 512 * 2**20
"""Bytes of a GPU that CUDA is assumed to take for each process that uses it; not measured."""

SLOW = 2.0
"""Slowdown of bfloat16 products, relative to float32, above which there is a warning."""

Estimate = Callable[
    [workloads.ProblemWorkload | workloads.UpdateWorkload | workloads.TrainingWorkload, int], int | None
]
"""An estimate of memory in bytes from a trial's settings and its number of links."""


def check(study: Study) -> None:
    """Checks that this machine has the devices that the trials ask for.

    Raises:
        StudyError: a device is missing; one line.
    """
    for trial in study.trials:
        check_trial(trial)


def check_trial(trial: TrialSpec) -> None:
    """The same for one trial."""
    if isinstance(trial.settings, workloads.LearningWorkload):
        try:
            require(trial.settings.algorithm.device)
        except ValueError as error:
            raise StudyError(f"algorithm.{error}") from error


def gpus(trial: TrialSpec) -> int:
    """Number of GPUs that a trial computes on: 1 with ``algorithm.device: cuda``, else 0."""
    settings = trial.settings
    return int(isinstance(settings, workloads.LearningWorkload) and settings.algorithm.device == "cuda")


def advice(study: Study) -> list[str]:
    """Suggestions that would make the trials faster on this machine, one line each."""
    if not any(_multiplies_in_bfloat16(trial) for trial in study.trials):
        return []
    cost = bfloat16_cost()
    if cost < SLOW:
        return []
    return [
        f"algorithm.precision = 'bfloat16-matmul': products in bfloat16 take {cost:.0f} times as long as in"
        " float32 on this processor, which has no instructions for them: `--set algorithm.precision=float32`,"
        " or in each condition that sets it"
    ]


def _multiplies_in_bfloat16(trial: TrialSpec) -> bool:
    if not isinstance(trial.settings, workloads.LearningWorkload):
        return False
    algorithm = trial.settings.algorithm
    return getattr(algorithm, "precision", "") == "bfloat16-matmul" and algorithm.device == "cpu"


def check_games(study: Study) -> None:
    """Checks, once per game, that the games of the trials can be opened here; no client is launched.

    Raises:
        StudyError: a game cannot be opened; one line.
    """
    for trial in {_opened(trial): trial for trial in study.trials}.values():
        check_game(trial)


def check_game(trial: TrialSpec) -> None:
    """The same for one trial."""
    if isinstance(trial.settings, workloads.LearningWorkload):
        try:
            trial.settings.environment.check_opens()
        except (ValueError, WorldError) as error:
            raise StudyError(f"environment: {error}") from error


def _opened(trial: TrialSpec) -> Hashable | None:
    """External program that a trial opens, as the interpreter and map of a game; None if there is none."""
    settings = trial.settings
    return settings.environment.opens() if isinstance(settings, workloads.LearningWorkload) else None


def check_memory(study: Study) -> None:
    """Checks that each trial would fit into the memory of this machine and its GPU with nothing else running.

    Raises:
        StudyError: a trial certainly does not fit; one line.
    """
    total = host_resources.total_memory()
    card = host_resources.gpu() if any(gpus(trial) for trial in study.trials) else None
    peak, on_gpu = peaks(), peaks(memory.peak_on_gpu)
    for trial in study.trials:
        if trial.seed != study.trials[0].seed:
            continue
        _check_fits(study, trial, peak(trial), total, "memory, and this machine has")
        if card is not None:
            _check_fits(study, trial, on_gpu(trial), card[1], f"GPU memory, and {card[0]} has")


def _check_fits(study: Study, trial: TrialSpec, needed: int | None, total: int | None, of: str) -> None:
    if total is None or needed is None or needed <= SURE * total:
        return
    sizes = {
        "problem": "problem.dimension, problem.agents, problem.rows",
        "update": "update.samples, algorithm.hidden",
        "training": "training.samples, algorithm.hidden",
    }[study.workload]
    raise StudyError(
        f"{study.name}: {trial.title}: would need about {bytes_in_words(needed)} of {of}"
        f" {bytes_in_words(total)}: reduce {sizes}, the number of links or consensus.budget"
    )


def bytes_in_words(number: int) -> str:
    """A size in words, such as ``330 MiB`` or ``1,200 GiB``."""
    if number > 2**70:
        return f"more than {2**40:,} GiB"
    mebibytes = round(number / 2**20)
    return f"{mebibytes:,} MiB" if mebibytes < 10_000 else f"{mebibytes // 1024:,} GiB"


def peaks(estimate: Estimate = memory.peak) -> Callable[[TrialSpec], int | None]:
    """An estimator of the peak memory of trials in bytes, which evaluates each condition only once.

    It returns None for environments whose sizes are unknown until a game has been started.

    Args:
        estimate: of a trial's settings and number of links; ``memory.peak_on_gpu`` is that of a GPU.
    """
    known: dict[tuple[str, int], int | None] = {}

    def peak(trial: TrialSpec) -> int | None:
        links = trial.graph().number_of_edges()
        condition = trial.settings.model_dump_json(), links
        if condition not in known:
            known[condition] = estimate(trial.settings, links)
        return known[condition]

    return peak


def clients(study: Study) -> str | None:
    """The programs that a trial starts for its parallel episodes, in one sentence; None if it starts none."""
    most: dict[str, tuple[int, int]] = {}
    for trial in study.trials:
        settings = trial.settings
        if not isinstance(settings, workloads.LearningWorkload) or settings.environment.client is None:
            continue
        world, loop = settings.environment, settings.loop
        evaluation = loop.evaluation
        numbers = (
            loop.shape(world.episode_length, world.most_parallel)[1],
            0 if evaluation is None else evaluation.parallel(world),
        )
        most[str(world.client)] = max(most.get(str(world.client), (0, 0)), numbers, key=sum)
    parts = [
        f"{counted(learning, 'client')} of {name}"
        + (f", and {evaluating} more during each evaluation" if evaluating else "")
        for name, (learning, evaluating) in most.items()
    ]
    return f"each concurrent trial runs {' or '.join(parts)}" if parts else None


def described(study: Study) -> str:
    """The estimated memory of the most demanding trial, in one sentence."""
    needed = _largest(study.trials, peaks())
    if needed is None:
        return "how much memory a trial will need is not known before its games have been started"
    return f"each concurrent trial will need about {bytes_in_words(needed)} of memory"


def described_gpu(study: Study) -> str | None:
    """The estimated GPU memory of the most demanding trial with ``algorithm.device: cuda``, in one sentence.

    It also says how many such trials fit at once into this machine's GPU, each with ``CONTEXT``, or that
    there is no GPU. None if no trial asks for one.
    """
    trials = [trial for trial in study.trials if gpus(trial)]
    if not trials:
        return None
    needed, card = _largest(trials, peaks(memory.peak_on_gpu)), host_resources.gpu()
    if needed is None:
        return "how much GPU memory a trial will need is not known before its games have been started"
    sentence = f"each trial on a GPU will need about {bytes_in_words(needed)} of its memory, too"
    if card is None:
        return f"{sentence}; torch finds no CUDA device on this machine"
    name, total = card
    room = total // (needed + CONTEXT)
    fits = f"enough for {counted(room, 'trial')} at once" if room else "which may not be enough"
    return f"{sentence}; {name} has {bytes_in_words(total)}, {fits}"


def _largest(trials: Sequence[TrialSpec], peak: Callable[[TrialSpec], int | None]) -> int | None:
    """The largest estimate over the trials of one seed; None if one is unknown."""
    estimates = [peak(trial) for trial in trials if trial.seed == trials[0].seed]
    needed = [estimate for estimate in estimates if estimate is not None]
    return None if len(needed) < len(estimates) else max(needed)
