"""The training loop: books, determinism, resuming."""

import math
from contextlib import nullcontext
from functools import partial

import numpy as np
import pytest

import topologies
from policies.algorithms.matrpo import MatrpoSettings
from policies.batch import Batch
from testbed import environments, workloads
from testbed.common import checkpoints
from testbed.consensus.settings import Budget, ConsensusSettings
from testbed.environments import DEFAULT
from testbed.network import LinkSettings, NetworkSettings, Trace
from testbed.training import warm_start
from testbed.training.rollout import Collector
from testbed.training.trainer import EvaluationSettings, LoopSettings
from testbed.workloads import ProblemWorkload, TrainingWorkload, UpdateSettings, UpdateWorkload

LOSSY = NetworkSettings(link=LinkSettings(delay=0.005, jitter=0.002, loss=0.3))
CONSENSUS = ConsensusSettings(budget=Budget(activations=12))
RING = topologies.make("ring", 3)


def workload(network=LOSSY, updates=3, **loop) -> TrainingWorkload:
    return TrainingWorkload(
        algorithm=MatrpoSettings(hidden=(16,)),
        network=network,
        consensus=CONSENSUS,
        training=LoopSettings(updates=updates, samples=300, **loop),
    )


def run(trial, seed=0, **options):
    return workloads.run(trial, seed=seed, graph=RING, **options)


class Scripted:
    """Always the same action."""

    def __init__(self, action):
        self.action = action

    def act(self, observations, masks, generator):
        return np.full(observations.shape[:2], self.action)


class Counting:
    """Plays the number of steps it was told of so far."""

    def __init__(self):
        self.steps = []

    def act(self, observations, masks, generator):
        return np.full(observations.shape[:2], len(self.steps) % 5)


@pytest.mark.parametrize("name", ["navigation", "skirmish"])
def test_who_wants_to_hear_gets_each_step_before_the_next_action_is_chosen(name):
    options = {"map": "2s3z", "unavailable": "random"} if name == "skirmish" else {"agents": 3}
    collector = Collector(environments.make(name, **options, batch=4), seed=1)
    actor = Counting()
    batch, _ = collector.collect(actor, 30, None, actor.steps.append)
    assert (batch.actions == np.arange(30)[:, None, None] % 5).all()
    for field, array in vars(batch).items():
        heard = [getattr(step, field) for step in actor.steps]
        assert heard == [None] * 30 if array is None else np.array_equal(np.concatenate(heard), array)


def test_returns_are_sums_over_agents_and_steps_of_whole_episodes():
    collector = Collector(environments.make("navigation", agents=3, batch=4), seed=1)
    batch, means = collector.collect(Scripted(2), 100, None)
    assert means["return"] == pytest.approx(batch.rewards.sum() / 4)
    assert means["return"] == pytest.approx(-means["return_distance"] - means["return_collisions"])
    assert means["episodes"] == 4
    assert batch.boundaries[-1].all()
    assert not batch.boundaries[:-1].any()
    assert not batch.terminations.any()
    # Every step leads to what the next one sees; the next episode begins elsewhere.
    np.testing.assert_array_equal(batch.next_observations[:-1], batch.observations[1:])
    assert not np.array_equal(batch.next_observations[-1], collector.observations)


def test_episodes_longer_than_a_batch_go_on_in_the_next():
    whole = Collector(environments.make("navigation", agents=3, batch=4), seed=1)
    halves = Collector(environments.make("navigation", agents=3, batch=4), seed=1)
    together, means = whole.collect(Scripted(1), 100, None)
    first, none = halves.collect(Scripted(1), 50, None)
    second, at_last = halves.collect(Scripted(1), 50, None)
    assert np.isnan(none["return"])
    assert none["episodes"] == 0
    assert at_last["return"] == pytest.approx(means["return"])
    np.testing.assert_array_equal(np.concatenate([first.rewards, second.rewards]), together.rewards)


def test_the_same_seed_gives_identical_results_and_traces_and_another_does_not(without_wall):
    runs = []
    for seed in (3, 3, 4):
        trace = Trace()
        result = run(workload(), seed=seed, trace=trace)
        runs.append((without_wall(result.curves["training"]), "\n".join(trace.lines())))
    assert runs[0] == runs[1]
    assert runs[0][0] != runs[2][0]
    assert runs[0][1] != runs[2][1]


def test_loss_and_latency_count_half_commits_and_change_what_is_learnt():
    perfect, lossy = run(workload(NetworkSettings())), run(workload())
    assert sum(row["half_committed"] for row in perfect.curves["training"]) == 0
    assert sum(row["half_committed"] for row in lossy.curves["training"]) > 0
    # The first batch is played by the same initial policies on the same seeds; from then on they part.
    returns = [[row["return"] for row in r.curves["training"]] for r in (perfect, lossy)]
    assert returns[0][0] == returns[1][0]
    assert returns[0][1:] != returns[1][1:]


@pytest.mark.parametrize("damaged", [False, True])
def test_resuming_equals_never_having_stopped(without_wall, killed, tmp_path, damaged):
    straight = run(workload(updates=4))
    path = tmp_path / "checkpoint.pt"

    killed(partial(run, workload(updates=4)), after=2, checkpoint=path)
    if damaged:
        path.write_bytes(path.read_bytes()[:-500])
    with pytest.warns(UserWarning, match="continuing from the one before") if damaged else nullcontext():
        resumed = run(workload(updates=4), checkpoint=path)
    for name in ("training", "consensus"):
        assert without_wall(straight.curves[name]) == without_wall(resumed.curves[name])


def test_a_column_that_a_checkpoint_did_not_have_is_empty_before_it_and_kept_from_then_on():
    trial, graph = workload(), topologies.make("ring", 3)
    whole = workloads.make_trainer(trial, seed=0, graph=graph)
    whole.advance()
    old = whole.state_dict()
    at = old["rows"]["columns"].index("kl")
    old["rows"] = {
        "columns": [name for name in old["rows"]["columns"] if name != "kl"],
        "values": np.delete(old["rows"]["values"], at, axis=1),
    }
    later = workloads.make_trainer(trial, seed=0, graph=graph)
    later.load_state_dict(old)
    later.advance()
    whole.advance()
    again = workloads.make_trainer(trial, seed=0, graph=graph)
    again.load_state_dict(later.state_dict())
    assert [math.isnan(row["kl"]) for row in again.rows] == [True, False]
    for mine, theirs in zip(again.rows, whole.rows, strict=True):
        kept = {name for name in theirs if not name.startswith("wall_")} - {"kl"}
        assert {name: mine[name] for name in kept} == {name: theirs[name] for name in kept}


def test_a_checkpoint_of_other_settings_is_refused(tmp_path):
    path = tmp_path / "checkpoint.pt"
    run(workload(updates=1), checkpoint=path)
    with pytest.raises(checkpoints.CheckpointError, match="other settings or another seed"):
        run(workload(updates=1), seed=1, checkpoint=path)


def test_evaluating_changes_nothing_that_is_learnt(without_wall):
    plain = run(workload())
    evaluated = run(workload(evaluation=EvaluationSettings(every=2, episodes=3)))
    rows = evaluated.curves["training"]
    names = [name for name in rows[0] if name.startswith("return")]
    measured = [[np.isfinite(row.pop(f"evaluation_{name}")) for name in names] for row in rows]
    assert measured == [[False] * 4, [True] * 4, [True] * 4]  # of the return and three components
    for row in [*rows, *plain.curves["training"]]:
        row.pop("wall_adopt")
    assert without_wall(rows) == without_wall(plain.curves["training"])


def test_one_clock_runs_through_the_whole_run():
    rows = run(workload()).curves["training"]
    spent = np.cumsum([row["consensus_seconds"] for row in rows])
    np.testing.assert_allclose([row["seconds"] for row in rows], spent)


def test_an_update_from_a_stored_batch_uses_that_batch(tmp_path):
    collector = Collector(environments.make("navigation", agents=3, batch=2), seed=1)
    batch, _ = collector.collect(Scripted(3), 50, None)
    batch.save(tmp_path / "batch.npz")
    back = Batch.load(tmp_path / "batch.npz")
    np.testing.assert_array_equal(back.observations, batch.observations)
    common = {"algorithm": MatrpoSettings(hidden=(8,)), "consensus": CONSENSUS}
    stored = UpdateWorkload(**common, update=UpdateSettings(batch=tmp_path / "batch.npz"))
    collected = UpdateWorkload(**common, update=UpdateSettings(samples=100, warmup=1))
    first, second, other = run(stored), run(stored), run(collected)
    assert first.metrics["surrogate_gain"] == second.metrics["surrogate_gain"]
    assert first.metrics["surrogate_gain"] != other.metrics["surrogate_gain"]
    # 100 samples, 3 heads, 4 bytes, and the header, both ways, 12 times.
    assert first.metrics["bytes_sent"] == 12 * 2 * (100 * 3 * 4 + 16)


def test_a_stored_batch_of_another_world_is_refused(tmp_path):
    collector = Collector(environments.make("navigation", agents=4, batch=2), seed=1)
    collector.collect(Scripted(3), 10, None)[0].save(tmp_path / "batch.npz")
    with pytest.raises(ValueError, match=r"has observations of shape \(4, 18\), needs \(3, 14\)"):
        run(UpdateWorkload(update=UpdateSettings(batch=tmp_path / "batch.npz")))


def test_the_batch_of_an_update_does_not_depend_on_the_topology():
    trial = UpdateWorkload(
        algorithm=MatrpoSettings(hidden=(8,)),
        consensus=CONSENSUS,
        update=UpdateSettings(samples=100, warmup=1),
    )
    ring, path = (
        workloads.run(trial, seed=0, graph=topologies.make(name, 3)).metrics for name in ("ring", "path")
    )
    assert ring["explained_variance"] == path["explained_variance"]
    assert ring["disagreement"] != path["disagreement"]


def test_the_batch_of_an_update_is_kept_for_all_that_start_from_it_and_changes_nothing(tmp_path):
    def trial(**algorithm):
        return UpdateWorkload(
            algorithm=MatrpoSettings(hidden=(8,), **algorithm),
            consensus=CONSENSUS,
            update=UpdateSettings(samples=100, warmup=1),
        )

    rough = {"iterations": 1, "warm_start": False}
    alone = [run(trial()), run(trial(step="boundary", solver=rough))]
    warmed = []
    kept = [
        run(each, batches=tmp_path, progress=lambda phase, *_: warmed.append(phase))
        for each in (trial(), trial(step="boundary", solver=rough))
    ]
    assert warmed.count("warmup") == 1
    assert len(list(tmp_path.iterdir())) == 1
    for one, other in zip(alone, kept, strict=True):
        assert one.metrics == other.metrics
        assert one.curves == other.curves
    assert kept[0].metrics["explained_variance"] == kept[1].metrics["explained_variance"]
    assert kept[0].metrics["surrogate_gain"] != kept[1].metrics["surrogate_gain"]
    run(trial(), seed=1, batches=tmp_path)
    assert len(list(tmp_path.iterdir())) == 2


def test_the_gain_on_the_batch_itself_is_the_surrogate_gain():
    learner = warm_start.prepare(
        DEFAULT, MatrpoSettings(hidden=(8,), precision="float64"), samples=200, warmup=0, seed=0
    )
    before = learner.learner.theta.clone()
    advantages, _, _ = learner.learner.estimate_advantages(learner.batch)
    problems = learner.learner.build_subproblems(learner.batch, advantages, np.random.default_rng(0))
    for problem in problems:
        problem.solve(problem.zeros(), 1.0)
    wanted = learner.learner.apply_steps(problems)["surrogate_gain"]
    assert learner.learner.gain(learner.batch, advantages, before) == pytest.approx(wanted, rel=1e-9)
    others, _, _ = learner.learner.estimate_advantages(learner.holdout)
    assert learner.learner.gain(learner.holdout, others, before) != pytest.approx(wanted, rel=1e-3)


def test_gains_on_another_batch_are_by_the_critics_of_before_the_update():
    """However well the critics are fitted to the first batch: here, hardly or well."""
    gains = []
    for rate in (1e-9, 1e-2):
        trial = UpdateWorkload(
            algorithm=MatrpoSettings(hidden=(8,), values={"learning_rate": rate}),
            consensus=CONSENSUS,
            update=UpdateSettings(samples=100),
        )
        metrics = run(trial).metrics
        gains.append([metrics[name] for name in ("surrogate_gain", "heldout_gain", "heldout_played_gain")])
        assert metrics["heldout_gain"] != metrics["heldout_played_gain"]
    assert gains[0] == gains[1]


def test_a_file_that_is_no_batch_is_refused(tmp_path):
    (tmp_path / "batch.npz").write_text("nothing")
    with pytest.raises(ValueError, match="is not a stored batch"):
        Batch.load(tmp_path / "batch.npz")
    with pytest.raises(ValueError, match="is not a file"):
        Batch.load(tmp_path / "missing.npz")


def test_a_problem_trial_reports_its_distance_to_the_optimum():
    trial = ProblemWorkload(
        problem={"name": "mean", "agents": 3}, consensus=ConsensusSettings(budget=Budget(activations=400))
    )
    result = run(trial)
    assert result.metrics["error"] < 1e-8
    assert result.curves["consensus"][0]["error"] == pytest.approx(1.0)


def test_a_graph_of_another_size_is_refused():
    with pytest.raises(ValueError, match="topology: has 4 nodes for 3 agents"):
        workloads.run(workload(), seed=0, graph=topologies.make("ring", 4))


def test_samples_that_do_not_divide_into_episodes_are_refused():
    with pytest.raises(ValueError, match="samples: 301 is not a multiple of the 3 parallel episodes"):
        run(workload().model_copy(update={"training": LoopSettings(samples=301)}))


@pytest.mark.parametrize(
    ("samples", "length", "batch", "shape"),
    [
        (10_000, 100, None, (100, 100)),
        (10_000, 120, None, (125, 80)),  # 83 would not divide
        (10_000, 180, None, (200, 50)),
        (60, 100, None, (60, 1)),
        (10_000, 100, 500, (20, 500)),
    ],
)
def test_episodes_side_by_side_are_whole_where_nothing_else_is_said(samples, length, batch, shape):
    assert LoopSettings(samples=samples, batch=batch).shape(length) == shape


def test_what_each_fault_touched_is_told():
    never = {"name": "never", "link": "0-1", "down": 1000.0}
    early = {"name": "early", "link": "0-1", "down": 0.0, "up": 2.0}
    trial = ProblemWorkload(
        problem={"name": "mean", "agents": 3}, consensus=CONSENSUS, network={"faults": [never, early]}
    )
    result = run(trial)
    touched = {row["fault"]: row["touched"] for row in result.curves["faults"]}
    (first, second) = touched.values()
    assert [name.split()[0] for name in touched] == ["never", "early"]
    assert first == 0
    assert second > 0
    assert result.metrics["faults_untouched"] == 1


def test_final_numbers_of_episodes_are_means_over_the_last_tenth_that_has_them():
    trial = TrainingWorkload(
        algorithm=MatrpoSettings(hidden=(8,)),
        consensus=ConsensusSettings(budget=Budget(activations=3)),
        training=LoopSettings(updates=20, samples=100, evaluation=EvaluationSettings(every=5, episodes=2)),
    )
    result = run(trial)
    last = result.curves["training"][-2:]
    assert result.metrics["return"] == pytest.approx(np.mean([row["return"] for row in last]))
    assert result.metrics["return_covered"] == pytest.approx(np.mean([row["return_covered"] for row in last]))
    assert math.isnan(last[0]["evaluation_return"])
    assert result.metrics["evaluation_return"] == last[1]["evaluation_return"]
