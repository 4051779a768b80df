"""The commands that read results."""

import io
import json
import math

import numpy as np
import pandas as pd
import pytest

from studies.execution import runner
from studies.spec.loading import load
from studies.storage import soundness
from studies.storage.store import Store


@pytest.fixture
def ran(write, tmp_path):
    """Runs trials of a study into a folder, in this process; returns the store."""

    def ran(name, *overrides, trials=None):
        study = load(str(write()), overrides=overrides)
        store = Store(tmp_path / name)
        store.remember(study)
        for trial in study.trials[:trials]:
            runner.perform(runner.Task(trial, store.folder, {"commit": "abc"}), lambda *_: None)
        return store

    return ran


def test_status_counts_and_its_exit_code_says_what_is_left(call, ran, write):
    store = ran("out", trials=3)
    failed, stopped, running = store.study().trials[3:6]
    code, out, _ = call("status", store.folder)
    assert (code, out.splitlines()[0]) == (3, "study: 3 finished, 5 missing of 8 trials")
    (trial,) = (trial for trial in load(str(write())).trials if trial.hash == failed.hash)
    store.write_failure(trial, {}, "Traceback\nValueError: the bridge is out\n")
    store.claims.write_progress(
        stopped, {"phase": "consensus", "done": 4, "total": 9, "latest": {"error": 0.5}}
    )
    with store.claims.claim(running):
        code, out, _ = call("status", store.folder)
    assert code == 1
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert lines[0] == "study: 3 finished, 1 running, 1 failed, 1 stopped, 2 missing of 8 trials"
    assert lines[2:5] == [
        f"failed topology=ring loss=0.3 seed=1 ValueError: the bridge is out {failed.hash}",
        f"stopped topology=star loss=0 seed=0 consensus 4/9 error 0.5 {stopped.hash}",
        f"running topology=star loss=0 seed=1 {running.hash}",
    ]
    assert len(call("status", store.folder, "--all")[1].partition("next:")[0].splitlines()) == 2 + 8
    assert not store.claims.running(running)


def test_a_finished_study_has_exit_code_0(call, ran):
    store = ran("out")
    code, out, err = call("status", store.folder)
    assert (code, out.splitlines()[0], err) == (0, "study: 8 finished of 8 trials", "")


def test_the_table_has_a_line_per_condition_and_the_csv_a_line_per_trial(call, ran):
    store = ran("out", trials=6)
    code, out, err = call("table", store.folder, "--metrics", "error,bytes_sent")
    assert (code, err) == (0, "6 of 8 trials have finished\n")
    summary = store.summary(store.study())
    first = summary[(summary["topology"] == "ring") & (summary["network.link.loss"] == 0)]
    cells = out.splitlines()[1].split()  # after the header
    assert cells[:3] == ["ring", "0", "2"]
    geometric = np.exp(np.log(first["error"]).mean())
    assert float(cells[3]) == pytest.approx(geometric, rel=5e-3)
    assert float(cells[4].strip("(,")) <= float(cells[3]) <= float(cells[5].strip("),"))
    assert out.splitlines()[4:6] == [
        "error: geometric mean of 2 seeds and their range (too few to conclude)",
        "bytes_sent: mean of 2 seeds and their range (too few to conclude)",
    ]
    code, out, _ = call("table", store.folder, "--csv")
    read = pd.read_csv(io.StringIO(out))
    assert list(read["trial"]) == list(summary["trial"])
    assert read["error"].to_numpy() == pytest.approx(summary["error"].to_numpy(), rel=1e-11)
    assert not (store.folder / "summary.csv").exists()


def test_equal_trials_are_compared_for_equality(call, ran):
    first, second = ran("first"), ran("second")
    code, out, _ = call("compare", first.folder, second.folder)
    assert (code, out.splitlines()[0]) == (0, "8 trials in both, by hash: 8 with equal results")
    other = second.trials / second.study().trials[2].hash / "metrics.parquet"
    metrics = pd.read_parquet(other).assign(error=9.0)
    metrics.to_parquet(other)
    sums = soundness.sums(other.parent)
    (other.parent / "status.json").write_text(json.dumps({"status": "finished", "files": sums}))
    code, out, _ = call("compare", first.folder, second.folder)
    assert code == 1
    assert "8 trials in both, by hash: 7 with equal results\n" in out
    assert "different topology=ring loss=0.3 seed=0  error 0." in out
    assert "-> 9.0" in out


def test_other_settings_are_named_and_their_effect_is_paired_by_seed(call, ran):
    first, second = ran("first"), ran("second", "consensus.penalty=2", trials=7)
    code, out, _ = call("compare", first.folder, second.folder, "--metric", "error")
    assert code == 0
    assert out.startswith("no trial is in both, by hash, so no results need to be equal\n")
    assert "  consensus.penalty: 1.0 -> 2.0\n" in out
    one, two = (store.summary(store.study()) for store in (first, second))
    both = one.merge(two, on=["topology", "network.link.loss", "seed"], suffixes=("_one", "_two"))
    ring = both[(both["topology"] == "ring") & (both["network.link.loss"] == 0)]
    means = [np.exp(np.log(ring[name]).mean()) for name in ("error_one", "error_two")]
    ratio = np.exp(np.log(ring["error_two"] / ring["error_one"]).mean())
    line = next(line for line in out.splitlines() if "topology=ring loss=0: " in line)
    assert f"{means[0]:.4g} -> {means[1]:.4g}: x {ratio:.3g}" in line
    assert line.endswith(", 2 seeds")
    heading = "  error, geometric mean first -> second: geometric mean of the ratios by seed"
    assert f"{heading}; fewer than 5 seeds are too few to conclude:\n" in out
    assert "topology=star loss=0.3: " in out
    assert "\nonly in the first: 1, only in the second: 0\nnext: " in out


def put(store, trial, value):
    """Gives a finished trial another error."""
    file = store.trials / trial.hash / "metrics.parquet"
    pd.read_parquet(file).assign(error=value).to_parquet(file)
    sums = soundness.sums(file.parent)
    (file.parent / "status.json").write_text(json.dumps({"status": "finished", "files": sums}))


def test_seeds_that_are_not_finite_are_left_out_of_a_comparison_and_counted(call, ran):
    first, second = ran("first", trials=4), ran("second", "consensus.penalty=2", trials=4)
    put(second, second.study().trials[0], math.nan)
    put(first, first.study().trials[2], math.inf)
    put(second, second.study().trials[3], math.nan)
    _, out, _ = call("compare", first.folder, second.folder, "--metric", "error")
    (one, other) = (line for line in out.splitlines() if "topology=ring loss=" in line)
    assert one.endswith(", 1 seed; 1 of 2 seeds not finite")
    assert other.endswith("loss=0.3: nothing to compare, 2 of 2 seeds not finite")
    put(first, first.study().trials[1], math.nan)
    _, out, _ = call("compare", first.folder, second.folder, "--metric", "error")
    assert "\n  no seed has a finite error in both\n" in out


@pytest.mark.parametrize(
    "note", ["[" * 100_000, '{"a":' * 200 + "1" + "}" * 200, "[]", "[" + "1," * 10**5 + "1]"]
)
def test_a_damaged_note_of_how_far_a_trial_has_come_is_as_none(call, ran, note):
    store = ran("first", trials=1)
    trial = store.study().trials[1]
    with store.claims.claim(trial):
        (store.claims.folder / f"{trial.hash}.json").write_text(note)
        assert store.claims.read_progress(trial) is None
        assert call("status", store.folder)[2] == ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["status", "gone"], "gone: no such folder"),
        (["status", "."], "holds no results of `testbed run`"),
        (["table", "OUT"], "none of its 8 trials has finished"),
        (["compare", "OUT", "gone"], "gone: no such folder"),
        (["table", "OUT", "--csv", "--metrics", "error"], "cannot be combined"),
    ],
)
def test_what_is_no_result_is_refused_in_one_line(call, ran, arguments, message):
    store = ran("out", trials=0)
    code, out, err = call(*(store.folder if word == "OUT" else word for word in arguments))
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert message in err


def test_a_metric_that_is_none_is_refused_with_the_nearest(call, ran):
    store = ran("out", trials=1)
    code, _, err = call("table", store.folder, "--metrics", "eror")
    assert code == 2
    assert "did you mean 'error'?" in err


OTHERS = {
    "other keys": (
        "workload: problem\nproblem: {name: mean, agents: 4}\nconsensus: {budget: {activations: 4}}\n",
        "no condition is in both: the first varies topology, network.link.loss, the second nothing\n",
    ),
    "another workload": (
        "workload: update\nupdate: {samples: 100}\nalgorithm: {hidden: [4]}\n",
        "the workload of the first is problem, that of the second update\n",
    ),
}


@pytest.mark.parametrize("kind", OTHERS)
def test_studies_with_nothing_in_common_are_compared_in_a_few_lines(call, ran, write, tmp_path, kind):
    first, (text, message) = ran("first", trials=2), OTHERS[kind]
    study, second = load(str(write(text, "other.yaml"))), Store(tmp_path / "second")
    second.remember(study)
    runner.perform(runner.Task(study.trials[0], second.folder, {}), lambda *_: None)
    code, out, err = call("compare", first.folder, second.folder)
    assert (code, err) == (0, "")
    assert out.splitlines(keepends=True)[1:3] == [
        "only in the first: 2, only in the second: 1\n",
        message,
    ]


def test_numbers_that_only_one_study_has_are_not_compared(call, ran, write, tmp_path):
    first = ran("first", trials=1)
    study, second = load(str(write()), overrides=["consensus.penalty=2"]), Store(tmp_path / "second")
    second.remember(study)
    second.write(study.trials[0], {"speed": 1.0}, {}, {}, 1.0)
    code, out, err = call("compare", first.folder, second.folder)
    assert (code, err) == (0, "")
    assert "no seed has any of the main metrics in both" in out
    code, _, err = call("compare", first.folder, second.folder, "--metric", "error")
    assert (code, err.count("\n")) == (2, 1)
    assert err.startswith(f"{second.folder}: --metric error: no such metric")


def test_a_folder_without_finished_trials_is_not_compared(call, ran):
    first, second = ran("first", trials=1), ran("second", trials=0)
    for pair in ((first, second), (second, first)):
        code, out, err = call("compare", *(store.folder for store in pair))
        assert (code, out, err) == (2, "", f"{second.folder}: none of its 8 trials has finished\n")
