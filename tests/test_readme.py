"""What the README shows works as written."""

import re
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import pytest

from studies.cli.main import main

README = Path(__file__).parent.parent / "README.md"


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README.read_text(), re.DOTALL)


@pytest.mark.parametrize("shown", blocks("yaml"))
def test_the_study_files_are_valid(shown, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    double = Path(__file__).parent / "testbed" / "environments" / "doubles" / "smac"
    python = tmp_path / "smac-venv" / "bin" / "python"  # that an example names
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nPYTHONPATH="{double}" exec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    path = tmp_path / "my.yaml"
    path.write_text(shown)
    with pytest.raises(SystemExit) as ended:
        main(["validate", str(path)])
    assert ended.value.code in (0, None), capsys.readouterr().err


def test_the_python_examples_run(capsys, monkeypatch, tmp_path, in_this_process):
    studies, parts = blocks("python")
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    exec(compile(studies, "README.md", "exec"), names)  # noqa: S102 - our own README
    assert len(names["results"].summary) == len(names["study"].trials)
    plt.close("all")
    capsys.readouterr()
    exec(compile(parts, "README.md", "exec"), {})  # noqa: S102
    error, events = capsys.readouterr().out.split()
    assert float(error) < 1e-4
    assert int(events) > 2000


def test_every_figure_it_shows_is_there():
    for path in re.findall(r"!\[.*?\]\((.*?)\)", README.read_text()):
        assert (README.parent / path).is_file(), path
