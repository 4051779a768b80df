"""Methods from outside the testbed: a file or a module on the command line joins the table."""

import gc
import hashlib
import re
import sys
from importlib import metadata
from pathlib import Path

import fresh_processes
import pandas as pd
import pytest

from studies.spec.document import StudyError
from studies.suite import methods, user_methods
from studies.suite.definition import MethodSettings
from testbed.common.registry import GROUP
from testbed.consensus.traits import ALGORITHMS

PAGE = Path(__file__).parents[3] / "docs" / "suite.md"
LEARNER = """\
from typing import Literal

from policies.algorithms.itrpo import ItrpoSettings


class Mine(ItrpoSettings):
    name: Literal["{name}"] = "{name}"
"""
TUNED = """\
from studies.suite.user_methods import SuiteMethod

tuned = SuiteMethod("tuned", {{"problem": {{{setting}}}}}, not_for={{"training": "not tried"}})
number = 3
"""

BARE = """\
from testbed.consensus.base import Consensus


class Bare(Consensus):
    name = "bare"
"""
ALGORITHM = """\
from testbed.consensus.one_way.relaxed_admm import RelaxedADMM


class Mine(RelaxedADMM):
    {}
"""


@pytest.fixture(autouse=True)
def own_path(monkeypatch):
    """What a test puts on the path, and the modules that it imports, are gone after it."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if "outside" in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]
    gc.collect()
    assert {"patient"}.isdisjoint(ALGORITHMS.members())


@pytest.fixture
def outside(tmp_path):
    """Writes a module outside the repository."""

    def outside(name, text):
        place = tmp_path / "outside"
        place.mkdir(exist_ok=True)
        (place / name).write_text(text)
        return place / name

    return outside


def example():
    """The example of docs/suite.md, word for word."""
    return PAGE.read_text().partition("```python\n")[2].partition("```")[0]


def test_the_example_of_the_page_joins_the_table(outside, tmp_path):
    """By the command, because the processes that run trials must find the code, too."""
    file = outside("patient.py", example())
    words = ["-c", "from studies.cli.console_script import main; main()", "suite", "lite"]
    which = ["--task", "convex-mean", "--condition", "loss 60 %", "--method", "relaxed ADMM"]
    command = [*words, *which, "--method", f"{file}:Patient", "--jobs", "1", "--out", str(tmp_path / "out")]
    fresh_processes.run(command, check=True)
    found = pd.read_csv(tmp_path / "out" / "scores.csv").set_index(["method", "condition"])
    label = f"patient@{hashlib.sha256(file.read_bytes()).hexdigest()[:8]}"
    assert list(found.index) == [
        (name, condition)
        for name in ("relaxed ADMM", label)
        for condition in ("perfect", "loss 60 %", "no network")
    ]
    assert (found["seeds"] == 3).all()
    assert found.loc[(label, "loss 60 %"), "kept"] > found.loc[("relaxed ADMM", "loss 60 %"), "kept"]


def test_the_traits_of_an_algorithm_say_where_it_applies(outside, tmp_path):
    found = user_methods.load(f"{outside('patient.py', example())}:Patient", tmp_path)
    assert found.on("convex-logistic", "problem")[0] == {"consensus.algorithm": "patient"}
    from testbed.consensus.one_way.extra import Extra
    from testbed.consensus.one_way.metropolis import Metropolis

    averages = methods.Method("m", user_methods._of_algorithm(Metropolis))
    assert averages.on("convex-mean", "problem")[0] == {"consensus.algorithm": "metropolis"}
    assert averages.on("convex-logistic", "problem") == (None, "averages vectors and solves nothing else")
    gradients = methods.Method("g", user_methods._of_algorithm(Extra))
    assert gradients.on("navigation-3", "training") == (None, "needs gradients of smooth convex problems")
    assert gradients.on("convex-logistic", "problem")[0] == {"consensus.algorithm": "extra"}


PLAN = """
import sys
from pathlib import Path

from studies.suite import definition, methods, plan, user_methods

suite = definition.load("tiny-1", Path(sys.argv[1]))
method = user_methods.load(sys.argv[2], Path(sys.argv[3]))
for size in ("learn", "lite"):
    for part in plan.parts(suite, suite.size(size), methods.chosen(suite, ["relaxed"], [method]))[1::2]:
        trials = () if part.study is None else part.study.trials
        names = {trial.settings.algorithm.name for trial in trials}
        print(part.task, len(trials), *names, *set(part.empty.values()))
"""


def test_a_learner_is_for_training_tasks(folder, outside, tmp_path):
    """In a process of its own, because pydantic keeps a class of settings for ever."""
    file = outside("learners_of_mine.py", LEARNER.format(name="learner_of_mine"))
    words = ["-c", PLAN, folder, f"{file}:Mine", tmp_path / "methods"]
    said = fresh_processes.run(words, check=True).stdout
    assert said.splitlines() == [
        "learning 6 learner_of_mine",
        "mean 0 learns policies",
        "logistic 0 learns policies",
    ]
    points = metadata.distributions(path=[str(tmp_path / "methods")])
    groups = {point.group: point.value for each in points for point in each.entry_points}
    assert groups == {f"{GROUP}.learners": "learners_of_mine:Mine"}  # for the processes that run trials


def test_changed_code_is_another_method(outside, tmp_path):
    labels = []
    for penalty in (1, 2):
        file = outside("tuning.py", TUNED.format(setting=f'"consensus.penalty": {penalty}'))
        labels.append(user_methods.load(f"{file}:tuned", tmp_path).label)
        del sys.modules["tuning"]
    assert len(set(labels)) == 2
    assert all(re.fullmatch(r"tuned@[0-9a-f]{8}", label) for label in labels)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ('"network.link.loss": 0', "sets network.link.loss; a method may set only consensus and algorithm"),
        ('"consensus.budget.seconds": 100', "sets consensus.budget.seconds, which belongs to the task"),
        ('"consensus.budget": {"seconds": 100}', "sets consensus.budget.seconds, which belongs to the task"),
        ('"consensus": {"compute": 0}', "sets consensus.compute, which belongs to the task"),
        ('"consensus.penalty": -1', "method tuned: mean: consensus.penalty: must be"),
    ],
)
def test_a_method_cannot_change_the_task(run, outside, tmp_path, setting, message):
    file = outside("tuning.py", TUNED.format(setting=setting))
    method = user_methods.load(f"{file}:tuned", tmp_path)
    with pytest.raises(StudyError, match=re.escape(message)):
        run(own=[method])


@pytest.mark.parametrize(
    ("name", "text", "attribute", "message"),
    [
        ("a.py", "x = 1", "y", "has no 'y'; it has x"),
        ("tuning.py", TUNED.format(setting=""), "number", "is neither a subclass of"),
        ("broken.py", "1 / 0", "x", "cannot be imported: .*division by zero"),
        ("not-a-name.py", "", "x", "is not a module name"),
        ("json.py", "x = 1", "x", "the name 'json' is taken by"),
        ("leaving.py", "raise SystemExit(0)", "x", "cannot be imported: SystemExit"),
        ("asking.py", "def __getattr__(name):\n    raise OSError('no')", "x", "cannot be read: OSError: no"),
        ("bare.py", BARE, "Bare", "Bare must define consensus_run, allowed_activations, message_kinds"),
        ("nameless.py", ALGORITHM.format("pass"), "Mine", "with a name of its own"),
        (
            "local.py",
            ALGORITHM.format("name = 'local_one'") + "Other, Mine = Mine, None",
            "Other",
            "cannot be imported by",
        ),
        (
            "user.py",
            TUNED.format(setting="").replace("not_for", "uses=[dict], not_for"),
            "tuned",
            "uses dict, which",
        ),
    ],
)
def test_what_is_no_method_is_one_line(outside, tmp_path, name, text, attribute, message):
    with pytest.raises(StudyError, match=message) as error:
        user_methods.load(f"{outside(name, text)}:{attribute}", tmp_path)
    assert "\n" not in str(error.value)
    assert str(error.value).startswith("--method ")


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("name", 5, "name: must be text"),
        ("settings", 3, "settings: must be a mapping"),
        ("settings", {"mean": 3}, "settings.mean: must be a mapping"),
        ("settings", {"mean": "exact"}, "settings.mean: must be a mapping"),
        ("settings", {"mean": {5: 1}}, r"settings.mean.5.*: must be text"),
        ("not_for", {"mean": 5}, "not_for.mean: must be text"),
        ("about", None, "about: must be text"),
        ("uses", dict, "uses: must be a"),
        ("uses", (3,), "uses.0: must be a"),
    ],
)
def test_fields_of_a_wrong_type_are_one_line(field, value, message):
    given = {"name": "mine", "settings": {}} | {field: value}
    with pytest.raises(StudyError, match=f"^--method a: SuiteMethod: {message}") as error:
        user_methods._of_suite_method(user_methods.SuiteMethod(**given), "--method a")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["", " ", " mine", "a\nb", "\x1b[31mred", "a\u202eb", "\ud800", "x" * 61])
def test_names_that_cannot_be_shown_are_refused(suite, name):
    with pytest.raises(StudyError, match=r"^method: name = .*: must have 1 to 60 characters") as error:
        methods.chosen(suite, [], [methods.Method(name, MethodSettings(), "0" * 64)])
    assert str(error.value).isprintable()


@pytest.mark.parametrize("name", ["Ünï", "a/../b", "<b>&", "a_b%$#^{}~\\h", "a|b`c*d"])
def test_names_with_signs_of_a_markup_are_names(suite, name):
    assert methods.chosen(suite, [], [methods.Method(name, MethodSettings())])[-1].name == name


def test_a_task_is_in_settings_or_in_not_for(suite):
    both = MethodSettings(settings={"mean": {}}, not_for={"mean": "no"})
    with pytest.raises(StudyError, match="mean: is both in settings and in not_for"):
        methods.checked(methods.Method("mine", both), suite)


def test_a_missing_file_and_module_are_one_line(tmp_path):
    for reference in (f"{tmp_path}/none.py:X", "no_such_module_of_mine:X"):
        with pytest.raises(StudyError, match=r"no such file|No module named"):
            user_methods.load(reference, tmp_path)


def test_two_methods_of_one_name_are_refused(suite):
    own = methods.Method("averaging", MethodSettings(), "0" * 64)
    with pytest.raises(StudyError, match="two methods are named 'averaging'"):
        methods.chosen(suite, [], [own])
