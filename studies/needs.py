"""What the trials of a study need of the machine that runs them."""

from __future__ import annotations

from policies.arithmetic import require
from studies.document import StudyError
from studies.spec import Study, TrialSpec
from testbed import memory, workloads


def check(study: Study) -> None:
    """Look whether this machine has the devices that the trials ask for.

    Raises:
        StudyError: it has not; one line.
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


def described(study: Study) -> str:
    """The estimated memory of the most demanding trial, in one sentence."""
    first = study.trials[0].seed
    peaks = [
        memory.peak(trial.settings, trial.graph().number_of_edges())
        for trial in study.trials
        if trial.seed == first
    ]
    needed = [peak for peak in peaks if peak is not None]
    if len(needed) < len(peaks):
        return "how much memory a trial will need is not known before its games have been started"
    return f"a trial will need about {max(needed) / 2**20:,.0f} MiB of memory, and so will each beside it"
