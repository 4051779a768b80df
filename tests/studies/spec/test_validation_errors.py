"""What people read who got a study wrong: whole messages, each with its own place, value and way out."""

import datetime
from pathlib import Path

import networkx as nx
import pytest

from studies.spec.document import StudyError, parse_assignment
from studies.spec.loading import define, load
from studies.spec.synonyms import SETTINGS, VALUES

PROBLEM = "workload: problem\nproblem: {name: mean, agents: 4}\n"
TRAINING = "workload: training\nenvironment: {agents: 3}\n"
FAULT = "network: {faults: [{link: 0-1, %s}]}"

WORST = [
    # Which study, what is added as its third line, and how what is said about it begins.
    (
        PROBLEM,
        "consensus: {beta: 1}",
        "consensus.beta: unknown key; did you mean 'penalty'? (allowed: activation,",
    ),
    (
        PROBLEM,
        "beta: 1",
        "beta: unknown key here; did you mean consensus.penalty? (allowed:",
    ),
    (
        PROBLEM,
        "steps: 9",
        "steps: unknown key here; did you mean consensus.budget.activations? (allowed:",
    ),
    (
        PROBLEM,
        "loss: 0.1",
        "loss: unknown key here; did you mean network.link.loss? (allowed:",
    ),
    (
        PROBLEM,
        "network: {link: {bandwidth: 1}}",
        "network.link.bandwidth: unknown key; did you mean 'rate'? (allowed:",
    ),
    (
        PROBLEM,
        "network: {latency: 1}",
        "network.latency: unknown key here; did you mean network.link.delay? (allowed:",
    ),
    (
        PROBLEM,
        "topology: full",
        "topology = 'full': must be one of ring, path, star,",
    ),
    (
        PROBLEM,
        "topology: {name: er}",
        "topology.name = 'er': must be one of ring, path, star,",
    ),
    (
        PROBLEM,
        FAULT % "down: {update: 3}",
        "network.faults.0.down.update = 3: never comes: workload problem has update 1 only",
    ),
    (
        PROBLEM,
        FAULT % "down: {kind: respnse}",
        "network.faults.0.down.kind = 'respnse': consensus.algorithm edge_admm has no such messages;"
        " allowed: request, response, busy; did you mean 'response'?",
    ),
    (
        PROBLEM,
        FAULT % "down: {lasting: 3}",
        "network.faults.0.down = {'lasting': 3}: must be a single value, or a mapping with the keys update;"
        " or kind, count",
    ),
    (
        PROBLEM,
        FAULT % "fault: crsh, down: 1",
        "network.faults.0.fault = 'crsh': must be one of link_down, byzantine, crash, group_down, hold,"
        " partition, straggler; did you mean 'crash'?",
    ),
    (PROBLEM, "network: {audit: yes}", "network.audit = 'yes': must be true or false; did you mean true?"),
    (
        PROBLEM,
        "consensus: {budget: {bytes: 1.5}}",
        "consensus.budget.bytes = 1.5: must be a whole number",
    ),
    (
        PROBLEM,
        "network: {link: {delay: 1e999999999s}}",
        "network.link.delay = '1e999999999s': '1e999999999s' is not a duration: it must be finite",
    ),
    (
        PROBLEM,
        "consensus: {algorithm: push_sum, activation: poisson}",
        "consensus.activation = 'poisson': activation 'poisson' is not available with push_sum: choose"
        " synchronous, asynchronous, gossip",
    ),
    (
        TRAINING,
        "consensus: {algorithm: metropolis}",
        "consensus.algorithm = 'metropolis': 'metropolis' solves only the mean problem, not policies: choose"
        " edge_admm or relaxed_admm",
    ),
    (
        TRAINING,
        "algorithm: {lr: 0.1}",
        "algorithm.lr: unknown key; did you mean 'learning_rate', which only mappo has? (allowed:",
    ),
    (
        TRAINING,
        "training: {epochs: 3}",
        "training.epochs: unknown key; did you mean 'updates'? (allowed:",
    ),
    (
        TRAINING,
        "algorithm: {name: itrpo}\n" + FAULT % "down: 3s",
        "network.faults.0.down = 3.0: never comes: itrpo sends no messages, so no simulated time passes",
    ),
    (
        TRAINING,
        "quick: {a: !!binary aGk=}",
        "the tag !!binary has no meaning here: values are text, numbers, true, false, null, lists and",
    ),
]


@pytest.mark.parametrize(("study", "added", "message"), WORST, ids=[added for _, added, _ in WORST])
def test_the_worst_messages_say_what_to_do(write, study, added, message):
    with pytest.raises(StudyError) as caught:
        load(str(write(f"{study}{added}\n")))
    (said,) = str(caught.value).splitlines()
    line = 4 if "\n" in added else 3
    assert said.partition("study.yaml:")[2].startswith(f"{line}: {message}")
    assert said.isprintable()


def test_names_of_others_lead_to_names_that_exist():
    from studies.spec.json_schema import study_schema
    from studies.spec.setting_models import setting_paths
    from studies.spec.study import HEADER_KEYS, WORKLOADS

    known = {path for model in WORKLOADS.values() for path in setting_paths(model)}
    known |= {*HEADER_KEYS, "topology", "topology.nodes", "name", "network.faults.up", "network.faults.down"}
    meant = {path for paths in SETTINGS.values() for path in paths}
    assert meant <= known
    schema = str(study_schema())
    values = {value for values in VALUES.values() for value in values} - {"true", "false", "null", "random"}
    assert [value for value in values if f"'{value}'" not in schema] == []


def test_the_command_prints_a_line_for_each_mistake_and_ends_with_2(call, write):
    path = write(
        PROBLEM + 'network: {link: {loss: 7, delai: 3}}\n"a\\nb\\e[31m": 1\nvary: {consensus.rho: [1]}\n'
    )
    code, out, err = call("run", path)
    assert (code, out) == (2, "")
    said = [line.partition(".yaml:")[2].partition(" (")[0] for line in err.splitlines()]
    assert said == [
        "3: network.link.loss = 7: must be from 0 to 1",
        "3: network.link.delai: unknown key; did you mean 'delay'?",
        "4: a b\\x1b[31m: unknown key",
        "5: consensus.rho: unknown key; did you mean 'penalty'?",
    ]
    assert list(Path.cwd().iterdir()) == []


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("a=2024-13-45", "--set: a: unknown key"),
        ("problem.agents=2024-01-01", "--set: problem.agents = '2024-01-01': must be a whole number"),
        ("problem.agents=" + "9" * 5000, "--set problem.agents = '9999"),
        ("consensus.penalty=1e400", "--set: consensus.penalty = inf: must be a finite number"),
        ("consensus.penalty=.nan", "--set: consensus.penalty = nan: must be a finite number"),
        ("problem.agents=!!binary aGk=", "--set problem.agents = '!!binary aGk=': the tag !!binary"),
        ("problem.agents=1:30", "--set: problem.agents = '1:30': must be a whole number"),
        ("problem.²=3", "--set: problem.²: unknown key"),
        ("problem.agents=\x1b[31m", "--set problem.agents = '\\x1b[31m': not valid YAML"),
        (
            "network.faults.0.down=3",
            "--set: network.faults.0.down: network.faults has no items",
        ),
        ("consensus.penalty.x=3", "--set: consensus.penalty = {'x': 3}: must be a number"),
        ("a" * 20_000 + "=1", "--set: aaa"),
        ("=1", "--set =1: write it as a.b=value"),
    ],
)
def test_whatever_is_set_on_the_command_line_is_answered_in_one_line(write, override, said):
    with pytest.raises(StudyError) as caught:
        load(str(write(PROBLEM)), overrides=[override])
    assert str(caught.value).startswith(said)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 700


def test_numbers_on_the_command_line_are_those_of_a_file():
    assert parse_assignment("a=1e-3") == ("a", 0.001)
    assert parse_assignment("a=[1e6, 0o17, 017, no]") == ("a", [1e6, 15, 17, "no"])


def test_a_grid_of_numbers_with_exponents_is_of_numbers(write):
    grid = "vary: {consensus.penalty: [1e-3, 1e-2, 1e0]}\nconsensus: {budget: {bytes: 1e6}}\n"
    study = load(str(write(PROBLEM + grid)))
    assert [trial.varied["consensus.penalty"] for trial in study.trials] == [0.001, 0.01, 1.0]
    assert {trial.settings.consensus.budget.bytes for trial in study.trials} == {1_000_000}
    plain = load(str(write(PROBLEM + grid.replace("1e-3", "0.001").replace("1e6", "1000000"))))
    assert [trial.hash for trial in study.trials] == [trial.hash for trial in plain.trials]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (
            {"workload": "problem", "topology": nx.path_graph(3)},
            "mine: topology: got Graph, must be",
        ),
        (
            {"workload": "problem", "quick": {"a": datetime.date(2024, 1, 1)}},
            "mine: quick.a: got date, must be",
        ),
        ({"workload": "problem", 3: 4}, "mine: the key 3 is not text"),
        ({"workload": "problem", "a": {"b": {1: 2}}}, "mine: a.b: the key 1 is not text"),
    ],
)
def test_what_no_file_could_say_is_refused_in_plain_data_too(settings, said):
    with pytest.raises(StudyError) as caught:
        define(settings, name="mine")
    assert str(caught.value).startswith(said)


def test_data_that_contains_itself_is_refused():
    data: dict[str, object] = {"workload": "problem"}
    data["a"] = data
    with pytest.raises(StudyError, match="mine: a: lists and mappings are nested deeper than 40"):
        define(data, name="mine")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", ":1: a study is a mapping of keys"),
        (b"- a\n", ":1: a study is a mapping of keys"),
        (b"\n\nworkload: \xff\n", ": cannot read the study: not a text file in UTF-8 (line 3)"),
        ("workload: problem".encode("utf-16"), ": cannot read the study: not a text file in UTF-8"),
        (b"#" * 16_000_001, ": cannot read the study: larger than 16 MB"),
        (b"a: \x00\n", ":1: not valid YAML"),
    ],
)
def test_files_that_are_no_studies_are_refused_in_one_line(tmp_path, content, said):
    file = tmp_path / "study.yaml"
    file.write_bytes(content)
    with pytest.raises(StudyError) as caught:
        load(str(file))
    assert str(caught.value).startswith(f"{file}{said}")
    assert str(caught.value).isprintable()


def test_files_of_other_systems_are_read(tmp_path):
    file = tmp_path / "study.yaml"
    file.write_bytes(b"\xef\xbb\xbf" + PROBLEM.replace("\n", "\r\n").encode())
    assert len(load(str(file)).trials) == 1
