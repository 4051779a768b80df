"""Figures that are drawn from curves committed with the findings, by the commands in their READMEs."""

import re
import shlex
import shutil
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
import pytest
from typer.testing import CliRunner

import studies
from studies.docgen import committed_curves

RESULTS = Path(studies.__file__).parent / "results"
COMBAT = RESULTS / "combat-network"


@pytest.fixture
def folder(tmp_path):
    """A copy of a folder of findings, without its figure."""
    for name in ("study.yaml", "curves.csv"):
        shutil.copy(COMBAT / name, tmp_path)
    return tmp_path


def test_the_command_of_a_readme_draws_the_figure_that_it_shows(folder):
    text = (COMBAT / "README.md").read_text()
    (command,) = re.findall(r"^    python -m studies.docgen.committed_curves (.*)$", text, re.MULTILINE)
    where, *options = shlex.split(command)
    assert RESULTS.parents[1] / where == COMBAT
    app = committed_curves.typer.Typer()
    app.command()(committed_curves.main)
    done = CliRunner().invoke(app, [str(folder), *options])
    assert done.exit_code == 0, done.output
    (drawn,) = folder.glob("*.png")
    assert done.output.replace("\n", "") == str(drawn)
    assert f"]({drawn.name})" in text
    assert plt.imread(drawn).shape == plt.imread(COMBAT / drawn.name).shape


def test_the_rows_are_those_of_the_chosen_values_in_their_order():
    data = committed_curves.figure_data(COMBAT, ["ring", "no network"])
    rows = data.curves["training"]
    assert list(rows["condition"].unique()) == ["ring", "no network"]
    assert rows.groupby("condition", observed=True)["seed"].nunique().tolist() == [5, 5]
    assert len(rows) == 2 * 5 * 30
    assert data.summary["update"].tolist() == [30] * 10
    assert len(committed_curves.figure_data(COMBAT).curves["training"]) == 330


def test_values_without_rows_rows_without_a_trial_and_studies_of_several_settings_are_refused(folder):
    with pytest.raises(ValueError, match="condition = a star: has no rows"):
        committed_curves.figure_data(COMBAT, ["ring", "a star"])
    rows = pd.read_csv(folder / "curves.csv")
    rows.loc[:1, "trial"] = None
    rows.to_csv(folder / "curves.csv", index=False)
    with pytest.raises(ValueError, match=r"curves\.csv: trial: is missing in 2 rows"):
        committed_curves.figure_data(folder)
    study = folder / "study.yaml"
    study.write_text(study.read_text().replace("\nvary:\n", "\nvary:\n  consensus.penalty: [1, 2]\n"))
    with pytest.raises(ValueError, match=r"varies consensus\.penalty, condition, and must vary one setting"):
        committed_curves.figure_data(folder)
