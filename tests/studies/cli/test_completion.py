"""Completions, asked for as shells do; shells wait for them at each press of the tab key."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

import topologies
from studies.cli import completion
from studies.cli.main import app
from studies.columns import COLUMNS, RESERVED
from studies.docgen import completions
from studies.spec.builtin import builtin_names
from testbed import environments
from testbed.consensus.traits import ALGORITHMS
from testbed.training.learners import LEARNERS

HEAVY = {"torch", "pandas", "matplotlib", "networkx", "numpy", "scipy", "simpy"}


@pytest.fixture
def ask(monkeypatch):
    """The completions of the last word of a command line; ``shell`` is bash, which splits words, or fish."""

    def ask(line, shell="fish"):
        monkeypatch.setenv("_TESTBED_COMPLETE", f"complete_{shell}")
        if shell == "bash":
            words = line.replace("=", " = ").split(" ")
            words = words[:-1] if words[-1] == "" and line.endswith("=") else words
            monkeypatch.setenv("COMP_WORDS", "\n".join(words))
            monkeypatch.setenv("COMP_CWORD", str(len(words) - 1))
            completion.rejoin(os.environ)
        else:
            monkeypatch.setenv("_TYPER_COMPLETE_ARGS", line)
            monkeypatch.setenv("_TYPER_COMPLETE_FISH_ACTION", "get-args")
        done = CliRunner().invoke(app, [], prog_name="testbed", catch_exceptions=False)
        os.environ.pop(completion.VALUE_OF, None)  # which `rejoin` has set
        return done.output.split()

    return ask


def test_the_settings_are_those_of_the_schema():
    text = Path(completion.__file__).with_name(completion.SETTINGS).read_text()
    assert text == completions.now(), "run `make reference`"
    found = json.loads(text)
    assert set(found["consensus.algorithm"]) == set(ALGORITHMS.builtin())
    assert set(found["algorithm.name"]) == set(LEARNERS.builtin())
    assert set(found["environment.name"]) == set(environments.NAMES)
    assert set(found["topology"]) == set(found["topology.name"]) == set(topologies.FAMILIES)
    assert {"network.link.loss", "network.link.loss.random", "network.link.loss.gemodel.p"} <= set(found)
    assert {"network.link", "network", "vary", "workload"}.isdisjoint(found)


@pytest.mark.parametrize("shell", ["bash", "fish"])
def test_paths_are_completed_up_to_the_equals_sign_and_then_values(ask, shell):
    found = ask("testbed run navigation --set network.link.loss.g", shell)
    assert found == [f"network.link.loss.gemodel.{name}=" for name in ("1-h", "1-k", "p", "per", "r")]
    kept = "" if shell == "bash" else "consensus.algorithm="
    assert ask("testbed run navigation --set consensus.algorithm=p", shell) == [f"{kept}push_sum"]
    assert set(ask("testbed run navigation --set consensus.algorithm=", shell)) == {
        f"{kept}{name}" for name in ALGORITHMS.builtin()
    }
    assert set(ask("testbed train x.yaml --set seeds=1 --set consensus.algo", shell)) == {
        f"consensus.algorithm={name}" for name in ALGORITHMS.builtin()
    }
    assert ask("testbed run navigation --set network.link.loss=0", shell) == []
    assert ask("testbed run navigation --set vary.network.link.jitter_", shell) == [
        "vary.network.link.jitter_correlation="
    ]
    assert ask("testbed run navigation --set nonsense.", shell) == []


@pytest.mark.parametrize("shell", ["bash", "fish"])
def test_metrics_are_completed_from_the_folder_if_it_has_results(ask, shell, tmp_path):
    known = [one.name for one in COLUMNS if "*" not in one.name and one.name not in RESERVED]
    assert set(ask("testbed compare one two --metric ", shell)) == set(known)
    (tmp_path / "summary.csv").write_text("trial,seed,network.link.loss,error,seconds,return_battle_won\n")
    assert ask(f"testbed table {tmp_path} --metrics e", shell) == ["error"]
    assert set(ask(f"testbed table {tmp_path} --metrics error,", shell)) == {
        "error,seconds",
        "error,return_battle_won",
    }
    (tmp_path / "summary.csv").write_text("")
    assert set(ask(f"testbed table {tmp_path} --metrics ", shell)) == set(known)


@pytest.mark.parametrize(
    ("words", "position", "whole", "at", "setting"),
    [
        ("testbed\nrun\n--set\na.b\n=\nc", 5, "testbed\nrun\n--set\nc", 3, "a.b"),
        ("testbed\nrun\n--set\na.b\n=", 4, "testbed\nrun\n--set\n", 3, "a.b"),
        ("testbed\ntable\nx\n--metrics\n=\ner", 5, "testbed\ntable\nx\n--metrics\ner", 4, None),
        ("testbed run --set a = 1 --set b", 7, "testbed run --set a=1 --set b", 5, None),
        ("testbed\nrun\n", 2, "testbed\nrun\n", 2, None),
        ("testbed\nrun\nx\n--quick", 2, "testbed\nrun\nx", 2, None),
    ],
)
def test_bash_splits_words_at_equals_signs(words, position, whole, at, setting):
    asked = {"_TESTBED_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": f"{position}"}
    completion.rejoin(asked)
    assert (asked["COMP_WORDS"], asked["COMP_CWORD"]) == (whole, f"{at}")
    assert asked.get(completion.VALUE_OF) == setting


def test_nothing_changes_without_a_request():
    asked = {"COMP_WORDS": "a\n=\nb", "COMP_CWORD": "2"}
    completion.rejoin(asked)
    assert asked == {"COMP_WORDS": "a\n=\nb", "COMP_CWORD": "2"}


def test_the_command_completes_studies_and_files_without_heavy_imports(tmp_path):
    (tmp_path / "navy.yaml").touch()
    (tmp_path / "navy.txt").touch()
    asked = {"_TESTBED_COMPLETE": "complete_bash", "COMP_WORDS": "testbed run nav", "COMP_CWORD": "2"}
    code = (
        "import atexit, sys\n"
        f"heavy = {sorted(HEAVY)}\n"
        "atexit.register(lambda: print(*[name for name in heavy if name in sys.modules], file=sys.stderr))\n"
        "from studies.cli.console_script import main\n"
        "sys.argv[0] = 'testbed'\n"
        "main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, **asked},
    )
    offered = done.stdout.split()
    assert {"navigation", "navigation-topologies", "navy.yaml"} <= set(offered)
    assert all(word.startswith("nav") for word in offered)
    assert "navy.txt" not in offered
    assert done.stderr.split() == []
    assert {name for name in builtin_names() if name.startswith("nav")} <= set(offered)
