"""The recorded results of the suite are of its present version, and follow from their own values."""

from pathlib import Path

import pandas as pd
import pytest

from studies.suite import definition, methods, submission_check

RESULTS = Path(__file__).parents[3] / "studies" / "results" / "suite-lite"


@pytest.mark.parametrize("name", ["relaxed-ADMM", "push-sum"])
def test_a_recorded_submission_is_valid(name):
    found = submission_check.check(RESULTS / "submissions" / f"{name}.json", definition.load())
    assert found.wrong == ()
    assert found.cells >= 19


def test_the_recorded_table_has_every_method_here():
    suite = definition.load()
    table = pd.read_csv(RESULTS / "scores.csv")
    assert list(dict.fromkeys(table["task"])) == list(suite.sizes["lite"].tasks)
    assert set(table["method"]) == set(methods.builtin(suite))
    assert suite.digest[:8] in (RESULTS / "README.md").read_text()
