"""Study files for the tests."""

from collections.abc import Callable
from pathlib import Path

import matplotlib.pyplot as plt
import pytest

from studies.cli import next_steps
from studies.cli.main import main

PROBLEM = """\
workload: problem
problem: {name: mean, agents: 4}
consensus:
  budget: {activations: 20}
vary:
  topology: [ring, star]
  network.link.loss: [0, 0.3]
seeds: 2
quick:
  seeds: 1
  vary.topology: [ring]
"""


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Writes a study file; without text the one above."""

    def write(text: str = PROBLEM, name: str = "study.yaml") -> Path:
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return write


@pytest.fixture
def closes_figures():
    """Closes figures that a test has kept open to look into."""
    yield
    plt.close("all")


@pytest.fixture
def without_next_steps(monkeypatch):
    """Commands print what they did, without the commands that are useful next."""
    monkeypatch.setattr(next_steps, "show", lambda _: None)


@pytest.fixture
def call(capsys, tmp_path, monkeypatch):
    """Runs a command in an empty folder; returns its exit code, stdout and stderr."""
    place = tmp_path / "place"
    place.mkdir()
    monkeypatch.chdir(place)

    def call(*arguments):
        with pytest.raises(SystemExit) as ended:
            main([str(argument) for argument in arguments])
        said = capsys.readouterr()
        return ended.value.code, said.out, said.err

    return call
