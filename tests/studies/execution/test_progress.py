"""What a running study says where there is no terminal."""

from io import StringIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from studies.execution import progress
from studies.execution.pace import Left, Pace, Work
from studies.execution.progress import Display
from studies.spec.loading import load


class WallClock:
    """A clock that is set by calling it."""

    now = 0.0

    def __call__(self, seconds):
        self.now = seconds

    def clock(self):
        return self.now


@pytest.fixture
def at(monkeypatch):
    """Sets the wall clock."""
    clock = WallClock()
    monkeypatch.setattr(progress.time, "monotonic", clock.clock)
    return clock


def test_a_log_file_shows_that_a_study_lives(write, at):
    trial = load(str(write()), quick=True).trials[0]
    text = StringIO()
    with Display(Console(file=text, width=200), [trial], kept=0) as shown:
        shown.started(trial)
        for seconds, done in ((1, 20), (6, 21), (8, 29), (11, 30), (12, 45), (40, 46), (72, 47), (80, 48)):
            at(seconds)
            shown.progressed(trial, "training", done, 100, {"return": float(-done), "other": 1.0})
        shown.finished(trial, {"return": -100.0, "other": 1.0})
    lines = text.getvalue().splitlines()
    # 6 s: five seconds and another tenth; 11 s: the next tenth; 12 s: too soon; 40 s: the tenth that 12 s
    # kept back; 72 s: after half a minute without another tenth.
    assert [line.split("  ")[2] for line in lines[:-1]] == [
        "training 21/100",
        "training 30/100",
        "training 46/100",
        "training 47/100",
    ]
    assert lines[0].startswith("running   topology=ring loss=0 seed=0  training 21/100  return -21  6.0 s  ")
    assert lines[-1].startswith("finished  topology=ring loss=0 seed=0  return -100  80.0 s  ")


def test_work_of_unknown_length_is_heard_of_twice_a_minute(write, at):
    trial = load(str(write()), quick=True).trials[0]
    text = StringIO()
    with Display(Console(file=text, width=200), [trial], kept=0) as shown:
        shown.started(trial)
        for seconds in range(1, 70):
            at(seconds)
            shown.progressed(trial, "consensus", seconds, 0, {})
    assert [line.rpartition("  ")[0] for line in text.getvalue().splitlines()] == [
        f"running   topology=ring loss=0 seed=0  consensus {seconds}  {seconds}.0 s" for seconds in (30, 60)
    ]


def test_a_trial_that_has_lost_its_node_gets_a_line_and_goes_on(write, at):
    trial = load(str(write()), quick=True).trials[0]
    text = StringIO()
    with Display(Console(file=text, width=200), [trial], kept=0) as shown:
        shown.held("one at once, not 2: [too large]")
        shown.started(trial)
        at(3)
        shown.retried(trial, "node 10.0.0.1 was lost")
        at(9)
        shown.finished(trial, {})
    title = "topology=ring loss=0 seed=0"
    assert text.getvalue().splitlines() == [
        "one at once, not 2: [too large]",
        f"retried   {title}  node 10.0.0.1 was lost  3.0 s  {trial.hash}",
        f"finished  {title}    9.0 s  {trial.hash}",
    ]


@pytest.mark.parametrize(("phase", "done"), [("training", 3), ("consensus", 30)])
def test_a_trial_is_measured_without_the_start_of_its_process_and_what_was_done_before(at, phase, done):
    pieces = 10 if phase == "training" else 1
    total = 10 if phase == "training" else 100
    pace = Pace({"first": Work("a", pieces), "second": Work("a", pieces)}, clock=at.clock)
    pace.started("first")
    assert pace.left() is None
    at(100)
    pace.progressed("first", "starting", 0, 0)
    assert pace.left() is None
    at(104)
    pace.progressed("first", phase, done, total)
    at(110)
    pace.progressed("first", phase, 2 * done, total)  # three tenths in 6 s, so 20 s for all of it
    assert pace.left() == Left(pytest.approx(20 * 0.4 + 20), 0, 1)
    at(112)
    assert pace.left().seconds == pytest.approx(20 * 0.4 - 2 + 20)
    at(118)
    pace.ended("first")
    whole = 18 / 0.8 if phase == "training" else 18  # it had gone on from the second update
    assert pace.left() == Left(pytest.approx(whole), 0, 1)
    pace.started("second")
    at(120)
    pace.progressed("second", "warmup", 5, 10)  # a phase before the one that counts
    assert pace.left().seconds == pytest.approx(whole - 2)


def test_one_report_measures_a_trial_if_what_a_process_does_once_hardly_counts(at):
    for seconds, left in ((59, None), (60, Left(pytest.approx(120.0), 0, 1))):
        at(0)
        pace = Pace({"one": Work("a", 3)}, clock=at.clock)
        pace.started("one")
        pace.progressed("one", "starting", 0, 0)
        at(seconds)
        pace.progressed("one", "training", 1, 3)
        assert pace.left() == left


def test_trials_that_failed_or_ran_elsewhere_measure_nothing(at):
    pace = Pace(dict.fromkeys("abcd", Work("one")), clock=at.clock)
    pace.started("a")
    at(5)
    pace.ended("a", measured=False)
    pace.started("b")
    pace.put_back("b")
    assert pace.left() is None
    pace.started("c")
    at(15)
    pace.ended("c")
    assert pace.left() == Left(pytest.approx(20.0), 0, 1)  # b and d


def test_conditions_that_finished_earlier_are_known_at_once(at):
    pace = Pace({"slow": Work("slow", 100), "quick": Work("quick", 10)}, {"slow": 2.0}, at.clock)
    assert pace.left() == Left(pytest.approx(200.0), 1, 2)
    assert Pace({"slow": Work("slow", 100)}, {"other": 2.0}).left() is None


DURATIONS = st.dictionaries(
    st.text("abcdef", min_size=1, max_size=3), st.floats(0.01, 1e4), min_size=1, max_size=8
)


@given(durations=DURATIONS, seeds=st.integers(1, 5), jobs=st.integers(1, 6))
def test_the_first_estimate_of_all_conditions_is_within_a_factor_of_two(durations, seeds, jobs):
    """Against a schedule of trials of known durations, in which each condition's first trial goes first."""
    names = [(condition, seed) for seed in range(seeds) for condition in durations]
    now = [0.0]
    pace = Pace({f"{name}": Work(name[0]) for name in names}, clock=lambda: now[0])
    waiting, running, estimates = list(names), [], []
    while waiting or running:
        while waiting and len(running) < jobs:
            name = waiting.pop(0)
            pace.started(f"{name}")
            running.append((now[0] + durations[name[0]], f"{name}"))
        now[0], ended = min(running)
        running.remove((now[0], ended))
        pace.ended(ended)
        if (left := pace.left()) is not None:
            estimates.append((now[0], left))
    for when, left in estimates:
        if left.unmeasured == 0:
            assert left.seconds <= 2 * (now[0] - when) + 1e-6
        assert left.seconds <= (now[0] - when) + max(durations.values()) + 1e-6
        if left.unmeasured == 0:
            assert left.seconds >= (now[0] - when) / 2 - 1e-6


def test_lines_tell_the_time_that_is_left_and_of_what(write, at):
    trials = [trial for trial in load(str(write())).trials if trial.seed == 0]
    text = StringIO()
    with Display(Console(file=text, width=200), trials[:3], kept=3, known={}) as shown:
        shown.started(trials[0])
        shown.progressed(trials[0], "starting", 0, 0, {})
        at(60)
        shown.progressed(trials[0], "consensus", 1, 2, {})
        at(120)
        shown.finished(trials[0], {})
        shown.started(trials[1])
        shown.started(trials[2])
        at(160)
        shown.finished(trials[1], {})
        at(161)
        shown.failed(trials[2], "Error: broken")
    lines = text.getvalue().splitlines()
    assert lines[0].endswith(
        f"{trials[0].hash}  at least 1 min 0 s left (2 of 3 conditions not measured yet)"
    )
    assert [line.rpartition("  ")[2] for line in lines[1:]] == [trial.hash for trial in trials[:3]]
