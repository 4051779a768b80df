"""The studies that come with the package."""

import math

import pytest

from studies.spec.builtin import builtin_names
from studies.spec.loading import load
from testbed import workloads

CONVEX = (
    *("burst-loss", "codecs", "edge-or-relaxed-admm", "latency"),
    *("measured-links", "methods-beside-admm", "partitions", "stragglers"),
)


@pytest.mark.parametrize("name", builtin_names())
def test_each_can_be_run_and_has_a_short_form(name):
    study, short = load(name), load(name, quick=True)
    assert study.question.endswith("?")
    assert 0 < len(short.trials) <= len(study.trials)


@pytest.mark.parametrize("name", CONVEX)
def test_the_beginning_of_each_condition_of_a_convex_study_runs(name):
    overrides = ["consensus.budget={seconds: 30, activations: 40}"]
    for trial in load(name, quick=True, overrides=overrides).trials:
        if trial.seed == 0:
            result = workloads.run(trial.settings, seed=0, graph=trial.graph())
            assert result.metrics["error"] < 3
            assert result.metrics["bytes_sent"] > 0


TWELVE = ("environment.hunters=9", "environment.banks=3", "consensus.budget.activations=500")


@pytest.mark.parametrize(
    ("name", "overrides", "agents", "delta", "activations", "penalty"),
    [
        ("navigation", (), 3, 0.003, 100, 1),
        ("navigation-6", (), 6, 0.003, 150, 1),
        ("treasure", (), 8, 0.001, 200, 5),
        ("treasure", TWELVE, 12, 0.001, 500, 5),
    ],
)
def test_the_paper_s_tasks_have_the_paper_s_settings(name, overrides, agents, delta, activations, penalty):
    trial = load(name, overrides=overrides).trials[0].settings
    environment, algorithm, consensus = trial.environment, trial.algorithm, trial.consensus
    assert (environment.agents, environment.episode_length, trial.training.samples) == (agents, 100, 10_000)
    assert (algorithm.delta_per_agent, algorithm.gamma, algorithm.lam) == (delta, 0.995, 0.95)
    assert algorithm.hidden == (128, 128)
    assert (consensus.budget.activations, consensus.penalty) == (activations, penalty)


def test_the_authors_code_is_run_by_its_own_settings():
    by_method = {trial.varied["method"]: trial.settings for trial in load("authors-code").trials}
    theirs = by_method["authors' code"]
    algorithm, consensus = theirs.algorithm, theirs.consensus
    assert (algorithm.step, algorithm.curvature) == ("line_search", "solve")
    assert (algorithm.advantage_mean, algorithm.advantage_scale) == ("shared", "shared")
    assert (algorithm.average_over, algorithm.fisher) == ("all", "expected")
    solver, values = algorithm.solver, algorithm.values
    assert (solver.preconditioner, solver.iterations, solver.tolerance) == ("none", 10, 0)
    assert (solver.warm_start, solver.damping, solver.every) == (False, 0.01, 5)
    assert (values.epochs, values.batch_size, values.learning_rate) == (3, 64, 3e-4)
    assert (consensus.activation, consensus.initial_dual, consensus.penalty) == ("round_robin", 1, 1)
    assert by_method["paper"].algorithm.step == "boundary"


def test_the_paper_s_battles_have_the_paper_s_settings():
    trials = load("skirmish").trials
    tasks = {}
    for trial in trials:
        settings, algorithm = trial.settings, trial.settings.algorithm
        environment, consensus, loop = settings.environment, settings.consensus, settings.training
        tasks[environment.map] = (environment.agents, environment.episode_length)
        assert (environment.reward, environment.unavailable) == ("paper", "mask")
        assert (algorithm.delta_per_agent, algorithm.gamma, algorithm.lam) == (0.001, 0.995, 0.95)
        assert (consensus.budget.activations, consensus.penalty) == (500, 5)
        assert loop.samples * loop.updates == 3_000_000
        assert (loop.samples, loop.evaluation.every, loop.evaluation.episodes) == (10_000, 1, 32)
        assert all(degree == 2 for _, degree in trial.graph().degree)
    wanted = {"2s3z": (5, 120), "3s5z": (8, 150), "10m_vs_11m": (10, 150), "MMM2": (10, 180)}
    assert tasks == wanted
    assert len(trials) == 3 * len(wanted)


def test_the_beginning_of_the_quick_form_of_the_battles_runs():
    changes = ["training.updates=1", "training.samples=50", "environment.episode_length=50"]
    trial = load("skirmish", quick=True, overrides=changes).trials[0]
    row = workloads.run(trial.settings, seed=0, graph=trial.graph()).curves["training"][0]
    assert 0 <= row["evaluation_return_battle_won"] <= 1
    assert row["evaluation_return"] > 0


@pytest.mark.parametrize("name", ["navigation-6", "treasure"])
def test_the_beginning_of_the_quick_form_of_a_training_study_runs(name):
    for trial in load(name, quick=True, overrides=["training.updates=1", "training.samples=500"]).trials:
        result = workloads.run(trial.settings, seed=trial.seed, graph=trial.graph())
        assert result.curves["training"][0]["episodes"] == 5
        assert math.isfinite(result.metrics["return"])
