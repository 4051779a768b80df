"""Studies from start to finish, also when they are interrupted."""

import os
import signal
import subprocess
import sys
import time
from io import StringIO

import fake_trials
import pandas as pd
import pytest
from in_process import InProcess
from rich.console import Console

from studies.cli.main import main
from studies.execution import runner
from studies.figures import draw
from studies.spec.loading import load
from studies.storage.store import Store
from testbed.common.errors import PluginError, WorldError


def run(study, store, perform):
    text = StringIO()
    console = Console(file=text, width=200)
    outcome = runner.run(study, store, executor=InProcess(perform), console=console)
    return outcome, text.getvalue()


def run_here(study, store):
    """All trials in this process."""
    for trial in study.trials:
        runner.perform(runner.Task(trial, store.folder, {}), lambda *_: None)
    return store.summarise(study)


def tables(folder):
    """Every table of a study, as bytes."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*.parquet"))}


def test_only_what_is_missing_is_run(write, tmp_path, monkeypatch):
    study, store = load(str(write())), Store(tmp_path / "out")
    short = load(str(write()), quick=True)
    monkeypatch.setattr(runner, "versions", lambda: {"consensus-testbed": "1"})  # whatever git says meanwhile
    assert run(short, store, fake_trials.numbers)[0] == runner.Outcome(run=2, kept=0, failed=())
    outcome, shown = run(study, store, fake_trials.numbers)
    assert outcome == runner.Outcome(run=6, kept=2, failed=())
    ran = (tmp_path / "ran.txt").read_text().split()
    assert sorted(ran) == sorted(trial.hash for trial in study.trials)
    assert shown.count("finished") == 6
    assert "topology=star loss=0.3 seed=1  error 1.3" in shown  # as stored
    monkeypatch.setattr(runner, "versions", lambda: {"consensus-testbed": "99"})
    outcome, shown = run(study, store, fake_trials.numbers)
    assert outcome == runner.Outcome(run=0, kept=8, failed=())
    assert "8 of the 8 finished trials were made by another version of the code" in shown


def test_a_failed_trial_is_recorded_and_the_study_goes_on(write, tmp_path):
    study, store = load(str(write())), Store(tmp_path / "out")
    outcome, shown = run(study, store, fake_trials.numbers_but_fail_at_loss)
    lossy = [trial for trial in study.trials if trial.varied["network.link.loss"]]
    assert list(outcome.failed) == lossy
    assert not outcome.foreign
    assert outcome.run == 4
    assert "failed    topology=ring loss=0.3 seed=0  RuntimeError: the bridge is out" in shown
    assert "in numbers_but_fail_at_loss" in store.traceback(lossy[0]).read_text()
    assert len(store.summarise(study)) == 4
    assert [store.status(trial) for trial in study.trials].count("failed") == 4


@pytest.mark.parametrize("error", [WorldError, PluginError])
def test_failures_of_others_code_alone_are_told_apart(write, tmp_path, error):
    study = load(str(write()))

    def failing(task, report):
        if task.trial.varied["network.link.loss"]:
            raise error("navigation: row 0: fell over")
        if task.trial.seed == own:
            raise RuntimeError("the bridge is out")
        fake_trials.numbers(task, report)

    own = None
    outcome, _ = run(study, Store(tmp_path / "theirs"), failing)
    assert (len(outcome.failed), outcome.foreign) == (4, True)
    own = study.trials[0].seed
    outcome, _ = run(study, Store(tmp_path / "both"), failing)
    assert len(outcome.failed) > 4
    assert not outcome.foreign


def test_the_same_study_twice_gives_identical_tables(write, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(draw.PLANS, "problem", draw.PLANS["problem"][:1])
    with pytest.raises(SystemExit) as ended:
        main(["run", str(write()), "--quick", "--out", str(tmp_path / "one"), "--jobs", "1"])
    assert ended.value.code == 0
    run_here(load(str(write()), quick=True), Store(tmp_path / "two"))
    one, two = tables(tmp_path / "one"), tables(tmp_path / "two")
    assert len(one) == 9  # metrics, a curve and the tables of each trial's links and traffic, and the summary
    assert one == two
    shown = capsys.readouterr().out
    assert str(tmp_path / "one" / "figures" / "disagreement_by_activations.png") in shown


def _hear_interrupts() -> None:
    """A shell that puts the tests in the background lets them, and all they start, ignore SIGINT."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_a_stopped_study_goes_on_where_it_was_with_equal_results(write, tmp_path):
    text = (
        "workload: problem\nproblem: {name: mean, agents: 8}\nconsensus: {budget: {activations: 800}}\n"
        "vary: {topology: [ring, star]}\nseeds: 2\n"
    )
    path, stopped, whole = str(write(text)), tmp_path / "stopped", tmp_path / "whole"
    command = [
        sys.executable,
        "-c",
        "from studies.cli.console_script import main; main()",
        "run",
        path,
        "--jobs",
        "1",
        "--out",
    ]
    with subprocess.Popen(
        [*command, str(stopped)],
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=_hear_interrupts,
        start_new_session=True,
    ) as process:
        deadline = time.monotonic() + 60
        while len(list(stopped.glob("trials/[!.]*/status.json"))) < 1 and time.monotonic() < deadline:
            time.sleep(0.01)
        for _ in range(6):  # somebody in a hurry
            os.killpg(process.pid, signal.SIGINT)
            time.sleep(0.02)
        _, said = process.communicate(timeout=30)
    assert process.returncode == 130
    assert said.count("\n") == 1
    assert "the same command resumes the study" in said
    study = load(path)
    done = [trial for trial in study.trials if Store(stopped).status(trial) == "finished"]
    assert 1 <= len(done) < len(study.trials)
    before = {trial.hash: (stopped / "trials" / trial.hash).stat().st_mtime_ns for trial in done}
    outcome, _ = run(study, Store(stopped), runner.perform)
    assert (outcome.kept, outcome.run) == (len(done), len(study.trials) - len(done))
    assert before == {name: (stopped / "trials" / name).stat().st_mtime_ns for name in before}
    run_here(study, Store(whole))
    pd.testing.assert_frame_equal(Store(stopped).summarise(study), Store(whole).summarise(study))
    assert tables(stopped) == tables(whole)
