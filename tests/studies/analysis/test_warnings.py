"""Warnings for the reader of a study's results."""

from types import SimpleNamespace

import pandas as pd

from studies.analysis.warnings import idle_faults, lost_clients


def found(**columns):
    """A study of four trials, and a table with these columns."""
    names = ["a", "b", "c", "d"]
    trials = [SimpleNamespace(hash=name, title=f"seed={index}") for index, name in enumerate(names)]
    return SimpleNamespace(trials=trials), pd.DataFrame({"trial": names, **columns})


def test_other_results_have_no_warnings():
    study, table = found(error=[0.0] * 4)
    assert idle_faults(study, table) == lost_clients(study, table) == []
    study, table = found(faults_untouched=[0.0] * 4, return_breakdowns=[0.0] * 4)
    assert idle_faults(study, table) == lost_clients(study, table) == []


def test_faults_that_touched_nothing_are_named_by_their_trials():
    study, table = found(faults_untouched=[0, 1, 0, 2])
    assert idle_faults(study, table) == [
        "in 2 of 4 trials a fault touched no message and so tested nothing: seed=1, seed=3"
    ]


def test_battles_that_a_lost_client_cut_off_are_told():
    study, table = found(return_breakdowns=[0.02, 1.0, 0.0, float("nan")])
    (line,) = lost_clients(study, table)
    assert line.startswith("in 2 of 4 trials battles were cut off")
    assert line.endswith("1 for each battle at most: seed=0, seed=1")
    _, table = found(return_breakdowns=[1.0] * 4)
    (line,) = lost_clients(study, table)
    assert line.endswith("seed=0, seed=1, seed=2, ...")
