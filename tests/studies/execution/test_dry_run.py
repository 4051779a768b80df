"""What is left of a study, and what it will take."""

import re
from pathlib import Path

import pytest

from studies.execution import dry_run, pieces, runner
from studies.execution.pieces import Cost
from studies.formatting import duration
from studies.spec.loading import load
from studies.storage.store import Store

pytestmark = pytest.mark.usefixtures("without_next_steps")


TRAINING = """\
workload: training
algorithm: {name: itrpo, hidden: [8]}
training: {updates: 40, samples: 60}
vary: {network.link.loss: [0, 0.5], environment.agents: [3, 4]}
seeds: 2
"""


def test_times_come_from_finished_trials_alike_and_else_from_one_piece_of_each_condition(write, tmp_path):
    study, store, tried = load(str(write(TRAINING))), Store(tmp_path / "out"), []
    for trial in study.trials[:2]:  # a stand-in for 40 updates: what they say they took
        rows = [{"update": k, "return": 0.0, "wall_rollout": 1.5, "wall_values": 0.5} for k in range(40)]
        store.write(trial, {"return": 0.0}, {"training": rows}, {}, wall_seconds=3.0)
    found = dry_run.estimate(study, store, tried.append)
    assert [one.status for one in found] == ["finished"] * 2 + ["missing"] * 6
    alike = [one for one in found if pieces.condition(one.trial) == pieces.condition(study.trials[0])]
    assert {one.seconds for one in alike} == {80.0}  # and not 3 s, which is after it was resumed
    assert {one.basis for one in alike} == {"2 finished trials"}
    others = [one for one in found if one not in alike]
    assert len(alike) == 2
    assert {one.basis for one in others} == {"measured"}
    assert {one.trial.seed for one in others} == {0, 1}
    assert {trial.hash for trial in tried} == {one.trial.hash for one in others if one.trial.seed == 0}
    assert len({one.seconds for one in others}) == 3
    assert dry_run.remaining(found, 2).startswith("6 of 8 trials to run: about ")


VARIED = """\
workload: training
algorithm: {name: itrpo, hidden: [8]}
training: {updates: 40, samples: 60, evaluation: {every: 10, episodes: 4}}
vary: {network.link.loss: [0, 0.5, 0.9], environment.agents: [3, 4], training.updates: [10, 25]}
seeds: 2
"""


def durations(trial):
    """Known times, which differ much: an update takes up to 80 times as long in another condition."""
    slow = {0.0: 1.0, 0.5: 10.0, 0.9: 80.0}[trial.varied["network.link.loss"]]
    return Cost(piece=slow * trial.settings.agents, setup=2.0, evaluation=5.0)


def test_trials_of_known_durations_are_estimated_as_long_as_they_take(write, tmp_path):
    study, store, tried, now = load(str(write(VARIED))), Store(tmp_path / "out"), [], [0.0]
    found = dry_run.estimate(study, store, tried.append, measure=durations, clock=lambda: now[0])
    assert len(tried) == 6  # of 24 trials: seeds and updates are no conditions
    for one in found:
        evaluations = {10: 1, 25: 3}[one.trial.varied["training.updates"]]  # the last update has one, too
        each = durations(one.trial).piece
        assert one.seconds == 2 + one.trial.varied["training.updates"] * each + 5 * evaluations
    work = sum(one.seconds for one in found)
    startup = 3.0
    told = dry_run.remaining(found, 4, startup)
    assert f"24 of 24 trials to run: about {duration(work / 4 + startup)} by 4 at once" in told
    assert told.endswith(f"{duration(work + 4 * startup)} of work")


def test_conditions_left_after_a_minute_take_the_mean_of_those_like_them(write, tmp_path):
    study, store, now = load(str(write(VARIED))), Store(tmp_path / "out"), [0.0]

    def measured(trial):
        now[0] += 25.0
        return durations(trial)

    found = dry_run.estimate(study, store, lambda _: None, measure=measured, clock=lambda: now[0])
    bases = {(one.trial.settings.agents, one.trial.varied["network.link.loss"]): one.basis for one in found}
    # First one of each number of agents; then the next in the order of the study.
    assert bases == {
        (3, 0.0): "measured",
        (4, 0.0): "measured",
        (3, 0.5): "measured",
        (4, 0.5): "mean of 1 similar condition",
        (3, 0.9): "mean of 2 similar conditions",
        (4, 0.9): "mean of 1 similar condition",
    }
    last = found[-1]
    assert last.seconds == 2 + 25 * 4.0 + 5 * 3


UPDATE = """\
workload: update
environment: {agents: 3}
algorithm: {hidden: [8]}
update: {samples: 60, warmup: 0}
consensus: {budget: {activations: 3}}
vary: {network.link.loss: [0, 0.5]}
seeds: 2
"""


def test_starting_points_that_trials_share_count_once(write, tmp_path):
    study, store = load(str(write(UPDATE))), Store(tmp_path / "out")
    cost = Cost(piece=2.0, start=30.0)
    found = dry_run.estimate(study, store, lambda _: None, measure=lambda _: cost)
    assert [one.seconds for one in found] == [32.0, 32.0, 2.0, 2.0]  # seeds vary fastest
    name = pieces.start(study.trials[0])
    runner.perform(runner.Task(study.trials[0], store.folder, {}), lambda *_: None)
    assert [path.name for path in store.batches.iterdir()] == [name]
    found = dry_run.estimate(study, store, lambda _: None, measure=lambda _: cost)
    assert [one.seconds for one in found[2:]] == [2.0, 2.0]  # and not 32 s for the first of them


@pytest.mark.parametrize(
    ("text", "parts"), [(UPDATE, {"piece", "start"}), (VARIED, {"piece", "setup", "evaluation"})]
)
def test_a_measurement_has_all_parts_of_a_trial(write, text, parts):
    cost = pieces.measure(load(str(write(text))).trials[0])
    assert {part for part, seconds in vars(cost).items() if seconds > 1e-4} == parts


def test_short_pieces_are_repeated_and_the_start_of_a_long_warm_up_is_measured(write):
    """With a clock that counts its looks: each step between two looks takes a second."""
    looks = iter(range(1000))
    problem = pieces.measure(load(str(write())).trials[0], lambda: next(looks) / 10)
    assert problem.piece == pytest.approx(0.1)
    assert next(looks) == 2 * pieces.MOST_PIECES
    looks = iter(range(1000))
    warm = UPDATE.replace("warmup: 0", "warmup: 5")
    update = pieces.measure(load(str(write(warm))).trials[0], lambda: float(next(looks)))
    assert update.start == 3 + 3  # two of five updates of the warm-up, and the rest; then three more


def test_a_dry_run_lists_all_trials_and_writes_nothing(call, write):
    code, out, err = call("run", write(), "--dry-run", "--jobs", "3")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert len(lines) == 1 + 8 + 1
    assert re.fullmatch(r"1 +topology=ring loss=0 seed=0 +missing +\d+ MiB +\d+\.\d s +measured *", lines[1])
    assert re.fullmatch(
        r"study: 8 of 8 trials to run: about [\d. smin]+ by 3 at once, [\d. smin]+ of work", lines[-1]
    )
    assert list(Path.cwd().iterdir()) == []


def test_what_is_not_tried_is_said(write, tmp_path, monkeypatch):
    monkeypatch.setattr(dry_run, "PATIENCE", -1.0)
    study = load(str(write()))
    found = dry_run.estimate(study, Store(tmp_path / "out"), lambda _: None)
    assert {(one.seconds, one.basis) for one in found} == {(None, "not measured")}
    assert dry_run.remaining(found, 2) == "8 of 8 trials to run; the time of 8 is not known"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.04, "0.0 s"), (59.9, "59.9 s"), (59.99, "1 min 0 s"), (200, "3 min 20 s"), (3599.7, "1 h 0 min")],
)
def test_durations_are_written_for_people(seconds, text):
    assert duration(seconds) == text
