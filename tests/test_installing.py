"""The package as people install it: a wheel, in an environment of its own, outside the checkout."""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

from studies.suite import definition

ROOT = Path(__file__).parent.parent
PACKAGES = ("policies", "studies", "testbed", "topologies")
STUDY = """\
question: Do four agents agree?
workload: problem
problem: {name: mean, agents: 4}
consensus: {budget: {activations: 20}, curve_every: 100}
quick: {consensus.budget.activations: 1}
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The folder of an environment into which pip has installed the wheel, with the packages of this one.

    Packages are copied first, because a build leaves files in the folder that it builds.
    """
    source, wheels = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheels")
    for name in PACKAGES:
        ignored = shutil.ignore_patterns("__pycache__", "results")
        shutil.copytree(ROOT / name, source / name, ignore=ignored)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    offline = ("--quiet", "--no-index", "--no-deps", "--disable-pip-version-check")
    pip = (sys.executable, "-m", "pip")
    run([*pip, "wheel", *offline, "--no-build-isolation", "--wheel-dir", wheels, source])
    (wheel,) = wheels.glob("*.whl")
    place = tmp_path_factory.mktemp("environment")
    venv.create(place, with_pip=False, symlinks=True)
    site = Path(sysconfig.get_path("purelib", vars={"base": str(place), "platbase": str(place)}))
    # The folder that a .pth file names is searched, but its own .pth files, the checkout's, are not read.
    (site / "the_others.pth").write_text(sysconfig.get_path("purelib") + "\n")
    run([*pip, "--python", place / "bin" / "python", "install", *offline, "--no-compile", wheel])
    return place


def run(command, cwd=None, **variables):
    """Runs a command without the paths of this process; returns its output."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    kept.pop("PYTHONDONTWRITEBYTECODE", None)  # the second command should not compile everything again
    environment = {**kept, "MPLBACKEND": "Agg", **variables}
    done = subprocess.run(
        list(map(str, command)), cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


def test_a_study_runs_and_is_reported_far_from_the_checkout(installed, tmp_path):
    testbed = installed / "bin" / "testbed"
    (tmp_path / "my.yaml").write_text(STUDY)
    out = run([testbed, "run", "my.yaml", "--quick", "--jobs", "1"], cwd=tmp_path)
    assert "1 trial run" in out
    assert f"next:    {testbed} report runs/my-quick" in out
    out = run([testbed, "report", "runs/my-quick"], cwd=tmp_path)
    assert "report:  runs/my-quick/report.html" in out
    page = (tmp_path / "runs" / "my-quick" / "report.html").read_text()
    assert "Do four agents agree?" in page


def test_the_code_and_the_built_in_studies_are_the_wheel_s(installed, tmp_path):
    code = "import studies, testbed, topologies, policies; print(studies.__file__, policies.__file__)"
    for file in run([installed / "bin" / "python", "-c", code], cwd=tmp_path).split():
        assert Path(file).is_relative_to(installed)
    words = {"_TESTBED_COMPLETE": "complete_bash", "COMP_WORDS": "testbed run ", "COMP_CWORD": "2"}
    completions = run([installed / "bin" / "testbed"], cwd=tmp_path, **words).split()
    assert {path.stem for path in (ROOT / "studies").glob("*.yaml")} <= set(completions)


def test_the_wheel_has_the_suite_to_the_byte(installed, tmp_path):
    code = "from studies.suite import definition; print(definition.load().digest)"
    theirs = run([installed / "bin" / "python", "-c", code], cwd=tmp_path).strip()
    assert theirs == definition.load().digest


def test_the_dockerfile_installs_what_the_makefile_does():
    docker, make = (ROOT / "Dockerfile").read_text(), (ROOT / "Makefile").read_text()
    page = (ROOT / "docs" / "installing.md").read_text()
    (torch,) = set(re.findall(r"torch==[\d.]+", make))
    assert re.findall(r"torch==[\d.]+", docker) == [torch]
    (index,) = set(re.findall(r"--index-url (https://\S+) torch==", docker))
    assert f"TORCH_INDEX={index}" in make
    assert f"TORCH_INDEX={index}" in page
    for command in re.findall(r"^#     (docker .*)$", docker, re.MULTILINE):
        assert f"`{command}`" in page
    (lowest,) = re.findall(r'requires-python = ">=([\d.]+)"', (ROOT / "pyproject.toml").read_text())
    assert f"FROM python:{lowest}-slim\n" in docker


def test_the_docker_build_gets_every_package_and_nothing_else_that_is_large():
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert ignored[0] == "*"
    kept = {line[1:] for line in ignored if line.startswith("!")}
    assert {*PACKAGES, "pyproject.toml", "README.md", "LICENSE"} <= kept
    assert all((ROOT / name).exists() for name in kept)
