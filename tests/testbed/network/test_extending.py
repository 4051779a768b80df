"""Loss models, faults and behaviours of another package, found by entry points: the files of the how-tos."""

import os
import re
from pathlib import Path

import fresh_processes
import pytest

ROOT = Path(__file__).parents[3]
METADATA = "Metadata-Version: 2.1\nName: elsewhere\nVersion: 1.0\n"
STUDY = """
workload: problem
topology: ring
problem: {name: mean, agents: 4}
consensus: {budget: {activations: 20}}
network:
  audit: true
  link: {delay: 5ms, duplicate: 0.5}
  faults:
    - {fault: detour, link: all, extra: 50ms, mtbf: 100ms, mttr: 50ms}
    - {fault: byzantine, agent: 0, behaviour: {name: drift, step: 0.1}, down: 0s}
vary:
  network.link.loss: [0.1, {every: 5}]
"""
CHECK = """
import sys

import jsonschema
import yaml

from studies.cli.console_script import main
from studies.docgen import format_record, pages
from studies.spec.json_schema import study_schema
from studies.spec.labels import label
from studies.spec.loading import load
from testbed import workloads

with open("study.yaml") as file:
    jsonschema.validate(yaml.safe_load(file), study_schema())
for trial in load("study.yaml").trials:
    metrics = workloads.run(trial.settings, seed=trial.seed, graph=trial.graph()).metrics
    assert metrics["dropped_loss"] > 0 == metrics["faults_untouched"], metrics
page = pages.pages()["study-file.md"]
assert "`network.link.loss` with `every`" in page and "`fault: detour`" in page
assert "`network.faults.behaviour` with `name: drift`" in page
assert label({"every": 5}) == "1 packet in 5"
assert label({"every": 5, "episodes": 2}) == "every=5 episodes=2"
assert "EveryLoss" not in format_record.now()["always"], "defaults of others are not the format's"
print("all of it is known", flush=True)
sys.argv[1:] = ["validate", "wrong.yaml"]
main()
"""


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """`CHECK` of a study and of a wrong one where the files of how-tos are installed as another package."""
    tmp_path = tmp_path_factory.mktemp("elsewhere")
    package = tmp_path / "elsewhere"
    package.mkdir()
    (package / "__init__.py").touch()
    points = []
    for page, file in (
        ("add-a-loss-model", "every"),
        ("add-a-fault", "detour"),
        ("add-a-behaviour", "drift"),
    ):
        text = (ROOT / "docs" / "how-to" / f"{page}.md").read_text()
        (package / f"{file}.py").write_text(re.findall(r"^```python\n(.*?)^```$", text, re.S | re.M)[0])
        points += re.findall(
            r"^```toml\n\[project\.entry-points\.\"(.*?)\"\]\n(.*?)\n```$", text, re.S | re.M
        )
    folder = tmp_path / "elsewhere-1.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text(METADATA)
    lines = [f"[{group}]\n{entry}\n" for group, entry in points]
    (folder / "entry_points.txt").write_text(
        "".join(lines).replace("my_package", "elsewhere").replace('"', "")
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(tmp_path)])}

    wrong = STUDY.replace("fault: detour", "fault: detuor").replace("every: 5", "every: 0")
    (tmp_path / "study.yaml").write_text(STUDY)
    (tmp_path / "wrong.yaml").write_text(wrong)
    return fresh_processes.run(["-c", CHECK], cwd=tmp_path, env=environment)


def test_what_another_package_adds_is_known_everywhere(done):
    assert done.stdout == "all of it is known\n", done.stderr


def test_what_is_wrong_with_it_is_one_line_with_its_place(done):
    assert done.returncode == 2
    said = done.stderr.replace("\n", " ")
    assert (
        "must be one of link_down, byzantine, crash, group_down, hold, partition, straggler, detour; did"
        in said
    )
    assert "did you mean 'detour'?" in said
