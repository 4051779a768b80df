"""The commands that are named at the end of others work as they are printed."""

import json
import shlex
import sys
from pathlib import Path

import pytest
import reported

from studies.cli import next_steps
from studies.figures import draw
from studies.spec.loading import load
from studies.storage.store import Store

TINY = """\
workload: training
environment: {name: navigation, agents: 3, episode_length: 5}
algorithm: {name: matrpo, hidden: [4]}
consensus: {budget: {activations: 2}}
training: {updates: 1, samples: 10}
vary: {network.link.loss: [0, 0.5]}
"""
UPDATE = """\
workload: update
environment: {name: navigation, agents: 3, episode_length: 5}
algorithm: {name: matrpo, hidden: [4]}
consensus: {budget: {activations: 2}}
update: {samples: 10}
"""


def steps(out):
    """The commands at the end of an output, as lists of words; sentences are left out."""
    lines = out.splitlines()
    starts = [number for number, line in enumerate(lines) if line.startswith("next:")]
    first = starts[0] if starts else len(lines)
    found = [shlex.split(line.removeprefix("next:"), comments=True) for line in lines[first:]]
    return [words[1:] for words in found if words[0] == "testbed"]


@pytest.fixture
def no_figures(monkeypatch):
    """They take most of the time, and no command of these needs them."""
    for workload in draw.PLANS:
        monkeypatch.setitem(draw.PLANS, workload, ())


@pytest.fixture
def follow(call, no_figures):
    """Runs a command, which may end in any of these ways, and returns the next ones."""

    def follow(*arguments, codes=(0,)):
        code, out, err = call(*arguments)
        assert code in codes, err
        return steps(out)

    return follow


def test_a_study_is_followed_from_its_check_to_its_archive(follow, write, in_this_process):
    run, *_ = follow("validate", write(), "--quick", "--set", "consensus.penalty=2")
    assert run[0] == "run"
    assert {"--quick", "--set"} < set(run)
    assert follow(*run, "--dry-run") == [run]
    report, table = follow(*run)
    (trace,) = follow(*report)
    assert trace == ["trace", "STUDY", "--quick", "--trial", "2"]
    again, export = follow(*table)
    assert again == report
    assert follow("status", report[1]) == [report, table]
    assert follow("compare", report[1], report[1]) == [table]
    assert export[0] == "export"
    assert follow(*export) == []
    assert Path(export[2]).is_file()


def test_a_training_trial_is_followed_to_its_film_and_its_trace(follow, write, in_this_process):
    file = write(TINY)
    report, _ = follow("run", file)
    play, trace = (
        [str(file) if word == next_steps.STUDY else word for word in words] for words in follow(*report)
    )
    (random,) = follow(*play)
    assert random[-2:] == ["--policy", "random"]
    (check,) = follow(*trace)
    assert check == [*trace, "--check"]
    assert follow(*random) == []


def test_a_batch_is_followed_by_the_study_that_learns_from_it(follow, write, in_this_process):
    (run,) = follow("batch", write(UPDATE), "--out", "batch.npz")
    assert run[-1] == f"update.batch={Path('batch.npz').resolve()}"
    follow(*run)


def test_studies_and_graphs_lead_somewhere(follow, write):
    for words in follow("studies"):
        assert follow(*["validate" if word == "run" else word for word in words])
    (draw,) = follow("topologies", "--names", "ring,star", "--nodes", "5")
    assert follow(*draw) == []
    assert Path(draw[-1]).is_file()
    (draw,) = follow("topologies", write("0 1\n1 2\n", "mine.edgelist"))
    assert follow(*draw) == []
    assert Path("mine.png").is_file()


def test_an_unfinished_study_is_continued_by_its_own_command(call, write):
    reported.run(write(reported.LOSSY), Path("out"), trials=2)
    code, out, _ = call("status", "out")
    assert code == 3
    assert "next:    the command that ran the study continues it\n" in out
    assert steps(out) == [["table", "out"]]


def test_a_failed_study_leads_to_the_reasons_first():
    one, *rest = next_steps.after_running(Path("out"), finished=True, failed=True)
    assert one.words == ("status", "out")
    assert rest == next_steps.after_running(Path("out"), finished=True, failed=False)
    assert next_steps.after_running(Path("out"), finished=False, failed=False) == []


def test_arguments_are_quoted(capsys):
    next_steps.show(next_steps.after_comparing(Path("a b"), Path("-c; rm")))
    assert steps(capsys.readouterr().out) == [["table", "a b"], ["table", "./-c; rm"]]


def test_the_program_is_named_as_it_was_called(monkeypatch, tmp_path):
    script = tmp_path / "bin" / "testbed"
    script.parent.mkdir()
    script.write_text("#!/bin/sh\n")
    script.chmod(0o755)
    monkeypatch.setattr(sys, "argv", [str(script)])
    monkeypatch.setenv("PATH", str(tmp_path))
    assert next_steps.program() == str(script)
    monkeypatch.setenv("PATH", str(script.parent))
    assert next_steps.program() == "testbed"


@pytest.mark.parametrize("quick", [False, True])
def test_results_of_a_built_in_study_name_it(tmp_path, quick):
    store = Store(tmp_path / "results")
    store.remember(load("burst-loss", quick=quick))
    file = store.folder / "report.html"
    _, trace = next_steps.after_report(store.folder, file, store.study(), 2)
    again = ("burst-loss", "--quick") if quick else ("burst-loss",)
    assert trace.words == ("trace", *again, "--trial", "2")
    changed = Store(tmp_path / "changed")
    changed.remember(load("burst-loss", quick=quick, overrides=["consensus.penalty=7"]))
    _, trace = next_steps.after_report(changed.folder, file, changed.study(), 2)
    assert trace.words[1] == next_steps.STUDY


def test_a_study_without_trials_leads_nowhere(call, write):
    store = Store(Path("out"))
    store.remember(load(str(write())))
    file = store.folder / "study.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "trials": []}))
    assert call("status", "out") == (0, "study: no trials\n", "")
