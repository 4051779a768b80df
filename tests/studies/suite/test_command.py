"""``testbed suite`` as a command: what it refuses, and that it continues after kill -9."""

import os
import signal
import subprocess
import sys
import time

import pytest
from in_process import InProcess

from studies.execution import backends
from studies.suite import definition, running


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["lit"], "size = 'lit': must be one of lite, standard, full; did you mean 'lite'?"),
        (["lite", "a.json"], "a.json: only `testbed suite check` takes files or folders"),
        (["lite", "--task", "x"], "--task x: must be one of convex-mean, convex-logistic"),
        (
            ["lite", "--method", "Metropolic"],
            "--method Metropolic: no such method; did you mean 'Metropolis'?",
        ),
        (["lite", "--method", "none.py:X"], "--method none.py:X: no such file none.py"),
        (["check"], "suite check: needs a submission, or a folder that has some"),
        (["check", "none"], "none: no such file or folder"),
        (["check", "--task", "mean", "a"], "suite check: takes files and folders alone, and no --task"),
    ],
)
def test_bad_input_is_one_line_and_writes_nothing(call, tmp_path, arguments, message):
    code, out, err = call("suite", *arguments)
    assert (code, out) == (2, "")
    assert err.startswith(message)
    assert err.count("\n") == 1
    assert not list((tmp_path / "place").iterdir())


PART = ("--task", "convex-mean", "--method", "relaxed ADMM", "--condition", "loss 30 %")


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_a_killed_suite_continues_with_the_same_bytes(call, tmp_path, monkeypatch):
    stopped, whole = tmp_path / "stopped", tmp_path / "whole"
    words = [
        sys.executable,
        "-c",
        "from studies.cli.console_script import main; main()",
        "suite",
        "lite",
        *PART,
    ]
    command = [*words, "--jobs", "1", "--out", str(stopped)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, start_new_session=True) as process:
        while not list(stopped.glob("parts/*/*/trials/[!.]*/status.json")) and process.poll() is None:
            time.sleep(0.01)
        os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    done = list(stopped.glob("parts/*/*/trials/[!.]*/status.json"))
    assert 1 <= len(done) < 9
    before = {file: file.stat().st_mtime_ns for file in done}
    monkeypatch.setattr(backends, "executor", lambda *_: InProcess())
    code, out, _ = call("suite", "lite", *PART, "--out", stopped)
    assert code == 0
    assert f"{9 - len(done)} trials run, {len(done)} finished earlier" in out
    assert {file: file.stat().st_mtime_ns for file in done} == before
    code, out, err = call("suite", "lite", *PART, "--out", whole)
    assert (code, err) == (0, "")
    assert "convex-mean: kept" in out
    assert definition.load().digest in out
    for name in (
        "scores.csv",
        "values.csv",
        "table.md",
        "table.tex",
        "suite.html",
        "kept.png",
        "profiles.png",
    ):
        assert (stopped / name).read_bytes() == (whole / name).read_bytes(), name
    code, _, err = call("suite", "standard", *PART, "--out", whole)
    assert code == 2
    assert "holds size = 'lite', not 'standard'; versions and sizes are never mixed" in err


def test_a_folder_of_another_size_is_not_written_into(call, tmp_path):
    (tmp_path / "out").mkdir()
    running.claim(tmp_path / "out", definition.load(), "full")
    code, out, err = call("suite", "lite", "--method", "json:JSONDecoder", "--out", tmp_path / "out")
    assert (code, out) == (2, "")
    assert "holds size = 'full', not 'lite'" in err
    assert [file.name for file in (tmp_path / "out").iterdir()] == [running.RECORD]
