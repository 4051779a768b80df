"""What a running study says where there is no terminal."""

from io import StringIO

import pytest
from rich.console import Console

from studies.execution import progress
from studies.execution.progress import Display
from studies.spec.loading import load


@pytest.fixture
def at(monkeypatch):
    """Sets the wall clock."""
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])

    def at(seconds):
        now[0] = seconds

    return at


def test_a_log_file_shows_that_a_study_lives(write, at):
    trial = load(str(write()), quick=True).trials[0]
    text = StringIO()
    with Display(Console(file=text, width=200), total=1, kept=0) as shown:
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
    with Display(Console(file=text, width=200), total=1, kept=0) as shown:
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
    with Display(Console(file=text, width=200), total=1, kept=0) as shown:
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


def test_the_time_that_is_left_goes_by_what_was_done_here_and_not_before(at):
    pace = progress.Pace(trials=3)
    assert pace.left() is None
    at(10)
    pace.progressed("resumed", 51, 100)  # the first report after it went on from 50
    pace.progressed("resumed", 60, 100)
    at(100)
    pace.progressed("resumed", 100, 100)
    pace.ended("resumed")
    assert pace.left() == pytest.approx(100 * 2 / 0.5)  # half a trial in 100 s, and two are missing
    at(200)
    pace.progressed("begun", 1, 2)
    assert pace.left() == pytest.approx(200 * 1.5 / 1.0)
    pace.ended("failed at once")
    assert pace.left() == pytest.approx(200 * 0.5 / 2.0)


def test_nothing_is_told_of_the_time_that_is_left_while_little_but_starting_was_done(at):
    pace = progress.Pace(trials=4)
    at(30)
    for done in range(1, 20):
        pace.progressed("first", done, 100)
        assert pace.left() is None
    pace.progressed("first", 20, 100)  # a twentieth of four trials
    assert pace.left() == pytest.approx(30 * 3.8 / 0.2)
    pace = progress.Pace(trials=1000)
    at(40)
    pace.progressed("first", 1, 2)
    assert pace.left() is None
    pace.ended("first")
    assert pace.left() == pytest.approx(10 * 999)


def test_lines_tell_the_time_that_is_left(write, at):
    trial = load(str(write()), quick=True).trials[0]
    text = StringIO()
    with Display(Console(file=text, width=200), total=5, kept=3) as shown:
        shown.started(trial)
        at(60)
        shown.progressed(trial, "training", 1, 2, {})
        at(120)
        shown.finished(trial, {})
    lines = text.getvalue().splitlines()
    assert lines[0].endswith(f"{trial.hash}  about 3 min 0 s left")
    assert lines[1].endswith(f"{trial.hash}  about 2 min 0 s left")
