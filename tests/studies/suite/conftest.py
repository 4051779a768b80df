"""A version of the suite that takes a second, and a way to run it in the process of the tests."""

from pathlib import Path

import pytest
from in_process import InProcess

from studies.execution import backends
from studies.suite import definition, methods, plan, results, running
from studies.terminal import lines_console

FILES = {
    "tiny-1/mean.yaml": """\
workload: problem
topology: ring
problem: {name: mean, agents: 5, dimension: 2}
network: {link: {delay: 5ms}}
consensus: {budget: {seconds: 600ms}, curve_every: 100}
""",
    "tiny-1/logistic.yaml": """\
workload: problem
topology: ring
problem: {name: logistic, agents: 3, dimension: 2, rows: 4}
network: {link: {delay: 5ms}}
consensus: {budget: {seconds: 300ms}, curve_every: 100}
""",
    "tiny-1/learning.yaml": """\
workload: training
environment: {name: navigation, agents: 3, episode_length: 5}
algorithm: {name: matrpo, hidden: [4]}
topology: ring
network: {link: {delay: 5ms}}
consensus: {budget: {seconds: 100ms}}
training: {updates: 1, samples: 20}
""",
    "tiny-1/conditions.yaml": """\
perfect: {stands_for: nothing lost, settings: {topology: ring}}
loss 30 %: {stands_for: some lost, settings: {network.link.loss: 0.3}}
loss 60 %: {stands_for: most lost, settings: {network.link.loss: 0.6}}
cut: {stands_for: no link between 0 and 1, not_for: {logistic: small},
  settings: {network.faults: [{link: 0-1, down: 0s}]}}
no network: {stands_for: none, settings: {topology: {name: erdos_renyi, p: 0, allow_disconnected: true}}}
""",
    "tiny-1/scores.yaml": """\
mean: {metric: error, scale: digits, most: 12}
logistic: {metric: error, scale: digits, most: 12}
learning: {metric: return, scale: linear}
""",
    "tiny-1/sizes.yaml": """\
lite: {about: two tasks, seeds: 2,
  tasks: {mean: {}, logistic: {conditions: [perfect, loss 30 %, no network]}}}
small: {about: one seed, seeds: 1,
  tasks: {mean: {settings: {problem.dimension: 3}, conditions: [perfect, no network]}}}
learn: {about: training, seeds: 2, tasks: {learning: {conditions: [perfect, loss 60 %, no network]}}}
""",
    "tiny-1/reference.yaml": """\
relaxed:
  about: the reference
  settings: {problem: {consensus.algorithm: relaxed_admm}, training: {consensus.algorithm: relaxed_admm}}
""",
    "methods.yaml": """\
averaging:
  settings: {mean: {consensus.algorithm: metropolis}}
  not_for: {problem: averages alone, training: averages alone}
alone:
  settings: {training: {algorithm: {name: itrpo, hidden: [4]}}}
  not_for: {problem: learns policies}
centre:
  only: [perfect]
  settings: {problem: exact, training: {algorithm: {name: ctrpo, hidden: [4]}}}
""",
}


@pytest.fixture(scope="session")
def folder(tmp_path_factory) -> Path:
    """The folder of versions, with the tiny one and its methods; not to be changed."""
    return written(tmp_path_factory.mktemp("suites"))


def written(place: Path) -> Path:
    """Writes the tiny version into a folder."""
    for name, text in FILES.items():
        (place / name).parent.mkdir(exist_ok=True)
        (place / name).write_text(text)
    return place


@pytest.fixture(scope="session")
def suite(folder):
    return definition.load("tiny-1", folder)


@pytest.fixture
def run(suite, tmp_path, monkeypatch):
    """Runs a size in the process of the tests; returns what was run and the table.

    With ``shown`` it also writes figures, page and submissions, which takes longer than the trials.
    """
    monkeypatch.setattr(backends, "executor", lambda *_: InProcess())

    def run(size="lite", out="out", names=(), own=(), tasks=(), conditions=(), shown=False):
        chosen = suite.size(size)
        choice = plan.choose(suite, chosen, tasks, conditions)
        parts = plan.parts(suite, chosen, methods.chosen(suite, names, own))
        running.claim(tmp_path / out, suite, size)
        settings = {"jobs": 1, "on": "local", "console": lines_console(), "warn": pytest.fail}
        ran = running.run(parts, choice, tmp_path / out, **settings)
        given = (suite, size, parts, choice, tmp_path / out)
        return ran, results.write(*given).table if shown else results.read(*given)[1]

    return run
