"""The JSON Schema of study files, held against files that are right and wrong, by a validator not ours."""

import json
import re
from pathlib import Path

import jsonschema
import pytest

from studies.spec.builtin import builtin_names
from studies.spec.json_schema import study_schema
from studies.spec.loading import find, load
from testbed.common import yaml_text

SCHEMA = study_schema()
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
ROOT = Path(__file__).parents[3]

GOOD = """\
workload: training
environment: {agents: 3}
network:
  link: {delay: 5ms, loss: {gemodel: {p: 0.1, r: 0.5}}, rate: 10mbit}
  links: {"0-1": {delay: 80ms}}
  faults: [{link: "0-1", down: 10s, up: 20s}, {fault: partition, groups: halves, down: {update: 2}}]
topology: {name: watts_strogatz, k: 4, p: 0.1}
vary:
  network.link.loss: [0, 0.1]
  method: {A: {algorithm.name: matrpo}, B: {algorithm.name: itrpo}}
seeds: [0, 3]
"""


def test_it_is_a_schema_and_the_command_prints_it(call):
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    code, out, _ = call("schema")
    assert (code, json.loads(out)) == (0, json.loads(json.dumps(SCHEMA)))


@pytest.mark.parametrize("name", builtin_names())
def test_built_in_studies_are_valid(name):
    VALIDATOR.validate(yaml_text.load(find(name).read_text()))


def test_the_examples_of_the_readme_and_the_pages_are_valid():
    pages = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    examples = [text for page in pages for text in re.findall(r"```yaml\n(.*?)```", page.read_text(), re.S)]
    assert len(examples) >= 6
    examples = [text for text in examples if text.startswith(("question:", "workload:"))]
    assert len(examples) >= 5
    for text in examples:
        VALIDATOR.validate(yaml_text.load(text))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("delay: 5ms", "dealy: 5ms"),
        ("delay: 5ms", "delay: -1"),
        ("delay: 5ms", "delay: soon, I hope"),
        ("agents: 3", "agents: three"),
        ("agents: 3", "agents: 3, map: 2s3z"),
        ("watts_strogatz", "wats_strogatz"),
        ("k: 4", "kk: 4"),
        ("workload: training", "workload: traning"),
        ("workload: training", "workload: problem"),
        ("seeds: [0, 3]", "seeds: [0, 0]"),
        ("seeds: [0, 3]", "seeds: 0"),
        ("[0, 0.1]", "0.1"),
        ("topology:", "toplogy:"),
        ("fault: partition", "fault: partiton"),
        ("agents: 3", "agents: 3.5"),
        ("agents: 3", "agents: '3'"),
        ("p: 0.1, r", "p: '0.1', r"),
        ("link: {delay", "audit: yes\n  link: {delay"),
        ("delay: 5ms", "delay: \u0665ms"),
    ],
)
def test_what_the_testbed_refuses_the_schema_refuses_too(write, old, new):
    VALIDATOR.validate(yaml_text.load(GOOD))
    load(str(write(GOOD.replace("k: 4", "k: 2"))))
    wrong = GOOD.replace(old, new)
    assert wrong != GOOD
    assert not VALIDATOR.is_valid(yaml_text.load(wrong))
    with pytest.raises(ValueError, match=r"study\.yaml"):
        load(str(write(wrong)))


def test_whole_numbers_may_be_written_with_an_exponent_for_both(write):
    text = GOOD.replace("agents: 3", "agents: 3.0").replace("k: 4", "k: 2.0").replace("[0, 3]", "[0, 0.3e1]")
    VALIDATOR.validate(yaml_text.load(text))
    written = load(str(write(GOOD.replace("k: 4", "k: 2"))))
    assert [trial.hash for trial in load(str(write(text))).trials] == [trial.hash for trial in written.trials]


def test_editors_are_told_the_paths_that_a_grid_can_vary():
    (training,) = (branch for branch in SCHEMA["oneOf"] if branch["title"] == "training")
    paths = training["properties"]["vary"]["properties"]
    assert {
        "network.link.loss",
        "topology",
        "consensus.budget.activations",
        "algorithm.solver.tolerance",
    } <= set(paths)
