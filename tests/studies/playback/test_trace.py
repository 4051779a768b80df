"""The traces of trials and their diagrams, and whether trials repeat."""

import json
from functools import partial
from pathlib import Path

import pandas as pd
import pytest

from studies.playback import trace
from studies.spec.loading import load

LOSSY = """\
workload: problem
problem: {name: mean, agents: 4}
network:
  link: {delay: 20ms, loss: 0.3}
  faults: [{link: "0-1", down: 200ms, up: 1s}]
consensus: {activation: poisson, budget: {activations: 60}}
vary: {topology: [ring, star]}
"""


@pytest.fixture
def call(call):
    """Runs ``testbed trace`` in an empty folder; returns its exit code, stdout and stderr."""
    return partial(call, "trace")


def test_a_trial_leaves_its_trace_as_lines_and_table_and_its_picture(call, write):
    code, out, err = call(write(LOSSY), "--out", "here")
    assert (code, err) == (0, "")
    assert out.startswith("trial 1 of 2: topology=ring seed=0\n")
    names = ["spacetime.png", "spacetime.svg", "trace.jsonl", "trace.parquet"]
    assert sorted(path.name for path in Path("here").iterdir()) == names
    lines = Path("here/trace.jsonl").read_text().splitlines()
    table = pd.read_parquet("here/trace.parquet")
    assert f"{len(lines)} events" in out
    assert table["event"].tolist() == [json.loads(line)["event"] for line in lines]
    assert {"half_committed", "link_down", "dropped"} <= set(table["event"])
    svg = Path("here/spacetime.svg").read_text()
    for text in ("topology=ring seed=0: ", "agent 3", "request", "lost"):
        assert text in svg


def test_a_trial_of_the_grid_and_a_time_can_be_chosen(call, write):
    code, out, _ = call(write(LOSSY), "--trial", "2", "--from", "100ms", "--to", "1", "--vertical")
    assert code == 0
    assert "topology=star" in out
    (svg,) = Path("runs/study/traces").glob("*/spacetime.svg")
    assert "topology=star seed=0: 0.1 s to 1 s of " in svg.read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--trial", "3"], "--trial 3: the study has 2 trials"),
        (["--from", "soon"], "--from: 'soon' is not a duration"),
        (["--from", "2", "--to", "1s"], "a window from 2 s to 1 s is empty"),
        (["--from", "1h"], "a window from 3600 s to "),
    ],
)
def test_what_cannot_be_shown_is_one_line_and_nothing_is_written(call, write, arguments, message):
    code, _, err = call(write(LOSSY), *arguments)
    assert code == 2
    assert err.startswith(message)
    assert err.count("\n") == 1
    assert list(Path.cwd().iterdir()) == []


def test_a_second_run_in_another_process_gives_the_same_trace(call, write):
    code, out, _ = call(write(LOSSY), "--check")
    assert code == 0
    assert out.splitlines()[-1] == "identical: a second run gives the same trace, byte for byte"


def test_the_first_event_that_differs_is_named(call, write, monkeypatch):
    trial = load(str(write(LOSSY))).trials[0]
    recorded = trace.record(trial)
    lines = list(recorded.lines())

    def otherwise(*_):
        return [*lines[:5], lines[5].replace('"time":', '"time":1'), *lines[6:]]

    found = trace.difference(trial, recorded, otherwise)
    time = json.loads(lines[5])["time"]
    assert found is not None
    assert found.startswith(f"at {time:.9g} s event 5 differs:\n  {lines[5]}\n  ")
    assert trace.difference(trial, recorded, lambda _: lines) is None
    early = trace.difference(trial, recorded, lambda _: lines[:-1])
    assert early is not None
    assert early.endswith("(ended)")
    monkeypatch.setattr(trace, "_elsewhere", otherwise)
    code, out, _ = call(write(LOSSY), "--check")
    assert code == 1
    assert "event 5 differs" in out
