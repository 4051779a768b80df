"""The line that a stopped command ends with."""

import pytest

from studies.cli.stopping import stopped


@pytest.mark.parametrize("command", ["run", "train"])
def test_commands_that_go_on_say_so(command):
    assert (
        stopped([command, "x.yaml"])
        == "stopped; finished trials are kept: the same command resumes the study"
    )


@pytest.mark.parametrize("words", [[], ["validate", "run"], ["play", "x.yaml"], ["--help"]])
def test_others_say_that_they_were_stopped(words):
    assert stopped(words) == "stopped"
