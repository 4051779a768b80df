"""Settings that go together: named cases under ``vary:``."""

import pytest

from studies.spec.document import StudyError
from studies.spec.loading import load

BASE = """\
workload: problem
problem: {name: mean, agents: 4}
consensus:
  budget: {activations: 20}
"""
CASES = """\
vary:
  size:
    six agents: {problem.agents: 6, consensus.budget.activations: 30}
    three agents: {problem.agents: 3}
  method:
    ADMM: {consensus.algorithm: edge_admm}
    averaging:
      consensus.algorithm: metropolis
  network.link.loss: [0, 0.3]
seeds: 2
quick:
  seeds: 1
  vary.method: {ADMM: {consensus.penalty: 3}}
"""


def _settings(trial):
    consensus = trial.settings.consensus
    loss = trial.settings.network.link.loss
    return trial.settings.agents, consensus.budget.activations, consensus.algorithm, loss, trial.seed


def test_the_settings_of_a_case_go_together_and_every_combination_is_there_in_the_written_order(write):
    study = load(str(write(BASE + CASES)))
    assert study.varied == ("size", "method", "network.link.loss")
    sizes = {"six agents": (6, 30), "three agents": (3, 20)}
    methods = {"ADMM": "edge_admm", "averaging": "metropolis"}
    wanted = [
        ((size, method, loss), (*numbers, algorithm, loss, seed))
        for size, numbers in sizes.items()
        for method, algorithm in methods.items()
        for loss in (0, 0.3)
        for seed in (0, 1)
    ]
    assert [(tuple(trial.varied.values()), _settings(trial)) for trial in study.trials] == wanted
    assert study.trials[0].title == "size=six agents method=ADMM loss=0 seed=0"


def test_a_trial_s_hash_depends_on_its_settings_and_not_on_how_the_grid_calls_them(write):
    cases = load(str(write(BASE + CASES))).trials
    renamed = load(str(write(BASE + CASES.replace("six agents", "6").replace("6:", '"6":')))).trials
    plain = load(
        str(write(BASE.replace("agents: 4", "agents: 6").replace("20", "30") + "seeds: 2\n")),
        overrides=["consensus.algorithm=metropolis", "network.link.loss=0.3"],
    ).trials
    assert [trial.hash for trial in cases] == [trial.hash for trial in renamed]
    assert [trial.hash for trial in cases[6:8]] == [trial.hash for trial in plain]


def test_a_part_of_the_grid_is_chosen_by_labels_and_keeps_its_hashes(write):
    path = str(write(BASE + CASES))
    whole = load(path).trials
    part = load(path, overrides=["vary.size=[three agents]", "vary.method=[averaging, ADMM]"]).trials
    assert [trial.hash for trial in part] == [trial.hash for trial in whole[8:]]


def test_a_case_may_replace_a_part_of_what_an_earlier_key_sets(write):
    replacing = CASES.replace(
        "consensus.algorithm: metropolis", "consensus: {algorithm: metropolis, budget: {bytes: 9}}"
    )
    trials = load(str(write(BASE + replacing))).trials
    six = [trial.settings for trial in trials if trial.varied["size"] == "six agents"]
    assert {(t.problem.agents, t.consensus.algorithm, t.consensus.budget.activations) for t in six} == {
        (6, "edge_admm", 30),
        (6, "metropolis", None),
    }


def test_the_quick_form_and_the_command_line_change_cases(write):
    path = str(write(BASE + CASES))
    quick = load(path, quick=True).trials
    assert [trial.varied["method"] for trial in quick] == ["ADMM"] * 4
    assert {trial.settings.consensus.penalty for trial in quick} == {3}
    override = "vary.method={push-sum: {consensus.algorithm: push_sum}}"
    changed = load(path, quick=True, overrides=[override, "vary.size=[six agents]"]).trials
    assert [_settings(trial) for trial in changed] == [(6, 30, "push_sum", loss, 0) for loss in (0, 0.3)]


def test_what_is_set_on_the_command_line_is_what_cases_without_it_have(write):
    path = str(write(BASE + CASES))
    trials = load(path, overrides=["consensus.budget.activations=15"]).trials
    assert {(t.settings.problem.agents, t.settings.consensus.budget.activations) for t in trials} == {
        (6, 30),
        (3, 15),
    }


def test_what_changes_the_environment_is_known_by_what_the_cases_set(write):
    text = "workload: training\nvary:\n  task:\n    three: {environment.agents: 3}\n    plain: {}\n"
    with pytest.raises(StudyError, match="two trials are identical: task=three seed=0 and task=plain seed=0"):
        load(str(write(text)))
    study = load(str(write(text.replace("{}", "{environment.agents: 4}") + "  algorithm.gamma: [0.9, 1]\n")))
    assert study.environment_factors == ("task",)


def test_lists_of_mappings_stay_values(write):
    study = load(str(write(BASE + "vary:\n  topology: [ring, {name: path}]\n")))
    assert [trial.varied for trial in study.trials] == [{"topology": "ring"}, {"topology": "path"}]


BAD = [
    (
        "vary:\n  problem: {A: {problem.agents: 3}}\n",
        "6: vary.problem: a mapping lists cases and needs its own name",
    ),
    (
        "vary:\n  network.link: {loss: 1}\n",
        "6: vary.network.link: a mapping lists cases and needs its own name",
    ),
    ("vary: {environment: {}}\n", "5: vary.environment: a mapping lists cases"),
    ("vary: {seed: {A: {problem.agents: 3}}}\n", "5: vary.seed: 'seed' is a column of the results"),
    ("vary: {error: {A: {problem.agents: 3}}}\n", "5: vary.error: 'error' is a column of the results"),
    ("vary:\n  size: {}\n", "6: vary.size: has no cases"),
    ("vary:\n  size:\n    A: 3\n", "7: vary.size.A = 3: a case must be a mapping of settings to values"),
    (
        "vary:\n  size:\n    A: {problem.agents: 3}\n  problem.agents: [3]\n",
        "8: vary.problem.agents: would hide what vary.size sets",
    ),
    (
        "vary:\n  problem.agents: [3]\n  size:\n    A:\n      problem: {name: mean}\n",
        "9: vary.size.A.problem: would hide what vary.problem.agents sets",
    ),
    (
        "vary:\n  size:\n    A:\n      problem.agents: 3\n      problem: {name: mean}\n",
        "9: vary.size.A.problem: would hide problem.agents, which the case already sets",
    ),
    ("vary:\n  size:\n    A:\n      seeds: 2\n", "8: vary.size.A.seeds: seeds belongs to the whole study"),
    ("vary: {seeds: [1, 2]}\n", "5: vary.seeds: seeds belongs to the whole study"),
    ("vary:\n  size:\n    A:\n      .agents: 2\n", "8: '.agents' is not a dotted path"),
    (
        "vary:\n  size:\n    A:\n      problem.agents: 3\n    B:\n      problem.agents: x\n",
        "10: problem.agents = 'x': must be a whole number",
    ),
    (
        "vary:\n  size:\n    A:\n      consensus.budget:\n        activation: 3\n",
        "9: consensus.budget.activation: unknown key; did you mean 'activations'?",
    ),
    ("vary: 3\n", "5: vary = 3: must be a mapping"),
    (
        "vary: {network.link.loss: 0.1}\n",
        "5: vary.network.link.loss = 0.1: must be a list of values, or a map",
    ),
]


@pytest.mark.parametrize(
    ("added", "message"), BAD, ids=[message.partition(": ")[2][:45] for _, message in BAD]
)
def test_a_bad_case_is_one_line_with_its_place(write, added, message):
    with pytest.raises(StudyError) as caught:
        load(str(write(BASE + added)))
    assert "\n" not in str(caught.value)
    assert f"study.yaml:{message}" in str(caught.value)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        (
            "problem.agents=3",
            "--set: problem.agents: the study varies size, whose case 'six agents' sets problem.agents",
        ),
        (
            "vary.size=[four agents]",
            "--set: vary.size: 'four agents' is not one of the cases: six agents, three agents; did you mean",
        ),
        ("vary.size=[3]", "--set: vary.size: 3 is not one of the cases: six agents, three agents"),
        ("vary.size=[]", "--set: vary.size = []: must name at least one of the cases: six agents, three"),
        (
            "vary.size={3: {problem.agents: 3}}",
            "--set vary.size = '{3: {problem.agents: 3}}': the key '3'",
        ),
        ("vary.size={A: {problem.agents: 0}}", "--set: problem.agents = 0: must be at least 1"),
    ],
)
def test_errors_of_the_command_line_about_cases_point_at_it(write, override, message):
    with pytest.raises(StudyError) as caught:
        load(str(write(BASE + CASES)), overrides=[override])
    assert str(caught.value).startswith(message)
