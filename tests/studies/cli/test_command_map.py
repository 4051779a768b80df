"""The map of the commands."""

from typing import Any

import pytest
import typer

from studies.cli import command_map
from studies.cli.main import app


def commands():
    group: Any = typer.main.get_command(app)
    return group.commands


def test_every_command_has_one_heading():
    placed = [name for names in command_map.PURPOSES.values() for name in names]
    assert sorted(placed) == sorted(commands())
    for heading, names in command_map.PURPOSES.items():
        assert {commands()[name].rich_help_panel for name in names} == {heading}


def test_testbed_alone_prints_the_map(call):
    code, out, err = call()
    assert (code, err) == (0, "")
    assert command_map.FIRST in out.splitlines()[0]
    for heading, names in command_map.PURPOSES.items():
        assert f"\n{heading}\n" in out
        for name in names:
            (line,) = (line for line in out.splitlines() if line.startswith(f"  {name} "))
            assert len(line) <= 130
            assert len(line.split(None, 1)[1]) > 20


def test_help_has_the_same_headings(call):
    code, out, _ = call("--help")
    assert code == 0
    places = [out.index(heading) for heading in command_map.PURPOSES]
    assert len(set(places)) == len(places)


def test_a_command_without_a_heading_is_refused(monkeypatch):
    monkeypatch.setitem(command_map.PURPOSES, "Run a study", ("validate",))
    with pytest.raises(KeyError, match=r"run|train|status"):
        command_map.group()
