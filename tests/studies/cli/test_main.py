"""The command line."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from in_process import InProcess

from studies.execution import backends, host_resources
from studies.figures import draw
from studies.storage.provenance import versions
from testbed.workloads import memory

BASE = "workload: problem\nproblem: {name: mean, agents: 4}\n"


BAD = {
    "an unknown topology": (BASE + "topology: rng\n", "did you mean 'ring'?"),
    "a disconnected graph": (BASE + "topology: {file: parts.edgelist}\n", "allow_disconnected"),
    "more agents than nodes": (BASE + "topology: {name: ring, nodes: 3}\n", "more agents than nodes"),
    "a negative delay": (BASE + "network: {link: {delay: -1}}\n", "network.link.delay = -1"),
    "loss outside [0, 1]": (BASE + "network: {link: {loss: 1.1}}\n", "from 0 to 1"),
    "a budget of nothing": (BASE + "consensus: {budget: {}}\n", "an empty budget"),
    "a wrong type": (BASE + "seeds: many\n", "seeds = 'many'"),
    "an unknown key": (BASE + "netwrk: {}\n", "did you mean 'network'?"),
    "a missing graph file": (BASE + "topology: {file: gone.csv}\n", "no such file"),
    "YAML that is none": ("a: [\n", "not valid YAML"),
}


def test_versions_are_those_that_trials_keep(call):
    code, out, err = call("--version")
    assert (code, err) == (0, "")
    assert dict(line.split(" ", 1) for line in out.splitlines()) == versions()


@pytest.mark.parametrize("command", ["run", "validate", "train"])
@pytest.mark.parametrize("kind", BAD)
def test_bad_input_is_one_line_and_exit_code_2_and_nothing_is_written(call, write, command, kind):
    text, message = BAD[kind]
    write("0 1\n2 3\n", "parts.edgelist")
    code, out, err = call(command, write(text))
    assert code == 2
    assert out == ""
    assert err.count("\n") == 1
    assert message in err
    assert list(Path.cwd().iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "gone.yaml"], "gone.yaml: no such study file"),
        (["run"], "Missing argument"),
        (["run", "topologies", "--jobs", "0"], "--jobs"),
        (["run", "topologies", "--on", "there"], "--on there: choose local, ray, HOST:PORT"),
        (["run", "topologies", "--on", "http://there:80"], "or ray://HOST:PORT"),
        (["run", "topologies", "--on", "there:²"], "--on there:²: choose local, ray, HOST:PORT"),
        (["run", "topologies", "--on", "there:" + "9" * 5000], "choose local, ray, HOST:PORT"),
        (["run", "topologies", "--job", "1"], "No such option: --job"),
        (["rnu", "topologies"], "No such command 'rnu'"),
        (["run", "topologies", "--set", "seeds"], "--set seeds: write it as a.b=value"),
        (["train", "topologies"], "has 15 trials"),
        (["train", "iteration-budget"], "needs a training study"),
        (["topologies", "--names", "rng"], "did you mean 'ring'?"),
        (["topologies", "--nodes", "4", "--draw", "a.png"], "--draw and --name must be used together"),
        (["topologies", "--nodes", "5", "--draw", "a.png", "--name", "hypercube"], "power of two"),
    ],
)
def test_bad_commands_are_one_line_and_exit_code_2(call, arguments, message):
    code, _, err = call(*arguments)
    assert code == 2
    assert err.count("\n") == 1
    assert message in err
    assert list(Path.cwd().iterdir()) == []


def test_ray_is_an_extra(call, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    code, _, err = call("run", "topologies", "--on", "ray")
    assert (code, err) == (2, "--on ray: needs the extra `ray`: pip install 'consensus-testbed[ray]'\n")
    assert list(Path.cwd().iterdir()) == []


def test_the_results_may_not_go_where_a_file_is(call, write):
    Path("taken").write_text("mine")
    code, _, err = call("run", write(BASE), "--out", "taken")
    assert (code, err) == (2, "--out taken: is a file, not a folder\n")


def test_a_real_process_ends_the_same_way(write, tmp_path):
    place = tmp_path / "place"
    place.mkdir()
    script = Path(sys.executable).with_name("testbed")
    command = [str(script), "run", str(write(BASE + "toplogy: ring\n"))]
    done = subprocess.run(
        command, cwd=place, capture_output=True, text=True, check=False, env=dict(os.environ)
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.endswith("study.yaml:3: " + done.stderr.partition("study.yaml:3: ")[2])
    assert "toplogy: unknown key; did you mean 'topology'?" in done.stderr
    assert done.stderr.count("\n") == 1
    assert list(place.iterdir()) == []


def test_validate_says_what_would_run(call, write):
    file = write()
    assert call("validate", file) == (
        0,
        "study: problem, 8 trials: 4 conditions of topology x network.link.loss, 2 seeds each;"
        " valid\n"
        f"each concurrent trial will need about {memory.PROCESS // 2**20} MiB of memory\n"
        f"next:    testbed run {file}  # runs the trials; if stopped, the same command continues\n",
        "",
    )
    assert list(Path.cwd().iterdir()) == []


def test_a_failed_trial_ends_in_exit_code_1_with_its_name(call, write, monkeypatch):
    from studies.execution import runner

    def failing(study, store, **_):
        store.write_failure(study.trials[0], {}, "no")
        return runner.Outcome(0, 0, study.trials[:1], reasons=("WorldError: it fell over",))

    monkeypatch.setattr(runner, "run", failing)
    code, _, err = call("run", write())
    assert code == 1
    why = "WorldError: it fell over (traceback: runs/study/trials/"
    assert err.startswith(f"failed: topology=ring loss=0 seed=0: {why}")


def test_the_topologies_are_listed_with_the_reason_for_those_that_cannot_be(call):
    code, out, _ = call("topologies", "--nodes", "16", "--names", "ring,torus,balanced_tree")
    assert code == 0
    assert "ring" in out
    assert "1.307" in out
    assert "0.834" in out
    assert "0.289" in out
    assert "none of this size: balanced_tree: nodes: 16 cannot form a balanced tree" in out


def test_a_topology_is_drawn(call):
    code, out, _ = call(
        "topologies", "--nodes", "8", "--names", "ring", "--draw", "a.png", "--name", "hypercube"
    )
    assert code == 0
    assert out.endswith("drawn: a.png\n")
    assert Path("a.png").read_bytes().startswith(b"\x89PNG")


def test_the_built_in_studies_are_listed(call):
    code, out, _ = call("studies")
    assert code == 0
    assert {"iteration-budget", "link-loss", "topologies"} <= {
        line.split()[0] for line in out.splitlines() if line.strip()
    }


def test_training_prints_a_line_per_update_and_is_kept(call, write):
    text = (
        "workload: training\nenvironment: {name: navigation, agents: 3, episode_length: 10}\n"
        "algorithm: {name: matrpo, hidden: [8, 8]}\nconsensus: {budget: {activations: 4}}\n"
        "training: {updates: 2, samples: 40}\n"
    )
    code, out, err = call("train", write(text), "--out", "kept")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0].startswith("training 1/2  return -")
    assert lines[1].startswith("training 2/2  return -")
    assert Path("kept/figures/return_by_steps.png").is_file()
    statistics, summary = (pd.read_csv(f"kept/{name}.csv") for name in ("statistics", "summary"))
    assert statistics[["metric", "seeds"]].to_numpy().tolist() == [["return", 1]]
    assert statistics["iqm"][0] == statistics["mean"][0] == pytest.approx(summary["return"][0])
    code, out, _ = call("train", write(text), "--out", "kept")
    assert code == 0
    assert out.startswith("seed=0 had already finished")


def test_a_fault_that_touched_no_message_is_warned_of(call, write, monkeypatch, in_this_process):
    monkeypatch.setitem(draw.PLANS, "problem", ())
    text = (
        BASE + "consensus: {budget: {activations: 5}}\n"
        "vary: {network.faults: [[], [{name: far, link: 0-1, down: 1h}], [{link: 0-1, down: 0}]]}\n"
    )
    code, _, err = call("run", write(text), "--jobs", "1")
    assert code == 0
    assert err == (
        "warning: in 1 of 3 trials a fault touched no message and so tested nothing: faults=far seed=0\n"
    )


def test_validate_tells_the_memory_of_the_most_demanding_trial(call, write):
    text = "workload: training\nvary: {training.samples: [1000, 20000]}\n"
    _, both, _ = call("validate", write(text))
    _, larger, _ = call("validate", write(text.replace("1000, 20000", "20000")))
    _, smaller, _ = call("validate", write(text.replace("1000, 20000", "1000")))
    mebibytes = [
        int(said.split("about ")[1].split(" MiB")[0].replace(",", "")) for said in (both, larger, smaller)
    ]
    assert mebibytes[0] == mebibytes[1] > mebibytes[2]


SMAC = Path(__file__).parents[2] / "testbed" / "environments" / "doubles" / "smac"


def test_validate_starts_no_game_and_tells_how_many_there_will_be(call, write, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(SMAC))
    monkeypatch.setenv("SMAC_DOUBLE_LOG", str(tmp_path / "log"))
    text = "workload: training\nenvironment: {name: starcraft}\n"
    code, out, _ = call("validate", write(text))
    assert code == 0
    assert "not known before its games have been started" in out
    assert "each concurrent trial runs 8 clients of StarCraft II\n" in out
    _, out, _ = call("validate", write(text + "training: {samples: 600, evaluation: {episodes: 32}}\n"))
    assert "runs 5 clients of StarCraft II, and 8 more during each evaluation\n" in out
    assert not (tmp_path / "log").exists()
    code, _, err = call("validate", write(text + "training: {batch: 9, samples: 9000}\n"))
    assert code == 2
    assert err.count("\n") == 1
    assert "training.batch: 9 is more than the 8 episodes that environment.games allows" in err


@pytest.mark.parametrize("command", ["run", "train", "trace"])
def test_a_device_that_is_not_there_is_one_line_and_nothing_is_written(call, write, command, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    file = write("workload: training\nalgorithm: {device: cuda}\n")
    before = list(Path.cwd().iterdir())
    code, _, err = call(command, file)
    assert code == 2
    assert err == "algorithm.device 'cuda': torch finds no CUDA device on this machine; use 'cpu'\n"
    assert list(Path.cwd().iterdir()) == before


ON_GPU = """\
workload: training
environment: {name: navigation}
topology: ring
vary: {algorithm.device: [cpu, cuda]}
seeds: 2
"""


@pytest.mark.parametrize(
    ("card", "said"),
    [
        (None, "torch finds no CUDA device on this machine"),
        (("A card", 8 * 2**30), r"A card has 8,192 MiB, enough for 11 trials at once"),
        (("A small card", 700 * 2**20), r"A small card has 700 MiB, which may not be enough"),
    ],
    ids=["none", "large", "small"],
)
def test_validate_tells_the_memory_of_a_gpu_and_how_many_trials_it_holds(
    call, write, card, said, monkeypatch
):
    monkeypatch.setattr(host_resources, "gpu", lambda: card)
    code, out, err = call("validate", write(ON_GPU))
    assert (code, err) == (0, "")
    line = r"each trial on a GPU will need about 228 MiB of its memory, too; " + said
    assert re.search(f"^{line}$", out, re.MULTILINE), out
    assert ("# runs the trials on a machine with a CUDA device;" in out) == (card is None)
    _, out, _ = call("validate", write(ON_GPU), "--set", "vary={}")
    assert "GPU" not in out


@pytest.mark.parametrize("command", ["validate", "run"])
def test_a_trial_that_cannot_fit_into_the_gpu_is_refused_before_anything_is_written(
    call, write, command, monkeypatch
):
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr(host_resources, "total_memory", lambda: 2**40)
    monkeypatch.setattr(host_resources, "gpu", lambda: ("A card", 8 * 2**30))
    code, out, err = call(command, write(ON_GPU), "--set", "training.samples=1000000")
    assert (code, out) == (2, "")
    assert re.fullmatch(
        r"study: device=cuda seed=0: would need about 16 GiB of GPU memory, and A card has 8,192 MiB:"
        r" reduce training\.samples, algorithm\.hidden, the number of links or consensus\.budget\n",
        err,
    )
    assert list(Path.cwd().iterdir()) == []


def test_the_devices_of_a_cluster_are_not_looked_for_on_this_machine(call, write, monkeypatch):
    pytest.importorskip("ray")
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    file = write("workload: training\nalgorithm: {device: cuda}\n")
    code, _, err = call("run", file, "--on", "127.0.0.1:1")
    assert code == 2
    assert err.startswith("--on 127.0.0.1:1: nothing answers there: ")


BATTLES = """\
workload: training
topology: path
environment: {name: starcraft, map: tiny, map_agents: 2, map_limit: 6}
algorithm: {hidden: [4]}
consensus: {budget: {activations: 2}}
training: {updates: 1, samples: 24, evaluation: {episodes: 9}}
"""


def test_a_trial_has_the_versions_of_its_game_and_a_comparison_tells_others(
    call, write, monkeypatch, tmp_path
):
    monkeypatch.setenv("PYTHONPATH", str(SMAC))
    monkeypatch.setenv("SMAC_DOUBLE_LOG", str(tmp_path / "log"))
    file = write(BATTLES)
    for folder, version in (("one", "4.10.0"), ("two", "4.10.1")):
        monkeypatch.setenv("SMAC_DOUBLE_GAME", version)
        assert call("train", file, "--out", folder)[0] == 0
        (stored,) = Path(folder, "trials").glob("*/versions.json")
        assert json.loads(stored.read_text())["starcraft"] == version
    launched = (tmp_path / "log").read_text().count("launch")
    assert launched == 2 * (4 + 8)
    _, out, _ = call("compare", "one", "two")
    assert "trials in both were played with other versions of starcraft: 4.10.0 -> 4.10.1\n" in out
    _, out, _ = call("compare", "one", "one")
    assert "other versions" not in out


GAME = """\
workload: training
environment: {name: starcraft, map: 3m}
training: {updates: 1, samples: 60}
"""


@pytest.mark.parametrize(
    "command",
    [["validate"], ["train"], ["run"], ["run", "--dry-run"], ["trace"], ["play", "--policy", "random"]],
    ids=["validate", "train", "run", "dry-run", "trace", "play"],
)
def test_a_game_that_is_not_there_is_one_line_and_nothing_is_written(call, write, command):
    code, out, err = call(*command, write(GAME), "--set", "environment.python=/nowhere/python")
    assert (code, out) == (2, "")
    why = "which cannot be run (No such file or directory)"
    assert err == f"environment: starcraft: python: got '/nowhere/python', {why}\n"
    assert list(Path.cwd().iterdir()) == []


BROKEN = """\
workload: training
environment: {name: navigation, agents: 3, episode_length: 5}
algorithm: {name: itrpo, hidden: [4]}
training: {updates: 1, samples: 10}
"""


@pytest.fixture
def broken(monkeypatch):
    """Navigation pays agent 1 no number in the second step."""
    from testbed.environments.navigation import Navigation

    advance = Navigation._advance

    def failing(self, actions):
        rewards, terminations, info = advance(self, actions)
        rewards[self._t == 2, 1] = np.nan
        return rewards, terminations, info

    monkeypatch.setattr(Navigation, "_advance", failing)


NAN = "WorldError: navigation: row 0, step 2: agent 1 was paid nan, must be finite and at most 1e+18"


def test_training_that_fails_says_why_in_one_line_and_keeps_the_traceback(call, write, broken):
    code, _, err = call("train", write(BROKEN))
    assert code == 2
    assert err.startswith(f"failed: seed=0: {NAN}")
    assert err.count("\n") == 1
    (file,) = Path("runs/study/trials").glob("*/traceback.txt")
    assert str(file) in err
    assert file.read_text().startswith("Traceback (most recent call last):")
    assert call("status", "runs/study")[0] == 1


def test_a_study_whose_world_fails_has_a_line_for_each_trial_and_the_exit_code_of_bad_input(
    call, write, broken, monkeypatch
):
    monkeypatch.setattr(backends, "executor", lambda on, jobs, folder: InProcess())
    code, _, err = call("run", write(BROKEN + "seeds: 2\n"))
    assert code == 2
    lines = [line for line in err.splitlines() if line.startswith("failed: ")]
    assert [line.startswith(f"failed: seed={seed}: {NAN}") for seed, line in enumerate(lines)] == [True, True]


@pytest.mark.parametrize("command", [["run", "--dry-run"], ["trace"]], ids=["dry-run", "trace"])
def test_a_world_that_fails_is_one_line_for_commands_that_only_try(call, write, broken, command):
    code, _, err = call(*command, write(BROKEN))
    assert code == 2
    assert NAN.removeprefix("WorldError: ") in err
    assert err.strip().count("\n") == 0


@pytest.mark.parametrize("command", ["validate", "run"])
@pytest.mark.parametrize(
    "change",
    ["problem.dimension=10000000000", "problem.agents=4000", "consensus.budget.activations=1000000000"],
)
def test_a_trial_that_cannot_fit_into_memory_is_refused_before_anything_is_written(
    call, write, command, change, monkeypatch
):
    monkeypatch.setattr(host_resources, "total_memory", lambda: 8 * 2**30)
    file = write("workload: problem\nproblem: {name: mean, agents: 4, dimension: 1000000}\ntopology: ring\n")
    code, out, err = call(command, file, "--set", change)
    assert (code, out) == (2, "")
    assert re.fullmatch(
        r"study: seed=0: would need about [\d,]+ GiB of memory, and this machine has 8,192 MiB: reduce"
        r" problem\.dimension, problem\.agents, problem\.rows, the number of links or consensus\.budget\n",
        err,
    )
    assert list(Path.cwd().iterdir()) == []


def test_a_graph_of_ones_own_has_its_row_its_names_and_its_drawing(call, tmp_path):
    file = tmp_path / "cities.edgelist"
    file.write_text("Oslo Rome\nRome [b]\n[b] Oslo\n")
    code, out, err = call("topologies", file, "--draw", "a.png")
    assert (code, err) == (0, "")
    assert "3 nodes" in out
    row = next(line.split() for line in out.splitlines() if line.startswith("cities.edgelist"))
    assert row[1:4] == ["3", "2", "1"]
    assert "  0  Oslo\n  1  Rome\n  2  [b]\ndrawn: a.png\n" in out
    assert Path("a.png").read_bytes().startswith(b"\x89PNG")
    code, out, err = call("topologies", file, "--nodes", 3)
    assert (code, out) == (2, "")
    assert err == f"--nodes and {file} cannot be combined: the graph is the file's\n"
    file.write_text("a b\nc d\n")
    assert "it has 2 parts: a study needs topology.allow_disconnected: true" in call("topologies", file)[1]
    assert call("topologies", tmp_path / "none.gml")[2] == f"{tmp_path / 'none.gml'}: no such file\n"
