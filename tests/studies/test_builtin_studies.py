"""The studies that come with the package."""

import pytest

from studies.loading import builtin_names, load
from testbed import workloads

CONVEX = ("burst-loss", "codecs", "edge-or-relaxed-admm", "latency", "partitions", "stragglers")


@pytest.mark.parametrize("name", builtin_names())
def test_each_can_be_run_and_has_a_short_form(name):
    study, short = load(name), load(name, quick=True)
    assert study.question.endswith("?")
    assert 0 < len(short.trials) <= len(study.trials)


@pytest.mark.parametrize("name", CONVEX)
def test_the_beginning_of_each_condition_of_a_convex_study_runs(name):
    overrides = ["consensus.budget={seconds: 1, activations: 40}"]
    for trial in load(name, quick=True, overrides=overrides).trials:
        if trial.seed == 0:
            result = workloads.run(trial.settings, seed=0, graph=trial.graph())
            assert result.metrics["error"] < 3
            assert result.metrics["bytes_sent"] > 0
