"""Several processes that run a study into one folder, and processes that are killed."""

import os
import random
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import fresh_processes
import pytest
from in_process import InProcess
from rich.console import Console

from studies.execution import runner
from studies.spec.loading import load
from studies.storage.store import Store

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")

KILLS = int(os.environ.get("KILLS", "2"))
"""How often the study is killed; `KILLS=50 pytest tests/studies/storage/test_claims.py` takes minutes."""

TRAINING = """\
workload: training
algorithm: {name: matrpo, hidden: [8]}
network: {link: {delay: 5ms, loss: 0.2}}
consensus: {budget: {activations: 6}}
training: {updates: 10, samples: 200}
vary: {topology: [ring, path]}
"""

CHANGES = 30
"""Of files while they are made: about half of all."""


SCRIPT = """\
import sys
from pathlib import Path
from in_process import InProcess
from rich.console import Console
from studies.execution import backends, fork_server, runner
from studies.spec.loading import load
from studies.storage.store import Store
if __name__ == "__main__":
    path, folder, jobs = sys.argv[1:]
    if int(jobs) and fork_server.AVAILABLE:  # as a command does, whose imports are its fork server's, too
        fork_server._servers[fork_server._moment()] = fork_server.Server.split()
    executor = backends.executor("local", int(jobs), Path(folder)) if int(jobs) else InProcess()
    outcome = runner.run(load(path), Store(Path(folder)), executor=executor, console=Console(quiet=True))
    print(outcome.run, outcome.kept, outcome.others, len(outcome.failed))
"""


def start(path, folder, jobs=2):
    """A process of its own, in a group of its own, that runs a study without its figures.

    With no jobs it runs the trials itself.
    """
    return fresh_processes.start(
        ["-c", SCRIPT, str(path), str(folder), str(jobs)],
        start_new_session=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )


def end(process, timeout=120):
    """The four numbers it printed, after it ended well."""
    out, err = process.communicate(timeout=timeout)
    assert (process.returncode, err) == (0, "")
    return tuple(map(int, out.split()))


def tables(folder):
    """Every table and model of the trials, as bytes."""
    files = sorted([*folder.glob("trials/*/*.parquet"), *folder.glob("trials/*/models.pt")])
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def undisturbed(study, folder):
    """The tables of a run in this process."""
    for trial in study.trials:
        runner.perform(runner.Task(trial, folder, {}), lambda *_: None)
    return tables(folder)


def test_two_processes_share_a_study_and_run_each_trial_once(write, tmp_path):
    text = "workload: problem\nproblem: {name: mean, agents: 8}\nconsensus: {budget: {activations: 300}}\n"
    path, folder = write(text + "seeds: 8\n"), tmp_path / "shared"
    pair = [start(path, folder, jobs=0) for _ in range(2)]
    ended = [end(process) for process in pair]
    assert sum(run for run, *_ in ended) == 8
    assert all(run + kept + others == 8 and not failed for run, kept, others, failed in ended)
    assert tables(folder) == undisturbed(load(str(path)), tmp_path / "alone")
    assert not list(folder.glob("checkpoints/*"))


def test_a_trial_that_another_process_runs_is_left_until_that_is_done(write, tmp_path):
    study, said = load(str(write()), quick=True), []
    store = Store(tmp_path / "out")
    task = runner.Task(study.trials[0], store.folder, {})

    def report(phase, *_):
        said.append(phase)

    with store.claims.claim(study.trials[0]) as mine:
        assert mine
        runner.perform(task, report)
        store.write_failure(study.trials[0], {}, "no")
    assert said == [runner.STARTING, runner.ELSEWHERE]
    assert store.status(study.trials[0]) == "missing"
    runner.perform(task, report)
    assert store.status(study.trials[0]) == "finished"
    runner.perform(task, report)
    assert said[-1] == runner.BY_OTHERS


def come_to(process, folder, changes):
    """Waits until the process has changed the files of the folder so many times, or has ended."""
    before, deadline = look(folder), time.monotonic() + 120
    while changes and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.005)
        now = look(folder)
        changes -= now != before
        before = now


def look(folder):
    """When each file was written; they come and go meanwhile."""
    found = {}
    for place, _, names in os.walk(folder):
        for name in names:
            with suppress(FileNotFoundError):
                found[place, name] = Path(place, name).stat().st_mtime_ns
    return found


def test_killed_at_any_moment_a_study_ends_as_if_it_had_not_been(write, tmp_path):
    path, folder = write(TRAINING), tmp_path / "killed"
    study, draws = load(str(path)), random.Random(7)
    whole = undisturbed(study, tmp_path / "whole")
    for kill in range(KILLS):
        process = start(path, folder, jobs=1)
        come_to(process, folder, draws.randrange(CHANGES))
        if process.poll() is None:  # else all trials have been run meanwhile
            # Now the whole group, now the parent alone, whose children find out by themselves.
            (os.killpg if kill % 2 else os.kill)(process.pid, signal.SIGKILL)
        process.communicate()
    outcome = runner.run(study, Store(folder), executor=InProcess(), console=Console(quiet=True))
    assert not outcome.failed
    assert tables(folder) == whole
    assert not list(folder.rglob(".*"))
    assert not list(folder.glob("checkpoints/*"))
