"""Studies of many trials: the work of checking and running them is in proportion to their number."""

import cProfile
import pstats

import pytest
from rich.console import Console

from studies.execution import runner
from studies.spec.document import StudyError
from studies.spec.loading import load
from studies.spec.resolving import MOST_TRIALS

BASE = "workload: problem\nproblem: {name: mean, agents: 4}\nconsensus: {budget: {activations: 20}}\n"


def calls(work):
    """How many functions are called, of Python and of C."""
    profile = cProfile.Profile()
    result = profile.runcall(work)
    return pstats.Stats(profile).total_calls, result  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "grid",
    [
        lambda n: "vary:\n  consensus.penalty: [" + ", ".join(f"{1 + i / 1000}" for i in range(n)) + "]\n",
        lambda n: (
            "vary:\n  case:\n" + "".join(f"    c{i}: {{consensus.penalty: {1 + i}}}\n" for i in range(n))
        ),
        lambda n: f"seeds: {n}\n",
        lambda n: f"vary: {{network.link.loss: [0, .1]}}\nseeds: {n // 2}\nquick: {{seeds: 1}}\n",
    ],
    ids=["values", "cases", "seeds", "both"],
)
def test_checking_takes_time_in_proportion_to_the_trials(write, grid):
    load(str(write(BASE + grid(4))))  # what is made once
    few, _ = calls(lambda: load(str(write(BASE + grid(60)))))
    many, study = calls(lambda: load(str(write(BASE + grid(240)))))
    assert len(study.trials) == 240
    assert many < 4.4 * few


def test_more_trials_than_anybody_means_are_refused_before_they_are_made(write):
    vary = "vary:\n" + "".join(f"  {name}: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]\n" for name in "abcdef")
    with pytest.raises(StudyError) as caught:
        load(str(write(BASE + vary)))
    said = "vary: 10 x 10 x 10 x 10 x 10 x 10 x 1 (with the seeds) make 1,000,000 trials; must be at most"
    assert f"study.yaml:4: {said} {MOST_TRIALS:,}" in str(caught.value)


def test_a_grid_full_of_mistakes_is_not_read_to_its_end(write):
    wrong = ", ".join(str(-i - 1) for i in range(300))
    with pytest.raises(StudyError) as caught:
        load(str(write(BASE + f"vary: {{consensus.penalty: [{wrong}]}}\n")))
    *lines, last = str(caught.value).splitlines()
    assert len(lines) == 20
    assert last == "... and 30 more"


def test_the_trials_that_are_missing_are_found_without_comparing_all_with_all(write, monkeypatch):
    study = load(str(write(BASE + "seeds: 40\n")))
    compared = []
    monkeypatch.setattr(type(study.trials[0]), "__eq__", lambda *_: compared.append(1) or False)

    class Half:
        folder = write().parent

        def status(self, trial):
            return "finished" if trial.seed % 2 else "missing"

        def versions(self, trial):
            return runner.versions()

        def damage(self, trial):
            return None

        def wall_seconds(self, trial):
            return 1.0

    class Nothing:
        def run(self, tasks):
            self.tasks = tasks
            yield from ()

    executor = Nothing()
    outcome = runner.run(study, Half(), executor=executor, console=Console(quiet=True))
    assert outcome.kept == 20
    assert compared == []
    assert [task.trial.seed for task in executor.tasks] == list(range(0, 40, 2))
