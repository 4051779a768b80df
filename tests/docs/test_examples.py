"""The example scripts print what stands beside them; those for SLURM call its programs in the right order."""

import os
import re
import shlex
import subprocess
import textwrap
from pathlib import Path

import fresh_processes
import pytest

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"


@pytest.mark.parametrize("name", sorted(path.stem for path in EXAMPLES.glob("*.py")))
def test_an_example_prints_what_stands_beside_it(tmp_path, name):
    environment = {**os.environ, "PYTHONPATH": str(EXAMPLES.parents[1]), "TMPDIR": str(tmp_path)}
    done = fresh_processes.run([EXAMPLES / f"{name}.py"], cwd=tmp_path, env=environment)
    assert done.returncode == 0, done.stderr
    # Progress, with its wall times, may come before.
    assert done.stdout.endswith((EXAMPLES / f"{name}.out").read_text()), done.stdout


PROGRAMS = {
    "srun": """
        while [[ $1 == --* ]]; do options+=" $1"; shift; done
        echo "srun$options: $*" >> "$CALLS"
        exec "$@"
    """,
    "scontrol": "[[ $* == 'show hostnames node[1-3]' ]] && printf 'node1\\nnode2\\nnode3\\n'",
    "hostname": "echo 10.0.0.1 fe80::1",
    "sleep": "exit 0",
    "ray": """
        [[ $1 == start ]] || exec bash -c 'echo >> "$TRIES"; (( $(wc -l < "$TRIES") == 2 ))'
        exec tail -f /dev/null
    """,
    "testbed": """\
        until [[ " $* " != *" --on "* ]] || (( $(grep -c "ray start" "$CALLS") == 3 )); do sleep 0.05; done
        exit "$CODE"
    """,
}
"""Stand-ins: a program that starts Ray goes on until it is ended; the head answers when it is asked again.

A study on three nodes lasts until each of them has been told to start.
"""


@pytest.fixture
def sbatch(tmp_path):
    """Runs a script as a job of three nodes; returns its exit code and the calls of `srun`."""
    for name, text in PROGRAMS.items():
        program = tmp_path / "bin" / name
        program.parent.mkdir(exist_ok=True)
        program.write_text(f"#!/usr/bin/env bash\n{textwrap.dedent(text)}\n")
        program.chmod(0o755)

    def sbatch(script: str, *arguments: str, code: int = 0) -> tuple[int, list[str]]:
        calls = tmp_path / "calls.txt"
        done = subprocess.run(
            ["bash", EXAMPLES / script, *arguments],
            cwd=tmp_path,
            env={
                "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}",
                "CALLS": str(calls),
                "TRIES": str(tmp_path / "tries.txt"),
                "CODE": str(code),
                "SLURM_CPUS_PER_TASK": "16",
                "SLURM_JOB_ID": "1234567",
                "SLURM_JOB_NODELIST": "node[1-3]",
            },
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        return done.returncode, calls.read_text().splitlines() if calls.exists() else [done.stderr]

    return sbatch


def test_the_slurm_script_starts_a_head_then_workers_then_the_study_and_ends_them(sbatch):
    code, calls = sbatch("slurm.sh", "my study.yaml", "/shared/out", "--set", "a b", code=3)
    assert code == 3  # of `testbed run`
    started = [call for call in calls if "ray start" in call]
    address = "10.0.0.1:34567"
    ends = "--num-cpus=16 --block"
    each = "srun --nodes=1 --ntasks=1 --nodelist={} --cpus-per-task=16 --overlap: ray start {} " + ends
    head = "--head --node-ip-address=10.0.0.1 --port=34567 --include-dashboard=false"
    assert sorted(started) == [
        each.format("node1", head),
        each.format("node2", f"--address={address}"),
        each.format("node3", f"--address={address}"),
    ]
    (study,) = (call for call in calls if "testbed run" in call)
    assert study.endswith(f": testbed run my study.yaml --out /shared/out --on {address} --set a b")
    assert sum("ray status" in call for call in calls) == 2
    assert calls.index(started[0]) < max(n for n, call in enumerate(calls) if "ray status" in call)


def test_the_slurm_script_of_one_node_runs_the_study_on_its_processors(sbatch):
    assert sbatch("slurm_one_node.sh", "my.yaml", "out") == (
        0,
        ["srun --ntasks=1 --cpus-per-task=16: testbed run my.yaml --out out --jobs 16"],
    )


@pytest.mark.parametrize("script", sorted(path.name for path in EXAMPLES.glob("*.sh")))
def test_a_slurm_script_is_careful(sbatch, script):
    lines = (EXAMPLES / script).read_text().splitlines()
    assert lines[0] == "#!/usr/bin/env bash"
    first = next(number for number, line in enumerate(lines) if line and not line.startswith("#"))
    assert lines[first] == "set -euo pipefail"
    assert not any(line.startswith("#SBATCH") for line in lines[first:]), "sbatch stops at the first command"
    code, (said,) = sbatch(script, "my.yaml")
    assert code != 0
    assert "the folder of the results" in said


def test_the_tutorial_and_the_arguments_of_ray_start_are_those_of_the_installed_ray():
    scripts = pytest.importorskip("ray.scripts.scripts")
    page = (EXAMPLES.parent / "tutorials" / "scale-to-a-cluster.md").read_text()
    lines = re.findall(r"^ray start (.*)$", page, re.MULTILINE)
    text = (EXAMPLES / "slurm.sh").read_text()
    lines += [line.partition(" ")[2] for line in re.findall(r"^ *start (\S+ --.*)$", text, re.MULTILINE)]
    assert len(lines) == 4
    for line in lines:
        arguments = [
            re.sub(r"=\$\S+", "=1", part) for part in shlex.split(line.replace("$address:$port", "h:1"))
        ]
        options = scripts.start.make_context("start", [*arguments, "--num-cpus=1", "--block"]).params
        assert options["block"]
        assert options["head"] is ("--head" in arguments)
    for command in re.findall(r"^sbatch .*?docs/examples/(\S+)", page, re.MULTILINE):
        assert (EXAMPLES / command).is_file()


def test_every_output_is_of_an_example():
    assert {path.stem for path in EXAMPLES.glob("*.out")} == {path.stem for path in EXAMPLES.glob("*.py")}
