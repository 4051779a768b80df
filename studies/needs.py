"""What the trials of a study need of the machine that runs them."""

from __future__ import annotations

from collections.abc import Callable

from policies.arithmetic import require
from studies.document import StudyError
from studies.spec import Study, TrialSpec
from testbed import memory, workloads
from testbed.environments.external.games import Games
from testbed.environments.external.starcraft import StarCraftSettings
from testbed.errors import WorldError


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


def check_games(study: Study) -> None:
    """Look whether the games that the trials play can be opened here, each once: no client is launched.

    Raises:
        StudyError: one cannot; one line.
    """
    for trial in {_game(trial): trial for trial in study.trials}.values():
        check_game(trial)


def check_game(trial: TrialSpec) -> None:
    """The same for one trial."""
    if game := _game(trial):
        try:
            Games(*game, 1).close()
        except (ValueError, WorldError) as error:
            raise StudyError(f"environment: {error}") from error


def _game(trial: TrialSpec) -> tuple[str | None, str] | None:
    """The interpreter and the map of a game outside the testbed; None if the trial plays none."""
    environment = getattr(trial.settings, "environment", None)
    return (environment.python, environment.map) if isinstance(environment, StarCraftSettings) else None


def peaks() -> Callable[[TrialSpec], int | None]:
    """An estimator of the peak memory of trials in bytes, which looks at each condition but once.

    It gives None for worlds whose sizes are not known until a game has been started.
    """
    known: dict[tuple[str, int], int | None] = {}

    def peak(trial: TrialSpec) -> int | None:
        links = trial.graph().number_of_edges()
        condition = trial.settings.model_dump_json(), links
        if condition not in known:
            known[condition] = memory.peak(trial.settings, links)
        return known[condition]

    return peak


def described(study: Study) -> str:
    """The estimated memory of the most demanding trial, in one sentence."""
    first = study.trials[0].seed
    peak = peaks()
    estimates = [peak(trial) for trial in study.trials if trial.seed == first]
    needed = [estimate for estimate in estimates if estimate is not None]
    if len(needed) < len(estimates):
        return "how much memory a trial will need is not known before its games have been started"
    return f"a trial will need about {max(needed) / 2**20:,.0f} MiB of memory, and so will each beside it"
