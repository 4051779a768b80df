"""A package outside the testbed adds a learner, an environment, a loss, a fault and more by entry points.

The modules are those of the how-tos, word for word, the entry points those of the page about own packages.
The tutorial ``bring-your-own.md`` makes a package with three of them.
"""

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import fresh_processes
import pytest
from page_blocks import blocks

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
MODULES = {
    "add-an-environment": "meeting",
    "add-a-learner": "reinforce",
    "add-a-consensus-algorithm": "second_order",
    "add-a-loss-model": "every",
    "add-a-fault": "detour",
}
GRAPHS = '''\
"""Graphs."""

import networkx as nx

from topologies import TopologyError, family


@family
def wheel(nodes):
    """Node 0 linked to every other node, and the others in a ring."""
    if nodes < 4:
        raise TopologyError(f"nodes: {nodes} is too few for a wheel, which needs at least 4")
    return nx.wheel_graph(nodes)
'''
STUDY = """\
workload: training
question: Does it take what another package adds?
environment: {name: meeting, agents: 4, episode_length: 5}
topology: wheel
network:
  link: {delay: 5ms, loss: {every: 10}}
  faults: [{fault: detour, link: all, extra: 50ms, mtbf: 100ms, mttr: 50ms}]
training: {updates: 2, samples: 20}
vary:
  learner:
    by itself: {algorithm.name: reinforce, algorithm.hidden: [4]}
    averaging: {algorithm.name: fdmarl, algorithm.hidden: [4], consensus.algorithm: second_order}
seeds: 1
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory, request):
    """A folder into which pip has built and installed the package."""
    place, source = tmp_path_factory.mktemp("site"), tmp_path_factory.mktemp("source")
    page = (DOCS / "your-own-package.md").read_text()
    (source / "pyproject.toml").write_text(page.partition("```toml\n")[2].partition("```")[0])
    modules = {"graphs": GRAPHS}
    for how_to, name in MODULES.items():
        modules[name] = (DOCS / "how-to" / f"{how_to}.md").read_text().partition("```python\n")[2]
    (source / "my_things").mkdir()
    (source / "my_things" / "__init__.py").touch()
    for name, text in modules.items():
        (source / "my_things" / f"{name}.py").write_text(text.partition("\n```")[0] + "\n")
    offline = ("--no-index", "--no-deps", "--no-build-isolation", "--disable-pip-version-check")
    command = [sys.executable, "-m", "pip", "install", "--quiet", *offline, "--target", place, source]
    subprocess.run(command, check=True, capture_output=True, text=True)
    return place


def install(place, name, version, groups):
    """Writes what pip writes about a package that is installed in ``place``."""
    info = place / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    lines = [
        line
        for group, points in groups.items()
        for line in (f"[{group}]", *(f"{key} = {value}" for key, value in points.items()))
    ]
    (info / "entry_points.txt").write_text("\n".join(lines) + "\n")


def python(site, *arguments, cwd=None):
    path = os.pathsep.join(map(str, (site, ROOT, ROOT / "tests" / "shared")))
    environment = {**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}
    return fresh_processes.run(arguments, cwd=cwd or site, env=environment)


RUN = """\
import sys
from pathlib import Path

from rich.console import Console

from studies.execution import backends, runner
from studies.spec.loading import load
from studies.storage.store import Store

path, folder = map(Path, sys.argv[1:])
executor = backends.executor("local", 1, folder)
outcome = runner.run(load(str(path)), Store(folder), executor=executor, console=Console(quiet=True))
assert outcome.run == 2 and not outcome.failed, outcome
"""
"""Runs a study of two trials in a process for trials; draws no figures, which would take most of the time."""


def test_a_study_runs_with_all_of_them_in_a_process_of_its_own(site, tmp_path):
    study = tmp_path / "study.yaml"
    study.write_text(STUDY)
    done = python(site, "-c", RUN, study, tmp_path / "out", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    specs = [json.loads(path.read_text()) for path in (tmp_path / "out" / "trials").glob("*/spec.json")]
    assert sorted(spec["algorithm"]["name"] for spec in specs) == ["fdmarl", "reinforce"]
    assert {spec["environment"]["name"] for spec in specs} == {"meeting"}
    assert {spec["topology"]["name"] for spec in specs} == {"wheel"}
    assert {spec["network"]["link"]["loss"]["every"] for spec in specs} == {10}
    assert {spec["network"]["faults"][0]["fault"] for spec in specs} == {"detour"}


TUTORIAL = DOCS / "tutorials" / "bring-your-own.md"

COMMANDS = """\
import shlex, sys

from in_process import InProcess

from studies.cli.main import main
from studies.execution import backends
from studies.figures import draw

backends.executor = lambda *_: InProcess()
draw.PLANS = dict.fromkeys(draw.PLANS, ())
for line in sys.argv[1:]:
    try:
        main(shlex.split(line)[1:])
    except SystemExit as end:
        assert not end.code, line
"""
"""Runs commands in one process, trials too, and draws no figures, which would take most of the time."""


def test_the_tutorial_s_package_is_a_part_of_this_one_and_its_study_runs(site, tmp_path):
    package, study = (block.text for block in blocks(TUTORIAL) if block.language in ("toml", "yaml"))
    ours = tomllib.loads(package)
    page = tomllib.loads(
        (DOCS / "your-own-package.md").read_text().partition("```toml\n")[2].partition("```")[0]
    )
    groups, of_page = (each["project"].pop("entry-points") for each in (ours, page))
    assert ours == page
    assert groups == {group: of_page[group] for group in groups}
    named = dict(
        re.findall(r"`my_things/(\w+)\.py` \| the first block .*?how-to/([\w-]+)\.md", TUTORIAL.read_text())
    )
    assert named == {module: how_to for how_to, module in MODULES.items() if module in named}
    assert {value.partition(":")[0] for group in groups.values() for value in group.values()} == {
        f"my_things.{module}" for module in named
    }
    (tmp_path / "mine.yaml").write_text(study)
    (tmp_path / "commands.py").write_text(COMMANDS)
    lines = [line for block in blocks(TUTORIAL) if block.language == "sh" for line in block.text.splitlines()]
    assert lines[:2] == ["source .venv/bin/activate", "pip install ./my-things"]
    done = python(site, tmp_path / "commands.py", *lines[2:], cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "2 trials run" in done.stdout
    *_, by_learner = done.stdout.partition("messages_dropped\n")
    assert "REINFORCE" in by_learner or "reinforce" in by_learner


INSIDE = """\
import json
from studies.cli import main
from studies.docgen import format_record, pages
from testbed import environments, identity

assert identity.extended(format_record.now()) == identity.record(), "the record has what is not the testbed's"
assert environments.make("meeting", agents=2).agents == 2
made = pages.pages()
for name, page in [("meeting", "environments"), ("reinforce", "algorithms"), ("second_order", "algorithms"),
                   ("wheel", "topologies"), ("every", "study-file"), ("detour", "study-file")]:
    assert name in made[page + ".md"], name
main.main(["schema"])
"""


def test_the_schema_and_the_reference_have_them_and_the_record_of_defaults_has_not(site):
    done = python(site, "-c", INSIDE)
    assert done.returncode == 0, done.stderr
    definitions = json.loads(done.stdout)["$defs"]
    assert definitions["MeetingSettings"]["properties"]["name"]["const"] == "meeting"
    assert definitions["ReinforceSettings"]["properties"]["name"]["const"] == "reinforce"
    assert "second_order" in definitions["ConsensusSettings"]["properties"]["algorithm"]["enum"]
    assert "wheel" in definitions["Topology"]["anyOf"][0]["enum"]
    assert definitions["EveryLoss"]["required"] == ["every"]
    assert definitions["DetourFault"]["properties"]["fault"]["const"] == "detour"


USUAL = """\
workload: training
environment: {name: navigation}
algorithm: {name: itrpo}
"""
BROKEN = {
    "cannot be imported": (
        "learners",
        "",
        "broken_things.nowhere:Settings",
        "cannot be loaded: ModuleNotFoundError: No module named 'broken_things.nowhere'",
    ),
    "another class": (
        "environments",
        "class Settings: pass",
        "broken_things:Settings",
        "broken_things:Settings must be a subclass of"
        " testbed.environments.base.BaseEnvironmentSettings with a literal 'name'",
    ),
    "a name that is taken": (
        "consensus_algorithms",
        "from testbed.consensus.one_way import PushSum\nclass Mine(PushSum): name = 'metropolis'",
        "broken_things:Mine",
        None,
    ),
    "a family that cannot be imported": (
        "families",
        "",
        "broken_things.nowhere:graph",
        "cannot be loaded: ModuleNotFoundError: No module named 'broken_things.nowhere'",
    ),
    "a family that is none": (
        "families",
        "def graph(nodes): pass",
        "broken_things:graph",
        "broken_things:graph must be a function with @topologies.family",
    ),
}


COMMAND = "from studies.cli.console_script import main; main()"


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_entry_point_is_one_clear_line(case, tmp_path):
    group, module, value, reason = BROKEN[case]
    install(tmp_path, "broken-things", "0.1", {f"consensus_testbed.{group}": {"mine": value}})
    if value.startswith("broken_things."):
        (tmp_path / "broken_things").mkdir()
        (tmp_path / "broken_things" / "__init__.py").touch()
    else:
        (tmp_path / "broken_things.py").write_text(module + "\n")
    (tmp_path / "study.yaml").write_text(USUAL)
    done = python(tmp_path, "-c", COMMAND, "validate", "study.yaml")
    err = done.stderr
    assert (done.returncode, done.stdout) == (2, ""), err
    assert err.count("\n") == 1
    if reason is None:
        assert err.startswith("consensus_algorithms: two are named 'metropolis': ")
        assert "testbed.consensus.one_way.metropolis.Metropolis and broken_things.Mine" in err
    else:
        start = f"entry point 'mine' of consensus_testbed.{group} (broken-things 0.1): "
        assert err == f"{start}{reason}\n"
