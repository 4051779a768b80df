"""From study files to trials, and what is said about bad ones."""

import dataclasses
import os
import re

import pytest

from studies.spec.builtin import builtin_names
from studies.spec.document import StudyError
from studies.spec.loading import load
from studies.spec.study import Study
from testbed.training import warm_start

BASE = """\
workload: problem
problem: {name: mean, agents: 4}
consensus:
  budget: {activations: 20}
"""


def test_a_centre_has_to_be_reached(write):
    apart = "topology: {name: erdos_renyi, p: 0, allow_disconnected: true}\n"
    study = f"workload: training\n{apart}vary: {{algorithm.name: [matrpo, itrpo, mappo]}}\n"
    with pytest.raises(StudyError) as caught:
        load(str(write(study)))
    said = "topology: is not connected, so mappo cannot have a centre that all agents reach"
    assert str(caught.value).endswith(f"2: {said}")
    assert len(load(str(write(study.replace(", mappo", "")))).trials) == 2


def test_a_grid_has_every_combination_and_seed_in_order(write):
    study = load(str(write()))
    assert isinstance(study, Study)
    assert study.varied == ("topology", "network.link.loss")
    assert [(*trial.varied.values(), trial.seed) for trial in study.trials] == [
        (topology, loss, seed) for topology in ("ring", "star") for loss in (0, 0.3) for seed in (0, 1)
    ]
    assert {trial.settings.network.link.loss for trial in study.trials} == {0.0, 0.3}
    assert {trial.graph().number_of_edges() for trial in study.trials} == {3, 4}


def test_the_quick_form_is_put_on_top(write):
    study = load(str(write()), quick=True)
    assert len(study.trials) == 2
    assert {trial.seed for trial in study.trials} == {0}


def test_settings_of_the_command_line_are_put_on_top_of_the_quick_form(write):
    study = load(
        str(write()), quick=True, overrides=["seeds=[5]", "problem.agents=6", "network.link.delay=3ms"]
    )
    assert {trial.seed for trial in study.trials} == {5}
    assert all(trial.settings.agents == len(trial.graph()) == 6 for trial in study.trials)
    assert study.trials[0].settings.network.link.delay == 0.003


def test_a_family_s_parameters_stand_beside_its_name(write):
    text = BASE + "topology: {name: random_regular, d: 3, seed: 4}\n"
    graph = load(str(write(text))).trials[0].graph()
    assert [degree for _, degree in graph.degree] == [3, 3, 3, 3]


def test_random_graphs_are_drawn_anew_for_each_seed_unless_the_topology_has_its_own(write):
    text = BASE.replace("agents: 4", "agents: 12") + "seeds: 3\ntopology: {name: erdos_renyi, p: 0.4%s}\n"
    drawn = [set(trial.graph().edges) for trial in load(str(write(text % ""))).trials]
    fixed = [set(trial.graph().edges) for trial in load(str(write(text % ", seed: 1"))).trials]
    assert drawn[0] != drawn[1] != drawn[2]
    assert fixed[0] == fixed[1] == fixed[2]


def test_a_graph_file_is_found_beside_the_study(write):
    write("0 1\n1 2\n2 3\n", "line.edgelist")
    trial = load(str(write(BASE + "topology: {file: line.edgelist}\n"))).trials[0]
    assert sorted(trial.graph().edges) == [(0, 1), (1, 2), (2, 3)]


def test_graphs_in_parts_have_to_be_asked_for(write):
    write("0 1\n2 3\n", "parts.edgelist")
    with pytest.raises(StudyError, match=r"study\.yaml:5: topology: .*not connected"):
        load(str(write(BASE + "topology: {file: parts.edgelist}\n")))
    study = load(str(write(BASE + "topology: {file: parts.edgelist, allow_disconnected: true}\n")))
    assert study.trials[0].graph().number_of_edges() == 2


BAD = [
    # What is added to BASE (or replaces a line of it), and what the error must say.
    ("topology: rng\n", "5: topology = 'rng': must be one of ring, path, star, complete,"),
    ("topology: {name: torus}\n", "5: topology.nodes: 4 cannot form a torus"),
    (
        "topology: {name: random_geometric, radus: 3}\n",
        "5: topology.radus: unknown key; did you mean 'radius'?",
    ),
    ("topology: {nodes: 3, name: star}\n", "5: topology.nodes: more agents than nodes: 4 agents, 3 nodes"),
    ("topology: {nodes: 5, name: star}\n", "5: topology.nodes: more nodes than agents"),
    ("topology: {file: gone.csv}\n", "5: topology.file = 'gone.csv': there is no such file"),
    ("topology: {seed: 3}\n", "5: topology: needs a name or a file"),
    ("topology: 3\n", "5: topology = 3: must be the name of a topology"),
    ("topology: {name: star, seed: -1}\n", "5: topology.seed = -1: must be at least 0"),
    ("network: {link: {delay: -5ms}}\n", "5: network.link.delay = '-5ms': '-5ms' is not a duration"),
    ("network:\n  link:\n    loss: 1.5\n", "7: network.link.loss = 1.5: must be from 0 to 1"),
    ("network: {link: {loss: lots}}\n", "5: network.link.loss = 'lots': must be a number"),
    (
        "network: {link: {los: 0.1}}\n",
        "5: network.link.los: unknown key; did you mean 'loss'? (allowed: corrupt, delay,",
    ),
    ("network: {transport: pigeon}\n", "5: network.transport = 'pigeon': must be one of datagram, reliable"),
    ("network: [1]\n", "5: network = [1]: must be a mapping"),
    (
        "network:\n  links:\n    0-1: {loss: 0.5}\n    0-2: {loss: 0.5}\n",
        "8: network.links.0-2: '0-2' is not a link",
    ),
    (
        "network:\n  faults:\n    - {lnk: 0-1, down: 1s}\n",
        "7: network.faults.0.lnk: unknown key; did you mean 'link'? (allowed: direction, down, fault,",
    ),
    ("network:\n  faults:\n    - {link: 0-9, down: 1s}\n", "7: network.faults.0.link: '0-9' is not a link"),
    (
        "vary:\n  network.faults:\n    - []\n    - [{link: 0-9, down: 1s}]\n",
        "8: network.faults.0.link: '0-9' is not a link",
    ),
    ("netwrk: {}\n", "5: netwrk: unknown key; did you mean 'network'? (allowed: "),
    ("toplogy: ring\n", "5: toplogy: unknown key; did you mean 'topology'? (allowed: "),
    ("seeds: 0\n", "5: seeds = 0: must be a list of seeds"),
    ("seeds: [1, 1]\n", "5: seeds = [1, 1]: has the same seed twice"),
    ("seeds: [1, -1]\n", "5: seeds.1 = -1: must be at least 0"),
    ("vary: {network.link.loss: 0.1}\n", "5: vary.network.link.loss = 0.1: must be a list"),
    ("vary: {network.link.loss: []}\n", "5: vary.network.link.loss = []: must have at least 1 item"),
    ("vary:\n  network.link.loss:\n    - 0.1\n    - 2\n", "8: network.link.loss = 2: must be from 0 to 1"),
    ("vary:\n  network.link.los: [0.1]\n", "6: network.link.los: unknown key; did you mean 'loss'?"),
    (
        "vary:\n  problem.agents: [4, 5]\n  topology: [ring, hypercube]\n",
        "7: topology.nodes: 5 is not a power of two",
    ),
    (
        "vary: {network.link.delay: [5ms, 0.005]}\n",
        "5: vary: two trials are identical: delay=5ms seed=0 and delay=0.005",
    ),
    ("quick: 3\n", "5: quick = 3: must be a mapping"),
    ("question: [what]\n", "5: question = ['what']: must be text"),
]


@pytest.mark.parametrize(
    ("added", "message"), BAD, ids=[message.partition(": ")[2][:40] for _, message in BAD]
)
def test_bad_input_is_one_line_with_place_field_value_and_what_is_allowed(write, added, message):
    with pytest.raises(StudyError) as caught:
        load(str(write(BASE + added)))
    said = str(caught.value)
    assert "\n" not in said
    assert f"study.yaml:{message}" in said


@pytest.mark.parametrize(
    ("replaced", "by", "message"),
    [
        ("workload: problem", "", " workload: missing; must be one of problem, update, training"),
        (
            "problem\n",
            "problm\n",
            "1: workload = 'problm': must be one of problem, update, training; did you",
        ),
        (
            "name: mean",
            "name: maen",
            "2: problem.name = 'maen': must be one of lasso, least_squares,",
        ),
        ("{activations: 20}", "{}", "4: consensus.budget: an empty budget never ends"),
        (
            "activations: 20",
            "activations: 0",
            "4: consensus.budget.activations = 0: must be at least 1",
        ),
        (
            "activations: 20",
            "activations: 2.5",
            "4: consensus.budget.activations = 2.5: must be a whole",
        ),
        ("activations: 20", "activation: 20", "budget.activation: unknown key; did you mean 'activations'?"),
        ("agents: 4", "agents: four", "2: problem.agents = 'four': must be a whole number"),
    ],
)
def test_a_bad_value_in_place_of_a_good_one_is_told_with_its_line(write, replaced, by, message):
    with pytest.raises(StudyError) as caught:
        load(str(write(BASE.replace(replaced, by, 1))))
    assert message in str(caught.value).partition("study.yaml:")[2]
    assert "\n" not in str(caught.value)


def test_all_that_is_wrong_is_told_a_line_each_with_what_is_allowed_there(write):
    wrong = "network: {link: {loss: 7, limit: 0}, audit: yes}\ntopology: {name: star, K: 3}\nfoo: 1\n"
    with pytest.raises(StudyError) as caught:
        load(str(write(BASE + wrong)))
    said = [
        line.partition("study.yaml:")[2].partition(" (allowed")[0] for line in str(caught.value).splitlines()
    ]
    assert said == [
        "5: network.link.loss = 7: must be from 0 to 1",
        "5: network.link.limit = 0: must be at least 1",
        "5: network.audit = 'yes': must be true or false; did you mean true?",
        "7: foo: unknown key",
        "6: topology.K: unknown key",
    ]
    assert [problem.keys for problem in caught.value.problems][-1] == ("topology", "K")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "environment: {name: navi}\n",
            "2: environment.name = 'navi': must be one of navigation",
        ),
        (
            "environment: {pettingzoo: mpe2.simple_spread_v3, workers: -1}\n",
            "2: environment.workers = -1: must be at least 0",
        ),
        (
            "environment: {pettingzoo: mpe2.simple_spread_v9}\n",
            "2: environment.pettingzoo = 'mpe2.simple_spread_v9': no module 'mpe2.simple_spread_v9'",
        ),
        (
            "environment: {agent: 3}\n",
            "2: environment.agent: unknown key; did you mean 'agents'? (allowed: agents, episode_length,",
        ),
        (
            "environment: {name: navigation, hunters: 6}\n",
            "2: environment.hunters: unknown key here: only treasure has it (allowed: agents,",
        ),
        (
            "environment: {name: treasure, agents: 8}\n",
            "2: environment.agents: unknown key here: only navigation has it (allowed: banks,",
        ),
        ("environment: {name: treasure, banks: 0}\n", "2: environment.banks = 0: must be at least 1"),
        (
            "environment: {name: treasure, reward: code}\n",
            "2: environment.reward = 'code': must be one of paper, shared, code_role, code_head; "
            "did you mean 'code_role'?",
        ),
        ("environment: treasure\n", "2: environment = 'treasure': must be a mapping"),
        ("environment: {agents: 0}\n", "2: environment.agents = 0: must be at least 1"),
        ("environment: {agents: 1}\n", "2: environment.agents: 1 is not a whole number of at least 2"),
        (
            "training: {samples: 1049}\n",
            "2: training.samples: 1049 is not a multiple of the 10 parallel episodes",
        ),
        ("algorithm: {solver: {damping: 0}}\n", "2: algorithm.solver.damping = 0: must be more than 0"),
        ("algorithm: {name: mapo}\n", "2: algorithm.name = 'mapo': must be one of matrpo"),
        ("problem: {agents: 3}\n", "2: problem: unknown key"),
    ],
)
def test_training_is_checked_before_it_runs(write, text, message):
    with pytest.raises(StudyError) as caught:
        load(str(write("workload: training\n" + text)))
    assert f"study.yaml:{message}" in str(caught.value)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            ["network.link.loss=3"],
            "--set: network.link.loss: the study varies network.link.loss; set vary.network",
        ),
        (["vary.network.link.loss=[3]"], "--set: network.link.loss = 3: must be from 0 to 1"),
        (["topology.seed=3"], "--set: topology.seed: the study varies topology"),
        (["consensus.budget.activations=0"], "--set: consensus.budget.activations = 0: must be at least 1"),
        (["consensus.penlty=2"], "--set: consensus.penlty: unknown key; did you mean 'penalty'?"),
        (["consensus"], "--set consensus: write it as a.b=value"),
    ],
)
def test_errors_of_the_command_line_point_at_it(write, overrides, message):
    with pytest.raises(StudyError) as caught:
        load(str(write()), overrides=overrides)
    assert str(caught.value).startswith(message)


def test_errors_of_the_quick_form_point_into_it(write):
    path = write(BASE + "quick:\n  network.link.loss: 3\n")
    load(str(path))
    with pytest.raises(StudyError, match=r"study\.yaml:6: network\.link\.loss = 3"):
        load(str(path), quick=True)


def test_a_quick_form_that_is_not_there_cannot_be_asked_for(write):
    with pytest.raises(StudyError, match="needs a `quick:` block"):
        load(str(write(BASE)), quick=True)


def test_a_missing_study_suggests_the_nearest_built_in_one():
    with pytest.raises(StudyError, match="toplogies: no such study file; did you mean 'topologies'"):
        load("toplogies")


def test_a_folder_or_a_binary_file_is_not_a_study(tmp_path):
    with pytest.raises(StudyError, match="is a folder"):
        load(str(tmp_path))
    (tmp_path / "x.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(StudyError, match="not a text file"):
        load(str(tmp_path / "x.yaml"))


@pytest.mark.parametrize("quick", [False, True])
@pytest.mark.parametrize("name", ["iteration-budget", "link-loss", "topologies"])
def test_the_built_in_studies_are_valid(name, quick):
    study = load(name, quick=quick)
    assert study.question.endswith("?")
    assert len(study.trials) >= 6
    assert name in builtin_names()


def test_a_map_of_one_s_own_is_found_beside_the_study_and_counts_by_its_content(write):
    battle = (
        "episode_limit: 60\nallies: [{unit: marine, count: 3}]\nenemies: [{unit: marine, count: %d}]\n"
        "agent_order: [marine]\nally_codes: [marine]\nenemy_codes: [marine]\n"
    )
    text = "workload: training\nenvironment: {name: skirmish, map: %s}\n"
    write(battle % 4, "mine.yaml")
    first = load(str(write(text % "mine.yaml"))).trials[0]
    assert first.settings.agents == 3
    write(battle % 5, "mine.yaml")
    assert load(str(write(text % "mine.yaml"))).trials[0].hash != first.hash
    write(battle % 4, "same.yaml")
    assert load(str(write(text % "same.yaml"))).trials[0].hash == first.hash
    with pytest.raises(StudyError, match=r"2: environment.map = 'gone.yaml': there is no such file in"):
        load(str(write(text % "gone.yaml")))
    with pytest.raises(StudyError, match=r"unknown map '2s3s'.*did you mean '2s3z'"):
        load(str(write(text % "2s3s")))


def test_a_stored_batch_must_be_whole_and_of_the_study_s_world(write, tmp_path):
    text = """\
workload: update
environment: {agents: 3}
algorithm: {hidden: [8]}
update: {samples: 200, batch: batch.npz}
vary: {consensus.penalty: [1, 2]}
"""
    trial = load(str(write(text.replace(", batch: batch.npz", "")))).trials[0].settings
    played = warm_start.prepare(trial.environment, trial.algorithm, samples=200, warmup=0, seed=0).batch
    played.save(tmp_path / "batch.npz")
    assert len(load(str(write(text))).trials) == 2
    whole = (tmp_path / "batch.npz").read_bytes()
    (tmp_path / "batch.npz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(StudyError, match=r"4: update\.batch: .*batch\.npz is not a stored batch \("):
        load(str(write(text)))
    dataclasses.replace(played, actions=played.actions + 9).save(tmp_path / "batch.npz")
    with pytest.raises(StudyError, match=r"has the action \d+ of agent 0, must be from 0 to 4"):
        load(str(write(text)))
    played.save(tmp_path / "batch.npz")
    with pytest.raises(StudyError, match=r"has observations of shape \(3, 14\), needs \(4, 18\)"):
        load(str(write(text.replace("agents: 3", "agents: 4"))))


@pytest.mark.parametrize(
    ("agents", "rows", "dimension", "least"), [(4, 3, 20, 5), (1, 1, 2, 2), (8, 15, 200, 25)]
)
def test_least_squares_with_fewer_rows_than_unknowns_are_refused(write, agents, rows, dimension, least):
    problem = f"{{name: least_squares, agents: {agents}, rows: {rows}, dimension: {dimension}}}"
    text = f"workload: problem\ntopology: {{name: complete, allow_disconnected: true}}\nproblem: {problem}\n"
    with pytest.raises(StudyError, match=rf"3: problem: rows {rows} of .* must be at least {least}$"):
        load(str(write(text)))


@pytest.mark.parametrize("kind", ["device", "pipe", "folder"])
@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("topology.file", "workload: problem\ntopology: {file: %s}\n"),
        ("network.link.round_trips", "workload: problem\nnetwork: {link: {round_trips: %s}}\n"),
        ("network.link.trace", "workload: problem\nnetwork: {link: {trace: %s}}\n"),
        ("network.link.trace.file", "workload: problem\nnetwork: {link: {trace: {file: %s}}}\n"),
        (
            "environment.map",
            "workload: training\nenvironment: {name: skirmish, map: %s}\n",
        ),
        ("update.batch", "workload: update\nupdate: {batch: %s}\n"),
        ("update.models", "workload: update\nupdate: {models: %s}\n"),
    ],
)
def test_what_is_no_regular_file_is_not_opened(write, tmp_path, kind, field, text):
    place = {"device": "/dev/zero", "pipe": "./pipe", "folder": "./folder"}[kind]
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(StudyError, match=rf"{re.escape(f'{field} = {place!r}')}: is not a regular file"):
        load(str(write(text % place)))
